/*
 * Reads ranges of one committed value: chunks that lie one after the other in
 * their file come with one read, and the last such run stays for the next call.
 * Who reads on where the last call ended gets a whole run.
 *
 * Invariants:
 * 1. What is in the run was checked when it was read.
 * 2. What is read ahead never fails a call that did not ask for it.
 */
#include "value_reader.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "page_load.h"
#include "value_cache.h"
#include "value_tree.h"

#define RUN_CHUNKS 8u	/* in one read; every open reader keeps them */
#define READER_TABLES_MAX 2u

struct value_reader {
	struct values *values;
	struct value_tree tree;
	struct value_ref ref;
	bool is_ref;		/* it lies in chunks */
	uint64_t bytes;		/* of the value */
	uint8_t *inline_bytes;	/* owned, or NULL */

	uint8_t *run;		/* owned; checked pages of chunks, or NULL */
	uint64_t run_first;	/* its first chunk */
	uint64_t next;		/* where the last call ended */
	size_t run_chunks;
	struct page_ref run_refs[RUN_CHUNKS];
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "value reader: no memory");
}

static int copy_inline(struct value_reader *reader,
		       const struct value_source *source)
{
	reader->inline_bytes = malloc((size_t)reader->bytes);
	if (!reader->inline_bytes)
		return no_memory();
	if (source->ref)
		return value_cache_read_page(reader->values, source->ref,
					     reader->inline_bytes);
	memcpy(reader->inline_bytes, source->bytes, source->n);
	return 0;
}

int value_reader_open(struct values *values, const struct value_source *source,
		      struct value_reader **ret)
{
	struct value_reader *reader = calloc(1, sizeof(*reader));
	int rc = 0;

	if (!reader)
		return no_memory();
	reader->values = values;
	value_tree_init(&reader->tree, values);
	reader->tree.tables_max = READER_TABLES_MAX;
	reader->bytes = value_source_bytes(source);
	if (value_source_has_chunks(source)) {
		reader->is_ref = true;
		reader->ref = *source->ref;
		rc = value_tree_load(&reader->tree, source->ref);
	} else if (reader->bytes) {
		rc = copy_inline(reader, source);
	}
	if (rc < 0)
		value_reader_close(reader);
	else
		*ret = reader;
	return rc;
}

void value_reader_close(struct value_reader *reader)
{
	if (!reader)
		return;
	value_tree_release(&reader->tree);
	free(reader->inline_bytes);
	free(reader->run);
	free(reader);
}

uint64_t value_reader_bytes(const struct value_reader *reader)
{
	return reader->bytes;
}

uint64_t value_reader_allocated_bytes(const struct value_reader *reader)
{
	return reader->is_ref ? value_ref_allocated(&reader->ref) :
				reader->bytes;
}

struct value_source value_reader_source(const struct value_reader *reader)
{
	return (struct value_source){
		.bytes = reader->inline_bytes,
		.n = reader->is_ref ? 0 : (size_t)reader->bytes,
		.ref = reader->is_ref ? &reader->ref : NULL,
	};
}

static void run_drop(struct value_reader *reader)
{
	free(reader->run);
	reader->run = NULL;
	reader->run_chunks = 0;
}

static bool run_has(const struct value_reader *reader, uint64_t chunk)
{
	return chunk >= reader->run_first &&
	       chunk - reader->run_first < reader->run_chunks;
}

/* Finds the references of chunks first..last that lie one after the other. */
static int run_find(struct value_reader *reader, uint64_t first, uint64_t last,
		    size_t *ret_n)
{
	struct page_ref *refs = reader->run_refs;
	size_t n = 0;

	while (n < RUN_CHUNKS && first + n <= last) {
		int rc = value_tree_get(&reader->tree, first + n, &refs[n]);

		if (rc < 0)
			return rc;
		if (!refs[n].file ||
		    (n && !page_ref_is_next(&refs[n - 1], &refs[n])))
			break;
		n++;
	}
	*ret_n = n;
	return 0;
}

/* Loads a run that begins at this chunk, towards last; none if it is a hole. */
static int run_load(struct value_reader *reader, uint64_t first, uint64_t last)
{
	size_t n;

	run_drop(reader);
	int rc = run_find(reader, first, last, &n);

	if (rc < 0 || n == 0)
		return rc;
	reader->run = malloc(page_run_bytes(reader->run_refs, n));
	if (!reader->run)
		return no_memory();
	rc = page_load_run(values_files(reader->values), reader->run_refs, n, PAGE_CHUNK,
			     reader->run);
	if (rc < 0) {
		run_drop(reader);
		return rc;
	}
	reader->run_first = first;
	reader->run_chunks = n;
	return 0;
}

