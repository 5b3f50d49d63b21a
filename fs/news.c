/* Lists of what is stale in the kernel. */
#include "news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "told.h"

void news_told(struct tree *tree, struct news *news)
{
	for (size_t i = 0; i < news->n_untold; i++) {
		news->untold[i]->is_untold = false;
		node_unref(tree->nodes, news->untold[i], 1);
	}
	news->n_untold = 0;
}

void news_release(struct news *news)
{
	for (size_t i = 0; i < news->n_names; i++)
		free(news->names[i].name);
	free(news->names);
	free(news->untold);
	free(news->attributes);
	*news = (struct news){ .attributes = NULL };
}

int news_reserve(struct news *news, size_t attributes, size_t names)
{
	size_t max = news->n_attributes + attributes;
	void *grown;

	if (max > news->attributes_max) {
		grown = realloc(news->attributes,
				max * sizeof(*news->attributes));
		if (!grown)
			return -ENOMEM;
		news->attributes = grown;
		news->attributes_max = max;
	}
	max = news->n_names + names;
	if (max > news->names_max) {
		grown = realloc(news->names, max * sizeof(*news->names));
		if (!grown)
			return -ENOMEM;
		news->names = grown;
		grown = realloc(news->untold, max * sizeof(*news->untold));
		if (!grown)
			return -ENOMEM;
		news->untold = grown;
		news->names_max = max;
	}
	return 0;
}

void news_add_stale(struct news *news, const struct tree *tree,
		    const struct node *node)
{
	news->attributes[news->n_attributes++] = tree_nodeid(tree, node);
}

void news_add_attributes(struct news *news, const struct tree *tree,
			 struct node *node)
{
	if (!told_anybody(node))
		return;
	told_drop_all(node);
	news_add_stale(news, tree, node);
}

void news_add_name(struct news *news, uint64_t parent, char *name)
{
	news->names[news->n_names++] = (struct news_name){ parent, name };
}

void news_copy_name(struct news *news, uint64_t parent, const char *name)
{
	char *copy = strdup(name);

	if (copy)
		news_add_name(news, parent, copy);
}

void news_add_untold(struct news *news, struct node *node)
{
	node->is_untold = true;
	news->untold[news->n_untold++] = node_ref(node);
}
