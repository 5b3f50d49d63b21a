/*
 * Permissions: each kind of right, where it is granted, and what it lets do.
 */
#include "../users.h"
#include "aedb_access.h"
#include "aedb_kv.h"
#include "access.h"
#include "db_fixture.h"

#define DENIED "permission denied"

/* What a grant is on, of the scope p/s and its neighbours. */
static struct aedb_grant grant_on(enum aedb_right right, const char *project,
				  const char *scope, const char *prefix)
{
	return (struct aedb_grant){
		.right = right,
		.place = { project, scope },
		.prefix = prefix,
		.prefix_bytes = strlen(prefix),
	};
}

struct people {
	struct fixture f;
	struct aedb_caller *system, *ann;
};

static void people_open(struct people *p)
{
	fixture_open(&p->f);
	CHECK_OK(aedb_create(p->f.db, place("p", "other")));
	CHECK_OK(aedb_create(p->f.db, place("q", NULL)));
	CHECK_OK(aedb_create(p->f.db, place("q", "s")));
	CHECK_OK(put_text(p->f.scope, "a", "1"));
	CHECK_OK(put_text(p->f.scope, "ab", "2"));
	CHECK_OK(put_text(p->f.scope, "b", "3"));
	CHECK_OK(aedb_caller_open_system(p->f.db, NULL, 0, &p->system));
	CHECK_OK(aedb_caller_open(p->f.db, "ann", 3, &p->ann));
}

static void people_close(struct people *p)
{
	aedb_caller_close(p->ann);
	aedb_caller_close(p->system);
	fixture_close(&p->f);
}

static void give(struct people *p, struct aedb_grant grant)
{
	CHECK_OK(aedb_grant(p->system, &grant, "ann", 3));
}

static void take(struct people *p, struct aedb_grant grant)
{
	CHECK_OK(aedb_revoke(p->system, &grant, "ann", 3));
}

static int get_rc(struct aedb_scope *scope, const char *key)
{
	struct aedb_entry entry;
	int rc = aedb_get(scope, NULL, key, strlen(key), &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	return rc;
}

TEST(denied_alike, "who has nothing is denied, alike whether a place is there or not")
{
	struct aedb_scope *scope;
	struct aedb_entry entry;
	struct people p;

	people_open(&p);
	CHECK_FAILS(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope),
		    AEDB_ACCESS, DENIED);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_FAILS(aedb_scope_open_as(p.ann, NULL, "p", "none", &scope),
		    AEDB_ACCESS, DENIED);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_FAILS(aedb_scope_open_as(p.ann, NULL, "none", "s", &scope),
		    AEDB_ACCESS, DENIED);
	CHECK_EQ(aedb_place_stat_as(p.ann, NULL, place("p", NULL), &entry),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_place_stat_as(p.ann, NULL, place("none", NULL), &entry),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_place_next_as(p.ann, NULL, NULL, "", &entry),
		 AEDB_NOT_FOUND);
	CHECK_EQ(aedb_place_may(p.ann, NULL, place("p", "s"), AEDB_KV_READ),
		 AEDB_ACCESS);
	people_close(&p);
}

