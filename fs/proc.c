/*
 * Processes as /proc shows them.
 *
 * Every slot of the table keeps /proc/TID/stat and statm open. Descriptors are
 * bound to the thread, not to its number: once the thread is gone a read fails
 * with ESRCH, so a kept descriptor never tells about another thread. statm costs
 * a third of stat to read, and answers the most frequent questions: whether the
 * thread is still there, and whether it has begun to end, when it has no memory.
 *
 * Invariants:
 * 1. A slot's descriptors, thread, group and start time belong together; a
 *    failed read closes it. At most one slot per thread, at its number modulo
 *    the size.
 * 2. The group of a thread is read after its descriptors were opened, and before
 *    reads through both, so it is the same thread's.
 *
 * The lock is held over reads of /proc, which never wait for a disk or for the
 * process.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bits of the kernel's task flags. */
#define TASK_EXITING 0x4
#define TASK_SIGNALED 0x400

struct slot {
	pid_t tid, group;
	uint64_t start_ticks;	/* of the thread */
	int stat_fd, statm_fd;	/* -1: empty */
};

struct proc_table {
	pthread_mutex_t lock;
	size_t n;		/* constant after open */
	struct slot slots[];	/* guarded by lock */
};

/* The fields of /proc/TID/stat in use. */
struct stat_line {
	char state;
	pid_t parent;
	unsigned flags;
	long threads;
	uint64_t start_ticks;
	int exit_code;
};

int proc_table_new(size_t threads_max, struct proc_table **ret)
{
	struct proc_table *table;

	if (threads_max == 0)
		threads_max = 1;
	table = calloc(1, sizeof(*table) + threads_max * sizeof(table->slots[0]));
	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	table->n = threads_max;
	for (size_t i = 0; i < threads_max; i++)
		table->slots[i].stat_fd = table->slots[i].statm_fd = -1;
	*ret = table;
	return 0;
}

static void slot_empty(struct slot *slot)
{
	if (slot->stat_fd >= 0)
		close(slot->stat_fd);
	if (slot->statm_fd >= 0)
		close(slot->statm_fd);
	slot->stat_fd = slot->statm_fd = -1;
}

