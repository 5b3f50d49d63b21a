/*
 * Files that should be there, and files that should not.
 *
 * A value file may hold what segments refer to, or what commits refer to that
 * lie in the log only. The former is in the manifest, the latter is noted in the
 * file while the log is executed; a value that is neither is gone.
 */
#include "leftovers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define NUMBERS_STEP 64

/* Ascending, each once. */
struct numbers {
	file_id_t *at;		/* owned */
	size_t n;
};

/* Place of the first that is not below. */
static size_t numbers_place(const struct numbers *numbers, file_id_t number)
{
	size_t low = 0, high = numbers->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (numbers->at[mid] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool numbers_has(const struct numbers *numbers, file_id_t number)
{
	size_t at = numbers_place(numbers, number);

	return at < numbers->n && numbers->at[at] == number;
}

static int numbers_add(struct numbers *numbers, file_id_t number)
{
	size_t at = numbers_place(numbers, number);

	if (at < numbers->n && numbers->at[at] == number)
		return 0;
	if (numbers->n % NUMBERS_STEP == 0) {
		file_id_t *grown = realloc(numbers->at,
					   (numbers->n + NUMBERS_STEP) *
						   sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for the numbers of files");
		numbers->at = grown;
	}
	memmove(numbers->at + at + 1, numbers->at + at,
		(numbers->n++ - at) * sizeof(*numbers->at));
	numbers->at[at] = number;
	return 0;
}

/* The value files that segments refer to. */
static int referred_collect(const struct manifest_state *state,
			    struct numbers *ret)
{
	struct numbers numbers = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; i < state->n_segments && rc == 0; i++) {
		const struct segment_info *info = state->segments[i];

		for (size_t k = 0; k < info->n_shares && rc == 0; k++)
			rc = numbers_add(&numbers, info->shares[k].file);
	}
	if (rc < 0) {
		free(numbers.at);
		return rc;
	}
	*ret = numbers;
	return 0;
}

static int file_require(struct file_set *set, file_id_t number)
{
	char path[FILE_SET_PATH_BYTES];

	if (file_set_above(set, number - 1) == number)
		return 0;
	file_set_path(set, number, path);
	return err_set(AEDB_CORRUPT, "%s, which the manifest knows, is missing",
		       path);
}

int leftovers_check(struct file_set *segments, struct file_set *values,
		    const struct manifest_state *state)
{
	struct numbers referred = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; i < state->n_segments && rc == 0; i++)
		rc = file_require(segments, state->segments[i]->number);
	if (rc == 0)
		rc = referred_collect(state, &referred);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < referred.n && rc == 0; i++)
		rc = file_require(values, referred.at[i]);
	free(referred.at);
	return rc;
}

static int segments_remove(struct file_set *segments,
			   const struct manifest_state *state)
{
	file_id_t number = 0;
	int rc = 0;

	while (rc == 0 && (number = file_set_above(segments, number)))
		if (!manifest_find_segment(state, number))
			rc = file_set_remove(segments, number);
	return rc;
}

static int values_remove(struct file_set *values, const struct numbers *referred)
{
	file_id_t number = 0;
	int rc = 0;

	while (rc == 0 && (number = file_set_above(values, number))) {
		struct file_info info = { .last_seq = 0 };

		if (numbers_has(referred, number))
			continue;
		rc = file_set_info(values, number - 1, &info);
		if (rc == 0 && info.number == number && !info.last_seq &&
		    !info.is_in_use)
			rc = file_set_remove(values, number);
	}
	return rc;
}

int leftovers_remove(struct file_set *segments, struct file_set *values,
		     const struct manifest_state *state)
{
	struct numbers referred = { NULL, 0 };
	int rc = segments_remove(segments, state);

	if (rc == 0)
		rc = referred_collect(state, &referred);
	if (rc < 0)
		return rc;
	rc = values_remove(values, &referred);
	free(referred.at);
	return rc;
}
