/*
 * The dump of a mounted database, through its tree of files: of a snapshot, which
 * is taken for that if none is named.
 *
 * Directories come before keys, so each scope is walked twice. Keys are in the
 * order of their paths, which is that of the keys but for what paths escape.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "difference.h"
#include "dump_file.h"
#include "dump_grants.h"
#include "failure.h"
#include "mount_control.h"
#include "path.h"
#include "tree.h"

struct dump {
	const struct dump_source *source;
	struct dump_output *output;
	const char *path;	/* in the mount */
	char *view;		/* the root of what is dumped; owned */
	struct dump_grants grants;
};

static int put(struct dump *dump, enum dump_kind kind, int dirfd,
	       const char *file_name, const char *what,
	       const struct aedb_bytes *name)
{
	struct dump_file file;
	int rc = dump_file_open(dirfd, file_name, what, &file);

	if (rc < 0)
		return rc;
	rc = dump_file_put(dump->source, &file, kind, name, dump->output);
	dump_file_release(&file);
	return rc;
}

/* Scopes. */

static int put_directory(struct dump *dump, const struct tree_file *file)
{
	uint8_t key[PATH_KEY_BYTES_MAX], record[PATH_RECORD_BYTES_MAX];
	struct aedb_bytes name = { .at = record };
	struct path_dir dir;
	struct stat st;
	size_t n;
	int rc = path_parse(file->path, strlen(file->path) - 1, key, &n);

	if (rc == 0 && fstatat(file->dirfd, file->name, &st,
			       AT_SYMLINK_NOFOLLOW) < 0)
		rc = -errno;
	if (rc < 0)
		return failure_system(-rc, "%s", file->path);
	if (difference_is_implied(st.st_ino))
		return 0;
	path_dir_init(&dir, key, n);
	name.n = path_dir_record(&dir, record);
	return put(dump, DUMP_DIRECTORY, file->dirfd, file->name, file->path,
		   &name);
}

static int put_key(struct dump *dump, const struct tree_file *file)
{
	uint8_t key[PATH_KEY_BYTES_MAX];
	struct aedb_bytes name = { .at = key };
	int rc = path_parse(file->path, strlen(file->path), key, &name.n);

	return rc < 0 ? failure_system(-rc, "%s", file->path) :
			put(dump, DUMP_KEY, file->dirfd, file->name, file->path,
			    &name);
}

static int put_entries(struct dump *dump, const char *root, enum dump_kind kind)
{
	struct tree_file file;
	struct tree *tree;
	int rc = tree_open(root, false, &tree);

	if (rc < 0)
		return rc;
	if (kind == DUMP_DIRECTORY)
		tree_give_directories(tree);
	while ((rc = tree_next(tree, &file)) > 0) {
		bool is_directory = file.path[strlen(file.path) - 1] == '/';

		if (is_directory)
			rc = put_directory(dump, &file);
		else if (kind == DUMP_KEY)
			rc = put_key(dump, &file);
		if (rc < 0)
			break;
	}
	tree_close(tree);
	return rc;
}

/* Projects and scopes. */

