/*
 * Backups of a database of 1 GiB: what an incremental one copies, how fast a full
 * one is restored, and what making one costs who commits and reads beside it.
 *
 * Invariants:
 * 1. The control is cp -a of the same files, and sync -f of what it made: a
 *    backup and a restored database are on the disk when they are said to be.
 *    It makes no checksum and verifies none.
 * 2. Which of the two comes first changes from round to round. What others left
 *    to be written is written before a span begins.
 * 3. CPU time is that of the calling process or of the programs it ran.
 * 4. Before a restore or its control the same files were copied and removed: a
 *    virtual machine's host takes back memory that is free for seconds, and who
 *    is first to use it again would pay for that, which is more than all else.
 */
#include "aedb.h"
#include "aedb_backup.h"
#include "files.h"
#include "workloads.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 262144u
#define VALUE_BYTES 4096u
#define CHANGED_PERCENT 1
#define ROUNDS 3
#define BATCH 64u
#define PATH_BYTES 600
#define COMMAND_BYTES (3 * PATH_BYTES)
#define ALONE_NS 1000000000u
#define MIB 1048576.0

enum {
	ROW_SHARE,
	ROW_INCREMENTAL,
	ROW_RESTORE,
	ROW_COPY,
	ROW_RESTORE_CPU,
	ROW_COPY_CPU,
};

enum {
	ROW_FULL,
	ROW_CP,
	ROW_COMMITS,
	ROW_COMMITS_BACKUP,
	ROW_COMMITS_CP,
	ROW_GETS,
	ROW_GETS_BACKUP,
	ROW_GETS_CP,
};

/* Beside the benchmark's database, which stays empty: no database lies in another.
 * The last round removes all of it. */
static struct {
	struct aedb *db;
	struct aedb_scope *scope;
	uint64_t random;
	unsigned rounds;
	char dir[PATH_BYTES];
} big;

static int aedb_fail(const char *what)
{
	return peer_fail("aedb", what, aedb_error_message());
}

static const char *path_of(const char *name, char *ret)
{
	snprintf(ret, PATH_BYTES, "%.500s/%s", big.dir, name);
	return ret;
}

static uint64_t random_next(void)
{
	big.random ^= big.random << 13;
	big.random ^= big.random >> 7;
	big.random ^= big.random << 17;
	return big.random;
}

/* Loading. */

static int key_put(struct aedb_txn *txn, unsigned key)
{
	uint64_t value[VALUE_BYTES / sizeof(uint64_t)];
	char name[PEER_KEY_BYTES_MAX];
	struct aedb_put put = {
		.key = name, .key_bytes = key_format(name, "copied:", key, 9),
		.value = value, .value_bytes = sizeof(value),
	};

	for (size_t i = 0; i < VALUE_BYTES / sizeof(uint64_t); i++)
		value[i] = random_next();
	return aedb_txn_put(txn, big.scope, &put);
}

/* Keys from `first` on, or, of all keys, some by chance. */
static int batch_put(unsigned first)
{
	struct aedb_txn *txn;
	int rc = aedb_txn_begin(big.db, &txn);

	if (rc < 0)
		return aedb_fail("begin");
	for (unsigned i = 0; i < BATCH && rc == 0; i++)
		rc = key_put(txn, first < KEYS ? first + i :
					  (unsigned)(random_next() % KEYS));
	if (rc == 0)
		rc = aedb_txn_commit(txn, NULL);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc < 0 ? aedb_fail("commit") : 0;
}

static int make_place(const char *project, const char *scope)
{
	int rc = aedb_create(big.db, (struct aedb_place){ project, scope });

	return rc < 0 && rc != AEDB_EXISTS ? aedb_fail("create") : 0;
}

