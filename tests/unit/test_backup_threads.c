/*
 * Backups made while others commit, checkpoint, compact and delete snapshots:
 * each, restored, is exactly the state of its head.
 */
#include <pthread.h>

#include "backup_run.h"
#include "backup_set.h"
#include "checkpoint.h"
#include "db_fixture.h"
#include "restore.h"

#define WRITERS 4
#define KEYS 8		/* of each writer */
#define BACKUPS 8
#define ROUNDS_MAX (1 << 16)
#define VALUE_BYTES 70000	/* of every fourth value: those are in value files */

struct busy {
	struct fixture f;
	struct vfs *directory;
	_Atomic bool is_over;	/* atomic */
	/* The number of each round's commit; of its writer until that ended. */
	seq_t seqs[WRITERS][ROUNDS_MAX];
	uint64_t rounds[WRITERS];	/* likewise: how many */
	pthread_t writers[WRITERS], upkeep;
};

static struct busy busy;

/* All keys of a writer get the same value in one commit: its round. */
static void round_commit(unsigned writer, uint64_t round)
{
	static __thread uint8_t value[VALUE_BYTES];
	struct aedb_txn *txn = txn_of(busy.f.db);

	for (unsigned key = 0; key < KEYS; key++) {
		char name[16];

		sprintf(name, "w%u-%u", writer, key);
		memcpy(value, &round, sizeof(round));
		CHECK_OK(aedb_txn_put(txn, busy.f.scope, &(struct aedb_put){
			.key = name, .key_bytes = strlen(name), .value = value,
			.value_bytes = key % 4 ? sizeof(round) : VALUE_BYTES }));
	}
	CHECK_OK(aedb_txn_commit(txn, &busy.seqs[writer][round]));
	busy.rounds[writer] = round + 1;
}

static void *writer_run(void *arg)
{
	unsigned writer = (unsigned)(uintptr_t)arg;

	for (uint64_t round = 1; !atomic_load(&busy.is_over) && round < ROUNDS_MAX;
	     round++)
		round_commit(writer, round);
	return NULL;
}

static void *upkeep_run(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !atomic_load(&busy.is_over); i++) {
		seq_t seq;

		CHECK_OK(checkpoint_run(busy.f.db, i % 2 ? CHECKPOINT_ROTATE :
				       CHECKPOINT_KEEP, &seq));
		CHECK_OK(aedb_snapshot_create(busy.f.db, "s", NULL));
		if (i % 3 == 0)
			CHECK_OK(aedb_compact(busy.f.db));
		CHECK_OK(aedb_snapshot_delete(busy.f.db, "s"));
	}
	return NULL;
}

static void busy_begin(void)
{
	struct vfs *root;

	memset(&busy, 0, sizeof(busy));
	fixture_init(&busy.f);
	busy.f.options.durability = AEDB_BATCH;
	busy.f.options.wal_file_bytes = 256 << 10;
	busy.f.options.memory_bytes = 4 << 20;
	busy.f.options.compaction_rate = 0;
	fixture_start(&busy.f);
	root = simdisk_vfs(busy.f.disk);
	CHECK_OK(root->ops->mkdir(root, "backups"));
	CHECK_OK(vfs_under(root, "backups", &busy.directory));
	for (uintptr_t i = 0; i < WRITERS; i++) {
		round_commit((unsigned)i, 0);
		CHECK(!pthread_create(&busy.writers[i], NULL, writer_run,
				      (void *)i));
	}
	CHECK(!pthread_create(&busy.upkeep, NULL, upkeep_run, NULL));
}

/* From then on nobody commits. */
static void busy_stop(void)
{
	atomic_store(&busy.is_over, true);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(busy.writers[i], NULL);
	pthread_join(busy.upkeep, NULL);
}

static void busy_close(void)
{
	vfs_close(busy.directory);
	fixture_close(&busy.f);
}

static void busy_end(void)
{
	busy_stop();
	busy_close();
}

