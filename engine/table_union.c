/*
 * An alternative is planned as a query of its own: the condition with it in the
 * ANY's place. One that no way narrows may have an ANY among its parts: then it
 * gives way to alternatives that are true when it is and that part's are.
 *
 * Those that go to the same tree become one branch, so that a branch has every
 * row of its own once.
 */
#include "table_union.h"

#include <limits.h>

/* Parts and values of conditions looked at while alternatives are planned. */
#define WORK_MAX 300000

struct alternative {
	struct alternative *next;
	size_t index;			/* as a branch's */
	unsigned narrow;
	struct table_ranges ranges;
	struct aedb_condition condition;
};

struct expansion {
	const struct table_ways *whole;
	struct table_wish wish;		/* of one alternative */
	struct alternative *newest;	/* in the arena */
	struct table_way weakest;	/* of theirs, if there are any */
	size_t n_ranges;		/* of all */
	uint64_t work, work_each;	/* so far; for each part and value */
	bool is_given_up;		/* no union comes of it */
};

static size_t parts_and_values(const struct aedb_condition *c)
{
	size_t n = 1 + c->n_values;

	for (size_t i = 0; i < c->n_parts; i++)
		n += parts_and_values(&c->parts[i]);
	return n;
}

/* Each is looked at for the columns, and beside the conditions of indexes. */
static uint64_t work_each(const struct table_schema *schema)
{
	uint64_t n = 1;

	for (size_t i = 0; i < schema->shape.n_indexes; i++)
		if (schema->shape.indexes[i].where)
			n += parts_and_values(schema->shape.indexes[i].where);
	return n;
}

/* Conditions that can be written to. */
static int copy_parts(struct arena *arena, const struct aedb_condition *parts,
		      size_t n, struct aedb_condition **ret)
{
	void *at;
	int rc = arena_take_array(arena, n, sizeof(*parts), &at);

	if (rc < 0)
		return rc;
	*ret = at;
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = parts[i];
	return 0;
}

/* Alternatives. */

/* The best way for the wish as it stands, and its ranges if it is narrowed. */
static int plan_one(const struct expansion *e, struct table_way *ret,
		    struct table_ranges *ret_ranges)
{
	struct arena scratch = { NULL };
	struct table_ways ways;
	int rc = table_ways_init(&ways, e->whole->schema, &e->wish, &scratch);

	if (rc == 0)
		rc = table_ways_best(&ways, ret);
	ways.arena = e->whole->arena;
	if (rc == 0 && table_way_is_narrowed(ret))
		rc = table_way_ranges(&ways, ret, ret_ranges);
	arena_release(&scratch);
	return rc;
}

/* Both, or the second if there is no first. */
static int both(struct arena *arena, const struct aedb_condition *a,
		const struct aedb_condition *b, struct aedb_condition *ret)
{
	struct aedb_condition parts[2], *copied;
	int rc;

	if (!a) {
		*ret = *b;
		return 0;
	}
	parts[0] = *a;
	parts[1] = *b;
	rc = copy_parts(arena, parts, 2, &copied);
	if (rc == 0)
		*ret = (struct aedb_condition){ .kind = AEDB_IF_ALL,
						.parts = copied,
						.n_parts = 2 };
	return rc;
}

/* What was planned for the slot. */
static int alternative_add(struct expansion *e, const struct table_way *way,
			   const struct table_ranges *ranges,
			   const struct aedb_condition *slot,
			   const struct aedb_condition *guard)
{
	struct alternative *added;
	void *at;
	int rc = arena_take(e->whole->arena, sizeof(*added), &at);

	if (rc < 0)
		return rc;
	added = at;
	*added = (struct alternative){ .next = e->newest,
				       .index = way->index,
				       .narrow = table_way_narrow(way),
				       .ranges = *ranges };
	if (!e->newest || table_way_is_tighter(&e->weakest, way))
		e->weakest = *way;
	e->newest = added;
	e->n_ranges += ranges->n;
	e->is_given_up = e->n_ranges > TABLE_WAY_RANGES_MAX;
	return both(e->whole->arena, guard, slot, &added->condition);
}

static int expand(struct expansion *e, struct aedb_condition *slot,
		  const struct aedb_condition *guard);

/* Expands the first ANY among the parts of the alternative in the slot. */
static int expand_part(struct expansion *e, struct aedb_condition *slot,
		       const struct aedb_condition *guard)
{
	struct aedb_condition inner, *parts;
	size_t i = 0;
	int rc;

	while (i < slot->n_parts && slot->parts[i].kind != AEDB_IF_ANY)
		i++;
	e->is_given_up = slot->kind != AEDB_IF_ALL || i == slot->n_parts;
	if (e->is_given_up)
		return 0;
	rc = both(e->whole->arena, guard, slot, &inner);
	if (rc == 0)
		rc = copy_parts(e->whole->arena, slot->parts, slot->n_parts,
				&parts);
	if (rc < 0)
		return rc;
	slot->parts = parts;
	return expand(e, &parts[i], &inner);
}

