/*
 * The command line of aedbfs: aedbfs [-f] [--config FILE] [-o OPTION,…] DATABASE
 * DIRECTORY, and that of a helper of mount(8), known by the program's name:
 * mount.aedbfs DATABASE DIRECTORY [-sfnv] [-N NAMESPACE] [-o OPTION,…] [-t TYPE].
 *
 * What a profile says holds under what the configuration file says, and that
 * under what the command line says, in whatever order they are named.
 *
 * It looks at nothing but its arguments and the configuration file they name.
 * Not thread-safe (getopt).
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "aedb.h"
#include "shown.h"

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_REMOUNT,	/* -o remount: flags of a mount that is there */
	OPTIONS_FAKE,		/* mount --fake: nothing */
};

#define OPTIONS_KERNEL_BYTES 128
#define OPTIONS_MESSAGE_BYTES 1024
#define OPTIONS_PATH_BYTES 256

/* What is looked for while all is read; everything else is passed over. */
enum options_pass {
	OPTIONS_PASS_FIRST,	/* which file there is, and whether it is read */
	OPTIONS_PASS_PROFILE,
	OPTIONS_PASS_REST,
};

struct options {
	enum options_action action;
	const char *database;		/* borrowed from argv */
	const char *mount_point;	/* borrowed from argv */
	bool is_for_mount;		/* called by mount(8) */
	bool is_sloppy;			/* mount -s: unknown options are ignored */
	bool is_foreground;
	bool is_read_only;
	bool has_allow_other;
	bool has_allow_root;
	bool has_no_xattr;		/* extended attributes are switched off */
	bool is_secure;			/* users may what is granted to them only */
	bool creates;			/* a database where there is none */
	struct aedb_options engine;	/* what the database is opened with; its
					 * memory is that of the whole mount */
	uint32_t batch_age_s;		/* at which the mount aborts a batch */
	char key_file[OPTIONS_PATH_BYTES];	/* "": the manifest is not signed */
	char backup_dir[OPTIONS_PATH_BYTES];	/* "": beside the database */
	char config_file[OPTIONS_PATH_BYTES];	/* "": none */
	enum aedb_profile profile;
	enum options_pass pass;		/* while options are read */
	bool wants_history_bytes;	/* likewise */
	bool has_sync_interval;		/* where they are read */
	struct shown shown;
	char kernel[OPTIONS_KERNEL_BYTES];	/* for the kernel: "noexec,sync" */
	unsigned long kernel_flags;	/* the same as MS_ bits, with ro */
	char message[OPTIONS_MESSAGE_BYTES];	/* what is wrong with argv */
};

/* Reads argv and its configuration file over the defaults. AEDB_INVALID with
 * ret->message set, naming the argument, or file, line and option. */
int options_parse(int argc, char **argv, struct options *ret);
void options_print_help(FILE *out);
/* What is in force and not the default, as a list for -o; "rw" at least. */
void options_print_changed(FILE *out, const struct options *options);
/* As the option durability= names it. Static. */
const char *options_durability_name(const struct options *options);

#endif
