/*
 * One pass over the merged inputs.
 *
 * Invariants:
 * 1. All versions of a key go to one segment: outputs are cut between keys.
 * 2. A tombstone is held back until a kept version of its key follows, or the
 *    key ends: then nothing is behind it here, and it goes if there is nothing
 *    deeper either. Of two tombstones with nothing between only the older says
 *    something.
 * 3. What is needed is decided by the versions read: the newest of them is kept,
 *    unless its scope was dropped, because what is newer lies elsewhere. A piece
 *    of history is needed as long as the history begins before its end.
 * 4. Files count only when the caller names them in the manifest: whenever this
 *    ends, the state before is whole.
 */
#include "compact.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "compact_picks.h"
#include "entry.h"
#include "err.h"
#include "history_piece.h"
#include "merge.h"
#include "relocate.h"
#include "segment.h"
#include "segment_writer.h"

#define PACE_BYTES (UINT64_C(256) << 10)
#define PACE_ENTRIES 1024	/* looked at before it is asked again */

struct run {
	const struct compact_job *job;
	struct segment **inputs;	/* owned; upper, then lower */
	size_t n_inputs;
	struct merge *merge;		/* owned */
	struct relocation *relocation;	/* owned */
	file_id_t *known;		/* owned; value files of the inputs */
	size_t n_known;
	struct segment_writer *writer;	/* owned; NULL: none is open */
	struct compact_result result;
	uint64_t output_bytes;		/* of a full output */
	uint64_t paid_bytes;		/* of the open output */
	/* the level beneath the outputs */
	size_t beneath;			/* first segment not yet passed */
	uint64_t passed_bytes;		/* by the open output */
	/* the key at hand */
	uint8_t key[SEGMENT_KEY_BYTES_MAX];
	size_t key_bytes;
	bool has_key, has_tombstone;
	bool is_history;		/* it is of a piece of history */
	seq_t dropped;			/* its scope's */
	seq_t until;			/* number of the next newer version */
	struct entry tombstone;		/* held back; its key is `key` */
	size_t deeper[SEGMENT_LEVELS_MAX];	/* as beneath, for each level */
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "compaction: no memory");
}

static struct segment_bytes run_key(const struct run *run)
{
	return (struct segment_bytes){ run->key, run->key_bytes };
}

static void forget_up_to(struct run *run, seq_t seq)
{
	if (seq > run->result.forgotten_seq)
		run->result.forgotten_seq = seq;
}

/* Outputs. */

static int output_end(struct run *run)
{
	struct compact_result *result = &run->result;
	struct segment_info *grown, *info;
	int rc;

	if (!run->writer)
		return 0;
	grown = realloc(result->added,
			(result->n_added + 1) * sizeof(*result->added));
	if (!grown)
		return no_memory();
	result->added = grown;
	info = &result->added[result->n_added];
	rc = segment_writer_finish(run->writer, info);
	if (rc < 0)
		return rc;
	info->level = run->job->pick->to;
	result->n_added++;
	result->written_bytes += info->bytes;
	segment_writer_close(run->writer);
	run->writer = NULL;
	return 0;
}

static int output_begin(struct run *run)
{
	int rc = segment_writer_open(run->job->segments, run->job->page_bytes,
				     &run->writer);

	run->paid_bytes = run->passed_bytes = 0;
	return rc;
}

/* Whether the open output is not to take the key at hand, too. */
static bool output_is_full(struct run *run)
{
	const struct compact_view *view = run->job->view;
	const struct compact_slice *next;
	struct segment_bytes key = run_key(run);

	if (run->job->pick->to < COMPACT_LEVEL_LAST) {
		next = &view->levels[run->job->pick->to + 1];
		while (run->beneath < next->n &&
		       segment_bytes_compare(&next->at[run->beneath]->last,
					     &key) < 0)
			run->passed_bytes += next->at[run->beneath++]->bytes;
	}
	return run->writer &&
	       (segment_writer_bytes(run->writer) >= run->output_bytes ||
		run->passed_bytes > compact_overlap_max(view));
}