TEST(key_rights, "a right on keys is one on a project, on a scope, or on keys with a prefix")
{
	static const struct {
		const char *project, *scope, *prefix;
		bool a, ab, b;
	} cases[] = {
		{ "p", NULL, "", true, true, true },
		{ "p", "s", "", true, true, true },
		{ "p", NULL, "a", true, true, false },
		{ "p", "s", "ab", false, true, false },
		{ "p", "s", "b", false, false, true },
		{ "p", "s", "c", false, false, false },
	};
	struct aedb_scope *scope;
	struct people p;

	people_open(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aedb_grant read = grant_on(AEDB_KV_READ, cases[i].project,
						  cases[i].scope,
						  cases[i].prefix);
		struct aedb_grant write = read;

		write.right = AEDB_KV_WRITE;
		give(&p, read);
		CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
		CHECK_EQ(get_rc(scope, "a"), cases[i].a ? 0 : AEDB_ACCESS);
		CHECK_EQ(get_rc(scope, "ab"), cases[i].ab ? 0 : AEDB_ACCESS);
		CHECK_EQ(get_rc(scope, "b"), cases[i].b ? 0 : AEDB_ACCESS);
		CHECK_EQ(put_text(scope, "a", "x"), AEDB_ACCESS);
		CHECK_EQ(aedb_delete(scope, "a", 1), AEDB_ACCESS);
		take(&p, read);
		give(&p, write);
		CHECK_EQ(get_rc(scope, "a"), AEDB_ACCESS);
		CHECK_EQ(put_text(scope, "a", "1"),
			 cases[i].a ? 0 : AEDB_ACCESS);
		CHECK_EQ(put_text(scope, "b", "3"),
			 cases[i].b ? 0 : AEDB_ACCESS);
		take(&p, write);
		CHECK_EQ(put_text(scope, "ab", "1"), AEDB_ACCESS);
		aedb_scope_close(scope);
		CHECK_EQ(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope),
			 AEDB_ACCESS);
	}
	people_close(&p);
}

TEST(grants_last, "grants last over reopening, and follow objects through renames and drops")
{
	struct aedb_grant read = grant_on(AEDB_KV_READ, "p", "s", "");
	struct aedb_granted granted = { .key_bytes = 0 };
	struct aedb_scope *scope;
	struct people p;

	people_open(&p);
	give(&p, read);
	aedb_caller_close(p.ann);
	aedb_caller_close(p.system);
	fixture_reopen(&p.f);
	CHECK_OK(aedb_caller_open_system(p.f.db, NULL, 0, &p.system));
	CHECK_OK(aedb_caller_open(p.f.db, "ann", 3, &p.ann));
	CHECK_OK(aedb_rename(p.f.db, place("p", "s"), place("q", "t")));
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "q", "t", &scope));
	CHECK_STR(text_of(scope, NULL, "a"), "1");
	CHECK_OK(aedb_grants_next(p.system, &granted));
	CHECK_STR(granted.grant.place.project, "q");
	CHECK_STR(granted.grant.place.scope, "t");
	CHECK_EQ(granted.caller_bytes, 3);
	CHECK_EQ(granted.grant.right, AEDB_KV_READ);
	CHECK_EQ(aedb_grants_next(p.system, &granted), AEDB_NOT_FOUND);
	CHECK_OK(aedb_drop(p.f.db, place("q", "t"), AEDB_DROP_ALL));
	granted.key_bytes = 0;
	CHECK_EQ(aedb_grants_next(p.system, &granted), AEDB_NOT_FOUND);
	CHECK_EQ(get_rc(scope, "a"), AEDB_ACCESS);
	CHECK_OK(aedb_create(p.f.db, place("q", "t")));
	aedb_scope_close(scope);
	CHECK_EQ(aedb_scope_open_as(p.ann, NULL, "q", "t", &scope),
		 AEDB_ACCESS);
	people_close(&p);
}

