/*
 * The table of nodes: a hash over (parent, name).
 *
 * Invariants
 * 1. A node that is no orphan is in the table under its parent and name, and
 *    stands for an object that exists (committed or pending): the mount is the
 *    database's only writer and moves or orphans nodes as it commits.
 *    Orphans are in it too, under no name.
 * 2. A node counts its parent, so every ancestor of a node is in memory.
 * 3. refs == 0 never outlives a call here.
 */
#include "node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 1024

struct node_table {
	struct node root;
	struct node **buckets;
	size_t n_buckets;		/* a power of two */
	size_t n_nodes;
};

static uint32_t hash_name(const struct node *parent, const char *name)
{
	uint64_t h = (uint64_t)(uintptr_t)parent * UINT64_C(0x9E3779B97F4A7C15);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
	h ^= h >> 32;
	h *= UINT64_C(0xD6E8FEB86659FD93);
	return (uint32_t)(h >> 32);
}

static struct node **bucket_of(struct node_table *table, uint32_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

struct node_table *node_table_new(void)
{
	struct node_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->n_buckets = BUCKETS_MIN;
	table->buckets = calloc(table->n_buckets, sizeof(*table->buckets));
	if (!table->buckets) {
		free(table);
		return NULL;
	}
	table->root.kind = NODE_ROOT;
	table->root.refs = 1;
	table->root.name = "";
	return table;
}

static void destroy(struct node *node)
{
	assert(!node->file);
	if (node->scope)
		aedb_scope_close(node->scope);
	object_draft_free(node->draft);
	free(node->name);
	free(node);
}

void node_table_free(struct node_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct node *node = table->buckets[i];

		while (node) {
			struct node *next = node->next_in_bucket;

			destroy(node);
			node = next;
		}
	}
	free(table->buckets);
	free(table);
}

struct node *node_table_root(struct node_table *table)
{
	return &table->root;
}

/* The table stays as it is when there is no memory: it only gets slower. */
static void grow(struct node_table *table)
{
	size_t n = table->n_buckets * 2;
	struct node **buckets = calloc(n, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct node *node = table->buckets[i];

		while (node) {
			struct node *next = node->next_in_bucket;
			struct node **bucket = &buckets[node->hash & (n - 1)];

			node->next_in_bucket = *bucket;
			*bucket = node;
			node = next;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n;
}

static void insert(struct node_table *table, struct node *node)
{
	struct node **bucket;

	if (table->n_nodes >= table->n_buckets)
		grow(table);
	/* Orphans are not looked for: only spread. */
	node->hash = node->parent ? hash_name(node->parent, node->name) :
				    hash_name(node, "");
	bucket = bucket_of(table, node->hash);
	node->next_in_bucket = *bucket;
	*bucket = node;
	table->n_nodes++;
}

static void take_out(struct node_table *table, struct node *node)
{
	struct node **at = bucket_of(table, node->hash);

	while (*at != node)
		at = &(*at)->next_in_bucket;
	*at = node->next_in_bucket;
	table->n_nodes--;
}

struct node *node_find(struct node_table *table, struct node *parent,
		       const char *name)
{
	uint32_t hash = hash_name(parent, name);
	struct node *node = *bucket_of(table, hash);

	while (node && (node->hash != hash || node->parent != parent ||
			strcmp(node->name, name) != 0))
		node = node->next_in_bucket;
	return node ? node_ref(node) : NULL;
}

struct node *node_add(struct node_table *table, struct node *parent,
		      const char *name, enum node_kind kind)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = strdup(name);
	if (!node->name) {
		free(node);
		return NULL;
	}
	node->kind = kind;
	node->refs = 1;
	node->parent = node_ref(parent);
	insert(table, node);
	return node;
}

struct node *node_ref(struct node *node)
{
	node->refs++;
	return node;
}

void node_unref(struct node_table *table, struct node *node, uint32_t n)
{
	while (node) {
		struct node *parent = node->parent;

		assert(node->refs >= n);
		node->refs -= n;
		if (node->refs > 0 || node->kind == NODE_ROOT)
			return;
		take_out(table, node);
		destroy(node);
		node = parent;
		n = 1;
	}
}

void node_move(struct node_table *table, struct node *node,
	       struct node *parent, char *name)
{
	struct node *old = node->parent;

	take_out(table, node);
	free(node->name);
	node->name = name;
	node->parent = node_ref(parent);
	if (node->draft) {
		LIST_REMOVE(node, next_pending);
		LIST_INSERT_HEAD(&parent->pending, node, next_pending);
	}
	insert(table, node);
	node_unref(table, old, 1);
}

void node_exchange(struct node_table *table, struct node *a, struct node *b)
{
	struct node *parent = a->parent;
	char *name = a->name;

	take_out(table, a);
	take_out(table, b);
	a->parent = b->parent;
	a->name = b->name;
	b->parent = parent;
	b->name = name;
	insert(table, a);
	insert(table, b);
}

void node_orphan(struct node_table *table, struct node *node)
{
	struct node *parent = node->parent;

	take_out(table, node);
	node->parent = NULL;
	insert(table, node);
	node_unref(table, parent, 1);
}

void node_set_pending(struct node *node, struct object_draft *draft)
{
	node->draft = draft;
	LIST_INSERT_HEAD(&node->parent->pending, node, next_pending);
	node_ref(node);
}

void node_publish_pending(struct node_table *table, struct node *node)
{
	object_draft_free(node->draft);
	node->draft = NULL;
	LIST_REMOVE(node, next_pending);
	node_unref(table, node, 1);
}

void node_forget_pending(struct node_table *table, struct node *node)
{
	LIST_REMOVE(node, next_pending);
	node_orphan(table, node);
	node_unref(table, node, 1);
}

bool node_is_orphan(const struct node *node)
{
	return !node->parent && node->kind != NODE_ROOT;
}

bool node_is_pending(const struct node *node)
{
	return node->draft && node->parent;
}

bool node_is_directory(const struct node *node)
{
	return node->kind != NODE_FILE;
}

bool node_is_above(const struct node *node, const struct node *below)
{
	while (below && below != node)
		below = below->parent;
	return below != NULL;
}

void node_attr_tell(struct node *node, pid_t tid)
{
	if (tid <= 0 || (node->attr_told != NODE_ATTR_TOLD_NONE &&
			 node->attr_told != tid))
		tid = NODE_ATTR_TOLD_SEVERAL;
	node->attr_told = tid;
}

void node_attr_drop(struct node *node, pid_t tid)
{
	if (node->attr_told == tid)
		node->attr_told = NODE_ATTR_TOLD_NONE;
}
