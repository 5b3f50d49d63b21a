/*
 * The engine compares attributes as bytes; whoever knows what they mean says
 * before a commit which of others' changes are none to the batch.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_settle.h"
#include "err.h"

#define SETTLED_MIN 16

static int settled_grow(struct aedb_batch *batch)
{
	size_t max = batch->settled_max ? batch->settled_max * 2 : SETTLED_MIN;
	struct aedb_settled *grown = realloc(batch->settled,
					     max * sizeof(*grown));

	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a batch");
	batch->settled = grown;
	batch->settled_max = max;
	return 0;
}

int aedb_batch_settle(struct aedb_batch *batch,
		      const struct aedb_settled *settled)
{
	int rc = batch->n_settled < batch->settled_max ? 0 :
							 settled_grow(batch);
	void *attr;

	if (rc < 0)
		return rc;
	attr = malloc(settled->attr_bytes + 1);
	if (!attr)
		return err_set(AEDB_NO_MEMORY, "no memory for a batch");
	if (settled->attr_bytes)
		memcpy(attr, settled->attr, settled->attr_bytes);
	batch->settled[batch->n_settled] = *settled;
	batch->settled[batch->n_settled++].attr = attr;
	return 0;
}

void batch_settled_clear(struct aedb_batch *batch)
{
	for (size_t i = 0; i < batch->n_settled; i++)
		free((void *)batch->settled[i].attr);
	free(batch->settled);
	batch->settled = NULL;
	batch->n_settled = batch->settled_max = 0;
}

static int settled_compare(const void *a, const void *b)
{
	const struct aedb_settled *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void batch_settled_sort(struct aedb_batch *batch)
{
	if (batch->n_settled)
		qsort(batch->settled, batch->n_settled,
		      sizeof(*batch->settled), settled_compare);
}

const struct aedb_settled *batch_settled_find(const struct aedb_batch *batch,
					      uint64_t id)
{
	struct aedb_settled sought = { .id = id };

	if (!batch->n_settled)
		return NULL;
	return bsearch(&sought, batch->settled, batch->n_settled,
		       sizeof(sought), settled_compare);
}
