/*
 * What /proc says about the processes behind requests: which process a thread
 * belongs to, whether it lives, who its ancestors are, whether it was killed.
 *
 * A process is known by number and birth, so that a number used again is
 * not mistaken. What cannot be read has the answer that makes the caller
 * commit: not alive, not killed, no ancestors.
 *
 * Cost: 2-3 us for a process seen lately, whose descriptor is kept; 7 us or
 * more the first time. Threads: all calls from any thread.
 */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_table;

/* A process (thread group). Zero is no process. */
struct proc_id {
	pid_t pid;		/* of the group */
	uint64_t birth;		/* of no other process of this number; 0:
				 * not readable */
};

static inline bool proc_id_equal(struct proc_id a, struct proc_id b)
{
	return a.pid == b.pid && a.birth == b.birth;
}

/* Keeps at most `open_max` descriptors open. Owned; proc_table_free.
 * -ENOMEM. */
int proc_table_new(size_t open_max, struct proc_table **ret);
void proc_table_free(struct proc_table *table);

/* The process a thread id (as requests carry it) belongs to. When it cannot
 * be read: the same number with birth 0. tid 0 gives zero. */
struct proc_id proc_identify(struct proc_table *table, pid_t tid);
/* Running or stopped; not ending, not a zombie, not another process that has
 * the number now. */
bool proc_is_alive(struct proc_table *table, struct proc_id id);
/* Is the thread ending because a signal ended its process? Asked while its
 * last FLUSH waits. Threads that end because another one called exit were not
 * killed. */
bool proc_was_killed(struct proc_table *table, pid_t tid);
/* Is this one of the thread's supplementary groups? */
bool proc_is_in_group(pid_t tid, gid_t gid);
/* Parent, its parent and so on, nearest first, at most max; returns how many.
 * Process 1 is left out, being everybody's. */
size_t proc_ancestors(struct proc_table *table, struct proc_id id,
		      struct proc_id *ret, size_t max);

#endif
