/*
 * aedb batch: runs a program in a batch of a mounted database of its own, and
 * commits what it changed, if it succeeded; or lists the batches.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_list.h"
#include "child.h"
#include "command.h"
#include "failure.h"
#include "mount_batch.h"
#include "mount_control.h"
#include "output.h"

/* What the arguments say. */
struct work {
	const char *path;	/* of the mount */
	char *root;		/* its directory; owned */
	char **program;		/* NULL-terminated */
	unsigned long long retries;
	struct child_signals signals;
};

/* The program failed, or this process was to end: that is the exit status. */
static int fail_status(const struct work *work, int status, const char *how)
{
	return failure_set((enum exit_status)status, work->path,
			   "%s%d; nothing was changed", how, status);
}

static int check_end(struct work *work, int status)
{
	int got = child_interruption(&work->signals);

	if (got)
		return fail_status(work, CHILD_STATUS_SIGNALED + got,
				   "interrupted, status ");
	if (status)
		return fail_status(work, status, "the command ended with status ");
	return 0;
}

static int run_in(struct work *work, const struct mount_batch *batch)
{
	struct child_program program = { work->program, batch->directory };
	int status, rc;

	if (setenv("AEDB_BATCH", batch->directory, 1) < 0)
		return failure_system(errno, "%s", work->path);
	rc = child_run(&work->signals, &program, &status);
	if (rc == 0)
		rc = check_end(work, status);
	return rc;
}

/* In a new batch, which is gone when it returns. */
static int run_once(struct work *work, bool is_last)
{
	struct mount_batch batch;
	struct failure failure;
	int rc = mount_batch_begin(work->path, work->root, &batch);

	if (rc < 0)
		return rc;
	rc = run_in(work, &batch);
	if (rc == 0)
		rc = mount_batch_commit(&batch);
	failure_save(&failure);
	if (rc == -ESTALE && is_last)
		mount_batch_print_conflicts(&batch);
	if (rc < 0)
		mount_batch_abort(&batch);
	failure_restore(&failure);
	mount_batch_release(&batch);
	return rc;
}

static int print_runs(unsigned long long runs)
{
	json_t *line;

	if (!output_is_json())
		return 0;
	line = json_pack("{s:I}", "runs", (json_int_t)runs);
	return output_json_line(line);
}

static int run(struct work *work)
{
	unsigned long long runs;
	int rc = 0;

	child_catch_signals(&work->signals);
	for (runs = 0; rc == 0 && runs <= work->retries; runs++) {
		rc = run_once(work, runs == work->retries);
		if (rc == 0)
			return print_runs(runs + 1);
		if (rc == -ESTALE && runs < work->retries)
			rc = check_end(work, 0);
	}
	return rc;
}

int cmd_batch(int argc, char **argv)
{
	static const struct option options[] = {
		{ "retry", required_argument, NULL, 'r' },
		{ "list", no_argument, NULL, 'l' },
		COMMAND_OPTIONS
	};
	struct work work = { 0 };
	bool lists = false;
	int rc;

	while ((rc = command_next_option(argc, argv, "l", options)) > 0) {
		if (rc == 'l')
			lists = true;
		else if ((rc = command_parse_count("--retry", optarg,
						   &work.retries)) < 0)
			return rc;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, lists ? 1 : 2,
					     lists ? 1 : argc);
	if (rc < 0)
		return rc;
	work.path = argv[optind];
	work.program = argv + optind + 1;
	rc = mount_control_find_root(work.path, &work.root);
	if (rc == 0)
		rc = lists ? batch_list_print(work.path, work.root) : run(&work);
	free(work.root);
	return rc;
}
