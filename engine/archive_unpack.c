/*
 * Unpacking and verifying. The stages of a chunk: it is read; decrypted and
 * decompressed; checked and hashed, in order; written to its file, in order.
 *
 * Invariants:
 * 1. A stage's fields are used by that stage only; the pipeline orders it.
 * 2. Nothing of a record is believed before its tag was verified but the sizes
 *    in its header, which are within their bounds by then.
 * 3. Nothing is written that was not checked, and nothing outside the directory:
 *    a path's directories are made here or are not passed.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "archive_coder.h"
#include "archive_names.h"
#include "archive_pipeline.h"
#include "archive_stream.h"
#include "archive_told.h"
#include "err.h"

enum {
	STAGE_READ,
	STAGE_OPEN,
	STAGE_CHECK,
	STAGE_PLACE,
};

struct unpack {
	struct archive_header header;	/* constant, as those up to the blank line */
	struct archive_keys keys;
	struct archive_coder *coders;	/* each thread has one */
	bool hashes;

	struct archive_stream stream;	/* reading */
	struct archive_position next;
	unsigned last_kind;		/* 0: nothing was read */

	EVP_MD_CTX *digest;		/* checking */
	struct archive_names names;
	struct archive_head head;	/* of the entry that is checked */
	uint64_t left, bytes;		/* of it to come; of all entries */

	struct vfs *vfs;		/* placing; NULL: nothing is written */
	struct vfs_file *file;		/* owned; NULL: none is open */
	struct archive_head place;
	struct archive_told told;
};

/* Reading. */

static int read_record(struct unpack *unpack, struct archive_chunk *chunk)
{
	uint8_t bytes[ARCHIVE_RECORD_BYTES];
	int rc = archive_stream_read(&unpack->stream, bytes, sizeof(bytes));

	if (rc == 0)
		rc = archive_record_decode(bytes, &chunk->record);
	if (rc == 0 && !archive_may_follow(unpack->last_kind, chunk->record.kind))
		rc = err_set(AEDB_CORRUPT, "a record of kind %u cannot be there",
			     chunk->record.kind);
	if (rc == 0)
		rc = archive_stream_read(&unpack->stream, chunk->room[0],
					 chunk->record.stored_bytes);
	if (rc == 0)
		rc = archive_stream_read(&unpack->stream, chunk->tag,
					 archive_tag_bytes(&unpack->keys));
	if (rc == 0 && chunk->record.kind == ARCHIVE_END)
		rc = archive_stream_read_end(&unpack->stream);
	return rc;
}

static int stage_read(struct unpack *unpack, struct archive_chunk *chunk)
{
	int rc;

	if (unpack->last_kind == ARCHIVE_END)
		return 0;
	chunk->at = unpack->next;
	rc = read_record(unpack, chunk);
	if (rc < 0)
		return rc;
	unpack->last_kind = chunk->record.kind;
	unpack->next.record++;
	if (chunk->record.kind == ARCHIVE_FOOT)
		unpack->next = (struct archive_position){ chunk->at.entry + 1, 0 };
	return 1;
}

/* Checking. */

static int refuse(const struct unpack *unpack, const struct archive_chunk *chunk,
		  int code, const char *why)
{
	if (chunk->at.record == 0)
		return err_set(code, "archive, entry %u: %s", chunk->at.entry + 1,
			       why);
	return err_set(code, "archive, entry %u (%.256s), record %llu: %s",
		       chunk->at.entry + 1, unpack->head.path,
		       (unsigned long long)chunk->at.record, why);
}

static int damaged(const struct unpack *unpack, const struct archive_chunk *chunk,
		   const char *why)
{
	return refuse(unpack, chunk, AEDB_CORRUPT, why);
}

static int out_of_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "archive: out of memory");
}

static int check_head(struct unpack *unpack, const struct archive_chunk *chunk)
{
	struct archive_head *head = &unpack->head;
	int rc = archive_head_decode(chunk->raw, chunk->record.raw_bytes, head);

	if (rc == 0)
		rc = archive_names_add(&unpack->names, head->path);
	if (rc < 0)
		return refuse(unpack, chunk, rc, err_message());
	if (head->bytes > unpack->header.all_bytes - unpack->bytes)
		return damaged(unpack, chunk, "it has more bytes than the archive says");
	unpack->bytes += head->bytes;
	unpack->left = head->bytes;
	if (unpack->hashes &&
	    EVP_DigestInit_ex(unpack->digest, EVP_sha256(), NULL) != 1)
		return out_of_memory();
	return 0;
}

