/*
 * Edits as bytes.
 *
 * A payload is fields: varint tag, varint bytes, bytes. Tags 1 to
 * MANIFEST_NUMBERS are the numbers of the state, 8 bytes each; the others stand
 * in enum field_tag. Fields are applied in their order.
 *
 * Invariants:
 * 1. What is written is applied from its encoding, so that writing and reading
 *    are checked by the same code.
 */
#include "manifest_edit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define NUMBER_BYTES 8
#define WAL_END_BYTES (8 + WAL_DIGEST_BYTES)
#define SNAPSHOT_BYTES (2 * NUMBER_BYTES)	/* before its name */
#define FIELD_HEADER_BYTES (2 * BYTES_VARINT_MAX)
/* Everything but segments and snapshots. */
#define PLAIN_FIELDS_BYTES \
	(MANIFEST_NUMBERS * (FIELD_HEADER_BYTES + NUMBER_BYTES) + \
	 FIELD_HEADER_BYTES + WAL_END_BYTES)
#define SNAPSHOT_FIELD_BYTES \
	(FIELD_HEADER_BYTES + SNAPSHOT_BYTES + MANIFEST_NAME_BYTES_MAX)

enum field_tag {
	FIELD_SEGMENT_ADDED = 32,	/* segment_info_encode */
	FIELD_SEGMENT_REMOVED = 33,	/* its number (8) */
	FIELD_SNAPSHOT_ADDED = 34,	/* number (8), time (8), name */
	FIELD_SNAPSHOT_REMOVED = 35,	/* name */
	FIELD_WAL_END = 36,		/* lsn (8), digest (32) */
};

_Static_assert((int)MANIFEST_NUMBERS < (int)FIELD_SEGMENT_ADDED,
	        "tags of numbers");

struct field {
	uint64_t tag;
	const uint8_t *at;
	size_t n;
};

void manifest_edit_set(struct manifest_edit *edit, enum manifest_number which,
		       uint64_t value)
{
	edit->set |= UINT64_C(1) << which;
	edit->numbers[which] = value;
	if (which == MANIFEST_WAL_FIRST &&
	    edit->numbers[MANIFEST_WAL_NEWEST] < value)
		manifest_edit_set(edit, MANIFEST_WAL_NEWEST, value);
}

void manifest_edit_close_log(struct manifest_edit *edit, file_id_t newest,
			     const struct wal_end *end)
{
	manifest_edit_set(edit, MANIFEST_WAL_FIRST, newest + 1);
	manifest_edit_set(edit, MANIFEST_WAL_NEWEST, newest);
	edit->wal_end = end;
}

/* The next field: 1, 0 at the end. */
static int field_next(struct byte_reader *r, struct field *ret)
{
	if (!byte_reader_left(r))
		return 0;
	ret->tag = byte_reader_varint(r);
	ret->n = byte_reader_varint(r);
	ret->at = byte_reader_take(r, ret->n);
	return ret->at ? 1 : err_set(AEDB_CORRUPT, "a field is cut off");
}

static int field_is_malformed(const struct field *f)
{
	return err_set(AEDB_CORRUPT, "malformed field %" PRIu64, f->tag);
}

static int field_is_unknown(const struct field *f)
{
	return err_set(AEDB_NEWER_FORMAT, "field %" PRIu64 " is not known",
		       f->tag);
}

static int field_number(const struct field *f, uint64_t *ret)
{
	if (f->n != NUMBER_BYTES)
		return field_is_malformed(f);
	*ret = bytes_load_le64(f->at);
	return 0;
}

/* Owned: segment_info_release. */
static int field_segment(const struct field *f, struct segment_info *ret)
{
	struct segment_info info;
	struct byte_reader r;
	int rc;

	byte_reader_init(&r, f->at, f->n);
	rc = segment_info_decode(&r, &info);
	if (rc < 0)
		return rc;
	if (byte_reader_left(&r)) {
		segment_info_release(&info);
		return field_is_malformed(f);
	}
	*ret = info;
	return 0;
}

static int field_name(const struct field *f, size_t from, char *ret)
{
	const char *name = (const char *)f->at + from;

	if (f->n < from || !manifest_name_is_valid(name, f->n - from))
		return field_is_malformed(f);
	memcpy(ret, name, f->n - from);
	ret[f->n - from] = '\0';
	return 0;
}

static int field_snapshot(const struct field *f, struct manifest_snapshot *ret)
{
	int rc = field_name(f, SNAPSHOT_BYTES, ret->name);

	if (rc < 0)
		return rc;
	ret->seq = bytes_load_le64(f->at);
	ret->time_us = bytes_load_le64(f->at + NUMBER_BYTES);
	return 0;
}

