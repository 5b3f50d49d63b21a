/*
 * Rows as bytes.
 *
 *	version and width 1 byte | number of columns, a varint | a bit for each of
 *	them, the lowest first | values of fixed width | ends | bytes
 *
 * A bit says that the column has a value here: it is not NULL and not of the key.
 * Values follow each other in the order of their columns, first those of fixed width,
 * integers with the lowest byte first, then the bytes of the others, of which all but
 * the last have their end listed, counted from where the bytes begin. The width is that
 * of an end: the least of 1, 2 and 4 bytes that is enough, 0 when there is none.
 */
#include "table_row.h"

#include <string.h>

#include "err.h"
#include "table_entry.h"
#include "table_value.h"

#define VERSION 1
#define WHAT_BYTES (AEDB_NAME_BYTES_MAX + 16)

/* Cells. */

static int check_cell(const struct table_schema *schema,
		      const struct aedb_cell *cell, struct column_set *seen)
{
	const struct aedb_schema *shape = &schema->shape;
	const struct aedb_column *column;
	char what[WHAT_BYTES];

	if (cell->column >= shape->n_columns ||
	    !shape->columns[cell->column].name)
		return err_set(AEDB_INVALID, "there is no column %u",
			       (unsigned)cell->column);
	column = &shape->columns[cell->column];
	if (column_set_has(seen, cell->column))
		return err_set(AEDB_INVALID, "column \"%s\" is given twice",
			       column->name);
	column_set_add(seen, cell->column);
	if (cell->value.type == AEDB_TYPE_NULL && !column->is_nullable)
		return err_set(AEDB_INVALID, "column \"%s\" cannot be NULL",
			       column->name);
	if (table_value_check_type(&cell->value, column->type, column->name) == 0)
		return 0;
	/* said again, with what it is: that takes longer than all of the check */
	snprintf(what, sizeof(what), "column \"%s\"", column->name);
	return table_value_check_type(&cell->value, column->type, what);
}

static int take_cells(const struct table_schema *schema,
		      const struct aedb_cell *cells, size_t n,
		      struct column_set *seen, struct aedb_value *values)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = check_cell(schema, &cells[i], seen);
		if (rc == 0)
			values[cells[i].column] =
				table_value_stored(cells[i].value);
	}
	return rc;
}

int table_row_fill(const struct table_schema *schema,
		   const struct aedb_cell *cells, size_t n,
		   struct aedb_value *ret)
{
	const struct aedb_schema *shape = &schema->shape;
	struct column_set seen = { 0 };
	int rc = take_cells(schema, cells, n, &seen, ret);

	for (uint32_t i = 0; rc == 0 && i < shape->n_columns; i++) {
		const struct aedb_column *column = &shape->columns[i];

		if (column_set_has(&seen, i))
			continue;
		ret[i] = column->if_missing;
		if (column->name && !column->is_nullable &&
		    ret[i].type == AEDB_TYPE_NULL)
			rc = err_set(AEDB_INVALID, "column \"%s\" needs a value",
				     column->name);
	}
	return rc;
}

int table_row_change(const struct table_schema *schema,
		     const struct aedb_cell *cells, size_t n,
		     struct aedb_value *values)
{
	struct column_set seen = { 0 };

	return take_cells(schema, cells, n, &seen, values);
}

int table_row_check_key(const struct table_schema *schema,
			const struct aedb_value *key)
{
	struct column_set seen = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < schema->shape.n_key; i++) {
		struct aedb_cell cell = { schema->shape.key[i], key[i] };

		rc = check_cell(schema, &cell, &seen);
	}
	return rc;
}

/* Encoding. */

/* What the parts of a row are. */
struct extent {
	size_t fixed_bytes, bytes;	/* of values: of fixed width, of others */
	size_t n_ends;
	unsigned end_width;
};

static bool is_held(const struct table_schema *schema, size_t column,
		    const struct aedb_value *values)
{
	return values[column].type != AEDB_TYPE_NULL &&
	       schema->columns[column].key_at == TABLE_NOT_KEY;
}

static unsigned width_of_ends(size_t n_ends, size_t bytes)
{
	if (n_ends == 0)
		return 0;
	return bytes <= UINT8_MAX ? 1 : bytes <= UINT16_MAX ? 2 : 4;
}

static void measure(const struct table_schema *schema,
		    const struct aedb_value *values, struct extent *ret)
{
	size_t n_varying = 0;

	*ret = (struct extent){ 0 };
	for (size_t i = 0; i < schema->shape.n_columns; i++) {
		if (!is_held(schema, i, values))
			continue;
		ret->fixed_bytes += schema->columns[i].width;
		if (schema->columns[i].width == 0) {
			ret->bytes += values[i].bytes.n;
			n_varying++;
		}
	}
	ret->n_ends = n_varying ? n_varying - 1 : 0;
	ret->end_width = width_of_ends(ret->n_ends, ret->bytes);
}

