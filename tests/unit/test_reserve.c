/*
 * The space kept back: it is there when everything else is full, and comes back
 * when there is room.
 */
#include <pthread.h>

#include "../simdisk.h"
#include "check.h"
#include "err.h"
#include "reserve.h"

#define BYTES (64u << 10)
#define LIMIT (256u << 10)

static int reserve_begin(struct simdisk *disk, uint64_t bytes,
			 struct reserve **ret)
{
	struct reserve *reserve;
	int rc = reserve_open(simdisk_vfs(disk), bytes, &reserve);

	if (rc < 0)
		return rc;
	rc = reserve_refill(reserve);
	if (rc < 0)
		reserve_close(reserve);
	else
		*ret = reserve;
	return rc;
}

/* A file that takes whatever the disk has left. */
static int disk_fill(struct simdisk *disk)
{
	struct vfs_file *file;
	uint64_t size;
	int rc;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), "other", VFS_CREATE, &file));
	CHECK_OK(vfs_file_size(file, &size));
	do {
		rc = vfs_file_allocate(file, size, 4096);
		size += 4096;
	} while (rc == 0);
	vfs_file_close(file);
	return rc;
}

static struct simdisk *disk_new(void)
{
	struct simdisk *disk = simdisk_new(1);

	simdisk_limit_bytes(disk, LIMIT);
	return disk;
}

TEST(released, "a full disk has room once the reserve is released, and the reserve when there is")
{
	struct simdisk *disk = disk_new();
	struct reserve *reserve;
	uint64_t calls, used;

	CHECK_OK(reserve_begin(disk, BYTES, &reserve));
	CHECK(reserve_is_full(reserve));
	CHECK_EQ(disk_fill(disk), AEDB_NO_SPACE);
	CHECK_EQ(reserve_release(reserve), 1);
	CHECK(!reserve_is_full(reserve));
	used = simdisk_used_bytes(disk);
	CHECK(used <= LIMIT - BYTES / 4 * 3);
	CHECK_EQ(reserve_release(reserve), 0);
	CHECK_OK(reserve_refill(reserve));
	CHECK(reserve_is_full(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), used + BYTES / 4 * 3);
	calls = simdisk_calls(disk);
	CHECK_OK(reserve_refill(reserve));
	CHECK_EQ(simdisk_calls(disk), calls);
	CHECK_EQ(reserve_release(reserve), 1);
	CHECK_EQ(disk_fill(disk), AEDB_NO_SPACE);
	used = simdisk_used_bytes(disk);
	CHECK_EQ(reserve_refill(reserve), AEDB_NO_SPACE);
	CHECK_EQ(simdisk_used_bytes(disk), used);
	CHECK(!reserve_is_full(reserve));
	CHECK_OK(vfs_unlink(simdisk_vfs(disk), "other"));
	CHECK_OK(reserve_refill(reserve));
	CHECK(reserve_is_full(reserve));
	reserve_close(reserve);
	simdisk_free(disk);
}

TEST(late, "opened on a full disk, the space is taken when there is some")
{
	struct simdisk *disk = disk_new();
	struct reserve *reserve;

	CHECK_EQ(disk_fill(disk), AEDB_NO_SPACE);
	CHECK_OK(reserve_open(simdisk_vfs(disk), BYTES, &reserve));
	CHECK_EQ(reserve_refill(reserve), AEDB_NO_SPACE);
	CHECK(!reserve_is_full(reserve));
	CHECK_EQ(reserve_release(reserve), 0);
	CHECK_EQ(reserve_refill(reserve), AEDB_NO_SPACE);
	CHECK_OK(vfs_unlink(simdisk_vfs(disk), "other"));
	CHECK_OK(reserve_refill(reserve));
	CHECK_OK(reserve_refill(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES);
	CHECK_EQ(reserve_release(reserve), 1);
	reserve_close(reserve);
	simdisk_free(disk);
}

TEST(reopened, "a later open keeps the space, or as much as it is told")
{
	static const uint64_t bytes[] = { BYTES, BYTES, BYTES / 2, BYTES * 2, 0 };
	struct simdisk *disk = disk_new();
	struct reserve *reserve;

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		CHECK_OK(reserve_begin(disk, bytes[i], &reserve));
		CHECK(reserve_is_full(reserve));
		CHECK_EQ(simdisk_used_bytes(disk), bytes[i]);
		reserve_close(reserve);
	}
	simdisk_free(disk);
}

