/*
 * Backups of random lives: restored to any number they have, each is what the
 * model was then.
 */
#include "../model_run.h"
#include "backup_run.h"
#include "backup_set.h"
#include "check.h"
#include "db.h"
#include "restore.h"

#define LIVES 6
#define BACKUPS_MAX 12
#define STEPS 30	/* between two backups */

/* A backup as it was made. */
struct made {
	struct aedb_backup_info info;
	size_t state;			/* of its head */
	struct model_names names;	/* then */
};

struct life {
	struct model_run run;
	struct vfs *root;		/* of the disk; not owned */
	struct vfs *directory;		/* owned: of the backups */
	struct made at[BACKUPS_MAX];
	size_t n;
};

static unsigned in_log_form, in_files_form, numbers_restored;

static struct aedb_backup_key key_of(const struct life *life)
{
	return (struct aedb_backup_key){ life->run.options.hmac_key,
					 life->run.options.hmac_key_bytes };
}

static void life_begin(struct life *life, uint64_t seed,
		       enum aedb_durability durability)
{
	static const uint64_t bytes[] = { 0, 64 << 10, 1 << 20, 256 << 20,
					  256 << 20 };
	static unsigned begun;

	*life = (struct life){ .n = 0 };
	run_init(&life->run, seed, durability);
	life->run.options.backup_log_bytes = bytes[begun++ % 5];
	life->root = simdisk_vfs(life->run.disk);
	CHECK_OK(run_open(&life->run));
	CHECK_OK(life->root->ops->mkdir(life->root, "backups"));
	CHECK_OK(vfs_sync_dir(life->root, "."));
	CHECK_OK(vfs_under(life->root, "backups", &life->directory));
}

static void life_end(struct life *life)
{
	if (life->run.db)
		CHECK_OK(run_close(&life->run));
	vfs_close(life->directory);
	run_release(&life->run);
}

static int backup_try(struct life *life, enum aedb_backup_kind kind,
		      const char *name, struct aedb_backup_info *ret)
{
	struct aedb_backup_options options = { .kind = kind, .name = name };

	return backup_run(life->run.db, life->directory, &options, ret);
}

static void life_steps(struct life *life, int n)
{
	while (n-- > 0 || !life->run.db)
		CHECK_OK(run_step(&life->run));
}

static void life_backup(struct life *life)
{
	struct made *made = &life->at[life->n];
	enum aedb_backup_kind kind = life->n && model_random_below(6) ?
					     AEDB_BACKUP_INCREMENTAL :
					     AEDB_BACKUP_FULL;
	char name[16];

	sprintf(name, "b%zu", life->n);
	made->state = life->run.model->n_states - 1;
	made->names = life->run.model->names;
	CHECK_OK(backup_try(life, kind, name, &made->info));
	model_note_durable(life->run.model);
	CHECK(model_state_has(life->run.model->states[made->state],
			      made->info.head_seq));
	if (kind == AEDB_BACKUP_INCREMENTAL)
		*(made->info.form == AEDB_BACKUP_LOG ? &in_log_form :
						       &in_files_form) += 1;
	life->n++;
}

/* Names that are there at a state, of those that were at a backup's head. */
static struct model_names names_upto(const struct model_names *names, size_t state)
{
	struct model_names some = { .n = 0 };

	for (size_t i = 0; i < names->n; i++)
		if (names->at[i].state <= state)
			some.at[some.n++] = names->at[i];
	return some;
}

static int restore_try(struct life *life, const struct made *made,
		       const struct aedb_restore_options *options)
{
	struct restore_shelf shelf = { .n = 0 };
	struct aedb_restore_options with_key = *options;
	const struct restore_entry *last;
	struct aedb_restore_info info;
	int rc;

	with_key.key = key_of(life);
	CHECK_OK(restore_shelf_add_all(&shelf, life->directory, &with_key.key));
	CHECK_OK(restore_shelf_find(&shelf, made->info.id, NULL, &last));
	rc = restore_run(&shelf, last, life->root, "restored", &with_key, &info);
	restore_shelf_release(&shelf);
	return rc;
}

/* The restored database is the model as it was at a state; then it is removed. */
static void restored_check(struct life *life, const struct model_names *names,
			   size_t state)
{
	struct model *model = model_fork(life->run.model);
	struct aedb_options options = life->run.options;
	struct vfs *vfs;
	struct aedb *db;

	model_rewind(model, state);
	model->names = model->names_wanted = names_upto(names, state);
	CHECK_OK(vfs_under(life->root, "restored", &vfs));
	CHECK_OK(db_open(vfs, "restored", &options, &db));
	CHECK(model_state_has(model->states[state], aedb_visible_seq(db)));
	model_names_check(model, db);
	CHECK_OK(model_compare(model, state, state, db, NULL));
	CHECK_OK(model_compare_names(model, state, db));
	CHECK_OK(aedb_close(db));
	CHECK_OK(backup_tree_remove(life->root, "restored"));
	model_free(model);
}

static void head_check(struct life *life, const struct made *made)
{
	struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };

	CHECK_OK(restore_try(life, made, &options));
	restored_check(life, &made->names, made->state);
}

/* What was restored is on the disk. The database is closed. */
static void head_check_cut(struct life *life, const struct made *made)
{
	struct aedb_restore_options options = { .target = AEDB_RESTORE_HEAD };

	CHECK_OK(restore_try(life, made, &options));
	simdisk_crash(life->run.disk, check_random(), SIMDISK_DROP_ALL);
	restored_check(life, &made->names, made->state);
}

