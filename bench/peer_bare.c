/*
 * The controls, in the shape of a store: what the system calls and the copies
 * alone cost that a commit or a read cannot do without.
 *
 * A commit is one write() of its bytes at the end of a preallocated file, with
 * an fdatasync() in PEER_FULL and one every 10 ms in PEER_BATCH. A get is a
 * memcpy of a value from a random place of a table as large as all the values,
 * a scan a memcpy of as many entries; a get of a cold store is a pread of the
 * value from the file. It finds nothing: there is no index, no lock, no
 * checksum.
 *
 * Invariants:
 * 1. The file's written part never leaves what is preallocated; it starts over
 *    at its beginning.
 * 2. The table grows to the number of keys when a session is opened, before any
 *    thread uses one.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_BYTES (256l << 20)
#define RECORD_BYTES 100	/* what a commit of one key takes, framed */
#define RECORD_BYTES_MAX 262144
#define SLOT_BYTES 64		/* or as many of these as a value needs */
#define SLOTS_MIN 64
#define ENTRY_BYTES 56		/* one of a scan: key and value */

struct state {
	struct peer_db *db;
	int fd;
	unsigned char *table;		/* constant while a session is used */
	uint64_t slots;			/* likewise */
	size_t slot_bytes;		/* constant after open */
	atomic_uint_fast64_t keys;	/* atomic: of all batches */
	atomic_uint_fast64_t written;	/* atomic: bytes */
	atomic_uint_fast64_t commits, syncs;	/* atomic */
};

static unsigned char record[RECORD_BYTES_MAX];
static _Thread_local unsigned char copy[PEER_SCAN_MAX * SLOT_BYTES];

static int fail(const char *what)
{
	return peer_fail("control", what, strerror(errno));
}

static int open_db(struct peer_db *db)
{
	struct state *state = calloc(1, sizeof(*state));
	char path[sizeof(db->dir) + 8];

	if (!state)
		return fail("open");
	snprintf(path, sizeof(path), "%s/file", db->dir);
	state->db = db;
	state->slots = SLOTS_MIN;
	state->slot_bytes = SLOT_BYTES;
	while (state->slot_bytes < db->setup.value_bytes)
		state->slot_bytes += SLOT_BYTES;
	state->table = calloc(SLOTS_MIN, state->slot_bytes);
	state->fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	db->state = state;
	if (state->fd >= 0 && state->table &&
	    fallocate(state->fd, 0, 0, FILE_BYTES) == 0 &&
	    fsync(state->fd) == 0)
		return 0;
	fail(path);
	if (state->fd >= 0)
		close(state->fd);
	free(state->table);
	free(state);
	return -1;
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	close(state->fd);
	free(state->table);
	free(state);
}

static int sync_db(struct peer_db *db)
{
	struct state *state = db->state;

	atomic_fetch_add(&state->syncs, 1);
	return fdatasync(state->fd) < 0 ? fail("fdatasync") : 0;
}

static int session_open(struct peer_db *db, void **ret)
{
	struct state *state = db->state;
	uint64_t keys = atomic_load(&state->keys);
	unsigned char *table;

	if (keys < db->setup.keys)
		keys = db->setup.keys;
	if (keys > state->slots) {
		table = realloc(state->table, keys * state->slot_bytes);
		if (!table)
			return fail("table");
		/* Written to, or all of it would be one page of zeros. */
		memset(table, 1, keys * state->slot_bytes);
		state->table = table;
		state->slots = keys;
	}
	*ret = state;
	return 0;
}

static void session_close(void *session)
{
	(void)session;
}

static int commit(struct state *state, size_t bytes)
{
	uint64_t end = atomic_fetch_add(&state->written, bytes) + bytes;

	if (end % FILE_BYTES < bytes && lseek(state->fd, 0, SEEK_SET) < 0)
		return fail("lseek");
	if (write(state->fd, record, bytes) != (ssize_t)bytes)
		return fail("write");
	atomic_fetch_add(&state->commits, 1);
	if (state->db->durability == PEER_FULL)
		return sync_db(state->db);
	peer_touch(state->db);
	return 0;
}

/* The last digits of a key are its number: enough to land anywhere. */
static uint64_t slot_of(const struct state *state, const struct peer_op *op)
{
	uint64_t bits;

	memcpy(&bits, op->key + op->key_bytes - sizeof(bits), sizeof(bits));
	bits ^= bits >> 29;
	bits *= 0x9e3779b97f4a7c15ull;
	bits ^= bits >> 32;
	return bits % state->slots;
}

