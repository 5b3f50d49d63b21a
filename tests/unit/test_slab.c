/*
 * Blocks of all sizes: none overlaps another, and what is freed is given again
 * or back.
 */
#include "check.h"
#include "slab.h"

#define BLOCKS 3000

struct block {
	ref_t ref;		/* 0: none */
	uint32_t bytes;
	unsigned char fill;
};

static struct slab *slab;
static struct block blocks[BLOCKS];

static size_t some_size(unsigned int kind)
{
	uint64_t r = check_random();

	if (kind == 0)
		return 1 + r % 300;
	if (kind == 1)
		return r % 10 ? 1 + r % 5000 : 1 + r % 300000;
	return r % 4 ? 8 + r % 9 * 8 : 200 + r % 9 * 8;
}

static void block_check(const struct block *b)
{
	const unsigned char *at = slab_at(slab_base(slab), b->ref);

	for (uint32_t i = 0; i < b->bytes; i++)
		CHECK_EQ(at[i], b->fill);
}

static void block_free(struct block *b)
{
	block_check(b);
	slab_free(slab, b->ref, b->bytes);
	b->ref = 0;
}

static void block_alloc(struct block *b, size_t bytes)
{
	*b = (struct block){ slab_alloc(slab, bytes), (uint32_t)bytes,
			     (unsigned char)check_random() };
	CHECK(b->ref != 0);
	memset(slab_at(slab_base(slab), b->ref), b->fill, bytes);
}

/* `most` blocks at a time are in use. */
static void churn(size_t most, unsigned int kind)
{
	for (size_t i = 0; i < 10 * most; i++) {
		struct block *b = &blocks[check_random() % most];

		if (b->ref)
			block_free(b);
		else
			block_alloc(b, some_size(kind));
	}
	for (size_t i = 0; i < most; i++)
		if (blocks[i].ref)
			block_check(&blocks[i]);
}

static void all_free(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (blocks[i].ref)
			block_free(&blocks[i]);
	while (slab_trim(slab))
		;
}

TEST(overlap, "blocks keep what was written into them, few or many, of any size")
{
	static const size_t most[] = { 5, 60, BLOCKS };

	for (size_t i = 0; i < 3; i++)
		for (unsigned int kind = 0; kind < 3; kind++) {
			memset(blocks, 0, sizeof(blocks));
			CHECK_OK(slab_open(&slab));
			churn(most[i], kind);
			churn(most[i], (kind + 1) % 3);
			all_free();
			slab_close(slab);
		}
}

TEST(again, "what was freed is given again, and at last back")
{
	size_t full = 0, empty;

	memset(blocks, 0, sizeof(blocks));
	CHECK_OK(slab_open(&slab));
	empty = slab_bytes(slab);
	for (int round = 0; round < 6; round++) {
		for (size_t i = 0; i < BLOCKS; i++)
			block_alloc(&blocks[i], 8 + i * 7 % 2000);
		if (round == 1)
			full = slab_bytes(slab);
		for (size_t i = 0; i < BLOCKS; i++)
			block_free(&blocks[(i * 7 + 3) % BLOCKS]);
	}
	while (slab_trim(slab))
		;
	printf("# %zu bytes empty, %zu full, %zu freed\n", empty, full,
	       slab_bytes(slab));
	for (size_t i = 0; i < BLOCKS; i++)
		block_alloc(&blocks[i], 8 + i * 7 % 2000);
	CHECK(slab_bytes(slab) <= full + full / 50);
	all_free();
	CHECK(slab_bytes(slab) < full / 10);
	slab_close(slab);
}

/* All of the first pages, in pieces, joined again. */
TEST(joined, "small pieces that were freed side by side make room for a large one")
{
	size_t before;

	memset(blocks, 0, sizeof(blocks));
	CHECK_OK(slab_open(&slab));
	for (size_t i = 0; i < 400; i++)
		block_alloc(&blocks[i], 24);
	before = slab_bytes(slab);
	for (size_t i = 0; i < 400; i++)
		block_free(&blocks[i * 171 % 400]);
	block_alloc(&blocks[0], 9000);
	CHECK_EQ(slab_bytes(slab), before);
	block_free(&blocks[0]);
	slab_close(slab);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
