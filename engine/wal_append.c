/*
 * The log's group: laying out commits in the files of the log, and encoding them.
 */
#include "wal_inner.h"

#include <assert.h>
#include <stdlib.h>

/* A commit is not split for less room than this at the end of a file. */
#define PIECE_BYTES_MIN 256
#define PIECE_NONE SIZE_MAX
#define FILE_BYTES_ALIGN 4096

uint64_t wal_file_bytes_wanted(uint64_t wanted)
{
	wanted = wanted ? wanted : WAL_FILE_BYTES;
	wanted = wanted > WAL_FILE_BYTES_MIN ? wanted : WAL_FILE_BYTES_MIN;
	return (wanted + FILE_BYTES_ALIGN - 1) & ~(uint64_t)(FILE_BYTES_ALIGN - 1);
}

int wal_add_part(struct wal *wal, file_id_t number, uint64_t file_bytes,
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
		file_bytes = wal_file_bytes_wanted(file_bytes / 4);
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
	uint64_t end = file_bytes - 2 * WAL_NOTE_BYTES;

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

void wal_encode_frame(struct wal *wal, struct wal_part *part,
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

void wal_begin_part(struct wal *wal, struct wal_part *next)
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
		wal_encode_frame(wal, part, &frame);
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
