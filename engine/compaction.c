/*
 * Chooses, runs and shows one compaction after the other.
 *
 * Invariants:
 * 1. Only the holder of compaction_lock takes segments out of the levels, so
 *    what was chosen is still there when it has been merged.
 * 2. Each compaction is one change of the manifest: after a crash all that were
 *    finished count.
 * 3. No value file is removed while one runs, for those it made are not in the
 *    levels yet.
 */
#include <stdlib.h>

#include "checkpoint.h"
#include "compact.h"
#include "compaction.h"
#include "compaction_view.h"
#include "err.h"
#include "reserve.h"
#include "storage.h"
#include "txn.h"

/* The file that values are appended to may have so many dead bytes. */
#define WRITTEN_DEAD_BYTES_MAX (UINT64_C(1) << 20)
/* So often a full compaction that finds no room makes some and goes on. */
#define FULL_ROUNDS_MAX 8
#define HALVINGS_MAX 4

struct compaction {
	struct pace pace;
	/* guarded by maintenance.outcome_lock: */
	bool is_closing;	/* nothing new begins */
	bool is_canceled;	/* aedb_compact is to end */
	bool is_full_ended;	/* and begins no more */
	/* guarded by compaction_lock: */
	struct compact_turns turns;
	struct compaction_memory memory;
	seq_t rest_seq;		/* the newest commit when nothing was worth it */
	unsigned int halvings;	/* of the room, after steps that did not fit */
	seq_t halved_seq;	/* checkpoint of the last of them */
};

int compaction_open(struct aedb *db)
{
	db->compaction = calloc(1, sizeof(*db->compaction));
	if (!db->compaction)
		return err_set(AEDB_NO_MEMORY, "no memory for compaction");
	pace_init(&db->compaction->pace, db->options.compaction_rate);
	return 0;
}

void compaction_close(struct aedb *db)
{
	if (!db->compaction)
		return;
	compaction_memory_release(&db->compaction->memory);
	free(db->compaction);
}

void compaction_cancel(struct aedb *db)
{
	lock_acquire(&db->maintenance.outcome_lock);
	db->compaction->is_closing = true;
	pace_cancel(&db->compaction->pace);
	lock_release(&db->maintenance.outcome_lock);
}

/* Under outcome_lock, so that nothing is canceled that has just ended. */
static bool full_cancel(struct aedb *db)
{
	if (!atomic_load(&db->maintenance.to_compact_bytes))
		return false;
	db->compaction->is_canceled = true;
	pace_cancel(&db->compaction->pace);
	return true;
}

int aedb_compact_cancel(struct aedb *db)
{
	struct maintenance *m = &db->maintenance;
	bool runs;

	lock_acquire(&m->outcome_lock);
	runs = full_cancel(db);
	lock_release(&m->outcome_lock);
	return runs ? 0 : AEDB_NOT_FOUND;
}

void aedb_compact_end(struct aedb *db)
{
	struct maintenance *m = &db->maintenance;

	lock_acquire(&m->outcome_lock);
	db->compaction->is_full_ended = true;
	(void)full_cancel(db);
	lock_release(&m->outcome_lock);
}

static int full_fail(void)
{
	return err_set(AEDB_CANCELED, "the compaction was canceled");
}

/* A full compaction that has so much to read begins; false: none may. */
static bool full_begin(struct aedb *db, uint64_t bytes)
{
	struct maintenance *m = &db->maintenance;
	bool may;

	lock_acquire(&m->outcome_lock);
	may = !db->compaction->is_full_ended;
	if (may)
		atomic_store(&m->to_compact_bytes, bytes);
	lock_release(&m->outcome_lock);
	return may;
}

/* A full compaction ended with rc: others may go on, if it was canceled. */
static int full_end(struct aedb *db, int rc)
{
	struct compaction *compaction = db->compaction;
	struct maintenance *m = &db->maintenance;
	bool was_canceled;

	pace_set(&compaction->pace, db->options.compaction_rate);
	lock_acquire(&m->outcome_lock);
	atomic_store(&m->to_compact_bytes, 0);
	was_canceled = compaction->is_canceled;
	compaction->is_canceled = false;
	if (was_canceled && !compaction->is_closing)
		pace_resume(&compaction->pace);
	lock_release(&m->outcome_lock);
	return was_canceled && rc == AEDB_BUSY ? full_fail() : rc;
}

static void result_count(struct aedb *db, const struct compact_result *result)
{
	struct counters *c = &db->counters;

	atomic_fetch_add(&c->compaction_read_bytes, result->read_bytes);
	atomic_fetch_add(&c->compaction_write_bytes,
			 result->written_bytes + result->moved_bytes);
	atomic_fetch_add(&c->relocated_bytes, result->moved_bytes);
	db_forgotten_raise(db, result->forgotten_seq);
}

