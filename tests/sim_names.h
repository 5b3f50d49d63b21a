/*
 * The names of the simulated disk: those that programs see, those on the disk,
 * and the steps in between, each of which a power cut may keep or drop.
 *
 * Threads: under the disk's mutex.
 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "sim_file.h"

struct sim_name {
	char *path;		/* owned */
	struct sim_file *file;	/* owned reference */
};

struct sim_name_list {
	struct sim_name *at;	/* owned; sorted by path */
	size_t n;
};

struct sim_step;

struct sim_names {
	struct sim_name_list seen, durable;
	struct sim_step *steps;	/* owned; unsynced, in order */
	size_t steps_n;
};

void sim_names_release(struct sim_names *names);
/* Copies names and files; the files' own state too, each once. */
void sim_names_clone(const struct sim_names *names, struct sim_names *ret);

/* NULL: no such name. Borrowed. "." is always a directory. */
struct sim_file *sim_names_find(const struct sim_names *names, const char *path);
bool sim_names_has_parent(const struct sim_names *names, const char *path);

void sim_names_make(struct sim_names *names, const char *path,
		    struct sim_file *file);
void sim_names_remove(struct sim_names *names, const char *path);
void sim_names_rename(struct sim_names *names, const char *from, const char *to);
/* Makes what happened in a directory durable. */
void sim_names_sync(struct sim_names *names, const char *directory);
/* Power cut, for the names and then for every file. */
void sim_names_crash(struct sim_names *names, enum sim_fate fate, uint64_t *random);

/* Takes the locks off all files. */
void sim_names_unlock(struct sim_names *names);

/* The part of path behind "directory/" if it has no further slash, else NULL. */
const char *sim_name_inside(const char *path, const char *directory);

#endif
