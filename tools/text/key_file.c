/* Reading a key. */
#include "key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Up to one byte more than a key has, so that a longer file is noticed. */
static int read_all(int fd, uint8_t *bytes, size_t *ret)
{
	size_t n = 0;
	ssize_t got;

	while (n <= KEY_FILE_BYTES_MAX) {
		got = read(fd, bytes + n, KEY_FILE_BYTES_MAX + 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret = n;
	return 0;
}

int key_file_read_from(int fd, struct key_file *ret)
{
	uint8_t bytes[KEY_FILE_BYTES_MAX + 1];
	size_t n = 0;
	int rc = read_all(fd, bytes, &n);

	if (rc == 0 && (n < KEY_FILE_BYTES_MIN || n > KEY_FILE_BYTES_MAX))
		rc = AEDB_INVALID;
	if (rc == 0) {
		memcpy(ret->bytes, bytes, n);
		ret->n = n;
	}
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

int key_file_read(const char *path, struct key_file *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = key_file_read_from(fd, ret);
	close(fd);
	return rc;
}

void key_file_apply(const struct key_file *key, struct aedb_options *options)
{
	if (!key->n)
		return;
	options->hmac_key = key->bytes;
	options->hmac_key_bytes = key->n;
}
