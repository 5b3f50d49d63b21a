/*
 * Processes as /proc shows them.
 *
 * Only /proc/TID/statm and status are read of a thread that may live: newer
 * kernels hold other files, /proc/TID/stat among them, back while the process
 * is in execve(2), and there it may be waiting for the FLUSH of a close-on-exec
 * descriptor that is being answered here. A thread that is ending is in no
 * execve.
 *
 * Every slot of the table keeps statm open, the file that is read fastest. The
 * descriptor is bound to the thread, not to its number: once the thread is gone
 * a read fails with ESRCH, so a kept descriptor never tells about another
 * thread.
 *
 * Invariants:
 * 1. A slot's descriptor, thread, group and birth belong together; a failed
 *    read closes it. At most one slot per thread, at its number modulo the size.
 * 2. Group and birth of a thread are asked for after its descriptor was opened
 *    and followed by a read through that descriptor, so they are the same
 *    thread's.
 *
 * The lock is held over reads of /proc, which never wait for a disk or for the
 * process.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
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
	uint64_t birth;		/* 0: of a thread that leads no group */
	int fd;			/* -1: empty */
};

struct proc_table {
	pthread_mutex_t lock;
	size_t n;		/* constant after open */
	struct slot slots[];	/* guarded by lock */
};

/* A thread that was there just now. */
struct thread {
	pid_t group;
	uint64_t birth;		/* as in the slot */
	bool is_ending;		/* has given its memory back already */
};

int proc_table_new(size_t open_max, struct proc_table **ret)
{
	struct proc_table *table;

	if (open_max == 0)
		open_max = 1;
	table = calloc(1, sizeof(*table) + open_max * sizeof(table->slots[0]));
	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	table->n = open_max;
	for (size_t i = 0; i < open_max; i++)
		table->slots[i].fd = -1;
	*ret = table;
	return 0;
}

static void slot_empty(struct slot *slot)
{
	if (slot->fd >= 0)
		close(slot->fd);
	slot->fd = -1;
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

/* The number in a line of /proc/TID/status; 0: not readable. */
static long status_number(pid_t tid, const char *line)
{
	char text[4096];
	const char *at = NULL;
	int fd = proc_open(tid, "status");

	if (fd < 0)
		return 0;
	if (fd_read(fd, text, sizeof(text)))
		at = strstr(text, line);
	close(fd);
	return at ? atol(at + strlen(line)) : 0;
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

/* Through the descriptor kept for the thread, if there is one. */
static bool thread_read_kept(struct slot *slot, pid_t tid, struct thread *ret)
{
	char text[128];

	if (slot->fd < 0 || slot->tid != tid)
		return false;
	if (!fd_read(slot->fd, text, sizeof(text))) {
		slot_empty(slot);
		return false;
	}
	ret->group = slot->group;
	ret->birth = slot->birth;
	ret->is_ending = strncmp(text, "0 ", 2) == 0;
	return true;
}

static bool thread_read(struct proc_table *table, pid_t tid, struct thread *ret)
{
	struct slot *slot;
	bool is_read;

	if (tid <= 0)
		return false;
	slot = &table->slots[(size_t)tid % table->n];
	pthread_mutex_lock(&table->lock);
	is_read = thread_read_kept(slot, tid, ret);
	if (!is_read) {
		slot_empty(slot);
		slot->tid = tid;
		slot->fd = proc_open(tid, "statm");
		slot->group = slot->fd >= 0 ?
			      (pid_t)status_number(tid, "\nTgid:") : 0;
		slot->birth = slot->group == tid ? birth_read(tid) : 0;
		is_read = slot->group > 0 && thread_read_kept(slot, tid, ret);
		if (!is_read)
			slot_empty(slot);
	}
	pthread_mutex_unlock(&table->lock);
	return is_read;
}

/* Questions. */

struct proc_id proc_identify(struct proc_table *table, pid_t tid)
{
	struct proc_id id = { .pid = tid };
	struct thread thread;

	if (!thread_read(table, tid, &thread))
		return id;
	if (thread.group != tid) {
		id.pid = thread.group;
		if (!thread_read(table, id.pid, &thread))
			return id;
	}
	id.birth = thread.birth;
	return id;
}

/* Reads the first thread of a process if it is still the same one. */
static bool id_read(struct proc_table *table, struct proc_id id,
		    struct thread *ret)
{
	return id.birth && thread_read(table, id.pid, ret) &&
	       ret->birth == id.birth;
}

bool proc_is_alive(struct proc_table *table, struct proc_id id)
{
	struct thread thread;

	if (!id_read(table, id, &thread))
		return false;
	/* A first thread that has ended leaves the others running. */
	return !thread.is_ending || status_number(id.pid, "\nThreads:") > 1;
}

bool proc_was_killed(struct proc_table *table, pid_t tid)
{
	struct thread thread;

	/* Threads that another one's exit ends carry the flag as well, but the
	 * exit's code, in which a signal would be the low bits. */
	return thread_read(table, tid, &thread) && thread.is_ending &&
	       stat_field(tid, 9) & TASK_SIGNALED &&
	       (stat_field(tid, 52) & 0x7f) != 0;
}

size_t proc_ancestors(struct proc_table *table, struct proc_id id,
		      struct proc_id *ret, size_t max)
{
	struct thread thread;
	size_t n = 0;

	if (!id_read(table, id, &thread))
		return 0;
	while (n < max) {
		pid_t parent = (pid_t)status_number(id.pid, "\nPPid:");

		if (parent <= 1 || !thread_read(table, parent, &thread))
			break;
		id = (struct proc_id){ parent, thread.birth };
		ret[n++] = id;
	}
	return n;
}

static bool groups_hold(const char *list, gid_t gid)
{
	char *end;

	for (;; list = end) {
		unsigned long group = strtoul(list, &end, 10);

		if (end == list)
			return false;
		if (group == gid)
			return true;
	}
}

bool proc_is_in_group(pid_t tid, gid_t gid)
{
	static const char title[] = "Groups:";
	char *line = NULL, path[64];
	size_t room = 0;
	bool is_in = false;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	status = fopen(path, "re");
	if (!status)
		return false;
	while (getline(&line, &room, status) > 0)
		if (strncmp(line, title, sizeof(title) - 1) == 0) {
			is_in = groups_hold(line + sizeof(title) - 1, gid);
			break;
		}
	free(line);
	fclose(status);
	return is_in;
}
