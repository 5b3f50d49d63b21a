/*
 * -o secure: every user of the mount is a caller of the database, `uid:N`, and may
 * only what was granted to it (aedb_access.h), beside what modes say. Root and the
 * mount's owner may everything.
 *
 * Rights on keys are checked when a name is looked up, changed or opened, never at
 * an open file. What may be neither read nor written is not seen. What has lost its
 * name may be opened again by who has it open, for no more than that.
 *
 *	secure_open(db, owner, &secure);
 *	secure_check(secure, &who, node, SECURE_READ);
 *	secure_close(secure);
 *
 * Threads: guarded by the tree lock. Errors: -EACCES, alike whether something is
 * there or not; -ESTALE: the name is to be looked up again; -ENOMEM and what reading
 * says.
 */
#ifndef SECURE_H
#define SECURE_H

#include "aedb_access.h"
#include "node.h"
#include "tree.h"

struct secure;

/* What is to be done with an object; SECURE_SEE is either of the others. */
#define SECURE_SEE 0u
#define SECURE_READ 1u
#define SECURE_WRITE 2u
#define SECURE_DROP 4u	/* with SECURE_WRITE: it goes */
/* What opening with these flags of open(2) is. */
unsigned int secure_how_opened(int flags);

struct secure_who {
	struct tree *tree;
	const struct tree_caller *caller;
};

/* The database stays the caller's. Owned; secure_close. */
int secure_open(struct aedb *db, uid_t owner, struct secure **ret);
/* Takes NULL. */
void secure_close(struct secure *secure);

int secure_check(struct secure *secure, const struct secure_who *who,
		 struct node *node, unsigned int how);
/* Who may everything. */
bool secure_is_privileged(const struct secure *secure, uid_t uid);
/* A request was refused. */
void secure_note_denied(struct secure *secure);
struct secure_name {
	struct node *dir;
	const char *name;
	bool is_directory;	/* what is under the name is one, or is to be */
};
/* What is, or is to be, under a name. */
int secure_check_name(struct secure *secure, const struct secure_who *who,
		      const struct secure_name *name, unsigned int how);
int secure_check_rename(struct secure *secure, const struct secure_who *who,
			const struct tree_rename *rename);

#define SECURE_ID_BYTES 16
/* "uid:N"; returns its length. */
size_t secure_id(uid_t uid, char ret[SECURE_ID_BYTES]);
/* What this user writes into a batch is decided by what it may. */
int secure_take_batch(struct secure *secure, uid_t uid,
		      struct aedb_batch *batch);

#endif
