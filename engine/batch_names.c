/*
 * Names of projects, scopes and tables, by id.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_names.h"
#include "err.h"
#include "space_walk.h"

#define NAMES_MIN 16
#define WALK_NAMES 1024	/* in one stay in the epoch */

void batch_names_free(struct batch_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->n; i++) {
		free(names->at[i].side[BATCH_BASE].name);
		free(names->at[i].side[BATCH_VIEW].name);
	}
	free(names->at);
	free(names);
}

static int name_add(struct batch_names *names, enum batch_side side,
		    const struct entry *entry)
{
	struct op_bytes key = { entry->key, entry->key_bytes };
	uint64_t parent = 0;
	enum catalog_level level = catalog_key_level(key, &parent);
	size_t head = level == CATALOG_PROJECT ? 1 : CATALOG_HEAD_BYTES;
	struct batch_name *name;

	if (names->n == names->max) {
		size_t max = names->max ? names->max * 2 : NAMES_MIN;
		struct batch_name *grown = realloc(names->at,
						   max * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for names");
		names->at = grown;
		names->max = max;
	}
	name = &names->at[names->n];
	*name = (struct batch_name){ .id = entry->id, .level = level };
	name->side[side].is_there = true;
	name->side[side].parent = parent;
	name->side[side].name = strndup((const char *)key.at + head,
					key.n - head);
	if (!name->side[side].name)
		return err_set(AEDB_NO_MEMORY, "no memory for names");
	names->n++;
	return 0;
}

/* So many from the walk's place on, *key being the last one taken. */
static int names_take(struct batch_names *names, enum batch_side side,
		      struct space_walk *walk, struct catalog_key *key)
{
	int rc = space_walk_start(walk);

	if (rc == 0)
		rc = space_walk_seek(walk, MEM_SEEK_GT, key->bytes, key->n);
	for (int i = 0; rc == MERGE_ENTRY && i < WALK_NAMES; i++) {
		const struct entry *entry = space_walk_entry(walk);

		memcpy(key->bytes, entry->key, entry->key_bytes);
		key->n = entry->key_bytes;
		/* the database itself has no name */
		if (key->n > 1)
			rc = name_add(names, side, entry);
		rc = rc < 0 ? rc : space_walk_next(walk);
	}
	return rc;
}

static int side_collect(struct aedb_batch *batch, enum batch_side side,
			struct batch_names *names)
{
	struct space *space = side == BATCH_VIEW ? &batch->catalog.names :
						   &batch->db->catalog.names;
	struct catalog_key key = { .n = 0 };
	struct space_walk walk;
	int rc;

	space_walk_init(&walk, space, side == BATCH_VIEW ?
			batch->view.seq : batch->branch.base_seq);
	do {
		epoch_enter(batch->db->epoch);
		rc = names_take(names, side, &walk, &key);
		epoch_leave(batch->db->epoch);
	} while (rc > 0);
	space_walk_release(&walk);
	return rc;
}

static int name_compare(const void *a, const void *b)
{
	const struct batch_name *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Each is there once for each side that has it; makes one of two. */
static void sides_join(struct batch_names *names)
{
	size_t kept = 0;

	qsort(names->at, names->n, sizeof(*names->at), name_compare);
	for (size_t i = 0; i < names->n; i++) {
		const struct batch_name *name = &names->at[i];
		enum batch_side side = name->side[BATCH_VIEW].is_there ?
					       BATCH_VIEW : BATCH_BASE;

		if (kept && names->at[kept - 1].id == name->id)
			names->at[kept - 1].side[side] = name->side[side];
		else
			names->at[kept++] = *name;
	}
	names->n = kept;
}

int batch_names_make(struct aedb_batch *batch)
{
	struct batch_names *names;
	int rc;

	if (batch->names)
		return 0;
	names = calloc(1, sizeof(*names));
	if (!names)
		return err_set(AEDB_NO_MEMORY, "no memory for names");
	rc = side_collect(batch, BATCH_BASE, names);
	if (rc == 0)
		rc = side_collect(batch, BATCH_VIEW, names);
	if (rc < 0) {
		batch_names_free(names);
		return rc;
	}
	if (names->n)
		sides_join(names);
	batch->names = names;
	return 0;
}

const struct batch_name *batch_names_find(const struct batch_names *names,
					  uint64_t id)
{
	struct batch_name sought = { .id = id };

	if (!names->n)
		return NULL;
	return bsearch(&sought, names->at, names->n, sizeof(sought),
		       name_compare);
}

static enum batch_side side_of(const struct batch_name *name,
			       enum batch_side wanted)
{
	enum batch_side other = wanted == BATCH_VIEW ? BATCH_BASE : BATCH_VIEW;

	return name->side[wanted].is_there ? wanted : other;
}

bool batch_names_place(const struct batch_names *names, uint64_t id,
		       enum batch_side side, struct aedb_place *ret,
		       const char **ret_table)
{
	const char *texts[CATALOG_TABLE + 1] = { NULL };

	for (;;) {
		const struct batch_name *name = batch_names_find(names, id);

		if (!name)
			return false;
		side = side_of(name, side);
		texts[name->level] = name->side[side].name;
		if (name->level == CATALOG_PROJECT)
			break;
		id = name->side[side].parent;
	}
	*ret = (struct aedb_place){ texts[CATALOG_PROJECT],
				    texts[CATALOG_SCOPE] };
	*ret_table = texts[CATALOG_TABLE];
	return true;
}

void batch_names_key(const struct batch_name *name, enum batch_side side,
		     struct catalog_key *ret)
{
	const char *text = name->side[side].name;

	switch (name->level) {
	case CATALOG_PROJECT:
		catalog_project_key((struct op_bytes){ text, strlen(text) }, ret);
		return;
	case CATALOG_SCOPE:
		catalog_scopes_prefix(name->side[side].parent, ret);
		break;
	case CATALOG_TABLE:
		catalog_tables_prefix(name->side[side].parent, ret);
		break;
	}
	catalog_key_append(ret, (struct op_bytes){ text, strlen(text) });
}
