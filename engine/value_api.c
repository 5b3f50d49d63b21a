/*
 * Readers and stages of one database: adds the key's version to a value reader,
 * and the size limit to a stage.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "maintenance.h"
#include "read.h"
#include "storage.h"
#include "value_api.h"
#include "value_reader.h"

struct aedb_reader {
	struct value_reader *value;	/* owned */
	struct aedb_entry entry;	/* attr owned */
	bool is_keyless;		/* of aedb_stage_seal */
};

struct aedb_stage {
	struct aedb *db;
	struct stage *stage;		/* owned */
	bool is_keyless;		/* some of it was in a version without key */
};

static int reader_init(struct aedb_reader *reader, struct aedb *db,
		       const struct entry *entry)
{
	struct value_source source = { entry->value, entry->value_bytes, NULL };
	struct value_ref ref;
	void *attr = NULL;
	int rc = 0;

	if (entry->is_ref) {
		rc = value_ref_decode(entry->value, entry->value_bytes, &ref);
		source = (struct value_source){ .ref = &ref };
	}
	if (rc < 0)
		return rc;
	if (entry->attr_bytes) {
		attr = malloc(entry->attr_bytes);
		if (!attr)
			return err_set(AEDB_NO_MEMORY, "no memory for a reader");
		memcpy(attr, entry->attr, entry->attr_bytes);
	}
	rc = value_reader_open(db->values, &source, &reader->value);
	if (rc < 0) {
		free(attr);
		return rc;
	}
	read_entry_fill(entry, &reader->entry);
	reader->entry.key = NULL;
	reader->entry.value = NULL;
	reader->entry.attr = attr;
	reader->is_keyless = false;
	return 0;
}

int aedb_reader_open(struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot, const void *key,
		     size_t key_bytes, struct aedb_reader **ret)
{
	struct epoch *epoch = scope->space.db->epoch;
	struct aedb_reader *reader = malloc(sizeof(*reader));
	struct entry entry;
	int rc;

	if (!reader)
		return err_set(AEDB_NO_MEMORY, "no memory for a reader");
	epoch_enter(epoch);
	rc = read_find_in_scope(scope, snapshot, key, key_bytes, &entry);
	if (rc == 0)
		rc = reader_init(reader, scope->space.db, &entry);
	epoch_leave(epoch);
	if (rc < 0) {
		free(reader);
		return rc;
	}
	*ret = reader;
	return 0;
}

const struct aedb_entry *aedb_reader_entry(const struct aedb_reader *reader)
{
	return &reader->entry;
}

int aedb_reader_read(struct aedb_reader *reader, void *buf, size_t n,
		     uint64_t offset, size_t *ret)
{
	return value_reader_read(reader->value, buf, n, offset, ret);
}

bool aedb_reader_has(const struct aedb_reader *reader, size_t n,
		     uint64_t offset)
{
	return value_reader_has(reader->value, n, offset);
}

int aedb_reader_seek(struct aedb_reader *reader, enum aedb_extent what,
		     uint64_t offset, uint64_t *ret)
{
	return value_reader_seek(reader->value, what, offset, ret);
}

uint64_t aedb_reader_allocated_bytes(const struct aedb_reader *reader)
{
	return value_reader_allocated_bytes(reader->value);
}

void aedb_reader_close(struct aedb_reader *reader)
{
	if (!reader)
		return;
	value_reader_close(reader->value);
	free((void *)reader->entry.attr);
	free(reader);
}

int value_api_stage(struct aedb_stage *stage, struct stage **ret)
{
	if (stage->is_keyless)
		return err_set(AEDB_INVALID,
			       "a commit of a stage over a value without key");
	*ret = stage->stage;
	return 0;
}

int value_api_check_bytes(const struct aedb *db, uint64_t bytes)
{
	uint64_t max = db->options.value_bytes_max;

	if (max && bytes > max)
		return err_set(AEDB_TOO_LARGE,
			       "a value of %" PRIu64 " bytes, at most %" PRIu64
			       " are allowed", bytes, max);
	return 0;
}

