/*
 * Encoding, checking and searching of indexes.
 *
 * index	pages u32, bytes of keys u32, prefix bytes u16, zero u16, zero u32
 * heads	u64 for each separator: its first bytes behind the prefix, zeros
 *		where there are fewer, as a number
 * places	for each page: offset / 8 u32, stored bytes u32
 * ends		u32 for each separator: where it ends in the keys, CONTINUED set
 *		if a seq follows its key
 * keys		the prefix; of each separator the rest of its key, seq u64
 *
 * There is one separator fewer than pages.
 *
 * Invariants:
 * 1. Pages follow each other without overlap. Separators ascend, by key and for
 *    equal keys by descending seq.
 * 2. A separator without a seq stands before every version of its key.
 */
#include "segment_index.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "mem_key.h"

#define HEAD_BYTES 16u
#define PLACE_BYTES 8u
#define CONTINUED (UINT32_C(1) << 31)
#define PAGES_MAX (UINT32_C(1) << 24)
#define KEYS_MAX (UINT32_C(1) << 30)

static size_t encoded_bytes(uint64_t pages, uint64_t keys_bytes)
{
	return HEAD_BYTES + (pages - 1) * (8 + 4) + pages * PLACE_BYTES +
	       keys_bytes;
}

size_t segment_index_bytes(const uint8_t *bytes)
{
	return encoded_bytes(bytes_load_le32(bytes), bytes_load_le32(bytes + 4));
}

void segment_index_init(struct segment_index *index, const uint8_t *bytes)
{
	size_t pages = bytes_load_le32(bytes);

	index->pages = (uint32_t)pages;
	index->prefix_bytes = bytes_load_le16(bytes + 8);
	index->heads = bytes + HEAD_BYTES;
	index->places = index->heads + 8 * (pages - 1);
	index->ends = index->places + PLACE_BYTES * pages;
	index->prefix = index->ends + 4 * (pages - 1);
}

struct page_ref segment_index_page(const struct segment_index *index,
				   file_id_t file, uint32_t i)
{
	const uint8_t *place = index->places + (size_t)i * PLACE_BYTES;

	return (struct page_ref){
		.file = file,
		.offset = (uint64_t)bytes_load_le32(place) * PAGE_ALIGN,
		.stored_bytes = bytes_load_le32(place + 4),
	};
}

struct segment_separator segment_index_separator(const struct segment_index *index,
						 uint32_t i)
{
	const uint8_t *at = index->ends + (size_t)(i - 1) * 4;
	uint32_t end = bytes_load_le32(at);
	uint32_t start = i > 1 ? bytes_load_le32(at - 4) & ~CONTINUED :
				 index->prefix_bytes;
	struct segment_separator s = {
		.prefix = index->prefix,
		.prefix_bytes = index->prefix_bytes,
		.rest = index->prefix + start,
		.rest_bytes = (end & ~CONTINUED) - start,
	};

	if (end & CONTINUED) {
		s.rest_bytes -= 8;
		s.seq = bytes_load_le64(s.rest + s.rest_bytes);
	}
	return s;
}

/* Whether a separator stands before (key, limit), by whole keys; the key is
 * what follows the prefix. */
static bool separator_is_before(const struct segment_index *index, uint32_t i,
				const uint8_t *key, size_t n, seq_t limit)
{
	struct segment_separator s = segment_index_separator(index, i);
	int order = key_compare(s.rest, s.rest_bytes, key, n);

	return order < 0 || (order == 0 && (s.seq == 0 || s.seq > limit));
}

