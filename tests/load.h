/*
 * A long random load on a database, and the model of what it leaves there.
 *
 *	load_init(&load, seed);
 *	load_target_open(&target, db, &load);
 *	load_commit(&load, &target);		one step, one transaction
 *	load_target_close(&target);
 *
 *	load_init(&model, seed);
 *	load_go_to(&model, step);		the same steps without a database
 *
 * Step i follows from the seed and i alone, and puts its number into the key
 * LOAD_STEP_KEY of the first scope in the same commit. So a database says itself
 * after how many steps it must be.
 *
 * There are planes of keys: the keys of each scope, and the directory records of
 * the first. All but the first scope are dropped, made and renamed, too.
 * Errors: load_commit's are the database's; the model is then a step ahead.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aedb.h"

#define LOAD_SCOPES 3
#define LOAD_PLANES 4
#define LOAD_KEYS 3000u
#define LOAD_KEY_BYTES_MAX 32
#define LOAD_VALUE_BYTES_MAX (300u << 10)
#define LOAD_PATCHES_MAX 4
#define LOAD_ATTR_BYTES_MAX 64
#define LOAD_PROJECT "p"
#define LOAD_STEP_KEY "step"

/* A change of part of a value. */
struct load_patch {
	uint32_t step, offset, bytes;	/* bytes 0: the value ends at offset */
};

/* What a key has. Each number of a step tells the bytes that step made. */
struct load_slot {
	uint32_t step;			/* that put it whole; 0: it is not there */
	uint32_t source;		/* which slot's bytes: keys move */
	uint32_t bytes;
	uint32_t attr_step;		/* 0: no attributes */
	uint32_t mtime_step;		/* 0: the commit's time */
	uint64_t id;			/* 0: the database chose it */
	uint32_t n_patches;
	struct load_patch patches[LOAD_PATCHES_MAX];
};

struct load_scope {
	uint32_t made_step;		/* 0: it is not there */
	bool has_other_name;
};

struct load {
	uint64_t seed;
	uint32_t step;			/* so many were made */
	uint64_t state;			/* of the step being made */
	struct load_scope scopes[LOAD_SCOPES];
	struct load_slot slots[LOAD_PLANES][LOAD_KEYS];
};

/* The database a load goes to. */
struct load_target {
	struct aedb *db;
	struct aedb_scope *scopes[LOAD_SCOPES];	/* NULL: not there */
	/* of the step being made: */
	struct aedb_txn *txn;
	struct aedb_stage *stage;
	struct aedb_scope *dropped;
	int rc;				/* the first failure */
};

void load_init(struct load *load, uint64_t seed);
/* Makes the project and the first scope. */
int load_create(struct aedb *db);

/* Opens the scopes that the model has. */
int load_target_open(struct load_target *target, struct aedb *db,
		     const struct load *load);
void load_target_close(struct load_target *target);
/* NULL: not there. */
struct aedb_scope *load_plane(const struct load_target *target, int plane);

int load_commit(struct load *load, struct load_target *target);
void load_go_to(struct load *load, uint32_t step);

/* What the database must hold of a slot. */
size_t load_key(uint32_t number, char *ret);
uint32_t load_value_bytes(const struct load_slot *slot);
void load_value(const struct load *load, const struct load_slot *slot,
		uint8_t *ret);
size_t load_attr(const struct load *load, const struct load_slot *slot,
		 uint8_t *ret);
int64_t load_mtime_ns(const struct load_slot *slot);
/* Keys of all scopes. */
uint64_t load_keys(const struct load *load);

/* The next number below `below` of a random state. */
uint64_t load_draw(uint64_t *state, uint64_t below);

#endif
