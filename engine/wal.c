/*
 * The write-ahead log, writing side: group commit, going over to the next file,
 * syncing beside appends.
 *
 * Invariants:
 * 1. A frame is encoded only into space that is reserved on disk.
 * 2. A file is synced before the header of the next one exists, so the start of
 *    a published file is durable.
 * 3. parts[0] is the published file that is written to; further parts exist
 *    only between wal_append and wal_write_group, and all but what a failed
 *    reservation added hold frames of the group.
 * 4. The last two NOTE_BYTES of a file are never used by commits, so that the
 *    durable position can always be noted.
 * 5. After a failed write or sync nothing is written any more.
 * 6. Zeros are written ahead of the frames only, never over any.
 * 7. Nothing counts as durable in a file whose name is not.
 *
 * Does not decide when to sync, and retries nothing.
 */
#include "wal.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "lock.h"
#include "wal_chain.h"
#include "wal_read.h"
#include "wal_spare.h"
#include "wal_tail.h"

#define NOTE_BYTES FRAME_HEADER_BYTES
/* A commit is not split for less room than this at the end of a file. */
#define PIECE_BYTES_MIN 256
#define PIECE_NONE SIZE_MAX
#define GROUP_BYTES_KEPT (4u << 20)
/* How far zeros are written ahead of the frames. */
#define AHEAD_BYTES (256u << 10)
#define FILE_BYTES_ALIGN 4096

struct wal_part {
	struct wal_file file;
	size_t group_start;	/* where its frames begin in the group */
	uint64_t filled;	/* offset below which its blocks were written */
};

struct wal_group {
	uint8_t *bytes;		/* owned */
	size_t used, cap;
	lsn_t lsn;		/* of the first byte */
};

enum failure_state {
	FAILURE_NONE,
	FAILURE_TAKEN,		/* the reason is being written */
	FAILURE_KNOWN,
};

struct wal_failure {
	_Atomic int state;	/* atomic: only ever ascends */
	char reason[ERR_MESSAGE_BYTES];	/* constant once FAILURE_KNOWN */
};

struct wal {
	struct vfs *vfs;		/* constant after open */
	struct wal_options options;	/* constant after open */

	/* Guarded by the caller's commit lock. */
	struct wal_part *parts;		/* owned */
	size_t parts_n, parts_cap;
	struct wal_group group;
	struct wal_chain *chain;	/* owned; of the last part */
	lsn_t noted_lsn;		/* durable position in the newest frame */
	lsn_t commit_end;		/* of the newest commit appended */
	seq_t last_seq;

	_Atomic lsn_t written;		/* atomic: end of what was written */
	_Atomic lsn_t commit_written;	/* atomic: the same, of commits */
	_Atomic lsn_t durable;		/* atomic: ascends, stored under `lock` */
	_Atomic uint64_t syncs;		/* atomic */
	struct wal_failure failure;

	struct wal_spare spare;
	_Atomic uint64_t file_bytes;	/* atomic: read alone */
	_Atomic file_id_t newest;	/* atomic: of the parts */
	_Atomic file_id_t published;	/* atomic: under its own name */

	struct lock lock;		/* held while a log file is synced */
	struct vfs_file *current;	/* guarded by lock; borrowed from parts[0] */
	bool has_new_name;	/* guarded by lock: current's is not durable */
	_Atomic file_id_t cut_file;	/* atomic: what the last cut went over to */
};

static int wal_fail(struct wal *wal)
{
	int none = FAILURE_NONE;

	if (atomic_compare_exchange_strong(&wal->failure.state, &none,
					   FAILURE_TAKEN)) {
		strcpy(wal->failure.reason, err_message());
		atomic_store(&wal->failure.state, FAILURE_KNOWN);
	}
	return err_set(AEDB_UNKNOWN, "the log failed: %s", err_message());
}

