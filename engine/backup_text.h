/*
 * The text of backup.json, for those who write and who read it.
 *
 * A line for each member, each file and each snapshot: so it is read without more
 * than a line of it having been decoded.
 * Threads: no state of its own.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef BACKUP_TEXT_H
#define BACKUP_TEXT_H

#include <stdio.h>

#include "backup_manifest.h"

#define BACKUP_HEX_BYTES(n) (2 * (n) + 1)
#define BACKUP_TEXT_KINDS 2
#define BACKUP_TEXT_FORMS 2

extern const char *const backup_text_kinds[BACKUP_TEXT_KINDS];
extern const char *const backup_text_forms[BACKUP_TEXT_FORMS];

/* All but digest and signature, which are of what this writes. */
void backup_text_write(FILE *out, const struct backup_manifest *m);
int backup_text_digest(const char *body, size_t n,
		       char ret[BACKUP_DIGEST_TEXT_BYTES]);
int backup_text_sign(const char *body, size_t n, const struct aedb_backup_key *key,
		     char ret[BACKUP_DIGEST_TEXT_BYTES]);
bool backup_text_has_key(const struct aedb_backup_key *key);

#endif
