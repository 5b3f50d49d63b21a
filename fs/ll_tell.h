/*
 * News for the kernel, which believes something else.
 *
 * Threads: of names, one that holds no lock and whose request nobody waits for but
 * its caller: telling of one waits for whoever uses its directory. Telling of
 * attributes takes no lock of the kernel's, so handlers do it inline, before they
 * reply.
 */
#ifndef LL_TELL_H
#define LL_TELL_H

#include "news.h"

struct fuse_session;

/* Names and attributes, after a commit. device: of the mount. */
void ll_tell(struct fuse_session *fuse, dev_t device, const struct news *news);
/* Names that mean nothing any more are forgotten with all that is below them, which
 * takes long where it is much; or only asked for from now on (Linux 6.2; earlier ones
 * forget them). */
void ll_tell_names(struct fuse_session *fuse, const struct news *news);
void ll_tell_ask(struct fuse_session *fuse, const struct news *news);
/* A name that is not there any more. */
void ll_tell_gone(struct fuse_session *fuse, uint64_t parent, const char *name);
/* Attributes that an operation made stale. */
void ll_tell_stale(struct fuse_session *fuse,
		   const struct tree_effects *effects);

#endif
