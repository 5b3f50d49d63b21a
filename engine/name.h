/*
 * Names of projects, scopes, tables, columns and indexes.
 *
 * Threads: any.
 */
#ifndef NAME_H
#define NAME_H

/* That it is one; what: for the message. AEDB_INVALID, AEDB_NAME_TOO_LONG. */
int name_check(const char *what, const char *name);

#endif
