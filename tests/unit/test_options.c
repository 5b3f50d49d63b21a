/* The command line of aedbfs. */
#include "check.h"
#include "options.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Parses a NULL-ended list of arguments. */
#define PARSE(ret, ...) parse((ret), (char *[]){ "aedbfs", __VA_ARGS__, NULL })

static int parse(struct options *ret, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return options_parse(argc, argv, ret);
}

#define CHECK_REFUSED(message_, ...) do {                                  \
	struct options refused;                                            \
	CHECK_EQ(PARSE(&refused, __VA_ARGS__), AEDB_INVALID);              \
	CHECK_STR(refused.message, message_);                              \
} while (0)

TEST(options_plain, "without options a database is mounted in batch mode")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt"));
	CHECK_EQ(o.action, OPTIONS_MOUNT);
	CHECK_STR(o.database, "db");
	CHECK_STR(o.mount_point, "mnt");
	CHECK(!o.is_foreground && !o.is_read_only && !o.has_allow_other &&
	      !o.has_no_xattr && !o.creates);
	CHECK_EQ(o.engine.durability, AEDB_BATCH);
	CHECK_EQ(o.engine.sync_interval_ms, 10);
	CHECK_EQ(o.engine.memory_bytes, 256 << 20);
	CHECK(!o.shown.has_uid && !o.shown.has_gid && !o.shown.has_file_mask &&
	      !o.shown.has_dir_mask);
	CHECK_STR(o.kernel, "");
}

TEST(options_all, "every option is understood, in any place")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "-f", "-o", "ro,allow_other,uid=1,gid=4294967294",
		       "mnt", "-oumask=077,noxattr,durability=full,memory=2G",
		       "-o", "recovery=permissive"));
	CHECK(o.is_foreground && o.is_read_only && o.has_allow_other &&
	      o.has_no_xattr);
	CHECK(o.shown.has_uid && o.shown.has_gid && o.shown.has_file_mask &&
	      o.shown.has_dir_mask);
	CHECK_EQ(o.shown.uid, 1);
	CHECK_EQ(o.shown.gid, 4294967294);
	CHECK_EQ(o.shown.file_mask, 077);
	CHECK_EQ(o.shown.dir_mask, 077);
	CHECK_EQ(o.engine.durability, AEDB_FULL);
	CHECK_EQ(o.engine.memory_bytes, INT64_C(2) << 30);
	CHECK_EQ(o.engine.recovery, AEDB_PERMISSIVE);
	CHECK_OK(PARSE(&o, "-o", "sync_interval=60000", "db", "mnt"));
	CHECK_EQ(o.engine.sync_interval_ms, 60000);
	CHECK_EQ(o.engine.recovery, AEDB_STRICT);
	CHECK_OK(PARSE(&o, "-o", "create,durability=os,memory=1048576", "db", "mnt"));
	CHECK(o.creates);
	CHECK_EQ(o.engine.durability, AEDB_OS);
	CHECK_EQ(o.engine.memory_bytes, 1048576);
	CHECK_EQ(o.engine.key_bytes_max, 1024);
	CHECK_OK(PARSE(&o, "-okey_bytes_max=4000", "db", "mnt"));
	CHECK_EQ(o.engine.key_bytes_max, 4000);
	CHECK_OK(PARSE(&o, "-o", "ro,rw", "db", "mnt"));
	CHECK(!o.is_read_only);
}

TEST(options_maintenance, "when checkpoints are made and how fast compaction "
     "writes can be set")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt"));
	CHECK_EQ(o.engine.checkpoint_log_bytes, 64 << 20);
	CHECK_EQ(o.engine.checkpoint_ops, 250000);
	CHECK_EQ(o.engine.checkpoint_interval_s, 300);
	CHECK_EQ(o.engine.compaction_rate, 64 << 20);
	CHECK_EQ(o.engine.log_keep_bytes, 4 << 20);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "log_keep=1G"));
	CHECK_EQ(o.engine.log_keep_bytes, 1 << 30);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "log_keep=0"));
	CHECK_EQ(o.engine.log_keep_bytes, 0);
	CHECK_EQ(o.engine.backup_log_bytes, 256 << 20);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "backup_log=2G"));
	CHECK_EQ(o.engine.backup_log_bytes, UINT64_C(2) << 30);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "backup_log=0"));
	CHECK_EQ(o.engine.backup_log_bytes, 0);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "checkpoint_log=1G,"
		       "checkpoint_ops=5000000,checkpoint_interval=86400,"
		       "compaction_rate=200M"));
	CHECK_EQ(o.engine.checkpoint_log_bytes, 1 << 30);
	CHECK_EQ(o.engine.checkpoint_ops, 5000000);
	CHECK_EQ(o.engine.checkpoint_interval_s, 86400);
	CHECK_EQ(o.engine.compaction_rate, 200 << 20);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "checkpoint_log=65536,"
		       "checkpoint_ops=1000,checkpoint_interval=1,"
		       "compaction_rate=0"));
	CHECK_EQ(o.engine.checkpoint_log_bytes, 65536);
	CHECK_EQ(o.engine.compaction_rate, 0);
}

