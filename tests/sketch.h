/*
 * A sketch of a database's levels: segments that are nothing but lists of
 * versions, and compactions of them by the rules, to try out what is picked.
 *
 *	sketch_new(segment_bytes, fanout, &s);
 *	sketch_put(s, scope, key, value_bytes); … sketch_flush(s);
 *	while (compact_pick_next(sketch_view(s), &turns, &pick))
 *		sketch_apply(s, &pick);
 *	sketch_check(s);
 *	sketch_free(s);
 *
 * Every version ever put is remembered, so that what the levels say is compared
 * with what is true. Uses check.h; out of memory it aborts.
 */
#ifndef SKETCH_H
#define SKETCH_H

#include "compact_pick.h"

#define SKETCH_SCOPES 4
#define SKETCH_SCOPE_FIRST 2	/* the number of the first */
#define SKETCH_KEYS 200		/* of a scope */
#define SKETCH_ENTRY_BYTES 100
#define SKETCH_SNAPSHOTS_MAX 16
#define SKETCH_FILES_MAX 4096
#define SKETCH_SHARES_MAX 512
#define SKETCH_DAMAGED_MAX 8

struct sketch_version {
	unsigned int scope, key;	/* scope: 0 is the first */
	seq_t seq;
	bool is_tombstone;
	file_id_t file;		/* 0: the value lies beside the key */
	uint64_t value_bytes;
};

struct sketch_segment {
	struct segment_info info;	/* the first member */
	struct sketch_version *at;	/* owned; in order */
	size_t n;
	uint8_t keys[2][16];
	struct segment_share shares[SKETCH_SHARES_MAX];
};

struct sketch_list {
	struct segment_info **at;	/* each in its sketch_segment */
	size_t n;
};

struct sketch {
	struct sketch_list levels[SEGMENT_LEVELS_MAX];
	struct sketch_version *all;	/* ever put, by seq */
	size_t n_all, n_flushed, all_room;
	seq_t seq, flushed_seq;
	seq_t dropped[SKETCH_SCOPES];	/* SEQ_MAX: is there */
	seq_t snapshots[SKETCH_SNAPSHOTS_MAX];
	size_t n_snapshots;
	struct compact_file files[SKETCH_FILES_MAX];
	size_t n_files;
	struct compact_scope scopes[SKETCH_SCOPES];
	size_t n_scopes;
	file_id_t next_segment, next_file;
	file_id_t damaged[SKETCH_DAMAGED_MAX];
	size_t n_damaged;
	uint64_t written_bytes, moved_bytes;
	struct compact_view view;
};

void sketch_new(uint64_t segment_bytes, unsigned int fanout, struct sketch **ret);
void sketch_free(struct sketch *s);

/* value_bytes: in a value file once flushed; 0: beside the key. */
void sketch_put(struct sketch *s, unsigned int scope, unsigned int key,
		uint64_t value_bytes);
void sketch_delete(struct sketch *s, unsigned int scope, unsigned int key);
void sketch_drop(struct sketch *s, unsigned int scope);
void sketch_snapshot(struct sketch *s);
void sketch_forget(struct sketch *s, size_t snapshot);
/* What was put since the last one becomes a segment of level 0. */
void sketch_flush(struct sketch *s);

/* The picture of now; borrowed until the next change. */
const struct compact_view *sketch_view(struct sketch *s);
/* Does what was picked. */
void sketch_apply(struct sketch *s, const struct compact_pick *pick);
/* The levels are in order and say at every retained number what is true. */
void sketch_check(const struct sketch *s);
size_t sketch_segments(const struct sketch *s);
/* Versions in segments. */
size_t sketch_versions(const struct sketch *s);

#endif
