/*
 * A directory of backups: what is found in it, chains, verification, and what
 * killed processes leave.
 */
#include <sys/stat.h>

#include "backup_files.h"
#include "backup_set.h"
#include "backup_verify.h"
#include "check.h"
#include "err.h"
#include "make_backup.h"
#include "simdisk.h"

#define HOUR_US UINT64_C(3600000000)
#define BEGAN_US UINT64_C(1760000000000000)

static const struct aedb_backup_key key = { "0123456789abcdef", 16 };
static struct simdisk *disk;
static struct vfs *dir;
static struct backup_set set;

/* full, then a of the log form on it, b of the files form on that, c of the log
 * form on that; and another full one. */
enum { FULL, A, B, C, OTHER, MADE };
static struct backup_manifest made[MADE];

static void make(unsigned which, const char *name, int parent,
		 enum aedb_backup_form form, const struct aedb_backup_key *with)
{
	struct make_backup how = {
		.name = name, .form = form,
		.parent = parent < 0 ? NULL : &made[parent],
		.began_us = BEGAN_US + which * HOUR_US,
		.seed = 1000 + which, .key = with,
	};

	make_backup(dir, &how, &made[which]);
}

static void backups_make(const struct aedb_backup_key *with)
{
	make(FULL, "full", -1, AEDB_BACKUP_FILES, with);
	make(A, "a", FULL, AEDB_BACKUP_LOG, with);
	make(B, "b", A, AEDB_BACKUP_FILES, with);
	make(C, "c", B, AEDB_BACKUP_LOG, with);
	make(OTHER, "another", -1, AEDB_BACKUP_FILES, with);
}

static void begin(void)
{
	disk = simdisk_new(1);
	dir = simdisk_vfs(disk);
	backups_make(NULL);
}

static void end(void)
{
	backup_set_release(&set);
	for (unsigned i = 0; i < MADE; i++)
		backup_manifest_release(&made[i]);
	simdisk_free(disk);
	disk = NULL;
}

static struct backup_entry *loaded(const char *name)
{
	struct backup_entry *entry;

	backup_set_release(&set);
	CHECK_OK(backup_set_load(dir, NULL, &set));
	entry = backup_set_find(&set, name);
	CHECK(entry != NULL);
	return entry;
}

static void is_broken(const char *name, const char *reason)
{
	struct backup_entry *entry = loaded(name);

	CHECK_EQ(entry->state, AEDB_BACKUP_BROKEN);
	CHECK_THAT(strstr(entry->reason, reason), "\"%s\" is not \"%s\"",
		   entry->reason, reason);
}

static void is_finished(const char *name)
{
	struct backup_entry *entry = loaded(name);

	CHECK_THAT(entry->state == AEDB_BACKUP_FINISHED, "%s", entry->reason);
}

/* Writes the manifest anew after a change. */
static void rewrite(const char *name, struct backup_manifest *m)
{
	struct vfs *backup;

	CHECK_OK(vfs_under(dir, name, &backup));
	CHECK_OK(backup_manifest_write(backup, m, NULL));
	vfs_close(backup);
}

static void tree_remove(const char *name)
{
	CHECK_OK(backup_dir_remove(dir, name));
}

/* Each names files of all before it. */
static void long_chain_make(struct backup_manifest *m, unsigned n)
{
	char name[16];

	for (unsigned i = 0; i < n; i++) {
		struct make_backup how = {
			.name = name, .form = AEDB_BACKUP_FILES,
			.parent = i ? &m[i - 1] : NULL,
			.began_us = BEGAN_US + i * HOUR_US,
			.seed = 2000 + i,
		};

		snprintf(name, sizeof(name), "n%u", i);
		make_backup(dir, &how, &m[i]);
	}
}

#define LONG_CHAIN (BACKUP_FILES_KEPT + 20)

