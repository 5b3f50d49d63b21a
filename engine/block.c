/*
 * Finding entries in a block that was checked: by heads the group of entries
 * that may hold a key, then key by key in that group.
 *
 * Invariants (block_check):
 * 1. A key is shared with the one before as far as it can be, but for the first
 *    of a group, which is whole. So a key that shares less with its predecessor
 *    than that does with the key sought is above both.
 * 2. The table of groups says where each group's parts begin.
 */
#include "block_inner.h"
#include "mem_key.h"

void block_init(struct block *b, const uint8_t *bytes)
{
	struct block_head h;
	uint64_t at[BLOCK_SECTIONS];
	uint32_t bit = 0;

	block_head_decode(bytes, &h);
	block_head_sections(&h, at);
	b->entries = h.entries;
	b->groups = (h.entries + BLOCK_GROUP - 1) / BLOCK_GROUP;
	b->prefix_bytes = h.prefix_bytes;
	b->key_bytes_max = h.key_bytes_max;
	b->time_slope = h.time_slope;
	b->heads = bytes + at[BLOCK_HEADS];
	b->places = bytes + at[BLOCK_PLACES];
	b->prefix = bytes + at[BLOCK_PREFIX];
	b->shared = bytes + at[BLOCK_SHARED];
	b->suffix = bytes + at[BLOCK_SUFFIX];
	b->keys = bytes + at[BLOCK_KEYS];
	b->packed = bytes + at[BLOCK_PACKED];
	b->extras = bytes + at[BLOCK_EXTRAS];
	b->values = bytes + at[BLOCK_VALUES];
	for (unsigned int c = 0; c < BLOCK_COLUMNS; c++) {
		b->column[c] = (struct block_bits){
			.base = h.base[c],
			.mask = (UINT64_C(1) << h.width[c]) - 1,
			.width = h.width[c],
			.bit = bit,
		};
		bit += block_head_numbers(&h, c) * h.width[c];
	}
}

/* Whether the first entry of a group lies before (key, limit), by whole keys;
 * the key is what follows the prefix. */
static bool group_is_before(const struct block *b, uint32_t group,
			    const uint8_t *key, size_t n, seq_t limit)
{
	uint32_t i = group * BLOCK_GROUP, shared;
	const uint8_t *at = b->keys + block_group_place(b, group).key;
	uint32_t bytes = block_key_parts(b, i, &at, &shared);
	int order = key_compare(at, bytes, key, n);

	return order < 0 || (order == 0 && block_number(b, BLOCK_SEQ, i) > limit);
}

/* Number of groups whose first entry lies before (key, limit). */
static uint32_t groups_before(const struct block *b, const uint8_t *key,
			      size_t n, seq_t limit)
{
	uint64_t head = key_head(key, n, 0);
	uint32_t low = 0, high = b->groups;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		uint64_t other;

		memcpy(&other, b->heads + 8 * (size_t)middle, sizeof(other));
		if (other < head || (other == head &&
				     group_is_before(b, middle, key, n, limit)))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* From the first entry of a group on. */
static void scan(const struct block *b, uint32_t group, const uint8_t *key,
		 size_t n, seq_t limit, struct block_found *ret)
{
	const uint8_t *at = b->keys + block_group_place(b, group).key;
	uint32_t i = group * BLOCK_GROUP;
	size_t matched = 0;	/* bytes of key that the one before has */

	for (; i < b->entries; i++) {
		uint32_t shared, bytes = block_key_parts(b, i, &at, &shared);
		size_t same;

		if (i % BLOCK_GROUP == 0)
			matched = 0;
		if (shared < matched)
			break;
		if (shared == matched) {
			same = key_shared(at, bytes, key + matched, n - matched);
			matched += same;
			if (same == bytes && matched == n) {
				seq_t seq = block_number(b, BLOCK_SEQ, i);

				ret->is_key = seq <= limit;
				if (ret->is_key)
					break;
				ret->newer = seq;
			} else if (same < bytes &&
				   (matched == n || at[same] > key[matched])) {
				break;
			}
		}
		at += bytes;
	}
	ret->at = i;
}

/* Begins to load what a scan and block_entry will need, all at once. */
static void prefetch_group(const struct block *b, uint32_t group)
{
	uint32_t i = group * BLOCK_GROUP;

	__builtin_prefetch(b->shared + i);
	__builtin_prefetch(b->suffix + i);
	for (unsigned int c = BLOCK_SEQ; c <= BLOCK_TIME; c++) {
		const struct block_bits *column = &b->column[c];

		__builtin_prefetch(b->packed + (column->bit +
						(size_t)i * column->width) / 8);
	}
}

void block_seek(const struct block *b, const void *key, size_t key_bytes,
		seq_t limit, struct block_found *ret)
{
	size_t both = key_bytes < b->prefix_bytes ? key_bytes : b->prefix_bytes;
	int order = both ? memcmp(b->prefix, key, both) : 0;

	*ret = (struct block_found){ 0 };
	if (order < 0) {
		ret->at = b->entries;
		return;
	}
	if (order > 0 || both < b->prefix_bytes)
		return;
	const uint8_t *rest = (const uint8_t *)key + both;
	size_t n = key_bytes - both;
	uint32_t groups = groups_before(b, rest, n, limit);
	uint32_t group = groups ? groups - 1 : 0;

	prefetch_group(b, group);
	scan(b, group, rest, n, limit, ret);
}

/* The extras of an entry that is passed over. */
static void more_skip(const struct block *b, uint32_t flags,
		      struct block_place *p)
{
	const uint8_t *at = b->extras + p->extra;

	if (flags & BLOCK_HAS_ID)
		p->id++;
	if (flags & BLOCK_HAS_MTIME)
		at += 8;
	if (flags & BLOCK_HAS_ATTR) {
		uint64_t bytes = block_varint(&at);

		at += bytes;
	}
	p->extra = (uint32_t)(at - b->extras);
}

void block_entry(const struct block *b, uint32_t at, struct entry *ret)
{
	const struct block_bits *flag = &b->column[BLOCK_FLAGS];
	uint32_t i = at - at % BLOCK_GROUP;
	struct block_place p = block_group_place(b, i / BLOCK_GROUP);

	for (; i < at; i++) {
		p.value += (uint32_t)block_number(b, BLOCK_VALUE_BYTES, i);
		if (flag->base | flag->mask)
			more_skip(b, (uint32_t)block_number(b, BLOCK_FLAGS, i),
				  &p);
	}
	block_take(b, at, &p, ret);
}

void block_more(const struct block *b, uint32_t flags, struct block_place *p,
		struct entry *ret)
{
	const uint8_t *at = b->extras + p->extra;

	if (flags & BLOCK_HAS_ID)
		ret->id = block_number(b, BLOCK_ID, p->id++);
	if (flags & BLOCK_HAS_MTIME) {
		ret->mtime_ns = (int64_t)bytes_load_le64(at);
		at += 8;
	}
	if (flags & BLOCK_HAS_ATTR) {
		ret->attr_bytes = (uint32_t)block_varint(&at);
		ret->attr = at;
		at += ret->attr_bytes;
	}
	p->extra = (uint32_t)(at - b->extras);
}
