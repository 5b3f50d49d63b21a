/*
 * The simulated disk keeps what was made durable, may lose or tear the rest,
 * and fails when told to.
 */
#include "check.h"
#include "err.h"
#include "simdisk.h"
#include "vfs_copy.h"

#define TRIES 400

static struct simdisk *disk;
static struct vfs *vfs;

static void disk_begin(void)
{
	simdisk_free(disk);
	disk = simdisk_new(check_seed());
	vfs = simdisk_vfs(disk);
}

static void disk_end(void)
{
	simdisk_free(disk);
	disk = NULL;
}

static struct vfs_file *file_open(const char *path, unsigned flags)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(vfs, path, flags, &file));
	return file;
}

/* A file "f" of n bytes `fill`, durable. */
static struct vfs_file *file_durable(size_t n, char fill)
{
	struct vfs_file *file = file_open("f", VFS_CREATE);
	char *bytes = malloc(n);

	memset(bytes, fill, n);
	CHECK_OK(vfs_write_all(file, bytes, n, 0));
	free(bytes);
	CHECK_OK(vfs_file_sync(file));
	CHECK_OK(vfs_sync_dir(vfs, "."));
	return file;
}

/* Reads "f" of the disk's clone after one random power cut into bytes; returns
 * how many there are, -1 when there is no such file. */
static long after_cut(char *bytes, size_t n)
{
	struct simdisk *copy = simdisk_clone(disk);
	struct vfs_file *file;
	size_t got = 0;

	simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
	if (vfs_file_open(simdisk_vfs(copy), "f", VFS_READ, &file) < 0) {
		simdisk_free(copy);
		return -1;
	}
	CHECK_OK(file->vfs->ops->read(file, bytes, n, 0, &got));
	vfs_file_close(file);
	simdisk_free(copy);
	return (long)got;
}

TEST(synced_stays, "what was synced survives every power cut")
{
	static char bytes[9000], want[9000];

	disk_begin();
	vfs_file_close(file_durable(sizeof(bytes), 'a'));
	memset(want, 'a', sizeof(want));
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(after_cut(bytes, sizeof(bytes)), sizeof(bytes));
		CHECK_MEM(bytes, want, sizeof(bytes));
	}
	disk_end();
}

TEST(unsynced_outcomes, "an unsynced write may be kept, dropped or torn, by sectors and inside one")
{
	enum { N = 4 * 512 };
	unsigned kept = 0, dropped = 0, holes = 0, inside = 0;
	char bytes[N], text[N];
	struct vfs_file *file;

	disk_begin();
	file = file_durable(N, 'a');
	memset(text, 'b', N);
	CHECK_OK(vfs_write_all(file, text, N, 0));
	for (int i = 0; i < TRIES; i++) {
		unsigned changes = 0, b = 0;

		CHECK_EQ(after_cut(bytes, N), N);
		for (int at = 0; at < N; at++) {
			b += bytes[at] == 'b';
			if (at && bytes[at] != bytes[at - 1]) {
				changes++;
				inside += at % 512 != 0;
			}
		}
		kept += b == N;
		dropped += b == 0;
		holes += changes > 1;
	}
	CHECK(kept > TRIES / 8 && dropped > TRIES / 8);
	CHECK(holes > 0 && inside > 0);
	vfs_file_close(file);
	disk_end();
}

TEST(reordered, "of two unsynced writes either may survive without the other")
{
	unsigned first_only = 0, second_only = 0;
	char bytes[8193];
	struct vfs_file *file;

	disk_begin();
	file = file_durable(sizeof(bytes), 'a');
	CHECK_OK(vfs_write_all(file, "b", 1, 0));
	CHECK_OK(vfs_write_all(file, "b", 1, 8192));
	for (int i = 0; i < TRIES; i++) {
		CHECK_EQ(after_cut(bytes, sizeof(bytes)), sizeof(bytes));
		first_only += bytes[0] == 'b' && bytes[8192] == 'a';
		second_only += bytes[0] == 'a' && bytes[8192] == 'b';
	}
	CHECK(first_only > 0 && second_only > 0);
	vfs_file_close(file);
	disk_end();
}

