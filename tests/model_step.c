/*
 * Random commits.
 */
#include "model_step.h"

#include "txn.h"
#include "unit/check.h"

#define below model_random_below
#define OPS_MAX 5

bool step_call_went_well(struct step *step, int rc)
{
	if (model_is_disk_error(rc))
		step->disk_error = rc;
	else
		CHECK_OK(rc);
	return rc == 0;
}

void step_note_operation(struct step *step, int rc)
{
	if (step->txn) {
		step_call_went_well(step, rc);
	} else {
		step->rc = rc;
		step->n_calls++;
	}
}

struct model_entry *step_entry(struct step *step, size_t space, size_t key)
{
	return &step->state->entries[space][key];
}

struct aedb_scope *step_scope(const struct step *step, size_t space)
{
	struct aedb_scope *scope = step->scopes[space / 2];

	return space % 2 ? aedb_scope_dirs(scope) : scope;
}

size_t step_random_space(const struct step *step)
{
	size_t start = below(MODEL_SPACES);

	for (size_t i = 0; i < MODEL_SPACES; i++) {
		size_t space = (start + i) % MODEL_SPACES;

		if (step->state->exists[space / 2] && step->scopes[space / 2])
			return space;
	}
	return MODEL_SPACES;
}

static void scopes_open(struct step *step)
{
	for (size_t i = 0; i < MODEL_SCOPES && !step->disk_error; i++) {
		struct aedb_place place = model_place(i);

		if (step->state->exists[i])
			step_call_went_well(step,
				aedb_scope_open(step->db, place.project,
						place.scope, &step->scopes[i]));
	}
}

static void scopes_close(struct step *step)
{
	for (size_t i = 0; i < MODEL_SCOPES; i++) {
		aedb_table_close(step->tables[i]);
		aedb_scope_close(step->scopes[i]);
	}
}

/* What it does. */

/* An operation that fails, so that all before it must be taken back. */
static void op_failing(struct step *step)
{
	size_t space = step_random_space(step);

	if (space == MODEL_SPACES || step->want)
		return;
	CHECK_OK(aedb_txn_delete(step->txn, step_scope(step, space), "absent",
				 6));
	step->want = AEDB_NOT_FOUND;
}

static void operations_add(struct step *step)
{
	size_t n = 1 + below(OPS_MAX);

	if (below(5) == 0)
		step_read_set(step);
	for (size_t i = 0; i < n && !step->want && !step->disk_error; i++)
		if (below(3) == 0)
			step_table_operation(step);
		else
			step_key_operation(step);
	if (below(10) == 0)
		op_failing(step);
}

/* The first commit makes all projects and scopes. */
static void places_add(struct step *step)
{
	for (size_t i = 0; i < MODEL_PROJECTS; i++) {
		step->state->has_project[i] = true;
		CHECK_OK(aedb_txn_create(step->txn, model_project(i), NULL, 0,
					 NULL));
	}
	for (size_t i = 0; i < MODEL_SCOPES; i++) {
		step->state->exists[i] = true;
		CHECK_OK(aedb_txn_create(step->txn, model_place(i), NULL, 0,
					 NULL));
	}
}

static void step_make_transaction(struct step *step)
{
	CHECK_OK(aedb_txn_begin(step->db, &step->txn));
	if (below(4) == 0)
		CHECK_OK(aedb_txn_set_durability(
			step->txn, (enum aedb_durability)below(AEDB_OS + 1)));
	if (step->model->n_states == 1) {
		places_add(step);
	} else if (below(24) == 0) {
		step_place_operation(step);
		if (below(3) == 0)
			op_failing(step);
	} else {
		operations_add(step);
	}
	/* one without operations succeeds, whatever was read */
	step->conflicts &= step->txn->n_ops > 0;
}

static void step_make_call(struct step *step)
{
	if (below(16) == 0)
		step_place_operation(step);
	else if (below(3) == 0)
		step_table_operation(step);
	else
		step_key_call(step);
}

/* What came of it. */

/* Takes over what the database assigned to what the newest commit wrote, which is
 * made above this number. Of two calls on a failing disk one goes well. */
static void entry_learn(struct step *step, size_t space, size_t key,
			aedb_seq_t above)
{
	struct model_entry *e = step_entry(step, space, key);
	const struct model_key *k = &step->model->keys[key];
	struct aedb_scope *scope = step_scope(step, space);
	struct aedb_entry entry;
	int rc;

	if (!e->is_there || (e->id && e->version))
		return;
	rc = aedb_stat(scope, NULL, k->bytes, k->n, &entry);
	if (model_is_disk_error(rc))
		rc = aedb_stat(scope, NULL, k->bytes, k->n, &entry);
	CHECK_OK(rc);
	if (e->id)
		CHECK_EQ(entry.id, e->id);
	CHECK(entry.version > above);
	CHECK(entry.version <= step->state->seq);
	e->id = entry.id;
	e->version = entry.version;
	e->mtime_ns = entry.mtime_ns;
	aedb_unpin(&entry);
}

