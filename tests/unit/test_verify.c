/*
 * Verifying: a whole database has no findings, also after a power cut; of files
 * that are cut or gone, and of what is whole and not true, it is found. Changed
 * bytes: test_model_damage.c.
 */
#include "db_fixture.h"
#include "manifest.h"
#include "verify.h"

#define FILES_MAX 64
#define MEMORY_BYTES (4u << 20)

static struct aedb_progress progress;
static char *text;		/* of the last verification; owned */

/* Verifies what is on the disk. */
static int verify(struct simdisk *disk, const struct aedb_options *options,
		  struct aedb_verify_report *ret)
{
	struct verify_findings findings = { .progress = &progress };
	size_t n;
	int rc;

	progress = (struct aedb_progress){ 0 };
	free(text);
	findings.out = open_memstream(&text, &n);
	CHECK(findings.out);
	rc = verify_database(simdisk_vfs(disk), simdisk_vfs(disk), "simdisk",
			     options, &findings);
	fclose(findings.out);
	*ret = findings.report;
	return rc;
}

static void check_whole(struct simdisk *disk, const struct aedb_options *options)
{
	struct aedb_verify_report report;
	uint64_t done, total;

	CHECK_OK(verify(disk, options, &report));
	CHECK_THAT(report.findings == 0, "%s", text);
	aedb_progress_get(&progress, &done, &total);
	CHECK(done <= total);
}

/* Content. */

static void options_set(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.memory_bytes = MEMORY_BYTES;
	f->options.wal_file_bytes = 64 << 10;
}

static void put_many(struct aedb_scope *scope, const char *what, unsigned n,
		     size_t value_bytes)
{
	uint8_t *value = malloc(value_bytes + 1);
	char key[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%s/%u", what, i);
		bytes_fill(value, value_bytes, check_random());
		CHECK_OK(aedb_put(scope, key, strlen(key), value, value_bytes));
	}
	free(value);
}

/* Writes into a value at some places, over what is there. */
static void put_parts(struct fixture *f, const char *key, unsigned n,
		      uint64_t offset_max)
{
	struct aedb_put put = { .key = key, .key_bytes = strlen(key) };
	struct aedb_reader *reader = NULL;
	struct aedb_stage *stage;
	uint8_t part[5000];

	if (aedb_reader_open(f->scope, NULL, key, strlen(key), &reader) < 0)
		reader = NULL;
	CHECK_OK(aedb_stage_open(f->db, reader, &stage));
	aedb_reader_close(reader);
	for (unsigned i = 0; i < n; i++) {
		bytes_fill(part, sizeof(part), check_random());
		CHECK_OK(aedb_stage_write(stage, part, sizeof(part),
					  check_random() % offset_max));
	}
	put.stage = stage;
	CHECK_OK(put_full(f->scope, &put));
	aedb_stage_close(stage);
}

static void scope_make_and_drop(struct fixture *f, const char *name)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_create(f->db, place("p", name)));
	CHECK_OK(aedb_scope_open(f->db, "p", name, &scope));
	put_many(scope, "gone", 20, 30);
	put_many(aedb_scope_dirs(scope), "gone", 3, 10);
	aedb_scope_close(scope);
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	CHECK_OK(aedb_drop(f->db, place("p", name), AEDB_DROP_ALL));
}

/* Some of everything. */
static void content_put(struct fixture *f)
{
	put_many(f->scope, "small", 120, 40);
	put_many(f->scope, "medium", 6, 3000);
	put_many(aedb_scope_dirs(f->scope), "dir", 10, 20);
	put_parts(f, "large", 12, 900000);
	put_parts(f, "with holes", 3, UINT64_C(1) << 33);
	CHECK_OK(delete_text(f->scope, "small/7"));
	CHECK_OK(aedb_move(f->scope, "medium/1", 8, f->scope, "moved", 5));
	CHECK_OK(set_attr(f->scope, &(struct aedb_put){
		.key = "small/9", .key_bytes = 7, .attr = "attributes",
		.attr_bytes = 10 }));
}

