/*
 * Which handler a request is for: the trees', that of the text files at the root
 * and in batches, or that of backups.
 *
 * Threads: as the handlers.
 */
#ifndef LL_ROUTE_H
#define LL_ROUTE_H

#include "ll_ops.h"

struct fuse_lowlevel_ops;

/* Fills in the handlers of all requests. */
void ll_route(const struct ll_config *config, struct fuse_lowlevel_ops *ops);

#endif
