/*
 * Bytes as text and back: UTF-8, quoting, hexadecimal, base64, times.
 *
 * Threads: any. Writers to a FILE leave errors to its error flag.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length of the longest beginning that is whole, valid UTF-8 characters. */
size_t text_utf8_span(const void *bytes, size_t n);
/* Can it stand in a line as it is? Valid UTF-8 without control characters,
 * quotation marks and backslashes. */
bool text_is_plain(const void *bytes, size_t n);

/* As it is if plain, else as git quotes: "a\tb\377". */
void text_write(FILE *out, const void *bytes, size_t n);
/* The inside of the quotes only. A part of a longer text may end in the middle
 * of a character only if the text is not UTF-8. */
void text_write_escaped(FILE *out, const void *bytes, size_t n);
void text_write_hex(FILE *out, const void *bytes, size_t n);
/* With padding; parts of a longer text, but its last, are multiples of 3. */
void text_write_base64(FILE *out, const void *bytes, size_t n);

/* The line of a list of changes: + - or ~, and a path. */
void text_write_change(FILE *out, char sign, const void *path, size_t n);

/* Always in quotes. Owned; free. NULL: no memory. */
char *text_quote(const void *bytes, size_t n);
/* Replaces what text_write wrote by the bytes it stands for, in place; how many
 * they are. */
size_t text_unquote(char *text);
/* Replaces hexadecimal digits by the bytes they say, in place. False, and
 * nothing is changed, if they are no pairs of digits. */
bool text_parse_hex(char *text, size_t *ret_n);

/* "512 B", "4.4 KiB", "1.5 GiB". */
#define TEXT_SIZE_BYTES 24
const char *text_format_size(uint64_t bytes, char ret[TEXT_SIZE_BYTES]);

/* RFC 3339 in UTC with nanoseconds. */
#define TEXT_TIME_BYTES 40
void text_format_time(int64_t ns, char ret[TEXT_TIME_BYTES]);
/* The reverse. False: text_format_time writes this of no time. */
bool text_parse_time(const char *text, int64_t *ret_ns);

#endif
