/*
 * Where in the database a node's object lies: catalog, scope and key.
 *
 * Nodes know names; this walks up and makes keys of them, each time anew.
 *
 * Threads: guarded by the tree lock. Errors: 0, enum aedb_error or a negative
 * errno value.
 */
#ifndef PLACE_H
#define PLACE_H

#include "aedb.h"
#include "node.h"
#include "path.h"
#include "pin.h"

struct tree;

/* A directory inside a scope, or the scope. Not to be copied: `dir` points into
 * it. */
struct place {
	const struct aedb_snapshot *view;	/* the tree's */
	struct node *scope;		/* borrowed from the directory's node */
	struct aedb_scope *keys;
	struct aedb_scope *dirs;
	struct path_dir dir;
	uint8_t key[PATH_KEY_BYTES_MAX];
};

/* dir is of NODE_SCOPE or NODE_DIR. -ENOENT for an orphan. */
int place_of_directory(const struct tree *tree, struct node *dir,
		       struct place *ret);
/* The place of the directory that has this key in the same scope. */
void place_init(struct place *ret, const struct place *same_scope,
		const void *key, size_t key_bytes);
/* The key of a NODE_FILE, and its directory's place. -ENOENT for an orphan. */
int place_of_file(const struct tree *tree, const struct node *node,
		  struct place *ret_dir, struct path_child *ret);
/* NODE_ROOT, NODE_PROJECT, NODE_SCOPE; borrowed from the nodes. */
struct aedb_place place_in_catalog(const struct node *node);

/* The committed entry of a node's object, as the tree shows it, without value; of
 * a directory in a scope its record's. Pinned. -ENOENT when there is none: an
 * orphan, a pending file, an implicit directory. */
int place_stat(const struct tree *tree, struct node *node,
	       struct aedb_entry *ret);
/* Pins the version of a file's key that the tree shows as committed. Owned;
 * pin_unref. -ENOENT as above, -ENOMEM and as aedb_reader_open. */
int place_pin(const struct tree *tree, struct node *node, struct pin **ret);

/* The prefix of the records of all directories inside this one, and perhaps of
 * others (path_step tells): its length. 0 for the scope. */
size_t place_records_prefix(const struct place *place,
			    uint8_t ret[PATH_RECORD_BYTES_MAX + 1]);
/* The key of this scope. Pinned. -ENOENT. */
int place_stat_key(const struct place *place, const void *key,
		   size_t key_bytes, struct aedb_entry *ret);
/* The directory's record. Pinned. -ENOENT. */
int place_stat_record(const struct place *place, struct aedb_entry *ret);
/* The first key that makes the directory exist. Borrowed until the scan, which
 * is owned (aedb_scan_close), goes on. -ENOENT when there is none. */
int place_first_key(const struct place *place, struct aedb_scan **ret_scan,
		    struct aedb_entry *ret);

#endif
