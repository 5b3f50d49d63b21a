/*
 * Listings: random ranges in parts of random sizes against a sorted array, and
 * what becomes of their cursors.
 */
#include "aedb_listing.h"
#include "db_fixture.h"

#define KEYS 300
#define KEY_MAX 5
#define ROUNDS 400
#define LARGE_BYTES 200000

struct key {
	uint8_t bytes[KEY_MAX];
	size_t n;
};

/* A cursor that outlives its listing. */
struct kept {
	uint8_t bytes[AEDB_CURSOR_BYTES_MAX];
	size_t n;
};

static const uint8_t secret[16] = "a key of a test";

static int key_order(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

	return order ? order : x->n < y->n ? -1 : x->n > y->n;
}

static struct key key_random(void)
{
	static const uint8_t alphabet[] = { 0, 'a', 'b', 0xff };
	struct key key = { .n = check_random() % (KEY_MAX + 1) };

	for (size_t i = 0; i < key.n; i++)
		key.bytes[i] = alphabet[check_random() % sizeof(alphabet)];
	return key;
}

static size_t keys_make(struct aedb_scope *scope, struct key *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < KEYS; i++) {
		keys[i] = key_random();
		CHECK_OK(aedb_put(scope, keys[i].bytes, keys[i].n, keys[i].bytes,
				  keys[i].n));
	}
	qsort(keys, KEYS, sizeof(*keys), key_order);
	for (size_t i = 0; i < KEYS; i++)
		if (n == 0 || key_order(&keys[n - 1], &keys[i]) != 0)
			keys[n++] = keys[i];
	return n;
}

static void keep(struct kept *kept, const struct aedb_listing *listing)
{
	CHECK(listing->cursor);
	CHECK(listing->cursor_bytes <= sizeof(kept->bytes));
	memcpy(kept->bytes, listing->cursor, listing->cursor_bytes);
	kept->n = listing->cursor_bytes;
}

static int go_on(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
		 const struct kept *kept, struct aedb_listing **ret)
{
	struct aedb_listing_query query = { .cursor = kept->bytes,
					    .cursor_bytes = kept->n,
					    .entries_max = 2 };

	return aedb_listing_open(scope, snapshot, &query, ret);
}

/* Fails, or its first key is this one. */
static int first_key(struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot,
		     const struct kept *kept, const char *want)
{
	struct aedb_listing *listing;
	int rc = go_on(scope, snapshot, kept, &listing);

	if (rc < 0)
		return rc;
	CHECK(listing->n > 0);
	CHECK_EQ(listing->entries[0].key_bytes, strlen(want));
	CHECK_MEM(listing->entries[0].key, want, strlen(want));
	aedb_listing_close(listing);
	return 0;
}

/* Lists the first key of an open range, and keeps where it ended. */
static void list_one(struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot, struct kept *ret)
{
	struct aedb_listing_query query = { .entries_max = 1 };
	struct aedb_listing *listing;

	CHECK_OK(aedb_listing_open(scope, snapshot, &query, &listing));
	CHECK_EQ(listing->n, 1);
	keep(ret, listing);
	aedb_listing_close(listing);
}

/* Random ranges. */

static bool is_in(const struct key *key, const struct aedb_range *range)
{
	struct key from = { .n = range->from_bytes }, to = { .n = range->to_bytes };

	memcpy(from.bytes, range->from, from.n);
	if (range->to)
		memcpy(to.bytes, range->to, to.n);
	return key->n >= range->prefix_bytes &&
	       memcmp(key->bytes, range->prefix, range->prefix_bytes) == 0 &&
	       key_order(key, &from) >= 0 &&
	       (!range->to || key_order(key, &to) < 0);
}

static size_t in_range(const struct key *keys, size_t n,
		       const struct aedb_range *range, const struct key **ret)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct key *key = range->direction == AEDB_FORWARD ?
						&keys[i] : &keys[n - 1 - i];

		if (is_in(key, range))
			ret[count++] = key;
	}
	return count;
}

