/*
 * The mapping between keys and paths. Random inputs are built from the pieces
 * that the escapes are made of, with lengths around the limits of a name.
 */
#include "random_key.h"

#include <errno.h>

#define ROUNDS 4000
#define KEYS_MAX 64

/* A length that is short, or near what fills one or two names. */
static size_t length_pick(void)
{
	static const size_t around[] = { 83, 125, 126, 127, 250, 252, 506 };

	if (below(2))
		return below(4);
	return around[below(sizeof(around) / sizeof(*around))] + below(6);
}

/* Appends a piece; with_all false: only bytes a file name can have. */
static void key_add_piece(struct key *key, bool with_all)
{
	static const char *const pieces[] = {
		"%", "%%", "25", "00", "0", "%00", "%25", "%2500", ".", "..", "+",
		"%+", "%.", "%..", "empty", "%empty", "a", "emp", "ty", "\xff", "2",
	};
	static const char runs[] = "%%%aa.";
	const char *piece = pieces[below(sizeof(pieces) / sizeof(*pieces))];
	size_t n = length_pick();

	switch (below(with_all ? 8 : 4)) {
	case 0:
		while (n-- > 0)
			key_add(key, &runs[below(5)], 1);
		break;
	case 1: {
		char c = runs[below(6)];

		while (n-- > 0)
			key_add(key, &c, 1);
		break;
	}
	case 2:
		for (n /= 2; n > 0; n--)
			key_add(key, "25", 2);
		break;
	case 4:
		key_add(key, "/", 1);
		break;
	case 5:
		key_add(key, "\0", 1);
		break;
	default:
		key_add(key, piece, strlen(piece));
	}
}

static void key_pick(struct key *key)
{
	key->n = 0;
	for (size_t pieces = 1 + below(9); pieces > 0; pieces--)
		key_add_piece(key, true);
}

/* Flips, cuts or lengthens a key a little, so that neighbours meet. */
static void key_vary(struct key *key)
{
	switch (below(3)) {
	case 0:
		if (key->n > 1)
			key->n -= 1 + below(key->n > 4 ? 3 : 1);
		break;
	case 1:
		key->bytes[below(key->n)] = "/%0\0a.y5"[below(8)];
		break;
	default:
		key_add_piece(key, true);
	}
}

static bool name_is_valid(const char *name, size_t n)
{
	return n > 0 && n <= 255 && !memchr(name, 0, n) && !memchr(name, '/', n) &&
	       !(n == 1 && name[0] == '.') &&
	       !(n == 2 && name[0] == '.' && name[1] == '.');
}

static void check_names(const char *path, size_t n)
{
	for (const char *end = path + n; path <= end;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t name_bytes = (size_t)((slash ? slash : end) - path);

		CHECK_THAT(name_is_valid(path, name_bytes), "\"%.*s\" is no name",
			   (int)name_bytes, path);
		path += name_bytes + 1;
	}
}

static void check_key(const char *key, size_t n, const char *want)
{
	static char path[PATH_BYTES_MAX];
	uint8_t back[PATH_KEY_BYTES_MAX];
	size_t back_bytes;

	path_format(key, n, path);
	CHECK_STR(path, want);
	CHECK_OK(path_parse(path, strlen(path), back, &back_bytes));
	CHECK_EQ(back_bytes, n);
	CHECK_MEM(back, key, n);
}

#define CHECK_KEY(key, want) check_key(key, sizeof(key) - 1, want)

TEST(path_plain, "a key that is a path is its own path")
{
	CHECK_KEY("a", "a");
	CHECK_KEY("a/b/c", "a/b/c");
	CHECK_KEY("100%", "100%");
	CHECK_KEY("%41 %zz", "%41 %zz");
	CHECK_KEY("%", "%");
	CHECK_KEY("...", "...");
	CHECK_KEY("\xff\xfe/\x01", "\xff\xfe/\x01");
	CHECK_KEY("a/%+b", "a/%+b");
	CHECK_KEY("img%02d.png", "img%02d.png");
}

