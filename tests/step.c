/* The calls, how one is chosen, and what it reports. */
#include "step.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "stress/content.h"

static uint8_t step_bytes[STEP_SIZE_MAX + 8];

static size_t step_below(struct scene *scene, size_t n)
{
	return n ? content_next(&scene->random) % n : 0;
}

int step_base(const struct scene *scene, const struct step *step, int side)
{
	return step->base ? step->base->fd[side] : scene->root[side];
}

void step_report(struct step *step, int side, const void *bytes, long n)
{
	size_t room = STEP_REPORT_BYTES - step->report_bytes[side];

	if (n <= 0)
		return;
	if ((size_t)n > room)
		n = (long)room;
	memcpy(step->report[side] + step->report_bytes[side], bytes, (size_t)n);
	step->report_bytes[side] += (size_t)n;
}

/* Calls on names. */

long step_open(struct scene *scene, struct step *step, int side)
{
	step->fd[side] = openat(step_base(scene, step, side), step->path[0],
				step->flags | O_NONBLOCK, step->mode);
	return step->fd[side] < 0 ? -1 : 0;
}

static long step_mkdir(struct scene *scene, struct step *step, int side)
{
	return mkdirat(step_base(scene, step, side), step->path[0], step->mode);
}

static long step_rmdir(struct scene *scene, struct step *step, int side)
{
	return unlinkat(step_base(scene, step, side), step->path[0],
			AT_REMOVEDIR);
}

static long step_unlink(struct scene *scene, struct step *step, int side)
{
	return unlinkat(step_base(scene, step, side), step->path[0], 0);
}

static long step_rename(struct scene *scene, struct step *step, int side)
{
	static const unsigned flags[] = { 0, 0, 0, RENAME_NOREPLACE,
					  RENAME_EXCHANGE };

	return renameat2(step_base(scene, step, side), step->path[0],
			 step_base(scene, step, side), step->path[1],
			 flags[step->choice % 5]);
}

static long step_symlink(struct scene *scene, struct step *step, int side)
{
	return symlinkat(step->path[1], step_base(scene, step, side),
			 step->path[0]);
}

static long step_mknod(struct scene *scene, struct step *step, int side)
{
	mode_t type = step->choice % 2 ? S_IFIFO : S_IFREG;

	return mknodat(step_base(scene, step, side), step->path[0],
		       type | step->mode, 0);
}

static long step_chmod(struct scene *scene, struct step *step, int side)
{
	return fchmodat(step_base(scene, step, side), step->path[0], step->mode,
			0);
}

static void step_times(const struct step *step, struct timespec ret[2])
{
	ret[0].tv_sec = ret[1].tv_sec =
		(time_t)(step->choice % STEP_SET_TIME_MAX);
	ret[0].tv_nsec = ret[1].tv_nsec = (long)(step->offset % 1000000000);
}

static long step_utimens(struct scene *scene, struct step *step, int side)
{
	struct timespec times[2];

	step_times(step, times);
	return utimensat(step_base(scene, step, side), step->path[0], times,
			 AT_SYMLINK_NOFOLLOW);
}

/* Extended attributes, truncate(2) and listings of a name go through a
 * descriptor's path, for these calls have no form with a directory. */
static void step_proc_path(const struct scene *scene, const struct step *step,
			   int side, char ret[STEP_PATH_BYTES + 64])
{
	snprintf(ret, STEP_PATH_BYTES + 64, "/proc/self/fd/%d/%s",
		 step_base(scene, step, side), step->path[0]);
}

static long step_truncate(struct scene *scene, struct step *step, int side)
{
	char path[STEP_PATH_BYTES + 64];

	step_proc_path(scene, step, side, path);
	return truncate(path, (off_t)step->offset);
}

