/*
 * Random steps in batches and beside them, without a mount, compared with a model
 * (sides.h): which commits conflict, and what the trees show. Scope "t" has a project
 * of its own, which is made and removed with it.
 */
#include <linux/fs.h>

#include "fs_fixture.h"
#include "news.h"
#include "sides.h"
#include "state.h"

#define SLOTS 4			/* the first is the live tree */
#define LIVE 0
#define STEPS_MAX 2000
#define IDS_MAX (64 * STEPS_MAX)
#define ID_MASK ((UINT64_C(1) << 52) - 1)

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

struct world {
	struct fs fs[SLOTS];
	struct side sides[SLOTS];
	uint64_t doors[SLOTS];	/* nodeids of batches */
	bool is_open[SLOTS];
	unsigned last;		/* number given */
	uint64_t ids[IDS_MAX];	/* of objects; 0: not known */
};

static unsigned commits, refusals, merges;

static unsigned choose(unsigned n)
{
	return (unsigned)(check_random() % n);
}

static const char *project_of(int path)
{
	return path < SIDE_SCOPE_PATHS ? "p" : "q";
}

static const char *path_text(int path, char ret[SIDE_PATH_BYTES])
{
	char inside[SIDE_PATH_BYTES];

	side_path(path, inside);
	snprintf(ret, SIDE_PATH_BYTES, "%s/%.*s", project_of(path),
		 SIDE_PATH_BYTES - 3, inside);
	return ret;
}

static bool has_own_project(int path)
{
	return path == SIDE_SCOPE_PATHS;
}

static const char *value_text(unsigned value, char ret[16])
{
	snprintf(ret, 16, "value %u", value);
	return ret;
}

static const char *slot_name(unsigned slot)
{
	static const char *const names[SLOTS] = { "", "one", "two", "three" };

	return names[slot];
}

/* Comparing. */

static void compare_thing(struct world *w, unsigned slot, int path,
			  struct side_thing *thing)
{
	char at[SIDE_PATH_BYTES], value[16];
	struct fs *fs = &w->fs[slot];
	struct stat st = { 0 };

	CHECK_OK(fs_stat(fs, path_text(path, at), &st));
	CHECK_EQ(S_ISDIR(st.st_mode), thing->is_dir);
	if (!w->ids[thing->object])
		w->ids[thing->object] = st.st_ino & ID_MASK;
	CHECK_EQ(st.st_ino & ID_MASK, w->ids[thing->object]);
	if (!thing->mode)
		thing->mode = st.st_mode & 07777;
	CHECK_EQ(st.st_mode & 07777, thing->mode);
	if (!thing->is_dir)
		CHECK_STR(fs_content(fs, at), value_text(thing->value, value));
}

static void compare_nothing(struct world *w, unsigned slot, int path)
{
	char at[SIDE_PATH_BYTES];

	if (has_own_project(path))
		CHECK(!fs_is_there(&w->fs[slot], project_of(path)));
	else if (side_is_scope(path) ||
		 w->sides[slot].own.at[side_parent(path)].is_dir)
		CHECK(!fs_is_there(&w->fs[slot], path_text(path, at)));
}

static void compare(struct world *w, unsigned slot)
{
	struct side_tree *tree = &w->sides[slot].own;

	for (int path = 0; path < SIDE_PATHS; path++) {
		if (tree->at[path].object)
			compare_thing(w, slot, path, &tree->at[path]);
		else
			compare_nothing(w, slot, path);
	}
}

/* Steps. */

static int set(struct fs *fs, const char *path, const struct tree_set *set)
{
	struct tree_entry entry, now;
	int rc = fs_lookup(fs, path, &entry);

	if (rc < 0)
		return rc;
	rc = tree_setattr(fs->tree, &fs->me, entry.node, NULL, set, &now);
	tree_forget(fs->tree, entry.node, 1);
	return rc;
}

static int set_mode(struct fs *fs, const char *path, mode_t mode)
{
	return set(fs, path, &(struct tree_set){ .fields = TREE_SET_MODE,
						 .mode = mode });
}

/* Of a directory, if there is one; the model knows no times. */
static void random_times(struct world *w, unsigned slot)
{
	int path = (int)choose(SIDE_PATHS);
	struct tree_set times = {
		.fields = choose(3) ? TREE_SET_ATIME | TREE_SET_MTIME :
				      TREE_SET_ATIME,
		.atime_ns = choose(1000),
		.mtime_ns = choose(1000),
	};
	char at[SIDE_PATH_BYTES];

	if (w->sides[slot].own.at[path].is_dir)
		CHECK_OK(set(&w->fs[slot], path_text(path, at), &times));
}

