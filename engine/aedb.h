/*
 * libaedb: an embedded, transactional, durable key-value database.
 *
 * Calling sequence:
 *	struct aedb_options o;
 *	aedb_options_init(&o);
 *	aedb_open("dir", &o, &db);
 *	aedb_scope_open(db, "project", "scope", &scope);
 *	aedb_put(scope, key, key_bytes, value, value_bytes);
 *	aedb_get(scope, NULL, key, key_bytes, &entry); … aedb_unpin(&entry);
 *	aedb_scope_close(scope);
 *	aedb_close(db);
 *
 * A database holds projects, a project holds scopes, a scope holds keys in byte
 * order; a key is any bytes, also none. Beside its keys every scope has a second
 * ordered key space for the records of directories (aedb_scope_dirs), which a
 * file tree on top uses.
 *
 * Ownership, in four words: what a function returns through `ret` is *owned* by
 * the caller and closed by the call named in its comment; *borrowed until X*
 * stays the library's; *copied* arguments may be reused at once; *pinned* bytes
 * stay as they are until unpinned.
 *
 * Threads: every function may be called from any thread. A transaction, a
 * scan, a stage or a reader is used by one thread at a time. An entry is
 * unpinned on the thread that pinned it.
 *
 * Errors: 0 or a negative enum aedb_error; nothing is written through `ret`
 * then. aedb_error_message() has the words for the calling thread's last one.
 */
#ifndef AEDB_H
#define AEDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AEDB_VERSION "0.1.0"

/* Counts operations: a commit of n operations takes n numbers, and its own is
 * that of the last. Below 2^52. */
typedef uint64_t aedb_seq_t;

/* Closed set; the values are negative errno numbers. */
enum aedb_error {
	AEDB_OK = 0,
	AEDB_NOT_FOUND = -2,		/* no message: a normal outcome */
	AEDB_IO = -5,			/* the system failed a read, write or sync */
	AEDB_NO_MEMORY = -12,
	AEDB_QUEUE_FULL = -11,		/* too many commits wait: again later; EAGAIN */
	AEDB_ACCESS = -13,		/* the system refused access */
	AEDB_BUSY = -16,		/* open elsewhere */
	AEDB_EXISTS = -17,
	AEDB_NOT_DIRECTORY = -20,
	AEDB_INVALID = -22,		/* bad argument, name or option */
	AEDB_TOO_LARGE = -27,		/* value or transaction over its limit */
	AEDB_NO_SPACE = -28,
	AEDB_READ_ONLY = -30,
	AEDB_ASSERTION = -33,		/* what a transaction asserted does not hold */
	AEDB_RANGE = -34,
	AEDB_NAME_TOO_LONG = -36,	/* name or key over its limit */
	AEDB_NOT_EMPTY = -39,
	AEDB_CORRUPT = -74,		/* damage found on disk; EBADMSG */
	AEDB_NEWER_FORMAT = -95,	/* written by a newer version; EOPNOTSUPP */
	AEDB_TIMED_OUT = -110,		/* not done in time, and never will be */
	AEDB_CONFLICT = -116,		/* something read changed since; ESTALE */
	AEDB_CANCELED = -125,		/* somebody had it end; ECANCELED */
	AEDB_UNKNOWN = -121,		/* a write or sync failed: whether the commit
					 * survives is not known; EREMOTEIO */
};

/* The calling thread's last message, one line without a full stop; borrowed
 * until its next call that fails. */
const char *aedb_error_message(void);
/* The code that the message was for; 0: there was none yet. */
int aedb_error_code(void);
/* Forgets the thread's last message, so that one found later is of a later call. */
void aedb_error_clear(void);
/* A few words for a code. Static. */
const char *aedb_strerror(int code);

/* Opening. */

enum aedb_durability {
	AEDB_FULL,	/* a commit is durable when it returns */
	AEDB_BATCH,	/* visible when it returns; a sync begins at least every
			 * sync_interval_ms */
	AEDB_OS,	/* visible when it returns; synced when asked */
};

enum aedb_open_mode {
	AEDB_OPEN_EXISTING,
	AEDB_OPEN_CREATE,	/* made if the directory is missing or empty */
	AEDB_OPEN_NEW,		/* AEDB_EXISTS if there is one */
	AEDB_OPEN_READ_ONLY,	/* writes nothing; other readers may have it open */
};

enum aedb_recovery {
	AEDB_STRICT,		/* refuses damage, naming file, position, reason */
	AEDB_PERMISSIVE,	/* recovers what it can and reports what it lost */
};

enum aedb_maintenance {
	AEDB_BACKGROUND,	/* threads write checkpoints and compact */
	AEDB_ON_CALL,		/* only aedb_checkpoint and aedb_compact do, and a
				 * commit that finds memory full */
};

