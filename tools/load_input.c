/* Reading of dumps, line by line. */
#include "load_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump_line.h"
#include "failure.h"

#define BUF_BYTES (2 * DUMP_LINE_BYTES_MAX)
#define TIMES_READ 2

static int input_failure(const struct load_input *input, int err)
{
	return failure_set(STATUS_FAILED, input->name, "%s", strerror(err));
}

static int open_nameless(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	FILE *file;

	if (fd >= 0 || errno != EOPNOTSUPP)
		return fd;
	file = tmpfile();
	fd = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 3) : -1;
	if (file)
		fclose(file);
	return fd;
}

static int write_all(int fd, const char *buf, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, buf, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* Everything that comes goes to the file. */
static int keep(struct load_input *input, int to)
{
	uint64_t bytes = 0;
	ssize_t n;
	int rc;

	progress_init_alone(&input->progress, PROGRESS_BYTES, 0);
	for (;;) {
		n = read(input->fd, input->buf, BUF_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		rc = write_all(to, input->buf, (size_t)n);
		if (rc < 0)
			return failure_set(STATUS_FAILED, input->name,
					   "keeping it to read it again: %s",
					   strerror(-rc));
		bytes += (uint64_t)n;
		progress_show(&input->progress, bytes);
	}
	progress_release(&input->progress);
	return n < 0 ? input_failure(input, errno) : 0;
}

static void close_input(struct load_input *input)
{
	if (input->fd > STDIN_FILENO)
		close(input->fd);
}

/* What is no file becomes one. */
static int make_readable_again(struct load_input *input, const char *directory)
{
	struct stat st;
	int fd, rc;

	if (fstat(input->fd, &st) < 0)
		return input_failure(input, errno);
	if (!S_ISREG(st.st_mode)) {
		fd = open_nameless(directory);
		if (fd < 0)
			return failure_system(errno, "%s", directory);
		rc = keep(input, fd);
		close_input(input);
		input->fd = fd;
		if (rc < 0)
			return rc;
		if (fstat(fd, &st) < 0)
			return input_failure(input, errno);
	}
	progress_init_alone(&input->progress, PROGRESS_BYTES,
			    TIMES_READ * (uint64_t)st.st_size);
	return 0;
}

int load_input_open(const char *path, const char *directory,
		    struct load_input *ret)
{
	bool is_standard = !path || !strcmp(path, "-");
	struct load_input input = {
		.name = is_standard ? "standard input" : path,
		.fd = is_standard ? STDIN_FILENO :
				    open(path, O_RDONLY | O_CLOEXEC),
		.buf = malloc(BUF_BYTES),
	};
	int rc;

	if (input.fd < 0)
		rc = input_failure(&input, errno);
	else if (!input.buf)
		rc = input_failure(&input, ENOMEM);
	else
		rc = make_readable_again(&input, directory);
	if (rc < 0) {
		load_input_release(&input);
		return rc;
	}
	*ret = input;
	return 0;
}

void load_input_release(struct load_input *input)
{
	progress_release(&input->progress);
	close_input(input);
	free(input->buf);
}

/* Reads more behind what is there. 0: no more. */
static int fill(struct load_input *input)
{
	ssize_t n;

	memmove(input->buf, input->buf + input->at, input->end - input->at);
	input->end -= input->at;
	input->at = 0;
	do
		n = pread(input->fd, input->buf + input->end,
			  BUF_BYTES - input->end, (off_t)input->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return input_failure(input, errno);
	input->offset += (uint64_t)n;
	input->end += (size_t)n;
	progress_show(&input->progress, input->progress_bytes + input->offset);
	return n > 0;
}

int load_input_line(struct load_input *input, char **ret, size_t *ret_n)
{
	size_t looked = 0;	/* at, for a newline */
	char *newline;
	int rc;

	for (;;) {
		char *line = input->buf + input->at;

		newline = memchr(line + looked, '\n',
				 input->end - input->at - looked);
		if (newline)
			break;
		looked = input->end - input->at;
		if (looked >= DUMP_LINE_BYTES_MAX) {
			input->line++;
			return load_input_refuse(input, "it is too long");
		}
		rc = fill(input);
		if (rc < 0 || (rc == 0 && looked == 0))
			return rc;
		if (rc == 0) {
			newline = input->buf + input->end - 1;
			break;
		}
	}
	input->line++;
	*ret = input->buf + input->at;
	*ret_n = (size_t)(newline + 1 - *ret);
	input->at += *ret_n;
	return 1;
}

void load_input_rewind(struct load_input *input)
{
	input->progress_bytes += input->offset;
	input->offset = 0;
	input->at = input->end = 0;
	input->line = 0;
}

int load_input_refuse(const struct load_input *input, const char *wrong)
{
	return failure_set(STATUS_DAMAGED, input->name, "line %llu: %s",
			   (unsigned long long)input->line, wrong);
}
