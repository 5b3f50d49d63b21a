/* Lines of differences. */
#include "difference.h"

#include <stdio.h>

#include "output.h"
#include "text.h"

#define ID_BITS 52
#define IMPLIED_BIT (UINT64_C(1) << (ID_BITS - 1))

static const struct {
	char sign;
	const char *word;
} words[] = {
	[DIFFERENCE_ADDED] = { '+', "added" },
	[DIFFERENCE_REMOVED] = { '-', "removed" },
	[DIFFERENCE_CHANGED] = { '~', "changed" },
};

static int print_json(enum difference what, const void *path, size_t n)
{
	json_t *line = json_pack("{s:s}", "change", words[what].word);
	int rc = line ? output_json_add_bytes(line, "path", path, n) : 0;

	if (rc < 0) {
		json_decref(line);
		return rc;
	}
	return output_json_line(line);
}

int difference_print(enum difference what, const void *path, size_t n)
{
	if (output_is_json())
		return print_json(what, path, n);
	text_write_change(stdout, words[what].sign, path, n);
	return output_check();
}

bool difference_is_implied(uint64_t id)
{
	return id & IMPLIED_BIT;
}
