/*
 * Scenarios that a database of this kind is accepted by, of durability, recovery,
 * storage and backups, which no other test holds as such: docs/acceptance.md says
 * where each of them all is.
 */
#include "aedb_kv.h"
#include "backup_run.h"
#include "numbered.h"
#include "storage.h"

#define KIB ((size_t)1 << 10)
#define MIB (KIB << 10)

/* Durability and recovery. */

TEST(closed, "a thousand commits, closed and opened, are all there, and their numbers go on")
{
	struct numbered life;
	aedb_seq_t seq;

	numbered_open(&life, AEDB_FULL);
	numbered_put(&life, 1000);
	seq = aedb_visible_seq(life.f.db);
	numbered_restart(&life);
	CHECK_EQ(aedb_visible_seq(life.f.db), seq);
	CHECK_EQ(numbered_count(&life), 1000);
	numbered_put(&life, 1);
	CHECK_EQ(aedb_visible_seq(life.f.db), seq + 1);
	numbered_close(&life);
}

TEST(version, "a key keeps value, version and times over checkpoints and openings")
{
	struct aedb_entry before, after;
	struct numbered life;

	numbered_open(&life, AEDB_FULL);
	CHECK_OK(put_text(life.f.scope, "k", "old"));
	CHECK_OK(put_text(life.f.scope, "k", "value"));
	before = stat_of(life.f.scope, "k");
	for (int i = 0; i < 4; i++) {
		if (i % 2)
			numbered_checkpoint(&life);
		if (i < 2)
			numbered_cut(&life, SIMDISK_DROP_ALL);
		else
			numbered_restart(&life);
		CHECK_STR(text_of(life.f.scope, NULL, "k"), "value");
		after = stat_of(life.f.scope, "k");
		CHECK_MEM(&after, &before, sizeof(after));
	}
	numbered_close(&life);
}

TEST(batch_cut, "in batch a power cut leaves no less than was durable, no more than was visible")
{
	for (uint64_t i = 0; i < check_times(20); i++) {
		struct numbered life;
		aedb_seq_t durable, visible;

		numbered_init(&life);
		life.f.options.durability = AEDB_BATCH;
		life.f.options.sync_interval_ms = 1;
		numbered_start(&life);
		numbered_put(&life, 64);
		durable = aedb_durable_seq(life.f.db);
		visible = aedb_visible_seq(life.f.db);
		life.cuts = i;
		/* projects and scopes were made durable with it, or are not there */
		if (numbered_try_cut(&life, i % 2 ? SIMDISK_RANDOM :
					    SIMDISK_DROP_ALL) == 0)
			CHECK(numbered_count(&life) <= 64);
		else
			CHECK_EQ(durable, 0);
		CHECK(aedb_visible_seq(life.f.db) >= durable);
		CHECK(aedb_visible_seq(life.f.db) <= visible);
		numbered_drop(&life);
		simdisk_free(life.f.disk);
	}
}

TEST(full_cut, "in full each commit is durable when it returns, and a power cut takes none")
{
	struct numbered life;

	numbered_open(&life, AEDB_FULL);
	for (int i = 0; i < 512; i++) {
		numbered_put(&life, 1);
		CHECK_EQ(aedb_durable_seq(life.f.db),
			 aedb_visible_seq(life.f.db));
	}
	numbered_cut(&life, SIMDISK_DROP_ALL);
	CHECK_EQ(numbered_count(&life), 512);
	numbered_close(&life);
}

TEST(around_checkpoint, "what is in a checkpoint and what came after it are both there")
{
	struct numbered life;

	numbered_open(&life, AEDB_FULL);
	numbered_put(&life, 50);
	numbered_checkpoint(&life);
	numbered_put(&life, 50);
	numbered_cut(&life, SIMDISK_DROP_ALL);
	CHECK_EQ(numbered_count(&life), 100);
	numbered_close(&life);
}

static void stray_make(struct simdisk *disk, const char *path)
{
	static const char junk[5000] = "no file of a database";
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path,
			       VFS_CREATE, &file));
	CHECK_OK(vfs_write_all(file, junk, sizeof(junk), 0));
	CHECK_OK(vfs_file_sync(file));
	vfs_file_close(file);
}

