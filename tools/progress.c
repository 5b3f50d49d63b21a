/* The progress line. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 500000000
#define EVERY_NS 200000000

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void progress_init(struct progress *progress, enum progress_unit unit,
		   uint64_t total)
{
	progress->unit = unit;
	progress->total = total;
	progress->has_line = false;
	progress->is_shown = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	progress->next_ns = progress->is_shown ? now_ns() + FIRST_NS : 0;
}

void progress_show(struct progress *progress, uint64_t done)
{
	int64_t now;

	/* A look at the clock for every key would cost more than the key. */
	if (!progress->is_shown ||
	    (progress->unit == PROGRESS_KEYS && done % 256))
		return;
	now = now_ns();
	if (now < progress->next_ns)
		return;
	progress->next_ns = now + EVERY_NS;
	progress->has_line = true;
	if (progress->unit == PROGRESS_KEYS)
		fprintf(stderr, "\r%llu keys", (unsigned long long)done);
	else if (progress->total)
		fprintf(stderr, "\r%.1f of %.1f MiB", (double)done / (1 << 20),
			(double)progress->total / (1 << 20));
	else
		fprintf(stderr, "\r%.1f MiB", (double)done / (1 << 20));
	fflush(stderr);
}

void progress_release(struct progress *progress)
{
	if (progress->has_line)
		fputs("\r\033[K", stderr);
}
