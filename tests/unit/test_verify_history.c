/*
 * Verifying the kept history: what a database wrote of it has no findings, and
 * of what is whole and not true each kind is found.
 */
#include "db_fixture.h"
#include "space.h"
#include "verify.h"
#include "verify_history.h"

#define PIECES 5
#define COMMITS 7	/* of a piece */
#define FROM 100

/* Entries as a checkpoint writes them. */
struct stored {
	uint8_t key[SPACE_KEY_BYTES_MAX];
	uint8_t value[HISTORY_BODY_BYTES_MAX];
	struct entry entry;
};

struct world {
	struct manifest_state state;
	struct verify_findings findings;
	struct verify_job job;
	struct stored bodies[PIECES], heads[PIECES];
	char *text;
	size_t text_bytes;
};

static void stored_set(struct stored *s, enum history_key kind, seq_t last,
		       size_t value_bytes)
{
	uint8_t number[HISTORY_KEY_BYTES];

	history_piece_key(kind, last, number);
	s->entry = (struct entry){ .key = s->key, .value = s->value,
				   .seq = last, .id = last };
	s->entry.key_bytes = (uint32_t)space_key(HISTORY_SPACE, number,
						 sizeof(number), s->key);
	s->entry.value_bytes = (uint32_t)value_bytes;
}

static void head_set(struct world *w, size_t i, const struct history_piece *piece)
{
	stored_set(&w->heads[i], HISTORY_HEAD, piece->last,
		   history_piece_encode(piece, w->heads[i].value));
}

/* One that begins with this commit. */
static struct history_piece piece_make(struct world *w, size_t i, seq_t first)
{
	struct history_piece piece = { .body = w->bodies[i].value };

	history_piece_begin(&piece, first, first * 1000, 10);
	for (seq_t n = 1; n < COMMITS; n++)
		history_piece_add(&piece, first + 3 * n, (first + 3 * n) * 1000, 10);
	stored_set(&w->bodies[i], HISTORY_BODY, piece.last, piece.body_bytes);
	head_set(w, i, &piece);
	return piece;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	CHECK(w);
	w->findings.out = open_memstream(&w->text, &w->text_bytes);
	CHECK(w->findings.out);
	w->job = (struct verify_job){ .findings = &w->findings,
				      .manifest = "MANIFEST-1",
				      .state = &w->state };
	w->state.numbers[MANIFEST_HISTORY_FROM] = FROM;
	w->state.numbers[MANIFEST_CHECKPOINT_SEQ] = 1000;
	for (size_t i = 0; i < PIECES; i++)
		piece_make(w, i, FROM + 1 + i * 50);
	return w;
}

/* Verifies and frees it; but for one body and one head if there is such a number. */
static void world_verify(struct world *w, size_t body_left, size_t head_left,
			 const char *words)
{
	struct verify_history h = { .job = &w->job };

	for (size_t i = 0; i < PIECES; i++)
		if (i != body_left)
			CHECK_OK(verify_history_take(&h, &w->bodies[i].entry,
						     "seg/1.seg"));
	for (size_t i = 0; i < PIECES; i++)
		if (i != head_left)
			CHECK_OK(verify_history_take(&h, &w->heads[i].entry,
						     "seg/1.seg"));
	verify_history_end(&h);
	verify_history_release(&h);
	fclose(w->findings.out);
	CHECK_THAT((w->findings.report.findings > 0) == (words[0] != 0) &&
		   strstr(w->text, words), "no \"%s\" in: %s", words, w->text);
	free(w->text);
	free(w);
}

TEST(whole, "a history as it was written has no findings")
{
	world_verify(world_new(), PIECES, PIECES, "");
}

