/*
 * The commands of the control file: a line of words, checked completely.
 *
 * Threads: no state. Errors: -EINVAL or -ENAMETOOLONG with a reason.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aedb_access.h"

#define CONTROL_LINE_BYTES_MAX 512
#define CONTROL_REASON_BYTES 320
#define CONTROL_RIGHT_BYTES 16

/* Where a control file stands. */
enum control_where {
	CONTROL_AT_ROOT,
	CONTROL_IN_BATCH,
};

enum control_verb {
	VERB_HELP,
	VERB_SYNC,
	VERB_CHECKPOINT,
	VERB_COMPACT,
	VERB_CHANGES,		/* number: from it on; 0: all there are */
	VERB_SNAPSHOT_CREATE,	/* name */
	VERB_SNAPSHOT_DELETE,	/* name */
	VERB_BACKUP_FULL,	/* name, or "" */
	VERB_BACKUP_INCREMENTAL,	/* the same */
	VERB_ESTIMATE_FULL,
	VERB_ESTIMATE_INCREMENTAL,
	VERB_BACKUP_VERIFY,	/* name */
	VERB_CANCEL,			/* number */
	VERB_GRANT,		/* right, where, who; so is the next */
	VERB_REVOKE,
	VERB_GRANTS,		/* name: "json", or "" */
	VERB_TABLES,		/* name: a snapshot, or "" */
	VERB_BATCH_COMMIT,	/* name, but in the batch's own file; as the next */
	VERB_BATCH_ABORT,
	VERB_BATCH_CHECK,
};

struct control_command {
	enum control_verb verb;
	char name[AEDB_NAME_BYTES_MAX + 1];
	uint64_t number;
	char right[CONTROL_RIGHT_BYTES];
	char where[CONTROL_LINE_BYTES_MAX + 1];
	char who[AEDB_CALLER_BYTES_MAX + 1];
};

/* The bytes of one write: one command, with a newline behind it or without; to the
 * root's file or to a batch's own. */
struct control_line {
	const void *bytes;
	size_t n;
};
int control_command_parse(const struct control_line *line,
			  enum control_where where, struct control_command *ret,
			  char reason[CONTROL_REASON_BYTES]);
/* The bytes as they stand in a line of text: at most CONTROL_LINE_BYTES_MAX of
 * them, quoted as git quotes where needed. */
void control_command_show(const void *bytes, size_t n, char *ret, size_t room);
/* What `help` answers. Static. */
const char *control_command_help(enum control_where where);

#endif
