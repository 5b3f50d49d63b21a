/*
 * The command `tables` of the control file: which tables there are, which a mount does
 * not show otherwise.
 *
 * Threads: any, without the tree lock. Errors: enum aedb_error, and -ENOMEM.
 */
#ifndef CONTROL_TABLES_H
#define CONTROL_TABLES_H

#include "aedb.h"

/* Lines "PROJECT/SCOPE TABLE", of the newest state, or of a snapshot unless its name
 * is "". Owned; NULL if it fails. */
int control_tables(struct aedb *db, const char *snapshot, char **ret);

#endif