struct aedb_options {
	enum aedb_open_mode mode;
	enum aedb_durability durability;
	enum aedb_recovery recovery;
	enum aedb_maintenance maintenance;
	uint32_t sync_interval_ms;	/* of AEDB_BATCH; 1..60,000 */
	uint32_t key_bytes_max;		/* 1..4,000 */
	uint64_t value_bytes_max;	/* 0: unlimited */
	uint64_t txn_bytes_max;		/* keys, small values and attributes of one
					 * transaction; 64 KiB..1 GiB */
	uint32_t txn_ops_max;		/* 1..16,000,000 */
	/* Commits that wait for others to be executed, and what they hold; more
	 * are AEDB_QUEUE_FULL. */
	uint32_t queue_commits_max;	/* 1..1,000,000 */
	uint64_t queue_bytes_max;	/* counted as for txn_bytes_max, and not less
					 * than that; 64 KiB..1 TiB */
	uint32_t commit_timeout_ms;	/* as aedb_txn_set_timeout, of those that set
					 * none; 0: none; ..3,600,000 */
	uint32_t batches_max;		/* open at a time; 1..1,000,000 */
	uint32_t inline_bytes_max;	/* larger values lie in value files once they
					 * left memory; 0..65,536 */
	uint64_t memory_bytes;		/* for everything; >= 16 KiB */
	uint64_t cache_bytes;		/* of these, for what was read from segments
					 * and value files; 0: a quarter. At most
					 * memory_bytes */
	/* A checkpoint is made when the log since the last one has so many bytes
	 * or operations, or when it is so old. */
	uint64_t checkpoint_log_bytes;	/* 64 KiB..1 TiB */
	uint32_t checkpoint_ops;	/* 1,000..1,000,000,000 */
	uint32_t checkpoint_interval_s;	/* 1..86,400 */
	/* The kept history: states not older than history_s can be gone back to,
	 * as long as what was superseded since has no more than history_bytes. 0,
	 * both of them: none is kept. */
	uint32_t history_s;
	uint64_t history_bytes;		/* 64 KiB..2^60 */
	uint64_t compaction_rate;	/* bytes a second that compaction in the
					 * background writes; 0: unlimited */
	uint64_t wal_file_bytes;	/* size of a log file; 64 KiB..1 GiB */
	uint64_t log_keep_bytes;	/* of the log before the last checkpoint, for
					 * aedb_feed_open; 0..1 TiB */
	uint64_t backup_log_bytes;	/* of the log since the last backup, and of
					 * value files that it names, which stay so
					 * that all commits get into the next one;
					 * 0..1 TiB */
	uint32_t once_keep_s;		/* aedb_txn_once knows of commits no older than
					 * this; 1..31,536,000 */
	const void *hmac_key;		/* signs the manifest; NULL: unsigned */
	size_t hmac_key_bytes;		/* 16..64; copied by aedb_open. 0 without */
	bool must_have_key;		/* AEDB_INVALID without hmac_key */
	bool is_secure;			/* projects, scopes, keys, transactions,
					 * batches and the feed are there for
					 * callers only: aedb_access.h. AEDB_ACCESS
					 * without one. Snapshots by name, backups,
					 * checkpoints and statistics are there for all
					 * of the process. Wants hmac_key */
};

/* Defaults: existing, full, strict, background, 10 ms, 1 KiB keys, unlimited
 * values, 64 MiB and 1,000,000 operations a transaction, 100,000 commits of
 * 1 GiB together waiting, no timeout, 1,000 batches, 1 KiB inline, 256 MiB
 * memory, a checkpoint at 64 MiB, 250,000 operations or 300 s,
 * no history, compaction at 64 MiB a second, 64 MiB log files, none of the log
 * kept, but 256 MiB of it once a backup was made, requests known for 300 s. */
void aedb_options_init(struct aedb_options *ret);

/* Values that go together, for a purpose. */
enum aedb_profile {
	AEDB_PROFILE_DEFAULT,		/* changes nothing */
	/* For data that nobody has twice: AEDB_FULL, so that what was answered is
	 * on the disk; AEDB_STRICT, so that damage is looked into and never
	 * stepped over; must_have_key, so that a manifest which somebody else
	 * wrote is noticed. Not is_secure, which wants callers. */
	AEDB_PROFILE_PRODUCTION,
	/* For data that can be made again: AEDB_OS, which waits for no disk, and
	 * AEDB_PERMISSIVE, which opens in spite of damage. */
	AEDB_PROFILE_DEVELOPMENT,
	/* AEDB_BATCH with a sync every 2 ms: commits return at once, and a power
	 * cut takes what the last milliseconds wrote. */
	AEDB_PROFILE_LOW_LATENCY,
};

/* Sets what the profile is about, and leaves all else as it is: values of one's
 * own are set after it. inline_bytes_max is in no profile: a value file for each
 * small value makes nothing safer, and every read of it slower. AEDB_INVALID:
 * there is none such. */
int aedb_options_profile(enum aedb_profile profile,
			 struct aedb_options *options);

struct aedb;

/* Opens the database in `directory` and recovers it: everything committed and
 * durable is there, and what is there is a prefix of the commit order. Owned;
 * aedb_close. AEDB_NOT_FOUND (no database there), AEDB_BUSY (naming the
 * holder), AEDB_CORRUPT, AEDB_NEWER_FORMAT, AEDB_INVALID (naming the option),
 * AEDB_EXISTS, AEDB_NOT_DIRECTORY, AEDB_NOT_EMPTY (other files are there),
 * AEDB_ACCESS (also: signed with another key), AEDB_IO, AEDB_NO_SPACE,
 * AEDB_NO_MEMORY. */
int aedb_open(const char *directory, const struct aedb_options *options,
	      struct aedb **ret);

/* Makes everything durable and closes. The caller has closed and unpinned all
 * it got from the database. Everything is released whatever it returns; an
 * error says that commits which were visible may not be durable. Takes NULL. */
int aedb_close(struct aedb *db);

/* What recovery lost or cut when the database was opened: lines of text,
 * borrowed until aedb_close; NULL for i >= their number. */
const char *aedb_recovery_finding(const struct aedb *db, size_t i);

/* Projects and scopes. */

/*
 * A place in the catalog: (project, scope) is a scope, (project, NULL) a
 * project, (NULL, NULL) the database itself, which always exists. Names are
 * 1-128 bytes of [A-Za-z0-9_-]; anything else is AEDB_INVALID, longer is
 * AEDB_NAME_TOO_LONG.
 */
#define AEDB_NAME_BYTES_MAX 128

struct aedb_place {
	const char *project;
	const char *scope;
};

struct aedb_scope;
struct aedb_snapshot;

/* A handle for the operations on keys. It follows the scope through renames;
 * once the scope is dropped its operations fail with AEDB_NOT_FOUND. Owned;
 * aedb_scope_close, before aedb_close. AEDB_NOT_FOUND. */
int aedb_scope_open(struct aedb *db, const char *project, const char *name,
		    struct aedb_scope **ret);
/* The scope that a snapshot shows under this name, however it is called now, and
 * if it was dropped since: then only what takes the snapshot finds it. Owned;
 * aedb_scope_close. AEDB_NOT_FOUND. */
int aedb_scope_open_at(struct aedb *db, const struct aedb_snapshot *snapshot,
		       const char *project, const char *name,
		       struct aedb_scope **ret);
void aedb_scope_close(struct aedb_scope *scope);
/* The same scope's second key space, for directory records: its keys are
 * directory paths without a slash at either end, "" is the scope itself.
 * Borrowed until aedb_scope_close; not to be closed. */
struct aedb_scope *aedb_scope_dirs(struct aedb_scope *scope);
/* The scope's object id, which survives renames. */
uint64_t aedb_scope_id(const struct aedb_scope *scope);

