#include "rtable.h"

#include <string.h>

#include "unit/check.h"

static unsigned below(unsigned n)
{
	return (unsigned)(check_random() % n);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* Schemas. */

void rtable_make(struct rtable *t)
{
	static const enum aedb_type types[] = {
		AEDB_TYPE_BOOL, AEDB_TYPE_U8,	     AEDB_TYPE_U64,
		AEDB_TYPE_I64,	AEDB_TYPE_TIMESTAMP, AEDB_TYPE_FLOAT,
		AEDB_TYPE_TEXT, AEDB_TYPE_JSON,	     AEDB_TYPE_BLOB,
		AEDB_TYPE_I64,	AEDB_TYPE_TEXT,
	};

	memset(t, 0, sizeof(*t));
	t->schema.columns = t->columns;
	t->schema.key = t->key;
	t->schema.n_columns = 2 + below(RTABLE_COLUMNS_MAX - 1);
	t->schema.n_key = 1 + below(2);
	for (unsigned i = 0; i < t->schema.n_columns; i++) {
		snprintf(t->names[i], sizeof(t->names[i]), "c%u", i);
		t->columns[i].name = t->names[i];
		t->columns[i].type =
			types[below(sizeof(types) / sizeof(types[0]))];
		t->columns[i].is_nullable = i >= t->schema.n_key && !one_in(4);
	}
	for (unsigned i = 0; i < t->schema.n_key; i++)
		t->key[i] = i;
	/* a key of few values makes too few rows */
	if (t->columns[0].type <= AEDB_TYPE_U8)
		t->columns[0].type = AEDB_TYPE_I64;
	if (one_in(2) && t->schema.n_key == 2) {
		t->key[0] = 1;
		t->key[1] = 0;
	}
}

/* Values. */

static struct aedb_value text_value(enum aedb_type type, const char *s)
{
	struct aedb_value v = { .type = type };

	v.bytes = (struct aedb_bytes){ s, strlen(s) };
	return v;
}

static int64_t random_integer(void)
{
	static const int64_t rare[] = { INT64_MIN, INT64_MIN + 1, -129, 255, 256,
					INT64_MAX - 1, INT64_MAX };

	return one_in(10) ? rare[below(7)] : (int64_t)below(30) - 10;
}

static struct aedb_value random_blob(void)
{
	static const uint8_t bytes[] = { 0, 0, 1, 0xff, 0xff, 0, 0xff, 0 };
	struct aedb_value v = { .type = AEDB_TYPE_BLOB };
	unsigned n = below(4);

	v.bytes = (struct aedb_bytes){ bytes + below(9 - n), n };
	return v;
}

static struct aedb_value random_text(void)
{
	static const char *const texts[] = {
		"", "a", "A", "ab", "aB", "abc", "abd", "b", "%", "a%b", "a_b",
		"a\\b", "\xc3\xa4", "\xc3\xa4z", "\xf0\x9f\x98\x80", "'", "ba",
		"a'b", "abcabc", "\x01", "~",
	};

	return text_value(AEDB_TYPE_TEXT,
			  texts[below(sizeof(texts) / sizeof(texts[0]))]);
}

static struct aedb_value random_json(void)
{
	static const char *const texts[] = {
		"1", "null", "{}", "[1,2]", "\"a\"", "{\"a\":1}", "[]", "12",
	};

	return text_value(AEDB_TYPE_JSON, texts[below(8)]);
}

static struct aedb_value random_value(enum aedb_type type)
{
	struct aedb_value v = { .type = type };

	switch (type) {
	case AEDB_TYPE_BOOL:
		v.boolean = one_in(2);
		break;
	case AEDB_TYPE_U8:
		v.u64 = below(20) + (one_in(5) ? 236 : 0);
		break;
	case AEDB_TYPE_U64:
		v.u64 = one_in(10) ? INT64_MAX - below(3) : below(30);
		break;
	case AEDB_TYPE_I64:
	case AEDB_TYPE_TIMESTAMP:
		v.i64 = random_integer();
		break;
	case AEDB_TYPE_FLOAT:
		v.real = one_in(10) ? 1e18 * (double)((int)below(5) - 2) :
				      ((double)below(60) - 20) / 2;
		break;
	case AEDB_TYPE_TEXT:
		return random_text();
	case AEDB_TYPE_JSON:
		return random_json();
	default:
		return random_blob();
	}
	return v;
}

/* To compare a column with: now and then of another type. */
static struct aedb_value random_constant(enum aedb_type type)
{
	static const enum aedb_type numbers[] = {
		AEDB_TYPE_U8, AEDB_TYPE_U64, AEDB_TYPE_I64, AEDB_TYPE_FLOAT,
	};
	struct aedb_value v;

	if (one_in(15))
		return (struct aedb_value){ .type = AEDB_TYPE_NULL };
	if (type >= AEDB_TYPE_U8 && type <= AEDB_TYPE_I64 && one_in(3))
		return random_value(numbers[below(4)]);
	if (type == AEDB_TYPE_FLOAT && one_in(3)) {
		/* SQLite makes doubles of integers here, exactly up to 2^53 */
		v = (struct aedb_value){ .type = AEDB_TYPE_I64 };
		v.i64 = (int64_t)below(30) - 10;
		return v;
	}
	v = random_value(type);
	if (type == AEDB_TYPE_JSON && one_in(4))
		v.type = AEDB_TYPE_TEXT;
	return v;
}

/* Rows. */

static struct aedb_cell random_cell(const struct rtable *t, uint32_t column)
{
	const struct aedb_column *of = &t->columns[column];
	struct aedb_cell cell = { column, random_value(of->type) };

	if (one_in(of->is_nullable ? 5 : 60))
		cell.value = (struct aedb_value){ .type = AEDB_TYPE_NULL };
	return cell;
}

size_t rtable_row(struct rtable *t, struct aedb_cell *ret)
{
	for (uint32_t i = 0; i < t->schema.n_columns; i++)
		ret[i] = random_cell(t, i);
	return t->schema.n_columns;
}

size_t rtable_change(struct rtable *t, struct aedb_cell *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t->schema.n_columns; i++)
		if (one_in(i < t->schema.n_key ? 5 : 2))
			ret[n++] = random_cell(t, i);
	if (!n)
		ret[n++] = random_cell(t, below(t->schema.n_columns));
	return n;
}