TEST(part, "where there is little room it takes a part, and all once there is much")
{
	struct simdisk *disk = disk_new();
	struct reserve *reserve;

	simdisk_limit_bytes(disk, BYTES);
	CHECK_OK(reserve_begin(disk, BYTES, &reserve));
	CHECK(reserve_is_full(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES / 2);
	CHECK_OK(reserve_refill(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES / 2);
	simdisk_limit_bytes(disk, LIMIT);
	CHECK_OK(reserve_refill(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES);
	reserve_close(reserve);
	simdisk_free(disk);
}

TEST(shrunk, "what is kept for the next open can be released when the disk is full by then")
{
	uint64_t bytes = 4 * RESERVE_LAST_BYTES;
	struct simdisk *disk = disk_new();
	struct reserve *reserve;

	simdisk_limit_bytes(disk, 4 * bytes);
	CHECK_OK(reserve_begin(disk, bytes, &reserve));
	CHECK_EQ(simdisk_used_bytes(disk), bytes);
	CHECK_OK(reserve_shrink(reserve));
	reserve_close(reserve);
	CHECK_EQ(simdisk_used_bytes(disk), RESERVE_LAST_BYTES);
	CHECK_EQ(disk_fill(disk), AEDB_NO_SPACE);
	CHECK_OK(reserve_open(simdisk_vfs(disk), bytes, &reserve));
	CHECK_EQ(reserve_release(reserve), 0);
	CHECK_EQ(reserve_release_last(reserve), 1);
	CHECK_EQ(simdisk_used_bytes(disk), 4 * bytes - RESERVE_LAST_BYTES);
	reserve_close(reserve);
	simdisk_free(disk);
}

TEST(last, "the last part is not released with the rest, and taken again before all else")
{
	struct simdisk *disk = disk_new();
	struct reserve *reserve;

	CHECK_OK(reserve_begin(disk, BYTES, &reserve));
	CHECK_EQ(reserve_release(reserve), 1);
	CHECK_EQ(simdisk_used_bytes(disk), BYTES / 4);
	CHECK_EQ(reserve_release_last(reserve), 1);
	CHECK_EQ(simdisk_used_bytes(disk), 0);
	simdisk_limit_bytes(disk, BYTES / 4);
	CHECK_EQ(reserve_refill(reserve), AEDB_NO_SPACE);
	CHECK_EQ(simdisk_used_bytes(disk), BYTES / 4);
	CHECK_EQ(reserve_release_last(reserve), 1);
	CHECK_OK(reserve_shrink(reserve));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES / 4);
	reserve_close(reserve);
	simdisk_free(disk);
}

TEST(left, "taking it leaves no moment in which others find the disk full")
{
	uint64_t bytes = UINT64_C(4) << 20;
	struct simdisk *disk = disk_new();
	struct reserve *reserve;
	uint64_t calls;

	simdisk_limit_bytes(disk, 4 * bytes);
	CHECK_OK(reserve_begin(disk, bytes, &reserve));
	CHECK_EQ(reserve_release(reserve), 1);
	simdisk_limit_bytes(disk, bytes + 4096);
	calls = simdisk_calls(disk);
	CHECK_EQ(reserve_refill(reserve), AEDB_NO_SPACE);
	CHECK_EQ(simdisk_calls(disk), calls);
	reserve_close(reserve);
	simdisk_free(disk);
}

/* A life of a reserve, any of whose calls may fail. */
static int live(struct simdisk *disk)
{
	struct reserve *reserve;
	int rc = reserve_begin(disk, BYTES, &reserve);

	if (rc < 0)
		return rc;
	rc = reserve_release(reserve);
	if (rc >= 0)
		rc = reserve_refill(reserve);
	if (rc >= 0)
		rc = reserve_release(reserve);
	reserve_close(reserve);
	return rc < 0 ? rc : 0;
}

TEST(failures, "a failing call is told, and a later open has the space again")
{
	for (int kind = SIMDISK_EIO; kind <= SIMDISK_ENOSPC; kind++) {
		for (uint64_t call = 1;; call++) {
			struct simdisk *disk = disk_new();
			struct reserve *reserve;
			bool is_over;
			int rc;

			simdisk_fail_at(disk, call, kind);
			rc = live(disk);
			is_over = simdisk_calls(disk) < call;
			CHECK(rc == 0 || rc == AEDB_IO || rc == AEDB_NO_SPACE);
			CHECK(is_over || rc < 0 || kind == SIMDISK_ENOSPC);
			simdisk_fail_at(disk, 0, kind);
			CHECK_OK(reserve_begin(disk, BYTES, &reserve));
			CHECK(reserve_is_full(reserve));
			reserve_close(reserve);
			simdisk_free(disk);
			if (is_over)
				break;
		}
	}
}

TEST(cuts, "after a power cut in any call the next open has the space")
{
	for (uint64_t call = 1;; call++) {
		struct simdisk *disk = disk_new();
		struct reserve *reserve;
		bool was_cut;

		simdisk_cut_at(disk, call);
		live(disk);
		was_cut = simdisk_is_cut(disk);
		simdisk_crash(disk, call, SIMDISK_RANDOM);
		CHECK_OK(reserve_begin(disk, BYTES, &reserve));
		CHECK(reserve_is_full(reserve));
		CHECK_EQ(simdisk_used_bytes(disk), BYTES);
		reserve_close(reserve);
		simdisk_free(disk);
		if (!was_cut)
			break;
	}
}

static struct reserve *shared;

static void *work(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		CHECK_OK(reserve_release(shared));
		CHECK_OK(reserve_refill(shared));
	}
	return NULL;
}

TEST(threads, "any threads release and refill it at once")
{
	struct simdisk *disk = disk_new();
	pthread_t threads[3];

	CHECK_OK(reserve_begin(disk, BYTES, &shared));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(reserve_is_full(shared));
	CHECK_EQ(simdisk_used_bytes(disk), BYTES);
	reserve_close(shared);
	simdisk_free(disk);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
