/*
 * libaedb: backups of a database, and databases made of them again.
 *
 * A backup is a directory NAME in a directory of backups, made while the database
 * is used. A full one is a database of its own; an incremental one has what came
 * since its parent, and is restored together with it, and its parent's parents,
 * up to a full one: its chain.
 *
 * Calling sequence: aedb_backup; aedb_backup_list, aedb_backup_verify,
 * aedb_backup_prune; aedb_restore. Options are zeroed for the defaults.
 * Threads: any; one process at a time changes a directory of backups, AEDB_BUSY
 * for the others, naming it.
 * Errors, ownership: as of aedb.h. AEDB_CANCELED: the watcher ended the call.
 */
#ifndef AEDB_BACKUP_H
#define AEDB_BACKUP_H

#include "aedb.h"
#include "aedb_transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What describes a backup, and makes a directory one that is whole. */
#define AEDB_BACKUP_MANIFEST "backup.json"
/* Behind a database's path: its directory of backups, if none is named. */
#define AEDB_BACKUP_SUFFIX ".backups"
/* How names begin, in an empty directory that is restored into, which do not
 * count: of backups that were unpacked for that. */
#define AEDB_RESTORE_UNPACKED ".unpacked-"
#define AEDB_BACKUP_ID_BYTES 32		/* hexadecimal digits */

/* Signs what is made and is required of what is read; the database's own
 * (hmac_key). bytes NULL: none; signatures are not looked at then. */
struct aedb_backup_key {
	const void *bytes;
	size_t n;		/* 16..64 */
};

/* Is called now and then on the calling thread; non-zero ends the call soon with
 * AEDB_CANCELED. progress NULL: nobody watches. */
struct aedb_backup_watch {
	int (*progress)(void *arg, const struct aedb_transfer *progress);
	void *arg;
};

enum aedb_backup_kind {
	AEDB_BACKUP_FULL,
	AEDB_BACKUP_INCREMENTAL,
};

enum aedb_backup_form {
	AEDB_BACKUP_FILES,	/* the files of its head: can be restored to that */
	AEDB_BACKUP_LOG,	/* the log since its parent's head: to every commit
				 * behind that, up to its own */
};

enum aedb_backup_state {
	AEDB_BACKUP_FINISHED,
	AEDB_BACKUP_UNFINISHED,	/* being made or removed, or left so by a crash */
	AEDB_BACKUP_BROKEN,	/* `reason` says why it cannot be restored */
};

/* What is known of a backup. Of one that is not finished only the name. */
struct aedb_backup_info {
	char name[AEDB_NAME_BYTES_MAX + 1];
	enum aedb_backup_state state;
	char id[AEDB_BACKUP_ID_BYTES + 1];
	char parent[AEDB_BACKUP_ID_BYTES + 1];	/* "": it has none */
	char database[37];	/* UUID */
	enum aedb_backup_kind kind;
	enum aedb_backup_form form;
	bool is_signed;
	int64_t began_ns, finished_ns;	/* since 1970 */
	aedb_seq_t from_seq;	/* its parent's head; of a full one 0 */
	aedb_seq_t head_seq;
	int64_t head_time_ns;	/* of the commit with that number */
	uint64_t files, bytes;	/* that it needs, those of its chain too; of the log
				 * form its own only */
	uint64_t stored_bytes;	/* in its own directory */
	char reason[256];	/* "": nothing is known against it; of a finished one
				 * the name it was made with, if it is another */
};

struct aedb_backup_options {
	enum aedb_backup_kind kind;
	const char *name;	/* as of a snapshot; NULL: the time, in UTC, with -2,
				 * -3, … behind it where that is taken */
	const char *parent;	/* name; NULL: the last one of this database */
	bool is_dry_run;	/* nothing is made but a checkpoint; the directory
				 * need not be there */
	struct aedb_backup_watch watch;
};

/* Backs up the state of the newest commit, or a later one, into `directory`, which
 * is made if it is missing (its own directory is not), and may not be or lie in a
 * database or a backup, nor lie in a directory of them. ret_info may be NULL.
 * AEDB_EXISTS, AEDB_NOT_FOUND (incremental: no parent), AEDB_BUSY, AEDB_INVALID,
 * AEDB_NAME_TOO_LONG, AEDB_CORRUPT, AEDB_NO_SPACE, AEDB_IO, AEDB_NO_MEMORY,
 * AEDB_CANCELED: nothing is left of it. Of a dry run ret_info says what would be
 * made, in stored_bytes without the few that describe the files; it has no id. */
int aedb_backup(struct aedb *db, const char *directory,
		const struct aedb_backup_options *options,
		struct aedb_backup_info *ret_info);

/* All backups of a directory, oldest first, those that are not finished last.
 * Only what describes them is read. Owned; aedb_backup_list_free. AEDB_NOT_FOUND,
 * AEDB_NOT_DIRECTORY, AEDB_ACCESS, AEDB_IO, AEDB_NO_MEMORY. */
int aedb_backup_list(const char *directory, const struct aedb_backup_key *key,
		     struct aedb_backup_info **ret, size_t *ret_n);
void aedb_backup_list_free(struct aedb_backup_info *infos);

struct aedb_backup_report {
	uint64_t backups;	/* looked at: the one, or a chain */
	uint64_t files, bytes;	/* read */
	uint64_t findings;
};

