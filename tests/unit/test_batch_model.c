/*
 * Random operations in several batches and beside them, compared with arrays.
 *
 * The model holds what the database and each batch should show. Which commits
 * must conflict follows from what differs between a batch's base, the batch and
 * the newest state.
 */
#include "batch_fixture.h"

#define BATCHES 4
#define PROJECTS 2
#define SLOTS 4		/* places p/a, p/b, q/a, q/b */
#define KEYS 7
#define ROOM_BYTES 80000

/* A key's object. */
struct thing {
	bool is_there;
	unsigned object;	/* which; 0: none */
	unsigned version;	/* of its last change */
	unsigned value;		/* what its bytes are made from */
	uint8_t attr;		/* 0: none */
};

struct scope_model {
	unsigned object;	/* 0: no scope has this name */
	unsigned version;	/* of the last change in it */
	struct thing things[2][KEYS];
};

struct state {
	unsigned projects[PROJECTS];	/* objects; 0: there is none */
	struct scope_model rooms[SLOTS];
};

static struct {
	struct fixture f;
	struct state live;
	struct {
		struct aedb_batch *batch;	/* NULL: not open */
		struct state base, own;
	} branches[BATCHES];
	unsigned last;		/* object or version given */
	uint64_t *ids;		/* of objects; 0: not known */
	size_t ids_max;
	unsigned commits, conflicts, merges;
} world;

static const char *const keys[2][KEYS] = {
	{ "", "a", "a/b", "b", "ba", "c\xff", "d" },
	{ "", "a", "a/x", "b", "x", "y", "z" },
};

static unsigned choose(unsigned n)
{
	return (unsigned)(check_random() % n);
}

static struct aedb_place project_place(unsigned project)
{
	return place(project ? "q" : "p", NULL);
}

static unsigned project_of(unsigned slot)
{
	return slot / 2;
}

static struct aedb_place slot_place(unsigned slot)
{
	return place(project_place(project_of(slot)).project,
		     slot % 2 ? "b" : "a");
}

/* Values of all kinds: none, small, of a page, of chunks. */
static size_t value_bytes(unsigned value)
{
	static const size_t sizes[] = { 0, 5, 100, 1500, 30000, 70000 };

	return value ? sizes[value % 6] : 0;
}

static const uint8_t *value_of(unsigned value)
{
	static uint8_t bytes[ROOM_BYTES];

	bytes_fill(bytes, value_bytes(value), value);
	return bytes;
}

static unsigned value_new(void)
{
	/* mostly small ones */
	unsigned value = ++world.last;

	while (choose(4) && value % 6 > 2)
		value = ++world.last;
	return value;
}

static void id_compare(unsigned object, uint64_t id)
{
	if (object >= world.ids_max) {
		size_t max = object * 2 + 16;

		world.ids = realloc(world.ids, max * sizeof(*world.ids));
		memset(world.ids + world.ids_max, 0,
		       (max - world.ids_max) * sizeof(*world.ids));
		world.ids_max = max;
	}
	if (!world.ids[object])
		world.ids[object] = id;
	CHECK_EQ(world.ids[object], id);
}

/* Comparing. */

static void thing_compare(struct aedb_scope *scope,
			  const struct aedb_snapshot *view, const char *key,
			  const struct thing *thing)
{
	struct aedb_entry e;
	int rc = aedb_get(scope, view, key, strlen(key), &e);

	if (!thing->is_there) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		return;
	}
	CHECK_OK(rc);
	CHECK_EQ(e.value_bytes, value_bytes(thing->value));
	if (e.value_bytes)
		CHECK_MEM(e.value, value_of(thing->value), e.value_bytes);
	CHECK_EQ(e.attr_bytes, thing->attr != 0);
	if (thing->attr)
		CHECK_EQ(*(const uint8_t *)e.attr, thing->attr);
	id_compare(thing->object, e.id);
	aedb_unpin(&e);
}

