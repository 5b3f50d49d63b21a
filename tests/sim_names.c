/*
 * Names of the simulated disk, each in a directory, with its file.
 *
 * Invariants:
 * 1. A name that was made once (a link) stands in one place at most in each of
 *    the two states.
 * 2. Every name's directory exists in the same state as programs see it.
 */
#include "sim_names.h"

#include <stdlib.h>
#include <string.h>

enum step_kind {
	STEP_MAKE,
	STEP_REMOVE,
	STEP_RENAME,
};

struct sim_step {
	enum step_kind kind;
	struct sim_name name;	/* of a rename: the new one */
	uint64_t from;		/* directory; of a rename */
};

static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static int place_compare(const struct sim_name *a, struct sim_place b)
{
	if (a->directory != b.directory)
		return a->directory < b.directory ? -1 : 1;
	return strcmp(a->name, b.name);
}

/* Index of a place, or where it would go. */
static size_t list_index(const struct sim_name_list *list, struct sim_place place,
			 bool *ret_is_there)
{
	size_t low = 0, high = list->n;

	*ret_is_there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = place_compare(&list->at[mid], place);

		if (order == 0) {
			*ret_is_there = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct sim_name name_copy(const struct sim_name *name,
				 struct sim_file *file)
{
	struct sim_name copy = *name;

	copy.name = must_have(strdup(name->name));
	copy.file = file;
	sim_file_ref(file);
	return copy;
}

static void name_release(struct sim_name *name)
{
	free(name->name);
	sim_file_unref(name->file);
}

static void list_remove_at(struct sim_name_list *list, size_t i)
{
	name_release(&list->at[i]);
	memmove(&list->at[i], &list->at[i + 1],
		(--list->n - i) * sizeof(*list->at));
}

static void list_set(struct sim_name_list *list, const struct sim_name *name)
{
	struct sim_name copy = name_copy(name, name->file);
	struct sim_place place = { name->directory, name->name };
	bool is_there;
	size_t i = list_index(list, place, &is_there);

	if (is_there) {
		name_release(&list->at[i]);
		list->at[i] = copy;
		return;
	}
	list->at = must_have(realloc(list->at, (list->n + 1) * sizeof(*list->at)));
	memmove(&list->at[i + 1], &list->at[i], (list->n++ - i) * sizeof(*list->at));
	list->at[i] = copy;
}

static void list_remove_link(struct sim_name_list *list, uint64_t link)
{
	for (size_t i = list->n; i-- > 0;)
		if (list->at[i].link == link)
			list_remove_at(list, i);
}

static void list_release(struct sim_name_list *list)
{
	while (list->n)
		list_remove_at(list, list->n - 1);
	free(list->at);
	list->at = NULL;
}

static void list_apply(struct sim_name_list *list, const struct sim_step *step)
{
	struct sim_place place = { step->name.directory, step->name.name };
	bool is_there;
	size_t i;

	switch (step->kind) {
	case STEP_MAKE:
		list_set(list, &step->name);
		break;
	case STEP_REMOVE:
		i = list_index(list, place, &is_there);
		if (is_there && list->at[i].link == step->name.link)
			list_remove_at(list, i);
		break;
	case STEP_RENAME:
		/* The step's own reference keeps the file. */
		list_remove_link(list, step->name.link);
		list_set(list, &step->name);
		break;
	}
}

static void names_step(struct sim_names *names, const struct sim_step *step)
{
	names->steps = must_have(realloc(
		names->steps, (names->steps_n + 1) * sizeof(*names->steps)));
	names->steps[names->steps_n] = *step;
	names->steps[names->steps_n].name = name_copy(&step->name,
						      step->name.file);
	list_apply(&names->seen, &names->steps[names->steps_n++]);
}

void sim_names_release(struct sim_names *names)
{
	for (size_t i = 0; i < names->steps_n; i++)
		name_release(&names->steps[i].name);
	free(names->steps);
	list_release(&names->seen);
	list_release(&names->durable);
	memset(names, 0, sizeof(*names));
}

/* The copy of a file, made at its first use. */
static struct sim_file *file_copy(struct sim_file *file)
{
	if (!file->copy)
		file->copy = sim_file_clone(file);
	return file->copy;
}

static void list_clone(const struct sim_name_list *list, struct sim_name_list *ret)
{
	ret->n = list->n;
	ret->at = list->n ? must_have(malloc(list->n * sizeof(*ret->at))) : NULL;
	for (size_t i = 0; i < list->n; i++)
		ret->at[i] = name_copy(&list->at[i], file_copy(list->at[i].file));
}

/* Drops the reference that making the copy gave. */
static void copy_forget(struct sim_file *file)
{
	if (file->copy)
		sim_file_unref(file->copy);
	file->copy = NULL;
}

void sim_names_clone(const struct sim_names *names, struct sim_names *ret)
{
	list_clone(&names->seen, &ret->seen);
	list_clone(&names->durable, &ret->durable);
	ret->last_number = names->last_number;
	ret->last_link = names->last_link;
	ret->steps_n = names->steps_n;
	ret->steps = names->steps_n ? must_have(malloc(names->steps_n *
						       sizeof(*ret->steps))) : NULL;
	for (size_t i = 0; i < names->steps_n; i++) {
		const struct sim_step *from = &names->steps[i];

		ret->steps[i] = *from;
		ret->steps[i].name = name_copy(&from->name,
					       file_copy(from->name.file));
	}
	for (size_t i = 0; i < names->seen.n; i++)
		copy_forget(names->seen.at[i].file);
	for (size_t i = 0; i < names->durable.n; i++)
		copy_forget(names->durable.at[i].file);
	for (size_t i = 0; i < names->steps_n; i++)
		copy_forget(names->steps[i].name.file);
}

static struct sim_name *list_find(const struct sim_name_list *list,
				  struct sim_place place)
{
	bool is_there;
	size_t i = list_index(list, place, &is_there);

	return is_there ? &list->at[i] : NULL;
}

bool sim_names_place(const struct sim_names *names, uint64_t directory,
		     const char *path, struct sim_place *ret)
{
	struct sim_place place = { .directory = directory };
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		char *part = must_have(strndup(path, (size_t)(slash - path)));
		const struct sim_file *file;

		place.name = part;
		file = sim_names_find(names, place);
		free(part);
		if (!file || !file->is_directory)
			return false;
		place.directory = file->number;
		path = slash + 1;
	}
	place.name = path;
	*ret = place;
	return true;
}

struct sim_file *sim_names_find(const struct sim_names *names,
				struct sim_place place)
{
	const struct sim_name *name = list_find(&names->seen, place);

	return name ? name->file : NULL;
}

bool sim_names_is_empty(const struct sim_names *names, uint64_t directory)
{
	struct sim_place place = { directory, "" };
	bool is_there;
	size_t i = list_index(&names->seen, place, &is_there);

	return i == names->seen.n || names->seen.at[i].directory != directory;
}

void sim_names_link(struct sim_names *names, struct sim_place place,
		    struct sim_file *file)
{
	struct sim_step step = {
		.kind = STEP_MAKE,
		.name = { place.directory, (char *)place.name,
			  ++names->last_link, file },
	};

	names_step(names, &step);
}

void sim_names_make(struct sim_names *names, struct sim_place place,
		    struct sim_file *file)
{
	file->number = ++names->last_number;
	sim_names_link(names, place, file);
}

void sim_names_remove(struct sim_names *names, struct sim_place place)
{
	struct sim_step step = {
		.kind = STEP_REMOVE,
		.name = *list_find(&names->seen, place),
	};

	names_step(names, &step);
}

void sim_names_rename(struct sim_names *names, struct sim_place from,
		      struct sim_place to)
{
	struct sim_step step = {
		.kind = STEP_RENAME,
		.name = *list_find(&names->seen, from),
		.from = from.directory,
	};

	step.name.directory = to.directory;
	step.name.name = (char *)to.name;
	names_step(names, &step);
}

void sim_names_sync(struct sim_names *names, uint64_t directory)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->steps_n; i++) {
		struct sim_step *step = &names->steps[i];

		if (step->name.directory == directory ||
		    (step->kind == STEP_RENAME && step->from == directory)) {
			list_apply(&names->durable, step);
			name_release(&step->name);
		} else {
			names->steps[kept++] = *step;
		}
	}
	names->steps_n = kept;
}

