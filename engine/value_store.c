/*
 * Stores a large value that is in memory as a whole: its size is known, so all
 * its pages get one stretch of the file, and a value of a few chunks is one
 * write, from where its bytes are.
 *
 * Deliberately not here: holes. Chunks of zeros are stored as they are.
 */
#include <stdlib.h>

#include "err.h"
#include "stage.h"
#include "value_append.h"

#define BATCH_PAGES 64u	/* in one write */
#define STORE_BYTES_MAX (UINT64_C(8) << 30)

_Static_assert(BATCH_PAGES <= VALUE_APPEND_PAGES_MAX, "one write");

/* A value being stored. */
struct store {
	struct value_append append;
	struct value_slot *maps;	/* owned */
	struct value_slot *slots;	/* owned: of one map block */
	uint8_t *map, *root;		/* owned: encoded */
	uint8_t heads[BATCH_PAGES][PAGE_HEADER_BYTES];	/* of one write */
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

/* `payload` is borrowed until the next write, which there is if need be. */
static int store_page(struct store *store, enum page_kind kind,
		      const void *payload, uint64_t n, struct page_ref *ret)
{
	int rc = 0;

	if (store->append.pages == BATCH_PAGES)
		rc = value_append_write(&store->append);
	if (rc == 0)
		value_append_apart(&store->append, kind, payload, (uint32_t)n,
				   store->heads[store->append.pages], ret);
	return rc;
}

/* Stores the chunks of one map block, at most VALUE_MAP_SPAN bytes, and it. */
static int store_map(struct store *store, const uint8_t *bytes, uint64_t n,
		     struct page_ref *ret)
{
	uint32_t slots = 0;
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < n; at += VALUE_CHUNK_BYTES) {
		uint64_t left = n - at;

		store->slots[slots].slot = slots;
		rc = store_page(store, PAGE_CHUNK, bytes + at,
				left < VALUE_CHUNK_BYTES ? left :
							   VALUE_CHUNK_BYTES,
				&store->slots[slots].ref);
		slots++;
	}
	if (rc < 0)
		return rc;
	return store_page(store, PAGE_MAP, store->map,
			  value_map_encode(store->slots, slots, store->map),
			  ret);
}

static int store_root(struct store *store, const struct value_root *root,
		      struct page_ref *ret)
{
	int rc;

	value_root_encode(root, store->root);
	rc = store_page(store, PAGE_ROOT, store->root, value_root_bytes(root),
			ret);
	return rc < 0 ? rc : value_append_write(&store->append);
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
		/* before the next one is encoded in the same place */
		if (rc == 0 && i + 1 < n_maps)
			rc = value_append_write(&store->append);
	}
	share.bytes = store->append.next - start;
	*ret = (struct value_ref){ .bytes = n, .chunks = root.chunks };
	return rc < 0 ? rc : store_root(store, &root, &ret->root);
}

static void store_release(struct store *store)
{
	free(store->maps);
	free(store->slots);
	free(store->map);
	free(store->root);
}

/* For a value of n bytes. */
static int store_init(struct store *store, uint64_t n)
{
	uint64_t chunks = divide_up(n, VALUE_CHUNK_BYTES);
	uint64_t n_maps = divide_up(n, VALUE_MAP_SPAN);

	if (chunks > VALUE_MAP_REFS)
		chunks = VALUE_MAP_REFS;
	store->maps = malloc(n_maps * sizeof(*store->maps));
	store->slots = malloc(chunks * sizeof(*store->slots));
	store->map = malloc(value_map_bytes(chunks));
	store->root = malloc(root_bytes(n_maps));
	if (store->maps && store->slots && store->map && store->root)
		return 0;
	store_release(store);
	return err_set(AEDB_NO_MEMORY, "value of %llu bytes: no memory",
		       (unsigned long long)n);
}

int value_store(struct values *values, const void *bytes, size_t n,
		struct value_ref *ret, struct value_extent *ret_extent)
{
	struct store store;
	struct value_ref ref;
	uint64_t start;
	int rc;

	if (n > STORE_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "value of %zu bytes at once", n);
	rc = store_init(&store, n);
	if (rc < 0)
		return rc;
	rc = value_append_begin(values, layout_bytes(n), &store.append);
	if (rc == 0) {
		start = store.append.next;
		rc = store_all(&store, bytes, n, &ref);
		value_append_end(&store.append);
	}
	if (rc == 0) {
		*ret = ref;
		*ret_extent = (struct value_extent){
			.file = ref.root.file,
			.offset = start,
			.bytes = store.append.next - start,
		};
	}
	store_release(&store);
	return rc;
}
