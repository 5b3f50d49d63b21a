/*
 * What is compacted next, tried out on sketches of levels: every step keeps what
 * retained numbers see, picking comes to an end, and nothing waits for ever.
 */
#include "check.h"
#include "compact_picks.h"
#include "sketch.h"

#define KIB UINT64_C(1024)
#define STEPS_MAX 10000

static unsigned int random_key(void)
{
	return (unsigned int)(check_random() % SKETCH_KEYS);
}

static unsigned int random_scope(const struct sketch *s)
{
	unsigned int scope = (unsigned int)(check_random() % SKETCH_SCOPES);

	while (s->dropped[scope] != SEQ_MAX)
		scope = (scope + 1) % SKETCH_SCOPES;
	return scope;
}

/* A value in a file, or none. */
static uint64_t random_value(void)
{
	return check_random() % 3 ? 0 : 100 + check_random() % (4 * KIB);
}

static void random_writes(struct sketch *s, size_t n)
{
	unsigned int scope = random_scope(s);
	bool deletes = check_random() % 4 == 0;

	for (size_t i = 0; i < n; i++) {
		if (check_random() % 16 == 0)
			scope = random_scope(s);
		if (check_random() % 8 < (deletes ? 7 : 1))
			sketch_delete(s, scope, random_key());
		else
			sketch_put(s, scope, random_key(), random_value());
	}
}

static void random_change(struct sketch *s)
{
	uint64_t dice = check_random() % 64;

	if (dice == 0 && s->n_scopes + 1 < SKETCH_SCOPES)
		sketch_drop(s, random_scope(s));
	else if (dice < 8 && s->n_snapshots < SKETCH_SNAPSHOTS_MAX)
		sketch_snapshot(s);
	else if (dice < 16 && s->n_snapshots)
		sketch_forget(s, check_random() % s->n_snapshots);
	else
		random_writes(s, check_random() % 100);
}

/* Follows picks until there are none. */
static size_t settle(struct sketch *s, struct compact_turns *turns)
{
	struct compact_pick pick;
	size_t steps = 0;

	for (; compact_pick_next(sketch_view(s), turns, &pick); steps++) {
		CHECK_THAT(steps < STEPS_MAX, "it never ends: %s at level %u",
			   compact_reason_name(pick.reason), pick.from);
		sketch_apply(s, &pick);
	}
	return steps;
}

/* The same for everything; may stop after some steps. */
static size_t compact_all(struct sketch *s, size_t steps_max)
{
	file_id_t fresh_from = s->next_segment;
	struct compact_pick pick;
	size_t steps = 0;

	for (; steps < steps_max &&
	       compact_pick_full(sketch_view(s), fresh_from, &pick); steps++) {
		CHECK_THAT(steps < STEPS_MAX, "it never ends: %s at level %u",
			   compact_reason_name(pick.reason), pick.from);
		sketch_apply(s, &pick);
	}
	return steps;
}

static uint64_t file_bytes(const struct sketch *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n_files; i++)
		bytes += s->files[i].bytes;
	return bytes;
}

static uint64_t live_bytes(const struct sketch *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n_files; i++)
		bytes += s->files[i].live_bytes;
	return bytes;
}

TEST(keeps_truth, "each step keeps what every retained number sees, and picking ends")
{
	for (int round = 0; round < 60; round++) {
		struct compact_turns turns = { 0 };
		struct compact_pick pick;
		struct sketch *s;

		sketch_new(1 + check_random() % (8 * KIB),
			   2 + (unsigned int)check_random() % 4, &s);
		for (int i = 0; i < 120; i++) {
			random_change(s);
			if (check_random() % 2)
				sketch_flush(s);
			if (check_random() % 2 == 0)
				continue;
			if (compact_pick_next(sketch_view(s), &turns, &pick)) {
				sketch_apply(s, &pick);
				sketch_check(s);
			}
		}
		settle(s, &turns);
		sketch_check(s);
		sketch_free(s);
	}
}

TEST(load, "under load level 0 and the others stay about as full as they may be")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	struct sketch *s;

	sketch_new(KIB, 4, &s);
	for (int i = 0; i < 2000; i++) {
		random_writes(s, 40);
		sketch_flush(s);
		for (int j = 0; j < 8; j++)
			if (compact_pick_next(sketch_view(s), &turns, &pick))
				sketch_apply(s, &pick);
		CHECK(s->levels[0].n <= 12);
		sketch_view(s);
		for (unsigned int level = 1; level < 5; level++)
			CHECK(compact_slice_bytes(s->view.levels[level]) <=
			      4 * compact_level_room(&s->view, level));
	}
	sketch_check(s);
	sketch_free(s);
}

