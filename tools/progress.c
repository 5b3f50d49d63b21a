/* The progress line. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 500000000
#define EVERY_NS 200000000
#define BAR_COLUMNS 30

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void progress_init_alone(struct progress *progress, enum progress_unit unit,
			 uint64_t total)
{
	progress->unit = unit;
	progress->total = total;
	progress->has_line = false;
	progress->is_shown = isatty(STDERR_FILENO);
	progress->next_ns = progress->is_shown ? now_ns() + FIRST_NS : 0;
}

void progress_init(struct progress *progress, enum progress_unit unit,
		   uint64_t total)
{
	progress_init_alone(progress, unit, total);
	progress->is_shown &= !isatty(STDOUT_FILENO);
}

static void bar_show(uint64_t done, uint64_t total)
{
	int columns = done < total ? (int)((double)done / (double)total *
					   BAR_COLUMNS) : BAR_COLUMNS;

	fputs("\r[", stderr);
	for (int i = 0; i < BAR_COLUMNS; i++)
		fputc(i < columns ? '#' : '.', stderr);
	fprintf(stderr, "] %.1f of %.1f MiB", (double)done / (1 << 20),
		(double)total / (1 << 20));
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
		bar_show(done, progress->total);
	else
		fprintf(stderr, "\r%.1f MiB", (double)done / (1 << 20));
	fflush(stderr);
}

void progress_release(struct progress *progress)
{
	if (progress->has_line)
		fputs("\r\033[K", stderr);
	progress->has_line = false;
}