static int check_chunk(struct unpack *unpack, struct archive_chunk *chunk)
{
	uint32_t n = chunk->record.raw_bytes;

	if (n != (unpack->left < ARCHIVE_CHUNK_BYTES ? unpack->left :
						       ARCHIVE_CHUNK_BYTES))
		return damaged(unpack, chunk, "its size is not that of its entry");
	chunk->offset = unpack->head.bytes - unpack->left;
	unpack->left -= n;
	if (unpack->hashes && EVP_DigestUpdate(unpack->digest, chunk->raw, n) != 1)
		return out_of_memory();
	return 0;
}

static int check_foot(struct unpack *unpack, struct archive_chunk *chunk)
{
	bool has_sha256 = chunk->record.raw_bytes == ARCHIVE_FOOT_BYTES;

	if (unpack->left > 0)
		return damaged(unpack, chunk, "its entry has fewer bytes than it says");
	if (!has_sha256 && !unpack->keys.is_encrypted)
		return damaged(unpack, chunk, "the entry's SHA-256 is not there");
	if (!unpack->hashes)
		return 0;
	if (EVP_DigestFinal_ex(unpack->digest, chunk->sha256, NULL) != 1)
		return out_of_memory();
	if (has_sha256 && CRYPTO_memcmp(chunk->sha256, chunk->raw,
					ARCHIVE_FOOT_BYTES) != 0)
		return damaged(unpack, chunk, "the entry's SHA-256 is another");
	return 0;
}

static int check_end(struct unpack *unpack, const struct archive_chunk *chunk)
{
	struct archive_end end;

	archive_end_decode(chunk->raw, &end);
	if (end.entries != chunk->at.entry || end.bytes != unpack->bytes ||
	    end.bytes != unpack->header.all_bytes)
		return err_set(AEDB_CORRUPT, "archive: entries or bytes are missing");
	return 0;
}

static int stage_check(struct unpack *unpack, struct archive_chunk *chunk)
{
	if (chunk->rc < 0)
		return refuse(unpack, chunk, chunk->rc, chunk->message);
	switch (chunk->record.kind) {
	case ARCHIVE_HEAD:
		return check_head(unpack, chunk);
	case ARCHIVE_CHUNK:
		return check_chunk(unpack, chunk);
	case ARCHIVE_FOOT:
		return check_foot(unpack, chunk);
	}
	return check_end(unpack, chunk);
}

/* Placing. */

static int make_directory(struct vfs *vfs, const char *path)
{
	int rc = vfs->ops->mkdir(vfs, path);

	return rc == AEDB_EXISTS ? 0 : rc;
}

/* Those above it. */
static int make_directories(struct vfs *vfs, char *path)
{
	int rc = 0;

	for (char *at = strchr(path, '/'); at && rc == 0; at = strchr(at + 1, '/')) {
		*at = '\0';
		rc = make_directory(vfs, path);
		*at = '/';
	}
	return rc;
}

static bool is_written(const struct unpack *unpack, const char *path)
{
	const char *only = unpack->told.options->only;

	return unpack->vfs && (!only || strcmp(only, path) == 0);
}

static int place_head(struct unpack *unpack, const struct archive_chunk *chunk)
{
	struct archive_head *head = &unpack->place;
	int rc = archive_head_decode(chunk->raw, chunk->record.raw_bytes, head);

	if (rc < 0 || !is_written(unpack, head->path))
		return rc;
	rc = make_directories(unpack->vfs, head->path);
	if (rc < 0)
		return rc;
	if (head->type == ARCHIVE_DIRECTORY)
		return make_directory(unpack->vfs, head->path);
	return vfs_file_open(unpack->vfs, head->path, VFS_CREATE | VFS_EXCLUSIVE,
			     &unpack->file);
}

static int place_chunk(struct unpack *unpack, const struct archive_chunk *chunk)
{
	uint32_t n = chunk->record.raw_bytes;
	int rc = 0;

	for (uint32_t at = 0; at < n && unpack->file && rc == 0;) {
		uint32_t part = n - at < ARCHIVE_WRITE_BYTES ? n - at :
							       ARCHIVE_WRITE_BYTES;

		rc = vfs_write_all(unpack->file, chunk->raw + at, part,
				   chunk->offset + at);
		at += part;
	}
	return rc < 0 ? rc : archive_told_bytes(&unpack->told, n);
}

static int place_foot(struct unpack *unpack, const struct archive_chunk *chunk)
{
	struct aedb_archive_entry entry = {
		.path = unpack->place.path, .bytes = unpack->place.bytes,
		.is_directory = unpack->place.type == ARCHIVE_DIRECTORY,
	};

	vfs_file_close(unpack->file);
	unpack->file = NULL;
	memcpy(entry.sha256, chunk->sha256, sizeof(entry.sha256));
	return archive_told_entry(&unpack->told, &entry);
}

