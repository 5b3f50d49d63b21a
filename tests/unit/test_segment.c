/*
 * Segments against a sorted array.
 */
#include <pthread.h>
#include <zstd.h>

#include "bytes.h"
#include "err.h"
#include "segment_cursor.h"
#include "segment_disk.h"
#include "segment_verify.h"

static void check_info(const struct segment_info *info, const struct sorted *s)
{
	const struct entry *last = &s->at[s->n - 1];
	uint64_t tombstones = 0, time_us_max = 0, superseded = 0;
	seq_t least = SEQ_MAX, most = 0, seen_min = SEQ_MAX, seen_until = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = &s->at[i];

		if (i > 0 && sorted_compare_key(&e[-1], e->key, e->key_bytes) == 0) {
			superseded++;
			seen_min = e->seq < seen_min ? e->seq : seen_min;
			seen_until = e[-1].seq > seen_until ? e[-1].seq :
							      seen_until;
		}
		tombstones += e->is_tombstone;
		time_us_max = e->time_us > time_us_max ? e->time_us : time_us_max;
		least = e->seq < least ? e->seq : least;
		most = e->seq > most ? e->seq : most;
	}
	CHECK_EQ(info->entries, s->n);
	CHECK_EQ(info->tombstones, tombstones);
	CHECK_EQ(info->superseded, superseded);
	CHECK_EQ(info->superseded_min, superseded ? seen_min : 0);
	CHECK_EQ(info->superseded_until, seen_until);
	CHECK_EQ(info->time_us_max, time_us_max);
	CHECK_EQ(info->seq_min, least);
	CHECK_EQ(info->seq_max, most);
	CHECK_EQ(info->first.n, s->at[0].key_bytes);
	CHECK_MEM(info->first.at, s->at[0].key, info->first.n);
	CHECK_EQ(info->last.n, last->key_bytes);
	CHECK_MEM(info->last.at, last->key, info->last.n);
	CHECK_STR(segment_info_fault(info) ? segment_info_fault(info) : "", "");
}

struct wanted {
	const void *key;
	size_t n;
	seq_t limit;
};

static void check_get(struct segments *d, struct segment *segment,
		      const struct sorted *s, const struct wanted *wanted)
{
	const void *key = wanted->key;
	size_t n = wanted->n;
	seq_t limit = wanted->limit;
	size_t at = sorted_seek(s, key, n, limit);
	bool is_there = at < s->n && sorted_compare_key(&s->at[at], key, n) == 0;
	bool is_newer = at && sorted_compare_key(&s->at[at - 1], key, n) == 0;
	const struct entry sought = { .key = key, .key_bytes = (uint32_t)n };
	seq_t newer = 1;
	struct entry got;

	epoch_enter(d->epoch);
	if (check_random() % 2) {
		CHECK_EQ(segment_get_sizes(segment, &sought, limit, &got),
			 is_there);
		if (is_there)
			segment_check_sizes(&got, &s->at[at]);
	}
	CHECK_EQ(segment_get(segment, key, n, limit, &got, &newer), is_there);
	CHECK_EQ(newer, is_newer ? s->at[at - 1].seq : 0);
	if (is_there) {
		CHECK(got.key == key);
		entry_check(&got, &s->at[at]);
	}
	epoch_leave(d->epoch);
}

/* Where a seek stands in the array; s->n: nowhere. */
static size_t expect(const struct sorted *s, enum mem_seek how, const void *key,
		     size_t n)
{
	size_t at;

	switch (how) {
	case MEM_SEEK_GE:
		return sorted_seek(s, key, n, SEQ_MAX);
	case MEM_SEEK_GT:
		return sorted_seek(s, key, n, 0);
	case MEM_SEEK_LE:
		at = sorted_seek(s, key, n, 0);
		return at ? at - 1 : s->n;
	case MEM_SEEK_LT:
		at = sorted_seek(s, key, n, SEQ_MAX);
		return at ? at - 1 : s->n;
	case MEM_SEEK_FIRST:
		return 0;
	default:
		return s->n - 1;
	}
}

