/*
 * Processes append lines to one file, each with O_APPEND and one write a line,
 * while another follows the file:
 *
 *	append FILE PROCESSES LINES
 *
 * Ends with 0 if at the end every line is there once, whole, those of a process
 * in their order, and what the follower read is the file from its beginning.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crowd.h"

#define LINE_BYTES_MAX 2048

struct appends {
	const char *path;
	int lines;
	_Atomic bool stops;
};

/* "process line xxxx…\n"; the number of x follows from the other two. */
static int make_line(int process, int line, char ret[LINE_BYTES_MAX])
{
	uint32_t mix = ((uint32_t)process * 7919 + (uint32_t)line) * 2654435761u;
	int n = snprintf(ret, 64, "%d %d ", process, line);
	int fill = (int)(mix >> 16) % (mix % 8 == 0 ? 1900 : 120);

	memset(ret + n, 'a' + process % 26, (size_t)fill);
	ret[n + fill] = '\n';
	return n + fill + 1;
}

static int append_work(int process, void *arg)
{
	struct appends *appends = arg;
	int fd = open(appends->path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	char line[LINE_BYTES_MAX];

	if (fd < 0)
		crowd_die("open", appends->path);
	for (int i = 0; i < appends->lines; i++) {
		int n = make_line(process, i, line);

		if (write(fd, line, (size_t)n) != n)
			crowd_die("append", appends->path);
	}
	if (close(fd) < 0)
		crowd_die("close", appends->path);
	return 0;
}

/* Reads to the end, which others move; then holds it against the file. */
static int follow_work(int index, void *arg)
{
	struct appends *appends = arg;
	int fd = open(appends->path, O_RDONLY);
	char seen[4096], want[4096];
	int other = open(appends->path, O_RDONLY);
	off_t at = 0;
	ssize_t n;
	bool was_stopped;

	(void)index;
	if (fd < 0 || other < 0)
		crowd_die("open", appends->path);
	close(other);
	do {
		was_stopped = appends->stops;
		n = read(fd, seen, sizeof(seen));
		if (n < 0)
			crowd_die("read", appends->path);
		if (n == 0)
			continue;
		other = open(appends->path, O_RDONLY);
		if (pread(other, want, (size_t)n, at) != n || memcmp(seen, want, (size_t)n)) {
			printf("the follower read other bytes at %ld\n", (long)at);
			return 1;
		}
		close(other);
		at += n;
	} while (n > 0 || !was_stopped);
	if (lseek(open(appends->path, O_RDONLY), 0, SEEK_END) != at) {
		printf("the follower ended at %ld\n", (long)at);
		return 1;
	}
	return 0;
}

/* How many lines are lost, broken or out of order. */
static int count_faults(const struct appends *appends, int processes)
{
	int next[CROWD_MAX] = { 0 }, faults = 0;
	char got[LINE_BYTES_MAX], want[LINE_BYTES_MAX];
	FILE *file = fopen(appends->path, "r");

	if (!file)
		crowd_die("open", appends->path);
	while (fgets(got, sizeof(got), file)) {
		int process = atoi(got), n;

		if (process < 0 || process >= processes) {
			faults++;
			continue;
		}
		n = make_line(process, next[process]++, want);
		faults += (size_t)n != strlen(got) || memcmp(got, want, (size_t)n);
	}
	fclose(file);
	for (int i = 0; i < processes; i++)
		faults += abs(appends->lines - next[i]);
	return faults;
}

int main(int argc, char **argv)
{
	struct appends *appends;
	struct crowd writers, follower;
	int failed, faults;

	if (argc != 4)
		crowd_die("append FILE PROCESSES LINES:", "");
	appends = crowd_memory(sizeof(*appends));
	appends->path = argv[1];
	appends->lines = atoi(argv[3]);
	close(open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644));
	crowd_start(&follower, 1, follow_work, appends);
	crowd_start(&writers, atoi(argv[2]), append_work, appends);
	failed = crowd_wait(&writers);
	appends->stops = true;
	failed += crowd_wait(&follower);
	faults = count_faults(appends, writers.n);
	printf("%d lines, lost or broken %d, failed processes %d\n",
	       writers.n * appends->lines, faults, failed);
	return failed || faults;
}
