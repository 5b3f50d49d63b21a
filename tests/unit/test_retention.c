/*
 * Which versions stay, against asking every retained number in turn.
 */
#include "check.h"
#include "retention.h"

#define NUMBERS 24

/* True if some number shows the version. */
static bool is_seen(const struct retention *r, seq_t seq, seq_t until)
{
	for (seq_t number = seq; number < until; number++) {
		if (number >= r->history_from)
			return true;
		for (size_t i = 0; i < r->n; i++)
			if (r->seqs[i] == number)
				return true;
	}
	return false;
}

/* Few of them, some twice. */
static size_t random_seqs(seq_t *ret)
{
	static const unsigned int times[] = { 0, 0, 0, 0, 0, 0, 1, 2 };
	size_t n = 0;

	for (seq_t seq = 0; seq < NUMBERS; seq++)
		for (unsigned int i = times[check_random() % 8]; i; i--)
			ret[n++] = seq;
	return n;
}

TEST(brute_force, "a version stays exactly while a retained number shows it")
{
	unsigned int kept = 0, gone = 0;

	for (int round = 0; round < 2000; round++) {
		seq_t seqs[2 * NUMBERS];
		struct retention r = { .seqs = seqs };

		r.n = random_seqs(seqs);
		r.history_from = check_random() % 2 ?
				 SEQ_MAX : check_random() % (NUMBERS + 2);
		for (seq_t seq = 0; seq < NUMBERS; seq++)
			for (seq_t until = 0; until <= NUMBERS; until++) {
				bool keeps = retention_keeps(&r, seq, until);

				CHECK_EQ(keeps, is_seen(&r, seq, until));
				keeps ? kept++ : gone++;
			}
	}
	CHECK(kept && gone);
}

TEST(ends, "numbers at both ends of what they may be are told apart")
{
	seq_t last = SEQ_MAX - 1;
	struct retention none = { .history_from = SEQ_MAX };
	struct retention all = { .history_from = 0 };
	struct retention one = { .seqs = &last, .n = 1,
				 .history_from = SEQ_MAX };

	CHECK(!retention_keeps(&none, 0, SEQ_MAX));
	CHECK(retention_keeps(&all, 0, 1));
	CHECK(!retention_keeps(&all, 1, 1));
	CHECK(retention_keeps(&one, 0, SEQ_MAX));
	CHECK(!retention_keeps(&one, 0, SEQ_MAX - 1));
	CHECK(retention_keeps(&one, SEQ_MAX - 1, SEQ_MAX));
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
