/*
 * The log read behind its writer.
 *
 * Invariants:
 * 1. Only commits within the extent that the caller knows are looked at: they are
 *    whole, and what stands behind them may be anything.
 * 2. A file ends where its successor's frames begin, which after a recovery may
 *    lie before frames that were given up.
 */
#include "wal_follow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "wal_window.h"

#define LSN_NONE UINT64_MAX

struct follow_file {
	file_id_t number;
	lsn_t start;
	seq_t first;		/* of the first commit that begins in it; 0: none */
};

struct wal_follow {
	struct vfs *vfs;
	uint8_t db_uuid[FILE_UUID_BYTES];
	struct follow_file *files;	/* owned; oldest first, each continues the
					 * one before */
	size_t n_files;
	size_t at_file;			/* the window stands on it */
	struct wal_window window;
	lsn_t at;			/* of the next frame */
	seq_t from;
	seq_t first;			/* wal_follow_first */
	uint8_t *payload;		/* owned: of a commit of several frames */
	bool has_annex;			/* that commit's first frame said so */
	size_t payload_bytes, payload_max;
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "following the log: out of memory");
}

static int file_open(struct wal_follow *f, file_id_t number)
{
	char path[WAL_PATH_BYTES];

	return wal_window_open(&f->window, f->vfs, wal_path(number, path),
			       f->db_uuid);
}

static int file_add(struct wal_follow *f, struct follow_file file)
{
	struct follow_file *more = realloc(f->files,
					   (f->n_files + 1) * sizeof(*more));

	if (!more)
		return no_memory();
	f->files = more;
	f->files[f->n_files++] = file;
	return 0;
}

/* Where the frames of the file that the window stands on end: LSN_NONE while
 * that is not known. */
static lsn_t file_end(const struct wal_follow *f, size_t i)
{
	return i + 1 < f->n_files ? f->files[i + 1].start : LSN_NONE;
}

/* The frame at `at`, of which more may have been written than the window saw: 1,
 * or 0 when no good one is there. */
static int frame_look(struct wal_follow *f, lsn_t at, struct frame *ret)
{
	enum frame_fault fault = FRAME_ABSENT;
	int rc = wal_window_frame(&f->window, at, ret, &fault);

	if (rc == 0 && fault != FRAME_GOOD) {
		wal_window_forget(&f->window);
		rc = wal_window_frame(&f->window, at, ret, &fault);
	}
	return rc < 0 ? rc : fault == FRAME_GOOD;
}

/* The number of the first commit that begins in the file that the window stands
 * on, at or below `upto`; 0: none does. */
static int file_first(struct wal_follow *f, lsn_t end, seq_t upto, seq_t *ret)
{
	lsn_t at = f->window.header.start_lsn;
	struct frame frame;
	int rc;

	*ret = 0;
	while (at < end && (rc = frame_look(f, at, &frame)) != 0) {
		if (rc < 0)
			return rc;
		if (frame.flags & FRAME_FIRST) {
			*ret = frame.first_seq <= upto ? frame.first_seq : 0;
			return 0;
		}
		at = wal_window_behind(&f->window, at, &frame);
	}
	return 0;
}

/* Adds files from the newest back to the oldest that is still there. */
static int files_collect(struct wal_follow *f, const struct wal_extent *extent)
{
	file_id_t number = extent->file;
	lsn_t end = LSN_NONE;
	int rc = 0;

	while (number && rc == 0) {
		struct follow_file file = { .number = number };

		rc = file_open(f, number);
		if (rc == AEDB_NOT_FOUND)
			return 0;
		if (rc < 0)
			return rc;
		file.start = f->window.header.start_lsn;
		rc = file_first(f, end, extent->seq, &file.first);
		if (rc == 0)
			rc = file_add(f, file);
		end = file.start;
		number = f->window.header.prev_number;
		if (!number)
			f->first = 1;
	}
	return rc;
}

static void files_reverse(struct wal_follow *f)
{
	for (size_t i = 0; i < f->n_files / 2; i++) {
		struct follow_file *a = &f->files[i];
		struct follow_file *b = &f->files[f->n_files - 1 - i];
		struct follow_file file = *a;

		*a = *b;
		*b = file;
	}
}

int wal_follow_open(struct vfs *vfs, const uint8_t *db_uuid,
		    const struct wal_extent *extent, struct wal_follow **ret)
{
	struct wal_follow *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return no_memory();
	f->vfs = vfs;
	memcpy(f->db_uuid, db_uuid, FILE_UUID_BYTES);
	rc = files_collect(f, extent);
	if (rc < 0) {
		wal_follow_close(f);
		return rc;
	}
	files_reverse(f);
	for (size_t i = 0; i < f->n_files && !f->first; i++)
		f->first = f->files[i].first;
	if (!f->first)
		f->first = extent->seq + 1;
	*ret = f;
	return 0;
}