static size_t bitmap_bytes(size_t n_columns)
{
	return (n_columns + 7) / 8;
}

int table_row_bytes(const struct table_schema *schema,
		    const struct aedb_value *values, size_t *ret)
{
	size_t n = schema->shape.n_columns, bytes;
	struct extent extent;

	measure(schema, values, &extent);
	bytes = 1 + bytes_varint_size(n) + bitmap_bytes(n) + extent.fixed_bytes +
		extent.n_ends * extent.end_width + extent.bytes;
	if (bytes > AEDB_ROW_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "a row of %zu bytes, at most %u are "
			       "allowed", bytes, AEDB_ROW_BYTES_MAX);
	*ret = bytes;
	return 0;
}

static uint8_t *store_fixed(uint8_t *at, const struct aedb_value *v,
			    unsigned width)
{
	uint64_t bits;

	if (width == TABLE_VALUE_WIDE_BYTES)
		return mempcpy(at, v->wide, width);
	if (v->type == AEDB_TYPE_FLOAT)
		memcpy(&bits, &v->real, sizeof(bits));
	else
		bits = v->type == AEDB_TYPE_BOOL ? v->boolean : v->u64;
	if (width == 1)
		*at = (uint8_t)bits;
	else
		bytes_store_le64(at, bits);
	return at + width;
}

static void store_end(uint8_t *at, size_t end, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		at[i] = (uint8_t)(end >> 8 * i);
}

void table_row_encode(const struct table_schema *schema,
		      const struct aedb_value *values, uint8_t *ret)
{
	size_t n = schema->shape.n_columns, end = 0;
	uint8_t *bits, *fixed, *ends, *bytes;
	struct extent extent;

	measure(schema, values, &extent);
	ret[0] = (uint8_t)(VERSION << 4 | extent.end_width);
	bits = bytes_store_varint(ret + 1, n);
	fixed = bits + bitmap_bytes(n);
	ends = fixed + extent.fixed_bytes;
	bytes = ends + extent.n_ends * extent.end_width;
	memset(bits, 0, bitmap_bytes(n));
	for (size_t i = 0; i < n; i++) {
		if (!is_held(schema, i, values))
			continue;
		bits[i / 8] |= (uint8_t)(1 << i % 8);
		if (schema->columns[i].width) {
			fixed = store_fixed(fixed, &values[i],
					    schema->columns[i].width);
			continue;
		}
		if (values[i].bytes.n)
			memcpy(bytes + end, values[i].bytes.at,
			       values[i].bytes.n);
		end += values[i].bytes.n;
		if (extent.n_ends > 0) {
			extent.n_ends--;
			store_end(ends, end, extent.end_width);
			ends += extent.end_width;
		}
	}
}

/* Decoding. */

static int damaged(void)
{
	return err_set(AEDB_CORRUPT, "a row of a table is damaged");
}

/* Where the parts of an encoded row lie. */
struct parts {
	size_t n_columns;
	const uint8_t *bits, *fixed, *ends, *bytes, *end;
	size_t n_varying;
	unsigned end_width;
};

static bool has_bit(const struct parts *parts, size_t column)
{
	return column < parts->n_columns &&
	       parts->bits[column / 8] >> column % 8 & 1;
}

/* Finds the parts behind the bits. */
static int find_values(const struct table_schema *schema, struct byte_reader *r,
		       struct parts *parts)
{
	size_t fixed_bytes = 0, n_ends;

	for (size_t i = 0; i < parts->n_columns; i++) {
		if (!has_bit(parts, i))
			continue;
		if (schema->columns[i].key_at != TABLE_NOT_KEY)
			return damaged();
		fixed_bytes += schema->columns[i].width;
		parts->n_varying += schema->columns[i].width == 0;
	}
	n_ends = parts->n_varying ? parts->n_varying - 1 : 0;
	parts->fixed = byte_reader_take(r, fixed_bytes);
	parts->ends = byte_reader_take(r, n_ends * parts->end_width);
	if (r->is_bad || (n_ends != 0) != (parts->end_width != 0))
		return damaged();
	parts->bytes = r->at;
	parts->end = r->end;
	if (!parts->n_varying && parts->bytes != parts->end)
		return damaged();
	return 0;
}

static int find_parts(const struct table_schema *schema, struct aedb_bytes row,
		      struct parts *parts)
{
	struct byte_reader r;
	uint8_t head;

	*parts = (struct parts){ 0 };
	byte_reader_init(&r, row.at, row.n);
	head = byte_reader_u8(&r);
	parts->n_columns = byte_reader_varint(&r);
	if (!r.is_bad && head >> 4 > VERSION)
		return err_set(AEDB_NEWER_FORMAT, "a row has version %u",
			       head >> 4);
	parts->end_width = head & 15;
	if (r.is_bad || head >> 4 != VERSION || parts->end_width == 3 ||
	    parts->end_width > 4 || parts->n_columns > schema->shape.n_columns)
		return damaged();
	parts->bits = byte_reader_take(&r, bitmap_bytes(parts->n_columns));
	if (!parts->bits ||
	    (parts->n_columns % 8 &&
	     parts->bits[parts->n_columns / 8] >> parts->n_columns % 8))
		return damaged();
	return find_values(schema, &r, parts);
}

