/*
 * The names of the simulated disk: those that programs see, those on the disk,
 * and the steps in between, each of which a power cut may keep or drop.
 *
 * Threads: under the disk's mutex.
 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "sim_file.h"

/* A name in a directory, which is known by its number; the first is 0. */
struct sim_place {
	uint64_t directory;
	const char *name;	/* borrowed */
};

struct sim_name {
	uint64_t directory;
	char *name;		/* owned */
	uint64_t link;		/* which name it is: renaming keeps it */
	struct sim_file *file;	/* owned reference */
};

struct sim_name_list {
	struct sim_name *at;	/* owned; sorted by directory and name */
	size_t n;
};

struct sim_step;

struct sim_names {
	struct sim_name_list seen, durable;
	struct sim_step *steps;	/* owned; unsynced, in order */
	size_t steps_n;
	uint64_t last_number, last_link;
};

void sim_names_release(struct sim_names *names);
/* Copies names and files; the files' own state too, each once. */
void sim_names_clone(const struct sim_names *names, struct sim_names *ret);

/* The place that a path leads to from a directory on; false when a directory on
 * the way is missing. The name is borrowed from `path`. */
bool sim_names_place(const struct sim_names *names, uint64_t directory,
		     const char *path, struct sim_place *ret);
/* NULL: no such name. Borrowed. */
struct sim_file *sim_names_find(const struct sim_names *names,
				struct sim_place place);
bool sim_names_is_empty(const struct sim_names *names, uint64_t directory);

/* A new file. */
void sim_names_make(struct sim_names *names, struct sim_place place,
		    struct sim_file *file);
/* One more name of a file that has one. */
void sim_names_link(struct sim_names *names, struct sim_place place,
		    struct sim_file *file);
void sim_names_remove(struct sim_names *names, struct sim_place place);
/* What stands at `to` is replaced. A directory takes along what is in it. */
void sim_names_rename(struct sim_names *names, struct sim_place from,
		      struct sim_place to);
/* Makes what happened in a directory durable. */
void sim_names_sync(struct sim_names *names, uint64_t directory);
/* Power cut, for the names and then for every file. */
void sim_names_crash(struct sim_names *names, enum sim_fate fate, uint64_t *random);

/* Takes the locks off all files. */
void sim_names_unlock(struct sim_names *names);

#endif