void proc_table_free(struct proc_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		slot_empty(&table->slots[i]);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

/* Reading. */

/* The n-th field of a line, counted from 1; text starts at field 3. */
static const char *field_at(const char *text, int n)
{
	for (int i = 3; i < n && text; i++) {
		text = strchr(text, ' ');
		text = text ? text + 1 : NULL;
	}
	return text;
}

static bool stat_parse(const char *text, struct stat_line *ret)
{
	/* The name in parentheses may hold anything, parentheses too. */
	const char *fields = strrchr(text, ')'), *threads, *exit_code;

	if (!fields || fields[1] != ' ')
		return false;
	fields += 2;
	threads = field_at(fields, 20);
	exit_code = field_at(fields, 52);
	if (sscanf(fields, "%c %d %*d %*d %*d %*d %u", &ret->state, &ret->parent,
		   &ret->flags) != 3 || !threads ||
	    sscanf(threads, "%ld %*d %" SCNu64, &ret->threads,
		   &ret->start_ticks) != 2)
		return false;
	ret->exit_code = exit_code ? atoi(exit_code) : 0;
	return true;
}

static bool fd_read(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

static int proc_open(pid_t tid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* 0: not readable. */
static pid_t group_read(pid_t tid)
{
	char text[1024];
	const char *line;
	int fd = proc_open(tid, "status");
	pid_t group = 0;

	if (fd < 0)
		return 0;
	if (fd_read(fd, text, sizeof(text))) {
		line = strstr(text, "\nTgid:");
		group = line ? (pid_t)atoi(line + 6) : 0;
	}
	close(fd);
	return group;
}

static bool line_read(struct slot *slot, struct stat_line *ret)
{
	char text[1024];

	return fd_read(slot->stat_fd, text, sizeof(text)) &&
	       stat_parse(text, ret);
}

/* False: the thread is gone. Memory it has until it begins to end. */
static bool memory_read(struct slot *slot, bool *ret_has_memory)
{
	char text[256];

	if (!fd_read(slot->statm_fd, text, sizeof(text)))
		return false;
	*ret_has_memory = text[0] != '0';
	return true;
}

static bool slot_fill(struct slot *slot, pid_t tid, bool *ret_has_memory)
{
	struct stat_line line;

	slot->tid = tid;
	slot->stat_fd = proc_open(tid, "stat");
	slot->statm_fd = proc_open(tid, "statm");
	if (slot->stat_fd < 0 || slot->statm_fd < 0)
		return false;
	slot->group = group_read(tid);
	if (slot->group <= 0 || !line_read(slot, &line) ||
	    !memory_read(slot, ret_has_memory))
		return false;
	slot->start_ticks = line.start_ticks;
	return true;
}

/* The thread's slot; NULL when it cannot be read. Under the lock. */
static struct slot *slot_of(struct proc_table *table, pid_t tid,
			    bool *ret_has_memory)
{
	struct slot *slot;

	if (tid <= 0)
		return NULL;
	slot = &table->slots[(size_t)tid % table->n];
	if (slot->stat_fd >= 0 && slot->tid == tid &&
	    memory_read(slot, ret_has_memory))
		return slot;
	slot_empty(slot);
	if (slot_fill(slot, tid, ret_has_memory))
		return slot;
	slot_empty(slot);
	return NULL;
}

static bool stat_read(struct proc_table *table, pid_t tid, struct stat_line *ret)
{
	struct slot *slot;
	bool is_read, has_memory;

	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, tid, &has_memory);
	is_read = slot && line_read(slot, ret);
	pthread_mutex_unlock(&table->lock);
	return is_read;
}

/* Questions. */

struct proc_id proc_identify(struct proc_table *table, pid_t tid)
{
	struct proc_id id = { .pid = tid };
	struct slot *slot;
	bool has_memory;

	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, tid, &has_memory);
	if (slot && slot->group != tid) {
		id.pid = slot->group;
		slot = slot_of(table, id.pid, &has_memory);
	}
	if (slot)
		id.start_ticks = slot->start_ticks;
	pthread_mutex_unlock(&table->lock);
	return id;
}

/* Reads the line of a process if it is still the same one. */
static bool id_read(struct proc_table *table, struct proc_id id,
		    struct stat_line *ret)
{
	return id.start_ticks && stat_read(table, id.pid, ret) &&
	       ret->start_ticks == id.start_ticks;
}

bool proc_is_alive(struct proc_table *table, struct proc_id id)
{
	struct stat_line line;

	if (!id_read(table, id, &line))
		return false;
	/* A first thread that has ended leaves the others running. */
	return line.threads > 1 || !(line.flags & TASK_EXITING ||
				     strchr("ZXx", line.state));
}

bool proc_was_killed(struct proc_table *table, pid_t tid)
{
	struct stat_line line;
	struct slot *slot;
	bool has_memory, is_ending;

	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, tid, &has_memory);
	is_ending = slot && !has_memory && line_read(slot, &line);
	pthread_mutex_unlock(&table->lock);
	/* Threads that another one's exit ends carry the flag as well, but the
	 * exit's code, in which a signal would be the low bits. */
	return is_ending && line.flags & TASK_SIGNALED &&
	       (line.exit_code & 0x7f) != 0;
}

size_t proc_ancestors(struct proc_table *table, struct proc_id id,
		      struct proc_id *ret, size_t max)
{
	struct stat_line line;
	size_t n = 0;

	if (!id_read(table, id, &line))
		return 0;
	while (n < max && line.parent > 1) {
		ret[n].pid = line.parent;
		if (!stat_read(table, line.parent, &line))
			break;
		ret[n++].start_ticks = line.start_ticks;
	}
	return n;
}
