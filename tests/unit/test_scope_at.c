/*
 * Scopes as snapshots show them: under old names, and after they were dropped.
 */
#include "db_fixture.h"

static const char *text_at(struct fixture *f,
			   const struct aedb_snapshot *snapshot,
			   const char *project, const char *scope)
{
	struct aedb_scope *handle;
	const char *text;
	int rc = aedb_scope_open_at(f->db, snapshot, project, scope, &handle);

	if (rc == AEDB_NOT_FOUND)
		return NULL;
	CHECK_OK(rc);
	text = text_of(handle, snapshot, "k");
	aedb_scope_close(handle);
	return text;
}

static const char *text_named(struct fixture *f, const char *name,
			      const char *project, const char *scope)
{
	struct aedb_snapshot *snapshot;
	const char *text;

	CHECK_OK(aedb_snapshot_open_named(f->db, name, &snapshot));
	text = text_at(f, snapshot, project, scope);
	aedb_snapshot_close(snapshot);
	return text;
}

static void put_in(struct fixture *f, const char *scope, const char *value)
{
	struct aedb_scope *handle;

	CHECK_OK(aedb_scope_open(f->db, "p", scope, &handle));
	CHECK_OK(put_text(handle, "k", value));
	aedb_scope_close(handle);
}

/* "old" is renamed to "new", "gone" is dropped, and "old" made again. */
static void change_names(struct fixture *f)
{
	CHECK_OK(aedb_rename(f->db, place("p", "old"), place("p", "new")));
	CHECK_OK(aedb_drop(f->db, place("p", "gone"), AEDB_DROP_ALL));
	CHECK_OK(aedb_create(f->db, place("p", "old")));
	put_in(f, "old", "another");
	put_in(f, "new", "later");
}

static void start(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	fixture_start(f);
	CHECK_OK(aedb_create(f->db, place("p", "old")));
	CHECK_OK(aedb_create(f->db, place("p", "gone")));
	put_in(f, "old", "first");
	put_in(f, "gone", "kept");
}

static void check_names(struct fixture *f)
{
	CHECK_STR(text_named(f, "then", "p", "old"), "first");
	CHECK_STR(text_named(f, "then", "p", "gone"), "kept");
	CHECK(text_named(f, "then", "p", "new") == NULL);
	CHECK_STR(text_at(f, NULL, "p", "old"), "another");
	CHECK_STR(text_at(f, NULL, "p", "new"), "later");
	CHECK(text_at(f, NULL, "p", "gone") == NULL);
}

TEST(names, "a snapshot shows scopes under their names of then, also dropped "
	"ones")
{
	struct aedb_snapshot *snapshot;
	struct fixture f;

	start(&f);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	change_names(&f);
	CHECK_STR(text_at(&f, snapshot, "p", "old"), "first");
	CHECK_STR(text_at(&f, snapshot, "p", "gone"), "kept");
	CHECK(text_at(&f, snapshot, "p", "new") == NULL);
	CHECK_STR(text_at(&f, NULL, "p", "old"), "another");
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

TEST(kept, "a named snapshot shows them so after checkpoints, compactions and "
	"restarts")
{
	struct fixture f;

	start(&f);
	CHECK_OK(aedb_snapshot_create(f.db, "then", NULL));
	change_names(&f);
	check_names(&f);
	fixture_reopen(&f);
	check_names(&f);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	check_names(&f);
	fixture_reopen(&f);
	check_names(&f);
	CHECK_OK(aedb_compact(f.db));
	check_names(&f);
	fixture_reopen(&f);
	check_names(&f);
	fixture_close(&f);
}

TEST(deleted, "what only a deleted snapshot showed of a dropped scope goes")
{
	struct aedb_stats stats;
	struct fixture f;
	uint64_t with;

	start(&f);
	CHECK_OK(aedb_snapshot_create(f.db, "then", NULL));
	change_names(&f);
	CHECK_OK(aedb_compact(f.db));
	aedb_stats(f.db, &stats);
	with = stats.segment_bytes;
	CHECK_OK(aedb_snapshot_delete(f.db, "then"));
	CHECK_OK(aedb_compact(f.db));
	aedb_stats(f.db, &stats);
	CHECK(stats.segment_bytes < with);
	CHECK(text_at(&f, NULL, "p", "gone") == NULL);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
