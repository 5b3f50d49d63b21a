/*
 * What a load writes, in transactions of bounded size, one behind the other.
 *
 * Calling sequence: load_txn_init; load_txn_put, load_txn_part…, and others;
 * load_txn_commit; load_txn_release.
 * Threads: one. Errors: recorded as failures.
 */
#ifndef LOAD_TXN_H
#define LOAD_TXN_H

#include "dump_line.h"
#include "target.h"

/* A transaction has no more than this of operations, of bytes in memory, and of
 * scopes and large values that it keeps open. */
#define LOAD_TXN_OPS 100000
#define LOAD_TXN_BYTES (16u << 20)
#define LOAD_TXN_HELD 64

struct load_txn {
	struct target *target;
	struct aedb_txn *txn;		/* NULL: not begun */
	bool is_whole;
	unsigned ops;
	size_t bytes;
	uint64_t commits;
	struct aedb_scope *scopes[LOAD_TXN_HELD];	/* owned; the last one is
					 * the one that is written to */
	struct aedb_stage *stages[LOAD_TXN_HELD];	/* owned; sealed */
	unsigned n_scopes, n_stages;
	/* A value in parts: its key and what belongs to it. */
	struct aedb_scope *space;	/* borrowed: keys or directories */
	struct dump_line line;		/* its name and attributes are copies */
	uint8_t *copies;		/* owned; NULL: there is no such value */
	uint8_t *value;			/* in copies, if it is small, or: */
	struct aedb_stage *stage;	/* owned */
};

void load_txn_init(struct load_txn *load, struct target *target);
/* Drops what is not committed. */
void load_txn_release(struct load_txn *load);

/* Begins one if there is none. */
int load_txn_begin(struct load_txn *load);
/* Begins one that has all that follows until it is committed. */
int load_txn_begin_whole(struct load_txn *load);
int load_txn_commit(struct load_txn *load);
void load_txn_abort(struct load_txn *load);
/* Before so many operations that are added to `txn` itself, of so many bytes. */
int load_txn_room(struct load_txn *load, unsigned ops, size_t bytes);

/* A new project or scope of this line, or, of one that is there, the scope alone;
 * what is put from then on goes into that. */
int load_txn_create(struct load_txn *load, struct aedb_place place,
		    const struct dump_line *line);
int load_txn_enter(struct load_txn *load, struct aedb_place place);
/* Attributes and time of a place. */
int load_txn_place_attr(struct load_txn *load, struct aedb_place place,
			const struct dump_line *line);
/* A key or directory, whose parts may follow; and a part. */
int load_txn_put(struct load_txn *load, const struct dump_line *line);
int load_txn_part(struct load_txn *load, const struct dump_line *line);
/* No parts follow. */
int load_txn_end_value(struct load_txn *load);

#endif
