/*
 * The mount benchmark: what operations on files cost, in several directories
 * at once, each usually a mount: the product's, the floor daemon's, a peer's.
 *
 *	bench_mount [options] NAME[@PID]=DIR ...
 *
 * One client. Rounds are interleaved (each operation in every directory before
 * the next one, the order of directories rotating), and a figure is the median
 * of the rounds' figures; a ratio is the median of each round's own ratio to
 * the directory named `floor`. With @PID the daemon's CPU time counts too, and
 * its largest memory is printed. The directory named by --subject gets
 * verdicts. Nothing timed decides the exit status; a torn read in the
 * subject does.
 *
 * The kernel moves client and daemon between CPUs as it likes, which changes a
 * round trip several times over on small machines: --cpu pins the client, and
 * whoever starts the daemons pins those to the same CPU.
 */
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 8
#define ROUNDS_MAX 64
#define VALUE_BYTES 100
#define CHUNK_BYTES (1u << 20)
#define TORN_VALUE_BYTES (64u << 10)
#define CHANGE_LIMIT 1.3
#define READ_LIMIT 1.15
#define LIST_LIMIT 1.3
#define THROUGHPUT_LIMIT (1 / 0.85)

struct target {
	struct client_where at;
	int fd;				/* of our directory in dir */
	char work[32];			/* its name */
};

struct bench {
	struct target targets[TARGETS_MAX];
	size_t count;
	unsigned rounds, keys, entries;
	uint64_t big_bytes;
	struct client_setup setup;
	bool drop_caches;
	uint64_t *samples_ns;		/* room for keys */
	size_t samples;			/* of the operation running */
	double units;			/* it did, for the CPU time of one */
	bool torn;			/* the subject tore a read */
};

struct figures {
	double p50_us, p99_us, cpu_us;	/* of one unit; torn: per cent, 0, 0 */
};

struct op {
	const char *name, *unit;
	double limit;			/* of the ratio to the floor; 0: none */
	bool cold;			/* after dropping the kernel's nodes */
	void (*run)(struct bench *b, struct target *t);
};

/* CPU time so far of this process and the target's daemon. */
static uint64_t cpu_ns(const struct target *t)
{
	uint64_t ns = client_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	clockid_t daemon;

	if (t->at.pid) {
		errno = clock_getcpuclockid(t->at.pid, &daemon);
		if (errno)
			client_die("%s: no process %d", t->at.name, (int)t->at.pid);
		ns += client_clock_ns(daemon);
	}
	return ns;
}

static int open_must(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags, 0644);

	if (fd < 0)
		client_die("open %s", name);
	return fd;
}

static void write_must(int fd, const void *buf, size_t bytes)
{
	if (write(fd, buf, bytes) != (ssize_t)bytes)
		client_die("write");
}

static void close_must(int fd)
{
	if (close(fd) != 0)
		client_die("close");
}

/* Operations on one key each */

static char value[VALUE_BYTES];

static void value_write(int dir, const char *name, int flags)
{
	int fd = open_must(dir, name, O_WRONLY | flags);

	write_must(fd, value, sizeof(value));
	close_must(fd);
}

static void key_create(int dir, const char *name)
{
	value_write(dir, name, O_CREAT);
}

static void key_overwrite(int dir, const char *name)
{
	value_write(dir, name, O_TRUNC);
}

static void key_read(int dir, const char *name)
{
	char buf[2 * VALUE_BYTES];
	int fd = open_must(dir, name, O_RDONLY);

	if (read(fd, buf, sizeof(buf)) != VALUE_BYTES)
		client_die("read %s: short", name);
	close(fd);
}

static void key_stat(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		client_die("stat %s", name);
	if (st.st_size != VALUE_BYTES)
		client_die("stat %s: %lld bytes", name, (long long)st.st_size);
}

static void key_rename(int dir, const char *name)
{
	char to[32];

	snprintf(to, sizeof(to), "r%s", name + 1);
	if (renameat(dir, name, dir, to) != 0)
		client_die("rename %s", name);
}

