/*
 * Key spaces over several memtables, with what was flushed below them, against a
 * model: all versions ever put, of every key. The store that stands for segments
 * is filled by raw walks only, as a flush would, and a reader asks memory first.
 */
#include "entry_check.h"
#include "mem_settle.h"
#include "mem_walk.h"

#define KEYS 6000		/* more than MEM_TOMBSTONES_KEPT */
#define SPACES 2
#define LAYERS_MAX 4
#define SNAPSHOTS_MAX 6
#define ROUNDS 5000

struct version {
	seq_t seq;
	bool is_tombstone, is_moved, is_stored;
};

struct model_key {
	char bytes[24];
	uint32_t n;
	struct version *versions;	/* by seq */
	size_t count, room;
};

struct space {
	struct model_key keys[KEYS];
	seq_t from;		/* nothing of it is older */
};

/* A memtable and its trees; those of a space that was dropped since are NULL. */
struct layer {
	struct memtable *mt;
	struct mem_tree *trees[SPACES];
	seq_t first, last;	/* what was put has numbers in (first, last] */
};

/* A reader of the first space who stays inside, with what he looked at first. */
struct reader {
	struct epoch_slot *slot;	/* NULL: there is none */
	struct mem_tree *tree;
	seq_t limit, flushed;
};

static struct {
	struct epoch *epoch;
	struct reader reader;
	struct space spaces[SPACES];
	struct layer layers[LAYERS_MAX];	/* the one written to first */
	size_t count;
	seq_t seq, visible, flushed;
	seq_t snapshots[SNAPSHOTS_MAX + 2];
	size_t snapshot_count;
	seq_t history;		/* so many numbers back are kept */
	char values[4096];
} m;

static size_t below(size_t n)
{
	return check_random() % n;
}

/* What a version holds follows from its number. */
static struct entry entry_of(const struct model_key *k, const struct version *v)
{
	uint64_t r = v->seq * 0x9e3779b97f4a7c15u >> 20;
	struct entry e = {
		.key = k->bytes, .key_bytes = k->n,
		.value = m.values + v->seq % 1000,
		.attr = m.values + v->seq % 777,
		.seq = v->seq, .id = r % 3 ? v->seq : v->seq / 2,
		.time_us = v->seq * 10,
		.mtime_ns = r % 7 ? AEDB_MTIME_NONE : -(int64_t)v->seq,
		.is_tombstone = v->is_tombstone, .is_ref = v->is_moved,
	};

	e.value_bytes = v->is_moved ? (r % 2 ? 16 : 40) :
			r % 20 == 0 ? 1000 + r % 2000 : r % 170;
	if (v->is_tombstone)
		e.value_bytes = 0;
	e.attr_bytes = r % 5 ? 0 : r % 60;
	return e;
}

static void check_entry(const struct entry *got, const struct model_key *k,
			const struct version *v)
{
	struct entry want = entry_of(k, v);

	entry_check(got, &want);
}

/* The model. */

/* In ascending order; the lengths differ. */
static void keys_make(struct space *space)
{
	for (unsigned int i = 0; i < KEYS; i++)
		space->keys[i].n = (uint32_t)snprintf(
			space->keys[i].bytes, sizeof(space->keys[i].bytes),
			"%04u%.*s", i, (int)(i % 17), "abcdefghijklmnopq");
}

static struct model_key *key_at(int space, size_t i)
{
	return &m.spaces[space].keys[i];
}

static void version_add(struct model_key *k, struct version v)
{
	if (k->count == k->room) {
		k->room = k->room ? 2 * k->room : 2;
		k->versions = realloc(k->versions,
				      k->room * sizeof(k->versions[0]));
	}
	k->versions[k->count++] = v;
}

static struct version *version_at(const struct model_key *k, seq_t seq)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->versions[i].seq == seq)
			return &k->versions[i];
	return NULL;
}

