/*
 * Records of a manifest file.
 *
 *	 0  CRC32C (4)		 4  payload bytes (4)	 8  number (8)
 *	16  payload, HMAC if signed, zeros
 *
 * Invariants:
 * 1. The HMAC is of the HMAC before it and of number, payload bytes and payload;
 *    the one before the first edit is of the file's header. A note's is made as
 *    that of an edit in its place would be, and begins no chain.
 */
#include "manifest_record.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "bytes.h"
#include "err.h"

enum { SPECIFIC_IS_SIGNED = 0 };	/* offset in file_header.specific */

#define CHECKSUM_BYTES 4

bool manifest_header_is_signed(const struct file_header *header)
{
	return header->specific[SPECIFIC_IS_SIGNED] != 0;
}

void manifest_header_set_signed(struct file_header *header)
{
	header->specific[SPECIFIC_IS_SIGNED] = 1;
}

static int mac_failed(void)
{
	return err_set(AEDB_NO_MEMORY, "HMAC-SHA256 failed");
}

/* The HMAC of the two, one after the other. */
static int mac_compute(EVP_MAC_CTX *mac, const void *a, size_t a_bytes,
		       const void *b, size_t b_bytes, uint8_t *ret)
{
	size_t n;

	if (!EVP_MAC_init(mac, NULL, 0, NULL) ||
	    !EVP_MAC_update(mac, a, a_bytes) || !EVP_MAC_update(mac, b, b_bytes) ||
	    !EVP_MAC_final(mac, ret, &n, MANIFEST_TAG_BYTES))
		return mac_failed();
	return 0;
}

static int mac_new(struct manifest_key key, EVP_MAC_CTX **ret)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

	EVP_MAC_free(hmac);
	if (!mac || !EVP_MAC_init(mac, key.bytes, key.n, params)) {
		EVP_MAC_CTX_free(mac);
		return mac_failed();
	}
	*ret = mac;
	return 0;
}

int manifest_sealer_init(struct manifest_sealer *s,
			 const struct file_header *header,
			 struct manifest_key key)
{
	struct manifest_sealer sealer = { .mac = NULL };
	uint8_t bytes[FILE_HEADER_BYTES];
	int rc = 0;

	seal_init(&sealer.seal, header);
	if (manifest_header_is_signed(header)) {
		sealer.tag_bytes = MANIFEST_TAG_BYTES;
		if (key.bytes)
			rc = mac_new(key, &sealer.mac);
	}
	if (rc == 0 && sealer.mac) {
		file_header_encode(header, bytes);
		rc = mac_compute(sealer.mac, bytes, sizeof(bytes), NULL, 0,
				 sealer.tag);
	}
	if (rc < 0) {
		manifest_sealer_release(&sealer);
		return rc;
	}
	*s = sealer;
	return 0;
}

void manifest_sealer_release(struct manifest_sealer *s)
{
	EVP_MAC_CTX_free(s->mac);
	s->mac = NULL;
}

/* Without the zeros behind it. */
static size_t sealed_bytes(const struct manifest_sealer *s, size_t payload_bytes)
{
	return MANIFEST_RECORD_HEADER_BYTES + payload_bytes + s->tag_bytes;
}

size_t manifest_record_bytes(const struct manifest_sealer *s,
			     size_t payload_bytes)
{
	return (sealed_bytes(s, payload_bytes) + MANIFEST_RECORD_ALIGN - 1) &
	       ~(size_t)(MANIFEST_RECORD_ALIGN - 1);
}

/* The tag a record has to carry. */
static int tag_compute(const struct manifest_sealer *s, const uint8_t *record,
		       size_t payload_bytes, uint8_t *ret)
{
	return mac_compute(s->mac, s->tag, sizeof(s->tag),
			   record + CHECKSUM_BYTES,
			   MANIFEST_RECORD_HEADER_BYTES - CHECKSUM_BYTES +
				   payload_bytes,
			   ret);
}

int manifest_record_seal(const struct manifest_sealer *s, uint64_t offset,
			 uint64_t number, uint8_t *record, size_t payload_bytes)
{
	uint8_t *tag = record + MANIFEST_RECORD_HEADER_BYTES + payload_bytes;
	size_t sealed = sealed_bytes(s, payload_bytes);
	int rc = 0;

	bytes_store_le32(record + 4, (uint32_t)payload_bytes);
	bytes_store_le64(record + 8, number);
	if (s->mac)
		rc = tag_compute(s, record, payload_bytes, tag);
	if (rc < 0)
		return rc;
	memset(record + sealed, 0, manifest_record_bytes(s, payload_bytes) - sealed);
	seal_record(&s->seal, offset, record, MANIFEST_RECORD_HEADER_BYTES,
		    payload_bytes + s->tag_bytes);
	return 0;
}

bool manifest_record_is_whole(const struct manifest_sealer *s, uint64_t offset,
			      uint8_t *record, uint64_t room)
{
	size_t payload_bytes;

	if (room < MANIFEST_RECORD_HEADER_BYTES)
		return false;
	payload_bytes = manifest_record_payload_bytes(record);
	return payload_bytes <= MANIFEST_PAYLOAD_BYTES_MAX &&
	       sealed_bytes(s, payload_bytes) <= room &&
	       seal_verify(&s->seal, offset, record,
			   MANIFEST_RECORD_HEADER_BYTES,
			   payload_bytes + s->tag_bytes);
}

uint64_t manifest_record_number(const uint8_t *record)
{
	return bytes_load_le64(record + 8);
}

size_t manifest_record_payload_bytes(const uint8_t *record)
{
	return bytes_load_le32(record + 4);
}

static const uint8_t *record_tag(const uint8_t *record)
{
	return record + MANIFEST_RECORD_HEADER_BYTES +
	       manifest_record_payload_bytes(record);
}

int manifest_record_verify(const struct manifest_sealer *s,
			   const uint8_t *record)
{
	uint8_t want[MANIFEST_TAG_BYTES];
	int rc;

	if (!s->mac)
		return 0;
	rc = tag_compute(s, record, manifest_record_payload_bytes(record), want);
	if (rc < 0)
		return rc;
	if (CRYPTO_memcmp(want, record_tag(record), sizeof(want)) != 0)
		return err_set(AEDB_ACCESS, "not signed with this key");
	return 0;
}

void manifest_sealer_go_on(struct manifest_sealer *s, const uint8_t *record)
{
	if (s->tag_bytes)
		memcpy(s->tag, record_tag(record), s->tag_bytes);
}
