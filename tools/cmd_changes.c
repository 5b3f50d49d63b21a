/* aedb changes: commits in their order, of a mount or of a closed database. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aedb_table.h"
#include "base64.h"
#include "cell_json.h"
#include "command.h"
#include "failure.h"
#include "feed_json.h"
#include "mount_control.h"
#include "output.h"

#define FOLLOW_EVERY_NS 100000000
#define PIECE_BYTES (64u << 10)

struct changes_options {
	unsigned long long from;	/* 0: from the first known */
	bool follows;
};

/* What one of its places is called: PROJECT[/SCOPE], then the key. */
static void print_place(const json_t *change, const char *prefix)
{
	static const char *const members[] = { "key", "key_base64", "directory",
					       "directory_base64", "row",
					       "row_base64" };
	json_t *row = json_object_get(change, "row_key");
	char name[32];
	const char *text;

	snprintf(name, sizeof(name), "%sproject", prefix);
	text = json_string_value(json_object_get(change, name));
	printf(" %s", text ? text : "?");
	snprintf(name, sizeof(name), "%sscope", prefix);
	text = json_string_value(json_object_get(change, name));
	if (text)
		printf("/%s", text);
	snprintf(name, sizeof(name), "%stable", prefix);
	text = json_string_value(json_object_get(change, name));
	if (text)
		printf(".tables/%s", text);
	if (row) {
		putchar(' ');
		json_dumpf(row, stdout, JSON_ENCODE_ANY);
		return;
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *key;

		snprintf(name, sizeof(name), "%s%s", prefix, members[i]);
		key = json_object_get(change, name);
		if (!key)
			continue;
		printf(i % 2 ? " base64:" : " ");
		if (i % 2)
			fputs(json_string_value(key), stdout);
		else
			output_key(OUTPUT_QUOTED, json_string_value(key),
				   json_string_length(key));
	}
}

/* The values of a row's key. Owned; NULL: it is no such key, or there is no memory. */
static json_t *row_key_of(const void *key, size_t n)
{
	struct aedb_value values[AEDB_KEY_COLUMNS_MAX];
	void *room = malloc(n + 1);
	json_t *array = NULL;
	size_t n_values = 0;

	if (room && aedb_row_key_read(key, n, room, values, &n_values) == 0)
		array = json_array();
	for (size_t i = 0; array && i < n_values; i++) {
		if (json_array_append_new(array, cell_json_write(&values[i])) == 0)
			continue;
		json_decref(array);
		array = NULL;
	}
	free(room);
	return array;
}

/* Has the values of a row's key stand in the place of its bytes. */
static void row_key_read(json_t *change)
{
	json_t *row = json_object_get(change, "row"), *key = NULL;
	json_t *coded = json_object_get(change, "row_base64");
	size_t n = json_string_length(coded);
	void *bytes = coded ? malloc(n + 1) : NULL;

	if (row)
		key = row_key_of(json_string_value(row), json_string_length(row));
	else if (bytes && base64_decode(json_string_value(coded), n, bytes, &n))
		key = row_key_of(bytes, n);
	if (key && json_object_set(change, "row_key", key) == 0) {
		json_object_del(change, "row");
		json_object_del(change, "row_base64");
	}
	json_decref(key);
	free(bytes);
}

/* "SEQ TIME OP PLACE [KEY] [-> PLACE [KEY]]". Takes the object over. */
static int print_change(json_t *change)
{
	const char *op;

	if (change)
		row_key_read(change);
	if (output_is_json() || !change)
		return output_json_line(change);
	op = json_string_value(json_object_get(change, "op"));
	printf("%lld %s %s",
	       (long long)json_integer_value(json_object_get(change, "seq")),
	       json_string_value(json_object_get(change, "time")), op);
	print_place(change, "");
	if (!strcmp(op, "move") || !strcmp(op, "exchange") ||
	    !strcmp(op, "rename")) {
		fputs(" ->", stdout);
		print_place(change, "to_");
	}
	putchar('\n');
	json_decref(change);
	return output_check();
}

