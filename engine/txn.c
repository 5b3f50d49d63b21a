/*
 * Calls -> operations: checks the arguments and limits, encodes.
 *
 * Invariants:
 * 1. A call that fails adds nothing.
 * 2. The payload holds n_ops whole operations, and its size and number are
 *    within the limits of the options.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "commit.h"
#include "err.h"
#include "maintenance.h"
#include "once.h"
#include "range.h"
#include "txn.h"
#include "txn_access.h"
#include "txn_grant.h"
#include "value_api.h"

#define TXN_ARRAY_STEP 16
#define READ RIGHT_BIT(AEDB_KV_READ)
#define WRITE RIGHT_BIT(AEDB_KV_WRITE)
#define STAGE_SUM_BYTES (64u << 10)

void txn_init(struct aedb_txn *txn, struct aedb *db)
{
	memset(txn, 0, offsetof(struct aedb_txn, inlined));
	txn->db = db;
	txn->payload = txn->inlined;
	txn->payload_max = TXN_INLINE_BYTES;
	txn->only_deletes = true;
	txn->durability = (uint8_t)db->options.durability;
	txn->timeout_ns = db->options.commit_timeout_ms * UINT64_C(1000000);
	txn->base = db_visible(db);
}

/* Gives up the pins but for the first `kept`. */
static void files_unpin(struct aedb_txn *txn, size_t kept)
{
	while (txn->files.n > kept)
		file_set_unpin(values_files(txn->db->values),
			       txn->files.at[--txn->files.n]);
}

void txn_release(struct aedb_txn *txn)
{
	if (txn->payload != txn->inlined)
		free(txn->payload);
	for (size_t i = 0; i < txn->n_reads; i++)
		free(txn->reads[i].from);
	free(txn->reads);
	free(txn->conflicts);
	free(txn->stages);
	files_unpin(txn, 0);
	free(txn->files.at);
	guards_free(txn->guards);
	once_free(txn->once);
	txn_rows_free(txn->rows, &txn->db->catalog);
}

int txn_finish(struct aedb_txn *txn, int rc)
{
	seq_t seq;

	if (rc == 0)
		rc = commit_run(txn, &seq);
	txn_release(txn);
	return rc;
}

int txn_new(struct aedb *db, struct aedb_txn **ret)
{
	struct aedb_txn *txn = malloc(sizeof(*txn));

	if (!txn)
		return err_set(AEDB_NO_MEMORY, "no memory for a transaction");
	txn_init(txn, db);
	*ret = txn;
	return 0;
}

int aedb_txn_begin(struct aedb *db, struct aedb_txn **ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : txn_new(db, ret);
}

void aedb_txn_abort(struct aedb_txn *txn)
{
	if (!txn)
		return;
	txn_release(txn);
	free(txn);
}

static int payload_grow(struct aedb_txn *txn, size_t bytes)
{
	size_t max = txn->payload_max;
	uint8_t *grown;

	while (max < txn->payload_bytes + bytes)
		max *= 2;
	grown = realloc(txn->payload == txn->inlined ? NULL : txn->payload, max);
	if (!grown)
		return err_set(AEDB_NO_MEMORY,
			       "no memory for a transaction of %zu bytes", max);
	if (txn->payload == txn->inlined)
		memcpy(grown, txn->inlined, txn->payload_bytes);
	txn->payload = grown;
	txn->payload_max = max;
	return 0;
}

int txn_add(struct aedb_txn *txn, const struct op *op)
{
	const struct aedb_options *o = &txn->db->options;
	size_t room = op_bytes_max(op);
	uint8_t *start;
	size_t bytes;
	int rc;

	if (txn->payload_max - txn->payload_bytes < room) {
		rc = payload_grow(txn, room);
		if (rc < 0)
			return rc;
	}
	start = txn->payload + txn->payload_bytes;
	bytes = (size_t)(op_encode(op, start) - start);
	if (txn->n_ops >= o->txn_ops_max)
		return err_set(AEDB_TOO_LARGE,
			       "a transaction has at most %" PRIu32 " operations",
			       o->txn_ops_max);
	if (txn->payload_bytes + bytes > o->txn_bytes_max)
		return err_set(AEDB_TOO_LARGE,
			       "a transaction has at most %" PRIu64
			       " bytes of keys, small values and attributes",
			       o->txn_bytes_max);
	if (txn->once && once_add_op(txn->once, op) < 0)
		return AEDB_NO_MEMORY;
	txn->payload_bytes += bytes;
	txn->n_ops++;
	txn->only_deletes &= op->kind == OP_DELETE || op->kind == OP_DROP ||
			     op->kind == OP_TOUCH || op->kind == OP_PLACE_TOUCH;
	return 0;
}

