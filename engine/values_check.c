/*
 * Checking records, and walking whole stretches of a value file: to verify an
 * extent at recovery, and to show a file as text.
 *
 * Invariants:
 * 1. A record is looked into only after its checksum was found right.
 * 2. Nothing read from a file decides about more memory than one record may
 *    have (VALUE_PAYLOAD_BYTES_MAX).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "values_file.h"

#define WINDOW_BYTES (UINT64_C(1) << 20)

int values_file_at(const struct value_file *file, uint64_t offset, int rc)
{
	char message[ERR_MESSAGE_BYTES];

	snprintf(message, sizeof(message), "%s", err_message());
	return err_set(rc, "%s offset %" PRIu64 ": %s", file->handle->path,
		       offset, message);
}

int values_file_check_record(const struct value_file *file, uint64_t offset,
			uint8_t *record, uint64_t room,
			struct value_record_header *ret)
{
	int rc = value_record_header_decode(record, ret);

	if (rc < 0)
		return values_file_at(file, offset, rc);
	if (ret->raw_bytes + seal_tag_bytes(&file->seal) != ret->stored_bytes ||
	    VALUE_RECORD_HEADER_BYTES + (uint64_t)ret->stored_bytes > room)
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": record of %u bytes does not fit",
			       file->handle->path, offset, ret->stored_bytes);
	if (!seal_verify(&file->seal, offset, record, VALUE_RECORD_HEADER_BYTES,
			 ret->raw_bytes))
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": checksum of the record does not match",
			       file->handle->path, offset);
	return 0;
}

/* A window over a file, moved forward. */
struct window {
	uint8_t *bytes;		/* owned */
	uint64_t offset;	/* in the file, of bytes[0] */
	uint64_t n, room;
};

/* Makes n bytes at `offset` readable, fewer at the file's end; *ret_n says how
 * many there are. */
static int window_move(struct window *window, struct vfs_file *handle,
		       uint64_t offset, uint64_t n, uint64_t *ret_n)
{
	size_t got;

	if (offset >= window->offset &&
	    offset + n <= window->offset + window->n) {
		*ret_n = window->offset + window->n - offset;
		return 0;
	}
	if (n < WINDOW_BYTES)
		n = WINDOW_BYTES;
	if (n > window->room) {
		uint8_t *bytes = realloc(window->bytes, n);

		if (!bytes)
			return err_set(AEDB_NO_MEMORY, "value files: no memory");
		window->bytes = bytes;
		window->room = n;
	}
	window->n = 0;
	int rc = handle->vfs->ops->read(handle, window->bytes, n, offset, &got);

	if (rc < 0)
		return rc;
	window->offset = offset;
	window->n = got;
	*ret_n = got;
	return 0;
}

/* The record at `offset`, whole and checked; borrowed until the window moves.
 * AEDB_CORRUPT, AEDB_NEWER_FORMAT when there is none. */
static int window_record(struct window *window, const struct value_file *file,
			 uint64_t offset, struct value_record_header *ret,
			 uint8_t **ret_record)
{
	struct value_record_header header = { .stored_bytes = 0 };
	uint64_t n, need = VALUE_RECORD_HEADER_BYTES;
	int rc = window_move(window, file->handle, offset, need, &n);

	if (rc == 0 && n >= need) {
		rc = value_record_header_decode(
			window->bytes + (offset - window->offset), &header);
		if (rc < 0)
			return values_file_at(file, offset, rc);
		need = value_record_disk_bytes(header.stored_bytes);
		rc = window_move(window, file->handle, offset, need, &n);
	}
	if (rc < 0)
		return rc;
	if (n < need)
		return err_set(AEDB_CORRUPT, "%s ends inside the record at "
			       "offset %" PRIu64, file->handle->path, offset);
	*ret_record = window->bytes + (offset - window->offset);
	return values_file_check_record(file, offset, *ret_record, need, ret);
}

int values_verify_extent(struct values *values,
			 const struct value_extent *extent)
{
	struct window window = { NULL, 0, 0, 0 };
	uint64_t offset = extent->offset, end = offset + extent->bytes;
	struct value_file *file;
	int rc = values_use_file(values, extent->file, &file);

	if (rc < 0)
		return rc;
	while (rc == 0 && offset < end) {
		struct value_record_header header;
		uint8_t *record;

		rc = window_record(&window, file, offset, &header, &record);
		if (rc == 0)
			offset += value_record_disk_bytes(header.stored_bytes);
	}
	if (rc == 0 && offset != end)
		rc = err_set(AEDB_CORRUPT, "%s: a record reaches past offset %"
			     PRIu64, file->handle->path, end);
	values_unuse_file(values, file);
	free(window.bytes);
	return rc;
}

/* Cheap, for most of what is passed over is no record. */
static bool may_be_record(const uint8_t *at)
{
	return at[12] >= VALUE_CHUNK && at[12] <= VALUE_WHOLE &&
	       at[13] == VALUE_STORED && at[14] == 0 && at[15] == 0;
}

/* Where the next record begins behind something that is none. */
static int skip_damage(struct window *window, const struct value_file *file,
		       uint64_t *offset)
{
	struct value_record_header header;
	uint8_t *record;
	uint64_t n;

	for (;;) {
		*offset += VALUE_RECORD_ALIGN;
		int rc = window_move(window, file->handle, *offset,
				     VALUE_RECORD_HEADER_BYTES, &n);

		if (rc < 0)
			return rc;
		if (n < VALUE_RECORD_HEADER_BYTES)
			break;
		if (!may_be_record(window->bytes + (*offset - window->offset)))
			continue;
		rc = window_record(window, file, *offset, &header, &record);
		if (rc == 0 || rc == AEDB_IO || rc == AEDB_NO_MEMORY)
			return rc;
	}
	*offset += n;
	return 0;
}

static int show_records(struct value_file *file, FILE *out)
{
	struct window window = { NULL, 0, 0, 0 };
	uint64_t offset = FILE_DATA_OFFSET, size;
	int rc = vfs_file_size(file->handle, &size);

	while (rc == 0 && offset < size) {
		struct value_record_header header;
		uint64_t start = offset;
		uint8_t *record;

		rc = window_record(&window, file, offset, &header, &record);
		if (rc == 0) {
			fprintf(out, "%" PRIu64 ": ", offset);
			value_record_show(&header,
					  record + VALUE_RECORD_HEADER_BYTES,
					  out);
			offset += value_record_disk_bytes(header.stored_bytes);
		} else if (rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT) {
			fprintf(out, "%" PRIu64 ": unused or damaged: %s\n",
				offset, err_message());
			rc = skip_damage(&window, file, &offset);
			fprintf(out, "    %" PRIu64 " bytes passed over\n",
				offset - start);
		}
	}
	free(window.bytes);
	return rc;
}

int values_show_file(struct vfs *vfs, const char *path, FILE *out)
{
	struct value_file file = { 0 };
	struct file_header header;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file.handle);

	if (rc < 0)
		return rc;
	rc = file_header_read(file.handle, FILE_VALUES, NULL, &header);
	if (rc == 0) {
		seal_init(&file.seal, &header);
		file_header_show(out, &header);
		rc = show_records(&file, out);
	}
	vfs_file_close(file.handle);
	return rc;
}
