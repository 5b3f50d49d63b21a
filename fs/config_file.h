/*
 * The configuration file: a line for each option, NAME or NAME=VALUE, by the
 * names of -o; blanks around both, and lines that are empty or begin with #, do
 * not count.
 *
 *	config_file_read(&options, &file);
 *	config_file_apply(&file, &options);
 *	config_file_release(&file);
 *
 * Threads: no state. Errors: AEDB_INVALID, with options->message set: FILE, the
 * line's number, what is wrong.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

#include "options.h"

struct config_file {
	char *text;		/* owned */
	size_t n;
};

/* Reads options->config_file. */
int config_file_read(struct options *options, struct config_file *ret);
/* The options of options->pass. */
int config_file_apply(const struct config_file *file, struct options *options);
void config_file_release(struct config_file *file);

#endif
