/*
 * A long mixed load on a database, killed at random moments, each time reopened
 * and compared with a shadow model.
 *
 *	load_kill DIR ROUNDS SEED [MEMORY_BYTES]
 *
 * Step i of the load follows from the seed and i alone, and puts its number into
 * the key `step` in the same commit. So a reopened database says itself after
 * how many steps it must be, and the model makes the same steps in memory. Named
 * snapshots say in their names after which step they were made, and are compared
 * with the model of that step.
 *
 * Exit status 0: every round was as it must be; 1: not, with the first
 * difference on stderr.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aedb.h"

#define SCOPES 2
#define KEYS 6000u
#define VALUE_BYTES_MAX (300u << 10)
#define PUTS_MAX 16
#define SNAPSHOTS_MAX 4
#define ROUND_MS_MAX 1200
#define STEPS_MAX 4000000u

/* What a key has: the step that put it (0: it is not there) and which slot's
 * bytes these were, since keys move. */
struct slot {
	uint32_t step, source, bytes;
};

struct shadow {
	struct slot slots[SCOPES][KEYS];
	uint32_t step;		/* so many were made */
};

static const char *const scope_names[SCOPES] = { "one", "two" };
static uint64_t seed;
static uint64_t memory_bytes = 1u << 20;
static uint8_t buffer[VALUE_BYTES_MAX], expected[VALUE_BYTES_MAX];

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (seed %" PRIu64 ")\n", seed);
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		fail("%s: %s: %s", what, aedb_strerror(rc),
		     aedb_error_message());
}

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Numbers of one step. */
static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state = mix(*state);
	return *state % below;
}

static size_t key_make(char *key, uint32_t number)
{
	return (size_t)sprintf(key, "%c/key-%05" PRIu32, 'a' + (int)(number % 7),
			       number);
}

static void value_make(uint8_t *at, const struct slot *slot)
{
	uint64_t state = mix(seed ^ slot->step) ^ slot->source;

	for (uint32_t i = 0; i < slot->bytes; i += 8) {
		uint32_t n = slot->bytes - i < 8 ? slot->bytes - i : 8;

		/* half of it compresses */
		state = i % 16 ? state : mix(state);
		memcpy(at + i, &state, n);
	}
}

static uint32_t bytes_draw(uint64_t *state)
{
	uint64_t kind = draw(state, 1000);

	if (kind < 900)
		return (uint32_t)draw(state, 200);
	if (kind < 996)
		return (uint32_t)draw(state, 20u << 10);
	return (uint32_t)draw(state, VALUE_BYTES_MAX);
}

/* One step on the model and, unless txn is NULL, as operations. */
struct stepper {
	struct shadow *shadow;
	struct aedb_txn *txn;
	struct aedb_scope **scopes;
};

static void put(struct stepper *s, int scope, uint32_t number, uint64_t *state)
{
	struct slot *slot = &s->shadow->slots[scope][number];
	struct aedb_put put = { 0 };
	char key[32];

	*slot = (struct slot){ s->shadow->step + 1, number, bytes_draw(state) };
	if (!s->txn)
		return;
	put.key = key;
	put.key_bytes = key_make(key, number);
	value_make(buffer, slot);
	put.value = buffer;
	put.value_bytes = slot->bytes;
	must(aedb_txn_put(s->txn, s->scopes[scope], &put), "put");
}

static void delete(struct stepper *s, int scope, uint32_t number)
{
	struct slot *slot = &s->shadow->slots[scope][number];
	char key[32];
	size_t n = key_make(key, number);

	if (!slot->step)
		return;
	slot->step = 0;
	if (s->txn)
		must(aedb_txn_delete(s->txn, s->scopes[scope], key, n), "delete");
}

static void move(struct stepper *s, int from, uint32_t a, int to, uint32_t b)
{
	struct slot *slot = &s->shadow->slots[from][a];
	char key[32], to_key[32];
	size_t n = key_make(key, a), to_n = key_make(to_key, b);

	if (!slot->step || (from == to && a == b))
		return;
	s->shadow->slots[to][b] = *slot;
	slot->step = 0;
	if (s->txn)
		must(aedb_txn_move(s->txn, s->scopes[from], key, n,
				   s->scopes[to], to_key, to_n), "move");
}

