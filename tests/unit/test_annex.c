/*
 * What commits say they found: the encoding, and that a log is repeated with it
 * as it was executed, without reading what it replaces.
 */
#include "annex.h"
#include "db_fixture.h"
#include "err.h"
#include "value_format.h"

#define RECORDS 200
#define KEYS 400

static const unsigned int parts_of[] = {
	ANNEX_SIZES, ANNEX_ID, ANNEX_ID | ANNEX_ATTR, ANNEX_ALL,
};

/* A lookup: what it found, or nothing that is told. */
struct found {
	struct entry entry;
	unsigned int parts;
	bool is_told, is_asked;
	uint8_t bytes[300], attr[300];
};

static struct found founds[RECORDS];

static void found_set_ref(struct found *f)
{
	const struct value_ref ref = { .bytes = 100000 + check_random() % 10000,
				       .chunks = 7,
				       .root = { 7, 4096, 500, 0x1234 } };

	f->entry.is_ref = true;
	f->entry.value_bytes = (uint32_t)value_ref_encode(&ref, f->bytes);
}

static void found_random(struct found *f)
{
	f->is_told = check_random() % 3;
	f->parts = parts_of[check_random() % 4];
	f->entry = (struct entry){
		.value = f->bytes, .attr = f->attr,
		.value_bytes = (uint32_t)(check_random() % 300),
		.attr_bytes = check_random() % 2 ?
				      (uint32_t)(check_random() % 300) : 0,
		.id = check_random() >> (13 + check_random() % 40),
		.time_us = check_random() >> 13,
		.mtime_ns = check_random() % 2 ? (int64_t)check_random() :
						 AEDB_MTIME_NONE,
	};
	for (size_t i = 0; i < sizeof(f->bytes); i++) {
		f->bytes[i] = (uint8_t)check_random();
		f->attr[i] = (uint8_t)check_random();
	}
	if (check_random() % 4 == 0)
		found_set_ref(f);
	f->is_asked = ((f->parts & ANNEX_VALUE) &&
		       (f->entry.is_ref || f->entry.value_bytes > 256)) ||
		      ((f->parts & ANNEX_ATTR) && f->entry.attr_bytes > 256);
}

/* The last one has a record of several bytes. */
static void annex_random(struct annex *annex)
{
	annex_begin(annex);
	for (size_t i = 0; i < RECORDS; i++) {
		found_random(&founds[i]);
		if (i + 1 == RECORDS) {
			founds[i].is_told = true;
			founds[i].is_asked = false;
			founds[i].parts = ANNEX_SIZES;
		}
		if (founds[i].is_told)
			annex_add(annex, &founds[i].entry, founds[i].parts);
		else
			annex->passed++;
	}
}

static void told_check(const struct found *f, const struct entry *got)
{
	const struct entry *want = &f->entry;

	CHECK_EQ(got->is_ref, want->is_ref);
	CHECK_EQ(got->value_bytes, want->value_bytes);
	CHECK_EQ(got->attr_bytes, want->attr_bytes);
	if (f->parts & ANNEX_ID)
		CHECK_EQ(got->id, want->id);
	if ((f->parts & ANNEX_ATTR) && want->attr_bytes)
		CHECK(!memcmp(got->attr, want->attr, want->attr_bytes));
	if ((want->is_ref || (f->parts & ANNEX_VALUE)) && want->value_bytes)
		CHECK(!memcmp(got->value, want->value, want->value_bytes));
	if (!(f->parts & ANNEX_VALUE))
		return;
	CHECK_EQ(got->time_us, want->time_us);
	CHECK_EQ(got->mtime_ns, want->mtime_ns);
}

TEST(round_trips, "each lookup is told what it found, and the others nothing")
{
	struct annex annex = { .n = 0 };

	for (unsigned int round = 0; round < check_times(20); round++) {
		struct annex_reader reader;

		annex_random(&annex);
		annex_reader_init(&reader, annex.bytes, annex.n);
		for (size_t i = 0; i < RECORDS; i++) {
			const struct found *f = &founds[i];
			struct entry got;
			int rc = annex_next(&reader, f->parts, &got);

			CHECK_EQ(rc, !f->is_told ? ANNEX_MEMORY :
				     f->is_asked ? ANNEX_SEGMENTS :
						   ANNEX_TOLD);
			if (rc == ANNEX_TOLD)
				told_check(f, &got);
		}
		CHECK_OK(annex_end(&reader));
	}
	annex_release(&annex);
}

TEST(nothing, "a commit that replaced nothing of segments says nothing")
{
	struct annex annex = { .n = 0 };
	struct annex_reader reader;
	struct entry got;

	annex_begin(&annex);
	annex.passed = 1000;
	CHECK_EQ(annex.n, 0);
	annex_reader_init(&reader, annex.bytes, annex.n);
	CHECK_EQ(annex_next(&reader, ANNEX_ALL, &got), ANNEX_MEMORY);
	CHECK_OK(annex_end(&reader));
}

