/*
 * The commands `grant`, `revoke` and `grants` of the control file.
 *
 * Threads: any, without the tree lock. Errors: negative errno values and enum
 * aedb_error, with words.
 */
#ifndef CONTROL_GRANT_H
#define CONTROL_GRANT_H

#include "control_command.h"
#include "control_record.h"
#include "forest.h"

struct control_grant_job {
	struct forest *forest;
	const struct control_command *command;
	char words[CONTROL_RECORD_BYTES];	/* why not */
	char *lines;		/* owned: of `grants`; NULL */
};

/* No request is between its check and its commit meanwhile. */
int control_grant(struct control_grant_job *job);

#endif
