/* Requests on open directories. */
#include <errno.h>

#include "ll_handlers.h"
#include "ll_secure.h"

/* The kernel asks for less. */
#define LIST_BYTES_MAX (1u << 20)

static char list[LIST_BYTES_MAX];	/* the receiver's alone */

static struct tree_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct tree_dir *)(uintptr_t)fi->fh;
}

void ll_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req, ino);
	struct tree_dir *dir;
	int rc = tree_opendir(tree, ll_node(req, ino), &dir);

	tree_unlock(tree);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)dir;
	fi->cache_readdir = tree_is_immutable(tree) && !ll_config(req)->secure;
	fi->keep_cache = fi->cache_readdir;
	if (fuse_reply_open(req, fi) != -ENOENT)
		return;
	tree_lock(tree);
	tree_releasedir(tree, dir);
	tree_unlock(tree);
}

enum form {
	FORM_PLAIN,
	FORM_PLUS,
};

struct round {
	fuse_req_t req;
	struct tree *tree;
	struct tree_dir *dir;
	enum form form;
	fuse_ino_t ino;
	bool hides;		/* some entries may not be seen */
};

/* One entry in each form; how many bytes it takes, and nothing is written when
 * they are more than the room. */
static size_t add_plain(const struct round *round,
			const struct tree_dirent *entry, char *at, size_t room)
{
	struct stat stat;

	/* All that libfuse looks at. */
	stat.st_ino = entry->ino;
	stat.st_mode = entry->mode;
	return fuse_add_direntry(round->req, at, room, entry->name, &stat,
				 (off_t)entry->next);
}

static size_t add_plus(const struct round *round,
		       const struct tree_dirent *entry, char *at, size_t room)
{
	fuse_req_t req = round->req;
	struct fuse_entry_param param = { .attr = { .st_ino = entry->ino,
						    .st_mode = entry->mode } };
	size_t n = fuse_add_direntry_plus(req, NULL, 0, entry->name, NULL, 0);
	struct tree_caller caller = ll_caller(req);
	struct tree_entry found;

	if (n > room)
		return n;
	/* Without a node the kernel looks it up itself, later. */
	if (!entry->is_dot && tree_dir_lookup(round->tree, &caller, round->dir,
					      &found) == 0)
		ll_fill_entry(req, &found, &param);
	return fuse_add_direntry_plus(req, at, room, entry->name, &param,
				      (off_t)entry->next);
}

static int fill(const struct round *round, size_t size, size_t *ret)
{
	struct tree_dirent entry;
	size_t used = 0, n;
	int rc = 0;

	while (rc == 0) {
		rc = tree_dir_peek(round->tree, round->dir, &entry);
		if (rc < 0)
			break;
		if (round->hides && ll_secure_hides(round->req, round->tree,
						    round->ino, &entry)) {
			rc = tree_dir_take(round->dir);
			continue;
		}
		n = round->form == FORM_PLUS ?
		    add_plus(round, &entry, list + used, size - used) :
		    add_plain(round, &entry, list + used, size - used);
		if (n > size - used)
			break;
		used += n;
		rc = tree_dir_take(round->dir);
	}
	*ret = used;
	/* What is there is given; the error comes again at the next request. */
	return rc == -ENOENT || used ? 0 : rc;
}

static void read_directory(struct round *round, size_t size, off_t offset)
{
	enum tree_listing listing = round->form == FORM_PLUS ? TREE_ENTRIES :
							       TREE_NAMES;
	fuse_req_t req = round->req;
	size_t n = 0;
	int rc;

	round->tree = ll_begin(req, round->ino);
	round->hides = ll_config(req)->secure;
	rc = tree_dir_seek(round->tree, round->dir, listing, (uint64_t)offset);
	if (size > sizeof(list))
		size = sizeof(list);
	if (rc == 0)
		rc = fill(round, size, &n);
	tree_dir_pause(round->dir);
	ll_relieve(ll_config(req));
	ll_end_bytes(req, rc, "readdir", list, n);
}

void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct round round = { req, NULL, dir_of(fi), FORM_PLAIN, ino, false };

	read_directory(&round, size, offset);
}

void ll_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct round round = { req, NULL, dir_of(fi), FORM_PLUS, ino, false };

	read_directory(&round, size, offset);
}

void ll_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req, ino);

	tree_releasedir(tree, dir_of(fi));
	tree_unlock(tree);
	fuse_reply_err(req, 0);
}

void ll_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	struct tree *tree = ll_begin(req, ino);
	struct ll_reply reply = { .kind = LL_STATUS, .what = "fsyncdir",
				  .waits_for_all = !tree_is_of_batch(tree) };

	(void)datasync;
	(void)fi;
	ll_end(req, 0, &reply);
}
