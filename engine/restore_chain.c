/*
 * Which backups a state is restored of.
 *
 * A backup in files form gives its head. One in log form gives every number
 * behind its parent's head up to its own, of its parent's head and its log.
 */
#include "restore_chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backup_names.h"
#include "err.h"
#include "plain_text.h"

#define RANGES_BYTES 400	/* of the text that names them */
#define FILES_MAX (1u << 20)	/* that backups whose files are restored name */

static const struct backup_manifest *of(const struct restore_chain *chain,
					size_t i)
{
	return &chain->at[i].manifest;
}

/* Whether the second one goes on from the first. */
static int link_check(const struct backup_manifest *m,
		      const struct backup_manifest *next)
{
	if (memcmp(m->db_uuid, next->db_uuid, FILE_UUID_BYTES))
		return err_set(AEDB_CORRUPT, "backup %s and its parent %s are of "
			       "different databases", next->name, m->name);
	if (next->from_seq != m->head_seq)
		return err_set(AEDB_CORRUPT, "backup %s goes on from number %"
			       PRIu64 ", its parent %s ends with %" PRIu64,
			       next->name, next->from_seq, m->name, m->head_seq);
	return 0;
}

static int parent_missing(const struct restore_shelf *shelf,
			  const struct restore_entry *child)
{
	if (err_code() != AEDB_NOT_FOUND)
		return err_set(err_code(), "the parent of backup %s: %s",
			       child->name, err_message());
	return err_set(shelf->code ? shelf->code : AEDB_NOT_FOUND,
		       "the parent %s of backup %s is not there%s", child->parent,
		       child->name, shelf->reason);
}

/* Those that it needs, itself last; *ret owned (free). */
static int entries_find(const struct restore_shelf *shelf,
			const struct restore_entry *last,
			const struct restore_entry ***ret, size_t *ret_n)
{
	const struct restore_entry **entries =
		malloc((shelf->n + 1) * sizeof(*entries));
	size_t at = shelf->n;
	int rc = entries ? 0 : err_set(AEDB_NO_MEMORY, "no memory for a chain of "
				       "backups");

	while (rc == 0) {
		const struct restore_entry *entry = last;

		if (at == 0) {
			rc = err_set(AEDB_CORRUPT, "the parents of backup %s go "
				     "round in a circle", last->name);
			break;
		}
		entries[--at] = entry;
		if (!*entry->parent)
			break;
		if (restore_shelf_find_parent(shelf, entry, &last) < 0)
			rc = parent_missing(shelf, entry);
	}
	if (rc < 0) {
		free(entries);
		return rc;
	}
	*ret_n = shelf->n - at;
	memmove(entries, entries + at, *ret_n * sizeof(*entries));
	*ret = entries;
	return 0;
}

static int parts_open(struct restore_chain *chain,
		      const struct restore_entry *const *entries, size_t n,
		      const struct aedb_backup_key *key)
{
	int rc = 0;

	chain->at = calloc(n, sizeof(*chain->at));
	if (!chain->at)
		return err_set(AEDB_NO_MEMORY, "no memory for a chain of backups");
	for (; chain->n < n && rc == 0; chain->n += rc == 0) {
		rc = restore_part_open(entries[chain->n], key,
				       &chain->at[chain->n]);
		if (rc == 0 && chain->n)
			rc = link_check(of(chain, chain->n - 1),
					of(chain, chain->n));
		/* how many there are depends on who made them */
		if (rc == 0)
			backup_manifest_drop_lists(&chain->at[chain->n].manifest);
	}
	if (rc == 0 && of(chain, 0)->form != AEDB_BACKUP_FILES)
		rc = err_set(AEDB_CORRUPT, "backup %s has no parent and is none by "
			     "itself", of(chain, 0)->name);
	return rc;
}

int restore_chain_open(const struct restore_shelf *shelf,
		       const struct restore_entry *last,
		       const struct aedb_backup_key *key,
		       struct restore_chain *ret)
{
	struct restore_chain chain = { .n = 0 };
	const struct restore_entry **entries;
	size_t n;
	int rc = entries_find(shelf, last, &entries, &n);

	if (rc < 0)
		return rc;
	chain.key = key;
	rc = parts_open(&chain, entries, n, key);
	free(entries);
	if (rc < 0)
		restore_chain_release(&chain);
	else
		*ret = chain;
	return rc;
}

void restore_chain_release(struct restore_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		restore_part_close(&chain->at[i]);
	free(chain->at);
	*chain = (struct restore_chain){ .n = 0 };
}

