/*
 * An open file: its handles, the working copy its writers share, and the
 * private copies of those that opened it with O_TRUNC.
 *
 * Threads: all of it is guarded by the tree lock.
 */
#ifndef FILE_H
#define FILE_H

#include <sys/queue.h>

#include "pin.h"
#include "proc.h"
#include "staged_attr.h"
#include "state.h"

/* A value being written, seen by those who have the copy. */
struct working {
	struct aedb_stage *stage;	/* owned; NULL: as beneath (private: empty) */
	bool is_private;
	bool is_dirty;			/* the value differs from the committed one */
	bool has_data;			/* by more than O_TRUNC's emptying */
	bool is_append;			/* and only by bytes behind base_bytes */
	uint64_t base_bytes;
	int64_t shown_ns;		/* the time its holders were shown since the
					 * last change, for the commit; 0: none */
	uint64_t changed;		/* which change of the file's copies was its
					 * last; O_TRUNC is one */
	struct staged_attr attr;
	struct proc_id last_writer;
	bool is_writer_killed;
	bool is_refused;		/* the last FLUSH said so: it commits no
					 * more by itself, until it is changed */
	const struct handle *sole;	/* who alone read or wrote it since the */
	bool is_used_by_others;		/* last commit, unless others did too */
};

enum handle_kind {
	HANDLE_READING,
	HANDLE_WHOLE,		/* rewrites the value: O_TRUNC, or created it */
	HANDLE_IN_PLACE,
};

#define HANDLE_WRITERS_MAX 16

struct handle {
	LIST_ENTRY(handle) next;
	struct node *node;		/* counted */
	enum handle_kind kind;
	int flags;			/* of open(2) */
	bool is_creator;		/* of a pending key */
	bool is_abandoned;		/* what a killed process wrote was dropped */
	bool is_flushed;		/* at least once: the program had it */
	struct pin *pin;		/* reading: counted; NULL: nothing there */
	uint64_t generation;		/* the file's when that was pinned */
	struct working *copy;		/* writing: &own or the file's */
	struct working own;
	uint64_t mark;			/* in the shared stage at O_TRUNC's open;
					 * 0: all of it is staged since */
	uid_t opener_uid;
	pid_t opener_tid;
	struct proc_id opener;		/* pid 0: not asked yet */
	pid_t writer_tid;		/* of the last WRITE */
	pid_t last_tid;			/* who asked last, */
	struct proc_id last_proc;	/* and the process it is of */
	size_t n_writers;		/* since the last commit */
	struct proc_id writers[HANDLE_WRITERS_MAX];
};

struct file {
	LIST_ENTRY(file) next;
	struct tree *tree;		/* it is in */
	struct node *node;		/* borrowed: its file is this */
	LIST_HEAD(, handle) handles;	/* newest first */
	uint32_t n_writing;
	uint64_t generation;	/* raised by commits that are no appends */
	struct pin *latest;	/* newest committed version; NULL: not asked for */
	uint64_t changes;	/* of copies */
	struct working shared;
};

/* The node's file, made if there is none. NULL when there is no memory. */
struct file *file_open(struct tree *tree, struct node *node);
/* Frees a file that got no handle. */
void file_close_unused(struct file *file);
/* The newest version; borrowed until the next commit or close. -ENOENT: there is none. */
int file_latest(struct file *file, struct pin **ret);
/* The shared copy gets another stage, in which nothing is staged yet: marks in
 * the one it had mean nothing there. */
void file_forget_marks(struct file *file);
/* A writing handle has staged data that others do not see. */
bool file_has_staged(const struct file *file);
/* More is staged than the emptying that an open with O_TRUNC is. */
bool file_is_touched(const struct file *file);

/* Frees the handle, and what it has staged alone, without committing; the file
 * goes with its last handle. */
void handle_close(struct tree *tree, struct handle *handle);

/* Who. */

struct proc_id handle_caller(struct tree *tree, struct handle *handle,
			     const struct tree_caller *caller);
struct proc_id handle_opener(struct tree *tree, struct handle *handle);
/* Of the writing handles that this process opened or wrote to the one whose copy
 * was written last, of equal ones the newest; NULL: there is none. */
struct handle *handle_of_writer(struct tree *tree, struct file *file,
				struct proc_id proc);
bool handle_belongs_to(struct tree *tree, struct handle *handle,
		       struct proc_id proc);
/* The caller has changed the bytes of the handle's copy. */
void handle_note_write(struct tree *tree, const struct tree_caller *caller,
		       struct handle *handle);
/* A living process other than this one opened it or wrote to it since the last
 * commit. */
bool handle_is_held_elsewhere(struct tree *tree, struct handle *handle,
			      struct proc_id proc);

#endif
