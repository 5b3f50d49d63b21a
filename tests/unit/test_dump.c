/*
 * Lines of dumps: what is written is read again, and a dump in which anything is
 * different from what was written is refused.
 */
#include "check.h"
#include "dump_check.h"

#include <sys/stat.h>

#define NAME_BYTES 4001

/* An entry with everything in it. */
struct item {
	struct dump_line line;
	uint8_t name[NAME_BYTES], value[DUMP_PART_BYTES_MAX];
	struct attr_blob attr;
};

static struct item item;
static char text[DUMP_LINE_BYTES_MAX];

static void forget_attr(void)
{
	attr_blob_release(&item.attr);
}

/* Bytes of one of several kinds: UTF-8, with what needs escapes, or any. */
static size_t fill(uint8_t *ret, size_t max)
{
	static const char *const words[] = { "a", "/", "\xc3\xa4", "\xe2\x82\xac",
					     "\n", "\"", "\\", "\t\r", " x ",
					     "\xf0\x9f\x90\x98" };
	size_t n = check_random() % 3 ? check_random() % 40 :
					check_random() % (max + 1);
	size_t at = 0;

	n = n < max ? n : max;
	if (check_random() % 2) {
		while (at + 5 < n) {
			const char *word = words[check_random() % 10];

			memcpy(ret + at, word, strlen(word));
			at += strlen(word);
		}
		return at;
	}
	for (; at < n; at++)
		ret[at] = (uint8_t)check_random();
	return n;
}

static void add_xattrs(void)
{
	static uint8_t value[2000];

	for (unsigned i = check_random() % 5; i > 0; i--) {
		struct attr_xattr xattr = { .value = value };
		struct attr_blob with;
		char name[32];

		snprintf(name, sizeof(name), "user.%x\"\n", (unsigned)i);
		xattr.name = name;
		xattr.value_bytes = fill(value, sizeof(value));
		CHECK_OK(attr_xattr_set(item.attr.bytes, item.attr.n, &xattr,
					&with));
		attr_blob_release(&item.attr);
		item.attr = with;
	}
}

/* A blob of a mount, of another program, or none. */
static void make_attr(void)
{
	struct fs_attr attr = {
		.mode = S_IFREG | (uint32_t)(check_random() & 07777),
		.uid = (uint32_t)check_random(),
		.gid = (uint32_t)check_random() % 3,
		.atime_ns = (int64_t)check_random(),
		.flags = (uint32_t)check_random(),
		.present = (unsigned)check_random() & 31,
	};

	forget_attr();
	switch (check_random() % 4) {
	case 0:
		break;
	case 1:
		item.attr.bytes = malloc(100);
		item.attr.n = fill(item.attr.bytes, 100);
		break;
	default:
		item.attr.bytes = malloc(ATTR_HEAD_BYTES_MAX);
		item.attr.n = attr_encode(&attr, item.attr.bytes);
		add_xattrs();
	}
	item.line.attr = item.attr.bytes;
	item.line.attr_bytes = item.attr.n;
}

static void make_entry(enum dump_kind kind)
{
	item.line = (struct dump_line){ .kind = kind, .name = item.name };
	item.line.name_bytes = fill(item.name, NAME_BYTES);
	item.line.mtime_ns = check_random() % 4 ? (int64_t)check_random() :
						  AEDB_MTIME_NONE;
	make_attr();
	if (kind < DUMP_DIRECTORY)
		return;
	if (check_random() % 2) {
		item.line.bytes = 1 + check_random() % INT64_MAX;
		return;
	}
	item.line.value = item.value;
	item.line.bytes = item.line.value_bytes =
		fill(item.value, DUMP_INLINE_BYTES);
}

static void make_part(void)
{
	item.line = (struct dump_line){
		.kind = DUMP_PART, .value = item.value,
		.offset = check_random() >> 1 >> check_random() % 60,
	};
	while (item.line.value_bytes == 0)
		item.line.value_bytes = fill(item.value, DUMP_PART_BYTES_MAX);
}

static bool is_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	return a_bytes == b_bytes && (a_bytes == 0 || !memcmp(a, b, a_bytes));
}

/* What is wrong; "": nothing. */
static const char *words(const char *wrong)
{
	return wrong ? wrong : "";
}

