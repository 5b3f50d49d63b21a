/*
 * Encoding, validation and text of what the pages of value files hold.
 *
 * value ref	of a page: its reference, 16 bytes; the value is as long as its
 *		payload. Of a larger value, 40 bytes: format u8 = 1, zero
 *		u8 x 7, value bytes u64, chunks u64, reference of the root
 * chunk	the bytes; zeros follow when it is shorter than VALUE_CHUNK_BYTES
 * value	a whole value of at most AEDB_VALUE_INLINE_MAX bytes
 * map block	n u32, zero u32, slot u16 x n, zeros up to 8, page ref x n
 * root		depth u8 = 2, log2 of chunk bytes u8, log2 of references in a
 *		map block u8, zero u8, maps u32, shares u32, zero u32,
 *		value bytes u64, chunks u64,
 *		(slot u32, page ref) x maps, (file u32, bytes u64) x shares
 *
 * Invariants:
 * 1. Slots ascend, in map blocks and roots; files of shares ascend.
 * 2. What decodes encodes to the same bytes: every reserved byte is zero.
 *
 * The depth, chunk size and the format byte of a value reference are what a
 * newer version changes; an older one then says AEDB_NEWER_FORMAT.
 */
#include "value_format.h"

#include <stdlib.h>

#include "bytes.h"
#include "err.h"

#define REF_FORMAT 1
#define ROOT_DEPTH 2
#define ROOT_HEAD_BYTES 32u
#define ROOT_SLOT_BYTES 20u
#define ROOT_SHARE_BYTES 12u
#define MAP_HEAD_BYTES 8u
#define MAPS_MAX (VALUE_BYTES_MAX / VALUE_MAP_SPAN)

_Static_assert(VALUE_REF_BYTES_MAX == 24 + PAGE_REF_BYTES, "value ref");
_Static_assert(VALUE_CHUNK_BYTES == PAGE_CHUNK_BYTES_MAX, "chunk");
_Static_assert(ROOT_SLOT_BYTES == 4 + PAGE_REF_BYTES, "root slot");
_Static_assert(VALUE_MAP_BYTES_MAX ==
	       MAP_HEAD_BYTES + VALUE_MAP_REFS * (2 + PAGE_REF_BYTES),
	       "full map block");

static uint64_t align_up(uint64_t n)
{
	return (n + PAGE_ALIGN - 1) & ~(uint64_t)(PAGE_ALIGN - 1);
}

struct value_ref value_ref_of_page(const struct page_ref *page)
{
	return (struct value_ref){
		.bytes = page->stored_bytes - seal_tag_bytes(NULL),
		.root = *page,
		.is_page = true,
	};
}

size_t value_ref_encode(const struct value_ref *ref, uint8_t *buf)
{
	if (ref->is_page) {
		page_ref_encode(&ref->root, buf);
		return PAGE_REF_BYTES;
	}
	memset(buf, 0, 8);
	buf[0] = REF_FORMAT;
	bytes_store_le64(buf + 8, ref->bytes);
	bytes_store_le64(buf + 16, ref->chunks);
	page_ref_encode(&ref->root, buf + 24);
	return VALUE_REF_BYTES_MAX;
}

static int page_value_ref_decode(const uint8_t *buf, struct value_ref *ret)
{
	struct page_ref page;
	int rc = page_ref_decode(buf, &page);

	if (rc < 0)
		return rc;
	if (page.stored_bytes <= seal_tag_bytes(NULL) ||
	    page.stored_bytes - seal_tag_bytes(NULL) > AEDB_VALUE_INLINE_MAX)
		return err_set(AEDB_CORRUPT, "reference to a page of %u bytes "
			       "as a value", page.stored_bytes);
	*ret = value_ref_of_page(&page);
	return 0;
}

int value_ref_decode(const void *buf, size_t n, struct value_ref *ret)
{
	const uint8_t *at = buf;
	struct value_ref ref = { .is_page = false };

	if (n == PAGE_REF_BYTES)
		return page_value_ref_decode(buf, ret);
	if (n >= 1 && at[0] > REF_FORMAT)
		return err_set(AEDB_NEWER_FORMAT,
			       "value reference of format %u, newest known %u",
			       at[0], REF_FORMAT);
	if (n != VALUE_REF_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "value reference of %zu bytes", n);
	ref.bytes = bytes_load_le64(at + 8);
	ref.chunks = bytes_load_le64(at + 16);
	if (bytes_load_le64(at) != REF_FORMAT ||
	    page_ref_decode(at + 24, &ref.root) < 0 ||
	    ref.bytes > VALUE_BYTES_MAX ||
	    ref.chunks > (ref.bytes + VALUE_CHUNK_BYTES - 1) / VALUE_CHUNK_BYTES)
		return err_set(AEDB_CORRUPT, "value reference is malformed");
	*ret = ref;
	return 0;
}

