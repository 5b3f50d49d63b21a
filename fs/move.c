/*
 * Moving directories, key by key.
 *
 * A key's path below the directory stays what it is. Mostly the bytes behind the
 * directory's key do too; below names so long that they are written in a
 * particular way the path is walked again.
 */
#include "move.h"

#include <errno.h>
#include <string.h>

struct rekeyed {
	size_t bytes;
	uint8_t key[PATH_KEY_BYTES_MAX];
};

static int rekey_fast(const struct path_dir *from, const struct path_dir *to,
		      const uint8_t *key, size_t key_bytes, struct rekeyed *ret)
{
	size_t rest = key_bytes - from->key_bytes;

	if (to->key_bytes + rest > sizeof(ret->key))
		return -ENAMETOOLONG;
	memcpy(ret->key, to->key, to->key_bytes);
	memcpy(ret->key + to->key_bytes, key + from->key_bytes, rest);
	ret->bytes = to->key_bytes + rest;
	return 0;
}

static int rekey_by_path(const struct path_dir *from, const struct path_dir *to,
			 const uint8_t *key, size_t key_bytes,
			 struct rekeyed *ret)
{
	struct path_dir at = *from, new_at = *to;
	struct path_child child;
	struct path_step step;
	int rc;

	for (;;) {
		path_step(&at, key, key_bytes, &step);
		rc = path_child(&new_at, step.name, step.name_bytes, &child);
		if (rc < 0)
			return rc;
		memcpy(ret->key, child.key, child.key_bytes);
		ret->bytes = child.key_bytes;
		if (step.kind != PATH_BELOW)
			return 0;
		path_dir_init(&at, key, step.child_bytes);
		path_dir_init(&new_at, ret->key, ret->bytes);
	}
}

static int rekey(const struct place *from, const struct place *to,
		 const void *key, size_t key_bytes, struct rekeyed *ret)
{
	if (from->dir.is_wide || to->dir.is_wide)
		return rekey_by_path(&from->dir, &to->dir, key, key_bytes, ret);
	return rekey_fast(&from->dir, &to->dir, key, key_bytes, ret);
}

static bool is_inside(const struct place *place, const void *key,
		      size_t key_bytes)
{
	struct path_step step;

	path_step(&place->dir, key, key_bytes, &step);
	return step.kind == PATH_LEAF || step.kind == PATH_BELOW;
}

enum how {
	HOW_MOVE,		/* nothing is at the new place */
	HOW_EXCHANGE,		/* exchange with what is there, or move */
	HOW_MOVE_REST,		/* move if nothing is there */
};

static bool is_there(const struct change *change, struct aedb_scope *scope,
		     const void *key, size_t n)
{
	struct aedb_entry entry;

	if (aedb_stat(scope, change->tree->view, key, n, &entry) < 0)
		return false;
	aedb_unpin(&entry);
	return true;
}

struct pair {
	struct aedb_scope *from, *to;
	const void *key, *new_key;
	size_t key_bytes, new_bytes;
};

static int move_pair(struct change *change, const struct pair *pair,
		     enum how how)
{
	bool has_other = how != HOW_MOVE &&
			 is_there(change, pair->to, pair->new_key,
				  pair->new_bytes);

	if (!has_other)
		return aedb_txn_move(change->txn, pair->from, pair->key,
				     pair->key_bytes, pair->to, pair->new_key,
				     pair->new_bytes);
	if (how == HOW_MOVE_REST)
		return 0;
	return aedb_txn_exchange(change->txn, pair->from, pair->key,
				 pair->key_bytes, pair->to, pair->new_key,
				 pair->new_bytes);
}

static int move_key(struct change *change, const struct place *from,
		    const struct place *to, const struct aedb_entry *entry,
		    enum how how)
{
	struct pair pair = {
		.from = from->keys,
		.to = to->keys,
		.key = entry->key,
		.key_bytes = entry->key_bytes,
	};
	struct rekeyed new;
	int rc = rekey(from, to, entry->key, entry->key_bytes, &new);

	if (rc < 0)
		return rc;
	pair.new_key = new.key;
	pair.new_bytes = new.bytes;
	return move_pair(change, &pair, how);
}

