/*
 * Page files: what was appended is read again, in order and whole, or refused;
 * the cache's bound; damage, failures and power cuts.
 */
#include <pthread.h>

#include "check.h"
#include "file_header.h"
#include "pages.h"
#include "simdisk.h"

#define NAME "rows.pages"
#define PAGE_BYTES 256u
#define PAGES_MAX 400

static struct simdisk *disk;
static struct vfs *vfs;
static struct aedb_pages *pages;

static void begin(void)
{
	disk = simdisk_new(check_seed());
	vfs = simdisk_vfs(disk);
	pages = NULL;
}

static void end(void)
{
	aedb_pages_close(pages);
	pages = NULL;
	simdisk_free(disk);
}

static int try_open(uint32_t page_bytes, uint32_t cache_pages)
{
	struct aedb_pages_options options = { page_bytes, cache_pages };

	aedb_pages_close(pages);
	pages = NULL;
	return pages_open(vfs, NAME, &options, &pages);
}

static void reopen(uint32_t cache_pages)
{
	CHECK_OK(try_open(PAGE_BYTES, cache_pages));
}

/* What page `id` holds in all tests: its size and its bytes follow from it. */
static struct aedb_bytes content_of(uint64_t id, uint8_t *room)
{
	size_t n = 1 + id * 37 % (PAGE_BYTES - 16);

	for (size_t i = 0; i < n; i++)
		room[i] = (uint8_t)(id * 131 + i * 7);
	return (struct aedb_bytes){ room, n };
}

static void append_one(uint64_t id)
{
	uint8_t room[PAGE_BYTES];
	struct aedb_bytes bytes = content_of(id, room);
	uint64_t got;

	CHECK_OK(aedb_pages_append(pages, bytes.at, bytes.n, &got));
	CHECK_EQ(got, id);
}

static int try_append_many(uint64_t first, size_t n, uint64_t *ret)
{
	static uint8_t room[PAGES_MAX][PAGE_BYTES];
	static struct aedb_bytes bytes[PAGES_MAX];

	for (size_t i = 0; i < n; i++)
		bytes[i] = content_of(first + i, room[i]);
	return aedb_pages_append_many(pages, bytes, n, ret);
}

static void append_many(uint64_t first, size_t n)
{
	uint64_t got;

	CHECK_OK(try_append_many(first, n, &got));
	CHECK_EQ(got, first);
}

/* 0, or the error; the bytes must be right. */
static int try_read(uint64_t id)
{
	uint8_t want[PAGE_BYTES], got[PAGE_BYTES];
	struct aedb_bytes bytes = content_of(id, want);
	size_t n = 0;
	int rc = aedb_pages_read(pages, id, got, sizeof(got), &n);

	if (rc < 0)
		return rc;
	CHECK_EQ(n, bytes.n);
	CHECK_MEM(got, bytes.at, n);
	return 0;
}

static void read_all(uint64_t n)
{
	CHECK_EQ(aedb_pages_count(pages), n);
	for (uint64_t id = 0; id < n; id++)
		CHECK_OK(try_read(id));
}

static uint64_t size_now(void)
{
	struct vfs_file *file;
	uint64_t size;

	CHECK_OK(vfs_file_open(vfs, NAME, VFS_READ, &file));
	CHECK_OK(vfs_file_size(file, &size));
	vfs_file_close(file);
	return size;
}

static void truncate_to(uint64_t size)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(vfs, NAME, VFS_WRITE, &file));
	CHECK_OK(vfs_file_truncate(file, size));
	vfs_file_close(file);
}

static void flip_byte(uint64_t offset, uint8_t bits)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(vfs, NAME, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	byte ^= bits;
	CHECK_OK(vfs_write_all(file, &byte, 1, offset));
	vfs_file_close(file);
}

