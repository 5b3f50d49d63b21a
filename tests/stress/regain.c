/*
 * What comes back of the disk when most of a database is deleted:
 *
 *	regain DIR VALUE_BYTES KEYS HOW...
 *
 * HOW is any of: snapshots (named ones are made meanwhile, and deleted at the
 * end), background (nothing is called: it is left to the database), overwritten
 * (every value twice). Nine of ten keys are deleted.
 *
 * Live data is the keys and values that are left, byte for byte; the values do
 * not compress. Of the directory counts what its files occupy on the disk once
 * the database is closed. Exit status 0: it is below 1.3 times the live data.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "aedb.h"

#define TIMES_MAX 1.3
#define TIMES_WAITED_FOR 1.2	/* of segments and values: the log is there, too */
#define KEPT 10			/* one key of so many */
#define KEYS_A_COMMIT 100
#define SNAPSHOTS 4
#define VALUE_BYTES_MAX (16u << 20)
#define WAIT_S 60

struct regain {
	const char *directory;
	uint64_t value_bytes;
	uint32_t keys;
	bool has_snapshots, is_background, is_overwritten;
	struct aedb *db;
	struct aedb_scope *scope;
	unsigned int snapshots;
};

static uint8_t value[VALUE_BYTES_MAX];

static void must(int rc, const char *what)
{
	if (rc < 0) {
		fprintf(stderr, "%s: %s: %s\n", what, aedb_strerror(rc),
			aedb_error_message());
		exit(1);
	}
}

static void database_open(struct regain *r, enum aedb_open_mode mode)
{
	struct aedb_options options;

	aedb_options_init(&options);
	options.mode = mode;
	options.durability = AEDB_OS;
	options.memory_bytes = 16u << 20;
	if (r->is_background) {
		options.checkpoint_interval_s = 1;
		options.checkpoint_log_bytes = 4u << 20;
	}
	must(aedb_open(r->directory, &options, &r->db), "open");
	if (mode == AEDB_OPEN_NEW) {
		must(aedb_create(r->db, (struct aedb_place){ "p", NULL }),
		     "create");
		must(aedb_create(r->db, (struct aedb_place){ "p", "s" }),
		     "create");
	}
	must(aedb_scope_open(r->db, "p", "s", &r->scope), "open scope");
}

static void database_close(struct regain *r)
{
	aedb_scope_close(r->scope);
	must(aedb_close(r->db), "close");
}

static size_t key_make(char *key, uint32_t i)
{
	/* in no order */
	return (size_t)sprintf(key, "k%015" PRIu32, i * 2654435761u);
}

static void value_fill(uint64_t state, uint64_t n)
{
	for (uint64_t i = 0; i < n; i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(value + i, &state, sizeof(state));
	}
}

static void put(struct regain *r, struct aedb_txn *txn, uint32_t i)
{
	char key[32];
	struct aedb_put put = { .key = key,
				.value = value,
				.value_bytes = r->value_bytes };

	put.key_bytes = key_make(key, i);
	value_fill(i * UINT64_C(0x9e3779b97f4a7c15) + 1, r->value_bytes);
	must(aedb_txn_put(txn, r->scope, &put), "put");
}

static void delete(struct regain *r, struct aedb_txn *txn, uint32_t i)
{
	char key[32];
	size_t n = key_make(key, i);

	if (i % KEPT)
		must(aedb_txn_delete(txn, r->scope, key, n), "delete");
}

static void snapshot_make(struct regain *r)
{
	char name[32];

	sprintf(name, "s%u", r->snapshots++);
	must(aedb_snapshot_create(r->db, name, NULL), "create snapshot");
}

static void snapshots_delete(struct regain *r)
{
	char name[32];

	while (r->snapshots) {
		sprintf(name, "s%u", --r->snapshots);
		must(aedb_snapshot_delete(r->db, name), "delete snapshot");
	}
}

