/*
 * Executes operations on the memtable: the one code path of commit and
 * recovery.
 *
 * Calling sequence: apply_payload; then either the commit becomes visible, or
 * apply_undo takes all of it back.
 * Threads: the holder of the commit lock, or recovery.
 */
#ifndef APPLY_H
#define APPLY_H

#include "annex.h"
#include "catalog.h"
#include "guard.h"
#include "space_absent.h"

enum undo_kind {
	UNDO_KEY,
	UNDO_SCOPE_MADE,
	UNDO_SCOPE_DROPPED,
	UNDO_SCHEMA,
};

struct undo {
	enum undo_kind kind;
	int live;		/* keys that came, less those that went */
	struct space *space;
	struct scope_state *scope;
	const void *key;	/* borrowed from the payload or the memtable */
	size_t key_bytes;
	seq_t schema_seq;	/* of the scope, before */
};

/* What one payload changed so far. */
struct apply {
	struct aedb *db;		/* these two are constant */
	struct catalog *catalog;	/* of what it changes */
	struct op_bytes caller;	/* borrowed: of the payload; set before. None: it may
				 * do everything */
	uint64_t time_us;
	seq_t first_seq;	/* of the payload's first operation */
	seq_t seq;		/* of the operation being executed */
	uint64_t buried_bytes;	/* superseded.h; so is superseded_bytes */
	struct undo *undos;	/* owned; apply_release */
	size_t n_undos, n_undos_max;
	struct space_absent absent;	/* known of the payload; set before */
	struct guards *guards;	/* borrowed: of the payload; set before. NULL: none */
	uint8_t *guarded;	/* the payload once more, to be written to */
	const uint8_t *payload;
	size_t guards_done;
	uint64_t superseded_bytes;
	struct annex annex;	/* of the payload that was executed last */
	seq_t below_seq;	/* versions up to it may not be in the log that
				 * is repeated */
	struct annex_reader *found;	/* borrowed: what the payload found when it
					 * was first executed; NULL: not known */
	bool keeps_marks;	/* those of dropped scopes stay, though a compaction
				 * of other segments left nothing of them */
	bool memory_lacks;	/* with found: of the log's versions some are in
				 * segments only */
};

/* Executes every operation of a payload, the i-th with number first_seq + i.
 * When one fails those before it are taken back and the code is returned:
 * AEDB_NOT_FOUND, AEDB_EXISTS, AEDB_NOT_EMPTY, AEDB_INVALID, AEDB_NO_MEMORY,
 * what op_decode says, or what reading the newest state from segments does. */
int apply_payload(struct apply *apply, const void *payload, size_t n,
		  seq_t first_seq, uint64_t time_us);
/* Takes back what the last apply_payload did. */
void apply_undo(struct apply *apply);
void apply_release(struct apply *apply);

#endif
