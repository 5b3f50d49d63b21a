/*
 * The benchmark of what a mount shows that is not the newest state: files of a
 * snapshot, a set of keys through one, and what the daemon keeps for each node.
 *
 *	bench_views [options] NAME[@PID]=MOUNT NAME=DIR
 *
 * The second is a directory of the local file system, which the first is compared
 * with. Rounds are interleaved, a figure is the median of the rounds', a ratio
 * that of each round's own. Files are cached: each is read once before.
 *
 * Only a set that was seen half changed in the mount makes the exit status 1.
 */
#include "client.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define FILE_BYTES 4096
#define SET_KEYS 10
#define PASSES 20

enum place {
	MOUNT,
	LOCAL,
	PLACES,
};

enum row {
	OPEN_READ_CLOSE,
	PREAD,
	SETS,
	NODES,
	ROWS,
};

static const struct row_spec {
	const char *name, *unit;
	double limit;		/* of the ratio to the local file system; 0: none */
} specs[ROWS] = {
	[OPEN_READ_CLOSE] = { "snapshot, open+read+close", "us", 2 },
	[PREAD] = { "snapshot, pread of an open file", "us", 2 },
	[SETS] = { "sets of 10 seen half changed", "%", 0 },
	[NODES] = { "memory a node after ls -l", "B", 0 },
};

#define NODE_BYTES_LIMIT 96.0

struct bench {
	struct client_where at[PLACES];
	char live[PLACES][PATH_MAX];	/* where files are written, */
	char shown[PLACES][PATH_MAX];	/* and where they are read */
	unsigned rounds, files, sets, nodes;
	struct client_setup setup;
	double figures[ROWS][PLACES][ROUNDS_MAX];
};

static void __attribute__((format(printf, 2, 3)))
path_set(char *ret, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(ret, PATH_MAX, format, ap);
	va_end(ap);
	if (n < 0 || n >= PATH_MAX) {
		fprintf(stderr, "bench_views: a path is too long\n");
		exit(2);
	}
}

static void must_mkdir(const char *path)
{
	if (mkdir(path, 0755) != 0)
		client_die("mkdir %s", path);
}

static void must_rmdir(const char *path)
{
	if (rmdir(path) != 0)
		client_die("rmdir %s", path);
}

static int must_open(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	path_set(path, "%s/%s", dir, name);
	fd = open(path, flags, 0644);
	if (fd < 0)
		client_die("%s", path);
	return fd;
}

static void file_name(char *ret, size_t n, unsigned i)
{
	snprintf(ret, n, "f%07u", i);
}

static void put(const char *dir, const char *name, char letter, size_t n)
{
	char bytes[FILE_BYTES];
	int fd = must_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC);

	memset(bytes, letter, n);
	if (write(fd, bytes, n) != (ssize_t)n || close(fd) != 0)
		client_die("%s/%s", dir, name);
}

/* Its first byte, the whole file read; 0: it has fewer bytes. */
static char get(const char *dir, const char *name, size_t n)
{
	char bytes[FILE_BYTES];
	int fd = must_open(dir, name, O_RDONLY);
	ssize_t got = read(fd, bytes, n);

	if (got < 0)
		client_die("%s/%s", dir, name);
	close(fd);
	return got == (ssize_t)n ? bytes[0] : 0;
}

static void snapshot_path(const struct bench *b, const char *what, char *ret)
{
	path_set(ret, "%s/.snap/bench-%d-%s", b->at[MOUNT].dir, (int)getpid(),
		 what);
}

static void prepare(struct bench *b)
{
	char snapshot[PATH_MAX], name[32];

	path_set(b->live[LOCAL], "%s/views-%d", b->at[LOCAL].dir, (int)getpid());
	must_mkdir(b->live[LOCAL]);
	path_set(b->live[MOUNT], "%s/views-%d", b->at[MOUNT].dir, (int)getpid());
	must_mkdir(b->live[MOUNT]);
	path_set(b->live[MOUNT], "%s/views-%d/keys", b->at[MOUNT].dir,
		 (int)getpid());
	must_mkdir(b->live[MOUNT]);
	for (unsigned p = 0; p < PLACES; p++)
		for (unsigned i = 0; i < b->files; i++) {
			file_name(name, sizeof(name), i);
			put(b->live[p], name, 'v', FILE_BYTES);
		}
	snapshot_path(b, "files", snapshot);
	must_mkdir(snapshot);
	path_set(b->shown[MOUNT], "%s/views-%d/keys", snapshot, (int)getpid());
	path_set(b->shown[LOCAL], "%s", b->live[LOCAL]);
}

/* What is read of one file, so many times. */

static double files_round(const struct bench *b, enum place p, unsigned passes)
{
	uint64_t start = client_wall_ns();
	char name[32];

	for (unsigned pass = 0; pass < passes; pass++)
		for (unsigned i = 0; i < b->files; i++) {
			file_name(name, sizeof(name), i);
			if (get(b->shown[p], name, FILE_BYTES) != 'v')
				client_die("%s/%s", b->shown[p], name);
		}
	return (double)(client_wall_ns() - start) / 1e3 / passes / b->files;
}

