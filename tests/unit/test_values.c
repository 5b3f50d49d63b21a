/*
 * Value files, stages and readers against byte arrays, with damaged files,
 * full disks and failing syncs.
 */
#include <pthread.h>

#include "check.h"
#include "err.h"
#include "stage.h"
#include "value_disk.h"
#include "value_holes.h"
#include "value_reader.h"

#define MODEL_BYTES_MAX (80 * VALUE_CHUNK_BYTES)

struct version {
	struct value_source source;
	struct value_ref ref;
	uint8_t *copy;		/* of inline bytes */
	uint8_t *bytes;		/* what it must read as */
	size_t n;
};

static void version_free(struct version *v)
{
	free(v->copy);
	free(v->bytes);
}

static struct version version_of(const struct stage_sealed *sealed,
				 const uint8_t *bytes, size_t n)
{
	struct version v = { .n = n };

	v.bytes = malloc(n + 1);
	memcpy(v.bytes, bytes, n);
	v.ref = sealed->ref;
	if (!sealed->is_ref) {
		CHECK_EQ(sealed->n, n);
		v.copy = malloc(n + 1);
		if (n)
			memcpy(v.copy, sealed->bytes, n);
	}
	v.source = (struct value_source){ .bytes = v.copy, .n = v.copy ? n : 0 };
	return v;
}

/* The source points into the version, which may have been moved. */
static const struct value_source *version_source(struct version *v)
{
	v->source.ref = v->copy ? NULL : &v->ref;
	return &v->source;
}

/* Takes a record from the share of its file. */
static void share_take(struct value_root *root,
		       const struct page_ref *ref)
{
	size_t i = 0;

	while (i < root->n_shares && root->shares[i].file != ref->file)
		i++;
	CHECK(i < root->n_shares);
	root->shares[i].bytes -= page_disk_bytes(ref->stored_bytes);
}

/* The root names every byte of chunks and map blocks, by file. */
static void shares_check(struct values *values, const struct value_ref *ref)
{
	struct value_slot slots[VALUE_MAP_REFS];
	struct value_root root;
	uint64_t chunks = 0;
	size_t n;

	CHECK_OK(values_load_root(values, ref, &root));
	for (size_t m = 0; m < root.n_maps; m++) {
		CHECK_OK(values_load_map(values, &root.maps[m].ref, slots, &n));
		share_take(&root, &root.maps[m].ref);
		for (size_t i = 0; i < n; i++)
			share_take(&root, &slots[i].ref);
		chunks += n;
	}
	CHECK_EQ(chunks, root.chunks);
	for (size_t i = 0; i < root.n_shares; i++)
		CHECK_EQ(root.shares[i].bytes, 0);
	value_root_release(&root);
}

static void version_check(struct values *values, struct version *v)
{
	struct value_reader *reader;
	uint8_t *got = malloc(v->n + 1);
	size_t n, all = 0;

	if (!v->copy)
		shares_check(values, &v->ref);
	CHECK_OK(value_reader_open(values, version_source(v), &reader));
	CHECK_EQ(value_reader_bytes(reader), v->n);
	while (all < v->n) {
		size_t want = 1 + check_random() % (3 * VALUE_CHUNK_BYTES);

		CHECK_OK(value_reader_read(reader, got + all, want, all, &n));
		CHECK_EQ(n, want < v->n - all ? want : v->n - all);
		all += n;
	}
	CHECK_MEM(got, v->bytes, v->n);
	CHECK_OK(value_reader_read(reader, got, 1, v->n, &n));
	CHECK_EQ(n, 0);
	holes_check(seek_in_reader, reader, v->bytes, v->n);
	value_reader_close(reader);
	free(got);
}

/* Extents are valid, and name every file that the value lies in. */
static void extents_check(struct values *values,
			  const struct stage_sealed *sealed)
{
	struct value_share *shares;
	size_t n_shares, j;

	for (size_t i = 0; i < sealed->n_extents; i++)
		CHECK_OK(values_verify_extent(values, &sealed->extents[i]));
	if (!sealed->is_ref)
		return;
	CHECK_OK(values_load_shares(values, &sealed->ref, &shares, &n_shares));
	for (size_t i = 0; i < n_shares; i++) {
		for (j = 0; j < sealed->n_extents; j++)
			if (sealed->extents[j].file == shares[i].file)
				break;
		CHECK(j < sealed->n_extents);
	}
	free(shares);
}

