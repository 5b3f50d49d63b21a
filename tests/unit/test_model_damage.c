/*
 * Databases that lived random lives, with a byte of one of their files changed:
 * opening refuses them and says where, or reads give what was there or say that it
 * is damaged; nothing is missing and nothing is something else. Compaction makes no
 * damage good. What reads tell, verifying finds.
 *
 * timeout: 200 s
 */
#include "../model_run.h"
#include "check.h"
#include "manifest.h"
#include "wal_run.h"

#define LIVES 5
#define STEPS 150
#define PATHS_MAX 96
#define FLIPS 48		/* of each file, or as many as it has bytes */
#define USED_OF 2		/* one in so many is of a byte that is not zero */
#define COMPACTED_OF 4		/* one in so many is compacted */

struct path {
	char text[80];
};

struct files {
	struct path at[PATHS_MAX];
	size_t n;
};

/* Those whose names begin so. */
static void files_list_in(struct simdisk *disk, const char *directory,
			  const char *beginning, struct files *files)
{
	bool is_top = strcmp(directory, ".") == 0;

	struct vfs *vfs = simdisk_vfs(disk);
	char **names;
	size_t n;

	CHECK_OK(vfs->ops->list(vfs, directory, &names, &n));
	for (size_t i = 0; i < n; i++) {
		if (strncmp(names[i], beginning, strlen(beginning)) != 0)
			continue;
		CHECK(files->n < PATHS_MAX);
		snprintf(files->at[files->n++].text, sizeof(struct path),
			 "%.8s%s%.60s", is_top ? "" : directory,
			 is_top ? "" : "/", names[i]);
	}
	vfs_free_names(names, n);
}

static void files_list(struct simdisk *disk, struct files *ret)
{
	ret->n = 0;
	files_list_in(disk, "wal", "", ret);
	files_list_in(disk, "seg", "", ret);
	files_list_in(disk, "val", "", ret);
	files_list_in(disk, ".", "MANIFEST", ret);
	files_list_in(disk, ".", "CURRENT", ret);
	files_list_in(disk, ".", "LOCK", ret);
}

static void byte_change(struct simdisk *disk, const char *path, uint64_t offset)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	byte ^= (uint8_t)(1 + model_random_below(255));
	CHECK_OK(vfs_write_all(file, &byte, 1, offset));
	vfs_file_close(file);
}

/* One changed byte, and what came of it. */
struct trial {
	struct model_run run;
	const char *path;
	uint64_t offset;
	uint64_t findings;
};

/* Everything is read; whether some of it is damaged. */
static bool reads_are_damaged(struct trial *t)
{
	size_t newest = t->run.model->n_states - 1;
	int rc;

	CHECK_EQ(model_find(t->run.model, t->run.db), newest);
	model_names_check(t->run.model, t->run.db);
	rc = run_compare(&t->run);
	CHECK_THAT(rc == 0 || rc == AEDB_CORRUPT, "%s byte %" PRIu64 ": error %d",
		   t->path, t->offset, rc);
	return rc < 0;
}

static bool opened_is_damaged(struct trial *t)
{
	bool is_damaged = reads_are_damaged(t);

	if (model_random_below(COMPACTED_OF) == 0) {
		int rc = aedb_compact(t->run.db);

		CHECK_THAT(rc == 0 || rc == AEDB_CORRUPT, "error %d: %s", rc,
			   aedb_error_message());
		model_note_maintenance(t->run.model, t->run.db);
		/* it does not make good what it could not read */
		CHECK(reads_are_damaged(t) || rc < 0 || !is_damaged);
	}
	run_close(&t->run);
	return is_damaged;
}

/* It was not opened: the words say where the damage is. */
static void refusal_check(const struct trial *t, int rc)
{
	const char *slash = strrchr(t->path, '/');
	const char *name = slash ? slash + 1 : t->path;
	bool is_signed = t->run.options.hmac_key != NULL;

	CHECK_THAT(rc == AEDB_CORRUPT || (rc == AEDB_ACCESS && is_signed),
		   "%s byte %" PRIu64 ": error %d: %s", t->path, t->offset, rc,
		   aedb_error_message());
	CHECK_THAT(strstr(aedb_error_message(), name),
		   "%s byte %" PRIu64 ": %s", t->path, t->offset,
		   aedb_error_message());
}

/* 1 if it is found. */
static unsigned change_check(const struct model_run *run, const char *path,
			     uint64_t offset)
{
	struct trial t = { .path = path, .offset = offset };
	bool is_damaged = true;
	char *text;
	int rc;

	run_fork(run, simdisk_clone(run->disk), &t.run);
	t.run.model->is_damaged = true;
	byte_change(t.run.disk, path, offset);
	t.findings = run_verify(&t.run, &text);
	free(text);
	rc = run_open(&t.run);
	if (rc < 0)
		refusal_check(&t, rc);
	else
		is_damaged = opened_is_damaged(&t);
	CHECK_THAT(!is_damaged || t.findings, "%s byte %" PRIu64
		   ": reads find damage, verifying does not", path, offset);
	run_release(&t.run);
	return t.findings > 0;
}

/* Most of some files is room that was not used yet. */
static uint64_t offset_random(const uint8_t *bytes, size_t n)
{
	size_t offset = model_random_below(n), i = offset;

	if (model_random_below(USED_OF))
		return offset;
	while (i < n && !bytes[i])
		i++;
	return i < n ? i : offset;
}

