/*
 * Batches as directories, without a mount: what they show, who may enter and end
 * them, what is left of one that has ended, and what their commit needs.
 */
#include <linux/fs.h>

#include "expect.h"
#include "fs_fixture.h"
#include "state.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

static const struct tree_caller stranger = { 0, 4711, 4711 };

static int begin_error(struct fs *fs, const char *name)
{
	struct tree_entry entry;
	int rc = fs_begin_batch(fs, &fs->me, name, &entry);

	if (rc == 0)
		forest_forget(fs->forest, entry.nodeid, 1);
	return rc;
}

static int abort_as(struct fs *fs, uid_t uid, const char *name)
{
	struct batch_news news = { .before = { .attributes = NULL } };
	struct tree_caller caller = { 0, uid, uid };
	int rc = forest_batch_abort(fs->forest, &caller, name, &news);

	batch_news_release(&news);
	return rc;
}

static void leave(struct fs *batch)
{
	forest_forget(batch->forest, tree_nodeid(batch->tree, batch->scope), 1);
}

static void end(struct fs *batch, const char *name)
{
	leave(batch);
	CHECK_OK(abort_as(batch, 0, name));
}

/* A key whose directory is made by it alone. */
static void put_beneath(struct fs *fs, const char *key)
{
	CHECK_OK(aedb_put(node_directory(fs->scope)->scope, key, strlen(key),
			  "v", 1));
}

/* Names with a space behind each. */
static const char *list_node(struct fs *fs, struct node *node)
{
	static char text[512];
	struct tree_dirent dirent;
	struct tree_dir *dir;

	CHECK_OK(tree_opendir(fs->tree, node, &dir));
	CHECK_OK(tree_dir_seek(fs->tree, dir, TREE_NAMES, 2));
	text[0] = '\0';
	while (tree_dir_peek(fs->tree, dir, &dirent) == 0) {
		strcat(strcat(text, dirent.name), " ");
		CHECK_OK(tree_dir_take(dir));
	}
	tree_releasedir(fs->tree, dir);
	return text;
}

TEST(isolated, "a batch shows the newest state as of its beginning and its own "
	"changes, which nobody else sees")
{
	struct fs fs, batch;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	fs_put(&fs, "other", "old");
	fs_enter_batch(&fs, "b", &batch);
	fs_put(&fs, "other", "newer");
	fs_put(&fs, "later", "x");
	CHECK_STR(fs_content(&batch, "k"), "old");
	CHECK_STR(fs_content(&batch, "other"), "old");
	CHECK(!fs_is_there(&batch, "later"));
	fs_put(&batch, "k", "changed");
	fs_put(&batch, "mine", "x");
	CHECK_OK(fs_unlink(&batch, "other"));
	CHECK_STR(list_node(&batch, batch.scope), "k mine ");
	CHECK_STR(list_node(&fs, fs.scope), "k later other ");
	CHECK_STR(fs_content(&fs, "k"), "old");
	CHECK_STR(fs_content(&batch, "k"), "changed");
	end(&batch, "b");
	CHECK_STR(fs_content(&fs, "k"), "old");
	CHECK_STR(fs_content(&fs, "other"), "newer");
	CHECK(!fs_is_there(&fs, "mine"));
	fs_close(&fs);
}

TEST(several, "each batch has a state of its own")
{
	struct fs fs, a, b;

	fs_open(&fs);
	fs_put(&fs, "k", "0");
	fs_enter_batch(&fs, "a", &a);
	fs_put(&fs, "k", "1");
	fs_enter_batch(&fs, "b", &b);
	fs_put(&a, "k", "of a");
	CHECK_STR(fs_content(&b, "k"), "1");
	fs_put(&b, "k", "of b");
	CHECK_STR(fs_content(&a, "k"), "of a");
	CHECK_STR(fs_content(&fs, "k"), "1");
	CHECK(fs_ino(&a, "k") != fs_ino(&b, "k"));
	CHECK(fs_ino(&a, "k") != fs_ino(&fs, "k"));
	end(&a, "a");
	CHECK_STR(fs_content(&b, "k"), "of b");
	end(&b, "b");
	fs_close(&fs);
}

