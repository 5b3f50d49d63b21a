/*
 * Databases opened to be read only, with segments, value files and a log.
 */
#include "db_fixture.h"

#define KEYS 400

static void key_of(unsigned i, char *ret)
{
	sprintf(ret, "key %u", i);
}

/* The value a key has in its n-th version: small, medium or large. */
static size_t value_of(unsigned i, unsigned version, uint8_t *ret)
{
	size_t n = i % 50 == 7 ? 90000 : i % 10 == 3 ? 5000 : 20;

	bytes_fill(ret, n, i * 1000 + version);
	return n;
}

static void put_all(struct aedb_scope *scope, unsigned version, unsigned step)
{
	static uint8_t value[90000];
	char key[32];

	for (unsigned i = 0; i < KEYS; i += step) {
		size_t n = value_of(i, version, value);

		key_of(i, key);
		CHECK_OK(aedb_put(scope, key, strlen(key), value, n));
	}
}

/* Version 1 of all keys, 2 of each 3rd in the log or, with a checkpoint, in
 * segments, 3 of each 7th in the log; a snapshot at 1; each 11th deleted. */
static void database_make(struct fixture *f)
{
	char key[32];

	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.wal_file_bytes = 256 << 10;
	f->options.memory_bytes = 4 << 20;
	fixture_start(f);
	put_all(f->scope, 1, 1);
	CHECK_OK(aedb_compact(f->db));
	CHECK_OK(aedb_snapshot_create(f->db, "first", NULL));
	put_all(f->scope, 2, 3);
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	put_all(f->scope, 3, 7);
	for (unsigned i = 0; i < KEYS; i += 11) {
		key_of(i, key);
		CHECK_OK(delete_text(f->scope, key));
	}
	fixture_stop(f);
	f->options.mode = AEDB_OPEN_READ_ONLY;
}

static unsigned version_of(unsigned i)
{
	return i % 11 == 0 ? 0 : i % 7 == 0 ? 3 : i % 3 == 0 ? 2 : 1;
}

static void check_key(struct aedb_scope *scope,
		      const struct aedb_snapshot *snapshot, unsigned i,
		      unsigned version)
{
	static uint8_t want[90000];
	struct aedb_entry entry;
	char key[32];
	size_t n;

	key_of(i, key);
	if (version == 0) {
		CHECK_EQ(aedb_get(scope, snapshot, key, strlen(key), &entry),
			 AEDB_NOT_FOUND);
		return;
	}
	n = value_of(i, version, want);
	CHECK_OK(aedb_get(scope, snapshot, key, strlen(key), &entry));
	CHECK_EQ(entry.value_bytes, n);
	CHECK_MEM(entry.value, want, n);
	aedb_unpin(&entry);
}

static void check_scan(struct aedb_scope *scope)
{
	struct aedb_range all = { .prefix = NULL };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	unsigned n = 0, want = 0;

	for (unsigned i = 0; i < KEYS; i++)
		want += version_of(i) != 0;
	CHECK_OK(aedb_scan_open(scope, NULL, &all, &scan));
	while (aedb_scan_next(scan, &entry) == 0)
		n++;
	aedb_scan_close(scan);
	CHECK_EQ(n, want);
}

static void check_content(struct fixture *f)
{
	struct aedb_snapshot *snapshot;

	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
	for (unsigned i = 0; i < KEYS; i++)
		check_key(f->scope, NULL, i, version_of(i));
	check_scan(f->scope);
	CHECK_OK(aedb_snapshot_open_named(f->db, "first", &snapshot));
	for (unsigned i = 0; i < KEYS; i++)
		check_key(f->scope, snapshot, i, 1);
	aedb_snapshot_close(snapshot);
}

TEST(reads, "a read-only open reads segments, value files, log and snapshots")
{
	struct fixture f;

	database_make(&f);
	CHECK_OK(fixture_try(&f));
	check_content(&f);
	fixture_close(&f);
}

