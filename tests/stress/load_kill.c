/*
 * A long mixed load on a database, killed at random moments, each time reopened
 * and compared with the model (load.h).
 *
 *	load_kill DIR ROUNDS SEED [MEMORY_BYTES]
 *
 * Beside the load a second thread makes, renames and deletes named snapshots,
 * writes checkpoints and compacts. A named snapshot says in its name after which
 * step it was made at the earliest, and in its key LOAD_STEP_KEY after which it
 * was; it is compared with the model of that step.
 *
 * Exit status 0: every round was as it must be; 1: not, with the first
 * difference on stderr.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define SNAPSHOTS_MAX 4
#define ROUND_MS_MAX 1200
#define STEPS_MAX 4000000u
#define PART_BYTES 40000

/* What the killed process had been told by then. All but the names atomic; a
 * name is whole when its number is not 0. */
struct told {
	_Atomic uint32_t steps;
	_Atomic uint32_t n_created, n_deleted;
	char created[AEDB_NAME_BYTES_MAX + 1];
	char deleted[AEDB_NAME_BYTES_MAX + 1];
};

static uint64_t seed, memory_bytes = 1u << 20;
static struct told *told;
static uint8_t expected[LOAD_VALUE_BYTES_MAX], part[PART_BYTES];

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (seed %" PRIu64 ", memory %" PRIu64 ")\n", seed,
		memory_bytes);
	_exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		fail("%s: %s: %s", what, aedb_strerror(rc),
		     aedb_error_message());
}

static struct aedb *database_open(const char *directory, enum aedb_open_mode mode)
{
	struct aedb_options options;
	struct aedb *db;

	aedb_options_init(&options);
	options.mode = mode;
	options.durability = AEDB_BATCH;
	options.memory_bytes = memory_bytes;
	options.wal_file_bytes = 1u << 20;
	options.checkpoint_ops = 5000;
	options.checkpoint_log_bytes = 4u << 20;
	options.compaction_rate = 0;
	must(aedb_open(directory, &options, &db), "open");
	return db;
}

/* How many steps a view shows. */
static uint32_t step_read(struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot)
{
	struct aedb_entry entry;
	uint32_t step = 0;
	int rc = aedb_get(scope, snapshot, LOAD_STEP_KEY, strlen(LOAD_STEP_KEY),
			  &entry);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	must(rc, "get step");
	memcpy(&step, entry.value, sizeof(step));
	aedb_unpin(&entry);
	if (step > STEPS_MAX)
		fail("the database says %" PRIu32 " steps were made", step);
	return step;
}

/* Comparing. */

/* One state of the database and the model of it. */
struct view {
	const struct load_target *target;
	const struct aedb_snapshot *snapshot;
	const struct load *load;
};

static void entry_compare(const struct view *view, const struct aedb_entry *entry,
			  const char *key, const struct load_slot *slot)
{
	uint8_t attr[LOAD_ATTR_BYTES_MAX];
	size_t n = load_attr(view->load, slot, attr);

	if (entry->value_bytes != load_value_bytes(slot))
		fail("%s: %" PRIu64 " bytes instead of %" PRIu32, key,
		     entry->value_bytes, load_value_bytes(slot));
	if (entry->attr_bytes != n || (n && memcmp(entry->attr, attr, n) != 0))
		fail("%s: other attributes", key);
	if (slot->id && entry->id != slot->id)
		fail("%s: id %" PRIu64 " instead of %" PRIu64, key, entry->id,
		     slot->id);
	if (slot->mtime_step && entry->mtime_ns != load_mtime_ns(slot))
		fail("%s: mtime %" PRId64 " instead of %" PRId64, key,
		     entry->mtime_ns, load_mtime_ns(slot));
}

static void bytes_compare(const char *key, const void *bytes, size_t n,
			  size_t offset)
{
	if (n && memcmp(bytes, expected + offset, n) != 0)
		fail("%s: other bytes from %zu on", key, offset);
}

/* The value in one piece. */
static void value_compare(const struct view *view, struct aedb_scope *scope,
			  uint32_t number, const struct load_slot *slot)
{
	char key[LOAD_KEY_BYTES_MAX];
	struct aedb_entry entry;
	size_t n = load_key(number, key);

	must(aedb_get(scope, view->snapshot, key, n, &entry), key);
	entry_compare(view, &entry, key, slot);
	bytes_compare(key, entry.value, entry.value_bytes, 0);
	aedb_unpin(&entry);
}

