/*
 * Value files as a whole: values of one page, which files a value keeps, taking
 * fresh files and removing old ones, and whole values in the cache.
 */
#include "check.h"
#include "err.h"
#include "page_writer.h"
#include "stage.h"
#include "value_append.h"
#include "value_cache.h"
#include "value_disk.h"
#include "value_reader.h"

static struct values *values;
static struct epoch *epoch;
static struct cache *cache;

static void begin(void)
{
	disk_open();
	values = open_values();
}

static void begin_cached(size_t capacity)
{
	begin();
	CHECK_OK(epoch_open(&epoch));
	CHECK_OK(cache_open(epoch, capacity, &cache));
	values_set_cache(values, epoch, cache);
}

static void end(void)
{
	values_close(values);
	cache_close(cache);
	epoch_close(epoch);
	cache = NULL;
	epoch = NULL;
	disk_close();
}

static struct file_info info_of(file_id_t number)
{
	struct file_info info;

	CHECK_OK(file_set_info(values_files(values), number - 1, &info));
	CHECK_EQ(info.number, number);
	return info;
}

static bool is_there(file_id_t number)
{
	struct file_info info;

	return file_set_info(values_files(values), number - 1, &info) == 0 &&
	       info.number == number;
}

/* A value of one page with these bytes. */
static struct value_ref whole_append(const uint8_t *bytes, size_t n)
{
	struct page_ref page;

	CHECK_OK(value_append_whole(values, bytes, n, &page));
	return value_ref_of_page(&page);
}

static void value_check(const struct value_ref *ref, const uint8_t *bytes,
			size_t n)
{
	const struct value_source source = { .ref = ref };
	struct value_reader *reader;
	uint8_t *got = malloc(n + 1);
	size_t got_n;

	CHECK_OK(value_reader_open(values, &source, &reader));
	CHECK_EQ(value_reader_bytes(reader), n);
	CHECK_EQ(value_reader_allocated_bytes(reader), n);
	CHECK_OK(value_reader_read(reader, got, n + 1, 0, &got_n));
	CHECK_EQ(got_n, n);
	CHECK_MEM(got, bytes, n);
	value_reader_close(reader);
	free(got);
}

TEST(one_page, "a value of one page is read back through its reference of 16 bytes")
{
	static const size_t sizes[] = { 1, 1025, 4096, 16384, 65535, 65536 };
	static uint8_t bytes[65536];
	uint8_t encoded[VALUE_REF_BYTES_MAX];
	struct value_ref ref, got;
	struct page_writer *writer;
	struct page_ref page;

	begin();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i];

		fill(bytes, n, i);
		ref = whole_append(bytes, n);
		CHECK_EQ(value_ref_encode(&ref, encoded), PAGE_REF_BYTES);
		CHECK_OK(value_ref_decode(encoded, PAGE_REF_BYTES, &got));
		CHECK(got.is_page);
		CHECK_EQ(got.bytes, n);
		value_check(&got, bytes, n);
	}
	/* in a file of its own */
	CHECK_OK(page_writer_open(values_files(values), &writer));
	CHECK_OK(page_writer_add(writer, PAGE_VALUE, PAGE_PLAIN, bytes, 70, &page));
	CHECK_OK(page_writer_finish(writer));
	page_writer_close(writer);
	ref = value_ref_of_page(&page);
	value_check(&ref, bytes, 70);
	CHECK_EQ(ref.root.file, 2);
	end();
}

TEST(bad_page_refs, "a reference to a page that can be no value is refused")
{
	struct page_ref page = { .file = 1, .offset = 4096,
				 .stored_bytes = 65537, .crc = 1 };
	uint8_t encoded[PAGE_REF_BYTES];
	struct value_ref ref;

	page_ref_encode(&page, encoded);
	CHECK_EQ(value_ref_decode(encoded, sizeof(encoded), &ref), AEDB_CORRUPT);
	page.stored_bytes = 0;
	page_ref_encode(&page, encoded);
	CHECK_EQ(value_ref_decode(encoded, sizeof(encoded), &ref), AEDB_CORRUPT);
	CHECK_EQ(value_ref_decode(encoded, 0, &ref), AEDB_CORRUPT);
	CHECK_EQ(value_ref_decode(encoded, 15, &ref), AEDB_CORRUPT);
}

