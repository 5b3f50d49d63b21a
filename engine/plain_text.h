/*
 * Bytes and times as text, in one form each, and back.
 *
 * Threads: no state.
 */
#ifndef PLAIN_TEXT_H
#define PLAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_BYTES 28	/* with the zero: 2026-11-22T15:52:39.123456Z */
#define TIME_TEXT_US_MAX INT64_C(253402300799999999)	/* the year 9999 */

/* 2 * n lower-case digits and a zero. */
void hex_write(const uint8_t *bytes, size_t n, char *ret);
/* false: not exactly 2 * n lower-case digits. */
bool hex_read(const char *text, uint8_t *ret, size_t n);

#define UUID_TEXT_BYTES 37	/* with the zero */

/* The 16 bytes of a UUID, with four dashes. */
void uuid_write(const uint8_t *uuid, char ret[UUID_TEXT_BYTES]);
bool uuid_read(const char *text, uint8_t *ret);

/* RFC 3339 in UTC of microseconds since 1970, at most TIME_TEXT_US_MAX. */
void time_write(uint64_t us, char ret[TIME_TEXT_BYTES]);
/* false: not what time_write writes. */
bool time_read(const char *text, uint64_t *ret_us);

#endif
