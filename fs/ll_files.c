/*
 * Requests on open files.
 *
 * Handles of what changes are direct_io: what is cached by the kernel would be
 * torn by commits. What a snapshot shows is cached.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ll_handlers.h"
#include "log.h"
#include "pin.h"

static void show_handle(struct tree *tree, struct ll_reply *reply)
{
	struct fuse_file_info *fi = &reply->file;

	reply->tree = tree;
	fi->fh = (uint64_t)(uintptr_t)reply->handle;
	fi->direct_io = !tree_is_immutable(tree);
	fi->keep_cache = tree_is_immutable(tree);
	fi->noflush = !tree_handle_is_writing(reply->handle);
}

void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct tree_new new = { ll_node(req, parent), name,
				S_IFREG | (mode & 07777) };
	struct ll_reply reply = { .kind = LL_CREATE, .what = "create",
				  .file = *fi };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);
	int rc = tree_create(tree, &caller, &new, fi->flags, &reply.handle,
			     &reply.entry);

	if (rc == 0)
		show_handle(tree, &reply);
	ll_end(req, rc, &reply);
}

void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_OPEN, .what = "open",
				  .file = *fi };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	int rc = tree_open_file(tree, &caller, ll_node(req, ino), fi->flags,
				&reply.handle);

	if (rc == 0)
		show_handle(tree, &reply);
	ll_end(req, rc, &reply);
}

/* Reading. */

struct cold_read {
	struct work_item item;
	fuse_req_t req;
	struct pin *pin;		/* counted */
	size_t n;
	uint64_t offset;
	char buf[];
};

static void read_cold(struct work_item *item)
{
	struct cold_read *read = (struct cold_read *)item;
	struct tree *tree = ll_live(read->req);
	size_t n = 0;
	int rc = pin_read(read->pin, read->buf, read->n, read->offset, &n);

	if (rc < 0)
		ll_fail(read->req, rc, "read");
	else
		fuse_reply_buf(read->req, read->buf, n);
	tree_lock(tree);
	pin_unref(read->pin);
	tree_unlock(tree);
	free(read);
}

static void submit_read(fuse_req_t req, struct pin *pin,
			const struct tree_read *read)
{
	struct cold_read *cold = malloc(sizeof(*cold) + read->n);
	struct tree *tree = ll_live(req);

	if (!cold) {
		tree_lock(tree);
		pin_unref(pin);
		tree_unlock(tree);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	cold->item = (struct work_item){ .run = read_cold, .lane = WORK_READ };
	cold->req = req;
	cold->pin = pin;
	cold->n = read->n;
	cold->offset = read->offset;
	work_submit(ll_config(req)->pool, &cold->item);
}

#define READ_BYTES_MAX (1u << 20)

void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	static char buf[READ_BYTES_MAX];	/* the receiver's alone */
	struct tree_read read = { buf, size, (uint64_t)offset };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	struct pin *pin = NULL;
	size_t n = 0;
	int rc;

	if (read.n > sizeof(buf))
		read.n = sizeof(buf);
	rc = tree_read(tree, &caller, ll_handle(fi), &read, &n, &pin);
	if (rc == 0 && pin) {
		tree_unlock(tree);
		submit_read(req, pin, &read);
		return;
	}
	ll_end_bytes(req, rc, "read", buf, n);
}

/* Data and holes. */

struct cold_seek {
	struct work_item item;
	fuse_req_t req;
	struct pin *pin;		/* counted */
	struct tree_seek seek;
};

static void reply_seek(fuse_req_t req, int rc, uint64_t offset)
{
	if (rc == -ENOENT)
		fuse_reply_err(req, ENXIO);
	else if (rc < 0)
		ll_fail(req, rc, "lseek");
	else
		fuse_reply_lseek(req, (off_t)offset);
}

static void seek_cold(struct work_item *item)
{
	struct cold_seek *cold = (struct cold_seek *)item;
	struct tree *tree = ll_live(cold->req);
	uint64_t offset = 0;
	int rc = pin_seek(cold->pin, cold->seek.what, cold->seek.offset,
			  &offset);

	reply_seek(cold->req, rc, offset);
	tree_lock(tree);
	pin_unref(cold->pin);
	tree_unlock(tree);
	free(cold);
}

void ll_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	struct cold_seek *cold = malloc(sizeof(*cold));
	struct tree_seek seek = { whence == SEEK_DATA ? AEDB_EXTENT_DATA :
							AEDB_EXTENT_HOLE,
				  (uint64_t)offset };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	struct pin *pin = NULL;
	uint64_t found = 0;
	int rc = -ENOMEM;

	if (cold)
		rc = tree_seek(tree, &caller, ll_handle(fi), &seek, &found,
			       &pin);
	tree_unlock(tree);
	if (rc < 0 || !pin) {
		reply_seek(req, rc, found);
		free(cold);
		return;
	}
	*cold = (struct cold_seek){
		.item = { .run = seek_cold, .lane = WORK_READ },
		.req = req,
		.pin = pin,
		.seek = seek,
	};
	work_submit(ll_config(req)->pool, &cold->item);
}

/* Writing. */

void ll_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
	      off_t offset, struct fuse_file_info *fi)
{
	struct tree_write write = { buf, size, (uint64_t)offset,
				    fi->flags & O_APPEND };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	/* O_SYNC has this bit too, and so do pwritev2 and the mount option. */
	bool is_sync = fi->flags & O_DSYNC;
	/* Otherwise an appended record is durable at FLUSH. */
	struct ll_reply reply = { .kind = LL_WRITTEN, .what = "write",
				  .written = size,
				  .waits_never = !is_sync,
				  .waits_for_all = is_sync &&
						   !tree_is_of_batch(tree) };
	int rc = tree_write(tree, &caller, ll_handle(fi), &write);

	if (rc == 0 && is_sync)
		rc = tree_fsync(tree, ll_handle(fi));
	ll_end(req, rc, &reply);
}

void ll_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t n, struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_STATUS, .what = "fallocate" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);

	ll_end(req, tree_fallocate(tree, &caller, ll_handle(fi), mode,
				   (uint64_t)offset, (uint64_t)n), &reply);
}

void ll_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	struct ll_reply reply = {
		.kind = LL_STATUS,
		.what = "flush",
		.waits_for_all = ll_config(req)->waits_durable &&
				 !tree_is_of_batch(tree) &&
				 tree_handle_is_writing(ll_handle(fi)),
	};

	ll_end(req, tree_flush(tree, &caller, ll_handle(fi)), &reply);
}

void ll_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req, ino);
	struct ll_reply reply = { .kind = LL_STATUS, .what = "fsync",
				  .waits_for_all = !tree_is_of_batch(tree) };

	(void)datasync;
	ll_end(req, tree_fsync(tree, ll_handle(fi)), &reply);
}

void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_STATUS, .what = "release",
				  .waits_never = true };
	struct tree *tree = ll_begin(req, ino);
	int rc = tree_release(tree, ll_handle(fi));

	/* Nobody gets this error. */
	if (rc < 0)
		log_line(LOG_ERR, "a file was closed and is not committed: %s",
			 aedb_strerror(rc));
	ll_end(req, rc, &reply);
	ll_heap_note_release();
}
