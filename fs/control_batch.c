/* Batches looked at, committed and aborted by command. */
#include "control_batch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "batch_lines.h"
#include "forest_batches.h"
#include "kept_text.h"

#define STAGED_NAMED 8

/* NULL: it has ended. */
static struct batch *find(struct forest *forest,
			  const struct control_batch *which)
{
	struct batch *batch = forest_batch_find(forest, which->name);

	return batch && (!which->begun_ns ||
			 batch->begun_ns == which->begun_ns) ? batch : NULL;
}

bool control_batch_at(struct forest *forest, uint64_t nodeid,
		      struct control_batch *ret)
{
	struct tree *live = forest_live(forest);
	struct batch *batch;

	if (!tree_nodeid_slot(nodeid))
		return false;
	tree_lock(live);
	batch = forest_tree(forest, nodeid)->batch;
	if (batch && tree_nodeid_node(live, nodeid)->kind != NODE_ROOT)
		batch = NULL;
	if (batch) {
		strcpy(ret->name, batch->name);
		ret->begun_ns = batch->begun_ns;
		ret->uid = batch->uid;
		ret->gid = batch->gid;
	}
	tree_unlock(live);
	return batch != NULL;
}

int control_batch_check(struct forest *forest, const struct control_batch *which,
			uid_t uid)
{
	struct tree *live = forest_live(forest);
	struct tree_caller caller = { 0, uid, 0 };
	struct batch *batch;
	int rc;

	tree_lock(live);
	batch = find(forest, which);
	rc = batch ? forest_batch_check(forest, batch, &caller) : -ENOENT;
	tree_unlock(live);
	return rc;
}

static aedb_seq_t seq_of(const struct batch *batch)
{
	return aedb_snapshot_seq(aedb_batch_view(batch->engine));
}

/* Under the lock, but for moments. *ret_seq: what the lines are of; 0: the batch was
 * changed meanwhile. */
static int diff_collect(struct forest *forest, const struct control_batch *which,
			struct batch_lines *lines, aedb_seq_t *ret_seq)
{
	struct batch *batch = find(forest, which);
	aedb_seq_t seq = seq_of(batch);
	int rc;

	while ((rc = batch_lines_step(lines)) > 0) {
		tree_lock_give_way(forest_live(forest));
		batch = find(forest, which);
		if (!batch)
			return -ENOENT;
	}
	*ret_seq = seq == seq_of(batch) ? seq : 0;
	return rc;
}

static int diff_write(struct forest *forest, struct batch_lines *lines,
		      struct kept_text **ret)
{
	struct kept_text *text;
	int rc = kept_text_open(tree_db(forest_live(forest)), &text);
	FILE *out;

	if (rc < 0)
		return rc;
	out = kept_text_write(text);
	if (out)
		batch_lines_print(lines, out);
	rc = out ? kept_text_written(text, out) : -ENOMEM;
	if (rc < 0)
		kept_text_unref(text);
	else
		*ret = text;
	return rc;
}

/* For who asks next. */
static void diff_keep(struct forest *forest, const struct control_batch *which,
		      struct kept_text *text, aedb_seq_t seq)
{
	struct tree *live = forest_live(forest);
	struct kept_text *old = NULL;
	struct batch *batch;

	tree_lock(live);
	batch = find(forest, which);
	if (batch) {
		old = batch->diff;
		batch->diff = kept_text_ref(text);
		batch->diff_seq = seq;
	}
	tree_unlock(live);
	kept_text_unref(old);
}

int control_batch_diff(struct forest *forest, const struct control_batch *which,
		       struct kept_text **ret)
{
	struct tree *live = forest_live(forest);
	struct batch_lines *lines = NULL;
	struct batch *batch;
	aedb_seq_t seq = 0;
	int rc = -ENOENT;

	tree_lock(live);
	batch = find(forest, which);
	if (batch && batch->diff && batch->diff_seq == seq_of(batch)) {
		*ret = kept_text_ref(batch->diff);
		tree_unlock(live);
		return 0;
	}
	if (batch)
		rc = batch_lines_open(batch, &lines);
	if (rc == 0)
		rc = diff_collect(forest, which, lines, &seq);
	tree_unlock(live);
	if (rc == 0)
		rc = diff_write(forest, lines, ret);
	batch_lines_close(lines);
	if (rc == 0 && seq)
		diff_keep(forest, which, *ret, seq);
	return rc;
}

int control_batch_conflicts(struct forest *forest,
			    const struct control_batch *which,
			    struct kept_text **ret)
{
	struct tree *live = forest_live(forest);
	struct kept_text *text;
	struct batch *batch;
	int rc = kept_text_open(tree_db(live), &text), written;
	FILE *out;