TEST(names, "directories are made, renamed and removed in a batch as anywhere")
{
	struct fs fs, batch;

	fs_open(&fs);
	fs_mkdir(&fs, "d");
	fs_put(&fs, "d/k", "v");
	put_beneath(&fs, "implicit/x");
	fs_enter_batch(&fs, "b", &batch);
	CHECK_OK(fs_rename(&batch, "d", "e", 0));
	CHECK_STR(fs_content(&batch, "e/k"), "v");
	CHECK(!fs_is_there(&batch, "d"));
	CHECK_EQ(fs_rmdir(&batch, "e"), -ENOTEMPTY);
	CHECK_OK(fs_unlink(&batch, "implicit/x"));
	CHECK_OK(fs_rmdir(&batch, "implicit"));
	fs_mkdir(&batch, "implicit");
	fs_put(&batch, "implicit/y", "1");
	CHECK_OK(fs_rename(&batch, "implicit/y", "e/k", RENAME_EXCHANGE));
	CHECK_STR(fs_content(&batch, "e/k"), "1");
	CHECK_STR(fs_content(&batch, "implicit/y"), "v");
	CHECK_EQ(fs_rename(&batch, "e/k", "implicit/y", RENAME_NOREPLACE),
		 -EEXIST);
	CHECK_STR(list_node(&batch, batch.scope), "e implicit ");
	CHECK_STR(list_node(&fs, fs.scope), "d implicit ");
	CHECK_STR(fs_content(&fs, "d/k"), "v");
	CHECK(fs_is_there(&fs, "implicit/x"));
	end(&batch, "b");
	fs_close(&fs);
}

TEST(pending, "what is created in a batch is listed there at once, exclusive there "
	"alone, and in it when it was written")
{
	struct fs fs, batch, later;
	struct handle *a, *b;
	pid_t me;

	fs_open(&fs);
	me = fs.me.tid;
	fs_enter_batch(&fs, "b", &batch);
	a = fs_handle(&batch, me, "k", O_CREAT | O_EXCL | O_WRONLY);
	CHECK_STR(list_node(&batch, batch.scope), "k ");
	CHECK_EQ(fs_open_as(&batch, me, "k", O_CREAT | O_EXCL | O_WRONLY, &b),
		 -EEXIST);
	CHECK(!fs_is_there(&fs, "k"));
	b = fs_handle(&fs, me, "k", O_CREAT | O_EXCL | O_WRONLY);
	fs_write_as(&batch, me, a, 0, "in the batch");
	fs_write_as(&fs, me, b, 0, "live");
	fs_flush_as(&batch, me, a);
	fs_flush_as(&fs, me, b);
	CHECK_OK(tree_release(batch.tree, a));
	CHECK_OK(tree_release(fs.tree, b));
	CHECK_STR(fs_content(&batch, "k"), "in the batch");
	CHECK_STR(fs_content(&fs, "k"), "live");
	fs_enter_batch(&fs, "later", &later);
	CHECK_STR(fs_content(&later, "k"), "live");
	end(&later, "later");
	end(&batch, "b");
	fs_close(&fs);
}

TEST(handles, "in a batch readers keep their version, writers share a copy, and "
	"records are appended")
{
	struct handle *reader, *a, *b, *c;
	struct fs fs, batch;
	pid_t me, other;

	fs_open(&fs);
	me = fs.me.tid;
	other = fs_process();
	fs_put(&fs, "k", "0000");
	fs_enter_batch(&fs, "b", &batch);
	reader = fs_handle(&batch, 0, "k", O_RDONLY);
	a = fs_handle(&batch, me, "k", O_RDWR);
	b = fs_handle(&batch, other, "k", O_RDWR);
	fs_write_as(&batch, me, a, 0, "11");
	fs_write_as(&batch, other, b, 2, "22");
	CHECK_STR(fs_read_as(&batch, me, a), "1122");
	CHECK_STR(fs_content(&batch, "k"), "0000");
	fs_flush_as(&batch, me, a);
	CHECK_STR(fs_content(&batch, "k"), "1122");
	CHECK_STR(fs_read_as(&batch, 0, reader), "0000");
	c = fs_handle(&batch, me, "log", O_CREAT | O_APPEND | O_WRONLY);
	fs_append_as(&batch, me, c, "1");
	fs_append_as(&batch, me, c, "2");
	CHECK_STR(fs_content(&batch, "log"), "12");
	CHECK_STR(fs_content(&fs, "k"), "0000");
	CHECK_OK(tree_release(batch.tree, reader));
	CHECK_OK(tree_release(batch.tree, a));
	CHECK_OK(tree_release(batch.tree, b));
	CHECK_OK(tree_release(batch.tree, c));
	kill(other, SIGKILL);
	CHECK_EQ(waitpid(other, NULL, 0), other);
	end(&batch, "b");
	fs_close(&fs);
}