static void place_learn(struct step *step, size_t k)
{
	struct aedb_place place = model_place(k);
	struct aedb_entry entry;
	int rc = aedb_place_stat(step->db, NULL, place, &entry);

	if (model_is_disk_error(rc))
		rc = aedb_place_stat(step->db, NULL, place, &entry);
	CHECK_OK(rc);
	step->state->scope_ids[k] = entry.id;
	aedb_unpin(&entry);
}

static void state_learn(struct step *step, aedb_seq_t above)
{
	for (size_t k = 0; k < MODEL_SCOPES; k++)
		if (step->state->exists[k])
			place_learn(step, k);
	for (size_t space = 0; space < MODEL_SPACES; space++)
		for (size_t key = 0; step->scopes[space / 2] && key < MODEL_KEYS;
		     key++)
			entry_learn(step, space, key, above);
	step_learn_rows(step, above);
}

void model_learn(struct model *model, struct aedb *db)
{
	struct step step = { .model = model, .db = db,
			     .state = model_newest(model) };

	if (model->n_states == 1)
		return;
	scopes_open(&step);
	CHECK(!step.disk_error);
	state_learn(&step, model->states[model->n_states - 2]->seq);
	scopes_close(&step);
}

static int transaction_end(struct step *step)
{
	int rc = step->disk_error;

	if (rc == 0)
		rc = aedb_txn_commit(step->txn, NULL);
	if (rc == AEDB_CONFLICT)
		step_check_conflicts(step);
	if (rc < 0)
		aedb_txn_abort(step->txn);
	return rc;
}

/* The outcome, which is what the model says, or the disk's error. */
static int step_commit(struct step *step)
{
	int rc = step->disk_error;

	if (step->txn)
		rc = transaction_end(step);
	else if (step->n_calls)
		rc = step->rc;
	if (!model_is_disk_error(rc) && rc != AEDB_CONFLICT)
		CHECK_EQ(rc, step->conflicts ? AEDB_CONFLICT : step->want);
	return rc;
}

/* An index is gone when the first of its commits is made. */
static void seq_set(struct step *step, aedb_seq_t seq, size_t n_ops)
{
	struct model_state *newest = model_newest(step->model);
	aedb_seq_t first = seq - n_ops + 1;

	if (step->removes_index)
		first = step->state->seq_begin;
	step->state->seq = step->removes_index ? first : seq;
	step->state->seq_last = seq;
	/* memory may have been made for it by maintenance */
	if (first - 1 > newest->seq)
		newest->seq_last = first - 1;
}

/* Keeps or drops the state made. */
static void state_end(struct step *step, size_t n_ops, int rc)
{
	struct model *model = step->model;
	aedb_seq_t seq = model_last_seq(step->db);
	/* what must fail never reaches the disk */
	bool may_be_there = rc == 0 || (rc == AEDB_UNKNOWN && !step->want &&
					!step->conflicts);

	if (!may_be_there || n_ops == 0) {
		model_note_maintenance(model, step->db);
		free(step->state);
		return;
	}
	seq_set(step, seq, n_ops);
	if (rc == 0) {
		/* of an index that is gone, entries may be left */
		if (step->removes_index)
			CHECK(aedb_visible_seq(step->db) <= seq);
		else
			CHECK_EQ(aedb_visible_seq(step->db), seq);
		state_learn(step, model_newest(model)->seq);
	}
	model_add(model, step->state);
	/* what a change of a table left was done when it was opened */
	if (rc == 0)
		model_note_maintenance(model, step->db);
}

int model_step(struct model *model, struct aedb *db)
{
	struct step step = { .model = model, .db = db };
	unsigned durability;
	size_t n_ops;
	int rc;

	step.state = malloc(sizeof(*step.state));
	*step.state = *model_newest(model);
	step.state->seq = step.state->seq_last = step.state->seq_begin = 0;
	scopes_open(&step);
	if (!step.disk_error && model->n_states > 1 && below(3) == 0)
		step_make_call(&step);
	else if (!step.disk_error)
		step_make_transaction(&step);
	n_ops = step.txn ? step.txn->n_ops : step.n_calls;
	durability = step.txn ? step.txn->durability : db->options.durability;
	rc = step_commit(&step);
	model->is_last_durable = rc == 0 && n_ops && durability == AEDB_FULL;
	state_end(&step, n_ops, rc);
	scopes_close(&step);
	/* some values are written for long */
	if (below(8) == 0)
		model_stop(model);
	return model_is_disk_error(rc) ? rc : 0;
}
