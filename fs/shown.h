/*
 * Owner and permissions that stat(2) shows instead of those that are kept, as
 * the options uid=, gid= and umask= of FUSE file systems ask. What is kept stays.
 *
 * Threads: constant after the options were read.
 */
#ifndef SHOWN_H
#define SHOWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct shown {
	bool has_uid, has_gid, has_file_mask, has_dir_mask;
	uint32_t uid, gid;
	uint32_t file_mask, dir_mask;	/* permissions that 0777 loses */
};

void shown_apply(const struct shown *shown, struct stat *st);

#endif
