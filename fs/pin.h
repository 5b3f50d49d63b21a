/*
 * One version of a file, kept for those who read it.
 *
 * Threads: counted under the tree lock; read without it.
 */
#ifndef PIN_H
#define PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aedb.h"

struct pin;

/* Takes the reader over, also when it fails. Owned; pin_unref. -ENOMEM. */
int pin_new(struct aedb_reader *reader, struct pin **ret);
struct pin *pin_ref(struct pin *pin);
/* Takes NULL. */
void pin_unref(struct pin *pin);
uint64_t pin_bytes(const struct pin *pin);
uint64_t pin_allocated_bytes(const struct pin *pin);
/* To put a stage over it; borrowed until pin_unref. */
const struct aedb_reader *pin_reader(const struct pin *pin);
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

#endif
