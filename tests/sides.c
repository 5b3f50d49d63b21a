/*
 * A model of batches, as plain as can be: what differs is found by looking at
 * every path.
 *
 * The nodes of a scope lie as those of a binary heap: the children of node i are
 * 2i + 1 and 2i + 2.
 */
#include "sides.h"

#include <stdio.h>
#include <string.h>

static int scope_of(int path)
{
	return path / SIDE_SCOPE_PATHS * SIDE_SCOPE_PATHS;
}

bool side_is_scope(int path)
{
	return path == scope_of(path);
}

int side_parent(int path)
{
	return scope_of(path) + (path - scope_of(path) - 1) / 2;
}

int side_child(int path, int which)
{
	int child = (path - scope_of(path)) * 2 + 1 + which;

	return child < SIDE_SCOPE_PATHS ? scope_of(path) + child : -1;
}

void side_path(int path, char ret[SIDE_PATH_BYTES])
{
	char parent[SIDE_PATH_BYTES];

	if (side_is_scope(path)) {
		snprintf(ret, SIDE_PATH_BYTES, "%c", path ? 't' : 's');
		return;
	}
	side_path(side_parent(path), parent);
	snprintf(ret, SIDE_PATH_BYTES, "%.*s/%c", SIDE_PATH_BYTES - 3,
		 parent, path == side_child(side_parent(path), 0) ? 'a' : 'b');
}

static bool is_beneath(int path, int above)
{
	while (!side_is_scope(path)) {
		path = side_parent(path);
		if (path == above)
			return true;
	}
	return false;
}

void side_init(struct side *live, unsigned first_object)
{
	*live = (struct side){ 0 };
	for (int i = 0; i < SIDE_SCOPES; i++)
		live->own.at[i * SIDE_SCOPE_PATHS] = (struct side_thing){
			.object = first_object + (unsigned)i, .is_dir = true,
			.mode = SIDE_SCOPE_MODE,
		};
}

void side_begin(struct side *ret, const struct side *live)
{
	*ret = (struct side){ .base = live->own, .own = live->own };
}

/* Steps. */

static bool is_there(const struct side_thing *thing)
{
	return thing->object != 0;
}

static bool is_file(const struct side_thing *thing)
{
	return is_there(thing) && !thing->is_dir;
}

static bool has_children(const struct side_tree *tree, int path)
{
	for (int i = 0; i < 2; i++) {
		int child = side_child(path, i);

		if (child >= 0 && is_there(&tree->at[child]))
			return true;
	}
	return false;
}

/* How many levels there are beneath. */
static int height(const struct side_tree *tree, int path)
{
	int highest = 0;

	for (int i = 0; i < 2; i++) {
		int child = side_child(path, i), h;

		if (child < 0 || !is_there(&tree->at[child]))
			continue;
		h = 1 + height(tree, child);
		if (h > highest)
			highest = h;
	}
	return highest;
}

static int depth(int path)
{
	int n = 0;

	for (; !side_is_scope(path); path = side_parent(path))
		n++;
	return n;
}

static bool fits(const struct side_tree *tree, int from, int to)
{
	return height(tree, from) + depth(to) <= SIDE_DEPTH;
}

static bool can_rename(const struct side_tree *tree,
		       const struct side_step *step)
{
	const struct side_thing *from = &tree->at[step->path];
	const struct side_thing *to = &tree->at[step->to];

	if (side_is_scope(step->path) || side_is_scope(step->to) ||
	    step->path == step->to ||
	    !is_there(from) || is_beneath(step->path, step->to) ||
	    is_beneath(step->to, step->path) ||
	    !tree->at[side_parent(step->to)].is_dir ||
	    !fits(tree, step->path, step->to))
		return false;
	if (step->act == SIDE_EXCHANGE)
		return is_there(to) && fits(tree, step->to, step->path);
	return !is_there(to) || (to->is_dir == from->is_dir &&
				 !has_children(tree, step->to));
}

bool side_can(const struct side *side, const struct side_step *step)
{
	const struct side_tree *tree = &side->own;
	const struct side_thing *thing = &tree->at[step->path];

	if (!side_is_scope(step->path) &&
	    !tree->at[side_parent(step->path)].is_dir)
		return false;
	switch (step->act) {
	case SIDE_WRITE:
		return !thing->is_dir && !side_is_scope(step->path);
	case SIDE_UNLINK:
		return is_file(thing);
	case SIDE_MKDIR:
		return !is_there(thing);
	case SIDE_RMDIR:
		return thing->is_dir && !has_children(tree, step->path);
	case SIDE_RENAME:
	case SIDE_EXCHANGE:
		return can_rename(tree, step);
	case SIDE_CHMOD:
		return is_there(thing);
	default:
		return false;
	}
}