void rtable_key(struct rtable *t, struct aedb_value *ret)
{
	for (size_t i = 0; i < t->schema.n_key; i++)
		ret[i] = random_value(t->columns[t->key[i]].type);
}

bool rtable_has_bad_null(const struct rtable *t, const struct aedb_cell *cells,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cells[i].value.type == AEDB_TYPE_NULL &&
		    !t->columns[cells[i].column].is_nullable)
			return true;
	return false;
}

/* Conditions. */

static struct aedb_condition *nodes_take(struct rtable_nodes *nodes, size_t n)
{
	struct aedb_condition *at = &nodes->nodes[nodes->n_nodes];

	CHECK(nodes->n_nodes + n <= RTABLE_NODES_MAX);
	nodes->n_nodes += n;
	return at;
}

static struct aedb_value *values_take(struct rtable_nodes *nodes, size_t n)
{
	struct aedb_value *at = &nodes->values[nodes->n_values];

	CHECK(nodes->n_values + n <= RTABLE_VALUES_MAX);
	nodes->n_values += n;
	return at;
}

static const char *random_pattern(bool is_prefix)
{
	static const char *const patterns[] = {
		"a%", "%", "ab%", "a\\%%", "\xc3\xa4%", "abc",
		"a_", "%b", "_", "a\\_b", "a\\\\b", "%a%b%", "_%", "%\\%%",
	};

	return patterns[below(is_prefix ? 6 : 14)];
}

enum leaf { LEAF_ANY, LEAF_NARROW, LEAF_OF_INDEX };

