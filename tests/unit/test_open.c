/*
 * Opening, making and closing databases: modes, locks, options, keys of
 * signatures, damage.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "db_fixture.h"
#include "file_header.h"

/* A path in the test's own directory; valid until the next but three. */
static const char *path_of(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	const char *root = getenv("TMPDIR");
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%ld-%s", root ? root : "/tmp",
		 (long)getpid(), name);
	return path;
}

static struct aedb_options options_of(enum aedb_open_mode mode)
{
	struct aedb_options o;

	aedb_options_init(&o);
	o.mode = mode;
	return o;
}

static int dir_open(const char *path, enum aedb_open_mode mode,
		    struct aedb **ret)
{
	struct aedb_options o = options_of(mode);

	return aedb_open(path, &o, ret);
}

static void dir_remove(const char *path)
{
	char command[5000];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	CHECK_EQ(system(command), 0);
}

static bool path_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static size_t dir_count(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void file_make(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file);
	fputs(text, file);
	fclose(file);
}

TEST(defaults, "the defaults are those the header states")
{
	struct aedb_options o;

	aedb_options_init(&o);
	CHECK_EQ(o.mode, AEDB_OPEN_EXISTING);
	CHECK_EQ(o.durability, AEDB_FULL);
	CHECK_EQ(o.recovery, AEDB_STRICT);
	CHECK_EQ(o.sync_interval_ms, 10);
	CHECK_EQ(o.key_bytes_max, 1024);
	CHECK_EQ(o.value_bytes_max, 0);
	CHECK_EQ(o.txn_bytes_max, 64 << 20);
	CHECK_EQ(o.txn_ops_max, 1000000);
	CHECK_EQ(o.memory_bytes, 256 << 20);
	CHECK_EQ(o.wal_file_bytes, 64 << 20);
	CHECK(!o.hmac_key);
}

TEST(missing, "opening what is not there fails and makes nothing")
{
	const char *path = path_of("missing");
	struct aedb *db = (struct aedb *)1;

	CHECK_FAILS(dir_open(path, AEDB_OPEN_EXISTING, &db), AEDB_NOT_FOUND,
		    "missing");
	CHECK_FAILS(dir_open(path, AEDB_OPEN_READ_ONLY, &db), AEDB_NOT_FOUND,
		    "missing");
	CHECK(db == (struct aedb *)1);
	CHECK(!path_exists(path));
	mkdir(path, 0700);
	CHECK_FAILS(dir_open(path, AEDB_OPEN_EXISTING, &db), AEDB_NOT_FOUND,
		    "no database");
	CHECK_FAILS(dir_open(path, AEDB_OPEN_READ_ONLY, &db), AEDB_NOT_FOUND,
		    "no database");
	CHECK_EQ(dir_count(path), 0);
	dir_remove(path);
}

TEST(bad_option_makes_nothing, "an option out of range makes no directory")
{
	const char *path = path_of("options");
	struct aedb_options o = options_of(AEDB_OPEN_CREATE);
	struct aedb *db;

	o.key_bytes_max = 0;
	CHECK_FAILS(aedb_open(path, &o, &db), AEDB_INVALID, "key_bytes_max");
	CHECK(!path_exists(path));
}

TEST(create, "create makes a database where nothing or an empty directory is, and opens it again")
{
	const char *path = path_of("create");
	struct aedb_scope *scope;
	struct aedb *db;
	struct stat st;

	CHECK_OK(dir_open(path, AEDB_OPEN_CREATE, &db));
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_mode & 0777, 0700);
	CHECK_OK(aedb_create(db, place("p", NULL)));
	CHECK_OK(aedb_create(db, place("p", "s")));
	CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
	CHECK_OK(put_text(scope, "k", "v"));
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	for (int mode = AEDB_OPEN_EXISTING; mode <= AEDB_OPEN_READ_ONLY; mode++) {
		if (mode == AEDB_OPEN_NEW)
			continue;
		CHECK_OK(dir_open(path, mode, &db));
		CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
		CHECK_STR(text_of(scope, NULL, "k"), "v");
		aedb_scope_close(scope);
		CHECK_OK(aedb_close(db));
	}
	dir_remove(path);
	mkdir(path, 0700);
	CHECK_OK(dir_open(path, AEDB_OPEN_CREATE, &db));
	CHECK_OK(aedb_close(db));
	dir_remove(path);
}

