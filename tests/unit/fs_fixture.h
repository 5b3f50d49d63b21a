/*
 * A tree over a fresh database, without a mount: project "p", scope "s", and
 * file system calls by path in one line each. Everything fails the test.
 */
#ifndef FS_FIXTURE_H
#define FS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"
#include "forest_batches.h"
#include "node.h"
#include "pin.h"
#include "tree.h"

struct fs {
	char directory[64];
	struct aedb *db;
	struct forest *forest;
	struct tree *tree;		/* the live one */
	struct node *scope;		/* counted */
	struct tree_caller me;
};

/* Scope "s", for the first time or after it was removed. */
static inline void fs_make_scope(struct fs *fs, struct node *project)
{
	struct tree_new new = { project, "s", 0755 };
	struct tree_entry scope;

	CHECK_OK(tree_mkdir(fs->tree, &fs->me, &new, &scope));
	fs->scope = scope.node;
}

static inline void fs_options(struct aedb_options *ret)
{
	aedb_options_init(ret);
	ret->mode = AEDB_OPEN_CREATE;
	ret->durability = AEDB_OS;
}

/* The tree, over the database that is open. */
static inline void fs_begin(struct fs *fs)
{
	struct tree_config config = { .defaults = { 1000, 1000, 022 } };
	struct tree_entry project;

	CHECK_OK(forest_open(fs->db, &config, &fs->forest));
	fs->tree = forest_live(fs->forest);
	fs->me = (struct tree_caller){ getpid(), 0, 0 };
	CHECK_OK(tree_mkdir(fs->tree, &fs->me,
			    &(struct tree_new){ tree_root(fs->tree), "p", 0755 },
			    &project));
	fs->scope = NULL;
	fs_make_scope(fs, project.node);
	tree_forget(fs->tree, project.node, 1);
}

static inline void fs_end(struct fs *fs)
{
	tree_forget(fs->tree, fs->scope, 1);
	forest_close(fs->forest);
	CHECK_OK(aedb_close(fs->db));
}

static inline void fs_open_with(struct fs *fs,
				const struct aedb_options *options)
{
	strcpy(fs->directory, "/tmp/aedb-fs-XXXXXX");
	CHECK(mkdtemp(fs->directory) != NULL);
	CHECK_OK(aedb_open(fs->directory, options, &fs->db));
	fs_begin(fs);
}

/* With at most so many operations in a commit. */
static inline void fs_open_small(struct fs *fs, uint32_t ops_max)
{
	struct aedb_options options;

	fs_options(&options);
	options.txn_ops_max = ops_max;
	fs_open_with(fs, &options);
}

static inline void fs_open(struct fs *fs)
{
	fs_open_small(fs, 1000000);
}

static inline void fs_close(struct fs *fs)
{
	char command[96];

	fs_end(fs);
	snprintf(command, sizeof(command), "rm -rf %s", fs->directory);
	CHECK_EQ(system(command), 0);
}

/* The directory a path's last name is in, counted, and that name. */
static inline struct node *fs_parent(struct fs *fs, const char *path,
				     const char **ret_name)
{
	struct node *dir = node_ref(fs->scope);
	struct tree_entry entry;
	const char *slash;
	char name[256];

	while ((slash = strchr(path, '/'))) {
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		CHECK_OK(tree_lookup(fs->tree, &fs->me, dir, name, &entry));
		tree_forget(fs->tree, dir, 1);
		dir = entry.node;
		path = slash + 1;
	}
	*ret_name = path;
	return dir;
}

static inline int fs_lookup(struct fs *fs, const char *path,
			    struct tree_entry *ret)
{
	const char *name;
	struct node *dir = fs_parent(fs, path, &name);
	int rc = tree_lookup(fs->tree, &fs->me, dir, name, ret);

	tree_forget(fs->tree, dir, 1);
	return rc;
}

static inline int fs_stat(struct fs *fs, const char *path, struct stat *ret)
{
	struct tree_entry entry;
	int rc = fs_lookup(fs, path, &entry);

	*ret = (struct stat){ 0 };
	if (rc < 0)
		return rc;
	*ret = entry.stat;
	tree_forget(fs->tree, entry.node, 1);
	return 0;
}

static inline uint64_t fs_ino(struct fs *fs, const char *path)
{
	struct stat st = { 0 };

	CHECK_OK(fs_stat(fs, path, &st));
	return st.st_ino;
}

static inline bool fs_is_there(struct fs *fs, const char *path)
{
	struct stat st;

	return fs_stat(fs, path, &st) == 0;
}

/* open(2), as another process when asked for. */
static inline int fs_open_as(struct fs *fs, pid_t tid, const char *path,
			     int flags, struct handle **ret)
{
	struct tree_caller caller = { tid, 0, 0 };
	struct tree_entry entry;
	const char *name;
	struct node *dir = fs_parent(fs, path, &name);
	struct tree_new new = { dir, name, S_IFREG | 0644 };
	int rc;

	if (flags & O_CREAT) {
		rc = tree_create(fs->tree, &caller, &new, flags, ret, &entry);
	} else {
		rc = tree_lookup(fs->tree, &caller, dir, name, &entry);
		if (rc == 0) {
			rc = tree_open_file(fs->tree, &caller, entry.node,
					    flags, ret);
			if (rc < 0)
				tree_forget(fs->tree, entry.node, 1);
		}
	}
	if (rc == 0)
		tree_forget(fs->tree, entry.node, 1);
	tree_forget(fs->tree, dir, 1);
	return rc;
}

