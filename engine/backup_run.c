/*
 * Making a backup.
 *
 * It comes into being in the directory .NAME.partial: files, their names, then
 * backup.json, and then it is renamed. Whatever has its name is whole and on the
 * disk.
 *
 * Files that never change are linked, if the file system can; read they are in
 * any case, for their digests. Files that the parent or its parents have already
 * are named only.
 */
#include "backup_run.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "backup_files.h"
#include "backup_place.h"
#include "backup_set.h"
#include "backup_source.h"
#include "err.h"
#include "manifest.h"
#include "vfs_copy.h"

#define NAMES_OF_A_SECOND 1000

#define DIRECTORIES 3
static const char *const directories[DIRECTORIES] = { "seg", "val", "wal" };

struct backup_run {
	struct aedb *db;
	struct vfs *directory;		/* borrowed; NULL, of a dry run: none is there */
	const struct aedb_backup_options *options;
	struct backup_set set;		/* what is there already */
	struct backup_entry *parent;	/* NULL: none */
	struct backup_source source;
	struct backup_manifest manifest;
	struct vfs *to;			/* owned: what is made */
	bool has_copied;		/* a segment, which could not be linked */
	struct aedb_transfer transfer;
	struct vfs_watch watch;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

static struct aedb_backup_key run_key(const struct backup_run *run)
{
	const struct aedb_options *o = &run->db->options;

	return (struct aedb_backup_key){ o->hmac_key, o->hmac_key_bytes };
}

static int tell(void *arg, uint64_t bytes)
{
	struct backup_run *run = arg;
	const struct aedb_backup_watch *watch = &run->options->watch;

	run->transfer.done_bytes += bytes;
	return watch->progress ? watch->progress(watch->arg, &run->transfer) : 0;
}

/* Name, parent, and the manifest's beginning. */

/* AEDB_NOT_FOUND: it is free. */
static int name_look(struct backup_run *run, const char *name)
{
	enum vfs_kind kind;

	return run->directory ? vfs_kind(run->directory, name, &kind) :
				AEDB_NOT_FOUND;
}

static int name_check_free(struct backup_run *run, const char *name)
{
	int rc = name_look(run, name);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	return rc < 0 ? rc : err_set(AEDB_EXISTS, "backup %s exists", name);
}

/* The time, and of more than one in a second a number behind it. */
static int name_make(struct backup_run *run)
{
	time_t now = (time_t)(run->manifest.began_us / 1000000);
	char *to = run->manifest.name, time[32];
	struct tm utc;
	int rc;

	gmtime_r(&now, &utc);
	strftime(time, sizeof(time), "%Y-%m-%dT%H%M%SZ", &utc);
	strcpy(to, time);
	for (unsigned n = 2; n <= NAMES_OF_A_SECOND; n++) {
		rc = name_look(run, to);
		if (rc < 0)
			return rc == AEDB_NOT_FOUND ? 0 : rc;
		snprintf(to, sizeof(run->manifest.name), "%s-%u", time, n);
	}
	return name_check_free(run, to);
}

static int name_take(struct backup_run *run)
{
	const char *name = run->options->name;
	char *to = run->manifest.name;

	if (!name)
		return name_make(run);
	if (strlen(name) > MANIFEST_NAME_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG,
			       "backup name of %zu bytes, at most %d are allowed",
			       strlen(name), MANIFEST_NAME_BYTES_MAX);
	if (!manifest_name_is_valid(name, strlen(name)))
		return err_set(AEDB_INVALID,
			       "backup name \"%s\": only A-Z a-z 0-9 _ - and, not "
			       "first, . and @ may occur", name);
	strcpy(to, name);
	return name_check_free(run, to);
}

/* Whether a backup of this database can go on from it. */
static bool is_parent(const struct backup_run *run,
		      const struct backup_entry *entry)
{
	return entry->state == AEDB_BACKUP_FINISHED &&
	       memcmp(entry->m.db_uuid, run->manifest.db_uuid,
		      FILE_UUID_BYTES) == 0;
}

static struct backup_entry *newest_parent(const struct backup_run *run)
{
	struct backup_entry *newest = NULL;

