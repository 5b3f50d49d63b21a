/*
 * The floor of the mount benchmark: a FUSE daemon that keeps bytes in memory
 * and does nothing else, with exactly the flags of the real mount. What an
 * operation costs here is what the kernel and the round trip cost.
 *
 * Invariants:
 * 1. One thread receives and answers in order, so nothing is locked.
 * 2. A node lives while it has a name, a lookup of the kernel's, or a handle.
 * 3. The kernel keeps a file's attributes only while nobody writes it, and
 *    from its creation to the first write. It is told to drop them in an open
 *    for writing and after each flush, unless it has none: it drops them itself
 *    at the end of a write and of an open with O_TRUNC.
 * 4. A directory's entries are in cookie order, and a cookie is never reused.
 *
 * With --backing=FILE one file at a time may outgrow FLOOR_MEMORY_BYTES; all
 * of its bytes then lie at their own offsets in FILE, which is preallocated.
 *
 * It has no symbolic or hard links, no attributes of users, no exchange, and
 * no durability; it trusts its caller and stops on the first lack of memory.
 */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FLOOR_BUCKETS (1u << 18)
#define FLOOR_MEMORY_BYTES (64u << 10)
#define FLOOR_MEMORY_MAX (1ull << 32)
#define FLOOR_BACKGROUND_MAX 4096
#define FLOOR_DIRENT_BYTES_MAX (1u << 20)
#define LONG_TIMEOUT_S 86400.0

struct node {
	struct node *hash_next;
	struct node *parent;		/* NULL once the last name is gone */
	struct node *next, *prev;	/* siblings in cookie order */
	struct node *first, *last;	/* children in cookie order */
	char *name;
	uint64_t cookie;
	uint64_t children;
	uint64_t removals;		/* of children, ever: stale cursors */
	struct stat st;
	unsigned char *data;		/* NULL while the backing file holds it */
	size_t data_bytes;
	uint64_t lookups;
	unsigned handles, writers;
	bool is_told;			/* the kernel may keep its attributes */
};

/* Where a directory handle stands: valid while nothing was removed. */
struct cursor {
	struct node *next;
	uint64_t cookie, removals;
};

static struct node root;
static struct node *buckets[FLOOR_BUCKETS];
static uint64_t last_ino = 1, last_cookie;
static int backing_fd = -1;
static struct node *backed;		/* the node whose bytes lie there */
static struct fuse_session *session;
static char dirents[FLOOR_DIRENT_BYTES_MAX];

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "floor: out of memory\n");
		abort();
	}
	return p;
}

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)ino;
}

static fuse_ino_t ino_of(struct node *n)
{
	return n == &root ? FUSE_ROOT_ID : (fuse_ino_t)n;
}

static struct timespec now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts;
}

static struct node **bucket_of(const struct node *dir, const char *name)
{
	uint64_t h = (uintptr_t)dir * 0x9e3779b97f4a7c15u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return &buckets[(h ^ h >> 32) % FLOOR_BUCKETS];
}

static struct node *child_find(const struct node *dir, const char *name)
{
	struct node *n = *bucket_of(dir, name);

	while (n && (n->parent != dir || strcmp(n->name, name) != 0))
		n = n->hash_next;
	return n;
}

static void child_link(struct node *dir, struct node *n, const char *name)
{
	struct node **bucket = bucket_of(dir, name);

	n->parent = dir;
	n->name = must(strdup(name));
	n->cookie = ++last_cookie;
	n->hash_next = *bucket;
	*bucket = n;
	n->prev = dir->last;
	n->next = NULL;
	*(dir->last ? &dir->last->next : &dir->first) = n;
	dir->last = n;
	dir->children++;
	dir->st.st_mtim = dir->st.st_ctim = now();
}

static void child_unlink(struct node *n)
{
	struct node *dir = n->parent;
	struct node **at = bucket_of(dir, n->name);

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	*(n->prev ? &n->prev->next : &dir->first) = n->next;
	*(n->next ? &n->next->prev : &dir->last) = n->prev;
	free(n->name);
	n->name = NULL;
	n->parent = NULL;
	dir->children--;
	dir->removals++;
	dir->st.st_mtim = dir->st.st_ctim = now();
}

