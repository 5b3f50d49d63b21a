/*
 * Checking a block that was read: after this every access that block.c,
 * block_cursor.c and block_inner.h make lies inside it, and the invariants that
 * they rely on hold.
 */
#include "block_inner.h"
#include "err.h"
#include "mem_key.h"

#define KEY_ROOM (BLOCK_KEY_BYTES_MAX + BLOCK_COPY_BYTES)

/* The walk over all entries, and where it is in each section. */
struct walk {
	struct block b;
	struct byte_reader keys, extras;
	uint64_t values_bytes;		/* that there are */
	struct block_place place;
	uint32_t ids;			/* that there are */
	uint32_t key_bytes, longest;	/* behind the prefix */
	bool numbers_fit;	/* versions and times, whatever the columns have */
	bool has_flags;		/* some entry may have */
	uint8_t *key;			/* KEY_ROOM */
};

static int malformed(uint32_t entry, const char *what)
{
	return err_set(AEDB_CORRUPT, "block entry %u: %s", entry, what);
}

static bool is_zero(const uint8_t *at, const uint8_t *end)
{
	uint8_t any = 0;

	while (at < end)
		any |= *at++;
	return any == 0;
}

/* Everything that can be said without looking at entries. */
static int check_head(const uint8_t *bytes, size_t n, struct block_head *h,
		      uint64_t sections[BLOCK_SECTIONS])
{
	bool is_good = true;

	if (n < BLOCK_HEAD_BYTES)
		return err_set(AEDB_CORRUPT, "block of %zu bytes", n);
	if (bytes[0] != BLOCK_FORMAT)
		return err_set(AEDB_NEWER_FORMAT, "block of format %u", bytes[0]);
	block_head_decode(bytes, h);
	for (unsigned int c = 0; c < BLOCK_COLUMNS; c++)
		is_good = is_good && h->width[c] <= BLOCK_WIDTH_MAX;
	if (!is_good || bytes[7] != 0 || h->entries == 0 ||
	    h->entries > BLOCK_ENTRIES_MAX || h->ids > h->entries ||
	    h->prefix_bytes > h->key_bytes_max ||
	    h->key_bytes_max > BLOCK_KEY_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "block head is malformed");
	block_head_sections(h, sections);
	if (sections[BLOCK_VALUES] > n ||
	    !is_zero(bytes + sections[BLOCK_HEADS],
		     bytes + sections[BLOCK_PREFIX]) ||
	    !is_zero(bytes + sections[BLOCK_EXTRAS] - BLOCK_PAD_BYTES,
		     bytes + sections[BLOCK_EXTRAS]))
		return err_set(AEDB_CORRUPT, "block of %zu bytes with %u entries "
			       "is malformed", n, h->entries);
	return 0;
}

/* A length: its byte, and what is more if that is BLOCK_LONG. */
static uint64_t take_length(struct byte_reader *keys, uint8_t byte)
{
	uint64_t more;

	if (__builtin_expect(byte < BLOCK_LONG, 1))
		return byte;
	more = byte_reader_varint(keys);
	return more > BLOCK_KEY_BYTES_MAX ? UINT64_MAX : byte + more;
}

/* Key i against the one before: its rest at `rest`, `suffix` bytes of it. */
static int check_key_order(const struct walk *w, uint32_t i,
			   uint64_t shared, const uint8_t *rest, uint64_t suffix)
{
	bool is_above, is_same;

	if (i % BLOCK_GROUP == 0) {
		int order = key_compare(rest, suffix, w->key, w->key_bytes);

		is_above = order > 0;
		is_same = order == 0;
	} else {
		is_same = shared == w->key_bytes && suffix == 0;
		is_above = suffix && (shared == w->key_bytes ||
				      rest[0] > w->key[shared]);
	}
	if (i && !is_above &&
	    !(is_same && block_distance(&w->b, BLOCK_SEQ, i) <
				 block_distance(&w->b, BLOCK_SEQ, i - 1)))
		return malformed(i, "out of order");
	if (i && is_same != !!(block_number(&w->b, BLOCK_FLAGS, i) &
			       BLOCK_HAS_NEWER))
		return malformed(i, "its key is not what its flags say");
	return 0;
}

static int check_key(struct walk *w, uint32_t i)
{
	const struct block *b = &w->b;
	uint64_t shared = take_length(&w->keys, b->shared[i]);
	uint64_t suffix = take_length(&w->keys, b->suffix[i]);
	uint64_t room = b->key_bytes_max - b->prefix_bytes;

	if (shared > w->key_bytes || suffix > room || shared + suffix > room ||
	    (i % BLOCK_GROUP == 0 && shared))
		return malformed(i, "the parts of its key do not fit");
	const uint8_t *rest = byte_reader_take(&w->keys, suffix);

	if (w->keys.is_bad)
		return malformed(i, "its key passes the end");
	int rc = check_key_order(w, i, shared, rest, suffix);

	if (rc < 0)
		return rc;
	block_copy_rest(w->key + shared, rest, suffix);
	w->key_bytes = (uint32_t)(shared + suffix);
	if (w->key_bytes > w->longest)
		w->longest = w->key_bytes;
	return 0;
}

