/*
 * The objects the kernel knows, as a tree of nodes: one stable node for one
 * object, whatever it is called and however often it is rewritten.
 *
 * A node has a parent and a name, and no path: renaming a directory moves one
 * node. A node without a parent (other than the root) is an orphan: its object
 * was removed while something still held it.
 *
 * Memory: 48 bytes, the name (renaming may put a longer one elsewhere) and a
 * bucket of 8; what only open or uncommitted files have lies elsewhere.
 *
 * Ownership: every node returned is counted for the caller; node_unref.
 * Threads: everything here is guarded by the tree lock.
 */
#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "object.h"

struct file;

enum node_kind {
	NODE_ROOT,
	NODE_PROJECT,
	NODE_SCOPE,
	NODE_DIR,	/* inside a scope */
	NODE_FILE,	/* a key: a regular file, link, FIFO or socket */
	NODE_SNAPSHOTS,	/* `.snap`: its id is that of the directory it is in */
	NODE_BATCHES,	/* `.batch`, likewise */
};

struct node {
	struct node *parent;		/* counted; NULL: root or orphan */
	struct node *next_in_bucket;
	struct file *file;		/* NODE_FILE: while it is open; owned by
					 * who made it */
	struct object_draft *draft;	/* while it is in no commit; owned */
	uint64_t id : 52;		/* the object's */
	enum node_kind kind : 4;
	bool is_made : 1;		/* NODE_DIR: it has a record of its own */
	bool has_name_outside : 1;	/* name_bytes is a pointer; owned */
	bool is_touched : 1;		/* by the commit being absorbed (touched.h) */
	bool is_untold : 1;		/* by one of which the kernel is told soon */
	uint32_t hash;
	uint32_t refs;			/* kernel's lookups, children, handles */
	pid_t told;			/* told.h */
	char name_bytes[];		/* node_name */
};

/* What a node has besides if it is a directory of any kind. */
struct node_directory {
	struct aedb_scope *scope;	/* NODE_SCOPE: owned */
	LIST_HEAD(, object_draft) pending;	/* created here, not yet committed */
	int64_t touched_ns;	/* when a file became pending in it; 0: never */
	LIST_ENTRY(node_directory) next;	/* of its table; no root is in it */
};

/* The nodes of one tree, in a store (node_store.h). */
struct node_store;
struct node_table;

/* A table that holds the root alone. Owned; node_table_free. NULL: no memory. */
struct node_table *node_table_new(struct node_store *store);
/* With the root; others stay till they are given back or the store goes. NULL. */
void node_table_free(struct node_table *table);
/* Borrowed until node_table_free. */
struct node *node_table_root(struct node_table *table);
/* Nobody counts any of its nodes. */
bool node_table_is_unused(const struct node_table *table);

/* The table's directories in any order, after the root. NULL at the end. */
struct node *node_next_directory(const struct node_table *, const struct node *);
/* As the kernel writes it. Borrowed until the node moves. */
const char *node_name(const struct node *node);
/* Not of NODE_FILE. */
struct node_directory *node_directory(const struct node *node);
/* The child that is known by that name; NULL. */
struct node *node_find(struct node_table *table, struct node *parent,
		       const char *name);
/* A new child; there must be none of that name, which has up to 255 bytes. NULL
 * when there is no memory. */
struct node *node_add(struct node_table *table, struct node *parent,
		      const char *name, enum node_kind kind);
struct node *node_ref(struct node *node);
/* Gives back n counts. The node goes when none is left. */
void node_unref(struct node_table *table, struct node *node, uint32_t n);

/* Gives it another parent and name, where no node may be. The name was
 * allocated with malloc and is the node's from now on. */
void node_move(struct node_table *table, struct node *node,
	       struct node *parent, char *name);
/* The two trade parents and names, of which copies are given as to node_move. */
void node_exchange(struct node_table *table, struct node *a, char *a_name,
		   struct node *b, char *b_name);
/* Its object is gone. The caller holds a count of the node. */
void node_orphan(struct node_table *table, struct node *node);

/* A new file without a commit: its draft, owned by the node from now on. */
void node_set_pending(struct node *node, struct object_draft *draft);
/* It was committed. */
void node_publish_pending(struct node_table *table, struct node *node);
/* It never will be: an orphan now. */
void node_forget_pending(struct node_table *table, struct node *node);

bool node_is_orphan(const struct node *node);
/* Created, but in no commit yet. */
bool node_is_pending(const struct node *node);
bool node_is_directory(const struct node *node);
/* It stands for nothing in the database: a name with a dot. */
bool node_is_special(const struct node *node);
/* The node is `below` or lies above it. */
bool node_is_above(const struct node *node, const struct node *below);

#endif
