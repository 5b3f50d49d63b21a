/*
 * Commits as bytes of frames.
 */
#include <string.h>

#include "err.h"
#include "wal_commit.h"

void wal_commit_encode(const struct wal_commit *commit, uint8_t *ret)
{
	if (commit->has_annex)
		ret = bytes_store_varint(ret, commit->annex_bytes);
	if (commit->annex_bytes) {
		memcpy(ret, commit->annex, commit->annex_bytes);
		ret += commit->annex_bytes;
	}
	if (commit->payload_bytes)
		memcpy(ret, commit->payload, commit->payload_bytes);
}

/* Copies what lies in [*from, *from + *n) of a part, and makes these count from
 * its end on. */
static uint8_t *part_copy(const void *part, size_t part_bytes, size_t *from,
			  size_t *n, uint8_t *to)
{
	size_t some = *from < part_bytes ? part_bytes - *from : 0;

	some = some < *n ? some : *n;
	if (some)
		memcpy(to, (const uint8_t *)part + *from, some);
	*from = *from > part_bytes ? *from - part_bytes : 0;
	*n -= some;
	return to + some;
}

void wal_commit_encode_some(const struct wal_commit *commit, size_t from,
			    size_t n, uint8_t *ret)
{
	uint8_t head[BYTES_VARINT_MAX];

	if (commit->has_annex) {
		size_t head_bytes = (size_t)(bytes_store_varint(
			head, commit->annex_bytes) - head);

		ret = part_copy(head, head_bytes, &from, &n, ret);
		ret = part_copy(commit->annex, commit->annex_bytes, &from, &n,
				ret);
	}
	part_copy(commit->payload, commit->payload_bytes, &from, &n, ret);
}

int wal_commit_split(struct wal_commit *commit)
{
	struct byte_reader r;

	if (!commit->has_annex)
		return 0;
	byte_reader_init(&r, commit->payload, commit->payload_bytes);
	commit->annex_bytes = byte_reader_varint(&r);
	commit->annex = byte_reader_take(&r, commit->annex_bytes);
	if (r.is_bad)
		return err_set(AEDB_CORRUPT, "its annex is cut off");
	commit->payload = r.at;
	commit->payload_bytes = byte_reader_left(&r);
	return 0;
}
