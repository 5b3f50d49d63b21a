/*
 * Calls on keys -> operations: checks the arguments and limits, reads ahead what the
 * commit will ask for, and puts values where they stay.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "maintenance.h"
#include "once.h"
#include "txn_access.h"
#include "txn_inner.h"
#include "value_api.h"

#define READ RIGHT_BIT(AEDB_KV_READ)
#define WRITE RIGHT_BIT(AEDB_KV_WRITE)
#define STAGE_SUM_BYTES (64u << 10)

/* Reads what the commit will ask for, so that the holder of the commit lock
 * finds it in the cache. What is wrong with it the commit will find, too.
 * Returns the stamp of levels that lack the key, or 0. */
static uint64_t key_warm(struct aedb_scope *scope, const void *key, size_t n,
			 enum entry_wanted wanted)
{
	struct epoch *epoch = scope->space.db->epoch;
	uint64_t absent;

	if (!atomic_load_explicit(&scope->space.is_partial,
				  memory_order_relaxed))
		return 0;
	epoch_enter(epoch);
	absent = space_look_ahead(&scope->space, &(struct space_sought){
		.key = key, .key_bytes = n, .wanted = wanted });
	epoch_leave(epoch);
	return absent;
}

/* wanted: what the operation asks of an object that is there. */
static struct op_key op_key(const struct aedb_txn *txn,
			    struct aedb_scope *scope, const void *key, size_t n,
			    enum entry_wanted wanted)
{
	if (!txn->batch)
		key_warm(scope, key, n, wanted);
	return (struct op_key){ scope->space.id, key, n };
}

/* The same of the next operation, a put: the commit need not look into levels
 * that are known to lack its key. */
static struct op_key op_key_put(struct aedb_txn *txn, struct aedb_scope *scope,
				const void *key, size_t n)
{
	uint64_t bit = txn->n_ops < SPACE_ABSENT_OPS ?
			       UINT64_C(1) << txn->n_ops : 0;
	uint64_t absent = txn->batch ? 0 :
				       key_warm(scope, key, n, ENTRY_SIZES);

	txn->absent.ops &= ~bit;
	if (absent && absent != txn->absent.levels)
		txn->absent = (struct space_absent){ .levels = absent };
	if (absent)
		txn->absent.ops |= bit;
	return (struct op_key){ scope->space.id, key, n };
}

