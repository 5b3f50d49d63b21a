/*
 * A segment written from its first entry to its last.
 *
 *	segment_writer_open(set, 0, &writer);
 *	segment_writer_add(writer, &entry); …
 *	segment_writer_finish(writer, &info);	-- on the disk, with its name
 *	segment_writer_close(writer);
 *
 * What it holds in memory is bounded: an open block, an open partition of index
 * and filter, and the index of partitions.
 *
 * Threads: one. Errors: AEDB_NO_SPACE, AEDB_IO, AEDB_NO_MEMORY, AEDB_TOO_LARGE
 * (the file); after one every call fails with it.
 */
#ifndef SEGMENT_WRITER_H
#define SEGMENT_WRITER_H

#include "entry.h"
#include "file_set.h"
#include "segment_info.h"

#define SEGMENT_PAGE_BYTES (16u << 10)
#define SEGMENT_PAGE_BYTES_MIN 512u
#define SEGMENT_BLOCK_BYTES_MAX (8u << 10)

struct segment_writer;

/* Makes the next file of the set. page_bytes: a partition's filter is ended at
 * about so many, as is a block, but at SEGMENT_BLOCK_BYTES_MAX at the latest; a
 * reader's cache should take at least eight pages; 0: SEGMENT_PAGE_BYTES. Owned;
 * segment_writer_close. */
int segment_writer_open(struct file_set *set, size_t page_bytes,
			struct segment_writer **ret);
/* Adds a version: keys ascending, of one key seq descending. Copied. Value: up
 * to AEDB_VALUE_INLINE_MAX, or a reference (is_ref). */
int segment_writer_add(struct segment_writer *w, const struct entry *entry);
/* So many bytes of a value file are what the entry just added refers to. */
int segment_writer_share(struct segment_writer *w, file_id_t file,
			 uint64_t bytes);
uint64_t segment_writer_entries(const struct segment_writer *w);
/* Bytes of the file so far, the open block as if it were stored plain. */
uint64_t segment_writer_bytes(const struct segment_writer *w);
size_t segment_writer_memory_bytes(const struct segment_writer *w);
/* With at least one entry. *ret is owned, its level 0: segment_info_release. */
int segment_writer_finish(struct segment_writer *w, struct segment_info *ret);
/* A segment that was not finished is removed. Takes NULL. */
void segment_writer_close(struct segment_writer *w);

#endif