/* One commit each: make, remove, rename a project or scope. A project is
 * dropped only when it holds no scope (AEDB_NOT_EMPTY). AEDB_EXISTS,
 * AEDB_NOT_FOUND. */
enum aedb_drop {
	AEDB_DROP_EMPTY,	/* AEDB_NOT_EMPTY while the scope holds a key or a
				 * directory record other than its own */
	AEDB_DROP_ALL,		/* with all its keys, at the cost of one record */
};
int aedb_create(struct aedb *db, struct aedb_place place);
int aedb_drop(struct aedb *db, struct aedb_place place, enum aedb_drop how);
int aedb_rename(struct aedb *db, struct aedb_place from, struct aedb_place to);

/* Entries and reading. */

#define AEDB_VALUE_INLINE_MAX 65536	/* larger values live in value files */
#define AEDB_ATTR_BYTES_MAX 65535
#define AEDB_MTIME_NONE INT64_MIN

/* One version of a key. Pointers are pinned until aedb_unpin, or borrowed
 * until the next call on the scan that gave it. */
struct aedb_entry {
	const void *key;
	size_t key_bytes;
	const void *value;	/* NULL where the comment says "without value" and
				 * it does not lie with its key: when it is over
				 * inline_bytes_max, or AEDB_VALUE_INLINE_MAX */
	uint64_t value_bytes;
	const void *attr;	/* opaque to the engine; NULL when there is none */
	size_t attr_bytes;
	uint64_t id;		/* of the object: for ever, also through renames */
	aedb_seq_t version;	/* of the last operation on it */
	int64_t time_ns;	/* when that was committed, since 1970 */
	int64_t mtime_ns;	/* when the value was, or what was set instead */
	void *pin;		/* the library's */
};

struct aedb_snapshot;

/* A frozen view, O(1); holds the versions it shows. Owned; aedb_snapshot_close.
 * AEDB_NO_MEMORY. */
int aedb_snapshot_open(struct aedb *db, struct aedb_snapshot **ret);
/* The state as of a number: of the newest commit, of another open snapshot, or,
 * in the kept history, of any number, which is rounded down to a commit's.
 * AEDB_CONFLICT when that state is not kept (any more), AEDB_RANGE when it is
 * ahead of the newest commit; AEDB_CORRUPT, AEDB_IO. */
int aedb_snapshot_open_at(struct aedb *db, aedb_seq_t seq,
			  struct aedb_snapshot **ret);
/* The state of the last checkpoint, which is kept until the next one, and as
 * long as this is open; that it is kept costs nothing. AEDB_NOT_FOUND: there was
 * no checkpoint yet. */
int aedb_snapshot_open_checkpoint(struct aedb *db, struct aedb_snapshot **ret);
aedb_seq_t aedb_snapshot_seq(const struct aedb_snapshot *snapshot);
/* When a named one was made; AEDB_MTIME_NONE of others. */
int64_t aedb_snapshot_time_ns(const struct aedb_snapshot *snapshot);
void aedb_snapshot_close(struct aedb_snapshot *snapshot);

/* The newest version (snapshot NULL) or the one a snapshot shows, with its
 * value, however large, in memory. Pinned: aedb_unpin soon, for memory freed
 * by others waits for the oldest pin. AEDB_NOT_FOUND, AEDB_CORRUPT, AEDB_IO,
 * AEDB_NO_MEMORY. */
int aedb_get(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	     const void *key, size_t key_bytes, struct aedb_entry *ret);
/* The same without value: no disk is touched. */
int aedb_stat(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	      const void *key, size_t key_bytes, struct aedb_entry *ret);
void aedb_unpin(struct aedb_entry *entry);

/* The catalog's entry of a place, without value: its id, times and
 * attributes. Pinned. AEDB_NOT_FOUND. */
int aedb_place_stat(struct aedb *db, const struct aedb_snapshot *snapshot,
		    struct aedb_place place, struct aedb_entry *ret);
/* The first project (project NULL) or scope of a project whose name is above
 * `after` ("" for the first); its name is the entry's key. Pinned.
 * AEDB_NOT_FOUND at the end, or when there is no such project. */
int aedb_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret);

enum aedb_direction {
	AEDB_FORWARD,
	AEDB_BACKWARD,
};

/* Which keys a scan visits. All parts may be left zero: then every key. */
struct aedb_range {
	const void *prefix;	/* only keys that begin with this, */
	size_t prefix_bytes;
	const void *from;	/* at or above this, */
	size_t from_bytes;
	const void *to;		/* below this; NULL: no bound */
	size_t to_bytes;
	enum aedb_direction direction;
};

struct aedb_scan;

/* Walks the keys of a range in byte order, as of the snapshot, or as of now
 * (NULL) for all its life. The range is copied; scope and snapshot stay open
 * until the scan is closed. An entry that was given holds memory that others
 * free, as a pin does. Owned; aedb_scan_close. AEDB_NO_MEMORY, AEDB_NOT_FOUND
 * (scope dropped). */
int aedb_scan_open(struct aedb_scope *scope,
		   const struct aedb_snapshot *snapshot,
		   const struct aedb_range *range, struct aedb_scan **ret);
/* The next entry, without value; borrowed until the next call on the scan.
 * AEDB_NOT_FOUND at the end. AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY, which stay
 * the scan's outcome then. */
int aedb_scan_next(struct aedb_scan *scan, struct aedb_entry *ret);
/* Goes past every key that begins with this prefix, in the scan's direction,
 * in one seek, wherever the scan stands: it never goes back. */
int aedb_scan_skip(struct aedb_scan *scan, const void *prefix,
		   size_t prefix_bytes);
void aedb_scan_close(struct aedb_scan *scan);

/* Values read and written in parts. */

struct aedb_reader;

/* Pins one version of a key for reading in parts. Owned; aedb_reader_close. */
int aedb_reader_open(struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot, const void *key,
		     size_t key_bytes, struct aedb_reader **ret);
/* id, version, times, size and attributes of that version (key and value are
 * NULL). Borrowed until aedb_reader_close. */
const struct aedb_entry *aedb_reader_entry(const struct aedb_reader *reader);
/* Reads up to n bytes; *ret is fewer only at the value's end. */
int aedb_reader_read(struct aedb_reader *reader, void *buf, size_t n,
		     uint64_t offset, size_t *ret);
