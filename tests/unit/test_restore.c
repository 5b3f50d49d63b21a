/*
 * Where a database is restored: it appears whole or not at all, whatever ends the
 * restore, and nothing of anybody else goes.
 */
#include "backup_run.h"
#include "db_fixture.h"
#include "restore.h"
#include "leftovers.h"
#include "restore_stage.h"

#define KEYS 3

static struct simdisk *disk;
static struct vfs *root;

static void backup_make(struct fixture *f, enum aedb_backup_kind kind,
			const char *name)
{
	struct aedb_backup_options options = { .kind = kind, .name = name };
	struct aedb_backup_info info;
	struct vfs *directory;

	CHECK_OK(vfs_under(root, "backups", &directory));
	CHECK_OK(backup_run(f->db, directory, &options, &info));
	vfs_close(directory);
}

static void begin(void)
{
	struct fixture f;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	disk = f.disk;
	root = simdisk_vfs(disk);
	CHECK_OK(root->ops->mkdir(root, "backups"));
	CHECK_OK(put_text(f.scope, "0", "value"));
	backup_make(&f, AEDB_BACKUP_FULL, "full");
	CHECK_OK(put_text(f.scope, "1", "value"));
	CHECK_OK(put_text(f.scope, "2", "value"));
	backup_make(&f, AEDB_BACKUP_INCREMENTAL, "last");
	aedb_scope_close(f.scope);
	CHECK_OK(aedb_close(f.db));
	CHECK_OK(vfs_sync_dir(root, "."));
}

static int restore_on(struct simdisk *on)
{
	struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };
	struct restore_shelf shelf = { .n = 0 };
	struct vfs *vfs = simdisk_vfs(on), *directory;
	size_t last = 0;
	int rc = vfs_under(vfs, "backups", &directory);

	if (rc < 0)
		return rc;
	rc = restore_shelf_add_all(&shelf, directory, &options.key);
	if (rc == 0)
		rc = restore_shelf_add(&shelf, directory, "last", &options.key,
				       &last);
	if (rc == 0)
		rc = restore_run(&shelf, &shelf.at[last], vfs, "restored",
				 &options, NULL);
	restore_shelf_release(&shelf);
	vfs_close(directory);
	return rc;
}

static int kind_on(struct simdisk *on, const char *path)
{
	enum vfs_kind kind;

	return vfs_kind(simdisk_vfs(on), path, &kind);
}

/* Opened it has all keys, and what a restore had left in it is gone. */
static void whole_check(struct simdisk *on)
{
	struct aedb_options options;
	struct aedb_scope *scope;
	struct vfs *vfs;
	struct aedb *db;
	char key[2] = "0";

	aedb_options_init(&options);
	options.maintenance = AEDB_ON_CALL;
	CHECK_OK(vfs_under(simdisk_vfs(on), "restored", &vfs));
	CHECK_OK(db_open(vfs, "restored", &options, &db));
	CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
	for (int i = 0; i < KEYS; i++, key[0]++)
		CHECK_STR(text_of(scope, NULL, key), "value");
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	CHECK_EQ(kind_on(on, "restored/.restoring"), AEDB_NOT_FOUND);
	CHECK_OK(leftovers_remove_restore_beside(simdisk_vfs(on), "restored"));
	/* a disk that was cut may have it under both names: nothing is removed then */
	if (kind_on(on, ".restored.restoring/db") < 0)
		CHECK_EQ(kind_on(on, ".restored.restoring"), AEDB_NOT_FOUND);
}

/* What has CURRENT is whole; else it is restored now. */
static bool end_check(struct simdisk *on)
{
	bool is_whole = kind_on(on, "restored/CURRENT") == 0;

	if (is_whole)
		CHECK_EQ(restore_on(on), AEDB_NOT_EMPTY);
	else
		CHECK_OK(restore_on(on));
	whole_check(on);
	return is_whole;
}

static void inside_or_beside(bool is_inside)
{
	if (is_inside)
		CHECK_OK(root->ops->mkdir(root, "restored"));
	CHECK_OK(vfs_sync_dir(root, "."));
}

