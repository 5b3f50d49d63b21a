/*
 * Verifying: block by block in the order of the file, each partition's index
 * before its blocks, which lie in front of it.
 *
 * Invariants:
 * 1. `offset` is where the page is to begin that comes next.
 * 2. Counts are compared only if every page was good.
 */
#include "segment_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "block_cursor.h"
#include "cache.h"
#include "err.h"
#include "file_set.h"
#include "filter.h"
#include "mem_key.h"
#include "segment_page.h"

struct segment_verifier {
	const struct segment *segment;
	FILE *out;
	struct segment_report *report;
	uint64_t offset;		/* where the next page begins */
	bool is_incomplete;		/* a page was damaged */
	bool is_over;
	uint8_t *properties;		/* owned; NULL: damaged */
	struct segment_part top;	/* leads to partitions, if there are any */
	uint32_t parts, part_at;	/* part_at: of the one that comes next */
	uint8_t *part_bytes;		/* owned; NULL: in the properties */
	struct segment_part part;
	struct page_ref part_page;
	bool has_part;			/* part is read */
	uint32_t block_at;		/* the block of it that comes next */
	uint8_t *block;			/* owned; NULL: none is being read */
	uint64_t block_offset;
	bool is_filtered;		/* as far as the block was read */
	struct block_cursor cursor;
	struct entry entry;
	bool has_last;			/* the entry before was readable */
	seq_t last_seq;
	size_t last_bytes;
	uint8_t last[SEGMENT_KEY_BYTES_MAX];
	struct segment_properties counted;
	seq_t superseded_min, superseded_until;
	char path[FILE_SET_PATH_BYTES];
};

__attribute__((format(printf, 3, 4)))
static void find(struct segment_verifier *v, uint64_t offset,
		 const char *format, ...)
{
	va_list args;

	fprintf(v->out, "%s: %" PRIu64 ": ", v->path, offset);
	va_start(args, format);
	vfprintf(v->out, format, args);
	va_end(args);
	fputc('\n', v->out);
	v->report->findings++;
}

/* What the thread's message says after the place, which the line names. */
static const char *reason(const struct segment_verifier *v, uint64_t offset)
{
	char place[FILE_SET_PATH_BYTES + 32];
	int n = snprintf(place, sizeof(place), "%s offset %" PRIu64 ": ",
			 v->path, offset);
	const char *message = err_message();

	return strncmp(message, place, (size_t)n) == 0 ? message + n : message;
}

/* 1: *ret is the page (cache_free). 0: a finding. */
static int page_read(struct segment_verifier *v, const struct page_ref *page,
		     enum page_kind kind, uint8_t **ret)
{
	size_t n;
	int rc = segment_page_load(v->segment, page, kind, ret, &n);

	v->report->bytes += page_disk_bytes(page->stored_bytes);
	if (rc == 0)
		return 1;
	v->is_incomplete = true;
	v->has_last = false;
	if (rc == AEDB_NO_MEMORY)
		return rc;
	find(v, page->offset, "%s", reason(v, page->offset));
	return 0;
}

/* The same of the page that comes next in the file. */
static int page_take(struct segment_verifier *v, const struct page_ref *page,
		     enum page_kind kind, uint8_t **ret)
{
	if (page->offset != v->offset)
		find(v, page->offset, "a page begins here, the one before ends "
		     "at %" PRIu64, v->offset);
	v->offset = page->offset + page_disk_bytes(page->stored_bytes);
	return page_read(v, page, kind, ret);
}

/* Entries. */

static int separator_compare(const struct segment_separator *s,
			     const uint8_t *key, size_t n)
{
	size_t both = n < s->prefix_bytes ? n : s->prefix_bytes;
	int order = both ? memcmp(s->prefix, key, both) : 0;

	if (order)
		return order;
	if (both < s->prefix_bytes)
		return 1;
	return key_compare(s->rest, s->rest_bytes, key + both, n - both);
}

/* What stands before the block being read; false: nothing does. */
static bool separator_before(const struct segment_verifier *v,
			     struct segment_separator *ret)
{
	uint32_t block = v->block_at - 1, part = v->part_at - 1;

	if (block == 0 && part == 0)
		return false;
	*ret = block ? segment_index_separator(&v->part.index, block) :
		       segment_index_separator(&v->top.index, part);
	return true;
}

/* Of the first entry of a block. */
static void check_separator(struct segment_verifier *v)
{
	const struct entry *first = &v->entry;
	struct segment_separator s;
	bool is_good;
	int order;

	if (!separator_before(v, &s))
		return;
	order = separator_compare(&s, first->key, first->key_bytes);
	is_good = s.seq ? order == 0 && s.seq == first->seq : order <= 0;
	if (v->has_last) {
		order = separator_compare(&s, v->last, v->last_bytes);
		is_good = is_good && (s.seq ? order == 0 : order > 0);
	}
	if (!is_good)
		find(v, v->block_offset,
		     "the index has another key for this block");
}