TEST(in_order, "pages get the numbers 0, 1, … and are read as they were appended")
{
	static const uint32_t caches[] = { 0, 1, 7, 1000 };

	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++) {
		uint64_t n = 0;

		begin();
		reopen(caches[i]);
		while (n < 300) {
			size_t some = check_random() % 40;

			append_one(n++);
			append_many(n, some);
			n += some;
			CHECK_OK(try_read(check_random() % n));
			CHECK(aedb_pages_cached(pages) <= caches[i]);
		}
		read_all(n);
		reopen(caches[i]);
		read_all(n);
		append_one(n);
		read_all(n + 1);
		end();
	}
}

TEST(large_batch, "a batch larger than one write is one batch")
{
	enum { LARGE = 4096, MANY = 300 };
	static uint8_t room[MANY][LARGE - 16];
	static struct aedb_bytes bytes[MANY];
	uint8_t got[LARGE];
	uint64_t first;
	size_t n;

	begin();
	CHECK_OK(try_open(LARGE, 2));
	CHECK_EQ(aedb_pages_room(pages), LARGE - 16);
	for (size_t i = 0; i < MANY; i++) {
		memset(room[i], (int)i, sizeof(room[i]));
		bytes[i] = (struct aedb_bytes){ room[i], sizeof(room[i]) };
	}
	CHECK_OK(aedb_pages_append_many(pages, bytes, MANY, &first));
	CHECK_EQ(first, 0);
	CHECK_EQ(aedb_pages_count(pages), MANY);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_OK(aedb_pages_read(pages, i, got, sizeof(got), &n));
		CHECK_EQ(n, sizeof(room[i]));
		CHECK_MEM(got, room[i], n);
	}
	end();
}

TEST(hot, "the last pages appended are read without the disk, and no more are kept")
{
	uint64_t calls;

	begin();
	reopen(20);
	append_many(0, 200);
	for (uint64_t id = 200; id < 210; id++)
		append_one(id);
	CHECK_EQ(aedb_pages_cached(pages), 20);
	calls = simdisk_calls(disk);
	for (uint64_t id = 190; id < 210; id++)
		CHECK_OK(try_read(id));
	CHECK_EQ(simdisk_calls(disk), calls);
	CHECK_OK(try_read(0));
	CHECK_EQ(simdisk_calls(disk), calls + 1);
	CHECK_OK(try_read(0));
	CHECK_EQ(simdisk_calls(disk), calls + 1);
	CHECK_EQ(aedb_pages_cached(pages), 20);
	end();
}

TEST(limits, "what a page cannot hold is refused, and all of its batch")
{
	uint8_t bytes[PAGE_BYTES] = { 0 };
	struct aedb_bytes batch[3] = { { bytes, 1 }, { bytes, PAGE_BYTES - 15 },
				       { bytes, 1 } };
	uint64_t id;
	size_t n;

	begin();
	reopen(4);
	CHECK_EQ(aedb_pages_append(pages, bytes, 0, &id), AEDB_INVALID);
	CHECK_EQ(aedb_pages_append(pages, bytes, PAGE_BYTES - 15, &id),
		 AEDB_TOO_LARGE);
	CHECK_EQ(aedb_pages_append_many(pages, batch, 3, &id), AEDB_TOO_LARGE);
	CHECK_EQ(aedb_pages_count(pages), 0);
	CHECK_OK(aedb_pages_append(pages, bytes, PAGE_BYTES - 16, &id));
	CHECK_EQ(aedb_pages_read(pages, 0, bytes, PAGE_BYTES - 17, &n),
		 AEDB_TOO_LARGE);
	CHECK_OK(aedb_pages_read(pages, 0, bytes, PAGE_BYTES - 16, &n));
	CHECK_EQ(aedb_pages_read(pages, 1, bytes, PAGE_BYTES, &n), AEDB_NOT_FOUND);
	end();
}

