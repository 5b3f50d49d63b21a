/*
 * How keys and values, which are any bytes, are shown, and read from
 * arguments.
 *
 * Invariants:
 * 1. What text_write writes can be turned back into the bytes: a quotation
 *    mark at the beginning always starts a quoted text.
 * 2. It holds no control character, so a tab or a newline ends it.
 */
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base64.h"

/* Bytes of the valid character at s, 0 if there is none. */
static size_t utf8_char(const unsigned char *s, size_t n)
{
	size_t bytes = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 :
		       *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

	if (!bytes || bytes > n)
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (bytes == 3 && ((*s == 0xe0 && s[1] < 0xa0) ||
			   (*s == 0xed && s[1] >= 0xa0)))
		return 0;
	if (bytes == 4 && ((*s == 0xf0 && s[1] < 0x90) ||
			   (*s == 0xf4 && s[1] >= 0x90)))
		return 0;
	return bytes;
}

size_t text_utf8_span(const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	size_t at = 0, step;
	uint64_t word;

	for (;;) {
		/* most of most texts is ASCII */
		while (n - at >= sizeof(word)) {
			memcpy(&word, s + at, sizeof(word));
			if (word & UINT64_C(0x8080808080808080))
				break;
			at += sizeof(word);
		}
		if (at == n || (step = utf8_char(s + at, n - at)) == 0)
			return at;
		at += step;
	}
}

static bool needs_escape(unsigned char c)
{
	return c < ' ' || c == 0x7f || c == '"' || c == '\\';
}

bool text_is_plain(const void *bytes, size_t n)
{
	const unsigned char *s = bytes;

	for (size_t i = 0; i < n; i++)
		if (needs_escape(s[i]))
			return false;
	return text_utf8_span(bytes, n) == n;
}

/* What has an escape of its own, each with its letter. */
static const char names[] = "\aa\bb\tt\nn\vv\ff\rr\"\"\\\\";

static void write_escape(FILE *out, unsigned char c)
{
	for (const char *name = names; *name; name += 2) {
		if ((unsigned char)*name == c) {
			fputc('\\', out);
			fputc(name[1], out);
			return;
		}
	}
	fprintf(out, "\\%03o", c);
}

void text_write_escaped(FILE *out, const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	size_t at = 0;

	while (at < n) {
		size_t step = utf8_char(s + at, n - at);

		if (!step || needs_escape(s[at]))
			write_escape(out, s[at++]);
		else {
			fwrite(s + at, 1, step, out);
			at += step;
		}
	}
}

void text_write(FILE *out, const void *bytes, size_t n)
{
	if (text_is_plain(bytes, n)) {
		fwrite(bytes, 1, n, out);
		return;
	}
	fputc('"', out);
	text_write_escaped(out, bytes, n);
	fputc('"', out);
}

void text_write_hex(FILE *out, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = bytes;

	for (size_t i = 0; i < n; i++) {
		fputc(digits[s[i] >> 4], out);
		fputc(digits[s[i] & 15], out);
	}
}

void text_write_base64(FILE *out, const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	char text[1024];

	while (n > 0) {
		size_t part = n < sizeof(text) / 4 * 3 ? n : sizeof(text) / 4 * 3;

		base64_encode(s, part, text);
		fwrite(text, 1, BASE64_CHARS(part), out);
		s += part;
		n -= part;
	}
}

void text_write_change(FILE *out, char sign, const void *path, size_t n)
{
	putc(sign, out);
	putc(' ', out);
	text_write(out, path, n);
	putc('\n', out);
}

char *text_quote(const void *bytes, size_t n)
{
	char *text = NULL;
	size_t text_bytes;
	FILE *out = open_memstream(&text, &text_bytes);

	if (!out)
		return NULL;
	fputc('"', out);
	text_write_escaped(out, bytes, n);
	fputc('"', out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The byte that an escape stands for, behind which *at is then. */
static char read_escape(const char **at)
{
	unsigned int c = 0;

	if (**at < '0' || **at > '7') {
		for (const char *name = names; *name; name += 2)
			if (name[1] == **at) {
				++*at;
				return name[0];
			}
		return '\\';
	}
	for (int i = 0; i < 3 && **at >= '0' && **at <= '7'; i++)
		c = c * 8 + (unsigned int)(*(*at)++ - '0');
	return (char)c;
}

size_t text_unquote(char *text)
{
	const char *at = text + 1;
	char *to = text;

	if (*text != '"')
		return strlen(text);
	while (*at && *at != '"') {
		if (*at++ == '\\')
			*to++ = read_escape(&at);
		else
			*to++ = at[-1];
	}
	return (size_t)(to - text);
}

static unsigned int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned int)(c - '0') :
					   (unsigned int)((c | 0x20) - 'a' + 10);
}

bool text_parse_hex(char *text, size_t *ret_n)
{
	size_t digits = strlen(text);

	for (size_t i = 0; i < digits; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	if (digits % 2)
		return false;
	for (size_t i = 0; i < digits; i += 2)
		text[i / 2] = (char)(hex_digit(text[i]) << 4 |
				     hex_digit(text[i + 1]));
	*ret_n = digits / 2;
	return true;
}

const char *text_format_size(uint64_t bytes, char ret[TEXT_SIZE_BYTES])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double size = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(ret, TEXT_SIZE_BYTES, "%d B", (int)bytes);
		return ret;
	}
	/* what would be rounded to 1024.0 has the next unit */
	while (size >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1024;
		i++;
	}
	snprintf(ret, TEXT_SIZE_BYTES, "%.1f %s", size, units[i]);
	return ret;
}

void text_format_time(int64_t ns, char ret[TEXT_TIME_BYTES])
{
	int64_t below = ns % 1000000000;
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	if (below < 0) {
		below += 1000000000;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	n = strftime(ret, TEXT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, TEXT_TIME_BYTES - n, ".%09ldZ", (long)below);
}

/* Seconds since 1970 of a date and time as text_format_time writes them. */
static bool parse_seconds(const char *text, time_t *ret)
{
	struct tm tm = { 0 };

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret = timegm(&tm);
	return true;
}

bool text_parse_time(const char *text, int64_t *ret_ns)
{
	char back[TEXT_TIME_BYTES];
	time_t seconds;
	__int128 ns;

	if (strlen(text) != strlen("1970-01-01T00:00:00.000000000Z") ||
	    !parse_seconds(text, &seconds))
		return false;
	ns = (__int128)seconds * 1000000000 + strtoll(text + 20, NULL, 10);
	if (ns < INT64_MIN || ns > INT64_MAX)
		return false;
	text_format_time((int64_t)ns, back);
	if (strcmp(back, text))
		return false;
	*ret_ns = (int64_t)ns;
	return true;
}
