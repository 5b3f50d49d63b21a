/*
 * UTF-8: which bytes are characters.
 *
 * Threads: no state.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the valid character that n > 0 bytes begin with; 0: there is none. */
size_t utf8_char_bytes(const uint8_t *at, size_t n);
/* Whether all of it is valid characters, U+0000 among them. */
bool utf8_is_valid(const void *bytes, size_t n);

#endif
