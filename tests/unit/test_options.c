/* The command line of aedbfs. */
#include "check.h"
#include "options.h"

#include <sys/mount.h>

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
		       "-o", "sync_interval=60000"));
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
	CHECK_EQ(o.engine.sync_interval_ms, 60000);
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
		"batches_max=0", "batches_max=1024", "batch_age=0", "batch_age=1y",
		"history=0", "history=1y", "history=9999999999", "history=8000w",
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

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
