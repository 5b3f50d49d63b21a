/*
 * Random system calls by several users, the same ones in two directories, which
 * must return the same and leave the same trees behind.
 *
 * differ CONTROL DIRECTORY STEPS	both empty, absolute; as root
 *
 * Left out is what may differ: times, sizes and link counts of directories, hard
 * links, devices. The seed is printed; SEED=n sets it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check.h"

#define TREE_BYTES 65536

/* One step, the same for both sides. */
struct step {
	unsigned op, user, arg;
	int flags;
	mode_t mode, mode2;
	int uid, gid;
	char path[400], to[400];
};

static const char *roots[2];
static int step_limit;

static void become(unsigned user)
{
	gid_t groups[2] = { user ? 1000 + user : 0, 2000 };

	if (setresuid(0, 0, 0) < 0 || setgroups(user && user < 3 ? 2 : 1, groups) < 0 ||
	    setresgid(groups[0], groups[0], 0) < 0 ||
	    setresuid(groups[0], groups[0], 0) < 0)
		abort();
}

static unsigned below(unsigned n)
{
	return (unsigned)(check_random() % n);
}

static void random_path(char *path)
{
	static const char *const ends[] = { "/", "/.", "/..", "//" };
	char *at = path;

	for (unsigned depth = 1 + below(3); depth > 0; depth--)
		at += sprintf(at, "%s%c", at == path ? "" : "/", 'a' + (int)below(4));
	if (below(10) == 0)
		strcpy(at, ends[below(4)]);
	else if (below(40) == 0)
		sprintf(at, "/%0*d", 255 + (int)below(2), 0);
}

static mode_t random_mode(void)
{
	static const mode_t modes[] = { 0777, 01777, 0755, 0644, 0, 04755, 02755,
					06777, 02770, 0444, 02644, 02707 };

	return modes[below(12)];
}

static struct step random_step(void)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR };
	static const int ids[] = { -1, 0, 1001, 1002, 1003, 2000 };
	struct step step = {
		.op = below(16), .user = below(4), .arg = below(100),
		.flags = access[below(3)] | O_NONBLOCK,
		.mode = random_mode(), .mode2 = random_mode(),
		.uid = ids[below(5)], .gid = ids[1 + below(5)],
	};

	step.flags |= (below(2) ? O_CREAT : 0) | (below(5) ? 0 : O_APPEND) |
		      (below(6) ? 0 : O_NOFOLLOW);
	if (step.flags & O_CREAT && below(3) == 0)
		step.flags |= O_EXCL;
	if (step.flags & O_ACCMODE && below(3) == 0)
		step.flags |= O_TRUNC;
	random_path(step.path);
	random_path(step.to);
	return step;
}

/* Opens, does one thing with the descriptor, closes. */
static long use_file(const struct step *s)
{
	int fd = open(s->path, s->flags, s->mode);
	char text[200];
	struct stat st;
	long rc = fd;

	if (fd < 0)
		return -1;
	memset(text, 'a' + (int)s->arg % 26, sizeof(text));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return close(fd);
	switch (s->arg % 7) {
	case 0: rc = write(fd, text, s->arg); break;
	case 1: rc = ftruncate(fd, s->arg); break;
	case 2: rc = fchmod(fd, s->mode2); break;
	case 3: rc = fchown(fd, (uid_t)s->uid, (gid_t)s->gid); break;
	case 4:
		rc = pwrite(fd, text, 20, s->arg);
		if (rc >= 0)
			rc = fchmod(fd, s->mode2);
		break;
	case 5: rc = read(fd, text, s->arg); break;
	case 6:
		rc = unlink(s->path);
		if (rc == 0 && fstat(fd, &st) == 0)
			rc = (long)st.st_nlink;
	}
	if (rc < 0)
		rc = -errno - 1000;	/* of the descriptor, not of the open */
	return close(fd) < 0 ? -1 : rc;
}

