/*
 * Writers that are killed in the midst of writing a whole value:
 *
 *	killed DIRECTORY ROUNDS
 *
 * In every round a process replaces a value again and again, and between two of
 * its writes, or at the close, it is killed. Ends with 0 if the key always
 * holds a whole version that was closed, or whose close was begun, and a key
 * that was being created is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "content.h"
#include "crowd.h"

#define KEY "key"
#define CREATED "created"
#define PIECES 8

/* What the killed process says of itself. All fields atomic. A version's number
 * is odd if it is to be the first of CREATED. */
struct progress {
	_Atomic uint64_t begun, closing, committed, calls;
};

static struct progress *progress;
static uint8_t buf[CONTENT_BYTES_MAX + 8];

static void write_version(const char *name, int flags, uint64_t *random)
{
	uint64_t number = (progress->begun | 1) + 1 + (name[0] == CREATED[0]);
	size_t size = content_size(random) + CONTENT_HEAD_BYTES * PIECES;
	size_t done = 0;
	int fd;

	if (size > CONTENT_BYTES_MAX)
		size = CONTENT_BYTES_MAX;
	content_fill(0, number, size, buf);
	progress->begun = number;
	fd = open(name, flags, 0644);
	progress->calls++;
	if (fd < 0)
		crowd_die("open", name);
	for (size_t i = 1; i <= PIECES; i++) {
		size_t end = size * i / PIECES;

		if (write(fd, buf + done, end - done) != (ssize_t)(end - done))
			crowd_die("write", name);
		progress->calls++;
		done = end;
	}
	progress->closing = number;
	if (close(fd) < 0)
		crowd_die("close", name);
	progress->committed = number;
	progress->calls++;
}

static int writer_work(int index, void *arg)
{
	uint64_t random = *(uint64_t *)arg;

	(void)index;
	for (;;) {
		write_version(KEY, O_WRONLY | O_TRUNC, &random);
		if (unlink(CREATED) < 0 && errno != ENOENT)
			crowd_die("unlink", CREATED);
		write_version(CREATED, O_WRONLY | O_CREAT | O_EXCL, &random);
	}
}

/* The number of the version in the file; 0: no file, or not a whole one. */
static uint64_t version_of(const char *name, bool *ret_is_there)
{
	static uint8_t bytes[CONTENT_BYTES_MAX + 1];
	uint64_t number = 0;
	int fd = open(name, O_RDONLY);
	size_t n = 0;
	ssize_t got = 1;

	*ret_is_there = fd >= 0;
	while (fd >= 0 && got > 0) {
		got = read(fd, bytes + n, sizeof(bytes) - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	return content_is_whole(0, bytes, n, &number) ? number : 0;
}

/* Is what it left what a killed writer may leave? */
static bool is_right(uint64_t *key_number)
{
	bool is_there, may_be_new = progress->closing == progress->begun;
	bool creates = progress->begun & 1;
	uint64_t number = version_of(KEY, &is_there), created;

	if (!is_there || number == 0 || number > progress->begun)
		return false;
	if (number == progress->begun && !may_be_new)
		return false;
	if (number < *key_number)
		return false;
	*key_number = number;
	created = version_of(CREATED, &is_there);
	if (!creates)
		return !is_there || created > 0;
	if (progress->committed == progress->begun)
		return is_there && created == progress->begun;
	return may_be_new ? !is_there || created == progress->begun : !is_there;
}

static int round_run(uint64_t *random, uint64_t *key_number)
{
	uint64_t calls = progress->calls + 1 + content_next(random) % (4 * PIECES);
	struct crowd crowd;
	int status = 0;

	crowd_start(&crowd, 1, writer_work, random);
	while (progress->calls < calls && kill(crowd.pids[0], 0) == 0 &&
	       waitpid(crowd.pids[0], &status, WNOHANG) == 0)
		sched_yield();
	if (progress->calls < calls) {
		printf("the writer ended by itself: status %d\n", status);
		return 1;
	}
	kill(crowd.pids[0], SIGKILL);
	waitpid(crowd.pids[0], &status, 0);
	if (is_right(key_number))
		return 0;
	printf("wrong after version %lu was begun, %lu closing, %lu committed\n",
	       progress->begun, progress->closing, progress->committed);
	return 1;
}

int main(int argc, char **argv)
{
	uint64_t random = 1, key_number = 0;
	int wrong = 0, rounds;

	if (argc != 3 || chdir(argv[1]) < 0)
		crowd_die("killed DIRECTORY ROUNDS:", argc > 1 ? argv[1] : "");
	rounds = atoi(argv[2]);
	progress = crowd_memory(sizeof(*progress));
	write_version(KEY, O_WRONLY | O_CREAT | O_EXCL, &random);
	for (int i = 0; i < rounds && wrong < 10; i++) {
		content_next(&random);
		wrong += round_run(&random, &key_number);
	}
	printf("%d rounds, %lu versions, wrong %d\n", rounds, progress->begun / 2, wrong);
	return wrong > 0;
}
