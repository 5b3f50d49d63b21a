/*
 * Operations on tables, their schemas and their rows, each done the obvious way beside the
 * database.
 */
#include "model_step.h"

#include "unit/check.h"

#define below model_random_below

/* The table as it was when the transaction began, which does not see what it made
 * or renamed itself; NULL: there was none, or the disk failed. */
static struct aedb_table *handle_of(struct step *step, size_t k)
{
	unsigned name = model_newest(step->model)->tables[k].name;

	if (!step->tables[k] && name && step->scopes[k])
		step_call_went_well(step, aedb_table_open(
			step->scopes[k], model_table_name(name),
			&step->tables[k]));
	return step->tables[k];
}

/* Tables. */

static void table_create(struct step *step, size_t k)
{
	struct model_table *table = &step->state->tables[k];
	unsigned name = table->name;

	if (name)
		step->want = AEDB_EXISTS;
	else
		model_table_make(table, 1 + (unsigned)below(MODEL_TABLE_NAMES));
	name = table->name;
	step->is_remade[k] = true;
	step_note_operation(step, step->txn ?
		aedb_txn_table_create(step->txn, step->scopes[k],
				      model_table_name(name),
				      model_table_schema()) :
		aedb_table_create(step->scopes[k], model_table_name(name),
				  model_table_schema()));
}

static void table_drop(struct step *step, size_t k)
{
	struct model_table *table = &step->state->tables[k];
	const char *name = table->name ? model_table_name(table->name) :
					 "absent";

	if (!table->name)
		step->want = AEDB_NOT_FOUND;
	*table = (struct model_table){ .name = 0 };
	step->is_remade[k] = true;
	step_note_operation(step, step->txn ?
		aedb_txn_table_drop(step->txn, step->scopes[k], name) :
		aedb_table_drop(step->scopes[k], name));
}

/* Sometimes to a name that there is, which is its own. */
static void table_rename(struct step *step, size_t k)
{
	struct model_table *table = &step->state->tables[k];
	unsigned from = table->name;
	unsigned to = 1 + (unsigned)below(MODEL_TABLE_NAMES);

	if (from == to)
		step->want = AEDB_EXISTS;
	table->name = to;
	step->is_renamed[k] = true;
	step_note_operation(step, step->txn ?
		aedb_txn_table_rename(step->txn, step->scopes[k],
				      model_table_name(from),
				      model_table_name(to)) :
		aedb_table_rename(step->scopes[k], model_table_name(from),
				  model_table_name(to)));
}

static void table_change(struct step *step, size_t k)
{
	bool is_there = step->state->tables[k].name;

	if (is_there && below(2))
		table_rename(step, k);
	else if (is_there != (below(12) == 0))
		table_drop(step, k);
	else
		table_create(step, k);
}

/* Columns and indexes. */

/* It is said at once, and the transaction goes on without it. */
static void answer_check(struct step *step, int rc, int want)
{
	if (model_is_disk_error(rc))
		step->disk_error = rc;
	else
		CHECK_THAT(rc == want, "error %d, not %d: %s", rc, want,
			   rc < 0 ? aedb_error_message() : "");
}

/* In the transaction, which goes by the name that the table had. A new index counts
 * as having read all rows, whether it is made or not; that two of them agree the
 * commit finds. */
static void alter_add(struct step *step, size_t k, const struct model_alter *alter)
{
	unsigned name = model_newest(step->model)->tables[k].name;
	int want = AEDB_INVALID;

	if (!step->has_rows[k])
		want = model_alter_do(&step->state->tables[k], alter);
	if (want == AEDB_EXISTS && model_alter_has_twins(&step->state->tables[k],
							 alter)) {
		step->want = want;
		want = 0;
	}
	answer_check(step, model_alter_run(step->txn, step->scopes[k],
					   model_table_name(name), alter), want);
	step->is_altered[k] = true;
	step->may_conflict |= step->base != 0;
}

