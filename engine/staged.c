/*
 * The memory of all values being written.
 *
 * Invariants:
 * 1. In the list are the members with at least STAGED_SPILL_BYTES_MIN bytes to
 *    spill, the one written least lately first; the sum is theirs.
 * 2. A member's lock is taken before the list's; with the list's held it is
 *    only tried, so nobody waits in a circle, and a member that is in use is
 *    passed over.
 */
#include "staged.h"

#include <string.h>

void staged_init(struct staged *staged)
{
	memset(staged, 0, sizeof(*staged));
	lock_init(&staged->lock, LOCK_RANK_STAGED);
	atomic_init(&staged->max_bytes, UINT64_MAX);
}

void staged_release(struct staged *staged)
{
	lock_release_memory(&staged->lock);
}

void staged_set_max(struct staged *staged, uint64_t bytes)
{
	atomic_store(&staged->max_bytes, bytes);
}

bool staged_is_over(struct staged *staged)
{
	return atomic_load(&staged->spillable_bytes) >
	       atomic_load(&staged->max_bytes);
}

uint64_t staged_bytes(const struct staged *staged)
{
	return atomic_load(&staged->bytes);
}

void staged_member_init(struct staged_member *member)
{
	memset(member, 0, sizeof(*member));
	lock_init(&member->lock, LOCK_RANK_STAGE);
}

static void list_remove(struct staged *staged, struct staged_member *member)
{
	if (!member->spillable_bytes)
		return;
	*(member->older ? &member->older->newer : &staged->oldest) =
		member->newer;
	*(member->newer ? &member->newer->older : &staged->newest) =
		member->older;
	atomic_fetch_sub(&staged->spillable_bytes, member->spillable_bytes);
	member->spillable_bytes = 0;
}

static void list_append(struct staged *staged, struct staged_member *member,
			uint64_t spillable_bytes)
{
	member->older = staged->newest;
	member->newer = NULL;
	*(staged->newest ? &staged->newest->newer : &staged->oldest) = member;
	staged->newest = member;
	member->spillable_bytes = spillable_bytes;
	atomic_fetch_add(&staged->spillable_bytes, spillable_bytes);
}

/* In its place, with another count. */
static void list_recount(struct staged *staged, struct staged_member *member,
			 uint64_t spillable_bytes)
{
	atomic_fetch_add(&staged->spillable_bytes,
			 spillable_bytes - member->spillable_bytes);
	member->spillable_bytes = spillable_bytes;
}

void staged_member_release(struct staged *staged, struct staged_member *member)
{
	/* whoever has it finishes first; then nobody finds it any more */
	lock_acquire(&member->lock);
	atomic_fetch_sub(&staged->bytes, member->bytes);
	lock_acquire(&staged->lock);
	list_remove(staged, member);
	lock_release(&staged->lock);
	lock_release(&member->lock);
	lock_release_memory(&member->lock);
}

void staged_note(struct staged *staged, struct staged_member *member,
		 uint64_t bytes, uint64_t spillable_bytes)
{
	atomic_fetch_add(&staged->bytes, bytes - member->bytes);
	member->bytes = bytes;
	if (spillable_bytes < STAGED_SPILL_BYTES_MIN)
		spillable_bytes = 0;
	lock_acquire(&staged->lock);
	if (!spillable_bytes) {
		list_remove(staged, member);
	} else if (!member->spillable_bytes ||
		   (member->is_written && staged->newest != member)) {
		list_remove(staged, member);
		list_append(staged, member, spillable_bytes);
	} else {
		list_recount(staged, member, spillable_bytes);
	}
	lock_release(&staged->lock);
	member->is_written = false;
}

/* Its lock, if nobody has it or its bytes. */
static bool take(struct staged_member *member) NO_LOCK_ANALYSIS
{
	if (!lock_try_acquire(&member->lock))
		return false;
	if (!member->is_lent)
		return true;
	lock_release(&member->lock);
	return false;
}

bool staged_take_oldest(struct staged *staged, struct staged_member **ret)
{
	struct staged_member *member;

	if (!staged_is_over(staged))
		return false;
	lock_acquire(&staged->lock);
	for (member = staged->oldest; member; member = member->newer)
		if (take(member))
			break;
	lock_release(&staged->lock);
	if (!member)
		return false;
	*ret = member;
	return true;
}
