/*
 * Loading a dump into a database that nobody else has open.
 *
 * Threads: one. Errors: recorded as failures.
 */
#ifndef LOAD_DATABASE_H
#define LOAD_DATABASE_H

#include "load_places.h"

enum load_how {
	LOAD_NEW,	/* none of the scopes is there yet */
	LOAD_REPLACE,	/* those that are there are dropped */
	LOAD_MERGE,	/* those that are there get the keys, over their own */
};

struct load_options {
	enum load_how how;
	bool has_no_grants;	/* those of the dump are left out */
};

struct load_result {
	uint64_t keys, rows, scopes, commits;
	aedb_seq_t seq;
};

/* The input stands at its beginning, and was read once. */
int load_database(const char *path, const struct load_options *options,
		  struct load_input *input, const struct load_places *places,
		  struct load_result *ret);

#endif