TEST(options, "a file keeps its page size; wrong sizes and missing files are told apart")
{
	static const uint32_t wrong[] = { 1, 255, 260, (16u << 20) + 8 };

	begin();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK_EQ(try_open(wrong[i], 0), AEDB_INVALID);
	CHECK_EQ(try_open(0, 0), AEDB_NOT_FOUND);
	reopen(0);
	append_many(0, 3);
	CHECK_EQ(try_open(512, 0), AEDB_INVALID);
	CHECK(strstr(err_message(), "256 bytes"));
	CHECK_OK(try_open(0, 2));
	read_all(3);
	end();
}

TEST(empty_file, "a file of no bytes, as a kill while it is made leaves, is made again")
{
	struct vfs_file *file;

	begin();
	CHECK_OK(vfs_file_open(vfs, NAME, VFS_CREATE, &file));
	vfs_file_close(file);
	reopen(0);
	append_many(0, 3);
	read_all(3);
	end();
}

TEST(cut_off, "part of a page at the end is refused, naming file, position and page")
{
	const uint64_t whole = FILE_DATA_OFFSET + 5 * PAGE_BYTES;

	begin();
	reopen(0);
	append_many(0, 6);
	for (uint64_t cut = 1; cut < PAGE_BYTES; cut++) {
		char want[128];

		truncate_to(whole);
		truncate_to(whole + cut);
		snprintf(want, sizeof(want), NAME " offset %" PRIu64 ": page 5 is cut "
			 "off after %" PRIu64 " of %u bytes", whole, cut, PAGE_BYTES);
		CHECK_EQ(try_open(PAGE_BYTES, 0), AEDB_CORRUPT);
		CHECK_STR(err_message(), want);
	}
	truncate_to(whole);
	reopen(0);
	read_all(5);
	end();
}

TEST(cut_header, "a file that ends inside its header is refused")
{
	begin();
	for (uint64_t size = 1; size < FILE_DATA_OFFSET; size += 97) {
		reopen(0);
		truncate_to(size);
		CHECK_EQ(try_open(PAGE_BYTES, 0), AEDB_CORRUPT);
		CHECK_OK(vfs_unlink(vfs, NAME));
	}
	end();
}