static long step_xattr(struct scene *scene, struct step *step, int side)
{
	static const char *const names[] = { "user.a", "user.b", "user.c" };
	const char *name = names[step->choice / 8 % 3];
	static const int flags[] = { 0, XATTR_CREATE, XATTR_REPLACE };
	char path[STEP_PATH_BYTES + 64], value[256];
	long n;

	step_proc_path(scene, step, side, path);
	switch (step->choice % 8) {
	case 0:
		return lremovexattr(path, name);
	case 1:
	case 2:
		n = lgetxattr(path, name, value, step->n % sizeof(value));
		if (step->n % sizeof(value))
			step_report(step, side, value, n);
		return n;
	default:
		return lsetxattr(path, name, step_bytes,
				 step->n % sizeof(value),
				 flags[step->choice / 24 % 3]);
	}
}

static long step_readlink(struct scene *scene, struct step *step, int side)
{
	char target[STEP_PATH_BYTES];
	long n = readlinkat(step_base(scene, step, side), step->path[0], target,
			    sizeof(target));

	step_report(step, side, target, n);
	return n;
}

void step_report_stat(struct step *step, int side, const struct stat *st)
{
	char text[128];
	bool is_dir = S_ISDIR(st->st_mode);

	step_report(step, side, text,
		    snprintf(text, sizeof(text), "mode %o nlink %ld size %ld ",
			     st->st_mode, is_dir ? 0 : (long)st->st_nlink,
			     is_dir ? 0 : (long)st->st_size));
	/* Of a directory entries that are still pending count later. */
	if (!is_dir && st->st_mtim.tv_sec < STEP_SET_TIME_MAX)
		step_report(step, side, text,
			    snprintf(text, sizeof(text), "mtime %ld.%09ld",
				     (long)st->st_mtim.tv_sec,
				     st->st_mtim.tv_nsec));
}

static long step_stat(struct scene *scene, struct step *step, int side)
{
	struct stat st;
	int rc = fstatat(step_base(scene, step, side), step->path[0], &st,
			 step->choice % 2 ? AT_SYMLINK_NOFOLLOW : 0);

	if (rc == 0)
		step_report_stat(step, side, &st);
	return rc;
}

static int step_compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names and types in a directory, sorted. */
static long step_list(struct scene *scene, struct step *step, int side)
{
	char names[64][NAME_MAX + 3];
	int fd = openat(step_base(scene, step, side), step->path[0],
			O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)) && n < 64)
		snprintf(names[n++], sizeof(names[0]), "%s %c", entry->d_name,
			 'A' + entry->d_type);
	closedir(dir);
	qsort(names, n, sizeof(names[0]), step_compare_names);
	for (size_t i = 0; i < n; i++)
		step_report(step, side, names[i], (long)strlen(names[i]) + 1);
	return (long)n;
}

/* By a descriptor of its own. */
static long step_get(struct scene *scene, struct step *step, int side)
{
	int fd = openat(step_base(scene, step, side), step->path[0],
			O_RDONLY | O_NONBLOCK);
	long n;

	if (fd < 0)
		return -1;
	n = pread(fd, step_bytes, sizeof(step_bytes), (off_t)step->offset);
	step_report(step, side, step_bytes, n);
	close(fd);
	return n;
}

/* Calls on open files. */

static long step_pwrite(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	return pwrite(step->file->fd[side], step_bytes, step->n,
		      (off_t)step->offset);
}

static long step_write(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	return write(step->file->fd[side], step_bytes, step->n);
}

static long step_read(struct scene *scene, struct step *step, int side)
{
	uint8_t buf[8192];
	long n = read(step->file->fd[side], buf, step->n % sizeof(buf));

	(void)scene;
	step_report(step, side, buf, n);
	return n;
}

long step_seek(struct scene *scene, struct step *step, int side)
{
	static const int whences[] = { SEEK_SET, SEEK_CUR, SEEK_END };
	long at = (long)(step->offset % 5000);

	(void)scene;
	return lseek(step->file->fd[side], at, whences[step->choice % 3]);
}

static long step_ftruncate(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	return ftruncate(step->file->fd[side], (off_t)step->offset);
}

long step_fallocate(struct scene *scene, struct step *step, int side)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};

	(void)scene;
	return fallocate(step->file->fd[side], modes[step->choice % 4],
			 (off_t)step->offset, (off_t)step->n);
}