TEST(options_queue, "what may wait to be committed, and how long, can be set")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt"));
	CHECK_EQ(o.engine.queue_commits_max, 100000);
	CHECK_EQ(o.engine.queue_bytes_max, 1 << 30);
	CHECK_EQ(o.engine.commit_timeout_ms, 0);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "queue_commits_max=1,"
		       "queue_bytes_max=64M,commit_timeout=3600000"));
	CHECK_EQ(o.engine.queue_commits_max, 1);
	CHECK_EQ(o.engine.queue_bytes_max, 64 << 20);
	CHECK_EQ(o.engine.commit_timeout_ms, 3600000);
}

TEST(options_batches, "how many batches are open and for how long can be set")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt"));
	CHECK_EQ(o.engine.batches_max, 1000);
	CHECK_EQ(o.batch_age_s, 86400);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "batches_max=1023,batch_age=90m"));
	CHECK_EQ(o.engine.batches_max, 1023);
	CHECK_EQ(o.batch_age_s, 5400);
	CHECK_REFUSED("option batch_age wants a value: batch_age=…", "-o",
		      "batch_age", "db", "mnt");
}

TEST(options_history, "a history has a time and a size, with units, and is off without")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt"));
	CHECK_EQ(o.engine.history_s, 0);
	CHECK_EQ(o.engine.history_bytes, 0);
	CHECK_OK(PARSE(&o, "-o", "history=7d,1G,noatime", "db", "mnt"));
	CHECK_EQ(o.engine.history_s, 7 * 86400);
	CHECK_EQ(o.engine.history_bytes, 1 << 30);
	CHECK_STR(o.kernel, "noatime");
	CHECK_OK(PARSE(&o, "-o", "history=90\\,65536", "db", "mnt"));
	CHECK_EQ(o.engine.history_s, 90);
	CHECK_EQ(o.engine.history_bytes, 65536);
	CHECK_OK(PARSE(&o, "-o", "ro,history=2w,64K", "db", "mnt"));
	CHECK_EQ(o.engine.history_s, 14 * 86400);
	CHECK_REFUSED("option history wants a time and a size: "
		      "history=TIME,BYTES", "-o", "history=1h", "db", "mnt");
	CHECK_REFUSED("option history wants a time and a size: "
		      "history=TIME,BYTES", "-o", "history=1h,ro", "db", "mnt");
	CHECK_REFUSED("option history wants a value: history=…", "-o",
		      "history", "db", "mnt");
	CHECK_REFUSED("option history=TIME,10K: not a size of 64K or more, in "
		      "bytes or with K, M, G or T", "-o", "history=1m,10K",
		      "db", "mnt");
	CHECK_REFUSED("unknown option: 1G", "-o", "1G", "db", "mnt");
}

TEST(options_fstab, "what mount(8) passes on is accepted")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "rw,nofail,_netdev,noauto,user,"
		       "x-systemd.automount,x-mount.mkdir=0755,exec,suid,dev,"
		       "nodev,nosuid,relatime,strictatime,defaults,comment=a\\,b"));
	CHECK_STR(o.kernel, "");
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "noexec,dirsync,,sync,noexec"));
	CHECK_STR(o.kernel, "noexec,dirsync,sync");
}

TEST(options_masks, "fmask and dmask are for files and directories alone")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "fmask=133"));
	CHECK(o.shown.has_file_mask && !o.shown.has_dir_mask);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "umask=077,dmask=022"));
	CHECK_EQ(o.shown.file_mask, 077);
	CHECK_EQ(o.shown.dir_mask, 022);
	CHECK_REFUSED("option dmask=9: not an octal number up to 777", "db", "mnt",
		      "-o", "dmask=9");
}

