/*
 * Printing of values.
 *
 * Invariants:
 * 1. A value takes PART_BYTES of memory, however large it is.
 * 2. It is read twice where its form depends on all of it (is it UTF-8?); both
 *    readings see one version, as the reader or the open file pins it.
 */
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "output.h"
#include "progress.h"
#include "text.h"

#define PART_BYTES (3u << 16)	/* a multiple of 3, for base64 */

enum value_form {
	FORM_PLAIN,	/* UTF-8 that can stand in a line */
	FORM_UTF8,
	FORM_BINARY,
};

void value_init_reader(struct value *value, struct aedb_reader *reader,
		       const char *what)
{
	value->reader = reader;
	value->fd = -1;
	value->bytes = aedb_reader_entry(reader)->value_bytes;
	snprintf(value->what, sizeof(value->what), "%s", what);
}

int value_init_file(struct value *value, int dirfd, const char *path,
		    const char *what)
{
	/* Not blocking: opening a FIFO would wait for its writer. */
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return failure_system(errno, "%s", what);
	if (fstat(fd, &st) < 0)
		rc = failure_system(errno, "%s", what);
	else if (!S_ISREG(st.st_mode))
		rc = failure_set(STATUS_FAILED, what, "%s",
				 S_ISDIR(st.st_mode) ? "is a directory" :
						       "is not a regular file");
	if (rc < 0) {
		close(fd);
		return rc;
	}
	value->reader = NULL;
	value->fd = fd;
	value->bytes = (uint64_t)st.st_size;
	snprintf(value->what, sizeof(value->what), "%s", what);
	return 0;
}

void value_release(struct value *value)
{
	if (value->fd >= 0)
		close(value->fd);
	else
		aedb_reader_close(value->reader);
}

static int read_file(struct value *value, char *buf, uint64_t at, size_t *ret)
{
	size_t done = 0;

	while (done < PART_BYTES) {
		ssize_t n = pread(value->fd, buf + done, PART_BYTES - done,
				  (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure_system(errno, "%s", value->what);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret = done;
	return 0;
}

/* Fills buf with PART_BYTES, or with fewer at the end. */
static int read_part(struct value *value, char *buf, uint64_t at, size_t *ret)
{
	int rc;

	if (!value->reader)
		return read_file(value, buf, at, ret);
	rc = aedb_reader_read(value->reader, buf, PART_BYTES, at, ret);
	return rc < 0 ? failure_engine(rc, "%s", value->what) : 0;
}

/* Parts begin at a character: what is cut off at the end of one is read again
 * with the next. */
static int find_form(struct value *value, char *buf, enum value_form *ret)
{
	enum value_form form = FORM_PLAIN;
	uint64_t at = 0;
	size_t n = 0;

	do {
		int rc = read_part(value, buf, at, &n);
		size_t span;

		if (rc < 0)
			return rc;
		span = text_utf8_span(buf, n);
		if (n == PART_BYTES ? n - span >= 4 : span < n) {
			*ret = FORM_BINARY;
			return 0;
		}
		if (!text_is_plain(buf, span))
			form = FORM_UTF8;
		at += span;
	} while (n == PART_BYTES);
	*ret = form;
	return 0;
}

static void write_json_part(const char *buf, size_t n)
{
	json_t *string = json_stringn(buf, n);
	char *text = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	if (text)
		fwrite(text + 1, 1, strlen(text) - 2, stdout);
	free(text);
	json_decref(string);
}

typedef void (*write_part_fn)(const char *buf, size_t n);

static void write_raw_part(const char *buf, size_t n)
{
	fwrite(buf, 1, n, stdout);
}

static void write_escaped_part(const char *buf, size_t n)
{
	text_write_escaped(stdout, buf, n);
}

static void write_base64_part(const char *buf, size_t n)
{
	text_write_base64(stdout, buf, n);
}

static int write_parts(struct value *value, char *buf, enum value_form form,
		       write_part_fn write_part)
{
	struct progress progress;
	uint64_t at = 0;
	size_t n = 0, whole;
	int rc;

	progress_init(&progress, PROGRESS_BYTES, value->bytes);
	do {
		rc = read_part(value, buf, at, &n);
		if (rc < 0)
			break;
		whole = form == FORM_BINARY ? n : text_utf8_span(buf, n);
		write_part(buf, whole);
		rc = output_check();
		at += whole;
		progress_show(&progress, at);
	} while (rc == 0 && n == PART_BYTES);
	progress_release(&progress);
	return rc;
}

static char *new_buffer(void)
{
	char *buf = malloc(PART_BYTES);

	if (!buf)
		failure_system(ENOMEM, "reading");
	return buf;
}

int value_write_raw(struct value *value)
{
	char *buf = new_buffer();
	int rc;

	if (!buf)
		return AEDB_NO_MEMORY;
	rc = write_parts(value, buf, FORM_BINARY, write_raw_part);
	free(buf);
	return rc;
}

int value_write_text(struct value *value)
{
	enum value_form form;
	char *buf = new_buffer();
	int rc;

	if (!buf)
		return AEDB_NO_MEMORY;
	rc = find_form(value, buf, &form);
	if (rc == 0 && form == FORM_PLAIN)
		rc = write_parts(value, buf, form, write_raw_part);
	else if (rc == 0) {
		putchar('"');
		rc = write_parts(value, buf, form, write_escaped_part);
		putchar('"');
	}
	free(buf);
	return rc;
}

/* The object without its closing brace, up to the value's opening quote. */
static int write_json_head(json_t *object, enum value_form form)
{
	char *head = json_dumps(object, JSON_COMPACT);

	if (!head)
		return output_json_result(-1);
	fwrite(head, 1, strlen(head) - 1, stdout);
	printf("%s\"%s\":\"", json_object_size(object) ? "," : "",
	       form == FORM_BINARY ? "value_base64" : "value");
	free(head);
	return 0;
}

int value_write_json(struct value *value, json_t *object)
{
	enum value_form form;
	char *buf = new_buffer();
	int rc;

	rc = !buf ? AEDB_NO_MEMORY : !object ? output_json_result(-1) : 0;
	if (rc < 0)
		goto out;
	rc = find_form(value, buf, &form);
	if (rc < 0)
		goto out;
	rc = write_json_head(object, form);
	if (rc < 0)
		goto out;
	rc = write_parts(value, buf, form, form == FORM_BINARY ?
			 write_base64_part : write_json_part);
	fputs("\"}\n", stdout);
	if (rc == 0)
		rc = output_check();
out:
	json_decref(object);
	free(buf);
	return rc;
}
