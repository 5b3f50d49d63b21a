/*
 * Operations on keys, each done the obvious way beside the database.
 */
#include "model_step.h"

#include "aedb_kv.h"
#include "txn.h"
#include "unit/check.h"

#define below model_random_below
#define LARGE_BYTES_MAX 180000
#define GAP_BYTES_MAX 400000
#define CHANGES_MAX 3		/* to a value being written, before it is put */
#define MANY_MAX 6		/* puts that are one call */

/* Half of them can be compressed. */
static struct model_value value_random(struct model *model)
{
	static const size_t bounds[] = { 1, 30, 30, 200, 200, 900, 3000, 20000,
					 66000, LARGE_BYTES_MAX };
	size_t bound = bounds[below(sizeof(bounds) / sizeof(*bounds))];
	struct model_value value = { .n = below(bound + 1) };
	uint64_t x = check_random(), period = x % 2 ? 1000003 : 29;

	value.bytes = model_value_new(model, value.n);
	for (size_t i = 0; i < value.n; i++)
		value.bytes[i] = (uint8_t)((x + 0x9e3779b9 * (i % period)) >> 7);
	return value;
}

/* Mostly a key that is there. */
static size_t key_random(struct step *step, size_t space)
{
	size_t key = below(MODEL_KEYS);

	for (size_t i = 0; i < MODEL_KEYS && below(32); i++)
		if (step_entry(step, space, key)->is_there)
			break;
		else
			key = (key + 1) % MODEL_KEYS;
	return key;
}

static struct aedb_put put_of(struct step *step, size_t key)
{
	const struct model_key *k = &step->model->keys[key];

	return (struct aedb_put){ .key = k->bytes, .key_bytes = k->n };
}

static void entry_put(struct model_entry *entry, struct model_value value)
{
	if (!entry->is_there)
		*entry = (struct model_entry){ .is_there = true };
	entry->value = value;
	entry->version = 0;
}

static void op_put(struct step *step, size_t space, size_t key)
{
	struct model_entry *entry = step_entry(step, space, key);
	struct aedb_put put = put_of(step, key);
	uint8_t attr = (uint8_t)below(3);
	int64_t mtime = (int64_t)below(1000000);

	put.must_be_new = below(16) == 0;
	if (put.must_be_new && entry->is_there) {
		step->want = AEDB_EXISTS;
	} else {
		struct model_value value = value_random(step->model);

		entry_put(entry, value);
		put.value = value.bytes;
		put.value_bytes = value.n;
		if (attr) {
			put.attr = &attr;
			put.attr_bytes = 1;
			entry->attr = attr;
		}
		if (below(4) == 0)
			put.mtime_ns = &mtime;
	}
	step_note_operation(step, aedb_txn_put(step->txn,
					       step_scope(step, space), &put));
}

/* Values being written. */

/* A copy of what is staged, with so many bytes. */
static struct model_value staged_copy(struct model *model, size_t n)
{
	const struct model_value *from = &model->staged;
	size_t n_kept = from->n < n ? from->n : n;
	struct model_value copy = { model_value_new(model, n), n };

	memset(copy.bytes, 0, n);
	if (n_kept)
		memcpy(copy.bytes, from->bytes, n_kept);
	return copy;
}

static struct model_value staged_write_at(struct model *model, size_t offset,
					  int *ret_rc)
{
	size_t n = 1 + below(500), end = offset + n;
	struct model_value value;

	value = staged_copy(model, end > model->staged.n ? end :
							   model->staged.n);
	memset(value.bytes + offset, (int)below(256), n);
	*ret_rc = aedb_stage_write(model->stage, value.bytes + offset, n, offset);
	return value;
}

static struct model_value staged_write(struct model *model, int *ret_rc)
{
	return staged_write_at(model, below(model->staged.n + 100), ret_rc);
}

static struct model_value staged_append(struct model *model, int *ret_rc)
{
	return staged_write_at(model, model->staged.n, ret_rc);
}

/* Writes far behind the end, which leaves a hole. */
static struct model_value staged_leap(struct model *model, int *ret_rc)
{
	return staged_write_at(model, model->staged.n + below(GAP_BYTES_MAX),
			       ret_rc);
}

static struct model_value staged_truncate(struct model *model, int *ret_rc)
{
	struct model_value value;

	value = staged_copy(model, below(model->staged.n * 5 / 4 + 10));
	*ret_rc = aedb_stage_truncate(model->stage, value.n);
	return value;
}

