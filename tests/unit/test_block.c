/*
 * Blocks against a sorted array, and what is no block.
 */
#include "block_cursor.h"
#include "block_head.h"
#include "block_writer.h"
#include "err.h"
#include "sorted_entries.h"

#define PAGE_BYTES (16u << 10)

struct made {
	uint8_t *bytes;		/* owned */
	size_t n;
};

/* As many of the entries from `from` on as fit; returns how many. */
static size_t make_block(const struct sorted *s, size_t from, size_t page_bytes,
			 struct made *ret)
{
	struct block_encoded encoded;
	struct block_writer *w;
	size_t n = from;

	CHECK_OK(block_writer_open(page_bytes, &w));
	while (n < s->n && !block_writer_is_full(w))
		CHECK_OK(block_writer_add(w, &s->at[n++]));
	CHECK_EQ(block_writer_entries(w), n - from);
	CHECK_OK(block_writer_encode(w, &encoded));
	CHECK_EQ(encoded.ends[BLOCK_PARTS - 1], encoded.n);
	ret->bytes = malloc(encoded.n);
	ret->n = encoded.n;
	memcpy(ret->bytes, encoded.bytes, encoded.n);
	block_writer_close(w);
	return n - from;
}

static bool is_newest(const struct sorted *s, size_t i)
{
	const struct entry *e = &s->at[i];

	return i == 0 || e[-1].key_bytes != e->key_bytes ||
	       memcmp(e[-1].key, e->key, e->key_bytes) != 0;
}

static void check_walk(const struct made *made, const struct sorted *s)
{
	struct block_cursor c;
	struct entry e;
	size_t i = 0;

	block_cursor_init(&c);
	CHECK_OK(block_cursor_open(&c, made->bytes));
	CHECK_EQ(c.block.entries, s->n);
	block_cursor_move(&c, 0, &e);
	do {
		CHECK_EQ(c.is_newest, is_newest(s, i));
		entry_check(&e, &s->at[i++]);
	} while (block_cursor_next(&c, &e));
	CHECK_EQ(i, s->n);
	do {
		entry_check(&e, &s->at[--i]);
		CHECK_EQ(c.is_newest, is_newest(s, i));
	} while (block_cursor_prev(&c, &e));
	CHECK_EQ(i, 0);
	block_cursor_release(&c);
}

static void check_seek(const struct block *b, const struct sorted *s,
		       const void *key, size_t n, seq_t limit)
{
	size_t want = sorted_seek(s, key, n, limit);
	bool is_newer = want && sorted_compare_key(&s->at[want - 1], key, n) == 0;
	struct block_found found;
	struct entry e;

	block_seek(b, key, n, limit, &found);
	CHECK_EQ(found.at, want);
	CHECK_EQ(found.newer, is_newer ? s->at[want - 1].seq : 0);
	CHECK_EQ(found.is_key, want < s->n &&
		 sorted_compare_key(&s->at[want], key, n) == 0);
	if (want == s->n)
		return;
	block_entry(b, found.at, &e);
	e.key = s->at[want].key;
	e.key_bytes = s->at[want].key_bytes;
	entry_check(&e, &s->at[want]);
}

/* A block's front with the zeros behind it, as it is read. */
static uint8_t *front_of(const struct made *made, size_t *ret_n)
{
	uint64_t sections[BLOCK_SECTIONS];
	struct block_head h;
	uint8_t *front;

	block_head_decode(made->bytes, &h);
	block_head_sections(&h, sections);
	*ret_n = sections[BLOCK_EXTRAS] - BLOCK_PAD_BYTES;
	front = calloc(1, sections[BLOCK_EXTRAS]);
	memcpy(front, made->bytes, *ret_n);
	return front;
}

static bool needs_more(const struct entry *e)
{
	return e->is_ref || e->attr_bytes || e->mtime_ns != AEDB_MTIME_NONE;
}

static void check_front_entries(const uint8_t *front, const struct sorted *s)
{
	struct block_found found;
	struct block b;
	struct entry e;

	block_init(&b, front);
	for (size_t i = 0; i < s->n; i++) {
		const struct entry *want = &s->at[i];

		block_seek(&b, want->key, want->key_bytes, want->seq, &found);
		CHECK_EQ(found.at, i);
		CHECK(found.is_key);
		block_entry(&b, found.at, &e);
		CHECK_EQ(e.value_bytes, want->value_bytes);
		e.key = want->key;
		e.key_bytes = want->key_bytes;
		e.value = want->value;
		entry_check(&e, want);
	}
}

