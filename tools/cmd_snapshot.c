/*
 * aedb snapshot: takes, lists, renames, deletes and compares snapshots: of a
 * mounted database through its directory `.snap`, else in the database itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "difference.h"
#include "failure.h"
#include "output.h"
#include "target.h"
#include "text.h"

/* What the arguments behind the action name. */
struct work {
	const char *path;	/* of the target */
	char **names;
	int n_names;
	bool is_long;
	char *root;		/* of the mount; owned; NULL: a database */
};

static int check_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(name);

	if (n == 0 || n > AEDB_NAME_BYTES_MAX || *name == '.' ||
	    strspn(name, allowed) < n)
		return failure_usage("snapshot name \"%.200s\": 1 to %d "
				     "characters of A-Z a-z 0-9 _ . - are "
				     "allowed, and no dot before them", name,
				     AEDB_NAME_BYTES_MAX);
	return 0;
}

/* "ROOT/.snap/NAME", or without a name. Owned; free. */
static int path_of(const struct work *work, const char *name, char **ret)
{
	if (asprintf(ret, "%s/.snap%s%s", work->root, *name ? "/" : "",
		     name) < 0)
		return failure_system(ENOMEM, "%s", work->path);
	return 0;
}

static int failure_of_name(const struct work *work, const char *name, int err)
{
	return failure_system(err, "%s: snapshot %s", work->path, name);
}

static int print_empty(void)
{
	return output_is_json() ? output_json_line(json_object()) : 0;
}

/* create */

static int create_in_mount(const struct work *work, const char *name)
{
	char *path;
	int rc = path_of(work, name, &path);

	if (rc < 0)
		return rc;
	if (mkdir(path, 0777) < 0)
		rc = failure_of_name(work, name, errno);
	free(path);
	return rc;
}

static int create_in_database(const struct work *work, const char *name)
{
	struct target target;
	int rc = target_open(work->path, TARGET_WRITE, &target);

	if (rc < 0)
		return rc;
	rc = aedb_snapshot_create(target.db, name, NULL);
	if (rc < 0)
		failure_engine(rc, "%s: snapshot %s", work->path, name);
	return target_close(&target, rc);
}

static int create(const struct work *work)
{
	int rc = check_name(work->names[0]);

	if (rc == 0)
		rc = work->root ? create_in_mount(work, work->names[0]) :
				  create_in_database(work, work->names[0]);
	return rc < 0 ? rc : print_empty();
}

/* delete */

static int delete_in_mount(const struct work *work)
{
	char *path;
	int rc = 0;

	for (int i = 0; i < work->n_names && rc == 0; i++) {
		rc = path_of(work, work->names[i], &path);
		if (rc < 0)
			return rc;
		if (rmdir(path) < 0)
			rc = failure_of_name(work, work->names[i], errno);
		free(path);
	}
	return rc;
}

static int delete_in_database(const struct work *work)
{
	struct target target;
	int rc = target_open(work->path, TARGET_WRITE, &target);

	if (rc < 0)
		return rc;
	for (int i = 0; i < work->n_names && rc == 0; i++) {
		rc = aedb_snapshot_delete(target.db, work->names[i]);
		if (rc < 0)
			failure_engine(rc, "%s: snapshot %s", work->path,
				       work->names[i]);
	}
	return target_close(&target, rc);
}

static int delete(const struct work *work)
{
	int rc = 0;

	for (int i = 0; i < work->n_names && rc == 0; i++)
		rc = check_name(work->names[i]);
	if (rc == 0)
		rc = work->root ? delete_in_mount(work) :
				  delete_in_database(work);
	return rc < 0 ? rc : print_empty();
}

/* rename */

static int rename_in_mount(const struct work *work)
{
	char *from = NULL, *to = NULL;
	int rc = path_of(work, work->names[0], &from);

	if (rc == 0)
		rc = path_of(work, work->names[1], &to);
	if (rc == 0 && rename(from, to) < 0)
		rc = failure_system(errno, "%s: snapshot %s to %s", work->path,
				    work->names[0], work->names[1]);
	free(from);
	free(to);
	return rc;
}

static int rename_in_database(const struct work *work)
{
	struct target target;
	int rc = target_open(work->path, TARGET_WRITE, &target);

	if (rc < 0)
		return rc;
	rc = aedb_snapshot_rename(target.db, work->names[0], work->names[1]);
	if (rc < 0)
		failure_engine(rc, "%s: snapshot %s to %s", work->path,
			       work->names[0], work->names[1]);
	return target_close(&target, rc);
}

static int rename_one(const struct work *work)
{
	int rc = check_name(work->names[0]);

	if (rc == 0)
		rc = check_name(work->names[1]);
	if (rc == 0)
		rc = work->root ? rename_in_mount(work) :
				  rename_in_database(work);
	return rc < 0 ? rc : print_empty();
}

/* list */

static int print_json(const struct aedb_snapshot_info *info)
{
	json_t *line = json_pack("{s:s}", "snapshot", info->name);
	int rc = output_json_result(line ? 0 : -1);

	if (rc == 0)
		rc = output_json_add_time(line, "time", info->time_ns);
	if (rc == 0 && info->seq)
		rc = output_json_result(json_object_set_new(
			line, "seq", json_integer((json_int_t)info->seq)));
	if (rc == 0)
		return output_json_line(line);
	json_decref(line);
	return rc;
}