static int parse_as_mount(struct options *ret, char **argv)
{
	argv[0] = "/sbin/mount.aedbfs";
	return parse(ret, argv);
}

TEST(options_mount, "called by mount(8) its letters have mount's meaning")
{
	struct options o;

	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "d b", "mnt", "-n", "-v", "-o",
		"ro,nofail,user=me", "-t", "fuse.aedbfs", NULL }));
	CHECK_STR(o.database, "d b");
	CHECK(o.is_for_mount && o.is_read_only && !o.is_foreground);
	CHECK_EQ(o.action, OPTIONS_MOUNT);
	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-f", NULL }));
	CHECK_EQ(o.action, OPTIONS_FAKE);
	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-s", "-o",
		"frob,frob=1", NULL }));
	CHECK_EQ(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-N", "1", NULL }),
		 AEDB_INVALID);
	CHECK_EQ(PARSE(&o, "db", "mnt", "-s"), AEDB_INVALID);
}

TEST(options_remount, "a remount takes flags and the options a mount shows")
{
	struct options o;

	CHECK_OK(PARSE(&o, "db", "mnt", "-o", "ro,nosuid,nodev,noexec,relatime,"
		       "remount,user_id=0,group_id=0,default_permissions"));
	CHECK_EQ(o.action, OPTIONS_REMOUNT);
	CHECK_EQ(o.kernel_flags, MS_RDONLY | MS_NOEXEC);
}

TEST(options_other, "help and version need no arguments")
{
	struct options o;

	CHECK_OK(PARSE(&o, "--help"));
	CHECK_EQ(o.action, OPTIONS_HELP);
	CHECK_OK(PARSE(&o, "-V"));
	CHECK_EQ(o.action, OPTIONS_VERSION);
	CHECK_OK(PARSE(&o, "--version"));
	CHECK_EQ(o.action, OPTIONS_VERSION);
}

TEST(options_refused, "what is wrong is named")
{
	CHECK_REFUSED("want a database and a directory to mount it on", "-f");
	CHECK_REFUSED("want a directory to mount on", "db");
	CHECK_REFUSED("unexpected argument: x", "db", "mnt", "x");
	CHECK_REFUSED("an argument is empty", "", "mnt");
	CHECK_REFUSED("unknown option: -z", "-z", "db", "mnt");
	CHECK_REFUSED("unknown option: --frob", "--frob", "db", "mnt");
	CHECK_REFUSED("option -o wants a value", "db", "mnt", "-o");
	CHECK_REFUSED("unknown option: frob", "db", "mnt", "-o", "ro,frob");
	CHECK_REFUSED("unknown option: frob=1", "db", "mnt", "-o", "frob=1");
	CHECK_REFUSED("unknown option: ro=1", "db", "mnt", "-o", "ro=1");
	CHECK_REFUSED("option uid wants a value: uid=…", "-o", "uid", "db", "mnt");
	CHECK_REFUSED("option checkpoint_log wants a value: checkpoint_log=…",
		      "-o", "checkpoint_log", "db", "mnt");
	CHECK_REFUSED("option checkpoint_log=1K: not a size from 64K to 1T, in "
		      "bytes or with K, M, G or T", "-o", "checkpoint_log=1K",
		      "db", "mnt");
	CHECK_REFUSED("option checkpoint_ops=1: not a number of operations from "
		      "1000 to 1000000000", "-o", "checkpoint_ops=1", "db", "mnt");
	CHECK_REFUSED("options create and ro exclude each other", "-o",
		      "create,ro", "db", "mnt");
	CHECK_REFUSED("option sync_interval is for durability=batch, not for "
		      "durability=full", "-o", "sync_interval=5,durability=full",
		      "db", "mnt");
	CHECK_REFUSED("options allow_other and allow_root exclude each other", "-o",
		      "allow_root,allow_other", "db", "mnt");
}

