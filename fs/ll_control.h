/*
 * Requests on the text files at the mount's root (control.h). Each lookup of one
 * gives a node of its own, so that the kernel lets nobody wait behind a command
 * that runs; what is written, and what has to be read from the disk, goes to
 * workers.
 *
 * Threads: as the handlers.
 */
#ifndef LL_CONTROL_H
#define LL_CONTROL_H

#include "ll_reply.h"

/* The node is such a file's: the calls below are for it. */
bool ll_is_control(fuse_ino_t ino);
/* Answers a lookup in the root if the name is such a file's. */
bool ll_control_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_control_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);

void ll_control_getattr(fuse_req_t req, fuse_ino_t ino);
void ll_control_setattr(fuse_req_t req, fuse_ino_t ino, int to_set);
void ll_control_open(fuse_req_t req, fuse_ino_t ino,
		     const struct fuse_file_info *fi);
void ll_control_read(fuse_req_t req, size_t size, off_t offset,
		     const struct fuse_file_info *fi);
void ll_control_write(fuse_req_t req, const char *buf, size_t size,
		      const struct fuse_file_info *fi);
void ll_control_release(fuse_req_t req, fuse_ino_t ino,
			const struct fuse_file_info *fi);
void ll_control_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence);

#endif
