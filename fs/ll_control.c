/*
 * Requests on the text files at the mount's root.
 *
 * Invariants
 * 1. A request that waits for a command is answered once: by the worker, or with
 *    EINTR when its caller is interrupted; the command goes on.
 * 2. A node is freed when the kernel has forgotten it, and what it or a handle
 *    shows when no worker uses it either; all that is left, after the session.
 * 3. The kernel would keep a name in a batch that has ended while such a file is
 *    open, and with it both nodes: it is told at the file's release.
 */
#include "ll_control.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "control_command.h"
#include "ll_tell.h"
#include "state.h"

/* What fi->fh points to. */
struct opened {
	LIST_ENTRY(opened) next;	/* guarded by the tree lock */
	struct ll_config *config;
	struct control_file *file;
	atomic_uint users;		/* handles, workers and the node */
};

struct control_node {
	uint64_t lookups;		/* guarded by the tree lock, as next */
	LIST_ENTRY(control_node) next;
	struct control_which which;	/* constant, as is all below */
	fuse_ino_t parent;
	char name[CONTROL_NAME_BYTES];
	struct stat stat;
	struct opened *text;		/* what is read; used. NULL: each handle has
					 * its own: of commands, and of what
					 * somebody asked for who may not read it */
};

bool ll_is_control(fuse_ino_t ino)
{
	return tree_nodeid_slot(ino) == TREE_SLOT_CONTROL;
}

static struct control_node *node_of(fuse_ino_t ino)
{
	return tree_nodeid_address(ino);
}

static struct opened *opened_of(const struct fuse_file_info *fi)
{
	return (struct opened *)(uintptr_t)fi->fh;
}

/* Used once. NULL: it failed with *ret_rc. */
static struct opened *opened_new(struct ll_config *config,
				 const struct control_which *which, int *ret_rc)
{
	struct tree *live = forest_live(config->forest);
	struct opened *opened = calloc(1, sizeof(*opened));

	*ret_rc = opened ? control_open(config->control, which, &opened->file) :
			   -ENOMEM;
	if (*ret_rc < 0) {
		free(opened);
		return NULL;
	}
	opened->config = config;
	atomic_init(&opened->users, 1);
	tree_lock(live);
	LIST_INSERT_HEAD(&config->opened, opened, next);
	tree_unlock(live);
	return opened;
}

static struct opened *opened_use(struct opened *opened)
{
	atomic_fetch_add(&opened->users, 1);
	return opened;
}

static void opened_free(struct opened *opened)
{
	struct tree *live = forest_live(opened->config->forest);

	tree_lock(live);
	LIST_REMOVE(opened, next);
	tree_unlock(live);
	control_close(opened->file);
	free(opened);
}

static void opened_unuse(struct opened *opened)
{
	if (opened && atomic_fetch_sub(&opened->users, 1) == 1)
		opened_free(opened);
}

/* Names and attributes. */

static void node_free(struct control_node *node)
{
	opened_unuse(node->text);
	free(node);
}

/* From now on the kernel may know it. */
static void node_enter(struct ll_config *config, struct control_node *node)
{
	struct tree *live = forest_live(config->forest);

	control_note_nodes(config->control, 1, sizeof(*node));
	tree_lock(live);
	LIST_INSERT_HEAD(&config->controls, node, next);
	tree_unlock(live);
}

/* The kernel has forgotten it so many times. */
static void node_leave(struct ll_config *config, struct control_node *node,
		       uint64_t n)
{
	struct tree *live = forest_live(config->forest);

	tree_lock(live);
	node->lookups -= n;
	n = node->lookups;
	if (!n)
		LIST_REMOVE(node, next);
	tree_unlock(live);
	if (n)
		return;
	control_note_nodes(config->control, -1, sizeof(*node));
	node_free(node);
}

void ll_controls_free(struct ll_config *config)
{
	struct control_node *node;
	struct opened *opened;

	while ((node = LIST_FIRST(&config->controls))) {
		LIST_REMOVE(node, next);
		node_free(node);
	}
	/* of handles that the kernel did not release */
	while ((opened = LIST_FIRST(&config->opened)))
		opened_free(opened);
}

