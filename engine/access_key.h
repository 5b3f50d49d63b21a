/*
 * Keys of the records of grants, which lie among the catalog's names, each twice:
 * by caller, to find what one may, and by object, to find what goes with it.
 *
 * 'G', u8 bytes of the id, the caller's id, u64 object, u8 right, the rest
 * 'H', u64 object, u8 right, u8 bytes of the id, the caller's id, the rest
 *
 * Numbers have the highest byte first. The object is a project or scope by its id,
 * or CATALOG_ROOT_ID; the rest is a prefix of keys, or the number of a table, or
 * nothing. The first one's attributes are the id of who granted it.
 *
 * Threads: no state.
 */
#ifndef ACCESS_KEY_H
#define ACCESS_KEY_H

#include "aedb_access.h"
#include "op.h"

#define ACCESS_KEY_BYTES_MAX \
	(1 + 1 + AEDB_CALLER_BYTES_MAX + 8 + 1 + AEDB_GRANT_PREFIX_BYTES_MAX)

struct access_key {
	uint8_t bytes[ACCESS_KEY_BYTES_MAX];
	size_t n;
};

struct access_record {
	struct op_bytes caller;
	uint64_t object;
	uint8_t right;		/* enum aedb_right */
	struct op_bytes rest;
};

void access_key_by_caller(const struct access_record *record,
			  struct access_key *ret);
/* What the keys of a caller's records begin with, and those of them that are on
 * an object (0: on any). */
void access_key_of_caller(struct op_bytes caller, uint64_t object,
			  struct access_key *ret);
/* What the keys of all records on an object begin with. */
void access_key_of_object(uint64_t object, struct access_key *ret);

/* The two operations that put a record, or take it away. Borrowed from the keys
 * and `by`. */
void access_key_puts(const struct access_record *record, struct op_bytes by,
		     struct access_key keys[2], struct op ret[2]);
void access_key_deletes(const struct access_record *record,
			struct access_key keys[2], struct op ret[2]);

/* Whether a key of the catalog's names is such a record's. */
static inline bool access_key_is_record(struct op_bytes key)
{
	const uint8_t *at = key.at;

	return key.n && (at[0] == 'G' || at[0] == 'H');
}

/* The record of a key of either kind, borrowed from it. AEDB_CORRUPT. */
int access_key_decode(struct op_bytes key, struct access_record *ret);

#endif
