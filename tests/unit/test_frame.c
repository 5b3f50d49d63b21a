/*
 * The bytes below the log: checksums, varints, file headers, frames.
 */
#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "err.h"
#include "file_header.h"
#include "frame.h"

TEST(crc_known, "CRC32C gives the published values")
{
	uint8_t bytes[32] = { 0 };

	CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283);
	CHECK_EQ(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	CHECK_EQ(crc32c(0, bytes, 32), 0x62a8ab43);
	CHECK_EQ(crc32c(0, "", 0), 0);
}

TEST(crc_paths, "CRC32C by instruction, by table and in pieces agree at every length and alignment")
{
	static uint8_t bytes[40000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)check_random();
	for (unsigned i = 0; i < 3000; i++) {
		size_t n = check_random() % (i % 4 ? 300 : 20000);
		size_t at = check_random() % 64, cut = check_random() % (n + 1);
		uint32_t crc = crc32c(7, bytes + at, n);

		CHECK_EQ(crc, crc32c_portable(7, bytes + at, n));
		CHECK_EQ(crc, crc32c(crc32c(7, bytes + at, cut), bytes + at + cut,
				     n - cut));
	}
}

TEST(varints, "every varint has one encoding and is read back")
{
	uint8_t bytes[BYTES_VARINT_MAX];

	for (unsigned bit = 0; bit < 64; bit++) {
		for (int off = -1; off <= 1; off++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)off;
			size_t n = (size_t)(bytes_store_varint(bytes, v) - bytes);
			struct byte_reader r;

			CHECK_EQ(n, bytes_varint_size(v));
			byte_reader_init(&r, bytes, n);
			CHECK_EQ(byte_reader_varint(&r), v);
			CHECK(!r.is_bad && byte_reader_left(&r) == 0);
			byte_reader_init(&r, bytes, n - 1);
			CHECK_EQ(byte_reader_varint(&r), 0);
			CHECK(r.is_bad);
		}
	}
}

TEST(varint_faults, "varints that are too long, too large or padded are refused")
{
	static const struct {
		size_t n;
		uint8_t bytes[11];
	} bad[] = {
		{ 0, { 0 } },
		{ 2, { 0x80, 0x00 } },
		{ 3, { 0xff, 0x80, 0x00 } },
		{ 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 } },
		{ 11, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1 } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct byte_reader r;

		byte_reader_init(&r, bad[i].bytes, bad[i].n);
		byte_reader_varint(&r);
		CHECK_THAT(r.is_bad, "case %zu", i);
		CHECK(byte_reader_take(&r, 0) == NULL);
	}
}

TEST(reader_bounds, "a reader or writer never passes its end and stays at the first fault")
{
	uint8_t bytes[11];
	struct byte_writer w;
	struct byte_reader r;

	byte_writer_init(&w, bytes, sizeof(bytes));
	byte_writer_le32(&w, 0x01020304);
	byte_writer_u8(&w, 5);
	byte_writer_le16(&w, 0x0607);
	byte_writer_le64(&w, 1);
	CHECK(w.is_full);
	byte_writer_u8(&w, 1);
	CHECK_EQ(byte_writer_used(&w), 7);
	byte_reader_init(&r, bytes, 7);
	CHECK_EQ(byte_reader_le32(&r), 0x01020304);
	CHECK_EQ(byte_reader_u8(&r), 5);
	CHECK_EQ(byte_reader_le16(&r), 0x0607);
	CHECK(!r.is_bad);
	CHECK_EQ(byte_reader_le64(&r), 0);
	CHECK(r.is_bad);
	CHECK_EQ(bytes[0], 4);
}

