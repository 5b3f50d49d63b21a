/*
 * Rooms in a ring: the caller fills them, the thread takes them in that order.
 *
 * Invariants:
 * 1. Rooms [taken, added) are full and the thread's to read; room `added` is the
 *    caller's to fill. Room n is in place n % ROOMS.
 * 2. The thread calls nothing but the hash.
 */
#include "digest.h"

#include <stdbool.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "err.h"
#include "lock.h"

#define ROOMS 4
/* Less is hashed before a thread would have begun with it. */
#define THREAD_BYTES (1u << 20)

struct digest {
	EVP_MD_CTX *sum;	/* owned; the thread's while it runs */
	bool has_failed;	/* likewise */
	bool has_thread;	/* constant from new to end */
	pthread_t thread;
	struct lock lock;
	pthread_cond_t wake;
	uint64_t taken, added;	/* guarded by lock */
	size_t bytes[ROOMS];	/* guarded by lock */
	bool is_over;		/* guarded by lock: nothing more is added */
	uint8_t rooms[][DIGEST_ROOM_BYTES];
};

static uint8_t *room_of(struct digest *digest, uint64_t number)
{
	return digest->rooms[number % ROOMS];
}

static void sum_add(struct digest *digest, const uint8_t *room, size_t n)
{
	if (EVP_DigestUpdate(digest->sum, room, n) != 1)
		digest->has_failed = true;
}

static void *take_all(void *arg)
{
	struct digest *digest = arg;

	lock_acquire(&digest->lock);
	while (!digest->is_over || digest->taken < digest->added) {
		uint64_t number = digest->taken;
		size_t n = digest->bytes[number % ROOMS];

		if (number == digest->added) {
			pthread_cond_wait(&digest->wake, &digest->lock.mutex);
			continue;
		}
		lock_release(&digest->lock);
		sum_add(digest, room_of(digest, number), n);
		lock_acquire(&digest->lock);
		digest->taken++;
		pthread_cond_signal(&digest->wake);
	}
	lock_release(&digest->lock);
	return NULL;
}

int digest_new(uint64_t bytes, struct digest **ret)
{
	bool is_much = bytes > THREAD_BYTES;
	struct digest *digest = malloc(sizeof(*digest) + (is_much ? ROOMS : 1) *
				       (size_t)DIGEST_ROOM_BYTES);

	if (!digest)
		return err_set(AEDB_NO_MEMORY, "no memory for a SHA-256");
	*digest = (struct digest){ .sum = EVP_MD_CTX_new() };
	lock_init(&digest->lock, LOCK_RANK_WAKE);
	pthread_cond_init(&digest->wake, NULL);
	if (!digest->sum ||
	    EVP_DigestInit_ex(digest->sum, EVP_sha256(), NULL) != 1) {
		digest_free(digest);
		return err_set(AEDB_NO_MEMORY, "no memory for a SHA-256");
	}
	/* without a thread the caller hashes */
	digest->has_thread = is_much && pthread_create(&digest->thread, NULL,
						       take_all, digest) == 0;
	*ret = digest;
	return 0;
}

static void thread_end(struct digest *digest)
{
	if (!digest->has_thread)
		return;
	lock_acquire(&digest->lock);
	digest->is_over = true;
	pthread_cond_signal(&digest->wake);
	lock_release(&digest->lock);
	pthread_join(digest->thread, NULL);
	digest->has_thread = false;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	thread_end(digest);
	EVP_MD_CTX_free(digest->sum);
	pthread_cond_destroy(&digest->wake);
	lock_release_memory(&digest->lock);
	free(digest);
}

void *digest_room(struct digest *digest)
{
	uint8_t *room;

	if (!digest->has_thread)
		return digest->rooms[0];
	lock_acquire(&digest->lock);
	while (digest->added - digest->taken == ROOMS)
		pthread_cond_wait(&digest->wake, &digest->lock.mutex);
	room = room_of(digest, digest->added);
	lock_release(&digest->lock);
	return room;
}

void digest_add(struct digest *digest, size_t n)
{
	if (!digest->has_thread) {
		sum_add(digest, digest->rooms[0], n);
		return;
	}
	lock_acquire(&digest->lock);
	digest->bytes[digest->added++ % ROOMS] = n;
	pthread_cond_signal(&digest->wake);
	lock_release(&digest->lock);
}

int digest_end(struct digest *digest, uint8_t ret[DIGEST_BYTES])
{
	thread_end(digest);
	if (digest->has_failed ||
	    EVP_DigestFinal_ex(digest->sum, ret, NULL) != 1)
		return err_set(AEDB_NO_MEMORY, "SHA-256 failed");
	return 0;
}
