/*
 * Encoding of annexes.
 *
 * Invariants:
 * 1. A record has exactly what the operation needs, so that recovery executes
 *    it with that and nothing else.
 * 2. An annex never keeps a commit from being made: what it cannot take is to be
 *    asked for, or the commit goes without one.
 */
#include "annex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aedb.h"
#include "err.h"
#include "value_format.h"

#define FLAG_BITS 7
#define FLAGS_ALL ((1u << FLAG_BITS) - 1)
/* What is longer costs more in the log of every commit than it is worth. */
#define TOLD_BYTES_MAX 256
#define RECORD_BYTES_MAX (6 * BYTES_VARINT_MAX + 8 + 2 * TOLD_BYTES_MAX)
#define KEPT_BYTES (64u << 10)

_Static_assert(VALUE_REF_BYTES_MAX <= TOLD_BYTES_MAX, "a reference is told");

void annex_begin_anew(struct annex *annex)
{
	annex->is_lost = false;
	if (annex->max > KEPT_BYTES)
		annex_release(annex);
	annex->n = 0;
}

void annex_release(struct annex *annex)
{
	free(annex->bytes);
	annex->bytes = NULL;
	annex->n = annex->max = 0;
}

static bool annex_reserve(struct annex *annex)
{
	size_t max = annex->max ? annex->max * 2 : 4 * RECORD_BYTES_MAX;
	uint8_t *grown;

	if (annex->max - annex->n >= RECORD_BYTES_MAX)
		return true;
	grown = max <= ANNEX_BYTES_MAX ? realloc(annex->bytes, max) : NULL;
	if (!grown)
		return false;
	annex->bytes = grown;
	annex->max = max;
	return true;
}

/* The flags of a record for these parts. */
static unsigned int flags_of(const struct entry *e, unsigned int parts)
{
	bool has_value = parts & ANNEX_VALUE;

	/* the value may move to another place before the commit is repeated */
	if (has_value && (e->is_ref || e->value_bytes > TOLD_BYTES_MAX))
		return ANNEX_ASK;
	if ((parts & ANNEX_ATTR) && e->attr_bytes > TOLD_BYTES_MAX)
		return ANNEX_ASK;
	if (!e->attr_bytes)
		parts &= ~(unsigned int)ANNEX_ATTR;
	return parts | (e->is_ref ? ANNEX_IS_REF : 0) |
	       (e->attr_bytes ? ANNEX_HAS_ATTR : 0) |
	       (has_value && e->mtime_ns != AEDB_MTIME_NONE ?
			ANNEX_HAS_MTIME : 0);
}

static uint8_t *put_sized(uint8_t *at, const void *bytes, uint32_t n,
			  bool is_told)
{
	at = bytes_store_varint(at, n);
	if (!is_told)
		return at;
	memcpy(at, bytes, n);
	return at + n;
}

static uint8_t *put_entry(uint8_t *at, const struct entry *e,
			  unsigned int flags)
{
	at = put_sized(at, e->value, e->value_bytes,
		       e->value_bytes && flags & (ANNEX_IS_REF | ANNEX_VALUE));
	if (flags & ANNEX_ID)
		at = bytes_store_varint(at, e->id);
	if (flags & ANNEX_HAS_ATTR)
		at = put_sized(at, e->attr, e->attr_bytes, flags & ANNEX_ATTR);
	if (flags & ANNEX_VALUE)
		at = bytes_store_varint(at, e->time_us);
	if (flags & ANNEX_HAS_MTIME) {
		bytes_store_le64(at, (uint64_t)e->mtime_ns);
		at += 8;
	}
	return at;
}

void annex_add(struct annex *annex, const struct entry *found,
	       unsigned int parts)
{
	unsigned int flags = flags_of(found, parts);
	uint8_t *at;

	annex->is_lost |= !annex_reserve(annex);
	if (annex->is_lost)
		return;
	at = bytes_store_varint(annex->bytes + annex->n,
				annex->passed << FLAG_BITS | flags);
	if (flags != ANNEX_ASK)
		at = put_entry(at, found, flags);
	annex->n = (size_t)(at - annex->bytes);
	annex->passed = 0;
}

static void record_begin(struct annex_reader *reader)
{
	uint64_t head;

	reader->has_record = byte_reader_left(&reader->rest);
	if (!reader->has_record)
		return;
	head = byte_reader_varint(&reader->rest);
	reader->left = head >> FLAG_BITS;
	reader->flags = head & FLAGS_ALL;
}

void annex_reader_init(struct annex_reader *reader, const void *bytes, size_t n)
{
	byte_reader_init(&reader->rest, bytes, n);
	record_begin(reader);
}

static int annex_malformed(void)
{
	return err_set(AEDB_CORRUPT, "what a commit found is malformed");
}

static bool flags_are_possible(unsigned int flags)
{
	if (flags & ANNEX_ASK)
		return flags == ANNEX_ASK;
	if (flags & ANNEX_VALUE)
		return !(flags & ANNEX_IS_REF);
	return !(flags & ANNEX_HAS_MTIME) &&
	       (flags & ANNEX_HAS_ATTR || !(flags & ANNEX_ATTR));
}