TEST(path_escapes, "what a file name cannot carry is escaped")
{
	CHECK_KEY("a\0b", "a%00b");
	CHECK_KEY("/", "%empty/%empty");
	CHECK_KEY("a//b", "a/%empty/b");
	CHECK_KEY("a/", "a/%empty");
	CHECK_KEY("", "%empty");
	CHECK_KEY("./..", "%./%..");
	CHECK_KEY("\0", "%00");
}

TEST(path_literal, "a name that looks like an escape is the path of another key")
{
	CHECK_KEY("%00", "%2500");
	CHECK_KEY("%2500", "%252500");
	CHECK_KEY("%\0", "%%00");
	CHECK_KEY("%.", "%%.");
	CHECK_KEY("%%..", "%%%..");
	CHECK_KEY("%empty", "%%empty");
	CHECK_KEY("a/%", "a/%%");
	CHECK_KEY("a/%%", "a/%%%");
	CHECK_KEY("a/%/b", "a/%%/b");
	CHECK_KEY("%/b", "%/b");
}

TEST(path_long, "a component over 255 bytes continues in the directory of its start")
{
	char key[600], want[600];

	memset(key, 'x', sizeof(key));
	memset(want, 'x', sizeof(want));
	want[255] = '\0';
	check_key(key, 255, want);
	strcpy(want + 255, "/%+x");
	check_key(key, 256, want);
	key[256] = '/';
	strcpy(want + 255, "/%+x/xx");
	check_key(key, 259, want);
	key[255] = '/';
	memcpy(key + 256, "%+x", 3);
	strcpy(want + 255, "/%%+x");
	check_key(key, 259, want);
}

TEST(path_limits, "components of every length around the limits lead back")
{
	static const char *const fills[] = { "%00", "%", "25", "%2500", ".", "%+" };
	static char path[PATH_BYTES_MAX];
	uint8_t key[1024], back[PATH_KEY_BYTES_MAX];
	size_t n, fill_bytes;

	for (size_t fill = 0; fill < 7; fill++) {
		const char *text = fill ? fills[fill - 1] : "\0";

		fill_bytes = fill ? strlen(text) : 1;
		for (size_t bytes = 70; bytes < 264; bytes++) {
			if (bytes == 100)
				bytes = 240;
			for (size_t i = 0; i < bytes; i++)
				key[i] = (uint8_t)text[i % fill_bytes];
			path_format(key, bytes, path);
			CHECK_OK(path_parse(path, strlen(path), back, &n));
			CHECK_EQ(n, bytes);
			CHECK_MEM(back, key, n);
		}
	}
}

TEST(path_own, "the key with a directory's name is the directory's entry %")
{
	struct path_child child;
	struct path_dir dir;

	path_dir_init(&dir, "a/b", 3);
	CHECK_OK(path_child(&dir, "%", 1, &child));
	CHECK_EQ(child.kind, PATH_OWN);
	CHECK_EQ(child.key_bytes, 3);
	CHECK_MEM(child.key, "a/b", 3);
	path_dir_root(&dir);
	CHECK_OK(path_child(&dir, "%", 1, &child));
	CHECK_EQ(child.kind, PATH_LEAF);
	CHECK_EQ(child.key_bytes, 1);
}

TEST(path_refused, "what is no name or too long is refused")
{
	char name[256];
	uint8_t key[PATH_KEY_BYTES_MAX];
	struct path_child child;
	struct path_dir dir;

	memset(name, 'x', sizeof(name));
	path_dir_root(&dir);
	CHECK_EQ(path_child(&dir, name, 256, &child), -ENAMETOOLONG);
	CHECK_EQ(path_child(&dir, "", 0, &child), -EINVAL);
	CHECK_EQ(path_child(&dir, ".", 1, &child), -EINVAL);
	CHECK_EQ(path_child(&dir, "..", 2, &child), -EINVAL);
	CHECK_EQ(path_child(&dir, "a/b", 3, &child), -EINVAL);
	CHECK_EQ(path_child(&dir, "a\0b", 3, &child), -EINVAL);
	memset(key, 'k', sizeof(key));
	path_dir_init(&dir, key, PATH_KEY_BYTES_MAX - 1);
	CHECK_EQ(path_child(&dir, "x", 1, &child), -ENAMETOOLONG);
	path_dir_init(&dir, key, PATH_KEY_BYTES_MAX - 2);
	CHECK_OK(path_child(&dir, "x", 1, &child));
	CHECK_EQ(child.key_bytes, PATH_KEY_BYTES_MAX);
}

