/*
 * Pages: what is written is read back, and nothing else is; writers on disks
 * that fail, fill up and lose power.
 */
#include "bytes.h"
#include "cache.h"
#include "check.h"
#include "err.h"
#include "page_load.h"
#include "page_writer.h"
#include "simdisk.h"

#define PAGES 60

static const uint8_t uuid[FILE_UUID_BYTES] = "page test";

/* A page as it was given to the writer. */
struct sample {
	enum page_kind kind;
	enum page_codec codec;
	uint8_t *bytes;		/* owned */
	size_t n;
	struct page_ref ref;
};

static struct file_set *set_open(struct simdisk *disk)
{
	const struct file_set_options options = {
		.kind = FILE_SEGMENT,
		.directory = "seg",
		.suffix = "seg",
		.db_uuid = uuid,
	};
	struct file_set *set = NULL;

	return file_set_open(simdisk_vfs(disk), &options, &set) < 0 ? NULL : set;
}

/* Some compress, some do not; some are larger than the writer's buffer. */
static void samples_make(struct sample *samples, size_t n)
{
	static const size_t sizes[] = { 1, 7, 300, 16384, 70000, 600000 };

	for (size_t i = 0; i < n; i++) {
		struct sample *s = &samples[i];
		uint64_t spread = check_random() % 2 ? 256 : 4;

		s->kind = PAGE_BLOCK + check_random() % 4;
		s->codec = check_random() % 2 ? PAGE_ZSTD : PAGE_PLAIN;
		s->n = sizes[check_random() % (i % 20 ? 4 : 6)];
		s->n += check_random() % 9;
		s->bytes = malloc(s->n);
		for (size_t b = 0; b < s->n; b++)
			s->bytes[b] = (uint8_t)(check_random() % spread);
	}
}

static void samples_free(struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(samples[i].bytes);
}

static int samples_write(struct file_set *set, struct sample *samples, size_t n)
{
	struct page_writer *writer;
	int rc = page_writer_open(set, &writer);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct sample *s = &samples[i];
		uint64_t before = page_writer_end(writer);

		rc = page_writer_add(writer, s->kind, s->codec, s->bytes, s->n,
				     &s->ref);
		if (rc < 0)
			break;
		CHECK_EQ(s->ref.file, page_writer_file(writer));
		CHECK_EQ(s->ref.offset, before);
		CHECK_EQ(page_writer_end(writer),
			 before + page_disk_bytes(s->ref.stored_bytes));
	}
	if (rc == 0)
		rc = page_writer_finish(writer);
	page_writer_close(writer);
	return rc;
}

static void sample_check(struct file_set *set, const struct sample *s)
{
	void *got;
	size_t n;

	CHECK_OK(page_load(set, &s->ref, s->kind, &got, &n));
	CHECK_EQ(n, s->n);
	CHECK_MEM(got, s->bytes, n);
	cache_free(got);
}

static void flip(struct simdisk *disk, const char *path, uint64_t at,
		 uint8_t bits)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, at));
	byte ^= bits;
	CHECK_OK(vfs_write_all(file, &byte, 1, at));
	vfs_file_close(file);
}

TEST(written_read, "pages are read as they were written, plain and compressed")
{
	struct sample samples[PAGES];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);
	uint64_t plain = 0, stored = 0;

	samples_make(samples, PAGES);
	CHECK_OK(samples_write(set, samples, PAGES));
	for (size_t i = 0; i < PAGES; i++) {
		sample_check(set, &samples[i]);
		if (samples[i].codec == PAGE_PLAIN)
			CHECK_EQ(samples[i].ref.stored_bytes, samples[i].n);
		else
			CHECK(samples[i].ref.stored_bytes <= samples[i].n);
		plain += samples[i].n;
		stored += samples[i].ref.stored_bytes;
	}
	CHECK(stored < plain);
	file_set_close(set);
	set = set_open(disk);
	for (size_t i = 0; i < PAGES; i++)
		sample_check(set, &samples[i]);
	file_set_close(set);
	samples_free(samples, PAGES);
	simdisk_free(disk);
}

