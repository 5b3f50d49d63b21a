/*
 * A record of an archive with room for what it holds, on its way through the
 * stages of packing or unpacking.
 *
 * Threads: one at a time has it; who passes it on is archive_pipeline.h.
 */
#ifndef ARCHIVE_CHUNK_H
#define ARCHIVE_CHUNK_H

#include "archive_cipher.h"
#include "err.h"

struct archive_chunk {
	struct archive_position at;
	struct archive_record record;
	uint8_t tag[ARCHIVE_TAG_BYTES_MAX];
	/* Of ARCHIVE_CHUNK_BYTES each; what comes in is in the first. */
	uint8_t *room[2];
	/* Each is in one of the rooms. */
	uint8_t *raw, *stored;
	uint64_t offset;		/* of a chunk in its entry */
	uint8_t sha256[AEDB_ARCHIVE_SHA256_BYTES];	/* a foot's, if asked for */
	/* Why it is no good: the first error of its stages. */
	int rc;
	char message[ERR_MESSAGE_BYTES];
	/* The pipeline's. */
	unsigned stage;
	bool is_running;
};

#endif
