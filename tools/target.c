/*
 * Arguments that name what to work on.
 *
 * Invariants:
 * 1. A database is opened for reading wherever that is enough, so that reading
 *    works on a read-only disk and changes nothing.
 * 2. Nothing is made here: a wrong path never leaves a database behind.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "key_file.h"
#include "text.h"

#define MEMORY_BYTES (32u << 20)	/* for a value on its way in */
#define LOAD_MEMORY_BYTES (64u << 20)
#define LOAD_WAL_FILE_BYTES (4u << 20)
#define KEY_BYTES_MAX 4000	/* of any database */

/* Paths in mounts. */

/* Cuts a path back by one component; false when nothing is left to cut. */
static bool path_cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash) {
		if (!strcmp(path, "."))
			return false;
		strcpy(path, ".");
		return true;
	}
	if (slash == path && !path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* The mount in which a path, or what of it exists, lies. As mount_find_…. */
static int find_mount(const char *path, int flags, struct mount *ret)
{
	char *part = strdup(*path ? path : ".");
	struct statx st;
	int rc;

	if (!part)
		return failure_system(ENOMEM, "%s", path);
	while (statx(AT_FDCWD, part, flags, STATX_MNT_ID, &st) < 0) {
		int err = errno;

		if ((err == ENOENT || err == ENOTDIR) && path_cut(part))
			continue;
		rc = failure_system(err, "%s", path);
		free(part);
		return rc;
	}
	free(part);
	return mount_find_id((int)st.stx_mnt_id, ret);
}

int target_needs_more(const char *path, const char *arguments)
{
	return failure_usage("%s is not in a mounted database; of a database: %s",
			     path, arguments);
}

int target_is_mounted(const char *path)
{
	struct mount mount = { 0 };
	int rc = find_mount(path, AT_SYMLINK_NOFOLLOW, &mount);

	if (rc == 0)
		rc = find_mount(path, 0, &mount);
	if (rc > 0)
		mount_release(&mount);
	return rc;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What of a path stands behind its beginning `part`, or behind the current
 * directory, which path_cut leaves when nothing else is. */
static const char *path_rest(const char *path, const char *part)
{
	size_t n = strlen(part);

	if (!strncmp(path, part, n) &&
	    (!path[n] || path[n] == '/' || part[n - 1] == '/'))
		path += n;
	return path + strspn(path, "/");
}

/* The absolute path without symbolic links in what of it exists; but one that
 * is its last component, and leads to no directory, stays. Owned; free. */
static char *resolve(const char *path)
{
	char *part = strdup(path), *real = NULL, *whole = NULL;
	const char *rest;

	if (!part)
		return NULL;
	if (!is_directory(part))
		path_cut(part);
	while (!(real = realpath(part, NULL)) &&
	       (errno == ENOENT || errno == ENOTDIR) && path_cut(part))
		;
	rest = path_rest(path, part);
	if (real && asprintf(&whole, "%s%s%s", strcmp(real, "/") ? real : "",
			     *rest ? "/" : "", rest) < 0)
		whole = NULL;
	free(real);
	free(part);
	return whole;
}

/* What follows a directory in a path; NULL if the path is not in it. */
static const char *path_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (n == 1)
		n = 0;
	if (strncmp(path, directory, n) || (path[n] && path[n] != '/'))
		return NULL;
	return path + n + (path[n] == '/');
}

static bool has_dots(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at++)
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	return false;
}

int target_locate(const char *path, struct target_path *ret)
{
	struct target_path found = { 0 };
	const char *below;
	int rc = find_mount(path, AT_SYMLINK_NOFOLLOW, &found.mount);

	if (rc == 0)
		rc = find_mount(path, 0, &found.mount);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return failure_set(STATUS_USAGE, path,
				   "is not in a mounted database");
	found.whole = resolve(path);
	below = found.whole ? path_below(found.whole, found.mount.point) : NULL;
	if (!below || has_dots(below))
		rc = failure_set(STATUS_USAGE, path,
				 "is no path that this command can take");
	else if (asprintf(&found.inside, "%s%s%s", found.mount.root + 1,
			  found.mount.root[1] && *below ? "/" : "", below) < 0)
		rc = failure_system(ENOMEM, "%s", path);
	if (rc < 0) {
		free(found.whole);
		mount_release(&found.mount);
		return rc;
	}
	for (size_t n = strlen(found.inside); n && found.inside[n - 1] == '/';)
		found.inside[--n] = '\0';
	*ret = found;
	return 0;
}

