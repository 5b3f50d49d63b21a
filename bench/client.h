/*
 * What the clients of several mounts share: where the mounts are, clocks, the
 * middle of figures, and one way to give up.
 *
 *	client_pin(cpu);
 *	client_parse(argv[i], &where);
 *	start = client_wall_ns(); …
 *
 * Nothing returns an error: client_die prints it and ends the program. One
 * thread.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

struct client_where {
	const char *name, *dir;		/* borrowed from the argument */
	pid_t pid;			/* of its daemon; 0: none */
};

/* NAME[@PID]=DIR; the argument is cut up. False if it is not of this form. */
bool client_parse(char *arg, struct client_where *ret);
void client_pin(int cpu);

uint64_t client_clock_ns(clockid_t id);
uint64_t client_wall_ns(void);

/* Sorts. n > 0; the mean of the two in the middle if n is even. */
double client_median(double *of, size_t n);
void client_sort_ns(uint64_t *of, size_t n);

/* Empties the kernel's caches: "1" of pages, "2" of directories and nodes. */
void client_drop_caches(const char *what);

/* A file to which lines are added; the caller closes it. */
FILE *client_append(const char *path);

/* "PROGRAM: WHAT: the system's words for errno", exit status 2. */
void client_die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif
