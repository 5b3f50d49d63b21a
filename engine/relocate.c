/*
 * A small value is one page. Of a large one those chunks are copied that lie in
 * the files to be emptied, then the map blocks that refer to them or lie there
 * themselves, then the root.
 *
 * Invariants:
 * 1. The shares of an entry name every page its reference leads to. What cannot
 *    be known, because the root cannot be read, is named for all files it could
 *    be.
 * 2. A page is copied from where it was verified, into memory and out of it
 *    again: never without its checksum.
 * 3. A copied map block is taken for another of the same place only if none of
 *    its chunks had to be copied anew: then it says the same.
 */
#include "relocate.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "err.h"
#include "page_load.h"
#include "page_moves.h"
#include "page_writer.h"

#define DAMAGED 1	/* returned in place of an error of reading */

struct file_list {
	file_id_t *at;		/* owned */
	size_t n;
};

struct relocation {
	struct relocation_options options;
	struct page_writer *writer;	/* owned; NULL: none is open */
	struct file_list files, damaged;
	struct page_moves moves;
	uint64_t bytes;
	bool is_finished;
	/* of the entry at hand */
	struct value_share *shares;	/* owned; ascending */
	size_t n_shares, shares_room;
	uint8_t ref[VALUE_REF_BYTES_MAX];
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "moving values: no memory");
}

static bool is_listed(const file_id_t *files, size_t n, file_id_t file)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (files[middle] < file)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && files[low] == file;
}

static bool is_emptied(const struct relocation *r, file_id_t file)
{
	return is_listed(r->options.emptied, r->options.n_emptied, file);
}

static int list_add(struct file_list *list, file_id_t file)
{
	file_id_t *grown = realloc(list->at, (list->n + 1) * sizeof(*grown));

	if (!grown)
		return no_memory();
	list->at = grown;
	list->at[list->n++] = file;
	return 0;
}

/* Reading. */

/* Sorts what reading said into damage and what ends all. */
static int read_result(int rc)
{
	return rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT || rc == AEDB_IO ?
		       DAMAGED : rc;
}

