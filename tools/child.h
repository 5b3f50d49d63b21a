/*
 * A program run as a child: signals that ask this process to end are passed on
 * to it, and it is waited for whatever they are.
 *
 *	child_catch_signals(&signals);
 *	child_run(&signals, &program, &end);
 *
 * Threads: one. Errors: failure.h.
 */
#ifndef CHILD_H
#define CHILD_H

#include <signal.h>

#define CHILD_STATUS_SIGNALED 128	/* and the signal, as of shells */

/* Whoever started this process may have it ignore some; these stay ignored. */
struct child_signals {
	sigset_t caught;	/* held back from now on */
	sigset_t before;	/* what was */
	int got;		/* the last one that came; 0: none */
};
void child_catch_signals(struct child_signals *ret);
/* The signal that asked this process to end, also one that came just now; 0: none
 * did. */
int child_interruption(struct child_signals *signals);

struct child_program {
	char *const *argv;	/* argv[0] as the shell finds it; NULL at the end */
	const char *directory;	/* it starts in; borrowed */
};

/* Runs it to its end: *ret_status is its exit status, or CHILD_STATUS_SIGNALED and
 * the signal that ended it. It could not be run: a failure of status 126 or 127, as of shells. */
int child_run(struct child_signals *signals, const struct child_program *program,
	      int *ret_status);

#endif
