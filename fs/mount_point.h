/*
 * The directory to mount on: is it one, is it free, is a dead mount there? And
 * the mount that is on it: its flags, its unused names, its end.
 *
 * Threads: any. Nothing here asks a mounted file system, so that nothing waits
 * for one that does not answer, except mount_point_check for the last component
 * of a path.
 */
#ifndef MOUNT_POINT_H
#define MOUNT_POINT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct startup;

/* As realpath, but the last component need not exist and is not looked at: a
 * dead mount answers nothing. False: errno tells. */
bool mount_point_resolve(const char *path, char ret[PATH_MAX]);

/* Whether an absolute path without symbolic links is the directory or in it. */
bool mount_point_is_within(const char *path, const char *directory);

/* Checks that a database can be mounted there, detaching dead mounts of the
 * same database first. database is an absolute path without symbolic links.
 * Gives the absolute path of the directory. Returns enum exit_status; what is
 * wrong was told with startup_fail. */
int mount_point_check(struct startup *startup, const char *path,
		      const char *database, char ret[PATH_MAX]);
/* Gives the mount of a database there other flags, MS_… of mount(2); it stays
 * nosuid and nodev. Returns enum exit_status, as mount_point_check. */
int mount_point_remount(struct startup *startup, const char *path,
			unsigned long flags);
/* The device number of the newest mount at an absolute path; 0: none. */
dev_t mount_point_device(const char *point);
/* Whether other mounts lie in that of the device, as far as this namespace shows
 * them; true if it cannot be told. */
bool mount_point_has_mounts(dev_t device);
/* Makes the kernel forget every name and file of the mount that nobody uses.
 * -ENOENT: it is not there; -EPERM: this needs the privilege to mount; or another
 * negative errno value. */
int mount_point_forget_unused(const char *point, dev_t device);
/* Detaches the mount of the database from the directory, lazily, if it is still the
 * newest one there. 0, or -EIO: it is still there. */
int mount_point_detach(const char *point, const char *database, dev_t device);
/* The same from every directory of this namespace, also where a living mount of
 * the database was moved or bound to. */
int mount_point_detach_all(const char *database, dev_t device);

#endif
