/*
 * The write-ahead log, reading side: commits in order, where the log ends, what
 * of it was durable.
 *
 * States: reading -> ended -> rewound (reading again what wal_start copies) ->
 * ended.
 *
 * Invariants:
 * 1. `at` is where the next frame stands; window and sums belong to its file.
 * 2. A commit is returned only when its last frame was good; the log never ends
 *    inside one.
 * 3. `kept` is the end of the last frame of a commit (or empty frame) that lies
 *    wholly below the durable position.
 * 4. When rewound, the log ends where it ended the first time, or reading fails.
 *
 * Does not know what a payload means.
 */
#include "wal_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "wal_chain.h"
#include "wal_scan.h"
#include "wal_window.h"

struct wal_place {
	size_t file;		/* in scan.files */
	lsn_t lsn;
	size_t sums_n;		/* good frames before it in the file */
};

/* Checksums of the frames of one file. */
struct wal_sums {
	uint32_t *at;		/* owned */
	size_t n, cap;
};

/* A commit while its frames are collected. */
struct wal_assembly {
	struct wal_place start;
	struct wal_commit commit;
	uint8_t *bytes;		/* owned; payload of a commit of several frames */
	size_t cap;
	bool is_open;		/* the first frame was seen, not the last */
};

struct wal_reader {
	struct vfs *vfs;
	struct wal_read_options options;
	struct wal_end end;	/* of a closed log */
	struct wal_scan scan;
	struct wal_window window;
	struct wal_place at;
	struct wal_sums sums;
	struct wal_assembly commit;
	struct wal_place kept, kept_before;	/* before: the last commit returned */
	struct wal_place end_place;	/* valid once ended */
	bool is_closed;		/* a closing frame stands there */
	seq_t last_seq;
	bool is_ended, is_rewound;
};

static const struct wal_header *reader_header(const struct wal_reader *r)
{
	return &r->scan.files[r->at.file];
}

static const struct wal_header *reader_next_header(const struct wal_reader *r)
{
	return r->at.file + 1 < r->scan.files_n ? reader_header(r) + 1 : NULL;
}

static int reader_open_file(struct wal_reader *r)
{
	char path[WAL_PATH_BYTES];

	return wal_window_open(&r->window, r->vfs,
			       wal_path(reader_header(r)->base.number, path),
			       r->options.db_uuid);
}

int wal_reader_open(struct vfs *vfs, const struct wal_read_options *options,
		    struct wal_reader **ret)
{
	struct wal_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
	r->vfs = vfs;
	r->options = *options;
	if (options->end) {
		r->end = *options->end;
		r->options.end = &r->end;
	}
	rc = wal_scan_open(vfs, options, &r->scan);
	if (rc == 0 && r->scan.files_n) {
		r->at.lsn = r->scan.files[0].start_lsn;
		rc = reader_open_file(r);
	}
	if (rc < 0) {
		wal_reader_close(r);
		return rc;
	}
	r->is_ended = r->scan.files_n == 0;
	r->kept = r->kept_before = r->commit.start = r->at;
	*ret = r;
	return 0;
}

void wal_reader_close(struct wal_reader *r)
{
	if (!r)
		return;
	wal_window_release(&r->window);
	wal_scan_release(&r->scan);
	free(r->sums.at);
	free(r->commit.bytes);
	free(r);
}

/* Ends the log before the commit in assembly, or here. */
static void reader_end(struct wal_reader *r)
{
	r->end_place = r->commit.is_open ? r->commit.start : r->at;
	r->commit.is_open = false;
	r->is_ended = true;
}

/* There is no good frame at `at`: damage, or the end of the log. 0 or an
 * error. */
