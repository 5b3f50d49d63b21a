/*
 * The spaces come in order of their ids; after the names the counts of live
 * keys, and before those of scopes the history, so that what is written is in
 * order.
 *
 * Invariants:
 * 1. The versions of one key lie in one segment.
 * 2. The epoch is left after so many keys, so that a long walk holds back no
 *    memory for long; the walk goes on by seeking.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "flush.h"
#include "levels.h"
#include "mem_walk.h"
#include "segment_writer.h"
#include "storage.h"
#include "value_append.h"

#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define WALK_KEYS 1024		/* in one stay in the epoch */
#define MOVED_MIN 64
#define HASTENED_BYTES (512u << 10)

static int segment_end(struct flush *flush)
{
	struct segment_info *grown;
	int rc;

	if (!flush->writer)
		return 0;
	grown = realloc(flush->infos, (flush->n_infos + 1) * sizeof(*grown));
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a checkpoint");
	flush->infos = grown;
	rc = segment_writer_finish(flush->writer, &grown[flush->n_infos]);
	if (rc < 0)
		return rc;
	flush->n_infos++;
	segment_writer_close(flush->writer);
	flush->writer = NULL;
	return 0;
}

/* A segment to write the next key into. */
static int segment_begin(struct flush *flush)
{
	int rc = 0;

	if (flush->writer &&
	    segment_writer_bytes(flush->writer) >= SEGMENT_BYTES)
		rc = segment_end(flush);
	if (rc == 0 && !flush->writer)
		rc = segment_writer_open(flush->db->segments,
					 flush->db->budget.page_bytes,
					 &flush->writer);
	return rc;
}

static int moved_note(struct flush *flush, struct space *space,
		      const struct entry *entry, const uint8_t *ref)
{
	struct flush_moved *moved;

	if (!flush->notes_moved)
		return 0;
	if (flush->n_moved == flush->moved_max) {
		size_t max = flush->moved_max ? flush->moved_max * 2 : MOVED_MIN;
		struct flush_moved *grown =
			realloc(flush->moved, max * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "no memory for a checkpoint");
		flush->moved = grown;
		flush->moved_max = max;
	}
	moved = &flush->moved[flush->n_moved];
	moved->key = malloc(entry->key_bytes + 1);
	if (!moved->key)
		return err_set(AEDB_NO_MEMORY, "no memory for a checkpoint");
	memcpy(moved->key, entry->key, entry->key_bytes);
	moved->space = space;
	moved->key_bytes = entry->key_bytes;
	moved->seq = entry->seq;
	memcpy(moved->ref, ref, PAGE_REF_BYTES);
	flush->n_moved++;
	return 0;
}

/* The disk begins with what was moved while more is. */
static void moved_hasten(struct flush *flush, const struct page_ref *page)
{
	uint64_t end = page->offset + page->stored_bytes;

	if (page->file != flush->ahead_file) {
		flush->ahead_file = page->file;
		flush->ahead_offset = page->offset;
	}
	/* other threads' values lie between: offsets need not ascend */
	if (end < flush->ahead_offset + HASTENED_BYTES)
		return;
	values_sync_ahead(flush->db->values, page->file, flush->ahead_offset,
			  end - flush->ahead_offset);
	flush->ahead_offset = end;
}

/* Puts a value that is too large to lie beside its key into a value file. */
static int value_move(struct flush *flush, struct space *space,
		      struct entry *entry, uint8_t *ref)
{
	struct page_ref page;
	int rc;

	if (entry->is_ref ||
	    entry->value_bytes <= flush->db->options.inline_bytes_max)
		return 0;
	rc = value_append_whole(flush->db->values, entry->value,
				 entry->value_bytes, &page);
	if (rc < 0)
		return rc;
	moved_hasten(flush, &page);
	page_ref_encode(&page, ref);
	rc = moved_note(flush, space, entry, ref);
	entry->value = ref;
	entry->value_bytes = PAGE_REF_BYTES;
	entry->is_ref = true;
	return rc;
}