TEST(new, "new refuses a directory that has a database and leaves it whole")
{
	const char *path = path_of("new");
	struct aedb *db;

	CHECK_OK(dir_open(path, AEDB_OPEN_NEW, &db));
	CHECK_OK(aedb_create(db, place("p", NULL)));
	CHECK_OK(aedb_close(db));
	CHECK_FAILS(dir_open(path, AEDB_OPEN_NEW, &db), AEDB_EXISTS, "already");
	CHECK_OK(dir_open(path, AEDB_OPEN_EXISTING, &db));
	CHECK_EQ(aedb_create(db, place("p", NULL)), AEDB_EXISTS);
	CHECK_OK(aedb_close(db));
	dir_remove(path);
}

TEST(foreign, "a directory with other files stays as it is")
{
	const char *path = path_of("foreign");
	struct aedb *db;
	char name[4200];

	mkdir(path, 0700);
	snprintf(name, sizeof(name), "%s/letter", path);
	file_make(name, "dear reader\n");
	CHECK_FAILS(dir_open(path, AEDB_OPEN_CREATE, &db), AEDB_NOT_EMPTY,
		    "letter");
	CHECK_FAILS(dir_open(path, AEDB_OPEN_NEW, &db), AEDB_NOT_EMPTY, "letter");
	CHECK_EQ(dir_open(path, AEDB_OPEN_EXISTING, &db), AEDB_NOT_FOUND);
	CHECK_EQ(dir_count(path), 1);
	dir_remove(path);
}

TEST(no_directory, "a file is no directory, in every mode")
{
	const char *path = path_of("file");
	struct aedb *db;

	file_make(path, "text\n");
	for (int mode = AEDB_OPEN_EXISTING; mode <= AEDB_OPEN_READ_ONLY; mode++)
		CHECK_FAILS(dir_open(path, mode, &db), AEDB_NOT_DIRECTORY, path);
	unlink(path);
}

TEST(second, "a second opener is refused with the holder's process id, readers share")
{
	const char *path = path_of("second");
	struct aedb *db, *readers[3], *other;
	char holder[32];

	snprintf(holder, sizeof(holder), "%ld", (long)getpid());
	CHECK_OK(dir_open(path, AEDB_OPEN_CREATE, &db));
	for (int mode = AEDB_OPEN_EXISTING; mode <= AEDB_OPEN_READ_ONLY; mode++)
		CHECK_FAILS(dir_open(path, mode, &other), AEDB_BUSY, holder);
	CHECK_OK(aedb_create(db, place("p", NULL)));
	CHECK_OK(aedb_close(db));
	for (int i = 0; i < 3; i++)
		CHECK_OK(dir_open(path, AEDB_OPEN_READ_ONLY, &readers[i]));
	CHECK_EQ(dir_open(path, AEDB_OPEN_EXISTING, &other), AEDB_BUSY);
	for (int i = 0; i < 3; i++)
		CHECK_OK(aedb_close(readers[i]));
	CHECK_OK(dir_open(path, AEDB_OPEN_EXISTING, &db));
	CHECK_OK(aedb_close(db));
	dir_remove(path);
}

/* Every file's bytes and modification, as one number. */
static uint64_t dir_digest(const char *path)
{
	char command[5000];
	uint64_t digest = 0;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "cd '%s' && find . -type f -exec stat -c '%%n %%s %%y' {} + "
		 "-exec cksum {} + | sort | cksum", path);
	pipe = popen(command, "r");
	CHECK(pipe);
	CHECK_EQ(fscanf(pipe, "%" SCNu64, &digest), 1);
	pclose(pipe);
	return digest;
}

