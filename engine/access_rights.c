/*
 * Records of grants -> what a caller may.
 */
#include "access_rights.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "err.h"
#include "range.h"
#include "space_walk.h"

#define EVERYTHING ((1u << AEDB_RIGHTS) - 1)
#define IN_PROJECT (EVERYTHING & ~RIGHT_BIT(AEDB_GLOBAL_ADMIN))
#define IN_SCOPE (IN_PROJECT & ~RIGHT_BIT(AEDB_PROJECT_ADMIN))

int access_not_held(void)
{
	return err_set(AEDB_ACCESS, "permission denied");
}

int access_denied(struct aedb *db)
{
	atomic_fetch_add(&db->counters.denials, 1);
	return access_not_held();
}

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for what a caller may");
}

static bool begins_with(const void *key, size_t n, const struct op_bytes *prefix)
{
	return n >= prefix->n && (!prefix->n ||
				  memcmp(key, prefix->at, prefix->n) == 0);
}

void rights_free(struct rights *rights)
{
	if (!rights)
		return;
	for (int i = 0; i < AEDB_RIGHTS; i++) {
		struct access_prefixes *some = &rights->some[i];

		for (size_t k = 0; k < some->n; k++)
			free((void *)some->at[k].at);
		free(some->at);
	}
	free(rights);
}

static int prefix_add(struct access_prefixes *some, struct op_bytes prefix)
{
	struct op_bytes *grown = reallocarray(some->at, some->n + 1,
					      sizeof(*grown));
	void *copy = grown ? malloc(prefix.n) : NULL;

	if (grown)
		some->at = grown;
	if (!copy)
		return no_memory();
	memcpy(copy, prefix.at, prefix.n);
	grown[some->n++] = (struct op_bytes){ copy, prefix.n };
	return 0;
}

/* What a record on the place itself, or on what it lies in, means there. */
static int record_take(struct rights *rights, const struct access_record *r,
		       bool is_project)
{
	switch ((enum aedb_right)r->right) {
	case AEDB_GLOBAL_ADMIN:
		rights->all |= EVERYTHING;
		return 0;
	case AEDB_OWNER:
		rights->all |= is_project ? IN_PROJECT : IN_SCOPE;
		return 0;
	case AEDB_PROJECT_ADMIN:
		rights->all |= IN_PROJECT & ~RIGHT_BIT(AEDB_OWNER);
		return 0;
	case AEDB_SCOPE_ADMIN:
		rights->all |= IN_SCOPE & ~RIGHT_BIT(AEDB_OWNER);
		return 0;
	default:
		break;
	}
	if (r->rest.n)
		return prefix_add(&rights->some[r->right], r->rest);
	rights->all |= RIGHT_BIT(r->right);
	return 0;
}

static int object_take(struct space_walk *walk, struct rights *rights,
		       const struct access_key *prefix, bool is_project)
{
	struct op_bytes begins = { prefix->bytes, prefix->n };
	int rc = space_walk_seek(walk, MEM_SEEK_GE, prefix->bytes, prefix->n);

	while (rc == MERGE_ENTRY) {
		const struct entry *entry = space_walk_entry(walk);
		struct access_record record;
		int taken;

		if (!begins_with(entry->key, entry->key_bytes, &begins))
			return 0;
		taken = access_key_decode((struct op_bytes){
			entry->key, entry->key_bytes }, &record);
		if (taken == 0)
			taken = record_take(rights, &record, is_project);
		if (taken < 0)
			return taken;
		rc = space_walk_next(walk);
	}
	return rc < 0 ? rc : 0;
}

static int prefix_compare(const void *a, const void *b)
{
	const struct op_bytes *x = a, *y = b;

	return range_compare(x->at, x->n, y->at, y->n);
}

/* Sorts, and drops those that begin with another. */
static void prefixes_settle(struct access_prefixes *some)
{
	size_t kept = 0;

	if (some->n)
		qsort(some->at, some->n, sizeof(*some->at), prefix_compare);
	for (size_t i = 0; i < some->n; i++) {
		struct op_bytes *next = &some->at[i];

		if (kept && begins_with(next->at, next->n, &some->at[kept - 1]))
			free((void *)next->at);
		else
			some->at[kept++] = *next;
	}
	some->n = kept;
}