/* The newest version at a limit, or NULL. */
static struct version *model_version(const struct model_key *k, seq_t limit)
{
	size_t i = k->count;

	while (i && k->versions[i - 1].seq > limit)
		i--;
	return i ? &k->versions[i - 1] : NULL;
}

static struct retention retention(void)
{
	return (struct retention){
		m.snapshots, m.snapshot_count,
		m.history < m.visible ? m.visible - m.history : 0,
	};
}

/* Whether somebody may read the version: as the newest visible one or later, at
 * a snapshot, or in the history. */
static bool version_is_needed(const struct model_key *k, const struct version *v)
{
	struct retention r = retention();
	bool is_last = v == &k->versions[k->count - 1];

	return is_last || v[1].seq > m.visible ||
	       retention_keeps(&r, v->seq, v[1].seq);
}

static void layer_open(struct layer *layer, const struct layer *older)
{
	CHECK_OK(memtable_open(m.epoch, &layer->mt));
	layer->first = m.seq;
	layer->last = SEQ_MAX;
	for (int s = 0; s < SPACES; s++)
		CHECK_OK(mem_tree_new(layer->mt, older ? older->trees[s] : NULL,
				      &layer->trees[s]));
}

static void model_open(void)
{
	memset(&m, 0, sizeof(m));
	for (size_t i = 0; i < sizeof(m.values); i++)
		m.values[i] = (char)(i * 31 >> 3);
	CHECK_OK(epoch_open(&m.epoch));
	for (int s = 0; s < SPACES; s++)
		keys_make(&m.spaces[s]);
	layer_open(&m.layers[0], NULL);
	m.count = 1;
}

static void space_forget(int space)
{
	for (size_t i = 0; i < KEYS; i++) {
		struct model_key *k = key_at(space, i);

		free(k->versions);
		k->versions = NULL;
		k->count = k->room = 0;
	}
}

static void model_close(void)
{
	for (size_t i = 0; i < m.count; i++)
		memtable_close(m.layers[i].mt);
	for (int s = 0; s < SPACES; s++)
		space_forget(s);
	epoch_close(m.epoch);
}

/* Writing. */

static struct layer *active(void)
{
	return &m.layers[0];
}

static void model_put(int space, struct model_key *k, bool is_tombstone)
{
	struct version v = { .seq = ++m.seq, .is_tombstone = is_tombstone };
	struct entry e = entry_of(k, &v);

	CHECK_OK(memtable_reserve(active()->mt, 1, e.key_bytes +
				  e.value_bytes + e.attr_bytes));
	mem_put(active()->trees[space], &e);
	version_add(k, v);
}

static void put_and_undo(int space, size_t at)
{
	struct model_key *k = key_at(space, at);
	size_t n = 1 + below(3);

	for (size_t i = 0; i < n; i++)
		model_put(space, k, below(2));
	for (size_t i = 0; i < n; i++) {
		mem_undo(active()->trees[space], k->bytes, k->n);
		k->count--;
	}
}

static void settle(void)
{
	seq_t newest = m.snapshot_count ? m.snapshots[m.snapshot_count - 1] : 0;

	m.visible = m.seq;
	mem_settle(active()->mt, m.visible, m.history ? SEQ_MAX : newest);
}

static void work(unsigned int versions)
{
	struct retention r = retention();

	mem_work(active()->mt, &r, versions);
}

static void work_all(void)
{
	struct retention r = retention();

	while (mem_work(active()->mt, &r, 100))
		continue;
}

/* More tombstones than stay; then some of the first ones are superseded. */
static void delete_many(void)
{
	size_t at = below(KEYS);

	for (size_t i = 0; i < KEYS - 500; i++)
		model_put(0, key_at(0, (at + i) % KEYS), true);
	settle();
	for (size_t i = 0; i < 200; i++)
		model_put(0, key_at(0, (at + below(1000)) % KEYS), below(2));
	work(100);
}

