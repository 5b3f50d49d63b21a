/*
 * Base64 with padding, RFC 4648.
 *
 * Threads: no state.
 */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that n bytes become. */
#define BASE64_CHARS(n) (((size_t)(n) + 2) / 3 * 4)

/* Writes BASE64_CHARS(n) characters, without a NUL. */
void base64_encode(const void *bytes, size_t n, char *ret);
/* Writes at most n / 4 * 3 bytes, and into `ret` = text too. False: it is not
 * what base64_encode writes for any bytes. */
bool base64_decode(const char *text, size_t n, void *ret, size_t *ret_n);

#endif