static struct node *node_new(struct node *dir, const char *name, mode_t mode,
			     const struct fuse_ctx *ctx)
{
	struct node *n = must(calloc(1, sizeof(*n)));

	n->st.st_ino = ++last_ino;
	n->st.st_mode = mode;
	n->st.st_nlink = 1;
	n->st.st_blksize = 4096;
	n->st.st_uid = ctx->uid;
	n->st.st_gid = dir->st.st_mode & S_ISGID ? dir->st.st_gid : ctx->gid;
	if (S_ISDIR(mode))
		n->st.st_mode |= dir->st.st_mode & S_ISGID;
	n->st.st_atim = n->st.st_mtim = n->st.st_ctim = now();
	child_link(dir, n, name);
	return n;
}

static void node_free_unused(struct node *n)
{
	if (n->parent || n->lookups || n->handles || n == &root)
		return;
	if (backed == n)
		backed = NULL;
	free(n->data);
	free(n);
}

static void node_forget(fuse_ino_t ino, uint64_t lookups)
{
	struct node *n = node_of(ino);

	n->lookups -= lookups;
	node_free_unused(n);
}

/* Takes the name away; an open file stays, with no links. */
static void node_remove(struct node *n)
{
	child_unlink(n);
	n->st.st_nlink = 0;
	node_free_unused(n);
}

static double attr_timeout(struct node *n)
{
	if (n->writers)
		return 0;
	n->is_told = true;
	return LONG_TIMEOUT_S;
}

static void entry_fill(struct node *n, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = ino_of(n),
		.attr = n->st,
		.attr_timeout = attr_timeout(n),
		.entry_timeout = LONG_TIMEOUT_S,
	};
	n->lookups++;
}

static void reply_entry(fuse_req_t req, struct node *n)
{
	struct fuse_entry_param e;

	entry_fill(n, &e);
	if (fuse_reply_entry(req, &e) != 0)
		node_forget(e.ino, 1);
}

static void attributes_drop(struct node *n)
{
	if (!n->is_told)
		return;
	n->is_told = false;
	fuse_lowlevel_notify_inval_inode(session, ino_of(n), -1, 0);
}

/* Bytes */

static void size_set(struct node *n, uint64_t size)
{
	n->st.st_size = (off_t)size;
	n->st.st_blocks = (blkcnt_t)((size + 511) / 512);
}

static int backing_take(struct node *n)
{
	ssize_t size = (ssize_t)n->st.st_size;

	if (backed)
		return -ENOSPC;
	if (pwrite(backing_fd, n->data, (size_t)size, 0) != size)
		return -EIO;
	free(n->data);
	n->data = NULL;
	n->data_bytes = 0;
	backed = n;
	return 0;
}

/* Makes room for `end` bytes, in memory or in the backing file. */
static int room_make(struct node *n, uint64_t end)
{
	size_t room = n->data_bytes ? n->data_bytes : 128;

	if (n == backed || end <= n->data_bytes)
		return 0;
	if (end > FLOOR_MEMORY_BYTES && backing_fd >= 0)
		return backing_take(n);
	if (end > FLOOR_MEMORY_MAX)
		return -EFBIG;
	while (room < end)
		room *= 2;
	n->data = must(realloc(n->data, room));
	n->data_bytes = room;
	return 0;
}

/* Bytes between two sizes read as zeros. */
static int gap_zero(struct node *n, uint64_t from, uint64_t to)
{
	if (n == backed)
		return fallocate(backing_fd, FALLOC_FL_ZERO_RANGE, (off_t)from,
				 (off_t)(to - from)) ? -errno : 0;
	memset(n->data + from, 0, to - from);
	return 0;
}