/* Every number that the backup's log has. */
static void numbers_check(struct life *life, const struct made *made)
{
	const struct model *model = life->run.model;

	for (size_t i = 0; i < made->state; i++) {
		/* commits that change nothing may come before the next state */
		struct aedb_restore_options options = {
			.target = AEDB_RESTORE_SEQ,
			.seq = model->states[i + 1]->seq - 1,
		};

		if (options.seq <= made->info.from_seq ||
		    options.seq > made->info.head_seq)
			continue;
		CHECK_OK(restore_try(life, made, &options));
		restored_check(life, &made->names, i);
		numbers_restored++;
	}
}

TEST(lives, "a backup of a random life, restored, is what the model was at each of "
	"its numbers")
{
	uint64_t seed = check_random();

	for (unsigned i = 0; i < check_times(LIVES); i++) {
		static struct life life;

		check_state.random = seed + i;
		life_begin(&life, seed, (enum aedb_durability)(i % 3));
		while (life.n < BACKUPS_MAX) {
			life_steps(&life, STEPS);
			life_backup(&life);
		}
		for (size_t k = 0; k < life.n; k++) {
			head_check(&life, &life.at[k]);
			if (life.at[k].info.form == AEDB_BACKUP_LOG)
				numbers_check(&life, &life.at[k]);
		}
		life_steps(&life, STEPS);
		CHECK_OK(run_compare(&life.run));
		life_end(&life);
	}
	printf("# %u in log form, %u in files form, %u numbers\n", in_log_form,
	       in_files_form, numbers_restored);
	CHECK(in_log_form && in_files_form && numbers_restored);
}

/* After a power cut. */

/* Restores every backup that looks finished: there are `n_least` at least. */
static void finished_check(struct life *life, size_t n_least)
{
	struct aedb_backup_key key = key_of(life);
	struct backup_set set;
	size_t finished = 0;

	CHECK_OK(backup_set_load(life->directory, &key, &set));
	for (size_t i = 0; i < life->n; i++) {
		struct backup_entry *entry =
			backup_set_find(&set, life->at[i].info.name);

		if (!entry || entry->state == AEDB_BACKUP_UNFINISHED)
			continue;
		CHECK_EQ(entry->state, AEDB_BACKUP_FINISHED);
		strcpy(life->at[i].info.id, entry->m.id);
		head_check(life, &life->at[i]);
		finished++;
	}
	backup_set_release(&set);
	CHECK(finished >= n_least);
}

/* The life goes on where the power was cut, and the next backup is made. So many
 * states were promised when the backup began. */
static void cut_check(const struct life *before, size_t promised,
		      struct simdisk *disk, bool is_kill)
{
	static struct life life;

	simdisk_crash(disk, check_random(),
		      is_kill ? SIMDISK_KILL : SIMDISK_RANDOM);
	life = *before;
	run_fork(&before->run, disk, &life.run);
	life.root = simdisk_vfs(disk);
	CHECK_OK(vfs_under(life.root, "backups", &life.directory));
	/* the last one is what was being made */
	life.n++;
	finished_check(&life, before->n);
	run_recover(&life.run, promised);
	life_backup(&life);
	CHECK_OK(run_close(&life.run));
	head_check_cut(&life, &life.at[life.n - 1]);
	vfs_close(life.directory);
	model_free(life.run.model);
	simdisk_free(disk);
}

TEST(cuts, "a power cut in any call of a backup leaves none that is not whole, and "
	"the next one is made")
{
	static struct life life;
	struct simdisk **records;
	size_t n;

	for (unsigned round = 0; round < check_times(3); round++) {
		struct made *made;
		size_t promised;

		life_begin(&life, check_random(), AEDB_FULL);
		for (unsigned i = 0; i <= round % 3; i++) {
			life_steps(&life, STEPS);
			life_backup(&life);
		}
		life_steps(&life, STEPS);
		made = &life.at[life.n];
		made->state = life.run.model->n_states - 1;
		made->names = life.run.model->names;
		promised = life.run.model->n_durable;
		simdisk_record(life.run.disk);
		life_backup(&life);
		n = simdisk_take_records(life.run.disk, &records);
		life.n--;
		for (size_t i = 0; i < n; i++)
			cut_check(&life, promised, records[i], i % 4 == 0);
		free(records);
		life_end(&life);
	}
}

/* The disk fails. */

TEST(faults, "a backup whose disk fails says so and leaves nothing, and the next one "
	"is made")
{
	static struct life life;

	for (unsigned round = 0; round < check_times(40); round++) {
		enum simdisk_fault fault = round % 2 ? SIMDISK_EIO : SIMDISK_ENOSPC;
		struct aedb_backup_info info;
		struct vfs_file *lock;
		uint64_t call;
		int rc;

		life_begin(&life, check_random(), AEDB_FULL);
		life_steps(&life, STEPS);
		life_backup(&life);
		life_steps(&life, STEPS);
		call = simdisk_calls(life.run.disk) + 1 + model_random_below(150);
		simdisk_fail_at(life.run.disk, call, fault);
		rc = backup_try(&life, AEDB_BACKUP_INCREMENTAL, "failed", &info);
		simdisk_fail_at(life.run.disk, 0, fault);
		CHECK(rc == 0 || model_is_disk_error(rc));
		CHECK_OK(backup_dir_lock(life.directory, &lock));
		vfs_file_close(lock);
		model_views_close(&life.run.views);
		model_stop(life.run.model);
		aedb_close(life.run.db);
		life.run.db = NULL;
		run_recover(&life.run, life.run.model->n_durable);
		life_backup(&life);
		CHECK_OK(run_close(&life.run));
		head_check_cut(&life, &life.at[life.n - 1]);
		life_end(&life);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