/* What is read from the text is the item. */
static void check_text(struct dump_reader *reader, size_t n)
{
	const struct dump_line *want = &item.line;
	struct dump_line got;

	CHECK_STR(words(dump_reader_parse(reader, text, n - 1, &got)), "");
	CHECK_EQ(got.kind, want->kind);
	CHECK(is_equal(got.name, got.name_bytes, want->name, want->name_bytes));
	CHECK(is_equal(got.attr, got.attr_bytes, want->attr, want->attr_bytes));
	CHECK_EQ(!got.attr, !want->attr);
	CHECK(is_equal(got.value, got.value_bytes, want->value,
		       want->value_bytes));
	CHECK_EQ(got.bytes, want->bytes);
	CHECK_EQ(got.offset, want->offset);
	if (want->kind != DUMP_PART)
		CHECK_EQ(got.mtime_ns, want->mtime_ns);
	if (want->kind >= DUMP_DIRECTORY && want->bytes)
		CHECK_EQ(!got.value, !want->value);
}

TEST(lines, "every line is read as it was written")
{
	struct dump_reader reader;

	CHECK_OK(dump_reader_init(&reader));
	for (unsigned i = 0; i < check_times(3000); i++) {
		enum dump_kind kind = (enum dump_kind)(
			DUMP_DATABASE + check_random() % 6);

		if (kind == DUMP_PART)
			make_part();
		else
			make_entry(kind);
		if (kind == DUMP_DATABASE)
			item.line.name_bytes = 0;
		check_text(&reader, dump_line_write(&item.line, text));
	}
	dump_reader_release(&reader);
	forget_attr();
}

TEST(parts, "a value is the same parts wherever its characters are cut")
{
	static uint8_t value[300000];
	size_t at = 0, n = 0, parts = 0;

	/* three bytes each, so that a part's end falls within one */
	for (; n + 3 <= sizeof(value); n += 3)
		memcpy(value + n, "\xe2\x82\xac", 3);
	while (at < n) {
		uint64_t end = dump_part_end(at);
		size_t room = end < n ? (size_t)(end - at) : n - at;
		size_t span = dump_part_span(value + at, room, at);

		CHECK(room <= DUMP_PART_BYTES_MAX);
		CHECK(span > 0 && span % 3 == 0);
		at += span;
		parts++;
	}
	CHECK_EQ(at, n);
	CHECK_EQ(parts, 5);
	value[10] = 0xff;
	CHECK_EQ(dump_part_span(value, DUMP_PART_BYTES, 0), DUMP_PART_BYTES);
}

TEST(atime, "an access time can be left out, and with it a blob of nothing else")
{
	uint8_t head[ATTR_HEAD_BYTES_MAX];
	struct fs_attr attr = { .mode = S_IFREG | 0600, .atime_ns = 5,
				.present = ATTR_MODE | ATTR_ATIME };
	struct dump_line line = { .kind = DUMP_KEY, .attr = head };
	struct attr_blob made = { 0 };

	line.attr_bytes = attr_encode(&attr, head);
	CHECK_OK(dump_attr_drop_atime(&line, &made));
	attr.present = ATTR_MODE;
	line.name = "k";
	line.name_bytes = 1;
	line.mtime_ns = AEDB_MTIME_NONE;
	line.value = "";
	text[dump_line_write(&line, text)] = '\0';
	CHECK_STR(text, "{\"key\":\"k\",\"mode\":\"100600\",\"value\":\"\"}\n");
	attr_blob_release(&made);
	attr.present = ATTR_ATIME;
	line.attr = head;
	line.attr_bytes = attr_encode(&attr, head);
	CHECK_OK(dump_attr_drop_atime(&line, &made));
	CHECK(!line.attr);
	attr_blob_release(&made);
}

/* A dump as text. */
struct dump {
	char *at;
	size_t n;
	FILE *out;
	struct dump_sum sum;
};

static void dump_text(struct dump *dump, const char *line, size_t n,
		      enum dump_kind kind)
{
	fwrite(line, 1, n, dump->out);
	dump_sum_add(&dump->sum, line, n, kind);
}

static void dump_item(struct dump *dump)
{
	size_t n = dump_line_write(&item.line, text);

	dump_text(dump, text, n, item.line.kind);
}

static void dump_place(struct dump *dump, enum dump_kind kind, const char *name)
{
	make_entry(kind);
	item.line.name = name;
	item.line.name_bytes = strlen(name);
	dump_item(dump);
}

