/*
 * aedb scan: keys in byte order, of a scope or, as paths, of a directory in a
 * mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "failure.h"
#include "listing.h"
#include "progress.h"
#include "target.h"
#include "tree.h"
#include "value.h"

struct scan_options {
	struct listing listing;
	enum target_access access;
	char *prefix, *from, *to;	/* NULL: not given */
	bool is_reverse;
	unsigned long long limit;
};

/* A line that goes on with the value. */
static int print_with_value(const struct listing *listing,
			    const struct listing_item *item,
			    struct value *value)
{
	int rc;

	if (output_is_json())
		return value_write_json(value, listing_object(item));
	listing_print_text(listing, item);
	putchar('\t');
	rc = value_write_text(value);
	output_end(listing->keys);
	return rc;
}

/* In a database. */

static int print_key(struct target *target, const struct listing *listing,
		     struct aedb_snapshot *snapshot,
		     const struct aedb_entry *entry)
{
	struct listing_item item = {
		.type = "key",
		.member = "key",
		.name = entry->key,
		.name_bytes = entry->key_bytes,
		.entry = entry,
	};
	struct aedb_reader *reader;
	struct value value;
	int rc;

	if (!listing->has_values)
		return listing_print(listing, &item);
	rc = aedb_reader_open(target->scope, snapshot, entry->key,
			      entry->key_bytes, &reader);
	if (rc < 0)
		return failure_engine(rc, "%s", target->what);
	value_init_reader(&value, reader, target->what);
	rc = print_with_value(listing, &item, &value);
	value_release(&value);
	return rc;
}

static int print_keys(struct target *target, const struct scan_options *options,
		      struct aedb_snapshot *snapshot, struct aedb_scan *scan)
{
	struct progress progress;
	struct aedb_entry entry;
	unsigned long long count = 0;
	int rc = 0;

	progress_init(&progress, PROGRESS_KEYS, 0);
	while (count < options->limit) {
		rc = aedb_scan_next(scan, &entry);
		if (rc == AEDB_NOT_FOUND) {
			rc = 0;
			break;
		}
		if (rc < 0)
			failure_engine(rc, "%s", target->what);
		else
			rc = print_key(target, &options->listing, snapshot,
				       &entry);
		if (rc < 0)
			break;
		progress_show(&progress, ++count);
	}
	progress_release(&progress);
	return rc;
}

static int scan_range(struct target *target, const struct scan_options *options,
		      const struct aedb_range *range)
{
	struct aedb_snapshot *snapshot;
	struct aedb_scan *scan;
	int rc = aedb_snapshot_open(target->db, &snapshot);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	rc = aedb_scan_open(target->scope, snapshot, range, &scan);
	if (rc == 0) {
		rc = print_keys(target, options, snapshot, scan);
		aedb_scan_close(scan);
	} else {
		failure_engine(rc, "%s", target->what);
	}
	aedb_snapshot_close(snapshot);
	return rc;
}

/* An option's key, or nothing. */
static int parse_bound(char *text, bool is_hex, const void **ret, size_t *ret_n)
{
	struct target_key key;
	int rc;

	if (!text)
		return 0;
	rc = target_parse_key(text, is_hex, &key);
	if (rc < 0)
		return rc;
	*ret = key.bytes;
	*ret_n = key.n;
	return 0;
}

static int scan_database(char **args, const struct scan_options *options)
{
	struct aedb_range range = { .direction = options->is_reverse ?
				    AEDB_BACKWARD : AEDB_FORWARD };
	bool is_hex = options->listing.keys == OUTPUT_HEX;
	struct target_place place;
	struct target target;
	int rc = target_parse_scope(args[1], &place);

	if (rc == 0)
		rc = parse_bound(options->prefix, is_hex, &range.prefix,
				 &range.prefix_bytes);
	if (rc == 0)
		rc = parse_bound(options->from, is_hex, &range.from,
				 &range.from_bytes);
	if (rc == 0)
		rc = parse_bound(options->to, is_hex, &range.to, &range.to_bytes);
	if (rc == 0)
		rc = target_open(args[0], options->access, &target);
	if (rc < 0)
		return rc;
	rc = target_open_scope(&target, &place);
	if (rc == 0)
		rc = scan_range(&target, options, &range);
	return target_close(&target, rc);
}

/* In a mount. */

