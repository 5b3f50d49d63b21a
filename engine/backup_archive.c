/*
 * Backups as archives.
 *
 * Invariant: 1. What was packed or unpacked is the files that the backup's
 * manifest says it has, each with its bytes and SHA-256, the manifest last, and
 * nothing else.
 */
#include "backup_archive.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "backup_place.h"
#include "backup_set.h"
#include "err.h"

struct seen {
	char path[BACKUP_PATH_BYTES];
	uint64_t bytes;
	uint8_t sha256[BACKUP_DIGEST_BYTES];
};

/* The entries, as they came; those of directories, which are empty, but one that
 * no backup has, are passed over. */
struct job {
	const struct aedb_backup_archive_options *options;
	struct seen *seen;	/* owned */
	size_t n, room;
	char other[256];	/* of an entry that no backup has; "": none */
	bool has_failed;	/* no memory */
};

static bool is_directory_of_backup(const struct aedb_archive_entry *entry)
{
	return entry->is_directory && (!strcmp(entry->path, "seg") ||
				       !strcmp(entry->path, "val") ||
				       !strcmp(entry->path, "wal"));
}

static bool seen_grow(struct job *job)
{
	size_t room = job->room ? 2 * job->room : 64;
	struct seen *more;

	if (job->n < job->room)
		return true;
	more = realloc(job->seen, room * sizeof(*more));
	if (!more)
		return false;
	job->seen = more;
	job->room = room;
	return true;
}

static int note_entry(void *arg, const struct aedb_archive_entry *entry)
{
	struct job *job = arg;
	struct seen *seen;

	if (is_directory_of_backup(entry))
		return 0;
	if (entry->is_directory || strlen(entry->path) >= BACKUP_PATH_BYTES) {
		snprintf(job->other, sizeof(job->other), "%s", entry->path);
		return -1;
	}
	if (!seen_grow(job)) {
		job->has_failed = true;
		return -1;
	}
	seen = &job->seen[job->n++];
	strcpy(seen->path, entry->path);
	seen->bytes = entry->bytes;
	memcpy(seen->sha256, entry->sha256, sizeof(seen->sha256));
	return 0;
}

static int note_progress(void *arg, const struct aedb_transfer *transfer)
{
	const struct job *job = arg;
	const struct aedb_backup_watch *watch = &job->options->watch;

	return watch->progress ? watch->progress(watch->arg, transfer) : 0;
}

static struct aedb_archive_options archive_options(struct job *job)
{
	bool has_own = job->options->archive_key.bytes;
	const struct aedb_backup_key *key =
		has_own ? &job->options->archive_key : &job->options->key;
	struct aedb_archive_options options;

	aedb_archive_options_init(&options);
	options.key = key->bytes;
	options.key_bytes = key->n;
	options.last = AEDB_BACKUP_MANIFEST;
	options.may_be_plain = !has_own;
	options.only = job->options->only_verify ? AEDB_BACKUP_MANIFEST : NULL;
	options.cancel_fd = job->options->cancel_fd;
	options.entry = note_entry;
	options.progress = note_progress;
	options.arg = job;
	return options;
}

/* An entry that could not be taken, in words of its own. */
static int archive_result(const struct job *job, int rc)
{
	if (rc == AEDB_CANCELED && job->has_failed)
		return err_set(AEDB_NO_MEMORY, "no memory for the archive's entries");
	if (rc == AEDB_CANCELED && job->other[0])
		return err_set(AEDB_CORRUPT, "archive: %s belongs to no backup",
			       job->other);
	return rc;
}

/* Comparing. */

static int differs(const struct backup_manifest *m, const char *path,
		   const char *what)
{
	return err_set(AEDB_CORRUPT, "backup %s: %s: %s", m->name, path, what);
}

static int entry_compare(const struct backup_manifest *m, const struct seen *seen)
{
	const struct backup_file *file = backup_manifest_find(m, seen->path);

	if (!file || file->stored[0])
		return differs(m, seen->path, "is not one of its files");
	if (file->bytes != seen->bytes)
		return differs(m, seen->path, "has another size");
	if (memcmp(file->sha256, seen->sha256, sizeof(seen->sha256)) != 0)
		return differs(m, seen->path, "has another content");
	return 0;
}

static bool has_seen(const struct job *job, const char *path)
{
	for (size_t i = 0; i < job->n; i++)
		if (!strcmp(job->seen[i].path, path))
			return true;
	return false;
}

