/*
 * Writes a file of pages through one buffer: a page is compressed and sealed
 * where it lies in the buffer, and the buffer goes out in writes of
 * BUFFER_BYTES.
 *
 * Invariants:
 * 1. After a failed call nothing more is written and nothing can be finished.
 */
#include "page_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bytes.h"
#include "err.h"

#define BUFFER_BYTES (UINT64_C(256) << 10)
#define ZSTD_LEVEL 1
#define FILLED_PART 40u	/* of a file, what fills up pages at most */
#define SKIPPABLE_BYTES 8u	/* of an empty frame that is passed over */

struct page_writer {
	struct file_set *set;
	struct page_file *file;		/* in use */
	uint64_t written;		/* where the buffer goes in the file */
	uint64_t n, room;		/* of the buffer */
	uint8_t *buf;			/* owned */
	ZSTD_CCtx *context;		/* owned; NULL until needed */
	uint64_t last_bytes;		/* of the last page as it would be alone */
	uint64_t filled_bytes;		/* what fills up pages */
	int failure;			/* 0: none */
	bool is_finished;
};

int page_writer_open(struct file_set *set, struct page_writer **ret)
{
	struct page_writer *writer = calloc(1, sizeof(*writer));
	int rc;

	if (!writer)
		return err_set(AEDB_NO_MEMORY, "writing pages: no memory");
	writer->set = set;
	writer->written = FILE_DATA_OFFSET;
	rc = file_set_create(set, FILE_SYNCED_BY_OWNER, &writer->file);
	if (rc < 0)
		free(writer);
	else
		*ret = writer;
	return rc;
}

file_id_t page_writer_file(const struct page_writer *writer)
{
	return writer->file->number;
}

uint64_t page_writer_end(const struct page_writer *writer)
{
	return writer->written + writer->n;
}

static int fail(struct page_writer *writer, int rc)
{
	if (rc < 0)
		writer->failure = rc;
	return rc;
}

static int check_usable(const struct page_writer *writer)
{
	if (!writer->failure)
		return 0;
	return err_set(writer->failure, "writing %s failed before",
		       writer->file->handle->path);
}

static int flush(struct page_writer *writer)
{
	struct iovec iov = { .iov_base = writer->buf, .iov_len = writer->n };
	int rc = 0;

	if (writer->n == 0)
		return 0;
	rc = file_set_write(writer->set, writer->file, &iov, 1, writer->written);
	if (rc < 0)
		return rc;
	writer->written += writer->n;
	writer->n = 0;
	return 0;
}

/* Makes `bytes` of the buffer free behind what is in it. */
static int make_room(struct page_writer *writer, uint64_t bytes)
{
	int rc = 0;

	if (page_writer_end(writer) + bytes > PAGE_FILE_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "%s would pass %" PRIu64 " bytes",
			       writer->file->handle->path, PAGE_FILE_BYTES_MAX);
	if (writer->n + bytes > writer->room)
		rc = flush(writer);
	if (rc < 0 || bytes <= writer->room)
		return rc;
	uint64_t room = bytes > BUFFER_BYTES ? bytes : BUFFER_BYTES;

	free(writer->buf);
	writer->buf = malloc(room);
	writer->room = writer->buf ? room : 0;
	return writer->buf ? 0 : err_set(AEDB_NO_MEMORY,
					 "writing pages: no memory");
}

/* Compresses into n bytes at `ret`, each part by itself; *ret_bytes is 0 where
 * that does not make it smaller. */
static int compress(struct page_writer *writer, const struct page_parts *parts,
		    uint8_t *ret, size_t *ret_bytes)
{
	size_t from = 0, used = 0, room = parts->ends[parts->n - 1] - 1;

	if (!writer->context)
		writer->context = ZSTD_createCCtx();
	if (!writer->context)
		return err_set(AEDB_NO_MEMORY, "compressing pages: no memory");
	*ret_bytes = 0;
	for (size_t i = 0; i < parts->n; from = parts->ends[i++]) {
		if (parts->ends[i] == from)
			continue;
		/* The only failure is that it does not fit. */
		size_t got = ZSTD_compressCCtx(writer->context, ret + used,
					       room - used, parts->bytes + from,
					       parts->ends[i] - from, ZSTD_LEVEL);

		if (ZSTD_isError(got))
			return 0;
		used += got;
	}
	*ret_bytes = used;
	return 0;
}

/* What is missing to a place where another page of so many bytes would take as
 * few reads as it can; 0 where this one is at such a place, or too much would be
 * spent on it. */
