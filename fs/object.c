/* Entries of the engine -> objects -> struct stat. */
#include "object.h"

#include <stdlib.h>
#include <string.h>

#include "pin.h"

#define BLOCK_BYTES 4096
#define STREAM_BYTES (64 << 10)
#define SECTOR_BYTES 512

int object_decode(const struct aedb_entry *entry, mode_t type,
		  const struct attr_defaults *defaults, struct object *ret)
{
	int rc = attr_decode(entry->attr, entry->attr_bytes, type, defaults,
			     &ret->attr);

	if (rc < 0)
		return rc;
	ret->id = entry->id;
	ret->version = entry->version;
	ret->bytes = S_ISDIR(ret->attr.mode) ? 0 : entry->value_bytes;
	ret->allocated_bytes = ret->bytes;
	ret->mtime_ns = entry->mtime_ns;
	ret->ctime_ns = entry->time_ns;
	return 0;
}

int object_decode_type(const struct aedb_entry *entry, mode_t type,
		       struct object *ret)
{
	ret->id = entry->id;
	ret->version = entry->version;
	return attr_decode_type(entry->attr, entry->attr_bytes, type,
				&ret->attr.mode);
}

static uint64_t implicit_id(uint64_t parent_id, const char *name)
{
	uint64_t h = (parent_id + 1) * UINT64_C(0x9E3779B97F4A7C15);

	for (; *name; name++) {
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
		h ^= h >> 29;
	}
	h *= UINT64_C(0xD6E8FEB86659FD93);
	h ^= h >> 32;
	return (h & (OBJECT_IMPLICIT_BIT - 1)) | OBJECT_IMPLICIT_BIT;
}

void object_implicit(uint64_t parent_id, const char *name,
		     const struct aedb_entry *first,
		     const struct attr_defaults *defaults, struct object *ret)
{
	memset(ret, 0, sizeof(*ret));
	(void)attr_decode(NULL, 0, S_IFDIR, defaults, &ret->attr);
	ret->id = implicit_id(parent_id, name);
	ret->mtime_ns = first->time_ns;
	ret->ctime_ns = first->time_ns;
}

struct object_draft *object_draft_new(const struct aedb_entry *entry,
				      mode_t type,
				      const struct attr_defaults *defaults)
{
	struct object_draft *draft = calloc(1, sizeof(*draft));

	if (!draft)
		return NULL;
	if (object_decode(entry, type, defaults, &draft->object) < 0)
		goto fail;
	if (entry->attr_bytes) {
		draft->blob.bytes = malloc(entry->attr_bytes);
		if (!draft->blob.bytes)
			goto fail;
		memcpy(draft->blob.bytes, entry->attr, entry->attr_bytes);
		draft->blob.n = entry->attr_bytes;
	}
	return draft;
fail:
	object_draft_free(draft);
	return NULL;
}

void object_draft_free(struct object_draft *draft)
{
	if (!draft)
		return;
	attr_blob_release(&draft->blob);
	pin_unref(draft->value);
	free(draft);
}

static struct timespec timespec_of_ns(int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += 1000000000;
	}
	return ts;
}

void object_stat(const struct object *object, struct stat *ret)
{
	const struct fs_attr *attr = &object->attr;

	memset(ret, 0, sizeof(*ret));
	ret->st_ino = object->id;
	ret->st_mode = attr->mode;
	ret->st_nlink = 1;
	ret->st_uid = attr->uid;
	ret->st_gid = attr->gid;
	ret->st_size = (off_t)object->bytes;
	/* Every read(2) is a request: who streams should ask for much. */
	ret->st_blksize = object->bytes > AEDB_VALUE_INLINE_MAX ?
			  STREAM_BYTES : BLOCK_BYTES;
	ret->st_blocks = (blkcnt_t)((object->allocated_bytes + SECTOR_BYTES - 1) /
				    SECTOR_BYTES);
	ret->st_mtim = timespec_of_ns(object->mtime_ns);
	ret->st_ctim = timespec_of_ns(object->ctime_ns);
	ret->st_atim = attr->present & ATTR_ATIME ?
			       timespec_of_ns(attr->atime_ns) : ret->st_mtim;
}
