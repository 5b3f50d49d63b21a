/*
 * Filters, indexes and properties by themselves.
 */
#include "err.h"
#include "filter.h"
#include "segment_format.h"
#include "sorted_entries.h"

TEST(filter_has, "a filter has every key put in, and one in fifty others at most")
{
	for (size_t n = 1; n <= 20000; n = n * 3 + 1) {
		uint64_t *hashes = malloc(n * sizeof(*hashes));
		uint8_t *filter = malloc(filter_bytes(n));
		uint64_t salt = check_random();
		unsigned int wrong = 0;

		for (uint64_t i = 0; i < n; i++) {
			uint64_t key[2] = { salt, i };

			hashes[i] = filter_hash(key, sizeof(key));
		}
		filter_build(hashes, n, filter);
		for (size_t i = 0; i < n; i++)
			CHECK(filter_may_have(filter, filter_bytes(n), hashes[i]));
		for (uint64_t i = n; i < n + 10000; i++) {
			uint64_t key[2] = { salt, i };

			wrong += filter_may_have(filter, filter_bytes(n),
						 filter_hash(key, sizeof(key)));
		}
		CHECK_THAT(wrong < 200, "%u of 10000 with %zu keys", wrong, n);
		CHECK(filter_bytes(n) <= n * 10 / 8 + FILTER_LINE_BYTES);
		free(filter);
		free(hashes);
	}
}

TEST(filter_same, "the hash of a key is the one that filters on disks were made with")
{
	CHECK_EQ(filter_hash("", 0), UINT64_C(0xfe4da0221cb7dcae));
	CHECK_EQ(filter_hash("key", 3), UINT64_C(0xd47439782eca8162));
	CHECK_EQ(filter_hash("k000000000000017", 16),
		 UINT64_C(0x6951a2943a20c2e));
	CHECK_EQ(filter_hash("a key that is longer than that", 30),
		 UINT64_C(0x9e0953dbe10dcf8b));
}

/* Whether entry i > 0 has the key of the one before. */
static bool is_same_key(const struct sorted *s, size_t i)
{
	return sorted_compare_key(&s->at[i - 1], s->at[i].key,
				  s->at[i].key_bytes) == 0;
}

/* n pages, each beginning with an entry. */
static void build_index(struct segment_index_builder *b, const struct sorted *s,
			size_t n)
{
	struct page_ref page = { .file = 1, .offset = FILE_DATA_OFFSET };

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &s->at[i];

		if (i)
			CHECK_OK(segment_index_separate(
				b, e->key, e->key_bytes,
				is_same_key(s, i) ? e->seq : 0));
		page.stored_bytes = 1 + (uint32_t)(check_random() % 5000);
		CHECK_OK(segment_index_add(b, &page));
		page.offset += page_disk_bytes(page.stored_bytes);
	}
}

static uint8_t *make_index(const struct sorted *s, size_t n, size_t *ret_n)
{
	struct segment_index_builder b = { .pages = 0 };
	uint8_t *bytes;

	build_index(&b, s, n);
	*ret_n = segment_index_encoded_bytes(&b);
	bytes = malloc(*ret_n);
	segment_index_encode(&b, bytes);
	segment_index_release(&b);
	return bytes;
}

/* The last page whose separator is before (key, limit). */
static uint32_t find_plainly(const struct sorted *s, size_t n, const void *key,
			     size_t key_bytes, seq_t limit)
{
	uint32_t found = 0;

	for (size_t i = 1; i < n; i++) {
		const struct entry *e = &s->at[i];
		int order = sorted_compare_key(e, key, key_bytes);

		if (order < 0 ||
		    (order == 0 && (!is_same_key(s, i) || e->seq > limit)))
			found = (uint32_t)i;
	}
	return found;
}

TEST(finds, "an index leads to the page that a key and limit belong to")
{
	for (int round = 0; round < 60; round++) {
		struct segment_index index;
		struct sorted s;
		size_t n;
		uint8_t *bytes;

		sorted_new(&s, 1 + check_random() % 300);
		bytes = make_index(&s, s.n, &n);
		CHECK_OK(segment_index_check(bytes, n));
		CHECK_EQ(segment_index_bytes(bytes), n);
		segment_index_init(&index, bytes);
		CHECK_EQ(index.pages, s.n);
		for (int i = 0; i < 200; i++) {
			size_t key_bytes;
			void *key = sorted_some_key(&s, &key_bytes);
			seq_t limit = sorted_some_limit(&s);

			CHECK_EQ(segment_index_find(&index, key, key_bytes, limit),
				 find_plainly(&s, s.n, key, key_bytes, limit));
			free(key);
		}
		free(bytes);
		sorted_free(&s);
	}
}

