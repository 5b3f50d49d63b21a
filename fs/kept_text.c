/* Texts in stages. */
#include "kept_text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BUFFER_BYTES (64u << 10)	/* written to the stage at once */

struct kept_text {
	struct aedb_stage *stage;	/* owned */
	uint64_t bytes;			/* constant once written */
	int rc;				/* of writing */
	atomic_uint users;
};

int kept_text_open(struct aedb *db, struct kept_text **ret)
{
	struct kept_text *text = calloc(1, sizeof(*text));
	int rc = text ? aedb_stage_open(db, NULL, &text->stage) : -ENOMEM;

	if (rc < 0) {
		free(text);
		return rc;
	}
	atomic_init(&text->users, 1);
	*ret = text;
	return 0;
}

static ssize_t append(void *arg, const char *buf, size_t n)
{
	struct kept_text *text = arg;

	if (text->rc == 0)
		text->rc = aedb_stage_write(text->stage, buf, n, text->bytes);
	if (text->rc < 0)
		return 0;
	text->bytes += n;
	return (ssize_t)n;
}

FILE *kept_text_write(struct kept_text *text)
{
	FILE *out = fopencookie(text, "w",
				(cookie_io_functions_t){ .write = append });

	if (out)
		setvbuf(out, NULL, _IOFBF, BUFFER_BYTES);
	return out;
}

int kept_text_written(struct kept_text *text, FILE *out)
{
	if (fclose(out) != 0 && text->rc == 0)
		text->rc = -ENOMEM;
	return text->rc;
}

struct kept_text *kept_text_ref(struct kept_text *text)
{
	atomic_fetch_add(&text->users, 1);
	return text;
}

void kept_text_unref(struct kept_text *text)
{
	if (!text || atomic_fetch_sub(&text->users, 1) > 1)
		return;
	aedb_stage_close(text->stage);
	free(text);
}

uint64_t kept_text_bytes(const struct kept_text *text)
{
	return text->bytes;
}

int kept_text_read(struct kept_text *text, void *buf, size_t n,
		   uint64_t offset, size_t *ret)
{
	*ret = 0;
	return offset < text->bytes ?
		       aedb_stage_read(text->stage, buf, n, offset, ret) : 0;
}