static int stage_place(struct unpack *unpack, const struct archive_chunk *chunk)
{
	switch (chunk->record.kind) {
	case ARCHIVE_HEAD:
		return place_head(unpack, chunk);
	case ARCHIVE_CHUNK:
		return place_chunk(unpack, chunk);
	case ARCHIVE_FOOT:
		return place_foot(unpack, chunk);
	}
	return archive_told_bytes(&unpack->told, 0);
}

/* All of it. */

static int run(void *arg, unsigned stage, unsigned thread,
	       struct archive_chunk *chunk)
{
	struct unpack *unpack = arg;

	switch (stage) {
	case STAGE_READ:
		return stage_read(unpack, chunk);
	case STAGE_OPEN:
		return archive_coder_open(&unpack->coders[thread], chunk);
	case STAGE_CHECK:
		return stage_check(unpack, chunk);
	}
	return stage_place(unpack, chunk);
}

static int read_header(struct unpack *unpack)
{
	const struct aedb_archive_options *options = unpack->told.options;
	struct archive_key key = { options->key, options->key_bytes };
	uint8_t bytes[ARCHIVE_HEADER_BYTES];
	int rc = archive_stream_read(&unpack->stream, bytes, sizeof(bytes));

	if (rc == 0 && options->may_be_plain) {
		rc = archive_header_decode(bytes, &unpack->header);
		if (!unpack->header.is_encrypted)
			key.bytes = NULL;
	}
	return rc < 0 ? rc : archive_keys_open(key, bytes, &unpack->header,
					       &unpack->keys);
}

static int run_pipeline(struct unpack *unpack, unsigned threads)
{
	struct archive_job job = {
		.run = run, .arg = unpack, .threads = threads,
		.is_ordered = { [STAGE_READ] = true, [STAGE_CHECK] = true,
				[STAGE_PLACE] = true },
	};
	int rc = archive_coders_open(&unpack->keys, threads, &unpack->coders);

	unpack->digest = EVP_MD_CTX_new();
	if (rc == 0 && !unpack->digest)
		rc = out_of_memory();
	if (rc == 0)
		rc = archive_pipeline_run(&job);
	archive_coders_free(unpack->coders, threads);
	EVP_MD_CTX_free(unpack->digest);
	vfs_file_close(unpack->file);
	archive_names_release(&unpack->names);
	return rc;
}

static int check_empty(struct vfs *vfs)
{
	char **names;
	size_t n;
	int rc = vfs->ops->list(vfs, ".", &names, &n);

	if (rc < 0)
		return rc;
	vfs_free_names(names, n);
	return n == 0 ? 0 : err_set(AEDB_NOT_EMPTY, "the directory for the "
				    "archive's files is not empty");
}

int archive_unpack(int fd, struct vfs *vfs,
		   const struct aedb_archive_options *options,
		   struct aedb_archive_info *ret)
{
	struct unpack unpack = { .vfs = vfs, .told = { .options = options } };
	int rc = vfs ? check_empty(vfs) : 0;

	archive_stream_init(&unpack.stream, fd);
	if (options->cancel_fd)
		unpack.stream.cancel_fd = *options->cancel_fd;
	if (rc == 0)
		rc = read_header(&unpack);
	unpack.told.progress = (struct aedb_transfer){
		.phase = vfs ? "unpacking" : "verifying",
		.all_bytes = unpack.header.all_bytes,
	};
	/* what is encrypted was verified when it was decrypted */
	unpack.hashes = options->entry || !unpack.keys.is_encrypted;
	if (rc == 0)
		rc = run_pipeline(&unpack, archive_pipeline_threads(options->threads));
	if (rc == 0)
		*ret = (struct aedb_archive_info){
			.entries = unpack.next.entry, .bytes = unpack.bytes,
			.archive_bytes = unpack.stream.bytes,
			.is_encrypted = unpack.keys.is_encrypted,
		};
	archive_keys_wipe(&unpack.keys);
	return rc;
}

int aedb_archive_unpack(int fd, const char *directory,
			const struct aedb_archive_options *options,
			struct aedb_archive_info *ret)
{
	struct vfs *vfs;
	int rc = vfs_posix_open_beneath(directory, &vfs);

	if (rc < 0)
		return rc;
	rc = archive_unpack(fd, vfs, options, ret);
	vfs_close(vfs);
	return rc;
}

int aedb_archive_verify(int fd, const struct aedb_archive_options *options,
			struct aedb_archive_info *ret)
{
	return archive_unpack(fd, NULL, options, ret);
}