void target_release_path(struct target_path *path)
{
	mount_release(&path->mount);
	free(path->whole);
	free(path->inside);
}

/* Places and keys. */

static int parse_name(const char *kind, const char *text, size_t n, char *ret)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789_-";

	if (n == 0 || n > AEDB_NAME_BYTES_MAX || strspn(text, allowed) < n)
		return failure_usage("%s name \"%.*s\": 1 to %d characters of "
				     "A-Z a-z 0-9 _ - are allowed", kind,
				     (int)(n < 200 ? n : 200), text,
				     AEDB_NAME_BYTES_MAX);
	memcpy(ret, text, n);
	ret[n] = '\0';
	return 0;
}

int target_parse_place(const char *text, struct target_place *ret)
{
	size_t n = strcspn(text, "/");
	int rc = parse_name("project", text, n, ret->project);

	if (rc < 0)
		return rc;
	ret->has_scope = text[n] == '/';
	if (!ret->has_scope)
		return 0;
	text += n + 1;
	return parse_name("scope", text, strlen(text), ret->scope);
}

int target_parse_scope(const char *text, struct target_place *ret)
{
	int rc = target_parse_place(text, ret);

	if (rc == 0 && !ret->has_scope)
		return failure_usage("\"%s\" names a project; PROJECT/SCOPE is "
				     "needed", text);
	return rc;
}

struct aedb_place target_place(const struct target_place *place)
{
	return (struct aedb_place){
		.project = place->project,
		.scope = place->has_scope ? place->scope : NULL,
	};
}

int target_parse_key(char *text, bool is_hex, struct target_key *ret)
{
	ret->bytes = text;
	ret->n = strlen(text);
	if (is_hex && !text_parse_hex(text, &ret->n))
		return failure_usage("\"%s\" is not made of pairs of "
				     "hexadecimal digits", text);
	return 0;
}

/* Databases. */

/* Whether the command is about the database as a whole. */
static bool is_whole(enum target_access access)
{
	return access == TARGET_MAINTAIN || access == TARGET_INSPECT;
}

/* For one that is mounted, "; it is mounted …"; "" otherwise. */
static void name_mount(const char *path, enum target_access access, char *ret,
		       size_t size)
{
	struct mount mount;
	char *real = realpath(path, NULL);

	*ret = '\0';
	if (real && mount_find_source(real, &mount) > 0) {
		if (is_whole(access))
			snprintf(ret, size, "; it is mounted on %s: 'aedb "
				 "umount' it first", mount.point);
		else
			snprintf(ret, size, "; it is mounted: use paths in %s "
				 "instead", mount.point);
		mount_release(&mount);
	}
	free(real);
}

int target_open_failure(const char *path, enum target_access access, int rc)
{
	char mount[1024];

	if (rc == AEDB_BUSY) {
		char reason[1024];

		/* Reading the table of mounts may fail, with a message. */
		snprintf(reason, sizeof(reason), "%s", aedb_error_message());
		name_mount(path, access, mount, sizeof(mount));
		failure_set(STATUS_BUSY, path, "%s%s", reason, mount);
		return rc;
	}
	if (rc == AEDB_NOT_FOUND) {
		failure_set(STATUS_FAILED, path,
			    "there is no database here ('aedb init' makes one)");
		return rc;
	}
	return failure_engine(rc, "%s", path);
}

int target_check_directory(const char *path)
{
	struct target_path in;
	int rc = target_is_mounted(path);

	if (rc <= 0)
		return rc;
	rc = target_locate(path, &in);
	if (rc < 0)
		return rc;
	rc = failure_set(STATUS_BUSY, path, "it is in the mount of %s: 'aedb "
			 "umount' that first, and name its directory",
			 in.mount.source);
	target_release_path(&in);
	return rc;
}

static void report_findings(const struct target *target)
{
	const char *finding;

	for (size_t i = 0; (finding = aedb_recovery_finding(target->db, i)); i++)
		fprintf(stderr, "aedb: %s: %s\n", target->path, finding);
}

