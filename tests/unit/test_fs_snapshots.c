/*
 * Snapshots as directories, without a mount: what they show, refuse and let go.
 */
#include <pthread.h>

#include "fs_fixture.h"

static int look_up(struct fs *fs, uint64_t parent, const char *name,
		   struct tree_entry *ret)
{
	struct forest_snapshot state = { .dir = parent, .name = name };
	int rc;

	if (!forest_is_state(name))
		return forest_lookup(fs->forest, &fs->me, parent, name, ret);
	tree_unlock(fs->tree);
	rc = forest_lookup_state(fs->forest, &fs->me, &state, ret);
	tree_lock(fs->tree);
	return rc;
}

/* Walks a path from the mount's root as the kernel does. The entry's node is
 * counted. */
static int walk(struct fs *fs, const char *path, struct tree_entry *ret)
{
	uint64_t nodeid = TREE_ROOT_NODEID;
	char name[256];
	size_t n;
	int rc;

	for (;;) {
		n = strcspn(path, "/");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		(void)forest_tree(fs->forest, nodeid);
		rc = look_up(fs, nodeid, name, ret);
		if (nodeid != TREE_ROOT_NODEID)
			forest_forget(fs->forest, nodeid, 1);
		if (rc < 0 || !path[n])
			return rc;
		nodeid = ret->nodeid;
		path += n + 1;
	}
}

static int find(struct fs *fs, const char *path, struct tree_entry *ret)
{
	int rc;

	tree_lock(fs->tree);
	rc = walk(fs, path, ret);
	tree_unlock(fs->tree);
	return rc;
}

static int find_error(struct fs *fs, const char *path)
{
	struct tree_entry entry;
	int rc = find(fs, path, &entry);

	if (rc == 0)
		forest_forget(fs->forest, entry.nodeid, 1);
	return rc;
}

static struct stat stat_at(struct fs *fs, const char *path)
{
	struct tree_entry entry = { 0 };

	CHECK_OK(find(fs, path, &entry));
	forest_forget(fs->forest, entry.nodeid, 1);
	return entry.stat;
}

static struct tree *tree_at(struct fs *fs, const struct tree_entry *entry)
{
	return forest_tree(fs->forest, entry->nodeid);
}

/* Opens it; the entry stays counted, for as long as the handle is open. */
static int open_at(struct fs *fs, const char *path, int flags,
		   struct tree_entry *ret_entry, struct handle **ret)
{
	int rc = find(fs, path, ret_entry);

	if (rc < 0)
		return rc;
	rc = tree_open_file(tree_at(fs, ret_entry), &fs->me, ret_entry->node,
			    flags, ret);
	if (rc < 0)
		forest_forget(fs->forest, ret_entry->nodeid, 1);
	return rc;
}

static void close_at(struct fs *fs, const struct tree_entry *entry,
		     struct handle *handle)
{
	CHECK_OK(tree_release(tree_at(fs, entry), handle));
	forest_forget(fs->forest, entry->nodeid, 1);
}

/* Valid until the next call. */
static const char *read_at(struct fs *fs, const struct tree_entry *entry,
			   struct handle *handle)
{
	static char text[256];
	struct tree_read read = { text, sizeof(text) - 1, 0 };
	struct pin *pin;
	size_t n = 0;

	CHECK_OK(tree_read(tree_at(fs, entry), &fs->me, handle, &read, &n,
			   &pin));
	text[n] = '\0';
	return text;
}

static const char *text_at(struct fs *fs, const char *path)
{
	struct tree_entry entry = { 0 };
	struct handle *handle = NULL;
	const char *text;

	CHECK_OK(open_at(fs, path, O_RDONLY, &entry, &handle));
	text = read_at(fs, &entry, handle);
	close_at(fs, &entry, handle);
	return text;
}

/* A key whose directory is made by it alone. */
static void put_beneath(struct fs *fs, const char *key)
{
	CHECK_OK(aedb_put(node_directory(fs->scope)->scope, key, strlen(key),
			  "v", 1));
}

