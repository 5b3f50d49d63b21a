/*
 * Keys `k%015u`; of a value's 32 B 10 are hexadecimal digits of chance, the
 * others the same in all. The order of chance is a permutation that is computed
 * and not stored: rounds of multiplying and shifting permute the numbers of so
 * many bits, and what falls outside the set is permuted again.
 */
#include "dataset.h"
#include "harness.h"

#define DIGITS 10
#define PREFIX "{\"state\":\"ok\",\"id\":\""
#define PREFIX_BYTES (sizeof(PREFIX) - 1)
#define MIB (UINT64_C(1) << 20)

_Static_assert(PREFIX_BYTES + DIGITS + 2 == DATASET_VALUE_BYTES, "32 B");

/* The small one has a quarter of the large one's memory, so that it, too, gets
 * several segments. A tree is written in a cache that holds all of the small
 * one: with less, WiredTiger takes ten times as long and more. */
const struct dataset dataset_1m = {
	.name = "1M", .keys = 1000000, .overwrites = 1000000,
	.load = { .memory_bytes = 64 * MIB, .is_packed = true },
	.warm = { .memory_bytes = 256 * MIB, .cache_bytes = 64 * MIB,
		  .tree_bytes = 64 * MIB, .keys = 1000000,
		  .is_packed = true },
	.cold = { .memory_bytes = 8 * MIB, .cache_bytes = 4 * MIB,
		  .tree_bytes = 4 * MIB, .is_packed = true, .is_cold = true },
	.warm_up_gets = 300, .cold_gets = 100,
};
const struct dataset dataset_10m = {
	.name = "10M", .keys = 10000000, .overwrites = 5000000,
	.load = { .memory_bytes = 256 * MIB, .is_packed = true },
	.warm = { .memory_bytes = 256 * MIB, .cache_bytes = 64 * MIB,
		  .tree_bytes = 64 * MIB, .keys = 10000000,
		  .is_packed = true },
	.cold = { .memory_bytes = 64 * MIB, .cache_bytes = 32 * MIB,
		  .tree_bytes = 32 * MIB, .is_packed = true, .is_cold = true },
	.warm_up_gets = 3000, .cold_gets = 1000,
};

const struct dataset *dataset_find(const char *name)
{
	const struct dataset *all[] = { &dataset_1m, &dataset_10m };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static uint64_t permute(uint64_t i, unsigned bits)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;

	i = (i * 0x9e3779b97f4a7c15u) & mask;
	i ^= i >> (bits / 2);
	i = (i * 0xd6e8feb86659fd93u) & mask;
	i ^= i >> (bits / 2);
	i = (i * 0xa0761d6478bd642fu) & mask;
	return i ^ i >> (bits / 2);
}

/* Generations differ in where they begin in one order, which is permuted once
 * more. */
uint64_t dataset_nth(const struct dataset *data, uint64_t i,
		     unsigned generation)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(data->keys - 1);

	do
		i = permute(i, bits);
	while (i >= data->keys);
	if (generation == 0)
		return i;
	i = (i + generation * 7919) % data->keys;
	do
		i = permute(i, bits);
	while (i >= data->keys);
	return i;
}

void dataset_op_init(struct peer_op *ret, struct dataset_text *text,
		     uint64_t number, unsigned generation)
{
	uint64_t bits = (number << 8 | generation) * 0x9e3779b97f4a7c15u;
	char *digits = text->value + PREFIX_BYTES;

	bits ^= bits >> 32;
	bits *= 0xd6e8feb86659fd93u;
	memcpy(text->value, PREFIX, PREFIX_BYTES);
	for (unsigned i = 0; i < DIGITS; i++, bits <<= 4)
		digits[i] = "0123456789abcdef"[bits >> 60];
	memcpy(digits + DIGITS, "\"}", 2);
	*ret = (struct peer_op){
		.key = text->key,
		.key_bytes = key_format(text->key, "k", number,
					DATASET_KEY_BYTES - 1),
		.value = text->value,
		.value_bytes = DATASET_VALUE_BYTES,
	};
	if (generation > DATASET_GENERATIONS_MAX)
		text->key[ret->key_bytes++] = (char)generation;
}

int dataset_put(const struct dataset *data, struct peer_db *db, uint64_t from,
		uint64_t to, unsigned generation)
{
	const struct peer_driver *driver = db->peer->driver;
	struct dataset_text text;
	struct peer_op op;
	void *session;
	int rc = 0;

	if (driver->session_open(db, &session) < 0)
		return -1;
	for (uint64_t i = from; i < to && rc == 0; i++) {
		dataset_op_init(&op, &text, dataset_nth(data, i, generation),
				generation);
		rc = driver->put(session, &op);
	}
	driver->session_close(session);
	return rc;
}

int dataset_load(const struct dataset *data, struct peer_db *db)
{
	return dataset_put(data, db, 0, data->keys, 0);
}

int dataset_check(struct peer_db *db, void *session, uint64_t number,
		  unsigned generation)
{
	char found[DATASET_VALUE_BYTES];
	struct dataset_text text;
	struct peer_op op;
	size_t bytes;

	dataset_op_init(&op, &text, number, generation);
	op.into = found;
	if (db->peer->driver->get(session, &op, &bytes) < 0)
		return -1;
	if (bytes != sizeof(found) ||
	    memcmp(found, text.value, sizeof(found)) != 0)
		return peer_fail(db->peer->name, text.key, "wrong value");
	return 0;
}
