/*
 * The commands of the program and how their options are read.
 *
 * A command's function gets argv with its own name at argv[0], returns 0 or a
 * negative code after a failure_… call, and prints only its result.
 * Threads: one.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <getopt.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *purpose;	/* one line */
	const char *help;	/* the rest of --help */
};

int cmd_init(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_put(int argc, char **argv);
int cmd_del(int argc, char **argv);
int cmd_mv(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_table(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_batch(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_grants(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_compact(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_changes(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* The one that runs; a stand-in named "aedb" before one does. Static. */
const struct command *command_current(void);

/* What every command has, at the end of its table of long options. */
#define COMMAND_OPTIONS \
	{ "json", no_argument, NULL, 'J' }, \
	{ "help", no_argument, NULL, 'H' }, { NULL, 0, NULL, 0 }

/* The same of one that opens a database. */
#define COMMAND_DATABASE_OPTIONS \
	{ "key-file", required_argument, NULL, 'K' }, COMMAND_OPTIONS

/* The next option's letter, 0 after the last, or a negative code. --json and
 * --key-file are done here; --help prints and ends the program. The arguments follow at
 * argv[optind]. */
int command_next_option(int argc, char **argv, const char *letters,
			const struct option *options);
/* Gives the letter of each option to take, which returns 0 or a negative code that
 * ends it, after a failure_… call. */
struct command_taker {
	int (*take)(void *arg, int letter);
	void *arg;
};
int command_take_options(int argc, char **argv, const char *letters,
			 const struct option *options,
			 const struct command_taker *taker);
/* Fails unless the number of arguments is min to max. */
int command_check_arguments(int argc, int min, int max);
/* Of a command without options of its own: fails unless there is one argument. */
int command_one_argument(int argc, char **argv, const struct option *options);
/* How many arguments follow the options; *argv is at the first from then on. */
int command_arguments(int argc, char ***argv);
/* A decimal number of an option, at least 1. */
int command_parse_count(const char *option, const char *text,
			unsigned long long *ret);

#endif
