/*
 * Keys and tags of archives.
 *
 * Invariants:
 * 1. A key is used for one archive: it is made of the caller's with a salt that
 *    was drawn for it. So a nonce, which is the record's place, is used once.
 * 2. A tag covers the place, the record's header and the digest of the archive's
 *    header; what is at another place or of another archive does not verify.
 */
#include "archive_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "err.h"
#include "file_header.h"

#define NONCE_BYTES 12
#define DERIVED_BYTES (32 + ARCHIVE_CHECK_BYTES)

static const char purpose[] = "aedb archive 1";

/* HKDF-SHA256: the key, then the check. */
static int derive(struct archive_key key, const uint8_t *salt,
		  uint8_t ret[DERIVED_BYTES])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						  (void *)key.bytes, key.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
						  (void *)salt,
						  ARCHIVE_SALT_BYTES),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
						  (void *)purpose,
						  sizeof(purpose) - 1),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int rc = 0;

	if (!context || EVP_KDF_derive(context, ret, DERIVED_BYTES, params) != 1)
		rc = err_set(AEDB_NO_MEMORY, "archive: cannot derive its key");
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return rc;
}

static int key_check(struct archive_key key)
{
	if (key.bytes &&
	    (key.n < AEDB_ARCHIVE_KEY_MIN || key.n > AEDB_ARCHIVE_KEY_MAX))
		return err_set(AEDB_INVALID, "an archive's key has %d to %d bytes, not %zu",
			       AEDB_ARCHIVE_KEY_MIN, AEDB_ARCHIVE_KEY_MAX, key.n);
	return 0;
}

static int digest_header(const uint8_t bytes[ARCHIVE_HEADER_BYTES],
			 uint8_t ret[ARCHIVE_DIGEST_BYTES])
{
	if (EVP_Digest(bytes, ARCHIVE_HEADER_BYTES, ret, NULL, EVP_sha256(),
		       NULL) != 1)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	return 0;
}

int archive_keys_new(struct archive_key key, struct archive_header *header,
		     uint8_t ret_bytes[ARCHIVE_HEADER_BYTES],
		     struct archive_keys *ret)
{
	uint8_t derived[DERIVED_BYTES] = { 0 };
	int rc = key_check(key);

	if (rc == 0)
		rc = file_random_bytes(header->salt, sizeof(header->salt));
	if (rc == 0 && key.bytes)
		rc = derive(key, header->salt, derived);
	if (rc < 0)
		return rc;
	header->is_encrypted = key.bytes;
	memcpy(header->check, derived + 32, ARCHIVE_CHECK_BYTES);
	archive_header_encode(header, ret_bytes);
	ret->is_encrypted = key.bytes;
	memcpy(ret->key, derived, sizeof(ret->key));
	OPENSSL_cleanse(derived, sizeof(derived));
	return digest_header(ret_bytes, ret->digest);
}

/* Fills in the key if the archive has one. */
static int key_open(struct archive_key key, const struct archive_header *header,
		    uint8_t ret[32])
{
	uint8_t derived[DERIVED_BYTES];
	bool is_right;
	int rc;

	if (key.bytes && !header->is_encrypted)
		return err_set(AEDB_INVALID, "the archive is not encrypted: a key "
			       "proves nothing of it");
	if (!key.bytes && header->is_encrypted)
		return err_set(AEDB_ACCESS, "the archive is encrypted: a key is needed");
	if (!key.bytes)
		return 0;
	rc = derive(key, header->salt, derived);
	if (rc < 0)
		return rc;
	is_right = CRYPTO_memcmp(derived + 32, header->check,
				 ARCHIVE_CHECK_BYTES) == 0;
	if (is_right)
		memcpy(ret, derived, 32);
	OPENSSL_cleanse(derived, sizeof(derived));
	return is_right ? 0 : err_set(AEDB_ACCESS, "wrong key for the archive");
}

int archive_keys_open(struct archive_key key,
		      const uint8_t bytes[ARCHIVE_HEADER_BYTES],
		      struct archive_header *ret_header,
		      struct archive_keys *ret)
{
	int rc = key_check(key);

	if (rc == 0)
		rc = archive_header_decode(bytes, ret_header);
	if (rc == 0)
		rc = key_open(key, ret_header, ret->key);
	if (rc < 0)
		return rc;
	ret->is_encrypted = ret_header->is_encrypted;
	return digest_header(bytes, ret->digest);
}

