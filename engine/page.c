/*
 * Encoding, sealing, checking and text of pages and references to them.
 *
 * page		crc u32, stored bytes u32, raw bytes u32, kind u8, codec u8,
 *		zero u16; payload; tag of the file's cipher; zeros up to 8.
 *		Stored bytes are those of payload and tag
 * reference	file u32, offset / 8 u32, stored bytes u32, crc u32
 *
 * Invariants:
 * 1. A payload is looked into only after the page's checksum was found right.
 * 2. A compressed payload is smaller than what it stands for.
 */
#include "page.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <zstd.h>

#include "bytes.h"
#include "err.h"

#define IDLE_CONTEXTS 4u

_Static_assert(PAGE_FILE_BYTES_MAX == (UINT64_C(1) << 32) * PAGE_ALIGN,
	       "a reference reaches every offset");

/* Decompression contexts of some 100 KiB that nobody uses now. atomic: taken
 * and given back by exchange. */
static _Atomic(ZSTD_DCtx *) idle_contexts[IDLE_CONTEXTS];

uint64_t page_disk_bytes(uint64_t stored_bytes)
{
	return (PAGE_HEADER_BYTES + stored_bytes + PAGE_ALIGN - 1) &
	       ~(uint64_t)(PAGE_ALIGN - 1);
}

uint64_t page_plain_bytes(uint64_t payload_bytes)
{
	return page_disk_bytes(payload_bytes + seal_tag_bytes(NULL));
}

bool page_ref_is_next(const struct page_ref *a, const struct page_ref *b)
{
	return a->file == b->file &&
	       a->offset + page_disk_bytes(a->stored_bytes) == b->offset;
}

void page_ref_encode(const struct page_ref *ref, uint8_t *buf)
{
	bytes_store_le32(buf, (uint32_t)ref->file);
	bytes_store_le32(buf + 4, (uint32_t)(ref->offset / PAGE_ALIGN));
	bytes_store_le32(buf + 8, ref->stored_bytes);
	bytes_store_le32(buf + 12, ref->crc);
}

int page_ref_decode(const uint8_t *buf, struct page_ref *ret)
{
	struct page_ref ref = {
		.file = bytes_load_le32(buf),
		.offset = (uint64_t)bytes_load_le32(buf + 4) * PAGE_ALIGN,
		.stored_bytes = bytes_load_le32(buf + 8),
		.crc = bytes_load_le32(buf + 12),
	};

	if (ref.file == 0 || ref.offset < FILE_DATA_OFFSET ||
	    ref.stored_bytes == 0 || ref.stored_bytes > PAGE_PAYLOAD_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "page reference is malformed");
	*ret = ref;
	return 0;
}

void page_ref_show(const struct page_ref *ref, FILE *out)
{
	fprintf(out, "file %" PRIu64 " offset %" PRIu64 " bytes %u crc %08x",
		ref->file, ref->offset, ref->stored_bytes, ref->crc);
}

const char *page_kind_name(enum page_kind kind)
{
	static const char *const names[] = {
		[PAGE_CHUNK] = "chunk",	  [PAGE_MAP] = "map",
		[PAGE_ROOT] = "root",	  [PAGE_VALUE] = "value",
		[PAGE_BLOCK] = "block",	  [PAGE_INDEX] = "index",
		[PAGE_FILTER] = "filter", [PAGE_META] = "properties",
		[PAGE_USER] = "page",
	};

	return kind >= PAGE_CHUNK && kind <= PAGE_USER ? names[kind] : "unknown";
}

void page_header_show(const struct page_header *header, FILE *out)
{
	fprintf(out, "%s bytes %u raw %u codec %u crc %08x\n",
		page_kind_name(header->kind), header->stored_bytes,
		header->raw_bytes, header->codec, header->crc);
}

uint32_t page_raw_bytes(const uint8_t *page)
{
	return bytes_load_le32(page + 8);
}

/* What a payload of this kind may have at most. */
static uint32_t kind_bytes_max(uint8_t kind)
{
	switch (kind) {
	case PAGE_CHUNK:
		return PAGE_CHUNK_BYTES_MAX;
	case PAGE_VALUE:
		return AEDB_VALUE_INLINE_MAX;
	default:
		return PAGE_PAYLOAD_BYTES_MAX;
	}
}

