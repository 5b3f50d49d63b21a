/*
 * A counter in a file, raised by several processes under a lock:
 *
 *	counter FILE flock|fcntl kept|reopened PROCESSES TIMES
 *
 * kept: every process opens the file once and keeps it. reopened: once for
 * every increment. Ends with 0 if no increment is lost.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>

#include "crowd.h"

struct counter {
	const char *path;
	bool is_flock, is_kept;
	int times;
};

static void lock(const struct counter *counter, int fd, bool is_on)
{
	struct flock range = { .l_type = is_on ? F_WRLCK : F_UNLCK };
	int rc = counter->is_flock ? flock(fd, is_on ? LOCK_EX : LOCK_UN)
				   : fcntl(fd, F_SETLKW, &range);

	if (rc < 0)
		crowd_die("lock", counter->path);
}

static long counter_read(const char *path, int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		crowd_die("read", path);
	return atol(text);
}

static void raise_by_one(const struct counter *counter, int fd)
{
	char text[32];
	int n;

	lock(counter, fd, true);
	n = snprintf(text, sizeof(text), "%012ld\n",
		     counter_read(counter->path, fd) + 1);
	if (pwrite(fd, text, (size_t)n, 0) != n)
		crowd_die("write", counter->path);
	/* A close commits, and has to come before another's turn. */
	if (counter->is_kept)
		lock(counter, fd, false);
	else if (close(fd) < 0)
		crowd_die("close", counter->path);
}

static int open_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0)
		crowd_die("open", path);
	return fd;
}

static int work(int index, void *arg)
{
	const struct counter *counter = arg;
	int fd = open_counter(counter->path);

	(void)index;
	for (int i = 0; i < counter->times; i++) {
		if (!counter->is_kept && i > 0)
			fd = open_counter(counter->path);
		raise_by_one(counter, fd);
	}
	if (counter->is_kept && close(fd) < 0)
		crowd_die("close", counter->path);
	return 0;
}

int main(int argc, char **argv)
{
	struct counter counter;
	struct crowd crowd;
	long want, got;
	int failed;

	if (argc != 6)
		crowd_die("counter FILE flock|fcntl kept|reopened PROCESSES TIMES:", "");
	counter = (struct counter){
		.path = argv[1],
		.is_flock = strcmp(argv[2], "flock") == 0,
		.is_kept = strcmp(argv[3], "kept") == 0,
		.times = atoi(argv[5]),
	};
	crowd_start(&crowd, atoi(argv[4]), work, &counter);
	failed = crowd_wait(&crowd);
	want = (long)crowd.n * counter.times;
	got = counter_read(argv[1], open_counter(argv[1]));
	printf("raised %ld times, reads %ld, failed processes %d\n", want, got, failed);
	return failed || got != want;
}
