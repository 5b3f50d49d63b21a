/*
 * Encoding of operations.
 *
 * Invariants:
 * 1. Every operation has exactly one encoding, and op_decode accepts no other
 *    flags than the kind can have, so what recovery executes is what a
 *    transaction collected.
 * 2. Decoding reads only inside the payload and never allocates.
 *
 * What an operation means is apply.c's business.
 */
#include <inttypes.h>

#include "err.h"
#include "op.h"

/* What each kind carries: the flags it may have, and its parts. */
enum op_parts {
	PART_KEY = 1,
	PART_TO_KEY = 2,
	PART_PLACE = 4,
	PART_TO_PLACE = 8,
	PART_VALUE = 16,
};

static const struct {
	const char *name;
	uint8_t flags, parts;
} kinds[] = {
	[OP_PUT] = { "put", OP_HAS_ID | OP_HAS_MTIME | OP_HAS_ATTR | OP_IS_REF |
			    OP_MUST_BE_NEW | OP_OF_TABLE,
		     PART_KEY | PART_VALUE },
	[OP_DELETE] = { "delete", OP_OF_TABLE, PART_KEY },
	[OP_SET_ATTR] = { "set-attr", OP_HAS_MTIME | OP_HAS_ATTR, PART_KEY },
	[OP_TOUCH] = { "touch", OP_HAS_MTIME, PART_KEY },
	[OP_MOVE] = { "move", 0, PART_KEY | PART_TO_KEY },
	[OP_EXCHANGE] = { "exchange", 0, PART_KEY | PART_TO_KEY },
	[OP_CREATE] = { "create", OP_HAS_ID | OP_HAS_ATTR | OP_HAS_TABLE,
			PART_PLACE },
	[OP_DROP] = { "drop", OP_DROP_FULL | OP_HAS_TABLE, PART_PLACE },
	[OP_RENAME] = { "rename", OP_HAS_TABLE, PART_PLACE | PART_TO_PLACE },
	[OP_PLACE_ATTR] = { "place-attr", OP_HAS_MTIME | OP_HAS_ATTR |
					  OP_HAS_TABLE, PART_PLACE },
	[OP_PLACE_TOUCH] = { "place-touch", OP_HAS_TABLE, PART_PLACE },
	[OP_OBJECT] = { "object", OP_HAS_ID | OP_HAS_MTIME | OP_HAS_ATTR |
				  OP_IS_REF | OP_IF_ABSENT | OP_IS_THERE |
				  OP_OF_TABLE,
			PART_KEY | PART_VALUE },
	[OP_NOTHING] = { "nothing", 0, PART_KEY | PART_VALUE },
};

static size_t place_bytes_max(const struct op_place *place)
{
	return 3 * BYTES_VARINT_MAX + place->project.n + place->scope.n +
	       place->table.n;
}

size_t op_bytes_max(const struct op *op)
{
	return 2 + 4 * BYTES_VARINT_MAX + op->key.n + op->to_key.n +
	       place_bytes_max(&op->place) + place_bytes_max(&op->to_place) +
	       BYTES_VARINT_MAX + 8 + BYTES_VARINT_MAX + op->attr.n +
	       BYTES_VARINT_MAX + op->value.n + op->extents.n;
}

static uint8_t *put_bytes(uint8_t *at, struct op_bytes bytes)
{
	at = bytes_store_varint(at, bytes.n);
	if (bytes.n)
		memcpy(at, bytes.at, bytes.n);
	return at + bytes.n;
}

static uint8_t *put_key(uint8_t *at, const struct op_key *key)
{
	at = bytes_store_varint(at, key->tree);
	return put_bytes(at, (struct op_bytes){ key->at, key->n });
}

static bool has_table(const struct op *op)
{
	return (kinds[op->kind].parts & PART_PLACE) &&
	       (op->flags & OP_HAS_TABLE);
}

static uint8_t *put_place(uint8_t *at, const struct op *op,
			  const struct op_place *place)
{
	if (!has_table(op))
		return put_bytes(put_bytes(at, place->project), place->scope);
	return put_bytes(bytes_store_varint(at, place->scope_id), place->table);
}

