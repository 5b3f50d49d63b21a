/*
 * The encoding of operations: round trips, and bytes nobody encoded.
 */
#include "check.h"
#include "err.h"
#include "op.h"

#define BUFFER_BYTES 8192

static const uint8_t kind_flags[] = {
	[OP_PUT] = OP_HAS_ID | OP_HAS_MTIME | OP_HAS_ATTR | OP_MUST_BE_NEW |
		   OP_OF_TABLE,
	[OP_DELETE] = OP_OF_TABLE,
	[OP_SET_ATTR] = OP_HAS_MTIME | OP_HAS_ATTR,
	[OP_TOUCH] = OP_HAS_MTIME,
	[OP_MOVE] = 0,
	[OP_EXCHANGE] = 0,
	[OP_CREATE] = OP_HAS_ID | OP_HAS_ATTR | OP_HAS_TABLE,
	[OP_DROP] = OP_DROP_FULL | OP_HAS_TABLE,
	[OP_RENAME] = OP_HAS_TABLE,
	[OP_PLACE_ATTR] = OP_HAS_MTIME | OP_HAS_ATTR | OP_HAS_TABLE,
	[OP_PLACE_TOUCH] = OP_HAS_TABLE,
	[OP_OBJECT] = OP_HAS_ID | OP_HAS_MTIME | OP_HAS_ATTR | OP_IF_ABSENT |
		      OP_IS_THERE | OP_OF_TABLE,
	[OP_NOTHING] = 0,
};

static const char text[300] = "the bytes that keys, names and values are of";

static struct op_bytes bytes_random(size_t max)
{
	size_t n = check_random() % (max + 1);

	return (struct op_bytes){ n ? text + check_random() % 50 : NULL, n };
}

static struct op_key key_random(void)
{
	struct op_bytes bytes = bytes_random(200);

	return (struct op_key){ check_random() >> (12 + check_random() % 50),
				bytes.at, bytes.n };
}

static struct op_bytes name_random(void)
{
	return (struct op_bytes){ text + check_random() % 50,
				  1 + check_random() % AEDB_NAME_BYTES_MAX };
}

static struct op_place place_random(bool has_table)
{
	struct op_place place = { .project = bytes_random(AEDB_NAME_BYTES_MAX),
				  .scope = bytes_random(AEDB_NAME_BYTES_MAX) };

	if (has_table)
		place = (struct op_place){ .table = name_random(),
					   .scope_id = check_random() >> 13 };
	return place;
}

static bool is_of_place(const struct op *op)
{
	return op->kind >= OP_CREATE && op->kind <= OP_PLACE_TOUCH;
}

static struct op op_random(void)
{
	struct op op = { .kind = (uint8_t)(1 + check_random() % OP_NOTHING) };

	op.flags = (uint8_t)check_random() & kind_flags[op.kind];
	op.key = key_random();
	op.to_key = key_random();
	op.place = place_random(is_of_place(&op) && op.flags & OP_HAS_TABLE);
	op.to_place = place_random(op.place.table.n);
	op.id = 1 + (check_random() >> (13 + check_random() % 40));
	op.mtime_ns = (int64_t)check_random();
	op.attr = bytes_random(200);
	op.value = bytes_random(200);
	return op;
}

static void bytes_equal(struct op_bytes a, struct op_bytes b)
{
	CHECK_EQ(a.n, b.n);
	if (a.n)
		CHECK_MEM(a.at, b.at, a.n);
}

static void keys_equal(const struct op_key *a, const struct op_key *b)
{
	CHECK_EQ(a->tree, b->tree);
	bytes_equal((struct op_bytes){ a->at, a->n },
		    (struct op_bytes){ b->at, b->n });
}

static void places_equal(const struct op_place *a, const struct op_place *b)
{
	bytes_equal(a->project, b->project);
	bytes_equal(a->scope, b->scope);
	bytes_equal(a->table, b->table);
	CHECK_EQ(a->scope_id, b->scope_id);
}