/* `.snap` of the root, or of a project. */
static int act(struct fs *fs, const char *dir,
	       const struct forest_snapshot *names,
	       int (*does)(struct forest *, const struct tree_caller *,
			   const struct forest_snapshot *))
{
	struct forest_snapshot snapshot = *names;
	struct tree_entry entry = { 0 };
	int rc;

	CHECK_OK(find(fs, dir, &entry));
	snapshot.dir = entry.nodeid;
	rc = does(fs->forest, &fs->me, &snapshot);
	forest_forget(fs->forest, entry.nodeid, 1);
	return rc;
}

static int create(struct forest *forest, const struct tree_caller *caller,
		  const struct forest_snapshot *snapshot)
{
	struct tree_entry entry;
	int rc = forest_snapshot_create(forest, caller, snapshot, &entry);

	if (rc == 0)
		forest_forget(forest, entry.nodeid, 1);
	return rc;
}

static int take(struct fs *fs, const char *name)
{
	return act(fs, ".snap", &(struct forest_snapshot){ .name = name },
		   create);
}

static int drop(struct fs *fs, const char *name)
{
	return act(fs, ".snap", &(struct forest_snapshot){ .name = name },
		   forest_snapshot_delete);
}

static int rename_to(struct fs *fs, const char *name, const char *new_name)
{
	return act(fs, ".snap",
		   &(struct forest_snapshot){ .name = name,
					      .new_name = new_name },
		   forest_snapshot_rename);
}

/* Names with a space behind each. */
static const char *list_at(struct fs *fs, const char *path)
{
	static char text[512];
	struct tree_entry entry = { 0 };
	struct tree_dirent dirent;
	struct tree_dir *dir;
	struct tree *tree;

	CHECK_OK(find(fs, path, &entry));
	tree = tree_at(fs, &entry);
	CHECK_OK(tree_opendir(tree, entry.node, &dir));
	CHECK_OK(tree_dir_seek(tree, dir, TREE_NAMES, 2));
	text[0] = '\0';
	while (tree_dir_peek(tree, dir, &dirent) == 0) {
		strcat(strcat(text, dirent.name), " ");
		CHECK_OK(tree_dir_take(dir));
	}
	tree_releasedir(tree, dir);
	forest_forget(fs->forest, entry.nodeid, 1);
	return text;
}

