/*
 * The write-ahead log, writing side: writing what wal_append has made of a group,
 * going over to the next file, syncing beside appends.
 *
 * Invariants:
 * 1. A frame is encoded only into space that is reserved on disk.
 * 2. A file is synced before the header of the next one exists, so the start of
 *    a published file is durable.
 * 3. parts[0] is the published file that is written to; further parts exist
 *    only between wal_append and wal_write_group, and all but what a failed
 *    reservation added hold frames of the group.
 * 4. The last two WAL_NOTE_BYTES of a file are never used by commits, so that the
 *    durable position can always be noted.
 * 5. After a failed write or sync nothing is written any more.
 * 6. Zeros are written ahead of the frames only, never over any.
 * 7. Nothing counts as durable in a file whose name is not.
 *
 * Does not decide when to sync, and retries nothing.
 */
#include "wal_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_BYTES_KEPT (4u << 20)
/* How far zeros are written ahead of the frames. */
#define AHEAD_BYTES (256u << 10)

static int wal_fail(struct wal *wal)
{
	int none = WAL_FAILURE_NONE;

	if (atomic_compare_exchange_strong(&wal->failure.state, &none,
					   WAL_FAILURE_TAKEN)) {
		strcpy(wal->failure.reason, err_message());
		atomic_store(&wal->failure.state, WAL_FAILURE_KNOWN);
	}
	return err_set(AEDB_UNKNOWN, "the log failed: %s", err_message());
}

int wal_failed_before(const struct wal *wal, int code)
{
	return err_set(code, "the log failed earlier: %s",
		       atomic_load(&wal->failure.state) == WAL_FAILURE_KNOWN ?
			       wal->failure.reason :
			       "on another thread");
}

static int wal_sync_name(struct wal *wal) REQUIRES(wal->lock)
{
	if (!wal->has_new_name)
		return 0;
	if (wal_names_sync(wal->vfs) < 0)
		return wal_fail(wal);
	wal->has_new_name = false;
	return 0;
}

/* Syncs the current file and its name; everything below target, which is
 * written, counts as durable then. */
static int wal_sync_current(struct wal *wal, lsn_t target) REQUIRES(wal->lock)
{
	int rc = vfs_file_sync(wal->current);

	atomic_fetch_add_explicit(&wal->syncs, 1, memory_order_relaxed);
	rc = rc < 0 ? wal_fail(wal) : wal_sync_name(wal);
	if (rc < 0)
		return rc;
	atomic_store_explicit(&wal->durable, target, memory_order_release);
	return 0;
}

/* Makes the next part's file the current one. Writers wait meanwhile, so its
 * name becomes durable later, with the first of its frames that has to. */
static int wal_go_over(struct wal *wal, struct wal_part *next)
{
	lsn_t start = next->file.header.start_lsn;
	int rc;

	lock_acquire(&wal->lock);
	atomic_store_explicit(&wal->written, start, memory_order_release);
	rc = wal_has_failed(wal) ? wal_failed_before(wal, AEDB_UNKNOWN) : 0;
	/* a sync costs as much when nothing was written */
	if (rc == 0)
		rc = wal_durable_lsn(wal) < start ? wal_sync_current(wal, start) :
						    wal_sync_name(wal);
	if (rc == 0) {
		rc = wal_file_publish(&next->file);
		atomic_fetch_add_explicit(&wal->syncs, 1, memory_order_relaxed);
		if (rc < 0)
			rc = wal_fail(wal);
	}
	if (rc == 0) {
		wal->current = next->file.file;
		wal->has_new_name = true;
		atomic_store(&wal->published, next->file.header.base.number);
	}
	lock_release(&wal->lock);
	if (rc == 0)
		wal_file_close(&next[-1].file);
	return rc;
}

/* Where blocks are to be filled up to when frames end at `end`. */
static uint64_t fill_target(const struct wal_part *part, uint64_t end)
{
	uint64_t target = (end / AHEAD_BYTES + 1) * AHEAD_BYTES;

	if (end <= part->filled)
		return end;
	return target < part->file.header.file_bytes ? target :
						       part->file.header.file_bytes;
}

