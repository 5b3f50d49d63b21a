/*
 * The stream of an archive: a descriptor that is read or written once, in order.
 *
 * Threads: one at a time. Errors: AEDB_IO and what the system says; AEDB_CORRUPT
 * when the stream ends early; AEDB_CANCELED.
 */
#ifndef ARCHIVE_STREAM_H
#define ARCHIVE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define ARCHIVE_PIECES_MAX 3
/* At once, of files, too. For larger writes the page cache takes pages of
 * megabytes, and those come from memory that nobody has used for long: a virtual
 * machine has to get it first, which can take ten times as long as the write. */
#define ARCHIVE_WRITE_BYTES (128u << 10)

struct archive_stream {
	int fd;			/* the caller's */
	int cancel_fd;		/* ends it when there is something; -1 */
	uint64_t bytes;		/* that went through */
	bool is_file;		/* nobody has to take what is written */
	bool has_no_nowait;	/* the system has no writes that do not wait */
};

/* Makes a pipe's room larger, if it is one. */
void archive_stream_init(struct archive_stream *stream, int fd);
/* Up to ARCHIVE_PIECES_MAX pieces, together not empty. Changes `iov`. */
int archive_stream_write(struct archive_stream *stream, struct iovec *iov,
			 int n);
int archive_stream_read(struct archive_stream *stream, void *bytes, size_t n);
/* Fails unless nothing more comes. */
int archive_stream_read_end(struct archive_stream *stream);

#endif