TEST(sizes, "unsynced growth and truncation may each be lost, synced ones not")
{
	unsigned sizes[3] = { 0 };
	char bytes[64];
	struct vfs_file *file;

	disk_begin();
	file = file_durable(20, 'a');
	CHECK_OK(vfs->ops->truncate(file, 5));
	CHECK_OK(vfs_file_allocate(file, 0, 40));
	for (int i = 0; i < TRIES; i++) {
		long n = after_cut(bytes, sizeof(bytes));

		CHECK(n == 20 || n == 5 || n == 40);
		sizes[n == 20 ? 0 : n == 5 ? 1 : 2]++;
	}
	CHECK(sizes[0] && sizes[1] && sizes[2]);
	CHECK_OK(vfs_file_sync(file));
	CHECK_EQ(after_cut(bytes, sizeof(bytes)), 40);
	CHECK_MEM(bytes, "aaaaa\0\0\0\0", 9);
	vfs_file_close(file);
	disk_end();
}

TEST(names, "a name is durable only when its directory was synced, whatever the file was")
{
	unsigned there = 0, gone = 0;
	char bytes[8];
	struct vfs_file *file;

	disk_begin();
	file = file_open("f", VFS_CREATE);
	CHECK_OK(vfs_write_all(file, "abc", 3, 0));
	CHECK_OK(vfs_file_sync(file));
	for (int i = 0; i < TRIES; i++) {
		long n = after_cut(bytes, sizeof(bytes));

		CHECK(n == -1 || n == 3);
		there += n == 3;
		gone += n == -1;
	}
	CHECK(there && gone);
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_EQ(after_cut(bytes, sizeof(bytes)), 3);
	CHECK_OK(vfs_unlink(vfs, "f"));
	for (there = gone = 0; there + gone < TRIES;) {
		long n = after_cut(bytes, sizeof(bytes));

		there += n == 3;
		gone += n == -1;
	}
	CHECK(there && gone);
	vfs_file_close(file);
	disk_end();
}

TEST(renames, "a rename is kept or lost as a whole, and never leaves two names or none")
{
	unsigned old_state = 0, new_state = 0;
	struct vfs_file *file;
	char bytes[8];

	disk_begin();
	vfs_file_close(file_durable(3, 'a'));
	file = file_open("g", VFS_CREATE);
	CHECK_OK(vfs_write_all(file, "bbb", 3, 0));
	CHECK_OK(vfs_file_sync(file));
	vfs_file_close(file);
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_OK(vfs_rename(vfs, "g", "f"));
	for (int i = 0; i < TRIES; i++) {
		struct simdisk *copy = simdisk_clone(disk);
		bool has_g;

		simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
		CHECK_OK(vfs_file_open(simdisk_vfs(copy), "f", VFS_READ, &file));
		CHECK_OK(vfs_read_exact(file, bytes, 3, 0));
		vfs_file_close(file);
		has_g = vfs_file_open(simdisk_vfs(copy), "g", VFS_READ, &file) == 0;
		if (has_g)
			vfs_file_close(file);
		CHECK_EQ(bytes[0] == 'a', has_g);
		old_state += has_g;
		new_state += !has_g;
		simdisk_free(copy);
	}
	CHECK(old_state && new_state);
	disk_end();
}

TEST(directories, "files of a directory whose own name is lost are lost")
{
	struct vfs_file *file;

	disk_begin();
	CHECK_OK(vfs->ops->mkdir(vfs, "d"));
	file = file_open("d/f", VFS_CREATE);
	CHECK_OK(vfs_file_sync(file));
	CHECK_OK(vfs_sync_dir(vfs, "d"));
	vfs_file_close(file);
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	CHECK_EQ(vfs_file_open(vfs, "d/f", VFS_READ, &file), AEDB_NOT_FOUND);
	disk_end();
}

static struct vfs_file *file_of(struct simdisk *of, const char *path)
{
	struct vfs_file *file = NULL;

	vfs_file_open(simdisk_vfs(of), path, VFS_READ, &file);
	return file;
}

static bool has_name(struct simdisk *of, const char *path)
{
	enum vfs_kind kind;

	return vfs_kind(simdisk_vfs(of), path, &kind) == 0;
}

