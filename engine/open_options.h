/*
 * Whether a database can be opened with such options.
 *
 * Threads: no state. Errors: AEDB_INVALID.
 */
#ifndef OPEN_OPTIONS_H
#define OPEN_OPTIONS_H

#include "types.h"

/* AEDB_INVALID naming the option that is out of its range, or the two that do
 * not go together. */
int open_options_check(const struct aedb_options *o);

#endif