/* Entries of a scope, one of them with a value in parts. */
static void dump_entries(struct dump *dump)
{
	static uint8_t value[2 * DUMP_PART_BYTES];

	for (int i = 0; i < 4; i++) {
		make_entry(i ? DUMP_KEY : DUMP_DIRECTORY);
		item.line.name_bytes = fill(item.name, 50);
		if (!item.line.value)
			item.line.bytes = 4 * DUMP_PART_BYTES;
		dump_item(dump);
		if (item.line.value)
			continue;
		for (size_t j = 0; j < sizeof(value); j++)
			value[j] = (uint8_t)(check_random() % 200);
		item.line = (struct dump_line){
			.kind = DUMP_PART, .offset = 2 * DUMP_PART_BYTES,
			.value = value, .value_bytes = 1 + check_random() % 3000,
		};
		dump_item(dump);
	}
}

static void make_dump(struct dump *ret)
{
	static const char head[] = "{\"aedb_dump\":2,\"seq\":7}\n";
	char end[DUMP_END_BYTES];

	*ret = (struct dump){ 0 };
	ret->out = open_memstream(&ret->at, &ret->n);
	CHECK_OK(dump_sum_init(&ret->sum));
	dump_text(ret, head, strlen(head), DUMP_HEAD);
	make_entry(DUMP_DATABASE);
	dump_item(ret);
	dump_place(ret, DUMP_PROJECT, "p");
	dump_place(ret, DUMP_SCOPE, "a");
	dump_entries(ret);
	dump_place(ret, DUMP_SCOPE, "b");
	dump_place(ret, DUMP_PROJECT, "q");
	dump_place(ret, DUMP_SCOPE, "a");
	dump_entries(ret);
	fwrite(end, 1, dump_sum_end(&ret->sum, end), ret->out);
	fclose(ret->out);
	dump_sum_release(&ret->sum);
	forget_attr();
}

/* NULL, or why these bytes are no dump. */
static const char *refusal(const char *bytes, size_t n)
{
	char *copy = malloc(n + 1), *at = copy, *end = copy + n;
	const char *wrong = NULL;
	struct dump_check check;
	struct dump_line line;

	memcpy(copy, bytes, n);
	CHECK_OK(dump_check_init(&check));
	while (at < end && !wrong) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *next = newline ? newline + 1 : end;

		wrong = dump_check_line(&check, at, (size_t)(next - at), &line);
		at = next;
	}
	if (!wrong)
		wrong = dump_check_end(&check);
	dump_check_release(&check);
	free(copy);
	return wrong;
}

/* Changes the bytes in one of several ways; they have room for twice as many. */
static size_t damage(char *bytes, size_t n)
{
	size_t at = check_random() % n, other = check_random() % n;
	size_t span = 1 + check_random() % (n - at);

	switch (check_random() % 6) {
	case 0:
		bytes[at] ^= (char)(1 << check_random() % 8);
		return n;
	case 1:
		bytes[at] = (char)check_random();
		return n;
	case 2:		/* cut */
		return at;
	case 3:		/* taken out */
		memmove(bytes + at, bytes + at + span, n - at - span);
		return n - span;
	case 4:		/* there twice */
		memmove(bytes + at + span, bytes + at, n - at);
		return n + span;
	default:	/* copied over */
		span = span < n - other ? span : n - other;
		memmove(bytes + other, bytes + at, span);
		return n;
	}
}

TEST(damaged, "every dump with any damage is refused")
{
	for (unsigned i = 0; i < check_times(30); i++) {
		struct dump dump;
		char *bytes;

		make_dump(&dump);
		CHECK_STR(words(refusal(dump.at, dump.n)), "");
		bytes = malloc(2 * dump.n);
		for (int j = 0; j < 200; j++) {
			size_t n;

			memcpy(bytes, dump.at, dump.n);
			n = damage(bytes, dump.n);
			if (!is_equal(bytes, n, dump.at, dump.n))
				CHECK(refusal(bytes, n));
		}
		free(bytes);
		free(dump.at);
	}
}

