/* Directories in the tree: made and implied ones, listing, renaming. */
#include <linux/fs.h>

#include "fs_fixture.h"
#include "path.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

static void put_key(struct fs *fs, const char *key)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_scope_open(fs->db, "p", "s", &scope));
	CHECK_OK(aedb_put(scope, key, strlen(key), "v", 1));
	aedb_scope_close(scope);
}

static bool has_key(struct fs *fs, const char *key)
{
	struct aedb_scope *scope;
	struct aedb_entry entry;
	int rc;

	CHECK_OK(aedb_scope_open(fs->db, "p", "s", &scope));
	rc = aedb_stat(scope, NULL, key, strlen(key), &entry);
	if (rc == 0)
		aedb_unpin(&entry);
	aedb_scope_close(scope);
	return rc == 0;
}

static struct tree_dir *open_dir(struct fs *fs, const char *path)
{
	struct node *node = fs->scope;
	struct tree_entry entry;
	struct tree_dir *dir;
	const char *name;

	if (*path) {
		node = fs_parent(fs, path, &name);
		CHECK_OK(tree_lookup(fs->tree, &fs->me, node, name, &entry));
		tree_forget(fs->tree, node, 1);
		node = entry.node;
	}
	CHECK_OK(tree_opendir(fs->tree, node, &dir));
	if (*path)
		tree_forget(fs->tree, node, 1);
	return dir;
}

/* The names, each followed by a space, in rounds of n entries. */
static const char *list(struct fs *fs, const char *path, size_t n)
{
	static char text[65536];
	struct tree_dir *dir = open_dir(fs, path);
	struct tree_dirent entry;
	size_t used = 0, in_round = 0;
	uint64_t offset = 2;

	CHECK_OK(tree_dir_seek(fs->tree, dir, offset));
	while (tree_dir_peek(fs->tree, dir, &entry) == 0) {
		if (in_round++ == n) {
			tree_dir_pause(dir);
			CHECK_OK(tree_dir_seek(fs->tree, dir, offset));
			in_round = 0;
			continue;
		}
		used += (size_t)sprintf(text + used, "%s ", entry.name);
		offset = entry.next;
		CHECK_OK(tree_dir_take(dir));
	}
	text[used] = '\0';
	tree_releasedir(fs->tree, dir);
	return text;
}

TEST(implied, "a directory that keys imply becomes a made one when its entries change")
{
	struct fs fs;
	uint64_t ino;

	fs_open(&fs);
	put_key(&fs, "a/b/k");
	ino = fs_ino(&fs, "a/b");
	CHECK_OK(fs_unlink(&fs, "a/b/k"));
	CHECK_EQ(fs_ino(&fs, "a/b"), ino);
	CHECK_STR(list(&fs, "a/b", 9), "");
	CHECK_OK(fs_rmdir(&fs, "a/b"));
	CHECK_OK(fs_rmdir(&fs, "a"));
	CHECK(!fs_is_there(&fs, "a"));
	fs_close(&fs);
}

TEST(order, "a listing has every entry once, wherever it is interrupted")
{
	static const char *const keys[] = { "a-b", "a", "a.c/x", "a.c.d",
					    "a/in/deep", "b", "a b/c" };
	struct fs fs;

	fs_open(&fs);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put_key(&fs, keys[i]);
	fs_mkdir(&fs, "a-");
	fs_mkdir(&fs, "a.c.e");
	fs_put(&fs, "%", "v");
	for (size_t n = 1; n < 9; n++)
		CHECK_STR(list(&fs, "", n),
			  "% a b a- a-b a.c.d a.c.e a.c a b ");
	CHECK_STR(list(&fs, "a", 1), "% in ");
	fs_close(&fs);
}

#define NAMES 300
#define NAME_BYTES 8

static void random_name(char ret[NAME_BYTES])
{
	static const char letters[] = "ab-./%";
	size_t n = 1 + check_random() % 4, i = 0;

	ret[i++] = letters[check_random() % 2];
	while (i < n) {
		ret[i] = letters[check_random() % 4];
		i++;
	}
	ret[i] = '\0';
}

/* How often a name stands in the list. */
static int count_in(const char *text, const char *name)
{
	char wanted[PATH_NAME_BYTES_MAX + 2];
	const char *at = text;
	int n = 0;

	strcpy(stpcpy(wanted, name), " ");
	while ((at = strstr(at, wanted))) {
		n += at == text || at[-1] == ' ';
		at++;
	}
	return n;
}

