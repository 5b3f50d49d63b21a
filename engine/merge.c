/*
 * Merging.
 *
 * Invariants:
 *  1. `order` holds the sources that stand on something, in the order of the
 *     walk: by key, and raw, of one key, newest version first, and of one
 *     version, who was added first.
 *  2. Between calls the walk stands where order[0] does, and no other source
 *     stands on the same: raw, the same version; else, the same key.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "levels.h"
#include "mem_key.h"
#include "merge.h"
#include "merge_run.h"

#define TREE_ID_BYTES 8

/* Either a tree or a run of segments. */
struct source {
	struct mem_tree *tree;		/* borrowed; NULL: a run */
	seq_t upto;			/* of the tree; 0: the view's limit */
	struct mem_walk walk;		/* in the tree */
	struct merge_run run;
	struct segment *segment;	/* what a run of one points to */
	const struct entry *entry;	/* what it stands on */
	size_t place;			/* so many were added before it */
};

struct merge {
	struct merge_view view;
	uint64_t tree_id;		/* constant */
	struct source **sources;	/* the first n are in use; all owned */
	struct source **order;
	size_t n, n_order, n_made, room;
	size_t put_bytes;		/* of segments, into the cache */
	const void *until;		/* borrowed */
	size_t until_bytes;
	size_t sought_bytes;
	uint8_t sought[MERGE_KEY_ROOM];	/* the key sought, as segments have it */
};

static int merge_new(bool is_of_tree, uint64_t tree_id, struct merge **ret)
{
	struct merge *m = malloc(sizeof(*m));

	if (!m)
		return err_set(AEDB_NO_MEMORY, "no memory to merge");
	m->tree_id = tree_id;
	m->view.walk = MERGE_RAW;
	m->put_bytes = 0;
	m->view.put_bytes = &m->put_bytes;
	m->view.reading = is_of_tree ? SEGMENT_CACHED : SEGMENT_STREAMED;
	m->view.limit = SEQ_MAX;
	m->view.skip = is_of_tree ? TREE_ID_BYTES : 0;
	m->view.work_left = UINT64_MAX;
	m->view.until_bytes = 0;
	m->sources = m->order = NULL;
	m->n = m->n_order = m->n_made = m->room = 0;
	m->until = NULL;
	m->until_bytes = 0;
	*ret = m;
	return 0;
}

int merge_open(struct merge **ret)
{
	return merge_new(false, 0, ret);
}

int merge_open_tree(uint64_t tree_id, struct merge **ret)
{
	return merge_new(true, tree_id, ret);
}

void merge_close(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_made; i++) {
		merge_run_release(&m->sources[i]->run);
		free(m->sources[i]);
	}
	free(m->sources);
	free(m->order);
	free(m);
}

void merge_clear(struct merge *m)
{
	m->n = m->n_order = 0;
}

/* Sources. */

static bool pointers_grow(struct source ***pointers, size_t room)
{
	struct source **grown = realloc(*pointers, room * sizeof(*grown));

	if (grown)
		*pointers = grown;
	return grown;
}

static int source_add(struct merge *m, struct source **ret)
{
	size_t room = m->room ? m->room * 2 : 8;
	struct source *s;

	if (m->n == m->room) {
		if (!pointers_grow(&m->sources, room) ||
		    !pointers_grow(&m->order, room))
			return err_set(AEDB_NO_MEMORY, "no memory to merge");
		m->room = room;
	}
	if (m->n == m->n_made) {
		s = malloc(sizeof(*s));
		if (!s)
			return err_set(AEDB_NO_MEMORY, "no memory to merge");
		merge_run_init(&s->run);
		m->sources[m->n_made++] = s;
	}
	m->sources[m->n]->place = m->n;
	*ret = m->sources[m->n++];
	return 0;
}

int merge_add_tree_upto(struct merge *m, struct mem_tree *tree, seq_t upto)
{
	struct source *s;
	int rc = source_add(m, &s);

	if (rc < 0)
		return rc;
	s->tree = tree;
	s->upto = upto;
	return 0;
}

int merge_add_run(struct merge *m, struct segment *const *segments, size_t n)
{
	struct source *s;
	int rc = source_add(m, &s);

	if (rc < 0)
		return rc;
	s->tree = NULL;
	merge_run_set(&s->run, segments, n);
	return 0;
}

int merge_add_segment(struct merge *m, struct segment *segment)
{
	int rc = merge_add_run(m, NULL, 0);
	struct source *s;

	if (rc < 0)
		return rc;
	s = m->sources[m->n - 1];
	s->segment = segment;
	merge_run_set(&s->run, &s->segment, 1);
	return 0;
}

int merge_add_levels(struct merge *m, const struct levels *levels)
{
	int rc = 0;

	for (size_t i = 0; i < levels->n[0] && rc == 0; i++)
		rc = merge_add_segment(m, levels->at[0][i]);
	for (size_t level = 1; level < LEVELS_MAX && rc == 0; level++)
		if (levels->n[level])
			rc = merge_add_run(m, levels->at[level],
					   levels->n[level]);
	return rc;
}

