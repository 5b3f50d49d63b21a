/*
 * Writers that keep a log, outside of the mount, of what they did in it:
 *
 *	shadow write DIRECTORY LOG PROCESSES	until the mount is gone
 *	shadow check DIRECTORY LOG PROCESSES
 *
 * Every process changes keys of its own in each of the ways below, one step
 * after the other; LOG.n says of each step when it began and, once the last
 * system call returned, that it is done. check ends with 0 if every key is as
 * its last step that is done left it, or as a later one that was begun did.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "content.h"
#include "crowd.h"

#define RECORD_BYTES 64
#define STEPS_MAX 1000000

enum way { REWRITE, REPLACE, APPEND, RECREATE, IN_PLACE, WAYS };

struct shadow {
	const char *log;
	int log_fd;
};

/* One key, and how far its steps came. */
struct key {
	enum way way;
	uint32_t id;
	char name[32], other[40];
	uint64_t begun, done;
};

static void key_init(struct key *key, int process, enum way way)
{
	*key = (struct key){ .way = way, .id = (uint32_t)(process * WAYS) + way };
	snprintf(key->name, sizeof(key->name), "%d-%d", process, way);
	snprintf(key->other, sizeof(key->other), "%s.new", key->name);
}

/* Write. */

/* What a program sees when the daemon is killed under it. */
static void end_if_gone(void)
{
	if (errno == ENOTCONN || errno == ECONNABORTED || errno == EIO)
		exit(0);
}

static void must(bool is_so, const char *what, const char *name)
{
	if (is_so)
		return;
	end_if_gone();
	crowd_die(what, name);
}

static void write_file(const char *name, int flags, const uint8_t *bytes, size_t n)
{
	int fd = open(name, flags, 0644);
	size_t half = n / 2;

	must(fd >= 0, "open", name);
	if (n <= RECORD_BYTES)
		half = 0;
	must(!half || write(fd, bytes, half) == (ssize_t)half, "write", name);
	must(write(fd, bytes + half, n - half) == (ssize_t)(n - half), "write", name);
	must(close(fd) == 0, "close", name);
}

static void step(const struct key *key)
{
	static uint8_t bytes[CONTENT_BYTES_MAX + 8];
	uint64_t random = key->begun ^ (uint64_t)key->id << 32;
	size_t n = content_size(&random) / 4 + CONTENT_HEAD_BYTES;

	if (key->way == APPEND || key->way == IN_PLACE)
		n = RECORD_BYTES;
	content_fill(key->id, key->begun, n, bytes);
	switch (key->way) {
	case REWRITE:
		write_file(key->name, O_WRONLY | O_CREAT | O_TRUNC, bytes, n);
		return;
	case REPLACE:
		write_file(key->other, O_WRONLY | O_CREAT | O_TRUNC, bytes, n);
		must(rename(key->other, key->name) == 0, "rename", key->name);
		return;
	case APPEND:
		write_file(key->name, O_WRONLY | O_CREAT | O_APPEND, bytes, n);
		return;
	case RECREATE:
		if (key->begun % 2)
			write_file(key->name, O_WRONLY | O_CREAT | O_EXCL, bytes, n);
		else
			must(unlink(key->name) == 0, "unlink", key->name);
		return;
	default:
		write_file(key->name, O_RDWR | O_CREAT, bytes, n);
	}
}

static void log_step(const struct shadow *shadow, const char *what,
		     const struct key *key)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %d %lu\n", what, key->way,
			 key->begun);

	if (write(shadow->log_fd, line, (size_t)n) != n)
		crowd_die("write", shadow->log);
}

static int log_open(const char *log, int process, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s.%d", log, process);
	fd = open(path, flags, 0644);
	if (fd < 0)
		crowd_die("open", path);
	return fd;
}

static int write_work(int process, void *arg)
{
	struct shadow *shadow = arg;
	struct key keys[WAYS];

	shadow->log_fd = log_open(shadow->log, process, O_WRONLY | O_CREAT | O_TRUNC);
	for (int way = 0; way < WAYS; way++)
		key_init(&keys[way], process, (enum way)way);
	for (uint64_t i = 0; i < STEPS_MAX; i++) {
		struct key *key = &keys[i % WAYS];

		key->begun++;
		log_step(shadow, "begun", key);
		step(key);
		log_step(shadow, "done", key);
	}
	return 0;
}

