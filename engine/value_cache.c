/*
 * Whole values in the cache, found by the file and offset of their root or page.
 */
#include "value_cache.h"

#include <string.h>

#include "err.h"
#include "value_reader.h"

const void *value_cache_find(struct values *values, const struct value_ref *ref)
{
	struct cache *cache = values_cache(values);
	const void *cached;
	size_t n;

	if (!cache)
		return NULL;
	cached = cache_get(cache, values_cache_key(&ref->root), &n);
	return cached && n == ref->bytes ? cached : NULL;
}

bool value_cache_wants(struct values *values, const struct value_ref *ref)
{
	struct cache *cache = values_cache(values);

	return cache && ref->bytes &&
	       cache_wants(cache, values_cache_key(&ref->root),
			   (size_t)ref->bytes);
}

int value_cache_read_past(struct values *values, const struct value_ref *ref,
			  void *ret)
{
	const struct value_source source = { .ref = ref };
	struct value_reader *reader;
	size_t got;
	int rc;

	if (ref->is_page)
		return values_load_page(values, ref, ret);
	rc = value_reader_open(values, &source, &reader);
	if (rc < 0)
		return rc;
	rc = value_reader_read(reader, ret, (size_t)ref->bytes, 0, &got);
	value_reader_close(reader);
	return rc;
}

int value_cache_load(struct values *values, const struct value_ref *ref,
		     const void **ret)
{
	void *bytes = cache_alloc((size_t)ref->bytes);
	int rc;

	if (!bytes)
		return err_set(AEDB_NO_MEMORY,
			       "no memory for a value of %llu bytes",
			       (unsigned long long)ref->bytes);
	rc = value_cache_read_past(values, ref, bytes);
	if (rc < 0)
		cache_free(bytes);
	else
		*ret = cache_put(values_cache(values),
				 values_cache_key(&ref->root), bytes,
				 (size_t)ref->bytes);
	return rc;
}

/* Without memory it is not there. */
static void put_copy(struct values *values, const struct value_ref *ref,
		     const void *bytes)
{
	void *copy = cache_alloc((size_t)ref->bytes);

	if (!copy)
		return;
	memcpy(copy, bytes, (size_t)ref->bytes);
	epoch_enter(values_epoch(values));
	cache_put(values_cache(values), values_cache_key(&ref->root), copy,
		  (size_t)ref->bytes);
	epoch_leave(values_epoch(values));
}

/* Copies what the cache has. Otherwise *ret_is_wanted says whether to put it
 * there. */
static bool copy_cached(struct values *values, const struct value_ref *ref,
			void *ret, bool *ret_is_wanted)
{
	const void *cached;

	epoch_enter(values_epoch(values));
	cached = value_cache_find(values, ref);
	if (cached)
		memcpy(ret, cached, ref->bytes);
	else
		*ret_is_wanted = value_cache_wants(values, ref);
	epoch_leave(values_epoch(values));
	return cached;
}

int value_cache_read_page(struct values *values, const struct value_ref *ref,
			  void *ret)
{
	bool is_wanted = false;
	int rc;

	if (values_cache(values) && copy_cached(values, ref, ret, &is_wanted))
		return 0;
	rc = values_load_page(values, ref, ret);
	if (rc == 0 && is_wanted)
		put_copy(values, ref, ret);
	return rc;
}
