/* An array of records; a heap as soon as it has as many as are kept. */
#include "table_sort.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "range.h"

#define ROOM_MIN 64

struct sort_record {
	size_t sort_key_bytes, key_bytes, row_bytes;
	seq_t version;
	uint8_t bytes[];	/* sort key, key, row */
};

void table_sort_init(struct table_sort *sort, uint64_t keep_max,
		     uint64_t bytes_max)
{
	*sort = (struct table_sort){ .keep_max = keep_max,
				     .bytes_max = bytes_max };
}

void table_sort_release(struct table_sort *sort)
{
	for (size_t i = 0; i < sort->n; i++)
		free(sort->at[i]);
	free(sort->at);
	*sort = (struct table_sort){ .at = NULL };
}

static int compare(const struct sort_record *a, const struct sort_record *b)
{
	return range_compare(a->bytes, a->sort_key_bytes, b->bytes,
			     b->sort_key_bytes);
}

/* What it takes, its place in the array included. */
static uint64_t record_bytes(const struct sort_record *record)
{
	return sizeof(*record) + sizeof(record) + record->sort_key_bytes +
	       record->key_bytes + record->row_bytes;
}

/* NULL: no memory. */
static struct sort_record *record_new(const struct table_sorted *row)
{
	size_t n = row->sort_key.n + row->key.n + row->row.n;
	struct sort_record *record = malloc(sizeof(*record) + n);

	if (!record) {
		err_set(AEDB_NO_MEMORY, "no memory to sort %zu bytes", n);
		return NULL;
	}
	*record = (struct sort_record){ row->sort_key.n, row->key.n, row->row.n,
					row->version };
	memcpy(record->bytes, row->sort_key.at, row->sort_key.n);
	memcpy(record->bytes + row->sort_key.n, row->key.at, row->key.n);
	if (row->row.n)
		memcpy(record->bytes + row->sort_key.n + row->key.n, row->row.at,
		       row->row.n);
	return record;
}

static int room_make(struct table_sort *sort)
{
	size_t room = sort->room ? 2 * sort->room : ROOM_MIN;
	struct sort_record **grown;

	if (sort->n < sort->room)
		return 0;
	grown = realloc(sort->at, room * sizeof(*grown));
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory to sort %zu rows",
			       room);
	sort->at = grown;
	sort->room = room;
	return 0;
}

/* The heap. */

static void sift_down(struct table_sort *sort, size_t i)
{
	struct sort_record *moved = sort->at[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= sort->n)
			break;
		if (child + 1 < sort->n &&
		    compare(sort->at[child + 1], sort->at[child]) > 0)
			child++;
		if (compare(sort->at[child], moved) <= 0)
			break;
		sort->at[i] = sort->at[child];
		i = child;
	}
	sort->at[i] = moved;
}

static bool is_full(const struct table_sort *sort)
{
	return sort->keep_max && sort->n == sort->keep_max;
}

/* Whether a row comes before one that is kept. */
static bool is_wanted(const struct table_sort *sort,
		      const struct table_sorted *row)
{
	const struct sort_record *last = sort->at[0];

	return range_compare(row->sort_key.at, row->sort_key.n, last->bytes,
			     last->sort_key_bytes) < 0;
}

static void append(struct table_sort *sort, struct sort_record *record)
{
	sort->at[sort->n++] = record;
	if (is_full(sort))
		for (size_t i = sort->n / 2; i-- > 0;)
			sift_down(sort, i);
}

static void replace_last(struct table_sort *sort, struct sort_record *record)
{
	sort->bytes -= record_bytes(sort->at[0]);
	free(sort->at[0]);
	sort->at[0] = record;
	sift_down(sort, 0);
}

int table_sort_add(struct table_sort *sort, const struct table_sorted *row)
{
	struct sort_record *record;

	if (is_full(sort) && !is_wanted(sort, row))
		return 0;
	if (!is_full(sort) && room_make(sort) < 0)
		return AEDB_NO_MEMORY;
	record = record_new(row);
	if (!record)
		return AEDB_NO_MEMORY;
	sort->bytes += record_bytes(record);
	if (is_full(sort))
		replace_last(sort, record);
	else
		append(sort, record);
	if (sort->bytes > sort->bytes_max)
		return err_set(AEDB_TOO_LARGE,
			       "sorting takes more than memory_max, %llu bytes",
			       (unsigned long long)sort->bytes_max);
	return 0;
}

static int by_sort_key(const void *a, const void *b)
{
	return compare(*(struct sort_record *const *)a,
		       *(struct sort_record *const *)b);
}

void table_sort_end(struct table_sort *sort)
{
	if (sort->n)
		qsort(sort->at, sort->n, sizeof(struct sort_record *),
		      by_sort_key);
}

bool table_sort_next(struct table_sort *sort, struct table_sorted *ret)
{
	const struct sort_record *record;
	const uint8_t *at;

	if (sort->next == sort->n)
		return false;
	record = sort->at[sort->next++];
	at = record->bytes;
	ret->sort_key = (struct aedb_bytes){ at, record->sort_key_bytes };
	at += record->sort_key_bytes;
	ret->key = (struct aedb_bytes){ at, record->key_bytes };
	ret->row = (struct aedb_bytes){ at + record->key_bytes,
					record->row_bytes };
	ret->version = record->version;
	return true;
}