uint64_t value_ref_allocated(const struct value_ref *ref)
{
	uint64_t bytes = ref->chunks * VALUE_CHUNK_BYTES;

	return bytes < ref->bytes && !ref->is_page ? bytes : ref->bytes;
}

size_t value_map_encode(const struct value_slot *slots, size_t n, uint8_t *buf)
{
	uint8_t *slot_at = buf + MAP_HEAD_BYTES;
	uint8_t *ref_at = slot_at + align_up(2 * n);

	memset(buf, 0, (size_t)(ref_at - buf));
	bytes_store_le32(buf, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		bytes_store_le16(slot_at + 2 * i, (uint16_t)slots[i].slot);
		page_ref_encode(&slots[i].ref,
				  ref_at + PAGE_REF_BYTES * i);
	}
	return (size_t)(ref_at - buf) + PAGE_REF_BYTES * n;
}

size_t value_map_bytes(size_t n)
{
	return MAP_HEAD_BYTES + align_up(2 * n) + PAGE_REF_BYTES * n;
}

int value_map_decode(const uint8_t *buf, size_t n,
		     struct value_slot *ret_slots, size_t *ret_n)
{
	size_t count = n >= MAP_HEAD_BYTES ? bytes_load_le32(buf) : 0;
	const uint8_t *slot_at = buf + MAP_HEAD_BYTES;

	if (count == 0 || count > VALUE_MAP_REFS || n != value_map_bytes(count))
		return err_set(AEDB_CORRUPT, "map block of %zu bytes with %zu "
			       "references", n, count);
	for (size_t i = 0; i < count; i++) {
		struct value_slot *slot = &ret_slots[i];

		slot->slot = bytes_load_le16(slot_at + 2 * i);
		if (slot->slot >= VALUE_MAP_REFS ||
		    (i && slot->slot <= slot[-1].slot) ||
		    page_ref_decode(slot_at + align_up(2 * count) +
				    PAGE_REF_BYTES * i, &slot->ref) < 0)
			return err_set(AEDB_CORRUPT, "map block: reference %zu "
				       "is malformed", i);
	}
	*ret_n = count;
	return 0;
}

size_t value_root_bytes(const struct value_root *root)
{
	return ROOT_HEAD_BYTES + root->n_maps * ROOT_SLOT_BYTES +
	       root->n_shares * ROOT_SHARE_BYTES;
}

void value_root_encode(const struct value_root *root, uint8_t *buf)
{
	uint8_t *at = buf + ROOT_HEAD_BYTES;

	memset(buf, 0, ROOT_HEAD_BYTES);
	buf[0] = ROOT_DEPTH;
	buf[1] = VALUE_CHUNK_SHIFT;
	buf[2] = VALUE_MAP_SHIFT;
	bytes_store_le32(buf + 4, (uint32_t)root->n_maps);
	bytes_store_le32(buf + 8, (uint32_t)root->n_shares);
	bytes_store_le64(buf + 16, root->bytes);
	bytes_store_le64(buf + 24, root->chunks);
	for (size_t i = 0; i < root->n_maps; i++, at += ROOT_SLOT_BYTES) {
		bytes_store_le32(at, root->maps[i].slot);
		page_ref_encode(&root->maps[i].ref, at + 4);
	}
	for (size_t i = 0; i < root->n_shares; i++, at += ROOT_SHARE_BYTES) {
		bytes_store_le32(at, (uint32_t)root->shares[i].file);
		bytes_store_le64(at + 4, root->shares[i].bytes);
	}
}

static int root_decode_slots(const uint8_t *at, struct value_root *root)
{
	for (size_t i = 0; i < root->n_maps; i++, at += ROOT_SLOT_BYTES) {
		struct value_slot *slot = &root->maps[i];

		slot->slot = bytes_load_le32(at);
		if (slot->slot * VALUE_MAP_SPAN >= root->bytes ||
		    (i && slot->slot <= slot[-1].slot) ||
		    page_ref_decode(at + 4, &slot->ref) < 0)
			return err_set(AEDB_CORRUPT,
				       "root: reference %zu is malformed", i);
	}
	for (size_t i = 0; i < root->n_shares; i++, at += ROOT_SHARE_BYTES) {
		struct value_share *share = &root->shares[i];

		share->file = bytes_load_le32(at);
		share->bytes = bytes_load_le64(at + 4);
		if (share->file == 0 || share->bytes == 0 ||
		    (i && share->file <= share[-1].file))
			return err_set(AEDB_CORRUPT,
				       "root: share %zu is malformed", i);
	}
	return 0;
}