TEST(path_keys, "the path of any key leads back to the key, by names a file can have")
{
	static char path[PATH_BYTES_MAX];
	static struct key key;
	uint8_t back[PATH_KEY_BYTES_MAX];
	size_t back_bytes, n;

	for (int i = 0; i < ROUNDS; i++) {
		key_pick(&key);
		if (key.n == 0)
			continue;
		n = path_format(key.bytes, key.n, path);
		check_names(path, n);
		CHECK_OK(path_parse(path, n, back, &back_bytes));
		CHECK_EQ(back_bytes, key.n);
		CHECK_MEM(back, key.bytes, key.n);
	}
}

/* A random path of up to 4 names. */
static void names_pick(struct key *path)
{
	path->n = 0;
	for (size_t names = 1 + below(4); names > 0; names--) {
		struct key name;

		do {
			name.n = 0;
			for (size_t pieces = 1 + below(4); pieces > 0; pieces--)
				key_add_piece(&name, false);
			if (name.n > 255)
				name.n = 255;
		} while (!name_is_valid((char *)name.bytes, name.n));
		if (path->n)
			key_add(path, "/", 1);
		key_add(path, name.bytes, name.n);
	}
}

TEST(path_names, "any path of names a user can create is the path of its key")
{
	static char path[PATH_BYTES_MAX];
	static struct key names;
	uint8_t key[PATH_KEY_BYTES_MAX];
	size_t n, own = 0, plain = 0;

	for (int i = 0; i < ROUNDS; i++) {
		names_pick(&names);
		names.bytes[names.n] = '\0';
		int rc = path_parse((char *)names.bytes, names.n, key, &n);

		if (rc < 0) {
			CHECK_EQ(rc, -EINVAL);
			CHECK_THAT(strstr((char *)names.bytes, "/%/") != NULL,
				   "%s is refused", (char *)names.bytes);
			continue;
		}
		path_format(key, n, path);
		if (names.n > 2 && !memcmp(names.bytes + names.n - 2, "/%", 2)) {
			names.bytes[names.n - 2] = '\0';
			own++;
		} else {
			plain++;
		}
		CHECK_STR(path, (char *)names.bytes);
	}
	CHECK(own > ROUNDS / 200 && plain > ROUNDS / 2);
}

/* A listing by scan and skip, against the paths of all keys. */

static int key_compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

struct listing {
	struct key *keys;
	size_t n;
	bool has_been_seen[KEYS_MAX];
};

static bool key_begins_with(const struct key *key, const uint8_t *prefix, size_t n)
{
	return key->n >= n && memcmp(key->bytes, prefix, n) == 0;
}

/* Lists a directory as a mount does, and those in it; returns how many keys. */
static void list(struct listing *all, const struct path_dir *dir)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX];
	size_t prefix_bytes = path_dir_scan_prefix(dir, prefix);
	struct path_step step;

	for (size_t i = 0; i < all->n; i++) {
		struct key *key = &all->keys[i];

		if (!key_begins_with(key, prefix, prefix_bytes))
			continue;
		path_step(dir, key->bytes, key->n, &step);
		if (step.kind == PATH_LEAF) {
			CHECK(!all->has_been_seen[i]);
			all->has_been_seen[i] = true;
		} else if (step.kind == PATH_BELOW) {
			struct path_child child;
			struct path_dir below;

			CHECK_OK(path_child(dir, step.name, step.name_bytes, &child));
			CHECK_EQ(child.key_bytes, step.child_bytes);
			path_dir_init(&below, child.key, child.key_bytes);
			if (!step.may_repeat || !all->has_been_seen[i])
				list(all, &below);
		}
		if (step.kind == PATH_BELOW || step.kind == PATH_ELSEWHERE)
			while (i + 1 < all->n &&
			       key_begins_with(&all->keys[i + 1], key->bytes,
					       step.skip_bytes))
				i++;
	}
}

