/*
 * Random calls on a file tree:
 *
 *	twin run TREE CONTROL SEED STEPS	the same in a plain directory: results,
 *						reports and trees agree
 *	twin hold TREE CONTROL SEED STEPS	so, then stages what nobody commits,
 *						says "held" and waits for a line
 *	twin check TREE CONTROL			are both trees the same?
 *	twin crowd TREE SEED STEPS PROCESSES	many processes in one tree: every
 *						call comes back
 *
 * One process sees what it wrote at once, by whatever descriptor. What may
 * differ by contract is not done here, or left out: links of directories, hard
 * links, and two writers of one file of which one has begun a new value and not
 * synced it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "content.h"
#include "crowd.h"
#include "step.h"

#define TREE 0
#define CONTROL 1
#define STEPS_BETWEEN_CHECKS 250

static struct scene scene;
static struct step step;
static uint64_t seed, number;

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "seed %lu, step %lu: %s\n", seed, number, what);
	exit(1);
}

/* The two trees. */

struct names {
	size_t n;
	char all[64][NAME_MAX + 1];
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void read_names(int dir, const char *path, struct names *ret)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		wrong(path);
	ret->n = 0;
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (ret->n == 64)
			wrong("too many names in a directory");
		strcpy(ret->all[ret->n++], entry->d_name);
	}
	closedir(stream);
	qsort(ret->all, ret->n, sizeof(ret->all[0]), compare_names);
}

