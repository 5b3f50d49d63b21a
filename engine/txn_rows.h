/*
 * What a transaction knows of tables: the schemas that it goes by, and what it wrote
 * itself, of which it reads its own writes.
 *
 * Calling sequence: the first call that adds something makes it; txn_rows_free.
 * Threads: as the transaction's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TXN_ROWS_H
#define TXN_ROWS_H

#include "catalog.h"

/* No schema of the table was put above `upto`, as long as this holds at commit. */
struct txn_schema {
	struct scope_state *state;	/* the database's; has a handle until the
					 * transaction ends, */
	seq_t upto;
	bool is_held;		/* of the transaction's own */
};

struct txn_value {
	struct txn_value *next;	/* once it is replaced */
	size_t n;
	uint8_t bytes[];
};

/* The newest of what the transaction wrote under a key. */
struct txn_row {
	struct txn_row *next;	/* of the same bucket */
	uint64_t tree;
	uint64_t hash;
	struct txn_value *value;	/* owned; NULL: it is deleted */
	size_t key_bytes;
	uint8_t key[];
};

struct txn_rows {
	struct txn_schema *schemas;	/* owned */
	size_t n_schemas;
	struct txn_row **buckets;	/* owned */
	size_t n, n_buckets;		/* n_buckets: 0, or a power of two */
	struct txn_value *replaced;	/* owned: somebody may be reading them */
	bool is_broken;		/* something written is missing: there was no memory */
};

/* Another table that it goes by. */
int txn_rows_add_schema(struct txn_rows **rows, struct txn_schema schema);
/* A key was put, or (value NULL) deleted. Both are copied. */
int txn_rows_set(struct txn_rows **rows, const struct op_key *key,
		 const void *value, size_t value_bytes);
/* Borrowed, and its value until txn_rows_settle; NULL: it wrote nothing there. */
const struct txn_row *txn_rows_find(const struct txn_rows *rows,
				    const struct op_key *key);
/* Gives up the values that others replaced. Takes NULL. */
void txn_rows_settle(struct txn_rows *rows);
/* Whether it wrote anything in this tree. */
bool txn_rows_has_tree(const struct txn_rows *rows, uint64_t tree);
/* Takes NULL. */
void txn_rows_free(struct txn_rows *rows, struct catalog *catalog);

#endif