static const void *take_sized(struct byte_reader *r, bool is_told,
			      uint64_t most, uint32_t *ret_n)
{
	uint64_t n = byte_reader_varint(r);

	if (n > most)
		r->is_bad = true;
	*ret_n = (uint32_t)n;
	return is_told ? byte_reader_take(r, n) : NULL;
}

static int record_take(struct byte_reader *r, unsigned int flags,
		       struct entry *ret)
{
	struct entry e = { .is_ref = flags & ANNEX_IS_REF,
			   .mtime_ns = AEDB_MTIME_NONE };
	struct value_ref ref;

	if (r->is_bad || !flags_are_possible(flags))
		return annex_malformed();
	e.value = take_sized(r, flags & (ANNEX_IS_REF | ANNEX_VALUE),
			     AEDB_VALUE_INLINE_MAX, &e.value_bytes);
	if (flags & ANNEX_ID)
		e.id = byte_reader_varint(r);
	if (flags & ANNEX_HAS_ATTR)
		e.attr = take_sized(r, flags & ANNEX_ATTR, AEDB_ATTR_BYTES_MAX,
				    &e.attr_bytes);
	if (flags & ANNEX_VALUE)
		e.time_us = byte_reader_varint(r);
	if (flags & ANNEX_HAS_MTIME)
		e.mtime_ns = (int64_t)byte_reader_le64(r);
	if (r->is_bad || e.id > SEQ_MAX || e.time_us > SEQ_MAX ||
	    (e.is_ref && value_ref_decode(e.value, e.value_bytes, &ref) < 0))
		return annex_malformed();
	*ret = e;
	return 0;
}

/* Whether a record of these flags has the parts. */
static bool has_parts(unsigned int flags, unsigned int parts)
{
	unsigned int told = flags & ANNEX_ALL;

	if (!(flags & ANNEX_HAS_ATTR))
		told |= parts & ANNEX_ATTR;
	return told == parts;
}

int annex_next(struct annex_reader *reader, unsigned int parts,
	       struct entry *ret)
{
	unsigned int flags = reader->flags;
	int rc;

	if (!reader->has_record)
		return ANNEX_MEMORY;
	if (reader->left) {
		reader->left--;
		return ANNEX_MEMORY;
	}
	if (reader->rest.is_bad)
		return annex_malformed();
	if (flags == ANNEX_ASK) {
		record_begin(reader);
		return ANNEX_SEGMENTS;
	}
	rc = has_parts(flags, parts) ? record_take(&reader->rest, flags, ret) :
				       annex_malformed();
	if (rc < 0)
		return rc;
	record_begin(reader);
	return ANNEX_TOLD;
}

int annex_end(const struct annex_reader *reader)
{
	return reader->has_record ?
		       err_set(AEDB_CORRUPT,
			       "a commit found more than it looked for") : 0;
}

static void record_show(const struct entry *e, unsigned int flags, FILE *out)
{
	struct value_ref ref;

	if (flags & ANNEX_ID)
		fprintf(out, " id %" PRIu64, e->id);
	if (flags & ANNEX_HAS_ATTR)
		fprintf(out, " attr %" PRIu32 " bytes", e->attr_bytes);
	if (flags & ANNEX_HAS_MTIME)
		fprintf(out, " mtime %" PRId64, e->mtime_ns);
	fputs(" value ", out);
	if (e->is_ref && value_ref_decode(e->value, e->value_bytes, &ref) == 0)
		value_ref_show(&ref, out);
	else
		fprintf(out, "%" PRIu32 " bytes", e->value_bytes);
}

/* The next record whatever is asked for: 1, or 0 if there is none. */
static int record_next(struct annex_reader *reader, unsigned int *ret_flags,
		       uint64_t *ret_passed, struct entry *ret)
{
	int rc = 0;

	if (!reader->has_record)
		return 0;
	*ret_flags = reader->flags;
	*ret_passed = reader->left;
	if (reader->flags != ANNEX_ASK)
		rc = record_take(&reader->rest, reader->flags, ret);
	if (rc == 0)
		record_begin(reader);
	return rc < 0 ? rc : 1;
}

int annex_check(const void *bytes, size_t n)
{
	struct annex_reader reader;
	unsigned int flags;
	struct entry e;
	uint64_t passed;
	int rc;

	annex_reader_init(&reader, bytes, n);
	do
		rc = record_next(&reader, &flags, &passed, &e);
	while (rc > 0);
	return rc;
}

int annex_show(const void *bytes, size_t n, FILE *out)
{
	struct annex_reader reader;
	uint64_t lookup = 0, passed;
	unsigned int flags;
	struct entry e;
	int rc;

	annex_reader_init(&reader, bytes, n);
	while ((rc = record_next(&reader, &flags, &passed, &e)) > 0) {
		lookup += passed + 1;
		fprintf(out, "    lookup %" PRIu64 " found", lookup);
		if (flags == ANNEX_ASK)
			fputs(" what segments have", out);
		else
			record_show(&e, flags, out);
		fputc('\n', out);
	}
	return rc;
}
