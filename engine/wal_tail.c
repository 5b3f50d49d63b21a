/*
 * Frames are written as they stand, so that no moment of it changes what the file
 * holds: a crash leaves the same bytes, more of them on the disk.
 */
#include "wal_tail.h"

#include "err.h"
#include "wal_window.h"

static int frame_renew(struct wal_window *w, struct vfs_file *file, lsn_t *lsn)
{
	enum frame_fault fault;
	struct frame frame;
	int rc = wal_window_frame(w, *lsn, &frame, &fault);

	if (rc < 0)
		return rc;
	if (fault != FRAME_GOOD)
		return err_set(AEDB_IO, "%s: %s, but it was good before",
			       file->path, frame_fault_text(fault));
	rc = vfs_write_all(file, wal_window_bytes(w, *lsn),
			   frame_bytes(&w->seal, frame.payload_bytes),
			   wal_offset(&w->header, *lsn));
	*lsn = wal_window_behind(w, *lsn, &frame);
	return rc;
}

int wal_tail_renew(struct vfs *vfs, const uint8_t *db_uuid,
		   const struct wal_tail *tail)
{
	struct wal_window w = { .file = NULL };
	char path[WAL_PATH_BYTES];
	struct vfs_file *file;
	lsn_t lsn = tail->begin;
	int rc = vfs_file_open(vfs, wal_path(tail->file, path), VFS_WRITE, &file);

	if (rc < 0)
		return rc;
	rc = wal_window_open(&w, vfs, path, db_uuid);
	while (rc == 0 && lsn < tail->end)
		rc = frame_renew(&w, file, &lsn);
	if (rc == 0)
		rc = vfs_file_sync(file);
	wal_window_release(&w);
	vfs_file_close(file);
	return rc;
}
