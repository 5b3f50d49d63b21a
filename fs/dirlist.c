/*
 * Listing a directory: keys, directory records and pending files merged.
 *
 * A child's position is its key's part behind the directory's, with a "/" at
 * the end. In this order a directory made by the keys inside it comes where
 * those keys do, so keys and what they imply need one pass. Files and records
 * come earlier in their key spaces ("a" before "a-b", but "a/" behind it), and
 * wait on a stack until the others have passed: each waiting child's key begins
 * with that of the one below it, so there are never more than a name has bytes.
 *
 * Invariants
 * 1. Children leave the stack in ascending order of position, each once.
 * 2. Of a key and a directory of one name the directory is listed.
 * 3. What waits when a reader stops is found again through its name: it is a
 *    beginning of the last entry's.
 */
#include "dirlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHILD_TAIL_MAX (DIRLIST_POS_BYTES_MAX - 2)

/* One source's next child, with the place where it comes in its key space. */
struct arrival {
	bool is_there;
	size_t at_bytes;		/* of the entry's position: with or
					 * without the "/" */
	struct dirlist_entry *entry;	/* owned; NULL: none taken yet */
};

struct dirlist {
	struct tree *tree;
	struct node *dir;		/* borrowed until dirlist_close */
	enum dirlist_detail detail;
	struct dirlist_mark after;
	struct place place;
	size_t head_bytes;		/* of keys in this directory before the
					 * child's part */
	struct aedb_scan *keys, *records;
	struct object_draft **pending;	/* sorted by position; borrowed: nothing
					 * is committed during a listing */
	size_t n_pending, next_pending;
	struct arrival from_keys, from_records, from_pending;
	struct dirlist_entry *waiting;	/* a stack; owned */
	struct dirlist_entry *given;	/* the last one returned; owned */
	struct dirlist_entry *spare;	/* a list; owned */
};

