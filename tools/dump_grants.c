/*
 * What is granted, as lines.
 *
 * Invariant: within a place grants are ordered by what they are, not by ids or time,
 * so that the same ones are the same lines in every database.
 */
#include "dump_grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "failure.h"
#include "mount_control.h"

struct dump_grant {
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	uint64_t table_id;	/* 0: of no one table */
	enum aedb_right right;
	struct aedb_bytes prefix, to;	/* owned: one piece of memory, prefix.at */
};

void dump_grants_release(struct dump_grants *grants)
{
	for (size_t i = 0; i < grants->n; i++)
		free((void *)grants->at[i].prefix.at);
	free(grants->at);
	*grants = (struct dump_grants){ 0 };
}

/* Room for one more. NULL: no memory. */
static struct dump_grant *add(struct dump_grants *grants)
{
	if (grants->n == grants->max) {
		size_t max = grants->max ? 2 * grants->max : 16;
		struct dump_grant *at = realloc(grants->at, max * sizeof(*at));

		if (!at)
			return NULL;
		grants->at = at;
		grants->max = max;
	}
	return &grants->at[grants->n];
}

/* Copies what it has; the prefix and whom it is to are borrowed before. */
static int keep(struct dump_grants *grants, const struct dump_grant *from)
{
	struct dump_grant *grant = add(grants);
	char *bytes = malloc(from->prefix.n + from->to.n + 1);

	if (!grant || !bytes) {
		free(bytes);
		return failure_system(ENOMEM, "grants");
	}
	*grant = *from;
	if (from->prefix.n)
		memcpy(bytes, from->prefix.at, from->prefix.n);
	memcpy(bytes + from->prefix.n, from->to.at, from->to.n);
	grant->prefix.at = bytes;
	grant->to.at = bytes + from->prefix.n;
	grants->n++;
	return 0;
}

