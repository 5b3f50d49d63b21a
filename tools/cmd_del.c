/*
 * aedb del: deletes keys, a scope or a project.
 *
 * The keys named for a database are deleted in one transaction. A prefix may
 * hold more than one takes: PREFIX_KEYS are deleted at a time, in key order.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "progress.h"
#include "sync_path.h"
#include "target.h"

#define PREFIX_KEYS 100000
#define TREE_DESCRIPTORS 32

struct del_options {
	char *prefix;		/* NULL: none */
	bool is_hex;
	bool is_recursive;
};

static int print_result(unsigned long long count)
{
	if (!output_is_json())
		return 0;
	return output_json_line(
		json_pack("{s:I}", "deleted", (json_int_t)count));
}

/* In a database. */

static int delete_one(struct target *target, struct aedb_txn *txn,
		      const struct target_key *key)
{
	struct aedb_entry entry;
	/* Asked for here, for a commit that fails does not say for which. */
	int rc = aedb_stat(target->scope, NULL, key->bytes, key->n, &entry);

	if (rc == 0) {
		aedb_unpin(&entry);
		rc = aedb_txn_delete(txn, target->scope, key->bytes, key->n);
	}
	return rc < 0 ? target_failure(target, key, rc) : 0;
}

/* Commits, or aborts if rc says that something failed. */
static int end_txn(struct target *target, struct aedb_txn *txn, int rc)
{
	if (rc == 0) {
		rc = aedb_txn_commit(txn, NULL);
		if (rc == 0)
			return 0;
		failure_engine(rc, "%s", target->what);
	}
	aedb_txn_abort(txn);
	return rc;
}

static int delete_keys(struct target *target, char **keys, int count,
		       bool is_hex)
{
	struct aedb_txn *txn;
	struct target_key key;
	int rc = aedb_txn_begin(target->db, &txn);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	for (int i = 0; rc == 0 && i < count; i++) {
		rc = target_parse_key(keys[i], is_hex, &key);
		if (rc == 0)
			rc = delete_one(target, txn, &key);
	}
	rc = end_txn(target, txn, rc);
	return rc < 0 ? rc : print_result((unsigned int)count);
}

/* Deletes the next keys of a scan in one commit; *ret is fewer than
 * PREFIX_KEYS at its end. */
static int delete_scanned(struct target *target, struct aedb_scan *scan,
			  unsigned long long *ret)
{
	unsigned long long count = 0;
	struct aedb_entry entry;
	struct aedb_txn *txn;
	int rc = aedb_txn_begin(target->db, &txn);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	while (count < PREFIX_KEYS) {
		rc = aedb_scan_next(scan, &entry);
		if (rc < 0)
			break;
		rc = aedb_txn_delete(txn, target->scope, entry.key,
				     entry.key_bytes);
		if (rc < 0)
			break;
		count++;
	}
	if (rc == AEDB_NOT_FOUND)
		rc = 0;
	else if (rc < 0)
		failure_engine(rc, "%s", target->what);
	rc = end_txn(target, txn, rc);
	if (rc == 0)
		*ret = count;
	return rc;
}

static int delete_prefix(struct target *target, const struct target_key *prefix)
{
	struct aedb_range range = { .prefix = prefix->bytes,
				    .prefix_bytes = prefix->n };
	unsigned long long deleted = 0, count;
	struct progress progress;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(target->scope, NULL, &range, &scan);

	if (rc < 0)
		return failure_engine(rc, "%s", target->what);
	progress_init(&progress, PROGRESS_KEYS, 0);
	do {
		rc = delete_scanned(target, scan, &count);
		if (rc < 0)
			break;
		deleted += count;
		progress_show(&progress, deleted);
	} while (count == PREFIX_KEYS);
	progress_release(&progress);
	aedb_scan_close(scan);
	if (rc == 0 && deleted == 0)
		rc = target_failure(target, prefix, AEDB_NOT_FOUND);
	return rc < 0 ? rc : print_result(deleted);
}

/* Adds the drop of every scope of a project to a transaction. */
static int drop_scopes(struct target *target, struct aedb_txn *txn,
		       const char *project)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;
	int rc;

	while ((rc = aedb_place_next(target->db, NULL, project, name,
				     &entry)) == 0) {
		memcpy(name, entry.key, entry.key_bytes);
		name[entry.key_bytes] = '\0';
		aedb_unpin(&entry);
		rc = aedb_txn_drop(txn, (struct aedb_place){ project, name },
				   AEDB_DROP_ALL);
		if (rc < 0)
			break;
	}
	if (rc == AEDB_NOT_FOUND)
		return 0;
	return failure_engine(rc, "%s: %s", target->path, project);
}

