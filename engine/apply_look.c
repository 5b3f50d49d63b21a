/*
 * What operations find: of the newest state when they are executed first, and
 * noted in the commit's annex; of the annex when they are repeated.
 *
 * Invariants:
 * 1. A commit is repeated on the state that it was executed on, after all of the
 *    log since some checkpoint. Whatever had a number above `below_seq` then, the
 *    newest checkpoint's that had begun, is in that part of the log; a lookup
 *    that found none of it is told, if it found anything.
 * 2. So where the annex tells, memory can say the same or nothing; where it does
 *    not, there is nothing but what memory has.
 */
#include <assert.h>
#include <string.h>

#include "apply_inner.h"
#include "db.h"

#ifdef AEDB_DEBUG
static void told_check(const struct lookup *lookup, const struct entry *told,
		       const struct entry *read)
{
	/* what lay in memory may lie in a value file by now */
	bool has_value = !told->is_ref && !read->is_ref;

	assert(!has_value || told->value_bytes == read->value_bytes);
	assert(told->attr_bytes == read->attr_bytes);
	assert(!(lookup->parts & ANNEX_ID) || told->id == read->id);
	if ((lookup->parts & ANNEX_ATTR) && read->attr_bytes)
		assert(!memcmp(told->attr, read->attr, read->attr_bytes));
	if (!(lookup->parts & ANNEX_VALUE))
		return;
	assert(told->mtime_ns == read->mtime_ns);
	assert(told->time_us == read->time_us);
	if (has_value && read->value_bytes)
		assert(!memcmp(told->value, read->value, read->value_bytes));
}

/* Looks it up all the same. */
static void found_check(const struct lookup *lookup, int told,
			const struct entry *found)
{
	struct entry entry;
	int rc = apply_newest(lookup->space, lookup->key->at, lookup->key->n,
			      &entry);

	/* segments may be damaged */
	if (rc < 0)
		return;
	assert(rc == told);
	if (rc)
		told_check(lookup, found, &entry);
}
#else
#define found_check(lookup, told, found) ((void)0)
#endif

int apply_look_again(struct apply *apply, const struct lookup *lookup,
		     struct entry *ret)
{
	const struct op_key *key = lookup->key;
	struct entry entry;
	int rc = annex_next(apply->found, lookup->parts, &entry);

	if (rc < 0)
		return rc;
	if (rc == ANNEX_SEGMENTS ||
	    (rc == ANNEX_MEMORY && apply->memory_lacks))
		return apply_newest(lookup->space, key->at, key->n, ret);
	if (rc == ANNEX_MEMORY)
		rc = space_get_in_memory(lookup->space, key->at, key->n,
					 &entry);
	else
		rc = 1;
	entry.key = key->at;
	entry.key_bytes = (uint32_t)key->n;
	found_check(lookup, rc, &entry);
	if (rc)
		*ret = entry;
	return rc;
}
