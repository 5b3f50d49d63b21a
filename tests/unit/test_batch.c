/* Batches: what they show, commit and conflict with. */
#include "batch_fixture.h"

TEST(batch_reads_own, "a batch shows its own writes over its base, and nobody else sees them")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	CHECK_OK(put_text(f.scope, "b", "2"));
	batch = batch_of(f.db);
	CHECK_STR(batch_text(batch, f.scope, "a"), "1");
	CHECK_OK(batch_put(batch, f.scope, "a", "one"));
	CHECK_OK(batch_put(batch, f.scope, "c", "three"));
	CHECK_OK(batch_delete(batch, f.scope, "b"));
	CHECK_STR(batch_text(batch, f.scope, "a"), "one");
	CHECK_STR(batch_text(batch, f.scope, "c"), "three");
	CHECK(!batch_text(batch, f.scope, "b"));
	CHECK_STR(text_of(f.scope, NULL, "a"), "1");
	CHECK_STR(text_of(f.scope, NULL, "b"), "2");
	CHECK(!text_of(f.scope, NULL, "c"));
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_FORWARD),
		  "a c");
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_BACKWARD),
		  "c a");
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a b");
	CHECK_STR(diff_of(batch), "~/p/s/a -/p/s/b +/p/s/c");
	aedb_batch_abort(batch);
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a b");
	fixture_close(&f);
}

TEST(batch_commits, "a committed batch is one commit, and is there after a restart")
{
	struct aedb_batch *batch;
	aedb_seq_t before, seq;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	CHECK_OK(put_text(f.scope, "b", "2"));
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "a", "one"));
	CHECK_OK(batch_put(batch, f.scope, "c", "three"));
	CHECK_OK(batch_delete(batch, f.scope, "b"));
	CHECK_OK(batch_move(batch, f.scope, "c", "d"));
	before = aedb_visible_seq(f.db);
	CHECK_OK(aedb_batch_check(batch));
	CHECK_EQ(aedb_visible_seq(f.db), before);
	CHECK_OK(aedb_batch_commit(batch, &seq));
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a d");
	fixture_reopen(&f);
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a d");
	CHECK_STR(text_of(f.scope, NULL, "a"), "one");
	CHECK_STR(text_of(f.scope, NULL, "d"), "three");
	fixture_close(&f);
}

TEST(batch_base_stays, "what others commit later is not seen in a batch")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	batch = batch_of(f.db);
	CHECK_OK(put_text(f.scope, "a", "2"));
	CHECK_OK(put_text(f.scope, "b", "2"));
	CHECK_OK(batch_put(batch, f.scope, "c", "3"));
	CHECK_STR(batch_text(batch, f.scope, "a"), "1");
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_FORWARD),
		  "a c");
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	CHECK_OK(aedb_compact(f.db));
	CHECK_STR(batch_text(batch, f.scope, "a"), "1");
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_BACKWARD),
		  "c a");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a b c");
	CHECK_STR(text_of(f.scope, NULL, "a"), "2");
	fixture_close(&f);
}

TEST(batch_conflicts, "the first committer wins: the other commits nothing, stays, and lists why")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	CHECK_OK(put_text(f.scope, "b", "1"));
	CHECK_OK(put_text(f.scope, "c", "1"));
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "a", "mine"));
	CHECK_OK(batch_delete(batch, f.scope, "b"));
	CHECK_OK(batch_put(batch, f.scope, "d", "mine"));
	CHECK_OK(batch_put(batch, f.scope, "e", "mine"));
	CHECK_OK(put_text(f.scope, "a", "theirs"));
	CHECK_OK(delete_text(f.scope, "b"));
	CHECK_OK(put_text(f.scope, "d", "theirs"));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s/a -/p/s/b +/p/s/d");
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s/a -/p/s/b +/p/s/d");
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a c d");
	CHECK_STR(batch_text(batch, f.scope, "a"), "mine");
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_FORWARD),
		  "a c d e");
	/* what was made and removed again by others is as it was */
	CHECK_OK(delete_text(f.scope, "d"));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s/a -/p/s/b");
	aedb_batch_abort(batch);
	CHECK_STR(text_of(f.scope, NULL, "a"), "theirs");
	fixture_close(&f);
}

