/*
 * The encoding of references, map blocks and roots.
 */
#include "check.h"
#include "value_format.h"

TEST(bad_references, "references that can never have been written are refused")
{
	struct value_ref ref = { .bytes = 70000, .chunks = 5,
		.root = { .file = 1, .offset = 4096, .stored_bytes = 100 } };
	struct value_ref got;
	uint8_t buf[VALUE_REF_BYTES_MAX];

	value_ref_encode(&ref, buf);
	CHECK_OK(value_ref_decode(buf, sizeof(buf), &got));
	CHECK_EQ(got.bytes, ref.bytes);
	CHECK_EQ(got.root.offset, ref.root.offset);
	CHECK_EQ(value_ref_decode(buf, sizeof(buf) - 1, &got), AEDB_CORRUPT);
	buf[0] = 2;
	CHECK_EQ(value_ref_decode(buf, sizeof(buf), &got), AEDB_NEWER_FORMAT);
	buf[0] = 1;
	buf[5] = 1;
	CHECK_EQ(value_ref_decode(buf, sizeof(buf), &got), AEDB_CORRUPT);
	ref.chunks = 6;
	value_ref_encode(&ref, buf);
	CHECK_EQ(value_ref_decode(buf, sizeof(buf), &got), AEDB_CORRUPT);
}

TEST(maps, "a map block keeps the references it has and refuses disorder")
{
	struct value_slot slots[3], got[VALUE_MAP_REFS];
	uint8_t buf[VALUE_MAP_BYTES_MAX];
	size_t n, bytes;

	for (uint32_t i = 0; i < 3; i++)
		slots[i] = (struct value_slot){ 100 * i, {
			.file = 7, .offset = 4096 + 8 * i,
			.stored_bytes = 1 + i, .crc = i } };
	bytes = value_map_encode(slots, 3, buf);
	CHECK_EQ(bytes, value_map_bytes(3));
	CHECK_OK(value_map_decode(buf, bytes, got, &n));
	CHECK_EQ(n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQ(got[i].slot, slots[i].slot);
		CHECK_EQ(got[i].ref.offset, slots[i].ref.offset);
		CHECK_EQ(got[i].ref.crc, slots[i].ref.crc);
	}
	CHECK_EQ(value_map_decode(buf, bytes - 1, got, &n), AEDB_CORRUPT);
	slots[2].slot = 100;
	value_map_encode(slots, 3, buf);
	CHECK_EQ(value_map_decode(buf, bytes, got, &n), AEDB_CORRUPT);
}

TEST(roots, "a root of another depth or chunk size is of a newer format")
{
	struct value_slot map = { 5, { .file = 3, .offset = 8192,
				       .stored_bytes = 40, .crc = 9 } };
	struct value_share share = { 3, 1000 };
	struct value_root root = { .bytes = 6 * VALUE_MAP_SPAN, .chunks = 2,
		.maps = &map, .n_maps = 1, .shares = &share, .n_shares = 1 };
	struct value_root got;
	uint8_t buf[256];
	size_t n = value_root_bytes(&root);

	value_root_encode(&root, buf);
	CHECK_OK(value_root_decode(buf, n, &got));
	CHECK_EQ(got.maps[0].slot, 5);
	CHECK_EQ(got.shares[0].bytes, 1000);
	value_root_release(&got);
	CHECK_EQ(value_root_decode(buf, n + 1, &got), AEDB_CORRUPT);
	for (int i = 0; i < 3; i++) {
		buf[i]++;
		CHECK_EQ(value_root_decode(buf, n, &got), AEDB_NEWER_FORMAT);
		buf[i]--;
	}
	root.bytes = 5 * VALUE_MAP_SPAN;
	value_root_encode(&root, buf);
	CHECK_EQ(value_root_decode(buf, n, &got), AEDB_CORRUPT);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
