/*
 * Options of the command line and of -o. Those that mount(8) and fstab(5)
 * handle themselves, or that say what holds anyway, are accepted and ignored.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "path.h"

#define ITEM_BYTES_MAX OPTIONS_PATH_BYTES
#define SIZE_BYTES_MAX (UINT64_C(1) << 50)
#define LOG_KEEP_BYTES (UINT64_C(4) << 20)
#define HISTORY_BYTES_MIN (UINT64_C(64) << 10)
#define BATCHES_MAX 1023	/* that numbers of files tell apart */
#define BATCH_AGE_S 86400

__attribute__((format(printf, 2, 3)))
static int refuse(struct options *options, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(options->message, sizeof(options->message), format, args);
	va_end(args);
	return AEDB_INVALID;
}

/* Values. */

/* A number that begins with a digit and is up to max; *ret_end behind it. */
static bool read_number(const char *text, int base, uint64_t max, char **ret_end,
			uint64_t *ret)
{
	unsigned long long v;

	errno = 0;
	v = strtoull(text, ret_end, base);
	if (*text < '0' || *text > '9' || errno || v > max)
		return false;
	*ret = v;
	return true;
}

static int parse_u32(struct options *options, const char *name, const char *text,
		     uint32_t *ret)
{
	uint64_t v;
	char *end;

	/* The last one is "no owner" to the system calls. */
	if (!read_number(text, 10, UINT32_MAX - 1, &end, &v) || *end)
		return refuse(options, "option %s=%s: not a number from 0 to %u",
			      name, text, UINT32_MAX - 1);
	*ret = (uint32_t)v;
	return 0;
}

static int parse_mask(struct options *options, const char *name,
		      const char *text)
{
	struct shown *shown = &options->shown;
	uint64_t v;
	char *end;

	if (!read_number(text, 8, 0777, &end, &v) || *end)
		return refuse(options, "option %s=%s: not an octal number up to "
			      "777", name, text);
	if (*name != 'f') {
		shown->has_dir_mask = true;
		shown->dir_mask = (uint32_t)v;
	}
	if (*name != 'd') {
		shown->has_file_mask = true;
		shown->file_mask = (uint32_t)v;
	}
	return 0;
}

/* Numbers and sizes of the database's options: where they are put. */
struct count {
	const char *option, *unit;
	uint32_t min, max;
	size_t field;		/* a uint32_t of struct aedb_options */
};

struct size {
	const char *option, *wanted;
	uint64_t min, max;
	bool may_be_zero;
	size_t field;		/* a uint64_t of struct aedb_options */
};

static const struct count *find_count(const char *name)
{
	static const struct count table[] = {
		{ "sync_interval", "milliseconds", 1, 60000,
		  offsetof(struct aedb_options, sync_interval_ms) },
		{ "key_bytes_max", "bytes", 1, PATH_KEY_BYTES_MAX,
		  offsetof(struct aedb_options, key_bytes_max) },
		{ "batches_max", "batches", 1, BATCHES_MAX,
		  offsetof(struct aedb_options, batches_max) },
		{ "checkpoint_ops", "operations", 1000, 1000000000,
		  offsetof(struct aedb_options, checkpoint_ops) },
		{ "checkpoint_interval", "seconds", 1, 86400,
		  offsetof(struct aedb_options, checkpoint_interval_s) },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].option, name))
			return &table[i];
	return NULL;
}

static const struct size *find_size(const char *name)
{
	static const struct size table[] = {
		{ "memory", "a size of 1M or more", 1 << 20, SIZE_BYTES_MAX,
		  false, offsetof(struct aedb_options, memory_bytes) },
		{ "checkpoint_log", "a size from 64K to 1T", 64 << 10,
		  UINT64_C(1) << 40, false,
		  offsetof(struct aedb_options, checkpoint_log_bytes) },
		{ "log_keep", "a size up to 1T", 0, UINT64_C(1) << 40, true,
		  offsetof(struct aedb_options, log_keep_bytes) },
		{ "backup_log", "a size up to 1T", 0, UINT64_C(1) << 40, true,
		  offsetof(struct aedb_options, backup_log_bytes) },
		{ "compaction_rate", "0 or a size of 1M or more", 1 << 20,
		  SIZE_BYTES_MAX, true,
		  offsetof(struct aedb_options, compaction_rate) },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].option, name))
			return &table[i];
	return NULL;
}

