/*
 * Manifests: what is appended is read back, nothing else is believed, a power
 * cut leaves the state before or after, and damage does not look like one.
 */
#include "../simdisk.h"
#include "err.h"
#include "manifest.h"
#include "segment_infos.h"

#define EDITS_OFFSET ((size_t)MANIFEST_EDITS_OFFSET)

static const struct manifest_key no_key = { NULL, 0 };
static const struct manifest_key key = { "0123456789abcdef", 16 };
static const struct manifest_key keys[2] = { { NULL, 0 },
					     { "0123456789abcdef", 16 } };
static uint8_t uuid[FILE_UUID_BYTES] = { 0x77, 0x66 };

static struct manifest_edit edit_of_new(void)
{
	struct manifest_edit edit = { .set = 0 };

	manifest_edit_set(&edit, MANIFEST_CREATED_US, 1234567);
	manifest_edit_set(&edit, MANIFEST_WAL_FIRST, 1);
	return edit;
}

static int create(struct simdisk *disk, struct manifest_key with,
		  struct manifest **ret)
{
	struct manifest_edit edit = edit_of_new();

	return manifest_create(simdisk_vfs(disk), uuid, &edit, with, ret);
}

static struct simdisk *disk_with(struct manifest_key with)
{
	struct simdisk *disk = simdisk_new(1);
	struct manifest *m;

	CHECK_OK(create(disk, with, &m));
	manifest_close(m);
	return disk;
}

static int open_code(struct simdisk *disk, struct manifest_key with)
{
	struct manifest *m;
	int rc = manifest_open(simdisk_vfs(disk), with, &m);

	if (rc == 0)
		manifest_close(m);
	return rc;
}

static int append_number(struct manifest *m, enum manifest_number which,
			 uint64_t value)
{
	struct manifest_edit edit = { .set = 0 };

	manifest_edit_set(&edit, which, value);
	return manifest_append(m, &edit);
}

/* Numbers that segments 1 to 1,000 and value files up to 9,999 fit to. */
static int append_room(struct manifest *m)
{
	struct manifest_edit edit = { .set = 0 };

	manifest_edit_set(&edit, MANIFEST_CHECKPOINT_SEQ, 100000);
	manifest_edit_set(&edit, MANIFEST_NEXT_SEQ, 100001);
	manifest_edit_set(&edit, MANIFEST_SEGMENT_NEXT, 1001);
	manifest_edit_set(&edit, MANIFEST_VALUE_NEXT, 10000);
	return manifest_append(m, &edit);
}

static void state_check(const struct manifest_state *got,
			const struct manifest_state *want)
{
	CHECK_MEM(got->db_uuid, want->db_uuid, FILE_UUID_BYTES);
	for (int i = 0; i < MANIFEST_NUMBERS; i++)
		CHECK_THAT(got->numbers[i] == want->numbers[i],
			   "%s: got %" PRIu64 ", want %" PRIu64,
			   manifest_number_name(i), got->numbers[i],
			   want->numbers[i]);
	if (manifest_log_is_closed(want)) {
		CHECK_EQ(got->wal_end.lsn, want->wal_end.lsn);
		CHECK_MEM(got->wal_end.digest, want->wal_end.digest,
			  WAL_DIGEST_BYTES);
	}
	CHECK_EQ(got->n_segments, want->n_segments);
	for (size_t i = 0; i < want->n_segments; i++)
		segment_info_check(got->segments[i], want->segments[i]);
	CHECK_EQ(got->n_snapshots, want->n_snapshots);
	for (size_t i = 0; i < want->n_snapshots; i++) {
		CHECK_STR(got->snapshots[i].name, want->snapshots[i].name);
		CHECK_EQ(got->snapshots[i].seq, want->snapshots[i].seq);
		CHECK_EQ(got->snapshots[i].time_us, want->snapshots[i].time_us);
	}
}

static void disk_check(struct simdisk *disk, struct manifest_key with,
		       const struct manifest_state *want)
{
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), with, &m));
	state_check(manifest_state(m), want);
	manifest_close(m);
}

static void names_check(struct simdisk *disk, const char *manifest)
{
	struct vfs *vfs = simdisk_vfs(disk);
	char **names;
	size_t n;

	CHECK_OK(vfs->ops->list(vfs, ".", &names, &n));
	CHECK_EQ(n, 2);
	CHECK_STR(names[0], MANIFEST_CURRENT);
	CHECK_STR(names[1], manifest);
	vfs_free_names(names, n);
}

