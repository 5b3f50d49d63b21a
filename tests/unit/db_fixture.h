/*
 * A database on a simulated disk, and short forms of the calls on it for keys
 * and values that are strings.
 *
 *	struct fixture f;
 *	fixture_open(&f);		project "p", scope "s"
 *	CHECK_OK(put_text(f.scope, "key", "value"));
 *	CHECK_STR(text_of(f.scope, NULL, "key"), "value");
 *	fixture_close(&f);
 */
#ifndef DB_FIXTURE_H
#define DB_FIXTURE_H

#include "../simdisk.h"
#include "aedb.h"
#include "check.h"
#include "db.h"

struct fixture {
	struct simdisk *disk;
	struct aedb_options options;
	struct aedb *db;
	struct aedb_scope *scope;	/* of p/s; NULL when it was not opened */
};

static inline struct aedb_place place(const char *project, const char *scope)
{
	return (struct aedb_place){ project, scope };
}

/* Fills in the default options: set others, then fixture_start. */
static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .disk = simdisk_new(1) };
	aedb_options_init(&f->options);
	f->options.mode = AEDB_OPEN_CREATE;
}

/* Opens the database as its options say. */
static inline int fixture_try(struct fixture *f)
{
	return db_open(simdisk_vfs(f->disk), "simdisk", &f->options, &f->db);
}

static inline void fixture_start(struct fixture *f)
{
	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_create(f->db, place("p", NULL)));
	CHECK_OK(aedb_create(f->db, place("p", "s")));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
}

static inline void fixture_open_as(struct fixture *f,
				   enum aedb_durability durability)
{
	fixture_init(f);
	f->options.durability = durability;
	fixture_start(f);
}

static inline void fixture_open(struct fixture *f)
{
	fixture_open_as(f, AEDB_FULL);
}

static inline void fixture_stop(struct fixture *f)
{
	aedb_scope_close(f->scope);
	CHECK_OK(aedb_close(f->db));
	f->scope = NULL;
	f->db = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_stop(f);
	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
}

static inline void fixture_close(struct fixture *f)
{
	fixture_stop(f);
	simdisk_free(f->disk);
}

static inline int put_text(struct aedb_scope *scope, const char *key,
			   const char *value)
{
	return aedb_put(scope, key, strlen(key), value, strlen(value));
}

static inline int delete_text(struct aedb_scope *scope, const char *key)
{
	return aedb_delete(scope, key, strlen(key));
}

/* The value as a string, in a buffer the next call uses again; NULL: no key. */
static inline const char *text_of(struct aedb_scope *scope,
				  const struct aedb_snapshot *snapshot,
				  const char *key)
{
	static char text[256];
	struct aedb_entry entry;
	int rc = aedb_get(scope, snapshot, key, strlen(key), &entry);

	if (rc == AEDB_NOT_FOUND)
		return NULL;
	CHECK_OK(rc);
	CHECK(entry.value_bytes < sizeof(text));
	memcpy(text, entry.value, entry.value_bytes);
	text[entry.value_bytes] = 0;
	aedb_unpin(&entry);
	return text;
}

/* What aedb_stat says of a key that is there, pointers left out. */
static inline struct aedb_entry stat_of(struct aedb_scope *scope,
					const char *key)
{
	struct aedb_entry entry = { 0 };

	CHECK_OK(aedb_stat(scope, NULL, key, strlen(key), &entry));
	aedb_unpin(&entry);
	entry.key = entry.value = NULL;
	return entry;
}

/* The attributes of a key as a string; NULL: none. As text_of. */
static inline const char *attr_of(struct aedb_scope *scope, const char *key)
{
	static char text[256];
	struct aedb_entry entry;

	CHECK_OK(aedb_stat(scope, NULL, key, strlen(key), &entry));
	CHECK(entry.attr_bytes < sizeof(text));
	if (entry.attr)
		memcpy(text, entry.attr, entry.attr_bytes);
	text[entry.attr_bytes] = 0;
	aedb_unpin(&entry);
	return entry.attr ? text : NULL;
}

static inline struct aedb_txn *txn_of(struct aedb *db)
{
	struct aedb_txn *txn = NULL;

	CHECK_OK(aedb_txn_begin(db, &txn));
	return txn;
}

static inline int txn_put_text(struct aedb_txn *txn, struct aedb_scope *scope,
			       const char *key, const char *value)
{
	return aedb_txn_put(txn, scope,
			    &(struct aedb_put){ .key = key,
						.key_bytes = strlen(key),
						.value = value,
						.value_bytes = strlen(value) });
}

/* Commits; a transaction that fails is ended, too. */
static inline int txn_end(struct aedb_txn *txn)
{
	int rc = aedb_txn_commit(txn, NULL);

	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

static inline int set_attr(struct aedb_scope *scope, const struct aedb_put *put)
{
	struct aedb_txn *txn = txn_of(scope->space.db);

	CHECK_OK(aedb_txn_set_attr(txn, scope, put));
	return txn_end(txn);
}

static inline int put_full(struct aedb_scope *scope, const struct aedb_put *put)
{
	struct aedb_txn *txn = txn_of(scope->space.db);

	CHECK_OK(aedb_txn_put(txn, scope, put));
	return txn_end(txn);
}

static inline uint64_t memory_of(struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.memory_bytes;
}

/* n bytes that nothing compresses and that depend on the seed. */
static inline void bytes_fill(uint8_t *bytes, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(seed >> 56);
	}
}

/* Fails the test unless the call failed with this code and its message has
 * this text in it. */
#define CHECK_FAILS(call, code, text) do {                                 \
	int got_rc_ = (call);                                              \
	CHECK_THAT(got_rc_ == (code), "%s: returned %d, want %d", #call,   \
		   got_rc_, (int)(code));                                  \
	CHECK_THAT(strstr(aedb_error_message(), (text)),                   \
		   "%s: the message \"%s\" does not say \"%s\"", #call,    \
		   aedb_error_message(), (text));                          \
} while (0)

#endif
