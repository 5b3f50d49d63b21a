/* Signals that are held back. */
#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "failure.h"

static sigset_t held, before;
static int held_fd = -1;

/* What the caller of the program wants ignored stays so. */
static void add_signal(int number)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) == 0 &&
	    action.sa_handler != SIG_IGN)
		sigaddset(&held, number);
}

int interrupt_hold(void)
{
	sigemptyset(&held);
	add_signal(SIGINT);
	add_signal(SIGTERM);
	add_signal(SIGHUP);
	held_fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (held_fd < 0)
		return failure_system(errno, "signals");
	pthread_sigmask(SIG_BLOCK, &held, &before);
	return 0;
}

bool interrupt_is_pending(void)
{
	sigset_t pending;

	if (held_fd < 0)
		return false;
	sigpending(&pending);
	return (sigismember(&held, SIGINT) && sigismember(&pending, SIGINT)) ||
	       (sigismember(&held, SIGTERM) && sigismember(&pending, SIGTERM)) ||
	       (sigismember(&held, SIGHUP) && sigismember(&pending, SIGHUP));
}

const int *interrupt_fd(void)
{
	return &held_fd;
}

void interrupt_release(void)
{
	close(held_fd);
	held_fd = -1;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
