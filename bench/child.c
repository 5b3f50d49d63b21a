/*
 * bench_alone lies beside the program that runs. It is started without glibc's
 * caches of freed memory, so that what malloc says is in use is in use.
 */
#include "child.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "bench_alone"
#define TUNABLES "glibc.malloc.tcache_count=0"

static int program_path(char *ret, size_t bytes)
{
	ssize_t n = readlink("/proc/self/exe", ret, bytes - sizeof(PROGRAM));
	char *name;

	if (n < 0)
		return peer_fail("bench", "/proc/self/exe", strerror(errno));
	ret[n] = '\0';
	name = strrchr(ret, '/') + 1;
	memcpy(name, PROGRAM, sizeof(PROGRAM));
	return 0;
}

static int start(const char *const *args, int out, pid_t *ret)
{
	char path[PATH_MAX], *argv[CHILD_ARGS_MAX + 2] = { path };
	posix_spawn_file_actions_t actions;
	int rc;

	if (program_path(path, sizeof(path)) < 0)
		return -1;
	for (size_t i = 0; args[i] && i < CHILD_ARGS_MAX; i++)
		argv[i + 1] = (char *)args[i];
	setenv("GLIBC_TUNABLES", TUNABLES, 1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	rc = posix_spawn(ret, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	unsetenv("GLIBC_TUNABLES");
	return rc == 0 ? 0 : peer_fail("bench", path, strerror(rc));
}

int child_ask(const char *const *args, char *ret_line, size_t line_bytes)
{
	int pipe_fds[2], rc = -1;
	FILE *in = NULL;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return peer_fail("bench", "pipe", strerror(errno));
	if (start(args, pipe_fds[1], &pid) < 0) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return -1;
	}
	close(pipe_fds[1]);
	in = fdopen(pipe_fds[0], "r");
	if (in && fgets(ret_line, (int)line_bytes, in))
		rc = 0;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (in)
		fclose(in);
	return rc == 0 ? 0 : peer_fail("bench", PROGRAM, "gave no answer");
}