TEST(error_wraps, "a message can wrap the thread's last one and is cut at its limit")
{
	char longer[2 * ERR_MESSAGE_BYTES];

	CHECK_EQ(err_set(AEDB_IO, "inner %d", 7), AEDB_IO);
	CHECK_EQ(err_set(AEDB_UNKNOWN, "outer: %s", err_message()), AEDB_UNKNOWN);
	CHECK_STR(err_message(), "outer: inner 7");
	CHECK_EQ(err_set_errno(28, "writing %s", "x"), AEDB_NO_SPACE);
	CHECK_STR(err_message(), "writing x: No space left on device");
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(AEDB_IO, "%s", longer);
	CHECK_EQ(strlen(err_message()), ERR_MESSAGE_BYTES - 1);
	err_set_errno(5, "%s", longer);
	CHECK_EQ(strlen(err_message()), ERR_MESSAGE_BYTES - 1);
}

static struct file_header header_for_test(void)
{
	static const uint8_t uuid[FILE_UUID_BYTES] = { 1, 2, 3 };
	struct file_header h;

	CHECK_OK(file_header_init(&h, FILE_WAL, uuid, 9));
	memset(h.specific, 0x5a, sizeof(h.specific));
	return h;
}

TEST(header_round, "a file header is decoded as it was encoded, and two are never alike")
{
	struct file_header h = header_for_test(), other = header_for_test(), got;
	uint8_t bytes[FILE_HEADER_BYTES];

	file_header_encode(&h, bytes);
	CHECK_OK(file_header_decode(bytes, sizeof(bytes), "f", &got));
	CHECK_EQ(got.kind, FILE_WAL);
	CHECK_EQ(got.number, 9);
	CHECK_MEM(got.db_uuid, h.db_uuid, sizeof(h.db_uuid));
	CHECK_MEM(got.incarnation, h.incarnation, sizeof(h.incarnation));
	CHECK_MEM(got.salt, h.salt, sizeof(h.salt));
	CHECK_MEM(got.specific, h.specific, sizeof(h.specific));
	CHECK(memcmp(h.incarnation, other.incarnation, sizeof(h.incarnation)));
}

TEST(header_flips, "any flipped bit of a file header is found, and a short one too")
{
	struct file_header h = header_for_test(), got;
	uint8_t bytes[FILE_HEADER_BYTES];

	file_header_encode(&h, bytes);
	for (unsigned bit = 0; bit < 8 * FILE_HEADER_BYTES; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_EQ(file_header_decode(bytes, sizeof(bytes), "f", &got),
			 AEDB_CORRUPT);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof(bytes); n++)
		CHECK_EQ(file_header_decode(bytes, n, "f", &got), AEDB_CORRUPT);
}

TEST(header_kinds, "foreign, newer and encrypted files are told apart, by name")
{
	struct file_header h = header_for_test(), got;
	uint8_t bytes[FILE_HEADER_BYTES];

	memset(bytes, 'x', sizeof(bytes));
	CHECK_EQ(file_header_decode(bytes, sizeof(bytes), "some/f", &got),
		 AEDB_CORRUPT);
	CHECK_STR(err_message(), "some/f is no file of an aedbfs database");
	h.format_version = 7;
	file_header_encode(&h, bytes);
	CHECK_EQ(file_header_decode(bytes, sizeof(bytes), "some/f", &got),
		 AEDB_NEWER_FORMAT);
	CHECK(strstr(err_message(), "some/f has format version 7"));
	h.format_version = FILE_FORMAT_VERSION;
	h.cipher = 1;
	file_header_encode(&h, bytes);
	CHECK_EQ(file_header_decode(bytes, sizeof(bytes), "some/f", &got),
		 AEDB_NEWER_FORMAT);
	CHECK(strstr(err_message(), "cipher 1"));
}

static uint8_t frame_memory[FRAME_HEADER_BYTES + 512];

/* A frame of n payload bytes at lsn in frame_memory. */
static struct frame frame_for_test(struct seal *seal, lsn_t lsn, uint32_t n)
{
	static uint8_t payload[512];
	struct file_header h = header_for_test();
	struct frame f = { .first_seq = 100,
			   .time_us = 5,
			   .durable_lsn = 64,
			   .op_count = 3,
			   .payload_bytes = n,
			   .flags = FRAME_FIRST | FRAME_FINAL,
			   .payload = payload };

	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)check_random();
	seal_init(seal, &h);
	frame_encode(&f, seal, lsn, frame_memory);
	return f;
}

