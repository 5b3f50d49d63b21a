/*
 * Named snapshots of the model.
 */
#include "model.h"

#include "unit/check.h"

static const char *const names[] = { "a", "b", "b.1", "c", "d", "e" };

#define N_NAMES (sizeof(names) / sizeof(*names))

static size_t find(const struct model_names *all, const char *name)
{
	size_t i = 0;

	while (i < all->n && strcmp(all->at[i].name, name) < 0)
		i++;
	return i;
}

static bool has(const struct model_names *all, const char *name)
{
	size_t i = find(all, name);

	return i < all->n && strcmp(all->at[i].name, name) == 0;
}

static void add(struct model_names *all, const char *name, size_t state)
{
	size_t i = find(all, name);

	memmove(&all->at[i + 1], &all->at[i],
		(all->n++ - i) * sizeof(all->at[0]));
	strcpy(all->at[i].name, name);
	all->at[i].state = state;
}

static size_t take(struct model_names *all, const char *name)
{
	size_t i = find(all, name), state = all->at[i].state;

	memmove(&all->at[i], &all->at[i + 1],
		(--all->n - i) * sizeof(all->at[0]));
	return state;
}

static int create(struct model *model, struct aedb *db, const char *name)
{
	aedb_seq_t seq, visible = aedb_visible_seq(db);
	int want = has(&model->names, name) ? AEDB_EXISTS : 0, rc;

	if (!want)
		add(&model->names_wanted, name, model->n_states - 1);
	rc = aedb_snapshot_create(db, name, &seq);
	if (model_is_disk_error(rc))
		return rc;
	CHECK_EQ(rc, want);
	if (rc == 0) {
		CHECK_EQ(seq, visible);
		model_note_durable(model);
	}
	return 0;
}

static int rename_to(struct model *model, struct aedb *db, const char *from)
{
	const char *to = names[model_random_below(N_NAMES)];
	int want = 0, rc;

	if (!has(&model->names, from))
		want = AEDB_NOT_FOUND;
	else if (strcmp(from, to) && has(&model->names, to))
		want = AEDB_EXISTS;
	else
		add(&model->names_wanted, to, take(&model->names_wanted, from));
	rc = aedb_snapshot_rename(db, from, to);
	if (!model_is_disk_error(rc))
		CHECK_EQ(rc, want);
	return model_is_disk_error(rc) ? rc : 0;
}

static int delete(struct model *model, struct aedb *db, const char *name)
{
	int want = has(&model->names, name) ? 0 : AEDB_NOT_FOUND, rc;

	if (!want)
		take(&model->names_wanted, name);
	rc = aedb_snapshot_delete(db, name);
	if (!model_is_disk_error(rc))
		CHECK_EQ(rc, want);
	return model_is_disk_error(rc) ? rc : 0;
}

int model_name_step(struct model *model, struct aedb *db)
{
	static int (*const steps[])(struct model *, struct aedb *,
				    const char *) = {
		create, create, create, rename_to, delete, delete,
	};
	const char *name = names[model_random_below(N_NAMES)];
	int rc = steps[model_random_below(sizeof(steps) / sizeof(*steps))](
		model, db, name);

	if (rc == 0)
		model->names = model->names_wanted;
	else if (rc != AEDB_UNKNOWN)
		model->names_wanted = model->names;
	return rc;
}

static bool names_are(const struct model *model, const struct model_names *all,
		      struct aedb *db)
{
	struct aedb_snapshot_info info = { .name = "" };
	size_t i = 0;

	for (; aedb_snapshot_next(db, info.name, &info) == 0; i++) {
		const struct model_state *state;

		if (i == all->n || strcmp(info.name, all->at[i].name))
			return false;
		state = model->states[all->at[i].state];
		if (!model_state_has(state, info.seq))
			return false;
	}
	return i == all->n;
}

void model_names_check(struct model *model, struct aedb *db)
{
	if (names_are(model, &model->names_wanted, db))
		model->names = model->names_wanted;
	CHECK_THAT(names_are(model, &model->names, db),
		   "named snapshots differ");
	model->names_wanted = model->names;
}

void model_names_rewind(struct model *model, size_t i)
{
	struct model_names *all = &model->names;

	for (size_t k = all->n; k-- > 0;)
		if (all->at[k].state > i)
			take(all, all->at[k].name);
	model->names_wanted = *all;
}

int model_compare_names(struct model *model, size_t newest, struct aedb *db)
{
	int rc = 0;

	for (size_t i = 0; i < model->names.n; i++) {
		struct aedb_snapshot *snapshot;
		int next;

		CHECK_OK(aedb_snapshot_open_named(db, model->names.at[i].name,
						  &snapshot));
		next = model_compare(model, newest, model->names.at[i].state,
				     db, snapshot);
		rc = rc < 0 ? rc : next;
		aedb_snapshot_close(snapshot);
	}
	return rc;
}
