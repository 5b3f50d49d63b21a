/*
 * Writing a manifest file.
 *
 * Invariants:
 * 1. An edit is written behind the last one, into space that is reserved, when
 *    that one is durable; its note is written when it is durable itself.
 */
#include "manifest_write.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

/* A file is not begun anew below this size. */
#define GROWN_BYTES_MIN (UINT64_C(1) << 20)
#define GROWN_TIMES 4
/* Space is reserved in pieces of this many bytes. */
#define RESERVE_BYTES (UINT64_C(64) << 10)

struct manifest_writer {
	struct vfs_file *file;		/* owned */
	struct manifest_sealer sealer;
	uint64_t edits;
	uint64_t first_bytes;		/* of the first */
	uint64_t end;			/* behind the last */
	uint64_t reserved;		/* size of the file */
};

void manifest_writer_close(struct manifest_writer *w)
{
	if (!w)
		return;
	vfs_file_close(w->file);
	manifest_sealer_release(&w->sealer);
	free(w);
}

/* Seals the next edit into memory of the caller's that was made for it, behind
 * `before` zeros: owned, free. */
static int edit_seal(struct manifest_writer *w, size_t before,
		     const void *payload, size_t payload_bytes, uint8_t **ret)
{
	size_t n = manifest_record_bytes(&w->sealer, payload_bytes);
	uint8_t *bytes, *record;
	int rc;

	if (payload_bytes > MANIFEST_PAYLOAD_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "an edit of %zu bytes, at most %u",
			       payload_bytes, MANIFEST_PAYLOAD_BYTES_MAX);
	bytes = malloc(before + n);
	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for an edit");
	memset(bytes, 0, before);
	record = bytes + before;
	memcpy(record + MANIFEST_RECORD_HEADER_BYTES, payload, payload_bytes);
	rc = manifest_record_seal(&w->sealer, w->end, w->edits + 1, record,
				  payload_bytes);
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	*ret = bytes;
	return 0;
}

static void edit_count(struct manifest_writer *w, const uint8_t *record)
{
	w->edits++;
	w->end += manifest_record_bytes(&w->sealer,
					manifest_record_payload_bytes(record));
	manifest_sealer_go_on(&w->sealer, record);
}

static int note_seal(const struct manifest_writer *w, uint8_t *note)
{
	return manifest_record_seal(&w->sealer,
				    MANIFEST_NOTE_OFFSET(w->edits % MANIFEST_NOTES),
				    w->edits, note, 0);
}

/* The whole of a new file in memory: owned, free. */
static int file_compose(struct manifest_writer *w,
			const struct file_header *header, const void *payload,
			size_t payload_bytes, uint8_t **ret)
{
	uint8_t *bytes;
	int rc = edit_seal(w, MANIFEST_EDITS_OFFSET, payload, payload_bytes,
			   &bytes);

	if (rc < 0)
		return rc;
	file_header_encode(header, bytes);
	edit_count(w, bytes + MANIFEST_EDITS_OFFSET);
	w->first_bytes = w->end;
	rc = note_seal(w, bytes + MANIFEST_NOTE_OFFSET(w->edits % MANIFEST_NOTES));
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	*ret = bytes;
	return 0;
}

/* A file of that name is a leftover of a crash. */
static int file_write(struct manifest_writer *w, struct vfs *vfs,
		      const char *path, const uint8_t *bytes)
{
	int rc = vfs_file_open(vfs, path, VFS_CREATE, &w->file);

	if (rc == 0)
		rc = vfs_file_truncate(w->file, 0);
	return rc < 0 ? rc : vfs_write_all(w->file, bytes, w->end, 0);
}

int manifest_writer_create(struct vfs *vfs, const char *path,
			   struct file_header *header, struct manifest_key key,
			   const void *payload, size_t payload_bytes,
			   struct manifest_writer **ret)
{
	struct manifest_writer *w = calloc(1, sizeof(*w));
	uint8_t *bytes = NULL;
	int rc;

	if (!w)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	if (key.bytes)
		manifest_header_set_signed(header);
	w->end = MANIFEST_EDITS_OFFSET;
	rc = manifest_sealer_init(&w->sealer, header, key);
	if (rc == 0)
		rc = file_compose(w, header, payload, payload_bytes, &bytes);
	if (rc == 0)
		rc = file_write(w, vfs, path, bytes);
	free(bytes);
	if (rc < 0) {
		if (w->file)
			vfs_unlink_quietly(vfs, path);
		manifest_writer_close(w);
		return rc;
	}
	w->reserved = w->end;
	*ret = w;
	return 0;
}

static int writer_reserve(struct manifest_writer *w, size_t n)
{
	uint64_t least = w->end + n, want;
	int rc;

	if (least <= w->reserved)
		return 0;
	want = least + RESERVE_BYTES - least % RESERVE_BYTES;
	rc = vfs_file_allocate(w->file, w->reserved, want - w->reserved);
	if (rc == AEDB_NO_SPACE) {
		want = least;
		rc = vfs_file_allocate(w->file, w->reserved,
				       want - w->reserved);
	}
	if (rc == 0)
		w->reserved = want;
	return rc;
}

int manifest_writer_append(struct manifest_writer *w, const void *payload,
			   size_t payload_bytes)
{
	size_t n = manifest_record_bytes(&w->sealer, payload_bytes);
	uint8_t *record = NULL;
	int rc = edit_seal(w, 0, payload, payload_bytes, &record);

	if (rc == 0)
		rc = writer_reserve(w, n);
	if (rc < 0)
		goto out;
	rc = vfs_write_all(w->file, record, n, w->end);
	if (rc == 0)
		rc = vfs_file_sync(w->file);
	if (rc < 0)
		rc = err_set(AEDB_UNKNOWN, "the manifest failed: %s",
			     err_message());
	else
		edit_count(w, record);
out:
	free(record);
	return rc;
}

int manifest_writer_note(struct manifest_writer *w)
{
	uint8_t note[MANIFEST_RECORD_HEADER_BYTES + MANIFEST_TAG_BYTES];
	int rc = note_seal(w, note);

	if (rc < 0)
		return rc;
	return vfs_write_all(w->file, note, manifest_record_bytes(&w->sealer, 0),
			     MANIFEST_NOTE_OFFSET(w->edits % MANIFEST_NOTES));
}

int manifest_writer_sync(struct manifest_writer *w)
{
	return vfs_file_sync(w->file);
}

bool manifest_writer_is_grown(const struct manifest_writer *w,
			      size_t payload_bytes)
{
	uint64_t bytes = w->end + payload_bytes;

	return bytes > GROWN_BYTES_MIN && bytes > GROWN_TIMES * w->first_bytes;
}