static void scan_compare(struct aedb_scope *scope,
			 const struct aedb_snapshot *view,
			 const struct thing *things, const char *const *names)
{
	bool is_back = choose(2);
	struct aedb_range range = { .direction = is_back ? AEDB_BACKWARD :
							   AEDB_FORWARD };
	struct aedb_scan *scan;
	struct aedb_entry e;

	CHECK_OK(aedb_scan_open(scope, view, &range, &scan));
	for (int i = 0; i < KEYS; i++) {
		int at = is_back ? KEYS - 1 - i : i;

		if (!things[at].is_there)
			continue;
		CHECK_OK(aedb_scan_next(scan, &e));
		CHECK_EQ(e.key_bytes, strlen(names[at]));
		CHECK_MEM(e.key, names[at], e.key_bytes);
		CHECK_EQ(e.value_bytes, value_bytes(things[at].value));
	}
	CHECK_EQ(aedb_scan_next(scan, &e), AEDB_NOT_FOUND);
	aedb_scan_close(scan);
}

static void room_compare(const struct aedb_snapshot *view, unsigned slot,
			 const struct scope_model *room)
{
	struct aedb_place at = slot_place(slot);
	struct aedb_scope *scope;
	int rc = aedb_scope_open_at(world.f.db, view, at.project, at.scope,
				    &scope);

	if (!room->object) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		return;
	}
	CHECK_OK(rc);
	id_compare(room->object, aedb_scope_id(scope));
	for (int plane = 0; plane < 2; plane++) {
		struct aedb_scope *s = plane ? aedb_scope_dirs(scope) : scope;

		for (int i = 0; i < KEYS; i++)
			thing_compare(s, view, keys[plane][i],
				      &room->things[plane][i]);
		scan_compare(s, view, room->things[plane], keys[plane]);
	}
	aedb_scope_close(scope);
}

static void project_compare(const struct aedb_snapshot *view, unsigned project,
			    unsigned object)
{
	struct aedb_entry e;
	int rc = aedb_place_stat(world.f.db, view, project_place(project), &e);

	CHECK_EQ(rc, object ? 0 : AEDB_NOT_FOUND);
	if (rc < 0)
		return;
	id_compare(object, e.id);
	aedb_unpin(&e);
}

static void state_compare(const struct aedb_snapshot *view,
			  const struct state *state)
{
	for (unsigned i = 0; i < PROJECTS; i++)
		project_compare(view, i, state->projects[i]);
	for (unsigned slot = 0; slot < SLOTS; slot++)
		room_compare(view, slot, &state->rooms[slot]);
}

static void all_compare(void)
{
	state_compare(NULL, &world.live);
	for (int i = 0; i < BATCHES; i++)
		if (world.branches[i].batch)
			state_compare(aedb_batch_view(world.branches[i].batch),
				      &world.branches[i].own);
}

/* Operations: each adds itself to a transaction and to the model, and says whether
 * it can succeed. */

struct target {
	struct aedb_batch *batch;	/* NULL: the database */
	struct state *state;
};

struct doing {
	struct aedb_txn *txn;
	struct aedb_scope *scope;	/* of the slot, opened */
	struct state state;
	unsigned slot, plane;
};

static void changed(struct scope_model *room)
{
	room->version = ++world.last;
}

static bool do_put(struct doing *d, unsigned i)
{
	struct scope_model *room = &d->state.rooms[d->slot];
	struct thing *thing = &room->things[d->plane][i];
	uint8_t attr = (uint8_t)choose(3);
	struct aedb_put put = { .key = keys[d->plane][i],
				.key_bytes = strlen(keys[d->plane][i]) };

	if (!thing->is_there)
		*thing = (struct thing){ true, ++world.last, 0, 0, 0 };
	if (d->plane == 0)
		thing->value = value_new();
	if (attr) {
		thing->attr = attr;
		put.attr = &attr;
		put.attr_bytes = 1;
	}
	thing->version = ++world.last;
	changed(room);
	put.value = value_of(thing->value);
	put.value_bytes = value_bytes(thing->value);
	CHECK_OK(aedb_txn_put(d->txn, d->plane ? aedb_scope_dirs(d->scope) :
						 d->scope, &put));
	return true;
}