uint8_t *op_encode(const struct op *op, uint8_t *at)
{
	uint8_t parts = kinds[op->kind].parts;

	*at++ = op->kind;
	*at++ = op->flags;
	if (parts & PART_KEY)
		at = put_key(at, &op->key);
	if (parts & PART_TO_KEY)
		at = put_key(at, &op->to_key);
	if (parts & PART_PLACE)
		at = put_place(at, op, &op->place);
	if (parts & PART_TO_PLACE)
		at = put_place(at, op, &op->to_place);
	if (op->flags & OP_HAS_ID)
		at = bytes_store_varint(at, op->id);
	if (op->flags & OP_HAS_MTIME) {
		bytes_store_le64(at, (uint64_t)op->mtime_ns);
		at += 8;
	}
	if (op->flags & OP_HAS_ATTR)
		at = put_bytes(at, op->attr);
	if (parts & PART_VALUE)
		at = put_bytes(at, op->value);
	if (op->flags & OP_IS_REF) {
		memcpy(at, op->extents.at, op->extents.n);
		at += op->extents.n;
	}
	return at;
}

static struct op_bytes take_bytes(struct byte_reader *r)
{
	uint64_t n = byte_reader_varint(r);
	const uint8_t *at = byte_reader_take(r, n);

	return (struct op_bytes){ at, at ? n : 0 };
}

static struct op_key take_key(struct byte_reader *r)
{
	uint64_t tree = byte_reader_varint(r);
	struct op_bytes bytes = take_bytes(r);

	return (struct op_key){ tree, bytes.at, bytes.n };
}

static struct op_place take_place(struct byte_reader *r, const struct op *op)
{
	struct op_place place = { .scope_id = 0 };

	if (has_table(op)) {
		place.scope_id = byte_reader_varint(r);
		place.table = take_bytes(r);
		r->is_bad |= !place.table.n || place.scope_id > SEQ_MAX;
	} else {
		place.project = take_bytes(r);
		place.scope = take_bytes(r);
	}
	if (place.project.n > AEDB_NAME_BYTES_MAX ||
	    place.scope.n > AEDB_NAME_BYTES_MAX ||
	    place.table.n > AEDB_NAME_BYTES_MAX)
		r->is_bad = true;
	return place;
}

static struct value_extent take_extent(struct byte_reader *r)
{
	struct value_extent extent;

	extent.file = byte_reader_varint(r);
	extent.offset = byte_reader_varint(r);
	extent.bytes = byte_reader_varint(r);
	return extent;
}

static struct op_bytes take_extents(struct byte_reader *r)
{
	const uint8_t *start = r->at;
	uint64_t n = byte_reader_varint(r);

	for (uint64_t i = 0; i < n && !r->is_bad; i++)
		take_extent(r);
	return (struct op_bytes){ start, (size_t)(r->at - start) };
}

static void take_parts(struct byte_reader *r, struct op *op)
{
	uint8_t parts = kinds[op->kind].parts;

	if (parts & PART_KEY)
		op->key = take_key(r);
	if (parts & PART_TO_KEY)
		op->to_key = take_key(r);
	if (parts & PART_PLACE)
		op->place = take_place(r, op);
	if (parts & PART_TO_PLACE)
		op->to_place = take_place(r, op);
	if (op->flags & OP_HAS_ID)
		op->id = byte_reader_varint(r);
	if (op->flags & OP_HAS_MTIME)
		op->mtime_ns = (int64_t)byte_reader_le64(r);
	if (op->flags & OP_HAS_ATTR)
		op->attr = take_bytes(r);
	if (parts & PART_VALUE)
		op->value = take_bytes(r);
	if (op->flags & OP_IS_REF)
		op->extents = take_extents(r);
}

int op_decode(struct byte_reader *payload, struct op *ret)
{
	struct op op = { 0 };
	struct value_ref ref;

	op.kind = byte_reader_u8(payload);
	op.flags = byte_reader_u8(payload);
	if (payload->is_bad)
		return err_set(AEDB_CORRUPT, "an operation is cut off");
	if (op.kind == 0 || op.kind >= sizeof(kinds) / sizeof(kinds[0]) ||
	    (op.flags & ~kinds[op.kind].flags))
		return err_set(AEDB_NEWER_FORMAT,
			       "operation kind %u with flags %#x is not known",
			       op.kind, op.flags);
	take_parts(payload, &op);
	if (payload->is_bad || op.id > SEQ_MAX ||
	    op.attr.n > AEDB_ATTR_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "a %s operation is malformed",
			       kinds[op.kind].name);
	if (op.flags & OP_IS_REF) {
		int rc = value_ref_decode(op.value.at, op.value.n, &ref);

		if (rc < 0)
			return rc;
	} else if (op.value.n > AEDB_VALUE_INLINE_MAX) {
		return err_set(AEDB_CORRUPT, "a put of %zu inline bytes",
			       op.value.n);
	}
	*ret = op;
	return 0;
}