TEST(scan_exact, "a scan shows exactly the keys that may be read, either way, past many others")
{
	static const char *const prefixes[] = { "k1", "k17", "k5/", "k9" };
	struct aedb_scope *scope;
	struct people p;
	char key[32];

	people_open(&p);
	for (int i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%d%s%d", i % 100,
			 i % 3 ? "/x" : "", i);
		CHECK_OK(put_text(p.f.scope, key, "v"));
	}
	for (size_t i = 0; i < 4; i++)
		give(&p, grant_on(AEDB_KV_READ, "p", "s", prefixes[i]));
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
	for (int step = 0; step < 8; step++) {
		struct aedb_range range = {
			.direction = step & 1 ? AEDB_BACKWARD : AEDB_FORWARD,
		};
		struct aedb_scan *all, *some;
		struct aedb_entry a, b;
		int rc, shown = 0;

		if (step & 2) {
			range.from = "k15";
			range.from_bytes = 3;
			range.to = "k6";
			range.to_bytes = 2;
		}
		if (step & 4) {
			range.prefix = "k";
			range.prefix_bytes = 1;
		}
		CHECK_OK(aedb_scan_open(p.f.scope, NULL, &range, &all));
		CHECK_OK(aedb_scan_open(scope, NULL, &range, &some));
		while ((rc = aedb_scan_next(all, &a)) == 0) {
			const char *k = a.key;
			bool may = !strncmp(k, "k1", 2) ||
				   !strncmp(k, "k5/", 3) ||
				   !strncmp(k, "k9", 2);

			if (!may)
				continue;
			CHECK_OK(aedb_scan_next(some, &b));
			CHECK_EQ(a.key_bytes, b.key_bytes);
			CHECK_MEM(a.key, b.key, a.key_bytes);
			shown++;
		}
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		CHECK_EQ(aedb_scan_next(some, &b), AEDB_NOT_FOUND);
		CHECK(shown > 100);
		aedb_scan_close(all);
		aedb_scan_close(some);
	}
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(scan_revoked, "a scan ends when what it needs is revoked")
{
	struct aedb_grant read = grant_on(AEDB_KV_READ, "p", "s", "");
	struct aedb_range all = { 0 };
	struct aedb_scope *scope;
	struct aedb_entry entry;
	struct aedb_scan *scan;
	struct people p;

	people_open(&p);
	give(&p, read);
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
	CHECK_OK(aedb_scan_open(scope, NULL, &all, &scan));
	CHECK_OK(aedb_scan_next(scan, &entry));
	take(&p, read);
	CHECK_EQ(aedb_scan_next(scan, &entry), AEDB_ACCESS);
	CHECK_EQ(aedb_scan_next(scan, &entry), AEDB_ACCESS);
	aedb_scan_close(scan);
	CHECK_EQ(aedb_scan_open(scope, NULL, &all, &scan), AEDB_ACCESS);
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(txn_decided, "a transaction is decided by the grants at its commit")
{
	struct aedb_grant write = grant_on(AEDB_KV_WRITE, "p", "s", "a");
	struct aedb_grant read = grant_on(AEDB_KV_READ, "p", "s", "a");
	struct aedb_assertion there = { .kind = AEDB_ASSERT_THERE, .key = "a",
					.key_bytes = 1 };
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	give(&p, write);
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
	there.scope = scope;
	/* other grants do not disturb it */
	txn = txn_of(p.f.db);
	CHECK_OK(txn_put_text(txn, scope, "a", "4"));
	CHECK_EQ(txn_put_text(txn, scope, "b", "4"), AEDB_ACCESS);
	CHECK_EQ(aedb_txn_read_point(txn, scope, "a", 1), AEDB_ACCESS);
	CHECK_EQ(aedb_txn_assert(txn, &there), AEDB_ACCESS);
	give(&p, grant_on(AEDB_KV_WRITE, "q", NULL, ""));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(p.f.scope, NULL, "a"), "4");
	/* a write */
	txn = txn_of(p.f.db);
	CHECK_OK(txn_put_text(txn, scope, "a", "5"));
	take(&p, write);
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_STR(aedb_error_message(), DENIED);
	/* given again before the commit */
	give(&p, write);
	txn = txn_of(p.f.db);
	CHECK_OK(txn_put_text(txn, scope, "a", "6"));
	take(&p, write);
	give(&p, grant_on(AEDB_SCOPE_ADMIN, "p", "s", ""));
	CHECK_OK(txn_end(txn));
	take(&p, grant_on(AEDB_SCOPE_ADMIN, "p", "s", ""));
	/* what it read and asserted */
	for (int what = 0; what < 3; what++) {
		struct aedb_range range = { .prefix = "a", .prefix_bytes = 1 };

		give(&p, write);
		give(&p, read);
		txn = txn_of(p.f.db);
		CHECK_OK(txn_put_text(txn, scope, "ab", "7"));
		if (what == 0)
			CHECK_OK(aedb_txn_read_point(txn, scope, "a", 1));
		else if (what == 1)
			CHECK_OK(aedb_txn_read_range(txn, scope, &range));
		else
			CHECK_OK(aedb_txn_assert(txn, &there));
		take(&p, read);
		CHECK_EQ(txn_end(txn), AEDB_ACCESS);
		take(&p, write);
	}
	CHECK_STR(text_of(p.f.scope, NULL, "a"), "6");
	CHECK_STR(text_of(p.f.scope, NULL, "ab"), "2");
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(two_keys, "moves, exchanges and computations need the rights of what they do")
{
	static const uint8_t one[8] = { [7] = 1 };
	uint8_t result[8];
	struct aedb_compute add = { .number = AEDB_U64, .how = AEDB_ADD,
				    .key = "an", .key_bytes = 2,
				    .operand = one };
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	give(&p, grant_on(AEDB_KV_WRITE, "p", "s", "a"));
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
	CHECK_OK(aedb_compute(scope, &add));
	add.result = result;
	CHECK_EQ(aedb_compute(scope, &add), AEDB_ACCESS);
	CHECK_EQ(aedb_move(scope, "a", 1, scope, "ac", 2), AEDB_ACCESS);
	give(&p, grant_on(AEDB_KV_READ, "p", "s", "a"));
	CHECK_OK(aedb_compute(scope, &add));
	CHECK_EQ(result[7], 2);
	CHECK_OK(aedb_move(scope, "a", 1, scope, "ac", 2));
	CHECK_EQ(aedb_move(scope, "ac", 2, scope, "c", 1), AEDB_ACCESS);
	CHECK_EQ(aedb_move(scope, "b", 1, scope, "ad", 2), AEDB_ACCESS);
	txn = txn_of(p.f.db);
	CHECK_EQ(aedb_txn_exchange(txn, scope, "ac", 2, scope, "b", 1),
		 AEDB_ACCESS);
	CHECK_OK(aedb_txn_exchange(txn, scope, "ac", 2, scope, "ab", 2));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(scope, NULL, "ac"), "2");
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(admins, "administrators and owners do in a place what they may, and only there")
{
	struct aedb_scope *scope;
	struct aedb_caller *bob;
	struct aedb_grant read;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_caller_open(p.f.db, "bob", 3, &bob));
	give(&p, grant_on(AEDB_PROJECT_ADMIN, "p", NULL, ""));
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_create(txn, place("p", "made"), NULL, 0, &scope));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	take(&p, grant_on(AEDB_PROJECT_ADMIN, "p", NULL, ""));
	/* it is hers */
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	read = grant_on(AEDB_KV_READ, "p", "made", "");
	CHECK_OK(aedb_grant(p.ann, &read, "bob", 3));
	CHECK_OK(aedb_place_may(bob, NULL, place("p", "made"), AEDB_KV_READ));
	CHECK_EQ(aedb_place_may(bob, NULL, place("p", "made"), AEDB_KV_WRITE),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_grant(bob, &read, "carl", 4), AEDB_ACCESS);
	read = grant_on(AEDB_KV_READ, "p", "s", "");
	CHECK_EQ(aedb_grant(p.ann, &read, "bob", 3), AEDB_ACCESS);
	/* places elsewhere */
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_create(txn, place("p", "more"), NULL, 0, NULL));
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_create(txn, place("new", NULL), NULL, 0, NULL));
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_drop(txn, place("p", "s"), AEDB_DROP_ALL));
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_drop(txn, place("none", "s"), AEDB_DROP_ALL));
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_STR(aedb_error_message(), DENIED);
	/* given away */
	CHECK_EQ(aedb_transfer_ownership(bob, place("p", "made"), "bob", 3),
		 AEDB_ACCESS);
	CHECK_OK(aedb_transfer_ownership(p.ann, place("p", "made"), "bob", 3));
	CHECK_EQ(get_rc(scope, "k"), AEDB_ACCESS);
	CHECK_OK(aedb_txn_begin_as(bob, &txn));
	CHECK_OK(aedb_txn_drop(txn, place("p", "made"), AEDB_DROP_ALL));
	CHECK_OK(txn_end(txn));
	aedb_scope_close(scope);
	aedb_caller_close(bob);
	people_close(&p);
}

