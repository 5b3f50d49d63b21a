/* The commands of the control file. */
#include "control_command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define WORDS_MAX 3

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_NAME,
	ARGUMENT_NAME_OR_NONE,
	ARGUMENT_NUMBER,
	ARGUMENT_NUMBER_OR_NONE,
	ARGUMENT_GRANT,		/* RIGHT WHERE to WHO, or from WHO */
};

static const struct {
	const char *words[WORDS_MAX - 1];
	enum control_verb verb;
	enum argument argument;
	enum control_where where;
} commands[] = {
	{ { "help" }, VERB_HELP, ARGUMENT_NONE, CONTROL_AT_ROOT },
	{ { "sync" }, VERB_SYNC, ARGUMENT_NONE, CONTROL_AT_ROOT },
	{ { "checkpoint" }, VERB_CHECKPOINT, ARGUMENT_NONE, CONTROL_AT_ROOT },
	{ { "compact" }, VERB_COMPACT, ARGUMENT_NONE, CONTROL_AT_ROOT },
	{ { "changes" }, VERB_CHANGES, ARGUMENT_NUMBER_OR_NONE, CONTROL_AT_ROOT },
	{ { "snapshot", "create" }, VERB_SNAPSHOT_CREATE, ARGUMENT_NAME, CONTROL_AT_ROOT },
	{ { "snapshot", "delete" }, VERB_SNAPSHOT_DELETE, ARGUMENT_NAME, CONTROL_AT_ROOT },
	{ { "backup", "full" }, VERB_BACKUP_FULL, ARGUMENT_NAME_OR_NONE, CONTROL_AT_ROOT },
	{ { "backup", "incremental" }, VERB_BACKUP_INCREMENTAL, ARGUMENT_NAME_OR_NONE,
	  CONTROL_AT_ROOT },
	{ { "estimate", "full" }, VERB_ESTIMATE_FULL, ARGUMENT_NAME_OR_NONE,
	  CONTROL_AT_ROOT },
	{ { "estimate", "incremental" }, VERB_ESTIMATE_INCREMENTAL,
	  ARGUMENT_NAME_OR_NONE, CONTROL_AT_ROOT },
	{ { "backup", "verify" }, VERB_BACKUP_VERIFY, ARGUMENT_NAME, CONTROL_AT_ROOT },
	{ { "batch", "commit" }, VERB_BATCH_COMMIT, ARGUMENT_NAME, CONTROL_AT_ROOT },
	{ { "batch", "abort" }, VERB_BATCH_ABORT, ARGUMENT_NAME, CONTROL_AT_ROOT },
	{ { "cancel" }, VERB_CANCEL, ARGUMENT_NUMBER, CONTROL_AT_ROOT },
	{ { "grant" }, VERB_GRANT, ARGUMENT_GRANT, CONTROL_AT_ROOT },
	{ { "revoke" }, VERB_REVOKE, ARGUMENT_GRANT, CONTROL_AT_ROOT },
	{ { "grants" }, VERB_GRANTS, ARGUMENT_NAME_OR_NONE, CONTROL_AT_ROOT },
	{ { "tables" }, VERB_TABLES, ARGUMENT_NAME_OR_NONE, CONTROL_AT_ROOT },
	{ { "help" }, VERB_HELP, ARGUMENT_NONE, CONTROL_IN_BATCH },
	{ { "commit" }, VERB_BATCH_COMMIT, ARGUMENT_NONE, CONTROL_IN_BATCH },
	{ { "abort" }, VERB_BATCH_ABORT, ARGUMENT_NONE, CONTROL_IN_BATCH },
	{ { "check" }, VERB_BATCH_CHECK, ARGUMENT_NONE, CONTROL_IN_BATCH },
};

#define COMMANDS_COUNT (sizeof(commands) / sizeof(commands[0]))

const char *control_command_help(enum control_where where)
{
	if (where == CONTROL_IN_BATCH)
		return "help     this text\n"
		       "commit   everything this batch changed, at once or not at all\n"
		       "abort    nothing of it; the same as rmdir of the directory\n"
		       "check    would it be committed now? .conflicts says why not\n";
	return "help                   this text\n"
	       "sync                   wait until all that is visible is on the disk\n"
	       "checkpoint             move what the log holds into segments\n"
	       "compact                give back what nobody can read any more\n"
	       "changes [SEQ]          commits from number SEQ on, a line of JSON each\n"
	       "snapshot create NAME   the same as mkdir .snap/NAME\n"
	       "snapshot delete NAME   the same as rmdir .snap/NAME\n"
	       "backup full [NAME]     everything, into the directory of backups\n"
	       "backup incremental [NAME]\n"
	       "                       what came since the last backup\n"
	       "backup verify NAME     is all of it there, and as it was made?\n"
	       "estimate full [NAME]\n"
	       "estimate incremental [NAME]\n"
	       "                       what such a backup would be, and its size\n"
	       "batch commit NAME      the same as commit in .batch/NAME/.control\n"
	       "batch abort NAME       the same as rmdir .batch/NAME\n"
	       "grant RIGHT WHERE to WHO\n"
	       "                       WHO (uid:N) may that; RIGHT is kv-read, kv-write,\n"
	       "                       scope-admin, ...; WHERE is PROJECT[/SCOPE[/PREFIX]]\n"
	       "revoke RIGHT WHERE from WHO\n"
	       "                       and no more\n"
	       "grants [json]          what is granted\n"
	       "tables [SNAPSHOT]      each table, which files do not show\n"
	       "cancel N               end command N, which is running\n";
}

