/*
 * A table of digests: of the name's SHA-256 half, in one bit of which is said
 * whether it is a directory above others.
 */
#include "archive_names.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "aedb_archive.h"
#include "bytes.h"
#include "err.h"

#define SLOTS_FIRST 64
#define ABOVE_BIT 1u

struct archive_name {
	uint64_t a, b;		/* both zero: nothing here */
};

static int name_of(const char *path, size_t n, struct archive_name *ret)
{
	uint8_t digest[32];

	if (EVP_Digest(path, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	ret->a = bytes_load_le64(digest);
	ret->b = bytes_load_le64(digest + 8) & ~(uint64_t)ABOVE_BIT;
	return 0;
}

/* The name's slot, or the empty one where it belongs. */
static struct archive_name *find(const struct archive_names *names,
				 const struct archive_name *name)
{
	size_t mask = names->slots_n - 1, i = name->a & mask;

	for (;; i = (i + 1) & mask) {
		struct archive_name *slot = &names->slots[i];

		if ((slot->a == 0 && slot->b == 0) ||
		    (slot->a == name->a && (slot->b & ~(uint64_t)ABOVE_BIT) == name->b))
			return slot;
	}
}

static int grow(struct archive_names *names)
{
	struct archive_names more = {
		.n = names->n,
		.slots_n = names->slots_n ? names->slots_n * 2 : SLOTS_FIRST,
	};

	more.slots = calloc(more.slots_n, sizeof(*more.slots));
	if (!more.slots)
		return err_set(AEDB_NO_MEMORY, "archive: out of memory");
	for (size_t i = 0; i < names->slots_n; i++) {
		struct archive_name old = names->slots[i], name = old;

		name.b &= ~(uint64_t)ABOVE_BIT;
		if (old.a || old.b)
			*find(&more, &name) = old;
	}
	free(names->slots);
	*names = more;
	return 0;
}

static int add(struct archive_names *names, struct archive_name name,
	       bool is_above, const char *path)
{
	struct archive_name *slot;

	if (names->n * 2 >= names->slots_n) {
		int rc = grow(names);

		if (rc < 0)
			return rc;
	}
	slot = find(names, &name);
	if (slot->a == 0 && slot->b == 0) {
		if (names->n == AEDB_ARCHIVE_ENTRIES_MAX)
			return err_set(AEDB_TOO_LARGE, "%s: the archive has over %u names",
				       path, AEDB_ARCHIVE_ENTRIES_MAX);
		name.b |= is_above;
		*slot = name;
		names->n++;
		return 0;
	}
	if (!is_above || !(slot->b & ABOVE_BIT))
		return err_set(AEDB_CORRUPT, "%s: two entries of the archive have "
			       "this path or are above each other", path);
	return 0;
}

int archive_names_add(struct archive_names *names, const char *path)
{
	size_t n = strlen(path);
	struct archive_name name;
	int rc = 0;

	for (size_t i = 1; i <= n && rc == 0; i++) {
		if (i < n && path[i] != '/')
			continue;
		rc = name_of(path, i, &name);
		if (rc == 0)
			rc = add(names, name, i < n, path);
	}
	return rc;
}

void archive_names_release(struct archive_names *names)
{
	free(names->slots);
	*names = (struct archive_names){ 0 };
}
