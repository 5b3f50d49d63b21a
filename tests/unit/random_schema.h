/*
 * Schemas of tables at random, and rows of them.
 */
#ifndef RANDOM_SCHEMA_H
#define RANDOM_SCHEMA_H

#include "check.h"
#include "random_value.h"
#include "table_schema.h"

#define SCHEMA_COLUMNS_MAX 24
#define SCHEMA_INDEXES_MAX 4

struct schema_seed {
	struct aedb_schema shape;
	struct aedb_column columns[SCHEMA_COLUMNS_MAX];
	struct aedb_index indexes[SCHEMA_INDEXES_MAX];
	struct aedb_condition where[SCHEMA_INDEXES_MAX];
	struct aedb_value bounds[SCHEMA_INDEXES_MAX];
	uint32_t key[4], of_indexes[SCHEMA_INDEXES_MAX][4];
	char names[SCHEMA_COLUMNS_MAX + SCHEMA_INDEXES_MAX][24];
	uint8_t rooms[SCHEMA_COLUMNS_MAX + SCHEMA_INDEXES_MAX][VALUE_BYTES_MAX];
};

/* Some of the columns, none twice; how many, at least 1. */
static inline size_t schema_pick(const struct schema_seed *s, uint32_t *ret)
{
	size_t n = 0, want = 1 + value_below(3);

	for (unsigned tries = 0; n < want && tries < 20; tries++) {
		uint32_t column = (uint32_t)value_below(s->shape.n_columns);
		bool is_new = true;

		for (size_t i = 0; i < n; i++)
			is_new = is_new && ret[i] != column;
		if (is_new)
			ret[n++] = column;
	}
	return n;
}

static inline void schema_random_columns(struct schema_seed *s)
{
	s->shape.n_columns = 1 + value_below(SCHEMA_COLUMNS_MAX);
	for (size_t i = 0; i < s->shape.n_columns; i++) {
		struct aedb_column *c = &s->columns[i];

		snprintf(s->names[i], sizeof(s->names[i]), "c%zu", i);
		c->name = s->names[i];
		c->type = value_random_type();
		c->is_nullable = value_below(2);
		if (value_below(3) == 0)
			c->if_missing = value_random(c->type, s->rooms[i]);
	}
	s->shape.n_key = schema_pick(s, s->key);
	for (size_t i = 0; i < s->shape.n_key; i++)
		s->columns[s->key[i]].is_nullable = false;
}

static inline void schema_random_indexes(struct schema_seed *s)
{
	s->shape.n_indexes = value_below(SCHEMA_INDEXES_MAX + 1);
	for (size_t i = 0; i < s->shape.n_indexes; i++) {
		struct aedb_index *index = &s->indexes[i];
		uint32_t column = (uint32_t)value_below(s->shape.n_columns);
		char *name = s->names[SCHEMA_COLUMNS_MAX + i];

		snprintf(name, sizeof(s->names[0]), "i%zu", i);
		index->name = name;
		index->columns = s->of_indexes[i];
		index->n_columns = schema_pick(s, s->of_indexes[i]);
		index->is_unique = value_below(2);
		s->bounds[i] = value_random(s->columns[column].type,
					    s->rooms[SCHEMA_COLUMNS_MAX + i]);
		s->where[i] = (struct aedb_condition){ .kind = AEDB_IF_COMPARES,
			.column = column, .values = &s->bounds[i], .n_values = 1,
			.comparison = (enum aedb_comparison)value_below(6) };
		if (value_below(2))
			index->where = &s->where[i];
	}
}

static inline const struct aedb_schema *schema_random(struct schema_seed *s)
{
	memset(s, 0, sizeof(*s));
	s->shape.columns = s->columns;
	s->shape.key = s->key;
	s->shape.indexes = s->indexes;
	schema_random_columns(s);
	schema_random_indexes(s);
	return &s->shape;
}

/* Values for all columns; `rooms` has as many as there are. */
static inline void schema_random_row(const struct aedb_schema *shape,
				     struct aedb_value *ret,
				     uint8_t (*rooms)[VALUE_BYTES_MAX])
{
	for (size_t i = 0; i < shape->n_columns; i++) {
		const struct aedb_column *c = &shape->columns[i];

		ret[i] = !c->name || (c->is_nullable && value_below(3) == 0) ?
				 TABLE_VALUE_NULL : value_random(c->type, rooms[i]);
	}
}

#endif
