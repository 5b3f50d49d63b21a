/* What of a database is dumped. */
#include "dump_source.h"

#include <errno.h>
#include <string.h>

#include "failure.h"

bool dump_source_wants(const struct dump_source *source, const char *project,
		       const char *scope)
{
	for (size_t i = 0; i < source->n_places; i++) {
		const struct target_place *place = &source->places[i];

		if (!strcmp(place->project, project) &&
		    (!scope || !place->has_scope || !strcmp(place->scope, scope)))
			return true;
	}
	return source->n_places == 0;
}

bool dump_source_has_grants(const struct dump_source *source)
{
	return !source->has_no_grants && !source->is_comparable &&
	       !source->snapshot;
}

static json_t *place_names(const struct dump_source *source)
{
	json_t *names = json_array();

	for (size_t i = 0; i < source->n_places; i++) {
		const struct target_place *place = &source->places[i];

		json_array_append_new(names, json_sprintf(
			"%s%s%s", place->project, place->has_scope ? "/" : "",
			place->has_scope ? place->scope : ""));
	}
	return names;
}

json_t *dump_source_head(const struct dump_source *source, aedb_seq_t seq)
{
	json_t *head = json_pack("{s:i, s:s}", "aedb_dump", DUMP_FORMAT,
				 "program", "aedb " AEDB_VERSION);

	if (!source->is_comparable) {
		if (seq)
			json_object_set_new(head, "seq",
					    json_integer((json_int_t)seq));
		if (source->snapshot)
			json_object_set_new(head, "snapshot",
					    json_string(source->snapshot));
	}
	if (source->n_places)
		json_object_set_new(head, "places", place_names(source));
	return head;
}

struct dump_line dump_source_line(enum dump_kind kind,
				  const struct aedb_entry *entry)
{
	return (struct dump_line){
		.kind = kind,
		.name = entry->key, .name_bytes = entry->key_bytes,
		.mtime_ns = entry->mtime_ns,
		.attr = entry->attr_bytes ? entry->attr : NULL,
		.attr_bytes = entry->attr_bytes,
		.bytes = kind >= DUMP_DIRECTORY ? entry->value_bytes : 0,
	};
}

int dump_source_put(const struct dump_source *source, struct dump_line *line,
		    struct dump_output *output)
{
	struct attr_blob made = { 0 };
	int rc = 0;

	if (source->is_comparable && dump_attr_drop_atime(line, &made) < 0)
		return failure_system(ENOMEM, "dump");
	/* in a mount a snapshot's is when it was taken */
	if (source->is_comparable && line->kind == DUMP_DATABASE)
		line->mtime_ns = AEDB_MTIME_NONE;
	rc = dump_output_line(output, line);
	attr_blob_release(&made);
	return rc;
}