static void random_leaf(const struct rtable *t, struct rtable_nodes *nodes,
			uint32_t column, enum leaf leaf,
			struct aedb_condition *ret)
{
	enum aedb_type type = t->columns[column].type;
	struct aedb_value *values;
	size_t n = 1;

	*ret = (struct aedb_condition){ .column = column };
	ret->kind = below(5);
	ret->comparison = below(6);
	if (ret->kind == AEDB_IF_LIKE &&
	    (leaf == LEAF_OF_INDEX || type != AEDB_TYPE_TEXT))
		ret->kind = AEDB_IF_COMPARES;
	if (ret->kind == AEDB_IF_IN)
		n = 1 + below(5);
	else if (ret->kind == AEDB_IF_BETWEEN)
		n = 2;
	else if (ret->kind == AEDB_IF_NULL)
		n = 0;
	values = values_take(nodes, n);
	for (size_t i = 0; i < n; i++)
		values[i] = random_constant(type);
	if (ret->kind == AEDB_IF_LIKE)
		values[0] = text_value(AEDB_TYPE_TEXT,
				       random_pattern(leaf == LEAF_NARROW));
	ret->values = values;
	ret->n_values = n;
}

static void random_condition(const struct rtable *t, struct rtable_nodes *nodes,
			     unsigned depth, enum leaf leaf,
			     struct aedb_condition *ret)
{
	struct aedb_condition *parts;

	if (depth == 0 || one_in(3)) {
		random_leaf(t, nodes, below(t->schema.n_columns), leaf, ret);
		return;
	}
	*ret = (struct aedb_condition){ .kind = AEDB_IF_ALL + below(3) };
	ret->n_parts = ret->kind == AEDB_IF_NOT ? 1 : 1 + below(3);
	parts = nodes_take(nodes, ret->n_parts);
	for (size_t i = 0; i < ret->n_parts; i++)
		random_condition(t, nodes, depth - 1, leaf, &parts[i]);
	ret->parts = parts;
}

/* Indexes. */

static bool takes_column(const struct rtable_index *index, uint32_t column)
{
	for (size_t i = 0; i < index->index.n_columns; i++)
		if (index->columns[i] == column)
			return true;
	return false;
}

struct rtable_index *rtable_index(struct rtable *t)
{
	struct rtable_index *index = t->indexes;
	struct aedb_condition *where;

	while (index < t->indexes + RTABLE_INDEXES_MAX && index->is_used)
		index++;
	if (index == t->indexes + RTABLE_INDEXES_MAX)
		return NULL;
	*index = (struct rtable_index){ .is_used = true };
	snprintf(index->name, sizeof(index->name), "i%u", t->n_named++ % 10000);
	index->index.name = index->name;
	index->index.columns = index->columns;
	for (unsigned i = 0; i < 1 + below(3); i++) {
		uint32_t column = below(t->schema.n_columns);

		if (!takes_column(index, column))
			index->columns[index->index.n_columns++] = column;
	}
	index->index.is_unique = one_in(3);
	if (one_in(4)) {
		where = nodes_take(&index->nodes, 1);
		random_condition(t, &index->nodes, 2, LEAF_OF_INDEX, where);
		index->index.where = where;
	}
	return index;
}

struct rtable_index *rtable_any_index(struct rtable *t)
{
	struct rtable_index *index = &t->indexes[below(RTABLE_INDEXES_MAX)];

	return index->is_used ? index : NULL;
}

void rtable_index_drop(struct rtable_index *index)
{
	index->is_used = false;
}

/* Queries. */

static void query_init(struct rtable *t, struct rtable_query *q)
{
	memset(q, 0, sizeof(*q));
	q->query.select = q->select;
	q->query.order = q->order;
	for (uint32_t i = 0; i < t->schema.n_columns; i++)
		if (!one_in(4))
			q->select[q->query.n_select++] = i;
	if (!q->query.n_select)
		q->query.n_select = 1;
}