static void listing_check(const struct aedb_listing *listing,
			  const struct key **want, size_t n_want)
{
	CHECK(listing->n <= n_want);
	for (size_t i = 0; i < listing->n; i++) {
		const struct aedb_entry *got = &listing->entries[i];

		CHECK_EQ(got->key_bytes, want[i]->n);
		CHECK_MEM(got->key, want[i]->bytes, want[i]->n);
		CHECK_EQ(got->value_bytes, want[i]->n);
		CHECK_MEM(got->value, want[i]->bytes, want[i]->n);
	}
	CHECK_EQ(listing->is_truncated, listing->n < n_want);
	CHECK_EQ(listing->cursor != NULL, listing->is_truncated);
}

/* Lists all of a range, while keys come and go if a snapshot keeps them. */
static void range_check(struct fixture *f, const struct aedb_snapshot *snapshot,
			const struct aedb_range *range, const struct key **want,
			size_t n_want)
{
	struct aedb_listing_query query = { .range = *range, .with_values = true };
	struct aedb_listing *listing;
	struct kept kept;

	do {
		struct key other = key_random();

		query.entries_max = 1 + (uint32_t)(check_random() % 40);
		query.bytes_max = check_random() % 2 ? 500 : 0;
		CHECK_OK(aedb_listing_open(f->scope, snapshot, &query, &listing));
		listing_check(listing, want, n_want);
		CHECK(listing->n == n_want || listing->n == query.entries_max ||
		      (query.bytes_max && listing->n));
		want += listing->n;
		n_want -= listing->n;
		query = (struct aedb_listing_query){ .with_values = true };
		if (listing->cursor) {
			keep(&kept, listing);
			query.cursor = kept.bytes;
			query.cursor_bytes = kept.n;
		}
		aedb_listing_close(listing);
		CHECK_OK(aedb_put(f->scope, other.bytes, other.n, "new", 3));
	} while (query.cursor);
	CHECK_EQ(n_want, 0);
}

