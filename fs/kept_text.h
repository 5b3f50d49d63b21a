/*
 * A text that is written once and then read by any number of users, and that lies
 * where values being written do: what is in memory of all of them is bounded, and
 * counted with those (aedb_stage).
 *
 *	kept_text_open(db, &text);
 *	out = kept_text_write(text); fprintf(out, …);
 *	kept_text_written(text, out);
 *	kept_text_read(text, …);
 *	kept_text_unref(text);
 *
 * Threads: one writes; then any.
 * Errors: as aedb_stage_write and aedb_stage_read; -ENOMEM.
 */
#ifndef KEPT_TEXT_H
#define KEPT_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "aedb.h"

struct kept_text;

/* Used once. */
int kept_text_open(struct aedb *db, struct kept_text **ret);
/* NULL: no memory. */
FILE *kept_text_write(struct kept_text *text);
/* Closes it, and says whether all was written. */
int kept_text_written(struct kept_text *text, FILE *out);

struct kept_text *kept_text_ref(struct kept_text *text);
/* Takes NULL. The last one drops it. */
void kept_text_unref(struct kept_text *text);
uint64_t kept_text_bytes(const struct kept_text *text);
int kept_text_read(struct kept_text *text, void *buf, size_t n,
		   uint64_t offset, size_t *ret);

#endif
