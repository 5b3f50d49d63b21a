/*
 * Changes of levels and manifest.
 *
 * Invariants:
 * 1. Readers see a change after it is on disk: a segment that was seen is there
 *    after a crash, too.
 * 2. A segment that was taken out stays open until nobody who saw it can be
 *    left; its file stays as long.
 * 3. A value file goes only when no segment refers to it, nobody reads or writes
 *    it, no commit does that is not in segments yet, and the next backup can do
 *    without (backup_keep.h).
 */
#include <stdlib.h>
#include <string.h>

#include "backup_keep.h"
#include "cache.h"
#include "commit.h"
#include "err.h"
#include "levels.h"
#include "reserve.h"
#include "segment.h"
#include "storage.h"

#define DEAD_BYTES_LEAST (UINT64_C(1) << 20)
#define DEAD_BYTES_MAX (UINT64_C(64) << 20)
#define DEAD_PART 8

void db_forgotten_raise(struct aedb *db, seq_t seq)
{
	seq_t now = atomic_load(&db->forgotten_seq);

	while (now < seq &&
	       !atomic_compare_exchange_weak(&db->forgotten_seq, &now, seq))
		continue;
}

static void levels_show(struct aedb *db, struct levels *levels)
{
	atomic_store(&db->level0_segments, levels->n[0]);
	atomic_store_explicit(&db->levels, levels, memory_order_release);
}

/* Opened segments that a change adds. */
struct opened {
	struct segment **at;	/* owned; each, too, until it is in levels */
	size_t n;
};

static void opened_close(struct opened *opened)
{
	for (size_t i = 0; i < opened->n; i++)
		segment_close(opened->at[i]);
	free(opened->at);
}

static int opened_open(struct aedb *db, const struct segment_info *infos,
		       size_t n, struct opened *ret)
{
	struct opened opened = { calloc(n + 1, sizeof(*opened.at)), 0 };
	int rc = opened.at ? 0 : err_set(AEDB_NO_MEMORY, "no memory for segments");

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = segment_open(db->segments, db->cache, &infos[i],
				  &opened.at[i]);
		opened.n += rc == 0;
	}
	if (rc < 0)
		opened_close(&opened);
	else
		*ret = opened;
	return rc;
}

static struct levels *levels_now(struct aedb *db)
{
	return atomic_load_explicit(&db->levels, memory_order_relaxed);
}

/* Whether the change puts the segment into another level as it is. */
static bool is_moved(const struct storage_change *change, file_id_t number)
{
	for (size_t i = 0; i < change->n_added; i++)
		if (change->added[i].number == number)
			return true;
	return false;
}

/* The old levels, and segments that are in them only, go when nobody reads. */
static void old_defer(struct aedb *db, struct levels *old,
		      const struct storage_change *change)
	REQUIRES(db->storage_lock)
{
	for (size_t i = 0; i < change->n_removed; i++) {
		file_id_t number = change->removed[i];
		struct segment *segment = levels_find(old, number);

		if (!is_moved(change, number))
			file_set_remove(db->segments, number);
		deferred_add(&db->deferred,
			     (struct deferred_object){ .segment = segment });
	}
	deferred_add(&db->deferred, (struct deferred_object){ .levels = old });
}

/* Nothing is written while there was and is no history. */
static void edit_history(struct aedb *db, seq_t from, struct manifest_edit *edit)
{
	seq_t now = manifest_state(db->manifest)->numbers[MANIFEST_HISTORY_FROM];

	if (from == SEQ_MAX)
		from = 0;
	if (from ? from > now : now != 0)
		manifest_edit_set(edit, MANIFEST_HISTORY_FROM, from);
}