static bool wal_has_failed(const struct wal *wal)
{
	return atomic_load_explicit(&wal->failure.state, memory_order_acquire) !=
	       FAILURE_NONE;
}

static int wal_failed_before(const struct wal *wal, int code)
{
	return err_set(code, "the log failed earlier: %s",
		       atomic_load(&wal->failure.state) == FAILURE_KNOWN ?
			       wal->failure.reason :
			       "on another thread");
}

static struct wal_part *wal_last_part(const struct wal *wal)
{
	return &wal->parts[wal->parts_n - 1];
}

static lsn_t wal_end_lsn(const struct wal *wal)
{
	return wal->group.lsn + wal->group.used;
}

static uint64_t file_bytes_wanted(uint64_t wanted)
{
	wanted = wanted ? wanted : WAL_FILE_BYTES;
	wanted = wanted > WAL_FILE_BYTES_MIN ? wanted : WAL_FILE_BYTES_MIN;
	return (wanted + FILE_BYTES_ALIGN - 1) & ~(uint64_t)(FILE_BYTES_ALIGN - 1);
}

/* Adds a file of file_bytes, or on a disk that is nearly full of fewer, but not
 * fewer than least. */
static int wal_add_part(struct wal *wal, file_id_t number, uint64_t file_bytes,
			uint64_t least)
{
	struct wal_part part = { .group_start = 0 };
	int rc;

	if (wal->parts_n == wal->parts_cap) {
		size_t cap = wal->parts_cap ? wal->parts_cap * 2 : 2;
		struct wal_part *more = realloc(wal->parts, cap * sizeof(*more));

		if (!more)
			return err_set(AEDB_NO_MEMORY, "log: out of memory");
		wal->parts = more;
		wal->parts_cap = cap;
	}
	rc = wal_spare_take(&wal->spare, wal->vfs, wal->options.db_uuid, number,
			    file_bytes, &part.file, &part.filled);
	while (rc == AEDB_NO_SPACE && file_bytes > least) {
		file_bytes = file_bytes_wanted(file_bytes / 4);
		file_bytes = file_bytes > least ? file_bytes : least;
		rc = wal_spare_take(&wal->spare, wal->vfs, wal->options.db_uuid,
				    number, file_bytes, &part.file, &part.filled);
	}
	if (rc < 0)
		return rc;
	wal->parts[wal->parts_n++] = part;
	atomic_store(&wal->newest, number);
	return 0;
}

static void wal_drop_parts(struct wal *wal, size_t keep)
{
	while (wal->parts_n > keep)
		wal_file_discard(&wal->parts[--wal->parts_n].file);
	atomic_store(&wal->newest, wal_last_part(wal)->file.header.base.number);
}

/* Bytes left for frames of commits when the next one stands at offset. */
static uint64_t room_at(uint64_t file_bytes, uint64_t offset)
{
	uint64_t end = file_bytes - 2 * NOTE_BYTES;

	return offset < end ? end - offset : 0;
}

/* Payload bytes of the next frame of a commit that has `left` to go, or
 * PIECE_NONE: it goes into the next file. */
static size_t piece_bytes(const struct seal *seal, uint64_t room, size_t left)
{
	size_t want = left < FRAME_PAYLOAD_MAX ? left : FRAME_PAYLOAD_MAX;
	size_t least = frame_bytes(seal, PIECE_BYTES_MIN);

	if (frame_bytes(seal, want) <= room)
		return want;
	if (room < least)
		return PIECE_NONE;
	return ((size_t)room - FRAME_HEADER_BYTES - seal_tag_bytes(seal)) &
	       ~(size_t)(FRAME_ALIGN - 1);
}

static int group_reserve(struct wal_group *group, size_t more)
{
	size_t cap = group->cap;
	uint8_t *bytes;

	if (group->cap - group->used >= more)
		return 0;
	while (cap - group->used < more)
		cap *= 2;
	bytes = realloc(group->bytes, cap);
	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "log: a group of %zu bytes: out of memory",
			       cap);
	group->bytes = bytes;
	group->cap = cap;
	return 0;
}

