/*
 * Projects and scopes through the public calls: names, making, dropping,
 * renaming, handles.
 */
#include "db_fixture.h"

static const char *next_name(struct aedb *db,
			     const struct aedb_snapshot *snapshot,
			     const char *project, const char *after)
{
	static char name[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_entry entry;
	int rc = aedb_place_next(db, snapshot, project, after, &entry);

	if (rc == AEDB_NOT_FOUND)
		return NULL;
	CHECK_OK(rc);
	memcpy(name, entry.key, entry.key_bytes);
	name[entry.key_bytes] = 0;
	aedb_unpin(&entry);
	return name;
}

static struct aedb_entry place_of(struct aedb *db, struct aedb_place at)
{
	struct aedb_entry entry;

	CHECK_OK(aedb_place_stat(db, NULL, at, &entry));
	aedb_unpin(&entry);
	return entry;
}

static int place_code(struct aedb *db, struct aedb_place at)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(db, NULL, at, &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	return rc;
}

TEST(names, "names of 1 to 128 letters, digits, _ and - are taken, all others refused")
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "ä",
					   "a.b", "a\n", "\x7f", ".aedb" };
	char longest[AEDB_NAME_BYTES_MAX + 2];
	struct fixture f;

	fixture_open(&f);
	memset(longest, 'x', sizeof(longest));
	longest[AEDB_NAME_BYTES_MAX + 1] = 0;
	CHECK_FAILS(aedb_create(f.db, place(longest, NULL)), AEDB_NAME_TOO_LONG,
		    "129");
	CHECK_EQ(aedb_create(f.db, place("p", longest)), AEDB_NAME_TOO_LONG);
	longest[AEDB_NAME_BYTES_MAX] = 0;
	CHECK_OK(aedb_create(f.db, place(longest, NULL)));
	CHECK_OK(aedb_create(f.db, place(longest, longest)));
	CHECK_STR(next_name(f.db, NULL, longest, ""), longest);
	CHECK(!next_name(f.db, NULL, longest, longest));
	CHECK_OK(aedb_create(f.db, place("AZaz09_-", NULL)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(aedb_create(f.db, place(bad[i], NULL)), AEDB_INVALID);
		CHECK_EQ(aedb_create(f.db, place("p", bad[i])), AEDB_INVALID);
		CHECK_EQ(aedb_rename(f.db, place("p", "s"), place("p", bad[i])),
			 AEDB_INVALID);
	}
	CHECK_EQ(aedb_create(f.db, place(NULL, "s")), AEDB_INVALID);
	CHECK_EQ(aedb_create(f.db, place(NULL, NULL)), AEDB_INVALID);
	CHECK_EQ(aedb_drop(f.db, place(NULL, NULL), AEDB_DROP_ALL), AEDB_INVALID);
	CHECK_EQ(aedb_rename(f.db, place("p", NULL), place("q", "s")),
		 AEDB_INVALID);
	fixture_close(&f);
}

TEST(create, "a place is made once, in a project that is there")
{
	struct aedb_scope *scope;
	struct fixture f;

	fixture_open(&f);
	CHECK_FAILS(aedb_create(f.db, place("p", "s")), AEDB_EXISTS, "p/s");
	CHECK_FAILS(aedb_create(f.db, place("p", NULL)), AEDB_EXISTS, "p");
	CHECK_FAILS(aedb_create(f.db, place("q", "s")), AEDB_NOT_FOUND, "q");
	CHECK_EQ(aedb_scope_open(f.db, "q", "s", &scope), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_scope_open(f.db, "p", "t", &scope), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_scope_open(f.db, "p", NULL, &scope), AEDB_INVALID);
	CHECK_EQ(place_code(f.db, place("p", "t")), AEDB_NOT_FOUND);
	CHECK_EQ(place_code(f.db, place("", NULL)), AEDB_INVALID);
	fixture_close(&f);
}