struct model {
	uint8_t bytes[MODEL_BYTES_MAX];
	uint8_t before[MODEL_BYTES_MAX];	/* of the last rebase */
	uint64_t staged[MODEL_BYTES_MAX];	/* mark; 0: it is not */
	size_t n;
	uint64_t now;			/* mark that is in force */
	struct { uint64_t mark, at; } cuts[1000];
	size_t n_cuts;
};

static void model_write(struct model *m, const uint8_t *buf, size_t n, size_t at)
{
	memcpy(m->bytes + at, buf, n);
	for (size_t i = at; i < at + n; i++)
		m->staged[i] = m->now;
	if (at + n > m->n)
		m->n = at + n;
}

static void model_truncate(struct model *m, size_t n)
{
	if (n == m->n)
		return;
	if (n < m->n) {
		memset(m->bytes + n, 0, m->n - n);
		memset(m->staged + n, 0, (m->n - n) * sizeof(*m->staged));
	}
	m->n = n;
	m->cuts[m->n_cuts].mark = m->now;
	m->cuts[m->n_cuts++].at = n;
}

static void model_settle(struct model *m, uint64_t mark)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->staged[i] < mark)
			m->staged[i] = 0;
	for (size_t i = 0; i < m->n_cuts; i++)
		if (m->cuts[i].mark >= mark)
			m->cuts[kept++] = m->cuts[i];
	m->n_cuts = kept;
}

static void model_rebase(struct model *m, const struct version *base,
			 uint64_t mark)
{
	size_t n = base ? base->n : 0, cut = SIZE_MAX, old = m->n;

	memcpy(m->before, m->bytes, sizeof(m->before));
	model_settle(m, mark);
	for (size_t i = 0; i < m->n_cuts; i++)
		if (m->cuts[i].at < cut)
			cut = m->cuts[i].at;
	for (size_t i = 0; i < MODEL_BYTES_MAX; i++)
		if (i >= old || !m->staged[i])
			m->bytes[i] = i < n && i < cut ? base->bytes[i] : 0;
	if (cut != SIZE_MAX)
		return;
	m->n = n;
	for (size_t i = 0; i < old; i++)
		if (m->staged[i] && i >= m->n)
			m->n = i + 1;
}

static void model_check(struct model *m, struct stage *stage)
{
	size_t at = m->n ? check_random() % m->n : 0;
	size_t n = 1 + check_random() % (3 * VALUE_CHUNK_BYTES), got;
	uint8_t *buf = malloc(MODEL_BYTES_MAX);

	CHECK_EQ(stage_bytes(stage), m->n);
	CHECK_OK(stage_read(stage, buf, n, at, &got));
	CHECK_EQ(got, n < m->n - at ? n : m->n - at);
	CHECK_MEM(buf, m->bytes + at, got);
	free(buf);
}

static void model_check_all(struct model *m, struct stage *stage)
{
	uint8_t *buf = malloc(MODEL_BYTES_MAX);
	size_t got;

	CHECK_EQ(stage_bytes(stage), m->n);
	CHECK_OK(stage_read(stage, buf, MODEL_BYTES_MAX, 0, &got));
	CHECK_EQ(got, m->n);
	CHECK_MEM(buf, m->bytes, got);
	holes_check(seek_in_stage, stage, m->bytes, m->n);
	free(buf);
}

/* Where things happen: all over, near the limit of inline values, at the end. */
static size_t random_position(const struct model *m)
{
	switch (check_random() % 6) {
	case 0:
		return check_random() % MODEL_BYTES_MAX;
	case 1:
		return AEDB_VALUE_INLINE_MAX - 8 + check_random() % 16;
	case 2:
		return check_random() % 80 * VALUE_CHUNK_BYTES;
	case 3:
		return m->n;
	case 4:
		return check_random() % 300;
	default:
		return m->n ? check_random() % m->n : 0;
	}
}

