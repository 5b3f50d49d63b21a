/*
 * A batch's text files and commands.
 *
 * Threads: any, without the tree lock. Errors: as of forest_batches.h; -ENOENT: the
 * batch has ended.
 */
#ifndef CONTROL_BATCH_H
#define CONTROL_BATCH_H

#include <stdio.h>

#include "control_effects.h"
#include "control_record.h"
#include "forest.h"

struct kept_text;

/* Which batch; another one may have its name later. */
struct control_batch {
	char name[AEDB_NAME_BYTES_MAX + 1];
	int64_t begun_ns;	/* 0: whichever has the name */
	uid_t uid;
	gid_t gid;
};

/* Whether the node is the topmost directory of a batch, and of which. */
bool control_batch_at(struct forest *forest, uint64_t nodeid,
		      struct control_batch *ret);
/* -EACCES. */
int control_batch_check(struct forest *forest, const struct control_batch *which,
			uid_t uid);

/* As batch_lines.h; -ENOMEM. Used once. The list of changes is in memory while it is
 * made, so at most one thread asks for it at a time; a batch that did not change gives
 * the same text again. */
int control_batch_diff(struct forest *forest, const struct control_batch *which,
		       struct kept_text **ret);
int control_batch_conflicts(struct forest *forest,
			    const struct control_batch *which,
			    struct kept_text **ret);
/* A line for this one, and for each open batch. */
int control_batch_status(struct forest *forest,
			 const struct control_batch *which, FILE *out);
void control_batch_list(struct forest *forest, FILE *out);

/* A command; what came of it, in words, and for the kernel. Only who may. */
struct control_batch_job {
	struct control_batch which;
	uid_t uid;
	char words[CONTROL_RECORD_BYTES];
	struct control_effects *effects;	/* borrowed */
};
/* Not durable yet: effects->committed tells what is to be waited for. */
int control_batch_commit(struct forest *forest, struct control_batch_job *job);
int control_batch_dry_run(struct forest *forest, struct control_batch_job *job);
int control_batch_abort(struct forest *forest, struct control_batch_job *job);

#endif