/* The directory's own key, if there is one. */
static int move_own(struct change *change, const struct place *from,
		    const struct place *to, enum how how)
{
	struct pair pair = {
		.from = from->keys,
		.to = to->keys,
		.key = from->key,
		.key_bytes = from->dir.key_bytes,
		.new_key = to->key,
		.new_bytes = to->dir.key_bytes,
	};

	if (!is_there(change, pair.from, pair.key, pair.key_bytes))
		return 0;
	return move_pair(change, &pair, how);
}

static int move_keys(struct change *change, const struct place *from,
		     const struct place *to, enum how how)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX];
	struct aedb_range range = { .prefix = prefix };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	range.prefix_bytes = path_dir_scan_prefix(&from->dir, prefix);
	rc = aedb_scan_open(from->keys, from->view, &range, &scan);
	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		if (!is_inside(from, entry.key, entry.key_bytes))
			continue;
		rc = move_key(change, from, to, &entry, how);
		if (rc < 0)
			break;
	}
	aedb_scan_close(scan);
	return rc == -ENOENT ? 0 : rc;
}

static int move_records(struct change *change, const struct place *from,
			const struct place *to, enum how how)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX + 1];
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct aedb_range range = { .prefix = prefix };
	struct pair pair = { .from = from->dirs, .to = to->dirs,
			     .new_key = record };
	struct path_dir dir, new_dir;
	struct rekeyed new;
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	range.prefix_bytes = place_records_prefix(from, prefix);
	rc = aedb_scan_open(from->dirs, from->view, &range, &scan);
	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		path_dir_init_record(&dir, entry.key, entry.key_bytes);
		if (dir.is_root || !is_inside(from, dir.key, dir.key_bytes))
			continue;
		rc = rekey(from, to, dir.key, dir.key_bytes, &new);
		if (rc < 0)
			break;
		path_dir_init(&new_dir, new.key, new.bytes);
		pair.key = entry.key;
		pair.key_bytes = entry.key_bytes;
		pair.new_bytes = path_dir_record(&new_dir, record);
		rc = move_pair(change, &pair, how);
		if (rc < 0)
			break;
	}
	aedb_scan_close(scan);
	return rc == -ENOENT ? 0 : rc;
}

static int move_all(struct change *change, const struct place *from,
		    const struct place *to, enum how how)
{
	int rc = move_keys(change, from, to, how);

	return rc < 0 ? rc : move_records(change, from, to, how);
}

int move_inside(struct change *change, const struct place *from,
		const struct place *to)
{
	int rc = move_own(change, from, to, HOW_MOVE);

	return rc < 0 ? rc : move_all(change, from, to, HOW_MOVE);
}

int move_inside_for_key(struct change *change, const struct place *from,
			const struct place *to)
{
	int rc = move_own(change, to, from, HOW_EXCHANGE);

	return rc < 0 ? rc : move_all(change, from, to, HOW_MOVE);
}

int move_exchange_inside(struct change *change, const struct place *a,
			 const struct place *b)
{
	int rc = move_own(change, a, b, HOW_EXCHANGE);

	if (rc == 0)
		rc = move_own(change, b, a, HOW_MOVE_REST);
	if (rc == 0)
		rc = move_all(change, a, b, HOW_EXCHANGE);
	return rc < 0 ? rc : move_all(change, b, a, HOW_MOVE_REST);
}

int move_record(struct change *change, const struct node *dir,
		const struct place *from, const struct place *to)
{
	uint8_t record[PATH_RECORD_BYTES_MAX], new[PATH_RECORD_BYTES_MAX];
	size_t n = path_dir_record(&from->dir, record);
	size_t new_bytes = path_dir_record(&to->dir, new);
	struct aedb_put put = {
		.key = new,
		.key_bytes = new_bytes,
		.value = "",
		.id = dir->id,
		.must_be_new = true,
	};
	int rc = 0;

	if (is_there(change, from->dirs, record, n))
		return aedb_txn_move(change->txn, from->dirs, record, n,
				     to->dirs, new, new_bytes);
	if (is_there(change, to->dirs, new, new_bytes))
		rc = aedb_txn_delete(change->txn, to->dirs, new, new_bytes);
	return rc < 0 ? rc : aedb_txn_put(change->txn, to->dirs, &put);
}
