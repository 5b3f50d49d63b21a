/*
 * Making changes of a mount durable, whatever durability it was mounted with.
 */
#ifndef SYNC_PATH_H
#define SYNC_PATH_H

/* Makes everything durable that was committed in the mount of the path's
 * directory. Records its failure. */
int sync_path_parent(const char *path);

#endif