static void key_unlink(int dir, const char *name)
{
	char renamed[32];

	snprintf(renamed, sizeof(renamed), "r%s", name + 1);
	if (unlinkat(dir, renamed, 0) != 0)
		client_die("unlink %s", renamed);
}

static void each_key(struct bench *b, struct target *t,
		     void (*act)(int dir, const char *name))
{
	char name[32];
	uint64_t start;

	for (unsigned i = 0; i < b->keys; i++) {
		snprintf(name, sizeof(name), "k%07u", i);
		start = client_wall_ns();
		act(t->fd, name);
		b->samples_ns[i] = client_wall_ns() - start;
	}
	b->samples = b->keys;
	b->units = b->keys;
}

static void run_create(struct bench *b, struct target *t)
{
	each_key(b, t, key_create);
}

static void run_stat(struct bench *b, struct target *t)
{
	each_key(b, t, key_stat);
}

static void run_read(struct bench *b, struct target *t)
{
	each_key(b, t, key_read);
}

static void run_overwrite(struct bench *b, struct target *t)
{
	each_key(b, t, key_overwrite);
}

static void run_rename(struct bench *b, struct target *t)
{
	each_key(b, t, key_rename);
}

static void run_unlink(struct bench *b, struct target *t)
{
	each_key(b, t, key_unlink);
}

/* Operations on the large directory and the large value */

/* One figure for the whole run: the time of a unit. */
static void sample_whole(struct bench *b, uint64_t start, double units)
{
	b->samples_ns[0] = (uint64_t)((double)(client_wall_ns() - start) / units);
	b->samples = 1;
	b->units = units;
}

static void list(struct bench *b, struct target *t, bool with_stat)
{
	uint64_t start = client_wall_ns();
	DIR *d = fdopendir(open_must(t->fd, "list", O_RDONLY | O_DIRECTORY));
	unsigned count = 0;
	struct dirent *e;

	if (!d)
		client_die("opendir");
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (with_stat)
			key_stat(dirfd(d), e->d_name);
		count++;
	}
	closedir(d);
	sample_whole(b, start, b->entries);
	if (count != b->entries)
		client_die("%s: listed %u of %u", t->at.name, count, b->entries);
}

static void run_ls(struct bench *b, struct target *t)
{
	list(b, t, false);
}

static void run_ls_long(struct bench *b, struct target *t)
{
	list(b, t, true);
}

static char chunk[CHUNK_BYTES];

static void run_big_in(struct bench *b, struct target *t)
{
	uint64_t start = client_wall_ns();
	int fd = open_must(t->fd, "big", O_WRONLY | O_CREAT | O_TRUNC);

	for (uint64_t at = 0; at < b->big_bytes; at += sizeof(chunk))
		write_must(fd, chunk, sizeof(chunk));
	close_must(fd);
	sample_whole(b, start, (double)(b->big_bytes / sizeof(chunk)));
}

static void run_big_out(struct bench *b, struct target *t)
{
	uint64_t start = client_wall_ns(), got = 0;
	int fd = open_must(t->fd, "big", O_RDONLY);
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		got += (uint64_t)n;
	close(fd);
	sample_whole(b, start, (double)(b->big_bytes / sizeof(chunk)));
	if (n < 0 || got != b->big_bytes)
		client_die("%s: read %llu", t->at.name, (unsigned long long)got);
	if (unlinkat(t->fd, "big", 0) != 0)
		client_die("unlink big");
}

/* Torn reads: a second process rewrites a value, each time of one byte. */

static void torn_put(const struct target *t, char letter)
{
	static char buf[TORN_VALUE_BYTES];
	int fd = open_must(t->fd, "torn", O_WRONLY | O_CREAT | O_TRUNC);

	memset(buf, letter, sizeof(buf));
	write_must(fd, buf, sizeof(buf));
	close_must(fd);
}

