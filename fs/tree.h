/*
 * A mounted file tree: what each file system call means in the database. The
 * live tree shows the newest state; others beside it, with the same lock, clock
 * and memory, show what a snapshot does, or a batch with what is changed in it.
 * Knows nothing of FUSE; the ll_ files (and unit tests) call it.
 *
 * Calling sequence for every operation:
 *	tree_lock(tree);
 *	rc = tree_…(tree, …);
 *	tree_take_effects(tree, &effects);
 *	tree_unlock(tree);
 * then the effects are carried out (the kernel is told which attributes are
 * stale), and with durability full an operation that committed is answered
 * after aedb_wait_durable.
 *
 * Nodes: an operation that returns a tree_entry has counted a lookup of that
 * node; tree_forget gives them back.
 *
 * Threads: every function but tree_open, tree_close, tree_lock and
 * tree_drain needs the tree lock. Nothing here waits for the disk to be
 * synced.
 * Errors: 0, a negative errno value or enum aedb_error.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "aedb.h"
#include "attr.h"

struct batch;
struct handle;
struct node;
struct pin;
struct secure;
struct tree;

struct tree_config {
	struct attr_defaults defaults;
	bool is_read_only;
	struct secure *secure;	/* who makes projects and scopes owns them;
				 * borrowed until tree_close; NULL: nobody */
	uint32_t key_bytes_max;	/* of the database's options; 0: 1 KiB */
	size_t nodes_max;	/* the kernel should keep; 0: any number */
	uint32_t batch_age_s;	/* of a batch; then it is too old. 0: any */
	uint32_t batches_max;	/* open at a time, of which users get shares; 0: any */
	int host_fd;		/* a file or directory on the database's file
				 * system, for statvfs; borrowed until tree_close */
};

/* Of all trees of a mount. */
#define TREE_STALE_MAX 62

struct tree_effects {
	aedb_seq_t committed;	/* number of the last commit made; 0: none */
	size_t n_stale;
	uint64_t stale[TREE_STALE_MAX];	/* as tree_nodeid gives them */
};

/* Who asks. */
struct tree_caller {
	pid_t tid;		/* of the thread; 0: unknown */
	uid_t uid;
	gid_t gid;
};

struct tree_entry {
	struct node *node;
	uint64_t nodeid;
	struct stat stat;
	bool is_name_lasting;	/* name -> node stays until somebody changes it
				 * through the mount */
	bool is_stat_lasting;	/* so do the attributes */
	bool is_door;		/* a batch's topmost directory: its owner and mode
				 * say who may enter */
};

/* What a tree shows. The values stand in every st_ino. */
enum tree_kind {
	TREE_LIVE,
	TREE_SNAPSHOT,		/* what is committed as of then, for ever */
	TREE_BATCH,		/* what is committed in it over its base */
};

/* The live tree, of slot 0. The database stays the caller's. -ENOMEM. */
int tree_open(struct aedb *db, const struct tree_config *config,
	      struct tree **ret);
/* A tree beside the live one that shows a snapshot, the tree's from now on.
 * The slot tells it from all others that are open; at most TREE_SLOT_MAX. Needs
 * the tree lock. -ENOMEM: the view is still the caller's. */
#define TREE_SLOT_MAX (UINT16_MAX - 2)
/* In no tree: */
#define TREE_SLOT_CONTROL UINT16_MAX
#define TREE_SLOT_BACKUPS (UINT16_MAX - 1)
int tree_open_snapshot(struct tree *live, uint16_t slot,
		       struct aedb_snapshot *view, struct tree **ret);
/* The same of a batch, which stays the caller's until the tree is closed or
 * tree_end_batch. */
int tree_open_batch(struct tree *live, uint16_t slot, struct batch *batch,
		    struct tree **ret);
/* Drops what is still staged, closes its directories, and gives the view back.
 * Others than the live tree with the tree lock, and before it. No operation may
 * run. Takes NULL. */