TEST(numbers, "nobody waits for what is committed in a batch")
{
	struct tree_effects effects;
	struct fs fs, batch;
	aedb_seq_t visible;

	fs_open(&fs);
	fs_enter_batch(&fs, "b", &batch);
	visible = aedb_visible_seq(fs.db);
	tree_take_effects(fs.tree, &effects);
	fs_put(&batch, "k", "v");
	tree_take_effects(batch.tree, &effects);
	CHECK_EQ(effects.committed, 0);
	CHECK_EQ(aedb_visible_seq(fs.db), visible);
	CHECK(tree_is_of_batch(batch.tree) && !tree_is_of_batch(fs.tree));
	CHECK(!tree_is_immutable(batch.tree));
	fs_put(&fs, "k", "v");
	tree_take_effects(fs.tree, &effects);
	CHECK(effects.committed > visible);
	end(&batch, "b");
	fs_close(&fs);
}

TEST(ended, "of a batch that was aborted names are not found, and open files can "
	"neither be read nor written, but are closed")
{
	struct tree_entry entry;
	struct tree_dirent dirent;
	struct handle *reader, *writer, *creator;
	struct fs fs, batch;
	struct tree_dir *dir;
	struct stat st;
	char byte;
	struct tree_read read = { &byte, 1, 0 };
	struct tree_write write = { "x", 1, 0, false };
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 0600 };
	struct tree_new new;
	struct pin *pin;
	uint64_t nodes, more, bytes;
	size_t n;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	forest_count(fs.forest, &nodes, &bytes);
	fs_enter_batch(&fs, "b", &batch);
	fs_put(&batch, "k", "w");
	reader = fs_handle(&batch, batch.me.tid, "k", O_RDONLY);
	writer = fs_handle(&batch, batch.me.tid, "k", O_RDWR);
	creator = fs_handle(&batch, batch.me.tid, "new", O_CREAT | O_WRONLY);
	fs_write_as(&batch, batch.me.tid, writer, 0, "staged");
	CHECK_OK(tree_opendir(batch.tree, batch.scope, &dir));
	/* The end of the mount would not wait for that. */
	CHECK_EQ(tree_staged_handles(fs.tree), 0);
	CHECK_EQ(abort_as(&fs, 0, "b"), 0);
	CHECK_EQ(abort_as(&fs, 0, "b"), -ENOENT);

	new = (struct tree_new){ batch.scope, "x", 0755 };
	CHECK_EQ(tree_lookup(batch.tree, &fs.me, batch.scope, "k", &entry),
		 -ENOENT);
	CHECK_EQ(tree_getattr(batch.tree, &fs.me, batch.scope, NULL, &entry),
		 -ENOENT);
	CHECK_EQ(tree_setattr(batch.tree, &fs.me, batch.scope, NULL, &set,
			      &entry), -ENOENT);
	CHECK_EQ(tree_mkdir(batch.tree, &fs.me, &new, &entry), -ENOENT);
	CHECK_EQ(fs_open_as(&batch, 0, "x", O_CREAT | O_WRONLY, &writer),
		 -ENOENT);
	CHECK_EQ(fs_stat(&batch, "k", &st), -ENOENT);
	CHECK_EQ(fs_unlink(&batch, "k"), -ENOENT);
	CHECK_EQ(fs_rmdir(&batch, "k"), -ENOENT);
	CHECK_EQ(fs_rename(&batch, "k", "x", 0), -ENOENT);
	CHECK_EQ(tree_read(batch.tree, &fs.me, reader, &read, &n, &pin),
		 -ESTALE);
	CHECK_EQ(tree_read(batch.tree, &fs.me, writer, &read, &n, &pin),
		 -ESTALE);
	CHECK_EQ(tree_write(batch.tree, &fs.me, writer, &write), -ESTALE);
	CHECK_EQ(tree_fsync(batch.tree, writer), -ESTALE);
	CHECK_EQ(tree_flush(batch.tree, &fs.me, writer), -ESTALE);
	CHECK_OK(tree_flush(batch.tree, &fs.me, reader));
	CHECK_OK(tree_dir_seek(batch.tree, dir, TREE_NAMES, 2));
	CHECK_EQ(tree_dir_peek(batch.tree, dir, &dirent), -ESTALE);

	tree_releasedir(batch.tree, dir);
	CHECK_OK(tree_release(batch.tree, reader));
	CHECK_OK(tree_release(batch.tree, writer));
	CHECK_OK(tree_release(batch.tree, creator));
	leave(&batch);
	forest_count(fs.forest, &more, &bytes);
	CHECK_EQ(more, nodes);
	CHECK_STR(fs_content(&fs, "k"), "v");
	fs_close(&fs);
}

