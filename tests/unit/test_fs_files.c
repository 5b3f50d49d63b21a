/* Files in the tree: what is seen, and what commits when. */
#include <signal.h>

#include "fs_fixture.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

#define TRUNCATE (O_CREAT | O_TRUNC | O_WRONLY)

TEST(committed_only, "others see nothing of a value before its commit")
{
	struct fs fs;
	struct handle *h;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	h = fs_handle(&fs, fs.me.tid, "k", TRUNCATE);
	fs_write_as(&fs, fs.me.tid, h, 0, "newer");
	CHECK_STR(fs_content(&fs, "k"), "old");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_STR(fs_content(&fs, "k"), "newer");
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(pinned, "a reader keeps its version when the key is rewritten, renamed and removed")
{
	struct fs fs;
	struct handle *h;

	fs_open(&fs);
	fs_put(&fs, "k", "first");
	h = fs_handle(&fs, 0, "k", O_RDONLY);
	fs_put(&fs, "k", "second version");
	CHECK_STR(fs_read_as(&fs, 0, h), "first");
	CHECK_OK(fs_rename(&fs, "k", "l", 0));
	CHECK_STR(fs_read_as(&fs, 0, h), "first");
	CHECK_OK(fs_unlink(&fs, "l"));
	CHECK_STR(fs_read_as(&fs, 0, h), "first");
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(grows, "a reader at its end goes on into what was appended, and never into a rewrite")
{
	struct fs fs;
	struct handle *reader, *writer;

	fs_open(&fs);
	fs_put(&fs, "log", "1;");
	reader = fs_handle(&fs, 0, "log", O_RDONLY);
	writer = fs_handle(&fs, fs.me.tid, "log", O_WRONLY | O_APPEND);
	fs_append_as(&fs, fs.me.tid, writer, "2;");
	CHECK_STR(fs_read_as(&fs, 0, reader), "1;2;");
	fs_put(&fs, "log", "something else");
	CHECK_STR(fs_read_as(&fs, 0, reader), "1;2;");
	CHECK_OK(tree_release(fs.tree, writer));
	CHECK_OK(tree_release(fs.tree, reader));
	fs_close(&fs);
}

TEST(own_view, "a process that writes a file reads what it wrote through any handle")
{
	struct fs fs;
	struct handle *writer, *reader;
	struct stat st;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	reader = fs_handle(&fs, fs.me.tid, "k", O_RDONLY);
	writer = fs_handle(&fs, fs.me.tid, "k", O_WRONLY | O_TRUNC);
	fs_write_as(&fs, fs.me.tid, writer, 0, "staged");
	CHECK_STR(fs_read_as(&fs, fs.me.tid, reader), "staged");
	CHECK_OK(fs_stat(&fs, "k", &st));
	CHECK_EQ(st.st_size, 6);
	CHECK_OK(tree_release(fs.tree, writer));
	CHECK_OK(tree_release(fs.tree, reader));
	fs_close(&fs);
}

TEST(emptied, "emptying alone commits at the release and not at the flush before it")
{
	struct fs fs;
	struct handle *h;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	h = fs_handle(&fs, fs.me.tid, "k", TRUNCATE);
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_STR(fs_content(&fs, "k"), "old");
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_STR(fs_content(&fs, "k"), "");
	fs_close(&fs);
}

TEST(group, "a whole value waits while its opener lives, and commits when that closes")
{
	struct fs fs;
	struct handle *h;
	pid_t child;

	fs_open(&fs);
	child = fs_process();
	h = fs_handle(&fs, fs.me.tid, "k", TRUNCATE);
	fs_write_as(&fs, child, h, 0, "one");
	fs_flush_as(&fs, child, h);
	CHECK_STR(fs_content(&fs, "k"), "");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fs_write_as(&fs, fs.me.tid, h, 3, " two");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_STR(fs_content(&fs, "k"), "one two");
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

/* A child that a signal has ended and nobody has waited for. */
static pid_t killed_writer(struct fs *fs, struct handle **ret, int flags)
{
	pid_t child = fs_process();
	siginfo_t info;

	*ret = fs_handle(fs, child, "k", flags);
	fs_write_as(fs, child, *ret, 0, "ha");
	kill(child, SIGKILL);
	CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	fs_flush_as(fs, child, *ret);
	return child;
}

TEST(killed, "of a killed writer a whole value is dropped and bytes in place commit")
{
	struct fs fs;
	struct handle *h;
	pid_t child;

	fs_open(&fs);
	fs_put(&fs, "k", "kept");
	child = killed_writer(&fs, &h, O_WRONLY | O_TRUNC);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_STR(fs_content(&fs, "k"), "kept");
	waitpid(child, NULL, 0);
	child = killed_writer(&fs, &h, O_RDWR);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_STR(fs_content(&fs, "k"), "hapt");
	waitpid(child, NULL, 0);
	fs_close(&fs);
}

TEST(killed_early, "a process killed before its first write has changed nothing")
{
	struct fs fs;
	struct handle *h;
	siginfo_t info;
	pid_t child;

	fs_open(&fs);
	fs_put(&fs, "k", "kept");
	child = fs_process();
	h = fs_handle(&fs, child, "k", O_WRONLY | O_TRUNC);
	kill(child, SIGKILL);
	CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	fs_flush_as(&fs, child, h);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_STR(fs_content(&fs, "k"), "kept");
	waitpid(child, NULL, 0);
	fs_close(&fs);
}

TEST(killed_pending, "a file that a killed process was creating goes away")
{
	struct fs fs;
	struct handle *h;
	pid_t child;

	fs_open(&fs);
	child = killed_writer(&fs, &h, TRUNCATE);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK(!fs_is_there(&fs, "k"));
	waitpid(child, NULL, 0);
	fs_close(&fs);
}

TEST(shared, "writers in place share one copy, and each commit is of all of it")
{
	struct fs fs;
	struct handle *a, *b;

	fs_open(&fs);
	fs_put(&fs, "k", "......");
	a = fs_handle(&fs, fs.me.tid, "k", O_RDWR);
	b = fs_handle(&fs, fs.me.tid, "k", O_RDWR);
	fs_write_as(&fs, fs.me.tid, a, 0, "aa");
	CHECK_STR(fs_read_as(&fs, fs.me.tid, b), "aa....");
	fs_write_as(&fs, fs.me.tid, b, 4, "bb");
	fs_flush_as(&fs, fs.me.tid, b);
	CHECK_STR(fs_content(&fs, "k"), "aa..bb");
	CHECK_OK(tree_release(fs.tree, a));
	CHECK_OK(tree_release(fs.tree, b));
	fs_close(&fs);
}

TEST(joins, "bytes staged since a rewrite's open lie over it once it commits, older ones go")
{
	struct fs fs;
	struct handle *in_place, *whole;

	fs_open(&fs);
	fs_put(&fs, "k", "0123456789");
	in_place = fs_handle(&fs, fs.me.tid, "k", O_RDWR);
	fs_write_as(&fs, fs.me.tid, in_place, 0, "A");
	whole = fs_handle(&fs, fs.me.tid, "k", O_WRONLY | O_TRUNC);
	fs_write_as(&fs, fs.me.tid, in_place, 1, "B");
	fs_write_as(&fs, fs.me.tid, whole, 0, "whole");
	fs_flush_as(&fs, fs.me.tid, whole);
	CHECK_OK(tree_release(fs.tree, whole));
	CHECK_STR(fs_content(&fs, "k"), "whole");
	fs_flush_as(&fs, fs.me.tid, in_place);
	CHECK_STR(fs_content(&fs, "k"), "wBole");
	CHECK_OK(tree_release(fs.tree, in_place));
	fs_close(&fs);
}

TEST(joins_again, "bytes staged since a rewrite's open lie over it also when another came between")
{
	struct fs fs;
	struct handle *shared, *slow, *quick, *last;
	pid_t me;

	fs_open(&fs);
	me = fs.me.tid;
	fs_put(&fs, "k", "old");
	shared = fs_handle(&fs, me, "k", O_RDWR);
	for (int i = 0; i < 3; i++) {
		fs_write_as(&fs, me, shared, 0, "OLD");
		fs_flush_as(&fs, me, shared);
	}
	slow = fs_handle(&fs, me, "k", TRUNCATE);
	quick = fs_handle(&fs, me, "k", TRUNCATE);
	fs_write_as(&fs, me, quick, 0, "quick");
	fs_flush_as(&fs, me, quick);
	fs_write_as(&fs, me, shared, 1, "1");
	last = fs_handle(&fs, me, "k", TRUNCATE);
	fs_write_as(&fs, me, shared, 3, "3");
	fs_write_as(&fs, me, slow, 0, "....");
	fs_flush_as(&fs, me, slow);
	fs_flush_as(&fs, me, shared);
	CHECK_STR(fs_content(&fs, "k"), ".1.3");
	CHECK_OK(tree_release(fs.tree, slow));
	CHECK_OK(tree_release(fs.tree, quick));
	CHECK_OK(tree_release(fs.tree, last));
	CHECK_OK(tree_release(fs.tree, shared));
	fs_close(&fs);
}

TEST(append, "a record appended commits at once, a creation with it, at the end of the value")
{
	struct fs fs;
	struct handle *a, *b;

	fs_open(&fs);
	a = fs_handle(&fs, fs.me.tid, "log", O_CREAT | O_WRONLY | O_APPEND);
	b = fs_handle(&fs, fs.me.tid, "log", O_CREAT | O_WRONLY | O_APPEND);
	fs_append_as(&fs, fs.me.tid, a, "a1");
	CHECK_STR(fs_content(&fs, "log"), "a1");
	fs_append_as(&fs, fs.me.tid, b, "b1");
	fs_append_as(&fs, fs.me.tid, a, "a2");
	CHECK_STR(fs_content(&fs, "log"), "a1b1a2");
	CHECK_OK(tree_release(fs.tree, a));
	CHECK_OK(tree_release(fs.tree, b));
	fs_close(&fs);
}

TEST(pending, "a file being created is exclusive and listed, in no commit, and gone when unlinked")
{
	struct fs fs;
	struct handle *h, *other;
	struct aedb_scope *scope;
	struct aedb_entry entry;

	fs_open(&fs);
	CHECK_OK(aedb_scope_open(fs.db, "p", "s", &scope));
	h = fs_handle(&fs, fs.me.tid, "k", O_CREAT | O_EXCL | O_WRONLY);
	fs_write_as(&fs, fs.me.tid, h, 0, "x");
	CHECK_EQ(fs_open_as(&fs, 0, "k", O_CREAT | O_EXCL | O_WRONLY, &other),
		 -EEXIST);
	CHECK(fs_is_there(&fs, "k"));
	CHECK_EQ(aedb_stat(scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	CHECK_OK(fs_unlink(&fs, "k"));
	CHECK(!fs_is_there(&fs, "k"));
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_EQ(aedb_stat(scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	aedb_scope_close(scope);
	fs_close(&fs);
}

TEST(pending_attr, "attributes set while a file is being created commit with its bytes")
{
	struct tree_set set = { .fields = TREE_SET_MODE | TREE_SET_MTIME,
				.mode = 0600, .mtime_ns = 77 };
	struct tree_entry entry;
	struct handle *h;
	struct stat st;
	struct fs fs;
	uint64_t ino;

	fs_open(&fs);
	h = fs_handle(&fs, fs.me.tid, "k", O_CREAT | O_EXCL | O_WRONLY);
	ino = fs_ino(&fs, "k");
	fs_write_as(&fs, fs.me.tid, h, 0, "x");
	CHECK_OK(tree_lookup(fs.tree, &fs.me, fs.scope, "k", &entry));
	CHECK_OK(tree_setattr(fs.tree, &fs.me, entry.node, NULL, &set, &entry));
	CHECK_STR(fs_content(&fs, "k"), "");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_OK(tree_release(fs.tree, h));
	tree_forget(fs.tree, entry.node, 1);
	CHECK_OK(fs_stat(&fs, "k", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK_EQ(st.st_mtim.tv_nsec, 77);
	CHECK_EQ(st.st_ino, ino);
	fs_close(&fs);
}

TEST(rename_staged, "a rename commits what the caller staged under the new name")
{
	struct fs fs;
	struct handle *h;
	uint64_t ino;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	h = fs_handle(&fs, fs.me.tid, "tmp", O_CREAT | O_EXCL | O_RDWR);
	fs_write_as(&fs, fs.me.tid, h, 0, "new");
	ino = fs_ino(&fs, "tmp");
	CHECK_OK(fs_rename(&fs, "tmp", "k", 0));
	CHECK_STR(fs_content(&fs, "k"), "new");
	CHECK_EQ(fs_ino(&fs, "k"), ino);
	CHECK(!fs_is_there(&fs, "tmp"));
	fs_write_as(&fs, fs.me.tid, h, 3, "er");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_STR(fs_content(&fs, "k"), "newer");
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(unforgotten, "a removed file that the kernel never gave back goes with the tree")
{
	struct tree_entry entry;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "value");
	CHECK_OK(tree_lookup(fs.tree, &fs.me, fs.scope, "k", &entry));
	CHECK_OK(fs_unlink(&fs, "k"));
	CHECK(node_is_orphan(entry.node));
	fs_close(&fs);
}

TEST(unlinked, "a removed file is written and read through its handles as before")
{
	struct fs fs;
	struct handle *h;

	fs_open(&fs);
	fs_put(&fs, "k", "value");
	h = fs_handle(&fs, fs.me.tid, "k", O_RDWR);
	CHECK_OK(fs_unlink(&fs, "k"));
	CHECK_STR(fs_read_as(&fs, fs.me.tid, h), "value");
	fs_write_as(&fs, fs.me.tid, h, 5, "+");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_STR(fs_read_as(&fs, fs.me.tid, h), "value+");
	CHECK(!fs_is_there(&fs, "k"));
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(mtime, "a commit sets the mtime, chmod and rename keep it")
{
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 0600 };
	struct tree_entry entry;
	struct stat before, after;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "1");
	CHECK_OK(fs_stat(&fs, "k", &before));
	CHECK_OK(tree_lookup(fs.tree, &fs.me, fs.scope, "k", &entry));
	CHECK_OK(tree_setattr(fs.tree, &fs.me, entry.node, NULL, &set, &entry));
	tree_forget(fs.tree, entry.node, 1);
	CHECK_OK(fs_rename(&fs, "k", "l", 0));
	CHECK_OK(fs_stat(&fs, "l", &after));
	CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	CHECK(after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
	CHECK_EQ(after.st_mode & 07777, 0600);
	fs_put(&fs, "l", "2");
	CHECK_OK(fs_stat(&fs, "l", &before));
	CHECK(after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	fs_close(&fs);
}

/* How many nodes the kernel would be told of. */
static size_t take_stale(struct fs *fs)
{
	struct tree_effects effects;

	tree_take_effects(fs->tree, &effects);
	return effects.n_stale;
}

TEST(told_writer,
     "a thread that writes a value and closes it needs no notice, an open in place does")
{
	struct stat st;
	struct handle *h;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "1");
	CHECK_OK(fs_stat(&fs, "k", &st));
	take_stale(&fs);
	fs_put(&fs, "k", "2");
	CHECK_EQ(take_stale(&fs), 0);
	CHECK_OK(fs_stat(&fs, "k", &st));
	h = fs_handle(&fs, fs.me.tid, "k", O_WRONLY);
	CHECK_THAT(take_stale(&fs) == 1, "an open for writing is no notice");
	fs_write_as(&fs, fs.me.tid, h, 0, "3");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK_EQ(take_stale(&fs), 0);
	fs_close(&fs);
}

TEST(told_empty, "a new file that is closed unwritten changes its times, with a notice")
{
	struct handle *h;
	struct fs fs;

	fs_open(&fs);
	h = fs_handle(&fs, fs.me.tid, "k", O_CREAT | O_WRONLY);
	fs_flush_as(&fs, fs.me.tid, h);
	take_stale(&fs);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK(take_stale(&fs) >= 1);
	fs_close(&fs);
}

TEST(drain, "a tree that ends counts the handles whose writes it drops, and closes all")
{
	struct handle *h;
	size_t dropped;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "old");
	h = fs_handle(&fs, fs.me.tid, "k", O_WRONLY | O_TRUNC);
	fs_write_as(&fs, fs.me.tid, h, 0, "rewritten");
	fs_handle(&fs, fs.me.tid, "k", O_RDONLY);
	h = fs_handle(&fs, fs.me.tid, "new", O_RDWR | O_CREAT);
	fs_write_as(&fs, fs.me.tid, h, 0, "text");
	CHECK_OK(tree_drain(fs.tree, &dropped));
	CHECK_EQ(dropped, 2);
	CHECK(!fs_is_there(&fs, "new"));
	CHECK_STR(fs_content(&fs, "k"), "old");
	CHECK_OK(tree_drain(fs.tree, &dropped));
	CHECK_EQ(dropped, 0);
	fs_close(&fs);
}

TEST(told_truncating,
     "an open that empties a file needs a notice if its attributes were asked for")
{
	struct handle *h;
	struct stat st;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "text");
	take_stale(&fs);
	CHECK_OK(fs_stat(&fs, "k", &st));
	take_stale(&fs);
	CHECK_OK(fs_stat(&fs, "k", &st));
	h = fs_handle(&fs, fs.me.tid, "k", O_WRONLY | O_TRUNC);
	CHECK_EQ(take_stale(&fs), 1);
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(told_directory, "a change in a directory needs a notice only when others had asked for it")
{
	struct tree_caller other = { 1, 0, 0 };
	struct tree_entry entry;
	struct fs fs;

	fs_open(&fs);
	fs_mkdir(&fs, "d");
	take_stale(&fs);
	CHECK_OK(tree_getattr(fs.tree, &fs.me, fs.scope, NULL, &entry));
	fs_mkdir(&fs, "d/e");
	CHECK_EQ(take_stale(&fs), 0);
	CHECK_OK(tree_getattr(fs.tree, &fs.me, fs.scope, NULL, &entry));
	CHECK_OK(tree_getattr(fs.tree, &other, fs.scope, NULL, &entry));
	CHECK_OK(fs_rmdir(&fs, "d/e"));
	fs_mkdir(&fs, "f");
	CHECK_EQ(take_stale(&fs), 1);
	CHECK_OK(fs_rename(&fs, "f", "g", 0));
	CHECK_THAT(take_stale(&fs) == 0, "told again, though nobody asked since");
	fs_close(&fs);
}

/* A commit that comes late has a time of its own: one of many is in time. */
TEST(told_times, "the times a writer is told before its close are those of the commit")
{
	const char *names[] = { "k", "new" };
	int equal = 0;
	struct fs fs;

	fs_open(&fs);
	fs_put(&fs, "k", "1");
	for (int i = 0; i < 100; i++) {
		const char *name = names[i % 2];
		struct stat told = { 0 }, after = { 0 };
		struct handle *h;

		if (i % 2 && i > 1)
			CHECK_OK(fs_unlink(&fs, name));
		h = fs_handle(&fs, fs.me.tid, name, O_WRONLY | O_CREAT);
		fs_write_as(&fs, fs.me.tid, h, 0, "text");
		CHECK_OK(fs_stat(&fs, name, &after));
		CHECK_OK(fs_stat(&fs, name, &told));
		CHECK_EQ(after.st_mtim.tv_nsec, told.st_mtim.tv_nsec);
		CHECK_EQ(after.st_ctim.tv_nsec, told.st_ctim.tv_nsec);
		fs_flush_as(&fs, fs.me.tid, h);
		CHECK_OK(tree_release(fs.tree, h));
		CHECK_OK(fs_stat(&fs, name, &after));
		equal += after.st_mtim.tv_nsec == told.st_mtim.tv_nsec &&
			 after.st_ctim.tv_nsec == told.st_ctim.tv_nsec;
	}
	CHECK(equal > 0);
	fs_close(&fs);
}