TEST(shows, "a snapshot shows values, names and attributes as they were when it "
	"was taken")
{
	struct stat then, now;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	fs_put(&fs, "gone", "was here");
	put_beneath(&fs, "d/implicit");
	fs_mkdir(&fs, "made");
	then = stat_at(&fs, "p/s/k");
	CHECK_OK(take(&fs, "A"));
	fs_put(&fs, "k", "newer");
	fs_put(&fs, "later", "x");
	CHECK_OK(fs_unlink(&fs, "gone"));
	CHECK_OK(fs_rename(&fs, "made", "moved", 0));
	CHECK_STR(text_at(&fs, ".snap/A/p/s/k"), "old");
	CHECK_STR(text_at(&fs, ".snap/A/p/s/gone"), "was here");
	CHECK_STR(list_at(&fs, ".snap/A/p/s"), "d gone k made ");
	CHECK_EQ(find_error(&fs, ".snap/A/p/s/later"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/A/p/s/moved"), -ENOENT);
	CHECK_STR(text_at(&fs, "p/s/k"), "newer");
	now = stat_at(&fs, ".snap/A/p/s/k");
	CHECK_EQ(now.st_size, then.st_size);
	CHECK_EQ(now.st_mtim.tv_nsec, then.st_mtim.tv_nsec);
	CHECK_EQ(now.st_ctim.tv_nsec, then.st_ctim.tv_nsec);
	CHECK_EQ(now.st_mode, then.st_mode);
	fs_close(&fs);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
	       memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0;
}

/* As programs see it that hold a file for the same as another. */
static bool is_one(const struct stat *a, const struct stat *b)
{
	return same(a, b) && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec;
}

TEST(stable, "what did not change is the same in every snapshot, number and times "
	"too, but directories are not taken for one; the live number is another")
{
	static const char *const paths[] = { "p", "p/s", "p/s/k", "p/s/d",
					     "p/s/d/x", "p/s/made" };
	struct stat a, b, live;
	char path[64];
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	fs_put(&fs, "changes", "1");
	fs_mkdir(&fs, "made");
	put_beneath(&fs, "d/x");
	CHECK_OK(take(&fs, "A"));
	fs_put(&fs, "changes", "2");
	CHECK_OK(take(&fs, "B"));
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		snprintf(path, sizeof(path), ".snap/A/%s", paths[i]);
		a = stat_at(&fs, path);
		snprintf(path, sizeof(path), ".snap/B/%s", paths[i]);
		b = stat_at(&fs, path);
		live = stat_at(&fs, paths[i]);
		CHECK(same(&a, &b));
		CHECK_EQ(is_one(&a, &b), S_ISREG(a.st_mode));
		CHECK(a.st_ino != live.st_ino);
	}
	a = stat_at(&fs, ".snap/A/p/s/changes");
	b = stat_at(&fs, ".snap/B/p/s/changes");
	CHECK_EQ(a.st_size, b.st_size);
	CHECK(a.st_ino != b.st_ino);
	fs_close(&fs);
}

TEST(names, "snapshots are listed, renamed and deleted by name, and their directory "
	"shows when they were taken")
{
	struct aedb_snapshot_info info;
	struct stat st;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "1");
	CHECK_STR(list_at(&fs, ".snap"), "");
	CHECK_OK(take(&fs, "B"));
	fs_put(&fs, "k", "2");
	CHECK_OK(take(&fs, "A"));
	CHECK_STR(list_at(&fs, ".snap"), "A B ");
	CHECK_EQ(take(&fs, "A"), -EEXIST);
	CHECK_EQ(take(&fs, ".hidden"), -EINVAL);
	CHECK_OK(aedb_snapshot_next(fs.db, "", &info));
	st = stat_at(&fs, ".snap/A");
	CHECK_EQ(st.st_mtim.tv_sec, info.time_ns / 1000000000);
	CHECK_EQ(st.st_mtim.tv_nsec, info.time_ns % 1000000000);
	CHECK_OK(rename_to(&fs, "B", "C"));
	CHECK_EQ(rename_to(&fs, "C", "A"), -EEXIST);
	CHECK_STR(list_at(&fs, ".snap"), "A C ");
	CHECK_STR(text_at(&fs, ".snap/C/p/s/k"), "1");
	CHECK_EQ(find_error(&fs, ".snap/B"), -ENOENT);
	CHECK_OK(drop(&fs, "C"));
	CHECK_EQ(drop(&fs, "C"), -ENOENT);
	CHECK_STR(list_at(&fs, ".snap"), "A ");
	CHECK_STR(text_at(&fs, ".snap/A/p/s/k"), "2");
	fs_close(&fs);
}

TEST(told, "the kernel keeps the attributes of the root's .snap, and is told when "
	"they change")
{
	struct tree_effects effects;
	struct tree_entry entry = { 0 };
	struct stat before, after;
	struct fs fs;

	fs_open(&fs);
	before = stat_at(&fs, ".snap");
	CHECK_OK(find(&fs, ".snap", &entry));
	CHECK(entry.is_name_lasting && entry.is_stat_lasting);
	tree_take_effects(fs.tree, &effects);
	CHECK_OK(take(&fs, "A"));
	tree_take_effects(fs.tree, &effects);
	CHECK_EQ(effects.n_stale, 1);
	CHECK_EQ(effects.stale[0], entry.nodeid);
	after = stat_at(&fs, ".snap");
	CHECK(memcmp(&before.st_mtim, &after.st_mtim, sizeof(after.st_mtim)));
	forest_forget(fs.forest, entry.nodeid, 1);
	CHECK_OK(find(&fs, "p/.snap", &entry));
	CHECK(!entry.is_stat_lasting);
	forest_forget(fs.forest, entry.nodeid, 1);
	fs_close(&fs);
}

