/*
 * Values of all kinds in value files of a simulated disk, with what they hold:
 *
 *	pool_open(&p);
 *	i = pool_add_small(&p); i = pool_add_large(&p); i = pool_add_change(&p, i);
 *	pool_cut(&p);				later ones lie in another file
 *	pool_check(&p, i, &ref);		it reads as it should through ref
 *	pool_close(&p);
 */
#ifndef VALUE_POOL_H
#define VALUE_POOL_H

#include "check.h"
#include "err.h"
#include "simdisk.h"
#include "stage.h"
#include "value_append.h"
#include "value_reader.h"

#define POOL_VALUES_MAX 512

static const uint8_t pool_uuid[FILE_UUID_BYTES] = "value pool test";

struct pool_value {
	struct value_ref ref;
	uint8_t *bytes;		/* owned */
	size_t n;
};

struct pool {
	struct simdisk *disk;
	struct vfs *vfs;
	struct values *values;
	struct pool_value at[POOL_VALUES_MAX];
	size_t n;
};

static inline void pool_reopen(struct pool *p)
{
	values_close(p->values);
	CHECK_OK(values_open(p->vfs, pool_uuid, 1, &p->values));
}

static inline void pool_open(struct pool *p)
{
	*p = (struct pool){ .disk = simdisk_new(1) };
	p->vfs = simdisk_vfs(p->disk);
	pool_reopen(p);
}

static inline void pool_close(struct pool *p)
{
	values_close(p->values);
	simdisk_free(p->disk);
	for (size_t i = 0; i < p->n; i++)
		free(p->at[i].bytes);
}

/* The next append begins a file; what was appended is on the disk. */
static inline void pool_cut(struct pool *p)
{
	CHECK_OK(values_sync(p->values));
	values_cut(p->values);
}

static inline struct pool_value *pool_new(struct pool *p, size_t n)
{
	struct pool_value *v = &p->at[p->n++];

	CHECK(p->n <= POOL_VALUES_MAX);
	v->bytes = malloc(n);
	v->n = n;
	for (size_t i = 0; i < n; i += 7)
		v->bytes[i] = (uint8_t)check_random();
	return v;
}

/* One page. */
static inline size_t pool_add_small(struct pool *p)
{
	struct pool_value *v = pool_new(p, 1 + check_random() % 3000);
	struct page_ref page;

	CHECK_OK(value_append_whole(p->values, v->bytes, v->n, &page));
	v->ref = value_ref_of_page(&page);
	return p->n - 1;
}

static inline void pool_write_changes(struct pool_value *v, struct stage *stage)
{
	for (uint64_t changes = 1 + check_random() % 4; changes; changes--) {
		uint64_t word = check_random();
		size_t at = check_random() % (v->n - sizeof(word));

		memcpy(v->bytes + at, &word, sizeof(word));
		CHECK_OK(stage_write(stage, &word, sizeof(word), at));
	}
}

/* A value of a root, a few map blocks and chunks, holes among them. */
static inline size_t pool_add_large(struct pool *p)
{
	size_t n = AEDB_VALUE_INLINE_MAX + 1 + check_random() % (200u << 10);
	struct pool_value *v = pool_new(p, n);
	struct stage_sealed sealed;
	struct stage *stage;
	size_t far = VALUE_MAP_SPAN * (1 + check_random() % 2);

	CHECK_OK(stage_open(p->values, NULL, &stage));
	CHECK_OK(stage_write(stage, v->bytes, n, 0));
	if (check_random() % 4 == 0) {
		v->bytes = realloc(v->bytes, far + 8);
		memset(v->bytes + n, 0, far + 8 - n);
		v->n = far + 8;
		memset(v->bytes + far, 'x', 8);
		CHECK_OK(stage_write(stage, v->bytes + far, 8, far));
	}
	CHECK_OK(stage_seal(stage, &sealed));
	v->ref = sealed.ref;
	stage_close(stage);
	return p->n - 1;
}

/* A later version of a large value: most chunks are the same ones. */
static inline size_t pool_add_change(struct pool *p, size_t of)
{
	struct value_source base = { .ref = &p->at[of].ref };
	struct pool_value *v = pool_new(p, p->at[of].n);
	struct stage_sealed sealed;
	struct stage *stage;

	memcpy(v->bytes, p->at[of].bytes, v->n);
	CHECK_OK(stage_open(p->values, &base, &stage));
	pool_write_changes(v, stage);
	CHECK_OK(stage_seal(stage, &sealed));
	v->ref = sealed.ref;
	stage_close(stage);
	return p->n - 1;
}

/* All bytes of a value; < 0 what reading says. */
static inline int pool_read(struct values *values, const struct value_ref *ref,
			    uint8_t *ret, size_t n)
{
	struct value_source source = { .ref = ref };
	struct value_reader *reader;
	size_t got;
	int rc = value_reader_open(values, &source, &reader);

	if (rc < 0)
		return rc;
	CHECK_EQ(value_reader_bytes(reader), n);
	rc = value_reader_read(reader, ret, n, 0, &got);
	value_reader_close(reader);
	return rc;
}

static inline void pool_check(struct pool *p, size_t i,
			      const struct value_ref *ref)
{
	uint8_t *got = malloc(p->at[i].n);

	CHECK_OK(pool_read(p->values, ref, got, p->at[i].n));
	CHECK_MEM(got, p->at[i].bytes, p->at[i].n);
	free(got);
}

/* The files there are, ascending; returns how many. */
static inline size_t pool_files(struct pool *p, file_id_t *ret, size_t max)
{
	struct file_info info = { .number = 0 };
	size_t n = 0;

	while (file_set_info(values_files(p->values), info.number, &info) == 0) {
		CHECK(n < max);
		ret[n++] = info.number;
	}
	return n;
}

#endif