/* Whether reading that touches no disk. */
bool aedb_reader_has(const struct aedb_reader *reader, size_t n,
		     uint64_t offset);
/* The first offset at or above this one that holds data, or that is in a hole
 * or at the end. Holes are what is not stored; a value of at most
 * AEDB_VALUE_INLINE_MAX bytes has none. AEDB_NOT_FOUND: the offset is at or past
 * the end, or only a hole follows. */
enum aedb_extent {
	AEDB_EXTENT_DATA,
	AEDB_EXTENT_HOLE,
};
int aedb_reader_seek(struct aedb_reader *reader, enum aedb_extent what,
		     uint64_t offset, uint64_t *ret);
/* Bytes the value occupies: holes do not count. */
uint64_t aedb_reader_allocated_bytes(const struct aedb_reader *reader);
void aedb_reader_close(struct aedb_reader *reader);

struct aedb_stage;

/* A value being written: own bytes over a base, seen by nobody until a
 * transaction puts it. Uses a bounded amount of memory whatever its size.
 * base NULL: empty. The base is not needed afterwards. Owned; aedb_stage_close
 * drops what was not committed. */
int aedb_stage_open(struct aedb *db, const struct aedb_reader *base,
		    struct aedb_stage **ret);
void aedb_stage_close(struct aedb_stage *stage);
/* Writes all n bytes, growing the value; a gap reads as zeros and is stored as
 * a hole. AEDB_TOO_LARGE, AEDB_NO_SPACE, AEDB_IO. */
int aedb_stage_write(struct aedb_stage *stage, const void *buf, size_t n,
		     uint64_t offset);
int aedb_stage_read(struct aedb_stage *stage, void *buf, size_t n,
		    uint64_t offset, size_t *ret);
int aedb_stage_truncate(struct aedb_stage *stage, uint64_t bytes);
/* As aedb_reader_seek; what was written is data, zeros too. */
int aedb_stage_seek(struct aedb_stage *stage, enum aedb_extent what,
		    uint64_t offset, uint64_t *ret);
/* Zeros what the value has of this range; large parts of it become holes. */
int aedb_stage_zero(struct aedb_stage *stage, uint64_t offset, uint64_t n);
uint64_t aedb_stage_bytes(const struct aedb_stage *stage);
uint64_t aedb_stage_allocated_bytes(const struct aedb_stage *stage);
/* True when something was written or truncated that no commit holds yet. */
bool aedb_stage_is_dirty(const struct aedb_stage *stage);
/* A point between writes: what is written from now on is "since" it. */
uint64_t aedb_stage_mark(struct aedb_stage *stage);
/* Puts another base (NULL: an empty one) beneath the bytes staged since the
 * mark and not yet committed, and drops those staged before it; mark 0 keeps
 * all. The size: if the value was truncated since the mark it stays as it is;
 * else it is the new base's, or where the last kept byte ends. On failure the
 * stage stays over the old base. */
int aedb_stage_rebase(struct aedb_stage *stage, const struct aedb_reader *base,
		      uint64_t mark);
/* Makes what the stage holds a version that no key has, and the stage goes on
 * over it with nothing staged. The reader's entry has a size and nothing else.
 * No commit can name such a value: aedb_txn_put refuses this stage and every one
 * over that reader (AEDB_INVALID) from now on. Owned; aedb_reader_close.
 * AEDB_NO_SPACE, AEDB_IO, AEDB_NO_MEMORY: all is staged as before. */
int aedb_stage_seal(struct aedb_stage *stage, struct aedb_reader **ret);

/* Transactions. */

/*
 * Collects operations over any scopes, and what was read to decide on them,
 * and commits all or nothing. It holds no lock and does not read its own
 * writes. On success aedb_txn_commit ends it; when it fails the transaction is
 * still there, to look at, and aedb_txn_abort ends it.
 */
struct aedb_txn;

int aedb_txn_begin(struct aedb *db, struct aedb_txn **ret);
void aedb_txn_abort(struct aedb_txn *txn);

/* What a put stores. Zero what is not needed. */
struct aedb_put {
	const void *key;
	size_t key_bytes;
	const void *value;
	size_t value_bytes;
	struct aedb_stage *stage;	/* instead of value: sealed by the call */
	const void *attr;	/* NULL: keeps what the key has; with attr_bytes 0
				 * and a pointer: none */
	size_t attr_bytes;
	const int64_t *mtime_ns;	/* NULL: the commit's time */
	uint64_t id;		/* of aedb_reserve_id, or one of the caller's own
				 * with bit 51 set, for a key that is new; 0: given
				 * at commit. An existing object keeps its own */
	bool must_be_new;	/* AEDB_EXISTS if the key is there at commit */
};

/* All arguments are copied; a stage and the scopes stay open until the
 * transaction ends. AEDB_TOO_LARGE (naming the limit), AEDB_NAME_TOO_LONG,
 * AEDB_INVALID, AEDB_NO_MEMORY. */
int aedb_txn_put(struct aedb_txn *txn, struct aedb_scope *scope,
		 const struct aedb_put *put);
/* AEDB_NOT_FOUND at commit if the key is not there. */
int aedb_txn_delete(struct aedb_txn *txn, struct aedb_scope *scope,
		    const void *key, size_t key_bytes);
/* Sets attributes and mtime (as in aedb_put; mtime_ns NULL keeps the present
 * one) without touching the value. AEDB_NOT_FOUND at commit. */
int aedb_txn_set_attr(struct aedb_txn *txn, struct aedb_scope *scope,
		      const struct aedb_put *put);
/* Gives a key another name, in another scope too, replacing what is there; id,
 * attributes and mtime stay, no large value is copied. AEDB_NOT_FOUND at
 * commit. The two scopes must be of the same kind. */
int aedb_txn_move(struct aedb_txn *txn, struct aedb_scope *from,
		  const void *from_key, size_t from_bytes,
		  struct aedb_scope *to, const void *to_key, size_t to_bytes);
/* Exchanges the two keys' objects; both must be there. */
int aedb_txn_exchange(struct aedb_txn *txn, struct aedb_scope *a,
		      const void *a_key, size_t a_bytes, struct aedb_scope *b,
		      const void *b_key, size_t b_bytes);
