/* A change of the feed as a JSON object. */
#include "feed_json.h"

#include <stdio.h>

static const char *const op_names[] = {
	[AEDB_FEED_PUT] = "put",
	[AEDB_FEED_DELETE] = "delete",
	[AEDB_FEED_ATTR] = "attr",
	[AEDB_FEED_MOVE] = "move",
	[AEDB_FEED_EXCHANGE] = "exchange",
	[AEDB_FEED_TOUCH] = "touch",
	[AEDB_FEED_CREATE] = "create",
	[AEDB_FEED_DROP] = "drop",
	[AEDB_FEED_RENAME] = "rename",
};

static int add_member(json_t *object, const char *prefix, const char *name,
		      json_t *value)
{
	char full[32];

	snprintf(full, sizeof(full), "%s%s", prefix, name);
	return json_object_set_new(object, full, value);
}

/* One of the two places that a change is about. */
static int add_place(json_t *object, const char *prefix,
		     const struct aedb_place *place, const char *table,
		     const struct aedb_feed_key *key, enum aedb_change_of of)
{
	char name[32];
	int rc = 0;

	if (place->project)
		rc = add_member(object, prefix, "project",
				json_string(place->project));
	else if (key->bytes)
		rc = add_member(object, prefix, "scope_id",
				json_integer((json_int_t)key->scope_id));
	if (rc == 0 && place->scope)
		rc = add_member(object, prefix, "scope",
				json_string(place->scope));
	if (rc == 0 && table)
		rc = add_member(object, prefix, "table", json_string(table));
	if (rc < 0 || !key->bytes || of == AEDB_OF_TABLE)
		return rc;
	snprintf(name, sizeof(name), "%s%s", prefix,
		 of == AEDB_OF_ROW ? "row" :
		 key->is_directory ? "directory" : "key");
	return json_add_bytes(object, name, key->bytes, key->n);
}

static bool has_second(const struct aedb_feed_change *change)
{
	return change->kind == AEDB_FEED_MOVE ||
	       change->kind == AEDB_FEED_EXCHANGE ||
	       change->kind == AEDB_FEED_RENAME;
}

json_t *feed_json(const struct aedb_feed_change *change)
{
	json_t *object = json_object();
	int rc = json_add_number(object, "seq", change->seq);

	if (rc == 0)
		rc = json_add_number(object, "commit", change->commit);
	if (rc == 0)
		rc = json_add_time(object, "time", change->time_ns);
	if (rc == 0)
		rc = json_object_set_new(object, "op",
					 json_string(op_names[change->kind]));
	if (rc == 0)
		rc = add_place(object, "", &change->place, change->table,
			       &change->key, change->of);
	if (rc == 0 && has_second(change))
		rc = add_place(object, "to_", &change->to_place,
			       change->to_table, &change->to_key, change->of);
	if (rc == 0 && change->kind == AEDB_FEED_PUT)
		rc = json_add_number(object, "value_bytes",
				     change->value_bytes);
	if (rc < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
