/*
 * Numbered files of one kind in a directory, DIRECTORY/NUMBER.SUFFIX: which
 * there are, which are open, which of them must stay.
 *
 *	file_set_open(vfs, &options, &set);
 *	file_set_create(set, FILE_SYNCED_BY_SET, &file);
 *	file_set_write(set, file, …); … file_set_unuse(set, file);
 *	file_set_use(set, number, &file); read file->handle; file_set_unuse(…);
 *	file_set_pin(set, number); … file_set_unpin(set, number);
 *	file_set_remove(set, number);
 *	file_set_close(set);
 *
 * A file in use has an open descriptor and stays; a pinned one stays. Numbers are
 * never given twice, also not those of removed files.
 *
 * Threads: all calls may be made from any thread at once.
 * Errors: AEDB_CORRUPT names a file that is missing or not what its name says.
 * After a write or sync failed with AEDB_IO, all that follow do too.
 */
#ifndef FILE_SET_H
#define FILE_SET_H

#include "epoch.h"
#include "seal.h"
#include "types.h"

#define FILE_SET_PATH_BYTES 48
#define FILE_SET_OPEN_MAX 128	/* descriptors kept; more only while in use */

struct file_set;
struct file_set_options {
	enum file_kind kind;
	const char *directory, *suffix;	/* borrowed until file_set_close */
	const uint8_t *db_uuid;		/* FILE_UUID_BYTES, copied */
	file_id_t next;			/* lowest number a new file may get */
	bool is_read_only;
};

enum file_syncing {
	FILE_SYNCED_BY_SET,	/* with file_set_sync */
	FILE_SYNCED_BY_OWNER,	/* who made it, with file_set_sync_file */
};

struct page_file {
	file_id_t number;		/* constant after open */
	enum file_syncing syncing;	/* constant after open */
	struct vfs_file *handle;	/* guarded by the set's lock; constant while
					 * in use, as is seal */
	struct seal seal;
	unsigned users;			/* guarded by the set's lock, as are: */
	uint64_t pins;
	uint64_t last_use;
	uint64_t bytes;			/* 0: not known */
	seq_t last_seq;
	bool is_dirty;			/* written since the last sync began */
	bool is_removed;		/* goes when nobody can reach it */
	uint64_t removed_stamp;		/* of the epoch */
};

struct file_info {
	file_id_t number;
	uint64_t bytes;
	seq_t last_seq;		/* highest noted, 0: none */
	bool is_in_use, is_pinned;	/* what is pinned is in use */
	bool has_users;		/* it is read or written now */
};

/* Makes the directory unless it is read-only. New numbers begin above every
 * file that is there, too. The vfs is borrowed until file_set_close. Owned. */
int file_set_open(struct vfs *vfs, const struct file_set_options *options,
		  struct file_set **ret);
void file_set_close(struct file_set *set);	/* without sync; takes NULL */
/* The lowest number not given away: for the manifest. */
file_id_t file_set_next(struct file_set *set);
/* The first file above this number; AEDB_NOT_FOUND. Opens one whose size is
 * not known yet. */
int file_set_info(struct file_set *set, file_id_t above, struct file_info *ret);
/* The lowest number above this one of a file that is there, or 0. No I/O. */
file_id_t file_set_above(struct file_set *set, file_id_t above);
size_t file_set_memory_bytes(struct file_set *set);	/* allocated */
/* Writes the path of a file, at most FILE_SET_PATH_BYTES. */
void file_set_path(const struct file_set *set, file_id_t number, char *ret);
/* The file with an open descriptor; file_set_unuse follows. */
int file_set_use(struct file_set *set, file_id_t number, struct page_file **ret);
void file_set_unuse(struct file_set *set, struct page_file *file);
/* Makes the next file with its header; in use, its name not yet on the disk.
 * AEDB_NO_SPACE, AEDB_IO, AEDB_READ_ONLY, AEDB_NO_MEMORY: there is none. */
int file_set_create(struct file_set *set, enum file_syncing syncing,
		    struct page_file **ret);
/* Keeps a file from being removed; the descriptor is not part of it. */
int file_set_pin(struct file_set *set, file_id_t number);
void file_set_unpin(struct file_set *set, file_id_t number);
/* A commit of this number refers to the file. */
void file_set_note_seq(struct file_set *set, file_id_t number, seq_t seq);
/* Who finds numbers does so inside this epoch, and pins a file before it leaves:
 * until then a removed one stays. Before the first removal; borrowed. */
void file_set_set_epoch(struct file_set *set, struct epoch *epoch);
/* Removes it once nobody uses or pins it or was inside the epoch; no such file:
 * success. A crash may bring it back until the next file_set_sync_names. */
int file_set_remove(struct file_set *set, file_id_t number);
/* Unlinks what had to wait for the epoch; file_set_info from 0 on does it, too. */
void file_set_collect(struct file_set *set);
/* 0, AEDB_READ_ONLY, or AEDB_IO when writing has stopped. */
int file_set_check_writable(struct file_set *set);
/* To a file in use that this open made. */
int file_set_write(struct file_set *set, struct page_file *file,
		   const struct iovec *iov, int iovcnt, uint64_t offset);
/* Gives back space behind a file, unless others use it; none begins to write. */
void file_set_trim(struct file_set *set, struct page_file *file);
int file_set_sync_file(struct file_set *set, struct page_file *file);
/* Some file was written since the last sync of it began (no I/O); syncs them. */
bool file_set_is_dirty(struct file_set *set);
int file_set_sync(struct file_set *set);
/* Files of an earlier open, with their names. */
int file_set_sync_earlier(struct file_set *set, const file_id_t *numbers, size_t n);
/* Names made and removed are on the disk. */
int file_set_sync_names(struct file_set *set);

#endif