/* A closed database with segments in two levels, value files, superseded and
 * deleted versions, a snapshot, a dropped scope, and a log to be executed. */
static void database_make(struct fixture *f)
{
	options_set(f);
	fixture_start(f);
	content_put(f);
	CHECK_OK(aedb_compact(f->db));
	CHECK_OK(aedb_snapshot_create(f->db, "kept", NULL));
	content_put(f);
	scope_make_and_drop(f, "other");
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	put_many(f->scope, "small", 10, 50);
	put_many(f->scope, "medium", 2, 7000);
	put_parts(f, "large", 2, 900000);
	fixture_stop(f);
}

/* What a reader gets. */

static uint64_t sum_add(uint64_t sum, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* Of one key: what a reader and a caller of stat get. */
static uint64_t key_sum(struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot, const char *key,
			uint64_t sum)
{
	static uint8_t buf[1 << 20];
	const struct aedb_entry *entry;
	struct aedb_reader *reader;
	uint64_t at = 0;
	size_t got;
	int rc = aedb_reader_open(scope, snapshot, key, strlen(key), &reader);

	if (rc == AEDB_NOT_FOUND)
		return sum_add(sum, "-", 1);
	CHECK_OK(rc);
	entry = aedb_reader_entry(reader);
	sum = sum_add(sum, &entry->version, sizeof(entry->version));
	sum = sum_add(sum, &entry->value_bytes, sizeof(entry->value_bytes));
	sum = sum_add(sum, entry->attr, entry->attr_bytes);
	while (aedb_reader_seek(reader, AEDB_EXTENT_DATA, at, &at) == 0) {
		CHECK_OK(aedb_reader_read(reader, buf, sizeof(buf), at, &got));
		sum = sum_add(sum, buf, got);
		at += got;
	}
	aedb_reader_close(reader);
	return sum;
}

static uint64_t scope_sum(struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot, uint64_t sum)
{
	static const char *const formats[] = { "small/%u", "medium/%u", "dir/%u",
					       "large", "with holes", "moved" };
	size_t n = sizeof(formats) / sizeof(formats[0]);
	char key[64];

	for (unsigned i = 0; i < n * 125; i++) {
		snprintf(key, sizeof(key), formats[i % n], i / n);
		if (i < n || strchr(formats[i % n], '%'))
			sum = key_sum(scope, snapshot, key, sum);
	}
	return sum;
}

/* Reads everything, as it is now and as the snapshot shows it. */
static uint64_t content_sum(struct simdisk *disk,
			    const struct aedb_options *options)
{
	struct aedb_options o = *options;
	struct aedb_snapshot *snapshot;
	struct aedb_scope *scope;
	struct aedb *db;
	uint64_t sum = 1;

	o.mode = AEDB_OPEN_READ_ONLY;
	CHECK_OK(db_open(simdisk_vfs(disk), "simdisk", &o, &db));
	CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
	sum = scope_sum(scope, NULL, sum);
	sum = scope_sum(aedb_scope_dirs(scope), NULL, sum);
	if (aedb_snapshot_open_named(db, "kept", &snapshot) == 0) {
		sum = scope_sum(scope, snapshot, sum);
		aedb_snapshot_close(snapshot);
	}
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	return sum;
}

/* Files. */

struct files {
	char paths[FILES_MAX][64];
	size_t n;
};

static void files_list_in(struct simdisk *disk, const char *directory,
			  struct files *files)
{
	struct vfs *vfs = simdisk_vfs(disk);
	char **names;
	size_t n;

	CHECK_OK(vfs->ops->list(vfs, directory, &names, &n));
	for (size_t i = 0; i < n; i++) {
		bool is_top = strcmp(directory, ".") == 0;

		if (is_top && !strchr(names[i], '-') &&
		    strcmp(names[i], "CURRENT") != 0)
			continue;
		CHECK(files->n < FILES_MAX);
		snprintf(files->paths[files->n++], 64, "%.8s%s%.50s",
			 is_top ? "" : directory, is_top ? "" : "/", names[i]);
	}
	vfs_free_names(names, n);
}

static void files_list(struct simdisk *disk, struct files *ret)
{
	ret->n = 0;
	files_list_in(disk, ".", ret);
	files_list_in(disk, "wal", ret);
	files_list_in(disk, "seg", ret);
	files_list_in(disk, "val", ret);
}

static uint64_t file_size(struct simdisk *disk, const char *path)
{
	struct vfs_file *file;
	uint64_t size;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_READ, &file));
	CHECK_OK(vfs_file_size(file, &size));
	vfs_file_close(file);
	return size;
}