static int parse_count(struct options *options, const struct count *count,
		       const char *text)
{
	uint32_t small;
	uint64_t v;
	char *end;

	if (!read_number(text, 10, count->max, &end, &v) || *end ||
	    v < count->min)
		return refuse(options, "option %s=%s: not a number of %s from %u "
			      "to %u", count->option, text, count->unit,
			      count->min, count->max);
	small = (uint32_t)v;
	memcpy((char *)&options->engine + count->field, &small, sizeof(small));
	return 0;
}

/* A number with or without a unit, at most SIZE_BYTES_MAX. */
static bool read_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t v;
	char *end;

	if (!read_number(text, 10, SIZE_BYTES_MAX, &end, &v))
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		if (v > SIZE_BYTES_MAX >> (unit - units + 1) * 10)
			return false;
		v <<= (unit - units + 1) * 10;
		end++;
	}
	*ret = v;
	return !*end;
}

static int parse_size(struct options *options, const struct size *size,
		      const char *text)
{
	uint64_t v = 0;

	if (!read_size(text, &v) || v > size->max ||
	    (v < size->min && !(v == 0 && size->may_be_zero)))
		return refuse(options, "option %s=%s: not %s, in bytes or with K, "
			      "M, G or T", size->option, text, size->wanted);
	memcpy((char *)&options->engine + size->field, &v, sizeof(v));
	return 0;
}

/* Seconds, or with a unit; 1 at least. */
static bool read_age(const char *text, uint32_t *ret)
{
	static const struct { char name; uint32_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 },
	};
	uint32_t seconds = 1;
	uint64_t v = 0;
	char *end;

	if (!read_number(text, 10, UINT32_MAX, &end, &v))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (*end == units[i].name) {
			seconds = units[i].seconds;
			end++;
			break;
		}
	if (*end || v == 0 || v > UINT32_MAX / seconds)
		return false;
	*ret = (uint32_t)v * seconds;
	return true;
}

static int parse_batch_age(struct options *options, const char *text)
{
	return read_age(text, &options->batch_age_s) ? 0 :
	       refuse(options, "option batch_age=%s: not a time of 1s or more, "
		      "in seconds or with s, m, h, d or w", text);
}

static int parse_history_bytes(struct options *options, const char *text)
{
	options->wants_history_bytes = false;
	if (!read_size(text, &options->engine.history_bytes) ||
	    options->engine.history_bytes < HISTORY_BYTES_MIN)
		return refuse(options, "option history=TIME,%s: not a size of "
			      "64K or more, in bytes or with K, M, G or T", text);
	return 0;
}

/* TIME,BYTES; as an item of -o it ends at the comma, and the next one is the
 * rest. */
static int parse_history(struct options *options, char *text)
{
	char *comma = strchr(text, ',');

	if (comma)
		*comma = '\0';
	if (!read_age(text, &options->engine.history_s))
		return refuse(options, "option history=%s: not a time of 1s or "
			      "more, in seconds or with s, m, h, d or w", text);
	options->wants_history_bytes = !comma;
	return comma ? parse_history_bytes(options, comma + 1) : 0;
}

static int history_check(struct options *options)
{
	return options->wants_history_bytes ?
		       refuse(options, "option history wants a time and a size: "
			      "history=TIME,BYTES") : 0;
}

static const char *const durabilities[] = {
	[AEDB_FULL] = "full",
	[AEDB_BATCH] = "batch",
	[AEDB_OS] = "os",
};

