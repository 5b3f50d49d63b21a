/*
 * The options' names and values. Those that mount(8) and fstab(5) handle
 * themselves, or that say what holds anyway, are accepted and ignored.
 */
#include "options_item.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "path.h"

#define SIZE_BYTES_MAX (UINT64_C(1) << 50)
#define HISTORY_BYTES_MIN (UINT64_C(64) << 10)
#define BATCHES_MAX 1023	/* that numbers of files tell apart */

int options_refuse(struct options *options, const char *format, ...)
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
		return options_refuse(options, "option %s=%s: not a number "
				      "from 0 to %u", name, text,
				      UINT32_MAX - 1);
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
		return options_refuse(options, "option %s=%s: not an octal "
				      "number up to 777", name, text);
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

static const struct count counts[] = {
	{ "sync_interval", "milliseconds", 1, 60000,
	  offsetof(struct aedb_options, sync_interval_ms) },
	{ "key_bytes_max", "bytes", 1, PATH_KEY_BYTES_MAX,
	  offsetof(struct aedb_options, key_bytes_max) },
	{ "queue_commits_max", "commits", 1, 1000000,
	  offsetof(struct aedb_options, queue_commits_max) },
	{ "commit_timeout", "milliseconds", 0, 3600000,
	  offsetof(struct aedb_options, commit_timeout_ms) },
	{ "batches_max", "batches", 1, BATCHES_MAX,
	  offsetof(struct aedb_options, batches_max) },
	{ "checkpoint_ops", "operations", 1000, 1000000000,
	  offsetof(struct aedb_options, checkpoint_ops) },
	{ "checkpoint_interval", "seconds", 1, 86400,
	  offsetof(struct aedb_options, checkpoint_interval_s) },
};

