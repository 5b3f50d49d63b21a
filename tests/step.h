/*
 * One random call on a file tree, which can be made in two trees alike.
 *
 *	step_choose(&scene, &step);		what, on which names and files
 *	for each side: step_make(&scene, &step, side);
 *	step_keep(&scene, &step);		files it opened or closed
 *
 * A scene is a root directory on each side and the files a process has open
 * there. Names are few, so that calls meet: a name may be a file, a directory,
 * a link or nothing by then, and every call may fail. What a call returns is in
 * the step: result, error, and what it reports as text.
 */
#ifndef STEP_H
#define STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define STEP_SIDES_MAX 2
#define STEP_FILES 8
#define STEP_PATH_BYTES 1024
#define STEP_REPORT_BYTES (64u << 10)
#define STEP_SIZE_MAX (1u << 20)
/* Times that are set lie before all that a clock gives. */
#define STEP_SET_TIME_MAX 1000000000

struct step_file {
	int fd[STEP_SIDES_MAX];		/* -1: closed */
	bool is_dir;
	bool is_fresh;			/* opened with O_TRUNC, never synced */
};

struct scene {
	int sides;
	int root[STEP_SIDES_MAX];
	uint64_t random;
	struct step_file files[STEP_FILES];
};

struct step {
	const struct step_kind *kind;
	struct step_file *base, *file, *other;	/* base NULL: the root */
	char path[2][STEP_PATH_BYTES];
	int flags;
	mode_t mode;
	size_t offset, n;
	size_t choice;			/* any number */
	int fd[STEP_SIDES_MAX];		/* opened by it, or -1 */
	long result[STEP_SIDES_MAX];
	int error[STEP_SIDES_MAX];
	size_t report_bytes[STEP_SIDES_MAX];
	uint8_t report[STEP_SIDES_MAX][STEP_REPORT_BYTES];
};

struct step_kind {
	const char *name;
	unsigned weight;
	long (*make)(struct scene *scene, struct step *step, int side);
};

void scene_open(struct scene *scene, int sides, char **roots);
void scene_close_files(struct scene *scene);

void step_choose(struct scene *scene, struct step *step);
void step_make(struct scene *scene, struct step *step, int side);
/* What was opened takes a file's place, unless it is none to keep. */
void step_keep(struct scene *scene, struct step *step);
void step_close_file(struct scene *scene, struct step_file *file);

/* The directory that a step's paths begin in. */
int step_base(const struct scene *scene, const struct step *step, int side);
/* Adds to what the step reports. */
void step_report(struct step *step, int side, const void *bytes, long n);
void step_report_stat(struct step *step, int side, const struct stat *st);

/* Of kinds with exceptions: for step_kind's make. */
long step_open(struct scene *scene, struct step *step, int side);
long step_seek(struct scene *scene, struct step *step, int side);
long step_fallocate(struct scene *scene, struct step *step, int side);

#endif