#define PARTS 3

/* A page in parts, of which some are empty and some do not compress. */
static void parts_make(struct sample *s, size_t ends[PARTS])
{
	s->kind = PAGE_BLOCK;
	s->n = 0;
	for (int i = 0; i < PARTS; i++) {
		if (i == 0 || check_random() % 4)
			s->n += 1 + check_random() % 3000;
		ends[i] = s->n;
	}
	s->bytes = malloc(s->n);
	for (size_t b = 0; b < s->n; b++)
		s->bytes[b] = (uint8_t)(check_random() %
					(b < ends[check_random() % PARTS] ? 3 : 256));
}

static int parts_write(struct file_set *set, struct sample *s,
		       const size_t ends[PARTS])
{
	struct page_parts parts = { .bytes = s->bytes, .ends = ends, .n = PARTS };
	struct page_writer *writer;
	int rc = page_writer_open(set, &writer);

	if (rc < 0)
		return rc;
	rc = page_writer_add_parts(writer, s->kind, &parts, &s->ref);
	if (rc == 0)
		rc = page_writer_finish(writer);
	page_writer_close(writer);
	return rc;
}

static void rest_check(struct file_set *set, const struct page_loading *l,
		       const struct sample *s, const void *front)
{
	void *all;

	CHECK_OK(page_load_rest(set, l, front, &all));
	CHECK_EQ(l->header.raw_bytes, s->n);
	CHECK_MEM(all, s->bytes, s->n);
	cache_free(all);
}

/* Whether it has a front. */
static bool front_check(struct file_set *set, const struct sample *s)
{
	static const uint8_t zeros[9];
	struct page_loading l;
	void *front;

	CHECK_OK(page_load_front(set, &s->ref, s->kind, sizeof(zeros), &l,
				 &front));
	if (front) {
		CHECK_MEM(front, s->bytes, l.front.bytes);
		CHECK_MEM((uint8_t *)front + l.front.bytes, zeros, sizeof(zeros));
		rest_check(set, &l, s, front);
	}
	rest_check(set, &l, s, NULL);
	CHECK_EQ(front != NULL, l.front.bytes != 0);
	cache_free(front);
	page_loading_release(&l);
	return front;
}

/* The end of the part before the last one that is there. */
static size_t front_end(const size_t ends[PARTS])
{
	for (int i = PARTS - 2; i >= 0; i--)
		if (ends[i] < ends[PARTS - 1])
			return ends[i];
	return 0;
}

TEST(fronts, "all parts of a page but the last are read by themselves, and the rest behind them")
{
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);
	unsigned int fronts = 0;

	for (int i = 0; i < 200; i++) {
		struct page_loading l;
		struct sample s;
		size_t ends[PARTS];
		void *front;

		parts_make(&s, ends);
		CHECK_OK(parts_write(set, &s, ends));
		if (front_check(set, &s)) {
			fronts++;
			CHECK_OK(page_load_front(set, &s.ref, s.kind, 0, &l,
						 &front));
			CHECK_EQ(l.front.bytes, front_end(ends));
			cache_free(front);
			page_loading_release(&l);
		}
		free(s.bytes);
	}
	CHECK_THAT(fronts > 20, "%u", fronts);
	file_set_close(set);
	simdisk_free(disk);
}

TEST(runs, "pages that lie one after the other come with one read")
{
	struct sample samples[5];
	struct page_ref refs[5];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);

	samples_make(samples, 5);
	for (size_t i = 0; i < 5; i++) {
		samples[i].kind = PAGE_BLOCK;
		samples[i].codec = PAGE_PLAIN;
	}
	CHECK_OK(samples_write(set, samples, 5));
	for (size_t i = 0; i < 5; i++) {
		refs[i] = samples[i].ref;
		CHECK(i == 0 || page_ref_is_next(&refs[i - 1], &refs[i]));
	}
	CHECK(!page_ref_is_next(&refs[0], &refs[2]));
	uint8_t *buf = malloc(page_run_bytes(refs, 5));
	uint64_t calls = simdisk_calls(disk);

	CHECK_OK(page_load_run(set, refs, 5, PAGE_BLOCK, buf));
	CHECK_EQ(simdisk_calls(disk), calls + 1);
	for (size_t i = 0; i < 5; i++)
		CHECK_MEM(buf + (refs[i].offset - refs[0].offset) +
			  PAGE_HEADER_BYTES, samples[i].bytes, samples[i].n);
	free(buf);
	file_set_close(set);
	samples_free(samples, 5);
	simdisk_free(disk);
}

