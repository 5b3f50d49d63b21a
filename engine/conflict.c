/*
 * First committer wins: a commit is refused when what it read was changed.
 *
 * A deletion counts as a write. Its number is known as long as its tombstone
 * is; of older ones only the number of the latest is (space_purged_seq), and
 * a base below that conflicts wherever a key is absent: a doubt never commits.
 */
#include <stdlib.h>

#include "conflict.h"
#include "err.h"

/* Number of the newest write known, 0 if there is none; not exact where that
 * is not above the base. */
static int known_newest(const struct txn_read *read, seq_t base, seq_t *ret)
{
	struct space *space = &read->scope->space;
	struct entry entry;
	int rc;

	if (read->is_range)
		return space_range_newest(space, read->from, read->from_bytes,
					  read->to, read->to_bytes, base, ret);
	rc = space_get(space, read->from, read->from_bytes, SEQ_MAX, &entry,
		       NULL);
	*ret = rc > 0 ? entry.seq : 0;
	return rc < 0 ? rc : 0;
}

/* *ret_forgotten: no write that is not known is above this. */
static int read_newest(const struct txn_read *read, seq_t base, seq_t *ret,
		       seq_t *ret_forgotten)
{
	seq_t dropped = atomic_load(&read->scope->state->dropped_seq);
	int rc;

	*ret_forgotten = 0;
	*ret = dropped;
	if (dropped != SEQ_MAX)
		return 0;
	rc = known_newest(read, base, ret);
	if (rc == 0 && (read->is_range || !*ret))
		*ret_forgotten = space_purged_seq(&read->scope->space);
	return rc;
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
		seq_t forgotten, seq;
		int rc = read_newest(&txn->reads[i], txn->base, &seq,
				     &forgotten);

		if (rc < 0)
			return rc;
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