TEST(in_project, "in a project the snapshots show that project, whatever it was "
	"called then, and none that is older")
{
	struct tree_rename rename = { .name = "p", .new_name = "q" };
	struct tree_entry entry;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "1");
	CHECK_OK(take(&fs, "A"));
	rename.parent = rename.new_parent = tree_root(fs.tree);
	CHECK_OK(tree_rename(fs.tree, &fs.me, &rename));
	CHECK_OK(tree_mkdir(fs.tree, &fs.me,
			    &(struct tree_new){ tree_root(fs.tree), "p", 0755 },
			    &entry));
	tree_forget(fs.tree, entry.node, 1);
	CHECK_OK(take(&fs, "B"));
	CHECK_STR(list_at(&fs, "q/.snap"), "A B ");
	CHECK_STR(list_at(&fs, "p/.snap"), "B ");
	CHECK_STR(list_at(&fs, "q/.snap/A"), "s ");
	CHECK_STR(text_at(&fs, "q/.snap/A/s/k"), "1");
	CHECK_STR(list_at(&fs, "p/.snap/B"), "");
	CHECK_EQ(find_error(&fs, "p/.snap/A"), -ENOENT);
	CHECK_EQ(act(&fs, "q/.snap", &(struct forest_snapshot){ .name = "X" },
		     create), -EROFS);
	CHECK_EQ(act(&fs, "q/.snap", &(struct forest_snapshot){ .name = "A" },
		     forest_snapshot_delete), -EROFS);
	fs_close(&fs);
}

TEST(hidden, "the names with a dot are at the root and in projects only, and are "
	"not listed")
{
	struct fs fs;

	fs_open(&fs);
	CHECK_OK(take(&fs, "A"));
	CHECK_STR(list_at(&fs, "p"), "s ");
	CHECK_EQ(find_error(&fs, "p/s/.snap"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/.snap"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/A/.snap"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/A/p/.snap"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/none"), -ENOENT);
	fs_put(&fs, ".snap", "a key");
	CHECK_STR(text_at(&fs, "p/s/.snap"), "a key");
	fs_close(&fs);
}

static void check_read_only(struct fs *fs, const struct tree_entry *dir)
{
	struct tree *tree = tree_at(fs, dir);
	struct tree_new new = { dir->node, "new", S_IFREG | 0644 };
	struct tree_rename rename = { dir->node, "k", dir->node, "l", 0 };
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 0600 };
	struct attr_xattr xattr = { "user.a", "v", 1, 0 };
	struct tree_entry entry;
	struct handle *handle;

	CHECK_EQ(tree_create(tree, &fs->me, &new, O_WRONLY, &handle, &entry),
		 -EROFS);
	CHECK_EQ(tree_mknod(tree, &fs->me, &new, &entry), -EROFS);
	CHECK_EQ(tree_mkdir(tree, &fs->me, &new, &entry), -EROFS);
	CHECK_EQ(tree_symlink(tree, &fs->me, &new, "to", &entry), -EROFS);
	CHECK_EQ(tree_unlink(tree, &fs->me, dir->node, "k"), -EROFS);
	CHECK_EQ(tree_rmdir(tree, &fs->me, dir->node, "d"), -EROFS);
	CHECK_EQ(tree_rename(tree, &fs->me, &rename), -EROFS);
	CHECK_EQ(tree_setattr(tree, &fs->me, dir->node, NULL, &set, &entry),
		 -EROFS);
	CHECK_EQ(tree_setxattr(tree, &fs->me, dir->node, &xattr), -EROFS);
	CHECK_EQ(tree_removexattr(tree, &fs->me, dir->node, "user.a"), -EROFS);
}