static void do_mkdir(struct fs *fs, int path)
{
	char at[SIDE_PATH_BYTES];

	if (has_own_project(path))
		fs_mkdir(fs, project_of(path));
	fs_mkdir(fs, path_text(path, at));
}

static void do_rmdir(struct fs *fs, int path)
{
	char at[SIDE_PATH_BYTES];

	CHECK_OK(fs_rmdir(fs, path_text(path, at)));
	if (has_own_project(path))
		CHECK_OK(fs_rmdir(fs, project_of(path)));
}

static void do_step(struct fs *fs, const struct side_step *step)
{
	char at[SIDE_PATH_BYTES], to[SIDE_PATH_BYTES], value[16];

	path_text(step->path, at);
	path_text(step->to, to);
	switch (step->act) {
	case SIDE_WRITE:
		fs_put(fs, at, value_text(step->value, value));
		break;
	case SIDE_UNLINK:
		CHECK_OK(fs_unlink(fs, at));
		break;
	case SIDE_MKDIR:
		do_mkdir(fs, step->path);
		break;
	case SIDE_RMDIR:
		do_rmdir(fs, step->path);
		break;
	case SIDE_RENAME:
		CHECK_OK(fs_rename(fs, at, to, 0));
		break;
	case SIDE_EXCHANGE:
		CHECK_OK(fs_rename(fs, at, to, RENAME_EXCHANGE));
		break;
	default:
		CHECK_OK(set_mode(fs, at, (mode_t)step->mode));
	}
}

static void step_take(struct world *w, unsigned slot,
		      const struct side_step *step)
{
	do_step(&w->fs[slot], step);
	side_do(&w->sides[slot], step, ++w->last);
}

/* Of what the base has at the path it is put back sometimes. */
static void random_step(struct world *w, unsigned slot)
{
	static const unsigned modes[] = { 0700, 0750, 0755, 0711 };
	struct side *side = &w->sides[slot];
	struct side_step step;

	do {
		step = (struct side_step){
			.act = (enum side_act)choose(SIDE_ACTS),
			.path = (int)choose(SIDE_PATHS),
			.to = (int)choose(SIDE_PATHS),
		};
	} while (!side_can(side, &step));
	step.mode = step.act == SIDE_WRITE ? 0644 :
		    step.act == SIDE_MKDIR ? 0755 : modes[choose(4)];
	step.value = side->base.at[step.path].value;
	if (!step.value || choose(3))
		step.value = ++w->last;
	step_take(w, slot, &step);
}

/* A scope goes, with all that is in it; what lies deeper has a greater number. */
static void remove_scope(struct world *w, unsigned slot, int scope)
{
	for (int path = scope + SIDE_SCOPE_PATHS - 1; path >= scope; path--) {
		const struct side_thing *thing = &w->sides[slot].own.at[path];
		struct side_step step = { .path = path, .act = thing->is_dir ?
							SIDE_RMDIR : SIDE_UNLINK };

		if (thing->object)
			step_take(w, slot, &step);
	}
}

static void make_scope(struct world *w, unsigned slot, int scope)
{
	struct side_step step = { .act = SIDE_MKDIR, .path = scope,
				  .mode = 0755 };

	if (!w->sides[slot].own.at[scope].object)
		step_take(w, slot, &step);
}

/* Batches. */

static void begin(struct world *w, unsigned slot)
{
	struct fs *live = &w->fs[LIVE], *fs = &w->fs[slot];
	struct tree_entry door = { 0 };

	CHECK_OK(fs_begin_batch(live, &live->me, slot_name(slot), &door));
	*fs = *live;
	fs->tree = forest_tree(live->forest, door.nodeid);
	fs->scope = door.node;
	w->doors[slot] = door.nodeid;
	side_begin(&w->sides[slot], &w->sides[LIVE]);
	w->is_open[slot] = true;
}

static void leave(struct world *w, unsigned slot)
{
	forest_forget(w->fs[LIVE].forest, w->doors[slot], 1);
	w->is_open[slot] = false;
}

static void end_aborted(struct world *w, unsigned slot)
{
	struct batch_news news = { .before = { .attributes = NULL } };

	leave(w, slot);
	CHECK_OK(forest_batch_abort(w->fs[LIVE].forest, &w->fs[LIVE].me,
				    slot_name(slot), &news));
	batch_news_release(&news);
}

