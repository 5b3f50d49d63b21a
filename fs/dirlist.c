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

#define WAITING_MIN 4
#define CHILD_TAIL_MAX (DIRLIST_POS_BYTES_MAX - 2)

/* One source's next child, with the place where it comes in its key space. */
struct arrival {
	bool is_there;
	size_t at_bytes;		/* of the entry's position: with or
					 * without the "/" */
	struct dirlist_entry entry;
};

struct dirlist {
	struct tree *tree;
	struct node *dir;		/* borrowed until dirlist_close */
	struct dirlist_mark after;
	struct place place;
	size_t head_bytes;		/* of keys in this directory before the
					 * child's part */
	struct aedb_scan *keys, *records;
	struct node **pending;		/* sorted by position; counted by being
					 * pending */
	size_t n_pending, next_pending;
	struct arrival from_keys, from_records, from_pending;
	struct dirlist_entry *waiting;
	size_t n_waiting, waiting_max;
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

/* ---- sources ----------------------------------------------------------- */

/* The child whose key's part here is `tail`. */
static int set_position(struct dirlist_entry *entry, const uint8_t *tail,
			size_t tail_bytes, const struct path_step *step)
{
	if (tail_bytes > CHILD_TAIL_MAX)
		return -EIO;
	memcpy(entry->name, step->name, step->name_bytes + 1);
	memcpy(entry->mark.pos, tail, tail_bytes);
	entry->mark.pos[tail_bytes] = '/';
	entry->mark.pos_bytes = (uint16_t)(tail_bytes + 1);
	entry->mark.is_past_own = true;
	return 0;
}

static int take_file(struct dirlist *list, const struct aedb_entry *key,
		     const struct path_step *step, struct arrival *ret)
{
	struct found *found = &ret->entry.found;
	int rc = set_position(&ret->entry,
			      (const uint8_t *)key->key + list->head_bytes,
			      key->key_bytes - list->head_bytes, step);

	if (rc < 0)
		return rc;
	ret->at_bytes = ret->entry.mark.pos_bytes - 1u;
	found->kind = NODE_FILE;
	found->is_made = false;
	return object_decode(key, S_IFREG, &list->tree->config.defaults,
			     &found->object);
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

	*ret = compare_marks(&list->from_keys.entry.mark, &list->after) > 0;
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
			const struct path_step *step, struct arrival *ret)
{
	struct dirlist_entry *entry = &ret->entry;
	int rc = set_position(entry,
			      (const uint8_t *)key->key + list->head_bytes,
			      step->child_bytes - list->head_bytes, step);

	if (rc < 0)
		return rc;
	entry->found.kind = NODE_DIR;
	entry->found.is_made = false;
	object_implicit(list->dir->id, entry->name, key,
			&list->tree->config.defaults, &entry->found.object);
	ret->at_bytes = entry->mark.pos_bytes;
	return 0;
}

static int next_key(struct dirlist *list)
{
	struct arrival *ret = &list->from_keys;
	struct aedb_entry key;
	struct path_step step;
	bool is_first;
	int rc;

	ret->is_there = false;
	while ((rc = aedb_scan_next(list->keys, &key)) == 0) {
		path_step(&list->place.dir, key.key, key.key_bytes, &step);
		is_first = true;
		if (step.kind == PATH_OWN)
			continue;
		if (step.kind == PATH_LEAF)
			rc = take_file(list, &key, &step, ret);
		else if (step.kind == PATH_BELOW)
			rc = take_implied(list, &key, &step, ret);
		if (rc == 0 && step.kind == PATH_BELOW && step.may_repeat)
			rc = is_first_inside(list, &key, &step, &is_first);
		if (rc == 0 && step.kind != PATH_LEAF)
			rc = aedb_scan_skip(list->keys, key.key,
					    step.skip_bytes);
		if (rc < 0)
			return rc;
		if (step.kind == PATH_ELSEWHERE || !is_first)
			continue;
		ret->is_there = true;
		return 0;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int take_made(struct dirlist *list, const struct aedb_entry *record,
		     const struct path_dir *dir, const struct path_step *step)
{
	struct arrival *ret = &list->from_records;
	struct found *found = &ret->entry.found;
	int rc = set_position(&ret->entry, dir->key + list->head_bytes,
			      dir->key_bytes - list->head_bytes, step);

	if (rc < 0)
		return rc;
	ret->at_bytes = ret->entry.mark.pos_bytes - 1u;
	ret->is_there = true;
	found->kind = NODE_DIR;
	found->is_made = true;
	return object_decode(record, S_IFDIR, &list->tree->config.defaults,
			     &found->object);
}

static int next_record(struct dirlist *list)
{
	struct aedb_entry record;
	struct path_step step;
	struct path_dir dir;
	size_t extra;
	int rc;

	list->from_records.is_there = false;
	while ((rc = aedb_scan_next(list->records, &record)) == 0) {
		path_dir_init_record(&dir, record.key, record.key_bytes);
		if (dir.is_root)
			continue;
		path_step(&list->place.dir, dir.key, dir.key_bytes, &step);
		if (step.kind == PATH_OWN)
			continue;
		if (step.kind == PATH_LEAF)
			return take_made(list, &record, &dir, &step);
		extra = record.key_bytes - dir.key_bytes;
		rc = aedb_scan_skip(list->records, record.key,
				    step.skip_bytes + extra);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

static void next_pending(struct dirlist *list)
{
	struct arrival *ret = &list->from_pending;
	struct path_child child;
	struct path_step step;
	struct node *node;

	ret->is_there = false;
	while (list->next_pending < list->n_pending) {
		node = list->pending[list->next_pending++];
		if (path_child(&list->place.dir, node->name, strlen(node->name),
			       &child) < 0 || child.kind != PATH_LEAF)
			continue;
		path_step(&list->place.dir, child.key, child.key_bytes, &step);
		if (set_position(&ret->entry, child.key + list->head_bytes,
				 child.key_bytes - list->head_bytes,
				 &step) < 0 ||
		    compare_marks(&ret->entry.mark, &list->after) <= 0)
			continue;
		ret->at_bytes = ret->entry.mark.pos_bytes - 1u;
		ret->entry.found.kind = NODE_FILE;
		ret->entry.found.object = node->draft->object;
		ret->is_there = true;
		return;
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* By name, which for keys without escapes is by key; what is out of order is
 * listed late, and once. */
static int collect_pending(struct dirlist *list)
{
	struct node *node;
	size_t n = 0;

	LIST_FOREACH(node, &list->dir->pending, next_pending)
		n++;
	if (n == 0)
		return 0;
	list->pending = malloc(n * sizeof(struct node *));
	if (!list->pending)
		return -ENOMEM;
	LIST_FOREACH(node, &list->dir->pending, next_pending)
		list->pending[list->n_pending++] = node;
	qsort(list->pending, n, sizeof(struct node *), compare_names);
	return 0;
}

/* ---- waiting ----------------------------------------------------------- */

/* The top is the first in the order. */
static int wait(struct dirlist *list, const struct dirlist_entry *entry)
{
	size_t at;

	if (list->n_waiting == list->waiting_max) {
		size_t max = list->waiting_max ? list->waiting_max * 2 :
						 WAITING_MIN;
		struct dirlist_entry *grown =
			realloc(list->waiting, max * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->waiting = grown;
		list->waiting_max = max;
	}
	at = list->n_waiting++;
	while (at > 0 && compare_marks(&list->waiting[at - 1].mark,
				       &entry->mark) < 0) {
		list->waiting[at] = list->waiting[at - 1];
		at--;
	}
	list->waiting[at] = *entry;
	return 0;
}

/* The children that wait behind the mark: their keys are beginnings of its. */
static int wait_again(struct dirlist *list)
{
	struct dirlist_mark *after = &list->after;
	uint8_t key[PATH_RECORD_BYTES_MAX];
	struct dirlist_entry entry;
	struct path_step step;
	int rc;

	if (after->pos_bytes == 0)
		return 0;
	path_dir_scan_prefix(&list->place.dir, key);
	memcpy(key + list->head_bytes, after->pos, after->pos_bytes);
	for (size_t n = 0; n + 1 < after->pos_bytes; n++) {
		if (after->pos[n] >= '/')
			continue;
		path_step(&list->place.dir, key, list->head_bytes + n, &step);
		if (step.kind != PATH_LEAF)
			continue;
		rc = find_in_place(list->tree, &list->place, list->dir->id,
				   step.name, &entry.found);
		if (rc == -ENOENT)
			continue;
		if (rc == 0)
			rc = set_position(&entry, after->pos, n, &step);
		if (rc == 0)
			rc = wait(list, &entry);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- the order --------------------------------------------------------- */

static int open_scan(struct dirlist *list, struct aedb_scope *scope,
		     const uint8_t *prefix, size_t prefix_bytes,
		     struct aedb_scan **ret)
{
	uint8_t from[PATH_RECORD_BYTES_MAX + DIRLIST_POS_BYTES_MAX];
	struct aedb_range range = { .prefix = prefix,
				    .prefix_bytes = prefix_bytes };
	struct dirlist_mark *after = &list->after;
	int rc;

	memcpy(from, prefix, prefix_bytes);
	memcpy(from + prefix_bytes, after->pos, after->pos_bytes);
	if (after->pos_bytes) {
		range.from = from;
		range.from_bytes = prefix_bytes + after->pos_bytes;
	}
	rc = aedb_scan_open(scope, NULL, &range, ret);
	if (rc < 0 || !after->pos_bytes)
		return rc;
	return aedb_scan_skip(*ret, range.from, range.from_bytes);
}

static int open_in_scope(struct dirlist *list)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX + 1];
	int rc = place_of_directory(list->dir, &list->place);

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
	next_pending(list);
	return rc;
}

int dirlist_open(struct tree *tree, struct node *dir,
		 const struct dirlist_mark *after, struct dirlist **ret)
{
	struct dirlist *list = calloc(1, sizeof(*list));
	int rc = 0;

	if (!list)
		return -ENOMEM;
	list->tree = tree;
	list->dir = dir;
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
	rc = aedb_place_next(list->tree->db, NULL,
			     dir->kind == NODE_ROOT ? NULL : dir->name, name,
			     &entry);
	if (rc < 0)
		return rc;
	memcpy(ret->name, entry.key, entry.key_bytes);
	ret->name[entry.key_bytes] = '\0';
	memcpy(after->pos, entry.key, entry.key_bytes);
	after->pos_bytes = (uint16_t)entry.key_bytes;
	ret->mark = *after;
	ret->found.kind = dir->kind == NODE_ROOT ? NODE_PROJECT : NODE_SCOPE;
	ret->found.is_made = true;
	rc = object_decode(&entry, S_IFDIR, &list->tree->config.defaults,
			   &ret->found.object);
	aedb_unpin(&entry);
	return rc;
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
	strcpy(ret->name, "%");
	ret->mark = list->after;
	if (node && node_is_pending(node)) {
		ret->found.kind = NODE_FILE;
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

	for (size_t i = 0; i < 3; i++) {
		if (!all[i]->is_there)
			continue;
		if (!first || compare(all[i]->entry.mark.pos, all[i]->at_bytes,
				      first->entry.mark.pos,
				      first->at_bytes) < 0)
			first = all[i];
	}
	return first;
}

static int pass(struct dirlist *list, struct arrival *arrival)
{
	if (arrival == &list->from_keys)
		return next_key(list);
	if (arrival == &list->from_records)
		return next_record(list);
	next_pending(list);
	return 0;
}

/* Puts the arrival on the stack, or in the place of a child of the same name
 * there. */
static int arrive(struct dirlist *list, struct arrival *arrival)
{
	struct dirlist_entry *top = NULL;
	int rc = 0;

	if (list->n_waiting)
		top = &list->waiting[list->n_waiting - 1];
	if (!top || compare_marks(&top->mark, &arrival->entry.mark) != 0)
		rc = wait(list, &arrival->entry);
	else if (top->found.kind == NODE_FILE)
		*top = arrival->entry;
	return rc < 0 ? rc : pass(list, arrival);
}

static bool is_next(const struct dirlist_entry *top,
		    const struct arrival *arrival)
{
	return !arrival || compare(top->mark.pos, top->mark.pos_bytes,
				   arrival->entry.mark.pos,
				   arrival->at_bytes) < 0;
}

int dirlist_next(struct dirlist *list, struct dirlist_entry *ret)
{
	struct arrival *arrival;
	int rc;

	if (node_is_orphan(list->dir))
		return -ENOENT;
	if (list->dir->kind == NODE_ROOT || list->dir->kind == NODE_PROJECT)
		return next_in_catalog(list, ret);
	if (!list->after.is_past_own) {
		rc = next_own(list, ret);
		if (rc != -ENOENT)
			return rc;
	}
	for (;;) {
		arrival = first_arrival(list);
		if (list->n_waiting &&
		    is_next(&list->waiting[list->n_waiting - 1], arrival)) {
			*ret = list->waiting[--list->n_waiting];
			return 0;
		}
		if (!arrival)
			return -ENOENT;
		rc = arrive(list, arrival);
		if (rc < 0)
			return rc;
	}
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
	free(list->waiting);
	free(list);
}
