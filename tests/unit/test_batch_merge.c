/*
 * Projects and scopes that a batch and others made.
 */
#include "batch_fixture.h"

static struct aedb_scope *scope_in(struct aedb *db, struct aedb_batch *batch,
				   const char *project, const char *name)
{
	struct aedb_scope *scope = NULL;

	CHECK_OK(aedb_scope_open_at(db, aedb_batch_view(batch), project, name,
				    &scope));
	return scope;
}

static struct aedb_scope *scope_of(struct aedb *db, const char *project,
				   const char *name)
{
	struct aedb_scope *scope = NULL;

	CHECK_OK(aedb_scope_open(db, project, name, &scope));
	return scope;
}

/* Project and scope, with one key, on one side. */
static void make_in(struct aedb *db, struct aedb_batch *batch,
		    const char *project, const char *name, const char *key)
{
	struct aedb_scope *scope;

	CHECK_OK(batch_create(batch, project, NULL));
	CHECK_OK(batch_create(batch, project, name));
	scope = scope_in(db, batch, project, name);
	CHECK_OK(batch_put(batch, scope, key, "batch"));
	aedb_scope_close(scope);
}

static void make_live(struct aedb *db, const char *project, const char *name,
		      const char *key)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_create(db, place(project, NULL)));
	CHECK_OK(aedb_create(db, place(project, name)));
	scope = scope_of(db, project, name);
	CHECK_OK(put_text(scope, key, "live"));
	aedb_scope_close(scope);
}

static uint64_t id_of(struct aedb *db, struct aedb_place at)
{
	struct aedb_entry e = { .id = 0 };

	CHECK_OK(aedb_place_stat(db, NULL, at, &e));
	aedb_unpin(&e);
	return e.id;
}

static void expect_keys(struct aedb *db, const char *project, const char *name,
			const char *keys)
{
	struct aedb_scope *scope = scope_of(db, project, name);

	CHECK_STR(keys_of(scope, NULL, AEDB_FORWARD), keys);
	aedb_scope_close(scope);
}

TEST(merge_makes_one, "a project and scope that both made are one, the others', with the "
	"keys of both, also after a restart")
{
	struct aedb_scope *own;
	struct aedb_batch *batch;
	uint64_t project, scope;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	CHECK_OK(batch_create(batch, "q", "only"));
	own = scope_in(f.db, batch, "q", "n");
	make_live(f.db, "q", "n", "b");
	CHECK_OK(aedb_create(f.db, place("q", "theirs")));
	project = id_of(f.db, place("q", NULL));
	scope = id_of(f.db, place("q", "n"));
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	expect_keys(f.db, "q", "n", "a b");
	CHECK_EQ(id_of(f.db, place("q", NULL)), project);
	CHECK_EQ(id_of(f.db, place("q", "n")), scope);
	/* the batch's own never came to be */
	CHECK(!text_of(own, NULL, "a"));
	CHECK_EQ(put_text(own, "c", "v"), AEDB_NOT_FOUND);
	aedb_scope_close(own);
	fixture_reopen(&f);
	expect_keys(f.db, "q", "n", "a b");
	expect_keys(f.db, "q", "only", "");
	expect_keys(f.db, "q", "theirs", "");
	CHECK_EQ(id_of(f.db, place("q", "n")), scope);
	fixture_close(&f);
}

TEST(merge_counts, "keys that came into others' scope are counted, and it is not empty then")
{
	struct aedb_batch *batch;
	struct aedb_stats before, after;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_OK(aedb_create(f.db, place("q", "n")));
	aedb_stats(f.db, &before);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_stats(f.db, &after);
	CHECK_EQ(after.keys, before.keys + 1);
	CHECK_EQ(aedb_drop(f.db, place("q", "n"), AEDB_DROP_EMPTY),
		 AEDB_NOT_EMPTY);
	CHECK_OK(aedb_drop(f.db, place("q", "n"), AEDB_DROP_ALL));
	fixture_close(&f);
}

TEST(merge_conflicts, "a key that both made in such a scope conflicts, and is listed as the "
	"batch has it")
{
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	CHECK_OK(batch_create(batch, "p", "n"));
	make_live(f.db, "q", "n", "a");
	CHECK_OK(aedb_create(f.db, place("p", "n")));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/q/n/a");
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/q/n/a");
	scope = scope_in(f.db, batch, "q", "n");
	CHECK_STR(batch_text(batch, scope, "a"), "batch");
	aedb_scope_close(scope);
	/* without theirs there is none */
	scope = scope_of(f.db, "q", "n");
	CHECK_OK(delete_text(scope, "a"));
	aedb_scope_close(scope);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	expect_keys(f.db, "q", "n", "a");
	fixture_close(&f);
}

TEST(merge_names, "a scope that others moved to a name in such a project conflicts; the "
	"batch may move one there")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	CHECK_OK(batch_rename(batch, place("p", "s"), place("q", "s")));
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_OK(aedb_rename(f.db, place("p", "t"), place("q", "n")));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/q/n");
	CHECK_OK(aedb_rename(f.db, place("q", "n"), place("q", "t")));
	CHECK_OK(aedb_create(f.db, place("q", "s")));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/q/s");
	CHECK_OK(aedb_drop(f.db, place("q", "s"), AEDB_DROP_EMPTY));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	expect_keys(f.db, "q", "n", "a");
	expect_keys(f.db, "q", "s", "");
	expect_keys(f.db, "q", "t", "");
	aedb_scope_close(f.scope);
	CHECK_OK(aedb_scope_open(f.db, "q", "s", &f.scope));
	fixture_close(&f);
}

