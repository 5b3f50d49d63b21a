/*
 * Base64.
 *
 * Invariant: every byte string has one text, and nothing else is decoded: bits
 * that no byte needs are zero.
 */
#include "base64.h"

#include <stdint.h>

#define NO_DIGIT 64

static const char digits[64] __attribute__((nonstring)) =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The values of the characters from '+' to 'z'. */
static const uint8_t values['z' - '+' + 1] = {
	62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64,
	64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,  5,	6,  7,	8,  9,
	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
	36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
};

void base64_encode(const void *bytes, size_t n, char *ret)
{
	const uint8_t *s = bytes;
	uint32_t word;

	for (; n >= 3; n -= 3, s += 3, ret += 4) {
		word = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
		ret[0] = digits[word >> 18];
		ret[1] = digits[word >> 12 & 63];
		ret[2] = digits[word >> 6 & 63];
		ret[3] = digits[word & 63];
	}
	if (n == 0)
		return;
	word = (uint32_t)s[0] << 16 | (n > 1 ? (uint32_t)s[1] << 8 : 0);
	ret[0] = digits[word >> 18];
	ret[1] = digits[word >> 12 & 63];
	ret[2] = n > 1 ? digits[word >> 6 & 63] : '=';
	ret[3] = '=';
}

static inline uint32_t value_of(char c)
{
	uint8_t i = (uint8_t)((uint8_t)c - '+');

	return i < sizeof(values) ? values[i] : NO_DIGIT;
}

/* The last four characters, of which one or two may be padding. */
static bool decode_end(const char *text, uint8_t *to, size_t *ret_n)
{
	size_t n = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
	uint32_t a = value_of(text[0]), b = value_of(text[1]);
	uint32_t c = n > 1 ? value_of(text[2]) : 0;
	uint32_t d = n > 2 ? value_of(text[3]) : 0;

	if ((a | b | c | d) & NO_DIGIT || (n == 1 && b & 15) || (n == 2 && c & 3))
		return false;
	to[0] = (uint8_t)(a << 2 | b >> 4);
	if (n > 1)
		to[1] = (uint8_t)(b << 4 | c >> 2);
	if (n > 2)
		to[2] = (uint8_t)(c << 6 | d);
	*ret_n = n;
	return true;
}

bool base64_decode(const char *text, size_t n, void *ret, size_t *ret_n)
{
	uint32_t bad = 0;
	uint8_t *to = ret;
	size_t end = 0;

	if (n % 4)
		return false;
	for (; n > 4; n -= 4, text += 4, to += 3) {
		uint32_t a = value_of(text[0]), b = value_of(text[1]);
		uint32_t c = value_of(text[2]), d = value_of(text[3]);

		bad |= a | b | c | d;
		to[0] = (uint8_t)(a << 2 | b >> 4);
		to[1] = (uint8_t)(b << 4 | c >> 2);
		to[2] = (uint8_t)(c << 6 | d);
	}
	if (bad & NO_DIGIT || (n && !decode_end(text, to, &end)))
		return false;
	*ret_n = (size_t)(to - (uint8_t *)ret) + end;
	return true;
}
