/*
 * The figures by name: all are there, and each tells what happened.
 */
#include <pthread.h>
#include <sched.h>

#include "aedb_access.h"
#include "aedb_kv.h"
#include "aedb_metrics.h"
#include "commit_group.h"
#include "db_fixture.h"

#define COMMITS 64

static double figure(const struct fixture *f, const char *name)
{
	double value = -1;
	int rc = aedb_metric(f->db, name, &value);

	CHECK_THAT(rc == 0, "%s: there is no such figure", name);
	return value;
}

static void puts_make(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_OK(put_text(f->scope, i % 2 ? "a" : "b", "value"));
}

TEST(usual_names, "the figures that benchmarks and monitoring read are there")
{
	static const char *const names[] = {
		"commits_total", "commit_errors", "permission_rejections",
		"validation_rejections", "conflict_rejections",
		"read_set_conflicts", "conflict_rate",
		"avg_commit_latency_micros", "wal_append_ops",
		"wal_append_bytes", "avg_wal_append_micros", "wal_sync_ops",
		"avg_wal_sync_micros", "epoch_process_ops",
		"avg_epoch_process_micros", "durable_wait_ops",
		"avg_durable_wait_micros", "inflight_commits", "queue_depth",
		"durable_head_lag", "visible_head_seq", "durable_head_seq",
		"current_seq", "snapshot_age_micros", "startup_recovery_micros",
		"startup_recovered_seq", "persistent_value_store_bytes",
		"persistent_value_hot_cache_bytes",
		"persistent_value_hot_cache_capacity_bytes",
		"kv_segment_block_cache_bytes", "active_snapshots",
		"keyspace_resident_bytes", "keyspace_memory_budget_bytes",
		"keyspace_memory_used_fraction", "estimated_memory_bytes",
	};
	struct fixture f;
	double value;

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(figure(&f, names[i]) >= 0);
	CHECK_EQ(aedb_metric(f.db, "no_such_figure", &value), AEDB_NOT_FOUND);
	fixture_close(&f);
}

TEST(each_once, "no two figures have one name, and each says what it is")
{
	struct aedb_metric metrics[AEDB_METRICS_MAX];
	size_t n = aedb_metrics(NULL, metrics);

	CHECK(n > 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(metrics[i].help[0]);
		CHECK(metrics[i].value == 0);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(metrics[i].name, metrics[k].name) != 0);
	}
}

TEST(commits, "commits, groups and the log are counted, and some of them timed")
{
	struct fixture f;
	double before, syncs;

	fixture_open(&f);
	before = figure(&f, "commits_total");
	syncs = figure(&f, "group_syncs_complete");
	puts_make(&f, COMMITS);
	CHECK_EQ(figure(&f, "commits_total"), before + COMMITS);
	CHECK_EQ(figure(&f, "epoch_process_ops"), figure(&f, "epochs_total"));
	CHECK(figure(&f, "epoch_process_ops") >= COMMITS);
	CHECK(figure(&f, "wal_append_ops") >= COMMITS);
	CHECK(figure(&f, "wal_append_bytes") > COMMITS);
	CHECK(figure(&f, "wal_sync_ops") >= COMMITS);
	/* who is alone waits for nobody */
	CHECK_EQ(figure(&f, "group_syncs_complete"), syncs + COMMITS);
	CHECK_EQ(figure(&f, "group_syncs_late"), 0);
	CHECK(figure(&f, "avg_commit_latency_micros") > 0);
	CHECK(figure(&f, "avg_epoch_process_micros") > 0);
	CHECK(figure(&f, "avg_wal_append_micros") > 0);
	CHECK(figure(&f, "avg_wal_sync_micros") > 0);
	CHECK_EQ(figure(&f, "visible_head_seq"), figure(&f, "current_seq"));
	CHECK_EQ(figure(&f, "durable_head_lag"), 0);
	CHECK_EQ(figure(&f, "queue_depth"), 0);
	CHECK_EQ(figure(&f, "inflight_commits"), 0);
	CHECK_EQ(figure(&f, "commit_errors"), 0);
	CHECK_EQ(figure(&f, "epoch_failures"), 0);
	fixture_close(&f);
}

static void conflict_make(struct fixture *f)
{
	struct aedb_txn *txn;

	CHECK_OK(aedb_txn_begin(f->db, &txn));
	CHECK_OK(aedb_txn_read_point(txn, f->scope, "a", 1));
	CHECK_OK(put_text(f->scope, "a", "other"));
	CHECK_OK(aedb_txn_delete(txn, f->scope, "a", 1));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	aedb_txn_abort(txn);
}

static void assertion_fail(struct fixture *f)
{
	struct aedb_put put = { .key = "a", .key_bytes = 1 };

	CHECK_EQ(aedb_compare_and_swap(f->scope, &put, 1, NULL), AEDB_ASSERTION);
}

TEST(refused, "what is refused is counted by why")
{
	struct fixture f;

	fixture_open(&f);
	puts_make(&f, 2);
	conflict_make(&f);
	assertion_fail(&f);
	CHECK_EQ(aedb_create(f.db, place("p", NULL)), AEDB_EXISTS);
	CHECK_EQ(figure(&f, "read_set_conflicts"), 1);
	CHECK_EQ(figure(&f, "conflict_rejections"), 2);
	CHECK_EQ(figure(&f, "validation_rejections"), 1);
	CHECK_EQ(figure(&f, "commit_errors"), 2);
	CHECK_EQ(figure(&f, "permission_rejections"), 0);
	CHECK(figure(&f, "conflict_rate") > 0 && figure(&f, "conflict_rate") < 1);
	fixture_close(&f);
}

