/*
 * Archives: any files, say a backup's, as one stream of bytes, compressed and,
 * with a key, encrypted.
 *
 *	struct aedb_archive_options o;
 *	aedb_archive_options_init(&o);
 *	o.key = key; o.key_bytes = 32;
 *	aedb_archive_pack("backups/monday", fd, &o, &info);
 *	aedb_archive_unpack(fd, "empty", &o, &info);
 *
 * Streams are read and written from where they are, once and in order: pipes
 * will do. Writing to a pipe that nobody reads raises SIGPIPE as ever.
 *
 * With a key nothing can be read without it, and nothing changed, left out,
 * moved, repeated or taken from another archive. Without one damage is found,
 * but nobody is kept from making an archive that is taken for a good one.
 *
 * Threads: any; the functions of the options are called by one thread at a time,
 * which need not be the caller's. Errors: 0 or a negative enum aedb_error;
 * AEDB_CANCELED if one of those functions did not return 0.
 */
#ifndef AEDB_ARCHIVE_H
#define AEDB_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aedb_transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AEDB_ARCHIVE_KEY_MIN 16
#define AEDB_ARCHIVE_KEY_MAX 64
#define AEDB_ARCHIVE_PATH_MAX 4096
#define AEDB_ARCHIVE_ENTRIES_MAX (1u << 20)	/* names of directories count */
#define AEDB_ARCHIVE_SHA256_BYTES 32

/* Borrowed until the function that gets it returns. */
struct aedb_archive_entry {
	const char *path;	/* relative, of the shape a/b/c */
	bool is_directory;	/* an empty one; others are in their files' paths */
	uint64_t bytes;
	uint8_t sha256[AEDB_ARCHIVE_SHA256_BYTES];	/* of the content */
};

struct aedb_archive_options {
	const void *key;	/* NULL: not encrypted; borrowed */
	size_t key_bytes;	/* AEDB_ARCHIVE_KEY_MIN.._MAX */
	unsigned threads;	/* the caller's is one; 0: one for each processor */
	/* Of packing. The files, in their order; NULL: all files and empty
	 * directories, sorted by name, but for one that comes last. Borrowed. */
	const char *const *paths;
	size_t n_paths;
	const char *last;	/* NULL: none */
	/* Waiting for the stream ends with AEDB_CANCELED when there is something to
	 * be read from this; NULL: none. */
	const int *cancel_fd;
	/* Of unpacking. */
	const char *only;	/* the one file that is written; the others are
				 * verified only. NULL: all */
	bool may_be_plain;	/* an archive that is not encrypted is taken as if
				 * there were no key */
	/* Each entry, in the archive's order, when all of it is written (packing)
	 * or verified and at its place (unpacking). NULL: not asked for; then of
	 * what is encrypted no SHA-256 is made, which takes longer than all
	 * else. */
	int (*entry)(void *arg, const struct aedb_archive_entry *entry);
	int (*progress)(void *arg, const struct aedb_transfer *progress);
	void *arg;		/* for both */
};

/* Defaults: no key, a thread for each processor. */
void aedb_archive_options_init(struct aedb_archive_options *ret);

struct aedb_archive_info {
	uint64_t entries;
	uint64_t bytes;		/* of their contents */
	uint64_t archive_bytes;	/* of the stream */
	bool is_encrypted;
};

/*
 * Writes files of a directory. Symbolic links and what is no regular file are
 * refused, as is a file that gets shorter meanwhile; of one that grows what it
 * had at the beginning is taken. After a failure what was written is no archive.
 * AEDB_INVALID (key, path), AEDB_NAME_TOO_LONG, AEDB_TOO_LARGE (too many
 * entries), AEDB_NOT_FOUND, AEDB_CORRUPT (shorter), AEDB_IO, AEDB_NO_SPACE.
 */
int aedb_archive_pack(const char *directory, int fd,
		      const struct aedb_archive_options *options,
		      struct aedb_archive_info *ret);

/*
 * Reads a stream up to its end and puts the files into a directory, which has to
 * be empty. Every byte is verified before it is written; nothing is synced.
 * After a failure the directory has what came before. AEDB_CORRUPT (naming entry
 * and reason), AEDB_ACCESS (wrong key, or none for an encrypted archive),
 * AEDB_INVALID (a key for an archive that is not encrypted, so that it proves
 * nothing), AEDB_TOO_LARGE (too many names), AEDB_NEWER_FORMAT, AEDB_NOT_EMPTY,
 * AEDB_IO, AEDB_NO_SPACE.
 */
int aedb_archive_unpack(int fd, const char *directory,
			const struct aedb_archive_options *options,
			struct aedb_archive_info *ret);

/* The same without a directory: nothing is written. */
int aedb_archive_verify(int fd, const struct aedb_archive_options *options,
			struct aedb_archive_info *ret);

#ifdef __cplusplus
}
#endif

#endif
