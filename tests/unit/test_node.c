/* The table of nodes: names, moves and memory. */
#include "check.h"
#include "node.h"
#include "node_store.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

static const char *numbered(const char *format, unsigned n)
{
	static char text[64];

	snprintf(text, sizeof(text), format, n);
	return text;
}

#define DIRS 8
#define FILES 600
#define STEPS 60000
#define NAME_MAX_BYTES 255

struct model {
	struct node_table *table;
	struct node *dirs[DIRS];
	struct {
		struct node *node;	/* NULL: not there */
		size_t dir;
		char name[NAME_MAX_BYTES + 1];
	} files[FILES];
	unsigned n_names;
};

/* Never the same twice: short ones mostly. */
static void new_name(struct model *m, char ret[NAME_MAX_BYTES + 1])
{
	size_t n = check_random() % 4 ? 10 : 10 + check_random() % 246;

	memset(ret, 'x', n);
	ret[n] = '\0';
	memcpy(ret + n - 8, numbered("%08u", m->n_names++), 8);
}

static void check_file(struct model *m, size_t i)
{
	struct node *found = node_find(m->table, m->dirs[m->files[i].dir],
				       m->files[i].name);

	CHECK(found == m->files[i].node);
	if (!found)
		return;
	CHECK_STR(node_name(found), m->files[i].name);
	CHECK_EQ(found->id, i + 1);
	node_unref(m->table, found, 1);
}

static void add(struct model *m, size_t i)
{
	m->files[i].dir = check_random() % DIRS;
	new_name(m, m->files[i].name);
	m->files[i].node = node_add(m->table, m->dirs[m->files[i].dir],
				    m->files[i].name, NODE_FILE);
	CHECK(m->files[i].node != NULL);
	m->files[i].node->id = i + 1;
}

static void move(struct model *m, size_t i)
{
	size_t old_dir = m->files[i].dir;
	char old[NAME_MAX_BYTES + 1];

	strcpy(old, m->files[i].name);
	m->files[i].dir = check_random() % DIRS;
	new_name(m, m->files[i].name);
	node_move(m->table, m->files[i].node, m->dirs[m->files[i].dir],
		  strdup(m->files[i].name));
	CHECK(node_find(m->table, m->dirs[old_dir], old) == NULL);
}

static void exchange(struct model *m, size_t a, size_t b)
{
	char name[NAME_MAX_BYTES + 1];
	size_t dir = m->files[a].dir;

	node_exchange(m->table, m->files[a].node, strdup(m->files[b].name),
		      m->files[b].node, strdup(m->files[a].name));
	strcpy(name, m->files[a].name);
	strcpy(m->files[a].name, m->files[b].name);
	strcpy(m->files[b].name, name);
	m->files[a].dir = m->files[b].dir;
	m->files[b].dir = dir;
}

static void drop(struct model *m, size_t i)
{
	struct node *node = m->files[i].node;

	if (check_random() % 2) {
		node_orphan(m->table, node);
		CHECK(node_is_orphan(node));
		CHECK(node_find(m->table, m->dirs[m->files[i].dir],
				m->files[i].name) == NULL);
	}
	node_unref(m->table, node, 1);
	m->files[i].node = NULL;
}

static void step(struct model *m)
{
	size_t i = check_random() % FILES, other = check_random() % FILES;

	if (!m->files[i].node)
		add(m, i);
	else if (check_random() % 3 == 0)
		drop(m, i);
	else if (check_random() % 2 == 0)
		move(m, i);
	else if (other != i && m->files[other].node)
		exchange(m, i, other);
	check_file(m, i);
	check_file(m, other);
}

TEST(model, "nodes are found by parent and name through random moves, exchanges and removals")
{
	struct node_store *store = node_store_new();
	static struct model m;

	m.table = node_table_new(store);
	for (size_t i = 0; i < DIRS; i++)
		m.dirs[i] = node_add(m.table, node_table_root(m.table),
				     numbered("d%u", (unsigned)i), NODE_DIR);
	for (int i = 0; i < STEPS; i++)
		step(&m);
	for (size_t i = 0; i < FILES; i++) {
		check_file(&m, i);
		if (m.files[i].node)
			drop(&m, i);
	}
	node_table_free(m.table);
	node_store_free(store);
}

#define MANY 200000

TEST(walk, "a walk over the store meets each node of all tables once")
{
	struct node_store *store = node_store_new();
	struct node_table *tables[] = { node_table_new(store),
					node_table_new(store) };
	static bool is_met[MANY];
	struct node *node = NULL;
	size_t n = 0;

	CHECK(!node_store_next(store, NULL));
	for (size_t i = 0; i < MANY; i++) {
		node = node_add(tables[i % 2], node_table_root(tables[i % 2]),
				numbered("%u", (unsigned)i), NODE_FILE);
		node->id = i;
	}
	memset(is_met, 0, sizeof(is_met));
	for (node = NULL; (node = node_store_next(store, node)); n++) {
		CHECK(!is_met[node->id]);
		is_met[node->id] = true;
	}
	CHECK_EQ(n, MANY);
	node_table_free(tables[0]);
	node_table_free(tables[1]);
	node_store_free(store);
}

TEST(memory, "a node of a key with a usual name takes at most 96 bytes, and they come back")
{
	struct node_store *store = node_store_new();
	struct node_table *table = node_table_new(store);
	struct node **all = malloc(MANY * sizeof(*all));
	size_t before = node_store_bytes(store);

	CHECK(all != NULL);
	for (size_t i = 0; i < MANY; i++) {
		all[i] = node_add(table, node_table_root(table),
				  numbered("user:%011u", (unsigned)i), NODE_FILE);
		CHECK(all[i] != NULL);
	}
	CHECK((node_store_bytes(store) - before) / MANY <= 96);
	for (size_t i = 0; i < MANY; i++)
		node_unref(table, all[(i * 7919 + 13) % MANY], 1);
	CHECK(node_store_bytes(store) < before + (1 << 20));
	CHECK(node_table_is_unused(table));
	free(all);
	node_table_free(table);
	node_store_free(store);
}
