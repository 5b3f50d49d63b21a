/* Reading of what is to be stored. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

void input_init_text(struct input *input, const char *text)
{
	*input = (struct input){
		.name = "value", .text = text, .text_bytes = strlen(text),
		.fd = -1,
	};
	progress_init(&input->progress, PROGRESS_BYTES, input->text_bytes);
}

int input_init_file(struct input *input, const char *path)
{
	bool is_standard = !path || !strcmp(path, "-");
	int fd = STDIN_FILENO;
	struct stat st;

	if (!is_standard)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_set(STATUS_FAILED, is_standard ?
				   "standard input" : path, "%s",
				   strerror(errno));
	*input = (struct input){
		.name = is_standard ? "standard input" : path, .fd = fd,
	};
	progress_init(&input->progress, PROGRESS_BYTES,
		      S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	return 0;
}

int input_read(struct input *input, void *buf, size_t n, size_t *ret)
{
	ssize_t got;

	if (input->text) {
		size_t left = input->text_bytes - (size_t)input->done_bytes;

		got = (ssize_t)(n < left ? n : left);
		memcpy(buf, input->text + input->done_bytes, (size_t)got);
	} else {
		do
			got = read(input->fd, buf, n);
		while (got < 0 && errno == EINTR);
	}
	if (got < 0)
		return failure_set(STATUS_FAILED, input->name, "%s",
				   strerror(errno));
	input->done_bytes += (uint64_t)got;
	progress_show(&input->progress, input->done_bytes);
	*ret = (size_t)got;
	return 0;
}

void input_release(struct input *input)
{
	progress_release(&input->progress);
	if (input->fd > STDIN_FILENO)
		close(input->fd);
}
