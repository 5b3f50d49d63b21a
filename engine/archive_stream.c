/*
 * Whole reads and writes of a descriptor.
 *
 * Invariant: 1. What is short or interrupted is continued.
 */
#include "archive_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define PIPE_BYTES (1 << 20)

void archive_stream_init(struct archive_stream *stream, int fd)
{
	struct stat st;

	*stream = (struct archive_stream){ .fd = fd, .cancel_fd = -1 };
	stream->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

/* Until it can be read (POLLIN) or written (POLLOUT). */
static int wait_ready(const struct archive_stream *stream, short how)
{
	const char *what = how == POLLIN ? "reading" : "writing";
	struct pollfd fds[] = { { .fd = stream->fd, .events = how },
				{ .fd = stream->cancel_fd, .events = POLLIN } };

	if (stream->cancel_fd < 0)
		return 0;
	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return err_set_errno(errno, "%s the archive", what);
	return fds[1].revents ?
		       err_set(AEDB_CANCELED, "%s the archive was canceled", what) :
		       0;
}

/* As much of the front as is written at once; returns its pieces. */
static int front_of(const struct iovec *iov, int n, size_t left,
		    struct iovec ret[ARCHIVE_PIECES_MAX])
{
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

/* Without waiting for whoever reads. Where the system cannot say that it would
 * have to, as little as a pipe that is ready has room for. */
static ssize_t write_ready(struct archive_stream *stream, const struct iovec *iov,
			   int n)
{
	struct iovec front[ARCHIVE_PIECES_MAX];
	int pieces = front_of(iov, n, ARCHIVE_WRITE_BYTES, front);
	ssize_t k;

	if (!stream->has_no_nowait) {
		k = pwritev2(stream->fd, front, pieces, -1, RWF_NOWAIT);
		if (k >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return k;
		stream->has_no_nowait = true;
	}
	pieces = front_of(iov, n, PIPE_BUF, front);
	return writev(stream->fd, front, pieces);
}

static ssize_t write_some(struct archive_stream *stream, const struct iovec *iov,
			  int n)
{
	struct iovec front[ARCHIVE_PIECES_MAX];

	if (!stream->is_file && stream->cancel_fd >= 0)
		return write_ready(stream, iov, n);
	n = front_of(iov, n, ARCHIVE_WRITE_BYTES, front);
	return writev(stream->fd, front, n);
}

int archive_stream_write(struct archive_stream *stream, struct iovec *iov, int n)
{
	while (n > 0) {
		int rc = wait_ready(stream, POLLOUT);
		ssize_t k = rc < 0 ? rc : write_some(stream, iov, n);

		if (rc < 0)
			return rc;
		if (k < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (k <= 0)
			return err_set_errno(k < 0 ? errno : EIO,
					     "writing the archive");
		stream->bytes += (size_t)k;
		n = advance(&iov, n, (size_t)k);
	}
	return 0;
}

/* Up to n bytes, fewer only at the end. */
static int read_some(struct archive_stream *stream, uint8_t *bytes, size_t n,
		     size_t *ret)
{
	size_t got = 0;

	while (got < n) {
		int rc = wait_ready(stream, POLLIN);
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