static int drop_place(struct target *target, const struct target_place *place,
		      bool is_recursive)
{
	struct aedb_txn *txn;
	int rc = aedb_txn_begin(target->db, &txn);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	snprintf(target->what, sizeof(target->what), "%.200s: %s%s%s",
		 target->path, place->project, place->has_scope ? "/" : "",
		 place->has_scope ? place->scope : "");
	if (is_recursive && !place->has_scope)
		rc = drop_scopes(target, txn, place->project);
	if (rc == 0) {
		rc = aedb_txn_drop(txn, target_place(place),
				   is_recursive && place->has_scope ?
					   AEDB_DROP_ALL : AEDB_DROP_EMPTY);
		if (rc < 0)
			failure_engine(rc, "%s", target->what);
	}
	rc = end_txn(target, txn, rc);
	return rc < 0 ? rc : print_result(1);
}

static int delete_from_database(char **args, int count,
				const struct del_options *options)
{
	bool is_place = count == 2 && !options->prefix;
	struct target_place place;
	struct target_key prefix;
	struct target target;
	int rc = is_place ? target_parse_place(args[1], &place) :
			    target_parse_scope(args[1], &place);

	if (rc == 0 && options->prefix)
		rc = target_parse_key(options->prefix, options->is_hex, &prefix);
	if (rc == 0)
		rc = target_open(args[0], TARGET_WRITE, &target);
	if (rc < 0)
		return rc;
	if (!is_place)
		rc = target_open_scope(&target, &place);
	if (rc == 0 && is_place)
		rc = drop_place(&target, &place, options->is_recursive);
	else if (rc == 0 && options->prefix)
		rc = delete_prefix(&target, &prefix);
	else if (rc == 0)
		rc = delete_keys(&target, args + 2, count - 2, options->is_hex);
	return target_close(&target, rc);
}

/* In a mount. */

static unsigned long long removed;

static int remove_visited(const char *path, const struct stat *st, int type,
			  struct FTW *where)
{
	(void)st;
	(void)where;
	if (remove(path) == 0) {
		removed++;
		return 0;
	}
	/* What cannot be read is not empty either: say the first reason. */
	return failure_system(errno, "%s%s", path,
			      type == FTW_DNR ? " (not readable)" : "");
}

static int remove_path(const char *path, bool is_recursive)
{
	struct target_path located;
	int rc = target_locate(path, &located);

	if (rc < 0)
		return rc;
	if (!*located.inside)
		rc = failure_usage("%s is the mount itself", path);
	target_release_path(&located);
	if (rc < 0)
		return rc;
	if (!is_recursive) {
		if (remove(path) < 0)
			return failure_system(errno, "%s", path);
		removed++;
		return sync_path_parent(path);
	}
	rc = nftw(path, remove_visited, TREE_DESCRIPTORS,
		  FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (rc == -1)
		return failure_system(errno, "%s", path);
	return rc < 0 ? rc : sync_path_parent(path);
}

static int remove_from_mount(char **paths, int count,
			     const struct del_options *options)
{
	int rc = 0;

	if (options->prefix || options->is_hex)
		return failure_usage("%s is in a mount: only -r is possible",
				     paths[0]);
	for (int i = 0; rc == 0 && i < count; i++)
		rc = remove_path(paths[i], options->is_recursive);
	return rc < 0 ? rc : print_result(removed);
}

static int parse_options(int argc, char **argv, struct del_options *ret)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'r' },
		{ "prefix", required_argument, NULL, 'p' },
		{ "hex", no_argument, NULL, 'x' },
		COMMAND_DATABASE_OPTIONS
	};
	int rc;

	while ((rc = command_next_option(argc, argv, "rx", options)) > 0) {
		if (rc == 'r')
			ret->is_recursive = true;
		else if (rc == 'p')
			ret->prefix = optarg;
		else
			ret->is_hex = true;
	}
	return rc < 0 ? rc : command_check_arguments(argc, 1, argc);
}

int cmd_del(int argc, char **argv)
{
	struct del_options options = { 0 };
	int rc = parse_options(argc, argv, &options), count;

	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_is_mounted(argv[0]);
	if (rc < 0)
		return rc;
	if (rc > 0)
		return remove_from_mount(argv, count, &options);
	if (count == 1)
		return target_needs_more(argv[0], "DB PROJECT/SCOPE KEY");
	if (options.prefix && (count > 2 || !*options.prefix))
		return failure_usage("--prefix: no KEY may follow, and to delete "
				     "all keys, delete the scope with -r");
	if (options.is_recursive && (count > 2 || options.prefix))
		return failure_usage("-r is for a project or a scope; --prefix "
				     "deletes many keys");
	return delete_from_database(argv, count, &options);
}
