/*
 * A segment file as text: its pages in their order, and the entries of blocks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "block_cursor.h"
#include "err.h"
#include "history_piece.h"
#include "page_show.h"
#include "segment.h"
#include "segment_format.h"

#define SHOWN_BYTES 64u		/* of a key, value or attributes */

static void bytes_show(const void *bytes, size_t n, FILE *out)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n && i < SHOWN_BYTES; i++) {
		if (at[i] > ' ' && at[i] < 0x7f && at[i] != '\\')
			fputc(at[i], out);
		else
			fprintf(out, "\\%02x", at[i]);
	}
	if (n > SHOWN_BYTES)
		fprintf(out, "… (%zu bytes)", n);
}

/* What a head of a piece of the history says. */
static void history_show(const struct entry *e, FILE *out)
{
	static const uint8_t head[] = { 0, 0, 0, 0, 0, 0, 0, HISTORY_SPACE,
					HISTORY_HEAD };
	struct history_piece piece;

	if (e->key_bytes < sizeof(head) || memcmp(e->key, head, sizeof(head)))
		return;
	fputs("    ", out);
	if (history_piece_decode((const uint8_t *)e->key + sizeof(head) - 1,
				 e->key_bytes - sizeof(head) + 1, e->value,
				 e->value_bytes, &piece) < 0)
		fprintf(out, "%s\n", err_message());
	else
		history_piece_show(&piece, out);
}

static void entry_show(const struct entry *e, FILE *out)
{
	fputs("    ", out);
	bytes_show(e->key, e->key_bytes, out);
	fprintf(out, " seq %" PRIu64 " time %" PRIu64, e->seq, e->time_us);
	if (e->id != e->seq)
		fprintf(out, " id %" PRIu64, e->id);
	if (e->mtime_ns != AEDB_MTIME_NONE)
		fprintf(out, " mtime %" PRId64, e->mtime_ns);
	if (e->attr_bytes) {
		fputs(" attr ", out);
		bytes_show(e->attr, e->attr_bytes, out);
	}
	if (e->is_tombstone) {
		fputs(" deleted\n", out);
		return;
	}
	fputs(e->is_ref ? " reference " : " value ", out);
	bytes_show(e->value, e->value_bytes, out);
	fputc('\n', out);
	history_show(e, out);
}

static int block_show(uint8_t *bytes, size_t n, FILE *out)
{
	struct block_cursor c;
	struct entry e;
	int rc = block_check(bytes, n);

	if (rc < 0)
		return rc;
	block_cursor_init(&c);
	rc = block_cursor_open(&c, bytes);
	if (rc == 0) {
		block_cursor_move(&c, 0, &e);
		do
			entry_show(&e, out);
		while (block_cursor_next(&c, &e));
	}
	block_cursor_release(&c);
	return rc;
}

static void part_show(const uint8_t *bytes, FILE *out)
{
	struct segment_part part;

	segment_part_init(&part, bytes);
	for (uint32_t i = 0; i < part.index.pages; i++) {
		struct page_ref page = segment_index_page(&part.index, 1, i);
		struct segment_separator s = { .seq = 0 };

		if (i)
			s = segment_index_separator(&part.index, i);
		fprintf(out, "    page at %" PRIu64 ", %u bytes, from ",
			page.offset, page.stored_bytes);
		bytes_show(s.prefix, s.prefix_bytes, out);
		bytes_show(s.rest, s.rest_bytes, out);
		if (s.seq)
			fprintf(out, " seq %" PRIu64, s.seq);
		fputc('\n', out);
	}
	fprintf(out, "    filter of %zu bytes\n", part.filter_bytes);
}

static void properties_show(const uint8_t *bytes, FILE *out)
{
	struct segment_properties p;

	segment_properties_decode(bytes, &p);
	fprintf(out, "    entries %" PRIu64 " tombstones %" PRIu64 " keys %" PRIu64
		" blocks %" PRIu64 " seq %" PRIu64 "-%" PRIu64 " time to %" PRIu64
		"%s\n    keys ", p.entries, p.tombstones, p.keys, p.blocks,
		p.seq_min, p.seq_max, p.time_us_max,
		p.is_partitioned ? " partitioned" : "");
	bytes_show(p.first.at, p.first.n, out);
	fputs(" to ", out);
	bytes_show(p.last.at, p.last.n, out);
	fputc('\n', out);
	part_show(segment_properties_part(bytes), out);
}

static int payload_show(const struct page_header *header, uint8_t *bytes,
			FILE *out)
{
	size_t n = header->raw_bytes;
	int rc = 0;

	switch (header->kind) {
	case PAGE_BLOCK:
		return block_show(bytes, n, out);
	case PAGE_INDEX:
		rc = segment_part_check(bytes, n);
		if (rc == 0)
			part_show(bytes, out);
		return rc;
	case PAGE_META:
		rc = segment_properties_check(bytes, n);
		if (rc == 0)
			properties_show(bytes, out);
		return rc;
	default:
		return err_set(AEDB_CORRUPT, "a page of this kind has no place "
			       "in a segment");
	}
}

static int page_show(const struct page_shown *shown, FILE *out)
{
	const struct page_header *header = &shown->header;
	uint8_t *bytes = malloc(header->raw_bytes);
	int rc;

	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory to show a page");
	fprintf(out, "%" PRIu64 ": ", shown->offset);
	page_header_show(header, out);
	rc = page_decode(header, shown->page, bytes);
	if (rc == 0)
		rc = payload_show(header, bytes, out);
	free(bytes);
	if (rc < 0 && rc != AEDB_NO_MEMORY) {
		fprintf(out, "    damaged: %s\n", err_message());
		rc = 0;
	}
	return rc;
}

int segment_show_file(struct vfs *vfs, const char *path, FILE *out)
{
	struct page_show_what what = { path, FILE_SEGMENT, "damaged" };
	struct page_shown shown;
	struct page_show show;
	int rc = page_show_open(vfs, &what, out, &show);

	if (rc < 0)
		return rc;
	while ((rc = page_show_next(&show, &shown)) > 0) {
		rc = page_show(&shown, out);
		if (rc < 0)
			break;
	}
	page_show_close(&show);
	return rc;
}
