/*
 * Whole values in the cache, found by the file and offset of their root or page.
 */
#include "value_cache.h"

#include "err.h"
#include "value_reader.h"

bool value_cache_takes(const struct values *values, const struct value_ref *ref)
{
	struct cache *cache = values_cache(values);

	return cache && ref->bytes && ref->bytes <= SIZE_MAX &&
	       cache_keeps(cache, (size_t)ref->bytes);
}

static int read_all(struct values *values, const struct value_ref *ref,
		    void *ret)
{
	const struct value_source source = { .ref = ref };
	struct value_reader *reader;
	size_t got;
	int rc = value_reader_open(values, &source, &reader);

	if (rc < 0)
		return rc;
	rc = value_reader_read(reader, ret, (size_t)ref->bytes, 0, &got);
	value_reader_close(reader);
	return rc;
}

int value_cache_get(struct values *values, const struct value_ref *ref,
		    const void **ret)
{
	struct cache_key key = values_cache_key(&ref->root);
	size_t n;
	const void *cached;
	void *bytes;

	if (ref->is_page)
		return values_get_page(values, ref, ret);
	cached = cache_get(values_cache(values), key, &n);
	if (cached && n == ref->bytes) {
		*ret = cached;
		return 0;
	}
	bytes = cache_alloc((size_t)ref->bytes);
	if (!bytes)
		return err_set(AEDB_NO_MEMORY,
			       "no memory for a value of %llu bytes",
			       (unsigned long long)ref->bytes);
	int rc = read_all(values, ref, bytes);

	if (rc < 0) {
		cache_free(bytes);
		return rc;
	}
	*ret = cache_put(values_cache(values), key, bytes, (size_t)ref->bytes);
	return 0;
}
