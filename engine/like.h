/*
 * Patterns of AEDB_IF_LIKE.
 *
 * A pattern is UTF-8 of at most AEDB_LIKE_BYTES_MAX bytes: % is any characters, also
 * none, _ is one character, and a backslash stands before a %, a _ or another
 * backslash that means itself. Bytes compare as they are, case matters.
 *
 * Threads: no state.
 */
#ifndef LIKE_H
#define LIKE_H

#include <stdbool.h>

#include "aedb_table.h"

/* AEDB_INVALID (a backslash before something else or at the end, not UTF-8),
 * AEDB_TOO_LARGE. */
int like_check(struct aedb_bytes pattern);
/* Of a pattern that like_check allows and text that is UTF-8. At most pattern times
 * text steps. */
bool like_matches(struct aedb_bytes pattern, struct aedb_bytes text);

enum like_shape {
	LIKE_EXACT,	/* matches its prefix and nothing else */
	LIKE_PREFIX,	/* matches all that begins with its prefix */
	LIKE_OTHER,	/* some of what begins with its prefix */
};
/* The bytes with which everything that matches begins, in ret, which has
 * AEDB_LIKE_BYTES_MAX; *ret_n of them, maybe 0. */
enum like_shape like_prefix(struct aedb_bytes pattern, uint8_t *ret,
			    size_t *ret_n);

#endif
