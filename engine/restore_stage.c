/*
 * The place of a database that is restored.
 *
 * Invariants:
 * 1. Nothing is removed but what a restore made: in a directory with the marker,
 *    or listed by name in it.
 * 2. No database is to be seen (CURRENT) before all of it is durable.
 *
 * The marker is text: the holder's process id, what it is, and, once files move to
 * their place, their names, a line each.
 */
#include "restore_stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aedb_backup.h"
#include "backup_dir.h"
#include "err.h"
#include "manifest.h"

#define MARKER BACKUP_RESTORING
#define CONTENT "db"
#define MARKER_TEXT "aedb restore\n"
#define MARKER_BYTES_MAX 4096
#define MARKER_START_BYTES 20	/* all of them are longer */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* The target. */

/* What may lie in an empty directory: what mkfs makes where something is mounted,
 * the backups that somebody unpacks for this, and what another restore left. */
static bool does_not_count(const char *name)
{
	static const char *const names[] = { "lost+found", BACKUP_RESTORE_STAGE };

	return is_one_of(name, names, 2) ||
	       !strncmp(name, AEDB_RESTORE_UNPACKED, strlen(AEDB_RESTORE_UNPACKED));
}

static int names_check(char *const *names, size_t n, char *const *moved,
		       size_t n_moved)
{
	bool has_current = false, has_other = false;

	for (size_t i = 0; i < n; i++) {
		has_current |= !strcmp(names[i], MANIFEST_CURRENT);
		has_other |= !does_not_count(names[i]) &&
			     !is_one_of(names[i], (const char *const *)moved,
					n_moved);
	}
	return has_current || has_other ?
		       err_set(AEDB_NOT_EMPTY, "not an empty directory") : 0;
}

/* The marker's list: what an earlier restore was moving to its place. */

struct moved {
	char *names[64];	/* borrowed from text */
	size_t n;
	char text[MARKER_BYTES_MAX + 1];
};

/* AEDB_CORRUPT: it is no marker. */
static int marker_read(struct vfs_file *file, struct moved *ret)
{
	char *rest, *line;
	uint64_t size;
	int rc = vfs_file_size(file, &size);

	ret->n = 0;
	if (rc == 0 && size > MARKER_BYTES_MAX)
		rc = AEDB_CORRUPT;
	if (rc == 0)
		rc = vfs_read_exact(file, ret->text, (size_t)size, 0);
	if (rc < 0)
		return rc;
	ret->text[size] = '\0';
	line = strchr(ret->text, '\n');
	if (!line || strncmp(line + 1, MARKER_TEXT, strlen(MARKER_TEXT)))
		return AEDB_CORRUPT;
	line += 1 + strlen(MARKER_TEXT);
	for (line = strtok_r(line, "\n", &rest); line && ret->n < 64;
	     line = strtok_r(NULL, "\n", &rest))
		if (!strchr(line, '/') && strcmp(line, ".") && strcmp(line, ".."))
			ret->names[ret->n++] = line;
	return 0;
}

static int moved_look(struct vfs *target, struct moved *ret)
{
	struct vfs_file *file;
	int rc = vfs_file_open(target, BACKUP_RESTORE_STAGE "/" MARKER, VFS_READ, &file);

	ret->n = 0;
	if (rc < 0)
		return 0;
	if (marker_read(file, ret) < 0)
		ret->n = 0;
	vfs_file_close(file);
	return 0;
}

static int target_check_empty(struct vfs *target)
{
	struct moved moved;
	char **names;
	size_t n;
	int rc = target->ops->list(target, ".", &names, &n);

	if (rc == 0)
		rc = moved_look(target, &moved);
	if (rc < 0)
		return rc;
	rc = names_check(names, n, moved.names, moved.n);
	vfs_free_names(names, n);
	return rc;
}

static int look_inside(struct vfs *directory, const char *name,
		       struct restore_stage *stage)
{
	int rc = vfs_under(directory, name, &stage->place);

	if (rc == 0)
		rc = target_check_empty(stage->place);
	strcpy(stage->path, BACKUP_RESTORE_STAGE);
	return rc;
}

static int look_beside(struct vfs *directory, const char *name,
		       struct restore_stage *stage)
{
	if (strlen(name) >= sizeof(stage->name))
		return err_set(AEDB_NAME_TOO_LONG, "%.32s… is too long", name);
	strcpy(stage->name, name);
	backup_stage_path(name, stage->path);
	return vfs_under(directory, ".", &stage->place);
}