static void edit_numbers(struct aedb *db, const struct storage_change *change,
			 struct manifest_edit *edit)
{
	edit_history(db, change->history_from, edit);
	manifest_edit_set(edit, MANIFEST_SEGMENT_NEXT,
			  file_set_next(db->segments));
	manifest_edit_set(edit, MANIFEST_VALUE_NEXT, file_set_next(values_files(db->values)));
	if (!change->checkpoint_seq)
		return;
	manifest_edit_set(edit, MANIFEST_CHECKPOINT_SEQ, change->checkpoint_seq);
	manifest_edit_set(edit, MANIFEST_LAST_TIME_US,
			  change->checkpoint_time_us);
	manifest_edit_set(edit, MANIFEST_KEY_COUNT, change->keys);
	manifest_edit_set(edit, MANIFEST_NEXT_SEQ,
			  atomic_load(&db->commits.next_seq));
	if (change->wal_first)
		manifest_edit_set(edit, MANIFEST_WAL_FIRST, change->wal_first);
}

static int change_write(struct aedb *db, const struct storage_change *change,
			const struct opened *opened)
	REQUIRES(db->storage_lock)
{
	struct manifest_edit edit = {
		.removed = change->removed,
		.n_removed = change->n_removed,
		.added = change->added,
		.n_added = change->n_added,
	};
	struct levels *old = levels_now(db), *levels;
	int rc = levels_apply(old, opened->at, opened->n, change->removed,
			      change->n_removed, &levels);

	if (rc < 0)
		return rc;
	edit_numbers(db, change, &edit);
	rc = storage_edit(db, &edit);
	if (rc < 0) {
		levels_free(levels);
		return rc;
	}
	levels_show(db, levels);
	if (change->checkpoint_seq)
		atomic_store(&db->checkpoint_seq, change->checkpoint_seq);
	old_defer(db, old, change);
	return 0;
}

int storage_edit(struct aedb *db, const struct manifest_edit *edit)
{
	int rc = manifest_append(db->manifest, edit);

	/* all but what a new snapshot needs gives space back in the end */
	if (rc == AEDB_NO_SPACE && !edit->snapshot_added &&
	    storage_lend_reserve(db))
		rc = manifest_append(db->manifest, edit);
	if (rc == AEDB_NO_SPACE && !edit->snapshot_added &&
	    storage_lend_last(db)) {
		rc = manifest_append(db->manifest, edit);
		reserve_keep_last(db->reserve);
	}
	if (rc == AEDB_UNKNOWN)
		commit_fail(db);
	return rc;
}

int storage_publish(struct aedb *db, const struct storage_change *change)
{
	struct opened opened;
	int rc = opened_open(db, change->added, change->n_added, &opened);

	if (rc < 0)
		return rc;
	lock_acquire(&db->storage_lock);
	rc = change_write(db, change, &opened);
	lock_release(&db->storage_lock);
	if (rc < 0)
		opened_close(&opened);
	else
		free(opened.at);
	return rc;
}

void storage_defer_memtable(struct aedb *db, struct memtable *memtable)
{
	lock_acquire(&db->storage_lock);
	deferred_add(&db->deferred,
		     (struct deferred_object){ .memtable = memtable });
	/* its memory is what writers wait for */
	deferred_free(&db->deferred);
	lock_release(&db->storage_lock);
}

/* Value files. */

/* Bytes of one value file that segments refer to. */
static uint64_t share_of(const struct segment_info *info, file_id_t file)
{
	size_t low = 0, high = info->n_shares;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (info->shares[middle].file < file)
			low = middle + 1;
		else
			high = middle;
	}
	return low < info->n_shares && info->shares[low].file == file ?
		       info->shares[low].bytes : 0;
}

uint64_t storage_value_live(const struct levels *levels, file_id_t file)
{
	uint64_t live = 0;

	for (int level = 0; level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++)
			live += share_of(segment_info(levels->at[level][i]),
					 file);
	return live;
}

/* Where the file is in the list, or belongs. */
static size_t dead_index(const struct dead_files *dead, file_id_t number)
{
	size_t i = 0;

	while (i < dead->n && dead->at[i].number < number)
		i++;
	return i;
}

