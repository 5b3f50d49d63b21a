/*
 * Tables as they were: in the feed of commits, and in kept history.
 */
#include "../users.h"
#include "aedb_feed.h"
#include "db_fixture.h"

#define COMMITS 12

static struct aedb_table *begin(struct fixture *f)
{
	struct aedb_table *table;

	fixture_init(f);
	f->options.history_s = 3600;
	f->options.history_bytes = 1 << 20;
	fixture_start(f);
	CHECK_OK(users_create(f->scope, "users"));
	CHECK_OK(aedb_table_open(f->scope, "users", &table));
	return table;
}

/* What the feed tells of tables from a number on: kind, "*" for a row, the names. */
static void feed_text(struct aedb *db, aedb_seq_t from, char text[512])
{
	static const char *const kinds[] = {
		[AEDB_FEED_PUT] = "put", [AEDB_FEED_DELETE] = "delete",
		[AEDB_FEED_CREATE] = "create", [AEDB_FEED_DROP] = "drop",
		[AEDB_FEED_RENAME] = "rename",
	};
	struct aedb_feed_change change;
	struct aedb_feed *feed;
	char *at = text;
	int rc;

	CHECK_OK(aedb_feed_open(db, from, &feed));
	*at = 0;
	while ((rc = aedb_feed_next(feed, &change)) == 0) {
		CHECK(change.of == AEDB_OF_TABLE || change.of == AEDB_OF_ROW);
		CHECK(change.kind < sizeof(kinds) / sizeof(*kinds) &&
		      kinds[change.kind]);
		at += sprintf(at, "%s%s%s %s", at == text ? "" : ", ",
			      kinds[change.kind],
			      change.of == AEDB_OF_ROW ? "*" : "",
			      change.table ? change.table : "-");
		if (change.to_table)
			at += sprintf(at, " %s", change.to_table);
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	aedb_feed_close(feed);
}

TEST(feed, "the feed tells tables and their rows, and nothing of indexes")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	struct user user = { 1, "a@x", 7, NULL };
	aedb_seq_t from = aedb_visible_seq(f.db) + 1;
	char text[512];

	CHECK_OK(users_write(NULL, table, USERS_INSERT, &user));
	user.mail = "b@x";
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &user));
	CHECK_OK(aedb_table_rename(f.scope, "users", "people"));
	CHECK_OK(users_write(NULL, table, USERS_DELETE, &user));
	feed_text(f.db, from, text);
	CHECK_STR(text, "put* people, put* people, rename users people, "
			"delete* people");
	from = aedb_visible_seq(f.db) + 1;
	CHECK_OK(aedb_table_drop(f.scope, "people"));
	feed_text(f.db, from, text);
	CHECK_STR(text, "drop people");
	aedb_table_close(table);
	fixture_close(&f);
}

/* The table had so many rows then. */
static void past_check(struct fixture *f, aedb_seq_t seq, size_t rows)
{
	struct aedb_snapshot *then;
	struct aedb_table *table;
	size_t n;

	CHECK_OK(aedb_snapshot_open_at(f->db, seq, &then));
	CHECK_OK(aedb_table_open_at(f->scope, then, "users", &table));
	CHECK_OK(users_agree(table, then, &n));
	CHECK_EQ(n, rows);
	aedb_table_close(table);
	aedb_snapshot_close(then);
}

TEST(history, "every state that is kept has the rows and indexes it had, once the table "
	"is renamed, too")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	aedb_seq_t seqs[COMMITS];
	char mail[16];

	for (size_t i = 0; i < COMMITS; i++) {
		/* the third of every three is taken away again */
		struct user user = { i - (i % 3 == 2), mail, (int64_t)i, NULL };

		snprintf(mail, sizeof(mail), "m%zu", i);
		CHECK_OK(users_write(NULL, table, i % 3 == 2 ? USERS_DELETE :
							       USERS_INSERT,
				     &user));
		seqs[i] = aedb_visible_seq(f.db);
	}
	CHECK_OK(aedb_table_rename(f.scope, "users", "people"));
	aedb_table_close(table);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < COMMITS; i++)
			past_check(&f, seqs[i], i / 3 + (i % 3 == 1 ? 2 : 1));
		CHECK_OK(aedb_compact(f.db));
		fixture_reopen(&f);
	}
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