static void step_make(struct stepper *s)
{
	uint64_t state = mix(seed) ^ (s->shadow->step + UINT64_C(1));
	uint64_t kind = draw(&state, 100);
	int scope = (int)draw(&state, SCOPES);
	uint64_t n = draw(&state, PUTS_MAX) + 1;
	uint32_t first = (uint32_t)draw(&state, KEYS);

	if (kind < 75)
		for (uint64_t i = 0; i < n; i++)
			put(s, scope, (uint32_t)draw(&state, KEYS), &state);
	else if (kind < 90)
		for (uint64_t i = 0; i < n; i++)
			delete(s, scope, (uint32_t)draw(&state, KEYS));
	else if (kind < 99)
		move(s, scope, first, (int)draw(&state, SCOPES),
		     (uint32_t)draw(&state, KEYS));
	else	/* a stretch of keys goes */
		for (uint32_t i = first; i < first + 400 && i < KEYS; i++)
			delete(s, scope, i);
	s->shadow->step++;
}

static void shadow_go_to(struct shadow *shadow, uint32_t step)
{
	struct stepper s = { .shadow = shadow };

	if (step > STEPS_MAX)
		fail("the database says %" PRIu32 " steps were made", step);
	while (shadow->step < step)
		step_make(&s);
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

static void scopes_open(struct aedb *db, struct aedb_scope **scopes)
{
	for (int i = 0; i < SCOPES; i++)
		must(aedb_scope_open(db, "p", scope_names[i], &scopes[i]),
		     "open scope");
}

/* How many steps a view shows. */
static uint32_t step_read(struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot)
{
	struct aedb_entry entry;
	uint32_t step = 0;
	int rc = aedb_get(scope, snapshot, "step", 4, &entry);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	must(rc, "get step");
	memcpy(&step, entry.value, sizeof(step));
	aedb_unpin(&entry);
	return step;
}

/* Comparing. */

static void value_compare(struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot, const char *key,
			  size_t n, const struct slot *slot)
{
	struct aedb_entry entry;

	must(aedb_get(scope, snapshot, key, n, &entry), key);
	value_make(expected, slot);
	if (entry.value_bytes != slot->bytes)
		fail("%s: %" PRIu64 " bytes instead of %" PRIu32, key,
		     entry.value_bytes, slot->bytes);
	if (slot->bytes && memcmp(entry.value, expected, slot->bytes) != 0)
		fail("%s: other bytes", key);
	aedb_unpin(&entry);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Every key that is there must be in the model, and every one of the model is
 * found. */
static void scope_compare(struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot,
			  const struct slot *slots, bool has_step)
{
	static char names[KEYS + 1][32];
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t n = 0, found = 0;
	int rc;

	for (uint32_t i = 0; i < KEYS; i++)
		if (slots[i].step)
			key_make(names[n++], i);
	if (has_step)
		strcpy(names[n++], "step");
	qsort(names, n, sizeof(names[0]), name_compare);
	must(aedb_scan_open(scope, snapshot, &all, &scan), "scan");
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

static void view_compare(struct aedb *db, const struct aedb_snapshot *snapshot,
			 const struct shadow *shadow)
{
	struct aedb_scope *scopes[SCOPES];
	char key[32];

	scopes_open(db, scopes);
	for (int scope = 0; scope < SCOPES; scope++) {
		const struct slot *slots = shadow->slots[scope];

		scope_compare(scopes[scope], snapshot, slots,
			      scope == 0 && shadow->step);
		for (uint32_t i = 0; i < KEYS; i++)
			if (slots[i].step)
				value_compare(scopes[scope], snapshot, key,
					      key_make(key, i), &slots[i]);
		aedb_scope_close(scopes[scope]);
	}
}

static void snapshots_compare(struct aedb *db)
{
	struct aedb_snapshot_info info = { .name = "" };
	struct aedb_snapshot *snapshot;
	struct shadow *shadow;

	while (aedb_snapshot_next(db, info.name, &info) == 0) {
		shadow = calloc(1, sizeof(*shadow));
		shadow_go_to(shadow, (uint32_t)strtoul(info.name + 1, NULL, 10));
		must(aedb_snapshot_open_named(db, info.name, &snapshot),
		     "open snapshot");
		view_compare(db, snapshot, shadow);
		aedb_snapshot_close(snapshot);
		free(shadow);
	}
}

/* A process of its own, so that the next load starts with nothing. */
static void check(const char *directory, uint32_t acknowledged,
		  struct shadow *shadow)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_EXISTING);
	struct aedb_scope *scopes[SCOPES];
	struct aedb_stats stats;
	uint32_t step;

	scopes_open(db, scopes);
	step = step_read(scopes[0], NULL);
	for (int i = 0; i < SCOPES; i++)
		aedb_scope_close(scopes[i]);
	if (step < acknowledged || step > acknowledged + 1)
		fail("%" PRIu32 " steps were acknowledged, %" PRIu32 " are there",
		     acknowledged, step);
	shadow_go_to(shadow, step);
	view_compare(db, NULL, shadow);
	snapshots_compare(db);
	aedb_stats(db, &stats);
	must(aedb_close(db), "close");
	printf("after %" PRIu32 " steps: %" PRIu64 " keys, %" PRIu64
	       " segments, %" PRIu64 " KiB of values, checkpoint %" PRIu64
	       " of %" PRIu64 "\n", step, stats.keys, stats.segments,
	       stats.value_bytes >> 10, (uint64_t)stats.checkpoint_seq,
	       (uint64_t)stats.visible_seq);
	fflush(stdout);
}

/* The load. */

static void snapshot_some(struct aedb *db, uint32_t step)
{
	struct aedb_snapshot_info info = { .name = "" };
	char oldest[sizeof(info.name)] = "", name[32];
	int n = 0;

	while (aedb_snapshot_next(db, info.name, &info) == 0) {
		if (!n++)
			strcpy(oldest, info.name);
	}
	if (n == SNAPSHOTS_MAX)
		must(aedb_snapshot_delete(db, oldest), "delete snapshot");
	sprintf(name, "s%010" PRIu32, step);
	must(aedb_snapshot_create(db, name, NULL), "create snapshot");
}

static void step_commit(struct aedb *db, struct aedb_scope **scopes,
			struct shadow *shadow)
{
	struct stepper s = { .shadow = shadow, .scopes = scopes };
	struct aedb_put put = { .key = "step", .key_bytes = 4,
				.value = &shadow->step,
				.value_bytes = sizeof(shadow->step) };

	must(aedb_txn_begin(db, &s.txn), "begin");
	step_make(&s);
	must(aedb_txn_put(s.txn, scopes[0], &put), "put step");
	must(aedb_txn_commit(s.txn, NULL), "commit");
}

__attribute__((noreturn))
static void load(const char *directory, struct shadow *shadow,
		 volatile uint32_t *acknowledged)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_EXISTING);
	struct aedb_scope *scopes[SCOPES];
	uint64_t state = mix(seed ^ shadow->step) ^ (uint64_t)getpid();

	scopes_open(db, scopes);
	for (;;) {
		uint64_t also = draw(&state, 4000);

		step_commit(db, scopes, shadow);
		*acknowledged = shadow->step;
		if (also < 8)
			snapshot_some(db, shadow->step);
		else if (also < 14)
			must(aedb_checkpoint(db, NULL), "checkpoint");
		else if (also < 15)
			must(aedb_compact(db), "compact");
	}
}