static int node_new(struct ll_config *config, const struct control_which *which,
		    uid_t uid, struct control_node **ret)
{
	struct control_node *node = calloc(1, sizeof(*node));
	struct control *control = config->control;
	int rc = 0;

	if (!node)
		return -ENOMEM;
	node->lookups = 1;
	node->which = *which;
	control_stat(control, which, &node->stat);
	node->stat.st_ino = ((uint64_t)INO_KIND_SPECIAL << INO_KIND_SHIFT) |
			    (1u + which->kind);
	if (!control_takes_commands(which->kind) &&
	    control_check(control, which, uid) == 0) {
		node->text = opened_new(config, which, &rc);
		if (rc < 0) {
			free(node);
			return rc;
		}
		node->stat.st_size = (off_t)control_bytes(node->text->file);
		node->stat.st_blocks = (node->stat.st_size + 511) / 512;
	}
	*ret = node;
	return 0;
}

/* Where the text is made. */
static enum work_lane lane_of(const struct control_which *which)
{
	return which->kind == CONTROL_BATCH_DIFF ? WORK_TEXT : WORK_READ;
}

struct lookup_job {
	struct work_item item;
	fuse_req_t req;
	struct control_which which;
	fuse_ino_t parent;
	char name[CONTROL_NAME_BYTES];
};

static void lookup_run(struct work_item *item)
{
	struct lookup_job *job = (struct lookup_job *)item;
	struct fuse_entry_param entry = { .entry_timeout = 0 };
	struct ll_config *config = ll_config(job->req);
	struct control_node *node;
	int rc = node_new(config, &job->which, ll_caller(job->req).uid, &node);

	if (rc < 0) {
		fuse_reply_err(job->req, ll_errno(rc, "control file"));
	} else {
		node->parent = job->parent;
		strcpy(node->name, job->name);
		entry.ino = tree_nodeid_make(TREE_SLOT_CONTROL, node);
		entry.attr = node->stat;
		node_enter(config, node);
		if (fuse_reply_entry(job->req, &entry) == -ENOENT)
			node_leave(config, node, 1);
	}
	free(job);
}

bool ll_control_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct lookup_job *job;
	struct control_which which = { .batch = { .name = "" } };
	enum control_where where = parent == FUSE_ROOT_ID ? CONTROL_AT_ROOT :
							    CONTROL_IN_BATCH;

	if (!control_find(name, where, &which.kind))
		return false;
	if (where == CONTROL_IN_BATCH &&
	    !control_batch_at(ll_config(req)->forest, parent, &which.batch))
		return false;
	job = malloc(sizeof(*job));
	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return true;
	}
	*job = (struct lookup_job){
		.item = { .run = lookup_run, .lane = lane_of(&which) },
		.req = req,
		.which = which,
		.parent = parent,
	};
	strcpy(job->name, name);
	work_submit(ll_config(req)->pool, &job->item);
	return true;
}

void ll_control_forgotten(struct ll_config *config, fuse_ino_t ino, uint64_t n)
{
	node_leave(config, node_of(ino), n);
}

static void control_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	ll_control_forgotten(ll_config(req), ino, n);
	fuse_reply_none(req);
}

static void control_getattr(fuse_req_t req, fuse_ino_t ino,
			    struct fuse_file_info *fi)
{
	(void)fi;
	fuse_reply_attr(req, &node_of(ino)->stat, 0);
}

/* `echo … > .control` may set size and times; nothing comes of it. */
static void control_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			    int to_set, struct fuse_file_info *fi)
{
	(void)attr;
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		fuse_reply_err(req, EPERM);
	else
		control_getattr(req, ino, fi);
}

static void control_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset,
			  int whence, struct fuse_file_info *fi)
{
	off_t end = node_of(ino)->stat.st_size;

	(void)fi;
	if (offset >= end)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, whence == SEEK_HOLE ? end : offset);
}

/* Opening. */

struct open_job {
	struct work_item item;
	fuse_req_t req;
	struct control_which which;
	struct fuse_file_info fi;
};

static void open_answer(fuse_req_t req, const struct fuse_file_info *fi,
			struct opened *opened, int rc)
{
	struct fuse_file_info reply = *fi;