static void count_superseded(struct segment_verifier *v)
{
	if (!v->superseded_min || v->entry.seq < v->superseded_min)
		v->superseded_min = v->entry.seq;
	if (v->last_seq > v->superseded_until)
		v->superseded_until = v->last_seq;
}

static void check_order(struct segment_verifier *v)
{
	const struct entry *e = &v->entry;
	int order = key_compare(e->key, e->key_bytes, v->last, v->last_bytes);

	if (v->has_last && (order < 0 || (order == 0 && e->seq >= v->last_seq)))
		find(v, v->block_offset, "an entry is out of order");
	/* behind a damaged block nothing is known of the key before */
	if (v->has_last && v->cursor.is_newest != (order != 0))
		find(v, v->block_offset, "an entry is marked wrongly as the "
		     "newest of its key or not");
	if (v->has_last && order == 0)
		count_superseded(v);
	else
		v->counted.keys++;
}

static void count(struct segment_verifier *v)
{
	struct segment_properties *p = &v->counted;
	const struct entry *e = &v->entry;

	p->entries++;
	p->tombstones += e->is_tombstone;
	p->seq_min = e->seq < p->seq_min ? e->seq : p->seq_min;
	p->seq_max = e->seq > p->seq_max ? e->seq : p->seq_max;
	p->time_us_max = e->time_us > p->time_us_max ? e->time_us : p->time_us_max;
	if (p->entries == 1 && !v->is_incomplete &&
	    key_compare(e->key, e->key_bytes, v->segment->info.first.at,
			v->segment->info.first.n))
		find(v, FILE_DATA_OFFSET, "the first key is another");
	memcpy(v->last, e->key, e->key_bytes);
	v->last_bytes = e->key_bytes;
	v->last_seq = e->seq;
	v->has_last = true;
}

static int take(struct segment_verifier *v)
{
	const struct entry *e = &v->entry;

	check_order(v);
	if (v->part.filter_bytes)
		v->is_filtered &=
			filter_may_have(v->part.filter, v->part.filter_bytes,
					filter_hash(e->key, e->key_bytes));
	count(v);
	return 1;
}

/* Blocks. */

/* On the first entry of the next one: 1, or 0 if it is damaged. */
static int block_begin(struct segment_verifier *v)
{
	struct page_ref page = segment_index_page(
		&v->part.index, v->segment->info.number, v->block_at++);
	int rc = page_take(v, &page, PAGE_BLOCK, &v->block);

	if (rc <= 0)
		return rc;
	rc = block_cursor_open(&v->cursor, v->block);
	if (rc < 0)
		return rc;
	v->block_offset = page.offset;
	v->is_filtered = true;
	block_cursor_move(&v->cursor, 0, &v->entry);
	check_separator(v);
	return take(v);
}

static void block_end(struct segment_verifier *v)
{
	v->counted.blocks++;
	if (!v->is_filtered)
		find(v, v->block_offset,
		     "a key of this block is not in the filter");
	cache_free(v->block);
	v->block = NULL;
}

/* Partitions; a segment without them counts as having one, which lies in the
 * properties. */

static int part_begin(struct segment_verifier *v)
{
	uint32_t at = v->part_at++;
	int rc;

	v->block_at = 0;
	v->has_part = true;
	if (!segment_properties_is_partitioned(v->properties)) {
		v->part = v->top;
		return 0;
	}
	v->part_page = segment_index_page(&v->top.index,
					  v->segment->info.number, at);
	rc = page_read(v, &v->part_page, PAGE_INDEX, &v->part_bytes);
	v->has_part = rc > 0;
	if (rc <= 0) {
		v->offset = v->part_page.offset +
			    page_disk_bytes(v->part_page.stored_bytes);
		return rc;
	}
	segment_part_init(&v->part, v->part_bytes);
	if (!v->part.filter_bytes)
		find(v, v->part_page.offset, "the partition has no filter");
	return 0;
}

static void part_end(struct segment_verifier *v)
{
	v->has_part = false;
	if (!v->part_bytes)
		return;
	if (v->part_page.offset != v->offset)
		find(v, v->part_page.offset, "a partition begins here, its "
		     "blocks end at %" PRIu64, v->offset);
	v->offset = v->part_page.offset +
		    page_disk_bytes(v->part_page.stored_bytes);
	cache_free(v->part_bytes);
	v->part_bytes = NULL;
}

