/*
 * CRC32C (Castagnoli).
 *
 * Threads: any. Errors: none.
 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `data` after bytes whose checksum is `crc` (0: none before):
 * crc32c(crc32c(0, a), b) is the checksum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

/* The same from tables only, to check the fast one against. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t n);

#endif
