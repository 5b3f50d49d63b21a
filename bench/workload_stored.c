/*
 * The benchmarks of a stored dataset as tables: of 1 M keys for every run, of
 * 10 M for `make bench-big`. Both do the same; the targets are for 10 M, and
 * those that grow with the number of keys are a tenth for 1 M.
 *
 * LMDB with MDB_WRITEMAP and WiredTiger with its log in memory have no part:
 * what the one writes cannot be counted, and the other one's log is not there
 * after a kill -9. SQLite and WiredTiger are not loaded with 10 M commits, which
 * takes them longer than everything else together.
 */
#include "dataset.h"
#include "workloads.h"

#define STORES (PEER_BIT(PEER_AEDB) | PEER_BIT(PEER_LMDB) | \
		PEER_BIT(PEER_ROCKSDB))
#define SQLITE PEER_BIT(PEER_SQLITE)
#define WIREDTIGER PEER_BIT(PEER_WIREDTIGER)
#define CONTROL PEER_BIT(PEER_BARE)
#define INDEXED (PEER_BIT(PEER_AEDB) | PEER_BIT(PEER_ROCKSDB))

#define OWN(sense, value) { BOUND_TARGET, sense, value, OF_NUMBER, 0 }
#define OF_STORE(sense, value, peer) \
	{ BOUND_TARGET, sense, value, OF_PEER, peer }

/* millions: of keys. */
#define LOAD_ROWS(millions) {						\
	{ "load, CPU", "s", "write() of 100 B a key", NULL, {		\
		OWN(AT_MOST, 4.5 * millions),				\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } },			\
	{ "load", "s", NULL, NULL, { { 0 } } },				\
	{ "written / user's bytes", "x", NULL, NULL, { { 0 } } },	\
	{ "the same without the log", "x", NULL, NULL, {		\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } },			\
	{ "disk after the load", "MiB", NULL, NULL, {			\
		OWN(AT_MOST, 15 * millions) } },			\
	{ "disk after compaction", "MiB", NULL, NULL, {			\
		OWN(AT_MOST, 15 * millions) } },			\
	{ "compaction, CPU", "s", NULL, NULL, { { 0 } } } }

#define OVERWRITE_ROWS {						\
	{ "overwrites, CPU", "s", NULL, NULL, {				\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } },			\
	{ "overwrites", "s", NULL, NULL, { { 0 } } },			\
	{ "written / user's bytes", "x", NULL, NULL, { { 0 } } },	\
	{ "the same without the log", "x", NULL, NULL, {		\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } },			\
	{ "disk after overwrites", "MiB", NULL, NULL, { { 0 } } },	\
	{ "that / disk after compaction", "x", NULL, NULL, {		\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } } }

#define OPEN_ROWS {							\
	{ "open after kill -9, new keys", "ms", NULL, NULL, {		\
		OWN(AT_MOST, 300),					\
		OF_STORE(BELOW, 1, PEER_ROCKSDB) } },			\
	{ "open after kill -9, overwrites", "ms", NULL, NULL, {		\
		OWN(AT_MOST, 300) } },					\
	{ "open after a close", "ms", NULL, NULL, { OWN(AT_MOST, 5) } } }

#define CACHED_ROWS {							\
	{ "cached get, p50", "ns", "memcpy of a value", NULL, {		\
		OWN(AT_MOST, 1500) } },					\
	{ "cached get, p99", "ns", NULL, NULL, { { 0 } } },		\
	{ "cached get, in a loop", "ns/op", NULL, NULL, { { 0 } } } }

#define COLD_ROWS {							\
	{ "get past memory, p50", "us", NULL, NULL, {			\
		{ BOUND_TARGET, AT_MOST, 1.3, OF_ROW, 2 } } },		\
	{ "get past memory, p90", "us", NULL, NULL, { { 0 } } },	\
	{ "control: 4 KiB of its files, p50", "us", NULL, NULL,		\
	  { { 0 } } },							\
	{ "control: 4 KiB of its files, p90", "us", NULL, NULL,		\
	  { { 0 } } } }

