/*
 * Opening a segment and looking keys up in it: properties, the partition that
 * the key belongs to, its filter and its index, and the block.
 *
 * Invariants:
 * 1. A page is put into the cache after its kind's check and never changes.
 */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "cache.h"
#include "err.h"
#include "file_set.h"
#include "filter.h"
#include "segment_page.h"

#define CACHE_KIND_SHIFT 56

int segment_open(struct file_set *set, struct cache *cache,
		 const struct segment_info *info, struct segment **ret)
{
	struct segment *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(AEDB_NO_MEMORY, "opening a segment: no memory");
	s->set = set;
	s->cache = cache;
	s->cache_file = (uint64_t)FILE_SEGMENT << CACHE_KIND_SHIFT | info->number;
	rc = segment_info_copy(info, &s->info);
	if (rc == 0) {
		rc = file_set_pin(set, info->number);
		if (rc < 0)
			segment_info_release(&s->info);
	}
	if (rc < 0)
		free(s);
	else
		*ret = s;
	return rc;
}

void segment_close(struct segment *s)
{
	if (!s)
		return;
	file_set_unpin(s->set, s->info.number);
	segment_info_release(&s->info);
	free(s);
}

const struct segment_info *segment_info(const struct segment *s)
{
	return &s->info;
}

size_t segment_memory_bytes(const struct segment *s)
{
	return sizeof(*s) + s->info.first.n + s->info.last.n +
	       s->info.n_shares * sizeof(*s->info.shares);
}

static int compare(const void *key, size_t n, const struct segment_bytes *with)
{
	size_t both = n < with->n ? n : with->n;
	int order = both ? memcmp(key, with->at, both) : 0;

	return order ? order : (n > with->n) - (n < with->n);
}

struct search {
	const struct segment *segment;
	const void *key;
	size_t key_bytes;
	seq_t limit;
	struct entry *ret;
	seq_t newer;		/* oldest version above limit so far, or 0 */
	bool goes_on;		/* its versions may go on in the next page */
};

/* Finds in page i of an index of blocks: 1, 0, or < 0. */
static int get_in_block(struct search *search, const struct segment_index *index,
			uint32_t i)
{
	const struct segment *s = search->segment;
	struct page_ref page = segment_index_page(index, s->info.number, i);
	struct block_found found;
	struct block block;
	const uint8_t *bytes;
	int rc = segment_page_get(s, &page, PAGE_BLOCK, &bytes);

	if (rc < 0)
		return rc;
	block_init(&block, bytes);
	block_seek(&block, search->key, search->key_bytes, search->limit, &found);
	if (found.newer)
		search->newer = found.newer;
	search->goes_on = found.at == block.entries && found.newer;
	if (!found.is_key)
		return 0;
	block_entry(&block, found.at, search->ret);
	search->ret->key = search->key;
	search->ret->key_bytes = (uint32_t)search->key_bytes;
	return 1;
}

/* Whether page i begins amid the versions of a key. */
static bool is_continued(const struct segment_index *index, uint32_t i)
{
	return i < index->pages && segment_index_separator(index, i).seq;
}

/* Finds in the blocks of a partition. */
static int get_in_part(struct search *search, const struct segment_part *part)
{
	uint32_t i;
	int rc;

	if (part->filter_bytes &&
	    !filter_may_have(part->filter, part->filter_bytes,
			     filter_hash(search->key, search->key_bytes)))
		return 0;
	i = segment_index_find(&part->index, search->key, search->key_bytes,
			       search->limit);
	rc = get_in_block(search, &part->index, i);
	if (rc == 0 && search->goes_on && is_continued(&part->index, i + 1))
		rc = get_in_block(search, &part->index, i + 1);
	return rc;
}

/* Finds in page i of an index of partitions. */
static int get_in_page(struct search *search, const struct segment_index *top,
		       uint32_t i)
{
	const struct segment *s = search->segment;
	struct page_ref page = segment_index_page(top, s->info.number, i);
	struct segment_part part;
	const uint8_t *bytes;
	int rc = segment_page_get(s, &page, PAGE_INDEX, &bytes);

	if (rc < 0)
		return rc;
	segment_part_init(&part, bytes);
	return get_in_part(search, &part);
}

static int get(struct search *search)
{
	const struct segment *s = search->segment;
	struct segment_part part;
	const uint8_t *bytes;
	uint32_t i;
	int rc = segment_page_get(s, &s->info.meta, PAGE_META, &bytes);

	if (rc < 0)
		return rc;
	segment_part_init(&part, segment_properties_part(bytes));
	if (!segment_properties_is_partitioned(bytes))
		return get_in_part(search, &part);
	i = segment_index_find(&part.index, search->key, search->key_bytes,
			       search->limit);
	rc = get_in_page(search, &part.index, i);
	if (rc == 0 && search->goes_on && is_continued(&part.index, i + 1))
		rc = get_in_page(search, &part.index, i + 1);
	return rc;
}

int segment_get(struct segment *s, const void *key, size_t key_bytes,
		seq_t limit, struct entry *ret, seq_t *ret_newer)
{
	struct search search = { .segment = s, .key = key,
				 .key_bytes = key_bytes, .limit = limit,
				 .ret = ret };
	int rc = 0;

	if (compare(key, key_bytes, &s->info.first) >= 0 &&
	    compare(key, key_bytes, &s->info.last) <= 0)
		rc = get(&search);
	if (rc >= 0 && ret_newer)
		*ret_newer = search.newer;
	return rc;
}
