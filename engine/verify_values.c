/*
 * Values.
 *
 * Invariants:
 * 1. A page that is remembered was read and, if it is damaged, reported; of a
 *    root or map block so was everything beneath it.
 * 2. A file is opened only if it is in `files` and not bad.
 */
#include "verify_values.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hash.h"
#include "page_load.h"
#include "value_cache.h"

#define RUN_CHUNKS 64u		/* in one read */
#define SEEN_MIN 1024u		/* pages remembered at least */

/* A file that something refers to. */
struct value_file {
	file_id_t number;
	bool is_bad;
};

struct verify_values {
	struct verify_findings *findings;
	struct values *values;
	struct value_file *files;	/* owned; numbers ascend */
	size_t n_files, files_room;
	struct page_ref *seen;		/* owned: pages, each in its place by hash */
	size_t seen_mask;
	struct page_ref run[RUN_CHUNKS];	/* chunks to be read at once */
	size_t n_run;
	uint8_t *buf;			/* owned: room for a run or a page's value */
	char path[FILE_SET_PATH_BYTES];	/* of path_of */
};

/* A large value being read. */
struct tree {
	const struct value_ref *ref;
	const struct value_root *root;
	struct verify_shares counted;
	uint64_t chunks;
	bool is_incomplete;		/* a map block is damaged */
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "verifying values: no memory");
}

/* Until the next call. */
static const char *path_of(struct verify_values *v, file_id_t number)
{
	file_set_path(values_files(v->values), number, v->path);
	return v->path;
}

int verify_values_open(struct verify_findings *findings, struct values *values,
		       size_t memory_bytes, struct verify_values **ret)
{
	struct verify_values *v = calloc(1, sizeof(*v));
	size_t n = SEEN_MIN;

	while (n * 2 * sizeof(*v->seen) <= memory_bytes)
		n *= 2;
	if (v) {
		v->findings = findings;
		v->values = values;
		v->seen_mask = n - 1;
		v->seen = calloc(n, sizeof(*v->seen));
		v->buf = malloc(RUN_CHUNKS * page_plain_bytes(VALUE_CHUNK_BYTES));
	}
	if (!v || !v->seen || !v->buf) {
		verify_values_close(v);
		return no_memory();
	}
	*ret = v;
	return 0;
}

void verify_values_close(struct verify_values *v)
{
	if (!v)
		return;
	free(v->files);
	free(v->seen);
	free(v->buf);
	free(v);
}

/* Sums. */

static int shares_add(struct verify_shares *shares, file_id_t file,
		      uint64_t bytes)
{
	size_t i = shares->n;

	while (i && shares->at[i - 1].file > file)
		i--;
	if (i && shares->at[i - 1].file == file) {
		shares->at[i - 1].bytes += bytes;
		return 0;
	}
	if (shares->n == shares->room) {
		size_t room = shares->room ? shares->room * 2 : 8;
		struct segment_share *grown =
			realloc(shares->at, room * sizeof(*grown));

		if (!grown)
			return no_memory();
		shares->at = grown;
		shares->room = room;
	}
	memmove(shares->at + i + 1, shares->at + i,
		(shares->n++ - i) * sizeof(*shares->at));
	shares->at[i] = (struct segment_share){ file, bytes };
	return 0;
}

void verify_shares_release(struct verify_shares *shares)
{
	free(shares->at);
	*shares = (struct verify_shares){ .at = NULL };
}

static int add_page(struct verify_shares *shares, const struct page_ref *ref)
{
	return shares_add(shares, ref->file,
			  page_disk_bytes(ref->stored_bytes));
}

/* Files. */

