/* A key that is looked for in a key space. */
#ifndef SPACE_SOUGHT_H
#define SPACE_SOUGHT_H

#include <stddef.h>

#include "entry.h"

struct space_sought {
	const void *key;
	size_t key_bytes;
	enum entry_wanted wanted;
	uint64_t absent;	/* a stamp of levels that lack the key, or 0 */
};

#endif
