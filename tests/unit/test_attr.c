/* The attribute blob: round trips, limits, damage, xattrs against an array. */
#include "attr.h"
#include "check.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const struct attr_defaults defaults = { 1000, 100, 022 };

static const struct fs_attr full = {
	.mode = S_IFLNK | 0777, .uid = UINT32_MAX, .gid = 70000,
	.atime_ns = -1500000000000, .flags = 0x80000001,
	.present = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_FLAGS,
};

TEST(attr_default, "an entry without a blob shows the mount's defaults")
{
	struct fs_attr attr;

	CHECK_OK(attr_decode(NULL, 0, S_IFREG, &defaults, &attr));
	CHECK_EQ(attr.mode, S_IFREG | 0644);
	CHECK_EQ(attr.uid, 1000);
	CHECK_EQ(attr.gid, 100);
	CHECK_EQ(attr.present, 0);
	CHECK_OK(attr_decode("", 0, S_IFDIR, &defaults, &attr));
	CHECK_EQ(attr.mode, S_IFDIR | 0755);
}

TEST(attr_round_trip, "what is present is encoded, the rest stays a default")
{
	uint8_t blob[ATTR_HEAD_BYTES_MAX];

	for (unsigned present = 0; present < 32; present++) {
		struct fs_attr attr = full, back;
		size_t n;

		attr.present = present;
		n = attr_encode(&attr, blob);
		CHECK_OK(attr_validate(blob, n));
		CHECK_OK(attr_decode(blob, n, S_IFREG, &defaults, &back));
		CHECK_EQ(back.present, present);
		CHECK_EQ(back.mode, present & ATTR_MODE ? full.mode
							: S_IFREG | 0644);
		CHECK_EQ(back.uid, present & ATTR_UID ? full.uid : 1000);
		CHECK_EQ(back.gid, present & ATTR_GID ? full.gid : 100);
		CHECK_EQ(back.atime_ns, present & ATTR_ATIME ? full.atime_ns : 0);
		CHECK_EQ(back.flags, present & ATTR_FLAGS ? full.flags : 0);
	}
}

TEST(attr_small, "mode and owner of root's file take 7 bytes")
{
	uint8_t blob[ATTR_HEAD_BYTES_MAX];
	struct fs_attr attr = { .mode = S_IFREG | 0644,
				.present = ATTR_MODE | ATTR_UID | ATTR_GID };

	CHECK_EQ(attr_encode(&attr, blob), 7);
}

static void blob_set(struct attr_blob *blob, const char *name, const void *value,
		     size_t n)
{
	struct attr_blob next;

	CHECK_OK(attr_xattr_set(blob->bytes, blob->n,
				&(struct attr_xattr){ name, value, n, 0 }, &next));
	attr_blob_release(blob);
	*blob = next;
}

TEST(attr_keeps_xattrs, "new attributes keep the xattrs, a new xattr the attributes")
{
	struct attr_blob blob = { NULL, 0 }, next;
	struct fs_attr attr;
	char value[8];
	size_t n;

	blob_set(&blob, "user.a", "1", 1);
	CHECK_OK(attr_replace(blob.bytes, blob.n, &full, &next));
	attr_blob_release(&blob);
	blob_set(&next, "user.b", "", 0);
	CHECK_OK(attr_validate(next.bytes, next.n));
	CHECK_OK(attr_decode(next.bytes, next.n, S_IFREG, &defaults, &attr));
	CHECK_EQ(attr.uid, full.uid);
	CHECK_OK(attr_xattr_get(next.bytes, next.n, "user.a", value, 8, &n));
	CHECK_EQ(n, 1);
	CHECK_OK(attr_xattr_get(next.bytes, next.n, "user.b", value, 8, &n));
	CHECK_EQ(n, 0);
	attr_blob_release(&next);
}

TEST(attr_atime, "blobs are told apart without their access times, and one takes another's")
{
	struct fs_attr later = full;
	struct attr_blob blob = { NULL, 0 }, next;
	uint8_t a[ATTR_HEAD_BYTES_MAX], b[ATTR_HEAD_BYTES_MAX];
	size_t a_bytes = attr_encode(&full, a), b_bytes;
	struct fs_attr attr;

	later.atime_ns++;
	b_bytes = attr_encode(&later, b);
	CHECK(attr_is_same_but_atime(a, a_bytes, b, b_bytes));
	later.present &= ~(unsigned)ATTR_ATIME;
	b_bytes = attr_encode(&later, b);
	CHECK(attr_is_same_but_atime(a, a_bytes, b, b_bytes));
	later.mode ^= 1;
	b_bytes = attr_encode(&later, b);
	CHECK(!attr_is_same_but_atime(a, a_bytes, b, b_bytes));
	CHECK(!attr_is_same_but_atime(a, a_bytes, NULL, 0));
	CHECK(attr_is_same_but_atime(NULL, 0, NULL, 0));

	blob_set(&blob, "user.a", "1", 1);
	CHECK(!attr_is_same_but_atime(blob.bytes, blob.n, NULL, 0));
	CHECK_OK(attr_take_atime(blob.bytes, blob.n, a, a_bytes, &next));
	CHECK(attr_is_same_but_atime(blob.bytes, blob.n, next.bytes, next.n));
	CHECK_OK(attr_decode(next.bytes, next.n, S_IFDIR, &defaults, &attr));
	CHECK_EQ(attr.present, ATTR_ATIME);
	CHECK_EQ(attr.atime_ns, full.atime_ns);
	attr_blob_release(&blob);
	CHECK_OK(attr_take_atime(next.bytes, next.n, NULL, 0, &blob));
	CHECK_OK(attr_decode(blob.bytes, blob.n, S_IFDIR, &defaults, &attr));
	CHECK_EQ(attr.present, 0);
	attr_blob_release(&blob);
	attr_blob_release(&next);
}