TEST(given_back, "an aborted batch gives back memory, base and values, though files "
	"are still open in it")
{
	static char large[200000];
	struct aedb_stats before, now;
	struct handle *handle;
	struct fs fs, batch;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	aedb_stats(fs.db, &before);
	fs_enter_batch(&fs, "b", &batch);
	memset(large, 'x', sizeof(large) - 1);
	fs_put(&batch, "k", large);
	handle = fs_handle(&batch, 0, "k", O_RDONLY);
	aedb_stats(fs.db, &now);
	CHECK(now.batch_bytes > 0);
	CHECK_EQ(now.snapshots, before.snapshots + 1);
	CHECK_EQ(now.batches, 1);
	CHECK_OK(abort_as(&fs, 0, "b"));
	/* a compaction in the background has one for a moment */
	do
		aedb_stats(fs.db, &now);
	while (now.snapshots != before.snapshots);
	CHECK_EQ(now.batch_bytes, 0);
	CHECK_EQ(now.batches, 0);
	CHECK_OK(tree_release(batch.tree, handle));
	leave(&batch);
	fs_close(&fs);
}

/* A number of a thousand and more, each open. */
static void begin_many(struct fs *fs, int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		CHECK_OK(begin_error(fs, name));
	}
}

TEST(begins, "names of batches are those that snapshots may have, and are listed")
{
	char name[AEDB_NAME_BYTES_MAX + 2];
	struct tree_entry dir = { 0 };
	struct fs fs;

	fs_open(&fs);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CHECK_EQ(begin_error(&fs, name), -ENAMETOOLONG);
	CHECK_OK(begin_error(&fs, name + 1));
	CHECK_EQ(begin_error(&fs, ".name"), -EINVAL);
	CHECK_EQ(begin_error(&fs, "a name"), -EINVAL);
	CHECK_EQ(begin_error(&fs, "@1"), -EINVAL);
	CHECK_OK(begin_error(&fs, "b-1.2_x"));
	CHECK_OK(begin_error(&fs, "a"));
	CHECK_EQ(begin_error(&fs, "a"), -EEXIST);
	CHECK_OK(abort_as(&fs, 0, name + 1));
	CHECK_OK(forest_lookup(fs.forest, &fs.me, TREE_ROOT_NODEID, ".batch",
			       &dir));
	CHECK_STR(list_node(&fs, dir.node), "a b-1.2_x ");
	CHECK_EQ(dir.stat.st_mode, S_IFDIR | 0777);
	CHECK_EQ(forest_lookup(fs.forest, &fs.me, dir.nodeid, "c", &dir),
		 -ENOENT);
	forest_forget(fs.forest, dir.nodeid, 1);
	CHECK_EQ(abort_as(&fs, 0, "c"), -ENOENT);
	fs_close(&fs);
}