TEST(every_byte, "a dump is refused without any one of its bytes, or with one more")
{
	struct dump dump;
	char *bytes;

	make_dump(&dump);
	bytes = malloc(dump.n + 1);
	for (size_t at = dump.n < 3000 ? 0 : dump.n - 3000; at < dump.n; at++) {
		memcpy(bytes, dump.at, at);
		memcpy(bytes + at, dump.at + at + 1, dump.n - at - 1);
		CHECK(refusal(bytes, dump.n - 1));
		CHECK(refusal(bytes, at));
		bytes[at] = '\n';
		memcpy(bytes + at + 1, dump.at + at, dump.n - at);
		CHECK(refusal(bytes, dump.n + 1));
	}
	free(bytes);
	free(dump.at);
}

/* The lines are closed with their right sum. */
static const char *refusal_of(const char *const *lines)
{
	char dump[4096] = "", end[DUMP_END_BYTES];
	const char *wrong;
	struct dump_sum sum;

	CHECK_OK(dump_sum_init(&sum));
	for (; *lines; lines++) {
		size_t n = strlen(dump);

		snprintf(dump + n, sizeof(dump) - n, "%s\n", *lines);
		dump_sum_add(&sum, dump + n, strlen(dump + n),
			     strstr(*lines, "\"key") ? DUMP_KEY : DUMP_SCOPE);
	}
	dump_sum_end(&sum, end);
	strcat(dump, end);
	wrong = refusal(dump, strlen(dump));
	dump_sum_release(&sum);
	return wrong;
}

#define HEAD "{\"aedb_dump\":1}"
#define PLACES HEAD, "{\"project\":\"p\"}", "{\"scope\":\"s\"}"
#define KEY(rest) "{\"key\":\"k\"" rest "}"
#define EMPTY(rest) KEY(",\"value\":\"\"" rest)
#define PART_AT_1 "{\"part\":1,\"value\":\"x\"}"
#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(by_hand, "a dump made by another program is read, in any order of members")
{
	CHECK_STR(words(refusal_of(LINES(HEAD))), "");
	CHECK_STR(words(refusal_of(LINES(
			  PLACES, "{ \"value\": \"\\u0041\", \"key\": \"k\" }",
			  "{\"key\":\"l\",\"bytes\":9}",
			  "{ \"value_base64\":\"QQ==\",\"part\":8}"))), "");
}

#define TABLE "{\"table\":\"t\",\"schema\":{}}"
#define ROW "{\"row\":{\"a\":1}}"
#define GRANT "{\"grant\":\"kv-read\",\"to\":\"ann\"}"

TEST(tables, "tables stand behind keys, rows in tables, grants behind what they are on")
{
	CHECK_STR(words(refusal_of(LINES(
			  HEAD, "{\"database\":true}", GRANT, GRANT,
			  "{\"project\":\"p\"}", GRANT, "{\"scope\":\"s\"}",
			  GRANT, EMPTY(""), TABLE, GRANT, ROW, ROW,
			  "{\"row\":null,\"bytes\":2}",
			  "{\"part\":0,\"value\":\"{}\"}",
			  "{\"table\":\"u\",\"bytes\":9}", PART_AT_1, GRANT,
			  "{\"scope\":\"t\"}", TABLE))), "");
	CHECK(refusal_of(LINES(HEAD, GRANT)));
	CHECK(refusal_of(LINES(HEAD, "{\"project\":\"p\"}", TABLE)));
	CHECK(refusal_of(LINES(PLACES, ROW)));
	CHECK(refusal_of(LINES(PLACES, TABLE, EMPTY(""))));
	CHECK(refusal_of(LINES(PLACES, TABLE, "{\"directory\":\"d\"}")));
	CHECK(refusal_of(LINES(PLACES, TABLE, TABLE)));
	CHECK(refusal_of(LINES(PLACES, TABLE, ROW, GRANT)));
	CHECK(refusal_of(LINES(PLACES, EMPTY(""), GRANT)));
	CHECK(refusal_of(LINES(PLACES, "{\"table\":\"t\"}")));
	CHECK(refusal_of(LINES(PLACES, "{\"table\":\".\",\"schema\":{}}")));
	CHECK(refusal_of(LINES(PLACES, "{\"table\":\"t\",\"schema\":[]}")));
	CHECK(refusal_of(LINES(PLACES, TABLE, "{\"row\":null}")));
	CHECK(refusal_of(LINES(PLACES, TABLE, "{\"row\":{},\"bytes\":2}")));
	CHECK(refusal_of(LINES(PLACES, TABLE, "{\"row\":null,\"bytes\":0}")));
	CHECK(refusal_of(LINES(PLACES, TABLE,
			       "{\"row\":null,\"bytes\":999999999}")));
	CHECK(refusal_of(LINES(PLACES, TABLE, "{\"row\":{},\"more\":1}")));
	CHECK(refusal_of(LINES(PLACES, "{\"grant\":\"kv-read\"}")));
	CHECK(refusal_of(LINES(PLACES, "{\"grant\":7,\"to\":\"ann\"}")));
}

