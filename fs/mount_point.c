/*
 * What is mounted at a directory, from the kernel's table of mounts, and calls of
 * the kernel that change it.
 */
#include "mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "startup.h"

#define TABLE "/proc/self/mountinfo"
#define TYPE "fuse.aedbfs"
#define DEAD_MOUNTS_MAX 16	/* one over the other */
#define POINTS_MAX 64		/* of one mount: where it was bound to */

extern char **environ;

/* A line of the table; borrowed from it. */
struct line {
	int id, parent;
	const char *point, *type, *source;
	unsigned device_major, device_minor;
};

/* The table writes blanks and backslashes as \ooo. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 |
				     (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* id parent major:minor root point options [tags] - type source options */
static bool parse_line(char *text, struct line *ret)
{
	char *tail = strstr(text, " - "), *field = NULL, *rest = text;

	if (!tail)
		return false;
	tail += 3;
	for (int i = 0; i < 5 && rest; i++) {
		field = strsep(&rest, " ");
		if (i == 0)
			ret->id = atoi(field);
		else if (i == 1)
			ret->parent = atoi(field);
		else if (i == 2 && sscanf(field, "%u:%u", &ret->device_major,
					  &ret->device_minor) != 2)
			return false;
	}
	if (!rest)
		return false;
	ret->point = unescape(field);
	ret->type = strsep(&tail, " ");
	if (!tail)
		return false;
	ret->source = unescape(strsep(&tail, " \n"));
	return true;
}

static dev_t device_of(const struct line *line)
{
	return makedev(line->device_major, line->device_minor);
}

/* The newest mount at a point, or of a device; NULL and 0 match all. Owned
 * through *ret_text; free. False: none. */
static bool find_newest(const char *point, dev_t device, struct line *ret,
			char **ret_text)
{
	FILE *table = fopen(TABLE, "re");
	char *text = NULL;
	struct line line;
	size_t size = 0;
	bool is_found = false;

	if (!table)
		return false;
	while (getline(&text, &size, table) > 0) {
		if (!parse_line(text, &line) ||
		    (point && strcmp(line.point, point) != 0) ||
		    (device && device_of(&line) != device))
			continue;
		if (is_found)
			free(*ret_text);
		*ret = line;
		*ret_text = text;
		is_found = true;
		text = NULL;
		size = 0;
	}
	free(text);
	fclose(table);
	return is_found;
}

dev_t mount_point_device(const char *point)
{
	struct line line;
	dev_t device = 0;
	char *text;

	if (find_newest(point, 0, &line, &text)) {
		device = device_of(&line);
		free(text);
	}
	return device;
}

/* Whether a mount lies in the one with this id. */
static bool is_parent(FILE *table, int id)
{
	char *text = NULL;
	struct line line;
	size_t size = 0;
	bool is_found = false;

	rewind(table);
	while (!is_found && getline(&text, &size, table) > 0)
		is_found = parse_line(text, &line) && line.parent == id;
	free(text);
	return is_found;
}

bool mount_point_has_mounts(dev_t device)
{
	FILE *table = fopen(TABLE, "re");
	int ids[POINTS_MAX];
	char *text = NULL;
	struct line line;
	size_t size = 0, n = 0;
	bool is_found = false;

	if (!table)
		return true;
	while (n < POINTS_MAX && getline(&text, &size, table) > 0)
		if (parse_line(text, &line) && device_of(&line) == device)
			ids[n++] = line.id;
	for (size_t i = 0; i < n && !is_found; i++)
		is_found = is_parent(table, ids[i]);
	free(text);
	fclose(table);
	return is_found || n == POINTS_MAX;
}

