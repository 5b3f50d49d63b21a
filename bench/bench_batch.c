/*
 * The benchmark of a batch's commit: very many new keys committed at once, by a
 * transaction of the library and by a batch in a mount.
 *
 *	bench_batch [options] --library=DIR NAME[@PID]=MOUNT
 *
 * The library makes a database of its own in DIR. Rounds are interleaved: a
 * transaction of so many new keys, then a batch of as many, which is filled
 * through the mount, and whose commit is measured. A figure is the median of the
 * rounds', a ratio that of each round's own. With @PID the daemon's CPU time
 * counts: up to the command's reply, and until the daemon has done what is left of
 * the batch. Nothing timed decides the exit status.
 */
#include "client.h"

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aedb.h"

#define ROUNDS_MAX 64
#define VALUE_BYTES 100
#define ATTR_BYTES 8
#define LIMIT 1.5
/* The daemon has done what is left when so long nothing of it ran. */
#define QUIET_NS 300000000u
#define QUIET_STEP_US 20000

enum row {
	LIBRARY_COMMIT,		/* of the transaction */
	LIBRARY_ALL,		/* with its puts */
	BATCH_REPLY,
	BATCH_ALL,
	ROWS,
};

static const char *const row_names[ROWS] = {
	[LIBRARY_COMMIT] = "library, commit",
	[LIBRARY_ALL] = "library, transaction",
	[BATCH_REPLY] = "batch, to the reply",
	[BATCH_ALL] = "batch, with what follows",
};

struct figure {
	double wall_ms, cpu_ms;
};

struct bench {
	struct client_where at;
	const char *library;
	struct aedb *db;
	struct aedb_scope *scope;
	unsigned rounds, keys;
	struct client_setup setup;
	struct figure figures[ROWS][ROUNDS_MAX];
};

struct moment {
	uint64_t wall_ns, cpu_ns;
};

static char value[VALUE_BYTES];

static uint64_t daemon_ns(const struct bench *b)
{
	clockid_t daemon;

	if (!b->at.pid)
		return 0;
	if (clock_getcpuclockid(b->at.pid, &daemon) != 0)
		client_die("%s: no process %d", b->at.name, (int)b->at.pid);
	return client_clock_ns(daemon);
}

static struct moment now(const struct bench *b)
{
	return (struct moment){ client_wall_ns(), daemon_ns(b) +
			client_clock_ns(CLOCK_PROCESS_CPUTIME_ID) };
}

static struct figure since(const struct bench *b, struct moment start)
{
	struct moment end = now(b);

	return (struct figure){ (double)(end.wall_ns - start.wall_ns) / 1e6,
				(double)(end.cpu_ns - start.cpu_ns) / 1e6 };
}

static void wait_quiet(const struct bench *b)
{
	uint64_t last = daemon_ns(b), last_wall = client_wall_ns();
	uint64_t busy_wall = last_wall;

	while (last_wall - busy_wall < QUIET_NS) {
		usleep(QUIET_STEP_US);
		last_wall = client_wall_ns();
		/* a sync of nothing, and timers, are less than this */
		if (daemon_ns(b) - last > 1000000)
			busy_wall = last_wall;
		last = daemon_ns(b);
	}
}

/* While it is measured, who waits for the reply runs as soon as it is there, or what
 * follows is counted too. Without the right to, it is. */
static void set_policy(int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO };

	(void)sched_setscheduler(0, policy, &param);
}

/* The library. */

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_batch: %s: %s\n", what, aedb_error_message());
	exit(2);
}

static void library_open(struct bench *b)
{
	struct aedb_place project = { "bench", NULL }, scope = { "bench", "lib" };
	struct aedb_options options;

	aedb_options_init(&options);
	options.mode = AEDB_OPEN_NEW;
	options.durability = AEDB_BATCH;
	must(aedb_open(b->library, &options, &b->db), "open");
	must(aedb_create(b->db, project), "create");
	must(aedb_create(b->db, scope), "create");
	must(aedb_scope_open(b->db, "bench", "lib", &b->scope), "scope");
}

static void library_round(struct bench *b, unsigned round)
{
	struct moment start, puts;
	/* as of a file made in the mount: attributes, and an id of its own */
	struct aedb_put put = { .value = value, .value_bytes = sizeof(value),
				.attr = value, .attr_bytes = ATTR_BYTES,
				.must_be_new = true };
	struct aedb_txn *txn;
	char key[32];

	set_policy(SCHED_FIFO);
	start = now(b);
	must(aedb_txn_begin(b->db, &txn), "begin");
	for (unsigned i = 0; i < b->keys; i++) {
		put.key = key;
		put.id = aedb_reserve_id(b->db);
		put.key_bytes = (size_t)sprintf(key, "r%03u/k%07u", round, i);
		must(aedb_txn_put(txn, b->scope, &put), "put");
	}
	puts = now(b);
	must(aedb_txn_commit(txn, NULL), "commit");
	b->figures[LIBRARY_COMMIT][round] = since(b, puts);
	b->figures[LIBRARY_ALL][round] = since(b, start);
	set_policy(SCHED_OTHER);
	must(aedb_wait_durable(b->db, aedb_visible_seq(b->db)), "sync");
}

/* The mount. */

