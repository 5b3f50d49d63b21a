/*
 * The attribute blob:
 *
 *	version		1 byte, 1
 *	fields		1 byte: enum attr_field, which of these follow, in order
 *	mode uid gid	varint each
 *	atime		8 bytes, little-endian, ns since 1970
 *	flags		varint
 *	xattrs, sorted by name, up to the end:
 *		name	1 byte length, then "user." left out: 1..250 bytes
 *		value	varint length, then the bytes
 *
 * Invariants:
 * 1. Every number has one encoding (bytes.h), xattrs are sorted by name and no
 *    name is there twice.
 * 2. Everything is checked on the way in, because the engine does not know the
 *    format and checks only that the bytes are those written.
 */
#include "attr.h"

#include "bytes.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ATTR_VERSION 1
#define ATTR_FIELDS_ALL (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_FLAGS)

_Static_assert(2 + 3 * 5 + 8 + 5 <= ATTR_HEAD_BYTES_MAX, "a head fits");

static const char user_prefix[] = "user.";
enum { USER_BYTES = sizeof(user_prefix) - 1 };

/* Head. */

static uint32_t read_u32(struct byte_reader *r)
{
	uint64_t v = byte_reader_varint(r);

	if (v > UINT32_MAX)
		r->is_bad = true;
	return (uint32_t)v;
}

/* Reads the head up to the mode. */
static inline int head_begin(struct byte_reader *r, struct fs_attr *attr)
{
	uint8_t version = byte_reader_u8(r);

	attr->present = byte_reader_u8(r);
	if (!r->is_bad && version > ATTR_VERSION)
		return -EOPNOTSUPP;
	if (r->is_bad || version == 0 || attr->present & ~ATTR_FIELDS_ALL)
		return -EIO;
	if (attr->present & ATTR_MODE)
		attr->mode = read_u32(r);
	return r->is_bad ? -EIO : 0;
}

/* Reads the head; the reader then stands at the xattrs. */
static int head_read(struct byte_reader *r, struct fs_attr *attr)
{
	int rc = head_begin(r, attr);

	if (rc < 0)
		return rc;
	if (attr->present & ATTR_UID)
		attr->uid = read_u32(r);
	if (attr->present & ATTR_GID)
		attr->gid = read_u32(r);
	if (attr->present & ATTR_ATIME)
		attr->atime_ns = (int64_t)byte_reader_le64(r);
	if (attr->present & ATTR_FLAGS)
		attr->flags = read_u32(r);
	return r->is_bad ? -EIO : 0;
}

int attr_decode(const void *blob, size_t blob_bytes, mode_t type,
		const struct attr_defaults *defaults, struct fs_attr *ret)
{
	uint32_t bits = S_ISDIR(type) ? 0777 : 0666;
	struct fs_attr attr = {
		.mode = (type & S_IFMT) | (bits & ~defaults->umask),
		.uid = defaults->uid,
		.gid = defaults->gid,
	};
	struct byte_reader r;
	int rc;

	if (blob && blob_bytes) {
		byte_reader_init(&r, blob, blob_bytes);
		rc = head_read(&r, &attr);
		if (rc < 0)
			return rc;
	}
	*ret = attr;
	return 0;
}

int attr_decode_type(const void *blob, size_t blob_bytes, mode_t type,
		     mode_t *ret)
{
	struct fs_attr attr = { .mode = type };
	struct byte_reader r;
	int rc = 0;

	if (blob && blob_bytes) {
		byte_reader_init(&r, blob, blob_bytes);
		rc = head_begin(&r, &attr);
	}
	if (rc == 0)
		*ret = attr.mode & S_IFMT;
	return rc;
}

size_t attr_encode(const struct fs_attr *attr, uint8_t ret[ATTR_HEAD_BYTES_MAX])
{
	struct byte_writer w;

	byte_writer_init(&w, ret, ATTR_HEAD_BYTES_MAX);
	byte_writer_u8(&w, ATTR_VERSION);
	byte_writer_u8(&w, (uint8_t)attr->present);
	if (attr->present & ATTR_MODE)
		byte_writer_varint(&w, attr->mode);
	if (attr->present & ATTR_UID)
		byte_writer_varint(&w, attr->uid);
	if (attr->present & ATTR_GID)
		byte_writer_varint(&w, attr->gid);
	if (attr->present & ATTR_ATIME)
		byte_writer_le64(&w, (uint64_t)attr->atime_ns);
	if (attr->present & ATTR_FLAGS)
		byte_writer_varint(&w, attr->flags);
	return byte_writer_used(&w);
}

