/*
 * Packing. The stages of a chunk: it is read; hashed, in order; compressed and
 * encrypted; written, in order.
 *
 * Invariants:
 * 1. A stage's fields are used by that stage only; the pipeline orders it.
 * 2. An entry has as many bytes as its file had when the list was made.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "archive_coder.h"
#include "archive_list.h"
#include "archive_pipeline.h"
#include "archive_stream.h"
#include "archive_told.h"
#include "err.h"

enum {
	STAGE_READ,
	STAGE_HASH,
	STAGE_SEAL,
	STAGE_WRITE,
};

struct pack {
	struct vfs *vfs;		/* constant, as those up to the blank line */
	struct archive_list list;
	struct archive_keys keys;
	struct archive_coder *coders;	/* each thread has one */
	bool hashes;

	struct archive_position at;	/* reading: of the next record */
	uint64_t offset;
	struct vfs_file *file;		/* owned; NULL: none is open */
	bool has_ended;

	EVP_MD_CTX *digest;		/* hashing */

	struct archive_stream stream;	/* writing */
	struct archive_told told;
};

/* Reading. */

static int read_head(struct pack *pack, const struct archive_file *file,
		     struct archive_chunk *chunk)
{
	struct archive_head head = {
		.type = file->is_directory ? ARCHIVE_DIRECTORY : ARCHIVE_FILE,
		.bytes = file->bytes,
	};
	size_t n;

	strcpy(head.path, file->path);
	n = archive_head_encode(&head, chunk->raw);
	chunk->record = (struct archive_record){ .kind = ARCHIVE_HEAD,
						 .raw_bytes = (uint32_t)n };
	pack->offset = 0;
	if (file->is_directory)
		return 0;
	return vfs_file_open(pack->vfs, file->path, VFS_READ, &pack->file);
}

static int read_chunk(struct pack *pack, const struct archive_file *file,
		      struct archive_chunk *chunk)
{
	uint64_t left = file->bytes - pack->offset;
	size_t n = left < ARCHIVE_CHUNK_BYTES ? (size_t)left : ARCHIVE_CHUNK_BYTES;

	chunk->record = (struct archive_record){ .kind = ARCHIVE_CHUNK,
						 .raw_bytes = (uint32_t)n };
	pack->offset += n;
	return vfs_read_exact(pack->file, chunk->raw, n, pack->offset - n);
}

static void read_foot(struct pack *pack, struct archive_chunk *chunk)
{
	chunk->record = (struct archive_record){
		.kind = ARCHIVE_FOOT,
		.raw_bytes = pack->hashes ? ARCHIVE_FOOT_BYTES : 0,
	};
	if (pack->file)
		vfs_file_close(pack->file);
	pack->file = NULL;
	pack->at.entry++;
	pack->at.record = 0;
}

static void read_end(struct pack *pack, struct archive_chunk *chunk)
{
	struct archive_end end = { pack->list.n, pack->list.bytes };

	archive_end_encode(&end, chunk->raw);
	chunk->record = (struct archive_record){ .kind = ARCHIVE_END,
						 .raw_bytes = ARCHIVE_END_BYTES };
	pack->has_ended = true;
}

static int stage_read(struct pack *pack, struct archive_chunk *chunk)
{
	const struct archive_file *file = &pack->list.files[pack->at.entry];
	int rc = 0;

	if (pack->has_ended)
		return 0;
	chunk->at = pack->at;
	chunk->raw = chunk->room[0];
	pack->at.record++;
	if (pack->at.entry == pack->list.n)
		read_end(pack, chunk);
	else if (chunk->at.record == 0)
		rc = read_head(pack, file, chunk);
	else if (pack->offset < file->bytes)
		rc = read_chunk(pack, file, chunk);
	else
		read_foot(pack, chunk);
	return rc < 0 ? rc : 1;
}

/* Hashing. */

static int stage_hash(struct pack *pack, struct archive_chunk *chunk)
{
	EVP_MD_CTX *digest = pack->digest;
	int is_done = 1;

	if (!pack->hashes)
		return 0;
	switch (chunk->record.kind) {
	case ARCHIVE_HEAD:
		is_done = EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
		break;
	case ARCHIVE_CHUNK:
		is_done = EVP_DigestUpdate(digest, chunk->raw,
					   chunk->record.raw_bytes);
		break;
	case ARCHIVE_FOOT:
		is_done = EVP_DigestFinal_ex(digest, chunk->sha256, NULL);
		memcpy(chunk->raw, chunk->sha256, ARCHIVE_FOOT_BYTES);
		break;
	}
	return is_done == 1 ? 0 : err_set(AEDB_NO_MEMORY, "archive: out of memory");
}

/* Writing. */

