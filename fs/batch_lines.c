/*
 * Changes as paths.
 *
 * A key's path is that of path.h; where there is a directory of the same path, the
 * key is its entry "%": of what is removed, where there was one in the base.
 */
#include "batch_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "settle.h"
#include "text.h"

#define LINES_MIN 64
/* Changes looked at in a step: a fraction of a millisecond. */
#define STEP_CHANGES 128

struct line {
	char *path;		/* owned */
	size_t bytes;
	char sign;
};

struct batch_lines {
	struct batch *batch;
	struct aedb_snapshot *base;	/* owned */
	struct aedb_batch_diff *diff;	/* owned */
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_scope *keys;	/* owned; NULL: none was open yet */
	struct line *at;		/* owned */
	size_t n, max;
};

static void leave(struct batch_lines *lines)
{
	if (lines->keys)
		aedb_scope_close(lines->keys);
	lines->keys = NULL;
}

static void release(struct batch_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->at[i].path);
	free(lines->at);
	aedb_batch_diff_close(lines->diff);
	aedb_snapshot_close(lines->base);
}

static int add(struct batch_lines *lines, char sign, const char *path, size_t bytes)
{
	size_t max = lines->max ? lines->max * 2 : LINES_MIN;
	struct line *grown;
	char *copy;

	if (lines->n == lines->max) {
		grown = realloc(lines->at, max * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		lines->at = grown;
		lines->max = max;
	}
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, path, bytes);
	lines->at[lines->n++] = (struct line){ copy, bytes, sign };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	size_t least = x->bytes < y->bytes ? x->bytes : y->bytes;
	int order = memcmp(x->path, y->path, least);

	if (order)
		return order;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->sign - y->sign;
}

/* Paths. */

/* Opens the scope of the change, if it is another one than the last's. */
static int enter(struct batch_lines *lines, struct aedb_place place)
{
	if (lines->keys && strcmp(lines->project, place.project) == 0 &&
	    strcmp(lines->scope, place.scope) == 0)
		return 0;
	leave(lines);
	strcpy(lines->project, place.project);
	strcpy(lines->scope, place.scope);
	return aedb_scope_open_at(lines->batch->tree->db,
				  aedb_batch_view(lines->batch->engine),
				  place.project, place.scope, &lines->keys);
}

/* There is a directory of the key's path: 1, else 0. */
static int is_directory(struct batch_lines *lines, const struct aedb_change *change)
{
	struct place place = { .keys = lines->keys,
			       .dirs = aedb_scope_dirs(lines->keys) };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	place.view = change->kind == AEDB_REMOVED ?
			     lines->base : aedb_batch_view(lines->batch->engine);
	memcpy(place.key, change->key, change->key_bytes);
	path_dir_init(&place.dir, place.key, change->key_bytes);
	rc = place_stat_record(&place, &entry);
	if (rc == 0) {
		aedb_unpin(&entry);
		return 1;
	}
	if (rc == -ENOENT)
		rc = place_first_key(&place, &scan, &entry);
	if (rc == 0)
		aedb_scan_close(scan);
	return rc == 0 ? 1 : rc == -ENOENT ? 0 : rc;
}

/* A key's or directory's path, with both names before it. */
static size_t path_of(const struct aedb_change *change, const char *end,
		      char ret[2 * AEDB_NAME_BYTES_MAX + PATH_BYTES_MAX + 8])
{
	const void *key = change->key;
	size_t key_bytes = change->key_bytes;
	struct path_dir dir;
	size_t n = (size_t)sprintf(ret, "%s/%s/", change->place.project,
				   change->place.scope);

	if (change->of == AEDB_OF_DIRECTORY) {
		path_dir_init_record(&dir, key, key_bytes);
		if (dir.is_root)
			return n;
		key = dir.key;
		key_bytes = dir.key_bytes;
	}
	n += path_format(key, key_bytes, ret + n);
	strcpy(ret + n, end);
	return n + strlen(end);
}

static size_t path_of_place(struct aedb_place place, char *ret)
{
	if (!place.project)
		return (size_t)sprintf(ret, "/");
	return (size_t)sprintf(ret, "%s/%s%s", place.project,
			       place.scope ? place.scope : "",
			       place.scope ? "/" : "");
}

static size_t path_of_table(const struct aedb_change *change, char *ret)
{
	return (size_t)sprintf(ret, "%s/%s.tables/%s", change->place.project,
			       change->place.scope, change->table);
}

/* Whatever is changed in a table is one line, or two if its name is, too. */
static int add_table(struct batch_lines *lines, const struct aedb_change *change)
{
	char path[3 * AEDB_NAME_BYTES_MAX + 16];
	size_t n = path_of_table(change, path);
	struct line line = { path, n,
			     change->key ? '~' : (char)change->kind };

	if (lines->n && compare(&lines->at[lines->n - 1], &line) == 0)
		return 0;
	return add(lines, line.sign, path, n);
}

/* A directory of which times alone are changed is not listed. */
static int is_of_times(const struct batch_lines *lines,
		       const struct aedb_change *change)
{
	const struct settle settle = {
		.db = lines->batch->tree->db,
		.batch = lines->batch->engine,
		.base = lines->base,
		.view = aedb_batch_view(lines->batch->engine),
		.dirs = change->of == AEDB_OF_PLACE ?
				NULL : aedb_scope_dirs(lines->keys),
	};

	return change->of == AEDB_OF_KEY ? 0 :
					   settle_is_of_times(&settle, change);
}