TEST(own_project, "who makes a project in one transaction may fill it there")
{
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	give(&p, grant_on(AEDB_GLOBAL_ADMIN, NULL, NULL, ""));
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(aedb_txn_create(txn, place("new", NULL), NULL, 0, NULL));
	CHECK_OK(aedb_txn_create(txn, place("new", "s"), NULL, 0, &scope));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(txn_end(txn));
	take(&p, grant_on(AEDB_GLOBAL_ADMIN, NULL, NULL, ""));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	CHECK_OK(aedb_place_may(p.ann, NULL, place("new", NULL), AEDB_OWNER));
	CHECK_EQ(aedb_place_may(p.ann, NULL, place("p", NULL), AEDB_KV_READ),
		 AEDB_ACCESS);
	aedb_scope_close(scope);
	people_close(&p);
}

/* Names a caller sees, each followed by a blank. */
static const char *names_seen(struct aedb_caller *caller, const char *project)
{
	static char text[256];
	char after[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;

	*text = '\0';
	while (aedb_place_next_as(caller, NULL, project, after, &entry) == 0) {
		memcpy(after, entry.key, entry.key_bytes);
		after[entry.key_bytes] = '\0';
		aedb_unpin(&entry);
		strcat(strcat(text, after), " ");
	}
	return text;
}

TEST(names_listed, "names are listed to whom something is granted there, within or around")
{
	struct people p;

	people_open(&p);
	CHECK_STR(names_seen(p.ann, NULL), "");
	give(&p, grant_on(AEDB_KV_READ, "p", "s", "x"));
	CHECK_STR(names_seen(p.ann, NULL), "p ");
	CHECK_STR(names_seen(p.ann, "p"), "s ");
	CHECK_STR(names_seen(p.ann, "q"), "");
	give(&p, grant_on(AEDB_TABLE_READ, "p", NULL, ""));
	CHECK_STR(names_seen(p.ann, "p"), "other s ");
	give(&p, grant_on(AEDB_GLOBAL_ADMIN, NULL, NULL, ""));
	CHECK_STR(names_seen(p.ann, NULL), "p q ");
	CHECK_STR(names_seen(p.system, "p"), "other s ");
	people_close(&p);
}

static uint64_t users_id(struct aedb_scope *scope, const char *name)
{
	struct aedb_table *table;
	uint64_t id;

	CHECK_OK(aedb_table_open(scope, name, &table));
	id = aedb_table_id(table);
	aedb_table_close(table);
	return id;
}

TEST(tables, "rights on tables are of all in a place or of one table, and nobody's else")
{
	struct aedb_grant one = grant_on(AEDB_TABLE_WRITE, "p", "s", "");
	struct aedb_scope *scope;
	struct people p;
	uint64_t id;

	people_open(&p);
	CHECK_OK(users_create(p.f.scope, "users"));
	id = users_id(p.f.scope, "users");
	one.table_id = id;
	give(&p, one);
	CHECK_OK(aedb_scope_open_as(p.ann, NULL, "p", "s", &scope));
	CHECK_OK(access_may(scope, AEDB_TABLE_WRITE, id));
	CHECK_EQ(access_may(scope, AEDB_TABLE_WRITE, id + 1), AEDB_ACCESS);
	CHECK_EQ(access_may(scope, AEDB_TABLE_READ, id), AEDB_ACCESS);
	CHECK_EQ(access_may(scope, AEDB_TABLE_WRITE, 0), AEDB_ACCESS);
	give(&p, grant_on(AEDB_TABLE_READ, "p", NULL, ""));
	CHECK_OK(access_may(scope, AEDB_TABLE_READ, 0));
	CHECK_OK(access_may(scope, AEDB_TABLE_READ, 9));
	CHECK_EQ(access_may(scope, AEDB_TABLE_DDL, 0), AEDB_ACCESS);
	CHECK_EQ(get_rc(scope, "a"), AEDB_ACCESS);
	CHECK_OK(access_may(p.f.scope, AEDB_TABLE_DDL, 0));
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(wrong_grants, "wrong grants are refused")
{
	struct aedb_grant g = grant_on(AEDB_OWNER, "p", NULL, "");
	char long_prefix[AEDB_GRANT_PREFIX_BYTES_MAX + 2];
	struct aedb_caller *caller;
	struct people p;

	people_open(&p);
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_INVALID);
	g = grant_on(AEDB_GLOBAL_ADMIN, "p", NULL, "");
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_INVALID);
	g = grant_on(AEDB_SCOPE_ADMIN, "p", NULL, "");
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_INVALID);
	g = grant_on(AEDB_TABLE_READ, "p", "s", "x");
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_INVALID);
	memset(long_prefix, 'x', sizeof(long_prefix) - 1);
	long_prefix[sizeof(long_prefix) - 1] = '\0';
	g = grant_on(AEDB_KV_READ, "p", "s", long_prefix);
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_NAME_TOO_LONG);
	g.prefix_bytes--;
	CHECK_OK(aedb_grant(p.system, &g, "ann", 3));
	g = grant_on(AEDB_KV_READ, "p", "none", "");
	CHECK_EQ(aedb_grant(p.system, &g, "ann", 3), AEDB_NOT_FOUND);
	g = grant_on(AEDB_KV_READ, "p", "s", "");
	CHECK_EQ(aedb_grant(p.system, &g, "system", 6), AEDB_INVALID);
	CHECK_EQ(aedb_grant(p.system, &g, "", 0), AEDB_INVALID);
	CHECK_EQ(aedb_revoke(p.system, &g, "ann", 3), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_caller_open(p.f.db, "system", 6, &caller), AEDB_INVALID);
	CHECK_EQ(aedb_caller_open(p.f.db, long_prefix, 129, &caller),
		 AEDB_NAME_TOO_LONG);
	people_close(&p);
}

