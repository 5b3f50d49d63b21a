/*
 * What a transaction wants done between its operations.
 *
 * The keys are looked at without being noted in the annex: who repeats the log
 * finds in it what was decided, and does not decide again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apply_inner.h"
#include "db.h"
#include "err.h"
#include "value_reader.h"

/* A key as it is now. */
struct state {
	struct entry entry;
	struct value_ref ref;	/* if entry is one */
	bool is_there;
	uint64_t value_bytes;
};

static int state_get(struct apply *apply, const struct op_key *key,
		     struct state *ret)
{
	struct space *space;
	int rc = apply_space_find(apply, key->tree, &space);

	*ret = (struct state){ .is_there = false };
	if (rc == 0)
		rc = apply_newest(space, key->at, key->n, &ret->entry);
	if (rc <= 0)
		return rc;
	ret->is_there = true;
	ret->value_bytes = ret->entry.value_bytes;
	if (!ret->entry.is_ref)
		return 0;
	rc = value_ref_decode(ret->entry.value, ret->entry.value_bytes,
			      &ret->ref);
	ret->value_bytes = ret->ref.bytes;
	return rc;
}

/* The value's first n bytes, or all there are: *ret_n. */
static int state_read(const struct apply *apply, const struct state *state,
		      void *ret, size_t n, size_t *ret_n)
{
	const struct value_source source = {
		.bytes = state->entry.value,
		.n = state->entry.value_bytes,
		.ref = state->entry.is_ref ? &state->ref : NULL,
	};
	struct value_reader *reader;
	int rc;

	if (!source.ref) {
		*ret_n = n < source.n ? n : source.n;
		if (*ret_n)
			memcpy(ret, source.bytes, *ret_n);
		return 0;
	}
	rc = value_reader_open(apply->db->values, &source, &reader);
	if (rc < 0)
		return rc;
	rc = value_reader_read(reader, ret, n, 0, ret_n);
	value_reader_close(reader);
	return rc;
}

/* Numbers. */

/* The number that the key has: 1, or 0 if it is not there. */
static int number_get(struct apply *apply, const struct op_key *key,
		      enum aedb_number kind, struct number *ret)
{
	size_t width = number_bytes(kind), n;
	uint8_t bytes[AEDB_NUMBER_BYTES_MAX];
	struct state state;
	int rc = state_get(apply, key, &state);

	if (rc < 0 || !state.is_there)
		return rc;
	if (state.value_bytes != width)
		return err_set(AEDB_INVALID, "a value of %llu bytes is no number of "
			       "%zu", (unsigned long long)state.value_bytes,
			       width);
	rc = state_read(apply, &state, bytes, width, &n);
	if (rc < 0)
		return rc;
	number_load(kind, bytes, ret);
	return 1;
}

/* The result before bounds, from a key that is there. */
static void combine(const struct guard_compute *c, const struct number *now,
		    struct number *ret)
{
	bool is_less = number_compare(&c->operand, now) < 0;

	switch (c->how) {
	case AEDB_SET:
		*ret = c->operand;
		break;
	case AEDB_ADD:
		number_add(now, &c->operand, ret);
		break;
	case AEDB_SUBTRACT:
		number_subtract(now, &c->operand, ret);
		break;
	case AEDB_MIN:
		*ret = is_less ? c->operand : *now;
		break;
	case AEDB_MAX:
		*ret = is_less ? *now : c->operand;
		break;
	}
}

/* Brings the result within its bounds: 1, or 0 when the key is to stay as it
 * is. */
static int bound(const struct guard_compute *c, struct number *result)
{
	bool is_above = number_compare(result, &c->max) > 0;

	if (!is_above && number_compare(result, &c->min) >= 0)
		return 1;
	switch (is_above ? c->above : c->below) {
	case AEDB_BEYOND_STOPS:
		*result = is_above ? c->max : c->min;
		return 1;
	case AEDB_BEYOND_SKIPS:
		return 0;
	default:
		return err_set(AEDB_RANGE, "the result is %s",
			       is_above ? "above the greatest there may be: overflow" :
					  "below the least there may be: underflow");
	}
}

static bool keeps_equal(const struct guard_compute *c, const struct number *now,
			const struct number *result)
{
	return (c->how == AEDB_MIN || c->how == AEDB_MAX) &&
	       number_compare(now, result) == 0;
}

/* What the key gets: 1, or 0 when it is to stay as it is, with *ret. */
static int compute(struct apply *apply, const struct guard_compute *c,
		   const struct op_key *key, struct number *ret)
{
	struct number now = { { 0 } };
	int is_there = number_get(apply, key, c->number, &now), rc;

	if (is_there < 0)
		return is_there;
	if (!is_there && c->missing == AEDB_MISSING_FAILS)
		return err_set(AEDB_NOT_FOUND, "the number's key is not there");
	if (!is_there && (c->how == AEDB_MIN || c->how == AEDB_MAX))
		*ret = c->operand;
	else
		combine(c, &now, ret);
	rc = bound(c, ret);
	if (rc == 0)
		*ret = now;
	return rc > 0 && is_there && keeps_equal(c, &now, ret) ? 0 : rc;
}

