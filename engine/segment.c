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

void segment_search_init(struct segment_search *search, const void *key,
			 size_t key_bytes, seq_t limit)
{
	*search = (struct segment_search){
		.key = key, .key_bytes = key_bytes, .limit = limit,
		.hash = filter_hash(key, key_bytes),
	};
}

static void newer_note(struct segment_search *search, seq_t newer)
{
	if (newer && (!search->newer || newer < search->newer))
		search->newer = newer;
}

/* Finds in page i of an index of blocks: 1, 0, or < 0. *ret_goes_on: the key's
 * versions may go on in the next page. */
static int get_in_block(const struct segment *s, struct segment_search *search,
			const struct page_ref *page, struct entry *ret,
			bool *ret_goes_on)
{
	struct block_found found;
	struct block block;
	const uint8_t *bytes;
	bool is_whole = search->wanted == ENTRY_WHOLE;
	int rc = is_whole ? segment_page_get(s, page, PAGE_BLOCK, &bytes) :
			    segment_page_get_front(s, page, &bytes);

	if (rc < 0)
		return rc;
	block_init(&block, bytes);
	block_seek(&block, search->key, search->key_bytes, search->limit, &found);
	newer_note(search, found.newer);
	*ret_goes_on = found.at == block.entries && found.newer;
	if (!found.is_key)
		return 0;
	block_entry(&block, found.at, ret);
	if (!is_whole && !ret->is_ref)
		ret->value = NULL;
	ret->key = search->key;
	ret->key_bytes = (uint32_t)search->key_bytes;
	return 1;
}

/* Whether page i begins amid the versions of a key. */
static bool is_continued(const struct segment_index *index, uint32_t i)
{
	return i < index->pages && segment_index_separator(index, i).seq;
}

/* Finds in the blocks of a partition. */
static int get_in_part(const struct segment_spot *spot,
		       struct segment_search *search, struct entry *ret,
		       bool *ret_goes_on)
{
	const struct segment_part *part = &spot->part;
	file_id_t file = spot->segment->info.number;
	struct page_ref page;
	uint32_t i;
	int rc;

	*ret_goes_on = false;
	if (part->filter_bytes &&
	    !filter_may_have(part->filter, part->filter_bytes, search->hash))
		return 0;
	i = segment_index_find(&part->index, search->key, search->key_bytes,
			       search->limit);
	page = segment_index_page(&part->index, file, i);
	rc = get_in_block(spot->segment, search, &page, ret, ret_goes_on);
	if (rc == 0 && *ret_goes_on && is_continued(&part->index, i + 1)) {
		page = segment_index_page(&part->index, file, i + 1);
		rc = get_in_block(spot->segment, search, &page, ret, ret_goes_on);
	}
	return rc;
}

/* Page i of the index of partitions, read where the cache lacks it. */
static int spot_load(struct segment_spot *spot, const struct segment_index *top,
		     uint32_t i)
{
	const struct segment *s = spot->segment;
	struct page_ref page = segment_index_page(top, s->info.number, i);
	const uint8_t *bytes;
	int rc = segment_page_get(s, &page, PAGE_INDEX, &bytes);

	if (rc < 0)
		return rc;
	segment_part_init(&spot->part, bytes);
	spot->i = i;
	return 0;
}

static void spot_look(struct segment_spot *spot, const uint8_t *properties,
		      const struct segment_search *search)
{
	const struct segment *s = spot->segment;
	struct page_ref page;
	const uint8_t *bytes;

	segment_part_init(&spot->part, segment_properties_part(properties));
	if (segment_properties_is_partitioned(properties)) {
		spot->i = segment_index_find(&spot->part.index, search->key,
					     search->key_bytes, search->limit);
		page = segment_index_page(&spot->part.index, s->info.number,
					  spot->i);
		bytes = segment_page_look(s, &page);
		if (!bytes)
			return;
		segment_part_init(&spot->part, bytes);
	}
	spot->is_known = true;
	if (spot->part.filter_bytes)
		filter_prefetch(spot->part.filter, spot->part.filter_bytes,
				search->hash);
}

void segment_spot_init(struct segment_spot *spot, struct segment *s,
		       const struct segment_search *search)
{
	const uint8_t *properties = segment_page_look(s, &s->info.meta);

	spot->segment = s;
	spot->is_known = false;
	if (properties)
		spot_look(spot, properties, search);
}

/* The versions of a key that go on behind the end of a partition. */
static int get_in_next_part(struct segment_spot *spot,
			    struct segment_search *search, struct entry *ret)
{
	const struct segment *s = spot->segment;
	struct segment_part top;
	const uint8_t *bytes;
	bool goes_on;
	int rc = segment_page_get(s, &s->info.meta, PAGE_META, &bytes);

	if (rc < 0 || !segment_properties_is_partitioned(bytes))
		return rc;
	segment_part_init(&top, segment_properties_part(bytes));
	if (!is_continued(&top.index, spot->i + 1))
		return 0;
	rc = spot_load(spot, &top.index, spot->i + 1);
	return rc < 0 ? rc : get_in_part(spot, search, ret, &goes_on);
}

/* Finds the partition with what the cache lacks, too. */
static int spot_find(struct segment_spot *spot,
		     const struct segment_search *search)
{
	const struct segment *s = spot->segment;
	const uint8_t *bytes;
	int rc = segment_page_get(s, &s->info.meta, PAGE_META, &bytes);

	if (rc < 0)
		return rc;
	segment_part_init(&spot->part, segment_properties_part(bytes));
	if (!segment_properties_is_partitioned(bytes))
		return 0;
	return spot_load(spot, &spot->part.index,
			 segment_index_find(&spot->part.index, search->key,
					    search->key_bytes, search->limit));
}

int segment_spot_get(struct segment_spot *spot, struct segment_search *search,
		     struct entry *ret)
{
	bool goes_on;
	int rc = spot->is_known ? 0 : spot_find(spot, search);

	if (rc == 0)
		rc = get_in_part(spot, search, ret, &goes_on);
	if (rc == 0 && goes_on)
		rc = get_in_next_part(spot, search, ret);
	return rc;
}