TEST(strays, "files that a crash left half made are passed over, and later commits stay")
{
	static const char *const strays[] = {
		"seg/000000000000ffff.seg", "seg/65000.seg", "val/65000.val",
		"wal/65000.wal.tmp", "MANIFEST-65000", "CURRENT.new",
	};
	struct numbered life;

	numbered_open(&life, AEDB_FULL);
	numbered_put(&life, 50);
	numbered_checkpoint(&life);
	numbered_put(&life, 50);
	for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++)
		stray_make(life.f.disk, strays[i]);
	numbered_cut(&life, SIMDISK_KEEP_ALL);
	CHECK_EQ(numbered_count(&life), 100);
	numbered_put(&life, 50);
	numbered_checkpoint(&life);
	numbered_cut(&life, SIMDISK_DROP_ALL);
	CHECK_EQ(numbered_count(&life), 150);
	numbered_close(&life);
}

/* All of a state that can be seen, as a number. */
static uint64_t state_digest(struct numbered *life)
{
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	uint64_t digest = 14695981039346656037u;

	CHECK_OK(aedb_scan_open(life->f.scope, NULL, &all, &scan));
	while (aedb_scan_next(scan, &entry) == 0) {
		const uint8_t *parts[] = { entry.key, entry.value };
		const uint64_t numbers[] = { entry.version, entry.id,
					     (uint64_t)entry.mtime_ns,
					     entry.value_bytes };
		const size_t sizes[] = { entry.key_bytes,
					 entry.value ? entry.value_bytes : 0 };

		for (int i = 0; i < 2; i++)
			for (size_t k = 0; k < sizes[i]; k++)
				digest = (digest ^ parts[i][k]) * 1099511628211u;
		for (int i = 0; i < 4; i++)
			digest = (digest ^ numbers[i]) * 1099511628211u;
	}
	aedb_scan_close(scan);
	return digest;
}

TEST(twice, "a log that is repeated twice, from the same files or after itself, gives the same")
{
	struct simdisk *left;
	struct numbered life;
	uint64_t digest;

	numbered_open(&life, AEDB_FULL);
	numbered_put(&life, 200);
	numbered_checkpoint(&life);
	life.n = 100;
	numbered_put(&life, 200);
	digest = state_digest(&life);
	left = simdisk_clone(life.f.disk);
	for (int i = 0; i < 2; i++) {
		numbered_cut(&life, SIMDISK_DROP_ALL);
		CHECK_EQ(state_digest(&life), digest);
		numbered_cut(&life, SIMDISK_KILL);
		CHECK_EQ(state_digest(&life), digest);
		numbered_drop(&life);
		simdisk_free(life.f.disk);
		life.f.disk = simdisk_clone(left);
		CHECK_OK(numbered_reopen(&life));
	}
	CHECK_EQ(state_digest(&life), digest);
	simdisk_free(left);
	numbered_close(&life);
}

TEST(cycles, "over restarts, kills and power cuts again and again no commit is lost")
{
	struct numbered life;

	numbered_open(&life, AEDB_FULL);
	for (unsigned i = 0; i < check_times(50); i++) {
		numbered_put(&life, 1 + (unsigned)(check_random() % 20));
		if (check_random() % 8 == 0)
			numbered_checkpoint(&life);
		life.cuts = check_random();
		if (check_random() % 3)
			numbered_cut(&life, (enum simdisk_crash_mode)
				     (check_random() % (SIMDISK_KILL + 1)));
		else
			numbered_restart(&life);
		CHECK_EQ(numbered_count(&life), life.n);
	}
	numbered_close(&life);
}

/* Storage. */

/* Changes a byte behind the headers of each value file. */
static void values_damage(struct simdisk *disk)
{
	struct vfs *vfs = simdisk_vfs(disk);
	struct vfs_file *file;
	char path[64], **names;
	uint8_t byte;
	size_t n;

	CHECK_OK(vfs->ops->list(vfs, "val", &names, &n));
	CHECK(n > 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "val/%.40s", names[i]);
		CHECK_OK(vfs_file_open(vfs, path, VFS_WRITE, &file));
		CHECK_OK(vfs_read_exact(file, &byte, 1, FILE_DATA_OFFSET + 100));
		byte ^= 1;
		CHECK_OK(vfs_write_all(file, &byte, 1, FILE_DATA_OFFSET + 100));
		vfs_file_close(file);
	}
	vfs_free_names(names, n);
}

