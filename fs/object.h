/*
 * What is known of one object: identity, size, times, attributes.
 *
 * Threads: no state. Errors: negative errno values.
 */
#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "aedb.h"
#include "attr.h"

/* Set in the id of an object that is or was an implicit directory. */
#define OBJECT_IMPLICIT_BIT (UINT64_C(1) << 51)
/* Of the directory above all projects, which is in no commit. */
#define OBJECT_ROOT_ID 1

struct object {
	uint64_t id;
	aedb_seq_t version;	/* 0: none is committed */
	uint64_t bytes;		/* size */
	uint64_t allocated_bytes;
	int64_t mtime_ns, ctime_ns;
	struct fs_attr attr;
};

struct node;
struct pin;

/* An object that is in no commit (not yet, or no more), with its attributes as
 * they would be stored. */
struct object_draft {
	struct node *node;	/* pending: whose it is */
	LIST_ENTRY(object_draft) next_pending;	/* in its directory */
	struct object object;
	struct attr_blob blob;	/* owned */
	struct pin *value;	/* of a removed file: its newest version;
				 * counted; NULL: none */
	bool is_displaced;	/* by a commit that the kernel did not ask for: */
	pid_t asked;		/* who was sent to look for another one last */
};

/* type is S_IFREG or S_IFDIR, for an entry without a mode. -EIO. */
int object_decode(const struct aedb_entry *entry, mode_t type,
		  const struct attr_defaults *defaults, struct object *ret);
/* Its id, version and type alone, in attr.mode. */
int object_decode_type(const struct aedb_entry *entry, mode_t type,
		       struct object *ret);
/* A directory that exists because keys lie beneath; `first` is the first of
 * them. */
void object_implicit(uint64_t parent_id, const char *name,
		     const struct aedb_entry *first,
		     const struct attr_defaults *defaults, struct object *ret);
/* Copies the entry's blob too. Owned; object_draft_free. NULL when there is no
 * memory or the blob cannot be read. */
struct object_draft *object_draft_new(const struct aedb_entry *entry,
				      mode_t type,
				      const struct attr_defaults *defaults);
void object_draft_free(struct object_draft *draft);
/* As stat(2) shows it; nlink is 1. */
void object_stat(const struct object *object, struct stat *ret);

#endif
