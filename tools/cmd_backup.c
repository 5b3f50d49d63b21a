/*
 * aedb backup: makes, archives, lists, verifies and prunes the backups of a
 * directory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup.h"
#include "backup_mount.h"
#include "backup_unpack.h"
#include "command.h"
#include "failure.h"
#include "interrupt.h"
#include "output.h"
#include "target.h"
#include "text.h"

static const char *const kinds[] = {
	[AEDB_BACKUP_FULL] = "full",
	[AEDB_BACKUP_INCREMENTAL] = "incremental",
};

static const char *const forms[] = {
	[AEDB_BACKUP_FILES] = "files",
	[AEDB_BACKUP_LOG] = "log",
};

const char *backup_kind(const struct aedb_backup_info *info)
{
	return kinds[info->kind];
}

const char *backup_form(const struct aedb_backup_info *info)
{
	return forms[info->form];
}

static const char *const states[] = {
	[AEDB_BACKUP_FINISHED] = "finished",
	[AEDB_BACKUP_UNFINISHED] = "unfinished",
	[AEDB_BACKUP_BROKEN] = "broken",
};

struct aedb_backup_key backup_key(void)
{
	struct aedb_options options;

	aedb_options_init(&options);
	target_apply_key(&options);
	return (struct aedb_backup_key){ options.hmac_key, options.hmac_key_bytes };
}

struct aedb_backup_key backup_archive_key(void)
{
	struct aedb_backup_key key;

	key.bytes = target_archive_key(&key.n);
	return key;
}

static int watch_show(void *arg, const struct aedb_transfer *transfer)
{
	struct progress *progress = arg;

	progress->total = transfer->all_bytes;
	progress_show(progress, transfer->done_bytes);
	return interrupt_is_pending();
}

struct aedb_backup_watch backup_watch(struct progress *progress)
{
	progress_init_alone(progress, PROGRESS_BYTES, 0);
	return (struct aedb_backup_watch){ watch_show, progress };
}

/* list */

static int print_json(const struct aedb_backup_info *info)
{
	json_t *line = json_pack("{s:s, s:s}", "backup", info->name, "state",
				 states[info->state]);
	int rc = output_json_result(line ? 0 : -1);

	if (rc == 0 && *info->reason)
		rc = output_json_result(json_object_set_new(
			line, "reason", json_of_text(info->reason)));
	if (rc == 0 && *info->id)
		rc = output_json_result(json_object_update_new(line, json_pack(
			"{s:s, s:s?, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I}",
			"id", info->id, "parent", *info->parent ? info->parent : NULL,
			"database", info->database, "kind", kinds[info->kind],
			"form", forms[info->form], "signed", info->is_signed,
			"from_seq", (json_int_t)info->from_seq,
			"head_seq", (json_int_t)info->head_seq,
			"files", (json_int_t)info->files,
			"bytes", (json_int_t)info->bytes,
			"stored_bytes", (json_int_t)info->stored_bytes)));
	if (rc == 0 && *info->id)
		rc = output_json_add_time(line, "began", info->began_ns);
	if (rc == 0 && *info->id)
		rc = output_json_add_time(line, "finished", info->finished_ns);
	if (rc == 0 && *info->id)
		rc = output_json_add_time(line, "head_time", info->head_time_ns);
	if (rc == 0)
		return output_json_line(line);
	json_decref(line);
	return rc;
}

/* To the second. */
static void print_time(int64_t ns)
{
	char time[TEXT_TIME_BYTES];

	text_format_time(ns, time);
	printf("%.19sZ", time);
}

int backup_print(const struct aedb_backup_info *info)
{
	char size[TEXT_SIZE_BYTES];

	if (output_is_json())
		return print_json(info);
	if (*info->id) {
		print_time(info->began_ns);
		printf("  %-11s  %12llu  %10s  ", kinds[info->kind],
		       (unsigned long long)info->head_seq,
		       text_format_size(info->stored_bytes, size));
	} else {
		printf("%-20s  %-11s  %12s  %10s  ", "-", "-", "-", "-");
	}
	printf("%s", info->name);
	if (info->state != AEDB_BACKUP_FINISHED)
		printf("  (%s%s%s)", states[info->state],
		       *info->reason ? ": " : "", info->reason);
	else if (*info->reason)
		printf("  (%s)", info->reason);
	putchar('\n');
	return output_check();
}

