/*
 * What the files of a set's implementation share: file_set.c, file_set_write.c.
 *
 * Threads: who calls file_set_find_index, file_set_add or file_set_set_handle
 * holds the set's lock.
 */
#ifndef FILE_SET_TABLE_H
#define FILE_SET_TABLE_H

#include <stdatomic.h>

#include "file_set.h"
#include "lock.h"

struct file_set {
	struct vfs *vfs;			/* constant after open, as are: */
	const char *directory, *suffix;
	enum file_kind kind;
	bool is_read_only;
	uint8_t db_uuid[FILE_UUID_BYTES];
	atomic_bool is_stopped;		/* atomic: set once, by any thread */
	atomic_bool has_name;		/* atomic: the directory's is on the disk */
	struct lock sync_lock;
	struct lock lock;
	file_id_t next;			/* guarded by lock, as are: */
	struct page_file **files;	/* owned, by number */
	size_t n_files, files_room;
	size_t n_open;			/* files with a descriptor */
	size_t n_removed;		/* files still to be unlinked */
	struct epoch *epoch;		/* NULL: nobody finds numbers without pins */
	uint64_t clock;
};

/* Index of the file, or of where it belongs. */
size_t file_set_find_index(const struct file_set *set, file_id_t number);
/* Of a number that is not in the table. AEDB_NO_MEMORY. */
int file_set_add(struct file_set *set, file_id_t number, struct page_file **ret);
/* Takes the descriptor over; closes another one if there are too many. */
void file_set_set_handle(struct file_set *set, struct page_file *file,
			 struct vfs_file *handle,
			 const struct file_header *header);
/* One that stays does no harm: nothing refers to it, its number is not used
 * again. */
void file_set_unlink_quietly(struct file_set *set, file_id_t number);

#endif