TEST(links, "each name of a file is durable by itself, and what is synced is so for all of them")
{
	unsigned seen[4] = { 0 };
	bool is_linked;
	struct vfs_file *file;
	char bytes[3];

	disk_begin();
	file = file_durable(3, 'a');
	CHECK_OK(vfs->ops->mkdir(vfs, "d"));
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_OK(vfs_link(vfs, "f", vfs, "d/g", &is_linked));
	CHECK(is_linked);
	CHECK_OK(vfs_unlink(vfs, "f"));
	CHECK_OK(vfs_write_all(file, "bbb", 3, 0));
	CHECK_OK(vfs_file_sync(file));
	for (int i = 0; i < TRIES; i++) {
		struct simdisk *copy = simdisk_clone(disk);
		const char *names[] = { "f", "d/g" };
		unsigned state = 0;

		simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
		for (unsigned k = 0; k < 2; k++) {
			struct vfs_file *one = file_of(copy, names[k]);

			if (!one)
				continue;
			state |= 1 << k;
			CHECK_OK(vfs_read_exact(one, bytes, 3, 0));
			CHECK_MEM(bytes, "bbb", 3);
			vfs_file_close(one);
		}
		seen[state]++;
		simdisk_free(copy);
	}
	CHECK(seen[0] && seen[1] && seen[2] && seen[3]);
	CHECK_OK(vfs_sync_dir(vfs, "d"));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	CHECK(has_name(disk, "f") && has_name(disk, "d/g"));
	vfs_file_close(file);
	disk_end();
}

TEST(link_renamed, "renaming one of two names leaves the other, whatever is kept of it")
{
	unsigned old_state = 0, new_state = 0;
	bool is_linked;

	disk_begin();
	vfs_file_close(file_durable(3, 'a'));
	CHECK_OK(vfs_link(vfs, "f", vfs, "g", &is_linked));
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_OK(vfs_rename(vfs, "g", "h"));
	for (int i = 0; i < TRIES; i++) {
		struct simdisk *copy = simdisk_clone(disk);

		simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
		CHECK(has_name(copy, "f"));
		CHECK(has_name(copy, "g") != has_name(copy, "h"));
		old_state += has_name(copy, "g");
		new_state += has_name(copy, "h");
		simdisk_free(copy);
	}
	CHECK(old_state && new_state);
	CHECK_EQ(simdisk_used_bytes(disk), 4096);
	disk_end();
}

TEST(directory_renamed, "a renamed directory is lost or kept with all that is durable in it")
{
	unsigned old_state = 0, new_state = 0;

	disk_begin();
	CHECK_OK(vfs->ops->mkdir(vfs, "old"));
	CHECK_OK(vfs->ops->mkdir(vfs, "old/d"));
	vfs_file_close(file_open("old/d/f", VFS_CREATE));
	CHECK_OK(vfs_sync_dir(vfs, "old/d"));
	CHECK_OK(vfs_sync_dir(vfs, "old"));
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_OK(vfs_rename(vfs, "old", "new"));
	vfs_file_close(file_open("new/g", VFS_CREATE));
	CHECK_OK(vfs_sync_dir(vfs, "new"));
	for (int i = 0; i < TRIES; i++) {
		struct simdisk *copy = simdisk_clone(disk);

		simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
		old_state += has_name(copy, "old/d/f") && has_name(copy, "old/g");
		new_state += has_name(copy, "new/d/f") && has_name(copy, "new/g");
		simdisk_free(copy);
	}
	CHECK(old_state && new_state);
	CHECK_EQ(old_state + new_state, TRIES);
	CHECK_OK(vfs_sync_dir(vfs, "."));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	CHECK(has_name(disk, "new/d/f"));
	disk_end();
}

TEST(no_links, "a disk that refuses links says so")
{
	bool is_linked = true;

	disk_begin();
	vfs_file_close(file_durable(3, 'a'));
	simdisk_refuse_links(disk);
	CHECK_OK(vfs_link(vfs, "f", vfs, "g", &is_linked));
	CHECK(!is_linked && !has_name(disk, "g"));
	disk_end();
}

TEST(modes, "dropping all keeps only what is durable, keeping all loses nothing")
{
	struct simdisk *copy;
	struct vfs_file *file;
	char bytes[3];

	disk_begin();
	file = file_durable(3, 'a');
	CHECK_OK(vfs_write_all(file, "bbb", 3, 0));
	copy = simdisk_clone(disk);
	simdisk_crash(copy, 1, SIMDISK_DROP_ALL);
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	CHECK(vfs_read_exact(file, bytes, 3, 0) == AEDB_IO);
	vfs_file_close(file);
	file = file_open("f", VFS_READ);
	CHECK_OK(vfs_read_exact(file, bytes, 3, 0));
	CHECK_MEM(bytes, "bbb", 3);
	vfs_file_close(file);
	CHECK_OK(vfs_file_open(simdisk_vfs(copy), "f", VFS_READ, &file));
	CHECK_OK(vfs_read_exact(file, bytes, 3, 0));
	CHECK_MEM(bytes, "aaa", 3);
	vfs_file_close(file);
	simdisk_free(copy);
	disk_end();
}