TEST(flipped, "any flipped bit of a page is found and its place is named")
{
	struct sample samples[4];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);
	char place[64];
	struct page_loading l;
	void *got;
	size_t n;

	samples_make(samples, 4);
	CHECK_OK(samples_write(set, samples, 4));
	for (int i = 0; i < 1500; i++) {
		const struct sample *s = &samples[check_random() % 4];
		uint64_t within = check_random() % 3 ? check_random() % 16 :
			check_random() % (PAGE_HEADER_BYTES + s->ref.stored_bytes);
		uint8_t bits = (uint8_t)(1 << check_random() % 8);

		flip(disk, "seg/1.seg", s->ref.offset + within, bits);
		int rc = page_load(set, &s->ref, s->kind, &got, &n);

		CHECK_EQ(rc, AEDB_CORRUPT);
		CHECK_EQ(page_load_front(set, &s->ref, s->kind, 0, &l, &got),
			 AEDB_CORRUPT);
		snprintf(place, sizeof(place), "seg/1.seg offset %" PRIu64 ":",
			 s->ref.offset);
		CHECK(strstr(err_message(), place));
		flip(disk, "seg/1.seg", s->ref.offset + within, bits);
		sample_check(set, s);
	}
	file_set_close(set);
	samples_free(samples, 4);
	simdisk_free(disk);
}

TEST(other_page, "a reference finds its own page only")
{
	struct sample samples[2];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);
	struct page_ref ref;
	void *got;
	size_t n;

	samples_make(samples, 2);
	CHECK_OK(samples_write(set, samples, 2));
	ref = samples[0].ref;
	CHECK_EQ(page_load(set, &ref, samples[0].kind % PAGE_USER + 1, &got, &n),
		 AEDB_CORRUPT);
	ref.crc ^= 1;
	CHECK_EQ(page_load(set, &ref, samples[0].kind, &got, &n), AEDB_CORRUPT);
	ref.crc = 0;
	CHECK_OK(page_load(set, &ref, samples[0].kind, &got, &n));
	cache_free(got);
	ref.stored_bytes += PAGE_ALIGN;
	CHECK_EQ(page_load(set, &ref, samples[0].kind, &got, &n), AEDB_CORRUPT);
	ref = samples[1].ref;
	ref.stored_bytes = PAGE_PAYLOAD_BYTES_MAX;
	CHECK_EQ(page_load(set, &ref, samples[1].kind, &got, &n), AEDB_CORRUPT);
	ref.file = 7;
	CHECK_EQ(page_load(set, &ref, samples[1].kind, &got, &n), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "seg/7.seg is missing"));
	file_set_close(set);
	samples_free(samples, 2);
	simdisk_free(disk);
}

TEST(impossible, "headers that were never written are damage")
{
	struct page_header header = { .stored_bytes = 100, .raw_bytes = 100,
				      .kind = PAGE_BLOCK };
	static const struct { unsigned at; uint8_t byte; } changes[] = {
		{ 7, 0xff },	/* stored bytes */
		{ 11, 0xff },	/* raw bytes */
		{ 12, 0 }, { 12, PAGE_USER + 1 },
		{ 13, PAGE_ZSTD }, { 13, PAGE_ZSTD + 1 },
		{ 14, 1 }, { 8, 99 },
	};
	uint8_t page[128] = { 0 }, copy[128];
	struct seal seal = { .seed = 5 };
	struct page_ref ref;

	page_seal(&seal, 1, 4096, &header, page, &ref);
	CHECK_OK(page_check(&seal, 4096, page, sizeof(page), &header));
	CHECK_EQ(page_check(&seal, 4104, page, sizeof(page), &header),
		 AEDB_CORRUPT);
	CHECK_EQ(page_check(&seal, 4096, page, 115, &header), AEDB_CORRUPT);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		memcpy(copy, page, sizeof(copy));
		copy[changes[i].at] = changes[i].byte;
		CHECK_EQ(page_check(&seal, 4096, copy, sizeof(copy), &header),
			 AEDB_CORRUPT);
	}
}