static int stage_note(struct aedb_txn *txn, struct stage *stage, uint64_t mark)
{
	if (txn->n_stages % TXN_ARRAY_STEP == 0) {
		struct txn_stage *grown =
			realloc(txn->stages, (txn->n_stages + TXN_ARRAY_STEP) *
						     sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a put");
		txn->stages = grown;
	}
	txn->stages[txn->n_stages++] = (struct txn_stage){ stage, mark };
	return 0;
}

static int file_pin(struct aedb_txn *txn, file_id_t file)
{
	struct txn_files *files = &txn->files;
	int rc;

	if (files->n && files->at[files->n - 1] == file)
		return 0;
	if (files->n % TXN_ARRAY_STEP == 0) {
		file_id_t *grown = realloc(files->at, (files->n + TXN_ARRAY_STEP) *
						      sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a put");
		files->at = grown;
	}
	rc = file_set_pin(values_files(txn->db->values), file);
	if (rc == 0)
		files->at[files->n++] = file;
	return rc;
}

/* No file of a value goes while nothing in the database refers to it yet. */
static int files_pin(struct aedb_txn *txn, const struct value_extent *extents,
		     size_t n)
{
	size_t before = txn->files.n;

	for (size_t i = 0; i < n; i++) {
		int rc = file_pin(txn, extents[i].file);

		if (rc < 0) {
			txn_files_unpin(txn, before);
			return rc;
		}
	}
	return 0;
}

/* A put whose value lies in value files. */
static int ref_put_add(struct aedb_txn *txn, struct op *op,
		       const struct value_ref *ref,
		       const struct value_extent *extents, size_t n_extents)
{
	uint8_t encoded[VALUE_REF_BYTES_MAX];
	size_t n = op_extents_encode(extents, n_extents, NULL);
	uint8_t *bytes = malloc(n);
	int rc;

	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for a put");
	rc = files_pin(txn, extents, n_extents);
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	op_extents_encode(extents, n_extents, bytes);
	op->flags |= OP_IS_REF;
	op->value = (struct op_bytes){ encoded, value_ref_encode(ref, encoded) };
	op->extents = (struct op_bytes){ bytes, n };
	rc = txn_add(txn, op);
	free(bytes);
	if (rc == 0)
		txn->has_refs = true;
	return rc;
}

/* Reads all of the staged value. */
static int stage_sum(struct once *once, struct stage *stage)
{
	uint8_t *piece = malloc(STAGE_SUM_BYTES);
	uint64_t at = 0;
	size_t n = 1;
	int rc = piece ? 0 : err_set(AEDB_NO_MEMORY, "no memory for a request");

	while (rc == 0 && n) {
		rc = stage_read(stage, piece, STAGE_SUM_BYTES, at, &n);
		if (rc == 0)
			rc = once_add_bytes(once, piece, n);
		at += n;
	}
	free(piece);
	return rc;
}

static int stage_put_add(struct aedb_txn *txn, struct op *op,
			 struct aedb_stage *staged)
{
	struct stage_sealed sealed;
	struct stage *stage;
	int rc = value_api_stage(staged, &stage);

	if (rc == 0)
		rc = stage_seal(stage, &sealed);
	if (rc < 0)
		return rc;
	rc = stage_note(txn, stage, sealed.mark);
	if (rc < 0)
		return rc;
	if (sealed.is_ref && txn->once)
		rc = stage_sum(txn->once, stage);
	if (rc < 0) {
		txn->n_stages--;
		return rc;
	}
	if (sealed.is_ref) {
		rc = ref_put_add(txn, op, &sealed.ref, sealed.extents,
				 sealed.n_extents);
	} else {
		op->value = (struct op_bytes){ sealed.bytes, sealed.n };
		rc = txn_add(txn, op);
	}
	if (rc < 0)
		txn->n_stages--;
	return rc;
}

static int value_put_add(struct aedb_txn *txn, struct op *op,
			 const struct aedb_put *put)
{
	struct value_extent extent;
	struct value_ref ref;
	int rc;

	if (put->stage)
		return stage_put_add(txn, op, put->stage);
	rc = value_api_check_bytes(txn->db, put->value_bytes);
	if (rc < 0)
		return rc;
	if (put->value_bytes <= AEDB_VALUE_INLINE_MAX) {
		op->value = (struct op_bytes){ put->value, put->value_bytes };
		return txn_add(txn, op);
	}
	if (!txn->db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	if (txn->once) {
		rc = once_add_bytes(txn->once, put->value, put->value_bytes);
		if (rc < 0)
			return rc;
	}
	rc = value_store(txn->db->values, put->value, put->value_bytes, &ref,
			 &extent);
	return rc < 0 ? rc : ref_put_add(txn, op, &ref, &extent, 1);
}

/* An id that may become a number of an operation later would not be the only
 * one of its kind. */
static int id_check(const struct aedb *db, uint64_t id)
{
	if (id > SEQ_MAX ||
	    (id < DB_ID_TAGGED && id >= atomic_load(&db->commits.next_seq)))
		return err_set(AEDB_INVALID,
			       "object id %" PRIu64 " was not reserved", id);
	return 0;
}

/* What was checked. */
static int put_add(struct aedb_txn *txn, struct aedb_scope *scope,
		   const struct aedb_put *put, uint8_t flags)
{
	struct op op = { .kind = OP_PUT, .flags = flags };
	int rc;

	op.key = op_key_put(txn, scope, put->key, put->key_bytes);
	txn_op_set_attr(&op, put->attr, put->attr_bytes, put->mtime_ns);
	if (put->id) {
		op.flags |= OP_HAS_ID;
		op.id = put->id;
	}
	if (put->must_be_new)
		op.flags |= OP_MUST_BE_NEW;
	rc = value_put_add(txn, &op, put);
	if (rc == AEDB_NO_SPACE)
		maintenance_note_no_space(txn->db);
	return rc;
}

int aedb_txn_put(struct aedb_txn *txn, struct aedb_scope *scope,
		 const struct aedb_put *put)
{
	int rc = txn_key_check(txn->db, scope, put->key_bytes);

	if (rc == 0)
		rc = txn_attr_check(put->attr_bytes);
	if (rc == 0)
		rc = id_check(txn->db, put->id);
	if (rc == 0)
		rc = txn_may(txn, &scope, WRITE, put->key, put->key_bytes);
	return rc < 0 ? rc : put_add(txn, scope, put, 0);
}

int txn_put_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_put *put)
{
	return put_add(txn, scope, put, OP_OF_TABLE);
}

int txn_delete_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			const void *key, size_t key_bytes)
{
	struct op op = { .kind = OP_DELETE, .flags = OP_OF_TABLE,
			 .key = op_key(txn, scope, key, key_bytes,
				       ENTRY_SIZES) };

	return txn_add(txn, &op);
}

/* An operation on one key that carries nothing else. */
static int key_op_add(struct aedb_txn *txn, enum op_kind kind,
		      struct aedb_scope *scope, const void *key,
		      size_t key_bytes)
{
	enum entry_wanted wanted = kind == OP_DELETE ? ENTRY_SIZES : ENTRY_WHOLE;
	struct op op = { .kind = (uint8_t)kind };
	int rc = txn_key_check(txn->db, scope, key_bytes);

	if (rc == 0)
		rc = txn_may(txn, &scope, kind == OP_TOUCH ? WRITE | TXN_TIMES :
							     WRITE,
			     key, key_bytes);
	if (rc < 0)
		return rc;
	op.key = op_key(txn, scope, key, key_bytes, wanted);
	return txn_add(txn, &op);
}

int aedb_txn_delete(struct aedb_txn *txn, struct aedb_scope *scope,
		    const void *key, size_t key_bytes)
{
	return key_op_add(txn, OP_DELETE, scope, key, key_bytes);
}

int aedb_txn_touch(struct aedb_txn *txn, struct aedb_scope *dirs,
		   const void *key, size_t key_bytes)
{
	return key_op_add(txn, OP_TOUCH, dirs, key, key_bytes);
}

int aedb_txn_set_attr(struct aedb_txn *txn, struct aedb_scope *scope,
		      const struct aedb_put *put)
{
	struct op op = { .kind = OP_SET_ATTR };
	int rc = txn_key_check(txn->db, scope, put->key_bytes);

	if (rc == 0)
		rc = txn_attr_check(put->attr_bytes);
	if (rc == 0)
		rc = txn_may(txn, &scope, WRITE, put->key, put->key_bytes);
	if (rc < 0)
		return rc;
	op.key = op_key(txn, scope, put->key, put->key_bytes, ENTRY_WHOLE);
	txn_op_set_attr(&op, put->attr, put->attr_bytes, put->mtime_ns);
	return txn_add(txn, &op);
}

/* One key of an operation on two: what it asks of the object there, and of the
 * caller. */
struct named_key {
	struct aedb_scope *scope;
	struct op_bytes key;
	enum entry_wanted wanted;
	unsigned int rights;
};

static int named_key_check(struct aedb_txn *txn, struct named_key *named)
{
	int rc = txn_key_check(txn->db, named->scope, named->key.n);

	return rc < 0 ? rc : txn_may(txn, &named->scope, named->rights,
				     named->key.at, named->key.n);
}

static struct op_key named_op_key(const struct aedb_txn *txn,
				  const struct named_key *named)
{
	return op_key(txn, named->scope, named->key.at, named->key.n,
		      named->wanted);
}

static int two_key_op_add(struct aedb_txn *txn, enum op_kind kind,
			  struct named_key *a, struct named_key *b)
{
	struct op op = { .kind = (uint8_t)kind };
	int rc = named_key_check(txn, a);

	if (rc == 0)
		rc = named_key_check(txn, b);
	if (rc < 0)
		return rc;
	if ((a->scope->space.id ^ b->scope->space.id) & PLANE_DIRS)
		return err_set(AEDB_INVALID,
			       "keys and directory records do not mix");
	op.key = named_op_key(txn, a);
	op.to_key = named_op_key(txn, b);
	return txn_add(txn, &op);
}

int aedb_txn_move(struct aedb_txn *txn, struct aedb_scope *from,
		  const void *from_key, size_t from_bytes,
		  struct aedb_scope *to, const void *to_key, size_t to_bytes)
{
	/* what is moved is read where it comes to be */
	struct named_key a = { from, { from_key, from_bytes }, ENTRY_WHOLE,
			       READ | WRITE };
	struct named_key b = { to, { to_key, to_bytes }, ENTRY_SIZES, WRITE };

	return two_key_op_add(txn, OP_MOVE, &a, &b);
}

int aedb_txn_exchange(struct aedb_txn *txn, struct aedb_scope *a,
		      const void *a_key, size_t a_bytes, struct aedb_scope *b,
		      const void *b_key, size_t b_bytes)
{
	struct named_key one = { a, { a_key, a_bytes }, ENTRY_WHOLE,
				 READ | WRITE };
	struct named_key other = { b, { b_key, b_bytes }, ENTRY_WHOLE,
				   READ | WRITE };

	return two_key_op_add(txn, OP_EXCHANGE, &one, &other);
}
