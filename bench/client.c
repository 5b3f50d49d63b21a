/*
 * It knows nothing of what is measured.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_die(const char *format, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, ap);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(ap);
	exit(2);
}

static FILE *append(const char *path)
{
	FILE *file = fopen(path, "ae");

	if (!file)
		client_die("%s", path);
	return file;
}

bool client_parse(char *arg, struct client_where *ret)
{
	char *dir = strchr(arg, '='), *pid;

	if (!dir)
		return false;
	*dir++ = '\0';
	pid = strchr(arg, '@');
	if (pid)
		*pid++ = '\0';
	*ret = (struct client_where){ arg, dir, pid ? (pid_t)atoi(pid) : 0 };
	return true;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		client_die("CPU %d", cpu);
}

bool client_option(struct client_setup *setup, int option, const char *value)
{
	switch (option) {
	case 'j': setup->json = append(value); return true;
	case 'c': setup->cpu = atoi(value); return true;
	case 's': setup->subject = value; return true;
	default: return false;
	}
}

void client_begin(const struct client_setup *setup)
{
	if (setup->cpu >= 0)
		pin(setup->cpu);
}

void client_end(struct client_setup *setup)
{
	if (setup->json && fclose(setup->json) != 0)
		client_die("the file of --json");
}

uint64_t client_clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		client_die("clock");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t client_wall_ns(void)
{
	return client_clock_ns(CLOCK_MONOTONIC);
}

static int compare_ns(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double client_median(double *of, size_t n)
{
	qsort(of, n, sizeof(*of), compare_double);
	return n % 2 ? of[n / 2] : (of[n / 2 - 1] + of[n / 2]) / 2;
}

void client_sort_ns(uint64_t *of, size_t n)
{
	qsort(of, n, sizeof(*of), compare_ns);
}

void client_drop_caches(const char *what)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, what, 1) != 1)
		client_die("drop_caches");
	close(fd);
}
