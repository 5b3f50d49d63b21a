/*
 * Writes a segment: blocks, after the blocks of a partition the partition, and
 * at the end the properties. A segment of few entries has no partitions: what
 * would stand in one stands in the properties, so that a get reads two pages.
 *
 * Invariants:
 * 1. A key is in the filter of every partition that holds a version of it.
 * 2. A block or partition ends before an entry, when it is known what separates
 *    it from the next.
 */
#include "segment_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "block_writer.h"
#include "err.h"
#include "filter.h"
#include "mem_key.h"
#include "page_writer.h"
#include "segment_format.h"

#define BYTES_IN_BITS 8
#define FIT_SPARE_PART 64

_Static_assert(SEGMENT_KEY_BYTES_MAX == BLOCK_KEY_BYTES_MAX, "keys fit blocks");

struct segment_writer {
	size_t page_bytes, block_bytes;	/* at about so many they end */
	struct page_writer *pages;
	struct block_writer *block;
	struct segment_index_builder part, top;
	uint64_t *hashes;		/* owned: of the open partition's keys */
	size_t n_hashes, hashes_room;
	struct segment_properties properties;
	seq_t superseded_min, superseded_until;	/* as segment_info; 0: none */
	struct segment_share *shares;	/* owned; ascending */
	size_t n_shares;
	uint8_t *first;			/* owned: the first key */
	size_t last_bytes;
	seq_t last_seq;
	int failure;			/* 0: none */
	uint8_t last[SEGMENT_KEY_BYTES_MAX];
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "writing a segment: no memory");
}

static int fail(struct segment_writer *w, int rc)
{
	if (rc < 0)
		w->failure = rc;
	return rc;
}

static int check_usable(const struct segment_writer *w)
{
	return w->failure ? err_set(w->failure, "writing a segment failed before") :
			    0;
}

int segment_writer_open(struct file_set *set, size_t page_bytes,
			struct segment_writer **ret)
{
	struct segment_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return no_memory();
	w->page_bytes = page_bytes ? page_bytes : SEGMENT_PAGE_BYTES;
	if (w->page_bytes < SEGMENT_PAGE_BYTES_MIN)
		w->page_bytes = SEGMENT_PAGE_BYTES_MIN;
	w->properties.seq_min = SEQ_MAX;
	w->block_bytes = w->page_bytes < SEGMENT_BLOCK_BYTES_MAX ?
				 w->page_bytes : SEGMENT_BLOCK_BYTES_MAX;
	rc = block_writer_open(w->block_bytes, &w->block);
	if (rc == 0)
		rc = page_writer_open(set, &w->pages);
	if (rc < 0)
		segment_writer_close(w);
	else
		*ret = w;
	return rc;
}

void segment_writer_close(struct segment_writer *w)
{
	if (!w)
		return;
	page_writer_close(w->pages);
	block_writer_close(w->block);
	segment_index_release(&w->part);
	segment_index_release(&w->top);
	free(w->hashes);
	free(w->shares);
	free(w->first);
	free(w);
}

uint64_t segment_writer_entries(const struct segment_writer *w)
{
	return w->properties.entries;
}

uint64_t segment_writer_bytes(const struct segment_writer *w)
{
	return page_writer_end(w->pages) + block_writer_bytes(w->block) +
	       segment_part_encoded_bytes(&w->part, w->n_hashes) +
	       segment_index_encoded_bytes(&w->top);
}

size_t segment_writer_memory_bytes(const struct segment_writer *w)
{
	return sizeof(*w) + block_writer_memory_bytes(w->block) +
	       segment_index_memory_bytes(&w->part) +
	       segment_index_memory_bytes(&w->top) +
	       w->hashes_room * sizeof(*w->hashes) +
	       w->n_shares * sizeof(*w->shares);
}

/* Ends the next blocks where, if they compress as the last one did, they take
 * whole reads of the disk, or an equal share of one, and still about
 * block_bytes. A little earlier, for they differ. */
static void block_fit(struct segment_writer *w, uint64_t bytes, uint64_t stored)
{
	uint64_t usual = stored * w->block_bytes / bytes, fit, fitting;

	if (usual == 0)
		return;
	if (usual >= PAGE_READ_BYTES * 3 / 4)
		fit = (usual + PAGE_READ_BYTES / 2) / PAGE_READ_BYTES *
		      PAGE_READ_BYTES;
	else
		fit = PAGE_READ_BYTES / ((PAGE_READ_BYTES + usual / 2) / usual);
	fitting = (fit - fit / FIT_SPARE_PART) * bytes / stored;
	if (fitting > w->block_bytes / 4 * 3 && fitting < w->block_bytes / 4 * 5)
		block_writer_set_bytes(w->block, fitting);
}