/* `deletes` of 8 operations delete. Hot keys are written again and again. */
static void commit_step(unsigned int deletes)
{
	size_t n = 1 + below(below(8) ? 24 : 400), at = below(KEYS);
	bool is_batch = below(2), is_hot = below(3) == 0;
	int space = below(4) == 0;

	for (size_t i = 0; i < n; i++) {
		size_t key = is_hot ? below(20) * 37 :
			     is_batch ? at + i : below(KEYS);

		model_put(space, key_at(space, key % KEYS), below(8) < deletes);
	}
	if (below(8) == 0)
		put_and_undo(space, at);
	if (below(4))
		settle();	/* else together with the next */
}

static void snapshot_add(seq_t seq)
{
	size_t i = m.snapshot_count++;

	for (; i && m.snapshots[i - 1] > seq; i--)
		m.snapshots[i] = m.snapshots[i - 1];
	m.snapshots[i] = seq;
}

static void snapshot_remove(size_t i)
{
	m.snapshot_count--;
	memmove(m.snapshots + i, m.snapshots + i + 1,
		(m.snapshot_count - i) * sizeof(seq_t));
	mem_sweep(active()->mt);
}

static void snapshot_release(seq_t seq)
{
	size_t i = 0;

	while (m.snapshots[i] != seq)
		i++;
	snapshot_remove(i);
}

/* Those of the flush and of the reader stay. */
static void snapshot_step(void)
{
	size_t i = below(SNAPSHOTS_MAX);

	if (m.snapshot_count < SNAPSHOTS_MAX && below(4) == 0)
		snapshot_add(m.visible);
	else if (m.snapshot_count > i && m.snapshots[i] != m.reader.limit)
		snapshot_remove(i);
}

/* The second space goes with all its versions, and begins anew, with nothing
 * below it. */
static void space_drop(void)
{
	for (size_t i = 0; i < 200; i++)
		model_put(1, key_at(1, below(20) * 37), below(4) == 0);
	settle();
	mem_tree_free(active()->trees[1]);
	for (size_t i = 1; i < m.count; i++) {
		mem_tree_free(m.layers[i].trees[1]);	/* does nothing */
		m.layers[i].trees[1] = NULL;
	}
	space_forget(1);
	CHECK_OK(mem_tree_new(active()->mt, NULL, &active()->trees[1]));
}

/* Flushing. */

static void rotate(void)
{
	struct layer sealed = *active();

	settle();
	sealed.last = m.seq;
	memtable_seal(sealed.mt);
	memmove(m.layers + 1, m.layers, m.count++ * sizeof(m.layers[0]));
	m.layers[1] = sealed;
	layer_open(active(), &sealed);
	for (int s = 0; s < SPACES; s++)
		CHECK_EQ(mem_tree_older(active()->trees[s]), sealed.trees[s]);
}

/* What the walk stands on goes to the store, if somebody needs it. */
static void version_store(const struct model_key *k, const struct entry *entry)
{
	struct version *v = version_at(k, entry->seq);

	CHECK(v != NULL);
	check_entry(entry, k, v);
	CHECK(!v->is_stored);
	v->is_stored = version_is_needed(k, v);
}

static const struct model_key *entry_key(int space, const struct entry *e)
{
	char digits[5] = { 0 };

	memcpy(digits, e->key, 4);
	return key_at(space, strtoul(digits, NULL, 10));
}

/* Stores some keys from `key` on; false: there are no more. What it stood on
 * last is copied to `key`, for the next time, in another stay. */
