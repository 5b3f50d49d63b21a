/* What the mount shows of owners and permissions. */
#include "shown.h"

void shown_apply(const struct shown *shown, struct stat *st)
{
	bool is_dir = S_ISDIR(st->st_mode);

	if (shown->has_uid)
		st->st_uid = shown->uid;
	if (shown->has_gid)
		st->st_gid = shown->gid;
	if (S_ISLNK(st->st_mode))
		return;
	if (is_dir ? shown->has_dir_mask : shown->has_file_mask)
		st->st_mode = (st->st_mode & S_IFMT) |
			      (0777 & ~(is_dir ? shown->dir_mask :
						 shown->file_mask));
}
