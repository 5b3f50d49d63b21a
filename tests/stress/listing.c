/*
 * Processes read one directory, from the start and from places they were told
 * (telldir, seekdir), while others make and remove files in it:
 *
 *	listing DIRECTORY READERS WRITERS PASSES
 *
 * Half of the files stay all the time. Ends with 0 if every reader was shown
 * each of these once in every pass, and no name twice. At the end it removes
 * all files while it lists them, and the directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "crowd.h"

#define STAYING 2000
#define PLACES_MAX 64

struct listing {
	const char *path;
	int readers, passes;
	atomic_int n_reading;
};

/* The names, one after the other; even numbers stay. */
static const char *name_of(int number)
{
	static char name[32];

	snprintf(name, sizeof(name), "f%05d%s", number,
		 number % 7 ? "" : "-and-more");
	return name;
}

static void make(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);

	if (fd < 0 || close(fd) < 0)
		crowd_die("create", name);
}

static void write_names(struct listing *listing, int dir, unsigned seed)
{
	while (listing->n_reading) {
		const char *name = name_of((int)(rand_r(&seed) % STAYING) * 2 +
					   1);

		if (rand_r(&seed) % 2)
			make(dir, name);
		else if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			crowd_die("unlink", name);
	}
}

/* What a pass was shown, in order, and where it was told it stood. */
struct pass {
	int shown[2 * STAYING];
	int n;
	struct {
		long place;
		int n;
	} told[PLACES_MAX];
	int n_told;
};

static void note(struct pass *pass, const char *name)
{
	if (name[0] == '.')
		return;
	if (pass->n == 2 * STAYING) {
		fprintf(stderr, "more names than there are\n");
		exit(1);
	}
	pass->shown[pass->n++] = atoi(name + 1);
}

static void tell_or_seek(struct pass *pass, DIR *dir, unsigned *seed)
{
	int at;

	if (rand_r(seed) % 100 == 0 && pass->n_told < PLACES_MAX) {
		pass->told[pass->n_told].place = telldir(dir);
		pass->told[pass->n_told++].n = pass->n;
	}
	if (rand_r(seed) % 1000 || !pass->n_told)
		return;
	at = (int)(rand_r(seed) % (unsigned)pass->n_told);
	seekdir(dir, pass->told[at].place);
	pass->n = pass->told[at].n;
	/* What was told later belongs to names that were forgotten here. */
	pass->n_told = at + 1;
}

static int check_pass(const struct pass *pass)
{
	static unsigned char times[2 * STAYING];
	int failed = 0;

	memset(times, 0, sizeof(times));
	for (int i = 0; i < pass->n; i++)
		times[pass->shown[i]]++;
	for (int i = 0; i < 2 * STAYING; i++) {
		if (times[i] == 1 || (i % 2 && times[i] == 0))
			continue;
		fprintf(stderr, "%s: shown %d times\n", name_of(i), times[i]);
		failed = 1;
	}
	return failed;
}

static int read_passes(struct listing *listing, unsigned seed)
{
	DIR *dir = opendir(listing->path);
	static struct pass pass;
	struct dirent *entry;
	int failed = 0;

	if (!dir)
		crowd_die("opendir", listing->path);
	for (int i = 0; i < listing->passes; i++) {
		pass.n = pass.n_told = 0;
		rewinddir(dir);
		while ((entry = readdir(dir))) {
			note(&pass, entry->d_name);
			tell_or_seek(&pass, dir, &seed);
		}
		failed |= check_pass(&pass);
	}
	closedir(dir);
	listing->n_reading--;
	return failed;
}

static int work(int process, void *arg)
{
	struct listing *listing = arg;
	int fd;

	if (process < listing->readers)
		return read_passes(listing, (unsigned)process + 1);
	fd = open(listing->path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		crowd_die("open", listing->path);
	write_names(listing, fd, (unsigned)process + 1);
	return 0;
}

static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		crowd_die("opendir", path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			crowd_die("unlink", entry->d_name);
	closedir(dir);
	if (rmdir(path) < 0)
		crowd_die("rmdir", path);
}

int main(int argc, char **argv)
{
	struct listing *listing = crowd_memory(sizeof(*listing));
	struct crowd crowd;
	int fd, failed;

	if (argc != 5)
		return 2;
	listing->path = argv[1];
	listing->readers = atoi(argv[2]);
	listing->passes = atoi(argv[4]);
	listing->n_reading = listing->readers;
	if (mkdir(listing->path, 0755) < 0)
		crowd_die("mkdir", listing->path);
	fd = open(listing->path, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < STAYING; i++)
		make(fd, name_of(2 * i));
	close(fd);
	crowd_start(&crowd, listing->readers + atoi(argv[3]), work, listing);
	failed = crowd_wait(&crowd);
	remove_all(listing->path);
	return failed ? 1 : 0;
}
