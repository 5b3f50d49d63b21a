/*
 * Segments, in the order of their numbers.
 *
 * What of which value file the entries refer to is compared with what the
 * manifest counts only if all of it could be read.
 */
#include <inttypes.h>

#include "err.h"
#include "segment_verify.h"
#include "verify_segments.h"

/* A segment being read. */
struct walk {
	const struct verify_job *job;
	const struct segment_info *info;
	char path[FILE_SET_PATH_BYTES];
	struct segment_report report;
	struct segment_verifier *verifier;	/* owned */
	struct verify_shares shares;		/* owned */
	bool is_incomplete;			/* shares are */
	uint64_t advanced;			/* of report.bytes */
};

uint64_t verify_segments_bytes(const struct manifest_state *state)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < state->n_segments; i++) {
		const struct segment_info *info = state->segments[i];

		bytes += info->bytes - FILE_DATA_OFFSET;
		for (size_t k = 0; k < info->n_shares; k++)
			bytes += info->shares[k].bytes;
	}
	return bytes;
}

static uint64_t shares_sum(const struct verify_shares *shares)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < shares->n; i++)
		sum += shares->at[i].bytes;
	return sum;
}

static int reference_check(struct walk *walk, const struct entry *entry)
{
	uint64_t before = shares_sum(&walk->shares);
	struct value_ref ref;
	int rc = value_ref_decode(entry->value, entry->value_bytes, &ref);

	if (rc < 0) {
		verify_find(walk->job->findings, walk->path,
			    segment_verify_offset(walk->verifier),
			    "an entry of version %llu: %s",
			    (unsigned long long)entry->seq, err_message());
		walk->is_incomplete = true;
		return 0;
	}
	rc = verify_value(walk->job->values, &ref, &walk->shares);
	walk->is_incomplete |= rc == 0;
	verify_advance(walk->job->findings,
		       shares_sum(&walk->shares) - before);
	return rc < 0 ? rc : 0;
}

static int entries_check(struct walk *walk, struct segment *segment)
{
	const struct entry *entry;
	int rc = segment_verify_open(segment, walk->job->findings->out,
				     &walk->report, &walk->verifier);

	while (rc >= 0) {
		rc = segment_verify_next(walk->verifier, &entry);
		verify_advance(walk->job->findings,
			       walk->report.bytes - walk->advanced);
		walk->advanced = walk->report.bytes;
		if (rc == 0)
			break;
		if (rc > 0 && entry->is_ref)
			rc = reference_check(walk, entry);
	}
	segment_verify_close(walk->verifier);
	return rc;
}

/* How many bytes of a file the manifest says it refers to. */
static uint64_t noted_bytes(const struct segment_info *info, file_id_t file)
{
	for (size_t i = 0; i < info->n_shares; i++)
		if (info->shares[i].file == file)
			return info->shares[i].bytes;
	return 0;
}

/* Of a value whose root it could not read, a compaction notes that there is
 * something in every file: a wrong sum is harmless, none would lose the file. */
static void shares_check(const struct walk *walk)
{
	const struct segment_info *info = walk->info;
	bool is_same = walk->shares.n == info->n_shares;

	if (walk->is_incomplete || walk->report.findings)
		return;
	for (size_t i = 0; i < walk->shares.n; i++) {
		uint64_t noted = noted_bytes(info, walk->shares.at[i].file);

		is_same &= noted == walk->shares.at[i].bytes;
		if (noted)
			continue;
		verify_find(walk->job->findings, walk->path, info->meta.offset,
			    "entries refer to value file %" PRIu64
			    ", the manifest says that they do not",
			    walk->shares.at[i].file);
		return;
	}
	if (!is_same)
		verify_note(walk->job->findings, walk->path,
			    "the manifest counts other bytes in value files than "
			    "its entries refer to");
}

/* The file as such: 1 if it can be read. */
static int file_check(struct walk *walk)
{
	struct verify_findings *f = walk->job->findings;
	struct page_file *file;
	uint64_t bytes = 0;
	int rc = file_set_use(walk->job->segments, walk->info->number, &file);

	if (rc == 0) {
		rc = vfs_file_size(file->handle, &bytes);
		file_set_unuse(walk->job->segments, file);
	}
	if (rc < 0)
		return verify_find_error(f, walk->path, rc);
	if (bytes != walk->info->bytes)
		verify_find(f, walk->path,
			    bytes < walk->info->bytes ? bytes : walk->info->bytes,
			    "the file has %llu bytes, want %llu",
			    (unsigned long long)bytes,
			    (unsigned long long)walk->info->bytes);
	return 1;
}

/* Whatever becomes of the entries, these files are needed. */
static int files_note(const struct walk *walk)
{
	const struct segment_info *info = walk->info;
	int rc = 0;

	for (size_t i = 0; i < info->n_shares && rc >= 0; i++)
		rc = verify_values_note(walk->job->values,
					info->shares[i].file);
	return rc < 0 ? rc : 0;
}

static int segment_check(struct walk *walk)
{
	struct segment *segment;
	int rc = segment_open(walk->job->segments, NULL, walk->info, &segment);

	if (rc < 0)
		return rc;
	rc = entries_check(walk, segment);
	segment_close(segment);
	if (rc == 0)
		shares_check(walk);
	return rc;
}

static void report_add(const struct walk *walk)
{
	struct aedb_verify_report *report = &walk->job->findings->report;

	report->files++;
	report->bytes += walk->report.bytes;
	report->entries += walk->report.entries;
	report->findings += walk->report.findings;
}

int verify_segments(const struct verify_job *job)
{
	int rc = 0;

	for (size_t i = 0; i < job->state->n_segments && rc == 0; i++) {
		struct walk walk = { .job = job, .info = job->state->segments[i] };

		file_set_path(job->segments, walk.info->number, walk.path);
		rc = files_note(&walk);
		if (rc == 0)
			rc = file_check(&walk);
		if (rc > 0)
			rc = segment_check(&walk);
		report_add(&walk);
		verify_shares_release(&walk.shares);
	}
	return rc;
}