static bool source_is_resting(const struct source *s)
{
	return !s->tree && s->run.is_resting;
}

static bool tree_is_inside(const struct merge *m, const struct entry *entry)
{
	int order;

	if (!m->until)
		return true;
	order = key_compare(entry->key, entry->key_bytes, m->until,
			    m->until_bytes);
	return m->view.walk == MERGE_BACKWARD ? order >= 0 : order < 0;
}

/* The next thing on this source: as merge_run_step. */
static inline int source_step(struct merge *m, struct source *s)
{
	bool is_found;

	if (!s->tree)
		return merge_run_step(&s->run, &m->view);
	is_found = m->view.walk == MERGE_BACKWARD ? mem_walk_prev(&s->walk) :
						    mem_walk_next(&s->walk);
	return is_found && tree_is_inside(m, s->entry);
}

/* Order. */

/* By key alone. */
static inline int source_compare(const struct merge *m, const struct source *a,
				 const struct source *b)
{
	int order = key_compare(a->entry->key, a->entry->key_bytes,
				b->entry->key, b->entry->key_bytes);

	return m->view.walk == MERGE_BACKWARD ? -order : order;
}

static bool source_is_before(const struct merge *m, const struct source *a,
			     const struct source *b)
{
	int order = source_compare(m, a, b);

	if (order != 0 || m->view.walk != MERGE_RAW)
		return order < 0;
	return a->entry->seq != b->entry->seq ? a->entry->seq > b->entry->seq :
						a->place < b->place;
}

/* Puts order[i], which went on, in its place among those behind it. */
static void order_sink(struct merge *m, size_t i)
{
	struct source *s = m->order[i];
	size_t low = i + 1, high = m->n_order;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source_is_before(m, m->order[middle], s))
			low = middle + 1;
		else
			high = middle;
	}
	memmove(m->order + i, m->order + i + 1,
		(low - 1 - i) * sizeof(*m->order));
	m->order[low - 1] = s;
}

static void order_remove(struct merge *m, size_t i)
{
	m->n_order--;
	memmove(m->order + i, m->order + i + 1,
		(m->n_order - i) * sizeof(*m->order));
}

/* The second goes on, or the first, which is not put in its place then. */
static int second_step(struct merge *m)
{
	int rc = source_step(m, m->order[1]);

	if (rc == 0)
		order_remove(m, 1);
	else if (rc > 0)
		order_sink(m, 1);
	return rc;
}

static inline int first_step(struct merge *m)
{
	int rc = source_step(m, m->order[0]);

	if (rc == 0)
		order_remove(m, 0);
	return rc;
}

/* Walks. */

/* Drops what is in the order twice at its beginning: MERGE_ENTRY, MERGE_END or
 * an error. */
static int raw_select(struct merge *m)
{
	while (m->n_order > 1) {
		const struct source *a = m->order[0], *b = m->order[1];
		int rc;

		if (source_is_before(m, b, a)) {
			order_sink(m, 0);
			continue;
		}
		if (source_compare(m, a, b) || a->entry->seq != b->entry->seq)
			break;
		rc = second_step(m);
		if (rc < 0)
			return rc;
	}
	return m->n_order ? MERGE_ENTRY : MERGE_END;
}

static void work_count(struct merge *m)
{
	if (m->view.work_left)
		m->view.work_left--;
}

/* Two sources stand on one key: who has the older version goes on. */
static int tie_break(struct merge *m)
{
	const struct source *a = m->order[0], *b = m->order[1];

	if (source_is_resting(a) || source_is_resting(b))
		return MERGE_REST;
	work_count(m);
	return a->entry->seq < b->entry->seq ? first_step(m) : second_step(m);
}

/* order[0] comes to its place, and to be the only one on its key:
 * MERGE_ENTRY, MERGE_END, MERGE_REST or an error. */
static inline int top_settle(struct merge *m)
{
	while (m->n_order > 1) {
		int order = source_compare(m, m->order[0], m->order[1]), rc;

		if (order < 0)
			break;
		if (order > 0) {
			order_sink(m, 0);
			continue;
		}
		rc = tie_break(m);
		if (rc < 0 || rc == MERGE_REST)
			return rc;
	}
	return m->n_order ? MERGE_ENTRY : MERGE_END;
}

/* On the next key, whether it is shown or not. */
static int merge_rest(struct merge *m)
{
	if (!m->n_order)
		return MERGE_END;
	order_sink(m, 0);
	return MERGE_REST;
}

/* From where order[0] came to, to what is shown. */
static inline int show_select(struct merge *m)
{
	for (;;) {
		int rc = top_settle(m);

		if (rc <= 0)
			return rc;
		if (rc == MERGE_REST || source_is_resting(m->order[0]))
			return MERGE_REST;
		if (!m->order[0]->entry->is_tombstone)
			return MERGE_ENTRY;
		work_count(m);
		rc = first_step(m);
		if (rc < 0)
			return rc;
		if (!m->view.work_left)
			return merge_rest(m);
	}
}

