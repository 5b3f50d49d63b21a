/*
 * A file larger than the memory budget, in several directories at once, each
 * usually a mount: bytes in and out, the memory of the daemon meanwhile, and
 * what small changes with an fsync each write to the disk.
 *
 *	bench_bigfile [options] NAME[@PID]=DIR ...
 *
 * The file goes in and out in slices, one directory after the other for each
 * slice, the order rotating; a figure is the median of the slices, a ratio the
 * median of each slice's own ratio to the directory named `floor`. What is
 * still to be written to the disk after a slice is waited for outside what is
 * measured, and the kernel's page cache is emptied before a slice is read. With
 * @PID bytes written and memory are the daemon's, else our own bytes are
 * counted.
 *
 * Lines of JSON are added to a file, if one is given.
 * The exit status is 0 unless something does not work or what is read is not
 * what was written; verdicts are printed for the directory named by --subject.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TARGETS_MAX 4
#define SLICES 8
#define CHUNK_BYTES (1u << 20)
#define PAGE_BYTES 4096u
#define OVERWRITES_MAX 100000
#define THROUGHPUT_LIMIT (1 / 0.85)
#define MEMORY_LIMIT 1.1	/* of the budget: the program itself is beside it */
#define OVERWRITE_KIB_LIMIT 64	/* a chunk, a map block, a root, a frame, in
				 * whole pages: docs/decisions/0003 */
#define FILE_NAME "bigfile"

struct target {
	struct client_where at;
	int fd;
	double in_us[SLICES], out_us[SLICES];	/* a MiB */
	double change_p50_us, change_p99_us, change_kib;	/* 0: not done */
	double memory_mib;		/* largest; 0: no daemon */
};

struct bench {
	struct target targets[TARGETS_MAX];
	size_t count;
	uint64_t bytes, memory_bytes;
	unsigned overwrites;
	struct client_setup setup;
};

static unsigned char chunk[CHUNK_BYTES], check[CHUNK_BYTES];

static uint64_t random_next(void)
{
	static uint64_t random = 0x9e3779b97f4a7c15u;

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	return random;
}

/* Chance, so that nobody gets it smaller. */
static void chunk_fill(void)
{
	for (size_t i = 0; i < CHUNK_BYTES; i += sizeof(uint64_t)) {
		uint64_t random = random_next();

		memcpy(chunk + i, &random, sizeof(random));
	}
}

/* A number of a file of /proc that stands after its name. */
static uint64_t proc_number(const struct target *t, const char *file,
			    const char *name)
{
	char path[64], line[256];
	unsigned long long value = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s",
		 (int)(t->at.pid ? t->at.pid : getpid()), file);
	in = fopen(path, "re");
	if (!in)
		client_die("%s", path);
	while (fgets(line, sizeof(line), in))
		if (strncmp(line, name, strlen(name)) == 0) {
			value = strtoull(line + strlen(name), NULL, 10);
			break;
		}
	fclose(in);
	return value;
}

static uint64_t disk_bytes(const struct target *t)
{
	return proc_number(t, "io", "write_bytes:") -
	       proc_number(t, "io", "cancelled_write_bytes:");
}

/* In and out */

static void slice_write(struct target *t, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += CHUNK_BYTES) {
		memcpy(chunk, &at, sizeof(at));
		if (pwrite(t->fd, chunk, CHUNK_BYTES, (off_t)at) != CHUNK_BYTES)
			client_die("%s: write at %llu", t->at.name,
			    (unsigned long long)at);
	}
}

static void slice_read(struct target *t, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += CHUNK_BYTES) {
		uint64_t stamp;

		if (pread(t->fd, check, CHUNK_BYTES, (off_t)at) != CHUNK_BYTES)
			client_die("%s: read at %llu", t->at.name,
			    (unsigned long long)at);
		memcpy(&stamp, check, sizeof(stamp));
		errno = EBADMSG;
		if (stamp != at || memcmp(check + sizeof(stamp),
					  chunk + sizeof(stamp),
					  CHUNK_BYTES - sizeof(stamp)) != 0)
			client_die("%s: wrong bytes at %llu", t->at.name,
			    (unsigned long long)at);
	}
}

static void file_open(struct target *t, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/" FILE_NAME, t->at.dir);
	t->fd = open(path, flags | O_CLOEXEC, 0644);
	if (t->fd < 0)
		client_die("open %s", path);
}

static void file_close(struct target *t)
{
	if (close(t->fd) != 0)
		client_die("%s: close", t->at.name);
}

