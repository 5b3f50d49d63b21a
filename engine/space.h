/*
 * A key space: the versions of its keys in memory, newest memtable first, and
 * beneath them in segments. A scope has two (keys, directory records), the
 * catalog has some of its own.
 *
 * Calling sequence: space_init; the one writer space_writable and mem_put;
 * readers inside the epoch space_get; space_release.
 * Threads: functions marked Writer need the commit lock; the others run beside
 * it, inside the epoch.
 * Errors: what reading a segment can say: AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef SPACE_H
#define SPACE_H

#include <stdatomic.h>

#include "memtable.h"
#include "space_sought.h"

struct aedb;
struct branch;

#define SPACE_SCOPES_FIRST 4	/* those below are the catalog's */
/* Keys of segments begin with this many bytes, which name the space. */
#define SPACE_PREFIX_BYTES 8
/* A key as segments have it. */
#define SPACE_KEY_BYTES_MAX (SPACE_PREFIX_BYTES + MEM_KEY_BYTES_MAX)

struct space {
	struct aedb *db;		/* these four are constant */
	uint64_t id;			/* tree id */
	struct branch *branch;		/* of a batch; NULL: the database's own */
	struct space *beneath;		/* in a batch: the database's, if any */
	/* atomic: the newest memtable's tree that it has, which leads to older
	 * ones; NULL: nothing of it is in memory */
	_Atomic(struct mem_tree *) tree;
	_Atomic seq_t newest_seq;	/* atomic: nothing of it has a number above;
					 * written under the commit lock */
	_Atomic bool in_segments;	/* atomic: some version may be in a segment */
	_Atomic bool is_partial;	/* atomic: memory may lack some of it */
	bool is_loaded;			/* constant: there may have been more of it
					 * in segments than is now */
	_Atomic uint64_t live;		/* atomic: keys in the newest state */
	bool is_changed;		/* guarded by the commit lock: live, since
					 * the last checkpoint */
};

/* Whether these are keys of a scope: of no directory records, and not the
 * catalog's. */
static inline bool space_has_keys(uint64_t id)
{
	return id >= SPACE_SCOPES_FIRST && id % 2 == 0;
}

void space_init(struct space *space, struct aedb *db, uint64_t id);
void space_init_in_segments(struct space *space, struct aedb *db,
			    uint64_t id); /* only what they have, for reading */
/* One of a batch, over one of the database as of the branch's base; beneath may
 * be NULL. Only its batch writes and reads it; it goes with the branch. */
void space_init_over(struct space *space, struct branch *branch, uint64_t id,
		     struct space *beneath);
struct memtable *space_memtable(const struct space *space); /* written to. Writer */
/* Gives back what the active memtable holds of it. Writer. */
void space_release(struct space *space);

/* The tree to write to, in the active memtable; made when it is not there.
 * Writer. AEDB_NO_MEMORY. */
int space_writable(struct space *space, struct mem_tree **ret);

/* How far a batch's space shows what is beneath it. */
seq_t space_limit_beneath(const struct space *space, seq_t limit);

/* The newest version of a key at or below limit, a tombstone too: 1, 0 if there
 * is none. *ret is borrowed until the epoch is left. *ret_newer (may be NULL) is
 * as mem_get says, over all that was looked at. */
int space_get(struct space *space, const void *key, size_t key_bytes,
	      seq_t limit, struct entry *ret, seq_t *ret_newer);
/* The same, but only a key that is there counts. */
int space_get_live(struct space *space, const void *key, size_t key_bytes,
		   seq_t limit, struct entry *ret);

/* Reads what the writer will ask for when it looks up the key. Returns the stamp
 * of levels in which it is not, or 0. */
uint64_t space_look_ahead(struct space *space,
			  const struct space_sought *sought);
/* The newest version, of a key that is there: 1, or 0. Writer. */
int space_get_newest(struct space *space, const struct space_sought *sought,
		     struct entry *ret);
int space_get_in_memory(struct space *space, const void *key, size_t key_bytes,
			struct entry *ret); /* of what memory has. Writer */
/* The newest version at or below limit, a tombstone too, if it is above `above`:
 * 1, else 0. It costs no look into segments while none has any such. */
int space_get_above(struct space *space, const void *key, size_t key_bytes,
		    seq_t above, seq_t limit, struct entry *ret);

/* Number of the newest version with a key in [from, to), tombstones too; it may
 * be less than the truth where that is not above `above`. to NULL: no bound. */
int space_range_newest(struct space *space, const void *from, size_t from_bytes,
		       const void *to, size_t to_bytes, seq_t above, seq_t *ret);
/* Deletions up to this number may be forgotten. */
seq_t space_purged_seq(const struct space *space);

/* A memtable, the oldest, is to go: nothing leads to its tree from now on.
 * Writer. */
void space_forget(struct space *space, const struct memtable *memtable);

/* Its tree in this memtable, or NULL. Writer. */
struct mem_tree *space_tree_of(const struct space *space,
			       const struct memtable *memtable);
/* From now on something of it may be in segments. Writer. */
void space_enter_segments(struct space *space);
/* One more key is there, or one fewer. Writer. */
void space_count(struct space *space, int difference);

/* Writes the key as segments have it; ret has SPACE_KEY_BYTES_MAX. Returns its
 * length. A key longer than any that can be there is cut, and stands between the
 * same ones then. */
size_t space_key(uint64_t id, const void *key, size_t key_bytes, uint8_t *ret);

#endif
