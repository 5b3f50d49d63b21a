/*
 * What a batch's commit will do to the objects that a tree knows, found out
 * before it: a list of changes becomes lists of nodes, each with all that is
 * needed to go on with it afterwards without fail.
 *
 * Threads: guarded by the tree lock, under which the commit comes too.
 * Errors: negative errno values and enum aedb_error; nothing was done then.
 */
#ifndef TOUCHED_H
#define TOUCHED_H

#include "removal.h"
#include "state.h"

/* A project (scope "") or scope, as the batch calls it. */
struct touched_place {
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	uint64_t id;		/* 0: not asked for yet */
	struct node *node;	/* counted; NULL: not known */
};

/* How the tree's view calls what has this id; names that it has perhaps are given.
 * -ENOENT. */
int touched_place_find(const struct tree *tree, uint64_t id,
		       struct touched_place *place);

/* Where an object lies. */
struct touched_key {
	uint64_t id;		/* the object's */
	unsigned place;		/* number of it */
	bool is_of_place;	/* the place itself */
	bool is_record;		/* a directory's */
	size_t key_bytes;	/* of a record the directory's key */
	uint8_t *key;		/* owned */
};

/* A node whose object may lie elsewhere afterwards, be called otherwise or be
 * gone. */
struct touched_node {
	struct node *node;	/* counted */
	struct node *parent;	/* counted: where it was, */
	char *name;		/* owned: and its name there */
	struct removal removal;
	struct touched_key from;
	const struct touched_key *arrival;	/* borrowed; NULL: it stays there or
						 * goes */
};

struct touched {
	struct tree *tree;
	struct aedb_batch *batch;
	aedb_seq_t base_seq;
	bool has_directories;	/* among the nodes: what is in them is, too */
	struct touched_place *places;	/* owned */
	size_t n_places, places_max;
	unsigned last_place;	/* that changes were in */
	struct touched_node *nodes;	/* owned; each once */
	size_t n_nodes, nodes_max;
	struct touched_key *arrivals;	/* owned: objects of the base that come to
					 * lie there; sorted by id */
	size_t n_arrivals, arrivals_max;
	struct node **stale;	/* owned; counted: the kernel is to be told, and
				 * they are noted as such */
	size_t n_stale, stale_max;
	struct node **rewritten;	/* owned; counted: open, with another value */
	size_t n_rewritten, rewritten_max;
	struct node **pending;	/* owned; counted; each once: the commit may make
				 * what has their names, or move them */
	size_t n_pending, pending_max;
};

/* Of the live tree; the batch is as it will be committed. */
int touched_find(struct tree *tree, struct aedb_batch *batch,
		 struct touched *ret);
void touched_release(struct touched *touched);
/* Releases it, of a commit that is not made. */
void touched_cancel(struct touched *touched);

#endif