static double slice_us(const struct bench *b, uint64_t start)
{
	double mib = (double)(b->bytes / SLICES) / CHUNK_BYTES;

	return (double)(client_wall_ns() - start) / 1000 / mib;
}

/* The last slice has the close, which is a commit, in it. */
static void run_in(struct bench *b, unsigned slice, struct target *t)
{
	uint64_t bytes = b->bytes / SLICES, start;

	if (slice == 0)
		file_open(t, O_RDWR | O_CREAT | O_TRUNC);
	start = client_wall_ns();
	slice_write(t, slice * bytes, (slice + 1) * bytes);
	if (slice == SLICES - 1)
		file_close(t);
	t->in_us[slice] = slice_us(b, start);
	sync();
}

static void run_out(struct bench *b, unsigned slice, struct target *t)
{
	uint64_t bytes = b->bytes / SLICES, start;

	if (slice == 0)
		file_open(t, O_RDONLY);
	client_drop_caches("1");
	start = client_wall_ns();
	slice_read(t, slice * bytes, (slice + 1) * bytes);
	t->out_us[slice] = slice_us(b, start);
	if (slice == SLICES - 1)
		file_close(t);
}

static void each_slice(struct bench *b,
		       void (*run)(struct bench *, unsigned, struct target *))
{
	for (unsigned slice = 0; slice < SLICES; slice++)
		for (size_t i = 0; i < b->count; i++)
			run(b, slice, &b->targets[(i + slice) % b->count]);
}

/* Small changes */

/* Which syncs nothing, and is no control for that. */
static bool is_floor(const struct target *t)
{
	return strcmp(t->at.name, "floor") == 0;
}

static void page_change(struct target *t, uint64_t number, uint64_t *ret_ns)
{
	off_t at = (off_t)(number * PAGE_BYTES);
	uint64_t start = client_wall_ns();

	if (pwrite(t->fd, chunk + PAGE_BYTES, PAGE_BYTES, at) != PAGE_BYTES ||
	    fsync(t->fd) != 0)
		client_die("%s: change of page %llu", t->at.name,
		    (unsigned long long)number);
	*ret_ns = client_wall_ns() - start;
}

static void page_check(struct target *t, uint64_t number)
{
	off_t at = (off_t)(number * PAGE_BYTES);

	if (pread(t->fd, check, PAGE_BYTES, at) != PAGE_BYTES)
		client_die("%s: read", t->at.name);
	errno = EBADMSG;
	if (memcmp(check, chunk + PAGE_BYTES, PAGE_BYTES) != 0)
		client_die("%s: page %llu is not as changed", t->at.name,
		    (unsigned long long)number);
}

static void run_changes(struct bench *b, struct target *t)
{
	uint64_t *samples_ns = calloc(b->overwrites, sizeof(*samples_ns));
	uint64_t *pages = calloc(b->overwrites, sizeof(*pages)), written;

	if (!samples_ns || !pages)
		client_die("samples");
	sync();
	file_open(t, O_RDWR);
	written = disk_bytes(t);
	for (unsigned i = 0; i < b->overwrites; i++) {
		pages[i] = random_next() % (b->bytes / PAGE_BYTES);
		page_change(t, pages[i], &samples_ns[i]);
	}
	written = disk_bytes(t) - written;
	for (unsigned i = 0; i < b->overwrites; i++)
		page_check(t, pages[i]);
	file_close(t);
	client_sort_ns(samples_ns, b->overwrites);
	t->change_p50_us = (double)samples_ns[b->overwrites / 2] / 1000;
	t->change_p99_us = (double)samples_ns[b->overwrites * 99 / 100] / 1000;
	t->change_kib = (double)written / 1024 / b->overwrites;
	free(samples_ns);
	free(pages);
}

/* The report */

static double median(const double *of)
{
	double sorted[SLICES];

	memcpy(sorted, of, sizeof(sorted));
	return client_median(sorted, SLICES);
}

static double median_ratio(const double *of, const double *control)
{
	double ratio[SLICES];

	for (unsigned i = 0; i < SLICES; i++)
		ratio[i] = of[i] / control[i];
	return median(ratio);
}

struct line {
	const char *what, *unit;
	double value;
	double judged, limit;		/* limit 0: no verdict */
};

