/*
 * The model: every operation done the obvious way.
 */
#include "model.h"

#include "unit/check.h"

#define OPS_MAX 5
#define PROJECT "p"
#define LARGE_BYTES_MAX 180000

static const char *const scope_names[MODEL_SCOPES] = { "a", "b", "c" };

/* A transaction on both sides. */
struct step {
	struct model *model;
	struct model_state *state;	/* what it makes */
	struct aedb *db;
	struct aedb_txn *txn;
	struct aedb_scope *scopes[MODEL_SCOPES];	/* NULL: not open */
	struct aedb_stage *stage;	/* at most one a step */
	int want;		/* code the commit must give */
	bool is_broken;		/* the disk failed before the commit */
};

static size_t random_below(size_t n)
{
	return check_random() % n;
}

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	model->states[0] = calloc(1, sizeof(struct model_state));
	model->n_states = model->n_durable = 1;
	return model;
}

void model_free(struct model *model)
{
	for (size_t i = 0; i < model->n_states; i++)
		free(model->states[i]);
	for (size_t i = 0; i < model->n_values; i++)
		free(model->values[i]);
	free(model->values);
	free(model);
}

static struct model_state *newest(struct model *model)
{
	return model->states[model->n_states - 1];
}

void model_note_durable(struct model *model)
{
	model->n_durable = model->n_states;
}

static uint8_t *value_new(struct model *model, size_t n)
{
	model->values = realloc(model->values, (model->n_values + 1) *
						       sizeof(*model->values));
	return model->values[model->n_values++] = malloc(n + 1);
}

static struct model_value value_random(struct model *model)
{
	static const size_t bounds[] = { 1, 30, 200, 3000, 70000,
					 LARGE_BYTES_MAX, LARGE_BYTES_MAX };
	size_t bound = bounds[random_below(sizeof(bounds) / sizeof(*bounds))];
	struct model_value value = { .n = random_below(bound + 1) };
	uint64_t x = check_random();

	value.bytes = value_new(model, value.n);
	for (size_t i = 0; i < value.n; i++)
		value.bytes[i] = (uint8_t)((x += 0x9e37) >> 7);
	return value;
}

static size_t entry_find(const struct model_state *state, size_t space,
			 const char *key)
{
	size_t i = 0;

	while (i < state->n[space] &&
	       strcmp(state->entries[space][i].key, key) < 0)
		i++;
	return i;
}

static struct model_entry *entry_get(struct model_state *state, size_t space,
				     const char *key)
{
	size_t i = entry_find(state, space, key);

	if (i < state->n[space] && strcmp(state->entries[space][i].key, key) == 0)
		return &state->entries[space][i];
	return NULL;
}

static struct model_entry *entry_put(struct model_state *state, size_t space,
				     const char *key)
{
	struct model_entry *entry = entry_get(state, space, key);
	size_t i = entry_find(state, space, key);

	if (entry)
		return entry;
	entry = &state->entries[space][i];
	memmove(entry + 1, entry, (state->n[space]++ - i) * sizeof(*entry));
	memset(entry, 0, sizeof(*entry));
	strcpy(entry->key, key);
	return entry;
}

static void entry_delete(struct model_state *state, size_t space,
			 const char *key)
{
	struct model_entry *entry = entry_get(state, space, key);
	struct model_entry *end = &state->entries[space][state->n[space]--];

	memmove(entry, entry + 1, (size_t)((char *)end - (char *)(entry + 1)));
}

static void key_random(char *ret)
{
	snprintf(ret, 8, "k%zu", random_below(MODEL_KEYS_MAX - 8));
}

static struct aedb_scope *scope_of(struct step *step, size_t space)
{
	struct aedb_scope *scope = step->scopes[space / 2];

	return space % 2 ? aedb_scope_dirs(scope) : scope;
}

/* A space of a scope that exists; MODEL_SPACES if there is none. */
static size_t space_random(const struct step *step)
{
	size_t start = random_below(MODEL_SPACES);

	for (size_t i = 0; i < MODEL_SPACES; i++) {
		size_t space = (start + i) % MODEL_SPACES;

		if (step->state->exists[space / 2] && step->scopes[space / 2])
			return space;
	}
	return MODEL_SPACES;
}

static bool is_disk_error(int rc)
{
	return rc == AEDB_UNKNOWN || rc == AEDB_IO || rc == AEDB_NO_SPACE;
}

