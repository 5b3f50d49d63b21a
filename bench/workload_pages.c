/*
 * Benchmark 6: 1,024 pages of 2,048 B appended one by one and in one batch to
 * page files of 4,096 B pages with 128 of them in memory; the last 128 read
 * again, and after reopening without a cache the first 128.
 *
 * Invariants:
 * 1. Nobody syncs. What is read cold comes from the system's page cache.
 * 2. The peers have no page files: they put the pages under their numbers, each
 *    in a commit of its own and all in one, and read the values in place.
 * 3. The control writes and reads the bytes of whole pages at the same places
 *    and copies what is hot. Its batch is in pieces as large as libaedb's.
 */
#include "aedb.h"
#include "workloads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES 1024
#define PAGE_BYTES 4096
#define CONTENT_BYTES 2048
#define CACHED 128
#define PIECE_PAGES 128
#define NUMBER_BYTES 8

enum {
	ROW_SINGLE,
	ROW_BATCH,
	ROW_HOT_P50,
	ROW_HOT_P99,
	ROW_COLD_P50,
	ROW_COLD_P99,
	ROW_CACHED,
};

static unsigned char contents[PAGES][CONTENT_BYTES];
static unsigned char found[PAGE_BYTES];

static void make_contents(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		memset(contents[i], (int)(i % 251), CONTENT_BYTES);
}

/* One way to keep pages. Two of them are filled: by append and by append_all. */
struct store {
	struct peer_db *db;
	void *state;		/* of libaedb, the control or the peer's session */
	int fd;
};

struct store_driver {
	int (*open)(struct store *store, const char *name);
	void (*close)(struct store *store);
	int (*append)(struct store *store, unsigned id);
	int (*append_all)(struct store *store);
	int (*read_hot)(struct store *store, unsigned id);
	/* What was filled by append_all, with nothing of it in the process. */
	int (*reopen)(struct store *store, const char *name);
	int (*read_cold)(struct store *store, unsigned id);
};

static int path_of(const struct store *store, const char *name, char *ret,
		   size_t n)
{
	if ((size_t)snprintf(ret, n, "%s/%s", store->db->dir, name) >= n)
		return peer_fail("bench", name, "path too long");
	return 0;
}

/* libaedb. */

static int aedb_fail(const char *what)
{
	return peer_fail("aedb", what, aedb_error_message());
}

static int pages_open(struct store *store, const char *name, unsigned cached)
{
	struct aedb_pages_options options = { PAGE_BYTES, cached };
	struct aedb_pages *pages;
	char path[600];

	if (path_of(store, name, path, sizeof(path)) < 0)
		return -1;
	if (aedb_pages_open(path, &options, &pages) < 0)
		return aedb_fail(path);
	store->state = pages;
	return 0;
}

static int aedb_open_pages(struct store *store, const char *name)
{
	return pages_open(store, name, CACHED);
}

static void aedb_close_pages(struct store *store)
{
	aedb_pages_close(store->state);
}

static int aedb_append(struct store *store, unsigned id)
{
	uint64_t got;

	if (aedb_pages_append(store->state, contents[id], CONTENT_BYTES, &got) < 0)
		return aedb_fail("append");
	return got == id ? 0 : peer_fail("aedb", "append", "wrong number");
}

static int aedb_append_all(struct store *store)
{
	struct aedb_bytes bytes[PAGES];
	uint64_t first;

	for (unsigned i = 0; i < PAGES; i++)
		bytes[i] = (struct aedb_bytes){ contents[i], CONTENT_BYTES };
	if (aedb_pages_append_many(store->state, bytes, PAGES, &first) < 0)
		return aedb_fail("append_many");
	if (first != 0 || aedb_pages_count(store->state) != PAGES)
		return peer_fail("aedb", "append_many", "wrong numbers");
	return 0;
}

static int aedb_read(struct store *store, unsigned id)
{
	size_t n;

	if (aedb_pages_read(store->state, id, found, sizeof(found), &n) < 0)
		return aedb_fail("read");
	if (n != CONTENT_BYTES || found[0] != contents[id][0] ||
	    found[n - 1] != contents[id][0])
		return peer_fail("aedb", "read", "another page");
	return 0;
}

static int aedb_reopen(struct store *store, const char *name)
{
	aedb_pages_close(store->state);
	store->state = NULL;
	return pages_open(store, name, 0);
}