	if (rc < 0) {
		fuse_reply_err(req, ll_errno(rc, "control file"));
		return;
	}
	reply.fh = (uintptr_t)opened;
	reply.direct_io = 1;
	if (fuse_reply_open(req, &reply) == -ENOENT)
		opened_unuse(opened);
}

static void open_run(struct work_item *item)
{
	struct open_job *job = (struct open_job *)item;
	int rc;
	struct opened *opened = opened_new(ll_config(job->req), &job->which,
					   &rc);

	open_answer(job->req, &job->fi, opened, rc);
	free(job);
}

/* A text that was not made for the one who looked its name up. */
static void open_submit(fuse_req_t req, const struct control_which *which,
			const struct fuse_file_info *fi)
{
	struct open_job *job = malloc(sizeof(*job));

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*job = (struct open_job){
		.item = { .run = open_run, .lane = lane_of(which) },
		.req = req,
		.which = *which,
		.fi = *fi,
	};
	work_submit(ll_config(req)->pool, &job->item);
}

static void control_open_handle(fuse_req_t req, fuse_ino_t ino,
				struct fuse_file_info *fi)
{
	struct ll_config *config = ll_config(req);
	struct control_node *node = node_of(ino);
	struct opened *opened = NULL;
	int rc = control_check(config->control, &node->which,
			       ll_caller(req).uid);

	if (rc == 0 && node->text) {
		opened = opened_use(node->text);
	} else if (rc == 0 && control_takes_commands(node->which.kind)) {
		opened = opened_new(config, &node->which, &rc);
	} else if (rc == 0) {
		open_submit(req, &node->which, fi);
		return;
	}
	open_answer(req, fi, opened, rc);
}

/* Names in batches that have ended. */

struct gone_job {
	struct work_item item;
	struct ll_config *config;
	fuse_ino_t parent;
	char name[CONTROL_NAME_BYTES];
};

static void gone_run(struct work_item *item)
{
	struct gone_job *job = (struct gone_job *)item;

	fuse_lowlevel_notify_inval_entry(job->config->fuse, job->parent,
					 job->name, strlen(job->name));
	free(job);
}

/* On a thread of its own, because the kernel may have to wait for whoever uses the
 * directory. Without memory it keeps the name until it needs the room. */
static void gone_submit(struct ll_config *config,
			const struct control_node *node)
{
	struct gone_job *job = malloc(sizeof(*job));

	if (!job)
		return;
	*job = (struct gone_job){
		.item = { .run = gone_run, .lane = WORK_FORGET },
		.config = config,
		.parent = node->parent,
	};
	strcpy(job->name, node->name);
	work_submit(config->pool, &job->item);
}

static void control_release(fuse_req_t req, fuse_ino_t ino,
			    struct fuse_file_info *fi)
{
	struct ll_config *config = ll_config(req);
	const struct control_node *node = node_of(ino);

	opened_unuse(opened_of(fi));
	if (node->parent != FUSE_ROOT_ID &&
	    control_check(config->control, &node->which, 0) == -ENOENT)
		gone_submit(config, node);
	fuse_reply_err(req, 0);
}

/* Reading and writing. */

struct text_job {
	struct work_item item;
	fuse_req_t req;			/* until it is answered */
	struct ll_config *config;
	struct opened *opened;		/* used */
	atomic_bool is_answered;
	uid_t uid;
	size_t n;			/* wanted, or that buf holds */
	size_t written;			/* by the caller */
	off_t offset;
	char buf[];
};

static struct text_job *text_job_new(fuse_req_t req, struct opened *opened,
				     size_t n)
{
	struct text_job *job = malloc(sizeof(*job) + n);

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	*job = (struct text_job){ .req = req,
				  .config = ll_config(req),
				  .opened = opened_use(opened),
				  .uid = ll_caller(req).uid,
				  .n = n };
	return job;
}

static void text_job_free(struct text_job *job)
{
	opened_unuse(job->opened);
	free(job);
}

static void read_run(struct work_item *item)
{
	struct text_job *job = (struct text_job *)item;
	size_t n = 0;
	int rc = control_read(job->opened->file, job->buf, job->n,
			      (uint64_t)job->offset, &n);

	if (rc < 0)
		fuse_reply_err(job->req, ll_errno(rc, "control file"));
	else
		fuse_reply_buf(job->req, job->buf, n);
	text_job_free(job);
}

