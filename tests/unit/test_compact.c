/*
 * Compactions of real segments: nothing that a retained number sees changes,
 * what nobody sees goes, and whatever fails leaves the state before.
 */
#include "compact_base.h"

#define STEPS_MAX 2000

static unsigned int random_scope(const struct base *b)
{
	unsigned int scope = (unsigned int)(check_random() % BASE_SCOPES);

	while (b->dropped[scope] != SEQ_MAX)
		scope = (scope + 1) % BASE_SCOPES;
	return scope;
}

static enum base_value random_kind(const struct base *b)
{
	uint64_t dice = check_random() % 64;

	if (b->pool.n + 8 > POOL_VALUES_MAX || dice >= 8)
		return BASE_INLINE;
	return dice < 4 ? BASE_SMALL : dice < 6 ? BASE_LARGE : BASE_CHANGE;
}

static void random_writes(struct base *b, size_t n)
{
	unsigned int scope = random_scope(b);
	bool deletes = check_random() % 4 == 0;

	for (size_t i = 0; i < n; i++) {
		unsigned int key = (unsigned int)(check_random() % BASE_KEYS);

		if (check_random() % 8 < (deletes ? 7 : 1))
			base_delete(b, scope, key);
		else
			base_put(b, scope, key, random_kind(b));
	}
}

static void random_change(struct base *b)
{
	uint64_t dice = check_random() % 64;

	if (dice == 0 && b->n_scopes + 1 < BASE_SCOPES)
		base_drop(b, random_scope(b));
	else if (dice < 8 && b->n_snapshots < BASE_SNAPSHOTS_MAX)
		base_snapshot(b);
	else if (dice < 16 && b->n_snapshots)
		base_forget(b, check_random() % b->n_snapshots);
	else if (dice < 18 && b->history_from < b->seq)
		b->history_from += check_random() %
				   (b->seq - b->history_from + 1);
	else
		random_writes(b, 1 + check_random() % 60);
}

static void settle(struct base *b)
{
	size_t steps = 0;

	while (base_step(b))
		CHECK(++steps < STEPS_MAX);
}

static void compact_all(struct base *b)
{
	file_id_t fresh_from = file_set_next(b->segments);
	size_t steps = 0;

	while (base_step_full(b, fresh_from))
		CHECK(++steps < STEPS_MAX);
}

/* A base after some random life. */
static void live(struct base *b, int changes)
{
	for (int i = 0; i < changes; i++) {
		random_change(b);
		if (check_random() % 3 == 0)
			base_flush(b);
		if (check_random() % 4 == 0)
			base_step(b);
	}
	base_flush(b);
}

TEST(keeps_truth, "every retained number sees the same before and after each compaction")
{
	for (int round = 0; round < 8; round++) {
		struct base b;

		base_open(&b);
		if (round % 2)
			b.history_from = 1;
		for (int i = 0; i < 80; i++) {
			random_change(&b);
			if (check_random() % 2)
				base_flush(&b);
			if (check_random() % 3 == 0 && base_step(&b))
				base_check(&b);
		}
		settle(&b);
		base_check(&b);
		base_close(&b);
	}
}

TEST(full, "full compaction keeps what is retained, and in the end nothing else")
{
	for (int round = 0; round < 6; round++) {
		struct base b;
		size_t shown = 0;

		base_open(&b);
		live(&b, 80);
		compact_all(&b);
		base_check(&b);
		b.history_from = SEQ_MAX;
		while (b.n_snapshots)
			base_forget(&b, 0);
		base_flush(&b);
		compact_all(&b);
		base_check(&b);
		for (unsigned int i = 0; i < SEGMENT_LEVELS_MAX; i++) {
			for (size_t j = 0; j < b.levels[i].n; j++) {
				CHECK_EQ(b.levels[i].at[j]->tombstones, 0);
				CHECK_EQ(b.levels[i].at[j]->superseded, 0);
				shown += b.levels[i].at[j]->entries;
			}
		}
		CHECK(shown <= BASE_SCOPES * BASE_KEYS);
		base_close(&b);
	}
}

