/*
 * A disk that is full: what does not fit fails and leaves nothing, all else is
 * there and can be read, what is deleted makes room for other things. On disks of
 * many sizes, and on one that becomes full at any moment.
 *
 * timeout: 300 s
 */
#include "../load.h"
#include "../simdisk.h"
#include "check.h"
#include "db.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define STEPS_MAX 4000
#define DELETED_AT_ONCE 50
#define KEPT 10			/* one key in so many */
#define NAME "kept"
#define FEW_STEPS 40
#define AGAIN_STEPS 10
#define CALL_STRIDE 17		/* every n-th call fails */

struct full {
	struct simdisk *disk;
	struct aedb_options options;
	struct aedb *db;
	struct load *load, *before;	/* the model, and as it was a step before */
	struct load_target target;
	bool is_failed;			/* writing stopped */
};

static uint8_t expected[LOAD_VALUE_BYTES_MAX];

static struct load *load_new(void)
{
	struct load *load = calloc(1, sizeof(*load));

	CHECK(load);
	return load;
}

static void full_start(struct full *f)
{
	CHECK_OK(db_open(simdisk_vfs(f->disk), "simdisk", &f->options, &f->db));
	CHECK_OK(load_target_open(&f->target, f->db, f->load));
}

static void full_stop(struct full *f)
{
	load_target_close(&f->target);
	CHECK_OK(aedb_close(f->db));
}

static void full_open(struct full *f, uint64_t memory_bytes)
{
	*f = (struct full){ .disk = simdisk_new(check_random()) };
	aedb_options_init(&f->options);
	f->options.mode = AEDB_OPEN_CREATE;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.durability = AEDB_BATCH;
	f->options.sync_interval_ms = 60000;
	f->options.memory_bytes = memory_bytes;
	f->load = load_new();
	f->before = load_new();
	load_init(f->load, check_random());
}

static void full_create(struct full *f)
{
	struct aedb *db;

	CHECK_OK(db_open(simdisk_vfs(f->disk), "simdisk", &f->options, &db));
	CHECK_OK(load_create(db));
	CHECK_OK(aedb_close(db));
	full_start(f);
}

static void full_close(struct full *f)
{
	full_stop(f);
	simdisk_free(f->disk);
	free(f->load);
	free(f->before);
}

static uint32_t step_of(const struct full *f)
{
	struct aedb_scope *scope;
	struct aedb_entry entry;
	uint32_t step = 0;
	int rc;

	CHECK_OK(aedb_scope_open(f->db, LOAD_PROJECT, "one", &scope));
	rc = aedb_get(scope, NULL, LOAD_STEP_KEY, strlen(LOAD_STEP_KEY), &entry);
	if (rc == 0) {
		memcpy(&step, entry.value, sizeof(step));
		aedb_unpin(&entry);
	}
	aedb_scope_close(scope);
	return step;
}

/* Of a commit whose outcome was unknown the database says now whether it is
 * there. */
static void full_reopen(struct full *f)
{
	int rc;

	load_target_close(&f->target);
	rc = aedb_close(f->db);
	f->is_failed |= rc < 0;
	rc = db_open(simdisk_vfs(f->disk), "simdisk", &f->options, &f->db);
	/* of the call that was to fail, which may have been the manifest's sync */
	if (rc == AEDB_NO_SPACE || rc == AEDB_IO)
		rc = db_open(simdisk_vfs(f->disk), "simdisk", &f->options, &f->db);
	CHECK_OK(rc);
	if (f->is_failed && step_of(f) == f->before->step)
		*f->load = *f->before;
	CHECK_OK(load_target_open(&f->target, f->db, f->load));
	f->is_failed = false;
}

/* Comparing. */

static size_t plane_count(struct aedb_scope *scope)
{
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t n = 0;
	int rc;

	CHECK_OK(aedb_scan_open(scope, NULL, &all, &scan));
	while ((rc = aedb_scan_next(scan, &entry)) == 0)
		n++;
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	aedb_scan_close(scan);
	return n;
}

