/*
 * Named snapshots over restarts.
 */
#include "db_fixture.h"

static struct aedb_snapshot *named(struct fixture *f, const char *name)
{
	struct aedb_snapshot *snapshot = NULL;

	CHECK_OK(aedb_snapshot_open_named(f->db, name, &snapshot));
	return snapshot;
}

static void check_shows(struct fixture *f, const char *name, const char *value)
{
	struct aedb_snapshot *snapshot = named(f, name);

	CHECK_STR(text_of(f->scope, snapshot, "k"), value);
	aedb_snapshot_close(snapshot);
}

TEST(in_log, "what the log has before and after named snapshots is shown "
	"by each as it was, also once one is deleted")
{
	struct fixture f;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	CHECK_OK(put_text(f.scope, "k", "1"));
	CHECK_OK(put_text(f.scope, "k", "2"));
	CHECK_OK(aedb_snapshot_create(f.db, "two", NULL));
	CHECK_OK(put_text(f.scope, "k", "3"));
	CHECK_OK(put_text(f.scope, "k", "4"));
	CHECK_OK(aedb_snapshot_create(f.db, "four", NULL));
	CHECK_OK(put_text(f.scope, "k", "5"));
	for (int i = 0; i < 2; i++) {
		fixture_reopen(&f);
		check_shows(&f, "two", "2");
		check_shows(&f, "four", "4");
		CHECK_STR(text_of(f.scope, NULL, "k"), "5");
	}
	CHECK_OK(aedb_snapshot_delete(f.db, "two"));
	CHECK_OK(put_text(f.scope, "k", "6"));
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	fixture_reopen(&f);
	check_shows(&f, "four", "4");
	CHECK_STR(text_of(f.scope, NULL, "k"), "6");
	fixture_close(&f);
}

TEST(log_gone, "what a log superseded many times over is not kept for a snapshot that came before")
{
	struct fixture f;
	uint64_t memory;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	CHECK_OK(put_text(f.scope, "k", "old"));
	CHECK_OK(aedb_snapshot_create(f.db, "old", NULL));
	for (int i = 0; i < 2000; i++)
		CHECK_OK(put_text(f.scope, "k", "of a size that is noticed"));
	memory = memory_of(f.db);
	fixture_reopen(&f);
	CHECK(memory_of(f.db) < memory + 20000);
	check_shows(&f, "old", "old");
	fixture_close(&f);
}

/* All names, each with a space behind it. */
static const char *names_of(struct fixture *f)
{
	static char text[256];
	struct aedb_snapshot_info info = { .name = "" };
	struct aedb_snapshot *snapshot;

	text[0] = '\0';
	while (aedb_snapshot_next(f->db, info.name, &info) == 0) {
		strcat(strcat(text, info.name), " ");
		snapshot = named(f, info.name);
		CHECK_EQ(aedb_snapshot_seq(snapshot), info.seq);
		CHECK_EQ(aedb_snapshot_time_ns(snapshot), info.time_ns);
		aedb_snapshot_close(snapshot);
	}
	return text;
}

TEST(names, "names are listed in order and found, as they were made, renamed and "
	"deleted, also after a restart")
{
	struct aedb_snapshot *snapshot;
	struct fixture f;

	fixture_open(&f);
	CHECK_STR(names_of(&f), "");
	CHECK_OK(aedb_snapshot_create(f.db, "b", NULL));
	CHECK_OK(aedb_snapshot_create(f.db, "c", NULL));
	CHECK_OK(aedb_snapshot_create(f.db, "a.1", NULL));
	CHECK_STR(names_of(&f), "a.1 b c ");
	CHECK_EQ(aedb_snapshot_create(f.db, "b", NULL), AEDB_EXISTS);
	CHECK_EQ(aedb_snapshot_rename(f.db, "a.1", "b"), AEDB_EXISTS);
	CHECK_OK(aedb_snapshot_rename(f.db, "a.1", "d"));
	CHECK_OK(aedb_snapshot_delete(f.db, "b"));
	CHECK_STR(names_of(&f), "c d ");
	fixture_reopen(&f);
	CHECK_STR(names_of(&f), "c d ");
	CHECK_EQ(aedb_snapshot_open_named(f.db, "b", &snapshot),
		 AEDB_NOT_FOUND);
	CHECK_OK(aedb_snapshot_delete(f.db, "d"));
	CHECK_OK(aedb_snapshot_delete(f.db, "c"));
	CHECK_STR(names_of(&f), "");
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
