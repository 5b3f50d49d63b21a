/* A reader of large values and what it keeps in memory. */
#include "value_disk.h"
#include "value_reader.h"

TEST(reads_ahead, "who reads on finds what follows in memory, and damage only where it is")
{
	const uint64_t bad = 9;
	static uint8_t bytes[20 * VALUE_CHUNK_BYTES], got[VALUE_CHUNK_BYTES];
	struct values *values;
	struct value_ref ref;
	struct value_extent extent;
	struct value_reader *reader;
	char path[128];
	FILE *file;
	size_t n;

	disk_open();
	values = open_values();
	memset(bytes, 'v', sizeof(bytes));
	CHECK_OK(value_store(values, bytes, sizeof(bytes), &ref, &extent));
	snprintf(path, sizeof(path), "%s/val/%llu.val", disk.path,
		 (unsigned long long)ref.root.file);
	file = fopen(path, "r+");
	CHECK(file);
	fseek(file, (long)(extent.offset +
			   bad * page_plain_bytes(VALUE_CHUNK_BYTES) + 99),
	      SEEK_SET);
	fputc(0, file);
	fclose(file);
	CHECK_OK(value_reader_open(values, &(struct value_source){ .ref = &ref },
				   &reader));
	CHECK(!value_reader_has(reader, 1, 0));
	CHECK(value_reader_has(reader, 1, sizeof(bytes)));
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t offset = i * sizeof(got);
		int rc = value_reader_read(reader, got, sizeof(got), offset, &n);

		CHECK_EQ(rc, i == bad ? AEDB_CORRUPT : 0);
		CHECK_EQ(value_reader_has(reader, sizeof(got), offset), i != bad);
		if (i != bad)
			CHECK_MEM(got, bytes + offset, sizeof(got));
		if (i == 0)
			CHECK(value_reader_has(reader, 9, offset + sizeof(got)));
	}
	value_reader_close(reader);
	values_close(values);
	disk_close();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
