/*
 * Collects the entries of a block as rows and byte strings, and lays them out
 * in columns once it is known what they have in common.
 */
#include "block_writer.h"

#include <stdlib.h>

#include "block_inner.h"
#include "err.h"
#include "mem_key.h"

#define ROW_BYTES 12u	/* about, in the block: version, time, lengths, tables */

struct buffer {
	uint8_t *at;		/* owned */
	size_t n, room;
};

struct row {
	seq_t seq, id;
	uint64_t time_us;
	uint32_t value_bytes;
	uint16_t shared;	/* with the key before; also where the key is whole */
	uint16_t key_bytes;
	uint8_t flags;
};

struct block_writer {
	size_t page_bytes;
	uint32_t entries;
	uint32_t prefix_bytes, key_bytes_max;
	struct buffer rows;	/* struct row */
	struct buffer keys;	/* the rests, or whole keys */
	struct buffer extras, values, out;
	uint32_t last_bytes;	/* 0 in a new block, */
	uint32_t before_bytes;	/* whereas this is of the key before still */
	uint8_t last[BLOCK_KEY_BYTES_MAX];
};

int block_writer_open(size_t page_bytes, struct block_writer **ret)
{
	struct block_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(AEDB_NO_MEMORY, "writing a segment: no memory");
	w->page_bytes = page_bytes;
	w->before_bytes = UINT32_MAX;	/* as long is no key */
	*ret = w;
	return 0;
}

void block_writer_close(struct block_writer *w)
{
	if (!w)
		return;
	free(w->rows.at);
	free(w->keys.at);
	free(w->extras.at);
	free(w->values.at);
	free(w->out.at);
	free(w);
}

/* Room for n bytes more. */
static int buffer_reserve(struct buffer *b, size_t n)
{
	size_t room = b->room ? b->room : 256;
	uint8_t *at;

	if (b->n + n <= b->room)
		return 0;
	while (room < b->n + n)
		room *= 2;
	at = realloc(b->at, room);
	if (!at)
		return err_set(AEDB_NO_MEMORY, "writing a segment: no memory");
	b->at = at;
	b->room = room;
	return 0;
}

static int buffer_add(struct buffer *b, const void *bytes, size_t n)
{
	int rc = n ? buffer_reserve(b, n) : 0;

	if (rc == 0 && n) {
		memcpy(b->at + b->n, bytes, n);
		b->n += n;
	}
	return rc;
}

static struct row *row_at(const struct block_writer *w, uint32_t i)
{
	return (struct row *)w->rows.at + i;
}

static uint8_t flags_of(const struct entry *e)
{
	unsigned int flags = 0;

	if (e->is_tombstone)
		flags |= BLOCK_IS_TOMBSTONE;
	if (e->is_ref)
		flags |= BLOCK_IS_REF;
	if (e->id != e->seq)
		flags |= BLOCK_HAS_ID;
	if (e->mtime_ns != AEDB_MTIME_NONE)
		flags |= BLOCK_HAS_MTIME;
	if (e->attr_bytes)
		flags |= BLOCK_HAS_ATTR;
	return (uint8_t)flags;
}

static int add_extras(struct block_writer *w, const struct entry *e)
{
	uint8_t head[8 + BYTES_VARINT_MAX], *at = head;

	if (e->mtime_ns != AEDB_MTIME_NONE) {
		bytes_store_le64(at, (uint64_t)e->mtime_ns);
		at += 8;
	}
	if (e->attr_bytes)
		at = bytes_store_varint(at, e->attr_bytes);
	int rc = buffer_add(&w->extras, head, (size_t)(at - head));

	return rc < 0 ? rc : buffer_add(&w->extras, e->attr, e->attr_bytes);
}

static int add_key(struct block_writer *w, const struct entry *e, uint32_t shared)
{
	uint32_t from = w->entries % BLOCK_GROUP ? shared : 0;
	const uint8_t *key = e->key;

	if (w->entries == 0 || shared < w->prefix_bytes)
		w->prefix_bytes = w->entries ? shared : e->key_bytes;
	if (e->key_bytes > w->key_bytes_max)
		w->key_bytes_max = e->key_bytes;
	memcpy(w->last + shared, key + shared, e->key_bytes - shared);
	w->last_bytes = w->before_bytes = e->key_bytes;
	return buffer_add(&w->keys, key + from, e->key_bytes - from);
}

static bool has_newer(const struct block_writer *w, const struct entry *e)
{
	return e->key_bytes == w->before_bytes &&
	       memcmp(e->key, w->last, e->key_bytes) == 0;
}

