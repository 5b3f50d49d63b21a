/*
 * The store of nodes: a hash over (parent, name), for all trees.
 *
 * Invariants
 * 1. A node that is no orphan is in the store under its parent and name, and
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

#include "bytes.h"
#include "node_index.h"
#include "node_slab.h"
#include "node_store.h"

/* Of a node, before its name. */
#define HEAD_BYTES offsetof(struct node, name_bytes)
_Static_assert(HEAD_BYTES == 52, "a node is small");

struct node_store {
	struct node_slab *slab;
	struct node_index index;	/* of all but roots */
	uint64_t n_made;
};

struct node_table {
	struct node_store *store;
	struct node *root;
	size_t n_nodes;			/* but the root */
	LIST_HEAD(, node_directory) directories;	/* but the root */
};

static uint32_t hash_name(const struct node *parent, const char *name)
{
	uint64_t h = (uint64_t)(uintptr_t)parent * UINT64_C(0x9E3779B97F4A7C15);
	size_t n = strlen(name);

	for (; n >= 8; n -= 8, name += 8) {
		h = (h ^ bytes_load_le64(name)) * UINT64_C(0xD6E8FEB86659FD93);
		h ^= h >> 32;
	}
	for (; n > 0; n--, name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
	h ^= h >> 32;
	h *= UINT64_C(0xD6E8FEB86659FD93);
	return (uint32_t)(h >> 32);
}

static char *name_outside(const struct node *node)
{
	char *name;

	memcpy(&name, node->name_bytes, sizeof(name));
	return name;
}

const char *node_name(const struct node *node)
{
	return node->has_name_outside ? name_outside(node) : node->name_bytes;
}

/* A directory's block begins with its struct node_directory. */
struct node_directory *node_directory(const struct node *node)
{
	assert(node->kind != NODE_FILE);
	return (struct node_directory *)node - 1;
}

static size_t bytes_before(enum node_kind kind)
{
	return kind == NODE_FILE ? 0 : sizeof(struct node_directory);
}

/* Bytes of the name's own memory, for a pointer too. */
static size_t name_room(size_t name_bytes)
{
	size_t n = name_bytes + 1;

	return n < sizeof(char *) ? sizeof(char *) : n;
}

static struct node *create(struct node_slab *slab, const char *name,
			   enum node_kind kind)
{
	size_t before = bytes_before(kind), n = strlen(name);
	uint8_t *block = node_slab_take(slab, before + HEAD_BYTES +
					name_room(n));
	struct node *node;

	if (!block)
		return NULL;
	node = (struct node *)(block + before);
	memset(block, 0, before + HEAD_BYTES);
	memcpy(node->name_bytes, name, n + 1);
	node->kind = kind;
	node->refs = 1;
	return node;
}

static void destroy(struct node_slab *slab, struct node *node)
{
	assert(!node->file);
	if (node->kind == NODE_SCOPE && node_directory(node)->scope)
		aedb_scope_close(node_directory(node)->scope);
	object_draft_free(node->draft);
	if (node->has_name_outside)
		free(name_outside(node));
	node_slab_give(slab, (uint8_t *)node - bytes_before(node->kind));
}

struct node_store *node_store_new(void)
{
	struct node_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->slab = node_slab_new();
	if (!store->slab || node_index_init(&store->index) < 0) {
		node_store_free(store);
		return NULL;
	}
	return store;
}

void node_store_free(struct node_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->index.n_buckets; i++) {
		struct node *node = store->index.buckets[i];

		while (node) {
			struct node *next = node->next_in_bucket;

			destroy(store->slab, node);
			node = next;
		}
	}
	node_index_release(&store->index);
	node_slab_free(store->slab);
	free(store);
}

size_t node_store_bytes(const struct node_store *store)
{
	return node_slab_bytes(store->slab) + node_index_bytes(&store->index);
}

size_t node_store_count(const struct node_store *store)
{
	return store->index.n_nodes;
}

struct node *node_store_next(const struct node_store *store,
			     const struct node *node)
{
	return node_index_next(&store->index, node);
}

uint64_t node_store_made(const struct node_store *store)
{
	return store->n_made;
}

struct node_table *node_table_new(struct node_store *store)
{
	struct node_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->store = store;
	table->root = create(store->slab, "", NODE_ROOT);
	if (!table->root) {
		free(table);
		return NULL;
	}
	return table;
}

void node_table_free(struct node_table *table)
{
	if (!table)
		return;
	destroy(table->store->slab, table->root);
	free(table);
}