static inline struct handle *fs_handle(struct fs *fs, pid_t tid,
				       const char *path, int flags)
{
	struct handle *handle = NULL;

	CHECK_OK(fs_open_as(fs, tid, path, flags, &handle));
	return handle;
}

static inline void fs_write_as(struct fs *fs, pid_t tid, struct handle *handle,
			       uint64_t offset, const char *text)
{
	struct tree_caller caller = { tid, 0, 0 };
	struct tree_write write = { text, strlen(text), offset, false };

	CHECK_OK(tree_write(fs->tree, &caller, handle, &write));
}

static inline void fs_append_as(struct fs *fs, pid_t tid, struct handle *handle,
				const char *text)
{
	struct tree_caller caller = { tid, 0, 0 };
	struct tree_write write = { text, strlen(text), 0, true };

	CHECK_OK(tree_write(fs->tree, &caller, handle, &write));
}

static inline void fs_flush_as(struct fs *fs, pid_t tid, struct handle *handle)
{
	struct tree_caller caller = { tid, 0, 0 };

	CHECK_OK(tree_flush(fs->tree, &caller, handle));
}

/* What the handle reads, up to 255 bytes; valid until the next call. */
static inline const char *fs_read_as(struct fs *fs, pid_t tid,
				     struct handle *handle)
{
	static char text[256];
	struct tree_caller caller = { tid, 0, 0 };
	struct tree_read read = { text, sizeof(text) - 1, 0 };
	struct pin *pin;
	size_t n = 0;

	CHECK_OK(tree_read(fs->tree, &caller, handle, &read, &n, &pin));
	CHECK(pin == NULL);
	text[n] = '\0';
	return text;
}

/* What a process that has nothing to do with the writers reads. */
static inline const char *fs_content(struct fs *fs, const char *path)
{
	struct handle *handle = fs_handle(fs, 0, path, O_RDONLY);
	const char *text = fs_read_as(fs, 0, handle);

	CHECK_OK(tree_release(fs->tree, handle));
	return text;
}

static inline void fs_put(struct fs *fs, const char *path, const char *text)
{
	pid_t me = fs->me.tid;
	struct handle *handle = fs_handle(fs, me, path,
					  O_CREAT | O_TRUNC | O_WRONLY);

	fs_write_as(fs, me, handle, 0, text);
	fs_flush_as(fs, me, handle);
	CHECK_OK(tree_release(fs->tree, handle));
}

static inline void fs_mkdir(struct fs *fs, const char *path)
{
	struct tree_entry entry;
	const char *name;
	struct node *dir = fs_parent(fs, path, &name);

	CHECK_OK(tree_mkdir(fs->tree, &fs->me,
			    &(struct tree_new){ dir, name, 0755 }, &entry));
	tree_forget(fs->tree, entry.node, 1);
	tree_forget(fs->tree, dir, 1);
}

static inline int fs_unlink(struct fs *fs, const char *path)
{
	const char *name;
	struct node *dir = fs_parent(fs, path, &name);
	int rc = tree_unlink(fs->tree, &fs->me, dir, name);

	tree_forget(fs->tree, dir, 1);
	return rc;
}

static inline int fs_rmdir(struct fs *fs, const char *path)
{
	const char *name;
	struct node *dir = fs_parent(fs, path, &name);
	int rc = tree_rmdir(fs->tree, &fs->me, dir, name);

	tree_forget(fs->tree, dir, 1);
	return rc;
}

static inline int fs_rename(struct fs *fs, const char *from, const char *to,
			    unsigned flags)
{
	struct tree_rename rename = { .flags = flags };
	int rc;

	rename.parent = fs_parent(fs, from, &rename.name);
	rename.new_parent = fs_parent(fs, to, &rename.new_name);
	rc = tree_rename(fs->tree, &fs->me, &rename);
	tree_forget(fs->tree, rename.parent, 1);
	tree_forget(fs->tree, rename.new_parent, 1);
	return rc;
}

/* A process that waits until it is killed or told to end. */
static inline pid_t fs_process(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			pause();
		_exit(0);
	}
	CHECK(pid > 0);
	return pid;
}

/* Batches. */

static inline int fs_begin_batch(struct fs *fs, const struct tree_caller *caller,
		    const char *name, struct tree_entry *ret)
{
	struct tree_entry dir = { 0 };
	int rc;

	CHECK_OK(forest_lookup(fs->forest, &fs->me, TREE_ROOT_NODEID, ".batch",
			       &dir));
	rc = forest_batch_begin(fs->forest, caller,
				&(struct forest_batch){ dir.nodeid, name }, ret);
	forest_forget(fs->forest, dir.nodeid, 1);
	return rc;
}

/* Begins one; *ret is the same scope in it, for all that the fixture does. */
static inline void fs_enter_batch(struct fs *fs, const char *name,
				  struct fs *ret)
{
	struct tree_entry door = { 0 }, project = { 0 }, scope = { 0 };

	CHECK_OK(fs_begin_batch(fs, &fs->me, name, &door));
	*ret = *fs;
	ret->tree = forest_tree(fs->forest, door.nodeid);
	CHECK_OK(tree_lookup(ret->tree, &fs->me, door.node, "p", &project));
	CHECK_OK(tree_lookup(ret->tree, &fs->me, project.node, "s", &scope));
	ret->scope = scope.node;
	forest_forget(fs->forest, project.nodeid, 1);
	forest_forget(fs->forest, door.nodeid, 1);
}

#endif
