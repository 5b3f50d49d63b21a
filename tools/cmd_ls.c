/*
 * aedb ls: one level of the tree.
 *
 * In a scope a key is a path: what lies beneath "a/" is passed in one seek and
 * listed as the directory "a". Directories that hold no key come last: they
 * have a record of their own and nothing in the order of the keys.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "failure.h"
#include "listing.h"
#include "target.h"

struct ls_options {
	struct listing listing;
	enum target_access access;
};

/* Projects and scopes. */

static int list_places(struct target *target, const struct listing *listing,
		       const char *project)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;
	int rc;

	while ((rc = aedb_place_next(target->db, NULL, project, name,
				     &entry)) == 0) {
		struct listing_item item = {
			.type = project ? "scope" : "project",
			.member = "name",
			.name = name,
			.name_bytes = entry.key_bytes,
			.entry = &entry,
		};

		memcpy(name, entry.key, entry.key_bytes);
		name[entry.key_bytes] = '\0';
		rc = listing_print(listing, &item);
		aedb_unpin(&entry);
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 :
				      failure_engine(rc, "%s", target->path);
}

static int list_project(struct target *target, const struct listing *listing,
			const char *project)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(target->db, NULL,
				 (struct aedb_place){ project, NULL }, &entry);

	if (rc < 0)
		return failure_engine(rc, "%s: project %s", target->path,
				      project);
	aedb_unpin(&entry);
	return list_places(target, listing, project);
}

/* Keys. */

/* One level being listed: the names behind `prefix`, which is "" or ends with
 * a slash, as of one snapshot. */
struct level {
	struct target *target;
	const struct listing *listing;
	struct aedb_snapshot *snapshot;
	const void *prefix;
	size_t prefix_bytes;
	unsigned long long count;	/* listed */
};

static int open_scan(struct level *level, struct aedb_scope *scope,
		     const void *prefix, size_t prefix_bytes,
		     struct aedb_scan **ret)
{
	struct aedb_range range = { .prefix = prefix,
				    .prefix_bytes = prefix_bytes };
	int rc = aedb_scan_open(scope, level->snapshot, &range, ret);

	return rc < 0 ? failure_engine(rc, "%s", level->target->what) : 0;
}

static int print_name(struct level *level, const char *type,
		      const struct aedb_entry *entry, size_t name_bytes)
{
	struct listing_item item = {
		.type = type,
		.member = "name",
		.name = (const char *)entry->key + level->prefix_bytes,
		.name_bytes = name_bytes,
		/* a directory's key here is only the first beneath it */
		.entry = *type == 'k' ? entry : NULL,
	};

	level->count++;
	return listing_print(level->listing, &item);
}

/* Passes all that lies in the directory whose name ends at `slash`. */
static int pass_directory(struct level *level, struct aedb_scan *scan,
			  const struct aedb_entry *entry, const char *slash)
{
	int rc = aedb_scan_skip(scan, entry->key, (size_t)(slash + 1 -
				(const char *)entry->key));

	return rc < 0 && rc != AEDB_NOT_FOUND ?
		       failure_engine(rc, "%s", level->target->what) : 0;
}

/* Prints the key, or the directory it lies in, and passes that. */
static int print_step(struct level *level, struct aedb_scan *scan,
		      const struct aedb_entry *entry)
{
	const char *name = (const char *)entry->key + level->prefix_bytes;
	size_t name_bytes = entry->key_bytes - level->prefix_bytes;
	const char *slash = memchr(name, '/', name_bytes);
	int rc;

	if (!slash)
		return print_name(level, "key", entry, name_bytes);
	rc = print_name(level, "directory", entry, (size_t)(slash - name));
	return rc < 0 ? rc : pass_directory(level, scan, entry, slash);
}

