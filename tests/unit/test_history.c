/*
 * The kept history against a list of all commits.
 */
#include "bytes.h"
#include "check.h"
#include "history.h"

#define COMMITS 6000
#define AGE_US 5000000u
#define BYTES 200000u

struct commit {
	seq_t seq;
	uint64_t time_us, bytes;
};

struct world {
	struct history h;
	struct commit commits[COMMITS];	/* in their order */
	size_t n;
	/* what segments hold: owned bodies */
	struct history_piece stored[COMMITS];
	size_t n_stored;
};

static struct world w;

static void world_begin(void)
{
	memset(&w, 0, sizeof(w));
	history_init(&w.h, (struct history_limits){ AGE_US, BYTES });
	history_begin(&w.h, 1);
}

static void world_end(void)
{
	history_release(&w.h);
	for (size_t i = 0; i < w.n_stored; i++)
		free(w.stored[i].body);
}

static void commit_add(uint64_t bytes, uint64_t after_us)
{
	struct commit *c = &w.commits[w.n++];
	const struct commit *last = w.n > 1 ? c - 1 : NULL;

	c->seq = (last ? last->seq : 1) + 1 + check_random() % 5;
	c->time_us = (last ? last->time_us : 1000000000) + 1 + after_us;
	c->bytes = bytes;
	CHECK_OK(history_reserve(&w.h));
	history_note(&w.h, c->seq, c->time_us, bytes);
}

/* As a checkpoint does. */
static void pieces_store(void)
{
	seq_t upto = w.n ? w.commits[w.n - 1].seq : 0;
	struct history_piece *pieces;
	size_t n;

	history_cut(&w.h);
	CHECK_OK(history_copy(&w.h, upto, &pieces, &n));
	memcpy(w.stored + w.n_stored, pieces, n * sizeof(*pieces));
	w.n_stored += n;
	free(pieces);
	history_stored(&w.h, upto);
}

static seq_t found(seq_t seq)
{
	struct history_piece piece;
	seq_t at = 0;
	int rc = history_find(&w.h, seq, &at, &piece);

	CHECK(rc >= 0);
	if (rc)
		return at;
	for (size_t i = 0; i < w.n_stored; i++)
		if (w.stored[i].last == piece.last)
			CHECK_OK(history_piece_find(&piece, w.stored[i].body,
						    w.stored[i].body_bytes, seq,
						    &at));
	return at;
}

/* The newest commit at or below seq, of those that are kept. */
static seq_t wanted(seq_t seq)
{
	seq_t want = w.h.from;

	for (size_t i = 0; i < w.n && w.commits[i].seq <= seq; i++)
		if (w.commits[i].seq > want)
			want = w.commits[i].seq;
	return want;
}

static void numbers_check(void)
{
	seq_t last = w.commits[w.n - 1].seq;

	for (int i = 0; i < 200; i++) {
		seq_t seq = w.h.from + check_random() % (last - w.h.from + 3);

		CHECK_EQ(found(seq), wanted(seq));
	}
}

/* What the commits above a number superseded. */
static uint64_t bytes_above(seq_t from)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < w.n; i++)
		bytes += w.commits[i].seq > from ? w.commits[i].bytes : 0;
	return bytes;
}

/* The newest commit made at this time or before. */
static seq_t commit_at(uint64_t time_us)
{
	seq_t seq = 1;

	for (size_t i = 0; i < w.n && w.commits[i].time_us <= time_us; i++)
		seq = w.commits[i].seq;
	return seq;
}

TEST(rounding, "a number is rounded down to a commit, wherever it is noted")
{
	world_begin();
	for (int i = 0; i < COMMITS; i++) {
		commit_add(0, check_random() % 100);
		if (check_random() % 500 == 0)
			pieces_store();
		if (check_random() % 100 == 0)
			numbers_check();
	}
	CHECK_EQ(w.h.from, 1);
	CHECK(w.n_stored > 3);
	world_end();
}

TEST(bytes, "what is superseded stays while it is within the limit, the oldest goes first")
{
	uint64_t largest = 0;
	unsigned int trims = 0;

	world_begin();
	for (int i = 0; i < COMMITS; i++) {
		seq_t before = w.h.from;
		uint64_t bytes = check_random() % 40 ? check_random() % 300 :
						       check_random() % 20000;

		largest = bytes > largest ? bytes : largest;
		commit_add(bytes, 0);
		if (check_random() % 900 == 0)
			pieces_store();
		if (!history_trim(&w.h, w.commits[w.n - 1].time_us,
				  w.commits[w.n - 1].seq)) {
			CHECK_EQ(w.h.from, before);
			continue;
		}
		trims++;
		CHECK(w.h.from > before);
		CHECK(bytes_above(w.h.from) <= BYTES);
		/* what was dropped last would not have fit */
		CHECK(w.h.bytes <= BYTES);
		CHECK(w.h.bytes + largest + 2 * BYTES / HISTORY_PIECES_MIN >
		      BYTES);
		numbers_check();
	}
	CHECK(trims > 10);
	world_end();
}