static bool torn_read(const struct target *t)
{
	static char buf[TORN_VALUE_BYTES + 1];
	int fd = open_must(t->fd, "torn", O_RDONLY);
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf + got, sizeof(buf) - got)) > 0)
		got += (size_t)n;
	close(fd);
	if (n < 0)
		client_die("%s: read", t->at.name);
	return got != TORN_VALUE_BYTES || memcmp(buf, buf + 1, got - 1) != 0;
}

static void __attribute__((noreturn))
torn_writer(const struct bench *b, const struct target *t)
{
	cpu_set_t every;

	memset(&every, 0xff, sizeof(every));
	sched_setaffinity(0, sizeof(every), &every);
	for (unsigned i = 0; i < b->keys; i++)
		torn_put(t, (char)('a' + i % 26));
	_exit(0);
}

static void run_torn(struct bench *b, struct target *t)
{
	unsigned reads = 0, torn = 0;
	int status = 0;
	pid_t writer;

	torn_put(t, 'a');
	writer = fork();
	if (writer < 0)
		client_die("fork");
	if (writer == 0)
		torn_writer(b, t);
	while (waitpid(writer, &status, WNOHANG) == 0) {
		torn += torn_read(t);
		reads++;
	}
	if (status != 0)
		client_die("%s: the writer failed", t->at.name);
	b->torn |= torn && strcmp(t->at.name, b->setup.subject) == 0;
	b->samples_ns[0] = reads ? 100000ull * torn / reads : 0;
	b->samples = 1;
	b->units = reads ? reads : 1;
}

