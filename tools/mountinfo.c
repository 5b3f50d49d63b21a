/*
 * Reads /proc/self/mountinfo. Mounts of other types are left out.
 */
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

#define TABLE "/proc/self/mountinfo"
#define TYPE "fuse.aedbfs"

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' &&
	       s[2] >= '0' && s[2] <= '7';
}

/* The table escapes blanks and backslashes as \ooo. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to = (char)((from[1] - '0') << 6 |
				     (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* A line: id parent device root point options [tags] - type source options.
 * Borrows from it. False for other types. */
static bool parse_line(char *line, struct mount *ret)
{
	char *fields[5], *tail, *type, *rest = line;

	for (int i = 0; i < 5; i++) {
		fields[i] = strsep(&rest, " ");
		if (!rest)
			return false;
	}
	tail = strstr(rest, " - ");
	if (!tail)
		return false;
	tail += 3;
	type = strsep(&tail, " ");
	if (!tail || strcmp(type, TYPE))
		return false;
	ret->id = atoi(fields[0]);
	ret->root = unescape(fields[3]);
	ret->point = unescape(fields[4]);
	ret->source = unescape(strsep(&tail, " \n"));
	return true;
}

void mount_release(struct mount *mount)
{
	free(mount->point);
	free(mount->source);
	free(mount->root);
	*mount = (struct mount){ 0 };
}

static int copy(const struct mount *from, struct mount *ret)
{
	struct mount to = {
		.id = from->id,
		.point = strdup(from->point),
		.source = strdup(from->source),
		.root = strdup(from->root),
	};

	mount_release(ret);
	*ret = to;
	if (to.point && to.source && to.root)
		return 1;
	mount_release(ret);
	return failure_system(ENOMEM, TABLE);
}

/* What has to match; NULL and 0 match all. */
struct wanted {
	const char *point;
	const char *source;
	int id;
};

static bool matches(const struct wanted *wanted, const struct mount *mount)
{
	return (!wanted->point || !strcmp(wanted->point, mount->point)) &&
	       (!wanted->source || !strcmp(wanted->source, mount->source)) &&
	       (!wanted->id || wanted->id == mount->id);
}

static int find(const struct wanted *wanted, struct mount *ret)
{
	struct mount mount, last = { 0 };
	FILE *table = fopen(TABLE, "re");
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!table)
		return failure_system(errno, TABLE);
	while (rc >= 0 && getline(&line, &size, table) >= 0)
		if (parse_line(line, &mount) && matches(wanted, &mount))
			rc = copy(&mount, &last);
	free(line);
	fclose(table);
	if (rc > 0)
		*ret = last;
	return rc;
}

int mount_find_point(const char *path, struct mount *ret)
{
	return find(&(struct wanted){ .point = path }, ret);
}

int mount_find_source(const char *database, struct mount *ret)
{
	return find(&(struct wanted){ .source = database }, ret);
}

int mount_find_id(int id, struct mount *ret)
{
	return find(&(struct wanted){ .id = id }, ret);
}
