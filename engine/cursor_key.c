/* HMAC-SHA256, under a key that signs nothing else. */
#include "cursor_key.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "err.h"
#include "file_header.h"

static int sign(const void *key, size_t key_bytes, const void *bytes, size_t n,
		uint8_t *ret)
{
	if (!HMAC(EVP_sha256(), key, (int)key_bytes, bytes, n, ret, NULL))
		return err_set(AEDB_NO_MEMORY, "HMAC-SHA256 failed");
	return 0;
}

int cursor_key_init(uint8_t key[CURSOR_KEY_BYTES], const void *hmac_key,
		    size_t hmac_key_bytes)
{
	static const char of_cursors[] = "aedb cursors";

	if (!hmac_key)
		return file_random_bytes(key, CURSOR_KEY_BYTES);
	return sign(hmac_key, hmac_key_bytes, of_cursors, sizeof(of_cursors) - 1,
		    key);
}

int cursor_key_sign(const uint8_t key[CURSOR_KEY_BYTES], const void *bytes,
		    size_t n, uint8_t ret[CURSOR_SIGN_BYTES])
{
	return sign(key, CURSOR_KEY_BYTES, bytes, n, ret);
}

bool cursor_key_matches(const uint8_t key[CURSOR_KEY_BYTES], const void *bytes,
			size_t n, const uint8_t of[CURSOR_SIGN_BYTES])
{
	uint8_t want[CURSOR_SIGN_BYTES];

	return sign(key, CURSOR_KEY_BYTES, bytes, n, want) == 0 &&
	       CRYPTO_memcmp(want, of, sizeof(want)) == 0;
}
