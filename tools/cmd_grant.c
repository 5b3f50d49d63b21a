/* aedb grant, revoke and grants: permissions, of a mounted database by its control
 * file, else in the database itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "failure.h"
#include "grant_text.h"
#include "mount_control.h"
#include "output.h"
#include "target.h"

/* grant and revoke. */

enum act {
	GRANT,
	REVOKE,
};

struct work {
	enum act act;
	const char *path, *right, *where, *who;
	struct grant_text text;
};

static int change_mounted(const struct work *work)
{
	struct mount_control control;
	char *line;
	int rc = mount_control_open(work->path, &control);

	if (rc < 0)
		return rc;
	if (asprintf(&line, "%s %s %s %s %s",
		     work->act == GRANT ? "grant" : "revoke", work->right,
		     work->where, work->act == GRANT ? "to" : "from",
		     work->who) < 0) {
		rc = failure_system(ENOMEM, "%s", work->path);
	} else {
		rc = mount_control_run(&control, line);
		free(line);
	}
	mount_control_close(&control);
	return rc;
}

static int change_in(struct aedb_caller *system, const struct work *work)
{
	const struct aedb_grant *grant = &work->text.grant;
	size_t n = strlen(work->who);

	if (work->act == REVOKE)
		return aedb_revoke(system, grant, work->who, n);
	if (grant->right == AEDB_OWNER)
		return aedb_transfer_ownership(system, grant->place, work->who,
					       n);
	return aedb_grant(system, grant, work->who, n);
}

static int change_closed(const struct work *work)
{
	struct aedb_caller *system;
	struct target target;
	int rc = target_open(work->path, TARGET_WRITE, &target);

	if (rc < 0)
		return rc;
	rc = aedb_caller_open_system(target.db, NULL, 0, &system);
	if (rc == 0) {
		rc = change_in(system, work);
		aedb_caller_close(system);
	}
	if (rc < 0)
		failure_engine(rc, "%s: %s %s", work->path, work->right,
			       work->where);
	return target_close(&target, rc);
}

static int change(int argc, char **argv, enum act act)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	char reason[GRANT_TEXT_REASON_BYTES];
	struct work work = { .act = act };
	int rc = command_next_option(argc, argv, "", options);

	if (rc == 0)
		rc = command_check_arguments(argc, 4, 4);
	if (rc < 0)
		return rc;
	command_arguments(argc, &argv);
	work.path = argv[0];
	work.right = argv[1];
	work.where = argv[2];
	work.who = argv[3];
	if (grant_text_parse(work.right, work.where, &work.text, reason) < 0)
		return failure_usage("%s", reason);
	rc = target_is_mounted(work.path);
	if (rc >= 0)
		rc = rc ? change_mounted(&work) : change_closed(&work);
	if (rc < 0 || !output_is_json())
		return rc;
	return output_json_line(json_object());
}

int cmd_grant(int argc, char **argv)
{
	return change(argc, argv, GRANT);
}

int cmd_revoke(int argc, char **argv)
{
	return change(argc, argv, REVOKE);
}

/* grants */

static int list_mounted(const char *path)
{
	struct mount_control control;
	char piece[4096];
	size_t n = 1;
	int rc = mount_control_open(path, &control);

	if (rc < 0)
		return rc;
	rc = mount_control_run(&control, output_is_json() ? "grants json" :
							     "grants");
	while (rc == 0 && n) {
		rc = mount_control_read(&control, piece, sizeof(piece), &n);
		if (rc == 0)
			fwrite(piece, 1, n, stdout);
	}
	mount_control_close(&control);
	return rc < 0 ? rc : output_check();
}

static int list_in(struct aedb_caller *system, const char *path)
{
	struct aedb_granted *granted = calloc(1, sizeof(*granted));
	int rc = granted ? 0 : failure_system(ENOMEM, "%s", path);

	while (rc == 0 && (rc = aedb_grants_next(system, granted)) == 0) {
		if (output_is_json())
			rc = output_json_line(grant_text_json(granted));
		else
			grant_text_write(stdout, granted);
		if (rc == 0)
			rc = output_check();
	}
	free(granted);
	if (rc == AEDB_NOT_FOUND)
		return 0;
	return rc;
}

static int list_closed(const char *path)
{
	struct aedb_caller *system;
	struct target target;
	int rc = target_open(path, TARGET_READ, &target);

	if (rc < 0)
		return rc;
	rc = aedb_caller_open_system(target.db, NULL, 0, &system);
	if (rc == 0) {
		rc = list_in(system, path);
		aedb_caller_close(system);
	}
	if (rc < 0)
		failure_engine(rc, "%s", path);
	return target_close(&target, rc);
}

int cmd_grants(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	int rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = target_is_mounted(argv[optind]);
	if (rc < 0)
		return rc;
	return rc ? list_mounted(argv[optind]) : list_closed(argv[optind]);
}