/* Writes a part's frames, and now and then zeros behind them: a sync of blocks
 * that were only reserved so far also commits to the file system that they are
 * in use now (docs/decisions/0007), which this way happens once for many
 * groups. */
static int wal_write_part(struct wal *wal, struct wal_part *part, size_t end)
{
	size_t n = end - part->group_start;
	uint64_t offset = wal_offset(&part->file.header,
				     wal->group.lsn + part->group_start);
	uint64_t target = fill_target(part, offset + n);
	int rc;

	if (n == 0)
		return 0;
	rc = vfs_write_all(part->file.file,
			   wal->group.bytes + part->group_start, n, offset);
	if (rc == 0 && target > part->filled) {
		rc = wal_file_fill(&part->file, offset + n, target);
		part->filled = target;
	}
	return rc < 0 ? wal_fail(wal) : 0;
}

static int wal_write_parts(struct wal *wal)
{
	for (size_t i = 0; i < wal->parts_n; i++) {
		struct wal_part *part = &wal->parts[i];
		bool is_last = i + 1 == wal->parts_n;
		int rc = wal_write_part(wal, part,
					is_last ? wal->group.used :
						  part[1].group_start);

		if (rc == 0 && !is_last)
			rc = wal_go_over(wal, part + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void wal_empty_group(struct wal *wal)
{
	if (wal->parts_n > 1)
		wal->parts[0] = *wal_last_part(wal);
	wal->parts[0].group_start = 0;
	wal->parts_n = 1;
	wal->group.lsn += wal->group.used;
	wal->group.used = 0;
	if (wal->group.cap > GROUP_BYTES_KEPT) {
		uint8_t *fewer = realloc(wal->group.bytes, GROUP_BYTES_KEPT);

		wal->group.cap = fewer ? GROUP_BYTES_KEPT : wal->group.cap;
		wal->group.bytes = fewer ? fewer : wal->group.bytes;
	}
}

int wal_write_group(struct wal *wal)
{
	int rc;

	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_UNKNOWN);
	rc = wal_write_parts(wal);
	if (rc < 0)
		return rc;
	wal_empty_group(wal);
	/* In this order: who sees a commit above the durable position syncs up
	 * to its end at least. */
	atomic_store_explicit(&wal->written, wal->group.lsn, memory_order_release);
	atomic_store_explicit(&wal->commit_written, wal->commit_end,
			      memory_order_release);
	return 0;
}

void wal_set_file_bytes(struct wal *wal, uint64_t bytes)
{
	atomic_store(&wal->file_bytes, wal_file_bytes_wanted(bytes));
}

int wal_prepare_cut(struct wal *wal)
{
	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_IO);
	return wal_spare_make(&wal->spare, wal->vfs, wal->options.db_uuid,
			      atomic_load(&wal->newest) + 1,
			      atomic_load(&wal->file_bytes));
}

int wal_cut(struct wal *wal)
{
	const struct wal_header *header = &wal->parts[0].file.header;
	file_id_t number = header->base.number;
	int rc;

	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_IO);
	assert(wal->group.used == 0 && wal->parts_n == 1);
	atomic_store(&wal->cut_file, number);
	if (wal->commit_end <= header->start_lsn)
		return 0;
	rc = wal_add_part(wal, number + 1, atomic_load(&wal->file_bytes),
			  WAL_FILE_BYTES_MIN);
	if (rc < 0)
		return rc;
	wal_begin_part(wal, wal_last_part(wal));
	rc = wal_write_group(wal);
	if (rc < 0)
		return rc;
	/* the header of a file notes all before it */
	wal->noted_lsn = wal->group.lsn;
	atomic_store(&wal->cut_file, number + 1);
	return 0;
}

int wal_cut_file(struct wal *wal, file_id_t *ret)
{
	int rc;

	lock_acquire(&wal->lock);
	rc = wal_has_failed(wal) ? wal_failed_before(wal, AEDB_UNKNOWN) :
				   wal_sync_name(wal);
	lock_release(&wal->lock);
	if (rc < 0)
		return rc;
	*ret = atomic_load(&wal->cut_file);
	return 0;
}