TEST(read_only, "a read-only open writes nothing and refuses every write")
{
	const char *path = path_of("readonly");
	struct aedb_scope *scope, *other;
	struct aedb_stage *stage;
	struct aedb_txn *txn;
	struct aedb *db;
	uint64_t digest;

	CHECK_OK(dir_open(path, AEDB_OPEN_CREATE, &db));
	CHECK_OK(aedb_create(db, place("p", NULL)));
	CHECK_OK(aedb_create(db, place("p", "s")));
	CHECK_OK(aedb_close(db));
	digest = dir_digest(path);
	CHECK_OK(dir_open(path, AEDB_OPEN_READ_ONLY, &db));
	CHECK_OK(aedb_scope_open(db, "p", "s", &scope));
	CHECK_EQ(put_text(scope, "k", "v"), AEDB_READ_ONLY);
	CHECK_EQ(aedb_create(db, place("q", NULL)), AEDB_READ_ONLY);
	CHECK_EQ(aedb_stage_open(db, NULL, &stage), AEDB_READ_ONLY);
	txn = txn_of(db);
	CHECK_OK(aedb_txn_create(txn, place("p", "t"), NULL, 0, &other));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_READ_ONLY);
	aedb_txn_abort(txn);
	aedb_scope_close(other);
	CHECK_OK(aedb_wait_durable(db, aedb_visible_seq(db)));
	CHECK_EQ(aedb_durable_seq(db), aedb_visible_seq(db));
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
	CHECK_EQ(dir_digest(path), digest);
	dir_remove(path);
}

static void option_refused(struct aedb_options o, const char *name)
{
	struct simdisk *disk = simdisk_new(1);
	struct aedb *db;

	CHECK_FAILS(db_open(simdisk_vfs(disk), "simdisk", &o, &db), AEDB_INVALID,
		    name);
	simdisk_free(disk);
}

#define REFUSED(field, ...) do {                                           \
	const uint64_t values_[] = { __VA_ARGS__ };                        \
	for (size_t i_ = 0; i_ < sizeof(values_) / sizeof(values_[0]); i_++) { \
		struct aedb_options o_ = options_of(AEDB_OPEN_CREATE);     \
		o_.hmac_key = "0123456789abcdef0123456789abcdef"           \
			      "0123456789abcdef0123456789abcdef";          \
		o_.hmac_key_bytes = 64;                                    \
		o_.field = values_[i_];                                    \
		option_refused(o_, #field);                                \
	}                                                                  \
} while (0)

TEST(option_ranges, "an option out of its range is refused by name")
{
	REFUSED(mode, 4);
	REFUSED(durability, 3);
	REFUSED(recovery, 2);
	REFUSED(sync_interval_ms, 0, 60001);
	REFUSED(key_bytes_max, 0, 4001);
	REFUSED(txn_bytes_max, (64 << 10) - 1, (1 << 30) + 1);
	REFUSED(txn_ops_max, 0, 16000001);
	REFUSED(queue_commits_max, 0, 1000001);
	REFUSED(queue_bytes_max, (64 << 10) - 1, (UINT64_C(1) << 40) + 1);
	REFUSED(commit_timeout_ms, 3600001);
	REFUSED(memory_bytes, 0, (16 << 10) - 1);
	REFUSED(wal_file_bytes, (64 << 10) - 1, (1 << 30) + 1);
	REFUSED(log_keep_bytes, (UINT64_C(1) << 40) + 1);
	REFUSED(backup_log_bytes, (UINT64_C(1) << 40) + 1);
	REFUSED(hmac_key_bytes, 0, 15, 65);
	REFUSED(maintenance, 2);
	REFUSED(history_bytes, 1, (64 << 10) - 1, (UINT64_C(1) << 60) + 1);
}

