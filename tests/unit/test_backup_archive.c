/*
 * Archives of backups: what comes out is the backup that went in, and archives
 * that are whole but are not what their manifest says are refused.
 */
#include "archive.h"
#include "archive_disk.h"
#include "backup_archive.h"
#include "make_backup.h"

static const uint8_t bytes_of_key[32] = "a key, of thirty-two bytes, here";
static const struct aedb_backup_key key = { bytes_of_key, 32 };

static const struct aedb_backup_archive_options plain;
static const struct aedb_backup_archive_options keyed = {
	.key = { bytes_of_key, 32 },
};

/* A full backup "a" and "b", which goes on from it. */
static struct simdisk *backups_make(const struct aedb_backup_key *signed_with)
{
	struct simdisk *disk = simdisk_new(check_random());
	struct make_backup how = { .name = "a", .form = AEDB_BACKUP_FILES,
				   .began_us = 1, .seed = 1, .key = signed_with };
	struct backup_manifest a, b;

	make_backup(simdisk_vfs(disk), &how, &a);
	how = (struct make_backup){ .name = "b", .form = AEDB_BACKUP_FILES,
				    .parent = &a, .began_us = 2, .seed = 2,
				    .key = signed_with };
	make_backup(simdisk_vfs(disk), &how, &b);
	backup_manifest_release(&a);
	backup_manifest_release(&b);
	return disk;
}

static struct vfs *under(struct simdisk *disk, const char *name)
{
	struct vfs *vfs;

	CHECK_OK(vfs_under(simdisk_vfs(disk), name, &vfs));
	return vfs;
}

static int new_stream(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

/* From its beginning, into a new disk. */
static int unpack(int fd, const struct aedb_backup_archive_options *options,
		  struct aedb_backup_archive_info *ret)
{
	struct simdisk *disk = simdisk_new(1);
	int rc;

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	rc = backup_archive_unpack(fd, simdisk_vfs(disk), options, ret);
	simdisk_free(disk);
	return rc;
}

static void round_trip(const char *name, const struct aedb_backup_key *signed_with,
		       const struct aedb_backup_archive_options *options)
{
	struct simdisk *disk = backups_make(signed_with);
	struct aedb_backup_archive_info in, out;
	struct vfs *vfs = under(disk, name);
	int fd = new_stream();

	CHECK_OK(backup_archive_pack(vfs, fd, options, &in));
	CHECK_OK(unpack(fd, options, &out));
	CHECK_STR(out.backup.name, name);
	CHECK_STR(out.backup.id, in.backup.id);
	CHECK_EQ(out.backup.is_signed, signed_with != NULL);
	CHECK_EQ(out.archive.is_encrypted, options->key.bytes != NULL);
	CHECK_EQ(out.archive.entries, in.archive.entries);
	CHECK_EQ(out.archive.bytes, in.archive.bytes);
	close(fd);
	vfs_close(vfs);
	simdisk_free(disk);
}

TEST(round_trips, "full and incremental backups come out as they went in, with and without a key")
{
	round_trip("a", NULL, &plain);
	round_trip("b", NULL, &plain);
	round_trip("b", NULL, &keyed);
	round_trip("b", &key, &keyed);
	round_trip("b", &key, &plain);
}

TEST(believed, "an archive that is not encrypted is believed with a key for its signature only")
{
	const struct aedb_backup_key *keys[] = { NULL, &key };

	for (int i = 0; i < 2; i++) {
		struct simdisk *disk = backups_make(keys[i]);
		struct aedb_backup_archive_info info;
		struct vfs *vfs = under(disk, "a");
		int fd = new_stream();

		CHECK_OK(backup_archive_pack(vfs, fd, &plain, &info));
		CHECK_EQ(unpack(fd, &keyed, &info), i ? 0 : AEDB_ACCESS);
		close(fd);
		vfs_close(vfs);
		simdisk_free(disk);
	}
}

TEST(verified, "what only verifies writes the manifest only")
{
	struct aedb_backup_archive_options options = keyed;
	struct simdisk *disk = backups_make(NULL), *to = simdisk_new(1);
	struct vfs *vfs = under(disk, "a");
	struct aedb_backup_archive_info info;
	int fd = new_stream();
	char **names;
	size_t n;

	options.only_verify = true;
	CHECK_OK(backup_archive_pack(vfs, fd, &keyed, &info));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_OK(backup_archive_unpack(fd, simdisk_vfs(to), &options, &info));
	CHECK_OK(simdisk_vfs(to)->ops->list(simdisk_vfs(to), ".", &names, &n));
	CHECK_EQ(n, 1);
	CHECK_STR(names[0], "backup.json");
	vfs_free_names(names, n);
	close(fd);
	vfs_close(vfs);
	simdisk_free(to);
	simdisk_free(disk);
}

/* What can be done to a backup's directory. */

static void add_file(struct vfs *vfs)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(vfs, "seg/99.seg", VFS_CREATE, &file));
	vfs_file_close(file);
}

static void add_deep_file(struct vfs *vfs)
{
	struct vfs_file *file;

	CHECK_OK(vfs->ops->mkdir(vfs, "etc"));
	CHECK_OK(vfs_file_open(vfs, "etc/a-name-that-is-longer-than-any-of-a-backup",
			       VFS_CREATE, &file));
	vfs_file_close(file);
}

static void add_directory(struct vfs *vfs)
{
	CHECK_OK(vfs->ops->mkdir(vfs, "etc"));
}

static void change_file(struct vfs *vfs)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(vfs, "CURRENT", VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, 0));
	byte ^= 1;
	CHECK_OK(vfs_write_all(file, &byte, 1, 0));
	vfs_file_close(file);
}

static void shorten_file(struct vfs *vfs)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(vfs, "MANIFEST-1", VFS_WRITE, &file));
	CHECK_OK(vfs_file_truncate(file, 1));
	vfs_file_close(file);
}

static void remove_file(struct vfs *vfs)
{
	CHECK_OK(vfs->ops->unlink(vfs, "CURRENT"));
}

static void remove_manifest(struct vfs *vfs)
{
	CHECK_OK(vfs->ops->unlink(vfs, "backup.json"));
}

/* As an archive that is whole, with the last entry `last`. */
static void refused(void (*change)(struct vfs *vfs), const char *last)
{
	struct simdisk *disk = backups_make(NULL);
	struct vfs *vfs = under(disk, "b");
	struct aedb_archive_options options = options_with(NULL);
	struct aedb_backup_archive_info info;
	struct aedb_archive_info packed;
	int fd = new_stream();

	if (change)
		change(vfs);
	options.last = last;
	CHECK_OK(archive_pack(vfs, fd, &options, &packed));
	CHECK_EQ(unpack(fd, &plain, &info), AEDB_CORRUPT);
	if (change)
		CHECK(backup_archive_pack(vfs, fd, &plain, &info) < 0);
	close(fd);
	vfs_close(vfs);
	simdisk_free(disk);
}

TEST(other_content, "an archive is refused that is not of exactly the manifest's files")
{
	refused(add_file, "backup.json");
	refused(add_deep_file, "backup.json");
	refused(add_directory, "backup.json");
	refused(change_file, "backup.json");
	refused(shorten_file, "backup.json");
	refused(remove_file, "backup.json");
	refused(remove_manifest, NULL);
	refused(NULL, "CURRENT");
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
