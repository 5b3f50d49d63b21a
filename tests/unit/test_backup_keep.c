/*
 * What stays for the next backup: the log, and value files that it names, until
 * it is too much.
 */
#include "aedb_feed.h"
#include "backup_keep.h"
#include "checkpoint.h"
#include "db_fixture.h"
#include "storage.h"

#define LARGE 100000	/* bytes of a value that goes into a value file at once */

/* Small log files, and nothing happens by itself. */
static void keep_open(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.wal_file_bytes = 64 << 10;
	fixture_start(f);
}

/* What a backup does to what is kept. */
static seq_t keep_begin(struct fixture *f)
{
	struct backup_cut cut;
	struct wal_header header;

	CHECK_OK(backup_keep_hold(f->db));
	CHECK_OK(checkpoint_run(f->db, CHECKPOINT_KEEP, &cut.seq));
	cut.wal_first = storage_wal_first(f->db);
	CHECK_EQ(wal_header_look(f->db->vfs, NULL, cut.wal_first, &header), 1);
	cut.lsn = header.start_lsn;
	values_cut(f->db->values);
	cut.value_first = file_set_next(values_files(f->db->values));
	CHECK_OK(backup_keep_begin(f->db, &cut));
	backup_keep_unhold(f->db);
	return cut.seq;
}

/* Some 4 KiB of log. */
static void commit_some(struct fixture *f)
{
	static uint8_t value[4000];
	static unsigned n;
	char key[16];

	sprintf(key, "k%u", n++ % 100);
	bytes_fill(value, sizeof(value), n);
	CHECK_OK(aedb_put(f->scope, key, strlen(key), value, sizeof(value)));
}

static void commits(struct fixture *f, unsigned n)
{
	seq_t seq;

	while (n--) {
		commit_some(f);
		if (n % 20 == 0)
			CHECK_OK(aedb_checkpoint(f->db, &seq));
	}
}

/* Whether every commit since is in the log. */
static bool log_has(struct fixture *f, seq_t above)
{
	struct aedb_feed *feed;
	int rc = aedb_feed_open(f->db, above + 1, &feed);

	if (rc == 0)
		aedb_feed_close(feed);
	else
		CHECK_EQ(rc, AEDB_RANGE);
	return rc == 0;
}

static void put_large(struct fixture *f, const char *key, uint64_t seed)
{
	static uint8_t value[LARGE];

	bytes_fill(value, sizeof(value), seed);
	CHECK_OK(aedb_put(f->scope, key, strlen(key), value, sizeof(value)));
}

static bool value_file_is_there(struct fixture *f, file_id_t number)
{
	return file_set_above(values_files(f->db->values), number - 1) == number;
}

/* Writes what memory has into segments and gives up what nobody needs. */
static void settle(struct fixture *f)
{
	seq_t seq;

	CHECK_OK(checkpoint_run(f->db, CHECKPOINT_ROTATE, &seq));
	CHECK_OK(aedb_compact(f->db));
	storage_clean(f->db);
}

TEST(log_stays, "the log since the last backup stays, over checkpoints and opens")
{
	struct fixture f;
	seq_t first, second;

	keep_open(&f);
	first = db_visible(f.db);
	commits(&f, 60);
	CHECK(!log_has(&f, first));
	first = keep_begin(&f);
	commits(&f, 60);
	CHECK(log_has(&f, first));
	fixture_reopen(&f);
	CHECK(log_has(&f, first));
	commits(&f, 60);
	CHECK(log_has(&f, first));
	second = keep_begin(&f);
	commits(&f, 60);
	CHECK(log_has(&f, second));
	CHECK(!log_has(&f, first));
	fixture_close(&f);
}