int block_writer_add(struct block_writer *w, const struct entry *e)
{
	struct row row = {
		.seq = e->seq, .id = e->id, .time_us = e->time_us,
		.value_bytes = e->value_bytes, .flags = flags_of(e),
		.shared = (uint16_t)key_shared(e->key, e->key_bytes, w->last,
					       w->last_bytes),
		.key_bytes = (uint16_t)e->key_bytes,
	};
	int rc;

	if (has_newer(w, e))
		row.flags |= BLOCK_HAS_NEWER;
	rc = buffer_add(&w->rows, &row, sizeof(row));
	if (rc == 0)
		rc = add_key(w, e, row.shared);
	if (rc == 0)
		rc = add_extras(w, e);
	if (rc == 0)
		rc = buffer_add(&w->values, e->value, e->value_bytes);
	if (rc == 0)
		w->entries++;
	return rc;
}

uint32_t block_writer_entries(const struct block_writer *w)
{
	return w->entries;
}

size_t block_writer_bytes(const struct block_writer *w)
{
	return BLOCK_HEAD_BYTES + w->keys.n + w->extras.n + w->values.n +
	       (size_t)w->entries * ROW_BYTES;
}

void block_writer_set_bytes(struct block_writer *w, size_t page_bytes)
{
	w->page_bytes = page_bytes;
}

bool block_writer_is_full(const struct block_writer *w)
{
	return block_writer_bytes(w) >= w->page_bytes ||
	       w->entries >= w->page_bytes / 8 ||
	       w->entries == BLOCK_ENTRIES_MAX;
}

void block_writer_clear(struct block_writer *w)
{
	w->rows.n = w->keys.n = w->extras.n = w->values.n = 0;
	w->entries = 0;
	w->key_bytes_max = 0;
	w->last_bytes = 0;
}

size_t block_writer_memory_bytes(const struct block_writer *w)
{
	return sizeof(*w) + w->rows.room + w->keys.room + w->extras.room +
	       w->values.room + w->out.room;
}

static uint8_t width_of(uint64_t range)
{
	return range ? (uint8_t)(64 - __builtin_clzll(range)) : 0;
}

static uint64_t number_of(const struct row *row, enum block_column column)
{
	switch (column) {
	case BLOCK_SEQ:
		return row->seq;
	case BLOCK_FLAGS:
		return row->flags;
	case BLOCK_VALUE_BYTES:
		return row->value_bytes;
	case BLOCK_ID:
		return row->id;
	default:
		return row->time_us;
	}
}

static bool has_number(const struct row *row, enum block_column column)
{
	return column != BLOCK_ID || (row->flags & BLOCK_HAS_ID);
}

static void choose_range(const struct block_writer *w, enum block_column column,
			 struct block_head *h)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (uint32_t i = 0; i < w->entries; i++) {
		const struct row *row = row_at(w, i);
		uint64_t v = number_of(row, column);

		if (!has_number(row, column))
			continue;
		least = v < least ? v : least;
		most = v > most ? v : most;
	}
	h->base[column] = least <= most ? least : 0;
	h->width[column] = width_of(least <= most ? most - least : 0);
}

static uint64_t above_line(const struct row *row, const struct block_head *h)
{
	return row->time_us - block_line(h->time_slope, row->seq - h->base[BLOCK_SEQ]);
}

/* Base and width of the times above a line with this slope. */
static void choose_line(const struct block_writer *w, uint64_t slope,
			struct block_head *h)
{
	int64_t least = 0, most = 0;
	uint64_t first;

	h->time_slope = slope;
	first = above_line(row_at(w, 0), h);
	for (uint32_t i = 1; i < w->entries; i++) {
		int64_t d = (int64_t)(above_line(row_at(w, i), h) - first);

		least = d < least ? d : least;
		most = d > most ? d : most;
	}
	h->base[BLOCK_TIME] = first + (uint64_t)least;
	h->width[BLOCK_TIME] = width_of((uint64_t)most - (uint64_t)least);
}

/* The line by least squares; none where it does not help. */
static void choose_times(const struct block_writer *w, struct block_head *h)
{
	double n = w->entries, x = 0, y = 0, xx = 0, xy = 0, slope;
	uint64_t from = row_at(w, 0)->time_us;
	struct block_head flat;

	choose_line(w, 0, h);
	flat = *h;
	for (uint32_t i = 0; i < w->entries; i++) {
		const struct row *row = row_at(w, i);
		double dx = (double)(row->seq - h->base[BLOCK_SEQ]);
		double dy = (double)(int64_t)(row->time_us - from);

		x += dx;
		y += dy;
		xx += dx * dx;
		xy += dx * dy;
	}
	slope = (n * xy - x * y) / (n * xx - x * x) * (1 << BLOCK_SLOPE_SHIFT);
	if (slope >= 1 && slope < 0x1p62)
		choose_line(w, (uint64_t)slope, h);
	if (h->width[BLOCK_TIME] > flat.width[BLOCK_TIME])
		*h = flat;
}

