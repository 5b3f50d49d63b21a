/*
 * What a dump says is granted.
 *
 * Threads: one. Errors: recorded as failures.
 */
#ifndef LOAD_GRANTS_H
#define LOAD_GRANTS_H

#include "dump_line.h"
#include "target.h"

/* Where the lines that are read belong. */
struct load_grant_place {
	struct target_place place;	/* project "": the database itself */
	uint64_t table_id;		/* 0: of no one table */
};

struct load_grant;

/* Those that are kept for the end. */
struct load_grants {
	struct load_grant *first, **last;	/* owned */
};
void load_grants_init(struct load_grants *grants);
void load_grants_release(struct load_grants *grants);

/* Grants it now, which is a commit. */
int load_grant_now(struct target *target, const struct load_grant_place *place,
		   const struct dump_line *line);
int load_grants_keep(struct load_grants *grants,
		     const struct load_grant_place *place,
		     const struct dump_line *line);
/* Grants all that were kept; adds to *commits. */
int load_grants_make(const struct load_grants *grants, struct target *target,
		     uint64_t *commits);

#endif
