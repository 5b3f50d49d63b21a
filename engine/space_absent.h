/* Which of a transaction's first operations put a key that no segment of some
 * levels has. */
#ifndef SPACE_ABSENT_H
#define SPACE_ABSENT_H

#include <stdint.h>

#define SPACE_ABSENT_OPS 64

struct space_absent {
	uint64_t levels;	/* their stamp; 0: of none is known */
	uint64_t ops;		/* bits */
};

#endif