static const struct store_driver aedb_store = {
	.open = aedb_open_pages, .close = aedb_close_pages,
	.append = aedb_append, .append_all = aedb_append_all,
	.read_hot = aedb_read, .reopen = aedb_reopen, .read_cold = aedb_read,
};

/* The control. */

static int bare_fail(const char *what)
{
	return peer_fail("control", what, strerror(errno));
}

static int bare_open(struct store *store, const char *name)
{
	char path[600];

	if (path_of(store, name, path, sizeof(path)) < 0)
		return -1;
	store->state = calloc(PIECE_PAGES, PAGE_BYTES);
	store->fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (!store->state || store->fd < 0)
		return bare_fail(path);
	return 0;
}

static void bare_close(struct store *store)
{
	if (store->fd >= 0)
		close(store->fd);
	free(store->state);
}

static int bare_write(struct store *store, unsigned first, unsigned n)
{
	size_t bytes = (size_t)n * PAGE_BYTES;
	off_t at = (off_t)(first + 1) * PAGE_BYTES;

	if (pwrite(store->fd, store->state, bytes, at) != (ssize_t)bytes)
		return bare_fail("pwrite");
	return 0;
}

static int bare_append(struct store *store, unsigned id)
{
	return bare_write(store, id, 1);
}

static int bare_append_all(struct store *store)
{
	for (unsigned i = 0; i < PAGES; i += PIECE_PAGES)
		if (bare_write(store, i, PIECE_PAGES) < 0)
			return -1;
	return 0;
}

static int bare_copy(struct store *store, unsigned id)
{
	(void)store;
	memcpy(found, contents[id], CONTENT_BYTES);
	peer_consume(found, CONTENT_BYTES);
	return 0;
}

static int bare_reopen(struct store *store, const char *name)
{
	bare_close(store);
	return bare_open(store, name);
}

static int bare_read(struct store *store, unsigned id)
{
	off_t at = (off_t)(id + 1) * PAGE_BYTES;

	if (pread(store->fd, found, PAGE_BYTES, at) != PAGE_BYTES)
		return bare_fail("pread");
	peer_consume(found, PAGE_BYTES);
	return 0;
}

static const struct store_driver bare_store = {
	.open = bare_open, .close = bare_close,
	.append = bare_append, .append_all = bare_append_all,
	.read_hot = bare_copy, .reopen = bare_reopen, .read_cold = bare_read,
};

/* The peers: single pages in one space, the batch in the other. */

static int peer_open_pages(struct store *store, const char *name)
{
	(void)name;
	return store->db->peer->driver->session_open(store->db, &store->state);
}

static void peer_close_pages(struct store *store)
{
	if (store->state)
		store->db->peer->driver->session_close(store->state);
}

/* Big endian: in the order in which they are put. */
static struct peer_op op_of(unsigned space, unsigned id, char *key)
{
	memset(key, 0, NUMBER_BYTES);
	key[NUMBER_BYTES - 2] = (char)(id >> 8);
	key[NUMBER_BYTES - 1] = (char)id;
	return (struct peer_op){
		.space = space, .key = key, .key_bytes = NUMBER_BYTES,
		.value = contents[id], .value_bytes = CONTENT_BYTES,
	};
}

static int peer_append(struct store *store, unsigned id)
{
	char key[NUMBER_BYTES];
	struct peer_op op = op_of(0, id, key);

	return store->db->peer->driver->put(store->state, &op);
}

static int peer_append_all(struct store *store)
{
	static char keys[PAGES][NUMBER_BYTES];
	static struct peer_op ops[PAGES];

	for (unsigned i = 0; i < PAGES; i++)
		ops[i] = op_of(1, i, keys[i]);
	return store->db->peer->driver->put_batch(store->state, ops, PAGES);
}

static int peer_read(struct store *store, unsigned id)
{
	char key[NUMBER_BYTES];
	struct peer_op op = op_of(1, id, key);
	size_t bytes;

	if (store->db->peer->driver->get(store->state, &op, &bytes) < 0)
		return -1;
	if (bytes != CONTENT_BYTES)
		return peer_fail("bench", "get", "wrong length");
	return 0;
}

static const struct store_driver peer_store = {
	.open = peer_open_pages, .close = peer_close_pages,
	.append = peer_append, .append_all = peer_append_all,
	.read_hot = peer_read,
};

/* What is measured of all of them. */