static void random_write(struct model *m, struct stage *stage)
{
	static uint8_t buf[2 * VALUE_CHUNK_BYTES];
	size_t at = random_position(m);
	size_t n = check_random() % 3 ? 1 + check_random() % 500 :
					1 + check_random() % sizeof(buf);

	if (at >= MODEL_BYTES_MAX)
		return;
	if (n > MODEL_BYTES_MAX - at)
		n = MODEL_BYTES_MAX - at;
	if (check_random() % 8)
		fill(buf, n, check_random());
	else
		memset(buf, 0, n);
	CHECK_OK(stage_write(stage, buf, n, at));
	model_write(m, buf, n, at);
}

static void random_zero(struct model *m, struct stage *stage)
{
	static const uint8_t zeros[6 * VALUE_CHUNK_BYTES];
	size_t at = random_position(m);
	size_t n = 1 + check_random() % sizeof(zeros);

	CHECK_OK(stage_zero(stage, at, n));
	if (at < m->n)
		model_write(m, zeros, n < m->n - at ? n : m->n - at, at);
}

static void random_truncate(struct model *m, struct stage *stage)
{
	size_t n = random_position(m);

	if (check_random() % 3 == 0)
		n = 0;
	CHECK_OK(stage_truncate(stage, n));
	model_truncate(m, n);
}

#define VERSIONS_MAX 400

struct run {
	struct values *values;
	struct stage *stage;
	struct model *model;
	struct version versions[VERSIONS_MAX];
	size_t n_versions;
	uint64_t marks[8];	/* not settled yet */
	size_t n_marks;
};

static struct version *random_version(struct run *run)
{
	size_t i = check_random() % (run->n_versions + 1);

	return i == run->n_versions ? NULL : &run->versions[i];
}

static void random_seal(struct run *run)
{
	struct stage_sealed sealed;
	struct version v;

	CHECK_OK(stage_seal(run->stage, &sealed));
	CHECK_EQ(sealed.is_ref, run->model->n > AEDB_VALUE_INLINE_MAX);
	extents_check(run->values, &sealed);
	v = version_of(&sealed, run->model->bytes, run->model->n);
	version_check(run->values, &v);
	run->model->now = sealed.mark;
	if (check_random() % 4) {
		stage_settle(run->stage, sealed.mark);
		model_settle(run->model, sealed.mark);
		CHECK(!stage_is_dirty(run->stage));
		run->n_marks = 0;
	} else if (run->n_marks < 8) {
		run->marks[run->n_marks++] = sealed.mark;
	}
	if (run->n_versions < VERSIONS_MAX)
		run->versions[run->n_versions++] = v;
	else
		version_free(&v);
	model_check_all(run->model, run->stage);
}

static void random_rebase(struct run *run)
{
	struct version *base = random_version(run);
	uint64_t mark = 0;

	if (run->n_marks && check_random() % 2)
		mark = run->marks[check_random() % run->n_marks];
	CHECK_OK(stage_rebase(run->stage, base ? version_source(base) : NULL,
			      mark));
	model_rebase(run->model, base, mark);
	model_check_all(run->model, run->stage);
}

static void random_reopen(struct run *run)
{
	struct version *base = random_version(run);

	stage_close(run->stage);
	if (check_random() % 2) {
		CHECK_OK(values_sync(run->values));
		values_close(run->values);
		run->values = open_values();
	}
	memset(run->model, 0, sizeof(*run->model));
	run->model->now = 1;
	run->n_marks = 0;
	if (base) {
		memcpy(run->model->bytes, base->bytes, base->n);
		run->model->n = base->n;
	}
	CHECK_OK(stage_open(run->values, base ? version_source(base) : NULL,
			    &run->stage));
}

static void random_step(struct run *run)
{
	uint64_t dice = check_random() % 100;

	if (dice < 47)
		random_write(run->model, run->stage);
	else if (dice < 50)
		random_zero(run->model, run->stage);
	else if (dice < 58)
		random_truncate(run->model, run->stage);
	else if (dice < 80)
		model_check(run->model, run->stage);
	else if (dice < 88)
		random_seal(run);
	else if (dice < 92)
		random_rebase(run);
	else if (dice < 94)
		random_reopen(run);
	else if (dice < 95)
		values_cut(run->values);
	else if (run->n_marks < 8)
		run->model->now = run->marks[run->n_marks++] =
			stage_mark(run->stage);
}