static void plane_check(const struct full *f, int plane, struct aedb_scope *scope)
{
	size_t n = plane == 0 && f->load->step;

	for (uint32_t i = 0; i < LOAD_KEYS; i++) {
		const struct load_slot *slot = &f->load->slots[plane][i];
		char key[LOAD_KEY_BYTES_MAX];
		struct aedb_entry entry;

		if (!slot->step)
			continue;
		n++;
		load_value(f->load, slot, expected);
		CHECK_OK(aedb_get(scope, NULL, key, load_key(i, key), &entry));
		CHECK_EQ(entry.value_bytes, load_value_bytes(slot));
		CHECK(!entry.value_bytes ||
		      memcmp(entry.value, expected, entry.value_bytes) == 0);
		aedb_unpin(&entry);
	}
	CHECK_EQ(plane_count(scope), n);
}

static void full_check(const struct full *f)
{
	for (int plane = 0; plane < LOAD_PLANES; plane++) {
		struct aedb_scope *scope = load_plane(&f->target, plane);

		if (scope)
			plane_check(f, plane, scope);
	}
}

/* What a killed process leaves on the full disk. */
static void killed_check(const struct full *f)
{
	struct full killed = *f;

	killed.disk = simdisk_clone(f->disk);
	simdisk_crash(killed.disk, 1, SIMDISK_KILL);
	full_start(&killed);
	full_check(&killed);
	full_stop(&killed);
	simdisk_free(killed.disk);
}

/* Working. */

/* What changes nothing in the database's content. */
static void upkeep(struct full *f, int rc)
{
	f->is_failed |= rc == AEDB_UNKNOWN || rc == AEDB_IO;
	CHECK_THAT(rc == 0 || rc == AEDB_NO_SPACE || f->is_failed, "%s: %s",
		   aedb_strerror(rc), aedb_error_message());
}

/* A step; one that does not fit has not been. */
static int step_try(struct full *f)
{
	int rc;

	if (f->is_failed)
		return AEDB_IO;
	*f->before = *f->load;
	rc = load_commit(f->load, &f->target);
	upkeep(f, rc);
	if (rc == 0 || f->is_failed)
		return rc;
	*f->load = *f->before;
	load_target_close(&f->target);
	CHECK_OK(load_target_open(&f->target, f->db, f->load));
	return rc;
}

/* Also where there is no room for all of it, what it emptied is given back. */
static void compact(struct full *f)
{
	upkeep(f, aedb_compact(f->db));
	CHECK_THAT(f->is_failed || !atomic_load(&f->db->dead_bytes),
		   "%" PRIu64 " bytes of dead files stay",
		   atomic_load(&f->db->dead_bytes));
}

/* The same after upkeep, where it does not fit. */
static int step_make(struct full *f)
{
	aedb_seq_t seq;

	if (step_try(f) == 0)
		return 0;
	upkeep(f, aedb_checkpoint(f->db, &seq));
	compact(f);
	return step_try(f);
}

static void fill(struct full *f)
{
	for (int i = 0; i < STEPS_MAX; i++)
		if (step_make(f) < 0)
			return;
	CHECK_THAT(false, "the disk is not full after %d steps", STEPS_MAX);
}

static void keys_delete(struct full *f, int plane, struct aedb_scope *scope)
{
	struct load_slot *slots = f->load->slots[plane];

	for (uint32_t i = 0; i < LOAD_KEYS;) {
		struct aedb_txn *txn;
		char key[LOAD_KEY_BYTES_MAX];

		CHECK_OK(aedb_txn_begin(f->db, &txn));
		for (int n = 0; n < DELETED_AT_ONCE && i < LOAD_KEYS; n++, i++) {
			if (!slots[i].step || i % KEPT == 0)
				continue;
			slots[i].step = 0;
			CHECK_OK(aedb_txn_delete(txn, scope, key,
						 load_key(i, key)));
		}
		CHECK_OK(aedb_txn_commit(txn, NULL));
	}
}

/* With upkeep, which the background has much more of. */
static void most_delete(struct full *f)
{
	aedb_seq_t seq;

	for (int plane = 0; plane < LOAD_PLANES; plane++) {
		struct aedb_scope *scope = load_plane(&f->target, plane);

		if (scope)
			keys_delete(f, plane, scope);
		upkeep(f, aedb_checkpoint(f->db, &seq));
	}
}