TEST(batch_net, "what was made and removed again, or put back, is not committed")
{
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	aedb_seq_t before, seq;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_full(f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .value = "1", .value_bytes = 1,
		.attr = "x", .attr_bytes = 1 }));
	CHECK_OK(put_text(f.scope, "b", "2"));
	before = aedb_visible_seq(f.db);
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "t", "temporary"));
	CHECK_OK(batch_move(batch, f.scope, "a", "t2"));
	CHECK_OK(batch_delete(batch, f.scope, "t"));
	CHECK_OK(batch_put(batch, f.scope, "b", "other"));
	CHECK_STR(diff_of(batch), "-/p/s/a ~/p/s/b +/p/s/t2");
	CHECK_OK(batch_move(batch, f.scope, "t2", "a"));
	CHECK_OK(batch_put(batch, f.scope, "b", "2"));
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_set_attr(txn, f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .attr = "y", .attr_bytes = 1 }));
	CHECK_OK(txn_end(txn));
	CHECK_STR(diff_of(batch), "~/p/s/a");
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_set_attr(txn, f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .attr = "x", .attr_bytes = 1 }));
	CHECK_OK(txn_end(txn));
	CHECK_STR(diff_of(batch), "");
	/* others may change what the batch did not, in the end */
	CHECK_OK(put_text(f.scope, "b", "theirs"));
	CHECK_OK(aedb_batch_commit(batch, &seq));
	CHECK_EQ(seq, aedb_visible_seq(f.db));
	CHECK(seq > before);
	CHECK_STR(text_of(f.scope, NULL, "b"), "theirs");
	fixture_close(&f);
}

TEST(batch_ids, "an object has the same id in the batch, after its commit and a restart")
{
	struct aedb_batch *batch;
	struct aedb_entry there;
	uint64_t a, b;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	a = stat_of(f.scope, "a").id;
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "b", "2"));
	CHECK_OK(batch_move(batch, f.scope, "a", "c"));
	CHECK_OK(aedb_stat(f.scope, aedb_batch_view(batch), "b", 1, &there));
	b = there.id;
	aedb_unpin(&there);
	CHECK(b != a);
	CHECK_OK(put_text(f.scope, "d", "live"));
	CHECK(stat_of(f.scope, "d").id != b);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(stat_of(f.scope, "b").id, b);
	CHECK_EQ(stat_of(f.scope, "c").id, a);
	fixture_reopen(&f);
	CHECK_EQ(stat_of(f.scope, "b").id, b);
	CHECK_EQ(stat_of(f.scope, "c").id, a);
	CHECK_OK(put_text(f.scope, "e", "new"));
	CHECK(stat_of(f.scope, "e").id > b);
	fixture_close(&f);
}

TEST(batch_times, "a commit's time is that of what it wrote, unless an mtime was set")
{
	int64_t set = 123456789, begun;
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	struct aedb_entry e;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "old", "1"));
	begun = stat_of(f.scope, "old").mtime_ns;
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "a", "1"));
	CHECK_OK(batch_put_full(batch, f.scope, &(struct aedb_put){
		.key = "b", .key_bytes = 1, .value = "1", .value_bytes = 1,
		.mtime_ns = &set }));
	/* neither a move nor attributes set the time of a value */
	CHECK_OK(batch_put(batch, f.scope, "t", "1"));
	CHECK_OK(batch_move(batch, f.scope, "t", "c"));
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_set_attr(txn, f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .attr = "x", .attr_bytes = 1 }));
	CHECK_OK(aedb_txn_set_attr(txn, f.scope, &(struct aedb_put){
		.key = "old", .key_bytes = 3, .attr = "x", .attr_bytes = 1 }));
	CHECK_OK(txn_end(txn));
	CHECK_OK(put_text(f.scope, "between", "1"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(stat_of(f.scope, "b").mtime_ns, set);
	CHECK_EQ(stat_of(f.scope, "old").mtime_ns, begun);
	e = stat_of(f.scope, "a");
	CHECK(e.time_ns > stat_of(f.scope, "between").time_ns);
	CHECK_EQ(e.mtime_ns, e.time_ns);
	CHECK_EQ(stat_of(f.scope, "c").mtime_ns, e.time_ns);
	CHECK_STR(attr_of(f.scope, "a"), "x");
	CHECK_STR(attr_of(f.scope, "old"), "x");
	fixture_close(&f);
}

TEST(batch_scopes, "projects and scopes made in a batch can be used there, and live later")
{
	struct aedb_scope *scope, *live;
	struct aedb_batch *batch;
	struct aedb_entry e;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "q", NULL));
	CHECK_OK(batch_create(batch, "q", "n"));
	CHECK_EQ(aedb_scope_open(f.db, "q", "n", &live), AEDB_NOT_FOUND);
	CHECK_OK(aedb_scope_open_at(f.db, aedb_batch_view(batch), "q", "n",
				    &scope));
	CHECK_OK(batch_put(batch, scope, "k", "v"));
	CHECK_STR(batch_text(batch, scope, "k"), "v");
	CHECK(!text_of(scope, NULL, "k"));
	CHECK_OK(aedb_place_next(f.db, aedb_batch_view(batch), NULL, "p", &e));
	CHECK_EQ(e.key_bytes, 1);
	CHECK(memcmp(e.key, "q", 1) == 0);
	aedb_unpin(&e);
	CHECK_EQ(aedb_place_next(f.db, NULL, NULL, "p", &e), AEDB_NOT_FOUND);
	CHECK_STR(diff_of(batch), "+/q +/q/n +/q/n/k");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	CHECK_OK(aedb_scope_open(f.db, "q", "n", &live));
	CHECK(live == scope);
	aedb_scope_close(live);
	aedb_scope_close(scope);
	fixture_reopen(&f);
	CHECK_OK(aedb_scope_open(f.db, "q", "n", &live));
	CHECK_STR(text_of(live, NULL, "k"), "v");
	aedb_scope_close(live);
	fixture_close(&f);
}

