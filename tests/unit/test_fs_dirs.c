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

	CHECK_OK(tree_dir_seek(fs->tree, dir, TREE_NAMES, offset));
	while (tree_dir_peek(fs->tree, dir, &entry) == 0) {
		if (in_round++ == n) {
			tree_dir_pause(dir);
			CHECK_OK(tree_dir_seek(fs->tree, dir, TREE_NAMES, offset));
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
	CHECK_OK(tree_dir_seek(fs.tree, dir, TREE_NAMES, 0));
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
	CHECK_OK(tree_dir_seek(fs.tree, dir, TREE_NAMES, at_50));
	CHECK_OK(tree_dir_peek(fs.tree, dir, &entry));
	CHECK_STR(entry.name, "k51");
	tree_releasedir(fs.tree, dir);
	fs_close(&fs);
}

enum presence { ABSENT, FILE_THERE, PENDING, MADE, IMPLIED };
enum showing { DUE, SHOWN, PASSED };

#define CHANGING 200
#define READERS 3
#define ROUNDS 3000

/* A directory that changes, and those who read it. */
struct changing {
	struct fs fs;
	char names[CHANGING][NAME_BYTES];	/* in the listing's order */
	enum presence presence[CHANGING];
	struct handle *creator[CHANGING];
	struct reader {
		struct tree_dir *dir;
		uint64_t offset;
		enum showing showing[CHANGING];
		bool was_absent[CHANGING];	/* since this reader's rewind */
		uint64_t given[CHANGING];	/* offsets behind the entries; 0 */
	} readers[READERS];
};

/* Where an entry stands: as if it were a directory. */
static int compare_positions(const void *a, const void *b)
{
	char x[NAME_BYTES + 2], y[NAME_BYTES + 2];

	strcpy(stpcpy(x, a), "/");
	strcpy(stpcpy(y, b), "/");
	return strcmp(x, y);
}

static void changing_open(struct changing *c)
{
	static const char letters[] = "ab-.c9";

	memset(c, 0, sizeof(*c));
	fs_open(&c->fs);
	for (int i = 0; i < CHANGING; i++) {
		char *at = c->names[i];

		/* All different, and many begin with another. */
		*at++ = 'n';
		for (int n = i; n > 0; n /= 6)
			*at++ = letters[n % 6];
	}
	qsort(c->names, CHANGING, NAME_BYTES, compare_positions);
	for (int i = 0; i < READERS; i++)
		c->readers[i].dir = open_dir(&c->fs, "");
}

static const char *key_inside(const char *name)
{
	static char key[NAME_BYTES + 2];

	snprintf(key, sizeof(key), "%s/x", name);
	return key;
}

static void make(struct changing *c, int i)
{
	struct fs *fs = &c->fs;
	const char *name = c->names[i];

	c->presence[i] = (enum presence)(1 + check_random() % 4);
	switch (c->presence[i]) {
	case FILE_THERE:
		fs_put(fs, name, "v");
		break;
	case PENDING:
		c->creator[i] = fs_handle(fs, fs->me.tid, name,
					  O_CREAT | O_EXCL | O_WRONLY);
		break;
	case MADE:
		fs_mkdir(fs, name);
		break;
	default:
		put_key(fs, key_inside(name));
	}
}

static void take_away(struct changing *c, int i)
{
	struct fs *fs = &c->fs;
	const char *name = c->names[i];

	if (c->presence[i] == IMPLIED)
		CHECK_OK(fs_unlink(fs, key_inside(name)));
	if (c->presence[i] == FILE_THERE)
		CHECK_OK(fs_unlink(fs, name));
	else
		CHECK_OK(fs_rmdir(fs, name));
	c->presence[i] = ABSENT;
	for (int r = 0; r < READERS; r++)
		c->readers[r].was_absent[i] = true;
}

/* What was listed as pending stays there. */
static void finish_creation(struct changing *c, int i)
{
	fs_flush_as(&c->fs, c->fs.me.tid, c->creator[i]);
	CHECK_OK(tree_release(c->fs.tree, c->creator[i]));
	c->presence[i] = FILE_THERE;
}

static void change_something(struct changing *c)
{
	int i = (int)(check_random() % CHANGING);

	if (c->presence[i] == ABSENT)
		make(c, i);
	else if (c->presence[i] == PENDING)
		finish_creation(c, i);
	else
		take_away(c, i);
}

static void rewind_reader(struct changing *c, struct reader *r)
{
	r->offset = 0;
	for (int i = 0; i < CHANGING; i++) {
		r->showing[i] = DUE;
		r->given[i] = 0;
		r->was_absent[i] = c->presence[i] == ABSENT;
	}
}

/* To a place it was told before, or goes on. */
static void seek_somewhere(struct reader *r)
{
	int at = (int)(check_random() % CHANGING);

	if (check_random() % 4 || !r->given[at])
		return;
	r->offset = r->given[at];
	for (int i = 0; i < CHANGING; i++)
		r->showing[i] = i <= at ? PASSED : DUE;
}

static void take_entry(struct changing *c, struct reader *r,
		       const struct tree_dirent *entry)
{
	int i = 0;

	r->offset = entry->next;
	if (entry->is_dot)
		return;
	while (i < CHANGING && strcmp(c->names[i], entry->name) != 0)
		i++;
	CHECK(i < CHANGING);
	CHECK_EQ(r->showing[i], DUE);
	CHECK_EQ(S_ISDIR(entry->mode), c->presence[i] >= MADE);
	r->showing[i] = SHOWN;
	r->given[i] = entry->next;
}

static void check_end(const struct reader *r)
{
	for (int i = 0; i < CHANGING; i++)
		CHECK(r->showing[i] != DUE || r->was_absent[i]);
}

/* What the kernel asks for at once; it may go on before the last entry. */
static void read_round(struct changing *c, struct reader *r)
{
	size_t n = 1 + check_random() % 40;
	struct tree_dirent entry;
	int rc = 0;

	CHECK_OK(tree_dir_seek(c->fs.tree, r->dir, check_random() % 2 ?
			       TREE_NAMES : TREE_ENTRIES, r->offset));
	while (n-- > 0 && rc == 0) {
		rc = tree_dir_peek(c->fs.tree, r->dir, &entry);
		if (rc == 0) {
			take_entry(c, r, &entry);
			CHECK_OK(tree_dir_take(r->dir));
		}
	}
	tree_dir_pause(r->dir);
	if (rc == 0)
		return;
	CHECK_EQ(rc, -ENOENT);
	check_end(r);
	rewind_reader(c, r);
}

TEST(changes, "readers of a changing directory see what stays once, from any place told them")
{
	static struct changing c;

	changing_open(&c);
	for (int i = 0; i < READERS; i++)
		rewind_reader(&c, &c.readers[i]);
	for (int i = 0; i < ROUNDS; i++) {
		struct reader *r = &c.readers[check_random() % READERS];

		for (size_t n = check_random() % 12; n > 0; n--)
			change_something(&c);
		seek_somewhere(r);
		read_round(&c, r);
	}
	for (int i = 0; i < CHANGING; i++)
		if (c.presence[i] == PENDING)
			finish_creation(&c, i);
	for (int i = 0; i < READERS; i++)
		tree_releasedir(c.fs.tree, c.readers[i].dir);
	fs_close(&c.fs);
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
		if (i == 24) {	/* fewer operations than the move */
			CHECK_EQ(fs_rename(&fs, "d", "other", RENAME_EXCHANGE),
				 -EXDEV);
			CHECK_EQ(fs_rename(&fs, "f", "d", RENAME_EXCHANGE),
				 -EXDEV);
		}
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

TEST(closing, "a directory that is open when its tree is closed is closed with it")
{
	struct fs fs;
	struct tree_dir *dir;
	struct tree_dirent entry;

	fs_open(&fs);
	put_key(&fs, "d/a");
	put_key(&fs, "d/b");
	dir = open_dir(&fs, "d");
	CHECK_OK(tree_dir_seek(fs.tree, dir, TREE_NAMES, 2));
	CHECK_OK(tree_dir_peek(fs.tree, dir, &entry));
	CHECK_OK(tree_dir_take(dir));
	CHECK_OK(tree_dir_peek(fs.tree, dir, &entry));
	CHECK_STR(entry.name, "b");
	fs_close(&fs);
}