TEST(path_repeat, "a directory that holds two ranges of keys is said to come twice")
{
	static struct key keys[3];
	struct listing all = { .keys = keys, .n = 3 };
	struct path_step step;
	struct path_dir root;

	/* "\0" does not fit behind 254 bytes, "!" does, "/" follows both. */
	for (size_t i = 0; i < 3; i++) {
		keys[i].n = 254;
		memset(keys[i].bytes, 'x', 254);
		key_add(&keys[i], &"\0!/"[i], 1);
		key_add(&keys[i], "z", i != 1);
	}
	path_dir_root(&root);
	path_step(&root, keys[0].bytes, keys[0].n, &step);
	CHECK_EQ(step.kind, PATH_BELOW);
	CHECK(step.may_repeat);
	path_step(&root, keys[2].bytes, keys[2].n, &step);
	CHECK_EQ(step.kind, PATH_BELOW);
	CHECK(step.may_repeat);
	list(&all, &root);
	for (size_t i = 0; i < 3; i++)
		CHECK(all.has_been_seen[i]);
}

static size_t keys_pick(struct key *keys)
{
	size_t n = 2 + below(KEYS_MAX - 2), kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && below(4))
			keys[i] = keys[below(i)], key_vary(&keys[i]);
		else
			key_pick(&keys[i]);
		if (keys[i].n == 0)
			key_add(&keys[i], "a", 1);
	}
	qsort(keys, n, sizeof(*keys), key_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || key_compare(&keys[kept - 1], &keys[i]))
			keys[kept++] = keys[i];
	return kept;
}

TEST(path_listing, "a walk that skips subtrees meets every key once")
{
	static struct key keys[KEYS_MAX];
	struct path_dir root;

	path_dir_root(&root);
	for (int round = 0; round < ROUNDS / 20; round++) {
		struct listing all = { .keys = keys, .n = keys_pick(keys) };

		list(&all, &root);
		for (size_t i = 0; i < all.n; i++)
			CHECK_THAT(all.has_been_seen[i], "a key was not met");
	}
}

TEST(path_siblings, "two keys have different paths, also neighbours")
{
	static char path[PATH_BYTES_MAX], other[PATH_BYTES_MAX];
	static struct key key, near;

	for (int i = 0; i < ROUNDS; i++) {
		key_pick(&key);
		if (key.n == 0)
			continue;
		near = key;
		key_vary(&near);
		if (near.n == 0 || key_compare(&key, &near) == 0)
			continue;
		path_format(key.bytes, key.n, path);
		path_format(near.bytes, near.n, other);
		CHECK(strcmp(path, other) != 0);
	}
}

TEST(path_record, "a directory's record key leads back to the directory")
{
	static const char *const keys[] = { "", "/", "//", "a", "/a", "a/", "a/b" };
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct path_dir dir, back;

	path_dir_root(&dir);
	CHECK_EQ(path_dir_record(&dir, record), 0);
	path_dir_init_record(&back, record, 0);
	CHECK(back.is_root);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		size_t n;

		path_dir_init(&dir, keys[i], strlen(keys[i]));
		n = path_dir_record(&dir, record);
		CHECK(n > 0);
		path_dir_init_record(&back, record, n);
		CHECK(!back.is_root);
		CHECK_EQ(back.key_bytes, strlen(keys[i]));
		CHECK_MEM(back.key, keys[i], back.key_bytes);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
