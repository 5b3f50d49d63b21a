/*
 * Finding the files of a log, from the newest back along the chain of previous
 * numbers: a file that no later one continues (cut off by a recovery) does not
 * belong to it.
 *
 * Invariants:
 * 1. Frames of a file that has a successor need no search for the durable
 *    position: the successor's start is above all they can carry.
 * 2. In permissive mode the files behind a missing or damaged one are lost.
 */
#include "wal_scan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "wal_window.h"

#define FINDINGS_MAX 1000

struct number_list {
	file_id_t *at;		/* ascending; owned */
	size_t n;
};

int wal_scan_note(struct wal_scan *scan, const char *format, ...)
{
	char **more;
	char *text;
	va_list args;
	int n;

	if (scan->findings_n == FINDINGS_MAX)
		return 0;
	more = realloc(scan->findings, (scan->findings_n + 1) * sizeof(*more));
	if (!more)
		return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
	scan->findings = more;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
	scan->findings[scan->findings_n++] = text;
	return 0;
}

int wal_scan_damage(struct wal_scan *scan, const char *format, ...)
{
	char text[ERR_MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (scan->mode == WAL_STRICT)
		return err_set(AEDB_CORRUPT, "%s", text);
	return wal_scan_note(scan, "%s", text);
}

void wal_scan_release(struct wal_scan *scan)
{
	for (size_t i = 0; i < scan->findings_n; i++)
		free(scan->findings[i]);
	free(scan->findings);
	free(scan->files);
}

static int number_compare(const void *a, const void *b)
{
	file_id_t x = *(const file_id_t *)a, y = *(const file_id_t *)b;

	return (x > y) - (x < y);
}

static int numbers_list(struct vfs *vfs, struct number_list *ret)
{
	struct number_list list = { NULL, 0 };
	char **names;
	size_t n;
	int rc = vfs->ops->list(vfs, WAL_DIRECTORY, &names, &n);

	if (rc == AEDB_NOT_FOUND)
		rc = err_set(AEDB_CORRUPT, "directory " WAL_DIRECTORY " is missing");
	if (rc < 0)
		return rc;
	list.at = calloc(n + 1, sizeof(*list.at));
	for (size_t i = 0; list.at && i < n; i++) {
		list.at[list.n] = wal_name_number(names[i]);
		list.n += list.at[list.n] != 0;
	}
	vfs_free_names(names, n);
	if (!list.at)
		return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
	qsort(list.at, list.n, sizeof(*list.at), number_compare);
	*ret = list;
	return 0;
}

/* AEDB_CORRUPT in both modes: the file cannot be part of the log at all. */
static int header_of_file(struct vfs *vfs, const uint8_t *db_uuid,
			  file_id_t number, struct wal_header *ret)
{
	char path[WAL_PATH_BYTES];
	struct wal_window w = { .file = NULL };
	int rc = wal_window_open(&w, vfs, wal_path(number, path), db_uuid);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s is missing", path);
	if (rc < 0)
		return rc;
	if (w.header.base.number != number)
		rc = err_set(AEDB_CORRUPT, "%s: its header says number %" PRIu64, path,
			     w.header.base.number);
	if (rc == 0)
		*ret = w.header;
	wal_window_release(&w);
	return rc;
}

/* Whether `next` can continue `file`. */
static int link_check(const struct wal_header *file, const struct wal_header *next)
{
	char path[WAL_PATH_BYTES];

	if (next->start_lsn < file->start_lsn ||
	    next->start_lsn - file->start_lsn > file->file_bytes - FILE_DATA_OFFSET)
		return err_set(AEDB_CORRUPT,
			       "%s cannot end at lsn %" PRIu64
			       ", where file %" PRIu64 " continues it",
			       wal_path(file->base.number, path), next->start_lsn,
			       next->base.number);
	return 0;
}

static int files_add(struct wal_scan *scan, const struct wal_header *header)
{
	struct wal_header *more = realloc(
		scan->files, (scan->files_n + 1) * sizeof(*more));

	if (!more)
		return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
	scan->files = more;
	scan->files[scan->files_n++] = *header;
	return 0;
}

/* Whether the first file behind a closed log continues it. */
static int end_check(const struct wal_header *first,
		     const struct wal_read_options *options)
{
	char path[WAL_PATH_BYTES];

	if (first->start_lsn != options->end->lsn ||
	    memcmp(first->prev_digest, options->end->digest, WAL_DIGEST_BYTES))
		return err_set(AEDB_CORRUPT,
			       "%s does not continue the log, which was closed at "
			       "lsn %" PRIu64,
			       wal_path(first->base.number, path),
			       options->end->lsn);
	return 0;
}

/* Follows the chain from `number` back to the log's first file, newest first.
 * On AEDB_CORRUPT *ret_bad is the file that cannot be used. */
static int chain_follow(struct vfs *vfs, const struct wal_read_options *options,
			struct wal_scan *scan, file_id_t number,
			file_id_t *ret_bad)
{
	scan->files_n = 0;
	for (;;) {
		struct wal_header h;
		int rc;

		*ret_bad = number;
		rc = header_of_file(vfs, options->db_uuid, number, &h);
		if (rc == 0 && scan->files_n)
			rc = link_check(&h, &scan->files[scan->files_n - 1]);
		if (rc == 0)
			rc = files_add(scan, &h);
		if (rc < 0)
			return rc;
		/* 0: a permissive recovery found nothing to continue. */
		if (number == options->first_number || h.prev_number == 0)
			return options->end ? end_check(&h, options) : 0;
		if (h.prev_number < options->first_number)
			return err_set(AEDB_CORRUPT,
				       "log file %" PRIu64 " continues %" PRIu64
				       ", but the log begins with %" PRIu64,
				       number, h.prev_number, options->first_number);
		number = h.prev_number;
	}
}

static void files_reverse(struct wal_scan *scan)
{
	for (size_t i = 0; i < scan->files_n / 2; i++) {
		struct wal_header h = scan->files[i];

		scan->files[i] = scan->files[scan->files_n - 1 - i];
		scan->files[scan->files_n - 1 - i] = h;
	}
}

/* Largest listed number below `limit`; 0 if it is before the log. */
static file_id_t number_below(const struct number_list *list, file_id_t limit,
			      file_id_t first)
{
	size_t i = list->n;

	while (i && list->at[i - 1] >= limit)
		i--;
	return i && list->at[i - 1] >= first ? list->at[i - 1] : 0;
}

static int scan_files(struct vfs *vfs, const struct wal_read_options *options,
		      const struct number_list *list, struct wal_scan *scan)
{
	file_id_t bad = UINT64_MAX, number;
	char path[WAL_PATH_BYTES];
	int rc;

	scan->newest = list->n ? list->at[list->n - 1] : 0;
	if (options->end && scan->newest < options->first_number) {
		scan->newest = options->newest_number;
		return 0;
	}
	if (scan->newest < options->newest_number) {
		rc = wal_scan_damage(scan, "%s, the newest log file, is missing",
				     wal_path(options->newest_number, path));
		if (rc < 0)
			return rc;
		scan->newest = options->newest_number;
	}
	while ((number = number_below(list, bad, options->first_number))) {
		rc = chain_follow(vfs, options, scan, number, &bad);
		if (rc == 0) {
			files_reverse(scan);
			return 0;
		}
		if (rc != AEDB_CORRUPT || scan->mode == WAL_STRICT)
			return rc;
		rc = wal_scan_note(scan, "%s; what log file %" PRIu64
				   " and later ones hold is lost", err_message(), bad);
		if (rc < 0)
			return rc;
	}
	scan->files_n = 0;
	return wal_scan_damage(scan, "%s, the first log file, is missing or damaged",
			       wal_path(options->first_number, path));
}

/* Takes the largest durable position of all good frames of the newest file,
 * those behind a bad one too. */
static int scan_durable(struct vfs *vfs, const struct wal_read_options *options,
			struct wal_scan *scan)
{
	const struct wal_header *header = &scan->files[scan->files_n - 1];
	char path[WAL_PATH_BYTES];
	struct wal_window w = { .file = NULL };
	struct frame f;
	lsn_t at = header->start_lsn;
	int rc = wal_window_open(&w, vfs, wal_path(header->base.number, path),
				 options->db_uuid);

	scan->durable = header->durable_lsn;
	scan->frames_end = at;
	while (rc == 0 && (rc = wal_window_probe(&w, &at, &f)) > 0) {
		if (f.durable_lsn > scan->durable)
			scan->durable = f.durable_lsn;
		at = wal_window_behind(&w, at, &f);
		scan->frames_end = at;
		if (f.flags & FRAME_CLOSED)
			break;
		rc = 0;
	}
	/* A closed file ends with its last frame. Of a file with a successor,
	 * reading finds what is missing. */
	if (rc == 0 && w.size < w.header.file_bytes)
		rc = wal_scan_damage(scan,
				     "%s is cut short: %" PRIu64 " bytes, want %" PRIu64,
				     path, w.size, w.header.file_bytes);
	wal_window_release(&w);
	return rc < 0 ? rc : 0;
}

int wal_scan_open(struct vfs *vfs, const struct wal_read_options *options,
		  struct wal_scan *ret)
{
	struct wal_scan scan = { .mode = options->mode };
	struct number_list list = { NULL, 0 };
	int rc = numbers_list(vfs, &list);

	if (rc < 0)
		return rc;
	rc = scan_files(vfs, options, &list, &scan);
	free(list.at);
	if (rc == 0 && scan.files_n)
		rc = scan_durable(vfs, options, &scan);
	if (rc < 0) {
		wal_scan_release(&scan);
		return rc;
	}
	*ret = scan;
	return 0;
}
