/*
 * One table, four writers, and readers who check that rows and indexes agree; and
 * then whatever a power cut leaves of it.
 */
#include <pthread.h>

#include "../users.h"
#include "db_fixture.h"

#define WRITERS 4
#define WRITES 400	/* of each */
#define IDS 60
#define CHECKS 25

struct run {
	struct fixture f;
	struct aedb_table *table;
	uint64_t seed;			/* constant */
	_Atomic unsigned started;	/* atomic: threads so far */
};

static uint64_t next(uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return *random >> 33;
}

/* Few ids and fewer mails, so that writers meet. */
static void write_one(struct run *run, struct aedb_txn *txn, uint64_t *random)
{
	char mail[16];
	struct user user = { .id = next(random) % IDS, .mail = mail,
			     .age = (int64_t)(next(random) % 5) };
	int rc;

	snprintf(mail, sizeof(mail), "m%d", (int)(next(random) % (IDS / 2)));
	if (next(random) % 4 == 0)
		user.mail = NULL;
	rc = users_write(txn, run->table,
			 (enum users_how)(next(random) % (USERS_DELETE + 1)),
			 &user);
	/* a transaction is told at once that the table was changed */
	CHECK(rc == 0 || rc == AEDB_EXISTS || rc == AEDB_NOT_FOUND ||
	      (txn && rc == AEDB_CONFLICT));
}

static void transact(struct run *run, uint64_t *random)
{
	struct aedb_txn *txn = txn_of(run->f.db);
	int rc;

	for (int i = 0; i < 3; i++)
		write_one(run, txn, random);
	rc = txn_end(txn);
	CHECK(rc == 0 || rc == AEDB_EXISTS || rc == AEDB_CONFLICT ||
	      rc == AEDB_NOT_FOUND);
}

static void *writer_run(void *arg)
{
	struct run *run = arg;
	uint64_t random = run->seed + atomic_fetch_add(&run->started, 1);

	for (int i = 0; i < WRITES; i++) {
		if (i % 4)
			write_one(run, NULL, &random);
		else
			transact(run, &random);
	}
	return NULL;
}

static void *reader_run(void *arg)
{
	struct run *run = arg;

	for (int i = 0; i < CHECKS; i++)
		CHECK_OK(users_agree(run->table, NULL, NULL));
	return NULL;
}

/* An index comes and goes meanwhile. */
static void *changer_run(void *arg)
{
	static const uint32_t columns[] = { USERS_AGE, USERS_ID };
	struct aedb_index index = { .name = "more", .columns = columns,
				    .n_columns = 2 };
	struct run *run = arg;

	for (int i = 0; i < 4; i++) {
		CHECK_OK(aedb_table_alter(run->f.scope, "users",
			&(struct aedb_alter){ .kind = AEDB_ADD_INDEX,
					      .index = &index }));
		CHECK_OK(users_agree(run->table, NULL, NULL));
		CHECK_OK(aedb_table_alter(run->f.scope, "users",
			&(struct aedb_alter){ .kind = AEDB_DROP_INDEX,
					      .name = "more" }));
	}
	return NULL;
}

static void threads_run(struct run *run)
{
	pthread_t threads[WRITERS + 2];

	for (int i = 0; i < WRITERS + 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL,
			i < WRITERS ? writer_run :
			i == WRITERS ? reader_run : changer_run, run), 0);
	for (int i = 0; i < WRITERS + 2; i++)
		pthread_join(threads[i], NULL);
}

static void run_begin(struct run *run)
{
	fixture_init(&run->f);
	run->f.options.durability = AEDB_BATCH;
	run->f.options.sync_interval_ms = 1;
	fixture_start(&run->f);
	CHECK_OK(users_create(run->f.scope, "users"));
	CHECK_OK(aedb_table_open(run->f.scope, "users", &run->table));
	run->started = 0;
	run->seed = check_seed();
}

TEST(threads, "rows and indexes agree in every state that readers see, beside writers")
{
	struct run run;

	run_begin(&run);
	threads_run(&run);
	CHECK_OK(users_agree(run.table, NULL, NULL));
	aedb_table_close(run.table);
	fixture_close(&run.f);
}

/* What is left after the power was cut. */
static void left_check(struct fixture *f)
{
	struct aedb_table *table;

	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
	CHECK_OK(aedb_table_open(f->scope, "users", &table));
	CHECK_OK(users_agree(table, NULL, NULL));
	aedb_table_close(table);
	fixture_stop(f);
}

TEST(power_cut, "rows and indexes agree in whatever a power cut leaves")
{
	uint64_t random;
	struct simdisk **records;
	struct run run;
	size_t n;

	run_begin(&run);
	random = run.seed;
	CHECK_OK(aedb_wait_durable(run.f.db, aedb_visible_seq(run.f.db)));
	simdisk_record(run.f.disk);
	for (int i = 0; i < 100; i++) {
		if (i % 3)
			write_one(&run, NULL, &random);
		else
			transact(&run, &random);
		if (i % 32 == 31)
			CHECK_OK(aedb_checkpoint(run.f.db, NULL));
	}
	n = simdisk_take_records(run.f.disk, &records);
	CHECK(n > 20);
	for (size_t i = 0; i < n; i++) {
		struct fixture f = { .disk = records[i],
				     .options = run.f.options };

		simdisk_crash(records[i], i, i % 3 == 0 ? SIMDISK_KEEP_ALL :
					     i % 3 == 1 ? SIMDISK_DROP_ALL :
							  SIMDISK_RANDOM);
		left_check(&f);
		simdisk_free(records[i]);
	}
	free(records);
	aedb_table_close(run.table);
	fixture_close(&run.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
