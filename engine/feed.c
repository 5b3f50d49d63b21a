/*
 * The feed of commits: operations as the log has them.
 *
 * Names of scopes and tables are looked up by id, in a table made of the catalog as it is when
 * one is met that the table does not have, or after places changed.
 */
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "aedb_feed.h"
#include "commit_watch.h"
#include "db.h"
#include "err.h"
#include "read.h"
#include "wal_follow.h"

/* What a scope or table is called. */
struct scope_name {
	uint64_t id;
	char project[AEDB_NAME_BYTES_MAX + 1];
	char scope[AEDB_NAME_BYTES_MAX + 1];
	char table[AEDB_NAME_BYTES_MAX + 1];	/* "": a scope */
};

struct scope_names {
	struct scope_name *at;		/* owned */
	size_t n, max;
	bool is_stale;
};

struct aedb_feed {
	struct aedb *db;
	struct aedb_caller *caller;	/* borrowed: who is told; NULL: everybody */
	struct wal_follow *follow;	/* owned */
	struct wal_commit commit;	/* that `rest` is of */
	struct byte_reader rest;	/* operations of it not yet told */
	seq_t seq;			/* of the one told last */
	bool is_at_end;			/* nothing was left to tell, of all up to */
	seq_t end;			/* this number */
	bool is_watching;		/* it waited once */
	_Atomic bool is_woken;		/* atomic: nobody is to wait any more */
	struct scope_names names;
	char place[2][3][AEDB_NAME_BYTES_MAX + 1];	/* of the last change told */
};

static struct wal_extent extent_now(struct aedb *db)
{
	/* in this order: what is visible lies in these files */
	seq_t seq = db_visible(db);

	return (struct wal_extent){
		seq, db->wal ? wal_newest_number(db->wal) : db->log_file };
}

static int range_check(const struct aedb_feed *c, seq_t from,
		       const struct wal_extent *extent)
{
	seq_t first = wal_follow_first(c->follow);

	if (!from || from >= first || from > extent->seq)
		return 0;
	if (first > extent->seq)
		return err_set(AEDB_RANGE, "no commit up to %llu is in the log any "
			       "more", (unsigned long long)extent->seq);
	return err_set(AEDB_RANGE, "the log begins with number %llu",
		       (unsigned long long)first);
}

