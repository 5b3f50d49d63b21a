/*
 * The value files, val/NNNNNN.val: the one that all append to, and reading back
 * what a reference means.
 *
 *	values_open(vfs, uuid, next_file, &values);
 *	values_reserve, or value_append_begin (value_append.h) …
 *	values_sync(values);		-- before the log names what was written
 *	values_load_root(values, &ref, …);
 *	values_close(values);
 *
 * A file is made at the first append of an open, when the one in use has passed
 * values_file_bytes, and after values_cut; its name is on the disk before a
 * reference to it is handed out. Files of an earlier open are only read.
 *
 * Threads: all calls may be made from any thread at once.
 * Errors: AEDB_CORRUPT names file and offset. After AEDB_IO in a write or sync
 * all that follow fail with it; AEDB_NO_SPACE leaves all as it was.
 */
#ifndef VALUES_H
#define VALUES_H

#include "cache.h"
#include "file_set.h"
#include "staged.h"
#include "value_format.h"

#define VALUES_DIRECTORY "val"
/* A file may grow to a part of all there are, within these bounds: so that all
 * can stay open (FILE_SET_OPEN_MAX), and it takes little room to empty one. */
#define VALUES_FILE_PART FILE_SET_OPEN_MAX
#define VALUES_FILE_BYTES_MIN (UINT64_C(8) << 20)
#define VALUES_FILE_BYTES_MAX (UINT64_C(256) << 20)

struct values;

/* next_file: the lowest number a new file may get. The vfs is borrowed until
 * values_close, the uuid (FILE_UUID_BYTES) copied. */
int values_open(struct vfs *vfs, const uint8_t *db_uuid, file_id_t next_file,
		struct values **ret);
/* The same, and an append is AEDB_READ_ONLY. */
int values_open_read_only(struct vfs *vfs, const uint8_t *db_uuid,
			  struct values **ret);
/* Everything opened on it has been closed. Does not sync. Takes NULL. */
void values_close(struct values *values);
/* References are found inside this epoch, and whole values go through this cache
 * (NULL: none); before any is stored or read. Borrowed until values_close. */
void values_set_cache(struct values *values, struct epoch *epoch,
		      struct cache *cache);
/* The cache (NULL: there is none), its epoch, and what a root's or a single
 * page's value is found by. */
struct cache *values_cache(const struct values *values);
struct epoch *values_epoch(const struct values *values);
struct cache_key values_cache_key(const struct page_ref *page);
/* To use, pin, list or write its files; borrowed until values_close. */
struct file_set *values_files(const struct values *values);
/* file_set_remove; what is cached of it goes, too. */
int values_remove_file(struct values *values, file_id_t number);

/* How many bytes all files have. */
void values_set_all_bytes(struct values *values, uint64_t bytes);
/* What a file may have even if all have little: VALUES_FILE_BYTES_MIN, or less
 * where the disk is small. */
void values_set_least_bytes(struct values *values, uint64_t bytes);
/* When a file is large enough. */
uint64_t values_file_bytes(const struct values *values);

/* Every page whose append had returned is on the disk. */
int values_sync(struct values *values);
/* Begins with n bytes of a file, as a hint. */
void values_sync_ahead(struct values *values, file_id_t file, uint64_t offset,
		       uint64_t n);
/* The next append begins a new file. */
void values_cut(struct values *values);
/* A later append may go to this file. */
bool values_is_written(struct values *values, file_id_t number);

/* Checks that the extent is nothing but whole valid pages: AEDB_CORRUPT (also
 * for a missing or short file), AEDB_IO, AEDB_NO_MEMORY. */
int values_verify_extent(struct values *values,
			 const struct value_extent *extent);
/* Writes its bytes, and the file's header, as they are read: a sync that failed
 * in an earlier open may have left them in the system's memory only, as if they
 * were on the disk. A sync of the file follows. */
int values_rewrite_extent(struct values *values,
			  const struct value_extent *extent);

/* Header and every page of one value file as text; damage is shown and is no
 * error. AEDB_NOT_FOUND, AEDB_IO; AEDB_CORRUPT: no value file. */
int values_show_file(struct vfs *vfs, const char *path, FILE *out);

/* Read, check and decode one; ret_slots has room for VALUE_MAP_REFS. */
int values_load_map(struct values *values, const struct page_ref *ref,
		    struct value_slot *ret_slots, size_t *ret_n);
/* Owned: value_root_release. */
int values_load_root(struct values *values, const struct value_ref *ref,
		     struct value_root *ret);

/* Reads a value of one page: ref->bytes bytes. */
int values_load_page(struct values *values, const struct value_ref *ref,
		     void *ret);
/* The files a reference refers to, its root or page included, and how many
 * bytes of each. Owned: free. */
int values_load_shares(struct values *values, const struct value_ref *ref,
		       struct value_share **ret, size_t *ret_n);

/* Room for `bytes` in the file that is appended to, which is then in use
 * (file_set_unuse); nobody else gets it, also if it is never written. */
int values_reserve(struct values *values, uint64_t bytes,
		   struct page_file **ret, uint64_t *ret_offset);

/* The memory of the values being written to it; borrowed until values_close. */
struct staged *values_staged(struct values *values);

#endif