/* Some edit: of segments, numbers, snapshots. */
static int random_append(struct manifest *m)
{
	static struct segment_share share;
	const struct manifest_state *state = manifest_state(m);
	struct manifest_snapshot snapshot = { .seq = check_random() % 1000,
					      .time_us = check_random() % 1000 };
	struct segment_info added[3];
	char first[3][16], last[3][16];
	struct manifest_edit edit = { .added = added };
	file_id_t removed[3];

	edit.removed = removed;
	for (size_t i = 0; i < state->n_segments && edit.n_removed < 3; i++)
		if (check_random() % 8 == 0)
			removed[edit.n_removed++] = state->segments[i]->number;
	for (size_t i = check_random() % 4; i-- > 0; edit.n_added++) {
		file_id_t number = 1 + check_random() % 1000;
		bool is_twice = manifest_find_segment(state, number);

		for (size_t k = 0; k < edit.n_added; k++)
			is_twice |= added[k].number == number;
		if (is_twice)
			break;
		snprintf(first[i], sizeof(first[i]), "k%05d", (int)number);
		snprintf(last[i], sizeof(last[i]), "k%05dz", (int)number);
		added[edit.n_added] = segment_info_of(number, check_random() % 7,
						      first[i], last[i]);
		share.file = number * 7;
		share.bytes = number;
		if (i == 0) {
			added[edit.n_added].shares = &share;
			added[edit.n_added].n_shares = 1;
		}
	}
	snprintf(snapshot.name, sizeof(snapshot.name), "snap%d",
		 (int)(check_random() % 10));
	if (manifest_find_snapshot(state, snapshot.name))
		edit.snapshot_removed = snapshot.name;
	if (!edit.snapshot_removed || check_random() % 2)
		edit.snapshot_added = &snapshot;
	manifest_edit_set(&edit, MANIFEST_KEY_COUNT, check_random() % 1000);
	if (check_random() % 4 == 0)
		manifest_edit_set(&edit, MANIFEST_LAST_TIME_US,
				  check_random() % 1000);
	return manifest_append(m, &edit);
}

TEST(appended, "what many edits lead to is read back, over many opens and files, signed or not")
{
	for (int i = 0; i < 2; i++) {
		struct simdisk *disk = disk_with(keys[i]);
		struct manifest_state want;
		struct manifest *m;
		char name[32];

		for (int open = 0; open < 10; open++) {
			CHECK_OK(manifest_open(simdisk_vfs(disk), keys[i], &m));
			CHECK_OK(append_room(m));
			for (uint64_t n = check_random() % 30; n; n--)
				CHECK_OK(random_append(m));
			CHECK_OK(manifest_state_copy(manifest_state(m), &want));
			manifest_close(m);
			disk_check(disk, keys[i], &want);
			snprintf(name, sizeof(name), "MANIFEST-%d", open + 2);
			names_check(disk, name);
			manifest_state_release(&want);
		}
		simdisk_free(disk);
	}
}

TEST(grown, "a file that has become several times its state is begun anew")
{
	struct simdisk *disk = disk_with(no_key);
	struct vfs *vfs = simdisk_vfs(disk);
	struct manifest_state want;
	struct manifest *m;

	CHECK_OK(manifest_open(vfs, no_key, &m));
	CHECK_OK(append_room(m));
	/* an edit is 32 bytes, and a file is begun anew behind a MiB */
	for (uint64_t i = 1; i <= 80000; i++)
		CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, i));
	CHECK_OK(manifest_state_copy(manifest_state(m), &want));
	manifest_close(m);
	names_check(disk, "MANIFEST-4");
	CHECK(simdisk_used_bytes(disk) < (2u << 20));
	disk_check(disk, no_key, &want);
	manifest_state_release(&want);
	simdisk_free(disk);
}

TEST(numbers, "numbers that only grow keep the higher value, others fall")
{
	struct simdisk *disk = disk_with(no_key);
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &m));
	CHECK_OK(append_number(m, MANIFEST_SEGMENT_NEXT, 10));
	CHECK_OK(append_number(m, MANIFEST_SEGMENT_NEXT, 9));
	CHECK_EQ(manifest_state(m)->numbers[MANIFEST_SEGMENT_NEXT], 10);
	CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, 10));
	CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, 9));
	CHECK_EQ(manifest_state(m)->numbers[MANIFEST_KEY_COUNT], 9);
	CHECK_EQ(manifest_created_us(m), 1234567);
	manifest_close(m);
	simdisk_free(disk);
}

