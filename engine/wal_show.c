/*
 * A log file as text.
 */
#include <inttypes.h>

#include "err.h"
#include "wal_read.h"
#include "wal_window.h"

/* Prints what stands at `at` and moves it on: 1, 0 at the end, or
 * SHOW_CLOSED behind the frame that says nothing follows. */
enum { SHOW_CLOSED = 2 };

static int show_frame(FILE *out, struct wal_window *w, lsn_t *at)
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
	}
	if (rc < 0)
		return rc;
	fprintf(out, "byte %" PRIu64 ": ", wal_offset(&w->header, *at));
	frame_show(out, *at, &f);
	*at = wal_window_behind(w, *at, &f);
	return f.flags & FRAME_CLOSED ? SHOW_CLOSED : 1;
}

int wal_file_show(FILE *out, struct vfs *vfs, const char *path)
{
	struct wal_window w = { .file = NULL };
	lsn_t at;
	int rc = wal_window_open(&w, vfs, path, NULL);

	if (rc < 0)
		return rc;
	wal_header_show(out, &w.header);
	at = w.header.start_lsn;
	do
		rc = show_frame(out, &w, &at);
	while (rc == 1);
	if (rc == 0 && w.size < w.header.file_bytes)
		fprintf(out, "byte %" PRIu64 ": the file ends, want %" PRIu64 "\n",
			w.size, w.header.file_bytes);
	wal_window_release(&w);
	return rc < 0 ? rc : 0;
}
