/*
 * Random changes of a table in several batches and beside them, compared with
 * arrays: what each shows, which commits conflict, and what they leave.
 */
#include "../model.h"
#include "batch_fixture.h"

#define BATCHES 3
#define WRITES_MAX 4

/* What the scope p/s has. Objects and changes are numbers that nothing else gets. */
struct state {
	unsigned scope, table;		/* objects; 0: no table */
	unsigned change;		/* the last one in the scope */
	unsigned schema;		/* the last one of columns and indexes */
	unsigned written;		/* rows were, or it was tried */
	bool has_new_index;		/* it was to get one */
	struct model_table rows;
	unsigned objects[MODEL_ROWS];
	unsigned changes[MODEL_ROWS];	/* the last one of each */
};

/* Where something is done. */
struct side {
	struct aedb_batch *batch;	/* NULL: the database, or not open */
	struct state base, own;
};

static struct {
	struct fixture f;
	struct side live, sides[BATCHES];
	unsigned last;		/* number given */
	unsigned commits, conflicts, in_doubt;
} world;

static const struct aedb_snapshot *view_of(const struct side *side)
{
	return side->batch ? aedb_batch_view(side->batch) : NULL;
}

static struct aedb_scope *scope_of(const struct side *side)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_scope_open_at(world.f.db, view_of(side), "p", "s",
				    &scope));
	return scope;
}

static void side_compare(const struct side *side)
{
	struct aedb_scope *scope = scope_of(side);

	CHECK_OK(model_table_compare(&side->own.rows, scope, view_of(side)));
	aedb_scope_close(scope);
}

static void all_compare(void)
{
	side_compare(&world.live);
	for (size_t i = 0; i < BATCHES; i++)
		if (world.sides[i].batch)
			side_compare(&world.sides[i]);
}

/* What is done. */

static struct aedb_txn *txn_on(const struct side *side)
{
	return side->batch ? txn_in(side->batch) : txn_of(world.f.db);
}

/* Notes which rows a write changed. */
static void rows_note(struct state *state, const struct model_table *before)
{
	for (size_t id = 0; id < MODEL_ROWS; id++) {
		const struct model_row *a = &before->rows[id];
		const struct model_row *b = &state->rows.rows[id];

		if (a->is_there == b->is_there && a->n == b->n &&
		    memcmp(a->cells, b->cells, sizeof(a->cells)) == 0)
			continue;
		state->changes[id] = ++world.last;
		if (!b->is_there)
			state->objects[id] = 0;
		else if (!a->is_there)
			state->objects[id] = ++world.last;
	}
}

static void row_write(struct aedb_txn *txn, struct aedb_table *table,
		      struct state *state)
{
	struct model_table before = state->rows;
	struct model_row_change change = model_row_random(&state->rows);
	int want = model_row_do(&state->rows, &change);

	CHECK_EQ(model_row_write(txn, table, &change), want);
	if (want < 0)
		return;
	rows_note(state, &before);
	/* one that is written as it was has another version, too */
	if (change.kind != MODEL_DELETE && state->rows.rows[change.id].is_there)
		state->changes[change.id] = ++world.last;
}

/* Beside rows, one that nobody else has. */
static void key_put(struct aedb_txn *txn, struct aedb_scope *scope)
{
	unsigned key = ++world.last;

	CHECK_OK(aedb_txn_put(txn, scope, &(struct aedb_put){
		.key = &key, .key_bytes = sizeof(key) }));
}

static void rows_write(struct side *side, struct aedb_scope *scope)
{
	struct aedb_txn *txn = txn_on(side);
	struct aedb_table *table;

	/* who tries to write has read what rows are like */
	side->own.change = side->own.written = ++world.last;
	CHECK_OK(aedb_table_open_at(scope, view_of(side),
				    model_table_name(side->own.rows.name),
				    &table));
	for (size_t n = 1 + model_random_below(WRITES_MAX); n > 0; n--)
		row_write(txn, table, &side->own);
	if (model_random_below(4) == 0)
		key_put(txn, scope);
	CHECK_OK(txn_end(txn));
	aedb_table_close(table);
}

static void table_make(struct side *side, struct aedb_scope *scope)
{
	struct aedb_txn *txn = txn_on(side);
	struct state *state = &side->own;

	model_table_make(&state->rows,
			 1 + (unsigned)model_random_below(MODEL_TABLE_NAMES));
	state->table = state->change = state->schema = ++world.last;
	CHECK_OK(aedb_txn_table_create(txn, scope,
				       model_table_name(state->rows.name),
				       model_table_schema()));
	CHECK_OK(txn_end(txn));
}

