/*
 * The cache: what it gives is what was put, it stays within its bound, and
 * nothing goes while a reader may see it.
 */
#include <malloc.h>
#include <pthread.h>

#include "cache.h"
#include "check.h"

#define CAPACITY ((size_t)4 << 20)
#define THING_BYTES 4000

static struct epoch *epoch;
static struct cache *cache;

static void cache_begin(size_t capacity)
{
	CHECK_OK(epoch_open(&epoch));
	CHECK_OK(cache_open(epoch, capacity, &cache));
}

static void cache_end(void)
{
	cache_close(cache);
	epoch_close(epoch);
}

static struct cache_key key_of(uint64_t file, uint64_t n)
{
	return (struct cache_key){ UINT64_C(5) << 56 | file, n * 4096 };
}

/* What belongs to a key: its number in every word. */
static void *content_new(struct cache_key key, size_t bytes)
{
	uint64_t *words = cache_alloc(bytes);

	CHECK(words != NULL);
	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = key.file ^ key.offset;
	return words;
}

static bool content_is_right(struct cache_key key, const void *data, size_t bytes)
{
	const uint64_t *words = data;

	for (size_t i = 0; i < bytes / 8; i++)
		if (words[i] != (key.file ^ key.offset))
			return false;
	return true;
}

/* Puts number n of a file, in a section of its own. */
static void put(uint64_t file, uint64_t n, size_t bytes)
{
	struct cache_key key = key_of(file, n);
	const void *kept;

	epoch_enter(epoch);
	kept = cache_put(cache, key, content_new(key, bytes), bytes);
	CHECK(content_is_right(key, kept, bytes));
	epoch_leave(epoch);
}

/* With nobody inside. */
static bool is_within(size_t capacity)
{
	cache_collect(cache);
	return cache_bytes(cache) <= capacity;
}

/* Whether it is there; if so it must be right. */
static bool is_there(uint64_t file, uint64_t n, size_t bytes)
{
	struct cache_key key = key_of(file, n);
	const void *data;
	size_t got = 0;

	epoch_enter(epoch);
	data = cache_get(cache, key, &got);
	if (data) {
		CHECK_EQ(got, bytes);
		CHECK(content_is_right(key, data, bytes));
	}
	epoch_leave(epoch);
	return data != NULL;
}

static size_t count_there(uint64_t file, uint64_t from, uint64_t to, size_t bytes)
{
	size_t found = 0;

	for (uint64_t n = from; n < to; n++)
		found += is_there(file, n, bytes);
	return found;
}

TEST(put_then_get, "what was put is found with its size, and nothing else is")
{
	uint64_t hits, misses;

	cache_begin(CAPACITY);
	put(1, 1, 100);
	put(1, 2, 200);
	put(2, 1, 300);
	CHECK(is_there(1, 1, 100));
	CHECK(is_there(1, 2, 200));
	CHECK(is_there(2, 1, 300));
	CHECK(!is_there(2, 2, 0));
	CHECK(!is_there(3, 1, 0));
	CHECK_EQ(cache_things(cache), 3);
	cache_counts(cache, &hits, &misses);
	CHECK_EQ(hits, 3);
	CHECK_EQ(misses, 2);
	cache_end();
}

TEST(first_wins, "of two things put for a key the first stays and both get it")
{
	struct cache_key key = key_of(1, 1);
	const void *first, *second;
	size_t bytes;

	cache_begin(CAPACITY);
	epoch_enter(epoch);
	first = cache_put(cache, key, content_new(key, 64), 64);
	second = cache_put(cache, key, content_new(key, 64), 64);
	CHECK(first == second);
	CHECK(cache_get(cache, key, &bytes) == first);
	CHECK_EQ(cache_things(cache), 1);
	epoch_leave(epoch);
	cache_end();
}

TEST(bound, "the bound holds after each put, and most of it is used")
{
	cache_begin(CAPACITY);
	for (uint64_t n = 0; n < 4000; n++) {
		put(1, n, 1 + check_random() % (3 * THING_BYTES));
		CHECK(cache_bytes(cache) <= CAPACITY);
	}
	CHECK(cache_bytes(cache) > CAPACITY / 4 * 3);
	cache_end();
}

TEST(tiny, "eight KiB hold several dozen things of 64 bytes")
{
	enum { TINY = 8192 };

	cache_begin(TINY);
	for (uint64_t n = 0; n < 1000; n++) {
		put(1, n, 64);
		CHECK(is_within(TINY));
		CHECK(is_there(1, n, 64));
	}
	CHECK(cache_things(cache) >= 40);
	CHECK_EQ(count_there(1, 1000 - cache_things(cache), 1000, 64),
		 cache_things(cache));
	cache_end();
}