static void query_order(struct rtable *t, struct rtable_query *q)
{
	bool is_descending = one_in(2);

	for (unsigned n = below(3); n; n--)
		q->order[q->query.n_order++] = (struct aedb_order){
			below(t->schema.n_columns),
			one_in(4) ? one_in(2) : is_descending,
		};
	q->is_total = !one_in(4);
	for (size_t i = 0; q->is_total && i < t->schema.n_key; i++)
		q->order[q->query.n_order++] = (struct aedb_order){
			t->key[i], is_descending,
		};
	if (q->is_total && one_in(2))
		q->query.limit = 1 + below(20);
}

/* On the first columns of an index. */
static void index_condition(struct rtable *t, const struct rtable_index *index,
			    struct rtable_nodes *nodes,
			    struct aedb_condition *ret)
{
	struct aedb_condition *parts;

	*ret = (struct aedb_condition){ .kind = AEDB_IF_ALL };
	ret->n_parts = index->index.n_columns + 1;
	parts = nodes_take(nodes, ret->n_parts);
	for (size_t i = 0; i < index->index.n_columns; i++) {
		random_leaf(t, nodes, index->columns[i], LEAF_ANY, &parts[i]);
		if (parts[i].kind == AEDB_IF_COMPARES && one_in(2))
			parts[i].comparison = AEDB_EQUAL;
	}
	if (index->index.where)
		parts[ret->n_parts - 1] = *index->index.where;
	else
		random_condition(t, nodes, 1, LEAF_ANY,
				 &parts[ret->n_parts - 1]);
	ret->parts = parts;
}

/* On the first column of the key or of an index for all rows. */
static void narrow_leaf(struct rtable *t, struct rtable_nodes *nodes,
			struct aedb_condition *ret)
{
	const struct rtable_index *index = rtable_any_index(t);
	uint32_t column = t->key[0];

	if (index && !index->index.where)
		column = index->columns[0];
	random_leaf(t, nodes, column, LEAF_NARROW, ret);
}

/* Alternatives on first columns. */
static void any_condition(struct rtable *t, struct rtable_nodes *nodes,
			  bool is_narrow, struct aedb_condition *ret)
{
	struct aedb_condition *parts;

	*ret = (struct aedb_condition){ .kind = AEDB_IF_ANY };
	ret->n_parts = 2 + below(2);
	parts = nodes_take(nodes, ret->n_parts);
	for (size_t i = 0; i < ret->n_parts; i++) {
		const struct rtable_index *index = rtable_any_index(t);

		if (is_narrow || !index || one_in(2))
			narrow_leaf(t, nodes, &parts[i]);
		else
			index_condition(t, index, nodes, &parts[i]);
	}
	ret->parts = parts;
}

static void query_where(struct rtable *t, struct rtable_query *q)
{
	const struct rtable_index *index = rtable_any_index(t);
	struct aedb_condition *where = nodes_take(&q->nodes, 1), *parts;

	q->query.where = where;
	if (one_in(3)) {
		random_condition(t, &q->nodes, 3, LEAF_ANY, where);
	} else if (index && one_in(2)) {
		index_condition(t, index, &q->nodes, where);
	} else if (one_in(2)) {
		any_condition(t, &q->nodes, false, where);
	} else {
		parts = nodes_take(&q->nodes, 2);
		random_condition(t, &q->nodes, 1, LEAF_ANY, &parts[0]);
		any_condition(t, &q->nodes, false, &parts[1]);
		*where = (struct aedb_condition){ .kind = AEDB_IF_ALL,
						  .parts = parts,
						  .n_parts = 2 };
	}
}

void rtable_query(struct rtable *t, struct rtable_query *q)
{
	query_init(t, q);
	if (!one_in(6))
		query_where(t, q);
	query_order(t, q);
}

void rtable_narrow_query(struct rtable *t, struct rtable_query *q)
{
	struct aedb_condition *where;

	query_init(t, q);
	where = nodes_take(&q->nodes, 1);
	if (one_in(2))
		narrow_leaf(t, &q->nodes, where);
	else
		any_condition(t, &q->nodes, true, where);
	q->query.where = where;
}