uint32_t segment_index_find(const struct segment_index *index, const void *key,
			    size_t key_bytes, seq_t limit)
{
	size_t prefix = index->prefix_bytes;
	size_t both = key_bytes < prefix ? key_bytes : prefix;
	int order = both ? memcmp(index->prefix, key, both) : 0;
	uint32_t low = 0, high = index->pages - 1;

	if (order < 0)
		return high;
	if (order > 0 || both < prefix)
		return 0;
	const uint8_t *rest = (const uint8_t *)key + both;
	size_t n = key_bytes - both;
	uint64_t head = key_head(rest, n, 0);

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		uint64_t other =
			bytes_load_le64(index->heads + 8 * (size_t)middle);

		if (other < head ||
		    (other == head && separator_is_before(index, middle + 1, rest,
							  n, limit)))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int malformed(const char *what)
{
	return err_set(AEDB_CORRUPT, "index: %s", what);
}

static int check_places(const struct segment_index *index)
{
	uint64_t end = FILE_DATA_OFFSET;

	for (uint32_t i = 0; i < index->pages; i++) {
		struct page_ref page = segment_index_page(index, 1, i);

		if (page.offset < end || page.stored_bytes == 0 ||
		    page.stored_bytes > PAGE_PAYLOAD_BYTES_MAX)
			return malformed("pages do not follow each other");
		end = page.offset + page_disk_bytes(page.stored_bytes);
	}
	return 0;
}

/* That every separator lies in the keys, and the last ends them. */
static int check_ends(const struct segment_index *index, uint32_t keys_bytes)
{
	uint32_t at = index->prefix_bytes;

	for (uint32_t i = 0; i + 1 < index->pages; i++) {
		uint32_t end = bytes_load_le32(index->ends + 4 * (size_t)i);
		uint32_t least = at + (end & CONTINUED ? 8 : 0);

		end &= ~CONTINUED;
		if (end < least || end > keys_bytes)
			return malformed("a separator passes the end");
		at = end;
	}
	return at == keys_bytes ? 0 : malformed("more keys than separators");
}

static int check_separators(const struct segment_index *index)
{
	struct segment_separator before = { .seq = 0 };

	for (uint32_t i = 1; i < index->pages; i++) {
		struct segment_separator s = segment_index_separator(index, i);
		int order = i == 1 ? 1 : key_compare(s.rest, s.rest_bytes,
						     before.rest, before.rest_bytes);

		if (bytes_load_le64(index->heads + 8 * (size_t)(i - 1)) !=
		    key_head(s.rest, s.rest_bytes, 0))
			return malformed("a separator and its head differ");
		if (order < 0 || s.seq > SEQ_MAX ||
		    (order == 0 && (s.seq == 0 ||
				    (before.seq && s.seq >= before.seq))))
			return malformed("separators out of order");
		before = s;
	}
	return 0;
}

int segment_index_check(const uint8_t *bytes, size_t n)
{
	struct segment_index index;
	uint32_t pages, keys_bytes;
	int rc;

	if (n < HEAD_BYTES)
		return malformed("cut off");
	pages = bytes_load_le32(bytes);
	keys_bytes = bytes_load_le32(bytes + 4);
	if (pages == 0 || pages > PAGES_MAX || keys_bytes > KEYS_MAX ||
	    bytes_load_le16(bytes + 8) > keys_bytes ||
	    bytes_load_le16(bytes + 10) || bytes_load_le32(bytes + 12) ||
	    encoded_bytes(pages, keys_bytes) != n)
		return malformed("its head does not fit");
	segment_index_init(&index, bytes);
	rc = check_places(&index);
	if (rc == 0)
		rc = check_ends(&index, keys_bytes);
	return rc < 0 ? rc : check_separators(&index);
}

static uint8_t *buffer_take(struct segment_index_buffer *b, size_t n)
{
	size_t room = b->room ? b->room : 64;

	while (room < b->n + n)
		room *= 2;
	if (room != b->room) {
		uint8_t *at = realloc(b->at, room);

		if (!at)
			return NULL;
		b->at = at;
		b->room = room;
	}
	b->n += n;
	return b->at + b->n - n;
}

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "index of a segment: no memory");
}

int segment_index_add(struct segment_index_builder *b, const struct page_ref *page)
{
	uint8_t *place = buffer_take(&b->places, PLACE_BYTES);

	if (!place)
		return no_memory();
	bytes_store_le32(place, (uint32_t)(page->offset / PAGE_ALIGN));
	bytes_store_le32(place + 4, page->stored_bytes);
	b->pages++;
	return 0;
}

int segment_index_separate(struct segment_index_builder *b, const void *key,
			   size_t key_bytes, seq_t seq)
{
	uint8_t *end = buffer_take(&b->ends, 4);
	uint8_t *at = buffer_take(&b->keys, key_bytes + (seq ? 8 : 0));

	if (!end || !at)
		return no_memory();
	if (key_bytes)
		memcpy(at, key, key_bytes);
	if (seq)
		bytes_store_le64(at + key_bytes, seq);
	bytes_store_le32(end, (uint32_t)b->keys.n | (seq ? CONTINUED : 0));
	/* `at` and the first separator are in the same, now settled memory */
	if (b->ends.n == 4)
		b->prefix_bytes = key_bytes;
	else
		b->prefix_bytes = key_shared(b->keys.at, b->prefix_bytes, at,
					     key_bytes);
	return 0;
}

size_t segment_index_encoded_bytes(const struct segment_index_builder *b)
{
	size_t separators = b->ends.n / 4;
	size_t cut = separators ? (separators - 1) * b->prefix_bytes : 0;

	if (b->pages == 0)
		return 0;
	return encoded_bytes(b->pages, b->keys.n - cut);
}

void segment_index_encode(const struct segment_index_builder *b, uint8_t *ret)
{
	size_t prefix = b->ends.n ? b->prefix_bytes : 0, at = prefix, from = 0;
	uint8_t *heads = ret + HEAD_BYTES, *ends, *keys;

	ends = heads + 8 * (size_t)(b->pages - 1) + b->places.n;
	keys = ends + b->ends.n;
	memcpy(heads + 8 * (size_t)(b->pages - 1), b->places.at, b->places.n);
	if (prefix)
		memcpy(keys, b->keys.at, prefix);
	for (size_t i = 0; i + 1 < b->pages; i++) {
		uint32_t end = bytes_load_le32(b->ends.at + 4 * i);
		uint32_t mark = end & CONTINUED;
		size_t rest = (end & ~CONTINUED) - from - prefix;

		memcpy(keys + at, b->keys.at + from + prefix, rest);
		bytes_store_le64(heads + 8 * i,
				 key_head(keys + at, rest - (mark ? 8 : 0), 0));
		at += rest;
		bytes_store_le32(ends + 4 * i, (uint32_t)at | mark);
		from = end & ~CONTINUED;
	}
	memset(ret, 0, HEAD_BYTES);
	bytes_store_le32(ret, b->pages);
	bytes_store_le32(ret + 4, (uint32_t)at);
	bytes_store_le16(ret + 8, (uint16_t)prefix);
}

void segment_index_clear(struct segment_index_builder *b)
{
	b->pages = 0;
	b->places.n = b->keys.n = b->ends.n = 0;
}

void segment_index_release(struct segment_index_builder *b)
{
	free(b->places.at);
	free(b->keys.at);
	free(b->ends.at);
	*b = (struct segment_index_builder){ 0 };
}

size_t segment_index_memory_bytes(const struct segment_index_builder *b)
{
	return b->places.room + b->keys.room + b->ends.room;
}
