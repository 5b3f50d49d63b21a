/*
 * aedbfs: mounts a database and serves it until it is unmounted.
 *
 * Life: options, a process in the background, checks, the database, the mount,
 * the session; then in the reverse order. A SIGTERM detaches the mount, and the
 * session goes on until no handle has staged data, DRAIN_SECONDS at most, or
 * until a second signal. What comes after that is refused until what workers do
 * is done.
 *
 * Invariants:
 * 1. Nothing is made or changed before the options and the mount point were
 *    found right.
 * 2. The starting process ends with 0 only after the mount answered a stat.
 * 3. kill -9 at any moment loses no commit: what the end does here (drop what is
 *    staged, make durable, close) recovery does as well.
 */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aedb.h"
#include "aedb_backup.h"
#include "control.h"
#include "forest.h"
#include "forest_batches.h"
#include "key_file.h"
#include "ll_ops.h"
#include "ll_session.h"
#include "log.h"
#include "mount_point.h"
#include "options.h"
#include "secure.h"
#include "startup.h"

#define DRAIN_SECONDS 10
#define UMASK_DEFAULT 022
#define NODE_BYTES_USUAL 96		/* with a name of 40 bytes */
#define FUSE_LINE_BYTES 256

struct server {
	struct options options;		/* constant after open */
	struct startup startup;
	struct key_file key;		/* constant after open */
	char database[PATH_MAX];	/* constant after open */
	char point[PATH_MAX];		/* constant after open */
	char backups[PATH_MAX];		/* constant after open: their directory,
					 * which need not be there */
	int host_fd;			/* constant after open: the database's
					 * directory */
	struct aedb *db;		/* constant after open */
	struct control *control;	/* constant after open */
	struct secure *secure;		/* constant after open; NULL: not secure */
	struct forest *forest;		/* constant after open */
	struct work_pool *pool;		/* constant after open */
	struct ll_config config;	/* constant after open */
	struct fuse_session *fuse;	/* constant after open */
	struct session *session;	/* constant after open */
	char *options_text;		/* constant after open; owned */
};

/* libfuse's last line, until the mount is ready. */
static char fuse_line[FUSE_LINE_BYTES];
static atomic_bool is_serving;	/* atomic: set once the mount has answered */

static void fuse_log_take(enum fuse_log_level level, const char *format,
			  va_list args)
{
	char line[sizeof(fuse_line)];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (is_serving)
		log_line(LOG_ERR, "%s", line);
	else
		memcpy(fuse_line, line, sizeof(line));
}

/* Opening. */

static int read_key(struct server *s)
{
	const char *path = s->options.key_file;
	int rc = *path ? key_file_read(path, &s->key) : 0;

	if (rc < 0)
		return startup_fail(&s->startup, STATUS_NO, "%s: %s", path,
				    rc == AEDB_INVALID ? KEY_FILE_SIZE_TEXT :
							 strerror(-rc));
	return STATUS_OK;
}

/* In the mount it would wait for itself, and so where the mount is a name in it. */
static int check_backups(struct server *s, const char *path)
{
	if (mount_point_is_within(s->backups, s->point) ||
	    mount_point_is_within(s->backups, s->database))
		return startup_fail(&s->startup, STATUS_USAGE, "%s: backups lie "
				    "neither in the mount nor in the database",
				    path);
	if (mount_point_is_within(s->point, s->backups))
		return startup_fail(&s->startup, STATUS_USAGE, "%s: the mount "
				    "would lie in the directory of backups", path);
	return STATUS_OK;
}

/* What is not there now must not lead into the mount later. */
static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int find_backups(struct server *s)
{
	char beside[PATH_MAX + sizeof(AEDB_BACKUP_SUFFIX)];
	const char *path = s->options.backup_dir;

	if (!*path) {
		snprintf(beside, sizeof(beside), "%s" AEDB_BACKUP_SUFFIX,
			 s->database);
		path = beside;
	}
	if (!realpath(path, s->backups) &&
	    !(errno == ENOENT && mount_point_resolve(path, s->backups)))
		return startup_fail(&s->startup, STATUS_NO, "%s: %s", path,
				    strerror(errno));
	if (is_link(s->backups))
		return startup_fail(&s->startup, STATUS_NO, "%s: a link to what "
				    "is not there", path);
	return check_backups(s, path);
}