/* Reads all of it; the first error, or 0. */
static int annex_read(const uint8_t *bytes, size_t n)
{
	struct annex_reader reader;
	struct entry got;
	int rc = 0;

	annex_reader_init(&reader, bytes, n);
	for (size_t i = 0; i < RECORDS && rc >= 0; i++)
		rc = annex_next(&reader, founds[i].parts, &got);
	return rc < 0 ? rc : annex_end(&reader);
}

TEST(malformed, "an annex that is cut, or that nobody wrote, is damage or another one")
{
	struct annex annex = { .n = 0 };
	uint8_t *copy;

	annex_random(&annex);
	copy = malloc(annex.n);
	CHECK(copy);
	CHECK_OK(annex_read(annex.bytes, annex.n));
	CHECK_OK(annex_check(annex.bytes, annex.n));
	for (size_t i = 0; i < annex.n; i++) {
		int rc;

		memcpy(copy, annex.bytes, annex.n);
		copy[i] ^= (uint8_t)(1 + check_random() % 255);
		rc = annex_read(copy, annex.n);
		CHECK(rc == 0 || rc == AEDB_CORRUPT);
	}
	CHECK_EQ(annex_read(annex.bytes, annex.n - 1), AEDB_CORRUPT);
	CHECK_EQ(annex_check(annex.bytes, annex.n - 1), AEDB_CORRUPT);
	free(copy);
	annex_release(&annex);
}

TEST(too_much, "records that no lookup asks for are damage")
{
	struct found f = { .entry = { .value_bytes = 3 } };
	struct annex annex = { .n = 0 };
	struct annex_reader reader;
	struct entry got;

	annex_begin(&annex);
	annex.passed = 2;
	annex_add(&annex, &f.entry, ANNEX_SIZES);
	annex_reader_init(&reader, annex.bytes, annex.n);
	CHECK_EQ(annex_next(&reader, ANNEX_SIZES, &got), ANNEX_MEMORY);
	CHECK_FAILS(annex_end(&reader), AEDB_CORRUPT, "more than it looked for");
	CHECK_EQ(annex_next(&reader, ANNEX_SIZES, &got), ANNEX_MEMORY);
	CHECK_FAILS(annex_next(&reader, ANNEX_ID, &got), AEDB_CORRUPT,
		    "malformed");
	annex_release(&annex);
}

TEST(shown, "each record is shown in a line")
{
	struct found f = { .entry = { .id = 77, .value_bytes = 5 } };
	struct annex annex = { .n = 0 };
	char text[256];
	FILE *out = fmemopen(text, sizeof(text), "w");

	CHECK(out);
	annex_begin(&annex);
	annex.passed = 1;
	annex_add(&annex, &f.entry, ANNEX_ID);
	f.entry.is_ref = true;
	annex_add(&annex, &f.entry, ANNEX_ALL);
	CHECK_OK(annex_show(annex.bytes, annex.n, out));
	fclose(out);
	CHECK_STR(text, "    lookup 2 found id 77 value 5 bytes\n"
			"    lookup 3 found what segments have\n");
	annex_release(&annex);
}

/* Whole databases. */

static const char *key_text(unsigned int i)
{
	static char key[16];

	snprintf(key, sizeof(key), "key %u", i);
	return key;
}

static void database_start(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.durability = AEDB_OS;
	f->options.history_s = 3600;
	f->options.history_bytes = 64 << 20;
	fixture_start(f);
}

/* The process is killed, and the database opened again. */
static void database_kill(struct fixture *f)
{
	simdisk_cut_at(f->disk, simdisk_calls(f->disk) + 1);
	aedb_scope_close(f->scope);
	CHECK(aedb_close(f->db) < 0);
	simdisk_crash(f->disk, 1, SIMDISK_KILL);
	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
}

/* A key with attributes and a time of its own, or without. */
static struct aedb_put put_random(const char *key)
{
	static const int64_t mtime_ns = 1234567;
	static uint8_t bytes[70000];

	for (size_t i = 0; i < 400; i++)
		bytes[i] = (uint8_t)check_random();
	return (struct aedb_put){
		.key = key, .key_bytes = strlen(key), .value = bytes,
		.value_bytes = check_random() % 50 ? check_random() % 300 :
						     sizeof(bytes),
		.attr = check_random() % 2 ? bytes : NULL,
		.attr_bytes = check_random() % 400,
		.mtime_ns = check_random() % 2 ? &mtime_ns : NULL,
	};
}

/* Does something with a key, which may not be there. */
static void txn_change(struct fixture *f, struct aedb_txn *txn)
{
	const char *key = key_text((unsigned)(check_random() % KEYS));
	struct aedb_put put = put_random(key);
	char to[16];

	snprintf(to, sizeof(to), "key %u", (unsigned)(check_random() % KEYS));
	switch (check_random() % 6) {
	case 0:
		CHECK_OK(aedb_txn_delete(txn, f->scope, key, strlen(key)));
		break;
	case 1:
		CHECK_OK(aedb_txn_set_attr(txn, f->scope, &put));
		break;
	case 2:
		CHECK_OK(aedb_txn_move(txn, f->scope, key, strlen(key),
				       f->scope, to, strlen(to)));
		break;
	case 3:
		CHECK_OK(aedb_txn_exchange(txn, f->scope, key, strlen(key),
					   f->scope, to, strlen(to)));
		break;
	default:
		CHECK_OK(aedb_txn_put(txn, f->scope, &put));
	}
}

