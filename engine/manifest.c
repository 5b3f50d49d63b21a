/*
 * Manifests: which is in force, and the state it says.
 *
 * Invariants:
 * 1. CURRENT changes by rename only, after the manifest it names is on the
 *    disk; so at every instant it names a whole manifest.
 * 2. A manifest file is written by one open of the database and never appended
 *    to by a later one.
 * 3. When a database is signed, its manifests are all signed with the same
 *    key; opening it without that key is refused before anything is read from
 *    other files.
 * 4. After a write whose outcome is not known nothing is written any more.
 */
#include "manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "manifest_read.h"
#include "manifest_write.h"

#define NAME_PREFIX "MANIFEST-"
#define NAME_BYTES MANIFEST_FILE_BYTES
#define CURRENT_NEW MANIFEST_CURRENT ".new"

struct manifest {
	struct vfs *vfs;
	struct manifest_key key;
	uint64_t number;		/* of the file CURRENT names; 0: none */
	uint64_t created_us;		/* constant after open, as is db_uuid */
	uint8_t db_uuid[FILE_UUID_BYTES];
	struct manifest_state state;
	struct manifest_writer *writer;	/* owned; NULL: nothing written yet */
	bool has_failed;
	char reason[ERR_MESSAGE_BYTES];	/* of has_failed */
};

static void name_format(uint64_t number, char *ret)
{
	snprintf(ret, NAME_BYTES, NAME_PREFIX "%" PRIu64, number);
}

/* The number in the first n bytes of a name; 0 if it is no manifest's. */
static uint64_t name_number(const char *name, size_t n)
{
	char exact[NAME_BYTES];
	uint64_t number;

	if (n < sizeof(NAME_PREFIX) || n >= NAME_BYTES)
		return 0;
	number = strtoull(name + sizeof(NAME_PREFIX) - 1, NULL, 10);
	name_format(number, exact);
	return strlen(exact) == n && memcmp(exact, name, n) == 0 ? number : 0;
}

/* A file that names a manifest. */
static int current_make(struct vfs *vfs, const char *path, const char *name,
			struct vfs_file **ret)
{
	char text[NAME_BYTES + 1];
	int n = snprintf(text, sizeof(text), "%s\n", name);
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_CREATE, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_truncate(file, 0);
	if (rc == 0)
		rc = vfs_write_all(file, text, (size_t)n, 0);
	if (rc < 0)
		vfs_file_close(file);
	else
		*ret = file;
	return rc;
}