static int refuse(char *reason, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *reason, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, CONTROL_REASON_BYTES, format, args);
	va_end(args);
	return rc;
}

/* One line of printable characters; a newline at its end is left out. */
static int line_copy(const char *bytes, size_t n, char *ret, char *reason)
{
	if (n && bytes[n - 1] == '\n')
		n--;
	if (n > CONTROL_LINE_BYTES_MAX)
		return refuse(reason, -EINVAL, "a command has %d bytes at most",
			      CONTROL_LINE_BYTES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			return refuse(reason, -EINVAL,
				      "more than one line: nothing was executed");
		if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
			return refuse(reason, -EINVAL, "a control character in "
				      "the command");
	}
	memcpy(ret, bytes, n);
	ret[n] = '\0';
	return 0;
}

/* Splits at spaces, in place. Returns how many words there are, WORDS_MAX + 1
 * for all that is more. */
static size_t words_split(char *line, char *ret[WORDS_MAX + 1])
{
	char *rest;
	size_t n = 0;

	for (char *word = strtok_r(line, " ", &rest); word && n <= WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		ret[n++] = word;
	return n;
}

/* How many of the words are the command's; 0: they are another one's. */
static size_t words_match(size_t command, char *const words[], size_t n)
{
	size_t i = 0;

	while (i < WORDS_MAX - 1 && commands[command].words[i]) {
		if (i == n || strcmp(words[i], commands[command].words[i]) != 0)
			return 0;
		i++;
	}
	return i;
}

static int parse_number(const char *text, uint64_t *ret, char *reason)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9')
		return refuse(reason, -EINVAL, "\"%.64s\" is no number", text);
	return 0;
}

static int parse_name(const char *text, char *ret, char *reason)
{
	if (strlen(text) > AEDB_NAME_BYTES_MAX)
		return refuse(reason, -ENAMETOOLONG,
			      "a name has %d bytes at most", AEDB_NAME_BYTES_MAX);
	strcpy(ret, text);
	return 0;
}

/* "RIGHT WHERE to WHO" behind the command's word: WHERE may have spaces in it. */
static int parse_grant(const char *command, char *rest,
		       struct control_command *ret, char *reason)
{
	const char *between = ret->verb == VERB_GRANT ? " to " : " from ";
	char *where = strchr(rest, ' '), *who = NULL;

	for (char *at = where; at && (at = strstr(at, between)); at++)
		who = at;
	if (!who || who == where)
		return refuse(reason, -EINVAL, "%s RIGHT WHERE%sWHO; see help",
			      command, between);
	*where++ = *who = '\0';
	who += strlen(between);
	if (strlen(rest) >= sizeof(ret->right))
		return refuse(reason, -EINVAL, "\"%.64s\" is no right", rest);
	if (strlen(who) >= sizeof(ret->who))
		return refuse(reason, -ENAMETOOLONG, "WHO has %d bytes at most",
			      AEDB_CALLER_BYTES_MAX);
	strcpy(ret->right, rest);
	strcpy(ret->where, where);
	strcpy(ret->who, who);
	return 0;
}

/* Arguments of a command, the words behind its own. */
static int parse_arguments(size_t command, char *const words[], size_t n,
			   struct control_command *ret, char *reason)
{
	enum argument argument = commands[command].argument;
	size_t least = argument == ARGUMENT_NAME || argument == ARGUMENT_NUMBER;
	size_t most = argument != ARGUMENT_NONE;

	if (n < least)
		return refuse(reason, -EINVAL, "%s what? See help", words[-1]);
	if (n > most)
		return refuse(reason, -EINVAL, "too many words after %s; see help",
			      words[-1]);
	if (n == 0)
		return 0;
	return argument == ARGUMENT_NAME || argument == ARGUMENT_NAME_OR_NONE ?
		       parse_name(words[0], ret->name, reason) :
		       parse_number(words[0], &ret->number, reason);
}

int control_command_parse(const struct control_line *line,
			  enum control_where where, struct control_command *ret,
			  char reason[CONTROL_REASON_BYTES])
{
	char text[CONTROL_LINE_BYTES_MAX + 1], *words[WORDS_MAX + 1];
	char whole[CONTROL_LINE_BYTES_MAX + 1], *rest;
	size_t words_n, own;
	int rc = line_copy(line->bytes, line->n, text, reason);

	if (rc < 0)
		return rc;
	strcpy(whole, text);
	words_n = words_split(text, words);
	if (words_n == 0)
		return refuse(reason, -EINVAL, "no command; see help");
	for (size_t i = 0; i < COMMANDS_COUNT; i++) {
		own = commands[i].where == where ?
			      words_match(i, words, words_n) : 0;
		if (!own)
			continue;
		*ret = (struct control_command){ .verb = commands[i].verb };
		rest = whole + (words[0] - text) + strlen(words[0]);
		if (commands[i].argument == ARGUMENT_GRANT)
			return parse_grant(words[0], rest + strspn(rest, " "),
					   ret, reason);
		return parse_arguments(i, words + own, words_n - own, ret,
				       reason);
	}
	return refuse(reason, -EINVAL, "unknown command \"%.64s\"; see help",
		      words[0]);
}

void control_command_show(const void *bytes, size_t n, char *ret, size_t room)
{
	FILE *out = fmemopen(ret, room, "w");

	if (n && ((const char *)bytes)[n - 1] == '\n')
		n--;
	if (n > CONTROL_LINE_BYTES_MAX)
		n = CONTROL_LINE_BYTES_MAX;
	ret[0] = '\0';
	if (!out)
		return;
	text_write(out, bytes, n);
	fclose(out);
	ret[room - 1] = '\0';
}
