/*
 * A value being written: own bytes over a base, in bounded memory.
 *
 *	stage_open(values, &base, &stage);
 *	stage_write / stage_read / stage_truncate …
 *	stage_seal(stage, &sealed);	-- commit sealed.bytes or sealed.ref
 *	stage_settle(stage, sealed.mark);	-- once that commit succeeded
 *	stage_close(stage);
 *
 * What is staged and what is committed: a seal stores the value and goes on
 * over it; what was staged stays staged (dirty, and kept by a rebase) until
 * stage_settle says that the commit succeeded. So after a failed commit one
 * seals again, which costs nothing and lists the same extents.
 *
 * Threads: the caller serialises the calls on one stage.
 * Errors: a call that fails changes nothing the reader of the stage can see,
 * except that a write may have been done in part, and a truncate may have
 * made zeros of what it was to cut off.
 */
#ifndef STAGE_H
#define STAGE_H

#include "value_source.h"
#include "values.h"

/* What one seal gives; pointers are borrowed until the next call on the stage. */
struct stage_sealed {
	bool is_ref;
	struct value_ref ref;		/* if is_ref, */
	const void *bytes;		/* else these, <= AEDB_VALUE_INLINE_MAX */
	size_t n;
	/* What the commit makes reachable, for its log record: not durable before
	 * values_sync. Every file the value lies in is named, if only by an
	 * extent of no bytes. */
	const struct value_extent *extents;
	size_t n_extents;
	uint64_t mark;			/* for stage_settle */
};

struct stage;

/* base NULL: empty. The base is copied, its files stay pinned while the stage
 * is over it. Owned; stage_close. AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY. */
int stage_open(struct values *values, const struct value_source *base,
	       struct stage **ret);
/* Drops what was not committed. Takes NULL. */
void stage_close(struct stage *stage);

/* Writes all n bytes, growing the value. AEDB_TOO_LARGE (over VALUE_BYTES_MAX),
 * AEDB_NO_SPACE, AEDB_IO, AEDB_CORRUPT (of the base), AEDB_NO_MEMORY. */
int stage_write(struct stage *stage, const void *buf, size_t n,
		uint64_t offset);
/* Reads up to n bytes; *ret is fewer only at the end. */
int stage_read(struct stage *stage, void *buf, size_t n, uint64_t offset,
	       size_t *ret);
int stage_truncate(struct stage *stage, uint64_t bytes);
/* Zeros what the value has of this range; whole chunks cost no bytes. */
int stage_zero(struct stage *stage, uint64_t offset, uint64_t n);

/* As aedb_stage_seek. */
int stage_seek(struct stage *stage, enum aedb_extent what, uint64_t offset,
	       uint64_t *ret);

uint64_t stage_bytes(const struct stage *stage);
/* What the value would occupy if it were sealed now: holes do not count. */
uint64_t stage_allocated_bytes(const struct stage *stage);
/* Something was written or truncated since the base or the last settled seal. */
bool stage_is_dirty(const struct stage *stage);
/* Memory the stage holds. */
uint64_t stage_memory_bytes(const struct stage *stage);

/* Stores what is staged; a value of at most AEDB_VALUE_INLINE_MAX bytes becomes
 * inline bytes and touches no file. Chunks of zeros become holes. When nothing
 * was staged since the last seal it gives that seal's result again, or that of
 * the base. AEDB_NO_SPACE, AEDB_IO: nothing staged or sealed is lost. */
int stage_seal(struct stage *stage, struct stage_sealed *ret);
/* The seal that gave this mark was committed: what was staged up to it is
 * now the base. */
void stage_settle(struct stage *stage, uint64_t mark);

/* A point between writes: everything staged from now on is "since" it. */
uint64_t stage_mark(struct stage *stage);
/* Puts another base beneath the bytes staged since the mark and drops those
 * staged before it; mark 0 keeps all that is staged. Exact to the byte, except
 * that chunks already spilled to a value file (over the memory limit) and not
 * older than the mark are kept whole. The size: if the value was truncated
 * since the mark, it stays as it is, and no byte of the new base shows from
 * the lowest truncation on; else it is the base's, or where the last kept byte
 * ends. On failure the stage stays over the old base. */
int stage_rebase(struct stage *stage, const struct value_source *base,
		 uint64_t mark);

/* Stores a value that is in memory as a whole, without a stage and without a
 * copy of it; n > AEDB_VALUE_INLINE_MAX. ret_extent: what to list. */
int value_store(struct values *values, const void *bytes, size_t n,
		struct value_ref *ret, struct value_extent *ret_extent);

#endif
