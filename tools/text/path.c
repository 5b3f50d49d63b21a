/*
 * Keys as paths. A key's bytes are split at "/" into components; a component
 * that can be a file name is its own name, the rest is escaped:
 *
 *	NUL			%00
 *	"" "." ".."		%empty %. %..
 *	over 255 bytes		LONGEST-PREFIX-THAT-FITS/%+REST
 *	key a beside a/…	a/% (the directory's own key)
 *
 * A name that only looks like an escape is moved one step along a chain that
 * never ends, so every name decodes and only escapes decode to anything else:
 *
 *	literal %00 %2500 …	%2500 %252500 …		anywhere in a name
 *	literal %. %%. …	%%. %%%. …		whole names; the same for
 *				%.. %empty, and below the root for %
 *	literal %+x …		%%+x …			only where %+x would
 *							continue a long name
 *
 * Invariants:
 * 1. encode_name and decode_name are inverse to each other between components
 *    that fit into 255 bytes in a directory and the names that directory can
 *    have, other than "%" below the root and continuations.
 * 2. If a component does not fit, none that begins with it fits (adding a byte
 *    adds at least one to the escaped form, and a whole-name mark adds one only
 *    to names which then are shorter by it). So the longest prefix that fits is
 *    one point, and every component through a byte after which nothing fits
 *    (path_dir.further) continues there: a directory is a set of key ranges.
 * 3. Only directories whose own name has over NAME_NARROW_MAX bytes can
 *    continue a name. All others hold exactly the keys beginning with key + "/".
 *
 * The proof in full: docs/decisions/0004-key-path-mapping.md. What a directory
 * is in the database is not decided here.
 */
#include "path.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NAME_TOO_LONG SIZE_MAX
#define NAME_NARROW_MAX 250	/* one more byte adds at most 5 */
#define RAW_NARROW_MAX 83	/* and these escape to at most 250 */

enum {
	CONTINUATION_BYTES = 2,	/* "%+" */
};

static const char empty_name[] = "%empty";

/* NUL. */

/* Is s a "%", any number of "25" and "00"? */
static bool is_nul_escape(const uint8_t *s, size_t n)
{
	size_t i = 1;

	if (n < 3 || s[0] != '%')
		return false;
	while (i + 4 <= n && s[i] == '2' && s[i + 1] == '5')
		i += 2;
	return i + 2 <= n && s[i] == '0' && s[i + 1] == '0';
}

/* Escapes into room for 255 bytes; NAME_TOO_LONG if they do not suffice. */
static size_t escape(const uint8_t *raw, size_t n, uint8_t *ret)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_escaped = !raw[i] || is_nul_escape(raw + i, n - i);

		if (used + (is_escaped ? 3 : 1) > PATH_NAME_BYTES_MAX)
			return NAME_TOO_LONG;
		if (is_escaped) {
			memcpy(ret + used, raw[i] ? "%25" : "%00", 3);
			used += 3;
		} else {
			ret[used++] = raw[i];
		}
	}
	return used;
}

/* Returns the length, at most n. */
static size_t unescape(const uint8_t *s, size_t n, uint8_t *ret)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		ret[used++] = s[i];
		if (!is_nul_escape(s + i, n - i))
			continue;
		if (s[i + 1] == '0')
			ret[used - 1] = 0;
		i += 2;
	}
	return used;
}

/* Names. */

static bool dir_continues(const struct path_dir *dir, uint8_t byte)
{
	return dir->further[byte / 64] >> (byte % 64) & 1;
}

/* Is s, behind its "%"s, a "+" and a rest that would continue dir's name? */
static bool is_continuing(const struct path_dir *dir, const uint8_t *s, size_t n)
{
	if (!dir->is_wide || n < 2 || s[0] != '+')
		return false;
	if (is_nul_escape(s + 1, n - 1) && s[2] == '0')
		return dir_continues(dir, 0);
	return dir_continues(dir, s[1]);
}

static bool is_equal(const uint8_t *s, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(s, text, n) == 0;
}

/* Is s (without NULs) one of the forms to which a "%" is added? */
static bool is_marked(const struct path_dir *dir, const uint8_t *s, size_t n)
{
	size_t marks = 0;

	while (marks < n && s[marks] == '%')
		marks++;
	s += marks;
	n -= marks;
	if (is_equal(s, n, ".") || is_equal(s, n, ".."))
		return true;
	if (marks == 0)
		return false;
	return (n == 0 && !dir->is_root) || is_equal(s, n, "empty") ||
	       is_continuing(dir, s, n);
}

