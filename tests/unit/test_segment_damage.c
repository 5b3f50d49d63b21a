/*
 * Segments with damage, on disks that fail, and as text.
 */
#include "block_writer.h"
#include "err.h"
#include "filter.h"
#include "page_writer.h"
#include "segment_cursor.h"
#include "segment_disk.h"
#include "segment_format.h"
#include "segment_verify.h"
#include "wal_run.h"

#define FILE_NAME "seg/1.seg"

struct damaged {
	struct segments d;
	struct sorted s;
	struct segment_info info;
};

static void damaged_open(struct damaged *g, size_t entries, size_t page_bytes)
{
	segments_open(&g->d, 1 << 20);
	sorted_new_of(&g->s, entries, SORTED_PATHS);
	for (size_t i = 0; i < g->s.n; i++) {
		struct entry *e = &g->s.at[i];

		e->value_bytes = e->value_bytes < 40 ? e->value_bytes : 40;
		e->attr_bytes = e->attr_bytes < 40 ? e->attr_bytes : 40;
	}
	segment_write(&g->d, &g->s, page_bytes, &g->info);
}

static void damaged_close(struct damaged *g)
{
	segment_info_release(&g->info);
	sorted_free(&g->s);
	segments_close(&g->d);
}

static bool is_damage(int rc)
{
	if (rc != AEDB_CORRUPT)
		return false;
	CHECK_THAT(strstr(err_message(), FILE_NAME), "%s", err_message());
	return true;
}

static void check_result(int rc)
{
	CHECK_THAT(rc == 1 || is_damage(rc), "get gives %d", rc);
}

/* Every version by a get, of its sizes first: right, or damage that names the file. Returns how
 * many were damage. */
static unsigned int try_gets(struct damaged *g, struct segment *segment)
{
	unsigned int damaged = 0;

	for (size_t i = 0; i < g->s.n; i++) {
		const struct entry *want = &g->s.at[i];
		struct entry got;
		int rc, sizes;

		epoch_enter(g->d.epoch);
		sizes = segment_get_sizes(segment, want, want->seq, &got);
		check_result(sizes);
		if (sizes == 1)
			segment_check_sizes(&got, want);
		rc = segment_get(segment, want->key, want->key_bytes, want->seq,
				 &got, NULL);
		check_result(rc);
		if (rc == 1)
			entry_check(&got, want);
		CHECK_EQ(rc, sizes);
		damaged += rc != 1;
		epoch_leave(g->d.epoch);
	}
	return damaged;
}

static void try_walk(struct damaged *g, struct segment *segment, bool is_damaged)
{
	struct segment_cursor c;
	size_t i = 0;
	int rc;

	segment_cursor_init(&c, segment, SEGMENT_STREAMED);
	rc = segment_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0);
	for (; rc > 0; rc = segment_cursor_next(&c)) {
		CHECK(i < g->s.n);
		entry_check(&c.entry, &g->s.at[i++]);
	}
	if (rc == 0)
		CHECK_EQ(i, g->s.n);
	else
		CHECK(is_damage(rc) && is_damaged);
	segment_cursor_release(&c);
}

/* Findings of a verification, each a line that begins with file and place. */
static uint64_t verify(struct segment *segment)
{
	struct segment_report report = { .findings = 0 };
	struct segment_verifier *v;
	const struct entry *entry;
	uint64_t lines = 0;
	char *text, *line, *rest;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	int rc;

	CHECK_OK(segment_verify_open(segment, out, &report, &v));
	while ((rc = segment_verify_next(v, &entry)) > 0)
		continue;
	CHECK_OK(rc);
	segment_verify_close(v);
	fclose(out);
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest), lines++) {
		unsigned long long place;
		char what;

		CHECK_THAT(sscanf(line, FILE_NAME ": %llu: %c", &place, &what) == 2,
			   "%s", line);
	}
	free(text);
	CHECK_EQ(lines, report.findings);
	return report.findings;
}

/* Reads all of the segment as it is on the disk; true if it is damaged. */
static bool try_all(struct damaged *g)
{
	struct segment *segment;
	unsigned int damaged;
	uint64_t findings;

	segments_reopen(&g->d, 1 << 20);
	CHECK_OK(segment_open(g->d.set, g->d.cache, &g->info, &segment));
	findings = verify(segment);
	damaged = try_gets(g, segment);
	try_walk(g, segment, findings > 0);
	CHECK_THAT(!damaged || findings, "%u gets fail, verified", damaged);
	segment_close(segment);
	return findings > 0;
}