static bool flush_some(int space, struct mem_tree *tree, struct entry *key,
		       seq_t upto)
{
	size_t n = 1 + below(3000);
	struct mem_walk w;
	bool has;

	epoch_enter(m.epoch);
	mem_walk_init(&w, tree, m.flushed, upto);
	has = mem_walk_seek(&w, key->key ? MEM_SEEK_GT : MEM_SEEK_FIRST,
			    key->key, key->key_bytes);
	for (; has && n; has = mem_walk_next(&w), n--) {
		const struct model_key *k = entry_key(space, &w.entry);

		do
			version_store(k, &w.entry);
		while (mem_walk_older(&w));
		*key = (struct entry){ .key = k->bytes, .key_bytes = k->n };
	}
	epoch_leave(m.epoch);
	return has;
}

/* The walk of a layer's trees, with commits in between; the space may be dropped
 * by them. */
static void layer_flush(struct layer *layer, seq_t upto)
{
	for (int s = 0; s < SPACES; s++) {
		struct mem_tree *tree = layer->trees[s];
		struct entry key = { 0 };

		while (tree && flush_some(s, tree, &key, upto)) {
			commit_step(4);
			work(40);
		}
	}
}

/* Whatever somebody needs up to the number is in memory no more alone. */
static void check_stored(seq_t upto)
{
	for (int s = 0; s < SPACES; s++)
		for (size_t i = 0; i < KEYS; i++) {
			const struct model_key *k = key_at(s, i);
			const struct version *v = model_version(k, upto);

			for (; v && v >= k->versions; v--)
				CHECK(v->is_stored || v->is_tombstone ||
				      !version_is_needed(k, v));
		}
}

/* As a checkpoint that leaves the memtable in place. */
static void flush_in_place(void)
{
	seq_t upto;

	settle();
	upto = m.visible;
	snapshot_add(upto);
	for (int s = 0; s < SPACES; s++)
		mem_tree_set_in_segments(active()->trees[s]);
	layer_flush(active(), upto);
	check_stored(upto);
	m.flushed = upto;
	memtable_set_flushed(active()->mt, upto);
	snapshot_release(upto);
}

/* The oldest sealed layer goes. */
static void flush_sealed(void)
{
	struct layer *last = &m.layers[m.count - 1];

	layer_flush(last, SEQ_MAX);
	check_stored(last->last);
	m.flushed = last->last;
	for (int s = 0; s < SPACES; s++)
		if (last->trees[s])
			mem_tree_set_older(m.layers[m.count - 2].trees[s], NULL);
	memtable_close(last->mt);
	m.count--;
}

static void flush_step(void)
{
	if (m.count > 1 && !m.reader.slot && below(3))
		flush_sealed();
	else if (m.count == 1 && below(3))
		flush_in_place();
	else if (m.count < LAYERS_MAX)
		rotate();
}

/* Moves the value of a version that was flushed. */
static void replace_step(int space, struct model_key *k)
{
	struct version *v = k->count ? &k->versions[below(k->count)] : NULL;
	struct entry old, moved;
	bool is_moved, may_move;

	if (!v || !v->is_stored || v->is_moved || v->is_tombstone)
		return;
	old = entry_of(k, v);
	v->is_moved = true;
	moved = entry_of(k, v);
	CHECK_OK(memtable_reserve(active()->mt, 1, 2000));
	is_moved = mem_tree_replace_value(active()->trees[space], &moved);
	may_move = old.value_bytes > 126 && !old.is_ref &&
		   v->seq > active()->first;
	CHECK(!is_moved || may_move);
	if (may_move && version_is_needed(k, v))
		CHECK(is_moved);
	v->is_moved = is_moved;
}

/* Reading. */

/* In the tree, older ones, and what of the store was flushed by then. */
static bool find(const struct reader *r, const struct model_key *k,
		 struct entry *ret)
{
	struct mem_tree *tree = r->tree;

	for (; tree; tree = mem_tree_older(tree))
		if (mem_get(tree, k->bytes, k->n, r->limit, ret, NULL))
			return true;
	for (size_t i = k->count; i; i--) {
		const struct version *v = &k->versions[i - 1];

		if (v->is_stored && v->seq <= r->limit && v->seq <= r->flushed) {
			*ret = entry_of(k, v);
			return true;
		}
	}
	return false;
}