static void check_stands(const struct segment_cursor *c, int rc,
			 const struct sorted *s, size_t at)
{
	CHECK_OK(rc);
	CHECK_EQ(rc, at < s->n);
	if (rc)
		entry_check(&c->entry, &s->at[at]);
}

/* Some steps from where a seek stands, forward or backward. */
static void check_steps(struct segment_cursor *c, const struct sorted *s,
			size_t at, bool is_forward)
{
	for (uint64_t steps = check_random() % 40; steps && at < s->n; steps--) {
		at = is_forward ? at + 1 : at ? at - 1 : s->n;
		check_stands(c, is_forward ? segment_cursor_next(c) :
					     segment_cursor_prev(c), s, at);
	}
}

static void check_seeks(struct segments *d, struct segment_cursor *c,
			const struct sorted *s)
{
	for (int i = 0; i < 30; i++) {
		size_t n, at;
		void *key = sorted_some_key(s, &n);
		seq_t limit = sorted_some_limit(s);

		check_get(d, c->segment, s, &(struct wanted){ key, n, limit });
		check_get(d, c->segment, s, &(struct wanted){ key, n, SEQ_MAX });
		for (int how = MEM_SEEK_GE; how <= MEM_SEEK_LAST; how++) {
			at = expect(s, how, key, n);
			check_stands(c, segment_cursor_seek(c, how, key, n), s, at);
			check_steps(c, s, at, check_random() % 2);
		}
		at = sorted_seek(s, key, n, limit);
		check_stands(c, segment_cursor_seek_version(c, key, n, limit), s,
			     at);
		free(key);
	}
}

static void check_walks(struct segment_cursor *c, const struct sorted *s)
{
	int rc = segment_cursor_seek(c, MEM_SEEK_FIRST, NULL, 0);

	for (size_t i = 0; i <= s->n; i++) {
		check_stands(c, rc, s, i);
		if (i < s->n)
			rc = segment_cursor_next(c);
	}
	rc = segment_cursor_seek(c, MEM_SEEK_LAST, NULL, 0);
	for (size_t i = s->n; i > 0; i--) {
		check_stands(c, rc, s, i - 1);
		rc = segment_cursor_prev(c);
	}
	CHECK_EQ(rc, 0);
}

static void check_verify(struct segment *segment, const struct sorted *s,
			 FILE *out, struct segment_report *report)
{
	struct segment_verifier *v;
	const struct entry *entry;
	size_t i = 0;
	int rc;

	CHECK_OK(segment_verify_open(segment, out, report, &v));
	while ((rc = segment_verify_next(v, &entry)) > 0) {
		CHECK(i < s->n);
		entry_check(entry, &s->at[i++]);
	}
	CHECK_EQ(rc, 0);
	segment_verify_close(v);
}

static void check_segment(struct segments *d, const struct segment_info *info,
			  const struct sorted *s)
{
	struct segment_report report = { .entries = 0 };
	struct segment_cursor cached, streamed;
	struct segment *segment;
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK_OK(segment_open(d->set, d->cache, info, &segment));
	epoch_enter(d->epoch);
	segment_cursor_init(&cached, segment, SEGMENT_CACHED);
	check_walks(&cached, s);
	check_seeks(d, &cached, s);
	segment_cursor_release(&cached);
	for (size_t i = 0; i < s->n; i++)
		check_get(d, segment, s, &(struct wanted){
			s->at[i].key, s->at[i].key_bytes, s->at[i].seq });
	epoch_leave(d->epoch);
	segment_cursor_init(&streamed, segment, SEGMENT_STREAMED);
	check_walks(&streamed, s);
	check_seeks(d, &streamed, s);
	segment_cursor_release(&streamed);
	check_verify(segment, s, out, &report);
	fclose(out);
	CHECK_STR(text, "");
	free(text);
	CHECK_EQ(report.findings, 0);
	CHECK_EQ(report.entries, s->n);
	CHECK_EQ(FILE_DATA_OFFSET + report.bytes, info->bytes);
	segment_close(segment);
}