struct node *node_table_root(struct node_table *table)
{
	return table->root;
}

bool node_table_is_unused(const struct node_table *table)
{
	return table->n_nodes == 0 && table->root->refs == 1;
}

static struct node *node_of_directory(struct node_directory *directory)
{
	return directory ? (struct node *)(directory + 1) : NULL;
}

struct node *node_next_directory(const struct node_table *table,
				 const struct node *dir)
{
	return node_of_directory(dir == table->root ?
				 LIST_FIRST(&table->directories) :
				 LIST_NEXT(node_directory(dir), next));
}

static void insert(struct node_table *table, struct node *node)
{
	/* Orphans are not looked for: only spread. */
	node->hash = node->parent ? hash_name(node->parent, node_name(node)) :
				    hash_name(node, "");
	node_index_add(&table->store->index, node);
}

struct node *node_find(struct node_table *table, struct node *parent,
		       const char *name)
{
	uint32_t hash = hash_name(parent, name);
	struct node *node = node_index_first(&table->store->index, hash);

	while (node && (node->hash != hash || node->parent != parent ||
			strcmp(node_name(node), name) != 0))
		node = node->next_in_bucket;
	return node ? node_ref(node) : NULL;
}

struct node *node_add(struct node_table *table, struct node *parent,
		      const char *name, enum node_kind kind)
{
	struct node *node = create(table->store->slab, name, kind);

	if (!node)
		return NULL;
	table->store->n_made++;
	table->n_nodes++;
	node->parent = node_ref(parent);
	if (kind != NODE_FILE)
		LIST_INSERT_HEAD(&table->directories, node_directory(node),
				 next);
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
		node_index_remove(&table->store->index, node);
		if (node->kind != NODE_FILE)
			LIST_REMOVE(node_directory(node), next);
		destroy(table->store->slab, node);
		table->n_nodes--;
		node = parent;
		n = 1;
	}
}

/* Takes the name over, in the node's own memory if it fits. */
static void set_name(struct node *node, char *name)
{
	size_t before = bytes_before(node->kind), n = strlen(name) + 1;
	size_t room = node_slab_room((uint8_t *)node - before);

	if (node->has_name_outside)
		free(name_outside(node));
	node->has_name_outside = before + HEAD_BYTES + n > room;
	if (node->has_name_outside) {
		memcpy(node->name_bytes, &name, sizeof(name));
	} else {
		memcpy(node->name_bytes, name, n);
		free(name);
	}
}

void node_move(struct node_table *table, struct node *node,
	       struct node *parent, char *name)
{
	struct node *old = node->parent;

	node_index_remove(&table->store->index, node);
	set_name(node, name);
	node->parent = node_ref(parent);
	if (node->draft) {
		LIST_REMOVE(node->draft, next_pending);
		LIST_INSERT_HEAD(&node_directory(parent)->pending, node->draft,
				 next_pending);
	}
	insert(table, node);
	node_unref(table, old, 1);
}

void node_exchange(struct node_table *table, struct node *a, char *a_name,
		   struct node *b, char *b_name)
{
	struct node *parent = a->parent;

	node_index_remove(&table->store->index, a);
	node_index_remove(&table->store->index, b);
	a->parent = b->parent;
	b->parent = parent;
	set_name(a, a_name);
	set_name(b, b_name);
	insert(table, a);
	insert(table, b);
}

void node_orphan(struct node_table *table, struct node *node)
{
	struct node *parent = node->parent;

	node_index_remove(&table->store->index, node);
	node->parent = NULL;
	insert(table, node);
	node_unref(table, parent, 1);
}

void node_set_pending(struct node *node, struct object_draft *draft)
{
	node->draft = draft;
	draft->node = node;
	LIST_INSERT_HEAD(&node_directory(node->parent)->pending, draft,
			 next_pending);
	node_ref(node);
}

void node_publish_pending(struct node_table *table, struct node *node)
{
	LIST_REMOVE(node->draft, next_pending);
	object_draft_free(node->draft);
	node->draft = NULL;
	node_unref(table, node, 1);
}

void node_forget_pending(struct node_table *table, struct node *node)
{
	LIST_REMOVE(node->draft, next_pending);
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

bool node_is_special(const struct node *node)
{
	return node->kind >= NODE_SNAPSHOTS;
}

bool node_is_above(const struct node *node, const struct node *below)
{
	while (below && below != node)
		below = below->parent;
	return below != NULL;
}
