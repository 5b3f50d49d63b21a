/*
 * Keys of the catalog's spaces.
 */
#include <string.h>

#include "catalog_key.h"
#include "err.h"

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

bool catalog_key_is_scope(struct op_bytes key, uint64_t *ret_project)
{
	const uint8_t *at = key.at;

	if (key.n <= 9 || at[0] != 'S')
		return false;
	*ret_project = catalog_key_number(at + 1);
	return true;
}

void catalog_project_key(struct op_bytes name, struct catalog_key *ret)
{
	ret->bytes[0] = 'P';
	if (name.n)
		memcpy(ret->bytes + 1, name.at, name.n);
	ret->n = 1 + name.n;
}

void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret)
{
	ret->bytes[0] = 'S';
	catalog_number_key(project_id, ret->bytes + 1);
	ret->n = 9;
}

const char *catalog_place_text(const struct op_place *place, char *text)
{
	char *at = mempcpy(text, place->project.at, place->project.n);

	if (place->scope.n) {
		*at++ = '/';
		at = mempcpy(at, place->scope.at, place->scope.n);
	}
	*at = 0;
	return text;
}

static int name_check(const char *what, const char *name,
		      struct op_bytes *ret)
{
	size_t n = strlen(name);

	if (n > AEDB_NAME_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG,
			       "%s name of %zu bytes, at most %d are allowed",
			       what, n, AEDB_NAME_BYTES_MAX);
	if (n == 0 || n != strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789_-"))
		return err_set(AEDB_INVALID,
			       "%s name \"%s\": only A-Z a-z 0-9 _ - may occur",
			       what, name);
	*ret = (struct op_bytes){ name, n };
	return 0;
}

int catalog_check_place(struct aedb_place place, struct op_place *ret)
{
	struct op_place checked = { 0 };
	int rc = 0;

	if (!place.project && place.scope)
		return err_set(AEDB_INVALID, "scope \"%s\" without a project",
			       place.scope);
	if (place.project)
		rc = name_check("project", place.project, &checked.project);
	if (rc == 0 && place.scope)
		rc = name_check("scope", place.scope, &checked.scope);
	if (rc == 0)
		*ret = checked;
	return rc;
}