static int list(const struct backup_work *work)
{
	struct aedb_backup_key key = backup_key();
	struct aedb_backup_info *infos;
	size_t n;
	int rc = aedb_backup_list(work->directory, &key, &infos, &n);

	if (rc < 0)
		return failure_engine(rc, "%s", work->directory);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = backup_print(&infos[i]);
	aedb_backup_list_free(infos);
	return rc;
}

/* verify */

static void report_add(struct aedb_backup_report *sum,
		       const struct aedb_backup_report *one)
{
	sum->backups += one->backups;
	sum->files += one->files;
	sum->bytes += one->bytes;
	sum->findings += one->findings;
}

/* "BACKUP: WHAT", a line. */
static int finding_print(char *line)
{
	char *what = strstr(line, ": ");

	if (!output_is_json() || !what) {
		puts(line);
		return output_check();
	}
	*what = '\0';
	return output_json_line(json_pack("{s:o, s:o}", "backup",
					  json_of_text(line), "what",
					  json_of_text(what + 2)));
}

static int findings_print(char *text)
{
	char *rest;
	int rc = 0;

	for (char *line = strtok_r(text, "\n", &rest); line && rc == 0;
	     line = strtok_r(NULL, "\n", &rest))
		rc = finding_print(line);
	return rc;
}

/* One with all it needs, or all (NULL). */
static int verify_one(const struct backup_work *work, const char *name,
		      struct aedb_backup_report *sum)
{
	struct progress progress;
	struct aedb_backup_verify_options options = {
		.key = backup_key(),
		.watch = backup_watch(&progress),
	};
	struct aedb_backup_report report;
	char *findings = NULL;
	size_t n;
	int rc;

	options.out = open_memstream(&findings, &n);
	if (!options.out)
		return failure_system(ENOMEM, "%s", work->directory);
	rc = aedb_backup_verify(work->directory, name, &options, &report);
	progress_release(&progress);
	if (rc < 0 && name)
		failure_engine(rc, "%s: backup %s", work->directory, name);
	else if (rc < 0)
		failure_engine(rc, "%s", work->directory);
	if (fclose(options.out) && rc == 0)
		rc = failure_system(ENOMEM, "%s", work->directory);
	if (rc == 0) {
		report_add(sum, &report);
		rc = findings_print(findings);
	}
	free(findings);
	return rc;
}

static int print_report(const struct aedb_backup_report *r)
{
	char size[TEXT_SIZE_BYTES];

	if (output_is_json())
		return output_json_line(json_pack(
			"{s:I, s:I, s:I, s:I}", "backups", (json_int_t)r->backups,
			"files", (json_int_t)r->files, "bytes",
			(json_int_t)r->bytes, "findings",
			(json_int_t)r->findings));
	printf("%llu backup%s, %llu files, %s\n", (unsigned long long)r->backups,
	       r->backups == 1 ? "" : "s", (unsigned long long)r->files,
	       text_format_size(r->bytes, size));
	if (r->findings == 0)
		puts("no damage found");
	return 0;
}

/* Archives, all that are named. */
static int verify_archives(const struct backup_work *work)
{
	struct aedb_backup_report sum = { 0 };
	int rc = backup_verify_archive(work->database, &sum);

	for (int i = 0; i < work->n_names && rc == 0; i++)
		rc = backup_verify_archive(work->names[i], &sum);
	return rc < 0 ? rc : print_report(&sum);
}

