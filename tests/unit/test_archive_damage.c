/*
 * Archives that were changed, put together from others, or made by somebody who
 * means harm are refused.
 */
#include <openssl/evp.h>
#include <zstd.h>

#include "archive_disk.h"
#include "bytes.h"

#define RECORDS_MAX 32
#define MUTATIONS 400

static int ignore_entry(void *arg, const struct aedb_archive_entry *entry)
{
	(void)arg, (void)entry;
	return 0;
}

/* Small, with an entry in a directory and one without bytes, and SHA-256. */
static struct stream small_archive(const void *key)
{
	struct aedb_archive_options o = options_with(key);
	struct simdisk *disk = simdisk_new(1);
	struct stream s;

	o.entry = ignore_entry;
	CHECK_OK(simdisk_vfs(disk)->ops->mkdir(simdisk_vfs(disk), "seg"));
	disk_put(disk, "CURRENT", "MANIFEST-1", 10);
	disk_put(disk, "empty", NULL, 0);
	disk_put(disk, "seg/1.seg", "immutable, immutable, immutable", 31);
	s = pack_disk(disk, &o);
	simdisk_free(disk);
	return s;
}

/* Of many records: entries of three chunks that compress to next to nothing. */
static struct stream large_archive(const void *key)
{
	struct aedb_archive_options o = options_with(key);
	struct simdisk *disk = simdisk_new(1);
	size_t n = 3 * (size_t)ARCHIVE_CHUNK_BYTES;
	uint8_t *bytes = malloc(n);
	struct stream s;

	for (unsigned i = 0; i < 3; i++)
		memset(bytes + i * (n / 3), (int)i, n / 3);
	disk_put(disk, "a", bytes, n);
	disk_put(disk, "b", bytes, n);
	s = pack_disk(disk, &o);
	free(bytes);
	simdisk_free(disk);
	return s;
}

/* Where its records begin, and where it ends. */
static unsigned find_records(const struct stream *s, size_t tag_bytes,
			     size_t at[RECORDS_MAX + 1])
{
	unsigned n = 0;

	at[0] = ARCHIVE_HEADER_BYTES;
	while (at[n] < s->n) {
		CHECK(n < RECORDS_MAX);
		at[n + 1] = at[n] + ARCHIVE_RECORD_BYTES +
			    bytes_load_le32(s->bytes + at[n] + 4) + tag_bytes;
		n++;
	}
	CHECK_EQ(at[n], s->n);
	return n;
}

static void check_refused(const uint8_t *bytes, size_t n, const void *key,
			  const char *what, size_t which)
{
	struct aedb_archive_options o = options_with(key);
	int rc = unpack_bytes(bytes, n, NULL, &o);

	CHECK_THAT(rc < 0, "%s %zu: it was taken for a good one", what, which);
	CHECK_THAT(rc == AEDB_CORRUPT || rc == AEDB_ACCESS || rc == AEDB_INVALID ||
			   rc == AEDB_NEWER_FORMAT,
		   "%s %zu: %d: %s", what, which, rc, err_message());
}

static void flip_and_cut(const void *key)
{
	struct stream s = small_archive(key);

	for (size_t i = 0; i < s.n; i++) {
		s.bytes[i] ^= (uint8_t)(1u << i % 8);
		check_refused(s.bytes, s.n, key, "flipped byte", i);
		s.bytes[i] ^= (uint8_t)(1u << i % 8);
		check_refused(s.bytes, i, key, "cut at byte", i);
	}
	s.bytes[s.n] = 0;
	check_refused(s.bytes, s.n + 1, key, "a byte more than", s.n);
	free(s.bytes);
}

TEST(flips, "an encrypted archive with any byte changed, cut off or added is refused")
{
	flip_and_cut(archive_key);
}

TEST(flips_plain, "so is one without a key")
{
	flip_and_cut(NULL);
}

struct mutation {
	struct stream s;	/* with room for two */
	const struct stream *a, *b;	/* of one key */
	size_t a_at[RECORDS_MAX + 1], b_at[RECORDS_MAX + 1];
	unsigned n;		/* records of each */
};

static void put(struct mutation *m, const void *bytes, size_t n)
{
	memcpy(m->s.bytes + m->s.n, bytes, n);
	m->s.n += n;
}

static void put_record(struct mutation *m, unsigned i)
{
	put(m, m->a->bytes + m->a_at[i], m->a_at[i + 1] - m->a_at[i]);
}