static void file_check(const struct model_run *run, const char *path)
{
	size_t n_bytes;
	uint8_t *bytes = wal_run_load(simdisk_vfs(run->disk), path, &n_bytes);
	unsigned n = check_times(FLIPS), n_found = 0;
	bool is_small = n >= n_bytes;

	if (is_small)
		n = (unsigned)n_bytes;
	for (unsigned i = 0; i < n; i++)
		n_found += change_check(run, path, is_small ? i :
						   offset_random(bytes, n_bytes));
	printf("# %s: %u of %u found\n", path, n_found, n);
	free(bytes);
}

static bool has_kind(const struct files *files, const char *directory)
{
	for (size_t i = 0; i < files->n; i++)
		if (strncmp(files->at[i].text, directory, 3) == 0)
			return true;
	return false;
}

/* True if it had files of all kinds. */
static bool life_check(uint64_t seed)
{
	struct files files;
	struct model_run run;
	bool has_all;

	check_state.random = seed;
	run_init(&run, seed, (enum aedb_durability)(seed % 3));
	for (int i = 0; i < STEPS; i++)
		CHECK_OK(run_step(&run));
	if (run.db)
		CHECK_OK(run_close(&run));
	files_list(run.disk, &files);
	has_all = has_kind(&files, "seg") && has_kind(&files, "val") &&
		  has_kind(&files, "wal") && run.model->names.n;
	for (size_t i = 0; has_all && i < files.n; i++)
		file_check(&run, files.at[i].text);
	run_release(&run);
	return has_all;
}

TEST(flips, "of every byte changed reads tell or give what was there, and verifying "
	"finds what they tell")
{
	unsigned n = 0;

	while (n < check_times(LIVES)) {
		uint64_t seed = check_random(), state = check_state.random;

		n += life_check(seed);
		check_state.random = state;
	}
}

/* Permissive recovery. */

#define LIVED_ON 25		/* steps after it */

static bool was_permissive(const struct model_run *run)
{
	struct manifest_key key = { run->options.hmac_key,
				    run->options.hmac_key_bytes };
	struct manifest *manifest;
	bool is_marked;

	CHECK_OK(manifest_open(simdisk_vfs(run->disk), key, &manifest));
	is_marked = manifest_state(manifest)->numbers[MANIFEST_WAS_PERMISSIVE];
	manifest_close(manifest);
	return is_marked;
}

/* A state there was, the newest unless it says that it lost some; all of it is
 * there or said to be damaged. Whether some was lost. */
static bool permissive_check(struct trial *t)
{
	const char *finding = aedb_recovery_finding(t->run.db, 0);
	struct model *model = t->run.model;
	size_t newest = model->n_states - 1, state = model_find(model, t->run.db);
	int rc;

	CHECK_THAT(state == newest || finding,
		   "%s byte %" PRIu64 ": state %zu of %zu, and nothing reported",
		   t->path, t->offset, state, newest);
	CHECK_EQ(was_permissive(&t->run), finding != NULL);
	if (state < newest) {
		model_names_rewind(model, state);
		model_rewind(model, state);
		t->run.n_acknowledged = model->n_states;
	}
	model_names_check(model, t->run.db);
	rc = run_compare(&t->run);
	CHECK_THAT(rc == 0 || rc == AEDB_CORRUPT, "%s byte %" PRIu64 ": error %d",
		   t->path, t->offset, rc);
	return state < newest;
}

/* What is wrong with the log only is good after that. */
static void permissive_live(struct trial *t)
{
	CHECK_OK(run_close(&t->run));
	t->run.options.recovery = AEDB_STRICT;
	t->run.model->is_damaged = false;
	run_check_whole(&t->run);
	CHECK_OK(run_open(&t->run));
	CHECK_OK(run_compare(&t->run));
	run_live(&t->run, LIVED_ON);
}

static bool permissive_trial(const struct model_run *run, const char *path,
			     uint64_t offset)
{
	bool is_log = strncmp(path, "wal/", 4) == 0, is_lost = false;
	struct trial t = { .path = path, .offset = offset };
	int rc;

	run_fork(run, simdisk_clone(run->disk), &t.run);
	t.run.model->is_damaged = true;
	t.run.options.recovery = AEDB_PERMISSIVE;
	byte_change(t.run.disk, path, offset);
	rc = run_open(&t.run);
	if (rc < 0) {
		CHECK_THAT(!is_log, "%s byte %" PRIu64 ": %s", path, offset,
			   aedb_error_message());
		refusal_check(&t, rc);
	} else {
		is_lost = permissive_check(&t);
		if (is_log)
			permissive_live(&t);
		else
			run_close(&t.run);
	}
	run_release(&t.run);
	return is_lost;
}

/* A life that ends with a kill, so that there is a log. */
static unsigned permissive_life(uint64_t seed)
{
	struct files files;
	struct model_run run;
	unsigned n_lost = 0;

	check_state.random = seed;
	run_init(&run, seed, AEDB_FULL);
	for (int i = 0; i < STEPS || !run.db; i++)
		CHECK_OK(run_step(&run));
	run_close(&run);
	files_list(run.disk, &files);
	for (size_t i = 0; i < files.n; i++) {
		const char *path = files.at[i].text;
		size_t n_bytes;
		uint8_t *bytes = wal_run_load(simdisk_vfs(run.disk), path,
					      &n_bytes);

		for (unsigned k = 0; n_bytes && k < check_times(FLIPS / 4); k++)
			n_lost += permissive_trial(&run, path,
						   offset_random(bytes, n_bytes));
		free(bytes);
	}
	run_release(&run);
	return n_lost;
}

TEST(permissive, "of every byte changed permissive recovery gives a state there was, "
	"says what it lost, and goes on from there")
{
	unsigned n_lost = 0;

	for (unsigned i = 0; i < check_times(LIVES); i++)
		n_lost += permissive_life(check_random());
	CHECK(n_lost > 0);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
