/*
 * The log's beginning: of a new database, and behind what recovery has read.
 */
#include "wal_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wal_read.h"
#include "wal_tail.h"

/* A log whose first file, linked as given and large enough for tail_bytes of
 * frames, is not published yet. */
static int wal_new(struct vfs *vfs, const struct wal_options *options,
		   const struct wal_link *link, struct wal **ret)
{
	struct wal *wal = calloc(1, sizeof(*wal));
	struct wal_header *header;
	uint64_t file_bytes = wal_file_bytes_wanted(options->file_bytes);
	uint64_t least = wal_file_bytes_wanted(FILE_DATA_OFFSET + link->tail_bytes +
					   2 * WAL_NOTE_BYTES);
	int rc;

	if (!wal)
		return err_set(AEDB_NO_MEMORY, "log: out of memory");
	lock_init(&wal->lock, LOCK_RANK_WAL);
	wal_spare_init(&wal->spare);
	wal_removed_init(&wal->removed);
	wal->vfs = vfs;
	wal->options = *options;
	atomic_init(&wal->file_bytes, file_bytes);
	wal->group.cap = 64u << 10;
	wal->group.bytes = malloc(wal->group.cap);
	rc = wal->group.bytes ? wal_chain_new(&wal->chain) :
				err_set(AEDB_NO_MEMORY, "log: out of memory");
	if (rc == 0)
		rc = wal_add_part(wal, link->number,
				  file_bytes > least ? file_bytes : least, least);
	if (rc < 0) {
		wal_close(wal);
		return rc;
	}
	header = &wal->parts[0].file.header;
	header->start_lsn = header->durable_lsn = link->start_lsn;
	header->prev_number = link->prev_number;
	memcpy(header->prev_digest, link->prev_digest, WAL_DIGEST_BYTES);
	wal->group.lsn = wal->commit_end = link->start_lsn;
	atomic_init(&wal->durable, link->start_lsn);
	wal_chain_begin(wal->chain, header);
	*ret = wal;
	return 0;
}

static int wal_publish_first(struct wal *wal)
{
	struct wal_file *file = &wal->parts[0].file;
	int rc;

	file->header.durable_lsn = wal->group.lsn;
	rc = wal_file_publish(file);
	if (rc == 0)
		rc = wal_names_sync(wal->vfs);
	if (rc < 0)
		return rc;
	wal->noted_lsn = wal->group.lsn;
	lock_acquire(&wal->lock);
	wal->current = file->file;
	atomic_store(&wal->published, file->header.base.number);
	atomic_store(&wal->written, wal->group.lsn);
	atomic_store(&wal->commit_written, wal->group.lsn);
	atomic_store(&wal->durable, wal->group.lsn);
	lock_release(&wal->lock);
	return 0;
}

int wal_create(struct vfs *vfs, const struct wal_options *options,
	       struct wal **ret)
{
	struct wal_link link = { .number = 1 };
	struct wal *wal;
	int rc = vfs->ops->mkdir(vfs, WAL_DIRECTORY);

	if (rc < 0 && rc != AEDB_EXISTS)
		return rc;
	rc = vfs_sync_dir(vfs, ".");
	if (rc == 0)
		rc = wal_new(vfs, options, &link, &wal);
	if (rc < 0)
		return rc;
	rc = wal_publish_first(wal);
	if (rc < 0) {
		wal_close(wal);
		return rc;
	}
	*ret = wal;
	return 0;
}

/* Copies what the reader kept above the durable part. The new file has room
 * for all of it, so no other file comes into being. */
static int wal_copy_tail(struct wal *wal, struct wal_reader *reader)
{
	struct wal_read_commit c;
	int rc = wal_reader_rewind(reader);

	if (rc < 0)
		return rc;
	while ((rc = wal_reader_next(reader, &c)) > 0) {
		rc = wal_append(wal, &c.commit);
		if (rc == 0 && wal->group.used >= FRAME_PAYLOAD_MAX)
			rc = wal_write_group(wal);
		if (rc < 0)
			return rc;
		assert(wal->parts_n == 1);
	}
	return rc < 0 ? rc : wal_write_group(wal);
}

/* A log that goes on where it was known durable, with a copy of its tail: 1, there
 * is no room for that. */
static int wal_new_with_tail(struct vfs *vfs, const struct wal_options *options,
			     struct wal_reader *reader, struct wal **ret)
{
	struct wal_link link;
	struct wal *wal;
	int rc = wal_reader_link(reader, &link);

	if (rc == 0)
		rc = wal_new(vfs, options, &link, &wal);
	if (rc == AEDB_NO_SPACE && link.tail_bytes)
		return 1;
	if (rc < 0)
		return rc;
	rc = wal_copy_tail(wal, reader);
	if (rc < 0)
		wal_close(wal);
	else
		*ret = wal;
	return rc;
}

/* One that goes on behind its tail. */
static int wal_new_behind_tail(struct vfs *vfs, const struct wal_options *options,
			       struct wal_reader *reader, struct wal **ret)
{
	struct wal_link link;
	struct wal_tail tail;
	int rc = wal_reader_link_behind(reader, &link, &tail);

	if (rc == 0)
		rc = wal_tail_renew(vfs, options->db_uuid, &tail);
	return rc < 0 ? rc : wal_new(vfs, options, &link, ret);
}

int wal_start(struct vfs *vfs, const struct wal_options *options,
	      struct wal_reader *reader, struct wal **ret)
{
	struct wal *wal;
	int rc = wal_files_sweep(vfs);

	if (rc == 0)
		rc = wal_new_with_tail(vfs, options, reader, &wal);
	if (rc > 0)
		rc = wal_new_behind_tail(vfs, options, reader, &wal);
	if (rc < 0)
		goto out;
	/* an opening that was killed may have left the name of the file that
	 * this one continues in memory only */
	rc = wal_names_sync(vfs);
	if (rc == 0)
		rc = wal_publish_first(wal);
	if (rc < 0)
		wal_close(wal);
	else
		*ret = wal;
out:
	/* Nobody waits here for a commit whose outcome is unknown. */
	return rc == AEDB_UNKNOWN ? err_set(AEDB_IO, "%s", err_message()) : rc;
}
