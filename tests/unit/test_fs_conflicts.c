/*
 * Random steps in batches and beside them, without a mount, compared with a model
 * (sides.h): which commits conflict, and what the trees show.
 */
#include <linux/fs.h>

#include "fs_fixture.h"
#include "news.h"
#include "sides.h"
#include "state.h"

#define SLOTS 4			/* the first is the live tree */
#define LIVE 0
#define STEPS_MAX 2000
#define IDS_MAX (3 * STEPS_MAX)
#define ID_MASK ((UINT64_C(1) << 52) - 1)

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

struct world {
	struct fs fs[SLOTS];
	struct side sides[SLOTS];
	bool is_open[SLOTS];
	unsigned last;		/* number given */
	uint64_t ids[IDS_MAX];	/* of objects; 0: not known */
};

static unsigned commits, refusals;

static unsigned choose(unsigned n)
{
	return (unsigned)(check_random() % n);
}

static const char *path_text(int path, char ret[SIDE_PATH_BYTES])
{
	side_path(path, ret);
	return ret;
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
			  const struct side_thing *thing)
{
	char at[SIDE_PATH_BYTES], value[16];
	struct fs *fs = &w->fs[slot];
	struct stat st = { 0 };

	CHECK_OK(fs_stat(fs, path_text(path, at), &st));
	CHECK_EQ(S_ISDIR(st.st_mode), thing->is_dir);
	if (!w->ids[thing->object])
		w->ids[thing->object] = st.st_ino & ID_MASK;
	CHECK_EQ(st.st_ino & ID_MASK, w->ids[thing->object]);
	if (thing->mode)
		CHECK_EQ(st.st_mode & 07777, thing->mode);
	if (!thing->is_dir)
		CHECK_STR(fs_content(fs, at), value_text(thing->value, value));
}

static void compare(struct world *w, unsigned slot)
{
	struct side_tree *tree = &w->sides[slot].own;
	char at[SIDE_PATH_BYTES];

	for (int path = 0; path < SIDE_PATHS; path++) {
		if (tree->at[path].object)
			compare_thing(w, slot, path, &tree->at[path]);
		else if (tree->at[side_parent(path)].is_dir)
			CHECK(!fs_is_there(&w->fs[slot], path_text(path, at)));
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
		fs_mkdir(fs, at);
		break;
	case SIDE_RMDIR:
		CHECK_OK(fs_rmdir(fs, at));
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
	do_step(&w->fs[slot], &step);
	side_do(side, &step, ++w->last);
}

/* Batches. */

static void begin(struct world *w, unsigned slot)
{
	fs_enter_batch(&w->fs[LIVE], slot_name(slot), &w->fs[slot]);
	side_begin(&w->sides[slot], &w->sides[LIVE]);
	w->is_open[slot] = true;
}

static void leave(struct world *w, unsigned slot)
{
	struct fs *fs = &w->fs[slot];

	forest_forget(fs->forest, tree_nodeid(fs->tree, fs->scope), 1);
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
		leave(w, slot);
		side_merge(&w->sides[slot], &w->sides[LIVE], ++w->last);
	}
	compare(w, LIVE);
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
	else
		random_step(w, slot);
	if (choose(3) == 0 && (slot == LIVE || w->is_open[slot]))
		random_times(w, slot);
}

static void round_run(struct world *w, unsigned steps)
{
	*w = (struct world){ .last = SIDE_SCOPES };
	fs_open(&w->fs[LIVE]);
	fs_mkdir(&w->fs[LIVE], "s");
	fs_mkdir(&w->fs[LIVE], "t");
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
	CHECK(commits && refusals);
}
