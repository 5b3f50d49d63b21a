/*
 * Processes as /proc shows them.
 *
 * Only status and statm are read of a thread that may live: newer kernels hold
 * other files, /proc/TID/stat among them, back while the process is in
 * execve(2), and there it may be waiting for the FLUSH of a close-on-exec
 * descriptor that is being answered here. A thread that is ending is in no
 * execve.
 *
 * Every slot of the table keeps both files open. A descriptor is bound to the
 * thread, not to its number: once the thread is gone a read fails with ESRCH, so
 * a kept descriptor never tells about another thread. statm costs an eighth of
 * status to read and answers what is asked most: whether the thread is still
 * there, and whether it has memory, which it gives back when it begins to end.
 *
 * Invariants:
 * 1. A slot's descriptors, thread, group and birth belong together; a failed
 *    read closes it. At most one slot per thread, at its number modulo the size.
 * 2. The birth of a thread is asked for after its descriptors were opened and
 *    before reads through both, so it is the same thread's.
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
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Bit of the kernel's task flags. */
#define TASK_SIGNALED 0x400

/* A file system of process descriptors, in which numbers are not used again. */
#define PIDFS_MAGIC 0x50494446

struct slot {
	pid_t tid, group;
	uint64_t birth;			/* 0: of a thread that leads no group */
	int status_fd, statm_fd;	/* -1: empty */
};

struct proc_table {
	pthread_mutex_t lock;
	size_t n;		/* constant after open */
	struct slot slots[];	/* guarded by lock */
};

/* What /proc/TID/status tells. */
struct status {
	pid_t group, parent;
	bool is_zombie;
	long threads;
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
		table->slots[i].status_fd = table->slots[i].statm_fd = -1;
	*ret = table;
	return 0;
}

static void slot_empty(struct slot *slot)
{
	if (slot->status_fd >= 0)
		close(slot->status_fd);
	if (slot->statm_fd >= 0)
		close(slot->statm_fd);
	slot->status_fd = slot->statm_fd = -1;
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

/* The number in a line of the text; `otherwise` if there is no such line. */
static long status_number(const char *text, const char *line, long otherwise)
{
	const char *at = strstr(text, line);

	return at ? atol(at + strlen(line)) : otherwise;
}

static bool status_parse(const char *text, struct status *ret)
{
	const char *state = strstr(text, "\nState:\t");

	ret->group = (pid_t)status_number(text, "\nTgid:", 0);
	ret->parent = (pid_t)status_number(text, "\nPPid:", 0);
	/* A long list of groups may leave these out. */
	ret->threads = status_number(text, "\nThreads:", 0);
	ret->is_zombie = state && strchr("ZXx", state[8]);
	return state && ret->group > 0;
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

/* The n-th field of /proc/TID/stat, counted from 1; n is over 2. 0: not
 * readable. Of a thread that is ending, or on a kernel without PIDFS, which
 * answers during execve too. */
static uint64_t stat_field(pid_t tid, int n)
{
	char text[1024];
	const char *at = NULL;
	int fd = proc_open(tid, "stat");

	if (fd < 0)
		return 0;
	/* The name in parentheses may hold anything, parentheses too. */
	if (fd_read(fd, text, sizeof(text)))
		at = strrchr(text, ')');
	for (int i = 2; i < n && at; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	close(fd);
	return at ? strtoull(at, NULL, 10) : 0;
}

/* 0: not the number of a process. */
static uint64_t birth_read(pid_t pid)
{
	struct statfs fs;
	struct stat stat;
	int fd = pidfd_open(pid, 0);
	bool is_unique;

	if (fd < 0)
		return 0;
	is_unique = fstatfs(fd, &fs) == 0 && fs.f_type == PIDFS_MAGIC &&
		    fstat(fd, &stat) == 0;
	close(fd);
	return is_unique ? stat.st_ino : stat_field(pid, 22);
}

static bool slot_read(const struct slot *slot, struct status *ret)
{
	char text[4096];

	return fd_read(slot->status_fd, text, sizeof(text)) &&
	       status_parse(text, ret);
}

/* False: the thread is gone. */
static bool memory_read(const struct slot *slot, bool *ret_has_memory)
{
	char text[256];

	if (!fd_read(slot->statm_fd, text, sizeof(text)))
		return false;
	*ret_has_memory = text[0] != '0';
	return true;
}

static bool slot_fill(struct slot *slot, pid_t tid, bool *ret_has_memory)
{
	struct status status;

	slot->tid = tid;
	slot->status_fd = proc_open(tid, "status");
	slot->statm_fd = proc_open(tid, "statm");
	if (slot->status_fd < 0 || slot->statm_fd < 0)
		return false;
	slot->birth = birth_read(tid);
	if (!slot_read(slot, &status) || !memory_read(slot, ret_has_memory))
		return false;
	slot->group = status.group;
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
	if (slot->status_fd >= 0 && slot->tid == tid &&
	    memory_read(slot, ret_has_memory))
		return slot;
	slot_empty(slot);
	if (slot_fill(slot, tid, ret_has_memory))
		return slot;
	slot_empty(slot);
	return NULL;
}

/* Under the lock. */
static struct slot *slot_of_group(struct proc_table *table, pid_t tid)
{
	bool has_memory;
	struct slot *slot = slot_of(table, tid, &has_memory);

	if (slot && slot->group != tid)
		slot = slot_of(table, slot->group, &has_memory);
	return slot;
}

/* Questions. */

struct proc_id proc_identify(struct proc_table *table, pid_t tid)
{
	struct proc_id id = { .pid = tid };
	struct slot *slot;

	pthread_mutex_lock(&table->lock);
	slot = slot_of_group(table, tid);
	if (slot) {
		id.pid = slot->tid;
		id.birth = slot->birth;
	}
	pthread_mutex_unlock(&table->lock);
	return id;
}

/* Reads the status of a process if it is still the same one. */
static bool id_read(struct proc_table *table, struct proc_id id,
		    bool *ret_has_memory, struct status *ret)
{
	struct slot *slot;
	bool is_read;

	if (!id.birth)
		return false;
	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, id.pid, ret_has_memory);
	is_read = slot && slot->birth == id.birth && slot_read(slot, ret);
	pthread_mutex_unlock(&table->lock);
	return is_read;
}

bool proc_is_alive(struct proc_table *table, struct proc_id id)
{
	struct status status;
	bool has_memory;

	if (!id_read(table, id, &has_memory, &status))
		return false;
	/* A first thread that has ended leaves the others running. */
	return status.threads > 1 || (has_memory && !status.is_zombie);
}

bool proc_was_killed(struct proc_table *table, pid_t tid)
{
	bool has_memory;
	bool is_ending;

	pthread_mutex_lock(&table->lock);
	is_ending = slot_of(table, tid, &has_memory) && !has_memory;
	pthread_mutex_unlock(&table->lock);
	/* Threads that another one's exit ends carry the flag as well, but the
	 * exit's code, in which a signal would be the low bits. */
	return is_ending && stat_field(tid, 9) & TASK_SIGNALED &&
	       (stat_field(tid, 52) & 0x7f) != 0;
}

size_t proc_ancestors(struct proc_table *table, struct proc_id id,
		      struct proc_id *ret, size_t max)
{
	struct status status;
	bool has_memory;
	size_t n = 0;

	while (n < max && id_read(table, id, &has_memory, &status) &&
	       status.parent > 1) {
		id = proc_identify(table, status.parent);
		if (!id.birth)
			break;
		ret[n++] = id;
	}
	return n;
}
