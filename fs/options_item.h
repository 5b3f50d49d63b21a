/*
 * Options one at a time: NAME or NAME=VALUE.
 *
 * Threads: no state. Errors: AEDB_INVALID, with options->message set.
 */
#ifndef OPTIONS_ITEM_H
#define OPTIONS_ITEM_H

#include "options.h"

#define OPTIONS_ITEM_BYTES_MAX OPTIONS_PATH_BYTES	/* with the end */

__attribute__((format(printf, 2, 3)))
int options_refuse(struct options *options, const char *format, ...);
/* One of options->pass; else it is passed over. Changes item. */
int options_item_apply(struct options *options, char *item);
/* config=FILE, by whatever name. */
int options_item_set_config(struct options *options, const char *path);
/* Items are separated by commas; "\," is a comma in one. */
int options_item_apply_list(struct options *options, const char *list);
/* As a list for -o, what is not as in defaults. */
void options_item_print(FILE *out, const struct options *options,
			const struct options *defaults);

#endif