/* Does a key lie beneath this directory? 1, 0 or a negative code. */
static int holds_key(struct level *level, const struct aedb_entry *directory)
{
	char *prefix = malloc(directory->key_bytes + 1);
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	if (!prefix)
		return failure_system(ENOMEM, "%s", level->target->what);
	memcpy(prefix, directory->key, directory->key_bytes);
	prefix[directory->key_bytes] = '/';
	rc = open_scan(level, level->target->scope, prefix,
		       directory->key_bytes + 1, &scan);
	free(prefix);
	if (rc < 0)
		return rc;
	rc = aedb_scan_next(scan, &entry);
	aedb_scan_close(scan);
	if (rc == 0)
		return 1;
	return rc == AEDB_NOT_FOUND ?
		       0 : failure_engine(rc, "%s", level->target->what);
}

/* Looks at one record of a directory. */
static int print_empty(struct level *level, struct aedb_scan *scan,
		       const struct aedb_entry *entry)
{
	size_t name_bytes = entry->key_bytes - level->prefix_bytes;
	const char *name = (const char *)entry->key + level->prefix_bytes;
	const char *slash = memchr(name, '/', name_bytes);
	int rc;

	/* The scope's own record, or one of a lower level, whose upper
	 * directory has been looked at: it is a record before this one. */
	if (name_bytes == 0)
		return 0;
	if (slash)
		return pass_directory(level, scan, entry, slash);
	rc = holds_key(level, entry);
	return rc == 0 ? print_name(level, "directory", entry, name_bytes) :
	       rc > 0 ? 0 : rc;
}

/* Calls `print` for the entries beneath the prefix in one of the key spaces;
 * it may move the scan on. */
static int walk(struct level *level, struct aedb_scope *scope,
		int (*print)(struct level *, struct aedb_scan *,
			     const struct aedb_entry *))
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = open_scan(level, scope, level->prefix, level->prefix_bytes,
			   &scan);

	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		rc = print(level, scan, &entry);
		if (rc < 0)
			goto out;
	}
	rc = rc == AEDB_NOT_FOUND ?
		     0 : failure_engine(rc, "%s", level->target->what);
out:
	aedb_scan_close(scan);
	return rc;
}

/* A directory with nothing in it is there only if it has a record. */
static int check_directory(struct level *level)
{
	struct target_key name = { level->prefix, level->prefix_bytes - 1 };
	struct aedb_entry entry;
	int rc = aedb_stat(aedb_scope_dirs(level->target->scope),
			   level->snapshot, name.bytes, name.n, &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	else if (rc == AEDB_NOT_FOUND)
		target_failure(level->target, &name, rc);
	else
		failure_engine(rc, "%s", level->target->what);
	return rc;
}

static int list_level(struct target *target, const struct listing *listing,
		      const void *prefix, size_t prefix_bytes)
{
	struct level level = {
		.target = target,
		.listing = listing,
		.prefix = prefix,
		.prefix_bytes = prefix_bytes,
	};
	int rc = aedb_snapshot_open(target->db, &level.snapshot);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	rc = walk(&level, target->scope, print_step);
	if (rc == 0)
		rc = walk(&level, aedb_scope_dirs(target->scope), print_empty);
	if (rc == 0 && level.count == 0 && prefix_bytes > 0)
		rc = check_directory(&level);
	aedb_snapshot_close(level.snapshot);
	return rc;
}

/* directory: NULL, or with or without a slash at its end. */
static int list_scope(struct target *target, const struct listing *listing,
		      char *directory)
{
	struct target_key key = { "", 0 };
	char *prefix;
	int rc;

	if (directory) {
		rc = target_parse_key(directory, listing->keys == OUTPUT_HEX,
				      &key);
		if (rc < 0)
			return rc;
	}
	prefix = malloc(key.n + 1);
	if (!prefix)
		return failure_system(ENOMEM, "%s", target->what);
	memcpy(prefix, key.bytes, key.n);
	if (key.n && prefix[key.n - 1] != '/')
		prefix[key.n++] = '/';
	rc = list_level(target, listing, prefix, key.n);
	free(prefix);
	return rc;
}

static int list_database(char **args, int count,
			 const struct ls_options *options)
{
	struct target_place place = { .has_scope = false };
	struct target target;
	int rc = count == 2 ? target_parse_place(args[1], &place) :
		 count == 3 ? target_parse_scope(args[1], &place) : 0;

	if (rc == 0)
		rc = target_open(args[0], options->access, &target);
	if (rc < 0)
		return rc;
	if (count == 1)
		rc = list_places(&target, &options->listing, NULL);
	else if (!place.has_scope)
		rc = list_project(&target, &options->listing, place.project);
	else {
		rc = target_open_scope(&target, &place);
		if (rc == 0)
			rc = list_scope(&target, &options->listing,
					count == 3 ? args[2] : NULL);
	}
	return target_close(&target, rc);
}

/* In a mount. */

#define DEPTH_SNAPSHOTS (-1)

/* How deep in the tree what lies in a path of the mount is: 0 are projects. In a
 * snapshot as without. */
static int depth_of(const char *inside)
{
	int depth = 0;
	size_t n;

	for (; *inside; inside += n + (inside[n] == '/')) {
		n = strcspn(inside, "/");
		if (depth > 1 || n != 5 || memcmp(inside, ".snap", n)) {
			depth++;
			continue;
		}
		if (!inside[n])
			return DEPTH_SNAPSHOTS;
		/* The snapshot's name stands for what has it. */
		inside += n + 1;
		n = strcspn(inside, "/");
	}
	return depth;
}

/* What directories at a depth of the tree are. */
static const char *type_of(const struct stat *st, int depth)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFDIR:
		return depth == DEPTH_SNAPSHOTS ? "snapshot" :
		       depth == 0 ? "project" : depth == 1 ? "scope" :
							     "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "key";
	}
}

