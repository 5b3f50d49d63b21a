/* Readers of what nobody believes. */
#include "fuzz_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "archive.h"
#include "backup_manifest.h"
#include "plain_text.h"
#include "simdisk.h"

#define UNPACKED_MAX (16u << 20)	/* on the disk, whatever an archive says */

static void must(int is_so)
{
	if (!is_so)
		abort();
}

/* What is taken is written again as it was. */
static int manifest_take(const char *text, size_t n)
{
	struct backup_manifest m;
	char *again;
	size_t again_n;
	int rc = backup_manifest_decode(text, n, "fuzz", NULL, &m);

	if (rc < 0)
		return 0;
	if (!m.is_signed) {
		must(backup_manifest_encode(&m, NULL, &again, &again_n) == 0);
		must(n == again_n && memcmp(text, again, n) == 0);
		free(again);
	}
	backup_manifest_release(&m);
	return 1;
}

/* The body of the text: up to the digest, if it has one. */
static size_t body_bytes(const char *text, size_t n)
{
	static const char digest[] = ",\n\"sha256\":";

	for (size_t at = n; at-- > 0;)
		if (n - at > sizeof(digest) &&
		    !memcmp(text + at, digest, sizeof(digest) - 1))
			return at;
	return n;
}

int fuzz_manifest(const uint8_t *bytes, size_t n)
{
	size_t body = body_bytes((const char *)bytes, n), end;
	char *forged = malloc(body + 200), hex[65];
	uint8_t digest[32];
	int is_taken = manifest_take((const char *)bytes, n);

	must(forged != NULL);
	memcpy(forged, bytes, body);
	must(EVP_Digest(forged, body, digest, NULL, EVP_sha256(), NULL) == 1);
	hex_write(digest, sizeof(digest), hex);
	end = body + (size_t)sprintf(forged + body,
				     ",\n\"sha256\":\"%s\",\n\"hmac\":null}\n", hex);
	is_taken |= manifest_take(forged, end);
	free(forged);
	return is_taken;
}

static int archive_take(const uint8_t *bytes, size_t n, const void *key)
{
	struct aedb_archive_options options;
	struct aedb_archive_info info;
	struct simdisk *disk = simdisk_new(1);
	int fd = memfd_create("archive", MFD_CLOEXEC), rc;

	must(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	simdisk_limit_bytes(disk, UNPACKED_MAX);
	aedb_archive_options_init(&options);
	options.key = key;
	options.key_bytes = key ? FUZZ_KEY_BYTES : 0;
	options.threads = 1;
	rc = archive_unpack(fd, simdisk_vfs(disk), &options, &info);
	must(rc < 0 || info.archive_bytes == n);
	close(fd);
	simdisk_free(disk);
	return rc == 0;
}

int fuzz_archive(const uint8_t *bytes, size_t n)
{
	return archive_take(bytes, n, NULL) | archive_take(bytes, n, FUZZ_KEY);
}
