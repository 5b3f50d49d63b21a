/*
 * Backups and archives with random changes: each is refused or taken, and nothing
 * else happens. `make fuzz` does the same for long.
 */
#include "archive_disk.h"
#include "fuzz_target.h"
#include "make_backup.h"

#define BYTES_MAX (64u << 10)

/* Writes over, takes out, repeats, or moves some bytes. */
static size_t bytes_change(uint8_t *bytes, size_t n)
{
	size_t at = check_random() % n, from = check_random() % n, k;

	k = check_random() % (n - (at > from ? at : from) + 1);
	switch (check_random() % 5) {
	case 0:
		bytes[at] ^= (uint8_t)(1 << check_random() % 8);
		return n;
	case 1:
		bytes[at] = (uint8_t)check_random();
		return n;
	case 2:
		memmove(bytes + at, bytes + from, k);
		return n;
	case 3:
		memmove(bytes + at, bytes + at + k, n - at - k);
		return n - k ? n - k : 1;
	default:
		if (n + k > BYTES_MAX)
			return n;
		memmove(bytes + at + k, bytes + at, n - at);
		memmove(bytes + at, bytes + from, k);
		return n + k;
	}
}

/* Returns how many of the changed ones were taken. */
static unsigned fuzz(int (*target)(const uint8_t *, size_t), const uint8_t *seed,
		     size_t n, unsigned rounds)
{
	uint8_t *bytes = malloc(BYTES_MAX);
	unsigned taken = 0;

	CHECK(n && n <= BYTES_MAX);
	CHECK(target(seed, n));
	for (unsigned i = 0; i < rounds; i++) {
		size_t k = n;

		memcpy(bytes, seed, n);
		for (unsigned changes = 1 + check_random() % 4; changes; changes--)
			k = bytes_change(bytes, k);
		taken += (unsigned)target(bytes, k);
	}
	free(bytes);
	return taken;
}

static void manifest_of(struct simdisk *disk, const char *path, unsigned rounds)
{
	size_t n;
	uint8_t *text = disk_get(disk, path, &n);

	CHECK(text != NULL);
	/* its numbers and times can be others */
	CHECK(fuzz(fuzz_manifest, text, n, rounds) > 0);
	free(text);
}

TEST(manifests, "no text in place of a backup.json is more than refused")
{
	struct simdisk *disk = simdisk_new(1);
	struct backup_manifest full, next;
	struct make_backup how = { .name = "full", .seed = 1, .began_us = 1000000 };

	make_backup(simdisk_vfs(disk), &how, &full);
	how = (struct make_backup){ .name = "next", .seed = 2, .parent = &full,
				    .form = AEDB_BACKUP_LOG, .began_us = 2000000 };
	make_backup(simdisk_vfs(disk), &how, &next);
	manifest_of(disk, "full/backup.json", check_times(2000));
	manifest_of(disk, "next/backup.json", check_times(2000));
	backup_manifest_release(&full);
	backup_manifest_release(&next);
	simdisk_free(disk);
}

static void archive_of(struct simdisk *disk, const void *key, unsigned rounds)
{
	struct aedb_archive_options options = options_with(key);
	struct stream archive = pack_disk(disk, &options);

	fuzz(fuzz_archive, archive.bytes, archive.n, rounds);
	free(archive.bytes);
}

TEST(archives, "no stream in place of an archive is more than refused")
{
	struct simdisk *disk = simdisk_new(1);
	uint8_t bytes[9000] = { 0 };

	CHECK_OK(simdisk_vfs(disk)->ops->mkdir(simdisk_vfs(disk), "d"));
	disk_put(disk, "d/zeros", bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)check_random();
	disk_put(disk, "random", bytes, sizeof(bytes));
	disk_put(disk, "empty", bytes, 0);
	archive_of(disk, NULL, check_times(1000));
	archive_of(disk, FUZZ_KEY, check_times(300));
	simdisk_free(disk);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