static int open_big(void)
{
	struct aedb_options options;
	char path[PATH_BYTES];

	aedb_options_init(&options);
	options.mode = AEDB_OPEN_CREATE;
	options.durability = AEDB_BATCH;
	if (aedb_open(path_of("big", path), &options, &big.db) < 0)
		return aedb_fail("open");
	if (make_place("bench", NULL) < 0 || make_place("bench", "app") < 0)
		return -1;
	if (aedb_scope_open(big.db, "bench", "app", &big.scope) < 0)
		return aedb_fail("scope");
	return 0;
}

static int close_big(void)
{
	aedb_scope_close(big.scope);
	return aedb_close(big.db) < 0 ? aedb_fail("close") : 0;
}

static int backup(enum aedb_backup_kind kind, const char *to, const char *name,
		  struct aedb_backup_info *ret)
{
	struct aedb_backup_options options = { .kind = kind, .name = name };
	char path[PATH_BYTES];

	if (aedb_backup(big.db, path_of(to, path), &options, ret) < 0)
		return aedb_fail("backup");
	return 0;
}

static int fill(void)
{
	struct aedb_backup_info info;
	aedb_seq_t seq;

	for (unsigned i = 0; i < KEYS; i += BATCH)
		if (batch_put(i) < 0)
			return -1;
	if (aedb_checkpoint(big.db, &seq) < 0 || aedb_compact(big.db) < 0)
		return aedb_fail("checkpoint");
	return backup(AEDB_BACKUP_FULL, "backups", "full", &info);
}

/* It is open while something is done with it only. */
static int with_big(int (*work)(struct figure *ret), struct figure *ret)
{
	int rc = open_big();

	if (rc < 0)
		return rc;
	rc = work(ret);
	if (close_big() < 0)
		rc = -1;
	if (big.rounds == ROUNDS)
		peer_remove_tree(big.dir);
	return rc;
}

static int load(struct peer_db *db)
{
	int rc;

	big.random = 0x9e3779b97f4a7c15u;
	big.rounds = 0;
	snprintf(big.dir, sizeof(big.dir), "%.500s.copies", db->dir);
	if (mkdir(big.dir, 0700) < 0)
		return peer_fail("bench", big.dir, strerror(errno));
	if (open_big() < 0)
		return -1;
	rc = fill();
	return close_big() < 0 ? -1 : rc;
}

/* Measuring. */

static uint64_t cpu_ns(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		       1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

struct cost {
	double ms, cpu_ms;
};

typedef int step(const char *from, const char *to);

/* Makes `to`, costs what it costs, and removes it. */
static int measure(step *run, const char *from, const char *to, struct cost *ret)
{
	char from_path[PATH_BYTES], to_path[PATH_BYTES];
	uint64_t cpu, begin;
	int rc;

	path_of(from, from_path);
	path_of(to, to_path);
	sync();
	cpu = cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN);
	begin = clock_now_ns();
	rc = run(from_path, to_path);
	ret->ms = (double)(clock_now_ns() - begin) / 1e6;
	ret->cpu_ms = (double)(cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN) -
			       cpu) / 1e6;
	peer_remove_tree(to_path);
	return rc;
}

static int run_cp(const char *from, const char *to)
{
	char command[COMMAND_BYTES];

	snprintf(command, sizeof(command), "cp -a '%s' '%s' && sync -f '%s'", from,
		 to, to);
	return system(command) == 0 ? 0 : peer_fail("control", command, "failed");
}

/* Of a database that is written to: files that go meanwhile are passed over. */
static int run_cp_beside(const char *from, const char *to)
{
	char command[COMMAND_BYTES];

	snprintf(command, sizeof(command),
		 "cp -a '%s' '%s' 2>/dev/null; sync -f '%s'", from, to, to);
	return system(command) == 0 ? 0 : peer_fail("control", command, "failed");
}

static int run_restore(const char *from, const char *to)
{
	struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };

	if (aedb_restore(&from, 1, to, &options, NULL) < 0)
		return aedb_fail("restore");
	return 0;
}

static int run_full(const char *from, const char *to)
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL };

	(void)from;
	if (aedb_backup(big.db, to, &options, NULL) < 0)
		return aedb_fail("backup");
	return 0;
}

