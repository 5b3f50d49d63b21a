/*
 * Files of the simulated disk.
 *
 * Invariants:
 * 1. A page with more than one reference is never written.
 * 2. durable + all changes in order = seen, but for what a failed sync dropped.
 */
#include "sim_file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct sim_page {
	_Atomic unsigned refs;
	uint8_t bytes[SIM_PAGE_BYTES];
};

/* Bytes of a write, shared by clones. */
struct sim_blob {
	_Atomic unsigned refs;
	uint8_t bytes[];
};

enum sim_change_kind {
	CHANGE_WRITE,
	CHANGE_TRUNCATE,
	CHANGE_ALLOCATE,
};

struct sim_change {
	enum sim_change_kind kind;
	uint64_t offset, n;	/* truncate, allocate: offset is the size */
	struct sim_blob *blob;	/* of a write; owned reference */
};

uint64_t sim_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct sim_page *page_ref(struct sim_page *page)
{
	if (page)
		atomic_fetch_add(&page->refs, 1);
	return page;
}

static void page_unref(struct sim_page *page)
{
	if (page && atomic_fetch_sub(&page->refs, 1) == 1)
		free(page);
}

static void blob_unref(struct sim_blob *blob)
{
	if (blob && atomic_fetch_sub(&blob->refs, 1) == 1)
		free(blob);
}

/* A page that may be written: a copy if others hold it. */
static struct sim_page *page_own(struct sim_page **at)
{
	struct sim_page *old = *at, *page;

	if (old && atomic_load(&old->refs) == 1)
		return old;
	page = must_have(old ? malloc(sizeof(*page)) : calloc(1, sizeof(*page)));
	if (old)
		memcpy(page->bytes, old->bytes, sizeof(page->bytes));
	atomic_store(&page->refs, 1);
	page_unref(old);
	*at = page;
	return page;
}