TEST(long_chain, "a chain of more lists than are kept is judged whole")
{
	static struct backup_manifest m[LONG_CHAIN];
	char last[16];
	size_t own = 0;

	begin();
	long_chain_make(m, LONG_CHAIN);
	snprintf(last, sizeof(last), "n%d", LONG_CHAIN - 1);
	is_finished(last);
	while (*m[1].files[own].stored)
		own++;
	m[1].files[own].sha256[0] ^= 1;
	rewrite("n1", &m[1]);
	is_broken("n2", "is another one in its parent n1");
	is_broken(last, "cannot be used");
	is_finished("n1");
	for (unsigned i = 0; i < LONG_CHAIN; i++)
		backup_manifest_release(&m[i]);
	end();
}

TEST(found, "all backups of a directory are found, oldest first, with their parents")
{
	static const char *const names[] = { "full", "a", "b", "c", "another" };
	struct backup_entry **chain;
	struct aedb_backup_info info;
	uint64_t here = 0, all = 0;
	size_t n;

	begin();
	is_finished("c");
	CHECK_EQ(set.n, MADE);
	for (size_t i = 0; i < MADE; i++) {
		CHECK_STR(set.at[i].name, names[i]);
		CHECK_EQ(set.at[i].state, AEDB_BACKUP_FINISHED);
		CHECK(!set.at[i].m.files && !set.at[i].m.snapshots);
	}
	CHECK_OK(backup_set_chain(&set.at[C], &chain, &n));
	CHECK_EQ(n, 4);
	for (size_t i = 0; i < n; i++)
		CHECK(chain[i] == &set.at[i]);
	free(chain);
	CHECK(set.at[OTHER].parent == NULL);
	CHECK(backup_set_find_id(&set, made[B].id) == &set.at[B]);
	backup_info_fill(&set.at[B], &info);
	CHECK_STR(info.name, "b");
	CHECK_STR(info.parent, made[A].id);
	CHECK_STR(info.database, "00000000-0000-0000-0000-000000000000");
	CHECK_EQ(info.form, AEDB_BACKUP_FILES);
	CHECK_EQ(info.began_ns, (BEGAN_US + B * HOUR_US) * 1000);
	CHECK_EQ(info.from_seq, made[A].head_seq);
	for (size_t i = 0; i < made[B].n_files; i++) {
		all += made[B].files[i].bytes;
		here += *made[B].files[i].stored ? 0 : made[B].files[i].bytes;
	}
	CHECK_EQ(info.bytes, all);
	CHECK_EQ(info.stored_bytes, here);
	CHECK(here < all && here > 0);
	end();
}

TEST(unfinished, "what is being made or removed is no backup, and other names are not looked at")
{
	struct vfs_file *file;

	begin();
	CHECK_OK(dir->ops->mkdir(dir, ".new.partial"));
	CHECK_OK(dir->ops->mkdir(dir, ".old.removing"));
	CHECK_OK(dir->ops->mkdir(dir, ".other"));
	CHECK_OK(dir->ops->mkdir(dir, "with space"));
	CHECK_OK(dir->ops->mkdir(dir, "empty"));
	CHECK_OK(vfs_file_open(dir, "archive.aedb", VFS_CREATE, &file));
	vfs_file_close(file);
	is_broken("empty", "there is no backup.json");
	CHECK_EQ(set.n, MADE + 3);
	CHECK_STR(set.at[MADE].name, "empty");
	CHECK_STR(set.at[MADE + 1].name, "new");
	CHECK_EQ(set.at[MADE + 1].state, AEDB_BACKUP_UNFINISHED);
	CHECK_STR(set.at[MADE + 2].name, "old");
	CHECK(backup_set_find(&set, "new") == NULL);
	end();
}

TEST(swept, "what killed processes left goes, with all that is in it, and nothing else")
{
	struct vfs_file *file, *lock, *other;

	begin();
	CHECK_OK(vfs_rename(dir, "another", ".another.removing"));
	CHECK_OK(dir->ops->mkdir(dir, ".x.partial"));
	CHECK_OK(dir->ops->mkdir(dir, ".x.partial.y"));
	CHECK_OK(vfs_file_open(dir, ".f.partial", VFS_CREATE, &file));
	vfs_file_close(file);
	CHECK_OK(backup_dir_lock(dir, &lock));
	CHECK_EQ(backup_dir_lock(dir, &other), AEDB_BUSY);
	CHECK_OK(backup_dir_sweep(dir));
	vfs_file_close(lock);
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	CHECK_OK(backup_dir_lock(dir, &lock));
	vfs_file_close(lock);
	is_finished("c");
	CHECK_EQ(set.n, MADE - 1);
	end();
}

