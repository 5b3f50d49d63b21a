/*
 * The parts of aedb backup: what its actions are given, pruning, and making one.
 *
 * Threads: one.
 */
#ifndef BACKUP_H
#define BACKUP_H

#include "aedb_backup.h"
#include "json.h"
#include "progress.h"

/* What the command line says. */
struct backup_work {
	char *directory;	/* of backups; owned */
	const char *database;	/* that has the argument's path */
	const char *to;		/* --to: in place of its directory of backups */
	const char *archive;	/* --archive: FILE or "-"; NULL: none */
	bool is_mount;		/* the argument's path is that of a mount */
	bool is_kept;		/* --keep: also what is archived */
	char **names;		/* behind it */
	int n_names;
	struct aedb_prune_options prune;
	bool has_prune_options;
	bool is_dry_run;
};

/* The key that was given, if any; borrowed for good. */
struct aedb_backup_key backup_key(void);
/* The same of that of archives alone. */
struct aedb_backup_key backup_archive_key(void);
/* A watcher that shows on a terminal how far the work is, and ends it when the
 * program is to end. */
struct aedb_backup_watch backup_watch(struct progress *progress);

/* Of "--keep-RULE", with what follows the "="; fails for no number or duration. */
int backup_parse_count(const char *option, const char *text, uint32_t *ret);
int backup_parse_within(const char *text, struct aedb_keep *keep);

/* failure_engine of the path, with the library's message also of what was not found. */
int backup_failure(int rc, const char *path);
const char *backup_kind(const struct aedb_backup_info *info);
const char *backup_form(const struct aedb_backup_info *info);
/* What is known of one, as list prints it. */
int backup_print(const struct aedb_backup_info *info);

/* Fails for a FILE in a database, a backup or a directory of them. What cannot be
 * looked at cannot be written, which is found then. */
int backup_check_archive(const char *path);
/* Writes the archive of the backup with that path to FILE or "-", and says so. */
int backup_pack(const char *backup, const char *path);

int backup_prune(const struct backup_work *work);
int backup_full(const struct backup_work *work);
int backup_incremental(const struct backup_work *work);
int backup_archive(const struct backup_work *work);

#endif