static uint64_t missing_bytes(const struct page_writer *writer, uint64_t bytes)
{
	uint64_t end = page_writer_end(writer) + bytes;
	uint64_t at = end % PAGE_READ_BYTES, missing = PAGE_READ_BYTES - at;
	uint64_t reads = (bytes + PAGE_READ_BYTES - 1) / PAGE_READ_BYTES;

	if (at == 0 || at + bytes <= reads * PAGE_READ_BYTES ||
	    (writer->filled_bytes + missing) * FILLED_PART > end)
		return 0;
	return missing;
}

/* Fills up a compressed payload with a frame that decoding passes over; returns
 * how long it is now, below n. */
static size_t fill_up(struct page_writer *writer, uint8_t *payload,
		      size_t compressed, size_t n)
{
	uint64_t bytes = page_disk_bytes(compressed);
	uint64_t missing = missing_bytes(writer, bytes);
	size_t all = bytes + missing - PAGE_HEADER_BYTES;

	if (missing == 0 || all >= n)
		return compressed;
	bytes_store_le32(payload + compressed, ZSTD_MAGIC_SKIPPABLE_START);
	bytes_store_le32(payload + compressed + 4,
			 (uint32_t)(all - compressed - SKIPPABLE_BYTES));
	memset(payload + compressed + SKIPPABLE_BYTES, 0,
	       all - compressed - SKIPPABLE_BYTES);
	writer->filled_bytes += missing;
	return all;
}

static int add(struct page_writer *writer, enum page_kind kind,
	       enum page_codec codec, const struct page_parts *parts,
	       struct page_ref *ret)
{
	size_t n = parts->ends[parts->n - 1], compressed = 0;
	struct page_header header = { .raw_bytes = (uint32_t)n,
				      .kind = (uint8_t)kind,
				      .codec = PAGE_PLAIN };
	int rc = check_usable(writer);

	if (rc < 0)
		return rc;
	if (n == 0 || n > PAGE_PAYLOAD_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "page of %zu bytes", n);
	rc = fail(writer, make_room(writer, page_plain_bytes(n)));
	if (rc < 0)
		return rc;
	uint8_t *page = writer->buf + writer->n;

	if (codec == PAGE_ZSTD)
		rc = compress(writer, parts, page + PAGE_HEADER_BYTES,
			      &compressed);
	if (rc < 0)
		return fail(writer, rc);
	if (compressed)
		header.codec = PAGE_ZSTD;
	else
		memcpy(page + PAGE_HEADER_BYTES, parts->bytes, n);
	header.stored_bytes = (uint32_t)(compressed ? compressed : n);
	writer->last_bytes = page_disk_bytes(header.stored_bytes);
	if (compressed && parts->n > 1)
		header.stored_bytes = (uint32_t)fill_up(
			writer, page + PAGE_HEADER_BYTES, compressed, n);
	page_seal(&writer->file->seal, writer->file->number,
		  page_writer_end(writer), &header, page, ret);
	writer->n += page_disk_bytes(header.stored_bytes);
	return 0;
}

int page_writer_add(struct page_writer *writer, enum page_kind kind,
		    enum page_codec codec, const void *payload, size_t n,
		    struct page_ref *ret)
{
	struct page_parts whole = { .bytes = payload, .ends = &n, .n = 1 };

	return add(writer, kind, codec, &whole, ret);
}

int page_writer_add_parts(struct page_writer *writer, enum page_kind kind,
			  const struct page_parts *parts, struct page_ref *ret)
{
	return add(writer, kind, PAGE_ZSTD, parts, ret);
}

uint64_t page_writer_last_bytes(const struct page_writer *writer)
{
	return writer->last_bytes;
}

int page_writer_finish(struct page_writer *writer)
{
	int rc = check_usable(writer);

	if (rc == 0)
		rc = flush(writer);
	if (rc == 0)
		rc = file_set_sync_file(writer->set, writer->file);
	if (rc == 0)
		rc = file_set_sync_names(writer->set);
	if (rc == 0)
		writer->is_finished = true;
	return fail(writer, rc);
}

void page_writer_close(struct page_writer *writer)
{
	if (!writer)
		return;
	if (!writer->is_finished)
		file_set_remove(writer->set, writer->file->number);
	file_set_unuse(writer->set, writer->file);
	ZSTD_freeCCtx(writer->context);
	free(writer->buf);
	free(writer);
}