static double preads_round(const struct bench *b, enum place p)
{
	unsigned n = PASSES * b->files;
	char name[32], bytes[FILE_BYTES];
	uint64_t start;
	int fd;

	file_name(name, sizeof(name), 0);
	fd = must_open(b->shown[p], name, O_RDONLY);
	start = client_wall_ns();
	for (unsigned i = 0; i < n; i++)
		if (pread(fd, bytes, FILE_BYTES, 0) != FILE_BYTES)
			client_die("%s/%s", b->shown[p], name);
	start = client_wall_ns() - start;
	close(fd);
	return (double)start / 1e3 / n;
}

/* A set of keys that all begin with the same letter, changed again and again: in
 * the mount as a batch, and read through a snapshot taken for each look. */

static void set_put(const char *dir, char letter)
{
	char name[32];

	for (unsigned i = 0; i < SET_KEYS; i++) {
		snprintf(name, sizeof(name), "set%u", i);
		put(dir, name, letter, 64);
	}
}

static bool set_is_mixed(const char *dir)
{
	char name[32], first = 0, letter;
	bool is_mixed = false;

	for (unsigned i = 0; i < SET_KEYS; i++) {
		snprintf(name, sizeof(name), "set%u", i);
		letter = get(dir, name, 64);
		first = i == 0 ? letter : first;
		is_mixed |= letter == 0 || letter != first;
	}
	return is_mixed;
}

static void set_change(const struct bench *b, enum place p, char letter)
{
	char batch[PATH_MAX], dir[PATH_MAX];
	int fd;

	if (p == LOCAL) {
		set_put(b->live[p], letter);
		return;
	}
	path_set(batch, "%s/.batch/views-%d", b->at[p].dir, (int)getppid());
	must_mkdir(batch);
	path_set(dir, "%s/views-%d/keys", batch, (int)getppid());
	set_put(dir, letter);
	fd = must_open(batch, ".control", O_WRONLY);
	if (write(fd, "commit", 6) != 6)
		client_die("commit");
	close(fd);
}

static bool set_look(const struct bench *b, enum place p)
{
	char snapshot[PATH_MAX], dir[PATH_MAX];
	bool is_mixed;

	if (p == LOCAL)
		return set_is_mixed(b->live[p]);
	snapshot_path(b, "set", snapshot);
	must_mkdir(snapshot);
	path_set(dir, "%s/views-%d/keys", snapshot, (int)getpid());
	is_mixed = set_is_mixed(dir);
	must_rmdir(snapshot);
	return is_mixed;
}

static void __attribute__((noreturn))
set_writer(const struct bench *b, enum place p)
{
	cpu_set_t every;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	memset(&every, 0xff, sizeof(every));
	sched_setaffinity(0, sizeof(every), &every);
	for (unsigned i = 0; i < b->sets; i++)
		set_change(b, p, (char)('a' + i % 26));
	_exit(0);
}

static double sets_round(const struct bench *b, enum place p)
{
	unsigned looks = 0, mixed = 0;
	int status = 0;
	pid_t writer;

	set_put(b->live[p], 'a');
	writer = fork();
	if (writer < 0)
		client_die("fork");
	if (writer == 0)
		set_writer(b, p);
	while (waitpid(writer, &status, WNOHANG) == 0) {
		mixed += set_look(b, p);
		looks++;
	}
	if (status != 0)
		client_die("%s: the writer failed", b->at[p].name);
	return looks ? 100.0 * mixed / looks : 0;
}

/* What the daemon says it keeps for the nodes that the kernel knows. */

static double metric(const struct bench *b, const char *name)
{
	char path[PATH_MAX], line[512], format[64];
	double value = -1;
	FILE *file;

	path_set(path, "%s/.metrics", b->at[MOUNT].dir);
	snprintf(format, sizeof(format), "aedb_%s %%lf", name);
	file = fopen(path, "re");
	if (!file)
		client_die("%s", path);
	while (value < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &value) != 1)
			value = -1;
	fclose(file);
	if (value < 0) {
		fprintf(stderr, "bench_views: %s has no %s\n", path, name);
		exit(2);
	}
	return value;
}

static double nodes_measure(const struct bench *b)
{
	char name[32], path[PATH_MAX];
	struct stat st;

	for (unsigned i = b->files; i < b->nodes; i++) {
		file_name(name, sizeof(name), i);
		put(b->live[MOUNT], name, 'n', 1);
	}
	for (unsigned i = 0; i < b->nodes; i++) {
		file_name(name, sizeof(name), i);
		path_set(path, "%s/%s", b->live[MOUNT], name);
		if (lstat(path, &st) != 0)
			client_die("%s", path);
	}
	return metric(b, "node_bytes") / metric(b, "nodes");
}

static void rounds_run(struct bench *b)
{
	for (unsigned round = 0; round < b->rounds; round++)
		for (unsigned i = 0; i < PLACES; i++) {
			enum place p = (i + round) % PLACES;

			files_round(b, p, 1);
			b->figures[OPEN_READ_CLOSE][p][round] =
				files_round(b, p, PASSES);
			b->figures[PREAD][p][round] = preads_round(b, p);
			b->figures[SETS][p][round] = sets_round(b, p);
		}
	b->figures[NODES][MOUNT][0] = nodes_measure(b);
}