/* As run_load, as far as a run goes for a call that reads on. */
static int run_load_ahead(struct value_reader *reader, uint64_t first,
			  uint64_t last, bool reads_on)
{
	uint64_t ahead = first + RUN_CHUNKS - 1;
	int rc = AEDB_NOT_FOUND;

	if (reads_on && ahead > last)
		rc = run_load(reader, first, ahead);
	return rc < 0 ? run_load(reader, first, last) : rc;
}

/* Copies part of one chunk out of the run; a hole is one that is not in it. */
static void run_copy(const struct value_reader *reader, uint64_t chunk,
		     uint8_t *to, uint32_t n, uint32_t from)
{
	const uint8_t *page;
	uint32_t have = 0;

	if (run_has(reader, chunk)) {
		size_t i = (size_t)(chunk - reader->run_first);

		page = reader->run + (reader->run_refs[i].offset -
					reader->run_refs[0].offset);
		have = page_raw_bytes(page);
		have = have > from ? have - from : 0;
		if (have > n)
			have = n;
		memcpy(to, page + PAGE_HEADER_BYTES + from, have);
	}
	memset(to + have, 0, n - have);
}

static int read_chunks(struct value_reader *reader, uint8_t *to, size_t n,
		       uint64_t offset)
{
	uint64_t last = (offset + n - 1) / VALUE_CHUNK_BYTES;
	bool reads_on = offset == reader->next;

	while (n > 0) {
		uint64_t chunk = offset / VALUE_CHUNK_BYTES;
		uint32_t from = offset % VALUE_CHUNK_BYTES;
		uint32_t piece = VALUE_CHUNK_BYTES - from;

		if (piece > n)
			piece = (uint32_t)n;
		if (!run_has(reader, chunk)) {
			int rc = run_load_ahead(reader, chunk, last, reads_on);

			if (rc < 0)
				return rc;
		}
		run_copy(reader, chunk, to, piece, from);
		to += piece;
		offset += piece;
		n -= piece;
	}
	return 0;
}

int value_reader_read(struct value_reader *reader, void *buf, size_t n,
		      uint64_t offset, size_t *ret)
{
	uint64_t left = offset < reader->bytes ? reader->bytes - offset : 0;
	int rc = 0;

	if (n > left)
		n = (size_t)left;
	if (n && reader->is_ref)
		rc = read_chunks(reader, buf, n, offset);
	else if (n)
		memcpy(buf, reader->inline_bytes + offset, n);
	if (rc < 0)
		return rc;
	reader->next = offset + n;
	*ret = n;
	return 0;
}

bool value_reader_has(const struct value_reader *reader, size_t n,
		      uint64_t offset)
{
	uint64_t left = offset < reader->bytes ? reader->bytes - offset : 0;

	if (n > left)
		n = (size_t)left;
	return !reader->is_ref || n == 0 ||
	       (run_has(reader, offset / VALUE_CHUNK_BYTES) &&
		run_has(reader, (offset + n - 1) / VALUE_CHUNK_BYTES));
}

static int seek_hole(struct value_reader *reader, uint64_t chunk, uint64_t *ret)
{
	uint64_t chunks = (reader->bytes - 1) / VALUE_CHUNK_BYTES + 1;
	struct page_ref ref;

	if (!reader->is_ref || reader->tree.chunks == chunks)
		chunk = chunks;
	for (; chunk < chunks; chunk++) {
		int rc = value_tree_get(&reader->tree, chunk, &ref);

		if (rc < 0)
			return rc;
		if (!ref.file)
			break;
	}
	*ret = chunk;
	return 0;
}

int value_reader_seek(struct value_reader *reader, enum aedb_extent what,
		      uint64_t offset, uint64_t *ret)
{
	uint64_t chunk = offset / VALUE_CHUNK_BYTES;
	int rc = 0;

	if (offset >= reader->bytes)
		return AEDB_NOT_FOUND;
	if (what == AEDB_EXTENT_HOLE)
		rc = seek_hole(reader, chunk, &chunk);
	else if (reader->is_ref)
		rc = value_tree_next(&reader->tree, chunk, &chunk);
	if (rc < 0)
		return rc;
	*ret = value_extent_offset(chunk, offset, reader->bytes);
	return 0;
}
