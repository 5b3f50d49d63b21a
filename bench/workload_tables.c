/*
 * Benchmark 1 (a row, keys and a query together), and a table of a million rows
 * with two secondary indexes.
 *
 * Invariants:
 * 1. Rows are loaded in the order of chance, LOAD_ROWS in a commit; the database
 *    is compacted before it is read, and its size is what it has then.
 * 2. TEAM_ROWS rows have a team in common, no two a stamp.
 * 3. Sixty-four bytes of text are different in every row.
 */
#include "files.h"
#include "tables.h"
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>

#define MIXED_OPS 40
#define MIXED_KEYS 3

#define ROWS (1u << 20)
#define LOAD_ROWS 1024
#define TEAM_ROWS 100
#define RANGE_ROWS 100
#define SELECTS 20000		/* of one row; of many, as many fewer */
#define UPDATES 5000
/* Odd, so that a product with it, cut to some bits, is a permutation. */
#define SCATTER UINT64_C(0x9e3779b97f4a7c15)

/* Rows. */

static uint64_t scatter(uint64_t i)
{
	return i * SCATTER;
}

static void row_fill(uint64_t id, struct table_row *ret)
{
	uint64_t random = scatter(id + 1);

	ret->id = (int64_t)id;
	ret->team = (int64_t)(id % (ROWS / TEAM_ROWS));
	ret->stamp = (int64_t)(random >> 1);
	for (unsigned i = 0; i < TABLE_TEXT_BYTES; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		ret->text[i] = (char)('a' + random % 16);
	}
}

/* The mixed row: its upsert, three keys and a query by key. */

struct mixed {
	struct peer_db *db;
	const struct table_driver *tables;	/* NULL: a key stands for it */
	void *session, *table;
};

static int mixed_open(struct peer_db *db, struct mixed *ret)
{
	*ret = (struct mixed){ .db = db, .tables = table_driver_of(db->peer) };
	if (db->peer->driver->session_open(db, &ret->session) < 0)
		return -1;
	return ret->tables ? ret->tables->open(db, &ret->table) : 0;
}

static void mixed_close(struct mixed *mixed)
{
	if (mixed->table)
		mixed->tables->close(mixed->table);
	mixed->db->peer->driver->session_close(mixed->session);
}

static int put_key(struct mixed *mixed, uint64_t number)
{
	static const char value[64] = { 1 };
	char key[PEER_KEY_BYTES_MAX];
	struct peer_op op = {
		.key = key,
		.key_bytes = key_format(key, "mixed:", number, 1),
		.value = value,
		.value_bytes = sizeof(value),
	};

	return mixed->db->peer->driver->put(mixed->session, &op);
}

static int mixed_do(struct mixed *mixed, unsigned i)
{
	struct table_row row;
	int rc;

	row_fill(i % 16, &row);
	rc = mixed->tables ? mixed->tables->put(mixed->table, &row, 1) :
			     put_key(mixed, i);
	for (unsigned j = 0; j < MIXED_KEYS && rc == 0; j++)
		rc = put_key(mixed, MIXED_KEYS * i + j);
	if (rc == 0 && mixed->tables)
		rc = mixed->tables->select(mixed->table, row.id);
	return rc;
}

static int run_mixed(struct peer_db *db, struct figure *ret)
{
	struct latencies latencies = { NULL, 0, 0 };
	struct mixed mixed;
	struct span span;
	int rc = mixed_open(db, &mixed);

	if (rc < 0)
		return rc;
	span = span_begin();
	for (unsigned i = 0; i < MIXED_OPS && rc == 0; i++) {
		uint64_t begin = clock_now_ns();

		rc = mixed_do(&mixed, i);
		if (rc == 0)
			rc = latencies_add(&latencies, clock_now_ns() - begin);
	}
	span_end(span, MIXED_OPS, &ret[0]);
	ret[0].value = latencies_percentile(&latencies, 0.50) / 1000;
	ret[1].value = latencies_percentile(&latencies, 0.99) / 1000;
	latencies_release(&latencies);
	mixed_close(&mixed);
	return rc;
}

/* The large table, all of which caches hold. */

static const struct peer_setup setup = {
	.memory_bytes = PEER_MEMORY_BYTES, .cache_bytes = PEER_MEMORY_BYTES / 2,
	.tree_bytes = PEER_MEMORY_BYTES,
};

enum {
	ROW_LOAD,
	ROW_SIZE,
	ROW_GET,
	ROW_SELECT,
	ROW_TEAM,
	ROW_RANGE,
	ROW_UPDATE,
};

/* Of each store: what loading gave, which is done once for all rounds. */
static struct figure loaded[PEERS][ROW_SIZE + 1];

static struct figure *loaded_of(const struct peer_db *db)
{
	return loaded[db->peer - peers];
}

static int load_rows(const struct table_driver *tables, void *table)
{
	static struct table_row rows[LOAD_ROWS];
	int rc = 0;

	for (uint64_t i = 0; i < ROWS && rc == 0; i += LOAD_ROWS) {
		for (uint64_t j = 0; j < LOAD_ROWS; j++)
			row_fill(scatter(i + j) % ROWS, &rows[j]);
		rc = tables->put(table, rows, LOAD_ROWS);
	}
	return rc;
}

/* Without a log and what is kept for a full disk, both of a constant size. */
static int stored_bytes(struct peer_db *db, double *ret)
{
	struct peer_usage usage = PEER_USAGE_UNTOLD;
	uint64_t bytes;

	if (db->peer->driver->usage(db, &usage) < 0 ||
	    files_disk_bytes(db->dir, &bytes) < 0)
		return -1;
	*ret = isnan(usage.outside) ? (double)bytes : usage.outside;
	return 0;
}