/* Takes note of a call before the commit, which may fail only with the disk. */
static bool step_went_well(struct step *step, int rc)
{
	if (is_disk_error(rc))
		step->is_broken = true;
	else
		CHECK_OK(rc);
	return rc == 0;
}

static void op_put(struct step *step, size_t space, const char *key)
{
	struct model_entry *entry = entry_get(step->state, space, key);
	struct aedb_put put = { .key = key, .key_bytes = strlen(key) };
	uint8_t attr = (uint8_t)random_below(3);
	int64_t mtime = (int64_t)random_below(1000000);

	put.must_be_new = random_below(8) == 0;
	if (put.must_be_new && entry) {
		step->want = AEDB_EXISTS;
	} else {
		struct model_value value = value_random(step->model);

		entry = entry_put(step->state, space, key);
		entry->value = value;
		entry->version = 0;
		put.value = value.bytes;
		put.value_bytes = value.n;
		if (attr) {
			put.attr = &attr;
			put.attr_bytes = 1;
			entry->attr = attr;
		}
		if (random_below(4) == 0)
			put.mtime_ns = &mtime;
	}
	step_went_well(step, aedb_txn_put(step->txn, scope_of(step, space),
					  &put));
}

/* Changes a part of a value through a stage. */
static void op_overwrite(struct step *step, size_t space, const char *key)
{
	struct model_entry *entry = entry_get(newest(step->model), space, key);
	struct aedb_put put = { .key = key, .key_bytes = strlen(key) };
	struct aedb_reader *reader;
	size_t offset, n, size;
	uint8_t *bytes;

	if (!entry || step->stage || !entry_get(step->state, space, key))
		return;
	if (!step_went_well(step, aedb_reader_open(scope_of(step, space), NULL,
						   key, strlen(key), &reader)))
		return;
	offset = random_below(entry->value.n + 100);
	n = random_below(500) + 1;
	size = entry->value.n > offset + n ? entry->value.n : offset + n;
	bytes = value_new(step->model, size);
	memset(bytes, 0, size);
	memcpy(bytes, entry->value.bytes, entry->value.n);
	memset(bytes + offset, 0x5a, n);
	if (step_went_well(step, aedb_stage_open(step->db, reader,
						 &step->stage)) &&
	    step_went_well(step, aedb_stage_write(step->stage, bytes + offset, n,
						  offset))) {
		put.stage = step->stage;
		step_went_well(step, aedb_txn_put(step->txn,
						  scope_of(step, space), &put));
		entry = entry_get(step->state, space, key);
		entry->value = (struct model_value){ bytes, size };
		entry->version = 0;
	}
	aedb_reader_close(reader);
}

static void op_delete(struct step *step, size_t space, const char *key)
{
	if (entry_get(step->state, space, key))
		entry_delete(step->state, space, key);
	else
		step->want = AEDB_NOT_FOUND;
	CHECK_OK(aedb_txn_delete(step->txn, scope_of(step, space), key,
				 strlen(key)));
}

static void op_set_attr(struct step *step, size_t space, const char *key)
{
	uint8_t attr = (uint8_t)(1 + random_below(200));
	struct aedb_put put = { .key = key, .key_bytes = strlen(key),
				.attr = &attr, .attr_bytes = 1 };
	struct model_entry *entry = entry_get(step->state, space, key);

	if (entry) {
		entry->attr = attr;
		entry->version = 0;
	} else {
		step->want = AEDB_NOT_FOUND;
	}
	CHECK_OK(aedb_txn_set_attr(step->txn, scope_of(step, space), &put));
}

static void op_move(struct step *step, size_t space, const char *key)
{
	struct model_entry *from = entry_get(step->state, space, key), *to;
	struct model_entry moved;
	size_t to_space = space_random(step);
	char to_key[8];

	key_random(to_key);
	if ((to_space ^ space) & 1)
		to_space ^= 1;
	CHECK_OK(aedb_txn_move(step->txn, scope_of(step, space), key,
			       strlen(key), scope_of(step, to_space), to_key,
			       strlen(to_key)));
	if (!from) {
		step->want = AEDB_NOT_FOUND;
		return;
	}
	moved = *from;
	entry_delete(step->state, space, key);
	to = entry_put(step->state, to_space, to_key);
	strcpy(moved.key, to_key);
	moved.version = 0;
	*to = moved;
}

