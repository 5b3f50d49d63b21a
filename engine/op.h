/*
 * The operations of a commit as bytes: what a transaction collects, the log
 * holds, and apply_payload executes at commit and at recovery alike.
 *
 * A payload is operations one after the other:
 *	u8 kind, u8 flags, then by kind
 *	PUT      key, [id], [mtime], [attr], value | reference + extents
 *	DELETE   key			SET_ATTR  key, [mtime], [attr]
 *	TOUCH    key, [mtime]		MOVE, EXCHANGE  key, key
 *	CREATE   place, id, [attr]	DROP  place	RENAME  place, place
 *	PLACE_ATTR  place, [mtime], [attr]	PLACE_TOUCH  place
 *	OBJECT   key, id, [mtime], [attr], value | reference + extents
 *	NOTHING  as PUT
 * key = varint tree, varint bytes, bytes; place = project name, scope name,
 * each varint bytes, bytes, 0 bytes for none, or, with HAS_TABLE, varint scope id
 * and a table's name; id = varint; mtime = le64; attr and value = varint bytes,
 * bytes; extents = varint count, then varint file, offset, bytes each.
 *
 * Errors: decoding gives AEDB_CORRUPT for what cannot have been encoded,
 * AEDB_NEWER_FORMAT for a kind or flag it does not know.
 */
#ifndef OP_H
#define OP_H

#include <stdbool.h>
#include <stdio.h>

#include "bytes.h"
#include "types.h"
#include "value_format.h"

enum op_kind {
	OP_PUT = 1,
	OP_DELETE = 2,
	OP_SET_ATTR = 3,
	OP_TOUCH = 4,
	OP_MOVE = 5,
	OP_EXCHANGE = 6,
	OP_CREATE = 7,
	OP_DROP = 8,
	OP_RENAME = 9,
	OP_PLACE_ATTR = 10,
	OP_PLACE_TOUCH = 11,
	OP_OBJECT = 12,		/* all of a key's object, as a batch made it */
	OP_NOTHING = 13,	/* a put that, when it came to it, was none */
};

enum op_flags {
	OP_HAS_ID = 1,
	OP_HAS_MTIME = 2,
	OP_HAS_ATTR = 4,
	OP_IS_REF = 8,		/* PUT: a value reference and extents follow */
	OP_MUST_BE_NEW = 16,	/* PUT */
	OP_DROP_FULL = 32,	/* DROP: with what the scope holds */
	OP_IF_ABSENT = 64,	/* OBJECT: one that is there stays, and is touched */
	OP_IS_THERE = 128,	/* OBJECT: the key is there; without it, it is not */
	OP_HAS_TABLE = 128,	/* of places: they are a table's */
	OP_OF_TABLE = 32,	/* PUT, DELETE, OBJECT: a row, or what goes with rows */
};

struct op_bytes {
	const void *at;
	size_t n;
};

struct op_key {
	uint64_t tree;		/* scope id * 2 + plane; 0: names of the catalog,
				 * which are only touched so */
	const void *at;
	size_t n;
};

struct op_place {
	struct op_bytes project, scope;	/* n 0: none */
	struct op_bytes table;	/* n 0: it is not a table's; else there are no names
				 * but the scope's id */
	uint64_t scope_id;
};

/* Pointers are borrowed from the payload it is of, or from who fills it in. */
struct op {
	uint8_t kind;		/* enum op_kind */
	uint8_t flags;		/* enum op_flags */
	struct op_key key, to_key;
	struct op_place place, to_place;
	uint64_t id;
	int64_t mtime_ns;
	struct op_bytes attr;
	struct op_bytes value;	/* the encoded value_ref when OP_IS_REF */
	struct op_bytes extents;	/* encoded, see op_extents_begin */
};

static inline bool op_is_of_place(const struct op *op)
{
	return op->kind >= OP_CREATE && op->kind <= OP_PLACE_TOUCH;
}

/* Most bytes op_encode writes for this operation. */
size_t op_bytes_max(const struct op *op);
/* Writes it at `at`, which has op_bytes_max of room; returns its end. */
uint8_t *op_encode(const struct op *op, uint8_t *at);
/* Takes the next operation off the payload. */
int op_decode(struct byte_reader *payload, struct op *ret);

/* Bytes of n encoded extents; writes them when `at` is not NULL. */
size_t op_extents_encode(const struct value_extent *extents, size_t n,
			 uint8_t *at);
/* Those of an operation, if it has some; op_decode has checked them. */
struct op_extents {
	struct byte_reader rest;	/* of op.extents */
	uint64_t left;
};
void op_extents_begin(struct op_extents *ret, const struct op *op);
/* False at the end. */
bool op_extents_next(struct op_extents *extents, struct value_extent *ret);

/* One line of text for an operation. */
void op_show(const struct op *op, FILE *out);

#endif
