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

/* Key of a project, the prefix of the keys of its scopes, and of a scope's
 * tables. */
void catalog_project_key(struct op_bytes name, struct catalog_key *ret);
void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret);
void catalog_tables_prefix(uint64_t scope_id, struct catalog_key *ret);
/* Appends a name to a prefix. */
void catalog_key_append(struct catalog_key *key, struct op_bytes name);
/* Key of a number in the catalog's other spaces: 8 bytes. */
void catalog_number_key(uint64_t number, uint8_t *ret);
uint64_t catalog_key_number(const uint8_t *key);
/* What the key of a name is of. */
enum catalog_level {
	CATALOG_PROJECT,	/* or nothing that has a place */
	CATALOG_SCOPE,
	CATALOG_TABLE,
};
#define CATALOG_HEAD_BYTES 9	/* of a scope's or table's key before its name */
/* Of a scope or table the id of what it is in, too. */
enum catalog_level catalog_key_level(struct op_bytes key, uint64_t *ret_parent);

/* AEDB_INVALID or AEDB_NAME_TOO_LONG, naming what; else *ret is the name,
 * borrowed. */
int catalog_check_name(const char *what, const char *name, struct op_bytes *ret);
/* AEDB_INVALID or AEDB_NAME_TOO_LONG, naming the name; else fills in ret,
 * whose names are borrowed from `place`. */
int catalog_check_place(struct aedb_place place, struct op_place *ret);
/* "project", "project/scope" or "table"; returns text, which has
 * CATALOG_PLACE_TEXT. */
const char *catalog_place_text(const struct op_place *place, char *text);

#endif