/* Records `from` to below `to`. */
static void put_records(struct mutation *m, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		put_record(m, i);
}

enum { SWAP, REPEAT, DROP, REPLACE, SPLICE, OTHER_HEADER, MOVE, KINDS };

static void mutate(struct mutation *m)
{
	unsigned i = (unsigned)(check_random() % m->n), kind, j;
	const struct stream *b = m->b;

	kind = (unsigned)(check_random() % KINDS);
	j = i + 1 < m->n ? i + 1 + (unsigned)(check_random() % (m->n - i - 1)) : i;
	m->s.n = 0;
	put(m, kind == OTHER_HEADER ? b->bytes : m->a->bytes, ARCHIVE_HEADER_BYTES);
	put_records(m, 0, i);
	switch (kind) {
	case SWAP:
		put_record(m, j);
		put_records(m, i + 1, j);
		put_records(m, i, j > i ? i + 1 : i);
		break;
	case REPEAT:
		put_records(m, i, j + 1);
		put_record(m, i);
		break;
	case DROP:
		put_records(m, i + 1, j + 1);
		break;
	case REPLACE:
		put(m, b->bytes + m->b_at[i], m->b_at[j + 1] - m->b_at[i]);
		break;
	case SPLICE:
		put(m, b->bytes + m->b_at[i], b->n - m->b_at[i]);
		return;
	case MOVE:
		put_records(m, i + 1, j + 1);
		put_record(m, i);
		break;
	case OTHER_HEADER:
		put_records(m, i, j + 1);
	}
	put_records(m, j + 1, m->n);
}

static void check_mutations(const void *key)
{
	struct stream a = large_archive(key), b = large_archive(key);
	struct mutation m = { .a = &a, .b = &b };
	size_t tag_bytes = key ? 16 : 4;
	unsigned refused = 0, times = check_times(MUTATIONS);

	m.n = find_records(&a, tag_bytes, m.a_at);
	CHECK_EQ(find_records(&b, tag_bytes, m.b_at), m.n);
	m.s.bytes = malloc(2 * (a.n + b.n));
	for (unsigned i = 0; i < times; i++) {
		mutate(&m);
		if (m.s.n == a.n && memcmp(m.s.bytes, a.bytes, a.n) == 0)
			continue;
		check_refused(m.s.bytes, m.s.n, key, "mutation", i);
		refused++;
	}
	CHECK(refused > times / 2);
	free(m.s.bytes);
	free(a.bytes);
	free(b.bytes);
}

TEST(mutations, "records swapped, moved, repeated, dropped or from another archive are refused")
{
	check_mutations(archive_key);
}

TEST(mutations_plain, "so are those of an archive without a key")
{
	check_mutations(NULL);
}

TEST(named, "a refusal names entry, path and record")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct stream s = small_archive(archive_key);
	size_t at[RECORDS_MAX + 1];

	CHECK_EQ(find_records(&s, 16, at), 9);
	s.bytes[at[6] + ARCHIVE_RECORD_BYTES] ^= 1;
	CHECK_EQ(unpack_bytes(s.bytes, s.n, NULL, &o), AEDB_CORRUPT);
	CHECK_STR(err_message(), "archive, entry 3 (seg/1.seg), record 1: "
		  "it is not what was written there");
	free(s.bytes);
}

/* Archives made by hand, valid but for one thing. */

struct maker {
	struct archive_keys keys;
	struct archive_cipher cipher;
	struct stream s;
	struct archive_position at;
};

#define MAKER_BYTES (8u << 20)

static void make_begin(struct maker *m, uint64_t all_bytes)
{
	struct archive_header header = { .all_bytes = all_bytes };

	*m = (struct maker){ .s = { malloc(MAKER_BYTES), ARCHIVE_HEADER_BYTES } };
	CHECK_OK(archive_keys_new((struct archive_key){ NULL, 0 }, &header,
				  m->s.bytes, &m->keys));
	CHECK_OK(archive_cipher_init_seal(&m->cipher, &m->keys));
}

