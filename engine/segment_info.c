/*
 * What the manifest keeps of a segment, encoded: varints but for the checksum.
 *
 *	number, level, bytes, entries, tombstones, least seq, greatest less
 *	least, latest time, superseded entries and, if there are any, the least
 *	number that sees one and the first after which none does less that;
 *	value bytes buried;
 *	first key's bytes and key, last key's, offset and stored bytes of the
 *	last page, its crc (le32), number of shares; of each its file less the
 *	one before it, and bytes
 *
 * Invariants:
 * 1. What was decoded has no fault, and its keys and shares lie in one block.
 */
#include "segment_info.h"

#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define NUMBERS 20		/* varints of one without keys and shares */
#define SHARE_BYTES_MIN 2
#define TIME_US_MAX SEQ_MAX
#define SHOWN_KEY_BYTES_MAX 64

void segment_info_release(struct segment_info *info)
{
	free(info->memory);
	*info = (struct segment_info){ 0 };
}

uint64_t segment_info_value_bytes(const struct segment_info *info)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < info->n_shares; i++)
		bytes += info->shares[i].bytes;
	return bytes;
}

int segment_bytes_compare(const struct segment_bytes *a,
			  const struct segment_bytes *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int order = n ? memcmp(a->at, b->at, n) : 0;

	return order ? order : (a->n > b->n) - (a->n < b->n);
}

static bool superseded_is_possible(const struct segment_info *info)
{
	if (info->superseded == 0)
		return info->superseded_min == 0 && info->superseded_until == 0;
	return info->superseded < info->entries &&
	       info->superseded_min >= info->seq_min &&
	       info->superseded_min < info->superseded_until &&
	       info->superseded_until <= info->seq_max;
}

static const char *shares_fault(const struct segment_info *info)
{
	file_id_t before = 0;

	for (size_t i = 0; i < info->n_shares; i++) {
		if (info->shares[i].file <= before ||
		    info->shares[i].file > UINT32_MAX)
			return "its value files do not ascend";
		if (info->shares[i].bytes == 0 ||
		    info->shares[i].bytes > INT64_MAX)
			return "an impossible share of a value file";
		before = info->shares[i].file;
	}
	return NULL;
}

const char *segment_info_fault(const struct segment_info *info)
{
	const struct page_ref *meta = &info->meta;

	if (info->number == 0 || info->number > UINT32_MAX ||
	    info->level >= SEGMENT_LEVELS_MAX)
		return "an impossible number or level";
	if (info->bytes > PAGE_FILE_BYTES_MAX ||
	    meta->offset < FILE_DATA_OFFSET || meta->offset % PAGE_ALIGN ||
	    meta->offset >= info->bytes || meta->file != info->number ||
	    meta->stored_bytes > info->bytes - meta->offset)
		return "its last page does not lie in it";
	if (info->entries == 0 || info->tombstones > info->entries)
		return "impossible numbers of entries";
	if (info->seq_min == 0 || info->seq_min > info->seq_max ||
	    info->seq_max > SEQ_MAX || info->time_us_max > TIME_US_MAX)
		return "impossible versions";
	if (!superseded_is_possible(info))
		return "impossible superseded versions";
	if (info->first.n > SEGMENT_KEY_BYTES_MAX ||
	    info->last.n > SEGMENT_KEY_BYTES_MAX ||
	    segment_bytes_compare(&info->first, &info->last) > 0)
		return "impossible keys";
	return shares_fault(info);
}

/* Lays the keys and room for the shares out in one block. */
static int info_gather(struct segment_info *info)
{
	size_t shares_bytes = info->n_shares * sizeof(*info->shares);
	uint8_t *memory = malloc(shares_bytes + info->first.n + info->last.n + 1);
	uint8_t *keys = memory + shares_bytes;

	if (!memory)
		return err_set(AEDB_NO_MEMORY, "no memory for a segment's info");
	if (info->first.n)
		memcpy(keys, info->first.at, info->first.n);
	if (info->last.n)
		memcpy(keys + info->first.n, info->last.at, info->last.n);
	info->first.at = keys;
	info->last.at = keys + info->first.n;
	info->memory = memory;
	return 0;
}

int segment_info_copy(const struct segment_info *info, struct segment_info *ret)
{
	struct segment_info copy = *info;
	int rc = info_gather(&copy);

	if (rc < 0)
		return rc;
	if (copy.n_shares)
		memcpy(copy.memory, info->shares,
		       copy.n_shares * sizeof(*copy.shares));
	copy.shares = copy.memory;
	*ret = copy;
	return 0;
}

size_t segment_info_bytes_max(const struct segment_info *info)
{
	return NUMBERS * BYTES_VARINT_MAX + info->first.n + info->last.n +
	       info->n_shares * 2 * BYTES_VARINT_MAX;
}

static void put_key(struct byte_writer *w, const struct segment_bytes *key)
{
	byte_writer_varint(w, key->n);
	byte_writer_put(w, key->at, key->n);
}

