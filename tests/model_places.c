/*
 * Operations on projects and scopes, each done the obvious way beside the
 * database.
 */
#include "model_step.h"

#include "unit/check.h"

#define below model_random_below

static size_t first_scope(size_t project)
{
	return project * MODEL_PROJECT_SCOPES;
}

static void scope_drop(struct model_state *state, size_t i)
{
	state->exists[i] = false;
	state->scope_ids[i] = 0;
	memset(state->entries[2 * i], 0, 2 * sizeof(state->entries[0]));
	state->tables[i] = (struct model_table){ .name = 0 };
}

static bool scope_is_empty(const struct model_state *state, size_t i)
{
	if (state->tables[i].name)
		return false;
	for (size_t key = 0; key < MODEL_KEYS; key++)
		for (size_t plane = 0; plane < 2; plane++) {
			size_t space = 2 * i + plane;
			bool is_own = plane == 1 && key == 0;

			if (state->entries[space][key].is_there && !is_own)
				return false;
		}
	return true;
}

static void scope_move(struct model_state *state, size_t from, size_t to)
{
	state->exists[to] = true;
	state->scope_ids[to] = state->scope_ids[from];
	memcpy(state->entries[2 * to], state->entries[2 * from],
	       2 * sizeof(state->entries[0]));
	state->tables[to] = state->tables[from];
	scope_drop(state, from);
}

static bool project_is_empty(const struct model_state *state, size_t project)
{
	for (size_t i = 0; i < MODEL_PROJECT_SCOPES; i++)
		if (state->exists[first_scope(project) + i])
			return false;
	return true;
}

static void project_move(struct model_state *state, size_t from, size_t to)
{
	state->has_project[from] = false;
	state->has_project[to] = true;
	for (size_t i = 0; i < MODEL_PROJECT_SCOPES; i++)
		if (state->exists[first_scope(from) + i])
			scope_move(state, first_scope(from) + i,
				   first_scope(to) + i);
}

/* In the transaction, or as a commit of its own. */

static void place_create(struct step *step, struct aedb_place place)
{
	step_note_operation(step, step->txn ?
		aedb_txn_create(step->txn, place, NULL, 0, NULL) :
		aedb_create(step->db, place));
}

static void place_drop(struct step *step, struct aedb_place place,
		       enum aedb_drop how)
{
	step_note_operation(step, step->txn ?
		aedb_txn_drop(step->txn, place, how) :
		aedb_drop(step->db, place, how));
}

static void place_rename(struct step *step, struct aedb_place from,
			 struct aedb_place to)
{
	step_note_operation(step, step->txn ?
		aedb_txn_rename(step->txn, from, to) :
		aedb_rename(step->db, from, to));
}

/* Scopes. */

static void scope_op_create(struct step *step, size_t i)
{
	struct model_state *state = step->state;

	if (!state->has_project[i / MODEL_PROJECT_SCOPES])
		step->want = AEDB_NOT_FOUND;
	else if (state->exists[i])
		step->want = AEDB_EXISTS;
	else
		state->exists[i] = true;
	place_create(step, model_place(i));
}

static void scope_op_drop(struct step *step, size_t i)
{
	enum aedb_drop how = below(2) ? AEDB_DROP_ALL : AEDB_DROP_EMPTY;
	struct model_state *state = step->state;

	if (!state->exists[i])
		step->want = AEDB_NOT_FOUND;
	else if (how == AEDB_DROP_EMPTY && !scope_is_empty(state, i))
		step->want = AEDB_NOT_EMPTY;
	else
		scope_drop(state, i);
	place_drop(step, model_place(i), how);
}

static void scope_op_rename(struct step *step, size_t i)
{
	struct model_state *state = step->state;
	size_t to = below(MODEL_SCOPES);

	if (!state->exists[i])
		step->want = AEDB_NOT_FOUND;
	else if (state->exists[to])
		step->want = AEDB_EXISTS;
	else if (!state->has_project[to / MODEL_PROJECT_SCOPES])
		step->want = AEDB_NOT_FOUND;
	else
		scope_move(state, i, to);
	place_rename(step, model_place(i), model_place(to));
}

/* Projects. */

static void project_op_create(struct step *step, size_t i)
{
	if (step->state->has_project[i])
		step->want = AEDB_EXISTS;
	else
		step->state->has_project[i] = true;
	place_create(step, model_project(i));
}

static void project_op_drop(struct step *step, size_t i)
{
	struct model_state *state = step->state;

	if (!state->has_project[i])
		step->want = AEDB_NOT_FOUND;
	else if (!project_is_empty(state, i))
		step->want = AEDB_NOT_EMPTY;
	else
		state->has_project[i] = false;
	place_drop(step, model_project(i), AEDB_DROP_EMPTY);
}

static void project_op_rename(struct step *step, size_t i)
{
	struct model_state *state = step->state;
	size_t to = below(MODEL_PROJECTS);

	if (!state->has_project[i])
		step->want = AEDB_NOT_FOUND;
	else if (state->has_project[to])
		step->want = AEDB_EXISTS;
	else
		project_move(state, i, to);
	place_rename(step, model_project(i), model_project(to));
}

/* Mostly what can succeed: makes what is not there, and changes what is. */
void step_place_operation(struct step *step)
{
	size_t scope = below(MODEL_SCOPES), project = below(MODEL_PROJECTS);

	if (below(4) == 0) {
		if (!step->state->has_project[project] || below(16) == 0)
			project_op_create(step, project);
		else if (below(2))
			project_op_drop(step, project);
		else
			project_op_rename(step, project);
	} else if (!step->state->exists[scope] || below(16) == 0) {
		scope_op_create(step, scope);
	} else if (below(3) == 0) {
		scope_op_drop(step, scope);
	} else {
		scope_op_rename(step, scope);
	}
}