TEST(kill, "after a kill everything is seen, nothing more is durable and locks are free")
{
	struct vfs_file *file, *other;
	char bytes[3];

	disk_begin();
	file = file_durable(3, 'a');
	CHECK_OK(vfs->ops->lock(file, false));
	CHECK_OK(vfs_write_all(file, "bbb", 3, 0));
	simdisk_crash(disk, 1, SIMDISK_KILL);
	CHECK(vfs_read_exact(file, bytes, 3, 0) == AEDB_IO);
	other = file_open("f", VFS_WRITE);
	CHECK_OK(vfs->ops->lock(other, false));
	vfs_file_close(file);
	CHECK_OK(vfs_read_exact(other, bytes, 3, 0));
	CHECK_MEM(bytes, "bbb", 3);
	vfs_file_close(other);
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	file = file_open("f", VFS_READ);
	CHECK_OK(vfs_read_exact(file, bytes, 3, 0));
	CHECK_MEM(bytes, "aaa", 3);
	vfs_file_close(file);
	disk_end();
}

TEST(failed_call, "a planned call fails once, others do not")
{
	struct vfs_file *file;
	uint64_t calls;

	disk_begin();
	file = file_durable(3, 'a');
	calls = simdisk_calls(disk);
	simdisk_fail_at(disk, calls + 2, SIMDISK_EIO);
	CHECK_OK(vfs_write_all(file, "b", 1, 0));
	CHECK_EQ(vfs_write_all(file, "b", 1, 0), AEDB_IO);
	CHECK(strstr(err_message(), "f: simulated I/O error"));
	CHECK_OK(vfs_write_all(file, "b", 1, 0));
	CHECK_EQ(simdisk_calls(disk), calls + 3);
	simdisk_fail_at(disk, calls + 4, SIMDISK_ENOSPC);
	CHECK_EQ(vfs_file_allocate(file, 0, 100), AEDB_NO_SPACE);
	vfs_file_close(file);
	disk_end();
}

TEST(failed_sync, "after a failed sync a later one that succeeds does not bring the bytes back")
{
	unsigned lost = 0;
	char bytes[8192];

	for (int i = 0; i < 60; i++) {
		struct vfs_file *file;

		disk_begin();
		simdisk_free(disk);
		disk = simdisk_new(check_random());
		vfs = simdisk_vfs(disk);
		file = file_durable(sizeof(bytes), 'a');
		CHECK_OK(vfs_write_all(file, "b", 1, 0));
		simdisk_fail_at(disk, simdisk_calls(disk) + 1, SIMDISK_EIO);
		CHECK_EQ(vfs_file_sync(file), AEDB_IO);
		CHECK_OK(vfs_read_exact(file, bytes, 1, 0));
		CHECK_EQ(bytes[0], 'b');
		CHECK_OK(vfs_file_sync(file));
		CHECK_EQ(after_cut(bytes, sizeof(bytes)), sizeof(bytes));
		lost += bytes[0] == 'a';
		vfs_file_close(file);
	}
	CHECK(lost > 0 && lost < 60);
	disk_end();
}

TEST(cut, "from the call in which the power fails everything fails until it is back")
{
	struct vfs_file *file, *other;
	char byte;

	disk_begin();
	file = file_durable(3, 'a');
	simdisk_cut_at(disk, simdisk_calls(disk) + 2);
	CHECK_OK(vfs_write_all(file, "b", 1, 0));
	CHECK(!simdisk_is_cut(disk));
	CHECK_EQ(vfs_file_sync(file), AEDB_IO);
	CHECK(simdisk_is_cut(disk));
	CHECK_EQ(vfs_read_exact(file, &byte, 1, 0), AEDB_IO);
	CHECK_EQ(vfs_file_open(vfs, "f", VFS_READ, &other), AEDB_IO);
	simdisk_crash(disk, 3, SIMDISK_RANDOM);
	CHECK_EQ(vfs_read_exact(file, &byte, 1, 0), AEDB_IO);
	vfs_file_close(file);
	file = file_open("f", VFS_READ);
	CHECK_OK(vfs_read_exact(file, &byte, 1, 0));
	vfs_file_close(file);
	disk_end();
}