static struct model_value staged_zero(struct model *model, int *ret_rc)
{
	struct model_value value = staged_copy(model, model->staged.n);
	size_t from = below(value.n + 1), n = below(value.n - from + 1);

	memset(value.bytes + from, 0, n);
	*ret_rc = aedb_stage_zero(model->stage, from, n);
	return value;
}

/* Some part of what is staged. */
static void staged_compare(struct step *step)
{
	struct model *model = step->model;
	size_t n = model->staged.n, from = below(n + 1), got;
	uint8_t *bytes = malloc(n + 1);

	if (step_call_went_well(step, aedb_stage_read(model->stage, bytes, n,
						      from, &got))) {
		CHECK_EQ(got, n - from);
		CHECK_MEM(bytes, model->staged.bytes + from, got);
	}
	free(bytes);
}

/* Changes the value being written; it is given up if that fails. */
static void staged_change(struct step *step)
{
	static struct model_value (*const changes[])(struct model *, int *) = {
		staged_write, staged_write, staged_append, staged_append,
		staged_leap, staged_truncate, staged_zero,
	};
	size_t n = sizeof(changes) / sizeof(*changes);
	struct model *model = step->model;
	struct model_value value;
	int rc;

	value = changes[below(n)](model, &rc);
	if (step_call_went_well(step, rc))
		model->staged = value;
	if (rc < 0 || value.n > MODEL_VALUE_BYTES_MAX)
		model_stop(model);
	else
		staged_compare(step);
}

/* Begins to write a value over that of a key; it goes on for some steps. */
static void op_stage(struct step *step, size_t space, size_t key)
{
	struct model_entry *entry =
		&model_newest(step->model)->entries[space][key];
	const struct model_key *k = &step->model->keys[key];
	struct model *model = step->model;
	struct aedb_reader *reader;

	if (step->has_stage || !entry->is_there)
		return;
	model_stop(model);
	if (!step_call_went_well(step, aedb_reader_open(step_scope(step, space),
							NULL, k->bytes, k->n,
							&reader)))
		return;
	if (step_call_went_well(step, aedb_stage_open(step->db, reader,
						      &model->stage))) {
		model->staged = entry->value;
		staged_change(step);
	}
	aedb_reader_close(reader);
}

/* Puts the value being written, whatever key it began with. */
static void op_put_stage(struct step *step, size_t space, size_t key)
{
	struct model *model = step->model;
	struct aedb_put put = put_of(step, key);

	if (!model->stage || step->has_stage) {
		op_stage(step, space, key_random(step, space));
		return;
	}
	for (size_t n = below(CHANGES_MAX + 1); model->stage && n > 0; n--)
		staged_change(step);
	if (!model->stage || step->disk_error)
		return;
	put.stage = model->stage;
	step->has_stage = true;
	if (step_call_went_well(step, aedb_txn_put(step->txn,
						   step_scope(step, space),
						   &put)))
		entry_put(step_entry(step, space, key), model->staged);
}

/* Other operations. */

static void op_delete(struct step *step, size_t space, size_t key)
{
	struct aedb_scope *scope = step_scope(step, space);
	struct model_entry *entry = step_entry(step, space, key);
	const struct model_key *k = &step->model->keys[key];

	if (entry->is_there)
		*entry = (struct model_entry){ .is_there = false };
	else
		step->want = AEDB_NOT_FOUND;
	step_note_operation(step, step->txn ?
		aedb_txn_delete(step->txn, scope, k->bytes, k->n) :
		aedb_delete(scope, k->bytes, k->n));
}

static void op_set_attr(struct step *step, size_t space, size_t key)
{
	uint8_t attr = (uint8_t)(1 + below(200));
	struct aedb_put put = put_of(step, key);
	struct model_entry *entry = step_entry(step, space, key);

	put.attr = &attr;
	put.attr_bytes = 1;
	if (entry->is_there) {
		entry->attr = attr;
		entry->version = 0;
	} else {
		step->want = AEDB_NOT_FOUND;
	}
	step_note_operation(step, aedb_txn_set_attr(step->txn,
						    step_scope(step, space),
						    &put));
}

/* The same kind of space, in any scope. */
static size_t space_like(const struct step *step, size_t space)
{
	return (step_random_space(step) & ~(size_t)1) | (space & 1);
}