/* A level full of segments with keys in order, and nothing else. */
static void fill_level(struct sketch *s, unsigned int level, unsigned int segments)
{
	for (unsigned int i = 0; i < segments; i++) {
		for (unsigned int key = 0; key < 10; key++)
			sketch_put(s, i / 20, i % 20 * 10 + key, 0);
		sketch_flush(s);
		sketch_view(s);
		sketch_apply(s, &(struct compact_pick){
			.action = COMPACT_MOVE, .from = 0, .to = level,
			.upper = { s->view.levels[0].at, 1 } });
	}
}

TEST(turns, "every segment of a full level has its turn before any has a second one")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	file_id_t seen[60];
	struct sketch *s;

	sketch_new(KIB, 2, &s);
	fill_level(s, 1, 60);
	for (size_t i = 0; i < 60; i++) {
		CHECK(compact_pick_next(sketch_view(s), &turns, &pick));
		CHECK_EQ(pick.reason, COMPACT_SIZE);
		CHECK_EQ(pick.from, 1);
		CHECK_EQ(pick.upper.n, 1);
		seen[i] = pick.upper.at[0]->number;
		for (size_t j = 0; j < i; j++)
			CHECK(seen[j] != seen[i]);
	}
	CHECK(compact_pick_next(sketch_view(s), &turns, &pick));
	CHECK_EQ(pick.upper.at[0]->number, seen[0]);
	sketch_free(s);
}

TEST(space_turn, "space is looked for also while a level is always too full")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	struct sketch *s;
	int i;

	sketch_new(KIB, 2, &s);
	for (unsigned int key = 0; key < 10; key++)
		sketch_put(s, 3, 190 + key, 0);
	sketch_snapshot(s);
	for (unsigned int key = 0; key < 10; key++)
		sketch_put(s, 3, 190 + key, 0);
	sketch_flush(s);
	sketch_view(s);
	sketch_apply(s, &(struct compact_pick){
		.action = COMPACT_MOVE, .from = 0, .to = 1,
		.upper = { s->view.levels[0].at, 1 } });
	sketch_forget(s, 0);
	fill_level(s, 1, 60);
	for (i = 0; i < 8; i++) {
		CHECK(compact_pick_next(sketch_view(s), &turns, &pick));
		if (pick.reason == COMPACT_SPACE)
			break;
	}
	CHECK(i < 8);
	CHECK_EQ(pick.from, 1);
	CHECK_EQ(pick.to, 1);
	CHECK_EQ(pick.upper.at[0]->superseded, 10);
	sketch_apply(s, &pick);
	sketch_check(s);
	sketch_free(s);
}

TEST(ascending, "keys that come in order are written about twice, and lie in few segments")
{
	struct compact_turns turns = { 0 };
	struct sketch *s;

	sketch_new(2 * KIB, 4, &s);
	for (unsigned int scope = 0; scope < SKETCH_SCOPES; scope++) {
		for (unsigned int key = 0; key < SKETCH_KEYS; key++) {
			sketch_put(s, scope, key, 0);
			sketch_flush(s);
			settle(s, &turns);
		}
	}
	sketch_check(s);
	CHECK(sketch_segments(s) < SKETCH_SCOPES * SKETCH_KEYS / 6);
	CHECK(s->written_bytes <
	      5 * sketch_versions(s) * SKETCH_ENTRY_BYTES / 2);
	sketch_free(s);
}

static void put_all(struct sketch *s, uint64_t value_bytes)
{
	for (unsigned int scope = 0; scope < SKETCH_SCOPES; scope++) {
		for (unsigned int key = 0; key < SKETCH_KEYS; key++)
			sketch_put(s, scope, key, value_bytes);
		sketch_flush(s);
	}
}

static void delete_most(struct sketch *s)
{
	for (unsigned int scope = 0; scope < SKETCH_SCOPES; scope++)
		for (unsigned int key = 0; key < SKETCH_KEYS; key++)
			if (key % 10)
				sketch_delete(s, scope, key);
	sketch_flush(s);
}

TEST(deleted, "the space of deleted keys comes back without more writes")
{
	struct compact_turns turns = { 0 };
	struct sketch *s;

	sketch_new(4 * KIB, 4, &s);
	put_all(s, KIB);
	settle(s, &turns);
	CHECK_EQ(sketch_versions(s), SKETCH_SCOPES * SKETCH_KEYS);
	delete_most(s);
	settle(s, &turns);
	sketch_check(s);
	CHECK(sketch_versions(s) < SKETCH_SCOPES * SKETCH_KEYS / 5);
	CHECK(file_bytes(s) < 2 * live_bytes(s));
	sketch_free(s);
}

