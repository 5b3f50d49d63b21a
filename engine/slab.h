/*
 * Memory for the memtable: blocks in one reserved address range, named by
 * 32-bit references.
 *
 * Calling sequence: slab_open, slab_alloc/slab_free with the same size,
 * slab_trim now and then, slab_close.
 * Threads: one at a time for everything but slab_at and slab_bytes, which any
 * thread may call. Errors: AEDB_NO_MEMORY.
 */
#ifndef SLAB_H
#define SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a block lies: its offset in the range, in units of 8 bytes. 0: none. */
typedef uint32_t ref_t;

/* Largest block that slab_alloc gives. */
#define SLAB_BLOCK_BYTES_MAX (64u << 20)

struct slab;

/* Reserves up to 32 GiB of addresses, less where that is refused; memory is
 * taken only as blocks are. Owned by the caller. */
int slab_open(struct slab **ret);
/* Gives every block back. Takes NULL. */
void slab_close(struct slab *s);

/* First byte of the range. Constant after open. */
char *slab_base(const struct slab *s);

/* A block of at least `bytes` (1..SLAB_BLOCK_BYTES_MAX), aligned to 8, content
 * undefined; 0 when the range or the system's memory is used up. */
ref_t slab_alloc(struct slab *s, size_t bytes);
/* Gives a block back; `bytes` is what was asked for. */
void slab_free(struct slab *s, ref_t ref, size_t bytes);

/* Makes `bytes` more allocatable without asking the system. AEDB_NO_MEMORY. */
int slab_reserve(struct slab *s, size_t bytes);
/* Returns free pages to the system when there are many, some blocks of them at
 * a time. True: there are more to return. */
bool slab_trim(struct slab *s);
/* Bytes of memory held: touched pages, free ones included, and what describes
 * them. */
size_t slab_bytes(const struct slab *s);

static inline void *slab_at(char *base, ref_t ref)
{
	return base + (size_t)ref * 8;
}

#endif