static bool do_delete(struct doing *d, unsigned i)
{
	struct scope_model *room = &d->state.rooms[d->slot];
	struct thing *thing = &room->things[d->plane][i];
	bool was_there = thing->is_there;

	*thing = (struct thing){ .version = ++world.last };
	changed(room);
	CHECK_OK(aedb_txn_delete(d->txn, d->plane ? aedb_scope_dirs(d->scope) :
						    d->scope,
				 keys[d->plane][i], strlen(keys[d->plane][i])));
	return was_there;
}

static bool do_attr(struct doing *d, unsigned i)
{
	struct scope_model *room = &d->state.rooms[d->slot];
	struct thing *thing = &room->things[d->plane][i];
	uint8_t attr = (uint8_t)(1 + choose(3));

	thing->attr = attr;
	thing->version = ++world.last;
	changed(room);
	CHECK_OK(aedb_txn_set_attr(d->txn, d->plane ? aedb_scope_dirs(d->scope) :
						      d->scope,
				   &(struct aedb_put){
		.key = keys[d->plane][i],
		.key_bytes = strlen(keys[d->plane][i]),
		.attr = &attr, .attr_bytes = 1 }));
	return thing->is_there;
}

static bool do_move(struct doing *d, unsigned i)
{
	unsigned to = choose(KEYS);
	struct scope_model *room = &d->state.rooms[d->slot];
	struct thing *things = room->things[d->plane];
	struct aedb_scope *s = d->plane ? aedb_scope_dirs(d->scope) : d->scope;
	bool was_there = things[i].is_there;

	CHECK_OK(aedb_txn_move(d->txn, s, keys[d->plane][i],
			       strlen(keys[d->plane][i]), s, keys[d->plane][to],
			       strlen(keys[d->plane][to])));
	if (i == to)
		return was_there;
	things[to] = things[i];
	things[to].version = ++world.last;
	things[i] = (struct thing){ .version = ++world.last };
	changed(room);
	return was_there;
}

static bool do_exchange(struct doing *d, unsigned i)
{
	unsigned to = choose(KEYS);
	struct scope_model *room = &d->state.rooms[d->slot];
	struct thing *things = room->things[d->plane], other;
	struct aedb_scope *s = d->plane ? aedb_scope_dirs(d->scope) : d->scope;

	CHECK_OK(aedb_txn_exchange(d->txn, s, keys[d->plane][i],
				   strlen(keys[d->plane][i]), s,
				   keys[d->plane][to],
				   strlen(keys[d->plane][to])));
	if (!things[i].is_there || !things[to].is_there)
		return false;
	if (i == to)
		return true;
	other = things[to];
	things[to] = things[i];
	things[i] = other;
	things[i].version = ++world.last;
	things[to].version = ++world.last;
	changed(room);
	return true;
}

static bool do_touch(struct doing *d, unsigned i)
{
	changed(&d->state.rooms[d->slot]);
	CHECK_OK(aedb_txn_touch(d->txn, aedb_scope_dirs(d->scope), keys[1][i],
				strlen(keys[1][i])));
	return true;
}

static bool do_key(struct doing *d)
{
	static bool (*const does[])(struct doing *, unsigned) = {
		do_put, do_put, do_put, do_delete, do_attr, do_move,
		do_exchange, do_touch,
	};

	d->plane = choose(3) == 0;
	return does[choose(8)](d, choose(KEYS));
}

static bool do_create(struct doing *d, unsigned slot)
{
	struct scope_model *room = &d->state.rooms[slot];
	bool can = !room->object && d->state.projects[project_of(slot)];

	CHECK_OK(aedb_txn_create(d->txn, slot_place(slot), NULL, 0, NULL));
	*room = (struct scope_model){ .object = ++world.last };
	return can;
}

