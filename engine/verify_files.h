/*
 * Files of a database's directories that nothing refers to.
 *
 * Threads: one. Errors: AEDB_NO_MEMORY; AEDB_IO.
 */
#ifndef VERIFY_FILES_H
#define VERIFY_FILES_H

#include "verify_log.h"

/* Notes each as harmless. After everything that refers to files was read, and
 * found good. */
int verify_files(const struct verify_job *job, const struct verify_log *log);

#endif
