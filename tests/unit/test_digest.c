/*
 * SHA-256 of pieces, with and without a thread, beside that of the whole.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "check.h"
#include "digest.h"

#define BYTES_MAX (3u << 20)

static uint8_t *bytes;

static void bytes_make(void)
{
	uint32_t at = 1;

	bytes = malloc(BYTES_MAX);
	for (size_t i = 0; i < BYTES_MAX; i++) {
		at = at * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(at >> 24);
	}
}

/* The pieces of a digest of n bytes, of which it was told `said` would come. */
static void check_pieces(size_t n, size_t piece, uint64_t said)
{
	uint8_t want[DIGEST_BYTES], got[DIGEST_BYTES];
	struct digest *digest;

	CHECK_EQ(EVP_Digest(bytes, n, want, NULL, EVP_sha256(), NULL), 1);
	CHECK_OK(digest_new(said, &digest));
	for (size_t at = 0; at < n; at += piece) {
		size_t k = n - at < piece ? n - at : piece;
		void *room = digest_room(digest);

		memcpy(room, bytes + at, k);
		digest_add(digest, k);
		/* what is being hashed can be written meanwhile */
		CHECK_MEM(room, bytes + at, k);
	}
	CHECK_OK(digest_end(digest, got));
	CHECK_MEM(got, want, sizeof(want));
	digest_free(digest);
}

TEST(pieces, "pieces of any size have the digest of the whole")
{
	static const size_t sizes[] = { 0, 1, 4096, DIGEST_ROOM_BYTES,
					DIGEST_ROOM_BYTES + 1, BYTES_MAX };

	bytes_make();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_pieces(sizes[i], DIGEST_ROOM_BYTES, 0);
		check_pieces(sizes[i], DIGEST_ROOM_BYTES, UINT64_MAX);
		check_pieces(sizes[i], 10007, UINT64_MAX);
	}
	free(bytes);
}

TEST(given_up, "a digest that is given up with pieces in it leaves nothing")
{
	struct digest *digest;

	CHECK_OK(digest_new(UINT64_MAX, &digest));
	for (int i = 0; i < 3; i++) {
		memset(digest_room(digest), 'a', DIGEST_ROOM_BYTES);
		digest_add(digest, DIGEST_ROOM_BYTES);
	}
	digest_free(digest);
	digest_free(NULL);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
