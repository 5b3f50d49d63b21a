/* Integers of 256 bits as decimal digits. */
#include "wide_text.h"

#include <string.h>

/* Times ten, plus a digit. False: that is more than 256 bits. */
static bool add_digit(uint8_t *wide, unsigned digit)
{
	for (int i = WIDE_BYTES - 1; i >= 0; i--) {
		digit += wide[i] * 10u;
		wide[i] = (uint8_t)digit;
		digit >>= 8;
	}
	return digit == 0;
}

/* Divides by ten and returns the rest. */
static unsigned take_digit(uint8_t *wide)
{
	unsigned rest = 0;

	for (int i = 0; i < WIDE_BYTES; i++) {
		rest = rest << 8 | wide[i];
		wide[i] = (uint8_t)(rest / 10);
		rest %= 10;
	}
	return rest;
}

static void negate(uint8_t *wide)
{
	unsigned carry = 1;

	for (int i = WIDE_BYTES - 1; i >= 0; i--) {
		carry += (uint8_t)~wide[i];
		wide[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static bool is_zero(const uint8_t *wide)
{
	static const uint8_t zeros[WIDE_BYTES];

	return memcmp(wide, zeros, WIDE_BYTES) == 0;
}

bool wide_parse(const char *text, bool is_signed, uint8_t ret[WIDE_BYTES])
{
	bool is_negative = is_signed && *text == '-';
	uint8_t wide[WIDE_BYTES] = { 0 };

	text += is_negative;
	if (!*text)
		return false;
	for (; *text; text++)
		if (*text < '0' || *text > '9' ||
		    !add_digit(wide, (unsigned)(*text - '0')))
			return false;
	if (is_negative)
		negate(wide);
	/* the sign that its highest bit says */
	if (is_signed && (wide[0] >= 0x80) != is_negative && !is_zero(wide))
		return false;
	memcpy(ret, wide, WIDE_BYTES);
	return true;
}

void wide_format(const uint8_t wide[WIDE_BYTES], bool is_signed,
		 char ret[WIDE_TEXT_BYTES])
{
	bool is_negative = is_signed && wide[0] >= 0x80;
	char *at = ret + WIDE_TEXT_BYTES - 1;
	uint8_t rest[WIDE_BYTES];

	memcpy(rest, wide, WIDE_BYTES);
	if (is_negative)
		negate(rest);
	*at = '\0';
	do
		*--at = (char)('0' + take_digit(rest));
	while (!is_zero(rest));
	if (is_negative)
		*--at = '-';
	memmove(ret, at, strlen(at) + 1);
}