/* When the file was found dead; without memory to note it: now. */
static uint64_t dead_note(struct aedb *db, file_id_t number)
	REQUIRES(db->storage_lock)
{
	struct dead_files *dead = &db->dead;
	size_t i = dead_index(dead, number);
	uint64_t made = atomic_load(&db->memtables_made);
	struct dead_file *grown;

	if (i < dead->n && dead->at[i].number == number)
		return dead->at[i].memtables_made;
	grown = realloc(dead->at, (dead->n + 1) * sizeof(*grown));
	if (!grown)
		return made;
	dead->at = grown;
	memmove(grown + i + 1, grown + i, (dead->n - i) * sizeof(*grown));
	grown[i] = (struct dead_file){ number, made };
	dead->n++;
	return made;
}

static void dead_forget(struct dead_files *dead, file_id_t number)
{
	size_t i = dead_index(dead, number);

	if (i == dead->n || dead->at[i].number != number)
		return;
	dead->n--;
	memmove(dead->at + i, dead->at + i + 1,
		(dead->n - i) * sizeof(*dead->at));
}

/* Whether no segment refers to the file, and no commit that is not in one. */
static bool file_is_dead(struct aedb *db, const struct file_info *info)
	REQUIRES(db->storage_lock)
{
	return !info->is_in_use &&
	       info->last_seq <= atomic_load(&db->checkpoint_seq) &&
	       !values_is_written(db->values, info->number) &&
	       storage_value_live(levels_now(db), info->number) == 0;
}

/* Nothing was put into memory since it was made. */
static bool memory_has_no_values(const struct aedb *db)
{
	return atomic_load(&db->memtables_made) ==
		       atomic_load(&db->memtables_gone) &&
	       atomic_load(&db->memtable_first_seq) ==
		       atomic_load(&db->commits.written_seq);
}

/* Dead files that may stay beside so many bytes of others, for memory to do without
 * segments. */
static uint64_t dead_bytes_max(uint64_t other_bytes)
{
	uint64_t bytes = DEAD_BYTES_LEAST + other_bytes / DEAD_PART;

	return bytes < DEAD_BYTES_MAX ? bytes : DEAD_BYTES_MAX;
}

/* A dead file may still be what versions in memory refer to, which were moved
 * elsewhere in segments: it goes when the memtables of then are gone, or nobody will
 * read them. */
static void value_files_clean(struct aedb *db) REQUIRES(db->storage_lock)
{
	uint64_t gone = atomic_load(&db->memtables_gone), kept = 0, all = 0;
	uint64_t for_backup = 0;
	struct file_info info = { 0 };

	while (file_set_info(values_files(db->values), info.number, &info) == 0) {
		all += info.bytes;
		if (!file_is_dead(db, &info)) {
			dead_forget(&db->dead, info.number);
		} else if (backup_keep_needs(db, info.last_seq)) {
			for_backup += info.bytes;
		} else if (db->is_closing || memory_has_no_values(db) ||
			   dead_note(db, info.number) < gone) {
			dead_forget(&db->dead, info.number);
			values_remove_file(db->values, info.number);
		} else {
			kept += info.bytes;
		}
	}
	atomic_store(&db->dead_bytes_max, dead_bytes_max(all - kept));
	atomic_store(&db->dead_bytes, kept);
	db->backup.value_bytes = for_backup;
	values_set_all_bytes(db->values, all);
}

void storage_hold(struct aedb *db)
{
	lock_acquire(&db->storage_lock);
	db->storage_holds++;
	lock_release(&db->storage_lock);
}

void storage_unhold(struct aedb *db)
{
	lock_acquire(&db->storage_lock);
	db->storage_holds--;
	lock_release(&db->storage_lock);
}

void storage_clean(struct aedb *db)
{
	lock_acquire(&db->storage_lock);
	deferred_free(&db->deferred);
	/* once writing stopped, the manifest on the disk may name other files */
	if (db->wal && !db->storage_holds &&
	    !atomic_load(&db->commits.is_failed))
		value_files_clean(db);
	lock_release(&db->storage_lock);
}

void storage_clean_last(struct aedb *db)
{
	db->is_closing = true;
	storage_clean(db);
}

