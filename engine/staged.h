/*
 * The memory of all values being written: which of them hold how much, and
 * which was written least lately.
 *
 *	staged_member_init(&member);
 *	… under member.lock, after a change:
 *	staged_note(staged, &member, bytes, spillable_bytes);
 *	while (staged_take_oldest(staged, &member)) … spill it, note it, and
 *		release its lock
 *	staged_member_release(staged, &member);
 *
 * Threads: any; what is said of one member, under its lock.
 */
#ifndef STAGED_H
#define STAGED_H

#include <stdatomic.h>
#include <stdint.h>

#include "lock.h"

/* What holds less is not worth a page on the disk: it is left alone. */
#define STAGED_SPILL_BYTES_MIN 2048u

struct staged_member {
	struct lock lock;
	bool is_lent;		/* guarded by lock: somebody borrows its bytes */
	bool is_written;	/* guarded by lock: since it was noted last */
	uint64_t bytes;		/* guarded by lock */
	/* guarded by staged->lock: in its list if there is something to spill */
	uint64_t spillable_bytes;
	struct staged_member *older, *newer;
};

struct staged {
	struct lock lock;
	struct staged_member *oldest, *newest;	/* guarded by lock; borrowed */
	atomic_uint_least64_t spillable_bytes;	/* written under lock */
	atomic_uint_least64_t bytes;	/* atomic: a sum */
	atomic_uint_least64_t max_bytes;	/* atomic: read alone */
};

void staged_init(struct staged *staged);
/* Every member is released. */
void staged_release(struct staged *staged);
/* What all may hold that could be spilled; at first without limit. */
void staged_set_max(struct staged *staged, uint64_t bytes);
bool staged_is_over(struct staged *staged);
uint64_t staged_bytes(const struct staged *staged);

void staged_member_init(struct staged_member *member);
/* Nobody else has or gets its lock after this. */
void staged_member_release(struct staged *staged, struct staged_member *member);
/* What it holds now, and how much of it could be on the disk instead; if it was
 * written it is the newest now. */
void staged_note(struct staged *staged, struct staged_member *member,
		 uint64_t bytes, uint64_t spillable_bytes)
	REQUIRES(member->lock);
/* While all hold too much: the member written least lately that nobody uses
 * just now, with its lock held. false: there is none, or no need. */
bool staged_take_oldest(struct staged *staged, struct staged_member **ret);

#endif
