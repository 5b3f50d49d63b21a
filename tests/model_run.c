/*
 * Random lives.
 */
#include "model_run.h"

#include "checkpoint.h"
#include "compaction.h"
#include "unit/check.h"
#include "verify.h"

static uint64_t one_of(const uint64_t *values, size_t n)
{
	return values[model_random_below(n)];
}

void run_init(struct model_run *run, uint64_t seed,
	      enum aedb_durability durability)
{
	static const uint64_t memory[] = { 16 << 10, 32 << 10, 128 << 10,
					   1 << 20, 4 << 20 };
	static const uint64_t inlined[] = { 0, 100, 1024, 65536 };
	static const uint8_t key[16] = "a key of a test";
	struct aedb_options *o = &run->options;

	*run = (struct model_run){ .disk = simdisk_new(seed),
				   .model = model_new(),
				   .n_acknowledged = 1 };
	aedb_options_init(o);
	o->mode = AEDB_OPEN_CREATE;
	o->durability = durability;
	o->maintenance = AEDB_ON_CALL;
	o->wal_file_bytes = 64 << 10;
	o->memory_bytes = one_of(memory, 5);
	o->inline_bytes_max = (uint32_t)one_of(inlined, 4);
	if (model_random_below(2)) {
		o->hmac_key = key;
		o->hmac_key_bytes = sizeof(key);
	}
	/* the background thread must not make the calls differ from run to run */
	o->sync_interval_ms = 60000;
}

void run_release(struct model_run *run)
{
	simdisk_free(run->disk);
	model_free(run->model);
}

void run_fork(const struct model_run *run, struct simdisk *disk,
	      struct model_run *ret)
{
	*ret = (struct model_run){ .disk = disk,
				   .model = model_fork(run->model),
				   .options = run->options,
				   .n_acknowledged = run->n_acknowledged };
}

int run_open(struct model_run *run)
{
	return db_open(simdisk_vfs(run->disk), "simdisk", &run->options,
		       &run->db);
}

int run_close(struct model_run *run)
{
	int rc;

	model_views_close(&run->views);
	model_stop(run->model);
	rc = aedb_close(run->db);
	run->db = NULL;
	return rc;
}

int run_compare(struct model_run *run)
{
	size_t newest = run->model->n_states - 1;
	int rc = model_compare(run->model, newest, newest, run->db, NULL);

	if (rc == 0)
		rc = model_compare_names(run->model, newest, run->db);
	if (rc == 0)
		rc = model_views_compare(&run->views, run->model, newest,
					 run->db);
	return rc;
}

/* Steps. */

static int transaction(struct model_run *run)
{
	int rc = model_step(run->model, run->db);

	if (rc < 0)
		return rc;
	run->n_acknowledged = run->model->n_states;
	if (run->model->is_last_durable) {
		CHECK(aedb_durable_seq(run->db) >=
		      model_newest(run->model)->seq);
		model_note_durable(run->model);
	}
	return 0;
}

static int name_change(struct model_run *run)
{
	return model_name_step(run->model, run->db);
}

static int view_change(struct model_run *run)
{
	return model_views_step(&run->views, run->model, run->db);
}

static int wait(struct model_run *run)
{
	int rc = aedb_wait_durable(run->db, aedb_visible_seq(run->db));

	if (rc == 0)
		model_note_durable(run->model);
	return rc;
}

static int checkpoint(struct model_run *run)
{
	aedb_seq_t seq;
	int rc = model_random_below(2) ?
			 aedb_checkpoint(run->db, &seq) :
			 checkpoint_run(run->db, CHECKPOINT_ROTATE, &seq);

	if (rc == 0) {
		CHECK_EQ(seq, aedb_visible_seq(run->db));
		model_note_durable(run->model);
	}
	return rc;
}

static int compact_some(struct model_run *run)
{
	int rc = 1;

	for (int i = 0; i < 4 && rc > 0; i++)
		rc = compaction_run_next(run->db);
	model_note_maintenance(run->model, run->db);
	return rc < 0 ? rc : 0;
}

static int compact_all(struct model_run *run)
{
	int rc = aedb_compact(run->db);

	if (rc == 0)
		model_note_durable(run->model);
	model_note_maintenance(run->model, run->db);
	return rc;
}

static int reopen(struct model_run *run)
{
	int rc = run_close(run);

	if (rc == 0)
		model_note_durable(run->model);
	if (rc == 0)
		rc = run_open(run);
	return rc;
}

static const struct {
	int (*step)(struct model_run *run);
	unsigned int weight;
} kinds[] = {
	{ transaction, 40 }, { name_change, 6 }, { view_change, 10 },
	{ wait, 5 },	     { checkpoint, 5 },	 { compact_some, 5 },
	{ compact_all, 2 },  { reopen, 3 },	 { run_compare, 2 },
};

int run_step(struct model_run *run)
{
	size_t i = 0, dice, sum = 0;

	if (!run->db)
		return run_open(run);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		sum += kinds[k].weight;
	dice = model_random_below(sum);
	while (dice >= kinds[i].weight)
		dice -= kinds[i++].weight;
	return kinds[i].step(run);
}

uint64_t run_verify(const struct model_run *run, char **ret_text)
{
	struct aedb_progress progress = { 0 };
	struct verify_findings findings = { .progress = &progress };
	struct vfs *vfs = simdisk_vfs(run->disk);
	size_t n;
	int rc;

	findings.out = open_memstream(ret_text, &n);
	rc = verify_database(vfs, vfs, "simdisk", &run->options, &findings);
	fclose(findings.out);
	/* perhaps it was never made */
	if (rc != AEDB_NOT_FOUND || run->n_acknowledged > 1)
		CHECK_OK(rc);
	return findings.report.findings;
}

void run_check_whole(const struct model_run *run)
{
	char *text;
	uint64_t n = run_verify(run, &text);

	CHECK_THAT(n == 0, "%s", text);
	free(text);
}

size_t run_recover(struct model_run *run, size_t n_promised)
{
	struct model *model = run->model;
	size_t state;

	CHECK_OK(run_open(run));
	state = model_find(model, run->db);
	CHECK_THAT(state + 1 >= n_promised,
		   "state %zu was recovered, %zu was promised", state,
		   n_promised - 1);
	model_names_check(model, run->db);
	model_rewind(model, state);
	model_note_maintenance(model, run->db);
	model_learn(model, run->db);
	run->n_acknowledged = model->n_states;
	CHECK_OK(run_compare(run));
	return state;
}

void run_live(struct model_run *run, int steps)
{
	for (int i = 0; i < steps; i++)
		CHECK_OK(run_step(run));
	if (run->db) {
		CHECK_OK(run_compare(run));
		CHECK_OK(run_close(run));
		run_check_whole(run);
	}
	run_recover(run, run->model->n_states);
	CHECK_OK(run_close(run));
}
