/*
 * Verifying the log: its files, and the commits since the last checkpoint with
 * the values they refer to.
 *
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef VERIFY_LOG_H
#define VERIFY_LOG_H

#include "verify_job.h"
#include "wal_scan.h"

struct verify_log {
	const struct verify_job *job;	/* borrowed */
	struct wal_read_options options;
	struct wal_scan scan;
	bool has_scan;
};

/* Finds the log's files; what is wrong with them is a finding. */
int verify_log_open(const struct verify_job *job, struct verify_log *ret);
void verify_log_close(struct verify_log *log);
/* Whether a file belongs to the log, or did before it was closed. */
bool verify_log_has_file(const struct verify_log *log, file_id_t number);
/* Bytes that verify_log_check reads. */
uint64_t verify_log_bytes(const struct verify_log *log);

int verify_log_check(struct verify_log *log);

#endif