/* false: no value of its type has these bytes. */
static bool load_fixed(const uint8_t *at, enum aedb_type type,
		       struct aedb_value *ret)
{
	uint64_t bits;

	ret->type = type;
	switch (type) {
	case AEDB_TYPE_BOOL:
		ret->boolean = at[0] == 1;
		return at[0] <= 1;
	case AEDB_TYPE_U8:
		ret->u64 = at[0];
		return true;
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		memcpy(ret->wide, at, sizeof(ret->wide));
		return true;
	case AEDB_TYPE_FLOAT:
		bits = bytes_load_le64(at);
		memcpy(&ret->real, &bits, sizeof(bits));
		return table_value_is_finite(ret->real);
	default:
		ret->u64 = bytes_load_le64(at);
		return true;
	}
}

static size_t load_end(const struct parts *parts, size_t i)
{
	const uint8_t *at = parts->ends + i * parts->end_width;
	size_t end = 0;

	if (i + 1 == parts->n_varying)
		return (size_t)(parts->end - parts->bytes);
	for (unsigned k = 0; k < parts->end_width; k++)
		end |= (size_t)at[k] << 8 * k;
	return end;
}

/* The i-th of the values without a fixed width. */
static bool load_bytes(const struct parts *parts, size_t i, enum aedb_type type,
		       struct aedb_value *ret)
{
	size_t start = i ? load_end(parts, i - 1) : 0, end = load_end(parts, i);

	if (start > end || end > (size_t)(parts->end - parts->bytes))
		return false;
	ret->type = type;
	ret->bytes = (struct aedb_bytes){ parts->bytes + start, end - start };
	return true;
}

/* What a column has that the row says nothing of. false: it cannot be. */
static bool load_missing(const struct aedb_column *column, bool is_newer,
			 struct aedb_value *ret)
{
	if (is_newer && column->name)
		*ret = column->if_missing;
	return !column->name || column->is_nullable ||
	       ret->type != AEDB_TYPE_NULL;
}

static bool is_wanted(const struct table_schema *schema,
		      const struct column_set *wanted, uint32_t column)
{
	return schema->shape.columns[column].name &&
	       schema->columns[column].key_at == TABLE_NOT_KEY &&
	       (!wanted || column_set_has(wanted, column));
}

static int load_values(const struct table_schema *schema,
		       const struct parts *parts,
		       const struct column_set *wanted, struct aedb_value *ret)
{
	const uint8_t *fixed = parts->fixed;
	size_t n_varying = 0;

	for (uint32_t i = 0; i < schema->shape.n_columns; i++) {
		const struct aedb_column *column = &schema->shape.columns[i];
		unsigned width = schema->columns[i].width;
		bool is_here = has_bit(parts, i), is_good = true;

		if (is_wanted(schema, wanted, i)) {
			if (!is_here)
				is_good = load_missing(column,
						       i >= parts->n_columns,
						       &ret[i]);
			else if (width)
				is_good = load_fixed(fixed, column->type, &ret[i]);
			else
				is_good = load_bytes(parts, n_varying,
						     column->type, &ret[i]);
		}
		if (!is_good)
			return damaged();
		if (is_here) {
			fixed += width;
			n_varying += width == 0;
		}
	}
	return 0;
}

/* The values of the key's columns, of which not all may be wanted. */
static int load_key(const struct table_schema *schema,
		    const struct table_row_source *source,
		    const struct column_set *wanted, struct aedb_value *ret)
{
	const struct aedb_schema *shape = &schema->shape;
	bool is_any_wanted = !wanted;
	int rc;

	for (size_t i = 0; !is_any_wanted && i < shape->n_key; i++)
		is_any_wanted = column_set_has(wanted, shape->key[i]);
	if (!is_any_wanted)
		return 0;
	rc = table_entry_decode_row_key(schema, source->key, source->room, ret);
	for (size_t i = 0; rc == 0 && wanted && i < shape->n_key; i++)
		if (!column_set_has(wanted, shape->key[i]))
			ret[shape->key[i]] = TABLE_VALUE_NULL;
	return rc;
}

int table_row_decode(const struct table_schema *schema,
		     const struct table_row_source *source,
		     const struct column_set *wanted, struct aedb_value *ret)
{
	struct parts parts;
	int rc = find_parts(schema, source->row, &parts);

	if (rc < 0)
		return rc;
	memset(ret, 0, schema->shape.n_columns * sizeof(*ret));
	rc = load_key(schema, source, wanted, ret);
	return rc == 0 ? load_values(schema, &parts, wanted, ret) : rc;
}