TEST(model, "a segment gives what was written into it, by key and limit and in order both ways")
{
	static const size_t caches[] = { 8 << 10, 256 << 10, 8 << 20 };
	struct segments d;

	for (int round = 0; round < 24; round++) {
		struct segment_info info;
		struct sorted s;

		segments_open(&d, caches[check_random() % 3]);
		sorted_new(&s, 1 + check_random() % (check_random() % 3 ? 60 : 1500));
		segment_write(&d, &s, check_random() % 3 ? 512 : 0, &info);
		check_info(&info, &s);
		check_segment(&d, &info, &s);
		segment_info_release(&info);
		sorted_free(&s);
		segments_close(&d);
	}
}

/* Entries of which the front of a block says all but the value, or others. */
static void make_plain(struct sorted *s, bool is_plain)
{
	for (size_t i = 0; i < s->n; i++) {
		struct entry *e = &s->at[i];

		e->is_ref = false;
		e->mtime_ns = is_plain ? AEDB_MTIME_NONE : 5;
		e->attr_bytes = is_plain ? 0 : e->attr_bytes;
	}
}

/* Gets all; returns how many lookups found nothing in the cache. */
static uint64_t get_all(struct segments *d, struct segment *segment,
			const struct sorted *s, enum entry_wanted wanted)
{
	uint64_t hits, before, after;
	struct entry got;

	cache_counts(d->cache, &hits, &before);
	epoch_enter(d->epoch);
	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = &s->at[i];

		if (wanted == ENTRY_SIZES) {
			CHECK_EQ(segment_get_sizes(segment, e, e->seq, &got), 1);
			segment_check_sizes(&got, e);
		} else {
			CHECK_EQ(segment_get(segment, e->key, e->key_bytes,
					     e->seq, &got, NULL), 1);
			entry_check(&got, e);
		}
	}
	epoch_leave(d->epoch);
	cache_counts(d->cache, &hits, &after);
	return after - before;
}

/* Bytes of the cache after the sizes, and after all of it. */
static void sizes_then_all(bool is_plain, size_t *ret_sizes, size_t *ret_all)
{
	struct segment_info info;
	struct segment *segment;
	struct segments d;
	struct sorted s;

	segments_open(&d, 32 << 20);
	sorted_new_of(&s, 3000, SORTED_PATHS);
	make_plain(&s, is_plain);
	segment_write(&d, &s, 0, &info);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	CHECK(get_all(&d, segment, &s, ENTRY_SIZES) > 0);
	CHECK_EQ(get_all(&d, segment, &s, ENTRY_SIZES), 0);
	*ret_sizes = cache_bytes(d.cache);
	CHECK_EQ(get_all(&d, segment, &s, ENTRY_WHOLE) > 0, is_plain);
	CHECK_EQ(get_all(&d, segment, &s, ENTRY_WHOLE), 0);
	CHECK_EQ(get_all(&d, segment, &s, ENTRY_SIZES), 0);
	*ret_all = cache_bytes(d.cache);
	segment_close(segment);
	segment_info_release(&info);
	sorted_free(&s);
	segments_close(&d);
}

TEST(sizes, "sizes of plain entries take little of the cache, those of others are read whole, once")
{
	size_t sizes, all;

	sizes_then_all(true, &sizes, &all);
	CHECK_THAT(sizes < all / 3, "%zu of %zu", sizes, all);
	sizes_then_all(false, &sizes, &all);
	CHECK_EQ(sizes, all);
}

/* All that a get of each version returns, with limits between versions. */
static void check_all_limits(struct segments *d, struct segment *segment,
			     const struct sorted *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = &s->at[i];
		struct wanted wanted = { e->key, e->key_bytes, e->seq };

		check_get(d, segment, s, &wanted);
		wanted.limit = e->seq - 1;
		check_get(d, segment, s, &wanted);
	}
}

TEST(versions, "a version is found among many of its key, over blocks and partitions")
{
	struct segment_info info;
	struct segment *segment;
	struct segments d;
	struct sorted s;

	segments_open(&d, 1 << 20);
	sorted_new_of(&s, 3000, SORTED_ONE);
	segment_write(&d, &s, 512, &info);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	check_all_limits(&d, segment, &s);
	segment_close(segment);
	segment_info_release(&info);
	sorted_free(&s);
	segments_close(&d);
}

