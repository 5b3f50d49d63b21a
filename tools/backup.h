/*
 * The parts of aedb backup: what its actions are given, and pruning.
 *
 * Threads: one.
 */
#ifndef BACKUP_H
#define BACKUP_H

#include "aedb_backup.h"
#include "json.h"
#include "progress.h"

/* What the command line says. */
struct backup_work {
	char *directory;	/* of backups; owned */
	char **names;		/* behind it */
	int n_names;
	struct aedb_prune_options prune;
	bool has_prune_options;
};

/* The key that was given, if any; borrowed for good. */
struct aedb_backup_key backup_key(void);
/* A watcher that shows on a terminal how far the work is. */
struct aedb_backup_watch backup_watch(struct progress *progress);

/* Of "--keep-RULE", with what follows the "="; fails for no number or duration. */
int backup_parse_count(const char *option, const char *text, uint32_t *ret);
int backup_parse_within(const char *text, struct aedb_keep *keep);

int backup_prune(const struct backup_work *work);

#endif
