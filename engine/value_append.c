/*
 * Appending pages to the value file that all share.
 */
#include "value_append.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

int value_append_begin(struct values *values, uint64_t bytes,
		       struct value_append *ret)
{
	uint64_t start;
	int rc = values_reserve(values, bytes, &ret->file, &start);

	if (rc < 0)
		return rc;
	ret->values = values;
	ret->start = ret->next = start;
	ret->end = start + bytes;
	ret->pages = 0;
	ret->iovcnt = 0;
	return 0;
}

static struct page_header plain_header(enum page_kind kind, uint32_t bytes)
{
	return (struct page_header){
		.stored_bytes = bytes,
		.raw_bytes = bytes,
		.kind = (uint8_t)kind,
		.codec = PAGE_PLAIN,
	};
}

static void append_iov(struct value_append *append, const void *bytes, size_t n)
{
	append->iov[append->iovcnt++] =
		(struct iovec){ .iov_base = (void *)bytes, .iov_len = n };
	append->next += n;
}

void value_append_page(struct value_append *append, enum page_kind kind,
		       uint8_t *page, uint32_t bytes, struct page_ref *ret)
{
	struct page_header header = plain_header(kind, bytes);

	page_seal(&append->file->seal, append->file->number, append->next,
		  &header, page, ret);
	append_iov(append, page, page_plain_bytes(bytes));
	append->pages++;
}

void value_append_apart(struct value_append *append, enum page_kind kind,
			const void *payload, uint32_t bytes,
			uint8_t head[PAGE_HEADER_BYTES], struct page_ref *ret)
{
	static const uint8_t zeros[PAGE_ALIGN];
	struct page_header header = plain_header(kind, bytes);
	size_t padding = page_plain_bytes(bytes) - PAGE_HEADER_BYTES - bytes;

	page_seal_apart(&append->file->seal, append->file->number, append->next,
			&header, payload, head, ret);
	append_iov(append, head, PAGE_HEADER_BYTES);
	append_iov(append, payload, bytes);
	if (padding)
		append_iov(append, zeros, padding);
	append->pages++;
}

file_id_t value_append_file(const struct value_append *append)
{
	return append->file->number;
}

int value_append_write(struct value_append *append)
{
	int rc = 0;

	if (append->iovcnt)
		rc = file_set_write(values_files(append->values), append->file,
				    append->iov, append->iovcnt, append->start);
	if (rc < 0)
		return rc;
	append->start = append->next;
	append->pages = 0;
	append->iovcnt = 0;
	return 0;
}

void value_append_end(struct value_append *append)
{
	file_set_unuse(values_files(append->values), append->file);
}

int value_append_whole(struct values *values, const void *bytes, size_t n,
			struct page_ref *ret)
{
	uint64_t room = page_plain_bytes(n);
	struct value_append append;
	struct page_ref ref;
	uint8_t *page;
	int rc;

	assert(n > 0 && n <= AEDB_VALUE_INLINE_MAX);
	page = malloc(room);
	if (!page)
		return err_set(AEDB_NO_MEMORY, "value of %zu bytes: no memory", n);
	memcpy(page + PAGE_HEADER_BYTES, bytes, n);
	rc = value_append_begin(values, room, &append);
	if (rc == 0) {
		value_append_page(&append, PAGE_VALUE, page, (uint32_t)n, &ref);
		rc = value_append_write(&append);
		value_append_end(&append);
	}
	free(page);
	if (rc == 0)
		*ret = ref;
	return rc;
}