static void byte_flip(struct simdisk *disk, const char *path, uint64_t offset)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	byte ^= (uint8_t)(1u << check_random() % 8);
	CHECK_OK(vfs_write_all(file, &byte, 1, offset));
	vfs_file_close(file);
}

static void file_make(struct simdisk *disk, const char *path)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_CREATE, &file));
	CHECK_OK(vfs_write_all(file, "left", 4, 0));
	vfs_file_close(file);
}

/* Whole databases. */

TEST(whole, "a database of everything there is has no findings, and is read wholly")
{
	struct aedb_verify_report report;
	struct fixture f;
	uint64_t done, total;

	database_make(&f);
	CHECK_OK(verify(f.disk, &f.options, &report));
	CHECK_STR(text, "");
	CHECK_EQ(report.findings, 0);
	CHECK_EQ(report.harmless, 0);
	CHECK(report.files >= 7);
	CHECK(report.entries > 300);
	CHECK_EQ(report.values, 17);
	CHECK_EQ(report.commits, 13);
	aedb_progress_get(&progress, &done, &total);
	CHECK(done > total / 2);
	CHECK(done <= total);
	simdisk_free(f.disk);
}

TEST(empty, "a database without anything in it has no findings")
{
	struct fixture f;

	fixture_init(&f);
	CHECK_OK(fixture_try(&f));
	fixture_stop(&f);
	check_whole(f.disk, &f.options);
	simdisk_free(f.disk);
}

TEST(no_scope, "a database that has projects and no scope has no findings")
{
	struct fixture f;

	fixture_init(&f);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_create(f.db, place("p", NULL)));
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	fixture_stop(&f);
	check_whole(f.disk, &f.options);
	simdisk_free(f.disk);
}

TEST(none, "what is no database is not found, and one that is open is busy")
{
	struct aedb_verify_report report;
	struct fixture f;

	fixture_init(&f);
	CHECK_FAILS(verify(f.disk, &f.options, &report), AEDB_NOT_FOUND,
		    "no database");
	fixture_start(&f);
	CHECK_FAILS(verify(f.disk, &f.options, &report), AEDB_BUSY, "LOCK");
	fixture_stop(&f);
	f.options.mode = AEDB_OPEN_READ_ONLY;
	CHECK_OK(fixture_try(&f));
	check_whole(f.disk, &f.options);
	fixture_close(&f);
}

TEST(signed_database, "a signed database is verified with its key only")
{
	struct aedb_verify_report report;
	struct fixture f;

	options_set(&f);
	f.options.hmac_key = "a key of sixteen";
	f.options.hmac_key_bytes = 16;
	fixture_start(&f);
	content_put(&f);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	fixture_stop(&f);
	check_whole(f.disk, &f.options);
	f.options.hmac_key = "another of sixteen";
	CHECK_EQ(verify(f.disk, &f.options, &report), AEDB_ACCESS);
	f.options.hmac_key = NULL;
	CHECK_EQ(verify(f.disk, &f.options, &report), AEDB_ACCESS);
	simdisk_free(f.disk);
}

