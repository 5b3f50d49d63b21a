/*
 * First committer wins: a commit is refused when what it read was changed.
 *
 * A deletion counts as a write. Its number is known as long as its tombstone
 * is; of older ones only the number of the latest is (mem_tree_purged_seq), and
 * a base below that conflicts wherever a key is absent: a doubt never commits.
 */
#include <stdlib.h>

#include "conflict.h"
#include "err.h"
#include "mem_cursor.h"

static seq_t range_newest(const struct txn_read *read)
{
	return mem_range_newest_seq(read->scope->tree, read->from,
				    read->from_bytes, read->to, read->to_bytes);
}

/* 0 if the key is not known. */
static seq_t point_newest(const struct txn_read *read)
{
	struct entry entry;

	return mem_get(read->scope->tree, read->from, read->from_bytes, SEQ_MAX,
		       &entry, NULL) ? entry.seq : 0;
}

/* Number of the newest write known; *ret_forgotten: no write that is not known
 * is above this. */
static seq_t read_newest(const struct txn_read *read, seq_t *ret_forgotten)
{
	seq_t dropped = atomic_load(&read->scope->state->dropped_seq);
	seq_t newest;

	*ret_forgotten = 0;
	if (dropped != SEQ_MAX)
		return dropped;
	newest = read->is_range ? range_newest(read) : point_newest(read);
	if (read->is_range || !newest)
		*ret_forgotten = mem_tree_purged_seq(read->scope->tree);
	return newest;
}

static int conflict_add(struct aedb_txn *txn, const struct txn_read *read,
			seq_t seq)
{
	if (!txn->conflicts) {
		txn->conflicts = calloc(txn->n_reads, sizeof(*txn->conflicts));
		if (!txn->conflicts)
			return err_set(AEDB_NO_MEMORY, "no memory for conflicts");
	}
	txn->conflicts[txn->n_conflicts++] = (struct aedb_conflict){
		.scope_id = read->scope->state->id,
		.key = read->from,
		.key_bytes = read->from_bytes,
		.seq = seq,
	};
	return 0;
}

int conflict_check(struct aedb_txn *txn)
{
	txn->n_conflicts = 0;
	for (size_t i = 0; i < txn->n_reads; i++) {
		seq_t forgotten, seq = read_newest(&txn->reads[i], &forgotten);
		int rc;

		if (seq <= txn->base && forgotten <= txn->base)
			continue;
		rc = conflict_add(txn, &txn->reads[i],
				  seq > txn->base ? seq : 0);
		if (rc < 0)
			return rc;
	}
	if (!txn->n_conflicts)
		return 0;
	return err_set(AEDB_CONFLICT,
		       "%zu of %zu keys and ranges read were changed since number %llu",
		       txn->n_conflicts, txn->n_reads,
		       (unsigned long long)txn->base);
}