static bool room_is_empty(const struct scope_model *room)
{
	for (int i = 0; i < KEYS; i++)
		if (room->things[0][i].is_there ||
		    (i > 0 && room->things[1][i].is_there))
			return false;
	return true;
}

static bool do_drop(struct doing *d, unsigned slot)
{
	struct scope_model *room = &d->state.rooms[slot];
	enum aedb_drop how = choose(3) ? AEDB_DROP_ALL : AEDB_DROP_EMPTY;
	bool can = room->object &&
		   (how == AEDB_DROP_ALL || room_is_empty(room));

	CHECK_OK(aedb_txn_drop(d->txn, slot_place(slot), how));
	*room = (struct scope_model){ .object = 0 };
	return can;
}

static bool do_rename(struct doing *d, unsigned slot)
{
	unsigned to = choose(SLOTS);
	bool can = d->state.rooms[slot].object && !d->state.rooms[to].object &&
		   d->state.projects[project_of(to)];

	CHECK_OK(aedb_txn_rename(d->txn, slot_place(slot), slot_place(to)));
	d->state.rooms[to] = d->state.rooms[slot];
	d->state.rooms[slot] = (struct scope_model){ .object = 0 };
	return can;
}

/* Makes the project, or drops it. */
static bool do_project(struct doing *d, unsigned project)
{
	unsigned *object = &d->state.projects[project];
	bool has_rooms = false;

	if (!*object) {
		CHECK_OK(aedb_txn_create(d->txn, project_place(project), NULL,
					 0, NULL));
		*object = ++world.last;
		return true;
	}
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (project_of(slot) == project && d->state.rooms[slot].object)
			has_rooms = true;
	CHECK_OK(aedb_txn_drop(d->txn, project_place(project),
			       AEDB_DROP_EMPTY));
	*object = 0;
	return !has_rooms;
}

static bool do_place(struct doing *d)
{
	/* what lacks is made soon */
	for (unsigned i = 0; i < PROJECTS; i++)
		if (!d->state.projects[i] && choose(2))
			return do_project(d, i);
	switch (choose(7)) {
	case 0:
		return do_project(d, choose(PROJECTS));
	case 1:
	case 2:
	case 3:
		return do_drop(d, choose(SLOTS));
	case 4:
		return do_rename(d, choose(SLOTS));
	default:
		return do_create(d, choose(SLOTS));
	}
}

static struct aedb_txn *target_txn(struct target target)
{
	return target.batch ? txn_in(target.batch) : txn_of(world.f.db);
}

/* The slot and its project, so far as they are not there. */
static void make(struct target target, unsigned slot)
{
	struct doing d = { .state = *target.state,
			   .txn = target_txn(target) };

	if (!d.state.projects[project_of(slot)])
		do_project(&d, project_of(slot));
	if (!d.state.rooms[slot].object)
		do_create(&d, slot);
	CHECK_OK(txn_end(d.txn));
	*target.state = d.state;
}

/* A random transaction on a target. */
static void step(struct target target)
{
	struct doing d = { .state = *target.state, .slot = choose(SLOTS) };
	const struct aedb_snapshot *view =
		target.batch ? aedb_batch_view(target.batch) : NULL;
	struct aedb_place at = slot_place(d.slot);
	bool can = true;
	int rc;

	d.txn = target_txn(target);
	if (choose(8) == 0 || !d.state.rooms[d.slot].object) {
		can = do_place(&d);
	} else {
		CHECK_OK(aedb_scope_open_at(world.f.db, view, at.project,
					    at.scope, &d.scope));
		for (unsigned n = 1 + choose(3); n > 0 && can; n--)
			can = do_key(&d);
	}
	rc = txn_end(d.txn);
	aedb_scope_close(d.scope);
	CHECK_EQ(rc == 0, can);
	if (can)
		*target.state = d.state;
}

