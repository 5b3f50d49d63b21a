/*
 * What a database should hold: the state after every commit, as arrays.
 *
 *	model = model_new();
 *	model_step(model, db)	a random commit on both
 *	model_name_step(model, db)	a random change of named snapshots on both
 *	i = model_find(model, db)	which state the database holds
 *	model_compare(model, i, i, db, NULL)	and whether it holds it exactly
 *	model_stop(model);	before the database is closed
 *	model_free(model);
 *
 * Uses check_random; fails the running test when database and model differ. What
 * returns int returns 0, or the error with which the disk failed: a step has done
 * nothing then but for what its comment says, a comparison has compared the rest.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_tables.h"

#define MODEL_PROJECTS 2
#define MODEL_PROJECT_SCOPES 2
#define MODEL_SCOPES (MODEL_PROJECTS * MODEL_PROJECT_SCOPES)
#define MODEL_SPACES (2 * MODEL_SCOPES)	/* keys and directory records of each */
#define MODEL_KEYS 44
#define MODEL_NAMES_MAX 6
#define MODEL_VALUE_BYTES_MAX (1u << 20)

struct model_key {
	uint8_t bytes[1000];
	size_t n;
};

struct model_value {
	uint8_t *bytes;		/* the model's */
	size_t n;
};

struct model_entry {
	bool is_there;
	uint8_t attr;		/* 0: none, else one byte of it */
	struct model_value value;
	uint64_t id, version;	/* 0: not known */
	int64_t mtime_ns;	/* known with the version */
};

/* Names that exist; a scope that is renamed goes to its new name's place. */
struct model_state {
	bool has_project[MODEL_PROJECTS];
	bool exists[MODEL_SCOPES];
	uint64_t scope_ids[MODEL_SCOPES];	/* 0: not known */
	struct model_entry entries[MODEL_SPACES][MODEL_KEYS];
	struct model_table tables[MODEL_SCOPES];
	aedb_seq_t seq;		/* of the commit that made it */
	aedb_seq_t seq_last;	/* the last that a commit which changes nothing of it
				 * can have; 0: none */
	aedb_seq_t seq_begin;	/* an index was made or removed in commits from this
				 * one on, of which one made the state; 0: not so */
	size_t altered;		/* the table that it is of */
};

/* Named snapshots, in order of their names. */
struct model_names {
	struct {
		char name[4];
		size_t state;
	} at[MODEL_NAMES_MAX];
	size_t n;
};

struct model {
	struct model_key keys[MODEL_KEYS];	/* constant; ascending */
	struct model_state **states;	/* [0]: empty */
	size_t n_states, states_room;	/* the last one is the newest */
	size_t n_borrowed;	/* the first ones are another model's */
	size_t n_durable;	/* states[n_durable - 1] was promised durable */
	bool is_last_durable;	/* the last step was a commit that was to return so */
	struct model_names names;
	struct model_names names_wanted;	/* also possible after a crash */
	uint8_t **values;	/* all that were made */
	size_t n_values, values_room;
	struct aedb_stage *stage;	/* a value being written, or NULL */
	struct model_value staged;	/* what it holds */
	bool is_damaged;	/* reading may find damage */
};

struct model *model_new(void);
/* A copy, which borrows states and values. */
struct model *model_fork(const struct model *model);
void model_free(struct model *model);
/* Forgets the states after i. */
void model_rewind(struct model *model, size_t i);
void model_stop(struct model *model);

size_t model_random_below(size_t n);
bool model_is_disk_error(int rc);
/* 0, or an error that the disk may give; any other fails the test. */
int model_checked(const struct model *model, int rc);
uint8_t *model_value_new(struct model *model, size_t n);
struct model_state *model_newest(struct model *model);
/* Takes the state over. */
void model_add(struct model *model, struct model_state *state);
/* The project alone, or the scope. */
struct aedb_place model_project(size_t project);
struct aedb_place model_place(size_t scope);
/* The number of the last commit that was tried. */
aedb_seq_t model_last_seq(struct aedb *db);
/* Maintenance may have made commits of its own, which change nothing. */
void model_note_maintenance(struct model *model, struct aedb *db);
bool model_state_has(const struct model_state *state, aedb_seq_t seq);

/* Commits one random transaction, or one single call, and adds the state it
 * makes; one that must fail is checked to fail. AEDB_UNKNOWN: the state is added,
 * and may or may not be what recovery finds. */
int model_step(struct model *model, struct aedb *db);
/* Of a commit whose outcome was not known: takes over from a database that holds it
 * what versions it made. */
void model_learn(struct model *model, struct aedb *db);
/* Everything committed so far was promised durable. */
void model_note_durable(struct model *model);

/* Creates, renames or deletes one. AEDB_UNKNOWN: it may or may not be done. */
int model_name_step(struct model *model, struct aedb *db);
/* Checks that the database has exactly the named snapshots the model has, or
 * those that a failed step wanted, which the model has from then on. */
void model_names_check(struct model *model, struct aedb *db);
/* Forgets those of states after i. */
void model_names_rewind(struct model *model, size_t i);

/* Finds the state the database holds, by its number. */
size_t model_find(struct model *model, struct aedb *db);
/* Compares what the snapshot (NULL: the newest state) shows with state `shown`, of
 * a database whose visible state is `newest`. */
int model_compare(struct model *model, size_t newest, size_t shown,
		  struct aedb *db, const struct aedb_snapshot *snapshot);
/* The same for each named snapshot. */
int model_compare_names(struct model *model, size_t newest, struct aedb *db);

#endif
