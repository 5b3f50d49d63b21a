/*
 * Puts keys into a database that is not mounted, by the library:
 *
 *	fill DATABASE PROJECT SCOPE KEYS [KEYS-OF-A-DIRECTORY]
 *
 * They are d000/user:0000000 and on, 1,000 in each directory if it is not said.
 */
#include <stdio.h>
#include <stdlib.h>

#include "aedb.h"

static int fill(struct aedb_scope *scope, int keys, int of_a_directory)
{
	char key[64];
	int rc = 0;

	for (int i = 0; rc == 0 && i < keys; i++) {
		int n = snprintf(key, sizeof(key), "d%03d/user:%07d",
				 i / of_a_directory, i);

		rc = aedb_put(scope, key, (size_t)n, "value", 5);
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct aedb_options options;
	struct aedb_scope *scope;
	struct aedb *db;
	int rc;

	if (argc < 5 || argc > 6)
		return 2;
	aedb_options_init(&options);
	options.durability = AEDB_OS;
	rc = aedb_open(argv[1], &options, &db);
	if (rc == 0) {
		rc = aedb_scope_open(db, argv[2], argv[3], &scope);
		if (rc == 0) {
			rc = fill(scope, atoi(argv[4]),
				  argc > 5 ? atoi(argv[5]) : 1000);
			aedb_scope_close(scope);
		}
		if (rc == 0)
			rc = aedb_close(db);
	}
	if (rc < 0)
		fprintf(stderr, "fill: %s\n", aedb_error_message());
	return rc < 0;
}