static int reader_stop(struct wal_reader *r, const char *reason, bool is_absent)
{
	const struct wal_header *header = reader_header(r);
	uint64_t offset = wal_offset(header, r->at.lsn);
	char path[WAL_PATH_BYTES];
	int rc = 0;

	wal_path(header->base.number, path);
	if (r->is_rewound)
		return err_set(AEDB_IO,
			       "%s at byte %" PRIu64 ": %s, but it was good before",
			       path, offset, reason);
	if (r->at.lsn < r->scan.durable)
		rc = wal_scan_damage(&r->scan,
				     "%s at byte %" PRIu64 ": %s; the log is known "
				     "durable for %" PRIu64 " bytes more",
				     path, offset, reason,
				     r->scan.durable - r->at.lsn);
	else if (!is_absent || r->commit.is_open ||
		 r->scan.frames_end > r->at.lsn)
		rc = wal_scan_note(&r->scan,
				   "%s at byte %" PRIu64 ": %s; the log ends before "
				   "what was never made durable",
				   path, offset, reason);
	if (rc == 0)
		reader_end(r);
	return rc;
}

static int sums_add(struct wal_sums *sums, uint32_t sum)
{
	if (sums->n == sums->cap) {
		size_t cap = sums->cap ? sums->cap * 2 : 1024;
		uint32_t *at = realloc(sums->at, cap * sizeof(*at));

		if (!at)
			return err_set(AEDB_NO_MEMORY,
				       "reading the log: out of memory");
		sums->at = at;
		sums->cap = cap;
	}
	sums->at[sums->n++] = sum;
	return 0;
}

/* The digest of a file up to and without frame number sums_n. */
static int sums_digest(const struct wal_sums *sums, size_t sums_n,
		       const struct wal_header *header, uint8_t *ret)
{
	struct wal_chain *chain;
	int rc = wal_chain_new(&chain);

	if (rc < 0)
		return rc;
	wal_chain_begin(chain, header);
	for (size_t i = 0; i < sums_n; i++)
		wal_chain_add(chain, sums->at[i]);
	wal_chain_finish(chain, ret);
	wal_chain_free(chain);
	return 0;
}

/* Goes from the end of one file to the next. */
static int reader_go_on(struct wal_reader *r, const struct wal_header *next)
{
	uint8_t digest[WAL_DIGEST_BYTES];
	int rc = sums_digest(&r->sums, r->sums.n, reader_header(r), digest);

	if (rc == 0 && !r->is_rewound &&
	    memcmp(digest, next->prev_digest, sizeof(digest)))
		rc = wal_scan_damage(&r->scan,
				     "log file %" PRIu64 " does not hold the frames "
				     "that file %" PRIu64 " continues",
				     next->prev_number, next->base.number);
	if (rc < 0)
		return rc;
	r->at.file++;
	r->at.sums_n = r->sums.n = 0;
	return reader_open_file(r);
}

/* The frame at `at`: 1, or 0 when the log ended. */
static int reader_look(struct wal_reader *r, struct frame *ret)
{
	const struct wal_header *next;
	enum frame_fault fault;
	int rc;

	while ((next = reader_next_header(r)) && r->at.lsn == next->start_lsn) {
		rc = reader_go_on(r, next);
		if (rc < 0)
			return rc;
	}
	if (next && r->at.lsn > next->start_lsn)
		return reader_stop(r, "frames reach past where the next file begins",
				   false);
	rc = wal_window_frame(&r->window, r->at.lsn, ret, &fault);
	if (rc < 0)
		return rc;
	if (fault != FRAME_GOOD)
		return reader_stop(r, frame_fault_text(fault), fault == FRAME_ABSENT);
	return 1;
}

/* Steps over the frame just looked at. */
static int reader_step(struct wal_reader *r, const struct frame *frame)
{
	int rc = sums_add(&r->sums, wal_window_checksum(&r->window, r->at.lsn));

	if (rc < 0)
		return rc;
	r->at.lsn = wal_window_behind(&r->window, r->at.lsn, frame);
	r->at.sums_n = r->sums.n;
	if (!r->is_rewound && r->at.lsn <= r->scan.durable &&
	    (frame->flags & (FRAME_EMPTY | FRAME_FINAL)))
		r->kept = r->at;
	return 0;
}