TEST(page_base, "a stage over a value of one page reads, changes and cuts it")
{
	static uint8_t bytes[70000], got[70000];
	struct value_ref ref, other;
	struct value_source source = { .ref = &ref };
	struct stage_sealed sealed;
	struct stage *stage;
	size_t n;

	begin();
	fill(bytes, 50000, 1);
	ref = whole_append(bytes, 50000);
	CHECK_OK(stage_open(values, &source, &stage));
	CHECK_EQ(stage_bytes(stage), 50000);
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK(!sealed.is_ref);
	CHECK_MEM(sealed.bytes, bytes, 50000);
	memset(bytes + 40000, 7, 30000);
	CHECK_OK(stage_write(stage, bytes + 40000, 30000, 40000));
	CHECK_OK(stage_read(stage, got, sizeof(got), 0, &n));
	CHECK_EQ(n, 70000);
	CHECK_MEM(got, bytes, n);
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK(sealed.is_ref && !sealed.ref.is_page);
	value_check(&sealed.ref, bytes, 70000);
	/* and back over another one, nothing of the stage kept */
	fill(bytes, 3000, 2);
	other = whole_append(bytes, 3000);
	source.ref = &other;
	CHECK_OK(stage_rebase(stage, &source, stage_mark(stage)));
	CHECK_OK(stage_read(stage, got, sizeof(got), 0, &n));
	CHECK_EQ(n, 3000);
	CHECK_MEM(got, bytes, n);
	stage_close(stage);
	end();
}

TEST(damaged_page, "a damaged value of one page is an error of its file and offset")
{
	static uint8_t bytes[5000];
	struct value_ref ref;
	struct value_source source = { .ref = &ref };
	struct value_reader *reader;
	struct stage *stage;
	struct vfs_file *file;

	begin();
	fill(bytes, sizeof(bytes), 3);
	ref = whole_append(bytes, sizeof(bytes));
	CHECK_OK(vfs_file_open(disk.vfs, "val/1.val", VFS_WRITE, &file));
	CHECK_OK(vfs_write_all(file, "\0", 1, 4096 + 16 + 2500));
	vfs_file_close(file);
	CHECK_EQ(value_reader_open(values, &source, &reader), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "val/1.val offset 4096:"));
	CHECK_EQ(stage_open(values, &source, &stage), AEDB_CORRUPT);
	end();
}

TEST(shows, "a value file shows as text, damaged pages too")
{
	uint8_t *bytes = calloc(1, 100000);
	struct value_extent extent;
	struct vfs_file *file;
	struct value_ref ref;
	char *text;
	size_t n;
	FILE *out;

	begin();
	CHECK_OK(value_store(values, bytes, 100000, &ref, &extent));
	whole_append((const uint8_t *)"whole", 5);
	CHECK_OK(vfs_file_open(disk.vfs, "val/1.val", VFS_WRITE, &file));
	CHECK_OK(vfs_write_all(file, "\1", 1, extent.offset + 40000));
	vfs_file_close(file);
	out = open_memstream(&text, &n);
	CHECK_OK(values_show_file(disk.vfs, "val/1.val", out));
	fclose(out);
	CHECK(strstr(text, "value of 100000 bytes, 7 chunks"));
	CHECK(strstr(text, "unused or damaged"));
	CHECK(strstr(text, "chunk bytes 16384"));
	CHECK(strstr(text, "in file 1:"));
	CHECK(strstr(text, "value bytes 5 raw 5"));
	free(text);
	free(bytes);
	end();
}

/* A page of the kind, but of another length than the reference says. */
TEST(other_length, "a page of another length than its reference says is damage")
{
	uint8_t bytes[100] = { 1 };
	struct value_ref ref;
	struct value_source source = { .ref = &ref };
	struct value_reader *reader;

	begin();
	ref = whole_append(bytes, 100);
	ref.bytes = 99;
	CHECK_EQ(value_reader_open(values, &source, &reader), AEDB_CORRUPT);
	end();
}