static bool list_has_directory(const struct sim_name_list *list, uint64_t number)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].file->number == number)
			return true;
	return number == 0;
}

/* Drops what is in directories that are not there. */
static void list_drop_lost(struct sim_name_list *list)
{
	size_t before;

	do {
		uint64_t found = 0;

		before = list->n;
		for (size_t i = list->n; i-- > 0;) {
			uint64_t directory = list->at[i].directory;

			if (directory == found || list_has_directory(list, directory))
				found = directory;
			else
				list_remove_at(list, i);
		}
	} while (list->n < before);
}

void sim_names_crash(struct sim_names *names, enum sim_fate fate, uint64_t *random)
{
	for (size_t i = 0; i < names->steps_n; i++) {
		if (fate == SIM_KEEP ||
		    (fate == SIM_RANDOM && sim_random(random) % 2))
			list_apply(&names->durable, &names->steps[i]);
		name_release(&names->steps[i].name);
	}
	names->steps_n = 0;
	list_drop_lost(&names->durable);
	list_release(&names->seen);
	for (size_t i = 0; i < names->durable.n; i++) {
		sim_file_crash(names->durable.at[i].file, fate, random);
		list_set(&names->seen, &names->durable.at[i]);
	}
}

void sim_names_unlock(struct sim_names *names)
{
	for (size_t i = 0; i < names->seen.n; i++)
		names->seen.at[i].file->locks = 0;
}