int wal_remove_before(struct wal *wal, file_id_t number, uint64_t keep_bytes)
{
	return wal_files_remove_before(wal->vfs, wal->options.db_uuid, number,
				       keep_bytes, &wal->removed);
}

void wal_close_removed(struct wal *wal)
{
	wal_removed_close(&wal->removed);
}

int wal_sync(struct wal *wal, lsn_t upto)
{
	int rc = 0;

	lock_acquire(&wal->lock);
	if (wal_has_failed(wal))
		rc = wal_failed_before(wal, AEDB_UNKNOWN);
	else if (wal_durable_lsn(wal) < upto)
		rc = wal_sync_current(wal, upto);
	lock_release(&wal->lock);
	return rc;
}

/* Writes a frame without a commit, if the file has room for one more beside
 * `spare` bytes. */
static int wal_write_note(struct wal *wal, uint16_t flags, uint64_t spare)
{
	struct wal_part *part = &wal->parts[0];
	const struct wal_header *header = &part->file.header;
	struct frame frame = { .flags = flags };

	assert(wal->group.used == 0);
	if (wal_offset(header, wal->group.lsn) + WAL_NOTE_BYTES + spare >
	    header->file_bytes)
		return 0;
	wal_encode_frame(wal, part, &frame);
	return wal_write_group(wal);
}

int wal_note_durable(struct wal *wal)
{
	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_IO);
	if (wal_is_dirty(wal) || wal->noted_lsn >= wal->commit_end)
		return 0;
	return wal_write_note(wal, FRAME_EMPTY, WAL_NOTE_BYTES);
}

/* Cuts off what was reserved behind the closing note. If it fails, or is undone
 * by a power cut, the file is only larger than it need be. */
static void wal_give_back(struct wal *wal)
{
	struct wal_file *file = &wal->parts[0].file;

	if (wal->noted_lsn >= wal->commit_end)
		vfs_file_truncate(file->file,
				  wal_offset(&file->header, wal->group.lsn));
}

int wal_finish(struct wal *wal)
{
	int rc = wal_sync(wal, wal_written_lsn(wal));

	if (rc == 0)
		rc = wal_write_note(wal, FRAME_EMPTY | FRAME_CLOSED, 0);
	if (rc == 0)
		rc = wal_sync(wal, wal_written_lsn(wal));
	if (rc == 0)
		wal_give_back(wal);
	return rc;
}

void wal_end_of(struct wal *wal, struct wal_end *ret)
{
	assert(wal->group.used == 0);
	ret->lsn = wal->group.lsn;
	wal_chain_finish(wal->chain, ret->digest);
}

void wal_close(struct wal *wal)
{
	if (!wal)
		return;
	for (size_t i = 0; i < wal->parts_n; i++)
		wal_file_close(&wal->parts[i].file);
	wal_spare_release(&wal->spare);
	wal_removed_release(&wal->removed);
	free(wal->parts);
	free(wal->group.bytes);
	wal_chain_free(wal->chain);
	lock_release_memory(&wal->lock);
	free(wal);
}

bool wal_group_goes_over(const struct wal *wal)
{
	return wal->parts_n > 1;
}

lsn_t wal_written_lsn(const struct wal *wal)
{
	return atomic_load_explicit(&wal->written, memory_order_acquire);
}

lsn_t wal_durable_lsn(const struct wal *wal)
{
	return atomic_load_explicit(&wal->durable, memory_order_acquire);
}

bool wal_is_dirty(const struct wal *wal)
{
	return atomic_load_explicit(&wal->commit_written, memory_order_acquire) >
	       wal_durable_lsn(wal);
}

file_id_t wal_newest_number(const struct wal *wal)
{
	return atomic_load(&wal->published);
}

uint64_t wal_sync_count(const struct wal *wal)
{
	return atomic_load_explicit(&wal->syncs, memory_order_relaxed);
}
