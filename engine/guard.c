/* What a transaction wants done between its operations. */
#include "guard.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for an assertion or number");
}

/* The next one, zeroed. */
static int guard_new(struct guards **guards, uint32_t next, struct guard **ret)
{
	struct guards *g = *guards;
	struct guard *grown;

	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return no_memory();
		*guards = g;
	}
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 4;

		grown = reallocarray(g->at, room, sizeof(*grown));
		if (!grown)
			return no_memory();
		g->at = grown;
		g->room = room;
	}
	*ret = &g->at[g->n++];
	**ret = (struct guard){ .at = next };
	return 0;
}

void guards_free(struct guards *guards)
{
	if (!guards)
		return;
	for (size_t i = 0; i < guards->n; i++)
		free(guards->at[i].assertion);
	free(guards->at);
	free(guards);
}

void guards_drop_last(struct guards *guards)
{
	free(guards->at[--guards->n].assertion);
}

void guards_give_results(const struct guards *guards)
{
	for (size_t i = 0; guards && i < guards->n; i++) {
		const struct guard_compute *compute = &guards->at[i].compute;

		if (!guards->at[i].assertion && compute->result)
			memcpy(compute->result, compute->value,
			       number_bytes(compute->number));
	}
}

/* Assertions. */

/* What a copy needs: structs, and bytes of keys and values. */
struct size {
	size_t parts, bytes;
};

static bool is_of_key(const struct aedb_assertion *a)
{
	return a->kind <= AEDB_ASSERT_VALUE;
}

/* Checks what can be wrong with one, but for its parts. */
static int assertion_check(const struct aedb_assertion *a)
{
	if (a->kind > AEDB_ASSERT_NOT || a->comparison > AEDB_GREATER_OR_EQUAL ||
	    a->as > AEDB_AS_I64)
		return err_set(AEDB_INVALID, "an assertion of no known kind");
	if (is_of_key(a) && !a->scope)
		return err_set(AEDB_INVALID, "an assertion about a key needs a scope");
	if (a->kind == AEDB_ASSERT_NOT && a->n_parts != 1)
		return err_set(AEDB_INVALID, "\"not\" has one part, this has %zu",
			       a->n_parts);
	if (a->kind == AEDB_ASSERT_VALUE && a->value_bytes > AEDB_VALUE_INLINE_MAX)
		return err_set(AEDB_TOO_LARGE, "a value of %zu bytes to compare "
			       "with, at most %d are allowed", a->value_bytes,
			       AEDB_VALUE_INLINE_MAX);
	if (a->kind == AEDB_ASSERT_VALUE && a->as != AEDB_AS_BYTES &&
	    a->value_bytes != number_bytes((enum aedb_number)(a->as - 1)))
		return err_set(AEDB_INVALID, "a value of %zu bytes is no number of "
			       "this kind", a->value_bytes);
	return 0;
}

static int measure(const struct aedb_assertion *a, unsigned depth,
		   struct size *size)
{
	int rc = assertion_check(a);

	if (rc == 0 && depth > AEDB_ASSERT_DEPTH_MAX)
		rc = err_set(AEDB_TOO_LARGE, "assertions are nested %d deep at most",
			     AEDB_ASSERT_DEPTH_MAX);
	size->parts++;
	if (rc == 0 && size->parts > AEDB_ASSERT_COUNT_MAX)
		rc = err_set(AEDB_TOO_LARGE, "a transaction has at most %d "
			     "assertions", AEDB_ASSERT_COUNT_MAX);
	if (is_of_key(a))
		size->bytes += a->key_bytes + a->value_bytes;
	for (size_t i = 0; rc == 0 && !is_of_key(a) && i < a->n_parts; i++)
		rc = measure(&a->parts[i], depth + 1, size);
	return rc;
}

/* Where the next parts and bytes of a copy go. */
struct copy {
	struct aedb_assertion *part;
	uint8_t *byte;
};

static const void *copy_bytes(struct copy *copy, const void *bytes, size_t n)
{
	uint8_t *at = copy->byte;

	if (n)
		memcpy(at, bytes, n);
	copy->byte += n;
	return at;
}

static void copy_into(const struct aedb_assertion *a, struct copy *copy,
		      struct aedb_assertion *ret)
{
	struct aedb_assertion *parts = copy->part;

	*ret = *a;
	if (is_of_key(a)) {
		ret->key = copy_bytes(copy, a->key, a->key_bytes);
		ret->value = copy_bytes(copy, a->value, a->value_bytes);
		return;
	}
	ret->parts = parts;
	copy->part += a->n_parts;
	for (size_t i = 0; i < a->n_parts; i++)
		copy_into(&a->parts[i], copy, &parts[i]);
}

int guards_check_assertion(const struct guards *guards,
			   const struct aedb_assertion *assertion)
{
	struct size size = { .parts = guards ? guards->assertions : 0 };

	return measure(assertion, 1, &size);
}

int guards_add_assertion(struct guards **guards, uint32_t next,
			 const struct aedb_assertion *assertion)
{
	struct size size = { .parts = *guards ? (*guards)->assertions : 0 };
	size_t before = size.parts;
	struct aedb_assertion *copied;
	struct guard *guard;
	struct copy copy;
	int rc = measure(assertion, 1, &size);

	if (rc < 0)
		return rc;
	copied = malloc((size.parts - before) * sizeof(*copied) + size.bytes);
	if (!copied)
		return no_memory();
	rc = guard_new(guards, next, &guard);
	if (rc < 0) {
		free(copied);
		return rc;
	}
	copy.part = copied + 1;
	copy.byte = (uint8_t *)(copied + (size.parts - before));
	copy_into(assertion, &copy, copied);
	guard->assertion = copied;
	(*guards)->assertions = size.parts;
	return 0;
}

/* Numbers. */

static int compute_check(const struct aedb_compute *c)
{
	if (c->number > AEDB_I64 || c->how > AEDB_MAX ||
	    c->missing > AEDB_MISSING_FAILS || c->above > AEDB_BEYOND_SKIPS ||
	    c->below > AEDB_BEYOND_SKIPS || !c->operand)
		return err_set(AEDB_INVALID, "a computation of no known kind");
	return 0;
}

int guards_add_compute(struct guards **guards, uint32_t next,
		       const struct aedb_compute *compute)
{
	struct guard_compute made = {
		.number = compute->number,
		.how = compute->how,
		.missing = compute->missing,
		.above = compute->above,
		.below = compute->below,
		.result = compute->result,
	};
	struct guard *guard;
	int rc = compute_check(compute);

	if (rc < 0)
		return rc;
	number_load(made.number, compute->operand, &made.operand);
	number_limits(made.number, &made.min, &made.max);
	if (compute->min)
		number_load(made.number, compute->min, &made.min);
	if (compute->max)
		number_load(made.number, compute->max, &made.max);
	if (number_compare(&made.min, &made.max) > 0)
		return err_set(AEDB_INVALID,
			       "the least allowed result is above the greatest");
	rc = guard_new(guards, next, &guard);
	if (rc == 0)
		guard->compute = made;
	return rc;
}
