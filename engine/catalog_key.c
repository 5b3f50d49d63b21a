/*
 * Keys of the catalog's spaces.
 */
#include <string.h>

#include "catalog_key.h"
#include "err.h"
#include "name.h"

void catalog_number_key(uint64_t number, uint8_t *ret)
{
	for (int i = 0; i < 8; i++)
		ret[i] = (uint8_t)(number >> (56 - 8 * i));
}

uint64_t catalog_key_number(const uint8_t *key)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | key[i];
	return number;
}

enum catalog_level catalog_key_level(struct op_bytes key, uint64_t *ret_parent)
{
	const uint8_t *at = key.at;

	if (key.n <= CATALOG_HEAD_BYTES || (at[0] != 'S' && at[0] != 'T'))
		return CATALOG_PROJECT;
	*ret_parent = catalog_key_number(at + 1);
	return at[0] == 'S' ? CATALOG_SCOPE : CATALOG_TABLE;
}

void catalog_project_key(struct op_bytes name, struct catalog_key *ret)
{
	ret->bytes[0] = 'P';
	if (name.n)
		memcpy(ret->bytes + 1, name.at, name.n);
	ret->n = 1 + name.n;
}

static void prefix_set(uint8_t kind, uint64_t id, struct catalog_key *ret)
{
	ret->bytes[0] = kind;
	catalog_number_key(id, ret->bytes + 1);
	ret->n = CATALOG_HEAD_BYTES;
}

void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret)
{
	prefix_set('S', project_id, ret);
}

void catalog_tables_prefix(uint64_t scope_id, struct catalog_key *ret)
{
	prefix_set('T', scope_id, ret);
}

void catalog_key_append(struct catalog_key *key, struct op_bytes name)
{
	memcpy(key->bytes + key->n, name.at, name.n);
	key->n += name.n;
}

const char *catalog_place_text(const struct op_place *place, char *text)
{
	char *at = text;

	if (place->project.n)
		at = mempcpy(at, place->project.at, place->project.n);
	if (place->scope.n) {
		*at++ = '/';
		at = mempcpy(at, place->scope.at, place->scope.n);
	}
	if (place->table.n)
		at = mempcpy(at, place->table.at, place->table.n);
	*at = 0;
	return text;
}

int catalog_check_name(const char *what, const char *name, struct op_bytes *ret)
{
	int rc = name_check(what, name);

	if (rc == 0)
		*ret = (struct op_bytes){ name, strlen(name) };
	return rc;
}

int catalog_check_place(struct aedb_place place, struct op_place *ret)
{
	struct op_place checked = { 0 };
	int rc = 0;

	if (!place.project && place.scope)
		return err_set(AEDB_INVALID, "scope \"%s\" without a project",
			       place.scope);
	if (place.project)
		rc = catalog_check_name("project", place.project, &checked.project);
	if (rc == 0 && place.scope)
		rc = catalog_check_name("scope", place.scope, &checked.scope);
	if (rc == 0)
		*ret = checked;
	return rc;
}
