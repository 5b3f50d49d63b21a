/*
 * A log file as text.
 */
#include <inttypes.h>

#include "err.h"
#include "wal_read.h"
#include "wal_window.h"

/* Prints what stands at `at` and moves it on: 1, or 0 at the end. */
static int show_frame(FILE *out, struct wal_window *w, lsn_t *at, bool *is_behind_bad)
{
	enum frame_fault fault;
	struct frame f;
	int rc = wal_window_frame(w, *at, &f, &fault);

	if (rc == 0 && fault != FRAME_GOOD) {
		lsn_t bad = *at;

		rc = wal_window_probe(w, at, &f);
		if (rc > 0 || (rc == 0 && fault != FRAME_ABSENT))
			fprintf(out, "byte %" PRIu64 ": %s\n",
				wal_offset(&w->header, bad), frame_fault_text(fault));
		if (rc <= 0)
			return rc;
		*is_behind_bad = true;
	}
	if (rc < 0)
		return rc;
	fprintf(out, "byte %" PRIu64 ": ", wal_offset(&w->header, *at));
	frame_show(out, *at, &f);
	*at = wal_window_behind(w, *at, &f);
	return !(f.flags & FRAME_CLOSED);
}

int wal_file_show(FILE *out, struct vfs *vfs, const char *path)
{
	struct wal_window w = { .file = NULL };
	bool is_behind_bad = false;
	lsn_t at;
	int rc = wal_window_open(&w, vfs, path, NULL);

	if (rc < 0)
		return rc;
	wal_header_show(out, &w.header);
	at = w.header.start_lsn;
	do
		rc = show_frame(out, &w, &at, &is_behind_bad);
	while (rc > 0);
	if (rc == 0 && w.size < w.header.file_bytes)
		rc = err_set(AEDB_CORRUPT, "%s is cut short: %" PRIu64
			     " bytes, want %" PRIu64, path, w.size,
			     w.header.file_bytes);
	else if (rc == 0 && is_behind_bad)
		rc = err_set(AEDB_CORRUPT, "%s: frames follow a bad one", path);
	wal_window_release(&w);
	return rc;
}