static size_t file_place(const struct verify_values *v, file_id_t number)
{
	size_t low = 0, high = v->n_files;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (v->files[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool verify_values_has_file(const struct verify_values *v, file_id_t number)
{
	size_t i = file_place(v, number);

	return i < v->n_files && v->files[i].number == number;
}

static int file_insert(struct verify_values *v, const struct value_file *file)
{
	size_t i = file_place(v, file->number);

	if (v->n_files == v->files_room) {
		size_t room = v->files_room ? v->files_room * 2 : 16;
		struct value_file *grown =
			realloc(v->files, room * sizeof(*grown));

		if (!grown)
			return no_memory();
		v->files = grown;
		v->files_room = room;
	}
	memmove(v->files + i + 1, v->files + i,
		(v->n_files++ - i) * sizeof(*v->files));
	v->files[i] = *file;
	return 0;
}

int verify_values_note(struct verify_values *v, file_id_t number)
{
	struct file_set *set = values_files(v->values);
	struct value_file file = { .number = number };
	struct page_file *used;
	int rc;

	if (verify_values_has_file(v, number))
		return !v->files[file_place(v, number)].is_bad;
	rc = file_set_use(set, number, &used);
	if (rc == 0)
		file_set_unuse(set, used);
	file.is_bad = rc < 0;
	rc = verify_find_error(v->findings, path_of(v, number), rc);
	if (rc == 0)
		rc = file_insert(v, &file);
	v->findings->report.files += rc == 0;
	return rc < 0 ? rc : !file.is_bad;
}

/* Pages. */

static struct page_ref *seen_place(const struct verify_values *v,
				   const struct page_ref *ref)
{
	return &v->seen[hash_fold(ref->file ^ HASH_A, ref->offset ^ HASH_B) &
			v->seen_mask];
}

static bool is_seen(const struct verify_values *v, const struct page_ref *ref)
{
	const struct page_ref *seen = seen_place(v, ref);

	return seen->file == ref->file && seen->offset == ref->offset &&
	       seen->crc == ref->crc && seen->stored_bytes == ref->stored_bytes;
}

static void see(struct verify_values *v, const struct page_ref *ref)
{
	*seen_place(v, ref) = *ref;
}

/* What reading a page led to; the page is remembered. */
static int page_done(struct verify_values *v, const struct page_ref *ref, int rc)
{
	v->findings->report.bytes += page_disk_bytes(ref->stored_bytes);
	see(v, ref);
	return verify_find_error(v->findings, path_of(v, ref->file), rc);
}

/* One that could not be read: said once. */
static int page_failed(struct verify_values *v, const struct page_ref *ref,
		       int rc)
{
	if (rc != AEDB_NO_MEMORY && is_seen(v, ref))
		return 0;
	return page_done(v, ref, rc);
}

static int run_load(struct verify_values *v, size_t first, size_t n)
{
	return page_load_run(values_files(v->values), v->run + first, n,
			     PAGE_CHUNK, v->buf);
}

/* Reads the chunks that were collected; if that fails, each by itself. */
static int run_read(struct verify_values *v)
{
	size_t n = v->n_run;
	int rc = 0, whole = n ? run_load(v, 0, n) : 0;

	v->n_run = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = page_done(v, &v->run[i], whole < 0 ? run_load(v, i, 1) : 0);
	return rc;
}

static int chunk_take(struct verify_values *v, const struct page_ref *ref)
{
	int rc = verify_values_note(v, ref->file);

	if (rc <= 0 || is_seen(v, ref))
		return rc < 0 ? rc : 0;
	if (ref->stored_bytes > VALUE_CHUNK_BYTES + seal_tag_bytes(NULL)) {
		verify_find(v->findings, path_of(v, ref->file), ref->offset,
			    "reference to a chunk of %u bytes", ref->stored_bytes);
		see(v, ref);
		return 0;
	}
	rc = 0;
	if (v->n_run == RUN_CHUNKS ||
	    (v->n_run && !page_ref_is_next(&v->run[v->n_run - 1], ref)))
		rc = run_read(v);
	v->run[v->n_run++] = *ref;
	return rc;
}

/* Large values. */

static int slots_check(struct verify_values *v, struct tree *tree,
		       const struct value_slot *map,
		       const struct value_slot *slots, size_t n)
{
	uint64_t first = (uint64_t)map->slot * VALUE_MAP_REFS;
	bool is_new = !is_seen(v, &map->ref);
	int rc = 0;

	tree->chunks += n;
	if ((first + slots[n - 1].slot) * VALUE_CHUNK_BYTES >= tree->ref->bytes)
		verify_find(v->findings, path_of(v, map->ref.file),
			    map->ref.offset,
			    "chunk %u lies behind the value's end",
			    slots[n - 1].slot);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_page(&tree->counted, &slots[i].ref);
		if (rc == 0 && is_new)
			rc = chunk_take(v, &slots[i].ref);
	}
	return rc < 0 ? rc : run_read(v);
}

static int map_check(struct verify_values *v, struct tree *tree,
		     const struct value_slot *map)
{
	struct value_slot slots[VALUE_MAP_REFS];
	size_t n;
	int rc = add_page(&tree->counted, &map->ref);

	if (rc == 0)
		rc = verify_values_note(v, map->ref.file);
	if (rc <= 0) {
		tree->is_incomplete = true;
		return rc;
	}
	rc = values_load_map(v->values, &map->ref, slots, &n);
	if (rc < 0) {
		tree->is_incomplete = true;
		return page_failed(v, &map->ref, rc);
	}
	rc = slots_check(v, tree, map, slots, n);
	return rc < 0 ? rc : page_done(v, &map->ref, 0);
}

/* What the root says of the whole against what its map blocks add up to. */
static void sums_check(struct verify_values *v, const struct tree *tree)
{
	const struct value_root *root = tree->root;
	const struct page_ref *page = &tree->ref->root;
	bool is_same = tree->counted.n == root->n_shares;

	if (tree->is_incomplete)
		return;
	for (size_t i = 0; is_same && i < root->n_shares; i++)
		is_same = tree->counted.at[i].file == root->shares[i].file &&
			  tree->counted.at[i].bytes == root->shares[i].bytes;
	if (is_same && tree->chunks == root->chunks)
		return;
	verify_find(v->findings, path_of(v, page->file), page->offset,
		    "the root counts %llu chunks, there are %llu%s",
		    (unsigned long long)root->chunks,
		    (unsigned long long)tree->chunks,
		    is_same ? "" : ", and other bytes than there are");
}

static int tree_check(struct verify_values *v, const struct value_ref *ref,
		      const struct value_root *root)
{
	struct tree tree = { .ref = ref, .root = root };
	int rc = 0;

	for (size_t i = 0; i < root->n_maps && rc == 0; i++)
		rc = map_check(v, &tree, &root->maps[i]);
	if (rc == 0)
		sums_check(v, &tree);
	verify_shares_release(&tree.counted);
	return rc < 0 ? rc : page_done(v, &ref->root, 0);
}

static int root_shares_add(struct verify_values *v,
			   const struct value_root *root,
			   struct verify_shares *shares)
{
	int rc = 0;

	for (size_t i = 0; i < root->n_shares && rc >= 0; i++) {
		rc = shares_add(shares, root->shares[i].file,
				root->shares[i].bytes);
		if (rc == 0)
			rc = verify_values_note(v, root->shares[i].file);
	}
	return rc < 0 ? rc : 0;
}

static int large_check(struct verify_values *v, const struct value_ref *ref,
		       struct verify_shares *shares)
{
	struct value_root root;
	int rc = values_load_root(v->values, ref, &root);

	if (rc < 0)
		return page_failed(v, &ref->root, rc);
	rc = root_shares_add(v, &root, shares);
	if (rc == 0 && !is_seen(v, &ref->root))
		rc = tree_check(v, ref, &root);
	value_root_release(&root);
	return rc < 0 ? rc : 1;
}

/* Values of one page. */

static int single_check(struct verify_values *v, const struct value_ref *ref)
{
	if (is_seen(v, &ref->root))
		return 1;
	int rc = page_done(v, &ref->root,
			   value_cache_read_page(v->values, ref, v->buf));

	return rc < 0 ? rc : 1;
}

int verify_value(struct verify_values *v, const struct value_ref *ref,
		 struct verify_shares *shares)
{
	int rc = verify_values_note(v, ref->root.file);
	bool is_readable = rc > 0;

	if (rc >= 0)
		rc = add_page(shares, &ref->root);
	if (rc < 0)
		return rc;
	v->findings->report.values++;
	if (!is_readable)
		return ref->is_page;
	return ref->is_page ? single_check(v, ref) : large_check(v, ref, shares);
}
