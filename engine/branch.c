/*
 * The memtable, value files and value bytes of a batch.
 */
#include <stdlib.h>
#include <string.h>

#include "branch.h"
#include "db.h"
#include "err.h"
#include "value_append.h"

#define ARRAY_MIN 16
/* What an operation has beside key, value and attributes, or more. */
#define ENTRY_BYTES 24

void branch_init(struct branch *branch, struct aedb *db, seq_t base_seq)
{
	*branch = (struct branch){ .db = db, .base_seq = base_seq };
}

struct memtable *branch_release(struct branch *branch)
{
	struct file_set *files = values_files(branch->db->values);

	for (size_t i = 0; i < branch->n_files; i++)
		file_set_unpin(files, branch->files[i]);
	free(branch->files);
	free(branch->extents);
	branch->n_files = branch->n_extents = 0;
	atomic_fetch_sub(&branch->db->batch_bytes, branch->charged_bytes);
	return branch->memtable;
}

int branch_prepare(struct branch *branch)
{
	if (branch->memtable)
		return 0;
	return memtable_open(branch->db->epoch, &branch->memtable);
}

void branch_charge(struct branch *branch)
{
	uint64_t now = branch->extents_max * sizeof(*branch->extents) +
		       branch->files_max * sizeof(*branch->files);

	if (branch->memtable)
		now += memtable_bytes(branch->memtable);
	atomic_fetch_add(&branch->db->batch_bytes, now - branch->charged_bytes);
	branch->charged_bytes = now;
}

/* Room for one more; *array is owned. */
static int array_grow(void **array, size_t n, size_t *max, size_t size)
{
	size_t room = n ? n * 2 : ARRAY_MIN;
	void *grown;

	if (n < *max)
		return 0;
	grown = realloc(*array, room * size);
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a batch");
	*array = grown;
	*max = room;
	return 0;
}

/* Where the file is among those pinned, or belongs. */
static size_t file_index(const struct branch *branch, file_id_t file)
{
	size_t low = 0, high = branch->n_files;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (branch->files[middle] < file)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int branch_pin(struct branch *branch, file_id_t file)
{
	size_t i = file_index(branch, file);
	int rc;

	if (i < branch->n_files && branch->files[i] == file)
		return 0;
	rc = array_grow((void **)&branch->files, branch->n_files,
			&branch->files_max, sizeof(*branch->files));
	if (rc == 0)
		rc = file_set_pin(values_files(branch->db->values), file);
	if (rc < 0)
		return rc;
	memmove(branch->files + i + 1, branch->files + i,
		(branch->n_files - i) * sizeof(*branch->files));
	branch->files[i] = file;
	branch->n_files++;
	return 0;
}

/* Keeps the files that a value lies in. Inside the epoch. */
static int pin_value(struct branch *branch, const struct value_ref *ref)
{
	struct value_share *shares;
	size_t n;
	int rc = branch_pin(branch, ref->root.file);

	if (rc < 0 || ref->is_page)
		return rc;
	rc = values_load_shares(branch->db->values, ref, &shares, &n);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = branch_pin(branch, shares[i].file);
	free(shares);
	return rc;
}

int branch_note_extent(struct branch *branch, const struct value_extent *extent)
{
	struct value_extent *last = NULL;
	int rc;

	if (!extent->bytes)
		return 0;
	if (branch->n_extents)
		last = &branch->extents[branch->n_extents - 1];
	branch->value_bytes += extent->bytes;
	if (last && last->file == extent->file &&
	    last->offset + last->bytes == extent->offset) {
		last->bytes += extent->bytes;
		return 0;
	}
	rc = array_grow((void **)&branch->extents, branch->n_extents,
			&branch->extents_max, sizeof(*branch->extents));
	if (rc == 0)
		branch->extents[branch->n_extents++] = *extent;
	return rc;
}

static int value_put_away(struct branch *branch, struct entry *entry, uint8_t *ref)
{
	struct value_extent extent;
	struct page_ref page;
	int rc;

	rc = value_append_whole(branch->db->values, entry->value,
				entry->value_bytes, &page);
	if (rc < 0)
		return rc;
	page_ref_encode(&page, ref);
	extent = (struct value_extent){
		.file = page.file,
		.offset = page.offset,
		.bytes = page_plain_bytes(entry->value_bytes),
	};
	entry->value = ref;
	entry->value_bytes = PAGE_REF_BYTES;
	entry->is_ref = true;
	rc = branch_pin(branch, page.file);
	return rc < 0 ? rc : branch_note_extent(branch, &extent);
}

int branch_take_value(struct branch *branch, struct entry *entry, uint8_t *ref)
{
	struct value_ref there;
	int rc;

	if (!entry->is_ref)
		return entry->value_bytes <= branch->db->options.inline_bytes_max ?
			       0 : value_put_away(branch, entry, ref);
	rc = value_ref_decode(entry->value, entry->value_bytes, &there);
	return rc < 0 ? rc : pin_value(branch, &there);
}

static uint64_t entry_charge(const struct entry *entry)
{
	return ENTRY_BYTES + entry->key_bytes + entry->value_bytes +
	       entry->attr_bytes;
}

void branch_count(struct branch *branch, struct mem_tree *tree,
		  const struct entry *entry)
{
	struct entry before;

	if (mem_get(tree, entry->key, entry->key_bytes, SEQ_MAX, &before, NULL))
		branch->bytes -= entry_charge(&before);
	else
		branch->changes++;
	branch->bytes += entry_charge(entry);
}