static int compare_bytes(struct aedb_bytes a, struct aedb_bytes b)
{
	int order = memcmp(a.at, b.at, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_places(const struct dump_grant *a, const struct dump_grant *b)
{
	int order = strcmp(a->project, b->project);

	if (order == 0)
		order = strcmp(a->scope, b->scope);
	return order ? order : (a->table_id > b->table_id) -
			       (a->table_id < b->table_id);
}

static int compare(const void *left, const void *right)
{
	const struct dump_grant *a = left, *b = right;
	int order = compare_places(a, b);

	if (order == 0)
		order = (a->right > b->right) - (a->right < b->right);
	if (order == 0)
		order = compare_bytes(a->prefix, b->prefix);
	return order ? order : compare_bytes(a->to, b->to);
}

static int sort(struct dump_grants *grants, int rc)
{
	if (rc == 0 && grants->n)
		qsort(grants->at, grants->n, sizeof(*grants->at), compare);
	return rc;
}

/* Of a database. */

static int keep_granted(struct dump_grants *grants,
			const struct aedb_granted *granted)
{
	struct dump_grant from = {
		.table_id = granted->grant.table_id,
		.right = granted->grant.right,
		.prefix = { granted->grant.prefix, granted->grant.prefix_bytes },
		.to = { granted->caller, granted->caller_bytes },
	};
	struct aedb_place place = granted->grant.place;

	snprintf(from.project, sizeof(from.project), "%s",
		 place.project ? place.project : "");
	snprintf(from.scope, sizeof(from.scope), "%s",
		 place.scope ? place.scope : "");
	return keep(grants, &from);
}

static int read_all(struct aedb_caller *system, const char *path,
		    struct dump_grants *grants)
{
	struct aedb_granted *granted = calloc(1, sizeof(*granted));
	int rc = granted ? 0 : failure_system(ENOMEM, "%s", path);

	while (rc == 0 && (rc = aedb_grants_next(system, granted)) == 0) {
		rc = keep_granted(grants, granted);
		if (rc < 0) {
			free(granted);
			return rc;
		}
	}
	free(granted);
	if (rc == AEDB_NOT_FOUND)
		return 0;
	return granted ? failure_engine(rc, "%s: grants", path) : rc;
}

int dump_grants_read(struct aedb *db, const char *path, struct dump_grants *ret)
{
	struct aedb_caller *system;
	int rc = aedb_caller_open_system(db, NULL, 0, &system);

	if (rc < 0)
		return failure_engine(rc, "%s", path);
	rc = read_all(system, path, ret);
	aedb_caller_close(system);
	return sort(ret, rc);
}

/* Of a mount: the lines of JSON that its control file answers. */

/* The bytes of a member, or of one that is base64, which is decoded to `room`. */
static bool take(const json_t *object, const char *name, const char *coded,
		 char *room, struct aedb_bytes *ret)
{
	const json_t *text = json_object_get(object, name);
	const json_t *base64 = json_object_get(object, coded);

	*ret = (struct aedb_bytes){ json_string_value(text),
				    json_string_length(text) };
	if (!base64)
		return true;
	ret->at = room;
	return json_string_length(base64) < DUMP_NAME_BYTES_MAX &&
	       base64_decode(json_string_value(base64),
			     json_string_length(base64), room, &ret->n);
}

static bool take_right(const json_t *object, enum aedb_right *ret)
{
	const char *name = json_string_value(json_object_get(object, "right"));

	for (int i = 0; name && i < AEDB_RIGHTS; i++) {
		*ret = (enum aedb_right)i;
		if (!strcmp(aedb_right_name(*ret), name))
			return true;
	}
	return false;
}

static int keep_json(struct dump_grants *grants, const json_t *object)
{
	const char *project = json_string_value(json_object_get(object, "project"));
	const char *scope = json_string_value(json_object_get(object, "scope"));
	char prefix[DUMP_NAME_BYTES_MAX], to[DUMP_NAME_BYTES_MAX];
	struct dump_grant from = { 0 };

	snprintf(from.project, sizeof(from.project), "%s", project ? project : "");
	snprintf(from.scope, sizeof(from.scope), "%s", scope ? scope : "");
	from.table_id = (uint64_t)json_integer_value(
		json_object_get(object, "table_id"));
	if (!take_right(object, &from.right) ||
	    !take(object, "prefix", "prefix_base64", prefix, &from.prefix) ||
	    !take(object, "to", "to_base64", to, &from.to) || !from.to.n)
		return failure_set(STATUS_FAILED, "grants",
				   "the mount says what is not known");
	return keep(grants, &from);
}

static int read_lines(FILE *in, struct dump_grants *grants)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = getline(&line, &room, in)) > 0) {
		json_t *object = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);

		rc = keep_json(grants, object);
		json_decref(object);
	}
	free(line);
	return rc;
}

int dump_grants_read_mount(const char *path, struct dump_grants *ret)
{
	char *answer;
	size_t n;
	FILE *in;
	int rc = mount_control_ask(path, "grants json", &answer, &n);

	if (rc < 0 || n == 0) {
		free(answer);
		return rc;
	}
	in = fmemopen(answer, n, "r");
	rc = in ? read_lines(in, ret) : failure_system(ENOMEM, "%s", path);
	if (in)
		fclose(in);
	free(answer);
	return sort(ret, rc);
}

/* Lines. */

/* The first that is not before these of a place. */
static size_t find(const struct dump_grants *grants,
		   const struct dump_grant *sought)
{
	size_t low = 0, high = grants->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_places(&grants->at[middle], sought) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int dump_grants_put(const struct dump_grants *grants, struct aedb_place place,
		    uint64_t table_id, struct dump_output *output)
{
	struct dump_grant sought = { .table_id = table_id };
	int rc = 0;

	snprintf(sought.project, sizeof(sought.project), "%s",
		 place.project ? place.project : "");
	snprintf(sought.scope, sizeof(sought.scope), "%s",
		 place.scope ? place.scope : "");
	for (size_t i = find(grants, &sought);
	     rc == 0 && i < grants->n &&
	     compare_places(&grants->at[i], &sought) == 0; i++) {
		const struct dump_grant *grant = &grants->at[i];
		const char *name = aedb_right_name(grant->right);
		struct dump_line line = {
			.kind = DUMP_GRANT,
			.name = name, .name_bytes = strlen(name),
			.prefix = grant->prefix.at,
			.prefix_bytes = grant->prefix.n,
			.value = grant->to.at, .value_bytes = grant->to.n,
		};

		rc = dump_output_line(output, &line);
	}
	return rc;
}
