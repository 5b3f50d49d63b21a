/* The open batches of a mounted database. */
#include "batch_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "output.h"

/* Where they are. */
struct place {
	const char *path;	/* for messages */
	int dir;
	FILE *status;		/* NULL: the user may not read it */
};

struct item {
	const char *name;
	char owner[64];
	struct timespec begun;
	long long changes;	/* -1: not for this user to know */
};

/* The number of a user who has no name. */
static void owner_of(uid_t uid, char ret[64])
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(ret, 64, "%s", user->pw_name);
	else
		snprintf(ret, 64, "%u", (unsigned)uid);
}

bool batch_line_parse(const char *line, struct batch_line *ret)
{
	return sscanf(line, "batch %128s uid %u age %llds changes %lld bytes "
		      "%lld", ret->name, &ret->uid, &ret->age_seconds,
		      &ret->changes, &ret->bytes) == 5;
}

/* As this file has it; -1: it does not. */
static long long changes_in(FILE *status, const char *name)
{
	struct batch_line batch;
	char line[4096];

	while (fgets(line, sizeof(line), status))
		if (batch_line_parse(line, &batch) && !strcmp(batch.name, name))
			return batch.changes;
	return -1;
}

/* The mount's .status has it, which is its owner's and root's, and the batch's own. */
static long long changes_of(const struct place *place, const char *name)
{
	char path[NAME_MAX + sizeof("/.status")];
	long long changes = -1;
	FILE *status;
	int fd;

	if (place->status) {
		rewind(place->status);
		return changes_in(place->status, name);
	}
	snprintf(path, sizeof(path), "%s/.status", name);
	fd = openat(place->dir, path, O_RDONLY | O_CLOEXEC);
	status = fd < 0 ? NULL : fdopen(fd, "r");
	if (status) {
		changes = changes_in(status, name);
		fclose(status);
	} else if (fd >= 0) {
		close(fd);
	}
	return changes;
}

/* As ps(1) shows it: [[DAYS-]HOURS:]MINUTES:SECONDS. */
static void print_age(long long seconds)
{
	char text[40];
	int n = 0;

	if (seconds >= 86400)
		n = snprintf(text, sizeof(text), "%lld-", seconds / 86400);
	if (seconds >= 3600)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02lld:",
			      seconds / 3600 % 24);
	snprintf(text + n, sizeof(text) - (size_t)n, "%02lld:%02lld",
		 seconds / 60 % 60, seconds % 60);
	printf("%11s ", text);
}

static int print_json(const struct item *item, long long age)
{
	json_t *line = json_pack("{s:s, s:s, s:I}", "batch", item->name, "owner",
				 item->owner, "age_seconds", (json_int_t)age);
	int rc = output_json_result(line ? 0 : -1);

	if (rc == 0)
		rc = output_json_add_time(line, "time", item->begun.tv_sec *
					  1000000000LL + item->begun.tv_nsec);
	if (rc == 0)
		rc = output_json_result(json_object_set_new(
			line, "changes", item->changes < 0 ?
			json_null() : json_integer(item->changes)));
	if (rc == 0)
		return output_json_line(line);
	json_decref(line);
	return rc;
}

static int print_item(const struct item *item)
{
	long long age = time(NULL) - item->begun.tv_sec;

	if (age < 0)
		age = 0;
	if (output_is_json())
		return print_json(item, age);
	printf("%-12s ", item->owner);
	print_age(age);
	if (item->changes < 0)
		printf("%8s ", "-");
	else
		printf("%8lld ", item->changes);
	puts(item->name);
	return output_check();
}

/* One that ended meanwhile is passed over. */
static int list_entry(const struct place *place, const char *name)
{
	struct item item = { .name = name };
	struct stat st;

	if (*name == '.')
		return 0;
	if (fstatat(place->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 :
			       failure_system(errno, "%s: batch %s", place->path,
					      name);
	owner_of(st.st_uid, item.owner);
	item.begun = st.st_ctim;
	item.changes = changes_of(place, name);
	return print_item(&item);
}

static int list_all(const struct place *place)
{
	struct dirent **entries;
	int rc = 0, n = scandirat(place->dir, ".", &entries, NULL, alphasort);

	if (n < 0)
		return failure_system(errno, "%s: batches", place->path);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = list_entry(place, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int batch_list_print(const char *path, const char *root)
{
	struct place place = { .path = path };
	char *batches, *status = NULL;
	int rc;

	if (asprintf(&batches, "%s/.batch", root) < 0)
		return failure_system(ENOMEM, "%s", path);
	place.dir = open(batches, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.dir < 0)
		rc = failure_system(errno, "%s", batches);
	else if (asprintf(&status, "%s/.status", root) < 0)
		rc = failure_system(ENOMEM, "%s", path);
	else {
		place.status = fopen(status, "re");
		rc = list_all(&place);
		free(status);
	}
	if (place.status)
		fclose(place.status);
	if (place.dir >= 0)
		close(place.dir);
	free(batches);
	return rc;
}
