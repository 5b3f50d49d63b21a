/*
 * Keys that are changed together through batches, by writers that overlap, while
 * readers read all of them:
 *
 *	batches run MOUNT READS
 *	batches hold MOUNT
 *	batches check MOUNT LEAST MOST
 *
 * A writer makes a batch, reads the counter in it, replaces counter and keys by
 * their next version, and commits; after a conflict it begins again. Readers take
 * a snapshot or a batch of their own, or read the live keys in their order. Ends
 * with 0 after so many rounds of reading if
 *
 * 1. every value that was read is one version, whole;
 * 2. in a snapshot or a batch all are of the same version, and in the live tree
 *    none is older than one that was read before it;
 * 3. that version is not older than the last whose commit had returned before,
 *    nor newer than the last one begun;
 * 4. the counter is as large as there were successful commits.
 *
 * hold: the writers go on until the daemon is gone, of which "held" on standard
 * output says that they began; it ends with "least N most N", what a new mount may
 * show. check: it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "content.h"
#include "crowd.h"

#define SCOPE "together/keys"
#define KEYS 10
#define COUNTER KEYS		/* one more key */
#define WRITERS 2
#define READERS 10
#define VALUE_BYTES_MAX 20000
#define COMMITS_HELD 20

struct stress {
	uint64_t reads_wanted;
	bool is_held;
	_Atomic uint64_t reads, begun, committed, commits, conflicts;
	_Atomic uint64_t torn, mixed, stale, lost;
	_Atomic int stops;
};

static struct stress *stress;
static int root;
static uint8_t buf[CONTENT_BYTES_MAX];

/* A daemon that is gone ends a held writer. */
static _Noreturn void fail(const char *what, const char *path)
{
	if (stress->is_held && (errno == ENOTCONN || errno == ECONNABORTED))
		exit(0);
	crowd_die(what, path);
}

static void raise_to(_Atomic uint64_t *number, uint64_t n)
{
	uint64_t now = *number;

	while (now < n && !atomic_compare_exchange_weak(number, &now, n))
		;
}

/* Below a view: "" is the live tree, else with a slash at its end. */
static void key_path(const char *view, int key, char ret[128])
{
	snprintf(ret, 128, "%s" SCOPE "/%s%.*d", view,
		 key == COUNTER ? "counter" : "key-", key != COUNTER,
		 key == COUNTER ? 0 : key);
}

static size_t value_bytes(uint64_t *random)
{
	size_t size = content_size(random) % VALUE_BYTES_MAX;

	return size < CONTENT_HEAD_BYTES ? CONTENT_HEAD_BYTES : size;
}

/* The version that a view has of a key; 0: not one that is whole. */
static uint64_t key_read(const char *view, int key)
{
	uint64_t number = 0;
	size_t n = 0;
	char path[128];
	ssize_t got;
	int fd;

	key_path(view, key, path);
	fd = openat(root, path, O_RDONLY);
	if (fd < 0)
		fail("open", path);
	do {
		got = read(fd, buf + n, sizeof(buf) - n);
		if (got < 0)
			fail("read", path);
		n += (size_t)got;
	} while (got > 0 && n < sizeof(buf));
	close(fd);
	return content_is_whole((uint32_t)key, buf, n, &number) ? number : 0;
}

/* In several writes, in place or under another name. */
static void key_write(const char *view, int key, uint64_t number,
		      uint64_t *random)
{
	size_t size = value_bytes(random), half = size / 2;
	bool is_renamed = content_next(random) % 4 == 0;
	char path[128], other[140];
	int fd;

	key_path(view, key, path);
	snprintf(other, sizeof(other), "%s%s", path, is_renamed ? ".new" : "");
	content_fill((uint32_t)key, number, size, buf);
	fd = openat(root, other, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		fail("open for writing", other);
	if (write(fd, buf, half) != (ssize_t)half ||
	    write(fd, buf + half, size - half) != (ssize_t)(size - half))
		fail("write", other);
	if (close(fd) < 0)
		fail("close", other);
	if (is_renamed && renameat(root, other, root, path) < 0)
		fail("rename", other);
}

static void all_write(const char *view, uint64_t number, uint64_t *random)
{
	for (int i = 0; i <= KEYS; i++)
		key_write(view, (int)((number + (unsigned)i) % (KEYS + 1)),
			  number, random);
}

/* Writers. */

/* 0, or why the batch could not be commited. */
static int commit(const char *name)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s.control", name);
	fd = openat(root, path, O_WRONLY);
	if (fd < 0)
		fail("open", path);
	if (write(fd, "commit\n", 7) < 0)
		err = errno;
	close(fd);
	return err;
}

/* One batch: true if it was committed. */
static bool batch_try(const char *name, uint64_t *random)
{
	uint64_t number;

	if (mkdirat(root, name, 0755) < 0)
		fail("mkdir", name);
	number = key_read(name, COUNTER) + 1;
	stress->torn += number == 1;
	all_write(name, number, random);
	raise_to(&stress->begun, number);
	errno = commit(name);
	if (errno == 0) {
		raise_to(&stress->committed, number);
		stress->commits++;
		return true;
	}
	if (errno != ESTALE)
		fail("commit", name);
	stress->conflicts++;
	if (unlinkat(root, name, AT_REMOVEDIR) < 0)
		fail("rmdir", name);
	return false;
}