static void table_forget(struct state *state)
{
	state->table = state->schema = state->written = 0;
	state->has_new_index = false;
	memset(&state->rows, 0, sizeof(state->rows));
	memset(state->objects, 0, sizeof(state->objects));
	memset(state->changes, 0, sizeof(state->changes));
	state->change = ++world.last;
}

static void table_drop(struct side *side, struct aedb_scope *scope)
{
	struct aedb_txn *txn = txn_on(side);

	CHECK_OK(aedb_txn_table_drop(txn, scope,
				     model_table_name(side->own.rows.name)));
	table_forget(&side->own);
	CHECK_OK(txn_end(txn));
}

static void table_rename(struct side *side, struct aedb_scope *scope)
{
	struct aedb_txn *txn = txn_on(side);
	unsigned from = side->own.rows.name;
	unsigned to = 1 + (unsigned)model_random_below(MODEL_TABLE_NAMES);

	CHECK_OK(aedb_txn_table_rename(txn, scope, model_table_name(from),
				       model_table_name(to)));
	CHECK_EQ(txn_end(txn), from == to ? AEDB_EXISTS : 0);
	side->own.rows.name = to;
	if (from != to)
		side->own.change = ++world.last;
}

/* Entries of a dropped index go now, not with the next comparison. */
static void live_finish(void)
{
	struct aedb_scope *scope = scope_of(&world.live);
	struct aedb_table *table;

	if (world.live.own.table) {
		CHECK_OK(aedb_table_open(
			scope, model_table_name(world.live.own.rows.name),
			&table));
		aedb_table_close(table);
	}
	aedb_scope_close(scope);
}

/* One that cannot be done is not committed, but it was looked at. */
static void table_alter(struct side *side, struct aedb_scope *scope)
{
	struct model_alter alter = model_alter_random(&side->own.rows);
	const char *name = model_table_name(side->own.rows.name);
	struct aedb_txn *txn = txn_on(side);
	int want = model_alter_do(&side->own.rows, &alter), rc;

	side->own.change = side->own.written = ++world.last;
	rc = model_alter_run(txn, scope, name, &alter);
	side->own.has_new_index |= alter.kind == AEDB_ADD_INDEX && rc == 0;
	if (want == AEDB_EXISTS &&
	    model_alter_has_twins(&side->own.rows, &alter)) {
		CHECK_OK(rc);
		CHECK_EQ(txn_end(txn), want);
		return;
	}
	CHECK_EQ(rc, want);
	CHECK_OK(txn_end(txn));
	if (want == 0)
		side->own.schema = ++world.last;
	if (!side->batch)
		live_finish();
}

/* Another scope, without table, takes its name. */
static void scope_replace(struct side *side)
{
	struct aedb_txn *txn = txn_on(side);

	CHECK_OK(aedb_txn_drop(txn, place("p", "s"), AEDB_DROP_ALL));
	CHECK_OK(aedb_txn_create(txn, place("p", "s"), NULL, 0, NULL));
	CHECK_OK(txn_end(txn));
	table_forget(&side->own);
	side->own.scope = ++world.last;
}

static void step(struct side *side)
{
	struct aedb_scope *scope = scope_of(side);
	size_t dice = model_random_below(30);

	if (dice == 0)
		scope_replace(side);
	else if (!side->own.table)
		table_make(side, scope);
	else if (dice == 1)
		table_drop(side, scope);
	else if (dice == 2)
		table_rename(side, scope);
	else if (dice < 6)
		table_alter(side, scope);
	else
		rows_write(side, scope);
	aedb_scope_close(scope);
}

/* What a commit must give. */

enum outcome {
	COMMITS, CONFLICTS,
	EITHER,		/* what was done and undone may count or not */
	LEAVES_TWO,	/* tables, which the model does not have */
};

static bool row_differs(const struct state *a, const struct state *b, size_t id)
{
	const struct model_row *x = &a->rows.rows[id], *y = &b->rows.rows[id];

	if (!x->is_there || !y->is_there)
		return x->is_there != y->is_there;
	return a->objects[id] != b->objects[id] || x->n != y->n ||
	       memcmp(x->cells, y->cells, sizeof(x->cells)) != 0;
}

