/* The calls out of packing and unpacking. */
#include "archive_told.h"

#include <stddef.h>

#include "err.h"

void aedb_archive_options_init(struct aedb_archive_options *ret)
{
	*ret = (struct aedb_archive_options){ 0 };
}

static int canceled(const struct archive_told *told)
{
	return err_set(AEDB_CANCELED, "%s the archive was canceled",
		       told->progress.phase);
}

int archive_told_bytes(struct archive_told *told, uint64_t bytes)
{
	const struct aedb_archive_options *options = told->options;

	told->progress.done_bytes += bytes;
	if (options->progress &&
	    options->progress(options->arg, &told->progress) != 0)
		return canceled(told);
	return 0;
}

int archive_told_entry(struct archive_told *told,
		       const struct aedb_archive_entry *entry)
{
	const struct aedb_archive_options *options = told->options;

	if (options->entry && options->entry(options->arg, entry) != 0)
		return canceled(told);
	return 0;
}
