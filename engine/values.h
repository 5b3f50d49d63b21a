/*
 * The set of value files, val/NNNNNN.val: appending, syncing and reading
 * records.
 *
 *	values_open(vfs, uuid, next_file, &values);
 *	value_append_begin -> value_append_record… -> value_append_write
 *	values_sync(values);		-- before the log names what was written
 *	values_load(values, &ref, …);
 *	values_close(values);
 *
 * A file is made at the first append of an open and when the one in use has
 * passed VALUES_FILE_BYTES; its name is on the disk before a reference to it
 * is handed out. Files of an earlier open are only read.
 *
 * Threads: all calls may be made from any thread at once, those on one
 * struct value_append by its owner.
 * Errors: AEDB_CORRUPT names file and offset. After AEDB_IO in a write or sync
 * all that follow fail with it; AEDB_NO_SPACE leaves all as it was.
 */
#ifndef VALUES_H
#define VALUES_H

#include <sys/uio.h>

#include "value_format.h"
#include "vfs.h"

#define VALUES_DIRECTORY "val"
#define VALUES_FILE_BYTES (UINT64_C(256) << 20)
#define VALUE_APPEND_RECORDS_MAX 64

struct values;

/* next_file: the lowest number a new file may get; makes val/ if it is not
 * there. The vfs is borrowed until values_close, the uuid (16 bytes) copied. */
int values_open(struct vfs *vfs, const uint8_t *db_uuid, file_id_t next_file,
		struct values **ret);
/* The same, and an append is AEDB_READ_ONLY. */
int values_open_read_only(struct vfs *vfs, const uint8_t *db_uuid,
			  struct values **ret);
/* Everything opened on it has been closed. Does not sync. Takes NULL. */
void values_close(struct values *values);
/* One above the highest number in val/, 1 if there is none. */
int values_find_next_file(struct vfs *vfs, file_id_t *ret);

/* Every record whose append had returned is on the disk. */
int values_sync(struct values *values);
/* Makes the files of an earlier open with these numbers durable, their names
 * too: for recovery, before commits that were never synced count as durable. */
int values_sync_earlier(struct values *values, const file_id_t *numbers,
			size_t n);
/* True when there is something to sync; never blocks on I/O. */
bool values_is_dirty(struct values *values);

/* Checks that the extent is nothing but whole valid records: AEDB_CORRUPT
 * (also for a missing or short file), AEDB_IO, AEDB_NO_MEMORY. */
int values_verify_extent(struct values *values,
			 const struct value_extent *extent);

/* Header and every record of one value file as text; damage is shown and is no
 * error. AEDB_NOT_FOUND, AEDB_IO; AEDB_CORRUPT: no value file. */
int values_show_file(struct vfs *vfs, const char *path, FILE *out);

/* Keeps a file from being removed; the descriptor is not part of it. */
int values_pin_file(struct values *values, file_id_t number);
void values_unpin_file(struct values *values, file_id_t number);

/* Reads and checks n records that lie one after the other in one file
 * (values_ref_is_next), with one read. buf has values_run_bytes of room; the
 * record of refs[i] begins at refs[i].offset - refs[0].offset, its payload
 * VALUE_RECORD_HEADER_BYTES later. */
int values_load_run(struct values *values, const struct value_record_ref *refs,
		    size_t n, enum value_kind kind, uint8_t *buf);
uint64_t values_run_bytes(const struct value_record_ref *refs, size_t n);
bool values_ref_is_next(const struct value_record_ref *a,
			const struct value_record_ref *b);
/* Bytes of a loaded chunk's payload. */
uint32_t values_chunk_bytes(const uint8_t *record);
/* Read, check and decode one; ret_slots has room for VALUE_MAP_REFS. */
int values_load_map(struct values *values, const struct value_record_ref *ref,
		    struct value_slot *ret_slots, size_t *ret_n);
/* Owned: value_root_release. */
int values_load_root(struct values *values, const struct value_ref *ref,
		     struct value_root *ret);

/* Records that go to one file in one write. */
struct value_append {
	struct values *values;
	struct value_file *file;	/* in use until value_append_end */
	uint64_t start;			/* where the records not yet written begin */
	uint64_t next;			/* where the next one goes */
	uint64_t end;			/* of what is reserved */
	struct iovec iov[VALUE_APPEND_RECORDS_MAX];
	int iovcnt;
};

/* Reserves `bytes` of file, which the records' values_record_bytes add up to.
 * value_append_end must follow, whatever happens. */
int value_append_begin(struct values *values, uint64_t bytes,
		       struct value_append *ret);
/* Seals a record in place: `record` is values_record_bytes(bytes) long, the
 * payload VALUE_RECORD_HEADER_BYTES behind its start, and is borrowed until
 * value_append_write. At most VALUE_APPEND_RECORDS_MAX between two writes. */
void value_append_record(struct value_append *append, enum value_kind kind,
			 uint8_t *record, uint32_t bytes,
			 struct value_record_ref *ret);
/* The file it goes to. */
file_id_t value_append_file(const struct value_append *append);
/* Writes the records added since the last one. */
int value_append_write(struct value_append *append);
void value_append_end(struct value_append *append);
/* Room a record takes, in memory and on disk. */
uint64_t values_record_bytes(uint64_t payload_bytes);

/* Bytes all stages of this set hold in memory, and the most they may. */
void values_set_staged_max(struct values *values, uint64_t bytes);
/* Adds (or takes away) and says whether the sum is over the limit. */
bool values_add_staged(struct values *values, int64_t bytes);

#endif
