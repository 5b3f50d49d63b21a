/*
 * Benchmark 7: an encrypted archive of 32 MiB of chance and a manifest, there
 * and back; and one of 1 GiB of text.
 *
 * Invariants:
 * 1. The control is what one would use: tar | zstd -1 | age, and back. It starts
 *    four programs and makes no checksum that one could ask for. libaedb makes a
 *    SHA-256 of each file for who asks, which is measured, too.
 * 2. What is read is in the page cache, what is written stays there: nobody
 *    syncs, and what others left to be written is written before a span begins.
 * 3. CPU time is that of the calling process or of the programs it ran.
 */
#include "aedb.h"
#include "aedb_archive.h"
#include "workloads.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)
#define PATH_BYTES 600
#define PART_BYTES (64ull << 20)
#define PARTS 16
#define FILES_MADE_MAX 16
#define SHA256_BYTES 32

enum {
	ROW_PACK,
	ROW_PACK_CPU,
	ROW_UNPACK,
	ROW_UNPACK_CPU,
	ROW_SIZE,
	ROW_HASHED,		/* the first four once more */
};

static const char key[] = "a key of thirty-two bytes, yes!!";

/* What is archived. */
struct made {
	const char *directories[2];
	struct {
		const char *name;
		uint64_t bytes;
		bool is_text;
	} files[FILES_MADE_MAX + 1];
};

static const struct made made_pages = {
	{ "pages" },
	{ { "pages/rows.aedbpg", 32u << 20, false },
	  { "manifest.json", 4000, true } },
};

#define PART(n) { "part-" #n, PART_BYTES, true }
static const struct made made_text = {
	{ NULL },
	{ PART(01), PART(02), PART(03), PART(04), PART(05), PART(06), PART(07),
	  PART(08), PART(09), PART(10), PART(11), PART(12), PART(13), PART(14),
	  PART(15), PART(16) },
};
_Static_assert(PARTS <= FILES_MADE_MAX, "the parts fit");

static int fail(const char *what)
{
	return peer_fail("bench", what, strerror(errno));
}

static int path_of(const struct peer_db *db, const char *directory,
		   const char *name, char *ret)
{
	if (snprintf(ret, PATH_BYTES, "%s/%s/%s", db->dir, directory, name) >=
	    PATH_BYTES)
		return peer_fail("bench", name, "path too long");
	return 0;
}

/* Contents. */

static char *text;		/* the files below, one behind the other */
static size_t text_bytes;

static int text_add(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *more;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(path);
	more = realloc(text, text_bytes + (size_t)st.st_size);
	if (!more)
		return peer_fail("bench", path, "out of memory");
	text = more;
	if (read(fd, text + text_bytes, (size_t)st.st_size) != st.st_size)
		return fail(path);
	text_bytes += (size_t)st.st_size;
	close(fd);
	return 0;
}

static int text_load(void)
{
	static const char *const paths[] = {
		"/usr/share/dict/american-english",
		"/usr/share/iso-codes/json/iso_639-3.json",
		"/usr/share/iso-codes/json/iso_3166-2.json",
		"/usr/share/zoneinfo/tzdata.zi",
	};

	if (text)
		return 0;
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (text_add(paths[i]) < 0)
			return -1;
	return 0;
}

static void fill_with_text(char *to, size_t n, uint64_t at)
{
	while (n > 0) {
		size_t from = (size_t)(at % text_bytes);
		size_t part = n < text_bytes - from ? n : text_bytes - from;

		memcpy(to, text + from, part);
		to += part;
		at += part;
		n -= part;
	}
}

/* xorshift64* */
static void fill_with_noise(char *to, size_t n, uint64_t *state)
{
	for (size_t i = 0; i < n; i += sizeof(*state)) {
		uint64_t word;

		*state ^= *state >> 12;
		*state ^= *state << 25;
		*state ^= *state >> 27;
		word = *state * UINT64_C(2685821657736338717);
		memcpy(to + i, &word, sizeof(word));
	}
}

static int write_file(const char *path, uint64_t bytes, bool is_text)
{
	static char piece[PIECE_BYTES];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t state = 7;

	if (fd < 0)
		return fail(path);
	for (uint64_t at = 0; at < bytes; at += PIECE_BYTES) {
		size_t n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) :
						      PIECE_BYTES;

		if (is_text)
			fill_with_text(piece, n, at);
		else
			fill_with_noise(piece, PIECE_BYTES, &state);
		if (write(fd, piece, n) != (ssize_t)n)
			return fail(path);
	}
	return close(fd) < 0 ? fail(path) : 0;
}

static int make_directory(const struct peer_db *db, const char *directory,
			  const char *name)
{
	char path[PATH_BYTES];

	if (path_of(db, directory, name, path) < 0)
		return -1;
	return mkdir(path, 0700) < 0 ? fail(path) : 0;
}