TEST(read_only, "nothing in a snapshot can be changed, and only the owner and root "
	"may change the snapshots")
{
	struct tree_entry entry = { 0 };
	struct handle *handle;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	put_beneath(&fs, "d/x");
	CHECK_OK(take(&fs, "A"));
	CHECK_OK(find(&fs, ".snap/A/p/s", &entry));
	check_read_only(&fs, &entry);
	forest_forget(fs.forest, entry.nodeid, 1);
	CHECK_EQ(open_at(&fs, ".snap/A/p/s/k", O_RDWR, &entry, &handle),
		 -EROFS);
	CHECK_EQ(open_at(&fs, ".snap/A/p/s/k", O_WRONLY | O_TRUNC, &entry,
			 &handle), -EROFS);
	fs.me.uid = 1001;
	CHECK_EQ(take(&fs, "B"), -EACCES);
	CHECK_EQ(drop(&fs, "A"), -EACCES);
	CHECK_EQ(rename_to(&fs, "A", "B"), -EACCES);
	fs.me.uid = 1000;
	CHECK_OK(rename_to(&fs, "A", "B"));
	fs_close(&fs);
}

TEST(committed, "a snapshot holds committed data only")
{
	struct handle *pending, *staged;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "committed");
	pending = fs_handle(&fs, fs.me.tid, "pending",
			    O_CREAT | O_EXCL | O_WRONLY);
	fs_write_as(&fs, fs.me.tid, pending, 0, "x");
	staged = fs_handle(&fs, fs.me.tid, "k", O_RDWR);
	fs_write_as(&fs, fs.me.tid, staged, 0, "STAGED");
	CHECK_OK(take(&fs, "A"));
	CHECK_STR(list_at(&fs, ".snap/A/p/s"), "k ");
	CHECK_STR(text_at(&fs, ".snap/A/p/s/k"), "committed");
	CHECK_OK(tree_release(fs.tree, pending));
	CHECK_OK(tree_release(fs.tree, staged));
	CHECK_STR(list_at(&fs, ".snap/A/p/s"), "k ");
	CHECK_STR(list_at(&fs, "p/s"), "k pending ");
	fs_close(&fs);
}

TEST(deleted, "who has a file of a deleted snapshot open reads on, names in it are "
	"gone, and one made with its name is another")
{
	struct tree_entry dir = { 0 }, file = { 0 }, entry;
	struct handle *handle = NULL;
	struct aedb_stats stats;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	CHECK_OK(take(&fs, "A"));
	fs_put(&fs, "k", "new");
	CHECK_OK(find(&fs, ".snap/A/p/s", &dir));
	CHECK_OK(open_at(&fs, ".snap/A/p/s/k", O_RDONLY, &file, &handle));
	CHECK_OK(drop(&fs, "A"));
	CHECK_EQ(find_error(&fs, ".snap/A"), -ENOENT);
	CHECK_EQ(forest_lookup(fs.forest, &fs.me, dir.nodeid, "k", &entry),
		 -ENOENT);
	CHECK_STR(read_at(&fs, &file, handle), "old");
	CHECK_OK(take(&fs, "A"));
	CHECK_STR(text_at(&fs, ".snap/A/p/s/k"), "new");
	CHECK_STR(read_at(&fs, &file, handle), "old");
	close_at(&fs, &file, handle);
	forest_forget(fs.forest, dir.nodeid, 1);
	/* Nothing holds what only the deleted one showed. */
	aedb_stats(fs.db, &stats);
	CHECK_EQ(stats.snapshots, 1);
	fs_close(&fs);
}

TEST(let_go, "a snapshot that nobody uses is not kept open")
{
	struct tree_entry entry = { 0 };
	struct aedb_stats stats;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	CHECK_OK(take(&fs, "A"));
	CHECK_OK(find(&fs, ".snap/A/p/s/k", &entry));
	aedb_stats(fs.db, &stats);
	CHECK_EQ(stats.snapshots, 2);
	forest_forget(fs.forest, entry.nodeid, 1);
	aedb_stats(fs.db, &stats);
	CHECK_EQ(stats.snapshots, 1);
	fs_close(&fs);
}