/* The operation, which begins at `start`, puts what is computed, or nothing. */
static int compute_run(struct apply *apply, struct guard_compute *c,
		       const uint8_t *start, struct op *op)
{
	const uint8_t *value = op->value.at;
	struct number result;
	int rc = compute(apply, c, &op->key, &result);

	if (rc < 0)
		return rc;
	assert(op->value.n == number_bytes(c->number) && !op->flags);
	number_store(c->number, &result, c->value);
	memcpy(apply->guarded + (value - apply->payload), c->value, op->value.n);
	op->kind = rc ? OP_PUT : OP_NOTHING;
	apply->guarded[start - apply->payload] = op->kind;
	return 0;
}

/* Assertions: 1 one holds, 0 it does not. */

static void failed_note(struct apply *apply, const struct aedb_assertion *a,
			const struct state *state)
{
	struct guard_failed *failed = &apply->guards->failed;

	failed->leaf = a;
	failed->version = state->is_there ? state->entry.seq : 0;
	failed->value_bytes_all = state->value_bytes;
	failed->value_bytes = 0;
}

static bool compares(enum aedb_comparison comparison, int order)
{
	switch (comparison) {
	case AEDB_EQUAL:
		return order == 0;
	case AEDB_NOT_EQUAL:
		return order != 0;
	case AEDB_LESS:
		return order < 0;
	case AEDB_LESS_OR_EQUAL:
		return order <= 0;
	case AEDB_GREATER:
		return order > 0;
	case AEDB_GREATER_OR_EQUAL:
		return order >= 0;
	}
	return false;
}

/* Of a value whose first n bytes are given, and that of the assertion. */
static int order_of(const struct aedb_assertion *a, const uint8_t *bytes,
		    size_t n, uint64_t all)
{
	struct number x, y;
	int order;

	if (a->as != AEDB_AS_BYTES) {
		enum aedb_number kind = (enum aedb_number)(a->as - AEDB_AS_U64);

		number_load(kind, bytes, &x);
		number_load(kind, a->value, &y);
		return number_compare(&x, &y);
	}
	order = n ? memcmp(bytes, a->value, n) : 0;
	if (order == 0 && all != a->value_bytes)
		order = all < a->value_bytes ? -1 : 1;
	return order;
}

static int value_holds(struct apply *apply, const struct aedb_assertion *a,
		       const struct state *state)
{
	struct guard_failed *failed = &apply->guards->failed;
	size_t n;
	uint8_t *bytes;
	int rc;

	if (!state->is_there ||
	    (a->as != AEDB_AS_BYTES && state->value_bytes != a->value_bytes))
		return 0;
	bytes = malloc(a->value_bytes + GUARD_SHOWN_BYTES);
	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory to look at a value");
	rc = state_read(apply, state, bytes, a->value_bytes + GUARD_SHOWN_BYTES,
			&n);
	if (rc == 0) {
		failed->value_bytes = n < GUARD_SHOWN_BYTES ? n :
							      GUARD_SHOWN_BYTES;
		memcpy(failed->value, bytes, failed->value_bytes);
		if (n > a->value_bytes)
			n = a->value_bytes;
		rc = compares(a->comparison,
			      order_of(a, bytes, n, state->value_bytes));
	}
	free(bytes);
	return rc;
}

static int leaf_holds(struct apply *apply, const struct aedb_assertion *a)
{
	struct op_key key = { a->scope->space.id, a->key, a->key_bytes };
	struct state state;
	int rc = state_get(apply, &key, &state);

	/* a dropped scope has no keys */
	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return rc;
	failed_note(apply, a, &state);
	switch (a->kind) {
	case AEDB_ASSERT_THERE:
		return state.is_there;
	case AEDB_ASSERT_VERSION:
		return (state.is_there ? state.entry.seq : 0) == a->version;
	default:
		return value_holds(apply, a, &state);
	}
}

static int holds(struct apply *apply, const struct aedb_assertion *a)
{
	int is_any = a->kind == AEDB_ASSERT_ANY, rc = !is_any;

	if (a->kind <= AEDB_ASSERT_VALUE)
		return leaf_holds(apply, a);
	if (a->kind == AEDB_ASSERT_NOT) {
		rc = holds(apply, a->parts);
		return rc < 0 ? rc : !rc;
	}
	for (size_t i = 0; i < a->n_parts && rc == !is_any; i++)
		rc = holds(apply, &a->parts[i]);
	return rc;
}

/* How many assertions come before this guard. */
static size_t index_of(const struct guards *guards, size_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < at; i++)
		n += guards->at[i].assertion != NULL;
	return n;
}

static int assertion_run(struct apply *apply, size_t at)
{
	struct guards *guards = apply->guards;
	int rc = holds(apply, guards->at[at].assertion);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	guards->failed.is_set = true;
	guards->failed.index = index_of(guards, at);
	return err_set(AEDB_ASSERTION, "assertion %zu of the transaction does not "
		       "hold: the key's version is %llu", guards->failed.index,
		       (unsigned long long)guards->failed.version);
}

int apply_guards(struct apply *apply, const uint8_t *start, struct op *op)
{
	struct guards *guards = apply->guards;
	uint64_t at = apply->seq - apply->first_seq;
	int rc = 0;

	while (rc == 0 && apply->guards_done < guards->n) {
		struct guard *guard = &guards->at[apply->guards_done];

		if (guard->at > at)
			break;
		rc = guard->assertion ?
			     assertion_run(apply, apply->guards_done) :
			     compute_run(apply, &guard->compute, start, op);
		apply->guards_done++;
	}
	return rc;
}