TEST(parents, "a backup whose parents are missing or do not fit is broken, and its children too")
{
	struct backup_manifest *m = &made[B];

	begin();
	tree_remove("a");
	is_broken("b", "its parent ");
	CHECK(strstr(loaded("b")->reason, "is missing"));
	is_broken("c", "its parent b cannot be used");
	is_finished("full");
	end();
	begin();
	m->from_seq--;
	rewrite("b", m);
	is_broken("b", "its parent a ends at");
	is_broken("c", "cannot be used");
	m->from_seq++;
	m->db_uuid[0] ^= 1;
	rewrite("b", m);
	is_broken("b", "of another database");
	m->db_uuid[0] ^= 1;
	m->log_end.lsn = made[A].log_end.lsn - 1;
	rewrite("b", m);
	is_broken("b", "its log ends before");
	end();
}

TEST(stored, "a file must be in the parent that is said to have it, exactly that one")
{
	struct backup_manifest *m = &made[B];
	struct backup_file *file = NULL;

	begin();
	for (size_t i = 0; i < m->n_files; i++)
		if (*m->files[i].stored)
			file = &m->files[i];
	CHECK(file != NULL);
	file->sha256[0] ^= 1;
	rewrite("b", m);
	is_broken("b", "is another one in its parent");
	file->sha256[0] ^= 1;
	file->bytes++;
	rewrite("b", m);
	is_broken("b", "is another one in its parent");
	file->bytes--;
	file->incarnation[0] ^= 1;
	rewrite("b", m);
	is_broken("b", "is another one in its parent");
	file->incarnation[0] ^= 1;
	strcpy(file->stored, made[C].id);
	rewrite("b", m);
	is_broken("b", "none of its parents");
	strcpy(file->stored, made[FULL].id);
	rewrite("b", m);
	is_broken("b", "is not in its parent full");
	strcpy(file->stored, made[A].id);
	rewrite("b", m);
	is_finished("b");
	end();
}

static void name_change(const char *from, const char *to)
{
	CHECK_OK(vfs_rename(dir, from, to));
}

TEST(names, "a backup may be renamed, and not to stand where another one was")
{
	begin();
	name_change("a", "older");
	is_finished("older");
	is_finished("c");
	/* swapped */
	name_change("older", "temporary");
	name_change("b", "a");
	name_change("temporary", "b");
	is_broken("a", "it was made as b, which another one is called there");
	is_broken("b", "it was made as a, which another one is called there");
	is_broken("c", "cannot be used");
	is_finished("full");
	end();
}

TEST(ids, "of two backups with one id, and of those in a circle, none takes part in a chain")
{
	char id[AEDB_BACKUP_ID_BYTES + 1];

	begin();
	strcpy(id, made[OTHER].id);
	strcpy(made[OTHER].id, made[FULL].id);
	rewrite("another", &made[OTHER]);
	is_broken("another", "it and full have one id");
	is_broken("full", "it and another have one id");
	is_broken("a", "is there more than once");
	is_broken("c", "cannot be used");
	/* a copy, which has the name it was made with within */
	rewrite("another", &made[FULL]);
	is_broken("another", "it is a copy of full");
	is_finished("full");
	is_finished("c");
	strcpy(made[OTHER].id, id);
	rewrite("another", &made[OTHER]);
	is_finished("another");

	/* a's parent is c, whose parents lead to a */
	strcpy(made[A].parent, made[C].id);
	made[A].from_seq = made[A].head_seq = made[B].from_seq;
	rewrite("a", &made[A]);
	for (unsigned i = A; i <= C; i++)
		CHECK_EQ(loaded(i == A ? "a" : i == B ? "b" : "c")->state,
			 AEDB_BACKUP_BROKEN);
	is_finished("full");
	end();
}

