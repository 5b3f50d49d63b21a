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

/* For nodes that ll_is_control says are such files'. */
extern const struct fuse_lowlevel_ops ll_control_ops;

bool ll_is_control(fuse_ino_t ino);
/* Answers a lookup if the name is such a file's. */
bool ll_control_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
/* The kernel has forgotten it so many times. */
void ll_control_forgotten(struct ll_config *config, fuse_ino_t ino, uint64_t n);

#endif
