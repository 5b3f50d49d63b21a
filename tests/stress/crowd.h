/*
 * Several processes that begin their work together.
 *
 *	crowd_start(&crowd, 4, work, &arg);	each: exit(work(index, &arg))
 *	failed = crowd_wait(&crowd);
 *
 * A process that has not ended after CROWD_SECONDS_MAX is killed and has
 * failed.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define CROWD_MAX 32
#define CROWD_SECONDS_MAX 100

struct crowd {
	int n;
	pid_t pids[CROWD_MAX];
};

/* Says what went wrong in the last system call, and ends the process. */
static inline _Noreturn void crowd_die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %m\n", what, path);
	exit(2);
}

/* Zeroed memory that all processes made afterwards share. */
static inline void *crowd_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		crowd_die("sharing", "memory");
	return memory;
}

static inline _Noreturn void crowd_work(int gate, int (*work)(int, void *),
					int index, void *arg)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CROWD_SECONDS_MAX);
	if (read(gate, &c, 1) != 0)
		crowd_die("waiting", "for the start");
	exit(work(index, arg));
}

static inline void crowd_start(struct crowd *crowd, int n,
			       int (*work)(int index, void *arg), void *arg)
{
	int gate[2];

	if (pipe(gate) < 0)
		crowd_die("making", "a pipe");
	fflush(NULL);
	for (crowd->n = 0; crowd->n < n; crowd->n++) {
		pid_t pid = fork();

		if (pid < 0)
			crowd_die("starting", "a process");
		if (pid == 0) {
			close(gate[1]);
			crowd_work(gate[0], work, crowd->n, arg);
		}
		crowd->pids[crowd->n] = pid;
	}
	close(gate[0]);
	close(gate[1]);
}

/* How many did not end with 0. */
static inline int crowd_wait(struct crowd *crowd)
{
	int failed = 0;

	for (int i = 0; i < crowd->n; i++) {
		int status = 0;

		if (waitpid(crowd->pids[i], &status, 0) < 0)
			crowd_die("waiting", "for a process");
		if (WIFSIGNALED(status))
			fprintf(stderr, "process %d ended by signal %d (%s)\n", i,
				WTERMSIG(status), strsignal(WTERMSIG(status)));
		failed += status != 0;
	}
	return failed;
}

#endif
