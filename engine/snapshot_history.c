/*
 * Heads of pieces are in memory, all of them; bodies only until a checkpoint
 * wrote them.
 */
#include <time.h>

#include "commit.h"
#include "err.h"
#include "flush.h"
#include "levels.h"
#include "maintenance.h"
#include "snapshot_history.h"
#include "space_walk.h"

static bool is_kept(const struct aedb *db)
{
	return history_is_kept(&db->snapshots.history);
}

/* Opening. */

static int heads_take(struct aedb *db, struct space_walk *heads)
	REQUIRES(db->snapshots.lock)
{
	static const uint8_t first[] = { HISTORY_HEAD };
	struct history_piece piece;
	int rc = space_walk_first(heads, first, sizeof(first), sizeof(first));

	while (rc > 0) {
		const struct entry *entry = space_walk_entry(heads);

		rc = history_piece_decode(entry->key, entry->key_bytes,
					  entry->value, entry->value_bytes,
					  &piece);
		if (rc == 0)
			rc = history_take(&db->snapshots.history, &piece);
		if (rc == 0)
			rc = space_walk_next(heads);
	}
	return rc;
}

static int heads_load(struct aedb *db) REQUIRES(db->snapshots.lock)
{
	struct space space;
	struct space_walk heads;
	int rc;

	space_init_in_segments(&space, db, HISTORY_SPACE);
	space_walk_init(&heads, &space, SEQ_MAX);
	epoch_enter(db->epoch);
	rc = heads_take(db, &heads);
	epoch_leave(db->epoch);
	space_walk_release(&heads);
	return rc;
}

int snapshot_history_load(struct aedb *db)
{
	const uint64_t *numbers = manifest_state(db->manifest)->numbers;
	struct history *h = &db->snapshots.history;
	seq_t checkpoint = numbers[MANIFEST_CHECKPOINT_SEQ];
	seq_t from = numbers[MANIFEST_HISTORY_FROM];
	int rc;

	if (!is_kept(db))
		return 0;
	/* without a history until now segments have one state for sure */
	if (!from)
		from = checkpoint ? checkpoint : CATALOG_ROOT_ID;
	lock_acquire(&db->snapshots.lock);
	history_begin(h, from);
	rc = heads_load(db);
	if (rc == AEDB_CORRUPT && db->options.recovery == AEDB_PERMISSIVE) {
		history_release(h);
		history_init(h, h->limits);
		history_begin(h, from > checkpoint ? from : checkpoint);
		rc = 0;
	}
	lock_release(&db->snapshots.lock);
	return rc;
}

void snapshot_history_start(struct aedb *db)
{
	struct history *h = &db->snapshots.history;
	seq_t visible = db_visible(db);

	if (!is_kept(db))
		return;
	lock_acquire(&db->snapshots.lock);
	if (h->from == SEQ_MAX || h->from > visible)
		h->from = visible > CATALOG_ROOT_ID ? visible : CATALOG_ROOT_ID;
	lock_release(&db->snapshots.lock);
	snapshot_history_trim(db, atomic_load(&db->commits.last_time_us));
}

/* Commits. */

int snapshot_history_reserve(struct aedb *db)
{
	int rc;

	if (!is_kept(db))
		return 0;
	lock_acquire(&db->snapshots.lock);
	rc = history_reserve(&db->snapshots.history);
	lock_release(&db->snapshots.lock);
	return rc;
}

void snapshot_history_note(struct aedb *db, seq_t seq, uint64_t time_us,
			   uint64_t superseded_bytes)
{
	struct history *h = &db->snapshots.history;

	if (!is_kept(db))
		return;
	lock_acquire(&db->snapshots.lock);
	if (seq > h->from)
		history_note(h, seq, time_us, superseded_bytes);
	lock_release(&db->snapshots.lock);
}

void snapshot_history_trim(struct aedb *db, uint64_t now_us)
{
	bool is_less;

	/* who cannot write lets nothing go */
	if (!is_kept(db) || !db->wal)
		return;
	lock_acquire(&db->snapshots.lock);
	is_less = history_trim(&db->snapshots.history, now_us, db_visible(db));
	lock_release(&db->snapshots.lock);
	if (!is_less)
		return;
	atomic_store(&db->snapshots.needs_sweep, true);
	maintenance_note_segments(db);
}

void snapshot_history_age(struct aedb *db)
{
	struct timespec now;

	if (!is_kept(db))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snapshot_history_trim(db, (uint64_t)now.tv_sec * 1000000u +
				  (uint64_t)now.tv_nsec / 1000);
	if (atomic_load(&db->snapshots.needs_sweep))
		commit_try_settle(db);
}

/* Numbers. */

/* What a piece's body in segments says. */
static int stored_find(struct aedb *db, const struct history_piece *piece,
		       seq_t seq, seq_t *ret)
{
	uint8_t number[HISTORY_KEY_BYTES], key[SPACE_KEY_BYTES_MAX];
	struct entry body;
	size_t n;
	int rc;

	history_piece_key(HISTORY_BODY, piece->last, number);
	n = space_key(HISTORY_SPACE, number, sizeof(number), key);
	epoch_enter(db->epoch);
	rc = levels_get(db_levels(db), &(struct levels_sought){
		.key = key, .key_bytes = n, .limit = SEQ_MAX }, &body, NULL);
	if (rc > 0)
		rc = history_piece_find(piece, body.value, body.value_bytes,
					seq, ret);
	else if (rc == 0)
		/* a compaction let go of it */
		rc = AEDB_NOT_FOUND;
	epoch_leave(db->epoch);
	return rc;
}

int snapshot_history_round(struct aedb *db, seq_t seq, seq_t *ret)
{
	struct history *h = &db->snapshots.history;
	struct history_piece piece;
	int rc = AEDB_NOT_FOUND;

	lock_acquire(&db->snapshots.lock);
	if (seq >= h->from)
		rc = history_find(h, seq, ret, &piece);
	lock_release(&db->snapshots.lock);
	if (rc == 0)
		return stored_find(db, &piece, seq, ret);
	return rc < 0 ? rc : 0;
}

/* Checkpoints. */

void snapshot_history_cut(struct aedb *db)
{
	lock_acquire(&db->snapshots.lock);
	history_cut(&db->snapshots.history);
	lock_release(&db->snapshots.lock);
}

int snapshot_history_copy(struct aedb *db, struct flush *flush)
{
	int rc;

	if (!is_kept(db))
		return 0;
	lock_acquire(&db->snapshots.lock);
	rc = history_copy(&db->snapshots.history, flush->upto, &flush->pieces,
			  &flush->n_pieces);
	lock_release(&db->snapshots.lock);
	return rc;
}

void snapshot_history_stored(struct aedb *db, seq_t upto)
{
	lock_acquire(&db->snapshots.lock);
	history_stored(&db->snapshots.history, upto);
	lock_release(&db->snapshots.lock);
}