/* Raises a directory record's times to the commit's; nothing if it is not
 * there. In no read set. */
int aedb_txn_touch(struct aedb_txn *txn, struct aedb_scope *dirs,
		   const void *key, size_t key_bytes);

/* Catalog operations as part of a transaction. attr as in aedb_put. Through
 * ret_scope (may be NULL; owned, aedb_scope_close) a scope made here can be
 * written in the same transaction. */
int aedb_txn_create(struct aedb_txn *txn, struct aedb_place place,
		    const void *attr, size_t attr_bytes,
		    struct aedb_scope **ret_scope);
int aedb_txn_drop(struct aedb_txn *txn, struct aedb_place place,
		  enum aedb_drop how);
int aedb_txn_rename(struct aedb_txn *txn, struct aedb_place from,
		    struct aedb_place to);
int aedb_txn_place_attr(struct aedb_txn *txn, struct aedb_place place,
			const void *attr, size_t attr_bytes,
			const int64_t *mtime_ns);
int aedb_txn_place_touch(struct aedb_txn *txn, struct aedb_place place);

/* The time that a commit made now would have, and the wish to have it: a commit
 * gets it if no other came between and it is less than 10 ms from now. */
int64_t aedb_next_time_ns(struct aedb *db);
void aedb_txn_set_time(struct aedb_txn *txn, int64_t time_ns);

/* The read set: the commit fails with AEDB_CONFLICT if one of these was
 * written (made, changed, deleted) by a commit above the base. The base is the
 * number a snapshot showed, or aedb_visible_seq before reading; without a call
 * it is that of aedb_txn_begin. */
void aedb_txn_set_base(struct aedb_txn *txn, aedb_seq_t seq);
int aedb_txn_read_point(struct aedb_txn *txn, struct aedb_scope *scope,
			const void *key, size_t key_bytes);
int aedb_txn_read_range(struct aedb_txn *txn, struct aedb_scope *scope,
			const struct aedb_range *range);

/*
 * When this transaction's commit returns, in place of the database's durability;
 * without meaning in a batch. Before the commit. In every database:
 *
 *	AEDB_FULL	when it is durable. Who waits at the same time is served
 *			by the same sync.
 *	AEDB_BATCH	when it is visible; a sync begins within sync_interval_ms.
 *	AEDB_OS		when it is visible.
 *
 * A database opened with AEDB_FULL keeps to what it is: all commits become visible
 * in their order, those of AEDB_FULL durable first, so the others wait for the
 * syncs of such that came before them or are in the same group, and for no other.
 * Whatever is asked, a commit is handed to the system before it returns, so that
 * killing the process loses none, and recovery finds a prefix of the commits: it
 * never has one without all before it. AEDB_INVALID: there is none such.
 */
int aedb_txn_set_durability(struct aedb_txn *txn,
			    enum aedb_durability durability);

/* How long the commit may wait to be executed: for memory, and for commits before
 * it; from the call of aedb_txn_commit on, 0: for ever; without meaning in a batch.
 * When that is over it is AEDB_TIMED_OUT, and certain never to be executed. Once it
 * is being executed the call returns what came of it, however long a write or sync
 * takes; it is never unknown whether a commit that timed out was done. */
void aedb_txn_set_timeout(struct aedb_txn *txn, uint64_t timeout_ns);

/* Commits with the transaction's durability, the database's if it was not set.
 * AEDB_CONFLICT, AEDB_EXISTS, AEDB_NOT_FOUND, AEDB_NOT_EMPTY, AEDB_NO_SPACE,
 * AEDB_READ_ONLY, AEDB_QUEUE_FULL, AEDB_TIMED_OUT: nothing was done, and the
 * transaction can be committed again. AEDB_UNKNOWN: writing stopped; the commit is
 * not visible, unless AEDB_FULL was asked of a database that is not, and whether
 * recovery will find it is not known. An empty transaction succeeds and takes
 * no number. ret_seq may be NULL. */
int aedb_txn_commit(struct aedb_txn *txn, aedb_seq_t *ret_seq);

struct aedb_conflict {
	uint64_t scope_id;
	const void *key;	/* borrowed until aedb_txn_abort */
	size_t key_bytes;
	aedb_seq_t seq;		/* of the operation that came in between; 0: not
				 * known, deletions so old are forgotten */
};
/* After AEDB_CONFLICT: the i-th conflict; AEDB_NOT_FOUND past the last. A range
 * is reported by its lower bound. */
int aedb_txn_conflict(const struct aedb_txn *txn, size_t i,
		      struct aedb_conflict *ret);

/* Batches. */

/*
 * A private branch of the database: it begins on the newest state, shows its own
 * changes over that, and is seen by nobody else until it is committed, at once
 * or not at all. It may live long: it holds no lock and stops nobody, but keeps
 * the versions of its base. First committer wins: what is committed is the net
 * difference to the base, and if something in that was changed by others since,
 * nothing is.
 *
 *	aedb_batch_begin(db, &batch);
 *	view = aedb_batch_view(batch);
 *	aedb_scope_open_at(db, view, "project", "scope", &scope);
 *	aedb_txn_begin_in(batch, &txn); aedb_txn_put(txn, …);
 *	aedb_txn_commit(txn, NULL);		-- shown by the view now
 *	aedb_get(scope, view, …); aedb_scan_open(scope, view, …);
 *	aedb_batch_commit(batch, &seq);		-- shown to all now
 *
 * A scope opened in the view is good for both, and, if the batch made it, for
 * everybody once it is committed; till then others do not find it. If others
 * made it, too, theirs is the one that is there then, and is to be opened.
 *
 * The batch, its transactions, its view and what was opened with that are used by
 * one thread at a time; readers and pinned entries by any. Scans of the view are
 * closed before the batch ends.
 *
 * In the view an entry's version is a number that only this batch knows, above
 * its base; ids are those that the objects will have. Times of what was changed
 * in it are those of its own transactions; once committed they are the commit's,
 * but for an mtime that was set.
 */
struct aedb_batch;

/* Owned; ended by aedb_batch_abort, or by aedb_batch_commit when that succeeds.
 * AEDB_NO_SPACE (batches_max are open), AEDB_READ_ONLY, AEDB_NO_MEMORY. */
