/*
 * aedb backup of a mounted database: a command for its daemon, sent by a thread
 * of its own, so that how far it is can be looked up meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backup_mount.h"
#include "failure.h"
#include "interrupt.h"
#include "mount_control.h"
#include "text.h"

#define COMMAND_BYTES 300
#define ANSWER_BYTES 512
#define LOOK_MS 200		/* between two looks at .status */

int backup_mount_is_root(const char *path)
{
	struct target_path in;
	int rc = target_is_mounted(path);

	if (rc <= 0)
		return rc;
	rc = target_locate(path, &in);
	if (rc < 0)
		return rc;
	rc = !*in.inside;
	target_release_path(&in);
	return rc;
}

int backup_mount_view(const char *path, char **ret)
{
	char *root;
	int rc = mount_control_find_root(path, &root);

	if (rc < 0)
		return rc;
	if (asprintf(ret, "%s/.backup", root) < 0)
		rc = failure_system(ENOMEM, "%s", path);
	free(root);
	return rc;
}

/* .status. */

static FILE *status_open(const struct mount_control *control)
{
	int fd = mount_control_file(control, ".status");
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

	if (!in && fd >= 0)
		close(fd);
	return in;
}

/* "backups PATH", quoted where needed. */
static int find_directory(FILE *in, char **ret)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = AEDB_NOT_FOUND;

	while (rc == AEDB_NOT_FOUND && (n = getline(&line, &room, in)) > 0) {
		line[n - (line[n - 1] == '\n')] = '\0';
		if (strncmp(line, "backups ", 8))
			continue;
		line[8 + text_unquote(line + 8)] = '\0';
		*ret = strdup(line + 8);
		rc = *ret ? 0 : AEDB_NO_MEMORY;
	}
	free(line);
	return rc;
}

int backup_mount_directory(const char *path, char **ret)
{
	struct mount_control control;
	int rc = mount_control_open(path, &control);
	FILE *in;

	if (rc < 0)
		return rc;
	in = status_open(&control);
	rc = in ? find_directory(in, ret) : AEDB_IO;
	if (in)
		fclose(in);
	mount_control_close(&control);
	if (rc == AEDB_NOT_FOUND)
		return failure_set(STATUS_FAILED, path, "its .status does not say "
				   "where backups are");
	return rc == AEDB_NO_MEMORY ? failure_system(ENOMEM, "%s", path) : rc;
}

/* The command. */

struct sending {
	struct mount_control control;
	char command[COMMAND_BYTES];
	int over;		/* event descriptor: it has ended */
	int err;		/* then: 0, or an errno value */
	bool is_canceled;
	bool is_shown;		/* to anybody */
	bool has_line;		/* to be wiped */
};

static void *send_command(void *arg)
{
	struct sending *sending = arg;

	sending->err = mount_control_send(&sending->control, sending->command);
	eventfd_write(sending->over, 1);
	return NULL;
}

/* Whether a line of .status is of this command, running; its number, and how far it
 * is. */
static bool line_is_ours(const struct sending *sending, const char *line,
			 unsigned long long *ret_number, const char **ret_progress)
{
	size_t n = strlen(sending->command);
	unsigned uid;
	int at = 0;

	if (sscanf(line, "command %llu running %*s uid %u: %n", ret_number, &uid,
		   &at) != 2 || !at || uid != geteuid() ||
	    strncmp(line + at, sending->command, n))
		return false;
	*ret_progress = line + at + n;
	return **ret_progress == ':' || **ret_progress == '\n';
}

static void show(struct sending *sending, const char *progress)
{
	if (!sending->is_shown || *progress != ':')
		return;
	fprintf(stderr, "\r%.*s\033[K", (int)strcspn(progress + 2, "\n"),
		progress + 2);
	sending->has_line = true;
}

static void cancel(struct sending *sending, unsigned long long number)
{
	struct mount_control other;
	char command[40];

	snprintf(command, sizeof(command), "cancel %llu", number);
	if (mount_control_open(sending->control.path, &other) < 0)
		return;
	sending->is_canceled = mount_control_send(&other, command) == 0;
	mount_control_close(&other);
}

/* Shows how far it is, or cancels it. One that does not run yet, or did not come
 * to where it can be canceled, is looked for again. */
static void look(struct sending *sending)
{
	FILE *in = status_open(&sending->control);
	unsigned long long number;
	const char *progress;
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (in && !found && getline(&line, &room, in) > 0)
		found = line_is_ours(sending, line, &number, &progress);
	if (found)
		show(sending, progress);
	if (found && interrupt_is_pending())
		cancel(sending, number);
	free(line);
	if (in)
		fclose(in);
}

static void wait_over(struct sending *sending)
{
	struct pollfd fds[] = { { .fd = sending->over, .events = POLLIN },
				{ .fd = *interrupt_fd(), .events = POLLIN } };

	for (;;) {
		bool is_pending = interrupt_is_pending();
		bool looks = sending->is_shown ||
			     (is_pending && !sending->is_canceled);

		/* what is pending stays so: it must not wake again */
		if (poll(fds, is_pending ? 1 : 2, looks ? LOOK_MS : -1) < 0 &&
		    errno != EINTR)
			break;
		if (fds[0].revents)
			break;
		if (!sending->is_canceled)
			look(sending);
	}
	if (sending->has_line)
		fputs("\r\033[K", stderr);
}

