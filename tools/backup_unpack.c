/*
 * Backups in archives: unpacked to be restored, or verified.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aedb_backup_archive.h"
#include "backup_unpack.h"
#include "failure.h"
#include "interrupt.h"

#define OPEN_MAX_WALK 16	/* descriptors of a removal */

bool backup_path_is_archive(const char *path)
{
	struct stat st;

	return !strcmp(path, "-") ||
	       (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
}

/* The directory. */

static int make_directory(const char *parent, const char *name,
			  struct backup_staging *ret)
{
	*ret = (struct backup_staging){ .is_encrypted = true };
	if (asprintf(&ret->path, "%s/.%.200s.archives-XXXXXX", parent, name) < 0) {
		ret->path = NULL;
		return failure_system(ENOMEM, "%s", parent);
	}
	if (mkdtemp(ret->path))
		return 0;
	failure_system(errno, "%s", ret->path);
	free(ret->path);
	ret->path = NULL;
	return AEDB_IO;
}

int backup_staging_make(const char *to, struct backup_staging *ret)
{
	char *parent = strdup(to), *name = strdup(to);
	int rc = parent && name ?
			 make_directory(dirname(parent), basename(name), ret) :
			 failure_system(ENOMEM, "%s", to);

	free(parent);
	free(name);
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

void backup_staging_remove(struct backup_staging *staging)
{
	if (!staging->path)
		return;
	nftw(staging->path, remove_one, OPEN_MAX_WALK, FTW_DEPTH | FTW_PHYS);
	free(staging->path);
	staging->path = NULL;
}

/* Archives. */

static const char *name_of(const char *archive)
{
	return strcmp(archive, "-") ? archive : "standard input";
}

static int open_archive(const char *archive, int *ret)
{
	/* a named pipe is not waited for here, where nothing ends it */
	int fd = strcmp(archive, "-") ?
			 open(archive, O_RDONLY | O_NONBLOCK | O_CLOEXEC) :
			 STDIN_FILENO;

	if (fd < 0 || (fd != STDIN_FILENO && fcntl(fd, F_SETFL, 0) < 0))
		return failure_system(errno, "%s", archive);
	*ret = fd;
	return 0;
}

static int unpack(const char *archive, const char *directory, bool only_verify,
		  struct aedb_backup_archive_info *ret)
{
	struct progress progress;
	struct aedb_backup_archive_options options = {
		.key = backup_key(),
		.watch = backup_watch(&progress),
		.cancel_fd = interrupt_fd(),
		.only_verify = only_verify,
	};
	int fd = -1, rc = open_archive(archive, &fd);

	if (rc < 0)
		return rc;
	rc = aedb_backup_unpack(fd, directory, &options, ret);
	progress_release(&progress);
	if (fd != STDIN_FILENO)
		close(fd);
	return rc < 0 ? backup_failure(rc, name_of(archive)) : 0;
}

/* An empty directory for the next one. Owned (free). */
static int next_directory(struct backup_staging *staging, char **ret)
{
	if (asprintf(ret, "%s/%u", staging->path, ++staging->n) < 0)
		return failure_system(ENOMEM, "%s", staging->path);
	if (mkdir(*ret, 0700) == 0)
		return 0;
	failure_system(errno, "%s", *ret);
	free(*ret);
	return AEDB_IO;
}

int backup_staging_add(struct backup_staging *staging, const char *archive,
		       char **ret)
{
	struct aedb_backup_archive_info info;
	char *directory;
	int rc = next_directory(staging, &directory);

	if (rc < 0)
		return rc;
	rc = unpack(archive, directory, false, &info);
	if (rc < 0) {
		free(directory);
		return rc;
	}
	staging->is_encrypted &= info.archive.is_encrypted;
	staging->is_signed |= info.backup.is_signed;
	*ret = directory;
	return 0;
}

static int verify_in(struct backup_staging *staging, const char *archive,
		     struct aedb_backup_report *sum)
{
	struct aedb_backup_archive_info info;
	char *directory;
	int rc = next_directory(staging, &directory);

	if (rc < 0)
		return rc;
	rc = unpack(archive, directory, true, &info);
	free(directory);
	if (rc < 0)
		return rc;
	sum->backups++;
	sum->files += info.archive.entries;
	sum->bytes += info.archive.bytes;
	return 0;
}

int backup_verify_archive(const char *archive, struct aedb_backup_report *sum)
{
	const char *temporary = getenv("TMPDIR");
	struct backup_staging staging;
	int rc = make_directory(temporary && *temporary ? temporary : "/tmp",
				"aedb", &staging);

	if (rc < 0)
		return rc;
	rc = verify_in(&staging, archive, sum);
	backup_staging_remove(&staging);
	return rc;
}