static void make_record(struct maker *m, struct archive_record record,
			const void *bytes)
{
	uint8_t *at = m->s.bytes + m->s.n;

	archive_record_encode(&record, at);
	if (record.stored_bytes)
		memcpy(at + ARCHIVE_RECORD_BYTES, bytes, record.stored_bytes);
	CHECK_OK(archive_cipher_seal(&m->cipher, m->at, &record,
				     at + ARCHIVE_RECORD_BYTES,
				     at + ARCHIVE_RECORD_BYTES +
					     record.stored_bytes));
	m->s.n += ARCHIVE_RECORD_BYTES + record.stored_bytes + 4;
	CHECK(m->s.n < MAKER_BYTES);
	m->at.record++;
	if (record.kind == ARCHIVE_FOOT)
		m->at = (struct archive_position){ m->at.entry + 1, 0 };
}

static void make_plain(struct maker *m, uint8_t kind, const void *bytes, size_t n)
{
	make_record(m, (struct archive_record){ kind, ARCHIVE_PLAIN, (uint32_t)n,
						(uint32_t)n }, bytes);
}

static void make_head(struct maker *m, uint8_t type, uint64_t bytes,
		      const char *path, size_t path_bytes)
{
	uint8_t head[9 + AEDB_ARCHIVE_PATH_MAX + 1];

	head[0] = type;
	bytes_store_le64(head + 1, bytes);
	memcpy(head + 9, path, path_bytes);
	make_plain(m, ARCHIVE_HEAD, head, 9 + path_bytes);
}

static void make_foot(struct maker *m, const void *bytes, size_t n)
{
	uint8_t sha256[32];

	EVP_Digest(bytes, n, sha256, NULL, EVP_sha256(), NULL);
	make_plain(m, ARCHIVE_FOOT, sha256, 32);
}

static void make_entry(struct maker *m, const char *path, const char *content)
{
	size_t n = strlen(content);

	make_head(m, ARCHIVE_FILE, n, path, strlen(path));
	if (n)
		make_plain(m, ARCHIVE_CHUNK, content, n);
	make_foot(m, content, n);
}

static void make_end(struct maker *m, uint64_t entries, uint64_t bytes)
{
	uint8_t end[ARCHIVE_END_BYTES];

	archive_end_encode(&(struct archive_end){ entries, bytes }, end);
	make_plain(m, ARCHIVE_END, end, sizeof(end));
}

/* Unpacks it, checks the outcome, releases it. */
static void make_done(struct maker *m, int want, const char *reason)
{
	struct aedb_archive_options o = options_with(NULL);
	struct simdisk *disk = simdisk_new(1);
	int rc = unpack_bytes(m->s.bytes, m->s.n, NULL, &o);

	CHECK_THAT(rc == want && (rc == 0 || strstr(err_message(), reason)),
		   "got %d: %s; want %d: %s", rc, err_message(), want, reason);
	CHECK_EQ(unpack_bytes(m->s.bytes, m->s.n, disk, &o), want);
	CHECK_EQ(simdisk_open_files(disk), 0);
	simdisk_free(disk);
	free(m->s.bytes);
}

TEST(by_hand, "an archive made by hand as the format says is a good one")
{
	struct maker m;

	make_begin(&m, 5);
	make_entry(&m, "a/b", "hello");
	make_entry(&m, "c", "");
	make_head(&m, ARCHIVE_DIRECTORY, 0, "d", 1);
	make_foot(&m, NULL, 0);
	make_end(&m, 3, 5);
	make_done(&m, 0, "");
}

static void refuse_path(const char *path, size_t n, const char *reason)
{
	struct maker m;

	make_begin(&m, 0);
	make_head(&m, ARCHIVE_FILE, 0, path, n);
	make_foot(&m, NULL, 0);
	make_end(&m, 1, 0);
	make_done(&m, AEDB_CORRUPT, reason);
}

TEST(paths, "paths that lead out of the directory or are not plain are refused")
{
	static const char *const paths[] = {
		"/", "/etc/passwd", "..", "../x", "a/..", "a/../b", "a/../../b",
		"a//b", "a/", ".", "./a", "a/./b", "a/b/",
	};
	char longest[AEDB_ARCHIVE_PATH_MAX + 1];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		refuse_path(paths[i], strlen(paths[i]), "not relative and plain");
	refuse_path("a\0b", 3, "zero");
	refuse_path("", 0, "not valid");
	memset(longest, 'a', sizeof(longest));
	refuse_path(longest, sizeof(longest), "not valid");
}

TEST(twice, "two entries of one path, and a file above another, are refused")
{
	static const char *const pairs[][2] = {
		{ "a", "a" }, { "a/b", "a/b" }, { "a", "a/b" }, { "a/b", "a" },
		{ "a/b/c", "a/b" }, { "a/b", "a/b/c/d" },
	};
	struct maker m;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		make_begin(&m, 0);
		make_entry(&m, pairs[i][0], "");
		make_entry(&m, pairs[i][1], "");
		make_end(&m, 2, 0);
		make_done(&m, AEDB_CORRUPT, "two entries");
	}
}