TEST(deleted, "after most was deleted and all compacted, little more than the rest is left")
{
	uint64_t live_bytes = 0;
	struct base b;

	base_open(&b);
	for (unsigned int scope = 0; scope < BASE_SCOPES; scope++) {
		for (unsigned int key = 0; key < BASE_KEYS; key++)
			base_put(&b, scope, key,
				 key % 5 ? BASE_SMALL : BASE_LARGE);
		base_flush(&b);
		settle(&b);
	}
	for (unsigned int scope = 0; scope < BASE_SCOPES; scope++)
		for (unsigned int key = 0; key < BASE_KEYS; key++)
			if (key % 10)
				base_delete(&b, scope, key);
	base_flush(&b);
	compact_all(&b);
	base_check(&b);
	for (size_t i = 0; i < b.n_all; i++)
		if (!b.all[i].is_tombstone && b.all[i].key % 10 == 0)
			live_bytes += value_ref_allocated(
				&b.pool.at[b.all[i].value].ref);
	CHECK((double)(base_value_bytes(&b) + base_segment_bytes(&b)) <
	      1.3 * (double)live_bytes);
	base_close(&b);
}

/* The pick of a base, made again for a copy of it. */
static bool pick_again(struct base *b, struct compact_pick *ret)
{
	return compact_pick_full(base_view(b), 1, ret);
}

/* Runs the base's pick; *ret is the caller's if it succeeds. The call of the disk
 * with this number fails (0: none). */
static int run_failing(struct base *b, uint64_t call, enum simdisk_fault fault,
		       struct compact_result *ret)
{
	uint64_t before = simdisk_calls(b->pool.disk);
	struct compact_pick pick;
	struct compact_job job;
	int rc;

	CHECK(pick_again(b, &pick));
	job = base_job(b, &pick);
	base_reopen(b);
	job.segments = b->segments;
	job.values = b->pool.values;
	before = simdisk_calls(b->pool.disk);
	simdisk_fail_at(b->pool.disk, call ? before + call : 0, fault);
	rc = compact_run(&job, ret);
	simdisk_fail_at(b->pool.disk, 0, fault);
	return rc;
}

/* The same, published. */
static int run_again(struct base *b)
{
	struct compact_result result;
	int rc = run_failing(b, 0, SIMDISK_EIO, &result);

	if (rc == 0) {
		base_publish(b, &result);
		compact_result_release(&result);
	}
	return rc;
}

/* Whether the pick of a base merges several segments and moves values; *ret_calls
 * is how often it calls the disk. */
static bool is_worth_failing(const struct base *b, uint64_t *ret_calls)
{
	struct compact_result result;
	struct base copy;
	bool is_worth;

	base_clone(b, &copy);
	*ret_calls = simdisk_calls(copy.pool.disk);
	CHECK_OK(run_failing(&copy, 0, SIMDISK_EIO, &result));
	*ret_calls = simdisk_calls(copy.pool.disk) - *ret_calls;
	is_worth = result.moved_bytes > 0 && result.n_removed > 2 &&
		   result.n_added > 0;
	base_publish(&copy, &result);
	compact_result_release(&result);
	base_close(&copy);
	return is_worth;
}

/* A base with such a pick; returns how often that calls the disk. */
static uint64_t base_to_fail(struct base *b)
{
	struct compact_pick pick;
	uint64_t calls;

	base_open(b);
	for (int i = 0; i < 200; i++) {
		live(b, 4);
		if (i > 3 && pick_again(b, &pick) &&
		    is_worth_failing(b, &calls))
			return calls;
	}
	CHECK(false);
	return 0;
}

static bool fails_at(const struct base *b, uint64_t call,
		     enum simdisk_fault fault)
{
	struct compact_result result;
	struct base copy;
	size_t before;
	int rc;

	base_clone(b, &copy);
	copy.had_faults = true;
	before = base_count_files(&copy);
	rc = run_failing(&copy, call, fault, &result);
	base_reopen(&copy);
	if (rc == 0) {
		base_publish(&copy, &result);
		compact_result_release(&result);
	} else {
		CHECK_EQ(base_count_files(&copy), before);
	}
	base_check(&copy);
	base_close(&copy);
	return rc < 0;
}

TEST(faults, "whichever call fails, the old state is whole and no file is left over")
{
	unsigned int failed = 0;
	struct base b;
	uint64_t calls = base_to_fail(&b), step = 1 + calls / 150;

	for (uint64_t call = 1 + check_random() % step; call <= calls;
	     call += step) {
		failed += fails_at(&b, call, SIMDISK_EIO);
		failed += fails_at(&b, call, SIMDISK_ENOSPC);
	}
	CHECK(failed > 10);
	base_close(&b);
}