static int measure_warm(step *run, const char *to, struct cost *ret)
{
	struct cost unused;

	if (measure(run_cp, "backups/full", "unused", &unused) < 0)
		return -1;
	return measure(run, "backups/full", to, ret);
}

/* Both of the same files, in turns. */
static int restore_and_copy(struct figure *ret)
{
	bool is_turned = big.rounds++ % 2;
	struct cost restore, copy;
	char path[PATH_BYTES];
	uint64_t bytes;

	if ((is_turned && measure_warm(run_cp, "copy", &copy) < 0) ||
	    measure_warm(run_restore, "restored", &restore) < 0 ||
	    (!is_turned && measure_warm(run_cp, "copy", &copy) < 0) ||
	    files_disk_bytes(path_of("backups/full", path), &bytes) < 0)
		return -1;
	ret[ROW_RESTORE].value = (double)bytes / MIB / restore.ms * 1e3;
	ret[ROW_COPY].value = (double)bytes / MIB / copy.ms * 1e3;
	ret[ROW_RESTORE_CPU].value = restore.cpu_ms;
	ret[ROW_COPY_CPU].value = copy.cpu_ms;
	return 0;
}

static int change_and_copy(struct figure *ret)
{
	struct aedb_backup_info info;
	char path[PATH_BYTES], name[PEER_KEY_BYTES_MAX];
	uint64_t begin, bytes;

	for (unsigned i = 0; i < KEYS * CHANGED_PERCENT / 100; i += BATCH)
		if (batch_put(KEYS) < 0)
			return -1;
	name[key_format(name, "more-", big.rounds, 1)] = '\0';
	begin = clock_now_ns();
	if (backup(AEDB_BACKUP_INCREMENTAL, "backups", name, &info) < 0 ||
	    files_disk_bytes(path_of("backups/full", path), &bytes) < 0)
		return -1;
	ret[ROW_INCREMENTAL].value = (double)(clock_now_ns() - begin) / 1e6;
	ret[ROW_SHARE].value = 100.0 * (double)info.stored_bytes / (double)bytes;
	return restore_and_copy(ret);
}

/* Beside others. */

struct busy {
	pthread_t writer, reader;
	atomic_bool is_over;		/* atomic */
	atomic_bool has_failed;		/* atomic */
	uint64_t begin_ns, commits, gets;
};

static void *write_on(void *arg)
{
	struct busy *busy = arg;
	char value[100] = "", name[PEER_KEY_BYTES_MAX];

	while (!atomic_load(&busy->is_over)) {
		size_t n = key_format(name, "busy:", busy->commits++ % 10000, 5);

		if (aedb_put(big.scope, name, n, value, sizeof(value)) < 0) {
			aedb_fail("put");
			atomic_store(&busy->has_failed, true);
			break;
		}
	}
	return NULL;
}

static void *read_on(void *arg)
{
	struct busy *busy = arg;
	char name[PEER_KEY_BYTES_MAX];
	struct aedb_entry entry;
	uint64_t at = 1;

	while (!atomic_load(&busy->is_over)) {
		size_t n = key_format(name, "copied:", at % KEYS, 9);

		at = at * 6364136223846793005u + 1442695040888963407u;
		if (aedb_get(big.scope, NULL, name, n, &entry) < 0) {
			aedb_fail("get");
			atomic_store(&busy->has_failed, true);
			break;
		}
		peer_consume(entry.value, entry.value_bytes);
		aedb_unpin(&entry);
		busy->gets++;
	}
	return NULL;
}

static int busy_begin(struct busy *busy)
{
	*busy = (struct busy){ .begin_ns = clock_now_ns() };
	if (pthread_create(&busy->writer, NULL, write_on, busy) != 0 ||
	    pthread_create(&busy->reader, NULL, read_on, busy) != 0)
		abort();
	return 0;
}

/* Both rates, a second. */
static int busy_end(struct busy *busy, struct figure *ret_commits,
		    struct figure *ret_gets)
{
	double seconds;