TEST(log_closed, "a log that was closed is known to be, until there is a file of it again")
{
	struct simdisk *disk = disk_with(key);
	struct manifest_edit edit = { .set = 0 };
	struct wal_end end = { .lsn = 4096 };
	const struct manifest_state *state;
	struct manifest *m;

	memset(end.digest, 0x5a, sizeof(end.digest));
	CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
	CHECK(!manifest_log_is_closed(manifest_state(m)));
	manifest_edit_close_log(&edit, 7, &end);
	CHECK_OK(manifest_append(m, &edit));
	manifest_close(m);
	for (int open = 0; open < 2; open++) {
		CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
		state = manifest_state(m);
		CHECK(manifest_log_is_closed(state));
		CHECK_EQ(state->numbers[MANIFEST_WAL_FIRST], 8);
		CHECK_EQ(state->wal_end.lsn, 4096);
		CHECK_MEM(state->wal_end.digest, end.digest, sizeof(end.digest));
		CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, 5));
		manifest_close(m);
	}
	CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
	CHECK_OK(append_number(m, MANIFEST_WAL_FIRST, 9));
	CHECK(!manifest_log_is_closed(manifest_state(m)));
	CHECK_EQ(manifest_state(m)->numbers[MANIFEST_WAL_NEWEST], 9);
	end.lsn = 4;
	manifest_edit_close_log(&edit, 9, &end);
	CHECK_EQ(manifest_append(m, &edit), AEDB_INVALID);
	manifest_close(m);
	simdisk_free(disk);
}

TEST(snapshots, "names of snapshots are added, removed, renamed, and kept apart")
{
	struct simdisk *disk = disk_with(no_key);
	struct manifest_snapshot a = { .name = "a", .seq = 5, .time_us = 6 };
	struct manifest_snapshot b = { .name = "b.c@d", .seq = 5, .time_us = 6 };
	struct manifest_snapshot bad = { .name = "@5" };
	struct manifest_edit add_a = { .snapshot_added = &a };
	struct manifest_edit rename = { .snapshot_removed = "a",
					.snapshot_added = &b };
	struct manifest_edit add_bad = { .snapshot_added = &bad };
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &m));
	CHECK_OK(manifest_append(m, &add_a));
	CHECK_EQ(manifest_append(m, &add_a), AEDB_EXISTS);
	CHECK_OK(manifest_append(m, &rename));
	CHECK_EQ(manifest_append(m, &rename), AEDB_NOT_FOUND);
	CHECK_EQ(manifest_append(m, &add_bad), AEDB_INVALID);
	memset(bad.name, 'x', sizeof(bad.name));
	CHECK_EQ(manifest_append(m, &add_bad), AEDB_INVALID);
	CHECK_EQ(manifest_state(m)->n_snapshots, 1);
	CHECK(!manifest_find_snapshot(manifest_state(m), "a"));
	CHECK_EQ(manifest_find_snapshot(manifest_state(m), "b.c@d")->seq, 5);
	manifest_close(m);
	simdisk_free(disk);
}

TEST(names, "a snapshot's name is 1 to 128 letters, digits, _ and -, then . and @, too")
{
	static const char *const good[] = { "a", "-", "_.@", "Az09", "1..", "x@1" };
	static const char *const bad[] = { "", ".", "..", ".x", "@x", "a/b", "a b",
					   "a\n", "ä" };
	char longest[MANIFEST_NAME_BYTES_MAX + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK_THAT(manifest_name_is_valid(good[i], strlen(good[i])), "\"%s\"",
			   good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_THAT(!manifest_name_is_valid(bad[i], strlen(bad[i])), "\"%s\"",
			   bad[i]);
	memset(longest, 'x', sizeof(longest));
	CHECK(manifest_name_is_valid(longest, sizeof(longest) - 2));
	CHECK(!manifest_name_is_valid(longest, sizeof(longest) - 1));
	CHECK(!manifest_name_is_valid("a\0b", 3));
}

TEST(unfit, "an edit that does not fit the state is refused and leaves all as it was")
{
	struct simdisk *disk = disk_with(no_key);
	struct segment_share share = { 20000, 1 };
	struct segment_info have[2] = { segment_info_of(1, 1, "d", "f"),
					segment_info_of(2, 0, "a", "z") };
	struct segment_info bad[6];
	struct manifest_edit edit = { .added = have, .n_added = 2 };
	file_id_t removed = 3;
	struct manifest_state want;
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &m));
	CHECK_OK(append_room(m));
	CHECK_OK(manifest_append(m, &edit));
	CHECK_OK(manifest_state_copy(manifest_state(m), &want));
	bad[0] = have[0];				/* there already */
	bad[1] = segment_info_of(3, 1, "f", "g");	/* overlap in level 1 */
	bad[2] = segment_info_of(3, 1, "a", "d");
	bad[3] = segment_info_of(1001, 0, "a", "b");	/* number not given */
	bad[4] = segment_info_of(3, 0, "a", "b");
	bad[4].seq_max = 100001;			/* above the checkpoint */
	bad[5] = segment_info_of(3, 0, "a", "b");
	bad[5].shares = &share;				/* file not given */
	bad[5].n_shares = 1;
	edit.n_added = 1;
	for (int i = 0; i < 6; i++) {
		edit.added = &bad[i];
		CHECK_THAT(manifest_append(m, &edit) == AEDB_INVALID, "number %d", i);
	}
	edit = (struct manifest_edit){ .removed = &removed, .n_removed = 1 };
	CHECK_EQ(manifest_append(m, &edit), AEDB_INVALID);
	state_check(manifest_state(m), &want);
	manifest_close(m);
	disk_check(disk, no_key, &want);
	manifest_state_release(&want);
	simdisk_free(disk);
}