/* An entry that says it has `says` bytes, in chunks of the sizes given up to 0. */
static void refuse_sizes(uint64_t all, uint64_t says, const size_t *chunks,
			 const char *reason)
{
	static const uint8_t zeros[ARCHIVE_CHUNK_BYTES];
	size_t n = 0;
	struct maker m;

	make_begin(&m, all);
	make_head(&m, ARCHIVE_FILE, says, "a", 1);
	for (; chunks[0]; chunks++) {
		make_plain(&m, ARCHIVE_CHUNK, zeros, chunks[0]);
		n += chunks[0];
	}
	make_foot(&m, zeros, n);
	make_end(&m, 1, says);
	make_done(&m, AEDB_CORRUPT, reason);
}

TEST(sizes, "sizes that are not what comes are refused")
{
	static const char chunk[] = "its size is not that of its entry";

	refuse_sizes(10, 10, (size_t[]){ 5, 0 }, chunk);
	refuse_sizes(10, 10, (size_t[]){ 20, 0 }, chunk);
	refuse_sizes(10, 10, (size_t[]){ 10, 1, 0 }, chunk);
	refuse_sizes(0, 0, (size_t[]){ 1, 0 }, chunk);
	refuse_sizes(10, 10, (size_t[]){ 0 }, "fewer bytes than it says");
	refuse_sizes(5, 10, (size_t[]){ 10, 0 }, "more bytes than the archive");
	refuse_sizes(15, 10, (size_t[]){ 10, 0 }, "are missing");
	refuse_sizes(ARCHIVE_CHUNK_BYTES + 1, ARCHIVE_CHUNK_BYTES + 1,
		     (size_t[]){ ARCHIVE_CHUNK_BYTES, 0 }, "fewer bytes");
	refuse_sizes(ARCHIVE_CHUNK_BYTES, ARCHIVE_CHUNK_BYTES,
		     (size_t[]){ ARCHIVE_CHUNK_BYTES - 1, 1, 0 }, chunk);
	refuse_sizes(UINT64_MAX, UINT64_MAX, (size_t[]){ 1, 0 }, chunk);
}

TEST(records, "records that no archive has are refused before their bytes are read")
{
	static const struct archive_record bad[] = {
		{ 0, ARCHIVE_PLAIN, 10, 10 },
		{ 5, ARCHIVE_PLAIN, 10, 10 },
		{ ARCHIVE_CHUNK, 2, 10, 10 },
		{ ARCHIVE_CHUNK, ARCHIVE_PLAIN, 0, 0 },
		{ ARCHIVE_CHUNK, ARCHIVE_PLAIN, 10, 11 },
		{ ARCHIVE_CHUNK, ARCHIVE_ZSTD, 10, 10 },
		{ ARCHIVE_CHUNK, ARCHIVE_ZSTD, 0, 10 },
		{ ARCHIVE_CHUNK, ARCHIVE_ZSTD, 10, ARCHIVE_CHUNK_BYTES + 1 },
		{ ARCHIVE_HEAD, ARCHIVE_ZSTD, 10, 20 },
		{ ARCHIVE_HEAD, ARCHIVE_PLAIN, 9, 9 },
		{ ARCHIVE_FOOT, ARCHIVE_PLAIN, 31, 31 },
		{ ARCHIVE_FOOT, ARCHIVE_PLAIN, 33, 33 },
		{ ARCHIVE_END, ARCHIVE_PLAIN, 17, 17 },
	};
	static const uint8_t zeros[ARCHIVE_CHUNK_BYTES + 1];
	struct maker m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_begin(&m, 10);
		make_head(&m, ARCHIVE_FILE, 10, "a", 1);
		make_record(&m, bad[i], zeros);
		make_done(&m, AEDB_CORRUPT, "a record's header is not valid");
	}
	make_begin(&m, ARCHIVE_CHUNK_BYTES + 1);
	make_head(&m, ARCHIVE_FILE, ARCHIVE_CHUNK_BYTES + 1, "a", 1);
	make_plain(&m, ARCHIVE_CHUNK, zeros, ARCHIVE_CHUNK_BYTES + 1);
	make_done(&m, AEDB_CORRUPT, "a record's header is not valid");
}