/* Steps of up to `steps` bytes. */
static void flip_all(size_t entries, size_t page_bytes, unsigned int steps)
{
	struct damaged g;
	unsigned int harmless = 0, pages;

	damaged_open(&g, entries, page_bytes);
	pages = (unsigned int)(g.info.bytes / 100);
	for (uint64_t at = 0; at < g.info.bytes;
	     at += 1 + check_random() % steps) {
		uint8_t mask = (uint8_t)(1 + check_random() % 255);

		/* between the header and the pages there is nothing */
		if (at >= FILE_HEADER_BYTES && at < FILE_DATA_OFFSET)
			at = FILE_DATA_OFFSET - 1;
		wal_run_flip(g.d.vfs, FILE_NAME, at, mask);
		if (!try_all(&g)) {
			CHECK(at >= FILE_HEADER_BYTES);
			harmless++;
		}
		wal_run_flip(g.d.vfs, FILE_NAME, at, mask);
	}
	/* the bytes that fill a page up to a multiple of 8 */
	CHECK_THAT(harmless <= 1 + 7 * pages, "%u of %" PRIu64, harmless,
		   g.info.bytes);
	CHECK(!try_all(&g));
	damaged_close(&g);
}

TEST(flips_small, "any byte changed in a small segment is reported or does not matter")
{
	flip_all(25, 0, 1);
}

TEST(flips_parts, "a byte changed in one of several partitions is reported or does not matter")
{
	flip_all(350, 512, 6);
}

TEST(cut, "a segment cut off anywhere is reported")
{
	struct damaged g;
	uint8_t *bytes;
	size_t n;

	damaged_open(&g, 60, 512);
	bytes = wal_run_load(g.d.vfs, FILE_NAME, &n);
	CHECK_EQ(n, g.info.bytes);
	for (size_t cut = n - 1; cut > 20; cut -= 1 + check_random() % 20) {
		struct vfs_file *file;

		CHECK_OK(vfs_file_open(g.d.vfs, FILE_NAME, VFS_WRITE, &file));
		CHECK_OK(vfs_file_truncate(file, cut));
		vfs_file_close(file);
		CHECK_THAT(try_all(&g), "cut at %zu", cut);
		wal_run_patch(g.d.vfs, FILE_NAME, bytes, n, 0);
	}
	CHECK(!try_all(&g));
	free(bytes);
	damaged_close(&g);
}

TEST(other, "a segment that the manifest knows otherwise is reported")
{
	struct damaged g;
	struct segment_info info;
	struct segment *segment;

	damaged_open(&g, 60, 512);
	info = g.info;
	info.entries++;
	CHECK_OK(segment_open(g.d.set, g.d.cache, &info, &segment));
	CHECK_EQ(verify(segment), 1);
	segment_close(segment);
	info = g.info;
	info.bytes += 8;
	CHECK_OK(segment_open(g.d.set, g.d.cache, &info, &segment));
	CHECK_EQ(verify(segment), 1);
	segment_close(segment);
	info = g.info;
	info.meta.crc ^= 1;
	CHECK_OK(segment_open(g.d.set, g.d.cache, &info, &segment));
	CHECK_EQ(verify(segment), 1);
	CHECK_EQ(try_gets(&g, segment), g.s.n);
	segment_close(segment);
	damaged_close(&g);
}

enum craft {
	CRAFT_WELL,
	CRAFT_SWAPPED,		/* the second block first */
	CRAFT_SEPARATOR,	/* one that stands elsewhere */
	CRAFT_FILTER,		/* of other keys */
	CRAFT_COUNT,
	CRAFT_FIRST,
	CRAFT_GAP,		/* a page that no index names */
	CRAFT_NEWEST,		/* two first versions of one key */
	CRAFTS,
};

struct crafting {
	const struct sorted *s;
	enum craft craft;
	struct page_writer *pages;
	struct block_writer *block;
	struct segment_index_builder index;
};

/* The block of entries from..to. */
static void craft_block(struct crafting *c, size_t from, size_t to)
{
	struct block_encoded encoded;
	struct page_ref page;

	for (size_t i = from; i < to; i++)
		CHECK_OK(block_writer_add(c->block, &c->s->at[i]));
	CHECK_OK(block_writer_encode(c->block, &encoded));
	CHECK_OK(page_writer_add(c->pages, PAGE_BLOCK, PAGE_ZSTD, encoded.bytes,
				 encoded.n, &page));
	CHECK_OK(segment_index_add(&c->index, &page));
	block_writer_clear(c->block);
}