static void header_encode(const struct page_header *header, uint8_t *page)
{
	bytes_store_le32(page, header->crc);
	bytes_store_le32(page + 4, header->stored_bytes);
	bytes_store_le32(page + 8, header->raw_bytes);
	page[12] = header->kind;
	page[13] = header->codec;
	bytes_store_le16(page + 14, 0);
}

void page_seal(const struct seal *seal, file_id_t file, uint64_t offset,
	       struct page_header *header, uint8_t *page, struct page_ref *ret)
{
	uint32_t payload_bytes = header->stored_bytes;

	header->stored_bytes += (uint32_t)seal_tag_bytes(seal);
	header_encode(header, page);
	size_t used = PAGE_HEADER_BYTES + header->stored_bytes;

	memset(page + used, 0, page_disk_bytes(header->stored_bytes) - used);
	header->crc = seal_record(seal, offset, page, PAGE_HEADER_BYTES,
				  payload_bytes);
	*ret = (struct page_ref){ .file = file,
				  .offset = offset,
				  .stored_bytes = header->stored_bytes,
				  .crc = header->crc };
}

void page_seal_apart(const struct seal *seal, file_id_t file, uint64_t offset,
		     struct page_header *header, const void *payload,
		     uint8_t head[PAGE_HEADER_BYTES], struct page_ref *ret)
{
	header_encode(header, head);
	header->crc = seal_record_apart(seal, offset, head, PAGE_HEADER_BYTES,
					payload, header->stored_bytes);
	*ret = (struct page_ref){ .file = file,
				  .offset = offset,
				  .stored_bytes = header->stored_bytes,
				  .crc = header->crc };
}

int page_header_decode(const uint8_t *page, struct page_header *ret)
{
	struct page_header h = {
		.crc = bytes_load_le32(page),
		.stored_bytes = bytes_load_le32(page + 4),
		.raw_bytes = bytes_load_le32(page + 8),
		.kind = page[12],
		.codec = page[13],
	};

	if (h.stored_bytes == 0 || h.stored_bytes > PAGE_PAYLOAD_BYTES_MAX ||
	    h.raw_bytes == 0 || h.raw_bytes > PAGE_PAYLOAD_BYTES_MAX ||
	    bytes_load_le16(page + 14) != 0)
		return err_set(AEDB_CORRUPT, "no page header");
	*ret = h;
	return 0;
}

/* Whether what is stored can be what the header says. */
static bool sizes_fit(const struct seal *seal, const struct page_header *header)
{
	uint64_t tag = seal_tag_bytes(seal);

	if (header->raw_bytes > kind_bytes_max(header->kind))
		return false;
	if (header->codec == PAGE_PLAIN)
		return header->raw_bytes + tag == header->stored_bytes;
	return header->stored_bytes - tag < header->raw_bytes;
}

/* Of a header whose checksum is right. */
static int header_check(const struct seal *seal, const struct page_header *h)
{
	if (h->kind < PAGE_CHUNK || h->kind > PAGE_USER)
		return err_set(AEDB_NEWER_FORMAT, "page of kind %u", h->kind);
	if (h->codec > PAGE_ZSTD)
		return err_set(AEDB_NEWER_FORMAT, "page with codec %u", h->codec);
	if (!sizes_fit(seal, h))
		return err_set(AEDB_CORRUPT, "%s of %u bytes holds %u",
			       page_kind_name(h->kind), h->stored_bytes,
			       h->raw_bytes);
	return 0;
}

int page_check(const struct seal *seal, uint64_t offset, uint8_t *page,
	       uint64_t room, struct page_header *ret)
{
	size_t tag = seal_tag_bytes(seal);
	struct page_header header;
	int rc = page_header_decode(page, &header);

	if (rc < 0)
		return rc;
	if (header.stored_bytes <= tag ||
	    PAGE_HEADER_BYTES + (uint64_t)header.stored_bytes > room)
		return err_set(AEDB_CORRUPT, "page of %u bytes does not fit",
			       header.stored_bytes);
	if (!seal_verify(seal, offset, page, PAGE_HEADER_BYTES,
			 header.stored_bytes - tag))
		return err_set(AEDB_CORRUPT,
			       "checksum of the page does not match");
	rc = header_check(seal, &header);
	if (rc < 0)
		return rc;
	*ret = header;
	return 0;
}

