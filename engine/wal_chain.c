/*
 * The chain digest, kept while frames are written.
 *
 * Checksums are collected and hashed SUMS_AT_ONCE at a time: a call into the
 * digest costs more than the four bytes of a frame.
 */
#include "wal_chain.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bytes.h"
#include "err.h"

#define SUMS_AT_ONCE 128

struct wal_chain {
	EVP_MD_CTX *digest;
	unsigned n;
	uint8_t sums[SUMS_AT_ONCE * 4];	/* little-endian, not hashed yet */
};

/* SHA-256 over memory fails only for a context that was misused. */
static void must_hold(bool is_so)
{
	assert(is_so);
	if (!is_so)
		abort();
}

int wal_chain_new(struct wal_chain **ret)
{
	struct wal_chain *chain = calloc(1, sizeof(*chain));

	if (chain)
		chain->digest = EVP_MD_CTX_new();
	if (!chain || !chain->digest ||
	    EVP_DigestInit_ex(chain->digest, EVP_sha256(), NULL) != 1) {
		wal_chain_free(chain);
		return err_set(AEDB_NO_MEMORY, "log digest: out of memory");
	}
	*ret = chain;
	return 0;
}

void wal_chain_free(struct wal_chain *chain)
{
	if (!chain)
		return;
	EVP_MD_CTX_free(chain->digest);
	free(chain);
}

static void chain_hash(struct wal_chain *chain, const void *bytes, size_t n)
{
	must_hold(EVP_DigestUpdate(chain->digest, bytes, n) == 1);
}

void wal_chain_begin(struct wal_chain *chain, const struct wal_header *header)
{
	must_hold(EVP_DigestInit_ex(chain->digest, NULL, NULL) == 1);
	chain->n = 0;
	chain_hash(chain, header->prev_digest, sizeof(header->prev_digest));
	chain_hash(chain, header->base.incarnation,
		   sizeof(header->base.incarnation));
}

void wal_chain_add(struct wal_chain *chain, uint32_t frame_checksum)
{
	bytes_store_le32(chain->sums + 4 * chain->n++, frame_checksum);
	if (chain->n == SUMS_AT_ONCE) {
		chain_hash(chain, chain->sums, sizeof(chain->sums));
		chain->n = 0;
	}
}

void wal_chain_finish(struct wal_chain *chain, uint8_t *ret)
{
	unsigned n;

	chain_hash(chain, chain->sums, 4 * (size_t)chain->n);
	must_hold(EVP_DigestFinal_ex(chain->digest, ret, &n) == 1 &&
		  n == WAL_DIGEST_BYTES);
}
