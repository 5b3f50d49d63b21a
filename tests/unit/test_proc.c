/*
 * Processes seen through /proc: real children that live, end and are killed.
 * How a thread looks while its files are closed is seen at the mount; here the
 * zombie it leaves shows the same fields.
 */
#include "check.h"
#include "proc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct proc_table *table_new(size_t n)
{
	struct proc_table *table;

	CHECK_OK(proc_table_new(n, &table));
	return table;
}

/* Starts a child that runs until it is killed. */
static pid_t child_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		for (;;)
			pause();
	}
	CHECK(pid > 0);
	return pid;
}

/* Waits until the child is a zombie, and leaves it one. */
static void child_wait_zombie(pid_t pid)
{
	siginfo_t info;

	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

TEST(proc_groups, "a process is in its supplementary groups and in no other")
{
	gid_t groups[256];
	int n = getgroups(256, groups);

	CHECK(n >= 0);
	for (int i = 0; i < n; i++)
		CHECK(proc_is_in_group(getpid(), groups[i]));
	CHECK(!proc_is_in_group(getpid(), 3999999999u));
	CHECK(!proc_is_in_group(0, 0));
}

TEST(proc_self, "a process is known by number and birth, and is alive")
{
	struct proc_table *table = table_new(4);
	struct proc_id id = proc_identify(table, getpid());

	CHECK_EQ(id.pid, getpid());
	CHECK(id.birth > 0);
	CHECK(proc_id_equal(id, proc_identify(table, getpid())));
	CHECK(proc_is_alive(table, id));
	CHECK(!proc_was_killed(table, getpid()));
	id.birth--;
	CHECK_THAT(!proc_is_alive(table, id), "a number used again is alive");
	proc_table_free(table);
}

TEST(proc_killed, "a process killed by a signal is not alive and was killed")
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGPIPE };
	struct proc_table *table = table_new(4);

	signal(SIGSEGV, SIG_DFL);	/* a sanitizer may have it */
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t pid = child_start();
		struct proc_id id = proc_identify(table, pid);

		CHECK(proc_is_alive(table, id));
		CHECK(!proc_was_killed(table, pid));
		kill(pid, signals[i]);
		child_wait_zombie(pid);
		CHECK(!proc_is_alive(table, id));
		CHECK(proc_was_killed(table, pid));
		waitpid(pid, NULL, 0);
		CHECK(!proc_is_alive(table, id));
		CHECK(!proc_was_killed(table, pid));
	}
	proc_table_free(table);
}

TEST(proc_stopped, "a stopped process is alive")
{
	struct proc_table *table = table_new(4);
	pid_t pid = child_start();
	struct proc_id id = proc_identify(table, pid);

	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	CHECK(proc_is_alive(table, id));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	proc_table_free(table);
}

TEST(proc_exited, "a process that exits was not killed, whatever its status")
{
	static const int statuses[] = { 0, 1, 9, 137, 255 };
	struct proc_table *table = table_new(4);

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(statuses[i]);
		child_wait_zombie(pid);
		CHECK(!proc_was_killed(table, pid));
		CHECK(!proc_is_alive(table, proc_identify(table, pid)));
		waitpid(pid, NULL, 0);
	}
	proc_table_free(table);
}

/* Threads. */

static void *thread_tell(void *fd)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (write(*(int *)fd, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	for (;;)
		pause();
}

/* A child whose second thread tells its id through the pipe; its first ends
 * with how: 'w' waits, 't' ends alone. */
static pid_t threads_start(char how, pid_t *ret_tid)
{
	int fds[2];
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, thread_tell, &fds[1]);
		if (how == 't')
			pthread_exit(NULL);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], ret_tid, sizeof(*ret_tid)), sizeof(*ret_tid));
	close(fds[0]);
	close(fds[1]);
	return pid;
}

TEST(proc_thread, "a thread belongs to its process")
{
	struct proc_table *table = table_new(8);
	pid_t tid, pid = threads_start('w', &tid);
	struct proc_id id = proc_identify(table, tid);

	CHECK(tid != pid);
	CHECK(proc_id_equal(id, proc_identify(table, pid)));
	CHECK_EQ(id.pid, pid);
	CHECK(proc_is_alive(table, id));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_EQ(proc_identify(table, tid).birth, 0);
	proc_table_free(table);
}

TEST(proc_first_thread, "a process whose first thread has ended is alive")
{
	struct proc_table *table = table_new(8);
	pid_t tid, pid = threads_start('t', &tid);
	struct proc_id id = proc_identify(table, tid);
	char path[64], text[512] = "";
	const char *state = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!state || state[2] != 'Z') {
		int fd = open(path, O_RDONLY);

		CHECK(read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
		state = strrchr(text, ')');
		CHECK(state != NULL);
	}
	CHECK(proc_is_alive(table, id));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(!proc_is_alive(table, id));
	proc_table_free(table);
}

static void *thread_exit_all(void *status)
{
	_exit(*(int *)status);
}

TEST(proc_exit_threads, "a thread that another one's exit ends was not killed")
{
	struct proc_table *table = table_new(4);

	for (int status = 0; status < 3; status++) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			pthread_create(&thread, NULL, thread_exit_all, &status);
			for (;;)
				pause();
		}
		child_wait_zombie(pid);
		CHECK(!proc_was_killed(table, pid));
		waitpid(pid, NULL, 0);
	}
	proc_table_free(table);
}

TEST(proc_ancestors_near, "ancestors come nearest first")
{
	struct proc_table *table = table_new(8);
	struct proc_id found[8];
	int fds[2];
	pid_t pid, grandchild;

	CHECK_OK(pipe(fds));
	pid = fork();
	if (pid == 0) {
		grandchild = fork();
		if (grandchild > 0 &&
		    write(fds[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	CHECK(proc_ancestors(table, proc_identify(table, grandchild), found, 8) >= 2);
	CHECK(proc_id_equal(found[0], proc_identify(table, pid)));
	CHECK(proc_id_equal(found[1], proc_identify(table, getpid())));
	CHECK_EQ(proc_ancestors(table, proc_identify(table, grandchild), found, 1), 1);
	kill(grandchild, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	proc_table_free(table);
}

TEST(proc_unreadable, "what cannot be read is not alive, not killed, without ancestors")
{
	struct proc_table *table = table_new(1);
	struct proc_id none = proc_identify(table, 0), found[2];

	CHECK_EQ(none.pid, 0);
	CHECK_EQ(none.birth, 0);
	CHECK(!proc_is_alive(table, none));
	CHECK(!proc_was_killed(table, 0));
	CHECK_EQ(proc_ancestors(table, none, found, 2), 0);
	proc_table_free(table);
}

static int descriptors_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(proc_bounded, "the table keeps no more descriptors than it may")
{
	enum { MANY = 20, OPEN_MAX = 3 };
	int before = descriptors_count();
	struct proc_table *table = table_new(OPEN_MAX);
	pid_t pids[MANY];

	for (int i = 0; i < MANY; i++) {
		pids[i] = child_start();
		CHECK_EQ(proc_identify(table, pids[i]).pid, pids[i]);
	}
	CHECK(descriptors_count() <= before + OPEN_MAX);
	for (int i = 0; i < MANY; i++) {
		CHECK(proc_is_alive(table, proc_identify(table, pids[i])));
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	proc_table_free(table);
	CHECK_EQ(descriptors_count(), before);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