/* What an earlier change left is done first: that is not this one's. */
static void alter_call(struct step *step, size_t k, const struct model_alter *alter)
{
	struct model_table *table = &step->state->tables[k];
	const char *name = model_table_name(table->name);

	if (!handle_of(step, k))
		return;
	if (alter->kind == AEDB_ADD_INDEX || alter->kind == AEDB_DROP_INDEX) {
		step->state->seq_begin = model_last_seq(step->db) + 1;
		step->state->altered = k;
	}
	step->removes_index = alter->kind == AEDB_DROP_INDEX;
	step->want = model_alter_do(table, alter);
	step_note_operation(step, model_alter_run(NULL, step->scopes[k], name,
						  alter));
}

static void table_alter(struct step *step, size_t k)
{
	struct model_alter alter = model_alter_random(&step->state->tables[k]);

	if (!step->txn)
		alter_call(step, k, &alter);
	else if (!step->is_remade[k] && !step->is_renamed[k])
		alter_add(step, k, &alter);
}

/* Rows. */

/* A row that a write reads must be as it was at the transaction's base. */
static void row_read(struct step *step, size_t k, size_t id)
{
	const struct model_row *row =
		&model_newest(step->model)->tables[k].rows[id];

	if (!step->base)
		return;
	if (row->is_there && row->version > step->base)
		step->conflicts = true;
	else if (!row->is_there || !row->version)
		step->may_conflict = true;
}

static void row_change(struct step *step, size_t k)
{
	struct model_table *table = &step->state->tables[k];
	struct model_row_change change = model_row_random(table);
	struct aedb_table *handle = handle_of(step, k);
	int want, rc;

	if (!handle)
		return;
	want = model_row_do(table, &change);
	rc = model_row_write(step->txn, handle, &change);
	if (!step->txn) {
		step->want = want;
		step_note_operation(step, rc);
		return;
	}
	answer_check(step, rc, want);
	step->has_rows[k] |= want == 0;
	if (change.kind != MODEL_INSERT)
		row_read(step, k, change.id);
}

static size_t random_scope(const struct step *step)
{
	size_t start = below(MODEL_SCOPES);

	for (size_t i = 0; i < MODEL_SCOPES; i++) {
		size_t k = (start + i) % MODEL_SCOPES;

		if (step->state->exists[k] && step->scopes[k])
			return k;
	}
	return MODEL_SCOPES;
}

void step_table_operation(struct step *step)
{
	size_t k = random_scope(step), n = step->txn ? 1 + below(4) : 1;

	if (k == MODEL_SCOPES)
		return;
	if (!step->state->tables[k].name || below(20) == 0) {
		table_change(step, k);
		return;
	}
	if (below(8) == 0) {
		table_alter(step, k);
		return;
	}
	for (; n > 0 && !step->is_remade[k] && !step->is_altered[k] &&
	       !step->disk_error; n--)
		row_change(step, k);
}

/* Of a call that failed with the disk the second one goes well. */
static void row_learn(struct step *step, size_t k, size_t id, aedb_seq_t above)
{
	struct model_row *row = &step->state->tables[k].rows[id];
	struct aedb_table *handle;
	int rc;

	if (!row->is_there || row->version)
		return;
	handle = handle_of(step, k);
	if (!handle)
		handle = handle_of(step, k);
	CHECK(handle);
	rc = model_row_version(handle, id, &row->version);
	if (model_is_disk_error(rc))
		rc = model_row_version(handle, id, &row->version);
	CHECK_OK(rc);
	CHECK(row->version > above);
	CHECK(row->version <= step->state->seq);
}

void step_learn_rows(struct step *step, aedb_seq_t above)
{
	for (size_t k = 0; k < MODEL_SCOPES; k++)
		for (size_t id = 0; step->scopes[k] && id < MODEL_ROWS; id++)
			row_learn(step, k, id, above);
}
