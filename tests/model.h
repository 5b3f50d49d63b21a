/*
 * What a database should hold, as sorted arrays, and the state after every
 * commit.
 *
 *	model_new(&model);
 *	model_step(model, db)	a random transaction on both, compared
 *	model_find_and_compare(model, db)
 *	model_free(model);
 *
 * Uses check_random; fails the running test when database and model differ.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aedb.h"

#define MODEL_SCOPES 3
#define MODEL_SPACES (2 * MODEL_SCOPES)	/* keys and directory records of each */
#define MODEL_KEYS_MAX 48
#define MODEL_STATES_MAX 256

struct model_value {
	uint8_t *bytes;		/* the model's */
	size_t n;
};

struct model_entry {
	char key[8];
	struct model_value value;
	uint8_t attr;		/* 0: none, else one byte of it */
	uint64_t id, version;	/* 0: not known */
	int64_t mtime_ns;	/* known with the version */
};

struct model_state {
	bool exists[MODEL_SCOPES];
	struct model_entry entries[MODEL_SPACES][MODEL_KEYS_MAX];
	size_t n[MODEL_SPACES];
	aedb_seq_t seq;		/* of the commit that made it; 0: unknown */
};

struct model {
	struct model_state *states[MODEL_STATES_MAX];	/* [0]: empty */
	size_t n_states;	/* the last one is the newest */
	size_t n_durable;	/* states[n_durable - 1] was promised durable */
	uint8_t **values;	/* all that were made */
	size_t n_values;
};

struct model *model_new(void);
void model_free(struct model *model);

/* Commits one random transaction and adds the state it makes; one that must
 * fail is checked to fail and to change nothing. False: the commit failed
 * because the disk did; then the newest state may or may not be there. */
bool model_step(struct model *model, struct aedb *db);
/* Everything committed so far was promised durable. */
void model_note_durable(struct model *model);

/* Finds the state the database holds, by its number, compares, and returns its
 * index. */
size_t model_find_and_compare(struct model *model, struct aedb *db);

#endif
