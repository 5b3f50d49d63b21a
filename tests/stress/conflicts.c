/*
 * Random steps in batches and beside them, which overlap, compared with a model:
 *
 *	conflicts MOUNT SEED STEPS
 *
 * Two scopes are made in MOUNT/conflicts-SEED. Steps write, remove, make, rename,
 * exchange and restore files and directories in the live tree and in batches, and
 * remove scopes and make them again, also one on both sides; what
 * a tree holds is read back now and then, and always after a commit. Ends with 0 if
 * commit and check say of each batch what the model says (sides.h), a batch that
 * was refused is as it was, and trees and differences are the model's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "sides.h"
#include "content.h"
#include "crowd.h"

#define SLOTS 4			/* the first is the live tree */
#define LIVE 0
#define VALUE_BYTES_MAX 70000
#define TEXT_BYTES_MAX (64 << 10)
#define NUMBERS_AN_ACT 64	/* given at most */
#define ID_MASK ((UINT64_C(1) << 52) - 1)

static struct {
	uint64_t seed, random;
	unsigned long step;
	int root;		/* of the mount */
	char project[64];
	struct side sides[SLOTS];
	bool is_open[SLOTS];
	unsigned last;		/* number given */
	uint64_t *ids;		/* of objects; 0: not known */
	unsigned commits, refused, either, met;
} world;

static char text[TEXT_BYTES_MAX];

static _Noreturn void wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static _Noreturn void wrong(const char *format, ...)
{
	int err = errno;
	va_list args;

	fprintf(stderr, "seed %lu, step %lu: ", world.seed, world.step);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (errno %d)\n", err);
	exit(1);
}

static unsigned choose(unsigned n)
{
	return (unsigned)(content_next(&world.random) % n);
}

/* Paths below the mount. */

struct path {
	char text[160];
};

static struct path batch_file(int slot, const char *name)
{
	struct path ret;

	snprintf(ret.text, sizeof(ret.text), ".batch/%s-%d%s", world.project,
		 slot, name);
	return ret;
}

static struct path tree_path(int slot, int path)
{
	char inside[SIDE_PATH_BYTES];
	struct path ret, top = { "" };

	if (slot != LIVE)
		top = batch_file(slot, "/");
	side_path(path, inside);
	snprintf(ret.text, sizeof(ret.text), "%.64s%s/%s", top.text,
		 world.project, inside);
	return ret;
}

/* Values: their number again and again. */

static size_t value_bytes(unsigned value)
{
	static const size_t sizes[] = { 8, 104, 1504, 30000, VALUE_BYTES_MAX };

	return value % 4 ? sizes[value % 2] : sizes[value / 4 % 5];
}

static const char *value_of(unsigned value)
{
	static char bytes[VALUE_BYTES_MAX + 16];

	for (size_t at = 0; at < value_bytes(value); at += 8)
		snprintf(bytes + at, 9, "%07u\n", value % 10000000);
	return bytes;
}

/* Reading back. */

