/*
 * Whether rows of tables and the entries of their indexes agree, in the newest state.
 *
 * Threads: one. Errors: AEDB_NO_MEMORY; what is damaged is found.
 */
#ifndef VERIFY_TABLES_H
#define VERIFY_TABLES_H

#include "db.h"
#include "verify_find.h"

int verify_tables(struct aedb *db, struct verify_findings *findings);

#endif