int value_root_decode(const uint8_t *buf, size_t n, struct value_root *ret)
{
	struct value_root root;

	if (n < ROOT_HEAD_BYTES || buf[3] != 0 || bytes_load_le32(buf + 12) != 0)
		return err_set(AEDB_CORRUPT, "root of %zu bytes is malformed", n);
	if (buf[0] != ROOT_DEPTH || buf[1] != VALUE_CHUNK_SHIFT ||
	    buf[2] != VALUE_MAP_SHIFT)
		return err_set(AEDB_NEWER_FORMAT, "root of depth %u, chunks of "
			       "2^%u bytes, map blocks of 2^%u", buf[0], buf[1],
			       buf[2]);
	root.n_maps = bytes_load_le32(buf + 4);
	root.n_shares = bytes_load_le32(buf + 8);
	root.bytes = bytes_load_le64(buf + 16);
	root.chunks = bytes_load_le64(buf + 24);
	if (root.n_maps > MAPS_MAX || root.bytes > VALUE_BYTES_MAX ||
	    n != value_root_bytes(&root) ||
	    root.chunks > root.n_maps * VALUE_MAP_REFS)
		return err_set(AEDB_CORRUPT, "root of %zu bytes names %zu maps, "
			       "%zu files, %llu bytes", n, root.n_maps,
			       root.n_shares, (unsigned long long)root.bytes);
	root.maps = calloc(root.n_maps + 1, sizeof(*root.maps));
	root.shares = calloc(root.n_shares + 1, sizeof(*root.shares));
	if (!root.maps || !root.shares) {
		value_root_release(&root);
		return err_set(AEDB_NO_MEMORY, "root of a value: no memory");
	}
	int rc = root_decode_slots(buf + ROOT_HEAD_BYTES, &root);

	if (rc < 0)
		value_root_release(&root);
	else
		*ret = root;
	return rc;
}

void value_root_release(struct value_root *root)
{
	free(root->maps);
	free(root->shares);
	memset(root, 0, sizeof(*root));
}

void value_ref_show(const struct value_ref *ref, FILE *out)
{
	if (ref->is_page)
		fprintf(out, "value of %llu bytes, page ",
			(unsigned long long)ref->bytes);
	else
		fprintf(out, "value of %llu bytes, %llu chunks, root ",
			(unsigned long long)ref->bytes,
			(unsigned long long)ref->chunks);
	page_ref_show(&ref->root, out);
}

static void slots_show(const char *name, const struct value_slot *slots,
		       size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "    %s %u: ", name, slots[i].slot);
		page_ref_show(&slots[i].ref, out);
		fputc('\n', out);
	}
}

static void map_show(const uint8_t *payload, size_t bytes, FILE *out)
{
	struct value_slot slots[VALUE_MAP_REFS];
	size_t n;

	if (value_map_decode(payload, bytes, slots, &n) < 0) {
		fprintf(out, "    damaged: %s\n", err_message());
		return;
	}
	slots_show("chunk", slots, n, out);
}

static void root_show(const uint8_t *payload, size_t bytes, FILE *out)
{
	struct value_root root;

	if (value_root_decode(payload, bytes, &root) < 0) {
		fprintf(out, "    damaged: %s\n", err_message());
		return;
	}
	fprintf(out, "    value of %llu bytes, %llu chunks\n",
		(unsigned long long)root.bytes, (unsigned long long)root.chunks);
	slots_show("map", root.maps, root.n_maps, out);
	for (size_t i = 0; i < root.n_shares; i++)
		fprintf(out, "    in file %llu: %llu bytes\n",
			(unsigned long long)root.shares[i].file,
			(unsigned long long)root.shares[i].bytes);
	value_root_release(&root);
}

void value_page_show(const struct page_header *header, const uint8_t *payload,
		     FILE *out)
{
	page_header_show(header, out);
	if (header->codec != PAGE_PLAIN)
		return;
	if (header->kind == PAGE_MAP)
		map_show(payload, header->raw_bytes, out);
	else if (header->kind == PAGE_ROOT)
		root_show(payload, header->raw_bytes, out);
}