static void check_front(const struct made *made, const struct sorted *s)
{
	bool more = false;
	uint8_t *front;
	size_t n;

	for (size_t i = 0; i < s->n; i++)
		more |= needs_more(&s->at[i]);
	for (int too_many = -1; too_many <= 1; too_many++) {
		front = front_of(made, &n);
		CHECK_EQ(block_front_does(front, n), !more);
		CHECK(!block_front_does(front, n - 1));
		if (!more)
			CHECK_EQ(block_check_front(front, n, made->n + too_many),
				 too_many ? AEDB_CORRUPT : 0);
		if (!more && !too_many)
			check_front_entries(front, s);
		free(front);
	}
}

static void check_block(struct made *made, const struct sorted *s)
{
	struct block b;

	check_front(made, s);
	CHECK_OK(block_check(made->bytes, made->n));
	block_init(&b, made->bytes);
	check_walk(made, s);
	for (int i = 0; i < 100; i++) {
		size_t n;
		void *key = sorted_some_key(s, &n);

		check_seek(&b, s, key, n, sorted_some_limit(s));
		check_seek(&b, s, key, n, SEQ_MAX);
		check_seek(&b, s, key, n, 0);
		free(key);
	}
}

TEST(round_trip, "blocks hold what was put into them, found by key and limit and walked both ways")
{
	for (int round = 0; round < 60; round++) {
		struct sorted s, part;
		struct made made;

		sorted_new(&s, 1 + check_random() % 700);
		for (size_t from = 0; from < s.n; from += part.n) {
			part.n = make_block(&s, from, check_random() % 2 ?
					    PAGE_BYTES : 512, &made);
			part.at = s.at + from;
			check_block(&made, &part);
			free(made.bytes);
		}
		sorted_free(&s);
	}
}

TEST(divided, "the newest version of a key is told from others in the next block, too")
{
	struct block_encoded encoded;
	struct block_cursor c;
	struct block_writer *w;
	size_t others = 0;
	struct entry e;
	struct sorted s;

	sorted_new_of(&s, 2000, SORTED_ONE);
	CHECK_OK(block_writer_open(512, &w));
	block_cursor_init(&c);
	for (size_t from = 0, n = 0; from < s.n; from = n) {
		while (n < s.n && !block_writer_is_full(w))
			CHECK_OK(block_writer_add(w, &s.at[n++]));
		CHECK_OK(block_writer_encode(w, &encoded));
		CHECK_OK(block_check((uint8_t *)encoded.bytes, encoded.n));
		CHECK_OK(block_cursor_open(&c, encoded.bytes));
		block_cursor_move(&c, 0, &e);
		CHECK_EQ(c.is_newest, is_newest(&s, from));
		others += !c.is_newest;
		block_writer_clear(w);
	}
	CHECK(others > 0);
	block_cursor_release(&c);
	block_writer_close(w);
	sorted_free(&s);
}

TEST(bounded, "a block ends soon after it has reached its size")
{
	struct sorted s;
	struct made made;

	sorted_new_of(&s, 3000, SORTED_NUMBERS);
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i].value_bytes > 40)
			s.at[i].value_bytes = 40;
	for (size_t i = 0; i < s.n; i++)
		s.at[i].attr_bytes = 0;
	for (size_t bytes = 512; bytes <= PAGE_BYTES; bytes *= 2) {
		make_block(&s, 0, bytes, &made);
		CHECK_THAT(made.n >= bytes / 2 && made.n <= bytes * 5 / 4 + 200,
			   "%zu bytes, want %zu", made.n, bytes);
		free(made.bytes);
	}
	sorted_free(&s);
}

