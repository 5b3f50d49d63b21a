/*
 * The records of a manifest file: edits, and notes of how many edits are
 * durable.
 *
 * A record is a header (CRC32C, payload bytes, number), a payload, in a signed
 * manifest an HMAC-SHA256, and zeros up to a multiple of 8. The HMAC covers the
 * one of the edit before it, so edits form a chain that begins with the file's
 * header; the checksum covers it, too, so that damage shows without a key.
 *
 * Calling sequence: manifest_sealer_init; for an edit manifest_record_seal or
 * manifest_record_is_whole and manifest_record_verify, then
 * manifest_sealer_go_on; for a note the same without the last;
 * manifest_sealer_release.
 * Threads: a sealer belongs to one thread at a time.
 * Errors: AEDB_NO_MEMORY; AEDB_ACCESS: another key.
 */
#ifndef MANIFEST_RECORD_H
#define MANIFEST_RECORD_H

#include "seal.h"

#define MANIFEST_RECORD_HEADER_BYTES 16
#define MANIFEST_RECORD_ALIGN 8
#define MANIFEST_TAG_BYTES 32
#define MANIFEST_PAYLOAD_BYTES_MAX (256u << 20)

/* Edit number n (the first is 1) is noted in block 1 + n % 2 of the file, so
 * that at most one of two notes can be torn. Edits begin behind both. */
#define MANIFEST_NOTES 2
#define MANIFEST_NOTE_OFFSET(i) (FILE_DATA_OFFSET * (1 + (uint64_t)(i)))
#define MANIFEST_EDITS_OFFSET MANIFEST_NOTE_OFFSET(MANIFEST_NOTES)

struct manifest_key {
	const void *bytes;	/* NULL: unsigned; borrowed as long as it is used */
	size_t n;
};

struct manifest_sealer {
	struct seal seal;
	struct evp_mac_ctx_st *mac;	/* owned; NULL: without a key */
	size_t tag_bytes;		/* of each record; 0: not signed */
	uint8_t tag[MANIFEST_TAG_BYTES];	/* of the last edit, or the header */
};

/* Whether the file with this header is signed, and how to say that it is. */
bool manifest_header_is_signed(const struct file_header *header);
void manifest_header_set_signed(struct file_header *header);

/* Without a key a signed file's records are checked by their checksums only.
 * Owned: manifest_sealer_release. */
int manifest_sealer_init(struct manifest_sealer *s,
			 const struct file_header *header,
			 struct manifest_key key);
/* Takes a zeroed one. */
void manifest_sealer_release(struct manifest_sealer *s);

/* Bytes of a record in the file. */
size_t manifest_record_bytes(const struct manifest_sealer *s,
			     size_t payload_bytes);

/* Seals a record whose payload stands behind room for the header. */
int manifest_record_seal(const struct manifest_sealer *s, uint64_t offset,
			 uint64_t number, uint8_t *record, size_t payload_bytes);
/* Whether the bytes at `record`, `room` of them, were sealed as a record for
 * this offset. */
bool manifest_record_is_whole(const struct manifest_sealer *s, uint64_t offset,
			      uint8_t *record, uint64_t room);
/* Of a whole record. */
uint64_t manifest_record_number(const uint8_t *record);
size_t manifest_record_payload_bytes(const uint8_t *record);
/* Whether a whole record follows the last edit and was signed with the key. */
int manifest_record_verify(const struct manifest_sealer *s,
			   const uint8_t *record);
/* A sealed or verified edit is the last one now. */
void manifest_sealer_go_on(struct manifest_sealer *s, const uint8_t *record);

#endif