static int block_end(struct segment_writer *w)
{
	uint64_t bytes = block_writer_bytes(w->block);
	struct block_encoded encoded;
	struct page_ref page;
	int rc = block_writer_encode(w->block, &encoded);
	struct page_parts parts = { .bytes = encoded.bytes, .ends = encoded.ends,
				    .n = BLOCK_PARTS };

	if (rc == 0)
		rc = page_writer_add_parts(w->pages, PAGE_BLOCK, &parts, &page);
	if (rc == 0)
		rc = segment_index_add(&w->part, &page);
	if (rc == 0)
		block_fit(w, bytes, page_writer_last_bytes(w->pages));
	block_writer_clear(w->block);
	w->properties.blocks++;
	return rc;
}

static int part_end(struct segment_writer *w)
{
	size_t n = segment_part_encoded_bytes(&w->part, w->n_hashes);
	uint8_t *bytes = malloc(n);
	struct page_ref page;
	int rc;

	if (!bytes)
		return no_memory();
	segment_part_encode(&w->part, w->hashes, w->n_hashes, bytes);
	rc = page_writer_add(w->pages, PAGE_INDEX, PAGE_PLAIN, bytes, n, &page);
	if (rc == 0)
		rc = segment_index_add(&w->top, &page);
	free(bytes);
	segment_index_clear(&w->part);
	w->n_hashes = 0;
	return rc;
}

static bool part_is_full(const struct segment_writer *w)
{
	return w->n_hashes * FILTER_BITS_A_KEY / BYTES_IN_BITS >= w->page_bytes ||
	       segment_index_encoded_bytes(&w->part) >= w->page_bytes;
}

/* Whether the open block ends before this entry. */
static bool block_is_full(const struct segment_writer *w, const struct entry *e)
{
	size_t bytes = block_writer_bytes(w->block);

	if (block_writer_entries(w->block) == 0)
		return false;
	return block_writer_is_full(w->block) ||
	       bytes + e->key_bytes + e->value_bytes + e->attr_bytes >
		       2 * w->block_bytes;
}

/* Ends the block before an entry, and the partition if it is full. The
 * separator is as short as it can be. */
static int separate(struct segment_writer *w, const struct entry *e, size_t shared)
{
	bool is_same = shared == w->last_bytes && shared == e->key_bytes;
	size_t n = is_same ? shared : shared + 1;
	seq_t seq = is_same ? e->seq : 0;
	int rc = block_end(w);

	if (rc < 0)
		return rc;
	if (!part_is_full(w))
		return segment_index_separate(&w->part, e->key, n, seq);
	rc = part_end(w);
	return rc < 0 ? rc : segment_index_separate(&w->top, e->key, n, seq);
}

static int hash_add(struct segment_writer *w, const struct entry *e)
{
	if (w->n_hashes == w->hashes_room) {
		size_t room = w->hashes_room ? 2 * w->hashes_room : 64;
		uint64_t *hashes = realloc(w->hashes, room * sizeof(*hashes));

		if (!hashes)
			return no_memory();
		w->hashes = hashes;
		w->hashes_room = room;
	}
	w->hashes[w->n_hashes++] = filter_hash(e->key, e->key_bytes);
	return 0;
}

static int first_set(struct segment_writer *w, const struct entry *e)
{
	w->first = malloc(e->key_bytes + 1u);
	if (!w->first)
		return no_memory();
	if (e->key_bytes)
		memcpy(w->first, e->key, e->key_bytes);
	w->properties.first = (struct segment_bytes){ w->first, e->key_bytes };
	return 0;
}

static void count(struct segment_properties *p, const struct entry *e, bool is_new)
{
	p->entries++;
	p->tombstones += e->is_tombstone;
	p->keys += is_new;
	if (e->seq < p->seq_min)
		p->seq_min = e->seq;
	if (e->seq > p->seq_max)
		p->seq_max = e->seq;
	if (e->time_us > p->time_us_max)
		p->time_us_max = e->time_us;
}

/* The entry is an older version of the last one's key. */
static void count_superseded(struct segment_writer *w, const struct entry *e)
{
	if (!w->superseded_min || e->seq < w->superseded_min)
		w->superseded_min = e->seq;
	if (w->last_seq > w->superseded_until)
		w->superseded_until = w->last_seq;
}

/* That the entry follows the last one, `shared` bytes of whose key it has. */
static bool is_in_order(const struct segment_writer *w, const struct entry *e,
			size_t shared)
{
	if (w->properties.entries == 0)
		return true;
	if (shared == e->key_bytes)
		return shared == w->last_bytes && e->seq < w->last_seq;
	return shared == w->last_bytes ||
	       ((const uint8_t *)e->key)[shared] > w->last[shared];
}