/* Passes over keys that are as most are, neither first in their group nor with
 * flags: shorter than BLOCK_LONG, their rests than a copy, above the one before.
 * Returns the first that is not so. */
static uint32_t pass_keys(struct walk *w, uint32_t i, uint32_t end)
{
	const uint8_t *shared_at = w->b.shared, *suffix_at = w->b.suffix;
	const uint8_t *at = w->keys.at;
	uint32_t room = w->b.key_bytes_max - w->b.prefix_bytes;
	uint32_t key_bytes = w->key_bytes, longest = w->longest;
	size_t left = byte_reader_left(&w->keys);
	uint8_t *key = w->key;

	for (; i < end; i++) {
		uint32_t shared = shared_at[i], suffix = suffix_at[i];

		if (suffix - 1 >= BLOCK_COPY_BYTES || suffix > left ||
		    shared == BLOCK_LONG || shared + suffix > room ||
		    shared > key_bytes ||
		    (shared < key_bytes && at[0] <= key[shared]))
			break;
		memcpy(key + shared, at, BLOCK_COPY_BYTES);
		key_bytes = shared + suffix;
		longest = key_bytes > longest ? key_bytes : longest;
		at += suffix;
		left -= suffix;
	}
	w->keys.at = at;
	w->key_bytes = key_bytes;
	w->longest = longest;
	return i;
}

static int check_extras(struct walk *w, uint32_t i, uint32_t flags)
{
	if (flags & BLOCK_HAS_ID) {
		if (w->place.id == w->ids ||
		    block_number(&w->b, BLOCK_ID, w->place.id) > SEQ_MAX)
			return malformed(i, "its id cannot be");
		w->place.id++;
	}
	if (flags & BLOCK_HAS_MTIME)
		byte_reader_take(&w->extras, 8);
	if (flags & BLOCK_HAS_ATTR) {
		uint64_t bytes = byte_reader_varint(&w->extras);

		if (bytes == 0 || bytes > UINT16_MAX)
			return malformed(i, "its attributes cannot be");
		byte_reader_take(&w->extras, bytes);
	}
	if (w->extras.is_bad)
		return malformed(i, "its attributes pass the end");
	w->place.extra = (uint32_t)(w->extras.at - w->b.extras);
	return 0;
}

static int check_flags(struct walk *w, uint32_t i, uint64_t flags, uint64_t bytes)
{
	if (flags > BLOCK_FLAGS_ALL ||
	    ((flags & BLOCK_IS_TOMBSTONE) && (bytes || (flags & BLOCK_IS_REF))))
		return malformed(i, "its flags cannot be");
	return flags & BLOCK_HAS_MORE ? check_extras(w, i, (uint32_t)flags) : 0;
}

/* Flags, extras and value. */
static int check_value(struct walk *w, uint32_t i)
{
	uint64_t bytes = block_number(&w->b, BLOCK_VALUE_BYTES, i);
	int rc = 0;

	if (w->has_flags)
		rc = check_flags(w, i, block_number(&w->b, BLOCK_FLAGS, i), bytes);
	if (rc < 0)
		return rc;
	if (bytes > AEDB_VALUE_INLINE_MAX ||
	    bytes > w->values_bytes - w->place.value)
		return malformed(i, "its value does not fit");
	w->place.value += (uint32_t)bytes;
	return 0;
}

/* Values of one size, without flags, are passed at once. */
static int check_values(struct walk *w, uint32_t first, uint32_t end)
{
	const struct block_bits *bytes = &w->b.column[BLOCK_VALUE_BYTES];
	int rc = 0;

	if (!w->has_flags && !bytes->mask &&
	    bytes->base <= AEDB_VALUE_INLINE_MAX &&
	    bytes->base * (end - first) <= w->values_bytes - w->place.value) {
		w->place.value += (uint32_t)bytes->base * (end - first);
		return 0;
	}
	for (uint32_t i = first; i < end && rc == 0; i++)
		rc = check_value(w, i);
	return rc;
}

/* Version and time, where the columns may have some that cannot be. */
static int check_numbers(const struct walk *w, uint32_t i)
{
	seq_t seq = block_number(&w->b, BLOCK_SEQ, i);
	uint64_t above = block_distance(&w->b, BLOCK_SEQ, i);
	uint64_t time_us = block_number(&w->b, BLOCK_TIME, i) +
			   block_line(w->b.time_slope, above);

	if (seq == 0 || seq > SEQ_MAX)
		return malformed(i, "its version cannot be");
	return time_us > SEQ_MAX ? malformed(i, "its time cannot be") : 0;
}

/* Fills in where a group begins, and its head. */
static void group_fill(struct walk *w, uint32_t i)
{
	uint32_t group = i / BLOCK_GROUP;
	uint8_t *place = (uint8_t *)w->b.places + (size_t)group * BLOCK_PLACE_BYTES;

	w->place.key = (uint32_t)(w->keys.at - w->b.keys);
	bytes_store_le32(place, w->place.key);
	bytes_store_le32(place + 4, w->place.value);
	bytes_store_le32(place + 8, w->place.extra);
	bytes_store_le32(place + 12, w->place.id);
}