TEST(moved, "a segment goes to another level in one edit")
{
	struct simdisk *disk = disk_with(no_key);
	struct segment_info info = segment_info_of(5, 0, "d", "f");
	struct manifest_edit edit = { .added = &info, .n_added = 1 };
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &m));
	CHECK_OK(append_room(m));
	CHECK_OK(manifest_append(m, &edit));
	info.level = 1;
	edit.removed = &info.number;
	edit.n_removed = 1;
	CHECK_OK(manifest_append(m, &edit));
	CHECK_EQ(manifest_state(m)->n_segments, 1);
	CHECK_EQ(manifest_find_segment(manifest_state(m), 5)->level, 1);
	manifest_close(m);
	simdisk_free(disk);
}

TEST(none, "no CURRENT is no database")
{
	struct simdisk *disk = simdisk_new(1);

	CHECK_EQ(open_code(disk, no_key), AEDB_NOT_FOUND);
	simdisk_free(disk);
}

static void file_set(struct simdisk *disk, const char *path, const void *bytes,
		     size_t n)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_CREATE, &file));
	CHECK_OK(vfs_file_truncate(file, 0));
	CHECK_OK(vfs_write_all(file, bytes, n, 0));
	vfs_file_close(file);
}

/* Owned: free. */
static uint8_t *file_get(struct simdisk *disk, const char *path, size_t *ret_n)
{
	struct vfs *vfs = simdisk_vfs(disk);
	struct vfs_file *file;
	uint64_t size = 0;
	uint8_t *bytes;

	CHECK_OK(vfs_file_open(vfs, path, VFS_READ, &file));
	CHECK_OK(vfs_file_size(file, &size));
	bytes = malloc(size + 1);
	CHECK_OK(vfs_read_exact(file, bytes, size, 0));
	vfs_file_close(file);
	*ret_n = size;
	return bytes;
}

TEST(current, "a CURRENT that does not name a manifest that is there is damage")
{
	static const char *const bad[] = {
		"", "\n", "MANIFEST-1", "MANIFEST-01\n", "MANIFEST-2\n",
		"MANIFEST-1\n\n", "../MANIFEST-1\n", "MANIFEST-\n",
		"MANIFEST-000000000000000000000001\n",
	};
	struct simdisk *disk = disk_with(no_key);
	uint8_t *bytes;
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		file_set(disk, MANIFEST_CURRENT, bad[i], strlen(bad[i]));
		CHECK_THAT(open_code(disk, no_key) == AEDB_CORRUPT, "\"%s\"",
			   bad[i]);
	}
	bytes = file_get(disk, "MANIFEST-1", &n);
	file_set(disk, "MANIFEST-2", bytes, n);
	free(bytes);
	file_set(disk, MANIFEST_CURRENT, "MANIFEST-2\n", 11);
	CHECK_EQ(open_code(disk, no_key), AEDB_CORRUPT);
	file_set(disk, MANIFEST_CURRENT, "MANIFEST-1\n", 11);
	CHECK_OK(open_code(disk, no_key));
	simdisk_free(disk);
}

