/*
 * A set of keys of 16 B and values of 32 B that is loaded in random order, each
 * key a commit, and then read in other ways.
 *
 *	dataset_load(data, db);
 *	dataset_op_init(&op, &text, dataset_nth(data, i, 0), 0);
 *
 * Functions return 0 or -1 with a line on stderr. Constant: any thread.
 */
#ifndef BENCH_DATASET_H
#define BENCH_DATASET_H

#include "peer.h"

#define DATASET_KEY_BYTES 16
#define DATASET_VALUE_BYTES 32
#define DATASET_USER_BYTES (DATASET_KEY_BYTES + DATASET_VALUE_BYTES)

struct dataset {
	const char *name;
	uint64_t keys, overwrites;
	struct peer_setup load;		/* while it is written */
	struct peer_setup warm;		/* a cache that holds what is read again */
	struct peer_setup cold;		/* much less memory than the data */
	unsigned warm_up_gets;		/* bring what lies above the data into */
	unsigned cold_gets;		/* memory, and little of the data itself */
};

extern const struct dataset dataset_1m, dataset_10m;
/* NULL: there is none of this name. */
const struct dataset *dataset_find(const char *name);

/* Room for what an operation points to. */
struct dataset_text {
	char key[DATASET_KEY_BYTES + 8];
	char value[DATASET_VALUE_BYTES];
};

/* Of the numbers below `keys` the i-th in an order of chance, which is always
 * the same for a generation. i < keys. */
#define DATASET_GENERATIONS_MAX 200	/* those above have keys of their own, */
#define DATASET_NEW_MAX 50		/* each behind one of the set's */
uint64_t dataset_nth(const struct dataset *data, uint64_t i,
		     unsigned generation);
/* The key of a number and its value, which changes with the generation. */
void dataset_op_init(struct peer_op *ret, struct dataset_text *text,
		     uint64_t number, unsigned generation);

/* All keys in generation 0, each a commit; the from-th to below the to-th key of
 * a generation's order, with its values. */
int dataset_load(const struct dataset *data, struct peer_db *db);
int dataset_put(const struct dataset *data, struct peer_db *db, uint64_t from,
		uint64_t to, unsigned generation);
/* -1 if the key's value is not the generation's. */
int dataset_check(struct peer_db *db, void *session, uint64_t number,
		  unsigned generation);

#endif