#define SCAN_ROWS {							\
	{ "scan of all", "M rows/s", "memcpy of all", NULL, {		\
		OWN(AT_LEAST, 14) } } }

#define INDEX_ROWS {							\
	{ "memory a key, opened", "B", NULL, NULL, {			\
		OWN(AT_MOST, 2) } },					\
	{ "memory a key, after 10,000 gets", "B", NULL, NULL, {		\
		OWN(AT_MOST, 2) } } }

#define SNAPSHOT_ROWS {							\
	{ "snapshot, open and close", "ns", NULL, NULL, {		\
		OWN(AT_MOST, 50) } } }

const struct bench workload_stored_1m[] = {
	{ "+", "1 M keys, load in random order", PEER_OS, 3,
	  STORES | SQLITE | WIREDTIGER | CONTROL, .run = stored_load,
	  .rows = LOAD_ROWS(1), .data = &dataset_1m, .makes_data = true },
	{ "+", "1 M keys, get through a cache of 64 MiB", PEER_OS, 5,
	  STORES | SQLITE | WIREDTIGER | CONTROL, .run = stored_get_cached,
	  .rows = CACHED_ROWS, .data = &dataset_1m },
	{ "+", "1 M keys, scan", PEER_OS, 5,
	  STORES | SQLITE | WIREDTIGER | CONTROL,
	  .run = stored_scan, .rows = SCAN_ROWS, .data = &dataset_1m },
	{ "+", "1 M keys, get with the database larger than memory", PEER_OS,
	  5, STORES | SQLITE | WIREDTIGER, .run = stored_get_cold,
	  .rows = COLD_ROWS, .data = &dataset_1m },
	{ "+", "1 M keys, memory of what lies in files", PEER_OS, 1, INDEXED,
	  .run = stored_index, .rows = INDEX_ROWS, .data = &dataset_1m },
	{ "+", "1 M keys, snapshot", PEER_OS, 5, STORES | WIREDTIGER,
	  .run = stored_snapshot, .rows = SNAPSHOT_ROWS,
	  .data = &dataset_1m },
	{ "+", "1 M keys, open", PEER_OS, 3,
	  STORES | SQLITE | WIREDTIGER,
	  .run = stored_open, .rows = OPEN_ROWS, .data = &dataset_1m },
	{ "+", "1 M keys, overwrites in another order", PEER_OS, 3,
	  STORES | WIREDTIGER,
	  .run = stored_overwrite, .rows = OVERWRITE_ROWS,
	  .data = &dataset_1m },
	{ 0 },
};

const struct bench workload_stored_10m[] = {
	{ "+", "10 M keys, load in random order", PEER_OS, 1,
	  STORES | CONTROL, .run = stored_load,
	  .rows = LOAD_ROWS(10), .data = &dataset_10m, .makes_data = true },
	{ "+", "10 M keys, get through a cache of 64 MiB", PEER_OS, 5,
	  STORES | CONTROL, .run = stored_get_cached,
	  .rows = CACHED_ROWS, .data = &dataset_10m },
	{ "+", "10 M keys, scan", PEER_OS, 5, STORES | CONTROL,
	  .run = stored_scan, .rows = SCAN_ROWS, .data = &dataset_10m },
	{ "+", "10 M keys, get with the database larger than memory", PEER_OS,
	  5, STORES, .run = stored_get_cold, .rows = COLD_ROWS,
	  .data = &dataset_10m },
	{ "+", "10 M keys, memory of what lies in files", PEER_OS, 1, INDEXED,
	  .run = stored_index, .rows = INDEX_ROWS, .data = &dataset_10m },
	{ "+", "10 M keys, snapshot", PEER_OS, 5, STORES,
	  .run = stored_snapshot, .rows = SNAPSHOT_ROWS,
	  .data = &dataset_10m },
	{ "+", "10 M keys, open", PEER_OS, 3, STORES,
	  .run = stored_open, .rows = OPEN_ROWS, .data = &dataset_10m },
	{ "+", "10 M keys, overwrites in another order", PEER_OS, 1, STORES,
	  .run = stored_overwrite, .rows = OVERWRITE_ROWS,
	  .data = &dataset_10m },
	{ 0 },
};
