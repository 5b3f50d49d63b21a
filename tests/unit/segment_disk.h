/*
 * Segments on a simulated disk, with a cache:
 *
 *	segments_open(&d, 1 << 20);
 *	segment_write(&d, &sorted, page_bytes, &info);
 *	CHECK_OK(segment_open(d.set, d.cache, &info, &s));
 *	epoch_enter(d.epoch); …
 *	segments_close(&d);
 */
#ifndef SEGMENT_DISK_H
#define SEGMENT_DISK_H

#include "cache.h"
#include "file_set.h"
#include "segment.h"
#include "segment_writer.h"
#include "simdisk.h"
#include "sorted_entries.h"

static const uint8_t segments_uuid[FILE_UUID_BYTES] = "segment test";

struct segments {
	struct simdisk *disk;
	struct vfs *vfs;
	struct file_set *set;
	struct epoch *epoch;
	struct cache *cache;
};

static inline void segments_open_set(struct segments *d)
{
	struct file_set_options options = {
		.kind = FILE_SEGMENT, .directory = "seg", .suffix = "seg",
		.db_uuid = segments_uuid, .next = 1,
	};

	CHECK_OK(file_set_open(d->vfs, &options, &d->set));
}

static inline void segments_open(struct segments *d, size_t cache_bytes)
{
	d->disk = simdisk_new(1);
	d->vfs = simdisk_vfs(d->disk);
	CHECK_OK(epoch_open(&d->epoch));
	CHECK_OK(cache_open(d->epoch, cache_bytes, &d->cache));
	segments_open_set(d);
}

/* Opens set and cache again: nothing that was read is remembered. */
static inline void segments_reopen(struct segments *d, size_t cache_bytes)
{
	file_set_close(d->set);
	cache_close(d->cache);
	CHECK_OK(cache_open(d->epoch, cache_bytes, &d->cache));
	segments_open_set(d);
}

static inline void segments_close(struct segments *d)
{
	file_set_close(d->set);
	cache_close(d->cache);
	epoch_close(d->epoch);
	simdisk_free(d->disk);
}

/* As segment_spot_get; ret_newer NULL: not asked for. */
static inline int segment_get(struct segment *segment, const void *key,
			      size_t key_bytes, seq_t limit, struct entry *ret,
			      seq_t *ret_newer)
{
	struct segment_search search;
	struct segment_spot spot;
	int rc;

	segment_search_init(&search, key, key_bytes, limit);
	segment_spot_init(&spot, segment, &search);
	rc = segment_spot_get(&spot, &search, ret);
	if (rc >= 0 && ret_newer)
		*ret_newer = search.newer;
	return rc;
}

/* The same of ENTRY_SIZES. */
static inline int segment_get_sizes(struct segment *segment,
				    const struct entry *of, seq_t limit,
				    struct entry *ret)
{
	struct segment_search search;
	struct segment_spot spot;

	segment_search_init(&search, of->key, of->key_bytes, limit);
	search.wanted = ENTRY_SIZES;
	segment_spot_init(&spot, segment, &search);
	return segment_spot_get(&spot, &search, ret);
}

/* The value of a reference is there, of others its size. */
static inline void segment_check_sizes(const struct entry *got,
				       const struct entry *want)
{
	struct entry whole = *got;

	CHECK_EQ(got->value_bytes, want->value_bytes);
	if (!want->is_ref)
		whole.value = want->value;
	entry_check(&whole, want);
}

/* *ret_info: segment_info_release. */
static inline void segment_write(struct segments *d, const struct sorted *s,
				 size_t page_bytes, struct segment_info *ret_info)
{
	struct segment_writer *w;

	CHECK_OK(segment_writer_open(d->set, page_bytes, &w));
	for (size_t i = 0; i < s->n; i++)
		CHECK_OK(segment_writer_add(w, &s->at[i]));
	CHECK_EQ(segment_writer_entries(w), s->n);
	CHECK_OK(segment_writer_finish(w, ret_info));
	segment_writer_close(w);
}

#endif