static long run(const struct step *s)
{
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK };
	char text[500];
	struct stat st;

	switch (s->op) {
	case 0: return mkdir(s->path, s->mode);
	case 1: return mkdir(s->path, 0777);
	case 2: return rmdir(s->path);
	case 3: return unlink(s->path);
	case 4: return rename(s->path, s->to);
	case 5: return syscall(SYS_renameat2, AT_FDCWD, s->path, AT_FDCWD, s->to,
			       s->arg % 3 ? RENAME_EXCHANGE : RENAME_NOREPLACE);
	case 6: return symlink(s->to, s->path);
	case 7: return mknod(s->path, types[s->arg % 3] | s->mode, 0);
	case 8: return chmod(s->path, s->mode);
	case 9: return lchown(s->path, (uid_t)s->uid, (gid_t)s->gid);
	case 10: return truncate(s->path, s->arg);
	case 11: return access(s->path, (int)s->arg % 8);
	case 12: return readlink(s->path, text, 1 + s->arg);
	case 13: return stat(s->path, &st) < 0 ? -1 : (long)st.st_mode;
	default: return use_file(s);
	}
}

/* A line for each object, by name; *used counts the bytes. */
static void describe(const char *path, char *tree, size_t *used)
{
	struct dirent **names = NULL;
	struct stat st;
	char below_path[PATH_MAX], text[500] = "";
	int n = 0, fd;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		CHECK(readlink(path, text, sizeof(text) - 1) > 0);
	} else if (S_ISREG(st.st_mode)) {
		fd = open(path, O_RDONLY);
		CHECK(read(fd, text, sizeof(text) - 1) == st.st_size);
		close(fd);
	}
	*used += (size_t)snprintf(tree + *used, TREE_BYTES - *used,
				  "%.300s %o %d:%d %d %s\n", path, st.st_mode,
				  (int)st.st_uid, (int)st.st_gid,
				  S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink, text);
	CHECK(*used < TREE_BYTES);
	if (S_ISDIR(st.st_mode))
		n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..")) {
			snprintf(below_path, sizeof(below_path), "%s/%s", path,
				 names[i]->d_name);
			describe(below_path, tree, used);
		}
		free(names[i]);
	}
	free(names);
}

static void show(const struct step *s, int number, const char *tree)
{
	printf("# step %d: op %u user %u arg %u flags %o mode %o %o ids %d %d\n"
	       "#   %.60s\n#   %.60s\n# the control's tree before it:\n%s",
	       number, s->op, s->user, s->arg, s->flags, s->mode, s->mode2,
	       s->uid, s->gid, s->path, s->to, tree);
}

TEST(differ, "two file systems answer the same calls alike")
{
	static char trees[3][TREE_BYTES];

	for (int i = 0; i < step_limit; i++) {
		struct step step = random_step();
		long rc[2];
		int error[2];

		memcpy(trees[2], trees[0], TREE_BYTES);
		for (int side = 0; side < 2; side++) {
			size_t used = 0;

			CHECK_OK(chdir(roots[side]));
			become(step.user);
			rc[side] = run(&step);
			error[side] = rc[side] < 0 ? errno : 0;
			become(0);
			describe(".", trees[side], &used);
		}
		if (rc[0] == rc[1] && error[0] == error[1] &&
		    strcmp(trees[0], trees[1]) == 0)
			continue;
		show(&step, i, trees[2]);
		printf("# the other's after it:\n%s", trees[1]);
		check_fail(__FILE__, __LINE__, "control %ld %s, other %ld %s", rc[0],
			   strerror(error[0]), rc[1], strerror(error[1]));
	}
}

int main(int argc, char **argv)
{
	static char command[3 * PATH_MAX];

	if (argc < 4 || geteuid() != 0) {
		fprintf(stderr, "as root: differ CONTROL DIRECTORY STEPS\n");
		return 2;
	}
	umask(0);
	for (int side = 0; side < 2; side++) {
		roots[side] = argv[1 + side];
		if (chmod(roots[side], 0777) < 0) {
			perror(roots[side]);
			return 2;
		}
	}
	step_limit = atoi(argv[3]);
	snprintf(command, sizeof(command), "%s %s %s %s", argv[0], argv[1],
		 argv[2], argv[3]);
	argv[0] = command;	/* how to run it again */
	return check_main(1, argv);
}
