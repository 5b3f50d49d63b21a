/*
 * Backups in archives: unpacked to be restored, or verified.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void directory_remove(const char *path)
{
	nftw(path, remove_one, OPEN_MAX_WALK, FTW_DEPTH | FTW_PHYS);
}

/* Locked as long as somebody works in the directory. -1: it cannot be. */
static int lock_open(const char *directory, int how)
{
	struct stat st;
	char *path;
	int fd;

	if (asprintf(&path, "%s/LOCK", directory) < 0)
		return -1;
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | how, 0600);
	free(path);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return -1;
}

static void leftover_remove(const char *parent, const char *name)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/%s", parent, name) < 0)
		return;
	fd = lock_open(path, 0);
	if (fd >= 0) {
		directory_remove(path);
		close(fd);
	}
	free(path);
}

/* What programs that were killed left there. */
static void leftovers_remove(const char *parent)
{
	const char *prefix = AEDB_RESTORE_UNPACKED;
	DIR *directory = opendir(parent);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			leftover_remove(parent, entry->d_name);
	if (directory)
		closedir(directory);
}

static int make_directory(const char *parent, struct backup_staging *ret)
{
	*ret = (struct backup_staging){ .is_encrypted = true, .lock = -1 };
	leftovers_remove(parent);
	if (asprintf(&ret->path, "%s/" AEDB_RESTORE_UNPACKED "XXXXXX",
		     parent) < 0) {
		ret->path = NULL;
		return failure_system(ENOMEM, "%s", parent);
	}
	if (mkdtemp(ret->path)) {
		ret->lock = lock_open(ret->path, O_CREAT | O_EXCL);
		if (ret->lock >= 0)
			return 0;
	}
	failure_system(errno, "%s", ret->path);
	rmdir(ret->path);
	free(ret->path);
	ret->path = NULL;
	return AEDB_IO;
}

/* Where the database's directory is there already, in it. */
int backup_staging_make(const char *to, struct backup_staging *ret)
{
	char *parent = strdup(to);
	struct stat st;
	int rc;

	if (!parent)
		return failure_system(ENOMEM, "%s", to);
	rc = make_directory(stat(to, &st) == 0 ? to : dirname(parent),
			    ret);
	free(parent);
	return rc;
}

void backup_staging_remove(struct backup_staging *staging)
{
	if (!staging->path)
		return;
	directory_remove(staging->path);
	close(staging->lock);
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
		.archive_key = backup_archive_key(),
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
	if (asprintf(ret, "%s/.%u", staging->path, ++staging->n) < 0)
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
				&staging);

	if (rc < 0)
		return rc;
	rc = verify_in(&staging, archive, sum);
	backup_staging_remove(&staging);
	return rc;
}
