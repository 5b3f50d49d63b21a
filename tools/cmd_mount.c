/* aedb mount: becomes aedbfs, the one beside this program or that of PATH. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "failure.h"

#define DAEMON "aedbfs"

/* Owned; free. NULL if this program's own path cannot be found out. */
static char *path_beside(void)
{
	char *self = realpath("/proc/self/exe", NULL), *slash, *path = NULL;

	if (!self)
		return NULL;
	slash = strrchr(self, '/');
	slash[1] = '\0';
	if (asprintf(&path, "%s%s", self, DAEMON) < 0)
		path = NULL;
	free(self);
	return path;
}

int cmd_mount(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	char name[] = DAEMON, *path;

	/* All other options are the daemon's. */
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return command_next_option(argc, argv, "", options);
	argv[0] = name;
	signal(SIGPIPE, SIG_DFL);
	path = path_beside();
	if (path)
		execv(path, argv);
	if (!path || errno == ENOENT)
		execvp(DAEMON, argv);
	failure_set(STATUS_FAILED, path ? path : DAEMON,
		    "running it: %s", strerror(errno));
	free(path);
	return AEDB_IO;
}
