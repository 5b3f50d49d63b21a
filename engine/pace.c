/*
 * A token bucket, kept as the time at which what was taken will have been paid
 * for: that may lie up to BURST_NS back, so much can be taken at once after a
 * pause.
 *
 * Invariant: a wait ends when is_cancelled is set, whenever that happens.
 */
#include "pace.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "types.h"

#define SECOND_NS UINT64_C(1000000000)
#define BURST_NS (SECOND_NS / 8)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void pace_init(struct pace *pace, uint64_t bytes_per_s)
{
	*pace = (struct pace){ .bytes_per_s = bytes_per_s };
}

void pace_set(struct pace *pace, uint64_t bytes_per_s)
{
	__atomic_store_n(&pace->bytes_per_s, bytes_per_s, __ATOMIC_RELAXED);
}

static bool is_cancelled(const struct pace *pace)
{
	return __atomic_load_n(&pace->is_cancelled, __ATOMIC_ACQUIRE);
}

static void wait_until(struct pace *pace, uint64_t then_ns)
{
	struct timespec then = { .tv_sec = (time_t)(then_ns / SECOND_NS),
				 .tv_nsec = (long)(then_ns % SECOND_NS) };

	while (!is_cancelled(pace) && now_ns() < then_ns)
		syscall(SYS_futex, &pace->is_cancelled,
			FUTEX_WAIT_BITSET_PRIVATE, 0, &then, NULL,
			FUTEX_BITSET_MATCH_ANY);
}

int pace_take(struct pace *pace, uint64_t bytes)
{
	uint64_t rate = __atomic_load_n(&pace->bytes_per_s, __ATOMIC_RELAXED);
	uint64_t now;

	__atomic_store_n(&pace->done_bytes, pace->done_bytes + bytes,
			 __ATOMIC_RELAXED);
	if (rate) {
		now = now_ns();
		if (pace->paid_ns < now - BURST_NS)
			pace->paid_ns = now - BURST_NS;
		pace->paid_ns += (uint64_t)((double)bytes / (double)rate *
					    (double)SECOND_NS);
		wait_until(pace, pace->paid_ns);
	}
	return is_cancelled(pace) ? AEDB_BUSY : 0;
}

void pace_cancel(struct pace *pace)
{
	__atomic_store_n(&pace->is_cancelled, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &pace->is_cancelled, FUTEX_WAKE_PRIVATE, INT32_MAX,
		NULL, NULL, 0);
}

void pace_resume(struct pace *pace)
{
	__atomic_store_n(&pace->is_cancelled, 0, __ATOMIC_RELEASE);
}

uint64_t pace_done_bytes(const struct pace *pace)
{
	return __atomic_load_n(&pace->done_bytes, __ATOMIC_RELAXED);
}