TEST(listing, "names come in byte order, of a snapshot as they were then")
{
	struct aedb_snapshot *before;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "b")));
	CHECK_OK(aedb_create(f.db, place("p", "-")));
	CHECK_OK(aedb_create(f.db, place("a", NULL)));
	CHECK_OK(aedb_snapshot_open(f.db, &before));
	CHECK_OK(aedb_drop(f.db, place("p", "b"), AEDB_DROP_EMPTY));
	CHECK_OK(aedb_create(f.db, place("Z", NULL)));
	CHECK_STR(next_name(f.db, NULL, NULL, ""), "Z");
	CHECK_STR(next_name(f.db, NULL, NULL, "Z"), "a");
	CHECK_STR(next_name(f.db, NULL, NULL, "a"), "p");
	CHECK(!next_name(f.db, NULL, NULL, "p"));
	CHECK_STR(next_name(f.db, before, NULL, ""), "a");
	CHECK_STR(next_name(f.db, NULL, "p", ""), "-");
	CHECK_STR(next_name(f.db, NULL, "p", "-"), "s");
	CHECK_STR(next_name(f.db, before, "p", "-"), "b");
	CHECK(!next_name(f.db, NULL, "p", "s"));
	CHECK(!next_name(f.db, NULL, "a", ""));
	CHECK(!next_name(f.db, NULL, "q", ""));
	CHECK(!next_name(f.db, NULL, "", ""));
	CHECK(!next_name(f.db, before, "Z", ""));
	aedb_snapshot_close(before);
	fixture_close(&f);
}

TEST(rename_scope, "a renamed scope keeps id, keys and handles, in another project too")
{
	struct aedb_scope *again;
	struct fixture f;
	uint64_t id;

	fixture_open(&f);
	id = aedb_scope_id(f.scope);
	CHECK_EQ(place_of(f.db, place("p", "s")).id, id);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_OK(aedb_rename(f.db, place("p", "s"), place("q", "t")));
	CHECK_EQ(place_code(f.db, place("p", "s")), AEDB_NOT_FOUND);
	CHECK_EQ(place_of(f.db, place("q", "t")).id, id);
	CHECK_OK(put_text(f.scope, "k2", "v2"));
	CHECK_OK(aedb_scope_open(f.db, "q", "t", &again));
	CHECK_EQ(aedb_scope_id(again), id);
	CHECK_STR(text_of(again, NULL, "k2"), "v2");
	CHECK_FAILS(aedb_rename(f.db, place("q", "t"), place("r", "t")),
		    AEDB_NOT_FOUND, "r");
	CHECK_OK(aedb_create(f.db, place("q", "u")));
	CHECK_EQ(aedb_rename(f.db, place("q", "t"), place("q", "u")), AEDB_EXISTS);
	CHECK_EQ(aedb_rename(f.db, place("q", "x"), place("q", "y")),
		 AEDB_NOT_FOUND);
	aedb_scope_close(again);
	CHECK_OK(aedb_rename(f.db, place("q", "t"), place("p", "s")));
	fixture_reopen(&f);
	CHECK_STR(text_of(f.scope, NULL, "k"), "v");
	CHECK_EQ(aedb_scope_id(f.scope), id);
	fixture_close(&f);
}

TEST(rename_project, "a renamed project takes its scopes along, in one record")
{
	struct aedb_stats before, after;
	struct fixture f;
	char key[16];

	fixture_open(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(put_text(f.scope, key, "v"));
	}
	CHECK_OK(aedb_create(f.db, place("q", NULL)));
	CHECK_EQ(aedb_rename(f.db, place("p", NULL), place("q", NULL)),
		 AEDB_EXISTS);
	aedb_stats(f.db, &before);
	CHECK_OK(aedb_rename(f.db, place("p", NULL), place("r", NULL)));
	aedb_stats(f.db, &after);
	CHECK(after.wal_bytes - before.wal_bytes < 1000);
	CHECK_EQ(place_code(f.db, place("p", "s")), AEDB_NOT_FOUND);
	CHECK_EQ(place_of(f.db, place("r", "s")).id, aedb_scope_id(f.scope));
	CHECK_STR(text_of(f.scope, NULL, "999"), "v");
	fixture_close(&f);
}

TEST(drop, "a scope is dropped empty or with its keys, a project empty")
{
	struct aedb_scope *dirs, *kept;
	struct aedb_stats stats;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_FAILS(aedb_drop(f.db, place("p", "s"), AEDB_DROP_EMPTY),
		    AEDB_NOT_EMPTY, "p/s");
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_OK(put_text(dirs, "d", ""));
	CHECK_EQ(aedb_drop(f.db, place("p", "s"), AEDB_DROP_EMPTY),
		 AEDB_NOT_EMPTY);
	CHECK_OK(delete_text(dirs, "d"));
	CHECK_OK(put_text(dirs, "", ""));	/* its own record */
	CHECK_FAILS(aedb_drop(f.db, place("p", NULL), AEDB_DROP_ALL),
		    AEDB_NOT_EMPTY, "p");
	CHECK_OK(aedb_drop(f.db, place("p", "s"), AEDB_DROP_EMPTY));
	CHECK_EQ(aedb_drop(f.db, place("p", "s"), AEDB_DROP_ALL), AEDB_NOT_FOUND);

	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &kept));
	CHECK_OK(put_text(kept, "k", "v"));
	CHECK_OK(aedb_drop(f.db, place("p", "t"), AEDB_DROP_ALL));
	aedb_stats(f.db, &stats);
	CHECK_EQ(stats.keys, 0);
	CHECK_OK(aedb_drop(f.db, place("p", NULL), AEDB_DROP_EMPTY));
	CHECK(!next_name(f.db, NULL, NULL, ""));
	CHECK_EQ(aedb_drop(f.db, place("p", NULL), AEDB_DROP_EMPTY),
		 AEDB_NOT_FOUND);
	aedb_scope_close(kept);
	fixture_close(&f);
}