TEST(batches, "a batch is its caller's, and decided once more at its commit")
{
	struct aedb_grant write = grant_on(AEDB_KV_WRITE, "p", "s", "a");
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	give(&p, write);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(aedb_batch_begin_as(p.ann, &batch));
		CHECK_OK(aedb_scope_open_as(p.ann, aedb_batch_view(batch), "p",
					    "s", &scope));
		CHECK_OK(aedb_txn_begin_in(batch, &txn));
		CHECK_OK(txn_put_text(txn, scope, "a", "9"));
		CHECK_EQ(txn_put_text(txn, scope, "b", "9"), AEDB_ACCESS);
		CHECK_OK(txn_end(txn));
		if (i == 0)
			take(&p, write);
		CHECK_EQ(aedb_batch_check(batch), i ? 0 : AEDB_ACCESS);
		CHECK_EQ(aedb_batch_commit(batch, NULL), i ? 0 : AEDB_ACCESS);
		aedb_scope_close(scope);
		if (i == 0) {
			aedb_batch_abort(batch);
			CHECK_STR(text_of(p.f.scope, NULL, "a"), "1");
			give(&p, write);
		}
	}
	CHECK_STR(text_of(p.f.scope, NULL, "a"), "9");
	give(&p, grant_on(AEDB_PROJECT_ADMIN, "p", NULL, ""));
	CHECK_OK(aedb_batch_begin_as(p.ann, &batch));
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	CHECK_OK(aedb_txn_create(txn, place("p", "made"), NULL, 0, &scope));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(scope, aedb_batch_view(batch), "k"), "v");
	CHECK_OK(aedb_place_may(p.ann, aedb_batch_view(batch),
				place("p", "made"), AEDB_SCOPE_ADMIN));
	CHECK_EQ(aedb_place_may(p.ann, aedb_batch_view(batch),
				place(NULL, NULL), AEDB_GLOBAL_ADMIN),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_place_may(p.ann, NULL, place("p", "made"),
				AEDB_SCOPE_ADMIN), AEDB_NOT_FOUND);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	take(&p, grant_on(AEDB_PROJECT_ADMIN, "p", NULL, ""));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	CHECK_OK(aedb_place_may(p.ann, NULL, place("p", "made"), AEDB_OWNER));
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(twin, "what others made under a name that a caller's batch made, too, is not the caller's")
{
	struct aedb_scope *own, *twin;
	struct aedb_batch *batch;
	struct aedb_scope *theirs;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_batch_begin_as(p.ann, &batch));
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	CHECK_OK(aedb_txn_create(txn, place("q", "new"), NULL, 0, &own));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_create(p.f.db, place("q", "new")));
	CHECK_OK(aedb_scope_open(p.f.db, "q", "new", &theirs));
	CHECK_OK(put_text(theirs, "k", "secret"));
	CHECK_OK(aedb_batch_open_twin(batch, own, &twin));
	CHECK_EQ(get_rc(twin, "k"), AEDB_ACCESS);
	CHECK_EQ(put_text(twin, "k", "mine"), AEDB_ACCESS);
	aedb_scope_close(twin);
	aedb_scope_close(theirs);
	aedb_scope_close(own);
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_ACCESS);
	aedb_batch_abort(batch);
	people_close(&p);
}