static int find_paths(struct server *s)
{
	const char *database = s->options.database;
	int status;

	if (!realpath(database, s->database) &&
	    !(errno == ENOENT && s->options.creates &&
	      mount_point_resolve(database, s->database)))
		return startup_fail(&s->startup, STATUS_NO, "%s: %s", database,
				    errno != ENOENT ? strerror(errno) :
				    s->options.creates ?
				    "there is no directory to make it in" :
				    "no database is there");
	status = read_key(s);
	if (status != STATUS_OK)
		return status;
	status = mount_point_check(&s->startup, s->options.mount_point,
				   s->database, s->point);
	if (status == STATUS_OK)
		status = find_backups(s);
	/* The daemon holds no directory of its starter's busy. */
	if (status == STATUS_OK && chdir("/") < 0)
		return startup_fail(&s->startup, STATUS_FAILED, "/: %s",
				    strerror(errno));
	return status;
}

/* What nodes may take of the memory; the rest is the database's. */
static uint64_t nodes_bytes(const struct server *s)
{
	return s->options.engine.memory_bytes / 8 * 3;
}

/* What one commit changes is in memory while it is made: a directory may move
 * all its keys in one. */
static uint64_t txn_bytes(const struct server *s, uint64_t max)
{
	uint64_t quarter = s->options.engine.memory_bytes / 4;

	return quarter < max ? quarter : max;
}

static int open_database(struct server *s)
{
	struct aedb_options engine = s->options.engine;
	const char *finding;
	int rc;

	engine.mode = s->options.is_read_only ? AEDB_OPEN_READ_ONLY :
		      s->options.creates ? AEDB_OPEN_CREATE : AEDB_OPEN_EXISTING;
	/* The mount waits for durability itself, where it does not block. */
	if (engine.durability == AEDB_FULL)
		engine.durability = AEDB_BATCH;
	engine.txn_bytes_max = txn_bytes(s, engine.txn_bytes_max);
	engine.memory_bytes -= nodes_bytes(s);
	key_file_apply(&s->key, &engine);
	rc = aedb_open(s->database, &engine, &s->db);
	if (rc < 0)
		return startup_fail_engine(&s->startup, rc, s->database);
	for (size_t i = 0; (finding = aedb_recovery_finding(s->db, i)); i++)
		log_line(LOG_WARNING, "%s: %s", s->database, finding);
	s->host_fd = open(s->database, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->host_fd < 0)
		return startup_fail(&s->startup, STATUS_FAILED, "%s: %s",
				    s->database, strerror(errno));
	return STATUS_OK;
}

/* Owned. NULL: no memory. */
static char *text_of_options(const struct options *options)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	options_print_changed(out, options);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int open_control(struct server *s)
{
	struct control_config config = {
		.forest = s->forest,
		.db = s->db,
		.database = s->database,
		.mount_point = s->point,
		.backups = s->backups,
		.backup_key = { s->key.n ? s->key.bytes : NULL, s->key.n },
		.owner = getuid(),
		.group = getgid(),
		.durability = options_durability_name(&s->options),
		.is_read_only = s->options.is_read_only,
		.is_secure = s->options.is_secure,
	};

	s->options_text = text_of_options(&s->options);
	config.options = s->options_text;
	if (config.options)
		s->control = control_new(&config);
	return s->control ? STATUS_OK :
			    startup_fail(&s->startup, STATUS_FAILED,
					 "out of memory");
}

static int open_forest(struct server *s)
{
	struct tree_config config = {
		.nodes_max = nodes_bytes(s) / NODE_BYTES_USUAL,
		.defaults = { getuid(), getgid(), UMASK_DEFAULT },
		.is_read_only = s->options.is_read_only,
		.key_bytes_max = s->options.engine.key_bytes_max,
		.batch_age_s = s->options.batch_age_s,
		.batches_max = s->options.engine.batches_max,
		.host_fd = s->host_fd,
	};

	if (s->options.is_secure && secure_open(s->db, getuid(), &s->secure) < 0)
		return startup_fail(&s->startup, STATUS_FAILED, "out of memory");
	config.secure = s->secure;
	if (forest_open(s->db, &config, &s->forest) < 0 ||
	    work_pool_open(&s->pool) < 0)
		return startup_fail(&s->startup, STATUS_FAILED, "out of memory");
	return open_control(s);
}

/* The mount. */

/* The last line of a file, in place of *ret if there is one. */
static void take_last_line(int fd, char ret[FUSE_LINE_BYTES])
{
	char text[FUSE_LINE_BYTES], *line;
	off_t end = lseek(fd, 0, SEEK_END), room = sizeof(text) - 1;
	ssize_t n = pread(fd, text, sizeof(text) - 1, end > room ? end - room : 0);

	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	line = strrchr(text, '\n');
	strcpy(ret, line ? line + 1 : text);
}