TEST(batch_scope_aborted, "a scope made in an aborted batch never was")
{
	struct aedb_scope *scope, *live;
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "p", "n"));
	CHECK_OK(aedb_scope_open_at(f.db, aedb_batch_view(batch), "p", "n",
				    &scope));
	CHECK_OK(batch_put(batch, scope, "k", "v"));
	aedb_batch_abort(batch);
	CHECK_EQ(put_text(scope, "k", "v"), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_scope_open(f.db, "p", "n", &live), AEDB_NOT_FOUND);
	aedb_scope_close(scope);
	fixture_close(&f);
}

TEST(batch_swaps_names, "projects and scopes may change names with each other in a batch")
{
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(put_text(f.scope, "k", "s"));
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &scope));
	CHECK_OK(put_text(scope, "k", "t"));
	batch = batch_of(f.db);
	CHECK_OK(batch_rename(batch, place("p", "s"), place("p", "x")));
	CHECK_OK(batch_rename(batch, place("p", "t"), place("p", "s")));
	CHECK_OK(batch_rename(batch, place("p", "x"), place("p", "t")));
	CHECK_OK(batch_rename(batch, place("p", NULL), place("x", NULL)));
	CHECK_OK(batch_rename(batch, place("q", NULL), place("p", NULL)));
	CHECK_OK(batch_rename(batch, place("x", NULL), place("q", NULL)));
	CHECK_OK(batch_put(batch, scope, "new", "t"));
	CHECK_STR(diff_of(batch), "~/p ~/q ~/q/s ~/q/t +/q/s/new");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_scope_close(scope);
	CHECK_EQ(aedb_scope_open(f.db, "p", "s", &scope), AEDB_NOT_FOUND);
	CHECK_OK(aedb_scope_open(f.db, "q", "s", &scope));
	CHECK_STR(text_of(scope, NULL, "k"), "t");
	CHECK_STR(text_of(scope, NULL, "new"), "t");
	aedb_scope_close(scope);
	CHECK_OK(aedb_scope_open(f.db, "q", "t", &scope));
	CHECK_STR(text_of(scope, NULL, "k"), "s");
	aedb_scope_close(scope);
	fixture_close(&f);
}

