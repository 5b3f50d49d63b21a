/*
 * The model's states.
 */
#include "model.h"

#include "db.h"
#include "unit/check.h"

/* In the order of their names. */
static const char *const project_names[MODEL_PROJECTS] = { "p", "q" };
static const char *const scope_names[MODEL_PROJECT_SCOPES] = { "a", "b" };

struct aedb_place model_project(size_t project)
{
	return (struct aedb_place){ project_names[project], NULL };
}

struct aedb_place model_place(size_t scope)
{
	return (struct aedb_place){ project_names[scope / MODEL_PROJECT_SCOPES],
				    scope_names[scope % MODEL_PROJECT_SCOPES] };
}

size_t model_random_below(size_t n)
{
	return check_random() % n;
}

bool model_is_disk_error(int rc)
{
	return rc == AEDB_UNKNOWN || rc == AEDB_IO || rc == AEDB_NO_SPACE;
}

int model_checked(const struct model *model, int rc)
{
	bool is_expected = model_is_disk_error(rc) ||
			   (model->is_damaged && rc == AEDB_CORRUPT);

	if (!is_expected)
		CHECK_OK(rc);
	return rc < 0 ? rc : 0;
}

/* Short and long ones, with and without common beginnings. */
static void key_make(struct model_key *key, size_t i)
{
	static const size_t lengths[] = { 1, 3, 8, 30, 31, 200, 950 };
	size_t n = lengths[i % (sizeof(lengths) / sizeof(*lengths))];

	*key = (struct model_key){ .n = i ? n + 2 : 0 };
	memset(key->bytes, i % 3 ? 'k' : (int)(i * 37 % 256), key->n);
	if (i % 2 && i) {
		key->bytes[0] = (uint8_t)(i * 101);
	} else if (i) {
		key->bytes[n] = (uint8_t)i;
		key->bytes[n + 1] = (uint8_t)(i * 59);
	}
}

static int key_order(const void *a, const void *b)
{
	const struct model_key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void keys_make(struct model_key *keys)
{
	for (size_t i = 0; i < MODEL_KEYS; i++)
		key_make(&keys[i], i);
	qsort(keys, MODEL_KEYS, sizeof(*keys), key_order);
	for (size_t i = 1; i < MODEL_KEYS; i++)
		CHECK(key_order(&keys[i - 1], &keys[i]) < 0);
}

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	keys_make(model->keys);
	model_add(model, calloc(1, sizeof(struct model_state)));
	model->n_durable = 1;
	return model;
}

struct model_state *model_newest(struct model *model)
{
	return model->states[model->n_states - 1];
}

/* What comes is noted in the newest state: that must not be another model's. */
static void newest_own(struct model *model)
{
	struct model_state *copy;

	if (model->n_borrowed < model->n_states)
		return;
	copy = malloc(sizeof(*copy));
	*copy = *model_newest(model);
	model->states[model->n_states - 1] = copy;
	model->n_borrowed--;
}

struct model *model_fork(const struct model *from)
{
	struct model *model = malloc(sizeof(*model));

	*model = *from;
	model->states_room = model->n_borrowed = from->n_states;
	model->states = malloc(model->states_room * sizeof(*model->states));
	memcpy(model->states, from->states,
	       model->n_states * sizeof(*model->states));
	model->values = NULL;
	model->n_values = model->values_room = 0;
	model->stage = NULL;
	newest_own(model);
	return model;
}

void model_rewind(struct model *model, size_t i)
{
	while (model->n_states > i + 1)
		if (--model->n_states >= model->n_borrowed)
			free(model->states[model->n_states]);
	if (model->n_borrowed > model->n_states)
		model->n_borrowed = model->n_states;
	newest_own(model);
	model->n_durable = model->n_states;
}

void model_stop(struct model *model)
{
	aedb_stage_close(model->stage);
	model->stage = NULL;
}

void model_free(struct model *model)
{
	for (size_t i = model->n_borrowed; i < model->n_states; i++)
		free(model->states[i]);
	for (size_t i = 0; i < model->n_values; i++)
		free(model->values[i]);
	free(model->states);
	free(model->values);
	free(model);
}

void model_add(struct model *model, struct model_state *state)
{
	if (model->n_states == model->states_room) {
		model->states_room = model->states_room * 2 + 16;
		model->states = realloc(model->states,
					model->states_room *
						sizeof(*model->states));
	}
	model->states[model->n_states++] = state;
}

bool model_state_has(const struct model_state *state, aedb_seq_t seq)
{
	return seq == state->seq || (seq > state->seq && seq <= state->seq_last);
}

aedb_seq_t model_last_seq(struct aedb *db)
{
	return atomic_load(&db->commits.next_seq) - 1;
}

void model_note_maintenance(struct model *model, struct aedb *db)
{
	aedb_seq_t seq = model_last_seq(db);

	if (seq > model_newest(model)->seq)
		model_newest(model)->seq_last = seq;
}

uint8_t *model_value_new(struct model *model, size_t n)
{
	if (model->n_values == model->values_room) {
		model->values_room = model->values_room * 2 + 16;
		model->values = realloc(model->values,
					model->values_room *
						sizeof(*model->values));
	}
	return model->values[model->n_values++] = malloc(n + 1);
}

void model_note_durable(struct model *model)
{
	model->n_durable = model->n_states;
}

/* Whether the database has the indexes of the state's altered table. */
static bool is_altered(const struct model_state *state, struct aedb *db)
{
	const struct model_table *table = &state->tables[state->altered];
	struct aedb_place place = model_place(state->altered);
	struct aedb_snapshot *snapshot;
	struct aedb_scope *scope;
	struct aedb_table *handle;
	bool is_equal;

	CHECK_OK(aedb_snapshot_open(db, &snapshot));
	CHECK_OK(aedb_scope_open(db, place.project, place.scope, &scope));
	CHECK_OK(aedb_table_open_at(scope, snapshot,
				    model_table_name(table->name), &handle));
	is_equal = model_schema_has_indexes(table, handle);
	aedb_table_close(handle);
	aedb_scope_close(scope);
	aedb_snapshot_close(snapshot);
	return is_equal;
}

/* Whether a commit of this number may have made the state, or not yet. */
static bool is_in_alter(const struct model_state *state, aedb_seq_t seq)
{
	return state->seq_begin && seq >= state->seq_begin &&
	       seq <= state->seq_last;
}

size_t model_find(struct model *model, struct aedb *db)
{
	aedb_seq_t seq = aedb_visible_seq(db);
	size_t i = model->n_states;

	while (--i > 0) {
		if (is_in_alter(model->states[i], seq))
			return is_altered(model->states[i], db) ? i : i - 1;
		if (model_state_has(model->states[i], seq))
			break;
	}
	CHECK_THAT(i || seq == 0, "no commit has number %" PRIu64, seq);
	return i;
}