/* A length in its byte, what is more at *more. */
static uint8_t put_length(uint32_t bytes, uint8_t **more)
{
	if (bytes < BLOCK_LONG)
		return (uint8_t)bytes;
	*more = bytes_store_varint(*more, bytes - BLOCK_LONG);
	return BLOCK_LONG;
}

/* Lengths and rests, into room for the longest; returns bytes of the rests. */
static uint32_t put_keys(const struct block_writer *w, uint8_t *shared,
			 uint8_t *suffix, uint8_t *keys)
{
	const uint8_t *from = w->keys.at;
	uint8_t *at = keys;

	for (uint32_t i = 0; i < w->entries; i++) {
		const struct row *row = row_at(w, i);
		bool is_whole = i % BLOCK_GROUP == 0;
		uint32_t common = is_whole ? w->prefix_bytes : row->shared;
		uint32_t rest = row->key_bytes - common;

		if (is_whole)
			from += common;
		shared[i] = put_length(common - w->prefix_bytes, &at);
		suffix[i] = put_length(rest, &at);
		if (rest)
			memcpy(at, from, rest);
		from += rest;
		at += rest;
	}
	return (uint32_t)(at - keys);
}

static void pack(uint8_t *packed, uint64_t bit, uint64_t v)
{
	uint8_t *at = packed + (bit >> 3);

	bytes_store_le64(at, bytes_load_le64(at) | v << (bit & 7));
}

static void put_columns(const struct block_writer *w, const struct block_head *h,
			uint8_t *packed)
{
	uint64_t bit = 0;

	for (unsigned int c = 0; c < BLOCK_COLUMNS; c++) {
		for (uint32_t i = 0; h->width[c] && i < w->entries; i++) {
			const struct row *row = row_at(w, i);
			uint64_t v = c == BLOCK_TIME ? above_line(row, h) :
						       number_of(row, c);

			if (!has_number(row, c))
				continue;
			pack(packed, bit, v - h->base[c]);
			bit += h->width[c];
		}
	}
}

static void choose_head(const struct block_writer *w, struct block_head *h)
{
	h->entries = w->entries;
	h->prefix_bytes = w->prefix_bytes;
	h->key_bytes_max = w->key_bytes_max;
	h->extras_bytes = (uint32_t)w->extras.n;
	for (uint32_t i = 0; i < w->entries; i++)
		h->ids += (row_at(w, i)->flags & BLOCK_HAS_ID) != 0;
	choose_range(w, BLOCK_SEQ, h);
	choose_range(w, BLOCK_FLAGS, h);
	choose_range(w, BLOCK_VALUE_BYTES, h);
	choose_range(w, BLOCK_ID, h);
	choose_times(w, h);
}

int block_writer_encode(struct block_writer *w, struct block_encoded *ret)
{
	uint64_t at[BLOCK_SECTIONS];
	struct block_head h = { .entries = 0 };
	uint8_t *out;
	size_t most;
	int rc;

	choose_head(w, &h);
	/* lengths over a byte are two varints of two bytes at most */
	h.keys_bytes = (uint32_t)w->keys.n + 4 * w->entries;
	block_head_sections(&h, at);
	most = at[BLOCK_VALUES] + w->values.n;
	w->out.n = 0;
	rc = buffer_reserve(&w->out, most);
	if (rc < 0)
		return rc;
	out = w->out.at;
	memset(out, 0, at[BLOCK_VALUES]);
	memcpy(out + at[BLOCK_PREFIX], w->last, w->prefix_bytes);
	h.keys_bytes = put_keys(w, out + at[BLOCK_SHARED], out + at[BLOCK_SUFFIX],
				out + at[BLOCK_KEYS]);
	block_head_sections(&h, at);
	put_columns(w, &h, out + at[BLOCK_PACKED]);
	if (w->extras.n)
		memcpy(out + at[BLOCK_EXTRAS], w->extras.at, w->extras.n);
	if (w->values.n)
		memcpy(out + at[BLOCK_VALUES], w->values.at, w->values.n);
	block_head_encode(&h, out);
	ret->bytes = out;
	ret->n = at[BLOCK_VALUES] + w->values.n;
	ret->ends[0] = at[BLOCK_PACKED];
	ret->ends[1] = at[BLOCK_EXTRAS] - BLOCK_PAD_BYTES;
	ret->ends[2] = ret->n;
	return 0;
}