TEST(small, "a segment of few entries is a file of a few KiB, and a get of it reads two pages")
{
	struct segment_info info;
	struct segment *segment;
	struct segments d;
	struct sorted s;
	struct entry got;

	segments_open(&d, 1 << 20);
	sorted_new_of(&s, 60, SORTED_NUMBERS);
	for (size_t i = 0; i < s.n; i++) {
		s.at[i].attr_bytes = 0;
		if (s.at[i].value_bytes > 40)
			s.at[i].value_bytes = 40;
	}
	segment_write(&d, &s, 0, &info);
	CHECK_THAT(info.bytes < FILE_DATA_OFFSET + 4096, "%" PRIu64, info.bytes);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	CHECK_EQ(cache_things(d.cache), 0);
	epoch_enter(d.epoch);
	CHECK_EQ(segment_get(segment, s.at[7].key, s.at[7].key_bytes,
			     s.at[7].seq, &got, NULL), 1);
	entry_check(&got, &s.at[7]);
	epoch_leave(d.epoch);
	CHECK_EQ(cache_things(d.cache), 2);
	segment_close(segment);
	segment_info_release(&info);
	sorted_free(&s);
	segments_close(&d);
}

TEST(bounded, "a writer holds blocks and a partition in memory, not the segment")
{
	char key[32], value[32] = "a value";
	struct entry e = { .key = key, .key_bytes = 24, .value = value,
			   .value_bytes = 32, .mtime_ns = AEDB_MTIME_NONE };
	struct segment_writer *w;
	struct segment_info info;
	struct segments d;
	size_t at_first = 0;

	segments_open(&d, 1 << 20);
	CHECK_OK(segment_writer_open(d.set, 1024, &w));
	for (unsigned int i = 0; i < 100000; i++) {
		e.seq = e.id = e.time_us = i + 1;
		sprintf(key, "key %020u", i);
		CHECK_OK(segment_writer_add(w, &e));
		if (i == 2000)
			at_first = segment_writer_memory_bytes(w);
	}
	/* what grows is the index of partitions */
	CHECK_THAT(segment_writer_memory_bytes(w) < at_first + (16 << 10),
		   "%zu, at first %zu", segment_writer_memory_bytes(w), at_first);
	CHECK_OK(segment_writer_finish(w, &info));
	CHECK_EQ(info.entries, 100000);
	segment_writer_close(w);
	segment_info_release(&info);
	segments_close(&d);
}

TEST(shares, "bytes in value files are added up by file")
{
	struct entry e = { .key = "key", .key_bytes = 3, .seq = 1, .id = 1,
			   .mtime_ns = AEDB_MTIME_NONE };
	struct segment_writer *w;
	struct segment_info info;
	struct segments d;

	segments_open(&d, 1 << 20);
	CHECK_OK(segment_writer_open(d.set, 0, &w));
	CHECK_OK(segment_writer_add(w, &e));
	CHECK_OK(segment_writer_share(w, 7, 100));
	CHECK_OK(segment_writer_share(w, 3, 10));
	CHECK_OK(segment_writer_share(w, 9, 1));
	CHECK_OK(segment_writer_share(w, 7, 1000));
	CHECK_OK(segment_writer_finish(w, &info));
	segment_writer_close(w);
	CHECK_EQ(info.n_shares, 3);
	CHECK_EQ(info.shares[0].file, 3);
	CHECK_EQ(info.shares[0].bytes, 10);
	CHECK_EQ(info.shares[1].file, 7);
	CHECK_EQ(info.shares[1].bytes, 1100);
	CHECK_EQ(info.shares[2].file, 9);
	CHECK_EQ(info.shares[2].bytes, 1);
	segment_info_release(&info);
	segments_close(&d);
}

struct reader {
	struct segments *d;
	struct segment *segment;
	const struct sorted *s;
	uint64_t random;
};