TEST(dropped_handle, "a dropped scope is not found, but in a snapshot from before")
{
	struct aedb_range all = { 0 };
	struct aedb_snapshot *before;
	struct aedb_reader *reader;
	struct aedb_entry entry;
	struct aedb_scope *again;
	struct aedb_scan *scan;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(aedb_snapshot_open(f.db, &before));
	CHECK_OK(aedb_drop(f.db, place("p", "s"), AEDB_DROP_ALL));
	CHECK_FAILS(put_text(f.scope, "k", "w"), AEDB_NOT_FOUND, "scope");
	CHECK_EQ(delete_text(f.scope, "k"), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_move(f.scope, "k", 1, f.scope, "l", 1), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_get(f.scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_stat(f.scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_scan_open(f.scope, NULL, &all, &scan), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_reader_open(f.scope, NULL, "k", 1, &reader),
		 AEDB_NOT_FOUND);
	CHECK_STR(text_of(f.scope, before, "k"), "v");
	CHECK_OK(aedb_create(f.db, place("p", "s")));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &again));
	CHECK(aedb_scope_id(again) != aedb_scope_id(f.scope));
	CHECK(!text_of(again, NULL, "k"));
	CHECK_EQ(put_text(f.scope, "k", "w"), AEDB_NOT_FOUND);
	aedb_scope_close(again);
	aedb_snapshot_close(before);
	fixture_close(&f);
}

TEST(dropped_memory, "what a dropped scope held is given back when nobody can see it")
{
	struct aedb_snapshot *snapshot;
	struct aedb_scope *scope;
	struct fixture f;
	uint64_t before;
	char key[16];

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(put_text(f.scope, "k", "v"));
	before = memory_of(f.db);
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &scope));
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		CHECK_OK(put_text(scope, key, "a value of some bytes"));
	}
	CHECK(memory_of(f.db) > before + (1 << 20));
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	CHECK_OK(aedb_drop(f.db, place("p", "t"), AEDB_DROP_ALL));
	aedb_scope_close(scope);
	CHECK(memory_of(f.db) > before + (1 << 20));
	aedb_snapshot_close(snapshot);
	/* bit by bit, so that no commit waits for all of it */
	for (int i = 0; i < 2000 && memory_of(f.db) > before + (512 << 10); i++)
		CHECK_OK(put_text(f.scope, "k", "w"));
	CHECK_THAT(memory_of(f.db) < before + (512 << 10),
		   "%" PRIu64 " bytes, %" PRIu64 " before", memory_of(f.db),
		   before);
	fixture_close(&f);
}

TEST(in_txn, "a transaction makes a project, a scope in it and its keys, or nothing of it")
{
	struct aedb_scope *scope, *opened;
	struct fixture f;
	uint64_t id = 0;

	fixture_open(&f);
	for (int attempt = 0; attempt < 2; attempt++) {
		struct aedb_txn *txn = txn_of(f.db);

		CHECK_OK(aedb_txn_create(txn, place("q", NULL), "note", 4, NULL));
		CHECK_OK(aedb_txn_create(txn, place("q", "t"), NULL, 0, &scope));
		CHECK_OK(txn_put_text(txn, scope, "k", "v"));
		CHECK_OK(txn_put_text(txn, aedb_scope_dirs(scope), "", "d"));
		CHECK_EQ(aedb_txn_create(txn, place("q", NULL), NULL, 0, &opened),
			 AEDB_INVALID);
		if (attempt == 0)
			CHECK_OK(aedb_txn_delete(txn, f.scope, "absent", 6));
		id = aedb_scope_id(scope);
		CHECK_EQ(aedb_txn_commit(txn, NULL),
			 attempt ? 0 : AEDB_NOT_FOUND);
		if (attempt == 0) {
			aedb_txn_abort(txn);
			CHECK_EQ(place_code(f.db, place("q", NULL)),
				 AEDB_NOT_FOUND);
			CHECK_EQ(put_text(scope, "k", "v"), AEDB_NOT_FOUND);
		} else {
			CHECK_STR(text_of(scope, NULL, "k"), "v");
		}
		aedb_scope_close(scope);
	}
	fixture_reopen(&f);
	CHECK_OK(aedb_scope_open(f.db, "q", "t", &opened));
	CHECK_EQ(aedb_scope_id(opened), id);
	CHECK_STR(text_of(opened, NULL, "k"), "v");
	CHECK_STR(text_of(aedb_scope_dirs(opened), NULL, ""), "d");
	aedb_scope_close(opened);
	fixture_close(&f);
}

