/*
 * Frames: the records of the write-ahead log.
 *
 * A commit is one or more frames in log order, the first marked FRAME_FIRST,
 * the last FRAME_FINAL. Frames begin at multiples of FRAME_ALIGN, counted in
 * lsn_t and in bytes of the file alike.
 * Threads: no state.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "seal.h"
#include "types.h"

#define FRAME_HEADER_BYTES 40
#define FRAME_PAYLOAD_MAX (1u << 20)
#define FRAME_ALIGN 8

enum frame_flags {
	FRAME_FIRST = 1,
	FRAME_FINAL = 2,
	FRAME_EMPTY = 4,	/* belongs to no commit, carries durable_lsn */
	FRAME_CLOSED = 8,	/* with EMPTY: nothing follows in this file */
	FRAME_ANNEX = 16,	/* with FIRST: the commit's bytes begin with its
				 * annex */
};

struct frame {
	seq_t first_seq;	/* of the commit */
	uint64_t time_us;	/* of the commit */
	lsn_t durable_lsn;	/* all before it was synced when this was made */
	uint32_t op_count;	/* of the commit */
	uint32_t payload_bytes;	/* of this frame */
	uint16_t flags;
	const uint8_t *payload;	/* borrowed from the bytes it was decoded from */
};

/* What can be wrong with bytes where a frame should be. */
enum frame_fault {
	FRAME_GOOD,
	FRAME_ABSENT,		/* zeros, or no room for a header */
	FRAME_MALFORMED,	/* impossible fields */
	FRAME_CUT,		/* reaches past the end */
	FRAME_CHECKSUM,
};

/* Bytes a frame takes in the log. */
static inline size_t frame_bytes(const struct seal *seal, size_t payload_bytes)
{
	return (FRAME_HEADER_BYTES + payload_bytes + seal_tag_bytes(seal) +
		FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* Writes frame_bytes at `to`, sealed for `lsn`; the payload is copied, if it is
 * not in its place behind the header. Returns the checksum. */
uint32_t frame_encode(const struct frame *frame, const struct seal *seal,
		      lsn_t lsn, uint8_t *to);

/* Checks the fields of a header of FRAME_HEADER_BYTES that should stand at
 * `lsn`, `room` bytes before the end of its file; FRAME_GOOD says that
 * frame_decode may be tried on frame_bytes of *ret_payload_bytes. */
enum frame_fault frame_peek(const uint8_t *header, lsn_t lsn, uint64_t room,
			    uint32_t *ret_payload_bytes);

/* A frame's fields as they stand: nobody knows yet whether they are damaged. */
void frame_guess(const uint8_t *at, struct frame *ret);

/* Decodes a frame whose header frame_peek found good. */
enum frame_fault frame_decode(uint8_t *bytes, const struct seal *seal, lsn_t lsn,
			      struct frame *ret);

/* The checksum of an encoded frame. */
uint32_t frame_checksum(const uint8_t *bytes);

/* "no frame", "checksum does not match", …; borrowed for ever. */
const char *frame_fault_text(enum frame_fault fault);

/* Prints one line. */
void frame_show(FILE *out, lsn_t lsn, const struct frame *frame);

#endif
