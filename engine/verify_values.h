/*
 * Verifying values: that what references lead to is there, whole, and of the
 * size and place that is said of it.
 *
 * Calling sequence: verify_values_open; verify_value for every reference, and
 * verify_values_note for files that are referred to otherwise;
 * verify_values_has_file at the end; verify_values_close.
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef VERIFY_VALUES_H
#define VERIFY_VALUES_H

#include "segment_info.h"
#include "values.h"
#include "verify_find.h"

struct verify_values;

/* Remembers pages that it read in about memory_bytes, so that one which is shared
 * is not read each time. Findings and values are borrowed until
 * verify_values_close. Owned. */
int verify_values_open(struct verify_findings *findings, struct values *values,
		       size_t memory_bytes, struct verify_values **ret);
/* Takes NULL. */
void verify_values_close(struct verify_values *v);

/* Bytes of value files, summed up. Zeroed at first. */
struct verify_shares {
	struct segment_share *at;	/* owned; files ascend */
	size_t n, room;
};

void verify_shares_release(struct verify_shares *shares);

/* Reads all of a value. Adds what of which files it refers to, as a segment
 * counts it: 1; 0: damage hides that. */
int verify_value(struct verify_values *v, const struct value_ref *ref,
		 struct verify_shares *shares);

/* Something refers to the file: a finding, once, if it is not there or has no
 * whole header. 1: it can be read, 0: not. */
int verify_values_note(struct verify_values *v, file_id_t number);
bool verify_values_has_file(const struct verify_values *v, file_id_t number);

#endif