/* The whole. */

static bool is_same_key(const struct segment_bytes *a,
			const struct segment_bytes *b)
{
	return key_compare(a->at, a->n, b->at, b->n) == 0;
}

static bool is_as_known(const struct segment_properties *p,
			const struct segment_info *info)
{
	return p->entries == info->entries &&
	       p->tombstones == info->tombstones &&
	       p->entries - p->keys == info->superseded &&
	       p->seq_min == info->seq_min && p->seq_max == info->seq_max &&
	       p->time_us_max == info->time_us_max &&
	       is_same_key(&p->first, &info->first) &&
	       is_same_key(&p->last, &info->last);
}

static bool is_as_counted(const struct segment_verifier *v,
			  const struct segment_properties *p)
{
	const struct segment_properties *counted = &v->counted;
	struct segment_bytes last = { v->last, v->last_bytes };

	return p->entries == counted->entries &&
	       p->tombstones == counted->tombstones &&
	       p->keys == counted->keys && p->blocks == counted->blocks &&
	       p->seq_min == counted->seq_min &&
	       p->seq_max == counted->seq_max &&
	       p->time_us_max == counted->time_us_max &&
	       is_same_key(&p->last, &last);
}

/* The properties against what was found and what is known of the segment. */
static void check_properties(struct segment_verifier *v)
{
	const struct segment_info *info = &v->segment->info;
	struct segment_properties p;

	segment_properties_decode(v->properties, &p);
	if (!is_as_known(&p, info))
		find(v, info->meta.offset, "the manifest has another segment");
	if (v->is_incomplete)
		return;
	if (!is_as_counted(v, &p))
		find(v, info->meta.offset, "counts of %" PRIu64 " entries, there "
		     "are %" PRIu64 " or others", p.entries, v->counted.entries);
	if (v->superseded_min != info->superseded_min ||
	    v->superseded_until != info->superseded_until)
		find(v, info->meta.offset, "the manifest has other numbers of "
		     "superseded versions");
	if (v->offset != info->meta.offset)
		find(v, info->meta.offset, "the properties begin here, pages end "
		     "at %" PRIu64, v->offset);
}

static int verifier_begin(struct segment_verifier *v)
{
	const struct segment_info *info = &v->segment->info;
	uint64_t end = info->meta.offset +
		       page_disk_bytes(info->meta.stored_bytes);
	int rc;

	if (end != info->bytes)
		find(v, end, "the last page ends here, the file at %" PRIu64,
		     info->bytes);
	rc = page_read(v, &info->meta, PAGE_META, &v->properties);
	v->is_over = rc <= 0;
	if (rc <= 0)
		return rc;
	v->offset = FILE_DATA_OFFSET;
	segment_part_init(&v->top, segment_properties_part(v->properties));
	v->parts = segment_properties_is_partitioned(v->properties) ?
			   v->top.index.pages : 1;
	return 0;
}

int segment_verify_open(struct segment *s, FILE *out,
			struct segment_report *report,
			struct segment_verifier **ret)
{
	struct segment_verifier *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return err_set(AEDB_NO_MEMORY, "verifying a segment: no memory");
	v->segment = s;
	v->out = out;
	v->report = report;
	v->counted.seq_min = SEQ_MAX;
	file_set_path(s->set, s->info.number, v->path);
	block_cursor_init(&v->cursor);
	rc = verifier_begin(v);
	if (rc < 0)
		segment_verify_close(v);
	else
		*ret = v;
	return rc;
}

void segment_verify_close(struct segment_verifier *v)
{
	if (!v)
		return;
	v->report->entries += v->counted.entries;
	block_cursor_release(&v->cursor);
	cache_free(v->block);
	cache_free(v->part_bytes);
	cache_free(v->properties);
	free(v);
}

/* From between two blocks: 1 on an entry, 0 if it is to be called again. */
static int step(struct segment_verifier *v)
{
	if (v->has_part && v->block_at < v->part.index.pages)
		return block_begin(v);
	if (v->has_part)
		part_end(v);
	if (v->part_at < v->parts)
		return part_begin(v);
	check_properties(v);
	v->is_over = true;
	return 0;
}

int segment_verify_next(struct segment_verifier *v, const struct entry **ret)
{
	int rc = 0;

	if (v->block) {
		if (block_cursor_next(&v->cursor, &v->entry))
			rc = take(v);
		else
			block_end(v);
	}
	while (rc == 0 && !v->is_over)
		rc = step(v);
	if (rc > 0)
		*ret = &v->entry;
	return rc;
}

uint64_t segment_verify_offset(const struct segment_verifier *v)
{
	return v->block_offset;
}