static int damage_note(struct relocation *r)
{
	for (size_t i = 0; i < r->n_shares; i++) {
		file_id_t file = r->shares[i].file;
		size_t j = 0;
		int rc;

		while (j < r->damaged.n && r->damaged.at[j] != file)
			j++;
		if (j < r->damaged.n || !is_emptied(r, file))
			continue;
		rc = list_add(&r->damaged, file);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Shares. */

static int share_find(struct relocation *r, file_id_t file,
		      struct value_share **ret)
{
	size_t i = r->n_shares;

	while (i > 0 && r->shares[i - 1].file > file)
		i--;
	if (i > 0 && r->shares[i - 1].file == file) {
		*ret = &r->shares[i - 1];
		return 0;
	}
	if (r->n_shares == r->shares_room) {
		size_t room = r->shares_room ? r->shares_room * 2 : 8;
		struct value_share *grown =
			realloc(r->shares, room * sizeof(*grown));

		if (!grown)
			return no_memory();
		r->shares = grown;
		r->shares_room = room;
	}
	memmove(r->shares + i + 1, r->shares + i,
		(r->n_shares++ - i) * sizeof(*r->shares));
	r->shares[i] = (struct value_share){ .file = file };
	*ret = &r->shares[i];
	return 0;
}

static int share_add(struct relocation *r, file_id_t file, uint64_t bytes)
{
	struct value_share *share;
	int rc = share_find(r, file, &share);

	if (rc == 0)
		share->bytes += bytes;
	return rc;
}

static int share_add_page(struct relocation *r, const struct page_ref *page)
{
	return share_add(r, page->file, page_disk_bytes(page->stored_bytes));
}

/* A page went from one place to another. A root that named too little ends at
 * nothing. */
static int share_move(struct relocation *r, const struct page_ref *from,
		      const struct page_ref *to)
{
	uint64_t bytes = page_disk_bytes(from->stored_bytes);
	struct value_share *share;
	int rc = share_find(r, from->file, &share);

	if (rc < 0)
		return rc;
	share->bytes -= bytes < share->bytes ? bytes : share->bytes;
	return share_add_page(r, to);
}

static void shares_drop_empty(struct relocation *r)
{
	size_t left = 0;

	for (size_t i = 0; i < r->n_shares; i++)
		if (r->shares[i].bytes)
			r->shares[left++] = r->shares[i];
	r->n_shares = left;
}

/* Writing. */

static int writer_end(struct relocation *r)
{
	int rc = r->writer ? page_writer_finish(r->writer) : 0;

	if (rc == 0) {
		page_writer_close(r->writer);
		r->writer = NULL;
	}
	return rc;
}

/* A file to write the next page to. */
static int writer_begin(struct relocation *r)
{
	int rc = 0;

	if (r->writer && page_writer_end(r->writer) >=
				 values_file_bytes(r->options.values))
		rc = writer_end(r);
	if (rc < 0 || r->writer)
		return rc;
	rc = page_writer_open(values_files(r->options.values), &r->writer);
	if (rc < 0)
		return rc;
	rc = list_add(&r->files, page_writer_file(r->writer));
	if (rc < 0) {
		page_writer_close(r->writer);
		r->writer = NULL;
	}
	return rc;
}

static int page_write(struct relocation *r, enum page_kind kind,
		      const void *payload, size_t n, struct page_ref *ret)
{
	int rc = writer_begin(r);

	if (rc == 0)
		rc = page_writer_add(r->writer, kind, PAGE_PLAIN, payload, n, ret);
	if (rc < 0)
		return rc;
	r->bytes += page_disk_bytes(ret->stored_bytes);
	return pace_take(r->options.pace, page_disk_bytes(ret->stored_bytes));
}

/* Where a page is from now on; *ret_is_new: it was not copied before. */
static int page_copy(struct relocation *r, enum page_kind kind,
		     const struct page_ref *from, struct page_ref *ret,
		     bool *ret_is_new)
{
	void *payload;
	size_t n;
	int rc;

	if (page_moves_find(&r->moves, from, ret))
		return 0;
	rc = read_result(page_load(values_files(r->options.values), from, kind,
				   &payload, &n));
	if (rc)
		return rc;
	rc = page_write(r, kind, payload, n, ret);
	cache_free(payload);
	if (rc < 0)
		return rc;
	page_moves_add(&r->moves, from, ret);
	*ret_is_new = true;
	return 0;
}

/* Large values. */

static int map_write(struct relocation *r, const struct value_slot *slots,
		     size_t n, bool is_new, struct page_ref *map)
{
	uint8_t payload[VALUE_MAP_BYTES_MAX];
	struct page_ref to;
	int rc = 0;

	if (is_new || !page_moves_find(&r->moves, map, &to)) {
		rc = page_write(r, PAGE_MAP, payload,
				value_map_encode(slots, n, payload), &to);
		if (rc == 0)
			page_moves_add(&r->moves, map, &to);
	}
	if (rc == 0)
		rc = share_move(r, map, &to);
	if (rc == 0)
		*map = to;
	return rc;
}

/* Moves the chunks of one map block, and it itself. */
static int map_move(struct relocation *r, struct page_ref *map,
		    bool *ret_has_changed)
{
	struct value_slot slots[VALUE_MAP_REFS];
	bool has_changed = is_emptied(r, map->file), is_new = false;
	size_t n;
	int rc = read_result(values_load_map(r->options.values, map, slots, &n));

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct page_ref to;

		if (!is_emptied(r, slots[i].ref.file))
			continue;
		rc = page_copy(r, PAGE_CHUNK, &slots[i].ref, &to, &is_new);
		if (rc == 0)
			rc = share_move(r, &slots[i].ref, &to);
		slots[i].ref = to;
		has_changed = true;
	}
	if (rc || !has_changed)
		return rc;
	*ret_has_changed = true;
	return map_write(r, slots, n, is_new, map);
}

/* Writes the root with the shares as they are now. */
static int root_write(struct relocation *r, struct value_root *root,
		      struct page_ref *ret)
{
	struct value_share *old = root->shares;
	size_t n_old = root->n_shares;
	uint8_t *payload;
	int rc;

	root->shares = r->shares;
	root->n_shares = r->n_shares;
	payload = malloc(value_root_bytes(root));
	if (payload) {
		value_root_encode(root, payload);
		rc = page_write(r, PAGE_ROOT, payload, value_root_bytes(root),
				ret);
		free(payload);
	} else {
		rc = no_memory();
	}
	root->shares = old;
	root->n_shares = n_old;
	return rc;
}

static int shares_of_root(struct relocation *r, const struct value_root *root)
{
	int rc = 0;

	r->n_shares = 0;
	for (size_t i = 0; rc == 0 && i < root->n_shares; i++)
		rc = share_add(r, root->shares[i].file, root->shares[i].bytes);
	return rc;
}

/* Moves what lies in files to be emptied; *ref then leads there. DAMAGED leaves
 * it as it was. */
static int large_move(struct relocation *r, struct value_root *root,
		      struct value_ref *ref)
{
	bool has_changed = is_emptied(r, ref->root.file);
	uint64_t bytes = r->bytes;
	struct page_ref to;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < root->n_maps; i++)
		rc = map_move(r, &root->maps[i].ref, &has_changed);
	if (rc || !has_changed)
		return rc;
	shares_drop_empty(r);
	if (r->bytes != bytes || !page_moves_find(&r->moves, &ref->root, &to)) {
		rc = root_write(r, root, &to);
		if (rc == 0)
			page_moves_add(&r->moves, &ref->root, &to);
	}
	if (rc == 0)
		ref->root = to;
	return rc;
}