static void op_move(struct step *step, size_t space, size_t key)
{
	size_t to_space = space_like(step, space), to_key = below(MODEL_KEYS);
	struct aedb_scope *from = step_scope(step, space);
	struct aedb_scope *to = step_scope(step, to_space);
	struct model_entry *entry = step_entry(step, space, key);
	struct model_entry moved = *entry;
	const struct model_key *k = &step->model->keys[key];
	const struct model_key *t = &step->model->keys[to_key];

	if (!entry->is_there) {
		step->want = AEDB_NOT_FOUND;
	} else if (space != to_space || key != to_key) {
		*entry = (struct model_entry){ .is_there = false };
		moved.version = 0;
		*step_entry(step, to_space, to_key) = moved;
	}
	step_note_operation(step, step->txn ?
		aedb_txn_move(step->txn, from, k->bytes, k->n, to, t->bytes,
			      t->n) :
		aedb_move(from, k->bytes, k->n, to, t->bytes, t->n));
}

static void op_exchange(struct step *step, size_t space, size_t key)
{
	size_t other = key_random(step, space);
	struct aedb_scope *scope = step_scope(step, space);
	struct model_entry *a = step_entry(step, space, key);
	struct model_entry *b = step_entry(step, space, other), kept;
	const struct model_key *k = &step->model->keys[key];
	const struct model_key *o = &step->model->keys[other];

	if (!a->is_there || !b->is_there) {
		step->want = AEDB_NOT_FOUND;
	} else if (key != other) {
		kept = *a;
		*a = *b;
		*b = kept;
		a->version = b->version = 0;
	}
	step_note_operation(step, aedb_txn_exchange(step->txn, scope, k->bytes,
						    k->n, scope, o->bytes,
						    o->n));
}

void step_key_operation(struct step *step)
{
	static void (*const puts[])(struct step *, size_t, size_t) = {
		op_put, op_put, op_put, op_put_stage, step_compute,
	};
	static void (*const changes[])(struct step *, size_t, size_t) = {
		op_delete, op_delete, op_set_attr, op_move, op_exchange,
	};
	size_t space = step_random_space(step);

	if (space == MODEL_SPACES)
		return;
	if (below(2))
		puts[below(5)](step, space, below(MODEL_KEYS));
	else
		changes[below(5)](step, space, key_random(step, space));
	if (step->txn->n_ops && !step->want && !step->disk_error &&
	    below(8) == 0)
		step_assert(step, space, key_random(step, space));
}

static void call_put(struct step *step, size_t space, size_t key)
{
	const struct model_key *k = &step->model->keys[key];
	struct model_value value = value_random(step->model);

	entry_put(step_entry(step, space, key), value);
	step_note_operation(step, aedb_put(step_scope(step, space), k->bytes,
					   k->n, value.bytes, value.n));
}

/* Now and then with another version than the key has. */
static void call_swap(struct step *step, size_t space, size_t key)
{
	struct model_entry *entry = step_entry(step, space, key);
	struct model_value value = value_random(step->model);
	aedb_seq_t version = entry->version + (below(4) == 0);
	struct aedb_put put = put_of(step, key);

	if (entry->is_there && !entry->version) {
		call_put(step, space, key);
		return;
	}
	put.value = value.bytes;
	put.value_bytes = value.n;
	if (version != entry->version)
		step->want = AEDB_ASSERTION;
	else
		entry_put(entry, value);
	step_note_operation(step, aedb_compare_and_swap(step_scope(step, space),
							&put, version, NULL));
}

static void call_put_many(struct step *step, size_t space, size_t key)
{
	struct aedb_put puts[MANY_MAX];
	size_t n = 1 + below(MANY_MAX);

	for (size_t i = 0; i < n; i++) {
		struct model_value value = value_random(step->model);

		puts[i] = put_of(step, key);
		puts[i].value = value.bytes;
		puts[i].value_bytes = value.n;
		entry_put(step_entry(step, space, key), value);
		key = key_random(step, space);
	}
	step_note_operation(step, aedb_put_many(step_scope(step, space), puts, n,
						NULL));
}

void step_key_call(struct step *step)
{
	static void (*const calls[])(struct step *, size_t, size_t) = {
		call_put, call_put, op_delete, op_move, call_swap, call_put_many,
	};
	size_t space = step_random_space(step);

	if (space < MODEL_SPACES)
		calls[below(6)](step, space, key_random(step, space));
}
