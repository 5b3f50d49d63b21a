/*
 * Pages: the records that files of values and of segments consist of, and
 * references to them. A page is a header of 16 bytes, a payload that may be
 * compressed, room for a tag, and zeros up to a multiple of 8; it is sealed for
 * its place in its file (seal.h).
 *
 *	page_seal(&seal, file, offset, &header, bytes, &ref);	-- and write it
 *	page_check(&seal, offset, bytes, room, &header);	-- what was read
 *	page_decode(&header, bytes, payload);
 *
 * Threads: any; a few idle decompression contexts are shared by the process.
 * Errors: AEDB_CORRUPT for what can never have been written, AEDB_NEWER_FORMAT
 * for a kind or codec of a newer version; none names the file: page_at adds it.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdio.h>

#include "seal.h"
#include "types.h"

#define PAGE_HEADER_BYTES 16u
#define PAGE_ALIGN 8u
#define PAGE_REF_BYTES 16u
#define PAGE_READ_BYTES 4096u	/* what systems read from disks at once */
#define PAGE_PAYLOAD_BYTES_MAX (UINT32_C(1) << 30)
#define PAGE_CHUNK_BYTES_MAX (1u << 14)
#define PAGE_FILE_BYTES_MAX (UINT64_C(1) << 35)	/* what references reach */

enum page_kind {
	PAGE_CHUNK = 1,		/* part of a large value */
	PAGE_MAP,		/* references to chunks */
	PAGE_ROOT,		/* of a large value */
	PAGE_VALUE,		/* a whole value, at most AEDB_VALUE_INLINE_MAX */
	PAGE_BLOCK,		/* entries of a segment */
	PAGE_INDEX,
	PAGE_FILTER,
	PAGE_META,		/* what a segment is */
	PAGE_USER,		/* a caller's own */
};
enum page_codec { PAGE_PLAIN = 0, PAGE_ZSTD = 1 };

/* Where a page is. file 0: nowhere. Copied freely. */
struct page_ref {
	file_id_t file;		/* 1..2^32-1 */
	uint64_t offset;	/* of its header; aligned, < PAGE_FILE_BYTES_MAX */
	uint32_t stored_bytes;	/* of its payload and tag */
	uint32_t crc;		/* 0: not known, the page's own seal decides */
};

struct page_header {
	uint32_t crc;		/* of what follows it and of the payload */
	uint32_t stored_bytes;	/* of payload and tag */
	uint32_t raw_bytes;	/* of the payload after decoding */
	uint8_t kind;		/* enum page_kind */
	uint8_t codec;		/* enum page_codec */
};

/* Bytes of a page in its file, header and padding included. */
uint64_t page_disk_bytes(uint64_t stored_bytes);
/* The same for a plain payload of so many bytes, tag included. */
uint64_t page_plain_bytes(uint64_t payload_bytes);
/* Whether b follows a in the same file with nothing between. */
bool page_ref_is_next(const struct page_ref *a, const struct page_ref *b);

/* PAGE_REF_BYTES. */
void page_ref_encode(const struct page_ref *ref, uint8_t *buf);
int page_ref_decode(const uint8_t *buf, struct page_ref *ret);
void page_ref_show(const struct page_ref *ref, FILE *out);

/* Seals in place: `page` has page_disk_bytes of room, the payload as it is to
 * be stored PAGE_HEADER_BYTES behind its start. header: raw_bytes, kind and
 * codec, and in stored_bytes the payload's; the rest is filled in. */
void page_seal(const struct seal *seal, file_id_t file, uint64_t offset,
	       struct page_header *header, uint8_t *page, struct page_ref *ret);
/* The same for a payload that stays where it is: `head` gets the header. Behind
 * the payload go zeros, up to page_disk_bytes in all. */
void page_seal_apart(const struct seal *seal, file_id_t file, uint64_t offset,
		     struct page_header *header, const void *payload,
		     uint8_t head[PAGE_HEADER_BYTES], struct page_ref *ret);
/* A header as it stands, not yet believed. */
int page_header_decode(const uint8_t *page, struct page_header *ret);
/* Checks a page read from `offset`, `room` bytes of which are in memory. Its
 * stored payload is then readable in place. */
int page_check(const struct seal *seal, uint64_t offset, uint8_t *page,
	       uint64_t room, struct page_header *ret);
/* The payload of a checked page, raw_bytes of it. */
int page_decode(const struct page_header *header, const uint8_t *page,
		void *ret);
/* The front of the payload of a checked page: its parts but the last, where it
 * was written in parts and is compressed. */
struct page_front {
	size_t stored_bytes;	/* 0: there is none */
	size_t bytes;		/* decoded */
};
void page_front(const struct page_header *header, const uint8_t *page,
		struct page_front *ret);
int page_decode_front(const struct page_front *front, const uint8_t *page,
		      void *ret);
/* What is behind the front: to ret go raw_bytes - front->bytes. */
int page_decode_rest(const struct page_header *header,
		     const struct page_front *front, const uint8_t *page,
		     void *ret);
/* Bytes of the decoded payload of a checked page. */
uint32_t page_raw_bytes(const uint8_t *page);

const char *page_kind_name(enum page_kind kind);
void page_header_show(const struct page_header *header, FILE *out);
/* Adds to the thread's message where it was; returns rc. */
int page_at(const char *path, uint64_t offset, int rc);

#endif