static void check_same(const void *a, size_t a_bytes, const void *b,
		       size_t b_bytes)
{
	CHECK(is_equal(a, a_bytes, b, b_bytes));
}

TEST(grants, "a line of a grant is read as it was written")
{
	static uint8_t to[128];
	struct dump_reader reader;
	struct dump_line got;

	CHECK_OK(dump_reader_init(&reader));
	for (unsigned i = 0; i < check_times(500); i++) {
		struct dump_line line = {
			.kind = DUMP_GRANT, .name = "kv-read", .name_bytes = 7,
			.value = to, .value_bytes = fill(to, sizeof(to)),
			.prefix = item.name,
			.prefix_bytes = fill(item.name, 3800),
		};
		size_t n = dump_line_write(&line, text);

		CHECK_STR(words(dump_reader_parse(&reader, text, n - 1, &got)),
			  "");
		CHECK_EQ(got.kind, DUMP_GRANT);
		check_same(got.name, got.name_bytes, line.name, line.name_bytes);
		check_same(got.value, got.value_bytes, to, line.value_bytes);
		check_same(got.prefix, got.prefix_bytes, line.prefix,
			   line.prefix_bytes);
	}
	dump_reader_release(&reader);
}

TEST(order, "lines that do not belong together are refused, whatever the sum")
{
	CHECK(refusal_of(LINES("{\"project\":\"p\"}")));
	CHECK(refusal_of(LINES(HEAD, HEAD)));
	CHECK(refusal_of(LINES("{\"aedb_dump\":3}")));
	CHECK(refusal_of(LINES("{\"aedb_dump\":0}")));
	CHECK(refusal_of(LINES(HEAD, "{\"scope\":\"s\"}")));
	CHECK(refusal_of(LINES(HEAD, "{\"project\":\"p\"}", EMPTY(""))));
	CHECK(refusal_of(LINES(PLACES, "{\"scope\":\"s\"}")));
	CHECK(refusal_of(LINES(PLACES, "{\"project\":\"a\"}")));
	CHECK(refusal_of(LINES(HEAD, "{\"project\":\"p.x\"}")));
	CHECK(refusal_of(LINES(HEAD, "{\"project\":\"\"}")));
	CHECK(refusal_of(LINES(PLACES, "{\"database\":true}")));
	CHECK(refusal_of(LINES(PLACES, KEY(""))));
	CHECK(refusal_of(LINES(PLACES, EMPTY(",\"bytes\":0"))));
	CHECK(refusal_of(LINES(PLACES, EMPTY(",\"more\":0"))));
	CHECK(refusal_of(LINES(PLACES, EMPTY(""), "{\"directory\":\"\"}")));
	CHECK(refusal_of(LINES(PLACES, "{\"part\":0,\"value\":\"x\"}")));
	CHECK(refusal_of(LINES(PLACES, KEY(",\"bytes\":1"), "{\"part\":0,\"value\":\"xy\"}")));
	CHECK(refusal_of(LINES(PLACES, KEY(",\"bytes\":9"), PART_AT_1, PART_AT_1)));
	CHECK(refusal_of(LINES(PLACES, KEY(",\"bytes\":-1"))));
	CHECK(refusal_of(LINES(PLACES, "{\"key_base64\":\"a===\",\"value\":\"\"}")));
	CHECK(refusal_of(LINES(PLACES, EMPTY(",\"mode\":\"0x1\""))));
	CHECK(refusal_of(LINES(PLACES, EMPTY(",\"mtime\":\"today\""))));
	CHECK(refusal_of(LINES(PLACES, EMPTY(",\"xattrs\":{\"system.x\":\"\"}"))));
	CHECK(refusal_of(LINES(PLACES, "[]")));
	CHECK_STR(refusal("", 0), "it is empty, and no dump");
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
