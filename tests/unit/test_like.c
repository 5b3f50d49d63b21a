/*
 * Patterns of AEDB_IF_LIKE, held against the plainest way to match them.
 */
#include "check.h"
#include "err.h"
#include "like.h"
#include "random_value.h"

#define ROOM 64

struct text {
	uint8_t at[ROOM];
	size_t n;
};

static void text_add(struct text *t, const char *piece)
{
	size_t n = strlen(piece);

	if (t->n + n > ROOM)
		return;
	memcpy(t->at + t->n, piece, n);
	t->n += n;
}

static void random_text(struct text *t, const char *const *pieces, size_t n_pieces)
{
	t->n = 0;
	for (size_t n = value_below(12); n > 0; n--)
		text_add(t, pieces[value_below(n_pieces)]);
}

/* Each piece in turn, each length that a % can have. */
static bool matches(const uint8_t *p, size_t p_n, const uint8_t *t, size_t t_n)
{
	size_t step;

	if (p_n == 0)
		return t_n == 0;
	if (*p == '%') {
		for (size_t skip = 0; skip <= t_n; skip++)
			if ((skip == t_n || (t[skip] & 0xc0) != 0x80) &&
			    matches(p + 1, p_n - 1, t + skip, t_n - skip))
				return true;
		return false;
	}
	if (t_n == 0)
		return false;
	if (*p == '_') {
		step = *t < 0x80 ? 1 : *t < 0xe0 ? 2 : 3;
		return matches(p + 1, p_n - 1, t + step, t_n - step);
	}
	if (*p == '\\')
		p++, p_n--;
	return *p == *t && matches(p + 1, p_n - 1, t + 1, t_n - 1);
}

static struct aedb_bytes bytes(const struct text *t)
{
	return (struct aedb_bytes){ t->at, t->n };
}

static const char *const pattern_pieces[] = { "a", "a", "b", "%", "%", "_", "\\%",
					      "\\_", "\\\\", "\xc3\xa4", "\xe2\x82\xac" };
static const char *const text_pieces[] = { "a", "a", "a", "b", "%", "_", "\\",
					   "\xc3\xa4", "\xe2\x82\xac" };

static void random_pair(struct text *pattern, struct text *text)
{
	random_text(pattern, pattern_pieces, 11);
	random_text(text, text_pieces, value_below(2) ? 4 : 9);
}

TEST(match, "a pattern matches what the plainest way to match says")
{
	unsigned matched = 0;
	struct text pattern, text;

	for (unsigned i = 0; i < check_times(100000); i++) {
		bool want;

		random_pair(&pattern, &text);
		CHECK_OK(like_check(bytes(&pattern)));
		want = matches(pattern.at, pattern.n, text.at, text.n);
		CHECK_EQ(like_matches(bytes(&pattern), bytes(&text)), want);
		matched += want;
	}
	CHECK(matched > 1000);
}

TEST(prefix, "everything that matches begins with the prefix, and its shape is as said")
{
	unsigned shapes[3] = { 0 };
	struct text pattern, text;

	for (unsigned i = 0; i < check_times(100000); i++) {
		uint8_t prefix[AEDB_LIKE_BYTES_MAX];
		enum like_shape shape;
		bool begins, is_match;
		size_t n;

		random_pair(&pattern, &text);
		shape = like_prefix(bytes(&pattern), prefix, &n);
		shapes[shape]++;
		if (value_below(2) && n + text.n <= ROOM) {
			memmove(text.at + n, text.at, text.n);
			memcpy(text.at, prefix, n);
			text.n += n;
		}
		begins = text.n >= n && memcmp(text.at, prefix, n) == 0;
		is_match = matches(pattern.at, pattern.n, text.at, text.n);
		CHECK(!is_match || begins);
		if (shape == LIKE_PREFIX)
			CHECK_EQ(is_match, begins);
		if (shape == LIKE_EXACT)
			CHECK_EQ(is_match, begins && text.n == n);
	}
	for (int shape = 0; shape < 3; shape++)
		CHECK(shapes[shape] > 1000);
}

static int check(const char *pattern)
{
	return like_check((struct aedb_bytes){ pattern, strlen(pattern) });
}

TEST(refused, "a pattern with a lone backslash, without UTF-8 or too long is refused")
{
	char longest[AEDB_LIKE_BYTES_MAX + 2];

	CHECK_EQ(check("a\\"), AEDB_INVALID);
	CHECK_EQ(check("\\a"), AEDB_INVALID);
	CHECK(strstr(err_message(), "backslash"));
	CHECK_EQ(check("\\\\\\"), AEDB_INVALID);
	CHECK_EQ(check("\xc3"), AEDB_INVALID);
	memset(longest, '%', sizeof(longest));
	longest[AEDB_LIKE_BYTES_MAX + 1] = 0;
	CHECK_EQ(check(longest), AEDB_TOO_LARGE);
	longest[AEDB_LIKE_BYTES_MAX] = 0;
	CHECK_OK(check(longest));
	CHECK_OK(check(""));
}

TEST(steps, "the worst pattern ends after pattern times text steps")
{
	static char text[1 << 16];
	char pattern[AEDB_LIKE_BYTES_MAX];

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '%';
	pattern[sizeof(pattern) - 1] = 'b';
	CHECK(!like_matches((struct aedb_bytes){ pattern, sizeof(pattern) },
			    (struct aedb_bytes){ text, sizeof(text) }));
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
