/*
 * A cursor: which block of which partition it stands in, and where in that.
 *
 * A segment without partitions counts as having one, whose index and filter are
 * in the properties.
 *
 * Invariants:
 * 1. A cached page is not used after a seek but what the seek found: the epoch
 *    may have been left in between.
 */
#include "segment_cursor.h"

#include "cache.h"
#include "segment_page.h"

void segment_cursor_init(struct segment_cursor *c, struct segment *segment,
			 enum segment_reading reading)
{
	*c = (struct segment_cursor){ .segment = segment, .reading = reading };
	block_cursor_init(&c->in_block);
	page_stream_init(&c->stream);
}

static void page_drop(const struct segment_cursor *c,
		      struct segment_cursor_page *page)
{
	if (c->reading == SEGMENT_STREAMED)
		cache_free((void *)page->bytes);
	*page = (struct segment_cursor_page){ .bytes = NULL };
}

static void pages_drop(struct segment_cursor *c)
{
	page_drop(c, &c->top);
	page_drop(c, &c->part);
	c->block.bytes = NULL;
}

void segment_cursor_move(struct segment_cursor *c, struct segment *segment)
{
	pages_drop(c);
	c->segment = segment;
}

void segment_cursor_release(struct segment_cursor *c)
{
	pages_drop(c);
	block_cursor_release(&c->in_block);
	page_stream_release(&c->stream);
}

static int page_load(struct segment_cursor *c, struct segment_cursor_page *page,
		     const struct page_ref *ref, enum page_kind kind)
{
	uint8_t *bytes;
	int rc;

	if (c->reading != SEGMENT_STREAMED)
		return segment_page_get(c->segment, ref, kind, &page->bytes);
	page_drop(c, page);
	rc = segment_page_load(c->segment, ref, kind, &bytes, &page->n);
	if (rc == 0)
		page->bytes = bytes;
	return rc;
}

/* The index of partitions; false if there are none. */
static bool top_index(const struct segment_cursor *c, struct segment_index *ret)
{
	struct segment_part part;

	if (!segment_properties_is_partitioned(c->top.bytes))
		return false;
	segment_part_init(&part, segment_properties_part(c->top.bytes));
	*ret = part.index;
	return true;
}

/* The index of blocks of the partition it stands in. */
static void part_index(const struct segment_cursor *c, struct segment_index *ret)
{
	struct segment_part part;

	if (segment_properties_is_partitioned(c->top.bytes))
		segment_part_init(&part, c->part.bytes);
	else
		segment_part_init(&part, segment_properties_part(c->top.bytes));
	*ret = part.index;
}

static uint32_t parts(const struct segment_cursor *c)
{
	struct segment_index index;

	return top_index(c, &index) ? index.pages : 1;
}

static int top_open(struct segment_cursor *c)
{
	if (c->reading == SEGMENT_STREAMED && c->top.bytes)
		return 0;
	return page_load(c, &c->top, &c->segment->info.meta, PAGE_META);
}

static int part_open(struct segment_cursor *c, uint32_t at)
{
	struct segment_index top;
	struct page_ref page;
	int rc;

	if (!top_index(c, &top)) {
		c->part.at = 0;
		return 0;
	}
	if (c->reading == SEGMENT_STREAMED && c->part.bytes && c->part.at == at)
		return 0;
	page = segment_index_page(&top, c->segment->info.number, at);
	rc = page_load(c, &c->part, &page, PAGE_INDEX);
	c->part.at = at;
	return rc;
}

static int block_load(struct segment_cursor *c, const struct page_ref *page)
{
	switch (c->reading) {
	case SEGMENT_STREAMED:
		return segment_page_stream(c->segment, page, &c->stream,
					   &c->block.bytes);
	case SEGMENT_WALKED:
		return segment_page_walk(c->segment, page, &c->stream,
					 c->put_bytes, &c->block.bytes);
	default:
		return segment_page_get(c->segment, page, PAGE_BLOCK,
					&c->block.bytes);
	}
}

static int block_open(struct segment_cursor *c, const struct segment_index *index,
		      uint32_t at)
{
	struct page_ref page =
		segment_index_page(index, c->segment->info.number, at);
	int rc = block_load(c, &page);

	c->block.at = at;
	return rc < 0 ? rc : block_cursor_open(&c->in_block, c->block.bytes);
}

