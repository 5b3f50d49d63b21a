/*
 * Work that is held to a pace takes its time, and ends when it is cancelled.
 */
#include <pthread.h>

#include "aedb.h"
#include "check.h"
#include "pace.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

TEST(slow, "taking bytes lasts at least as long as the pace says")
{
	uint64_t start = now_ns();
	struct pace pace;

	pace_init(&pace, 64 * MIB);
	for (int i = 0; i < 20; i++)
		CHECK_OK(pace_take(&pace, MIB));
	/* 20 MiB, of which an eighth of a second's 8 are free at once */
	CHECK(now_ns() - start >= UINT64_C(1000000000) * 12 / 64);
	CHECK_EQ(pace_done_bytes(&pace), 20 * MIB);
}

TEST(unbounded, "without a pace nothing waits")
{
	struct pace pace;

	pace_init(&pace, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_OK(pace_take(&pace, UINT64_C(1) << 50));
	pace_set(&pace, UINT64_MAX);
	CHECK_OK(pace_take(&pace, MIB));
}

static void *take_much(void *arg)
{
	/* would last a year and more */
	static int rc;

	rc = pace_take(arg, UINT64_C(1) << 26);
	return &rc;
}

TEST(cancelled, "a wait of a year ends when it is cancelled, before or after it began")
{
	for (int i = 0; i < 200; i++) {
		struct timespec moment = { .tv_nsec = i % 2 ? 1000000 : 0 };
		struct pace pace;
		pthread_t thread;
		void *rc;

		pace_init(&pace, 1);
		pthread_create(&thread, NULL, take_much, &pace);
		nanosleep(&moment, NULL);
		pace_cancel(&pace);
		pthread_join(thread, &rc);
		CHECK_EQ(*(int *)rc, AEDB_BUSY);
		CHECK_EQ(pace_take(&pace, 1), AEDB_BUSY);
		pace_set(&pace, 0);
		pace_resume(&pace);
		CHECK_OK(pace_take(&pace, 1));
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
