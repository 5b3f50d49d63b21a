/*
 * conform DIRECTORY [TEXT]		any file system
 * conform --mount MOUNT [TEXT]		an aedbfs mount, in the scope p/s
 *
 * Runs as root. Prints TAP; TEXT chooses tests by their sentences.
 */
#include "conform.h"

#include <ftw.h>
#include <grp.h>
#include <limits.h>

bool is_mount;
const char *mount_root;
static char work_dir[PATH_MAX + 16];

void become(enum user user)
{
	static const struct {
		uid_t uid;
		gid_t groups[2];
		size_t n_groups;
	} users[] = {
		[ROOT] = { 0, { 0 }, 1 },
		[ALICE] = { 1001, { 1001, SHARED_GROUP }, 2 },
		[BOB] = { 1002, { 1002, SHARED_GROUP }, 2 },
		[CAROL] = { 1003, { 1003 }, 1 },
	};
	gid_t gid = users[user].groups[0];

	if (setresuid(0, 0, 0) < 0 ||
	    setgroups(users[user].n_groups, users[user].groups) < 0 ||
	    setresgid(gid, gid, 0) < 0 ||
	    setresuid(users[user].uid, users[user].uid, 0) < 0) {
		perror("changing user");
		exit(2);
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level ? remove(path) : 0;
}

static void empty(void)
{
	become(ROOT);
	if (chdir(work_dir) < 0) {
		perror(work_dir);
		exit(2);
	}
	nftw(".", remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void begin(void)
{
	empty();
	umask(0);
	WORKS(mkdir("test", 0777));
	WORKS(chdir("test"));
}

void make(mode_t mode, const char *path)
{
	mode_t permissions = mode & 07777;

	switch (mode & S_IFMT) {
	case S_IFDIR:
		WORKS(mkdir(path, permissions));
		WORKS(chmod(path, permissions));
		break;
	case S_IFLNK:
		WORKS(symlink("nowhere", path));
		break;
	case S_IFREG:
		WORKS(opens(path, O_CREAT | O_EXCL | O_WRONLY, permissions));
		break;
	default:
		WORKS(mknod(path, mode, 0));
	}
}

void make_as(enum user user, mode_t mode, const char *path)
{
	become(user);
	make(mode, path);
	become(ROOT);
}

struct stat look(const char *path)
{
	struct stat st = { 0 };

	WORKS(lstat(path, &st));
	return st;
}

void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	WORKS(fd);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	WORKS(close(fd));
}

static bool differs(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

void check_changed(const char *path, const struct stat *before,
		   const char *which, const char *call, int line)
{
	struct stat now = look(path);
	char changed[4] = "", *at = changed;

	if (differs(now.st_atim, before->st_atim))
		*at++ = 'a';
	if (differs(now.st_mtim, before->st_mtim))
		*at++ = 'm';
	if (differs(now.st_ctim, before->st_ctim))
		*at++ = 'c';
	if (strcmp(changed, which) != 0)
		check_fail(__FILE__, line, "%s: changed times of %s: \"%s\", want \"%s\"",
			   call, path, changed, which);
}

int opens(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	return fd < 0 ? fd : close(fd);
}

const char *letters(size_t n)
{
	static char name[2 * PATH_MAX];

	memset(name, 'x', n);
	name[n] = '\0';
	return name;
}

int main(int argc, char **argv)
{
	static char root[PATH_MAX];
	int rc;

	if (geteuid() != 0 || argc < 2) {
		fprintf(stderr, "as root: conform DIRECTORY | --mount MOUNT [TEXT]\n");
		return 2;
	}
	if (argc > 2 && strcmp(argv[1], "--mount") == 0) {
		is_mount = true;
		argc--;
		argv++;
	}
	if (!realpath(argv[1], root)) {
		perror(argv[1]);
		return 2;
	}
	mount_root = root;
	snprintf(work_dir, sizeof(work_dir), "%s%s/conform", root,
		 is_mount ? "/p/s" : "");
	mkdir(work_dir, 0777);
	rc = check_main(argc - 1, argv + 1);
	empty();
	if (chdir("/") < 0 || rmdir(work_dir) < 0)
		perror(work_dir);
	return rc;
}
