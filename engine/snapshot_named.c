/*
 * Named snapshots: kept in the manifest, and held like open ones.
 *
 * Invariant: the number of every named snapshot is in the list of snapshots from
 * before its edit of the manifest until after the one that removes it.
 *
 * Opening and listing look at a copy of what the manifest has, so that nobody
 * who asks for a name waits for the disk.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "err.h"
#include "maintenance.h"
#include "snapshot.h"
#include "storage.h"
#include "sync.h"

static int name_check(const char *name)
{
	size_t n = strlen(name);

	if (n > MANIFEST_NAME_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG,
			       "snapshot name of %zu bytes, at most %d are allowed",
			       n, MANIFEST_NAME_BYTES_MAX);
	if (!manifest_name_is_valid(name, n))
		return err_set(AEDB_INVALID,
			       "snapshot name \"%s\": only A-Z a-z 0-9 _ - and, not "
			       "first, . may occur",
			       name);
	return 0;
}

static int name_missing(const char *name)
{
	return err_set(AEDB_NOT_FOUND, "no snapshot %s", name);
}

static int check_writable(const struct aedb *db)
{
	return db->wal ? 0 : err_set(AEDB_READ_ONLY, "opened read-only");
}

/* What readers look at becomes what the manifest has; it has so much room. Takes
 * it over. */
static void named_replace(struct aedb *db, struct manifest_snapshot *named)
	REQUIRES(db->storage_lock)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	struct snapshot_list *list = &db->snapshots;
	struct manifest_snapshot *old;

	for (size_t i = 0; i < state->n_snapshots; i++)
		named[i] = state->snapshots[i];
	lock_acquire(&list->lock);
	old = list->named;
	list->named = named;
	list->n_named = state->n_snapshots;
	lock_release(&list->lock);
	free(old);
}

/* Room for all that there are, and one more. */
static struct manifest_snapshot *named_new(const struct aedb *db)
{
	size_t n = manifest_state(db->manifest)->n_snapshots + 1;
	struct manifest_snapshot *named = malloc(n * sizeof(*named));

	if (!named)
		err_set(AEDB_NO_MEMORY, "no memory for names of snapshots");
	return named;
}

static int named_edit(struct aedb *db, const struct manifest_edit *edit)
	REQUIRES(db->storage_lock)
{
	struct manifest_snapshot *named = named_new(db);
	int rc = named ? storage_edit(db, edit) : AEDB_NO_MEMORY;

	if (rc == 0)
		named_replace(db, named);
	else
		free(named);
	return rc;
}

static int snapshot_write(struct aedb *db, const char *name, seq_t seq)
{
	struct manifest_snapshot snapshot = { .seq = seq };
	struct manifest_edit edit = { .snapshot_added = &snapshot };
	int rc;

	/* by the commits' clock: after those that it shows, before all that
	 * follow, and unlike any other snapshot's */
	snapshot.time_us = commit_time_take(db);
	strcpy(snapshot.name, name);
	lock_acquire(&db->storage_lock);
	if (manifest_find_snapshot(manifest_state(db->manifest), name))
		rc = err_set(AEDB_EXISTS, "snapshot %s exists", name);
	else
		rc = named_edit(db, &edit);
	lock_release(&db->storage_lock);
	return rc;
}

int aedb_snapshot_create(struct aedb *db, const char *name, aedb_seq_t *ret_seq)
{
	seq_t seq;
	int rc = name_check(name);

	if (rc == 0)
		rc = check_writable(db);
	if (rc == 0)
		rc = snapshot_add(db, &seq);
	if (rc < 0)
		return rc;
	rc = sync_wait(db, seq);
	if (rc == 0)
		rc = snapshot_write(db, name, seq);
	if (rc < 0) {
		snapshot_remove(db, seq);
		return rc;
	}
	if (ret_seq)
		*ret_seq = seq;
	return 0;
}

int aedb_snapshot_delete(struct aedb *db, const char *name)
{
	const struct manifest_snapshot *snapshot;
	struct manifest_edit edit = { .snapshot_removed = name };
	seq_t seq = 0;
	int rc = check_writable(db);

	if (rc < 0)
		return rc;
	lock_acquire(&db->storage_lock);
	snapshot = manifest_find_snapshot(manifest_state(db->manifest), name);
	if (snapshot) {
		seq = snapshot->seq;
		rc = named_edit(db, &edit);
	} else {
		rc = name_missing(name);
	}
	lock_release(&db->storage_lock);
	if (rc < 0)
		return rc;
	snapshot_remove(db, seq);
	maintenance_note_segments(db);
	return 0;
}

int aedb_snapshot_rename(struct aedb *db, const char *from, const char *to)
{
	const struct manifest_snapshot *snapshot;
	struct manifest_snapshot renamed;
	struct manifest_edit edit = { .snapshot_removed = from,
				      .snapshot_added = &renamed };
	int rc = name_check(to);

	if (rc == 0)
		rc = check_writable(db);
	if (rc < 0)
		return rc;
	lock_acquire(&db->storage_lock);
	snapshot = manifest_find_snapshot(manifest_state(db->manifest), from);
	if (!snapshot) {
		rc = name_missing(from);
	} else if (strcmp(from, to) == 0) {
		rc = 0;
	} else if (manifest_find_snapshot(manifest_state(db->manifest), to)) {
		rc = err_set(AEDB_EXISTS, "snapshot %s exists", to);
	} else {
		renamed = *snapshot;
		strcpy(renamed.name, to);
		rc = named_edit(db, &edit);
	}
	lock_release(&db->storage_lock);
	return rc;
}

