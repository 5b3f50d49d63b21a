/* The handlers of requests, by the file they stand in; ll_ops.c lists them. */
#ifndef LL_HANDLERS_H
#define LL_HANDLERS_H

#include "ll_reply.h"

/* ll_relief.c: when there are too many nodes. Under the tree lock. */
void ll_relieve(struct ll_config *config);

/* ll_heap.c: after a file was closed, by the receiver. */
void ll_heap_note_release(void);

/* ll_snapshots.c: names in `.snap`, answered by a worker. The names are copied. */
enum ll_snapshot_act {
	LL_SNAPSHOT_CREATE,
	LL_SNAPSHOT_DELETE,
	LL_SNAPSHOT_RENAME,
	LL_SNAPSHOT_LOOK_UP,	/* a state */
};
void ll_snapshot(fuse_req_t req, enum ll_snapshot_act act,
		 const struct forest_snapshot *snapshot);

/* ll_batches.c: names in `.batch`. Beginning one is under the tree lock, and gives
 * it back. */
void ll_batch_begin(fuse_req_t req, fuse_ino_t dir, const char *name);
void ll_batch_abort(fuse_req_t req, const char *name);

/* ll_names.c */
void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void ll_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets);
void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);
void ll_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name);
void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned flags);

/* ll_attributes.c */
void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void ll_readlink(fuse_req_t req, fuse_ino_t ino);
void ll_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void ll_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void ll_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void ll_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void ll_statfs(fuse_req_t req, fuse_ino_t ino);

/* ll_files.c */
void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void ll_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
	      off_t offset, struct fuse_file_info *fi);
void ll_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi);
void ll_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t n, struct fuse_file_info *fi);

/* ll_directories.c */
void ll_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void ll_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);
void ll_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ll_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi);

#endif