static const struct size sizes[] = {
	{ "memory", "a size of 1M or more", 1 << 20, SIZE_BYTES_MAX,
	  false, offsetof(struct aedb_options, memory_bytes) },
	{ "queue_bytes_max", "a size from 64M to 1T", 64 << 20,
	  UINT64_C(1) << 40, false,
	  offsetof(struct aedb_options, queue_bytes_max) },
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

#define N_COUNTS (sizeof(counts) / sizeof(*counts))
#define N_SIZES (sizeof(sizes) / sizeof(*sizes))

static const struct count *find_count(const char *name)
{
	for (size_t i = 0; i < N_COUNTS; i++)
		if (!strcmp(counts[i].option, name))
			return &counts[i];
	return NULL;
}

static const struct size *find_size(const char *name)
{
	for (size_t i = 0; i < N_SIZES; i++)
		if (!strcmp(sizes[i].option, name))
			return &sizes[i];
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
		return options_refuse(options, "option %s=%s: not a number of "
				      "%s from %u to %u", count->option, text,
				      count->unit, count->min, count->max);
	small = (uint32_t)v;
	options->has_sync_interval |= count->field ==
				      offsetof(struct aedb_options,
					       sync_interval_ms);
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
		return options_refuse(options, "option %s=%s: not %s, in "
				      "bytes or with K, M, G or T",
				      size->option, text, size->wanted);
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
	       options_refuse(options, "option batch_age=%s: not a time of 1s "
			      "or more, in seconds or with s, m, h, d or w",
			      text);
}

static int parse_history_bytes(struct options *options, const char *text)
{
	options->wants_history_bytes = false;
	if (!read_size(text, &options->engine.history_bytes) ||
	    options->engine.history_bytes < HISTORY_BYTES_MIN)
		return options_refuse(options, "option history=TIME,%s: not a "
				      "size of 64K or more, in bytes or with "
				      "K, M, G or T", text);
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
		return options_refuse(options, "option history=%s: not a time "
				      "of 1s or more, in seconds or with s, "
				      "m, h, d or w", text);
	options->wants_history_bytes = !comma;
	return comma ? parse_history_bytes(options, comma + 1) : 0;
}

static int history_check(struct options *options)
{
	return options->wants_history_bytes ?
		       options_refuse(options, "option history wants a time "
				      "and a size: history=TIME,BYTES") : 0;
}

static const char *const durabilities[] = {
	[AEDB_FULL] = "full",
	[AEDB_BATCH] = "batch",
	[AEDB_OS] = "os",
	NULL,
};

static const char *const recoveries[] = {
	[AEDB_STRICT] = "strict",
	[AEDB_PERMISSIVE] = "permissive",
	NULL,
};

static const char *const profiles[] = {
	[AEDB_PROFILE_DEFAULT] = "default",
	[AEDB_PROFILE_PRODUCTION] = "production",
	[AEDB_PROFILE_DEVELOPMENT] = "development",
	[AEDB_PROFILE_LOW_LATENCY] = "low_latency",
	NULL,
};

const char *options_durability_name(const struct options *options)
{
	return durabilities[options->engine.durability];
}

/* Which of the words it is; they end with NULL. */
static bool find_word(const char *text, const char *const *words, unsigned *ret)
{
	for (unsigned i = 0; words[i]; i++)
		if (!strcmp(text, words[i])) {
			*ret = i;
			return true;
		}
	return false;
}

static int parse_durability(struct options *options, const char *text)
{
	unsigned i;

	if (!find_word(text, durabilities, &i))
		return options_refuse(options, "option durability=%s: not batch, "
				      "full or os", text);
	options->engine.durability = (enum aedb_durability)i;
	return 0;
}

static int parse_recovery(struct options *options, const char *text)
{
	unsigned i;

	if (!find_word(text, recoveries, &i))
		return options_refuse(options, "option recovery=%s: not strict "
				      "or permissive", text);
	options->engine.recovery = (enum aedb_recovery)i;
	return 0;
}

static int parse_profile(struct options *options, const char *text)
{
	unsigned i;

	if (!find_word(text, profiles, &i))
		return options_refuse(options, "option profile=%s: not default, "
				      "production, development or low_latency",
				      text);
	options->profile = (enum aedb_profile)i;
	return 0;
}

static int parse_path(struct options *options, const char *name,
		      const char *text, char ret[OPTIONS_PATH_BYTES])
{
	if (!*text)
		return options_refuse(options, "option %s=: no path", name);
	if (strlen(text) >= OPTIONS_PATH_BYTES)
		return options_refuse(options, "option %s: the path is longer "
				      "than %d bytes", name,
				      OPTIONS_PATH_BYTES - 1);
	strcpy(ret, text);
	return 0;
}

int options_item_set_config(struct options *options, const char *path)
{
	return options->pass == OPTIONS_PASS_FIRST ?
		       parse_path(options, "config", path,
				  options->config_file) : 0;
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
	else if (!strcmp(name, "secure"))
		options->is_secure = true;
	else if (!strcmp(name, "create"))
		options->creates = true;
	else if (!strcmp(name, "remount"))
		options->action = OPTIONS_REMOUNT;
	else if (!is_ignored(name) && !options->is_sloppy)
		return options_refuse(options, "unknown option: %s", name);
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
	if (!strcmp(name, "recovery"))
		return parse_recovery(options, text);
	if (!strcmp(name, "profile"))
		return parse_profile(options, text);
	if (!strcmp(name, "config"))
		return options_item_set_config(options, text);
	if (!strcmp(name, "key_file"))
		return parse_path(options, name, text, options->key_file);
	if (!strcmp(name, "backup_dir"))
		return parse_path(options, name, text, options->backup_dir);
	if (is_ignored_value(name) || options->is_sloppy)
		return 0;
	return options_refuse(options, "unknown option: %s=%s", name, text);
}

static bool wants_value(const char *name)
{
	static const char *const names[] = {
		"uid", "gid", "umask", "fmask", "dmask", "durability",
		"history", "batch_age", "key_file", "backup_dir", "recovery",
		"profile", "config", NULL,
	};

	return is_among(name, names) || find_count(name) || find_size(name);
}

static enum options_pass pass_of(const char *item)
{
	static const struct { const char *name; enum options_pass pass; } table[] = {
		{ "config", OPTIONS_PASS_FIRST },
		{ "remount", OPTIONS_PASS_FIRST },
		{ "profile", OPTIONS_PASS_PROFILE },
	};
	size_t n = strcspn(item, "=");

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strlen(table[i].name) == n && !memcmp(table[i].name, item, n))
			return table[i].pass;
	return OPTIONS_PASS_REST;
}

