/*
 * Epoch-based reclamation with a reader side of plain stores.
 *
 * A reader writes the global epoch number into its slot when it enters and 0
 * when it leaves. A stamp is that number, which is raised then. Who asks for the
 * oldest reader makes every running thread pass a full barrier (membarrier(2))
 * and looks at all slots.
 *
 * Invariants:
 *  1. A reader that does not show in a slot after the barrier has not read
 *     anything yet, and will see every unlinking done before the barrier.
 *  2. A reader whose slot shows a number above a stamp read the global number
 *     after what was unlinked before the stamp was taken.
 *  3. Slots live as long as the process; a thread or object has one to itself
 *     while it is taken.
 *
 * Where membarrier is not to be had, readers pay the barrier themselves.
 * Slots are shared by all domains; a slot says for which domain it counts, and
 * for all of them when sections of several nest.
 */
#include <assert.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aedb.h"
#include "epoch.h"
#include "err.h"

#define SLOTS_PER_GROUP 32

struct epoch_slot {
	uint64_t number;	/* atomic: 0 outside, else the epoch entered in */
	struct epoch *domain;	/* atomic: NULL for all domains */
	uint32_t depth;		/* its thread's only */
	bool is_taken;		/* atomic */
} __attribute__((aligned(64)));

struct slot_group {
	struct epoch_slot slots[SLOTS_PER_GROUP];
	struct slot_group *next;	/* constant after publication */
};

/* Its address tells domains apart. */
struct epoch {
	char unused;
};

static uint64_t global_number = 1;	/* atomic */
static struct slot_group first_group;
static struct slot_group *groups = &first_group;	/* atomic: push only */
static bool has_membarrier;		/* constant after process_init */
static pthread_key_t thread_key;	/* constant after process_init */
static pthread_once_t process_once = PTHREAD_ONCE_INIT;
static __thread struct epoch_slot *thread_slot
	__attribute__((tls_model("initial-exec")));

static void slot_give(void *slot)
{
	struct epoch_slot *s = slot;

	thread_slot = NULL;
	__atomic_store_n(&s->is_taken, false, __ATOMIC_RELEASE);
}

static void process_init(void)
{
	if (pthread_key_create(&thread_key, slot_give) != 0)
		abort();
#ifndef __SANITIZE_THREAD__	/* which sees no order in a system call */
	has_membarrier =
		syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#endif
}

static struct epoch_slot *group_take(struct slot_group *g)
{
	for (int i = 0; i < SLOTS_PER_GROUP; i++) {
		struct epoch_slot *s = &g->slots[i];
		bool was_taken = __atomic_load_n(&s->is_taken, __ATOMIC_RELAXED);

		if (!was_taken &&
		    __atomic_compare_exchange_n(&s->is_taken, &was_taken, true,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return s;
	}
	return NULL;
}

/* A slot of one's own; NULL without memory. */
static struct epoch_slot *slot_take(void)
{
	struct slot_group *g = __atomic_load_n(&groups, __ATOMIC_ACQUIRE);
	struct epoch_slot *s;

	for (; g; g = g->next)
		if ((s = group_take(g)))
			return s;
	g = aligned_alloc(64, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct slot_group){ .slots[0].is_taken = true };
	g->next = __atomic_load_n(&groups, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&groups, &g->next, g, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return &g->slots[0];
}

/* Readers cannot fail: a thread whose slot cannot be had ends the process. */
__attribute__((noinline, cold)) static struct epoch_slot *thread_slot_new(void)
{
	struct epoch_slot *s = slot_take();

	if (!s || pthread_setspecific(thread_key, s) != 0)
		abort();
	s->depth = 0;
	thread_slot = s;
	return s;
}

/* Keeps the reads that follow behind the store to the slot. */
static inline void slot_barrier(struct epoch_slot *s)
{
	if (has_membarrier) {
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		return;
	}
	__atomic_fetch_add(&s->number, 0, __ATOMIC_SEQ_CST);
#ifndef __SANITIZE_THREAD__
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void slot_enter(struct epoch_slot *s, struct epoch *e)
{
	uint64_t number = __atomic_load_n(&global_number, __ATOMIC_ACQUIRE);

	__atomic_store_n(&s->domain, e, __ATOMIC_RELAXED);
	__atomic_store_n(&s->number, number, __ATOMIC_RELEASE);
	slot_barrier(s);
}

void epoch_enter(struct epoch *e)
{
	struct epoch_slot *s = thread_slot;

	if (__builtin_expect(!s, 0))
		s = thread_slot_new();
	if (s->depth++ == 0) {
		slot_enter(s, e);
	} else if (__atomic_load_n(&s->domain, __ATOMIC_RELAXED) != e) {
		/* The outer section's number is older, so it serves both. */
		__atomic_store_n(&s->domain, NULL, __ATOMIC_RELEASE);
		slot_barrier(s);
	}
}

void epoch_leave(struct epoch *e)
{
	struct epoch_slot *s = thread_slot;

	(void)e;
	assert(s && s->depth > 0);
	if (--s->depth == 0)
		__atomic_store_n(&s->number, 0, __ATOMIC_RELEASE);
}

int epoch_slot_enter(struct epoch *e, struct epoch_slot **ret)
{
	struct epoch_slot *s = slot_take();

	if (!s)
		return err_set(AEDB_NO_MEMORY, "no memory for a reader");
	slot_enter(s, e);
	*ret = s;
	return 0;
}

void epoch_slot_rest(struct epoch_slot *s)
{
	__atomic_store_n(&s->number, 0, __ATOMIC_RELEASE);
}

void epoch_slot_renew(struct epoch_slot *s, struct epoch *e)
{
	slot_enter(s, e);
}

void epoch_slot_leave(struct epoch_slot *s)
{
	__atomic_store_n(&s->number, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->is_taken, false, __ATOMIC_RELEASE);
}

uint64_t epoch_stamp(void)
{
	return __atomic_fetch_add(&global_number, 1, __ATOMIC_SEQ_CST);
}

/* The smallest number of a reader inside that counts for the domain. */
static uint64_t slots_oldest(const struct epoch *e)
{
	uint64_t oldest = UINT64_MAX;

	for (struct slot_group *g = __atomic_load_n(&groups, __ATOMIC_ACQUIRE);
	     g; g = g->next)
		for (int i = 0; i < SLOTS_PER_GROUP; i++) {
			struct epoch_slot *s = &g->slots[i];
			uint64_t number =
				__atomic_load_n(&s->number, __ATOMIC_SEQ_CST);
			struct epoch *domain =
				__atomic_load_n(&s->domain, __ATOMIC_ACQUIRE);

			/* A domain newer than the number means that the section
			 * seen has ended. */
			if (number && number < oldest && (!domain || domain == e))
				oldest = number;
		}
	return oldest;
}

uint64_t epoch_oldest(const struct epoch *e)
{
	if (has_membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
#ifndef __SANITIZE_THREAD__
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
	return slots_oldest(e);
}

int epoch_open(struct epoch **ret)
{
	struct epoch *e = malloc(sizeof(*e));

	if (!e)
		return err_set(AEDB_NO_MEMORY, "no memory for readers");
	pthread_once(&process_once, process_init);
	*ret = e;
	return 0;
}

void epoch_close(struct epoch *e)
{
	free(e);
}