TEST(batch_of_others, "a batch written by unrestricted handles is decided for whom it is committed")
{
	struct aedb_grant write = grant_on(AEDB_KV_WRITE, "p", "s", "a");
	static const char *const keys[] = { "b", "a" };
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct people p;

	people_open(&p);
	give(&p, write);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(aedb_batch_begin(p.f.db, &batch));
		aedb_batch_set_caller(batch, p.ann);
		CHECK_OK(aedb_txn_begin_in(batch, &txn));
		CHECK_OK(txn_put_text(txn, p.f.scope, keys[i], "9"));
		CHECK_OK(txn_end(txn));
		CHECK_EQ(aedb_batch_check(batch), i ? 0 : AEDB_ACCESS);
		CHECK_EQ(aedb_batch_commit(batch, NULL), i ? 0 : AEDB_ACCESS);
		if (i == 0)
			aedb_batch_abort(batch);
	}
	CHECK_STR(text_of(p.f.scope, NULL, "a"), "9");
	CHECK_STR(text_of(p.f.scope, NULL, "b"), "3");
	CHECK_OK(aedb_scope_as(p.ann, p.f.scope, &scope));
	CHECK_EQ(put_text(scope, "b", "9"), AEDB_ACCESS);
	CHECK_OK(put_text(scope, "a", "1"));
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(feed_filtered, "the feed tells a caller of what it may read")
{
	struct aedb_feed_change change;
	struct aedb_feed *feed;
	aedb_seq_t from;
	struct people p;

	people_open(&p);
	give(&p, grant_on(AEDB_KV_READ, "p", "s", "a"));
	from = aedb_visible_seq(p.f.db) + 1;
	CHECK_OK(put_text(p.f.scope, "b", "x"));
	CHECK_OK(put_text(p.f.scope, "a2", "x"));
	CHECK_OK(aedb_move(p.f.scope, "a2", 2, p.f.scope, "b2", 2));
	CHECK_OK(aedb_move(p.f.scope, "b", 1, p.f.scope, "a3", 2));
	CHECK_OK(aedb_create(p.f.db, place("p", "secret")));
	CHECK_OK(aedb_feed_open_as(p.ann, from, &feed));
	CHECK_OK(aedb_feed_next(feed, &change));
	CHECK_EQ(change.kind, AEDB_FEED_PUT);
	CHECK_MEM(change.key.bytes, "a2", 2);
	CHECK_OK(aedb_feed_next(feed, &change));
	CHECK_EQ(change.kind, AEDB_FEED_DELETE);
	CHECK_MEM(change.key.bytes, "a2", 2);
	CHECK(!change.to_key.bytes);
	CHECK_OK(aedb_feed_next(feed, &change));
	CHECK_EQ(change.kind, AEDB_FEED_PUT);
	CHECK_MEM(change.key.bytes, "a3", 2);
	CHECK_EQ(aedb_feed_next(feed, &change), AEDB_NOT_FOUND);
	aedb_feed_close(feed);
	people_close(&p);
}

