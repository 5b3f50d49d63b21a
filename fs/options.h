/*
 * The command line of aedbfs: aedbfs [-f] [-o OPTION,…] DATABASE DIRECTORY.
 *
 * Pure: it looks at nothing but its arguments. Not thread-safe (getopt).
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "aedb.h"
#include "attr.h"

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

#define OPTIONS_KERNEL_BYTES 128
#define OPTIONS_MESSAGE_BYTES 256

struct options {
	enum options_action action;
	const char *database;		/* borrowed from argv */
	const char *mount_point;	/* borrowed from argv */
	bool is_foreground;
	bool is_read_only;
	bool has_allow_other;
	bool has_no_xattr;		/* extended attributes are switched off */
	bool creates;			/* a database where there is none */
	enum aedb_durability durability;
	uint32_t sync_interval_ms;
	uint64_t memory_bytes;
	struct attr_defaults defaults;
	char kernel[OPTIONS_KERNEL_BYTES];	/* for the kernel: "noexec,sync" */
	char message[OPTIONS_MESSAGE_BYTES];	/* what is wrong with argv */
};

/* Reads argv over defaults: durability batch, and the owner and umask given.
 * AEDB_INVALID with ret->message set, naming the argument. */
int options_parse(int argc, char **argv, const struct attr_defaults *owner,
		  struct options *ret);
void options_print_help(FILE *out);

#endif
