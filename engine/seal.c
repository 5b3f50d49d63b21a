/*
 * Sealing with cipher 0: a seeded checksum.
 *
 * Invariants:
 * 1. The checksum covers what is on disk (the sealed payload and the tag), so
 *    that damage shows without a key.
 */
#include "seal.h"

#include <assert.h>

#include "bytes.h"
#include "crc32c.h"

#define CHECKSUM_BYTES 4

void seal_init(struct seal *seal, const struct file_header *header)
{
	seal->seed = crc32c(0, header->incarnation, sizeof(header->incarnation));
	seal->cipher = header->cipher;
}

static uint32_t record_checksum(const struct seal *seal, uint64_t position,
				const uint8_t *record, size_t record_bytes)
{
	uint8_t where[8];

	bytes_store_le64(where, position);
	return crc32c(crc32c(seal->seed, where, sizeof(where)),
		      record + CHECKSUM_BYTES, record_bytes - CHECKSUM_BYTES);
}

uint32_t seal_record(const struct seal *seal, uint64_t position, void *record,
		     size_t header_bytes, size_t payload_bytes)
{
	size_t n = header_bytes + payload_bytes + seal_tag_bytes(seal);
	uint32_t sum = record_checksum(seal, position, record, n);

	bytes_store_le32(record, sum);
	return sum;
}

uint32_t seal_record_apart(const struct seal *seal, uint64_t position,
			   void *header, size_t header_bytes,
			   const void *payload, size_t payload_bytes)
{
	uint32_t sum = crc32c(record_checksum(seal, position, header,
					      header_bytes),
			      payload, payload_bytes);

	assert(seal->cipher == 0);
	bytes_store_le32(header, sum);
	return sum;
}

bool seal_verify(const struct seal *seal, uint64_t position, void *record,
		 size_t header_bytes, size_t payload_bytes)
{
	size_t n = header_bytes + payload_bytes + seal_tag_bytes(seal);

	return bytes_load_le32(record) ==
	       record_checksum(seal, position, record, n);
}