static int feed_open(struct aedb *db, aedb_seq_t from, struct aedb_feed **ret)
{
	struct aedb_feed *c = calloc(1, sizeof(*c));
	struct wal_extent extent = extent_now(db);
	int rc;

	if (!c)
		return err_set(AEDB_NO_MEMORY, "no memory for a feed of commits");
	c->db = db;
	c->names.is_stale = true;
	byte_reader_init(&c->rest, NULL, 0);
	rc = wal_follow_open(db->vfs, manifest_db_uuid(db->manifest),
			     &extent, &c->follow);
	if (rc == 0)
		rc = range_check(c, from, &extent);
	if (rc == 0)
		rc = wal_follow_seek(c->follow, from);
	if (rc < 0) {
		aedb_feed_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void aedb_feed_close(struct aedb_feed *c)
{
	if (!c)
		return;
	if (c->is_watching)
		commit_watch_end(c->db);
	wal_follow_close(c->follow);
	free(c->names.at);
	free(c);
}

/* Names of scopes. */

/* One more, to be filled in. */
static int names_grow(struct scope_names *names, struct scope_name **ret)
{
	if (names->n == names->max) {
		size_t max = names->max ? names->max * 2 : 16;
		struct scope_name *more = realloc(names->at,
						  max * sizeof(*more));

		if (!more)
			return err_set(AEDB_NO_MEMORY, "no memory for names");
		names->at = more;
		names->max = max;
	}
	*ret = &names->at[names->n++];
	return 0;
}

/* The name an entry of the catalog has, as text. */
static void name_copy(const struct aedb_entry *entry, char *ret)
{
	memcpy(ret, entry->key, entry->key_bytes);
	ret[entry->key_bytes] = '\0';
}

static int names_add(struct scope_names *names, const char *project,
		     const struct aedb_entry *scope)
{
	struct scope_name *name;
	int rc = names_grow(names, &name);

	if (rc < 0)
		return rc;
	name->id = scope->id;
	strcpy(name->project, project);
	name_copy(scope, name->scope);
	name->table[0] = '\0';
	return 0;
}

/* The tables of the scope that was added last. */
static int names_add_tables(struct aedb_feed *c)
{
	struct scope_name scope = c->names.at[c->names.n - 1], *name;
	struct aedb_entry entry;
	int rc;

	while ((rc = read_table_next(c->db, NULL, scope.id, scope.table,
				     &entry)) == 0) {
		name_copy(&entry, scope.table);
		rc = names_grow(&c->names, &name);
		if (rc == 0) {
			*name = scope;
			name->id = entry.id;
		}
		aedb_unpin(&entry);
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int names_add_project(struct aedb_feed *c, const char *project)
{
	char after[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;
	int rc;

	while ((rc = read_place_next(c->db, NULL, project, after, &entry)) == 0) {
		rc = names_add(&c->names, project, &entry);
		name_copy(&entry, after);
		aedb_unpin(&entry);
		if (rc == 0)
			rc = names_add_tables(c);
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int name_order(const void *a, const void *b)
{
	const struct scope_name *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int names_load(struct aedb_feed *c)
{
	char project[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;
	int rc;

	c->names.n = 0;
	while ((rc = read_place_next(c->db, NULL, NULL, project, &entry)) == 0) {
		name_copy(&entry, project);
		aedb_unpin(&entry);
		rc = names_add_project(c, project);
		if (rc < 0)
			return rc;
	}
	if (rc != AEDB_NOT_FOUND)
		return rc;
	if (c->names.n)
		qsort(c->names.at, c->names.n, sizeof(c->names.at[0]),
		      name_order);
	c->names.is_stale = false;
	return 0;
}

static const struct scope_name *names_find(const struct scope_names *names,
					   uint64_t id)
{
	struct scope_name key = { .id = id };

	return names->n ? bsearch(&key, names->at, names->n, sizeof(key),
				  name_order) : NULL;
}

static int scope_place(struct aedb_feed *c, uint64_t id, struct aedb_place *ret,
		       const char **ret_table)
{
	const struct scope_name *name;

	if (c->names.is_stale) {
		int rc = names_load(c);

		if (rc < 0)
			return rc;
	}
	name = names_find(&c->names, id);
	if (!name)
		return 0;
	*ret = (struct aedb_place){ name->project, name->scope };
	*ret_table = name->table[0] ? name->table : NULL;
	return 0;
}

/* Operations -> changes. */

static int key_set(struct aedb_feed *c, const struct op_key *key,
		   struct aedb_feed_key *ret, struct aedb_place *ret_place,
		   const char **ret_table)
{
	*ret = (struct aedb_feed_key){
		.bytes = key->at,
		.n = key->n,
		.scope_id = key->tree / 2,
		.is_directory = key->tree % 2 == PLANE_DIRS,
	};
	return scope_place(c, ret->scope_id, ret_place, ret_table);
}

static const char *name_set(struct op_bytes name, char *to)
{
	if (!name.n)
		return NULL;
	memcpy(to, name.at, name.n);
	to[name.n] = '\0';
	return to;
}

static int place_set(struct aedb_feed *c, const struct op_place *place,
		     int i, struct aedb_place *ret, const char **ret_table)
{
	const char *none;

	if (place->table.n) {
		/* names given out stay where they are */
		c->names.is_stale |= i == 0;
		*ret_table = name_set(place->table, c->place[i][2]);
		return scope_place(c, place->scope_id, ret, &none);
	}
	ret->project = name_set(place->project, c->place[i][0]);
	ret->scope = name_set(place->scope, c->place[i][1]);
	c->names.is_stale = true;
	return 0;
}

static uint64_t value_bytes(const struct op *op)
{
	struct value_ref ref;

	if (!(op->flags & OP_IS_REF))
		return op->value.n;
	return value_ref_decode(op->value.at, op->value.n, &ref) < 0 ? 0 :
								       ref.bytes;
}

/* Entries of indexes: their rows are told. */
static bool op_is_of_index(const struct op *op)
{
	return !op_is_of_place(op) && (op->flags & OP_OF_TABLE) &&
	       op->key.tree % 2 == PLANE_DIRS && op->key.n;
}

static enum aedb_change_of of_op(const struct op *op)
{
	bool is_record = op->key.tree % 2 == PLANE_DIRS;

	if (op_is_of_place(op))
		return op->place.table.n ? AEDB_OF_TABLE : AEDB_OF_PLACE;
	if (op->flags & OP_OF_TABLE)
		return is_record ? AEDB_OF_TABLE : AEDB_OF_ROW;
	return is_record ? AEDB_OF_DIRECTORY : AEDB_OF_KEY;
}

/* Whether users know what the operation did. */
static bool op_is_told(const struct op *op)
{
	if (op->kind == OP_NOTHING || op_is_of_index(op))
		return false;
	return op->key.tree / 2 >= SPACE_SCOPES_FIRST / 2 || op_is_of_place(op);
}

static int change_of_op(struct aedb_feed *c, const struct op *op,
			struct aedb_feed_change *ret)
{
	static const enum aedb_feed_kind kinds[] = {
		[OP_PUT] = AEDB_FEED_PUT,
		[OP_DELETE] = AEDB_FEED_DELETE,
		[OP_SET_ATTR] = AEDB_FEED_ATTR,
		[OP_TOUCH] = AEDB_FEED_TOUCH,
		[OP_MOVE] = AEDB_FEED_MOVE,
		[OP_EXCHANGE] = AEDB_FEED_EXCHANGE,
		[OP_CREATE] = AEDB_FEED_CREATE,
		[OP_DROP] = AEDB_FEED_DROP,
		[OP_RENAME] = AEDB_FEED_RENAME,
		[OP_PLACE_ATTR] = AEDB_FEED_ATTR,
		[OP_PLACE_TOUCH] = AEDB_FEED_TOUCH,
		[OP_OBJECT] = AEDB_FEED_PUT,
	};
	int rc = 0;

	*ret = (struct aedb_feed_change){
		.kind = kinds[op->kind],
		.of = of_op(op),
		.seq = c->seq,
		.commit = c->commit.first_seq + c->commit.op_count - 1,
		.time_ns = (int64_t)c->commit.time_us * 1000,
		.value_bytes = kinds[op->kind] == AEDB_FEED_PUT ?
				       value_bytes(op) : 0,
	};
	if (op_is_of_place(op)) {
		rc = place_set(c, &op->place, 0, &ret->place, &ret->table);
		if (rc == 0 && op->kind == OP_RENAME)
			rc = place_set(c, &op->to_place, 1, &ret->to_place,
				       &ret->to_table);
		return rc;
	}
	rc = key_set(c, &op->key, &ret->key, &ret->place, &ret->table);
	if (rc == 0 && (op->kind == OP_MOVE || op->kind == OP_EXCHANGE))
		rc = key_set(c, &op->to_key, &ret->to_key, &ret->to_place,
			     &ret->to_table);
	return rc;
}

/* Goes to the next commit. */
static int commit_take(struct aedb_feed *c)
{
	struct wal_extent extent = extent_now(c->db);
	int rc = wal_follow_next(c->follow, &extent, &c->commit);

	c->is_at_end = rc == 0;
	c->end = extent.seq;
	if (rc <= 0)
		return rc < 0 ? rc : AEDB_NOT_FOUND;
	c->seq = c->commit.first_seq - 1;
	byte_reader_init(&c->rest, c->commit.payload, c->commit.payload_bytes);
	return 0;
}

/* The next operation, whose number c->seq is then. */
static int op_take(struct aedb_feed *c, struct op *ret)
{
	int rc = byte_reader_left(&c->rest) ? 0 : commit_take(c);

	if (rc == 0)
		rc = op_decode(&c->rest, ret);
	c->seq++;
	return rc;
}

/* What a caller is told of. */

/* The id of a place by the name it has now; 0: it is gone. */
static int place_id(struct aedb_feed *c, struct aedb_place place, uint64_t *ret)
{
	struct aedb_entry entry;
	int rc = 0;

	*ret = 0;
	if (place.project)
		rc = read_place_stat(c->db, NULL, place, &entry);
	if (rc < 0 || !place.project)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	*ret = entry.id;
	aedb_unpin(&entry);
	return 0;
}

/* Where the scope or table lies, as of now. */
static int where_find(struct aedb_feed *c, uint64_t id, bool is_table,
		      struct access_where *ret)
{
	struct aedb_place place;
	const char *table;
	int rc = scope_place(c, id, &place, &table);

	if (rc == 0)
		rc = place_id(c, (struct aedb_place){ place.project, NULL },
			      &ret->project);
	ret->scope = id;
	if (rc == 0 && is_table)
		rc = place_id(c, place, &ret->scope);
	return rc;
}

/* Whether it may read a key, or the table, that a change names: 1, or 0. */
static int key_is_told(struct aedb_feed *c, const struct op *op,
		       const struct op_key *key)
{
	bool is_table = op->flags & OP_OF_TABLE;
	struct access_where where;
	struct rights *rights;
	uint8_t number[8];
	int rc = where_find(c, key->tree / 2, is_table, &where);

	if (rc == 0)
		rc = access_rights_at(c->caller, &where, &rights);
	if (rc < 0)
		return rc;
	catalog_number_key(key->tree / 2, number);
	rc = is_table ? rights_hold(rights, AEDB_TABLE_READ, number, sizeof(number)) :
			rights_hold(rights, AEDB_KV_READ, key->at, key->n);
	rights_free(rights);
	return rc;
}

static int place_is_told(struct aedb_feed *c)
{
	static const struct access_where all;
	struct rights *rights;
	int rc = access_rights_at(c->caller, &all, &rights);

	if (rc < 0)
		return rc;
	rc = rights_hold_all(rights, AEDB_GLOBAL_ADMIN);
	rights_free(rights);
	return rc;
}

/* One key of two: it went away, or something came. */
static void op_halve(struct op *op, bool is_told, bool is_to_told)
{
	bool is_gone = is_told && op->kind == OP_MOVE;

	if (is_to_told)
		op->key = op->to_key;
	op->kind = is_gone ? OP_DELETE : OP_PUT;
	op->flags = 0;
	op->value = (struct op_bytes){ 0 };
}

/* Leaves of an operation what the caller is told: 1, or 0: nothing. */
static int op_reduce(struct aedb_feed *c, struct op *op)
{
	int is_told, is_to_told;

	if (op_is_of_place(op))
		return place_is_told(c);
	is_told = key_is_told(c, op, &op->key);
	if (is_told < 0 || (op->kind != OP_MOVE && op->kind != OP_EXCHANGE))
		return is_told;
	is_to_told = key_is_told(c, op, &op->to_key);
	if (is_to_told < 0)
		return is_to_told;
	if (is_told != is_to_told)
		op_halve(op, is_told, is_to_told);
	return is_told || is_to_told;
}

static int op_filter(struct aedb_feed *c, struct op *op)
{
	if (!op_is_told(op))
		return 0;
	return c->caller ? op_reduce(c, op) : 1;
}

int aedb_feed_next(struct aedb_feed *c, struct aedb_feed_change *ret)
{
	int is_told = 0, rc = 0;
	struct op op;

	while (rc == 0 && !is_told) {
		rc = op_take(c, &op);
		if (rc == 0)
			is_told = op_filter(c, &op);
		if (is_told < 0)
			return is_told;
	}
	return rc < 0 ? rc : change_of_op(c, &op, ret);
}

int aedb_feed_open(struct aedb *db, aedb_seq_t from, struct aedb_feed **ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : feed_open(db, from, ret);
}

int aedb_feed_open_as(struct aedb_caller *caller, aedb_seq_t from,
		      struct aedb_feed **ret)
{
	int rc = feed_open(caller->db, from, ret);

	if (rc == 0 && !caller->is_system)
		(*ret)->caller = caller;
	return rc;
}

/* Waiting. */

int aedb_feed_wait(struct aedb_feed *c, uint64_t timeout_ns)
{
	uint64_t now_ns = db_clock_ns();
	uint64_t deadline_ns = timeout_ns < UINT64_MAX - now_ns ?
				       now_ns + timeout_ns : 0;

	if (!c->is_watching) {
		commit_watch_begin(c->db);
		c->is_watching = true;
	}
	return commit_watch_wait(c->db, c->is_at_end ? c->end : 0, &c->is_woken,
				 deadline_ns);
}

void aedb_feed_wake(struct aedb_feed *c)
{
	atomic_store(&c->is_woken, true);
	commit_watch_wake(c->db);
}
