/*
 * Transactions of a load.
 *
 * Invariant: scopes and stages stay open until the transaction that names them
 * has ended; the scope that is written to stays open behind it.
 */
#include "load_txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static int load_failure(const struct load_txn *load, int rc)
{
	return failure_engine(rc, "%s", load->target->what);
}

void load_txn_init(struct load_txn *load, struct target *target)
{
	*load = (struct load_txn){ .target = target };
}

/* Closes what the ended transaction held, but for the scope in use. */
static void close_held(struct load_txn *load, unsigned keep)
{
	while (load->n_stages > 0)
		aedb_stage_close(load->stages[--load->n_stages]);
	for (unsigned i = 0; i + keep < load->n_scopes; i++)
		aedb_scope_close(load->scopes[i]);
	if (keep && load->n_scopes > 1)
		load->scopes[0] = load->scopes[load->n_scopes - 1];
	load->n_scopes = load->n_scopes < keep ? load->n_scopes : keep;
}

void load_txn_abort(struct load_txn *load)
{
	if (load->txn)
		aedb_txn_abort(load->txn);
	load->txn = NULL;
}

void load_txn_release(struct load_txn *load)
{
	load_txn_abort(load);
	if (load->stage)
		aedb_stage_close(load->stage);
	free(load->copies);
	close_held(load, 0);
}

int load_txn_begin(struct load_txn *load)
{
	int rc = load->txn ? 0 : aedb_txn_begin(load->target->db, &load->txn);

	return rc < 0 ? load_failure(load, rc) : 0;
}

int load_txn_begin_whole(struct load_txn *load)
{
	load->is_whole = true;
	return load_txn_begin(load);
}

int load_txn_commit(struct load_txn *load)
{
	int rc = load->txn ? aedb_txn_commit(load->txn, NULL) : 0;

	if (rc < 0)
		return load_failure(load, rc);
	load->commits += load->txn != NULL;
	load->txn = NULL;
	load->is_whole = false;
	load->ops = 0;
	load->bytes = 0;
	close_held(load, 1);
	return 0;
}

int load_txn_room(struct load_txn *load, unsigned ops, size_t bytes)
{
	int rc = 0;

	if (!load->is_whole && (load->ops >= LOAD_TXN_OPS ||
				load->bytes + bytes > LOAD_TXN_BYTES ||
				load->n_scopes == LOAD_TXN_HELD ||
				load->n_stages == LOAD_TXN_HELD))
		rc = load_txn_commit(load);
	if (rc == 0)
		rc = load_txn_begin(load);
	load->ops += ops;
	load->bytes += bytes;
	return rc;
}

/* Before an operation of so many bytes. */
static int make_room(struct load_txn *load, size_t bytes)
{
	return load_txn_room(load, 1, bytes);
}

/* A pointer in any case: without attributes it shall have none. */
static const void *attr_of(const struct dump_line *line)
{
	return line->attr ? line->attr : "";
}

static size_t attr_bytes_of(const struct dump_line *line)
{
	return line->attr ? line->attr_bytes : 0;
}

/* NULL: the commit's time. */
static const int64_t *mtime_of(const struct dump_line *line)
{
	return line->mtime_ns == AEDB_MTIME_NONE ? NULL : &line->mtime_ns;
}

static void name_place(struct load_txn *load, struct aedb_place place)
{
	snprintf(load->target->what, sizeof(load->target->what),
		 "%.200s: %s%s%s", load->target->path,
		 place.project ? place.project : "", place.scope ? "/" : "",
		 place.scope ? place.scope : "");
}

int load_txn_place_attr(struct load_txn *load, struct aedb_place place,
			const struct dump_line *line)
{
	int rc = make_room(load, line->attr_bytes);

	if (rc < 0)
		return rc;
	rc = aedb_txn_place_attr(load->txn, place, attr_of(line),
				 attr_bytes_of(line), mtime_of(line));
	return rc < 0 ? load_failure(load, rc) : 0;
}

int load_txn_create(struct load_txn *load, struct aedb_place place,
		    const struct dump_line *line)
{
	struct aedb_scope *scope = NULL;
	int rc = make_room(load, line->attr_bytes);

	if (rc < 0)
		return rc;
	name_place(load, place);
	rc = aedb_txn_create(load->txn, place, attr_of(line),
			     attr_bytes_of(line), place.scope ? &scope : NULL);
	if (rc < 0)
		return load_failure(load, rc);
	if (scope)
		load->scopes[load->n_scopes++] = scope;
	return load_txn_place_attr(load, place, line);
}