enum bound {
	BOUND_AT,	/* the name itself counts */
	BOUND_ABOVE,
};

/* Copies the first one from a name on; false: there is none. */
static bool named_find(struct aedb *db, const char *from, enum bound bound,
		       struct manifest_snapshot *ret)
{
	struct snapshot_list *list = &db->snapshots;
	size_t low = 0, high, middle;
	bool is_there;

	lock_acquire(&list->lock);
	high = list->n_named;
	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(list->named[middle].name, from) <
		    (bound == BOUND_ABOVE))
			low = middle + 1;
		else
			high = middle;
	}
	is_there = low < list->n_named;
	if (is_there)
		*ret = list->named[low];
	lock_release(&list->lock);
	return is_there;
}

int aedb_snapshot_open_named(struct aedb *db, const char *name,
			     struct aedb_snapshot **ret)
{
	struct manifest_snapshot snapshot;
	int rc;

	if (!named_find(db, name, BOUND_AT, &snapshot) ||
	    strcmp(snapshot.name, name) != 0)
		return name_missing(name);
	rc = aedb_snapshot_open_at(db, snapshot.seq, ret);
	/* Deleted since it was found. */
	if (rc == AEDB_CONFLICT)
		return name_missing(name);
	if (rc == 0)
		(*ret)->time_ns = (int64_t)snapshot.time_us * 1000;
	return rc;
}

int aedb_snapshot_next(struct aedb *db, const char *after,
		       struct aedb_snapshot_info *ret)
{
	struct manifest_snapshot snapshot;

	if (!named_find(db, after, BOUND_ABOVE, &snapshot))
		return AEDB_NOT_FOUND;
	strcpy(ret->name, snapshot.name);
	ret->seq = snapshot.seq;
	ret->time_ns = (int64_t)snapshot.time_us * 1000;
	return 0;
}

uint64_t snapshots_newest_time_us(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	uint64_t newest_us = 0;

	for (size_t i = 0; i < state->n_snapshots; i++)
		if (state->snapshots[i].time_us > newest_us)
			newest_us = state->snapshots[i].time_us;
	return newest_us;
}

int snapshots_load(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	struct manifest_snapshot *named = named_new(db);
	int rc = named ? 0 : AEDB_NO_MEMORY;

	for (size_t i = 0; i < state->n_snapshots && rc == 0; i++)
		rc = snapshot_hold(db, state->snapshots[i].seq);
	if (!named)
		return rc;
	lock_acquire(&db->storage_lock);
	named_replace(db, named);
	lock_release(&db->storage_lock);
	return rc;
}

/* What was lost. */

static bool is_lost(const struct aedb *db, const struct manifest_snapshot *s)
{
	return s->seq > db_visible(db);
}

static int lost_note(struct aedb *db, const struct manifest_snapshot *s)
{
	size_t n = 0;
	char **findings, *text;

	while (db->findings[n])
		n++;
	findings = realloc(db->findings, (n + 2) * sizeof(*findings));
	if (!findings)
		return err_set(AEDB_NO_MEMORY, "no memory for findings");
	db->findings = findings;
	if (asprintf(&text, "snapshot %s: the state %llu that it is of was lost, "
		     "the newest is %llu", s->name, (unsigned long long)s->seq,
		     (unsigned long long)db_visible(db)) < 0)
		return err_set(AEDB_NO_MEMORY, "no memory for findings");
	findings[n] = text;
	findings[n + 1] = NULL;
	return 0;
}

int snapshots_check(struct aedb *db)
{
	struct snapshot_list *list = &db->snapshots;
	size_t kept = 0;
	int rc = 0;

	/* nobody else has the database yet */
	for (size_t i = 0; i < list->n_named && rc == 0; i++) {
		struct manifest_snapshot *s = &list->named[i];

		if (!is_lost(db, s)) {
			list->named[kept++] = *s;
			continue;
		}
		if (db->options.recovery != AEDB_PERMISSIVE)
			return err_set(AEDB_CORRUPT,
				       "the log ends with commit %llu, snapshot "
				       "%s is of %llu",
				       (unsigned long long)db_visible(db),
				       s->name, (unsigned long long)s->seq);
		rc = lost_note(db, s);
		snapshot_remove(db, s->seq);
	}
	if (rc == 0)
		list->n_named = kept;
	return rc;
}

int snapshots_remove_lost(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	size_t i = 0;
	int rc = 0;

	while (rc == 0 && i < state->n_snapshots) {
		struct manifest_snapshot lost = state->snapshots[i];
		struct manifest_edit edit = { .snapshot_removed = lost.name };

		if (is_lost(db, &lost))
			rc = manifest_append(db->manifest, &edit);
		else
			i++;
	}
	return rc;
}