static void cut_out(struct side_tree *tree, int path, struct side_tree *ret,
		    unsigned number)
{
	ret->at[path] = tree->at[path];
	if (is_there(&tree->at[path]))
		tree->at[path] = (struct side_thing){ .version = number };
	for (int i = 0; i < 2; i++)
		if (side_child(path, i) >= 0)
			cut_out(tree, side_child(path, i), ret, number);
}

static void put_in(const struct side_tree *cut, int from,
		   struct side_tree *tree, int to, unsigned number)
{
	if (!is_there(&cut->at[from]))
		return;
	tree->at[to] = cut->at[from];
	tree->at[to].version = number;
	for (int i = 0; i < 2; i++)
		if (side_child(from, i) >= 0 && side_child(to, i) >= 0)
			put_in(cut, side_child(from, i), tree,
			       side_child(to, i), number);
}

static void do_rename(struct side *side, const struct side_step *step,
		      unsigned number)
{
	struct side_tree from = { 0 }, to = { 0 };

	cut_out(&side->own, step->path, &from, number);
	cut_out(&side->own, step->to, &to, number);
	put_in(&from, step->path, &side->own, step->to, number);
	if (step->act == SIDE_EXCHANGE)
		put_in(&to, step->to, &side->own, step->path, number);
}

static void do_write(struct side_thing *thing, const struct side_step *step,
		     unsigned number)
{
	if (!is_there(thing))
		*thing = (struct side_thing){ .object = number,
						.mode = step->mode };
	thing->value = step->value;
	thing->version = number;
}

void side_do(struct side *side, const struct side_step *step,
	       unsigned number)
{
	struct side_thing *thing = &side->own.at[step->path];

	switch (step->act) {
	case SIDE_WRITE:
		do_write(thing, step, number);
		break;
	case SIDE_MKDIR:
		*thing = (struct side_thing){
			.object = number, .is_dir = true, .version = number,
			.mode = step->mode,
		};
		break;
	case SIDE_RMDIR:
		*thing = (struct side_thing){ .version = number };
		break;
	case SIDE_UNLINK:
		*thing = (struct side_thing){ .version = number };
		break;
	case SIDE_CHMOD:
		thing->mode = step->mode;
		thing->version = number;
		break;
	default:
		do_rename(side, step, number);
	}
}

/* Conflicts. */

static bool is_same_dir(const struct side_thing *a,
			const struct side_thing *b)
{
	return a->is_dir && b->is_dir && a->object == b->object;
}

/* A batch has something else there than its base. */
static bool is_written(const struct side *batch, int path)
{
	const struct side_thing *base = &batch->base.at[path];
	const struct side_thing *own = &batch->own.at[path];

	return base->object != own->object || base->value != own->value ||
	       base->mode != own->mode;
}

/* The scope of a path is not the one of the base. */
static bool has_new_scope(const struct side *batch, int path)
{
	int scope = scope_of(path);

	return batch->base.at[scope].object != batch->own.at[scope].object;
}

char side_difference(const struct side *batch, int path)
{
	/* with a scope goes what is in it */
	if (!side_is_scope(path) && has_new_scope(batch, path))
		return is_there(&batch->own.at[path]) ? '+' : 0;
	if (!is_written(batch, path))
		return 0;
	return !is_there(&batch->base.at[path]) ? '+' :
	       !is_there(&batch->own.at[path]) ? '-' : '~';
}

/* What others did to what was there; AGAIN: it is as it was, but was not always. */
enum changed { SAME, AGAIN, OTHER };

static enum changed changed_since(const struct side_thing *base,
				  const struct side_thing *live)
{
	if (base->object == live->object && base->version == live->version)
		return SAME;
	if (!is_there(base) && !is_there(live))
		return AGAIN;
	/* a directory that was somewhere else meanwhile */
	if (is_same_dir(base, live) && base->mode == live->mode)
		return AGAIN;
	return OTHER;
}

static bool has_object(const struct side_tree *tree, unsigned object)
{
	for (int i = 0; i < SIDE_PATHS; i++)
		if (tree->at[i].object == object)
			return true;
	return false;
}

static enum side_verdict worse(enum side_verdict a, enum side_verdict b)
{
	if (a == SIDE_CONFLICTS || b == SIDE_CONFLICTS)
		return SIDE_CONFLICTS;
	return a == SIDE_EITHER ? a : b;
}

static enum side_verdict verdict_of(enum changed changed)
{
	return changed == SAME ? SIDE_PASSES :
	       changed == OTHER ? SIDE_CONFLICTS : SIDE_EITHER;
}