TEST(nothing_fits, "a cache without room keeps nothing and gives back all it was given")
{
	struct cache_key key = key_of(1, 1);
	const void *data;

	cache_begin(0);
	epoch_enter(epoch);
	data = cache_put(cache, key, content_new(key, 5000), 5000);
	CHECK(content_is_right(key, data, 5000));
	epoch_leave(epoch);
	CHECK(!is_there(1, 1, 5000));
	CHECK_EQ(cache_things(cache), 0);
	cache_collect(cache);
	CHECK(cache_bytes(cache) < 5000);
	cache_end();
}

TEST(second_chance, "what is used again and again outlives a scan of everything else")
{
	enum { HOT = 200, SCANNED = 20000 };

	cache_begin(CAPACITY);
	for (uint64_t n = 0; n < HOT; n++)
		put(1, n, THING_BYTES);
	for (uint64_t n = 0; n < SCANNED; n++) {
		is_there(1, n % HOT, THING_BYTES);
		put(2, n, THING_BYTES);
	}
	CHECK_EQ(count_there(1, 0, HOT, THING_BYTES), HOT);
	cache_end();
}

/* Asks for number n of a file and offers it if it is not there. */
static bool offer(uint64_t file, uint64_t n, size_t bytes)
{
	struct cache_key key = key_of(file, n);
	const void *data;
	size_t got = bytes;
	bool was_there;

	epoch_enter(epoch);
	data = cache_get(cache, key, &got);
	was_there = data;
	if (!data)
		data = cache_offer(cache, key, content_new(key, bytes), bytes);
	CHECK_EQ(got, bytes);
	CHECK(content_is_right(key, data, bytes));
	epoch_leave(epoch);
	return was_there;
}

/* Puts things into file 1 as long as there is room; how many. */
static uint64_t fill(size_t bytes)
{
	uint64_t n = 0;
	bool has_room = true;

	while (has_room) {
		epoch_enter(epoch);
		has_room = cache_wants(cache, key_of(1, n), bytes);
		epoch_leave(epoch);
		if (has_room)
			put(1, n++, bytes);
		CHECK(n <= CAPACITY / bytes);
	}
	CHECK_EQ(count_there(1, 0, n, bytes), n);
	return n;
}

/* The same with a thing that is put only if it is wanted. */
static bool ask(uint64_t file, uint64_t n, size_t bytes)
{
	struct cache_key key = key_of(file, n);
	bool is_there_now = is_there(file, n, bytes);

	epoch_enter(epoch);
	if (!is_there_now && cache_wants(cache, key, bytes))
		cache_put(cache, key, content_new(key, bytes), bytes);
	epoch_leave(epoch);
	return is_there_now;
}

TEST(asked_once, "what is asked for once is not wanted by a full cache")
{
	uint64_t n;

	cache_begin(CAPACITY);
	n = fill(THING_BYTES);
	CHECK(n > CAPACITY / THING_BYTES / 4 * 3);
	for (uint64_t i = 0; i < 20000; i++)
		CHECK(!ask(2, i, THING_BYTES));
	CHECK_EQ(count_there(2, 0, 20000, THING_BYTES), 0);
	CHECK_EQ(count_there(1, 0, n, THING_BYTES), n);
	cache_end();
}

TEST(asked_again, "what is asked for again takes the place of what nobody uses")
{
	cache_begin(CAPACITY / 4);
	for (uint64_t n = 0; n < 3000; n++)
		put(1, n, THING_BYTES);
	for (uint64_t n = 0; n < 50; n++) {
		CHECK(!ask(2, n, THING_BYTES));
		CHECK(!ask(2, n, THING_BYTES));
		CHECK(ask(2, n, THING_BYTES));
	}
	CHECK_EQ(count_there(2, 0, 50, THING_BYTES), 50);
	cache_end();
}

TEST(asked_on, "what is asked for on and on gets in though all else was used")
{
	uint64_t n, times = 0;

	cache_begin(CAPACITY / 4);
	n = fill(THING_BYTES);
	while (!ask(2, 0, THING_BYTES))
		CHECK(++times <= n + 2);
	CHECK(times > 2);
	cache_end();
}

TEST(offered, "what is offered to a full cache stays until the next is, and the rest with it")
{
	enum { SHARDS_MAX = 16 };
	uint64_t n;

	cache_begin(CAPACITY);
	n = fill(THING_BYTES);
	for (uint64_t i = 0; i < 20000; i++) {
		CHECK(!offer(2, i, THING_BYTES));
		CHECK(offer(2, i, THING_BYTES));
		CHECK(cache_bytes(cache) <= CAPACITY);
	}
	CHECK(count_there(2, 0, 20000, THING_BYTES) <= SHARDS_MAX);
	CHECK(count_there(1, 0, n, THING_BYTES) >= n - SHARDS_MAX);
	cache_forget(cache, key_of(2, 0).file);
	CHECK_EQ(count_there(2, 0, 20000, THING_BYTES), 0);
	cache_end();
}