static int compare(const uint8_t *a, size_t a_bytes, const uint8_t *b,
		   size_t b_bytes)
{
	int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int compare_marks(const struct dirlist_mark *a,
			 const struct dirlist_mark *b)
{
	return compare(a->pos, a->pos_bytes, b->pos, b->pos_bytes);
}

/* Entries. */

static void entry_spare(struct dirlist *list, struct dirlist_entry *entry)
{
	if (!entry)
		return;
	entry->below = list->spare;
	list->spare = entry;
}

/* An entry that waited before, or a new one; NULL when there is no memory. */
static struct dirlist_entry *entry_take(struct dirlist *list)
{
	struct dirlist_entry *entry = list->spare;

	if (!entry)
		return malloc(sizeof(*entry));
	list->spare = entry->below;
	return entry;
}

static void entries_free(struct dirlist_entry *entry)
{
	while (entry) {
		struct dirlist_entry *below = entry->below;

		free(entry);
		entry = below;
	}
}

/* Sources. */

/* Makes room for a source's next child. */
static int arrival_begin(struct dirlist *list, struct arrival *arrival)
{
	arrival->is_there = false;
	if (!arrival->entry)
		arrival->entry = entry_take(list);
	return arrival->entry ? 0 : -ENOMEM;
}

/* The child whose key's part here is `tail`. */
static int set_position(struct dirlist_entry *entry, const uint8_t *tail,
			size_t tail_bytes)
{
	if (tail_bytes > CHILD_TAIL_MAX)
		return -EIO;
	memcpy(entry->mark.pos, tail, tail_bytes);
	entry->mark.pos[tail_bytes] = '/';
	entry->mark.pos_bytes = (uint16_t)(tail_bytes + 1);
	entry->mark.is_past_own = true;
	return 0;
}

static int decode(struct dirlist *list, const struct aedb_entry *entry,
		  mode_t type, struct object *ret)
{
	if (list->detail == DIRLIST_TYPES)
		return object_decode_type(entry, type, ret);
	return object_decode(entry, type, &list->tree->config.defaults, ret);
}

static int take_file(struct dirlist *list, const struct aedb_entry *key,
		     struct arrival *ret)
{
	struct found *found = &ret->entry->found;
	int rc = set_position(ret->entry,
			      (const uint8_t *)key->key + list->head_bytes,
			      key->key_bytes - list->head_bytes);

	if (rc < 0)
		return rc;
	ret->at_bytes = ret->entry->mark.pos_bytes - 1u;
	found->kind = NODE_FILE;
	found->is_made = false;
	return decode(list, key, S_IFREG, &found->object);
}

/* Where a directory with a long name holds keys that do not continue with "/",
 * other keys may lie between them, and some come behind the directory's
 * position, where an earlier reading may have stopped; only the first counts. */
static int is_first_inside(struct dirlist *list, const struct aedb_entry *key,
			   const struct path_step *step, bool *ret)
{
	struct aedb_entry first;
	struct aedb_scan *scan;
	struct place child;
	int rc;

	*ret = compare_marks(&list->from_keys.entry->mark, &list->after) > 0;
	if (!*ret)
		return 0;
	place_init(&child, &list->place, key->key, step->child_bytes);
	rc = place_first_key(&child, &scan, &first);
	if (rc < 0)
		return rc;
	*ret = compare(first.key, first.key_bytes, key->key, key->key_bytes) ==
	       0;
	aedb_scan_close(scan);
	return 0;
}

static int take_implied(struct dirlist *list, const struct aedb_entry *key,
			struct arrival *ret)
{
	struct dirlist_entry *entry = ret->entry;
	int rc = set_position(entry,
			      (const uint8_t *)key->key + list->head_bytes,
			      entry->step.child_bytes - list->head_bytes);

	if (rc < 0)
		return rc;
	entry->found.kind = NODE_DIR;
	entry->found.is_made = false;
	object_implicit(list->dir->id, entry->step.name, key,
			&list->tree->config.defaults, &entry->found.object);
	ret->at_bytes = entry->mark.pos_bytes;
	return 0;
}

static int next_key(struct dirlist *list)
{
	struct arrival *ret = &list->from_keys;
	struct path_step *step;
	struct aedb_entry key;
	bool is_first;
	int rc = arrival_begin(list, ret);

	if (rc < 0)
		return rc;
	step = &ret->entry->step;
	while ((rc = aedb_scan_next(list->keys, &key)) == 0) {
		path_step(&list->place.dir, key.key, key.key_bytes, step);
		is_first = true;
		if (step->kind == PATH_OWN)
			continue;
		if (step->kind == PATH_LEAF)
			rc = take_file(list, &key, ret);
		else if (step->kind == PATH_BELOW)
			rc = take_implied(list, &key, ret);
		if (rc == 0 && step->kind == PATH_BELOW && step->may_repeat)
			rc = is_first_inside(list, &key, step, &is_first);
		if (rc == 0 && step->kind != PATH_LEAF)
			rc = aedb_scan_skip(list->keys, key.key,
					    step->skip_bytes);
		if (rc < 0)
			return rc;
		if (step->kind == PATH_ELSEWHERE || !is_first)
			continue;
		ret->is_there = true;
		return 0;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int take_made(struct dirlist *list, const struct aedb_entry *record,
		     const struct path_dir *dir)
{
	struct arrival *ret = &list->from_records;
	struct found *found = &ret->entry->found;
	int rc = set_position(ret->entry, dir->key + list->head_bytes,
			      dir->key_bytes - list->head_bytes);

	if (rc < 0)
		return rc;
	ret->at_bytes = ret->entry->mark.pos_bytes - 1u;
	ret->is_there = true;
	found->kind = NODE_DIR;
	found->is_made = true;
	return decode(list, record, S_IFDIR, &found->object);
}

static int next_record(struct dirlist *list)
{
	struct aedb_entry record;
	struct path_step *step;
	struct path_dir dir;
	size_t extra;
	int rc = arrival_begin(list, &list->from_records);

	if (rc < 0)
		return rc;
	step = &list->from_records.entry->step;
	while ((rc = aedb_scan_next(list->records, &record)) == 0) {
		path_dir_init_record(&dir, record.key, record.key_bytes);
		if (dir.is_root)
			continue;
		path_step(&list->place.dir, dir.key, dir.key_bytes, step);
		if (step->kind == PATH_OWN)
			continue;
		if (step->kind == PATH_LEAF)
			return take_made(list, &record, &dir);
		extra = record.key_bytes - dir.key_bytes;
		rc = aedb_scan_skip(list->records, record.key,
				    step->skip_bytes + extra);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int next_pending(struct dirlist *list)
{
	struct arrival *ret = &list->from_pending;
	struct object_draft *draft;
	struct path_child child;
	const char *name;
	int rc = arrival_begin(list, ret);

	if (rc < 0)
		return rc;
	while (list->next_pending < list->n_pending) {
		draft = list->pending[list->next_pending++];
		name = node_name(draft->node);
		if (path_child(&list->place.dir, name, strlen(name),
			       &child) < 0 || child.kind != PATH_LEAF)
			continue;
		path_step(&list->place.dir, child.key, child.key_bytes,
			  &ret->entry->step);
		if (set_position(ret->entry, child.key + list->head_bytes,
				 child.key_bytes - list->head_bytes) < 0 ||
		    compare_marks(&ret->entry->mark, &list->after) <= 0)
			continue;
		ret->at_bytes = ret->entry->mark.pos_bytes - 1u;
		ret->entry->found.kind = NODE_FILE;
		ret->entry->found.object = draft->object;
		ret->is_there = true;
		break;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct object_draft *const *x = a, *const *y = b;

	return strcmp(node_name((*x)->node), node_name((*y)->node));
}

/* By name, which for keys without escapes is by key; what is out of order is
 * listed late, and once. */
static int collect_pending(struct dirlist *list)
{
	struct node_directory *dir = node_directory(list->dir);
	struct object_draft *draft;
	size_t n = 0;

	LIST_FOREACH(draft, &dir->pending, next_pending)
		n++;
	if (n == 0)
		return 0;
	list->pending = malloc(n * sizeof(*list->pending));
	if (!list->pending)
		return -ENOMEM;
	LIST_FOREACH(draft, &dir->pending, next_pending)
		list->pending[list->n_pending++] = draft;
	qsort(list->pending, n, sizeof(*list->pending), compare_names);
	return 0;
}

/* Waiting. */

/* The top is the first in the order. */
static void wait(struct dirlist *list, struct dirlist_entry *entry)
{
	struct dirlist_entry **at = &list->waiting;

	while (*at && compare_marks(&(*at)->mark, &entry->mark) < 0)
		at = &(*at)->below;
	entry->below = *at;
	*at = entry;
}

/* The children that wait behind the mark: their keys are beginnings of its. */
static int wait_again(struct dirlist *list)
{
	struct dirlist_mark *after = &list->after;
	uint8_t key[PATH_RECORD_BYTES_MAX];
	struct dirlist_entry *entry;
	int rc;

	if (after->pos_bytes == 0)
		return 0;
	path_dir_scan_prefix(&list->place.dir, key);
	memcpy(key + list->head_bytes, after->pos, after->pos_bytes);
	for (size_t n = 0; n + 1 < after->pos_bytes; n++) {
		if (after->pos[n] >= '/')
			continue;
		entry = entry_take(list);
		if (!entry)
			return -ENOMEM;
		path_step(&list->place.dir, key, list->head_bytes + n,
			  &entry->step);
		rc = -ENOENT;
		if (entry->step.kind == PATH_LEAF)
			rc = find_in_place(list->tree, &list->place,
					   list->dir->id, entry->step.name,
					   &entry->found);
		if (rc == 0)
			rc = set_position(entry, after->pos, n);
		if (rc == 0)
			wait(list, entry);
		else
			entry_spare(list, entry);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return 0;
}

/* The order. */

static int open_scan(struct dirlist *list, struct aedb_scope *scope,
		     const uint8_t *prefix, size_t prefix_bytes,
		     struct aedb_scan **ret)
{
	uint8_t from[PATH_RECORD_BYTES_MAX + DIRLIST_POS_BYTES_MAX];
	struct aedb_range range = { .prefix = prefix,
				    .prefix_bytes = prefix_bytes };
	struct dirlist_mark *after = &list->after;

	if (after->pos_bytes) {
		memcpy(from, prefix, prefix_bytes);
		memcpy(from + prefix_bytes, after->pos, after->pos_bytes);
		range.from = from;
		range.from_bytes = prefix_bytes + after->pos_bytes;
		/* Behind all that lies in the entry as a directory, too. */
		from[range.from_bytes - 1] = '/' + 1;
	}
	return aedb_scan_open(scope, list->tree->view, &range, ret);
}

static int open_in_scope(struct dirlist *list)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX + 1];
	int rc = place_of_directory(list->tree, list->dir, &list->place);

	if (rc < 0)
		return rc;
	list->head_bytes = path_dir_scan_prefix(&list->place.dir, prefix);
	rc = open_scan(list, list->place.keys, prefix, list->head_bytes,
		       &list->keys);
	if (rc == 0)
		rc = open_scan(list, list->place.dirs, prefix,
			       place_records_prefix(&list->place, prefix),
			       &list->records);
	if (rc == 0)
		rc = collect_pending(list);
	if (rc == 0)
		rc = wait_again(list);
	if (rc == 0)
		rc = next_key(list);
	if (rc == 0)
		rc = next_record(list);
	return rc < 0 ? rc : next_pending(list);
}

int dirlist_open(struct tree *tree, struct node *dir,
		 enum dirlist_detail detail, const struct dirlist_mark *after,
		 struct dirlist **ret)
{
	struct dirlist *list;
	int rc = 0;

	if (tree_is_lost(tree))
		return -ESTALE;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	list->tree = tree;
	list->dir = dir;
	list->detail = detail;
	list->after = *after;
	if (!node_is_orphan(dir) &&
	    (dir->kind == NODE_SCOPE || dir->kind == NODE_DIR))
		rc = open_in_scope(list);
	if (rc < 0)
		dirlist_close(list);
	else
		*ret = list;
	return rc;
}

static int next_in_catalog(struct dirlist *list, struct dirlist_entry *ret)
{
	char name[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_entry entry;
	struct node *dir = list->dir;
	struct dirlist_mark *after = &list->after;
	int rc;

	memcpy(name, after->pos, after->pos_bytes);
	name[after->pos_bytes] = '\0';
	rc = aedb_place_next(list->tree->db, list->tree->view,
			     dir->kind == NODE_ROOT ? NULL : node_name(dir),
			     name,
			     &entry);
	if (rc < 0)
		return rc;
	memcpy(ret->step.name, entry.key, entry.key_bytes);
	ret->step.name[entry.key_bytes] = '\0';
	memcpy(after->pos, entry.key, entry.key_bytes);
	after->pos_bytes = (uint16_t)entry.key_bytes;
	ret->mark = *after;
	ret->found.kind = dir->kind == NODE_ROOT ? NODE_PROJECT : NODE_SCOPE;
	ret->found.is_made = true;
	rc = decode(list, &entry, S_IFDIR, &ret->found.object);
	aedb_unpin(&entry);
	return rc;
}

/* A snapshot; in a project those that were made after it. */
static int next_snapshot(struct dirlist *list, struct dirlist_entry *ret)
{
	const struct node *shown = list->dir->parent;
	struct dirlist_mark *after = &list->after;
	struct aedb_snapshot_info info;
	int rc;

	memcpy(info.name, after->pos, after->pos_bytes);
	info.name[after->pos_bytes] = '\0';
	do {
		rc = aedb_snapshot_next(list->tree->db, info.name, &info);
	} while (rc == 0 && shown->kind == NODE_PROJECT && info.seq < shown->id);
	if (rc < 0)
		return rc;
	strcpy(ret->step.name, info.name);
	after->pos_bytes = (uint16_t)strlen(info.name);
	memcpy(after->pos, info.name, after->pos_bytes);
	ret->mark = *after;
	ret->found.kind = shown->kind;
	ret->found.is_made = true;
	ret->found.object.id = (uint64_t)TREE_SNAPSHOT << INO_KIND_SHIFT |
			       shown->id;
	ret->found.object.attr.mode = S_IFDIR;
	return 0;
}

static int next_batch(struct dirlist *list, struct dirlist_entry *ret)
{
	struct dirlist_mark *after = &list->after;
	char name[AEDB_NAME_BYTES_MAX + 1];
	struct batch *batch;

	memcpy(name, after->pos, after->pos_bytes);
	name[after->pos_bytes] = '\0';
	LIST_FOREACH(batch, &list->tree->mount->batches, next)
		if (strcmp(batch->name, name) > 0)
			break;
	if (!batch)
		return -ENOENT;
	strcpy(ret->step.name, batch->name);
	after->pos_bytes = (uint16_t)strlen(batch->name);
	memcpy(after->pos, batch->name, after->pos_bytes);
	ret->mark = *after;
	ret->found.kind = NODE_ROOT;
	ret->found.is_made = true;
	ret->found.object.id = batch->tree->ino_bits | OBJECT_ROOT_ID;
	ret->found.object.attr.mode = S_IFDIR;
	return 0;
}

/* The directory's own key, of which "%" is the name. */
static int next_own(struct dirlist *list, struct dirlist_entry *ret)
{
	struct node *node;
	int rc = 0;

	list->after.is_past_own = true;
	if (list->place.dir.is_root)
		return -ENOENT;
	node = node_find(list->tree->nodes, list->dir, "%");
	strcpy(ret->step.name, "%");
	ret->mark = list->after;
	if (node && node_is_pending(node)) {
		ret->found.kind = NODE_FILE;
		ret->found.is_made = false;
		ret->found.object = node->draft->object;
	} else {
		rc = find_in_place(list->tree, &list->place, list->dir->id, "%",
				   &ret->found);
	}
	if (node)
		node_unref(list->tree->nodes, node, 1);
	return rc;
}

static struct arrival *first_arrival(struct dirlist *list)
{
	struct arrival *all[] = { &list->from_keys, &list->from_records,
				  &list->from_pending };
	struct arrival *first = NULL;

	if (!list->from_records.is_there && !list->from_pending.is_there)
		return list->from_keys.is_there ? &list->from_keys : NULL;
	for (size_t i = 0; i < 3; i++) {
		if (!all[i]->is_there)
			continue;
		if (!first || compare(all[i]->entry->mark.pos, all[i]->at_bytes,
				      first->entry->mark.pos,
				      first->at_bytes) < 0)
			first = all[i];
	}
	return first;
}

/* Puts the arrival on the stack, or in the place of a child of the same name
 * there, and takes its source's next. */
static int arrive(struct dirlist *list, struct arrival *arrival)
{
	struct dirlist_entry *top = list->waiting, *entry = arrival->entry;

	if (top && compare_marks(&top->mark, &entry->mark) == 0) {
		if (top->found.kind == NODE_FILE) {
			list->waiting = top->below;
			entry_spare(list, top);
			wait(list, entry);
			arrival->entry = NULL;
		}
	} else {
		wait(list, entry);
		arrival->entry = NULL;
	}
	if (arrival == &list->from_keys)
		return next_key(list);
	if (arrival == &list->from_records)
		return next_record(list);
	return next_pending(list);
}

static bool is_next(const struct dirlist_entry *top,
		    const struct arrival *arrival)
{
	return !arrival || compare(top->mark.pos, top->mark.pos_bytes,
				   arrival->entry->mark.pos,
				   arrival->at_bytes) < 0;
}

static int next_in_scope(struct dirlist *list)
{
	struct arrival *arrival;
	int rc;

	for (;;) {
		arrival = first_arrival(list);
		if (list->waiting && is_next(list->waiting, arrival)) {
			list->given = list->waiting;
			list->waiting = list->given->below;
			return 0;
		}
		if (!arrival)
			return -ENOENT;
		rc = arrive(list, arrival);
		if (rc < 0)
			return rc;
	}
}

/* An entry that comes without waiting. */
static int next_alone(struct dirlist *list,
		      int (*find)(struct dirlist *, struct dirlist_entry *))
{
	struct dirlist_entry *entry = entry_take(list);
	int rc = entry ? find(list, entry) : -ENOMEM;

	if (rc < 0)
		entry_spare(list, entry);
	else
		list->given = entry;
	return rc;
}

int dirlist_next(struct dirlist *list, const struct dirlist_entry **ret)
{
	enum node_kind kind = list->dir->kind;
	int rc = -ENOENT;

	entry_spare(list, list->given);
	list->given = NULL;
	if (node_is_orphan(list->dir))
		return -ENOENT;
	if (kind == NODE_ROOT || kind == NODE_PROJECT) {
		rc = next_alone(list, next_in_catalog);
	} else if (kind == NODE_SNAPSHOTS) {
		rc = next_alone(list, next_snapshot);
	} else if (kind == NODE_BATCHES) {
		rc = next_alone(list, next_batch);
	} else {
		if (!list->after.is_past_own)
			rc = next_alone(list, next_own);
		if (rc == -ENOENT)
			rc = next_in_scope(list);
	}
	if (rc == 0)
		*ret = list->given;
	return rc;
}

void dirlist_close(struct dirlist *list)
{
	if (!list)
		return;
	if (list->keys)
		aedb_scan_close(list->keys);
	if (list->records)
		aedb_scan_close(list->records);
	free(list->pending);
	free(list->from_keys.entry);
	free(list->from_records.entry);
	free(list->from_pending.entry);
	free(list->given);
	entries_free(list->waiting);
	entries_free(list->spare);
	free(list);
}