static int print_file(const struct listing *listing, int dirfd,
		      const char *name, int depth)
{
	struct listing_item item = { .member = "name", .name = name,
				     .name_bytes = strlen(name) };
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* deleted since it was listed */
		if (errno == ENOENT)
			return 0;
		return failure_system(errno, "%s", name);
	}
	item.type = type_of(&st, depth);
	item.st = &st;
	return listing_print(listing, &item);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int skip_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int list_directory(const char *path, const struct listing *listing,
			  int depth)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int n, rc = 0;

	if (dirfd < 0)
		return errno == ENOTDIR ?
			       print_file(listing, AT_FDCWD, path, depth) :
			       failure_system(errno, "%s", path);
	n = scandirat(dirfd, ".", &names, skip_dots, compare_names);
	if (n < 0)
		rc = failure_system(errno, "%s", path);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = print_file(listing, dirfd, names[i]->d_name, depth);
		free(names[i]);
	}
	free(names);
	close(dirfd);
	return rc;
}

static int list_mounted(const char *path, const struct listing *listing)
{
	struct target_path located;
	int depth, rc = target_locate(path, &located);

	if (rc < 0)
		return rc;
	depth = depth_of(located.inside);
	target_release_path(&located);
	return list_directory(path, listing, depth);
}

static int parse_options(int argc, char **argv, struct ls_options *ret)
{
	static const struct option options[] = {
		{ "long", no_argument, NULL, 'l' },
		{ "null", no_argument, NULL, '0' },
		{ "hex", no_argument, NULL, 'x' },
		{ "permissive", no_argument, NULL, 'P' },
		COMMAND_DATABASE_OPTIONS
	};
	int rc;

	while ((rc = command_next_option(argc, argv, "l0x", options)) > 0) {
		if (rc == 'l')
			ret->listing.is_long = true;
		else if (rc == '0')
			ret->listing.keys = OUTPUT_NULL;
		else if (rc == 'x')
			ret->listing.keys = OUTPUT_HEX;
		else
			ret->access = TARGET_READ_DAMAGED;
	}
	return rc < 0 ? rc : command_check_arguments(argc, 1, 3);
}

int cmd_ls(int argc, char **argv)
{
	struct ls_options options = { .access = TARGET_READ };
	int rc = parse_options(argc, argv, &options), count;

	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_is_mounted(argv[0]);
	if (rc < 0)
		return rc;
	if (rc > 0 && count > 1)
		return failure_usage("%s is in a mount: no argument may follow",
				     argv[0]);
	if (rc > 0)
		return list_mounted(argv[0], &options.listing);
	return list_database(argv, count, &options);
}