/* A manifest of several edits, MANIFEST-2, whose last one is noted. */
static struct simdisk *disk_of_edits(struct manifest_key with,
				     struct manifest_state *ret)
{
	struct simdisk *disk = disk_with(with);
	struct segment_info info = segment_info_of(5, 0, "d", "f");
	struct manifest_snapshot a = { .name = "a", .seq = 5, .time_us = 6 };
	struct manifest_edit edit = { .added = &info, .n_added = 1 };
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), with, &m));
	CHECK_OK(append_room(m));
	CHECK_OK(manifest_append(m, &edit));
	edit = (struct manifest_edit){ .snapshot_added = &a };
	CHECK_OK(manifest_append(m, &edit));
	CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, 77));
	CHECK_OK(manifest_state_copy(manifest_state(m), ret));
	CHECK_OK(manifest_finish(m));
	manifest_close(m);
	return disk;
}

/* Where edit number i begins, and where the last ends. */
static size_t edit_at(const uint8_t *bytes, unsigned i, bool is_signed)
{
	size_t at = EDITS_OFFSET;

	while (--i) {
		at += MANIFEST_RECORD_HEADER_BYTES + bytes_load_le32(bytes + at + 4) +
		      (is_signed ? MANIFEST_TAG_BYTES : 0);
		at = (at + 7) & ~(size_t)7;
	}
	return at;
}

/* Every byte that means anything changed, every length cut: found, or without
 * any effect. */
static void damage_check(struct manifest_key with)
{
	struct manifest_state want;
	struct simdisk *disk = disk_of_edits(with, &want);
	unsigned refused = 0;
	size_t n, end;
	uint8_t *bytes = file_get(disk, "MANIFEST-2", &n);

	end = edit_at(bytes, 5, with.bytes);
	CHECK(end < n);
	for (size_t i = 0; i < end; i++) {
		if (i == FILE_HEADER_BYTES)
			i = FILE_DATA_OFFSET;	/* nobody reads between */
		bytes[i] ^= 0x10;
		file_set(disk, "MANIFEST-2", bytes, n);
		bytes[i] ^= 0x10;
		if (open_code(disk, with) == 0)
			disk_check(disk, with, &want);
		else
			refused++;
	}
	/* notes are two, and padding is none of an edit's bytes */
	CHECK(refused >= FILE_HEADER_BYTES + end - EDITS_OFFSET - 4 * 7);
	for (size_t cut = 0; cut < end; cut++) {
		file_set(disk, "MANIFEST-2", bytes, cut);
		if (open_code(disk, with) != AEDB_CORRUPT) {
			CHECK_THAT(cut > end - 8, "%zu of %zu bytes", cut, end);
			disk_check(disk, with, &want);
		}
	}
	file_set(disk, "MANIFEST-2", bytes, end);
	disk_check(disk, with, &want);
	free(bytes);
	manifest_state_release(&want);
	simdisk_free(disk);
}

TEST(damage, "a changed byte or a missing end is found or has no effect, signed or not")
{
	damage_check(no_key);
	damage_check(key);
}

TEST(missing_edits, "edits that were durable and are gone are damage, whole as the rest is")
{
	for (int i = 0; i < 2; i++) {
		struct manifest_state want;
		struct simdisk *disk = disk_of_edits(keys[i], &want);
		size_t n;
		uint8_t *bytes = file_get(disk, "MANIFEST-2", &n);

		for (unsigned edit = 1; edit <= 4; edit++) {
			size_t at = edit_at(bytes, edit, i);

			file_set(disk, "MANIFEST-2", bytes, at);
			CHECK_EQ(open_code(disk, keys[i]), AEDB_CORRUPT);
			memset(bytes + at, 0, edit_at(bytes, edit + 1, i) - at);
			file_set(disk, "MANIFEST-2", bytes, n);
			CHECK_EQ(open_code(disk, keys[i]), AEDB_CORRUPT);
			free(bytes);
			manifest_state_release(&want);
			simdisk_free(disk);
			disk = disk_of_edits(keys[i], &want);
			bytes = file_get(disk, "MANIFEST-2", &n);
		}
		free(bytes);
		manifest_state_release(&want);
		simdisk_free(disk);
	}
}