TEST(random_ranges, "a range in parts is what it was when it was begun, and each part "
	"knows whether there is more")
{
	struct fixture f;
	struct key keys[KEYS];
	const struct key *want[KEYS];
	struct aedb_snapshot *snapshot;
	size_t n;

	fixture_open_as(&f, AEDB_OS);
	n = keys_make(f.scope, keys);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	for (unsigned i = 0; i < check_times(ROUNDS); i++) {
		struct key prefix = key_random(), from = key_random();
		struct key to = key_random();
		struct aedb_range range = {
			.prefix = prefix.bytes,
			.prefix_bytes = prefix.n % 2,
			.from = from.bytes, .from_bytes = from.n,
			.to = check_random() % 2 ? to.bytes : NULL,
			.direction = check_random() % 2 ? AEDB_FORWARD :
							  AEDB_BACKWARD,
		};

		range.to_bytes = range.to ? to.n : 0;
		/* the cursor of a part finds the snapshot by its number, too */
		range_check(&f, snapshot, &range, want,
			    in_range(keys, n, &range, want));
	}
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

static void put_three(struct fixture *f)
{
	CHECK_OK(put_text(f->scope, "a", "1"));
	CHECK_OK(put_text(f->scope, "b", "2"));
	CHECK_OK(put_text(f->scope, "c", "3"));
}

TEST(changed_cursor, "a cursor with any bit changed, or cut, is refused")
{
	struct fixture f;
	struct kept kept, changed;
	struct aedb_listing *listing;

	for (int is_signed = 0; is_signed < 2; is_signed++) {
		fixture_init(&f);
		f.options.hmac_key = is_signed ? secret : NULL;
		f.options.hmac_key_bytes = is_signed ? sizeof(secret) : 0;
		fixture_start(&f);
		put_three(&f);
		list_one(f.scope, NULL, &kept);
		CHECK_OK(first_key(f.scope, NULL, &kept, "b"));
		for (size_t bit = 0; bit < kept.n * 8; bit++) {
			changed = kept;
			changed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK_FAILS(go_on(f.scope, NULL, &changed, &listing),
				    AEDB_INVALID, "cursor");
		}
		changed = kept;
		while (changed.n--)
			CHECK_FAILS(go_on(f.scope, NULL, &changed, &listing),
				    AEDB_INVALID, "cursor");
		fixture_close(&f);
	}
}

TEST(other_place, "a cursor is for its own scope, and brings its range")
{
	struct aedb_listing_query query = { .entries_max = 1 };
	struct aedb_listing *listing;
	struct fixture f;
	struct kept kept;

	fixture_open(&f);
	put_three(&f);
	list_one(f.scope, NULL, &kept);
	CHECK_FAILS(go_on(aedb_scope_dirs(f.scope), NULL, &kept, &listing),
		    AEDB_INVALID, "another scope");
	query.cursor = kept.bytes;
	query.cursor_bytes = kept.n;
	query.range.direction = AEDB_BACKWARD;
	CHECK_FAILS(aedb_listing_open(f.scope, NULL, &query, &listing),
		    AEDB_INVALID, "range");
	query = (struct aedb_listing_query){ .entries_max = 0 };
	CHECK_FAILS(aedb_listing_open(f.scope, NULL, &query, &listing),
		    AEDB_INVALID, "entries_max");
	query.entries_max = AEDB_LISTING_ENTRIES_MAX + 1;
	CHECK_FAILS(aedb_listing_open(f.scope, NULL, &query, &listing),
		    AEDB_INVALID, "entries_max");
	fixture_close(&f);
}

TEST(state, "a cursor goes on in its own state, and says so when that is gone")
{
	struct aedb_snapshot *snapshot, *later;
	struct aedb_listing *listing;
	struct fixture f;
	struct kept kept;

	fixture_open(&f);
	put_three(&f);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	list_one(f.scope, NULL, &kept);
	CHECK_OK(delete_text(f.scope, "b"));
	CHECK_OK(aedb_snapshot_open(f.db, &later));
	CHECK_OK(first_key(f.scope, NULL, &kept, "b"));
	CHECK_OK(first_key(f.scope, snapshot, &kept, "b"));
	CHECK_FAILS(go_on(f.scope, later, &kept, &listing), AEDB_CONFLICT,
		    "another");
	aedb_snapshot_close(snapshot);
	CHECK_FAILS(go_on(f.scope, NULL, &kept, &listing), AEDB_CONFLICT,
		    "not kept");
	aedb_snapshot_close(later);
	fixture_close(&f);
}

TEST(history, "a kept history keeps the state of a cursor")
{
	struct fixture f;
	struct kept kept;

	fixture_init(&f);
	f.options.history_s = 86400;
	f.options.history_bytes = 1 << 20;
	fixture_start(&f);
	put_three(&f);
	list_one(f.scope, NULL, &kept);
	CHECK_OK(delete_text(f.scope, "b"));
	CHECK_OK(first_key(f.scope, NULL, &kept, "b"));
	fixture_close(&f);
}

TEST(reopened, "with a key a cursor of a named snapshot goes on after closing, and "
	"without one it is refused")
{
	for (int is_signed = 0; is_signed < 2; is_signed++) {
		struct aedb_listing *listing;
		struct fixture f;
		struct kept kept;

		fixture_init(&f);
		f.options.hmac_key = is_signed ? secret : NULL;
		f.options.hmac_key_bytes = is_signed ? sizeof(secret) : 0;
		fixture_start(&f);
		put_three(&f);
		CHECK_OK(aedb_snapshot_create(f.db, "kept", NULL));
		list_one(f.scope, NULL, &kept);
		CHECK_OK(delete_text(f.scope, "b"));
		fixture_reopen(&f);
		if (is_signed)
			CHECK_OK(first_key(f.scope, NULL, &kept, "b"));
		else
			CHECK_FAILS(go_on(f.scope, NULL, &kept, &listing),
				    AEDB_INVALID, "cursor");
		fixture_close(&f);
	}
}

TEST(not_durable, "a cursor of a state that a power cut took is refused, though its "
	"number was given again")
{
	struct aedb_listing *listing;
	struct fixture f;
	struct kept kept;
	aedb_seq_t seq;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.hmac_key = secret;
	f.options.hmac_key_bytes = sizeof(secret);
	fixture_start(&f);
	put_three(&f);
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK_OK(put_text(f.scope, "lost", "4"));
	list_one(f.scope, NULL, &kept);
	seq = aedb_visible_seq(f.db);
	simdisk_cut_at(f.disk, simdisk_calls(f.disk) + 1);
	aedb_scope_close(f.scope);
	aedb_close(f.db);
	simdisk_crash(f.disk, 1, SIMDISK_DROP_ALL);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	while (aedb_visible_seq(f.db) < seq)
		CHECK_OK(put_text(f.scope, "other", "4"));
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK_FAILS(go_on(f.scope, NULL, &kept, &listing), AEDB_CONFLICT,
		    "was not durable");
	fixture_close(&f);
}

TEST(large, "a value over the limit of bytes is left out, and each part has an entry")
{
	static uint8_t bytes[LARGE_BYTES];
	struct aedb_listing_query query = { .entries_max = 10,
					    .with_values = true };
	struct aedb_listing *listing;
	struct fixture f;

	fixture_open(&f);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_OK(aedb_put(f.scope, "a", 1, bytes, sizeof(bytes)));
	CHECK_OK(aedb_put(f.scope, "b", 1, bytes, sizeof(bytes)));
	CHECK_OK(aedb_listing_open(f.scope, NULL, &query, &listing));
	CHECK_EQ(listing->n, 2);
	CHECK(!listing->is_truncated);
	CHECK_MEM(listing->entries[1].value, bytes, sizeof(bytes));
	aedb_listing_close(listing);

	query.bytes_max = sizeof(bytes);
	CHECK_OK(aedb_listing_open(f.scope, NULL, &query, &listing));
	CHECK_EQ(listing->n, 1);
	CHECK(listing->is_truncated);
	CHECK_MEM(listing->entries[0].value, bytes, sizeof(bytes));
	aedb_listing_close(listing);

	query.bytes_max = 1;
	CHECK_OK(aedb_listing_open(f.scope, NULL, &query, &listing));
	CHECK_EQ(listing->n, 1);
	CHECK(!listing->entries[0].value);
	CHECK_EQ(listing->entries[0].value_bytes, sizeof(bytes));
	aedb_listing_close(listing);
	fixture_close(&f);
}

TEST(in_batch, "a batch's view is listed, and its cursors are for that view as it was")
{
	struct aedb_batch *batch, *other;
	struct aedb_listing *listing;
	struct aedb_txn *txn;
	struct fixture f;
	struct kept kept;

	fixture_open(&f);
	put_three(&f);
	CHECK_OK(aedb_batch_begin(f.db, &batch));
	CHECK_OK(aedb_batch_begin(f.db, &other));
	list_one(f.scope, aedb_batch_view(batch), &kept);
	CHECK_OK(first_key(f.scope, aedb_batch_view(batch), &kept, "b"));
	CHECK_FAILS(go_on(f.scope, aedb_batch_view(other), &kept, &listing),
		    AEDB_CONFLICT, "another batch");
	CHECK_FAILS(go_on(f.scope, NULL, &kept, &listing), AEDB_CONFLICT,
		    "view");
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	CHECK_OK(txn_put_text(txn, f.scope, "ab", "v"));
	CHECK_OK(txn_end(txn));
	CHECK_FAILS(go_on(f.scope, aedb_batch_view(batch), &kept, &listing),
		    AEDB_CONFLICT, "another one");
	aedb_batch_abort(batch);
	aedb_batch_abort(other);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
