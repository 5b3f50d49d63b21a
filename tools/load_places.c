/* The first reading of a dump. */
#include "load_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

void load_places_release(struct load_places *places)
{
	for (size_t i = 0; i < places->n; i++)
		free(places->at[i].attr);
	free(places->at);
	*places = (struct load_places){ 0 };
}

int load_next(struct load_input *input, struct dump_check *check,
	      struct dump_line *ret)
{
	const char *wrong;
	size_t n;
	char *text;
	int rc = load_input_line(input, &text, &n);

	if (rc < 0)
		return rc;
	wrong = rc ? dump_check_line(check, text, n, ret) : dump_check_end(check);
	if (wrong)
		return load_input_refuse(input, wrong);
	if (rc && check->is_ended)
		return load_next(input, check, ret);	/* nothing may follow */
	return rc;
}

/* Room for one more. NULL: no memory. */
static struct load_place *add(struct load_places *places)
{
	if (places->n == places->max) {
		size_t max = places->max ? 2 * places->max : 16;
		struct load_place *at = realloc(places->at, max * sizeof(*at));

		if (!at)
			return NULL;
		places->at = at;
		places->max = max;
	}
	places->at[places->n] = (struct load_place){ 0 };
	return &places->at[places->n];
}

static int add_place(struct load_places *places, const struct dump_check *check,
		     const struct dump_line *line)
{
	struct load_place *place = add(places);
	struct target_place *names;

	if (!place)
		return failure_system(ENOMEM, "dump");
	names = &place->place;
	names->has_scope = line->kind == DUMP_SCOPE;
	memcpy(names->project, check->project, sizeof(names->project));
	memcpy(names->scope, check->scope, sizeof(names->scope));
	place->mtime_ns = line->mtime_ns;
	if (line->attr && !names->has_scope) {
		place->attr = malloc(line->attr_bytes + 1);
		if (!place->attr)
			return failure_system(ENOMEM, "dump");
		memcpy(place->attr, line->attr, line->attr_bytes);
		place->attr_bytes = line->attr_bytes;
	}
	places->n++;
	return 0;
}

int load_places_read(struct load_input *input, struct load_places *ret)
{
	struct load_places places = { 0 };
	struct dump_check check;
	struct dump_line line;
	int rc;

	if (dump_check_init(&check) < 0)
		return failure_system(ENOMEM, "%s", input->name);
	while ((rc = load_next(input, &check, &line)) > 0) {
		if (line.kind != DUMP_PROJECT && line.kind != DUMP_SCOPE)
			continue;
		rc = add_place(&places, &check, &line);
		if (rc < 0)
			break;
	}
	places.keys = check.sum.keys;
	dump_sum_end(&check.sum, places.end);
	dump_check_release(&check);
	if (rc < 0)
		load_places_release(&places);
	else
		*ret = places;
	return rc;
}
