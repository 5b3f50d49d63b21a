/*
 * Made-up backups.
 */
#include "make_backup.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup_dir.h"
#include "err.h"
#include "plain_text.h"
#include "sim_file.h"

#define CONTENT_BYTES_MAX 3000
#define LOG_BYTES FILE_DATA_OFFSET
#define LOG_ALIGN 8

struct maker {
	struct vfs *vfs;	/* of the backup's directory */
	struct backup_manifest *m;
	const struct backup_manifest *parent;
	uint64_t random;
};

static void must_do(int rc)
{
	if (rc < 0) {
		fprintf(stderr, "making a backup: %s\n", err_message());
		abort();
	}
}

static void random_bytes(uint64_t *random, uint8_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)sim_random(random);
}

static void file_write(struct vfs *vfs, const char *path, const uint8_t *bytes,
		       size_t n)
{
	struct vfs_file *file;

	must_do(vfs_file_open(vfs, path, VFS_CREATE | VFS_EXCLUSIVE, &file));
	must_do(vfs_write_all(file, bytes, n, 0));
	must_do(vfs_file_sync(file));
	vfs_file_close(file);
}

/* The first log file of the backup goes on where its parent's log was cut. */
static size_t log_content(struct maker *maker, const struct backup_file *file,
			  uint8_t *ret)
{
	struct wal_header header = { .file_bytes = WAL_FILE_BYTES_MIN };

	must_do(file_header_init(&header.base, FILE_WAL, maker->m->db_uuid,
				 file->number));
	memcpy(header.base.incarnation, file->incarnation,
	       sizeof(file->incarnation));
	header.start_lsn = maker->parent->log_end.lsn;
	header.durable_lsn = header.start_lsn;
	memcpy(header.prev_digest, maker->parent->log_end.digest,
	       WAL_DIGEST_BYTES);
	memset(ret, 0, LOG_BYTES);
	wal_header_encode(&header, ret);
	return LOG_BYTES;
}

static void file_make(struct maker *maker, const char *path)
{
	uint8_t bytes[CONTENT_BYTES_MAX + LOG_BYTES];
	struct backup_file file = { .bytes = 0 };
	size_t n;

	must_do(backup_file_set_path(&file, path));
	if (file.number)
		random_bytes(&maker->random, file.incarnation,
			     sizeof(file.incarnation));
	n = (size_t)(sim_random(&maker->random) % CONTENT_BYTES_MAX);
	random_bytes(&maker->random, bytes, n);
	if (file.kind == BACKUP_FILE_LOG)
		n = log_content(maker, &file, bytes);
	file_write(maker->vfs, path, bytes, n);
	file.bytes = n;
	if (!EVP_Digest(bytes, n, file.sha256, NULL, EVP_sha256(), NULL))
		abort();
	must_do(backup_manifest_add_file(maker->m, &file));
}

static void files_inherit(struct maker *maker)
{
	for (size_t i = 0; i < maker->parent->n_files; i++) {
		struct backup_file file = maker->parent->files[i];

		if (!file.number || file.kind == BACKUP_FILE_LOG)
			continue;
		if (!*file.stored)
			strcpy(file.stored, maker->parent->id);
		must_do(backup_manifest_add_file(maker->m, &file));
	}
}

/* Numbers of files are never used again: they follow from how far all is. */
static void files_make(struct maker *maker)
{
	uint64_t next = maker->m->head_seq;
	char path[BACKUP_PATH_BYTES];

	for (unsigned i = 0; i < 2; i++) {
		bool is_log = maker->m->form == AEDB_BACKUP_LOG;

		snprintf(path, sizeof(path), is_log ? "wal/%u.wal" : "seg/%u.seg",
			 (unsigned)next + i);
		if (is_log)
			*(i ? &maker->m->log_last : &maker->m->log_first) = next + i;
		file_make(maker, path);
	}
	snprintf(path, sizeof(path), "val/%u.val", (unsigned)next);
	file_make(maker, path);
	if (maker->m->form == AEDB_BACKUP_LOG)
		return;
	file_make(maker, "CURRENT");
	file_make(maker, "MANIFEST-1");
	if (maker->parent)
		files_inherit(maker);
}

static void directories_make(struct vfs *dir, const char *name)
{
	static const char *const inside[] = { "", "/seg", "/val", "/wal" };

	for (size_t i = 0; i < 4; i++) {
		char path[MANIFEST_NAME_BYTES_MAX + 8];

		snprintf(path, sizeof(path), "%s%s", name, inside[i]);
		must_do(dir->ops->mkdir(dir, path));
	}
}

static void manifest_begin(const struct make_backup *how, uint64_t *random,
			   struct backup_manifest *ret)
{
	const struct backup_manifest *parent = how->parent;
	uint8_t id[AEDB_BACKUP_ID_BYTES / 2];

	*ret = (struct backup_manifest){
		.kind = parent ? AEDB_BACKUP_INCREMENTAL : AEDB_BACKUP_FULL,
		.form = how->form,
		.database_format = FILE_FORMAT_VERSION,
		.began_us = how->began_us,
		.finished_us = how->began_us + 1500000,
		.from_seq = parent ? parent->head_seq : 0,
		.head_time_us = how->began_us,
	};
	random_bytes(random, id, sizeof(id));
	hex_write(id, sizeof(id), ret->id);
	strcpy(ret->name, how->name);
	strcpy(ret->engine, AEDB_VERSION);
	if (parent)
		strcpy(ret->parent, parent->id);
	memset(ret->db_uuid, how->database, sizeof(ret->db_uuid));
	ret->head_seq = ret->from_seq + 10 + sim_random(random) % 100;
	ret->log_end.lsn = (parent ? parent->log_end.lsn : 0) +
			   LOG_ALIGN * (sim_random(random) % 1000);
	random_bytes(random, ret->log_end.digest, WAL_DIGEST_BYTES);
}

void make_backup(struct vfs *dir, const struct make_backup *how,
		 struct backup_manifest *ret)
{
	struct maker maker = { .m = ret, .parent = how->parent,
			       .random = how->seed };
	static const char *const inside[] = { "seg", "val", "wal" };

	manifest_begin(how, &maker.random, ret);
	directories_make(dir, how->name);
	must_do(vfs_under(dir, how->name, &maker.vfs));
	files_make(&maker);
	for (size_t i = 0; i < 3; i++)
		must_do(vfs_sync_dir(maker.vfs, inside[i]));
	must_do(backup_manifest_write(maker.vfs, ret, how->key));
	must_do(vfs_sync_dir(dir, "."));
	vfs_close(maker.vfs);
}
