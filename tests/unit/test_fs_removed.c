/* Removed files, which live on for those who have them. */
#include <signal.h>

#include "fs_fixture.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

/* A file "k" with a value, removed while the kernel knows its node. */
struct removed {
	struct fs fs;
	struct node *node;		/* counted */
	pid_t other;
};

static void removed_begin(struct removed *r)
{
	struct tree_entry entry;

	r->other = fs_process();
	fs_open(&r->fs);
	fs_put(&r->fs, "k", "first");
	CHECK_OK(tree_lookup(r->fs.tree, &r->fs.me, r->fs.scope, "k", &entry));
	r->node = entry.node;
}

static void removed_end(struct removed *r)
{
	kill(r->other, SIGKILL);
	waitpid(r->other, NULL, 0);
	tree_forget(r->fs.tree, r->node, 1);
	fs_close(&r->fs);
}

/* As programs open it that found its name before, or through /proc. */
static struct handle *open_node(struct removed *r, pid_t tid, int flags)
{
	struct tree_caller caller = { tid, 0, 0 };
	struct handle *handle = NULL;

	CHECK_OK(tree_open_file(r->fs.tree, &caller, r->node, flags, &handle));
	return handle;
}

static void rewrite(struct removed *r, pid_t tid, struct handle *h,
		    const char *text)
{
	fs_write_as(&r->fs, tid, h, 0, text);
	fs_flush_as(&r->fs, tid, h);
	CHECK_OK(tree_release(r->fs.tree, h));
}

/* By a process that has nothing to do with the file. */
static void check_shown(struct removed *r, const char *text)
{
	struct tree_caller nobody = { 0, 0, 0 };
	struct handle *h = open_node(r, 0, O_RDONLY);
	struct tree_entry entry;

	CHECK_STR(fs_read_as(&r->fs, 0, h), text);
	CHECK_OK(tree_getattr(r->fs.tree, &nobody, r->node, NULL, &entry));
	CHECK_EQ(entry.stat.st_size, strlen(text));
	CHECK_EQ(entry.stat.st_nlink, 0);
	CHECK_OK(tree_release(r->fs.tree, h));
}

TEST(rewritten, "a reader of a removed file keeps its version when others rewrite it")
{
	struct removed r;
	struct handle *mine, *theirs, *before, *between;

	removed_begin(&r);
	mine = fs_handle(&r.fs, r.fs.me.tid, "k", O_WRONLY | O_TRUNC);
	theirs = fs_handle(&r.fs, r.other, "k", O_WRONLY | O_TRUNC);
	before = fs_handle(&r.fs, 0, "k", O_RDONLY);
	CHECK_OK(fs_unlink(&r.fs, "k"));
	rewrite(&r, r.fs.me.tid, mine, "the second");
	between = open_node(&r, 0, O_RDONLY);
	CHECK_STR(fs_read_as(&r.fs, 0, before), "first");
	CHECK_STR(fs_read_as(&r.fs, 0, between), "the second");
	rewrite(&r, r.other, theirs, "third");
	CHECK_STR(fs_read_as(&r.fs, 0, before), "first");
	CHECK_STR(fs_read_as(&r.fs, 0, between), "the second");
	check_shown(&r, "third");
	CHECK_OK(tree_release(r.fs.tree, before));
	CHECK_OK(tree_release(r.fs.tree, between));
	removed_end(&r);
}

TEST(changed, "a reader of a removed file keeps its version when others change it in place")
{
	struct removed r;
	struct handle *h, *writer;

	removed_begin(&r);
	writer = fs_handle(&r.fs, r.other, "k", O_WRONLY | O_TRUNC);
	CHECK_OK(fs_unlink(&r.fs, "k"));
	rewrite(&r, r.other, writer, "second");
	h = open_node(&r, 0, O_RDONLY);
	writer = open_node(&r, r.other, O_RDWR);
	fs_write_as(&r.fs, r.other, writer, 0, "S");
	CHECK_STR(fs_read_as(&r.fs, 0, h), "second");
	check_shown(&r, "second");
	fs_flush_as(&r.fs, r.other, writer);
	CHECK_STR(fs_read_as(&r.fs, 0, h), "second");
	check_shown(&r, "Second");
	CHECK_OK(tree_release(r.fs.tree, h));
	CHECK_OK(tree_release(r.fs.tree, writer));
	removed_end(&r);
}

TEST(appended, "a reader of a removed file goes on into what is appended, never into a rewrite")
{
	struct removed r;
	struct handle *h, *writer;

	removed_begin(&r);
	h = fs_handle(&r.fs, 0, "k", O_RDONLY);
	writer = fs_handle(&r.fs, r.other, "k", O_WRONLY | O_APPEND);
	CHECK_OK(fs_unlink(&r.fs, "k"));
	fs_append_as(&r.fs, r.other, writer, " and on");
	CHECK_STR(fs_read_as(&r.fs, 0, h), "first and on");
	check_shown(&r, "first and on");
	CHECK_OK(tree_release(r.fs.tree, writer));
	rewrite(&r, r.other, open_node(&r, r.other, O_WRONLY | O_TRUNC),
		"another that is longer");
	CHECK_STR(fs_read_as(&r.fs, 0, h), "first and on");
	CHECK_OK(tree_release(r.fs.tree, h));
	removed_end(&r);
}

