/* Requests -> rights of users. */
#include "secure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "find.h"
#include "place.h"
#include "state.h"

#define USERS 256	/* buckets */
#define HANDLES 1024

struct user {
	struct aedb_caller *caller;	/* owned */
	struct user *next;
	uid_t uid;
};

/* A scope opened for a user; another that falls into its slot replaces it. */
struct known {
	const struct user *user;
	uint64_t scope_id;
	struct aedb_scope *scope;	/* owned; NULL: the slot is free */
};

struct secure {
	struct aedb *db;		/* constant, as is: */
	uid_t owner;
	struct user *users[USERS];	/* owned */
	struct known known[HANDLES];
};

size_t secure_id(uid_t uid, char ret[SECURE_ID_BYTES])
{
	return (size_t)snprintf(ret, SECURE_ID_BYTES, "uid:%u", (unsigned)uid);
}

int secure_open(struct aedb *db, uid_t owner, struct secure **ret)
{
	struct secure *secure = calloc(1, sizeof(*secure));

	if (!secure)
		return -ENOMEM;
	secure->db = db;
	secure->owner = owner;
	*ret = secure;
	return 0;
}

void secure_close(struct secure *secure)
{
	if (!secure)
		return;
	for (size_t i = 0; i < HANDLES; i++)
		aedb_scope_close(secure->known[i].scope);
	for (size_t i = 0; i < USERS; i++)
		while (secure->users[i]) {
			struct user *user = secure->users[i];

			secure->users[i] = user->next;
			aedb_caller_close(user->caller);
			free(user);
		}
	free(secure);
}

void secure_note_denied(struct secure *secure)
{
	aedb_note_denied(secure->db);
}

unsigned int secure_how_opened(int flags)
{
	unsigned int how = flags & O_TRUNC ? SECURE_WRITE : 0;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return how | SECURE_READ;
	case O_WRONLY:
		return how | SECURE_WRITE;
	default:
		return SECURE_READ | SECURE_WRITE;
	}
}

/* Users. */

bool secure_is_privileged(const struct secure *secure, uid_t uid)
{
	return uid == 0 || uid == secure->owner;
}

static int user_make(struct secure *secure, uid_t uid, struct user **ret)
{
	struct user *user = calloc(1, sizeof(*user));
	char id[SECURE_ID_BYTES];
	int rc = -ENOMEM;

	if (user)
		rc = aedb_caller_open(secure->db, id, secure_id(uid, id),
				      &user->caller);
	if (rc < 0) {
		free(user);
		return rc;
	}
	user->uid = uid;
	user->next = secure->users[uid % USERS];
	secure->users[uid % USERS] = user;
	*ret = user;
	return 0;
}

static int user_find(struct secure *secure, uid_t uid, struct user **ret)
{
	struct user *user = secure->users[uid % USERS];

	while (user && user->uid != uid)
		user = user->next;
	if (!user)
		return user_make(secure, uid, ret);
	*ret = user;
	return 0;
}

static int scope_find(struct secure *secure, const struct user *user,
		      struct aedb_scope *keys, struct aedb_scope **ret)
{
	uint64_t id = aedb_scope_id(keys);
	struct known *known = &secure->known[(id * 31 + user->uid) % HANDLES];
	struct aedb_scope *scope;
	int rc;

	if (known->scope && known->user == user && known->scope_id == id) {
		*ret = known->scope;
		return 0;
	}
	rc = aedb_scope_as(user->caller, keys, &scope);
	if (rc < 0)
		return rc;
	aedb_scope_close(known->scope);
	*known = (struct known){ user, id, scope };
	*ret = scope;
	return 0;
}

int secure_take_batch(struct secure *secure, uid_t uid, struct aedb_batch *batch)
{
	char id[SECURE_ID_BYTES];
	struct user *user;
	int rc;

	if (secure_is_privileged(secure, uid))
		return aedb_batch_set_owner(batch, id, secure_id(uid, id));
	rc = user_find(secure, uid, &user);
	if (rc == 0)
		aedb_batch_set_caller(batch, user->caller);
	return rc;
}

/* A request of one user. */
struct asked {
	struct secure *secure;
	const struct secure_who *who;
	struct user *user;
};

/* 1: nothing is to be checked. */
static int ask(struct secure *secure, const struct secure_who *who,
	       struct asked *ret)
{
	uid_t uid = who->caller->uid;