/* What users see of a failure comes from fusermount3, on its standard error. */
static int mount_catching_errors(struct server *s)
{
	int file = memfd_create("errors", MFD_CLOEXEC), kept = dup(2), rc;

	if (file >= 0 && kept >= 0)
		dup2(file, 2);
	rc = fuse_session_mount(s->fuse, s->point);
	if (file >= 0 && kept >= 0) {
		dup2(kept, 2);
		take_last_line(file, fuse_line);
	}
	if (kept >= 0)
		close(kept);
	if (file >= 0)
		close(file);
	return rc;
}

/* In an option a comma and a backslash stand behind a backslash. */
static void escape_option(const char *text, char ret[2 * PATH_MAX])
{
	for (; *text; *ret++ = *text++)
		if (*text == ',' || *text == '\\')
			*ret++ = '\\';
	*ret = '\0';
}

static int mount_session(struct server *s)
{
	const struct options *options = &s->options;
	char list[2 * PATH_MAX + OPTIONS_KERNEL_BYTES + 128];
	char source[2 * PATH_MAX], program[] = "aedbfs", flag[] = "-o";
	char *argv[] = { program, flag, list, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	escape_option(s->database, source);
	snprintf(list, sizeof(list),
		 "fsname=%s,subtype=aedbfs,default_permissions%s%s%s%s%s", source,
		 options->has_allow_other ? ",allow_other" : "",
		 options->has_allow_root ? ",allow_root" : "",
		 options->is_read_only ? ",ro" : "",
		 *options->kernel ? "," : "", options->kernel);
	s->config = (struct ll_config){
		.forest = s->forest,
		.control = s->control,
		.pool = s->pool,
		.waits_durable = options->engine.durability == AEDB_FULL,
		.has_no_xattr = options->has_no_xattr,
		.secure = s->secure,
		.mount_point = s->point,
		.shown = options->shown,
		.backups = { .owner = getuid(), .group = getgid() },
	};
	strcpy(s->config.backups.directory, s->backups);
	fuse_set_log_func(fuse_log_take);
	s->fuse = ll_session_new(&args, &s->config);
	fuse_opt_free_args(&args);
	if (!s->fuse || mount_catching_errors(s) < 0)
		return startup_fail(&s->startup, STATUS_FAILED, "mounting on %s: %s",
				    s->point, *fuse_line ? fuse_line : "refused");
	s->config.device = mount_point_device(s->point);
	if (ll_ages_start(&s->config) < 0)
		return startup_fail(&s->startup, STATUS_FAILED,
				    "no thread can be had");
	return STATUS_OK;
}

/* Asks the mount for itself, on a thread of its own: the receiver answers. */
static void *ask_mount(void *arg)
{
	struct server *s = arg;
	struct stat st;

	if (stat(s->point, &st) < 0) {
		startup_fail(&s->startup, STATUS_FAILED,
			     "the mount on %s does not answer: %s", s->point,
			     strerror(errno));
		kill(getpid(), SIGTERM);
		return NULL;
	}
	is_serving = true;
	log_line(LOG_NOTICE, "%s is mounted on %s", s->database, s->point);
	startup_ready(&s->startup);
	return NULL;
}

static void detach(void *arg)
{
	struct server *s = arg;

	startup_notify("STOPPING=1\nSTATUS=Waiting for open files with data that "
		       "is not committed");
	if (mount_point_detach_all(s->database, s->config.device) < 0)
		log_line(LOG_ERR, "%s could not be detached", s->point);
}

static bool is_drained(void *arg)
{
	struct server *s = arg;
	struct tree *live = forest_live(s->forest);
	size_t staged;

	tree_lock(live);
	staged = tree_staged_handles(live);
	tree_unlock(live);
	return staged == 0;
}

static int serve(struct server *s)
{
	const struct session_hooks hooks = {
		.detach = detach, .is_drained = is_drained,
		.drain_seconds = DRAIN_SECONDS, .arg = s,
	};
	pthread_t asking;
	int rc;

	if (session_open(s->fuse, &hooks, &s->session) < 0 ||
	    pthread_create(&asking, NULL, ask_mount, s) != 0)
		return startup_fail(&s->startup, STATUS_FAILED,
				    "no thread can be had");
	rc = session_run(s->session);
	if (rc < 0)
		log_line(LOG_ERR, "the kernel's requests cannot be read: %s",
			 aedb_strerror(rc));
	pthread_join(asking, NULL);
	return rc < 0 ? STATUS_FAILED : STATUS_OK;
}

/* The end. */

static void close_session(struct server *s)
{
	struct pollfd device;

	if (!s->fuse)
		return;
	device = (struct pollfd){ .fd = fuse_session_fd(s->fuse) };
	/* Only of a dead device: otherwise it detaches whatever is there now. */
	if (poll(&device, 1, 0) == 1 && device.revents & POLLERR)
		fuse_session_unmount(s->fuse);
	fuse_session_destroy(s->fuse);
}

/* Drops what is staged, and batches. */
static int drain(struct forest *forest, size_t *ret_dropped)
{
	struct tree *live = forest_live(forest);
	const char *name = "";
	struct batch *batch;

	tree_lock(live);
	while ((batch = forest_batch_next(forest, name))) {
		name = forest_batch_name(batch);
		log_line(LOG_WARNING, "batch %s was open and is dropped", name);
	}
	tree_unlock(live);
	return tree_drain(live, ret_dropped);
}

/* Everything visible becomes durable. Returns enum exit_status. */
static int close_database(struct server *s)
{
	size_t dropped = 0;
	int rc = 0, closed;

	if (s->forest)
		rc = drain(s->forest, &dropped);
	if (dropped)
		log_line(LOG_WARNING, "%s: dropped what was written to %zu open "
			 "files and not committed", s->database, dropped);
	forest_close(s->forest);
	secure_close(s->secure);
	closed = aedb_close(s->db);
	if (closed < 0)
		rc = closed;
	if (rc < 0)
		log_line(LOG_ERR, "%s: closing: %s", s->database,
			 *aedb_error_message() ? aedb_error_message()
					       : aedb_strerror(rc));
	if (s->host_fd >= 0)
		close(s->host_fd);
	return rc < 0 ? STATUS_UNKNOWN : STATUS_OK;
}

static int run(struct server *s)
{
	int status = find_paths(s), closed;

	if (status == STATUS_OK)
		status = open_database(s);
	if (status == STATUS_OK)
		status = open_forest(s);
	if (status == STATUS_OK)
		status = mount_session(s);
	if (status == STATUS_OK)
		status = serve(s);
	mount_point_detach(s->point, s->database, s->config.device);
	ll_ages_stop(&s->config);
	if (s->control)
		control_end(s->control);
	work_pool_close(s->pool);
	session_close(s->session);
	close_session(s);
	ll_controls_free(&s->config);
	ll_backups_free(&s->config);
	control_free(s->control);
	free(s->options_text);
	closed = close_database(s);
	if (is_serving)
		log_line(LOG_NOTICE, "%s is unmounted and closed", s->database);
	return status == STATUS_OK ? closed : status;
}

static void settle_process(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	session_signals_block();
	umask(0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int start(struct server *s)
{
	int status = s->options.is_foreground ?
		     startup_begin_foreground(&s->startup) :
		     startup_begin_background(&s->startup);

	if (status != STATUS_OK)
		return status;
	log_open(s->options.is_foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG);
	settle_process();
	return run(s);
}

static int print_and_flush(void (*print)(FILE *out))
{
	print(stdout);
	return fflush(stdout) ? STATUS_FAILED : STATUS_OK;
}

static void print_version(FILE *out)
{
	fprintf(out, "aedbfs %s\n", AEDB_VERSION);
}

static int perform(struct server *s)
{
	switch (s->options.action) {
	case OPTIONS_HELP:
		return print_and_flush(options_print_help);
	case OPTIONS_VERSION:
		return print_and_flush(print_version);
	case OPTIONS_FAKE:
		return STATUS_OK;
	case OPTIONS_REMOUNT:
		startup_begin_foreground(&s->startup);
		return mount_point_remount(&s->startup, s->options.mount_point,
					   s->options.kernel_flags);
	default:
		return start(s);
	}
}

int main(int argc, char **argv)
{
	static struct server server = { .host_fd = -1 };
	int status = STATUS_USAGE, rc;

	if (!startup_open_descriptors())
		return STATUS_FAILED;
	rc = options_parse(argc, argv, &server.options);
	server.startup.is_for_mount = server.options.is_for_mount;
	if (rc < 0)
		fprintf(stderr, "aedbfs: %s\nTry 'aedbfs --help'.\n",
			server.options.message);
	else
		status = perform(&server);
	return startup_exit_status(&server.startup, status);
}
