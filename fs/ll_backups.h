/*
 * Requests on `.backup` and what is in it (backups.h): read from the host's files,
 * by workers.
 *
 * Threads: as the handlers.
 */
#ifndef LL_BACKUPS_H
#define LL_BACKUPS_H

#include "ll_reply.h"

/* For nodes that ll_is_backup says are its own. */
extern const struct fuse_lowlevel_ops ll_backup_ops;

bool ll_is_backup(fuse_ino_t ino);
/* Answers a lookup in the root if the name is `.backup`. */
bool ll_backup_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
/* The kernel has forgotten it so many times. */
void ll_backup_forgotten(struct ll_config *config, fuse_ino_t ino, uint64_t n);

#endif
