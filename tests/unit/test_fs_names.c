/*
 * Every key is a file, once, and can be used like any: random sets of keys, made
 * of the pieces that escapes are made of, written through the library and then
 * seen, read, renamed and removed in the tree.
 */
#include "fs_fixture.h"
#include "random_key.h"

#define ROUNDS 20
#define KEYS_MAX 40
#define KEY_BYTES_MAX 700

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

struct keys {
	size_t n;
	struct key all[KEYS_MAX];
	bool is_found[KEYS_MAX];
};

static void key_add_piece(struct key *key)
{
	static const char *const pieces[] = {
		"%", "%%", "00", "%00", "%25", ".", "..", "+", "%+", "%.", "y",
		"empty", "%empty", "a", "-", "0", " ", "\n", "\xff", "b",
	};
	static const char runs[] = { 'w', '%', '\0', '\xff' };
	const char *piece = pieces[below(sizeof(pieces) / sizeof(*pieces))];
	size_t n = below(2) ? 248 + below(10) : 84 + below(3);
	char c = runs[below(sizeof(runs))];

	switch (below(8)) {
	case 0:
		while (n-- > 0)
			key_add(key, &c, 1);
		break;
	case 1:
	case 2:
		key_add(key, "/", 1);
		break;
	case 3:
		key_add(key, "\0", 1);
		break;
	default:
		key_add(key, piece, strlen(piece));
	}
}

static struct key *keys_find(struct keys *keys, const void *bytes, size_t n)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->all[i].n == n && !memcmp(keys->all[i].bytes, bytes, n))
			return &keys->all[i];
	return NULL;
}

/* Half of them begin like another one, so that keys and directories meet. */
static void keys_pick(struct keys *keys)
{
	size_t n = 1 + below(KEYS_MAX);

	keys->n = 0;
	while (n-- > 0) {
		struct key *key = &keys->all[keys->n];

		key->n = 0;
		if (keys->n && below(2)) {
			struct key *other = &keys->all[below(keys->n)];

			key_add(key, other->bytes, below(other->n + 1));
		}
		for (size_t pieces = below(5); pieces > 0; pieces--)
			key_add_piece(key);
		if (key->n > KEY_BYTES_MAX)
			key->n = KEY_BYTES_MAX;
		if (!keys_find(keys, key->bytes, key->n))
			keys->n++;
	}
}

static void keys_put(struct fs *fs, const struct keys *keys)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_scope_open(fs->db, "p", "s", &scope));
	for (size_t i = 0; i < keys->n; i++)
		CHECK_OK(aedb_put(scope, keys->all[i].bytes, keys->all[i].n,
				  keys->all[i].bytes, keys->all[i].n));
	aedb_scope_close(scope);
}

static struct handle *open_child(struct fs *fs, struct node *dir,
				 const char *name)
{
	struct tree_entry entry;
	struct handle *handle;

	CHECK_OK(tree_lookup(fs->tree, &fs->me, dir, name, &entry));
	CHECK_OK(tree_open_file(fs->tree, &fs->me, entry.node, O_RDONLY,
				&handle));
	tree_forget(fs->tree, entry.node, 1);
	return handle;
}

/* What to do with each entry. */
struct visit {
	int (*file)(struct fs *fs, struct node *dir, const char *name,
		    struct keys *keys);
	bool is_removing;
};

/* A file's content is its key. */
static struct key *key_of(struct fs *fs, struct node *dir, const char *name,
			  struct keys *keys)
{
	static char bytes[KEY_BYTES_MAX + 1];
	struct tree_read read = { bytes, sizeof(bytes), 0 };
	struct handle *handle = open_child(fs, dir, name);
	struct pin *pin;
	size_t n = 0;

	CHECK_OK(tree_read(fs->tree, &fs->me, handle, &read, &n, &pin));
	CHECK_OK(tree_release(fs->tree, handle));
	return keys_find(keys, bytes, n);
}

static int find_file(struct fs *fs, struct node *dir, const char *name,
		     struct keys *keys)
{
	struct key *key = key_of(fs, dir, name, keys);

	CHECK(key != NULL);
	CHECK_THAT(!keys->is_found[key - keys->all], "\"%s\" is listed twice",
		   name);
	keys->is_found[key - keys->all] = true;
	return 0;
}

static int remove_file(struct fs *fs, struct node *dir, const char *name,
		       struct keys *keys)
{
	(void)keys;
	return tree_unlink(fs->tree, &fs->me, dir, name);
}