/* One of the things that change a database. */
static void step_take(struct fixture *f, unsigned step)
{
	char name[16];

	switch (check_random() % 12) {
	case 0:
		CHECK_OK(aedb_checkpoint(f->db, NULL));
		break;
	case 1:
		CHECK_OK(aedb_compact(f->db));
		break;
	case 2:
		snprintf(name, sizeof(name), "scope%u", step);
		scope_make_and_drop(f, name);
		break;
	case 3:
		snprintf(name, sizeof(name), "snapshot%u", step);
		CHECK_OK(aedb_snapshot_create(f->db, name, NULL));
		break;
	case 4:
		fixture_reopen(f);
		break;
	case 5:
		put_many(f->scope, "medium", 3, 1000 + check_random() % 60000);
		break;
	case 6:
	case 7:
		put_parts(f, check_random() % 2 ? "large" : "other", 3,
			  1 + check_random() % 3000000);
		break;
	default:
		put_many(f->scope, "small", 1 + check_random() % 100,
			 check_random() % 200);
	}
}

TEST(random_steps, "whatever was done to a database, it has no findings")
{
	for (int round = 0; round < 12; round++) {
		struct fixture f;

		options_set(&f);
		f.options.memory_bytes = 1 << 20;
		fixture_start(&f);
		for (unsigned step = 0; step < 25; step++)
			step_take(&f, step);
		fixture_stop(&f);
		check_whole(f.disk, &f.options);
		simdisk_free(f.disk);
	}
}

/* Damage. */

/* Of a disk that was tampered with: damage is found, or does not matter. */
static void check_tampered(struct simdisk *disk,
			   const struct aedb_options *options, uint64_t sum,
			   const char *what)
{
	struct aedb_verify_report report;
	uint64_t got;

	CHECK_OK(verify(disk, options, &report));
	if (report.findings)
		return;
	got = content_sum(disk, options);
	CHECK_THAT(got == sum, "%s: not found, and something else is read", what);
}

TEST(cut, "of every file cut, grown or emptied it is found, or all reads as before")
{
	struct files files;
	struct fixture f;
	char what[128];
	uint64_t sum;

	database_make(&f);
	sum = content_sum(f.disk, &f.options);
	files_list(f.disk, &files);
	for (size_t i = 0; i < files.n * 12; i++) {
		const char *path = files.paths[i / 12];
		struct simdisk *disk = simdisk_clone(f.disk);
		uint64_t size = file_size(disk, path), to;
		struct vfs_file *file;

		to = i % 12 == 0 ? 0 : check_random() % (size + size / 8 + 1);
		CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_WRITE, &file));
		CHECK_OK(vfs_file_truncate(file, to));
		vfs_file_close(file);
		snprintf(what, sizeof(what), "%s cut from %llu to %llu", path,
			 (unsigned long long)size, (unsigned long long)to);
		check_tampered(disk, &f.options, sum, what);
		simdisk_free(disk);
	}
	simdisk_free(f.disk);
}

TEST(missing, "of every file that is gone it is found, or all reads as before")
{
	struct aedb_verify_report report;
	struct files files;
	struct fixture f;
	uint64_t sum;

	database_make(&f);
	sum = content_sum(f.disk, &f.options);
	files_list(f.disk, &files);
	for (size_t i = 0; i < files.n; i++) {
		struct simdisk *disk = simdisk_clone(f.disk);

		CHECK_OK(vfs_unlink(simdisk_vfs(disk), files.paths[i]));
		if (strcmp(files.paths[i], "CURRENT") == 0)
			CHECK_EQ(verify(disk, &f.options, &report), AEDB_NOT_FOUND);
		else
			check_tampered(disk, &f.options, sum, files.paths[i]);
		if (strncmp(files.paths[i], "seg/", 4) == 0)
			CHECK_THAT(strstr(text, files.paths[i]) &&
				   strstr(text, "missing"), "%s", text);
		simdisk_free(disk);
	}
	simdisk_free(f.disk);
}