static int add_change(struct batch_lines *lines, const struct aedb_change *change)
{
	char path[2 * AEDB_NAME_BYTES_MAX + PATH_BYTES_MAX + 8];
	const char *end = "";
	size_t n;
	int rc = 0;

	if (change->table)
		return add_table(lines, change);
	if (change->of == AEDB_OF_PLACE) {
		rc = is_of_times(lines, change);
		n = path_of_place(change->place, path);
		return rc ? rc < 0 ? rc : 0 :
			    add(lines, (char)change->kind, path, n);
	}
	/* It comes and goes with its keys, whether it has a record or not. */
	if (change->of == AEDB_OF_DIRECTORY && change->kind != AEDB_CHANGED &&
	    change->id & OBJECT_IMPLICIT_BIT)
		return 0;
	rc = enter(lines, change->place);
	if (rc == 0)
		rc = change->of == AEDB_OF_KEY ? is_directory(lines, change) :
						 is_of_times(lines, change);
	if (rc < 0 || (rc > 0 && change->of == AEDB_OF_DIRECTORY))
		return rc < 0 ? rc : 0;
	if (change->of == AEDB_OF_DIRECTORY)
		end = "/";
	else if (rc > 0)
		end = "/%";
	n = path_of(change, end, path);
	return add(lines, (char)change->kind, path, n);
}

int batch_lines_open(struct batch *batch, struct batch_lines **ret)
{
	struct batch_lines *lines = calloc(1, sizeof(*lines));
	struct aedb_batch_info info;
	int rc;

	if (!lines)
		return -ENOMEM;
	lines->batch = batch;
	aedb_batch_info(batch->engine, &info);
	rc = aedb_snapshot_open_at(batch->tree->db, info.base_seq, &lines->base);
	if (rc == 0)
		rc = aedb_batch_diff_open(batch->engine, &lines->diff);
	if (rc < 0)
		batch_lines_close(lines);
	else
		*ret = lines;
	return rc;
}

int batch_lines_step(struct batch_lines *lines)
{
	struct aedb_change change;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < STEP_CHANGES; i++) {
		rc = aedb_batch_diff_next(lines->diff, &change);
		if (rc == 0)
			rc = add_change(lines, &change);
		else if (rc == AEDB_NOT_FOUND)
			break;
	}
	/* The batch may have ended before the next one. */
	leave(lines);
	return rc == AEDB_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

/* Of a table that is new or renamed it is not said that it changed. */
static bool is_told(const struct line *before, const struct line *line)
{
	return line->sign == '~' && before->bytes == line->bytes &&
	       memcmp(before->path, line->path, line->bytes) == 0;
}

void batch_lines_print(struct batch_lines *lines, FILE *out)
{
	if (lines->n)
		qsort(lines->at, lines->n, sizeof(*lines->at), compare);
	for (size_t i = 0; i < lines->n; i++)
		if (!i || !is_told(&lines->at[i - 1], &lines->at[i]))
			text_write_change(out, lines->at[i].sign,
					  lines->at[i].path, lines->at[i].bytes);
}

void batch_lines_close(struct batch_lines *lines)
{
	if (!lines)
		return;
	release(lines);
	free(lines);
}

/* Conflicts. */

/* A range of a directory's content begins with its key and a slash. */
static size_t path_of_conflict(const struct aedb_change *change, char *path)
{
	struct aedb_change shown = *change;
	const char *key = change->key;

	if (change->table)
		return path_of_table(change, path);
	if (change->of == AEDB_OF_PLACE || !key)
		return path_of_place(change->place, path);
	if (!change->place.project)
		return 0;
	while (shown.is_range && shown.key_bytes &&
	       key[shown.key_bytes - 1] == '/')
		shown.key_bytes--;
	if (shown.is_range && !shown.key_bytes)
		return path_of_place(change->place, path);
	return path_of(&shown, shown.is_range ||
			       shown.of == AEDB_OF_DIRECTORY ? "/" : "", path);
}

static int collect_conflicts(struct batch_lines *lines)
{
	char path[2 * AEDB_NAME_BYTES_MAX + PATH_BYTES_MAX + 8];
	struct aedb_change change;
	size_t n;
	int rc = 0;

	for (size_t i = 0; rc == 0; i++) {
		rc = aedb_batch_conflict(lines->batch->engine, i, &change);
		n = rc == 0 ? path_of_conflict(&change, path) : 0;
		if (n)
			rc = add(lines, '~', path, n);
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

int batch_lines_conflicts(struct batch *batch, FILE *out)
{
	struct batch_lines lines = { .batch = batch };
	int rc = collect_conflicts(&lines);

	if (rc == 0 && lines.n)
		qsort(lines.at, lines.n, sizeof(*lines.at), compare);
	for (size_t i = 0; rc == 0 && i < lines.n; i++) {
		if (i && compare(&lines.at[i], &lines.at[i - 1]) == 0)
			continue;
		text_write(out, lines.at[i].path, lines.at[i].bytes);
		putc('\n', out);
	}
	release(&lines);
	return rc;
}

/* Staged files. */

static void print_node(const struct node *node, FILE *out)
{
	const struct node *path[PATH_KEY_BYTES_MAX];
	char *text = NULL;
	size_t n = 0, bytes = 0;
	FILE *whole = open_memstream(&text, &bytes);

	if (!whole)
		return;
	for (; node->parent && n < PATH_KEY_BYTES_MAX; node = node->parent)
		path[n++] = node;
	while (n-- > 0)
		fprintf(whole, "%s%s", node_name(path[n]), n ? "/" : "");
	if (fclose(whole) == 0)
		text_write(out, text, bytes);
	free(text);
}

void batch_lines_staged(struct batch *batch, size_t max, FILE *out)
{
	struct file *file;
	size_t n = 0;

	LIST_FOREACH(file, &batch->tree->open_files, next) {
		if (node_is_orphan(file->node) || !file_has_staged(file) ||
		    n == max)
			continue;
		fputs(n++ ? ", " : "", out);
		print_node(file->node, out);
	}
}