TEST(mix, "of a set larger than the cache that is asked for often, the cache is full")
{
	enum { TINY = 8192, HOT = 64, COLD = 2000, BYTES = 128 };
	size_t hot;

	cache_begin(TINY);
	for (int i = 0; i < 20000; i++) {
		uint64_t r = check_random();

		if (r % 100 < 80)
			ask(1, (r >> 32) % HOT, BYTES);
		else
			ask(2, (r >> 32) % COLD, BYTES);
		CHECK(is_within(TINY));
	}
	hot = count_there(1, 0, HOT, BYTES);
	CHECK(cache_things(cache) > HOT / 2);
	CHECK_THAT(hot >= cache_things(cache) / 4 * 3, "%zu of %zu things", hot,
		   cache_things(cache));
	cache_end();
}

TEST(arrival, "unused things leave in the order in which they came")
{
	enum { PUT = 3000 };
	size_t things;

	cache_begin(CAPACITY / 4);
	for (uint64_t n = 0; n < PUT; n++)
		put(1, n, THING_BYTES);
	things = cache_things(cache);
	CHECK(things > 100 && things < PUT);
	CHECK_EQ(count_there(1, PUT - things, PUT, THING_BYTES), things);
	cache_end();
}

TEST(oversized, "what is larger than an eighth is readable until the epoch is left, not kept")
{
	struct cache_key key = key_of(9, 9);
	const size_t bytes = CAPACITY / 8 + 1;
	const void *data;

	cache_begin(CAPACITY);
	for (uint64_t n = 0; n < 500; n++)
		put(1, n, THING_BYTES);
	epoch_enter(epoch);
	data = cache_put(cache, key, content_new(key, bytes), bytes);
	cache_collect(cache);
	CHECK(content_is_right(key, data, bytes));
	CHECK(cache_bytes(cache) > bytes + 500 * THING_BYTES);
	epoch_leave(epoch);
	CHECK(!is_there(9, 9, bytes));
	CHECK_EQ(count_there(1, 0, 500, THING_BYTES), 500);
	cache_collect(cache);
	CHECK(cache_bytes(cache) < bytes + 500 * THING_BYTES);
	cache_end();
}

TEST(small_cache_page, "a page over an eighth of a small cache is kept where it fits")
{
	enum { PAGE = 20000 };

	cache_begin(2 * PAGE);
	put(1, 1, PAGE);
	CHECK(is_there(1, 1, PAGE));
	put(1, 2, PAGE);
	CHECK(is_there(1, 2, PAGE));
	CHECK(!is_there(1, 1, PAGE));
	cache_end();
}

TEST(forget, "a forgotten file's things are gone, the others stay, the memory comes back")
{
	size_t before;

	cache_begin(CAPACITY);
	for (uint64_t n = 0; n < 300; n++)
		put(1, n, THING_BYTES);
	before = cache_bytes(cache);
	for (uint64_t n = 0; n < 300; n++)
		put(2, n, THING_BYTES);
	cache_forget(cache, key_of(2, 0).file);
	CHECK_EQ(count_there(2, 0, 300, THING_BYTES), 0);
	CHECK_EQ(count_there(1, 0, 300, THING_BYTES), 300);
	CHECK_EQ(cache_things(cache), 300);
	CHECK(cache_bytes(cache) <= before + 4096);
	cache_end();
}

TEST(held, "what a reader found stays until it leaves, though evicted and forgotten")
{
	struct epoch_slot *slot;
	struct cache_key key = key_of(1, 0);
	const void *data;
	size_t bytes;

	cache_begin(CAPACITY);
	put(1, 0, THING_BYTES);
	CHECK_OK(epoch_slot_enter(epoch, &slot));
	epoch_enter(epoch);
	data = cache_get(cache, key, &bytes);
	CHECK(data != NULL);
	epoch_leave(epoch);
	cache_forget(cache, key.file);
	for (uint64_t n = 0; n < 3000; n++)
		put(2, n, THING_BYTES);
	CHECK(content_is_right(key, data, bytes));
	CHECK(cache_bytes(cache) > 2 * CAPACITY);
	epoch_slot_leave(slot);
	CHECK(is_within(CAPACITY));
	cache_end();
}

