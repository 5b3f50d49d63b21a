/*
 * With -o secure: requests are checked (secure.h) before they are handed on.
 *
 * Threads: as the handlers.
 */
#ifndef LL_SECURE_H
#define LL_SECURE_H

#include <stdbool.h>

#include "ll_handlers.h"

/* The handlers of ll_handlers.h that name files, each behind its check. What
 * `plain` has besides them is used as it is. Static, made by the first call. */
const struct fuse_lowlevel_ops *
ll_secure_ops(const struct fuse_lowlevel_ops *plain);

/* Whether the user who asks does not see an entry of a directory. Under the tree
 * lock. */
bool ll_secure_hides(fuse_req_t req, struct tree *tree, fuse_ino_t dir,
		     const struct tree_dirent *entry);

#endif
