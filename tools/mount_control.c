/* The control files of a mounted database. */
#include "mount_control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

#define REASON_BYTES 1024

static int open_in(const char *directory, const char *name, int flags)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return failure_system(ENOMEM, "%s", name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		failure_system(errno, "%s", path);
	free(path);
	return fd < 0 ? AEDB_IO : fd;
}

int mount_control_find_root(const char *path, char **ret)
{
	struct target_path in;
	int rc = target_locate(path, &in);
	char *root;

	if (rc < 0)
		return rc;
	root = strdup(in.mount.point);
	if (in.mount.root[1])
		rc = failure_set(STATUS_USAGE, path, "%s shows a part of the "
				 "database only: its control files are not there",
				 in.mount.point);
	else if (!root)
		rc = failure_system(ENOMEM, "%s", path);
	target_release_path(&in);
	if (rc < 0)
		free(root);
	else
		*ret = root;
	return rc;
}

/* Takes the directory over. */
static int open_at(const char *path, char *directory, struct mount_control *ret)
{
	int fd = open_in(directory, ".control", O_RDWR);

	if (fd < 0) {
		free(directory);
		return fd;
	}
	*ret = (struct mount_control){
		.path = path, .directory = directory, .fd = fd,
	};
	return 0;
}

int mount_control_open(const char *path, struct mount_control *ret)
{
	char *root;
	int rc = mount_control_find_root(path, &root);

	return rc < 0 ? rc : open_at(path, root, ret);
}

int mount_control_open_batch(const char *path, struct mount_control *ret)
{
	char *directory = strdup(path);

	if (!directory)
		return failure_system(ENOMEM, "%s", path);
	return open_at(path, directory, ret);
}

void mount_control_close(struct mount_control *control)
{
	close(control->fd);
	free(control->directory);
}

int mount_control_read(struct mount_control *control, char *buf, size_t n,
		       size_t *ret)
{
	ssize_t got;

	do
		got = read(control->fd, buf, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return failure_system(errno, "%s", control->path);
	*ret = (size_t)got;
	return 0;
}

int mount_control_answer(struct mount_control *control, char *ret, size_t room)
{
	size_t n = 0, got;
	int rc;

	do {
		rc = mount_control_read(control, ret + n, room - 1 - n, &got);
		if (rc < 0)
			return rc;
		n += got;
	} while (got && n < room - 1);
	if (n && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return 0;
}

int mount_control_send(struct mount_control *control, const char *command)
{
	return write(control->fd, command, strlen(command)) < 0 ? errno : 0;
}

int mount_control_failure(struct mount_control *control, int err)
{
	char reason[REASON_BYTES];

	if (mount_control_answer(control, reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	failure_system(err, "%s", control->path);
	if (*reason)
		failure_explain(reason);
	return -err;
}

int mount_control_run(struct mount_control *control, const char *command)
{
	int err = mount_control_send(control, command);

	return err ? mount_control_failure(control, err) : 0;
}

static int read_whole(struct mount_control *control, FILE *to)
{
	char piece[4096];
	size_t n = 1;
	int rc = 0;

	while (rc == 0 && n) {
		rc = mount_control_read(control, piece, sizeof(piece), &n);
		if (rc == 0)
			fwrite(piece, 1, n, to);
	}
	return rc;
}

int mount_control_ask(const char *path, const char *command, char **ret,
		      size_t *ret_n)
{
	struct mount_control control;
	int rc = mount_control_open(path, &control);
	FILE *to;

	*ret = NULL;
	*ret_n = 0;
	if (rc < 0)
		return rc;
	to = open_memstream(ret, ret_n);
	rc = to ? mount_control_run(&control, command) :
		  failure_system(ENOMEM, "%s", path);
	if (rc == 0)
		rc = read_whole(&control, to);
	if (to && fclose(to) && rc == 0)
		rc = failure_system(ENOMEM, "%s", path);
	mount_control_close(&control);
	if (rc < 0) {
		free(*ret);
		*ret = NULL;
	}
	return rc;
}

int mount_control_file(const struct mount_control *control, const char *name)
{
	return open_in(control->directory, name, O_RDONLY);
}

uint64_t mount_control_metric(const struct mount_control *control,
			      const char *name)
{
	int fd = openat(AT_FDCWD, control->directory, O_PATH | O_CLOEXEC), file;
	unsigned long long value = 0;
	size_t n = strlen(name);
	char line[256];
	FILE *in;

	file = fd < 0 ? -1 : openat(fd, ".metrics", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	in = file < 0 ? NULL : fdopen(file, "r");
	while (in && fgets(line, sizeof(line), in))
		if (!strncmp(line, name, n) && line[n] == ' ')
			value = strtoull(line + n, NULL, 10);
	if (in)
		fclose(in);
	else if (file >= 0)
		close(file);
	return value;
}
