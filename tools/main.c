/*
 * aedb: the command line of the database. Finds the command, runs it, reports
 * its failure, and makes sure that what it printed was written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aedb.h"
#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"

#define TARGETS \
	"TARGET is a path in a mounted database, or a database directory DB with\n" \
	"names inside it.\n"

#define WHOLE "DB is a database directory that nobody has open for writing.\n"

#define MOUNTED_OR_WHOLE \
	"MOUNT is where a database is mounted; " WHOLE

#define GRANTS \
	"TARGET is a path in a mounted database, or a database directory. WHERE is / for\n" \
	"the database, PROJECT, PROJECT/SCOPE, or PROJECT/SCOPE/PREFIX, the keys that\n" \
	"begin so; PROJECT//PREFIX is of all scopes. WHO is uid:N for a user of a mount\n" \
	"with -o secure, or what a program calls somebody.\n\n"

#define HEX_OPTION \
	"  -x, --hex       keys are hexadecimal digits, as arguments and printed\n"

#define COMMON_OPTIONS \
	"      --json      results as JSON, one object a line; errors too\n" \
	"      --help      this text\n"

#define DATABASE_OPTIONS \
	"      --key-file=FILE\n" \
	"                  of a database with a signed manifest: the bytes of FILE\n" \
	"                  are the key, 16 to 64 of them\n" COMMON_OPTIONS

static const struct command commands[] = {
	{ "init", cmd_init, "make a new, empty database",
	  "Usage: aedb init [OPTIONS] DB\n"
	  "\n"
	  "Makes the directory DB, or fills an empty one.\n"
	  "\n" DATABASE_OPTIONS },
	{ "mount", cmd_mount, "mount a database: the same as aedbfs",
	  "Usage: aedb mount [OPTIONS] DB MOUNT\n"
	  "\n"
	  "Runs aedbfs with these arguments; 'aedbfs --help' tells its options.\n"
	  "\n"
	  "      --help      this text\n" },
	{ "umount", cmd_umount, "unmount, and wait until the database is closed",
	  "Usage: aedb umount [OPTIONS] MOUNT|DB\n"
	  "\n"
	  "Unmounts, makes everything durable and waits for the end of the daemon:\n"
	  "after that the database can be opened, copied or moved.\n"
	  "\n"
	  "  -l, --lazy      unmount also while files are open\n"
	  "  -t, --timeout=SECONDS\n"
	  "                  wait that long for the daemon; 60 unless told\n"
	  COMMON_OPTIONS },
	{ "get", cmd_get, "print a value",
	  "Usage: aedb get [OPTIONS] DB PROJECT/SCOPE KEY\n"
	  "       aedb get [OPTIONS] PATH\n"
	  "\n" TARGETS
	  "The value is printed byte for byte.\n"
	  "\n" HEX_OPTION
	  "      --permissive\n"
	  "                  read what can be read of a damaged database\n"
	  DATABASE_OPTIONS },
	{ "put", cmd_put, "store a value; make a project or a scope",
	  "Usage: aedb put [OPTIONS] DB PROJECT/SCOPE KEY [VALUE]\n"
	  "       aedb put [OPTIONS] DB PROJECT[/SCOPE]\n"
	  "       aedb put [OPTIONS] PATH [VALUE]\n"
	  "\n" TARGETS
	  "Without VALUE the value is standard input, byte for byte. The new value is\n"
	  "seen when all of it was read, and durable when the command returns; if it\n"
	  "fails, the old value stays. Without KEY the project or scope is made.\n"
	  "\n"
	  "  -f, --file=FILE the value is the content of FILE\n"
	  "  -n, --new       only if there is no such key\n"
	  "  -p, --parents   make the project and the scope too; with no KEY, do\n"
	  "                  not mind if they are there\n"
	  HEX_OPTION DATABASE_OPTIONS },
	{ "del", cmd_del, "delete keys, a scope or a project",
	  "Usage: aedb del [OPTIONS] DB PROJECT/SCOPE KEY...\n"
	  "       aedb del --prefix=PREFIX [OPTIONS] DB PROJECT/SCOPE\n"
	  "       aedb del [OPTIONS] DB PROJECT[/SCOPE]\n"
	  "       aedb del [OPTIONS] PATH...\n"
	  "\n" TARGETS
	  "Keys of a DB are deleted together or, if one of them is not there, not at\n"
	  "all. A project, scope or directory has to be empty, unless -r is given.\n"
	  "\n"
	  "  -r, --recursive with everything inside\n"
	  "      --prefix=PREFIX\n"
	  "                  every key that begins with PREFIX, 100,000 a commit\n"
	  HEX_OPTION DATABASE_OPTIONS },
	{ "mv", cmd_mv, "rename a key, a scope or a project",
	  "Usage: aedb mv [OPTIONS] DB PROJECT/SCOPE KEY [PROJECT/SCOPE] KEY\n"
	  "       aedb mv [OPTIONS] DB PROJECT[/SCOPE] PROJECT[/SCOPE]\n"
	  "       aedb mv [OPTIONS] PATH PATH\n"
	  "\n" TARGETS
	  "The last argument is the new name. A key that has it is replaced.\n"
	  "\n" HEX_OPTION DATABASE_OPTIONS },
	{ "ls", cmd_ls, "list projects, scopes, or one level of keys",
	  "Usage: aedb ls [OPTIONS] DB [PROJECT[/SCOPE [DIRECTORY]]]\n"
	  "       aedb ls [OPTIONS] PATH\n"
	  "\n" TARGETS
	  "Keys are taken as paths: what lies beneath a/ is listed as a/ only. Names\n"
	  "with control characters, quotation marks or bytes that are not UTF-8 are\n"
	  "printed in quotes, as git does it.\n"
	  "\n"
	  "  -l, --long      with size, version and time\n"
	  "  -0, --null      names as they are, each ended by a NUL byte\n"
	  HEX_OPTION
	  "      --permissive\n"
	  "                  read what can be read of a damaged database\n"
	  DATABASE_OPTIONS },
	{ "scan", cmd_scan, "list keys in byte order, also with their values",
	  "Usage: aedb scan [OPTIONS] DB PROJECT/SCOPE\n"
	  "       aedb scan [OPTIONS] PATH\n"
	  "\n" TARGETS
	  "In a mount the keys are paths below PATH. Keys are quoted as by 'aedb ls'.\n"
	  "\n"
	  "      --prefix=PREFIX\n"
	  "                  only keys that begin with PREFIX\n"
	  "      --from=KEY  only KEY and keys behind it\n"
	  "      --to=KEY    only keys before KEY\n"
	  "  -r, --reverse   last key first\n"
	  "      --limit=N   at most N keys\n"
	  "      --values    KEY, a tab and the value, quoted like the key\n"
	  "  -l, --long      with size, version and time\n"
	  "  -0, --null      keys as they are, each ended by a NUL byte\n"
	  HEX_OPTION
	  "      --permissive\n"
	  "                  read what can be read of a damaged database\n"
	  DATABASE_OPTIONS },
	{ "dump", cmd_dump, "print a database as lines of JSON, with all there is",
	  "Usage: aedb dump [OPTIONS] MOUNT|DB [PROJECT[/SCOPE]...]\n"
	  "\n" MOUNTED_OR_WHOLE
	  "Prints all of it, or the projects and scopes that are named: values,\n"
	  "directories, attributes and times, tables, and what is granted; 'aedb\n"
	  "load' makes a database of it again. The last line has the number of lines\n"
	  "and their SHA-256. In a mount, which does not show tables, a snapshot is\n"
	  "taken for that, and deleted; it may be a path of a project or scope, too.\n"
	  "\n"
	  "      --snapshot=NAME\n"
	  "                  as in that snapshot\n"
	  "  -o, --output=FILE\n"
	  "                  to FILE, which is there when it is whole\n"
	  "      --comparable\n"
	  "                  without the number and name of the state, access times,\n"
	  "                  the root's time and what is granted: the same content,\n"
	  "                  the same bytes\n"
	  "      --no-tables without tables\n"
	  "      --no-grants without what is granted\n"
	  "      --permissive\n"
	  "                  read what can be read of a damaged database\n"
	  DATABASE_OPTIONS },
	{ "load", cmd_load, "make of a dump what it is of",
	  "Usage: aedb load [OPTIONS] DB [FILE]\n"
	  "\n" WHOLE
	  "Reads what 'aedb dump' printed, from FILE or standard input, checks all of\n"
	  "it, and makes its projects and scopes, all at once or not at all. A scope\n"
	  "that is already there is a failure, unless an option says what to do. Ids\n"
	  "and numbers are new ones.\n"
	  "\n"
	  "      --replace   drop scopes that are there, in the same commit\n"
	  "      --merge     keep them, and put the keys over theirs: in one commit if\n"
	  "                  there are not many, else in several: see the manual\n"
	  "      --no-grants without what is granted there\n"
	  DATABASE_OPTIONS },
	{ "table", cmd_table, "typed tables of a scope, and their rows",
	  "Usage: aedb table list [OPTIONS] DB PROJECT/SCOPE\n"
	  "       aedb table create [OPTIONS] DB PROJECT/SCOPE TABLE [SCHEMA]\n"
	  "       aedb table describe|drop [OPTIONS] DB PROJECT/SCOPE TABLE\n"
	  "       aedb table rename [OPTIONS] DB PROJECT/SCOPE TABLE NEW\n"
	  "       aedb table alter [OPTIONS] DB PROJECT/SCOPE TABLE [CHANGE]\n"
	  "       aedb table put [OPTIONS] DB PROJECT/SCOPE TABLE [ROW...]\n"
	  "       aedb table get|delete [OPTIONS] DB PROJECT/SCOPE TABLE KEY...\n"
	  "       aedb table scan [OPTIONS] DB PROJECT/SCOPE TABLE\n"
	  "\n"
	  WHOLE
	  "SCHEMA, CHANGE, ROW and KEY are JSON, of FILE or standard input if they are\n"
	  "not given; rows one a line. aedb-tables(7) tells what they look like:\n"
	  "  {\"columns\": [{\"name\": \"id\", \"type\": \"u64\"}, ...], \"key\": [\"id\"]}\n"
	  "  {\"add_index\": {\"name\": \"by_age\", \"columns\": [\"age\"]}}\n"
	  "Types are bool, u8, u64, i64, u256, i256, timestamp, float, text, json, blob.\n"
	  "\n"
	  "  -f, --file=FILE (create, alter, put) \"-\" is standard input\n"
	  "      --batch=N   (put) so many rows are one commit; 1000 unless told\n"
	  "      --insert    (put) refuse a row that is there already\n"
	  "      --update    (put) change columns of rows that are there\n"
	  "      --where=CONDITION\n"
	  "                  (scan) only these: {\"age\": {\"ge\": 18}, \"town\": \"Rom\"}\n"
	  "      --order=COLUMN[:desc],...\n"
	  "                  (scan) in this order\n"
	  "      --select=COLUMN,...\n"
	  "                  (scan) only these columns\n"
	  "      --limit=N   (scan) at most N rows\n"
	  "      --cursor=CURSOR\n"
	  "                  (scan) behind what a scan before printed; empty: from the\n"
	  "                  start. The last line is the cursor to go on with\n"
	  "      --explain   (scan) print how the rows would be found, and no rows\n"
	  "      --snapshot=NAME\n"
	  "                  (list, describe, get, scan) as in that snapshot\n"
	  DATABASE_OPTIONS },
	{ "snapshot", cmd_snapshot, "take, list, compare and delete snapshots",
	  "Usage: aedb snapshot list [OPTIONS] TARGET\n"
	  "       aedb snapshot create [OPTIONS] TARGET NAME\n"
	  "       aedb snapshot delete [OPTIONS] TARGET NAME...\n"
	  "       aedb snapshot rename [OPTIONS] TARGET NAME NEW\n"
	  "       aedb snapshot diff [OPTIONS] TARGET NAME [NAME]\n"
	  "\n"
	  "TARGET is a path in a mounted database, whatever path, or a database\n"
	  "directory. A snapshot is of the whole database. A NAME has 1 to 128\n"
	  "characters of A-Z a-z 0-9 _ . -, and does not begin with a dot.\n"
	  "\n"
	  "diff prints what changed from the first snapshot to the second, or to what\n"
	  "is there now: a line '+ PATH', '- PATH' or '~ PATH' for what was added,\n"
	  "removed or changed, PATH being PROJECT/SCOPE/KEY, quoted as git does it. No\n"
	  "value is read. In a mount it takes @NUMBER and @checkpoint as well.\n"
	  "\n"
	  "  -l, --long      list: with the time when each was taken\n"
	  DATABASE_OPTIONS },
	{ "backup", cmd_backup, "make, list, verify and prune backups",
	  "Usage: aedb backup full|incremental [OPTIONS] MOUNT|DB [NAME]\n"
	  "       aedb backup archive [OPTIONS] BACKUP FILE|-\n"
	  "       aedb backup list [OPTIONS] MOUNT|DB|DIR\n"
	  "       aedb backup verify [OPTIONS] MOUNT|DB|DIR [NAME...]\n"
	  "       aedb backup verify [OPTIONS] FILE|-...\n"
	  "       aedb backup prune --keep-RULE=N... [OPTIONS] MOUNT|DB|DIR\n"
	  "\n"
	  "DIR is a directory of backups; that of a database directory DB is DB.backups,\n"
	  "and a MOUNT knows its own.\n"
	  "\n"
	  "full and incremental back up a database, under a name or the time; a mounted\n"
	  "one goes on meanwhile. An incremental one goes on from the newest one there and\n"
	  "has what came since; it can be restored to any commit in between, as long as\n"
	  "the log of them was kept (backup_log=). What is made is printed.\n"
	  "\n"
	  "archive writes the backup with the path BACKUP as one file, or to standard\n"
	  "output: compressed, and encrypted if there is a key.\n"
	  "\n"
	  "      --to=DIR    into DIR; of a database that is not mounted\n"
	  "      --archive=FILE|-\n"
	  "                  as archive; a full one does not stay in the directory then\n"
	  "      --keep      it does\n"
	  "\n"
	  "list prints of each backup when it began, its kind, its newest\n"
	  "commit, the size of what it stores, and its name; those that are not whole\n"
	  "are said to be so. verify reads a backup and all that it needs, or all\n"
	  "backups; what it finds is a line each, and the exit status is 5 then.\n"
	  "\n"
	  "prune removes the backups that no rule keeps, counted from the newest. What\n"
	  "is kept needs its parents, which stay, too. Times are in UTC.\n"
	  "\n"
	  "      --keep-last=N\n"
	  "                  the last N backups; of this and the next, all: no limit\n"
	  "      --keep-hourly=N --keep-daily=N --keep-weekly=N --keep-monthly=N\n"
	  "      --keep-yearly=N\n"
	  "                  the last one of each of the last N hours, days, ... that\n"
	  "                  have any\n"
	  "      --keep-within=DURATION\n"
	  "                  all that are so much older than the newest, like 1y6m or\n"
	  "                  14d12h\n"
	  "  -n, --dry-run   print what would be made or removed, and change nothing\n"
	  "      --key-fd=N  the key is what descriptor N gives\n"
	  "      --archive-key-file=FILE\n"
	  "                  the key of archives, if it is not the database's\n"
	  DATABASE_OPTIONS },
	{ "restore", cmd_restore, "make a database of backups",
	  "Usage: aedb restore BACKUP... --to=DB [OPTIONS]\n"
	  "\n"
	  "BACKUP is the directory of a backup, its archive, or - for an archive from\n"
	  "standard input; those it goes on from are found beside a directory, or given\n"
	  "too. All of them is verified; then the database DB is made,\n"
	  "which must not exist, or be an empty directory. Without an option it is as of\n"
	  "the last backup. A target that the backups do not have is refused, with those\n"
	  "that they have (status 3).\n"
	  "\n"
	  "      --to=DB     the directory of the new database\n"
	  "      --at-seq=N  as it was with commit N\n"
	  "      --at-time=TIME\n"
	  "                  as it was then, like 2026-11-22T15:52:39Z\n"
	  "  -n, --dry-run   verify only, and make nothing\n"
	  "      --key-fd=N  the key is what descriptor N gives\n"
	  "      --archive-key-file=FILE\n"
	  "                  the key of archives, if it is not the database's\n"
	  DATABASE_OPTIONS },
	{ "batch", cmd_batch, "run a command whose changes are committed at once",
	  "Usage: aedb batch [OPTIONS] MOUNT -- COMMAND [ARGUMENT...]\n"
	  "       aedb batch --list [OPTIONS] MOUNT\n"
	  "\n"
	  "MOUNT is any path in a mounted database. COMMAND starts in the root of a new\n"
	  "batch, whose path is in its environment as AEDB_BATCH. If it exits with 0,\n"
	  "what it changed there is committed, all at once. If it fails, or is\n"
	  "interrupted, or others changed the same meanwhile, nothing is.\n"
	  "\n"
	  "      --retry=N   after a conflict run COMMAND again in a new batch, up to N\n"
	  "                  times\n"
	  "      --list      list the open batches: owner, age, changes, name\n"
	  COMMON_OPTIONS
	  "\n"
	  "Exit status: that of a COMMAND which failed, 128 + N if signal N ended it,\n"
	  "126 or 127 if it could not be run; else as of all commands. 7 is a conflict,\n"
	  "after the conflicting paths on standard error; 4: a process that COMMAND left\n"
	  "behind has files open that are not written yet.\n" },
	{ "stats", cmd_stats, "tell what a database consists of",
	  "Usage: aedb stats [OPTIONS] MOUNT|DB\n"
	  "\n" MOUNTED_OR_WHOLE
	  "Prints sizes of log, segments by level and value files, how much of them\n"
	  "is live, and what memory and cache hold: of a mount now, else after opening\n"
	  "it to read.\n"
	  "\n" DATABASE_OPTIONS },
	{ "status", cmd_status, "tell what a mounted database does, and what failed",
	  "Usage: aedb status [OPTIONS] MOUNT\n"
	  "\n"
	  "Prints the mount's .status: what is mounted and how, numbers of the newest\n"
	  "commits, the last commands and the last operations that failed, newest\n"
	  "first.\n"
	  "\n" COMMON_OPTIONS },
	{ "changes", cmd_changes, "print what was committed, in order",
	  "Usage: aedb changes [OPTIONS] MOUNT|DB\n"
	  "\n"
	  "A line for each operation: number, time, what it was, and of what. Known are\n"
	  "the commits since the last checkpoint, and as many before it as the mount's\n"
	  "option log_keep= keeps.\n"
	  "\n"
	  "      --from=SEQ  only commits from this number on; status 3 if they are not\n"
	  "                  known any more\n"
	  "      --follow    go on with what is committed from now on, until interrupted\n"
	  DATABASE_OPTIONS },
	{ "grant", cmd_grant, "let a caller do what it may not yet",
	  "Usage: aedb grant [OPTIONS] TARGET RIGHT WHERE WHO\n"
	  "\n" GRANTS
	  "RIGHT is one of global-admin (WHERE is /); project-admin, table-ddl (a\n"
	  "project); scope-admin (a scope); table-read, table-write, index-read, kv-read,\n"
	  "kv-write (either, and the last two with a prefix); owner, which there is one\n"
	  "of.\n"
	  "\n" DATABASE_OPTIONS },
	{ "revoke", cmd_revoke, "take back what was granted",
	  "Usage: aedb revoke [OPTIONS] TARGET RIGHT WHERE WHO\n"
	  "\n" GRANTS
	  "What was not granted, exactly so, is a failure.\n"
	  "\n" DATABASE_OPTIONS },
	{ "grants", cmd_grants, "list what is granted",
	  "Usage: aedb grants [OPTIONS] TARGET\n"
	  "\n"
	  "TARGET is a path in a mounted database, or a database directory. A line\n"
	  "'RIGHT WHERE to WHO' for each grant, in the order of WHO.\n"
	  "\n" DATABASE_OPTIONS },
	{ "checkpoint", cmd_checkpoint, "move what the log holds into segments",
	  "Usage: aedb checkpoint [OPTIONS] MOUNT|DB\n"
	  "\n" MOUNTED_OR_WHOLE
	  "After that, opening it reads no log. Prints the newest commit's number.\n"
	  "\n" DATABASE_OPTIONS },
	{ "compact", cmd_compact, "give space back that nothing needs",
	  "Usage: aedb compact [OPTIONS] MOUNT|DB\n"
	  "\n" MOUNTED_OR_WHOLE
	  "Makes a checkpoint, and one level of all segments, without what nobody can\n"
	  "read any more. Prints the sizes before and after.\n"
	  "\n" DATABASE_OPTIONS },
	{ "verify", cmd_verify, "check all files of a database",
	  "Usage: aedb verify [OPTIONS] DB\n"
	  "\n" WHOLE
	  "Reads all of it and writes nothing. Each finding is a line FILE: POSITION:\n"
	  "WHAT; files that nothing refers to are found, too, and harmless. The exit\n"
	  "status is 5 if there is damage.\n"
	  "\n" DATABASE_OPTIONS },
	{ "show", cmd_show, "print a file of a database as text",
	  "Usage: aedb show [OPTIONS] FILE\n"
	  "\n"
	  "FILE is any file in a database directory, or a file of pages. The database\n"
	  "may be in use.\n"
	  "\n"
	  "      --help      this text\n" },
	{ "help", cmd_help, "explain a command",
	  "Usage: aedb help [COMMAND]\n" },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static const struct command *current = &(const struct command){
	.name = "aedb",
};

const struct command *command_current(void)
{
	return current;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_overview(void)
{
	puts("Usage: aedb [--json] COMMAND [ARGUMENTS]\n"
	     "       aedb --help | --version\n"
	     "\n"
	     "Works with databases of aedbfs, mounted or not.\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].purpose);
	puts("\n" TARGETS
	     "'aedb COMMAND --help' tells more.\n"
	     "\n"
	     "Exit status: 0 done; 1 not there, already there or not empty; 2 wrong\n"
	     "option, argument or name; 3 refused or failed by the system, or output\n"
	     "not written; 4 in use by another process; 5 damaged, or of a newer\n"
	     "format; 6 a write failed and whether the change survives is not known;\n"
	     "7 others changed the same meanwhile.");
}

static void print_command(const struct command *command)
{
	printf("aedb %s: %s\n\n%s", command->name, command->purpose,
	       command->help);
}

int cmd_help(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	const struct command *command;
	int rc = command_next_option(argc, argv, "", options);

	if (rc == 0)
		rc = command_check_arguments(argc, 0, 1);
	if (rc < 0)
		return rc;
	if (optind == argc) {
		print_overview();
		return 0;
	}
	command = find_command(argv[optind]);
	if (!command)
		return failure_usage("there is no command \"%s\"", argv[optind]);
	print_command(command);
	return 0;
}

/* The end of every way through the program. */
static int finish(int rc)
{
	if (rc == 0)
		rc = output_finish();
	return rc < 0 ? (int)failure_report() : STATUS_OK;
}

