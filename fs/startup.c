/*
 * The daemon tells the process that started it how the start ended through a
 * pipe: one byte of status, then the message up to the end.
 *
 * Invariants:
 * 1. The new process is made before the database is opened and before any
 *    thread: its number stands in LOCK, and `aedb umount` waits for it.
 * 2. The starting process exits with 0 only after the byte 0 was read. A daemon
 *    that ends without a word closes the pipe, which is a failure.
 */
#include "startup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aedb.h"
#include "log.h"

#define MESSAGE_BYTES_MAX 1024
/* Of mount(8). */
#define MOUNT_EXIT_USAGE 1
#define MOUNT_EXIT_FAILED 32
#define PIPE_FD 3		/* in the daemon, which keeps no other descriptor */

/* The starting process. */

static size_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size && (got = read(fd, buf + n, size - n)) != 0) {
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			break;
	}
	return n;
}

int startup_exit_status(const struct startup *startup, int status)
{
	if (!startup->is_for_mount || status == STATUS_OK)
		return status;
	return status == STATUS_USAGE ? MOUNT_EXIT_USAGE : MOUNT_EXIT_FAILED;
}

static _Noreturn void wait_for_word(const struct startup *startup, int fd,
				    pid_t pid)
{
	char word[1 + MESSAGE_BYTES_MAX + 1];
	size_t n = read_all(fd, word, sizeof(word) - 1);
	int status = STATUS_FAILED;

	word[n] = '\0';
	if (n > 0)
		status = word[0];
	if (n == 0 && waitpid(pid, &status, 0) == pid) {
		fprintf(stderr, "aedbfs: the daemon ended unexpectedly (%s %d)\n",
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status)
					    : WEXITSTATUS(status));
		status = STATUS_FAILED;
	} else if (status != STATUS_OK) {
		fprintf(stderr, "aedbfs: %s\n", word + 1);
	}
	exit(startup_exit_status(startup, status));
}

bool startup_open_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

int startup_begin_foreground(struct startup *ret)
{
	ret->pipe_fd = -1;
	return STATUS_OK;
}

int startup_begin_background(struct startup *ret)
{
	int fds[2];
	pid_t pid;

	startup_begin_foreground(ret);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return startup_fail(ret, STATUS_FAILED, "making a pipe: %s",
				    strerror(errno));
	pid = fork();
	if (pid < 0)
		return startup_fail(ret, STATUS_FAILED, "starting the daemon: %s",
				    strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		wait_for_word(ret, fds[0], pid);
	}
	setsid();
	/* Nothing that the starting process had open stays open here. */
	if (fds[1] != PIPE_FD && dup3(fds[1], PIPE_FD, O_CLOEXEC) < 0)
		_exit(STATUS_FAILED);
	close_range(PIPE_FD + 1, ~0u, 0);
	ret->pipe_fd = PIPE_FD;
	return STATUS_OK;
}

/* The daemon. */

/* True for the first word only. */
static bool claim_word(struct startup *startup)
{
	return !__atomic_exchange_n(&startup->is_told, 1, __ATOMIC_ACQ_REL);
}

static void send_word(struct startup *startup, const char *word, size_t n)
{
	/* If the starting process is gone there is nobody to tell. */
	while (write(startup->pipe_fd, word, n) < 0 && errno == EINTR)
		;
	close(startup->pipe_fd);
}

int startup_fail(struct startup *startup, enum exit_status status,
		 const char *format, ...)
{
	char word[1 + MESSAGE_BYTES_MAX] = { (char)status };
	va_list args;

	va_start(args, format);
	vsnprintf(word + 1, MESSAGE_BYTES_MAX, format, args);
	va_end(args);
	if (!claim_word(startup))
		log_line(LOG_ERR, "%s", word + 1);
	else if (startup->pipe_fd < 0)
		fprintf(stderr, "aedbfs: %s\n", word + 1);
	else
		send_word(startup, word, 1 + strlen(word + 1));
	return status;
}

static enum exit_status status_of(int rc)
{
	switch (rc) {
	case AEDB_NOT_FOUND:
	case AEDB_NOT_DIRECTORY:
	case AEDB_EXISTS:
	case AEDB_NOT_EMPTY:
		return STATUS_NO;
	case AEDB_INVALID:
		return STATUS_USAGE;
	case AEDB_BUSY:
		return STATUS_BUSY;
	case AEDB_CORRUPT:
	case AEDB_NEWER_FORMAT:
		return STATUS_DAMAGED;
	case AEDB_UNKNOWN:
		return STATUS_UNKNOWN;
	default:
		return STATUS_FAILED;
	}
}

int startup_fail_engine(struct startup *startup, int rc, const char *what)
{
	const char *message = rc == AEDB_NOT_FOUND ? "" : aedb_error_message();

	return startup_fail(startup, status_of(rc), "%s: %s", what,
			    rc == AEDB_NOT_FOUND ? "no database is there" :
			    *message ? message : aedb_strerror(rc));
}

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	close(fd);
}

void startup_ready(struct startup *startup)
{
	char state[64];

	if (!claim_word(startup))
		return;
	snprintf(state, sizeof(state), "READY=1\nSTATUS=Mounted\nMAINPID=%ld",
		 (long)getpid());
	startup_notify(state);
	if (startup->pipe_fd < 0)
		return;
	leave_terminal();
	send_word(startup, "\0", 1);
}

void startup_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t n;
	int fd;

	if (!path || !*path || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) +
			(path[0] != '@'));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (struct sockaddr *)&address, n) < 0)
		log_line(LOG_WARNING, "telling %s: %s", path, strerror(errno));
	close(fd);
}
