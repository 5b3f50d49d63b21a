/* What a dump says is granted. */
#include "load_grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aedb_access.h"
#include "failure.h"

struct load_grant {
	struct load_grant *next;
	struct load_grant_place place;
	struct dump_line line;		/* what it points to is copied to bytes */
	uint8_t bytes[];
};

void load_grants_init(struct load_grants *grants)
{
	grants->first = NULL;
	grants->last = &grants->first;
}

void load_grants_release(struct load_grants *grants)
{
	struct load_grant *grant = grants->first, *next;

	for (; grant; grant = next) {
		next = grant->next;
		free(grant);
	}
	load_grants_init(grants);
}

static bool parse_right(const struct dump_line *line, enum aedb_right *ret)
{
	for (int i = 0; i < AEDB_RIGHTS; i++) {
		const char *name = aedb_right_name((enum aedb_right)i);

		*ret = (enum aedb_right)i;
		if (strlen(name) == line->name_bytes &&
		    !memcmp(name, line->name, line->name_bytes))
			return true;
	}
	return false;
}

static int make(struct aedb *db, const struct aedb_grant *grant,
		const struct dump_line *line)
{
	struct aedb_caller *system;
	int rc = aedb_caller_open_system(db, NULL, 0, &system);

	if (rc < 0)
		return rc;
	if (grant->right == AEDB_OWNER)
		rc = aedb_transfer_ownership(system, grant->place, line->value,
					     line->value_bytes);
	else
		rc = aedb_grant(system, grant, line->value, line->value_bytes);
	aedb_caller_close(system);
	return rc;
}

int load_grant_now(struct target *target, const struct load_grant_place *place,
		   const struct dump_line *line)
{
	struct aedb_grant grant = {
		.table_id = place->table_id,
		.prefix = line->prefix, .prefix_bytes = line->prefix_bytes,
	};
	int rc;

	if (*place->place.project)
		grant.place = target_place(&place->place);
	if (!parse_right(line, &grant.right))
		return failure_set(STATUS_DAMAGED, target->what,
				   "the dump grants \"%.*s\", which is no right",
				   (int)(line->name_bytes < 64 ?
					 line->name_bytes : 64),
				   (const char *)line->name);
	rc = make(target->db, &grant, line);
	return rc < 0 ? failure_engine(rc, "%s: grant of %s", target->what,
				       aedb_right_name(grant.right)) : 0;
}

/* Copies n bytes to *at, which goes behind them; gives where they are then. */
static const void *copy(uint8_t **at, const void *from, size_t n)
{
	void *to = *at;

	if (n)
		memcpy(to, from, n);
	*at += n;
	return to;
}

int load_grants_keep(struct load_grants *grants,
		     const struct load_grant_place *place,
		     const struct dump_line *line)
{
	struct load_grant *grant = malloc(sizeof(*grant) + line->name_bytes +
					  line->value_bytes + line->prefix_bytes);
	uint8_t *at;

	if (!grant)
		return failure_system(ENOMEM, "grants");
	*grant = (struct load_grant){ .place = *place, .line = *line };
	at = grant->bytes;
	grant->line.name = copy(&at, line->name, line->name_bytes);
	grant->line.value = copy(&at, line->value, line->value_bytes);
	grant->line.prefix = copy(&at, line->prefix, line->prefix_bytes);
	*grants->last = grant;
	grants->last = &grant->next;
	return 0;
}

int load_grants_make(const struct load_grants *grants, struct target *target,
		     uint64_t *commits)
{
	const struct load_grant *grant = grants->first;
	int rc = 0;

	for (; grant && rc == 0; grant = grant->next) {
		snprintf(target->what, sizeof(target->what), "%.200s: %s%s%s",
			 target->path, grant->place.place.project,
			 grant->place.place.has_scope ? "/" : "",
			 grant->place.place.has_scope ? grant->place.place.scope
						      : "");
		rc = load_grant_now(target, &grant->place, &grant->line);
		*commits += rc == 0;
	}
	return rc;
}