/* The value in parts. */
static void parts_compare(const struct view *view, struct aedb_scope *scope,
			  uint32_t number, const struct load_slot *slot)
{
	char key[LOAD_KEY_BYTES_MAX];
	struct aedb_reader *reader;
	size_t n = load_key(number, key), offset = 0;

	must(aedb_reader_open(scope, view->snapshot, key, n, &reader), key);
	entry_compare(view, aedb_reader_entry(reader), key, slot);
	do {
		must(aedb_reader_read(reader, part, sizeof(part), offset, &n),
		     key);
		bytes_compare(key, part, n, offset);
		offset += n;
	} while (n);
	if (offset != load_value_bytes(slot))
		fail("%s: reading ends at %zu", key, offset);
	aedb_reader_close(reader);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Every key that is there must be in the model, and every one of the model is
 * found. */
static void names_compare(const struct view *view, struct aedb_scope *scope,
			  int plane)
{
	static char names[LOAD_KEYS + 1][LOAD_KEY_BYTES_MAX];
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t n = 0, found = 0;
	int rc;

	for (uint32_t i = 0; i < LOAD_KEYS; i++)
		if (view->load->slots[plane][i].step)
			load_key(i, names[n++]);
	if (plane == 0 && view->load->step)
		strcpy(names[n++], LOAD_STEP_KEY);
	qsort(names, n, sizeof(names[0]), name_compare);
	must(aedb_scan_open(scope, view->snapshot, &all, &scan), "scan");
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		if (found == n || strlen(names[found]) != entry.key_bytes ||
		    memcmp(names[found], entry.key, entry.key_bytes) != 0)
			fail("scan gave %.*s instead of %s",
			     (int)entry.key_bytes, (const char *)entry.key,
			     found < n ? names[found] : "the end");
		found++;
	}
	if (rc != AEDB_NOT_FOUND)
		must(rc, "scan");
	if (found != n)
		fail("scan ended after %zu of %zu keys, before %s", found, n,
		     names[found]);
	aedb_scan_close(scan);
}

static void plane_compare(const struct view *view, struct aedb_scope *scope,
			  int plane)
{
	names_compare(view, scope, plane);
	for (uint32_t i = 0; i < LOAD_KEYS; i++) {
		const struct load_slot *slot = &view->load->slots[plane][i];

		if (!slot->step)
			continue;
		load_value(view->load, slot, expected);
		if (slot->step % 2)
			value_compare(view, scope, i, slot);
		else
			parts_compare(view, scope, i, slot);
	}
}

/* A scope of a snapshot that was dropped since cannot be opened any more. */
static void view_compare(const struct view *view, const struct load *newest)
{
	for (int plane = 0; plane < LOAD_PLANES; plane++) {
		int scope = plane < LOAD_SCOPES ? plane : 0;
		uint32_t made = view->load->scopes[scope].made_step;

		if (made && made == newest->scopes[scope].made_step)
			plane_compare(view, load_plane(view->target, plane),
				      plane);
	}
}

static void snapshot_compare(const struct load_target *target,
			     const struct load *newest, const char *name)
{
	struct load *load = calloc(1, sizeof(*load));
	uint32_t least = (uint32_t)strtoul(name + 1, NULL, 10), step;
	struct aedb_snapshot *snapshot;

	must(aedb_snapshot_open_named(target->db, name, &snapshot),
	     "open snapshot");
	step = step_read(target->scopes[0], snapshot);
	if (!load || step < least || step > newest->step)
		fail("snapshot %s shows step %" PRIu32, name, step);
	load_init(load, seed);
	load_go_to(load, step);
	view_compare(&(struct view){ target, snapshot, load }, newest);
	aedb_snapshot_close(snapshot);
	free(load);
}

static void snapshots_compare(const struct load_target *target,
			      const struct load *newest)
{
	struct aedb_snapshot_info info = { .name = "" };
	bool has_created = !told->n_created;

	while (aedb_snapshot_next(target->db, info.name, &info) == 0) {
		snapshot_compare(target, newest, info.name);
		has_created |= strcmp(info.name, told->created) == 0;
		if (told->n_deleted && strcmp(info.name, told->deleted) == 0)
			fail("snapshot %s was deleted", info.name);
	}
	if (!has_created)
		fail("snapshot %s is gone", told->created);
}

static uint32_t database_step(struct aedb *db)
{
	struct aedb_scope *scope;
	uint32_t step;

	must(aedb_scope_open(db, LOAD_PROJECT, "one", &scope), "open scope");
	step = step_read(scope, NULL);
	aedb_scope_close(scope);
	return step;
}

static void round_print(struct aedb *db, uint32_t step)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	printf("after %" PRIu32 " steps: %" PRIu64 " keys, %" PRIu64
	       " segments, %" PRIu64 " KiB of values, checkpoint %" PRIu64
	       " of %" PRIu64 "\n", step, stats.keys, stats.segments,
	       stats.value_bytes >> 10, (uint64_t)stats.checkpoint_seq,
	       (uint64_t)stats.visible_seq);
	fflush(stdout);
}

