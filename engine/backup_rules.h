/*
 * Which of several points in time the rules of retention keep; docs: struct
 * aedb_keep.
 *
 * Threads: no state.
 */
#ifndef BACKUP_RULES_H
#define BACKUP_RULES_H

#include "aedb_backup.h"

#define BACKUP_WITHIN_MAX 1000000	/* of each part of `within` */

struct backup_point {
	uint64_t time_us;
	unsigned reasons;	/* enum aedb_keep_reason, or'ed */
};

/* AEDB_INVALID when there is no rule at all, or one has too large a number. */
int backup_rules_check(const struct aedb_keep *keep);
/* Sets the reasons of n points, the newest of which is the first. */
void backup_rules_apply(const struct aedb_keep *keep, struct backup_point *points,
			size_t n);

#endif