/* A directory that both have now, and the base did not. */
static enum side_verdict judge_merge(const struct side *batch,
				       const struct side_thing *own,
				       const struct side_thing *live)
{
	return has_object(&batch->base, own->object) ||
	       has_object(&batch->base, live->object) ? SIDE_EITHER :
							SIDE_PASSES;
}

static enum side_verdict judge_beneath(const struct side *batch,
					 const struct side *live, int path)
{
	enum side_verdict verdict = SIDE_PASSES;

	for (int i = 0; i < 2; i++) {
		int child = side_child(path, i);

		if (child < 0)
			continue;
		verdict = worse(verdict, verdict_of(changed_since(
			&batch->base.at[child], &live->own.at[child])));
		verdict = worse(verdict, judge_beneath(batch, live, child));
	}
	return verdict;
}

/* The directory that something written lies in. */
static enum side_verdict judge_parent(const struct side *batch,
					const struct side *live, int path)
{
	int parent = side_parent(path);
	const struct side_thing *base = &batch->base.at[parent];
	const struct side_thing *now = &live->own.at[parent];

	if (side_is_scope(parent) || !is_there(&batch->own.at[path]) ||
	    !is_same_dir(base, &batch->own.at[parent]))
		return SIDE_PASSES;
	if (!now->is_dir)
		return SIDE_CONFLICTS;
	return is_same_dir(base, now) && base->version == now->version ?
		       SIDE_PASSES : SIDE_EITHER;
}

static enum side_verdict judge_written(const struct side *batch,
					 const struct side *live, int path)
{
	const struct side_thing *base = &batch->base.at[path];
	const struct side_thing *own = &batch->own.at[path];
	const struct side_thing *now = &live->own.at[path];
	enum side_verdict verdict;

	if (!is_there(base) && !is_there(now))
		verdict = SIDE_PASSES;
	else if (!is_there(base) && own->is_dir && now->is_dir)
		verdict = judge_merge(batch, own, now);
	else
		verdict = verdict_of(changed_since(base, now));
	verdict = worse(verdict, judge_parent(batch, live, path));
	if (base->is_dir && !is_same_dir(base, own))
		verdict = worse(verdict, judge_beneath(batch, live, path));
	return verdict;
}

/* A scope that the batch made, removed or gave another mode. */
static enum side_verdict judge_scope(const struct side *batch,
				     const struct side *live, int path)
{
	const struct side_thing *base = &batch->base.at[path];
	const struct side_thing *own = &batch->own.at[path];
	const struct side_thing *now = &live->own.at[path];
	enum side_verdict verdict;

	if (!is_there(base))
		return is_there(now) && now->mode != own->mode ?
			       SIDE_CONFLICTS : SIDE_PASSES;
	verdict = verdict_of(changed_since(base, now));
	return has_new_scope(batch, path) ?
		       worse(verdict, judge_beneath(batch, live, path)) :
		       verdict;
}

static enum side_verdict judge_path(const struct side *batch,
				    const struct side *live, int path)
{
	int scope = scope_of(path);
	const struct side_thing *base = &batch->base.at[scope];

	if (!is_written(batch, path))
		return SIDE_PASSES;
	if (path == scope)
		return judge_scope(batch, live, path);
	/* judged with the scope, all of it */
	if (has_new_scope(batch, path) && is_there(base))
		return SIDE_PASSES;
	if (is_there(base) && base->object != live->own.at[scope].object)
		return SIDE_CONFLICTS;
	return judge_written(batch, live, path);
}

enum side_verdict side_judge(const struct side *batch,
				 const struct side *live,
				 bool ret_at[SIDE_PATHS])
{
	enum side_verdict all = SIDE_PASSES, one;

	for (int path = 0; path < SIDE_PATHS; path++) {
		one = judge_path(batch, live, path);
		if (ret_at)
			ret_at[path] = one == SIDE_CONFLICTS;
		all = worse(all, one);
	}
	return all;
}

void side_merge(const struct side *batch, struct side *live,
		  unsigned number)
{
	for (int path = 0; path < SIDE_PATHS; path++) {
		struct side_thing *now = &live->own.at[path];
		const struct side_thing *own = &batch->own.at[path];

		if (!is_written(batch, path))
			continue;
		if (own->is_dir && now->is_dir &&
		    !is_there(&batch->base.at[path])) {
			/* of two directories that were moved to one name it is
			 * not told which */
			if (!side_is_scope(path) &&
			    judge_merge(batch, own, now) != SIDE_PASSES)
				*now = (struct side_thing){ .object = number,
					.is_dir = true, .version = number };
			continue;
		}
		*now = *own;
		now->version = number;
	}
}