TEST(options_values, "values out of their range are refused")
{
	static const char *const bad[] = {
		"key_file=", "uid=", "uid=x", "uid=-1", "uid=4294967295", "gid=1x", "umask=8",
		"umask=1000", "umask=", "durability=", "durability=fast",
		"key_bytes_max=0", "key_bytes_max=4001",
		"sync_interval=0", "sync_interval=60001", "sync_interval=1s",
		"memory=0", "memory=1000", "memory=1X", "memory=1MB", "memory=-1M",
		"memory=99999999T", "memory=18446744073709551616",
		"checkpoint_log=65535", "checkpoint_log=2T", "checkpoint_log=",
		"checkpoint_ops=999", "checkpoint_ops=1000000001",
		"checkpoint_interval=0", "checkpoint_interval=86401",
		"checkpoint_interval=5m", "compaction_rate=1", "log_keep=2T",
		"backup_log=2T",
		"compaction_rate=64MB", "compaction_rate=00x",
		"queue_commits_max=0", "queue_commits_max=1000001",
		"queue_bytes_max=65535K", "queue_bytes_max=2T",
		"commit_timeout=3600001", "commit_timeout=1s",
		"batches_max=0", "batches_max=1024", "batch_age=0", "batch_age=1y",
		"history=0", "history=1y", "history=9999999999", "history=8000w",
		"recovery=", "recovery=never", "profile=", "profile=fast",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char item[64];
		struct options o;

		snprintf(item, sizeof(item), "%s", bad[i]);
		CHECK_THAT(PARSE(&o, "-o", item, "db", "mnt") == AEDB_INVALID,
			   "%s is accepted", bad[i]);
		CHECK_THAT(strstr(o.message, bad[i]), "\"%s\" does not name %s",
			   o.message, bad[i]);
	}
}

TEST(options_long, "an option of any length does no harm")
{
	static char item[5000];
	struct options o;

	memset(item, 'x', sizeof(item) - 1);
	CHECK_EQ(PARSE(&o, "-o", item, "db", "mnt"), AEDB_INVALID);
	CHECK(strncmp(o.message, "option too long: xxx", 20) == 0);
}

/* The configuration file. */

struct config {
	char directory[232], path[240];
};

static void config_write(struct config *config, const void *text, size_t n)
{
	FILE *file = fopen(config->path, "w");

	CHECK(file);
	CHECK_EQ(fwrite(text, 1, n, file), n);
	CHECK_EQ(fclose(file), 0);
}

static void config_make(struct config *config, const char *text)
{
	const char *root = getenv("TMPDIR");

	snprintf(config->directory, sizeof(config->directory), "%.200s/aedb-XXXXXX",
		 root ? root : "/tmp");
	CHECK(mkdtemp(config->directory));
	snprintf(config->path, sizeof(config->path), "%s/c", config->directory);
	config_write(config, text, strlen(text));
}

static void config_remove(struct config *config)
{
	unlink(config->path);
	CHECK_EQ(rmdir(config->directory), 0);
}

/* What such a file is refused with, behind its name. */
static void check_config_refused(const char *text, const char *wanted)
{
	struct config config;
	struct options o;

	config_make(&config, text);
	CHECK_EQ(PARSE(&o, "--config", config.path, "db", "mnt"), AEDB_INVALID);
	CHECK_STR(o.message + strlen(config.path), wanted);
	CHECK(strncmp(o.message, config.path, strlen(config.path)) == 0);
	config_remove(&config);
}

TEST(config, "a file has the options of -o, one a line, with blanks and comments")
{
	static char comment[2000];
	struct config config;
	char list[300], text[2500];
	struct options o;

	memset(comment, '#', sizeof(comment) - 1);
	snprintf(text, sizeof(text), "# memory=1M\n%s\n\n  ro\r\n"
		 "\tmemory = 2G \nhistory=7d,1G\nuid=7\nuid=8\nnoexec\n"
		 "key_file=/a b,c\\d#e\ncheckpoint_ops=2000", comment);
	config_make(&config, text);
	snprintf(list, sizeof(list), "config=%s", config.path);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(i ? PARSE(&o, "-o", list, "db", "mnt") :
			     PARSE(&o, "--config", config.path, "db", "mnt"));
		CHECK(o.is_read_only && o.shown.has_uid);
		CHECK_EQ(o.engine.memory_bytes, INT64_C(2) << 30);
		CHECK_EQ(o.engine.history_s, 7 * 86400);
		CHECK_EQ(o.engine.history_bytes, 1 << 30);
		CHECK_EQ(o.shown.uid, 8);
		CHECK_STR(o.kernel, "noexec");
		CHECK_EQ(o.kernel_flags, MS_RDONLY | MS_NOEXEC);
		CHECK_STR(o.key_file, "/a b,c\\d#e");
		CHECK_EQ(o.engine.checkpoint_ops, 2000);
	}
	config_remove(&config);
}

