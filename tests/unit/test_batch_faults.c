/*
 * Batches when the power is cut or a call fails, in every call.
 *
 * One history of commits and batches is run again and again; what is there
 * afterwards must be what it was after one of its steps, and not before the last
 * that was promised.
 */
#include "batch_fixture.h"

#define LARGE_BYTES 150000
#define RANDOM_CUTS 8	/* of each call, each with another outcome */

struct run {
	struct fixture f;
	struct aedb_batch *batch;
	struct aedb_scope *made;	/* p/n, which the batch makes, and others do */
	int done;			/* steps that returned success */
	bool is_filled;			/* the batch has all it commits */
};

/* Steps that others see, in their order; 0: the beginning. */
enum step {
	STEP_BESIDE = 1,	/* commits beside the open batch */
	STEP_BATCH,
	STEP_AFTER,
	STEP_LAST,
};

static const uint8_t *large(uint64_t seed)
{
	static uint8_t bytes[LARGE_BYTES];

	bytes_fill(bytes, sizeof(bytes), seed);
	return bytes;
}

static void run_begin(struct run *h)
{
	*h = (struct run){ .done = 0 };
	fixture_init(&h->f);
	h->f.options.maintenance = AEDB_ON_CALL;
	h->f.options.wal_file_bytes = 1 << 20;
	fixture_start(&h->f);
	CHECK_OK(put_text(h->f.scope, "a", "1"));
	CHECK_OK(put_text(h->f.scope, "gone", "1"));
	CHECK_OK(aedb_put(h->f.scope, "large", 5, large(1), LARGE_BYTES));
	CHECK_OK(aedb_checkpoint(h->f.db, NULL));
}

static int step_end(struct run *h, int rc, enum step step)
{
	if (rc == 0)
		h->done = step;
	return rc;
}

static int batch_fill(struct run *h)
{
	struct fixture *f = &h->f;
	int rc = aedb_batch_begin(f->db, &h->batch);

	if (rc == 0)
		rc = batch_put(h->batch, f->scope, "a", "2");
	if (rc == 0)
		rc = batch_delete(h->batch, f->scope, "gone");
	if (rc == 0)
		rc = batch_move(h->batch, f->scope, "large", "moved");
	return rc;
}

/* Values that no other commit's sync brings to the disk. */
static int batch_fill_more(struct run *h)
{
	struct fixture *f = &h->f;
	int rc = batch_put_full(h->batch, f->scope, &(struct aedb_put){
		.key = "page", .key_bytes = 4, .value = large(2),
		.value_bytes = 5000 });

	if (rc == 0)
		rc = batch_put_full(h->batch, f->scope, &(struct aedb_put){
			.key = "new", .key_bytes = 3, .value = large(3),
			.value_bytes = LARGE_BYTES });
	if (rc == 0)
		rc = batch_create(h->batch, "p", "n");
	if (rc == 0)
		rc = aedb_scope_open_at(f->db, aedb_batch_view(h->batch), "p",
					"n", &h->made);
	return rc == 0 ? batch_put(h->batch, h->made, "k", "v") : rc;
}

/* The scope that the batch makes, too, before what the step is known by. */
static int beside_commit(struct run *h)
{
	struct aedb_scope *made;
	int rc = aedb_create(h->f.db, place("p", "n"));

	if (rc == 0)
		rc = aedb_scope_open(h->f.db, "p", "n", &made);
	if (rc < 0)
		return rc;
	rc = put_text(made, "theirs", "1");
	aedb_scope_close(made);
	return rc < 0 ? rc : put_text(h->f.scope, "beside", "1");
}

/* All but the batch's end, which is told by its commit. */
static int run_all(struct run *h)
{
	struct fixture *f = &h->f;
	int rc = batch_fill(h);

	if (rc == 0)
		rc = step_end(h, beside_commit(h), STEP_BESIDE);
	if (rc == 0)
		rc = batch_fill_more(h);
	h->is_filled = rc == 0;
	if (rc == 0)
		rc = aedb_batch_commit(h->batch, NULL);
	if (rc < 0)
		return rc;
	h->batch = NULL;
	h->done = STEP_BATCH;
	rc = step_end(h, put_text(f->scope, "after", "1"), STEP_AFTER);
	if (rc == 0)
		rc = aedb_checkpoint(f->db, NULL);
	if (rc == 0)
		rc = aedb_batch_begin(f->db, &h->batch);
	if (rc == 0)
		rc = batch_put(h->batch, f->scope, "never", "1");
	if (rc == 0)
		rc = step_end(h, put_text(f->scope, "last", "1"), STEP_LAST);
	return rc;
}

/* Ends what is open, whatever it says. */
static void run_end(struct run *h)
{
	aedb_batch_abort(h->batch);
	aedb_scope_close(h->made);
	aedb_scope_close(h->f.scope);
	if (h->f.db)
		aedb_close(h->f.db);
	h->batch = NULL;
	h->made = h->f.scope = NULL;
	h->f.db = NULL;
}

static void large_check(struct aedb_scope *scope, const char *key, uint64_t seed,
			size_t n)
{
	struct aedb_entry e;

	CHECK_OK(aedb_get(scope, NULL, key, strlen(key), &e));
	CHECK_EQ(e.value_bytes, n);
	CHECK_MEM(e.value, large(seed), n);
	aedb_unpin(&e);
}