static void every_key(struct regain *r,
		      void (*act)(struct regain *, struct aedb_txn *, uint32_t))
{
	struct aedb_txn *txn;

	for (uint32_t i = 0; i < r->keys;) {
		must(aedb_txn_begin(r->db, &txn), "begin");
		do
			act(r, txn, i++);
		while (i < r->keys && i % KEYS_A_COMMIT);
		must(aedb_txn_commit(txn, NULL), "commit");
		if (r->has_snapshots && i % (r->keys / SNAPSHOTS) < KEYS_A_COMMIT)
			snapshot_make(r);
	}
}

/* Bytes on the disk. */
static uint64_t directory_bytes(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	uint64_t bytes = 0;
	char below[4096];
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] == '.' || lstat(below, &st) < 0)
			continue;
		bytes += S_ISDIR(st.st_mode) ? directory_bytes(below) :
					       (uint64_t)st.st_blocks * 512;
	}
	if (dir)
		closedir(dir);
	return bytes;
}

static uint64_t live_bytes(const struct regain *r)
{
	char key[32];
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < r->keys; i += KEPT)
		bytes += key_make(key, i) + r->value_bytes;
	return bytes;
}

static uint64_t stored_bytes(const struct regain *r)
{
	struct aedb_stats stats;

	aedb_stats(r->db, &stats);
	return stats.segment_bytes + stats.value_bytes;
}

/* Until it has happened by itself. */
static void wait_for_background(struct regain *r)
{
	const struct timespec pause = { 0, 100000000 };
	time_t end = time(NULL) + WAIT_S;

	while (time(NULL) < end &&
	       (double)stored_bytes(r) > TIMES_WAITED_FOR * (double)live_bytes(r))
		nanosleep(&pause, NULL);
}

static int work(struct regain *r)
{
	uint64_t live = live_bytes(r), before, open_bytes, closed;

	database_open(r, AEDB_OPEN_NEW);
	every_key(r, put);
	if (r->is_overwritten)
		every_key(r, put);
	must(aedb_checkpoint(r->db, NULL), "checkpoint");
	before = stored_bytes(r);
	every_key(r, delete);
	snapshots_delete(r);
	if (r->is_background)
		wait_for_background(r);
	else
		must(aedb_compact(r->db), "compact");
	open_bytes = stored_bytes(r);
	database_close(r);
	closed = directory_bytes(r->directory);
	printf("live %.2f MB, stored %.2f then %.2f MB, directory %.2f MB: %.2f times\n",
	       (double)live / 1e6, (double)before / 1e6,
	       (double)open_bytes / 1e6, (double)closed / 1e6,
	       (double)closed / (double)live);
	return (double)closed >= TIMES_MAX * (double)live;
}

/* What is left is what should be. */
static void check(struct regain *r)
{
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	uint32_t n = 0;
	char key[32];

	database_open(r, AEDB_OPEN_EXISTING);
	for (uint32_t i = 0; i < r->keys; i += KEPT) {
		must(aedb_get(r->scope, NULL, key, key_make(key, i), &entry),
		     key);
		value_fill(i * UINT64_C(0x9e3779b97f4a7c15) + 1, r->value_bytes);
		if (entry.value_bytes != r->value_bytes ||
		    memcmp(entry.value, value, r->value_bytes) != 0)
			must(AEDB_CORRUPT, key);
		aedb_unpin(&entry);
	}
	must(aedb_scan_open(r->scope, NULL, &all, &scan), "scan");
	while (aedb_scan_next(scan, &entry) == 0)
		n++;
	aedb_scan_close(scan);
	if (n != (r->keys + KEPT - 1) / KEPT)
		must(AEDB_CORRUPT, "number of keys");
	database_close(r);
}

int main(int argc, char **argv)
{
	struct regain r = { .directory = argv[1] };
	int rc;

	if (argc < 4) {
		fprintf(stderr, "usage: regain DIR VALUE_BYTES KEYS HOW...\n");
		return 2;
	}
	r.value_bytes = strtoull(argv[2], NULL, 10);
	r.keys = (uint32_t)strtoul(argv[3], NULL, 10);
	for (int i = 4; i < argc; i++) {
		r.has_snapshots |= !strcmp(argv[i], "snapshots");
		r.is_background |= !strcmp(argv[i], "background");
		r.is_overwritten |= !strcmp(argv[i], "overwritten");
	}
	rc = work(&r);
	check(&r);
	return rc;
}
