/* Grants as words and as JSON. */
#include "grant_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static int right_parse(const char *text, enum aedb_right *ret, char *reason)
{
	for (int i = 0; i < AEDB_RIGHTS; i++)
		if (strcmp(aedb_right_name((enum aedb_right)i), text) == 0) {
			*ret = (enum aedb_right)i;
			return 0;
		}
	snprintf(reason, GRANT_TEXT_REASON_BYTES, "\"%.64s\" is no right", text);
	return -EINVAL;
}

/* The text up to a slash or its end; *ret is what follows the slash, NULL: there is
 * none. */
static int name_take(const char *text, char name[AEDB_NAME_BYTES_MAX + 1],
		     const char **ret, char *reason)
{
	size_t n = strcspn(text, "/");

	if (n > AEDB_NAME_BYTES_MAX) {
		snprintf(reason, GRANT_TEXT_REASON_BYTES,
			 "a name has %d bytes at most", AEDB_NAME_BYTES_MAX);
		return -EINVAL;
	}
	memcpy(name, text, n);
	name[n] = '\0';
	*ret = text[n] ? text + n + 1 : NULL;
	return 0;
}

int grant_text_parse(const char *right, const char *where,
		     struct grant_text *ret,
		     char reason[GRANT_TEXT_REASON_BYTES])
{
	const char *rest = where;
	int rc;

	*ret = (struct grant_text){ .project = "" };
	rc = right_parse(right, &ret->grant.right, reason);
	if (rc < 0 || strcmp(where, "/") == 0)
		return rc;
	rc = name_take(where, ret->project, &rest, reason);
	if (rc == 0 && rest)
		rc = name_take(rest, ret->scope, &rest, reason);
	if (rc < 0)
		return rc;
	ret->grant.place.project = ret->project;
	ret->grant.place.scope = *ret->scope ? ret->scope : NULL;
	if (rest) {
		ret->grant.prefix = rest;
		ret->grant.prefix_bytes = strlen(rest);
	}
	return 0;
}

/* Owned. */
static char *where_make(const struct aedb_grant *grant, size_t *ret_n)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_n);

	if (!out)
		return NULL;
	fputs(grant->place.project ? grant->place.project : "/", out);
	if (grant->place.scope || grant->prefix_bytes)
		fprintf(out, "/%s", grant->place.scope ? grant->place.scope : "");
	if (grant->prefix_bytes) {
		fputc('/', out);
		fwrite(grant->prefix, 1, grant->prefix_bytes, out);
	}
	return fclose(out) == 0 ? text : NULL;
}

void grant_text_write(FILE *out, const struct aedb_granted *granted)
{
	size_t n;
	char *where = where_make(&granted->grant, &n);

	fprintf(out, "%s ", aedb_right_name(granted->grant.right));
	if (where)
		text_write(out, where, n);
	free(where);
	if (granted->grant.table_id)
		fprintf(out, " table %llu",
			(unsigned long long)granted->grant.table_id);
	fputs(" to ", out);
	text_write(out, granted->caller, granted->caller_bytes);
	fputc('\n', out);
}

static int members_add(json_t *object, const struct aedb_granted *granted)
{
	const struct aedb_grant *grant = &granted->grant;
	int rc = json_object_set_new(object, "right",
				     json_string(aedb_right_name(grant->right)));

	if (rc == 0 && grant->place.project)
		rc = json_object_set_new(object, "project",
					 json_string(grant->place.project));
	if (rc == 0 && grant->place.scope)
		rc = json_object_set_new(object, "scope",
					 json_string(grant->place.scope));
	if (rc == 0 && grant->prefix_bytes)
		rc = json_add_bytes(object, "prefix", grant->prefix,
				    grant->prefix_bytes);
	if (rc == 0 && grant->table_id)
		rc = json_add_number(object, "table_id", grant->table_id);
	if (rc == 0)
		rc = json_add_bytes(object, "to", granted->caller,
				    granted->caller_bytes);
	if (rc == 0 && granted->granted_by_bytes)
		rc = json_add_bytes(object, "by", granted->granted_by,
				    granted->granted_by_bytes);
	return rc == 0 ? json_add_time(object, "time", granted->time_ns) : rc;
}

json_t *grant_text_json(const struct aedb_granted *granted)
{
	json_t *object = json_object();

	if (object && members_add(object, granted) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