TEST(small_flips, "a block with any byte changed is refused or holds entries in order")
{
	struct sorted s;
	struct made made;
	struct entry e;
	unsigned int refused = 0;

	sorted_new_of(&s, 40, SORTED_PATHS);
	make_block(&s, 0, 2048, &made);
	for (size_t at = 0; at < made.n; at++) {
		uint8_t *copy = malloc(made.n);
		struct block_cursor c;

		memcpy(copy, made.bytes, made.n);
		copy[at] ^= (uint8_t)(1 + check_random() % 255);
		if (block_check(copy, made.n) < 0) {
			refused++;
			free(copy);
			continue;
		}
		block_cursor_init(&c);
		CHECK_OK(block_cursor_open(&c, copy));
		block_cursor_move(&c, 0, &e);
		while (block_cursor_next(&c, &e))
			CHECK(e.key_bytes <= BLOCK_KEY_BYTES_MAX);
		block_cursor_release(&c);
		free(copy);
	}
	CHECK_THAT(refused > 40, "%u of %zu", refused, made.n);
	free(made.bytes);
	sorted_free(&s);
}

/* Entries whose columns leave nothing open that would be asked of each. */
static void make_plain(unsigned n, struct made *ret)
{
	struct entry e[100];
	struct sorted s = { .at = e, .n = n };
	char keys[100][16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key %03u", i * 7);
		e[i] = (struct entry){
			.key = keys[i], .key_bytes = 7,
			.value = "value", .value_bytes = 5,
			.seq = i * 3 % n + 1, .id = i * 3 % n + 1,
			.time_us = 1000000 + i * 3 % n,
			.mtime_ns = AEDB_MTIME_NONE,
		};
	}
	CHECK_EQ(make_block(&s, 0, PAGE_BYTES, ret), n);
}

static void check_sound(const uint8_t *bytes)
{
	uint8_t last[BLOCK_KEY_BYTES_MAX];
	struct block_cursor c;
	uint32_t last_bytes;
	struct entry e;

	block_cursor_init(&c);
	CHECK_OK(block_cursor_open(&c, bytes));
	block_cursor_move(&c, 0, &e);
	do {
		CHECK(e.seq && e.seq <= SEQ_MAX && e.time_us <= SEQ_MAX);
		last_bytes = e.key_bytes;
		memcpy(last, e.key, last_bytes);
		if (!block_cursor_next(&c, &e))
			break;
		CHECK(c.is_newest == (sorted_compare_key(&e, last, last_bytes) != 0));
		CHECK(sorted_compare_key(&e, last, last_bytes) >= 0);
	} while (true);
	block_cursor_release(&c);
}

TEST(plain_flips, "a block of plain entries with any bit changed is refused or sound")
{
	struct made made;
	uint8_t *copy;
	size_t refused = 0;

	make_plain(50, &made);
	copy = malloc(made.n);
	for (size_t bit = 0; bit < made.n * 8; bit++) {
		memcpy(copy, made.bytes, made.n);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (block_check(copy, made.n) < 0)
			refused++;
		else
			check_sound(copy);
	}
	/* values, and numbers that may be others, are not known to be wrong */
	CHECK_THAT(refused > made.n, "%zu of %zu", refused, made.n * 8);
	free(copy);
	free(made.bytes);
}

/* What a get and a walk touch, summed so that none of it is left out. */
static uint64_t touch(const struct entry *e)
{
	uint64_t sum = e->seq;

	for (uint32_t i = 0; i < e->key_bytes; i++)
		sum += ((const uint8_t *)e->key)[i];
	for (uint32_t i = 0; i < e->value_bytes; i++)
		sum += ((const uint8_t *)e->value)[i];
	for (uint32_t i = 0; i < e->attr_bytes; i++)
		sum += ((const uint8_t *)e->attr)[i];
	return sum;
}

static void use_all(const uint8_t *bytes, const struct sorted *s)
{
	struct block_cursor c;
	struct block_found found;
	struct block b;
	struct entry e;
	uint64_t sum = 0;

	block_cursor_init(&c);
	CHECK_OK(block_cursor_open(&c, bytes));
	block_init(&b, bytes);
	block_cursor_move(&c, 0, &e);
	do {
		sum += touch(&e);
		block_seek(&b, e.key, e.key_bytes, e.seq, &found);
		CHECK_EQ(found.at, c.at);
		CHECK(found.is_key);
	} while (block_cursor_next(&c, &e));
	while (block_cursor_prev(&c, &e))
		sum += touch(&e);
	for (int i = 0; i < 5; i++) {
		size_t n;
		void *key = sorted_some_key(s, &n);

		block_seek(&b, key, n, sorted_some_limit(s), &found);
		if (found.at < b.entries) {
			block_entry(&b, found.at, &e);
			e.key_bytes = 0;
			sum += touch(&e);
		}
		free(key);
	}
	CHECK(sum > 0);
	block_cursor_release(&c);
}