static void database_make(const char *directory)
{
	struct aedb *db = database_open(directory, AEDB_OPEN_NEW);

	must(aedb_create(db, (struct aedb_place){ "p", NULL }), "create project");
	for (int i = 0; i < SCOPES; i++)
		must(aedb_create(db, (struct aedb_place){ "p", scope_names[i] }),
		     "create scope");
	must(aedb_wait_durable(db, aedb_visible_seq(db)), "sync");
	must(aedb_close(db), "close");
}

/* Lets a load run for a while and kills it. */
static void round_kill(const char *directory, struct shadow *shadow,
		       volatile uint32_t *acknowledged, uint64_t *state)
{
	uint64_t ms = draw(state, ROUND_MS_MAX) + 20;
	struct timespec pause = { (time_t)(ms / 1000),
				  (long)(ms % 1000) * 1000000 };
	pid_t child = fork();
	int status;

	if (child == 0)
		load(directory, shadow, acknowledged);
	if (child < 0)
		fail("fork: %s", strerror(errno));
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid: %s", strerror(errno));
	if (WIFEXITED(status))
		fail("the load ended by itself");
}

int main(int argc, char **argv)
{
	struct shadow *shadow = calloc(1, sizeof(*shadow));
	volatile uint32_t *acknowledged =
		mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t state;

	if (argc < 4 || !shadow || acknowledged == MAP_FAILED) {
		fprintf(stderr, "usage: load_kill DIR ROUNDS SEED [MEMORY_BYTES]\n");
		return 2;
	}
	seed = strtoull(argv[3], NULL, 10);
	if (argc > 4)
		memory_bytes = strtoull(argv[4], NULL, 10);
	state = mix(seed);
	database_make(argv[1]);
	for (long i = 0; i < strtol(argv[2], NULL, 10); i++) {
		round_kill(argv[1], shadow, acknowledged, &state);
		check(argv[1], *acknowledged, shadow);
		*acknowledged = shadow->step;
	}
	free(shadow);
	return 0;
}