int command_next_option(int argc, char **argv, const char *letters,
			const struct option *options)
{
	char short_options[32];

	/* ':' first: a missing argument is told from an unknown option. */
	snprintf(short_options, sizeof(short_options), ":%s", letters);
	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, short_options, options,
					 NULL);

		switch (option) {
		case -1:
			return 0;
		case 'J':
			output_set_json();
			break;
		case 'K':
			option = target_read_key_file(optarg);
			if (option < 0)
				return option;
			break;
		case 'H':
			print_command(current);
			exit(finish(0));
		case ':':
			return failure_usage("option %s needs an argument",
					     argv[optind - 1]);
		case '?':
			/* optopt is a letter of a group such as -lq */
			if (optopt && optopt != 'J' && optopt != 'H' &&
			    strncmp(argv[optind - 1], "--", 2))
				return failure_usage("unknown option -%c",
						     optopt);
			return failure_usage("wrong option %s",
					     argv[optind - 1]);
		default:
			return option;
		}
	}
}

int command_take_options(int argc, char **argv, const char *letters,
			 const struct option *options,
			 const struct command_taker *taker)
{
	int rc;

	while ((rc = command_next_option(argc, argv, letters, options)) > 0) {
		rc = taker->take(taker->arg, rc);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int command_check_arguments(int argc, int min, int max)
{
	if (argc - optind < min)
		return failure_usage("too few arguments; see 'aedb %s --help'",
				     current->name);
	if (argc - optind > max)
		return failure_usage("too many arguments; see 'aedb %s --help'",
				     current->name);
	return 0;
}

int command_one_argument(int argc, char **argv, const struct option *options)
{
	int rc = command_next_option(argc, argv, "", options);

	return rc < 0 ? rc : command_check_arguments(argc, 1, 1);
}

int command_arguments(int argc, char ***argv)
{
	*argv += optind;
	return argc - optind;
}

int command_parse_count(const char *option, const char *text,
			unsigned long long *ret)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || n == 0)
		return failure_usage("%s: \"%s\" is no number above 0", option,
				     text);
	*ret = n;
	return 0;
}

/* A database must not be opened as descriptor 1, and printed into. */
static void open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			/* opened the wrong way round, so that use fails */
			if (open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
				_exit(STATUS_FAILED);
}

static int run(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--json")) {
			output_set_json();
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_overview();
			return 0;
		} else if (!strcmp(argv[i], "--version")) {
			puts("aedb " AEDB_VERSION);
			return 0;
		} else {
			return failure_usage("unknown option %s; see 'aedb "
					     "--help'", argv[i]);
		}
	}
	if (i == argc)
		return failure_usage("which command? See 'aedb --help'");
	if (!find_command(argv[i]))
		return failure_usage("there is no command \"%s\"; see 'aedb "
				     "--help'", argv[i]);
	current = find_command(argv[i]);
	return current->run(argc - i, argv + i);
}

int main(int argc, char **argv)
{
	open_standard_descriptors();
	/* A closed pipe is an error of writing, and reported as one. */
	signal(SIGPIPE, SIG_IGN);
	return finish(run(argc, argv));
}