TEST(config_overridden, "the command line overrides the file, wherever it names it")
{
	struct config config;
	struct options o;

	config_make(&config, "memory=1G\nuid=7\ncreate\nallow_other\n"
		    "sync_interval=5\nbatches_max=5");
	CHECK_OK(PARSE(&o, "-o", "memory=2G,ro,allow_root,durability=os", "db",
		       "mnt", "--config", config.path));
	CHECK_EQ(o.engine.memory_bytes, INT64_C(2) << 30);
	CHECK_EQ(o.shown.uid, 7);
	CHECK_EQ(o.engine.batches_max, 5);
	CHECK_EQ(o.engine.durability, AEDB_OS);
	CHECK(o.is_read_only && !o.creates);
	CHECK(o.has_allow_root && !o.has_allow_other);
	CHECK_OK(PARSE(&o, "--config", config.path, "db", "mnt"));
	CHECK(o.creates && o.has_allow_other && !o.has_allow_root);
	CHECK_EQ(o.engine.sync_interval_ms, 5);
	config_remove(&config);
}

TEST(config_refused, "what is wrong in a file is named with its line")
{
	check_config_refused("ro\n\nfrob\n", ":3: unknown option: frob");
	check_config_refused("frob=1", ":1: unknown option: frob=1");
	check_config_refused("ro,rw", ":1: unknown option: ro,rw");
	check_config_refused("memory=1K", ":1: option memory=1K: not a size of 1M "
			     "or more, in bytes or with K, M, G or T");
	check_config_refused("\nuid", ":2: option uid wants a value: uid=…");
	check_config_refused("history=7d\n1G\n", ":1: option history wants a time "
			     "and a size: history=TIME,BYTES");
	check_config_refused("config=x", ":1: option config=x stands on the "
			     "command line only");
	check_config_refused("remount", ":1: option remount stands on the "
			     "command line only");
	check_config_refused("profile=fast", ":1: option profile=fast: not "
			     "default, production, development or low_latency");
	check_config_refused("create\nro", ": options create and ro exclude each "
			     "other");
	check_config_refused("durability=os\nsync_interval=5", ": option "
			     "sync_interval is for durability=batch, not for "
			     "durability=os");
}

TEST(config_unreadable, "a file that is none, too long or no text is refused")
{
	static char text[(64 << 10) + 1];
	struct config config;
	struct options o;

	memset(text, '\n', sizeof(text));
	config_make(&config, "");
	CHECK_OK(PARSE(&o, "--config", config.path, "db", "mnt"));
	config_write(&config, text, sizeof(text) - 1);
	CHECK_OK(PARSE(&o, "--config", config.path, "db", "mnt"));
	config_write(&config, text, sizeof(text));
	CHECK_EQ(PARSE(&o, "--config", config.path, "db", "mnt"), AEDB_INVALID);
	CHECK(strstr(o.message, "/c: longer than 64K"));
	config_write(&config, "ro\0rw", 5);
	CHECK_EQ(PARSE(&o, "--config", config.path, "db", "mnt"), AEDB_INVALID);
	CHECK(strstr(o.message, "/c: not text"));
	CHECK_EQ(PARSE(&o, "--config", config.directory, "db", "mnt"), AEDB_INVALID);
	CHECK(strstr(o.message, ": not a regular file"));
	CHECK_EQ(unlink(config.path), 0);
	CHECK_EQ(PARSE(&o, "--config", config.path, "db", "mnt"), AEDB_INVALID);
	CHECK(strstr(o.message, "/c: No such file or directory"));
	CHECK_EQ(mkfifo(config.path, 0600), 0);
	CHECK_EQ(PARSE(&o, "--config", config.path, "db", "mnt"), AEDB_INVALID);
	CHECK(strstr(o.message, "/c: not a regular file"));
	config_remove(&config);
	CHECK_REFUSED("option --config wants a value", "db", "mnt", "--config");
	CHECK_REFUSED("option config wants a value: config=…", "db", "mnt", "-o",
		      "config");
	CHECK_REFUSED("option config=: no path", "db", "mnt", "--config", "");
}

