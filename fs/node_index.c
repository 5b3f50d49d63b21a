/*
 * Linear hashing: of 2 * half buckets the first n_buckets are there, and what
 * belongs into one that is not stands in the bucket half below it.
 */
#include "node_index.h"

#include <errno.h>
#include <sys/mman.h>

#include "node.h"

#define BUCKETS_MIN 1024
/* With more nodes the chains get longer. */
#define BUCKETS_MAX ((size_t)1 << 27)
/* As many are left over before the table shrinks, and given back together. */
#define BUCKETS_SLACK 8192
#define RESERVED_BYTES (BUCKETS_MAX * sizeof(struct node *))

int node_index_init(struct node_index *index)
{
	void *p = mmap(NULL, RESERVED_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	*index = (struct node_index){ .buckets = p, .n_buckets = BUCKETS_MIN,
				      .half = BUCKETS_MIN / 2 };
	return 0;
}

void node_index_release(struct node_index *index)
{
	if (index->buckets)
		munmap(index->buckets, RESERVED_BYTES);
}

static struct node **bucket_of(const struct node_index *index, uint32_t hash)
{
	size_t i = hash & (2 * index->half - 1);

	return &index->buckets[i < index->n_buckets ? i : i - index->half];
}

struct node *node_index_first(const struct node_index *index, uint32_t hash)
{
	return *bucket_of(index, hash);
}

static void push(struct node **bucket, struct node *node)
{
	node->next_in_bucket = *bucket;
	*bucket = node;
}

/* Makes one bucket more, of what was kept for it half below. */
static void grow(struct node_index *index)
{
	struct node *node, *next;

	if (index->n_buckets == 2 * index->half)
		index->half *= 2;
	node = index->buckets[index->n_buckets - index->half];
	index->buckets[index->n_buckets - index->half] = NULL;
	index->n_buckets++;
	for (; node; node = next) {
		next = node->next_in_bucket;
		push(bucket_of(index, node->hash), node);
	}
}

static void shrink(struct node_index *index)
{
	struct node **last = &index->buckets[--index->n_buckets];
	struct node *node = *last, *next;

	*last = NULL;
	for (; node; node = next) {
		next = node->next_in_bucket;
		push(bucket_of(index, node->hash), node);
	}
	if (index->n_buckets == index->half)
		index->half /= 2;
	if (index->n_buckets % BUCKETS_SLACK == 0)
		madvise(&index->buckets[index->n_buckets],
			BUCKETS_SLACK * sizeof(struct node *), MADV_DONTNEED);
}

void node_index_add(struct node_index *index, struct node *node)
{
	index->n_nodes++;
	if (index->n_nodes > index->n_buckets && index->n_buckets < BUCKETS_MAX)
		grow(index);
	push(bucket_of(index, node->hash), node);
}

void node_index_remove(struct node_index *index, struct node *node)
{
	struct node **at = bucket_of(index, node->hash);

	while (*at != node)
		at = &(*at)->next_in_bucket;
	*at = node->next_in_bucket;
	index->n_nodes--;
	if (index->n_buckets > index->n_nodes + BUCKETS_SLACK &&
	    index->n_buckets > BUCKETS_MIN)
		shrink(index);
}

struct node *node_index_next(const struct node_index *index,
			     const struct node *node)
{
	size_t i = 0;

	if (node && node->next_in_bucket)
		return node->next_in_bucket;
	if (node)
		i = (size_t)(bucket_of(index, node->hash) - index->buckets) + 1;
	while (i < index->n_buckets && !index->buckets[i])
		i++;
	return i < index->n_buckets ? index->buckets[i] : NULL;
}

size_t node_index_bytes(const struct node_index *index)
{
	return index->n_buckets * sizeof(struct node *);
}