static bool table_differs(const struct state *a, const struct state *b)
{
	bool differs = a->table != b->table || a->schema != b->schema ||
		       a->rows.name != b->rows.name;

	for (size_t id = 0; id < MODEL_ROWS; id++)
		differs |= row_differs(a, b, id);
	return differs;
}

/* Of a scope, or table, that one side takes away and the other one has. */
static enum outcome gone_outcome(const struct state *base,
				 const struct state *other)
{
	if (base->change == other->change)
		return COMMITS;
	return table_differs(base, other) ? CONFLICTS : EITHER;
}

/* What the table is when both sides' changes are there. */
static struct model_table rows_merged(const struct side *side)
{
	const struct model_table *live = &world.live.own.rows;
	bool is_own = side->own.schema != side->base.schema;
	struct model_table merged = is_own ? side->own.rows : *live;

	merged.name = live->name;
	memcpy(merged.rows, live->rows, sizeof(merged.rows));
	for (size_t id = 0; id < MODEL_ROWS; id++)
		if (row_differs(&side->base, &side->own, id))
			merged.rows[id] = side->own.rows.rows[id];
	return merged;
}

static bool is_unique(const struct model_table *table)
{
	bool is_taken[UINT8_MAX] = { false };

	if (!table->indexes[MODEL_BY_MAIL])
		return true;
	for (size_t id = 0; id < MODEL_ROWS; id++) {
		uint16_t mail = model_cell(table, &table->rows[id], MODEL_MAIL);

		if (!table->rows[id].is_there || !mail)
			continue;
		if (is_taken[mail])
			return false;
		is_taken[mail] = true;
	}
	return true;
}

/* Of one row: whoever wrote it first has it. */
static enum outcome row_outcome(const struct side *side, size_t id)
{
	const struct state *base = &side->base, *own = &side->own;
	const struct state *live = &world.live.own;
	bool was_there = base->rows.rows[id].is_there;
	bool is_there = live->rows.rows[id].is_there;

	if (base->changes[id] == live->changes[id] ||
	    base->changes[id] == own->changes[id])
		return COMMITS;
	if (!row_differs(base, own, id) || (!was_there && !is_there))
		return EITHER;
	return CONFLICTS;
}

/* Who wrote rows or changed columns or indexes has read these, who made an index all
 * rows. */
static enum outcome schema_outcome(const struct side *side)
{
	const struct state *base = &side->base, *own = &side->own;
	const struct state *live = &world.live.own;
	enum outcome found = table_differs(base, own) ? CONFLICTS : EITHER;
	enum outcome outcome = COMMITS;

	if (own->written == base->written)
		return COMMITS;
	if (live->schema != base->schema)
		return found;
	for (size_t id = 0; own->has_new_index && id < MODEL_ROWS; id++) {
		if (live->changes[id] == base->changes[id])
			continue;
		if (row_differs(base, live, id))
			return found;
		outcome = EITHER;
	}
	return outcome;
}

static enum outcome rows_outcome(const struct side *side)
{
	struct model_table merged = rows_merged(side);
	enum outcome all = schema_outcome(side);

	if (side->own.change == side->base.change)
		return COMMITS;
	if (side->own.table != world.live.own.table)
		return gone_outcome(&side->base, &side->own);
	if (all == CONFLICTS)
		return CONFLICTS;
	for (size_t id = 0; id < MODEL_ROWS; id++) {
		enum outcome one = row_outcome(side, id);

		if (one == CONFLICTS)
			return CONFLICTS;
		all = one == EITHER ? one : all;
	}
	if (!is_unique(&merged))
		return CONFLICTS;
	/* entries of both sides in an index that the batch dropped then */
	memcpy(merged.indexes, side->base.rows.indexes, sizeof(merged.indexes));
	return is_unique(&merged) ? all : EITHER;
}

static enum outcome table_outcome(const struct side *side)
{
	const struct state *base = &side->base, *own = &side->own;
	const struct state *live = &world.live.own;
	bool is_same = own->table == base->table;

	if (is_same && own->rows.name == base->rows.name)
		return rows_outcome(side);
	if (!base->table && live->table)
		return live->rows.name == own->rows.name ? CONFLICTS :
							   LEAVES_TWO;
	if (live->table != base->table || live->rows.name != base->rows.name)
		return CONFLICTS;
	return is_same ? rows_outcome(side) : gone_outcome(base, live);
}

static enum outcome outcome_of(const struct side *side)
{
	const struct state *live = &world.live.own;
	unsigned was = side->base.scope;

