/* What is agreed with the kernel. */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "ll_ops.h"

#include "ll_route.h"

#define BACKGROUND_MAX 1024
#define WRITE_BYTES_MAX (1u << 20)

static void agree(void *data, struct fuse_conn_info *conn)
{
	const struct ll_config *config = data;

	conn->want |= conn->capable &
		      (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
		       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ASYNC_READ |
		       FUSE_CAP_ASYNC_DIO | FUSE_CAP_CACHE_SYMLINKS);
	conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_POSIX_ACL |
				  FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_NO_OPEN_SUPPORT |
				  FUSE_CAP_NO_OPENDIR_SUPPORT);
	/* who reads a link is asked for */
	if (config->secure)
		conn->want &= ~(unsigned)FUSE_CAP_CACHE_SYMLINKS;
	conn->max_write = WRITE_BYTES_MAX;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
	conn->time_gran = 1;
}

struct fuse_session *ll_session_new(struct fuse_args *args,
				    struct ll_config *config)
{
	struct fuse_lowlevel_ops ops = { .init = agree };

	ll_route(config, &ops);
	config->fuse = fuse_session_new(args, &ops, sizeof(ops), config);
	return config->fuse;
}