static int field_wal_end(const struct field *f, struct wal_end *ret)
{
	if (f->n != WAL_END_BYTES)
		return field_is_malformed(f);
	ret->lsn = bytes_load_le64(f->at);
	memcpy(ret->digest, f->at + 8, WAL_DIGEST_BYTES);
	return 0;
}

static bool field_is_number(const struct field *f)
{
	return f->tag > 0 && f->tag <= MANIFEST_NUMBERS;
}

static int field_apply(struct manifest_state *state, const struct field *f)
{
	struct manifest_snapshot snapshot;
	struct segment_info info;
	uint64_t number = 0;
	int rc;

	if (field_is_number(f)) {
		rc = field_number(f, &number);
		return rc < 0 ? rc : manifest_set_number(state, f->tag - 1, number);
	}
	switch (f->tag) {
	case FIELD_SEGMENT_ADDED:
		rc = field_segment(f, &info);
		return rc < 0 ? rc : manifest_add_segment(state, &info);
	case FIELD_SEGMENT_REMOVED:
		rc = field_number(f, &number);
		return rc < 0 ? rc : manifest_remove_segment(state, number);
	case FIELD_SNAPSHOT_ADDED:
		rc = field_snapshot(f, &snapshot);
		return rc < 0 ? rc : manifest_add_snapshot(state, &snapshot);
	case FIELD_SNAPSHOT_REMOVED:
		rc = field_name(f, 0, snapshot.name);
		return rc < 0 ? rc : manifest_remove_snapshot(state, snapshot.name);
	case FIELD_WAL_END:
		return field_wal_end(f, &state->wal_end);
	}
	return field_is_unknown(f);
}

int manifest_edit_apply(struct manifest_state *state, const uint8_t *payload,
			size_t n)
{
	struct byte_reader r;
	struct field f;
	int rc;

	byte_reader_init(&r, payload, n);
	while ((rc = field_next(&r, &f)) > 0) {
		rc = field_apply(state, &f);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static void put_number(struct byte_writer *w, uint64_t tag, uint64_t value)
{
	byte_writer_varint(w, tag);
	byte_writer_varint(w, NUMBER_BYTES);
	byte_writer_le64(w, value);
}

/* Encodes behind where it has to stand, for its length comes first. */
static void put_segment(struct byte_writer *w, const struct segment_info *info)
{
	struct byte_writer body;
	size_t n;

	byte_writer_varint(w, FIELD_SEGMENT_ADDED);
	byte_writer_init(&body, w->at + BYTES_VARINT_MAX,
			 (size_t)(w->end - w->at) - BYTES_VARINT_MAX);
	segment_info_encode(info, &body);
	n = byte_writer_used(&body);
	byte_writer_varint(w, n);
	memmove(w->at, body.start, n);
	byte_writer_take(w, n);
}

static void put_snapshot(struct byte_writer *w,
			 const struct manifest_snapshot *snapshot)
{
	size_t n = strlen(snapshot->name);

	byte_writer_varint(w, FIELD_SNAPSHOT_ADDED);
	byte_writer_varint(w, SNAPSHOT_BYTES + n);
	byte_writer_le64(w, snapshot->seq);
	byte_writer_le64(w, snapshot->time_us);
	byte_writer_put(w, snapshot->name, n);
}

static void put_name_removed(struct byte_writer *w, const char *name)
{
	byte_writer_varint(w, FIELD_SNAPSHOT_REMOVED);
	byte_writer_varint(w, strlen(name));
	byte_writer_put(w, name, strlen(name));
}

static void put_wal_end(struct byte_writer *w, const struct wal_end *end)
{
	byte_writer_varint(w, FIELD_WAL_END);
	byte_writer_varint(w, WAL_END_BYTES);
	byte_writer_le64(w, end->lsn);
	byte_writer_put(w, end->digest, WAL_DIGEST_BYTES);
}

static int writer_new(struct byte_writer *w, size_t room)
{
	uint8_t *bytes = malloc(room);

	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for an edit");
	byte_writer_init(w, bytes, room);
	return 0;
}

static size_t segment_field_bytes(const struct segment_info *info)
{
	return FIELD_HEADER_BYTES + segment_info_bytes_max(info);
}

static int name_check(const char *name)
{
	if (manifest_name_is_valid(name, strnlen(name, MANIFEST_NAME_BYTES_MAX + 1)))
		return 0;
	return err_set(AEDB_INVALID, "not a name for a snapshot");
}

static int edit_names_check(const struct manifest_edit *edit)
{
	int rc = 0;

	if (edit->snapshot_removed)
		rc = name_check(edit->snapshot_removed);
	if (rc == 0 && edit->snapshot_added)
		rc = name_check(edit->snapshot_added->name);
	return rc;
}

int manifest_edit_encode(const struct manifest_edit *edit,
			 const struct manifest_state *before, uint8_t **ret,
			 size_t *ret_n)
{
	size_t room = PLAIN_FIELDS_BYTES + 2 * SNAPSHOT_FIELD_BYTES +
		      edit->n_removed * (FIELD_HEADER_BYTES + NUMBER_BYTES);
	struct byte_writer w = { .start = NULL };
	int rc = edit_names_check(edit);

	for (size_t i = 0; i < edit->n_added; i++)
		room += segment_field_bytes(&edit->added[i]);
	if (rc == 0)
		rc = writer_new(&w, room);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MANIFEST_NUMBERS; i++)
		if ((edit->set >> i & 1) &&
		    (edit->numbers[i] > before->numbers[i] ||
		     manifest_number_may_fall(i)))
			put_number(&w, i + 1, edit->numbers[i]);
	if (edit->wal_end)
		put_wal_end(&w, edit->wal_end);
	for (size_t i = 0; i < edit->n_removed; i++)
		put_number(&w, FIELD_SEGMENT_REMOVED, edit->removed[i]);
	for (size_t i = 0; i < edit->n_added; i++)
		put_segment(&w, &edit->added[i]);
	if (edit->snapshot_removed)
		put_name_removed(&w, edit->snapshot_removed);
	if (edit->snapshot_added)
		put_snapshot(&w, edit->snapshot_added);
	assert(!w.is_full);
	*ret = w.start;
	*ret_n = byte_writer_used(&w);
	return 0;
}

int manifest_state_encode(const struct manifest_state *state, uint8_t **ret,
			  size_t *ret_n)
{
	size_t room = PLAIN_FIELDS_BYTES +
		      state->n_snapshots * SNAPSHOT_FIELD_BYTES;
	struct byte_writer w = { .start = NULL };
	int rc;

	for (size_t i = 0; i < state->n_segments; i++)
		room += segment_field_bytes(state->segments[i]);
	rc = writer_new(&w, room);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MANIFEST_NUMBERS; i++)
		put_number(&w, i + 1, state->numbers[i]);
	if (manifest_log_is_closed(state))
		put_wal_end(&w, &state->wal_end);
	for (size_t i = 0; i < state->n_segments; i++)
		put_segment(&w, state->segments[i]);
	for (size_t i = 0; i < state->n_snapshots; i++)
		put_snapshot(&w, &state->snapshots[i]);
	assert(!w.is_full);
	*ret = w.start;
	*ret_n = byte_writer_used(&w);
	return 0;
}

