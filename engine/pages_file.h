/*
 * The file below a page file's interface: its header and its slots.
 *
 * A page has a slot of page_bytes, number `id` at FILE_DATA_OFFSET + id *
 * page_bytes; in it a page (page.h) of kind PAGE_USER, stored plain, and zeros.
 *
 *	pages_file_open(vfs, name, VFS_CREATE, page_bytes, &file);
 *	pages_slot_seal(&file, id, bytes, n, slot);	-- and write it
 *	pages_slot_check(&file, id, slot, &bytes);	-- what was read
 *	pages_file_close(&file);
 *
 * Threads: constant after open. Errors: AEDB_CORRUPT names file and position.
 */
#ifndef PAGES_FILE_H
#define PAGES_FILE_H

#include <stdbool.h>

#include "page.h"

#define PAGES_BYTES_MIN 256u
#define PAGES_BYTES_MAX (16u << 20)

/* Owned by the caller. */
struct pages_file {
	struct vfs_file *handle;
	struct seal seal;
	struct file_header header;
	uint32_t page_bytes;
	uint64_t count;		/* pages there were at open */
	uint32_t cut_bytes;	/* of a page that the end of the file cuts off */
	bool is_new;
};

/* Opens the file and takes its lock; with VFS_CREATE it is made if it is not
 * there. page_bytes 0: what the file says. */
int pages_file_open(struct vfs *vfs, const char *name, unsigned flags,
		    uint32_t page_bytes, struct pages_file *ret);
void pages_file_close(struct pages_file *file);
/* AEDB_CORRUPT when the file ends with a part of a page. */
int pages_file_check_end(const struct pages_file *file);

uint64_t pages_slot_offset(const struct pages_file *file, uint64_t id);
/* Bytes that a page can hold. */
size_t pages_slot_room(const struct pages_file *file);
/* Makes a whole slot of 1 to pages_slot_room bytes. */
void pages_slot_seal(const struct pages_file *file, uint64_t id,
		     const void *bytes, size_t n, uint8_t *slot);
/* Whether all page_bytes of a slot are what was made for it; its bytes are then
 * readable in place. */
int pages_slot_check(const struct pages_file *file, uint64_t id, uint8_t *slot,
		     struct aedb_bytes *ret);

#endif
