/*
 * Manifests: what is recorded is read back, nothing else is believed, and a
 * power cut leaves the state before or after.
 */
#include "../simdisk.h"
#include "check.h"
#include "err.h"
#include "manifest.h"
#include "seal.h"

static const struct manifest_key no_key = { NULL, 0 };
static const struct manifest_key key = { "0123456789abcdef", 16 };

static struct manifest_state state_of(uint64_t newest)
{
	struct manifest_state state = { .created_us = 1234567, .wal_first = 1,
					.wal_newest = newest };

	memset(state.db_uuid, 0x77, sizeof(state.db_uuid));
	return state;
}

static struct simdisk *disk_with(struct manifest_key with)
{
	struct simdisk *disk = simdisk_new(1);
	struct manifest_state state = state_of(1);
	struct manifest *m;

	CHECK_OK(manifest_create(simdisk_vfs(disk), &state, with, &m));
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

static void state_check(struct simdisk *disk, struct manifest_key with,
			const struct manifest_state *want)
{
	const struct manifest_state *got;
	struct manifest *m;

	CHECK_OK(manifest_open(simdisk_vfs(disk), with, &m));
	got = manifest_state(m);
	CHECK_MEM(got->db_uuid, want->db_uuid, FILE_UUID_BYTES);
	CHECK_EQ(got->created_us, want->created_us);
	CHECK_EQ(got->wal_first, want->wal_first);
	CHECK_EQ(got->wal_newest, want->wal_newest);
	CHECK_EQ(got->was_permissive, want->was_permissive);
	manifest_close(m);
}

TEST(recorded, "the state last recorded is read back, and its predecessors' files are gone")
{
	const struct manifest_key keys[2] = { no_key, key };

	for (int i = 0; i < 2; i++) {
		struct simdisk *disk = disk_with(keys[i]);
		struct manifest_state state = state_of(1);
		struct vfs *vfs = simdisk_vfs(disk);
		struct manifest *m;
		char **names;
		size_t n;

		state_check(disk, keys[i], &state);
		CHECK_OK(manifest_open(vfs, keys[i], &m));
		for (uint64_t newest = 2; newest < 5; newest++) {
			state = state_of(newest);
			state.was_permissive = newest == 4;
			CHECK_OK(manifest_record(m, &state));
		}
		manifest_close(m);
		state_check(disk, keys[i], &state);
		CHECK_OK(vfs->ops->list(vfs, ".", &names, &n));
		CHECK_EQ(n, 2);
		CHECK_STR(names[0], MANIFEST_CURRENT);
		CHECK_STR(names[1], "MANIFEST-4");
		vfs_free_names(names, n);
		simdisk_free(disk);
	}
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

static size_t file_get(struct simdisk *disk, const char *path, uint8_t *bytes,
		       size_t max)
{
	struct vfs *vfs = simdisk_vfs(disk);
	struct vfs_file *file;
	size_t n;

	CHECK_OK(vfs_file_open(vfs, path, VFS_READ, &file));
	CHECK_OK(vfs->ops->read(file, bytes, max, 0, &n));
	vfs_file_close(file);
	return n;
}

TEST(current, "a CURRENT that does not name a manifest that is there is damage")
{
	static const char *const bad[] = {
		"", "\n", "MANIFEST-1", "MANIFEST-01\n", "MANIFEST-2\n",
		"MANIFEST-1\n\n", "../MANIFEST-1\n",
		"MANIFEST-000000000000000000000001\n",
	};
	struct simdisk *disk = disk_with(no_key);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		file_set(disk, MANIFEST_CURRENT, bad[i], strlen(bad[i]));
		CHECK_THAT(open_code(disk, no_key) == AEDB_CORRUPT, "\"%s\"",
			   bad[i]);
	}
	file_set(disk, MANIFEST_CURRENT, "MANIFEST-1\n", 11);
	CHECK_OK(open_code(disk, no_key));
	simdisk_free(disk);
}

/* Every byte of header and edit changed, every length cut. */
static void damage_check(struct manifest_key with)
{
	struct simdisk *disk = disk_with(with);
	uint8_t bytes[2 * FILE_DATA_OFFSET];
	size_t n = file_get(disk, "MANIFEST-1", bytes, sizeof(bytes));

	for (size_t i = 0; i < n; i++) {
		if (i == FILE_HEADER_BYTES)
			i = FILE_DATA_OFFSET;	/* nobody reads between */
		bytes[i] ^= 0x10;
		file_set(disk, "MANIFEST-1", bytes, n);
		CHECK_THAT(open_code(disk, with) < 0, "byte %zu of %zu", i, n);
		bytes[i] ^= 0x10;
	}
	for (size_t cut = 0; cut < n; cut++) {
		file_set(disk, "MANIFEST-1", bytes, cut);
		CHECK_THAT(open_code(disk, with) == AEDB_CORRUPT,
			   "%zu of %zu bytes", cut, n);
	}
	file_set(disk, "MANIFEST-1", bytes, n);
	CHECK_OK(open_code(disk, with));
	simdisk_free(disk);
}

TEST(damage, "a changed byte or a missing end is found, signed or not")
{
	damage_check(no_key);
	damage_check(key);
}

/* Changes the edit, and seals it again as who has no key can. */
static void forge(struct simdisk *disk, size_t offset, uint8_t byte)
{
	uint8_t bytes[2 * FILE_DATA_OFFSET], *edit = bytes + FILE_DATA_OFFSET;
	size_t n = file_get(disk, "MANIFEST-1", bytes, sizeof(bytes));
	struct file_header header;
	struct seal seal;

	CHECK_OK(file_header_decode(bytes, n, "MANIFEST-1", &header));
	seal_init(&seal, &header);
	edit[offset] = byte;
	seal_record(&seal, FILE_DATA_OFFSET, edit, 16,
		    edit[4] | (size_t)edit[5] << 8);
	file_set(disk, "MANIFEST-1", bytes, n);
}

TEST(forged, "a well-formed edit that was not signed with the key is refused")
{
	struct simdisk *disk = disk_with(key);

	forge(disk, 16 + 2, 99);
	CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
	CHECK_EQ(open_code(disk, no_key), AEDB_ACCESS);
	simdisk_free(disk);
	disk = disk_with(no_key);
	forge(disk, 16 + 2, 99);
	CHECK_OK(open_code(disk, no_key));
	CHECK_EQ(open_code(disk, key), AEDB_ACCESS);
	simdisk_free(disk);
}

TEST(unknown_field, "a field that is not known is a newer format, a malformed one damage")
{
	struct simdisk *disk = disk_with(no_key);

	forge(disk, 16, 77);
	CHECK_EQ(open_code(disk, no_key), AEDB_NEWER_FORMAT);
	forge(disk, 16, 1);
	forge(disk, 17, 7);
	CHECK_EQ(open_code(disk, no_key), AEDB_CORRUPT);
	simdisk_free(disk);
}

/* Records the next state with a power cut or fault in call number `call`;
 * false once it is beyond the last. */
static bool cut_in(uint64_t call, enum simdisk_crash_mode mode, bool is_new)
{
	struct manifest_state before = state_of(1), after = state_of(2);
	struct simdisk *disk = is_new ? simdisk_new(call) : disk_with(key);
	struct vfs *vfs = simdisk_vfs(disk);
	struct manifest *m = NULL;
	bool was_cut;
	int rc;

	simdisk_cut_at(disk, simdisk_calls(disk) + call);
	rc = is_new ? manifest_create(vfs, &after, key, &m) :
		      manifest_open(vfs, key, &m);
	if (rc == 0 && !is_new)
		rc = manifest_record(m, &after);
	manifest_close(m);
	was_cut = simdisk_is_cut(disk);
	CHECK(was_cut || rc == 0);
	simdisk_crash(disk, call, mode);
	if (rc == 0) {
		state_check(disk, key, &after);
	} else if (open_code(disk, key) == 0) {
		CHECK_OK(manifest_open(vfs, key, &m));
		is_new |= manifest_state(m)->wal_newest == 2;
		manifest_close(m);
		state_check(disk, key, is_new ? &after : &before);
	} else {
		CHECK(is_new);
		CHECK_EQ(open_code(disk, key), AEDB_NOT_FOUND);
	}
	simdisk_free(disk);
	return was_cut;
}

TEST(cuts, "a power cut in any call leaves the state before or after, or no database yet")
{
	for (int mode = SIMDISK_DROP_ALL; mode <= SIMDISK_RANDOM; mode++)
		for (int is_new = 0; is_new < 2; is_new++)
			for (uint64_t call = 1; cut_in(call, mode, is_new); call++)
				continue;
}

TEST(shown, "a manifest is shown, a signed one too, and a damaged one as such")
{
	const struct manifest_key keys[2] = { no_key, key };

	for (int i = 0; i < 2; i++) {
		struct simdisk *disk = disk_with(keys[i]);
		char *text = NULL;
		size_t n;
		FILE *out = open_memstream(&text, &n);

		CHECK(out);
		CHECK_OK(manifest_file_show(out, simdisk_vfs(disk),
					    "MANIFEST-1"));
		forge(disk, 17, 7);
		CHECK_OK(manifest_file_show(out, simdisk_vfs(disk),
					    "MANIFEST-1"));
		fclose(out);
		CHECK(strstr(text, i ? "signed: yes" : "signed: no"));
		CHECK(strstr(text, "log begins with: 1.wal\n"));
		CHECK(strstr(text, "malformed field 1"));
		free(text);
		simdisk_free(disk);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
