/*
 * News of a commit for the kernel.
 *
 * Threads: one that holds no lock and whose request nobody waits for but its
 * caller: telling of a name waits for whoever uses its directory.
 */
#ifndef LL_TELL_H
#define LL_TELL_H

#include "news.h"

struct fuse_session;

void ll_tell(struct fuse_session *fuse, const struct news *news);

#endif
