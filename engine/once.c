/*
 * Commits that are made once.
 *
 * A record: key 'I' and the SHA-256 of caller and key, value the SHA-256 of what
 * was asked for. Its version is the commit's number, for it is the last operation;
 * so is its time. It counts for once_keep_s from then on.
 */
#include "once.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "err.h"
#include "space_walk.h"
#include "txn.h"
#include "value_cache.h"

#define CALLER_BYTES_MAX 128
#define PRUNED_AT_ONCE 256

struct once {
	EVP_MD_CTX *sum;		/* owned: of what it does */
	uint8_t key[ONCE_KEY_BYTES];
	uint8_t fingerprint[ONCE_SUM_BYTES];
	bool *is_repeat;		/* borrowed; NULL */
	bool was_repeat;		/* what the commit said */
	bool is_ended;
	bool is_in_part;		/* once_is_known said so */
};

static int sum_failed(void)
{
	return err_set(AEDB_NO_MEMORY, "SHA-256 failed");
}

/* Caller and key, told apart by the first one's length. */
static int key_make(const struct aedb_once *once, uint8_t *ret)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	uint64_t n = once->caller_bytes;
	unsigned bytes;
	int rc = 0;

	ret[0] = CATALOG_ONCE;
	if (!sum || !EVP_DigestInit_ex(sum, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(sum, &n, sizeof(n)) ||
	    !EVP_DigestUpdate(sum, once->caller, n) ||
	    !EVP_DigestUpdate(sum, once->key, sizeof(once->key)) ||
	    !EVP_DigestFinal_ex(sum, ret + 1, &bytes))
		rc = sum_failed();
	EVP_MD_CTX_free(sum);
	return rc;
}

int once_new(const struct aedb_once *once, struct once **ret)
{
	struct once *o;
	int rc;

	if (once->caller_bytes > CALLER_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG, "a caller's name of %zu bytes, at most "
			       "%d are allowed", once->caller_bytes,
			       CALLER_BYTES_MAX);
	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(AEDB_NO_MEMORY, "no memory for a request");
	o->is_repeat = once->is_repeat;
	rc = key_make(once, o->key);
	o->sum = EVP_MD_CTX_new();
	if (rc == 0 &&
	    (!o->sum || !EVP_DigestInit_ex(o->sum, EVP_sha256(), NULL)))
		rc = sum_failed();
	if (rc < 0) {
		once_free(o);
		return rc;
	}
	*ret = o;
	return 0;
}

void once_free(struct once *once)
{
	if (!once)
		return;
	EVP_MD_CTX_free(once->sum);
	free(once);
}

int once_add_bytes(struct once *once, const void *bytes, size_t n)
{
	return n == 0 || EVP_DigestUpdate(once->sum, bytes, n) ? 0 :
								 sum_failed();
}

int once_add_op(struct once *once, const struct op *op)
{
	struct op what = *op;
	uint8_t *bytes;
	int rc;

	what.flags &= (uint8_t)~(OP_HAS_ID | OP_IS_REF);
	if (op->flags & OP_IS_REF)
		what.value = what.extents = (struct op_bytes){ 0 };
	bytes = malloc(op_bytes_max(&what));
	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for a request");
	rc = once_add_bytes(once, bytes,
			    (size_t)(op_encode(&what, bytes) - bytes));
	free(bytes);
	return rc;
}

int once_end(struct once *once, struct op *ret)
{
	unsigned n;

	if (!once->is_ended &&
	    !EVP_DigestFinal_ex(once->sum, once->fingerprint, &n))
		return sum_failed();
	once->is_ended = true;
	*ret = (struct op){
		.kind = OP_PUT,
		.key = { CATALOG_NAMES, once->key, sizeof(once->key) },
		.value = { once->fingerprint, sizeof(once->fingerprint) },
	};
	return 0;
}

void once_tell(struct once *once, bool is_repeat)
{
	once->was_repeat = is_repeat;
	if (once->is_repeat)
		*once->is_repeat = is_repeat;
}

bool once_was_repeat(const struct once *once)
{
	return once && once->was_repeat;
}

static bool is_over(const struct aedb *db, const struct entry *entry,
		    uint64_t now_us)
{
	return now_us > entry->time_us + db->options.once_keep_s *
						 UINT64_C(1000000);
}

/* The record's value, which may lie in a value file. */
static int fingerprint_read(struct aedb *db, const struct entry *entry,
			    uint8_t *ret)
{
	struct value_ref ref;
	int rc;

	if (!entry->is_ref && entry->value_bytes == ONCE_SUM_BYTES) {
		memcpy(ret, entry->value, ONCE_SUM_BYTES);
		return 0;
	}
	rc = entry->is_ref ? value_ref_decode(entry->value, entry->value_bytes,
					      &ref) : AEDB_CORRUPT;
	if (rc == 0 && ref.bytes == ONCE_SUM_BYTES)
		return value_cache_read_past(db->values, &ref, ret);
	return rc < 0 && rc != AEDB_CORRUPT ?
		       rc : err_set(AEDB_CORRUPT, "the record of a request is of "
				    "another size");
}

int once_look(struct aedb *db, const struct once *once, uint64_t now_us,
	      seq_t *ret)
{
	uint8_t fingerprint[ONCE_SUM_BYTES];
	struct entry entry;
	int rc = space_get_newest(&db->catalog.names, &(struct space_sought){
		.key = once->key, .key_bytes = sizeof(once->key) }, &entry);

	if (rc < 0)
		return rc;
	if (rc == 0 || is_over(db, &entry, now_us))
		return !once->is_in_part ? 0 :
			err_set(AEDB_CONFLICT, "what is known of requests "
				"executed before changed meanwhile");
	rc = fingerprint_read(db, &entry, fingerprint);
	if (rc < 0)
		return rc;
	if (memcmp(fingerprint, once->fingerprint, sizeof(fingerprint)) != 0)
		return err_set(AEDB_INVALID, "commit %llu did something else for "
			       "the same caller and key",
			       (unsigned long long)entry.seq);
	*ret = entry.seq;
	return 1;
}