/* A program of the control, in the database's directory. */
static int run_shell(const struct peer_db *db, const char *command)
{
	if (setenv("ARCHIVE_DIR", db->dir, 1) < 0)
		return fail("setenv");
	return system(command) == 0 ? 0 : peer_fail("control", command, "failed");
}

static int make_source(struct peer_db *db, const struct made *made)
{
	char path[PATH_BYTES];

	if (text_load() < 0 || make_directory(db, "source", "") < 0)
		return -1;
	if (made->directories[0] &&
	    make_directory(db, "source", made->directories[0]) < 0)
		return -1;
	for (unsigned i = 0; made->files[i].name; i++)
		if (path_of(db, "source", made->files[i].name, path) < 0 ||
		    write_file(path, made->files[i].bytes,
			       made->files[i].is_text) < 0)
			return -1;
	if (db->peer == &peers[PEER_AEDB])
		return 0;
	return run_shell(db, "age-keygen -o \"$ARCHIVE_DIR/key\" 2>/dev/null");
}

static int make_pages(struct peer_db *db)
{
	return make_source(db, &made_pages);
}

static int make_text(struct peer_db *db)
{
	return make_source(db, &made_text);
}

/* There and back: libaedb's way. */

static int aedb_fail(const char *what)
{
	return peer_fail("aedb", what, aedb_error_message());
}

/* NULL: SHA-256 is not asked for. */
typedef int entry_function(void *arg, const struct aedb_archive_entry *entry);

static int take_sha256(void *arg, const struct aedb_archive_entry *entry)
{
	(void)arg;
	peer_consume(entry->sha256, sizeof(entry->sha256));
	return 0;
}

static struct aedb_archive_options options_with_key(entry_function *entry)
{
	struct aedb_archive_options options;

	aedb_archive_options_init(&options);
	options.key = key;
	options.key_bytes = sizeof(key) - 1;
	options.entry = entry;
	return options;
}

static int pack_with(entry_function *entry, const char *source,
		     const char *archive)
{
	struct aedb_archive_options options = options_with_key(entry);
	struct aedb_archive_info info;
	int fd = open(archive, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(archive);
	if (aedb_archive_pack(source, fd, &options, &info) < 0)
		return aedb_fail("archive");
	return close(fd) < 0 ? fail(archive) : 0;
}

static int unpack_with(entry_function *entry, const char *archive,
		       const char *target)
{
	struct aedb_archive_options options = options_with_key(entry);
	struct aedb_archive_info info;
	int fd = open(archive, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(archive);
	if (aedb_archive_unpack(fd, target, &options, &info) < 0)
		return aedb_fail("archive");
	close(fd);
	return 0;
}

static int aedb_pack(const struct peer_db *db, const char *source,
		     const char *archive)
{
	(void)db;
	return pack_with(NULL, source, archive);
}

static int aedb_unpack(const struct peer_db *db, const char *archive,
		       const char *target)
{
	(void)db;
	return unpack_with(NULL, archive, target);
}

static int hashed_pack(const struct peer_db *db, const char *source,
		       const char *archive)
{
	(void)db;
	return pack_with(take_sha256, source, archive);
}

static int hashed_unpack(const struct peer_db *db, const char *archive,
			 const char *target)
{
	(void)db;
	return unpack_with(take_sha256, archive, target);
}

/* The control's. */

static int pipeline_pack(const struct peer_db *db, const char *source,
			 const char *archive)
{
	(void)source, (void)archive;
	return run_shell(db, "cd \"$ARCHIVE_DIR\" && tar -C source -cf - . | "
			     "zstd -q -1 | age -e -i key >archive");
}

static int pipeline_unpack(const struct peer_db *db, const char *archive,
			   const char *target)
{
	(void)archive, (void)target;
	return run_shell(db, "cd \"$ARCHIVE_DIR\" && age -d -i key archive | "
			     "zstd -q -d | tar -C target -xf -");
}

/* Measuring. */

static double children_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

typedef int step(const struct peer_db *db, const char *from, const char *to);

/* Fills in MiB/s and, behind it, CPU time in ms. */
static int measure(step *run, const struct peer_db *db, const char *const paths[2],
		   uint64_t bytes, struct figure *ret)
{
	double children_ns;
	struct span span;

	sync();
	children_ns = children_cpu_ns();
	span = span_begin();
	if (run(db, paths[0], paths[1]) < 0)
		return -1;
	span_end_rate(span, bytes, &ret[0]);
	ret[1] = (struct figure){ (ret[0].cpu_ns * (double)bytes +
				   children_cpu_ns() - children_ns) / 1e6, NAN };
	ret[0] = (struct figure){ ret[0].value / (1 << 20), NAN };
	return 0;
}

static int digest_file(const char *path, unsigned char *ret)
{
	static char piece[PIECE_BYTES];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0 || !digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL))
		return fail(path);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		EVP_DigestUpdate(digest, piece, (size_t)n);
	EVP_DigestFinal_ex(digest, ret, NULL);
	EVP_MD_CTX_free(digest);
	close(fd);
	return n < 0 ? fail(path) : 0;
}

