/*
 * Bodies come before heads, both in the order of their last commits.
 *
 * Of pieces up to where the history begins only one of the two may be there:
 * compactions let go of them segment by segment.
 */
#include "verify_history.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "space.h"

static bool is_needed(const struct verify_history *h, seq_t last)
{
	seq_t from = h->job->state->numbers[MANIFEST_HISTORY_FROM];

	return from && last > from;
}

static void find(struct verify_history *h, const char *path, seq_t last,
		 const char *what)
{
	verify_find(h->job->findings, path, 0,
		    "piece of the history up to commit %llu: %s",
		    (unsigned long long)last, what);
}

static int body_take(struct verify_history *h, const struct entry *entry,
		     const char *path)
{
	struct history_piece body;

	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 16;
		struct history_piece *grown =
			realloc(h->bodies, room * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "verifying the history: no memory");
		h->bodies = grown;
		h->room = room;
	}
	if (history_piece_sum(entry->value, entry->value_bytes, &body) < 0) {
		find(h, path, entry->seq, "malformed");
		body.commits = 0;
	}
	body.last = entry->seq;
	h->bodies[h->n++] = body;
	return 0;
}

/* Passes over the bodies below a head's number; true: it has one. */
static bool body_find(struct verify_history *h, const char *path, seq_t last)
{
	while (h->next < h->n && h->bodies[h->next].last < last) {
		seq_t alone = h->bodies[h->next++].last;

		if (is_needed(h, alone))
			find(h, path, alone, "it has no head");
	}
	return h->next < h->n && h->bodies[h->next].last == last;
}

static void body_compare(struct verify_history *h, const char *path,
			 const struct history_piece *head)
{
	const struct history_piece *body = &h->bodies[h->next++];

	/* that it is malformed was said */
	if (body->commits &&
	    (body->commits != head->commits ||
	     body->first != head->last - head->first ||
	     body->first_us != head->last_us - head->first_us))
		find(h, path, head->last, "head and body differ");
}

static void head_take(struct verify_history *h, const struct entry *entry,
		      const char *path)
{
	const uint8_t *key = (const uint8_t *)entry->key + SPACE_PREFIX_BYTES;
	struct history_piece head;

	if (history_piece_decode(key, entry->key_bytes - SPACE_PREFIX_BYTES,
				 entry->value, entry->value_bytes, &head) < 0) {
		find(h, path, entry->seq, "malformed");
		return;
	}
	if (body_find(h, path, head.last))
		body_compare(h, path, &head);
	else if (is_needed(h, head.last))
		find(h, path, head.last, "it has no body");
	if (!is_needed(h, head.last))
		return;
	if (head.first <= h->above)
		find(h, path, head.last, "it overlaps the one before");
	if (head.last > h->job->state->numbers[MANIFEST_CHECKPOINT_SEQ])
		find(h, path, head.last, "it is newer than the checkpoint");
	h->above = head.last;
}

/* The number of a piece's last commit is in its key, too. */
static bool is_keyed(const struct entry *entry, enum history_key *ret_kind)
{
	const uint8_t *key = (const uint8_t *)entry->key + SPACE_PREFIX_BYTES;
	uint8_t want[HISTORY_KEY_BYTES];

	if (entry->key_bytes != SPACE_PREFIX_BYTES + HISTORY_KEY_BYTES ||
	    (key[0] != HISTORY_BODY && key[0] != HISTORY_HEAD))
		return false;
	*ret_kind = (enum history_key)key[0];
	history_piece_key(*ret_kind, entry->seq, want);
	return memcmp(key, want, sizeof(want)) == 0;
}

int verify_history_take(struct verify_history *h, const struct entry *entry,
			const char *path)
{
	enum history_key kind;

	if (!is_keyed(entry, &kind) || entry->is_tombstone || entry->is_ref) {
		find(h, path, entry->seq, "malformed");
		return 0;
	}
	if (kind == HISTORY_BODY)
		return body_take(h, entry, path);
	head_take(h, entry, path);
	return 0;
}

void verify_history_end(struct verify_history *h)
{
	(void)body_find(h, h->job->manifest, SEQ_MAX);
}

void verify_history_release(struct verify_history *h)
{
	free(h->bodies);
}