static void run_open(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->values = open_values();
	run->model = calloc(1, sizeof(*run->model));
	run->model->now = 1;
	CHECK_OK(stage_open(run->values, NULL, &run->stage));
}

static void run_close(struct run *run)
{
	stage_close(run->stage);
	for (size_t i = 0; i < run->n_versions; i++) {
		version_check(run->values, &run->versions[i]);
		version_free(&run->versions[i]);
	}
	values_close(run->values);
	free(run->model);
}

static struct run run;

TEST(random_stages, "a stage is its base and the bytes written over it, to the byte")
{
	disk_open();
	run_open(&run);
	for (int i = 0; i < 6000; i++)
		random_step(&run);
	run_close(&run);
	disk_close();
}

/* As random_step without rebases and marks, whose exactness ends at spills. */
TEST(random_spills, "a stage that must spill reads and seals the same")
{
	disk_open();
	run_open(&run);
	staged_set_max(values_staged(run.values), 0);
	for (int i = 0; i < 6000; i++) {
		uint64_t dice = check_random() % 100;

		if (dice < 57)
			random_write(run.model, run.stage);
		else if (dice < 60)
			random_zero(run.model, run.stage);
		else if (dice < 66)
			random_truncate(run.model, run.stage);
		else if (dice < 92)
			model_check(run.model, run.stage);
		else if (dice < 98)
			random_seal(&run);
		else
			random_reopen(&run);
		if (dice >= 98)
			staged_set_max(values_staged(run.values), 0);
	}
	run_close(&run);
	disk_close();
}

TEST(spilled_rebase, "a rebase keeps every staged byte, and of spilled chunks all")
{
	struct stage_sealed sealed;

	disk_open();
	run_open(&run);
	staged_set_max(values_staged(run.values), 0);
	for (int round = 0; round < 60; round++) {
		uint8_t *got = malloc(MODEL_BYTES_MAX);
		struct version *base;
		size_t n;

		for (int i = 0; i < 40; i++)
			random_write(run.model, run.stage);
		random_seal(&run);
		for (int i = 0; i < 40; i++)
			random_write(run.model, run.stage);
		base = random_version(&run);
		CHECK_OK(stage_rebase(run.stage, base ? version_source(base) :
				      NULL, 0));
		model_rebase(run.model, base, 0);
		CHECK_OK(stage_read(run.stage, got, MODEL_BYTES_MAX, 0, &n));
		CHECK(n >= run.model->n);
		for (size_t i = 0; i < n; i++)
			CHECK(got[i] == run.model->bytes[i] ||
			      (!run.model->staged[i] &&
			       got[i] == run.model->before[i]));
		/* What is staged now is not known to the byte: settle it. */
		memcpy(run.model->bytes, got, n);
		run.model->n = n;
		free(got);
		/* Nothing of an older base shows behind the end. */
		CHECK_OK(stage_truncate(run.stage, MODEL_BYTES_MAX));
		memset(run.model->bytes + n, 0, MODEL_BYTES_MAX - n);
		run.model->n = MODEL_BYTES_MAX;
		model_check_all(run.model, run.stage);
		CHECK_OK(stage_truncate(run.stage, n));
		run.model->n = n;
		CHECK_OK(stage_seal(run.stage, &sealed));
		stage_settle(run.stage, sealed.mark);
		model_settle(run.model, sealed.mark);
		run.model->now = sealed.mark;
	}
	run_close(&run);
	disk_close();
}