/* The round that all keys of a writer have. */
static uint64_t round_of(struct aedb_scope *scope, unsigned writer)
{
	uint64_t rounds[KEYS];

	for (unsigned key = 0; key < KEYS; key++) {
		struct aedb_reader *reader;
		char name[16];
		size_t n;

		sprintf(name, "w%u-%u", writer, key);
		CHECK_OK(aedb_reader_open(scope, NULL, name, strlen(name),
					  &reader));
		CHECK_OK(aedb_reader_read(reader, &rounds[key],
					  sizeof(rounds[key]), 0, &n));
		CHECK_EQ(n, sizeof(rounds[key]));
		aedb_reader_close(reader);
		CHECK_EQ(rounds[key], rounds[0]);
	}
	return rounds[0];
}

/* The last round of a writer that was committed up to a number. */
static uint64_t round_at(unsigned writer, seq_t seq)
{
	uint64_t round = 0;

	while (round + 1 < busy.rounds[writer] &&
	       busy.seqs[writer][round + 1] <= seq)
		round++;
	return round;
}

/* Restores one: what is in it was committed up to its head, and all of that. */
static void restored_check(const struct aedb_backup_info *info)
{
	struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };
	struct restore_shelf shelf = { .n = 0 };
	const struct restore_entry *last;
	struct vfs *root = simdisk_vfs(busy.f.disk);
	struct aedb_options open = busy.f.options;
	struct aedb_restore_info restored;
	struct aedb_scope *scope;
	struct vfs *vfs;
	struct aedb *db;

	CHECK_OK(restore_shelf_add_all(&shelf, busy.directory, &options.key));
	CHECK_OK(restore_shelf_find(&shelf, info->id, NULL, &last));
	CHECK_OK(restore_run(&shelf, last, root,
			     "restored", &options, &restored));
	restore_shelf_release(&shelf);
	CHECK_EQ(restored.seq, info->head_seq);
	CHECK_OK(vfs_under(root, "restored", &vfs));
	CHECK_OK(db_open(vfs, "restored", &open, &db));
	CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(round_of(scope, i), round_at(i, info->head_seq));
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	CHECK_OK(backup_tree_remove(root, "restored"));
}

TEST(beside, "backups beside commits, checkpoints, compactions and snapshots deleted "
	"are the states of their heads")
{
	struct aedb_backup_info infos[BACKUPS];

	busy_begin();
	for (unsigned i = 0; i < BACKUPS; i++) {
		struct aedb_backup_options options = {
			.kind = i % 4 ? AEDB_BACKUP_INCREMENTAL : AEDB_BACKUP_FULL,
		};
		char name[8];

		sprintf(name, "b%u", i);
		options.name = name;
		CHECK_OK(backup_run(busy.f.db, busy.directory, &options, &infos[i]));
	}
	busy_stop();
	for (unsigned i = 0; i < BACKUPS; i++)
		restored_check(&infos[i]);
	busy_close();
}

/* Tries to make another one while the first is made. */
static int make_another(void *arg, const struct aedb_transfer *transfer)
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL,
					       .name = "other" };
	int *rc = arg;

	(void)transfer;
	if (*rc == 0)
		*rc = backup_run(busy.f.db, busy.directory, &options, NULL);
	return 0;
}

TEST(second, "of two backups into one directory the second is refused")
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL,
					       .name = "one" };
	int rc = 0;

	busy_begin();
	options.watch = (struct aedb_backup_watch){ make_another, &rc };
	CHECK_OK(backup_run(busy.f.db, busy.directory, &options, NULL));
	CHECK_EQ(rc, AEDB_BUSY);
	busy_end();
}

static int cancel(void *arg, const struct aedb_transfer *transfer)
{
	(void)arg;
	CHECK(transfer->done_bytes <= transfer->all_bytes);
	return 1;
}

TEST(canceled, "a backup that is canceled leaves nothing, and the next one is made")
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL,
					       .name = "one" };
	char **names;
	size_t n;

	busy_begin();
	options.watch = (struct aedb_backup_watch){ cancel, NULL };
	CHECK_EQ(backup_run(busy.f.db, busy.directory, &options, NULL),
		 AEDB_CANCELED);
	CHECK_OK(busy.directory->ops->list(busy.directory, ".", &names, &n));
	CHECK_EQ(n, 1);		/* LOCK */
	vfs_free_names(names, n);
	options.watch = (struct aedb_backup_watch){ NULL, NULL };
	CHECK_OK(backup_run(busy.f.db, busy.directory, &options, NULL));
	busy_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