TEST(counted, "a limit of things holds exactly and keeps the last ones")
{
	cache_begin(CAPACITY / 4);
	cache_limit_things(cache, 50);
	for (uint64_t n = 0; n < 200; n++) {
		put(1, n, THING_BYTES);
		CHECK(cache_things(cache) <= 50);
	}
	CHECK_EQ(count_there(1, 150, 200, THING_BYTES), 50);
	cache_limit_things(cache, 10);
	CHECK_EQ(cache_things(cache), 10);
	cache_limit_things(cache, 0);
	put(1, 500, THING_BYTES);
	CHECK(!is_there(1, 500, THING_BYTES));
	cache_end();
}

/* mallinfo2 knows what the program has allocated where nothing stands between. */
TEST(accounting, "the bytes it says are within a tenth of those it has allocated")
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	CHECK_SKIP("a sanitizer allocates here");
#endif
	static const size_t sizes[] = { 8, 64, 500, 4000, 20000, 150000 };
	size_t before, used, said;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		cache_begin(CAPACITY);
		for (uint64_t n = 0; n < 2 * CAPACITY / sizes[i]; n++)
			put(1, n, sizes[i]);
		used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
		said = cache_bytes(cache);
		CHECK_THAT(said <= used + used / 10 && said + used / 10 >= used,
			   "%zu bytes a thing: says %zu, has %zu", sizes[i], said,
			   used);
		cache_end();
	}
}

/* Random calls beside a model of what may be there. */
TEST(model, "after random calls only what was put since it was forgotten is there")
{
	enum { FILES = 4, NUMBERS = 400, CALLS = 60000 };
	static bool may_be[FILES][NUMBERS];

	memset(may_be, 0, sizeof(may_be));
	cache_begin(CAPACITY / 8);
	for (int i = 0; i < CALLS; i++) {
		uint64_t r = check_random(), file = r % FILES;
		uint64_t n = (r >> 8) % NUMBERS;
		size_t bytes = 16 + n * 7;

		if ((r >> 32) % 1000 == 0) {
			cache_forget(cache, key_of(file, 0).file);
			memset(may_be[file], 0, sizeof(may_be[file]));
		} else if ((r >> 32) % 1000 == 1) {
			cache_limit_things(cache, 1 + (r >> 40) % 400);
		} else if ((r >> 32) % 3 == 0) {
			put(file, n, bytes);
			may_be[file][n] = true;
		} else if ((r >> 32) % 3 == 1) {
			CHECK(!offer(file, n, bytes) || may_be[file][n]);
			may_be[file][n] = true;
		} else {
			CHECK(!is_there(file, n, bytes) || may_be[file][n]);
		}
	}
	cache_end();
}

/* Threads look up, put and forget the same few files; each thing carries its
 * key, and freed memory is given away again at once. */
enum { THREADS = 4, ROUNDS = 60000, SHARED_NUMBERS = 3000 };

static size_t shared_bytes(uint64_t n)
{
	return n % 1009 == 0 ? CAPACITY / 8 + 8 : 64 + n % 7 * 400;
}

static void shared_use(uint64_t r)
{
	struct cache_key key = key_of(r % 3, (r >> 8) % SHARED_NUMBERS);
	size_t bytes = shared_bytes(key.offset / 4096), got = bytes;
	const void *data = cache_get(cache, key, &got);

	if (!data && r >> 40 & 1)
		data = cache_put(cache, key, content_new(key, bytes), bytes);
	else if (!data)
		data = cache_offer(cache, key, content_new(key, bytes), bytes);
	CHECK_EQ(got, bytes);
	CHECK(content_is_right(key, data, got > 4096 ? 4096 : got));
}

static void *shared_run(void *seed)
{
	uint64_t r = (uintptr_t)seed;

	for (int i = 0; i < ROUNDS; i++) {
		r = r * UINT64_C(6364136223846793005) + 1442695040888963407u;
		epoch_enter(epoch);
		shared_use(r >> 20);
		shared_use(r >> 23);
		epoch_leave(epoch);
		if ((r >> 40) % 4096 == 0)
			cache_forget(cache, key_of(r >> 20 & 1, 0).file);
		if (i % 4096 == 0)
			cache_limit_things(cache, i % 8192 ? SIZE_MAX : 100);
	}
	return NULL;
}

TEST(threads, "threads that get, put, forget and evict find only what belongs to the key")
{
	pthread_t threads[THREADS];

	cache_begin(CAPACITY);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, shared_run,
					(void *)(check_random() | 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cache_limit_things(cache, SIZE_MAX);
	CHECK(cache_bytes(cache) <= CAPACITY);
	cache_limit_things(cache, 0);
	CHECK_EQ(cache_things(cache), 0);
	cache_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