TEST(signatures, "with a key what is not signed with it is broken")
{
	disk = simdisk_new(1);
	dir = simdisk_vfs(disk);
	backups_make(&key);
	is_finished("c");
	rewrite("b", &made[B]);
	backup_set_release(&set);
	CHECK_OK(backup_set_load(dir, &key, &set));
	CHECK_EQ(backup_set_find(&set, "a")->state, AEDB_BACKUP_FINISHED);
	CHECK(strstr(backup_set_find(&set, "b")->reason, "not signed"));
	CHECK_EQ(backup_set_find(&set, "c")->state, AEDB_BACKUP_BROKEN);
	end();
}

/* Verifies "c"; *ret_text is the findings, owned. */
static uint64_t verify_c(char **ret_text)
{
	struct backup_check check = { .out = NULL };
	size_t n;

	loaded("c");
	check.out = open_memstream(ret_text, &n);
	CHECK_OK(backup_verify_chain(dir, backup_set_find(&set, "c"), &check));
	fclose(check.out);
	CHECK_EQ(check.report.backups, 4);
	return check.report.findings;
}

static uint64_t verify_counts(void)
{
	char *text;
	uint64_t n = verify_c(&text);

	free(text);
	return n;
}

static void verify_finds(const char *want)
{
	char *text;
	uint64_t n = verify_c(&text);

	CHECK_THAT(n == 1, "want \"%s\", %d findings: %s", want, (int)n, text);
	CHECK_THAT(strstr(text, want), "\"%s\" is not in: %s", want, text);
	free(text);
}

