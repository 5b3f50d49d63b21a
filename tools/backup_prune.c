/*
 * aedb backup prune: rules from the command line, and what became of each backup.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "failure.h"
#include "output.h"
#include "text.h"

#define WITHIN_MAX 1000000	/* of each part of a duration */

static const struct {
	unsigned reason;
	const char *word;
} words[] = {
	{ AEDB_KEPT_LAST, "last" },
	{ AEDB_KEPT_HOURLY, "hourly" },
	{ AEDB_KEPT_DAILY, "daily" },
	{ AEDB_KEPT_WEEKLY, "weekly" },
	{ AEDB_KEPT_MONTHLY, "monthly" },
	{ AEDB_KEPT_YEARLY, "yearly" },
	{ AEDB_KEPT_WITHIN, "within" },
	{ AEDB_KEPT_FOR_CHILD, "parent" },
	{ AEDB_KEPT_BROKEN, "broken" },
};

#define WORDS (sizeof(words) / sizeof(*words))

int backup_parse_count(const char *option, const char *text, uint32_t *ret)
{
	unsigned long long n;
	char *end;

	if (!strcmp(text, "all")) {
		*ret = AEDB_KEEP_ALL;
		return 0;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || n >= AEDB_KEEP_ALL)
		return failure_usage("%s: \"%s\" is neither a number nor all",
				     option, text);
	*ret = (uint32_t)n;
	return 0;
}

/* Where the number before a unit goes; NULL: there is no such unit. */
static uint32_t *within_part(struct aedb_keep *keep, char unit)
{
	switch (unit) {
	case 'y':
		return &keep->within.years;
	case 'm':
		return &keep->within.months;
	case 'd':
		return &keep->within.days;
	case 'h':
		return &keep->within.hours;
	default:
		return NULL;
	}
}

int backup_parse_within(const char *text, struct aedb_keep *keep)
{
	const char *at = text;

	do {
		char *end;
		unsigned long n = strtoul(at, &end, 10);
		uint32_t *part = within_part(keep, *end);

		if (*at < '0' || *at > '9' || !part || n == 0 || n > WITHIN_MAX)
			return failure_usage("--keep-within: \"%s\" is no duration "
					     "like 1y6m or 14d12h", text);
		*part = (uint32_t)n;
		at = end + 1;
	} while (*at);
	return 0;
}

static int print_json(const struct aedb_prune_item *item)
{
	json_t *line = json_pack("{s:s, s:s, s:I}", "backup", item->info.name,
				 "action", item->reasons ? "keep" : "remove",
				 "stored_bytes", (json_int_t)item->info.stored_bytes);
	json_t *reasons = json_array();
	int rc = output_json_result(line && reasons ? 0 : -1);

	for (size_t i = 0; i < WORDS && rc == 0; i++)
		if (item->reasons & words[i].reason)
			rc = output_json_result(json_array_append_new(
				reasons, json_string(words[i].word)));
	if (rc == 0)
		rc = output_json_result(json_object_set(line, "reasons", reasons));
	json_decref(reasons);
	if (rc == 0)
		return output_json_line(line);
	json_decref(line);
	return rc;
}

static int print_item(const struct aedb_prune_item *item)
{
	char size[TEXT_SIZE_BYTES];

	if (output_is_json())
		return print_json(item);
	printf("%-6s  %10s  %s", item->reasons ? "keep" : "remove",
	       text_format_size(item->info.stored_bytes, size), item->info.name);
	for (size_t i = 0; i < WORDS; i++)
		if (item->reasons & words[i].reason)
			printf("  %s", words[i].word);
	if (item->info.state == AEDB_BACKUP_UNFINISHED)
		printf("  unfinished");
	putchar('\n');
	return output_check();
}

static int print_sum(const struct aedb_prune_item *items, size_t n,
		     bool is_dry_run)
{
	unsigned long long kept = 0, removed = 0, bytes = 0;
	char size[TEXT_SIZE_BYTES];

	for (size_t i = 0; i < n; i++) {
		if (items[i].reasons) {
			kept++;
			continue;
		}
		removed++;
		bytes += items[i].info.stored_bytes;
	}
	if (output_is_json())
		return output_json_line(json_pack(
			"{s:I, s:I, s:I, s:b}", "kept", (json_int_t)kept,
			"removed", (json_int_t)removed, "removed_bytes",
			(json_int_t)bytes, "dry_run", is_dry_run));
	printf("%llu kept, %llu %s, %s\n", kept, removed,
	       is_dry_run ? "would be removed" : "removed",
	       text_format_size(bytes, size));
	return 0;
}

int backup_prune(const struct backup_work *work)
{
	struct aedb_prune_options options = work->prune;
	struct aedb_prune_item *items;
	struct progress progress;
	size_t n;
	int rc;

	options.is_dry_run = work->is_dry_run;
	options.key = backup_key();
	options.watch = backup_watch(&progress);
	rc = aedb_backup_prune(work->directory, &options, &items, &n);
	progress_release(&progress);
	if (rc == AEDB_INVALID)
		return failure_usage("%s; see 'aedb backup --help'",
				     aedb_error_message());
	if (rc < 0)
		return failure_engine(rc, "%s", work->directory);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = print_item(&items[i]);
	if (rc == 0)
		rc = print_sum(items, n, options.is_dry_run);
	aedb_prune_free(items);
	return rc;
}