/* What p/n holds. */
static void made_check(struct run *h, const char *keys)
{
	struct aedb_scope *made;

	CHECK_OK(aedb_scope_open(h->f.db, "p", "n", &made));
	CHECK_STR(keys_of(made, NULL, AEDB_FORWARD), keys);
	aedb_scope_close(made);
}

static void batch_check(struct run *h)
{
	CHECK(!text_of(h->f.scope, NULL, "gone"));
	large_check(h->f.scope, "moved", 1, LARGE_BYTES);
	large_check(h->f.scope, "page", 2, 5000);
	large_check(h->f.scope, "new", 3, LARGE_BYTES);
	made_check(h, "k theirs");
}

/* The step after which the database is, by its keys. */
static int step_found(struct run *h)
{
	static const char *const keys[] = {
		"a gone large", "a beside gone large",
		"a beside moved new page", "a after beside moved new page",
		"a after beside last moved new page",
	};
	const char *found = keys_of(h->f.scope, NULL, AEDB_FORWARD);
	int step = 0;

	while (step <= STEP_LAST && strcmp(found, keys[step]) != 0)
		step++;
	CHECK_THAT(step <= STEP_LAST, "%s", found);
	CHECK_STR(text_of(h->f.scope, NULL, "a"),
		  step >= STEP_BATCH ? "2" : "1");
	if (step == STEP_BESIDE)
		made_check(h, "theirs");
	if (step >= STEP_BATCH)
		batch_check(h);
	else
		large_check(h->f.scope, "large", 1, LARGE_BYTES);
	return step;
}

/* Opens after a crash, and commits a batch in what is there. */
static int run_recover(struct run *h)
{
	int step;

	CHECK_OK(fixture_try(&h->f));
	CHECK_OK(aedb_scope_open(h->f.db, "p", "s", &h->f.scope));
	step = step_found(h);
	h->batch = batch_of(h->f.db);
	CHECK_OK(batch_put(h->batch, h->f.scope, "z", "1"));
	CHECK_OK(aedb_batch_commit(h->batch, NULL));
	h->batch = NULL;
	CHECK_STR(text_of(h->f.scope, NULL, "z"), "1");
	return step;
}

static uint64_t calls_of_history(void)
{
	struct run h;
	uint64_t calls;

	run_begin(&h);
	calls = simdisk_calls(h.f.disk);
	CHECK_OK(run_all(&h));
	calls = simdisk_calls(h.f.disk) - calls;
	CHECK_EQ(step_found(&h), STEP_LAST);
	run_end(&h);
	simdisk_free(h.f.disk);
	return calls;
}

static void cut_try(uint64_t call, enum simdisk_crash_mode mode, uint64_t seed)
{
	struct run h;
	int step;

	run_begin(&h);
	simdisk_cut_at(h.f.disk, simdisk_calls(h.f.disk) + call);
	run_all(&h);
	CHECK(simdisk_is_cut(h.f.disk));
	run_end(&h);
	simdisk_crash(h.f.disk, seed, mode);
	step = run_recover(&h);
	CHECK(step >= h.done);
	run_end(&h);
	simdisk_free(h.f.disk);
}

TEST(power_cut, "a power cut in any call leaves all of a batch or nothing, and what was promised")
{
	uint64_t calls = calls_of_history();

	CHECK(calls > 20);
	for (uint64_t call = 1; call <= calls; call++) {
		cut_try(call, SIMDISK_DROP_ALL, call);
		cut_try(call, SIMDISK_KEEP_ALL, call);
		for (uint64_t seed = 0; seed < RANDOM_CUTS; seed++)
			cut_try(call, SIMDISK_RANDOM, call * RANDOM_CUTS + seed);
	}
}

static void fail_try(uint64_t call, enum simdisk_fault fault)
{
	struct run h;
	int rc, step;

	run_begin(&h);
	simdisk_fail_at(h.f.disk, simdisk_calls(h.f.disk) + call, fault);
	rc = run_all(&h);
	if (rc == AEDB_NO_SPACE) {
		step = step_found(&h);
		CHECK_EQ(step, h.done);
		/* there is room again: whatever was open goes on */
		if (h.batch && h.is_filled && h.done == STEP_BESIDE) {
			CHECK_OK(aedb_batch_commit(h.batch, NULL));
			h.batch = NULL;
			CHECK_EQ(step_found(&h), STEP_BATCH);
			h.done = STEP_BATCH;
		}
	}
	run_end(&h);
	step = run_recover(&h);
	/* a commit whose outcome is unknown may be there */
	CHECK(step >= h.done);
	if (rc == AEDB_NO_SPACE)
		CHECK_EQ(step, h.done);
	run_end(&h);
	simdisk_free(h.f.disk);
}

TEST(failing_calls, "a call that fails, whichever, leaves all of a batch or nothing")
{
	uint64_t calls = calls_of_history();

	for (uint64_t call = 1; call <= calls; call++) {
		fail_try(call, SIMDISK_EIO);
		fail_try(call, SIMDISK_ENOSPC);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