TEST(ages, "states stay as long as they are not older than the limit, and not much longer")
{
	unsigned int trims = 0;
	uint64_t now = 0;

	world_begin();
	for (int i = 0; i < COMMITS; i++) {
		uint64_t later;

		commit_add(0, check_random() % 50 ? check_random() % 10000 :
						    check_random() % 9000000);
		if (check_random() % 700 == 0)
			pieces_store();
		later = w.commits[w.n - 1].time_us + check_random() % 3000000;
		now = later > now ? later : now;
		trims += history_trim(&w.h, now, w.commits[w.n - 1].seq);
		CHECK(w.h.from <= commit_at(now - AGE_US));
		CHECK(w.h.from >= commit_at(now - AGE_US - AGE_US /
					    HISTORY_PIECES_MIN));
	}
	CHECK(trims > 10);
	numbers_check();
	/* nobody writes any more */
	CHECK(history_trim(&w.h, now + AGE_US, w.commits[w.n - 1].seq));
	CHECK_EQ(w.h.from, w.commits[w.n - 1].seq);
	CHECK_EQ(w.h.n, 0);
	CHECK_EQ(w.h.bytes, 0);
	world_end();
}

TEST(unseen, "commits that are not visible yet are not let go of")
{
	world_begin();
	for (int i = 0; i < 100; i++)
		commit_add(BYTES, 0);
	CHECK(history_trim(&w.h, w.commits[99].time_us, w.commits[49].seq));
	CHECK_EQ(w.h.from, w.commits[49].seq);
	CHECK(!history_trim(&w.h, w.commits[99].time_us, w.commits[49].seq));
	world_end();
}

TEST(reopened, "pieces taken from segments go on where they ended")
{
	struct history again;

	world_begin();
	for (int i = 0; i < COMMITS / 2; i++)
		commit_add(check_random() % 50, 0);
	pieces_store();
	history_init(&again, w.h.limits);
	history_begin(&again, w.commits[COMMITS / 4].seq);
	for (size_t i = 0; i < w.n_stored; i++)
		CHECK_OK(history_take(&again, &w.stored[i]));
	history_release(&w.h);
	w.h = again;
	CHECK_EQ(history_take(&w.h, &w.stored[w.n_stored - 1]), AEDB_CORRUPT);
	numbers_check();
	for (int i = 0; i < COMMITS / 2; i++)
		commit_add(check_random() % 50, 0);
	numbers_check();
	world_end();
}

TEST(encoding, "heads come back as they were, and changed ones are refused or are heads")
{
	uint8_t key[HISTORY_KEY_BYTES], head[HISTORY_HEAD_BYTES_MAX + 1];
	struct history_piece got;
	unsigned int refused = 0;

	world_begin();
	for (int i = 0; i < 2000; i++)
		commit_add(check_random() % 500, check_random() % 500);
	pieces_store();
	CHECK(w.n_stored > 0);
	for (size_t i = 0; i < w.n_stored; i++) {
		const struct history_piece *p = &w.stored[i];
		size_t n = history_piece_encode(p, head);
		seq_t at;

		history_piece_key(HISTORY_HEAD, p->last, key);
		CHECK_OK(history_piece_decode(key, sizeof(key), head, n, &got));
		CHECK_EQ(got.first, p->first);
		CHECK_EQ(got.last, p->last);
		CHECK_EQ(got.first_us, p->first_us);
		CHECK_EQ(got.last_us, p->last_us);
		CHECK_EQ(got.commits, p->commits);
		CHECK_EQ(got.bytes, p->bytes);
		CHECK_EQ(history_piece_decode(key, sizeof(key), head, n - 1,
					      &got), AEDB_CORRUPT);
		CHECK_EQ(history_piece_decode(key, sizeof(key), head, n + 1,
					      &got), AEDB_CORRUPT);
		for (int k = 0; k < 200 && p->body_bytes; k++) {
			size_t where = check_random() % p->body_bytes;
			uint8_t was = p->body[where];

			p->body[where] = (uint8_t)check_random();
			refused += history_piece_find(p, p->body, p->body_bytes,
						      p->last, &at) < 0;
			p->body[where] = was;
		}
	}
	CHECK(refused > 100);
	world_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
