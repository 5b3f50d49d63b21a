/*
 * What the clients of several mounts share: where the mounts are, clocks, the
 * middle of figures, and one way to give up.
 *
 *	client_option(&setup, c, optarg);
 *	client_parse(argv[i], &where);
 *	client_begin(&setup);
 *	start = client_wall_ns(); …
 *	client_end(&setup);
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

uint64_t client_clock_ns(clockid_t id);
uint64_t client_wall_ns(void);

/* Sorts. n > 0; the mean of the two in the middle if n is even. */
double client_median(double *of, size_t n);
void client_sort_ns(uint64_t *of, size_t n);

/* Empties the kernel's caches: "1" of pages, "2" of directories and nodes. */
void client_drop_caches(const char *what);

/* What every program that measures mounts is told. */
struct client_setup {
	FILE *json;		/* lines are added to it; NULL: to none */
	const char *subject;	/* borrowed: the target that is the subject */
	int cpu;		/* negative: any */
};
#define CLIENT_SETUP { .subject = "aedbfs", .cpu = -1 }
#define CLIENT_OPTIONS { "json", required_argument, NULL, 'j' }, \
		       { "cpu", required_argument, NULL, 'c' }, \
		       { "subject", required_argument, NULL, 's' }
#define CLIENT_USAGE "[--json=FILE] [--cpu=N] [--subject=NAME]"
/* One of these, as getopt_long gave it; false: it is another. */
bool client_option(struct client_setup *setup, int option, const char *value);
void client_begin(const struct client_setup *setup);
void client_end(struct client_setup *setup);

/* "PROGRAM: WHAT: the system's words for errno", exit status 2. */
void client_die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif
