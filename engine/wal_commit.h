/*
 * A commit's bytes as its frames hold them, one after the other: of one with an
 * annex a varint, how many bytes that has, the annex, and then the payload.
 *
 * Threads: no state. Errors: AEDB_CORRUPT.
 */
#ifndef WAL_COMMIT_H
#define WAL_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "types.h"

#define WAL_COMMIT_BYTES_MAX (1ull << 30)	/* in the frames of one commit */

/* One commit. Numbers first_seq … first_seq + op_count - 1 are its operations'
 * and above every earlier commit's; op_count >= 1. */
struct wal_commit {
	seq_t first_seq;
	uint64_t time_us;
	uint32_t op_count;
	bool has_annex;		/* it says what segments had for it (annex.h) */
	size_t payload_bytes, annex_bytes;
	const void *payload, *annex;	/* borrowed for the call */
};

static inline size_t wal_commit_bytes(const struct wal_commit *commit)
{
	if (!commit->has_annex)
		return commit->payload_bytes;
	return bytes_varint_size(commit->annex_bytes) + commit->annex_bytes +
	       commit->payload_bytes;
}

/* Writes all of them; or n of them, from the one at `from` on. */
void wal_commit_encode(const struct wal_commit *commit, uint8_t *ret);
void wal_commit_encode_some(const struct wal_commit *commit, size_t from,
			    size_t n, uint8_t *ret);
/* Of a commit whose payload is all bytes of its frames: splits the annex off,
 * if it has one. */
int wal_commit_split(struct wal_commit *commit);

#endif