/* The name of a component; NAME_TOO_LONG if it has none. */
static size_t encode_name(const struct path_dir *dir, const uint8_t *raw,
			  size_t n, uint8_t ret[PATH_NAME_BYTES_MAX])
{
	size_t used;

	if (n == 0) {
		memcpy(ret, empty_name, sizeof(empty_name) - 1);
		return sizeof(empty_name) - 1;
	}
	used = escape(raw, n, ret);
	if (used == NAME_TOO_LONG || !is_marked(dir, ret, used))
		return used;
	if (used == PATH_NAME_BYTES_MAX)
		return NAME_TOO_LONG;
	memmove(ret + 1, ret, used);
	ret[0] = '%';
	return used + 1;
}

/* The component of a name that is neither "%" nor a continuation. */
static size_t decode_name(const struct path_dir *dir, const uint8_t *name,
			  size_t n, uint8_t *ret)
{
	if (is_equal(name, n, empty_name))
		return 0;
	if (is_marked(dir, name, n))
		return unescape(name + 1, n - 1, ret);
	return unescape(name, n, ret);
}

static size_t encode_continuation(const uint8_t *raw, size_t n,
				  uint8_t ret[PATH_NAME_BYTES_MAX])
{
	uint8_t rest[PATH_NAME_BYTES_MAX];
	size_t used = escape(raw, n, rest);

	if (used > PATH_NAME_BYTES_MAX - CONTINUATION_BYTES)
		return NAME_TOO_LONG;
	memcpy(ret, "%+", CONTINUATION_BYTES);
	memcpy(ret + CONTINUATION_BYTES, rest, used);
	return used + CONTINUATION_BYTES;
}

/* One step. */

/* A name in dir: bytes of a key from `start` on. */
struct piece {
	const struct path_dir *dir;
	const uint8_t *raw;
	bool is_continuation;
};

static size_t piece_encode(const struct piece *piece, size_t n,
			   uint8_t ret[PATH_NAME_BYTES_MAX])
{
	if (piece->is_continuation)
		return encode_continuation(piece->raw, n, ret);
	return encode_name(piece->dir, piece->raw, n, ret);
}

/* How many of up to n bytes fit into one name: invariant 2 allows bisection. */
static size_t piece_fit(const struct piece *piece, size_t n)
{
	uint8_t name[PATH_NAME_BYTES_MAX];
	size_t low = RAW_NARROW_MAX, high = PATH_NAME_BYTES_MAX + 1;

	if (n <= low)
		return n;
	if (n < high) {
		if (piece_encode(piece, n, name) != NAME_TOO_LONG)
			return n;
		high = n;
	}
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (piece_encode(piece, middle, name) == NAME_TOO_LONG)
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* Finds out after which bytes a name of n bytes continues below itself. */
static void piece_find_further(const struct piece *piece, size_t n,
			       struct path_dir *ret)
{
	uint8_t raw[PATH_NAME_BYTES_MAX + 1], name[PATH_NAME_BYTES_MAX];
	struct piece longer = { piece->dir, raw, piece->is_continuation };

	if (n <= RAW_NARROW_MAX || piece_encode(piece, n, name) <= NAME_NARROW_MAX)
		return;
	if (n == PATH_NAME_BYTES_MAX) {
		memset(ret->further, 0xff, sizeof(ret->further));
		ret->further[0] &= ~(UINT64_C(1) << '/');
		ret->is_wide = true;
		return;
	}
	memcpy(raw, piece->raw, n);
	for (unsigned byte = 0; byte < 256; byte++) {
		raw[n] = (uint8_t)byte;
		if (byte == '/' ||
		    piece_encode(&longer, n + 1, name) != NAME_TOO_LONG)
			continue;
		ret->further[byte / 64] |= UINT64_C(1) << (byte % 64);
		ret->is_wide = true;
	}
}

/* Does the directory hold every key that begins with its own? */
static bool dir_is_whole(const struct path_dir *dir)
{
	_Static_assert('/' < 64, "the slash's bit is in the first word");

	return (dir->further[0] | UINT64_C(1) << '/') == UINT64_MAX &&
	       (dir->further[1] & dir->further[2] & dir->further[3]) == UINT64_MAX;
}

/* Fills in ret, but for its name, and ret_child as if it were narrow. */
static struct piece step_find(const struct path_dir *dir, const uint8_t *key,
			      size_t key_bytes, struct path_step *ret,
			      struct path_dir *ret_child)
{
	struct piece piece = { .dir = dir };
	size_t start = dir->is_root ? 0 : dir->key_bytes + 1, fit;
	const uint8_t *end;

	if (!dir->is_root && key[dir->key_bytes] != '/') {
		piece.is_continuation = true;
		start--;
	}
	piece.raw = key + start;
	end = start < key_bytes ? memchr(piece.raw, '/', key_bytes - start) : NULL;
	fit = piece_fit(&piece, (end ? end : key + key_bytes) - piece.raw);
	*ret_child = (struct path_dir){ .key = key, .key_bytes = start + fit };
	ret->child_bytes = start + fit;
	ret->kind = start + fit == key_bytes ? PATH_LEAF : PATH_BELOW;
	return piece;
}

static size_t piece_bytes(const struct piece *piece, const struct path_dir *child)
{
	return (size_t)(child->key + child->key_bytes - piece->raw);
}

#define BYTES_OF(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if one of the eight bytes is 0. */
static uint64_t has_zero(uint64_t word)
{
	return (word - BYTES_OF(1)) & ~word & BYTES_OF(0x80);
}

/* How many bytes come before the first "/", "%" or NUL. */
static size_t plain_bytes(const uint8_t *raw, size_t n)
{
	uint64_t word;
	size_t i = 0;

	for (; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, raw + i, sizeof(word));
		if (has_zero(word) | has_zero(word ^ BYTES_OF('/')) |
		    has_zero(word ^ BYTES_OF('%')))
			break;
	}
	while (i < n && raw[i] && raw[i] != '/' && raw[i] != '%')
		i++;
	return i;
}

