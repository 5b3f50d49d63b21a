/*
 * Opening a database as it was at a number or a time: what lies behind is left
 * out for good.
 */
#include "db_fixture.h"

#define COMMITS 60
#define KEYS 7
#define LARGE 100000

struct past {
	struct fixture f;
	seq_t seqs[COMMITS + 1];	/* of the states; [0]: before all of them */
	uint64_t times_us[COMMITS + 1];
	unsigned values[COMMITS + 1][KEYS];	/* 0: no key */
};

static struct past past;

static size_t value_make(unsigned n, uint8_t *ret)
{
	size_t bytes = n % 5 == 0 ? LARGE : n % 3 == 0 ? 3000 : 20;

	bytes_fill(ret, bytes, n);
	return bytes;
}

static void key_change(unsigned key, unsigned value)
{
	static uint8_t bytes[LARGE];
	char name[2] = { (char)('a' + key), 0 };
	size_t n = value ? value_make(value, bytes) : 0;

	if (value)
		CHECK_OK(aedb_put(past.f.scope, name, 1, bytes, n));
	else
		CHECK_OK(delete_text(past.f.scope, name));
}

/* A life of commits, killed at its end. */
static void past_make(uint64_t memory_bytes)
{
	past = (struct past){ .seqs[0] = 0 };
	fixture_init(&past.f);
	past.f.options.maintenance = AEDB_ON_CALL;
	past.f.options.wal_file_bytes = 64 << 10;
	past.f.options.memory_bytes = memory_bytes;
	fixture_start(&past.f);
	past.seqs[0] = db_visible(past.f.db);
	past.times_us[0] = atomic_load(&past.f.db->commits.last_time_us);
	for (unsigned i = 1; i <= COMMITS; i++) {
		unsigned key = (unsigned)(check_random() % KEYS);
		bool is_there = past.values[i - 1][key];

		memcpy(past.values[i], past.values[i - 1],
		       sizeof(past.values[i]));
		past.values[i][key] = is_there && check_random() % 4 == 0 ? 0 : i;
		key_change(key, past.values[i][key]);
		past.seqs[i] = db_visible(past.f.db);
		past.times_us[i] = atomic_load(&past.f.db->commits.last_time_us);
	}
}

static void past_end(void)
{
	fixture_close(&past.f);
}

/* A copy of the disk as it is now, opened up to there. */
static void copy_open(struct db_until until, struct fixture *ret)
{
	*ret = (struct fixture){ .disk = simdisk_clone(past.f.disk),
				 .options = past.f.options };
	simdisk_crash(ret->disk, 1, SIMDISK_KEEP_ALL);
	CHECK_OK(db_open_until(simdisk_vfs(ret->disk), "simdisk", &ret->options,
			       &until, &ret->db));
	CHECK_OK(aedb_scope_open(ret->db, "p", "s", &ret->scope));
}

static void state_check(struct fixture *f, size_t state)
{
	static uint8_t want[LARGE], got[LARGE];

	for (unsigned key = 0; key < KEYS; key++) {
		unsigned value = past.values[state][key];
		char name[2] = { (char)('a' + key), 0 };
		struct aedb_reader *reader;
		size_t n, bytes;
		int rc = aedb_reader_open(f->scope, NULL, name, 1, &reader);

		CHECK_EQ(rc, value ? 0 : AEDB_NOT_FOUND);
		if (!value)
			continue;
		n = value_make(value, want);
		CHECK_OK(aedb_reader_read(reader, got, sizeof(got), 0, &bytes));
		CHECK_EQ(bytes, n);
		CHECK_MEM(got, want, n);
		aedb_reader_close(reader);
	}
}

static void check_until(struct db_until until, size_t state)
{
	struct fixture f;
	seq_t seq;

	copy_open(until, &f);
	CHECK_EQ(db_visible(f.db), past.seqs[state]);
	state_check(&f, state);
	CHECK_OK(aedb_put(f.scope, "new", 3, "x", 1));
	seq = db_visible(f.db);
	CHECK(seq > past.seqs[state]);
	fixture_reopen(&f);
	CHECK_EQ(db_visible(f.db), seq);
	state_check(&f, state);
	CHECK_STR(text_of(f.scope, NULL, "new"), "x");
	fixture_close(&f);
}

TEST(number, "a database opens as it was after any commit, and goes on from there")
{
	past_make(4 << 20);
	for (size_t i = 0; i <= COMMITS; i++) {
		check_until((struct db_until){ past.seqs[i], UINT64_MAX, false, NULL }, i);
		check_until((struct db_until){ SEQ_MAX, past.times_us[i], false, NULL }, i);
	}
	past_end();
}

TEST(between, "between two commits it is as after the first of them")
{
	struct aedb_txn *txn;
	seq_t last;

	past_make(4 << 20);
	txn = txn_of(past.f.db);
	for (int i = 0; i < 5; i++)
		CHECK_OK(txn_put_text(txn, past.f.scope, "many", "x"));
	CHECK_OK(txn_end(txn));
	last = db_visible(past.f.db);
	check_until((struct db_until){ last - 1, UINT64_MAX, false, NULL }, COMMITS);
	check_until((struct db_until){ past.seqs[COMMITS] + 1, UINT64_MAX, false, NULL },
		    COMMITS);
	past_end();
}

TEST(little_memory, "also when the log does not fit into memory")
{
	past_make(16 << 20);
	past.f.options.memory_bytes = 16 << 10;
	for (size_t i = 0; i <= COMMITS; i += 3)
		check_until((struct db_until){ past.seqs[i], UINT64_MAX, false, NULL }, i);
	past_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
