/*
 * Queries beside writers: rows change their place in an index, and the index itself
 * comes and goes, while readers count. Each query shows one state.
 */
#include <pthread.h>

#include "aedb_table.h"
#include "db_fixture.h"

enum { ID, TEAM, SUM, COLUMNS };

#define ROWS 64
#define TEAMS 4
#define WRITERS 2
#define WRITES 1500

struct shared {
	struct fixture f;
	struct aedb_table *table;
	atomic_uint writing;	/* atomic: writers that are not done */
	unsigned next;		/* atomic: numbers of threads */
};

static struct aedb_value number(uint64_t n)
{
	struct aedb_value v = { .type = AEDB_TYPE_U64 };

	v.u64 = n;
	return v;
}

static void shared_open(struct shared *s)
{
	static const struct aedb_column columns[] = {
		[ID] = { .name = "id", .type = AEDB_TYPE_U64 },
		[TEAM] = { .name = "team", .type = AEDB_TYPE_U64 },
		[SUM] = { .name = "sum", .type = AEDB_TYPE_U64 },
	};
	static const uint32_t key[] = { ID }, team[] = { TEAM };
	static const struct aedb_index index = {
		.name = "by_team", .columns = team, .n_columns = 1,
	};
	static const struct aedb_schema schema = { columns, COLUMNS, key, 1,
						   &index, 1 };

	*s = (struct shared){ .writing = WRITERS };
	fixture_open_as(&s->f, AEDB_BATCH);
	CHECK_OK(aedb_table_create(s->f.scope, "t", &schema));
	CHECK_OK(aedb_table_open(s->f.scope, "t", &s->table));
	for (uint64_t i = 0; i < ROWS; i++) {
		struct aedb_cell cells[] = { { ID, number(i) },
					     { TEAM, number(i % TEAMS) },
					     { SUM, number(i + i % TEAMS) } };

		CHECK_OK(aedb_row_insert(NULL, s->table, cells, COLUMNS));
	}
}

/* Moves a row to another team; the sum is of its id and its team. */
static void move_row(struct shared *s, uint64_t *random)
{
	uint64_t id, team;
	struct aedb_value key;
	struct aedb_cell cells[2];

	*random = *random * 6364136223846793005u + 1442695040888963407u;
	id = (*random >> 33) % ROWS;
	team = (*random >> 50) % TEAMS;
	key = number(id);
	cells[0] = (struct aedb_cell){ TEAM, number(team) };
	cells[1] = (struct aedb_cell){ SUM, number(id + team) };
	CHECK_OK(aedb_row_update(NULL, s->table, &key, cells, 2));
}

static void *writer(void *arg)
{
	struct shared *s = arg;
	uint64_t random = __atomic_add_fetch(&s->next, 1, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < WRITES; i++)
		move_row(s, &random);
	atomic_fetch_sub(&s->writing, 1);
	return NULL;
}

/* Drops the index and adds it again. */
static void *changer(void *arg)
{
	static const uint32_t team[] = { TEAM };
	static const struct aedb_index index = {
		.name = "by_team", .columns = team, .n_columns = 1,
	};
	struct aedb_alter drop = { .kind = AEDB_DROP_INDEX, .name = "by_team" };
	struct aedb_alter add = { .kind = AEDB_ADD_INDEX, .index = &index };
	struct shared *s = arg;

	while (atomic_load(&s->writing)) {
		CHECK_OK(aedb_table_alter(s->f.scope, "t", &drop));
		CHECK_OK(aedb_table_alter(s->f.scope, "t", &add));
	}
	return NULL;
}

static unsigned count_team(struct shared *s,
			   const struct aedb_snapshot *snapshot, uint64_t team)
{
	struct aedb_value value = number(team);
	struct aedb_condition where = { .kind = AEDB_IF_COMPARES,
					.column = TEAM,
					.comparison = AEDB_EQUAL,
					.values = &value,
					.n_values = 1 };
	struct aedb_query query = { .where = &where };
	struct aedb_rows *rows;
	struct aedb_row row;
	unsigned n = 0;
	int rc;

	CHECK_OK(aedb_query_open(s->table, snapshot, &query, &rows));
	for (; (rc = aedb_rows_next(rows, &row)) == 0; n++) {
		CHECK_EQ(row.values[TEAM].u64, team);
		CHECK_EQ(row.values[SUM].u64, row.values[ID].u64 + team);
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	aedb_rows_close(rows);
	return n;
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	struct aedb_snapshot *snapshot;

	while (atomic_load(&s->writing)) {
		unsigned n = 0;

		CHECK_OK(aedb_snapshot_open(s->f.db, &snapshot));
		for (uint64_t team = 0; team < TEAMS; team++)
			n += count_team(s, snapshot, team);
		CHECK_EQ(n, ROWS);
		aedb_snapshot_close(snapshot);
		count_team(s, NULL, 1);
	}
	return NULL;
}

TEST(beside, "queries beside writers and changes of indexes show one state each")
{
	static void *(*const mains[])(void *) = { writer, writer, changer,
						  reader, reader };
	pthread_t threads[sizeof(mains) / sizeof(mains[0])];
	struct shared s;

	shared_open(&s);
	for (size_t i = 0; i < sizeof(mains) / sizeof(mains[0]); i++)
		CHECK(pthread_create(&threads[i], NULL, mains[i], &s) == 0);
	for (size_t i = 0; i < sizeof(mains) / sizeof(mains[0]); i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (uint64_t team = 0; team < TEAMS; team++)
		count_team(&s, NULL, team);
	aedb_table_close(s.table);
	fixture_close(&s.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
