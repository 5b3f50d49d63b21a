/* Grants by commands. */
#include "control_grant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grant_text.h"

/* Owned lines. */
static int lines_make(struct aedb_caller *system, bool is_json, char **ret)
{
	struct aedb_granted *granted = calloc(1, sizeof(*granted));
	size_t n;
	FILE *out = open_memstream(ret, &n);
	int rc = granted && out ? 0 : -ENOMEM;

	while (rc == 0 && (rc = aedb_grants_next(system, granted)) == 0) {
		json_t *object = is_json ? grant_text_json(granted) : NULL;

		if (!is_json)
			grant_text_write(out, granted);
		else if (!object || json_dumpf(object, out, JSON_COMPACT) < 0 ||
			 fputc('\n', out) == EOF)
			rc = -ENOMEM;
		json_decref(object);
	}
	free(granted);
	if (out && fclose(out) != 0)
		rc = -ENOMEM;
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int one_run(struct aedb_caller *system,
		   const struct control_command *command, char *words)
{
	char reason[GRANT_TEXT_REASON_BYTES];
	const char *who = command->who;
	struct grant_text text;
	int rc = grant_text_parse(command->right, command->where, &text,
				  reason);

	if (rc < 0) {
		snprintf(words, CONTROL_RECORD_BYTES, "%s", reason);
		return rc;
	}
	if (text.grant.right == AEDB_OWNER && command->verb == VERB_GRANT)
		rc = aedb_transfer_ownership(system, text.grant.place, who,
					     strlen(who));
	else if (command->verb == VERB_GRANT)
		rc = aedb_grant(system, &text.grant, who, strlen(who));
	else
		rc = aedb_revoke(system, &text.grant, who, strlen(who));
	if (rc < 0)
		snprintf(words, CONTROL_RECORD_BYTES, "%s",
			 aedb_error_message());
	return rc;
}

int control_grant(struct control_grant_job *job)
{
	struct tree *live = forest_live(job->forest);
	struct aedb_caller *system;
	int rc = aedb_caller_open_system(tree_db(live), NULL, 0, &system);

	if (rc < 0)
		return rc;
	if (job->command->verb == VERB_GRANTS) {
		rc = lines_make(system, strcmp(job->command->name, "json") == 0,
				&job->lines);
	} else {
		tree_lock(live);
		rc = one_run(system, job->command, job->words);
		tree_unlock(live);
	}
	aedb_caller_close(system);
	return rc;
}
