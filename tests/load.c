/*
 * The steps. Each function changes the model and, if there is a database,
 * adds the same to the transaction.
 */
#include "load.h"

#include <stdio.h>
#include <string.h>

#define PUTS_MAX 16
#define STRETCH_KEYS 300
#define WRITES_MAX 3
#define SEARCH_MAX 400
#define LARGE_BYTES (64u << 10)
/* Object ids with this bit are the caller's. */
#define OWN_ID (UINT64_C(1) << 51)

static uint8_t buffer[LOAD_VALUE_BYTES_MAX];

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t load_draw(uint64_t *state, uint64_t below)
{
	*state = mix(*state);
	return *state % below;
}

static uint32_t draw(struct load *load, uint32_t below)
{
	return (uint32_t)load_draw(&load->state, below);
}

/* What a slot holds. */

size_t load_key(uint32_t number, char *ret)
{
	return (size_t)sprintf(ret, "%c/key-%05u", 'a' + (int)(number % 7),
			       (unsigned)number);
}

/* Half of it compresses. */
static void bytes_make(uint64_t state, uint8_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 8) {
		state = i % 16 ? state : mix(state);
		memcpy(at + i, &state, n - i < 8 ? n - i : 8);
	}
}

uint32_t load_value_bytes(const struct load_slot *slot)
{
	uint32_t bytes = slot->bytes;

	for (uint32_t i = 0; i < slot->n_patches; i++) {
		const struct load_patch *patch = &slot->patches[i];
		uint32_t end = patch->offset + patch->bytes;

		if (!patch->bytes || end > bytes)
			bytes = end;
	}
	return bytes;
}

void load_value(const struct load *load, const struct load_slot *slot,
		uint8_t *ret)
{
	bytes_make(mix(load->seed ^ slot->step) ^ slot->source, ret, slot->bytes);
	memset(ret + slot->bytes, 0, LOAD_VALUE_BYTES_MAX - slot->bytes);
	for (uint32_t i = 0; i < slot->n_patches; i++) {
		const struct load_patch *patch = &slot->patches[i];

		if (patch->bytes)
			bytes_make(mix(load->seed ^ patch->step) ^ patch->offset,
				   ret + patch->offset, patch->bytes);
		else
			memset(ret + patch->offset, 0,
			       LOAD_VALUE_BYTES_MAX - patch->offset);
	}
}

size_t load_attr(const struct load *load, const struct load_slot *slot,
		 uint8_t *ret)
{
	uint64_t state = mix(load->seed ^ slot->attr_step ^ 1);
	uint32_t n = (uint32_t)(state % LOAD_ATTR_BYTES_MAX) + 1;

	if (!slot->attr_step)
		return 0;
	bytes_make(state, ret, n);
	return n;
}

int64_t load_mtime_ns(const struct load_slot *slot)
{
	return (int64_t)slot->mtime_step * 1000003;
}

uint64_t load_keys(const struct load *load)
{
	uint64_t n = load->step > 0;

	for (int scope = 0; scope < LOAD_SCOPES; scope++)
		for (uint32_t i = 0; i < LOAD_KEYS; i++)
			n += load->slots[scope][i].step != 0;
	return n;
}

/* Planes and scopes. */

static const char *scope_name(const struct load *load, int scope)
{
	static const char *const names[LOAD_SCOPES][2] = {
		{ "one", "one" }, { "two", "zwei" }, { "three", "drei" },
	};

	return names[scope][load->scopes[scope].has_other_name];
}

static struct aedb_place scope_place(const struct load *load, int scope)
{
	return (struct aedb_place){ LOAD_PROJECT, scope_name(load, scope) };
}

static bool plane_is_there(const struct load *load, int plane)
{
	return plane >= LOAD_SCOPES || load->scopes[plane].made_step;
}

struct aedb_scope *load_plane(const struct load_target *target, int plane)
{
	return plane < LOAD_SCOPES ? target->scopes[plane] :
				     aedb_scope_dirs(target->scopes[0]);
}

