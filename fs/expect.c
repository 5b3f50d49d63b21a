/*
 * The directories on the way to each change of a batch, as they are in the base,
 * in the batch and now.
 *
 * The mount gives every directory a record that it makes or changes something
 * in. So a directory that others made since has one, and a key that the batch
 * added in one of its own has one beside it.
 */
#include "expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "settle.h"

/* What was seen to, of a directory on the way to the last change. */
enum {
	SEEN_ADD = 1,		/* something is added in it */
	SEEN_REMOVE = 2,	/* something is removed, and it is still there */
	SEEN_GONE = 4,		/* it is not */
};

struct step {
	size_t key_bytes;
	unsigned seen;
};

struct expecting {
	struct aedb *db;
	struct aedb_batch *batch;
	const struct aedb_snapshot *view;
	struct aedb_snapshot *base;	/* owned */
	aedb_seq_t base_seq;
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_scope *keys;	/* owned; NULL: of no scope yet */
	struct aedb_scope *twin;	/* owned: what others made in its place; NULL:
					 * both sides have the same, or only the batch
					 * has one */
	struct step steps[PATH_KEY_BYTES_MAX];	/* to the last change */
	size_t n_steps;
	uint8_t last[PATH_KEY_BYTES_MAX];	/* its key */
};

/* Looking. */

static void place_at(const struct expecting *e, const struct aedb_snapshot *view,
		     const void *key, size_t key_bytes, struct place *ret)
{
	ret->view = view;
	ret->scope = NULL;
	ret->keys = view || !e->twin ? e->keys : e->twin;
	ret->dirs = aedb_scope_dirs(ret->keys);
	memcpy(ret->key, key, key_bytes);
	path_dir_init(&ret->dir, ret->key, key_bytes);
}

/* The same directory as it is now. */
static void place_now(const struct expecting *e, const struct place *dir,
		      struct place *ret)
{
	place_at(e, NULL, dir->dir.key, dir->dir.key_bytes, ret);
}

/* 1: there is one, 0: there is none; *ret_id may be NULL. */
static int has_record(const struct place *dir, uint64_t *ret_id)
{
	struct aedb_entry entry;
	int rc = place_stat_record(dir, &entry);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (ret_id)
		*ret_id = entry.id;
	aedb_unpin(&entry);
	return 1;
}

static int has_keys(const struct place *dir)
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = place_first_key(dir, &scan, &entry);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	aedb_scan_close(scan);
	return 1;
}

static int is_directory(const struct place *dir)
{
	int rc = has_record(dir, NULL);

	return rc ? rc : has_keys(dir);
}

/* Expecting. */

static int expect_record(struct expecting *e, const struct place *dir)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	size_t n = path_dir_record(&dir->dir, record);

	return aedb_batch_expect_object(e->batch, aedb_scope_dirs(e->keys),
					record, n);
}

static int expect_key(struct expecting *e, const struct place *dir)
{
	return aedb_batch_expect_object(e->batch, e->keys, dir->dir.key,
					dir->dir.key_bytes);
}

/* Nothing in the directory changes, nor comes into it or over it. */
static int expect_inside(struct expecting *e, const struct place *dir)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX + 1];
	struct aedb_range range = { .prefix = prefix };
	int rc;

	range.prefix_bytes = path_dir_scan_prefix(&dir->dir, prefix);
	rc = aedb_batch_expect_range(e->batch, e->keys, &range);
	if (rc < 0)
		return rc;
	range.prefix_bytes = place_records_prefix(dir, prefix);
	rc = aedb_batch_expect_range(e->batch, aedb_scope_dirs(e->keys),
				     &range);
	return rc < 0 ? rc : expect_key(e, dir);
}

