/* Requests on open directories. */
#include <errno.h>

#include "ll_handlers.h"

/* The kernel asks for less. */
#define LIST_BYTES_MAX (1u << 20)

static char list[LIST_BYTES_MAX];	/* the receiver's alone */

static struct tree_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct tree_dir *)(uintptr_t)fi->fh;
}

void ll_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req);
	struct tree_dir *dir;
	int rc = tree_opendir(tree, ll_node(req, ino), &dir);

	tree_unlock(tree);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)dir;
	if (fuse_reply_open(req, fi) != -ENOENT)
		return;
	tree_lock(tree);
	tree_releasedir(tree, dir);
	tree_unlock(tree);
}

/* One entry in each form; how many bytes it takes, and nothing is written when
 * they are more than the room. */
static size_t add_plain(fuse_req_t req, struct tree_dir *dir,
			const struct tree_dirent *entry, char *at, size_t room)
{
	struct stat stat;

	(void)dir;
	/* All that libfuse looks at. */
	stat.st_ino = entry->id;
	stat.st_mode = entry->mode;
	return fuse_add_direntry(req, at, room, entry->name, &stat,
				 (off_t)entry->next);
}

static size_t add_plus(fuse_req_t req, struct tree_dir *dir,
		       const struct tree_dirent *entry, char *at, size_t room)
{
	struct fuse_entry_param param = { .attr = { .st_ino = entry->id,
						    .st_mode = entry->mode } };
	size_t n = fuse_add_direntry_plus(req, NULL, 0, entry->name, NULL, 0);
	struct tree_caller caller = ll_caller(req);
	struct tree_entry found;

	if (n > room)
		return n;
	/* Without a node the kernel looks it up itself, later. */
	if (!entry->is_dot && tree_dir_lookup(ll_config(req)->tree, &caller,
					      dir, &found) == 0)
		ll_fill_entry(req, &found, &param);
	return fuse_add_direntry_plus(req, at, room, entry->name, &param,
				      (off_t)entry->next);
}

enum form {
	FORM_PLAIN,
	FORM_PLUS,
};

static int fill(fuse_req_t req, struct tree_dir *dir, size_t size,
		enum form form, size_t *ret)
{
	struct tree *tree = ll_config(req)->tree;
	struct tree_dirent entry;
	size_t used = 0, n;
	int rc = 0;

	while (rc == 0) {
		rc = tree_dir_peek(tree, dir, &entry);
		if (rc < 0)
			break;
		n = form == FORM_PLUS ?
		    add_plus(req, dir, &entry, list + used, size - used) :
		    add_plain(req, dir, &entry, list + used, size - used);
		if (n > size - used)
			break;
		used += n;
		rc = tree_dir_take(dir);
	}
	*ret = used;
	/* What is there is given; the error comes again at the next request. */
	return rc == -ENOENT || used ? 0 : rc;
}

static void read_directory(fuse_req_t req, size_t size, off_t offset,
			   struct fuse_file_info *fi, enum form form)
{
	struct tree *tree = ll_begin(req);
	struct tree_dir *dir = dir_of(fi);
	size_t n = 0;
	int rc = tree_dir_seek(tree, dir, form == FORM_PLUS ? TREE_ENTRIES :
			       TREE_NAMES, (uint64_t)offset);

	if (size > sizeof(list))
		size = sizeof(list);
	if (rc == 0)
		rc = fill(req, dir, size, form, &n);
	tree_dir_pause(dir);
	ll_relieve(ll_config(req));
	ll_end_bytes(req, rc, list, n);
}

void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)ino;
	read_directory(req, size, offset, fi, FORM_PLAIN);
}

void ll_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)ino;
	read_directory(req, size, offset, fi, FORM_PLUS);
}

void ll_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req);

	(void)ino;
	tree_releasedir(tree, dir_of(fi));
	tree_unlock(tree);
	fuse_reply_err(req, 0);
}

void ll_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_STATUS, .waits_for_all = true };

	(void)ino;
	(void)datasync;
	(void)fi;
	ll_begin(req);
	ll_end(req, 0, &reply);
}
