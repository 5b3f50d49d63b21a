/*
 * A program run as a child.
 *
 * The signals are held back and taken one by one together with SIGCHLD, so that
 * none is lost between two looks. What the terminal sends goes to the child as
 * well, being of the same process group: only what a process sent is passed on.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"

#define STATUS_NOT_RUN 126
#define STATUS_NOT_FOUND 127

static const int asking[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

void child_catch_signals(struct child_signals *ret)
{
	struct sigaction now;

	ret->got = 0;
	sigemptyset(&ret->caught);
	for (size_t i = 0; i < sizeof(asking) / sizeof(*asking); i++)
		if (sigaction(asking[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			sigaddset(&ret->caught, asking[i]);
	/* ignored, children could not be waited for */
	signal(SIGCHLD, SIG_DFL);
	sigaddset(&ret->caught, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ret->caught, &ret->before);
}

int child_interruption(struct child_signals *signals)
{
	static const struct timespec now;
	int got;

	while ((got = sigtimedwait(&signals->caught, NULL, &now)) > 0)
		if (got != SIGCHLD)
			signals->got = got;
	return signals->got;
}

static _Noreturn void become(const struct child_signals *signals,
			     const struct child_program *program, int failed)
{
	int err;

	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
	if (chdir(program->directory) == 0)
		execvp(program->argv[0], program->argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) != sizeof(err))
		abort();
	_exit(STATUS_NOT_RUN);
}

static void pass_on(struct child_signals *signals, pid_t pid,
		    const siginfo_t *info)
{
	signals->got = info->si_signo;
	if (info->si_code > 0)
		return;
	kill(pid, info->si_signo);
	/* a stopped one ends, too */
	kill(pid, SIGCONT);
}

static int wait_for(struct child_signals *signals, pid_t pid)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) ?
				       CHILD_STATUS_SIGNALED + WTERMSIG(status) :
				       WEXITSTATUS(status);
		if (sigwaitinfo(&signals->caught, &info) > 0 &&
		    info.si_signo != SIGCHLD)
			pass_on(signals, pid, &info);
	}
}

/* Why the program was not run: 0, it is running. */
static int read_failure(int fd)
{
	int err = 0;
	ssize_t n;

	do
		n = read(fd, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(fd);
	return n == sizeof(err) ? err : 0;
}

int child_run(struct child_signals *signals, const struct child_program *program,
	      int *ret_status)
{
	int failed[2], err;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return failure_system(errno, "%s", program->argv[0]);
	pid = fork();
	if (pid == 0)
		become(signals, program, failed[1]);
	err = errno;
	close(failed[1]);
	if (pid < 0) {
		close(failed[0]);
		return failure_system(err, "%s", program->argv[0]);
	}
	err = read_failure(failed[0]);
	*ret_status = wait_for(signals, pid);
	if (!err)
		return 0;
	return failure_set(err == ENOENT ? (enum exit_status)STATUS_NOT_FOUND :
					   (enum exit_status)STATUS_NOT_RUN,
			   program->argv[0], "%s", strerror(err));
}
