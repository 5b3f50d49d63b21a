/*
 * Writers replace values while others read them and ask for their size:
 *
 *	torn DIRECTORY READS
 *
 * Writers rewrite with O_TRUNC, in several writes, or write another file and
 * rename it. Readers open, read all, keep the descriptor and read it again.
 * Others, which have nothing open, ask for sizes and times by path. Ends with 0
 * after so many reads and at least as many questions if
 *
 * 1. whatever was read is one version, whole, and the same when read again;
 * 2. it was not older than the last version whose close had returned before
 *    the open, and not newer than the last one begun;
 * 3. fstat of a handle gives the number of bytes that it reads;
 * 4. stat by path gives the size of a version that was current while it ran,
 *    and mtime never goes back where there is one writer.
 *
 * Prints reads, stats, versions and the number of each fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "content.h"
#include "crowd.h"

#define KEYS 6
#define OWN_KEYS 3		/* key i < OWN_KEYS belongs to writer i alone */
#define WRITERS 3
#define READERS 2
#define ASKERS 1
#define HISTORY 65536		/* sizes remembered of a writer's key */

/* One writer's versions of one key. All fields atomic. */
struct versions {
	_Atomic uint64_t begun, committed;
	_Atomic uint32_t sizes[HISTORY];
};

struct stress {
	uint64_t reads_wanted;
	_Atomic uint64_t reads, stats, written;
	_Atomic uint64_t torn, changed, stale, wrong_fstat, wrong_stat, back;
	_Atomic int stops;
	struct versions of[WRITERS][KEYS];
};

static struct stress *stress;
static uint8_t buf[CONTENT_BYTES_MAX + 65536];

static void key_name(int key, char ret[16])
{
	snprintf(ret, 16, "key-%d", key);
}

/* Writers. */

static void write_all(int fd, const uint8_t *bytes, size_t n, const char *name)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done <= 0)
			crowd_die("write", name);
		bytes += done;
		n -= (size_t)done;
	}
}

static void write_pieces(int fd, size_t size, uint64_t *random, const char *name)
{
	size_t pieces = 1 + content_next(random) % 6, done = 0;

	for (size_t i = 1; i <= pieces; i++) {
		size_t end = i == pieces ? size : size * i / pieces;

		write_all(fd, buf + done, end - done, name);
		done = end;
	}
	if (content_next(random) % 16 == 0 && fsync(fd) < 0)
		crowd_die("fsync", name);
	if (close(fd) < 0)
		crowd_die("close", name);
}

