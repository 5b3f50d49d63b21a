/*
 * The engine compares attributes as bytes, among which the access time is. So of
 * each directory that both sides changed the attributes are read as they are in
 * the base, in the batch and now.
 */
#include "settle.h"

#include <errno.h>

#include "attr.h"

/* 1: it is there, with this id; else 0. Pinned. */
static int look_for(const struct settle *settle, const struct aedb_change *change,
		    const struct aedb_snapshot *view, uint64_t id,
		    struct aedb_entry *ret)
{
	int rc = settle->dirs ?
			 aedb_stat(settle->dirs, view, change->key,
				   change->key_bytes, ret) :
			 aedb_place_stat(settle->db, view, change->place, ret);

	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	if (ret->id == id)
		return 1;
	aedb_unpin(ret);
	return 0;
}

static int look(const struct settle *settle, const struct aedb_change *change,
		const struct aedb_snapshot *view, struct aedb_entry *ret)
{
	return look_for(settle, change, view, change->base_id, ret);
}

static bool is_same(const struct aedb_entry *a, const struct aedb_entry *b)
{
	return attr_is_same_but_atime(a->attr, a->attr_bytes, b->attr,
				      b->attr_bytes);
}

/* Others' attributes with the batch's access time. */
static int merge(const struct settle *settle, const struct aedb_entry *now,
		 const struct aedb_entry *own)
{
	struct aedb_settled settled = { .id = now->id, .version = now->version,
					.as = AEDB_SETTLED_MERGED };
	struct attr_blob blob;
	int rc = attr_take_atime(now->attr, now->attr_bytes, own->attr,
				 own->attr_bytes, &blob);

	if (rc < 0)
		return rc;
	settled.attr = blob.bytes;
	settled.attr_bytes = blob.n;
	rc = aedb_batch_settle(settle->batch, &settled);
	attr_blob_release(&blob);
	return rc;
}

/* Others did more than set the time, or removed it; the batch perhaps not. */
static int own_settle(const struct settle *settle,
		      const struct aedb_change *change,
		      const struct aedb_entry *base,
		      const struct aedb_entry *now)
{
	struct aedb_settled none = { .id = change->base_id,
				     .as = AEDB_SETTLED_NONE };
	struct aedb_entry own;
	int rc;

	if (change->kind != AEDB_CHANGED || change->has_new_value)
		return 0;
	rc = look(settle, change, settle->view, &own);
	if (rc <= 0)
		return rc;
	if (!is_same(&own, base))
		rc = 0;
	else
		rc = now ? merge(settle, now, &own) :
			   aedb_batch_settle(settle->batch, &none);
	aedb_unpin(&own);
	return rc;
}

static int with_base(const struct settle *settle,
		     const struct aedb_change *change,
		     const struct aedb_entry *base, const struct aedb_entry *now)
{
	struct aedb_settled own = { .id = change->base_id,
				    .as = AEDB_SETTLED_OWN };

	if (!now || !is_same(now, base))
		return own_settle(settle, change, base, now);
	own.version = now->version;
	return aedb_batch_settle(settle->batch, &own);
}

/* Both made it, as what `id` is live. */
static int settle_twins(const struct settle *settle,
			const struct aedb_change *change, uint64_t id)
{
	struct aedb_settled same = { .id = change->id,
				     .as = AEDB_SETTLED_OWN };
	struct aedb_entry own, now;
	int rc = look_for(settle, change, NULL, id, &now);

	if (rc <= 0)
		return rc;
	same.version = now.version;
	rc = look_for(settle, change, settle->view, change->id, &own);
	if (rc > 0) {
		rc = is_same(&own, &now) ?
			     aedb_batch_settle(settle->batch, &same) : 0;
		aedb_unpin(&own);
	}
	aedb_unpin(&now);
	return rc;
}

/* The batch made it, and perhaps others did. */
static int settle_made(const struct settle *settle,
		       const struct aedb_change *change)
{
	uint64_t id;
	int rc;

	if (settle->dirs || change->kind != AEDB_ADDED)
		return 0;
	rc = aedb_batch_twin(settle->batch, change->id, &id);
	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	return settle_twins(settle, change, id);
}

int settle_directory(const struct settle *settle,
		     const struct aedb_change *change)
{
	struct aedb_entry base, now;
	int is_there, rc;

	if (!change->base_id)
		return settle_made(settle, change);
	rc = look(settle, change, settle->base, &base);
	if (rc <= 0)
		return rc;
	rc = is_there = look(settle, change, NULL, &now);
	if (rc >= 0 && !(is_there && now.version == base.version))
		rc = with_base(settle, change, &base, is_there ? &now : NULL);
	if (is_there > 0)
		aedb_unpin(&now);
	aedb_unpin(&base);
	return rc < 0 ? rc : 0;
}

int settle_is_of_times(const struct settle *settle,
		       const struct aedb_change *change)
{
	struct aedb_entry base, own;
	int rc;

	if (change->kind != AEDB_CHANGED || change->has_new_value ||
	    !change->base_id)
		return 0;
	rc = look(settle, change, settle->base, &base);
	if (rc <= 0)
		return rc;
	rc = look(settle, change, settle->view, &own);
	if (rc > 0) {
		rc = is_same(&own, &base);
		aedb_unpin(&own);
	}
	aedb_unpin(&base);
	return rc;
}