/* Lays out a commit's frames without encoding them: reserves the files and the
 * memory that they take. */
static int wal_reserve_frames(struct wal *wal, size_t left)
{
	const struct wal_file *f = &wal_last_part(wal)->file;
	uint64_t room = room_at(f->header.file_bytes,
				wal_offset(&f->header, wal_end_lsn(wal)));
	struct seal seal = f->seal;
	size_t total = 0;

	for (;;) {
		size_t n = piece_bytes(&seal, room, left);

		if (n == PIECE_NONE) {
			file_id_t number =
				wal_last_part(wal)->file.header.base.number + 1;
			int rc = wal_add_part(wal, number,
					      atomic_load(&wal->file_bytes),
					      WAL_FILE_BYTES_MIN);

			if (rc < 0)
				return rc;
			f = &wal_last_part(wal)->file;
			room = room_at(f->header.file_bytes, FILE_DATA_OFFSET);
			continue;
		}
		total += frame_bytes(&seal, n);
		room -= frame_bytes(&seal, n);
		left -= n;
		if (left == 0)
			return group_reserve(&wal->group, total);
	}
}

/* Reserves all that a commit needs or nothing. */
static int wal_reserve(struct wal *wal, size_t payload_bytes)
{
	size_t parts_before = wal->parts_n;
	int rc = wal_reserve_frames(wal, payload_bytes);

	if (rc < 0)
		wal_drop_parts(wal, parts_before);
	return rc;
}

static void wal_encode(struct wal *wal, struct wal_part *part,
		       struct frame *frame)
{
	struct wal_group *group = &wal->group;
	lsn_t lsn = wal_end_lsn(wal);
	lsn_t durable = atomic_load_explicit(&wal->durable, memory_order_relaxed);
	lsn_t start = part->file.header.start_lsn;

	/* What comes before a file is durable before its header is written. */
	frame->durable_lsn = durable > start ? durable : start;
	wal->noted_lsn = frame->durable_lsn;
	wal_chain_add(wal->chain, frame_encode(frame, &part->file.seal, lsn,
					       group->bytes + group->used));
	group->used += frame_bytes(&part->file.seal, frame->payload_bytes);
}

/* Links the next part's file to the end of this one's. */
static void wal_begin_part(struct wal *wal, struct wal_part *next)
{
	struct wal_header *header = &next->file.header;

	header->start_lsn = header->durable_lsn = wal_end_lsn(wal);
	header->prev_number = next[-1].file.header.base.number;
	wal_chain_finish(wal->chain, header->prev_digest);
	wal_chain_begin(wal->chain, header);
	next->group_start = wal->group.used;
}

/* bytes: wal_commit_bytes. */
static void wal_encode_commit(struct wal *wal, const struct wal_commit *commit,
			      size_t bytes, struct wal_part *part)
{
	size_t left = bytes;
	struct frame frame = { .first_seq = commit->first_seq,
			       .time_us = commit->time_us,
			       .op_count = commit->op_count,
			       .flags = FRAME_FIRST };

	if (commit->has_annex)
		frame.flags |= FRAME_ANNEX;
	while (!(frame.flags & FRAME_FINAL)) {
		const struct wal_header *header = &part->file.header;
		uint64_t offset = wal_offset(header, wal_end_lsn(wal));
		size_t n = piece_bytes(&part->file.seal,
				       room_at(header->file_bytes, offset), left);
		uint8_t *to;

		if (n == PIECE_NONE) {
			wal_begin_part(wal, ++part);
			continue;
		}
		to = wal->group.bytes + wal->group.used + FRAME_HEADER_BYTES;
		if (n == bytes)
			wal_commit_encode(commit, to);
		else
			wal_commit_encode_some(commit, bytes - left, n, to);
		left -= n;
		frame.payload = to;
		frame.payload_bytes = (uint32_t)n;
		frame.flags |= left ? 0 : FRAME_FINAL;
		wal_encode(wal, part, &frame);
		frame.flags &= ~(FRAME_FIRST | FRAME_ANNEX);
	}
}

