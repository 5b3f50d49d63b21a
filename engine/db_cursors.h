/* What cursors of listings are told by (listing_cursor.h). */
#ifndef DB_CURSORS_H
#define DB_CURSORS_H

#include <stdatomic.h>
#include <stdint.h>

struct db_cursors {
	uint64_t opening;	/* constant after open: tells it from others */
	_Atomic uint64_t batches;	/* atomic: begun, which numbers them */
};

#endif