TEST(batch_drops, "a dropped scope goes with its keys, unless others changed something in it")
{
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &scope));
	CHECK_OK(put_text(scope, "k", "t"));
	CHECK_OK(put_text(f.scope, "k", "s"));
	batch = batch_of(f.db);
	CHECK_EQ(batch_drop(batch, "p", "t", AEDB_DROP_EMPTY), AEDB_NOT_EMPTY);
	CHECK_OK(batch_drop(batch, "p", "t", AEDB_DROP_ALL));
	CHECK_OK(batch_drop(batch, "p", "s", AEDB_DROP_ALL));
	CHECK_OK(batch_drop(batch, "p", NULL, AEDB_DROP_EMPTY));
	CHECK_OK(batch_create(batch, "p", NULL));
	CHECK_OK(batch_create(batch, "p", "t"));
	CHECK_STR(diff_of(batch), "~/p -/p/s -/p/t +/p/t");
	CHECK(!batch_text(batch, scope, "k"));
	CHECK_OK(put_text(scope, "other", "1"));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/t/...");
	CHECK_OK(delete_text(scope, "other"));
	aedb_batch_abort(batch);

	batch = batch_of(f.db);
	CHECK_OK(batch_drop(batch, "p", "t", AEDB_DROP_ALL));
	CHECK_OK(batch_create(batch, "p", "t"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(put_text(scope, "k", "v"), AEDB_NOT_FOUND);
	aedb_scope_close(scope);
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &scope));
	CHECK_STR(keys_of(scope, NULL, AEDB_FORWARD), "");
	aedb_scope_close(scope);
	fixture_close(&f);
}

TEST(batch_directories, "directories made on both sides are one, their times conflict with nothing")
{
	struct aedb_batch *batch;
	struct aedb_scope *dirs;
	struct aedb_txn *txn;
	int64_t before;
	uint64_t id;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	CHECK_OK(put_text(dirs, "old", ""));
	CHECK_OK(put_text(dirs, "gone", ""));
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, dirs, "new", ""));
	CHECK_OK(batch_put(batch, f.scope, "new/a", "1"));
	CHECK_OK(batch_touch(batch, dirs, "old"));
	CHECK_OK(batch_touch(batch, dirs, "gone"));
	CHECK_STR(diff_of(batch), "+/p/s/new/a +/p/s#/new");
	CHECK_OK(put_text(dirs, "new", ""));
	id = stat_of(dirs, "new").id;
	CHECK_OK(put_text(f.scope, "new/b", "2"));
	CHECK_OK(delete_text(dirs, "gone"));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_touch(txn, dirs, "old", 3));
	CHECK_OK(txn_end(txn));
	before = stat_of(dirs, "old").mtime_ns;
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(stat_of(dirs, "new").id, id);
	CHECK(stat_of(dirs, "new").mtime_ns > before);
	CHECK(stat_of(dirs, "old").mtime_ns > before);
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "new/a new/b");
	CHECK_STR(keys_of(dirs, NULL, AEDB_FORWARD), "new old");

	batch = batch_of(f.db);
	CHECK_OK(batch_delete(batch, dirs, "old"));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_touch(txn, dirs, "old", 3));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(set_attr(dirs, &(struct aedb_put){
		.key = "old", .key_bytes = 3, .attr = "m", .attr_bytes = 1 }));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "-/p/s#/old");
	aedb_batch_abort(batch);
	fixture_close(&f);
}

TEST(batch_expects, "what the layer above expects to be as in the base conflicts if it is not")
{
	static const struct aedb_range below = { .prefix = "d/",
						 .prefix_bytes = 2 };
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "o", "1"));
	CHECK_OK(put_text(f.scope, "r", "1"));
	CHECK_OK(put_text(f.scope, "d/1", "1"));
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "mine", "1"));
	CHECK_OK(aedb_batch_expect_same(batch, f.scope, "d", 1));
	CHECK_OK(aedb_batch_expect_object(batch, f.scope, "o", 1));
	CHECK_OK(aedb_batch_expect_object(batch, f.scope, "r", 1));
	CHECK_OK(aedb_batch_expect_range(batch, f.scope, &below));
	CHECK_OK(put_text(f.scope, "o", "2"));
	CHECK_OK(put_text(f.scope, "e/1", "2"));
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(put_text(f.scope, "d", "2"));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s/d");
	CHECK_OK(delete_text(f.scope, "d"));
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(delete_text(f.scope, "r"));
	CHECK_OK(put_text(f.scope, "r", "another"));
	CHECK_OK(put_text(f.scope, "d/2", "2"));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s/r ~/p/s/d/...");
	aedb_batch_expect_nothing(batch);
	CHECK_OK(aedb_batch_check(batch));
	aedb_batch_abort(batch);
	fixture_close(&f);
}

/* The next change of a list. */
static struct aedb_change change_next(struct aedb_batch_diff *diff)
{
	struct aedb_change change = { .id = 0 };

	CHECK_OK(aedb_batch_diff_next(diff, &change));
	return change;
}