TEST(snapshot_gone, "the space of versions that a snapshot held comes back when it goes")
{
	struct compact_turns turns = { 0 };
	struct sketch *s;

	sketch_new(4 * KIB, 4, &s);
	put_all(s, KIB);
	sketch_snapshot(s);
	put_all(s, KIB);
	settle(s, &turns);
	sketch_check(s);
	CHECK_EQ(sketch_versions(s), 2 * SKETCH_SCOPES * SKETCH_KEYS);
	sketch_forget(s, 0);
	settle(s, &turns);
	sketch_check(s);
	CHECK(sketch_versions(s) < SKETCH_SCOPES * SKETCH_KEYS * 5 / 4);
	CHECK(file_bytes(s) < 2 * live_bytes(s));
	sketch_free(s);
}

TEST(large_values, "one large value that is deleted or replaced comes back, among many keys")
{
	struct compact_turns turns = { 0 };
	struct sketch *s;

	sketch_new(4 * KIB, 4, &s);
	put_all(s, 0);
	sketch_put(s, 1, 50, UINT64_C(1) << 30);
	sketch_put(s, 2, 50, UINT64_C(1) << 30);
	sketch_flush(s);
	settle(s, &turns);
	sketch_delete(s, 1, 50);
	sketch_flush(s);
	settle(s, &turns);
	CHECK(file_bytes(s) <= UINT64_C(1) << 31);
	sketch_put(s, 2, 50, UINT64_C(1) << 30);
	sketch_flush(s);
	settle(s, &turns);
	sketch_check(s);
	CHECK_EQ(live_bytes(s), UINT64_C(1) << 30);
	CHECK_EQ(file_bytes(s), UINT64_C(1) << 30);
	sketch_free(s);
}

TEST(dropped, "what lies between dropped scopes goes unread, the rest is rewritten once")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	unsigned int discarded = 0;
	struct sketch *s;

	sketch_new(2 * KIB, 4, &s);
	put_all(s, KIB);
	settle(s, &turns);
	sketch_snapshot(s);
	sketch_drop(s, 1);
	sketch_drop(s, 2);
	sketch_flush(s);
	settle(s, &turns);
	CHECK_EQ(sketch_versions(s), SKETCH_SCOPES * SKETCH_KEYS);
	CHECK(!compact_scope_is_gone(&s->view, &s->scopes[0]));
	sketch_forget(s, 0);
	sketch_drop(s, 3);
	while (compact_pick_next(sketch_view(s), &turns, &pick)) {
		discarded += pick.action == COMPACT_DISCARD;
		sketch_apply(s, &pick);
	}
	sketch_check(s);
	CHECK(discarded > 0);
	CHECK_EQ(sketch_versions(s), SKETCH_SCOPES / 2 * SKETCH_KEYS);
	CHECK(compact_scope_is_gone(&s->view, &s->scopes[0]));
	CHECK(compact_scope_is_gone(&s->view, &s->scopes[1]));
	CHECK(!compact_scope_is_gone(&s->view, &s->scopes[2]));
	sketch_free(s);
}

TEST(full, "full compaction leaves one level that holds nothing but what is needed")
{
	for (int round = 0; round < 40; round++) {
		struct compact_turns turns = { 0 };
		unsigned int in_use = 0;
		struct sketch *s;

		sketch_new(KIB + check_random() % (8 * KIB),
			   2 + (unsigned int)check_random() % 4, &s);
		for (int i = 0; i < 100; i++) {
			random_change(s);
			sketch_flush(s);
			if (check_random() % 4 == 0)
				settle(s, &turns);
		}
		for (int i = 0; i < 4; i++) {
			compact_all(s, check_random() % 10);
			sketch_check(s);
		}
		compact_all(s, SIZE_MAX);
		sketch_check(s);
		for (unsigned int i = 0; i < SEGMENT_LEVELS_MAX; i++)
			in_use += s->levels[i].n > 0;
		CHECK(in_use <= 1);
		CHECK_EQ(s->levels[0].n, 0);
		for (size_t i = 0; i < s->n_files; i++)
			CHECK(s->files[i].live_bytes * 10 >=
			      s->files[i].bytes * 9);
		while (s->n_snapshots)
			sketch_forget(s, 0);
		compact_all(s, SIZE_MAX);
		for (unsigned int i = 0; i < SEGMENT_LEVELS_MAX; i++)
			for (size_t j = 0; j < s->levels[i].n; j++) {
				CHECK_EQ(s->levels[i].at[j]->superseded, 0);
				CHECK_EQ(s->levels[i].at[j]->tombstones, 0);
			}
		sketch_check(s);
		CHECK_EQ(compact_all(s, SIZE_MAX), 0);
		sketch_free(s);
	}
}

