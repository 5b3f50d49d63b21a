/*
 * Read sets through the public calls: what conflicts, with what, and what does
 * not.
 */
#include "db_fixture.h"

/* A transaction that has read something and will write "out". */
static struct aedb_txn *reading(struct fixture *f, const char *point)
{
	struct aedb_txn *txn = txn_of(f->db);

	CHECK_OK(aedb_txn_read_point(txn, f->scope, point, strlen(point)));
	CHECK_OK(txn_put_text(txn, f->scope, "out", "v"));
	return txn;
}

static struct aedb_txn *reading_range(struct fixture *f, const char *from,
				      const char *to)
{
	struct aedb_txn *txn = txn_of(f->db);
	struct aedb_range range = { .from = from, .from_bytes = strlen(from),
				    .to = to, .to_bytes = to ? strlen(to) : 0 };

	CHECK_OK(aedb_txn_read_range(txn, f->scope, &range));
	CHECK_OK(txn_put_text(txn, f->scope, "out", "v"));
	return txn;
}

static void conflicts_with(struct fixture *f, struct aedb_txn *txn,
			   const char *key)
{
	struct aedb_conflict conflict;

	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	CHECK_OK(aedb_txn_conflict(txn, 0, &conflict));
	CHECK_EQ(conflict.scope_id, aedb_scope_id(f->scope));
	CHECK_EQ(conflict.key_bytes, strlen(key));
	CHECK_MEM(conflict.key, key, strlen(key));
	CHECK_EQ(conflict.seq, aedb_visible_seq(f->db));
	CHECK_EQ(aedb_txn_conflict(txn, 1, &conflict), AEDB_NOT_FOUND);
	aedb_txn_abort(txn);
}

TEST(points, "a point conflicts when its key was written after the base")
{
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "1"));
	txn = reading(&f, "k");
	CHECK_OK(put_text(f.scope, "other", "x"));
	CHECK_OK(txn_end(txn));
	txn = reading(&f, "k");
	CHECK_OK(put_text(f.scope, "k", "2"));
	conflicts_with(&f, txn, "k");
	txn = reading(&f, "k");
	CHECK_OK(set_attr(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .attr = "a", .attr_bytes = 1 }));
	conflicts_with(&f, txn, "k");
	txn = reading(&f, "k");
	CHECK_OK(delete_text(f.scope, "k"));
	conflicts_with(&f, txn, "k");
	txn = reading(&f, "k");		/* absent now */
	CHECK_OK(txn_end(txn));
	txn = reading(&f, "k");
	CHECK_OK(put_text(f.scope, "k", "3"));
	conflicts_with(&f, txn, "k");
	txn = reading(&f, "k");
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_OK(put_text(f.scope, "k", "3"));
	conflicts_with(&f, txn, "k");
	CHECK_OK(delete_text(f.scope, "k"));
	txn = reading(&f, "k");		/* made and gone meanwhile */
	CHECK_OK(put_text(f.scope, "k", "4"));
	CHECK_OK(delete_text(f.scope, "k"));
	conflicts_with(&f, txn, "k");
	fixture_close(&f);
}

TEST(ranges, "a range conflicts when anything below its upper bound was written")
{
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "b1", "1"));
	txn = reading_range(&f, "b", "c");
	CHECK_OK(put_text(f.scope, "c", "x"));
	CHECK_OK(put_text(f.scope, "az", "x"));
	CHECK_OK(txn_end(txn));
	txn = reading_range(&f, "b", "c");
	CHECK_OK(put_text(f.scope, "b", "x"));
	conflicts_with(&f, txn, "b");
	txn = reading_range(&f, "b", "c");
	CHECK_OK(put_text(f.scope, "b9", "phantom"));
	conflicts_with(&f, txn, "b");
	txn = reading_range(&f, "b", "c");
	CHECK_OK(delete_text(f.scope, "b1"));
	conflicts_with(&f, txn, "b");
	txn = reading_range(&f, "c", "b");	/* empty */
	CHECK_OK(put_text(f.scope, "b5", "x"));
	CHECK_OK(txn_end(txn));
	txn = reading_range(&f, "", NULL);
	CHECK_OK(put_text(f.scope, "zz", "x"));
	conflicts_with(&f, txn, "");
	fixture_close(&f);
}

TEST(base, "the base is a snapshot's number when set, so what came after it conflicts")
{
	struct aedb_snapshot *snapshot;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "1"));
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	txn = reading(&f, "k");
	aedb_txn_set_base(txn, aedb_snapshot_seq(snapshot));
	CHECK_OK(txn_end(txn));
	CHECK_OK(put_text(f.scope, "k", "2"));
	txn = reading(&f, "k");
	CHECK_OK(txn_end(txn));
	CHECK_OK(put_text(f.scope, "k", "3"));
	txn = reading(&f, "k");
	aedb_txn_set_base(txn, aedb_snapshot_seq(snapshot));
	conflicts_with(&f, txn, "k");
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

TEST(own_reads, "a transaction has no conflict with itself, and can be tried again")
{
	struct aedb_conflict conflict;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "out", "0"));
	CHECK_OK(txn_end(reading(&f, "out")));
	txn = reading(&f, "k");
	CHECK_OK(put_text(f.scope, "k", "1"));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	CHECK_OK(aedb_txn_conflict(txn, 0, &conflict));
	aedb_txn_set_base(txn, aedb_visible_seq(f.db));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(f.scope, NULL, "out"), "v");
	fixture_close(&f);
}

TEST(too_old, "where a deletion may be forgotten, a base from before it conflicts")
{
	struct aedb_conflict conflict;
	struct aedb_txn *txns[3];
	struct fixture f;
	char key[16];

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(put_text(f.scope, "kept", "v"));
	txns[0] = reading(&f, "absent");
	txns[1] = reading_range(&f, "x", "y");
	txns[2] = reading(&f, "kept");
	for (int i = 0; i < 3 * MEM_TOMBSTONES_KEPT; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(put_text(f.scope, key, "v"));
		CHECK_OK(delete_text(f.scope, key));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(aedb_txn_commit(txns[i], NULL), AEDB_CONFLICT);
		CHECK_OK(aedb_txn_conflict(txns[i], 0, &conflict));
		CHECK_EQ(conflict.seq, 0);
		aedb_txn_abort(txns[i]);
	}
	CHECK_OK(txn_end(txns[2]));
	fixture_close(&f);
}

TEST(dropped_scope, "what was read in a scope conflicts when the scope is dropped")
{
	struct aedb_scope *other;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &other));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_read_point(txn, other, "k", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "out", "v"));
	CHECK_OK(aedb_drop(f.db, place("p", "t"), AEDB_DROP_EMPTY));
	CHECK_EQ(txn_end(txn), AEDB_CONFLICT);
	aedb_scope_close(other);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