/* Whatever the kind carries is equal. */
static void ops_equal(const struct op *a, const struct op *b)
{
	CHECK_EQ(a->kind, b->kind);
	CHECK_EQ(a->flags, b->flags);
	if (a->kind <= OP_EXCHANGE || a->kind >= OP_OBJECT)
		keys_equal(&a->key, &b->key);
	else
		places_equal(&a->place, &b->place);
	if (a->kind == OP_MOVE || a->kind == OP_EXCHANGE)
		keys_equal(&a->to_key, &b->to_key);
	if (a->kind == OP_RENAME)
		places_equal(&a->to_place, &b->to_place);
	if (a->flags & OP_HAS_ID)
		CHECK_EQ(a->id, b->id);
	if (a->flags & OP_HAS_MTIME)
		CHECK_EQ(a->mtime_ns, b->mtime_ns);
	if (a->flags & OP_HAS_ATTR)
		bytes_equal(a->attr, b->attr);
	if (a->kind == OP_PUT || a->kind >= OP_OBJECT)
		bytes_equal(a->value, b->value);
}

static int decode(const uint8_t *bytes, size_t n, struct op *ret)
{
	struct byte_reader r;

	byte_reader_init(&r, bytes, n);
	return op_decode(&r, ret);
}

TEST(round_trip, "operations one after the other come back as they were")
{
	uint8_t buffer[BUFFER_BYTES], *end;
	struct byte_reader r;
	struct op ops[4], op;

	for (int round = 0; round < 5000; round++) {
		end = buffer;
		for (int i = 0; i < 4; i++) {
			uint8_t *start = end;

			ops[i] = op_random();
			end = op_encode(&ops[i], end);
			CHECK((size_t)(end - start) <= op_bytes_max(&ops[i]));
		}
		byte_reader_init(&r, buffer, (size_t)(end - buffer));
		for (int i = 0; i < 4; i++) {
			CHECK_OK(op_decode(&r, &op));
			ops_equal(&ops[i], &op);
		}
		CHECK_EQ(byte_reader_left(&r), 0);
	}
}

TEST(cut, "an operation cut off anywhere is damage, and the result stays untouched")
{
	uint8_t buffer[BUFFER_BYTES];
	struct op op, got, untouched;

	memset(&untouched, 0x5a, sizeof(untouched));
	for (int round = 0; round < 200; round++) {
		size_t n;

		op = op_random();
		n = (size_t)(op_encode(&op, buffer) - buffer);
		for (size_t cut = 0; cut < n; cut++) {
			/* memory of its own: reading past it would be found */
			uint8_t *copy = malloc(cut + 1);

			memcpy(copy, buffer, cut);
			got = untouched;
			CHECK_EQ(decode(copy, cut, &got), AEDB_CORRUPT);
			CHECK_MEM(&got, &untouched, sizeof(got));
			free(copy);
		}
	}
}

TEST(random_bytes, "any bytes give an operation or an error, and never more than there are")
{
	for (int round = 0; round < 100000; round++) {
		size_t n = check_random() % 64;
		uint8_t *bytes = malloc(n + 1);
		struct byte_reader r;
		struct op op;
		int rc = 0;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)check_random();
		if (n && round % 2)
			bytes[0] = (uint8_t)(bytes[0] % (OP_NOTHING + 2));
		byte_reader_init(&r, bytes, n);
		while (rc == 0 && byte_reader_left(&r))
			rc = op_decode(&r, &op);
		CHECK(rc == 0 || rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		free(bytes);
	}
}

TEST(unknown, "a kind or a flag that is not known is a newer format")
{
	uint8_t buffer[BUFFER_BYTES];
	struct op op, got;

	for (unsigned kind = 0; kind < 256; kind++) {
		op = op_random();
		op_encode(&op, buffer);
		if (kind >= 1 && kind <= OP_NOTHING)
			continue;
		buffer[0] = (uint8_t)kind;
		CHECK_EQ(decode(buffer, sizeof(buffer), &got), AEDB_NEWER_FORMAT);
	}
	for (unsigned kind = 1; kind <= OP_NOTHING; kind++)
		for (unsigned flag = 1; flag < 256; flag <<= 1) {
			if (flag & (kind_flags[kind] |
				    (kind == OP_PUT || kind >= OP_OBJECT ?
					     OP_IS_REF : 0)))
				continue;
			buffer[0] = (uint8_t)kind;
			buffer[1] = (uint8_t)flag;
			CHECK_EQ(decode(buffer, sizeof(buffer), &got),
				 AEDB_NEWER_FORMAT);
		}
}