TEST(damaged_guard, "a damaged value is an error for who reads it and for what asserts it")
{
	struct aedb_assertion a = { .kind = AEDB_ASSERT_VALUE, .key = "key-000000",
				    .key_bytes = 10, .value = "x",
				    .value_bytes = 1,
				    .comparison = AEDB_NOT_EQUAL };
	struct aedb_entry entry;
	struct numbered life;
	struct aedb_txn *txn;

	numbered_init(&life);
	life.f.options.inline_bytes_max = 0;
	numbered_start(&life);
	numbered_put(&life, 1);
	numbered_checkpoint(&life);
	numbered_restart(&life);
	values_damage(life.f.disk);
	CHECK_EQ(aedb_get(life.f.scope, NULL, "key-000000", 10, &entry),
		 AEDB_CORRUPT);
	txn = txn_of(life.f.db);
	a.scope = life.f.scope;
	CHECK_OK(aedb_txn_assert(txn, &a));
	CHECK_OK(txn_put_text(txn, life.f.scope, "new", "value"));
	CHECK_EQ(txn_end(txn), AEDB_CORRUPT);
	CHECK(!text_of(life.f.scope, NULL, "new"));
	/* nobody else is concerned */
	CHECK_OK(put_text(life.f.scope, "new", "value"));
	CHECK_STR(text_of(life.f.scope, NULL, "new"), "value");
	numbered_close(&life);
}

static uint64_t scan_calls(struct numbered *life, unsigned int from,
			   unsigned int n)
{
	uint64_t calls = simdisk_calls(life->f.disk);
	struct aedb_range range = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	char key[16];

	range.from = key;
	range.from_bytes = numbered_key(from, key);
	CHECK_OK(aedb_scan_open(life->f.scope, NULL, &range, &scan));
	for (unsigned int i = 0; i < n; i++)
		CHECK_OK(aedb_scan_next(scan, &entry));
	aedb_scan_close(scan);
	return simdisk_calls(life->f.disk) - calls;
}

TEST(short_scan, "a scan that ends soon reads a few blocks, however much there is")
{
	uint64_t few, all;
	struct numbered life;

	numbered_open(&life, AEDB_OS);
	numbered_put(&life, 20000);
	numbered_checkpoint(&life);
	CHECK_OK(aedb_compact(life.f.db));
	numbered_restart(&life);
	few = scan_calls(&life, 10000, 10);
	all = scan_calls(&life, 0, 20000);
	CHECK_THAT(few <= 12 && all > few, "%" PRIu64 " calls, for all %" PRIu64,
		   few, all);
	numbered_close(&life);
}

TEST(pressure, "beyond its memory what is small is on the disk, the bound holds, and all is read")
{
	struct numbered life;

	numbered_init(&life);
	life.f.options.durability = AEDB_OS;
	life.f.options.memory_bytes = 256 * KIB;
	life.value_bytes = 30;
	numbered_start(&life);
	for (int i = 0; i < 100; i++) {
		numbered_put(&life, 100);
		CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	}
	CHECK(numbered_stats(&life).segment_bytes > 0);
	CHECK_EQ(numbered_count(&life), 10000);
	CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	numbered_close(&life);
}

/* Backups. */

static uint64_t bytes_beneath(struct vfs *vfs, const char *directory)
{
	uint64_t bytes = 0, size;
	struct vfs_file *file;
	char path[96], **names;
	size_t n;

	if (vfs->ops->list(vfs, directory, &names, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%.40s/%.40s", directory, names[i]);
		CHECK_OK(vfs_file_open(vfs, path, VFS_READ, &file));
		CHECK_OK(vfs_file_size(file, &size));
		bytes += size;
		vfs_file_close(file);
	}
	vfs_free_names(names, n);
	return bytes;
}

TEST(covered_log, "a full backup has no log that its checkpoint covers")
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL,
					       .name = "b" };
	struct vfs *directory;
	struct vfs *root;
	struct numbered life;

	numbered_init(&life);
	life.f.options.log_keep_bytes = 64 * MIB;
	numbered_start(&life);
	root = simdisk_vfs(life.f.disk);
	CHECK_OK(root->ops->mkdir(root, "backups"));
	CHECK_OK(vfs_under(root, "backups", &directory));
	numbered_put(&life, 2000);
	CHECK(bytes_beneath(root, "wal") > 400 * KIB);
	CHECK_OK(backup_run(life.f.db, directory, &options, NULL));
	CHECK(bytes_beneath(directory, "b/wal") < 64 * KIB);
	CHECK(bytes_beneath(directory, "b/seg") > 0);
	vfs_close(directory);
	numbered_close(&life);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
