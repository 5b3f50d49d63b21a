/*
 * The command line.
 */
#include "options.h"

#include <getopt.h>
#include <string.h>
#include <sys/mount.h>

#include "options_item.h"

#define LOG_KEEP_BYTES (UINT64_C(4) << 20)
#define BATCH_AGE_S 86400

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
	if (options->creates && options->is_read_only)
		return options_refuse(options, "options create and ro exclude "
				      "each other");
	if (options->has_allow_other && options->has_allow_root)
		return options_refuse(options, "options allow_other and "
				      "allow_root exclude each other");
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

int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *letters;
	int c, rc = 0;

	*ret = (struct options){ .is_for_mount = is_name_of_mount(argv[0]) };
	aedb_options_init(&ret->engine);
	ret->engine.durability = AEDB_BATCH;
	ret->engine.log_keep_bytes = LOG_KEEP_BYTES;
	ret->batch_age_s = BATCH_AGE_S;
	letters = ret->is_for_mount ? ":sfnvN:o:t:hV" : ":fo:hV";
	optind = 0;
	opterr = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, letters, longs, NULL)) >= 0) {
		if (c == ':')
			rc = options_refuse(ret, "option -%c wants a value",
					    optopt);
		else if (c == '?' && !optopt)
			rc = options_refuse(ret, "unknown option: %s",
					    argv[optind - 1]);
		else
			rc = apply_letter(ret, c);
	}
	ret->kernel_flags |= ret->is_read_only ? MS_RDONLY : 0;
	if (rc < 0 || ret->action == OPTIONS_HELP ||
	    ret->action == OPTIONS_VERSION)
		return rc;
	return check_operands(ret, argc, argv);
}

void options_print_help(FILE *out)
{
	fputs("Usage: aedbfs [-f] [-o OPTION,...] DATABASE DIRECTORY\n"
	      "Mounts a database; every key is a file, closing a file commits it.\n"
	      "\n"
	      "  -f                  stay in the foreground, log to standard error\n"
	      "  -o OPTION,...       options of the mount:\n"
	      "     ro               read only\n"
	      "     create           make the database if there is none\n"
	      "     durability=batch when a commit is on the disk: batch (within\n"
	      "                      the sync interval), full (before close\n"
	      "                      returns), os (when the kernel writes it)\n"
	      "     sync_interval=MS of durability=batch, 1-60000 (10)\n"
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