static int pay(struct run *run)
{
	uint64_t bytes = segment_writer_bytes(run->writer);

	if (run->job->room_bytes &&
	    run->result.written_bytes + bytes > run->job->room_bytes)
		return err_set(AEDB_NO_SPACE,
			       "compaction: more is left than there is room for");
	if (bytes < run->paid_bytes + PACE_BYTES)
		return 0;
	bytes -= run->paid_bytes;
	run->paid_bytes += bytes;
	return pace_take(run->job->pace, bytes);
}

static int write_reference(struct run *run, const struct entry *entry)
{
	struct entry moved = *entry;
	struct relocated relocated;
	int rc = relocation_entry(run->relocation, entry, &relocated);

	if (rc < 0)
		return rc;
	moved.value = relocated.value;
	moved.value_bytes = relocated.value_bytes;
	rc = segment_writer_add(run->writer, &moved);
	for (size_t i = 0; rc == 0 && i < relocated.n_shares; i++)
		rc = segment_writer_share(run->writer, relocated.shares[i].file,
					  relocated.shares[i].bytes);
	return rc;
}

static int write_entry(struct run *run, const struct entry *entry)
{
	int rc = run->writer ? 0 : output_begin(run);

	if (rc == 0)
		rc = entry->is_ref ? write_reference(run, entry) :
				     segment_writer_add(run->writer, entry);
	if (rc == 0)
		rc = pay(run);
	run->result.entries_kept++;
	return rc;
}

/* Keys and versions. */

/* Whether the key at hand may be in a deeper level. */
static bool key_is_deeper(struct run *run)
{
	const struct compact_view *view = run->job->view;
	struct segment_bytes key = run_key(run);

	for (unsigned int level = run->job->pick->to + 1;
	     level < SEGMENT_LEVELS_MAX; level++) {
		const struct compact_slice *all = &view->levels[level];
		size_t *i = &run->deeper[level];

		while (*i < all->n &&
		       segment_bytes_compare(&all->at[*i]->last, &key) < 0)
			(*i)++;
		if (*i < all->n &&
		    segment_bytes_compare(&all->at[*i]->first, &key) <= 0)
			return true;
	}
	return false;
}

static int tombstone_write(struct run *run)
{
	if (!run->has_tombstone)
		return 0;
	run->has_tombstone = false;
	return write_entry(run, &run->tombstone);
}

static int key_end(struct run *run)
{
	if (!run->has_tombstone || key_is_deeper(run))
		return tombstone_write(run);
	run->has_tombstone = false;
	forget_up_to(run, run->tombstone.seq);
	return 0;
}

static uint64_t key_tree(const uint8_t *key, size_t key_bytes)
{
	uint64_t tree = 0;

	for (size_t i = 0; i < sizeof(tree); i++)
		tree = tree << 8 | (i < key_bytes ? key[i] : 0);
	return tree;
}

static int key_begin(struct run *run, const struct entry *entry)
{
	uint64_t tree = key_tree(entry->key, entry->key_bytes);

	if (!run->has_key || tree != key_tree(run->key, run->key_bytes))
		run->dropped = compact_view_tree_dropped(run->job->view, tree);
	run->is_history = tree == HISTORY_SPACE;
	memcpy(run->key, entry->key, entry->key_bytes);
	run->key_bytes = entry->key_bytes;
	run->has_key = true;
	run->until = SEQ_MAX;
	return output_is_full(run) ? output_end(run) : 0;
}

static bool version_is_needed(const struct run *run, const struct entry *entry)
{
	seq_t until = run->until < run->dropped ? run->until : run->dropped;

	if (run->is_history)
		return entry->seq > run->job->view->retention.history_from;
	return until == SEQ_MAX ||
	       retention_keeps(&run->job->view->retention, entry->seq, until);
}