void tree_close(struct tree *tree);
void tree_lock(struct tree *tree);
void tree_unlock(struct tree *tree);
/* Has the lock again when nobody waits for it: between the steps of long work. */
void tree_lock_give_way(struct tree *tree);
void tree_take_effects(struct tree *tree, struct tree_effects *ret);
/* The time of what happens now, nanoseconds since 1970, above every one given
 * before. A commit made next has it too. */
int64_t tree_time_ns(struct tree *tree);
struct aedb *tree_db(struct tree *tree);
struct node *tree_root(struct tree *tree);
/* What it shows never changes. */
bool tree_is_immutable(const struct tree *tree);
/* What is committed in it goes when the database is closed, until the batch is
 * committed: there is nothing to wait for. */
bool tree_is_of_batch(const struct tree *tree);
/* Nobody counts any of its nodes. */
bool tree_is_unused(const struct tree *tree);

/* The kernel's numbers of nodes: of the live root TREE_ROOT_NODEID, else the
 * tree's slot and where the node lies. */
#define TREE_ROOT_NODEID 1
uint64_t tree_nodeid(const struct tree *tree, const struct node *node);
unsigned tree_nodeid_slot(uint64_t nodeid);
/* Of what is in a slot and lies at an address. */
uint64_t tree_nodeid_make(unsigned slot, const void *at);
void *tree_nodeid_address(uint64_t nodeid);
struct node *tree_nodeid_node(struct tree *live, uint64_t nodeid);
/* How many open handles have staged data. */
size_t tree_staged_handles(struct tree *tree);
/* Commits nothing more: drops what is staged and makes everything committed
 * durable. *ret_dropped: how many handles lost data. Without the tree lock. */
int tree_drain(struct tree *tree, size_t *ret_dropped);
int tree_statvfs(struct tree *tree, struct statvfs *ret);

/* The kernel keeps more nodes than it should; said again only after a quarter
 * of that was newly made. */
bool tree_wants_fewer_nodes(struct tree *tree);
/* Nothing can be done about it. */
void tree_keep_nodes(struct tree *tree);

/* Names. */

int tree_lookup(struct tree *tree, const struct tree_caller *caller,
		struct node *parent, const char *name, struct tree_entry *ret);
void tree_forget(struct tree *tree, struct node *node, uint64_t n);

struct tree_new {
	struct node *parent;
	const char *name;
	mode_t mode;
};
int tree_mkdir(struct tree *tree, const struct tree_caller *caller,
	       const struct tree_new *new, struct tree_entry *ret);
int tree_mknod(struct tree *tree, const struct tree_caller *caller,
	       const struct tree_new *new, struct tree_entry *ret);
int tree_symlink(struct tree *tree, const struct tree_caller *caller,
		 const struct tree_new *new, const char *target,
		 struct tree_entry *ret);
/* Opens it as tree_open_file if it exists and flags have no O_EXCL. Its entry
 * is a lookup as well. */
int tree_create(struct tree *tree, const struct tree_caller *caller,
		const struct tree_new *new, int flags, struct handle **ret,
		struct tree_entry *ret_entry);
int tree_unlink(struct tree *tree, const struct tree_caller *caller,
		struct node *parent, const char *name);
int tree_rmdir(struct tree *tree, const struct tree_caller *caller,
	       struct node *parent, const char *name);

struct tree_rename {
	struct node *parent;
	const char *name;
	struct node *new_parent;
	const char *new_name;
	unsigned flags;		/* RENAME_NOREPLACE, RENAME_EXCHANGE */
};
int tree_rename(struct tree *tree, const struct tree_caller *caller,
		const struct tree_rename *rename);

/* Attributes. */

/* handle may be NULL. */
int tree_getattr(struct tree *tree, const struct tree_caller *caller,
		 struct node *node, struct handle *handle,
		 struct tree_entry *ret);

enum tree_set_field {
	TREE_SET_MODE = 1,
	TREE_SET_UID = 2,
	TREE_SET_GID = 4,
	TREE_SET_SIZE = 8,
	TREE_SET_ATIME = 16,
	TREE_SET_MTIME = 32,
};
struct tree_set {
	unsigned fields;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t bytes;
	int64_t atime_ns, mtime_ns;
};
int tree_setattr(struct tree *tree, const struct tree_caller *caller,
		 struct node *node, struct handle *handle,
		 const struct tree_set *set, struct tree_entry *ret);