static struct key_file database_key, archive_key;

static int read_key(const char *path, struct key_file *ret)
{
	int rc = key_file_read(path, ret);

	if (rc == AEDB_INVALID)
		return failure_set(STATUS_USAGE, path, KEY_FILE_SIZE_TEXT);
	return rc < 0 ? failure_system(-rc, "%s", path) : 0;
}

int target_read_key_file(const char *path)
{
	return read_key(path, &database_key);
}

int target_read_archive_key(const char *path)
{
	return read_key(path, &archive_key);
}

const void *target_archive_key(size_t *ret_n)
{
	*ret_n = archive_key.n;
	return archive_key.n ? archive_key.bytes : NULL;
}

int target_read_key_fd(const char *number)
{
	char *end;
	unsigned long fd = strtoul(number, &end, 10);
	int rc;

	if (*number < '0' || *number > '9' || *end || fd > INT_MAX)
		return failure_usage("--key-fd: \"%s\" is no descriptor", number);
	rc = key_file_read_from((int)fd, &database_key);
	if (rc == AEDB_INVALID)
		return failure_usage("--key-fd: " KEY_FILE_SIZE_TEXT);
	return rc < 0 ? failure_system(-rc, "descriptor %s", number) : 0;
}

void target_apply_key(struct aedb_options *options)
{
	key_file_apply(&database_key, options);
}

static void set_options(enum target_access access, struct aedb_options *ret)
{
	aedb_options_init(ret);
	if (access != TARGET_MAINTAIN)
		ret->memory_bytes = MEMORY_BYTES;
	else
		ret->maintenance = AEDB_ON_CALL;
	ret->wal_file_bytes = TARGET_WAL_FILE_BYTES;
	ret->log_keep_bytes = TARGET_LOG_KEEP_BYTES;
	if (access == TARGET_LOAD) {
		ret->durability = AEDB_BATCH;
		ret->key_bytes_max = KEY_BYTES_MAX;
		ret->memory_bytes = LOAD_MEMORY_BYTES;
		ret->wal_file_bytes = LOAD_WAL_FILE_BYTES;
	} else if (access != TARGET_WRITE && access != TARGET_MAINTAIN) {
		ret->mode = AEDB_OPEN_READ_ONLY;
	}
	if (access == TARGET_READ_DAMAGED)
		ret->recovery = AEDB_PERMISSIVE;
	target_apply_key(ret);
}

int target_open(const char *path, enum target_access access,
		struct target *ret)
{
	struct target target = { .path = path };
	struct aedb_options options;
	int rc;

	set_options(access, &options);
	rc = aedb_open(path, &options, &target.db);
	if (rc < 0)
		return target_open_failure(path, access, rc);
	if (access == TARGET_READ_DAMAGED)
		report_findings(&target);
	snprintf(target.what, sizeof(target.what), "%s", path);
	*ret = target;
	return 0;
}

int target_open_scope(struct target *target, const struct target_place *place)
{
	struct aedb_entry project;
	int rc;

	target->place = *place;
	rc = aedb_place_stat(target->db, NULL,
			     (struct aedb_place){ place->project, NULL },
			     &project);
	if (rc < 0)
		return failure_engine(rc, "%s: project %s", target->path,
				      place->project);
	aedb_unpin(&project);
	rc = aedb_scope_open(target->db, place->project, place->scope,
			     &target->scope);
	if (rc < 0)
		return failure_engine(rc, "%s: scope %s/%s", target->path,
				      place->project, place->scope);
	snprintf(target->what, sizeof(target->what), "%.200s: %s/%s",
		 target->path, place->project, place->scope);
	return 0;
}

int target_close(struct target *target, int rc)
{
	int close_rc;

	aedb_scope_close(target->scope);
	close_rc = aedb_close(target->db);
	target->scope = NULL;
	target->db = NULL;
	if (rc == 0 && close_rc < 0)
		return failure_engine(close_rc, "%s", target->path);
	return rc;
}

int target_failure(const struct target *target, const struct target_key *key,
		   int rc)
{
	char *quoted = text_quote(key->bytes, key->n);

	failure_engine(rc, "%s: key %s", target->what, quoted ? quoted : "?");
	free(quoted);
	return rc;
}
