/*
 * malloc tells what it gave away from its heap; its large blocks are mappings
 * like those that a program makes itself, and are seen in /proc/self/smaps. A
 * stack is a mapping without a name too, known by the size that threads get.
 */
#include "footprint.h"
#include "peer.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

void footprint_init(void)
{
	mallopt(M_ARENA_MAX, 1);
}

static uint64_t stack_bytes(void)
{
	pthread_attr_t attr;
	size_t bytes = 0;

	if (pthread_getattr_default_np(&attr) == 0) {
		pthread_attr_getstacksize(&attr, &bytes);
		pthread_attr_destroy(&attr);
	}
	return bytes;
}

/* The first line of a mapping: true if it is anonymous and no stack. */
static bool is_counted(const char *line, uint64_t stack)
{
	unsigned long long from, to, inode;
	int name_at = 0;

	if (sscanf(line, "%llx-%llx %*s %*x %*s %llu %n", &from, &to, &inode,
		   &name_at) < 3)
		return false;
	return inode == 0 && (line[name_at] == '\0' || line[name_at] == '\n') &&
	       to - from != stack;
}

static int mapped_bytes(uint64_t *ret)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t sum = 0, stack = stack_bytes();
	unsigned long long kib;
	bool counts = false;
	char line[512];

	if (!file)
		return peer_fail("bench", "/proc/self/smaps", "not readable");
	while (fgets(line, sizeof(line), file)) {
		if (line[0] >= 'A' && line[0] <= 'Z') {
			if (counts && sscanf(line, "Rss: %llu kB", &kib) == 1)
				sum += kib * 1024;
		} else {
			counts = is_counted(line, stack);
		}
	}
	fclose(file);
	*ret = sum;
	return 0;
}

int footprint_bytes(uint64_t *ret)
{
	uint64_t mapped = 0;

	if (mapped_bytes(&mapped) < 0)
		return -1;
	*ret = mapped + mallinfo2().uordblks;
	return 0;
}