static int version_take(struct run *run, const struct entry *entry)
{
	bool is_needed = version_is_needed(run, entry);
	int rc;

	run->until = entry->seq;
	if (!is_needed)
		return 0;
	if (entry->is_tombstone) {
		if (run->has_tombstone)
			forget_up_to(run, run->tombstone.seq);
		run->tombstone = *entry;
		run->tombstone.key = run->key;
		run->tombstone.value = run->tombstone.attr = NULL;
		run->tombstone.value_bytes = run->tombstone.attr_bytes = 0;
		run->has_tombstone = true;
		return 0;
	}
	rc = tombstone_write(run);
	return rc < 0 ? rc : write_entry(run, entry);
}

static int take(struct run *run, const struct entry *entry)
{
	int rc = 0;

	if (run->result.entries_read++ % PACE_ENTRIES == 0)
		rc = pace_take(run->job->pace, 0);
	if (rc == 0 && (!run->has_key || entry->key_bytes != run->key_bytes ||
			memcmp(entry->key, run->key, entry->key_bytes))) {
		rc = key_end(run);
		if (rc == 0)
			rc = key_begin(run, entry);
	}
	return rc < 0 ? rc : version_take(run, entry);
}

/* Inputs. */

static struct compact_slice job_lower(const struct compact_job *job)
{
	return job->piece ? job->piece->lower : job->pick->lower;
}

static int input_add(struct run *run, const struct segment_info *info)
{
	int rc = segment_open(run->job->segments, NULL, info,
			      &run->inputs[run->n_inputs]);

	if (rc < 0)
		return rc;
	run->n_inputs++;
	run->result.read_bytes += info->bytes;
	run->result.removed[run->result.n_removed++] = info->number;
	return 0;
}

static int inputs_open(struct run *run)
{
	const struct compact_pick *pick = run->job->pick;
	struct compact_slice lower = job_lower(run->job);
	size_t n = pick->upper.n + lower.n;
	int rc = 0;

	run->inputs = calloc(n, sizeof(struct segment *));
	run->result.removed = calloc(n, sizeof(file_id_t));
	if (!run->inputs || !run->result.removed)
		return no_memory();
	for (size_t i = 0; rc == 0 && i < pick->upper.n; i++)
		rc = input_add(run, pick->upper.at[i]);
	/* before its last piece is written, what goes down stays, too */
	if (run->job->piece && run->job->piece->upto.n)
		run->result.n_removed = 0;
	for (size_t i = 0; rc == 0 && i < lower.n; i++)
		rc = input_add(run, lower.at[i]);
	return rc;
}

static int sources_add(struct run *run)
{
	const struct compact_pick *pick = run->job->pick;
	int rc = merge_open(&run->merge);

	for (size_t i = 0; rc == 0 && pick->from == 0 && i < pick->upper.n; i++)
		rc = merge_add_segment(run->merge, run->inputs[i]);
	if (rc == 0 && pick->from > 0)
		rc = merge_add_run(run->merge, run->inputs, pick->upper.n);
	if (rc == 0 && run->n_inputs > pick->upper.n)
		rc = merge_add_run(run->merge, run->inputs + pick->upper.n,
				   run->n_inputs - pick->upper.n);
	return rc;
}

static int number_order(const void *a, const void *b)
{
	file_id_t x = *(const file_id_t *)a, y = *(const file_id_t *)b;

	return (x > y) - (x < y);
}

/* Every value file that the inputs refer to, once. */
static int known_list(struct run *run)
{
	size_t n = 0, left = 0;

	for (size_t i = 0; i < run->n_inputs; i++)
		n += segment_info(run->inputs[i])->n_shares;
	run->known = calloc(n + 1, sizeof(*run->known));
	if (!run->known)
		return no_memory();
	n = 0;
	for (size_t i = 0; i < run->n_inputs; i++) {
		const struct segment_info *info = segment_info(run->inputs[i]);

		for (size_t j = 0; j < info->n_shares; j++)
			run->known[n++] = info->shares[j].file;
	}
	qsort(run->known, n, sizeof(*run->known), number_order);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || run->known[i] != run->known[i - 1])
			run->known[left++] = run->known[i];
	run->n_known = left;
	return 0;
}

