/* The configuration file. */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options_item.h"

#define CONFIG_BYTES_MAX (64 << 10)
#define BLANKS " \t\r\v\f"

static int refuse_file(struct options *options, const char *why)
{
	return options_refuse(options, "%s: %s", options->config_file, why);
}

/* Up to one byte more than a file may have, so that a longer one is noticed. */
static int read_all(int fd, struct config_file *file)
{
	ssize_t got = 1;

	while (got != 0 && file->n <= CONFIG_BYTES_MAX) {
		got = read(fd, file->text + file->n,
			   CONFIG_BYTES_MAX + 1 - file->n);
		if (got < 0 && errno != EINTR)
			return -errno;
		file->n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int read_open(struct options *options, int fd, struct config_file *file)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return refuse_file(options, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse_file(options, "not a regular file");
	rc = read_all(fd, file);
	if (rc < 0)
		return refuse_file(options, strerror(-rc));
	if (file->n > CONFIG_BYTES_MAX)
		return refuse_file(options, "longer than 64K");
	if (memchr(file->text, 0, file->n))
		return refuse_file(options, "not text: it has a NUL");
	return 0;
}

int config_file_read(struct options *options, struct config_file *ret)
{
	/* a FIFO that nobody writes is not waited for */
	int fd = open(options->config_file,
		      O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;
	struct config_file file = { .text = malloc(CONFIG_BYTES_MAX + 1) };

	if (fd < 0)
		rc = refuse_file(options, strerror(errno));
	else if (!file.text)
		rc = refuse_file(options, "no memory");
	else
		rc = read_open(options, fd, &file);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		config_file_release(&file);
	else
		*ret = file;
	return rc;
}

void config_file_release(struct config_file *file)
{
	free(file->text);
	*file = (struct config_file){ .text = NULL };
}

/* Copies without the blanks at both ends. */
static size_t copy_trimmed(char *to, const char *from, size_t n)
{
	size_t start = 0;

	while (start < n && strchr(BLANKS, from[start]))
		start++;
	while (n > start && strchr(BLANKS, from[n - 1]))
		n--;
	memcpy(to, from + start, n - start);
	to[n - start] = '\0';
	return n - start;
}

/* Or nothing but blanks. */
static bool is_comment(const char *line, size_t n)
{
	while (n && strchr(BLANKS, *line)) {
		line++;
		n--;
	}
	return !n || *line == '#';
}

/* Where the file itself comes from is none of its business. */
static bool is_for_command_line(const char *item)
{
	size_t n = strcspn(item, "=");

	return (n == 6 && !memcmp(item, "config", n)) ||
	       (n == 7 && !memcmp(item, "remount", n));
}

static int apply_line(struct options *options, const char *line, size_t n)
{
	const char *equals = memchr(line, '=', n);
	size_t name_bytes = equals ? (size_t)(equals - line) : n, at;
	char item[OPTIONS_ITEM_BYTES_MAX];

	if (is_comment(line, n))
		return 0;
	if (n >= sizeof(item))
		return options_refuse(options, "option too long: %.40s…", line);
	at = copy_trimmed(item, line, name_bytes);
	if (equals) {
		item[at++] = '=';
		copy_trimmed(item + at, equals + 1, n - name_bytes - 1);
	}
	if (is_for_command_line(item))
		return options_refuse(options, "option %s stands on the command "
				      "line only", item);
	return options_item_apply(options, item);
}

static int refuse_line(struct options *options, unsigned number)
{
	char why[sizeof(options->message)];

	strcpy(why, options->message);
	return options_refuse(options, "%s:%u: %s", options->config_file, number,
			      why);
}

int config_file_apply(const struct config_file *file, struct options *options)
{
	const char *end = file->text + file->n;
	unsigned number = 1;

	for (const char *line = file->text; line < end; number++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline : end) - line);

		if (apply_line(options, line, n) < 0)
			return refuse_line(options, number);
		line += n + 1;
	}
	return 0;
}