static void group_fill_head(struct walk *w, uint32_t i)
{
	uint64_t head = key_head(w->key, w->key_bytes, 0);

	memcpy((uint8_t *)w->b.heads + 8 * (size_t)(i / BLOCK_GROUP), &head,
	       sizeof(head));
}

static int check_keys(struct walk *w, uint32_t first, uint32_t end)
{
	int rc = check_key(w, first);

	if (rc < 0)
		return rc;
	group_fill_head(w, first);
	for (uint32_t i = first + 1; i < end; i++) {
		if (!w->has_flags)
			i = pass_keys(w, i, end);
		rc = i < end ? check_key(w, i) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_group(struct walk *w, uint32_t first, uint32_t end)
{
	int rc = 0;

	group_fill(w, first);
	for (uint32_t i = first; i < end && !w->numbers_fit && rc == 0; i++)
		rc = check_numbers(w, i);
	if (rc == 0)
		rc = check_keys(w, first, end);
	return rc < 0 ? rc : check_values(w, first, end);
}

static int check_entries(struct walk *w)
{
	uint32_t entries = w->b.entries, end;
	int rc = 0;

	for (uint32_t i = 0; i < entries && rc == 0; i = end) {
		end = entries - i < BLOCK_GROUP ? entries : i + BLOCK_GROUP;
		rc = check_group(w, i, end);
	}
	return rc;
}

/* Finds what need not be asked of each entry: the most that a column can have is
 * what its width allows. */
static void columns_bound(struct walk *w)
{
	const struct block_bits *seq = &w->b.column[BLOCK_SEQ];
	const struct block_bits *time = &w->b.column[BLOCK_TIME];
	const struct block_bits *flags = &w->b.column[BLOCK_FLAGS];
	unsigned __int128 line = (unsigned __int128)seq->mask *
				 w->b.time_slope >> BLOCK_SLOPE_SHIFT;

	w->has_flags = flags->base || flags->mask;
	w->numbers_fit = seq->base && seq->base <= SEQ_MAX &&
			 seq->mask <= SEQ_MAX - seq->base &&
			 time->base <= SEQ_MAX &&
			 time->mask <= SEQ_MAX - time->base &&
			 line <= SEQ_MAX - time->base - time->mask;
}

/* Of the sections up to the extras n bytes are there; block_bytes are those of the
 * whole block, n in it. */
static int check(uint8_t *bytes, size_t n, size_t block_bytes)
{
	uint64_t sections[BLOCK_SECTIONS];
	struct block_head h;
	uint8_t key[KEY_ROOM];
	struct walk w = { .key = key };
	int rc = check_head(bytes, n, &h, sections);

	if (rc < 0)
		return rc;
	block_init(&w.b, bytes);
	w.ids = h.ids;
	w.values_bytes = block_bytes - sections[BLOCK_VALUES];
	byte_reader_init(&w.keys, w.b.keys, h.keys_bytes);
	byte_reader_init(&w.extras, w.b.extras, h.extras_bytes);
	columns_bound(&w);
	rc = check_entries(&w);
	if (rc == 0 && (byte_reader_left(&w.keys) || byte_reader_left(&w.extras) ||
			w.place.value != w.values_bytes || w.place.id != h.ids ||
			h.prefix_bytes + w.longest != h.key_bytes_max))
		rc = err_set(AEDB_CORRUPT, "block has more than its entries");
	return rc;
}

int block_check(uint8_t *bytes, size_t n)
{
	return check(bytes, n, n);
}

/* Whether an entry's value is a reference, by the flags in the columns. */
static bool has_ref(const struct block *b)
{
	const struct block_bits *flags = &b->column[BLOCK_FLAGS];
	uint64_t any = flags->base;

	if (flags->width == 0)
		return any & BLOCK_IS_REF;
	for (uint32_t i = 0; i < b->entries; i++)
		any |= block_number(b, BLOCK_FLAGS, i) & BLOCK_IS_REF;
	return any & BLOCK_IS_REF;
}

bool block_front_does(const uint8_t *front, size_t n)
{
	uint64_t sections[BLOCK_SECTIONS];
	struct block_head h;
	struct block b;

	if (n < BLOCK_HEAD_BYTES || front[0] != BLOCK_FORMAT)
		return false;
	block_head_decode(front, &h);
	for (unsigned int c = 0; c < BLOCK_COLUMNS; c++)
		if (h.width[c] > BLOCK_WIDTH_MAX)
			return false;
	block_head_sections(&h, sections);
	if (h.extras_bytes || sections[BLOCK_EXTRAS] != n + BLOCK_PAD_BYTES)
		return false;
	block_init(&b, front);
	return !has_ref(&b);
}

int block_check_front(uint8_t *front, size_t n, size_t block_bytes)
{
	return block_bytes < n + BLOCK_PAD_BYTES ?
		       err_set(AEDB_CORRUPT, "block of %zu bytes", block_bytes) :
		       check(front, n + BLOCK_PAD_BYTES, block_bytes);
}