TEST(sparse, "a value of 1 TiB stores its chunks and nothing for its holes")
{
	const uint64_t far = (uint64_t)1 << 40;
	struct values *values;
	struct stage *stage;
	struct stage_sealed sealed;
	struct value_reader *reader;
	uint8_t buf[4096];
	size_t n;

	disk_open();
	values = open_values();
	CHECK_OK(stage_open(values, NULL, &stage));
	CHECK_OK(stage_truncate(stage, far));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK(sealed.is_ref);
	CHECK_EQ(value_ref_allocated(&sealed.ref), 0);
	CHECK_OK(stage_write(stage, "near", 4, 5));
	CHECK_OK(stage_write(stage, "far", 3, far - 3));
	CHECK_OK(stage_write(stage, "middle", 6, far / 2));
	CHECK_EQ(stage_allocated_bytes(stage), 3 * VALUE_CHUNK_BYTES);
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.ref.bytes, far);
	CHECK_EQ(value_ref_allocated(&sealed.ref), 3 * VALUE_CHUNK_BYTES);
	CHECK(disk.bytes_written < 128 * KIB);

	CHECK_OK(value_reader_open(values, &(struct value_source){
		.ref = &sealed.ref }, &reader));
	CHECK_OK(value_reader_read(reader, buf, 8, far - 4, &n));
	CHECK_EQ(n, 4);
	CHECK_MEM(buf, "\0far", 4);
	CHECK_OK(value_reader_read(reader, buf, 6, far / 2, &n));
	CHECK_MEM(buf, "middle", 6);
	CHECK_OK(value_reader_read(reader, buf, sizeof(buf), far / 4, &n));
	CHECK_EQ(n, sizeof(buf));
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(buf[i], 0);
	value_reader_close(reader);

	CHECK_EQ(stage_write(stage, "x", 1, VALUE_BYTES_MAX), AEDB_TOO_LARGE);
	CHECK_EQ(stage_truncate(stage, VALUE_BYTES_MAX + 1), AEDB_TOO_LARGE);
	CHECK_OK(stage_truncate(stage, far / 2 + 3));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.ref.chunks, 2);
	stage_close(stage);
	values_close(values);
	disk_close();
}

TEST(zeros, "chunks of zeros that were written become holes")
{
	static uint8_t zeros[300 * 1024];
	uint8_t got[100];
	struct values *values;
	struct stage *stage;
	struct stage_sealed sealed;
	size_t n;

	disk_open();
	values = open_values();
	CHECK_OK(stage_open(values, NULL, &stage));
	CHECK_OK(stage_write(stage, "x", 1, 0));
	CHECK_OK(stage_write(stage, zeros, sizeof(zeros), 100));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.ref.bytes, sizeof(zeros) + 100);
	CHECK_EQ(sealed.ref.chunks, 1);
	stage_close(stage);

	/* A small base of zeros, which grows, and whose chunks leave memory. */
	CHECK_OK(stage_open(values, &(struct value_source){
		.bytes = zeros, .n = 20000 }, &stage));
	CHECK_OK(stage_write(stage, "x", 1, 200000));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.ref.chunks, 1);
	CHECK_EQ(stage_allocated_bytes(stage), VALUE_CHUNK_BYTES);
	stage_settle(stage, sealed.mark);
	staged_set_max(values_staged(values), 0);
	for (uint64_t i = 20; i < 60; i++)
		CHECK_OK(stage_write(stage, "y", 1, i * VALUE_CHUNK_BYTES));
	CHECK_OK(stage_read(stage, got, sizeof(got), 10, &n));
	CHECK_MEM(got, zeros, sizeof(got));
	stage_close(stage);
	values_close(values);
	disk_close();
}

TEST(zeros_over_base, "zeros over a small value stay when it grows and they leave memory")
{
	static uint8_t base[40000], zeros[VALUE_CHUNK_BYTES], got[sizeof(base)];
	struct values *values;
	struct stage *stage;
	struct stage_sealed sealed;
	struct value_reader *reader;
	size_t n;

	disk_open();
	values = open_values();
	staged_set_max(values_staged(values), 0);
	fill(base, sizeof(base), 1);
	CHECK_OK(stage_open(values, &(struct value_source){
		.bytes = base, .n = sizeof(base) }, &stage));
	CHECK_OK(stage_write(stage, zeros, sizeof(zeros), 0));
	for (uint64_t i = 10; i < 60; i++)
		CHECK_OK(stage_write(stage, "y", 1, i * VALUE_CHUNK_BYTES));
	memset(base, 0, sizeof(zeros));
	CHECK_OK(stage_read(stage, got, sizeof(got), 0, &n));
	CHECK_MEM(got, base, sizeof(base));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_OK(value_reader_open(values, &(struct value_source){
		.ref = &sealed.ref }, &reader));
	CHECK_OK(value_reader_read(reader, got, sizeof(got), 0, &n));
	CHECK_MEM(got, base, sizeof(base));
	value_reader_close(reader);
	stage_close(stage);
	values_close(values);
	disk_close();
}

