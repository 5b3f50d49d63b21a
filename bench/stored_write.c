/*
 * The stored dataset, written: the load of all keys in random order, each a
 * commit, and overwrites of them; what they cost in CPU time and bytes written,
 * and how large the database is afterwards.
 *
 * Invariants:
 * 1. Bytes written are those handed to write() and its like by the process, for
 *    every store alike. Without the log they are what the store tells, or all
 *    less what the first commits wrote for each, before anything else was
 *    written.
 * 2. The load ends with a checkpoint, which is part of it: whatever it wrote is
 *    then in the files where it stays. Compaction that a store puts off is not
 *    in it and is seen in the next row.
 */
#include "dataset.h"
#include "files.h"
#include "workloads.h"

#define LOG_SAMPLE 1000
#define MIB 1048576.0

/* What was written when. */
struct writing {
	struct span begin;
	uint64_t written;
	double stored;		/* by what the store tells; NAN: it does not */
	double log_sampled;	/* bytes of a commit */
};

static int stored_told(struct peer_db *db, double *ret)
{
	struct peer_usage usage = PEER_USAGE_UNTOLD;

	if (db->peer->driver->usage && db->peer->driver->usage(db, &usage) < 0)
		return -1;
	*ret = usage.stored;
	return 0;
}

static int writing_begin(struct peer_db *db, struct writing *ret)
{
	ret->log_sampled = 0;
	if (stored_told(db, &ret->stored) < 0 ||
	    files_written_bytes(&ret->written) < 0)
		return -1;
	ret->begin = span_begin();
	return 0;
}

/* After the first LOG_SAMPLE commits. */
static int writing_sample(struct writing *w)
{
	uint64_t now = 0;

	if (files_written_bytes(&now) < 0)
		return -1;
	w->log_sampled = (double)(now - w->written) / LOG_SAMPLE;
	return 0;
}

/* Four rows: CPU seconds, seconds, bytes written for each of the user's, the
 * same without the log. */
static int writing_end(struct peer_db *db, const struct writing *w,
		       uint64_t commits, struct figure *ret)
{
	double stored, user_bytes = (double)(commits * DATASET_USER_BYTES);
	uint64_t written = 0;

	span_end(w->begin, commits, &ret[1]);
	ret[0].value = ret[1].cpu_ns * (double)commits / 1e9;
	ret[1].value *= (double)commits / 1e9;
	if (files_written_bytes(&written) < 0 || stored_told(db, &stored) < 0)
		return -1;
	written -= w->written;
	stored -= w->stored;
	if (isnan(stored) && db->peer->driver->logs_entries)
		stored = (double)written - w->log_sampled * (double)commits;
	ret[2].value = (double)written / user_bytes;
	ret[3].value = stored / user_bytes;
	return 0;
}

static int write_measured(struct peer_db *db, uint64_t commits,
			  unsigned generation, struct figure *ret)
{
	struct writing writing;

	if (writing_begin(db, &writing) < 0 ||
	    dataset_put(db->data, db, 0, LOG_SAMPLE, generation) < 0 ||
	    writing_sample(&writing) < 0 ||
	    dataset_put(db->data, db, LOG_SAMPLE, commits, generation) < 0 ||
	    db->peer->driver->checkpoint(db) < 0)
		return -1;
	return writing_end(db, &writing, commits, ret);
}

static int disk_mib(struct peer_db *db, double *ret)
{
	uint64_t bytes;

	if (peer_shut(db) < 0 || files_disk_bytes(db->dir, &bytes) < 0)
		return -1;
	*ret = (double)bytes / MIB;
	return 0;
}

/* Size before and after, CPU seconds of compaction. */
static int compact_measured(struct peer_db *db, double *ret_before,
			    double *ret_after, double *ret_cpu)
{
	struct figure whole;
	struct span span;

	if (disk_mib(db, ret_before) < 0 || peer_start(db, NULL) < 0)
		return -1;
	span = span_begin();
	if (db->peer->driver->compact(db) < 0)
		return -1;
	span_end(span, 1, &whole);
	*ret_cpu = whole.cpu_ns / 1e9;
	return disk_mib(db, ret_after);
}

int stored_load(struct peer_db *db, struct figure *ret)
{
	if (write_measured(db, db->data->keys, 0, ret) < 0)
		return -1;
	if (db->peer == &peers[PEER_BARE])
		return 0;
	return compact_measured(db, &ret[4].value, &ret[5].value,
				&ret[6].value);
}

int stored_overwrite(struct peer_db *db, struct figure *ret)
{
	static unsigned generation;
	double after, cpu;

	generation = generation % DATASET_GENERATIONS_MAX + 1;
	if (peer_start(db, &db->data->load) < 0 ||
	    write_measured(db, db->data->overwrites, generation, ret) < 0 ||
	    compact_measured(db, &ret[4].value, &after, &cpu) < 0)
		return -1;
	ret[5].value = ret[4].value / after;
	return 0;
}
