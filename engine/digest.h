/*
 * SHA-256 of what comes in pieces: of much, by a thread of its own, while the
 * next piece is read.
 *
 * Calling sequence: digest_new; for each piece digest_room, fill it, digest_add;
 * digest_end; digest_free.
 * Threads: one at a time uses one. Errors: AEDB_NO_MEMORY.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_ROOM_BYTES (256u << 10)

struct digest;

/* bytes: so many will come, which decides how it is made only. */
int digest_new(uint64_t bytes, struct digest **ret);
/* Takes NULL. */
void digest_free(struct digest *digest);

/* Where the next piece goes, DIGEST_ROOM_BYTES. Waits for one to be free.
 * Borrowed, for reading also after digest_add, until the next call of this. */
void *digest_room(struct digest *digest);
/* The first n bytes of the last room, which stay as they are. */
void digest_add(struct digest *digest, size_t n);
/* Of all that was added. Nothing can be added afterwards. */
int digest_end(struct digest *digest, uint8_t ret[DIGEST_BYTES]);

#endif