size_t op_extents_encode(const struct value_extent *extents, size_t n,
			 uint8_t *at)
{
	size_t bytes = bytes_varint_size(n);

	if (at)
		at = bytes_store_varint(at, n);
	for (size_t i = 0; i < n; i++) {
		bytes += bytes_varint_size(extents[i].file) +
			 bytes_varint_size(extents[i].offset) +
			 bytes_varint_size(extents[i].bytes);
		if (!at)
			continue;
		at = bytes_store_varint(at, extents[i].file);
		at = bytes_store_varint(at, extents[i].offset);
		at = bytes_store_varint(at, extents[i].bytes);
	}
	return bytes;
}

void op_extents_begin(struct op_extents *ret, const struct op *op)
{
	byte_reader_init(&ret->rest, op->extents.at, op->extents.n);
	ret->left = op->extents.n ? byte_reader_varint(&ret->rest) : 0;
}

bool op_extents_next(struct op_extents *extents, struct value_extent *ret)
{
	if (!extents->left)
		return false;
	extents->left--;
	*ret = take_extent(&extents->rest);
	return true;
}

static void show_text(const void *bytes, size_t n, FILE *out)
{
	const uint8_t *at = bytes;

	fputc('"', out);
	for (size_t i = 0; i < n; i++) {
		if (at[i] < 0x20 || at[i] >= 0x7f || at[i] == '"' ||
		    at[i] == '\\')
			fprintf(out, "\\x%02x", at[i]);
		else
			fputc(at[i], out);
	}
	fputc('"', out);
}

static void show_key(const char *before, const struct op_key *key, FILE *out)
{
	fprintf(out, "%s scope %" PRIu64 "%s key ", before, key->tree / 2,
		key->tree % 2 ? " directories" : "");
	show_text(key->at, key->n, out);
}

/* A row, what columns and indexes there are, or an entry of an index. */
static void show_table_key(const struct op_key *key, FILE *out)
{
	const uint8_t *at = key->at;
	size_t number_bytes = key->tree % 2 ? 2 : 0;

	fprintf(out, " table %" PRIu64, key->tree / 2);
	if (key->n < number_bytes) {
		fputs(" columns and indexes", out);
		return;
	}
	if (number_bytes)
		fprintf(out, " index %u entry ", (unsigned)at[0] << 8 | at[1]);
	else
		fputs(" row ", out);
	show_text(at + number_bytes, key->n - number_bytes, out);
}

static void show_place(const char *before, const struct op_place *place,
		       FILE *out)
{
	if (place->table.n) {
		fprintf(out, "%s scope %" PRIu64 " table %.*s", before,
			place->scope_id, (int)place->table.n,
			(const char *)place->table.at);
		return;
	}
	fprintf(out, "%s %.*s/%.*s", before, (int)place->project.n,
		(const char *)place->project.at, (int)place->scope.n,
		(const char *)place->scope.at);
}

static void show_value(const struct op *op, FILE *out)
{
	struct value_ref ref;

	if (!(op->flags & OP_IS_REF)) {
		fprintf(out, " value %zu bytes", op->value.n);
		return;
	}
	fputs(" value ", out);
	if (value_ref_decode(op->value.at, op->value.n, &ref) == 0)
		value_ref_show(&ref, out);
}

void op_show(const struct op *op, FILE *out)
{
	uint8_t parts = kinds[op->kind].parts;

	fputs(kinds[op->kind].name, out);
	if ((parts & PART_KEY) && (op->flags & OP_OF_TABLE))
		show_table_key(&op->key, out);
	else if (parts & PART_KEY)
		show_key("", &op->key, out);
	if (parts & PART_TO_KEY)
		show_key(" with", &op->to_key, out);
	if (parts & PART_PLACE)
		show_place("", &op->place, out);
	if (parts & PART_TO_PLACE)
		show_place(" to", &op->to_place, out);
	if (op->flags & OP_HAS_ID)
		fprintf(out, " id %" PRIu64, op->id);
	if (op->flags & OP_HAS_MTIME)
		fprintf(out, " mtime %" PRId64, op->mtime_ns);
	if (op->flags & OP_HAS_ATTR)
		fprintf(out, " attr %zu bytes", op->attr.n);
	if (parts & PART_VALUE)
		show_value(op, out);
	if (op->flags & OP_MUST_BE_NEW)
		fputs(" new", out);
	if (op->kind == OP_DROP && (op->flags & OP_DROP_FULL))
		fputs(" with its keys", out);
	if (op->flags & OP_IF_ABSENT)
		fputs(" unless there is one", out);
	if (op->kind == OP_OBJECT && (op->flags & OP_IS_THERE))
		fputs(" in place of another", out);
	fputc('\n', out);
}
