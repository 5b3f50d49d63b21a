/* Sums of dumps, and the order of their lines. */
#include "dump_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define END_START "{\"end\":"
#define SHA256_BYTES 32

/* Sums. */

int dump_sum_init(struct dump_sum *sum)
{
	*sum = (struct dump_sum){ .sha256 = EVP_MD_CTX_new() };
	if (!sum->sha256)
		return -1;
	sum->has_failed = !EVP_DigestInit_ex(sum->sha256, EVP_sha256(), NULL);
	return 0;
}

void dump_sum_release(struct dump_sum *sum)
{
	EVP_MD_CTX_free(sum->sha256);
	sum->sha256 = NULL;
}

static void sum_text(struct dump_sum *sum, const char *text, size_t n)
{
	sum->has_failed |= !EVP_DigestUpdate(sum->sha256, text, n);
}

static void sum_count(struct dump_sum *sum, enum dump_kind kind)
{
	sum->lines++;
	sum->keys += kind == DUMP_KEY;
	sum->rows += kind == DUMP_ROW;
}

void dump_sum_add(struct dump_sum *sum, const char *text, size_t n,
		  enum dump_kind kind)
{
	sum_text(sum, text, n);
	sum_count(sum, kind);
}

size_t dump_sum_end(const struct dump_sum *sum, char ret[DUMP_END_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	bool is_done = copy && !sum->has_failed &&
		       EVP_MD_CTX_copy_ex(copy, sum->sha256) &&
		       EVP_DigestFinal_ex(copy, digest, NULL);
	int n;

	EVP_MD_CTX_free(copy);
	if (!is_done)
		return 0;
	n = snprintf(ret, DUMP_END_BYTES, END_START "%" PRIu64 ",\"keys\":%" PRIu64
		     ",\"sha256\":\"", sum->lines, sum->keys);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		n += snprintf(ret + n, DUMP_END_BYTES - (size_t)n, "%02x",
			      digest[i]);
	n += snprintf(ret + n, DUMP_END_BYTES - (size_t)n, "\"}\n");
	return (size_t)n;
}

/* Lines. */

int dump_check_init(struct dump_check *check)
{
	*check = (struct dump_check){ .last = DUMP_HEAD };
	if (dump_sum_init(&check->sum) < 0)
		return -1;
	if (dump_reader_init(&check->reader) < 0) {
		dump_sum_release(&check->sum);
		return -1;
	}
	return 0;
}

void dump_check_release(struct dump_check *check)
{
	dump_sum_release(&check->sum);
	dump_reader_release(&check->reader);
}

static bool is_name(const char *name, size_t n)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789_-";

	if (n == 0 || n > AEDB_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!name[i] || !strchr(allowed, name[i]))
			return false;
	return true;
}

/* A project, scope or table: behind the last one, which it becomes. */
static const char *check_place(char *last, const struct dump_line *line)
{
	char name[AEDB_NAME_BYTES_MAX + 1];

	if (!is_name(line->name, line->name_bytes))
		return "a project, scope or table has a name that none can "
		       "have";
	memcpy(name, line->name, line->name_bytes);
	name[line->name_bytes] = '\0';
	if (strcmp(last, name) >= 0)
		return "projects, scopes or tables are not in order";
	memcpy(last, name, line->name_bytes + 1);
	return NULL;
}

static const char *check_part(struct dump_check *check,
			      const struct dump_line *line)
{
	if (line->offset < check->value_at ||
	    line->offset > check->value_bytes ||
	    line->value_bytes == 0 ||
	    line->value_bytes > check->value_bytes - line->offset)
		return "a part does not belong to the value above";
	check->value_at = line->offset + line->value_bytes;
	return NULL;
}

/* Is it, or is in it, a table? */
static bool is_of_table(enum dump_kind kind)
{
	return kind == DUMP_TABLE || kind == DUMP_ROW;
}

/* Is there a line before it that such a line belongs to? */
static bool is_in_place(const struct dump_check *check, enum dump_kind kind)
{
	switch (kind) {
	case DUMP_HEAD:
		return check->sum.lines == 1;
	case DUMP_DATABASE:
		return check->sum.lines == 2;
	case DUMP_PROJECT:
		return true;
	case DUMP_SCOPE:
		return *check->project;
	case DUMP_DIRECTORY:
		return *check->scope && check->last < DUMP_KEY;
	case DUMP_KEY:
		return *check->scope && !is_of_table(check->last);
	case DUMP_PART:
		return check->value_bytes > 0;
	case DUMP_TABLE:
		return *check->scope;
	case DUMP_ROW:
		return is_of_table(check->last);
	case DUMP_GRANT:
		return check->last == DUMP_TABLE ||
		       (check->last >= DUMP_DATABASE &&
			check->last <= DUMP_SCOPE);
	}
	return false;
}

static const char *check_order(struct dump_check *check,
			       const struct dump_line *line)
{
	const char *wrong = NULL;

	if (!is_in_place(check, line->kind))
		return "the line does not belong here";
	if (line->kind == DUMP_PART)
		return check_part(check, line);
	check->value_at = 0;
	check->value_bytes = line->value ? 0 : line->bytes;
	if (line->kind == DUMP_GRANT)
		return NULL;
	if (line->kind == DUMP_PROJECT) {
		*check->scope = '\0';
		wrong = check_place(check->project, line);
	} else if (line->kind == DUMP_SCOPE) {
		*check->table = '\0';
		wrong = check_place(check->scope, line);
	} else if (line->kind == DUMP_TABLE) {
		wrong = check_place(check->table, line);
	}
	check->last = line->kind;
	return wrong;
}

static const char *check_last(struct dump_check *check, const char *text,
			      size_t n)
{
	char end[DUMP_END_BYTES];
	size_t end_bytes = dump_sum_end(&check->sum, end);

	check->is_ended = true;
	if (end_bytes == 0)
		return "its checksum could not be made";
	if (end_bytes != n || memcmp(text, end, n))
		return "the number of lines or keys, or the checksum, is not that "
		       "of the lines before: the dump is not whole, or was changed";
	return NULL;
}

const char *dump_check_line(struct dump_check *check, char *text, size_t n,
			    struct dump_line *ret)
{
	const char *wrong;

	if (check->is_ended)
		return "something follows the last line";
	if (n == 0 || text[n - 1] != '\n')
		return "the dump ends within it";
	if (check->sum.lines && n >= sizeof(END_START) &&
	    !memcmp(text, END_START, sizeof(END_START) - 1))
		return check_last(check, text, n);
	sum_text(&check->sum, text, n);
	wrong = dump_reader_parse(&check->reader, text, n - 1, ret);
	if (wrong)
		return wrong;
	if (check->sum.lines == 0 && ret->kind != DUMP_HEAD)
		return "it is not the first line of a dump";
	sum_count(&check->sum, ret->kind);
	return check_order(check, ret);
}

const char *dump_check_end(const struct dump_check *check)
{
	if (check->sum.lines == 0)
		return "it is empty, and no dump";
	return check->is_ended ? NULL : "the dump ends before its last line";
}
