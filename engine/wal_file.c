/*
 * Log files as files. The specific part of the header:
 *
 *	 0  start lsn (8)	 8  durable lsn (8)	16  previous number (8)
 *	24  file bytes (8)	32  digest of the previous file (32)	64  zeros
 *
 * Invariants:
 * 1. A temporary file's number is above every published one's, and its content
 *    counts for nothing.
 */
#include "wal_file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"

#define SUFFIX ".wal"
#define TEMPORARY_SUFFIX ".wal.tmp"
/* Zeros written at once. What is written at once can become one piece of the page
 * cache, which later counts as written whole for every frame in it. */
#define FILL_BYTES (16u << 10)

const char *wal_path(file_id_t number, char *ret)
{
	snprintf(ret, WAL_PATH_BYTES, WAL_DIRECTORY "/%" PRIu64 SUFFIX, number);
	return ret;
}

static const char *temporary_path(file_id_t number, char *ret)
{
	snprintf(ret, WAL_PATH_BYTES, WAL_DIRECTORY "/%" PRIu64 TEMPORARY_SUFFIX,
		 number);
	return ret;
}

file_id_t wal_name_number(const char *name)
{
	char exact[WAL_PATH_BYTES];
	file_id_t number = strtoull(name, NULL, 10);

	return strcmp(wal_path(number, exact) + sizeof(WAL_DIRECTORY), name) ?
		       0 :
		       number;
}

void wal_header_encode(const struct wal_header *header, uint8_t *ret)
{
	struct file_header base = header->base;
	struct byte_writer w;

	memset(base.specific, 0, sizeof(base.specific));
	byte_writer_init(&w, base.specific, sizeof(base.specific));
	byte_writer_le64(&w, header->start_lsn);
	byte_writer_le64(&w, header->durable_lsn);
	byte_writer_le64(&w, header->prev_number);
	byte_writer_le64(&w, header->file_bytes);
	byte_writer_put(&w, header->prev_digest, sizeof(header->prev_digest));
	file_header_encode(&base, ret);
}

static bool header_is_possible(const struct wal_header *h)
{
	return h->start_lsn % FRAME_ALIGN == 0 &&
	       h->durable_lsn % FRAME_ALIGN == 0 &&
	       h->durable_lsn >= h->start_lsn && h->prev_number < h->base.number &&
	       h->file_bytes % FRAME_ALIGN == 0 &&
	       h->file_bytes >= WAL_FILE_BYTES_MIN &&
	       h->file_bytes <= WAL_FILE_BYTES_MAX &&
	       h->durable_lsn - h->start_lsn <= h->file_bytes - FILE_DATA_OFFSET;
}

int wal_header_read(struct vfs_file *file, const uint8_t *db_uuid,
		    struct wal_header *ret)
{
	struct wal_header h;
	struct byte_reader r;
	int rc = file_header_read(file, FILE_WAL, db_uuid, &h.base);

	if (rc < 0)
		return rc;
	byte_reader_init(&r, h.base.specific, sizeof(h.base.specific));
	h.start_lsn = byte_reader_le64(&r);
	h.durable_lsn = byte_reader_le64(&r);
	h.prev_number = byte_reader_le64(&r);
	h.file_bytes = byte_reader_le64(&r);
	memcpy(h.prev_digest, byte_reader_take(&r, WAL_DIGEST_BYTES),
	       WAL_DIGEST_BYTES);
	if (!header_is_possible(&h))
		return err_set(AEDB_CORRUPT, "%s: impossible header fields",
			       file->path);
	*ret = h;
	return 0;
}

void wal_header_show(FILE *out, const struct wal_header *header)
{
	file_header_show(out, &header->base);
	fprintf(out,
		"start lsn: %" PRIu64 "\ndurable lsn: %" PRIu64
		"\nprevious number: %" PRIu64 "\nfile bytes: %" PRIu64
		"\nprevious digest: ",
		header->start_lsn, header->durable_lsn, header->prev_number,
		header->file_bytes);
	for (size_t i = 0; i < WAL_DIGEST_BYTES; i++)
		fprintf(out, "%02x", header->prev_digest[i]);
	fputc('\n', out);
}

int wal_file_prepare(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		     uint64_t file_bytes, struct wal_file *ret)
{
	struct wal_file f = { .header.file_bytes = file_bytes };
	char path[WAL_PATH_BYTES];
	int rc = file_header_init(&f.header.base, FILE_WAL, db_uuid, number);

	if (rc < 0)
		return rc;
	seal_init(&f.seal, &f.header.base);
	/* One that an earlier attempt could not remove may have content. */
	rc = vfs_unlink(vfs, temporary_path(number, path));
	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return rc;
	rc = vfs_file_open(vfs, path, VFS_CREATE | VFS_EXCLUSIVE, &f.file);
	if (rc < 0)
		return rc;
	rc = vfs_file_allocate(f.file, 0, file_bytes);
	if (rc < 0) {
		vfs_file_close(f.file);
		vfs_unlink_quietly(vfs, path);
		return rc;
	}
	*ret = f;
	return 0;
}