static void one_size(uint64_t bytes)
{
	struct full f;
	uint64_t used;
	aedb_seq_t seq;
	int done = 0;

	full_open(&f, MIB);
	simdisk_limit_bytes(f.disk, bytes);
	full_create(&f);
	for (int i = 0; i < 50; i++)
		CHECK_OK(step_try(&f));
	CHECK_OK(aedb_snapshot_create(f.db, NAME, &seq));
	fill(&f);
	used = simdisk_used_bytes(f.disk);
	CHECK_THAT(used > bytes / 10 * 7, "full with %" PRIu64 " of %" PRIu64
		   " bytes", used, bytes);
	full_check(&f);
	killed_check(&f);
	full_stop(&f);
	full_start(&f);
	full_check(&f);
	most_delete(&f);
	CHECK_OK(aedb_snapshot_delete(f.db, NAME));
	full_check(&f);
	/* large ones among them need not fit */
	for (int i = 0; i < AGAIN_STEPS; i++)
		done += step_make(&f) == 0;
	CHECK(done >= AGAIN_STEPS / 2);
	full_check(&f);
	/* full once more, and what was written since is in the log still */
	fill(&f);
	for (int i = 0; i < AGAIN_STEPS; i++)
		step_make(&f);
	full_check(&f);
	full_stop(&f);
	full_start(&f);
	full_check(&f);
	full_close(&f);
}

TEST(sizes, "on a full disk of any size all is there, and deleting makes room")
{
	for (uint64_t bytes = 5 * MIB; bytes < 9 * MIB; bytes += 571 * KIB)
		one_size(bytes);
}

/* Somebody else takes all there is, after a number of steps. */
static void full_after(uint64_t seed, int steps)
{
	struct full f;

	check_state.random = seed;
	full_open(&f, 64 * KIB);
	simdisk_limit_bytes(f.disk, 64 * MIB);
	full_create(&f);
	for (int i = 0; i < steps; i++)
		CHECK_OK(step_try(&f));
	simdisk_limit_bytes(f.disk, simdisk_used_bytes(f.disk));
	for (int i = 0; i < FEW_STEPS; i++)
		step_try(&f);
	full_check(&f);
	killed_check(&f);
	most_delete(&f);
	upkeep(&f, aedb_compact(f.db));
	full_stop(&f);
	full_start(&f);
	full_check(&f);
	simdisk_limit_bytes(f.disk, 64 * MIB);
	for (int i = 0; i < FEW_STEPS; i++)
		CHECK_OK(step_try(&f));
	full_check(&f);
	full_close(&f);
}

TEST(any_moment, "a disk that others fill at any moment lets things be read and deleted")
{
	uint64_t seed = check_random();

	for (int steps = 1; steps <= FEW_STEPS; steps += 3)
		full_after(seed, steps);
}

/* A life of a database, one call of which finds no room; returns how many calls
 * there were. */
static uint64_t life(uint64_t seed, uint64_t call)
{
	struct full f;
	uint64_t calls;
	aedb_seq_t seq;

	check_state.random = seed;
	full_open(&f, 16 * KIB);
	full_create(&f);
	calls = simdisk_calls(f.disk);
	simdisk_fail_at(f.disk, call ? calls + call : 0, SIMDISK_ENOSPC);
	for (int i = 0; i < FEW_STEPS; i++)
		step_try(&f);
	upkeep(&f, aedb_snapshot_create(f.db, NAME, &seq));
	upkeep(&f, aedb_checkpoint(f.db, &seq));
	upkeep(&f, aedb_compact(f.db));
	full_reopen(&f);
	full_check(&f);
	killed_check(&f);
	calls = simdisk_calls(f.disk) - calls;
	/* syncs come when they come: the call may not have been reached yet */
	simdisk_fail_at(f.disk, 0, SIMDISK_ENOSPC);
	full_close(&f);
	return calls;
}

TEST(any_call, "any call that finds no room takes nothing but its own commit with it")
{
	uint64_t seed = check_random(), calls = life(seed, 0);

	for (uint64_t call = 1 + seed % CALL_STRIDE; call < calls;
	     call += CALL_STRIDE)
		life(seed, call);
}