/* A directory in which something is added. */
static int added_in(struct expecting *e, const void *key, size_t key_bytes)
{
	struct aedb_entry entry;
	struct place dir, now;
	int rc;

	place_at(e, e->base, key, key_bytes, &dir);
	rc = has_record(&dir, NULL);
	if (rc)
		return rc < 0 ? rc : expect_record(e, &dir);
	rc = has_keys(&dir);
	if (rc)
		return rc < 0 ? rc : 0;
	/* The batch made it. */
	place_now(e, &dir, &now);
	rc = place_stat_key(&now, key, key_bytes, &entry);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	aedb_unpin(&entry);
	return expect_key(e, &dir);
}

/* A directory in which something is removed; *ret_is_gone says whether it is,
 * too. */
static int removed_in(struct expecting *e, const void *key, size_t key_bytes,
		      bool *ret_is_gone)
{
	struct place dir;
	int rc;

	place_at(e, e->view, key, key_bytes, &dir);
	rc = is_directory(&dir);
	*ret_is_gone = rc == 0;
	return rc < 0 ? rc : rc > 0 ? 0 : expect_inside(e, &dir);
}

/* The way. */

/* A directory on the way, of this depth. */
static int pass(struct expecting *e, struct step *step, const void *key,
		enum aedb_change_kind kind)
{
	bool is_gone = false;
	int rc = 0;

	if (kind == AEDB_ADDED && !(step->seen & SEEN_ADD)) {
		step->seen |= SEEN_ADD;
		rc = added_in(e, key, step->key_bytes);
	}
	if (kind == AEDB_REMOVED && !(step->seen & (SEEN_REMOVE | SEEN_GONE))) {
		rc = removed_in(e, key, step->key_bytes, &is_gone);
		step->seen |= is_gone ? SEEN_GONE : SEEN_REMOVE;
	}
	return rc;
}

/* The step of this depth, the last change's if that took it, too. */
static struct step *step_at(struct expecting *e, size_t depth, const void *key,
			    size_t key_bytes)
{
	struct step *step = &e->steps[depth];

	if (depth < e->n_steps && step->key_bytes == key_bytes &&
	    memcmp(e->last, key, key_bytes) == 0)
		return step;
	*step = (struct step){ .key_bytes = key_bytes };
	e->n_steps = 0;
	return step;
}

/* Through the directories down to the change. What is in one that is gone as a
 * whole needs nothing more. */
static int descend(struct expecting *e, const struct path_dir *to,
		   const struct aedb_change *change)
{
	bool is_directory = change->of == AEDB_OF_DIRECTORY;
	struct path_step next = { .kind = PATH_BELOW };
	struct step *step;
	struct path_dir at;
	size_t depth = 0;
	int rc = 0;

	path_dir_root(&at);
	while (rc == 0 && next.kind == PATH_BELOW) {
		path_step(&at, to->key, to->key_bytes, &next);
		if (next.kind != PATH_BELOW &&
		    !(next.kind == PATH_LEAF && is_directory))
			break;
		step = step_at(e, depth++, to->key, next.child_bytes);
		rc = pass(e, step, to->key, change->kind);
		if (step->seen & SEEN_GONE)
			break;
		path_dir_init(&at, to->key, next.child_bytes);
	}
	memcpy(e->last, to->key, to->key_bytes);
	e->n_steps = depth;
	return rc;
}

/* A key where others made a directory; but not the one that it lies in, as "%". */
static int added_over(struct expecting *e, const struct path_dir *to)
{
	struct place dir, now;
	int rc;

	place_at(e, e->view, to->key, to->key_bytes, &dir);
	rc = has_record(&dir, NULL);
	if (rc)
		return rc < 0 ? rc : 0;
	place_now(e, &dir, &now);
	rc = has_record(&now, NULL);
	return rc > 0 ? expect_record(e, &dir) : rc;
}

