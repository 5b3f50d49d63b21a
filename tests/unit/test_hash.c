/*
 * The hash of keys, which segments' filters are made with: what it gives is what
 * its definition says, whatever the length and wherever the key lies.
 */
#include "check.h"
#include "hash.h"

#define KEY_BYTES_MAX 70
#define KEYS 20

/* Byte by byte: the last 16 or fewer as two numbers, which overlap if there are
 * 8 or more and else are all of them and 0. */
static uint64_t number_at(const unsigned char *at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)at[i] << 8 * i;
	return v;
}

static uint64_t defined(const unsigned char *key, size_t n, uint64_t seed)
{
	uint64_t h = seed ^ n * HASH_B, a, b;

	for (; n > 16; key += 16, n -= 16)
		h = hash_fold(number_at(key, 8) ^ HASH_A,
			      number_at(key + 8, 8) ^ h);
	a = number_at(key, n < 8 ? n : 8);
	b = n < 8 ? 0 : number_at(key + n - 8, 8);
	return hash_fold(hash_fold(a ^ HASH_A, b ^ h) ^ seed, HASH_B);
}

TEST(definition, "keys of every length have the hash that the definition gives")
{
	for (size_t n = 0; n <= KEY_BYTES_MAX; n++)
		for (int i = 0; i < KEYS; i++) {
			/* its own, so that a sanitizer sees what is read */
			unsigned char *key = malloc(n + 1);
			uint64_t seed = check_random();

			CHECK(key != NULL);
			for (size_t at = 0; at < n; at++)
				key[at + 1] = (unsigned char)check_random();
			CHECK_EQ(hash_bytes(key + 1, n, seed),
				 defined(key + 1, n, seed));
			free(key);
		}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