/* What makes a frame impossible at this place; NULL: nothing. */
static const char *reader_misfit(const struct wal_reader *r, const struct frame *f)
{
	const struct wal_commit *c = &r->commit.commit;

	if (!r->commit.is_open) {
		if (f->flags & FRAME_EMPTY)
			return NULL;
		if (!(f->flags & FRAME_FIRST))
			return "the middle of a commit without its beginning";
		return f->first_seq > r->last_seq ? NULL :
						    "a commit number that was used before";
	}
	if (f->flags & (FRAME_EMPTY | FRAME_FIRST))
		return "a new commit inside an unfinished one";
	if (f->first_seq != c->first_seq || f->op_count != c->op_count ||
	    f->time_us != c->time_us)
		return "a frame of another commit";
	if (c->payload_bytes + f->payload_bytes > WAL_COMMIT_BYTES_MAX)
		return "a commit over the limit";
	return NULL;
}

static int assembly_add(struct wal_assembly *a, const struct frame *f)
{
	size_t want = a->commit.payload_bytes + f->payload_bytes;

	if (want > a->cap) {
		size_t cap = want > 2 * a->cap ? want : 2 * a->cap;
		uint8_t *bytes = realloc(a->bytes, cap);

		if (!bytes)
			return err_set(AEDB_NO_MEMORY,
				       "reading a commit of %zu bytes: out of memory",
				       want);
		a->bytes = bytes;
		a->cap = cap;
	}
	if (f->payload_bytes)
		memcpy(a->bytes + a->commit.payload_bytes, f->payload,
		       f->payload_bytes);
	a->commit.payload = a->bytes;
	a->commit.payload_bytes = want;
	return 0;
}

/* Takes a fitting frame into the commit in assembly. */
static int reader_take(struct wal_reader *r, const struct frame *f)
{
	struct wal_assembly *a = &r->commit;
	bool is_first = f->flags & FRAME_FIRST;
	int rc = 0;

	if (is_first) {
		a->start = r->at;
		a->commit = (struct wal_commit){ .first_seq = f->first_seq,
						 .time_us = f->time_us,
						 .op_count = f->op_count,
						 .has_annex = f->flags &
							      FRAME_ANNEX };
		if (!r->is_rewound)
			r->kept_before = r->kept;
	}
	a->is_open = !(f->flags & FRAME_FINAL);
	if (is_first && !a->is_open) {
		a->commit.payload = f->payload;
		a->commit.payload_bytes = f->payload_bytes;
	} else {
		rc = assembly_add(a, f);
	}
	return rc < 0 ? rc : reader_step(r, f);
}

/* The rest of a commit whose first frames were in a file no longer needed. */
static bool reader_is_before_log(const struct wal_reader *r, const struct frame *f)
{
	return r->at.file == 0 && r->last_seq == 0 && !r->commit.is_open &&
	       reader_header(r)->prev_number != 0 && !r->is_rewound &&
	       !(f->flags & (FRAME_FIRST | FRAME_EMPTY));
}

/* Works on one frame: 1 when a commit is complete, 0 otherwise. */
static int reader_advance(struct wal_reader *r)
{
	struct frame f;
	const char *misfit;
	int rc = reader_look(r, &f);

	if (rc <= 0)
		return rc;
	if (reader_is_before_log(r, &f))
		return reader_step(r, &f);
	misfit = reader_misfit(r, &f);
	if (misfit)
		return reader_stop(r, misfit, false);
	if (!(f.flags & FRAME_EMPTY)) {
		rc = reader_take(r, &f);
		return rc < 0 ? rc : !r->commit.is_open;
	}
	if ((f.flags & FRAME_CLOSED) && !reader_next_header(r)) {
		reader_end(r);
		r->is_closed = true;
		return 0;
	}
	return reader_step(r, &f);
}

/* Whoever goes on behind the end of a closed log records it first. */
static int reader_check_closed(struct wal_reader *r)
{
	char path[WAL_PATH_BYTES];

	if (!r->options.end || r->last_seq || r->is_rewound)
		return 0;
	return wal_scan_damage(&r->scan,
			       "%s has a commit, but the log was closed before it: "
			       "the manifest lost a change",
			       wal_path(reader_header(r)->base.number, path));
}