static int print_info(const struct work *work,
		      const struct aedb_snapshot_info *info)
{
	char time[TEXT_TIME_BYTES];

	if (output_is_json())
		return print_json(info);
	if (work->is_long) {
		text_format_time(info->time_ns, time);
		printf("%s ", time);
	}
	puts(info->name);
	return output_check();
}

/* One that was deleted meanwhile is passed over. */
static int list_entry(const struct work *work, int fd, const char *name)
{
	struct aedb_snapshot_info info = { 0 };
	struct stat st;

	if (strlen(name) > AEDB_NAME_BYTES_MAX || *name == '.')
		return 0;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failure_of_name(work, name, errno);
	strcpy(info.name, name);
	info.time_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	return print_info(work, &info);
}

static int list_in_mount(const struct work *work)
{
	struct dirent **entries;
	char *path;
	int rc = path_of(work, "", &path), n, fd;

	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = fd < 0 ? -1 : scandirat(fd, ".", &entries, NULL, alphasort);
	if (n < 0)
		rc = failure_system(errno, "%s", path);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = list_entry(work, fd, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

static int list_in_database(const struct work *work)
{
	struct aedb_snapshot_info info = { .name = "" };
	struct target target;
	int rc = target_open(work->path, TARGET_READ, &target);

	if (rc < 0)
		return rc;
	while (rc == 0 && aedb_snapshot_next(target.db, info.name, &info) == 0)
		rc = print_info(work, &info);
	return target_close(&target, rc);
}

static int list(const struct work *work)
{
	return work->root ? list_in_mount(work) : list_in_database(work);
}

/* diff */

static int diff_in_mount(const struct work *work)
{
	char *from = NULL, *to = NULL;
	int rc = path_of(work, work->names[0], &from);

	if (rc == 0 && work->n_names == 2)
		rc = path_of(work, work->names[1], &to);
	if (rc == 0)
		rc = difference_of_directories(from, to ? to : work->root);
	free(from);
	free(to);
	return rc;
}

/* No name: the newest state. */
static int open_named(struct target *target, const char *name,
		      struct aedb_snapshot **ret)
{
	int rc = name ? aedb_snapshot_open_named(target->db, name, ret) :
			aedb_snapshot_open(target->db, ret);

	return rc < 0 ? failure_engine(rc, "%s: snapshot %s", target->path,
				       name ? name : "now") : 0;
}

static int diff_in_database(const struct work *work)
{
	struct aedb_snapshot *from = NULL, *to = NULL;
	const char *name = work->n_names == 2 ? work->names[1] : NULL;
	struct target target;
	int rc = target_open(work->path, TARGET_READ, &target);

	if (rc < 0)
		return rc;
	rc = open_named(&target, work->names[0], &from);
	if (rc == 0)
		rc = open_named(&target, name, &to);
	if (rc == 0)
		rc = difference_of_snapshots(work->path, target.db, from, to);
	aedb_snapshot_close(from);
	aedb_snapshot_close(to);
	return target_close(&target, rc);
}

/* In a mount past states have names too: "@" and a word. */
static bool is_state(const char *name)
{
	return *name == '@' && name[1] &&
	       !name[1 + strspn(name + 1, "0123456789"
				"abcdefghijklmnopqrstuvwxyz")];
}

static int diff(const struct work *work)
{
	int rc = 0;

	for (int i = 0; i < work->n_names && rc == 0; i++)
		if (!work->root || !is_state(work->names[i]))
			rc = check_name(work->names[i]);
	if (rc < 0)
		return rc;
	return work->root ? diff_in_mount(work) : diff_in_database(work);
}

/* The command. */

static const struct action {
	const char *name;
	int (*run)(const struct work *work);
	int names_min, names_max;
} actions[] = {
	{ "list", list, 0, 0 },
	{ "create", create, 1, 1 },
	{ "delete", delete, 1, 1000000 },
	{ "rename", rename_one, 2, 2 },
	{ "diff", diff, 1, 2 },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

/* Finds the mount's root; only where all of the mount is seen it has .snap. */
static int find_root(struct work *work)
{
	struct target_path in;
	int rc = target_is_mounted(work->path);

	if (rc <= 0)
		return rc;
	rc = target_locate(work->path, &in);
	if (rc < 0)
		return rc;
	if (strcmp(in.mount.root, "/"))
		rc = failure_set(STATUS_FAILED, work->path,
				 "only a part of the mount is here, and its "
				 "root has the snapshots");
	else if (!(work->root = strdup(in.mount.point)))
		rc = failure_system(ENOMEM, "%s", work->path);
	target_release_path(&in);
	return rc;
}

int cmd_snapshot(int argc, char **argv)
{
	static const struct option options[] = {
		{ "long", no_argument, NULL, 'l' },
		COMMAND_DATABASE_OPTIONS
	};
	const struct action *action;
	struct work work = { 0 };
	int rc;

	while ((rc = command_next_option(argc, argv, "l", options)) > 0)
		work.is_long = true;
	if (rc == 0)
		rc = command_check_arguments(argc, 2, argc);
	if (rc < 0)
		return rc;
	action = find_action(argv[optind]);
	if (!action)
		return failure_usage("there is no \"aedb snapshot %s\"; see "
				     "'aedb snapshot --help'", argv[optind]);
	rc = command_check_arguments(argc, 2 + action->names_min,
				     2 + action->names_max);
	if (rc < 0)
		return rc;
	work.path = argv[optind + 1];
	work.names = argv + optind + 2;
	work.n_names = argc - optind - 2;
	rc = find_root(&work);
	if (rc == 0)
		rc = action->run(&work);
	free(work.root);
	return rc;
}