static int check_same(const struct peer_db *db, const char *name)
{
	unsigned char a[SHA256_BYTES], b[SHA256_BYTES];
	char source[PATH_BYTES], target[PATH_BYTES];

	if (path_of(db, "source", name, source) < 0 ||
	    path_of(db, "target", name, target) < 0 ||
	    digest_file(source, a) < 0 || digest_file(target, b) < 0)
		return -1;
	return memcmp(a, b, sizeof(a)) == 0 ? 0 :
		peer_fail(db->peer->name, name, "came back as something else");
}

static uint64_t bytes_of(const struct made *made)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; made->files[i].name; i++)
		bytes += made->files[i].bytes;
	return bytes;
}

/* Fills in four figures, of the way there and of that back, and a size. */
static int round_trip(struct peer_db *db, const struct made *made,
		      step *const steps[2], struct figure ret[5])
{
	char source[PATH_BYTES], archive[PATH_BYTES], target[PATH_BYTES];
	struct stat st;

	if (path_of(db, ".", "source", source) < 0 ||
	    path_of(db, ".", "archive", archive) < 0 ||
	    path_of(db, ".", "target", target) < 0 ||
	    make_directory(db, "target", "") < 0 ||
	    measure(steps[0], db, (const char *[]){ source, archive },
		    bytes_of(made), &ret[ROW_PACK]) < 0 ||
	    measure(steps[1], db, (const char *[]){ archive, target },
		    bytes_of(made), &ret[ROW_UNPACK]) < 0)
		return -1;
	for (unsigned i = 0; made->files[i].name; i++)
		if (check_same(db, made->files[i].name) < 0)
			return -1;
	if (stat(archive, &st) < 0)
		return fail(archive);
	ret[ROW_SIZE].value = (double)st.st_size / (1 << 20);
	unlink(archive);
	peer_remove_tree(target);
	return 0;
}

static int run(struct peer_db *db, const struct made *made, struct figure *ret)
{
	static step *const pipeline[] = { pipeline_pack, pipeline_unpack };
	static step *const plain[] = { aedb_pack, aedb_unpack };
	static step *const hashed[] = { hashed_pack, hashed_unpack };
	struct figure more[5] = { { 0 } };

	if (db->peer != &peers[PEER_AEDB])
		return round_trip(db, made, pipeline, ret);
	if (round_trip(db, made, plain, ret) < 0 ||
	    round_trip(db, made, hashed, more) < 0)
		return -1;
	memcpy(ret + ROW_HASHED, more, 4 * sizeof(*more));
	return 0;
}

static int run_pages(struct peer_db *db, struct figure *ret)
{
	return run(db, &made_pages, ret);
}

static int run_text(struct peer_db *db, struct figure *ret)
{
	return run(db, &made_text, ret);
}

#define ABOVE_ZERO { BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 }
#define TIMES_PIPELINE(n) { BOUND_TARGET, AT_LEAST, n, OF_PEER, PEER_BARE }
#define PART_OF_PIPELINE(n) { BOUND_TARGET, AT_MOST, n, OF_PEER, PEER_BARE }
#define STORES (PEER_BIT(PEER_AEDB) | PEER_BIT(PEER_BARE))
#define ROWS {								\
	{ "archive", "MiB/s", "tar | zstd -1 | age", NULL,		\
	  { ABOVE_ZERO, TIMES_PIPELINE(2.5) } },			\
	{ "archive, CPU", "ms", NULL, NULL, { PART_OF_PIPELINE(0.4) } },	\
	{ "extract", "MiB/s", NULL, NULL,				\
	  { ABOVE_ZERO, TIMES_PIPELINE(2.5) } },			\
	{ "extract, CPU", "ms", NULL, NULL, { PART_OF_PIPELINE(0.4) } },	\
	{ "size of the archive", "MiB", NULL, NULL,			\
	  { ABOVE_ZERO, PART_OF_PIPELINE(1.01) } },			\
	{ "archive with SHA-256", "MiB/s", NULL, NULL, { ABOVE_ZERO } },	\
	{ "archive with SHA-256, CPU", "ms", NULL, NULL, { ABOVE_ZERO } },	\
	{ "extract with SHA-256", "MiB/s", NULL, NULL, { ABOVE_ZERO } },	\
	{ "extract with SHA-256, CPU", "ms", NULL, NULL, { ABOVE_ZERO } },	\
}

const struct bench workload_archive[] = {
	{ "7", "encrypted archive of 32 MiB", PEER_OS, 9, STORES, true, make_pages,
	  run_pages, .rows = ROWS },
	{ "+", "encrypted archive of 1 GiB of text", PEER_OS, 5, STORES, true,
	  make_text, run_text, .rows = ROWS },
	{ 0 },
};
