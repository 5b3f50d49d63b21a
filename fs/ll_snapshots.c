/*
 * mkdir, rmdir and rename in `.snap`, and lookups of states without a name: they
 * wait for the disk, so workers run them.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ll_handlers.h"

struct job {
	struct work_item item;
	fuse_req_t req;
	enum ll_snapshot_act act;
	struct forest_snapshot snapshot;	/* its names are those below */
	char name[NAME_MAX + 1];
	char new_name[NAME_MAX + 1];
};

static int act(struct job *job, struct ll_reply *reply)
{
	struct forest *forest = ll_config(job->req)->forest;
	struct tree_caller caller = ll_caller(job->req);

	switch (job->act) {
	case LL_SNAPSHOT_CREATE:
		reply->kind = LL_ENTRY;
		return forest_snapshot_create(forest, &caller, &job->snapshot,
					      &reply->entry);
	case LL_SNAPSHOT_LOOK_UP:
		reply->kind = LL_ENTRY;
		return forest_lookup_state(forest, &caller, &job->snapshot,
					   &reply->entry);
	case LL_SNAPSHOT_DELETE:
		return forest_snapshot_delete(forest, &caller, &job->snapshot);
	default:
		return forest_snapshot_rename(forest, &caller, &job->snapshot);
	}
}

static const char *const acts[] = {
	[LL_SNAPSHOT_CREATE] = "mkdir", [LL_SNAPSHOT_LOOK_UP] = "lookup",
	[LL_SNAPSHOT_DELETE] = "rmdir", [LL_SNAPSHOT_RENAME] = "rename",
};

static void run(struct work_item *item)
{
	struct job *job = (struct job *)item;
	struct ll_reply reply = { .kind = LL_STATUS,
				  .what = acts[job->act] };
	int rc = act(job, &reply);

	tree_lock(ll_live(job->req));
	ll_end(job->req, rc, &reply);
	free(job);
}

/* VFS has seen to the names' lengths. */
void ll_snapshot(fuse_req_t req, enum ll_snapshot_act act,
		 const struct forest_snapshot *snapshot)
{
	struct job *job = malloc(sizeof(*job));

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	job->item = (struct work_item){ .run = run, .lane = WORK_SYNC };
	job->req = req;
	job->act = act;
	job->snapshot = *snapshot;
	strcpy(job->name, snapshot->name);
	job->snapshot.name = job->name;
	if (snapshot->new_name) {
		strcpy(job->new_name, snapshot->new_name);
		job->snapshot.new_name = job->new_name;
	}
	work_submit(ll_config(req)->pool, &job->item);
}