static int plane_draw(struct load *load)
{
	int plane = (int)draw(load, LOAD_PLANES);

	return plane_is_there(load, plane) ? plane : 0;
}

void load_init(struct load *load, uint64_t seed)
{
	memset(load, 0, sizeof(*load));
	load->seed = seed;
	load->scopes[0].made_step = 1;
}

int load_create(struct aedb *db)
{
	int rc = aedb_create(db, (struct aedb_place){ LOAD_PROJECT, NULL });

	return rc < 0 ? rc :
			aedb_create(db, (struct aedb_place){ LOAD_PROJECT, "one" });
}

int load_target_open(struct load_target *target, struct aedb *db,
		     const struct load *load)
{
	int rc = 0;

	*target = (struct load_target){ .db = db };
	for (int i = 0; i < LOAD_SCOPES && rc == 0; i++)
		if (plane_is_there(load, i))
			rc = aedb_scope_open(db, LOAD_PROJECT,
					     scope_name(load, i),
					     &target->scopes[i]);
	if (rc < 0)
		load_target_close(target);
	return rc;
}

void load_target_close(struct load_target *target)
{
	for (int i = 0; i < LOAD_SCOPES; i++)
		if (target->scopes[i])
			aedb_scope_close(target->scopes[i]);
}

/* Steps. */

static void note(struct load_target *target, int rc)
{
	if (rc < 0 && target->rc == 0)
		target->rc = rc;
}

static uint32_t value_bytes_draw(struct load *load)
{
	uint32_t kind = draw(load, 1000);

	if (kind < 880)
		return draw(load, 200);
	if (kind < 994)
		return draw(load, 20u << 10);
	return draw(load, LOAD_VALUE_BYTES_MAX);
}

static void put(struct load *load, struct load_target *target, int plane)
{
	uint32_t number = draw(load, LOAD_KEYS);
	struct load_slot *slot = &load->slots[plane][number];
	struct aedb_put put = { .value = buffer };
	char key[LOAD_KEY_BYTES_MAX];

	if (!slot->step) {
		*slot = (struct load_slot){ 0 };
		if (draw(load, 2))
			put.id = slot->id = OWN_ID | (load->step + UINT64_C(1)) << 16 |
				number;
	}
	slot->step = load->step + 1;
	slot->source = number;
	slot->bytes = value_bytes_draw(load);
	slot->n_patches = 0;
	slot->mtime_step = 0;
	if (!target)
		return;
	put.key = key;
	put.key_bytes = load_key(number, key);
	put.value_bytes = slot->bytes;
	load_value(load, slot, buffer);
	note(target, aedb_txn_put(target->txn, load_plane(target, plane), &put));
}

static void delete(struct load *load, struct load_target *target, int plane,
		   uint32_t number)
{
	struct load_slot *slot = &load->slots[plane][number];
	char key[LOAD_KEY_BYTES_MAX];
	size_t n = load_key(number, key);

	if (!slot->step)
		return;
	slot->step = 0;
	if (target)
		note(target, aedb_txn_delete(target->txn,
					     load_plane(target, plane), key, n));
}

static void attr_set(struct load *load, struct load_target *target, int plane)
{
	uint32_t number = draw(load, LOAD_KEYS);
	struct load_slot *slot = &load->slots[plane][number];
	uint8_t attr[LOAD_ATTR_BYTES_MAX];
	char key[LOAD_KEY_BYTES_MAX];
	struct aedb_put put = { .key = key, .attr = attr };
	int64_t mtime_ns;

	if (!slot->step)
		return;
	slot->attr_step = draw(load, 4) ? load->step + 1 : 0;
	if (draw(load, 2)) {
		slot->mtime_step = load->step + 1;
		put.mtime_ns = &mtime_ns;
		mtime_ns = load_mtime_ns(slot);
	}
	if (!target)
		return;
	put.key_bytes = load_key(number, key);
	put.attr_bytes = load_attr(load, slot, attr);
	note(target, aedb_txn_set_attr(target->txn, load_plane(target, plane),
				       &put));
}

