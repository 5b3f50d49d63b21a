/*
 * What the parts of verifying share.
 *
 * Threads: one. Errors: none.
 */
#ifndef VERIFY_JOB_H
#define VERIFY_JOB_H

#include "file_set.h"
#include "manifest_state.h"
#include "verify_values.h"

/* All borrowed. */
struct verify_job {
	struct vfs *vfs;
	struct verify_findings *findings;
	const char *manifest;		/* name of the file in force */
	const struct manifest_state *state;
	struct file_set *segments;
	struct values *value_files;
	struct verify_values *values;
};

#endif