int restore_stage_look(struct vfs *directory, const char *name,
		       struct restore_stage *ret)
{
	struct restore_stage stage = { .place = NULL };
	enum vfs_kind kind;
	int rc = vfs_kind(directory, name, &kind);

	if (rc == AEDB_NOT_FOUND)
		rc = look_beside(directory, name, &stage);
	else if (rc == 0 && kind != VFS_IS_DIRECTORY)
		rc = err_set(AEDB_EXISTS, "exists and is no directory");
	else if (rc == 0)
		rc = look_inside(directory, name, &stage);
	if (rc < 0)
		restore_stage_release(&stage);
	else
		*ret = stage;
	return rc;
}

/* The staging directory. */

static int not_ours(const struct restore_stage *stage)
{
	return err_set(AEDB_EXISTS, "%s is in the way, and no restore made it",
		       stage->path);
}

/* It is empty, or has the marker, and nothing of anybody else. */
static int stage_check_ours(const struct restore_stage *stage)
{
	static const char *const own[] = { MARKER, CONTENT };
	bool has_marker = false, has_other = false;
	char **names;
	size_t n;
	int rc = stage->vfs->ops->list(stage->vfs, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		has_marker |= !strcmp(names[i], MARKER);
		has_other |= !is_one_of(names[i], own, 2);
	}
	vfs_free_names(names, n);
	return has_other || (n && !has_marker) ? not_ours(stage) : 0;
}

static int marker_write(struct restore_stage *stage, char *const *names, size_t n)
{
	char text[MARKER_BYTES_MAX];
	size_t at = (size_t)snprintf(text, sizeof(text),
				     "%ld %016" PRIx64 "\n" MARKER_TEXT,
				     (long)getpid(), stage->token);
	int rc;

	for (size_t i = 0; i < n && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\n",
				       names[i]);
	if (at >= sizeof(text))
		return err_set(AEDB_TOO_LARGE, "too many names in a database");
	rc = vfs_file_truncate(stage->marker, 0);
	if (rc == 0)
		rc = vfs_write_all(stage->marker, text, at, 0);
	return rc < 0 ? rc : vfs_file_sync(stage->marker);
}

/* Whether the name still leads to what was locked and written: else who had it has
 * removed it. */
static int marker_check(struct restore_stage *stage)
{
	char own[MARKER_START_BYTES], has[MARKER_START_BYTES];
	struct vfs_file *again;
	int rc = vfs_file_open(stage->vfs, MARKER, VFS_READ, &again);

	if (rc == 0) {
		rc = vfs_read_exact(again, has, sizeof(has), 0);
		vfs_file_close(again);
	}
	if (rc == 0)
		rc = vfs_read_exact(stage->marker, own, sizeof(own), 0);
	if (rc == AEDB_NOT_FOUND || rc == AEDB_CORRUPT ||
	    (rc == 0 && memcmp(own, has, sizeof(own))))
		return err_set(AEDB_BUSY, "another process restores there");
	return rc;
}

/* What an earlier one had moved to its place goes, CURRENT first, and what it had
 * not. */
