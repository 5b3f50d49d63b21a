/*
 * Copying: the ways that the system has of its own first, then through memory.
 *
 * What is to have a digest is read in any case, so it is copied by writing what
 * was read: what the digest is of is what was written.
 */
#include "vfs_copy.h"

#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define PIECE_BYTES (4u << 20)	/* between two looks at the watcher */

int vfs_link(struct vfs *vfs, const char *path, struct vfs *to_vfs,
	     const char *to, bool *ret_is_linked)
{
	if (vfs->ops != to_vfs->ops) {
		*ret_is_linked = false;
		return 0;
	}
	return vfs->ops->link(vfs, path, to_vfs, to, ret_is_linked);
}

int vfs_clone(struct vfs_file *from, struct vfs_file *to, bool *ret_is_cloned)
{
	const struct vfs_ops *ops = from->vfs->ops;

	if (ops != to->vfs->ops || !ops->clone) {
		*ret_is_cloned = false;
		return 0;
	}
	return ops->clone(from, to, ret_is_cloned);
}

/* Reads n bytes in pieces, each taken into the digest, if there is one, and
 * written to `to`, if there is one. */
static int pass_through(struct vfs_file *from, struct vfs_file *to,
			uint64_t offset, uint64_t n, struct digest *digest)
{
	void *own = digest ? NULL : malloc(DIGEST_ROOM_BYTES);
	int rc = 0;

	if (!digest && !own)
		return err_set(AEDB_NO_MEMORY, "copying %s: out of memory", from->path);
	while (n && rc == 0) {
		size_t k = n < DIGEST_ROOM_BYTES ? (size_t)n : DIGEST_ROOM_BYTES;
		void *room = digest ? digest_room(digest) : own;

		rc = vfs_read_exact(from, room, k, offset);
		if (rc == 0 && digest)
			digest_add(digest, k);
		if (rc == 0 && to)
			rc = vfs_write_all(to, room, k, offset);
		offset += k;
		n -= k;
	}
	free(own);
	return rc;
}

int vfs_copy(struct vfs_file *from, struct vfs_file *to, uint64_t offset,
	     uint64_t n)
{
	const struct vfs_ops *ops = from->vfs->ops;
	uint64_t done = 0;
	int rc = 0;

	if (ops == to->vfs->ops && ops->copy)
		rc = ops->copy(from, to, offset, n, &done);
	if (rc < 0 || done == n)
		return rc;
	return pass_through(from, to, offset + done, n - done, NULL);
}

static int watch_tell(const struct vfs_watch *watch, const char *path, uint64_t n)
{
	if (watch->tell && watch->tell(watch->arg, n))
		return err_set(AEDB_CANCELED, "%s: canceled", path);
	return 0;
}

/* Without a digest the system may copy. */
static int piece_pass(struct vfs_file *from, struct vfs_file *to, uint64_t offset,
		      uint64_t n, struct digest *digest)
{
	if (to && !digest)
		return vfs_copy(from, to, offset, n);
	return pass_through(from, to, offset, n, digest);
}

/* to NULL: read for the digest only. */
static int pieces_pass(struct vfs_file *from, struct vfs_file *to, uint64_t bytes,
		       const struct vfs_watch *watch, uint8_t *ret_sha256)
{
	struct digest *digest = NULL;
	int rc = ret_sha256 ? digest_new(bytes, &digest) : 0;

	for (uint64_t at = 0, n; at < bytes && rc == 0; at += n) {
		n = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
		rc = piece_pass(from, to, at, n, digest);
		if (rc == 0 && to)
			vfs_file_sync_ahead(to, at, n);
		if (rc == 0)
			rc = watch_tell(watch, from->path, n);
	}
	if (rc == 0 && digest)
		rc = digest_end(digest, ret_sha256);
	digest_free(digest);
	return rc;
}

static int size_require(struct vfs_file *file, uint64_t bytes)
{
	uint64_t has;
	int rc = vfs_file_size(file, &has);

	if (rc == 0 && has < bytes)
		return err_set(AEDB_CORRUPT,
			       "%s has %" PRIu64 " bytes, want %" PRIu64,
			       file->path, has, bytes);
	return rc;
}

int vfs_digest(struct vfs *vfs, const char *path, uint64_t bytes,
	       const struct vfs_watch *watch, uint8_t ret[DIGEST_BYTES])
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = size_require(file, bytes);
	if (rc == 0)
		rc = pieces_pass(file, NULL, bytes, watch, ret);
	vfs_file_close(file);
	return rc;
}

/* Cloned, cut to its bytes, and read for the digest if one is wanted. */
static int clone_pass(struct vfs_file *from, struct vfs_file *to, uint64_t bytes,
		      const struct vfs_watch *watch, uint8_t *ret_sha256)
{
	int rc = vfs_file_truncate(to, bytes);

	if (rc < 0 || ret_sha256)
		return rc < 0 ? rc : pieces_pass(to, NULL, bytes, watch, ret_sha256);
	return watch_tell(watch, from->path, bytes);
}

static int content_pass(struct vfs_file *from, struct vfs_file *to,
			uint64_t bytes, const struct vfs_watch *watch,
			uint8_t *ret_sha256)
{
	bool is_cloned = false;
	int rc = size_require(from, bytes);

	if (rc == 0)
		rc = vfs_clone(from, to, &is_cloned);
	if (rc == 0 && is_cloned)
		rc = clone_pass(from, to, bytes, watch, ret_sha256);
	else if (rc == 0)
		rc = pieces_pass(from, to, bytes, watch, ret_sha256);
	return rc;
}

int vfs_copy_file(struct vfs_end from, struct vfs_end to, uint64_t bytes,
		  const struct vfs_watch *watch, uint8_t *ret_sha256)
{
	struct vfs_file *source, *target;
	int rc = vfs_file_open(from.vfs, from.path, VFS_READ, &source);

	if (rc < 0)
		return rc;
	rc = vfs_file_open(to.vfs, to.path, VFS_CREATE | VFS_EXCLUSIVE, &target);
	if (rc == 0) {
		rc = content_pass(source, target, bytes, watch, ret_sha256);
		vfs_file_close(target);
		if (rc < 0)
			vfs_unlink_quietly(to.vfs, to.path);
	}
	vfs_file_close(source);
	return rc;
}