TEST(many, "as many batches are open as st_ino can tell apart, or as the options say")
{
	struct aedb_options options;
	struct fs fs;

	fs_options(&options);
	options.batches_max = 2000;
	fs_open_with(&fs, &options);
	begin_many(&fs, FOREST_BATCHES_MAX);
	CHECK_EQ(begin_error(&fs, "more"), -ENOSPC);
	CHECK_OK(abort_as(&fs, 0, "b500"));
	CHECK_OK(begin_error(&fs, "more"));
	fs_close(&fs);
	options.batches_max = 2;
	fs_open_with(&fs, &options);
	begin_many(&fs, 2);
	CHECK_EQ(begin_error(&fs, "more"), -ENOSPC);
	fs_close(&fs);
}

static int begin_as(struct fs *fs, uid_t uid, const char *name)
{
	struct tree_caller caller = { 0, uid, uid };
	struct tree_entry entry;
	int rc = fs_begin_batch(fs, &caller, name, &entry);

	if (rc == 0)
		forest_forget(fs->forest, entry.nodeid, 1);
	return rc;
}

TEST(shares, "one user has half of the batches at most, and all of them leave a tenth "
	     "to the mount's owner and root")
{
	char name[16];
	struct fs fs;

	fs_open(&fs);
	fs.tree->config.batches_max = 20;
	for (unsigned i = 0; i < 10; i++) {
		sprintf(name, "a%u", i);
		CHECK_OK(begin_as(&fs, 4711, name));
	}
	CHECK_EQ(begin_as(&fs, 4711, "more"), -ENOSPC);
	for (unsigned i = 0; i < 8; i++) {
		sprintf(name, "b%u", i);
		CHECK_OK(begin_as(&fs, 4712, name));
	}
	CHECK_EQ(begin_as(&fs, 4712, "more"), -ENOSPC);
	CHECK_EQ(begin_as(&fs, 4713, "more"), -ENOSPC);
	CHECK_OK(begin_as(&fs, 0, "root"));
	CHECK_OK(begin_as(&fs, fs.tree->config.defaults.uid, "owner"));
	CHECK_OK(abort_as(&fs, 4711, "a0"));
	CHECK_OK(begin_as(&fs, 4713, "more"));
	CHECK_EQ(begin_as(&fs, 4711, "a0"), -ENOSPC);
	fs_close(&fs);
}

TEST(alone, "where one batch may be open any user may have it")
{
	struct fs fs;

	fs_open(&fs);
	fs.tree->config.batches_max = 1;
	CHECK_OK(begin_as(&fs, 4711, "a"));
	CHECK_EQ(begin_as(&fs, 4711, "b"), -ENOSPC);
	CHECK_OK(abort_as(&fs, 4711, "a"));
	fs_close(&fs);
}

TEST(belongs, "a batch is its creator's, whom others cannot follow; the mount's owner "
	"and root may end it")
{
	struct tree_entry door = { 0 };
	struct fs fs;

	fs_open(&fs);
	CHECK_OK(fs_begin_batch(&fs, &stranger, "b", &door));
	CHECK_EQ(door.stat.st_uid, stranger.uid);
	CHECK_EQ(door.stat.st_gid, stranger.gid);
	CHECK(door.is_door);
	/* The root is somebody else's, and not to be written to. */
	CHECK_EQ(door.stat.st_mode, S_IFDIR | 0500);
	CHECK_EQ(abort_as(&fs, 4712, "b"), -EACCES);
	CHECK_OK(abort_as(&fs, stranger.uid, "b"));
	forest_forget(fs.forest, door.nodeid, 1);
	CHECK_OK(fs_begin_batch(&fs, &stranger, "b", &door));
	CHECK_OK(abort_as(&fs, 1000, "b"));
	forest_forget(fs.forest, door.nodeid, 1);
	CHECK_OK(fs_begin_batch(&fs, &fs.me, "b", &door));
	CHECK_EQ(door.stat.st_mode, S_IFDIR | 0700);
	CHECK_EQ(abort_as(&fs, stranger.uid, "b"), -EACCES);
	forest_forget(fs.forest, door.nodeid, 1);
	fs_close(&fs);
}

