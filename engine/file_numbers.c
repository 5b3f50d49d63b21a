/*
 * Numbers in a sorted array.
 */
#include "file_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

#define NUMBERS_STEP 64

/* Place of the first that is not below. */
static size_t numbers_place(const struct file_numbers *numbers, file_id_t number)
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

bool file_numbers_has(const struct file_numbers *numbers, file_id_t number)
{
	size_t at = numbers_place(numbers, number);

	return at < numbers->n && numbers->at[at] == number;
}

int file_numbers_add(struct file_numbers *numbers, file_id_t number)
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

void file_numbers_release(struct file_numbers *numbers)
{
	free(numbers->at);
	*numbers = (struct file_numbers){ NULL, 0 };
}