static ZSTD_DCtx *context_take(void)
{
	for (unsigned i = 0; i < IDLE_CONTEXTS; i++) {
		ZSTD_DCtx *context = atomic_exchange(&idle_contexts[i], NULL);

		if (context)
			return context;
	}
	return ZSTD_createDCtx();
}

static void context_give_back(ZSTD_DCtx *context)
{
	for (unsigned i = 0; i < IDLE_CONTEXTS && context; i++)
		context = atomic_exchange(&idle_contexts[i], context);
	ZSTD_freeDCtx(context);
}

/* A stretch of a payload as it is stored, and what it decodes to. */
struct stretch {
	const uint8_t *from;
	size_t stored_bytes, bytes;
};

static int decompress(const struct stretch *stretch, void *ret)
{
	ZSTD_DCtx *context = context_take();

	if (!context)
		return err_set(AEDB_NO_MEMORY, "page of %zu bytes: no memory",
			       stretch->bytes);
	size_t n = ZSTD_decompressDCtx(context, ret, stretch->bytes,
				       stretch->from, stretch->stored_bytes);

	context_give_back(context);
	if (ZSTD_isError(n))
		return err_set(AEDB_CORRUPT, "page does not decompress: %s",
			       ZSTD_getErrorName(n));
	if (n != stretch->bytes)
		return err_set(AEDB_CORRUPT, "page decompresses to %zu bytes, "
			       "want %zu", n, stretch->bytes);
	return 0;
}

static size_t payload_stored_bytes(const struct page_header *header)
{
	return header->stored_bytes - seal_tag_bytes(NULL);
}

int page_decode(const struct page_header *header, const uint8_t *page, void *ret)
{
	struct stretch all = { page + PAGE_HEADER_BYTES,
			       payload_stored_bytes(header), header->raw_bytes };

	if (header->codec == PAGE_ZSTD)
		return decompress(&all, ret);
	memcpy(ret, page + PAGE_HEADER_BYTES, header->raw_bytes);
	return 0;
}

/* Bytes of the first of the frames in the stretch; 0: there is none that says. */
static size_t frame_bytes(const struct stretch *left, size_t *ret_stored)
{
	unsigned long long bytes =
		ZSTD_getFrameContentSize(left->from, left->stored_bytes);
	size_t stored = ZSTD_findFrameCompressedSize(left->from,
						     left->stored_bytes);

	if (bytes == ZSTD_CONTENTSIZE_UNKNOWN ||
	    bytes == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(stored) ||
	    bytes > left->bytes)
		return 0;
	*ret_stored = stored;
	return bytes;
}

void page_front(const struct page_header *header, const uint8_t *page,
		struct page_front *ret)
{
	struct stretch left = { page + PAGE_HEADER_BYTES,
				payload_stored_bytes(header), header->raw_bytes };
	size_t stored = 0;

	*ret = (struct page_front){ 0 };
	if (header->codec != PAGE_ZSTD)
		return;
	for (;;) {
		size_t bytes = frame_bytes(&left, &stored);

		if (bytes == 0 || bytes == left.bytes)
			return;
		ret->stored_bytes += stored;
		ret->bytes += bytes;
		left.from += stored;
		left.stored_bytes -= stored;
		left.bytes -= bytes;
	}
}

int page_decode_front(const struct page_front *front, const uint8_t *page,
		      void *ret)
{
	struct stretch parts = { page + PAGE_HEADER_BYTES, front->stored_bytes,
				 front->bytes };

	return decompress(&parts, ret);
}

int page_decode_rest(const struct page_header *header,
		     const struct page_front *front, const uint8_t *page,
		     void *ret)
{
	struct stretch rest = {
		page + PAGE_HEADER_BYTES + front->stored_bytes,
		payload_stored_bytes(header) - front->stored_bytes,
		header->raw_bytes - front->bytes,
	};

	return decompress(&rest, ret);
}

int page_at(const char *path, uint64_t offset, int rc)
{
	char message[ERR_MESSAGE_BYTES];

	snprintf(message, sizeof(message), "%s", err_message());
	return err_set(rc, "%s offset %" PRIu64 ": %s", path, offset, message);
}