static int verify(const struct backup_work *work)
{
	struct aedb_backup_report sum = { 0 };
	int rc = 0;

	if (backup_path_is_archive(work->database))
		return verify_archives(work);
	for (int i = 0; i < work->n_names && rc == 0; i++)
		rc = verify_one(work, work->names[i], &sum);
	if (work->n_names == 0)
		rc = verify_one(work, NULL, &sum);
	if (rc == 0)
		rc = print_report(&sum);
	if (rc == 0 && sum.findings)
		rc = failure_set(STATUS_DAMAGED, work->directory,
				 "damaged: %llu finding%s",
				 (unsigned long long)sum.findings,
				 sum.findings == 1 ? "" : "s");
	return rc;
}

/* The command. */

static const struct action {
	const char *name;
	int (*run)(const struct backup_work *work);
	int names_min, names_max;	/* behind the directory */
	enum {
		IS_READ,		/* the directory of backups */
		IS_PRUNED,		/* takes the options of prune */
		IS_MADE,		/* takes --to, --archive, --keep */
	} what;
} actions[] = {
	{ "full", backup_full, 0, 1, IS_MADE },
	{ "incremental", backup_incremental, 0, 1, IS_MADE },
	{ "archive", backup_archive, 1, 1, IS_READ },
	{ "list", list, 0, 0, IS_READ },
	{ "verify", verify, 0, 1000000, IS_READ },
	{ "prune", backup_prune, 0, 0, IS_PRUNED },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static int path_copy(const char *path, char **ret)
{
	*ret = strdup(path);
	return *ret ? 0 : failure_system(ENOMEM, "%s", path);
}

/* Of a database its backups lie beside it. Owned (free). */
static int find_beside(const char *path, char **ret)
{
	size_t n = strlen(path);
	struct stat st;
	char *current;

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (asprintf(&current, "%.*s/CURRENT", (int)n, path) < 0)
		return failure_system(ENOMEM, "%s", path);
	if (stat(current, &st) == 0) {
		free(current);
		if (asprintf(ret, "%.*s" AEDB_BACKUP_SUFFIX, (int)n, path) < 0)
			return failure_system(ENOMEM, "%s", path);
		return 0;
	}
	free(current);
	return path_copy(path, ret);
}

/* Which one it is, and whether the path is that of a mount. Owned (free). */
static int find_directory(const struct action *action, struct backup_work *work)
{
	int rc = action->what == IS_MADE ? target_is_mounted(work->database) :
		 !strcmp(work->database, "-") ? 0 :
					backup_mount_is_root(work->database);

	if (rc < 0)
		return rc;
	work->is_mount = rc;
	if (rc && work->to)
		return failure_usage("where backups of %s are its mount says, with "
				     "backup_dir=; --to does not belong there",
				     work->database);
	if (rc && action->what == IS_PRUNED)
		return backup_mount_directory(work->database, &work->directory);
	if (rc)
		return backup_mount_view(work->database, &work->directory);
	return work->to ? path_copy(work->to, &work->directory) :
			  find_beside(work->database, &work->directory);
}

/* Letters of the options that have none to be typed. */
enum {
	OPTION_LAST = 256,
	OPTION_HOURLY,
	OPTION_DAILY,
	OPTION_WEEKLY,
	OPTION_MONTHLY,
	OPTION_YEARLY,
	OPTION_WITHIN,
	OPTION_KEY_FD,
	OPTION_ARCHIVE_KEY,
	OPTION_TO,
	OPTION_ARCHIVE,
	OPTION_KEEP,
};

static int take_option(void *arg, int option)
{
	struct backup_work *work = arg;
	struct aedb_keep *keep = &work->prune.keep;

	work->has_prune_options |= option >= OPTION_LAST && option <= OPTION_WITHIN;
	switch (option) {
	case OPTION_LAST:
		return backup_parse_count("--keep-last", optarg, &keep->last);
	case OPTION_HOURLY:
		return backup_parse_count("--keep-hourly", optarg, &keep->hourly);
	case OPTION_DAILY:
		return backup_parse_count("--keep-daily", optarg, &keep->daily);
	case OPTION_WEEKLY:
		return backup_parse_count("--keep-weekly", optarg, &keep->weekly);
	case OPTION_MONTHLY:
		return backup_parse_count("--keep-monthly", optarg, &keep->monthly);
	case OPTION_YEARLY:
		return backup_parse_count("--keep-yearly", optarg, &keep->yearly);
	case OPTION_WITHIN:
		return backup_parse_within(optarg, keep);
	case OPTION_KEY_FD:
		return target_read_key_fd(optarg);
	case OPTION_ARCHIVE_KEY:
		return target_read_archive_key(optarg);
	case OPTION_TO:
		work->to = optarg;
		return 0;
	case OPTION_ARCHIVE:
		work->archive = optarg;
		return 0;
	case OPTION_KEEP:
		work->is_kept = true;
		return 0;
	default:
		work->is_dry_run = true;
		return 0;
	}
}

static int take_options(int argc, char **argv, struct backup_work *work)
{
	static const struct option options[] = {
		{ "keep-last", required_argument, NULL, OPTION_LAST },
		{ "keep-hourly", required_argument, NULL, OPTION_HOURLY },
		{ "keep-daily", required_argument, NULL, OPTION_DAILY },
		{ "keep-weekly", required_argument, NULL, OPTION_WEEKLY },
		{ "keep-monthly", required_argument, NULL, OPTION_MONTHLY },
		{ "keep-yearly", required_argument, NULL, OPTION_YEARLY },
		{ "keep-within", required_argument, NULL, OPTION_WITHIN },
		{ "key-fd", required_argument, NULL, OPTION_KEY_FD },
		{ "archive-key-file", required_argument, NULL, OPTION_ARCHIVE_KEY },
		{ "to", required_argument, NULL, OPTION_TO },
		{ "archive", required_argument, NULL, OPTION_ARCHIVE },
		{ "keep", no_argument, NULL, OPTION_KEEP },
		{ "dry-run", no_argument, NULL, 'n' },
		COMMAND_DATABASE_OPTIONS
	};
	struct command_taker taker = { take_option, work };
	int rc = command_take_options(argc, argv, "n", options, &taker);

	return rc < 0 ? rc : command_check_arguments(argc, 2, argc);
}

/* Whether the options belong to the action. */
static int check_options(const struct action *action,
			 const struct backup_work *work)
{
	if (work->has_prune_options && action->what != IS_PRUNED)
		return failure_usage("\"aedb backup %s\" removes nothing: no option "
				     "of prune belongs there", action->name);
	if ((work->to || work->archive || work->is_kept) &&
	    action->what != IS_MADE)
		return failure_usage("\"aedb backup %s\" makes none: --%s does not "
				     "belong there", action->name,
				     work->to ? "to" :
				     work->archive ? "archive" : "keep");
	if (work->is_kept && !work->archive)
		return failure_usage("--keep is for --archive: without, what is "
				     "made is kept");
	if (work->is_dry_run && action->what == IS_READ)
		return failure_usage("\"aedb backup %s\" changes nothing: --dry-run "
				     "does not belong there", action->name);
	return 0;
}

static int run(const struct action *action, struct backup_work *work)
{
	int rc = interrupt_hold();

	if (rc < 0)
		return rc;
	rc = find_directory(action, work);
	if (rc == 0)
		rc = action->run(work);
	free(work->directory);
	interrupt_release();
	return rc;
}

int cmd_backup(int argc, char **argv)
{
	struct backup_work work = { .directory = NULL };
	const struct action *action;
	int rc = take_options(argc, argv, &work);

	if (rc < 0)
		return rc;
	action = find_action(argv[optind]);
	if (!action)
		return failure_usage("there is no \"aedb backup %s\"; see "
				     "'aedb backup --help'", argv[optind]);
	rc = command_check_arguments(argc, 2 + action->names_min,
				     2 + action->names_max);
	if (rc == 0)
		rc = check_options(action, &work);
	if (rc < 0)
		return rc;
	work.database = argv[optind + 1];
	work.names = argv + optind + 2;
	work.n_names = argc - optind - 2;
	return run(action, &work);
}