static int relocation_begin(struct run *run)
{
	const struct compact_pick *pick = run->job->pick;
	struct relocation_options options = {
		.values = run->job->values,
		.emptied = pick->emptied,
		.n_emptied = pick->n_emptied,
		.pages_max = 2 * compact_moved_max(run->job->view) /
			     VALUE_CHUNK_BYTES,
		.pace = run->job->pace,
	};
	int rc = known_list(run);

	options.known = run->known;
	options.n_known = run->n_known;
	return rc < 0 ? rc : relocation_open(&options, &run->relocation);
}

/* Outputs of about the same size, the last no small rest. What fits into one is
 * not cut: how large it becomes is known at its end only, and segments that were
 * merged to have fewer must not come out as many. */
static void output_bytes_choose(struct run *run)
{
	uint64_t most = run->job->view->limits.segment_bytes;
	uint64_t bytes = run->result.read_bytes;

	run->output_bytes = bytes <= most ? most :
			    bytes / ((bytes + most - 1) / most);
}

/* The run. */

static int file_list_copy(const file_id_t *files, size_t n, file_id_t **ret,
			  size_t *ret_n)
{
	file_id_t *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return no_memory();
	if (n)
		memcpy(copy, files, n * sizeof(*copy));
	*ret = copy;
	*ret_n = n;
	return 0;
}

static int relocation_end(struct run *run)
{
	struct compact_result *result = &run->result;
	const file_id_t *files;
	size_t n;
	int rc;

	files = relocation_files(run->relocation, &n);
	rc = file_list_copy(files, n, &result->files, &result->n_files);
	if (rc < 0)
		return rc;
	files = relocation_damaged(run->relocation, &n);
	rc = file_list_copy(files, n, &result->damaged, &result->n_damaged);
	if (rc < 0)
		return rc;
	result->moved_bytes = relocation_bytes(run->relocation);
	return relocation_finish(run->relocation);
}

/* What was not dropped of what the inputs bury lies further down. */
static void buried_note(struct run *run)
{
	struct compact_result *result = &run->result;
	uint64_t buried = 0, before = 0, after = 0;

	for (size_t i = 0; i < run->n_inputs; i++) {
		buried += segment_info(run->inputs[i])->buried_bytes;
		before += segment_info_value_bytes(segment_info(run->inputs[i]));
	}
	for (size_t i = 0; i < result->n_added; i++)
		after += segment_info_value_bytes(&result->added[i]);
	if (before > after)
		buried -= before - after < buried ? before - after : buried;
	for (size_t i = 0; i < result->n_added; i++)
		result->added[i].buried_bytes = buried / result->n_added;
}

static int pass_begin(struct run *run)
{
	const struct compact_piece *piece = run->job->piece;

	return piece && piece->above.n ?
		       merge_seek(run->merge, MEM_SEEK_GT, piece->above.at,
				  piece->above.n) :
		       merge_seek(run->merge, MEM_SEEK_FIRST, NULL, 0);
}

/* Whether the walk is at the end of the piece. */
static bool pass_is_over(const struct run *run)
{
	const struct compact_piece *piece = run->job->piece;
	const struct entry *entry = merge_entry(run->merge);
	struct segment_bytes key, upto;

	if (!piece || !piece->upto.n)
		return false;
	key = (struct segment_bytes){ entry->key, entry->key_bytes };
	upto = (struct segment_bytes){ piece->upto.at, piece->upto.n };
	return segment_bytes_compare(&key, &upto) > 0;
}

static int pass(struct run *run)
{
	int rc = pass_begin(run);

	while (rc == MERGE_ENTRY && !pass_is_over(run)) {
		rc = take(run, merge_entry(run->merge));
		if (rc == 0)
			rc = merge_next(run->merge);
	}
	if (rc >= 0)
		rc = key_end(run);
	if (rc == 0)
		rc = output_end(run);
	buried_note(run);
	return rc < 0 ? rc : relocation_end(run);
}

static void run_release(struct run *run)
{
	merge_close(run->merge);
	for (size_t i = 0; i < run->n_inputs; i++)
		segment_close(run->inputs[i]);
	segment_writer_close(run->writer);
	relocation_close(run->relocation);
	free(run->inputs);
	free(run->known);
}