TEST(bounded, "no step of a full compaction reads much more than it has to")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	file_id_t fresh_from;
	struct sketch *s;

	sketch_new(500, 3, &s);
	for (int i = 0; i < 400; i++) {
		random_writes(s, 30);
		sketch_flush(s);
		settle(s, &turns);
	}
	CHECK(sketch_segments(s) > 20);
	fresh_from = s->next_segment;
	while (compact_pick_full(sketch_view(s), fresh_from, &pick)) {
		if (pick.from > 0)
			CHECK(compact_slice_bytes(pick.upper) +
			      compact_slice_bytes(pick.lower) <= 12 * 500);
		sketch_apply(s, &pick);
	}
	sketch_check(s);
	sketch_free(s);
}

static uint64_t share_of(const struct segment_info *info, file_id_t file)
{
	for (size_t i = 0; i < info->n_shares; i++)
		if (info->shares[i].file == file)
			return info->shares[i].bytes;
	return 0;
}

/* Bytes that a merge writes, at most. */
static uint64_t written_bytes(const struct compact_pick *pick)
{
	const struct compact_slice slices[] = { pick->upper, pick->lower };
	uint64_t bytes = 0;

	for (size_t k = 0; pick->action == COMPACT_MERGE && k < 2; k++) {
		bytes += compact_slice_bytes(slices[k]);
		for (size_t i = 0; i < slices[k].n; i++)
			for (size_t f = 0; f < pick->n_emptied; f++)
				bytes += share_of(slices[k].at[i],
						  pick->emptied[f]);
	}
	return bytes;
}

/* The same of a pick that is merged piece by piece, each of which stays beside
 * what it was made of; the pieces have all of it. */
static uint64_t pieces_bytes(const struct compact_view *view,
			     const struct compact_pick *pick)
{
	uint64_t upper = compact_slice_bytes(pick->upper), most = 0;
	struct compact_piece piece;
	size_t n = 0;

	compact_piece_first(view, pick, &piece);
	CHECK_EQ(piece.above.n, 0);
	do {
		uint64_t bytes = upper + compact_slice_bytes(piece.lower);

		CHECK(piece.lower.at == pick->lower.at + n);
		n += piece.lower.n;
		most = bytes > most ? bytes : most;
	} while (compact_piece_next(view, pick, &piece));
	CHECK_EQ(n, pick->lower.n);
	CHECK_EQ(piece.upto.n, 0);
	CHECK_EQ(pick->n_emptied, 0);
	return most;
}

/* Takes what room there is back, until there is no more; returns how many steps
 * were made in pieces. */
static size_t make_room(struct sketch *s, uint64_t room_bytes)
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	size_t steps = 0, in_pieces = 0;

	s->view.limits.room_bytes = room_bytes;
	while (compact_pick_room(sketch_view(s), &turns, &pick)) {
		CHECK_THAT(++steps < STEPS_MAX, "it never ends: %s at level %u",
			   compact_reason_name(pick.reason), pick.from);
		CHECK((pick.is_in_pieces ? pieces_bytes(&s->view, &pick) :
					   written_bytes(&pick)) <= room_bytes);
		in_pieces += pick.is_in_pieces;
		sketch_apply(s, &pick);
	}
	s->view.limits.room_bytes = 0;
	return in_pieces;
}

TEST(room, "on a full disk no step needs more than is left, and what it can give back comes back")
{
	size_t in_pieces = 0;

	for (int round = 0; round < 20; round++) {
		struct compact_turns turns = { 0 };
		const struct compact_view *view;
		struct sketch *s;

		sketch_new(KIB, 3, &s);
		for (int i = 0; i < 60; i++) {
			random_change(s);
			sketch_flush(s);
			if (check_random() % 4 == 0)
				settle(s, &turns);
		}
		in_pieces += make_room(s, KIB + check_random() % (16 * KIB));
		sketch_check(s);
		make_room(s, 4096 * KIB);
		sketch_check(s);
		view = sketch_view(s);
		for (size_t i = 0; i < view->n_files; i++)
			CHECK(!compact_file_is_poor(&view->files[i], 90));
		sketch_free(s);
	}
	CHECK(in_pieces > 0);
}