TEST(options_together, "options that do not go together are refused, and both named")
{
	static const struct {
		const char *wanted[2];
		struct aedb_options o;	/* what is not zero is set */
	} bad[] = {
		{ { "cache_bytes is 1048577", "memory_bytes" },
		  { .memory_bytes = 1 << 20, .cache_bytes = (1 << 20) + 1 } },
		{ { "history_s is 60", "history_bytes" }, { .history_s = 60 } },
		{ { "history_bytes is 65536", "history_s" },
		  { .history_bytes = 64 << 10 } },
		{ { "queue_bytes_max is 65536", "txn_bytes_max" },
		  { .queue_bytes_max = 64 << 10 } },
		{ { "hmac_key_bytes is 32", "hmac_key NULL" },
		  { .hmac_key_bytes = 32 } },
		{ { "must_have_key", "hmac_key" }, { .must_have_key = true } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct aedb_options o;

		aedb_options_init(&o);
		if (bad[i].o.memory_bytes)
			o.memory_bytes = bad[i].o.memory_bytes;
		if (bad[i].o.queue_bytes_max)
			o.queue_bytes_max = bad[i].o.queue_bytes_max;
		o.cache_bytes = bad[i].o.cache_bytes;
		o.history_s = bad[i].o.history_s;
		o.history_bytes = bad[i].o.history_bytes;
		o.hmac_key_bytes = bad[i].o.hmac_key_bytes;
		o.must_have_key = bad[i].o.must_have_key;
		option_refused(o, bad[i].wanted[0]);
		CHECK_THAT(strstr(aedb_error_message(), bad[i].wanted[1]),
			   "\"%s\" does not name %s", aedb_error_message(),
			   bad[i].wanted[1]);
	}
}

static void profile_opens(enum aedb_profile profile, const uint8_t *key)
{
	struct aedb_options o = options_of(AEDB_OPEN_NEW);
	struct simdisk *disk = simdisk_new(1);
	struct aedb *db;

	o.hmac_key = key;
	o.hmac_key_bytes = key ? 16 : 0;
	CHECK_OK(aedb_options_profile(profile, &o));
	CHECK_OK(db_open(simdisk_vfs(disk), "simdisk", &o, &db));
	CHECK_OK(aedb_close(db));
	simdisk_free(disk);
}

TEST(profiles, "a profile sets what it is about, leaves the rest, and can be opened with")
{
	static const uint8_t key[16] = { 1 };
	struct aedb_options o, plain;

	aedb_options_init(&plain);
	o = plain;
	CHECK_OK(aedb_options_profile(AEDB_PROFILE_DEFAULT, &o));
	CHECK(memcmp(&o, &plain, sizeof(o)) == 0);
	o.durability = AEDB_OS;
	o.recovery = AEDB_PERMISSIVE;
	o.memory_bytes = 1 << 20;
	CHECK_OK(aedb_options_profile(AEDB_PROFILE_PRODUCTION, &o));
	CHECK_EQ(o.durability, AEDB_FULL);
	CHECK_EQ(o.recovery, AEDB_STRICT);
	CHECK(o.must_have_key);
	CHECK_EQ(o.memory_bytes, 1 << 20);
	o = plain;
	CHECK_OK(aedb_options_profile(AEDB_PROFILE_DEVELOPMENT, &o));
	CHECK_EQ(o.durability, AEDB_OS);
	CHECK_EQ(o.recovery, AEDB_PERMISSIVE);
	CHECK(!o.must_have_key);
	o = plain;
	CHECK_OK(aedb_options_profile(AEDB_PROFILE_LOW_LATENCY, &o));
	CHECK_EQ(o.durability, AEDB_BATCH);
	CHECK_EQ(o.sync_interval_ms, 2);
	CHECK_EQ(o.recovery, AEDB_STRICT);
	CHECK_EQ(aedb_options_profile((enum aedb_profile)4, &o), AEDB_INVALID);
	CHECK(strstr(aedb_error_message(), "profile 4"));
	profile_opens(AEDB_PROFILE_PRODUCTION, key);
	profile_opens(AEDB_PROFILE_DEVELOPMENT, NULL);
	profile_opens(AEDB_PROFILE_LOW_LATENCY, NULL);
}

/* Signatures. */

/* without zeros: HMAC pads with them */
static const uint8_t key_a[64] = "the first key, longer than is needed here";
static const uint8_t key_b[64] = "another key";

static int signed_open(struct fixture *f, const uint8_t *key, size_t n)
{
	f->options.hmac_key = key;
	f->options.hmac_key_bytes = n;
	f->options.mode = AEDB_OPEN_EXISTING;
	return fixture_try(f);
}

TEST(hmac, "a signed database opens with its key only, an unsigned one without")
{
	uint8_t copied[32];
	struct fixture f;

	fixture_init(&f);
	memcpy(copied, key_a, sizeof(copied));
	f.options.hmac_key = copied;
	f.options.hmac_key_bytes = sizeof(copied);
	fixture_start(&f);
	memset(copied, 0, sizeof(copied));
	CHECK_OK(put_text(f.scope, "k", "v"));
	fixture_stop(&f);
	CHECK_FAILS(signed_open(&f, key_b, 32), AEDB_ACCESS, "signed");
	CHECK_FAILS(signed_open(&f, key_a, 31), AEDB_ACCESS, "signed");
	CHECK_FAILS(signed_open(&f, NULL, 0), AEDB_ACCESS, "signed");
	CHECK_OK(signed_open(&f, key_a, 32));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_STR(text_of(f.scope, NULL, "k"), "v");
	fixture_close(&f);

	fixture_open(&f);
	fixture_stop(&f);
	CHECK_FAILS(signed_open(&f, key_a, 32), AEDB_ACCESS, "not signed");
	simdisk_free(f.disk);
}

/* Damage. */

static struct vfs_file *disk_file(struct fixture *f, const char *path)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(simdisk_vfs(f->disk), path, VFS_WRITE, &file));
	return file;
}