static enum frame_fault frame_try(const struct seal *seal, lsn_t lsn,
				  uint64_t room, struct frame *ret)
{
	uint32_t n;
	enum frame_fault fault = frame_peek(frame_memory, lsn, room, &n);

	return fault == FRAME_GOOD ? frame_decode(frame_memory, seal, lsn, ret) :
				     fault;
}

TEST(frame_round, "a frame is decoded as it was encoded, at its place only")
{
	struct seal seal;

	for (uint32_t n = 0; n < 300; n++) {
		struct frame want = frame_for_test(&seal, 4096, n), got;
		struct seal other = seal;
		uint64_t room = frame_bytes(&seal, n);

		CHECK_EQ(room % FRAME_ALIGN, 0);
		CHECK_EQ(frame_try(&seal, 4096, room, &got), FRAME_GOOD);
		CHECK_EQ(got.first_seq, want.first_seq);
		CHECK_EQ(got.durable_lsn, want.durable_lsn);
		CHECK_EQ(got.op_count, want.op_count);
		CHECK_EQ(got.payload_bytes, n);
		CHECK_MEM(got.payload, want.payload, n);
		CHECK_EQ(frame_try(&seal, 4104, room, &got), FRAME_CHECKSUM);
		other.seed ^= 1;
		CHECK_EQ(frame_try(&other, 4096, room, &got), FRAME_CHECKSUM);
		if (n)
			CHECK_EQ(frame_try(&seal, 4096,
					   FRAME_HEADER_BYTES + n - 1, &got),
				 FRAME_CUT);
	}
}

TEST(frame_flips, "any flipped bit of a frame is found")
{
	struct seal seal;
	struct frame f = frame_for_test(&seal, 4096, 100), got;
	size_t n = FRAME_HEADER_BYTES + f.payload_bytes;

	for (unsigned bit = 0; bit < 8 * n; bit++) {
		frame_memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(frame_try(&seal, 4096, sizeof(frame_memory), &got) !=
		      FRAME_GOOD);
		frame_memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(frame_fields, "frames with impossible fields are refused though their checksum holds")
{
	static const struct frame bad[] = {
		{ .first_seq = 0, .op_count = 1, .flags = 3 },
		{ .first_seq = 1, .op_count = 0, .flags = 3 },
		{ .first_seq = SEQ_MAX, .op_count = 2, .flags = 3 },
		{ .first_seq = UINT64_MAX, .op_count = 1, .flags = 3 },
		{ .first_seq = 1, .op_count = 1, .flags = 16 },
		{ .first_seq = 1, .op_count = 1, .flags = 3, .durable_lsn = 4104 },
		{ .first_seq = 1, .op_count = 1, .flags = 3, .durable_lsn = 4 },
		{ .first_seq = 1, .op_count = 1, .flags = 3, .time_us = SEQ_MAX + 1 },
		{ .first_seq = 1, .flags = FRAME_EMPTY },
		{ .op_count = 1, .flags = FRAME_EMPTY },
		{ .flags = FRAME_EMPTY | FRAME_FIRST },
		{ .flags = FRAME_CLOSED },
	};
	struct seal seal;
	struct frame got;

	frame_for_test(&seal, 4096, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		frame_encode(&bad[i], &seal, 4096, frame_memory);
		CHECK_THAT(frame_try(&seal, 4096, 512, &got) == FRAME_MALFORMED,
			   "case %zu", i);
	}
	memset(frame_memory, 0, sizeof(frame_memory));
	CHECK_EQ(frame_try(&seal, 4096, 512, &got), FRAME_ABSENT);
	CHECK_EQ(frame_try(&seal, 4096, FRAME_HEADER_BYTES - 8, &got), FRAME_ABSENT);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