TEST(config_mount, "mount(8)'s helper reads a file, a remount of it does not, and "
     "no misspelt name passes in it")
{
	struct config config;
	char list[300];
	struct options o;

	config_make(&config, "noexec\nmemory=1G");
	snprintf(list, sizeof(list), "nofail,config=%s", config.path);
	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-o", list, NULL }));
	CHECK_EQ(o.engine.memory_bytes, 1 << 30);
	config_write(&config, "ro", 2);
	snprintf(list, sizeof(list), "rw,config=%s", config.path);
	CHECK_OK(PARSE(&o, "-o", list, "db", "mnt"));
	CHECK(!o.is_read_only);
	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-o", list, NULL }));
	CHECK(o.is_read_only);
	CHECK_EQ(o.kernel_flags, MS_RDONLY);
	config_write(&config, "frob", 4);
	CHECK_EQ(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-s", "-o", list,
		NULL }), AEDB_INVALID);
	snprintf(list, sizeof(list), "remount,ro,create,config=%s", config.path);
	CHECK_OK(parse_as_mount(&o, (char *[]){ "", "db", "mnt", "-o", list, NULL }));
	CHECK_EQ(o.kernel_flags, MS_RDONLY);
	config_remove(&config);
}

TEST(options_profiles, "a profile holds under the file and the command line")
{
	struct config config;
	struct options o;

	CHECK_OK(PARSE(&o, "-o", "key_file=k,profile=production", "db", "mnt"));
	CHECK_EQ(o.engine.durability, AEDB_FULL);
	CHECK_EQ(o.engine.recovery, AEDB_STRICT);
	CHECK_REFUSED("option profile=production wants a key_file=", "-o",
		      "profile=production", "db", "mnt");
	CHECK_OK(PARSE(&o, "-o", "recovery=strict,profile=development", "db", "mnt"));
	CHECK_EQ(o.engine.durability, AEDB_OS);
	CHECK_EQ(o.engine.recovery, AEDB_STRICT);
	CHECK_OK(PARSE(&o, "-o", "profile=low_latency,profile=default", "db", "mnt"));
	CHECK_EQ(o.engine.sync_interval_ms, 10);
	CHECK_OK(PARSE(&o, "-o", "sync_interval=3,profile=low_latency", "db", "mnt"));
	CHECK_EQ(o.engine.durability, AEDB_BATCH);
	CHECK_EQ(o.engine.sync_interval_ms, 3);
	config_make(&config, "durability=full\nprofile=low_latency\n");
	CHECK_OK(PARSE(&o, "--config", config.path, "db", "mnt"));
	CHECK_EQ(o.engine.durability, AEDB_FULL);
	CHECK_EQ(o.engine.sync_interval_ms, 2);
	CHECK_OK(PARSE(&o, "-o", "profile=development", "--config", config.path,
		       "db", "mnt"));
	CHECK_EQ(o.engine.durability, AEDB_FULL);
	CHECK_EQ(o.engine.recovery, AEDB_PERMISSIVE);
	config_remove(&config);
}

static void check_in_force(const char *given, const char *wanted)
{
	char text[600] = "", list[600];
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct options o;

	snprintf(list, sizeof(list), "%s", given);
	CHECK_OK(PARSE(&o, "db", "mnt", "-o", list));
	CHECK(out);
	options_print_changed(out, &o);
	fclose(out);
	CHECK_STR(text, wanted);
}

TEST(options_in_force, "options in force are a list, which says the same when it is given")
{
	static const char all[] =
		"ro,durability=full,recovery=permissive,key_bytes_max=5,"
		"queue_commits_max=9,commit_timeout=8,batches_max=7,memory=3M,"
		"queue_bytes_max=65M,"
		"log_keep=0,backup_log=1025,"
		"history=604800s,1G,batch_age=60s,key_file=a\\,b\\\\c,"
		"backup_dir=/x y,noxattr,allow_root,uid=1,gid=2,fmask=133,"
		"dmask=022,noexec,sync";

	check_in_force("rw", "rw");
	check_in_force("nofail,durability=batch,memory=256M,log_keep=4096K", "rw");
	check_in_force("profile=low_latency", "rw,sync_interval=2");
	check_in_force(all, all);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