static int content_remove(struct restore_stage *stage, const struct moved *moved)
{
	int rc = 0;

	for (size_t i = moved->n; i-- > 0 && rc == 0;) {
		enum vfs_kind kind;

		rc = vfs_kind(stage->place, moved->names[i], &kind);
		if (rc == 0)
			rc = kind == VFS_IS_DIRECTORY ?
				     backup_tree_remove(stage->place,
							moved->names[i]) :
				     vfs_unlink(stage->place, moved->names[i]);
		rc = rc == AEDB_NOT_FOUND ? 0 : rc;
	}
	if (rc == 0)
		rc = backup_tree_remove(stage->vfs, CONTENT);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int marker_lock(struct restore_stage *stage)
{
	int rc = vfs_file_open(stage->vfs, MARKER, VFS_CREATE, &stage->marker);

	if (rc == 0)
		rc = stage->vfs->ops->lock(stage->marker, false);
	if (rc == AEDB_BUSY)
		rc = err_set(rc, "another restore works there: %s", err_message());
	if (rc == 0)
		rc = file_random_bytes((uint8_t *)&stage->token,
				       sizeof(stage->token));
	return rc;
}

/* Nobody else works there from here on. */
static int stage_claim(struct restore_stage *stage)
{
	struct moved moved = { .n = 0 };
	int rc = stage_check_ours(stage);

	if (rc == 0)
		rc = marker_lock(stage);
	if (rc < 0)
		return rc;
	/* torn, it was not synced: nothing was made after it */
	if (marker_read(stage->marker, &moved) < 0)
		moved.n = 0;
	rc = marker_write(stage, moved.names, moved.n);
	if (rc == 0)
		rc = marker_check(stage);
	if (rc == 0)
		rc = content_remove(stage, &moved);
	return rc < 0 ? rc : marker_write(stage, NULL, 0);
}

static int stage_open(struct restore_stage *stage)
{
	struct vfs *place = stage->place;
	enum vfs_kind kind;
	int rc = place->ops->mkdir(place, stage->path);

	if (rc == AEDB_EXISTS)
		rc = vfs_kind(place, stage->path, &kind);
	else
		kind = VFS_IS_DIRECTORY;
	if (rc == 0 && kind != VFS_IS_DIRECTORY)
		rc = not_ours(stage);
	return rc < 0 ? rc : vfs_under(place, stage->path, &stage->vfs);
}

int restore_stage_make(struct restore_stage *stage)
{
	int rc = stage_open(stage);

	if (rc == 0)
		rc = stage_claim(stage);
	if (rc == 0)
		rc = vfs_sync_dir(stage->vfs, ".");
	if (rc == 0)
		rc = vfs_sync_dir(stage->place, ".");
	if (rc == 0)
		rc = stage->vfs->ops->mkdir(stage->vfs, CONTENT);
	if (rc == 0)
		rc = vfs_under(stage->vfs, CONTENT, &stage->to);
	/* another's, or not ours: nothing in it is touched */
	if (rc < 0 && !stage->to) {
		vfs_file_close(stage->marker);
		stage->marker = NULL;
	}
	return rc;
}

/* The marker goes last, also on a disk that is cut: what it does not mark stays. */
static void stage_remove(struct restore_stage *stage)
{
	backup_tree_remove(stage->vfs, CONTENT);
	vfs_sync_dir(stage->vfs, ".");
	backup_tree_remove(stage->place, stage->path);
}

/* The database's names, CURRENT last. */
static void current_last(char **names, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (!strcmp(names[i], MANIFEST_CURRENT)) {
			char *current = names[i];

			names[i] = names[n - 1];
			names[n - 1] = current;
		}
}

static int name_move(struct restore_stage *stage, const char *name)
{
	char from[2 * RESTORE_STAGE_BYTES];

	snprintf(from, sizeof(from), "%s/" CONTENT "/%s", stage->path, name);
	return vfs_rename(stage->place, from, name);
}

static int names_move(struct restore_stage *stage, char **names, size_t n)
{
	int rc = 0;

	current_last(names, n);
	/* of what is listed nothing is there yet */
	rc = marker_write(stage, names, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (i + 1 == n)
			rc = vfs_sync_dir(stage->place, ".");
		if (rc == 0)
			rc = name_move(stage, names[i]);
	}
	return rc < 0 ? rc : vfs_sync_dir(stage->place, ".");
}

static int finish_inside(struct restore_stage *stage)
{
	char **names;
	size_t n;
	int rc = target_check_empty(stage->place);

	if (rc == 0)
		rc = stage->to->ops->list(stage->to, ".", &names, &n);
	if (rc < 0)
		return rc;
	rc = names_move(stage, names, n);
	vfs_free_names(names, n);
	return rc;
}

static int finish_beside(struct restore_stage *stage)
{
	char from[RESTORE_STAGE_BYTES + sizeof(CONTENT)];
	int rc;

	snprintf(from, sizeof(from), "%s/" CONTENT, stage->path);
	rc = vfs_rename(stage->place, from, stage->name);
	return rc < 0 ? rc : vfs_sync_dir(stage->place, ".");
}

int restore_stage_finish(struct restore_stage *stage)
{
	int rc = *stage->name ? finish_beside(stage) : finish_inside(stage);

	if (rc == 0)
		stage_remove(stage);
	return rc;
}

void restore_stage_drop(struct restore_stage *stage)
{
	char reason[ERR_MESSAGE_BYTES];
	int code = err_code();
	struct moved moved;

	if (!stage->to)
		return;
	snprintf(reason, sizeof(reason), "%s", err_message());
	if (marker_read(stage->marker, &moved) == 0)
		content_remove(stage, &moved);
	stage_remove(stage);
	err_set(code, "%s", reason);
}

void restore_stage_release(struct restore_stage *stage)
{
	if (stage->to)
		vfs_close(stage->to);
	vfs_file_close(stage->marker);
	if (stage->vfs)
		vfs_close(stage->vfs);
	if (stage->place)
		vfs_close(stage->place);
	*stage = (struct restore_stage){ .place = NULL };
}