static int run(struct sending *sending)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, send_command, sending);

	if (err)
		return failure_system(err, "%s", sending->control.path);
	wait_over(sending);
	pthread_join(thread, NULL);
	return sending->err ? mount_control_failure(&sending->control,
						    sending->err) : 0;
}

/* The answer is "NAME: REST". *ret_rest lies in it. */
static int take_answer(struct sending *sending, char answer[ANSWER_BYTES],
		       char ret_name[AEDB_NAME_BYTES_MAX + 1],
		       const char **ret_rest)
{
	int rc = mount_control_answer(&sending->control, answer, ANSWER_BYTES);
	size_t n;

	if (rc < 0)
		return rc;
	n = strcspn(answer, ":");
	if (!answer[n] || n > AEDB_NAME_BYTES_MAX)
		return failure_set(STATUS_FAILED, sending->control.path,
				   "answered \"%s\"", answer);
	memcpy(ret_name, answer, n);
	ret_name[n] = '\0';
	*ret_rest = answer + n;
	return 0;
}

static int find_info(const char *view, const char *name,
		     struct aedb_backup_info *ret)
{
	struct aedb_backup_key none = { NULL, 0 };
	struct aedb_backup_info *infos;
	size_t n;
	int rc = aedb_backup_list(view, &none, &infos, &n);

	if (rc < 0)
		return failure_engine(rc, "%s", view);
	rc = AEDB_NOT_FOUND;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(infos[i].name, name)) {
			*ret = infos[i];
			rc = 0;
		}
	aedb_backup_list_free(infos);
	return rc < 0 ? failure_engine(rc, "%s: backup %s", view, name) : 0;
}

static int run_and_look(struct sending *sending, struct aedb_backup_info *ret)
{
	char answer[ANSWER_BYTES], name[AEDB_NAME_BYTES_MAX + 1];
	const char *rest;
	char *view;
	int rc = run(sending);

	if (rc == 0)
		rc = take_answer(sending, answer, name, &rest);
	if (rc == 0)
		rc = backup_mount_view(sending->control.path, &view);
	if (rc < 0)
		return rc;
	rc = find_info(view, name, ret);
	free(view);
	return rc;
}

static int run_and_read(struct sending *sending, struct aedb_backup_info *ret)
{
	unsigned long long from_seq, head_seq, bytes;
	char answer[ANSWER_BYTES], form[8];
	const char *rest;
	int rc = run(sending);

	if (rc == 0)
		rc = take_answer(sending, answer, ret->name, &rest);
	if (rc < 0)
		return rc;
	if (sscanf(rest, ": %7[a-z], from commit %llu to commit %llu, %llu bytes",
		   form, &from_seq, &head_seq, &bytes) != 4)
		return failure_set(STATUS_FAILED, sending->control.path,
				   "answered \"%s\"", answer);
	ret->form = strcmp(form, "log") ? AEDB_BACKUP_FILES : AEDB_BACKUP_LOG;
	ret->from_seq = from_seq;
	ret->head_seq = head_seq;
	ret->stored_bytes = bytes;
	return 0;
}

static int sending_run(const char *path, struct sending *sending,
		       int (*work)(struct sending *, struct aedb_backup_info *),
		       struct aedb_backup_info *ret)
{
	int rc;

	sending->is_shown = isatty(STDERR_FILENO);
	sending->over = eventfd(0, EFD_CLOEXEC);
	if (sending->over < 0)
		return failure_system(errno, "%s", path);
	rc = mount_control_open(path, &sending->control);
	if (rc == 0) {
		rc = work(sending, ret);
		mount_control_close(&sending->control);
	}
	close(sending->over);
	return rc;
}

static int command_write(struct sending *sending, const char *verb,
			 enum aedb_backup_kind kind, const char *name)
{
	int n = snprintf(sending->command, COMMAND_BYTES, "%s %s%s%s", verb,
			 kind == AEDB_BACKUP_FULL ? "full" : "incremental",
			 name ? " " : "", name ? name : "");

	return n >= COMMAND_BYTES ? failure_usage("the name is too long") : 0;
}

int backup_mount_make(const char *path, enum aedb_backup_kind kind,
		      const char *name, struct aedb_backup_info *ret)
{
	struct sending sending = { .err = 0 };
	int rc = command_write(&sending, "backup", kind, name);

	return rc < 0 ? rc : sending_run(path, &sending, run_and_look, ret);
}

int backup_mount_estimate(const char *path, enum aedb_backup_kind kind,
			  const char *name, struct aedb_backup_info *ret)
{
	struct sending sending = { .err = 0 };
	int rc = command_write(&sending, "estimate", kind, name);

	*ret = (struct aedb_backup_info){ .kind = kind };
	return rc < 0 ? rc : sending_run(path, &sending, run_and_read, ret);
}