/* While it is lent, log files take no more of it than they need. */
static void lent_note(struct aedb *db, bool is_lent)
{
	atomic_store(&db->reserve_is_lent, is_lent);
	if (is_lent)
		room_note_full(&db->room);
	if (db->wal)
		wal_set_file_bytes(db->wal, is_lent ? STORAGE_LENT_WAL_BYTES :
						      db->room.wal_file_bytes);
}

bool storage_lend_reserve(struct aedb *db)
{
	if (!db->reserve || reserve_release(db->reserve) <= 0)
		return false;
	lent_note(db, true);
	return true;
}

bool storage_lend_last(struct aedb *db)
{
	if (!db->reserve || reserve_release_last(db->reserve) <= 0)
		return false;
	lent_note(db, true);
	return true;
}

int storage_check_space(struct aedb *db)
{
	int rc;

	if (!atomic_load_explicit(&db->reserve_is_lent, memory_order_relaxed))
		return 0;
	rc = reserve_refill(db->reserve);
	if (rc == 0)
		lent_note(db, false);
	return rc;
}

/* Bytes of segments and value files, while nobody changes them. */
static uint64_t stored_bytes(struct aedb *db)
{
	const struct levels *levels = levels_now(db);
	struct file_info info = { 0 };
	uint64_t bytes = 0;

	for (int level = 0; level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++)
			bytes += segment_info(levels->at[level][i])->bytes;
	while (file_set_info(values_files(db->values), info.number, &info) == 0)
		bytes += info.bytes;
	return bytes;
}

int storage_keep_reserve(struct aedb *db)
{
	int rc;

	reserve_note_own(db->reserve, stored_bytes(db));
	atomic_store(&db->reserve_is_lent, true);
	rc = storage_check_space(db);
	if (rc == AEDB_NO_SPACE)
		lent_note(db, true);
	return rc == AEDB_NO_SPACE ? 0 : rc;
}

void storage_look_for_room(struct aedb *db)
{
	bool is_lent = atomic_load(&db->reserve_is_lent);

	if (is_lent ? storage_check_space(db) < 0 :
		      reserve_refill(db->reserve) < 0)
		room_look(&db->room, db->room.reserve_bytes);
	else
		room_look(&db->room, 0);
}

file_id_t storage_wal_first(struct aedb *db)
{
	file_id_t first;

	lock_acquire(&db->storage_lock);
	first = manifest_state(db->manifest)->numbers[MANIFEST_WAL_FIRST];
	lock_release(&db->storage_lock);
	return first;
}

/* Opening. */

static int levels_load(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	static const struct levels none;
	struct opened opened = { calloc(state->n_segments + 1,
					sizeof(*opened.at)), 0 };
	struct levels *levels;
	int rc = opened.at ? 0 : err_set(AEDB_NO_MEMORY, "no memory for segments");

	for (size_t i = 0; i < state->n_segments && rc == 0; i++) {
		rc = segment_open(db->segments, db->cache, state->segments[i],
				  &opened.at[i]);
		opened.n += rc == 0;
	}
	if (rc == 0)
		rc = levels_apply(&none, opened.at, opened.n, NULL, 0, &levels);
	if (rc < 0) {
		opened_close(&opened);
		return rc;
	}
	free(opened.at);
	levels_show(db, levels);
	return 0;
}

int storage_open(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	struct file_set_options options = {
		.kind = FILE_SEGMENT,
		.directory = "seg",
		.suffix = "seg",
		.db_uuid = state->db_uuid,
		.next = state->numbers[MANIFEST_SEGMENT_NEXT],
		.is_read_only = db->options.mode == AEDB_OPEN_READ_ONLY,
	};
	int rc = file_set_open(db->vfs, &options, &db->segments);

	return rc < 0 ? rc : levels_load(db);
}

void storage_close(struct aedb *db) NO_LOCK_ANALYSIS
{
	struct levels *levels = levels_now(db);

	if (db->deferred.epoch)
		deferred_release(&db->deferred);
	for (int level = 0; levels && level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++)
			segment_close(levels->at[level][i]);
	levels_free(levels);
	free(db->dead.at);
	file_set_close(db->segments);
}
