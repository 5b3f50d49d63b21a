/* Who was told a node's attributes. */
#include "told.h"

#define NOBODY ((pid_t)0)
#define SEVERAL ((pid_t)-1)

void told_add(struct node *node, pid_t tid)
{
	if (tid <= 0 || (node->told != NOBODY && node->told != tid))
		tid = SEVERAL;
	node->told = tid;
}

void told_drop(struct node *node, pid_t tid)
{
	if (node->told == tid)
		node->told = NOBODY;
}

void told_drop_all(struct node *node)
{
	node->told = NOBODY;
}

bool told_anybody(const struct node *node)
{
	return node->told != NOBODY;
}