static void fill(const struct bench *b, const char *dir)
{
	int fd, at = open(dir, O_RDONLY | O_DIRECTORY);
	char name[32];

	if (at < 0)
		client_die("%s", dir);
	for (unsigned i = 0; i < b->keys; i++) {
		snprintf(name, sizeof(name), "k%07u", i);
		fd = openat(at, name, O_WRONLY | O_CREAT, 0644);
		if (fd < 0 || write(fd, value, sizeof(value)) != VALUE_BYTES ||
		    close(fd) != 0)
			client_die("%s/%s", dir, name);
	}
	close(at);
}

static void must_mkdir(const char *path)
{
	if (mkdir(path, 0755) != 0)
		client_die("mkdir %s", path);
}

static void batch_round(struct bench *b, unsigned round)
{
	char batch[4096], path[4200], name[64];
	struct moment start;
	struct stat st;
	int fd;

	snprintf(batch, sizeof(batch), "%s/.batch/bench-%d", b->at.dir,
		 (int)getpid());
	must_mkdir(batch);
	snprintf(name, sizeof(name), "bench-%d/mount/r%03u", (int)getpid(), round);
	snprintf(path, sizeof(path), "%s/%s", batch, name);
	must_mkdir(path);
	fill(b, path);
	snprintf(path, sizeof(path), "%s/.control", batch);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		client_die("%s", path);
	wait_quiet(b);
	set_policy(SCHED_FIFO);
	start = now(b);
	if (write(fd, "commit", 6) != 6)
		client_die("commit");
	b->figures[BATCH_REPLY][round] = since(b, start);
	set_policy(SCHED_OTHER);
	close(fd);
	wait_quiet(b);
	b->figures[BATCH_ALL][round] = since(b, start);
	snprintf(path, sizeof(path), "%s/%s/k%07u", b->at.dir, name, b->keys - 1);
	if (stat(path, &st) != 0 || st.st_size != VALUE_BYTES)
		client_die("%s", path);
}

static void mount_prepare(const struct bench *b)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/bench-%d", b->at.dir, (int)getpid());
	must_mkdir(path);
	strcat(path, "/mount");
	must_mkdir(path);
}

/* The report. */

static double median_of(const struct bench *b, enum row row, bool is_cpu)
{
	double all[ROUNDS_MAX];

	for (unsigned r = 0; r < b->rounds; r++)
		all[r] = is_cpu ? b->figures[row][r].cpu_ms :
				  b->figures[row][r].wall_ms;
	return client_median(all, b->rounds);
}

static double ratio_of(const struct bench *b, enum row row)
{
	double all[ROUNDS_MAX];

	for (unsigned r = 0; r < b->rounds; r++)
		all[r] = b->figures[row][r].cpu_ms /
			 b->figures[LIBRARY_ALL][r].cpu_ms;
	return client_median(all, b->rounds);
}

static void report_row(const struct bench *b, enum row row)
{
	double wall = median_of(b, row, false), cpu = median_of(b, row, true);
	double limit = row == BATCH_REPLY ? LIMIT : 0;
	double ratio = ratio_of(b, row);
	const char *verdict = limit == 0 ? "" : ratio <= limit ? "ok" : "MISSED";

	printf("%-25s %9.1f %9.1f %7.2f %6.2f %s\n", row_names[row], wall, cpu,
	       ratio, limit, verdict);
	if (b->setup.json)
		fprintf(b->setup.json, "{\"bench\":\"batch\",\"name\":\"batch of "
			"%u keys\",\"row\":\"%s\",\"unit\":\"ms\","
			"\"store\":\"%s\",\"median\":%.3f,\"cpu_us\":%.3f,"
			"\"judged\":%.3f,\"limit\":%.3f,\"verdict\":\"%s\"}\n",
			b->keys, row_names[row], b->at.name, wall, cpu * 1000,
			ratio, limit, verdict);
}

static void usage(void)
{
	fprintf(stderr, "usage: bench_batch " CLIENT_USAGE "\n"
		"\t[--rounds=N] [--keys=N] --library=DIR NAME[@PID]=MOUNT\n");
	exit(2);
}

static void options_parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		CLIENT_OPTIONS,
		{ "rounds", required_argument, NULL, 'r' },
		{ "keys", required_argument, NULL, 'k' },
		{ "library", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r': b->rounds = (unsigned)atoi(optarg); break;
		case 'k': b->keys = (unsigned)atoi(optarg); break;
		case 'l': b->library = optarg; break;
		default:
			if (!client_option(&b->setup, c, optarg))
				usage();
		}
	}
	if (b->rounds < 1 || b->rounds > ROUNDS_MAX || b->keys < 1 ||
	    !b->library || optind != argc - 1 ||
	    !client_parse(argv[optind], &b->at))
		usage();
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.rounds = 5, .keys = 100000, .setup = CLIENT_SETUP,
	};

	options_parse(&b, argc, argv);
	client_begin(&b.setup);
	memset(value, 'v', sizeof(value));
	library_open(&b);
	mount_prepare(&b);
	for (unsigned round = 0; round < b.rounds; round++) {
		library_round(&b, round);
		batch_round(&b, round);
	}
	printf("%-25s %9s %9s %7s %6s\n", "new keys committed", "wall ms",
	       "cpu ms", "ratio", "limit");
	for (unsigned row = 0; row < ROWS; row++)
		report_row(&b, row);
	aedb_scope_close(b.scope);
	must(aedb_close(b.db), "close");
	client_end(&b.setup);
	return 0;
}