/* Opens and reads everything; the number of pages refused, or -1 for the file. */
static int refused(uint64_t n, char *ret_message)
{
	int rc = try_open(0, 0), count = 0;

	if (rc < 0) {
		CHECK_EQ(rc, AEDB_CORRUPT);
		snprintf(ret_message, 512, "%s", err_message());
		return -1;
	}
	for (uint64_t id = 0; id < n; id++) {
		rc = try_read(id);
		if (rc == 0)
			continue;
		CHECK(rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		snprintf(ret_message, 512, "%s", err_message());
		count++;
	}
	return count;
}

TEST(flipped, "a flipped byte anywhere is reported, with the page's position")
{
	enum { PAGES = 3 };
	char message[512], want[64];

	begin();
	reopen(0);
	append_many(0, PAGES);
	CHECK_EQ(refused(PAGES, message), 0);
	for (uint64_t at = 0; at < size_now(); at++) {
		uint8_t bits = (uint8_t)(1u << check_random() % 8);
		uint64_t slot = (at - FILE_DATA_OFFSET) / PAGE_BYTES;
		bool is_header = at < FILE_DATA_OFFSET;

		flip_byte(at, bits);
		CHECK_THAT(refused(PAGES, message) == (is_header ? -1 : 1),
			   "byte %" PRIu64 " flipped by %x goes unnoticed", at, bits);
		snprintf(want, sizeof(want), NAME " offset %" PRIu64 ":",
			 FILE_DATA_OFFSET + slot * PAGE_BYTES);
		CHECK(strstr(message, is_header ? NAME : want));
		flip_byte(at, bits);
	}
	CHECK_EQ(refused(PAGES, message), 0);
	end();
}

TEST(moved, "a page in another page's place is refused")
{
	uint8_t slot[PAGE_BYTES];
	struct vfs_file *file;

	begin();
	reopen(0);
	append_many(0, 2);
	CHECK_OK(vfs_file_open(vfs, NAME, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, slot, PAGE_BYTES, FILE_DATA_OFFSET));
	CHECK_OK(vfs_write_all(file, slot, PAGE_BYTES,
			       FILE_DATA_OFFSET + PAGE_BYTES));
	vfs_file_close(file);
	CHECK_OK(try_read(0));
	CHECK_EQ(try_read(1), AEDB_CORRUPT);
	end();
}

/* A run of appends that goes on through failures; the pages acknowledged. A
 * failed sync ends writing, and so does a failed write unless it was for want
 * of space. */
static uint64_t appends_run(enum simdisk_fault fault)
{
	bool is_ended = false;
	uint64_t n = 0, first;

	for (size_t i = 0; i < 12; i++) {
		int rc = try_append_many(n, 1 + i % 5, &first);

		if (rc == 0) {
			CHECK(!is_ended);
			CHECK_EQ(first, n);
			n += 1 + i % 5;
		} else if (!is_ended) {
			CHECK_EQ(rc, fault == SIMDISK_EIO ? AEDB_IO : AEDB_NO_SPACE);
			is_ended = rc == AEDB_IO;
		} else {
			CHECK_EQ(rc, AEDB_IO);
		}
		if (i % 4 == 3 && aedb_pages_sync(pages) < 0)
			is_ended = true;
	}
	return n;
}

static void fail_each_call(enum simdisk_fault fault)
{
	bool is_over = false;

	for (uint64_t call = 1; !is_over; call++) {
		uint64_t n;

		begin();
		simdisk_fail_at(disk, call, fault);
		if (try_open(PAGE_BYTES, 3) < 0)
			reopen(3);
		n = appends_run(fault);
		is_over = simdisk_calls(disk) < call;
		simdisk_fail_at(disk, 0, fault);
		read_all(n);
		reopen(0);
		read_all(n);
		append_one(n);
		read_all(n + 1);
		end();
		CHECK(call < 200);
	}
}

TEST(failing, "after a failed call what was acknowledged is there and nothing else, and EIO ends "
     "writing")
{
	fail_each_call(SIMDISK_EIO);
	fail_each_call(SIMDISK_ENOSPC);
}

/* Appends with a sync now and then until the power fails; the pages synced. */
static uint64_t synced_before_cut(void)
{
	uint64_t n = 0, synced = 0, first;

	if (try_open(PAGE_BYTES, 3) < 0)
		return 0;
	while (n < PAGES_MAX - 50 && !simdisk_is_cut(disk)) {
		size_t some = 1 + check_random() % 20;

		if (try_append_many(n, some, &first) == 0)
			n += some;
		if (check_random() % 3 == 0 && aedb_pages_sync(pages) == 0)
			synced = n;
	}
	return synced;
}

/* As the message says: up to the last whole page. */
static void cut_part_off(void)
{
	if (size_now() < FILE_DATA_OFFSET)
		CHECK_OK(vfs_unlink(vfs, NAME));
	else
		truncate_to(size_now() -
			    (size_now() - FILE_DATA_OFFSET) % PAGE_BYTES);
}

TEST(power_cut, "a power cut takes no synced page, and shows no page that was not appended")
{
	for (int i = 0; i < 150; i++) {
		uint64_t synced;
		int rc;

		begin();
		simdisk_cut_at(disk, 1 + check_random() % 60);
		synced = synced_before_cut();
		aedb_pages_close(pages);
		pages = NULL;
		simdisk_crash(disk, check_random(), SIMDISK_RANDOM);
		rc = try_open(PAGE_BYTES, 0);
		if (rc == AEDB_CORRUPT && synced == 0)
			CHECK_OK(vfs_unlink(vfs, NAME));
		else if (rc == AEDB_CORRUPT)
			cut_part_off();
		reopen(0);
		CHECK(aedb_pages_count(pages) >= synced);
		for (uint64_t id = 0; id < aedb_pages_count(pages); id++) {
			rc = try_read(id);
			CHECK(rc == 0 || (id >= synced && (rc == AEDB_CORRUPT ||
							   rc == AEDB_NEWER_FORMAT)));
		}
		end();
	}
}

enum { THREADS = 3, ROUNDS = 400 };

/* Its own number in each byte of a page, wherever that lands. */
static void *thread_append(void *number)
{
	uint8_t bytes[PAGE_BYTES - 16];
	struct aedb_bytes batch[3];
	uint64_t id;

	memset(bytes, (int)(uintptr_t)number, sizeof(bytes));
	for (int i = 0; i < 3; i++)
		batch[i] = (struct aedb_bytes){ bytes, sizeof(bytes) };
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(aedb_pages_append(pages, bytes, sizeof(bytes), &id));
		CHECK_OK(aedb_pages_append_many(pages, batch, 3, &id));
	}
	return NULL;
}