static int commit_batch(struct world *w, unsigned slot)
{
	struct forest *forest = w->fs[LIVE].forest;
	struct batch_news news = { .before = { .attributes = NULL } };
	aedb_seq_t seq;
	int rc = forest_batch_commit(forest,
				     forest_batch_find(forest, slot_name(slot)),
				     &seq, &news);

	news_told(w->fs[LIVE].tree, &news.before);
	batch_news_release(&news);
	return rc;
}

/* A scope that both have now, and the base had not. */
static bool has_met(struct world *w, unsigned slot)
{
	const struct side *batch = &w->sides[slot];

	for (int path = 0; path < SIDE_PATHS; path += SIDE_SCOPE_PATHS)
		if (!batch->base.at[path].object && batch->own.at[path].object &&
		    w->sides[LIVE].own.at[path].object)
			return true;
	return false;
}

/* Times that were set in a directory which the batch moved or removed are a change
 * inside it; nothing else conflicts over times. */
static bool is_over_times(struct world *w, unsigned slot)
{
	struct batch *batch = forest_batch_find(w->fs[LIVE].forest,
						slot_name(slot));
	struct aedb_change change;
	size_t i = 0;

	while (aedb_batch_conflict(batch->engine, i, &change) == 0 &&
	       change.is_range && change.of == AEDB_OF_DIRECTORY)
		i++;
	return i && aedb_batch_conflict(batch->engine, i, &change) ==
			    AEDB_NOT_FOUND;
}

static void commit(struct world *w, unsigned slot)
{
	enum side_verdict want = side_judge(&w->sides[slot], &w->sides[LIVE],
					    NULL);
	int rc = commit_batch(w, slot);

	if (rc < 0) {
		CHECK_EQ(rc, AEDB_CONFLICT);
		CHECK(want != SIDE_PASSES || is_over_times(w, slot));
		refusals++;
		compare(w, slot);
	} else {
		CHECK(want != SIDE_CONFLICTS);
		commits++;
		merges += has_met(w, slot);
		leave(w, slot);
		side_merge(&w->sides[slot], &w->sides[LIVE], ++w->last);
	}
	compare(w, LIVE);
}

/* Both sides make a scope that the batch's base had not, and go on a little. */
static void meet(struct world *w, unsigned slot)
{
	int scope = (int)choose(SIDE_SCOPES) * SIDE_SCOPE_PATHS;

	if (w->is_open[slot])
		end_aborted(w, slot);
	remove_scope(w, LIVE, scope);
	begin(w, slot);
	make_scope(w, slot, scope);
	make_scope(w, LIVE, scope);
	for (unsigned n = choose(6); n > 0; n--)
		random_step(w, choose(2) ? slot : LIVE);
	if (choose(4))
		commit(w, slot);
}

static void random_act(struct world *w)
{
	unsigned slot = choose(SLOTS);

	if (slot != LIVE && !w->is_open[slot])
		begin(w, slot);
	else if (slot != LIVE && choose(8) == 0)
		commit(w, slot);
	else if (slot != LIVE && choose(24) == 0)
		end_aborted(w, slot);
	else if (slot != LIVE && choose(32) == 0)
		meet(w, slot);
	else
		random_step(w, slot);
	if (choose(3) == 0 && (slot == LIVE || w->is_open[slot]))
		random_times(w, slot);
}

/* Paths begin at the root; p/s is there. */
static void world_open(struct world *w)
{
	struct fs *live = &w->fs[LIVE];

	fs_open(live);
	tree_forget(live->tree, live->scope, 1);
	live->scope = node_ref(tree_root(live->tree));
	do_mkdir(live, SIDE_SCOPE_PATHS);
}

static void round_run(struct world *w, unsigned steps)
{
	*w = (struct world){ .last = SIDE_SCOPES };
	world_open(w);
	side_init(&w->sides[LIVE], 1);
	while (steps--)
		random_act(w);
	for (unsigned slot = 1; slot < SLOTS; slot++) {
		if (w->is_open[slot])
			commit(w, slot);
		if (w->is_open[slot])
			end_aborted(w, slot);
	}
	fs_close(&w->fs[LIVE]);
}

TEST(overlap, "of batches that overlap with others and with the live tree those are "
	"refused that the model says, and all trees show what it does")
{
	static struct world world;

	for (unsigned i = 0; i < check_times(30); i++)
		round_run(&world, 1 + choose(STEPS_MAX));
	printf("# %u commits, %u refusals, %u of what both made\n", commits,
	       refusals, merges);
	CHECK(commits && refusals && merges);
}
