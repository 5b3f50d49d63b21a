/*
 * Packing and unpacking through a vfs; see aedb_archive.h.
 *
 * Threads, errors: as there.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "aedb_archive.h"
#include "vfs.h"

int archive_pack(struct vfs *vfs, int fd,
		 const struct aedb_archive_options *options,
		 struct aedb_archive_info *ret);
/* vfs NULL: nothing is written. */
int archive_unpack(int fd, struct vfs *vfs,
		   const struct aedb_archive_options *options,
		   struct aedb_archive_info *ret);

#endif