TEST(all_damage, "of several damaged pages each is found, with file and position")
{
	struct aedb_verify_report report;
	struct files files;
	struct fixture f;
	unsigned segments = 0;

	database_make(&f);
	files_list(f.disk, &files);
	for (size_t i = 0; i < files.n; i++)
		if (strncmp(files.paths[i], "seg/", 4) == 0) {
			byte_flip(f.disk, files.paths[i], 4096 + 20);
			segments++;
		}
	CHECK(segments >= 2);
	CHECK_OK(verify(f.disk, &f.options, &report));
	CHECK(report.findings >= segments);
	for (size_t i = 0; i < files.n; i++)
		if (strncmp(files.paths[i], "seg/", 4) == 0) {
			char line[128];

			snprintf(line, sizeof(line), "%s: 4096: checksum",
				 files.paths[i]);
			CHECK_THAT(strstr(text, line), "no %s in %s", line, text);
		}
	simdisk_free(f.disk);
}

TEST(leftovers, "what nothing refers to is harmless, and named")
{
	static const char *const paths[] = { "seg/99.seg", "val/77.val",
					     "wal/1000.wal.tmp", "MANIFEST-500",
					     "CURRENT.new", "a\nletter",
					     "seg/0001.seg" };
	size_t n = sizeof(paths) / sizeof(paths[0]);
	struct aedb_verify_report report;
	struct fixture f;

	database_make(&f);
	for (size_t i = 0; i < n; i++)
		file_make(f.disk, paths[i]);
	CHECK_OK(verify(f.disk, &f.options, &report));
	CHECK_EQ(report.findings, 0);
	CHECK_EQ(report.harmless, n);
	for (size_t i = 0; i < n; i++) {
		char line[128];

		snprintf(line, sizeof(line), "%s: 0: harmless: ", paths[i]);
		if (strchr(line, '\n'))
			*strchr(line, '\n') = '?';
		CHECK_THAT(strstr(text, line), "no %s in %s", line, text);
	}
	simdisk_free(f.disk);
}

/* What is whole and not true. */

static void edit_append(struct simdisk *disk, const struct manifest_edit *edit)
{
	struct manifest_key no_key = { NULL, 0 };
	struct manifest *manifest;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &manifest));
	CHECK_OK(manifest_append(manifest, edit));
	CHECK_OK(manifest_finish(manifest));
	manifest_close(manifest);
}

/* A segment in level 0 or in a deeper one; segment_info_release. */
static void segment_get_info(struct simdisk *disk, bool is_deep,
			     struct segment_info *ret)
{
	struct manifest_key no_key = { NULL, 0 };
	const struct manifest_state *state;
	struct manifest *manifest;
	size_t i = 0;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &manifest));
	state = manifest_state(manifest);
	while (i < state->n_segments &&
	       (state->segments[i]->level > 0) != is_deep)
		i++;
	CHECK(i < state->n_segments);
	CHECK_OK(segment_info_copy(state->segments[i], ret));
	manifest_close(manifest);
}

static void check_says(struct simdisk *disk, const struct aedb_options *options,
		       const char *words)
{
	struct aedb_verify_report report;

	CHECK_OK(verify(disk, options, &report));
	CHECK(report.findings > 0);
	CHECK_THAT(strstr(text, words), "no \"%s\" in:\n%s", words, text);
}

TEST(key_count, "a wrong count of keys is found")
{
	struct manifest_edit edit = { .set = 0 };
	struct fixture f;

	database_make(&f);
	manifest_edit_set(&edit, MANIFEST_KEY_COUNT, 3);
	edit_append(f.disk, &edit);
	check_says(f.disk, &f.options, "3 keys are counted");
	simdisk_free(f.disk);
}

TEST(lost_segment, "a segment the manifest does not know is found by its keys' counts")
{
	struct segment_info info;
	struct manifest_edit edit = { .n_removed = 1, .removed = &info.number };
	struct fixture f;

	options_set(&f);
	fixture_start(&f);
	content_put(&f);
	CHECK_OK(aedb_compact(f.db));
	put_many(f.scope, "one", 5, 20);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	put_many(f.scope, "other", 5, 20);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	fixture_stop(&f);
	check_whole(f.disk, &f.options);
	segment_get_info(f.disk, false, &info);
	edit_append(f.disk, &edit);
	check_says(f.disk, &f.options, "is counted to have 137 keys, there are 132");
	segment_info_release(&info);
	simdisk_free(f.disk);
}