/* Moves a key, or exchanges two. */
static void move(struct load *load, struct load_target *target)
{
	int from = plane_draw(load);
	int to = from < LOAD_SCOPES ? plane_draw(load) % LOAD_SCOPES : from;
	uint32_t number = draw(load, LOAD_KEYS), other = draw(load, LOAD_KEYS);
	struct load_slot *a = &load->slots[from][number];
	struct load_slot *b = &load->slots[to][other], was = *b;
	bool is_exchange = was.step && draw(load, 3) == 0;
	char key[LOAD_KEY_BYTES_MAX], to_key[LOAD_KEY_BYTES_MAX];
	size_t n = load_key(number, key), to_n = load_key(other, to_key);
	struct aedb_scope *scopes[2];

	if (!a->step || a == b)
		return;
	*b = *a;
	*a = was;
	if (!is_exchange)
		a->step = 0;
	if (!target)
		return;
	scopes[0] = load_plane(target, from);
	scopes[1] = load_plane(target, to);
	note(target, is_exchange ?
		     aedb_txn_exchange(target->txn, scopes[0], key, n, scopes[1],
				       to_key, to_n) :
		     aedb_txn_move(target->txn, scopes[0], key, n, scopes[1],
				   to_key, to_n));
}

/* A key with a large value, from a random one on. */
static struct load_slot *large_find(struct load *load, int plane,
				    uint32_t *ret_number)
{
	uint32_t number = draw(load, LOAD_KEYS);

	for (int i = 0; i < SEARCH_MAX; i++, number = (number + 1) % LOAD_KEYS) {
		struct load_slot *slot = &load->slots[plane][number];

		*ret_number = number;
		if (slot->step && load_value_bytes(slot) > LARGE_BYTES)
			return slot;
	}
	return NULL;
}

static void stage_open(struct load_target *target, struct aedb_scope *scope,
		       const char *key, size_t n)
{
	struct aedb_reader *reader;
	int rc = aedb_reader_open(scope, NULL, key, n, &reader);

	if (rc == 0) {
		rc = aedb_stage_open(target->db, reader, &target->stage);
		aedb_reader_close(reader);
	}
	note(target, rc);
}

static void patch_draw(struct load *load, struct load_slot *slot)
{
	struct load_patch *patch = &slot->patches[slot->n_patches++];
	uint32_t most = draw(load, 3) ? 6000 : 70000;

	*patch = (struct load_patch){ load->step + 1, 0, 0 };
	patch->offset = draw(load, LOAD_VALUE_BYTES_MAX - most);
	if (draw(load, 8))
		patch->bytes = draw(load, most) + 1;
}

static void patch_write(const struct load *load, struct load_target *target,
			const struct load_patch *patch)
{
	if (target->rc < 0)
		return;
	bytes_make(mix(load->seed ^ patch->step) ^ patch->offset, buffer,
		   patch->bytes);
	note(target, patch->bytes ?
		     aedb_stage_write(target->stage, buffer, patch->bytes,
				      patch->offset) :
		     aedb_stage_truncate(target->stage, patch->offset));
}

/* Changes parts of a large value through a stage. */
static void overwrite(struct load *load, struct load_target *target)
{
	int plane = plane_draw(load);
	uint32_t number, n = draw(load, WRITES_MAX) + 1, first;
	struct load_slot *slot = large_find(load, plane, &number);
	char key[LOAD_KEY_BYTES_MAX];
	struct aedb_put put = { .key = key };

	if (!slot || slot->n_patches + n > LOAD_PATCHES_MAX)
		return;
	put.key_bytes = load_key(number, key);
	first = slot->n_patches;
	for (uint32_t i = 0; i < n; i++)
		patch_draw(load, slot);
	slot->mtime_step = 0;
	if (!target)
		return;
	stage_open(target, load_plane(target, plane), key, put.key_bytes);
	for (uint32_t i = first; i < slot->n_patches; i++)
		patch_write(load, target, &slot->patches[i]);
	put.stage = target->stage;
	if (target->rc == 0)
		note(target, aedb_txn_put(target->txn, load_plane(target, plane),
					  &put));
}