static void op_exchange(struct step *step, size_t space, const char *key)
{
	struct model_entry *a = entry_get(step->state, space, key), *b, kept;
	char other[8];

	key_random(other);
	b = entry_get(step->state, space, other);
	CHECK_OK(aedb_txn_exchange(step->txn, scope_of(step, space), key,
				   strlen(key), scope_of(step, space), other,
				   strlen(other)));
	if (!a || !b) {
		step->want = AEDB_NOT_FOUND;
		return;
	}
	kept = *a;
	*a = *b;
	*b = kept;
	strcpy(a->key, key);
	strcpy(b->key, other);
	a->version = b->version = 0;
}

static void op_key(struct step *step)
{
	static void (*const ops[])(struct step *, size_t, const char *) = {
		op_put, op_put, op_put, op_put, op_overwrite, op_delete,
		op_delete, op_set_attr, op_move, op_exchange,
	};
	size_t space = space_random(step);
	char key[8];

	if (space == MODEL_SPACES)
		return;
	key_random(key);
	ops[random_below(sizeof(ops) / sizeof(*ops))](step, space, key);
}

static void space_swap(struct model_state *state, size_t a, size_t b)
{
	struct model_entry entries[MODEL_KEYS_MAX];
	size_t n = state->n[a];

	memcpy(entries, state->entries[a], sizeof(entries));
	memcpy(state->entries[a], state->entries[b], sizeof(entries));
	memcpy(state->entries[b], entries, sizeof(entries));
	state->n[a] = state->n[b];
	state->n[b] = n;
}

/* Makes, drops or renames a scope; alone in its transaction. */
static void op_scope(struct step *step)
{
	struct model_state *state = step->state;
	size_t i = random_below(MODEL_SCOPES), k = random_below(MODEL_SCOPES);
	struct aedb_place place = { PROJECT, scope_names[i] };
	struct aedb_place other = { PROJECT, scope_names[k] };

	if (!state->exists[i]) {
		CHECK_OK(aedb_txn_create(step->txn, place, NULL, 0, NULL));
		state->exists[i] = true;
	} else if (random_below(2)) {
		bool is_empty = !state->n[2 * i] && !state->n[2 * i + 1];
		bool is_full = random_below(2);

		CHECK_OK(aedb_txn_drop(step->txn, place,
				       is_full ? AEDB_DROP_ALL : AEDB_DROP_EMPTY));
		if (!is_full && !is_empty) {
			step->want = AEDB_NOT_EMPTY;
			return;
		}
		state->exists[i] = false;
		state->n[2 * i] = state->n[2 * i + 1] = 0;
	} else {
		CHECK_OK(aedb_txn_rename(step->txn, place, other));
		if (state->exists[k]) {
			step->want = AEDB_EXISTS;
			return;
		}
		state->exists[i] = false;
		state->exists[k] = true;
		space_swap(state, 2 * i, 2 * k);
		space_swap(state, 2 * i + 1, 2 * k + 1);
	}
}

/* An operation that fails, so that all before it must be taken back. */
static void op_failing(struct step *step)
{
	size_t space = space_random(step);

	if (space == MODEL_SPACES || step->want)
		return;
	CHECK_OK(aedb_txn_delete(step->txn, scope_of(step, space), "absent", 6));
	step->want = AEDB_NOT_FOUND;
}

static void scopes_open(struct step *step)
{
	for (size_t i = 0; i < MODEL_SCOPES; i++)
		if (step->state->exists[i])
			CHECK_OK(aedb_scope_open(step->db, PROJECT,
						 scope_names[i],
						 &step->scopes[i]));
}

static void step_fill(struct step *step)
{
	size_t n = 1 + random_below(OPS_MAX);

	if (step->model->n_states == 1) {
		CHECK_OK(aedb_txn_create(step->txn,
					 (struct aedb_place){ PROJECT, NULL },
					 NULL, 0, NULL));
		op_scope(step);
	} else if (random_below(12) == 0) {
		op_scope(step);
		if (random_below(3) == 0)
			op_failing(step);
	} else {
		for (size_t i = 0; i < n && !step->want && !step->is_broken; i++)
			op_key(step);
		if (random_below(10) == 0)
			op_failing(step);
	}
}

/* Takes over what the database assigned. */
static void state_learn(struct step *step)
{
	for (size_t space = 0; space < MODEL_SPACES; space++) {
		for (size_t i = 0; i < step->state->n[space]; i++) {
			struct model_entry *e = &step->state->entries[space][i];
			struct aedb_entry entry;

			if (!step->scopes[space / 2] ||
			    aedb_stat(scope_of(step, space), NULL, e->key,
				      strlen(e->key), &entry) < 0)
				continue;
			CHECK(!e->id || e->id == entry.id);
			e->id = entry.id;
			e->version = entry.version;
			e->mtime_ns = entry.mtime_ns;
			aedb_unpin(&entry);
		}
	}
}

