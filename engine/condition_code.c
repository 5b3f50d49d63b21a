/*
 * Conditions on rows as bytes.
 *
 * A condition is its kind; then the number of its parts (ALL, ANY) and these, or the
 * part (NOT), or the column and what belongs to it: the comparison and its value, the
 * number of values and these (IN), the pattern. Values are as in keys.
 *
 * Decoding accepts normal conditions only, so that one has one encoding.
 */
#include "condition.h"
#include "err.h"
#include "table_key.h"
#include "table_value.h"

size_t condition_bytes(const struct aedb_condition *condition)
{
	size_t bytes = 1;

	if (condition_has_parts(condition)) {
		if (condition->kind != AEDB_IF_NOT)
			bytes += bytes_varint_size(condition->n_parts);
		for (size_t i = 0; i < condition->n_parts; i++)
			bytes += condition_bytes(&condition->parts[i]);
		return bytes;
	}
	bytes += bytes_varint_size(condition->column);
	bytes += condition->kind == AEDB_IF_COMPARES;
	if (condition->kind == AEDB_IF_IN)
		bytes += bytes_varint_size(condition->n_values);
	for (size_t i = 0; i < condition->n_values; i++)
		bytes += table_key_bytes(&condition->values[i]);
	return bytes;
}

void condition_encode(const struct aedb_condition *condition,
		      struct byte_writer *w)
{
	byte_writer_u8(w, (uint8_t)condition->kind);
	if (condition_has_parts(condition)) {
		if (condition->kind != AEDB_IF_NOT)
			byte_writer_varint(w, condition->n_parts);
		for (size_t i = 0; i < condition->n_parts; i++)
			condition_encode(&condition->parts[i], w);
		return;
	}
	byte_writer_varint(w, condition->column);
	if (condition->kind == AEDB_IF_COMPARES)
		byte_writer_u8(w, (uint8_t)condition->comparison);
	if (condition->kind == AEDB_IF_IN)
		byte_writer_varint(w, condition->n_values);
	for (size_t i = 0; i < condition->n_values; i++)
		table_key_put(w, &condition->values[i]);
}

/* Decoding. */

struct decoder {
	struct byte_reader *r;
	struct arena *arena;
	size_t leaves;
};

static int decode(struct decoder *d, unsigned depth, struct aedb_condition *ret);

static int damaged(void)
{
	return err_set(AEDB_CORRUPT, "a condition of a table is damaged");
}

static bool is_in_order(const struct aedb_value *values, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!table_types_compare(values[i - 1].type, values[i].type) ||
		    table_value_compare(&values[i - 1], &values[i]) >= 0)
			return false;
	return true;
}

static int take_values(struct decoder *d, size_t n, struct aedb_condition *c)
{
	struct aedb_value *values;
	void *room;
	int rc = arena_take_array(d->arena, n, sizeof(*values), &room);

	values = room;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = table_key_take_any(d->r, d->arena, &values[i]);
	if (rc < 0)
		return rc;
	if (!is_in_order(values, n))
		return damaged();
	c->values = values;
	c->n_values = n;
	return 0;
}

static int take_leaf(struct decoder *d, struct aedb_condition *c)
{
	uint64_t column = byte_reader_varint(d->r), n = 1;

	if (column >= AEDB_COLUMNS_MAX ||
	    ++d->leaves > AEDB_CONDITION_PARTS_MAX)
		return damaged();
	c->column = (uint32_t)column;
	if (c->kind == AEDB_IF_COMPARES)
		c->comparison = byte_reader_u8(d->r);
	if (c->kind == AEDB_IF_IN)
		n = byte_reader_varint(d->r);
	if (d->r->is_bad || c->comparison > AEDB_GREATER_OR_EQUAL || n == 0 ||
	    n > AEDB_CONDITION_VALUES_MAX || n > byte_reader_left(d->r) + 1)
		return damaged();
	return c->kind == AEDB_IF_NULL ? 0 : take_values(d, n, c);
}

static bool part_is_normal(const struct aedb_condition *whole,
			   const struct aedb_condition *part)
{
	if (whole->kind != AEDB_IF_NOT)
		return part->kind != whole->kind;
	return part->kind == AEDB_IF_IN || part->kind == AEDB_IF_NULL ||
	       part->kind == AEDB_IF_LIKE;
}

static int take_parts(struct decoder *d, unsigned depth,
		      struct aedb_condition *c)
{
	uint64_t n = c->kind == AEDB_IF_NOT ? 1 : byte_reader_varint(d->r);
	struct aedb_condition *parts;
	void *room;
	int rc;

	if (n == 0 && ++d->leaves > AEDB_CONDITION_PARTS_MAX)
		return damaged();
	if (d->r->is_bad || n > byte_reader_left(d->r) ||
	    n > AEDB_CONDITION_PARTS_MAX ||
	    (n == 1 && c->kind != AEDB_IF_NOT))
		return damaged();
	rc = arena_take_array(d->arena, n, sizeof(*parts), &room);
	parts = room;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = decode(d, depth + 1, &parts[i]);
		if (rc == 0 && !part_is_normal(c, &parts[i]))
			return damaged();
	}
	if (rc == 0) {
		c->parts = parts;
		c->n_parts = n;
	}
	return rc;
}

static int decode(struct decoder *d, unsigned depth, struct aedb_condition *ret)
{
	*ret = (struct aedb_condition){ .kind = byte_reader_u8(d->r) };
	if (d->r->is_bad || ret->kind > AEDB_IF_NOT ||
	    ret->kind == AEDB_IF_BETWEEN || depth > AEDB_CONDITION_DEPTH_MAX)
		return damaged();
	return condition_has_parts(ret) ? take_parts(d, depth, ret) :
					  take_leaf(d, ret);
}

int condition_decode(struct byte_reader *r, struct arena *arena,
		     const struct aedb_condition **ret)
{
	struct decoder d = { r, arena, 0 };
	void *condition;
	int rc = arena_take(arena, sizeof(**ret), &condition);

	if (rc == 0)
		rc = decode(&d, 1, condition);
	if (rc == 0)
		*ret = condition;
	return rc;
}
