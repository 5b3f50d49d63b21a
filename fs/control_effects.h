/*
 * What the kernel is to be told after a command, whatever came of it.
 *
 * Threads: no state.
 */
#ifndef CONTROL_EFFECTS_H
#define CONTROL_EFFECTS_H

#include "forest_batches.h"

struct control_effects {
	uint64_t gone_parent;	/* the kernel may know a name in this node that is
				 * there no more; 0: none */
	char gone[AEDB_NAME_BYTES_MAX + 1];
	aedb_seq_t committed;	/* durable before it is answered, with durability
				 * full; 0: nothing */
	struct tree_effects tree;
	struct batch_news news;	/* of a batch that ended; to be released */
};

#endif