/* A scope comes, goes with all it has, or both. */

static void scope_drop(struct load *load, struct load_target *target, int scope)
{
	memset(load->slots[scope], 0, sizeof(load->slots[scope]));
	load->scopes[scope].made_step = 0;
	if (!target)
		return;
	note(target, aedb_txn_drop(target->txn, scope_place(load, scope),
				   AEDB_DROP_ALL));
	target->dropped = target->scopes[scope];
	target->scopes[scope] = NULL;
}

static void scope_make(struct load *load, struct load_target *target, int scope)
{
	load->scopes[scope].made_step = load->step + 1;
	if (target)
		note(target, aedb_txn_create(target->txn,
					     scope_place(load, scope), NULL, 0,
					     &target->scopes[scope]));
}

static void scope_rename(struct load *load, struct load_target *target,
			 int scope)
{
	struct aedb_place from = scope_place(load, scope);

	load->scopes[scope].has_other_name = !load->scopes[scope].has_other_name;
	if (target)
		note(target, aedb_txn_rename(target->txn, from,
					     scope_place(load, scope)));
}

static void scope_change(struct load *load, struct load_target *target)
{
	int scope = 1 + (int)draw(load, LOAD_SCOPES - 1);
	uint32_t kind = draw(load, 5);

	if (!plane_is_there(load, scope)) {
		scope_make(load, target, scope);
	} else if (kind < 3) {
		scope_rename(load, target, scope);
		return;
	} else {
		scope_drop(load, target, scope);
		if (kind == 4)
			return;
		scope_make(load, target, scope);
	}
	for (int i = 0; i < PUTS_MAX; i++)
		put(load, target, scope);
}

static void step_make(struct load *load, struct load_target *target)
{
	uint32_t kind, n, first;
	int plane;

	load->state = mix(load->seed) ^ (load->step + UINT64_C(1));
	kind = draw(load, 1000);
	plane = plane_draw(load);
	n = draw(load, PUTS_MAX) + 1;
	first = draw(load, LOAD_KEYS);
	if (kind < 700)
		for (uint32_t i = 0; i < n; i++)
			put(load, target, plane);
	else if (kind < 820)
		for (uint32_t i = 0; i < n; i++)
			delete(load, target, plane, draw(load, LOAD_KEYS));
	else if (kind < 900)
		move(load, target);
	else if (kind < 950)
		for (uint32_t i = 0; i < n; i++)
			attr_set(load, target, plane);
	else if (kind < 985)
		overwrite(load, target);
	else if (kind < 995)
		for (uint32_t i = first; i < first + STRETCH_KEYS; i++)
			delete(load, target, plane, i % LOAD_KEYS);
	else
		scope_change(load, target);
	load->step++;
}

static void step_note(struct load *load, struct load_target *target)
{
	struct aedb_put put = { .key = LOAD_STEP_KEY,
				.key_bytes = strlen(LOAD_STEP_KEY),
				.value = &load->step,
				.value_bytes = sizeof(load->step) };

	note(target, aedb_txn_put(target->txn, target->scopes[0], &put));
}

int load_commit(struct load *load, struct load_target *target)
{
	target->rc = 0;
	note(target, aedb_txn_begin(target->db, &target->txn));
	if (target->rc < 0)
		return target->rc;
	step_make(load, target);
	step_note(load, target);
	if (target->rc == 0)
		note(target, aedb_txn_commit(target->txn, NULL));
	if (target->rc < 0)
		aedb_txn_abort(target->txn);
	aedb_stage_close(target->stage);
	target->stage = NULL;
	if (target->dropped)
		aedb_scope_close(target->dropped);
	target->dropped = NULL;
	return target->rc;
}

void load_go_to(struct load *load, uint32_t step)
{
	while (load->step < step)
		step_make(load, NULL);
}
