/*
 * Files that are left over: made before a crash and never named, or named no
 * more and not yet removed.
 */
#include "verify_files.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "manifest.h"
#include "reserve.h"

#define UNUSED "nothing refers to it"

/* The number of a file called NUMBER.SUFFIX; 0: that is not its name. */
static file_id_t name_number(const char *name, const char *suffix)
{
	char exact[FILE_SET_PATH_BYTES];
	file_id_t number = strtoull(name, NULL, 10);

	snprintf(exact, sizeof(exact), "%llu.%s", (unsigned long long)number,
		 suffix);
	return strcmp(name, exact) == 0 ? number : 0;
}

static bool is_used_at_top(const struct verify_job *job, const char *name)
{
	static const char *const own[] = { "LOCK", MANIFEST_CURRENT, RESERVE_NAME,
					   WAL_DIRECTORY, "seg",
					   VALUES_DIRECTORY };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return strcmp(name, job->manifest) == 0;
}

static bool is_used(const struct verify_job *job, const struct verify_log *log,
		    const char *directory, const char *name)
{
	file_id_t number;

	if (strcmp(directory, ".") == 0)
		return is_used_at_top(job, name);
	if (strcmp(directory, WAL_DIRECTORY) == 0) {
		number = wal_name_number(name);
		return number && verify_log_has_file(log, number);
	}
	if (strcmp(directory, VALUES_DIRECTORY) == 0) {
		number = name_number(name, "val");
		return number && verify_values_has_file(job->values, number);
	}
	number = name_number(name, "seg");
	return number && manifest_find_segment(job->state, number);
}

/* Names are anybody's, and a finding is one line. */
static void path_make(const char *directory, const char *name, char *ret,
		      size_t room)
{
	bool is_top = strcmp(directory, ".") == 0;

	snprintf(ret, room, "%s%s%s", is_top ? "" : directory,
		 is_top ? "" : "/", name);
	for (; *ret; ret++)
		if ((unsigned char)*ret < ' ' || *ret == 0x7f)
			*ret = '?';
}

static int directory_check(const struct verify_job *job,
			   const struct verify_log *log, const char *directory)
{
	char path[512], **names;
	size_t n;
	int rc = job->vfs->ops->list(job->vfs, directory, &names, &n);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return verify_find_error(job->findings, directory, rc);
	for (size_t i = 0; i < n; i++) {
		if (is_used(job, log, directory, names[i]))
			continue;
		path_make(directory, names[i], path, sizeof(path));
		verify_note(job->findings, path, UNUSED);
	}
	vfs_free_names(names, n);
	return 0;
}

int verify_files(const struct verify_job *job, const struct verify_log *log)
{
	static const char *const directories[] = { ".", WAL_DIRECTORY, "seg",
						   VALUES_DIRECTORY };
	size_t n = sizeof(directories) / sizeof(directories[0]);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = directory_check(job, log, directories[i]);
	return rc;
}
