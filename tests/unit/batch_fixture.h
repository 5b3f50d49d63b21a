/*
 * Short forms of the calls on batches, for keys and values that are strings.
 */
#ifndef BATCH_FIXTURE_H
#define BATCH_FIXTURE_H

#include "db_fixture.h"

static inline struct aedb_batch *batch_of(struct aedb *db)
{
	struct aedb_batch *batch = NULL;

	CHECK_OK(aedb_batch_begin(db, &batch));
	return batch;
}

static inline struct aedb_txn *txn_in(struct aedb_batch *batch)
{
	struct aedb_txn *txn = NULL;

	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	return txn;
}

static inline int batch_put(struct aedb_batch *batch, struct aedb_scope *scope,
			    const char *key, const char *value)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(txn_put_text(txn, scope, key, value));
	return txn_end(txn);
}

static inline int batch_put_full(struct aedb_batch *batch,
				 struct aedb_scope *scope,
				 const struct aedb_put *put)
{
	struct aedb_txn *txn = txn_in(batch);
	int rc = aedb_txn_put(txn, scope, put);

	if (rc == 0)
		return txn_end(txn);
	aedb_txn_abort(txn);
	return rc;
}

static inline int batch_delete(struct aedb_batch *batch,
			       struct aedb_scope *scope, const char *key)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_delete(txn, scope, key, strlen(key)));
	return txn_end(txn);
}

static inline int batch_move(struct aedb_batch *batch, struct aedb_scope *scope,
			     const char *from, const char *to)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_move(txn, scope, from, strlen(from), scope, to,
			       strlen(to)));
	return txn_end(txn);
}

static inline int batch_touch(struct aedb_batch *batch, struct aedb_scope *dirs,
			      const char *key)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_touch(txn, dirs, key, strlen(key)));
	return txn_end(txn);
}

static inline int batch_create(struct aedb_batch *batch, const char *project,
			       const char *scope)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_create(txn, place(project, scope), NULL, 0, NULL));
	return txn_end(txn);
}

static inline int batch_drop(struct aedb_batch *batch, const char *project,
			     const char *scope, enum aedb_drop how)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_drop(txn, place(project, scope), how));
	return txn_end(txn);
}

static inline int batch_rename(struct aedb_batch *batch,
			       struct aedb_place from, struct aedb_place to)
{
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_rename(txn, from, to));
	return txn_end(txn);
}

/* What the view shows of a key, as text_of. */
static inline const char *batch_text(struct aedb_batch *batch,
				     struct aedb_scope *scope, const char *key)
{
	return text_of(scope, aedb_batch_view(batch), key);
}

/* All keys a scan shows, with blanks between; in a buffer the next call uses
 * again. */
static inline const char *keys_of(struct aedb_scope *scope,
				  const struct aedb_snapshot *snapshot,
				  enum aedb_direction direction)
{
	static char text[1024];
	struct aedb_range range = { .direction = direction };
	struct aedb_scan *scan;
	struct aedb_entry entry;
	size_t n = 0;
	int rc;

	CHECK_OK(aedb_scan_open(scope, snapshot, &range, &scan));
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		CHECK(n + entry.key_bytes + 2 < sizeof(text));
		if (n)
			text[n++] = ' ';
		memcpy(text + n, entry.key, entry.key_bytes);
		n += entry.key_bytes;
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	aedb_scan_close(scan);
	text[n] = 0;
	return text;
}

static inline void change_text(const struct aedb_change *change, char *ret)
{
	ret += sprintf(ret, "%c", change->kind);
	if (change->place.project)
		ret += sprintf(ret, "/%s", change->place.project);
	if (change->place.scope)
		ret += sprintf(ret, "/%s", change->place.scope);
	if (change->of == AEDB_OF_DIRECTORY)
		ret += sprintf(ret, "#");
	if (change->key)
		sprintf(ret, "/%.*s%s", (int)change->key_bytes,
			(const char *)change->key,
			change->is_range ? "..." : "");
}

/* All changes of a batch, with blanks between; as keys_of. */
static inline const char *diff_of(struct aedb_batch *batch)
{
	static char text[4096];
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	int rc;

	text[0] = 0;
	CHECK_OK(aedb_batch_diff_open(batch, &diff));
	while ((rc = aedb_batch_diff_next(diff, &change)) == 0) {
		if (text[0])
			strcat(text, " ");
		change_text(&change, text + strlen(text));
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	aedb_batch_diff_close(diff);
	return text;
}

static inline const char *conflicts_of(struct aedb_batch *batch)
{
	static char text[4096];
	struct aedb_change change;
	int rc;

	text[0] = 0;
	for (size_t i = 0; (rc = aedb_batch_conflict(batch, i, &change)) == 0;
	     i++) {
		CHECK(change.seq > 0);
		if (i)
			strcat(text, " ");
		change_text(&change, text + strlen(text));
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	return text;
}

#endif