TEST(notes, "without a note the last edit may be torn, an earlier one not")
{
	struct manifest_state want;
	struct simdisk *disk = disk_of_edits(key, &want);
	size_t n, last;
	uint8_t *bytes = file_get(disk, "MANIFEST-2", &n);
	static const uint8_t zeros[FILE_DATA_OFFSET];

	last = edit_at(bytes, 4, true);
	memcpy(bytes + MANIFEST_NOTE_OFFSET(0), zeros, sizeof(zeros));
	file_set(disk, "MANIFEST-2", bytes, n);
	disk_check(disk, key, &want);
	want.numbers[MANIFEST_KEY_COUNT] = 0;
	bytes[last + 20] ^= 1;
	file_set(disk, "MANIFEST-2", bytes, n);
	disk_check(disk, key, &want);
	file_set(disk, "MANIFEST-2", bytes, last + 20);
	disk_check(disk, key, &want);
	bytes[last + 20] ^= 1;
	bytes[last - 20] ^= 1;
	file_set(disk, "MANIFEST-2", bytes, n);
	CHECK_EQ(open_code(disk, key), AEDB_CORRUPT);
	bytes[last - 20] ^= 1;
	memcpy(bytes + MANIFEST_NOTE_OFFSET(1), zeros, sizeof(zeros));
	file_set(disk, "MANIFEST-2", bytes, n);
	CHECK_EQ(open_code(disk, key), AEDB_CORRUPT);
	free(bytes);
	manifest_state_release(&want);
	simdisk_free(disk);
}

/* Changes a byte of an edit's payload, and seals it again as who has no key
 * can. */
static void forge(struct simdisk *disk, const char *path, unsigned edit,
		  size_t offset, uint8_t byte)
{
	struct manifest_sealer sealer;
	struct file_header header;
	size_t n, at, payload_bytes;
	uint8_t *bytes = file_get(disk, path, &n);

	CHECK_OK(file_header_decode(bytes, n, path, &header));
	CHECK_OK(manifest_sealer_init(&sealer, &header, no_key));
	at = edit_at(bytes, edit, manifest_header_is_signed(&header));
	bytes[at + MANIFEST_RECORD_HEADER_BYTES + offset] = byte;
	payload_bytes = manifest_record_payload_bytes(bytes + at);
	CHECK_OK(manifest_record_seal(&sealer, at, edit, bytes + at,
				      payload_bytes));
	file_set(disk, path, bytes, n);
	manifest_sealer_release(&sealer);
	free(bytes);
}

TEST(forged, "an edit that was not signed with the key is refused, wherever it stands")
{
	static const struct manifest_key other = { "0123456789abcdeg", 16 };
	struct manifest_state want;
	struct simdisk *disk;

	for (unsigned edit = 1; edit <= 4; edit++) {
		disk = disk_of_edits(key, &want);
		manifest_state_release(&want);
		CHECK_EQ(open_code(disk, other), AEDB_ACCESS);
		CHECK_EQ(open_code(disk, no_key), AEDB_ACCESS);
		CHECK_OK(open_code(disk, key));
		forge(disk, "MANIFEST-2", edit, 2, 99);
		CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
		simdisk_free(disk);
	}
	disk = disk_with(no_key);
	forge(disk, "MANIFEST-1", 1, 2, 99);
	CHECK_OK(open_code(disk, no_key));
	CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
	simdisk_free(disk);
}

TEST(left_out, "of a signed manifest no edit can be left out, put in or taken from another")
{
	struct manifest_state want;
	struct simdisk *disk = disk_of_edits(key, &want), *other;
	struct manifest_sealer sealer;
	struct file_header header;
	size_t n, other_n, at, next;
	uint8_t *bytes = file_get(disk, "MANIFEST-2", &n), *from;

	manifest_state_release(&want);
	CHECK_OK(file_header_decode(bytes, n, "MANIFEST-2", &header));
	CHECK_OK(manifest_sealer_init(&sealer, &header, no_key));
	/* the third becomes the second, sealed for its new place */
	at = edit_at(bytes, 2, true);
	next = edit_at(bytes, 3, true);
	memmove(bytes + at, bytes + next, n - next);
	bytes_store_le64(bytes + at + 8, 2);
	CHECK_OK(manifest_record_seal(&sealer, at, 2, bytes + at,
				      manifest_record_payload_bytes(bytes + at)));
	file_set(disk, "MANIFEST-2", bytes, n);
	CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
	free(bytes);
	/* the same edits of another database */
	bytes = file_get(disk, "MANIFEST-2", &n);
	other = disk_of_edits(key, &want);
	manifest_state_release(&want);
	from = file_get(other, "MANIFEST-2", &other_n);
	memcpy(bytes + EDITS_OFFSET, from + EDITS_OFFSET, other_n - EDITS_OFFSET);
	CHECK_OK(manifest_record_seal(&sealer, EDITS_OFFSET, 1,
				      bytes + EDITS_OFFSET,
				      manifest_record_payload_bytes(
					      bytes + EDITS_OFFSET)));
	file_set(disk, "MANIFEST-2", bytes, n);
	CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
	manifest_sealer_release(&sealer);
	free(bytes);
	free(from);
	simdisk_free(other);
	simdisk_free(disk);
}

