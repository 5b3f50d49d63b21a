/*
 * Reads ranges of one committed value.
 *
 *	value_reader_open(values, &source, &reader);
 *	value_reader_read(reader, buf, n, offset, &got);
 *	value_reader_close(reader);
 *
 * Every page is checked when it is read: AEDB_CORRUPT names file and offset,
 * other data than was written is never returned.
 *
 * Threads: the caller serialises the calls on one reader.
 */
#ifndef VALUE_READER_H
#define VALUE_READER_H

#include "stage.h"

struct value_reader;

/* Inline bytes are copied; the files of a reference stay pinned. Opening reads
 * the root. Owned; value_reader_close. AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY. */
int value_reader_open(struct values *values, const struct value_source *source,
		      struct value_reader **ret);
void value_reader_close(struct value_reader *reader);
uint64_t value_reader_bytes(const struct value_reader *reader);
/* Bytes the value occupies: holes do not count. */
uint64_t value_reader_allocated_bytes(const struct value_reader *reader);
/* Reads up to n bytes; *ret is fewer only at the value's end. */
int value_reader_read(struct value_reader *reader, void *buf, size_t n,
		      uint64_t offset, size_t *ret);
/* As aedb_reader_has. */
bool value_reader_has(const struct value_reader *reader, size_t n,
		      uint64_t offset);
/* As aedb_reader_seek. */
int value_reader_seek(struct value_reader *reader, enum aedb_extent what,
		      uint64_t offset, uint64_t *ret);
/* What it reads, to put a stage over it; borrowed until value_reader_close. */
struct value_source value_reader_source(const struct value_reader *reader);

#endif