/* Commits. */

static bool things_equal(const struct thing *a, const struct thing *b)
{
	if (!a->is_there || !b->is_there)
		return a->is_there == b->is_there;
	return a->object == b->object && a->attr == b->attr &&
	       (a->value == b->value ||
		(!value_bytes(a->value) && !value_bytes(b->value)));
}

static const struct scope_model *room_find(const struct state *state, unsigned object)
{
	for (int i = 0; i < SLOTS && object; i++)
		if (state->rooms[i].object == object)
			return &state->rooms[i];
	return NULL;
}

/* Whether what a batch did to a thing conflicts with what others did. */
static bool thing_conflicts(unsigned plane, const struct thing *base,
			    const struct thing *own, const struct thing *live)
{
	if (things_equal(base, own))
		return false;
	if (!base->is_there && !live->is_there)
		return false;
	if (plane == 0)
		return base->is_there != live->is_there ||
		       base->version != live->version;
	if (!base->is_there)
		return false;
	return !live->is_there || live->object != base->object ||
	       live->attr != base->attr;
}

enum outcome { COMMITS, CONFLICTS, EITHER };

static bool room_is_written(const struct scope_model *base, const struct scope_model *own)
{
	for (int plane = 0; plane < 2; plane++)
		for (int i = 0; i < KEYS; i++)
			if (!things_equal(&base->things[plane][i],
					  &own->things[plane][i]))
				return true;
	return false;
}

static bool rooms_conflict(const struct scope_model *base, const struct scope_model *own,
			   const struct scope_model *live)
{
	if (!live)
		return room_is_written(base, own);
	for (unsigned plane = 0; plane < 2; plane++)
		for (int i = 0; i < KEYS; i++)
			if (thing_conflicts(plane, &base->things[plane][i],
					    &own->things[plane][i],
					    &live->things[plane][i]))
				return true;
	return false;
}

/* Of a scope that the batch drops. Deletions since made again are in doubt, and so
 * are times. */
static enum outcome drop_outcome(const struct scope_model *base,
				 const struct scope_model *live)
{
	if (!live)
		return CONFLICTS;
	if (base->version == live->version)
		return COMMITS;
	for (int plane = 0; plane < 2; plane++)
		for (int i = 0; i < KEYS; i++) {
			const struct thing *a = &base->things[plane][i];
			const struct thing *b = &live->things[plane][i];

			if (a->is_there != b->is_there ||
			    (a->is_there && a->version != b->version))
				return CONFLICTS;
		}
	return EITHER;
}

/* Whether a project, or scope, that a batch made has a name that the base had not, and others
 * made one of that name, too. */
static bool projects_merge(const struct state *base, const struct state *own,
			   const struct state *live, unsigned project)
{
	return !base->projects[project] && own->projects[project] &&
	       live->projects[project];
}

static bool rooms_merge(const struct state *base, const struct state *own,
			const struct state *live, int slot)
{
	unsigned o = own->rooms[slot].object, l = live->rooms[slot].object;

	return !base->rooms[slot].object && o && l && !room_find(base, o) &&
	       !room_find(base, l);
}

/* What a batch did to the name of a project. */
static bool project_conflicts(const struct state *base, const struct state *own,
			      const struct state *live, unsigned project)
{
	unsigned was = base->projects[project];

	if (!was || was == own->projects[project])
		return false;
	if (was != live->projects[project])
		return true;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (project_of(slot) == project && live->rooms[slot].object &&
		    !base->rooms[slot].object)
			return true;
	return false;
}