TEST(batch_diff_details, "a list of changes tells values from attributes, and times if asked")
{
	struct fixture f;
	struct aedb_batch *batch;
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	struct aedb_put attr = { .key = "a", .key_bytes = 1, .value = "1",
				 .value_bytes = 1, .attr = "x", .attr_bytes = 1 };

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	CHECK_OK(put_text(f.scope, "b", "1"));
	CHECK_OK(put_text(f.scope, "c", "1"));
	CHECK_OK(put_text(aedb_scope_dirs(f.scope), "d", ""));
	batch = batch_of(f.db);
	CHECK_OK(batch_put_full(batch, f.scope, &attr));
	CHECK_OK(batch_put(batch, f.scope, "b", "2"));
	CHECK_OK(batch_move(batch, f.scope, "c", "e"));
	CHECK_OK(batch_touch(batch, aedb_scope_dirs(f.scope), "d"));
	CHECK_OK(aedb_batch_diff_open(batch, &diff));
	aedb_batch_diff_with_times(diff);
	change = change_next(diff);
	CHECK(change.kind == AEDB_CHANGED && !change.has_new_value);
	CHECK_EQ(change.base_id, change.id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_CHANGED && change.has_new_value);
	CHECK_EQ(change.base_id, change.id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_REMOVED && change.base_id == change.id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_ADDED && change.id && !change.base_id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_TOUCHED && change.of == AEDB_OF_DIRECTORY);
	CHECK_EQ(aedb_batch_diff_next(diff, &change), AEDB_NOT_FOUND);
	aedb_batch_diff_close(diff);
	aedb_batch_abort(batch);
	fixture_close(&f);
}

TEST(diff_without_replaced, "a list that does not ask what is replaced has all the same "
			    "changes, and what the batch made is added")
{
	struct aedb_batch_diff *diff;
	struct aedb_batch *batch;
	struct aedb_change change;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "kept", "1"));
	CHECK_OK(put_text(f.scope, "replaced", "1"));
	batch = batch_of(f.db);
	CHECK_OK(batch_put(batch, f.scope, "kept", "2"));
	CHECK_OK(batch_put(batch, f.scope, "made", "2"));
	CHECK_OK(batch_delete(batch, f.scope, "replaced"));
	CHECK_OK(batch_put(batch, f.scope, "replaced", "2"));
	CHECK_OK(batch_put(batch, f.scope, "temporary", "2"));
	CHECK_OK(batch_delete(batch, f.scope, "temporary"));
	CHECK_OK(aedb_batch_diff_open(batch, &diff));
	aedb_batch_diff_without_replaced(diff);
	change = change_next(diff);
	CHECK(change.kind == AEDB_CHANGED && change.base_id == change.id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_ADDED && change.id && !change.base_id);
	change = change_next(diff);
	CHECK(change.kind == AEDB_ADDED && change.id && !change.base_id);
	CHECK_EQ(change.key_bytes, strlen("replaced"));
	CHECK_EQ(aedb_batch_diff_next(diff, &change), AEDB_NOT_FOUND);
	aedb_batch_diff_close(diff);
	aedb_batch_abort(batch);
	fixture_close(&f);
}

TEST(batch_projects, "a scope needs its project, and a project that goes must have got no scope")
{
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "q", "n"));
	CHECK_OK(aedb_drop(f.db, place("q", NULL), AEDB_DROP_EMPTY));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/q");
	aedb_batch_abort(batch);

	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	batch = batch_of(f.db);
	CHECK_OK(batch_drop(batch, "q", NULL, AEDB_DROP_EMPTY));
	CHECK_OK(aedb_create(f.db, place("q", "n")));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "-/q/n");
	aedb_batch_abort(batch);

	/* a name that others gave what was there, and a dropped scope that is
	 * written */
	CHECK_OK(aedb_create(f.db, place("x", NULL)));
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "r", NULL));
	CHECK_OK(batch_put(batch, f.scope, "k", "v"));
	CHECK_OK(batch_put(batch, f.scope, "l", "v"));
	CHECK_OK(aedb_rename(f.db, place("x", NULL), place("r", NULL)));
	CHECK_OK(aedb_drop(f.db, place("p", "s"), AEDB_DROP_ALL));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "+/r ~/p/s");
	aedb_batch_abort(batch);
	fixture_close(&f);
}