static void report_line(const struct bench *b, const struct target *t,
			const struct line *l)
{
	bool is_judged = l->limit > 0 && strcmp(t->at.name, b->setup.subject) == 0;
	const char *verdict = !is_judged ? "" :
			      l->judged <= l->limit ? "ok" : "MISSED";

	if (l->value == 0)
		return;
	printf("%-26s %-8s %-10s %11.2f %11.2f %9.2f %s\n", l->what, l->unit,
	       t->at.name, l->value, l->judged, l->limit, verdict);
	if (b->setup.json)
		fprintf(b->setup.json, "{\"bench\":\"mount\",\"name\":\"large file\","
			"\"row\":\"%s\",\"unit\":\"%s\",\"store\":\"%s\","
			"\"median\":%.3f,\"judged\":%.3f,\"limit\":%.3f,"
			"\"verdict\":\"%s\"}\n", l->what, l->unit,
			t->at.name, l->value, l->judged, l->limit, verdict);
}

static void report_target(const struct bench *b, const struct target *t,
			  const struct target *floor)
{
	double budget_mib = (double)b->memory_bytes / CHUNK_BYTES;
	struct line lines[] = {
		{ "in", "us/MiB", median(t->in_us),
		  floor ? median_ratio(t->in_us, floor->in_us) : 0,
		  floor ? THROUGHPUT_LIMIT : 0 },
		{ "out, caches dropped", "us/MiB", median(t->out_us),
		  floor ? median_ratio(t->out_us, floor->out_us) : 0,
		  floor ? THROUGHPUT_LIMIT : 0 },
		{ "memory, largest", "MiB", t->memory_mib, t->memory_mib,
		  budget_mib * MEMORY_LIMIT },
		{ "4 KiB and fsync, p50", "us", t->change_p50_us, 0, 0 },
		{ "4 KiB and fsync, p99", "us", t->change_p99_us, 0, 0 },
		{ "written for 4 KiB", "KiB", t->change_kib, t->change_kib,
		  OVERWRITE_KIB_LIMIT },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		report_line(b, t, &lines[i]);
}

static void report(const struct bench *b)
{
	const struct target *floor = NULL;

	for (size_t i = 0; i < b->count; i++)
		if (is_floor(&b->targets[i]))
			floor = &b->targets[i];
	printf("%-26s %-8s %-10s %11s %11s %9s\n", "a large file", "unit",
	       "target", "figure", "judged", "limit");
	for (size_t i = 0; i < b->count; i++)
		report_target(b, &b->targets[i], floor);
}

/* Set-up */

static void target_remove(const struct target *t)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/" FILE_NAME, t->at.dir);
	if (unlink(path) != 0)
		client_die("unlink %s", path);
}

static void usage(void)
{
	fprintf(stderr, "usage: bench_bigfile " CLIENT_USAGE " [--bytes=N]\n"
		"\t[--memory=N] [--overwrites=N] NAME[@PID]=DIR ...\n");
	exit(2);
}

static void options_parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		CLIENT_OPTIONS,
		{ "bytes", required_argument, NULL, 'b' },
		{ "memory", required_argument, NULL, 'm' },
		{ "overwrites", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b': b->bytes = strtoull(optarg, NULL, 0); break;
		case 'm': b->memory_bytes = strtoull(optarg, NULL, 0); break;
		case 'o': b->overwrites = (unsigned)atoi(optarg); break;
		default:
			if (!client_option(&b->setup, c, optarg))
				usage();
		}
	}
	if (b->bytes == 0 || b->bytes % (SLICES * CHUNK_BYTES) != 0 ||
	    b->overwrites < 1 || b->overwrites > OVERWRITES_MAX ||
	    optind == argc)
		usage();
	for (; optind < argc; optind++)
		if (b->count == TARGETS_MAX ||
		    !client_parse(argv[optind], &b->targets[b->count++].at))
			usage();
}

int main(int argc, char **argv)
{
	struct bench b = {
		.bytes = 8ull << 30, .memory_bytes = 256ull << 20,
		.overwrites = 1000, .setup = CLIENT_SETUP,
	};

	options_parse(&b, argc, argv);
	client_begin(&b.setup);
	chunk_fill();
	each_slice(&b, run_in);
	each_slice(&b, run_out);
	for (size_t i = 0; i < b.count; i++) {
		struct target *t = &b.targets[i];

		if (!is_floor(t))
			run_changes(&b, t);
		if (t->at.pid)
			t->memory_mib = (double)proc_number(t, "status",
							    "VmHWM:") / 1024;
	}
	report(&b);
	client_end(&b.setup);
	for (size_t i = 0; i < b.count; i++)
		target_remove(&b.targets[i]);
	return 0;
}