/* What an object of one side is, but for names in it, as text and bytes. */
static void describe(int side, const char *path)
{
	static uint8_t bytes[STEP_SIZE_MAX + CONTENT_BYTES_MAX];
	char proc[STEP_PATH_BYTES + 64], names[1024];
	uint64_t sum = 0;
	struct stat st;
	long n;
	int fd;

	step.report_bytes[side] = 0;
	if (fstatat(scene.root[side], path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		wrong(path);
	step_report_stat(&step, side, &st);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", scene.root[side],
		 path);
	n = llistxattr(proc, names, sizeof(names));
	step_report(&step, side, &n, sizeof(n));
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(scene.root[side], path, names, sizeof(names));
		step_report(&step, side, names, n);
	}
	if (!S_ISREG(st.st_mode))
		return;
	for (char c = 'a'; c <= 'c'; c++) {
		char name[] = { 'u', 's', 'e', 'r', '.', c, 0 }, value[256];

		n = lgetxattr(proc, name, value, sizeof(value));
		step_report(&step, side, &n, sizeof(n));
		step_report(&step, side, value, n);
	}
	fd = openat(scene.root[side], path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (n != st.st_size)
		wrong(path);
	close(fd);
	for (long at = 0; at < n; at++)
		sum = sum * 31 + bytes[at];
	step_report(&step, side, &sum, sizeof(sum));
}

static void agree_reports(const char *what)
{
	if (step.report_bytes[TREE] == step.report_bytes[CONTROL] &&
	    memcmp(step.report[TREE], step.report[CONTROL],
		   step.report_bytes[TREE]) == 0)
		return;
	for (int side = 0; side < 2; side++) {
		step.report[side][step.report_bytes[side] < 200 ?
				  step.report_bytes[side] : 200] = '\0';
		fprintf(stderr, "%s: %zu bytes, %s\n", side ? "want" : "got",
			step.report_bytes[side], step.report[side]);
	}
	wrong(what);
}

static void agree_trees(const char *path)
{
	struct names names[2];
	char child[STEP_PATH_BYTES];
	struct stat st;

	for (int side = 0; side < 2; side++)
		read_names(scene.root[side], path, &names[side]);
	if (names[TREE].n != names[CONTROL].n)
		wrong(path);
	for (size_t i = 0; i < names[TREE].n; i++) {
		if (strcmp(names[TREE].all[i], names[CONTROL].all[i]) != 0)
			wrong(names[CONTROL].all[i]);
		snprintf(child, sizeof(child), "%s/%s", path,
			 names[TREE].all[i]);
		describe(TREE, child);
		describe(CONTROL, child);
		agree_reports(child);
		if (fstatat(scene.root[TREE], child, &st,
			    AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			agree_trees(child);
	}
}

/* Two trees alike. */

/* A new value that was begun and not synced is its handle's alone: with a second
 * handle a process has two views, a plain directory one. */
static void sync_fresh(const struct stat *st)
{
	struct stat other;

	for (int i = 0; i < STEP_FILES; i++) {
		struct step_file *file = &scene.files[i];

		if (file->fd[CONTROL] < 0 || !file->is_fresh ||
		    fstat(file->fd[CONTROL], &other) < 0 ||
		    other.st_ino != st->st_ino)
			continue;
		if (fsync(file->fd[TREE]) < 0)
			wrong("fsync of a new value");
		file->is_fresh = false;
	}
}

static bool is_open_elsewhere(const struct stat *st)
{
	struct stat other;

	for (int i = 0; i < STEP_FILES; i++)
		if (scene.files[i].fd[CONTROL] >= 0 &&
		    fstat(scene.files[i].fd[CONTROL], &other) == 0 &&
		    other.st_ino == st->st_ino)
			return true;
	return false;
}

static bool is_reader(int fd)
{
	return fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

/* What a process that keeps a reader open sees stays as it is; in a plain
 * directory it changes. */
static void close_reader(struct step_file *file)
{
	if (!file->is_dir && is_reader(file->fd[TREE]))
		step_close_file(&scene, file);
}

/* Positions in a directory are every file system's own; and when nothing comes of
 * fallocate, times may change or not. */
static bool is_left_out(void)
{
	struct stat st;

	if (step.kind->make == step_seek)
		return step.file->is_dir;
	return step.kind->make == step_fallocate &&
	       fstat(step.file->fd[CONTROL], &st) == 0 &&
	       (step.choice % 4 == 0 ?
		(off_t)(step.offset + step.n) <= st.st_size :
		step.choice % 4 == 1 || (off_t)step.offset >= st.st_size);
}

static void run_step(void)
{
	int base;
	struct stat st;
	bool has_stat;

	number++;
	step_choose(&scene, &step);
	if (is_left_out())
		return;
	base = step_base(&scene, &step, CONTROL);
	has_stat = step.kind->make == step_open &&
		   fstatat(base, step.path[0], &st, 0) == 0;
	if (has_stat)
		sync_fresh(&st);
	if (has_stat && step.flags & O_TRUNC && is_open_elsewhere(&st))
		step.flags &= ~O_TRUNC;
	for (int side = 0; side < 2; side++)
		step_make(&scene, &step, side);
	if (step.result[TREE] != step.result[CONTROL] ||
	    step.error[TREE] != step.error[CONTROL]) {
		fprintf(stderr, "%s %s %s flags %o: got %ld %s, want %ld %s\n",
			step.kind->name, step.path[0], step.path[1],
			(unsigned)step.flags, step.result[TREE],
			strerrorname_np(step.error[TREE]), step.result[CONTROL],
			strerrorname_np(step.error[CONTROL]));
		wrong("a result");
	}
	agree_reports(step.kind->name);
	step_keep(&scene, &step);
	close_reader(step.other);
	if (number % STEPS_BETWEEN_CHECKS == 0)
		agree_trees(".");
}

/* What is committed stays as it is; what is written to the tree alone is never
 * committed. */
static void hold(void)
{
	char line[8];

	for (int i = 0; i < STEP_FILES; i++)
		if (scene.files[i].fd[TREE] >= 0 &&
		    fsync(scene.files[i].fd[TREE]) < 0)
			wrong("fsync before the end");
	for (int i = 0; i < STEP_FILES; i++) {
		int fd = scene.files[i].fd[TREE];

		if (fd >= 0 && !scene.files[i].is_dir && !is_reader(fd) &&
		    !(fcntl(fd, F_GETFL) & O_APPEND) &&
		    pwrite(fd, "never committed", 15, 0) != 15)
			wrong("write before the end");
	}
	puts("held");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static int run(char **argv, bool holds)
{
	uint64_t steps;

	seed = scene.random = strtoull(argv[4], NULL, 10);
	steps = strtoull(argv[5], NULL, 10);
	scene_open(&scene, 2, argv + 2);
	while (number < steps)
		run_step();
	if (holds) {
		hold();
		return 0;
	}
	scene_close_files(&scene);
	agree_trees(".");
	return 0;
}

/* Many processes. */

static int work(int index, void *arg)
{
	char **argv = arg;
	uint64_t steps = strtoull(argv[4], NULL, 10);

	seed = strtoull(argv[3], NULL, 10);
	scene.random = seed * 1000 + (uint64_t)index;
	scene_open(&scene, 1, argv + 2);
	for (number = 0; number < steps; number++) {
		step_choose(&scene, &step);
		step_make(&scene, &step, 0);
		if (step.error[0] == EIO || step.error[0] == ENOTCONN ||
		    step.error[0] == ESTALE) {
			errno = step.error[0];
			fprintf(stderr, "%s: %m\n", step.kind->name);
			wrong("a call that may not fail so");
		}
		step_keep(&scene, &step);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct crowd crowd;

	umask(0);
	if (argc == 6 && strcmp(argv[1], "run") == 0)
		return run(argv, false);
	if (argc == 6 && strcmp(argv[1], "hold") == 0)
		return run(argv, true);
	if (argc == 4 && strcmp(argv[1], "check") == 0) {
		scene_open(&scene, 2, argv + 2);
		agree_trees(".");
		return 0;
	}
	if (argc == 6 && strcmp(argv[1], "crowd") == 0) {
		crowd_start(&crowd, atoi(argv[5]), work, argv);
		return crowd_wait(&crowd) ? 1 : 0;
	}
	fprintf(stderr, "usage: twin run|hold TREE CONTROL SEED STEPS\n"
			"       twin check TREE CONTROL\n"
			"       twin crowd TREE SEED STEPS PROCESSES\n");
	return 2;
}