TEST(batch_moves_project, "a scope may go to a new project under the name of its old one")
{
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct aedb_entry e;
	uint64_t id;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("p", NULL), &e));
	id = e.id;
	aedb_unpin(&e);
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "n", NULL));
	CHECK_OK(batch_rename(batch, place("p", "s"), place("n", "t")));
	CHECK_OK(batch_drop(batch, "p", NULL, AEDB_DROP_EMPTY));
	CHECK_OK(batch_rename(batch, place("n", NULL), place("p", NULL)));
	CHECK_OK(batch_create(batch, "p", "s"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("p", NULL), &e));
	CHECK(e.id != id);
	aedb_unpin(&e);
	CHECK_EQ(aedb_place_stat(f.db, NULL, place("n", NULL), &e),
		 AEDB_NOT_FOUND);
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &scope));
	CHECK(aedb_scope_id(scope) == aedb_scope_id(f.scope));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	aedb_scope_close(scope);
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &scope));
	CHECK(aedb_scope_id(scope) != aedb_scope_id(f.scope));
	aedb_scope_close(scope);
	fixture_reopen(&f);
	CHECK(!text_of(f.scope, NULL, "k"));
	fixture_close(&f);
}

TEST(batch_place_attr, "attributes of places are committed, also of the database itself")
{
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	struct aedb_entry e;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_place_attr(txn, place("p", "s"), "x", 1, NULL));
	CHECK_OK(aedb_txn_place_attr(txn, place(NULL, NULL), "y", 1, NULL));
	CHECK_OK(aedb_txn_place_touch(txn, place("p", NULL)));
	CHECK_OK(txn_end(txn));
	CHECK_OK(batch_rename(batch, place("p", "s"), place("p", "t")));
	CHECK_STR(diff_of(batch), "+ -/p/s +/p/t");
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_place_touch(txn, place("p", "s")));
	CHECK_OK(aedb_txn_place_touch(txn, place(NULL, NULL)));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("p", "t"), &e));
	CHECK_EQ(e.attr_bytes, 1);
	CHECK_MEM(e.attr, "x", 1);
	aedb_unpin(&e);
	CHECK_OK(aedb_place_stat(f.db, NULL, place(NULL, NULL), &e));
	CHECK_EQ(e.attr_bytes, 1);
	aedb_unpin(&e);
	fixture_close(&f);
}

TEST(batch_txn_reads, "a transaction in a batch reads the batch: it conflicts with others of it")
{
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	batch = batch_of(f.db);
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_read_point(txn, f.scope, "a", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "b", "1"));
	CHECK_OK(put_text(f.scope, "a", "live"));
	CHECK_OK(txn_end(txn));
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_read_point(txn, f.scope, "b", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "c", "1"));
	CHECK_OK(batch_put(batch, f.scope, "b", "2"));
	CHECK_EQ(txn_end(txn), AEDB_CONFLICT);
	/* one that fails leaves nothing behind */
	txn = txn_in(batch);
	CHECK_OK(txn_put_text(txn, f.scope, "c", "1"));
	CHECK_OK(aedb_txn_delete(txn, f.scope, "none", 4));
	CHECK_EQ(txn_end(txn), AEDB_NOT_FOUND);
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_FORWARD),
		  "a b");
	aedb_batch_abort(batch);
	fixture_close(&f);
}

TEST(batch_scan_stays, "a scan of a view shows one state, whatever the batch does meanwhile")
{
	static const struct aedb_range all;
	struct aedb_batch *batch;
	struct aedb_entry e;
	struct aedb_scan *scan, *fresh;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	CHECK_OK(put_text(f.scope, "c", "1"));
	batch = batch_of(f.db);
	CHECK_OK(aedb_scan_open(f.scope, aedb_batch_view(batch), &all, &fresh));
	CHECK_OK(batch_put(batch, f.scope, "b", "1"));
	CHECK_OK(aedb_scan_open(f.scope, aedb_batch_view(batch), &all, &scan));
	CHECK_OK(batch_delete(batch, f.scope, "b"));
	CHECK_OK(batch_delete(batch, f.scope, "c"));
	CHECK_OK(batch_put(batch, f.scope, "b", "new"));
	CHECK_OK(batch_put(batch, f.scope, "d", "1"));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(aedb_scan_next(scan, &e));
		CHECK_MEM(e.key, "abc" + i, 1);
		CHECK_EQ(e.value_bytes, 1);
	}
	CHECK_EQ(aedb_scan_next(scan, &e), AEDB_NOT_FOUND);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(aedb_scan_next(fresh, &e));
		CHECK_MEM(e.key, i ? "c" : "a", 1);
	}
	CHECK_EQ(aedb_scan_next(fresh, &e), AEDB_NOT_FOUND);
	aedb_scan_close(scan);
	aedb_scan_close(fresh);
	CHECK_STR(keys_of(f.scope, aedb_batch_view(batch), AEDB_FORWARD),
		  "a b d");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "a b d");
	fixture_close(&f);
}

