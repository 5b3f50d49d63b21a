/*
 * Segments stay as they are while the compaction lock is held, but for new ones
 * in level 0; so their infos are borrowed.
 */
#include <stdlib.h>
#include <string.h>

#include "compaction_view.h"
#include "err.h"
#include "levels.h"
#include "segment.h"
#include "snapshot.h"
#include "space_walk.h"

#define NUMBER_BYTES 8	/* of a scope's id as a key */
#define ARRAY_STEP 16

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for compaction");
}

void compaction_memory_release(struct compaction_memory *memory)
{
	free(memory->scopes);
	free(memory->bad_values.at);
	free(memory->bad_segments.at);
}

int compaction_numbers_add(struct compaction_numbers *numbers, file_id_t number)
{
	file_id_t *grown = realloc(numbers->at,
				   (numbers->n + 1) * sizeof(*grown));
	size_t i = numbers->n;

	if (!grown)
		return no_memory();
	numbers->at = grown;
	while (i && grown[i - 1] > number)
		i--;
	if (i && grown[i - 1] == number)
		return 0;
	memmove(grown + i + 1, grown + i, (numbers->n - i) * sizeof(*grown));
	grown[i] = number;
	numbers->n++;
	return 0;
}

static bool numbers_has(const struct compaction_numbers *numbers,
			file_id_t number)
{
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->at[i] == number)
			return true;
	return false;
}

/* Dropped scopes. */

static size_t scope_index(const struct compaction_memory *memory, uint64_t id)
{
	size_t i = 0;

	while (i < memory->n_scopes && memory->scopes[i].id < id)
		i++;
	return i;
}

static int scope_add(struct compaction_memory *memory, uint64_t id, seq_t seq)
{
	size_t i = scope_index(memory, id);
	struct compact_scope *grown;

	if (i < memory->n_scopes && memory->scopes[i].id == id)
		return 0;
	grown = realloc(memory->scopes,
			(memory->n_scopes + 1) * sizeof(*grown));
	if (!grown)
		return no_memory();
	memory->scopes = grown;
	memmove(grown + i + 1, grown + i,
		(memory->n_scopes - i) * sizeof(*grown));
	grown[i] = (struct compact_scope){ .id = id, .dropped_seq = seq,
					   .keys = UINT64_MAX };
	memory->n_scopes++;
	return 0;
}

void compaction_scope_forget(struct compaction_memory *memory, uint64_t id)
{
	size_t i = scope_index(memory, id);

	memory->n_scopes--;
	memmove(memory->scopes + i, memory->scopes + i + 1,
		(memory->n_scopes - i) * sizeof(*memory->scopes));
}

static uint64_t number_of(const uint8_t *key)
{
	uint64_t number = 0;

	for (int i = 0; i < NUMBER_BYTES; i++)
		number = number << 8 | key[i];
	return number;
}

/* Takes over every mark of the newest state. */
static int scopes_take(struct aedb *db, struct compaction_memory *memory)
{
	struct space_walk marks;
	seq_t seq;
	int rc = snapshot_add(db, &seq);

	if (rc < 0)
		return rc;
	space_walk_init(&marks, &db->catalog.drops, seq);
	epoch_enter(db->epoch);
	rc = space_walk_first(&marks, "", 0, 0);
	while (rc > 0) {
		const struct entry *mark = space_walk_entry(&marks);

		if (mark->key_bytes == NUMBER_BYTES)
			rc = scope_add(memory, number_of(mark->key), mark->seq);
		if (rc >= 0)
			rc = space_walk_next(&marks);
	}
	epoch_leave(db->epoch);
	space_walk_release(&marks);
	snapshot_remove(db, seq);
	return rc < 0 ? rc : 0;
}

/* Files and levels. */

static int files_take(struct aedb *db, const struct compaction_memory *memory,
		      struct compact_view *view)
{
	struct file_set *set = values_files(db->values);
	seq_t flushed = view->flushed_seq;
	struct file_info info = { .number = 0 };

	while (file_set_info(set, info.number, &info) == 0) {
		struct compact_file *grown;

		if (view->n_files % ARRAY_STEP == 0) {
			grown = realloc(view->files, (view->n_files + ARRAY_STEP) *
						     sizeof(*grown));
			if (!grown)
				return no_memory();
			view->files = grown;
		}
		view->files[view->n_files++] = (struct compact_file){
			.number = info.number,
			.bytes = info.bytes > FILE_DATA_OFFSET ?
				 info.bytes - FILE_DATA_OFFSET : 0,
			.is_fixed = info.last_seq > flushed ||
				    values_is_written(db->values, info.number) ||
				    numbers_has(&memory->bad_values, info.number),
		};
	}
	return 0;
}

static int levels_take(struct aedb *db, struct compaction_view *ret)
	REQUIRES(db->storage_lock)
{
	const struct levels *levels = db_levels(db);
	size_t n = 0;

	for (int level = 0; level < LEVELS_MAX; level++)
		n += levels->n[level];
	ret->infos = calloc(n + 1, sizeof(*ret->infos));
	if (!ret->infos)
		return no_memory();
	n = 0;
	for (int level = 0; level < LEVELS_MAX; level++) {
		ret->view.levels[level] = (struct compact_slice){
			ret->infos + n, levels->n[level] };
		for (size_t i = 0; i < levels->n[level]; i++)
			ret->infos[n++] = segment_info(levels->at[level][i]);
	}
	return 0;
}

int compaction_view_take(struct aedb *db, struct compaction_memory *memory,
			 struct compaction_view *ret)
{
	struct compact_view *view = &ret->view;
	int rc = scopes_take(db, memory);

	*ret = (struct compaction_view){ .infos = NULL };
	if (rc < 0)
		return rc;
	lock_acquire(&db->storage_lock);
	view->flushed_seq = atomic_load(&db->checkpoint_seq);
	rc = levels_take(db, ret);
	if (rc == 0)
		rc = files_take(db, memory, view);
	lock_release(&db->storage_lock);
	/* After the levels: a snapshot that is not among these is newer than all
	 * that is in them. */
	if (rc == 0)
		rc = snapshots_copy(db, &ret->retention);
	if (rc < 0) {
		compaction_view_release(ret);
		return rc;
	}
	view->retention = ret->retention;
	view->damaged = memory->bad_segments.at;
	view->n_damaged = memory->bad_segments.n;
	compact_limits_init(&view->limits, db->options.memory_bytes,
			    db->room.all_bytes);
	compact_view_count_live(view);
	compact_scopes_settle(memory->scopes, memory->n_scopes,
			      &view->retention, view->flushed_seq,
			      file_set_next(db->segments));
	view->scopes = memory->scopes;
	view->n_scopes = memory->n_scopes;
	return 0;
}

void compaction_view_release(struct compaction_view *view)
{
	free(view->view.files);
	free(view->infos);
	snapshots_copy_free(&view->retention);
}