struct aedb_backup_verify_options {
	struct aedb_backup_key key;
	struct aedb_backup_watch watch;
	FILE *out;		/* a line for each finding, "backup: file: what" */
};

/* Whether a backup and those it needs, or all (name NULL), are whole: every file
 * there with its size and SHA-256, nothing else there, signatures, and that each
 * goes on where its parent ends. 0 when all could be looked at, whatever was found.
 * AEDB_NOT_FOUND, AEDB_ACCESS, AEDB_IO, AEDB_NO_MEMORY, AEDB_CANCELED. */
int aedb_backup_verify(const char *directory, const char *name,
		       const struct aedb_backup_verify_options *options,
		       struct aedb_backup_report *ret);

/* Removes a backup, which nobody may need: AEDB_NOT_EMPTY, naming one that does.
 * AEDB_NOT_FOUND, AEDB_BUSY, AEDB_IO, AEDB_ACCESS, AEDB_NO_MEMORY. */
int aedb_backup_remove(const char *directory, const char *name);

#define AEDB_KEEP_ALL UINT32_MAX

/*
 * Which backups stay. Of the backups of one database, from the newest on, `last`
 * keeps so many; hourly, daily, … the newest one of each hour, day, week (that
 * begins on Monday), month, year in which there is any, for so many of them, and
 * the oldest one of all if they are not used up; within those that are not older
 * than that, counted from the newest. Times are those at which backups began, in
 * UTC. What is kept needs its parents: they stay, too.
 */
struct aedb_keep {
	uint32_t last, hourly, daily, weekly, monthly, yearly;	/* 0: no such rule;
								 * AEDB_KEEP_ALL */
	struct {
		uint32_t years, months, days, hours;
	} within;		/* zeroed: no such rule */
};

enum aedb_keep_reason {
	AEDB_KEPT_LAST = 1,
	AEDB_KEPT_HOURLY = 2,
	AEDB_KEPT_DAILY = 4,
	AEDB_KEPT_WEEKLY = 8,
	AEDB_KEPT_MONTHLY = 16,
	AEDB_KEPT_YEARLY = 32,
	AEDB_KEPT_WITHIN = 64,
	AEDB_KEPT_FOR_CHILD = 128,	/* one that is kept needs it */
	AEDB_KEPT_BROKEN = 256,		/* no rule speaks of it */
};

/* What becomes of one backup. */
struct aedb_prune_item {
	struct aedb_backup_info info;
	unsigned reasons;	/* enum aedb_keep_reason, or'ed; 0: it goes */
};

struct aedb_prune_options {
	struct aedb_keep keep;
	bool is_dry_run;	/* nothing is removed */
	struct aedb_backup_key key;
	struct aedb_backup_watch watch;
};

/* Removes the backups that no rule keeps, and what is left of unfinished ones.
 * Each goes as a whole, children before parents, so that a crash leaves chains
 * whole. Damaged ones stay. The items, oldest first, are owned: aedb_prune_free.
 * AEDB_INVALID (no rule at all), AEDB_BUSY, AEDB_NOT_FOUND, AEDB_NO_MEMORY,
 * AEDB_CANCELED; AEDB_IO, AEDB_ACCESS, AEDB_NEWER_FORMAT, also when one backup
 * cannot be read and it is not known which others it needs. */
int aedb_backup_prune(const char *directory,
		      const struct aedb_prune_options *options,
		      struct aedb_prune_item **ret, size_t *ret_n);
void aedb_prune_free(struct aedb_prune_item *items);

enum aedb_restore_target {
	AEDB_RESTORE_HEAD,	/* all that the last backup has */
	AEDB_RESTORE_SEQ,
	AEDB_RESTORE_TIME,	/* the last commit not later than that */
};

struct aedb_restore_options {
	enum aedb_restore_target target;
	aedb_seq_t seq;
	int64_t time_ns;
	bool is_dry_run;	/* all is verified, and nothing made */
	struct aedb_backup_key key;
	struct aedb_backup_watch watch;
};

struct aedb_restore_info {
	aedb_seq_t seq;		/* of the restored state */
	int64_t time_ns;	/* of its newest commit */
	uint64_t bytes;		/* of the new database's files; of a dry run of
				 * those of backups that it would need, and seq and
				 * time are 0 unless they are a backup's own */
};

/* Makes the database `to`, which must not exist or be an empty directory (with
 * lost+found perhaps, or somebody's mount), of a backup (its path). What that needs
 * of the backup and its parents is verified before, and that nothing else lies in
 * them. Parents are looked for beside it, and among the other paths. ret may be
 * NULL. AEDB_RANGE: the target is not among what can be restored, which the message
 * names; AEDB_INVALID: `to` lies in a database, a backup or a directory of them;
 * AEDB_BUSY: it is being restored; AEDB_EXISTS, AEDB_NOT_EMPTY, AEDB_NOT_FOUND (a
 * backup, a parent), AEDB_CORRUPT, AEDB_ACCESS, AEDB_NEWER_FORMAT, AEDB_NO_SPACE,
 * AEDB_IO, AEDB_NO_MEMORY, AEDB_CANCELED: nothing of it is left. */
int aedb_restore(const char *const *backups, size_t n, const char *to,
		 const struct aedb_restore_options *options,
		 struct aedb_restore_info *ret);

#ifdef __cplusplus
}
#endif

#endif