/* Check. */

static void read_log(const char *log, int process, struct key keys[WAYS])
{
	FILE *file = fdopen(log_open(log, process, O_RDONLY), "r");
	char what[16];
	uint64_t number;
	int way;

	while (fscanf(file, "%15s %d %lu", what, &way, &number) == 3) {
		if (way < 0 || way >= WAYS)
			continue;
		if (strcmp(what, "done") == 0)
			keys[way].done = number;
		else
			keys[way].begun = number;
	}
	fclose(file);
}

/* Bytes of the file, -1 if there is none. */
static ssize_t load(const char *name, uint8_t *buf, size_t size)
{
	int fd = open(name, O_RDONLY);
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0 && errno == ENOENT)
		return -1;
	while (fd >= 0 && got > 0 && n < size) {
		got = read(fd, buf + n, size - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fd < 0 || got < 0)
		crowd_die("read", name);
	close(fd);
	return (ssize_t)n;
}

static bool records_are_right(const struct key *key, const uint8_t *bytes, size_t n)
{
	uint64_t number;

	if (n % RECORD_BYTES || n / RECORD_BYTES < key->done ||
	    n / RECORD_BYTES > key->begun)
		return false;
	for (size_t i = 0; i < n / RECORD_BYTES; i++)
		if (!content_is_whole(key->id, bytes + i * RECORD_BYTES,
				      RECORD_BYTES, &number) || number != i + 1)
			return false;
	return true;
}

static bool key_is_right(const struct key *key)
{
	static uint8_t bytes[16 << 20];
	ssize_t n = load(key->name, bytes, sizeof(bytes));
	uint64_t number = 0;

	if (key->way == APPEND && n >= 0)
		return records_are_right(key, bytes, (size_t)n);
	if (n < 0)
		return key->done == 0 ||
		       (key->way == RECREATE &&
			(key->done % 2 == 0 || key->begun > key->done));
	if (!content_is_whole(key->id, bytes, (size_t)n, &number))
		return false;
	return number >= key->done && number <= key->begun &&
	       (key->way != RECREATE || number % 2);
}

/* What is to be renamed may be left, but whole. */
static bool other_is_right(const struct key *key)
{
	static uint8_t bytes[CONTENT_BYTES_MAX];
	ssize_t n = load(key->other, bytes, sizeof(bytes));
	uint64_t number;

	return n < 0 || (content_is_whole(key->id, bytes, (size_t)n, &number) &&
			 number == key->begun);
}

static int check(const char *log, int processes)
{
	uint64_t steps = 0;
	int wrong = 0;

	for (int process = 0; process < processes; process++) {
		struct key keys[WAYS];

		for (int way = 0; way < WAYS; way++)
			key_init(&keys[way], process, (enum way)way);
		read_log(log, process, keys);
		for (int way = 0; way < WAYS; way++) {
			steps += keys[way].done;
			if (key_is_right(&keys[way]) && other_is_right(&keys[way]))
				continue;
			printf("%s is wrong: done %lu, begun %lu\n", keys[way].name,
			       keys[way].done, keys[way].begun);
			wrong++;
		}
	}
	printf("%lu steps done, %d keys wrong\n", steps, wrong);
	return wrong > 0 || steps == 0;
}

int main(int argc, char **argv)
{
	struct shadow shadow;
	struct crowd crowd;

	if (argc != 5 || chdir(argv[2]) < 0)
		crowd_die("shadow write|check DIRECTORY LOG PROCESSES:",
			  argc > 2 ? argv[2] : "");
	if (strcmp(argv[1], "check") == 0)
		return check(argv[3], atoi(argv[4]));
	shadow = (struct shadow){ .log = argv[3] };
	crowd_start(&crowd, atoi(argv[4]), write_work, &shadow);
	return crowd_wait(&crowd);
}