static void content_hold(struct sim_content *c, uint64_t size)
{
	size_t n = (size_t)((size + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES);

	if (n <= c->pages_n)
		return;
	c->pages = must_have(realloc(c->pages, n * sizeof(*c->pages)));
	memset(c->pages + c->pages_n, 0, (n - c->pages_n) * sizeof(*c->pages));
	c->pages_n = n;
}

static void content_extend(struct sim_content *c, uint64_t size)
{
	if (size <= c->size)
		return;
	content_hold(c, size);
	c->size = size;
}

static void content_write(struct sim_content *c, const uint8_t *data, size_t n,
			  uint64_t offset)
{
	if (n)
		content_extend(c, offset + n);
	while (n) {
		size_t in_page = (size_t)(offset % SIM_PAGE_BYTES);
		size_t k = SIM_PAGE_BYTES - in_page < n ? SIM_PAGE_BYTES - in_page : n;
		struct sim_page *page = page_own(&c->pages[offset / SIM_PAGE_BYTES]);

		memcpy(page->bytes + in_page, data, k);
		data += k;
		offset += k;
		n -= k;
	}
}

static void content_truncate(struct sim_content *c, uint64_t size)
{
	size_t in_page = (size_t)(size % SIM_PAGE_BYTES);
	size_t keep = (size_t)((size + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES);

	for (size_t i = keep; i < c->pages_n; i++) {
		page_unref(c->pages[i]);
		c->pages[i] = NULL;
	}
	if (size < c->size && in_page && c->pages[keep - 1])
		memset(page_own(&c->pages[keep - 1])->bytes + in_page, 0,
		       SIM_PAGE_BYTES - in_page);
	content_hold(c, size);
	c->size = size;
}

static void content_release(struct sim_content *c)
{
	for (size_t i = 0; i < c->pages_n; i++)
		page_unref(c->pages[i]);
	free(c->pages);
	memset(c, 0, sizeof(*c));
}

static struct sim_content content_copy(const struct sim_content *c)
{
	struct sim_content copy = { .size = c->size };

	content_hold(&copy, (uint64_t)c->pages_n * SIM_PAGE_BYTES);
	for (size_t i = 0; i < c->pages_n; i++)
		copy.pages[i] = page_ref(c->pages[i]);
	return copy;
}

struct sim_file *sim_file_new(bool is_directory)
{
	struct sim_file *file = must_have(calloc(1, sizeof(*file)));

	file->is_directory = is_directory;
	return file;
}

static void changes_clear(struct sim_file *file)
{
	for (size_t i = 0; i < file->changes_n; i++)
		blob_unref(file->changes[i].blob);
	file->changes_n = 0;
}

void sim_file_ref(struct sim_file *file)
{
	file->refs++;
}

void sim_file_unref(struct sim_file *file)
{
	if (--file->refs)
		return;
	changes_clear(file);
	free(file->changes);
	content_release(&file->seen);
	content_release(&file->durable);
	free(file);
}

struct sim_file *sim_file_clone(const struct sim_file *file)
{
	struct sim_file *copy = sim_file_new(file->is_directory);

	copy->refs = 1;
	copy->number = file->number;
	copy->seen = content_copy(&file->seen);
	copy->durable = content_copy(&file->durable);
	if (!file->changes_n)
		return copy;
	copy->changes = must_have(malloc(file->changes_n * sizeof(*copy->changes)));
	copy->changes_n = copy->changes_cap = file->changes_n;
	for (size_t i = 0; i < file->changes_n; i++) {
		copy->changes[i] = file->changes[i];
		if (file->changes[i].blob)
			atomic_fetch_add(&file->changes[i].blob->refs, 1);
	}
	return copy;
}

size_t sim_file_read(const struct sim_file *file, void *buf, size_t n,
		     uint64_t offset)
{
	const struct sim_content *c = &file->seen;
	uint8_t *to = buf;
	size_t got;

	if (offset >= c->size)
		return 0;
	n = c->size - offset < n ? (size_t)(c->size - offset) : n;
	for (got = 0; got < n;) {
		size_t in_page = (size_t)((offset + got) % SIM_PAGE_BYTES);
		size_t k = SIM_PAGE_BYTES - in_page < n - got ?
				   SIM_PAGE_BYTES - in_page : n - got;
		const struct sim_page *page =
			c->pages[(offset + got) / SIM_PAGE_BYTES];

		if (page)
			memcpy(to + got, page->bytes + in_page, k);
		else
			memset(to + got, 0, k);
		got += k;
	}
	return got;
}

static struct sim_change *change_add(struct sim_file *file,
				     enum sim_change_kind kind, uint64_t offset)
{
	struct sim_change *change;

	if (file->changes_n == file->changes_cap) {
		file->changes_cap = file->changes_cap ? 2 * file->changes_cap : 8;
		file->changes = must_have(
			realloc(file->changes,
				file->changes_cap * sizeof(*file->changes)));
	}
	change = &file->changes[file->changes_n++];
	*change = (struct sim_change){ .kind = kind, .offset = offset };
	return change;
}

void sim_file_write(struct sim_file *file, const void *data, size_t n,
		    uint64_t offset)
{
	struct sim_change *change = change_add(file, CHANGE_WRITE, offset);

	change->n = n;
	change->blob = must_have(malloc(sizeof(*change->blob) + n));
	atomic_store(&change->blob->refs, 1);
	memcpy(change->blob->bytes, data, n);
	content_write(&file->seen, data, n, offset);
}

void sim_file_truncate(struct sim_file *file, uint64_t size)
{
	change_add(file, CHANGE_TRUNCATE, size);
	content_truncate(&file->seen, size);
}

void sim_file_allocate(struct sim_file *file, uint64_t end)
{
	change_add(file, CHANGE_ALLOCATE, end);
	content_extend(&file->seen, end);
}

/* Makes the pages of a range on the disk those that programs see. */
static void pages_follow(struct sim_file *file, uint64_t offset, uint64_t end)
{
	size_t last = (size_t)((end + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES);

	content_hold(&file->durable, end);
	for (size_t i = (size_t)(offset / SIM_PAGE_BYTES); i < last; i++) {
		struct sim_page *seen = i < file->seen.pages_n ?
						file->seen.pages[i] : NULL;

		page_ref(seen);
		page_unref(file->durable.pages[i]);
		file->durable.pages[i] = seen;
	}
}

void sim_file_sync(struct sim_file *file)
{
	for (size_t i = 0; i < file->changes_n; i++) {
		const struct sim_change *c = &file->changes[i];

		if (c->kind == CHANGE_WRITE)
			pages_follow(file, c->offset, c->offset + c->n);
		else if (c->kind == CHANGE_TRUNCATE)
			pages_follow(file, c->offset,
				     file->durable.size > c->offset ?
					     file->durable.size : c->offset);
	}
	content_hold(&file->durable, file->seen.size);
	file->durable.size = file->seen.size;
	changes_clear(file);
}

/* Keeps each sector of a write or not, or a prefix of any length. */
static void write_tear(struct sim_content *to, const struct sim_change *c,
		       uint64_t *random)
{
	uint64_t at = c->offset, end = c->offset + c->n;

	if (sim_random(random) % 2) {
		content_write(to, c->blob->bytes,
			      (size_t)(sim_random(random) % (c->n + 1)), at);
		return;
	}
	while (at < end) {
		uint64_t next = (at / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;

		next = next < end ? next : end;
		if (sim_random(random) % 2)
			content_write(to, c->blob->bytes + (at - c->offset),
				      (size_t)(next - at), at);
		at = next;
	}
}

static void change_apply(struct sim_content *to, const struct sim_change *c)
{
	if (c->kind == CHANGE_WRITE)
		content_write(to, c->blob->bytes, (size_t)c->n, c->offset);
	else if (c->kind == CHANGE_TRUNCATE)
		content_truncate(to, c->offset);
	else
		content_extend(to, c->offset);
}

static void changes_decide(struct sim_file *file, enum sim_fate fate,
			   uint64_t *random)
{
	for (size_t i = 0; i < file->changes_n; i++) {
		const struct sim_change *c = &file->changes[i];
		unsigned dice = fate == SIM_RANDOM ? sim_random(random) % 8 : 0;

		if (fate == SIM_DROP)
			break;
		if (dice < 4)
			change_apply(&file->durable, c);
		else if (dice < 6 && c->kind == CHANGE_WRITE)
			write_tear(&file->durable, c, random);
	}
	changes_clear(file);
}

void sim_file_sync_failed(struct sim_file *file, uint64_t *random)
{
	changes_decide(file, SIM_RANDOM, random);
}

void sim_file_crash(struct sim_file *file, enum sim_fate fate, uint64_t *random)
{
	changes_decide(file, fate, random);
	content_release(&file->seen);
	file->seen = content_copy(&file->durable);
	file->locks = 0;
}