static int result_publish(struct aedb *db, const struct compact_view *view,
			  struct compact_result *result)
{
	struct storage_change change = {
		.added = result->added,
		.n_added = result->n_added,
		.removed = result->removed,
		.n_removed = result->n_removed,
		.history_from = view->retention.history_from,
	};

	/* before a reader can miss what it stood for */
	db_forgotten_raise(db, result->forgotten_seq);
	return storage_publish(db, &change);
}

/* Remembers what is damaged, so that it is not tried again. */
static int damage_note(struct compaction *compaction,
		       const struct compact_job *job, int rc)
{
	file_id_t number = 0;

	if (rc != AEDB_CORRUPT && rc != AEDB_IO)
		return rc;
	if (compact_find_damaged(job, &number) == 0 && number)
		compaction_numbers_add(&compaction->memory.bad_segments, number);
	return rc;
}

static int values_damage_note(struct compaction *compaction,
			      const struct compact_result *result)
{
	int rc = 0;

	for (size_t i = 0; i < result->n_damaged && rc == 0; i++)
		rc = compaction_numbers_add(&compaction->memory.bad_values,
					    result->damaged[i]);
	return rc;
}

static int job_run(struct aedb *db, const struct compact_job *job)
	REQUIRES(db->compaction_lock)
{
	struct compact_result result;
	int rc;

	/* opening, if it comes to that, removes what this leaves behind */
	if (job->view->limits.is_hopeful) {
		storage_lend_reserve(db);
		storage_lend_last(db);
	}
	rc = compact_run(job, &result);
	if (rc == AEDB_NO_SPACE && storage_lend_reserve(db))
		rc = compact_run(job, &result);
	if (rc < 0)
		return damage_note(db->compaction, job, rc);
	rc = result_publish(db, job->view, &result);
	if (rc == 0)
		rc = values_damage_note(db->compaction, &result);
	else if (rc != AEDB_UNKNOWN)
		compact_result_discard(job, &result);
	if (rc == 0)
		result_count(db, &result);
	compact_result_release(&result);
	return rc;
}

/* All of a pick, or a piece of it. */
static int piece_run(struct aedb *db, const struct compact_view *view,
		     const struct compact_pick *pick,
		     const struct compact_piece *piece)
	REQUIRES(db->compaction_lock)
{
	struct compact_job job = {
		.segments = db->segments,
		.values = db->values,
		.view = view,
		.pick = pick,
		.piece = piece,
		.pace = &db->compaction->pace,
		.page_bytes = db->budget.page_bytes,
		.room_bytes = view->limits.is_hopeful ?
				      view->limits.room_bytes : 0,
	};
	int rc;

	storage_hold(db);
	rc = job_run(db, &job);
	storage_unhold(db);
	storage_clean(db);
	if (view->limits.is_hopeful)
		reserve_keep_last(db->reserve);
	return rc;
}

/* Each piece is shown, and what it was made of goes, before the next is begun. */
static int pick_run(struct aedb *db, const struct compact_view *view,
		    const struct compact_pick *pick)
	REQUIRES(db->compaction_lock)
{
	struct compact_piece piece;
	int rc;

	if (!pick->is_in_pieces)
		return piece_run(db, view, pick, NULL);
	compact_piece_first(view, pick, &piece);
	do
		rc = piece_run(db, view, pick, &piece);
	while (rc == 0 && compact_piece_next(view, pick, &piece));
	return rc;
}

/* Marks of scopes of which nothing is left go by an ordinary commit. */
static int marks_remove(struct aedb *db, const struct compact_view *view)
	REQUIRES(db->compaction_lock)
{
	struct compaction_memory *memory = &db->compaction->memory;
	int rc = 0;

	for (size_t i = memory->n_scopes; i-- > 0 && rc == 0;) {
		uint64_t id = memory->scopes[i].id;

		if (!compact_scope_is_gone(view, &memory->scopes[i]))
			continue;
		rc = txn_remove_mark(db, id);
		if (rc == 0)
			compaction_scope_forget(memory, id);
	}
	return rc;
}

/* Whether what segments do not refer to is dead: no value that is being written
 * or read is in the file, and none of a commit to come into segments. */
static bool file_is_settled(struct aedb *db, const struct compact_view *view,
			    file_id_t number)
{
	struct file_info info;

	return file_set_info(values_files(db->values), number - 1, &info) == 0 &&
	       info.number == number && !info.is_pinned &&
	       info.last_seq <= view->flushed_seq;
}

/* Nothing can go from the file that values are appended to: one that is mostly
 * dead is ended. */
