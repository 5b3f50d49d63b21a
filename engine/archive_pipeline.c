/*
 * The order of work in packing and unpacking.
 *
 * Invariants:
 * 1. Chunks [first, next) are under way; chunk n is in slot n % slots.
 * 2. `at[s]` is the chunk whose turn an ordered stage s is; all before it have
 *    been through.
 * 3. Nothing is called and no memory allocated under the lock.
 */
#include "archive_pipeline.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lock.h"
#include "worker.h"

#define SLOTS_MORE 2
#define HUGE_BYTES (2u << 20)
#define LAST_STAGE (ARCHIVE_STAGES - 1)

_Static_assert(ARCHIVE_CHUNK_BYTES % HUGE_BYTES == 0, "rooms are huge pages");

struct pipeline {
	const struct archive_job *job;	/* constant */
	struct archive_chunk *slots;	/* owned */
	unsigned n;			/* constant: of the slots */
	struct lock lock;
	pthread_cond_t wake;
	uint64_t first, next;		/* guarded by lock, as all that follows */
	uint64_t at[ARCHIVE_STAGES];
	bool is_busy[ARCHIVE_STAGES];
	bool has_ended;			/* nothing more is fetched */
	int rc;				/* the first error of an ordered stage */
	char message[ERR_MESSAGE_BYTES];
};

struct helper {
	struct worker worker;
	struct pipeline *pipeline;
	unsigned thread;
};

unsigned archive_pipeline_threads(unsigned threads)
{
	cpu_set_t set;

	if (threads == 0)
		threads = sched_getaffinity(0, sizeof(set), &set) == 0 ?
				  (unsigned)CPU_COUNT(&set) : 1;
	return threads < ARCHIVE_THREADS_MAX ? threads : ARCHIVE_THREADS_MAX;
}

static bool is_over(const struct pipeline *p)
	REQUIRES(&p->lock)
{
	return p->rc < 0 || (p->has_ended && p->first == p->next);
}

static struct archive_chunk *slot_of(struct pipeline *p, uint64_t number)
{
	return &p->slots[number % p->n];
}

static bool is_ready(const struct archive_chunk *chunk, unsigned stage)
{
	return chunk->stage == stage && !chunk->is_running;
}

/* The chunk that the stage is to be run with; NULL: none can be. */
static struct archive_chunk *find_chunk(struct pipeline *p, unsigned stage)
	REQUIRES(&p->lock)
{
	if (stage == 0)
		return p->is_busy[0] || p->has_ended || p->next - p->first == p->n ?
			       NULL : slot_of(p, p->next);
	if (p->job->is_ordered[stage])
		return p->is_busy[stage] || p->at[stage] == p->next ||
				       !is_ready(slot_of(p, p->at[stage]), stage) ?
			       NULL : slot_of(p, p->at[stage]);
	for (uint64_t i = p->first; i < p->next; i++)
		if (is_ready(slot_of(p, i), stage))
			return slot_of(p, i);
	return NULL;
}

/* What to do now; NULL: nothing. */
static struct archive_chunk *take(struct pipeline *p, unsigned *ret_stage)
	REQUIRES(&p->lock)
{
	for (unsigned stage = ARCHIVE_STAGES; stage-- > 0;) {
		struct archive_chunk *chunk = find_chunk(p, stage);

		if (!chunk)
			continue;
		chunk->is_running = true;
		p->is_busy[stage] = p->job->is_ordered[stage];
		*ret_stage = stage;
		return chunk;
	}
	return NULL;
}

static void finish_fetch(struct pipeline *p, struct archive_chunk *chunk, int rc)
	REQUIRES(&p->lock)
{
	chunk->stage = 1;
	p->has_ended = rc <= 0;
	if (rc != 0)
		p->next++;
}

static void finish(struct pipeline *p, struct archive_chunk *chunk, int rc)
	REQUIRES(&p->lock)
{
	unsigned stage = chunk->stage;

	chunk->is_running = false;
	p->is_busy[stage] = false;
	if (stage > 0 && p->job->is_ordered[stage]) {
		if (rc < 0 && p->rc == 0) {
			p->rc = rc;
			memcpy(p->message, err_message(), strlen(err_message()) + 1);
		}
		p->at[stage]++;
	} else if (rc < 0 && chunk->rc == 0) {
		chunk->rc = rc;
		memcpy(chunk->message, err_message(), strlen(err_message()) + 1);
	}
	if (stage == 0)
		finish_fetch(p, chunk, rc);
	else
		chunk->stage++;
	if (stage == LAST_STAGE)
		p->first++;
	pthread_cond_broadcast(&p->wake);
}

static void work(struct pipeline *p, unsigned thread)
{
	const struct archive_job *job = p->job;

	lock_acquire(&p->lock);
	while (!is_over(p)) {
		unsigned stage;
		struct archive_chunk *chunk = take(p, &stage);
		int rc = 0;

		if (!chunk) {
			pthread_cond_wait(&p->wake, &p->lock.mutex);
			continue;
		}
		lock_release(&p->lock);
		if (stage == 0)
			chunk->stage = 0, chunk->rc = 0;
		if (chunk->rc == 0 || job->is_ordered[stage])
			rc = job->run(job->arg, stage, thread, chunk);
		lock_acquire(&p->lock);
		finish(p, chunk, rc);
	}
	lock_release(&p->lock);
}

static void *help(void *arg)
{
	struct helper *helper = arg;

	work(helper->pipeline, helper->thread);
	return NULL;
}

/* Where no thread can be had those that are there do it. */
static void work_together(struct pipeline *p)
{
	struct helper helpers[ARCHIVE_THREADS_MAX];
	unsigned n = 0;

	while (n + 1 < p->job->threads) {
		struct helper *helper = &helpers[n];

		*helper = (struct helper){ .pipeline = p, .thread = n + 1 };
		worker_init(&helper->worker);
		n++;
		if (worker_start(&helper->worker, "an archive", help, helper) < 0)
			break;
	}
	work(p, 0);
	while (n-- > 0) {
		worker_stop(&helpers[n].worker);
		worker_release(&helpers[n].worker);
	}
}

/* Both rooms. Memory that is not touched is not there. */
static int slot_init(struct archive_chunk *slot)
{
	size_t bytes = 2 * (size_t)ARCHIVE_CHUNK_BYTES;

	slot->room[0] = aligned_alloc(HUGE_BYTES, bytes);
	if (!slot->room[0])
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	madvise(slot->room[0], bytes, MADV_HUGEPAGE);
	slot->room[1] = slot->room[0] + ARCHIVE_CHUNK_BYTES;
	return 0;
}

int archive_pipeline_run(const struct archive_job *job)
{
	struct pipeline p = { .job = job, .n = job->threads + SLOTS_MORE };
	int rc = 0;

	p.slots = calloc(p.n, sizeof(*p.slots));
	if (!p.slots)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	lock_init(&p.lock, LOCK_RANK_ARCHIVE);
	pthread_cond_init(&p.wake, NULL);
	for (unsigned i = 0; i < p.n && rc == 0; i++)
		rc = slot_init(&p.slots[i]);
	if (rc == 0) {
		work_together(&p);
		if (p.rc < 0)
			rc = err_set(p.rc, "%s", p.message);
	}
	for (unsigned i = 0; i < p.n; i++)
		free(p.slots[i].room[0]);
	pthread_cond_destroy(&p.wake);
	lock_release_memory(&p.lock);
	free(p.slots);
	return rc;
}