TEST(levels, "a segment in a level it does not belong to is found by its versions")
{
	struct segment_info info;
	struct manifest_edit edit = { .n_removed = 1, .removed = &info.number,
				      .n_added = 1, .added = &info };
	struct fixture f;

	options_set(&f);
	fixture_start(&f);
	content_put(&f);
	CHECK_OK(aedb_compact(f.db));
	CHECK_OK(aedb_snapshot_create(f.db, "kept", NULL));
	put_many(f.scope, "small", 5, 20);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	fixture_stop(&f);
	check_whole(f.disk, &f.options);
	segment_get_info(f.disk, true, &info);
	info.level = 2;
	edit_append(f.disk, &edit);
	check_whole(f.disk, &f.options);
	segment_info_release(&info);
	segment_get_info(f.disk, false, &info);
	info.level = 3;
	edit_append(f.disk, &edit);
	check_says(f.disk, &f.options, "of a key is found before");
	segment_info_release(&info);
	simdisk_free(f.disk);
}

/* Has the manifest say that a segment refers to so many bytes of its last value
 * file; 0: that it does not. */
static void share_change(struct simdisk *disk, uint64_t bytes)
{
	struct segment_share shares[64];
	struct segment_info info;
	struct segment_info changed;
	struct manifest_edit edit = { .n_removed = 1, .removed = &info.number,
				      .n_added = 1, .added = &changed };

	segment_get_info(disk, true, &info);
	CHECK(info.n_shares >= 1 && info.n_shares <= 64);
	memcpy(shares, info.shares, info.n_shares * sizeof(*shares));
	shares[info.n_shares - 1].bytes = bytes;
	changed = info;
	changed.shares = shares;
	changed.n_shares -= bytes == 0;
	edit_append(disk, &edit);
	segment_info_release(&info);
}

TEST(shares, "a value file that the manifest does not count is found, a wrong "
	"count is harmless")
{
	struct aedb_verify_report report;
	struct fixture f;

	database_make(&f);
	share_change(f.disk, 1);
	CHECK_OK(verify(f.disk, &f.options, &report));
	CHECK_EQ(report.findings, 0);
	CHECK_EQ(report.harmless, 1);
	CHECK_THAT(strstr(text, "counts other bytes in value files"), "%s", text);
	share_change(f.disk, 0);
	check_says(f.disk, &f.options, "entries refer to value file");
	simdisk_free(f.disk);
}

/* Crashes. */

/* Steps until the power fails. */
static void crash_run(struct fixture *f)
{
	uint8_t value[70000];
	char key[32];

	for (unsigned i = 0; i < 200 && !simdisk_is_cut(f->disk); i++) {
		size_t n = check_random() % (i % 8 ? 300 : sizeof(value));

		bytes_fill(value, n, i);
		snprintf(key, sizeof(key), "k%u", (unsigned)check_random() % 50);
		aedb_put(f->scope, key, strlen(key), value, n);
		if (i % 20 == 10)
			aedb_checkpoint(f->db, NULL);
		if (i % 50 == 40)
			aedb_compact(f->db);
	}
	aedb_scope_close(f->scope);
	aedb_close(f->db);
}


TEST(crashes, "after a power cut at any time nothing but harmless remains is found")
{
	for (int round = 0; round < 60; round++) {
		struct aedb_verify_report report;
		struct fixture f;

		options_set(&f);
		f.options.memory_bytes = 1 << 20;
		f.options.durability = check_random() % 2 ? AEDB_FULL : AEDB_OS;
		fixture_start(&f);
		simdisk_cut_at(f.disk, simdisk_calls(f.disk) +
				       check_random() % 400);
		crash_run(&f);
		simdisk_crash(f.disk, check_random(), SIMDISK_RANDOM);
		CHECK_OK(verify(f.disk, &f.options, &report));
		CHECK_THAT(report.findings == 0, "%s", text);
		simdisk_free(f.disk);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
