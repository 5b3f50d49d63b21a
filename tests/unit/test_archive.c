/*
 * Archives that are packed are unpacked as they were, whatever is in them and
 * however many threads do it.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/stat.h>

#include "archive_disk.h"

#define CHUNK ARCHIVE_CHUNK_BYTES

struct made {
	const char *path;
	size_t n;
	enum { TEXT, NOISE } content;
};

static const struct made made[] = {
	{ "CURRENT", 12, TEXT },
	{ "MANIFEST-1", 5000, NOISE },
	{ "empty", 0, TEXT },
	{ "one", 1, TEXT },
	{ "seg/2.seg", CHUNK + 1, TEXT },
	{ "seg/1.seg", CHUNK, NOISE },
	{ "seg/deep/er/3.seg", 2 * CHUNK + 777, TEXT },
	{ "val/4.val", CHUNK - 1, NOISE },
};
#define MADE (sizeof(made) / sizeof(made[0]))
#define MADE_FEW 5		/* enough for what is tried over and over */

static uint8_t *content_of(const struct made *file)
{
	static const char words[] = "immutable sorted files make snapshots cheap; ";
	uint8_t *bytes = malloc(file->n + 8);

	for (size_t i = 0; i < file->n && file->content == TEXT; i++)
		bytes[i] = (uint8_t)words[(i + i / 1000) % (sizeof(words) - 1)];
	for (size_t i = 0; i < file->n && file->content == NOISE; i += 8) {
		uint64_t random = check_random();

		memcpy(bytes + i, &random, 8);
	}
	return bytes;
}

static void make_directories(struct simdisk *disk)
{
	static const char *const directories[] = {
		"seg", "seg/deep", "seg/deep/er", "val", "wal",
	};

	for (size_t i = 0; i < 5; i++)
		CHECK_OK(simdisk_vfs(disk)->ops->mkdir(simdisk_vfs(disk),
						       directories[i]));
}

/* The first n. */
static struct simdisk *make_disk_of(size_t n)
{
	struct simdisk *disk = simdisk_new(check_random());

	make_directories(disk);
	for (size_t i = 0; i < n; i++) {
		uint8_t *bytes = content_of(&made[i]);

		disk_put(disk, made[i].path, bytes, made[i].n);
		free(bytes);
	}
	return disk;
}

static struct simdisk *make_disk(void)
{
	return make_disk_of(MADE);
}

static void check_same(struct simdisk *a, struct simdisk *b)
{
	for (size_t i = 0; i < MADE; i++) {
		size_t a_n, b_n;
		uint8_t *a_bytes = disk_get(a, made[i].path, &a_n);
		uint8_t *b_bytes = disk_get(b, made[i].path, &b_n);

		CHECK_THAT(a_n == made[i].n && b_n == a_n &&
				   memcmp(a_bytes, b_bytes, a_n) == 0,
			   "%s is not what it was", made[i].path);
		free(a_bytes);
		free(b_bytes);
	}
}

/* What the entry function was told. */
struct told {
	struct simdisk *disk;
	char paths[16][64];
	unsigned n, directories;
};

static int note_entry(void *arg, const struct aedb_archive_entry *entry)
{
	struct told *told = arg;
	uint8_t sha256[32];
	size_t n = 0;
	uint8_t *bytes = NULL;

	snprintf(told->paths[told->n++], 64, "%s", entry->path);
	told->directories += entry->is_directory;
	if (!entry->is_directory)
		bytes = disk_get(told->disk, entry->path, &n);
	CHECK_EQ(entry->bytes, n);
	EVP_Digest(bytes, n, sha256, NULL, EVP_sha256(), NULL);
	CHECK_MEM(entry->sha256, sha256, 32);
	free(bytes);
	return 0;
}