static long step_copy(struct scene *scene, struct step *step, int side)
{
	off_t from = (off_t)step->offset, to = (off_t)(step->choice % 20000);
	int a = step->file->fd[side], b = step->other->fd[side];

	(void)scene;
	return step->choice % 3 ? copy_file_range(a, &from, b, &to, step->n, 0) :
				  sendfile(b, a, &from, step->n);
}

static long step_fstat(struct scene *scene, struct step *step, int side)
{
	struct stat st;
	int rc = fstat(step->file->fd[side], &st);

	(void)scene;
	if (rc == 0)
		step_report_stat(step, side, &st);
	return rc;
}

static long step_fsync(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	return fsync(step->file->fd[side]);
}

static long step_attributes(struct scene *scene, struct step *step, int side)
{
	struct timespec times[2];

	(void)scene;
	if (step->choice % 2)
		return fchmod(step->file->fd[side], step->mode);
	step_times(step, times);
	return futimens(step->file->fd[side], times);
}

static long step_set_append(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	return fcntl(step->file->fd[side], F_SETFL,
		     O_NONBLOCK | (step->choice % 2 ? O_APPEND : 0));
}

static long step_lock(struct scene *scene, struct step *step, int side)
{
	static const int kinds[] = { LOCK_SH, LOCK_EX, LOCK_UN };

	(void)scene;
	return flock(step->file->fd[side], kinds[step->choice % 3] | LOCK_NB);
}

static long step_dup(struct scene *scene, struct step *step, int side)
{
	(void)scene;
	step->fd[side] = dup(step->file->fd[side]);
	return step->fd[side] < 0 ? -1 : 0;
}

static long step_close(struct scene *scene, struct step *step, int side)
{
	int fd = step->file->fd[side];

	(void)scene;
	step->file->fd[side] = -1;
	return fd < 0 ? 0 : close(fd);
}

static const struct step_kind step_kinds[] = {
	{ "open", 24, step_open },	{ "mkdir", 8, step_mkdir },
	{ "rmdir", 5, step_rmdir },	{ "unlink", 6, step_unlink },
	{ "rename", 10, step_rename },	{ "symlink", 2, step_symlink },
	{ "mknod", 3, step_mknod },	{ "chmod", 2, step_chmod },
	{ "utimens", 3, step_utimens }, { "truncate", 3, step_truncate },
	{ "xattr", 6, step_xattr },	{ "readlink", 1, step_readlink },
	{ "stat", 4, step_stat },	{ "list", 4, step_list },
	{ "get", 6, step_get },		{ "pwrite", 14, step_pwrite },
	{ "write", 8, step_write },	{ "read", 6, step_read },
	{ "lseek", 3, step_seek },	{ "ftruncate", 5, step_ftruncate },
	{ "fallocate", 4, step_fallocate }, { "copy", 4, step_copy },
	{ "fstat", 3, step_fstat },	{ "fsync", 2, step_fsync },
	{ "attributes", 3, step_attributes }, { "append", 2, step_set_append },
	{ "flock", 1, step_lock },	{ "dup", 2, step_dup },
	{ "close", 12, step_close },
};

/* Choosing. */

static void step_choose_path(struct scene *scene, char ret[STEP_PATH_BYTES])
{
	static const char long_name[] = /* 250 bytes with the digits */
		"long-0123456789-0123456789-0123456789-0123456789-0123456789-"
		"0123456789-0123456789-0123456789-0123456789-0123456789-01234"
		"0123456789-0123456789-0123456789-0123456789-0123456789-01234"
		"0123456789-0123456789-0123456789-0123456789-0123456789-01234";
	static const char *const names[] = { "a", "b", "c", "a-", "a b", "100%",
					     "%41", long_name };
	size_t depth = 1 + step_below(scene, 3);

	*ret = '\0';
	for (size_t i = 0; i < depth; i++) {
		if (i)
			strcat(ret, "/");
		strcat(ret, names[step_below(scene, i ? 5 : 8)]);
	}
}