int merge_next(struct merge *m)
{
	int rc = first_step(m);

	if (rc < 0)
		return rc;
	return m->view.walk == MERGE_RAW ? raw_select(m) : show_select(m);
}

const struct entry *merge_entry(const struct merge *m)
{
	return m->order[0]->entry;
}

const struct segment *merge_segment(const struct merge *m)
{
	const struct source *s = m->order[0];

	return s->tree ? NULL : s->run.segments[s->run.at];
}

/* Seeking. */

/* A source was sought and stands on something; in its place it comes. */
static void order_add(struct merge *m, struct source *s)
{
	memmove(m->order + 1, m->order, m->n_order * sizeof(*m->order));
	m->order[0] = s;
	m->n_order++;
	order_sink(m, 0);
}

static int run_seek(struct merge *m, struct source *s, enum mem_seek how,
		    const void *key, size_t key_bytes)
{
	s->entry = merge_run_entry(&s->run, &m->view);
	return merge_run_seek(&s->run, &m->view, how, key, key_bytes);
}

static int tree_seek(struct merge *m, struct source *s, enum mem_seek how,
		     const void *key, size_t key_bytes)
{
	s->entry = &s->walk.entry;
	mem_walk_init(&s->walk, s->tree, 0, s->upto ? s->upto : m->view.limit);
	return mem_walk_seek(&s->walk, how, key, key_bytes) &&
	       tree_is_inside(m, s->entry);
}

int merge_seek(struct merge *m, enum mem_seek how, const void *key,
	       size_t key_bytes)
{
	m->n_order = 0;
	for (size_t i = 0; i < m->n; i++) {
		int rc = run_seek(m, m->sources[i], how, key, key_bytes);

		if (rc < 0)
			return rc;
		if (rc)
			order_add(m, m->sources[i]);
	}
	return raw_select(m);
}

/* Writes a key as segments have it, cut at the room; returns its length. */
static size_t key_compose(uint64_t tree_id, const void *key, size_t key_bytes,
			  uint8_t ret[MERGE_KEY_ROOM])
{
	if (key_bytes > MERGE_KEY_ROOM - TREE_ID_BYTES)
		key_bytes = MERGE_KEY_ROOM - TREE_ID_BYTES;
	for (int i = 0; i < TREE_ID_BYTES; i++)
		ret[i] = (uint8_t)(tree_id >> (56 - 8 * i));
	if (key_bytes)
		memcpy(ret + TREE_ID_BYTES, key, key_bytes);
	return TREE_ID_BYTES + key_bytes;
}

void merge_show_bound(struct merge *m, const void *until, size_t until_bytes)
{
	m->until = until;
	m->until_bytes = until_bytes;
}

void merge_show_work(struct merge *m, uint64_t versions_max)
{
	m->view.work_left = versions_max;
}

void merge_show_passing(struct merge *m)
{
	m->view.reading = SEGMENT_WALKED;
}

/* How far the walk goes in segments: within the tree at most. */
static void view_bound(struct merge *m)
{
	struct merge_view *view = &m->view;

	if (m->until || view->walk == MERGE_BACKWARD)
		view->until_bytes = key_compose(m->tree_id, m->until,
						m->until_bytes, view->until);
	else
		view->until_bytes = key_compose(m->tree_id + 1, NULL, 0,
						view->until);
}

/* The key sought in segments, where the ends are those of the tree; returns how
 * it is sought. */
static enum mem_seek sought_set(struct merge *m, enum mem_seek how,
				const void *key, size_t key_bytes)
{
	uint64_t tree_id = m->tree_id;

	if (how == MEM_SEEK_FIRST || how == MEM_SEEK_LAST)
		key_bytes = 0;
	if (how == MEM_SEEK_LAST)
		tree_id++;
	m->sought_bytes = key_compose(tree_id, key, key_bytes, m->sought);
	return how == MEM_SEEK_FIRST ? MEM_SEEK_GE :
	       how == MEM_SEEK_LAST  ? MEM_SEEK_LT :
				       how;
}

int merge_show_seek(struct merge *m, seq_t limit, enum mem_seek how,
		    const void *key, size_t key_bytes)
{
	enum mem_seek run_how = sought_set(m, how, key, key_bytes);

	m->view.walk = mem_seek_is_back(how) ? MERGE_BACKWARD : MERGE_FORWARD;
	m->view.limit = limit;
	view_bound(m);
	m->n_order = 0;
	for (size_t i = 0; i < m->n; i++) {
		struct source *s = m->sources[i];
		int rc = s->tree ? tree_seek(m, s, how, key, key_bytes) :
				   run_seek(m, s, run_how, m->sought,
					    m->sought_bytes);

		if (rc < 0)
			return rc;
		if (rc)
			order_add(m, s);
	}
	return show_select(m);
}