/* What a database does when it is opened: files that nothing names go. */
static void remove_unnamed(struct base *b)
{
	struct file_info info = { .number = 0 };

	while (file_set_info(b->segments, info.number, &info) == 0) {
		bool is_named = false;

		for (unsigned int i = 0; i < SEGMENT_LEVELS_MAX; i++)
			for (size_t j = 0; j < b->levels[i].n; j++)
				is_named |= b->levels[i].at[j]->number ==
					    info.number;
		if (!is_named)
			CHECK_OK(file_set_remove(b->segments, info.number));
	}
	base_view(b);
	for (size_t i = 0; i < b->view.n_files; i++)
		if (!b->files[i].live_bytes)
			CHECK_OK(values_remove_file(b->pool.values,
						    b->files[i].number));
}

TEST(power_cuts, "a power cut at any call leaves the old state, or the new one once it was there")
{
	struct base b;
	uint64_t calls = base_to_fail(&b), step = 1 + calls / 100;

	for (uint64_t call = 1 + check_random() % step; call <= calls + step;
	     call += step) {
		struct compact_result result;
		struct compact_pick pick;
		struct compact_job job;
		struct base copy;
		int rc;

		base_clone(&b, &copy);
		CHECK(pick_again(&copy, &pick));
		job = base_job(&copy, &pick);
		simdisk_cut_at(copy.pool.disk,
			       simdisk_calls(copy.pool.disk) + call);
		rc = compact_run(&job, &result);
		simdisk_crash(copy.pool.disk, check_random(), SIMDISK_RANDOM);
		base_reopen(&copy);
		if (rc == 0) {
			base_publish(&copy, &result);
			compact_result_release(&result);
		}
		remove_unnamed(&copy);
		base_check(&copy);
		base_close(&copy);
	}
	base_close(&b);
}

TEST(durable, "what a compaction says it has written is on the disk")
{
	struct compact_result result;
	struct compact_pick pick;
	struct compact_job job;
	struct base b;

	base_to_fail(&b);
	CHECK(pick_again(&b, &pick));
	job = base_job(&b, &pick);
	CHECK_OK(compact_run(&job, &result));
	CHECK(result.moved_bytes > 0 && result.n_files > 0);
	simdisk_crash(b.pool.disk, 1, SIMDISK_DROP_ALL);
	base_reopen(&b);
	base_publish(&b, &result);
	compact_result_release(&result);
	base_check(&b);
	base_close(&b);
}

TEST(discarded, "a result that is not published goes without a trace")
{
	struct compact_result result;
	struct compact_pick pick;
	struct compact_job job;
	struct base b;
	size_t files;

	base_to_fail(&b);
	CHECK(pick_again(&b, &pick));
	files = base_count_files(&b);
	job = base_job(&b, &pick);
	CHECK_OK(compact_run(&job, &result));
	CHECK(base_count_files(&b) > files);
	compact_result_discard(&job, &result);
	CHECK_EQ(base_count_files(&b), files);
	base_check(&b);
	base_close(&b);
}

TEST(cancelled, "a cancelled compaction ends without a file, and can be run again")
{
	struct base b;
	size_t files;

	base_to_fail(&b);
	files = base_count_files(&b);
	pace_cancel(&b.pace);
	CHECK_EQ(run_again(&b), AEDB_BUSY);
	CHECK_EQ(base_count_files(&b), files);
	base_check(&b);
	pace_resume(&b.pace);
	CHECK_OK(run_again(&b));
	base_check(&b);
	base_close(&b);
}

/* Changes a byte of a file. */
static void spoil(struct base *b, const char *path, uint64_t at)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(b->pool.vfs, path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, at));
	byte ^= 1;
	CHECK_OK(vfs_write_all(file, &byte, 1, at));
	vfs_file_close(file);
}

TEST(damaged_segment, "a segment that is damaged is refused, and found")
{
	char path[FILE_SET_PATH_BYTES];
	struct compact_pick pick;
	struct compact_job job;
	file_id_t found;
	struct base b;
	size_t files;

	base_to_fail(&b);
	CHECK(pick_again(&b, &pick));
	job = base_job(&b, &pick);
	CHECK_OK(compact_find_damaged(&job, &found));
	CHECK_EQ(found, 0);
	file_set_path(b.segments, pick.upper.at[0]->number, path);
	base_reopen(&b);
	spoil(&b, path, FILE_DATA_OFFSET + 40);
	base_reopen(&b);
	files = base_count_files(&b);
	CHECK_EQ(run_again(&b), AEDB_CORRUPT);
	CHECK_EQ(base_count_files(&b), files);
	CHECK(pick_again(&b, &pick));
	job = base_job(&b, &pick);
	CHECK_OK(compact_find_damaged(&job, &found));
	CHECK_EQ(found, pick.upper.at[0]->number);
	b.view.damaged = &found;
	b.view.n_damaged = 1;
	for (int steps = 0; compact_pick_full(base_view(&b), 1, &pick); steps++) {
		struct compact_result result;

		CHECK(steps < STEPS_MAX);
		job = base_job(&b, &pick);
		CHECK_OK(compact_run(&job, &result));
		base_publish(&b, &result);
		compact_result_release(&result);
	}
	base_close(&b);
}

