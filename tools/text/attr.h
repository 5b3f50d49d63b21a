/*
 * The attribute blob that the engine keeps with an entry: mode, owner, access
 * time and extended attributes.
 *
 * An entry without a blob, or a blob without a field (written by the library,
 * or by a mount that changed another field only) shows the mount's defaults.
 * Sizes and modification times are the engine's and not in here.
 *
 * Threads: no state. Errors: negative errno values, as the manual pages of the
 * system calls have them.
 */
#ifndef ATTR_H
#define ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ATTR_BYTES_MAX 65535		/* of a blob: AEDB_ATTR_BYTES_MAX */
#define ATTR_HEAD_BYTES_MAX 40		/* of a blob without xattrs */
#define ATTR_XATTR_NAME_MAX 255
#define ATTR_XATTR_VALUE_MAX 65536

enum attr_field {
	ATTR_MODE = 1,
	ATTR_UID = 2,
	ATTR_GID = 4,
	ATTR_ATIME = 8,
	ATTR_FLAGS = 16,
};

struct fs_attr {
	uint32_t mode;		/* with the type, S_IFMT */
	uint32_t uid, gid;
	int64_t atime_ns;	/* valid with ATTR_ATIME; else show the mtime */
	uint32_t flags;		/* kept as they are; 0 so far */
	unsigned present;	/* enum attr_field: what the blob has, and what an
				 * encode stores; the rest are defaults */
};

/* Constant after the options were read. */
struct attr_defaults {
	uint32_t uid, gid;
	uint32_t umask;		/* files 0666 and directories 0777 without these */
};

/* The attributes of a blob; type (S_IFREG, S_IFDIR) holds where the blob has no
 * mode. blob may be NULL. -EIO: not a valid blob; -EOPNOTSUPP: of a newer
 * version. */
int attr_decode(const void *blob, size_t blob_bytes, mode_t type,
		const struct attr_defaults *defaults, struct fs_attr *ret);
/* Of the mode the type alone (S_IFMT). */
int attr_decode_type(const void *blob, size_t blob_bytes, mode_t type,
		     mode_t *ret);
/* 0 when the whole blob, with its xattrs, is well-formed. */
int attr_validate(const void *blob, size_t blob_bytes);
/* One line per field and xattr. */
void attr_show(const void *blob, size_t blob_bytes, FILE *out);

/* A blob with the present fields and no xattrs; returns its length. */
size_t attr_encode(const struct fs_attr *attr, uint8_t ret[ATTR_HEAD_BYTES_MAX]);

/* A blob made from another; owned, attr_blob_release. */
struct attr_blob {
	uint8_t *bytes;
	size_t n;
};
void attr_blob_release(struct attr_blob *blob);

/* The old blob with these attributes instead of its own, keeping its xattrs.
 * -ENOSPC: over ATTR_BYTES_MAX; -ENOMEM, -EIO. */
int attr_replace(const void *blob, size_t blob_bytes, const struct fs_attr *attr,
		 struct attr_blob *ret);

/* Whether both say the same of everything but the access time. */
bool attr_is_same_but_atime(const void *a, size_t a_bytes, const void *b,
			    size_t b_bytes);
/* The blob with the access time of another, or as that without one. -ENOMEM,
 * -EIO. */
int attr_take_atime(const void *blob, size_t blob_bytes, const void *of,
		    size_t of_bytes, struct attr_blob *ret);

/* 0 for a name the mount keeps (user.*); -EOPNOTSUPP for other name spaces,
 * -EINVAL without a name behind "user.", -ERANGE over 255 bytes. */
int attr_xattr_check_name(const char *name);
/* Copies the value and sets *ret to its length; size 0: only the length.
 * -ENODATA, -ERANGE (buf too small), -EIO, and as attr_xattr_check_name. */
int attr_xattr_get(const void *blob, size_t blob_bytes, const char *name,
		   void *buf, size_t size, size_t *ret);
/* Copies the names, each with a NUL, and sets *ret to their length; size 0:
 * only the length. -ERANGE, -EIO. */
int attr_xattr_list(const void *blob, size_t blob_bytes, char *buf, size_t size,
		    size_t *ret);

struct attr_xattr {
	const char *name;
	const void *value;
	size_t value_bytes;
	int flags;		/* XATTR_CREATE, XATTR_REPLACE, 0 */
};

/* The old blob with the xattr set. -EEXIST (create), -ENODATA (replace),
 * -E2BIG (value over 64 KiB), -ENOSPC (over ATTR_BYTES_MAX with a head, or names
 * over 64 KiB), -EINVAL (flags), -ENOMEM, -EIO, and as attr_xattr_check_name. */
int attr_xattr_set(const void *blob, size_t blob_bytes,
		   const struct attr_xattr *xattr, struct attr_blob *ret);
/* The old blob without it; -ENODATA and the others of set. */
int attr_xattr_remove(const void *blob, size_t blob_bytes, const char *name,
		      struct attr_blob *ret);

#endif