static void round_trip(const void *key, unsigned threads)
{
	struct aedb_archive_options o = options_with(key);
	struct simdisk *disk = make_disk(), *other = simdisk_new(1);
	struct told packed = { .disk = disk }, unpacked = { .disk = other };
	struct stream s;

	o.threads = threads;
	o.entry = note_entry;
	o.arg = &packed;
	o.last = "MANIFEST-1";
	s = pack_disk(disk, &o);
	o.arg = &unpacked;
	CHECK_OK(unpack_bytes(s.bytes, s.n, other, &o));
	check_same(disk, other);
	CHECK_EQ(packed.n, MADE + 1);
	CHECK_EQ(packed.directories, 1);
	CHECK_STR(packed.paths[MADE], "MANIFEST-1");
	CHECK_MEM(packed.paths, unpacked.paths, sizeof(packed.paths));
	CHECK_EQ(simdisk_open_files(disk) + simdisk_open_files(other), 0);
	/* the text is compressed, the noise is not */
	CHECK(s.n > 2 * CHUNK + 5000 && s.n < 2 * CHUNK + 200000);
	free(s.bytes);
	simdisk_free(disk);
	simdisk_free(other);
}

TEST(encrypted, "an encrypted archive is unpacked as it was packed, by any number of threads")
{
	for (unsigned threads = 0; threads <= 5; threads++)
		round_trip(archive_key, threads);
}

TEST(plain, "an archive without a key is unpacked as it was packed")
{
	round_trip(NULL, 1);
	round_trip(NULL, 3);
}

TEST(unhashed, "who asks for no entries gets the same files, and who asks later gets their SHA-256")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct simdisk *disk = make_disk(), *other = simdisk_new(1);
	struct simdisk *third = simdisk_new(1);
	struct told told = { .disk = third };
	struct stream s = pack_disk(disk, &o);

	CHECK_OK(unpack_bytes(s.bytes, s.n, other, &o));
	check_same(disk, other);
	o.entry = note_entry;
	o.arg = &told;
	CHECK_OK(unpack_bytes(s.bytes, s.n, third, &o));
	CHECK_EQ(told.n, MADE + 1);
	check_same(disk, third);
	free(s.bytes);
	simdisk_free(disk);
	simdisk_free(other);
	simdisk_free(third);
}

TEST(empty, "an archive of nothing is one")
{
	struct simdisk *disk = simdisk_new(1), *other = simdisk_new(1);
	struct aedb_archive_options o = options_with(archive_key);
	struct stream s = pack_disk(disk, &o);

	CHECK_OK(unpack_bytes(s.bytes, s.n, other, &o));
	CHECK_OK(unpack_bytes(s.bytes, s.n, NULL, &o));
	free(s.bytes);
	simdisk_free(disk);
	simdisk_free(other);
}

TEST(chosen, "of given paths those are packed, in their order")
{
	static const char *const paths[] = { "seg/2.seg", "CURRENT" };
	struct aedb_archive_options o = options_with(NULL);
	struct simdisk *disk = make_disk(), *other = simdisk_new(1);
	struct told told = { .disk = disk };
	struct stream s;

	o.paths = paths;
	o.n_paths = 2;
	o.entry = note_entry;
	o.arg = &told;
	s = pack_disk(disk, &o);
	CHECK_EQ(told.n, 2);
	CHECK_STR(told.paths[0], paths[0]);
	CHECK_STR(told.paths[1], paths[1]);
	told.disk = other;
	CHECK_OK(unpack_bytes(s.bytes, s.n, other, &o));
	free(s.bytes);
	simdisk_free(disk);
	simdisk_free(other);
}

struct pipe_pack {
	struct simdisk *disk;
	int fd, rc;
};

static void *pack_into_pipe(void *arg)
{
	struct pipe_pack *pack = arg;
	struct aedb_archive_options o = options_with(archive_key);
	struct aedb_archive_info info;

	pack->rc = archive_pack(simdisk_vfs(pack->disk), pack->fd, &o, &info);
	close(pack->fd);
	return NULL;
}