int wal_file_fill(struct wal_file *file, uint64_t from, uint64_t to)
{
	static const char zeros[FILL_BYTES];
	int rc = 0;

	while (from < to && rc == 0) {
		size_t n = to - from < FILL_BYTES ? (size_t)(to - from) :
						    FILL_BYTES;

		rc = vfs_write_all(file->file, zeros, n, from);
		from += n;
	}
	return rc;
}

int wal_file_publish(struct wal_file *file)
{
	char from[WAL_PATH_BYTES], to[WAL_PATH_BYTES];
	uint8_t bytes[FILE_HEADER_BYTES];
	struct vfs *vfs = file->file->vfs;
	file_id_t number = file->header.base.number;
	int rc;

	assert(header_is_possible(&file->header));
	wal_header_encode(&file->header, bytes);
	rc = vfs_write_all(file->file, bytes, sizeof(bytes), 0);
	if (rc == 0)
		rc = vfs_file_sync(file->file);
	if (rc == 0)
		rc = vfs_rename(vfs, temporary_path(number, from),
				wal_path(number, to));
	return rc;
}

int wal_names_sync(struct vfs *vfs)
{
	return vfs_sync_dir(vfs, WAL_DIRECTORY);
}

void wal_file_close(struct wal_file *file)
{
	vfs_file_close(file->file);
	file->file = NULL;
}

void wal_file_discard(struct wal_file *file)
{
	char path[WAL_PATH_BYTES];
	struct vfs *vfs = file->file->vfs;

	wal_file_close(file);
	vfs_unlink_quietly(vfs, temporary_path(file->header.base.number, path));
}

static bool name_is_temporary(const char *name)
{
	size_t n = strlen(name), suffix = sizeof(TEMPORARY_SUFFIX) - 1;

	return n > suffix && !strcmp(name + n - suffix, TEMPORARY_SUFFIX);
}

#define NAME_PATH_BYTES (sizeof(WAL_DIRECTORY) + 256)

static const char *name_path(const char *name, char *ret)
{
	snprintf(ret, NAME_PATH_BYTES, WAL_DIRECTORY "/%s", name);
	return ret;
}

int wal_files_sweep(struct vfs *vfs)
{
	char **names, path[NAME_PATH_BYTES];
	size_t n;
	int rc = vfs->ops->list(vfs, WAL_DIRECTORY, &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (name_is_temporary(names[i]))
			rc = vfs_unlink(vfs, name_path(names[i], path));
	vfs_free_names(names, n);
	return rc;
}

int wal_header_look(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		    struct wal_header *ret)
{
	char path[WAL_PATH_BYTES];
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, wal_path(number, path), VFS_READ, &file);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	rc = wal_header_read(file, db_uuid, ret);
	vfs_file_close(file);
	/* who asks needs it no more: what is wrong with it hurts nobody */
	if (rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT)
		return 0;
	return rc < 0 ? rc : 1;
}

/* Cuts off what was reserved behind the frames of a file. */
static int file_give_back(struct vfs *vfs, const struct wal_header *header,
			  lsn_t end)
{
	uint64_t size, used = wal_offset(header, end);
	char path[WAL_PATH_BYTES];
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, wal_path(header->base.number, path),
			       VFS_WRITE, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_size(file, &size);
	if (rc == 0 && size > used)
		rc = vfs_file_truncate(file, used);
	vfs_file_close(file);
	return rc;
}

/* The first of the files that stay. */
static int files_keep(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		      uint64_t keep_bytes, file_id_t *ret)
{
	struct wal_header header, next;
	int rc = wal_header_look(vfs, db_uuid, number, &next);

	*ret = number;
	while (rc > 0 && next.prev_number) {
		rc = wal_header_look(vfs, db_uuid, next.prev_number, &header);
		if (rc <= 0)
			break;
		if (next.start_lsn - header.start_lsn > keep_bytes)
			return 0;
		keep_bytes -= next.start_lsn - header.start_lsn;
		rc = file_give_back(vfs, &header, next.start_lsn);
		if (rc < 0)
			break;
		*ret = next.prev_number;
		next = header;
		rc = 1;
	}
	return rc < 0 ? rc : 0;
}

int wal_files_remove_before(struct vfs *vfs, const uint8_t *db_uuid,
			    file_id_t number, uint64_t keep_bytes,
			    struct wal_removed *removed)
{
	char **names, path[NAME_PATH_BYTES];
	size_t n;
	int rc = keep_bytes ?
			 files_keep(vfs, db_uuid, number, keep_bytes, &number) :
			 0;

	if (rc == 0)
		rc = vfs->ops->list(vfs, WAL_DIRECTORY, &names, &n);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		file_id_t found = wal_name_number(names[i]);

		if (found && found < number)
			rc = wal_removed_unlink(removed, vfs,
						name_path(names[i], path));
	}
	vfs_free_names(names, n);
	return rc;
}