/* The report. */

static double middle(const struct bench *b, enum row row, enum place p)
{
	double all[ROUNDS_MAX];

	memcpy(all, b->figures[row][p], sizeof(all));
	return row == NODES ? all[0] : client_median(all, b->rounds);
}

static double ratio_of(const struct bench *b, enum row row)
{
	double all[ROUNDS_MAX];

	for (unsigned r = 0; r < b->rounds; r++)
		all[r] = b->figures[row][MOUNT][r] / b->figures[row][LOCAL][r];
	return client_median(all, b->rounds);
}

static bool has_mixed(const struct bench *b)
{
	for (unsigned r = 0; r < b->rounds; r++)
		if (b->figures[SETS][MOUNT][r] > 0)
			return true;
	return false;
}

static bool is_met(const struct bench *b, enum row row, double ratio)
{
	if (row == SETS)
		return !has_mixed(b);
	return row == NODES ? middle(b, row, MOUNT) <= NODE_BYTES_LIMIT :
			      ratio <= specs[row].limit;
}

static void report_line(const struct bench *b, enum row row, enum place p)
{
	const struct row_spec *spec = &specs[row];
	double value = middle(b, row, p);
	double ratio = p == MOUNT && spec->limit > 0 ? ratio_of(b, row) : 0;
	double limit = row == NODES ? NODE_BYTES_LIMIT : spec->limit;
	const char *verdict = p == LOCAL ? "" :
			      is_met(b, row, ratio) ? "ok" : "MISSED";

	printf("%-32s %-5s %-10s %9.2f %7.2f %6.2f %s\n", spec->name, spec->unit,
	       b->at[p].name, value, ratio, limit, verdict);
	if (b->setup.json)
		fprintf(b->setup.json, "{\"bench\":\"views\",\"name\":\"views\","
			"\"row\":\"%s\",\"unit\":\"%s\",\"store\":\"%s\","
			"\"median\":%.3f,\"judged\":%.3f,\"limit\":%.3f,"
			"\"verdict\":\"%s\"}\n", spec->name, spec->unit,
			b->at[p].name, value, ratio, limit, verdict);
}

static void report(const struct bench *b)
{
	printf("%-32s %-5s %-10s %9s %7s %6s\n", "views", "unit", "target", "p50",
	       "ratio", "limit");
	for (unsigned row = 0; row < ROWS; row++)
		for (unsigned p = 0; p < PLACES; p++)
			if (row != NODES || p == MOUNT)
				report_line(b, row, p);
}

static void remove_all(const struct bench *b)
{
	char snapshot[PATH_MAX], path[PATH_MAX], name[32];

	for (unsigned p = 0; p < PLACES; p++) {
		for (unsigned i = 0; i < (p == MOUNT ? b->nodes : b->files); i++) {
			file_name(name, sizeof(name), i);
			path_set(path, "%s/%s", b->live[p], name);
			unlink(path);
		}
		for (unsigned i = 0; i < SET_KEYS; i++) {
			path_set(path, "%s/set%u", b->live[p], i);
			unlink(path);
		}
		must_rmdir(b->live[p]);
	}
	path_set(path, "%s/views-%d", b->at[MOUNT].dir, (int)getpid());
	must_rmdir(path);
	snapshot_path(b, "files", snapshot);
	must_rmdir(snapshot);
}

static void usage(void)
{
	fprintf(stderr, "usage: bench_views " CLIENT_USAGE "\n"
		"\t[--rounds=N] [--files=N] [--sets=N] [--nodes=N] "
		"NAME[@PID]=MOUNT NAME=DIR\n");
	exit(2);
}

static void options_parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		CLIENT_OPTIONS,
		{ "rounds", required_argument, NULL, 'r' },
		{ "files", required_argument, NULL, 'f' },
		{ "sets", required_argument, NULL, 't' },
		{ "nodes", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r': b->rounds = (unsigned)atoi(optarg); break;
		case 'f': b->files = (unsigned)atoi(optarg); break;
		case 't': b->sets = (unsigned)atoi(optarg); break;
		case 'n': b->nodes = (unsigned)atoi(optarg); break;
		default:
			if (!client_option(&b->setup, c, optarg))
				usage();
		}
	}
	if (b->rounds < 1 || b->rounds > ROUNDS_MAX || b->files < 1 ||
	    b->nodes < b->files || optind != argc - PLACES)
		usage();
	for (unsigned p = 0; p < PLACES; p++)
		if (!client_parse(argv[optind + (int)p], &b->at[p]))
			usage();
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.rounds = 5, .files = 1000, .sets = 200, .nodes = 100000,
		.setup = CLIENT_SETUP,
	};

	options_parse(&b, argc, argv);
	client_begin(&b.setup);
	prepare(&b);
	rounds_run(&b);
	report(&b);
	client_end(&b.setup);
	remove_all(&b);
	return has_mixed(&b) ? 1 : 0;
}