TEST(unwritten, "a reader of a file removed before its first commit reads what that is")
{
	struct fs fs;
	struct handle *h, *writer;

	fs_open(&fs);
	writer = fs_handle(&fs, fs.me.tid, "k", O_CREAT | O_TRUNC | O_WRONLY);
	h = fs_handle(&fs, 0, "k", O_RDONLY);
	CHECK_OK(fs_unlink(&fs, "k"));
	fs_write_as(&fs, fs.me.tid, writer, 0, "whole");
	CHECK_STR(fs_read_as(&fs, 0, h), "");
	fs_flush_as(&fs, fs.me.tid, writer);
	CHECK_OK(tree_release(fs.tree, writer));
	CHECK_STR(fs_read_as(&fs, 0, h), "whole");
	CHECK_OK(tree_release(fs.tree, h));
	fs_close(&fs);
}

TEST(reopened, "what was written to a removed file is there when it is opened once more")
{
	struct tree_set set = { .fields = TREE_SET_SIZE, .bytes = 3 };
	struct removed r;
	struct tree_entry entry;

	removed_begin(&r);
	CHECK_OK(fs_unlink(&r.fs, "k"));
	check_shown(&r, "first");
	rewrite(&r, r.fs.me.tid, open_node(&r, r.fs.me.tid, O_WRONLY | O_TRUNC),
		"second");
	check_shown(&r, "second");
	rewrite(&r, r.fs.me.tid, open_node(&r, r.fs.me.tid, O_RDWR), "S");
	check_shown(&r, "Second");
	CHECK_OK(tree_setattr(r.fs.tree, &r.fs.me, r.node, NULL, &set, &entry));
	check_shown(&r, "Sec");
	removed_end(&r);
}

TEST(attributes, "attributes staged on a file that is removed come with its bytes")
{
	struct tree_set set = { .fields = TREE_SET_MODE, .mode = 0600 };
	struct tree_set owner = { .fields = TREE_SET_UID, .uid = 7 };
	struct tree_caller nobody = { 0, 0, 0 };
	struct removed r;
	struct tree_entry entry;
	struct handle *h;
	int64_t time_ns;

	removed_begin(&r);
	h = fs_handle(&r.fs, r.fs.me.tid, "k", O_RDWR);
	fs_write_as(&r.fs, r.fs.me.tid, h, 0, "F");
	CHECK_OK(tree_setattr(r.fs.tree, &r.fs.me, r.node, NULL, &set, &entry));
	CHECK_OK(fs_unlink(&r.fs, "k"));
	time_ns = tree_time_ns(r.fs.tree);
	fs_flush_as(&r.fs, r.fs.me.tid, h);
	CHECK_OK(tree_setattr(r.fs.tree, &r.fs.me, r.node, NULL, &owner,
			      &entry));
	CHECK_OK(tree_getattr(r.fs.tree, &nobody, r.node, NULL, &entry));
	CHECK_EQ(entry.stat.st_mode & 07777, 0600);
	CHECK_EQ(entry.stat.st_uid, 7);
	CHECK(entry.stat.st_mtim.tv_sec * 1000000000 +
	      entry.stat.st_mtim.tv_nsec > time_ns - 1000000000);
	CHECK_OK(tree_release(r.fs.tree, h));
	check_shown(&r, "First");
	removed_end(&r);
}

TEST(large, "a large version of a removed file is read while another replaces it")
{
	enum { BYTES = 300000 };
	char *bytes = malloc(BYTES), *got = malloc(BYTES);
	struct tree_write write = { bytes, BYTES, 0, false };
	struct tree_read read = { got, BYTES, 0 };
	struct tree_caller nobody = { 0, 0, 0 };
	struct removed r;
	struct handle *h, *writer;
	struct pin *pin;
	size_t n;

	removed_begin(&r);
	CHECK_OK(fs_unlink(&r.fs, "k"));
	memset(bytes, 'x', BYTES);
	writer = open_node(&r, r.fs.me.tid, O_WRONLY | O_TRUNC);
	CHECK_OK(tree_write(r.fs.tree, &r.fs.me, writer, &write));
	fs_flush_as(&r.fs, r.fs.me.tid, writer);
	CHECK_OK(tree_release(r.fs.tree, writer));
	h = open_node(&r, 0, O_RDONLY);
	CHECK_OK(tree_read(r.fs.tree, &nobody, h, &read, &n, &pin));
	CHECK(pin != NULL);
	rewrite(&r, r.fs.me.tid, open_node(&r, r.fs.me.tid, O_WRONLY | O_TRUNC),
		"small");
	CHECK_OK(tree_release(r.fs.tree, h));
	CHECK_OK(pin_read(pin, got, BYTES, 0, &n));
	CHECK_EQ(n, BYTES);
	CHECK(memcmp(got, bytes, BYTES) == 0);
	pin_unref(pin);
	check_shown(&r, "small");
	removed_end(&r);
	free(bytes);
	free(got);
}