/* What it did to the name of a scope. */
static bool slot_conflicts(const struct state *base, const struct state *own,
			   const struct state *live, int slot)
{
	unsigned project = project_of((unsigned)slot);
	unsigned was = base->rooms[slot].object;
	unsigned own_project = own->projects[project];
	bool is_base = own_project && own_project == base->projects[project];

	if (was == own->rooms[slot].object)
		return false;
	/* it needs the project, or what was in that */
	if ((is_base || was) &&
	    base->projects[project] != live->projects[project])
		return true;
	if (was || !live->rooms[slot].object)
		return was != live->rooms[slot].object;
	return (is_base || projects_merge(base, own, live, project)) &&
	       !rooms_merge(base, own, live, slot);
}

/* What it did in the scope that is there. */
static enum outcome room_outcome(const struct state *base,
				 const struct state *own,
				 const struct state *live, int slot)
{
	static const struct scope_model none;
	unsigned was = base->rooms[slot].object;
	const struct scope_model *now = room_find(own, was);

	if (rooms_merge(base, own, live, slot))
		return rooms_conflict(&none, &own->rooms[slot],
				      &live->rooms[slot]) ? CONFLICTS : COMMITS;
	if (was && !now)
		return drop_outcome(&base->rooms[slot], room_find(live, was));
	return was && rooms_conflict(&base->rooms[slot], now,
				     room_find(live, was)) ? CONFLICTS :
							     COMMITS;
}

static enum outcome commit_outcome(const struct state *base,
				   const struct state *own,
				   const struct state *live)
{
	enum outcome all = COMMITS;

	for (unsigned i = 0; i < PROJECTS; i++)
		if (project_conflicts(base, own, live, i))
			return CONFLICTS;
	for (int i = 0; i < SLOTS; i++) {
		enum outcome one = room_outcome(base, own, live, i);

		if (one == CONFLICTS || slot_conflicts(base, own, live, i))
			return CONFLICTS;
		all = one == EITHER ? one : all;
	}
	return all;
}

static void room_merge(const struct scope_model *base, const struct scope_model *own,
		       struct scope_model *live)
{
	for (int plane = 0; plane < 2; plane++)
		for (int i = 0; i < KEYS; i++) {
			const struct thing *a = &base->things[plane][i];
			const struct thing *b = &own->things[plane][i];
			struct thing *to = &live->things[plane][i];

			if (things_equal(a, b))
				continue;
			/* made on both sides it is the first one's */
			if (plane && !a->is_there && to->is_there)
				continue;
			*to = *b;
			to->version = ++world.last;
		}
	changed(live);
}

static void projects_put(const struct state *base, const struct state *own,
			 struct state *live)
{
	for (unsigned i = 0; i < PROJECTS; i++) {
		if (base->projects[i] == own->projects[i])
			continue;
		if (projects_merge(base, own, live, i))
			world.merges++;
		else
			live->projects[i] = own->projects[i];
	}
}

static void state_merge(const struct state *base, const struct state *own,
			struct state *live)
{
	struct scope_model none = { .object = 0 };
	struct state before = *live;

	projects_put(base, own, live);
	for (int i = 0; i < SLOTS; i++) {
		unsigned object = own->rooms[i].object;
		const struct scope_model *there = room_find(&before, object);

		if (object == base->rooms[i].object)
			continue;
		if (rooms_merge(base, own, &before, i)) {
			room_merge(&none, &own->rooms[i], &live->rooms[i]);
			world.merges++;
			continue;
		}
		live->rooms[i] = there ? *there : none;
		live->rooms[i].object = object;
	}
	for (int i = 0; i < SLOTS; i++) {
		unsigned object = own->rooms[i].object;
		const struct scope_model *was = room_find(base, object);
		struct scope_model *to;

		to = (struct scope_model *)room_find(live, object);
		if (object && to)
			room_merge(was ? was : &none, &own->rooms[i], to);
	}
}