TEST(attr_create_replace, "create and replace fail as setxattr says")
{
	struct attr_blob blob = { NULL, 0 }, next;
	struct attr_xattr xattr = { "user.a", "1", 1, XATTR_REPLACE };

	CHECK_EQ(attr_xattr_set(NULL, 0, &xattr, &next), -ENODATA);
	blob_set(&blob, "user.a", "1", 1);
	xattr.flags = XATTR_CREATE;
	CHECK_EQ(attr_xattr_set(blob.bytes, blob.n, &xattr, &next), -EEXIST);
	xattr.flags = XATTR_REPLACE;
	CHECK_OK(attr_xattr_set(blob.bytes, blob.n, &xattr, &next));
	attr_blob_release(&next);
	xattr.flags = 64;
	CHECK_EQ(attr_xattr_set(blob.bytes, blob.n, &xattr, &next), -EINVAL);
	CHECK_EQ(attr_xattr_remove(blob.bytes, blob.n, "user.b", &next), -ENODATA);
	CHECK_OK(attr_xattr_remove(blob.bytes, blob.n, "user.a", &next));
	CHECK_OK(attr_validate(next.bytes, next.n));
	CHECK_EQ(attr_xattr_remove(next.bytes, next.n, "user.a", &blob), -ENODATA);
	attr_blob_release(&next);
	attr_blob_release(&blob);
}

TEST(attr_limits, "names, values and the sum have Linux's limits and errors")
{
	static char value[ATTR_XATTR_VALUE_MAX + 1], name[300];
	struct attr_blob blob = { NULL, 0 }, next;
	struct attr_xattr xattr = { name, value, 1, 0 };
	size_t n;

	memset(name, 'n', 256);
	memcpy(name, "user.", 5);
	CHECK_EQ(attr_xattr_set(NULL, 0, &xattr, &next), -ERANGE);
	name[255] = '\0';
	blob_set(&blob, name, value, 1);
	CHECK_OK(attr_xattr_get(blob.bytes, blob.n, name, value, 1, &n));
	xattr.value_bytes = sizeof(value);
	CHECK_EQ(attr_xattr_set(NULL, 0, &xattr, &next), -E2BIG);
	xattr.value_bytes = ATTR_XATTR_VALUE_MAX;
	CHECK_EQ(attr_xattr_set(NULL, 0, &xattr, &next), -ENOSPC);
	xattr = (struct attr_xattr){ "user.v", value, 65000, 0 };
	CHECK_EQ(attr_xattr_set(blob.bytes, blob.n, &xattr, &next), 0);
	xattr.name = "user.w";
	CHECK_EQ(attr_xattr_set(next.bytes, next.n, &xattr, &blob), -ENOSPC);
	CHECK_EQ(attr_xattr_get(next.bytes, next.n, "user.v", value, 10, &n), -ERANGE);
	CHECK_EQ(attr_xattr_list(next.bytes, next.n, value, 10, &n), -ERANGE);
	CHECK_OK(attr_xattr_list(next.bytes, next.n, NULL, 0, &n));
	CHECK_EQ(n, 256 + 7);
	attr_blob_release(&next);
	attr_blob_release(&blob);
	CHECK_EQ(attr_xattr_check_name("user."), -EINVAL);
	CHECK_EQ(attr_xattr_check_name("trusted.x"), -EOPNOTSUPP);
	CHECK_EQ(attr_xattr_check_name("security.capability"), -EOPNOTSUPP);
	CHECK_EQ(attr_xattr_check_name("system.posix_acl_access"), -EOPNOTSUPP);
	CHECK_EQ(attr_xattr_check_name("x"), -EOPNOTSUPP);
}

