/*
 * Writing to a file in a mount.
 *
 * A mount commits what was written when the file is closed, also by a program
 * that failed half-way; but a value whose writer is killed is dropped, and the
 * old one stays. So a child process does the writing and, if anything fails,
 * hands the failure to its parent and kills itself.
 *
 * Invariants:
 * 1. The parent never has the file open.
 * 2. The child ends by _exit or by SIGKILL: it flushes nothing of the parent's.
 */
#include "put_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"
#include "target.h"

static int write_all(int fd, const char *buf, size_t n, const char *path)
{
	while (n > 0) {
		ssize_t done = write(fd, buf, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return failure_system(errno, "%s", path);
		buf += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_input(int fd, struct input *input, const char *path)
{
	char *buf = malloc(INPUT_PART_BYTES);
	size_t n;
	int rc;

	if (!buf)
		return failure_system(ENOMEM, "%s", path);
	do {
		rc = input_read(input, buf, INPUT_PART_BYTES, &n);
		if (rc == 0)
			rc = write_all(fd, buf, n, path);
	} while (rc == 0 && n > 0);
	free(buf);
	return rc;
}

static int no_scope(const char *path)
{
	return failure_set(STATUS_NO, path, "its project or scope is not there; "
			   "--parents makes it");
}

static int write_file(const struct put_file *put, struct input *input)
{
	int fd = open(put->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		      O_NOCTTY | O_NONBLOCK |
		      (put->must_be_new ? O_EXCL : 0), 0666);
	int rc;

	if (fd < 0)
		return errno == ENOENT ? no_scope(put->path) :
					 failure_system(errno, "%s", put->path);
	rc = write_input(fd, input, put->path);
	/* fsync commits and is durable; close would only commit. */
	if (rc == 0 && fsync(fd) < 0)
		rc = failure_system(errno, "%s", put->path);
	if (rc < 0)
		return rc;	/* open: it must not be closed while alive */
	return close(fd) < 0 ? failure_system(errno, "%s", put->path) : 0;
}

/* What the child says at its end. */
struct message {
	int rc;
	uint64_t bytes;
	struct failure failure;
};

static void run_child(const struct put_file *put, struct input *input, int out)
{
	struct message message = { .rc = write_file(put, input) };

	progress_release(&input->progress);
	message.bytes = input->done_bytes;
	if (message.rc < 0)
		failure_save(&message.failure);
	if (write(out, &message, sizeof(message)) == sizeof(message) &&
	    message.rc == 0)
		_exit(0);
	kill(getpid(), SIGKILL);
}

static int wait_for_child(pid_t child, int in, const char *path,
			  uint64_t *ret_bytes)
{
	struct message message;
	char *to = (char *)&message;
	size_t got = 0;
	ssize_t n;
	int status;

	do {
		n = read(in, to + got, sizeof(message) - got);
		if (n > 0)
			got += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return failure_system(errno, "%s", path);
	if (got < sizeof(message))
		return failure_set(STATUS_FAILED, path,
				   "the process writing it was killed");
	if (message.rc < 0)
		failure_restore(&message.failure);
	else
		*ret_bytes = message.bytes;
	return message.rc;
}

static int write_in_child(const struct put_file *put, struct input *input,
			  uint64_t *ret_bytes)
{
	int ends[2], rc;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return failure_system(errno, "%s", put->path);
	child = fork();
	if (child == 0)
		run_child(put, input, ends[1]);
	close(ends[1]);
	rc = child < 0 ? failure_system(errno, "%s", put->path) :
			 wait_for_child(child, ends[0], put->path, ret_bytes);
	close(ends[0]);
	return rc;
}

/* Number of slashes. */
static int depth(const char *path)
{
	int n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Makes what is missing of the last `levels` directories before a path's last
 * component. */
static int make_directories(char *path, int levels)
{
	char *slash = strrchr(path, '/');
	int rc = 0;

	if (!slash || slash == path || levels <= 0)
		return 0;
	*slash = '\0';
	if (access(path, F_OK) < 0)
		rc = make_directories(path, levels - 1);
	if (rc == 0 && access(path, F_OK) < 0 && mkdir(path, 0777) < 0 &&
	    errno != EEXIST)
		rc = failure_system(errno, "%s", path);
	*slash = '/';
	return rc;
}

/* A key's directories are part of its name and are made like it; its project
 * and scope are made only if wanted. */
static int make_parents(const struct put_file *put)
{
	struct target_path located;
	int levels, rc = target_locate(put->path, &located);

	if (rc < 0)
		return rc;
	levels = depth(located.inside);
	if (!put->has_parents)
		levels -= 2;
	rc = make_directories(located.whole, levels);
	if (rc == -ENOENT)
		rc = no_scope(put->path);
	target_release_path(&located);
	return rc;
}

int put_file_write(const struct put_file *put, struct input *input,
		   uint64_t *ret_bytes)
{
	int rc = make_parents(put);

	return rc < 0 ? rc : write_in_child(put, input, ret_bytes);
}