const char *options_durability_name(const struct options *options)
{
	return durabilities[options->engine.durability];
}

static int parse_durability(struct options *options, const char *text)
{
	for (size_t i = 0; i < sizeof(durabilities) / sizeof(*durabilities); i++)
		if (!strcmp(text, durabilities[i])) {
			options->engine.durability = (enum aedb_durability)i;
			return 0;
		}
	return refuse(options, "option durability=%s: not batch, full or os",
		      text);
}

/* The items of -o. */

static bool has_item(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (; *list; list += *list == ',') {
		size_t item = strcspn(list, ",");

		if (item == n && memcmp(list, name, n) == 0)
			return true;
		list += item;
	}
	return false;
}

struct kernel_option {
	const char *name;
	unsigned long flag;
};

static const struct kernel_option *find_kernel(const char *name)
{
	static const struct kernel_option table[] = {
		{ "noexec", MS_NOEXEC }, { "noatime", MS_NOATIME },
		{ "sync", MS_SYNCHRONOUS }, { "dirsync", MS_DIRSYNC },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static void add_kernel(struct options *options, const struct kernel_option *added)
{
	size_t n = strlen(options->kernel);

	/* Each stands there once, so the few there are have room. */
	if (!has_item(options->kernel, added->name))
		snprintf(options->kernel + n, sizeof(options->kernel) - n, "%s%s",
			 n ? "," : "", added->name);
	options->kernel_flags |= added->flag;
}

static bool is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static bool is_ignored(const char *name)
{
	static const char *const names[] = {
		"defaults", "default_permissions", "nofail", "_netdev", "auto",
		"noauto", "user", "users", "nouser", "nousers", "owner",
		"noowner", "group", "nogroup", "exec", "suid", "nosuid", "dev",
		"nodev", "async", "atime", "relatime", "norelatime",
		"strictatime", "nostrictatime", "diratime", "nodiratime",
		"lazytime", "nolazytime", "mand", "nomand", "iversion",
		"noiversion", "silent", "loud", "nonempty", NULL,
	};

	return is_among(name, names) || !strncmp(name, "x-", 2) ||
	       !strncmp(name, "X-", 2);
}

/* user_id and group_id stand in the table of mounts, from which mount(8) takes
 * the options of a remount. */
static bool is_ignored_value(const char *name)
{
	static const char *const names[] = {
		"comment", "user", "user_id", "group_id", "uhelper", "helper", NULL,
	};

	return is_among(name, names) || !strncmp(name, "x-", 2) ||
	       !strncmp(name, "X-", 2);
}

static int apply_flag(struct options *options, const char *name)
{
	const struct kernel_option *kernel = find_kernel(name);

	if (kernel)
		add_kernel(options, kernel);
	else if (!strcmp(name, "ro"))
		options->is_read_only = true;
	else if (!strcmp(name, "rw"))
		options->is_read_only = false;
	else if (!strcmp(name, "allow_other"))
		options->has_allow_other = true;
	else if (!strcmp(name, "allow_root"))
		options->has_allow_root = true;
	else if (!strcmp(name, "noxattr"))
		options->has_no_xattr = true;
	else if (!strcmp(name, "create"))
		options->creates = true;
	else if (!strcmp(name, "remount"))
		options->action = OPTIONS_REMOUNT;
	else if (!is_ignored(name) && !options->is_sloppy)
		return refuse(options, "unknown option: %s", name);
	return 0;
}

static int apply_value(struct options *options, const char *name, char *text)
{
	const struct count *count = find_count(name);
	const struct size *size = find_size(name);
	struct shown *shown = &options->shown;

	if (!strcmp(name, "uid")) {
		shown->has_uid = true;
		return parse_u32(options, name, text, &shown->uid);
	}
	if (!strcmp(name, "gid")) {
		shown->has_gid = true;
		return parse_u32(options, name, text, &shown->gid);
	}
	if (!strcmp(name, "umask") || !strcmp(name, "fmask") ||
	    !strcmp(name, "dmask"))
		return parse_mask(options, name, text);
	if (!strcmp(name, "durability"))
		return parse_durability(options, text);
	if (count)
		return parse_count(options, count, text);
	if (size)
		return parse_size(options, size, text);
	if (!strcmp(name, "history"))
		return parse_history(options, text);
	if (!strcmp(name, "batch_age"))
		return parse_batch_age(options, text);
	if (!strcmp(name, "key_file")) {
		strcpy(options->key_file, text);
		return *text ? 0 : refuse(options, "option key_file=: no file");
	}
	if (!strcmp(name, "backup_dir")) {
		strcpy(options->backup_dir, text);
		return *text ? 0 : refuse(options,
					  "option backup_dir=: no directory");
	}
	if (is_ignored_value(name) || options->is_sloppy)
		return 0;
	return refuse(options, "unknown option: %s=%s", name, text);
}

static bool wants_value(const char *name)
{
	static const char *const names[] = {
		"uid", "gid", "umask", "fmask", "dmask", "durability",
		"history", "batch_age", "key_file", "backup_dir", NULL,
	};

	return is_among(name, names) || find_count(name) || find_size(name);
}

static int apply_item(struct options *options, char *item)
{
	char *text = strchr(item, '=');

	/* no option's name begins with a digit */
	if (options->wants_history_bytes && *item >= '0' && *item <= '9')
		return parse_history_bytes(options, item);
	if (history_check(options) < 0)
		return AEDB_INVALID;
	if (!text && wants_value(item))
		return refuse(options, "option %s wants a value: %s=…", item, item);
	if (!text)
		return apply_flag(options, item);
	*text++ = '\0';
	return apply_value(options, item, text);
}

/* Items are separated by commas; "\," is a comma in one. */
static int apply_list(struct options *options, const char *list)
{
	char item[ITEM_BYTES_MAX];
	size_t n = 0;
	int rc = 0;

	for (const char *at = list; rc == 0; at++) {
		if (*at == '\\' && at[1]) {
			at++;
		} else if (*at == ',' || !*at) {
			item[n] = '\0';
			if (n)
				rc = apply_item(options, item);
			n = 0;
			if (!*at)
				break;
			continue;
		}
		if (n == sizeof(item) - 1)
			return refuse(options, "option too long: %.40s…", item);
		item[n++] = *at;
	}
	return rc < 0 ? rc : history_check(options);
}

/* The command line. */

static int check_operands(struct options *options, int argc, char **argv)
{
	int n = argc - optind;

	if (n > 2)
		return refuse(options, "unexpected argument: %s", argv[optind + 2]);
	if (n < 2)
		return refuse(options, n == 1 ? "want a directory to mount on" :
			      "want a database and a directory to mount it on");
	options->database = argv[optind];
	options->mount_point = argv[optind + 1];
	if (!*options->database || !*options->mount_point)
		return refuse(options, "an argument is empty");
	if (options->creates && options->is_read_only)
		return refuse(options, "options create and ro exclude each other");
	if (options->has_allow_other && options->has_allow_root)
		return refuse(options, "options allow_other and allow_root exclude "
			      "each other");
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
		return apply_list(options, optarg);
	case 's':
		options->is_sloppy = true;
		return 0;
	case 'n':	/* of mount(8): no /etc/mtab; there is none */
	case 'v':
	case 't':
		return 0;
	case 'N':
		return refuse(options, "option -N: mount in a namespace with "
			      "'nsenter --mount=…' instead");
	case 'h':
		options->action = OPTIONS_HELP;
		return 0;
	case 'V':
		options->action = OPTIONS_VERSION;
		return 0;
	default:
		return refuse(options, "unknown option: -%c", optopt);
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
			rc = refuse(ret, "option -%c wants a value", optopt);
		else if (c == '?' && !optopt)
			rc = refuse(ret, "unknown option: %s", argv[optind - 1]);
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