static int tell(struct pack *pack, const struct archive_chunk *chunk)
{
	const struct archive_file *file = &pack->list.files[chunk->at.entry];
	struct aedb_archive_entry entry;

	if (chunk->record.kind != ARCHIVE_FOOT)
		return archive_told_bytes(&pack->told,
					  chunk->record.kind == ARCHIVE_CHUNK ?
						  chunk->record.raw_bytes : 0);
	entry = (struct aedb_archive_entry){
		.path = file->path, .is_directory = file->is_directory,
		.bytes = file->bytes,
	};
	memcpy(entry.sha256, chunk->sha256, sizeof(entry.sha256));
	return archive_told_entry(&pack->told, &entry);
}

static int stage_write(struct pack *pack, struct archive_chunk *chunk)
{
	uint8_t record[ARCHIVE_RECORD_BYTES];
	struct iovec iov[] = {
		{ record, sizeof(record) },
		{ chunk->stored, chunk->record.stored_bytes },
		{ chunk->tag, archive_tag_bytes(&pack->keys) },
	};
	int rc;

	archive_record_encode(&chunk->record, record);
	rc = archive_stream_write(&pack->stream, iov, 3);
	return rc < 0 ? rc : tell(pack, chunk);
}

/* All of it. */

static int run(void *arg, unsigned stage, unsigned thread,
	       struct archive_chunk *chunk)
{
	struct pack *pack = arg;

	if (stage == STAGE_READ)
		return stage_read(pack, chunk);
	if (chunk->rc < 0)
		return err_set(chunk->rc, "%s", chunk->message);
	if (stage == STAGE_HASH)
		return stage_hash(pack, chunk);
	if (stage == STAGE_SEAL)
		return archive_coder_seal(&pack->coders[thread], chunk);
	return stage_write(pack, chunk);
}

static int write_header(struct pack *pack, struct archive_key key)
{
	struct archive_header header = { .all_bytes = pack->list.bytes };
	uint8_t bytes[ARCHIVE_HEADER_BYTES];
	struct iovec iov = { bytes, sizeof(bytes) };
	int rc = archive_keys_new(key, &header, bytes, &pack->keys);

	return rc < 0 ? rc : archive_stream_write(&pack->stream, &iov, 1);
}

static int run_pipeline(struct pack *pack, unsigned threads)
{
	struct archive_job job = {
		.run = run, .arg = pack, .threads = threads,
		.is_ordered = { [STAGE_READ] = true, [STAGE_HASH] = true,
				[STAGE_WRITE] = true },
	};
	int rc = archive_coders_seal(&pack->keys, threads, &pack->coders);

	pack->digest = EVP_MD_CTX_new();
	if (rc == 0 && !pack->digest)
		rc = err_set(AEDB_NO_MEMORY, "archive: out of memory");
	if (rc == 0)
		rc = archive_pipeline_run(&job);
	archive_coders_free(pack->coders, threads);
	EVP_MD_CTX_free(pack->digest);
	vfs_file_close(pack->file);
	return rc;
}

int archive_pack(struct vfs *vfs, int fd,
		 const struct aedb_archive_options *options,
		 struct aedb_archive_info *ret)
{
	struct archive_key key = { options->key, options->key_bytes };
	struct pack pack = { .vfs = vfs, .told = { .options = options } };
	int rc;

	archive_stream_init(&pack.stream, fd);
	if (options->cancel_fd)
		pack.stream.cancel_fd = *options->cancel_fd;
	if (options->paths)
		rc = archive_list_given(&pack.list, vfs, options->paths,
					options->n_paths);
	else
		rc = archive_list_all(&pack.list, vfs, options->last);
	pack.told.progress = (struct aedb_transfer){
		.phase = "packing", .all_bytes = pack.list.bytes,
	};
	/* what is encrypted needs none to be verified */
	pack.hashes = options->entry || !key.bytes;
	if (rc == 0)
		rc = write_header(&pack, key);
	if (rc == 0)
		rc = run_pipeline(&pack, archive_pipeline_threads(options->threads));
	if (rc == 0)
		*ret = (struct aedb_archive_info){
			.entries = pack.list.n, .bytes = pack.list.bytes,
			.archive_bytes = pack.stream.bytes,
			.is_encrypted = pack.keys.is_encrypted,
		};
	archive_keys_wipe(&pack.keys);
	archive_list_release(&pack.list);
	return rc;
}

int aedb_archive_pack(const char *directory, int fd,
		      const struct aedb_archive_options *options,
		      struct aedb_archive_info *ret)
{
	struct vfs *vfs;
	int rc = vfs_posix_open_beneath(directory, &vfs);

	if (rc < 0)
		return rc;
	rc = archive_pack(vfs, fd, options, ret);
	vfs_close(vfs);
	return rc;
}
