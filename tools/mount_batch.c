/* Batches of a mounted database. */
#include "mount_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "mount_control.h"
#include "output.h"
#include "text.h"

#define NAMES_TRIED 100

/* Others may take the same name, but not again and again. */
static int make_directory(const char *root, char **ret)
{
	struct timespec now;
	char *directory;

	clock_gettime(CLOCK_REALTIME, &now);
	if (asprintf(&directory, "%s/.batch/run-%d-%lx%05lx", root,
		     (int)getpid(), (long)now.tv_sec, now.tv_nsec >> 10) < 0)
		return ENOMEM;
	if (mkdir(directory, 0777) == 0) {
		*ret = directory;
		return 0;
	}
	free(directory);
	return errno;
}

int mount_batch_begin(const char *path, const char *root,
		      struct mount_batch *ret)
{
	struct mount_batch batch = { .path = path };
	int err = EEXIST;

	for (int i = 0; i < NAMES_TRIED && err == EEXIST; i++)
		err = make_directory(root, &batch.directory);
	if (err)
		return failure_system(err, "%s: a batch", path);
	batch.name = strrchr(batch.directory, '/') + 1;
	*ret = batch;
	return 0;
}

/* Says more of a failure than the system does; STATUS_OK: the status is right. */
static void explain(const struct mount_batch *batch, enum exit_status status)
{
	struct failure failure;

	failure_save(&failure);
	if (failure.status == STATUS_NO)
		snprintf(failure.reason, sizeof(failure.reason), "it was aborted "
			 "meanwhile, by somebody or by its age");
	if (status != STATUS_OK)
		failure.status = status;
	snprintf(failure.what, sizeof(failure.what), "%s: batch %s",
		 batch->path, batch->name);
	failure_restore(&failure);
}

int mount_batch_commit(const struct mount_batch *batch)
{
	struct mount_control control;
	int rc = mount_control_open_batch(batch->directory, &control);

	if (rc < 0) {
		explain(batch, STATUS_OK);
		return rc;
	}
	rc = mount_control_run(&control, "commit");
	mount_control_close(&control);
	if (rc < 0)
		explain(batch, rc == -ESTALE ? STATUS_CONFLICT :
			       rc == -EIO || rc == -ECONNABORTED ?
					       STATUS_UNKNOWN : STATUS_OK);
	return rc;
}

/* The line is a path, quoted. */
static void print_conflict(char *line)
{
	json_t *object;

	line[strcspn(line, "\n")] = '\0';
	if (!output_is_json()) {
		fprintf(stderr, "aedb: conflict: %s\n", line);
		return;
	}
	object = json_object();
	if (object && json_add_bytes(object, "conflict", line,
				     text_unquote(line)) == 0)
		json_dumpf(object, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(object);
}

void mount_batch_print_conflicts(const struct mount_batch *batch)
{
	char *path, *line = NULL;
	size_t room = 0;
	FILE *in;

	if (asprintf(&path, "%s/.conflicts", batch->directory) < 0)
		return;
	in = fopen(path, "re");
	free(path);
	while (in && getline(&line, &room, in) > 0)
		print_conflict(line);
	free(line);
	if (in)
		fclose(in);
}

void mount_batch_abort(const struct mount_batch *batch)
{
	/* no failure: it holds nothing, and ends by its age */
	(void)!rmdir(batch->directory);
}

void mount_batch_release(struct mount_batch *batch)
{
	free(batch->directory);
}