static void craft_blocks(struct crafting *c)
{
	size_t half = c->s->n / 2, n = c->s->n;
	const struct entry *e = &c->s->at[half];
	bool is_swapped = c->craft == CRAFT_SWAPPED;
	struct page_ref page;

	craft_block(c, is_swapped ? half : 0, is_swapped ? n : half);
	if (c->craft == CRAFT_GAP)
		CHECK_OK(page_writer_add(c->pages, PAGE_BLOCK, PAGE_PLAIN, "gap",
					 3, &page));
	if (c->craft == CRAFT_SEPARATOR)
		e += 2;
	CHECK_OK(segment_index_separate(&c->index, e->key, e->key_bytes,
					c->craft == CRAFT_NEWEST ? e->seq : 0));
	if (c->craft == CRAFT_NEWEST) {	/* this one knows nothing of the first */
		block_writer_close(c->block);
		CHECK_OK(block_writer_open(1 << 20, &c->block));
	}
	craft_block(c, is_swapped ? 0 : half, is_swapped ? half : n);
}

/* What the entries say of themselves. */
static struct segment_properties craft_properties(const struct sorted *s)
{
	struct segment_properties p = { .entries = s->n, .blocks = 2,
					.seq_min = SEQ_MAX };

	p.first = (struct segment_bytes){ s->at[0].key, s->at[0].key_bytes };
	p.last = (struct segment_bytes){ s->at[s->n - 1].key,
					 s->at[s->n - 1].key_bytes };
	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = &s->at[i];

		p.tombstones += e->is_tombstone;
		p.keys += i == 0 || sorted_compare_key(e - 1, e->key,
						       e->key_bytes) != 0;
		p.seq_min = e->seq < p.seq_min ? e->seq : p.seq_min;
		p.seq_max = e->seq > p.seq_max ? e->seq : p.seq_max;
		if (e->time_us > p.time_us_max)
			p.time_us_max = e->time_us;
	}
	return p;
}

static void craft_last_page(struct crafting *c, struct segment_info *ret)
{
	struct segment_properties p = craft_properties(c->s);
	size_t part_bytes = segment_part_encoded_bytes(&c->index, c->s->n), n;
	uint64_t *hashes = calloc(c->s->n, sizeof(*hashes));
	uint8_t *bytes;

	for (size_t i = 0; i < c->s->n && c->craft != CRAFT_FILTER; i++)
		hashes[i] = filter_hash(c->s->at[i].key, c->s->at[i].key_bytes);
	p.entries += c->craft == CRAFT_COUNT;
	if (c->craft == CRAFT_FIRST)
		p.first.n--;
	n = segment_properties_encoded_bytes(&p, part_bytes);
	bytes = malloc(n);
	segment_properties_encode(&p, part_bytes, bytes);
	segment_part_encode(&c->index, hashes, c->s->n,
			    (uint8_t *)segment_properties_part(bytes));
	CHECK_OK(page_writer_add(c->pages, PAGE_META, PAGE_PLAIN, bytes, n,
				 &ret->meta));
	ret->number = page_writer_file(c->pages);
	ret->bytes = page_writer_end(c->pages);
	ret->entries = p.entries;
	ret->tombstones = p.tombstones;
	ret->superseded = p.entries - p.keys;
	ret->seq_min = p.seq_min;
	ret->seq_max = p.seq_max;
	ret->time_us_max = p.time_us_max;
	ret->first = p.first;
	ret->last = p.last;
	free(bytes);
	free(hashes);
}

TEST(crafted, "pages that say of each other what is not so are found")
{
	for (enum craft craft = CRAFT_WELL; craft < CRAFTS; craft++) {
		struct segment_info info = { .level = 0 };
		struct crafting c = { .craft = craft };
		struct segment *segment;
		struct segments d;
		struct sorted s;
		uint64_t found;

		segments_open(&d, 1 << 20);
		sorted_new_of(&s, 60, SORTED_NUMBERS);
		for (size_t i = 0; i < s.n; i++) {
			s.at[i].seq = s.at[i].id = SEQ_MAX / 2 - i;
			sprintf((char *)s.at[i].key, "k%015zu",
				craft == CRAFT_NEWEST ? 0 : i);
		}
		c.s = &s;
		CHECK_OK(page_writer_open(d.set, &c.pages));
		CHECK_OK(block_writer_open(1 << 20, &c.block));
		craft_blocks(&c);
		craft_last_page(&c, &info);
		CHECK_OK(page_writer_finish(c.pages));
		page_writer_close(c.pages);
		block_writer_close(c.block);
		segment_index_release(&c.index);
		CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
		found = verify(segment);
		CHECK_THAT((found > 0) == (craft != CRAFT_WELL),
			   "fault %d: %" PRIu64 " findings", craft, found);
		segment_close(segment);
		sorted_free(&s);
		segments_close(&d);
	}
}