TEST(secure, "a secure database is there for callers only, and its system has the key")
{
	static const char key[32] = "0123456789abcdef0123456789abcdef";
	struct aedb_caller *system, *ann;
	struct aedb_scope *scope;
	struct aedb_batch *batch;
	struct aedb_feed *feed;
	struct aedb_entry entry;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_init(&f);
	f.options.is_secure = true;
	CHECK_FAILS(fixture_try(&f), AEDB_INVALID, "is_secure");
	fixture_close(&f);
	fixture_init(&f);
	f.options.is_secure = true;
	f.options.hmac_key = key;
	f.options.hmac_key_bytes = sizeof(key);
	CHECK_OK(fixture_try(&f));
	CHECK_EQ(aedb_create(f.db, place("p", NULL)), AEDB_ACCESS);
	CHECK_EQ(aedb_drop(f.db, place("p", NULL), AEDB_DROP_ALL), AEDB_ACCESS);
	CHECK_EQ(aedb_rename(f.db, place("p", NULL), place("q", NULL)),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_scope_open(f.db, "p", "s", &scope), AEDB_ACCESS);
	CHECK_EQ(aedb_txn_begin(f.db, &txn), AEDB_ACCESS);
	CHECK_EQ(aedb_batch_begin(f.db, &batch), AEDB_ACCESS);
	CHECK_EQ(aedb_feed_open(f.db, 0, &feed), AEDB_ACCESS);
	CHECK_EQ(aedb_place_stat(f.db, NULL, place(NULL, NULL), &entry),
		 AEDB_ACCESS);
	CHECK_EQ(aedb_place_next(f.db, NULL, NULL, "", &entry), AEDB_ACCESS);
	CHECK_EQ(aedb_caller_open_system(f.db, NULL, 0, &system), AEDB_ACCESS);
	CHECK_EQ(aedb_caller_open_system(f.db, "wrong", 5, &system),
		 AEDB_ACCESS);
	CHECK_OK(aedb_caller_open_system(f.db, key, sizeof(key), &system));
	CHECK_OK(aedb_txn_begin_as(system, &txn));
	CHECK_OK(aedb_txn_create(txn, place("p", NULL), NULL, 0, NULL));
	CHECK_OK(aedb_txn_create(txn, place("p", "s"), NULL, 0, &scope));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(txn_end(txn));
	aedb_scope_close(scope);
	CHECK_OK(aedb_grant(system, &(struct aedb_grant){
		.right = AEDB_KV_READ, .place = { "p", "s" } }, "ann", 3));
	CHECK_OK(aedb_caller_open(f.db, "ann", 3, &ann));
	CHECK_OK(aedb_scope_open_as(ann, NULL, "p", "s", &scope));
	CHECK_STR(text_of(scope, NULL, "k"), "v");
	CHECK_EQ(put_text(scope, "k", "w"), AEDB_ACCESS);
	aedb_scope_close(scope);
	aedb_caller_close(ann);
	aedb_caller_close(system);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