int txn_key_check(const struct aedb *db, const struct aedb_scope *scope,
		  size_t key_bytes)
{
	if (scope->space.db != db)
		return err_set(AEDB_INVALID, "the scope is another database's");
	if (key_bytes > db->options.key_bytes_max)
		return err_set(AEDB_NAME_TOO_LONG,
			       "a key of %zu bytes, at most %" PRIu32
			       " are allowed", key_bytes,
			       db->options.key_bytes_max);
	return 0;
}

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

static int attr_check(size_t attr_bytes)
{
	if (attr_bytes > AEDB_ATTR_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE,
			       "attributes of %zu bytes, at most %d are allowed",
			       attr_bytes, AEDB_ATTR_BYTES_MAX);
	return 0;
}

static void op_set_attr(struct op *op, const void *attr, size_t attr_bytes,
			const int64_t *mtime_ns)
{
	if (attr) {
		op->flags |= OP_HAS_ATTR;
		op->attr = (struct op_bytes){ attr, attr_bytes };
	}
	if (mtime_ns) {
		op->flags |= OP_HAS_MTIME;
		op->mtime_ns = *mtime_ns;
	}
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
			files_unpin(txn, before);
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
	op_set_attr(&op, put->attr, put->attr_bytes, put->mtime_ns);
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
		rc = attr_check(put->attr_bytes);
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
		rc = attr_check(put->attr_bytes);
	if (rc == 0)
		rc = txn_may(txn, &scope, WRITE, put->key, put->key_bytes);
	if (rc < 0)
		return rc;
	op.key = op_key(txn, scope, put->key, put->key_bytes, ENTRY_WHOLE);
	op_set_attr(&op, put->attr, put->attr_bytes, put->mtime_ns);
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

/* The database itself cannot be made, dropped or renamed. */
static int place_check_named(struct aedb_place place, struct op_place *ret)
{
	if (!place.project && !place.scope)
		return err_set(AEDB_INVALID, "the database itself");
	return catalog_check_place(place, ret);
}

/* In no request's sum: another attempt has another id. */
static int owner_add(struct aedb_txn *txn, uint64_t id, struct op_bytes owner)
{
	struct once *once = txn->once;
	int rc;

	txn->once = NULL;
	rc = txn_grant_own(txn, id, owner);
	txn->once = once;
	return rc;
}

static bool bytes_are(const struct op_bytes *a, const struct op_bytes *b)
{
	return a->n == b->n && (!a->n || memcmp(a->at, b->at, a->n) == 0);
}

static bool place_is(const struct op_place *a, const struct op_place *b)
{
	return bytes_are(&a->project, &b->project) &&
	       bytes_are(&a->scope, &b->scope);
}

int aedb_txn_create(struct aedb_txn *txn, struct aedb_place place,
		    const void *attr, size_t attr_bytes,
		    struct aedb_scope **ret_scope)
{
	struct op op = { .kind = OP_CREATE, .flags = OP_HAS_ID };
	struct scope_state *state = NULL;
	const struct txn_savepoint before = txn_savepoint(txn);
	int rc = place_check_named(place, &op.place);

	if (rc == 0)
		rc = attr_check(attr_bytes);
	if (rc == 0 && ret_scope && !place.scope)
		rc = err_set(AEDB_INVALID, "a project is no scope");
	if (rc < 0)
		return rc;
	op_set_attr(&op, attr, attr_bytes, NULL);
	op.id = aedb_reserve_id(txn->db);
	if (ret_scope) {
		rc = catalog_make_and_ref(&txn->db->catalog, op.id, &state);
		if (rc < 0)
			return rc;
	}
	rc = txn_add(txn, &op);
	if (rc == 0 && txn->caller && !txn->batch)
		rc = owner_add(txn, op.id, txn->caller->id);
	if (rc < 0)
		txn_roll_back(txn, &before);
	if (rc < 0 && state)
		catalog_unref(&txn->db->catalog, state);
	if (rc < 0 || !ret_scope)
		return rc;
	*ret_scope = &state->planes[PLANE_KEYS];
	return txn->caller ? access_open(txn->caller, state, NULL, ret_scope) : 0;
}

/* Id of what the transaction makes under a name. */
static int made_find(const struct aedb_txn *txn, const struct op_place *place,
		     uint64_t *ret)
{
	struct byte_reader r;
	struct op op;
	bool is_found = false;
	int rc = 0;

	byte_reader_init(&r, txn->payload, txn->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc < 0 || op.kind != OP_CREATE ||
		    !place_is(&op.place, place))
			continue;
		*ret = op.id;
		is_found = true;
	}
	return rc < 0 || is_found ? rc : AEDB_NOT_FOUND;
}