static int stand_at(struct segment_cursor *c, uint32_t at)
{
	block_cursor_move(&c->in_block, at, &c->entry);
	return 1;
}

static int stand_at_last(struct segment_cursor *c)
{
	return stand_at(c, c->in_block.block.entries - 1);
}

/* On the first entry of the next block. */
static int next_block(struct segment_cursor *c)
{
	struct segment_index index;
	uint32_t at = c->block.at + 1;
	int rc = 0;

	part_index(c, &index);
	if (at == index.pages) {
		if (c->part.at + 1 == parts(c))
			return 0;
		rc = part_open(c, c->part.at + 1);
		if (rc < 0)
			return rc;
		part_index(c, &index);
		at = 0;
	}
	rc = block_open(c, &index, at);
	return rc < 0 ? rc : stand_at(c, 0);
}

/* On the last entry of the block before. */
static int prev_block(struct segment_cursor *c)
{
	struct segment_index index;
	int rc = 0;

	if (c->block.at == 0) {
		if (c->part.at == 0)
			return 0;
		rc = part_open(c, c->part.at - 1);
		if (rc < 0)
			return rc;
		part_index(c, &index);
		c->block.at = index.pages;
	}
	part_index(c, &index);
	rc = block_open(c, &index, c->block.at - 1);
	return rc < 0 ? rc : stand_at_last(c);
}

/* Opens the block in which the first version not before (key, limit) is, and
 * gives its place there: behind the end if it is the first of the next. */
static int locate(struct segment_cursor *c, const void *key, size_t key_bytes,
		  seq_t limit, uint32_t *ret)
{
	struct segment_index index;
	struct block_found found;
	uint32_t part = 0;
	int rc = top_open(c);

	if (rc < 0)
		return rc;
	if (top_index(c, &index))
		part = segment_index_find(&index, key, key_bytes, limit);
	rc = part_open(c, part);
	if (rc < 0)
		return rc;
	part_index(c, &index);
	rc = block_open(c, &index,
			segment_index_find(&index, key, key_bytes, limit));
	if (rc < 0)
		return rc;
	block_seek(&c->in_block.block, key, key_bytes, limit, &found);
	*ret = found.at;
	return 0;
}

int segment_cursor_seek_version(struct segment_cursor *c, const void *key,
				size_t key_bytes, seq_t limit)
{
	uint32_t at;
	int rc = locate(c, key, key_bytes, limit, &at);

	if (rc < 0)
		return rc;
	return at < c->in_block.block.entries ? stand_at(c, at) : next_block(c);
}

/* The last version before (key, limit). */
static int seek_before(struct segment_cursor *c, const void *key,
		       size_t key_bytes, seq_t limit)
{
	uint32_t at;
	int rc = locate(c, key, key_bytes, limit, &at);

	if (rc < 0)
		return rc;
	return at ? stand_at(c, at - 1) : prev_block(c);
}

static int seek_last(struct segment_cursor *c)
{
	struct segment_index index;
	int rc = top_open(c);

	if (rc == 0)
		rc = part_open(c, parts(c) - 1);
	if (rc < 0)
		return rc;
	part_index(c, &index);
	rc = block_open(c, &index, index.pages - 1);
	return rc < 0 ? rc : stand_at_last(c);
}

int segment_cursor_seek(struct segment_cursor *c, enum mem_seek how,
			const void *key, size_t key_bytes)
{
	switch (how) {
	case MEM_SEEK_GE:
		return segment_cursor_seek_version(c, key, key_bytes, SEQ_MAX);
	case MEM_SEEK_GT:
		return segment_cursor_seek_version(c, key, key_bytes, 0);
	case MEM_SEEK_LE:
		return seek_before(c, key, key_bytes, 0);
	case MEM_SEEK_LT:
		return seek_before(c, key, key_bytes, SEQ_MAX);
	case MEM_SEEK_FIRST:
		return segment_cursor_seek_version(c, "", 0, SEQ_MAX);
	default:
		return seek_last(c);
	}
}

int segment_cursor_next(struct segment_cursor *c)
{
	if (__builtin_expect(block_cursor_next(&c->in_block, &c->entry), 1))
		return 1;
	return next_block(c);
}

int segment_cursor_prev(struct segment_cursor *c)
{
	if (__builtin_expect(block_cursor_prev(&c->in_block, &c->entry), 1))
		return 1;
	return prev_block(c);
}
