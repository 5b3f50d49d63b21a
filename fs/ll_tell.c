/*
 * One notice for each name and each node, or, of very many names, a new epoch:
 * then the kernel asks for every name again when it is used next. Attributes that
 * it has go on being believed, so of these it is told in any case.
 */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "ll_tell.h"

#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mount_point.h"

#define NAMES_MAX 1000
/* Of linux/fuse.h since Linux 6.16. */
#define NOTIFY_INC_EPOCH 8

static bool tell_epoch(struct fuse_session *fuse)
{
	struct fuse_out_header header = { .len = sizeof(header),
					  .error = NOTIFY_INC_EPOCH };

	return write(fuse_session_fd(fuse), &header, sizeof(header)) ==
	       (ssize_t)sizeof(header);
}

/* Fails only when the kernel no longer holds the node. */
static void tell_attributes(struct fuse_session *fuse, uint64_t nodeid)
{
	fuse_lowlevel_notify_inval_inode(fuse, nodeid, -1, 0);
}

void ll_tell_gone(struct fuse_session *fuse, uint64_t parent, const char *name)
{
	fuse_lowlevel_notify_inval_entry(fuse, parent, name, strlen(name));
}

void ll_tell_stale(struct fuse_session *fuse,
		   const struct tree_effects *effects)
{
	for (size_t i = 0; i < effects->n_stale; i++)
		tell_attributes(fuse, effects->stale[i]);
}

static void tell_ask(struct fuse_session *fuse, const struct news_name *name)
{
	size_t bytes = strlen(name->name) + 1;
	struct fuse_notify_inval_entry_out out = {
		.parent = name->parent,
		.namelen = (uint32_t)bytes - 1,
		.flags = FUSE_EXPIRE_ONLY,
	};
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + sizeof(out) + bytes),
		.error = FUSE_NOTIFY_INVAL_ENTRY,
	};
	struct iovec parts[] = { { &header, sizeof(header) },
				 { &out, sizeof(out) },
				 { name->name, bytes } };

	/* Fails only when the kernel does not have the name. */
	(void)!writev(fuse_session_fd(fuse), parts, 3);
}

void ll_tell_ask(struct fuse_session *fuse, const struct news *news)
{
	for (size_t i = 0; i < news->n_names; i++)
		tell_ask(fuse, &news->names[i]);
}

void ll_tell_names(struct fuse_session *fuse, const struct news *news)
{
	for (size_t i = 0; i < news->n_names; i++)
		ll_tell_gone(fuse, news->names[i].parent, news->names[i].name);
}

void ll_tell(struct fuse_session *fuse, dev_t device, const struct news *news)
{
	for (size_t i = 0; i < news->n_attributes; i++)
		tell_attributes(fuse, news->attributes[i]);
	if (news->n_names <= NAMES_MAX || mount_point_has_mounts(device) ||
	    !tell_epoch(fuse))
		ll_tell_names(fuse, news);
}