/* Whether anything of it lies in files to be emptied. */
static bool is_in_emptied(const struct relocation *r,
			  const struct value_ref *ref)
{
	if (is_emptied(r, ref->root.file))
		return true;
	for (size_t i = 0; i < r->n_shares; i++)
		if (is_emptied(r, r->shares[i].file))
			return true;
	return false;
}

/* The root cannot be read, so nobody knows where the rest is. */
static int lost_shares(struct relocation *r, const struct value_ref *ref)
{
	int rc = 0;

	r->n_shares = 0;
	for (size_t i = 0; rc == 0 && i < r->options.n_known; i++)
		rc = share_add(r, r->options.known[i], 1);
	if (rc == 0)
		rc = share_add_page(r, &ref->root);
	return rc < 0 ? rc : damage_note(r);
}

static int large_entry(struct relocation *r, struct value_ref *ref)
{
	struct value_root root;
	int rc = read_result(values_load_root(r->options.values, ref, &root));

	if (rc)
		return rc == DAMAGED ? lost_shares(r, ref) : rc;
	rc = shares_of_root(r, &root);
	if (rc == 0 && is_in_emptied(r, ref))
		rc = large_move(r, &root, ref);
	if (rc == DAMAGED) {
		rc = shares_of_root(r, &root);
		if (rc == 0)
			rc = share_add_page(r, &ref->root);
		if (rc == 0)
			rc = damage_note(r);
	} else if (rc == 0) {
		rc = share_add_page(r, &ref->root);
	}
	value_root_release(&root);
	return rc;
}

static int small_entry(struct relocation *r, struct value_ref *ref)
{
	struct page_ref to;
	bool is_new;
	int rc = 0;

	r->n_shares = 0;
	if (is_emptied(r, ref->root.file)) {
		rc = page_copy(r, PAGE_VALUE, &ref->root, &to, &is_new);
		if (rc == 0)
			ref->root = to;
	}
	if (rc < 0)
		return rc;
	if (share_add_page(r, &ref->root) < 0)
		return AEDB_NO_MEMORY;
	return rc == DAMAGED ? damage_note(r) : 0;
}

int relocation_entry(struct relocation *r, const struct entry *entry,
		     struct relocated *ret)
{
	struct value_ref ref;
	int rc = value_ref_decode(entry->value, entry->value_bytes, &ref);

	if (rc == 0)
		rc = ref.is_page ? small_entry(r, &ref) : large_entry(r, &ref);
	if (rc < 0)
		return rc;
	*ret = (struct relocated){
		.value = r->ref,
		.value_bytes = (uint32_t)value_ref_encode(&ref, r->ref),
		.shares = r->shares,
		.n_shares = r->n_shares,
	};
	return 0;
}

/* The whole. */

int relocation_open(const struct relocation_options *options,
		    struct relocation **ret)
{
	struct relocation *r = calloc(1, sizeof(*r));

	if (!r)
		return no_memory();
	r->options = *options;
	page_moves_init(&r->moves, options->pages_max);
	*ret = r;
	return 0;
}

int relocation_finish(struct relocation *r)
{
	int rc = writer_end(r);

	r->is_finished = rc == 0;
	return rc;
}

void relocation_close(struct relocation *r)
{
	if (!r)
		return;
	page_writer_close(r->writer);
	for (size_t i = 0; i < r->files.n && !r->is_finished; i++)
		file_set_remove(values_files(r->options.values),
				r->files.at[i]);
	page_moves_release(&r->moves);
	free(r->files.at);
	free(r->damaged.at);
	free(r->shares);
	free(r);
}

const file_id_t *relocation_files(const struct relocation *r, size_t *ret_n)
{
	*ret_n = r->files.n;
	return r->files.at;
}

const file_id_t *relocation_damaged(const struct relocation *r, size_t *ret_n)
{
	*ret_n = r->damaged.n;
	return r->damaged.at;
}

uint64_t relocation_bytes(const struct relocation *r)
{
	return r->bytes;
}
