/*
 * Sealing: the one way by which bytes of the database become a record on disk,
 * and are believed when they come back.
 *
 * A record is a CRC32C (4 bytes), the rest of its header, a payload and room
 * for a tag. The checksum is seeded by the file's incarnation and the record's
 * position, so a stale record or one in the wrong place never verifies.
 * Cipher 0, the only one so far, leaves the payload as it is and has no tag.
 *
 * Calling sequence: seal_init from a decoded or fresh file header, then
 * seal_record and seal_verify. Threads: constant after init, any thread.
 */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_header.h"

struct seal {
	uint32_t seed;		/* checksum of the incarnation */
	uint16_t cipher;
};

void seal_init(struct seal *seal, const struct file_header *header);

/* Bytes that follow the payload of every record. */
static inline size_t seal_tag_bytes(const struct seal *seal)
{
	(void)seal;
	return 0;
}

/* Seals a record of header_bytes (the first four for the checksum),
 * payload_bytes and seal_tag_bytes in place. `position` says where in the file
 * or log it goes. Returns the checksum. */
uint32_t seal_record(const struct seal *seal, uint64_t position, void *record,
		     size_t header_bytes, size_t payload_bytes);

/* The same of a payload that stays where it is and is written behind the
 * header: for ciphers that leave it as it is. */
uint32_t seal_record_apart(const struct seal *seal, uint64_t position,
			   void *header, size_t header_bytes,
			   const void *payload, size_t payload_bytes);

/* Whether a record read from `position` is what was sealed for it; then its
 * payload is readable in place. */
bool seal_verify(const struct seal *seal, uint64_t position, void *record,
		 size_t header_bytes, size_t payload_bytes);

#endif