static const struct op ops[] = {
	{ "create+write+close", "us", CHANGE_LIMIT, false, run_create },
	{ "stat, first", "us", READ_LIMIT, false, run_stat },
	{ "stat, cached", "us", READ_LIMIT, false, run_stat },
	{ "open+read+close", "us", READ_LIMIT, false, run_read },
	{ "overwrite", "us", CHANGE_LIMIT, false, run_overwrite },
	{ "rename", "us", CHANGE_LIMIT, false, run_rename },
	{ "unlink", "us", CHANGE_LIMIT, false, run_unlink },
	{ "ls", "us/entry", LIST_LIMIT, true, run_ls },
	{ "ls -l, first", "us/entry", LIST_LIMIT, true, run_ls_long },
	{ "ls -l, cached", "us/entry", LIST_LIMIT, false, run_ls_long },
	{ "big value in", "us/MiB", THROUGHPUT_LIMIT, false, run_big_in },
	{ "big value out", "us/MiB", THROUGHPUT_LIMIT, false, run_big_out },
	{ "torn reads", "%", 0, false, run_torn },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static struct figures figures[OPS][TARGETS_MAX][ROUNDS_MAX];

/* Rounds */

static void op_measure(struct bench *b, const struct op *op, struct target *t,
		       struct figures *ret)
{
	uint64_t cpu;

	if (op->cold && b->drop_caches)
		client_drop_caches("2");
	cpu = cpu_ns(t);
	op->run(b, t);
	cpu = cpu_ns(t) - cpu;
	client_sort_ns(b->samples_ns, b->samples);
	ret->p50_us = (double)b->samples_ns[b->samples / 2] / 1000;
	ret->p99_us = (double)b->samples_ns[b->samples * 99 / 100] / 1000;
	ret->cpu_us = (double)cpu / b->units / 1000;
}

static bool op_is_skipped(const struct bench *b, const struct op *op)
{
	if (op->run == run_big_in || op->run == run_big_out)
		return b->big_bytes == 0;
	if (op->run == run_ls || op->run == run_ls_long)
		return b->entries == 0;
	return false;
}

static void rounds_run(struct bench *b)
{
	for (unsigned round = 0; round < b->rounds; round++) {
		for (size_t o = 0; o < OPS; o++) {
			if (op_is_skipped(b, &ops[o]))
				continue;
			for (size_t i = 0; i < b->count; i++) {
				size_t t = (i + round) % b->count;

				op_measure(b, &ops[o], &b->targets[t],
					   &figures[o][t][round]);
			}
		}
	}
}

/* The report */

static struct figures figures_median(const struct bench *b, size_t o, size_t t)
{
	double p50[ROUNDS_MAX], p99[ROUNDS_MAX], cpu[ROUNDS_MAX];

	for (unsigned r = 0; r < b->rounds; r++) {
		p50[r] = figures[o][t][r].p50_us;
		p99[r] = figures[o][t][r].p99_us;
		cpu[r] = figures[o][t][r].cpu_us;
	}
	return (struct figures){ client_median(p50, b->rounds), client_median(p99, b->rounds),
				 client_median(cpu, b->rounds) };
}

static const struct target *target_find(const struct bench *b, const char *name)
{
	for (size_t t = 0; t < b->count; t++)
		if (strcmp(b->targets[t].at.name, name) == 0)
			return &b->targets[t];
	return NULL;
}

/* The median ratio of target t to the floor; 0 when there is none. */
static double ratio_median(const struct bench *b, size_t o, size_t t)
{
	const struct target *floor = target_find(b, "floor");
	double ratio[ROUNDS_MAX], control;

	for (unsigned r = 0; floor && r < b->rounds; r++) {
		control = figures[o][floor - b->targets][r].p50_us;
		if (control == 0)
			return 0;
		ratio[r] = figures[o][t][r].p50_us / control;
	}
	return floor ? client_median(ratio, b->rounds) : 0;
}

static const char *verdict_of(const struct bench *b, const struct op *op,
			      const struct target *t, double ratio)
{
	if (strcmp(t->at.name, b->setup.subject) != 0)
		return "";
	if (op->run == run_torn)
		return b->torn ? "MISSED" : "ok";
	return ratio == 0 ? "" : ratio <= op->limit ? "ok" : "MISSED";
}

static void report_line(const struct bench *b, size_t o, size_t t)
{
	const struct op *op = &ops[o];
	const char *name = b->targets[t].at.name;
	struct figures f = figures_median(b, o, t);
	double ratio = op->limit != 0 ? ratio_median(b, o, t) : 0;
	const char *verdict = verdict_of(b, op, &b->targets[t], ratio);

	printf("%-19s %-9s %-10s %9.2f %9.2f %9.2f %7.2f %6.2f %s\n",
	       op->name, op->unit, name, f.p50_us, f.p99_us, f.cpu_us, ratio,
	       op->limit, verdict);
	if (b->setup.json)
		fprintf(b->setup.json, "{\"bench\":\"mount\",\"name\":\"mount\","
			"\"row\":\"%s\",\"unit\":\"%s\",\"store\":\"%s\","
			"\"median\":%.3f,\"p99\":%.3f,\"cpu_us\":%.3f,"
			"\"judged\":%.3f,\"limit\":%.3f,\"verdict\":\"%s\"}\n",
			op->name, op->unit, name, f.p50_us, f.p99_us, f.cpu_us,
			ratio, op->limit, verdict);
}

/* The largest resident set of the daemon so far. */
static void report_memory(const struct bench *b, const struct target *t)
{
	char line[256];
	FILE *status;
	long kib = 0;

	snprintf(line, sizeof(line), "/proc/%d/status", (int)t->at.pid);
	status = fopen(line, "r");
	if (!status)
		client_die("%s", line);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	fclose(status);
	printf("largest memory of %s: %ld KiB\n", t->at.name, kib);
	if (b->setup.json)
		fprintf(b->setup.json, "{\"bench\":\"mount\",\"name\":\"mount\","
			"\"row\":\"memory, largest\",\"unit\":\"KiB\","
			"\"store\":\"%s\",\"median\":%ld}\n", t->at.name, kib);
}

static void report(const struct bench *b)
{
	printf("%-19s %-9s %-10s %9s %9s %9s %7s %6s\n", "operation", "unit",
	       "target", "p50", "p99", "cpu us", "ratio", "limit");
	for (size_t o = 0; o < OPS; o++)
		for (size_t t = 0; t < b->count; t++)
			if (!op_is_skipped(b, &ops[o]))
				report_line(b, o, t);
	for (size_t t = 0; t < b->count; t++)
		if (b->targets[t].at.pid)
			report_memory(b, &b->targets[t]);
}

/* Set-up */

static void target_prepare(struct bench *b, struct target *t)
{
	char name[32];
	int list_fd, dir = open_must(AT_FDCWD, t->at.dir, O_RDONLY | O_DIRECTORY);

	snprintf(t->work, sizeof(t->work), "bench-%d", (int)getpid());
	if (mkdirat(dir, t->work, 0755) != 0)
		client_die("mkdir in %s", t->at.dir);
	t->fd = open_must(dir, t->work, O_RDONLY | O_DIRECTORY);
	close(dir);
	if (mkdirat(t->fd, "list", 0755) != 0)
		client_die("mkdir list");
	list_fd = open_must(t->fd, "list", O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < b->entries; i++) {
		snprintf(name, sizeof(name), "e%07u", i);
		key_create(list_fd, name);
	}
	close(list_fd);
}

static void target_remove(struct bench *b, struct target *t)
{
	char name[32];
	int dir = open_must(AT_FDCWD, t->at.dir, O_RDONLY | O_DIRECTORY);

	for (unsigned i = 0; i < b->entries; i++) {
		snprintf(name, sizeof(name), "list/e%07u", i);
		if (unlinkat(t->fd, name, 0) != 0)
			client_die("unlink %s", name);
	}
	if (unlinkat(t->fd, "list", AT_REMOVEDIR) != 0 ||
	    unlinkat(t->fd, "torn", 0) != 0 ||
	    unlinkat(dir, t->work, AT_REMOVEDIR) != 0)
		client_die("removing %s/%s", t->at.dir, t->work);
	close(t->fd);
	close(dir);
}

static void usage(void)
{
	fprintf(stderr, "usage: bench_mount " CLIENT_USAGE "\n"
		"\t[--rounds=N] [--keys=N] [--entries=N] [--big-bytes=N] "
		"[--drop-caches]\n\tNAME[@PID]=DIR ...\n");
	exit(2);
}

static void options_parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		CLIENT_OPTIONS,
		{ "rounds", required_argument, NULL, 'r' },
		{ "keys", required_argument, NULL, 'k' },
		{ "entries", required_argument, NULL, 'e' },
		{ "big-bytes", required_argument, NULL, 'b' },
		{ "drop-caches", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r': b->rounds = (unsigned)atoi(optarg); break;
		case 'k': b->keys = (unsigned)atoi(optarg); break;
		case 'e': b->entries = (unsigned)atoi(optarg); break;
		case 'b': b->big_bytes = strtoull(optarg, NULL, 0); break;
		case 'd': b->drop_caches = true; break;
		default:
			if (!client_option(&b->setup, c, optarg))
				usage();
		}
	}
	if (b->rounds < 1 || b->rounds > ROUNDS_MAX || b->keys < 1 ||
	    b->big_bytes % CHUNK_BYTES != 0 || optind == argc)
		usage();
	for (; optind < argc; optind++)
		if (b->count == TARGETS_MAX ||
		    !client_parse(argv[optind], &b->targets[b->count++].at))
			usage();
}

int main(int argc, char **argv)
{
	struct bench b = {
		.rounds = 5, .keys = 2000, .entries = 100000,
		.big_bytes = 1ull << 30, .setup = CLIENT_SETUP,
	};

	options_parse(&b, argc, argv);
	client_begin(&b.setup);
	b.samples_ns = calloc(b.keys, sizeof(*b.samples_ns));
	if (!b.samples_ns)
		client_die("samples");
	memset(value, 'v', sizeof(value));
	for (size_t t = 0; t < b.count; t++)
		target_prepare(&b, &b.targets[t]);
	rounds_run(&b);
	report(&b);
	client_end(&b.setup);
	for (size_t t = 0; t < b.count; t++)
		target_remove(&b, &b.targets[t]);
	free(b.samples_ns);
	return b.torn ? 1 : 0;
}
