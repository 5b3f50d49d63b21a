/* The feed of commits as text. */
#include "feed_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed_json.h"
#include "path.h"

struct feed_lines {
	struct aedb_feed *feed;		/* owned */
	char *line;			/* owned by malloc; NULL: none */
	size_t line_bytes, taken;	/* of it, already read */
};

int feed_lines_open(struct aedb *db, aedb_seq_t from, struct feed_lines **ret)
{
	struct feed_lines *lines = calloc(1, sizeof(*lines));
	int rc = lines ? aedb_feed_open(db, from, &lines->feed) : -ENOMEM;

	if (rc < 0) {
		free(lines);
		return rc;
	}
	*ret = lines;
	return 0;
}

void feed_lines_close(struct feed_lines *lines)
{
	if (!lines)
		return;
	aedb_feed_close(lines->feed);
	free(lines->line);
	free(lines);
}

/* PROJECT, PROJECT/SCOPE, what is beneath, or PROJECT/SCOPE.tables/TABLE, also of its
 * rows; nothing when the scope is gone. */
static int add_path(json_t *object, const char *name,
		    const struct aedb_place *place, const char *table,
		    const struct aedb_feed_key *key)
{
	char path[2 * (AEDB_NAME_BYTES_MAX + 1) + PATH_BYTES_MAX];
	size_t n;

	if (!place->project)
		return 0;
	if (table) {
		n = (size_t)sprintf(path, "%s/%s.tables/%s", place->project,
				    place->scope, table);
		return json_add_bytes(object, name, path, n);
	}
	n = (size_t)sprintf(path, "%s%s%s", place->project,
			    place->scope ? "/" : "",
			    place->scope ? place->scope : "");
	if (key->bytes && (key->n || !key->is_directory)) {
		path[n++] = '/';
		n += path_format(key->bytes, key->n, path + n);
	}
	return json_add_bytes(object, name, path, n);
}

/* Bytes of a directory's record -> those that its path is made of. */
static void record_to_key(struct aedb_feed_key *key)
{
	struct path_dir dir;

	if (!key->bytes || !key->is_directory)
		return;
	path_dir_init_record(&dir, key->bytes, key->n);
	key->bytes = dir.key;
	key->n = dir.key_bytes;
}

static int line_make(struct feed_lines *lines, struct aedb_feed_change *change)
{
	json_t *object = feed_json(change);
	int rc = object ? 0 : -1;

	record_to_key(&change->key);
	record_to_key(&change->to_key);
	if (rc == 0)
		rc = add_path(object, "path", &change->place, change->table,
			      &change->key);
	if (rc == 0)
		rc = add_path(object, "to_path", &change->to_place,
			      change->to_table, &change->to_key);
	free(lines->line);
	lines->line = rc == 0 ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!lines->line)
		return -ENOMEM;
	lines->line_bytes = strlen(lines->line);
	lines->line[lines->line_bytes++] = '\n';	/* in the NUL's place */
	lines->taken = 0;
	return 0;
}

/* 0, or -ENOENT at the end. */
static int line_next(struct feed_lines *lines)
{
	struct aedb_feed_change change;
	int rc;

	do
		rc = aedb_feed_next(lines->feed, &change);
	while (rc == 0 && change.kind == AEDB_FEED_TOUCH);
	return rc < 0 ? rc : line_make(lines, &change);
}

int feed_lines_read(struct feed_lines *lines, char *buf, size_t n, size_t *ret)
{
	size_t done = 0;

	while (done < n) {
		size_t left = lines->line_bytes - lines->taken;

		if (left == 0) {
			int rc = line_next(lines);

			if (rc == -ENOENT)
				break;
			/* what was read so far comes first */
			if (rc < 0 && done == 0)
				return rc;
			if (rc < 0)
				break;
			continue;
		}
		if (left > n - done)
			left = n - done;
		memcpy(buf + done, lines->line + lines->taken, left);
		lines->taken += left;
		done += left;
	}
	*ret = done;
	return 0;
}
