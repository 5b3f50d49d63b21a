/*
 * A list in the order in which things were given up.
 */
#include <stdlib.h>

#include "deferred.h"
#include "levels.h"
#include "memtable.h"
#include "segment.h"

struct deferred_thing {
	struct deferred_thing *next;
	uint64_t stamp;
	struct deferred_object object;
};

void deferred_init(struct deferred *d, struct epoch *epoch)
{
	d->epoch = epoch;
	d->first = NULL;
	d->end = &d->first;
}

static void object_free(const struct deferred_object *object)
{
	memtable_close(object->memtable);
	levels_free(object->levels);
	segment_close(object->segment);
}

void deferred_add(struct deferred *d, struct deferred_object object)
{
	struct deferred_thing *thing = malloc(sizeof(*thing));

	if (!thing)
		return;
	thing->next = NULL;
	thing->stamp = epoch_stamp();
	thing->object = object;
	*d->end = thing;
	d->end = &thing->next;
}

static void first_free(struct deferred *d)
{
	struct deferred_thing *thing = d->first;

	d->first = thing->next;
	if (!d->first)
		d->end = &d->first;
	object_free(&thing->object);
	free(thing);
}

void deferred_free(struct deferred *d)
{
	uint64_t oldest = d->first ? epoch_oldest(d->epoch) : 0;

	while (d->first && d->first->stamp < oldest)
		first_free(d);
}

void deferred_release(struct deferred *d)
{
	while (d->first)
		first_free(d);
}

size_t deferred_bytes(const struct deferred *d)
{
	size_t bytes = 0;

	for (const struct deferred_thing *t = d->first; t; t = t->next)
		if (t->object.memtable)
			bytes += memtable_bytes(t->object.memtable);
	return bytes;
}