TEST(denials, "what is refused for want of a right counts, once, and what is asked does not")
{
	struct aedb_caller *system, *ann;
	struct aedb_grant write = { .right = AEDB_KV_WRITE,
				    .place = { "p", "s" } };
	struct aedb_batch *batch;
	struct aedb_scope *scope;
	struct aedb_entry entry;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_caller_open_system(f.db, NULL, 0, &system));
	CHECK_OK(aedb_caller_open(f.db, "ann", 3, &ann));
	CHECK_EQ(aedb_scope_open_as(ann, NULL, "p", "s", &scope), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 1);
	CHECK_OK(aedb_grant(system, &write, "ann", 3));
	CHECK_OK(aedb_scope_open_as(ann, NULL, "p", "s", &scope));
	CHECK_EQ(aedb_scope_may(scope, AEDB_KV_READ, "k", 1), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 1);
	CHECK_EQ(aedb_get(scope, NULL, "k", 1, &entry), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 2);
	CHECK_OK(aedb_batch_begin_as(ann, &batch));
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_txn_begin_as(ann, &txn));
	CHECK_OK(txn_put_text(txn, scope, "k", "v"));
	CHECK_OK(aedb_revoke(system, &write, "ann", 3));
	CHECK_EQ(txn_end(txn), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 3);
	CHECK_EQ(figure(&f, "commit_errors"), 1);
	CHECK_EQ(aedb_batch_check(batch), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 3);
	aedb_batch_abort(batch);
	CHECK_EQ(aedb_grant(ann, &write, "bob", 3), AEDB_ACCESS);
	CHECK_EQ(figure(&f, "permission_rejections"), 4);
	aedb_note_denied(f.db);
	CHECK_EQ(figure(&f, "permission_rejections"), 5);
	aedb_scope_close(scope);
	aedb_caller_close(ann);
	aedb_caller_close(system);
	fixture_close(&f);
}

TEST(positions, "what is not durable yet is told, and waiting for it")
{
	struct fixture f;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	fixture_start(&f);
	puts_make(&f, 2);
	CHECK(figure(&f, "durable_head_lag") > 0);
	CHECK_EQ(figure(&f, "durable_head_lag"),
		 figure(&f, "visible_head_seq") - figure(&f, "durable_head_seq"));
	CHECK_EQ(figure(&f, "durable_wait_ops"), 0);
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK_EQ(figure(&f, "durable_wait_ops"), 1);
	CHECK(figure(&f, "avg_durable_wait_micros") > 0);
	CHECK_EQ(figure(&f, "durable_head_lag"), 0);
	fixture_close(&f);
}

static void *put_thread(void *arg)
{
	struct fixture *f = arg;

	CHECK_OK(put_text(f->scope, "late", "value"));
	return NULL;
}

TEST(queue, "a commit that waits behind another is told, with its bytes")
{
	struct commit_backlog backlog = { 0 };
	pthread_t threads[2];
	struct fixture f;

	fixture_open(&f);
	lock_acquire(&f.db->commits.lock);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, put_thread, &f) == 0);
	while (!backlog.requests) {
		commit_backlog_look(&f.db->commits, &backlog);
		sched_yield();
	}
	lock_release(&f.db->commits.lock);
	CHECK_EQ(backlog.requests, 1);
	CHECK(backlog.bytes > 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(figure(&f, "queued_commits"), 0);
	fixture_close(&f);
}

TEST(opening, "recovery says how long it took and how far it came")
{
	struct fixture f;
	aedb_seq_t seq;

	fixture_open(&f);
	CHECK_EQ(figure(&f, "startup_recovered_seq"), 0);
	puts_make(&f, COMMITS);
	seq = aedb_visible_seq(f.db);
	fixture_reopen(&f);
	CHECK_EQ(figure(&f, "startup_recovered_seq"), seq);
	CHECK(figure(&f, "startup_recovery_micros") > 0);
	CHECK_EQ(figure(&f, "commits_total"), 0);
	fixture_close(&f);
}

TEST(snapshots, "the oldest snapshot with a name tells its age")
{
	struct fixture f;
	aedb_seq_t seq;

	fixture_open(&f);
	CHECK_EQ(figure(&f, "snapshot_age_micros"), 0);
	CHECK_OK(aedb_snapshot_create(f.db, "old", &seq));
	CHECK_EQ(figure(&f, "active_snapshots"), 1);
	CHECK(figure(&f, "snapshot_age_micros") > 0);
	fixture_close(&f);
}

TEST(memory, "the memory told is the one that is counted, within the budget")
{
	struct aedb_stats stats;
	struct fixture f;

	fixture_open(&f);
	puts_make(&f, COMMITS);
	aedb_stats(f.db, &stats);
	CHECK_EQ(figure(&f, "estimated_memory_bytes"), stats.memory_bytes);
	CHECK_EQ(figure(&f, "keyspace_resident_bytes"), stats.memtable_bytes);
	CHECK_EQ(figure(&f, "keyspace_memory_budget_bytes"),
		 f.options.memory_bytes);
	CHECK(figure(&f, "keyspace_memory_used_fraction") > 0);
	CHECK(figure(&f, "keyspace_memory_used_fraction") < 1);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
