/*
 * Bytes and times as text.
 */
#include "plain_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_SECOND 1000000
#define UUID_BYTES 16

void hex_write(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_read(const char *text, uint8_t *ret, size_t n)
{
	if (strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Digits of a UUID, in bytes: 8-4-4-4-12 digits. */
static const uint8_t uuid_parts[] = { 4, 2, 2, 2, 6 };

void uuid_write(const uint8_t *uuid, char ret[UUID_TEXT_BYTES])
{
	for (size_t i = 0; i < sizeof(uuid_parts); i++) {
		if (i)
			*ret++ = '-';
		hex_write(uuid, uuid_parts[i], ret);
		uuid += uuid_parts[i];
		ret += 2 * uuid_parts[i];
	}
}

bool uuid_read(const char *text, uint8_t *ret)
{
	char digits[2 * UUID_BYTES + 1];
	size_t n = 0;

	for (; *text && n + 1 < sizeof(digits); text++)
		if (*text != '-')
			digits[n++] = *text;
	digits[n] = '\0';
	return !*text && hex_read(digits, ret, UUID_BYTES);
}

void time_write(uint64_t us, char ret[TIME_TEXT_BYTES])
{
	time_t seconds = (time_t)(us / US_PER_SECOND);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + strlen(ret), TIME_TEXT_BYTES - strlen(ret), ".%06uZ",
		 (unsigned)(us % US_PER_SECOND));
}

/* What is read is written again: one time has one text. */
bool time_read(const char *text, uint64_t *ret_us)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	char again[TIME_TEXT_BYTES];
	unsigned fraction;
	uint64_t us;
	time_t seconds;

	if (!rest || sscanf(rest, ".%6uZ", &fraction) != 1)
		return false;
	seconds = timegm(&tm);
	if (seconds < 0 ||
	    seconds > (time_t)(TIME_TEXT_US_MAX / US_PER_SECOND))
		return false;
	us = (uint64_t)seconds * US_PER_SECOND + fraction;
	time_write(us, again);
	if (strcmp(text, again))
		return false;
	*ret_us = us;
	return true;
}