/* Brings the model to where the database says it is, and compares. */
static void check(const char *directory, struct load *load)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_EXISTING);
	uint32_t step = database_step(db);
	struct load_target target;
	struct aedb_stats stats;

	if (step < told->steps || step > told->steps + 1)
		fail("%" PRIu32 " steps were acknowledged, %" PRIu32 " are there",
		     told->steps, step);
	load_go_to(load, step);
	told->steps = step;
	must(load_target_open(&target, db, load), "open scopes");
	view_compare(&(struct view){ &target, NULL, load }, load);
	snapshots_compare(&target, load);
	aedb_stats(db, &stats);
	if (stats.keys != load_keys(load))
		fail("%" PRIu64 " keys are counted instead of %" PRIu64,
		     stats.keys, load_keys(load));
	round_print(db, step);
	load_target_close(&target);
	must(aedb_close(db), "close");
}

/* The load. */

static void snapshot_create(struct aedb *db, uint64_t *state)
{
	char name[64], to[sizeof(name) + 8];
	bool is_renamed = load_draw(state, 4) == 0;

	sprintf(name, "s%010" PRIu32 ".%" PRIu64, told->steps,
		load_draw(state, 1u << 30));
	sprintf(to, "%s%s", name, is_renamed ? ".again" : "");
	must(aedb_snapshot_create(db, name, NULL), "create snapshot");
	if (is_renamed)
		must(aedb_snapshot_rename(db, name, to), "rename snapshot");
	told->n_created = 0;
	strcpy(told->created, to);
	told->n_created = 1;
}

static void snapshot_delete(struct aedb *db, const char *name)
{
	must(aedb_snapshot_delete(db, name), "delete snapshot");
	told->n_deleted = 0;
	strcpy(told->deleted, name);
	told->n_deleted = 1;
}

static void snapshot_some(struct aedb *db, uint64_t *state)
{
	struct aedb_snapshot_info info = { .name = "" };
	char oldest[sizeof(info.name)] = "";
	int n = 0;

	while (aedb_snapshot_next(db, info.name, &info) == 0)
		if (!n++)
			strcpy(oldest, info.name);
	if (n == SNAPSHOTS_MAX)
		snapshot_delete(db, oldest);
	snapshot_create(db, state);
}

static void *upkeep_run(void *arg)
{
	struct aedb *db = arg;
	uint64_t state = seed ^ (uint64_t)getpid() << 20;

	for (;;) {
		uint64_t kind = load_draw(&state, 12);

		usleep((useconds_t)load_draw(&state, 100000));
		if (kind < 6)
			snapshot_some(db, &state);
		else if (kind < 10)
			must(aedb_checkpoint(db, NULL), "checkpoint");
		else
			must(aedb_compact(db), "compact");
	}
	return NULL;
}

__attribute__((noreturn))
static void load_run(const char *directory, struct load *load)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_EXISTING);
	struct load_target target;
	pthread_t upkeep;

	must(load_target_open(&target, db, load), "open scopes");
	if (pthread_create(&upkeep, NULL, upkeep_run, db) != 0)
		fail("no thread");
	for (;;) {
		must(load_commit(load, &target), "commit");
		told->steps = load->step;
	}
}

/* Lets a load run for a while and kills it; in one round of eight while it is
 * opening the database. */
static void round_kill(const char *directory, struct load *load,
		       uint64_t *state)
{
	uint64_t us = load_draw(state, load_draw(state, 8) ? ROUND_MS_MAX * 1000 :
							     20000);
	pid_t child = fork();
	int status;

	if (child == 0)
		load_run(directory, load);
	if (child < 0)
		fail("fork: %s", strerror(errno));
	nanosleep(&(struct timespec){ (time_t)(us / 1000000),
				      (long)(us % 1000000) * 1000 }, NULL);
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid: %s", strerror(errno));
	if (WIFEXITED(status))
		fail("the load ended by itself");
}

static void database_make(const char *directory)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_NEW);

	must(load_create(db), "create");
	must(aedb_wait_durable(db, aedb_visible_seq(db)), "sync");
	must(aedb_close(db), "close");
}

int main(int argc, char **argv)
{
	struct load *load = calloc(1, sizeof(*load));
	uint64_t state;

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 4 || !load || told == MAP_FAILED) {
		fprintf(stderr, "usage: load_kill DIR ROUNDS SEED [MEMORY_BYTES]\n");
		return 2;
	}
	seed = strtoull(argv[3], NULL, 10);
	if (argc > 4)
		memory_bytes = strtoull(argv[4], NULL, 10);
	state = seed + 1;
	load_init(load, seed);
	database_make(argv[1]);
	for (long i = 0; i < strtol(argv[2], NULL, 10); i++) {
		round_kill(argv[1], load, &state);
		check(argv[1], load);
	}
	free(load);
	return 0;
}
