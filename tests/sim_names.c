/*
 * Names of the simulated disk: flat paths, each with its file.
 *
 * Invariants:
 * 1. A file stands under one name at most in each of the two states.
 * 2. Every name's directory exists in the same state as programs see it.
 * Does not rename directories.
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
	char *path;		/* owned; of a rename: the new one */
	char *from;		/* owned; of a rename, else NULL */
	struct sim_file *file;	/* owned reference */
};

static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

const char *sim_name_inside(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (!strcmp(directory, "."))
		return strchr(path, '/') ? NULL : path;
	if (strncmp(path, directory, n) || path[n] != '/')
		return NULL;
	return strchr(path + n + 1, '/') ? NULL : path + n + 1;
}

/* Index of a path, or where it would go. */
static size_t list_index(const struct sim_name_list *list, const char *path,
			 bool *ret_is_there)
{
	size_t low = 0, high = list->n;

	*ret_is_there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(list->at[mid].path, path);

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

static void list_remove_at(struct sim_name_list *list, size_t i)
{
	sim_file_unref(list->at[i].file);
	free(list->at[i].path);
	memmove(&list->at[i], &list->at[i + 1],
		(--list->n - i) * sizeof(*list->at));
}

static void list_set(struct sim_name_list *list, const char *path,
		     struct sim_file *file)
{
	bool is_there;
	size_t i = list_index(list, path, &is_there);

	sim_file_ref(file);
	if (is_there) {
		sim_file_unref(list->at[i].file);
		list->at[i].file = file;
		return;
	}
	list->at = must_have(realloc(list->at, (list->n + 1) * sizeof(*list->at)));
	memmove(&list->at[i + 1], &list->at[i], (list->n++ - i) * sizeof(*list->at));
	list->at[i].path = must_have(strdup(path));
	list->at[i].file = file;
}

static void list_remove_file(struct sim_name_list *list,
			     const struct sim_file *file)
{
	for (size_t i = list->n; i-- > 0;)
		if (list->at[i].file == file)
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
	bool is_there;
	size_t i;

	switch (step->kind) {
	case STEP_MAKE:
		list_set(list, step->path, step->file);
		break;
	case STEP_REMOVE:
		i = list_index(list, step->path, &is_there);
		if (is_there && list->at[i].file == step->file)
			list_remove_at(list, i);
		break;
	case STEP_RENAME:
		/* The step's own reference keeps the file. */
		list_remove_file(list, step->file);
		list_set(list, step->path, step->file);
		break;
	}
}

static void step_release(struct sim_step *step)
{
	free(step->path);
	free(step->from);
	sim_file_unref(step->file);
}

static void names_step(struct sim_names *names, enum step_kind kind,
		       const char *path, const char *from, struct sim_file *file)
{
	struct sim_step step = { .kind = kind, .file = file };

	step.path = must_have(strdup(path));
	step.from = from ? must_have(strdup(from)) : NULL;
	sim_file_ref(file);
	names->steps = must_have(realloc(
		names->steps, (names->steps_n + 1) * sizeof(*names->steps)));
	names->steps[names->steps_n++] = step;
	list_apply(&names->seen, &step);
}

void sim_names_release(struct sim_names *names)
{
	for (size_t i = 0; i < names->steps_n; i++)
		step_release(&names->steps[i]);
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
	for (size_t i = 0; i < list->n; i++) {
		ret->at[i].path = must_have(strdup(list->at[i].path));
		ret->at[i].file = file_copy(list->at[i].file);
		sim_file_ref(ret->at[i].file);
	}
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
	ret->steps_n = names->steps_n;
	ret->steps = names->steps_n ? must_have(malloc(names->steps_n *
						       sizeof(*ret->steps))) : NULL;
	for (size_t i = 0; i < names->steps_n; i++) {
		const struct sim_step *from = &names->steps[i];
		struct sim_step *to = &ret->steps[i];

		to->kind = from->kind;
		to->path = must_have(strdup(from->path));
		to->from = from->from ? must_have(strdup(from->from)) : NULL;
		to->file = file_copy(from->file);
		sim_file_ref(to->file);
	}
	for (size_t i = 0; i < names->seen.n; i++)
		copy_forget(names->seen.at[i].file);
	for (size_t i = 0; i < names->durable.n; i++)
		copy_forget(names->durable.at[i].file);
	for (size_t i = 0; i < names->steps_n; i++)
		copy_forget(names->steps[i].file);
}

struct sim_file *sim_names_find(const struct sim_names *names, const char *path)
{
	bool is_there;
	size_t i = list_index(&names->seen, path, &is_there);

	return is_there ? names->seen.at[i].file : NULL;
}

static bool list_has_parent(const struct sim_name_list *list, const char *path)
{
	const char *slash = strrchr(path, '/');
	bool is_there;
	size_t i;
	char *parent;

	if (!slash)
		return true;
	parent = must_have(strndup(path, (size_t)(slash - path)));
	i = list_index(list, parent, &is_there);
	free(parent);
	return is_there && list->at[i].file->is_directory;
}

bool sim_names_has_parent(const struct sim_names *names, const char *path)
{
	return list_has_parent(&names->seen, path);
}

void sim_names_make(struct sim_names *names, const char *path,
		    struct sim_file *file)
{
	names_step(names, STEP_MAKE, path, NULL, file);
}

void sim_names_remove(struct sim_names *names, const char *path)
{
	names_step(names, STEP_REMOVE, path, NULL, sim_names_find(names, path));
}

void sim_names_rename(struct sim_names *names, const char *from, const char *to)
{
	names_step(names, STEP_RENAME, to, from, sim_names_find(names, from));
}

void sim_names_sync(struct sim_names *names, const char *directory)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->steps_n; i++) {
		struct sim_step *step = &names->steps[i];

		if (sim_name_inside(step->path, directory) ||
		    (step->from && sim_name_inside(step->from, directory))) {
			list_apply(&names->durable, step);
			step_release(step);
		} else {
			names->steps[kept++] = *step;
		}
	}
	names->steps_n = kept;
}

void sim_names_crash(struct sim_names *names, enum sim_fate fate, uint64_t *random)
{
	size_t before;

	for (size_t i = 0; i < names->steps_n; i++) {
		if (fate == SIM_KEEP ||
		    (fate == SIM_RANDOM && sim_random(random) % 2))
			list_apply(&names->durable, &names->steps[i]);
		step_release(&names->steps[i]);
	}
	names->steps_n = 0;
	do {
		before = names->durable.n;
		for (size_t i = names->durable.n; i-- > 0;)
			if (!list_has_parent(&names->durable,
					     names->durable.at[i].path))
				list_remove_at(&names->durable, i);
	} while (names->durable.n < before);
	list_release(&names->seen);
	for (size_t i = 0; i < names->durable.n; i++) {
		sim_file_crash(names->durable.at[i].file, fate, random);
		list_set(&names->seen, names->durable.at[i].path,
			 names->durable.at[i].file);
	}
}

void sim_names_unlock(struct sim_names *names)
{
	for (size_t i = 0; i < names->seen.n; i++)
		names->seen.at[i].file->locks = 0;
}