	*ret = (struct asked){ secure, who, NULL };
	if (secure_is_privileged(secure, uid))
		return 1;
	/* a batch is seen by nobody else */
	if (who->tree->batch && who->tree->batch->uid != uid)
		return -EACCES;
	return user_find(secure, uid, &ret->user);
}

/* Keys. */

typedef int may(struct aedb_scope *scope, enum aedb_right right,
		const void *key, size_t key_bytes);

static int key_check(struct aedb_scope *scope, const void *key, size_t n,
		     unsigned int how, may *may_see)
{
	int rc = 0;

	if (how == SECURE_SEE) {
		rc = may_see(scope, AEDB_KV_READ, key, n);
		return rc == AEDB_ACCESS ?
			       may_see(scope, AEDB_KV_WRITE, key, n) : rc;
	}
	if (how & SECURE_READ)
		rc = aedb_scope_may(scope, AEDB_KV_READ, key, n);
	if (rc == 0 && (how & SECURE_WRITE))
		rc = aedb_scope_may(scope, AEDB_KV_WRITE, key, n);
	return rc;
}

static int file_check(const struct asked *a, const struct place *dir,
		      const struct path_child *child, unsigned int how)
{
	struct aedb_scope *scope;
	int rc = scope_find(a->secure, a->user, dir->keys, &scope);

	return rc < 0 ? rc : key_check(scope, child->key, child->key_bytes, how,
				       aedb_scope_may);
}

static int directory_check(const struct asked *a, const struct place *place,
			   unsigned int how)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX];
	size_t n = path_dir_scan_prefix(&place->dir, prefix);
	struct aedb_scope *scope;
	int rc = scope_find(a->secure, a->user, place->keys, &scope);

	return rc < 0 ? rc : key_check(scope, prefix, n, how,
				       aedb_scope_may_beneath);
}

/* Places. */

static int place_see(const struct asked *a, struct aedb_place place)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat_as(a->user->caller, a->who->tree->view, place,
				    &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	/* it may know that there is none */
	return rc == AEDB_NOT_FOUND || rc == AEDB_INVALID ||
			       rc == AEDB_NAME_TOO_LONG ? 0 : rc;
}

static int place_check(const struct asked *a, struct aedb_place place,
		       enum aedb_right right, unsigned int how)
{
	int rc;

	if (!(how & SECURE_WRITE))
		return place_see(a, place);
	rc = aedb_place_may(a->user->caller, a->who->tree->view, place, right);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

/* Nodes. */

static int scope_check(const struct asked *a, struct node *node,
		       unsigned int how)
{
	return place_check(a, place_in_catalog(node), AEDB_SCOPE_ADMIN, how);
}

static int node_check(const struct asked *a, struct node *node, unsigned int how)
{
	struct path_child child;
	struct place place;
	int rc;

	switch (node->kind) {
	case NODE_ROOT:
		return how & SECURE_WRITE ?
			       place_check(a, (struct aedb_place){ NULL, NULL },
					   AEDB_GLOBAL_ADMIN, how) : 0;
	case NODE_PROJECT:
		return place_check(a, place_in_catalog(node),
				   AEDB_PROJECT_ADMIN, how);
	case NODE_SCOPE:
		return scope_check(a, node, how);
	case NODE_DIR:
		rc = place_of_directory(a->who->tree, node, &place);
		return rc < 0 ? rc : directory_check(a, &place, how);
	case NODE_FILE:
		rc = place_of_file(a->who->tree, node, &place, &child);
		return rc < 0 ? rc : file_check(a, &place, &child, how);
	case NODE_SNAPSHOTS:
	case NODE_BATCHES:
		return 0;
	}
	return -EACCES;
}

static bool is_nameless(const struct node *node)
{
	for (; node; node = node->parent)
		if (node->kind == NODE_ROOT)
			return false;
	return true;
}

/* What has lost its name is reached by who has it open, for what it is open for. Who
 * has not found the name before that, and is to look again: -ESTALE. */
static int nameless_check(const struct asked *a, const struct node *node,
			  unsigned int how)
{
	const struct handle *handle;
	unsigned int has = 0;

	if (node->file)
		LIST_FOREACH(handle, &node->file->handles, next)
			if (handle->opener_uid == a->who->caller->uid)
				has |= secure_how_opened(handle->flags);
	return how & ~has ? -ESTALE : 0;
}

int secure_check(struct secure *secure, const struct secure_who *who,
		 struct node *node, unsigned int how)
{
	struct asked a;
	int rc = ask(secure, who, &a);