static int apply_item(struct options *options, char *item)
{
	char *text = strchr(item, '=');

	/* no option's name begins with a digit */
	if (options->wants_history_bytes && *item >= '0' && *item <= '9')
		return parse_history_bytes(options, item);
	if (history_check(options) < 0)
		return AEDB_INVALID;
	if (pass_of(item) != options->pass)
		return 0;
	if (!text && wants_value(item))
		return options_refuse(options, "option %s wants a value: %s=…",
				      item, item);
	if (!text)
		return apply_flag(options, item);
	*text++ = '\0';
	return apply_value(options, item, text);
}

int options_item_apply(struct options *options, char *item)
{
	int rc = apply_item(options, item);

	return rc < 0 ? rc : history_check(options);
}

int options_item_apply_list(struct options *options, const char *list)
{
	char item[OPTIONS_ITEM_BYTES_MAX];
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
			return options_refuse(options, "option too long: "
					      "%.40s…", item);
		item[n++] = *at;
	}
	return rc < 0 ? rc : history_check(options);
}

/* What is in force. */

/* With the largest unit that divides it. */
static void print_size(FILE *out, uint64_t v)
{
	static const char units[] = "KMGT";
	size_t unit = 0;

	while (v && v % 1024 == 0 && units[unit]) {
		v /= 1024;
		unit++;
	}
	fprintf(out, "%llu", (unsigned long long)v);
	if (unit)
		fputc(units[unit - 1], out);
}

static void print_numbers(FILE *out, const struct aedb_options *engine,
			  const struct aedb_options *defaults)
{
	for (size_t i = 0; i < N_COUNTS; i++) {
		uint32_t v, usual;

		memcpy(&v, (const char *)engine + counts[i].field, sizeof(v));
		memcpy(&usual, (const char *)defaults + counts[i].field,
		       sizeof(usual));
		if (v != usual)
			fprintf(out, ",%s=%u", counts[i].option, v);
	}
	for (size_t i = 0; i < N_SIZES; i++) {
		uint64_t v, usual;

		memcpy(&v, (const char *)engine + sizes[i].field, sizeof(v));
		memcpy(&usual, (const char *)defaults + sizes[i].field,
		       sizeof(usual));
		if (v == usual)
			continue;
		fprintf(out, ",%s=", sizes[i].option);
		print_size(out, v);
	}
}

static void print_path(FILE *out, const char *name, const char *path)
{
	if (!*path)
		return;
	fprintf(out, ",%s=", name);
	for (; *path; path++) {
		if (*path == ',' || *path == '\\')
			fputc('\\', out);
		fputc(*path, out);
	}
}

static void print_access(FILE *out, const struct options *options)
{
	const struct shown *shown = &options->shown;

	fprintf(out, "%s%s%s%s", options->has_no_xattr ? ",noxattr" : "",
		options->is_secure ? ",secure" : "",
		options->has_allow_other ? ",allow_other" : "",
		options->has_allow_root ? ",allow_root" : "");
	if (shown->has_uid)
		fprintf(out, ",uid=%u", shown->uid);
	if (shown->has_gid)
		fprintf(out, ",gid=%u", shown->gid);
	if (shown->has_file_mask)
		fprintf(out, ",fmask=%03o", shown->file_mask);
	if (shown->has_dir_mask)
		fprintf(out, ",dmask=%03o", shown->dir_mask);
	fprintf(out, "%s%s", *options->kernel ? "," : "", options->kernel);
}

void options_item_print(FILE *out, const struct options *options,
			const struct options *defaults)
{
	const struct aedb_options *engine = &options->engine;

	fputs(options->is_read_only ? "ro" : "rw", out);
	if (engine->durability != defaults->engine.durability)
		fprintf(out, ",durability=%s", durabilities[engine->durability]);
	if (engine->recovery != defaults->engine.recovery)
		fprintf(out, ",recovery=%s", recoveries[engine->recovery]);
	print_numbers(out, engine, &defaults->engine);
	if (engine->history_s) {
		fprintf(out, ",history=%us,", engine->history_s);
		print_size(out, engine->history_bytes);
	}
	if (options->batch_age_s != defaults->batch_age_s)
		fprintf(out, ",batch_age=%us", options->batch_age_s);
	print_path(out, "key_file", options->key_file);
	print_path(out, "backup_dir", options->backup_dir);
	print_access(out, options);
}