static int shares_note(struct flush *flush, const struct entry *entry)
{
	struct value_share *shares;
	struct value_ref ref;
	size_t n;
	int rc;

	if (!entry->is_ref)
		return 0;
	rc = value_ref_decode(entry->value, entry->value_bytes, &ref);
	if (rc == 0)
		rc = values_load_shares(flush->db->values, &ref, &shares, &n);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = segment_writer_share(flush->writer, shares[i].file,
					  shares[i].bytes);
	free(shares);
	return rc;
}

static int version_write(struct flush *flush, struct space *space,
			 const struct entry *version)
{
	uint8_t key[SPACE_KEY_BYTES_MAX], ref[PAGE_REF_BYTES];
	struct entry entry = *version;
	int rc = value_move(flush, space, &entry, ref);

	if (rc < 0)
		return rc;
	entry.key_bytes = (uint32_t)space_key(space->id, version->key,
					      version->key_bytes, key);
	entry.key = key;
	rc = segment_writer_add(flush->writer, &entry);
	return rc < 0 ? rc : shares_note(flush, &entry);
}

/* What is to be written of the key the walk stands on; the walk goes to the next
 * key. */
static int key_write(struct flush *flush, struct space *space,
		     struct mem_walk *walk)
{
	seq_t until = SEQ_MAX;
	int rc = segment_begin(flush);

	while (rc == 0) {
		const struct entry *version = &walk->entry;

		if (until == SEQ_MAX ||
		    retention_keeps(&flush->retention, version->seq, until))
			rc = version_write(flush, space, version);
		until = version->seq;
		if (!mem_walk_older(walk))
			return rc;
	}
	return rc;
}

/* So many keys from the first one above `key` (NULL: from the beginning) on.
 * *ret_more: there are others, above the key that is written over `key`. */
static int keys_write(struct flush *flush, const struct catalog_part *part,
		      uint8_t *key, size_t *key_bytes, bool *ret_more)
{
	struct mem_walk walk;
	bool is_on;
	int rc = 0;

	mem_walk_init(&walk, part->tree, flush->above, flush->upto);
	is_on = *ret_more ? mem_walk_seek(&walk, MEM_SEEK_GT, key, *key_bytes) :
			    mem_walk_seek(&walk, MEM_SEEK_FIRST, NULL, 0);
	*ret_more = false;
	for (int i = 0; is_on && rc == 0; i++) {
		if (i == WALK_KEYS) {
			*ret_more = true;
			break;
		}
		*key_bytes = walk.entry.key_bytes;
		memcpy(key, walk.entry.key, *key_bytes);
		rc = key_write(flush, part->space, &walk);
		if (rc == 0)
			is_on = mem_walk_next(&walk);
	}
	return rc;
}

/* Nobody will read it any more. */
static bool part_is_dropped(const struct flush *flush,
			    const struct catalog_part *part)
{
	seq_t dropped = part->state ? atomic_load(&part->state->dropped_seq) :
				      SEQ_MAX;
	const struct retention *r = &flush->retention;

	return dropped <= flush->upto && dropped <= r->history_from &&
	       (r->n == 0 || r->seqs[0] >= dropped);
}

static int part_write(struct flush *flush, const struct catalog_part *part)
{
	uint8_t key[MEM_KEY_BYTES_MAX];
	size_t key_bytes = 0;
	bool more = false;
	int rc;

	if (!part->tree || part_is_dropped(flush, part))
		return 0;
	do {
		epoch_enter(flush->db->epoch);
		rc = keys_write(flush, part, key, &key_bytes, &more);
		epoch_leave(flush->db->epoch);
	} while (rc == 0 && more);
	return rc;
}

/* How many live keys a space has, as an entry of space 1; a tombstone: there is
 * no such space any more. */