TEST(pipes, "an archive goes through a pipe")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct pipe_pack pack = { .disk = make_disk() };
	struct simdisk *other = simdisk_new(1);
	struct aedb_archive_info info;
	pthread_t thread;
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	pack.fd = ends[1];
	CHECK_EQ(pthread_create(&thread, NULL, pack_into_pipe, &pack), 0);
	CHECK_OK(archive_unpack(ends[0], simdisk_vfs(other), &o, &info));
	pthread_join(thread, NULL);
	CHECK_EQ(pack.rc, 0);
	CHECK_EQ(info.entries, MADE + 1);
	CHECK(info.is_encrypted);
	check_same(pack.disk, other);
	close(ends[0]);
	simdisk_free(pack.disk);
	simdisk_free(other);
}

TEST(keys, "a wrong key, no key and a key too many are refused, each with its reason")
{
	static const char other_key[33] = "another key of thirty-two bytes ";
	struct aedb_archive_options with = options_with(archive_key);
	struct aedb_archive_options without = options_with(NULL);
	struct aedb_archive_options other = options_with(other_key);
	struct aedb_archive_info info;
	struct simdisk *disk = simdisk_new(1);
	struct stream encrypted, plain;

	disk_put(disk, "a", "secret", 6);
	encrypted = pack_disk(disk, &with);
	plain = pack_disk(disk, &without);
	CHECK(!memmem(encrypted.bytes, encrypted.n, "secret", 6));
	CHECK_EQ(unpack_bytes(encrypted.bytes, encrypted.n, NULL, &other),
		 AEDB_ACCESS);
	CHECK(strstr(err_message(), "wrong key"));
	CHECK_EQ(unpack_bytes(encrypted.bytes, encrypted.n, NULL, &without),
		 AEDB_ACCESS);
	CHECK(strstr(err_message(), "a key is needed"));
	CHECK_EQ(unpack_bytes(plain.bytes, plain.n, NULL, &with), AEDB_INVALID);
	CHECK(strstr(err_message(), "not encrypted"));
	with.key_bytes = 15;
	CHECK_EQ(archive_pack(simdisk_vfs(disk), -1, &with, &info), AEDB_INVALID);
	with.key_bytes = 65;
	CHECK_EQ(archive_pack(simdisk_vfs(disk), -1, &with, &info), AEDB_INVALID);
	free(encrypted.bytes);
	free(plain.bytes);
	simdisk_free(disk);
}

TEST(not_empty, "nothing is unpacked into a directory that has something")
{
	struct aedb_archive_options o = options_with(NULL);
	struct simdisk *disk = make_disk();
	struct stream s = pack_disk(disk, &o);

	CHECK_EQ(unpack_bytes(s.bytes, s.n, disk, &o), AEDB_NOT_EMPTY);
	free(s.bytes);
	simdisk_free(disk);
}

struct ending {
	unsigned calls, cancel_at;
	uint64_t done;
};

static int note_progress(void *arg, const struct aedb_transfer *progress)
{
	struct ending *ending = arg;

	CHECK(progress->done_bytes >= ending->done);
	CHECK(progress->done_bytes <= progress->all_bytes);
	ending->done = progress->done_bytes;
	return ++ending->calls == ending->cancel_at;
}

TEST(cancel, "any call of the progress function can end it, and the last one has all bytes")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct simdisk *disk = make_disk_of(MADE_FEW), *other;
	struct aedb_archive_info info;
	struct ending all = { 0 };
	struct stream s;

	o.progress = note_progress;
	o.arg = &all;
	s = pack_disk(disk, &o);
	CHECK_EQ(all.done, 12 + 5000 + 1 + (uint64_t)CHUNK + 1);
	for (unsigned at = 1; at <= all.calls; at++) {
		struct ending ending = { .cancel_at = at };
		int fd = stream_fd(NULL, 0);

		o.arg = &ending;
		CHECK_EQ(archive_pack(simdisk_vfs(disk), fd, &o, &info),
			 AEDB_CANCELED);
		close(fd);
	}
	all = (struct ending){ .cancel_at = 3 };
	o.arg = &all;
	other = simdisk_new(1);
	CHECK_EQ(unpack_bytes(s.bytes, s.n, other, &o), AEDB_CANCELED);
	CHECK_EQ(all.calls, 3);
	CHECK_EQ(simdisk_open_files(disk) + simdisk_open_files(other), 0);
	free(s.bytes);
	simdisk_free(disk);
	simdisk_free(other);
}

