/*
 * What has to happen in a process of its own, which is killed: commits before a
 * kill -9, and what a database really allocates (bench_alone.c).
 *
 *	child_ask((const char *[]){ "commit", …, NULL }, line, sizeof(line));
 *
 * Returns 0 or -1 with a line on stderr. One thread.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <stddef.h>

#define CHILD_ARGS_MAX 8

/* Runs bench_alone with these words, waits for the line it prints when it has
 * done what it was asked to, and kills it with SIGKILL. */
int child_ask(const char *const *args, char *ret_line, size_t line_bytes);

#endif