TEST(many, "many snapshots are open at once, each with its own state")
{
	static struct tree_entry entries[300];
	char name[16], path[48], text[16];
	struct fs fs;

	fs_open(&fs);
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%d", i);
		snprintf(name, sizeof(name), "s%d", i);
		fs_put(&fs, "k", text);
		CHECK_OK(take(&fs, name));
		snprintf(path, sizeof(path), ".snap/s%d/p/s/k", i);
		CHECK_OK(find(&fs, path, &entries[i]));
	}
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%d", i);
		snprintf(path, sizeof(path), ".snap/s%d/p/s/k", i);
		CHECK_STR(text_at(&fs, path), text);
		forest_forget(fs.forest, entries[i].nodeid, 1);
	}
	fs_close(&fs);
}

static void open_with_history(struct fs *fs)
{
	struct aedb_options options;

	fs_options(&options);
	options.maintenance = AEDB_ON_CALL;
	options.history_s = 3600;
	options.history_bytes = 64 << 10;
	fs_open_with(fs, &options);
}

/* The path of something in the newest state, for later. */
static const char *path_now(struct fs *fs, const char *path)
{
	static char text[96];

	snprintf(text, sizeof(text), ".snap/@%llu/%s",
		 (unsigned long long)aedb_visible_seq(fs->db), path);
	return text;
}

static uint64_t snapshots_held(struct fs *fs)
{
	struct aedb_stats stats;

	(void)forest_tree(fs->forest, TREE_ROOT_NODEID);
	aedb_stats(fs->db, &stats);
	return stats.snapshots;
}

TEST(history, "a number names a state of the kept history, which nobody holds by "
	"looking at it, also in a project")
{
	struct tree_entry entry = { 0 };
	char path[96], other[128];
	struct fs fs;

	open_with_history(&fs);
	fs_put(&fs, "k", "1");
	strcpy(path, path_now(&fs, "p/s/k"));
	fs_put(&fs, "k", "2");
	CHECK_OK(find(&fs, path, &entry));
	CHECK_EQ(snapshots_held(&fs), 0);
	CHECK_STR(text_at(&fs, path), "1");
	strcpy(other, path_now(&fs, "p/s/k"));
	fs_put(&fs, "k", "3");
	CHECK_STR(text_at(&fs, other), "2");
	CHECK_STR(text_at(&fs, path), "1");
	CHECK_EQ(snapshots_held(&fs), 0);
	memcpy(path + strlen(path) - 5, "s/k", 4);
	snprintf(other, sizeof(other), "p/%s", path);
	CHECK_STR(text_at(&fs, other), "1");
	CHECK_STR(list_at(&fs, ".snap"), "");
	CHECK_EQ(find_error(&fs, ".snap/@999999"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/@"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/@1x"), -ENOENT);
	CHECK_EQ(find_error(&fs, ".snap/@nothing"), -ENOENT);
	forest_forget(fs.forest, entry.nodeid, 1);
	fs_close(&fs);
}

TEST(past, "of a state that is not kept any more names are gone and listings fail, "
	"and open files are read on")
{
	struct tree_entry dir = { 0 }, file = { 0 }, entry;
	struct handle *handle = NULL;
	static char large[60000];
	struct tree_dirent dirent;
	struct tree_dir *list;
	char path[96];
	struct fs fs;

	open_with_history(&fs);
	fs_put(&fs, "k", "old");
	strcpy(path, path_now(&fs, "p/s/k"));
	fs_put(&fs, "k", "new");
	CHECK_OK(open_at(&fs, path, O_RDONLY, &file, &handle));
	path[strlen(path) - 2] = '\0';
	CHECK_OK(find(&fs, path, &dir));
	CHECK_OK(tree_opendir(tree_at(&fs, &dir), dir.node, &list));
	memset(large, 'x', sizeof(large) - 1);
	for (int i = 0; i < 8; i++)
		fs_put(&fs, "k", large);
	CHECK_OK(aedb_checkpoint(fs.db, NULL));
	CHECK_EQ(find_error(&fs, path), -ENOENT);
	(void)tree_at(&fs, &dir);
	CHECK_EQ(forest_lookup(fs.forest, &fs.me, dir.nodeid, "k", &entry),
		 -ENOENT);
	CHECK_EQ(tree_getattr(tree_at(&fs, &dir), &fs.me, dir.node, NULL,
			      &entry), -ENOENT);
	CHECK_OK(tree_dir_seek(tree_at(&fs, &dir), list, TREE_NAMES, 2));
	CHECK_EQ(tree_dir_peek(tree_at(&fs, &dir), list, &dirent), -ESTALE);
	tree_releasedir(tree_at(&fs, &dir), list);
	CHECK_STR(read_at(&fs, &file, handle), "old");
	close_at(&fs, &file, handle);
	forest_forget(fs.forest, dir.nodeid, 1);
	fs_close(&fs);
}

