/*
 * One random commit on database and model: what the files it is made of share.
 *
 *	model_step.c	the commit, and whether its outcome is the right one
 *	model_keys.c	operations on keys
 *	model_places.c	operations on projects and scopes
 *	model_rows.c	operations on tables, their schemas and rows
 *	model_numbers.c	numbers and assertions
 *	model_reads.c	read sets
 *
 * An operation does to the state what it should do to the database, and says in
 * `want` what the commit must give.
 */
#ifndef MODEL_STEP_H
#define MODEL_STEP_H

#include "model.h"

struct step {
	struct model *model;
	struct model_state *state;	/* what it makes; the model's newest, copied */
	struct aedb *db;
	struct aedb_txn *txn;	/* NULL: one call is the commit */
	struct aedb_scope *scopes[MODEL_SCOPES];	/* NULL: not open */
	struct aedb_table *tables[MODEL_SCOPES];	/* the same */
	bool is_remade[MODEL_SCOPES];	/* its table was dropped or made in it, */
	bool is_renamed[MODEL_SCOPES];	/* or got another name, */
	bool is_altered[MODEL_SCOPES];	/* other columns or indexes, */
	bool has_rows[MODEL_SCOPES];	/* or rows */
	bool removes_index;	/* it is done before all of its commits are */
	bool has_stage;		/* the model's stage is put in it */
	int want;		/* code the commit must give */
	int rc;			/* what the one call gave; */
	size_t n_calls;		/* 0: there was none */
	aedb_seq_t base;	/* of what it read */
	bool conflicts;		/* that was written since */
	bool may_conflict;	/* perhaps it was */
	int disk_error;		/* the disk failed before the commit */
};

/* Takes note of a call before the commit, which may fail only with the disk. */
bool step_call_went_well(struct step *step, int rc);
/* The same of a call that adds an operation, or is the commit. */
void step_note_operation(struct step *step, int rc);
struct model_entry *step_entry(struct step *step, size_t space, size_t key);
struct aedb_scope *step_scope(const struct step *step, size_t space);
/* A space of a scope that was open; MODEL_SPACES if there is none. */
size_t step_random_space(const struct step *step);

/* Some operation on a key. */
void step_key_operation(struct step *step);
/* One that is a call of its own. */
void step_key_call(struct step *step);
/* A number that the commit computes; an assertion about a key, which needs an
 * operation beside it (model_numbers.c). */
void step_compute(struct step *step, size_t space, size_t key);
void step_assert(struct step *step, size_t space, size_t key);
/* Makes, drops or renames a project or scope; alone in its commit. */
void step_place_operation(struct step *step);
/* Makes, drops, renames or alters a table, or writes a row; in the transaction, or as a
 * commit of its own. */
void step_table_operation(struct step *step);
/* Takes over versions of the rows that the newest commit wrote. */
void step_learn_rows(struct step *step, aedb_seq_t above);
/* Says that some keys were read, as of some base. */
void step_read_set(struct step *step);
/* AEDB_CONFLICT was right. */
void step_check_conflicts(const struct step *step);

#endif
