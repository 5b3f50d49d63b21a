/* aedb mv: gives a key, a scope or a project another name. */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "sync_path.h"
#include "target.h"

static int rename_place(char **args)
{
	struct target_place from, to;
	struct target target;
	int rc = target_parse_place(args[1], &from);

	if (rc == 0)
		rc = target_parse_place(args[2], &to);
	if (rc == 0 && from.has_scope != to.has_scope)
		rc = failure_usage("a %s cannot become a %s",
				   from.has_scope ? "scope" : "project",
				   to.has_scope ? "scope" : "project");
	if (rc == 0)
		rc = target_open(args[0], TARGET_WRITE, &target);
	if (rc < 0)
		return rc;
	rc = aedb_rename(target.db, target_place(&from), target_place(&to));
	if (rc < 0)
		failure_engine(rc, "%s: %s to %s", args[0], args[1], args[2]);
	return target_close(&target, rc);
}

/* What args[1..] say: PROJECT/SCOPE KEY [PROJECT/SCOPE] KEY. */
struct move {
	struct target_place from_place, to_place;
	struct target_key from, to;
};

static int parse_move(char **args, int count, bool is_hex, struct move *ret)
{
	int rc = target_parse_scope(args[1], &ret->from_place);

	ret->to_place = ret->from_place;
	if (rc == 0 && count > 4)
		rc = target_parse_scope(args[3], &ret->to_place);
	if (rc == 0)
		rc = target_parse_key(args[2], is_hex, &ret->from);
	if (rc == 0)
		rc = target_parse_key(args[count - 1], is_hex, &ret->to);
	return rc;
}

static int move_key(char **args, int count, bool is_hex)
{
	struct target source, other;
	struct move move;
	int rc = parse_move(args, count, is_hex, &move);

	if (rc == 0)
		rc = target_open(args[0], TARGET_WRITE, &source);
	if (rc < 0)
		return rc;
	other = source;
	rc = target_open_scope(&source, &move.from_place);
	if (rc == 0)
		rc = target_open_scope(&other, &move.to_place);
	if (rc == 0) {
		rc = aedb_move(source.scope, move.from.bytes, move.from.n,
			       other.scope, move.to.bytes, move.to.n);
		if (rc < 0)
			target_failure(&source, &move.from, rc);
	}
	aedb_scope_close(other.scope);
	return target_close(&source, rc);
}

static int rename_path(const char *from, const char *to)
{
	if (rename(from, to) == 0)
		return sync_path_parent(to);
	if (errno == EXDEV)
		return failure_set(STATUS_FAILED, from, "%s is in another mount, "
				   "or it holds too much for one commit: mv(1) "
				   "copies", to);
	return failure_system(errno, "%s to %s", from, to);
}

static int print_result(void)
{
	return output_is_json() ? output_json_line(json_object()) : 0;
}

int cmd_mv(int argc, char **argv)
{
	static const struct option options[] = {
		{ "hex", no_argument, NULL, 'x' },
		COMMAND_DATABASE_OPTIONS
	};
	bool is_hex = false;
	int rc, count;

	while ((rc = command_next_option(argc, argv, "x", options)) > 0)
		is_hex = true;
	if (rc == 0)
		rc = command_check_arguments(argc, 2, 5);
	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_is_mounted(argv[0]);
	if (rc < 0)
		return rc;
	if (rc > 0 && (count > 2 || is_hex))
		return failure_usage("%s is in a mount: PATH PATH, and no --hex",
				     argv[0]);
	if (rc > 0)
		rc = rename_path(argv[0], argv[1]);
	else if (count == 2)
		rc = target_needs_more(argv[0], "DB FROM TO");
	else if (count == 3)
		rc = rename_place(argv);
	else
		rc = move_key(argv, count, is_hex);
	return rc < 0 ? rc : print_result();
}