static void *reader_run(void *arg)
{
	struct reader *r = arg;
	struct segment_cursor c;

	segment_cursor_init(&c, r->segment, SEGMENT_CACHED);
	for (int i = 0; i < 2000; i++) {
		size_t at;

		r->random = r->random * 6364136223846793005u + 1442695040888963407u;
		at = (r->random >> 33) % r->s->n;
		check_get(r->d, r->segment, r->s, &(struct wanted){
			r->s->at[at].key, r->s->at[at].key_bytes,
			r->s->at[at].seq });
		epoch_enter(r->d->epoch);
		check_stands(&c, segment_cursor_seek_version(&c,
				r->s->at[at].key, r->s->at[at].key_bytes,
				r->s->at[at].seq), r->s, at);
		check_stands(&c, segment_cursor_next(&c), r->s, at + 1);
		epoch_leave(r->d->epoch);
	}
	segment_cursor_release(&c);
	return NULL;
}

TEST(threads, "several threads read a segment at once through a cache too small for it")
{
	struct reader readers[3];
	struct segment_info info;
	struct segment *segment;
	pthread_t threads[3];
	struct segments d;
	struct sorted s;

	segments_open(&d, 32 << 10);
	sorted_new_of(&s, 1000, SORTED_NUMBERS);
	segment_write(&d, &s, 1024, &info);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	for (int i = 0; i < 3; i++) {
		readers[i] = (struct reader){ &d, segment, &s, check_random() };
		CHECK_EQ(pthread_create(&threads[i], NULL, reader_run,
					&readers[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	segment_close(segment);
	segment_info_release(&info);
	sorted_free(&s);
	segments_close(&d);
}

TEST(moved, "a cursor goes over to another segment")
{
	struct segment_info infos[2];
	struct segment *segments[2];
	struct segment_cursor c;
	struct segments d;
	struct sorted s[2];

	segments_open(&d, 1 << 20);
	for (int i = 0; i < 2; i++) {
		sorted_new_of(&s[i], 200, i ? SORTED_LONG : SORTED_PATHS);
		segment_write(&d, &s[i], 1024, &infos[i]);
		CHECK_OK(segment_open(d.set, d.cache, &infos[i], &segments[i]));
	}
	for (int reading = SEGMENT_CACHED; reading <= SEGMENT_STREAMED; reading++) {
		size_t put_bytes = 0;

		epoch_enter(d.epoch);
		segment_cursor_init(&c, segments[0], reading);
		c.put_bytes = &put_bytes;
		check_walks(&c, &s[0]);
		segment_cursor_move(&c, segments[1]);
		check_walks(&c, &s[1]);
		segment_cursor_move(&c, segments[0]);
		check_walks(&c, &s[0]);
		CHECK(c.in_block.key_room >= SORTED_KEY_MAX - 300);
		segment_cursor_release(&c);
		epoch_leave(d.epoch);
	}
	for (int i = 0; i < 2; i++) {
		segment_close(segments[i]);
		segment_info_release(&infos[i]);
		sorted_free(&s[i]);
	}
	segments_close(&d);
}

/* One walk forward over all, bytes that it puts into the cache counted. */
static void check_passing(struct segments *d, struct segment *segment,
			  const struct sorted *s, size_t *put_bytes)
{
	struct segment_cursor c;

	epoch_enter(d->epoch);
	segment_cursor_init(&c, segment, SEGMENT_WALKED);
	c.put_bytes = put_bytes;
	check_stands(&c, segment_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0), s, 0);
	for (size_t at = 0; at < s->n; at++) {
		const struct entry *e = &s->at[at];

		/* as one that left the epoch and goes on */
		if (check_random() % 64 == 0)
			check_stands(&c, segment_cursor_seek_version(
				&c, e->key, e->key_bytes, e->seq), s, at);
		check_stands(&c, segment_cursor_next(&c), s, at + 1);
	}
	segment_cursor_release(&c);
	epoch_leave(d->epoch);
}

TEST(passing, "a walk puts its share into the cache; the rest gets in when walks come again")
{
	struct segment_info info;
	struct segment *segment;
	struct segments d;
	struct sorted s;
	size_t put_bytes = 0, share, once, before;

	segments_open(&d, 1 << 20);
	sorted_new(&s, 12000);
	segment_write(&d, &s, 2048, &info);
	/* room for all of it, decoded */
	segments_reopen(&d, 6 * info.bytes);
	share = cache_walk_bytes(d.cache);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	check_passing(&d, segment, &s, &put_bytes);
	CHECK(put_bytes >= share && put_bytes < share / 2 * 3);
	once = cache_things(d.cache);
	before = put_bytes;
	check_passing(&d, segment, &s, &put_bytes);
	CHECK(put_bytes > before && cache_things(d.cache) > once);
	/* in the end they find what they need */
	for (int i = 0; i < 30 && put_bytes > before; i++) {
		before = put_bytes;
		check_passing(&d, segment, &s, &put_bytes);
	}
	CHECK_EQ(put_bytes, before);
	segment_close(segment);
	segment_info_release(&info);
	sorted_free(&s);
	segments_close(&d);
}

/* Entries of which a block is about as large as any other. */
static void write_alike(struct segments *d, unsigned n,
			struct segment_info *ret_info)
{
	struct segment_writer *w;
	char key[17], value[33];

	CHECK_OK(segment_writer_open(d->set, 0, &w));
	for (unsigned i = 0; i < n; i++) {
		struct entry entry = {
			.key = key,
			.key_bytes = 16,
			.value = value,
			.value_bytes = 32,
			.seq = 1 + check_random() % n,
			.mtime_ns = AEDB_MTIME_NONE,
		};

		snprintf(key, sizeof(key), "k%015u", i);
		snprintf(value, sizeof(value), "%010llx, as all of them are",
			 (unsigned long long)check_random() & 0xffffffffff);
		entry.id = entry.time_us = entry.seq;
		CHECK_OK(segment_writer_add(w, &entry));
	}
	CHECK_OK(segment_writer_finish(w, ret_info));
	segment_writer_close(w);
}

/* Bytes of a page's last frame, if it is one that decoding passes over. */
static uint64_t filling_of(const uint8_t *at, size_t n)
{
	for (size_t frame; n; at += frame, n -= frame) {
		frame = ZSTD_findFrameCompressedSize(at, n);
		CHECK(!ZSTD_isError(frame));
		if (bytes_load_le32(at) == ZSTD_MAGIC_SKIPPABLE_START) {
			CHECK_EQ(frame, n);
			return frame;
		}
	}
	return 0;
}

TEST(few_reads, "most blocks lie in as few reads of the disk as they can, and "
	"little is spent on it")
{
	uint64_t filling = 0, at = FILE_DATA_OFFSET, size;
	unsigned blocks = 0, more = 0;
	struct page_header header;
	struct segment_info info;
	struct vfs_file *file;
	struct segments d;
	uint8_t *bytes;

	segments_open(&d, 0);
	write_alike(&d, 60000, &info);
	CHECK_OK(vfs_file_open(simdisk_vfs(d.disk), "seg/1.seg", VFS_READ, &file));
	CHECK_OK(vfs_file_size(file, &size));
	bytes = malloc(size);
	CHECK_OK(vfs_read_exact(file, bytes, size, 0));
	vfs_file_close(file);
	for (uint64_t end; at < size; at = end) {
		CHECK_OK(page_header_decode(bytes + at, &header));
		end = at + page_disk_bytes(header.stored_bytes);
		if (header.kind != PAGE_BLOCK)
			continue;
		blocks++;
		more += (end - 1) / PAGE_READ_BYTES - at / PAGE_READ_BYTES >
			(end - 1 - at) / PAGE_READ_BYTES;
		filling += filling_of(bytes + at + PAGE_HEADER_BYTES,
				      header.stored_bytes);
	}
	CHECK_EQ(at, size);
	CHECK(blocks > 100);
	CHECK(filling > 0 && filling <= size / 32);
	CHECK_THAT(more < blocks * 2 / 5, "%u of %u blocks take a read more", more,
		   blocks);
	free(bytes);
	segment_info_release(&info);
	segments_close(&d);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