/* Writes with call number `call` failing; returns what failed or 0. */
static int write_failing(struct damaged *g, uint64_t call,
			 enum simdisk_fault fault, struct segment_info *ret)
{
	struct segment_writer *w;
	int rc;

	simdisk_fail_at(g->d.disk, simdisk_calls(g->d.disk) + call, fault);
	rc = segment_writer_open(g->d.set, 512, &w);
	if (rc == 0) {
		for (size_t i = 0; rc == 0 && i < g->s.n; i++)
			rc = segment_writer_add(w, &g->s.at[i]);
		if (rc == 0)
			rc = segment_writer_finish(w, ret);
		if (rc < 0)
			CHECK_EQ(segment_writer_add(w, &g->s.at[0]), rc);
		segment_writer_close(w);
	}
	simdisk_fail_at(g->d.disk, 0, fault);
	return rc;
}

static void write_failing_each(enum simdisk_fault fault, int want)
{
	struct segment_info info;
	struct damaged g;
	uint64_t call = 1;
	int rc = -1;

	damaged_open(&g, 300, 512);
	for (; rc < 0; call++) {
		char **names;
		size_t n;

		rc = write_failing(&g, call, fault, &info);
		CHECK_THAT(rc == 0 || rc == want, "%d: %s", rc, err_message());
		CHECK_OK(g.d.vfs->ops->list(g.d.vfs, "seg", &names, &n));
		/* a failing unlink leaves the file, for the next open to remove */
		CHECK(n == 1 || rc == 0 || fault == SIMDISK_EIO);
		vfs_free_names(names, n);
		segments_reopen(&g.d, 1 << 20);
	}
	CHECK(call > 3);
	segment_info_release(&info);
	damaged_close(&g);
}

TEST(full, "a full disk or failing writes leave no segment, and every later call fails")
{
	write_failing_each(SIMDISK_ENOSPC, AEDB_NO_SPACE);
	write_failing_each(SIMDISK_EIO, AEDB_IO);
}

TEST(unreadable, "a read that fails is an error each time, and no damage in the cache")
{
	struct segment *segment;
	struct damaged g;
	struct entry got;
	int rc = -1;

	damaged_open(&g, 900, 512);
	for (uint64_t call = 1; rc < 0; call++) {
		const struct entry *e = &g.s.at[check_random() % g.s.n];

		segments_reopen(&g.d, 1 << 20);
		CHECK_OK(segment_open(g.d.set, g.d.cache, &g.info, &segment));
		epoch_enter(g.d.epoch);
		simdisk_fail_at(g.d.disk, simdisk_calls(g.d.disk) + call,
				SIMDISK_EIO);
		rc = segment_get(segment, e->key, e->key_bytes, e->seq, &got,
				 NULL);
		simdisk_fail_at(g.d.disk, 0, SIMDISK_EIO);
		CHECK_THAT(rc == 1 || rc == AEDB_IO, "%d", rc);
		CHECK(rc == 1 || call <= 6);
		epoch_leave(g.d.epoch);
		CHECK_EQ(try_gets(&g, segment), 0);
		segment_close(segment);
	}
	damaged_close(&g);
}

static char *show(struct damaged *g)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK_OK(segment_show_file(g->d.vfs, FILE_NAME, out));
	fclose(out);
	return text;
}

TEST(shown, "a segment is shown page by page with its entries, around what is damaged")
{
	struct damaged g;
	unsigned int lines = 0;
	char *text, *at;

	damaged_open(&g, 300, 512);
	text = show(&g);
	for (at = text; (at = strstr(at, " seq ")); at++)
		lines += strncmp(at - 1, "\n", 1) != 0;
	CHECK_THAT(lines >= g.s.n, "%u", lines);
	CHECK(strstr(text, "partitioned"));
	CHECK(strstr(text, "filter of"));
	CHECK(!strstr(text, "damaged"));
	free(text);
	wal_run_flip(g.d.vfs, FILE_NAME, FILE_DATA_OFFSET + 40, 1);
	text = show(&g);
	at = strstr(text, "damaged");
	CHECK(at);
	CHECK(strstr(at, " seq "));
	free(text);
	damaged_close(&g);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
