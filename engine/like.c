/*
 * Patterns of AEDB_IF_LIKE.
 *
 * Matching remembers the last % only: when what stands behind it does not match, it
 * stands for one character more. What an earlier % stands for need not change then, for
 * the later one can stand for all that it could have left over.
 */
#include "like.h"

#include <string.h>

#include "err.h"
#include "utf8.h"

/* What stands at a place of a pattern. */
enum piece {
	PIECE_END,
	PIECE_ANY,		/* % */
	PIECE_CHARACTER,	/* _ */
	PIECE_BYTE,
};

struct cursor {
	const uint8_t *at, *end;
};

/* Takes the next piece; *ret_byte is the one that PIECE_BYTE is. */
static enum piece take_piece(struct cursor *pattern, uint8_t *ret_byte)
{
	uint8_t byte;

	if (pattern->at == pattern->end)
		return PIECE_END;
	byte = *pattern->at++;
	if (byte == '%')
		return PIECE_ANY;
	if (byte == '_')
		return PIECE_CHARACTER;
	if (byte == '\\')
		byte = *pattern->at++;
	*ret_byte = byte;
	return PIECE_BYTE;
}

int like_check(struct aedb_bytes pattern)
{
	const uint8_t *at = pattern.at, *end = at + pattern.n;

	if (pattern.n > AEDB_LIKE_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "a pattern of %zu bytes, at most %d "
			       "are allowed", pattern.n, AEDB_LIKE_BYTES_MAX);
	if (!utf8_is_valid(pattern.at, pattern.n))
		return err_set(AEDB_INVALID, "a pattern is not UTF-8");
	for (; at < end; at++) {
		if (*at != '\\')
			continue;
		if (++at == end || (*at != '%' && *at != '_' && *at != '\\'))
			return err_set(AEDB_INVALID, "a pattern \"%.*s\": a backslash "
				       "stands before %%, _ or another backslash",
				       (int)pattern.n, (const char *)pattern.at);
	}
	return 0;
}

/* Takes what one piece, which is no %, matches; false: it does not. */
static bool take_match(enum piece piece, uint8_t byte, struct cursor *text)
{
	size_t step = 1;

	if (piece == PIECE_END || text->at == text->end)
		return false;
	if (piece == PIECE_CHARACTER)
		step = utf8_char_bytes(text->at, (size_t)(text->end - text->at));
	else if (*text->at != byte)
		return false;
	text->at += step ? step : 1;
	return true;
}

bool like_matches(struct aedb_bytes pattern, struct aedb_bytes text)
{
	struct cursor p = { pattern.at, (const uint8_t *)pattern.at + pattern.n };
	struct cursor t = { text.at, (const uint8_t *)text.at + text.n };
	/* behind the last %, and where what it stands for ends; NULL: none yet */
	const uint8_t *behind = NULL, *end_of_any = NULL;
	enum piece piece;
	uint8_t byte = 0;

	for (;;) {
		piece = take_piece(&p, &byte);
		if (piece == PIECE_END && t.at == t.end)
			return true;
		if (piece == PIECE_ANY) {
			if (p.at == p.end)
				return true;
			behind = p.at;
			end_of_any = t.at;
			continue;
		}
		if (take_match(piece, byte, &t))
			continue;
		if (!behind || end_of_any == t.end)
			return false;
		p.at = behind;
		t.at = end_of_any;
		take_match(PIECE_CHARACTER, 0, &t);
		end_of_any = t.at;
	}
}

enum like_shape like_prefix(struct aedb_bytes pattern, uint8_t *ret,
			    size_t *ret_n)
{
	struct cursor p = { pattern.at, (const uint8_t *)pattern.at + pattern.n };
	enum piece piece;
	size_t n = 0;
	uint8_t byte;

	while ((piece = take_piece(&p, &byte)) == PIECE_BYTE)
		ret[n++] = byte;
	*ret_n = n;
	if (piece == PIECE_END)
		return LIKE_EXACT;
	while (piece == PIECE_ANY)
		piece = take_piece(&p, &byte);
	return piece == PIECE_END ? LIKE_PREFIX : LIKE_OTHER;
}
