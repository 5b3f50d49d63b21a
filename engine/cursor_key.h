/*
 * The key that signs what a caller keeps and brings back, so that nobody can make
 * it up or change it.
 *
 * Calling sequence: cursor_key_init at open; cursor_key_sign, cursor_key_matches.
 * Threads: constant after open.
 * Errors: AEDB_IO (no random bytes), AEDB_NO_MEMORY.
 */
#ifndef CURSOR_KEY_H
#define CURSOR_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_KEY_BYTES 32
#define CURSOR_SIGN_BYTES 32

/* Made of the database's key, so that the same ones match after it was opened
 * again; without one (NULL) it is random. */
int cursor_key_init(uint8_t key[CURSOR_KEY_BYTES], const void *hmac_key,
		    size_t hmac_key_bytes);
int cursor_key_sign(const uint8_t key[CURSOR_KEY_BYTES], const void *bytes,
		    size_t n, uint8_t ret[CURSOR_SIGN_BYTES]);
bool cursor_key_matches(const uint8_t key[CURSOR_KEY_BYTES], const void *bytes,
			size_t n, const uint8_t sign[CURSOR_SIGN_BYTES]);

#endif
