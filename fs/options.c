/*
 * Options of the command line and of -o. Those that mount(8) and fstab(5)
 * handle themselves, or that say what holds anyway, are accepted and ignored.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_BYTES_MAX 256
#define SYNC_INTERVAL_MS_MAX 60000
#define MEMORY_BYTES_MIN (UINT64_C(1) << 20)
#define MEMORY_BYTES_MAX (UINT64_C(1) << 50)

__attribute__((format(printf, 2, 3)))
static int refuse(struct options *options, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(options->message, sizeof(options->message), format, args);
	va_end(args);
	return AEDB_INVALID;
}

/* ---- values ---- */

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
		return refuse(options, "option %s=%s: not a number of an owner",
			      name, text);
	*ret = (uint32_t)v;
	return 0;
}

static int parse_umask(struct options *options, const char *text)
{
	uint64_t v;
	char *end;

	if (!read_number(text, 8, 0777, &end, &v) || *end)
		return refuse(options, "option umask=%s: not an octal number up "
			      "to 777", text);
	options->defaults.umask = (uint32_t)v;
	return 0;
}

static int parse_interval(struct options *options, const char *text)
{
	uint64_t v;
	char *end;

	if (!read_number(text, 10, SYNC_INTERVAL_MS_MAX, &end, &v) || *end || !v)
		return refuse(options, "option sync_interval=%s: not a number of "
			      "milliseconds from 1 to %d", text,
			      SYNC_INTERVAL_MS_MAX);
	options->sync_interval_ms = (uint32_t)v;
	return 0;
}

static int parse_memory(struct options *options, const char *text)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t v = 0;
	char *end;
	bool is_read = read_number(text, 10, MEMORY_BYTES_MAX, &end, &v);

	unit = is_read && *end ? strchr(units, *end) : NULL;
	if (unit) {
		v = v > MEMORY_BYTES_MAX >> (unit - units + 1) * 10 ? 0 :
		    v << (unit - units + 1) * 10;
		end++;
	}
	if (!is_read || *end || v < MEMORY_BYTES_MIN)
		return refuse(options, "option memory=%s: not a size of 1M or "
			      "more, in bytes or with K, M, G or T", text);
	options->memory_bytes = v;
	return 0;
}

static int parse_durability(struct options *options, const char *text)
{
	if (!strcmp(text, "batch"))
		options->durability = AEDB_BATCH;
	else if (!strcmp(text, "full"))
		options->durability = AEDB_FULL;
	else if (!strcmp(text, "os"))
		options->durability = AEDB_OS;
	else
		return refuse(options, "option durability=%s: not batch, full or "
			      "os", text);
	return 0;
}

/* ---- -o ---- */

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

static int add_kernel(struct options *options, const char *name)
{
	size_t n = strlen(options->kernel);

	/* Each stands there once, so the few there are have room. */
	if (!has_item(options->kernel, name))
		snprintf(options->kernel + n, sizeof(options->kernel) - n, "%s%s",
			 n ? "," : "", name);
	return 0;
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
		"noauto", "user", "users", "nouser", "owner", "group", "exec",
		"suid", "nosuid", "dev", "nodev", "async", "atime", "relatime",
		"norelatime", "strictatime", "nostrictatime", "diratime",
		"nodiratime", "lazytime", "nolazytime", "nonempty", NULL,
	};

	return is_among(name, names) || !strncmp(name, "x-", 2) ||
	       !strncmp(name, "X-", 2);
}

static bool is_kernel(const char *name)
{
	static const char *const names[] = {
		"noexec", "noatime", "sync", "dirsync", NULL,
	};

	return is_among(name, names);
}

static int apply_flag(struct options *options, const char *name)
{
	if (!strcmp(name, "ro"))
		options->is_read_only = true;
	else if (!strcmp(name, "rw"))
		options->is_read_only = false;
	else if (!strcmp(name, "allow_other"))
		options->has_allow_other = true;
	else if (!strcmp(name, "noxattr"))
		options->has_no_xattr = true;
	else if (!strcmp(name, "create"))
		options->creates = true;
	else if (is_kernel(name))
		return add_kernel(options, name);
	else if (!is_ignored(name))
		return refuse(options, "unknown option: %s", name);
	return 0;
}

static int apply_value(struct options *options, const char *name,
		       const char *text)
{
	if (!strcmp(name, "uid"))
		return parse_u32(options, name, text, &options->defaults.uid);
	if (!strcmp(name, "gid"))
		return parse_u32(options, name, text, &options->defaults.gid);
	if (!strcmp(name, "umask"))
		return parse_umask(options, text);
	if (!strcmp(name, "durability"))
		return parse_durability(options, text);
	if (!strcmp(name, "sync_interval"))
		return parse_interval(options, text);
	if (!strcmp(name, "memory"))
		return parse_memory(options, text);
	if (!strncmp(name, "x-", 2) || !strncmp(name, "X-", 2) ||
	    !strcmp(name, "comment"))
		return 0;
	return refuse(options, "unknown option: %s=%s", name, text);
}

static int apply_item(struct options *options, char *item)
{
	static const char *const valued[] = {
		"uid", "gid", "umask", "durability", "sync_interval", "memory",
		NULL,
	};
	char *text = strchr(item, '=');

	if (!text && is_among(item, valued))
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
	return rc;
}

/* ---- the command line ---- */

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
	return 0;
}

int options_parse(int argc, char **argv, const struct attr_defaults *owner,
		  struct options *ret)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct aedb_options engine;
	int c, rc = 0;

	aedb_options_init(&engine);
	*ret = (struct options){
		.durability = AEDB_BATCH,
		.sync_interval_ms = engine.sync_interval_ms,
		.memory_bytes = engine.memory_bytes,
		.defaults = *owner,
	};
	optind = 0;
	opterr = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, ":fo:hV", longs, NULL)) >= 0) {
		if (c == 'f')
			ret->is_foreground = true;
		else if (c == 'o')
			rc = apply_list(ret, optarg);
		else if (c == 'h')
			ret->action = OPTIONS_HELP;
		else if (c == 'V')
			ret->action = OPTIONS_VERSION;
		else if (c == ':')
			rc = refuse(ret, "option -%c wants a value", optopt);
		else if (optopt)
			rc = refuse(ret, "unknown option: -%c", optopt);
		else
			rc = refuse(ret, "unknown option: %s", argv[optind - 1]);
	}
	if (rc < 0 || ret->action != OPTIONS_MOUNT)
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
	      "     allow_other      other users may use the mount\n"
	      "     uid=N,gid=N      owner of what was stored without one\n"
	      "     umask=OCTAL      missing permissions of the same (022)\n"
	      "     noxattr          no extended attributes: faster O_TRUNC\n"
	      "     noexec,noatime,sync,dirsync\n"
	      "                      as in mount(8); nofail, x-* and the like\n"
	      "                      are accepted and ignored\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       the version\n"
	      "\n"
	      "Unmount with: aedb umount DIRECTORY. See aedbfs(1).\n", out);
}
