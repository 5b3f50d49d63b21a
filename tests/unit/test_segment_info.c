/*
 * What the manifest keeps of a segment: it comes back as it was, and nothing
 * else is believed.
 */
#include "segment_infos.h"

#include "err.h"

#define SHARES 20

static struct segment_share shares[SHARES];

static struct segment_info random_info(char *first, char *last)
{
	struct segment_info info;
	file_id_t file = 0;

	snprintf(first, 32, "k%08" PRIu64, check_random() % 1000);
	snprintf(last, 32, "l%" PRIu64, check_random());
	info = segment_info_of(1 + check_random() % 1000, check_random() % 7,
			       first, last);
	info.seq_max += check_random() % (1u << 30);
	info.time_us_max = check_random() >> 12;
	info.meta.crc = (uint32_t)check_random();
	if (check_random() % 2) {
		info.superseded = 1 + check_random() % 999;
		info.superseded_min = info.seq_min + check_random() % 9;
		info.superseded_until = info.seq_max;
	}
	if (check_random() % 2)
		info.buried_bytes = check_random();
	info.n_shares = check_random() % SHARES;
	info.shares = shares;
	for (size_t i = 0; i < info.n_shares; i++) {
		file += 1 + check_random() % 3;
		shares[i].file = file;
		shares[i].bytes = 1 + (check_random() >> 30);
	}
	return info;
}

/* Encodes into memory of exactly its size; owned: free. */
static uint8_t *encoded(const struct segment_info *info, size_t *ret_n)
{
	size_t room = segment_info_bytes_max(info);
	uint8_t *bytes = malloc(room), *fitting;
	struct byte_writer w;

	byte_writer_init(&w, bytes, room);
	segment_info_encode(info, &w);
	CHECK(!w.is_full);
	*ret_n = byte_writer_used(&w);
	fitting = malloc(*ret_n);
	memcpy(fitting, bytes, *ret_n);
	free(bytes);
	return fitting;
}

static int decoded(const uint8_t *bytes, size_t n, struct segment_info *ret)
{
	struct byte_reader r;
	int rc;

	byte_reader_init(&r, bytes, n);
	rc = segment_info_decode(&r, ret);
	if (rc == 0)
		CHECK(byte_reader_left(&r) == 0);
	return rc;
}

TEST(round_trip, "an info is decoded and copied as it was, and one cut off anywhere is damage")
{
	for (int round = 0; round < 200; round++) {
		struct segment_info got, copy, want;
		char first[32], last[32];
		uint8_t *bytes, *fewer;
		size_t n;

		want = random_info(first, last);
		bytes = encoded(&want, &n);
		CHECK_OK(decoded(bytes, n, &got));
		segment_info_check(&got, &want);
		CHECK_OK(segment_info_copy(&got, &copy));
		segment_info_release(&got);
		segment_info_check(&copy, &want);
		segment_info_release(&copy);
		CHECK(!copy.memory);
		for (size_t cut = 0; cut < n; cut++) {
			fewer = malloc(cut + 1);
			memcpy(fewer, bytes, cut);
			CHECK_EQ(decoded(fewer, cut, &got), AEDB_CORRUPT);
			free(fewer);
		}
		free(bytes);
	}
}

TEST(empty_keys, "keys may be empty and of full length")
{
	static char longest[SEGMENT_KEY_BYTES_MAX + 2];
	struct segment_info want, got;
	uint8_t *bytes;
	size_t n;

	memset(longest, 'x', SEGMENT_KEY_BYTES_MAX);
	want = segment_info_of(1, 6, "", longest);
	bytes = encoded(&want, &n);
	CHECK_OK(decoded(bytes, n, &got));
	segment_info_check(&got, &want);
	segment_info_release(&got);
	free(bytes);
	longest[SEGMENT_KEY_BYTES_MAX] = 'x';
	want = segment_info_of(1, 6, "", longest);
	CHECK(segment_info_fault(&want));
}

