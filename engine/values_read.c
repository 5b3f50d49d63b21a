/*
 * Reading single records by reference, whole, checked and decoded.
 *
 * Invariants:
 * 1. What is returned has the reference's checksum, which the record's place
 *    and its file's incarnation are part of: never another record.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "bytes.h"
#include "err.h"
#include "values_file.h"

static int check_referenced(const struct value_file *file,
			    const struct value_record_ref *ref,
			    enum value_kind kind, uint8_t *record)
{
	struct value_record_header header;
	int rc = values_file_check_record(file, ref->offset, record,
			      value_record_disk_bytes(ref->stored_bytes),
			      &header);

	if (rc < 0)
		return rc;
	if (header.crc != ref->crc || header.kind != kind ||
	    header.stored_bytes != ref->stored_bytes)
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": another record than the reference means",
			       file->handle->path, ref->offset);
	return 0;
}

uint64_t values_run_bytes(const struct value_record_ref *refs, size_t n)
{
	return refs[n - 1].offset - refs[0].offset +
	       value_record_disk_bytes(refs[n - 1].stored_bytes);
}

bool values_ref_is_next(const struct value_record_ref *a,
			const struct value_record_ref *b)
{
	return a->file == b->file &&
	       a->offset + value_record_disk_bytes(a->stored_bytes) == b->offset;
}

int values_load_run(struct values *values, const struct value_record_ref *refs,
		    size_t n, enum value_kind kind, uint8_t *buf)
{
	struct value_file *file;
	int rc = values_use_file(values, refs[0].file, &file);

	if (rc < 0)
		return rc;
	rc = vfs_read_exact(file->handle, buf, values_run_bytes(refs, n),
			    refs[0].offset);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = check_referenced(file, &refs[i], kind,
				      buf + (refs[i].offset - refs[0].offset));
	values_unuse_file(values, file);
	return rc;
}

uint32_t values_chunk_bytes(const uint8_t *record)
{
	return bytes_load_le32(record + 8);
}

/* Owned: free. */
static int load_record(struct values *values,
		       const struct value_record_ref *ref, enum value_kind kind,
		       uint8_t **ret)
{
	uint8_t *record = malloc(value_record_disk_bytes(ref->stored_bytes));

	if (!record)
		return err_set(AEDB_NO_MEMORY, "value of %u bytes: no memory",
			       ref->stored_bytes);
	int rc = values_load_run(values, ref, 1, kind, record);

	if (rc < 0)
		free(record);
	else
		*ret = record;
	return rc;
}

/* As at_position, for a reference. */
static int at_reference(const struct value_record_ref *ref, int rc)
{
	char message[ERR_MESSAGE_BYTES], path[VALUES_PATH_BYTES];

	values_file_path(ref->file, path);
	snprintf(message, sizeof(message), "%s", err_message());
	return err_set(rc, "%s offset %" PRIu64 ": %s", path, ref->offset,
		       message);
}

int values_load_map(struct values *values, const struct value_record_ref *ref,
		    struct value_slot *ret_slots, size_t *ret_n)
{
	uint8_t *record;
	int rc = load_record(values, ref, VALUE_MAP, &record);

	if (rc < 0)
		return rc;
	rc = value_map_decode(record + VALUE_RECORD_HEADER_BYTES,
			      values_chunk_bytes(record), ret_slots, ret_n);
	free(record);
	return rc < 0 ? at_reference(ref, rc) : 0;
}

int values_load_root(struct values *values, const struct value_ref *ref,
		     struct value_root *ret)
{
	struct value_root root;
	uint8_t *record;
	int rc = load_record(values, &ref->root, VALUE_ROOT, &record);

	if (rc < 0)
		return rc;
	rc = value_root_decode(record + VALUE_RECORD_HEADER_BYTES,
			       values_chunk_bytes(record), &root);
	free(record);
	if (rc < 0)
		return at_reference(&ref->root, rc);
	if (root.bytes != ref->bytes || root.chunks != ref->chunks) {
		value_root_release(&root);
		err_set(AEDB_CORRUPT, "root of another value");
		return at_reference(&ref->root, AEDB_CORRUPT);
	}
	*ret = root;
	return 0;
}
