/*
 * make_backups DIR DAYS [KEY]: makes DIR with backups of so many days, at noon
 * from 2025-01-01 on, named day-1 and so on; each seventh is a full one, the
 * others are incremental ones of its form by turns. Their files hold random bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "make_backup.h"

#define FIRST_US UINT64_C(1735732800000000)
#define DAY_US UINT64_C(86400000000)

int main(int argc, char **argv)
{
	struct backup_manifest before = { .id = "" }, now;
	struct aedb_backup_key key = { NULL, 0 };
	unsigned days;
	struct vfs *dir;

	if (argc < 3)
		return 2;
	days = (unsigned)atoi(argv[2]);
	if (argc > 3)
		key = (struct aedb_backup_key){ argv[3], strlen(argv[3]) };
	if (vfs_posix_make(argv[1]) < 0 || vfs_posix_open(argv[1], &dir) < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], err_message());
		return 1;
	}
	for (unsigned day = 0; day < days; day++) {
		char name[32];
		struct make_backup how = {
			.name = name,
			.parent = day % 7 ? &before : NULL,
			.form = day % 2 && day % 7 ? AEDB_BACKUP_LOG :
						     AEDB_BACKUP_FILES,
			.began_us = FIRST_US + day * DAY_US,
			.seed = day,
			.key = &key,
		};

		snprintf(name, sizeof(name), "day-%u", day + 1);
		make_backup(dir, &how, &now);
		backup_manifest_release(&before);
		before = now;
	}
	backup_manifest_release(&before);
	vfs_close(dir);
	return 0;
}
