/*
 * Half for memtables, so that a new one can fill while the one before is written,
 * three quarters of it at most for those of batches, which cannot be written; a
 * quarter for the cache; an eighth for values being written; the rest for what
 * describes segments and files.
 */
#include "budget.h"
#include "segment_writer.h"

#define CACHE_PAGES_MIN 8	/* that the cache takes at least */

static size_t page_bytes_of(size_t cache_bytes)
{
	size_t bytes = SEGMENT_PAGE_BYTES;

	while (bytes > SEGMENT_PAGE_BYTES_MIN &&
	       bytes * CACHE_PAGES_MIN > cache_bytes)
		bytes /= 2;
	return bytes;
}

struct budget budget_of(const struct aedb_options *options)
{
	uint64_t all = options->memory_bytes;
	struct budget budget = {
		.memtable_bytes = all / 16 * 5,
		.memtables_bytes_max = all / 2,
		.batches_bytes_max = all / 8 * 3,
		.cache_bytes = options->cache_bytes ? options->cache_bytes :
						      all / 4,
		.staged_bytes = all / 8,
	};

	budget.page_bytes = page_bytes_of(budget.cache_bytes);
	return budget;
}