/* step_inside where the name is short and needs no escape, as nearly all do;
 * false: it does not. */
static bool step_plain(const struct path_dir *dir, const uint8_t *key,
		       size_t key_bytes, struct path_step *ret)
{
	size_t start = dir->is_root ? 0 : dir->key_bytes + 1, n;
	const uint8_t *raw = key + start;

	if (start >= key_bytes || (start && raw[-1] != '/') || raw[0] == '.')
		return false;
	n = plain_bytes(raw, key_bytes - start);
	if (n == 0 || n > RAW_NARROW_MAX ||
	    (n < key_bytes - start && raw[n] != '/'))
		return false;
	memcpy(ret->name, raw, n);
	ret->name[n] = '\0';
	ret->name_bytes = n;
	ret->child_bytes = start + n;
	ret->skip_bytes = start + n + 1;
	ret->kind = start + n == key_bytes ? PATH_LEAF : PATH_BELOW;
	ret->may_repeat = false;
	return true;
}

/* path_step for a key inside the directory and not its own. */
static void step_inside(const struct path_dir *dir, const uint8_t *key,
			size_t key_bytes, struct path_step *ret,
			struct path_dir *ret_child)
{
	struct piece piece = step_find(dir, key, key_bytes, ret, ret_child);
	size_t n = piece_bytes(&piece, ret_child);

	ret->name_bytes = piece_encode(&piece, n, (uint8_t *)ret->name);
	assert(ret->name_bytes <= PATH_NAME_BYTES_MAX);
	ret->name[ret->name_bytes] = '\0';
	if (ret->kind == PATH_BELOW)
		piece_find_further(&piece, n, ret_child);
	ret->may_repeat = ret_child->is_wide;
	ret->skip_bytes = ret->child_bytes + !dir_is_whole(ret_child);
}

void path_step(const struct path_dir *dir, const void *key, size_t key_bytes,
	       struct path_step *ret)
{
	const uint8_t *bytes = key;
	struct path_dir child;

	assert(dir->is_root || key_bytes >= dir->key_bytes);
	if (step_plain(dir, bytes, key_bytes, ret))
		return;
	if (!dir->is_root && key_bytes == dir->key_bytes) {
		*ret = (struct path_step){ .kind = PATH_OWN, .name = "%",
					   .name_bytes = 1 };
	} else if (!dir->is_root && bytes[dir->key_bytes] != '/' &&
		   !dir_continues(dir, bytes[dir->key_bytes])) {
		*ret = (struct path_step){ .kind = PATH_ELSEWHERE,
					   .skip_bytes = dir->key_bytes + 1 };
	} else {
		step_inside(dir, bytes, key_bytes, ret, &child);
	}
}

/* Directories. */

void path_dir_root(struct path_dir *ret)
{
	*ret = (struct path_dir){ .key = (const uint8_t *)"", .is_root = true };
}

void path_dir_init(struct path_dir *ret, const void *key, size_t key_bytes)
{
	const uint8_t *slash = key_bytes ? memrchr(key, '/', key_bytes) : NULL;
	size_t last = slash ? (size_t)(slash + 1 - (const uint8_t *)key) : 0;
	struct path_dir parent;
	struct path_step step;
	struct piece piece;

	*ret = (struct path_dir){ .key = key, .key_bytes = key_bytes };
	if (key_bytes - last <= RAW_NARROW_MAX)
		return;
	path_dir_root(ret);
	do {
		parent = *ret;
		piece = step_find(&parent, key, key_bytes, &step, ret);
		piece_find_further(&piece, piece_bytes(&piece, ret), ret);
	} while (step.kind == PATH_BELOW);
}