static bool is_damaged(const struct sketch *s, struct compact_slice slice)
{
	return !compact_view_is_readable(&s->view, slice);
}

TEST(damaged, "segments that cannot be read stay, and stop nothing but their own way")
{
	for (int round = 0; round < 20; round++) {
		struct compact_turns turns = { 0 };
		struct compact_pick pick;
		struct sketch *s;
		size_t steps = 0;

		sketch_new(KIB, 3, &s);
		for (int i = 0; i < 60; i++) {
			random_writes(s, 60);
			sketch_flush(s);
			if (check_random() % 4 == 0)
				settle(s, &turns);
		}
		s->damaged[0] = 1 + check_random() % s->next_segment;
		s->damaged[1] = s->next_segment - 1;
		s->damaged[2] = s->levels[1].n ? s->levels[1].at[0]->number : 1;
		s->n_damaged = 3;
		while (compact_pick_next(sketch_view(s), &turns, &pick) ||
		       compact_pick_full(&s->view, 1, &pick)) {
			CHECK(!is_damaged(s, pick.upper));
			CHECK(!is_damaged(s, pick.lower));
			sketch_apply(s, &pick);
			CHECK(++steps < STEPS_MAX);
		}
		sketch_check(s);
		sketch_free(s);
	}
}

TEST(fixed_files, "a file whose values cannot move is not tried again and again")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	struct sketch *s;

	sketch_new(4 * KIB, 4, &s);
	put_all(s, KIB);
	settle(s, &turns);
	for (unsigned int scope = 0; scope < SKETCH_SCOPES; scope++)
		for (unsigned int key = 0; key < SKETCH_KEYS; key++)
			if (key % 10)
				sketch_put(s, scope, key, KIB);
	sketch_flush(s);
	for (size_t i = 0; i < s->n_files; i++)
		s->files[i].is_fixed = true;
	while (compact_pick_next(sketch_view(s), &turns, &pick) ||
	       compact_pick_full(&s->view, s->next_segment, &pick)) {
		CHECK_EQ(pick.n_emptied, 0);
		sketch_apply(s, &pick);
	}
	CHECK_EQ(s->moved_bytes, 0);
	for (size_t i = 0; i < s->n_files; i++)
		s->files[i].is_fixed = false;
	compact_all(s, SIZE_MAX);
	CHECK(s->moved_bytes > 0);
	sketch_check(s);
	sketch_free(s);
}

TEST(moved_bounded, "one compaction moves a bounded number of value bytes")
{
	struct compact_turns turns = { 0 };
	struct compact_pick pick;
	unsigned int emptying = 0;
	struct sketch *s;

	sketch_new(2 * KIB, 4, &s);
	for (int i = 0; i < 200; i++) {
		for (int j = 0; j < 10; j++)
			sketch_put(s, 0, random_key(), 4 * KIB);
		sketch_flush(s);
		while (compact_pick_next(sketch_view(s), &turns, &pick)) {
			uint64_t before = s->moved_bytes;

			emptying += pick.n_emptied > 1;
			sketch_apply(s, &pick);
			CHECK(s->moved_bytes - before <= 16 * 2 * KIB ||
			      pick.n_emptied == 1);
		}
		CHECK(file_bytes(s) < 4 * live_bytes(s));
	}
	CHECK(emptying > 0);
	sketch_check(s);
	sketch_free(s);
}

TEST(limits, "levels follow the memory there is")
{
	struct compact_limits limits;

	compact_limits_init(&limits, UINT64_C(256) << 20, UINT64_MAX);
	CHECK_EQ(limits.level0_files, 8);
	CHECK_EQ(limits.level1_bytes, UINT64_C(256) << 20);
	CHECK_EQ(limits.fanout, 10);
	CHECK_EQ(limits.segment_bytes, UINT64_C(64) << 20);
	compact_limits_init(&limits, UINT64_C(8) << 30, UINT64_MAX);
	CHECK_EQ(limits.segment_bytes, UINT64_C(64) << 20);
	compact_limits_init(&limits, 16 << 10, UINT64_MAX);
	CHECK_EQ(limits.level1_bytes, UINT64_C(1) << 20);
	CHECK_EQ(limits.segment_bytes, UINT64_C(256) << 10);
	compact_limits_init(&limits, UINT64_C(256) << 20, UINT64_C(256) << 20);
	CHECK_EQ(limits.level1_bytes, UINT64_C(4) << 20);
	compact_limits_init(&limits, UINT64_C(256) << 20, 16 << 20);
	CHECK_EQ(limits.level1_bytes, UINT64_C(1) << 20);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
