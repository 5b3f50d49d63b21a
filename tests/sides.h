/*
 * A model of batches: small trees of files and directories, and when what a batch
 * did to its own conflicts with what others did meanwhile.
 *
 *	side_begin(&batch, &live);		a batch with the live tree as base
 *	if (side_can(&batch, &step)) side_do(&batch, &step, number);
 *	if (side_judge(&batch, &live) == SIDE_PASSES)
 *		side_merge(&batch, &live, number);
 *
 * The live tree is a side as well, whose base does not count. A tree has a node
 * for each path it may have: SIDE_SCOPES scopes, in each names "a" and "b"
 * SIDE_DEPTH deep. Scopes are made and removed, too, but not renamed.
 */
#ifndef SIDES_H
#define SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_SCOPES 2
#define SIDE_DEPTH 3
#define SIDE_SCOPE_PATHS ((2 << SIDE_DEPTH) - 1)
#define SIDE_PATHS (SIDE_SCOPES * SIDE_SCOPE_PATHS)
#define SIDE_PATH_BYTES 32
#define SIDE_SCOPE_MODE 0755	/* of those of the beginning */

/* What is at a path. */
struct side_thing {
	unsigned object;	/* which; 0: nothing is there */
	bool is_dir;
	unsigned version;	/* of the last change, but of a directory's entries;
				 * also when nothing is there any more */
	unsigned value;		/* of a file */
	unsigned mode;		/* 0: not known */
};

struct side_tree {
	struct side_thing at[SIDE_PATHS];
};

struct side {
	struct side_tree base, own;
};

enum side_act {
	SIDE_WRITE,		/* a whole value; makes the file if need be */
	SIDE_UNLINK,
	SIDE_MKDIR,
	SIDE_RMDIR,
	SIDE_RENAME,
	SIDE_EXCHANGE,
	SIDE_CHMOD,
	SIDE_ACTS,
};

struct side_step {
	enum side_act act;
	int path, to;		/* numbers of paths */
	unsigned value, mode;
};

/* With two empty scopes; the numbers are the scopes' objects. */
void side_init(struct side *live, unsigned first_object);
void side_begin(struct side *ret, const struct side *live);
/* Whether the file system does such a step. */
bool side_can(const struct side *side, const struct side_step *step);
/* The number is a new one: object and version of what is made and changed. */
void side_do(struct side *side, const struct side_step *step,
	       unsigned number);

enum side_verdict {
	SIDE_PASSES,
	SIDE_CONFLICTS,
	SIDE_EITHER,		/* a directory, or what is in one that the batch
				 * removed or moved, is as it was, but was not
				 * always: may be refused */
};
/* Against the live tree as it is now; `ret_at`, if given, gets what the paths with
 * a conflict are. */
enum side_verdict side_judge(const struct side *batch,
				 const struct side *live,
				 bool ret_at[SIDE_PATHS]);
/* The net difference to the base comes into the live tree. */
void side_merge(const struct side *batch, struct side *live,
		  unsigned number);

/* What a batch did at a path: '+', '-', '~', or 0: nothing, or put back. */
char side_difference(const struct side *batch, int path);

/* "SCOPE/a/b". */
void side_path(int path, char ret[SIDE_PATH_BYTES]);
/* A scope's own path; the parent of another one. */
bool side_is_scope(int path);
int side_parent(int path);
/* Both of them, 0 and 1; -1: too deep. */
int side_child(int path, int which);

#endif