TEST(faults, "what no segment can be is found")
{
	static struct segment_share twice[2] = { { 3, 5 }, { 3, 5 } };
	struct segment_info good = segment_info_of(5, 1, "a", "b"), bad[27];
	int n = 0;

	CHECK(!segment_info_fault(&good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[n++].number = 0;
	bad[n++].number = UINT64_C(1) << 32;
	bad[n++].level = SEGMENT_LEVELS_MAX;
	bad[n++].bytes = PAGE_FILE_BYTES_MAX + 1;
	bad[n++].bytes = good.meta.offset;
	bad[n++].meta.stored_bytes = 5u << 20;
	bad[n++].meta.offset = 8;
	bad[n++].meta.offset += 4;
	bad[n++].meta.file = 6;
	bad[n++].entries = 0;
	bad[n++].tombstones = 1001;
	bad[n++].seq_min = 0;
	bad[n++].seq_min = good.seq_max + 1;
	bad[n++].seq_max = SEQ_MAX + 1;
	bad[n++].time_us_max = SEQ_MAX + 1;
	for (int i = 0; i < 5; i++) {
		bad[n + i].superseded = 999;
		bad[n + i].superseded_min = good.seq_min;
		bad[n + i].superseded_until = good.seq_max;
	}
	CHECK(!segment_info_fault(&bad[n]));
	bad[n++].superseded = 1000;
	bad[n++].superseded_min--;
	bad[n++].superseded_min = good.seq_max;
	bad[n++].superseded_until++;
	bad[n++].superseded = 0;
	bad[n++].first.at = (const uint8_t *)"c";
	bad[n++].last.n = 0;
	for (int i = 0; i < 5; i++) {
		bad[n + i].shares = &twice[0];
		bad[n + i].n_shares = 1;
	}
	CHECK(!segment_info_fault(&bad[n]));
	bad[n++].n_shares = 2;
	bad[n++].shares = &(struct segment_share){ 0, 5 };
	bad[n++].shares = &(struct segment_share){ 3, 0 };
	bad[n++].shares = &(struct segment_share){ 3, UINT64_MAX };
	bad[n++].shares = &(struct segment_share){ UINT64_C(1) << 32, 5 };
	CHECK_EQ(n, sizeof(bad) / sizeof(bad[0]));
	for (int i = 0; i < n; i++) {
		struct segment_info got;
		uint8_t *bytes;
		size_t bytes_n;

		CHECK_THAT(segment_info_fault(&bad[i]), "number %d", i);
		if (bad[i].meta.file != bad[i].number ||
		    (!bad[i].superseded && bad[i].superseded_min))
			continue;	/* is not encoded */
		bytes = encoded(&bad[i], &bytes_n);
		CHECK_THAT(decoded(bytes, bytes_n, &got) == AEDB_CORRUPT,
			   "number %d", i);
		free(bytes);
	}
}

TEST(garbage, "changed bytes are refused or decoded to what could be")
{
	unsigned refused = 0;

	for (int round = 0; round < 20000; round++) {
		struct segment_info got, want;
		char first[32], last[32];
		struct byte_reader r;
		uint8_t *bytes;
		size_t n;

		want = random_info(first, last);
		bytes = encoded(&want, &n);
		bytes[check_random() % n] ^= (uint8_t)(1 + check_random() % 255);
		if (check_random() % 2)
			bytes[check_random() % n] = 0xff;
		byte_reader_init(&r, bytes, n);
		if (segment_info_decode(&r, &got) == 0) {
			CHECK(!segment_info_fault(&got));
			segment_info_release(&got);
		} else {
			refused++;
		}
		free(bytes);
	}
	CHECK(refused > 1000);
}

TEST(shown, "an info is shown with what it refers to")
{
	struct segment_info info = segment_info_of(5, 1, "a b", "c");
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK(out);
	info.shares = &(struct segment_share){ 7, 4096 };
	info.n_shares = 1;
	info.superseded = 3;
	info.superseded_min = 52;
	info.superseded_until = 58;
	info.buried_bytes = 8192;
	segment_info_show(&info, out);
	fclose(out);
	CHECK_STR(text,
		  "segment 5: level 1, 67108864 bytes, 1000 entries, 10 tombstones, "
		  "numbers 50-59, time to 1234567 us, 3 superseded seen at 52-57, "
		  "8192 value bytes buried, keys a\\20b to c, last page at "
		  "62914560\n    4096 bytes in value file 7\n");
	free(text);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