static bool is_wanted(const struct scan_options *options, const char *path)
{
	return (!options->prefix || !strncmp(path, options->prefix,
					     strlen(options->prefix))) &&
	       (!options->from || strcmp(path, options->from) >= 0) &&
	       (!options->to || strcmp(path, options->to) < 0);
}

/* 1: printed, 0: not a key, or vanished, or a negative code. */
static int print_file(const struct listing *listing,
		      const struct tree_file *file)
{
	struct listing_item item = {
		.type = "key",
		.member = "path",
		.name = file->path,
		.name_bytes = strlen(file->path),
	};
	struct value value;
	struct stat st;
	int rc;

	if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       0 : failure_system(errno, "%s", file->path);
	if (!S_ISREG(st.st_mode))
		return 0;
	item.st = &st;
	if (!listing->has_values) {
		rc = listing_print(listing, &item);
		return rc < 0 ? rc : 1;
	}
	rc = value_init_file(&value, file->dirfd, file->name, file->path);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = print_with_value(listing, &item, &value);
	value_release(&value);
	return rc < 0 ? rc : 1;
}

static int scan_mounted(const char *path, const struct scan_options *options)
{
	struct tree_file file;
	struct progress progress;
	unsigned long long count = 0;
	struct tree *tree;
	int rc = tree_open(path, options->is_reverse, &tree);

	if (rc < 0)
		return rc;
	progress_init(&progress, PROGRESS_KEYS, 0);
	while (count < options->limit && (rc = tree_next(tree, &file)) > 0) {
		if (!is_wanted(options, file.path))
			continue;
		rc = print_file(&options->listing, &file);
		if (rc < 0)
			break;
		count += (unsigned int)rc;
		progress_show(&progress, count);
	}
	progress_release(&progress);
	tree_close(tree);
	return rc < 0 ? rc : 0;
}

static int set_option(void *arg, int option)
{
	struct scan_options *options = arg;

	switch (option) {
	case 'p':
		options->prefix = optarg;
		break;
	case 'f':
		options->from = optarg;
		break;
	case 't':
		options->to = optarg;
		break;
	case 'r':
		options->is_reverse = true;
		break;
	case 'n':
		return command_parse_count("--limit", optarg, &options->limit);
	case 'v':
		options->listing.has_values = true;
		break;
	case 'l':
		options->listing.is_long = true;
		break;
	case '0':
		options->listing.keys = OUTPUT_NULL;
		break;
	case 'x':
		options->listing.keys = OUTPUT_HEX;
		break;
	case 'P':
		options->access = TARGET_READ_DAMAGED;
		break;
	}
	return 0;
}

static int parse_options(int argc, char **argv, struct scan_options *ret)
{
	static const struct option options[] = {
		{ "prefix", required_argument, NULL, 'p' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "reverse", no_argument, NULL, 'r' },
		{ "limit", required_argument, NULL, 'n' },
		{ "values", no_argument, NULL, 'v' },
		{ "long", no_argument, NULL, 'l' },
		{ "null", no_argument, NULL, '0' },
		{ "hex", no_argument, NULL, 'x' },
		{ "permissive", no_argument, NULL, 'P' },
		COMMAND_DATABASE_OPTIONS
	};
	struct command_taker taker = { set_option, ret };
	int rc = command_take_options(argc, argv, "rl0x", options, &taker);

	if (rc == 0 && ret->listing.has_values &&
	    ret->listing.keys == OUTPUT_NULL)
		return failure_usage("a value may hold NUL bytes: --values goes "
				     "with --json or with text, not with -0");
	return rc < 0 ? rc : command_check_arguments(argc, 1, 2);
}

int cmd_scan(int argc, char **argv)
{
	struct scan_options options = {
		.access = TARGET_READ,
		.limit = ~0ull,
	};
	int rc = parse_options(argc, argv, &options), count;

	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_is_mounted(argv[0]);
	if (rc < 0)
		return rc;
	if (rc > 0 && (count > 1 || options.listing.keys == OUTPUT_HEX))
		return failure_usage("%s is in a mount: no argument may follow, "
				     "and no --hex", argv[0]);
	if (rc > 0)
		return scan_mounted(argv[0], &options);
	if (count == 1)
		return target_needs_more(argv[0], "DB PROJECT/SCOPE");
	return scan_database(argv, &options);
}
