/* Keys put together from pieces at random. */
#ifndef RANDOM_KEY_H
#define RANDOM_KEY_H

#include "check.h"
#include "path.h"

struct key {
	size_t n;
	uint8_t bytes[PATH_KEY_BYTES_MAX];
};

static inline size_t below(size_t n)
{
	return check_random() % n;
}

/* Does nothing if there is no room. */
static inline void key_add(struct key *key, const void *bytes, size_t n)
{
	if (key->n + n > sizeof(key->bytes))
		return;
	memcpy(key->bytes + key->n, bytes, n);
	key->n += n;
}

#endif
