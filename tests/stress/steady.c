/*
 * Rounds of mixed work that each leave the tree as it was:
 *
 *	steady DIRECTORY PID ROUNDS
 *
 * What the daemon PID holds after a third of the rounds may not have grown at
 * the end by more than stands below. Prints both.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "content.h"
#include "crowd.h"

#define FILES 200
#define MEMORY_GROWTH_MAX_KB 2048
#define THREADS_GROWTH_MAX 8
/* So many value files are kept open at most. */
#define DESCRIPTORS_GROWTH_MAX 128

struct held {
	long memory_kb, threads, descriptors;
};

static const char *directory;

static void name(char ret[4096], const char *of, int i)
{
	snprintf(ret, 4096, "%s/%s/%d", directory, of, i);
}

static void must(bool is_so, const char *what, const char *path)
{
	if (!is_so)
		crowd_die(what, path);
}

static long field(const char *text, const char *of)
{
	const char *at = strstr(text, of);

	must(at != NULL, "find", of);
	return strtol(at + strlen(of), NULL, 10);
}

static void take_held(const char *pid, struct held *ret)
{
	char path[64], text[4096] = "";
	DIR *dir;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "r");
	must(file && fread(text, 1, sizeof(text) - 1, file) > 0, "read", path);
	fclose(file);
	ret->memory_kb = field(text, "RssAnon:");
	ret->threads = field(text, "Threads:");
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	must(dir != NULL, "open", path);
	for (ret->descriptors = 0; readdir(dir);)
		ret->descriptors++;
	closedir(dir);
}

static void put(const char *path, int flags, uint64_t number, size_t n)
{
	static uint8_t bytes[CONTENT_BYTES_MAX + 8];
	int fd = open(path, O_WRONLY | flags, 0644);

	content_fill((uint32_t)n, number, n, bytes);
	must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0,
	     "write", path);
}

/* A few are larger than what is kept in memory. */
static size_t size_of(int i)
{
	return i % 50 == 0 ? CONTENT_BYTES_MAX : i % 10 == 0 ? 9000 : 100;
}

static void fill(uint64_t round)
{
	char path[4096], other[4096];

	for (int i = 0; i < FILES; i++) {
		name(path, "d", i);
		name(other, "e", i);
		put(path, O_CREAT | O_EXCL, round, size_of(i));
		put(path, O_TRUNC, round + 1, size_of(i));
		put(path, O_APPEND, round + 2, 50);
		must(setxattr(path, "user.n", path, 20, 0) == 0, "setxattr",
		     path);
		must(chmod(path, 0600) == 0, "chmod", path);
		must(i % 2 || rename(path, other) == 0, "rename", path);
		name(path, "f", i);
		must(mkdir(path, 0755) == 0, "mkdir", path);
	}
}

static int count(const char *of)
{
	char path[4096];
	struct stat st;
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, of);
	dir = opendir(path);
	must(dir != NULL, "open", path);
	while ((entry = readdir(dir))) {
		must(fstatat(dirfd(dir), entry->d_name, &st,
			     AT_SYMLINK_NOFOLLOW) == 0, "stat", path);
		n += entry->d_name[0] != '.';
	}
	closedir(dir);
	return n;
}

static void empty(void)
{
	char path[4096], other[4096];

	for (int i = 0; i < FILES; i++) {
		name(path, "d", i);
		name(other, "e", i);
		must(unlink(i % 2 ? path : other) == 0, "unlink", path);
		name(path, "f", i);
		must(rmdir(path) == 0, "rmdir", path);
	}
}

static void work(uint64_t round)
{
	char path[4096], other[4096];

	fill(round);
	must(count("d") + count("e") == FILES && count("f") == FILES, "count",
	     directory);
	snprintf(path, sizeof(path), "%s/f", directory);
	snprintf(other, sizeof(other), "%s/g", directory);
	must(rename(path, other) == 0 && rename(other, path) == 0, "rename",
	     path);
	put(other, O_CREAT, round, 1000);
	must(unlink(other) == 0, "unlink", other);
	empty();
}

static bool has_grown(const struct held *before, const struct held *after)
{
	return after->memory_kb > before->memory_kb + MEMORY_GROWTH_MAX_KB ||
	       after->threads > before->threads + THREADS_GROWTH_MAX ||
	       after->descriptors >
		       before->descriptors + DESCRIPTORS_GROWTH_MAX;
}

int main(int argc, char **argv)
{
	struct held before = { 0 }, after = { 0 };
	uint64_t rounds;
	char path[4096];

	if (argc != 4) {
		fprintf(stderr, "usage: steady DIRECTORY PID ROUNDS\n");
		return 2;
	}
	directory = argv[1];
	rounds = strtoull(argv[3], NULL, 10);
	for (const char *of = "def"; *of; of++) {
		snprintf(path, sizeof(path), "%s/%c", directory, *of);
		must(mkdir(path, 0755) == 0, "mkdir", path);
	}
	for (uint64_t round = 1; round <= rounds; round++) {
		work(round * 1000);
		take_held(argv[2], &after);
		if (round == rounds / 3)
			before = after;
	}
	printf("after a third: %ld KiB, %ld threads, %ld descriptors\n",
	       before.memory_kb, before.threads, before.descriptors);
	printf("in the end:    %ld KiB, %ld threads, %ld descriptors\n",
	       after.memory_kb, after.threads, after.descriptors);
	return has_grown(&before, &after) ? 1 : 0;
}