/* Whether there is a record under this key that counts: 1, or 0. */
static int record_find(struct aedb *db, const uint8_t *key, seq_t *ret)
{
	uint64_t now_us = commit_time_next(db, 0);
	struct entry entry;
	int rc;

	lock_acquire(&db->commits.lock);
	epoch_enter(db->epoch);
	rc = space_get_newest(&db->catalog.names, &(struct space_sought){
		.key = key, .key_bytes = ONCE_KEY_BYTES }, &entry);
	if (rc > 0 && is_over(db, &entry, now_us))
		rc = 0;
	if (rc > 0 && ret)
		*ret = entry.seq;
	epoch_leave(db->epoch);
	lock_release(&db->commits.lock);
	return rc;
}

int once_is_known(struct aedb *db, struct once *once)
{
	int rc = record_find(db, once->key, NULL);

	if (rc > 0)
		once->is_in_part = true;
	return rc;
}

bool once_is_in_part(const struct once *once)
{
	return once && once->is_in_part;
}

int aedb_once_find(struct aedb *db, const struct aedb_once *once,
		   aedb_seq_t *ret_seq)
{
	uint8_t key[ONCE_KEY_BYTES];
	int rc = key_make(once, key);

	if (rc == 0)
		rc = record_find(db, key, ret_seq);
	return rc > 0 ? 0 : rc < 0 ? rc : AEDB_NOT_FOUND;
}

/* Pruning. */

#define LOOKED_AT_ONCE 1024

struct old {
	uint8_t key[ONCE_KEY_BYTES];
	seq_t seq;
};

/* Records that are too old. */
struct pruning {
	uint64_t now_us;
	uint8_t from[ONCE_KEY_BYTES];	/* looked at next */
	size_t from_bytes;
	struct old old[LOOKED_AT_ONCE];
	size_t n;
	bool is_done;
};

static bool is_record(const struct entry *entry)
{
	return entry->key_bytes == ONCE_KEY_BYTES &&
	       *(const uint8_t *)entry->key == CATALOG_ONCE;
}

/* Looks at some records. */
static int records_look(struct aedb *db, struct pruning *p)
	REQUIRES(db->commits.lock)
{
	struct space_walk walk;
	int rc;

	p->n = 0;
	space_walk_init(&walk, &db->catalog.names, SEQ_MAX);
	rc = space_walk_start(&walk);
	if (rc == 0)
		rc = space_walk_seek(&walk, MEM_SEEK_GE, p->from, p->from_bytes);
	for (int i = 0; rc == MERGE_ENTRY && i < LOOKED_AT_ONCE; i++) {
		const struct entry *entry = space_walk_entry(&walk);

		if (!is_record(entry))
			break;
		if (is_over(db, entry, p->now_us)) {
			memcpy(p->old[p->n].key, entry->key, ONCE_KEY_BYTES);
			p->old[p->n++].seq = entry->seq;
		}
		rc = space_walk_next(&walk);
	}
	p->is_done = rc != MERGE_ENTRY || !is_record(space_walk_entry(&walk));
	if (!p->is_done) {
		p->from_bytes = ONCE_KEY_BYTES;
		memcpy(p->from, space_walk_entry(&walk)->key, ONCE_KEY_BYTES);
	}
	space_walk_release(&walk);
	return rc < 0 ? rc : 0;
}

/* One that was put anew since stays, and then so do the others. */
static int old_remove(struct aedb *db, const struct pruning *p)
{
	/* a scope's stand-in: assertions only ask for its keys' tree */
	struct aedb_scope names = { .space = { .id = CATALOG_NAMES } };
	struct aedb_assertion same = { .kind = AEDB_ASSERT_VERSION,
				       .scope = &names,
				       .key_bytes = ONCE_KEY_BYTES };
	struct op op = { .kind = OP_DELETE,
			 .key = { CATALOG_NAMES, NULL, ONCE_KEY_BYTES } };
	struct aedb_txn txn;
	seq_t seq;
	int rc = 0;

	txn_init(&txn, db);
	for (size_t i = 0; i < p->n && rc == 0; i++) {
		same.key = op.key.at = p->old[i].key;
		same.version = p->old[i].seq;
		rc = guards_add_assertion(&txn.guards, txn.n_ops, &same);
		if (rc == 0)
			rc = txn_add(&txn, &op);
	}
	if (rc == 0 && p->n)
		rc = commit_run(&txn, &seq);
	txn_release(&txn);
	return rc == AEDB_ASSERTION ? 0 : rc;
}

int once_prune(struct aedb *db)
{
	struct pruning *p;
	bool has_some = false;
	int rc = 0;

	if (!atomic_exchange(&db->has_once, false))
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(AEDB_NO_MEMORY, "no memory to look for old requests");
	p->now_us = commit_time_next(db, 0);
	p->from[0] = CATALOG_ONCE;
	p->from_bytes = 1;
	while (rc == 0 && !p->is_done) {
		lock_acquire(&db->commits.lock);
		epoch_enter(db->epoch);
		rc = records_look(db, p);
		epoch_leave(db->epoch);
		lock_release(&db->commits.lock);
		has_some |= !p->is_done;
		if (rc == 0)
			rc = old_remove(db, p);
	}
	free(p);
	if (rc < 0 || has_some)
		atomic_store(&db->has_once, true);
	return rc;
}
