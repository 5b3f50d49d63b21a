/*
 * aedb umount: unmounts a database and waits for its daemon.
 *
 * The daemon holds a lock on the file LOCK of the database: its end is waited for
 * through a descriptor of the process, got before the unmount, so that no other
 * process can be taken for it. One that writes has put its process id there;
 * those that only read share the lock, and are found in /proc/locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "failure.h"
#include "mountinfo.h"
#include "output.h"

#define TIMEOUT_SECONDS 60

extern char **environ;

/* As realpath, but without a look at the last component: a dead mount answers
 * nothing. Owned; free. */
static char *resolve_point(const char *path)
{
	char *copy = strdup(path), *slash, *parent, *whole = NULL;
	const char *name;

	if (!copy)
		return NULL;
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';)
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		free(copy);
		return realpath(path, NULL);
	}
	if (slash)
		*slash = '\0';
	parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (parent && asprintf(&whole, "%s/%s", parent[1] ? parent : "",
			       name) < 0)
		whole = NULL;
	free(parent);
	free(copy);
	return whole;
}

/* The mount at the path, or else of the database there. */
static int find_mount(const char *path, struct mount *ret)
{
	char *point = resolve_point(path), *real;
	int rc = point ? mount_find_point(point, ret) : 0;

	free(point);
	if (rc != 0)
		return rc;
	real = realpath(path, NULL);
	if (real) {
		rc = mount_find_point(real, ret);
		if (rc == 0)
			rc = mount_find_source(real, ret);
		free(real);
	}
	if (rc == 0)
		return failure_set(STATUS_NO, path, "no database is mounted here");
	return rc;
}

/* The one other process that has this file locked; 0 if there is none, or several
 * of which nobody knows which serves the mount. */
static long find_reader(int fd)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned long major, minor, inode;
	struct stat st;
	long found = 0, pid;
	size_t room = 0;
	char *line = NULL;

	if (!locks || fstat(fd, &st) < 0)
		goto out;
	while (getline(&line, &room, locks) > 0) {
		if (sscanf(line, "%*d: FLOCK %*s %*s %ld %lx:%lx:%lu", &pid,
			   &major, &minor, &inode) != 4 ||
		    inode != st.st_ino || pid == getpid() ||
		    makedev(major, minor) != st.st_dev)
			continue;
		if (found) {
			found = 0;
			break;
		}
		found = pid;
	}
out:
	free(line);
	if (locks)
		fclose(locks);
	return found;
}

/* A descriptor of the process that has the database open; -1 if there is none
 * (any more), or none that can be seen from here. */
static int open_daemon(const char *database)
{
	char path[4096], text[32] = "";
	long pid = 0;
	int fd;

	if (snprintf(path, sizeof(path), "%s/LOCK", database) >=
	    (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		pid = find_reader(fd);
	else if (errno == EWOULDBLOCK &&
		 pread(fd, text, sizeof(text) - 1, 0) > 0)
		pid = strtol(text, NULL, 10);
	close(fd);
	return pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

/* What only the set-user-id program may do for users. */
static int run_fusermount(const char *point, bool is_lazy)
{
	char program[] = "fusermount3", unmount[] = "-u", quiet[] = "-q",
	     lazy[] = "-z", end[] = "--";
	char *target = strdup(point);
	char *argv[] = { program, unmount, quiet, end, target, NULL, NULL };
	posix_spawnattr_t attributes;
	sigset_t signals;
	pid_t pid;
	int status, err;

	if (!target)
		return failure_system(ENOMEM, "%s", point);
	if (is_lazy) {
		argv[3] = lazy;
		argv[4] = end;
		argv[5] = target;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, program, NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	free(target);
	if (err)
		return failure_set(STATUS_FAILED, program, "running it: %s",
				   strerror(err));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failure_system(errno, "%s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return failure_set(STATUS_FAILED, point, "fusermount3 could not unmount "
			   "it: it is in use, or mounted by somebody else");
}

static int unmount(const char *point, bool is_lazy)
{
	if (geteuid() != 0)
		return run_fusermount(point, is_lazy);
	if (umount2(point, UMOUNT_NOFOLLOW | (is_lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EBUSY)
		return failure_set(STATUS_BUSY, point, "files in it are open "
				   "('fuser -vm' tells by whom, --lazy unmounts "
				   "all the same)");
	return failure_system(errno, "%s", point);
}

/* Is the mount to be seen in another directory, where somebody needs it? */
static bool is_mounted_elsewhere(const struct mount *mount)
{
	struct mount other;
	int rc = mount_find_source(mount->source, &other);

	if (rc > 0)
		mount_release(&other);
	return rc != 0;
}

static int wait_for_end(int pidfd, const struct mount *mount,
			unsigned long long seconds)
{
	struct pollfd daemon = { .fd = pidfd, .events = POLLIN };
	int milliseconds = seconds > 2000000 ? -1 : (int)(seconds * 1000);
	int n;

	do
		n = poll(&daemon, 1, milliseconds);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return failure_system(errno, "%s", mount->source);
	if (n == 0)
		return failure_set(STATUS_BUSY, mount->source,
				   "unmounted, but its daemon has not ended "
				   "after %llu seconds", seconds);
	return 0;
}

static int print_result(const struct mount *mount)
{
	json_t *line = output_is_json() ? json_object() : NULL;
	int rc;

	if (!output_is_json())
		return 0;
	rc = json_object_set_new(line, "mount", json_of_text(mount->point));
	if (rc == 0)
		rc = json_object_set_new(line, "database",
					 json_of_text(mount->source));
	if (rc < 0) {
		json_decref(line);
		return output_json_result(rc);
	}
	return output_json_line(line);
}

int cmd_umount(int argc, char **argv)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, 't' },
		COMMAND_OPTIONS
	};
	unsigned long long seconds = TIMEOUT_SECONDS;
	bool is_lazy = false;
	struct mount mount;
	int rc, pidfd;

	while ((rc = command_next_option(argc, argv, "lt:", options)) > 0) {
		if (rc == 'l')
			is_lazy = true;
		else
			rc = command_parse_count("--timeout", optarg, &seconds);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, 1, 1);
	if (rc == 0)
		rc = find_mount(argv[optind], &mount);
	if (rc < 0)
		return rc;
	pidfd = open_daemon(mount.source);
	rc = unmount(mount.point, is_lazy);
	/* Another mount namespace may hold it for ever. */
	if (rc == 0 && pidfd >= 0 && !is_lazy && !is_mounted_elsewhere(&mount))
		syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	if (rc == 0 && pidfd >= 0)
		rc = wait_for_end(pidfd, &mount, seconds);
	if (rc == 0)
		rc = print_result(&mount);
	if (pidfd >= 0)
		close(pidfd);
	mount_release(&mount);
	return rc;
}
