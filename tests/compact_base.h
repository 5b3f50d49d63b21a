/*
 * Levels of real segments on a simulated disk, compacted as a database would,
 * beside everything that was ever put:
 *
 *	base_open(&b);
 *	base_put(&b, scope, key, BASE_LARGE); base_delete(…); base_flush(&b);
 *	base_step(&b);		the next compaction that is picked, if any
 *	base_check(&b);		at every retained number it is as it was put
 *	base_close(&b);
 */
#ifndef COMPACT_BASE_H
#define COMPACT_BASE_H

#include "compact.h"
#include "segment.h"
#include "segment_cursor.h"
#include "segment_writer.h"
#include "unit/value_pool.h"

#define BASE_SCOPES 3
#define BASE_SCOPE_FIRST 2
#define BASE_KEYS 60		/* of a scope */
#define BASE_VERSIONS_MAX 20000
#define BASE_SEGMENTS_MAX 256	/* of a level */
#define BASE_FILES_MAX 512
#define BASE_SNAPSHOTS_MAX 12
#define BASE_PAGE_BYTES 512

enum base_value { BASE_INLINE, BASE_SMALL, BASE_LARGE, BASE_CHANGE };

struct base_version {
	unsigned int scope, key;
	seq_t seq;
	bool is_tombstone, is_ref;
	size_t value;		/* in the pool, with is_ref */
};

struct base_level {
	struct segment_info *at[BASE_SEGMENTS_MAX];	/* owned */
	size_t n;
};

struct base {
	struct pool pool;
	struct file_set *segments;
	struct base_level levels[SEGMENT_LEVELS_MAX];
	struct base_version *all;	/* owned; by seq */
	size_t n_all, n_flushed;
	seq_t seq, flushed_seq, dropped[BASE_SCOPES], forgotten_seq;
	seq_t history_from, snapshots[BASE_SNAPSHOTS_MAX];
	size_t n_snapshots;
	struct compact_file files[BASE_FILES_MAX];
	file_id_t damaged_files[BASE_FILES_MAX];
	size_t n_damaged_files;
	struct compact_scope scopes[BASE_SCOPES];
	size_t n_scopes;
	struct compact_turns turns;
	struct compact_view view;
	struct pace pace;
	uint64_t read_bytes, written_bytes, moved_bytes;
	size_t spoiled;			/* value that cannot be read; 0: none */
	bool had_faults;		/* more may be kept than is needed */
	bool is_clone;			/* what was put is the first's */
};

void base_open(struct base *b);
void base_close(struct base *b);
/* A copy on a disk of its own, that has just been opened. */
void base_clone(const struct base *b, struct base *ret);
/* Opens the files again, as after a crash of the disk. */
void base_reopen(struct base *b);

void base_put(struct base *b, unsigned int scope, unsigned int key,
	      enum base_value kind);
void base_delete(struct base *b, unsigned int scope, unsigned int key);
void base_drop(struct base *b, unsigned int scope);
void base_snapshot(struct base *b);
void base_forget(struct base *b, size_t snapshot);
void base_flush(struct base *b);

const struct compact_view *base_view(struct base *b);
struct compact_job base_job(struct base *b, const struct compact_pick *pick);
/* Puts a result into the levels and removes what nothing refers to any more. */
void base_publish(struct base *b, struct compact_result *result);
/* Both, and the result published; false: nothing was picked. */
bool base_step(struct base *b);
bool base_step_full(struct base *b, file_id_t fresh_from);

void base_check(struct base *b);
/* Files of segments and values that are there. */
size_t base_count_files(struct base *b);
uint64_t base_segment_bytes(const struct base *b);
/* Bytes of all files of values, headers included. */
uint64_t base_value_bytes(struct base *b);

#endif