TEST(streams, "a stream of 96 MiB uses a few MiB of memory and few extents")
{
	const uint64_t total = 96 * MIB, piece = 128 * KIB;
	struct values *values;
	struct stage *stage;
	struct stage_sealed sealed;
	struct value_reader *reader;
	uint8_t *buf = malloc(piece), *want = malloc(piece);
	size_t n;

	disk_open();
	values = open_values();
	values_set_all_bytes(values, UINT64_C(1) << 40);
	CHECK_OK(stage_open(values, NULL, &stage));
	for (uint64_t at = 0; at < total; at += piece) {
		fill(buf, piece, at);
		CHECK_OK(stage_write(stage, buf, piece, at));
		CHECK(stage_memory_bytes(stage) < 5 * MIB);
	}
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(sealed.n_extents, 1);
	CHECK(disk.bytes_written < total + total / 300);
	extents_check(values, &sealed);
	CHECK_OK(values_sync(values));
	CHECK(!file_set_is_dirty(values_files(values)));
	CHECK_OK(value_reader_open(values, &(struct value_source){
		.ref = &sealed.ref }, &reader));
	for (uint64_t at = 0; at < total; at += piece) {
		fill(want, piece, at);
		CHECK_OK(value_reader_read(reader, buf, piece, at, &n));
		CHECK_MEM(buf, want, piece);
	}
	value_reader_close(reader);
	stage_close(stage);
	values_close(values);
	disk_close();
	free(buf);
	free(want);
}

TEST(small_change, "4 KiB changed in 64 MiB write a chunk, a map block and a root")
{
	const uint64_t total = 64 * MIB, piece = 256 * KIB;
	struct values *values;
	struct stage *stage;
	struct stage_sealed sealed;
	uint8_t *buf = malloc(piece);

	disk_open();
	values = open_values();
	values_set_all_bytes(values, UINT64_C(1) << 40);
	CHECK_OK(stage_open(values, NULL, &stage));
	for (uint64_t at = 0; at < total; at += piece) {
		fill(buf, piece, at);
		CHECK_OK(stage_write(stage, buf, piece, at));
	}
	CHECK_OK(stage_seal(stage, &sealed));
	stage_settle(stage, sealed.mark);
	disk.bytes_written = 0;
	CHECK_OK(stage_write(stage, buf, 4096, 40 * MIB));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK(disk.bytes_written < 28 * KIB);
	CHECK_EQ(sealed.n_extents, 1);
	CHECK_EQ(sealed.extents[0].bytes, disk.bytes_written);
	stage_settle(stage, sealed.mark);

	/* Nothing staged, nothing written. */
	disk.bytes_written = 0;
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_EQ(disk.bytes_written, 0);
	CHECK_EQ(sealed.n_extents, 1);
	CHECK_EQ(sealed.extents[0].bytes, 0);
	CHECK(sealed.is_ref);
	stage_close(stage);
	values_close(values);
	disk_close();
	free(buf);
}

TEST(whole_stores, "a value stored as a whole reads back, in one extent")
{
	static const size_t sizes[] = { 65537, 98304, 131072, 1 << 20,
					(16 << 20) - 1, 16 << 20, (16 << 20) + 1,
					50000000 };
	struct values *values;

	disk_open();
	values = open_values();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct version v = { .n = sizes[i], .bytes = malloc(sizes[i]) };
		struct value_extent extent;

		fill(v.bytes, v.n, i);
		CHECK_OK(value_store(values, v.bytes, v.n, &v.ref, &extent));
		CHECK_OK(values_verify_extent(values, &extent));
		version_check(values, &v);
		extent.bytes -= PAGE_ALIGN;
		CHECK_EQ(values_verify_extent(values, &extent), AEDB_CORRUPT);
		extent.bytes += 2 * PAGE_ALIGN;
		CHECK_EQ(values_verify_extent(values, &extent), AEDB_CORRUPT);
		version_free(&v);
	}
	values_close(values);
	disk_close();
}

