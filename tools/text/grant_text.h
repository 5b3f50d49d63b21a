/*
 * Grants in words: "RIGHT WHERE to WHO".
 *
 * RIGHT is a name of aedb_right_name. WHERE is "/" for the database, PROJECT,
 * PROJECT/SCOPE, or PROJECT/SCOPE/PREFIX for the keys of a scope that begin so;
 * PROJECT//PREFIX for those of every scope of a project.
 *
 * Threads: any. Errors: -EINVAL with a reason.
 */
#ifndef GRANT_TEXT_H
#define GRANT_TEXT_H

#include "aedb_access.h"
#include "json.h"

#define GRANT_TEXT_REASON_BYTES 160

/* Not to be copied: the grant leads into it, and to where it was parsed from. */
struct grant_text {
	struct aedb_grant grant;
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
};

/* Whether names are right the database says. */
int grant_text_parse(const char *right, const char *where,
		     struct grant_text *ret,
		     char reason[GRANT_TEXT_REASON_BYTES]);
/* "RIGHT WHERE to WHO", and a newline; WHERE and WHO quoted as git quotes where
 * needed. */
void grant_text_write(FILE *out, const struct aedb_granted *granted);
/* right, project, scope, prefix, table_id, to, by, time; what is not so is absent.
 * Owned; NULL: no memory. */
json_t *grant_text_json(const struct aedb_granted *granted);

#endif