static int number_show(const struct field *f, const char *name, FILE *out)
{
	uint64_t number = 0;
	int rc = field_number(f, &number);

	if (rc == 0)
		fprintf(out, "%s: %" PRIu64 "\n", name, number);
	return rc;
}

static int segment_show(const struct field *f, FILE *out)
{
	struct segment_info info;
	int rc = field_segment(f, &info);

	if (rc < 0)
		return rc;
	segment_info_show(&info, out);
	segment_info_release(&info);
	return 0;
}

static int snapshot_show(const struct field *f, FILE *out)
{
	struct manifest_snapshot snapshot;
	int rc = field_snapshot(f, &snapshot);

	if (rc == 0)
		fprintf(out,
			"snapshot \"%s\": number %" PRIu64 ", time %" PRIu64
			" us\n",
			snapshot.name, snapshot.seq, snapshot.time_us);
	return rc;
}

static int name_removed_show(const struct field *f, FILE *out)
{
	char name[MANIFEST_NAME_BYTES_MAX + 1];
	int rc = field_name(f, 0, name);

	if (rc == 0)
		fprintf(out, "removed snapshot: \"%s\"\n", name);
	return rc;
}

static int wal_end_show(const struct field *f, FILE *out)
{
	struct wal_end end = { .lsn = 0 };
	int rc = field_wal_end(f, &end);

	if (rc == 0)
		fprintf(out, "log closed at lsn: %" PRIu64 "\n", end.lsn);
	return rc;
}

static int field_show(const struct field *f, FILE *out)
{
	if (field_is_number(f))
		return number_show(f, manifest_number_name(f->tag - 1), out);
	switch (f->tag) {
	case FIELD_SEGMENT_ADDED:
		return segment_show(f, out);
	case FIELD_SEGMENT_REMOVED:
		return number_show(f, "removed segment", out);
	case FIELD_SNAPSHOT_ADDED:
		return snapshot_show(f, out);
	case FIELD_SNAPSHOT_REMOVED:
		return name_removed_show(f, out);
	case FIELD_WAL_END:
		return wal_end_show(f, out);
	}
	return field_is_unknown(f);
}

void manifest_edit_show(const uint8_t *payload, size_t n, FILE *out)
{
	struct byte_reader r;
	struct field f;
	int rc;

	byte_reader_init(&r, payload, n);
	while ((rc = field_next(&r, &f)) > 0) {
		fputs("  ", out);
		rc = field_show(&f, out);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		fprintf(out, "%s\n", err_message());
}