TEST(checkpoint, "the last checkpoint's state has a name, and who looks at it keeps "
	"it when the next one is made")
{
	struct tree_entry old = { 0 };
	struct handle *handle;
	struct fs fs;

	open_with_history(&fs);
	CHECK_EQ(find_error(&fs, ".snap/@checkpoint"), -ENOENT);
	fs_put(&fs, "k", "1");
	CHECK_OK(aedb_checkpoint(fs.db, NULL));
	fs_put(&fs, "k", "2");
	CHECK_STR(text_at(&fs, ".snap/@checkpoint/p/s/k"), "1");
	CHECK_OK(find(&fs, ".snap/@checkpoint/p/s/k", &old));
	CHECK_OK(aedb_checkpoint(fs.db, NULL));
	CHECK_STR(text_at(&fs, ".snap/@checkpoint/p/s/k"), "2");
	CHECK_OK(tree_open_file(tree_at(&fs, &old), &fs.me, old.node, O_RDONLY,
				&handle));
	CHECK_STR(read_at(&fs, &old, handle), "1");
	close_at(&fs, &old, handle);
	fs_close(&fs);
}

#define ROUNDS 100

/* Takes and deletes snapshots, as a worker does. */
static void *take_and_drop(void *arg)
{
	struct fs *fs = arg;
	struct tree_caller caller = fs->me;
	struct tree_entry dir = { 0 }, entry;
	struct forest_snapshot snapshot = { .name = "A" };

	CHECK_OK(find(fs, ".snap", &dir));
	snapshot.dir = dir.nodeid;
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(forest_snapshot_create(fs->forest, &caller, &snapshot,
						&entry));
		CHECK_OK(forest_snapshot_delete(fs->forest, &caller, &snapshot));
		tree_lock(fs->tree);
		forest_forget(fs->forest, entry.nodeid, 1);
		tree_unlock(fs->tree);
	}
	tree_lock(fs->tree);
	forest_forget(fs->forest, dir.nodeid, 1);
	tree_unlock(fs->tree);
	return NULL;
}

/* How often a value was read in the snapshot, which is there or not. */
static int read_at_times(struct fs *fs, const char *path)
{
	struct tree_entry entry;
	struct handle *handle;
	int n = 0;

	for (int i = 0; i < 20 * ROUNDS; i++) {
		if (find(fs, path, &entry) < 0)
			continue;
		tree_lock(fs->tree);
		if (tree_open_file(tree_at(fs, &entry), &fs->me, entry.node,
				   O_RDONLY, &handle) == 0) {
			tree_unlock(fs->tree);
			tree_lock(fs->tree);
			CHECK_STR(read_at(fs, &entry, handle), "v");
			CHECK_OK(tree_release(tree_at(fs, &entry), handle));
			n++;
		}
		forest_forget(fs->forest, entry.nodeid, 1);
		tree_unlock(fs->tree);
	}
	return n;
}

TEST(threads, "snapshots are made and deleted while others read them")
{
	struct aedb_stats stats;
	pthread_t thread;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	CHECK_EQ(pthread_create(&thread, NULL, take_and_drop, &fs), 0);
	(void)read_at_times(&fs, ".snap/A/p/s/k");
	CHECK_EQ(pthread_join(thread, NULL), 0);
	aedb_stats(fs.db, &stats);
	CHECK_EQ(stats.snapshots, 0);
	CHECK_EQ(read_at_times(&fs, ".snap/A/p/s/k"), 0);
	fs_close(&fs);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