static int load(struct peer_db *db)
{
	const struct table_driver *tables = table_driver_of(db->peer);
	struct figure *figures = loaded_of(db);
	struct span span;
	double bytes;
	void *table;
	int rc = tables->open(db, &table);

	if (rc < 0)
		return rc;
	span = span_begin();
	rc = load_rows(tables, table);
	if (rc == 0)
		rc = db->peer->driver->checkpoint(db);
	span_end_rate(span, ROWS, &figures[ROW_LOAD]);
	tables->close(table);
	if (rc == 0)
		rc = db->peer->driver->compact(db);
	if (rc == 0)
		rc = stored_bytes(db, &bytes);
	if (rc == 0)
		figures[ROW_SIZE] = (struct figure){ bytes / ROWS, NAN };
	return rc;
}

struct reader {
	const struct table_driver *tables;
	void *table;
	uint64_t random;
};

static uint64_t any_row(struct reader *r)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	return (r->random >> 33) % ROWS;
}

static int do_get(struct reader *r)
{
	return r->tables->get(r->table, (int64_t)any_row(r));
}

static int do_select(struct reader *r)
{
	return r->tables->select(r->table, (int64_t)any_row(r));
}

static int count_is(size_t got, size_t least)
{
	return got >= least ? 0 : peer_fail("bench", "select", "too few rows");
}

static int do_team(struct reader *r)
{
	size_t n;
	int rc = r->tables->select_team(
		r->table, (int64_t)(any_row(r) % (ROWS / TEAM_ROWS)), &n);

	return rc < 0 ? rc : count_is(n, TEAM_ROWS);
}

static int do_range(struct reader *r)
{
	struct table_row row;
	size_t n;
	int rc;

	/* from the lower half on, so that as many are there */
	do
		row_fill(any_row(r), &row);
	while (row.stamp > INT64_MAX / 2);
	rc = r->tables->select_from(r->table, row.stamp, RANGE_ROWS, &n);
	return rc < 0 ? rc : count_is(n, RANGE_ROWS);
}

static int do_update(struct reader *r)
{
	uint64_t id = any_row(r);

	return r->tables->set_stamp(r->table, (int64_t)id,
				    (int64_t)(r->random >> 1));
}

static int measure(struct reader *r, int (*once)(struct reader *r), unsigned n,
		   struct figure *ret)
{
	struct span span = span_begin();
	int rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = once(r);
	span_end(span, n, ret);
	ret->value /= 1000;
	return rc;
}

static int run_table(struct peer_db *db, struct figure *ret)
{
	struct reader r = { .tables = table_driver_of(db->peer), .random = 1 };
	int rc = r.tables->open(db, &r.table);

	if (rc < 0)
		return rc;
	ret[ROW_LOAD] = loaded_of(db)[ROW_LOAD];
	ret[ROW_SIZE] = loaded_of(db)[ROW_SIZE];
	rc = measure(&r, do_get, SELECTS, &ret[ROW_GET]);
	if (rc == 0)
		rc = measure(&r, do_select, SELECTS, &ret[ROW_SELECT]);
	if (rc == 0)
		rc = measure(&r, do_team, SELECTS / TEAM_ROWS, &ret[ROW_TEAM]);
	if (rc == 0)
		rc = measure(&r, do_range, SELECTS / RANGE_ROWS,
			     &ret[ROW_RANGE]);
	if (rc == 0)
		rc = measure(&r, do_update, UPDATES, &ret[ROW_UPDATE]);
	r.tables->close(r.table);
	return rc;
}

#define WITH_TABLES (PEER_BIT(PEER_AEDB) | PEER_BIT(PEER_SQLITE))
#define AHEAD { BOUND_TARGET, BELOW, 1, OF_PEER, PEER_SQLITE }

const struct bench workload_tables[] = {
	{ "1", "mixed: upsert of a row, 3 keys, a query by key", PEER_FULL, 11,
	  WITH_TABLES | PEER_BIT(PEER_BARE), false, NULL, run_mixed, .rows = {
		{ "mixed, p50", "us", "4 x write() of 100 B and fdatasync",
		  NULL, {
			{ BOUND_GATE, AT_MOST, 35000, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_MOST, 1.2, OF_PEER, PEER_BARE } } },
		{ "mixed, p99", "us", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, 60000, OF_NUMBER, 0 } } },
	  } },
	{ "+", "tables: 1 M rows, two indexes", PEER_BATCH, 5,
	  WITH_TABLES, true, load, run_table, .rows = {
		[ROW_LOAD] = { "load, 1,024 rows a commit", "rows/s", NULL,
			       NULL, {
			{ BOUND_TARGET, ABOVE, 1, OF_PEER, PEER_SQLITE } } },
		[ROW_SIZE] = { "size on disk, compacted", "B/row", NULL, NULL,
			       { AHEAD } },
		[ROW_GET] = { "get by key", "us", NULL, NULL, { AHEAD } },
		[ROW_SELECT] = { "select by key", "us", NULL, NULL, { AHEAD } },
		[ROW_TEAM] = { "select 100 rows by index", "us", NULL, NULL,
			       { AHEAD } },
		[ROW_RANGE] = { "range of 100 in an index's order", "us", NULL,
				NULL, { AHEAD } },
		[ROW_UPDATE] = { "update of an indexed column", "us", NULL,
				 NULL, { AHEAD } },
	  }, .setup = &setup },
	{ 0 },
};
