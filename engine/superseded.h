/*
 * How much each operation leaves behind that only older states show: what of it
 * lies in value files is added to apply->buried_bytes, all of it, which the kept
 * history is measured by, to apply->superseded_bytes while a history is kept.
 *
 * Threads: as apply.h. Errors: none; what cannot be told counts as nothing.
 */
#ifndef SUPERSEDED_H
#define SUPERSEDED_H

#include "apply.h"

/* The version's successor has nothing of its value, or is none at all. */
void superseded_note(struct apply *apply, const struct entry *old);
/* Its successor, of this key or another, has the same value. */
void superseded_note_but_value(struct apply *apply, const struct entry *old);
/* Its successor is put by this operation: of a large value it has what the
 * operation did not write. */
void superseded_note_put(struct apply *apply, const struct entry *old,
			 const struct op *op);
/* A whole scope was dropped: as many versions of average size as it has keys. */
void superseded_note_scope(struct apply *apply, const struct scope_state *state);

#endif
