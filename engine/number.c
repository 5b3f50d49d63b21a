/* Numbers as values hold them. */
#include "number.h"

#include <string.h>

#include "bytes.h"

#define PARTS (sizeof(struct number) / sizeof(uint64_t))
#define SIGN (UINT64_C(1) << 63)

size_t number_bytes(enum aedb_number kind)
{
	return kind == AEDB_U256 ? 32 : 8;
}

void number_load(enum aedb_number kind, const uint8_t *bytes, struct number *ret)
{
	size_t parts = number_bytes(kind) / 8;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < parts; i++)
		ret->part[parts - 1 - i] = bytes_load_be64(bytes + 8 * i);
	if (kind == AEDB_I64 && ret->part[0] & SIGN)
		memset(&ret->part[1], 0xff, (PARTS - 1) * sizeof(ret->part[0]));
}

void number_store(enum aedb_number kind, const struct number *number,
		  uint8_t *ret)
{
	size_t parts = number_bytes(kind) / 8;

	for (size_t i = 0; i < parts; i++)
		bytes_store_be64(ret + 8 * i, number->part[parts - 1 - i]);
}

void number_limits(enum aedb_number kind, struct number *ret_least,
		   struct number *ret_greatest)
{
	static const uint8_t zeros[32], signed_least[8] = { 0x80 };
	uint8_t greatest[32];

	memset(greatest, 0xff, sizeof(greatest));
	if (kind == AEDB_I64)
		greatest[0] = 0x7f;
	number_load(kind, kind == AEDB_I64 ? signed_least : zeros, ret_least);
	number_load(kind, greatest, ret_greatest);
}

void number_add(const struct number *a, const struct number *b,
		struct number *ret)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < PARTS; i++) {
		uint64_t sum = a->part[i] + carry;

		carry = sum < carry;
		sum += b->part[i];
		carry += sum < b->part[i];
		ret->part[i] = sum;
	}
}

void number_subtract(const struct number *a, const struct number *b,
		     struct number *ret)
{
	struct number negated, one = { { 1 } };

	for (size_t i = 0; i < PARTS; i++)
		negated.part[i] = ~b->part[i];
	number_add(&negated, &one, &negated);
	number_add(a, &negated, ret);
}

int number_compare(const struct number *a, const struct number *b)
{
	uint64_t sign = SIGN;

	for (size_t i = PARTS; i-- > 0; sign = 0) {
		uint64_t x = a->part[i] ^ sign, y = b->part[i] ^ sign;

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}
