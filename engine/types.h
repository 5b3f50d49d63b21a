/* Number types of the engine. */
#ifndef TYPES_H
#define TYPES_H

#include "aedb.h"

typedef aedb_seq_t seq_t;	/* counts operations; < 2^52 */
typedef uint64_t lsn_t;		/* byte position in the logical log */
typedef uint64_t file_id_t;	/* number in a file's name */

#define SEQ_MAX ((UINT64_C(1) << 52) - 1)

#endif