TEST(cuts, "a restore that ends in any call leaves a whole database or none, and the "
	"next one is made")
{
	for (unsigned round = 0; round < 4; round++) {
		struct simdisk **records;
		size_t n, whole = 0;

		begin();
		inside_or_beside(round % 2);
		simdisk_record(disk);
		CHECK_OK(restore_on(disk));
		n = simdisk_take_records(disk, &records);
		for (size_t i = 0; i < n; i++) {
			simdisk_crash(records[i], check_random(),
				      round / 2 ? SIMDISK_KILL : SIMDISK_RANDOM);
			whole += end_check(records[i]);
			simdisk_free(records[i]);
		}
		free(records);
		CHECK(whole && whole < n);
		whole_check(disk);
		simdisk_free(disk);
	}
}

TEST(faults, "a restore whose disk fails says so and leaves no database, and the next "
	"one is made")
{
	for (unsigned round = 0; round < check_times(60); round++) {
		enum simdisk_fault fault = round % 2 ? SIMDISK_EIO : SIMDISK_ENOSPC;
		int rc;

		begin();
		inside_or_beside(check_random() % 2);
		simdisk_fail_at(disk, simdisk_calls(disk) + 1 + check_random() % 200,
				fault);
		rc = restore_on(disk);
		simdisk_fail_at(disk, 0, fault);
		if (rc < 0)
			CHECK_EQ(kind_on(disk, "restored/CURRENT"), AEDB_NOT_FOUND);
		end_check(disk);
		simdisk_free(disk);
	}
}

static void text_write(const char *path)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(root, path, VFS_CREATE, &file));
	CHECK_OK(vfs_write_all(file, "mine", 4, 0));
	vfs_file_close(file);
}

TEST(others, "what somebody else has in the place of a restore is not touched")
{
	static const char *const files[] = { "mine", "RESTORING", NULL };

	for (unsigned i = 0; i < 2; i++) {
		begin();
		CHECK_OK(root->ops->mkdir(root, ".restored.restoring"));
		text_write(".restored.restoring/mine");
		if (i)
			text_write(".restored.restoring/RESTORING");
		CHECK_EQ(restore_on(disk), AEDB_EXISTS);
		CHECK(strstr(err_message(), ".restored.restoring is in the way"));
		for (unsigned k = 0; k <= i; k++) {
			char path[64];

			sprintf(path, ".restored.restoring/%s", files[k]);
			CHECK_OK(kind_on(disk, path));
		}
		CHECK_EQ(kind_on(disk, "restored"), AEDB_NOT_FOUND);
		simdisk_free(disk);
	}
	begin();
	text_write(".restored.restoring");
	CHECK_EQ(restore_on(disk), AEDB_EXISTS);
	CHECK_OK(kind_on(disk, ".restored.restoring"));
	simdisk_free(disk);
}

TEST(empty, "what mkfs makes, and backups that are unpacked there, do not fill a place")
{
	begin();
	CHECK_OK(root->ops->mkdir(root, "restored"));
	CHECK_OK(root->ops->mkdir(root, "restored/lost+found"));
	CHECK_OK(root->ops->mkdir(root, "restored/.unpacked-1"));
	text_write("restored/seg");
	CHECK_EQ(restore_on(disk), AEDB_NOT_EMPTY);
	CHECK_OK(vfs_unlink(root, "restored/seg"));
	CHECK_OK(restore_on(disk));
	CHECK_OK(kind_on(disk, "restored/lost+found"));
	CHECK_OK(kind_on(disk, "restored/.unpacked-1"));
	whole_check(disk);
	simdisk_free(disk);
}

TEST(twice, "of two restores into one place the second is refused, and touches nothing")
{
	for (unsigned i = 0; i < 2; i++) {
		struct restore_stage stage;

		begin();
		inside_or_beside(i);
		CHECK_OK(restore_stage_look(root, "restored", &stage));
		CHECK_OK(restore_stage_make(&stage));
		CHECK_OK(stage.to->ops->mkdir(stage.to, "seg"));
		CHECK_EQ(restore_on(disk), AEDB_BUSY);
		CHECK(strstr(err_message(), "another restore works there"));
		CHECK_OK(vfs_sync_dir(stage.to, "seg"));
		restore_stage_drop(&stage);
		restore_stage_release(&stage);
		CHECK_EQ(kind_on(disk, ".restored.restoring"), AEDB_NOT_FOUND);
		CHECK_EQ(kind_on(disk, "restored/.restoring"), AEDB_NOT_FOUND);
		CHECK_OK(restore_on(disk));
		whole_check(disk);
		simdisk_free(disk);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