TEST(file_per_open, "nothing is appended to a file of an earlier open")
{
	struct values *values;
	struct value_extent extent;
	struct version v = { .n = 100000, .bytes = malloc(100000) };
	struct version w = v;
	struct value_root root;

	w.bytes = malloc(w.n);
	fill(v.bytes, v.n, 1);
	fill(w.bytes, w.n, 2);
	disk_open();
	values = open_values();
	CHECK_OK(value_store(values, v.bytes, v.n, &v.ref, &extent));
	values_close(values);
	values = open_values();
	CHECK_OK(value_store(values, w.bytes, w.n, &w.ref, &extent));
	CHECK(w.ref.root.file > v.ref.root.file);
	CHECK_EQ(values_load_root(values, &(struct value_ref){
		.bytes = w.ref.bytes, .chunks = w.ref.chunks,
		.root = { w.ref.root.file, w.ref.root.offset,
			  w.ref.root.stored_bytes, w.ref.root.crc ^ 1 } },
		&root), AEDB_CORRUPT);
	version_check(values, &v);
	version_check(values, &w);
	values_close(values);

	CHECK_OK(values_open_read_only(disk.vfs, uuid, &values));
	version_check(values, &v);
	CHECK_EQ(value_store(values, v.bytes, v.n, &v.ref, &extent),
		 AEDB_READ_ONLY);
	values_close(values);
	disk_close();
	version_free(&v);
	version_free(&w);
}

/* Reads all of a value that may be damaged. */
static int read_all(struct value_ref *ref, uint8_t *buf, size_t n)
{
	struct values *values = open_values();
	struct value_reader *reader;
	size_t got;
	int rc = value_reader_open(values, &(struct value_source){ .ref = ref },
				   &reader);

	if (rc == 0) {
		rc = value_reader_read(reader, buf, n, 0, &got);
		if (rc == 0)
			CHECK_EQ(got, n);
		value_reader_close(reader);
	}
	values_close(values);
	return rc;
}

static void flip(FILE *file, long at, int bits)
{
	int byte;

	CHECK_OK(fseek(file, at, SEEK_SET));
	byte = fgetc(file);
	CHECK_OK(fseek(file, at, SEEK_SET));
	fputc(byte ^ bits, file);
	fflush(file);
}

TEST(flips, "a flipped byte anywhere is reported or harmless, never other data")
{
	const size_t n = 200001;
	uint8_t *bytes = malloc(n), *got = malloc(n);
	struct values *values;
	struct value_ref ref;
	struct value_extent extent;
	char path[128];
	size_t reported = 0;
	FILE *file;
	long end;

	disk_open();
	fill(bytes, n, 7);
	values = open_values();
	CHECK_OK(value_store(values, bytes, n, &ref, &extent));
	values_close(values);
	snprintf(path, sizeof(path), "%s/val/%llu.val", disk.path,
		 (unsigned long long)ref.root.file);
	file = fopen(path, "r+");
	CHECK(file);
	fseek(file, 0, SEEK_END);
	end = ftell(file);
	for (int i = 0; i < 1500; i++) {
		/* Half of them where the header, the map and the root are. */
		long at = i % 4 == 0 ? (long)(check_random() % 512) :
			  i % 4 == 1 ? end - 1 - (long)(check_random() % 300) :
				       (long)(check_random() % (uint64_t)end);
		int bits = 1 << check_random() % 8;
		int rc;

		flip(file, at, bits);
		rc = read_all(&ref, got, n);
		reported += rc < 0;
		if (rc < 0)
			CHECK_EQ(rc, AEDB_CORRUPT);
		if (rc < 0)
			CHECK(strstr(err_message(), "val/1.val"));
		else
			CHECK_MEM(got, bytes, n);
		flip(file, at, bits);
	}
	CHECK(reported > 1000);
	CHECK_OK(read_all(&ref, got, n));
	fclose(file);
	CHECK_OK(truncate(path, end - 1));
	CHECK_EQ(read_all(&ref, got, n), AEDB_CORRUPT);
	CHECK_OK(unlink(path));
	CHECK_EQ(read_all(&ref, got, n), AEDB_CORRUPT);
	disk_close();
	free(bytes);
	free(got);
}