/* What a page with such a header, written so, is said to be. */
static int sealed_check(uint8_t kind, uint8_t codec, uint32_t raw_bytes)
{
	struct page_header header = { .stored_bytes = 100, .kind = kind,
				      .codec = codec, .raw_bytes = raw_bytes };
	uint8_t page[128] = { 0 };
	struct seal seal = { .seed = 5 };
	struct page_ref ref;

	page_seal(&seal, 1, 4096, &header, page, &ref);
	return page_check(&seal, 4096, page, sizeof(page), &header);
}

TEST(newer, "a page of a kind or codec not known, written so, is of a newer format")
{
	CHECK_EQ(sealed_check(PAGE_BLOCK, PAGE_PLAIN, 100), 0);
	CHECK_EQ(sealed_check(PAGE_USER + 1, PAGE_PLAIN, 100),
		 AEDB_NEWER_FORMAT);
	CHECK_EQ(sealed_check(0, PAGE_PLAIN, 100), AEDB_NEWER_FORMAT);
	CHECK_EQ(sealed_check(PAGE_BLOCK, PAGE_ZSTD + 1, 100),
		 AEDB_NEWER_FORMAT);
	CHECK_EQ(sealed_check(PAGE_BLOCK, PAGE_ZSTD, 100), AEDB_CORRUPT);
	CHECK_EQ(sealed_check(PAGE_BLOCK, PAGE_PLAIN, 99), AEDB_CORRUPT);
}

/* A sealed page whose payload is no zstd, or stands for another length. */
TEST(undecodable, "a sealed page that does not decompress is damage")
{
	struct page_header header = { .stored_bytes = 24, .raw_bytes = 1000,
				      .kind = PAGE_BLOCK, .codec = PAGE_ZSTD };
	uint8_t page[64] = { 0 }, payload[1000];
	struct seal seal = { .seed = 5 };
	struct page_ref ref;

	page_seal(&seal, 1, 4096, &header, page, &ref);
	CHECK_OK(page_check(&seal, 4096, page, sizeof(page), &header));
	CHECK_EQ(page_decode(&header, page, payload), AEDB_CORRUPT);
}

TEST(references, "references come back as they were, and impossible ones do not")
{
	uint8_t buf[PAGE_REF_BYTES];
	struct page_ref ref, got;

	for (int i = 0; i < 1000; i++) {
		ref = (struct page_ref){
			.file = 1 + check_random() % UINT32_MAX,
			.offset = FILE_DATA_OFFSET + check_random() %
				  (PAGE_FILE_BYTES_MAX / 8 - 512) * 8,
			.stored_bytes = (uint32_t)(1 + check_random() %
						   PAGE_PAYLOAD_BYTES_MAX),
			.crc = (uint32_t)check_random(),
		};
		page_ref_encode(&ref, buf);
		CHECK_OK(page_ref_decode(buf, &got));
		CHECK(got.file == ref.file && got.offset == ref.offset &&
		      got.stored_bytes == ref.stored_bytes && got.crc == ref.crc);
	}
	for (int field = 0; field < 3; field++) {
		page_ref_encode(&ref, buf);
		bytes_store_le32(buf + 4 * field, 0);
		CHECK_EQ(page_ref_decode(buf, &got), AEDB_CORRUPT);
	}
}

static bool file_is_there(struct simdisk *disk, const char *path)
{
	struct vfs_file *file;

	if (vfs_file_open(simdisk_vfs(disk), path, VFS_READ, &file) < 0)
		return false;
	vfs_file_close(file);
	return true;
}