static void compare_value(int slot, int path, const struct side_thing *thing)
{
	struct path name = tree_path(slot, path);
	static char bytes[VALUE_BYTES_MAX + 1];
	int fd = openat(world.root, name.text, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		wrong("%s: open", name.text);
	while ((got = read(fd, bytes + n, sizeof(bytes) - n)) > 0)
		n += (size_t)got;
	close(fd);
	if (got < 0 || n != value_bytes(thing->value) ||
	    memcmp(bytes, value_of(thing->value), n) != 0)
		wrong("%s: %zu bytes, of %.7s, want %zu of %u", name.text, n,
		      bytes, value_bytes(thing->value), thing->value);
}

static void compare_thing(int slot, int path, struct side_thing *thing)
{
	struct path name = tree_path(slot, path);
	uint64_t *id = &world.ids[thing->object];
	struct stat st;

	if (fstatat(world.root, name.text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		wrong("%s: stat", name.text);
	if (S_ISDIR(st.st_mode) != thing->is_dir)
		wrong("%s: a file in place of a directory, or the reverse",
		      name.text);
	if (thing->mode == 0)
		thing->mode = st.st_mode & 07777;
	if ((st.st_mode & 07777) != thing->mode)
		wrong("%s: mode %o, want %o", name.text, st.st_mode & 07777,
		      thing->mode);
	if (*id == 0)
		*id = st.st_ino & ID_MASK;
	if (*id != (st.st_ino & ID_MASK))
		wrong("%s: number %lu, want %lu", name.text,
		      (unsigned long)(st.st_ino & ID_MASK), *id);
}

/* The names in a directory, which are one letter each, are those of the model. */
static void compare_names(int slot, int path, const struct side_tree *tree)
{
	struct path name = tree_path(slot, path);
	int fd = openat(world.root, name.text, O_RDONLY | O_DIRECTORY), want = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		wrong("%s: opendir", name.text);
	for (int i = 0; i < 2; i++)
		if (side_child(path, i) >= 0 &&
		    tree->at[side_child(path, i)].object)
			want |= 1 << i;
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			want ^= 1 << (entry->d_name[0] - 'a');
	closedir(stream);
	if (want)
		wrong("%s: its names are not the model's (%d)", name.text, want);
}

static void compare_no_scope(int slot, int path)
{
	struct path name = tree_path(slot, path);

	if (faccessat(world.root, name.text, F_OK, 0) == 0 || errno != ENOENT)
		wrong("%s: is there", name.text);
}

static void compare(int slot)
{
	struct side_tree *tree = &world.sides[slot].own;

	for (int path = 0; path < SIDE_PATHS; path++) {
		struct side_thing *thing = &tree->at[path];

		if (!thing->object && side_is_scope(path))
			compare_no_scope(slot, path);
		if (!thing->object)
			continue;
		compare_thing(slot, path, thing);
		if (thing->is_dir)
			compare_names(slot, path, tree);
		else
			compare_value(slot, path, thing);
	}
}

/* Steps. */

static int do_write(const struct path *path, const struct side_step *step)
{
	size_t n = value_bytes(step->value);
	int fd = openat(world.root, path->text, O_WRONLY | O_CREAT | O_TRUNC,
			step->mode);

	if (fd < 0)
		return -1;
	if (write(fd, value_of(step->value), n) != (ssize_t)n) {
		close(fd);
		return -1;
	}
	return close(fd);
}

static int do_step(int slot, const struct side_step *step)
{
	struct path path = tree_path(slot, step->path);
	struct path to = tree_path(slot, step->to);
	int root = world.root;

	switch (step->act) {
	case SIDE_WRITE:
		return do_write(&path, step);
	case SIDE_UNLINK:
		return unlinkat(root, path.text, 0);
	case SIDE_MKDIR:
		return mkdirat(root, path.text, step->mode);
	case SIDE_RMDIR:
		return unlinkat(root, path.text, AT_REMOVEDIR);
	case SIDE_RENAME:
		return renameat(root, path.text, root, to.text);
	case SIDE_EXCHANGE:
		return renameat2(root, path.text, root, to.text, RENAME_EXCHANGE);
	default:
		return fchmodat(root, path.text, step->mode, 0);
	}
}

/* Mostly what is new; else what the base has there, or had. */
static unsigned value_for(int slot, int path)
{
	const struct side_thing *base = &world.sides[slot].base.at[path];

	return base->value && choose(3) == 0 ? base->value : ++world.last;
}

static void take_step(int slot, const struct side_step *step)
{
	if (do_step(slot, step) < 0)
		wrong("slot %d, %s: act %d, to %s", slot,
		      tree_path(slot, step->path).text, step->act,
		      tree_path(slot, step->to).text);
	side_do(&world.sides[slot], step, ++world.last);
}

/* With all that is in it; what lies deeper has a greater number. */
static void remove_scope(int slot, int scope)
{
	for (int path = scope + SIDE_SCOPE_PATHS - 1; path >= scope; path--) {
		const struct side_thing *thing =
			&world.sides[slot].own.at[path];
		struct side_step step = { .path = path, .act = thing->is_dir ?
							SIDE_RMDIR : SIDE_UNLINK };

		if (thing->object)
			take_step(slot, &step);
	}
}

static void make_scope(int slot, int scope, unsigned mode)
{
	struct side_step step = { .act = SIDE_MKDIR, .path = scope,
				  .mode = mode };

	if (!world.sides[slot].own.at[scope].object)
		take_step(slot, &step);
}

static void random_step(int slot)
{
	static const unsigned modes[] = { 0700, 0750, 0755, 0711 };
	struct side *side = &world.sides[slot];
	struct side_step step;

	do {
		step = (struct side_step){
			.act = (enum side_act)choose(SIDE_ACTS),
			.path = (int)choose(SIDE_PATHS),
			.to = (int)choose(SIDE_PATHS),
			.mode = modes[choose(4)],
		};
	} while (!side_can(side, &step));
	step.value = value_for(slot, step.path);
	take_step(slot, &step);
}

/* Batches. */

static void begin(int slot)
{
	struct path path = batch_file(slot, "");

	if (mkdirat(world.root, path.text, 0755) < 0)
		wrong("%s: mkdir", path.text);
	side_begin(&world.sides[slot], &world.sides[LIVE]);
	world.is_open[slot] = true;
}

static bool is_gone(int slot)
{
	struct path path = batch_file(slot, "");

	return faccessat(world.root, path.text, F_OK, 0) < 0 && errno == ENOENT;
}

static void end_aborted(int slot)
{
	struct path path = batch_file(slot, "");

	if (unlinkat(world.root, path.text, AT_REMOVEDIR) < 0)
		wrong("%s: rmdir", path.text);
	if (!is_gone(slot))
		wrong("%s: is still there", path.text);
	world.is_open[slot] = false;
}

/* 0, or the errno value it failed with. */
static int command(int slot, const char *line)
{
	struct path path = batch_file(slot, "/.control");
	int fd = openat(world.root, path.text, O_WRONLY), err = 0;

	if (fd < 0)
		wrong("%s: open", path.text);
	if (write(fd, line, strlen(line)) < 0)
		err = errno;
	close(fd);
	return err;
}

static const char *text_of(int slot, const char *name)
{
	struct path path = batch_file(slot, name);
	int fd = openat(world.root, path.text, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		wrong("%s: open", path.text);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		wrong("%s: read", path.text);
	close(fd);
	text[n] = '\0';
	return text;
}

static bool has_line(const char *in, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = in; (at = strstr(at, line)); at += n)
		if ((at == in || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void expect_line(int slot, char sign, int path,
			const struct side_thing *thing)
{
	char line[128], inside[SIDE_PATH_BYTES];

	side_path(path, inside);
	snprintf(line, sizeof(line), "%c %.64s/%s%s", sign, world.project, inside,
		 thing->is_dir ? "/" : "");
	if (!has_line(text, line))
		wrong("slot %d: not in .diff: %s; it is\n%s", slot, line, text);
}

/* How many lines .diff must have of a path, which it has. */
static int compare_change(int slot, int path)
{
	const struct side *side = &world.sides[slot];
	const struct side_thing *base = &side->base.at[path];
	const struct side_thing *own = &side->own.at[path];
	char sign = side_difference(side, path);

	if (sign == '~' && base->is_dir != own->is_dir) {
		expect_line(slot, '-', path, base);
		expect_line(slot, '+', path, own);
		return 2;
	}
	if (sign)
		expect_line(slot, sign, path, own->object ? own : base);
	return sign != 0;
}

/* .diff has a line for each path that differs, and no other. */
static void compare_diff(int slot)
{
	const char *diff = text_of(slot, "/.diff");
	int lines = 0;

	for (const char *at = diff; *at; at++)
		lines += *at == '\n';
	for (int path = 0; path < SIDE_PATHS; path++)
		lines -= compare_change(slot, path);
	if (lines)
		wrong("slot %d: %d lines more in .diff:\n%s", slot, lines, diff);
}

static void check_refused(int slot)
{
	world.refused++;
	if (is_gone(slot))
		wrong("slot %d: refused and gone", slot);
	if (!*text_of(slot, "/.conflicts"))
		wrong("slot %d: refused, and no conflict is told", slot);
	compare(slot);
	compare(LIVE);
}

/* A scope that both have now, and the base had not. */
static bool has_met(int slot)
{
	const struct side *batch = &world.sides[slot];

	for (int path = 0; path < SIDE_PATHS; path += SIDE_SCOPE_PATHS)
		if (!batch->base.at[path].object && batch->own.at[path].object &&
		    world.sides[LIVE].own.at[path].object)
			return true;
	return false;
}

static void check_committed(int slot)
{
	world.commits++;
	world.met += has_met(slot);
	if (!is_gone(slot))
		wrong("slot %d: committed and still there", slot);
	side_merge(&world.sides[slot], &world.sides[LIVE], ++world.last);
	world.is_open[slot] = false;
	compare(LIVE);
}

static void commit(int slot)
{
	enum side_verdict want = side_judge(&world.sides[slot],
						&world.sides[LIVE], NULL);
	int checked, err;

	compare_diff(slot);
	checked = command(slot, "check\n");
	err = command(slot, "commit\n");
	if (err != checked)
		wrong("slot %d: check says %d, commit %d", slot, checked, err);
	if (err && err != ESTALE)
		wrong("slot %d: commit fails with %s", slot, strerror(err));
	world.either += want == SIDE_EITHER;
	if (want != SIDE_EITHER && (want == SIDE_CONFLICTS) != (err != 0))
		wrong("slot %d: the model says %s; conflicts:\n%s", slot,
		      err ? "none" : "conflict",
		      err ? text_of(slot, "/.conflicts") : "");
	if (err)
		check_refused(slot);
	else
		check_committed(slot);
	if (err && choose(4))
		end_aborted(slot);
}

/* Both sides make a scope that the batch's base had not, and go on a little. */
static void meet(int slot)
{
	int scope = (int)choose(SIDE_SCOPES) * SIDE_SCOPE_PATHS;

	if (world.is_open[slot])
		end_aborted(slot);
	remove_scope(LIVE, scope);
	begin(slot);
	make_scope(slot, scope, 0755);
	make_scope(LIVE, scope, choose(8) ? 0755 : 0700);
	for (unsigned n = choose(6); n > 0; n--)
		random_step(choose(2) ? slot : LIVE);
	if (choose(4))
		commit(slot);
}

static void random_act(void)
{
	int slot = (int)choose(SLOTS);

	if (slot != LIVE && !world.is_open[slot])
		begin(slot);
	else if (slot != LIVE && choose(6) == 0)
		commit(slot);
	else if (slot != LIVE && choose(24) == 0)
		end_aborted(slot);
	else if (slot != LIVE && choose(32) == 0)
		meet(slot);
	else if (choose(8) == 0)
		compare(slot);
	else
		random_step(slot);
}

static void world_open(const char *mount)
{
	world.root = open(mount, O_PATH | O_DIRECTORY);
	snprintf(world.project, sizeof(world.project), "conflicts-%lu",
		 world.seed);
	if (world.root < 0 || mkdirat(world.root, world.project, 0755) < 0)
		wrong("%s: mkdir in %s", world.project, mount);
	side_init(&world.sides[LIVE], 1);
	world.last = SIDE_SCOPES;
	for (int i = 0; i < SIDE_SCOPES; i++) {
		struct path scope = tree_path(LIVE, i * SIDE_SCOPE_PATHS);

		if (mkdirat(world.root, scope.text, 0755) < 0)
			wrong("%s: mkdir", scope.text);
	}
	world.is_open[LIVE] = true;
}

int main(int argc, char **argv)
{
	unsigned long steps;

	if (argc != 4)
		crowd_die("conflicts MOUNT SEED STEPS:", "");
	world.seed = world.random = strtoull(argv[2], NULL, 10);
	steps = strtoul(argv[3], NULL, 10);
	world.ids = crowd_memory((NUMBERS_AN_ACT * steps + 16) *
				 sizeof(*world.ids));
	umask(0);
	world_open(argv[1]);
	for (world.step = 0; world.step < steps; world.step++)
		random_act();
	for (int slot = 1; slot < SLOTS; slot++)
		if (world.is_open[slot])
			commit(slot);
	printf("%lu steps: %u commits, %u with a scope that both made, %u refused, %u either\n",
	       steps, world.commits, world.met, world.refused, world.either);
	return !world.commits || !world.refused || !world.met;
}