TEST(full_disk, "a write refused by a full disk loses nothing, whichever it is")
{
	const size_t n = 60 * VALUE_CHUNK_BYTES + 5;
	uint8_t *bytes = malloc(n);
	struct stage_sealed sealed;
	bool has_failed = true;

	fill(bytes, n, 3);
	for (int nth = 0; has_failed; nth++) {
		struct values *values;
		struct stage *stage;
		struct version first, v;
		int rc = 0;

		disk_open();
		values = open_values();
		staged_set_max(values_staged(values), 0);
		disk.write_error = AEDB_NO_SPACE;
		CHECK_OK(stage_open(values, NULL, &stage));
		CHECK_OK(stage_write(stage, bytes, 100000, 0));
		CHECK_OK(stage_seal(stage, &sealed));
		stage_settle(stage, sealed.mark);
		first = version_of(&sealed, bytes, 100000);
		disk.writes_left = nth;
		for (size_t at = 0; rc == 0 && at < n; at += 65536)
			rc = stage_write(stage, bytes + at,
					 n - at < 65536 ? n - at : 65536, at);
		if (rc == 0)
			rc = stage_seal(stage, &sealed);
		has_failed = rc < 0;
		if (rc < 0)
			CHECK_EQ(rc, AEDB_NO_SPACE);
		version_check(values, &first);
		disk.writes_left = -1;
		CHECK_OK(stage_write(stage, bytes, n, 0));
		CHECK_OK(stage_seal(stage, &sealed));
		extents_check(values, &sealed);
		v = version_of(&sealed, bytes, n);
		version_check(values, &v);
		version_free(&v);
		version_free(&first);
		stage_close(stage);
		values_close(values);
		disk_close();
	}
	free(bytes);
}

TEST(failed_sync, "after a failed sync nothing is written any more")
{
	struct version v = { .n = 100000, .bytes = malloc(100000) };
	struct value_extent extent;
	struct value_ref ref;
	struct values *values;

	fill(v.bytes, v.n, 5);
	disk_open();
	values = open_values();
	CHECK_OK(values_sync(values));
	CHECK_OK(value_store(values, v.bytes, v.n, &v.ref, &extent));
	CHECK(file_set_is_dirty(values_files(values)));
	disk.sync_error = AEDB_IO;
	CHECK_EQ(values_sync(values), AEDB_IO);
	disk.sync_error = 0;
	CHECK_EQ(values_sync(values), AEDB_IO);
	CHECK_EQ(value_store(values, v.bytes, v.n, &ref, &extent), AEDB_IO);
	version_check(values, &v);
	values_close(values);
	disk_close();
	version_free(&v);
}

struct writer {
	struct values *values;
	pthread_t thread;
	uint64_t number;
	struct version version;
};

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	const size_t n = 8 * MIB;
	struct stage_sealed sealed;
	struct stage *stage;
	uint8_t *bytes = malloc(n);

	fill(bytes, n, w->number * 12345);
	CHECK_OK(stage_open(w->values, NULL, &stage));
	for (size_t at = 0; at < n; at += 100000)
		CHECK_OK(stage_write(stage, bytes + at,
				     n - at < 100000 ? n - at : 100000, at));
	CHECK_OK(stage_seal(stage, &sealed));
	CHECK_OK(values_sync(w->values));
	extents_check(w->values, &sealed);
	w->version = version_of(&sealed, bytes, n);
	stage_close(stage);
	free(bytes);
	return NULL;
}

TEST(parallel, "stages of several threads share a file and its syncs")
{
	struct writer writers[4];
	struct values *values;

	disk_open();
	values = open_values();
	staged_set_max(values_staged(values), 6 * MIB);
	for (uint64_t i = 0; i < 4; i++) {
		writers[i] = (struct writer){ .values = values, .number = i };
		CHECK_EQ(pthread_create(&writers[i].thread, NULL, writer_run,
					&writers[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(writers[i].thread, NULL);
	CHECK(!file_set_is_dirty(values_files(values)));
	for (int i = 0; i < 4; i++) {
		version_check(values, &writers[i].version);
		version_free(&writers[i].version);
	}
	values_close(values);
	disk_close();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