int aedb_txn_set_owner(struct aedb_txn *txn, struct aedb_place place,
		       const void *owner, size_t owner_bytes)
{
	const struct txn_savepoint before = txn_savepoint(txn);
	struct op_place checked;
	uint64_t id = 0;
	int rc = access_id_check(owner, owner_bytes);

	if (rc == 0)
		rc = place_check_named(place, &checked);
	if (rc == 0 && (txn->caller || txn->batch))
		rc = err_set(AEDB_INVALID, "the transaction is somebody's");
	if (rc == 0)
		rc = made_find(txn, &checked, &id);
	if (rc == 0)
		rc = owner_add(txn, id, (struct op_bytes){ owner, owner_bytes });
	if (rc < 0)
		txn_roll_back(txn, &before);
	return rc;
}

int aedb_txn_drop(struct aedb_txn *txn, struct aedb_place place,
		  enum aedb_drop how)
{
	struct op op = { .kind = OP_DROP };
	int rc = place_check_named(place, &op.place);

	if (rc < 0)
		return rc;
	if (how == AEDB_DROP_ALL)
		op.flags |= OP_DROP_FULL;
	return txn_add(txn, &op);
}

int aedb_txn_rename(struct aedb_txn *txn, struct aedb_place from,
		    struct aedb_place to)
{
	struct op op = { .kind = OP_RENAME };
	int rc = place_check_named(from, &op.place);

	if (rc == 0)
		rc = place_check_named(to, &op.to_place);
	if (rc < 0)
		return rc;
	if (!from.scope != !to.scope)
		return err_set(AEDB_INVALID,
			       "a project cannot become a scope, or a scope a project");
	return txn_add(txn, &op);
}

int aedb_txn_place_attr(struct aedb_txn *txn, struct aedb_place place,
			const void *attr, size_t attr_bytes,
			const int64_t *mtime_ns)
{
	struct op op = { .kind = OP_PLACE_ATTR };
	int rc = catalog_check_place(place, &op.place);

	if (rc == 0)
		rc = attr_check(attr_bytes);
	if (rc < 0)
		return rc;
	op_set_attr(&op, attr, attr_bytes, mtime_ns);
	return txn_add(txn, &op);
}

int aedb_txn_place_touch(struct aedb_txn *txn, struct aedb_place place)
{
	struct op op = { .kind = OP_PLACE_TOUCH };
	int rc = catalog_check_place(place, &op.place);

	return rc < 0 ? rc : txn_add(txn, &op);
}

int txn_remove_mark(struct aedb *db, uint64_t scope_id)
{
	uint8_t key[8];
	struct op op = { .kind = OP_DELETE,
			 .key = { CATALOG_DROPS, key, sizeof(key) } };
	struct aedb_txn txn;

	catalog_number_key(scope_id, key);
	txn_init(&txn, db);
	return txn_finish(&txn, txn_add(&txn, &op));
}

int aedb_txn_set_durability(struct aedb_txn *txn, enum aedb_durability durability)
{
	if (durability > AEDB_OS)
		return err_set(AEDB_INVALID, "durability %u: there is none such",
			       (unsigned)durability);
	txn->durability = (uint8_t)durability;
	return 0;
}

void aedb_txn_set_timeout(struct aedb_txn *txn, uint64_t timeout_ns)
{
	txn->timeout_ns = timeout_ns;
}

void aedb_txn_set_base(struct aedb_txn *txn, aedb_seq_t seq)
{
	txn->base = seq;
}

void aedb_txn_set_time(struct aedb_txn *txn, int64_t time_ns)
{
	txn->time_us = (uint64_t)time_ns / 1000;
}