static int node_truncate(struct node *n, uint64_t size)
{
	uint64_t old = (uint64_t)n->st.st_size;
	int rc = 0;

	if (size > old) {
		rc = room_make(n, size);
		if (rc == 0)
			rc = gap_zero(n, old, size);
	}
	if (rc < 0)
		return rc;
	if (size == 0 && backed == n)
		backed = NULL;
	size_set(n, size);
	n->st.st_mtim = n->st.st_ctim = now();
	return 0;
}

static int node_write(struct node *n, const char *buf, size_t bytes,
		      uint64_t offset)
{
	uint64_t end = offset + bytes;
	int rc = room_make(n, end);

	if (rc == 0 && offset > (uint64_t)n->st.st_size)
		rc = gap_zero(n, (uint64_t)n->st.st_size, offset);
	if (rc < 0)
		return rc;
	if (n != backed)
		memcpy(n->data + offset, buf, bytes);
	else if (pwrite(backing_fd, buf, bytes, (off_t)offset) != (ssize_t)bytes)
		return -EIO;
	if (end > (uint64_t)n->st.st_size)
		size_set(n, end);
	n->st.st_mtim = n->st.st_ctim = now();
	return 0;
}

/* Requests */

static void floor_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want |= conn->capable &
		      (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE);
	conn->max_background = FLOOR_BACKGROUND_MAX;
	conn->congestion_threshold = FLOOR_BACKGROUND_MAX * 3 / 4;
}

static void floor_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *n = child_find(node_of(parent), name);

	if (n)
		reply_entry(req, n);
	else
		fuse_reply_err(req, ENOENT);
}

static void floor_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(ino, lookups);
	fuse_reply_none(req);
}

static void floor_forget_multi(fuse_req_t req, size_t count,
			       struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		node_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void floor_getattr(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);

	(void)fi;
	fuse_reply_attr(req, &n->st, attr_timeout(n));
}

static void floor_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			  int to_set, struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);
	int rc = 0;

	(void)fi;
	if (to_set & FUSE_SET_ATTR_SIZE)
		rc = node_truncate(n, (uint64_t)attr->st_size);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (to_set & FUSE_SET_ATTR_MODE)
		n->st.st_mode = attr->st_mode;
	if (to_set & FUSE_SET_ATTR_UID)
		n->st.st_uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		n->st.st_gid = attr->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		n->st.st_atim = to_set & FUSE_SET_ATTR_ATIME_NOW ?
				now() : attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME)
		n->st.st_mtim = to_set & FUSE_SET_ATTR_MTIME_NOW ?
				now() : attr->st_mtim;
	n->st.st_ctim = now();
	fuse_reply_attr(req, &n->st, attr_timeout(n));
}

static void floor_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode)
{
	struct node *dir = node_of(parent);

	if (child_find(dir, name))
		fuse_reply_err(req, EEXIST);
	else
		reply_entry(req, node_new(dir, name, mode | S_IFDIR,
					  fuse_req_ctx(req)));
}

static void floor_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *n = child_find(node_of(parent), name);

	if (n)
		node_remove(n);
	fuse_reply_err(req, n ? 0 : ENOENT);
}

static void floor_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *n = child_find(node_of(parent), name);
	int error = !n ? ENOENT : n->children ? ENOTEMPTY : 0;

	if (!error)
		node_remove(n);
	fuse_reply_err(req, error);
}

static void floor_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			 fuse_ino_t new_parent, const char *new_name,
			 unsigned int flags)
{
	struct node *dir = node_of(new_parent);
	struct node *n = child_find(node_of(parent), name);
	struct node *old = child_find(dir, new_name);
	int error = 0;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		error = EINVAL;
	else if (!n)
		error = ENOENT;
	else if (old && flags & RENAME_NOREPLACE)
		error = EEXIST;
	else if (old && old->children)
		error = ENOTEMPTY;
	if (!error && old != n) {
		if (old)
			node_remove(old);
		child_unlink(n);
		child_link(dir, n, new_name);
		n->st.st_ctim = now();
	}
	fuse_reply_err(req, error);
}