TEST(shares, "the shares of a reference are all its bytes, root or page included")
{
	uint8_t *bytes = malloc(200000);
	struct value_share *shares;
	struct value_extent extent;
	struct value_ref ref;
	size_t n;

	begin();
	fill(bytes, 200000, 4);
	ref = whole_append(bytes, 1001);
	CHECK_OK(values_load_shares(values, &ref, &shares, &n));
	CHECK_EQ(n, 1);
	CHECK_EQ(shares[0].file, 1);
	CHECK_EQ(shares[0].bytes, page_plain_bytes(1001));
	free(shares);
	CHECK_OK(value_store(values, bytes, 200000, &ref, &extent));
	CHECK_OK(values_load_shares(values, &ref, &shares, &n));
	CHECK_EQ(n, 1);
	CHECK_EQ(shares[0].bytes, extent.bytes);
	free(shares);
	free(bytes);
	end();
}

TEST(cut, "after a cut appends go to a fresh file, and open ones end in the old")
{
	uint8_t bytes[100] = { 1 };
	uint8_t *page = calloc(1, page_plain_bytes(100));
	struct value_append append;
	struct page_ref ref;

	begin();
	CHECK_EQ(whole_append(bytes, 100).root.file, 1);
	CHECK(values_is_written(values, 1));
	CHECK(info_of(1).is_in_use);
	CHECK_OK(value_append_begin(values, page_plain_bytes(100), &append));
	values_cut(values);
	values_cut(values);
	CHECK(!values_is_written(values, 1));
	CHECK(info_of(1).is_in_use);
	CHECK_EQ(whole_append(bytes, 100).root.file, 2);
	value_append_page(&append, PAGE_VALUE, page, 100, &ref);
	CHECK_OK(value_append_write(&append));
	value_append_end(&append);
	CHECK_EQ(ref.file, 1);
	CHECK(!info_of(1).is_in_use);
	CHECK_EQ(info_of(1).bytes, 4096 + 2 * page_plain_bytes(100));
	CHECK(values_is_written(values, 2));
	CHECK_EQ(file_set_next(values_files(values)), 3);
	free(page);
	end();
}

TEST(removed, "a removed file stays for the stages and readers over it")
{
	uint8_t *bytes = malloc(200000), buf[4096];
	struct value_extent extent;
	struct value_ref ref;
	struct value_source source = { .ref = &ref };
	struct value_reader *reader;
	struct stage_sealed sealed;
	struct stage *stage;
	size_t n;

	begin();
	fill(bytes, 200000, 5);
	CHECK_OK(value_store(values, bytes, 200000, &ref, &extent));
	values_cut(values);
	CHECK_OK(value_reader_open(values, &source, &reader));
	CHECK_OK(stage_open(values, &source, &stage));
	CHECK_OK(values_remove_file(values, 1));
	CHECK(!is_there(1));
	CHECK_OK(value_reader_read(reader, buf, sizeof(buf), 150000, &n));
	CHECK_MEM(buf, bytes + 150000, n);
	value_reader_close(reader);
	/* what is sealed over it names it, so that its commit keeps it */
	CHECK_OK(stage_write(stage, "x", 1, 100));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.n_extents, 2);
	bytes[100] = 'x';
	value_check(&sealed.ref, bytes, 200000);
	stage_close(stage);
	CHECK_EQ(value_reader_open(values, &source, &reader), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "val/1.val is missing"));
	free(bytes);
	end();
}

TEST(whole_failures, "a value that cannot be appended costs its space and nothing else")
{
	static uint8_t bytes[3000];
	struct value_ref ref;
	struct page_ref page;

	begin();
	fill(bytes, sizeof(bytes), 6);
	ref = whole_append(bytes, sizeof(bytes));
	disk.write_error = AEDB_NO_SPACE;
	disk.writes_left = 0;
	CHECK_EQ(value_append_whole(values, bytes, sizeof(bytes), &page),
		 AEDB_NO_SPACE);
	value_check(&ref, bytes, sizeof(bytes));
	ref = whole_append(bytes, sizeof(bytes));
	value_check(&ref, bytes, sizeof(bytes));
	CHECK_EQ(ref.root.offset, 4096 + 2 * page_plain_bytes(sizeof(bytes)));
	disk.write_error = AEDB_IO;
	disk.writes_left = 0;
	CHECK_EQ(value_append_whole(values, bytes, sizeof(bytes), &page), AEDB_IO);
	CHECK_EQ(value_append_whole(values, bytes, sizeof(bytes), &page), AEDB_IO);
	end();
}

/* Space that was taken ahead of a file, and what it was cut to. */
static struct {
	uint64_t upto, cut;
	unsigned times;
} ahead;

