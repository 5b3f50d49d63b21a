/* Ends of requests. */
#include "ll_reply.h"

#include <errno.h>
#include <stdlib.h>

#include "control.h"
#include "ll_tell.h"
#include "log.h"

/* Until the kernel is told otherwise. */
#define LASTING_SECONDS 86400.0

struct ll_config *ll_config(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct tree *ll_live(fuse_req_t req)
{
	return forest_live(ll_config(req)->forest);
}

struct node *ll_node(fuse_req_t req, fuse_ino_t ino)
{
	return tree_nodeid_node(ll_live(req), ino);
}

struct handle *ll_handle(const struct fuse_file_info *fi)
{
	return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

struct tree_caller ll_caller(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct tree_caller){ ctx->pid, ctx->uid, ctx->gid };
}

int ll_errno(int rc, const char *what)
{
	switch (rc) {
	case AEDB_IO:
	case AEDB_CORRUPT:
	case AEDB_UNKNOWN:
		log_line(LOG_ERR, "%s: %s", what, aedb_error_message());
		return EIO;
	default:
		return -rc;
	}
}

/* What the kernel keeps it shows to all users. */
static double timeout_of(fuse_req_t req, bool is_lasting)
{
	return is_lasting && !ll_config(req)->secure ? LASTING_SECONDS : 0;
}

void ll_fill_entry(fuse_req_t req, const struct tree_entry *entry,
		   struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = entry->nodeid,
		.attr = entry->stat,
		.attr_timeout = timeout_of(req, entry->is_stat_lasting),
		.entry_timeout = timeout_of(req, entry->is_name_lasting),
	};
	if (!entry->is_door)
		shown_apply(&ll_config(req)->shown, &ret->attr);
}

struct tree *ll_begin(fuse_req_t req, fuse_ino_t ino)
{
	struct ll_config *config = ll_config(req);

	if (!config->is_begun)
		tree_lock(ll_live(req));
	config->is_begun = false;
	return forest_tree(ll_config(req)->forest, ino);
}

/* The kernel gave the request up: it holds nothing of what it asked for. */
static void take_back(struct forest *forest, const struct ll_reply *reply)
{
	struct tree *live = forest_live(forest);
	struct tree_effects effects;

	tree_lock(live);
	if (reply->kind == LL_OPEN || reply->kind == LL_CREATE)
		(void)tree_release(reply->tree, reply->handle);
	if (reply->kind == LL_ENTRY || reply->kind == LL_CREATE)
		forest_forget(forest, reply->entry.nodeid, 1);
	tree_take_effects(live, &effects);
	tree_unlock(live);
}

/* Frees the request, whatever the kernel says. */
static void send(fuse_req_t req, struct ll_reply *reply)
{
	struct forest *forest = ll_config(req)->forest;
	struct fuse_entry_param entry;
	int rc = 0;

	switch (reply->kind) {
	case LL_STATUS:
		rc = fuse_reply_err(req, 0);
		break;
	case LL_ENTRY:
		ll_fill_entry(req, &reply->entry, &entry);
		rc = fuse_reply_entry(req, &entry);
		break;
	case LL_NOTHING:
		entry = (struct fuse_entry_param){
			.entry_timeout = timeout_of(req, true) };
		rc = fuse_reply_entry(req, &entry);
		break;
	case LL_ATTR:
		if (!reply->entry.is_door)
			shown_apply(&ll_config(req)->shown, &reply->entry.stat);
		rc = fuse_reply_attr(req, &reply->entry.stat,
				     timeout_of(req,
						reply->entry.is_stat_lasting));
		break;
	case LL_OPEN:
		rc = fuse_reply_open(req, &reply->file);
		break;
	case LL_CREATE:
		ll_fill_entry(req, &reply->entry, &entry);
		rc = fuse_reply_create(req, &entry, &reply->file);
		break;
	case LL_WRITTEN:
		rc = fuse_reply_write(req, reply->written);
		break;
	}
	if (rc == -ENOENT)
		take_back(forest, reply);
}

struct wait {
	struct work_item item;
	fuse_req_t req;
	aedb_seq_t seq;
	struct ll_reply reply;
};

static void wait_and_send(struct work_item *item)
{
	struct wait *wait = (struct wait *)item;
	struct aedb *db = tree_db(ll_live(wait->req));
	int rc = aedb_wait_durable(db, wait->seq);

	if (rc == 0) {
		send(wait->req, &wait->reply);
	} else {
		take_back(ll_config(wait->req)->forest, &wait->reply);
		ll_fail(wait->req, rc, wait->reply.what);
	}
	free(wait);
}

static void send_when_durable(fuse_req_t req, aedb_seq_t seq,
			      struct ll_reply *reply)
{
	struct wait *wait = malloc(sizeof(*wait));

	if (!wait) {
		take_back(ll_config(req)->forest, reply);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*wait = (struct wait){
		.item = { .run = wait_and_send, .lane = WORK_SYNC },
		.req = req,
		.seq = seq,
		.reply = *reply,
	};
	work_submit(ll_config(req)->pool, &wait->item);
}

/* Outcomes that programs ask for as a matter of course are no failures. */
static bool is_failure(int rc)
{
	switch (-rc) {
	case ENOENT:
	case EEXIST:
	case ENOTEMPTY:
	case ENOTDIR:
	case EISDIR:
	case ENODATA:
	case ENXIO:
	case EINTR:
		return false;
	default:
		return rc < 0;
	}
}

void ll_fail(fuse_req_t req, int rc, const char *what)
{
	int err = ll_errno(rc, what);

	if (is_failure(rc))
		control_note_failure(ll_config(req)->control, what,
				     ll_caller(req).uid, -err,
				     aedb_error_code() == rc ?
					     aedb_error_message() : "");
	fuse_reply_err(req, err);
}

void ll_end(fuse_req_t req, int rc, struct ll_reply *reply)
{
	struct ll_config *config = ll_config(req);
	struct tree *live = ll_live(req);
	struct aedb *db = tree_db(live);
	struct tree_effects effects;
	aedb_seq_t seq;

	tree_take_effects(live, &effects);
	tree_unlock(live);
	ll_tell_stale(ll_config(req)->fuse, &effects);
	if (rc < 0) {
		ll_fail(req, rc, reply->what);
		return;
	}
	seq = config->waits_durable && !reply->waits_never ?
	      effects.committed : 0;
	if (reply->waits_for_all)
		seq = aedb_visible_seq(db);
	if (seq > aedb_durable_seq(db))
		send_when_durable(req, seq, reply);
	else
		send(req, reply);
}

void ll_end_bytes(fuse_req_t req, int rc, const char *what, const void *bytes,
		  size_t n)
{
	struct tree_effects effects;
	struct tree *live = ll_live(req);

	tree_take_effects(live, &effects);
	tree_unlock(live);
	if (rc < 0)
		ll_fail(req, rc, what);
	else
		fuse_reply_buf(req, bytes, n);
}