static int writer_work(int writer, void *arg)
{
	uint64_t random = (uint64_t)writer + 1;
	char name[64];

	(void)arg;
	snprintf(name, sizeof(name), ".batch/writer-%d/", writer);
	while (!stress->stops)
		batch_try(name, &random);
	return 0;
}

/* Readers. */

static void check_seen(uint64_t low, uint64_t high, uint64_t seen)
{
	stress->stale += seen < low || seen > high;
}

/* All keys of a view that nobody changes. */
static void read_view(const char *view, uint64_t low)
{
	uint64_t first = key_read(view, COUNTER), high = stress->begun;

	stress->torn += first == 0;
	for (int key = 0; key < KEYS; key++) {
		uint64_t number = key_read(view, key);

		stress->torn += number == 0;
		stress->mixed += number != first;
	}
	check_seen(low, high, first);
}

static void read_live(int from)
{
	uint64_t low = stress->committed, number;

	for (int i = 0; i <= KEYS; i++) {
		number = key_read("", (from + i) % (KEYS + 1));
		stress->torn += number == 0;
		stress->mixed += number && number < low;
		check_seen(0, stress->begun, number);
		low = number;
	}
}

static void read_fresh(const char *directory, int reader, uint64_t round)
{
	uint64_t low = stress->committed;
	char name[64];

	snprintf(name, sizeof(name), "%s/reader-%d-%lu/", directory, reader,
		 (unsigned long)round);
	if (mkdirat(root, name, 0755) < 0)
		fail("mkdir", name);
	read_view(name, low);
	if (unlinkat(root, name, AT_REMOVEDIR) < 0)
		fail("rmdir", name);
}

static int reader_work(int reader, void *arg)
{
	uint64_t random = 1000 + (uint64_t)reader, round;

	(void)arg;
	while ((round = stress->reads++) < stress->reads_wanted) {
		unsigned way = (unsigned)(content_next(&random) % 4);

		if (way == 0)
			read_live((int)(content_next(&random) % KEYS));
		else
			read_fresh(way == 1 ? ".batch" : ".snap", reader, round);
	}
	return 0;
}

/* All together. */

static void write_first(void)
{
	uint64_t random = 1;

	if ((mkdirat(root, "together", 0755) < 0 ||
	     mkdirat(root, SCOPE, 0755) < 0) && errno != EEXIST)
		crowd_die("mkdir", SCOPE);
	all_write("", 1, &random);
	stress->begun = stress->committed = 1;
}

static int report(int failed)
{
	printf("commits %lu conflicts %lu\n", stress->commits, stress->conflicts);
	printf("torn %lu mixed %lu stale %lu lost %ld failed-processes %d\n",
	       stress->torn, stress->mixed, stress->stale, (long)stress->lost,
	       failed);
	return failed || stress->torn || stress->mixed || stress->stale ||
	       stress->lost;
}

static int run_all(uint64_t reads)
{
	struct crowd writers, readers;
	int failed;

	write_first();
	stress->reads_wanted = reads;
	crowd_start(&writers, WRITERS, writer_work, NULL);
	crowd_start(&readers, READERS, reader_work, NULL);
	failed = crowd_wait(&readers);
	stress->stops = 1;
	failed += crowd_wait(&writers);
	stress->lost = 1 + stress->commits - key_read("", COUNTER);
	return report(failed);
}

static int hold(void)
{
	struct crowd writers;
	siginfo_t ended = { 0 };
	int failed;

	write_first();
	stress->is_held = true;
	crowd_start(&writers, WRITERS, writer_work, NULL);
	while (stress->commits < COMMITS_HELD && !ended.si_pid &&
	       sched_yield() == 0)
		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0)
			crowd_die("waiting", "for a process");
	puts("held");
	fflush(stdout);
	failed = crowd_wait(&writers);
	printf("least %lu most %lu\n", stress->committed, stress->begun);
	return failed;
}

static int check(uint64_t least, uint64_t most)
{
	stress->begun = most;
	read_view("", least);
	return report(0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (argc < 3 || (root = open(argv[2], O_PATH | O_DIRECTORY)) < 0)
		crowd_die("batches run|hold|check MOUNT …:", argc > 2 ? argv[2] : "");
	stress = crowd_memory(sizeof(*stress));
	if (!strcmp(what, "run") && argc == 4)
		return run_all(strtoull(argv[3], NULL, 10));
	if (!strcmp(what, "hold"))
		return hold();
	if (!strcmp(what, "check") && argc == 5)
		return check(strtoull(argv[3], NULL, 10),
			     strtoull(argv[4], NULL, 10));
	crowd_die("batches run|hold|check MOUNT …:", what);
}