/* Returns whether the fault came. */
static bool write_with_fault(uint64_t call, enum simdisk_fault fault)
{
	struct sample samples[30];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);
	struct page_writer *writer;
	int rc;

	samples_make(samples, 30);
	simdisk_fail_at(disk, simdisk_calls(disk) + call, fault);
	uint64_t calls = simdisk_calls(disk);

	rc = samples_write(set, samples, 30);
	bool was_hit = simdisk_calls(disk) - calls >= call;

	simdisk_fail_at(disk, 0, fault);
	if (rc == 0) {
		for (size_t i = 0; i < 30; i++)
			sample_check(set, &samples[i]);
	} else {
		CHECK(was_hit);
		CHECK_EQ(rc, fault == SIMDISK_EIO ? AEDB_IO : AEDB_NO_SPACE);
		CHECK(!file_is_there(disk, "seg/1.seg"));
		/* writing goes on, or has stopped for good */
		rc = page_writer_open(set, &writer);
		CHECK(rc == 0 || rc == AEDB_IO);
		if (rc == 0) {
			CHECK_EQ(page_writer_file(writer), 2);
			page_writer_close(writer);
		}
	}
	file_set_close(set);
	samples_free(samples, 30);
	simdisk_free(disk);
	return was_hit;
}

TEST(faults, "a writer that fails in any call leaves no file behind")
{
	uint64_t call = 1;

	while (write_with_fault(call, SIMDISK_EIO))
		call++;
	CHECK(call > 5);
	for (uint64_t i = 1; i < call; i++)
		write_with_fault(i, SIMDISK_ENOSPC);
}

TEST(full_disk, "a full disk takes a file again once there is room")
{
	struct sample samples[30];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set = set_open(disk);

	samples_make(samples, 30);
	free(samples[29].bytes);
	samples[29].codec = PAGE_PLAIN;
	samples[29].n = 70000;
	samples[29].bytes = calloc(1, 70000);
	for (uint64_t limit = 4096; limit <= 65536; limit += 4096) {
		simdisk_limit_bytes(disk, limit);
		CHECK_EQ(samples_write(set, samples, 30), AEDB_NO_SPACE);
		CHECK_EQ(simdisk_used_bytes(disk), 0);
	}
	simdisk_limit_bytes(disk, 0);
	CHECK_OK(samples_write(set, samples, 30));
	for (size_t i = 0; i < 30; i++)
		sample_check(set, &samples[i]);
	file_set_close(set);
	samples_free(samples, 30);
	simdisk_free(disk);
}

/* Returns whether the power was cut. */
static bool write_with_cut(uint64_t call, enum simdisk_crash_mode mode)
{
	struct sample samples[30];
	struct simdisk *disk = simdisk_new(check_seed());
	struct file_set *set;

	samples_make(samples, 30);
	simdisk_cut_at(disk, call);
	set = set_open(disk);
	int rc = set ? samples_write(set, samples, 30) : AEDB_IO;
	bool is_cut = simdisk_is_cut(disk);

	file_set_close(set);
	simdisk_crash(disk, check_random(), mode);
	set = set_open(disk);
	CHECK(set);
	if (rc == 0) {
		for (size_t i = 0; i < 30; i++)
			sample_check(set, &samples[i]);
	} else if (file_is_there(disk, "seg/1.seg")) {
		struct file_info info;

		CHECK_OK(file_set_info(set, 0, &info));
		CHECK_EQ(info.number, 1);
		CHECK_EQ(file_set_next(set), 2);
		CHECK_OK(file_set_remove(set, 1));
		CHECK(!file_is_there(disk, "seg/1.seg"));
	}
	file_set_close(set);
	samples_free(samples, 30);
	simdisk_free(disk);
	return is_cut;
}

TEST(cuts, "what a writer finished survives a power cut, its name too")
{
	uint64_t call = 1;

	while (write_with_cut(call, SIMDISK_DROP_ALL)) {
		write_with_cut(call, SIMDISK_KEEP_ALL);
		for (int i = 0; i < 10; i++)
			write_with_cut(call, SIMDISK_RANDOM);
		call++;
	}
	CHECK(call > 5);
	for (int i = 0; i < 20; i++)
		write_with_cut(call, SIMDISK_RANDOM);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