/* The alternative in the slot. */
static int expand_one(struct expansion *e, struct aedb_condition *slot,
		      const struct aedb_condition *guard)
{
	struct table_ranges ranges;
	struct table_way way;
	int rc;

	e->work += e->work_each * parts_and_values(e->wish.where);
	e->is_given_up = e->work > WORK_MAX;
	if (e->is_given_up)
		return 0;
	rc = plan_one(e, &way, &ranges);
	if (rc < 0)
		return rc;
	return table_way_is_narrowed(&way) ?
		       alternative_add(e, &way, &ranges, slot, guard) :
		       expand_part(e, slot, guard);
}

/* The slot, in what the wish's condition is made of, has an ANY. guard: what is
 * true as well when one of its parts is; NULL: all that matters. */
static int expand(struct expansion *e, struct aedb_condition *slot,
		  const struct aedb_condition *guard)
{
	const struct aedb_condition any = *slot;
	int rc = 0;

	for (size_t i = 0; i < any.n_parts && rc == 0 && !e->is_given_up; i++) {
		*slot = any.parts[i];
		rc = expand_one(e, slot, guard);
	}
	*slot = any;
	return rc;
}

static int expand_conjunct(struct expansion *e, size_t conjunct)
{
	struct aedb_condition all = { .kind = AEDB_IF_ALL }, *conjuncts;
	const struct aedb_condition *where = e->whole->wish->where;
	int rc;

	all.n_parts = condition_conjuncts(where);
	rc = copy_parts(e->whole->arena, condition_conjunct(where, 0),
			all.n_parts, &conjuncts);
	if (rc < 0)
		return rc;
	all.parts = conjuncts;
	e->wish.where = &all;
	rc = expand(e, &conjuncts[conjunct], NULL);
	e->wish.where = NULL;
	return rc;
}

/* Branches. */

/* Takes the n alternatives that go to the tree together. */
static int branch_make(const struct expansion *e, size_t index, size_t n,
		       struct table_branch *ret)
{
	struct arena *arena = e->whole->arena;
	struct aedb_condition *conditions;
	struct table_ranges *sets;
	void *at, *sets_at;
	unsigned narrow = UINT_MAX;
	int rc = arena_take_array(arena, n, sizeof(*conditions), &at);

	if (rc == 0)
		rc = arena_take_array(arena, n, sizeof(*sets), &sets_at);
	if (rc < 0)
		return rc;
	conditions = at;
	sets = sets_at;
	for (const struct alternative *a = e->newest; a; a = a->next) {
		if (a->index != index)
			continue;
		*conditions++ = a->condition;
		*sets++ = a->ranges;
		narrow = a->narrow < narrow ? a->narrow : narrow;
	}
	*ret = (struct table_branch){
		.index = index,
		.narrow = narrow,
		.any = { .kind = AEDB_IF_ANY, .parts = at, .n_parts = n },
	};
	rc = table_ranges_union(arena, sets_at, n, &ret->ranges);
	if (rc == 0)
		table_ranges_join(&ret->ranges);
	return rc;
}

static size_t alternatives_of(const struct expansion *e, size_t index)
{
	size_t n = 0;

	for (const struct alternative *a = e->newest; a; a = a->next)
		n += a->index == index;
	return n;
}

/* One for each tree that an alternative goes to. */
static int branches_make(const struct expansion *e, struct table_union *ret)
{
	size_t n_indexes = e->whole->schema->shape.n_indexes;
	struct table_union made = { .weakest = e->weakest };
	void *at;
	int rc = arena_take_array(e->whole->arena, n_indexes + 1,
				  sizeof(*made.branches), &at);

	made.branches = at;
	for (size_t i = 0; i <= n_indexes && rc == 0; i++) {
		size_t index = i ? i - 1 : TABLE_WAY_KEY;
		size_t n = alternatives_of(e, index);

		if (n)
			rc = branch_make(e, index, n,
					 &made.branches[made.n++]);
	}
	if (rc == 0)
		*ret = made;
	return rc;
}

int table_union_make(const struct table_ways *whole, size_t conjunct,
		     struct table_union *ret)
{
	struct expansion e = {
		.whole = whole,
		.wish = { .is_by_key = whole->wish->is_by_key },
		.work_each = work_each(whole->schema),
	};
	int rc = expand_conjunct(&e, conjunct);

	if (rc < 0)
		return rc;
	if (e.is_given_up)
		e.newest = NULL;
	return branches_make(&e, ret);
}