	for (size_t i = 0; i < run->set.n; i++) {
		struct backup_entry *entry = &run->set.at[i];

		if (is_parent(run, entry) &&
		    (!newest || entry->m.finished_us >= newest->m.finished_us))
			newest = entry;
	}
	return newest;
}

/* One that cannot be read now may be whole, and newer than those that can. */
static int set_require(const struct backup_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct backup_entry *entry = &set->at[i];

		if (entry->state == AEDB_BACKUP_BROKEN &&
		    (entry->code == AEDB_IO || entry->code == AEDB_NO_MEMORY))
			return err_set(entry->code, "backup %s: %s", entry->name,
				       entry->reason);
	}
	return 0;
}

static int parent_take(struct backup_run *run)
{
	const char *name = run->options->parent;
	int rc;

	if (run->options->kind == AEDB_BACKUP_FULL)
		return 0;
	rc = set_require(&run->set);
	if (rc < 0)
		return rc;
	if (!name) {
		run->parent = newest_parent(run);
		return run->parent ? 0 : err_set(AEDB_NOT_FOUND, "no whole backup "
						 "of this database is there: make a "
						 "full one first");
	}
	run->parent = backup_set_find(&run->set, name);
	if (!run->parent)
		return err_set(AEDB_NOT_FOUND, "there is no backup %s", name);
	if (is_parent(run, run->parent))
		return 0;
	return err_set(AEDB_INVALID, "backup %s cannot be gone on from: %s", name,
		       run->parent->reason[0] ? run->parent->reason :
						"it is of another database");
}

/* A database that was restored to an earlier state has another future. */
static int parent_check(const struct backup_run *run)
{
	const struct backup_manifest *m = run->parent ? &run->parent->m : NULL;

	if (!m || (m->head_seq <= run->source.cut.seq &&
		   m->log_end.lsn <= run->source.cut.lsn))
		return 0;
	return err_set(AEDB_INVALID, "backup %s goes up to number %" PRIu64
		       ", this database was gone back with: make a full backup",
		       m->name, m->head_seq);
}