int wal_reader_next(struct wal_reader *r, struct wal_read_commit *ret)
{
	int rc = 0;

	while (rc == 0 && !r->is_ended) {
		if (r->is_rewound && !r->commit.is_open && r->at.lsn >= r->end_place.lsn)
			r->is_ended = true;
		else
			rc = reader_advance(r);
	}
	if (rc > 0) {
		int closed = reader_check_closed(r);

		rc = closed < 0 ? closed : rc;
	}
	if (rc <= 0)
		return rc;
	ret->commit = r->commit.commit;
	ret->lsn = r->commit.start.lsn;
	ret->end_lsn = r->at.lsn;
	ret->is_above_durable = r->at.lsn > r->scan.durable;
	r->last_seq = ret->commit.first_seq + ret->commit.op_count - 1;
	if (wal_commit_split(&ret->commit) < 0)
		return wal_reader_end_before(r, err_message());
	return 1;
}

bool wal_reader_guess(const struct wal_reader *r, lsn_t *lsn,
		      struct wal_commit *ret)
{
	const struct wal_header *next = reader_next_header(r);
	const unsigned int whole = FRAME_FIRST | FRAME_FINAL;
	struct frame f;

	/* the log may have been cut there when the next file was begun */
	if (next && *lsn >= next->start_lsn)
		return false;
	if (!wal_window_guess(&r->window, *lsn, &f) ||
	    (f.flags & whole) != whole)
		return false;
	*ret = (struct wal_commit){ .op_count = f.op_count,
				    .has_annex = f.flags & FRAME_ANNEX,
				    .payload = f.payload,
				    .payload_bytes = f.payload_bytes };
	*lsn = wal_window_behind(&r->window, *lsn, &f);
	return wal_commit_split(ret) == 0;
}

int wal_reader_end_before(struct wal_reader *r, const char *reason)
{
	const struct wal_header *header = &r->scan.files[r->commit.start.file];
	uint64_t offset = wal_offset(header, r->commit.start.lsn);
	char path[WAL_PATH_BYTES];
	int rc;

	wal_path(header->base.number, path);
	if (r->at.lsn > r->scan.durable)
		rc = wal_scan_note(&r->scan,
				   "%s at byte %" PRIu64 ": commit %" PRIu64 ": %s; the "
				   "log ends before it, it was never made durable",
				   path, offset, r->last_seq, reason);
	else
		rc = wal_scan_damage(&r->scan,
				     "%s at byte %" PRIu64 ": commit %" PRIu64 ": %s",
				     path, offset, r->last_seq, reason);
	if (rc == 0)
		wal_reader_stop_before(r);
	return rc;
}

void wal_reader_stop_before(struct wal_reader *r)
{
	r->kept = r->kept_before;
	r->end_place = r->commit.start;
	r->is_ended = true;
}

/* Collects the checksums of a file's frames before `place` once more. */
static int reader_sum_again(struct wal_reader *r, const struct wal_place *place)
{
	int rc;

	r->at = *place;
	r->sums.n = 0;
	r->at.lsn = reader_header(r)->start_lsn;
	rc = reader_open_file(r);
	while (rc == 0 && r->at.lsn < place->lsn) {
		enum frame_fault fault;
		struct frame f;

		rc = wal_window_frame(&r->window, r->at.lsn, &f, &fault);
		if (rc == 0 && fault != FRAME_GOOD)
			rc = err_set(AEDB_IO, "%s: %s, but it was good before",
				     r->window.file->path, frame_fault_text(fault));
		if (rc == 0)
			rc = sums_add(&r->sums,
				      wal_window_checksum(&r->window, r->at.lsn));
		if (rc == 0)
			r->at.lsn = wal_window_behind(&r->window, r->at.lsn, &f);
	}
	return rc;
}

/* What goes on from a place in the files read. */
static int reader_link_at(struct wal_reader *r, const struct wal_place *place,
			  struct wal_link *ret)
{
	const struct wal_header *header = &r->scan.files[place->file];
	int rc = 0;