static int measure_single(const struct store_driver *driver, struct store *store,
			  struct figure *ret)
{
	struct span span = span_begin();

	for (unsigned i = 0; i < PAGES; i++)
		if (driver->append(store, i) < 0)
			return -1;
	span_end(span, PAGES, ret);
	ret->value /= 1000;
	return 0;
}

static int measure_batch(const struct store_driver *driver, struct store *store,
			 struct figure *ret)
{
	struct span span = span_begin();

	if (driver->append_all(store) < 0)
		return -1;
	span_end(span, PAGES, ret);
	ret->value /= 1000;
	return 0;
}

/* As many pages as are cached, `first` and those that follow it by `step`. */
static int measure_reads(int (*read)(struct store *store, unsigned id),
			 struct store *store, unsigned first, int step,
			 struct figure *ret)
{
	struct latencies latencies = { NULL, 0, 0 };
	int rc = 0;

	for (int i = 0; i < CACHED && rc == 0; i++) {
		unsigned id = (unsigned)((int)first + i * step);
		uint64_t begin = clock_now_ns();

		rc = read(store, id);
		if (rc == 0)
			rc = latencies_add(&latencies, clock_now_ns() - begin);
	}
	ret[0].value = latencies_percentile(&latencies, 0.50);
	ret[1].value = latencies_percentile(&latencies, 0.99);
	latencies_release(&latencies);
	return rc;
}

static int run_single(const struct store_driver *driver, struct store *store,
		      struct figure *ret)
{
	int rc = driver->open(store, "single.pages");

	if (rc == 0)
		rc = measure_single(driver, store, &ret[ROW_SINGLE]);
	driver->close(store);
	return rc;
}

static int run_batch(const struct store_driver *driver, struct store *store,
		     struct figure *ret)
{
	static const char name[] = "batch.pages";
	int rc = driver->open(store, name);

	if (rc == 0)
		rc = measure_batch(driver, store, &ret[ROW_BATCH]);
	if (rc == 0 && driver == &aedb_store)
		ret[ROW_CACHED].value = (double)aedb_pages_cached(store->state);
	if (rc == 0)
		rc = measure_reads(driver->read_hot, store, PAGES - 1, -1,
				   &ret[ROW_HOT_P50]);
	if (rc == 0 && driver->reopen) {
		rc = driver->reopen(store, name);
		if (rc == 0)
			rc = measure_reads(driver->read_cold, store, 0, 1,
					   &ret[ROW_COLD_P50]);
	}
	driver->close(store);
	return rc;
}

static int run_pages(struct peer_db *db, struct figure *ret)
{
	const struct store_driver *driver = &peer_store;
	struct store single = { .db = db, .fd = -1 }, batch = single;

	if (db->peer == &peers[PEER_AEDB])
		driver = &aedb_store;
	else if (db->peer == &peers[PEER_BARE])
		driver = &bare_store;
	make_contents();
	if (run_single(driver, &single, ret) < 0)
		return -1;
	return run_batch(driver, &batch, ret);
}

#define ABOVE_ZERO { BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 }

const struct bench workload_pages[] = {
	{ "6", "page file of 1,024 pages", PEER_OS, 9, PEERS_ALL, false, NULL,
	  run_pages, .rows = {
		{ "append a page of 2 KiB", "us",
		  "pwrite of 4 KiB, of 512 KiB; memcpy of 2 KiB; pread of 4 KiB",
		  NULL, {
			ABOVE_ZERO,
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_LMDB },
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_WIREDTIGER } } },
		{ "append 1,024 at once, a page", "us", NULL, "1.3", {
			ABOVE_ZERO,
			{ BOUND_GATE, BELOW, 1, OF_ROW, ROW_SINGLE },
			{ BOUND_TARGET, AT_MOST, 1.5, OF_NUMBER, 0 } } },
		{ "read of the last 128, p50", "ns", NULL, NULL, { ABOVE_ZERO } },
		{ "read of the last 128, p99", "ns", NULL, NULL, { ABOVE_ZERO } },
		{ "reopened, of the first 128, p50", "ns", NULL, NULL,
		  { ABOVE_ZERO } },
		{ "reopened, of the first 128, p99", "ns", NULL, NULL,
		  { ABOVE_ZERO } },
		{ "pages in memory", "pages", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, CACHED, OF_NUMBER, 0 } } },
	  } },
	{ 0 },
};
