/*
 * Epochs: what is retired stays as long as a reader may see it, no longer, and
 * never because of another database's readers.
 */
#include <pthread.h>

#include "check.h"
#include "limbo.h"

#define BLOCK_BYTES 64

struct domain {
	struct slab *slab;
	struct epoch *epoch;
	struct limbo limbo;
};

static void domain_open(struct domain *d)
{
	CHECK_OK(slab_open(&d->slab));
	CHECK_OK(epoch_open(&d->epoch));
	limbo_init(&d->limbo, d->slab, d->epoch);
}

static void domain_close(struct domain *d)
{
	limbo_release(&d->limbo);
	epoch_close(d->epoch);
	slab_close(d->slab);
}

/* Retires one block and collects; the bytes that had to stay. */
static size_t pending_after_retire(struct domain *d)
{
	ref_t ref = slab_alloc(d->slab, BLOCK_BYTES);

	CHECK(ref != 0);
	limbo_add(&d->limbo, ref, BLOCK_BYTES);
	limbo_collect(&d->limbo);
	return limbo_pending_bytes(&d->limbo);
}

TEST(nobody, "with nobody inside a retired block is freed by the next collection")
{
	struct domain d;

	domain_open(&d);
	CHECK_EQ(pending_after_retire(&d), 0);
	domain_close(&d);
}

TEST(nested, "a block stays until the outermost section of the reader ends")
{
	struct domain d;

	domain_open(&d);
	epoch_enter(d.epoch);
	epoch_enter(d.epoch);
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	epoch_leave(d.epoch);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), BLOCK_BYTES);
	epoch_leave(d.epoch);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	domain_close(&d);
}

TEST(later, "a reader that entered after a block was retired does not hold it")
{
	struct domain d;
	struct epoch_slot *early, *late;

	domain_open(&d);
	CHECK_OK(epoch_slot_enter(d.epoch, &early));
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	CHECK_OK(epoch_slot_enter(d.epoch, &late));
	epoch_slot_leave(early);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	epoch_slot_leave(late);
	domain_close(&d);
}

TEST(renewed, "a participant that rests holds nothing, and holds again once it was renewed")
{
	struct epoch_slot *slot;
	struct domain d;

	domain_open(&d);
	CHECK_OK(epoch_slot_enter(d.epoch, &slot));
	epoch_slot_rest(slot);
	CHECK_EQ(pending_after_retire(&d), 0);
	epoch_slot_renew(slot, d.epoch);
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	epoch_slot_renew(slot, d.epoch);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	epoch_slot_leave(slot);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	domain_close(&d);
}

TEST(domains, "a reader of one domain does not hold blocks of another")
{
	struct domain a, b;

	domain_open(&a);
	domain_open(&b);
	epoch_enter(a.epoch);
	CHECK_EQ(pending_after_retire(&b), 0);
	CHECK_EQ(pending_after_retire(&a), BLOCK_BYTES);
	epoch_enter(b.epoch);
	CHECK_EQ(pending_after_retire(&b), BLOCK_BYTES);
	epoch_leave(b.epoch);
	epoch_leave(a.epoch);
	limbo_collect(&a.limbo);
	limbo_collect(&b.limbo);
	CHECK_EQ(limbo_pending_bytes(&a.limbo), 0);
	CHECK_EQ(limbo_pending_bytes(&b.limbo), 0);
	domain_close(&a);
	domain_close(&b);
}

static void *enter_and_end(void *epoch)
{
	epoch_enter(epoch);
	epoch_leave(epoch);
	return NULL;
}

static void *slot_leave_run(void *slot)
{
	epoch_slot_leave(slot);
	return NULL;
}

TEST(handover, "a participant may be left on another thread")
{
	struct epoch_slot *slot;
	struct domain d;
	pthread_t thread;

	domain_open(&d);
	CHECK_OK(epoch_slot_enter(d.epoch, &slot));
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	CHECK_EQ(pthread_create(&thread, NULL, slot_leave_run, slot), 0);
	pthread_join(thread, NULL);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	domain_close(&d);
}

/* The slots of 200 participants, given back, serve 200 threads and then as many
 * participants again. A few slots of the last group may be new. */
TEST(recycled, "slots of threads that have ended are used again")
{
	enum { MANY = 200 };
	static struct epoch_slot *slots[MANY];
	struct epoch_slot *again[MANY];
	struct domain d;
	pthread_t thread;
	int known = 0;

	domain_open(&d);
	for (int i = 0; i < MANY; i++)
		CHECK_OK(epoch_slot_enter(d.epoch, &slots[i]));
	for (int i = 0; i < MANY; i++)
		epoch_slot_leave(slots[i]);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, enter_and_end, d.epoch), 0);
		pthread_join(thread, NULL);
	}
	for (int i = 0; i < MANY; i++)
		CHECK_OK(epoch_slot_enter(d.epoch, &again[i]));
	for (int i = 0; i < MANY; i++)
		for (int j = 0; j < MANY; j++)
			known += again[i] == slots[j];
	CHECK(known >= MANY - 64);
	CHECK_EQ(pending_after_retire(&d), BLOCK_BYTES);
	for (int i = 0; i < MANY; i++)
		epoch_slot_leave(again[i]);
	limbo_collect(&d.limbo);
	CHECK_EQ(limbo_pending_bytes(&d.limbo), 0);
	domain_close(&d);
}

/* The writer replaces a shared block; a block that was freed is filled with the
 * next number at once, so a reader that still sees it finds two numbers. */
struct swap {
	struct domain d;
	ref_t shared;		/* atomic */
	bool is_done;		/* atomic */
	uint64_t reads;		/* atomic */
};

static struct swap sw;

static void *swap_read(void *unused)
{
	while (!__atomic_load_n(&sw.is_done, __ATOMIC_ACQUIRE)) {
		const uint64_t *block;

		epoch_enter(sw.d.epoch);
		block = slab_at(slab_base(sw.d.slab),
				__atomic_load_n(&sw.shared, __ATOMIC_ACQUIRE));
		for (int i = 1; i < BLOCK_BYTES / 8; i++)
			CHECK_EQ(block[i], block[0]);
		epoch_leave(sw.d.epoch);
		__atomic_fetch_add(&sw.reads, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static ref_t swap_block(uint64_t number)
{
	ref_t ref = slab_alloc(sw.d.slab, BLOCK_BYTES);
	uint64_t *block = slab_at(slab_base(sw.d.slab), ref);

	for (int i = 0; i < BLOCK_BYTES / 8; i++)
		block[i] = number;
	return ref;
}

TEST(threads, "a reader never sees a block that was freed")
{
	pthread_t readers[2];

	memset(&sw, 0, sizeof(sw));
	domain_open(&sw.d);
	sw.shared = swap_block(0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&readers[i], NULL, swap_read, NULL), 0);
	for (uint64_t n = 1; n < 60000 ||
	     !__atomic_load_n(&sw.reads, __ATOMIC_RELAXED); n++) {
		ref_t old = sw.shared;

		__atomic_store_n(&sw.shared, swap_block(n), __ATOMIC_RELEASE);
		limbo_add(&sw.d.limbo, old, BLOCK_BYTES);
		if (n % 4 == 0)
			limbo_collect(&sw.d.limbo);
	}
	__atomic_store_n(&sw.is_done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	limbo_collect(&sw.d.limbo);
	CHECK_EQ(limbo_pending_bytes(&sw.d.limbo), 0);
	domain_close(&sw.d);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