static void check_find(const struct reader *r, const struct model_key *k)
{
	const struct version *want = model_version(k, r->limit);
	struct entry got;
	bool is_found = find(r, k, &got);

	if (!want || want->is_tombstone)
		CHECK(!is_found || got.is_tombstone);
	else
		CHECK(is_found);
	if (is_found) {
		CHECK(want != NULL);
		check_entry(&got, k, want);
	}
}

static seq_t some_limit(void)
{
	size_t i = below(SNAPSHOTS_MAX + 2);

	if (i == SNAPSHOTS_MAX && m.history && m.visible)
		return m.visible - below(m.history < m.visible ? m.history :
								 m.visible);
	return i < m.snapshot_count ? m.snapshots[i] : m.visible;
}

static void check_reads(void)
{
	epoch_enter(m.epoch);
	for (int i = 0; i < 20; i++) {
		int space = below(2) != 0;
		struct reader r = { .tree = active()->trees[space],
				    .limit = some_limit(),
				    .flushed = m.flushed };

		check_find(&r, key_at(space, below(KEYS)));
		check_find(&r, key_at(space, below(20) * 37));
		if (m.reader.slot)
			check_find(&m.reader, key_at(0, below(KEYS)));
	}
	epoch_leave(m.epoch);
}

/* One comes, or goes. */
static void reader_step(void)
{
	struct reader *r = &m.reader;

	if (r->slot) {
		epoch_slot_leave(r->slot);
		r->slot = NULL;
		snapshot_release(r->limit);
		return;
	}
	CHECK_OK(epoch_slot_enter(m.epoch, &r->slot));
	r->limit = m.visible;
	snapshot_add(r->limit);
	r->tree = active()->trees[0];
	r->flushed = m.flushed;
}

/* Raw walks. */

struct walked {
	seq_t *seqs;
	size_t n, room;
};

static void walked_add(struct walked *list, seq_t seq)
{
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 1024;
		list->seqs = realloc(list->seqs, list->room * sizeof(seq_t));
	}
	list->seqs[list->n++] = seq;
}

static void reverse(seq_t *seqs, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		seq_t other = seqs[i];

		seqs[i] = seqs[n - 1 - i];
		seqs[n - 1 - i] = other;
	}
}

/* The walk's key with all its versions, newest first. */
static void walk_key(struct mem_walk *w, const struct model_key *k,
		     struct walked *list)
{
	seq_t newest = w->upto;

	do {
		check_entry(&w->entry, k, version_at(k, w->entry.seq));
		CHECK(w->entry.seq > w->from && w->entry.seq <= newest);
		newest = w->entry.seq - 1;
		walked_add(list, w->entry.seq);
	} while (mem_walk_older(w));
}

static struct walked walk_forward(int space, struct mem_walk *w)
{
	bool has = mem_walk_seek(w, MEM_SEEK_FIRST, NULL, 0);
	const struct model_key *last = NULL;
	struct walked list = { 0 };

	for (; has; has = mem_walk_next(w)) {
		const struct model_key *k = entry_key(space, &w->entry);

		CHECK(!last || k > last);
		last = k;
		walk_key(w, k, &list);
	}
	return list;
}

/* The same in the same order, from the last key on. */
static struct walked walk_backward(int space, struct mem_walk *w)
{
	bool has = mem_walk_seek(w, MEM_SEEK_LAST, NULL, 0);
	const struct model_key *last = NULL;
	struct walked list = { 0 };

	for (; has; has = mem_walk_prev(w)) {
		const struct model_key *k = entry_key(space, &w->entry);
		size_t start = list.n;

		CHECK(!last || k < last);
		last = k;
		walk_key(w, k, &list);
		reverse(list.seqs + start, list.n - start);
	}
	reverse(list.seqs, list.n);
	return list;
}

