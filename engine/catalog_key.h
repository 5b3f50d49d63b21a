/*
 * Keys of the catalog's spaces, and names as text.
 *
 * Threads: no state.
 */
#ifndef CATALOG_KEY_H
#define CATALOG_KEY_H

#include "op.h"

#define CATALOG_KEY_BYTES_MAX (9 + AEDB_NAME_BYTES_MAX)
#define CATALOG_PLACE_TEXT (2 * AEDB_NAME_BYTES_MAX + 2)

struct catalog_key {
	uint8_t bytes[CATALOG_KEY_BYTES_MAX];
	size_t n;
};

/* Key of a project, and the prefix of the keys of its scopes. */
void catalog_project_key(struct op_bytes name, struct catalog_key *ret);
void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret);
/* Key of a number in the catalog's other spaces: 8 bytes. */
void catalog_number_key(uint64_t number, uint8_t *ret);
uint64_t catalog_key_number(const uint8_t *key);
/* Whether the key of a name is a scope's; then its project's id. */
bool catalog_key_is_scope(struct op_bytes key, uint64_t *ret_project);

/* AEDB_INVALID or AEDB_NAME_TOO_LONG, naming the name; else fills in ret,
 * whose names are borrowed from `place`. */
int catalog_check_place(struct aedb_place place, struct op_place *ret);
/* "project" or "project/scope"; returns text, which has CATALOG_PLACE_TEXT. */
const char *catalog_place_text(const struct op_place *place, char *text);

#endif