static void byte_flip(struct fixture *f, const char *path, uint64_t offset)
{
	struct vfs_file *file = disk_file(f, path);
	uint8_t byte;

	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	byte ^= 0x40;
	CHECK_OK(vfs_write_all(file, &byte, 1, offset));
	vfs_file_close(file);
}

/* Forty keys, closed; then a byte of the twentieth's commit is changed. */
static void damaged_make(struct fixture *f)
{
	struct aedb_stats before;
	char key[16];

	fixture_open_as(f, AEDB_OS);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "key%02d", i);
		CHECK_OK(put_text(f->scope, key, "value"));
		if (i == 20)
			aedb_stats(f->db, &before);
	}
	fixture_stop(f);
	byte_flip(f, "wal/1.wal", FILE_DATA_OFFSET + before.wal_bytes - 4);
}

TEST(strict, "strict refuses damage with file, position and reason")
{
	struct fixture f;

	damaged_make(&f);
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(fixture_try(&f), AEDB_CORRUPT, "wal/1.wal");
		CHECK(strstr(aedb_error_message(), "checksum"));
		CHECK(strpbrk(strstr(aedb_error_message(), ".wal") + 4,
			      "0123456789"));
	}
	simdisk_free(f.disk);
}

TEST(permissive, "permissive keeps what is before the damage and says what it lost")
{
	struct fixture f;

	damaged_make(&f);
	f.options.recovery = AEDB_PERMISSIVE;
	CHECK_OK(fixture_try(&f));
	CHECK(aedb_recovery_finding(f.db, 0));
	CHECK(strstr(aedb_recovery_finding(f.db, 0), "wal/1.wal"));
	CHECK(!aedb_recovery_finding(f.db, 1000));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_STR(text_of(f.scope, NULL, "key19"), "value");
	CHECK(!text_of(f.scope, NULL, "key20"));
	CHECK(!text_of(f.scope, NULL, "key39"));
	CHECK_OK(put_text(f.scope, "key20", "again"));
	f.options.recovery = AEDB_STRICT;
	fixture_reopen(&f);
	CHECK(!aedb_recovery_finding(f.db, 0));
	CHECK_STR(text_of(f.scope, NULL, "key19"), "value");
	CHECK_STR(text_of(f.scope, NULL, "key20"), "again");
	fixture_close(&f);
}

static bool has_finding(const struct aedb *db, const char *words)
{
	const char *finding;

	for (size_t i = 0; (finding = aedb_recovery_finding(db, i)); i++)
		if (strstr(finding, words))
			return true;
	return false;
}