static bool opens_for_writing(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

static void handle_open(struct node *n, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->noflush = !opens_for_writing(fi);
	n->handles++;
	n->writers += opens_for_writing(fi);
}

static void handle_close(struct node *n, const struct fuse_file_info *fi)
{
	n->handles--;
	n->writers -= opens_for_writing(fi);
	node_free_unused(n);
}

static void floor_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			 mode_t mode, struct fuse_file_info *fi)
{
	struct node *dir = node_of(parent);
	struct fuse_entry_param e;
	struct node *n;

	if (child_find(dir, name)) {
		fuse_reply_err(req, EEXIST);
		return;
	}
	n = node_new(dir, name, mode, fuse_req_ctx(req));
	handle_open(n, fi);
	entry_fill(n, &e);
	/* All views agree until the first WRITE, which makes the kernel drop
	 * these itself; 0 would cost a GETATTR inside this very open. */
	n->is_told = true;
	e.attr_timeout = LONG_TIMEOUT_S;
	if (fuse_reply_create(req, &e, fi) != 0) {
		handle_close(n, fi);
		node_forget(e.ino, 1);
	}
}

static void floor_open(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);

	if (fi->flags & O_TRUNC)
		node_truncate(n, 0);
	handle_open(n, fi);
	if (opens_for_writing(fi))
		attributes_drop(n);
	if (fuse_reply_open(req, fi) != 0)
		handle_close(n, fi);
}

static void floor_read(fuse_req_t req, fuse_ino_t ino, size_t bytes,
		       off_t offset, struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);
	static char buf[1 << 20];
	ssize_t got;

	(void)fi;
	if (offset >= n->st.st_size)
		bytes = 0;
	else if (bytes > (size_t)(n->st.st_size - offset))
		bytes = (size_t)(n->st.st_size - offset);
	if (n != backed) {
		fuse_reply_buf(req, (char *)n->data + offset, bytes);
		return;
	}
	got = pread(backing_fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf),
		    offset);
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, (size_t)got);
}

static void floor_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
			size_t bytes, off_t offset, struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);
	int rc;

	if (fi->flags & O_APPEND)
		offset = n->st.st_size;
	n->is_told = false;
	rc = node_write(n, buf, bytes, (uint64_t)offset);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_write(req, bytes);
}

static void floor_flush(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	if (opens_for_writing(fi))
		attributes_drop(node_of(ino));
	fuse_reply_err(req, 0);
}

static void floor_release(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	handle_close(node_of(ino), fi);
	fuse_reply_err(req, 0);
}

static void floor_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void floor_opendir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct cursor *cursor = must(calloc(1, sizeof(*cursor)));
	struct node *n = node_of(ino);

	n->handles++;
	cursor->next = n->first;
	cursor->removals = n->removals;
	fi->fh = (uintptr_t)cursor;
	if (fuse_reply_open(req, fi) != 0) {
		n->handles--;
		free(cursor);
	}
}

static void floor_releasedir(fuse_req_t req, fuse_ino_t ino,
			     struct fuse_file_info *fi)
{
	struct node *n = node_of(ino);

	n->handles--;
	node_free_unused(n);
	free((struct cursor *)fi->fh);
	fuse_reply_err(req, 0);
}

/* The first entry after the cookie `offset`. */
static struct node *dir_seek(struct node *dir, const struct cursor *cursor,
			     uint64_t offset)
{
	struct node *n = dir->first;

	if (!dir->last || dir->last->cookie <= offset)
		return NULL;
	if (cursor->cookie == offset && cursor->removals == dir->removals &&
	    cursor->next)
		return cursor->next;
	while (n && n->cookie <= offset)
		n = n->next;
	return n;
}

static size_t dirent_add(fuse_req_t req, char *buf, size_t room,
			 struct node *n)
{
	return fuse_add_direntry(req, buf, room, n->name, &n->st,
				 (off_t)n->cookie);
}

/* As dirent_add; the entry counts as looked up when it fitted. */
static size_t dirent_add_plus(fuse_req_t req, char *buf, size_t room,
			      struct node *n)
{
	struct fuse_entry_param e;
	size_t bytes;