void wal_follow_close(struct wal_follow *f)
{
	if (!f)
		return;
	wal_window_release(&f->window);
	free(f->files);
	free(f->payload);
	free(f);
}

seq_t wal_follow_first(const struct wal_follow *f)
{
	return f->first;
}

static int file_enter(struct wal_follow *f, size_t i)
{
	int rc = file_open(f, f->files[i].number);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_RANGE, "log file %" PRIu64 " was removed before "
			       "it was read", f->files[i].number);
	f->at_file = i;
	return rc;
}

int wal_follow_seek(struct wal_follow *f, seq_t from)
{
	size_t i = f->n_files;
	int rc;

	/* before the first there may be ends of commits */
	f->from = from > f->first ? from : f->first;
	if (!i)
		return 0;
	do
		i--;
	while (i && (!f->files[i].first || f->files[i].first > from));
	rc = file_enter(f, i);
	f->at = f->files[i].start;
	return rc;
}

/* The file behind the one that is read, if the extent has it, becomes known: 1,
 * or 0. */
static int file_find_next(struct wal_follow *f, const struct wal_extent *extent)
{
	file_id_t number = f->files[f->at_file].number + 1;
	struct wal_window next = { .file = NULL };
	char path[WAL_PATH_BYTES];
	int rc;

	if (f->at_file + 1 < f->n_files)
		return 1;
	if (number > extent->file)
		return 0;
	rc = wal_window_open(&next, f->vfs, wal_path(number, path), f->db_uuid);
	if (rc == AEDB_NOT_FOUND)
		rc = err_set(AEDB_RANGE, "log file %" PRIu64 " was removed before "
			     "it was read", number);
	if (rc == 0)
		rc = file_add(f, (struct follow_file){
					 .number = number,
					 .start = next.header.start_lsn });
	wal_window_release(&next);
	return rc < 0 ? rc : 1;
}

/* There is no frame at `at`: the file ends there, or the log so far. */
static int file_go_on(struct wal_follow *f, const struct wal_extent *extent)
{
	char path[WAL_PATH_BYTES];
	int rc = file_find_next(f, extent);

	if (rc <= 0)
		return rc;
	if (f->at != file_end(f, f->at_file))
		return err_set(AEDB_CORRUPT, "%s at byte %" PRIu64 ": no frame, but "
			       "the log goes on",
			       wal_path(f->files[f->at_file].number, path),
			       wal_offset(&f->window.header, f->at));
	rc = file_enter(f, f->at_file + 1);
	return rc < 0 ? rc : 1;
}

/* Adds a frame to its commit. */
static int payload_add(struct wal_follow *f, const struct frame *frame)
{
	size_t n = frame->payload_bytes;

	if (frame->flags & FRAME_FIRST) {
		f->payload_bytes = 0;
		f->has_annex = frame->flags & FRAME_ANNEX;
	}
	if (n > f->payload_max - f->payload_bytes) {
		size_t max = f->payload_bytes + n;
		uint8_t *more = realloc(f->payload, max);

		if (!more)
			return no_memory();
		f->payload = more;
		f->payload_max = max;
	}
	if (n)
		memcpy(f->payload + f->payload_bytes, frame->payload, n);
	f->payload_bytes += n;
	return 0;
}

/* Takes the frame, which the extent has: 1 when a commit is complete that was asked
 * for. */
static int frame_take(struct wal_follow *f, const struct frame *frame,
		      struct wal_commit *ret)
{
	seq_t number = frame->first_seq + frame->op_count - 1;
	bool is_wanted = !(frame->flags & FRAME_EMPTY) && number >= f->from;
	struct wal_commit commit;
	int rc = is_wanted ? payload_add(f, frame) : 0;

	if (rc < 0)
		return rc;
	f->at = wal_window_behind(&f->window, f->at, frame);
	if (!is_wanted || !(frame->flags & FRAME_FINAL))
		return 0;
	commit = (struct wal_commit){ .first_seq = frame->first_seq,
				    .time_us = frame->time_us,
				    .op_count = frame->op_count,
				    .has_annex = f->has_annex,
				    .payload_bytes = f->payload_bytes,
				    .payload = f->payload };
	rc = wal_commit_split(&commit);
	if (rc < 0)
		return rc;
	*ret = commit;
	return 1;
}

int wal_follow_next(struct wal_follow *f, const struct wal_extent *extent,
		    struct wal_commit *ret)
{
	struct frame frame;
	int rc = f->n_files ? 1 : 0;

	while (rc > 0) {
		bool is_over = f->at == file_end(f, f->at_file);

		rc = is_over ? 0 : frame_look(f, f->at, &frame);
		if (rc == 0) {
			rc = file_go_on(f, extent);
			continue;
		}
		if (rc < 0)
			break;
		if (!(frame.flags & FRAME_EMPTY) &&
		    frame.first_seq + frame.op_count - 1 > extent->seq)
			return 0;
		rc = frame_take(f, &frame, ret);
		if (rc)
			break;
		rc = 1;
	}
	return rc;
}
