/*
 * Memory that was freed goes back to the system: what many files held that were
 * written at once would otherwise stay with the daemon, in pieces between what
 * is still used.
 */
#include <malloc.h>

#include "ll_handlers.h"

/* It is looked at after so many files were closed, */
#define RELEASES 128
/* and worth the work when so much was freed since the last time. */
#define FREED_BYTES_MIN ((size_t)8 << 20)

void ll_heap_note_release(void)
{
	static unsigned releases;	/* these two are the receiver's alone */
	static size_t given_bytes;	/* free, and the system's already */
	size_t free_bytes;

	if (++releases % RELEASES)
		return;
	free_bytes = mallinfo2().fordblks;
	if (free_bytes < given_bytes)
		given_bytes = free_bytes;
	if (free_bytes - given_bytes < FREED_BYTES_MIN)
		return;
	malloc_trim(0);
	given_bytes = mallinfo2().fordblks;
}
