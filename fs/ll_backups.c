/*
 * Requests on `.backup` and what is in it.
 *
 * A node is a path, and each request walks it anew: what was pruned is not there
 * any more. It is freed when the kernel has forgotten it, or the session has
 * ended; while a request names it the kernel has not.
 */
#include "ll_backups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backups.h"
#include "secure.h"

#define TOP_NAME ".backup"
#define READ_BYTES_MAX (1u << 20)

struct backup_node {
	uint64_t lookups;		/* guarded by the tree lock, as next */
	LIST_ENTRY(backup_node) next;
	char path[];			/* constant */
};

/* What fi->fh of a directory points to. */
struct opened_dir {
	LIST_ENTRY(opened_dir) next;	/* guarded by the tree lock */
	struct backups_name *names;	/* owned */
	size_t n;
};

bool ll_is_backup(fuse_ino_t ino)
{
	return tree_nodeid_slot(ino) == TREE_SLOT_BACKUPS;
}

static const char *path_of(fuse_ino_t ino)
{
	const struct backup_node *node = tree_nodeid_address(ino);

	return node->path;
}

static struct opened_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct opened_dir *)(uintptr_t)fi->fh;
}

/* Nodes. */

/* From now on the kernel may know it, once. -ENOMEM. */
static int node_new(struct ll_config *config, const char *path, fuse_ino_t *ret)
{
	struct tree *live = forest_live(config->forest);
	struct backup_node *node = malloc(sizeof(*node) + strlen(path) + 1);

	if (!node)
		return -ENOMEM;
	node->lookups = 1;
	strcpy(node->path, path);
	tree_lock(live);
	LIST_INSERT_HEAD(&config->backup_nodes, node, next);
	tree_unlock(live);
	*ret = tree_nodeid_make(TREE_SLOT_BACKUPS, node);
	return 0;
}

void ll_backup_forgotten(struct ll_config *config, fuse_ino_t ino, uint64_t n)
{
	struct backup_node *node = tree_nodeid_address(ino);
	struct tree *live = forest_live(config->forest);

	tree_lock(live);
	node->lookups -= n;
	n = node->lookups;
	if (!n)
		LIST_REMOVE(node, next);
	tree_unlock(live);
	if (!n)
		free(node);
}

static void opened_dir_free(struct ll_config *config, struct opened_dir *dir)
{
	struct tree *live = forest_live(config->forest);

	tree_lock(live);
	LIST_REMOVE(dir, next);
	tree_unlock(live);
	free(dir->names);
	free(dir);
}

void ll_backups_free(struct ll_config *config)
{
	struct backup_node *node;
	struct opened_dir *dir;

	while ((node = LIST_FIRST(&config->backup_nodes))) {
		LIST_REMOVE(node, next);
		free(node);
	}
	while ((dir = LIST_FIRST(&config->backup_dirs)))
		opened_dir_free(config, dir);
}

/* Requests that a worker answers. */

struct job {
	struct work_item item;
	fuse_req_t req;
	char path[BACKUPS_PATH_BYTES];
	struct fuse_file_info fi;
	size_t n;
	off_t offset;
};

static struct job *job_of(struct work_item *item)
{
	return (struct job *)item;
}

static void submit(const struct job *job, void (*run)(struct work_item *item))
{
	struct job *copy = malloc(sizeof(*copy));

	if (!copy) {
		fuse_reply_err(job->req, ENOMEM);
		return;
	}
	*copy = *job;
	copy->item = (struct work_item){ .run = run, .lane = WORK_READ };
	work_submit(ll_config(job->req)->pool, &copy->item);
}

static struct job job_on(fuse_req_t req, fuse_ino_t ino,
			 const struct fuse_file_info *fi)
{
	struct job job = { .req = req };

	strcpy(job.path, path_of(ino));
	if (fi)
		job.fi = *fi;
	return job;
}