#define READ_BYTES_MAX (1u << 20)

static void control_read_handle(fuse_req_t req, fuse_ino_t ino, size_t size,
				off_t offset, struct fuse_file_info *fi)
{
	struct text_job *job = text_job_new(req, opened_of(fi),
					    size < READ_BYTES_MAX ?
						    size : READ_BYTES_MAX);

	(void)ino;
	if (!job)
		return;
	job->item = (struct work_item){ .run = read_run, .lane = WORK_READ };
	job->offset = offset;
	work_submit(ll_config(req)->pool, &job->item);
}

/* On the receiver, under the request's lock: the worker's answer waits for it. */
static void interrupt(fuse_req_t req, void *arg)
{
	struct text_job *job = arg;

	if (!atomic_exchange(&job->is_answered, true))
		fuse_reply_err(req, EINTR);
}

static void write_answer(struct text_job *job, int rc)
{
	/* who interrupts does not look at the job from here on */
	if (atomic_exchange(&job->is_answered, true))
		return;
	fuse_req_interrupt_func(job->req, NULL, NULL);
	if (rc < 0)
		fuse_reply_err(job->req, ll_errno(rc, "control file"));
	else
		fuse_reply_write(job->req, job->written);
}

/* Names that are gone or mean something else are forgotten by the kernel: on a
 * thread that holds no lock and that nobody waits for but the command's caller. */
static void effects_tell(struct ll_config *config,
			 struct control_effects *effects)
{
	struct tree *live = forest_live(config->forest);

	ll_tell_stale(config->fuse, &effects->tree);
	ll_tell(config->fuse, config->device, &effects->news.before);
	ll_tell_ask(config->fuse, &effects->news.after);
	tree_lock(live);
	news_told(live, &effects->news.before);
	tree_unlock(live);
	if (effects->gone_parent)
		ll_tell_gone(config->fuse, effects->gone_parent, effects->gone);
}

static int wait_durable(const struct text_job *job, aedb_seq_t seq)
{
	struct ll_config *config = job->config;
	int rc;

	if (!config->waits_durable || !seq)
		return 0;
	rc = aedb_wait_durable(tree_db(forest_live(config->forest)), seq);
	if (rc < 0)
		control_note_failure(config->control, "syncing", job->uid, rc,
				     aedb_error_message());
	return rc;
}

static void write_run(struct work_item *item)
{
	struct text_job *job = (struct text_job *)item;
	struct control_line line = { job->buf, job->n };
	struct control_effects effects = { .gone_parent = 0 };
	int rc = control_write(job->opened->file, job->uid, &line, &effects);

	effects_tell(job->config, &effects);
	if (rc == 0)
		rc = wait_durable(job, effects.committed);
	write_answer(job, rc);
	ll_tell_names(job->config->fuse, &effects.news.after);
	batch_news_release(&effects.news);
	text_job_free(job);
}

/* Of what is longer than any command its beginning is enough to refuse it. */
#define LINE_BYTES (CONTROL_LINE_BYTES_MAX + 2)

static void control_write_handle(fuse_req_t req, fuse_ino_t ino, const char *buf,
				 size_t size, off_t offset,
				 struct fuse_file_info *fi)
{
	size_t n = size < LINE_BYTES ? size : LINE_BYTES;
	struct text_job *job = text_job_new(req, opened_of(fi), n);

	(void)ino;
	(void)offset;
	if (!job)
		return;
	job->item = (struct work_item){ .run = write_run, .lane = WORK_COMMAND };
	job->written = size;
	memcpy(job->buf, buf, n);
	fuse_req_interrupt_func(req, interrupt, job);
	work_submit(ll_config(req)->pool, &job->item);
}

const struct fuse_lowlevel_ops ll_control_ops = {
	.forget = control_forget,
	.getattr = control_getattr,
	.setattr = control_setattr,
	.open = control_open_handle,
	.read = control_read_handle,
	.write = control_write_handle,
	.release = control_release,
	.lseek = control_lseek,
};
