/*
 * aedb backup archive, and --archive: a backup as one stream, to standard output
 * or to a file that is there when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aedb_backup_archive.h"
#include "backup.h"
#include "failure.h"
#include "interrupt.h"
#include "output.h"
#include "sync_path.h"
#include "text.h"

#define LOOK_MS 100		/* between two looks at a pipe */

struct archive_file {
	const char *path;	/* "-": standard output */
	char *temporary;	/* its name until it is whole; owned; NULL: none */
	int fd;
};

static bool is_standard(const char *path)
{
	return !strcmp(path, "-");
}

static int file_failure(const struct archive_file *file, int err)
{
	return failure_set(STATUS_FAILED, is_standard(file->path) ?
			   "standard output" : file->path, "%s", strerror(err));
}

/* A named pipe is opened when somebody reads it, or not at all. */
static int special_open(const char *path)
{
	int fd;

	while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 &&
	       errno == ENXIO) {
		struct pollfd ended = { .fd = *interrupt_fd(), .events = POLLIN };

		if (poll(&ended, 1, LOOK_MS) > 0) {
			errno = EINTR;
			return -1;
		}
	}
	return fd >= 0 && fcntl(fd, F_SETFL, 0) < 0 ? -1 : fd;
}

static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int backup_check_archive(const char *path)
{
	int rc = is_standard(path) || is_special(path) ?
			 0 : aedb_backup_archive_place(path);

	return rc == AEDB_INVALID ? failure_engine(rc, "%s", path) : 0;
}

/* A pipe or a device is written to as it is. */
static int file_open(const char *path, struct archive_file *ret)
{
	struct archive_file file = { .path = path, .fd = STDOUT_FILENO };

	if (is_standard(path) && isatty(STDOUT_FILENO))
		return failure_usage("standard output is a terminal: archives are "
				     "not for reading");
	if (is_standard(path)) {
		*ret = file;
		return 0;
	}
	if (is_special(path))
		file.fd = special_open(path);
	else if (asprintf(&file.temporary, "%s.XXXXXX", path) < 0)
		return failure_system(ENOMEM, "%s", path);
	else
		file.fd = mkostemp(file.temporary, O_CLOEXEC);
	if (file.fd < 0) {
		free(file.temporary);
		return file_failure(&file, errno);
	}
	*ret = file;
	return 0;
}

/* The file gets its name. */
static int file_finish(struct archive_file *file)
{
	if (!file->temporary)
		return 0;
	if (fsync(file->fd) < 0 || rename(file->temporary, file->path) < 0)
		return file_failure(file, errno);
	free(file->temporary);
	file->temporary = NULL;
	return sync_path_parent(file->path);
}

/* What is not finished is gone. */
static void file_release(struct archive_file *file)
{
	if (file->fd != STDOUT_FILENO)
		close(file->fd);
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
}

static int print_info(const char *path, const struct aedb_backup_archive_info *info)
{
	const struct aedb_archive_info *archive = &info->archive;
	char size[TEXT_SIZE_BYTES];

	if (is_standard(path))
		return 0;
	if (output_is_json())
		return output_json_line(json_pack(
			"{s:o, s:s, s:s, s:I, s:I, s:I, s:b}", "archive",
			json_of_text(path), "backup", info->backup.name, "id",
			info->backup.id, "entries", (json_int_t)archive->entries,
			"bytes", (json_int_t)archive->bytes, "archive_bytes",
			(json_int_t)archive->archive_bytes, "encrypted",
			archive->is_encrypted));
	printf("%s: backup %s, %s%s\n", path, info->backup.name,
	       text_format_size(archive->archive_bytes, size),
	       archive->is_encrypted ? ", encrypted" : "");
	return output_check();
}

int backup_pack(const char *backup, const char *path)
{
	struct aedb_backup_archive_info info;
	struct progress progress;
	struct aedb_backup_archive_options options = {
		.key = backup_key(),
		.archive_key = backup_archive_key(),
		.watch = backup_watch(&progress),
		.cancel_fd = interrupt_fd(),
	};
	struct archive_file file = { .path = path };
	int rc = backup_check_archive(path);

	if (rc == 0)
		rc = file_open(path, &file);
	if (rc < 0)
		return rc;
	rc = aedb_backup_pack(backup, file.fd, &options, &info);
	progress_release(&progress);
	if (rc < 0)
		backup_failure(rc, backup);
	else
		rc = file_finish(&file);
	file_release(&file);
	return rc < 0 ? rc : print_info(path, &info);
}

int backup_archive(const struct backup_work *work)
{
	return backup_pack(work->database, work->names[0]);
}