static void fail(struct job *job, int rc)
{
	fuse_reply_err(job->req, ll_errno(rc, "backup"));
	free(job);
}

static void lookup_run(struct work_item *item)
{
	struct job *job = job_of(item);
	struct ll_config *config = ll_config(job->req);
	struct fuse_entry_param entry = { .entry_timeout = 0 };
	int rc = backups_stat(&config->backups, job->path, &entry.attr);

	if (rc == 0)
		rc = node_new(config, job->path, &entry.ino);
	if (rc < 0) {
		fail(job, rc);
		return;
	}
	if (fuse_reply_entry(job->req, &entry) == -ENOENT)
		ll_backup_forgotten(config, entry.ino, 1);
	free(job);
}

static void backup_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct job job = { .req = req };

	if (backups_path(path_of(parent), name, job.path) < 0)
		fuse_reply_err(req, ENOENT);
	else
		submit(&job, lookup_run);
}

/* Links and times of the directory tell how many backups there are, and when they
 * were made. */
static bool may_see(fuse_req_t req)
{
	struct secure *secure = ll_config(req)->secure;

	if (!secure || secure_is_privileged(secure, ll_caller(req).uid))
		return true;
	secure_note_denied(secure);
	return false;
}

bool ll_backup_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct job job = { .req = req };

	if (parent != FUSE_ROOT_ID || strcmp(name, TOP_NAME) != 0)
		return false;
	if (may_see(req))
		submit(&job, lookup_run);
	else
		ll_fail(req, -EACCES, "lookup");
	return true;
}

static void backup_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	ll_backup_forgotten(ll_config(req), ino, n);
	fuse_reply_none(req);
}

static void getattr_run(struct work_item *item)
{
	struct job *job = job_of(item);
	struct stat st;
	int rc = backups_stat(&ll_config(job->req)->backups, job->path, &st);

	if (rc < 0) {
		fail(job, rc);
		return;
	}
	fuse_reply_attr(job->req, &st, 0);
	free(job);
}

static void backup_getattr(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	struct job job = job_on(req, ino, fi);

	submit(&job, getattr_run);
}

/* Files. */

static void open_run(struct work_item *item)
{
	struct job *job = job_of(item);
	int fd = backups_open_file(&ll_config(job->req)->backups, job->path);

	if (fd < 0) {
		fail(job, fd);
		return;
	}
	job->fi.fh = (uint64_t)fd;
	if (fuse_reply_open(job->req, &job->fi) == -ENOENT)
		close(fd);
	free(job);
}

static void backup_open(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	struct job job = job_on(req, ino, fi);

	if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC)
		fuse_reply_err(req, EROFS);
	else
		submit(&job, open_run);
}

static void read_run(struct work_item *item)
{
	struct job *job = job_of(item);
	char *bytes = malloc(job->n);
	ssize_t n;

	if (!bytes) {
		fail(job, -ENOMEM);
		return;
	}
	n = pread((int)job->fi.fh, bytes, job->n, job->offset);
	if (n < 0)
		fuse_reply_err(job->req, errno);
	else
		fuse_reply_buf(job->req, bytes, (size_t)n);
	free(bytes);
	free(job);
}

static void backup_read(fuse_req_t req, fuse_ino_t ino, size_t size,
			off_t offset, struct fuse_file_info *fi)
{
	struct job job = job_on(req, ino, fi);

	job.n = size < READ_BYTES_MAX ? size : READ_BYTES_MAX;
	job.offset = offset;
	submit(&job, read_run);
}