TEST(batch_limits, "limits are named: open batches, changes, bytes, memory")
{
	struct aedb_batch *batch, *second;
	char key[16], value[1000] = { 0 };
	struct fixture f;
	int rc = 0;

	fixture_init(&f);
	f.options.batches_max = 1;
	f.options.txn_ops_max = 4;
	f.options.txn_bytes_max = 64 << 10;
	f.options.inline_bytes_max = 65536;
	fixture_start(&f);
	batch = batch_of(f.db);
	CHECK_EQ(aedb_batch_begin(f.db, &second), AEDB_NO_SPACE);
	CHECK(strstr(aedb_error_message(), "batches_max"));
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(batch_put(batch, f.scope, key, "v"));
	}
	CHECK_EQ(batch_put(batch, f.scope, "4", "v"), AEDB_TOO_LARGE);
	CHECK(strstr(aedb_error_message(), "txn_ops_max"));
	CHECK_OK(batch_put(batch, f.scope, "3", "another"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "0 1 2 3");
	fixture_close(&f);

	fixture_init(&f);
	f.options.txn_bytes_max = 64 << 10;
	fixture_start(&f);
	batch = batch_of(f.db);
	for (int i = 0; i < 100 && rc == 0; i++) {
		snprintf(key, sizeof(key), "%d", i);
		rc = batch_put_full(batch, f.scope, &(struct aedb_put){
			.key = key, .key_bytes = strlen(key), .value = value,
			.value_bytes = sizeof(value) });
	}
	CHECK_EQ(rc, AEDB_TOO_LARGE);
	CHECK(strstr(aedb_error_message(), "txn_bytes_max"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	fixture_close(&f);
}

TEST(batch_memory, "memory of batches is bounded and given back, others commit beside it")
{
	uint64_t before;
	struct aedb_batch *batch;
	struct aedb_stats stats;
	struct aedb_batch_info info;
	char key[32], value[500] = { 0 };
	struct fixture f;
	int rc = 0, n = 0;

	fixture_init(&f);
	f.options.memory_bytes = 4 << 20;
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	before = memory_of(f.db);
	batch = batch_of(f.db);
	while (rc == 0) {
		snprintf(key, sizeof(key), "%d", n++);
		rc = batch_put_full(batch, f.scope, &(struct aedb_put){
			.key = key, .key_bytes = strlen(key), .value = value,
			.value_bytes = sizeof(value) });
	}
	CHECK_EQ(rc, AEDB_NO_SPACE);
	CHECK(strstr(aedb_error_message(), "memory"));
	CHECK(n > 1000);
	aedb_stats(f.db, &stats);
	aedb_batch_info(batch, &info);
	CHECK_EQ(stats.batches, 1);
	CHECK_EQ(stats.batch_bytes, info.memory_bytes);
	CHECK(stats.batch_bytes <= (4 << 20) / 8 * 3 + (256 << 10));
	/* room is made by deleting, and nobody else is in need of it */
	CHECK_OK(batch_delete(batch, f.scope, "1"));
	for (int i = 0; i < 4000; i++) {
		snprintf(key, sizeof(key), "live%d", i);
		CHECK_OK(aedb_put(f.scope, key, strlen(key), value,
				  sizeof(value)));
	}
	aedb_stats(f.db, &stats);
	CHECK(stats.memtable_bytes + stats.batch_bytes <= (4 << 20) / 2 +
							  (256 << 10));
	aedb_batch_abort(batch);
	CHECK_OK(aedb_compact(f.db));
	CHECK(memory_of(f.db) < before + (2 << 20));
	aedb_stats(f.db, &stats);
	CHECK_EQ(stats.batches, 0);
	CHECK_EQ(stats.batch_bytes, 0);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