static int note_ahead(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	CHECK(ahead.times == 0 || offset == ahead.upto);
	ahead.upto = offset + n;
	ahead.times++;
	return disk.real.allocate_ahead(file, offset, n);
}

static int note_cut(struct vfs_file *file, uint64_t size)
{
	ahead.cut = size;
	return disk.real.truncate(file, size);
}

TEST(taken_ahead, "space is taken ahead, no more than there is, and given back")
{
	static uint8_t bytes[AEDB_VALUE_INLINE_MAX];
	uint64_t used = 0, most = UINT64_C(1) << 20;
	struct page_ref page;

	begin();
	disk.ops.allocate_ahead = note_ahead;
	disk.ops.truncate = note_cut;
	for (size_t n = 100; used < 4 * most; n = sizeof(bytes)) {
		struct value_ref ref = whole_append(bytes, n);

		used = ref.root.offset + page_disk_bytes(ref.root.stored_bytes);
		CHECK(ahead.upto >= used && ahead.upto <= 2 * used);
		CHECK(ahead.upto <= used + most);
		CHECK_EQ(info_of(1).bytes, used);
	}
	CHECK(ahead.times < 16);
	CHECK_EQ(ahead.cut, 0);
	/* what was not written is not there either */
	disk.writes_left = 0;
	disk.write_error = AEDB_NO_SPACE;
	CHECK_EQ(value_append_whole(values, bytes, 100, &page), AEDB_NO_SPACE);
	disk.writes_left = -1;
	values_cut(values);
	CHECK_EQ(ahead.cut, used);
	ahead.cut = ahead.times = 0;
	whole_append(bytes, 100);
	end();
	CHECK_EQ(ahead.times, 1);
	CHECK(ahead.cut > FILE_DATA_OFFSET);
}

/* Reads the value through the cache; returns where it is. */
static const void *cached_get(const struct value_ref *ref, const uint8_t *bytes)
{
	const void *got;

	epoch_enter(epoch);
	got = value_cache_find(values, ref);
	if (!got) {
		CHECK(value_cache_wants(values, ref));
		CHECK_OK(value_cache_load(values, ref, &got));
	}
	CHECK_MEM(got, bytes, ref->bytes);
	epoch_leave(epoch);
	return got;
}

TEST(cached, "a value read again is the same memory")
{
	static uint8_t bytes[200000];
	struct value_extent extent;
	struct value_ref refs[2];
	uint64_t hits, misses;
	const void *first;

	begin_cached(8 << 20);
	fill(bytes, sizeof(bytes), 7);
	CHECK_OK(value_store(values, bytes, sizeof(bytes), &refs[0], &extent));
	refs[1] = whole_append(bytes, 60000);
	for (int i = 0; i < 2; i++) {
		first = cached_get(&refs[i], bytes);
		for (int j = 0; j < 3; j++)
			CHECK(cached_get(&refs[i], bytes) == first);
	}
	cache_counts(cache, &hits, &misses);
	CHECK_EQ(misses, 2);
	value_check(&refs[1], bytes, 60000);
	/* nothing is left of a file that is removed */
	values_cut(values);
	CHECK_OK(values_remove_file(values, 1));
	CHECK_EQ(cache_things(cache), 0);
	end();
}

TEST(not_cached, "what is large for the cache, and damage, is not kept")
{
	static uint8_t bytes[200000];
	struct value_extent extent;
	struct value_ref ref, page;
	struct vfs_file *file;
	const void *got;

	begin_cached(1 << 20);
	fill(bytes, sizeof(bytes), 8);
	CHECK_OK(value_store(values, bytes, sizeof(bytes), &ref, &extent));
	CHECK(!value_cache_wants(values, &ref));
	CHECK_EQ(cache_things(cache), 0);
	value_check(&ref, bytes, sizeof(bytes));
	page = whole_append(bytes, 60000);
	CHECK_OK(vfs_file_open(disk.vfs, "val/1.val", VFS_WRITE, &file));
	CHECK_OK(vfs_write_all(file, "\0", 1, page.root.offset + 20));
	vfs_file_close(file);
	epoch_enter(epoch);
	CHECK_EQ(value_cache_load(values, &page, &got), AEDB_CORRUPT);
	epoch_leave(epoch);
	CHECK_EQ(cache_things(cache), 0);
	end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
