/*
 * aedb restore: makes a database of backups.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup.h"
#include "backup_unpack.h"
#include "command.h"
#include "failure.h"
#include "interrupt.h"
#include "output.h"
#include "target.h"
#include "text.h"

#define NS 1000000000

struct work {
	char **backups;		/* as given */
	size_t n;
	const char *to;
	struct backup_staging staging;	/* of those that are archives */
	char **paths;		/* owned, and what they point to: of the same as
				 * directories */
	struct aedb_restore_options options;
};

/* Letters of the options that have none to be typed. */
enum {
	OPTION_TO = 256,
	OPTION_SEQ,
	OPTION_TIME,
	OPTION_KEY_FD,
	OPTION_ARCHIVE_KEY,
};

/* Up to nine digits behind the seconds: nanoseconds. */
static const char *parse_fraction(const char *text, int64_t *ret_ns)
{
	int64_t ns = 0, unit = NS / 10;

	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			ns += (*text - '0') * unit;
	*ret_ns = ns;
	return text;
}

/* "Z" or "+hh:mm": seconds ahead of UTC. */
static bool parse_zone(const char *text, int *ret)
{
	unsigned hours, minutes;
	char sign, end;

	*ret = 0;
	if (!strcmp(text, "Z") || !strcmp(text, "z"))
		return true;
	if (strlen(text) != 6 ||
	    sscanf(text, "%c%2u:%2u%c", &sign, &hours, &minutes, &end) != 3 ||
	    (sign != '+' && sign != '-') || hours > 23 || minutes > 59)
		return false;
	*ret = (int)(hours * 3600 + minutes * 60) * (sign == '+' ? 1 : -1);
	return true;
}

/* Of what cannot be said in nanoseconds the first or the last that can. */
static int64_t time_of(int64_t seconds, int64_t ns)
{
	int64_t time;

	if (__builtin_mul_overflow(seconds, NS, &time) ||
	    __builtin_add_overflow(time, ns, &time))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return time;
}

/* RFC 3339. */
static int parse_time(const char *text, int64_t *ret_ns)
{
	struct tm tm = { .tm_year = 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ns;
	int ahead;

	if (!rest)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (rest)
		rest = parse_fraction(rest, &ns);
	if (!rest || !parse_zone(rest, &ahead))
		return failure_usage("--at-time: \"%s\" is no time like "
				     "2026-11-22T15:52:39Z", text);
	*ret_ns = time_of((int64_t)timegm(&tm) - ahead, ns);
	return 0;
}

static int set_target(struct work *work, enum aedb_restore_target target)
{
	if (work->options.target != AEDB_RESTORE_HEAD)
		return failure_usage("--at-seq and --at-time: only one can be given");
	work->options.target = target;
	return 0;
}

static int take_option(void *arg, int option)
{
	struct work *work = arg;
	unsigned long long seq;
	int rc;

	switch (option) {
	case OPTION_TO:
		work->to = optarg;
		return 0;
	case OPTION_SEQ:
		rc = set_target(work, AEDB_RESTORE_SEQ);
		if (rc == 0)
			rc = command_parse_count("--at-seq", optarg, &seq);
		if (rc == 0)
			work->options.seq = seq;
		return rc;
	case OPTION_TIME:
		rc = set_target(work, AEDB_RESTORE_TIME);
		return rc < 0 ? rc : parse_time(optarg, &work->options.time_ns);
	case OPTION_KEY_FD:
		return target_read_key_fd(optarg);
	case OPTION_ARCHIVE_KEY:
		return target_read_archive_key(optarg);
	default:
		work->options.is_dry_run = true;
		return 0;
	}
}

static int take_options(int argc, char **argv, struct work *work)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, OPTION_TO },
		{ "at-seq", required_argument, NULL, OPTION_SEQ },
		{ "at-time", required_argument, NULL, OPTION_TIME },
		{ "key-fd", required_argument, NULL, OPTION_KEY_FD },
		{ "archive-key-file", required_argument, NULL, OPTION_ARCHIVE_KEY },
		{ "dry-run", no_argument, NULL, 'n' },
		COMMAND_DATABASE_OPTIONS
	};
	struct command_taker taker = { take_option, work };
	int rc = command_take_options(argc, argv, "n", options, &taker);

	if (rc == 0)
		rc = command_check_arguments(argc, 1, argc);
	if (rc == 0 && !work->to)
		rc = failure_usage("--to DB is missing");
	work->backups = argv + optind;
	work->n = (size_t)(argc - optind);
	return rc;
}

