/*
 * Layout of a frame:
 *
 *	 0  CRC32C (4)		 4  payload bytes (4)	 8  first number (8)
 *	16  time, us (8)	24  durable lsn (8)	32  operations (4)
 *	36  flags (2)		38  zero (2)		40  payload, tag, zeros
 *
 * Invariants:
 * 1. A frame never carries a durable position above its own.
 * 2. An empty frame has no payload and belongs to no commit: its number, time
 *    and operations are 0.
 */
#include "frame.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define TIME_US_MAX SEQ_MAX

uint32_t frame_encode(const struct frame *frame, const struct seal *seal,
		      lsn_t lsn, uint8_t *to)
{
	size_t used = FRAME_HEADER_BYTES + frame->payload_bytes;

	bytes_store_le32(to + 4, frame->payload_bytes);
	bytes_store_le64(to + 8, frame->first_seq);
	bytes_store_le64(to + 16, frame->time_us);
	bytes_store_le64(to + 24, frame->durable_lsn);
	bytes_store_le32(to + 32, frame->op_count);
	bytes_store_le16(to + 36, frame->flags);
	bytes_store_le16(to + 38, 0);
	if (frame->payload_bytes && frame->payload != to + FRAME_HEADER_BYTES)
		memcpy(to + FRAME_HEADER_BYTES, frame->payload, frame->payload_bytes);
	memset(to + used, 0, frame_bytes(seal, frame->payload_bytes) - used);
	return seal_record(seal, lsn, to, FRAME_HEADER_BYTES, frame->payload_bytes);
}

void frame_guess(const uint8_t *at, struct frame *ret)
{
	ret->payload_bytes = bytes_load_le32(at + 4);
	ret->first_seq = bytes_load_le64(at + 8);
	ret->time_us = bytes_load_le64(at + 16);
	ret->durable_lsn = bytes_load_le64(at + 24);
	ret->op_count = bytes_load_le32(at + 32);
	ret->flags = bytes_load_le16(at + 36);
	ret->payload = at + FRAME_HEADER_BYTES;
}

static bool fields_are_possible(const struct frame *f)
{
	if (f->flags & FRAME_EMPTY)
		return !(f->flags & ~(FRAME_EMPTY | FRAME_CLOSED)) &&
		       f->payload_bytes == 0 && f->op_count == 0 &&
		       f->first_seq == 0 && f->time_us == 0;
	return !(f->flags & ~(FRAME_FIRST | FRAME_FINAL | FRAME_ANNEX)) &&
	       (f->flags & FRAME_FIRST || !(f->flags & FRAME_ANNEX)) &&
	       f->payload_bytes <= FRAME_PAYLOAD_MAX && f->op_count > 0 &&
	       f->first_seq > 0 && f->first_seq + f->op_count - 1 <= SEQ_MAX &&
	       f->first_seq <= SEQ_MAX && f->time_us <= TIME_US_MAX;
}

enum frame_fault frame_peek(const uint8_t *header, lsn_t lsn, uint64_t room,
			    uint32_t *ret_payload_bytes)
{
	static const uint8_t zeros[FRAME_HEADER_BYTES];
	struct frame f;

	if (room < FRAME_HEADER_BYTES ||
	    !memcmp(header, zeros, FRAME_HEADER_BYTES))
		return FRAME_ABSENT;
	frame_guess(header, &f);
	if (!fields_are_possible(&f) || f.durable_lsn > lsn ||
	    f.durable_lsn % FRAME_ALIGN || bytes_load_le16(header + 38))
		return FRAME_MALFORMED;
	if (f.payload_bytes > room - FRAME_HEADER_BYTES)
		return FRAME_CUT;
	*ret_payload_bytes = f.payload_bytes;
	return FRAME_GOOD;
}

enum frame_fault frame_decode(uint8_t *bytes, const struct seal *seal, lsn_t lsn,
			      struct frame *ret)
{
	struct frame f;

	frame_guess(bytes, &f);
	if (!seal_verify(seal, lsn, bytes, FRAME_HEADER_BYTES, f.payload_bytes))
		return FRAME_CHECKSUM;
	*ret = f;
	return FRAME_GOOD;
}

uint32_t frame_checksum(const uint8_t *bytes)
{
	return bytes_load_le32(bytes);
}

const char *frame_fault_text(enum frame_fault fault)
{
	switch (fault) {
	case FRAME_GOOD:
		return "nothing";
	case FRAME_ABSENT:
		return "no frame where one should be";
	case FRAME_MALFORMED:
		return "impossible frame header";
	case FRAME_CUT:
		return "frame reaches past the end of the file";
	case FRAME_CHECKSUM:
		return "frame checksum does not match";
	}
	return "unknown";
}

void frame_show(FILE *out, lsn_t lsn, const struct frame *frame)
{
	fprintf(out, "lsn %" PRIu64, lsn);
	if (frame->flags & FRAME_EMPTY)
		fprintf(out, " empty%s",
			frame->flags & FRAME_CLOSED ? " closed" : "");
	else
		fprintf(out,
			" first number %" PRIu64 " operations %" PRIu32
			" time %" PRIu64 " us payload %" PRIu32 "%s%s%s",
			frame->first_seq, frame->op_count, frame->time_us,
			frame->payload_bytes,
			frame->flags & FRAME_FIRST ? " first" : "",
			frame->flags & FRAME_FINAL ? " final" : "",
			frame->flags & FRAME_ANNEX ? " annex" : "");
	fprintf(out, " durable %" PRIu64 "\n", frame->durable_lsn);
}
