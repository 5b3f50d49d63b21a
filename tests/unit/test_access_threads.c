/*
 * Grants that change while callers read, scan and write.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "aedb_access.h"
#include "db_fixture.h"

#define READERS 2
#define ROUNDS 300

struct shared {
	struct fixture f;
	struct aedb_caller *system, *ann;
	struct aedb_scope *scope;	/* ann's */
	atomic_bool is_over;
	atomic_uint shown;		/* reads that were allowed */
	atomic_uint written;
};

static struct aedb_grant grant_of(enum aedb_right right, const char *prefix)
{
	return (struct aedb_grant){ .right = right, .place = { "p", "s" },
				    .prefix = prefix,
				    .prefix_bytes = strlen(prefix) };
}

static void shared_open(struct shared *s)
{
	*s = (struct shared){ .is_over = false };
	fixture_open_as(&s->f, AEDB_BATCH);
	CHECK_OK(aedb_caller_open_system(s->f.db, NULL, 0, &s->system));
	CHECK_OK(aedb_caller_open(s->f.db, "ann", 3, &s->ann));
	CHECK_OK(aedb_scope_as(s->ann, s->f.scope, &s->scope));
}

static void shared_close(struct shared *s)
{
	aedb_scope_close(s->scope);
	aedb_caller_close(s->ann);
	aedb_caller_close(s->system);
	fixture_close(&s->f);
}

/* What is secret while it may not be read. */
static void value_check(const struct aedb_entry *entry)
{
	CHECK_EQ(entry->value_bytes, 4);
	CHECK_MEM(entry->value, "open", 4);
}

static void *read_on(void *arg)
{
	struct aedb_range all = { 0 };
	struct shared *s = arg;
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	while (!atomic_load(&s->is_over)) {
		rc = aedb_get(s->scope, NULL, "k/1", 3, &entry);
		if (rc == 0) {
			value_check(&entry);
			aedb_unpin(&entry);
			atomic_fetch_add(&s->shown, 1);
		} else {
			CHECK_EQ(rc, AEDB_ACCESS);
		}
		rc = aedb_scan_open(s->scope, NULL, &all, &scan);
		if (rc < 0) {
			CHECK_EQ(rc, AEDB_ACCESS);
			continue;
		}
		while ((rc = aedb_scan_next(scan, &entry)) == 0)
			value_check(&entry);
		CHECK(rc == AEDB_NOT_FOUND || rc == AEDB_ACCESS);
		aedb_scan_close(scan);
	}
	return NULL;
}

TEST(secret, "nobody reads what was put after the right to read was revoked")
{
	struct aedb_grant all = grant_of(AEDB_KV_READ, "");
	struct aedb_grant some = grant_of(AEDB_KV_READ, "k/");
	pthread_t readers[READERS];
	struct shared s;
	unsigned before;

	shared_open(&s);
	CHECK_OK(put_text(s.f.scope, "k/1", "open"));
	CHECK_OK(put_text(s.f.scope, "k/2", "open"));
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_on, &s);
	for (int i = 0; i < ROUNDS; i++) {
		const struct aedb_grant *grant = i % 2 ? &all : &some;

		before = atomic_load(&s.shown);
		CHECK_OK(aedb_grant(s.system, grant, "ann", 3));
		while (atomic_load(&s.shown) == before)
			sched_yield();
		CHECK_OK(aedb_revoke(s.system, grant, "ann", 3));
		CHECK_OK(put_text(s.f.scope, "k/1", "secret"));
		CHECK_OK(put_text(s.f.scope, "k/2", "secret"));
		CHECK_OK(put_text(s.f.scope, "k/1", "open"));
		CHECK_OK(put_text(s.f.scope, "k/2", "open"));
	}
	atomic_store(&s.is_over, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	shared_close(&s);
}

static void *write_on(void *arg)
{
	struct shared *s = arg;
	int rc;

	while (!atomic_load(&s->is_over)) {
		rc = put_text(s->scope, "k", "hers");
		if (rc == 0)
			atomic_fetch_add(&s->written, 1);
		else
			CHECK_EQ(rc, AEDB_ACCESS);
	}
	return NULL;
}

TEST(written, "nobody writes once a commit has revoked the right to")
{
	struct aedb_grant grant = grant_of(AEDB_KV_WRITE, "");
	pthread_t writers[READERS];
	struct shared s;
	unsigned before;

	shared_open(&s);
	for (int i = 0; i < READERS; i++)
		pthread_create(&writers[i], NULL, write_on, &s);
	for (int i = 0; i < ROUNDS; i++) {
		before = atomic_load(&s.written);
		CHECK_OK(aedb_grant(s.system, &grant, "ann", 3));
		while (atomic_load(&s.written) == before)
			sched_yield();
		CHECK_OK(aedb_revoke(s.system, &grant, "ann", 3));
		CHECK_OK(put_text(s.f.scope, "k", "ours"));
		for (int k = 0; k < 20; k++) {
			CHECK_STR(text_of(s.f.scope, NULL, "k"), "ours");
			CHECK_OK(put_text(s.f.scope, "other", "commit"));
		}
	}
	atomic_store(&s.is_over, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(writers[i], NULL);
	shared_close(&s);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