static size_t at_most(size_t bytes, size_t max)
{
	return bytes < max ? bytes : max;
}

/* A large value comes on top of what a record has anyway. */
static int put(void *session, const struct peer_op *op)
{
	size_t bytes = op->value_bytes <= SLOT_BYTES ? 0 : op->value_bytes;

	return commit(session, at_most(RECORD_BYTES + bytes, RECORD_BYTES_MAX));
}

/* A batch has one header. */
static int put_batch(void *session, const struct peer_op *ops, size_t n)
{
	struct state *state = session;
	size_t bytes = RECORD_BYTES;

	for (size_t i = 0; i < n; i++)
		bytes += ops[i].key_bytes + ops[i].value_bytes;
	atomic_fetch_add(&state->keys, n);
	return commit(state, at_most(bytes, RECORD_BYTES_MAX));
}

/* What a store reads whose own copy is gone. */
static int get_from_file(const struct state *state, const struct peer_op *op,
			 void *into)
{
	off_t at = (off_t)(slot_of(state, op) * op->value_bytes);

	if (pread(state->fd, into, op->value_bytes, at) !=
	    (ssize_t)op->value_bytes)
		return fail("pread");
	return 0;
}

static int get(void *session, const struct peer_op *op, size_t *ret_bytes)
{
	const struct state *state = session;
	void *into = op->into ? op->into : copy;

	*ret_bytes = op->value_bytes;
	if (!op->into && op->value_bytes > sizeof(copy))
		return fail("get");
	if (state->db->setup.is_cold)
		return get_from_file(state, op, into);
	memcpy(into, state->table + slot_of(state, op) * state->slot_bytes,
	       op->value_bytes);
	if (!op->into)
		peer_consume(copy, op->value_bytes);
	return 0;
}

static void scan_piece(const struct state *state, uint64_t at, size_t n)
{
	uint64_t first = at % (state->slots - n + 1);

	memcpy(copy, state->table + first * state->slot_bytes, n * ENTRY_BYTES);
	for (size_t i = 0; i < n; i++)
		peer_consume(copy + i * ENTRY_BYTES, ENTRY_BYTES);
}

static int scan(void *session, const struct peer_op *prefix, size_t n,
		size_t *ret)
{
	struct state *state = session;

	(void)prefix;
	if (n > state->slots)
		return fail("scan");
	for (size_t at = 0; at < n; at += PEER_SCAN_MAX)
		scan_piece(state, at, at_most(n - at, PEER_SCAN_MAX));
	*ret = n;
	return 0;
}

/* There is nothing to move or to write anew. */
static int nothing(struct peer_db *db)
{
	(void)db;
	return 0;
}

/* All that was ever written, or the whole file. */
static int copy_file(const struct state *state, int to)
{
	uint64_t n = atomic_load(&state->written);
	off_t from = 0;

	if (n > FILE_BYTES)
		n = FILE_BYTES;
	while ((uint64_t)from < n)
		if (copy_file_range(state->fd, &from, to, NULL,
				    n - (uint64_t)from, 0) <= 0)
			return fail("copy");
	return fsync(to) < 0 ? fail("fsync") : 0;
}

static int backup(struct peer_db *db, const char *to, struct peer_heads *ret)
{
	char path[sizeof(db->dir) + 64];
	int rc, fd, directory;

	(void)ret;
	snprintf(path, sizeof(path), "%s/file", to);
	if (mkdir(to, 0700) < 0)
		return fail(to);
	directory = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || directory < 0)
		return fail(path);
	rc = copy_file(db->state, fd);
	if (rc == 0 && fsync(directory) < 0)
		rc = fail("fsync");
	close(fd);
	close(directory);
	return rc;
}

static void counts(struct peer_db *db, struct peer_counts *ret)
{
	struct state *state = db->state;

	ret->commits = ret->groups = atomic_load(&state->commits);
	ret->syncs = atomic_load(&state->syncs);
}

const struct peer_driver peer_bare = {
	.open = open_db,
	.close = close_db,
	.sync = sync_db,
	.session_open = session_open,
	.session_close = session_close,
	.put = put,
	.put_batch = put_batch,
	.delete = put,
	.get = get,
	.scan = scan,
	.checkpoint = sync_db,
	.backup = backup,
	.compact = nothing,
	.counts = counts,
};