TEST(unknown_field, "a field that is not known is a newer format, a malformed one damage")
{
	struct simdisk *disk = disk_with(no_key);

	forge(disk, "MANIFEST-1", 1, 0, 77);
	CHECK_EQ(open_code(disk, no_key), AEDB_NEWER_FORMAT);
	forge(disk, "MANIFEST-1", 1, 0, 1);
	forge(disk, "MANIFEST-1", 1, 1, 7);
	CHECK_EQ(open_code(disk, no_key), AEDB_CORRUPT);
	forge(disk, "MANIFEST-1", 1, 1, 127);
	CHECK_EQ(open_code(disk, no_key), AEDB_CORRUPT);
	forge(disk, "MANIFEST-1", 1, 1, 8);
	CHECK_OK(open_code(disk, no_key));
	simdisk_free(disk);
}

TEST(sweep, "manifests that a crash left are removed, the one in force is not")
{
	struct simdisk *disk = disk_with(no_key);
	struct manifest *m;

	file_set(disk, "MANIFEST-7", "x", 1);
	file_set(disk, MANIFEST_CURRENT ".new", "x", 1);
	file_set(disk, "MANIFEST-07", "x", 1);
	CHECK_OK(manifest_open(simdisk_vfs(disk), no_key, &m));
	CHECK_OK(manifest_sweep(m));
	CHECK_OK(vfs_unlink(simdisk_vfs(disk), "MANIFEST-07"));
	names_check(disk, "MANIFEST-1");
	manifest_close(m);
	simdisk_free(disk);
}

/* An open that records `to` keys, one edit each, from `from` on; the count is
 * what was recorded for sure. */
static int live(struct simdisk *disk, uint64_t from, uint64_t to, uint64_t *ret)
{
	struct manifest *m;
	int rc = manifest_open(simdisk_vfs(disk), key, &m);

	*ret = from;
	if (rc < 0)
		return rc;
	for (uint64_t i = from + 1; i <= to && rc == 0; i++) {
		rc = append_number(m, MANIFEST_KEY_COUNT, i);
		if (rc == 0)
			*ret = i;
	}
	if (rc == 0)
		rc = manifest_finish(m);
	manifest_close(m);
	return rc;
}

static uint64_t count_found(struct simdisk *disk)
{
	uint64_t count;
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
	count = manifest_state(m)->numbers[MANIFEST_KEY_COUNT];
	manifest_close(m);
	return count;
}

/* Cuts the power in call number `call` of an open with some edits; false once
 * it is beyond the last. */
static bool cut_in(uint64_t call, enum simdisk_crash_mode mode)
{
	struct simdisk *disk = disk_with(key);
	uint64_t sure, found;
	bool was_cut;
	int rc;

	simdisk_cut_at(disk, simdisk_calls(disk) + call);
	rc = live(disk, 0, 5, &sure);
	was_cut = simdisk_is_cut(disk);
	CHECK(was_cut || rc == 0);
	simdisk_crash(disk, check_random(), mode);
	found = count_found(disk);
	CHECK_THAT(found == sure || found == sure + 1,
		   "call %" PRIu64 ": %" PRIu64 ", recorded %" PRIu64, call, found,
		   sure);
	/* and it can be gone on with */
	CHECK_OK(live(disk, found, found + 3, &sure));
	CHECK_EQ(count_found(disk), found + 3);
	simdisk_free(disk);
	return was_cut;
}

TEST(cuts, "a power cut in any call leaves the state before or after")
{
	for (int round = 0; round < 10; round++)
		for (int mode = SIMDISK_DROP_ALL; mode <= SIMDISK_KILL; mode++)
			for (uint64_t call = 1; cut_in(call, mode); call++)
				continue;
}

static bool create_cut(uint64_t call, enum simdisk_crash_mode mode)
{
	struct simdisk *disk = simdisk_new(call);
	struct manifest *m = NULL;
	bool was_cut;
	int rc, found;

	simdisk_cut_at(disk, call);
	rc = create(disk, key, &m);
	manifest_close(m);
	was_cut = simdisk_is_cut(disk);
	simdisk_crash(disk, call, mode);
	found = open_code(disk, key);
	CHECK(found == 0 || (rc < 0 && found == AEDB_NOT_FOUND));
	if (found < 0) {
		CHECK_OK(create(disk, key, &m));
		manifest_close(m);
	}
	simdisk_free(disk);
	return was_cut;
}