TEST(damaged_value, "a damaged value stays with its file, and is not tried for ever")
{
	const struct page_ref *page;
	char path[FILE_SET_PATH_BYTES];
	struct base b;
	size_t at;

	base_open(&b);
	for (unsigned int key = 0; key < 20; key++)
		base_put(&b, 0, key, BASE_SMALL);
	base_flush(&b);
	at = b.all[5].value;
	b.spoiled = at;
	page = &b.pool.at[at].ref.root;
	file_set_path(values_files(b.pool.values), page->file, path);
	base_reopen(&b);
	spoil(&b, path, page->offset + PAGE_HEADER_BYTES);
	base_reopen(&b);
	for (unsigned int key = 0; key < 20; key++)
		if (key != 5 && key != 6)
			base_delete(&b, 0, key);
	base_flush(&b);
	compact_all(&b);
	settle(&b);
	compact_all(&b);
	base_check(&b);
	CHECK_EQ(b.n_damaged_files, 1);
	CHECK_EQ(b.damaged_files[0], b.pool.at[at].ref.root.file);
	CHECK(b.pool.at[b.all[6].value].ref.root.file != b.damaged_files[0]);
	CHECK_EQ(pool_read(b.pool.values, &b.pool.at[at].ref, (uint8_t[3000]){ 0 },
			   b.pool.at[at].n), AEDB_CORRUPT);
	base_close(&b);
}

TEST(flush_between, "segments flushed while a compaction runs stay above what comes of it")
{
	for (int round = 0; round < 5; round++) {
		struct compact_result result;
		struct compact_pick pick;
		struct compact_job job;
		struct base b;

		base_to_fail(&b);
		random_writes(&b, 60);
		CHECK(pick_again(&b, &pick));
		job = base_job(&b, &pick);
		CHECK_OK(compact_run(&job, &result));
		base_flush(&b);
		base_publish(&b, &result);
		compact_result_release(&result);
		base_check(&b);
		base_close(&b);
	}
}

TEST(versions_together, "a key with more versions than fill a segment stays in one")
{
	struct base b;

	base_open(&b);
	b.history_from = 1;
	for (int i = 0; i < 20; i++) {
		for (unsigned int j = 0; j < 60; j++)
			base_put(&b, 1, 7, BASE_INLINE);
		base_put(&b, 1, 6, BASE_INLINE);
		base_put(&b, 1, 8, BASE_INLINE);
		base_flush(&b);
	}
	b.view.limits.segment_bytes = 1 << 10;
	compact_all(&b);
	base_check(&b);
	CHECK(b.levels[1].n + b.levels[2].n + b.levels[3].n > 1);
	base_close(&b);
}

TEST(tombstones, "a tombstone goes at the bottom, not above what it hides, and is reported")
{
	struct base b;

	base_open(&b);
	base_put(&b, 0, 1, BASE_INLINE);
	base_put(&b, 0, 2, BASE_INLINE);
	base_flush(&b);
	base_snapshot(&b);
	base_delete(&b, 0, 1);
	base_flush(&b);
	compact_all(&b);
	base_check(&b);
	CHECK_EQ(b.forgotten_seq, 0);
	base_forget(&b, 0);
	compact_all(&b);
	base_check(&b);
	CHECK_EQ(b.forgotten_seq, 3);
	base_delete(&b, 0, 2);
	base_flush(&b);
	compact_all(&b);
	CHECK_EQ(b.forgotten_seq, 4);
	CHECK_EQ(base_count_files(&b), 0);
	base_close(&b);
}

TEST(paced, "bytes written and moved are paid for")
{
	struct compact_result result;
	struct compact_pick pick;
	struct compact_job job;
	struct base b;

	base_to_fail(&b);
	CHECK(pick_again(&b, &pick));
	job = base_job(&b, &pick);
	CHECK_OK(compact_run(&job, &result));
	CHECK(pace_done_bytes(&b.pace) >= result.moved_bytes);
	CHECK(result.read_bytes == compact_slice_bytes(pick.upper) +
				   compact_slice_bytes(pick.lower));
	CHECK(result.entries_read >= result.entries_kept);
	compact_result_discard(&job, &result);
	base_close(&b);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