static int print_json(const struct work *work, const struct aedb_restore_info *info)
{
	json_t *line = json_pack("{s:o, s:b, s:I}", "database",
				 json_of_text(work->to), "dry_run",
				 work->options.is_dry_run, "bytes",
				 (json_int_t)info->bytes);
	int rc = output_json_result(line ? 0 : -1);

	if (rc == 0 && info->seq)
		rc = output_json_result(json_object_set_new(
			line, "seq", json_integer((json_int_t)info->seq)));
	if (rc == 0 && info->seq)
		rc = output_json_add_time(line, "time", info->time_ns);
	if (rc == 0)
		return output_json_line(line);
	json_decref(line);
	return rc;
}

static int print_info(const struct work *work, const struct aedb_restore_info *info)
{
	char size[TEXT_SIZE_BYTES], time[TEXT_TIME_BYTES];

	if (output_is_json())
		return print_json(work, info);
	text_format_size(info->bytes, size);
	if (work->options.is_dry_run) {
		printf("%s to read, all of it whole\n", size);
		return output_check();
	}
	text_format_time(info->time_ns, time);
	printf("%s: number %llu, %s, %s\n", work->to,
	       (unsigned long long)info->seq, time, size);
	return output_check();
}

/* Before much is read; the library looks again, and more closely. */
static int target_look(const char *to)
{
	DIR *directory = opendir(to);
	struct dirent *entry;
	bool is_empty = true;

	while (directory && (entry = readdir(directory)))
		is_empty &= entry->d_name[0] == '.' ||
			    !strcmp(entry->d_name, "lost+found");
	if (directory)
		closedir(directory);
	return is_empty ? 0 : failure_set(STATUS_NO, to,
					  "not an empty directory");
}

/* The archives. */

static int path_take(struct work *work, size_t i)
{
	int rc = 0;

	if (!backup_path_is_archive(work->backups[i])) {
		work->paths[i] = strdup(work->backups[i]);
		return work->paths[i] ? 0 : failure_system(ENOMEM, "%s",
							   work->backups[i]);
	}
	if (!work->staging.path)
		rc = backup_staging_make(work->to, &work->staging);
	return rc < 0 ? rc : backup_staging_add(&work->staging, work->backups[i],
						&work->paths[i]);
}

static int paths_check(const struct work *work)
{
	size_t streams = 0;

	for (size_t i = 0; i < work->n; i++)
		streams += !strcmp(work->backups[i], "-");
	return streams > 1 ? failure_usage("standard input can be read once only") :
			     0;
}

static int paths_take(struct work *work)
{
	int rc = paths_check(work);

	if (rc == 0)
		rc = target_look(work->to);
	if (rc < 0)
		return rc;
	work->paths = calloc(work->n, sizeof(*work->paths));
	if (!work->paths)
		return failure_system(ENOMEM, "%s", work->to);
	for (size_t i = 0; i < work->n && rc == 0; i++)
		rc = path_take(work, i);
	return rc;
}

static void paths_release(struct work *work)
{
	for (size_t i = 0; work->paths && i < work->n; i++)
		free(work->paths[i]);
	free(work->paths);
	backup_staging_remove(&work->staging);
}

/* Of archives that are encrypted, of a database that is not signed, the key was
 * for the archives, if they have none of their own. */
static struct aedb_backup_key restore_key(const struct work *work)
{
	const struct backup_staging *staging = &work->staging;

	if (!backup_archive_key().bytes && staging->n == work->n &&
	    staging->is_encrypted && !staging->is_signed)
		return (struct aedb_backup_key){ NULL, 0 };
	return backup_key();
}

static int restore(struct work *work)
{
	struct aedb_restore_info info;
	struct progress progress;
	int rc = paths_take(work);

	if (rc < 0)
		return rc;
	work->options.key = restore_key(work);
	work->options.watch = backup_watch(&progress);
	rc = aedb_restore((const char *const *)work->paths, work->n, work->to,
			  &work->options, &info);
	progress_release(&progress);
	return rc < 0 ? backup_failure(rc, work->to) : print_info(work, &info);
}

int cmd_restore(int argc, char **argv)
{
	struct work work = { .to = NULL };
	int rc = take_options(argc, argv, &work);

	if (rc == 0)
		rc = interrupt_hold();
	if (rc < 0)
		return rc;
	rc = restore(&work);
	paths_release(&work);
	interrupt_release();
	return rc;
}