void archive_keys_wipe(struct archive_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

static int cipher_init(struct archive_cipher *cipher,
		       const struct archive_keys *keys, bool seals)
{
	cipher->keys = keys;
	cipher->context = NULL;
	if (!keys->is_encrypted)
		return 0;
	cipher->context = EVP_CIPHER_CTX_new();
	if (!cipher->context ||
	    EVP_CipherInit_ex(cipher->context, EVP_aes_256_gcm(), NULL, keys->key,
			      NULL, seals) != 1) {
		archive_cipher_release(cipher);
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	}
	return 0;
}

int archive_cipher_init_seal(struct archive_cipher *cipher,
			     const struct archive_keys *keys)
{
	return cipher_init(cipher, keys, true);
}

int archive_cipher_init_open(struct archive_cipher *cipher,
			     const struct archive_keys *keys)
{
	return cipher_init(cipher, keys, false);
}

void archive_cipher_release(struct archive_cipher *cipher)
{
	EVP_CIPHER_CTX_free(cipher->context);
	cipher->context = NULL;
}

/* What a tag is made of beside the record's bytes. */
struct binding {
	uint8_t nonce[NONCE_BYTES];
	uint8_t rest[ARCHIVE_DIGEST_BYTES + ARCHIVE_RECORD_BYTES];
};

static void bind_record(const struct archive_cipher *cipher,
			struct archive_position at,
			const struct archive_record *record,
			struct binding *ret)
{
	bytes_store_le32(ret->nonce, at.entry);
	bytes_store_le64(ret->nonce + 4, at.record);
	memcpy(ret->rest, cipher->keys->digest, ARCHIVE_DIGEST_BYTES);
	archive_record_encode(record, ret->rest + ARCHIVE_DIGEST_BYTES);
}

static uint32_t checksum(const struct binding *binding, const uint8_t *bytes,
			 size_t n)
{
	uint32_t crc = crc32c(0, binding->nonce, NONCE_BYTES);

	crc = crc32c(crc, binding->rest, sizeof(binding->rest));
	return crc32c(crc, bytes, n);
}

/* All but the tag. */
static bool run_cipher(struct archive_cipher *cipher,
		       const struct binding *binding, uint8_t *bytes, int n)
{
	int got;

	return EVP_CipherInit_ex(cipher->context, NULL, NULL, NULL,
				 binding->nonce, -1) == 1 &&
	       EVP_CipherUpdate(cipher->context, NULL, &got, binding->rest,
				sizeof(binding->rest)) == 1 &&
	       (n == 0 ||
		(EVP_CipherUpdate(cipher->context, bytes, &got, bytes, n) == 1 &&
		 got == n));
}

int archive_cipher_seal(struct archive_cipher *cipher,
			struct archive_position at,
			const struct archive_record *record, uint8_t *bytes,
			uint8_t *ret_tag)
{
	size_t n = record->stored_bytes;
	struct binding binding;
	int got;

	bind_record(cipher, at, record, &binding);
	if (!cipher->context) {
		bytes_store_le32(ret_tag, checksum(&binding, bytes, n));
		return 0;
	}
	if (!run_cipher(cipher, &binding, bytes, (int)n) ||
	    EVP_CipherFinal_ex(cipher->context, bytes + n, &got) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG,
				ARCHIVE_TAG_BYTES_MAX, ret_tag) != 1)
		return err_set(AEDB_NO_MEMORY, "archive: cannot encrypt");
	return 0;
}

int archive_cipher_open(struct archive_cipher *cipher,
			struct archive_position at,
			const struct archive_record *record, uint8_t *bytes,
			uint8_t *tag)
{
	size_t n = record->stored_bytes;
	struct binding binding;
	int got;

	bind_record(cipher, at, record, &binding);
	if (!cipher->context) {
		if (bytes_load_le32(tag) != checksum(&binding, bytes, n))
			return err_set(AEDB_CORRUPT, "its checksum is wrong");
		return 0;
	}
	if (!run_cipher(cipher, &binding, bytes, (int)n) ||
	    EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG,
				ARCHIVE_TAG_BYTES_MAX, tag) != 1 ||
	    EVP_CipherFinal_ex(cipher->context, bytes + n, &got) != 1)
		return err_set(AEDB_CORRUPT, "it is not what was written there");
	return 0;
}