static void backup_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset,
			 int whence, struct fuse_file_info *fi)
{
	off_t at = lseek((int)fi->fh, offset, whence);

	(void)ino;
	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

static void backup_release(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	(void)ino;
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

/* Directories. */

static void opendir_run(struct work_item *item)
{
	struct job *job = job_of(item);
	struct ll_config *config = ll_config(job->req);
	struct tree *live = forest_live(config->forest);
	struct opened_dir *dir = calloc(1, sizeof(*dir));
	int rc = dir ? backups_list(&config->backups, job->path, &dir->names,
				    &dir->n) : -ENOMEM;

	if (rc < 0) {
		free(dir);
		fail(job, rc);
		return;
	}
	tree_lock(live);
	LIST_INSERT_HEAD(&config->backup_dirs, dir, next);
	tree_unlock(live);
	job->fi.fh = (uintptr_t)dir;
	if (fuse_reply_open(job->req, &job->fi) == -ENOENT)
		opened_dir_free(config, dir);
	free(job);
}

static void backup_opendir(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	struct job job = job_on(req, ino, fi);

	submit(&job, opendir_run);
}

/* Entry i of the directory, . and .. before the names; false behind the last. */
static bool entry_at(const struct opened_dir *dir, size_t i, const char **ret,
		     struct stat *ret_stat)
{
	static const char *const dots[] = { ".", ".." };

	*ret_stat = (struct stat){ .st_mode = S_IFDIR };
	if (i < 2) {
		*ret = dots[i];
		return true;
	}
	i -= 2;
	if (i >= dir->n)
		return false;
	*ret = dir->names[i].name;
	ret_stat->st_ino = dir->names[i].ino;
	ret_stat->st_mode = dir->names[i].type;
	return true;
}

enum form {
	FORM_PLAIN,
	FORM_PLUS,	/* without a node: the kernel looks it up itself */
};

/* Entries on their way into a reply. */
struct round {
	fuse_req_t req;
	enum form form;
	char *at;
	size_t room;
};

/* False: there is no room for it. */
static bool add(struct round *round, const char *name, const struct stat *st,
		off_t next)
{
	struct fuse_entry_param param = { .attr = *st };
	size_t n = round->form == FORM_PLUS ?
			   fuse_add_direntry_plus(round->req, round->at,
						  round->room, name, &param,
						  next) :
			   fuse_add_direntry(round->req, round->at, round->room,
					     name, st, next);

	if (n > round->room)
		return false;
	round->at += n;
	round->room -= n;
	return true;
}

static void read_directory(struct round *round, size_t size, off_t offset,
			   const struct opened_dir *dir)
{
	char *bytes;
	const char *name;
	struct stat st;

	round->room = size < READ_BYTES_MAX ? size : READ_BYTES_MAX;
	round->at = bytes = malloc(round->room);
	if (!bytes) {
		fuse_reply_err(round->req, ENOMEM);
		return;
	}
	while (entry_at(dir, (size_t)offset, &name, &st) &&
	       add(round, name, &st, offset + 1))
		offset++;
	fuse_reply_buf(round->req, bytes, (size_t)(round->at - bytes));
	free(bytes);
}

static void backup_readdir(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t offset, struct fuse_file_info *fi)
{
	struct round round = { .req = req, .form = FORM_PLAIN };

	(void)ino;
	read_directory(&round, size, offset, dir_of(fi));
}

static void backup_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			       off_t offset, struct fuse_file_info *fi)
{
	struct round round = { .req = req, .form = FORM_PLUS };

	(void)ino;
	read_directory(&round, size, offset, dir_of(fi));
}

static void backup_releasedir(fuse_req_t req, fuse_ino_t ino,
			      struct fuse_file_info *fi)
{
	(void)ino;
	opened_dir_free(ll_config(req), dir_of(fi));
	fuse_reply_err(req, 0);
}

const struct fuse_lowlevel_ops ll_backup_ops = {
	.lookup = backup_lookup,
	.forget = backup_forget,
	.getattr = backup_getattr,
	.open = backup_open,
	.read = backup_read,
	.lseek = backup_lseek,
	.release = backup_release,
	.opendir = backup_opendir,
	.readdir = backup_readdir,
	.readdirplus = backup_readdirplus,
	.releasedir = backup_releasedir,
};
