/* Attributes that both sides changed, settled by who knows what they mean. */
#include "batch_fixture.h"

static void record_attr(struct aedb_batch *batch, struct aedb_scope *dirs,
			const char *key, const char *attr)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_set_attr(txn, dirs, &(struct aedb_put){
		.key = key, .key_bytes = strlen(key), .attr = attr,
		.attr_bytes = strlen(attr) }));
	CHECK_OK(txn_end(txn));
}

static void live_attr(struct aedb_scope *dirs, const char *key, const char *attr)
{
	CHECK_OK(set_attr(dirs, &(struct aedb_put){
		.key = key, .key_bytes = strlen(key), .attr = attr,
		.attr_bytes = strlen(attr) }));
}

static bool attr_is(struct aedb_scope *dirs, const char *key, const char *attr)
{
	struct aedb_entry e;
	bool is_same;

	CHECK_OK(aedb_stat(dirs, NULL, key, strlen(key), &e));
	is_same = e.attr_bytes == strlen(attr) &&
		  (!e.attr_bytes || memcmp(e.attr, attr, e.attr_bytes) == 0);
	aedb_unpin(&e);
	return is_same;
}

static void settle(struct aedb_batch *batch, const struct aedb_entry *now,
		   enum aedb_settled_as as, const char *attr)
{
	CHECK_OK(aedb_batch_settle(batch, &(struct aedb_settled){
		.id = now->id, .version = now->version, .as = as,
		.attr = attr, .attr_bytes = attr ? strlen(attr) : 0 }));
}

static void settle_record(struct aedb_batch *batch, struct aedb_scope *dirs,
			  const char *key, enum aedb_settled_as as,
			  const char *attr)
{
	struct aedb_entry now = stat_of(dirs, key);

	settle(batch, &now, as, attr);
}

TEST(settles, "settled attributes of records do not conflict: the batch's, merged or left")
{
	struct aedb_batch *batch;
	struct aedb_scope *dirs;
	struct aedb_entry gone;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	CHECK_OK(put_text(dirs, "own", ""));
	CHECK_OK(put_text(dirs, "merged", ""));
	CHECK_OK(put_text(dirs, "none", ""));
	CHECK_OK(put_text(dirs, "removed", ""));
	batch = batch_of(f.db);
	record_attr(batch, dirs, "own", "1");
	record_attr(batch, dirs, "merged", "1");
	record_attr(batch, dirs, "none", "1");
	CHECK_OK(batch_delete(batch, dirs, "removed"));
	gone = stat_of(dirs, "none");
	live_attr(dirs, "own", "2");
	live_attr(dirs, "merged", "2");
	live_attr(dirs, "removed", "2");
	CHECK_OK(delete_text(dirs, "none"));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s#/merged ~/p/s#/none ~/p/s#/own "
				       "-/p/s#/removed");
	settle_record(batch, dirs, "removed", AEDB_SETTLED_OWN, NULL);
	settle_record(batch, dirs, "own", AEDB_SETTLED_OWN, NULL);
	settle_record(batch, dirs, "merged", AEDB_SETTLED_MERGED, "12");
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s#/none");
	settle(batch, &(struct aedb_entry){ .id = gone.id }, AEDB_SETTLED_NONE,
	       NULL);
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK(attr_is(dirs, "own", "1"));
	CHECK(attr_is(dirs, "merged", "12"));
	CHECK_STR(keys_of(dirs, NULL, AEDB_FORWARD), "merged own");
	fixture_close(&f);
}

TEST(settles_versions, "what others change after it was settled conflicts, as what is forgotten")
{
	struct aedb_batch *batch;
	struct aedb_scope *dirs;
	struct aedb_entry now;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	CHECK_OK(put_text(dirs, "d", ""));
	batch = batch_of(f.db);
	record_attr(batch, dirs, "d", "1");
	live_attr(dirs, "d", "2");
	now = stat_of(dirs, "d");
	settle(batch, &now, AEDB_SETTLED_OWN, NULL);
	CHECK_OK(aedb_batch_check(batch));
	aedb_batch_expect_nothing(batch);
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	settle(batch, &now, AEDB_SETTLED_OWN, NULL);
	live_attr(dirs, "d", "3");
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK(attr_is(dirs, "d", "3"));
	aedb_batch_abort(batch);
	fixture_close(&f);
}

static void places_attr(struct aedb_txn *txn, const char *attr)
{
	CHECK_OK(aedb_txn_place_attr(txn, place("p", NULL), attr, 1, NULL));
	CHECK_OK(aedb_txn_place_attr(txn, place("p", "s"), attr, 1, NULL));
	CHECK_OK(txn_end(txn));
}

static bool place_attr_is(struct aedb *db, struct aedb_place at,
			  const char *attr, struct aedb_entry *ret)
{
	bool is_same;

	CHECK_OK(aedb_place_stat(db, NULL, at, ret));
	is_same = ret->attr_bytes == strlen(attr) &&
		  memcmp(ret->attr, attr, ret->attr_bytes) == 0;
	aedb_unpin(ret);
	return is_same;
}

TEST(settles_places, "so it is with projects and scopes")
{
	struct aedb_entry project, scope;
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	places_attr(txn_in(batch), "1");
	places_attr(txn_of(f.db), "2");
	CHECK(place_attr_is(f.db, place("p", NULL), "2", &project));
	CHECK(place_attr_is(f.db, place("p", "s"), "2", &scope));
	settle(batch, &project, AEDB_SETTLED_MERGED, "3");
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_STR(conflicts_of(batch), "~/p/s");
	settle(batch, &scope, AEDB_SETTLED_NONE, NULL);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK(place_attr_is(f.db, place("p", NULL), "3", &project));
	CHECK(place_attr_is(f.db, place("p", "s"), "2", &scope));
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