static void written_file_end(struct aedb *db, const struct compact_view *view)
{
	for (size_t i = 0; i < view->n_files; i++) {
		const struct compact_file *file = &view->files[i];

		if (file->bytes > WRITTEN_DEAD_BYTES_MAX + 2 * file->live_bytes &&
		    values_is_written(db->values, file->number) &&
		    file_is_settled(db, view, file->number))
			values_cut(db->values);
	}
}

enum compaction_aim {
	AIM_NEXT,	/* what is most needed */
	AIM_ROOM,	/* bytes of a full disk */
	AIM_FULL,	/* one level without garbage */
};

/* What is worth it; where nothing was, and nothing was committed since, also what
 * is worth less. */
static bool pick_next(struct aedb *db, struct compact_view *view,
		      struct compact_pick *ret) REQUIRES(db->compaction_lock)
{
	struct compaction *compaction = db->compaction;
	seq_t seq = db_visible(db), rest_seq = compaction->rest_seq;

	if (compact_pick_next(view, &compaction->turns, ret))
		return true;
	compaction->rest_seq = seq;
	if (rest_seq != seq || view->flushed_seq != seq)
		return false;
	compact_limits_rest(&view->limits);
	return compact_pick_next(view, &compaction->turns, ret);
}

static bool pick_make(struct aedb *db, enum compaction_aim aim,
		      struct compact_view *view, file_id_t fresh_from,
		      struct compact_pick *ret) REQUIRES(db->compaction_lock)
{
	switch (aim) {
	case AIM_NEXT:
		return pick_next(db, view, ret);
	case AIM_ROOM:
		return compact_pick_room(view, &db->compaction->turns, ret);
	case AIM_FULL:
		return compact_pick_full(view, fresh_from, ret);
	}
	return false;
}

/* Whether there would be something to do with more room. */
static bool pick_lacks_room(struct aedb *db, enum compaction_aim aim,
			    const struct compact_view *view, file_id_t fresh_from,
			    struct compact_pick *scratch)
	REQUIRES(db->compaction_lock)
{
	switch (aim) {
	case AIM_NEXT:
		return compact_pick_next(view, &db->compaction->turns, scratch);
	case AIM_ROOM:
		return false;
	case AIM_FULL:
		return compact_pick_full(view, fresh_from, scratch);
	}
	return false;
}

/* What a compaction may write, without the last bit. `lent`: what it may be lent. */
static uint64_t room_bytes(struct aedb *db, uint64_t lent)
	REQUIRES(db->compaction_lock)
{
	uint64_t bytes = room_free_bytes(&db->room);

	if (bytes < UINT64_MAX / 2)
		bytes += lent;
	return (bytes / 8 * 7 >> db->compaction->halvings) + 1;
}

/* On a full disk what will probably fit is tried, too, with all that is kept back:
 * it is tombstones that make room, and what a merge of them leaves is little. */
static bool pick_hopeful(struct aedb *db, struct compact_view *view,
			 struct compact_pick *ret) REQUIRES(db->compaction_lock)
{
	view->limits.room_bytes = room_bytes(db, reserve_held(db->reserve));
	view->limits.is_hopeful = true;
	return compact_pick_hopeful(view, &db->compaction->turns, ret);
}

/* Chooses among what there is room for. AEDB_NO_SPACE: only something else. */
static int pick_with_room(struct aedb *db, enum compaction_aim aim,
			  struct compact_view *view, file_id_t fresh_from,
			  struct compact_pick *ret) REQUIRES(db->compaction_lock)
{
	struct compact_view roomy = *view;

	view->limits.room_bytes = room_bytes(db, reserve_lendable(db->reserve));
	if (aim != AIM_ROOM)	/* half of it is for values */
		view->limits.room_bytes = view->limits.room_bytes / 2 + 1;
	if (pick_make(db, aim, view, fresh_from, ret) ||
	    (aim == AIM_ROOM && pick_hopeful(db, view, ret)))
		return 1;
	if (!pick_lacks_room(db, aim, &roomy, fresh_from, ret))
		return 0;
	room_note_full(&db->room);
	return err_set(AEDB_NO_SPACE, "no space for a compaction");
}

/* What a step takes is a guess: after one that was too small, smaller ones, until
 * another checkpoint brought something. */
static void halvings_note(struct compaction *compaction, seq_t seq, int rc)
{
	compaction->halved_seq = seq;
	if (rc != AEDB_NO_SPACE)
		compaction->halvings = 0;
	else if (compaction->halvings < HALVINGS_MAX)
		compaction->halvings++;
}

