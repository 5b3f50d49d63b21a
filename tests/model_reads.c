/*
 * Read sets: which keys a transaction says it read, and whether it may commit then.
 */
#include "model_step.h"

#include "unit/check.h"

#define below model_random_below
#define READS_MAX 3
#define BASES_MAX 6		/* so many states back a read set may begin */

static size_t slot_of(const struct model_state *state, uint64_t scope_id)
{
	size_t k = 0;

	while (k < MODEL_SCOPES &&
	       !(state->exists[k] && state->scope_ids[k] == scope_id))
		k++;
	return k;
}

/* A key's version in a state: 0 if it is not there. False: not known. */
static bool version_at(const struct model_state *state, uint64_t scope_id,
		       size_t plane, size_t key, uint64_t *ret)
{
	size_t slot = slot_of(state, scope_id);
	const struct model_entry *entry;

	*ret = 0;
	if (slot == MODEL_SCOPES || !state->seq)
		return false;
	entry = &state->entries[2 * slot + plane][key];
	*ret = entry->is_there ? entry->version : 0;
	return !entry->is_there || entry->version;
}

/* Notes whether a key was written after the base. That it was not is known only if
 * it is there: deletions may be forgotten, and one that a transaction makes and
 * deletes was written, too. False: the model does not know. */
static bool key_read(struct step *step, size_t base, size_t space, size_t key)
{
	struct model *model = step->model;
	uint64_t id = model_newest(model)->scope_ids[space / 2], then, now = 0;
	bool is_written = false;

	if (!id || !version_at(model->states[base], id, space % 2, key, &then))
		return false;
	for (size_t i = base; i < model->n_states; i++) {
		if (!version_at(model->states[i], id, space % 2, key, &now))
			return false;
		is_written |= now != then;
	}
	step->conflicts |= is_written;
	step->may_conflict |= !now;
	return true;
}

static void point_read(struct step *step, size_t base, size_t space)
{
	size_t key = below(MODEL_KEYS);
	const struct model_key *k = &step->model->keys[key];

	if (key_read(step, base, space, key))
		CHECK_OK(aedb_txn_read_point(step->txn, step_scope(step, space),
					     k->bytes, k->n));
}

static void range_read(struct step *step, size_t base, size_t space)
{
	size_t from = below(MODEL_KEYS), to = from + below(MODEL_KEYS - from);
	const struct model_key *first = &step->model->keys[from];
	const struct model_key *end = &step->model->keys[to];
	struct aedb_range range = { .from = first->bytes, .from_bytes = first->n,
				    .to = end->bytes, .to_bytes = end->n };
	bool conflicts = step->conflicts;

	for (size_t key = from; key < to; key++)
		if (!key_read(step, base, space, key)) {
			step->conflicts = conflicts;
			return;
		}
	step->may_conflict = true;
	CHECK_OK(aedb_txn_read_range(step->txn, step_scope(step, space), &range));
}

void step_read_set(struct step *step)
{
	struct model *model = step->model;
	size_t n = model->n_states, back = below(BASES_MAX);
	size_t base = n - 1 - (back < n ? back : 0);

	if (!model->states[base]->seq)
		return;
	step->base = model->states[base]->seq;
	aedb_txn_set_base(step->txn, step->base);
	for (size_t i = 0; i < READS_MAX; i++) {
		size_t space = step_random_space(step);

		if (space == MODEL_SPACES)
			return;
		if (below(3))
			point_read(step, base, space);
		else
			range_read(step, base, space);
	}
}

void step_check_conflicts(const struct step *step)
{
	struct aedb_conflict conflict;
	size_t n = 0;

	CHECK(step->conflicts || step->may_conflict);
	for (; aedb_txn_conflict(step->txn, n, &conflict) == 0; n++)
		CHECK(conflict.seq == 0 || conflict.seq > step->base);
	CHECK(n > 0);
}