TEST(order, "records in an order that no archive has are refused")
{
	struct maker m;

	make_begin(&m, 1);
	make_plain(&m, ARCHIVE_CHUNK, "a", 1);
	make_done(&m, AEDB_CORRUPT, "cannot be there");
	make_begin(&m, 0);
	make_head(&m, ARCHIVE_FILE, 0, "a", 1);
	make_end(&m, 0, 0);
	make_done(&m, AEDB_CORRUPT, "cannot be there");
	make_begin(&m, 0);
	make_head(&m, ARCHIVE_FILE, 0, "a", 1);
	make_head(&m, ARCHIVE_FILE, 0, "b", 1);
	make_done(&m, AEDB_CORRUPT, "cannot be there");
	make_begin(&m, 0);
	make_foot(&m, NULL, 0);
	make_done(&m, AEDB_CORRUPT, "cannot be there");
	make_begin(&m, 0);
	make_end(&m, 0, 0);
	make_end(&m, 0, 0);
	make_done(&m, AEDB_CORRUPT, "follows the archive's end");
	make_begin(&m, 0);
	make_entry(&m, "a", "");
	make_end(&m, 2, 0);
	make_done(&m, AEDB_CORRUPT, "are missing");
}

TEST(heads, "heads that say what no entry is are refused")
{
	struct maker m;

	make_begin(&m, 0);
	make_head(&m, 2, 0, "a", 1);
	make_done(&m, AEDB_CORRUPT, "its head is not valid");
	make_begin(&m, 1);
	make_head(&m, ARCHIVE_DIRECTORY, 1, "a", 1);
	make_done(&m, AEDB_CORRUPT, "its head is not valid");
}

TEST(sha256, "an entry with another SHA-256 than its foot says, or without one, is refused")
{
	struct maker m;

	make_begin(&m, 5);
	make_head(&m, ARCHIVE_FILE, 5, "a", 1);
	make_plain(&m, ARCHIVE_CHUNK, "hello", 5);
	make_foot(&m, "hallo", 5);
	make_end(&m, 1, 5);
	make_done(&m, AEDB_CORRUPT, "SHA-256 is another");
	make_begin(&m, 5);
	make_head(&m, ARCHIVE_FILE, 5, "a", 1);
	make_plain(&m, ARCHIVE_CHUNK, "hello", 5);
	make_plain(&m, ARCHIVE_FOOT, NULL, 0);
	make_end(&m, 1, 5);
	make_done(&m, AEDB_CORRUPT, "SHA-256 is not there");
}

TEST(bombs, "what decompresses to more or less than it says is refused")
{
	static const int more[] = { -1, 1, 1 << 20 };
	size_t raw = 1000;
	uint8_t *zeros = calloc(1, raw + (1 << 20)), packed[1000];

	for (size_t i = 0; i < 3; i++) {
		struct archive_record record = { ARCHIVE_CHUNK, ARCHIVE_ZSTD, 0,
						 (uint32_t)raw };
		struct maker m;

		record.stored_bytes = (uint32_t)ZSTD_compress(packed, sizeof(packed),
			zeros, (size_t)((int)raw + more[i]), 1);
		make_begin(&m, raw);
		make_head(&m, ARCHIVE_FILE, raw, "a", 1);
		make_record(&m, record, packed);
		make_foot(&m, zeros, raw);
		make_end(&m, 1, raw);
		make_done(&m, AEDB_CORRUPT, "it does not decompress");
	}
	free(zeros);
}

TEST(too_many, "an archive of more names than an archive may have is refused")
{
	char path[AEDB_ARCHIVE_PATH_MAX];
	struct maker m;

	make_begin(&m, 0);
	memset(path, 'a', sizeof(path));
	for (size_t i = 5; i < sizeof(path) - 1; i += 2)
		path[i] = '/';
	for (unsigned i = 0; i < 600; i++) {
		char number[6];

		snprintf(number, sizeof(number), "%05u", i);
		memcpy(path, number, 5);
		make_head(&m, ARCHIVE_FILE, 0, path, sizeof(path));
		make_foot(&m, NULL, 0);
	}
	make_end(&m, 600, 0);
	CHECK_EQ(unpack_bytes(m.s.bytes, m.s.n, NULL,
			      &(struct aedb_archive_options){ .threads = 1 }),
		 AEDB_TOO_LARGE);
	free(m.s.bytes);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
