/*
 * Sets of numbered files: numbers, descriptors, pins, removal, syncs.
 */
#include <pthread.h>

#include "check.h"
#include "err.h"
#include "file_set.h"
#include "simdisk.h"

static const uint8_t uuid[FILE_UUID_BYTES] = "file set test";

static struct simdisk *disk;
static struct file_set *set;

static struct file_set_options options(file_id_t next)
{
	return (struct file_set_options){ .kind = FILE_SEGMENT,
					  .directory = "seg",
					  .suffix = "seg",
					  .db_uuid = uuid,
					  .next = next };
}

static void set_begin(void)
{
	struct file_set_options o = options(1);

	disk = simdisk_new(check_seed());
	CHECK_OK(file_set_open(simdisk_vfs(disk), &o, &set));
}

static void set_end(void)
{
	file_set_close(set);
	simdisk_free(disk);
}

static void set_reopen(file_id_t next)
{
	struct file_set_options o = options(next);

	file_set_close(set);
	CHECK_OK(file_set_open(simdisk_vfs(disk), &o, &set));
}

static bool file_exists(file_id_t number)
{
	char path[FILE_SET_PATH_BYTES];
	struct vfs_file *file;

	file_set_path(set, number, path);
	if (vfs_file_open(simdisk_vfs(disk), path, VFS_READ, &file) < 0)
		return false;
	vfs_file_close(file);
	return true;
}

/* Makes n files that nobody uses. */
static void files_make(size_t n)
{
	struct page_file *file;

	for (size_t i = 0; i < n; i++) {
		CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
		file_set_unuse(set, file);
	}
	CHECK_OK(file_set_sync_names(set));
	CHECK_OK(file_set_sync(set));
}

TEST(numbers, "a number is never given twice, not of a removed file either")
{
	struct file_info info;

	set_begin();
	files_make(3);
	CHECK_EQ(file_set_next(set), 4);
	CHECK_OK(file_set_remove(set, 3));
	CHECK_OK(file_set_remove(set, 1));
	CHECK_EQ(file_set_next(set), 4);
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK_EQ(info.number, 2);
	CHECK_EQ(info.bytes, FILE_DATA_OFFSET);
	CHECK_EQ(file_set_info(set, 2, &info), AEDB_NOT_FOUND);
	set_reopen(4);
	CHECK_EQ(file_set_next(set), 4);
	set_reopen(1);
	CHECK_EQ(file_set_next(set), 3);
	set_end();
}

TEST(no_numbers, "when the numbers are used up nothing more is made")
{
	struct page_file *file;

	set_begin();
	set_reopen(UINT32_MAX);
	files_make(1);
	CHECK_EQ(file_set_create(set, FILE_SYNCED_BY_SET, &file), AEDB_NO_SPACE);
	CHECK_EQ(file_set_next(set), (file_id_t)UINT32_MAX + 1);
	set_end();
}

TEST(foreign, "names that are none of a set's are left alone")
{
	static const char *const names[] = { "seg/0.seg", "seg/07.seg",
		"seg/7.tmp", "seg/x.seg", "seg/99999999999.seg", "seg/7" };
	struct vfs_file *file;
	struct file_info info;

	set_begin();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_OK(vfs_file_open(simdisk_vfs(disk), names[i], VFS_CREATE,
				       &file));
		vfs_file_close(file);
	}
	set_reopen(1);
	CHECK_EQ(file_set_info(set, 0, &info), AEDB_NOT_FOUND);
	CHECK_EQ(file_set_next(set), 1);
	set_end();
}

TEST(removal, "a file goes with its last user and its last pin")
{
	struct page_file *file, *again;
	struct file_info info;

	set_begin();
	CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
	CHECK_OK(file_set_pin(set, 1));
	CHECK_OK(file_set_pin(set, 1));
	CHECK_OK(file_set_remove(set, 1));
	CHECK(file_exists(1));
	CHECK_EQ(file_set_info(set, 0, &info), AEDB_NOT_FOUND);
	/* whoever holds it may go on */
	CHECK_OK(file_set_use(set, 1, &again));
	file_set_unuse(set, again);
	file_set_unuse(set, file);
	file_set_unpin(set, 1);
	CHECK(file_exists(1));
	file_set_unpin(set, 1);
	CHECK(!file_exists(1));
	CHECK_EQ(file_set_use(set, 1, &file), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "seg/1.seg is missing"));
	CHECK_EQ(file_set_pin(set, 1), AEDB_CORRUPT);
	CHECK_OK(file_set_remove(set, 1));

	files_make(1);
	CHECK_OK(file_set_use(set, 2, &file));
	CHECK_OK(file_set_remove(set, 2));
	CHECK(file_exists(2));
	file_set_unuse(set, file);
	CHECK(!file_exists(2));
	set_end();
}