static void byte_flip(const char *path, uint64_t offset)
{
	struct vfs_file *file;
	uint8_t byte;

	CHECK_OK(vfs_file_open(dir, path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	byte ^= 0x10;
	CHECK_OK(vfs_write_all(file, &byte, 1, offset));
	vfs_file_close(file);
}

static void path_in(char ret[300], const char *backup, const struct backup_file *file)
{
	snprintf(ret, 300, "%s/%s", backup, file->path);
}

TEST(whole, "a whole chain is read wholly, and nothing is found")
{
	static const unsigned chain[] = { FULL, A, B, C };
	struct backup_check check = { .out = NULL };
	uint64_t bytes = 0, files = 0;

	begin();
	for (size_t k = 0; k < 4; k++)
		for (size_t i = 0; i < made[chain[k]].n_files; i++)
			if (!*made[chain[k]].files[i].stored) {
				bytes += made[chain[k]].files[i].bytes;
				files++;
			}
	CHECK_OK(backup_verify_chain(dir, loaded("c"), &check));
	CHECK_EQ(check.report.findings, 0);
	CHECK_EQ(check.report.backups, 4);
	CHECK_EQ(check.report.files, files);
	CHECK_EQ(check.report.bytes, bytes);
	CHECK_EQ(check.all_bytes, bytes);
	end();
}

TEST(all, "of all backups each is read once")
{
	struct backup_check check = { .out = NULL };

	begin();
	CHECK_OK(dir->ops->mkdir(dir, ".x.partial"));
	CHECK_OK(dir->ops->mkdir(dir, "empty"));
	loaded("c");
	CHECK_OK(backup_verify_all(dir, &set, &check));
	CHECK_EQ(check.report.backups, MADE + 1);
	CHECK_EQ(check.report.bytes, check.all_bytes);
	CHECK_EQ(check.report.findings, 1);	/* of the empty one */
	end();
}

TEST(every_file, "every file that is missing, changed or longer is found, in all of a chain")
{
	static const char *const names[] = { "full", "a", "b", "c" };

	begin();
	for (unsigned k = 0; k < 4; k++) {
		for (size_t i = 0; i < made[k].n_files; i++) {
			const struct backup_file *f = &made[k].files[i];
			struct vfs_file *file;
			char path[300], moved[8] = "moved";

			path_in(path, names[k], f);
			if (*f->stored || !f->bytes)
				continue;
			byte_flip(path, f->bytes / 2);
			verify_finds("was changed since");
			byte_flip(path, f->bytes / 2);
			CHECK_OK(vfs_file_open(dir, path, VFS_WRITE, &file));
			CHECK_OK(vfs_file_truncate(file, f->bytes + 1));
			verify_finds("when it was backed up");
			CHECK_OK(vfs_file_truncate(file, f->bytes));
			vfs_file_close(file);
			CHECK_OK(vfs_rename(dir, path, moved));
			verify_finds("is missing");
			CHECK_OK(vfs_rename(dir, moved, path));
		}
	}
	CHECK_EQ(verify_counts(), 0);
	end();
}

TEST(extra, "every name that does not belong there is found")
{
	static const char *const paths[] = { "a/extra", "a/seg/9.seg", "b/val/x",
					     "full/LOCK", "c/CURRENT" };
	struct vfs_file *file;

	begin();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		CHECK_OK(vfs_file_open(dir, paths[i], VFS_CREATE, &file));
		vfs_file_close(file);
		verify_finds(strchr(paths[i], '/') + 1);
		CHECK_OK(vfs_unlink(dir, paths[i]));
	}
	CHECK_OK(dir->ops->mkdir(dir, "a/more"));
	verify_finds("more does not belong there");
	CHECK_OK(vfs_rmdir(dir, "a/more"));
	end();
}

TEST(log_begin, "a log that does not go on where its parent's ends is found")
{
	struct backup_manifest *m = &made[B];

	begin();
	m->log_end.digest[0] ^= 1;
	rewrite("b", m);
	verify_finds("does not go on where the log of b ends");
	end();
}

static int cancel(void *arg, const struct aedb_transfer *progress)
{
	CHECK_STR(progress->phase, "verify");
	CHECK(progress->done_bytes <= progress->all_bytes);
	return ++*(int *)arg == 3;
}

TEST(canceled, "a verification ends when its watcher says so")
{
	int calls = 0;
	struct backup_check check = { .watch = { cancel, &calls } };

	begin();
	CHECK_EQ(backup_verify_chain(dir, loaded("c"), &check), AEDB_CANCELED);
	CHECK_EQ(calls, 3);
	end();
}

/* On a directory of the host's file system. */
static char host[64];

static void host_begin(void)
{
	strcpy(host, "/tmp/aedb-backup-XXXXXX");
	CHECK(mkdtemp(host) != NULL);
	CHECK_OK(vfs_posix_open(host, &dir));
	backups_make(NULL);
}

static void host_end(void)
{
	char command[96];

	vfs_close(dir);
	end();
	snprintf(command, sizeof(command), "rm -rf %s", host);
	CHECK_EQ(system(command), 0);
}

static void host_run(const char *command)
{
	char line[400];

	snprintf(line, sizeof(line), "cd %s && { %s; }", host, command);
	CHECK_EQ(system(line), 0);
}

TEST(links, "links and pipes in place of files and directories are found and not followed")
{
	char command[200];

	host_begin();
	CHECK_EQ(verify_counts(), 0);
	snprintf(command, sizeof(command), "mv full/%s x && ln -s ../../x full/%s",
		 made[FULL].files[0].path, made[FULL].files[0].path);
	host_run(command);
	CHECK(verify_counts() > 1);
	snprintf(command, sizeof(command), "rm full/%s && mkfifo full/%s",
		 made[FULL].files[0].path, made[FULL].files[0].path);
	host_run(command);
	CHECK(verify_counts() > 1);
	snprintf(command, sizeof(command), "rm full/%s && mv x full/%s",
		 made[FULL].files[0].path, made[FULL].files[0].path);
	host_run(command);
	CHECK_EQ(verify_counts(), 0);
	host_run("mv full/seg s && ln -s ../s full/seg");
	CHECK(verify_counts() > 1);
	host_run("rm full/seg && mv s full/seg && ln -s full linked");
	is_broken("linked", "it is no directory");
	is_finished("c");
	host_end();
}

TEST(linked_manifest, "a link in place of backup.json makes one backup broken, and no other")
{
	host_begin();
	host_run("mv another/backup.json x && ln -s ../x another/backup.json");
	is_broken("another", "symbolic link");
	is_finished("c");
	host_run("rm another/backup.json && mkfifo another/backup.json");
	is_broken("another", "no regular file");
	is_finished("c");
	host_end();
}

TEST(removed_links, "removing a backup removes links in it and not what they lead to")
{
	host_begin();
	host_run("mkdir out && touch out/file && ln -s ../out another/out");
	tree_remove("another");
	host_run("test -e out/file && ! test -e another && ! test -e .another.removing");
	host_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