TEST(names_at_random, "random files and directories are listed once each in rounds of any size")
{
	char names[NAMES][NAME_BYTES];
	const char *text;
	struct fs fs;

	fs_open(&fs);
	for (int i = 0; i < NAMES; i++) {
		random_name(names[i]);
		if (fs_is_there(&fs, names[i]))
			continue;
		if (check_random() % 2)
			fs_put(&fs, names[i], "v");
		else
			fs_mkdir(&fs, names[i]);
	}
	for (size_t round = 1; round < 50; round += 6) {
		text = list(&fs, "", round);
		for (int i = 0; i < NAMES; i++)
			CHECK_EQ(count_in(text, names[i]), 1);
	}
	fs_close(&fs);
}

TEST(wide, "a directory with a long name is listed once wherever its keys continue it")
{
	static const char *const inside[] = { "xyz", "/k", "-" };
	static const char *const names[] = { "%+xyz ", "k %+xyz ",
					     "%+- k %+xyz " };
	char key[PATH_NAME_BYTES_MAX + 4];
	const char *text;
	struct fs fs;

	fs_open(&fs);
	memset(key, 'w', PATH_NAME_BYTES_MAX);
	put_key(&fs, "a");
	put_key(&fs, "z");
	for (size_t i = 0; i < 3; i++) {
		strcpy(key + PATH_NAME_BYTES_MAX, inside[i]);
		put_key(&fs, key);
		key[PATH_NAME_BYTES_MAX] = '\0';
		for (size_t round = 1; round < 5; round++) {
			text = list(&fs, "", round);
			CHECK_EQ(strlen(text), 2 + PATH_NAME_BYTES_MAX + 1 + 2);
			CHECK_EQ(count_in(text, key), 1);
			CHECK_STR(list(&fs, key, round), names[i]);
		}
	}
	fs_close(&fs);
}

TEST(seek, "an offset leads back to its entry while others come and go before it")
{
	struct tree_dirent entry;
	struct tree_dir *dir;
	char name[16];
	uint64_t at_50 = 0;
	struct fs fs;

	fs_open(&fs);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "k%02d", i);
		fs_put(&fs, name, "v");
	}
	dir = open_dir(&fs, "");
	CHECK_OK(tree_dir_seek(fs.tree, dir, 0));
	for (int i = 0; i < 80; i++) {
		CHECK_OK(tree_dir_peek(fs.tree, dir, &entry));
		if (strcmp(entry.name, "k50") == 0)
			at_50 = entry.next;
		CHECK_OK(tree_dir_take(dir));
	}
	tree_dir_pause(dir);
	CHECK_OK(fs_unlink(&fs, "k10"));
	fs_put(&fs, "k20x", "v");
	fs_put(&fs, "k21x", "v");
	CHECK_OK(tree_dir_seek(fs.tree, dir, at_50));
	CHECK_OK(tree_dir_peek(fs.tree, dir, &entry));
	CHECK_STR(entry.name, "k51");
	tree_releasedir(fs.tree, dir);
	fs_close(&fs);
}

TEST(move, "a renamed directory takes everything beneath along, numbers and open files too")
{
	struct handle *h;
	struct fs fs;
	uint64_t ino;

	fs_open(&fs);
	fs_mkdir(&fs, "d");
	fs_mkdir(&fs, "d/e");
	fs_put(&fs, "d/e/k", "1");
	put_key(&fs, "d/i/j");
	ino = fs_ino(&fs, "d/e/k");
	h = fs_handle(&fs, fs.me.tid, "d/new", O_CREAT | O_EXCL | O_WRONLY);
	fs_write_as(&fs, fs.me.tid, h, 0, "n");
	CHECK_OK(fs_rename(&fs, "d", "far", 0));
	CHECK(!fs_is_there(&fs, "d"));
	CHECK_EQ(fs_ino(&fs, "far/e/k"), ino);
	CHECK_STR(fs_content(&fs, "far/e/k"), "1");
	CHECK_STR(list(&fs, "far", 2), "e i new ");
	fs_flush_as(&fs, fs.me.tid, h);
	CHECK_OK(tree_release(fs.tree, h));
	CHECK(has_key(&fs, "far/new"));
	CHECK(has_key(&fs, "far/i/j"));
	CHECK(!has_key(&fs, "d/i/j"));
	fs_close(&fs);
}

