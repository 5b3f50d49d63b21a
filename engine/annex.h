/*
 * A commit's annex: what its operations found, as far as whoever repeats them
 * from the log alone would have to read it from segments. So recovery reads none.
 *
 * Operations look for keys, in an order that is the same each time they are
 * executed. Of a key that was not there the annex says nothing, nor of one whose
 * newest version lies in the part of the log that is repeated: memory has it by
 * then, or nothing has. Of all others it has a record:
 *	varint: lookups since the last record * 128 + enum annex_flags
 *	ANNEX_ASK: nothing else; it is to be looked for in segments
 *	else varint: bytes of the value, which follow if ANNEX_IS_REF or ANNEX_VALUE
 *	ANNEX_ID: varint
 *	ANNEX_HAS_ATTR: varint, bytes of the attributes, which follow if ANNEX_ATTR
 *	ANNEX_VALUE: varint, the version's time; ANNEX_HAS_MTIME: le64
 *
 * Calling sequence: annex_begin, for each lookup annex_add or one more of
 * `passed`; annex_release. To read annex_reader_init, for each lookup annex_next,
 * annex_end.
 * Threads: no state. Errors: AEDB_CORRUPT for what cannot have been written.
 */
#ifndef ANNEX_H
#define ANNEX_H

#include <stdbool.h>
#include <stdio.h>

#include "bytes.h"
#include "entry.h"

enum annex_flags {
	ANNEX_ASK = 1,
	ANNEX_IS_REF = 2,
	ANNEX_ID = 4,
	ANNEX_HAS_ATTR = 8,
	ANNEX_ATTR = 16,
	ANNEX_VALUE = 32,
	ANNEX_HAS_MTIME = 64,
};

/* What an operation needs of the version it finds, beside how large it is. */
#define ANNEX_SIZES 0
#define ANNEX_ALL (ANNEX_ID | ANNEX_ATTR | ANNEX_VALUE)

#define ANNEX_BYTES_MAX (16u << 20)

struct annex {
	uint8_t *bytes;		/* owned; annex_release */
	size_t n, max;
	uint64_t passed;	/* lookups since the last record: whoever looks
				 * and adds nothing makes it one more */
	bool is_lost;		/* it got too large: the commit goes without */
};

void annex_begin_anew(struct annex *annex);
static inline void annex_begin(struct annex *annex)
{
	annex->passed = 0;
	if (annex->n || annex->is_lost)
		annex_begin_anew(annex);
}
void annex_release(struct annex *annex);
/* A lookup that found this, of which these parts are needed. */
void annex_add(struct annex *annex, const struct entry *found,
	       unsigned int parts);

struct annex_reader {
	struct byte_reader rest;	/* from the next record's second part on */
	uint64_t left;		/* lookups before that record */
	unsigned int flags;	/* of that record */
	bool has_record;
};

enum annex_answer {
	ANNEX_MEMORY,		/* memory has it, or nothing */
	ANNEX_SEGMENTS,		/* it is to be looked for in segments, too */
	ANNEX_TOLD,
};

void annex_reader_init(struct annex_reader *reader, const void *bytes, size_t n);
/* What the next lookup found (enum annex_answer): *ret has the parts asked for,
 * and sizes of the others, borrowed from the annex, if it is told. Key and seq
 * are not told. */
int annex_next(struct annex_reader *reader, unsigned int parts,
	       struct entry *ret);
/* Checks that no record is left. */
int annex_end(const struct annex_reader *reader);

/* Checks all records without knowing what is asked for. */
int annex_check(const void *bytes, size_t n);
/* A line of text for each record. */
int annex_show(const void *bytes, size_t n, FILE *out);

#endif