TEST(bound, "it goes when it has more than its bytes, and the manifest says so")
{
	struct fixture f;
	seq_t seq;

	keep_open(&f);
	fixture_stop(&f);
	f.options.backup_log_bytes = 1 << 20;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	seq = keep_begin(&f);
	commits(&f, 200);
	CHECK(log_has(&f, seq));
	CHECK(manifest_state(f.db->manifest)->numbers[MANIFEST_BACKUP_WAL]);
	commits(&f, 100);
	CHECK(!log_has(&f, seq));
	CHECK_EQ(manifest_state(f.db->manifest)->numbers[MANIFEST_BACKUP_WAL], 0);
	fixture_close(&f);
}

TEST(none, "with a bound of nothing none is kept")
{
	struct fixture f;
	seq_t seq;

	keep_open(&f);
	fixture_stop(&f);
	f.options.backup_log_bytes = 0;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	seq = keep_begin(&f);
	commits(&f, 40);
	CHECK(!log_has(&f, seq));
	fixture_close(&f);
}

TEST(lowered, "what an open with a lower bound finds is let go of")
{
	struct fixture f;
	seq_t seq;

	keep_open(&f);
	seq = keep_begin(&f);
	commits(&f, 60);
	fixture_stop(&f);
	f.options.backup_log_bytes = 64 << 10;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK(!log_has(&f, seq));
	fixture_close(&f);
}

TEST(values, "value files that commits since name stay, also when all is rewritten")
{
	struct fixture f;
	file_id_t number;

	keep_open(&f);
	number = file_set_next(values_files(f.db->values));
	put_large(&f, "a", 1);
	CHECK(value_file_is_there(&f, number));
	CHECK_OK(delete_text(f.scope, "a"));
	values_cut(f.db->values);
	settle(&f);
	CHECK(!value_file_is_there(&f, number));

	keep_begin(&f);
	number = file_set_next(values_files(f.db->values));
	put_large(&f, "a", 2);
	CHECK_OK(delete_text(f.scope, "a"));
	values_cut(f.db->values);
	settle(&f);
	CHECK(value_file_is_there(&f, number));
	fixture_reopen(&f);
	settle(&f);
	CHECK(value_file_is_there(&f, number));
	keep_begin(&f);
	settle(&f);
	CHECK(!value_file_is_there(&f, number));
	fixture_close(&f);
}

TEST(values_count, "the value files that stay for nothing else count")
{
	struct fixture f;
	seq_t seq;

	keep_open(&f);
	fixture_stop(&f);
	f.options.backup_log_bytes = 1 << 20;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	seq = keep_begin(&f);
	for (int i = 0; i < 12; i++)
		put_large(&f, "a", i);
	settle(&f);
	CHECK(log_has(&f, seq));
	CHECK_OK(delete_text(f.scope, "a"));
	values_cut(f.db->values);
	settle(&f);
	CHECK(!log_has(&f, seq));
	fixture_close(&f);
}

TEST(full_disk, "on a full disk what is kept is given up before anything fails")
{
	struct fixture f;
	uint64_t used;
	seq_t seq;
	int rc;

	keep_open(&f);
	seq = keep_begin(&f);
	commits(&f, 400);
	CHECK(log_has(&f, seq));
	used = simdisk_used_bytes(f.disk);
	/* what the log since has is more than a checkpoint needs */
	simdisk_limit_bytes(f.disk, used + (200 << 10));
	do
		rc = put_text(f.scope, "key", "value");
	while (rc == 0);
	CHECK_EQ(rc, AEDB_NO_SPACE);
	CHECK(log_has(&f, seq));
	CHECK_OK(aedb_checkpoint(f.db, &seq));
	CHECK(!log_has(&f, seq - 1));
	CHECK_OK(put_text(f.scope, "key", "value"));
	CHECK(simdisk_used_bytes(f.disk) < used);
	fixture_close(&f);
}

TEST(held, "while a backup is made all of the log stays")
{
	struct fixture f;
	seq_t seq;

	keep_open(&f);
	CHECK_OK(aedb_checkpoint(f.db, &seq));
	CHECK_OK(backup_keep_hold(f.db));
	commits(&f, 60);
	CHECK(log_has(&f, seq));
	backup_keep_unhold(f.db);
	commits(&f, 20);
	CHECK(!log_has(&f, seq));
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