/* Of a closed database. */
static int print_feed(const char *path, const struct changes_options *options)
{
	struct aedb_feed_change change;
	struct aedb_feed *feed = NULL;
	struct target target;
	int rc = target_open(path, TARGET_READ, &target);

	if (rc < 0)
		return rc;
	rc = aedb_feed_open(target.db, options->from, &feed);
	while (rc == 0) {
		rc = aedb_feed_next(feed, &change);
		if (rc < 0)
			break;
		if (change.kind != AEDB_FEED_TOUCH &&
		    print_change(feed_json(&change)) < 0) {
			aedb_feed_close(feed);
			return target_close(&target, AEDB_IO);
		}
	}
	aedb_feed_close(feed);
	if (rc < 0 && rc != AEDB_NOT_FOUND)
		failure_engine(rc, "%s", path);
	return target_close(&target, rc == AEDB_NOT_FOUND ? 0 : rc);
}

/* Lines of a mount's answer, of which the last may still lack its end. */
struct lines {
	char *bytes;		/* owned; room for PIECE_BYTES more than n */
	size_t n;
};

/* Prints the whole lines and keeps the rest. */
static int print_lines(struct lines *lines)
{
	char *line = lines->bytes, *end;
	json_error_t error;
	json_t *change;
	int rc = 0;

	while (rc == 0 &&
	       (end = memchr(line, '\n', lines->n - (size_t)(line - lines->bytes)))) {
		change = json_loadb(line, (size_t)(end - line),
				    JSON_ALLOW_NUL, &error);
		rc = change ? print_change(change) :
			      failure_set(STATUS_FAILED, "the mount's answer",
					  "%s", error.text);
		line = end + 1;
	}
	lines->n -= (size_t)(line - lines->bytes);
	memmove(lines->bytes, line, lines->n);
	return rc;
}

/* Prints what is there. */
static int print_answer(struct mount_control *control, struct lines *lines)
{
	size_t got;
	int rc;

	do {
		char *grown = realloc(lines->bytes, lines->n + PIECE_BYTES);

		if (!grown)
			return failure_system(ENOMEM, "%s", control->path);
		lines->bytes = grown;
		rc = mount_control_read(control, grown + lines->n, PIECE_BYTES,
					&got);
		if (rc < 0)
			return rc;
		lines->n += got;
		rc = print_lines(lines);
	} while (rc == 0 && got);
	return rc;
}

static int print_mounted(const char *path, const struct changes_options *options)
{
	struct timespec pause = { 0, FOLLOW_EVERY_NS };
	struct lines lines = { NULL, 0 };
	struct mount_control control;
	char command[48];
	int rc = mount_control_open(path, &control);

	if (rc < 0)
		return rc;
	snprintf(command, sizeof(command), "changes %llu", options->from);
	rc = mount_control_run(&control, command);
	while (rc == 0) {
		rc = print_answer(&control, &lines);
		if (rc < 0 || !options->follows)
			break;
		rc = output_finish();
		nanosleep(&pause, NULL);
	}
	free(lines.bytes);
	mount_control_close(&control);
	return rc;
}

int cmd_changes(int argc, char **argv)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "follow", no_argument, NULL, 'w' },
		COMMAND_DATABASE_OPTIONS
	};
	struct changes_options chosen = { 0 };
	int rc;

	while ((rc = command_next_option(argc, argv, "", options)) > 0) {
		if (rc == 'w')
			chosen.follows = true;
		else if ((rc = command_parse_count("--from", optarg,
						   &chosen.from)) < 0)
			return rc;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, 1, 1);
	if (rc == 0)
		rc = target_is_mounted(argv[optind]);
	if (rc > 0)
		return print_mounted(argv[optind], &chosen);
	if (rc == 0 && chosen.follows)
		return failure_usage("%s is not in a mount: nothing can come to be "
				     "followed", argv[optind]);
	return rc < 0 ? rc : print_feed(argv[optind], &chosen);
}
