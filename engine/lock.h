/*
 * Mutexes with a rank, and the annotations by which clang checks who holds
 * what.
 *
 * A thread takes locks in ascending rank only; debug builds check it at run
 * time. The ranks and what may happen under each lock: docs/locking.md.
 */
#ifndef LOCK_H
#define LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __clang__
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif

#define REQUIRES(...) LOCK_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRES(...) LOCK_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASES(...) LOCK_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRES(...) LOCK_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define NO_LOCK_ANALYSIS LOCK_ATTRIBUTE(no_thread_safety_analysis)

/* Ascending: the order in which one thread may hold them. */
enum lock_rank {
	LOCK_RANK_COMPACTION = 1,	/* I/O: held through a compaction */
	LOCK_RANK_CHECKPOINT,		/* I/O: held through a checkpoint */
	LOCK_RANK_COMMIT,
	LOCK_RANK_SYNC,
	LOCK_RANK_STORAGE,		/* I/O: writes the manifest */
	LOCK_RANK_CATALOG,
	LOCK_RANK_ACCESS,
	LOCK_RANK_SNAPSHOTS,
	LOCK_RANK_PENDING,
	LOCK_RANK_WAKE,
	LOCK_RANK_WAL_SPARE,		/* I/O: makes and syncs a file */
	LOCK_RANK_WAL,
	LOCK_RANK_STAGE,		/* I/O: reads and stores chunks */
	LOCK_RANK_STAGED,
	LOCK_RANK_VALUES_APPEND,	/* I/O: makes a file */
	LOCK_RANK_FILES_SYNC,		/* I/O: held over a sync */
	LOCK_RANK_FILES,		/* I/O: opens a file */
	LOCK_RANK_PAGES,		/* I/O: appends to a page file */
	LOCK_RANK_CACHE_SHARD,
	LOCK_RANK_CACHE_WAITING,
	LOCK_RANK_RESERVE,		/* I/O: changes a file's size */
	LOCK_RANK_ARCHIVE,
};

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;	/* constant after init */
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_release_memory(struct lock *lock);
void lock_acquire(struct lock *lock) ACQUIRES(lock);
bool lock_try_acquire(struct lock *lock) TRY_ACQUIRES(true, lock);
/* False: the monotonic clock reached this before. */
bool lock_acquire_until(struct lock *lock, uint64_t until_ns)
	TRY_ACQUIRES(true, lock);
void lock_release(struct lock *lock) RELEASES(lock);

#endif
