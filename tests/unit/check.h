/*
 * The frame of a unit test program: named tests, checks, TAP on stdout.
 *
 *	TEST(put_then_get, "a get finds what was put")
 *	{
 *		CHECK_OK(thing_open(&thing));
 *		CHECK_EQ(thing_count(thing), 3);
 *	}
 *
 *	int main(int argc, char **argv) { return check_main(argc, argv); }
 *
 * Tests run in the order of the file; PROGRAM TEXT runs those whose sentence
 * contains TEXT. A failed check ends its test; made on another thread than the
 * test's, it counts and that thread goes on. Randomised tests take their
 * numbers from check_random(): the seed is printed with the command that
 * replays it, and SEED=n in the environment sets it. TIMES=n makes those longer
 * that ask check_times. Exit status 1 if a test failed.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct check_test {
	const char *sentence;
	void (*run)(void);
	struct check_test *next;
};

struct check_state {
	struct check_test *first, **end;
	const struct check_test *running;
	const char *program, *skipped;	/* skipped: why this test did not run */
	uint64_t seed, random;
	unsigned times;
	bool has_said_seed, has_failed;	/* has_failed is atomic: any thread */
};

/* One for the program, however many of its files include this header. */
__attribute__((weak)) struct check_state check_state = {
	.end = &check_state.first,
};
__attribute__((weak)) __thread jmp_buf *check_way_out;

/* The engine's message for the last error, when the program links it. */
const char *err_message(void) __attribute__((weak));

#define TEST(name, text)                                                   \
	static void name(void);                                            \
	static struct check_test name##_test = { text, name, NULL };       \
	__attribute__((constructor)) static void name##_register(void)     \
	{                                                                  \
		*check_state.end = &name##_test;                           \
		check_state.end = &name##_test.next;                       \
	}                                                                  \
	static void name(void)

#define CHECK_THAT(is_so, ...) \
	((is_so) ? (void)0 : check_fail(__FILE__, __LINE__, __VA_ARGS__))
#define CHECK(condition) CHECK_THAT(condition, "%s", #condition)
/* Two integers, compared and printed as 64 bits. */
#define CHECK_EQ(got, want) do {                                           \
	int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);            \
	CHECK_THAT(got_ == want_, "%s: got %" PRId64 ", want %" PRId64,    \
		   #got, got_, want_);                                     \
} while (0)
/* Two strings, or n bytes. */
#define CHECK_STR(got, want) do {                                          \
	const char *got_ = (got), *want_ = (want);                         \
	CHECK_THAT(got_ && strcmp(got_, want_) == 0,                       \
		   "%s: got \"%s\", want \"%s\"", #got,                    \
		   got_ ? got_ : "(null)", want_);                         \
} while (0)
#define CHECK_MEM(got, want, n)                                            \
	CHECK_THAT(memcmp((got), (want), (n)) == 0,                        \
		   "%s: %zu bytes differ", #got, (size_t)(n))
/* A call that must return 0 or more. */
#define CHECK_OK(call) do {                                                \
	int rc_ = (call);                                                  \
	CHECK_THAT(rc_ >= 0, "%s: error %d: %s", #call, rc_,               \
		   err_message ? err_message() : "(no message)");          \
} while (0)
/* Ends the test without a verdict; only for what this machine cannot do. */
#define CHECK_SKIP(why) (check_state.skipped = (why), longjmp(*check_way_out, 1))

__attribute__((format(printf, 3, 4)))
static inline void check_fail(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("# %s:%d: %s\n", file, line, text);
	__atomic_store_n(&check_state.has_failed, true, __ATOMIC_RELAXED);
	if (check_way_out)
		longjmp(*check_way_out, 1);
}

/* This run's seed; says once a test how to run that test with it again. */
static inline uint64_t check_seed(void)
{
	if (!check_state.has_said_seed)
		printf("# seed; replay with: SEED=%" PRIu64 " TIMES=%u %s '%s'\n",
		       check_state.seed, check_state.times, check_state.program,
		       check_state.running->sentence);
	check_state.has_said_seed = true;
	return check_state.seed;
}

/* The next number of the test's sequence (splitmix64). The test's thread only. */
static inline uint64_t check_random(void)
{
	uint64_t z;

	check_seed();
	z = check_state.random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* So many rounds of a randomised test, times what the environment asks for. */
static inline unsigned check_times(unsigned rounds)
{
	return rounds * check_state.times;
}

/* True if the test passed or was skipped. */
static inline bool check_run(const struct check_test *test, int number)
{
	jmp_buf way_out;

	check_state.running = test;
	check_state.random = check_state.seed;
	check_state.has_said_seed = check_state.has_failed = false;
	check_state.skipped = NULL;
	printf("# begin: %s\n", test->sentence);
	check_way_out = &way_out;
	if (setjmp(way_out) == 0)
		test->run();
	check_way_out = NULL;
	printf("%sok %d - %s", check_state.has_failed ? "not " : "", number,
	       test->sentence);
	if (check_state.skipped)
		printf(" # SKIP %s", check_state.skipped);
	printf("\n");
	return !check_state.has_failed;
}

static inline int check_main(int argc, char **argv)
{
	const char *seed = getenv("SEED"), *wanted = argc > 1 ? argv[1] : "";
	const char *times = getenv("TIMES");
	int number = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check_state.program = argv[0];
	check_state.times = times ? (unsigned)strtoul(times, NULL, 0) : 1;
	check_state.seed = seed ? strtoull(seed, NULL, 0)
				: (uint64_t)time(NULL) * 100000 + (uint64_t)getpid();
	for (struct check_test *t = check_state.first; t; t = t->next)
		if (strstr(t->sentence, wanted))
			failed += !check_run(t, ++number);
	printf("1..%d\n", number);
	return failed > 0;
}

#endif
