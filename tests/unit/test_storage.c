/*
 * Checkpoints and compactions through the public calls: what went wrong once.
 */
#include "db_fixture.h"

static void fixture_open_small(struct fixture *f)
{
	fixture_init(f);
	f->options.durability = AEDB_OS;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.memory_bytes = 4 << 20;
	f->options.wal_file_bytes = 64 << 10;
	fixture_start(f);
}

static void put_many(struct fixture *f, char first, int n)
{
	static const uint8_t zeros[300];

	for (int i = 0; i < n; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%c%03d", first, i);
		CHECK_OK(aedb_put(f->scope, key, strlen(key), zeros,
				  sizeof(zeros)));
	}
}

TEST(compact_ends, "compacting what compresses well comes to an end")
{
	struct fixture f;

	fixture_open_small(&f);
	for (char first = 'a'; first <= 'z'; first++) {
		put_many(&f, first, 5);
		CHECK_OK(aedb_compact(f.db));
	}
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