TEST(epochs, "a removed file stays until all who may have found its number have left")
{
	struct page_file *file;
	struct epoch *epoch;

	set_begin();
	CHECK_OK(epoch_open(&epoch));
	file_set_set_epoch(set, epoch);
	files_make(4);
	epoch_enter(epoch);
	CHECK_OK(file_set_remove(set, 1));
	CHECK_OK(file_set_remove(set, 2));
	CHECK_OK(file_set_use(set, 1, &file));
	file_set_unuse(set, file);
	CHECK_OK(file_set_pin(set, 2));
	file_set_collect(set);
	CHECK(file_exists(1));
	epoch_leave(epoch);
	file_set_collect(set);
	CHECK(!file_exists(1));
	CHECK(file_exists(2));
	file_set_unpin(set, 2);
	CHECK(!file_exists(2));
	CHECK_OK(file_set_remove(set, 3));
	CHECK(!file_exists(3));
	/* what is still waiting goes with the set */
	epoch_enter(epoch);
	CHECK_OK(file_set_remove(set, 4));
	epoch_leave(epoch);
	CHECK(file_exists(4));
	set_reopen(5);
	CHECK(!file_exists(4));
	set_end();
	epoch_close(epoch);
}

TEST(infos, "what is known of a file: size, newest commit, whether it is held")
{
	uint8_t bytes[100] = { 0 };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct page_file *file;
	struct file_info info;

	set_begin();
	CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
	CHECK_OK(file_set_write(set, file, &iov, 1, FILE_DATA_OFFSET));
	file_set_note_seq(set, 1, 7);
	file_set_note_seq(set, 1, 5);
	file_set_note_seq(set, 2, 5);
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK_EQ(info.bytes, FILE_DATA_OFFSET + 100);
	CHECK_EQ(info.last_seq, 7);
	CHECK(info.is_in_use);
	file_set_unuse(set, file);
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK(!info.is_in_use);
	CHECK_OK(file_set_pin(set, 1));
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK(info.is_in_use);
	file_set_unpin(set, 1);
	set_reopen(1);
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK_EQ(info.bytes, FILE_DATA_OFFSET + 100);
	CHECK_EQ(info.last_seq, 0);
	set_end();
}

TEST(descriptors, "the same files are read again and again with few descriptors")
{
	enum { FILES = 3 * FILE_SET_OPEN_MAX };
	struct page_file *held[FILES], *file;
	struct file_header header;

	set_begin();
	files_make(FILES);
	for (int i = 0; i < 3000; i++) {
		file_id_t number = 1 + check_random() % FILES;

		CHECK_OK(file_set_use(set, number, &file));
		CHECK_EQ(file->number, number);
		CHECK_OK(file_header_read(file->handle, FILE_SEGMENT, uuid,
					  &header));
		CHECK_EQ(header.number, number);
		file_set_unuse(set, file);
	}
	CHECK(simdisk_open_files(disk) <= FILE_SET_OPEN_MAX);
	/* those in use stay open, however many */
	for (size_t i = 0; i < FILES; i++)
		CHECK_OK(file_set_use(set, i + 1, &held[i]));
	for (size_t i = 0; i < FILES; i++)
		CHECK_OK(file_header_read(held[i]->handle, FILE_SEGMENT, uuid,
					  &header));
	for (size_t i = 0; i < FILES; i++)
		file_set_unuse(set, held[i]);
	set_end();
}

TEST(wrong_files, "a file that is not what its name says is damage")
{
	struct page_file *file;
	struct vfs *vfs;

	set_begin();
	files_make(3);
	vfs = simdisk_vfs(disk);
	CHECK_OK(vfs_rename(vfs, "seg/1.seg", "seg/2.seg"));
	set_reopen(1);
	CHECK_EQ(file_set_use(set, 2, &file), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "number 1"));
	CHECK_EQ(file_set_use(set, 1, &file), AEDB_CORRUPT);
	CHECK_OK(vfs_unlink(vfs, "seg/3.seg"));
	CHECK_EQ(file_set_use(set, 3, &file), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "seg/3.seg is missing"));
	set_end();
}

