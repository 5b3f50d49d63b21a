/* UTF-8: which bytes are characters. */
#include "utf8.h"

#include <string.h>

/* How many bytes a character has that begins with this one; 0: none does. */
static size_t bytes_of_first(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	return first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Longer than it need be, a surrogate, or above U+10FFFF. */
static bool is_out_of_range(const uint8_t *at)
{
	switch (at[0]) {
	case 0xe0:
		return at[1] < 0xa0;
	case 0xed:
		return at[1] >= 0xa0;
	case 0xf0:
		return at[1] < 0x90;
	case 0xf4:
		return at[1] >= 0x90;
	default:
		return false;
	}
}

size_t utf8_char_bytes(const uint8_t *at, size_t n)
{
	size_t bytes = bytes_of_first(at[0]);

	if (bytes > n)
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return bytes > 2 && is_out_of_range(at) ? 0 : bytes;
}

bool utf8_is_valid(const void *bytes, size_t n)
{
	const uint8_t *at = bytes, *end = at + n;
	uint64_t word;
	size_t step;

	while (at < end) {
		/* most of most texts is ASCII */
		if ((size_t)(end - at) >= sizeof(word)) {
			memcpy(&word, at, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				at += sizeof(word);
				continue;
			}
		}
		step = utf8_char_bytes(at, (size_t)(end - at));
		if (step == 0)
			return false;
		at += step;
	}
	return true;
}