int aedb_batch_begin(struct aedb *db, struct aedb_batch **ret);
/* Discards it. Takes NULL. */
void aedb_batch_abort(struct aedb_batch *batch);
/* Its base and, over that, what its transactions committed: for every function
 * that takes a snapshot. Borrowed until the batch ends; not to be closed. */
const struct aedb_snapshot *aedb_batch_view(const struct aedb_batch *batch);
/* A transaction whose commit goes into the batch: shown by the view as soon as it
 * returns, in no log. All that a transaction can do works; its base and the
 * numbers it gets are the view's (aedb_snapshot_seq). It ends before the batch.
 * Beside the errors of aedb_txn_commit: AEDB_TOO_LARGE (the batch would pass
 * txn_bytes_max or txn_ops_max, named), AEDB_NO_SPACE (also: all batches together
 * have as much in memory as they may). */
int aedb_txn_begin_in(struct aedb_batch *batch, struct aedb_txn **ret);

/* What else must be as in the base at commit. The scope is of the view, the key or
 * range copied; what the batch itself does there does not count. AEDB_NOT_FOUND
 * (no such scope in the view), AEDB_NAME_TOO_LONG, AEDB_NO_MEMORY. */

/* Nobody made, changed or deleted the key. */
int aedb_batch_expect_same(struct aedb_batch *batch, struct aedb_scope *scope,
			   const void *key, size_t key_bytes);
/* The key of the base is still there with its id; attributes, value and times
 * do not count. It was not there: it still is not. */
int aedb_batch_expect_object(struct aedb_batch *batch, struct aedb_scope *scope,
			     const void *key, size_t key_bytes);
/* No key of the range was made, changed or deleted. */
int aedb_batch_expect_range(struct aedb_batch *batch, struct aedb_scope *scope,
			    const struct aedb_range *range);
/* What comes of a directory record, project or scope that a batch changes and
 * others changed, too, by who knows what attributes mean. */
enum aedb_settled_as {
	AEDB_SETTLED_OWN,	/* what the batch does with it stays */
	AEDB_SETTLED_MERGED,	/* the batch gives it attr */
	AEDB_SETTLED_NONE,	/* the batch leaves its attributes alone */
};
struct aedb_settled {
	uint64_t id;		/* in the base, or, of what both made, in the
				 * batch; each once */
	aedb_seq_t version;	/* others' newest: up to this nothing conflicts, if
				 * it is the same object still; of AEDB_SETTLED_NONE
				 * others may have removed it, too, and it is 0 */
	enum aedb_settled_as as;
	const void *attr;
	size_t attr_bytes;
};
/* For the checks and commits to come. Copied. AEDB_NO_MEMORY. */
int aedb_batch_settle(struct aedb_batch *batch,
		      const struct aedb_settled *settled);

/* What others made since the base under the name of a project or scope that the
 * batch made, which has this id: commit makes them one, the others'.
 * AEDB_NOT_FOUND: nothing, or no such. */
int aedb_batch_twin(struct aedb_batch *batch, uint64_t id, uint64_t *ret);
/* The other scope. Owned; aedb_scope_close. AEDB_NOT_FOUND. */
int aedb_batch_open_twin(struct aedb_batch *batch,
			 const struct aedb_scope *scope,
			 struct aedb_scope **ret);

/* Forgets all that was expected or settled. */
void aedb_batch_expect_nothing(struct aedb_batch *batch);

/*
 * Commits the net difference to the base with the database's durability, as one
 * commit, and ends the batch; *ret_seq may be NULL. What was made and removed
 * again, or put back as it was, is not in it. A directory record made on both
 * sides is one, and so is a project or scope with the same attributes, which keeps
 * the id that the others' has; times of them conflict with nothing.
 *
 * When it fails the batch is as it was and still open. AEDB_CONFLICT: see
 * aedb_batch_conflict; the base does not move. AEDB_TOO_LARGE (naming the
 * limit), AEDB_NO_SPACE, AEDB_NO_MEMORY, AEDB_IO, AEDB_CORRUPT: nothing was
 * done. AEDB_UNKNOWN: as for aedb_txn_commit.
 */
int aedb_batch_commit(struct aedb_batch *batch, aedb_seq_t *ret_seq);
/* What aedb_batch_commit would say now, without doing anything; AEDB_ACCESS of the
 * batch's caller, too. */
int aedb_batch_check(struct aedb_batch *batch);

enum aedb_change_kind {
	AEDB_ADDED = '+',
	AEDB_REMOVED = '-',
	AEDB_CHANGED = '~',
	AEDB_TOUCHED = '.',	/* only times; aedb_batch_diff_with_times */
};

enum aedb_change_of {
	AEDB_OF_PLACE,		/* a project or scope */
	AEDB_OF_KEY,
	AEDB_OF_DIRECTORY,	/* a record of aedb_scope_dirs */
	AEDB_OF_TABLE,		/* of a table (aedb_table.h) its name or columns and
				 * indexes, */
	AEDB_OF_ROW,		/* and one of its rows */
};

/* Something a batch changed, or what it changed and others did, too. */
struct aedb_change {
	enum aedb_change_kind kind;	/* in a conflict: what the batch does */
	enum aedb_change_of of;
	bool is_range;		/* all keys that begin with this one, or from it
				 * on: of an expectation, or of a dropped scope */
	bool has_new_value;	/* AEDB_CHANGED in a diff: another object or
				 * value, not attributes alone */
	/* Its names in the view; of what is not there any more, in the base. */
	struct aedb_place place;
	const char *table;	/* in that place; NULL: of none */
	const void *key;	/* NULL: of a place or a table's name; of a row as it
				 * is stored */
	size_t key_bytes;
	uint64_t id;		/* in the view, or else in the base; 0: neither */
	uint64_t base_id;	/* of a diff: in the base; 0: it was not there */
	aedb_seq_t seq;		/* of the conflicting operation, else 0 */
};

/* After AEDB_CONFLICT of commit or check: the i-th thing that somebody else
 * changed, at most 10,000 of them; AEDB_NOT_FOUND past the last. Borrowed until
 * the next call on the batch. */
int aedb_batch_conflict(struct aedb_batch *batch, size_t i,
			struct aedb_change *ret);

struct aedb_batch_diff;

