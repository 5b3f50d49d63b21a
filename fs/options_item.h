/*
 * Options one at a time: NAME or NAME=VALUE.
 *
 * Threads: no state. Errors: AEDB_INVALID, with options->message set.
 */
#ifndef OPTIONS_ITEM_H
#define OPTIONS_ITEM_H

#include "options.h"

__attribute__((format(printf, 2, 3)))
int options_refuse(struct options *options, const char *format, ...);
/* Items are separated by commas; "\," is a comma in one. */
int options_item_apply_list(struct options *options, const char *list);

#endif