static int id_make(char *ret)
{
	uint8_t bytes[AEDB_BACKUP_ID_BYTES / 2];
	int rc = file_random_bytes(bytes, sizeof(bytes));

	for (size_t i = 0; rc == 0 && i < sizeof(bytes); i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
	return rc;
}

/* The lists of those that say what the chain has: the files form says all that
 * there are. */
static int chain_read(struct backup_run *run)
{
	const struct aedb_backup_key key = run_key(run);
	int rc = 0;

	for (struct backup_entry *e = run->parent; e && rc == 0; e = e->parent) {
		rc = backup_files_read_one(run->directory, &key, e);
		if (e->m.form == AEDB_BACKUP_FILES)
			break;
	}
	return rc;
}

static int manifest_begin(struct backup_run *run)
{
	struct backup_manifest *m = &run->manifest;
	int rc = id_make(m->id);

	m->kind = run->options->kind;
	m->began_us = now_us();
	m->database_format = FILE_FORMAT_VERSION;
	snprintf(m->engine, sizeof(m->engine), "%s", AEDB_VERSION);
	memcpy(m->db_uuid, manifest_db_uuid(run->db->manifest),
	       FILE_UUID_BYTES);
	if (rc == 0)
		rc = name_take(run);
	if (rc == 0)
		rc = parent_take(run);
	if (rc == 0 && run->parent) {
		strcpy(m->parent, run->parent->m.id);
		m->from_seq = run->parent->m.head_seq;
	}
	return rc < 0 ? rc : chain_read(run);
}

/* What the chain has. */

/* The newest file of a path that the parent and its parents have, and who says
 * so; NULL: none does. */
static const struct backup_file *chain_find(const struct backup_run *run,
					    const char *path,
					    const struct backup_entry **ret)
{
	const struct backup_entry *entry = run->parent;

	for (; entry; entry = entry->parent) {
		const struct backup_file *file =
			backup_manifest_find(&entry->m, path);

		*ret = entry;
		if (file)
			return file;
		if (entry->m.form == AEDB_BACKUP_FILES)
			return NULL;
	}
	return NULL;
}

/* Whether this very file is in one of them: *file says which then. */
static bool chain_has(const struct backup_run *run, struct backup_file *file)
{
	const struct backup_entry *entry;
	const struct backup_file *has = chain_find(run, file->path, &entry);

	if (!has || has->is_open)
		return false;
	/* of one that is no more, they have all there was */
	if (file->bytes && (file->bytes != has->bytes ||
			    memcmp(has->incarnation, file->incarnation,
				   FILE_INCARNATION_BYTES)))
		return false;
	*file = *has;
	if (!file->stored[0])
		strcpy(file->stored, entry->m.id);
	return true;
}

/* Everything that commits since the parent name is somewhere, and all named
 * snapshots can be said. */
static bool log_can_be_taken(const struct backup_run *run)
{
	const struct backup_files *log = &run->source.log;

	if (!run->parent || !run->source.has_log ||
	    run->source.state.n_snapshots > BACKUP_SNAPSHOTS_MAX)
		return false;
	for (size_t i = 0; i < log->n; i++) {
		struct backup_file file = log->at[i];

		if (!file.bytes && !chain_has(run, &file))
			return false;
	}
	return true;
}

/* Copying. */

static int size_of(struct vfs *vfs, const char *path, uint64_t *ret)
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_size(file, ret);
	vfs_file_close(file);
	return rc;
}

static int file_copy(struct backup_run *run, struct backup_file *file)
{
	struct vfs *from = run->db->vfs;
	bool is_linked = false;
	uint64_t size;
	int rc = size_of(from, file->path, &size);

	if (rc == 0 && !file->is_open && size == file->bytes)
		rc = vfs_link(from, file->path, run->to, file->path, &is_linked);
	if (rc < 0)
		return rc;
	if (is_linked)
		return vfs_digest(run->to, file->path, file->bytes, &run->watch,
				  file->sha256);
	run->has_copied |= file->kind == BACKUP_FILE_SEGMENT;
	return vfs_copy_file((struct vfs_end){ from, file->path },
			     (struct vfs_end){ run->to, file->path },
			     file->bytes, &run->watch, file->sha256);
}

/* A segment is durable before a manifest names it, and so is one that is linked. */
static bool is_durable(const struct backup_run *run,
		       const struct backup_file *file)
{
	return file->stored[0] ||
	       (file->kind == BACKUP_FILE_SEGMENT && !run->has_copied);
}

/* All that is here but the names in the topmost directory, which backup.json is to
 * stand in, too. It is done last: a file system's journal is then written once, and
 * not for each link. */
static int content_sync(struct backup_run *run)
{
	const struct backup_manifest *m = &run->manifest;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->n_files; i++)
		if (!is_durable(run, &m->files[i]))
			rc = vfs_sync_path(run->to, m->files[i].path);
	for (int i = 0; rc == 0 && i < DIRECTORIES; i++)
		rc = vfs_sync_dir(run->to, directories[i]);
	return rc;
}

/* Copies what the chain lacks; what it has the files form names. */
static int files_put(struct backup_run *run, const struct backup_files *files)
{
	struct backup_manifest *m = &run->manifest;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < files->n; i++) {
		struct backup_file file = files->at[i];

		if (!chain_has(run, &file))
			rc = file_copy(run, &file);
		else if (m->form == AEDB_BACKUP_LOG)
			continue;
		if (rc == 0)
			rc = backup_manifest_add_file(m, &file);
	}
	return rc;
}

