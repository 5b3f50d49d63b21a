/*
 * Reading the pages of a segment. What is in the cache was checked.
 */
#include "segment_page.h"

#include "block.h"
#include "cache.h"
#include "file_set.h"
#include "page_load.h"

#define FRONT_OFFSET 1u		/* added in the cache: pages are aligned */

_Static_assert(FRONT_OFFSET < PAGE_ALIGN, "no page begins there");

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

/* Says where the page is that was checked; returns rc. */
static int checked(const struct segment *s, const struct page_ref *ref, int rc)
{
	char path[FILE_SET_PATH_BYTES];

	if (rc == 0)
		return 0;
	file_set_path(s->set, s->info.number, path);
	return page_at(path, ref->offset, rc);
}

int segment_page_load(const struct segment *s, const struct page_ref *ref,
		      enum page_kind kind, uint8_t **ret, size_t *ret_n)
{
	void *bytes;
	size_t n;
	int rc = page_load(s->set, ref, kind, &bytes, &n);

	if (rc < 0)
		return rc;
	rc = checked(s, ref, check(kind, bytes, n));
	if (rc < 0) {
		cache_free(bytes);
		return rc;
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

int segment_page_stream(const struct segment *s, const struct page_ref *ref,
			struct page_stream *stream, const uint8_t **ret)
{
	uint8_t *bytes;
	size_t n;
	int rc;

	*ret = page_stream_held(stream, ref);
	if (*ret)
		return 0;
	rc = page_stream_load(stream, s->set, ref, PAGE_BLOCK, s->info.bytes,
			      &bytes, &n);
	if (rc == 0)
		rc = checked(s, ref, block_check(bytes, n));
	if (rc < 0)
		return rc;
	page_stream_hold(stream, ref);
	*ret = bytes;
	return 0;
}

int segment_page_walk(const struct segment *s, const struct page_ref *ref,
		      struct page_stream *stream, size_t *put_bytes,
		      const uint8_t **ret)
{
	struct cache_key key = { .file = s->cache_file, .offset = ref->offset };
	uint8_t *bytes;
	size_t n;
	int rc;

	*ret = page_stream_held(stream, ref);
	if (!*ret)
		*ret = cache_get(s->cache, key, &n);
	if (*ret)
		return 0;
	if (*put_bytes >= cache_walk_bytes(s->cache) &&
	    !cache_wants_again(s->cache, key, ref->stored_bytes))
		return segment_page_stream(s, ref, stream, ret);
	rc = segment_page_load(s, ref, PAGE_BLOCK, &bytes, &n);
	if (rc < 0)
		return rc;
	*put_bytes += n;
	*ret = cache_offer(s->cache, key, bytes, n);
	return 0;
}

/* A block or its front, checked, in memory of its own. */
struct loaded {
	uint8_t *bytes;
	size_t n;
	bool is_front;
};

/* Takes over what was read of a block, its front or NULL. */
static int block_take(const struct segment *s, const struct page_loading *l,
		      uint8_t *front, struct loaded *ret)
{
	void *all;
	int rc;

	ret->is_front = front && block_front_does(front, l->front.bytes);
	if (ret->is_front) {
		ret->bytes = front;
		ret->n = l->front.bytes + BLOCK_PAD_BYTES;
		return checked(s, &l->ref,
			       block_check_front(front, l->front.bytes,
						 l->header.raw_bytes));
	}
	rc = page_load_rest(s->set, l, front, &all);
	cache_free(front);
	ret->bytes = rc < 0 ? NULL : all;
	if (rc < 0)
		return rc;
	ret->n = l->header.raw_bytes;
	return checked(s, &l->ref, block_check(ret->bytes, ret->n));
}

static int block_load(const struct segment *s, const struct page_ref *ref,
		      struct loaded *ret)
{
	struct page_loading l;
	void *front;
	int rc = page_load_front(s->set, ref, PAGE_BLOCK, BLOCK_PAD_BYTES, &l,
				 &front);

	if (rc < 0)
		return rc;
	rc = block_take(s, &l, front, ret);
	page_loading_release(&l);
	if (rc < 0)
		cache_free(ret->bytes);
	return rc;
}

int segment_page_get_front(const struct segment *s, const struct page_ref *ref,
			   const uint8_t **ret)
{
	struct cache_key key = { .file = s->cache_file,
				 .offset = ref->offset | FRONT_OFFSET };
	struct loaded loaded;
	size_t n;
	int rc;

	*ret = segment_page_look(s, ref);
	if (!*ret)
		*ret = cache_get(s->cache, key, &n);
	if (*ret)
		return 0;
	rc = block_load(s, ref, &loaded);
	if (rc < 0)
		return rc;
	if (!loaded.is_front)
		key.offset = ref->offset;
	*ret = cache_offer(s->cache, key, loaded.bytes, loaded.n);
	return 0;
}