/* Xattrs. */

/* One xattr of a blob; all borrowed from it. */
struct item {
	const uint8_t *start, *end;	/* the whole encoding */
	const uint8_t *name, *value;
	size_t name_bytes, value_bytes;	/* the name's without "user." */
};

/* False at the end and at damage, which r->is_bad tells apart. */
static bool item_next(struct byte_reader *r, struct item *ret)
{
	if (r->is_bad || byte_reader_left(r) == 0)
		return false;
	ret->start = r->at;
	ret->name_bytes = byte_reader_u8(r);
	ret->name = byte_reader_take(r, ret->name_bytes);
	ret->value_bytes = byte_reader_varint(r);
	ret->value = byte_reader_take(r, ret->value_bytes);
	ret->end = r->at;
	if (!r->is_bad && (ret->name_bytes == 0 ||
			   ret->name_bytes > ATTR_XATTR_NAME_MAX - USER_BYTES ||
			   memchr(ret->name, '\0', ret->name_bytes)))
		r->is_bad = true;
	return !r->is_bad;
}

/* Order of an item's name and a name without "user.". */
static int item_compare(const struct item *item, const char *name)
{
	size_t n = strlen(name);
	int order = memcmp(item->name, name,
			   item->name_bytes < n ? item->name_bytes : n);

	return order ? order : (item->name_bytes > n) - (item->name_bytes < n);
}

/* A reader at the blob's xattrs, past its head. */
static int items_open(const void *blob, size_t blob_bytes,
		      struct byte_reader *ret)
{
	struct fs_attr attr;

	byte_reader_init(ret, blob ? blob : "", blob ? blob_bytes : 0);
	return byte_reader_left(ret) ? head_read(ret, &attr) : 0;
}

int attr_validate(const void *blob, size_t blob_bytes)
{
	struct item item, last = { .name = NULL };
	struct byte_reader r;
	int rc;

	if (blob_bytes > ATTR_BYTES_MAX)
		return -EIO;
	rc = items_open(blob, blob_bytes, &r);
	if (rc < 0)
		return rc;
	while (item_next(&r, &item)) {
		char name[ATTR_XATTR_NAME_MAX + 1];

		memcpy(name, item.name, item.name_bytes);
		name[item.name_bytes] = '\0';
		if (last.name && item_compare(&last, name) >= 0)
			return -EIO;
		last = item;
	}
	return r.is_bad ? -EIO : 0;
}

void attr_show(const void *blob, size_t blob_bytes, FILE *out)
{
	struct fs_attr attr = { 0 };
	struct byte_reader r;
	struct item item;

	byte_reader_init(&r, blob, blob_bytes);
	if (blob_bytes && head_read(&r, &attr) < 0) {
		fprintf(out, "attributes: damaged or of a newer version\n");
		return;
	}
	if (attr.present & ATTR_MODE)
		fprintf(out, "mode %06o\n", attr.mode);
	if (attr.present & ATTR_UID)
		fprintf(out, "uid %u\n", attr.uid);
	if (attr.present & ATTR_GID)
		fprintf(out, "gid %u\n", attr.gid);
	if (attr.present & ATTR_ATIME)
		fprintf(out, "atime %lld ns\n", (long long)attr.atime_ns);
	if (attr.present & ATTR_FLAGS)
		fprintf(out, "flags %08x\n", attr.flags);
	while (item_next(&r, &item))
		fprintf(out, "xattr %s%.*s %zu bytes\n", user_prefix,
			(int)item.name_bytes, item.name, item.value_bytes);
	if (r.is_bad)
		fprintf(out, "xattrs: damaged\n");
}

int attr_xattr_check_name(const char *name)
{
	if (strlen(name) > ATTR_XATTR_NAME_MAX)
		return -ERANGE;
	if (strncmp(name, user_prefix, USER_BYTES) != 0)
		return -EOPNOTSUPP;
	return name[USER_BYTES] ? 0 : -EINVAL;
}

/* Finds an xattr; -ENODATA then leaves ret->start where it belongs, NULL for
 * the end. */