static int step_choose_flags(struct scene *scene)
{
	static const int access[] = { O_RDONLY, O_RDWR, O_RDWR, O_WRONLY };
	static const int more[] = { 0, O_CREAT, O_CREAT, O_CREAT,
				    O_CREAT | O_EXCL, O_CREAT | O_TRUNC,
				    O_CREAT | O_TRUNC, O_TRUNC,
				    O_CREAT | O_APPEND,
				    O_CREAT | O_APPEND | O_TRUNC, O_DIRECTORY,
				    O_DIRECTORY };
	int flags = more[step_below(scene, sizeof(more) / sizeof(more[0]))];

	return flags & O_DIRECTORY ? flags | O_RDONLY :
				     flags | access[step_below(scene, 4)];
}

static const struct step_kind *step_choose_kind(struct scene *scene)
{
	const size_t n = sizeof(step_kinds) / sizeof(step_kinds[0]);
	size_t sum = 0, at;

	for (size_t i = 0; i < n; i++)
		sum += step_kinds[i].weight;
	at = step_below(scene, sum);
	for (size_t i = 0; i < n; i++) {
		if (at < step_kinds[i].weight)
			return &step_kinds[i];
		at -= step_kinds[i].weight;
	}
	return &step_kinds[0];
}

void step_choose(struct scene *scene, struct step *step)
{
	uint64_t content = content_next(&scene->random);

	step->kind = step_choose_kind(scene);
	step->base = &scene->files[step_below(scene, STEP_FILES * 2) / 2];
	if (step->base->fd[0] < 0 || !step->base->is_dir)
		step->base = NULL;
	step->file = &scene->files[step_below(scene, STEP_FILES)];
	step->other = &scene->files[step_below(scene, STEP_FILES)];
	step_choose_path(scene, step->path[0]);
	step_choose_path(scene, step->path[1]);
	step->flags = step_choose_flags(scene);
	step->mode = (mode_t)step_below(scene, 8) << 6 | 0604;
	step->n = content_size(&scene->random);
	step->offset = step_below(scene, STEP_SIZE_MAX - CONTENT_BYTES_MAX);
	if (step_below(scene, 3))
		step->offset %= 5000;
	step->choice = step_below(scene, SIZE_MAX);
	content_fill((uint32_t)content, content, step->n, step_bytes);
	for (int side = 0; side < scene->sides; side++) {
		step->fd[side] = -1;
		step->report_bytes[side] = 0;
	}
}

void step_make(struct scene *scene, struct step *step, int side)
{
	errno = 0;
	step->result[side] = step->kind->make(scene, step, side);
	step->error[side] = step->result[side] < 0 ? errno : 0;
}

void step_close_file(struct scene *scene, struct step_file *file)
{
	for (int side = 0; side < scene->sides; side++) {
		if (file->fd[side] >= 0)
			close(file->fd[side]);
		file->fd[side] = -1;
	}
}

void step_keep(struct scene *scene, struct step *step)
{
	struct step_file *file = step->other;
	struct stat st;

	if (step->fd[0] < 0)
		return;
	step_close_file(scene, file);
	if (fstat(step->fd[0], &st) == 0)
		file->is_dir = S_ISDIR(st.st_mode);
	file->is_fresh = step->kind->make == step_open ?
			 (step->flags & O_TRUNC) != 0 : step->file->is_fresh;
	for (int side = 0; side < scene->sides; side++)
		file->fd[side] = step->fd[side];
	if (S_ISFIFO(st.st_mode))
		step_close_file(scene, file);
}

void scene_open(struct scene *scene, int sides, char **roots)
{
	scene->sides = sides;
	for (int side = 0; side < sides; side++) {
		scene->root[side] = open(roots[side], O_RDONLY | O_DIRECTORY);
		if (scene->root[side] < 0) {
			fprintf(stderr, "%s: %m\n", roots[side]);
			exit(2);
		}
		for (int i = 0; i < STEP_FILES; i++)
			scene->files[i].fd[side] = -1;
	}
}

void scene_close_files(struct scene *scene)
{
	for (int i = 0; i < STEP_FILES; i++)
		step_close_file(scene, &scene->files[i]);
}