/* To a plain name, the scope's key number so-and-so, and back. */
static int rename_file(struct fs *fs, struct node *dir, const char *name,
		       struct keys *keys)
{
	struct key *key = key_of(fs, dir, name, keys);
	char plain[32];
	struct tree_rename there = { dir, name, fs->scope, plain, 0 };
	struct tree_rename back = { fs->scope, plain, dir, name, 0 };
	struct aedb_entry entry;
	struct aedb_scope *scope;

	snprintf(plain, sizeof(plain), "plain-%zu", (size_t)(key - keys->all));
	CHECK_OK(tree_rename(fs->tree, &fs->me, &there));
	CHECK_OK(aedb_scope_open(fs->db, "p", "s", &scope));
	CHECK_EQ(aedb_stat(scope, NULL, key->bytes, key->n, &entry), -ENOENT);
	CHECK_OK(aedb_get(scope, NULL, plain, strlen(plain), &entry));
	CHECK_EQ(entry.value_bytes, key->n);
	CHECK_MEM(entry.value, key->bytes, key->n);
	aedb_unpin(&entry);
	CHECK_OK(tree_rename(fs->tree, &fs->me, &back));
	CHECK_OK(aedb_stat(scope, NULL, key->bytes, key->n, &entry));
	aedb_unpin(&entry);
	aedb_scope_close(scope);
	return 0;
}

/* Visits everything inside in rounds of a few entries, as the kernel asks. */
static void walk(struct fs *fs, struct node *node, const struct visit *visit,
		 struct keys *keys)
{
	struct tree_dirent entry;
	struct tree_entry child;
	struct tree_dir *dir;
	char name[PATH_NAME_BYTES_MAX + 1];
	uint64_t offset = 2;

	CHECK_OK(tree_opendir(fs->tree, node, &dir));
	for (;;) {
		CHECK_OK(tree_dir_seek(fs->tree, dir, TREE_NAMES, offset));
		if (tree_dir_peek(fs->tree, dir, &entry) < 0)
			break;
		for (size_t skip = below(3); skip > 0; skip--) {
			CHECK_OK(tree_dir_take(dir));
			if (tree_dir_peek(fs->tree, dir, &entry) < 0)
				break;
		}
		tree_dir_pause(dir);
		CHECK_OK(tree_dir_seek(fs->tree, dir, TREE_NAMES, offset));
		CHECK_OK(tree_dir_peek(fs->tree, dir, &entry));
		strcpy(name, entry.name);
		offset = entry.next;
		CHECK_OK(tree_dir_take(dir));
		tree_dir_pause(dir);
		CHECK_OK(tree_lookup(fs->tree, &fs->me, node, name, &child));
		CHECK_EQ(child.stat.st_ino, entry.ino);
		CHECK_EQ(child.stat.st_mode & S_IFMT, entry.mode & S_IFMT);
		if (S_ISDIR(child.stat.st_mode)) {
			walk(fs, child.node, visit, keys);
			if (visit->is_removing)
				CHECK_OK(tree_rmdir(fs->tree, &fs->me, node, name));
		} else {
			CHECK_OK(visit->file(fs, node, name, keys));
		}
		tree_forget(fs->tree, child.node, 1);
	}
	tree_releasedir(fs->tree, dir);
}

static void check_all_found(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		CHECK_THAT(keys->is_found[i], "a key is not listed");
		keys->is_found[i] = false;
	}
}

/* An empty scope goes, and its name is free. */
static void renew_scope(struct fs *fs)
{
	struct tree_entry project;

	CHECK_OK(tree_lookup(fs->tree, &fs->me, tree_root(fs->tree), "p",
			     &project));
	CHECK_OK(tree_rmdir(fs->tree, &fs->me, project.node, "s"));
	tree_forget(fs->tree, fs->scope, 1);
	fs_make_scope(fs, project.node);
	tree_forget(fs->tree, project.node, 1);
}

TEST(keys, "any keys are listed once each, read, renamed and removed by path")
{
	static const struct visit find = { find_file, false };
	static const struct visit rename_all = { rename_file, false };
	static const struct visit remove_all = { remove_file, true };
	static struct keys keys;
	struct fs fs;

	fs_open(&fs);
	for (int round = 0; round < ROUNDS; round++) {
		keys_pick(&keys);
		keys_put(&fs, &keys);
		walk(&fs, fs.scope, &find, &keys);
		check_all_found(&keys);
		walk(&fs, fs.scope, &rename_all, &keys);
		walk(&fs, fs.scope, &find, &keys);
		check_all_found(&keys);
		walk(&fs, fs.scope, &remove_all, &keys);
		renew_scope(&fs);
	}
	fs_close(&fs);
}