TEST(lost_snapshot, "a snapshot of a state that the log has lost is damage; permissive drops it")
{
	struct aedb_snapshot *snapshot;
	struct aedb_stats before;
	struct simdisk *killed;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "first", "value"));
	CHECK_OK(aedb_snapshot_create(f.db, "kept", NULL));
	aedb_stats(f.db, &before);
	CHECK_OK(put_text(f.scope, "second", "value"));
	CHECK_OK(aedb_snapshot_create(f.db, "lost", NULL));
	killed = simdisk_clone(f.disk);
	simdisk_crash(killed, 1, SIMDISK_KILL);
	fixture_close(&f);
	f.disk = killed;
	/* no later frame says that this one was synced */
	byte_flip(&f, "wal/1.wal", FILE_DATA_OFFSET + before.wal_bytes + 20);
	CHECK_FAILS(fixture_try(&f), AEDB_CORRUPT, "snapshot lost");
	f.options.recovery = AEDB_PERMISSIVE;
	CHECK_OK(fixture_try(&f));
	CHECK(has_finding(f.db, "snapshot lost"));
	CHECK_EQ(aedb_snapshot_open_named(f.db, "lost", &snapshot),
		 AEDB_NOT_FOUND);
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_OK(put_text(f.scope, "third", "value"));
	f.options.recovery = AEDB_STRICT;
	fixture_reopen(&f);
	CHECK_EQ(aedb_snapshot_open_named(f.db, "lost", &snapshot),
		 AEDB_NOT_FOUND);
	CHECK_OK(aedb_snapshot_open_named(f.db, "kept", &snapshot));
	CHECK_STR(text_of(f.scope, snapshot, "first"), "value");
	CHECK(!text_of(f.scope, snapshot, "third"));
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

TEST(lost_value, "a damaged value is an error of its key alone, naming file and place")
{
	static uint8_t bytes[200000];
	struct aedb_entry entry = { .pin = NULL }, untouched = entry;
	struct aedb_reader *reader;
	struct fixture f;
	size_t got;

	fixture_open(&f);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_OK(aedb_put(f.scope, "large", 5, bytes, sizeof(bytes)));
	CHECK_OK(put_text(f.scope, "small", "v"));
	fixture_stop(&f);
	byte_flip(&f, "val/1.val", FILE_DATA_OFFSET + 50000);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_STR(text_of(f.scope, NULL, "small"), "v");
	CHECK_FAILS(aedb_get(f.scope, NULL, "large", 5, &entry), AEDB_CORRUPT,
		    "val/1.val");
	CHECK_MEM(&entry, &untouched, sizeof(entry));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "large", 5, &reader));
	CHECK_OK(aedb_reader_read(reader, bytes, 100, 0, &got));
	CHECK_EQ(aedb_reader_read(reader, bytes, sizeof(bytes), 0, &got),
		 AEDB_CORRUPT);
	aedb_reader_close(reader);
	fixture_close(&f);
}

/* Rewrites a file's header as a later version would have written it. */
static void version_raise(struct fixture *f, const char *path)
{
	struct vfs_file *file = disk_file(f, path);
	uint8_t bytes[FILE_HEADER_BYTES];
	struct file_header header;

	CHECK_OK(vfs_read_exact(file, bytes, sizeof(bytes), 0));
	CHECK_OK(file_header_decode(bytes, sizeof(bytes), path, &header));
	header.format_version++;
	file_header_encode(&header, bytes);
	CHECK_OK(vfs_write_all(file, bytes, sizeof(bytes), 0));
	vfs_file_close(file);
}

TEST(newer, "files of a newer format are refused as such, strict or permissive")
{
	static const char *const files[] = { "MANIFEST-1", "wal/1.wal" };

	for (size_t i = 0; i < 4; i++) {
		struct fixture f;

		fixture_open(&f);
		fixture_stop(&f);
		version_raise(&f, files[i / 2]);
		f.options.recovery = i % 2 ? AEDB_PERMISSIVE : AEDB_STRICT;
		CHECK_FAILS(fixture_try(&f), AEDB_NEWER_FORMAT, files[i / 2]);
		simdisk_free(f.disk);
	}
}

