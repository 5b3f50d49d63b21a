/*
 * Integers of 256 bits as decimal digits.
 *
 * Threads: no state.
 */
#ifndef WIDE_TEXT_H
#define WIDE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define WIDE_BYTES 32		/* the highest first; signed: two's complement */
#define WIDE_TEXT_BYTES 80	/* with sign and zero */

/* Digits, with a minus before them if it is signed. False: something else, or
 * beyond 256 bits. */
bool wide_parse(const char *text, bool is_signed, uint8_t ret[WIDE_BYTES]);
void wide_format(const uint8_t wide[WIDE_BYTES], bool is_signed,
		 char ret[WIDE_TEXT_BYTES]);

#endif
