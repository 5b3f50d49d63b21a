/*
 * Directories inside scopes that get another path: every key and record inside
 * moves, in one transaction.
 *
 * Threads: guarded by the tree lock. Errors: AEDB_TOO_LARGE: more than one
 * transaction holds; -ENAMETOOLONG: a key would be over its limit.
 */
#ifndef MOVE_H
#define MOVE_H

#include "change.h"

/* Moves what is inside one directory into the other, where nothing is. */
int move_inside(struct change *change, const struct place *from,
		const struct place *to);
/* The same for a directory that trades places with the key whose path `to` is:
 * that key and the directory's own are exchanged. */
int move_inside_for_key(struct change *change, const struct place *from,
			const struct place *to);
/* Exchanges what is inside the two. */
int move_exchange_inside(struct change *change, const struct place *a,
			 const struct place *b);
/* Moves or makes the directory's record; what is at `to` is replaced. */
int move_record(struct change *change, const struct node *dir,
		const struct place *from, const struct place *to);

#endif