/* One step: 1, or 0 when there is none to take. */
static int step_run(struct aedb *db, enum compaction_aim aim,
		    file_id_t fresh_from)
	REQUIRES(db->compaction_lock)
{
	struct compaction *compaction = db->compaction;
	struct compaction_view taken;
	struct compact_pick pick;
	int rc, found;

	storage_look_for_room(db);
	rc = compaction_view_take(db, &compaction->memory, &taken);
	if (rc < 0)
		return rc;
	if (compaction->halved_seq != taken.view.flushed_seq)
		compaction->halvings = 0;
	found = pick_with_room(db, aim, &taken.view, fresh_from, &pick);
	if (found > 0) {
		rc = pick_run(db, &taken.view, &pick);
		halvings_note(compaction, taken.view.flushed_seq, rc);
	} else {
		written_file_end(db, &taken.view);
		rc = marks_remove(db, &taken.view);
	}
	compaction_view_release(&taken);
	return rc < 0 ? rc : found;
}

int compaction_run_next(struct aedb *db)
{
	int rc;

	lock_acquire(&db->compaction_lock);
	rc = step_run(db, room_is_short(&db->room) ? AIM_ROOM : AIM_NEXT, 0);
	lock_release(&db->compaction_lock);
	if (rc == AEDB_BUSY)
		rc = 0;
	atomic_store(&db->maintenance.compaction_outcome, rc < 0 ? rc : 0);
	return rc;
}

/* What a full compaction reads, roughly. */
static uint64_t full_bytes(struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.segment_bytes + stats.value_bytes - stats.value_live_bytes;
}

/* All that gives room on a full disk; how many steps that were, or an error. */
static int room_steps(struct aedb *db) REQUIRES(db->compaction_lock)
{
	int rc = 1, n = 0;

	while (rc > 0 && room_is_short(&db->room)) {
		rc = step_run(db, AIM_ROOM, 0);
		n += rc > 0;
		if (rc == AEDB_NO_SPACE &&
		    db->compaction->halvings < HALVINGS_MAX)
			rc = 1;
	}
	return rc < 0 ? rc : n;
}

/* Where there is not enough room for a step, others may make it. */
static int full_steps(struct aedb *db, file_id_t fresh_from)
	REQUIRES(db->compaction_lock)
{
	int rc = AEDB_NO_SPACE, n = 1;

	for (int i = 0; i < FULL_ROUNDS_MAX && rc == AEDB_NO_SPACE && n; i++) {
		n = room_steps(db);
		if (n < 0)
			return n;
		while ((rc = step_run(db, AIM_FULL, fresh_from)) > 0)
			continue;
	}
	return rc;
}

static int full_run(struct aedb *db) REQUIRES(db->compaction_lock)
{
	struct maintenance *m = &db->maintenance;
	struct pace *pace = &db->compaction->pace;
	file_id_t fresh_from = file_set_next(db->segments);

	atomic_store(&m->compact_from_bytes, pace_done_bytes(pace));
	if (!full_begin(db, full_bytes(db) + 1))
		return full_fail();
	pace_set(pace, 0);
	db->compaction->halvings = 0;
	return full_end(db, full_steps(db, fresh_from));
}

void compaction_progress(const struct aedb *db, uint64_t *ret_done,
			 uint64_t *ret_total)
{
	const struct maintenance *m = &db->maintenance;

	*ret_total = atomic_load(&m->to_compact_bytes);
	*ret_done = *ret_total ? pace_done_bytes(&db->compaction->pace) -
					 atomic_load(&m->compact_from_bytes) :
				 0;
}

static int full_try(struct aedb *db)
{
	int rc;

	lock_acquire(&db->compaction_lock);
	rc = full_run(db);
	lock_release(&db->compaction_lock);
	storage_clean(db);
	return rc;
}

/* Files that were emptied stay for what memory may refer to: where there is no
 * room for more, it lets go of them first. */
static int full_rounds(struct aedb *db)
{
	int rc = full_try(db), rounds = 0;
	seq_t seq;

	while ((rc == 0 || rc == AEDB_NO_SPACE) && rounds++ < FULL_ROUNDS_MAX &&
	       atomic_load(&db->dead_bytes)) {
		bool is_done = rc == 0;

		rc = checkpoint_run(db, CHECKPOINT_ROTATE, &seq);
		if (rc < 0 || is_done)
			return rc;
		rc = full_try(db);
	}
	return rc;
}

int aedb_compact(struct aedb *db)
{
	seq_t seq;
	int rc;

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	/* values in the file that is written to could not be moved out of it */
	values_cut(db->values);
	rc = checkpoint_run(db, CHECKPOINT_KEEP, &seq);
	if (rc == 0)
		rc = full_rounds(db);
	return rc == AEDB_BUSY ? err_set(AEDB_BUSY, "the database is closing") :
				 rc;
}
