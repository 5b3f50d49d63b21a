/*
 * The mapping between keys and paths inside a scope: total, reversible, one
 * path for every key. The scheme and its proof stand in path.c.
 *
 * A directory is known by the bytes of the key that has the same path
 * (directory a/b: "a/b"); the key itself is its entry "%". Going down:
 * path_dir_root or path_dir_init, then path_child for each name. Listing: scan
 * the keys with the prefix of path_dir_scan_prefix and give each to path_step.
 *
 * Threads: no state. Errors: negative errno values.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_NAME_BYTES_MAX 255
#define PATH_KEY_BYTES_MAX 4000
#define PATH_RECORD_BYTES_MAX (PATH_KEY_BYTES_MAX + 1)
#define PATH_BYTES_MAX 32768	/* of a key's whole path */

struct path_dir {
	const uint8_t *key;	/* borrowed from who made it */
	size_t key_bytes;	/* may be 0 below the root too: its name empty */
	bool is_root;		/* the scope itself */
	bool is_wide;		/* its name is so long (over 250 bytes) that it
				 * also holds keys not beginning with key + "/" */
	uint64_t further[4];	/* bit per byte that such keys have after `key` */
};

void path_dir_root(struct path_dir *ret);
/* The directory with the same path as `key`, which is borrowed. */
void path_dir_init(struct path_dir *ret, const void *key, size_t key_bytes);

/* The key of the directory's record in aedb_scope_dirs: the root's is "", the
 * others' their key, with one "/" before it if it is empty or begins with one.
 * Returns its length. */
size_t path_dir_record(const struct path_dir *dir,
		       uint8_t ret[PATH_RECORD_BYTES_MAX]);
/* The reverse; `record` is borrowed. */
void path_dir_init_record(struct path_dir *ret, const void *record,
			  size_t record_bytes);

/* The prefix that all keys inside the directory have, and for a wide one other
 * keys too, which path_step tells apart. Returns its length. */
size_t path_dir_scan_prefix(const struct path_dir *dir,
			    uint8_t ret[PATH_RECORD_BYTES_MAX]);

enum path_kind {
	PATH_LEAF,	/* a key right in this directory */
	PATH_OWN,	/* the directory's own key, named "%" */
	PATH_BELOW,	/* a key in a directory of this directory */
	PATH_ELSEWHERE,	/* not inside this directory */
};

/* What `name` in a directory stands for. As a file it is the key, as a
 * directory it is path_dir_init(key). */
struct path_child {
	enum path_kind kind;	/* PATH_LEAF, or PATH_OWN: no directory can have
				 * this name (mkdir: EINVAL) */
	size_t key_bytes;
	uint8_t key[PATH_KEY_BYTES_MAX];
};

/* -ENAMETOOLONG: the name is over 255 bytes or the key over 4000; -EINVAL: no
 * file name (empty, ".", "..", with a NUL or a slash). */
int path_child(const struct path_dir *dir, const char *name, size_t name_bytes,
	       struct path_child *ret);

/* The next step from a directory towards a key. */
struct path_step {
	enum path_kind kind;
	char name[PATH_NAME_BYTES_MAX + 1];	/* with a NUL; "" if ELSEWHERE */
	size_t name_bytes;
	size_t child_bytes;	/* LEAF, BELOW: the first child_bytes of the key
				 * are the child (path_dir_init) */
	size_t skip_bytes;	/* BELOW, ELSEWHERE: every key with these first
				 * bytes takes the same step */
	bool may_repeat;	/* BELOW: keys further on may take the same step,
				 * beyond skip_bytes or beyond "CHILD/" */
};

/* `key` begins with the directory's. A directory's key may be given as well,
 * also the empty one. */
void path_step(const struct path_dir *dir, const void *key, size_t key_bytes,
	       struct path_step *ret);

/* The whole path of a key, NUL-terminated, where no directory of the same path
 * exists; with one it is this + "/%". Returns its length. */
size_t path_format(const void *key, size_t key_bytes, char ret[PATH_BYTES_MAX]);
/* The key of a path (names separated by single slashes). Errors as path_child;
 * -EINVAL too when no key has this path. */
int path_parse(const char *path, size_t path_bytes,
	       uint8_t ret[PATH_KEY_BYTES_MAX], size_t *ret_bytes);

#endif