TEST(undo, "a failing transaction takes back every catalog operation")
{
	struct aedb_snapshot *snapshot;
	struct aedb_entry before, after;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(put_text(f.scope, "k", "v"));
	before = place_of(f.db, place("p", "s"));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_drop(txn, place("p", "t"), AEDB_DROP_EMPTY));
	CHECK_OK(aedb_txn_rename(txn, place("p", "s"), place("p", "t")));
	CHECK_OK(aedb_txn_drop(txn, place("p", "t"), AEDB_DROP_ALL));
	CHECK_OK(aedb_txn_rename(txn, place("p", NULL), place("q", NULL)));
	CHECK_OK(aedb_txn_place_attr(txn, place("q", NULL), "x", 1, NULL));
	CHECK_OK(aedb_txn_place_touch(txn, place(NULL, NULL)));
	CHECK_OK(aedb_txn_create(txn, place("q", "s"), NULL, 0, NULL));
	CHECK_OK(aedb_txn_drop(txn, place("absent", NULL), AEDB_DROP_ALL));
	CHECK_FAILS(aedb_txn_commit(txn, NULL), AEDB_NOT_FOUND, "absent");
	aedb_txn_abort(txn);
	after = place_of(f.db, place("p", "s"));
	CHECK_EQ(after.id, before.id);
	CHECK_EQ(after.version, before.version);
	CHECK_EQ(place_code(f.db, place("q", NULL)), AEDB_NOT_FOUND);
	CHECK_OK(put_text(f.scope, "k", "w"));
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	CHECK_STR(text_of(f.scope, snapshot, "k"), "w");
	aedb_snapshot_close(snapshot);
	fixture_reopen(&f);
	CHECK_STR(text_of(f.scope, NULL, "k"), "w");
	fixture_close(&f);
}

TEST(attr, "attributes and times of places, the database's own among them, are kept")
{
	static const struct aedb_place places[] = { { NULL, NULL }, { "p", NULL },
						    { "p", "s" } };
	const int64_t mtime = 1234567890123456789;
	struct aedb_entry entry, touched;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_EQ(place_of(f.db, places[0]).id, 1);
	CHECK(place_of(f.db, places[0]).time_ns > 0);
	for (size_t i = 0; i < 3; i++) {
		txn = txn_of(f.db);
		CHECK_OK(aedb_txn_place_attr(txn, places[i], "note", 4, &mtime));
		CHECK_OK(aedb_txn_commit(txn, NULL));
	}
	fixture_reopen(&f);
	for (size_t i = 0; i < 3; i++) {
		uint64_t id = place_of(f.db, places[i]).id;

		CHECK_OK(aedb_place_stat(f.db, NULL, places[i], &entry));
		CHECK_EQ(entry.attr_bytes, 4);
		CHECK_MEM(entry.attr, "note", 4);
		CHECK_EQ(entry.mtime_ns, mtime);
		aedb_unpin(&entry);
		txn = txn_of(f.db);
		CHECK_OK(aedb_txn_place_touch(txn, places[i]));
		CHECK_OK(aedb_txn_commit(txn, NULL));
		touched = place_of(f.db, places[i]);
		CHECK_EQ(touched.id, id);
		CHECK_EQ(touched.mtime_ns, touched.time_ns);
		CHECK_EQ(touched.attr_bytes, 4);
	}
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_place_touch(txn, place("absent", NULL)));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_NOT_FOUND);
	aedb_txn_abort(txn);
	fixture_close(&f);
}

TEST(pinned_name, "the name in a place's entry stays when the argument goes")
{
	char name[] = "p";
	struct aedb_entry entry;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_place_stat(f.db, NULL, place(name, NULL), &entry));
	name[0] = 'x';
	CHECK_EQ(entry.key_bytes, 1);
	CHECK_MEM(entry.key, "p", 1);
	aedb_unpin(&entry);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