/* A directory that was elsewhere in the base, or another one in its place. */
static int moved_here(struct expecting *e, const struct path_dir *to,
		      const struct aedb_change *change)
{
	uint64_t base_id = 0;
	struct place dir;
	bool is_new = change->id > e->base_seq &&
		      !(change->id & OBJECT_IMPLICIT_BIT);
	int rc;

	place_at(e, e->base, to->key, to->key_bytes, &dir);
	rc = has_record(&dir, &base_id);
	if (rc < 0 || base_id == change->id)
		return rc < 0 ? rc : 0;
	if (rc == 0)
		rc = is_new ? 1 : has_keys(&dir);
	else
		rc = 0;
	return rc ? (rc < 0 ? rc : 0) : expect_inside(e, &dir);
}

static int change_in_scope(struct expecting *e, const struct aedb_change *change)
{
	struct path_dir to;
	int rc;

	if (change->of == AEDB_OF_KEY)
		path_dir_init(&to, change->key, change->key_bytes);
	else
		path_dir_init_record(&to, change->key, change->key_bytes);
	if (to.is_root)
		return 0;
	rc = descend(e, &to, change);
	if (rc < 0 || change->kind == AEDB_REMOVED)
		return rc;
	if (change->of == AEDB_OF_DIRECTORY)
		return moved_here(e, &to, change);
	return change->kind == AEDB_ADDED ? added_over(e, &to) : 0;
}

/* Scopes. */

static bool is_made(const struct expecting *e)
{
	return aedb_scope_id(e->keys) > e->base_seq;
}

static void leave_scope(struct expecting *e)
{
	aedb_scope_close(e->keys);
	aedb_scope_close(e->twin);
	e->keys = e->twin = NULL;
	e->n_steps = 0;
}

static int enter_scope(struct expecting *e, const struct aedb_place *place)
{
	int rc;

	if (e->keys && strcmp(e->project, place->project) == 0 &&
	    strcmp(e->scope, place->scope) == 0)
		return 0;
	leave_scope(e);
	rc = aedb_scope_open_at(e->db, e->view, place->project, place->scope,
				&e->keys);
	if (rc == 0 && is_made(e))
		rc = aedb_batch_open_twin(e->batch, e->keys, &e->twin);
	if (rc < 0 && !(rc == AEDB_NOT_FOUND && e->keys))
		return rc;
	strcpy(e->project, place->project);
	strcpy(e->scope, place->scope);
	return 0;
}

/* In a scope that only the batch made nobody else makes anything. */
static int change_see(struct expecting *e, const struct aedb_change *change)
{
	struct settle settle = { e->db, e->batch, e->base, e->view, NULL };
	int rc;

	if (change->table)
		return 0;
	if (change->of == AEDB_OF_PLACE)
		return settle_directory(&settle, change);
	rc = enter_scope(e, &change->place);
	if (rc < 0 || (is_made(e) && !e->twin))
		return rc;
	settle.dirs = aedb_scope_dirs(e->keys);
	if (change->of == AEDB_OF_DIRECTORY)
		rc = settle_directory(&settle, change);
	return rc < 0 ? rc : change_in_scope(e, change);
}

static int changes_see(struct expecting *e)
{
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	int rc = aedb_batch_diff_open(e->batch, &diff);

	if (rc < 0)
		return rc;
	while ((rc = aedb_batch_diff_next(diff, &change)) == 0) {
		rc = change_see(e, &change);
		if (rc < 0)
			break;
	}
	aedb_batch_diff_close(diff);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

int expect_directories(struct batch *batch)
{
	struct aedb_batch_info info;
	struct expecting *e;
	int rc;

	aedb_batch_expect_nothing(batch->engine);
	aedb_batch_info(batch->engine, &info);
	if (info.base_seq == aedb_visible_seq(batch->tree->db))
		return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->db = batch->tree->db;
	e->batch = batch->engine;
	e->view = batch->tree->view;
	e->base_seq = info.base_seq;
	rc = aedb_snapshot_open_at(e->db, e->base_seq, &e->base);
	if (rc == 0)
		rc = changes_see(e);
	leave_scope(e);
	aedb_snapshot_close(e->base);
	free(e);
	return rc;
}
