/* Commits that a full disk refused, when there is room again. */
#include "../simdisk.h"
#include "check.h"
#include "db.h"
#include "fs_fixture.h"

#define DISK_BYTES (UINT64_C(6) << 20)
#define VALUE_BYTES 50000u
#define FILES_MAX 1000
#define REFUSALS 8
#define NEW (O_CREAT | O_EXCL | O_WRONLY)

struct small {
	struct fs fs;
	struct simdisk *disk;
	unsigned n_keys;
};

static void small_open(struct small *s)
{
	struct aedb_options options;

	s->disk = simdisk_new(1);
	s->n_keys = 0;
	simdisk_limit_bytes(s->disk, DISK_BYTES);
	fs_options(&options);
	options.maintenance = AEDB_ON_CALL;
	CHECK_OK(db_open(simdisk_vfs(s->disk), "simdisk", &options, &s->fs.db));
	fs_begin(&s->fs);
}

static void small_close(struct small *s)
{
	fs_end(&s->fs);
	simdisk_free(s->disk);
}

static int write_bytes(struct small *s, struct handle *h, char letter)
{
	static char bytes[VALUE_BYTES];
	struct tree_write write = { bytes, sizeof(bytes), 0, false };

	memset(bytes, letter, sizeof(bytes));
	return tree_write(s->fs.tree, &s->fs.me, h, &write);
}

static int flush(struct small *s, struct handle *h)
{
	return tree_flush(s->fs.tree, &s->fs.me, h);
}

/* Fills the disk: none of this size fits any more, also after room was looked
 * for. */
static void fill_disk(struct small *s)
{
	int refusals = 0, rc;

	for (char name[16]; refusals < REFUSALS; s->n_keys++) {
		CHECK(s->n_keys < FILES_MAX);
		snprintf(name, sizeof(name), "fill%u", s->n_keys);
		struct handle *h = fs_handle(&s->fs, s->fs.me.tid, name, NEW);

		CHECK_OK(write_bytes(s, h, 'f'));
		rc = flush(s, h);
		CHECK_OK(tree_release(s->fs.tree, h));
		CHECK_EQ(fs_is_there(&s->fs, name), rc == 0);
		CHECK(rc == 0 || rc == -ENOSPC);
		refusals = rc < 0 ? refusals + 1 : 0;
	}
}

/* A handle whose FLUSH is refused, though write(2) was not. */
static struct handle *refused(struct small *s, const char *name, int flags)
{
	struct handle *h = fs_handle(&s->fs, s->fs.me.tid, name, flags);

	CHECK_OK(write_bytes(s, h, 'r'));
	CHECK_EQ(flush(s, h), -ENOSPC);
	return h;
}

static char first_letter(struct small *s, const char *name)
{
	return fs_content(&s->fs, name)[0];
}

static void make_room(struct small *s)
{
	simdisk_limit_bytes(s->disk, 4 * DISK_BYTES);
}

TEST(refused_new, "what close(2) refused of a new file is not there later, when there is room")
{
	struct small s;
	struct handle *h;

	small_open(&s);
	fill_disk(&s);
	h = refused(&s, "new", NEW);
	make_room(&s);
	CHECK_OK(tree_release(s.fs.tree, h));
	CHECK(!fs_is_there(&s.fs, "new"));
	small_close(&s);
}

TEST(refused_rewrite, "what close(2) refused of an old file leaves what it had")
{
	static const int kinds[] = { O_WRONLY | O_TRUNC, O_WRONLY, O_RDWR };
	struct small s;
	struct handle *h;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		small_open(&s);
		fs_put(&s.fs, "old", "as it was");
		fill_disk(&s);
		h = refused(&s, "old", kinds[i]);
		make_room(&s);
		CHECK_OK(tree_release(s.fs.tree, h));
		CHECK_STR(fs_content(&s.fs, "old"), "as it was");
		small_close(&s);
	}
}

TEST(refused_again, "another close(2) of the same file commits what one refused")
{
	struct small s;
	struct handle *h;

	small_open(&s);
	fill_disk(&s);
	h = refused(&s, "new", NEW);
	make_room(&s);
	CHECK_OK(flush(&s, h));
	CHECK_EQ(first_letter(&s, "new"), 'r');
	CHECK_OK(tree_release(s.fs.tree, h));
	CHECK_EQ(first_letter(&s, "new"), 'r');
	small_close(&s);
}

TEST(refused_written, "what is written after a refusal is committed as if there was none")
{
	struct small s;
	struct handle *h;

	small_open(&s);
	fill_disk(&s);
	h = refused(&s, "new", NEW);
	make_room(&s);
	CHECK_OK(write_bytes(&s, h, 'w'));
	CHECK_OK(tree_release(s.fs.tree, h));
	CHECK_EQ(first_letter(&s, "new"), 'w');
	small_close(&s);
}

TEST(refused_shared, "the refused bytes of one writer in place stay for another's commit")
{
	struct small s;
	struct handle *h, *other;

	small_open(&s);
	fs_put(&s.fs, "old", "as it was");
	fill_disk(&s);
	other = fs_handle(&s.fs, s.fs.me.tid, "old", O_RDWR);
	h = refused(&s, "old", O_RDWR);
	make_room(&s);
	CHECK_OK(tree_release(s.fs.tree, h));
	CHECK_STR(fs_content(&s.fs, "old"), "as it was");
	CHECK_OK(flush(&s, other));
	CHECK_EQ(first_letter(&s, "old"), 'r');
	CHECK_OK(tree_release(s.fs.tree, other));
	small_close(&s);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