/* The state after all commits up to a time: as it was when the backup began, none
 * were there but its own. */
static uint64_t known_until_us(const struct backup_manifest *m)
{
	return m->began_us > m->head_time_us ? m->began_us : m->head_time_us;
}

struct text {
	char at[RANGES_BYTES];
	size_t n;
	size_t left_out;
};

static void text_add(struct text *text, const char *from, const char *to)
{
	size_t room = sizeof(text->at) - text->n;
	int n = snprintf(text->at + text->n, room, "%s%s%s%s%s",
			 text->n ? " and " : "", to ? "from " : "", from,
			 to ? " to " : "", to ? to : "");

	if (n < 0 || (size_t)n >= room) {
		text->at[text->n] = '\0';
		text->left_out++;
	} else {
		text->n += (size_t)n;
	}
}

/* The first behind i that no log leads to. */
static size_t run_end(const struct restore_chain *chain, size_t i)
{
	do
		i++;
	while (i < chain->n && of(chain, i)->form == AEDB_BACKUP_LOG);
	return i;
}

static void ranges_of_numbers(const struct restore_chain *chain,
			      struct text *text)
{
	for (size_t i = 0, end; i < chain->n; i = end) {
		char from[24], to[24];

		end = run_end(chain, i);
		sprintf(from, "%" PRIu64, of(chain, i)->head_seq);
		sprintf(to, "%" PRIu64, of(chain, end - 1)->head_seq);
		text_add(text, from, strcmp(from, to) ? to : NULL);
	}
}

static void ranges_of_times(const struct restore_chain *chain, struct text *text)
{
	for (size_t i = 0, end; i < chain->n; i = end) {
		char from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];

		end = run_end(chain, i);
		time_write(of(chain, i)->head_time_us, from);
		time_write(known_until_us(of(chain, end - 1)), to);
		text_add(text, from, to);
	}
}

static int seq_out_of_range(const struct restore_chain *chain, seq_t seq)
{
	struct text text = { .n = 0 };

	ranges_of_numbers(chain, &text);
	return err_set(AEDB_RANGE, "number %" PRIu64 ": %s%s can be restored", seq,
		       text.at, text.left_out ? " and others" : "");
}

static int time_out_of_range(const struct restore_chain *chain, uint64_t time_us)
{
	char wanted[TIME_TEXT_BYTES];
	struct text text = { .n = 0 };

	time_write(time_us, wanted);
	ranges_of_times(chain, &text);
	return err_set(AEDB_RANGE, "%s: %s%s can be restored", wanted, text.at,
		       text.left_out ? " and others" : "");
}

static size_t base_of(const struct restore_chain *chain, size_t last)
{
	while (of(chain, last)->form == AEDB_BACKUP_LOG)
		last--;
	return last;
}

static int find_seq(const struct restore_chain *chain, seq_t seq, size_t *ret)
{
	for (size_t i = 0; i < chain->n; i++) {
		const struct backup_manifest *m = of(chain, i);

		if (seq == m->head_seq ||
		    (m->form == AEDB_BACKUP_LOG && seq > m->from_seq &&
		     seq < m->head_seq)) {
			*ret = i;
			return 0;
		}
	}
	return seq_out_of_range(chain, seq);
}

static int find_time(const struct restore_chain *chain, uint64_t time_us,
		     size_t *ret)
{
	size_t i = chain->n;

	while (i > 0 && of(chain, i - 1)->head_time_us > time_us)
		i--;
	/* i: the first whose head is later */
	if (i == 0)
		return time_out_of_range(chain, time_us);
	if (i < chain->n && of(chain, i)->form == AEDB_BACKUP_LOG)
		*ret = i;
	else if (time_us <= known_until_us(of(chain, i - 1)))
		*ret = i - 1;
	else
		return time_out_of_range(chain, time_us);
	return 0;
}

int restore_chain_find(const struct restore_chain *chain,
		       const struct aedb_restore_options *options,
		       struct restore_place *ret)
{
	struct restore_place place = { .last = chain->n - 1, .seq = SEQ_MAX,
				       .time_us = UINT64_MAX };
	int rc = 0;