TEST(attr_full, "a full blob takes other attributes, and its names can be listed")
{
	static char value[ATTR_XATTR_VALUE_MAX];
	struct fs_attr attr = { .mode = 0107777, .uid = UINT32_MAX,
				.gid = UINT32_MAX, .flags = UINT32_MAX,
				.present = ATTR_MODE | ATTR_UID | ATTR_GID |
					   ATTR_ATIME | ATTR_FLAGS };
	struct attr_xattr xattr = { "user.v", value, 65520, 0 };
	struct attr_blob blob = { NULL, 0 }, next;
	char name[256];
	size_t n;
	int rc;

	while ((rc = attr_xattr_set(NULL, 0, &xattr, &blob)) == -ENOSPC)
		xattr.value_bytes--;
	CHECK_OK(rc);
	CHECK_OK(attr_replace(blob.bytes, blob.n, &attr, &next));
	attr_blob_release(&next);
	attr_blob_release(&blob);
	xattr = (struct attr_xattr){ name, "", 0, 0 };
	for (int i = 0; rc == 0; i++) {
		snprintf(name, sizeof(name), "user.%0250d", i);
		rc = attr_xattr_set(blob.bytes, blob.n, &xattr, &next);
		if (rc == 0) {
			attr_blob_release(&blob);
			blob = next;
		}
	}
	CHECK_EQ(rc, -ENOSPC);
	CHECK_OK(attr_xattr_list(blob.bytes, blob.n, NULL, 0, &n));
	CHECK(n <= 65536);
	attr_blob_release(&blob);
}

enum { NAMES = 12 };

/* The value an xattr of the model has; its length 0-40 is derived from it. */
static size_t value_fill(char *value, uint64_t number)
{
	size_t n = number % 41;

	for (size_t i = 0; i < n; i++)
		value[i] = (char)(number >> (i % 8 * 8));
	return n;
}

static void model_check(const struct attr_blob *blob, const uint64_t *model)
{
	char name[32], want[64], got[64], list[1024];
	size_t n, list_bytes = 0;

	CHECK_OK(attr_validate(blob->bytes, blob->n));
	for (int i = 0; i < NAMES; i++) {
		int rc;

		snprintf(name, sizeof(name), "user.%d", i);
		rc = attr_xattr_get(blob->bytes, blob->n, name, got, sizeof(got), &n);
		CHECK_EQ(rc, model[i] ? 0 : -ENODATA);
		if (rc < 0)
			continue;
		CHECK_EQ(n, value_fill(want, model[i]));
		CHECK_MEM(got, want, n);
		list_bytes += strlen(name) + 1;
	}
	CHECK_OK(attr_xattr_list(blob->bytes, blob->n, list, sizeof(list), &n));
	CHECK_EQ(n, list_bytes);
}

TEST(attr_model, "sets and removals in any order leave what an array would hold")
{
	struct attr_blob blob = { NULL, 0 }, next;
	uint64_t model[NAMES] = { 0 };
	char name[32], value[64];

	for (int i = 0; i < 3000; i++) {
		int which = (int)(check_random() % NAMES);

		snprintf(name, sizeof(name), "user.%d", which);
		if (check_random() % 3) {
			model[which] = check_random() | 1;
			blob_set(&blob, name, value, value_fill(value, model[which]));
		} else if (model[which]) {
			CHECK_OK(attr_xattr_remove(blob.bytes, blob.n, name, &next));
			attr_blob_release(&blob);
			blob = next;
			model[which] = 0;
		}
		model_check(&blob, model);
	}
	attr_blob_release(&blob);
}

TEST(attr_damage, "damaged blobs are refused or read without harm")
{
	struct attr_blob blob = { NULL, 0 };
	struct fs_attr attr;
	char list[256];
	size_t n;

	CHECK_OK(attr_replace(NULL, 0, &full, &blob));
	blob_set(&blob, "user.a", "value", 5);
	blob_set(&blob, "user.b", "other", 5);
	for (int i = 0; i < 20000; i++) {
		size_t size = 1 + check_random() % blob.n;
		uint8_t *copy = malloc(size);

		memcpy(copy, blob.bytes, size);
		copy[check_random() % size] = (uint8_t)check_random();
		if (attr_validate(copy, size) == 0) {
			CHECK_OK(attr_decode(copy, size, S_IFREG, &defaults, &attr));
			CHECK_OK(attr_xattr_list(copy, size, list, sizeof(list), &n));
		} else {
			attr_xattr_get(copy, size, "user.b", list, sizeof(list), &n);
		}
		free(copy);
	}
	CHECK_EQ(attr_validate("\2\0", 2), -EOPNOTSUPP);
	CHECK_EQ(attr_validate("\0\0", 2), -EIO);
	CHECK_EQ(attr_validate("\1", 1), -EIO);
	CHECK_EQ(attr_validate("\1\x20", 2), -EIO);
	CHECK_EQ(attr_validate("\1\0\1b\0\1a\0", 8), -EIO);
	CHECK_EQ(attr_validate("\1\0\1a\0\1a\0", 8), -EIO);
	attr_blob_release(&blob);
}

TEST(attr_text, "a blob is shown as text")
{
	struct attr_blob blob = { NULL, 0 };
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK_OK(attr_replace(NULL, 0, &full, &blob));
	blob_set(&blob, "user.a", "value", 5);
	attr_show(blob.bytes, blob.n, out);
	fclose(out);
	CHECK_STR(text, "mode 120777\nuid 4294967295\ngid 70000\n"
			"atime -1500000000000 ns\nflags 80000001\n"
			"xattr user.a 5 bytes\n");
	free(text);
	attr_blob_release(&blob);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
