/*
 * The command line, and what it adds up to with the configuration file.
 */
#include "options.h"

#include <getopt.h>
#include <string.h>
#include <sys/mount.h>

#include "config_file.h"
#include "options_item.h"

#define LOG_KEEP_BYTES (UINT64_C(4) << 20)
#define BATCH_AGE_S 86400
#define LETTER_CONFIG 256	/* --config: no letter */

static int check_operands(struct options *options, int argc, char **argv)
{
	int n = argc - optind;

	if (n > 2)
		return options_refuse(options, "unexpected argument: %s",
				      argv[optind + 2]);
	if (n < 2)
		return options_refuse(options, "%s", n == 1 ?
				      "want a directory to mount on" :
				      "want a database and a directory to mount "
				      "it on");
	options->database = argv[optind];
	options->mount_point = argv[optind + 1];
	if (!*options->database || !*options->mount_point)
		return options_refuse(options, "an argument is empty");
	return 0;
}

/* What one option of the file, or of the command line, says of another one. */
static int check_together(struct options *options)
{
	if (options->creates && options->is_read_only)
		return options_refuse(options, "options create and ro exclude "
				      "each other");
	if (options->has_allow_other && options->has_allow_root)
		return options_refuse(options, "options allow_other and "
				      "allow_root exclude each other");
	if (options->has_sync_interval &&
	    options->engine.durability != AEDB_BATCH)
		return options_refuse(options, "option sync_interval is for "
				      "durability=batch, not for durability=%s",
				      options_durability_name(options));
	return 0;
}

/* Is the program called as mount.aedbfs or mount.fuse.aedbfs? */
static bool is_name_of_mount(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && !strncmp(slash ? slash + 1 : program, "mount.", 6);
}

static int apply_letter(struct options *options, int letter)
{
	switch (letter) {
	case 'f':
		if (options->is_for_mount)
			options->action = OPTIONS_FAKE;
		options->is_foreground = !options->is_for_mount;
		return 0;
	case LETTER_CONFIG:
		return options_item_set_config(options, optarg);
	case 'o':
		return options_item_apply_list(options, optarg);
	case 's':
		options->is_sloppy = true;
		return 0;
	case 'n':	/* of mount(8): no /etc/mtab; there is none */
	case 'v':
	case 't':
		return 0;
	case 'N':
		return options_refuse(options, "option -N: mount in a "
				      "namespace with 'nsenter --mount=…' "
				      "instead");
	case 'h':
		options->action = OPTIONS_HELP;
		return 0;
	case 'V':
		options->action = OPTIONS_VERSION;
		return 0;
	default:
		return options_refuse(options, "unknown option: -%c", optopt);
	}
}

static int refuse_letter(struct options *options, int c, const char *argument)
{
	if (c == ':' && optopt == LETTER_CONFIG)
		return options_refuse(options, "option --config wants a value");
	if (c == ':')
		return options_refuse(options, "option -%c wants a value",
				      optopt);
	return options_refuse(options, "unknown option: %s", argument);
}

static int read_line(struct options *options, int argc, char **argv,
		     enum options_pass pass)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, LETTER_CONFIG },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *letters = options->is_for_mount ? ":sfnvN:o:t:hV" : ":fo:hV";
	int c, rc = 0;

	options->pass = pass;
	optind = 0;
	opterr = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, letters, longs, NULL)) >= 0)
		rc = c == ':' || (c == '?' && !optopt) ?
			     refuse_letter(options, c, argv[optind - 1]) :
			     apply_letter(options, c);
	return rc;
}

/* The profile that is named last, on the command line if there is one. */
static int read_profile(struct options *options, int argc, char **argv,
			const struct config_file *file)
{
	int rc;

	options->pass = OPTIONS_PASS_PROFILE;
	rc = config_file_apply(file, options);
	if (rc == 0)
		rc = read_line(options, argc, argv, OPTIONS_PASS_PROFILE);
	return rc < 0 ? rc : aedb_options_profile(options->profile,
						  &options->engine);
}

static int read_file(struct options *options, const struct config_file *file)
{
	char why[sizeof(options->message)];
	bool is_sloppy = options->is_sloppy;
	int rc;

	options->pass = OPTIONS_PASS_REST;
	options->is_sloppy = false;
	rc = config_file_apply(file, options);
	options->is_sloppy = is_sloppy;
	if (rc < 0 || check_together(options) == 0)
		return rc;
	strcpy(why, options->message);
	return options_refuse(options, "%s: %s", options->config_file, why);
}

/* The command line over the file: what excludes something of the file's takes
 * its place. */
static int read_line_over_file(struct options *options, int argc, char **argv)
{
	const struct options file = *options;
	int rc;

	options->creates = false;
	options->has_allow_other = options->has_allow_root = false;
	options->has_sync_interval = false;
	rc = read_line(options, argc, argv, OPTIONS_PASS_REST);
	/* mount(8) says rw where nobody did */
	if (options->is_for_mount)
		options->is_read_only |= file.is_read_only;
	if (rc == 0 && options->action != OPTIONS_REMOUNT)
		rc = check_together(options);
	if (rc < 0)
		return rc;
	options->creates |= file.creates && !options->is_read_only;
	if (!options->has_allow_other && !options->has_allow_root) {
		options->has_allow_other = file.has_allow_other;
		options->has_allow_root = file.has_allow_root;
	}
	return 0;
}