static int item_find(const void *blob, size_t blob_bytes, const char *name,
		     struct item *ret)
{
	struct byte_reader r;
	int rc = attr_xattr_check_name(name);

	if (rc == 0)
		rc = items_open(blob, blob_bytes, &r);
	if (rc < 0)
		return rc;
	while (item_next(&r, ret)) {
		int order = item_compare(ret, name + USER_BYTES);

		if (order >= 0)
			return order ? -ENODATA : 0;
	}
	*ret = (struct item){ .start = NULL };
	return r.is_bad ? -EIO : -ENODATA;
}

int attr_xattr_get(const void *blob, size_t blob_bytes, const char *name,
		   void *buf, size_t size, size_t *ret)
{
	struct item item;
	int rc = item_find(blob, blob_bytes, name, &item);

	if (rc < 0)
		return rc;
	if (size && size < item.value_bytes)
		return -ERANGE;
	if (size && item.value_bytes)
		memcpy(buf, item.value, item.value_bytes);
	*ret = item.value_bytes;
	return 0;
}

int attr_xattr_list(const void *blob, size_t blob_bytes, char *buf, size_t size,
		    size_t *ret)
{
	struct byte_reader r;
	struct item item;
	size_t used = 0;
	int rc = items_open(blob, blob_bytes, &r);

	if (rc < 0)
		return rc;
	while (item_next(&r, &item)) {
		size_t n = USER_BYTES + item.name_bytes + 1;

		if (size && n > size - used)
			return -ERANGE;
		if (size) {
			memcpy(buf + used, user_prefix, USER_BYTES);
			memcpy(buf + used + USER_BYTES, item.name, item.name_bytes);
			buf[used + n - 1] = '\0';
		}
		used += n;
	}
	if (r.is_bad)
		return -EIO;
	*ret = used;
	return 0;
}

/* A blob made from another. */

void attr_blob_release(struct attr_blob *blob)
{
	free(blob->bytes);
	*blob = (struct attr_blob){ NULL, 0 };
}

/* What a new blob consists of, in order. */
struct parts {
	const void *head, *middle, *tail;
	size_t head_bytes, middle_bytes, tail_bytes;
};

static int parts_join(const struct parts *parts, struct attr_blob *ret)
{
	size_t n = parts->head_bytes + parts->middle_bytes + parts->tail_bytes;
	struct byte_writer w;
	uint8_t *bytes;

	if (n > ATTR_BYTES_MAX)
		return -ENOSPC;
	bytes = malloc(n);
	if (!bytes)
		return -ENOMEM;
	byte_writer_init(&w, bytes, n);
	byte_writer_put(&w, parts->head, parts->head_bytes);
	byte_writer_put(&w, parts->middle, parts->middle_bytes);
	byte_writer_put(&w, parts->tail, parts->tail_bytes);
	*ret = (struct attr_blob){ bytes, n };
	return 0;
}

int attr_replace(const void *blob, size_t blob_bytes, const struct fs_attr *attr,
		 struct attr_blob *ret)
{
	uint8_t head[ATTR_HEAD_BYTES_MAX];
	struct byte_reader r;
	int rc = items_open(blob, blob_bytes, &r);

	if (rc < 0)
		return rc;
	return parts_join(&(struct parts){
		.head = head, .head_bytes = attr_encode(attr, head),
		.tail = r.at, .tail_bytes = byte_reader_left(&r),
	}, ret);
}

/* A head without its access time, and a reader at the xattrs. */
static int head_open(const void *blob, size_t blob_bytes, struct byte_reader *r,
		     struct fs_attr *ret)
{
	int rc;

	*ret = (struct fs_attr){ .present = 0 };
	byte_reader_init(r, blob ? blob : "", blob ? blob_bytes : 0);
	rc = byte_reader_left(r) ? head_read(r, ret) : 0;
	ret->present &= ~(unsigned)ATTR_ATIME;
	ret->atime_ns = 0;
	return rc;
}

bool attr_is_same_but_atime(const void *a, size_t a_bytes, const void *b,
			    size_t b_bytes)
{
	struct byte_reader x, y;
	struct fs_attr of_a, of_b;

	if (head_open(a, a_bytes, &x, &of_a) < 0 ||
	    head_open(b, b_bytes, &y, &of_b) < 0)
		return false;
	return of_a.present == of_b.present && of_a.mode == of_b.mode &&
	       of_a.uid == of_b.uid && of_a.gid == of_b.gid &&
	       of_a.flags == of_b.flags &&
	       byte_reader_left(&x) == byte_reader_left(&y) &&
	       memcmp(x.at, y.at, byte_reader_left(&x)) == 0;
}