static int shorten(void *arg, const struct aedb_transfer *progress)
{
	struct vfs_file *file;

	if (progress->done_bytes == 0 &&
	    vfs_file_open(simdisk_vfs(arg), "b", VFS_WRITE, &file) == 0) {
		CHECK_OK(vfs_file_truncate(file, 5));
		vfs_file_close(file);
	}
	return 0;
}

TEST(shorter, "a file that gets shorter while it is packed is refused")
{
	struct aedb_archive_options o = options_with(NULL);
	struct simdisk *disk = simdisk_new(1);
	struct aedb_archive_info info;
	int fd = stream_fd(NULL, 0);

	disk_put(disk, "a", "0123456789", 10);
	disk_put(disk, "b", "0123456789", 10);
	o.threads = 1;
	o.progress = shorten;
	o.arg = disk;
	CHECK_EQ(archive_pack(simdisk_vfs(disk), fd, &o, &info), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "b"));
	close(fd);
	simdisk_free(disk);
}

TEST(faults, "whichever call of the disk fails, packing and unpacking fail and leave nothing open")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct simdisk *disk = make_disk_of(MADE_FEW);
	struct aedb_archive_info info;
	struct stream s = pack_disk(disk, &o);
	unsigned failed = 0;
	int rc = -1;

	for (uint64_t nth = 1; rc < 0; nth++) {
		int fd = stream_fd(NULL, 0);

		simdisk_fail_at(disk, simdisk_calls(disk) + nth, SIMDISK_EIO);
		rc = archive_pack(simdisk_vfs(disk), fd, &o, &info);
		CHECK(rc == 0 || rc == AEDB_IO);
		CHECK_EQ(simdisk_open_files(disk), 0);
		failed += rc < 0;
		close(fd);
	}
	CHECK(failed > 20);
	rc = -1;
	failed = 0;
	for (uint64_t nth = 1; rc < 0; nth++) {
		struct simdisk *other = simdisk_new(nth);

		simdisk_fail_at(other, nth, nth % 2 ? SIMDISK_EIO : SIMDISK_ENOSPC);
		rc = unpack_bytes(s.bytes, s.n, other, &o);
		CHECK(rc == 0 || rc == AEDB_IO || rc == AEDB_NO_SPACE);
		CHECK_EQ(simdisk_open_files(other), 0);
		failed += rc < 0;
		simdisk_free(other);
	}
	CHECK(failed > 10);
	free(s.bytes);
	simdisk_free(disk);
}

TEST(full_stream, "a stream that takes no more is an error")
{
	struct aedb_archive_options o = options_with(archive_key);
	struct simdisk *disk = make_disk();
	struct aedb_archive_info info;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(archive_pack(simdisk_vfs(disk), fd, &o, &info), AEDB_NO_SPACE);
	close(fd);
	simdisk_free(disk);
}

/* Real directories. */

static void path_in(const char *directory, const char *name, char ret[300])
{
	snprintf(ret, 300, "%s/%s", directory, name);
}

static int pack_real(const char *directory)
{
	struct aedb_archive_options o = options_with(NULL);
	struct aedb_archive_info info;
	int fd = stream_fd(NULL, 0);
	int rc = aedb_archive_pack(directory, fd, &o, &info);

	close(fd);
	return rc;
}

TEST(links, "symbolic links and pipes are refused, neither followed nor waited for")
{
	char directory[] = "/tmp/archive.XXXXXX", path[300];

	CHECK(mkdtemp(directory));
	CHECK_EQ(pack_real(directory), 0);
	path_in(directory, "link", path);
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK_EQ(pack_real(directory), AEDB_INVALID);
	CHECK(strstr(err_message(), "symbolic link"));
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(symlink("/etc", path), 0);
	CHECK_EQ(pack_real(directory), AEDB_INVALID);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(pack_real(directory), AEDB_INVALID);
	CHECK(strstr(err_message(), "no regular file"));
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(rmdir(directory), 0);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