int wal_append(struct wal *wal, const struct wal_commit *commit)
{
	size_t bytes = wal_commit_bytes(commit), last = wal->parts_n - 1;
	int rc;

	assert(commit->op_count > 0 && commit->first_seq > wal->last_seq);
	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_IO);
	if (bytes > WAL_COMMIT_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "a commit of %zu bytes, at most %llu",
			       bytes, WAL_COMMIT_BYTES_MAX);
	rc = wal_reserve(wal, bytes);
	if (rc < 0)
		return rc;
	wal_encode_commit(wal, commit, bytes, &wal->parts[last]);
	wal->last_seq = commit->first_seq + commit->op_count - 1;
	wal->commit_end = wal_end_lsn(wal);
	return 0;
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
	atomic_store(&wal->file_bytes, file_bytes_wanted(bytes));
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
				       keep_bytes);
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
	if (wal_offset(header, wal->group.lsn) + NOTE_BYTES + spare >
	    header->file_bytes)
		return 0;
	wal_encode(wal, part, &frame);
	return wal_write_group(wal);
}

int wal_note_durable(struct wal *wal)
{
	if (wal_has_failed(wal))
		return wal_failed_before(wal, AEDB_IO);
	if (wal_is_dirty(wal) || wal->noted_lsn >= wal->commit_end)
		return 0;
	return wal_write_note(wal, FRAME_EMPTY, NOTE_BYTES);
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
	free(wal->parts);
	free(wal->group.bytes);
	wal_chain_free(wal->chain);
	lock_release_memory(&wal->lock);
	free(wal);
}

/* A log whose first file, linked as given and large enough for tail_bytes of
 * frames, is not published yet. */
static int wal_new(struct vfs *vfs, const struct wal_options *options,
		   const struct wal_link *link, struct wal **ret)
{
	struct wal *wal = calloc(1, sizeof(*wal));
	struct wal_header *header;
	uint64_t file_bytes = file_bytes_wanted(options->file_bytes);
	uint64_t least = file_bytes_wanted(FILE_DATA_OFFSET + link->tail_bytes +
					   2 * NOTE_BYTES);
	int rc;

	if (!wal)
		return err_set(AEDB_NO_MEMORY, "log: out of memory");
	lock_init(&wal->lock, LOCK_RANK_WAL);
	wal_spare_init(&wal->spare);
	wal->vfs = vfs;
	wal->options = *options;
	atomic_init(&wal->file_bytes, file_bytes);
	wal->group.cap = 64u << 10;
	wal->group.bytes = malloc(wal->group.cap);
	rc = wal->group.bytes ? wal_chain_new(&wal->chain) :
				err_set(AEDB_NO_MEMORY, "log: out of memory");
	if (rc == 0)
		rc = wal_add_part(wal, link->number,
				  file_bytes > least ? file_bytes : least, least);
	if (rc < 0) {
		wal_close(wal);
		return rc;
	}
	header = &wal->parts[0].file.header;
	header->start_lsn = header->durable_lsn = link->start_lsn;
	header->prev_number = link->prev_number;
	memcpy(header->prev_digest, link->prev_digest, WAL_DIGEST_BYTES);
	wal->group.lsn = wal->commit_end = link->start_lsn;
	atomic_init(&wal->durable, link->start_lsn);
	wal_chain_begin(wal->chain, header);
	*ret = wal;
	return 0;
}

