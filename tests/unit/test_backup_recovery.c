/*
 * Backups of a database that was killed: what recovery wrote is in them.
 */
#include "backup_run.h"
#include "db_fixture.h"
#include "restore.h"

#define COMMITS_MAX 24

static void backup_to(struct fixture *f, enum aedb_backup_kind kind,
		      const char *name, struct aedb_backup_info *ret)
{
	struct aedb_backup_options options = { .kind = kind, .name = name };
	struct vfs *directory;

	CHECK_OK(vfs_under(simdisk_vfs(f->disk), "backups", &directory));
	CHECK_OK(backup_run(f->db, directory, &options, ret));
	vfs_close(directory);
}

/* Commits, a kill, and an open with so little memory that recovery writes
 * checkpoints on its way. */
static void killed_open(unsigned commits, struct fixture *ret)
{
	struct aedb_backup_info info;
	struct fixture f;
	struct vfs *root;
	uint8_t value[300];

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	root = simdisk_vfs(f.disk);
	CHECK_OK(root->ops->mkdir(root, "backups"));
	backup_to(&f, AEDB_BACKUP_FULL, "full", &info);
	bytes_fill(value, sizeof(value), 1);
	for (unsigned i = 0; i < commits; i++)
		CHECK_OK(aedb_put(f.scope, &i, sizeof(i), value, sizeof(value)));
	*ret = (struct fixture){ .disk = simdisk_clone(f.disk),
				 .options = f.options };
	fixture_close(&f);
	simdisk_crash(ret->disk, 1, SIMDISK_KILL);
	ret->options.memory_bytes = 16 << 10;
	CHECK_OK(fixture_try(ret));
}

TEST(recovered, "a backup after a recovery that wrote checkpoints is restored")
{
	unsigned at_end = 0;

	for (unsigned commits = 1; commits <= COMMITS_MAX; commits++) {
		struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };
		struct restore_shelf shelf = { .n = 0 };
		const struct restore_entry *last;
		struct aedb_restore_info restored;
		struct aedb_backup_info info;
		struct vfs *root, *directory;
		struct fixture f;

		killed_open(commits, &f);
		at_end += atomic_load(&f.db->checkpoint_seq) == db_visible(f.db);
		backup_to(&f, AEDB_BACKUP_INCREMENTAL, "more", &info);
		CHECK_EQ(info.head_seq, db_visible(f.db));
		CHECK_OK(aedb_close(f.db));
		root = simdisk_vfs(f.disk);
		CHECK_OK(vfs_under(root, "backups", &directory));
		CHECK_OK(restore_shelf_add_all(&shelf, directory, &options.key));
		CHECK_OK(restore_shelf_find(&shelf, info.id, NULL, &last));
		CHECK_OK(restore_run(&shelf, last, root, "restored", &options, &restored));
		CHECK_EQ(restored.seq, info.head_seq);
		restore_shelf_release(&shelf);
		vfs_close(directory);
		simdisk_free(f.disk);
	}
	CHECK(at_end > 0 && at_end < COMMITS_MAX);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
