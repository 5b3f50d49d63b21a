/*
 * The figures by name: one line each. What is counted is in db_counters.h.
 */
#include <stddef.h>
#include <string.h>

#include "aedb_metrics.h"
#include "commit_group.h"
#include "db.h"

struct figures {
	struct aedb_stats stats;
	struct commit_backlog backlog;
	uint64_t validation_rejections, permission_rejections;
	uint64_t conflict_rejections;
	uint64_t visible_not_durable, written_seq;
	uint64_t durable_waits;
	uint64_t flushing_groups, filling_groups, complete_groups;
	uint64_t inflight, failures;
	uint64_t recovered_seq;
	uint64_t snapshot_age_us;
	uint64_t memory_budget_bytes;
	/* quotients */
	double conflict_rate, memory_used;
	double commit_us, wal_write_us, wal_sync_us, group_us, durable_wait_us;
	double recovery_us;
};

struct metric {
	struct aedb_metric shown;	/* its value is 0 */
	size_t offset;			/* in struct figures */
};

#define METRIC(name, kind, member, help) \
	{ { name, help, AEDB_##kind, 0 }, offsetof(struct figures, member) }

static const struct metric metrics[] = {
	/* commits */
	METRIC("commits_total", COUNTER, stats.commits, "Commits."),
	METRIC("commit_errors", COUNTER, stats.commit_errors,
	       "Commits refused or failed, but for read_set_conflicts."),
	METRIC("permission_rejections", COUNTER, permission_rejections,
	       "Calls refused for want of a right, commits among them."),
	METRIC("validation_rejections", COUNTER, validation_rejections,
	       "Of them, refused for what was in them or was there."),
	METRIC("conflict_rejections", COUNTER, conflict_rejections,
	       "Commits refused for what others did: conflicts and assertions."),
	METRIC("read_set_conflicts", COUNTER, stats.conflicts,
	       "Of them, because something read was changed."),
	METRIC("conflict_rate", QUOTIENT, conflict_rate,
	       "Part of all commits tried that were conflict_rejections."),
	METRIC("avg_commit_latency_micros", QUOTIENT, commit_us,
	       "Time of a commit until it returned."),
	METRIC("inflight_commits", GAUGE, inflight,
	       "Commits that wait for their group or its sync."),
	METRIC("queue_depth", GAUGE, backlog.requests,
	       "Of them, those that wait behind others."),
	METRIC("queued_commits", GAUGE, backlog.requests, "The same."),
	METRIC("queued_bytes", GAUGE, backlog.bytes,
	       "Bytes that these will have in the log."),
	/* groups */
	METRIC("epoch_process_ops", COUNTER, stats.commit_groups,
	       "Groups of commits that were executed and written."),
	METRIC("epochs_total", COUNTER, stats.commit_groups, "The same."),
	METRIC("avg_epoch_process_micros", QUOTIENT, group_us,
	       "Time of executing and writing a group."),
	METRIC("epoch_failures", COUNTER, failures,
	       "Groups that could not be written or synced; writing stops then."),
	METRIC("group_commit_filling_epochs", GAUGE, filling_groups,
	       "Groups that commits are waiting for."),
	METRIC("group_commit_flushing_epochs", GAUGE, flushing_groups,
	       "Groups that wait for a sync."),
	METRIC("group_commit_complete_epochs", COUNTER, complete_groups,
	       "Groups that are done."),
	METRIC("group_commit_flush_reason_ingress_drained", COUNTER,
	       stats.commit_groups,
	       "Groups written because they had all that waited: each is."),
	METRIC("group_syncs_complete", COUNTER, stats.group_syncs_complete,
	       "Syncs for commits that wait, with all who were likely to come."),
	METRIC("group_syncs_late", COUNTER, stats.group_syncs_late,
	       "The same without some of them, who came too late."),
	/* the log */
	METRIC("wal_append_ops", COUNTER, stats.wal_writes,
	       "Writes to the log."),
	METRIC("wal_append_bytes", COUNTER, stats.wal_bytes,
	       "Bytes written to the log since the database was made."),
	METRIC("avg_wal_append_micros", QUOTIENT, wal_write_us,
	       "Time of a write to the log."),
	METRIC("wal_sync_ops", COUNTER, stats.wal_syncs, "Syncs of the log."),
	METRIC("avg_wal_sync_micros", QUOTIENT, wal_sync_us,
	       "Time of a sync of the log and of values before it."),
	METRIC("durable_wait_ops", COUNTER, durable_waits,
	       "Waits for commits that were visible to be durable."),
	METRIC("avg_durable_wait_micros", QUOTIENT, durable_wait_us,
	       "Time of such a wait."),
	/* positions */
	METRIC("visible_head_seq", GAUGE, stats.visible_seq,
	       "Number of the newest commit that is seen."),
	METRIC("durable_head_seq", GAUGE, stats.durable_seq,
	       "Number of the newest commit that is on the disk."),
	METRIC("durable_head_lag", GAUGE, visible_not_durable,
	       "Operations by which that is behind."),
	METRIC("current_seq", GAUGE, written_seq,
	       "Number of the newest commit that is written."),
	METRIC("startup_recovery_micros", QUOTIENT, recovery_us,
	       "Time of reading the log when the database was opened."),
	METRIC("startup_recovered_seq", GAUGE, recovered_seq,
	       "Number of the newest commit that was there then."),
	/* snapshots */
	METRIC("active_snapshots", GAUGE, stats.snapshots,
	       "Snapshots that are held."),
	METRIC("snapshot_age_micros", GAUGE, snapshot_age_us,
	       "Age of the oldest one that has a name; 0: there is none."),
	/* memory and disk */
	METRIC("persistent_value_store_bytes", GAUGE, stats.value_bytes,
	       "Files of values."),
	METRIC("persistent_value_hot_cache_bytes", GAUGE, stats.cache_bytes,
	       "The cache of what was read, which is one for all."),
	METRIC("persistent_value_hot_cache_capacity_bytes", GAUGE,
	       stats.cache_capacity_bytes, "What it may have."),
	METRIC("persistent_value_hot_cache_hits", COUNTER, stats.cache_hits,
	       "What was found in it."),
	METRIC("persistent_value_hot_cache_misses", COUNTER, stats.cache_misses,
	       "What was not."),
	METRIC("kv_segment_block_cache_bytes", GAUGE, stats.cache_bytes,
	       "The same cache."),
	METRIC("kv_segment_block_cache_capacity_bytes", GAUGE,
	       stats.cache_capacity_bytes, "What it may have."),
	METRIC("kv_segment_block_cache_hits", COUNTER, stats.cache_hits,
	       "What was found in it."),
	METRIC("kv_segment_block_cache_misses", COUNTER, stats.cache_misses,
	       "What was not."),
	METRIC("estimated_memory_bytes", GAUGE, stats.memory_bytes,
	       "Allocated by the database, for everything."),
	METRIC("keyspace_resident_bytes", GAUGE, stats.memtable_bytes,
	       "Of it, entries and their indexes."),
	METRIC("keyspace_memory_budget_bytes", GAUGE, memory_budget_bytes,
	       "What may be allocated."),
	METRIC("keyspace_memory_used_fraction", QUOTIENT, memory_used,
	       "Part of it that is."),
};

#define METRICS_COUNT (sizeof(metrics) / sizeof(metrics[0]))

_Static_assert(METRICS_COUNT <= AEDB_METRICS_MAX, "they fit where they go");

static double quotient(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double micros(uint64_t ns, uint64_t times)
{
	return quotient((double)ns / 1000, (double)times);
}

static void rejections_fill(const struct counters *c, struct figures *ret)
{
	uint64_t refused = atomic_load(&c->conflicts) +
			   atomic_load(&c->assertions);

	ret->validation_rejections = atomic_load(&c->invalid_commits);
	ret->permission_rejections = atomic_load(&c->denials);
	ret->conflict_rejections = refused;
	ret->conflict_rate = quotient((double)refused,
				      (double)(ret->stats.commits +
					       ret->stats.conflicts +
					       ret->stats.commit_errors));
}

static void times_fill(const struct counters *c, struct figures *ret)
{
	ret->commit_us = micros(atomic_load(&c->commit_timed_ns),
				atomic_load(&c->commit_timed));
	ret->group_us = micros(atomic_load(&c->group_timed_ns),
			       atomic_load(&c->group_timed));
	ret->wal_write_us = micros(atomic_load(&c->wal_timed_ns),
				   atomic_load(&c->wal_timed));
	ret->wal_sync_us = micros(atomic_load(&c->wal_sync_ns),
				  atomic_load(&c->sync_cycles));
	ret->durable_waits = atomic_load(&c->durable_waits);
	ret->durable_wait_us = micros(atomic_load(&c->durable_wait_ns),
				      ret->durable_waits);
}

static void backlog_fill(struct aedb *db, struct figures *ret)
{
	uint64_t groups = ret->stats.commit_groups;

	commit_backlog_look(&db->commits, &ret->backlog);
	ret->filling_groups = ret->backlog.requests > 0;
	ret->flushing_groups = ret->backlog.groups;
	ret->complete_groups = groups > ret->backlog.groups ?
				       groups - ret->backlog.groups : 0;
	ret->inflight = ret->backlog.requests + ret->backlog.group_requests;
	ret->failures = atomic_load(&db->commits.is_failed);
}

static uint64_t oldest_time_us(struct aedb *db)
{
	uint64_t oldest = 0;

	lock_acquire(&db->snapshots.lock);
	for (size_t i = 0; i < db->snapshots.n_named; i++)
		if (!oldest || db->snapshots.named[i].time_us < oldest)
			oldest = db->snapshots.named[i].time_us;
	lock_release(&db->snapshots.lock);
	return oldest;
}

/* In the commits' clock, in which snapshots have their times. */
static uint64_t snapshot_age_us(struct aedb *db)
{
	uint64_t oldest = oldest_time_us(db);
	uint64_t now = (uint64_t)aedb_next_time_ns(db) / 1000;

	return oldest && now > oldest ? now - oldest : 0;
}

static void figures_fill(struct aedb *db, struct figures *ret)
{
	aedb_stats(db, &ret->stats);
	rejections_fill(&db->counters, ret);
	times_fill(&db->counters, ret);
	backlog_fill(db, ret);
	ret->written_seq = atomic_load(&db->commits.written_seq);
	/* they were not read at one instant */
	if (ret->stats.visible_seq > ret->stats.durable_seq)
		ret->visible_not_durable = ret->stats.visible_seq -
					   ret->stats.durable_seq;
	ret->recovery_us = micros(db->counters.recovery_ns, 1);
	ret->recovered_seq = db->counters.recovered_seq;
	ret->snapshot_age_us = snapshot_age_us(db);
	ret->memory_budget_bytes = db->options.memory_bytes;
	ret->memory_used = quotient((double)ret->stats.memory_bytes,
				    (double)db->options.memory_bytes);
}

static double metric_value(const struct metric *metric,
			   const struct figures *figures)
{
	const char *at = (const char *)figures + metric->offset;

	return metric->shown.kind == AEDB_QUOTIENT ?
		       *(const double *)at : (double)*(const uint64_t *)at;
}

size_t aedb_metrics(const struct aedb *db,
		    struct aedb_metric ret[AEDB_METRICS_MAX])
{
	struct figures figures = { 0 };

	if (db)
		figures_fill((struct aedb *)db, &figures);
	for (size_t i = 0; i < METRICS_COUNT; i++) {
		ret[i] = metrics[i].shown;
		ret[i].value = metric_value(&metrics[i], &figures);
	}
	return METRICS_COUNT;
}

int aedb_metric(const struct aedb *db, const char *name, double *ret)
{
	struct figures figures = { 0 };
	size_t i = 0;

	while (i < METRICS_COUNT && strcmp(metrics[i].shown.name, name) != 0)
		i++;
	if (i == METRICS_COUNT)
		return AEDB_NOT_FOUND;
	figures_fill((struct aedb *)db, &figures);
	*ret = metric_value(&metrics[i], &figures);
	return 0;
}