TEST(root, "the root's attributes are its owner's to change in a batch, too")
{
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 0777 };
	struct tree_entry door = { 0 }, entry;
	struct tree *tree;
	struct fs fs;

	fs_open(&fs);
	CHECK_OK(fs_begin_batch(&fs, &stranger, "b", &door));
	tree = forest_tree(fs.forest, door.nodeid);
	CHECK_EQ(tree_setattr(tree, &stranger, door.node, NULL, &set, &entry),
		 -EPERM);
	CHECK_OK(tree_setattr(tree, &fs.me, door.node, NULL, &set, &entry));
	/* Now anybody may write to it, who may enter. */
	CHECK_EQ(entry.stat.st_mode, S_IFDIR | 0700);
	CHECK_EQ(entry.stat.st_uid, stranger.uid);
	CHECK_OK(tree_getattr(fs.tree, &fs.me, tree_root(fs.tree), NULL,
			      &entry));
	CHECK_EQ(entry.stat.st_mode, S_IFDIR | 0755);
	forest_forget(fs.forest, door.nodeid, 1);
	fs_close(&fs);
}

TEST(sticky, "in a sticky root a batch's creator removes and renames their own "
	"projects alone")
{
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 01777 };
	struct tree_entry door = { 0 }, entry;
	struct tree_new new = { .name = "q", .mode = 0755 };
	struct tree_rename rename = { .name = "p", .new_name = "r" };
	struct tree *tree;
	struct fs fs;

	fs_open(&fs);
	CHECK_OK(tree_setattr(fs.tree, &fs.me, tree_root(fs.tree), NULL, &set,
			      &entry));
	CHECK_OK(fs_begin_batch(&fs, &stranger, "b", &door));
	CHECK_EQ(door.stat.st_mode, S_IFDIR | 0700);
	tree = forest_tree(fs.forest, door.nodeid);
	new.parent = rename.parent = rename.new_parent = door.node;
	CHECK_EQ(tree_rename(tree, &stranger, &rename), -EPERM);
	CHECK_EQ(tree_rmdir(tree, &stranger, door.node, "p"), -EPERM);
	CHECK_OK(tree_mkdir(tree, &stranger, &new, &entry));
	tree_forget(tree, entry.node, 1);
	rename.name = "q";
	CHECK_OK(tree_rename(tree, &stranger, &rename));
	rename.new_name = "p";
	rename.name = "r";
	CHECK_EQ(tree_rename(tree, &stranger, &rename), -EPERM);
	CHECK_OK(tree_rmdir(tree, &stranger, door.node, "r"));
	rename.name = "p";
	rename.new_name = "r";
	CHECK_OK(tree_rename(tree, &fs.me, &rename));
	forest_forget(fs.forest, door.nodeid, 1);
	fs_close(&fs);
}

TEST(begun, "a batch's times are when it was begun")
{
	struct tree_entry door = { 0 }, again = { 0 };
	struct fs fs, batch;

	fs_open(&fs);
	fs_put(&fs, "k", "v");
	fs_enter_batch(&fs, "b", &batch);
	CHECK_OK(tree_getattr(batch.tree, &fs.me, tree_root(batch.tree), NULL,
			      &door));
	CHECK(door.stat.st_mtim.tv_sec > 0);
	CHECK_OK(tree_mkdir(batch.tree, &fs.me,
			    &(struct tree_new){ tree_root(batch.tree), "q",
						0755 }, &again));
	tree_forget(batch.tree, again.node, 1);
	CHECK_OK(tree_getattr(batch.tree, &fs.me, tree_root(batch.tree), NULL,
			      &again));
	CHECK_EQ(again.stat.st_mtim.tv_sec, door.stat.st_mtim.tv_sec);
	CHECK_EQ(again.stat.st_mtim.tv_nsec, door.stat.st_mtim.tv_nsec);
	end(&batch, "b");
	fs_close(&fs);
}

TEST(limits, "what is too much for a batch is refused, and the rest of it stays")
{
	struct fs fs, batch;
	char name[16];
	int rc = 0, i;

	fs_open_small(&fs, 100);
	fs_enter_batch(&fs, "b", &batch);
	for (i = 0; rc == 0 && i < 1000; i++) {
		struct handle *handle;

		snprintf(name, sizeof(name), "k%d", i);
		rc = fs_open_as(&batch, batch.me.tid, name,
				O_CREAT | O_WRONLY, &handle);
		CHECK_OK(rc);
		fs_write_as(&batch, batch.me.tid, handle, 0, "v");
		rc = tree_flush(batch.tree, &batch.me, handle);
		(void)tree_release(batch.tree, handle);
	}
	CHECK_EQ(rc, -EFBIG);
	CHECK(i > 50 && i <= 101);
	CHECK_STR(fs_content(&batch, "k0"), "v");
	fs_put(&fs, "live", "goes on");
	end(&batch, "b");
	fs_close(&fs);
}

