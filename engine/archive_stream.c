/*
 * Whole reads and writes of a descriptor.
 *
 * Invariant: 1. What is short or interrupted is continued.
 */
#include "archive_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "err.h"

#define PIPE_BYTES (1 << 20)

void archive_stream_init(struct archive_stream *stream, int fd)
{
	*stream = (struct archive_stream){ .fd = fd, .cancel_fd = -1 };
	fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

/* As much of the front as is written at once; returns its pieces. */
static int front_of(const struct iovec *iov, int n,
		    struct iovec ret[ARCHIVE_PIECES_MAX])
{
	size_t left = ARCHIVE_WRITE_BYTES;
	int pieces = 0;

	while (pieces < n && left > 0) {
		ret[pieces] = iov[pieces];
		if (ret[pieces].iov_len > left)
			ret[pieces].iov_len = left;
		left -= ret[pieces++].iov_len;
	}
	return pieces;
}

/* Takes k bytes off the front; returns the pieces that are left. */
static int advance(struct iovec **iov, int n, size_t k)
{
	while (n > 0 && k >= (*iov)->iov_len) {
		k -= (*iov)->iov_len;
		++*iov;
		n--;
	}
	if (n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + k;
		(*iov)->iov_len -= k;
	}
	return n;
}

int archive_stream_write(struct archive_stream *stream, struct iovec *iov, int n)
{
	while (n > 0) {
		struct iovec front[ARCHIVE_PIECES_MAX];
		ssize_t k = writev(stream->fd, front, front_of(iov, n, front));

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_set_errno(k < 0 ? errno : EIO,
					     "writing the archive");
		stream->bytes += (size_t)k;
		n = advance(&iov, n, (size_t)k);
	}
	return 0;
}

/* Until something comes, or the stream ends. */
static int wait_readable(const struct archive_stream *stream)
{
	struct pollfd fds[] = { { .fd = stream->fd, .events = POLLIN },
				{ .fd = stream->cancel_fd, .events = POLLIN } };

	if (stream->cancel_fd < 0)
		return 0;
	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return err_set_errno(errno, "reading the archive");
	return fds[1].revents ?
		       err_set(AEDB_CANCELED, "reading the archive was canceled") : 0;
}

/* Up to n bytes, fewer only at the end. */
static int read_some(struct archive_stream *stream, uint8_t *bytes, size_t n,
		     size_t *ret)
{
	size_t got = 0;

	while (got < n) {
		int rc = wait_readable(stream);
		ssize_t k = rc < 0 ? rc : read(stream->fd, bytes + got, n - got);

		if (rc < 0)
			return rc;
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set_errno(errno, "reading the archive");
		if (k == 0)
			break;
		got += (size_t)k;
	}
	stream->bytes += got;
	*ret = got;
	return 0;
}

int archive_stream_read(struct archive_stream *stream, void *bytes, size_t n)
{
	size_t got;
	int rc = read_some(stream, bytes, n, &got);

	if (rc < 0)
		return rc;
	if (got < n)
		return err_set(AEDB_CORRUPT, "the archive ends at byte %llu, too early",
			       (unsigned long long)stream->bytes);
	return 0;
}

int archive_stream_read_end(struct archive_stream *stream)
{
	size_t got;
	uint8_t byte;
	int rc = read_some(stream, &byte, 1, &got);

	if (rc < 0)
		return rc;
	if (got > 0)
		return err_set(AEDB_CORRUPT, "something follows the archive's end");
	return 0;
}