size_t path_dir_record(const struct path_dir *dir,
		       uint8_t ret[PATH_RECORD_BYTES_MAX])
{
	size_t extra = !dir->is_root && (!dir->key_bytes || dir->key[0] == '/');

	ret[0] = '/';
	if (dir->key_bytes)
		memcpy(ret + extra, dir->key, dir->key_bytes);
	return dir->key_bytes + extra;
}

void path_dir_init_record(struct path_dir *ret, const void *record,
			  size_t record_bytes)
{
	const uint8_t *key = record;

	if (record_bytes == 0)
		path_dir_root(ret);
	else if (key[0] == '/')
		path_dir_init(ret, key + 1, record_bytes - 1);
	else
		path_dir_init(ret, key, record_bytes);
}

size_t path_dir_scan_prefix(const struct path_dir *dir,
			    uint8_t ret[PATH_RECORD_BYTES_MAX])
{
	if (dir->is_root)
		return 0;
	if (dir->key_bytes)
		memcpy(ret, dir->key, dir->key_bytes);
	ret[dir->key_bytes] = '/';
	return dir->key_bytes + !dir->is_wide;
}

/* Names to keys. */

static int name_check(const char *name, size_t n)
{
	if (n > PATH_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (n == 0 || memchr(name, '/', n) || memchr(name, '\0', n))
		return -EINVAL;
	return is_equal((const uint8_t *)name, n, ".") ||
	       is_equal((const uint8_t *)name, n, "..") ? -EINVAL : 0;
}

int path_child(const struct path_dir *dir, const char *name, size_t name_bytes,
	       struct path_child *ret)
{
	const uint8_t *bytes = (const uint8_t *)name;
	uint8_t raw[PATH_NAME_BYTES_MAX];
	bool is_own = false, is_continuation = false;
	size_t raw_bytes = 0, start = dir->key_bytes;
	int rc = name_check(name, name_bytes);

	if (rc < 0)
		return rc;
	if (!dir->is_root && is_equal(bytes, name_bytes, "%")) {
		is_own = true;
	} else if (bytes[0] == '%' &&
		   is_continuing(dir, bytes + 1, name_bytes - 1)) {
		is_continuation = true;
		raw_bytes = unescape(bytes + CONTINUATION_BYTES,
				     name_bytes - CONTINUATION_BYTES, raw);
	} else {
		raw_bytes = decode_name(dir, bytes, name_bytes, raw);
		start += !dir->is_root;
	}
	if (start + raw_bytes > PATH_KEY_BYTES_MAX)
		return -ENAMETOOLONG;
	ret->kind = is_own ? PATH_OWN : PATH_LEAF;
	if (dir->key_bytes)
		memcpy(ret->key, dir->key, dir->key_bytes);
	if (!is_own && !is_continuation && !dir->is_root)
		ret->key[dir->key_bytes] = '/';
	memcpy(ret->key + start, raw, raw_bytes);
	ret->key_bytes = start + raw_bytes;
	return 0;
}

size_t path_format(const void *key, size_t key_bytes, char ret[PATH_BYTES_MAX])
{
	struct path_step step;
	struct path_dir dir;
	size_t used = 0;

	path_dir_root(&dir);
	do {
		struct path_dir parent = dir;

		if (used)
			ret[used++] = '/';
		step_inside(&parent, key, key_bytes, &step, &dir);
		memcpy(ret + used, step.name, step.name_bytes + 1);
		used += step.name_bytes;
	} while (step.kind == PATH_BELOW);
	return used;
}

int path_parse(const char *path, size_t path_bytes,
	       uint8_t ret[PATH_KEY_BYTES_MAX], size_t *ret_bytes)
{
	const char *end = path + path_bytes, *slash;
	struct path_child child;
	struct path_dir dir;
	int rc;

	path_dir_root(&dir);
	for (;; path = slash + 1) {
		slash = memchr(path, '/', end - path);
		rc = path_child(&dir, path, (slash ? slash : end) - path, &child);
		if (rc < 0)
			return rc;
		if (!slash)
			break;
		if (child.kind == PATH_OWN)
			return -EINVAL;
		memcpy(ret, child.key, child.key_bytes);
		path_dir_init(&dir, ret, child.key_bytes);
	}
	memcpy(ret, child.key, child.key_bytes);
	*ret_bytes = child.key_bytes;
	return 0;
}