	if (rc < 0)
		return rc;
	out = kept_text_write(text);
	if (!out) {
		kept_text_unref(text);
		return -ENOMEM;
	}
	tree_lock(live);
	batch = find(forest, which);
	rc = batch ? batch_lines_conflicts(batch, out) : -ENOENT;
	tree_unlock(live);
	written = kept_text_written(text, out);
	if (rc == 0)
		rc = written;
	if (rc < 0)
		kept_text_unref(text);
	else
		*ret = text;
	return rc;
}

static void list_one(const struct batch *batch, FILE *out)
{
	struct aedb_batch_info info;
	struct timespec now;
	int64_t age_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	age_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec -
		 batch->begun_ns;

	aedb_batch_info(batch->engine, &info);
	fprintf(out, "batch %s uid %u age %llds changes %llu bytes %llu\n",
		batch->name, batch->uid,
		(long long)(age_ns > 0 ? age_ns / 1000000000 : 0),
		(unsigned long long)info.changes,
		(unsigned long long)info.bytes);
}

int control_batch_status(struct forest *forest,
			 const struct control_batch *which, FILE *out)
{
	struct tree *live = forest_live(forest);
	struct batch *batch;

	tree_lock(live);
	batch = find(forest, which);
	if (batch)
		list_one(batch, out);
	tree_unlock(live);
	return batch ? 0 : -ENOENT;
}

void control_batch_list(struct forest *forest, FILE *out)
{
	struct tree *live = forest_live(forest);
	const char *name = "";
	struct batch *batch;

	tree_lock(live);
	while ((batch = forest_batch_next(forest, name))) {
		name = forest_batch_name(batch);
		list_one(batch, out);
	}
	tree_unlock(live);
}

/* Commands. */

/* Under the lock. */
static int find_for(struct forest *forest, struct control_batch_job *job,
		    struct batch **ret)
{
	struct tree_caller caller = { 0, job->uid, 0 };

	*ret = find(forest, &job->which);
	if (*ret)
		return forest_batch_check(forest, *ret, &caller);
	snprintf(job->words, sizeof(job->words), "batch %s is not open",
		 job->which.name);
	return -ENOENT;
}

static void say_staged(struct batch *batch, struct control_batch_job *job)
{
	FILE *out = fmemopen(job->words, sizeof(job->words), "w");

	if (!out)
		return;
	fputs("open with data that is not committed: ", out);
	batch_lines_staged(batch, STAGED_NAMED, out);
	fclose(out);
	job->words[sizeof(job->words) - 1] = '\0';
}

/* Why it failed, in words. */
static int refused(struct batch *batch, struct control_batch_job *job, int rc)
{
	if (rc == -EBUSY)
		say_staged(batch, job);
	else if (rc == AEDB_CONFLICT)
		snprintf(job->words, sizeof(job->words),
			 "others changed what batch %s changes: see its "
			 ".conflicts", batch->name);
	else if (rc < 0)
		snprintf(job->words, sizeof(job->words), "%s",
			 aedb_error_message());
	return rc;
}

int control_batch_commit(struct forest *forest, struct control_batch_job *job)
{
	struct tree *live = forest_live(forest);
	aedb_seq_t seq = 0;
	struct batch *batch;
	int rc;

	tree_lock(live);
	rc = find_for(forest, job, &batch);
	if (rc == 0) {
		rc = forest_batch_commit(forest, batch, &seq,
					 &job->effects->news);
		if (rc == 0)
			tree_take_effects(live, &job->effects->tree);
		else
			refused(batch, job, rc);
	}
	tree_unlock(live);
	if (rc < 0)
		return rc;
	job->effects->committed = seq;
	snprintf(job->words, sizeof(job->words), "committed %llu",
		 (unsigned long long)seq);
	return 0;
}

int control_batch_dry_run(struct forest *forest, struct control_batch_job *job)
{
	struct tree *live = forest_live(forest);
	struct batch *batch;
	int rc;

	tree_lock(live);
	rc = find_for(forest, job, &batch);
	if (rc == 0)
		rc = refused(batch, job, forest_batch_dry_run(batch));
	tree_unlock(live);
	if (rc == 0)
		snprintf(job->words, sizeof(job->words), "no conflict");
	return rc;
}

int control_batch_abort(struct forest *forest, struct control_batch_job *job)
{
	struct tree *live = forest_live(forest);
	struct batch *batch;
	int rc;

	tree_lock(live);
	rc = find_for(forest, job, &batch);
	if (rc == 0) {
		forest_batch_end(forest, batch, &job->effects->news);
		tree_take_effects(live, &job->effects->tree);
	}
	tree_unlock(live);
	if (rc < 0)
		return rc;
	forest_batch_drop(batch);
	snprintf(job->words, sizeof(job->words), "aborted");
	return 0;
}