	if (options->target == AEDB_RESTORE_SEQ) {
		place.seq = options->seq;
		rc = find_seq(chain, options->seq, &place.last);
	} else if (options->target == AEDB_RESTORE_TIME) {
		place.time_us = options->time_ns < 0 ?
					0 : (uint64_t)options->time_ns / 1000;
		if (place.time_us > TIME_TEXT_US_MAX)
			return err_set(AEDB_INVALID, "no such time");
		rc = find_time(chain, place.time_us, &place.last);
	}
	if (rc < 0)
		return rc;
	place.base = base_of(chain, place.last);
	*ret = place;
	return 0;
}

/* Files. */

/* By path, the newest first. */
static int file_compare(const void *a, const void *b)
{
	const struct restore_file *x = a, *y = b;
	int order = strcmp(x->file->path, y->file->path);

	return order ? order : (x->place < y->place) - (x->place > y->place);
}

static int file_locate(const struct restore_chain *chain, size_t i,
		       const struct backup_file *file, struct restore_file *ret)
{
	size_t at = i;

	while (file->stored[0] && strcmp(of(chain, at)->id, file->stored))
		if (at-- == 0)
			return err_set(AEDB_CORRUPT, "backup %s: %s is in backup "
				       "%s, which is none of its parents",
				       of(chain, i)->name, file->path,
				       file->stored);
	*ret = (struct restore_file){ file, &chain->at[at], i };
	return 0;
}

static void files_sort(struct restore_files *files)
{
	size_t n = 0;

	qsort(files->at, files->n, sizeof(*files->at), file_compare);
	for (size_t i = 0; i < files->n; i++) {
		if (n && !strcmp(files->at[n - 1].file->path,
				 files->at[i].file->path))
			continue;
		files->at[n++] = files->at[i];
		files->bytes += files->at[i].file->bytes;
	}
	files->n = n;
}

/* The lists of those that say which files are restored; *ret: how many. */
static int lists_read(struct restore_chain *chain,
		      const struct restore_place *place, size_t *ret)
{
	size_t n = 0;
	int rc = 0;

	for (size_t i = place->base; i <= place->last && rc == 0; i++) {
		rc = restore_part_read(&chain->at[i], chain->key);
		n += of(chain, i)->n_files;
		if (rc == 0 && n > FILES_MAX)
			rc = err_set(AEDB_TOO_LARGE, "backups %s to %s name more than "
				     "%u files", of(chain, place->base)->name,
				     of(chain, i)->name, FILES_MAX);
		if (rc == 0 && i != place->last)
			backup_manifest_drop_snapshots(&chain->at[i].manifest);
	}
	if (rc == 0)
		*ret = n;
	return rc;
}

int restore_files_collect(struct restore_chain *chain,
			  const struct restore_place *place,
			  struct restore_files *ret)
{
	struct restore_files files = { NULL, 0, 0 };
	size_t n = 0;
	int rc = lists_read(chain, place, &n);

	if (rc < 0)
		return rc;
	files.at = malloc((n + 1) * sizeof(*files.at));
	if (!files.at)
		return err_set(AEDB_NO_MEMORY, "no memory for a backup's files");
	for (size_t i = place->base; i <= place->last && rc == 0; i++)
		for (size_t k = 0; k < of(chain, i)->n_files && rc == 0; k++)
			rc = file_locate(chain, i, &of(chain, i)->files[k],
					 &files.at[files.n++]);
	if (rc < 0) {
		free(files.at);
		return rc;
	}
	files_sort(&files);
	*ret = files;
	return 0;
}

static bool is_needed(const struct restore_part *part,
		      const struct restore_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->at[i].part == part)
			return true;
	return false;
}

static int name_found(void *arg, int rc)
{
	const struct restore_part *const *part = arg;

	return err_set(rc, "backup %s: %s", (*part)->manifest.name,
		       err_message());
}

static int part_names_check(const struct restore_part *part)
{
	return backup_names_check(part->vfs, &part->manifest, name_found, &part);
}

/* Of one whose list is not in memory. */
static int unlisted_names_check(struct restore_chain *chain, size_t i)
{
	struct restore_part *part = &chain->at[i];
	int rc = restore_part_read(part, chain->key);

	if (rc == 0)
		rc = part_names_check(part);
	backup_manifest_drop_lists(&part->manifest);
	return rc;
}

int restore_names_check(struct restore_chain *chain,
			const struct restore_place *place,
			const struct restore_files *files)
{
	int rc = 0;

	for (size_t i = 0; i < place->base && rc == 0; i++)
		if (is_needed(&chain->at[i], files))
			rc = unlisted_names_check(chain, i);
	for (size_t i = place->base; i <= place->last && rc == 0; i++)
		rc = part_names_check(&chain->at[i]);
	return rc;
}
