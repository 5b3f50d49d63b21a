/*
 * Numbers as values hold them: fixed width, the highest byte first. Unsigned of 8
 * or 32 bytes, and of 8 bytes in two's complement.
 *
 * Threads: no state.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "aedb_kv.h"

/* Wide enough for the sum and the difference of any two of one kind: two's
 * complement, the lowest part first. */
struct number {
	uint64_t part[5];
};

/* Bytes of one in a value. */
size_t number_bytes(enum aedb_number kind);
void number_load(enum aedb_number kind, const uint8_t *bytes,
		 struct number *ret);
void number_store(enum aedb_number kind, const struct number *number,
		  uint8_t *ret);
/* The least and the greatest of its kind. */
void number_limits(enum aedb_number kind, struct number *ret_least,
		   struct number *ret_greatest);

void number_add(const struct number *a, const struct number *b,
		struct number *ret);
void number_subtract(const struct number *a, const struct number *b,
		     struct number *ret);
/* Below, at or above 0: a is less than, equal to or greater than b. */
int number_compare(const struct number *a, const struct number *b);

#endif
