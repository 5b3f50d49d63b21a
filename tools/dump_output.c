/* Writing of dumps. */
#include "dump_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "output.h"

static int output_failure(const struct dump_output *output, int err)
{
	return failure_set(STATUS_FAILED, output->path ? output->path :
			   "standard output", "%s", strerror(err));
}

/* A pipe or device is written to as it is; of a file there is another until it is
 * whole. */
static int open_file(struct dump_output *output)
{
	struct stat st;
	int fd;

	if (stat(output->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		output->out = fopen(output->path, "we");
		return output->out ? 0 : output_failure(output, errno);
	}
	if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
		output->temporary = NULL;
		return output_failure(output, ENOMEM);
	}
	fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return output_failure(output, errno);
	}
	output->out = fdopen(fd, "w");
	if (output->out)
		return 0;
	close(fd);
	return output_failure(output, ENOMEM);
}

int dump_output_open(const char *path, struct dump_output *ret)
{
	int rc = 0;

	*ret = (struct dump_output){ .path = path, .out = stdout };
	ret->text = malloc(DUMP_LINE_BYTES_MAX);
	if (!ret->text || dump_sum_init(&ret->sum) < 0)
		rc = output_failure(ret, ENOMEM);
	if (rc == 0 && path)
		rc = open_file(ret);
	if (rc < 0) {
		dump_output_release(ret);
		return rc;
	}
	if (path)
		progress_init_alone(&ret->progress, PROGRESS_BYTES, 0);
	else
		progress_init(&ret->progress, PROGRESS_BYTES, 0);
	return 0;
}

static int write_text(struct dump_output *output, const char *text, size_t n)
{
	if (fwrite(text, 1, n, output->out) < n)
		return output_failure(output, errno);
	output->bytes += n;
	progress_show(&output->progress, output->bytes);
	return 0;
}

int dump_output_head(struct dump_output *output, json_t *head)
{
	char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;
	int rc;

	json_decref(head);
	if (!text || n >= DUMP_LINE_BYTES_MAX) {
		free(text);
		return failure_set(STATUS_FAILED, "dump", text ?
				   "too many places are named" :
				   "not enough memory");
	}
	text[n++] = '\n';	/* where the NUL was */
	dump_sum_add(&output->sum, text, n, DUMP_HEAD);
	rc = write_text(output, text, n);
	free(text);
	return rc;
}

int dump_output_line(struct dump_output *output, const struct dump_line *line)
{
	size_t n = dump_line_write(line, output->text);

	dump_sum_add(&output->sum, output->text, n, line->kind);
	return write_text(output, output->text, n);
}

/* The file gets its name. */
static int finish_file(struct dump_output *output)
{
	if (fsync(fileno(output->out)) < 0 ||
	    rename(output->temporary, output->path) < 0)
		return output_failure(output, errno);
	free(output->temporary);
	output->temporary = NULL;
	return 0;
}

int dump_output_finish(struct dump_output *output)
{
	char end[DUMP_END_BYTES];
	size_t n = dump_sum_end(&output->sum, end);
	int rc;

	if (n == 0)
		return failure_set(STATUS_FAILED, "dump",
				   "its checksum could not be made");
	rc = write_text(output, end, n);
	if (rc == 0 && fflush(output->out))
		rc = output_failure(output, errno);
	if (rc == 0 && output->temporary)
		rc = finish_file(output);
	return rc;
}

void dump_output_release(struct dump_output *output)
{
	progress_release(&output->progress);
	if (output->out && output->out != stdout)
		fclose(output->out);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->text);
	dump_sum_release(&output->sum);
}
