/* aedb stats: what a database consists of. */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "metrics.h"
#include "mount_control.h"
#include "output.h"
#include "target.h"
#include "text.h"

/* Quotients that are of interest; below 0: of nothing. */
struct quotients {
	double space;		/* files, by what of them is live */
	double write;		/* written besides the log, by what was committed */
	double hits;		/* reads that found the cache filled */
};

static double quotient(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : -1;
}

static struct quotients quotients_of(const struct aedb_stats *s)
{
	return (struct quotients){
		.space = quotient(s->segment_bytes + s->value_bytes,
				  s->segment_live_bytes + s->value_live_bytes),
		.write = quotient(s->flush_bytes + s->compaction_write_bytes,
				  s->user_bytes),
		.hits = quotient(s->cache_hits,
				 s->cache_hits + s->cache_misses),
	};
}

/* Text. */

static void print_number(const char *name, uint64_t n)
{
	printf("%-22s%llu\n", name, (unsigned long long)n);
}

static void print_quotient(const char *name, double value)
{
	if (value < 0)
		printf("%-22s-\n", name);
	else
		printf("%-22s%.2f\n", name, value);
}

/* A size, and what of it is meant by `part`; NULL: no part. */
static void print_size(const char *name, uint64_t bytes, uint64_t part_bytes,
		       const char *part)
{
	char sizes[2][TEXT_SIZE_BYTES];

	printf("%-22s%s", name, text_format_size(bytes, sizes[0]));
	if (part)
		printf(", %s of them %s",
		       text_format_size(part_bytes, sizes[1]), part);
	putchar('\n');
}

static void print_segments(const char *name, uint64_t bytes, uint64_t n)
{
	char size[TEXT_SIZE_BYTES];

	printf("%-22s%s in %llu\n", name, text_format_size(bytes, size),
	       (unsigned long long)n);
}

static void print_levels(const struct aedb_stats *s)
{
	char name[32];

	print_segments("segments", s->segment_bytes, s->segments);
	for (int i = 0; i < AEDB_LEVELS; i++) {
		snprintf(name, sizeof(name), "  level %d", i);
		if (s->level_segments[i])
			print_segments(name, s->level_bytes[i],
				       s->level_segments[i]);
	}
}

static int print_text(const struct aedb_stats *s)
{
	struct quotients q = quotients_of(s);

	print_number("keys", s->keys);
	print_number("newest commit", s->visible_seq);
	print_number("checkpoint", s->checkpoint_seq);
	print_number("snapshots", s->snapshots);
	print_size("log", s->wal_disk_bytes, 0, NULL);
	print_levels(s);
	print_size("value files", s->value_bytes, s->value_live_bytes, "live");
	print_quotient("space amplification", q.space);
	print_quotient("write amplification", q.write);
	print_size("memory", s->memory_bytes, s->memtable_bytes, "memtables");
	print_size("cache", s->cache_capacity_bytes, s->cache_bytes, "used");
	print_quotient("cache hits", q.hits);
	return 0;
}

/* JSON. */

static int add_number(json_t *object, const char *name, uint64_t n)
{
	return output_json_result(json_object_set_new(
		object, name, json_integer((json_int_t)n)));
}

static int add_quotient(json_t *object, const char *name, double value)
{
	return output_json_result(json_object_set_new(
		object, name, value < 0 ? json_null() : json_real(value)));
}

static int add_numbers(json_t *object, const struct aedb_stats *s)
{
	const struct {
		const char *name;
		uint64_t n;
	} numbers[] = {
		{ "keys", s->keys },
		{ "visible_seq", s->visible_seq },
		{ "durable_seq", s->durable_seq },
		{ "checkpoint_seq", s->checkpoint_seq },
		{ "snapshots", s->snapshots },
		{ "wal_disk_bytes", s->wal_disk_bytes },
		{ "segments", s->segments },
		{ "segment_bytes", s->segment_bytes },
		{ "segment_live_bytes", s->segment_live_bytes },
		{ "value_bytes", s->value_bytes },
		{ "value_live_bytes", s->value_live_bytes },
		{ "memory_bytes", s->memory_bytes },
		{ "memtable_bytes", s->memtable_bytes },
		{ "cache_bytes", s->cache_bytes },
		{ "cache_capacity_bytes", s->cache_capacity_bytes },
		{ "cache_hits", s->cache_hits },
		{ "cache_misses", s->cache_misses },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) && rc == 0; i++)
		rc = add_number(object, numbers[i].name, numbers[i].n);
	return rc;
}

static int add_levels(json_t *object, const struct aedb_stats *s)
{
	json_t *levels = json_array();
	int rc = levels ? 0 : -1;

	for (int i = 0; i < AEDB_LEVELS && rc == 0; i++)
		rc = json_array_append_new(
			levels, json_pack("{s:I, s:I}", "segments",
					  (json_int_t)s->level_segments[i],
					  "bytes",
					  (json_int_t)s->level_bytes[i]));
	if (rc == 0)
		rc = json_object_set(object, "levels", levels);
	json_decref(levels);
	return output_json_result(rc);
}

/* Whole numbers are printed as such. */
static json_t *metric_json(const struct aedb_metric *metric)
{
	return metric->kind == AEDB_QUOTIENT ?
		       json_real(metric->value) :
		       json_integer((json_int_t)metric->value);
}

static int add_metrics(json_t *object, const struct metrics *all)
{
	json_t *metrics = json_object();
	int rc = metrics ? 0 : -1;

	for (size_t i = 0; i < all->n && rc == 0; i++)
		rc = json_object_set_new(metrics, all->named[i].name,
					 metric_json(&all->named[i]));
	if (rc == 0)
		rc = json_object_set(object, "metrics", metrics);
	json_decref(metrics);
	return output_json_result(rc);
}

static int print_json(const struct metrics *all)
{
	const struct aedb_stats *s = &all->stats;
	struct quotients q = quotients_of(s);
	json_t *object = json_object();
	int rc = add_numbers(object, s);

	if (rc == 0)
		rc = add_levels(object, s);
	if (rc == 0)
		rc = add_metrics(object, all);
	if (rc == 0)
		rc = add_quotient(object, "space_amplification", q.space);
	if (rc == 0)
		rc = add_quotient(object, "write_amplification", q.write);
	if (rc == 0)
		rc = add_quotient(object, "cache_hit_ratio", q.hits);
	if (rc < 0) {
		json_decref(object);
		return rc;
	}
	return output_json_line(object);
}

static int stats_closed(const char *path, struct metrics *ret)
{
	struct target target;
	int rc = target_open(path, TARGET_INSPECT, &target);

	if (rc < 0)
		return rc;
	metrics_take(target.db, ret);
	return target_close(&target, 0);
}

static int stats_mounted(const char *path, struct metrics *ret)
{
	struct mount_control control;
	FILE *in;
	int fd, rc = mount_control_open(path, &control);

	if (rc < 0)
		return rc;
	fd = mount_control_file(&control, ".metrics");
	in = fd < 0 ? NULL : fdopen(fd, "r");
	if (in) {
		metrics_parse(in, ret);
		fclose(in);
	} else {
		rc = fd < 0 ? fd : failure_system(errno, "%s", path);
	}
	mount_control_close(&control);
	return rc;
}

int cmd_stats(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	struct metrics all;
	int rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = target_is_mounted(argv[optind]);
	if (rc >= 0)
		rc = rc ? stats_mounted(argv[optind], &all) :
			  stats_closed(argv[optind], &all);
	if (rc < 0)
		return rc;
	return output_is_json() ? print_json(&all) : print_text(&all.stats);
}