/* The net difference to the base: places by name, then keys by scope and key. A
 * dropped scope is one change, whatever it held; a renamed one is two. Of what is
 * committed into the batch while it is open, only what comes some way behind the
 * change given last can be in it. After the batch has ended nothing but aedb_batch_diff_close may
 * be called. Owned; aedb_batch_diff_close. */
int aedb_batch_diff_open(struct aedb_batch *batch, struct aedb_batch_diff **ret);
/* From the beginning: lists directory records and places too of which the commit
 * changes times alone. */
void aedb_batch_diff_with_times(struct aedb_batch_diff *diff);
/* From the beginning: of a key or record that the batch made, with an id given by
 * the database, it is not asked whether it replaces another, which costs more than
 * all else: AEDB_ADDED, base_id 0. */
void aedb_batch_diff_without_replaced(struct aedb_batch_diff *diff);
/* Borrowed until the next call. AEDB_NOT_FOUND at the end. */
int aedb_batch_diff_next(struct aedb_batch_diff *diff, struct aedb_change *ret);
void aedb_batch_diff_close(struct aedb_batch_diff *diff);

struct aedb_batch_info {
	uint64_t changes;	/* keys, directory records and places touched; at
				 * most what a commit counts against txn_ops_max */
	uint64_t bytes;		/* likewise, against txn_bytes_max */
	uint64_t memory_bytes;	/* allocated */
	uint64_t value_bytes;	/* written to value files for it */
	int64_t begun_ns;	/* when it was begun, since 1970 */
	aedb_seq_t base_seq;
};
void aedb_batch_info(const struct aedb_batch *batch, struct aedb_batch_info *ret);

/* One operation, one commit. */
int aedb_put(struct aedb_scope *scope, const void *key, size_t key_bytes,
	     const void *value, size_t value_bytes);
int aedb_delete(struct aedb_scope *scope, const void *key, size_t key_bytes);
int aedb_move(struct aedb_scope *from, const void *from_key, size_t from_bytes,
	      struct aedb_scope *to, const void *to_key, size_t to_bytes);

/* Numbers and durability. */

/* An object id for a later put; never given to anything else while the
 * database is open, and after that only if it was not committed. */
uint64_t aedb_reserve_id(struct aedb *db);
/* Number of the newest visible commit, and of the newest durable one. */
aedb_seq_t aedb_visible_seq(const struct aedb *db);
aedb_seq_t aedb_durable_seq(const struct aedb *db);
/* Returns when every commit up to seq is on the disk, starting a sync if
 * needed. AEDB_IO: writing or syncing failed, commits that were visible may be
 * lost at a power cut. AEDB_RANGE: seq is ahead of the newest commit. */
int aedb_wait_durable(struct aedb *db, aedb_seq_t seq);

/* Checkpoints, compaction. Both return after the disk has it; commits and reads go
 * on meanwhile. AEDB_IO, AEDB_NO_SPACE, AEDB_NO_MEMORY, AEDB_CORRUPT (naming file
 * and position), AEDB_READ_ONLY. */

/* Everything committed before the call is in segments, and opening needs no log
 * before it; *ret_seq (may be NULL) is the newest such commit. */
int aedb_checkpoint(struct aedb *db, aedb_seq_t *ret_seq);
/* A checkpoint; then all segments become one sorted run, and what nobody can
 * read any more is gone from the disk. Its progress is in aedb_stats.
 * AEDB_NO_SPACE: there was room for a part of that only. */
int aedb_compact(struct aedb *db);
/* Has the aedb_compact that runs on another thread end soon, with AEDB_CANCELED;
 * what it has done so far stays. AEDB_NOT_FOUND: none runs. */
int aedb_compact_cancel(struct aedb *db);
/* The same of all that run, that wait for another one, and that are begun until the
 * database is opened again. */
void aedb_compact_end(struct aedb *db);

/* Named snapshots, kept until they are deleted, over restarts too. Names are 1 to
 * 128 bytes of [A-Za-z0-9_.-], not beginning with a dot: AEDB_INVALID,
 * AEDB_NAME_TOO_LONG, AEDB_EXISTS, AEDB_NOT_FOUND. */

/* Of the newest state, which is made durable; *ret_seq may be NULL. */
int aedb_snapshot_create(struct aedb *db, const char *name,
			 aedb_seq_t *ret_seq);
int aedb_snapshot_delete(struct aedb *db, const char *name);
int aedb_snapshot_rename(struct aedb *db, const char *from, const char *to);
/* Opens one for reading; it may be deleted meanwhile. Owned;
 * aedb_snapshot_close. */
int aedb_snapshot_open_named(struct aedb *db, const char *name,
			     struct aedb_snapshot **ret);

struct aedb_snapshot_info {
	char name[AEDB_NAME_BYTES_MAX + 1];
	aedb_seq_t seq;
	int64_t time_ns;	/* when it was made, since 1970 */
};
/* The first whose name is above `after` ("" for the first); AEDB_NOT_FOUND at
 * the end. */
int aedb_snapshot_next(struct aedb *db, const char *after,
		       struct aedb_snapshot_info *ret);

#define AEDB_LEVELS 7

