/*
 * One committed version of a file, kept for those who read it.
 *
 * Threads: counted under the tree lock; read without it.
 */
#ifndef PIN_H
#define PIN_H

#include "aedb.h"
#include "node.h"

struct pin;

/* Pins the newest committed version of the node's key. Owned; pin_unref.
 * -ENOENT, -ENOMEM and as aedb_reader_open. */
int pin_open(struct node *node, struct pin **ret);
struct pin *pin_ref(struct pin *pin);
/* Takes NULL. */
void pin_unref(struct pin *pin);
uint64_t pin_bytes(const struct pin *pin);
/* Reading it touches no disk. */
bool pin_is_resident(const struct pin *pin);
/* Reads up to n bytes; *ret is fewer only at the end. */
int pin_read(struct pin *pin, void *buf, size_t n, uint64_t offset,
	     size_t *ret);
/* The same without waiting; -EAGAIN: it is not in memory, or being read. */
int pin_read_at_once(struct pin *pin, void *buf, size_t n, uint64_t offset,
		     size_t *ret);
/* As aedb_reader_seek. */
int pin_seek(struct pin *pin, enum aedb_extent what, uint64_t offset,
	     uint64_t *ret);

/* A reader of the node's newest committed version. Owned; aedb_reader_close. */
int pin_reader_open(struct node *node, struct aedb_reader **ret);
/* The same of a removed file, for one user at a time; NULL: it held nothing.
 * Borrowed until the node goes. */
struct aedb_reader *pin_removed_value(struct node *node);

#endif