int load_txn_enter(struct load_txn *load, struct aedb_place place)
{
	int rc = make_room(load, 0);

	if (rc < 0)
		return rc;
	name_place(load, place);
	rc = aedb_scope_open(load->target->db, place.project, place.scope,
			     &load->scopes[load->n_scopes]);
	if (rc < 0)
		return load_failure(load, rc);
	load->n_scopes++;
	return 0;
}

static int put(struct load_txn *load, struct aedb_scope *space,
	       const struct dump_line *line, struct aedb_stage *stage)
{
	struct aedb_put entry = {
		.key = line->name, .key_bytes = line->name_bytes,
		.value = line->value, .value_bytes = line->value_bytes,
		.stage = stage,
		.attr = attr_of(line), .attr_bytes = attr_bytes_of(line),
		.mtime_ns = mtime_of(line),
	};
	struct target_key key = { line->name, line->name_bytes };
	int rc = aedb_txn_put(load->txn, space, &entry);

	return rc < 0 ? target_failure(load->target, &key, rc) : 0;
}

static bool is_small(const struct dump_line *line)
{
	return line->bytes <= AEDB_VALUE_INLINE_MAX;
}

/* Keeps the line until its value is there. */
static int begin_value(struct load_txn *load, const struct dump_line *line)
{
	size_t attr_bytes = attr_bytes_of(line);
	size_t value_bytes = is_small(line) ? (size_t)line->bytes : 0;
	uint8_t *copies = calloc(1, line->name_bytes + attr_bytes +
					    value_bytes + 1);
	int rc;

	if (!copies)
		return failure_system(ENOMEM, "%s", load->target->what);
	if (!is_small(line)) {
		rc = aedb_stage_open(load->target->db, NULL, &load->stage);
		if (rc < 0) {
			free(copies);
			return load_failure(load, rc);
		}
	}
	memcpy(copies, line->name, line->name_bytes);
	memcpy(copies + line->name_bytes, attr_of(line), attr_bytes);
	load->copies = copies;
	load->value = copies + line->name_bytes + attr_bytes;
	load->line = *line;
	load->line.name = copies;
	if (line->attr)
		load->line.attr = copies + line->name_bytes;
	if (is_small(line)) {
		load->line.value = load->value;
		load->line.value_bytes = value_bytes;
	}
	return 0;
}

int load_txn_put(struct load_txn *load, const struct dump_line *line)
{
	size_t in_memory = line->bytes > AEDB_VALUE_INLINE_MAX ?
				   0 : (size_t)line->bytes;
	int rc = make_room(load, line->name_bytes + line->attr_bytes + in_memory);
	struct aedb_scope *scope;

	if (rc < 0)
		return rc;
	scope = load->scopes[load->n_scopes - 1];
	load->space = line->kind == DUMP_KEY ? scope : aedb_scope_dirs(scope);
	return line->value ? put(load, load->space, line, NULL) :
			     begin_value(load, line);
}

int load_txn_part(struct load_txn *load, const struct dump_line *line)
{
	int rc;

	if (!load->stage) {
		memcpy(load->value + line->offset, line->value,
		       line->value_bytes);
		return 0;
	}
	rc = aedb_stage_write(load->stage, line->value, line->value_bytes,
			      line->offset);
	return rc < 0 ? load_failure(load, rc) : 0;
}

/* What no part had at the end, and the stage is the transaction's. */
static int end_stage(struct load_txn *load)
{
	int rc = 0;

	if (aedb_stage_bytes(load->stage) < load->line.bytes)
		rc = aedb_stage_truncate(load->stage, load->line.bytes);
	if (rc < 0)
		return load_failure(load, rc);
	rc = put(load, load->space, &load->line, load->stage);
	load->stages[load->n_stages++] = load->stage;
	load->stage = NULL;
	return rc;
}

int load_txn_end_value(struct load_txn *load)
{
	int rc;

	if (!load->copies)
		return 0;
	rc = load->stage ? end_stage(load) :
			   put(load, load->space, &load->line, NULL);
	free(load->copies);
	load->copies = NULL;
	return rc;
}
