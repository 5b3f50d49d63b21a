/* mkdir and rmdir in `.batch`. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "forest_batches.h"
#include "ll_handlers.h"

void ll_batch_begin(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct ll_reply reply = { .kind = LL_ENTRY };
	struct tree_caller caller = ll_caller(req);
	struct forest_batch new = { dir, name };
	int rc = forest_batch_begin(ll_config(req)->forest, &caller, &new,
				    &reply.entry);

	ll_end(req, rc, &reply);
}

/* Dropping what was written may wait for the disk: a worker does it. */
struct abort_job {
	struct work_item item;
	fuse_req_t req;
	char name[NAME_MAX + 1];
};

static void abort_run(struct work_item *item)
{
	struct abort_job *job = (struct abort_job *)item;
	struct ll_reply reply = { .kind = LL_STATUS };
	struct tree_caller caller = ll_caller(job->req);
	int rc = forest_batch_abort(ll_config(job->req)->forest, &caller,
				    job->name);

	tree_lock(ll_live(job->req));
	ll_end(job->req, rc, &reply);
	free(job);
}

/* VFS has seen to the name's length. */
void ll_batch_abort(fuse_req_t req, const char *name)
{
	struct abort_job *job = malloc(sizeof(*job));

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	job->item = (struct work_item){ .run = abort_run, .lane = WORK_SYNC };
	job->req = req;
	strcpy(job->name, name);
	work_submit(ll_config(req)->pool, &job->item);
}