	entry_fill(n, &e);
	bytes = fuse_add_direntry_plus(req, buf, room, n->name, &e,
				       (off_t)n->cookie);
	if (bytes > room)
		n->lookups--;
	return bytes;
}

static void dir_read(fuse_req_t req, struct node *dir, size_t bytes,
		     uint64_t offset, struct cursor *cursor,
		     size_t (*add)(fuse_req_t, char *, size_t, struct node *))
{
	struct node *n = dir_seek(dir, cursor, offset);
	size_t used = 0, more;

	if (bytes > sizeof(dirents))
		bytes = sizeof(dirents);
	for (; n; n = n->next) {
		more = add(req, dirents + used, bytes - used, n);
		if (more > bytes - used)
			break;
		used += more;
		offset = n->cookie;
	}
	*cursor = (struct cursor){ n, offset, dir->removals };
	fuse_reply_buf(req, dirents, used);
}

static void floor_readdir(fuse_req_t req, fuse_ino_t ino, size_t bytes,
			  off_t offset, struct fuse_file_info *fi)
{
	dir_read(req, node_of(ino), bytes, (uint64_t)offset,
		 (struct cursor *)fi->fh, dirent_add);
}

static void floor_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t bytes,
			      off_t offset, struct fuse_file_info *fi)
{
	dir_read(req, node_of(ino), bytes, (uint64_t)offset,
		 (struct cursor *)fi->fh, dirent_add_plus);
}

/* The kernel asks for security.capability at each open with O_TRUNC; ENOSYS
 * would end that, and the real mount cannot say it. */
static void floor_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   size_t bytes)
{
	(void)ino;
	(void)name;
	(void)bytes;
	fuse_reply_err(req, ENODATA);
}

static void floor_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {
		.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255,
		.f_blocks = 1 << 24, .f_bfree = 1 << 23, .f_bavail = 1 << 23,
		.f_files = last_ino,
	};

	(void)ino;
	fuse_reply_statfs(req, &st);
}

static const struct fuse_lowlevel_ops floor_ops = {
	.init = floor_init,
	.lookup = floor_lookup,
	.forget = floor_forget,
	.forget_multi = floor_forget_multi,
	.getattr = floor_getattr,
	.setattr = floor_setattr,
	.mkdir = floor_mkdir,
	.unlink = floor_unlink,
	.rmdir = floor_rmdir,
	.rename = floor_rename,
	.create = floor_create,
	.open = floor_open,
	.read = floor_read,
	.write = floor_write,
	.flush = floor_flush,
	.release = floor_release,
	.fsync = floor_fsync,
	.fsyncdir = floor_fsync,
	.opendir = floor_opendir,
	.readdir = floor_readdir,
	.readdirplus = floor_readdirplus,
	.releasedir = floor_releasedir,
	.getxattr = floor_getxattr,
	.statfs = floor_statfs,
};

static int session_serve(const char *mountpoint)
{
	char *argv[] = { "floor", "-o", "default_permissions,allow_other",
			 "-o", "fsname=floor,subtype=floor", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(5, argv);
	int rc = 1;

	session = fuse_session_new(&args, &floor_ops, sizeof(floor_ops), NULL);
	if (!session)
		return 1;
	if (fuse_set_signal_handlers(session) == 0) {
		if (fuse_session_mount(session, mountpoint) == 0) {
			rc = fuse_session_loop(session) < 0;
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "backing", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) == 'b') {
		backing_fd = open(optarg, O_RDWR | O_CLOEXEC);
		if (backing_fd < 0) {
			perror(optarg);
			return 1;
		}
	}
	if (c != -1 || argc - optind != 1) {
		fprintf(stderr, "usage: floor [--backing=FILE] MOUNTPOINT\n");
		return 2;
	}
	root.st.st_ino = last_ino;
	root.st.st_mode = S_IFDIR | 0755;
	root.st.st_nlink = 1;
	root.st.st_uid = getuid();
	root.st.st_gid = getgid();
	root.st.st_atim = root.st.st_mtim = root.st.st_ctim = now();
	return session_serve(argv[optind]);
}