TEST(ages, "batches too old are told, the oldest's time is known")
{
	struct batch_news news = { .before = { .attributes = NULL } };
	int64_t next = 0, deadline;
	struct batch *batch;
	struct fs fs;

	fs_open(&fs);
	CHECK(!forest_batch_expired(fs.forest, INT64_MAX - 1, &next));
	CHECK_EQ(next, INT64_MAX);
	fs.tree->config.batch_age_s = 1000;
	CHECK_OK(begin_error(&fs, "b"));
	fs.tree->config.batch_age_s = 10;
	CHECK_OK(begin_error(&fs, "a"));
	CHECK(!forest_batch_expired(fs.forest, 0, &next));
	deadline = forest_batch_find(fs.forest, "a")->deadline_ns;
	CHECK_EQ(next, deadline);
	batch = forest_batch_expired(fs.forest, deadline, &next);
	CHECK_STR(batch->name, "a");
	forest_batch_end(fs.forest, batch, &news);
	batch_news_release(&news);
	forest_batch_drop(batch);
	CHECK(!forest_batch_expired(fs.forest, deadline, &next));
	CHECK_EQ(next, forest_batch_find(fs.forest, "b")->deadline_ns);
	fs_close(&fs);
}

/* What the commit needs. */

static int check_commit(struct fs *batch)
{
	CHECK_OK(expect_directories(batch->tree->batch));
	return aedb_batch_check(batch->tree->batch->engine);
}

struct meeting {
	const char *what;
	void (*before)(struct fs *fs);
	void (*inside)(struct fs *fs);
	void (*beside)(struct fs *fs);
	bool conflicts;
};

static void nothing(struct fs *fs)
{
	fs_put(fs, "unrelated", "x");
}

static void make_d(struct fs *fs)
{
	fs_mkdir(fs, "d");
}

static void make_d_e(struct fs *fs)
{
	fs_mkdir(fs, "d");
	fs_mkdir(fs, "d/e");
	fs_put(fs, "d/e/old", "v");
}

static void make_implicit(struct fs *fs)
{
	put_beneath(fs, "d/e/old");
}

static void add_x(struct fs *fs)
{
	fs_put(fs, "d/x", "1");
}

static void add_y(struct fs *fs)
{
	fs_put(fs, "d/y", "1");
}

static void add_in_e(struct fs *fs)
{
	fs_put(fs, "d/e/new", "1");
}

static void remove_d(struct fs *fs)
{
	CHECK_OK(fs_rmdir(fs, "d"));
}

static void remove_d_e(struct fs *fs)
{
	CHECK_OK(fs_unlink(fs, "d/e/old"));
	CHECK_OK(fs_rmdir(fs, "d/e"));
}

static void remove_tree(struct fs *fs)
{
	remove_d_e(fs);
	remove_d(fs);
}

static void remove_and_make(struct fs *fs)
{
	remove_tree(fs);
	make_d(fs);
}

static void rename_d(struct fs *fs)
{
	CHECK_OK(fs_rename(fs, "d", "moved", 0));
}

static void make_moved_x(struct fs *fs)
{
	fs_mkdir(fs, "moved");
	fs_put(fs, "moved/x", "1");
}

static void key_d(struct fs *fs)
{
	fs_put(fs, "d", "a key");
}

static void make_d_x(struct fs *fs)
{
	make_d(fs);
	add_x(fs);
}

static void make_d_y(struct fs *fs)
{
	make_d(fs);
	add_y(fs);
}

static void make_d_d(struct fs *fs)
{
	make_d(fs);
	fs_mkdir(fs, "d/x");
	fs_put(fs, "d/x/k", "1");
}