TEST(merge_of_renamed, "what others made and called otherwise afterwards is not the batch's")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	make_live(f.db, "q", "n", "b");
	CHECK_OK(aedb_rename(f.db, place("q", NULL), place("r", NULL)));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	expect_keys(f.db, "q", "n", "a");
	expect_keys(f.db, "r", "n", "b");

	/* made elsewhere and brought there it is one as any */
	batch = batch_of(f.db);
	make_in(f.db, batch, "u", "n", "a");
	make_live(f.db, "w", "m", "b");
	CHECK_OK(aedb_rename(f.db, place("w", NULL), place("u", NULL)));
	CHECK_OK(aedb_rename(f.db, place("u", "m"), place("u", "n")));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	expect_keys(f.db, "u", "n", "a b");
	fixture_close(&f);
}

TEST(merge_of_batches, "what an older batch made and committed later is made since, too")
{
	struct aedb_batch *first, *second;
	struct fixture f;

	fixture_open(&f);
	first = batch_of(f.db);
	make_in(f.db, first, "q", "n", "a");
	CHECK_OK(put_text(f.scope, "k", "v"));
	second = batch_of(f.db);
	make_in(f.db, second, "q", "n", "b");
	CHECK_OK(aedb_batch_commit(first, NULL));
	CHECK_OK(aedb_batch_commit(second, NULL));
	expect_keys(f.db, "q", "n", "a b");
	fixture_close(&f);
}

TEST(merge_replaced, "a name that had something in the base conflicts when both replaced that")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	batch = batch_of(f.db);
	CHECK_OK(batch_drop(batch, "p", "t", AEDB_DROP_EMPTY));
	CHECK_OK(batch_create(batch, "p", "t"));
	CHECK_OK(aedb_drop(f.db, place("p", "t"), AEDB_DROP_EMPTY));
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/t ~/p/t");
	aedb_batch_abort(batch);
	fixture_close(&f);
}

/* A batch that made a project which is live by now, each with its attributes. */
static struct aedb_batch *make_with_attr(struct aedb *db, const char *project,
					 const char *own, const char *live)
{
	struct aedb_batch *batch = batch_of(db);
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_create(txn, place(project, NULL), own, strlen(own),
				 NULL));
	CHECK_OK(txn_end(txn));
	txn = txn_of(db);
	CHECK_OK(aedb_txn_create(txn, place(project, NULL), live, strlen(live),
				 NULL));
	CHECK_OK(txn_end(txn));
	return batch;
}

TEST(merge_attributes, "with other attributes they conflict, unless those were settled")
{
	struct aedb_settled settled = { .as = AEDB_SETTLED_OWN };
	struct aedb_batch *batch;
	struct aedb_change change;
	struct aedb_entry e;
	struct fixture f;

	fixture_open(&f);
	batch = make_with_attr(f.db, "q", "same", "same");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	batch = make_with_attr(f.db, "r", "own", "live");
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/r");
	CHECK_OK(aedb_batch_conflict(batch, 0, &change));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("r", NULL), &e));
	CHECK_EQ(change.seq, e.version);
	settled.id = change.id;
	settled.version = e.version;
	aedb_unpin(&e);
	CHECK_OK(aedb_batch_settle(batch, &settled));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("r", NULL), &e));
	CHECK_EQ(e.attr_bytes, 4);
	CHECK_MEM(e.attr, "live", 4);
	aedb_unpin(&e);
	fixture_close(&f);
}

TEST(merge_expectations, "what is expected of a scope that both made is so of the others'")
{
	struct aedb_range range = { .prefix = "x", .prefix_bytes = 1 };
	struct aedb_scope *own, *twin, *live;
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	own = scope_in(f.db, batch, "q", "n");
	CHECK_EQ(aedb_batch_open_twin(batch, own, &twin), AEDB_NOT_FOUND);
	make_live(f.db, "q", "n", "x1");
	live = scope_of(f.db, "q", "n");
	CHECK_OK(aedb_batch_open_twin(batch, own, &twin));
	CHECK(twin == live);
	aedb_scope_close(twin);
	CHECK_OK(aedb_batch_expect_range(batch, own, &range));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/q/n/x...");
	aedb_batch_expect_nothing(batch);
	CHECK_OK(aedb_batch_expect_object(batch, own, "x1", 2));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/q/n/x1");
	aedb_batch_expect_nothing(batch);
	CHECK_OK(aedb_batch_expect_same(batch, own, "x2", 2));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_scope_close(own);
	aedb_scope_close(live);
	fixture_close(&f);
}

TEST(merge_times, "others' project has the commit's time when something came into it")
{
	struct aedb_batch *batch;
	struct aedb_entry before, after;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	make_in(f.db, batch, "q", "n", "a");
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("q", NULL), &before));
	aedb_unpin(&before);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("q", NULL), &after));
	aedb_unpin(&after);
	CHECK(after.mtime_ns > before.mtime_ns);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
