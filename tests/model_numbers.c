/*
 * Numbers that a commit computes, and assertions it looks at, each done the obvious
 * way beside the database.
 */
#include "aedb_kv.h"
#include "model_step.h"
#include "unit/check.h"

#define dice model_random_below
#define NUMBER_BYTES 8

static uint64_t number_load(const uint8_t *bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < NUMBER_BYTES; i++)
		v = v << 8 | bytes[i];
	return v;
}

static void number_store(uint64_t v, uint8_t *ret)
{
	for (int i = NUMBER_BYTES; i-- > 0; v >>= 8)
		ret[i] = (uint8_t)v;
}

/* A number of the kind, wide enough for any sum of two. */
static __int128 wide(const struct aedb_compute *c, uint64_t bits)
{
	return c->number == AEDB_I64 ? (__int128)(int64_t)bits : (__int128)bits;
}

/* Of what a result may be. */
static void bounds(const struct aedb_compute *c, __int128 *ret_min,
		   __int128 *ret_max)
{
	bool is_signed = c->number == AEDB_I64;

	*ret_min = is_signed ? INT64_MIN : 0;
	*ret_max = is_signed ? (__int128)INT64_MAX : (__int128)UINT64_MAX;
	if (c->min)
		*ret_min = wide(c, number_load(c->min));
	if (c->max)
		*ret_max = wide(c, number_load(c->max));
}

static __int128 combine(const struct aedb_compute *c, bool is_there,
			__int128 now, __int128 x)
{
	switch (c->how) {
	case AEDB_ADD:
		return now + x;
	case AEDB_SUBTRACT:
		return now - x;
	case AEDB_MIN:
		return is_there && now < x ? now : x;
	case AEDB_MAX:
		return is_there && now > x ? now : x;
	case AEDB_SET:
		break;
	}
	return x;
}

/* What the key gets: 1, 0 nothing, or an error. */
static int expect_number(const struct aedb_compute *c, bool is_there,
			 uint64_t bits, uint64_t *ret)
{
	__int128 now = wide(c, bits), min, max;
	__int128 result = combine(c, is_there, now,
				  wide(c, number_load(c->operand)));
	bool is_chosen = c->how == AEDB_MIN || c->how == AEDB_MAX;
	enum aedb_if_beyond beyond;

	bounds(c, &min, &max);
	if (result < min || result > max) {
		beyond = result < min ? c->below : c->above;
		if (beyond != AEDB_BEYOND_STOPS)
			return beyond == AEDB_BEYOND_FAILS ? AEDB_RANGE : 0;
		result = result < min ? min : max;
	}
	*ret = (uint64_t)result;
	return !(is_chosen && is_there && result == now);
}

/* As expect_number, of a key with whatever value. */
static int expect(const struct aedb_compute *c, const struct model_entry *entry,
		  uint64_t *ret)
{
	if (!entry->is_there)
		return c->missing == AEDB_MISSING_FAILS ?
			       AEDB_NOT_FOUND : expect_number(c, false, 0, ret);
	if (entry->value.n != NUMBER_BYTES)
		return AEDB_INVALID;
	return expect_number(c, true, number_load(entry->value.bytes), ret);
}

static void result_put(struct step *step, struct model_entry *entry, uint64_t v)
{
	struct model_value value = { model_value_new(step->model, NUMBER_BYTES),
				     NUMBER_BYTES };

	number_store(v, value.bytes);
	if (!entry->is_there)
		*entry = (struct model_entry){ .is_there = true };
	entry->value = value;
	entry->version = 0;
}

void step_compute(struct step *step, size_t space, size_t key)
{
	static const uint64_t operands[] = { 0, 1, 7, UINT64_MAX,
					     UINT64_MAX / 2 };
	static const uint8_t low[NUMBER_BYTES] = { 0 };
	static const uint8_t high[NUMBER_BYTES] = { [6] = 3 };
	const struct model_key *k = &step->model->keys[key];
	struct model_entry *entry = step_entry(step, space, key);
	uint8_t operand[NUMBER_BYTES];
	struct aedb_compute c = {
		.key = k->bytes, .key_bytes = k->n,
		.number = dice(2) ? AEDB_U64 : AEDB_I64,
		.how = dice(5), .missing = dice(2), .above = dice(3),
		.below = dice(3), .operand = operand,
		.min = dice(4) ? NULL : low, .max = dice(4) ? NULL : high,
	};
	uint64_t v;
	int rc;

	number_store(operands[dice(5)], operand);
	/* most have another value, and nothing could be computed */
	if (entry->is_there && entry->value.n != NUMBER_BYTES && dice(8)) {
		step_key_operation(step);
		return;
	}
	rc = expect(&c, entry, &v);
	if (rc < 0)
		step->want = rc;
	else if (rc > 0)
		result_put(step, entry, v);
	step_note_operation(step, aedb_txn_compute(step->txn,
						   step_scope(step, space), &c));
}

/* Whether the key is there, or has this value. */
static bool holds(const struct aedb_assertion *a, const struct model_entry *entry)
{
	if (a->kind == AEDB_ASSERT_THERE)
		return entry->is_there;
	if (a->kind == AEDB_ASSERT_VERSION)
		return !entry->is_there;
	return entry->is_there && entry->value.n == a->value_bytes &&
	       (a->value_bytes == 0 ||
		memcmp(entry->value.bytes, a->value, a->value_bytes) == 0);
}

void step_assert(struct step *step, size_t space, size_t key)
{
	const struct model_key *k = &step->model->keys[key];
	const struct model_entry *entry = step_entry(step, space, key);
	struct aedb_assertion a = {
		.kind = dice(3), .scope = step_scope(step, space),
		.key = k->bytes, .key_bytes = k->n,
		.value = entry->value.bytes, .value_bytes = entry->value.n,
	};
	struct aedb_assertion not_a = { .kind = AEDB_ASSERT_NOT, .parts = &a,
					.n_parts = 1 };
	bool is_so;

	if (a.value_bytes > AEDB_VALUE_INLINE_MAX)
		a.kind = AEDB_ASSERT_THERE;
	is_so = holds(&a, entry);
	/* mostly one that holds */
	if (dice(8) == 0)
		is_so = !is_so;
	if (holds(&a, entry) != is_so)
		step->want = AEDB_ASSERTION;
	step_call_went_well(step, aedb_txn_assert(step->txn,
						  is_so ? &a : &not_a));
}