/* Commits, and keeps or drops the state made; false: the disk failed. */
static bool step_commit(struct step *step)
{
	struct model *model = step->model;
	int rc;

	if (step->is_broken) {
		aedb_txn_abort(step->txn);
		free(step->state);
		return false;
	}
	rc = aedb_txn_commit(step->txn, &step->state->seq);

	if (rc < 0)
		aedb_txn_abort(step->txn);
	if (is_disk_error(rc)) {
		/* what must fail never reached the disk */
		if (step->want == 0)
			model->states[model->n_states++] = step->state;
		else
			free(step->state);
		return false;
	}
	CHECK_EQ(rc, step->want);
	if (rc < 0) {
		free(step->state);
		return true;
	}
	state_learn(step);
	model->states[model->n_states++] = step->state;
	return true;
}

bool model_step(struct model *model, struct aedb *db)
{
	struct step step = { .model = model, .db = db };
	bool is_committed;

	CHECK(model->n_states < MODEL_STATES_MAX);
	step.state = malloc(sizeof(*step.state));
	*step.state = *newest(model);
	step.state->seq = 0;
	CHECK_OK(aedb_txn_begin(db, &step.txn));
	scopes_open(&step);
	step_fill(&step);
	is_committed = step_commit(&step);
	aedb_stage_close(step.stage);
	for (size_t i = 0; i < MODEL_SCOPES; i++)
		aedb_scope_close(step.scopes[i]);
	return is_committed;
}

static void entry_compare(const struct model_entry *want, struct aedb_scope *scope,
			  const struct aedb_entry *got)
{
	struct aedb_entry entry;

	CHECK_EQ(got->key_bytes, strlen(want->key));
	CHECK_MEM(got->key, want->key, got->key_bytes);
	CHECK_EQ(got->attr_bytes, want->attr ? 1 : 0);
	if (want->attr)
		CHECK_EQ(*(const uint8_t *)got->attr, want->attr);
	if (want->id)
		CHECK_EQ(got->id, want->id);
	if (want->version) {
		CHECK_EQ(got->version, want->version);
		CHECK_EQ(got->mtime_ns, want->mtime_ns);
	}
	CHECK_OK(aedb_get(scope, NULL, want->key, strlen(want->key), &entry));
	CHECK_EQ(entry.value_bytes, want->value.n);
	CHECK_MEM(entry.value, want->value.bytes, want->value.n);
	aedb_unpin(&entry);
}

static void space_compare(const struct model_state *state, size_t space,
			  struct aedb_scope *scope)
{
	struct aedb_range range = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t i = 0;

	CHECK_OK(aedb_scan_open(scope, NULL, &range, &scan));
	while (aedb_scan_next(scan, &entry) == 0) {
		CHECK(i < state->n[space]);
		entry_compare(&state->entries[space][i++], scope, &entry);
	}
	CHECK_EQ(i, state->n[space]);
	aedb_scan_close(scan);
}

/* Fails the test unless the database holds exactly states[i]. */
static void model_compare(struct model *model, size_t i, struct aedb *db)
{
	const struct model_state *state = model->states[i];

	for (size_t k = 0; k < MODEL_SCOPES; k++) {
		struct aedb_scope *scope;
		int rc = aedb_scope_open(db, PROJECT, scope_names[k], &scope);

		CHECK_EQ(rc, state->exists[k] ? 0 : AEDB_NOT_FOUND);
		if (rc < 0)
			continue;
		space_compare(state, 2 * k, scope);
		space_compare(state, 2 * k + 1, aedb_scope_dirs(scope));
		aedb_scope_close(scope);
	}
}

size_t model_find_and_compare(struct model *model, struct aedb *db)
{
	aedb_seq_t seq = aedb_visible_seq(db);
	size_t i = model->n_states;

	/* the newest may be one whose number was never learnt */
	while (--i > 0)
		if (seq && model->states[i]->seq == seq)
			break;
	if (i == 0 && seq && model->states[model->n_states - 1]->seq == 0)
		i = model->n_states - 1;
	CHECK_THAT(i || seq == 0, "no commit has number %llu",
		   (unsigned long long)seq);
	model_compare(model, i, db);
	return i;
}
