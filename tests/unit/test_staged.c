/* The memory of all values being written: what is spilled for whom. */
#include "check.h"
#include "err.h"
#include "stage.h"
#include "value_disk.h"

#define MANY 200
#define MANY_BYTES 61440u

/* Memory of all stages, as their set sums it up. */
static uint64_t staged_now(struct values *values)
{
	return staged_bytes(values_staged(values));
}

TEST(many_stages, "many values being written hold no more than their share together")
{
	static struct stage *stages[MANY];
	static uint8_t bytes[MANY_BYTES], got[MANY_BYTES];
	const uint64_t share = MIB;
	struct stage_sealed sealed;
	struct values *values;
	size_t n;

	disk_open();
	values = open_values();
	staged_set_max(values_staged(values), share);
	for (size_t i = 0; i < MANY; i++)
		CHECK_OK(stage_open(values, NULL, &stages[i]));
	for (size_t at = 0; at < MANY_BYTES; at += 4096) {
		for (size_t i = 0; i < MANY; i++) {
			fill(bytes, 4096, i * MANY_BYTES + at);
			CHECK_OK(stage_write(stages[i], bytes, 4096, at));
			/* what cannot be spilled is under 1 KiB each */
			CHECK(staged_now(values) < share + 64 * KIB + MANY * KIB);
		}
	}
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < MANY; i++) {
			for (size_t at = 0; at < MANY_BYTES; at += 4096)
				fill(bytes + at, 4096, i * MANY_BYTES + at);
			CHECK_OK(stage_seal(stages[i], &sealed));
			CHECK_EQ(sealed.n, MANY_BYTES);
			CHECK_MEM(sealed.bytes, bytes, MANY_BYTES);
			stage_settle(stages[i], sealed.mark);
			CHECK(staged_now(values) <
			      share + 256 * KIB + MANY * KIB);
		}
	}
	for (size_t i = 0; i < MANY; i++) {
		for (size_t at = 0; at < MANY_BYTES; at += 4096)
			fill(bytes + at, 4096, i * MANY_BYTES + at);
		CHECK_OK(stage_read(stages[i], got, MANY_BYTES, 0, &n));
		CHECK_EQ(n, MANY_BYTES);
		CHECK_MEM(got, bytes, MANY_BYTES);
		stage_close(stages[i]);
	}
	CHECK_EQ(staged_now(values), 0);
	values_close(values);
	disk_close();
}

TEST(others_stages, "a value that cannot be spilled is no reason to refuse another")
{
	static uint8_t bytes[MANY_BYTES], got[MANY_BYTES];
	struct stage_sealed sealed;
	struct stage *large, *small;
	struct values *values;
	size_t n;

	disk_open();
	values = open_values();
	fill(bytes, sizeof(bytes), 7);
	staged_set_max(values_staged(values), 4 * KIB);
	CHECK_OK(stage_open(values, NULL, &large));
	CHECK_OK(stage_open(values, NULL, &small));
	CHECK_OK(stage_write(large, bytes, sizeof(bytes), 0));
	disk.is_full = true;
	CHECK_OK(stage_write(small, "x", 1, 0));
	CHECK_OK(stage_seal(small, &sealed));
	CHECK_EQ(stage_write(large, "x", 1, 0), AEDB_NO_SPACE);
	CHECK_OK(stage_truncate(large, 5000));
	disk.is_full = false;
	CHECK_OK(stage_read(large, got, sizeof(got), 0, &n));
	CHECK_EQ(n, 5000);
	CHECK_MEM(got, bytes, 5000);
	stage_close(large);
	stage_close(small);
	values_close(values);
	disk_close();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
