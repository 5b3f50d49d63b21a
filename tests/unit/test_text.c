/* Base64, times and UTF-8 as text and back. */
#include "base64.h"
#include "check.h"
#include "text.h"

TEST(base64_known, "base64 is that of RFC 4648")
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const char *bytes = pairs[i][0], *text = pairs[i][1];
		char encoded[16], decoded[16];
		size_t n;

		CHECK_EQ(BASE64_CHARS(strlen(bytes)), strlen(text));
		base64_encode(bytes, strlen(bytes), encoded);
		CHECK(memcmp(encoded, text, strlen(text)) == 0);
		CHECK(base64_decode(text, strlen(text), decoded, &n));
		CHECK_EQ(n, strlen(bytes));
		CHECK(memcmp(decoded, bytes, n) == 0);
	}
}

TEST(base64_random, "any bytes come back from base64, in place too")
{
	uint8_t bytes[300];
	char text[BASE64_CHARS(sizeof(bytes))];

	for (int round = 0; round < 1000; round++) {
		size_t n = check_random() % sizeof(bytes), got;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)check_random();
		base64_encode(bytes, n, text);
		CHECK(base64_decode(text, BASE64_CHARS(n), text, &got));
		CHECK_EQ(got, n);
		CHECK(memcmp(text, bytes, n) == 0);
	}
}

TEST(base64_one_text, "a text is decoded only if it is what the bytes are encoded as")
{
	for (int round = 0; round < 100000; round++) {
		char text[8], back[8];
		uint8_t bytes[6];
		size_t n;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = check_random() % 8 ?
					  (char)('+' + check_random() % 80) :
					  '=';
		if (!base64_decode(text, sizeof(text), bytes, &n))
			continue;
		CHECK_EQ(BASE64_CHARS(n), sizeof(text));
		base64_encode(bytes, n, back);
		CHECK(memcmp(text, back, sizeof(text)) == 0);
	}
	CHECK(!base64_decode("Zg=", 3, (char[3]){ 0 }, &(size_t){ 0 }));
}

static void check_time(int64_t ns)
{
	char text[TEXT_TIME_BYTES];
	int64_t back;

	text_format_time(ns, text);
	CHECK(text_parse_time(text, &back));
	CHECK_EQ(back, ns);
}

TEST(times, "every time comes back from its text, and nothing else is one")
{
	static const char *const wrong[] = {
		"", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000",
		"1970-01-01 00:00:00.000000000Z",
		"1970-02-30T00:00:00.000000000Z",
		"1970-01-01T00:00:60.000000000Z",
		"1970-01-01T00:00:00.-00000001Z",
		"1970-01-01T00:00:00. 00000001Z",
		"9999-01-01T00:00:00.000000000Z",
		"1600-01-01T00:00:00.000000000Z",
	};
	int64_t ns;

	check_time(0);
	check_time(-1);
	check_time(INT64_MAX);
	check_time(INT64_MIN);
	for (int i = 0; i < 100000; i++)
		check_time((int64_t)check_random());
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK(!text_parse_time(wrong[i], &ns));
}

TEST(utf8, "UTF-8 ends at the first byte that is none, wherever it stands")
{
	static const char *const wrong[] = {
		"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe4\xb8", "\xff",
	};
	char text[64];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		for (size_t before = 0; before < 30; before++) {
			size_t n = strlen(wrong[i]);

			memset(text, 'a', before);
			memcpy(text + before, wrong[i], n);
			memset(text + before + n, 'b', 10);
			CHECK_EQ(text_utf8_span(text, before + n + 10), before);
			memcpy(text + before, "\xc3\xa4", 2);
			CHECK_EQ(text_utf8_span(text, before + 2), before + 2);
		}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