static int read_add(struct aedb_txn *txn, const struct txn_read *read)
{
	if (txn->n_reads % TXN_ARRAY_STEP == 0) {
		struct txn_read *grown =
			realloc(txn->reads, (txn->n_reads + TXN_ARRAY_STEP) *
						    sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a read set");
		txn->reads = grown;
	}
	txn->reads[txn->n_reads++] = *read;
	return 0;
}

/* Copies both bounds into one allocation; to NULL: no upper bound. */
static int read_copy(struct aedb_txn *txn, struct txn_read *read,
		     const void *from, const void *to)
{
	int rc;

	read->from = malloc(read->from_bytes + read->to_bytes + 1);
	if (!read->from)
		return err_set(AEDB_NO_MEMORY, "no memory for a read set");
	if (read->from_bytes)
		memcpy(read->from, from, read->from_bytes);
	if (to) {
		read->to = read->from + read->from_bytes;
		memcpy(read->to, to, read->to_bytes);
	}
	rc = read_add(txn, read);
	if (rc < 0)
		free(read->from);
	return rc;
}

int aedb_txn_read_point(struct aedb_txn *txn, struct aedb_scope *scope,
			const void *key, size_t key_bytes)
{
	struct txn_read read = { .from_bytes = key_bytes };
	int rc = txn_key_check(txn->db, scope, key_bytes);

	if (rc == 0)
		rc = txn_may(txn, &scope, READ, key, key_bytes);
	read.scope = scope;
	return rc < 0 ? rc : read_copy(txn, &read, key, NULL);
}

static int range_add(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_range *range)
{
	struct txn_read read = { .scope = scope, .is_range = true };
	struct range_bounds bounds;
	int rc = range_bounds_init(&bounds, range);

	if (rc < 0)
		return rc;
	read.from_bytes = bounds.from_bytes;
	read.to_bytes = bounds.to_bytes;
	rc = read_copy(txn, &read, bounds.from, bounds.to);
	range_bounds_release(&bounds);
	return rc;
}

int aedb_txn_read_range(struct aedb_txn *txn, struct aedb_scope *scope,
			const struct aedb_range *range)
{
	int rc = txn_key_check(txn->db, scope, 0);

	if (rc < 0)
		return rc;
	if (scope->access || txn->caller)
		return txn_access_range(txn, &scope, range, range_add);
	return range_add(txn, scope, range);
}

int txn_read_point_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const void *key, size_t key_bytes)
{
	struct txn_read read = { .scope = scope, .from_bytes = key_bytes,
				 .is_of_table = true };

	return read_copy(txn, &read, key, NULL);
}

int txn_read_range_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const struct aedb_range *range)
{
	int rc = range_add(txn, scope, range);

	if (rc == 0)
		txn->reads[txn->n_reads - 1].is_of_table = true;
	return rc;
}

int txn_note_schema(struct aedb_txn *txn, struct scope_state *state,
		    seq_t upto)
{
	struct txn_schema schema = { .state = state, .upto = upto };

	/* what was read first counts */
	if (txn->schema.state == state)
		return 0;
	for (size_t i = 0; txn->rows && i < txn->rows->n_schemas; i++)
		if (txn->rows->schemas[i].state == state)
			return 0;
	if (txn->schema.state)
		return txn_rows_add_schema(&txn->rows, schema);
	txn->schema = schema;
	return 0;
}

int aedb_txn_conflict(const struct aedb_txn *txn, size_t i,
		      struct aedb_conflict *ret)
{
	if (i >= txn->n_conflicts)
		return AEDB_NOT_FOUND;
	*ret = txn->conflicts[i];
	return 0;
}

/* The stages of a committed transaction go on over what was committed. */
static void stages_settle(const struct aedb_txn *txn)
{
	for (size_t i = 0; i < txn->n_stages; i++)
		stage_settle(txn->stages[i].stage, txn->stages[i].mark);
}

/* The record of what is committed once, as the last operation: once. */
static int record_add(struct aedb_txn *txn)
{
	struct once *once = txn->once;
	struct op op;
	int rc = 0;

	if (txn->has_record)
		return 0;
	rc = once_end(once, &op);
	if (rc < 0)
		return rc;
	txn->once = NULL;
	rc = txn_add(txn, &op);
	txn->once = once;
	txn->has_record = rc == 0;
	return rc;
}

int aedb_txn_commit(struct aedb_txn *txn, aedb_seq_t *ret_seq)
{
	seq_t seq = txn->batch ? txn->batch->view.seq : db_visible(txn->db);
	int rc = 0;

	if (!txn->n_ops && txn->guards && txn->guards->n)
		return err_set(AEDB_INVALID,
			       "a transaction of nothing but assertions");
	if (txn->once && (txn->n_ops || once_is_in_part(txn->once)))
		rc = record_add(txn);
	if (rc == 0 && txn->n_ops)
		rc = txn->batch ? batch_apply(txn, &seq) : commit_run(txn, &seq);
	if (rc < 0)
		return rc;
	/* of a repetition nothing was executed */
	if (!once_was_repeat(txn->once)) {
		stages_settle(txn);
		guards_give_results(txn->guards);
	}
	aedb_txn_abort(txn);
	if (ret_seq)
		*ret_seq = seq;
	return 0;
}
