/*
 * What the kernel may still believe of a node's attributes: nothing, or what was
 * answered as lasting to one thread, or to several.
 *
 * The kernel itself drops attributes at the end of what changes them. Answers on
 * their way to other threads may come later than that; one to the same thread
 * cannot. So only when nobody else was answered it needs no notice
 * (docs/decisions/0012-attributes-told.md).
 *
 * Threads: guarded by the tree lock.
 */
#ifndef TOLD_H
#define TOLD_H

#include "node.h"

/* Lasting attributes are answered to a thread; 0: unknown. */
void told_add(struct node *node, pid_t tid);
/* The kernel drops the attributes when this thread has its answer. */
void told_drop(struct node *node, pid_t tid);
/* It drops them, and every answer on its way too. */
void told_drop_all(struct node *node);
bool told_anybody(const struct node *node);

#endif