/* Whether a failed call changed CURRENT is not known from the rename on. */
static int current_write(struct vfs *vfs, const char *name)
{
	struct vfs_file *file;
	int rc = current_make(vfs, CURRENT_NEW, name, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_sync(file);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	rc = vfs_rename(vfs, CURRENT_NEW, MANIFEST_CURRENT);
	if (rc == 0)
		rc = vfs_sync_dir(vfs, ".");
	return rc < 0 ? err_set(AEDB_UNKNOWN, "the manifest failed: %s",
				err_message()) : 0;
}

static int current_read(struct vfs *vfs, uint64_t *ret)
{
	char text[NAME_BYTES + 1] = "";
	struct vfs_file *file;
	uint64_t number;
	size_t n;
	int rc = vfs_file_open(vfs, MANIFEST_CURRENT, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = vfs->ops->read(file, text, NAME_BYTES, 0, &n);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	number = n && text[n - 1] == '\n' ? name_number(text, n - 1) : 0;
	if (!number)
		return err_set(AEDB_CORRUPT, "%s does not name a manifest",
			       MANIFEST_CURRENT);
	*ret = number;
	return 0;
}

static int manifest_fail(struct manifest *m, int rc)
{
	m->has_failed = true;
	snprintf(m->reason, sizeof(m->reason), "%s", err_message());
	return rc;
}

/* The state in a file of its own, which is the next one; not synced. */
static int manifest_make_file(const struct manifest *m,
			      const struct manifest_state *state,
			      const char *name, struct manifest_writer **ret)
{
	struct file_header header;
	uint8_t *payload;
	size_t n;
	int rc = file_header_init(&header, FILE_MANIFEST, state->db_uuid,
				  m->number + 1);

	if (rc == 0)
		rc = manifest_state_encode(state, &payload, &n);
	if (rc < 0)
		return rc;
	rc = manifest_writer_create(m->vfs, name, &header, m->key, payload, n,
				    ret);
	free(payload);
	return rc;
}

/* Writes the state into a file of its own and makes it the one in force. */
static int manifest_begin_file(struct manifest *m,
			       const struct manifest_state *state)
{
	char name[NAME_BYTES], old_name[NAME_BYTES];
	struct manifest_writer *writer;
	int rc;

	name_format(m->number + 1, name);
	rc = manifest_make_file(m, state, name, &writer);
	if (rc < 0)
		return rc;
	rc = manifest_writer_sync(writer);
	if (rc == 0)
		rc = vfs_sync_dir(m->vfs, ".");
	if (rc == 0)
		rc = current_write(m->vfs, name);
	if (rc < 0) {
		manifest_writer_close(writer);
		if (rc != AEDB_UNKNOWN)
			vfs_unlink_quietly(m->vfs, name);
		return rc;
	}
	name_format(m->number++, old_name);
	manifest_writer_close(m->writer);
	m->writer = writer;
	/* whether the old one goes does not matter: nothing names it */
	if (m->number > 1)
		vfs_unlink_quietly(m->vfs, old_name);
	return 0;
}

/* Appends to the file; the state it leads to is begun anew if that is too
 * large. */
static int manifest_write(struct manifest *m, const struct manifest_state *next,
			  const uint8_t *payload, size_t n)
{
	bool is_anew = !m->writer || manifest_writer_is_grown(m->writer, n);
	int rc = is_anew ? manifest_begin_file(m, next) :
			   manifest_writer_append(m->writer, payload, n);

	if (rc == AEDB_UNKNOWN)
		return manifest_fail(m, rc);
	/* the edit is durable, whatever becomes of its note */
	if (rc == 0 && !is_anew && manifest_writer_note(m->writer) < 0)
		manifest_fail(m, 0);
	return rc;
}

/* The state an edit leads to, from its encoding. */
static int state_follow(const struct manifest_state *state,
			const uint8_t *payload, size_t n,
			struct manifest_state *ret)
{
	struct manifest_state next;
	int rc = manifest_state_copy(state, &next);

	if (rc < 0)
		return rc;
	rc = manifest_edit_apply(&next, payload, n);
	if (rc == 0)
		rc = manifest_state_check(&next);
	if (rc < 0) {
		manifest_state_release(&next);
		return rc == AEDB_CORRUPT ?
			       err_set(AEDB_INVALID, "an edit that does not fit: %s",
				       err_message()) :
			       rc;
	}
	*ret = next;
	return 0;
}

int manifest_append(struct manifest *m, const struct manifest_edit *edit)
{
	struct manifest_state next;
	uint8_t *payload;
	size_t n;
	int rc;

	if (m->has_failed)
		return err_set(AEDB_IO, "the manifest failed earlier: %s",
			       m->reason);
	rc = manifest_edit_encode(edit, &m->state, &payload, &n);
	if (rc < 0)
		return rc;
	rc = state_follow(&m->state, payload, n, &next);
	if (rc == 0) {
		rc = manifest_write(m, &next, payload, n);
		if (rc < 0) {
			manifest_state_release(&next);
		} else {
			manifest_state_release(&m->state);
			m->state = next;
		}
	}
	free(payload);
	return rc;
}

/* What of the state never changes and may be asked for beside an append. */
static void constants_set(struct manifest *m)
{
	m->created_us = m->state.numbers[MANIFEST_CREATED_US];
	memcpy(m->db_uuid, m->state.db_uuid, sizeof(m->db_uuid));
}

static struct manifest *manifest_new(struct vfs *vfs, struct manifest_key key)
{
	struct manifest *m = calloc(1, sizeof(*m));

	if (m) {
		m->vfs = vfs;
		m->key = key;
	}
	return m;
}

int manifest_create(struct vfs *vfs, const uint8_t *db_uuid,
		    const struct manifest_edit *edit, struct manifest_key key,
		    struct manifest **ret)
{
	struct manifest *m = manifest_new(vfs, key);
	int rc;

	if (!m)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	memcpy(m->state.db_uuid, db_uuid, FILE_UUID_BYTES);
	rc = manifest_append(m, edit);
	if (rc < 0) {
		manifest_close(m);
		return rc;
	}
	constants_set(m);
	*ret = m;
	return 0;
}

int manifest_create_of(struct vfs *vfs, const struct manifest_state *state,
		       struct manifest_key key)
{
	struct manifest m = { .vfs = vfs, .key = key };
	struct manifest_writer *writer;
	struct vfs_file *current;
	char name[NAME_BYTES];
	int rc = manifest_state_check(state);

	name_format(1, name);
	if (rc == 0)
		rc = manifest_make_file(&m, state, name, &writer);
	if (rc < 0)
		return rc;
	manifest_writer_close(writer);
	rc = current_make(vfs, MANIFEST_CURRENT, name, &current);
	if (rc == 0)
		vfs_file_close(current);
	return rc;
}

/* Adds to the message where it was. Codes that name a snapshot's fate mean
 * something to who asks for one, here they are damage. */
static int edit_at(const char *name, const struct manifest_read_edit *edit, int rc)
{
	if (rc == AEDB_EXISTS || rc == AEDB_NOT_FOUND)
		rc = AEDB_CORRUPT;
	return err_set(rc, "%s at byte %" PRIu64 ": edit %" PRIu64 ": %s", name,
		       edit->offset, edit->number, err_message());
}

static int edits_apply(struct manifest_reader *reader, const char *name,
		       struct manifest_state *state)
{
	struct manifest_read_edit edit;
	int rc, applied;

	while ((rc = manifest_reader_next(reader, &edit)) > 0) {
		applied = manifest_edit_apply(state, edit.payload,
					      edit.payload_bytes);
		if (applied < 0)
			return edit_at(name, &edit, applied);
	}
	if (rc < 0)
		return rc;
	rc = manifest_state_check(state);
	return rc < 0 ? err_set(rc, "%s: %s", name, err_message()) : 0;
}

static int manifest_load(struct manifest *m)
{
	struct manifest_reader *reader;
	char name[NAME_BYTES];
	int rc;

	name_format(m->number, name);
	rc = manifest_reader_open(m->vfs, name, m->key, MANIFEST_SIGNED, &reader);
	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s, named by %s, is missing", name,
			       MANIFEST_CURRENT);
	if (rc < 0)
		return rc;
	if (manifest_reader_header(reader)->number != m->number)
		rc = err_set(AEDB_CORRUPT, "%s: its header says number %" PRIu64,
			     name, manifest_reader_header(reader)->number);
	memcpy(m->state.db_uuid, manifest_reader_header(reader)->db_uuid,
	       FILE_UUID_BYTES);
	if (rc == 0)
		rc = edits_apply(reader, name, &m->state);
	manifest_reader_close(reader);
	return rc;
}

int manifest_open(struct vfs *vfs, struct manifest_key key,
		  struct manifest **ret)
{
	struct manifest *m = manifest_new(vfs, key);
	int rc;

	if (!m)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	rc = current_read(vfs, &m->number);
	if (rc == 0)
		rc = manifest_load(m);
	if (rc < 0) {
		manifest_close(m);
		return rc;
	}
	constants_set(m);
	*ret = m;
	return 0;
}

int manifest_finish(struct manifest *m)
{
	if (!m->writer || m->has_failed)
		return 0;
	return manifest_writer_sync(m->writer);
}

void manifest_close(struct manifest *m)
{
	if (!m)
		return;
	manifest_writer_close(m->writer);
	manifest_state_release(&m->state);
	free(m);
}

const struct manifest_state *manifest_state(const struct manifest *m)
{
	return &m->state;
}

const char *manifest_file(const struct manifest *m, char *ret)
{
	name_format(m->number, ret);
	return ret;
}

uint64_t manifest_created_us(const struct manifest *m)
{
	return m->created_us;
}

const uint8_t *manifest_db_uuid(const struct manifest *m)
{
	return m->db_uuid;
}

int manifest_sweep(struct manifest *m)
{
	char **names;
	size_t n;
	int rc = m->vfs->ops->list(m->vfs, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		uint64_t number = name_number(names[i], strlen(names[i]));

		if ((number && number != m->number) ||
		    strcmp(names[i], CURRENT_NEW) == 0)
			rc = vfs_unlink(m->vfs, names[i]);
	}
	vfs_free_names(names, n);
	return rc;
}

int manifest_file_show(FILE *out, struct vfs *vfs, const char *path)
{
	struct manifest_key no_key = { NULL, 0 };
	const struct file_header *header;
	struct manifest_read_edit edit;
	struct manifest_reader *reader;
	int rc = manifest_reader_open(vfs, path, no_key, MANIFEST_ANY, &reader);

	if (rc < 0)
		return rc;
	header = manifest_reader_header(reader);
	file_header_show(out, header);
	fprintf(out, "signed: %s\nknown durable: %" PRIu64 " edits\n",
		manifest_header_is_signed(header) ? "yes" : "no",
		manifest_reader_durable(reader));
	while ((rc = manifest_reader_next(reader, &edit)) > 0) {
		fprintf(out, "edit %" PRIu64 " at byte %" PRIu64 ":\n",
			edit.number, edit.offset);
		manifest_edit_show(edit.payload, edit.payload_bytes, out);
	}
	if (rc < 0)
		fprintf(out, "%s\n", err_message());
	manifest_reader_close(reader);
	return 0;
}