TEST(same_seeds, "the same seeds and calls give the same outcome")
{
	char first[4096], again[4096];

	disk_begin();
	vfs_file_close(file_durable(sizeof(first), 'a'));
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct vfs_file *file = file_open("f", VFS_WRITE);

		for (unsigned at = 0; at < 4096; at += 100)
			CHECK_OK(vfs_write_all(file, "bcdefg", 6, at));
		vfs_file_close(file);
		for (int i = 0; i < 2; i++) {
			struct simdisk *copy = simdisk_clone(disk);

			simdisk_crash(copy, seed, SIMDISK_RANDOM);
			CHECK_OK(vfs_file_open(simdisk_vfs(copy), "f", VFS_READ,
					       &file));
			CHECK_OK(vfs_read_exact(file, i ? again : first,
						sizeof(first), 0));
			vfs_file_close(file);
			simdisk_free(copy);
		}
		CHECK_MEM(first, again, sizeof(first));
	}
	disk_end();
}

TEST(clones, "clones share nothing that one of them changes")
{
	struct vfs_file *file, *other;
	struct simdisk *copy;
	char bytes[3];

	disk_begin();
	file = file_durable(3, 'a');
	copy = simdisk_clone(disk);
	CHECK_OK(vfs_file_open(simdisk_vfs(copy), "f", VFS_WRITE, &other));
	CHECK_OK(vfs_write_all(other, "z", 1, 0));
	CHECK_OK(vfs_write_all(file, "y", 1, 1));
	CHECK_OK(vfs_unlink(simdisk_vfs(copy), "f"));
	CHECK_OK(vfs_read_exact(file, bytes, 3, 0));
	CHECK_MEM(bytes, "aya", 3);
	CHECK_OK(vfs_read_exact(other, bytes, 3, 0));
	CHECK_MEM(bytes, "zaa", 3);
	vfs_file_close(other);
	simdisk_free(copy);
	vfs_file_close(file);
	vfs_file_close(file_open("f", VFS_READ));
	disk_end();
}

TEST(limit, "a full disk refuses growth, not overwriting, and removal makes room")
{
	struct vfs_file *file;

	disk_begin();
	file = file_durable(8192, 'a');
	CHECK_EQ(simdisk_used_bytes(disk), 8192);
	simdisk_limit_bytes(disk, 12288);
	CHECK_EQ(vfs_file_allocate(file, 8192, 4097), AEDB_NO_SPACE);
	CHECK_OK(vfs_file_allocate(file, 8192, 4096));
	CHECK_OK(vfs_write_all(file, "b", 1, 12287));
	CHECK_EQ(vfs_write_all(file, "b", 1, 12288), AEDB_NO_SPACE);
	vfs_file_close(file);
	CHECK_OK(vfs_unlink(vfs, "f"));
	CHECK_EQ(simdisk_used_bytes(disk), 0);
	vfs_file_close(file_durable(8192, 'a'));
	disk_end();
}

TEST(failed_copies, "whichever call of a copy fails, no half of it stays")
{
	const struct vfs_watch nobody = { NULL, NULL };
	struct vfs_end from, to;
	uint64_t calls, failed;

	for (failed = 1;; failed++) {
		uint8_t sha256[DIGEST_BYTES];
		int rc;

		disk_begin();
		from = (struct vfs_end){ vfs, "f" };
		to = (struct vfs_end){ vfs, "g" };
		vfs_file_close(file_durable(600000, 'a'));
		calls = simdisk_calls(disk);
		simdisk_fail_at(disk, calls + failed, SIMDISK_EIO);
		rc = vfs_copy_file(from, to, 600000, &nobody, sha256);
		calls = simdisk_calls(disk) - calls;
		simdisk_fail_at(disk, 0, SIMDISK_EIO);
		CHECK_EQ(simdisk_open_files(disk), 0);
		CHECK_EQ(has_name(disk, "g"), rc == 0);
		if (calls < failed)
			break;
		CHECK_EQ(rc, AEDB_IO);
	}
	CHECK(failed > 8);
	simdisk_crash(disk, 1, SIMDISK_KILL);
	disk_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