TEST(missing_log, "a log file the manifest knows and that is gone is damage")
{
	struct fixture f;

	fixture_open(&f);
	fixture_stop(&f);
	CHECK_OK(vfs_unlink(simdisk_vfs(f.disk), "wal/1.wal"));
	CHECK_EQ(fixture_try(&f), AEDB_CORRUPT);
	simdisk_free(f.disk);
}

/* Has the manifest say that commits up to `seq` lie in segments. */
static void checkpoint_claim(struct fixture *f, seq_t seq)
{
	struct manifest_edit edit = { .set = 0 };
	struct manifest *m;

	manifest_edit_set(&edit, MANIFEST_CHECKPOINT_SEQ, seq);
	manifest_edit_set(&edit, MANIFEST_NEXT_SEQ, seq + 1);
	CHECK_OK(manifest_open(simdisk_vfs(f->disk),
			       (struct manifest_key){ NULL, 0 }, &m));
	CHECK_OK(manifest_append(m, &edit));
	CHECK_OK(manifest_finish(m));
	manifest_close(m);
}

TEST(checkpoint, "commits that are in segments are not taken from the log again")
{
	struct aedb_put b = { .key = "b", .key_bytes = 1 };
	struct aedb_put c = { .key = "c", .key_bytes = 1, .value = "3",
			      .value_bytes = 1 };
	struct aedb_txn *txn;
	struct fixture f;
	seq_t seq;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	seq = aedb_visible_seq(f.db);
	fixture_stop(&f);
	checkpoint_claim(&f, seq);
	CHECK_OK(fixture_try(&f));
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK_EQ(aedb_scope_open(f.db, "p", "s", &f.scope), AEDB_NOT_FOUND);
	CHECK_OK(aedb_create(f.db, place("p", NULL)));
	CHECK(aedb_visible_seq(f.db) > seq);
	CHECK_OK(aedb_create(f.db, place("p", "s")));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_put(txn, f.scope, &b));
	CHECK_OK(aedb_txn_put(txn, f.scope, &c));
	CHECK_OK(aedb_txn_commit(txn, NULL));
	fixture_reopen(&f);
	CHECK_STR(text_of(f.scope, NULL, "c"), "3");
	seq = aedb_visible_seq(f.db);
	fixture_stop(&f);
	checkpoint_claim(&f, seq - 1);
	CHECK_FAILS(fixture_try(&f), AEDB_CORRUPT, "lies inside the commit");
	simdisk_free(f.disk);
}

TEST(full_disk, "a full disk refuses a new database, and takes it once there is space")
{
	struct fixture f;

	fixture_init(&f);
	simdisk_limit_bytes(f.disk, 8 << 10);
	CHECK_EQ(fixture_try(&f), AEDB_NO_SPACE);
	simdisk_limit_bytes(f.disk, 0);
	fixture_start(&f);
	fixture_close(&f);
}

TEST(close_null, "closing and aborting nothing is allowed")
{
	CHECK_OK(aedb_close(NULL));
	aedb_scope_close(NULL);
	aedb_snapshot_close(NULL);
	aedb_scan_close(NULL);
	aedb_reader_close(NULL);
	aedb_stage_close(NULL);
	aedb_txn_abort(NULL);
}

TEST(words, "every code has words of its own, and an unknown one too")
{
	CHECK_STR(aedb_strerror(AEDB_CONFLICT), "changed since it was read");
	CHECK_STR(aedb_strerror(AEDB_OK), "success");
	CHECK_STR(aedb_strerror(-9999), "unknown error");
	for (int a = 0; a > -130; a--)
		for (int b = 0; b > a; b--)
			CHECK_THAT(strcmp(aedb_strerror(a), aedb_strerror(b)) ||
				   strcmp(aedb_strerror(a), "unknown error") == 0,
				   "%d and %d have the same words", a, b);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
