/*
 * What an archive's records are protected with: AES-256-GCM under a key that is
 * made for the archive alone, or, without a key, a checksum.
 *
 * Calling sequence: archive_keys_new (packing) or archive_keys_open (unpacking);
 * for each thread archive_cipher_init_seal or archive_cipher_init_open, seal or open,
 * archive_cipher_release; archive_keys_wipe.
 * Threads: keys are constant once made; a cipher is one thread's.
 * Errors: AEDB_ACCESS, AEDB_INVALID of keys; AEDB_CORRUPT of records;
 * AEDB_NO_MEMORY.
 */
#ifndef ARCHIVE_CIPHER_H
#define ARCHIVE_CIPHER_H

#include "archive_format.h"

#define ARCHIVE_TAG_BYTES_MAX 16
#define ARCHIVE_DIGEST_BYTES 32

struct archive_key {		/* the caller's; borrowed */
	const void *bytes;	/* NULL: none */
	size_t n;
};

struct archive_keys {
	bool is_encrypted;
	uint8_t key[32];
	uint8_t digest[ARCHIVE_DIGEST_BYTES];	/* of the header */
};

/* Fills in the header's salt and check, and encodes it. */
int archive_keys_new(struct archive_key key, struct archive_header *header,
		     uint8_t ret_bytes[ARCHIVE_HEADER_BYTES],
		     struct archive_keys *ret);
/* Decodes a header and checks that the key is its key. */
int archive_keys_open(struct archive_key key,
		      const uint8_t bytes[ARCHIVE_HEADER_BYTES],
		      struct archive_header *ret_header,
		      struct archive_keys *ret);
void archive_keys_wipe(struct archive_keys *keys);

/* Bytes of the tag behind each record. */
static inline size_t archive_tag_bytes(const struct archive_keys *keys)
{
	return keys->is_encrypted ? ARCHIVE_TAG_BYTES_MAX : 4;
}

struct evp_cipher_ctx_st;

struct archive_cipher {
	const struct archive_keys *keys;	/* borrowed until release */
	struct evp_cipher_ctx_st *context;	/* NULL: not encrypted */
};

int archive_cipher_init_seal(struct archive_cipher *cipher,
			     const struct archive_keys *keys);
int archive_cipher_init_open(struct archive_cipher *cipher,
			     const struct archive_keys *keys);
/* Takes one of zeros. */
void archive_cipher_release(struct archive_cipher *cipher);

/* Both in place. `bytes` are the record's stored ones. */
int archive_cipher_seal(struct archive_cipher *cipher,
			struct archive_position at,
			const struct archive_record *record, uint8_t *bytes,
			uint8_t *ret_tag);
int archive_cipher_open(struct archive_cipher *cipher,
			struct archive_position at,
			const struct archive_record *record, uint8_t *bytes,
			uint8_t *tag);

#endif
