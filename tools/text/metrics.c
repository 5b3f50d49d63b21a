/*
 * Figures as Prometheus's text: those of aedb_stats that are of use under names
 * that follow Prometheus's habits, then those of aedb_metrics that have no such
 * name, under theirs.
 */
#include "metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 256
#define QUOTIENT_DIGITS 4

struct metric {
	const char *name;
	const char *type;
	const char *help;
	size_t offset;		/* in struct aedb_stats */
};

#define METRIC(member, name, type, help) \
	{ name, type, help, offsetof(struct aedb_stats, member) }

static const struct metric metrics[] = {
	METRIC(commits, "commits_total", "counter",
	       "Commits since the mount."),
	METRIC(conflicts, "commit_conflicts_total", "counter",
	       "Commits refused because what they read was changed."),
	METRIC(commit_errors, "commit_errors_total", "counter",
	       "Commits refused or failed otherwise."),
	METRIC(commit_groups, "commit_groups_total", "counter",
	       "Groups that the commits were written in."),
	METRIC(user_bytes, "user_bytes_total", "counter",
	       "Keys, values and attributes committed."),
	METRIC(wal_bytes, "wal_written_bytes_total", "counter",
	       "Written to the log."),
	METRIC(wal_writes, "wal_writes_total", "counter",
	       "Writes to the log."),
	METRIC(wal_syncs, "wal_syncs_total", "counter",
	       "Syncs of the log."),
	METRIC(flush_bytes, "checkpoint_written_bytes_total", "counter",
	       "Written by checkpoints."),
	METRIC(checkpoints, "checkpoints_total", "counter",
	       "Checkpoints."),
	METRIC(compaction_read_bytes, "compaction_read_bytes_total", "counter",
	       "Read by compaction."),
	METRIC(compaction_write_bytes, "compaction_written_bytes_total", "counter",
	       "Written by compaction."),
	METRIC(compaction_done_bytes, "compaction_done_bytes", "gauge",
	       "Done of the full compaction that runs."),
	METRIC(compaction_total_bytes, "compaction_total_bytes", "gauge",
	       "What that has to do; 0: none runs."),
	METRIC(cache_hits, "cache_hits_total", "counter",
	       "Reads of pages that were in memory."),
	METRIC(cache_misses, "cache_misses_total", "counter",
	       "Reads of pages from the disk."),
	METRIC(memory_bytes, "memory_bytes", "gauge",
	       "Allocated by the database."),
	METRIC(memtable_bytes, "memtable_bytes", "gauge",
	       "Of it, entries not yet dropped from memory."),
	METRIC(cache_bytes, "cache_bytes", "gauge",
	       "Of it, what was read and is kept."),
	METRIC(cache_capacity_bytes, "cache_capacity_bytes", "gauge",
	       "What may be kept."),
	METRIC(staged_bytes, "staged_bytes", "gauge",
	       "Values being written."),
	METRIC(wal_disk_bytes, "wal_disk_bytes", "gauge",
	       "Files of the log."),
	METRIC(segment_bytes, "segment_bytes", "gauge",
	       "Files of segments."),
	METRIC(segment_live_bytes, "segment_live_bytes", "gauge",
	       "Of them, without versions known to be hidden."),
	METRIC(value_bytes, "value_file_bytes", "gauge",
	       "Files of values."),
	METRIC(value_live_bytes, "value_file_live_bytes", "gauge",
	       "Of them, what is referred to."),
	METRIC(segments, "segments", "gauge",
	       "Files of segments, counted."),
	METRIC(keys, "keys", "gauge",
	       "Keys in the newest visible state."),
	METRIC(snapshots, "snapshots", "gauge",
	       "Snapshots that are held."),
	METRIC(batches, "batches", "gauge",
	       "Batches that are open."),
	METRIC(batch_bytes, "batch_bytes", "gauge",
	       "Memory for what they changed."),
	METRIC(visible_seq, "visible_seq", "gauge",
	       "Number of the newest commit."),
	METRIC(durable_seq, "durable_seq", "gauge",
	       "Number of the newest commit that is on the disk."),
	METRIC(checkpoint_seq, "checkpoint_seq", "gauge",
	       "Number of the newest commit that is in segments."),
};

#define METRICS_COUNT (sizeof(metrics) / sizeof(metrics[0]))
#define LEVEL_SEGMENTS "level_segments"
#define LEVEL_BYTES "level_bytes"

static void head_print(const struct metric *metric, FILE *out)
{
	fprintf(out, "# HELP aedb_%s %s\n# TYPE aedb_%s %s\n", metric->name,
		metric->help, metric->name, metric->type);
}

