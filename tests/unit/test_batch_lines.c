/*
 * The list of a batch's changes, made in steps between which others have the lock.
 */
#include "batch_lines.h"
#include "forest_batches.h"
#include "fs_fixture.h"
#include "kept_text.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

#define KEYS 1000

static const char *key_name(unsigned i)
{
	static char name[16];

	snprintf(name, sizeof(name), "k%04u", i);
	return name;
}

static struct batch_lines *lines_of(struct fs *batch)
{
	struct batch_lines *lines = NULL;

	CHECK_OK(batch_lines_open(batch->tree->batch, &lines));
	return lines;
}

static void check_printed(struct batch_lines *lines, const char *want)
{
	size_t bytes = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	batch_lines_print(lines, out);
	fclose(out);
	CHECK_STR(text, want);
	free(text);
}

static void end(struct fs *fs, struct fs *batch)
{
	struct batch_news news = { .before = { .attributes = NULL } };
	struct batch *b = batch->tree->batch;

	forest_forget(fs->forest, tree_nodeid(batch->tree, batch->scope), 1);
	forest_batch_end(fs->forest, b, &news);
	batch_news_release(&news);
	forest_batch_drop(b);
}

TEST(steps, "a batch may be changed between two steps: what was listed stays, what "
	    "comes later is as it is then")
{
	struct batch_lines *lines;
	struct fs fs, batch;
	char want[KEYS * 16] = "", name[16];
	unsigned steps = 1;

	fs_open(&fs);
	fs_enter_batch(&fs, "b", &batch);
	for (unsigned i = 0; i < KEYS; i++)
		fs_put(&batch, key_name(i), "v");
	lines = lines_of(&batch);
	CHECK_EQ(batch_lines_step(lines), 1);
	CHECK_OK(fs_unlink(&batch, key_name(0)));
	CHECK_OK(fs_unlink(&batch, key_name(KEYS - 1)));
	fs_put(&batch, key_name(KEYS), "v");
	while (batch_lines_step(lines) == 1)
		steps++;
	CHECK(steps > 2);
	for (unsigned i = 0; i <= KEYS; i++) {
		strcpy(name, key_name(i));
		if (i != KEYS - 1)
			sprintf(want + strlen(want), "+ p/s/%s\n", name);
	}
	check_printed(lines, want);
	batch_lines_close(lines);
	end(&fs, &batch);
	fs_close(&fs);
}

TEST(ended, "a list of which the batch has ended between two steps is closed")
{
	struct batch_lines *lines;
	struct fs fs, batch;

	fs_open(&fs);
	fs_enter_batch(&fs, "b", &batch);
	for (unsigned i = 0; i < KEYS; i++)
		fs_put(&batch, key_name(i), "v");
	lines = lines_of(&batch);
	CHECK_EQ(batch_lines_step(lines), 1);
	end(&fs, &batch);
	batch_lines_close(lines);
	fs_close(&fs);
}

TEST(kept, "a kept text reads as it was written, for each of its users, and is counted "
	   "with the data that is staged")
{
	struct kept_text *text = NULL;
	struct aedb_stats stats;
	char part[8];
	struct fs fs;
	FILE *out;
	size_t n;

	fs_open(&fs);
	CHECK_OK(kept_text_open(fs.db, &text));
	out = kept_text_write(text);
	CHECK(out);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(out, "%06u\n", i);
	CHECK_OK(kept_text_written(text, out));
	CHECK_EQ(kept_text_bytes(text), 700000);
	kept_text_unref(kept_text_ref(text));
	CHECK_OK(kept_text_read(text, part, 7, 7 * 99999, &n));
	CHECK(n == 7 && memcmp(part, "099999\n", 7) == 0);
	CHECK_OK(kept_text_read(text, part, 8, 700000 - 3, &n));
	CHECK_EQ(n, 3);
	CHECK_OK(kept_text_read(text, part, 8, 700000, &n));
	CHECK_EQ(n, 0);
	aedb_stats(fs.db, &stats);
	CHECK(stats.staged_bytes >= 700000);
	kept_text_unref(text);
	aedb_stats(fs.db, &stats);
	CHECK_EQ(stats.staged_bytes, 0);
	fs_close(&fs);
}
