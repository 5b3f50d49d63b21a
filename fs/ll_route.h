/*
 * Which handler a request is for: the tree's, or that of the text files at the
 * root. Where a text file can have no part in it, the tree's is called by itself.
 *
 * Threads: as the handlers.
 */
#ifndef LL_ROUTE_H
#define LL_ROUTE_H

#include "ll_ops.h"

struct fuse_lowlevel_ops;

/* Fills in the handlers of requests that may concern either. */
void ll_route(const struct ll_config *config, struct fuse_lowlevel_ops *ops);

#endif