static void number_print(const struct metric *metric, uint64_t n, FILE *out)
{
	head_print(metric, out);
	fprintf(out, "aedb_%s %llu\n", metric->name, (unsigned long long)n);
}

/* A total of nanoseconds, in seconds as is usual. */
static void seconds_print(const char *name, const char *help, uint64_t ns,
			  FILE *out)
{
	head_print(&(struct metric){ name, "counter", help, 0 }, out);
	fprintf(out, "aedb_%s %llu.%09llu\n", name,
		(unsigned long long)(ns / 1000000000),
		(unsigned long long)(ns % 1000000000));
}

static void levels_print(const char *name, const char *help,
			 const uint64_t *levels, FILE *out)
{
	head_print(&(struct metric){ name, "gauge", help, 0 }, out);
	for (int i = 0; i < AEDB_LEVELS; i++)
		fprintf(out, "aedb_%s{level=\"%d\"} %llu\n", name, i,
			(unsigned long long)levels[i]);
}

static bool is_printed(const char *name)
{
	for (size_t i = 0; i < METRICS_COUNT; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return true;
	return false;
}

static void named_print(const struct aedb_metric *metric, FILE *out)
{
	bool is_counter = metric->kind == AEDB_COUNTER;

	head_print(&(struct metric){ metric->name,
				     is_counter ? "counter" : "gauge",
				     metric->help, 0 }, out);
	fprintf(out, "aedb_%s %.*f\n", metric->name,
		metric->kind == AEDB_QUOTIENT ? QUOTIENT_DIGITS : 0,
		metric->value);
}

static void stats_print(const struct aedb_stats *stats, FILE *out)
{
	for (size_t i = 0; i < METRICS_COUNT; i++)
		number_print(&metrics[i],
			     *(const uint64_t *)((const char *)stats +
						 metrics[i].offset), out);
	seconds_print("wal_write_seconds_total", "Time spent in writes to the log.",
		      stats->wal_write_ns, out);
	seconds_print("wal_sync_seconds_total", "Time spent in syncs of the log.",
		      stats->wal_sync_ns, out);
	levels_print(LEVEL_SEGMENTS, "Segments of a level.",
		     stats->level_segments, out);
	levels_print(LEVEL_BYTES, "Bytes of a level's segments.",
		     stats->level_bytes, out);
}

void metrics_print(const struct aedb *db, FILE *out)
{
	struct aedb_metric named[AEDB_METRICS_MAX];
	size_t n = aedb_metrics(db, named);
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	stats_print(&stats, out);
	for (size_t i = 0; i < n; i++)
		if (!is_printed(named[i].name))
			named_print(&named[i], out);
}

void metrics_take(const struct aedb *db, struct metrics *ret)
{
	if (db)
		aedb_stats(db, &ret->stats);
	else
		memset(&ret->stats, 0, sizeof(ret->stats));
	ret->n = aedb_metrics(db, ret->named);
}

void metrics_print_gauge(const char *name, const char *help, uint64_t n,
			 FILE *out)
{
	number_print(&(struct metric){ name, "gauge", help, 0 }, n, out);
}

/* A line "aedb_NAME{level="N"} VALUE" of one of the figures by level. */
static void level_parse(const char *line, const char *name, uint64_t *levels)
{
	unsigned long long value;
	size_t n = strlen(name);
	int level;

	if (strncmp(line, name, n) == 0 &&
	    sscanf(line + n, "{level=\"%d\"} %llu", &level, &value) == 2 &&
	    level >= 0 && level < AEDB_LEVELS)
		levels[level] = value;
}

/* What stands behind a name; NULL: it is another's line. */
static const char *value_find(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncmp(line, name, n) == 0 && line[n] == ' ' ? line + n : NULL;
}

static void line_parse(const char *line, struct metrics *ret)
{
	static const char prefix[] = "aedb_";
	const char *value;

	if (strncmp(line, prefix, sizeof(prefix) - 1) != 0)
		return;
	line += sizeof(prefix) - 1;
	level_parse(line, LEVEL_SEGMENTS, ret->stats.level_segments);
	level_parse(line, LEVEL_BYTES, ret->stats.level_bytes);
	for (size_t i = 0; i < METRICS_COUNT; i++)
		if ((value = value_find(line, metrics[i].name)))
			*(uint64_t *)((char *)&ret->stats + metrics[i].offset) =
				strtoull(value, NULL, 10);
	for (size_t i = 0; i < ret->n; i++)
		if ((value = value_find(line, ret->named[i].name)))
			ret->named[i].value = strtod(value, NULL);
}

void metrics_parse(FILE *in, struct metrics *ret)
{
	char line[LINE_BYTES];

	metrics_take(NULL, ret);
	while (fgets(line, sizeof(line), in))
		line_parse(line, ret);
}