	if (place->file != r->at.file || r->sums.n < place->sums_n)
		rc = reader_sum_again(r, place);
	if (rc == 0)
		rc = sums_digest(&r->sums, place->sums_n, header,
				 ret->prev_digest);
	if (rc < 0)
		return rc;
	ret->prev_number = header->base.number;
	ret->start_lsn = place->lsn;
	return 0;
}

int wal_reader_link(struct wal_reader *r, struct wal_link *ret)
{
	struct wal_link link = { .number = r->scan.newest + 1 };
	int rc = 0;

	if (r->scan.files_n) {
		rc = reader_link_at(r, &r->kept, &link);
		link.tail_bytes = r->end_place.lsn - r->kept.lsn;
	} else if (r->options.end) {
		link.prev_number = r->options.newest_number;
		link.start_lsn = r->end.lsn;
		memcpy(link.prev_digest, r->end.digest, WAL_DIGEST_BYTES);
	}
	if (rc == 0)
		*ret = link;
	return rc;
}

/* Of a file that another continues all is durable. */
int wal_reader_link_behind(struct wal_reader *r, struct wal_link *ret,
			   struct wal_tail *ret_tail)
{
	struct wal_link link = { .number = r->scan.newest + 1 };
	struct wal_tail tail = { .end = r->end_place.lsn };
	const struct wal_header *header = &r->scan.files[r->end_place.file];
	int rc = reader_link_at(r, &r->end_place, &link);

	if (rc < 0)
		return rc;
	tail.file = link.prev_number;
	tail.begin = r->kept.lsn > header->start_lsn ? r->kept.lsn :
						       header->start_lsn;
	*ret = link;
	*ret_tail = tail;
	return 0;
}

/* Takes the closing frame, at the end of what was read last, into a link: a file
 * that goes on from this one begins behind it. */
static int reader_link_closed(struct wal_reader *r, struct wal_link *link)
{
	const struct wal_header *header = &r->scan.files[r->end_place.file];
	lsn_t lsn = r->end_place.lsn;
	enum frame_fault fault;
	struct frame f;
	int rc = wal_window_frame(&r->window, lsn, &f, &fault);

	if (rc == 0 && fault != FRAME_GOOD)
		rc = err_set(AEDB_IO, "%s: %s, but it was good before",
			     r->window.file->path, frame_fault_text(fault));
	r->sums.n = r->end_place.sums_n;
	if (rc == 0)
		rc = sums_add(&r->sums, wal_window_checksum(&r->window, lsn));
	if (rc == 0)
		rc = sums_digest(&r->sums, r->sums.n, header, link->prev_digest);
	r->sums.n = r->end_place.sums_n;
	if (rc == 0)
		link->start_lsn = wal_window_behind(&r->window, lsn, &f);
	return rc;
}

int wal_reader_end_of(struct wal_reader *r, struct wal_end *ret)
{
	struct wal_link link;
	int rc = reader_link_at(r, &r->end_place, &link);

	if (rc == 0 && r->is_closed)
		rc = reader_link_closed(r, &link);
	if (rc < 0)
		return rc;
	ret->lsn = link.start_lsn;
	memcpy(ret->digest, link.prev_digest, WAL_DIGEST_BYTES);
	return 0;
}

int wal_reader_rewind(struct wal_reader *r)
{
	r->is_rewound = true;
	r->is_ended = r->scan.files_n == 0 || r->kept.lsn == r->end_place.lsn;
	if (r->is_ended)
		return 0;
	r->at = r->kept;
	r->sums.n = r->kept.sums_n;
	r->last_seq = 0;
	r->commit.is_open = false;
	return reader_open_file(r);
}

file_id_t wal_reader_newest(const struct wal_reader *r)
{
	if (r->scan.files_n)
		return r->scan.files[r->scan.files_n - 1].base.number;
	return r->options.end ? r->options.newest_number : 0;
}

size_t wal_reader_findings(const struct wal_reader *r, const char *const **ret)
{
	*ret = (const char *const *)r->scan.findings;
	return r->scan.findings_n;
}
