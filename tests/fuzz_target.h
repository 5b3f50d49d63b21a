/*
 * What programs read that somebody else may have made, given bytes of any kind: a
 * test with random changes and a fuzzer call these.
 *
 * Threads: any. What must not be, whatever the bytes are, aborts.
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* The text of a backup.json: as it is, and with the SHA-256 it should end with. 1: it
 * was taken. */
int fuzz_manifest(const uint8_t *bytes, size_t n);
/* An archive, unpacked without a key and with one. 1: it was taken. */
int fuzz_archive(const uint8_t *bytes, size_t n);

/* The key of archives that can be read. */
#define FUZZ_KEY "a key of thirty-two bytes, no more"
#define FUZZ_KEY_BYTES 32

#endif