int attr_take_atime(const void *blob, size_t blob_bytes, const void *of,
		    size_t of_bytes, struct attr_blob *ret)
{
	static const struct attr_defaults none;
	struct byte_reader r;
	struct fs_attr attr, from;
	int rc = attr_decode(of, of_bytes, 0, &none, &from);

	if (rc == 0)
		rc = head_open(blob, blob_bytes, &r, &attr);
	if (rc < 0)
		return rc;
	attr.present |= from.present & ATTR_ATIME;
	attr.atime_ns = from.atime_ns;
	return attr_replace(blob, blob_bytes, &attr, ret);
}

/* The old blob with `middle` in the place of item, or where it belongs. */
static int item_replace(const void *blob, size_t blob_bytes,
			const struct item *item, const struct byte_writer *middle,
			struct attr_blob *ret)
{
	static const uint8_t empty_head[] = { ATTR_VERSION, 0 };
	const uint8_t *old = blob, *end = old + blob_bytes;
	const uint8_t *cut = item->start ? item->start : end;
	const uint8_t *rest = item->end ? item->end : cut;
	struct parts parts = { old, middle->start, rest, (size_t)(cut - old),
			       byte_writer_used(middle), (size_t)(end - rest) };

	if (!blob || blob_bytes == 0) {
		parts = (struct parts){ empty_head, middle->start, NULL,
					sizeof(empty_head),
					byte_writer_used(middle), 0 };
	}
	return parts_join(&parts, ret);
}

/* A mode, an owner and a time fit beside the xattrs whatever they are, and
 * listxattr(2) gives all their names. */
static bool leaves_room(const struct attr_blob *blob)
{
	struct byte_reader r;
	size_t names;

	return items_open(blob->bytes, blob->n, &r) == 0 &&
	       byte_reader_left(&r) <= ATTR_BYTES_MAX - ATTR_HEAD_BYTES_MAX &&
	       attr_xattr_list(blob->bytes, blob->n, NULL, 0, &names) == 0 &&
	       names <= XATTR_LIST_MAX;
}

int attr_xattr_set(const void *blob, size_t blob_bytes,
		   const struct attr_xattr *xattr, struct attr_blob *ret)
{
	const char *name = xattr->name + USER_BYTES;
	struct attr_blob new;
	struct byte_writer w;
	struct item item;
	uint8_t *room;
	int rc = item_find(blob, blob_bytes, xattr->name, &item);

	if (rc < 0 && rc != -ENODATA)
		return rc;
	if (xattr->flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (xattr->value_bytes > ATTR_XATTR_VALUE_MAX)
		return -E2BIG;
	if (rc == 0 && xattr->flags & XATTR_CREATE)
		return -EEXIST;
	if (rc == -ENODATA && xattr->flags & XATTR_REPLACE)
		return -ENODATA;
	if (rc == -ENODATA)
		item.end = item.start;	/* nothing is taken out */
	room = malloc(1 + strlen(name) + BYTES_VARINT_MAX + xattr->value_bytes);
	if (!room)
		return -ENOMEM;
	byte_writer_init(&w, room, 1 + strlen(name) + BYTES_VARINT_MAX +
				   xattr->value_bytes);
	byte_writer_u8(&w, (uint8_t)strlen(name));
	byte_writer_put(&w, name, strlen(name));
	byte_writer_varint(&w, xattr->value_bytes);
	byte_writer_put(&w, xattr->value, xattr->value_bytes);
	rc = item_replace(blob, blob_bytes, &item, &w, &new);
	free(room);
	if (rc < 0)
		return rc;
	if (!leaves_room(&new)) {
		attr_blob_release(&new);
		return -ENOSPC;
	}
	*ret = new;
	return 0;
}

int attr_xattr_remove(const void *blob, size_t blob_bytes, const char *name,
		      struct attr_blob *ret)
{
	struct byte_writer nothing;
	struct item item;
	int rc = item_find(blob, blob_bytes, name, &item);

	if (rc < 0)
		return rc;
	byte_writer_init(&nothing, "", 0);
	return item_replace(blob, blob_bytes, &item, &nothing, ret);
}