static int run_merge(const struct compact_job *job, struct compact_result *ret)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run)
		return no_memory();
	run->job = job;
	rc = inputs_open(run);
	if (rc == 0)
		rc = sources_add(run);
	if (rc == 0)
		rc = relocation_begin(run);
	if (rc == 0) {
		output_bytes_choose(run);
		rc = pass(run);
	}
	run_release(run);
	if (rc == 0)
		*ret = run->result;
	else
		compact_result_discard(job, &run->result);
	free(run);
	return rc;
}

/* A change of the manifest alone. */
static int run_unread(const struct compact_job *job, struct compact_result *ret)
{
	const struct compact_pick *pick = job->pick;
	bool is_move = pick->action == COMPACT_MOVE;
	struct compact_result result = { .n_removed = pick->upper.n };
	int rc = 0;

	result.removed = calloc(pick->upper.n, sizeof(file_id_t));
	result.added = calloc(pick->upper.n, sizeof(struct segment_info));
	if (!result.removed || !result.added)
		rc = no_memory();
	for (size_t i = 0; rc == 0 && i < pick->upper.n; i++) {
		result.removed[i] = pick->upper.at[i]->number;
		if (!is_move)
			continue;
		rc = segment_info_copy(pick->upper.at[i], &result.added[i]);
		result.added[i].level = pick->to;
		result.n_added += rc == 0;
	}
	if (rc < 0)
		compact_result_release(&result);
	else
		*ret = result;
	return rc;
}

int compact_run(const struct compact_job *job, struct compact_result *ret)
{
	return job->pick->action == COMPACT_MERGE ? run_merge(job, ret) :
						    run_unread(job, ret);
}

void compact_result_discard(const struct compact_job *job,
			    struct compact_result *result)
{
	bool is_made = job->pick->action == COMPACT_MERGE;

	for (size_t i = 0; is_made && i < result->n_added; i++)
		file_set_remove(job->segments, result->added[i].number);
	for (size_t i = 0; i < result->n_files; i++)
		file_set_remove(values_files(job->values), result->files[i]);
	compact_result_release(result);
}

void compact_result_release(struct compact_result *result)
{
	for (size_t i = 0; i < result->n_added; i++)
		segment_info_release(&result->added[i]);
	free(result->added);
	free(result->removed);
	free(result->files);
	free(result->damaged);
	*result = (struct compact_result){ .n_added = 0 };
}

/* Damage. */

static int read_all(struct merge *merge, struct pace *pace)
{
	int rc = merge_seek(merge, MEM_SEEK_FIRST, NULL, 0), cancelled = 0;

	for (uint64_t n = 1; rc == MERGE_ENTRY && cancelled == 0; n++) {
		if (n % PACE_ENTRIES == 0)
			cancelled = pace_take(pace, 0);
		rc = merge_next(merge);
	}
	return cancelled < 0 ? cancelled : rc;
}

static int slice_find_damaged(const struct compact_job *job,
			      struct compact_slice slice, struct merge *merge,
			      file_id_t *ret)
{
	for (size_t i = 0; i < slice.n && *ret == 0; i++) {
		struct segment *segment;
		int rc = segment_open(job->segments, NULL, slice.at[i], &segment);

		if (rc == 0) {
			rc = merge_add_segment(merge, segment);
			if (rc == 0)
				rc = read_all(merge, job->pace);
			merge_clear(merge);
			segment_close(segment);
		}
		if (rc == AEDB_CORRUPT || rc == AEDB_IO)
			*ret = slice.at[i]->number;
		else if (rc < 0)
			return rc;
	}
	return 0;
}

int compact_find_damaged(const struct compact_job *job, file_id_t *ret)
{
	file_id_t damaged = 0;
	struct merge *merge;
	int rc = merge_open(&merge);

	if (rc < 0)
		return rc;
	rc = slice_find_damaged(job, job->pick->upper, merge, &damaged);
	if (rc == 0)
		rc = slice_find_damaged(job, job_lower(job), merge, &damaged);
	merge_close(merge);
	if (rc == 0)
		*ret = damaged;
	return rc;
}
