/* Files of a mount as lines of a dump. */
#include "dump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "dump_value.h"
#include "failure.h"

static int file_failure(const struct dump_file *file, int err)
{
	return failure_system(err, "%s", file->what);
}

static int64_t time_ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* What stat says. */
static int take_fields(struct dump_file *file)
{
	struct fs_attr attr = {
		.mode = file->st.st_mode,
		.uid = file->st.st_uid, .gid = file->st.st_gid,
		.atime_ns = time_ns(file->st.st_atim),
		.present = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME,
	};

	file->attr.bytes = malloc(ATTR_HEAD_BYTES_MAX);
	if (!file->attr.bytes)
		return file_failure(file, ENOMEM);
	file->attr.n = attr_encode(&attr, file->attr.bytes);
	return 0;
}

static int take_xattr(struct dump_file *file, const char *name)
{
	static char value[XATTR_SIZE_MAX];
	struct attr_xattr xattr = { .name = name, .value = value };
	ssize_t n = fgetxattr(file->fd, name, value, sizeof(value));
	struct attr_blob with;
	int rc;

	if (n < 0)
		return errno == ENODATA ? 0 : file_failure(file, errno);
	xattr.value_bytes = (size_t)n;
	rc = attr_xattr_set(file->attr.bytes, file->attr.n, &xattr, &with);
	if (rc < 0)
		return file_failure(file, -rc);
	attr_blob_release(&file->attr);
	file->attr = with;
	return 0;
}

static int take_xattrs(struct dump_file *file)
{
	static char names[XATTR_LIST_MAX];
	ssize_t n = flistxattr(file->fd, names, sizeof(names));
	int rc = 0;

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : file_failure(file, errno);
	for (ssize_t at = 0; at < n && rc == 0;
	     at += (ssize_t)strlen(names + at) + 1)
		if (attr_xattr_check_name(names + at) == 0)
			rc = take_xattr(file, names + at);
	return rc;
}

static int take_link(struct dump_file *file, int dirfd, const char *name)
{
	size_t room = (size_t)file->st.st_size + 1;
	ssize_t n;

	file->link = malloc(room);
	n = file->link ? readlinkat(dirfd, name, file->link, room) : -1;
	if (n < 0 || (size_t)n == room)
		return file_failure(file, n < 0 ? errno : EIO);
	file->st.st_size = n;
	return 0;
}

static int fill(struct dump_file *file, int dirfd, const char *name)
{
	if (fstatat(dirfd, name, &file->st, AT_SYMLINK_NOFOLLOW) < 0)
		return file_failure(file, errno);
	if (S_ISLNK(file->st.st_mode))
		return take_link(file, dirfd, name);
	if (!S_ISREG(file->st.st_mode) && !S_ISDIR(file->st.st_mode)) {
		file->st.st_size = 0;
		return 0;
	}
	file->fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
			  O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &file->st) < 0)
		return file_failure(file, errno);
	return 0;
}

int dump_file_open(int dirfd, const char *name, const char *what,
		   struct dump_file *ret)
{
	struct dump_file file = { .fd = -1, .what = what };
	int rc = fill(&file, dirfd, name);

	if (rc == 0)
		rc = take_fields(&file);
	if (rc == 0 && file.fd >= 0)
		rc = take_xattrs(&file);
	if (rc < 0)
		dump_file_release(&file);
	else
		*ret = file;
	return rc;
}

void dump_file_release(struct dump_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	attr_blob_release(&file->attr);
	free(file->link);
}

int dump_file_put(const struct dump_source *source, const struct dump_file *file,
		  enum dump_kind kind, const struct aedb_bytes *name,
		  struct dump_output *output)
{
	struct dump_value value = { .fd = file->fd, .what = file->what };
	struct dump_line line = {
		.kind = kind, .name = name->at, .name_bytes = name->n,
		.mtime_ns = time_ns(file->st.st_mtim),
		.attr = file->attr.bytes, .attr_bytes = file->attr.n,
		.value = file->link ? file->link : "",
	};

	/* a snapshot's root shows when it was taken */
	if (kind == DUMP_DATABASE)
		line.mtime_ns = AEDB_MTIME_NONE;
	if (kind == DUMP_KEY)
		line.bytes = line.value_bytes = (size_t)file->st.st_size;
	if (line.bytes && !file->link)
		return dump_value_put(source, &line, &value, output);
	return dump_source_put(source, &line, output);
}
