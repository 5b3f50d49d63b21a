/*
 * Pieces of the history as bytes.
 *
 * Invariant: in a piece numbers and times ascend.
 */
#include <assert.h>
#include <inttypes.h>

#include "bytes.h"
#include "err.h"
#include "history_piece.h"

_Static_assert(HISTORY_HEAD_BYTES_MAX >= 5 * BYTES_VARINT_MAX, "head");

void history_piece_begin(struct history_piece *piece, seq_t seq,
			 uint64_t time_us, uint64_t bytes)
{
	piece->first = piece->last = seq;
	piece->first_us = piece->last_us = time_us;
	piece->commits = 1;
	piece->bytes = bytes;
	piece->body_bytes = 0;
}

bool history_piece_has_room(const struct history_piece *piece)
{
	return piece->body_bytes + 2 * BYTES_VARINT_MAX <= HISTORY_BODY_BYTES_MAX;
}

void history_piece_add(struct history_piece *piece, seq_t seq, uint64_t time_us,
		       uint64_t bytes)
{
	uint8_t *at = piece->body + piece->body_bytes;

	assert(seq > piece->last && time_us > piece->last_us);
	at = bytes_store_varint(at, seq - piece->last);
	at = bytes_store_varint(at, time_us - piece->last_us);
	piece->body_bytes = (size_t)(at - piece->body);
	piece->last = seq;
	piece->last_us = time_us;
	piece->commits++;
	piece->bytes += bytes;
}

void history_piece_key(enum history_key kind, seq_t last, uint8_t *ret)
{
	ret[0] = (uint8_t)kind;
	for (int i = 0; i < 8; i++)
		ret[1 + i] = (uint8_t)(last >> (56 - 8 * i));
}

size_t history_piece_encode(const struct history_piece *piece, uint8_t *buf)
{
	uint8_t *at = bytes_store_varint(buf, piece->last - piece->first);

	at = bytes_store_varint(at, piece->first_us);
	at = bytes_store_varint(at, piece->last_us - piece->first_us);
	at = bytes_store_varint(at, piece->commits);
	at = bytes_store_varint(at, piece->bytes);
	return (size_t)(at - buf);
}

static int is_malformed(seq_t last)
{
	return err_set(AEDB_CORRUPT,
		       "malformed piece of the history, up to commit %" PRIu64,
		       last);
}

int history_piece_decode(const void *key, size_t key_bytes, const void *value,
			 size_t value_bytes, struct history_piece *ret)
{
	struct history_piece piece = { .last = 0 };
	const uint8_t *number = key;
	uint64_t span, span_us;
	struct byte_reader r;

	if (key_bytes != HISTORY_KEY_BYTES || number[0] != HISTORY_HEAD)
		return err_set(AEDB_CORRUPT, "malformed key of the history");
	for (int i = 1; i <= 8; i++)
		piece.last = piece.last << 8 | number[i];
	byte_reader_init(&r, value, value_bytes);
	span = byte_reader_varint(&r);
	piece.first_us = byte_reader_varint(&r);
	span_us = byte_reader_varint(&r);
	piece.commits = byte_reader_varint(&r);
	piece.bytes = byte_reader_varint(&r);
	piece.first = piece.last - span;
	piece.last_us = piece.first_us + span_us;
	if (r.is_bad || byte_reader_left(&r) || piece.last > SEQ_MAX ||
	    span >= piece.last || piece.first_us > SEQ_MAX || span_us > SEQ_MAX ||
	    piece.commits == 0 || piece.commits - 1 > span ||
	    (piece.commits == 1 && (span || span_us)))
		return is_malformed(piece.last);
	*ret = piece;
	return 0;
}

int history_piece_find(const struct history_piece *piece, const void *body,
		       size_t body_bytes, seq_t seq, seq_t *ret)
{
	seq_t at = piece->first, found = at;
	uint64_t time_us = piece->first_us;
	struct byte_reader r;

	byte_reader_init(&r, body, body_bytes);
	for (uint64_t i = 1; i < piece->commits; i++) {
		uint64_t step = byte_reader_varint(&r);
		uint64_t step_us = byte_reader_varint(&r);

		if (r.is_bad || !step || step > piece->last - at || !step_us ||
		    step_us > piece->last_us - time_us)
			return is_malformed(piece->last);
		at += step;
		time_us += step_us;
		if (at <= seq)
			found = at;
	}
	if (byte_reader_left(&r) || at != piece->last ||
	    time_us != piece->last_us)
		return is_malformed(piece->last);
	*ret = found;
	return 0;
}

int history_piece_sum(const void *body, size_t body_bytes,
		      struct history_piece *ret)
{
	struct history_piece sum = { .commits = 1 };
	struct byte_reader r;

	byte_reader_init(&r, body, body_bytes);
	while (byte_reader_left(&r)) {
		uint64_t step = byte_reader_varint(&r);
		uint64_t step_us = byte_reader_varint(&r);

		if (r.is_bad || !step || step > SEQ_MAX - sum.first ||
		    !step_us || step_us > UINT64_MAX - sum.first_us)
			return err_set(AEDB_CORRUPT,
				       "malformed body of the history");
		sum.first += step;
		sum.first_us += step_us;
		sum.commits++;
	}
	*ret = sum;
	return 0;
}

void history_piece_show(const struct history_piece *piece, FILE *out)
{
	fprintf(out,
		"history: %" PRIu64 " commits from %" PRIu64 ", %" PRIu64
		" us, to %" PRIu64 ", %" PRIu64 " us, superseding %" PRIu64
		" bytes\n",
		piece->commits, piece->first, piece->first_us, piece->last,
		piece->last_us, piece->bytes);
}
