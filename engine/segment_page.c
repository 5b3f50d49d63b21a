/*
 * Reading the pages of a segment. What is in the cache was checked.
 */
#include "segment_page.h"

#include "block.h"
#include "cache.h"
#include "file_set.h"
#include "page_load.h"

static int check(enum page_kind kind, uint8_t *bytes, size_t n)
{
	switch (kind) {
	case PAGE_BLOCK:
		return block_check(bytes, n);
	case PAGE_INDEX:
		return segment_part_check(bytes, n);
	default:
		return segment_properties_check(bytes, n);
	}
}

int segment_page_load(const struct segment *s, const struct page_ref *ref,
		      enum page_kind kind, uint8_t **ret, size_t *ret_n)
{
	char path[FILE_SET_PATH_BYTES];
	void *bytes;
	size_t n;
	int rc = page_load(s->set, ref, kind, &bytes, &n);

	if (rc < 0)
		return rc;
	rc = check(kind, bytes, n);
	if (rc < 0) {
		cache_free(bytes);
		file_set_path(s->set, s->info.number, path);
		return page_at(path, ref->offset, rc);
	}
	*ret = bytes;
	*ret_n = n;
	return 0;
}

const uint8_t *segment_page_look(const struct segment *s,
				 const struct page_ref *ref)
{
	struct cache_key key = { .file = s->cache_file, .offset = ref->offset };
	size_t n;

	return cache_look(s->cache, key, &n);
}

int segment_page_get(const struct segment *s, const struct page_ref *ref,
		     enum page_kind kind, const uint8_t **ret)
{
	struct cache_key key = { .file = s->cache_file, .offset = ref->offset };
	uint8_t *bytes;
	size_t n;
	int rc;

	*ret = cache_get(s->cache, key, &n);
	if (__builtin_expect(*ret != NULL, 1))
		return 0;
	rc = segment_page_load(s, ref, kind, &bytes, &n);
	if (rc < 0)
		return rc;
	/* what leads to all blocks is worth more than any of them */
	*ret = kind == PAGE_BLOCK ? cache_offer(s->cache, key, bytes, n) :
				    cache_put(s->cache, key, bytes, n);
	return 0;
}