static int check_key(struct options *options)
{
	if (options->engine.must_have_key && !*options->key_file)
		return options_refuse(options, "option profile=production wants "
				      "a key_file=");
	return 0;
}

static int read_all(struct options *options, int argc, char **argv)
{
	struct config_file file = { .text = NULL };
	int rc = read_line(options, argc, argv, OPTIONS_PASS_FIRST);

	/* a remount changes nothing that a file has a say in */
	if (rc == 0 && *options->config_file &&
	    (options->action == OPTIONS_MOUNT || options->action == OPTIONS_FAKE))
		rc = config_file_read(options, &file);
	if (rc == 0)
		rc = read_profile(options, argc, argv, &file);
	if (rc == 0)
		rc = read_file(options, &file);
	if (rc == 0)
		rc = read_line_over_file(options, argc, argv);
	config_file_release(&file);
	return rc;
}

static void set_defaults(struct options *ret)
{
	*ret = (struct options){ .batch_age_s = BATCH_AGE_S };
	aedb_options_init(&ret->engine);
	ret->engine.durability = AEDB_BATCH;
	ret->engine.log_keep_bytes = LOG_KEEP_BYTES;
}

void options_print_changed(FILE *out, const struct options *options)
{
	struct options defaults;

	set_defaults(&defaults);
	options_item_print(out, options, &defaults);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	int rc;

	set_defaults(ret);
	ret->is_for_mount = is_name_of_mount(argv[0]);
	rc = read_all(ret, argc, argv);
	ret->kernel_flags |= ret->is_read_only ? MS_RDONLY : 0;
	if (rc < 0 || ret->action == OPTIONS_HELP ||
	    ret->action == OPTIONS_VERSION)
		return rc;
	rc = check_operands(ret, argc, argv);
	return rc < 0 || ret->action == OPTIONS_REMOUNT ? rc : check_key(ret);
}

void options_print_help(FILE *out)
{
	fputs("Usage: aedbfs [-f] [--config FILE] [-o OPTION,...] DATABASE DIRECTORY\n"
	      "Mounts a database; every key is a file, closing a file commits it.\n"
	      "\n"
	      "  -f                  stay in the foreground, log to standard error\n"
	      "  --config FILE       options from a file, one a line; those of -o\n"
	      "                      override them\n"
	      "  -o OPTION,...       options of the mount:\n"
	      "     config=FILE      the same as --config\n"
	      "     profile=NAME     options that go together: production (full,\n"
	      "                      strict, a key), development (os,\n"
	      "                      permissive), low_latency (batch, 2 ms)\n"
	      "     ro               read only\n"
	      "     create           make the database if there is none\n"
	      "     durability=batch when a commit is on the disk: batch (within\n"
	      "                      the sync interval), full (before close\n"
	      "                      returns), os (when the kernel writes it)\n"
	      "     sync_interval=MS of durability=batch, 1-60000 (10)\n"
	      "     recovery=strict  of damage: strict (refused), permissive (what\n"
	      "                      can be recovered)\n"
	      "     memory=SIZE      memory budget, with K, M, G (256M)\n"
	      "     history=TIME,BYTES\n"
	      "                      past states stay so long, within so many\n"
	      "                      bytes, as in 7d,1G (none)\n"
	      "     key_bytes_max=N  of a new path in its scope, 1-4000 (1024)\n"
	      "     checkpoint_log=SIZE,checkpoint_ops=N,checkpoint_interval=S\n"
	      "                      log, operations or seconds since the last\n"
	      "                      checkpoint at which one is made: what a\n"
	      "                      start has to read (64M, 250000, 300)\n"
	      "     log_keep=SIZE    of the log before the last checkpoint stays,\n"
	      "                      for .changes (4M)\n"
	      "     backup_log=SIZE  of the log since the last backup stays, for the\n"
	      "                      next incremental one (256M)\n"
	      "     queue_commits_max=N,queue_bytes_max=SIZE\n"
	      "                      commits that may wait for others, and what\n"
	      "                      they hold (100000, 1G)\n"
	      "     commit_timeout=MS\n"
	      "                      after which a commit that waits for others\n"
	      "                      is given up; 0: never (0)\n"
	      "     batches_max=N    batches open at a time, 1-1023 (1000)\n"
	      "     batch_age=TIME   after which one is aborted (24h)\n"
	      "     compaction_rate=SIZE\n"
	      "                      that compaction writes a second; 0: as much\n"
	      "                      as it can (64M)\n"
	      "     backup_dir=PATH  where backups are (DATABASE.backups)\n"
	      "     key_file=FILE    of a database with a signed manifest\n"
	      "     allow_other      other users may use the mount\n"
	      "     allow_root       root may, too\n"
	      "     uid=N,gid=N      owner shown of everything\n"
	      "     umask=OCTAL      permissions shown: 777 without these;\n"
	      "                      fmask= for files, dmask= for directories\n"
	      "     noxattr          no extended attributes: faster O_TRUNC\n"
	      "     secure           users may what is granted to them only\n"
	      "     noexec,noatime,sync,dirsync\n"
	      "                      as in mount(8); nofail, x-* and the like\n"
	      "                      are accepted and ignored\n"
	      "     remount          of a mount that is there: only ro, rw and\n"
	      "                      the last four change\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       the version\n"
	      "\n"
	      "Unmount with: aedb umount DIRECTORY. See aedbfs(1), aedbfs-options(5).\n", out);
}
