/* aedb status: what a mounted database is doing, and what failed in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch_list.h"
#include "command.h"
#include "failure.h"
#include "mount_control.h"
#include "output.h"

/* "command 7 done TIME uid 0: TEXT": as an object. */
static json_t *record_object(const char *line)
{
	unsigned long long number;
	char state[16], time[64];
	unsigned uid;
	int text;

	if (sscanf(line, "%*s %llu %15s %63s uid %u: %n", &number, state, time,
		   &uid, &text) != 4)
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:I, s:o}", "number",
			 (json_int_t)number, "state", state, "time", time, "uid",
			 (json_int_t)uid, "text", json_of_text(line + text));
}

static json_t *batch_object(const struct batch_line *batch)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "batch", batch->name, "uid",
			 (json_int_t)batch->uid, "age_seconds",
			 (json_int_t)batch->age_seconds, "changes",
			 (json_int_t)batch->changes, "bytes",
			 (json_int_t)batch->bytes);
}

/* "NAME VALUE". */
static int add_value(json_t *object, const char *line)
{
	const char *space = strchr(line, ' ');
	char name[32], *end;
	long long number;

	if (!space)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(space - line), line);
	number = strtoll(space + 1, &end, 10);
	return json_object_set_new(object, name,
				   *end ? json_of_text(space + 1) :
					  json_integer(number));
}

static int add_line(json_t *object, const char *line)
{
	struct batch_line batch;

	if (batch_line_parse(line, &batch))
		return json_array_append_new(json_object_get(object, "batches"),
					     batch_object(&batch));
	if (!strncmp(line, "command ", 8))
		return json_array_append_new(json_object_get(object, "commands"),
					     record_object(line));
	if (!strncmp(line, "failure ", 8))
		return json_array_append_new(json_object_get(object, "failures"),
					     record_object(line));
	return add_value(object, line);
}

static int print_json(FILE *in)
{
	json_t *object = json_pack("{s:[], s:[], s:[]}", "batches", "commands",
				   "failures");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = object ? 0 : -1;

	while (rc == 0 && (n = getline(&line, &room, in)) > 0) {
		line[n - (line[n - 1] == '\n')] = '\0';
		rc = add_line(object, line);
	}
	free(line);
	if (rc == 0)
		return output_json_line(object);
	json_decref(object);
	return output_json_result(rc);
}

static int print_text(FILE *in)
{
	char piece[4096];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
		fwrite(piece, 1, n, stdout);
	return output_check();
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	struct mount_control control;
	FILE *in;
	int fd, rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = mount_control_open(argv[optind], &control);
	if (rc < 0)
		return rc;
	fd = mount_control_file(&control, ".status");
	in = fd < 0 ? NULL : fdopen(fd, "r");
	if (in)
		rc = output_is_json() ? print_json(in) : print_text(in);
	else
		rc = fd < 0 ? fd : failure_system(errno, "%s", argv[optind]);
	if (in)
		fclose(in);
	mount_control_close(&control);
	return rc;
}
