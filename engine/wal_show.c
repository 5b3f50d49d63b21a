/*
 * A log file as text: its frames, and the operations of each commit that lies
 * in it whole.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "annex.h"
#include "err.h"
#include "op.h"
#include "wal_read.h"
#include "wal_window.h"

struct show {
	FILE *out;
	struct wal_window window;
	lsn_t at;
	uint8_t *payload;	/* owned: of the commit's frames so far */
	size_t payload_bytes;
	bool has_first;		/* the commit's first frame was seen */
	bool has_annex;		/* and said so */
	bool is_over;		/* nothing follows in this file */
};

static int payload_add(struct show *s, const struct frame *f)
{
	uint8_t *grown;

	if (f->flags & FRAME_FIRST) {
		s->has_first = true;
		s->has_annex = f->flags & FRAME_ANNEX;
		s->payload_bytes = 0;
	}
	if (!s->has_first)
		return 0;
	grown = realloc(s->payload, s->payload_bytes + f->payload_bytes + 1);
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory to show a commit");
	s->payload = grown;
	memcpy(grown + s->payload_bytes, f->payload, f->payload_bytes);
	s->payload_bytes += f->payload_bytes;
	return 0;
}

static void operations_show(struct show *s)
{
	struct wal_commit commit = { .has_annex = s->has_annex,
				     .payload = s->payload,
				     .payload_bytes = s->payload_bytes };
	struct byte_reader r;
	struct op op;

	if (wal_commit_split(&commit) < 0 ||
	    annex_show(commit.annex, commit.annex_bytes, s->out) < 0)
		fprintf(s->out, "    %s\n", err_message());
	byte_reader_init(&r, commit.payload, commit.payload_bytes);
	while (byte_reader_left(&r)) {
		fputs("    ", s->out);
		if (op_decode(&r, &op) < 0) {
			fprintf(s->out, "%s\n", err_message());
			return;
		}
		op_show(&op, s->out);
	}
}

static int good_frame_show(struct show *s, const struct frame *f)
{
	int rc;

	fprintf(s->out, "byte %" PRIu64 ": ",
		wal_offset(&s->window.header, s->at));
	frame_show(s->out, s->at, f);
	s->is_over = f->flags & FRAME_CLOSED;
	if (f->flags & FRAME_EMPTY)
		return 0;
	rc = payload_add(s, f);
	if (rc == 0 && s->has_first && (f->flags & FRAME_FINAL)) {
		operations_show(s);
		s->has_first = false;
	}
	return rc;
}

/* Shows what stands at `at` and moves on: 1, or 0 at the end. */
static int frame_at_show(struct show *s)
{
	enum frame_fault fault;
	struct frame f;
	int rc = wal_window_frame(&s->window, s->at, &f, &fault);

	if (rc == 0 && fault != FRAME_GOOD) {
		lsn_t bad = s->at;

		s->has_first = false;
		rc = wal_window_probe(&s->window, &s->at, &f);
		if (rc > 0 || (rc == 0 && fault != FRAME_ABSENT))
			fprintf(s->out, "byte %" PRIu64 ": %s\n",
				wal_offset(&s->window.header, bad),
				frame_fault_text(fault));
		if (rc <= 0)
			return rc;
	}
	if (rc >= 0)
		rc = good_frame_show(s, &f);
	if (rc < 0)
		return rc;
	s->at = wal_window_behind(&s->window, s->at, &f);
	return 1;
}

int wal_file_show(FILE *out, struct vfs *vfs, const char *path)
{
	struct show s = { .out = out };
	const struct wal_header *header = &s.window.header;
	int rc = wal_window_open(&s.window, vfs, path, NULL);

	if (rc < 0)
		return rc;
	wal_header_show(out, header);
	s.at = header->start_lsn;
	do
		rc = frame_at_show(&s);
	while (rc > 0 && !s.is_over);
	if (rc == 0 && s.window.size < header->file_bytes)
		fprintf(out, "byte %" PRIu64 ": the file ends, want %" PRIu64 "\n",
			s.window.size, header->file_bytes);
	wal_window_release(&s.window);
	free(s.payload);
	return rc < 0 ? rc : 0;
}
