/*
 * The rule by which old versions stay or go, for flush, compaction and memory.
 */
#include "retention.h"

bool retention_keeps(const struct retention *r, seq_t seq, seq_t until)
{
	size_t low = 0, high = r->n;

	if (seq >= until)
		return false;
	if (until > r->history_from)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->seqs[middle] < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n && r->seqs[low] < until;
}