static void batch_finish(int i)
{
	struct aedb_batch *batch = world.branches[i].batch;
	struct state *base = &world.branches[i].base;
	struct state *own = &world.branches[i].own;
	enum outcome want = commit_outcome(base, own, &world.live);
	struct aedb_change change;
	int check = aedb_batch_check(batch), rc;

	state_compare(NULL, &world.live);
	rc = aedb_batch_commit(batch, NULL);
	if (rc != AEDB_CONFLICT)
		CHECK_OK(rc);
	CHECK_EQ(check, rc);
	if (want != EITHER)
		CHECK_EQ(rc, want == COMMITS ? 0 : AEDB_CONFLICT);
	if (rc == 0) {
		state_merge(base, own, &world.live);
		world.branches[i].batch = NULL;
		world.commits++;
		return;
	}
	world.conflicts++;
	CHECK_OK(aedb_batch_conflict(batch, 0, &change));
	all_compare();
	if (choose(2)) {
		aedb_batch_abort(batch);
		world.branches[i].batch = NULL;
	}
}

static void batches_abort(void)
{
	for (int i = 0; i < BATCHES; i++) {
		aedb_batch_abort(world.branches[i].batch);
		world.branches[i].batch = NULL;
	}
}

static struct target branch_target(int i)
{
	return (struct target){ world.branches[i].batch,
				&world.branches[i].own };
}

/* Both sides have a place that the base had not. */
static void meet(int i)
{
	const struct state *base = &world.branches[i].base;
	unsigned slot = choose(SLOTS);

	for (int n = 0; base->rooms[slot].object && n < SLOTS; n++)
		slot = (slot + 1) % SLOTS;
	if (!world.branches[i].batch)
		return;
	make(branch_target(i), slot);
	make((struct target){ NULL, &world.live }, slot);
}

static void batch_act(int i)
{
	if (!world.branches[i].batch) {
		world.branches[i].batch = batch_of(world.f.db);
		world.branches[i].base = world.branches[i].own = world.live;
		return;
	}
	if (choose(10) == 0) {
		aedb_batch_abort(world.branches[i].batch);
		world.branches[i].batch = NULL;
	} else if (choose(4) == 0) {
		batch_finish(i);
	} else {
		step(branch_target(i));
	}
}

static void upkeep(unsigned what)
{
	if (what == 0) {
		CHECK_OK(aedb_compact(world.f.db));
	} else if (what == 1) {
		batches_abort();
		CHECK_OK(aedb_close(world.f.db));
		world.f.db = NULL;
		CHECK_OK(fixture_try(&world.f));
	} else {
		CHECK_OK(aedb_checkpoint(world.f.db, NULL));
	}
}

static void world_run(uint64_t memory_bytes, int steps, bool has_history)
{
	memset(&world, 0, sizeof(world));
	fixture_init(&world.f);
	if (has_history) {
		world.f.options.history_s = 3600;
		world.f.options.history_bytes = 1 << 20;
	}
	world.f.options.maintenance = AEDB_ON_CALL;
	world.f.options.memory_bytes = memory_bytes;
	world.f.options.wal_file_bytes = 1 << 20;
	CHECK_OK(fixture_try(&world.f));
	for (int i = 0; i < steps; i++) {
		unsigned what = choose(100);

		if (what < 18)
			step((struct target){ NULL, &world.live });
		else if (what < 28)
			meet((int)choose(BATCHES));
		else if (what < 95)
			batch_act((int)choose(BATCHES));
		else
			upkeep(what - 95);
		if (choose(8) == 0)
			all_compare();
	}
	all_compare();
	CHECK(world.commits > 0 && world.conflicts > 0);
	batches_abort();
	CHECK_OK(aedb_close(world.f.db));
	simdisk_free(world.f.disk);
	free(world.ids);
}

TEST(model_small, "batches show, commit and conflict as arrays do")
{
	world_run(UINT64_C(64) << 20, 2500, false);
	CHECK(world.merges > 0);
}

TEST(model_tight, "the same with little memory, where most is in segments")
{
	world_run(UINT64_C(4) << 20, 1200, false);
}

TEST(model_history, "the same while a history is kept")
{
	world_run(UINT64_C(8) << 20, 1200, true);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