static int count_write(struct flush *flush, uint64_t space_id,
		       const uint64_t *live)
{
	uint8_t number[8], key[SPACE_KEY_BYTES_MAX], value[BYTES_VARINT_MAX];
	struct entry entry = {
		.key = key,
		.seq = flush->upto,
		.id = flush->upto,
		.time_us = flush->time_us,
		.mtime_ns = AEDB_MTIME_NONE,
		.is_tombstone = !live,
	};
	struct byte_writer w;
	int rc = segment_begin(flush);

	if (rc < 0)
		return rc;
	catalog_number_key(space_id, number);
	entry.key_bytes = (uint32_t)space_key(CATALOG_COUNTS, number,
					      sizeof(number), key);
	if (live) {
		byte_writer_init(&w, value, sizeof(value));
		byte_writer_varint(&w, *live);
		entry.value = value;
		entry.value_bytes = (uint32_t)byte_writer_used(&w);
	}
	return segment_writer_add(flush->writer, &entry);
}

/* Scopes of which nothing is left: a compaction removed their marks. Ids ascend. */
struct gone_scopes {
	uint64_t *ids;		/* owned */
	size_t n, room;
};

static int gone_add(struct gone_scopes *gone, const uint8_t *key)
{
	uint64_t id = 0;

	if (gone->n == gone->room) {
		size_t room = gone->room ? gone->room * 2 : MOVED_MIN;
		uint64_t *grown = realloc(gone->ids, room * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "no memory for a checkpoint");
		gone->ids = grown;
		gone->room = room;
	}
	for (int i = 0; i < 8; i++)
		id = id << 8 | key[i];
	gone->ids[gone->n++] = id;
	return 0;
}

static int gone_collect(const struct flush *flush, struct gone_scopes *ret)
{
	struct mem_walk walk;
	bool is_on;
	int rc = 0;

	for (size_t i = 0; i < flush->n_parts && rc == 0; i++) {
		const struct catalog_part *part = &flush->parts[i];

		if (part->space->id != CATALOG_DROPS || !part->tree)
			continue;
		epoch_enter(flush->db->epoch);
		mem_walk_init(&walk, part->tree, flush->above, flush->upto);
		is_on = mem_walk_seek(&walk, MEM_SEEK_FIRST, NULL, 0);
		for (; is_on && rc == 0; is_on = mem_walk_next(&walk))
			if (walk.entry.is_tombstone)
				rc = gone_add(ret, walk.entry.key);
		epoch_leave(flush->db->epoch);
	}
	return rc;
}

/* The counts of a space that is gone, if segments have one. */
static int gone_write(struct flush *flush, uint64_t space_id)
{
	uint8_t number[8], key[SPACE_KEY_BYTES_MAX];
	struct entry count;
	size_t n;
	int rc;

	catalog_number_key(space_id, number);
	n = space_key(CATALOG_COUNTS, number, sizeof(number), key);
	epoch_enter(flush->db->epoch);
	rc = levels_get(db_levels(flush->db), &(struct levels_sought){
		.key = key, .key_bytes = n, .limit = SEQ_MAX }, &count, NULL);
	epoch_leave(flush->db->epoch);
	if (rc <= 0 || count.is_tombstone)
		return rc < 0 ? rc : 0;
	return count_write(flush, space_id, NULL);
}

static uint64_t gone_space(const struct gone_scopes *gone, size_t at)
{
	return gone->ids[at / 2] * 2 + at % 2;
}

/* Of what is gone below a space's id, from the *at-th scope's space on. */
static int gone_write_below(struct flush *flush, const struct gone_scopes *gone,
			    uint64_t space_end, size_t *at)
{
	int rc = 0;

	for (; *at < 2 * gone->n && rc == 0; ++*at) {
		uint64_t space_id = gone_space(gone, *at);

		if (space_id >= space_end)
			break;
		rc = gone_write(flush, space_id);
	}
	return rc;
}

static int counts_merge(struct flush *flush, const struct gone_scopes *gone)
{
	size_t at = 0;
	int rc = 0;

	for (size_t i = 0; i < flush->n_parts && rc == 0; i++) {
		const struct catalog_part *part = &flush->parts[i];

		if (!part->is_changed)
			continue;
		rc = gone_write_below(flush, gone, part->space->id, &at);
		/* a log that is repeated may have both, its making and its end */
		if (rc == 0 && (at == 2 * gone->n ||
				gone_space(gone, at) != part->space->id))
			rc = count_write(flush, part->space->id, &part->live);
	}
	return rc < 0 ? rc : gone_write_below(flush, gone, UINT64_MAX, &at);
}