/* Whether the layer must hold the version: somebody needs it, and it was put
 * there; a tombstone only if it hides something and was not flushed. */
static bool layer_must_hold(int space, const struct layer *layer,
			    const struct model_key *k, const struct version *v)
{
	if (v->seq <= layer->first || v->seq > layer->last ||
	    !version_is_needed(k, v))
		return false;
	return !v->is_tombstone ||
	       (v->seq > m.flushed && mem_tree_in_segments(layer->trees[space]));
}

/* The walk showed what it must, and nothing else. */
static void check_complete(int space, const struct layer *layer,
			   const struct walked *list, const struct mem_walk *w)
{
	size_t at = 0;

	for (size_t i = 0; i < KEYS; i++) {
		const struct model_key *k = key_at(space, i);

		for (size_t j = k->count; j; j--) {
			const struct version *v = &k->versions[j - 1];
			bool is_shown = at < list->n && list->seqs[at] == v->seq;

			at += is_shown;
			if (v->seq > w->from && v->seq <= w->upto &&
			    layer_must_hold(space, layer, k, v))
				CHECK(is_shown);
		}
	}
	CHECK_EQ(at, list->n);
}

static void check_walks(void)
{
	int space = below(2) != 0;
	struct layer *layer = &m.layers[below(m.count)];
	struct walked forward, backward;
	struct mem_walk w;

	if (!layer->trees[space])
		return;
	epoch_enter(m.epoch);
	mem_walk_init(&w, layer->trees[space], below(2) ? 0 : m.flushed,
		      some_limit());
	forward = walk_forward(space, &w);
	backward = walk_backward(space, &w);
	check_complete(space, layer, &forward, &w);
	CHECK_EQ(forward.n, backward.n);
	if (forward.n)
		CHECK_MEM(forward.seqs, backward.seqs,
			  forward.n * sizeof(seq_t));
	epoch_leave(m.epoch);
	free(forward.seqs);
	free(backward.seqs);
}

/* With nothing but the newest state wanted, a key has one version in memory. */
static void check_swept(void)
{
	if (m.reader.slot)
		reader_step();
	m.snapshot_count = 0;
	m.history = 0;
	settle();
	mem_sweep(active()->mt);
	work_all();
	CHECK(!memtable_has_work(active()->mt));
	CHECK(!memtable_keeps_versions(active()->mt));
	for (int s = 0; s < SPACES; s++) {
		struct mem_walk w;
		bool has;

		mem_walk_init(&w, active()->trees[s], 0, m.seq);
		has = mem_walk_seek(&w, MEM_SEEK_FIRST, NULL, 0);
		for (; has; has = mem_walk_next(&w))
			CHECK(!mem_walk_older(&w));
	}
	CHECK_EQ(memtable_collect(active()->mt), 0);
}

static void round_run(int round)
{
	commit_step(round / 700 % 2 ? 7 : 2);
	if (below(10) == 0)
		snapshot_step();
	if (below(30) == 0)
		mem_sweep(active()->mt);
	if (below(2))
		work((unsigned int)below(200));
	if (below(120) == 0)
		flush_step();
	if (below(900) == 0)
		space_drop();
	if (below(300) == 0)
		delete_many();
	if (below(m.reader.slot ? 150 : 300) == 0)
		reader_step();
	for (int i = 0; i < 4; i++)
		replace_step(0, key_at(0, below(2) ? below(20) * 37 :
						     below(KEYS)));
	check_reads();
	if (round % 60 == 0)
		check_walks();
}

static void model_run(seq_t history)
{
	model_open();
	m.history = history;
	for (int round = 0; round < ROUNDS; round++)
		round_run(round);
	check_swept();
	model_close();
}

TEST(model, "memory over several memtables and what was flushed read as all versions say")
{
	model_run(0);
}

TEST(history, "with a history every state of it is read")
{
	model_run(3000);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