static void *thread_read(void *is_done)
{
	uint8_t bytes[PAGE_BYTES];
	uint64_t random = 1;
	size_t n;

	while (!__atomic_load_n((bool *)is_done, __ATOMIC_ACQUIRE)) {
		uint64_t count = aedb_pages_count(pages);

		random = random * UINT64_C(6364136223846793005) + 1;
		if (count == 0)
			continue;
		CHECK_OK(aedb_pages_read(pages, (random >> 33) % count, bytes,
					 sizeof(bytes), &n));
		CHECK_EQ(n, PAGE_BYTES - 16);
		for (size_t i = 1; i < n; i++)
			CHECK_EQ(bytes[i], bytes[0]);
	}
	return NULL;
}

TEST(threads, "readers beside appending threads see whole pages only")
{
	pthread_t appenders[THREADS], readers[2];
	uint64_t counts[THREADS + 1] = { 0 };
	uint8_t bytes[PAGE_BYTES];
	bool is_done = false;
	size_t n;

	begin();
	reopen(50);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&appenders[i], NULL, thread_append,
					(void *)(i + 1)), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&readers[i], NULL, thread_read, &is_done), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(appenders[i], NULL);
	__atomic_store_n(&is_done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	CHECK_EQ(aedb_pages_count(pages), THREADS * ROUNDS * 4);
	CHECK_EQ(aedb_pages_cached(pages), 50);
	for (uint64_t id = 0; id < aedb_pages_count(pages); id++) {
		CHECK_OK(aedb_pages_read(pages, id, bytes, sizeof(bytes), &n));
		counts[bytes[0]]++;
	}
	for (int i = 1; i <= THREADS; i++)
		CHECK_EQ(counts[i], ROUNDS * 4);
	end();
}

TEST(paths, "the public open takes a path, refuses a second opener, and show prints the file")
{
	char directory[] = "/tmp/aedb-test-pages.XXXXXX", path[64], *text;
	struct aedb_pages_options options = { PAGE_BYTES, 2 };
	struct aedb_pages *first, *second;
	uint64_t id;
	size_t bytes;
	FILE *out;

	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/" NAME, directory);
	CHECK_OK(aedb_pages_open(path, &options, &first));
	CHECK_EQ(aedb_pages_open(path, &options, &second), AEDB_BUSY);
	CHECK_OK(aedb_pages_append(first, "one", 3, &id));
	CHECK_OK(aedb_pages_append(first, "second", 6, &id));
	CHECK_OK(aedb_pages_sync(first));
	aedb_pages_close(first);

	out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	CHECK_OK(aedb_show(path, out));
	fclose(out);
	CHECK(strstr(text, "kind: page file\n"));
	CHECK(strstr(text, "page bytes: 256\n"));
	CHECK(strstr(text, "4096: page 0: 3 bytes\n"));
	CHECK(strstr(text, "4352: page 1: 6 bytes\n"));
	free(text);
	CHECK_OK(aedb_pages_open(path, &options, &first));
	CHECK_EQ(aedb_pages_count(first), 2);
	aedb_pages_close(first);
	CHECK_EQ(aedb_pages_open("/tmp/no/such/directory/x", &options, &first),
		 AEDB_NOT_FOUND);
	unlink(path);
	rmdir(directory);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