static int counts_write(struct flush *flush)
{
	struct gone_scopes gone = { .ids = NULL };
	int rc = gone_collect(flush, &gone);

	if (rc == 0)
		rc = counts_merge(flush, &gone);
	free(gone.ids);
	return rc;
}

static int piece_write(struct flush *flush, const struct history_piece *piece,
		       enum history_key kind)
{
	uint8_t number[HISTORY_KEY_BYTES], key[SPACE_KEY_BYTES_MAX];
	uint8_t head[HISTORY_HEAD_BYTES_MAX];
	struct entry entry = {
		.key = key,
		.value = head,
		.seq = piece->last,
		.id = piece->last,
		.time_us = piece->last_us,
		.mtime_ns = AEDB_MTIME_NONE,
	};
	int rc = segment_begin(flush);

	if (rc < 0)
		return rc;
	history_piece_key(kind, piece->last, number);
	entry.key_bytes = (uint32_t)space_key(HISTORY_SPACE, number,
					      sizeof(number), key);
	entry.value_bytes = (uint32_t)history_piece_encode(piece, head);
	if (kind == HISTORY_BODY) {
		entry.value = piece->body;
		entry.value_bytes = (uint32_t)piece->body_bytes;
	}
	return segment_writer_add(flush->writer, &entry);
}

static int history_write(struct flush *flush)
{
	int rc = 0;

	for (size_t i = 0; i < flush->n_pieces && rc == 0; i++)
		rc = piece_write(flush, &flush->pieces[i], HISTORY_BODY);
	for (size_t i = 0; i < flush->n_pieces && rc == 0; i++)
		rc = piece_write(flush, &flush->pieces[i], HISTORY_HEAD);
	return rc;
}

/* The parts of spaces below this one that were not written yet. */
static int parts_write(struct flush *flush, uint64_t space_end, size_t *at)
{
	int rc = 0;

	for (; *at < flush->n_parts && rc == 0; ++*at) {
		if (flush->parts[*at].space->id >= space_end)
			break;
		rc = part_write(flush, &flush->parts[*at]);
	}
	return rc;
}

/* Which of them lie on what was replaced is not known. */
static void buried_note(struct flush *flush)
{
	for (size_t i = 0; i < flush->n_infos; i++)
		flush->infos[i].buried_bytes =
			flush->buried_bytes / flush->n_infos;
}

static int all_write(struct flush *flush)
{
	size_t at = 0;
	int rc = parts_write(flush, CATALOG_COUNTS, &at);

	if (rc == 0)
		rc = counts_write(flush);
	if (rc == 0)
		rc = parts_write(flush, HISTORY_SPACE, &at);
	if (rc == 0)
		rc = history_write(flush);
	return rc < 0 ? rc : parts_write(flush, UINT64_MAX, &at);
}

void flush_discard(struct flush *flush)
{
	for (size_t i = 0; i < flush->n_infos; i++) {
		file_set_remove(flush->db->segments, flush->infos[i].number);
		segment_info_release(&flush->infos[i]);
	}
	flush->n_infos = 0;
}

int flush_run(struct flush *flush)
{
	int rc = all_write(flush);

	if (rc == 0 && flush->writer && segment_writer_entries(flush->writer))
		rc = segment_end(flush);
	segment_writer_close(flush->writer);
	flush->writer = NULL;
	if (rc == 0)
		rc = values_sync(flush->db->values);
	if (rc < 0)
		flush_discard(flush);
	else
		buried_note(flush);
	return rc;
}

void flush_release(struct flush *flush)
{
	for (size_t i = 0; i < flush->n_infos; i++)
		segment_info_release(&flush->infos[i]);
	for (size_t i = 0; i < flush->n_moved; i++)
		free(flush->moved[i].key);
	history_copy_free(flush->pieces, flush->n_pieces);
	free(flush->infos);
	free(flush->moved);
}