TEST(too_large, "a directory of more than one commit holds is EXDEV, and nothing has moved")
{
	char name[16];
	size_t moved = 0;
	struct fs fs;

	fs_open_small(&fs, 20);
	fs_mkdir(&fs, "d");
	fs_mkdir(&fs, "other");
	fs_put(&fs, "f", "file");
	for (int i = 0; i < 25; i++) {
		snprintf(name, sizeof(name), "d/k%02d", i);
		fs_put(&fs, name, "v");
		if (fs_rename(&fs, "d", "other/d", 0) == 0) {
			CHECK_OK(fs_rename(&fs, "other/d", "d", 0));
			moved++;
			continue;
		}
		CHECK_EQ(fs_rename(&fs, "d", "other/d", 0), -EXDEV);
		CHECK_EQ(fs_rename(&fs, "d", "other", RENAME_EXCHANGE), -EXDEV);
		CHECK_EQ(fs_rename(&fs, "f", "d", RENAME_EXCHANGE), -EXDEV);
		CHECK_STR(fs_content(&fs, name), "v");
		CHECK_STR(fs_content(&fs, "f"), "file");
		CHECK_STR(list(&fs, "other", 9), "");
	}
	CHECK(moved > 10 && moved < 20);
	CHECK_STR(fs_content(&fs, "d/k00"), "v");
	fs_close(&fs);
}

TEST(replace, "a directory replaces an empty one and no other")
{
	struct fs fs;

	fs_open(&fs);
	fs_mkdir(&fs, "a");
	fs_put(&fs, "a/k", "1");
	fs_mkdir(&fs, "b");
	fs_put(&fs, "b/k", "2");
	CHECK_EQ(fs_rename(&fs, "a", "b", 0), -ENOTEMPTY);
	CHECK_EQ(fs_rename(&fs, "a", "a/in", 0), -EINVAL);
	CHECK_OK(fs_unlink(&fs, "b/k"));
	CHECK_EQ(fs_rename(&fs, "a", "b", RENAME_NOREPLACE), -EEXIST);
	CHECK_OK(fs_rename(&fs, "a", "b", 0));
	CHECK_STR(fs_content(&fs, "b/k"), "1");
	fs_close(&fs);
}

TEST(exchange, "files and directories exchange their names")
{
	struct fs fs;

	fs_open(&fs);
	fs_mkdir(&fs, "a");
	fs_put(&fs, "a/both", "1");
	fs_put(&fs, "a/only", "2");
	put_key(&fs, "b/both");
	fs_put(&fs, "f", "file");
	CHECK_OK(fs_rename(&fs, "a", "b", RENAME_EXCHANGE));
	CHECK_STR(fs_content(&fs, "b/both"), "1");
	CHECK_STR(fs_content(&fs, "b/only"), "2");
	CHECK_STR(list(&fs, "a", 9), "both ");
	CHECK_STR(fs_content(&fs, "a/both"), "v");
	CHECK_OK(fs_rename(&fs, "b", "f", RENAME_EXCHANGE));
	CHECK_STR(fs_content(&fs, "f/only"), "2");
	CHECK_STR(fs_content(&fs, "b"), "file");
	fs_close(&fs);
}

TEST(exchange_own, "a file and a directory trade places, and the directory's own key stays in it")
{
	struct fs fs;

	fs_open(&fs);
	put_key(&fs, "d");
	fs_put(&fs, "f", "file");
	put_key(&fs, "d/k");
	CHECK_OK(fs_rename(&fs, "f", "d", RENAME_EXCHANGE));
	CHECK_STR(fs_content(&fs, "d"), "file");
	CHECK_STR(list(&fs, "f", 9), "% k ");
	CHECK_STR(fs_content(&fs, "f/%"), "v");
	CHECK_OK(fs_rename(&fs, "f", "d", RENAME_EXCHANGE));
	CHECK_STR(fs_content(&fs, "d/%"), "v");
	CHECK_STR(fs_content(&fs, "f"), "file");
	fs_mkdir(&fs, "e");
	CHECK_OK(fs_rename(&fs, "e", "d", RENAME_EXCHANGE));
	CHECK_STR(list(&fs, "e", 9), "% k ");
	CHECK_STR(list(&fs, "d", 9), "");
	fs_close(&fs);
}

TEST(shadow, "a key beside a directory of its name is the directory's entry %")
{
	struct fs fs;

	fs_open(&fs);
	put_key(&fs, "a");
	CHECK_STR(list(&fs, "", 9), "a ");
	CHECK_STR(fs_content(&fs, "a"), "v");
	put_key(&fs, "a/b");
	CHECK_STR(list(&fs, "a", 1), "% b ");
	CHECK_STR(fs_content(&fs, "a/%"), "v");
	CHECK_OK(fs_unlink(&fs, "a/b"));
	CHECK_EQ(fs_rmdir(&fs, "a"), -ENOTEMPTY);
	CHECK_OK(fs_unlink(&fs, "a/%"));
	CHECK_OK(fs_rmdir(&fs, "a"));
	CHECK(!has_key(&fs, "a"));
	fs_close(&fs);
}