/* Everything that readers do with properties. */
static void use_properties(const uint8_t *bytes, const struct sorted *s)
{
	struct segment_properties p;
	struct segment_part part;
	uint64_t sum = 0;

	segment_properties_decode(bytes, &p);
	segment_part_init(&part, segment_properties_part(bytes));
	for (size_t i = 0; i < p.first.n; i++)
		sum += p.first.at[i];
	for (size_t i = 0; i < p.last.n; i++)
		sum += p.last.at[i];
	for (uint32_t i = 0; i < part.index.pages; i++) {
		struct segment_separator sep = { .seq = 0 };

		sum += segment_index_page(&part.index, 1, i).offset;
		if (i)
			sep = segment_index_separator(&part.index, i);
		for (size_t k = 0; k < sep.rest_bytes; k++)
			sum += sep.rest[k];
	}
	for (int i = 0; i < 10; i++) {
		size_t n;
		void *key = sorted_some_key(s, &n);

		CHECK(segment_index_find(&part.index, key, n,
					 sorted_some_limit(s)) <
		      part.index.pages);
		if (part.filter_bytes)
			sum += filter_may_have(part.filter, part.filter_bytes,
					       filter_hash(key, n));
		free(key);
	}
	CHECK(sum > 0);
}

static uint8_t *make_properties(const struct sorted *s, size_t *ret_n)
{
	struct segment_index_builder index = { .pages = 0 };
	struct segment_properties p = {
		.entries = s->n,
		.is_partitioned = check_random() % 2,
		.first = { s->at[0].key, s->at[0].key_bytes },
		.last = { s->at[s->n - 1].key, s->at[s->n - 1].key_bytes },
	};
	size_t keys = p.is_partitioned ? 0 : s->n, part_bytes;
	uint64_t *hashes = calloc(s->n, sizeof(*hashes));
	uint8_t *bytes;

	build_index(&index, s, s->n);
	part_bytes = segment_part_encoded_bytes(&index, keys);
	*ret_n = segment_properties_encoded_bytes(&p, part_bytes);
	bytes = malloc(*ret_n);
	segment_properties_encode(&p, part_bytes, bytes);
	segment_part_encode(&index, hashes, keys,
			    (uint8_t *)segment_properties_part(bytes));
	segment_index_release(&index);
	free(hashes);
	return bytes;
}

TEST(fuzz, "whatever passes the check of properties can be read without leaving them")
{
	unsigned int passed = 0;

	for (int round = 0; round < 300; round++) {
		struct sorted s;
		size_t n;
		uint8_t *bytes, *copy;

		sorted_new_of(&s, 1 + check_random() % 30, SORTED_PATHS);
		bytes = make_properties(&s, &n);
		copy = malloc(n);
		for (int i = 0; i < 100; i++) {
			memcpy(copy, bytes, n);
			for (uint64_t k = check_random() % 4; k; k--) {
				size_t at = check_random() %
					    (check_random() % 2 ? 100 : n);

				if (at < n)
					copy[at] = (uint8_t)check_random();
			}
			if (segment_properties_check(copy, n) < 0)
				continue;
			passed++;
			use_properties(copy, &s);
		}
		free(copy);
		free(bytes);
		sorted_free(&s);
	}
	CHECK_THAT(passed > 1000, "%u passed", passed);
}

TEST(cut, "properties cut off are refused, those of a later format by name")
{
	struct sorted s;
	size_t n;
	uint8_t *bytes;

	sorted_new_of(&s, 30, SORTED_NUMBERS);
	bytes = make_properties(&s, &n);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, bytes, cut);
		CHECK_EQ(segment_properties_check(copy, cut), AEDB_CORRUPT);
		free(copy);
	}
	CHECK_OK(segment_properties_check(bytes, n));
	bytes[0] = 2;
	CHECK_EQ(segment_properties_check(bytes, n), AEDB_NEWER_FORMAT);
	free(bytes);
	sorted_free(&s);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