int aedb_stage_open(struct aedb *db, const struct aedb_reader *base,
		    struct aedb_stage **ret)
{
	struct value_source source = { 0 };
	struct aedb_stage *stage;
	int rc;

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	stage = malloc(sizeof(*stage));
	if (!stage)
		return err_set(AEDB_NO_MEMORY, "no memory for a stage");
	if (base)
		source = value_reader_source(base->value);
	stage->db = db;
	stage->is_keyless = base && base->is_keyless;
	rc = stage_open(db->values, base ? &source : NULL, &stage->stage);
	if (rc < 0) {
		free(stage);
		return rc;
	}
	*ret = stage;
	return 0;
}

void aedb_stage_close(struct aedb_stage *stage)
{
	if (!stage)
		return;
	stage_close(stage->stage);
	/* what it had stored is garbage, and now nobody holds its file */
	if (room_is_short(&stage->db->room))
		maintenance_note_segments(stage->db);
	free(stage);
}

/* What could not be written may fit once room was looked for. */
static int room_note(struct aedb *db, int rc)
{
	if (rc == AEDB_NO_SPACE)
		maintenance_note_no_space(db);
	return rc;
}

int aedb_stage_write(struct aedb_stage *stage, const void *buf, size_t n,
		     uint64_t offset)
{
	int rc = offset + n < offset ?
			 err_set(AEDB_TOO_LARGE, "a write past 2^64 bytes") :
			 value_api_check_bytes(stage->db, offset + n);

	if (rc == 0)
		rc = storage_check_space(stage->db);
	if (rc == 0)
		rc = stage_write(stage->stage, buf, n, offset);
	return room_note(stage->db, rc);
}

int aedb_stage_read(struct aedb_stage *stage, void *buf, size_t n,
		    uint64_t offset, size_t *ret)
{
	return stage_read(stage->stage, buf, n, offset, ret);
}

int aedb_stage_truncate(struct aedb_stage *stage, uint64_t bytes)
{
	int rc = value_api_check_bytes(stage->db, bytes);

	if (rc == 0)
		rc = stage_truncate(stage->stage, bytes);
	return room_note(stage->db, rc);
}

int aedb_stage_seek(struct aedb_stage *stage, enum aedb_extent what,
		    uint64_t offset, uint64_t *ret)
{
	return stage_seek(stage->stage, what, offset, ret);
}

int aedb_stage_zero(struct aedb_stage *stage, uint64_t offset, uint64_t n)
{
	return room_note(stage->db, stage_zero(stage->stage, offset, n));
}

uint64_t aedb_stage_bytes(const struct aedb_stage *stage)
{
	return stage_bytes(stage->stage);
}

uint64_t aedb_stage_allocated_bytes(const struct aedb_stage *stage)
{
	return stage_allocated_bytes(stage->stage);
}

bool aedb_stage_is_dirty(const struct aedb_stage *stage)
{
	return stage_is_dirty(stage->stage);
}

uint64_t aedb_stage_mark(struct aedb_stage *stage)
{
	return stage_mark(stage->stage);
}

int aedb_stage_rebase(struct aedb_stage *stage, const struct aedb_reader *base,
		      uint64_t mark)
{
	struct value_source source = { 0 };
	int rc;

	if (base)
		source = value_reader_source(base->value);
	rc = stage_rebase(stage->stage, base ? &source : NULL, mark);
	if (rc == 0 && base)
		stage->is_keyless |= base->is_keyless;
	return room_note(stage->db, rc);
}

int aedb_stage_seal(struct aedb_stage *stage, struct aedb_reader **ret)
{
	struct aedb_reader *reader = calloc(1, sizeof(*reader));
	struct value_source source = { 0 };
	struct stage_sealed sealed;
	int rc;

	if (!reader)
		return err_set(AEDB_NO_MEMORY, "no memory for a reader");
	rc = room_note(stage->db, stage_seal(stage->stage, &sealed));
	if (rc == 0) {
		source = (struct value_source){
			sealed.bytes, sealed.n,
			sealed.is_ref ? &sealed.ref : NULL,
		};
		rc = value_reader_open(stage->db->values, &source,
				       &reader->value);
	}
	if (rc < 0) {
		free(reader);
		return rc;
	}
	stage_settle(stage->stage, sealed.mark);
	stage->is_keyless = reader->is_keyless = true;
	reader->entry.value_bytes = value_reader_bytes(reader->value);
	*ret = reader;
	return 0;
}