static int wal_publish_first(struct wal *wal)
{
	struct wal_file *file = &wal->parts[0].file;
	int rc;

	file->header.durable_lsn = wal->group.lsn;
	rc = wal_file_publish(file);
	if (rc == 0)
		rc = wal_names_sync(wal->vfs);
	if (rc < 0)
		return rc;
	wal->noted_lsn = wal->group.lsn;
	lock_acquire(&wal->lock);
	wal->current = file->file;
	atomic_store(&wal->published, file->header.base.number);
	atomic_store(&wal->written, wal->group.lsn);
	atomic_store(&wal->commit_written, wal->group.lsn);
	atomic_store(&wal->durable, wal->group.lsn);
	lock_release(&wal->lock);
	return 0;
}

int wal_create(struct vfs *vfs, const struct wal_options *options,
	       struct wal **ret)
{
	struct wal_link link = { .number = 1 };
	struct wal *wal;
	int rc = vfs->ops->mkdir(vfs, WAL_DIRECTORY);

	if (rc < 0 && rc != AEDB_EXISTS)
		return rc;
	rc = vfs_sync_dir(vfs, ".");
	if (rc == 0)
		rc = wal_new(vfs, options, &link, &wal);
	if (rc < 0)
		return rc;
	rc = wal_publish_first(wal);
	if (rc < 0) {
		wal_close(wal);
		return rc;
	}
	*ret = wal;
	return 0;
}

/* Copies what the reader kept above the durable part. The new file has room
 * for all of it, so no other file comes into being. */
static int wal_copy_tail(struct wal *wal, struct wal_reader *reader)
{
	struct wal_read_commit c;
	int rc = wal_reader_rewind(reader);

	if (rc < 0)
		return rc;
	while ((rc = wal_reader_next(reader, &c)) > 0) {
		rc = wal_append(wal, &c.commit);
		if (rc == 0 && wal->group.used >= FRAME_PAYLOAD_MAX)
			rc = wal_write_group(wal);
		if (rc < 0)
			return rc;
		assert(wal->parts_n == 1);
	}
	return rc < 0 ? rc : wal_write_group(wal);
}

/* A log that goes on where it was known durable, with a copy of its tail: 1, there
 * is no room for that. */
static int wal_new_with_tail(struct vfs *vfs, const struct wal_options *options,
			     struct wal_reader *reader, struct wal **ret)
{
	struct wal_link link;
	struct wal *wal;
	int rc = wal_reader_link(reader, &link);

	if (rc == 0)
		rc = wal_new(vfs, options, &link, &wal);
	if (rc == AEDB_NO_SPACE && link.tail_bytes)
		return 1;
	if (rc < 0)
		return rc;
	rc = wal_copy_tail(wal, reader);
	if (rc < 0)
		wal_close(wal);
	else
		*ret = wal;
	return rc;
}

/* One that goes on behind its tail. */
static int wal_new_behind_tail(struct vfs *vfs, const struct wal_options *options,
			       struct wal_reader *reader, struct wal **ret)
{
	struct wal_link link;
	struct wal_tail tail;
	int rc = wal_reader_link_behind(reader, &link, &tail);

	if (rc == 0)
		rc = wal_tail_renew(vfs, options->db_uuid, &tail);
	return rc < 0 ? rc : wal_new(vfs, options, &link, ret);
}

int wal_start(struct vfs *vfs, const struct wal_options *options,
	      struct wal_reader *reader, struct wal **ret)
{
	struct wal *wal;
	int rc = wal_files_sweep(vfs);

	if (rc == 0)
		rc = wal_new_with_tail(vfs, options, reader, &wal);
	if (rc > 0)
		rc = wal_new_behind_tail(vfs, options, reader, &wal);
	if (rc < 0)
		goto out;
	/* an opening that was killed may have left the name of the file that
	 * this one continues in memory only */
	rc = wal_names_sync(vfs);
	if (rc == 0)
		rc = wal_publish_first(wal);
	if (rc < 0)
		wal_close(wal);
	else
		*ret = wal;
out:
	/* Nobody waits here for a commit whose outcome is unknown. */
	return rc == AEDB_UNKNOWN ? err_set(AEDB_IO, "%s", err_message()) : rc;
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