TEST(empty_file, "a file that a crash left empty is listed and can be removed")
{
	struct vfs_file *empty;
	struct page_file *file;
	struct file_info info;

	set_begin();
	CHECK_OK(vfs_file_open(simdisk_vfs(disk), "seg/5.seg", VFS_CREATE, &empty));
	vfs_file_close(empty);
	set_reopen(1);
	CHECK_OK(file_set_info(set, 0, &info));
	CHECK_EQ(info.number, 5);
	CHECK_EQ(info.bytes, 0);
	CHECK_EQ(file_set_use(set, 5, &file), AEDB_CORRUPT);
	CHECK_OK(file_set_remove(set, 5));
	CHECK(!file_exists(5));
	set_end();
}

TEST(read_only, "a set opened read-only makes nothing, not its directory either")
{
	struct file_set_options o = options(1);
	struct page_file *file;

	disk = simdisk_new(check_seed());
	o.is_read_only = true;
	uint64_t calls = simdisk_calls(disk);

	CHECK_OK(file_set_open(simdisk_vfs(disk), &o, &set));
	CHECK_EQ(simdisk_calls(disk), calls + 1);	/* it lists */
	CHECK_EQ(file_set_create(set, FILE_SYNCED_BY_SET, &file),
		 AEDB_READ_ONLY);
	CHECK_OK(file_set_sync(set));
	set_end();
}

TEST(dirty, "a sync covers what was written before it, the owner's files are the owner's")
{
	uint8_t byte = 1;
	struct iovec iov = { &byte, 1 };
	struct page_file *file, *own;

	set_begin();
	CHECK_OK(file_set_create(set, FILE_SYNCED_BY_OWNER, &own));
	CHECK_OK(file_set_write(set, own, &iov, 1, FILE_DATA_OFFSET));
	CHECK(!file_set_is_dirty(set));
	CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
	CHECK(file_set_is_dirty(set));
	CHECK_OK(file_set_sync(set));
	CHECK(!file_set_is_dirty(set));
	CHECK_OK(file_set_write(set, file, &iov, 1, FILE_DATA_OFFSET));
	CHECK(file_set_is_dirty(set));
	/* a failed sync is not tried again, and nothing more is written */
	simdisk_fail_at(disk, simdisk_calls(disk) + 1, SIMDISK_EIO);
	CHECK_EQ(file_set_sync(set), AEDB_IO);
	CHECK_EQ(file_set_sync(set), AEDB_IO);
	CHECK_EQ(file_set_check_writable(set), AEDB_IO);
	file_set_unuse(set, file);
	file_set_unuse(set, own);
	set_end();
}

TEST(names, "the name of a new file is durable with its directory's")
{
	struct page_file *file;
	struct file_set_options o = options(1);

	for (int i = 0; i < 20; i++) {
		disk = simdisk_new(check_random());
		CHECK_OK(file_set_open(simdisk_vfs(disk), &o, &set));
		CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
		CHECK_OK(file_set_sync(set));
		CHECK_OK(file_set_sync_names(set));
		file_set_unuse(set, file);
		file_set_close(set);
		simdisk_crash(disk, check_random(),
			      i ? SIMDISK_RANDOM : SIMDISK_DROP_ALL);
		CHECK_OK(file_set_open(simdisk_vfs(disk), &o, &set));
		CHECK_OK(file_set_use(set, 1, &file));
		file_set_unuse(set, file);
		set_end();
	}
}

#define WORKERS 4
#define FILES 12

static void *work(void *constant)
{
	uint64_t random = (uintptr_t)constant;

	for (int i = 0; i < 3000; i++) {
		struct page_file *file;
		file_id_t number = 1 + (random = random * 6364136223846793005u +
						 1442695040888963407u) /
					       (UINT64_MAX / FILES + 1);

		if (random % 64 == 0)
			file_set_remove(set, number);
		if (file_set_pin(set, number) < 0)
			continue;
		if (file_set_use(set, number, &file) == 0) {
			CHECK_EQ(file->number, number);
			file_set_note_seq(set, number, (seq_t)i);
			file_set_unuse(set, file);
		}
		file_set_unpin(set, number);
	}
	return NULL;
}

TEST(threads, "files are used, pinned and removed by many threads")
{
	pthread_t threads[WORKERS];
	struct file_info info;

	set_begin();
	files_make(FILES);
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work,
					(void *)(check_random() | 1)), 0);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (file_id_t i = 1; i <= FILES; i++)
		CHECK_OK(file_set_remove(set, i));
	CHECK_EQ(file_set_info(set, 0, &info), AEDB_NOT_FOUND);
	for (file_id_t i = 1; i <= FILES; i++)
		CHECK(!file_exists(i));
	set_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