	if (rc)
		return rc < 0 ? rc : 0;
	return is_nameless(node) ? nameless_check(&a, node, how) :
				   node_check(&a, node, how);
}

/* Names. */

static bool is_file(struct tree *tree, const struct secure_name *name)
{
	struct node *node = node_find(tree->nodes, name->dir, name->name);
	bool is_it = node && node->kind == NODE_FILE;
	struct found found;

	if (!node)
		return find_child(tree, name->dir, name->name, &found) == 0 &&
		       found.kind == NODE_FILE;
	node_unref(tree->nodes, node, 1);
	return is_it;
}

/* It is to be seen, and as a file it may not be. */
static int as_directory_check(const struct asked *a,
			      const struct secure_name *name,
			      const struct place *inside)
{
	int rc = directory_check(a, inside, SECURE_SEE);

	return rc == 0 && is_file(a->who->tree, name) ? -ENOENT : rc;
}

static int in_scope_check(const struct asked *a, const struct secure_name *name,
			  unsigned int how)
{
	struct place place, inside;
	struct path_child child;
	int rc = place_of_directory(a->who->tree, name->dir, &place);

	if (rc == 0)
		rc = path_child(&place.dir, name->name, strlen(name->name),
				&child);
	if (rc < 0)
		return rc;
	place_init(&inside, &place, child.key, child.key_bytes);
	if (name->is_directory)
		return directory_check(a, &inside, how);
	rc = file_check(a, &place, &child, how);
	return rc == AEDB_ACCESS && how == SECURE_SEE ?
		       as_directory_check(a, name, &inside) : rc;
}

/* A project or scope. Names with a dot are the mount's own. */
static int in_catalog_check(const struct asked *a,
			    const struct secure_name *name, unsigned int how)
{
	bool is_scope = name->dir->kind == NODE_PROJECT;
	struct aedb_place place = { name->name, NULL }, in = { NULL, NULL };

	if (name->name[0] == '.')
		return 0;
	if (is_scope) {
		in.project = node_name(name->dir);
		place = (struct aedb_place){ in.project, name->name };
	}
	if (!(how & SECURE_WRITE))
		return place_see(a, place);
	if (how & SECURE_DROP)
		return place_check(a, place, is_scope ? AEDB_SCOPE_ADMIN :
							AEDB_PROJECT_ADMIN,
				   how);
	/* names are given by who administers what they are in */
	return place_check(a, in, is_scope ? AEDB_PROJECT_ADMIN :
					     AEDB_GLOBAL_ADMIN, how);
}

/* That a name is taken who begins one is told all the same. */
static int batch_check(const struct asked *a, const char *name)
{
	const struct batch *batch;

	LIST_FOREACH(batch, &a->who->tree->mount->batches, next)
		if (strcmp(batch->name, name) == 0)
			return batch->uid == a->who->caller->uid ? 0 : -EACCES;
	return 0;
}

int secure_check_name(struct secure *secure, const struct secure_who *who,
		      const struct secure_name *name, unsigned int how)
{
	struct asked a;
	int rc = ask(secure, who, &a);

	if (rc)
		return rc < 0 ? rc : 0;
	if (is_nameless(name->dir))
		return -ENOENT;
	switch (name->dir->kind) {
	case NODE_ROOT:
	case NODE_PROJECT:
		return in_catalog_check(&a, name, how);
	case NODE_SCOPE:
	case NODE_DIR:
		return in_scope_check(&a, name, how);
	case NODE_BATCHES:
		return batch_check(&a, name->name);
	default:
		return 0;
	}
}

/* What is renamed has been looked up. */
static bool is_directory(const struct tree *tree, struct node *dir,
			 const char *name)
{
	struct node *node = node_find(tree->nodes, dir, name);
	bool is_it = node && node->kind == NODE_DIR;

	if (node)
		node_unref(tree->nodes, node, 1);
	return is_it;
}

int secure_check_rename(struct secure *secure, const struct secure_who *who,
			const struct tree_rename *rename)
{
	struct secure_name from = { rename->parent, rename->name, false };
	struct secure_name to = { rename->new_parent, rename->new_name, false };
	unsigned int both = SECURE_READ | SECURE_WRITE;
	bool is_exchange = rename->flags & RENAME_EXCHANGE;
	int rc;

	from.is_directory = is_directory(who->tree, from.dir, from.name);
	to.is_directory = is_exchange ?
		is_directory(who->tree, to.dir, to.name) : from.is_directory;
	rc = secure_check_name(secure, who, &from, both);
	return rc < 0 ? rc : secure_check_name(secure, who, &to, is_exchange ?
					       both : SECURE_WRITE);
}
