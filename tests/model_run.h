/*
 * A random life of a database on a simulated disk beside its model: transactions,
 * waits, checkpoints, compactions, named snapshots, what is held open, reopening.
 *
 *	run_init(&run, seed, AEDB_FULL);
 *	while (goes on) rc = run_step(&run);	opens the database when needed
 *	run_close(&run);
 *	run_release(&run);
 *
 * The same seed gives the same calls of the disk: nothing runs in the background.
 */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model_views.h"
#include "simdisk.h"

struct model_run {
	struct simdisk *disk;
	struct model *model;
	struct aedb_options options;
	struct aedb *db;		/* NULL: closed */
	struct model_views views;
	size_t n_acknowledged;	/* states that kill -9 must not lose */
};

/* Draws the options that do not matter for what is promised. */
void run_init(struct model_run *run, uint64_t seed,
	      enum aedb_durability durability);
void run_release(struct model_run *run);
/* Another life of the same database, on `disk`, of which it takes hold. Borrows
 * from `run`. */
void run_fork(const struct model_run *run, struct simdisk *disk,
	      struct model_run *ret);

/* 0, or the error with which the disk failed. */
int run_open(struct model_run *run);
int run_step(struct model_run *run);
/* The first error of closing; all is closed whatever it returns. */
int run_close(struct model_run *run);
/* Compares everything with the newest state. */
int run_compare(struct model_run *run);

/* Verifies the files while the database is closed; the number of findings, which
 * are lines of *ret_text. Owned: free. */
uint64_t run_verify(const struct model_run *run, char **ret_text);
/* There are none. */
void run_check_whole(const struct model_run *run);

/* Opens what a crash left and checks that it is a prefix with at least n_promised
 * states, which is the model's newest state from then on. Returns its index. */
size_t run_recover(struct model_run *run, size_t n_promised);
/* So many steps, none of which may fail, and closes; the end is compared, once
 * more after opening again. */
void run_live(struct model_run *run, int steps);

#endif
