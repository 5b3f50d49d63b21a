/* fsync of a directory: in a mount it makes all that is visible durable. */
#include "sync_path.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

int sync_path_parent(const char *path)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (!copy)
		return failure_system(ENOMEM, "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = failure_set(STATUS_UNKNOWN, path, "done, but making it "
				 "durable failed: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}