static void change(uint8_t *bytes, size_t n)
{
	size_t at = check_random() % (check_random() % 2 ? BLOCK_HEAD_BYTES : n);

	switch (check_random() % 4) {
	case 0:
		bytes[at] = (uint8_t)check_random();
		break;
	case 1:
		bytes[at] ^= (uint8_t)(1 << check_random() % 8);
		break;
	case 2:
		bytes[at] = (uint8_t)(bytes[at] + (check_random() % 2 ? 1 : -1));
		break;
	default:
		if (at <= n - 8)
			memmove(bytes + at, bytes + check_random() % (n - 7), 8);
	}
}

TEST(fuzz, "whatever passes the check of a block can be read without leaving it")
{
	unsigned int passed = 0;

	for (int round = 0; round < 300; round++) {
		struct sorted s;
		struct made made;
		uint8_t *copy;

		sorted_new(&s, 1 + check_random() % 60);
		make_block(&s, 0, 2048, &made);
		copy = malloc(made.n);
		for (int i = 0; i < 60; i++) {
			memcpy(copy, made.bytes, made.n);
			for (uint64_t k = 1 + check_random() % 4; k; k--)
				change(copy, made.n);
			if (block_check(copy, made.n) < 0)
				continue;
			passed++;
			use_all(copy, &s);
		}
		free(copy);
		free(made.bytes);
		sorted_free(&s);
	}
	CHECK_THAT(passed > 100, "%u passed", passed);
}

static void use_front(const uint8_t *front, const struct sorted *s)
{
	struct block_found found;
	struct block b;
	struct entry e;

	block_init(&b, front);
	for (uint32_t at = 0; at < b.entries; at++) {
		block_entry(&b, at, &e);
		CHECK(!needs_more(&e));
	}
	for (int i = 0; i < 5; i++) {
		size_t n;
		void *key = sorted_some_key(s, &n);

		block_seek(&b, key, n, sorted_some_limit(s), &found);
		CHECK(found.at <= b.entries);
		free(key);
	}
}

TEST(fuzz_front, "whatever passes the check of a block's front can be read without leaving it")
{
	unsigned int passed = 0;

	for (int round = 0; round < 300; round++) {
		uint8_t *front, *copy;
		struct sorted s;
		struct made made;
		size_t n;

		sorted_new(&s, 1 + check_random() % 60);
		make_block(&s, 0, 2048, &made);
		front = front_of(&made, &n);
		copy = malloc(n + BLOCK_PAD_BYTES);
		for (int i = 0; i < 60; i++) {
			memcpy(copy, front, n + BLOCK_PAD_BYTES);
			for (uint64_t k = 1 + check_random() % 4; k; k--)
				change(copy, n);
			if (!block_front_does(copy, n) ||
			    block_check_front(copy, n, made.n) < 0)
				continue;
			passed++;
			use_front(copy, &s);
		}
		free(copy);
		free(front);
		free(made.bytes);
		sorted_free(&s);
	}
	CHECK_THAT(passed > 20, "%u passed", passed);
}

TEST(cut, "a block cut off or with bytes behind its end is refused")
{
	struct sorted s;
	struct made made;
	uint8_t *copy;

	sorted_new_of(&s, 60, SORTED_NUMBERS);
	make_block(&s, 0, 1024, &made);
	for (size_t n = 0; n < made.n; n++) {
		copy = malloc(n + 1);
		memcpy(copy, made.bytes, n);
		CHECK_EQ(block_check(copy, n), AEDB_CORRUPT);
		free(copy);
	}
	copy = calloc(1, made.n + 1);
	memcpy(copy, made.bytes, made.n);
	CHECK_EQ(block_check(copy, made.n + 1), AEDB_CORRUPT);
	memcpy(copy, made.bytes, made.n);
	CHECK_OK(block_check(copy, made.n));
	copy[0] = 2;
	CHECK_EQ(block_check(copy, made.n), AEDB_NEWER_FORMAT);
	free(copy);
	free(made.bytes);
	sorted_free(&s);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
