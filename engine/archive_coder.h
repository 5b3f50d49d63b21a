/*
 * From the raw bytes of a chunk to those stored, and back: compression, then the
 * cipher.
 *
 * Calling sequence: archive_coder_init_seal or _open, seal or open, release.
 * Threads: a coder is one thread's. Errors: AEDB_CORRUPT, AEDB_NO_MEMORY.
 */
#ifndef ARCHIVE_CODER_H
#define ARCHIVE_CODER_H

#include "archive_chunk.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct archive_coder {
	struct archive_cipher cipher;
	struct ZSTD_CCtx_s *compressor;		/* NULL: it opens */
	struct ZSTD_DCtx_s *decompressor;	/* NULL: it seals */
};

int archive_coder_init_seal(struct archive_coder *coder,
			    const struct archive_keys *keys);
int archive_coder_init_open(struct archive_coder *coder,
			    const struct archive_keys *keys);
/* Takes one of zeros. */
void archive_coder_release(struct archive_coder *coder);

/* From record.kind, record.raw_bytes and raw, which is the first room, to all the
 * rest; raw is no more what it was. */
int archive_coder_seal(struct archive_coder *coder, struct archive_chunk *chunk);
/* From the record, the tag and the first room to raw. */
int archive_coder_open(struct archive_coder *coder, struct archive_chunk *chunk);

#endif