TEST(halves, "a piece without body or head is found, if the history needs it")
{
	struct world *w;

	for (size_t i = 0; i < PIECES; i++) {
		world_verify(world_new(), i, PIECES, "it has no body");
		world_verify(world_new(), PIECES, i, "it has no head");
	}
	w = world_new();
	w->state.numbers[MANIFEST_HISTORY_FROM] = w->heads[0].entry.seq;
	world_verify(w, 0, PIECES, "");
	w = world_new();
	w->state.numbers[MANIFEST_HISTORY_FROM] = 0;
	world_verify(w, PIECES, 3, "");
}

TEST(order, "pieces that overlap, or come behind the checkpoint, are found")
{
	struct world *w = world_new();
	struct history_piece piece = piece_make(w, 2, FROM + 1 + 50);

	w->state.numbers[MANIFEST_CHECKPOINT_SEQ] = 300;
	world_verify(w, PIECES, PIECES, "is newer than the checkpoint");
	w = world_new();
	piece = piece_make(w, 2, FROM + 1 + 50 + COMMITS);
	CHECK(piece.first < w->heads[1].entry.seq);
	world_verify(w, PIECES, PIECES, "overlaps");
}

TEST(differ, "a head that does not say what its body does is found")
{
	for (int i = 0; i < 3; i++) {
		struct world *w = world_new();
		struct history_piece piece = piece_make(w, 4, 500);

		piece.commits -= i == 0;
		piece.first += i == 1;
		piece.first_us += i == 2;
		head_set(w, 4, &piece);
		world_verify(w, PIECES, PIECES, "head and body differ");
	}
}

TEST(malformed, "what is no piece is found, whichever byte of it is another")
{
	struct stored *s;
	struct world *w;

	for (size_t i = 0; i < 2 * (SPACE_PREFIX_BYTES + HISTORY_KEY_BYTES); i++) {
		if (i / 2 < SPACE_PREFIX_BYTES)
			continue;
		w = world_new();
		s = i % 2 ? &w->heads[1] : &w->bodies[1];
		s->key[i / 2] ^= 0x80;
		world_verify(w, PIECES, PIECES, "malformed");
	}
	for (int i = 0; i < 2; i++) {
		w = world_new();
		s = i ? &w->heads[1] : &w->bodies[1];
		s->entry.value_bytes--;
		world_verify(w, PIECES, PIECES, "malformed");
		w = world_new();
		s = i ? &w->heads[1] : &w->bodies[1];
		s->entry.is_tombstone = true;
		world_verify(w, PIECES, PIECES, "malformed");
	}
}

/* Whole databases. */

/* How many entries were read; nothing is found. */
static uint64_t entries_verified(struct fixture *f)
{
	struct simdisk *disk = simdisk_clone(f->disk);
	struct aedb_options options = f->options;
	struct verify_findings findings = { 0 };
	size_t n;
	char *text;

	options.history_s = options.history_bytes = 0;
	findings.out = open_memstream(&text, &n);
	CHECK(findings.out);
	CHECK_OK(verify_database(simdisk_vfs(disk), simdisk_vfs(disk),
				 "simdisk", &options, &findings));
	fclose(findings.out);
	simdisk_free(disk);
	CHECK_THAT(!findings.report.findings, "%s", text);
	free(text);
	return findings.report.entries;
}

static void history_set(struct fixture *f, bool is_kept)
{
	f->options.history_s = is_kept ? 3600 : 0;
	f->options.history_bytes = is_kept ? 65536 : 0;
}

TEST(databases, "what a database keeps of its history has no findings at any time, "
	"also when it is let go of")
{
	struct fixture f;
	char key[16];

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	history_set(&f, true);
	fixture_start(&f);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 200; i++) {
			snprintf(key, sizeof(key), "k%u",
				 (unsigned)(check_random() % 30));
			CHECK_OK(put_text(f.scope, key, "some words of a value"));
		}
		CHECK_OK(aedb_checkpoint(f.db, NULL));
		if (round % 4 == 3)
			CHECK_OK(aedb_compact(f.db));
		history_set(&f, round < 8 || round > 9);
		fixture_reopen(&f);
		CHECK(entries_verified(&f) > 0);
	}
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
