/*
 * backup.json: what a backup is and which files it consists of.
 *
 * A text of JSON in one exact form, so that what was signed can be written again
 * from what was read: there is no other text for the same manifest. It ends with
 * the SHA-256 of what stands before, and an HMAC-SHA256 of that if it is signed.
 *
 * Calling sequence: start from a zeroed one, backup_manifest_add_file and
 * backup_manifest_add_snapshot, backup_manifest_encode; or backup_manifest_decode;
 * backup_manifest_release.
 * Threads: no state of its own.
 * Errors: AEDB_CORRUPT, AEDB_NEWER_FORMAT, AEDB_ACCESS (signature), each naming
 * the backup; AEDB_NO_MEMORY, AEDB_TOO_LARGE.
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include "aedb_backup.h"
#include "file_header.h"
#include "manifest_state.h"

#define BACKUP_MANIFEST_FORMAT 1
#define BACKUP_MANIFEST_BYTES_MAX (64u << 20)
#define BACKUP_SNAPSHOTS_MAX (1u << 18)	/* of the log form */
#define BACKUP_NUMBER_MAX (UINT64_C(1) << 53)	/* of every number in it */
#define BACKUP_PATH_BYTES 32		/* of a file in a backup, with the zero */
#define BACKUP_ENGINE_BYTES 32
#define BACKUP_DIGEST_BYTES 32
#define BACKUP_DIGEST_TEXT_BYTES (2 * BACKUP_DIGEST_BYTES + 1)

enum backup_file_kind {
	BACKUP_FILE_SEGMENT,	/* seg/N.seg */
	BACKUP_FILE_VALUES,	/* val/N.val */
	BACKUP_FILE_LOG,	/* wal/N.wal */
	BACKUP_FILE_CURRENT,	/* CURRENT */
	BACKUP_FILE_MANIFEST,	/* MANIFEST-1 */
};

struct backup_file {
	char path[BACKUP_PATH_BYTES];
	enum backup_file_kind kind;	/* these two follow from the path */
	file_id_t number;		/* 0: CURRENT and MANIFEST-1 */
	uint64_t bytes;
	uint8_t sha256[BACKUP_DIGEST_BYTES];
	uint8_t incarnation[FILE_INCARNATION_BYTES];	/* 0 without number */
	bool is_open;		/* a value file that may have grown since */
	char stored[AEDB_BACKUP_ID_BYTES + 1];	/* backup that has it; "": this one */
};

struct backup_manifest {
	char id[AEDB_BACKUP_ID_BYTES + 1];
	char parent[AEDB_BACKUP_ID_BYTES + 1];	/* "": none */
	char name[MANIFEST_NAME_BYTES_MAX + 1];
	enum aedb_backup_kind kind;
	enum aedb_backup_form form;
	uint8_t db_uuid[FILE_UUID_BYTES];
	char engine[BACKUP_ENGINE_BYTES];	/* AEDB_VERSION of the maker */
	uint32_t database_format;		/* FILE_FORMAT_VERSION */
	uint64_t began_us, finished_us;
	seq_t from_seq, head_seq;	/* the parent's head (full: 0), and its own */
	uint64_t head_time_us;		/* of the newest commit; 0: there is none */
	file_id_t log_first, log_last;	/* log files; 0, both: it has none */
	struct wal_end log_end;		/* where the log was cut at this head */
	struct backup_file *files;	/* owned; by kind and number */
	size_t n_files, files_room;
	struct manifest_snapshot *snapshots;	/* owned; names ascend; of the log
						 * form only */
	size_t n_snapshots, snapshots_room;
	/* in what was decoded: */
	bool is_signed;
	char digest[BACKUP_DIGEST_TEXT_BYTES];	/* the SHA-256 that its text has */
};

/* A zeroed one is released already. */
void backup_manifest_release(struct backup_manifest *m);
/* They forget nothing else. */
void backup_manifest_drop_snapshots(struct backup_manifest *m);
void backup_manifest_drop_lists(struct backup_manifest *m);

/* Fills kind and number from the path; AEDB_CORRUPT: no file of a backup is called
 * that. */
int backup_file_set_path(struct backup_file *file, const char *path);
/* Copied, to its place; AEDB_CORRUPT if there is one of that path. */
int backup_manifest_add_file(struct backup_manifest *m,
			     const struct backup_file *file);
int backup_manifest_add_snapshot(struct backup_manifest *m,
				 const struct manifest_snapshot *snapshot);
/* The same behind all others; AEDB_CORRUPT if it does not belong there. */
int backup_manifest_append_file(struct backup_manifest *m,
				const struct backup_file *file);
int backup_manifest_append_snapshot(struct backup_manifest *m,
				    const struct manifest_snapshot *snapshot);
/* Gives back room for files that it does not have. */
void backup_manifest_fit(struct backup_manifest *m);
/* NULL: there is none. Borrowed until a file is added. */
const struct backup_file *backup_manifest_find(const struct backup_manifest *m,
					       const char *path);
/* Whether all of it fits together. */
int backup_manifest_check(const struct backup_manifest *m);
bool backup_id_is_valid(const char *id);

/* The text, signed if there is a key. *ret is owned (free). */
int backup_manifest_encode(const struct backup_manifest *m,
			   const struct aedb_backup_key *key, char **ret,
			   size_t *ret_bytes);
/* Believes nothing. With a key it must be signed with that one; without one (NULL,
 * or bytes NULL) a signature is not looked at. backup: for messages. Owned:
 * backup_manifest_release. */
int backup_manifest_decode(const char *text, size_t n, const char *backup,
			   const struct aedb_backup_key *key,
			   struct backup_manifest *ret);

#endif
