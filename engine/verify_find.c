/*
 * Findings as lines. The engine's messages say "FILE offset N: what", "FILE at
 * byte N: what", "FILE: what" or only what; a line always says all three.
 */
#include "verify_find.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define PATH_BYTES 64u		/* of the database's files, in messages */

/* A message taken apart. */
struct place {
	char path[PATH_BYTES];
	uint64_t position;
	const char *what;	/* borrowed from the message */
};

/* "N: what" */
static bool position_parse(const char *text, struct place *ret)
{
	char *end;
	uint64_t position = strtoull(text, &end, 10);

	if (end == text || strncmp(end, ": ", 2) != 0)
		return false;
	ret->position = position;
	ret->what = end + 2;
	return true;
}

/* A name of a file in the database, as the message begins. */
static size_t path_length(const char *message)
{
	size_t n = strcspn(message, " :,");

	return n < PATH_BYTES && (memchr(message, '/', n) ||
				  strncmp(message, "MANIFEST-", 9) == 0 ||
				  strncmp(message, "CURRENT", 7) == 0) ? n : 0;
}

static struct place place_parse(const char *path, const char *message)
{
	struct place place = { .what = message };
	size_t n = path_length(message);
	const char *rest = message + n;

	snprintf(place.path, sizeof(place.path), "%s", path);
	if (!n)
		return place;
	snprintf(place.path, n + 1, "%s", message);
	if ((strncmp(rest, " offset ", 8) == 0 &&
	     position_parse(rest + 8, &place)) ||
	    (strncmp(rest, " at byte ", 9) == 0 &&
	     position_parse(rest + 9, &place)))
		return place;
	place.what = rest + strspn(rest, " :,");
	return place;
}

void verify_find(struct verify_findings *f, const char *path, uint64_t position,
		 const char *format, ...)
{
	va_list args;

	fprintf(f->out, "%s: %" PRIu64 ": ", path, position);
	va_start(args, format);
	vfprintf(f->out, format, args);
	va_end(args);
	fputc('\n', f->out);
	f->report.findings++;
}

int verify_find_error(struct verify_findings *f, const char *path, int rc)
{
	struct place place;

	if (rc >= 0 || rc == AEDB_NO_MEMORY)
		return rc;
	place = place_parse(path, err_message());
	verify_find(f, place.path, place.position, "%s", place.what);
	return 0;
}

void verify_note_message(struct verify_findings *f, const char *path,
			 const char *message)
{
	struct place place = place_parse(path, message);

	fprintf(f->out, "%s: %" PRIu64 ": harmless: %s\n", place.path,
		place.position, place.what);
	f->report.harmless++;
}

void verify_note(struct verify_findings *f, const char *path, const char *what)
{
	fprintf(f->out, "%s: 0: harmless: %s\n", path, what);
	f->report.harmless++;
}

/* Another thread may look at any time. */
static void increase(uint64_t *number, uint64_t by)
{
	__atomic_fetch_add(number, by, __ATOMIC_RELAXED);
}

void verify_expect(struct verify_findings *f, uint64_t bytes)
{
	if (f->progress)
		increase(&f->progress->total, bytes);
}

void verify_advance(struct verify_findings *f, uint64_t bytes)
{
	if (f->progress)
		increase(&f->progress->done, bytes);
}

void aedb_progress_get(const struct aedb_progress *progress, uint64_t *ret_done,
		       uint64_t *ret_total)
{
	*ret_done = __atomic_load_n(&progress->done, __ATOMIC_RELAXED);
	*ret_total = __atomic_load_n(&progress->total, __ATOMIC_RELAXED);
}