static void files_count(struct backup_run *run, const struct backup_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		struct backup_file file = files->at[i];

		if (!chain_has(run, &file))
			run->transfer.all_bytes += file.bytes;
	}
}

static int own_file_add(struct backup_run *run, const char *path)
{
	struct backup_file file = { .bytes = 0 };
	int rc = backup_file_set_path(&file, path);

	if (rc == 0)
		rc = size_of(run->to, path, &file.bytes);
	if (rc == 0)
		rc = vfs_digest(run->to, path, file.bytes, &run->watch,
				file.sha256);
	return rc < 0 ? rc : backup_manifest_add_file(&run->manifest, &file);
}

/* The head as a database of its own. */
static int files_form(struct backup_run *run)
{
	const struct aedb_backup_key key = run_key(run);
	int rc = files_put(run, &run->source.files);

	if (rc == 0)
		rc = manifest_create_of(run->to, &run->source.state,
					(struct manifest_key){ key.bytes, key.n });
	if (rc == 0)
		rc = own_file_add(run, MANIFEST_FIRST);
	return rc < 0 ? rc : own_file_add(run, MANIFEST_CURRENT);
}

static int log_form(struct backup_run *run)
{
	const struct manifest_state *state = &run->source.state;
	const struct backup_files *log = &run->source.log;
	struct backup_manifest *m = &run->manifest;
	int rc = files_put(run, log);

	for (size_t i = 0; i < log->n; i++)
		if (log->at[i].kind == BACKUP_FILE_LOG) {
			if (!m->log_first)
				m->log_first = log->at[i].number;
			m->log_last = log->at[i].number;
		}
	for (size_t i = 0; rc == 0 && i < state->n_snapshots; i++)
		rc = backup_manifest_add_snapshot(m, &state->snapshots[i]);
	return rc;
}

/* What it will be. */
static void content_choose(struct backup_run *run)
{
	struct backup_manifest *m = &run->manifest;
	const struct manifest_state *state = &run->source.state;
	bool is_log = log_can_be_taken(run);

	m->form = is_log ? AEDB_BACKUP_LOG : AEDB_BACKUP_FILES;
	m->head_seq = run->source.cut.seq;
	m->head_time_us = state->numbers[MANIFEST_LAST_TIME_US];
	m->log_end = state->wal_end;
	files_count(run, is_log ? &run->source.log : &run->source.files);
}

/* A directory that is whole but for its backup.json. */
static int content_make(struct backup_run *run)
{
	bool is_log;
	int rc = 0;

	content_choose(run);
	is_log = run->manifest.form == AEDB_BACKUP_LOG;
	for (int i = 0; i < DIRECTORIES && rc == 0; i++)
		rc = run->to->ops->mkdir(run->to, directories[i]);
	if (rc == 0)
		rc = is_log ? log_form(run) : files_form(run);
	return rc < 0 ? rc : content_sync(run);
}

static int source_take(struct backup_run *run)
{
	struct backup_point since;

	if (!run->parent)
		return backup_source_open(run->db, NULL, &run->source);
	since.seq = run->parent->m.head_seq;
	since.end = run->parent->m.log_end;
	return backup_source_open(run->db, &since, &run->source);
}

static int partial_fill(struct backup_run *run, const char *partial)
{
	const struct aedb_backup_key key = run_key(run);
	int rc = vfs_under(run->directory, partial, &run->to);

	if (rc == 0)
		rc = content_make(run);
	if (rc < 0)
		return rc;
	run->manifest.finished_us = now_us();
	return backup_manifest_write(run->to, &run->manifest, &key);
}

/* Removes what there is of one that failed, and says why it did. */
static int partial_drop(struct backup_run *run, const char *partial, int rc)
{
	char reason[ERR_MESSAGE_BYTES];

	snprintf(reason, sizeof(reason), "%s", err_message());
	backup_tree_remove(run->directory, partial);
	return err_set(rc, "%s", reason);
}