/* No entry comes twice in an archive. */
static int entries_compare(const struct job *job, const struct backup_manifest *m)
{
	size_t own = 0;
	int rc = 0;

	for (size_t i = 0; i + 1 < job->n && rc == 0; i++)
		rc = entry_compare(m, &job->seen[i]);
	for (size_t i = 0; i < m->n_files; i++)
		own += !m->files[i].stored[0];
	if (rc < 0 || own == job->n - 1)
		return rc;
	for (size_t i = 0; i < m->n_files; i++)
		if (!m->files[i].stored[0] && !has_seen(job, m->files[i].path))
			return differs(m, m->files[i].path, "is missing");
	return 0;
}

static void info_give(const struct backup_manifest *m,
		      const struct aedb_archive_info *archive,
		      struct aedb_backup_archive_info *ret)
{
	struct backup_entry entry = { .state = AEDB_BACKUP_FINISHED,
				      .has_manifest = true, .m = *m };

	strcpy(entry.name, m->name);
	backup_entry_count(&entry);
	backup_info_fill(&entry, &ret->backup);
	ret->archive = *archive;
}

/* The manifest lies in the directory now. What was encrypted with the only key is
 * from somebody who has it; else the signature has to say so. */
static int manifest_compare(const struct job *job, struct vfs *vfs,
			    const struct aedb_archive_info *archive,
			    struct aedb_backup_archive_info *ret)
{
	const struct aedb_backup_key *key =
		archive->is_encrypted && !job->options->archive_key.bytes ?
			NULL : &job->options->key;
	struct backup_manifest m = { .id = "" };
	int rc;

	if (!job->n || strcmp(job->seen[job->n - 1].path, AEDB_BACKUP_MANIFEST))
		return err_set(AEDB_CORRUPT, "the archive is of no backup: its last "
			       "entry is not " AEDB_BACKUP_MANIFEST);
	rc = backup_manifest_read(vfs, "in the archive", key, &m);
	if (rc == 0)
		rc = entries_compare(job, &m);
	if (rc == 0)
		info_give(&m, archive, ret);
	backup_manifest_release(&m);
	return rc;
}

static int backup_check_there(struct vfs *vfs)
{
	enum vfs_kind kind;
	int rc = vfs_kind(vfs, AEDB_BACKUP_MANIFEST, &kind);

	return rc == AEDB_NOT_FOUND ?
		       err_set(rc, "there is no finished backup") : rc;
}

int backup_archive_pack(struct vfs *vfs, int fd,
			const struct aedb_backup_archive_options *options,
			struct aedb_backup_archive_info *ret)
{
	struct job job = { .options = options };
	struct aedb_archive_options with = archive_options(&job);
	struct aedb_archive_info info;
	int rc = backup_check_there(vfs);

	if (rc == 0)
		rc = archive_result(&job, archive_pack(vfs, fd, &with, &info));
	if (rc == 0)
		rc = manifest_compare(&job, vfs, &info, ret);
	free(job.seen);
	return rc;
}

int backup_archive_unpack(int fd, struct vfs *vfs,
			  const struct aedb_backup_archive_options *options,
			  struct aedb_backup_archive_info *ret)
{
	struct job job = { .options = options };
	struct aedb_archive_options with = archive_options(&job);
	struct aedb_archive_info info;
	int rc = archive_result(&job, archive_unpack(fd, vfs, &with, &info));

	if (rc == 0)
		rc = manifest_compare(&job, vfs, &info, ret);
	free(job.seen);
	return rc;
}

int aedb_backup_archive_place(const char *path)
{
	return backup_place_check_file(path);
}

int aedb_backup_pack(const char *backup, int fd,
		     const struct aedb_backup_archive_options *options,
		     struct aedb_backup_archive_info *ret)
{
	struct vfs *vfs;
	int rc = vfs_posix_open_beneath(backup, &vfs);

	if (rc < 0)
		return rc;
	rc = backup_archive_pack(vfs, fd, options, ret);
	vfs_close(vfs);
	return rc;
}

int aedb_backup_unpack(int fd, const char *directory,
		       const struct aedb_backup_archive_options *options,
		       struct aedb_backup_archive_info *ret)
{
	struct vfs *vfs;
	int rc = vfs_posix_open_beneath(directory, &vfs);

	if (rc < 0)
		return rc;
	rc = backup_archive_unpack(fd, vfs, options, ret);
	vfs_close(vfs);
	return rc;
}