#define TAIL_PUTS 1500u
#define TAIL_VALUE_BYTES 2000u
#define TAIL_CUTS 12

static void tail_options(struct aedb_options *ret)
{
	aedb_options_init(ret);
	ret->mode = AEDB_OPEN_CREATE;
	ret->maintenance = AEDB_ON_CALL;
	ret->durability = AEDB_OS;
	ret->wal_file_bytes = 4 * MIB;
}

static struct aedb *tail_open(struct simdisk *disk)
{
	struct aedb_options options;
	struct aedb *db;

	tail_options(&options);
	CHECK_OK(db_open(simdisk_vfs(disk), "simdisk", &options, &db));
	return db;
}

static size_t tail_key(unsigned int i, char *ret)
{
	return (size_t)sprintf(ret, "key-%05u", i);
}

/* A disk on which a killed process left a log that was never synced, and others
 * what room there was. */
static struct simdisk *tail_disk(void)
{
	struct simdisk *disk = simdisk_new(check_random()), *killed;
	struct aedb *db = tail_open(disk);
	struct aedb_scope *scope;
	char key[LOAD_KEY_BYTES_MAX];

	CHECK_OK(load_create(db));
	CHECK_OK(aedb_scope_open(db, LOAD_PROJECT, "one", &scope));
	for (unsigned int i = 0; i < TAIL_PUTS; i++) {
		memset(expected, (int)i, TAIL_VALUE_BYTES);
		CHECK_OK(aedb_put(scope, key, tail_key(i, key), expected,
				  TAIL_VALUE_BYTES));
	}
	killed = simdisk_clone(disk);
	simdisk_crash(killed, 1, SIMDISK_KILL);
	simdisk_limit_bytes(killed, simdisk_used_bytes(killed));
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	simdisk_free(disk);
	return killed;
}

/* How many of the commits there are; no other is. */
static unsigned int tail_count(struct aedb *db)
{
	struct aedb_scope *scope;
	struct aedb_entry entry;
	char key[LOAD_KEY_BYTES_MAX];
	unsigned int n = 0;

	if (aedb_scope_open(db, LOAD_PROJECT, "one", &scope) < 0)
		return 0;
	while (n < TAIL_PUTS &&
	       aedb_get(scope, NULL, key, tail_key(n, key), &entry) == 0) {
		CHECK_EQ(entry.value_bytes, TAIL_VALUE_BYTES);
		CHECK_EQ(((const uint8_t *)entry.value)[n], (uint8_t)n);
		aedb_unpin(&entry);
		n++;
	}
	CHECK_EQ(plane_count(scope), n);
	aedb_scope_close(scope);
	return n;
}

/* Opens while the power is cut in a call; 0: in none. Returns how many calls there
 * were. */
static uint64_t tail_cut(struct simdisk *full, uint64_t call)
{
	struct simdisk *disk = simdisk_clone(full);
	struct aedb_options options;
	uint64_t calls = simdisk_calls(disk);
	struct aedb *db;
	unsigned int n;

	tail_options(&options);
	simdisk_cut_at(disk, call ? calls + call : 0);
	if (db_open(simdisk_vfs(disk), "simdisk", &options, &db) == 0) {
		n = tail_count(db);
		CHECK_EQ(n, TAIL_PUTS);
		calls = simdisk_calls(disk) - calls;
		simdisk_crash(disk, call, SIMDISK_DROP_ALL);
		aedb_close(db);
	} else {
		n = 0;
		CHECK(call > 0);
		simdisk_crash(disk, call, SIMDISK_RANDOM);
	}
	simdisk_limit_bytes(disk, 0);
	db = tail_open(disk);
	CHECK(tail_count(db) >= n);
	CHECK_OK(aedb_close(db));
	simdisk_free(disk);
	return calls;
}

TEST(tail, "an unsynced log is kept where there is no room for a copy, whenever power is cut")
{
	struct simdisk *full = tail_disk();
	uint64_t calls = tail_cut(full, 0);

	for (uint64_t i = 1; i < TAIL_CUTS; i++)
		tail_cut(full, calls * i / TAIL_CUTS);
	simdisk_free(full);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