/* From the files to the name. */
static int partial_make(struct backup_run *run)
{
	char partial[BACKUP_DIR_PATH_BYTES];
	int rc;

	backup_partial_path(run->manifest.name, partial);
	rc = run->directory->ops->mkdir(run->directory, partial);
	if (rc < 0)
		return rc;
	rc = partial_fill(run, partial);
	if (rc == 0)
		rc = vfs_rename(run->directory, partial, run->manifest.name);
	if (rc < 0)
		return partial_drop(run, partial, rc);
	return vfs_sync_dir(run->directory, ".");
}

static int run_make(struct backup_run *run)
{
	int rc = source_take(run);

	if (rc < 0)
		return rc;
	rc = parent_check(run);
	if (rc == 0 && run->options->is_dry_run)
		content_choose(run);
	else if (rc == 0)
		rc = partial_make(run);
	/* what is kept for the next one is not part of this one */
	if (rc == 0 && !run->options->is_dry_run)
		backup_keep_begin(run->db, &run->source.cut);
	backup_source_close(&run->source);
	return rc;
}

static int run_all(struct backup_run *run)
{
	const struct aedb_backup_key key = run_key(run);
	int rc = run->options->is_dry_run ? 0 : backup_dir_sweep(run->directory);

	if (rc == 0 && run->directory)
		rc = backup_set_load(run->directory, &key, &run->set);
	if (rc == 0)
		rc = manifest_begin(run);
	return rc < 0 ? rc : run_make(run);
}

static void info_give(const struct backup_run *run, struct aedb_backup_info *ret)
{
	struct backup_entry entry = { .state = AEDB_BACKUP_FINISHED,
				      .has_manifest = true,
				      .m = run->manifest };

	strcpy(entry.name, run->manifest.name);
	entry.m.is_signed = run->db->options.hmac_key;
	backup_entry_count(&entry);
	backup_info_fill(&entry, ret);
	if (run->options->is_dry_run) {
		ret->id[0] = '\0';
		ret->stored_bytes = run->transfer.all_bytes;
	}
}

int backup_run(struct aedb *db, struct vfs *directory,
	       const struct aedb_backup_options *options,
	       struct aedb_backup_info *ret_info)
{
	struct backup_run run = {
		.db = db,
		.directory = directory,
		.options = options,
		.transfer.phase = "copy",
	};
	struct vfs_file *lock = NULL;
	int rc = options->is_dry_run ? 0 : backup_dir_lock(directory, &lock);

	if (rc < 0)
		return rc;
	run.watch = (struct vfs_watch){ tell, &run };
	rc = run_all(&run);
	if (rc == 0 && ret_info)
		info_give(&run, ret_info);
	if (run.to)
		vfs_close(run.to);
	backup_manifest_release(&run.manifest);
	backup_set_release(&run.set);
	vfs_file_close(lock);
	return rc;
}

int aedb_backup(struct aedb *db, const char *directory,
		const struct aedb_backup_options *options,
		struct aedb_backup_info *ret_info)
{
	char path[BACKUP_PLACE_BYTES];
	struct vfs *vfs = NULL;
	int rc = backup_place_resolve(directory, path);

	if (rc == 0)
		rc = backup_place_check(path);
	if (rc == 0 && !options->is_dry_run)
		rc = vfs_posix_make(directory);
	if (rc == AEDB_EXISTS)
		rc = 0;
	if (rc == 0)
		rc = vfs_posix_open(directory, &vfs);
	if (rc == AEDB_NOT_FOUND && options->is_dry_run)
		rc = 0;
	if (rc < 0)
		return rc;
	rc = backup_run(db, vfs, options, ret_info);
	if (vfs)
		vfs_close(vfs);
	return rc;
}