static int add(struct segment_writer *w, const struct entry *e)
{
	size_t shared = key_shared(e->key, e->key_bytes, w->last, w->last_bytes);
	bool is_new = w->properties.entries == 0 || shared < w->last_bytes ||
		      shared < e->key_bytes;
	int rc = 0;

	assert(is_in_order(w, e, shared));
	if (w->properties.entries == 0)
		rc = first_set(w, e);
	if (rc == 0 && block_is_full(w, e))
		rc = separate(w, e, shared);
	if (rc == 0 && (is_new || w->n_hashes == 0))
		rc = hash_add(w, e);
	if (rc == 0)
		rc = block_writer_add(w->block, e);
	if (rc < 0)
		return rc;
	count(&w->properties, e, is_new);
	if (!is_new)
		count_superseded(w, e);
	if (e->key_bytes > shared)
		memcpy(w->last + shared, (const uint8_t *)e->key + shared,
		       e->key_bytes - shared);
	w->last_bytes = e->key_bytes;
	w->last_seq = e->seq;
	return 0;
}

int segment_writer_add(struct segment_writer *w, const struct entry *e)
{
	int rc = check_usable(w);

	assert(e->key_bytes <= SEGMENT_KEY_BYTES_MAX);
	assert(e->value_bytes <= AEDB_VALUE_INLINE_MAX);
	assert(e->attr_bytes <= UINT16_MAX);
	assert(e->seq && e->seq <= SEQ_MAX && e->id <= SEQ_MAX);
	assert(!e->is_tombstone || (e->value_bytes == 0 && !e->is_ref));
	return rc < 0 ? rc : fail(w, add(w, e));
}

int segment_writer_share(struct segment_writer *w, file_id_t file, uint64_t bytes)
{
	size_t i = w->n_shares;
	struct segment_share *shares;

	while (i && w->shares[i - 1].file >= file)
		i--;
	if (i < w->n_shares && w->shares[i].file == file) {
		w->shares[i].bytes += bytes;
		return 0;
	}
	shares = realloc(w->shares, (w->n_shares + 1) * sizeof(*shares));
	if (!shares)
		return fail(w, no_memory());
	memmove(shares + i + 1, shares + i, (w->n_shares - i) * sizeof(*shares));
	shares[i] = (struct segment_share){ file, bytes };
	w->shares = shares;
	w->n_shares++;
	return 0;
}

static int properties_write(struct segment_writer *w, struct page_ref *ret)
{
	struct segment_properties *p = &w->properties;
	const struct segment_index_builder *index;
	size_t part_bytes, n, keys;
	uint8_t *bytes, *part;
	int rc;

	p->is_partitioned = w->top.pages > 0;
	p->last = (struct segment_bytes){ w->last, w->last_bytes };
	index = p->is_partitioned ? &w->top : &w->part;
	keys = p->is_partitioned ? 0 : w->n_hashes;
	part_bytes = segment_part_encoded_bytes(index, keys);
	n = segment_properties_encoded_bytes(p, part_bytes);
	bytes = malloc(n);
	if (!bytes)
		return no_memory();
	segment_properties_encode(p, part_bytes, bytes);
	part = (uint8_t *)segment_properties_part(bytes);
	segment_part_encode(index, w->hashes, keys, part);
	rc = page_writer_add(w->pages, PAGE_META, PAGE_PLAIN, bytes, n, ret);
	free(bytes);
	return rc;
}

static int finish(struct segment_writer *w, struct segment_info *ret)
{
	const struct segment_properties *p = &w->properties;
	struct segment_info info = { .number = page_writer_file(w->pages) };
	int rc = block_end(w);

	if (rc == 0 && w->top.pages)
		rc = part_end(w);
	if (rc == 0)
		rc = properties_write(w, &info.meta);
	info.bytes = page_writer_end(w->pages);
	if (rc == 0)
		rc = page_writer_finish(w->pages);
	if (rc < 0)
		return rc;
	info.entries = p->entries;
	info.tombstones = p->tombstones;
	info.superseded = p->entries - p->keys;
	info.superseded_min = w->superseded_min;
	info.superseded_until = w->superseded_until;
	info.seq_min = p->seq_min;
	info.seq_max = p->seq_max;
	info.time_us_max = p->time_us_max;
	info.first = p->first;
	info.last = p->last;
	info.shares = w->shares;
	info.n_shares = w->n_shares;
	return segment_info_copy(&info, ret);
}

int segment_writer_finish(struct segment_writer *w, struct segment_info *ret)
{
	int rc = check_usable(w);

	assert(w->properties.entries);
	return rc < 0 ? rc : fail(w, finish(w, ret));
}
