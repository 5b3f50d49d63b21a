/*
 * From the raw bytes of a chunk to those stored, and back: compression, then the
 * cipher.
 *
 * Calling sequence: archive_coders_seal or _open, archive_coder_seal or _open,
 * archive_coders_free.
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

/* n coders that seal, or that open, a thread each. Owned, archive_coders_free,
 * which takes NULL. */
int archive_coders_seal(const struct archive_keys *keys, unsigned n,
			struct archive_coder **ret);
int archive_coders_open(const struct archive_keys *keys, unsigned n,
			struct archive_coder **ret);
void archive_coders_free(struct archive_coder *coders, unsigned n);

/* From record.kind, record.raw_bytes and raw, which is the first room, to all the
 * rest; raw is no more what it was. */
int archive_coder_seal(struct archive_coder *coder, struct archive_chunk *chunk);
/* From the record, the tag and the first room to raw. */
int archive_coder_open(struct archive_coder *coder, struct archive_chunk *chunk);

#endif