TEST(references, "a put of a reference carries its extents, and a malformed one is damage")
{
	const struct value_extent extents[2] = { { 1, 4096, 70000 },
						 { 7, UINT64_C(1) << 30, 16 } };
	const struct value_ref ref = { .bytes = 100000, .chunks = 7,
		.root = { 7, 4096, 500, 0x1234 } };
	uint8_t value[VALUE_REF_BYTES_MAX], encoded[64], buffer[BUFFER_BYTES];
	struct op op = { .kind = OP_PUT, .flags = OP_IS_REF,
			 .key = { 2, "k", 1 } }, got;
	struct value_extent extent;
	struct op_extents walk;
	uint8_t *end;

	value_ref_encode(&ref, value);
	op.value = (struct op_bytes){ value, sizeof(value) };
	op.extents = (struct op_bytes){
		encoded, op_extents_encode(extents, 2, encoded) };
	CHECK_EQ(op.extents.n, op_extents_encode(extents, 2, NULL));
	end = op_encode(&op, buffer);
	CHECK_OK(decode(buffer, (size_t)(end - buffer), &got));
	bytes_equal(got.value, op.value);
	op_extents_begin(&walk, &got);
	for (int i = 0; i < 2; i++) {
		CHECK(op_extents_next(&walk, &extent));
		CHECK_EQ(extent.file, extents[i].file);
		CHECK_EQ(extent.offset, extents[i].offset);
		CHECK_EQ(extent.bytes, extents[i].bytes);
	}
	CHECK(!op_extents_next(&walk, &extent));
	op.value.n = 39;
	end = op_encode(&op, buffer);
	CHECK_EQ(decode(buffer, (size_t)(end - buffer), &got), AEDB_CORRUPT);
}

TEST(shown, "every kind is shown in one line, with bytes that are no text spelled out")
{
	char line[4096];

	for (int kind = 1; kind <= OP_NOTHING; kind++) {
		FILE *out = fmemopen(line, sizeof(line), "w");
		struct op op = { .kind = (uint8_t)kind,
				 .flags = kind_flags[kind] & ~OP_HAS_ATTR,
				 .key = { 14, "\x01k\"", 3 },
				 .to_key = { 15, "to", 2 },
				 .place = { { "proj", 4 }, { "scope", 5 } },
				 .to_place = { { "other", 5 }, { "name", 4 } } };

		CHECK(out);
		op_show(&op, out);
		fclose(out);
		CHECK(strchr(line, '\n') == line + strlen(line) - 1);
		if (kind <= OP_EXCHANGE || kind >= OP_OBJECT)
			CHECK(strstr(line, op.flags & OP_OF_TABLE ?
					   "table 7 row \"\\x01k\\x22\"" :
					   "scope 7 key \"\\x01k\\x22\""));
		else
			CHECK(strstr(line, "proj/scope"));
		if (kind == OP_MOVE || kind == OP_EXCHANGE)
			CHECK(strstr(line, "directories key \"to\""));
		if (kind == OP_RENAME)
			CHECK(strstr(line, "other/name"));
	}
}

TEST(of_tables, "what is put of a table is shown as row, entry of an index, or columns")
{
	static const struct {
		struct op_key key;
		const char *shown;
	} cases[] = {
		{ { 14, "r", 1 }, "put table 7 row \"r\" value 0 bytes\n" },
		{ { 15, "\1\2e", 3 }, "put table 7 index 258 entry \"e\" value "
				      "0 bytes\n" },
		{ { 15, "", 0 }, "put table 7 columns and indexes value 0 bytes\n" },
	};
	char line[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *out = fmemopen(line, sizeof(line), "w");
		struct op op = { .kind = OP_PUT, .flags = OP_OF_TABLE,
				 .key = cases[i].key };

		CHECK(out);
		op_show(&op, out);
		fclose(out);
		CHECK_STR(line, cases[i].shown);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