static int is_place(const struct dirent *entry)
{
	return !strchr(entry->d_name, '.');
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int put_places(struct dump *dump, const char *directory,
		      const char *project);

static int put_scope(struct dump *dump, const char *path)
{
	int rc = put_entries(dump, path, DUMP_DIRECTORY);

	return rc < 0 ? rc : put_entries(dump, path, DUMP_KEY);
}

static int put_grants(struct dump *dump, const char *project,
		      const char *scope)
{
	return dump_grants_put(&dump->grants,
			       (struct aedb_place){ project, scope }, 0,
			       dump->output);
}

/* The line of a project (project NULL) or of a scope of one, and what is in it. */
static int put_place(struct dump *dump, const char *directory,
		     const char *project, const char *name)
{
	struct aedb_bytes bytes = { name, strlen(name) };
	char *path;
	int rc;

	if (!dump_source_wants(dump->source, project ? project : name,
			       project ? name : NULL))
		return 0;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return failure_system(ENOMEM, "%s", name);
	rc = put(dump, project ? DUMP_SCOPE : DUMP_PROJECT, AT_FDCWD, path, path,
		 &bytes);
	if (rc == 0)
		rc = put_grants(dump, project ? project : name,
				project ? name : NULL);
	if (rc == 0)
		rc = project ? put_scope(dump, path) :
			       put_places(dump, path, name);
	free(path);
	return rc;
}

/* All projects, or all scopes of one, in order. */
static int put_places(struct dump *dump, const char *directory,
		      const char *project)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, is_place, by_name), rc = 0;

	if (n < 0)
		return failure_system(errno, "%s", directory);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = put_place(dump, directory, project,
				       entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Named places have to be there. */
static int check_places(struct dump *dump)
{
	for (size_t i = 0; i < dump->source->n_places; i++) {
		const struct target_place *place = &dump->source->places[i];
		struct stat st;
		char *path;
		int rc = 0;

		if (asprintf(&path, "%s/%s%s%s", dump->view, place->project,
			     place->has_scope ? "/" : "",
			     place->has_scope ? place->scope : "") < 0)
			return failure_system(ENOMEM, "dump");
		if (stat(path, &st) < 0)
			rc = failure_system(errno, "%s", path);
		free(path);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* How many of the tables in the lines of the mount are wanted. */
static size_t count_wanted(const struct dump *dump, char *lines)
{
	size_t count = 0;
	char *rest = lines, *project;

	while ((project = strsep(&rest, "\n"))) {
		char *scope = strchr(project, '/');

		if (!scope)
			break;
		*scope++ = '\0';
		scope[strcspn(scope, " ")] = '\0';
		count += dump_source_wants(dump->source, project, scope);
	}
	return count;
}

/* Files do not show tables: there may be none in what is dumped. */
static int check_tables(const struct dump *dump)
{
	const char *view = strrchr(dump->view, '/') + 1;
	char *command, *lines;
	size_t n, tables;
	int rc;

	if (asprintf(&command, "tables %s", view) < 0)
		return failure_system(ENOMEM, "dump");
	rc = mount_control_ask(dump->path, command, &lines, &n);
	free(command);
	if (rc < 0)
		return rc;
	tables = count_wanted(dump, lines);
	free(lines);
	return tables == 0 ? 0 : failure_set(
		STATUS_FAILED, dump->path, "it has %zu tables, which a mount does "
		"not show: dump the database itself, unmounted or restored of a "
		"backup; --no-tables leaves them out", tables);
}

static int put_all(struct dump *dump)
{
	static const struct aedb_bytes none;
	int rc = check_places(dump);

	if (rc == 0 && !dump->source->has_no_tables)
		rc = check_tables(dump);
	if (rc == 0 && dump_source_has_grants(dump->source))
		rc = dump_grants_read_mount(dump->path, &dump->grants);
	if (rc == 0)
		rc = dump_output_head(dump->output,
				      dump_source_head(dump->source, 0));
	if (rc == 0 && dump->source->n_places == 0) {
		rc = put(dump, DUMP_DATABASE, AT_FDCWD, dump->view, dump->view,
			 &none);
		if (rc == 0)
			rc = put_grants(dump, NULL, NULL);
	}
	return rc < 0 ? rc : put_places(dump, dump->view, NULL);
}

/* The view. */

static int name_view(struct dump *dump, const char *root, const char *name)
{
	struct timespec now;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	if (name)
		n = asprintf(&dump->view, "%s/.snap/%s", root, name);
	else
		n = asprintf(&dump->view, "%s/.snap/dump-%d-%lx%05lx", root,
			     (int)getpid(), (long)now.tv_sec,
			     now.tv_nsec >> 10);
	return n < 0 ? failure_system(ENOMEM, "%s", root) : 0;
}

/* The snapshot that was taken, while signals that end the process remove it. */
static const char *taken;

static void end_by_signal(int number)
{
	rmdir(taken);
	signal(number, SIG_DFL);
	raise(number);
}

/* What the caller had ignored stays ignored. */
static void handle_signals(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (signal(numbers[i], handler) == SIG_IGN)
			signal(numbers[i], SIG_IGN);
}

static int put_taken(struct dump *dump)
{
	int rc = 0;

	taken = dump->view;
	handle_signals(end_by_signal);
	if (mkdir(dump->view, 0777) < 0)
		rc = failure_system(errno, "%s: a snapshot", dump->view);
	if (rc == 0) {
		rc = put_all(dump);
		if (rmdir(dump->view) < 0 && rc == 0)
			rc = failure_system(errno, "%s", dump->view);
	}
	handle_signals(SIG_DFL);
	return rc;
}

static int put_view(struct dump *dump)
{
	struct stat st;

	if (!dump->source->snapshot)
		return put_taken(dump);
	if (stat(dump->view, &st) < 0)
		return failure_system(errno, "%s", dump->view);
	return put_all(dump);
}

/* The project or scope that a path is, if it is not the root. */
static int find_place(const char *path, const struct dump_source *source,
		      struct target_place *ret)
{
	struct target_path in;
	int rc = target_locate(path, &in);

	if (rc < 0)
		return rc;
	ret->project[0] = '\0';
	if (*in.inside && source->n_places)
		rc = failure_usage("%s is not the root of a mount: no PROJECT may "
				   "follow", path);
	else if (*in.inside)
		rc = target_parse_place(in.inside, ret);
	target_release_path(&in);
	return rc;
}

int dump_mount(const char *path, const struct dump_source *source,
	       struct dump_output *output)
{
	struct dump_source narrowed = *source;
	struct dump dump = { .source = &narrowed, .output = output,
			     .path = path };
	struct target_place place;
	char *root;
	int rc = find_place(path, source, &place);

	if (rc == 0)
		rc = mount_control_find_root(path, &root);
	if (rc < 0)
		return rc;
	if (*place.project) {
		narrowed.places = &place;
		narrowed.n_places = 1;
	}
	rc = name_view(&dump, root, source->snapshot);
	if (rc == 0) {
		rc = put_view(&dump);
		dump_grants_release(&dump.grants);
		free(dump.view);
	}
	free(root);
	return rc;
}
