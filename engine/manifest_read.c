/*
 * Reading a manifest file, and telling a crash from damage.
 *
 * An edit is appended when the one before it is durable, and noted afterwards.
 * So an edit that is not whole was cut off by a crash only if it is the last,
 * and not noted; a later one that is whole, or a note, says that it was there.
 *
 * Invariants:
 * 1. `edits` edits before `at` were whole and in order, and signed with the key
 *    if there is one.
 */
#include "manifest_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define FILE_BYTES_MAX (UINT64_C(1) << 31)

struct manifest_reader {
	char *path;		/* owned */
	uint8_t *bytes;		/* owned: the file */
	uint64_t size;
	struct file_header header;
	struct manifest_sealer sealer;
	uint64_t at, edits;
	uint64_t notes[MANIFEST_NOTES];	/* edits they say are durable; 0: none */
};

void manifest_reader_close(struct manifest_reader *r)
{
	if (!r)
		return;
	manifest_sealer_release(&r->sealer);
	free(r->bytes);
	free(r->path);
	free(r);
}

const struct file_header *manifest_reader_header(const struct manifest_reader *r)
{
	return &r->header;
}

uint64_t manifest_reader_durable(const struct manifest_reader *r)
{
	return r->notes[0] > r->notes[1] ? r->notes[0] : r->notes[1];
}

static int signature_check(const struct file_header *header,
			   struct manifest_key key, const char *path)
{
	bool is_signed = manifest_header_is_signed(header);

	if (is_signed && !key.bytes)
		return err_set(AEDB_ACCESS, "%s is signed, no key was given",
			       path);
	if (!is_signed && key.bytes)
		return err_set(AEDB_ACCESS,
			       "%s is not signed, and a key was given", path);
	return 0;
}

static int reader_load(struct manifest_reader *r, struct vfs_file *file)
{
	int rc = vfs_file_size(file, &r->size);

	if (rc < 0)
		return rc;
	if (r->size < MANIFEST_EDITS_OFFSET || r->size > FILE_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "%s has %" PRIu64 " bytes", r->path,
			       r->size);
	r->bytes = malloc(r->size);
	if (!r->bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	return vfs_read_exact(file, r->bytes, r->size, 0);
}

static void notes_read(struct manifest_reader *r)
{
	for (unsigned i = 0; i < MANIFEST_NOTES; i++) {
		uint64_t offset = MANIFEST_NOTE_OFFSET(i);
		uint8_t *note = r->bytes + offset;

		if (manifest_record_is_whole(&r->sealer, offset, note,
					     FILE_DATA_OFFSET) &&
		    manifest_record_number(note) % MANIFEST_NOTES == i)
			r->notes[i] = manifest_record_number(note);
	}
}

/* The first edit is noted before the file gets its name. */
static int notes_check(const struct manifest_reader *r)
{
	if (manifest_reader_durable(r))
		return 0;
	return err_set(AEDB_CORRUPT,
		       "%s at bytes %d and %d: no note of what is durable is whole",
		       r->path, (int)MANIFEST_NOTE_OFFSET(0),
		       (int)MANIFEST_NOTE_OFFSET(1));
}

static int reader_init(struct manifest_reader *r, struct vfs *vfs,
		       struct manifest_key key, enum manifest_trust trust)
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, r->path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = file_header_read(file, FILE_MANIFEST, NULL, &r->header);
	if (rc == 0 && trust == MANIFEST_SIGNED)
		rc = signature_check(&r->header, key, r->path);
	if (rc == 0)
		rc = reader_load(r, file);
	vfs_file_close(file);
	if (rc == 0)
		rc = manifest_sealer_init(&r->sealer, &r->header, key);
	if (rc < 0)
		return rc;
	r->at = MANIFEST_EDITS_OFFSET;
	notes_read(r);
	return 0;
}

int manifest_reader_open(struct vfs *vfs, const char *path,
			 struct manifest_key key, enum manifest_trust trust,
			 struct manifest_reader **ret)
{
	struct manifest_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r)
		r->path = strdup(path);
	rc = r && r->path ? reader_init(r, vfs, key, trust) :
			    err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	if (rc < 0) {
		manifest_reader_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

/* Whether a record of a later edit stands anywhere from `at` on. */
static bool reader_has_later(struct manifest_reader *r)
{
	for (uint64_t at = r->at; at + MANIFEST_RECORD_HEADER_BYTES <= r->size;
	     at += MANIFEST_RECORD_ALIGN) {
		uint64_t number = manifest_record_number(r->bytes + at);

		/* a look at the number spares most checksums */
		if (number > r->edits && number - r->edits <= r->size &&
		    manifest_record_is_whole(&r->sealer, at, r->bytes + at,
					     r->size - at))
			return true;
	}
	return false;
}

/* There is no whole edit at `at`: the end, or damage. */
static int reader_end(struct manifest_reader *r)
{
	uint64_t durable = manifest_reader_durable(r);

	if (r->edits < durable)
		return err_set(AEDB_CORRUPT,
			       "%s at byte %" PRIu64 ": edit %" PRIu64
			       " is damaged or missing, %" PRIu64 " were durable",
			       r->path, r->at, r->edits + 1, durable);
	if (reader_has_later(r))
		return err_set(AEDB_CORRUPT,
			       "%s at byte %" PRIu64 ": edit %" PRIu64
			       " is damaged, a later one is there",
			       r->path, r->at, r->edits + 1);
	return 0;
}

/* Adds to the message where it was. */
static int reader_at(const struct manifest_reader *r, uint64_t offset, int rc)
{
	return err_set(rc, "%s at byte %" PRIu64 ": %s", r->path, offset,
		       err_message());
}

/* The note of the last edit has the next link of the chain behind that one. */
static int note_verify(const struct manifest_reader *r)
{
	unsigned i = r->edits % MANIFEST_NOTES;
	uint64_t offset = MANIFEST_NOTE_OFFSET(i);
	int rc;

	if (r->notes[i] != r->edits)
		return 0;
	rc = manifest_record_verify(&r->sealer, r->bytes + offset);
	return rc < 0 ? reader_at(r, offset, rc) : 0;
}

int manifest_reader_next(struct manifest_reader *r,
			 struct manifest_read_edit *ret)
{
	uint8_t *record = r->bytes + r->at;
	struct manifest_read_edit edit;
	uint64_t room = r->size - r->at, whole;
	int rc = notes_check(r);

	if (rc < 0)
		return rc;
	if (!manifest_record_is_whole(&r->sealer, r->at, record, room) ||
	    manifest_record_number(record) != r->edits + 1)
		return reader_end(r);
	rc = manifest_record_verify(&r->sealer, record);
	if (rc < 0)
		return reader_at(r, r->at, rc);
	edit.number = ++r->edits;
	edit.offset = r->at;
	edit.payload = record + MANIFEST_RECORD_HEADER_BYTES;
	edit.payload_bytes = manifest_record_payload_bytes(record);
	whole = manifest_record_bytes(&r->sealer, edit.payload_bytes);
	r->at += whole < room ? whole : room;
	manifest_sealer_go_on(&r->sealer, record);
	rc = note_verify(r);
	if (rc < 0)
		return rc;
	*ret = edit;
	return 1;
}