int rights_make(struct space *names, seq_t limit, struct op_bytes caller,
		const struct access_where *where, struct rights **ret)
{
	const uint64_t objects[] = { CATALOG_ROOT_ID, where->project,
				     where->scope };
	struct rights *rights = calloc(1, sizeof(*rights));
	struct access_key prefix;
	struct space_walk walk;
	int rc;

	if (!rights)
		return no_memory();
	space_walk_init(&walk, names, limit);
	rc = space_walk_start(&walk);
	for (int i = 0; i < 3 && rc == 0; i++) {
		if (!objects[i])
			continue;
		access_key_of_caller(caller, objects[i], &prefix);
		rc = object_take(&walk, rights, &prefix, i == 1);
	}
	space_walk_release(&walk);
	if (rc < 0) {
		rights_free(rights);
		return rc;
	}
	for (int i = 0; i < AEDB_RIGHTS; i++)
		prefixes_settle(&rights->some[i]);
	*ret = rights;
	return 0;
}

size_t access_prefixes_find(const struct access_prefixes *prefixes,
			    const void *key, size_t n)
{
	size_t low = 0, high = prefixes->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct op_bytes *prefix = &prefixes->at[middle];

		if (range_compare(prefix->at, prefix->n, key, n) < 0 &&
		    !begins_with(key, n, prefix))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool access_prefixes_hold(const struct access_prefixes *prefixes,
			  const void *key, size_t n)
{
	size_t i = access_prefixes_find(prefixes, key, n);

	return i < prefixes->n && begins_with(key, n, &prefixes->at[i]);
}

bool rights_hold(const struct rights *rights, enum aedb_right right,
		 const void *key, size_t n)
{
	return rights_hold_all(rights, right) ||
	       access_prefixes_hold(&rights->some[right], key, n);
}

bool rights_hold_beneath(const struct rights *rights, enum aedb_right right,
			 const void *prefix, size_t n)
{
	const struct access_prefixes *some = &rights->some[right];
	const struct op_bytes begin = { prefix, n };
	size_t i;

	if (rights_hold_all(rights, right))
		return true;
	i = access_prefixes_find(some, prefix, n);
	return i < some->n &&
	       (begins_with(prefix, n, &some->at[i]) ||
		begins_with(some->at[i].at, some->at[i].n, &begin));
}

/* What keys in a directory begin with, in `ret`, which has room for a longest
 * record's and one byte more; returns its length. */
static size_t directory_prefix(const void *record, size_t n, uint8_t *ret)
{
	if (!n)
		return 0;
	memcpy(ret, record, n);
	ret[n] = '/';
	return n + 1;
}

bool rights_hold_directory(const struct rights *rights, enum aedb_right right,
			   const void *record, size_t n)
{
	uint8_t prefix[MEM_KEY_BYTES_MAX + 1];

	return rights_hold(rights, right, prefix,
			   directory_prefix(record, n, prefix));
}

bool rights_hold_in_directory(const struct rights *rights,
			      enum aedb_right right, const void *record,
			      size_t n)
{
	uint8_t prefix[MEM_KEY_BYTES_MAX + 1];

	return rights_hold_beneath(rights, right, prefix,
				   directory_prefix(record, n, prefix));
}

/* Whether no key that begins with the prefix is at or above `to`. */
static bool range_ends_in(const struct op_bytes *prefix,
			  const struct op_bytes *to)
{
	return to && (begins_with(to->at, to->n, prefix) ||
		      range_compare(to->at, to->n, prefix->at, prefix->n) <= 0);
}

bool rights_hold_range(const struct rights *rights, enum aedb_right right,
		       struct op_bytes from, const struct op_bytes *to)
{
	const struct access_prefixes *some = &rights->some[right];
	uint8_t end[AEDB_GRANT_PREFIX_BYTES_MAX];
	size_t i, n;

	if (rights_hold_all(rights, right) ||
	    (to && range_compare(from.at, from.n, to->at, to->n) >= 0))
		return true;
	i = access_prefixes_find(some, from.at, from.n);
	if (i == some->n || !begins_with(from.at, from.n, &some->at[i]))
		return false;
	if (range_ends_in(&some->at[i], to))
		return true;
	memcpy(end, some->at[i].at, some->at[i].n);
	n = range_prefix_end(end, some->at[i].n);
	return n ? to && range_compare(to->at, to->n, end, n) <= 0 : true;
}

bool rights_hold_some(const struct rights *rights, enum aedb_right right)
{
	return rights_hold_all(rights, right) || rights->some[right].n;
}

bool rights_are_some(const struct rights *rights)
{
	for (int i = 0; i < AEDB_RIGHTS; i++)
		if (rights_hold_some(rights, (enum aedb_right)i))
			return true;
	return false;
}