	atomic_store(&busy->is_over, true);
	pthread_join(busy->writer, NULL);
	pthread_join(busy->reader, NULL);
	seconds = (double)(clock_now_ns() - busy->begin_ns) / 1e9;
	ret_commits->value = (double)busy->commits / seconds;
	ret_gets->value = (double)busy->gets / seconds;
	return atomic_load(&busy->has_failed) ? -1 : 0;
}

static int beside(step *run, const char *to, struct figure *ret, unsigned row)
{
	struct busy busy;
	struct cost cost;
	int rc;

	busy_begin(&busy);
	rc = measure(run, "big", to, &cost);
	if (busy_end(&busy, &ret[ROW_COMMITS + row], &ret[ROW_GETS + row]) < 0)
		rc = -1;
	ret[ROW_FULL + row - 1].value = cost.ms;
	return rc;
}

static int alone(struct figure *ret)
{
	struct timespec second = { ALONE_NS / 1000000000u, 0 };
	struct busy busy;

	busy_begin(&busy);
	nanosleep(&second, NULL);
	return busy_end(&busy, &ret[ROW_COMMITS], &ret[ROW_GETS]);
}

static int alone_and_beside(struct figure *ret)
{
	bool is_turned = big.rounds++ % 2;

	if (alone(ret) < 0 ||
	    (is_turned && beside(run_cp_beside, "copy", ret, 2) < 0) ||
	    beside(run_full, "more", ret, 1) < 0 ||
	    (!is_turned && beside(run_cp_beside, "copy", ret, 2) < 0))
		return -1;
	return 0;
}

static int run_copies(struct peer_db *db, struct figure *ret)
{
	(void)db;
	return with_big(change_and_copy, ret);
}

static int run_beside(struct peer_db *db, struct figure *ret)
{
	(void)db;
	return with_big(alone_and_beside, ret);
}

const struct bench workload_copies[] = {
	{ "+", "backup of 1 GiB, incremental, and restore", PEER_OS, ROUNDS,
	  PEER_BIT(PEER_AEDB), true, load, run_copies, .rows = {
		{ "incremental after changing 1 %", "% copied", NULL, NULL, {
			{ BOUND_TARGET, BELOW, 5, OF_NUMBER, 0 } } },
		{ "incremental", "ms", NULL, NULL, { { 0 } } },
		{ "restore", "MiB/s", NULL, NULL, {
			{ BOUND_TARGET, AT_LEAST, 0.5, OF_ROW, ROW_COPY } } },
		{ "cp -a, sync -f", "MiB/s", NULL, NULL, { { 0 } } },
		{ "restore, CPU", "ms", NULL, NULL, {
			{ BOUND_TARGET, AT_MOST, 2, OF_ROW, ROW_COPY_CPU } } },
		{ "cp -a, sync -f, CPU", "ms", NULL, NULL, { { 0 } } },
	  } },
	{ "+", "backup of 1 GiB beside commits and reads", PEER_OS, ROUNDS,
	  PEER_BIT(PEER_AEDB), true, load, run_beside, .rows = {
		{ "full backup", "ms", NULL, NULL, { { 0 } } },
		{ "cp -a, sync -f", "ms", NULL, NULL, { { 0 } } },
		{ "commits alone", "1/s", NULL, NULL, { { 0 } } },
		{ "commits beside the backup", "1/s", NULL, NULL, {
			{ BOUND_TARGET, AT_LEAST, 1, OF_ROW, ROW_COMMITS_CP } } },
		{ "commits beside cp -a", "1/s", NULL, NULL, { { 0 } } },
		{ "gets alone", "1/s", NULL, NULL, { { 0 } } },
		{ "gets beside the backup", "1/s", NULL, NULL, {
			{ BOUND_TARGET, AT_LEAST, 1, OF_ROW, ROW_GETS_CP } } },
		{ "gets beside cp -a", "1/s", NULL, NULL, { { 0 } } },
	  } },
	{ 0 },
};
