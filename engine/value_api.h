/*
 * Values in parts, as the public header offers them, over stages and readers.
 */
#ifndef VALUE_API_H
#define VALUE_API_H

#include "db.h"
#include "stage.h"

/* The stage beneath a public one, for a commit; borrowed. AEDB_INVALID. */
int value_api_stage(struct aedb_stage *stage, struct stage **ret);
/* AEDB_TOO_LARGE, naming the limit. */
int value_api_check_bytes(const struct aedb *db, uint64_t bytes);

#endif
