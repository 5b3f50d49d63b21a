/*
 * Compression and encryption of one chunk.
 *
 * Invariant: 1. What is stored of a chunk depends on its bytes, its place and the
 * key, not on what was stored before or by which thread.
 */
#include "archive_coder.h"

#include <stdlib.h>

#include <zstd.h>

#include "err.h"

#define LEVEL 1
/* A chunk is compressed if one of some samples gets smaller by an eighth, and
 * kept so if it gets smaller by a 32nd. */
#define SAMPLES 4
#define SAMPLE_BYTES (8u << 10)
#define SAMPLE_GAIN 8
#define GAIN 32

static int init_seal(struct archive_coder *coder, const struct archive_keys *keys)
{
	coder->compressor = ZSTD_createCCtx();
	if (!coder->compressor)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	return archive_cipher_init_seal(&coder->cipher, keys);
}

static int init_open(struct archive_coder *coder, const struct archive_keys *keys)
{
	coder->decompressor = ZSTD_createDCtx();
	if (!coder->decompressor)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	return archive_cipher_init_open(&coder->cipher, keys);
}

typedef int init(struct archive_coder *coder, const struct archive_keys *keys);

static int coders_new(init *one, const struct archive_keys *keys, unsigned n,
		      struct archive_coder **ret)
{
	struct archive_coder *coders = calloc(n, sizeof(*coders));
	int rc = 0;

	if (!coders)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = one(&coders[i], keys);
	if (rc < 0)
		archive_coders_free(coders, n);
	else
		*ret = coders;
	return rc;
}

int archive_coders_seal(const struct archive_keys *keys, unsigned n,
			struct archive_coder **ret)
{
	return coders_new(init_seal, keys, n, ret);
}

int archive_coders_open(const struct archive_keys *keys, unsigned n,
			struct archive_coder **ret)
{
	return coders_new(init_open, keys, n, ret);
}

void archive_coders_free(struct archive_coder *coders, unsigned n)
{
	for (unsigned i = 0; coders && i < n; i++) {
		archive_cipher_release(&coders[i].cipher);
		ZSTD_freeCCtx(coders[i].compressor);
		ZSTD_freeDCtx(coders[i].decompressor);
	}
	free(coders);
}

/* Bytes after compression; 0: it does not fit. */
static size_t compress(struct archive_coder *coder, void *to, size_t room,
		       const void *from, size_t n)
{
	size_t got = ZSTD_compressCCtx(coder->compressor, to, room, from, n, LEVEL);

	return ZSTD_isError(got) ? 0 : got;
}

/* A look at some places takes a hundredth of what the whole takes. */
static bool is_worth_it(struct archive_coder *coder, const uint8_t *raw, size_t n)
{
	uint8_t room[SAMPLE_BYTES - SAMPLE_BYTES / SAMPLE_GAIN];

	if (n < SAMPLES * SAMPLE_BYTES)
		return true;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t at = (n - SAMPLE_BYTES) / (SAMPLES - 1) * i;

		if (compress(coder, room, sizeof(room), raw + at, SAMPLE_BYTES))
			return true;
	}
	return false;
}

int archive_coder_seal(struct archive_coder *coder, struct archive_chunk *chunk)
{
	struct archive_record *record = &chunk->record;
	size_t n = record->raw_bytes, smaller = 0;

	if (record->kind == ARCHIVE_CHUNK && is_worth_it(coder, chunk->raw, n))
		smaller = compress(coder, chunk->room[1], n - n / GAIN - 1,
				   chunk->raw, n);
	record->codec = smaller ? ARCHIVE_ZSTD : ARCHIVE_PLAIN;
	record->stored_bytes = (uint32_t)(smaller ? smaller : n);
	chunk->stored = smaller ? chunk->room[1] : chunk->raw;
	return archive_cipher_seal(&coder->cipher, chunk->at, record,
				   chunk->stored, chunk->tag);
}

int archive_coder_open(struct archive_coder *coder, struct archive_chunk *chunk)
{
	const struct archive_record *record = &chunk->record;
	size_t n;
	int rc = archive_cipher_open(&coder->cipher, chunk->at, record,
				     chunk->room[0], chunk->tag);

	if (rc < 0)
		return rc;
	chunk->raw = chunk->room[0];
	if (record->codec == ARCHIVE_PLAIN)
		return 0;
	chunk->raw = chunk->room[1];
	n = ZSTD_decompressDCtx(coder->decompressor, chunk->raw, record->raw_bytes,
				chunk->room[0], record->stored_bytes);
	if (ZSTD_isError(n) || n != record->raw_bytes)
		return err_set(AEDB_CORRUPT, "it does not decompress to the %u "
			       "bytes it says", record->raw_bytes);
	return 0;
}