static void rewrite(int writer, int key, uint64_t *random)
{
	struct versions *v = &stress->of[writer][key];
	uint64_t number = v->begun + 1;
	size_t size = content_size(random);
	unsigned way = (unsigned)(content_next(random) % 8);
	int flags = way == 1 ? O_RDWR : way == 2 ? O_WRONLY | O_CREAT : O_WRONLY;
	char name[16], other[32];
	int fd;

	key_name(key, name);
	snprintf(other, sizeof(other), "%s.%d", name, writer);
	v->sizes[number % HISTORY] = (uint32_t)size;
	v->begun = number;
	content_fill((uint32_t)key, number << 8 | (unsigned)writer, size, buf);
	if (way == 0) {
		fd = open(other, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			crowd_die("create", other);
		write_pieces(fd, size, random, other);
		if (rename(other, name) < 0)
			crowd_die("rename", other);
	} else {
		fd = open(name, flags | O_TRUNC, 0644);
		if (fd < 0)
			crowd_die("open for writing", name);
		write_pieces(fd, size, random, name);
	}
	v->committed = number;
	stress->written++;
}

static int writer_work(int writer, void *arg)
{
	uint64_t random = (uint64_t)writer + 1;

	(void)arg;
	while (!stress->stops) {
		int key = (int)(content_next(&random) % KEYS);

		rewrite(writer, key < OWN_KEYS ? writer : key, &random);
	}
	return 0;
}

/* Which versions may be seen. */

struct window {
	uint64_t low[WRITERS];	/* committed before it opened */
};

static void window_open(int key, struct window *ret)
{
	for (int w = 0; w < WRITERS; w++)
		ret->low[w] = stress->of[w][key].committed;
}

static bool window_has_number(const struct window *window, int key, uint64_t number)
{
	unsigned w = number & 255;

	return w < WRITERS && number >> 8 >= window->low[w] &&
	       number >> 8 <= stress->of[w][key].begun;
}

static bool window_has_size(const struct window *window, int key, uint64_t size)
{
	for (int w = 0; w < WRITERS; w++) {
		struct versions *v = &stress->of[w][key];
		uint64_t high = v->begun, n = window->low[w] ? window->low[w] : 1;

		for (; n <= high; n++)
			if (v->sizes[n % HISTORY] == size)
				return true;
	}
	return false;
}

/* Readers. */

struct kept {
	int fd;			/* -1: none */
	uint64_t number;
	size_t size;
};

static size_t read_whole(int fd, bool by_position, uint64_t *random)
{
	size_t n = 0;
	ssize_t got;

	do {
		size_t want = 1 + content_next(random) % 65536;

		got = by_position ? pread(fd, buf + n, want, (off_t)n)
				  : read(fd, buf + n, want);
		if (got < 0)
			crowd_die("read", "");
		n += (size_t)got;
	} while (got > 0 && n <= CONTENT_BYTES_MAX);
	return n;
}

static void check_fstat(int fd, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		crowd_die("fstat", "");
	stress->wrong_fstat += (size_t)st.st_size != size;
}

static void read_fresh(int key, struct kept *kept, uint64_t *random)
{
	struct window window;
	struct stat st;
	char name[16];

	key_name(key, name);
	window_open(key, &window);
	kept->fd = open(name, O_RDONLY);
	if (kept->fd < 0 || fstat(kept->fd, &st) < 0)
		crowd_die("open", name);
	kept->size = read_whole(kept->fd, false, random);
	stress->wrong_fstat += (size_t)st.st_size != kept->size;
	if (!content_is_whole((uint32_t)key, buf, kept->size, &kept->number))
		stress->torn++;
	else if (kept->size >= CONTENT_HEAD_BYTES
		 ? !window_has_number(&window, key, kept->number)
		 : !window_has_size(&window, key, kept->size))
		stress->stale++;
	check_fstat(kept->fd, kept->size);
}

static void read_again(int key, const struct kept *kept, uint64_t *random)
{
	size_t size = read_whole(kept->fd, true, random);
	uint64_t number = 0;

	if (!content_is_whole((uint32_t)key, buf, size, &number))
		stress->torn++;
	stress->changed += size != kept->size || number != kept->number;
	check_fstat(kept->fd, size);
}

static int reader_work(int reader, void *arg)
{
	uint64_t random = 1000 + (uint64_t)reader;
	struct kept kept[KEYS];

	(void)arg;
	for (int key = 0; key < KEYS; key++)
		kept[key].fd = -1;
	while (stress->reads++ < stress->reads_wanted) {
		int key = (int)(content_next(&random) % KEYS);

		if (kept[key].fd < 0)
			read_fresh(key, &kept[key], &random);
		else
			read_again(key, &kept[key], &random);
		if (content_next(&random) % 2) {
			close(kept[key].fd);
			kept[key].fd = -1;
		}
	}
	return 0;
}

static int asker_work(int asker, void *arg)
{
	uint64_t random = 2000 + (uint64_t)asker;
	int64_t latest[KEYS] = { 0 };

	(void)arg;
	while (stress->stats++ < stress->reads_wanted) {
		int key = (int)(content_next(&random) % KEYS);
		struct window window;
		struct stat st;
		char name[16];
		int64_t at;

		key_name(key, name);
		window_open(key, &window);
		if (stat(name, &st) < 0)
			crowd_die("stat", name);
		if (!window_has_size(&window, key, (uint64_t)st.st_size))
			stress->wrong_stat++;
		at = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		stress->back += key < OWN_KEYS && at < latest[key];
		latest[key] = at;
	}
	return 0;
}

/* All together. */

/* Every key has a version before the others begin. */
static void write_first(void)
{
	uint64_t random = 1;

	for (int key = 0; key < KEYS; key++) {
		char name[16];

		key_name(key, name);
		close(open(name, O_WRONLY | O_CREAT, 0644));
		rewrite(key % WRITERS, key, &random);
	}
}

static int run_all(void)
{
	struct crowd writers, readers, askers;
	int failed;

	crowd_start(&writers, WRITERS, writer_work, NULL);
	crowd_start(&readers, READERS, reader_work, NULL);
	crowd_start(&askers, ASKERS, asker_work, NULL);
	failed = crowd_wait(&readers) + crowd_wait(&askers);
	stress->stops = 1;
	return failed + crowd_wait(&writers);
}

int main(int argc, char **argv)
{
	int failed;

	if (argc != 3 || chdir(argv[1]) < 0)
		crowd_die("torn DIRECTORY READS:", argc > 1 ? argv[1] : "");
	stress = crowd_memory(sizeof(*stress));
	stress->reads_wanted = strtoull(argv[2], NULL, 10);
	write_first();
	failed = run_all();
	printf("reads %lu stats %lu versions %lu\n", stress->reads, stress->stats,
	       stress->written);
	printf("torn %lu changed %lu stale %lu wrong-fstat %lu wrong-stat %lu "
	       "mtime-back %lu failed-processes %d\n", stress->torn,
	       stress->changed, stress->stale, stress->wrong_fstat,
	       stress->wrong_stat, stress->back, failed);
	return failed || stress->torn || stress->changed || stress->stale ||
	       stress->wrong_fstat || stress->wrong_stat || stress->back;
}