	if (side->own.scope == was && live->scope == was)
		return table_outcome(side);
	if (side->own.scope == was)
		return gone_outcome(&side->base, &side->own);
	return live->scope == was ? gone_outcome(&side->base, live) : CONFLICTS;
}

static void merge(const struct side *side)
{
	const struct state *base = &side->base, *own = &side->own;
	struct state *live = &world.live.own;

	if (live->scope != base->scope || own->change == base->change)
		return;
	if (own->scope != base->scope || own->table != base->table) {
		*live = *own;
	} else if (own->table == live->table) {
		live->rows = rows_merged(side);
		if (own->schema != base->schema)
			live->schema = own->schema;
		if (own->written != base->written)
			live->written = ++world.last;
		if (own->rows.name != base->rows.name)
			live->rows.name = own->rows.name;
		for (size_t id = 0; id < MODEL_ROWS; id++)
			if (row_differs(base, own, id)) {
				live->objects[id] = own->objects[id];
				live->changes[id] = ++world.last;
			}
	}
	live->change = ++world.last;
}

static void side_abort(struct side *side)
{
	aedb_batch_abort(side->batch);
	side->batch = NULL;
}

static void finish(struct side *side)
{
	enum outcome want = outcome_of(side);
	struct aedb_change change;
	int check, rc;

	if (want == LEAVES_TWO) {
		side_abort(side);
		return;
	}
	check = aedb_batch_check(side->batch);
	rc = aedb_batch_commit(side->batch, NULL);
	CHECK_EQ(check, rc);
	if (want == EITHER)
		world.in_doubt++;
	else
		CHECK_EQ(rc, want == COMMITS ? 0 : AEDB_CONFLICT);
	if (rc == 0) {
		merge(side);
		side->batch = NULL;
		live_finish();
		world.commits++;
		return;
	}
	CHECK_EQ(rc, AEDB_CONFLICT);
	world.conflicts++;
	CHECK_OK(aedb_batch_conflict(side->batch, 0, &change));
	all_compare();
	if (model_random_below(2))
		side_abort(side);
}

static void act(struct side *side)
{
	size_t dice = model_random_below(16);

	if (!side->batch) {
		side->batch = batch_of(world.f.db);
		side->own = world.live.own;
		side->own.has_new_index = false;
		side->base = side->own;
	} else if (dice == 0) {
		side_abort(side);
	} else if (dice < 5) {
		finish(side);
	} else {
		step(side);
	}
}

static void upkeep(size_t what)
{
	if (what == 0) {
		CHECK_OK(aedb_compact(world.f.db));
	} else if (what < 3) {
		CHECK_OK(aedb_checkpoint(world.f.db, NULL));
	} else {
		for (size_t i = 0; i < BATCHES; i++)
			side_abort(&world.sides[i]);
		CHECK_OK(aedb_close(world.f.db));
		CHECK_OK(fixture_try(&world.f));
	}
}

static void world_run(uint64_t memory_bytes, uint32_t inline_bytes, int steps)
{
	memset(&world, 0, sizeof(world));
	fixture_init(&world.f);
	world.f.options.maintenance = AEDB_ON_CALL;
	world.f.options.memory_bytes = memory_bytes;
	world.f.options.inline_bytes_max = inline_bytes;
	CHECK_OK(fixture_try(&world.f));
	CHECK_OK(aedb_create(world.f.db, place("p", NULL)));
	CHECK_OK(aedb_create(world.f.db, place("p", "s")));
	world.live.own.scope = ++world.last;
	for (int i = 0; i < steps; i++) {
		size_t what = model_random_below(100);

		if (what < 15)
			step(&world.live);
		else if (what < 96)
			act(&world.sides[model_random_below(BATCHES)]);
		else
			upkeep(what - 96);
		if (model_random_below(8) == 0)
			all_compare();
	}
	all_compare();
	printf("# %u commits, %u conflicts, %u in doubt\n", world.commits,
	       world.conflicts, world.in_doubt);
	CHECK(world.commits > 0 && world.conflicts > 0);
	for (size_t i = 0; i < BATCHES; i++)
		side_abort(&world.sides[i]);
	CHECK_OK(aedb_close(world.f.db));
	simdisk_free(world.f.disk);
}

TEST(model, "tables in batches show, commit and conflict as arrays do")
{
	world_run(UINT64_C(64) << 20, 1024, 1500);
}

TEST(model_tight, "the same with little memory, and values in value files")
{
	world_run(UINT64_C(4) << 20, 0, 700);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