static void passing(struct fs *fs)
{
	fs_put(fs, "d/x.lock", "1");
	CHECK_OK(fs_unlink(fs, "d/x.lock"));
	fs_mkdir(fs, "d/tmp");
	fs_put(fs, "d/tmp/x", "1");
	CHECK_OK(fs_rename(fs, "d/tmp", "d/tmp2", 0));
	CHECK_OK(fs_unlink(fs, "d/tmp2/x"));
	CHECK_OK(fs_rmdir(fs, "d/tmp2"));
	fs_put(fs, "d2", "1");
	CHECK_OK(fs_unlink(fs, "d2"));
}

static void make_what_passed(struct fs *fs)
{
	fs_mkdir(fs, "d/tmp");
	fs_put(fs, "d/tmp/y", "1");
	fs_mkdir(fs, "d/x.lock");
	fs_mkdir(fs, "d2");
}

static void own_key(struct fs *fs)
{
	fs_put(fs, "d/%", "the directory's own");
}

static void touch_d(struct fs *fs)
{
	struct tree_set set = { .fields = TREE_SET_MTIME, .mtime_ns = 1000 };
	struct tree_entry dir = { 0 }, entry;

	CHECK_OK(tree_lookup(fs->tree, &fs->me, fs->scope, "d", &dir));
	CHECK_OK(tree_setattr(fs->tree, &fs->me, dir.node, NULL, &set, &entry));
	tree_forget(fs->tree, dir.node, 1);
}

static const struct meeting meetings[] = {
	{ "keys of different names in a directory", make_d, add_x, add_y, false },
	{ "keys of one name", make_d, add_x, add_x, true },
	{ "a key in a directory that is gone", make_d, add_x, remove_d, true },
	{ "one deeper down", make_d_e, add_in_e, remove_tree, true },
	{ "one in a renamed directory", make_d_e, add_in_e, rename_d, true },
	{ "one in a directory that is another one now", make_d_e, add_x,
	  remove_and_make, true },
	{ "a directory removed where a key came", make_d, remove_d, add_x, true },
	{ "one removed with all in it, likewise", make_d_e, remove_tree, add_x,
	  true },
	{ "one that keys alone made", make_implicit, remove_tree, add_in_e, true },
	{ "part of one, beside what came elsewhere in it", make_d_e, remove_d_e,
	  add_x, false },
	{ "a directory replaced where a key came", make_d_e, remove_and_make,
	  add_x, true },
	{ "a directory renamed where a key came", make_d_e, rename_d, add_in_e,
	  true },
	{ "a directory renamed to where one was made", make_d_e, rename_d,
	  make_moved_x, true },
	{ "a directory made on both sides", nothing, make_d_x, make_d_y, false },
	{ "with one key on both", nothing, make_d_x, make_d_x, true },
	{ "a key over a directory", nothing, key_d, make_d_x, true },
	{ "a directory over a key", nothing, make_d_x, key_d, true },
	{ "an empty one", nothing, make_d, key_d, true },
	{ "a key over a directory in one of both", nothing, make_d_x, make_d_d,
	  true },
	{ "the reverse", nothing, make_d_d, make_d_x, true },
	{ "what was made and removed again", make_d, passing, make_what_passed,
	  false },
	{ "a directory's own key beside its others", make_d, own_key, add_x,
	  false },
	{ "times of a directory", make_d, touch_d, add_x, false },
	{ "and beside them", make_d, add_x, touch_d, false },
};

TEST(meets, "a batch's commit conflicts over directories exactly when both changes "
	"cannot have been made one after the other")
{
	for (size_t i = 0; i < sizeof(meetings) / sizeof(*meetings); i++) {
		const struct meeting *m = &meetings[i];
		struct fs fs, batch;
		int rc;

		fs_open(&fs);
		m->before(&fs);
		fs_enter_batch(&fs, "b", &batch);
		m->inside(&batch);
		CHECK_OK(check_commit(&batch));
		m->beside(&fs);
		rc = check_commit(&batch);
		if (rc != (m->conflicts ? AEDB_CONFLICT : 0))
			printf("# %s: %d\n", m->what, rc);
		CHECK_EQ(rc, m->conflicts ? AEDB_CONFLICT : 0);
		end(&batch, "b");
		fs_close(&fs);
	}
}