static void changes_commit(struct fixture *f, unsigned int commits)
{
	while (commits-- > 0) {
		struct aedb_txn *txn;

		CHECK_OK(aedb_txn_begin(f->db, &txn));
		for (uint64_t n = 1 + check_random() % 3; n > 0; n--)
			txn_change(f, txn);
		/* of a key that is not there little can be done */
		if (aedb_txn_commit(txn, NULL) < 0)
			aedb_txn_abort(txn);
	}
}

/* All keys with all there is to know of them. */
static char *state_text(struct fixture *f)
{
	struct aedb_entry e;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	for (unsigned int i = 0; i < KEYS; i++) {
		const char *key = key_text(i);
		int rc = aedb_stat(f->scope, NULL, key, strlen(key), &e);

		if (rc == AEDB_NOT_FOUND)
			continue;
		CHECK_OK(rc);
		fprintf(out, "%s id %" PRIu64 " version %" PRIu64 " mtime %" PRId64
			" value %" PRIu64 " attr %.*s\n", key, e.id, e.version,
			e.mtime_ns, (uint64_t)e.value_bytes,
			(int)e.attr_bytes, (const char *)e.attr);
		aedb_unpin(&e);
	}
	fprintf(out, "keys %" PRIu64 "\n", atomic_load(&f->db->keys));
	fclose(out);
	return text;
}

/* Kills the process after changes between and behind checkpoints; with the memory
 * given the log may not fit into memory when it is repeated. */
static void changes_repeat(uint64_t memory_bytes)
{
	char *before, *after;
	struct fixture f;
	uint64_t buried;

	database_start(&f);
	for (uint64_t i = 0; i < 3; i++) {
		changes_commit(&f, 1 + check_random() % 600);
		CHECK_OK(aedb_checkpoint(f.db, NULL));
	}
	changes_commit(&f, memory_bytes ? 2000 : 200);
	before = state_text(&f);
	buried = atomic_load(&f.db->buried_bytes);
	if (memory_bytes)
		f.options.memory_bytes = memory_bytes;
	database_kill(&f);
	after = state_text(&f);
	CHECK_STR(after, before);
	CHECK_EQ(atomic_load(&f.db->counters.checkpoints) > 0, memory_bytes > 0);
	if (!memory_bytes)
		CHECK_EQ(atomic_load(&f.db->buried_bytes), buried);
	free(after);
	/* some of the log may be in segments now, and is not repeated */
	database_kill(&f);
	after = state_text(&f);
	CHECK_STR(after, before);
	free(before);
	free(after);
	fixture_close(&f);
}

TEST(repeated, "a killed process's log, repeated, gives ids, times, attributes and "
	"counts as they were")
{
	for (unsigned int round = 0; round < check_times(10); round++)
		changes_repeat(0);
}

TEST(small, "the same with less memory than the log needs")
{
	for (unsigned int round = 0; round < check_times(10); round++)
		changes_repeat(256 << 10);
}

/* Some byte in the middle of the one segment's blocks becomes another. */
static void segment_damage(struct fixture *f)
{
	struct vfs_file *file;
	uint64_t size;
	uint8_t byte;

	CHECK_OK(vfs_file_open(simdisk_vfs(f->disk), "seg/1.seg", VFS_WRITE,
			       &file));
	CHECK_OK(vfs_file_size(file, &size));
	CHECK_OK(vfs_read_exact(file, &byte, 1, size / 2));
	byte ^= 1;
	CHECK_OK(vfs_write_all(file, &byte, 1, size / 2));
	vfs_file_close(file);
}

TEST(unread, "a log is repeated though what it replaces cannot be read any more")
{
	static const uint8_t bytes[300];
	unsigned int damaged = 0;
	struct aedb_entry e;
	struct fixture f;

	database_start(&f);
	for (unsigned int i = 0; i < KEYS; i++) {
		struct aedb_put put = put_random(key_text(i));

		put.value_bytes = 250;
		CHECK_OK(aedb_put(f.scope, put.key, put.key_bytes, put.value,
				  put.value_bytes));
	}
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	for (unsigned int i = 0; i < KEYS; i += 2)
		CHECK_OK(aedb_put(f.scope, key_text(i), strlen(key_text(i)),
				  bytes, i % 250));
	segment_damage(&f);
	database_kill(&f);
	for (unsigned int i = 0; i < KEYS; i++) {
		int rc = aedb_get(f.scope, NULL, key_text(i),
				  strlen(key_text(i)), &e);

		CHECK(rc == 0 || (i % 2 && rc == AEDB_CORRUPT));
		damaged += rc < 0;
		if (rc < 0)
			continue;
		CHECK_EQ(e.value_bytes, i % 2 ? 250 : i % 250);
		aedb_unpin(&e);
	}
	CHECK(damaged > 10);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