/* size 0: only the length. */
int tree_getxattr(struct tree *tree, const struct tree_caller *caller,
		  struct node *node, const char *name, void *buf, size_t size,
		  size_t *ret);
int tree_listxattr(struct tree *tree, const struct tree_caller *caller,
		   struct node *node, char *buf, size_t size, size_t *ret);
int tree_setxattr(struct tree *tree, const struct tree_caller *caller,
		  struct node *node, const struct attr_xattr *xattr);
int tree_removexattr(struct tree *tree, const struct tree_caller *caller,
		     struct node *node, const char *name);
/* At most size - 1 bytes and a NUL. */
int tree_readlink(struct tree *tree, struct node *node, char *buf, size_t size);

/* Files. */

int tree_open_file(struct tree *tree, const struct tree_caller *caller,
		   struct node *node, int flags, struct handle **ret);
bool tree_handle_is_writing(const struct handle *handle);

struct tree_read {
	void *buf;
	size_t n;
	uint64_t offset;
};
/* Reads what the handle sees. When that has to come from disk nothing is read
 * yet: *ret_pin is a version to read from with pin_read, without the tree lock,
 * and to give back with pin_unref, with it; else NULL. */
int tree_read(struct tree *tree, const struct tree_caller *caller,
	      struct handle *handle, const struct tree_read *read, size_t *ret,
	      struct pin **ret_pin);

struct tree_seek {
	enum aedb_extent what;
	uint64_t offset;
};
/* As aedb_reader_seek, in what the handle sees; *ret_pin as for tree_read, for
 * pin_seek. */
int tree_seek(struct tree *tree, const struct tree_caller *caller,
	      struct handle *handle, const struct tree_seek *seek, uint64_t *ret,
	      struct pin **ret_pin);

struct tree_write {
	const void *buf;
	size_t n;
	uint64_t offset;
	bool is_append;		/* the offset does not count */
};
int tree_write(struct tree *tree, const struct tree_caller *caller,
	       struct handle *handle, const struct tree_write *write);
int tree_fallocate(struct tree *tree, const struct tree_caller *caller,
		   struct handle *handle, int mode, uint64_t offset,
		   uint64_t n);
int tree_flush(struct tree *tree, const struct tree_caller *caller,
	       struct handle *handle);
/* Commits; the caller waits until it is durable. */
int tree_fsync(struct tree *tree, struct handle *handle);
/* Closes the handle whatever it returns. */
int tree_release(struct tree *tree, struct handle *handle);

/* Directories. */

struct tree_dir;

int tree_opendir(struct tree *tree, struct node *node, struct tree_dir **ret);
void tree_releasedir(struct tree *tree, struct tree_dir *dir);
enum tree_listing {
	TREE_ENTRIES,
	TREE_NAMES,		/* with ids and types; nothing is looked up */
};
/* Starts a round of reading behind the entry with this offset, 0 for the
 * first. */
int tree_dir_seek(struct tree *tree, struct tree_dir *dir,
		  enum tree_listing listing, uint64_t offset);

struct tree_dirent {
	const char *name;	/* borrowed until the next call */
	uint64_t next;		/* offset behind it */
	uint64_t ino;
	mode_t mode;		/* the type at least */
	bool is_dot;		/* "." or "..", of which nothing is looked up */
};
/* The next entry, not yet taken. -ENOENT at the end. */
int tree_dir_peek(struct tree *tree, struct tree_dir *dir,
		  struct tree_dirent *ret);
/* Takes the entry that was peeked. -ENOMEM. */
int tree_dir_take(struct tree_dir *dir);
/* Ends the round; the position stays. */
void tree_dir_pause(struct tree_dir *dir);
/* A lookup of the entry that was peeked (and is not "." or ".."). */
int tree_dir_lookup(struct tree *tree, const struct tree_caller *caller,
		    struct tree_dir *dir, struct tree_entry *ret);

#endif