TEST(created_cut, "a power cut while the first is made leaves it or no database yet")
{
	for (int mode = SIMDISK_DROP_ALL; mode <= SIMDISK_KILL; mode++)
		for (uint64_t call = 1; create_cut(call, mode); call++)
			continue;
}

/* One failing call; false once it is beyond the last. */
static bool fail_in(uint64_t call, enum simdisk_fault kind)
{
	struct simdisk *disk = disk_with(key);
	uint64_t sure = 0, failing;
	bool is_unknown = false, is_over;
	struct manifest *m;
	int rc;

	CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
	failing = simdisk_calls(disk) + call;
	simdisk_fail_at(disk, failing, kind);
	for (uint64_t i = 1; i <= 5; i++) {
		rc = append_number(m, MANIFEST_KEY_COUNT, i);
		CHECK(rc == 0 || rc == AEDB_UNKNOWN || rc == AEDB_IO ||
		      (rc == AEDB_NO_SPACE && kind == SIMDISK_ENOSPC));
		CHECK(!is_unknown || rc == AEDB_IO);
		is_unknown |= rc == AEDB_UNKNOWN;
		sure = rc == 0 ? i : sure;
		CHECK_EQ(manifest_state(m)->numbers[MANIFEST_KEY_COUNT], sure);
	}
	is_over = simdisk_calls(disk) < failing;
	manifest_close(m);
	simdisk_crash(disk, call, SIMDISK_RANDOM);
	CHECK(count_found(disk) == sure ||
	      (is_unknown && count_found(disk) == sure + 1));
	simdisk_free(disk);
	return !is_over;
}

TEST(failures, "after any failing call what was recorded is there, and what was not is told so")
{
	for (int kind = SIMDISK_EIO; kind <= SIMDISK_ENOSPC; kind++)
		for (uint64_t call = 1; fail_in(call, kind); call++)
			continue;
}

TEST(full_disk, "a full disk refuses an edit, and the next goes on when there is room")
{
	struct simdisk *disk = disk_with(key);
	struct manifest *m;
	uint64_t i, refused_at;

	CHECK_OK(manifest_open(simdisk_vfs(disk), key, &m));
	CHECK_OK(append_room(m));
	simdisk_limit_bytes(disk, simdisk_used_bytes(disk) + 4096);
	for (i = 1; append_number(m, MANIFEST_KEY_COUNT, i) == 0; i++)
		CHECK(i < 10000);
	refused_at = i;
	CHECK_EQ(append_number(m, MANIFEST_KEY_COUNT, i), AEDB_NO_SPACE);
	CHECK_EQ(manifest_state(m)->numbers[MANIFEST_KEY_COUNT], i - 1);
	simdisk_limit_bytes(disk, 0);
	for (; i < refused_at + 10; i++)
		CHECK_OK(append_number(m, MANIFEST_KEY_COUNT, i));
	manifest_close(m);
	CHECK_EQ(count_found(disk), i - 1);
	simdisk_free(disk);
}

TEST(shown, "a manifest is shown edit by edit, a signed one too, and a damaged one as such")
{
	for (int i = 0; i < 2; i++) {
		struct manifest_state want;
		struct simdisk *disk = disk_of_edits(keys[i], &want);
		char *text = NULL;
		size_t n;
		FILE *out = open_memstream(&text, &n);

		manifest_state_release(&want);
		CHECK(out);
		CHECK_OK(manifest_file_show(out, simdisk_vfs(disk),
					    "MANIFEST-2"));
		forge(disk, "MANIFEST-2", 1, 1, 7);
		CHECK_OK(manifest_file_show(out, simdisk_vfs(disk),
					    "MANIFEST-2"));
		fclose(out);
		CHECK(strstr(text, i ? "signed: yes" : "signed: no"));
		CHECK(strstr(text, "known durable: 4 edits"));
		CHECK(strstr(text, "edit 1 at byte 12288:\n"));
		CHECK(strstr(text, "  first log file: 1\n"));
		CHECK(strstr(text, "  segment 5: level 0, "));
		CHECK(strstr(text, "  snapshot \"a\": number 5, time 6 us\n"));
		CHECK(strstr(text, "  keys: 77\n"));
		CHECK(strstr(text, "malformed field 1"));
		free(text);
		simdisk_free(disk);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
