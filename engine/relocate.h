/*
 * Moving values out of value files that are to go, while compaction rewrites the
 * entries that refer to them.
 *
 *	relocation_open(&options, &r);
 *	relocation_entry(r, &entry, &relocated);	-- for each reference
 *	relocation_finish(r);
 *	relocation_files, relocation_damaged …
 *	relocation_close(r);
 *
 * Pages are verified and copied into files of its own. A value in which
 * something cannot be read stays where it is, whole, and its files with it.
 *
 * Threads: one. Errors: AEDB_IO and AEDB_NO_SPACE in writing, AEDB_NO_MEMORY,
 * AEDB_BUSY (cancelled); damage is none.
 */
#ifndef RELOCATE_H
#define RELOCATE_H

#include "entry.h"
#include "pace.h"
#include "values.h"

struct relocation;

/* All is borrowed until relocation_close. */
struct relocation_options {
	struct values *values;
	const file_id_t *emptied;	/* ascending: what has to get out of these */
	size_t n_emptied;
	/* Every value file the entries refer to, ascending: one whose root cannot
	 * be read keeps them all. */
	const file_id_t *known;
	size_t n_known;
	size_t pages_max;	/* pages that are remembered, for others to share */
	struct pace *pace;
};

/* What an entry has in place of its value, and what of value files that refers
 * to. Borrowed until the next call. */
struct relocated {
	const void *value;
	uint32_t value_bytes;
	const struct value_share *shares;
	size_t n_shares;
};

int relocation_open(const struct relocation_options *options,
		    struct relocation **ret);
/* entry->is_ref. AEDB_CORRUPT: it is no reference. */
int relocation_entry(struct relocation *r, const struct entry *entry,
		     struct relocated *ret);
/* What was moved is on the disk, and stays. */
int relocation_finish(struct relocation *r);
/* Without relocation_finish the files it made are removed. Takes NULL. */
void relocation_close(struct relocation *r);

/* Files it made, and emptied ones that something damaged stays in, in no order.
 * Borrowed until relocation_close. */
const file_id_t *relocation_files(const struct relocation *r, size_t *ret_n);
const file_id_t *relocation_damaged(const struct relocation *r, size_t *ret_n);
/* Bytes of all pages that were copied. */
uint64_t relocation_bytes(const struct relocation *r);

#endif
