/* Data and holes of a value, against its bytes. Everything fails the test. */
#ifndef VALUE_HOLES_H
#define VALUE_HOLES_H

#include "check.h"
#include "stage.h"
#include "value_reader.h"

static inline int seek_in_reader(void *value, enum aedb_extent what,
				 uint64_t offset, uint64_t *ret)
{
	return value_reader_seek(value, what, offset, ret);
}

static inline int seek_in_stage(void *value, enum aedb_extent what,
				uint64_t offset, uint64_t *ret)
{
	return stage_seek(value, what, offset, ret);
}

/* Data and holes follow each other, and nothing but zeros is in a hole. */
static inline void holes_check(int (*seek)(void *, enum aedb_extent, uint64_t,
					   uint64_t *),
			       void *value, const uint8_t *bytes, size_t n)
{
	uint64_t at = 0, data, hole;
	int rc;

	while (at < n) {
		rc = seek(value, AEDB_EXTENT_DATA, at, &data);
		if (rc == AEDB_NOT_FOUND)
			data = n;
		else
			CHECK_OK(rc);
		for (; at < data; at++)
			CHECK_EQ(bytes[at], 0);
		if (at == n)
			break;
		CHECK_OK(seek(value, AEDB_EXTENT_HOLE, at, &hole));
		CHECK(hole > at && hole <= n);
		CHECK_OK(seek(value, AEDB_EXTENT_DATA, hole - 1, &data));
		CHECK_EQ(data, hole - 1);
		at = hole;
	}
	CHECK_EQ(seek(value, AEDB_EXTENT_HOLE, n, &hole), AEDB_NOT_FOUND);
}

#endif