void segment_info_encode(const struct segment_info *info, struct byte_writer *w)
{
	file_id_t before = 0;

	byte_writer_varint(w, info->number);
	byte_writer_varint(w, info->level);
	byte_writer_varint(w, info->bytes);
	byte_writer_varint(w, info->entries);
	byte_writer_varint(w, info->tombstones);
	byte_writer_varint(w, info->seq_min);
	byte_writer_varint(w, info->seq_max - info->seq_min);
	byte_writer_varint(w, info->time_us_max);
	byte_writer_varint(w, info->superseded);
	if (info->superseded) {
		byte_writer_varint(w, info->superseded_min);
		byte_writer_varint(w, info->superseded_until -
				      info->superseded_min);
	}
	byte_writer_varint(w, info->buried_bytes);
	put_key(w, &info->first);
	put_key(w, &info->last);
	byte_writer_varint(w, info->meta.offset);
	byte_writer_varint(w, info->meta.stored_bytes);
	byte_writer_le32(w, info->meta.crc);
	byte_writer_varint(w, info->n_shares);
	for (size_t i = 0; i < info->n_shares; i++) {
		byte_writer_varint(w, info->shares[i].file - before);
		byte_writer_varint(w, info->shares[i].bytes);
		before = info->shares[i].file;
	}
}

static void get_key(struct byte_reader *r, struct segment_bytes *ret)
{
	ret->n = byte_reader_varint(r);
	ret->at = byte_reader_take(r, ret->n);
}

/* All but the shares; the keys are borrowed from the reader. */
static void get_fields(struct byte_reader *r, struct segment_info *ret)
{
	uint64_t level, stored_bytes;

	ret->number = byte_reader_varint(r);
	level = byte_reader_varint(r);
	ret->level = level < UINT32_MAX ? (unsigned)level : UINT32_MAX;
	ret->bytes = byte_reader_varint(r);
	ret->entries = byte_reader_varint(r);
	ret->tombstones = byte_reader_varint(r);
	ret->seq_min = byte_reader_varint(r);
	ret->seq_max = ret->seq_min + byte_reader_varint(r);
	ret->time_us_max = byte_reader_varint(r);
	ret->superseded = byte_reader_varint(r);
	if (ret->superseded) {
		ret->superseded_min = byte_reader_varint(r);
		ret->superseded_until = ret->superseded_min +
					byte_reader_varint(r);
	}
	ret->buried_bytes = byte_reader_varint(r);
	get_key(r, &ret->first);
	get_key(r, &ret->last);
	ret->meta.file = ret->number;
	ret->meta.offset = byte_reader_varint(r);
	stored_bytes = byte_reader_varint(r);
	ret->meta.stored_bytes =
		stored_bytes < UINT32_MAX ? (uint32_t)stored_bytes : UINT32_MAX;
	ret->meta.crc = byte_reader_le32(r);
	ret->n_shares = byte_reader_varint(r);
}

static void get_shares(struct byte_reader *r, size_t n,
		       struct segment_share *shares)
{
	file_id_t file = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t step = byte_reader_varint(r);

		/* one that wraps does not ascend, and is found by that */
		file += step;
		shares[i].file = file;
		shares[i].bytes = byte_reader_varint(r);
	}
}

int segment_info_decode(struct byte_reader *r, struct segment_info *ret)
{
	struct segment_info info = { 0 };
	const char *fault;
	int rc;

	get_fields(r, &info);
	if (r->is_bad || info.n_shares > byte_reader_left(r) / SHARE_BYTES_MIN)
		return err_set(AEDB_CORRUPT, "a segment's info is cut off");
	rc = info_gather(&info);
	if (rc < 0)
		return rc;
	get_shares(r, info.n_shares, info.memory);
	info.shares = info.memory;
	fault = r->is_bad ? "it is cut off" : segment_info_fault(&info);
	if (fault) {
		rc = err_set(AEDB_CORRUPT, "info of segment %" PRIu64 ": %s",
			     info.number, fault);
		segment_info_release(&info);
		return rc;
	}
	*ret = info;
	return 0;
}

static void key_show(const struct segment_bytes *key, FILE *out)
{
	for (size_t i = 0; i < key->n && i < SHOWN_KEY_BYTES_MAX; i++) {
		uint8_t c = key->at[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			fputc(c, out);
		else
			fprintf(out, "\\%02x", c);
	}
	if (key->n > SHOWN_KEY_BYTES_MAX)
		fprintf(out, "… (%zu bytes)", key->n);
}

void segment_info_show(const struct segment_info *info, FILE *out)
{
	fprintf(out,
		"segment %" PRIu64 ": level %u, %" PRIu64 " bytes, %" PRIu64
		" entries, %" PRIu64 " tombstones, numbers %" PRIu64
		"-%" PRIu64 ", time to %" PRIu64 " us, ",
		info->number, info->level, info->bytes, info->entries,
		info->tombstones, info->seq_min, info->seq_max,
		info->time_us_max);
	if (info->superseded)
		fprintf(out, "%" PRIu64 " superseded seen at %" PRIu64 "-%"
			PRIu64 ", ", info->superseded, info->superseded_min,
			info->superseded_until - 1);
	if (info->buried_bytes)
		fprintf(out, "%" PRIu64 " value bytes buried, ",
			info->buried_bytes);
	fputs("keys ", out);
	key_show(&info->first, out);
	fputs(" to ", out);
	key_show(&info->last, out);
	fprintf(out, ", last page at %" PRIu64 "\n", info->meta.offset);
	for (size_t i = 0; i < info->n_shares; i++)
		fprintf(out, "    %" PRIu64 " bytes in value file %" PRIu64 "\n",
			info->shares[i].bytes, info->shares[i].file);
}
