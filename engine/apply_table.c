/*
 * Why a row may not be as it is to be, in words.
 */
#include "apply_inner.h"
#include "db.h"
#include "err.h"
#include "table_entry.h"
#include "table_schema.h"

/* The name of the index with this number, by the newest schema. */
static int unique_name(const struct entry *schema, uint16_t number)
{
	struct table_schema *decoded;
	int rc = table_schema_decode(schema->value, schema->value_bytes,
				     &decoded);

	if (rc < 0)
		return rc;
	for (size_t at = 0; at < decoded->shape.n_indexes; at++)
		if (decoded->indexes[at].number == number)
			rc = err_set(AEDB_EXISTS, "another row agrees in the "
				     "unique index %s",
				     decoded->shape.indexes[at].name);
	table_schema_free(decoded);
	return rc;
}

static uint16_t number_of(const struct op_key *key)
{
	const uint8_t *at = key->at;

	return (uint16_t)(at[0] << 8 | at[1]);
}

int apply_row_exists(struct space *space, const struct op_key *key)
{
	struct entry schema;
	int rc = 0;

	if (space_has_keys(space->id))
		return err_set(AEDB_EXISTS, "there is a row with this key");
	/* one that is too large to lie with its key is not worth the reading */
	if (key->n >= TABLE_ENTRY_NUMBER_BYTES &&
	    apply_newest(space, "", 0, &schema) > 0 && !schema.is_ref)
		rc = unique_name(&schema, number_of(key));
	return rc == AEDB_EXISTS ? rc : err_set(AEDB_EXISTS, "another row agrees "
						"in a unique index");
}