int mount_point_forget_unused(const char *point, dev_t device)
{
	int fd, rc = 0;

	if (mount_point_device(point) != device)
		return -ENOENT;
	fd = fspick(AT_FDCWD, point, FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT);
	if (fd < 0)
		return -errno;
	/* Changes nothing; it begins with dropping all unused names. */
	if (fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* Only the set-user-id program may do it for users. */
static int run_fusermount(const char *point)
{
	char program[] = "fusermount3", options[] = "-uqz", end[] = "--";
	char *target = strdup(point);
	char *argv[] = { program, options, end, target, NULL };
	int status = -1;
	pid_t pid;

	if (target && posix_spawnp(&pid, program, NULL, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	free(target);
	return status == 0 ? 0 : -EIO;
}

static int detach_point(const char *point)
{
	if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(point) : -EIO;
}

int mount_point_detach(const char *point, const char *database, dev_t device)
{
	struct line line;
	char *text;
	bool is_ours;

	if (!device || !find_newest(point, 0, &line, &text))
		return 0;
	/* The number of a mount that is gone is given to the next one. */
	is_ours = device_of(&line) == device && !strcmp(line.source, database);
	free(text);
	return is_ours ? detach_point(point) : 0;
}

int mount_point_detach_all(const char *database, dev_t device)
{
	struct line line;
	char *text;
	int rc = 0;

	for (int i = 0; rc == 0 && device && i < POINTS_MAX &&
			find_newest(NULL, device, &line, &text); i++) {
		/* Another one over it is not ours to take. */
		rc = !strcmp(line.source, database) &&
		     mount_point_device(line.point) == device ?
		     detach_point(line.point) : -EIO;
		free(text);
	}
	return rc;
}

bool mount_point_resolve(const char *path, char ret[PATH_MAX])
{
	char copy[PATH_MAX], *slash;
	const char *name, *parent;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
		errno = ENAMETOOLONG;
		return false;
	}
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';)
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return realpath(path, ret) != NULL;
	if (slash)
		*slash = '\0';
	parent = !slash ? "." : slash == copy ? "/" : copy;
	if (!realpath(parent, ret))
		return false;
	if (strlen(ret) + 1 + strlen(name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (ret[1])
		strcat(ret, "/");
	strcat(ret, name);
	return true;
}

/* Is a path the same as, or beneath, another? Both absolute and resolved. */
bool mount_point_is_within(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(path, directory, n) == 0 &&
	       (path[n] == '/' || !path[n] || n == 1);
}

/* Detaches the mounts of this database there whose daemon is gone. */
static void detach_dead(const char *point, const char *database)
{
	struct line line;
	struct statfs st;
	char *text;

	for (int i = 0; i < DEAD_MOUNTS_MAX; i++) {
		bool is_ours;

		/* The kernel answers a stat of a dead mount from its cache, and
		 * a request that was waiting when the daemon died with
		 * ECONNABORTED. */
		if (statfs(point, &st) == 0 ||
		    (errno != ENOTCONN && errno != ECONNABORTED) ||
		    !find_newest(point, 0, &line, &text))
			return;
		is_ours = !strcmp(line.type, TYPE) && !strcmp(line.source, database);
		free(text);
		if (!is_ours || detach_point(point) < 0)
			return;
	}
}

static int check_free(struct startup *startup, const char *point)
{
	struct line line;
	char *text;
	int rc = STATUS_OK;

	if (!find_newest(point, 0, &line, &text))
		return STATUS_OK;
	if (!strcmp(line.type, TYPE))
		rc = startup_fail(startup, STATUS_BUSY,
				  "%s: the database %s is mounted there", point,
				  line.source);
	free(text);
	return rc;
}

int mount_point_check(struct startup *startup, const char *path,
		      const char *database, char ret[PATH_MAX])
{
	char point[PATH_MAX];
	struct statfs host;
	struct stat st;

	if (!mount_point_resolve(path, point))
		return startup_fail(startup, STATUS_NO, "%s: %s", path,
				    strerror(errno));
	detach_dead(point, database);
	if (statfs(point, &host) < 0 || stat(point, &st) < 0)
		return startup_fail(startup, errno == ENOENT ? STATUS_NO :
				    STATUS_FAILED, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return startup_fail(startup, STATUS_NO, "%s: not a directory", path);
	if (!realpath(point, ret))
		return startup_fail(startup, STATUS_FAILED, "%s: %s", path,
				    strerror(errno));
	if (mount_point_is_within(database, ret))
		return startup_fail(startup, STATUS_USAGE, "%s: the database %s "
				    "would be hidden beneath the mount", path,
				    database);
	if (mount_point_is_within(ret, database))
		return startup_fail(startup, STATUS_USAGE, "%s: inside the "
				    "directory of the database", path);
	return check_free(startup, ret);
}

int mount_point_remount(struct startup *startup, const char *path,
			unsigned long flags)
{
	char point[PATH_MAX];
	struct line line;
	char *text;
	bool is_ours;

	if (!realpath(path, point))
		return startup_fail(startup, STATUS_NO, "%s: %s", path,
				    strerror(errno));
	is_ours = find_newest(point, 0, &line, &text);
	if (is_ours) {
		is_ours = !strcmp(line.type, TYPE);
		free(text);
	}
	if (!is_ours)
		return startup_fail(startup, STATUS_NO, "%s: no database is "
				    "mounted there", path);
	if (mount(NULL, point, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV | flags,
		  NULL) < 0)
		return startup_fail(startup, errno == EBUSY ? STATUS_BUSY :
				    STATUS_FAILED, "%s: remounting: %s", path,
				    strerror(errno));
	return STATUS_OK;
}
