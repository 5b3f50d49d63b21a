/*
 * What the kernel is to be told after a commit that it did not ask this tree for:
 * whose attributes are stale, and which names mean something else now.
 *
 * Threads: filled under the tree lock, read without it by who tells.
 */
#ifndef NEWS_H
#define NEWS_H

#include "state.h"

struct news_name {
	uint64_t parent;	/* as tree_nodeid gives it */
	char *name;		/* owned */
};

struct news {
	uint64_t *attributes;	/* owned; of these nodes */
	size_t n_attributes, attributes_max;
	struct news_name *names;	/* owned */
	size_t n_names, names_max;
	struct node **untold;	/* owned; counted, until news_told: what has lost its
				 * name, so that the kernel asks again who opens it
				 * by that */
	size_t n_untold;
};

/* The kernel was told of all. Needs the tree lock. */
void news_told(struct tree *tree, struct news *news);
/* Zeroed: nothing to tell. After news_told. */
void news_release(struct news *news);
/* Makes room for so many more, which can then be added. -ENOMEM. */
int news_reserve(struct news *news, size_t attributes, size_t names);
void news_add_stale(struct news *news, const struct tree *tree,
		    const struct node *node);
/* The same, if the kernel may believe some. */
void news_add_attributes(struct news *news, const struct tree *tree,
			 struct node *node);
/* For as many as names were asked for. */
void news_add_untold(struct news *news, struct node *node);
/* Without memory it is not added. */
void news_copy_name(struct news *news, uint64_t parent, const char *name);
/* Takes the name over. */
void news_add_name(struct news *news, uint64_t parent, char *name);

#endif
