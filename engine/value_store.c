/*
 * Stores a large value that is in memory as a whole: its size is known, so all
 * its pages get one stretch of the file, and a value of a few chunks is one
 * write.
 *
 * Deliberately not here: holes. Chunks of zeros are stored as they are.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "stage.h"
#include "value_append.h"
#include "value_cache.h"

#define BATCH_PAGES 64u	/* in one write */
#define STORE_BYTES_MAX (UINT64_C(8) << 30)

_Static_assert(BATCH_PAGES <= VALUE_APPEND_PAGES_MAX, "one write");

/* A value being stored. */
struct store {
	struct value_append append;
	uint8_t *buf, *at, *end;	/* owned: pages of one write */
	struct value_slot *maps;	/* owned */
	struct value_slot slots[VALUE_MAP_REFS];
};

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

static uint64_t root_bytes(uint64_t n_maps)
{
	struct value_root root = { .n_maps = n_maps, .n_shares = 1 };

	return value_root_bytes(&root);
}

/* Disk bytes of all pages of a value. */
static uint64_t layout_bytes(uint64_t n)
{
	uint64_t chunks = n / VALUE_CHUNK_BYTES, tail = n % VALUE_CHUNK_BYTES;
	uint64_t all = chunks + (tail != 0);
	uint64_t maps = all / VALUE_MAP_REFS, rest = all % VALUE_MAP_REFS;
	uint64_t bytes = chunks * page_plain_bytes(VALUE_CHUNK_BYTES) +
			 maps * page_plain_bytes(VALUE_MAP_BYTES_MAX) +
			 page_plain_bytes(root_bytes(maps + (rest != 0)));

	if (tail)
		bytes += page_plain_bytes(tail);
	if (rest)
		bytes += page_plain_bytes(value_map_bytes(rest));
	return bytes;
}

/* Room for a page of n payload bytes, after a write if there is none. */
static int store_room(struct store *store, uint64_t n, uint8_t **ret)
{
	uint64_t room = page_plain_bytes(n);

	if (store->append.iovcnt == BATCH_PAGES ||
	    room > (uint64_t)(store->end - store->at)) {
		int rc = value_append_write(&store->append);

		if (rc < 0)
			return rc;
		store->at = store->buf;
	}
	*ret = store->at;
	store->at += room;
	return 0;
}

static int store_chunk(struct store *store, const uint8_t *bytes, uint32_t n,
		       struct page_ref *ret)
{
	uint8_t *page;
	int rc = store_room(store, n, &page);

	if (rc < 0)
		return rc;
	memcpy(page + PAGE_HEADER_BYTES, bytes, n);
	value_append_page(&store->append, PAGE_CHUNK, page, n, ret);
	return 0;
}

/* Stores the chunks of one map block, at most VALUE_MAP_SPAN bytes, and it. */
static int store_map(struct store *store, const uint8_t *bytes, uint64_t n,
		     struct page_ref *ret)
{
	uint32_t slots = 0;
	uint8_t *page;
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < n; at += VALUE_CHUNK_BYTES) {
		uint64_t left = n - at;

		store->slots[slots].slot = slots;
		rc = store_chunk(store, bytes + at,
				 left < VALUE_CHUNK_BYTES ? (uint32_t)left :
							    VALUE_CHUNK_BYTES,
				 &store->slots[slots].ref);
		slots++;
	}
	if (rc == 0)
		rc = store_room(store, value_map_bytes(slots), &page);
	if (rc < 0)
		return rc;
	value_map_encode(store->slots, slots, page + PAGE_HEADER_BYTES);
	value_append_page(&store->append, PAGE_MAP, page,
			    (uint32_t)value_map_bytes(slots), ret);
	return 0;
}

static int store_root(struct store *store, const struct value_root *root,
		      struct page_ref *ret)
{
	uint8_t *page;
	int rc = store_room(store, value_root_bytes(root), &page);

	if (rc < 0)
		return rc;
	value_root_encode(root, page + PAGE_HEADER_BYTES);
	value_append_page(&store->append, PAGE_ROOT, page,
			    (uint32_t)value_root_bytes(root), ret);
	return value_append_write(&store->append);
}

static int store_all(struct store *store, const uint8_t *bytes, uint64_t n,
		     struct value_ref *ret)
{
	uint64_t n_maps = divide_up(n, VALUE_MAP_SPAN);
	uint64_t start = store->append.next;
	struct value_share share = { .file = value_append_file(&store->append) };
	struct value_root root = {
		.bytes = n,
		.chunks = divide_up(n, VALUE_CHUNK_BYTES),
		.maps = store->maps,
		.n_maps = n_maps,
		.shares = &share,
		.n_shares = 1,
	};
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < n_maps; i++) {
		uint64_t at = i * VALUE_MAP_SPAN, left = n - at;

		store->maps[i].slot = (uint32_t)i;
		rc = store_map(store, bytes + at,
			       left < VALUE_MAP_SPAN ? left : VALUE_MAP_SPAN,
			       &store->maps[i].ref);
	}
	share.bytes = store->append.next - start;
	*ret = (struct value_ref){ .bytes = n, .chunks = root.chunks };
	return rc < 0 ? rc : store_root(store, &root, &ret->root);
}

int value_store(struct values *values, const void *bytes, size_t n,
		struct value_ref *ret, struct value_extent *ret_extent)
{
	uint64_t total = layout_bytes(n);
	uint64_t room = BATCH_PAGES * page_plain_bytes(VALUE_CHUNK_BYTES);
	uint64_t root_room = page_plain_bytes(
		root_bytes(divide_up(n, VALUE_MAP_SPAN)));
	struct store *store;
	struct value_ref ref;
	int rc = AEDB_NO_MEMORY;

	if (n > STORE_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "value of %zu bytes at once", n);
	store = calloc(1, sizeof(*store));
	if (!store)
		return err_set(rc, "value of %zu bytes: no memory", n);
	room = total < room ? total : room;
	room = root_room > room ? root_room : room;
	store->maps = calloc(divide_up(n, VALUE_MAP_SPAN), sizeof(*store->maps));
	store->buf = store->at = malloc(room);
	if (store->maps && store->buf) {
		store->end = store->buf + room;
		rc = value_append_begin(values, total, &store->append);
	} else {
		err_set(rc, "value of %zu bytes: no memory", n);
	}
	if (rc == 0) {
		uint64_t start = store->append.next;

		rc = store_all(store, bytes, n, &ref);
		if (rc == 0) {
			*ret = ref;
			*ret_extent = (struct value_extent){
				.file = ref.root.file,
				.offset = start,
				.bytes = store->append.next - start,
			};
		}
		value_append_end(&store->append);
	}
	free(store->buf);
	free(store->maps);
	free(store);
	if (rc == 0)
		value_cache_fill(values, ret, bytes);
	return rc;
}