TEST(small_memory, "with little memory it reads the same")
{
	struct fixture f;

	database_make(&f);
	f.options.memory_bytes = 64 << 10;
	CHECK_OK(fixture_try(&f));
	check_content(&f);
	fixture_close(&f);
}

TEST(refuses, "whatever would write is refused")
{
	struct fixture f;

	database_make(&f);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_EQ(put_text(f.scope, "key", "value"), AEDB_READ_ONLY);
	CHECK_EQ(delete_text(f.scope, "key 1"), AEDB_READ_ONLY);
	CHECK_EQ(aedb_create(f.db, place("p", "t")), AEDB_READ_ONLY);
	CHECK_EQ(aedb_checkpoint(f.db, NULL), AEDB_READ_ONLY);
	CHECK_EQ(aedb_compact(f.db), AEDB_READ_ONLY);
	CHECK_EQ(aedb_snapshot_create(f.db, "more", NULL), AEDB_READ_ONLY);
	CHECK_EQ(aedb_snapshot_delete(f.db, "first"), AEDB_READ_ONLY);
	CHECK_EQ(aedb_snapshot_rename(f.db, "first", "one"), AEDB_READ_ONLY);
	check_key(f.scope, NULL, 1, 1);
	fixture_close(&f);
}

TEST(together, "several read at once, beside each other, and none who writes")
{
	struct fixture f, other;

	database_make(&f);
	CHECK_OK(fixture_try(&f));
	other = f;
	CHECK_OK(fixture_try(&other));
	check_content(&f);
	check_content(&other);
	aedb_scope_close(other.scope);
	CHECK_OK(aedb_close(other.db));
	other.options.mode = AEDB_OPEN_EXISTING;
	CHECK_EQ(fixture_try(&other), AEDB_BUSY);
	fixture_close(&f);
}

/* A disk that allows no writing at all. */

static struct {
	struct vfs_ops ops;
	const struct vfs_ops *real;
	unsigned writes;
} guard;

static int refuse_open(struct vfs *vfs, const char *path, unsigned flags,
		       struct vfs_file **ret)
{
	guard.writes += flags != VFS_READ;
	return guard.real->open(vfs, path, flags, ret);
}

static int refuse_write(struct vfs_file *file, const struct iovec *iov,
			int iovcnt, uint64_t offset)
{
	(void)file, (void)iov, (void)iovcnt, (void)offset;
	guard.writes++;
	return AEDB_IO;
}

static int refuse_range(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	(void)file, (void)offset, (void)n;
	guard.writes++;
	return AEDB_IO;
}

static int refuse_size(struct vfs_file *file, uint64_t size)
{
	(void)file, (void)size;
	guard.writes++;
	return AEDB_IO;
}

static int refuse_name(struct vfs *vfs, const char *path)
{
	(void)vfs, (void)path;
	guard.writes++;
	return AEDB_IO;
}

static int refuse_rename(struct vfs *vfs, const char *from, const char *to)
{
	(void)vfs, (void)from, (void)to;
	guard.writes++;
	return AEDB_IO;
}

TEST(writes_nothing, "nothing on the disk is written, made, renamed or removed")
{
	struct vfs *vfs;
	struct fixture f;

	database_make(&f);
	vfs = simdisk_vfs(f.disk);
	guard.real = vfs->ops;
	guard.ops = *guard.real;
	guard.ops.open = refuse_open;
	guard.ops.write = refuse_write;
	guard.ops.allocate = refuse_range;
	guard.ops.allocate_ahead = refuse_range;
	guard.ops.truncate = refuse_size;
	guard.ops.unlink = guard.ops.mkdir = guard.ops.sync_dir = refuse_name;
	guard.ops.rename = refuse_rename;
	guard.writes = 0;
	vfs->ops = &guard.ops;
	CHECK_OK(fixture_try(&f));
	check_content(&f);
	fixture_stop(&f);
	vfs->ops = guard.real;
	CHECK_EQ(guard.writes, 0);
	simdisk_free(f.disk);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
