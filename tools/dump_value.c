/*
 * Values as lines.
 *
 * Invariant: which parts there are follows from the bytes alone. DUMP_PART_BYTES
 * of zeros, where such a piece of the value begins, are left out, whether they
 * are stored or not.
 */
#include "dump_value.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

/* Reads n bytes, which the value has. */
static int read_bytes(const struct dump_value *value, uint8_t *buf, size_t n,
		      uint64_t at)
{
	size_t done = 0;
	int rc;

	if (value->reader) {
		rc = aedb_reader_read(value->reader, buf, n, at, &done);
		if (rc < 0)
			return failure_engine(rc, "%s", value->what);
	}
	while (!value->reader && done < n) {
		ssize_t got = pread(value->fd, buf + done, n - done,
				    (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failure_system(errno, "%s", value->what);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return done == n ? 0 : failure_set(STATUS_FAILED, value->what,
					   "it became shorter meanwhile");
}

/* Goes to the first piece from *at on that may have data; 1: there is none. */
static int skip_hole(const struct dump_value *value, uint64_t *at)
{
	uint64_t data;

	if (value->reader) {
		int rc = aedb_reader_seek(value->reader, AEDB_EXTENT_DATA, *at,
					  &data);

		if (rc == AEDB_NOT_FOUND)
			return 1;
		if (rc < 0)
			return failure_engine(rc, "%s", value->what);
	} else {
		off_t to = lseek(value->fd, (off_t)*at, SEEK_DATA);

		if (to < 0 && errno == ENXIO)
			return 1;
		if (to < 0)
			return failure_system(errno, "%s", value->what);
		data = (uint64_t)to;
	}
	data -= data % DUMP_PART_BYTES;
	if (data > *at)
		*at = data;
	return 0;
}

static bool is_zeros(const uint8_t *bytes, size_t n)
{
	return bytes[0] == 0 && !memcmp(bytes, bytes + 1, n - 1);
}

static int put_parts(const struct dump_value *value, uint64_t bytes,
		     struct dump_output *output)
{
	static uint8_t buf[DUMP_PART_BYTES_MAX];
	struct dump_line part = { .kind = DUMP_PART, .value = buf };
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0 && at < bytes) {
		bool is_piece = at % DUMP_PART_BYTES == 0;
		uint64_t end;
		size_t n;

		if (is_piece && (rc = skip_hole(value, &at)) != 0)
			break;
		end = dump_part_end(at);
		n = (size_t)((end < bytes ? end : bytes) - at);
		rc = read_bytes(value, buf, n, at);
		if (rc == 0 && !(is_piece && is_zeros(buf, n))) {
			n = dump_part_span(buf, n, at);
			part.offset = at;
			part.value_bytes = n;
			rc = dump_output_line(output, &part);
		}
		at += n;
	}
	return rc < 0 ? rc : 0;
}

int dump_value_put(const struct dump_source *source, struct dump_line *line,
		   const struct dump_value *value, struct dump_output *output)
{
	uint8_t buf[DUMP_INLINE_BYTES];
	int rc;

	if (line->bytes > DUMP_INLINE_BYTES) {
		line->value = NULL;
		rc = dump_source_put(source, line, output);
		return rc < 0 ? rc : put_parts(value, line->bytes, output);
	}
	rc = read_bytes(value, buf, (size_t)line->bytes, 0);
	line->value = buf;
	line->value_bytes = (size_t)line->bytes;
	return rc < 0 ? rc : dump_source_put(source, line, output);
}