struct aedb_stats {
	uint64_t commits, conflicts, commit_errors;
	uint64_t commit_groups;		/* commits / groups is the group size */
	/* Syncs for commits that wait: begun when all who were likely to come had,
	 * or without some of them. */
	uint64_t group_syncs_complete, group_syncs_late;
	uint64_t queue_refusals, timeouts;	/* AEDB_QUEUE_FULL, AEDB_TIMED_OUT */
	uint64_t queue_commits, queue_bytes;	/* waiting for others now */
	uint64_t wal_bytes, wal_writes, wal_syncs;
	uint64_t wal_write_ns;		/* total, from one write in sixteen */
	uint64_t wal_sync_ns;		/* total */
	uint64_t memory_bytes;		/* allocated, for everything */
	uint64_t memtable_bytes;	/* of these, entries and their indexes, */
	uint64_t cache_bytes;		/* what was read and is kept, */
	uint64_t staged_bytes;		/* values being written, */
	uint64_t batch_bytes;		/* what open batches changed */
	uint64_t cache_capacity_bytes, cache_hits, cache_misses;
	uint64_t wal_disk_bytes, segment_bytes;	/* files on disk */
	uint64_t segment_live_bytes;	/* of these, without versions that a newer
					 * one is known to hide; at most, about */
	uint64_t value_bytes;
	uint64_t value_live_bytes;	/* of these, what segments refer to */
	uint64_t segments;
	uint64_t level_segments[AEDB_LEVELS], level_bytes[AEDB_LEVELS];
	uint64_t user_bytes;		/* keys, values, attributes committed */
	uint64_t flush_bytes;		/* written by checkpoints */
	uint64_t compaction_read_bytes, compaction_write_bytes;
	uint64_t relocated_bytes;	/* of those written, values moved */
	uint64_t checkpoints;
	aedb_seq_t checkpoint_seq;
	uint64_t compaction_done_bytes;	/* of a running aedb_compact, of */
	uint64_t compaction_total_bytes;	/* so many; 0: none runs */
	uint64_t keys;			/* of all scopes, visible state */
	uint64_t snapshots;
	aedb_seq_t history_seq;		/* the kept history begins there; 0: none */
	uint64_t history_bytes;		/* superseded since, about */
	uint64_t batches;		/* open */
	aedb_seq_t visible_seq, durable_seq;
};
void aedb_stats(const struct aedb *db, struct aedb_stats *ret);

/* Writes any one file of a database as text: header, and every record with its
 * position. Damage is shown and is no error. AEDB_NOT_FOUND, AEDB_ACCESS,
 * AEDB_IO; AEDB_CORRUPT when it is no file of a database at all. */
int aedb_show(const char *path, FILE *out);

/* Verifying. */

/* How far work has come, in bytes. Zeroed at first, and looked at by
 * aedb_progress_get only, on any thread; total may still grow. */
struct aedb_progress {
	uint64_t done, total;
};
void aedb_progress_get(const struct aedb_progress *progress, uint64_t *ret_done,
		       uint64_t *ret_total);

struct aedb_verify_report {
	uint64_t files;		/* that the database consists of */
	uint64_t bytes;		/* read of segments, value files and log */
	uint64_t entries;	/* versions in segments */
	uint64_t values;	/* in value files, each as often as referred to */
	uint64_t commits;	/* in the log, since the last checkpoint */
	uint64_t findings;	/* of damage */
	uint64_t harmless;	/* of what a crash left and nothing needs */
};

/*
 * Checks the files of a database that nobody has open for writing, completely:
 * that every page and record that counts is whole, that what they say of each
 * other is so, and that rows of tables agree with their indexes. Nothing is
 * written. Each finding is a line on `out`, "file: position: what"; those that harm
 * nobody begin with "harmless: " behind the position. Of the options hmac_key and
 * memory_bytes count. progress may be NULL.
 *
 * 0 when all could be checked, whatever was found. AEDB_NOT_FOUND (no database
 * there), AEDB_BUSY (naming the holder), AEDB_NEWER_FORMAT, AEDB_INVALID,
 * AEDB_ACCESS (also: signed with another key), AEDB_IO, AEDB_NO_MEMORY.
 */
int aedb_verify(const char *directory, const struct aedb_options *options,
		FILE *out, struct aedb_progress *progress,
		struct aedb_verify_report *ret);

/* Page files. */

/*
 * The store of checksummed pages by itself, without a database: one file of
 * pages of one size, numbered 0, 1, … in the order in which they were appended,
 * and read through a cache of a bounded number of pages. A page is not changed
 * once it is there.
 *
 * Appended pages can be read at once. They are on the disk after
 * aedb_pages_sync; a power cut before that may leave any of the later ones
 * damaged, which reading them tells.
 */
struct aedb_pages;

struct aedb_pages_options {
	uint32_t page_bytes;	/* of the file for each page; 256..16 MiB, a
				 * multiple of 8. 0: those of an existing file */
	uint32_t cache_pages;	/* pages kept in memory at most; 0: none */
};

struct aedb_bytes {
	const void *at;
	size_t n;
};

/* Opens the page file `path`, which nobody else then has open, or makes it.
 * Owned; aedb_pages_close. AEDB_NOT_FOUND (its directory; page_bytes 0: no
 * file), AEDB_BUSY, AEDB_CORRUPT (its header; part of a page at its end, naming
 * the position), AEDB_NEWER_FORMAT, AEDB_INVALID (an option, or another size
 * than the file's), AEDB_ACCESS, AEDB_IO, AEDB_NO_SPACE, AEDB_NO_MEMORY. */
int aedb_pages_open(const char *path, const struct aedb_pages_options *options,
		    struct aedb_pages **ret);
/* Does not sync. Takes NULL. */
void aedb_pages_close(struct aedb_pages *pages);
/* Bytes that a page can hold: page_bytes less 16. */
size_t aedb_pages_room(const struct aedb_pages *pages);
/* Appends a page that holds these n > 0 bytes, copied; its number is *ret_id.
 * AEDB_INVALID (0 bytes), AEDB_TOO_LARGE, AEDB_NO_SPACE, AEDB_IO; after
 * AEDB_IO every further one fails until the file is opened again. */
int aedb_pages_append(struct aedb_pages *pages, const void *bytes, size_t n,
		      uint64_t *ret_id);
/* Appends n pages with consecutive numbers from *ret_first, all or none, at less
 * cost for each. Errors as of aedb_pages_append. */
int aedb_pages_append_many(struct aedb_pages *pages,
			   const struct aedb_bytes *bytes, size_t n,
			   uint64_t *ret_first);
/* Copies the bytes of page `id`, *ret_n of them. AEDB_NOT_FOUND (not appended
 * yet), AEDB_TOO_LARGE (more than `room`), AEDB_CORRUPT (naming the position),
 * AEDB_IO, AEDB_NO_MEMORY. */
int aedb_pages_read(struct aedb_pages *pages, uint64_t id, void *buf,
		    size_t room, size_t *ret_n);
/* Everything appended before is on the disk. AEDB_IO: it may not be, and
 * nothing more is appended. */
int aedb_pages_sync(struct aedb_pages *pages);
/* Pages appended. */
uint64_t aedb_pages_count(const struct aedb_pages *pages);
/* Pages in memory. */
size_t aedb_pages_cached(const struct aedb_pages *pages);

#ifdef __cplusplus
}
#endif

#endif
