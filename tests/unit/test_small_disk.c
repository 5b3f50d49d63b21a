/*
 * Random lives on small disks: filled until nothing fits, most of it deleted, and
 * so on, closed or killed in between. Whatever there was of logs, segments and value
 * files by then: what is deleted makes room again, and every open works.
 *
 * timeout: 300 s
 */
#include "../simdisk.h"
#include "check.h"
#include "db.h"

#define MIB (UINT64_C(1) << 20)
#define DISK_MIB_MIN 8
#define DISK_MIB_MAX 12
#define LIVES 12
#define CYCLES 2
#define KEYS_MAX 3000u
#define KEY_BYTES_MAX 32
#define LARGEST_BYTES (400u << 10)
#define STEPS_MAX 10000		/* of small values all may fit */
#define REFUSED_MAX 8		/* puts in a row: the disk is full */
#define UPKEEP_MAX 3		/* after so many there is room */
#define AGAIN 10
#define SMALL_BYTES 200

struct life {
	struct simdisk *disk;
	struct aedb_options options;
	struct aedb *db;
	struct aedb_scope *scope;
	unsigned int keys;		/* there may be */
	unsigned int profile;		/* how large values are */
	uint32_t puts;
	struct {
		uint32_t put, bytes;	/* put 0: it is not there */
	} slots[KEYS_MAX];
};

static uint8_t value[LARGEST_BYTES];

static unsigned int draw(unsigned int below)
{
	return (unsigned int)(check_random() % below);
}

static size_t key_make(unsigned int i, char *ret)
{
	return (size_t)sprintf(ret, "%c/key-%05u", 'a' + (int)(i % 7), i);
}

/* It does not compress. */
static void value_make(uint32_t put, uint32_t bytes)
{
	uint64_t state = put * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (uint32_t i = 0; i < bytes; i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(value + i, &state, sizeof(state));
	}
}

static uint32_t bytes_draw(const struct life *life)
{
	unsigned int kind = draw(1000);

	switch (life->profile) {
	case 0:
		return draw(20u << 10);
	case 1:
		return kind < 500 ? draw(1000) :
		       kind < 900 ? draw(70u << 10) : draw(LARGEST_BYTES - 8);
	default:
		return kind < 880 ? draw(SMALL_BYTES) :
		       kind < 990 ? draw(20u << 10) : draw(LARGEST_BYTES - 8);
	}
}

static void life_open(struct life *life)
{
	CHECK_OK(db_open(simdisk_vfs(life->disk), "simdisk", &life->options,
			 &life->db));
	CHECK_OK(aedb_scope_open(life->db, "p", "s", &life->scope));
}

static void life_close(struct life *life)
{
	aedb_scope_close(life->scope);
	CHECK_OK(aedb_close(life->db));
}

static struct life *life_new(void)
{
	struct life *life = calloc(1, sizeof(*life));
	unsigned int mib = DISK_MIB_MIN + draw(DISK_MIB_MAX - DISK_MIB_MIN + 1);

	CHECK(life);
	life->disk = simdisk_new(check_random());
	simdisk_limit_bytes(life->disk, mib * MIB);
	life->profile = draw(3);
	life->keys = life->profile == 1 ? 200 + draw(400) :
					  KEYS_MAX / 3 + draw(KEYS_MAX / 3 * 2);
	aedb_options_init(&life->options);
	life->options.mode = AEDB_OPEN_CREATE;
	life->options.maintenance = AEDB_ON_CALL;
	life->options.durability = draw(2) ? AEDB_OS : AEDB_FULL;
	life->options.memory_bytes = draw(2) ? MIB : 32 * MIB;
	CHECK_OK(db_open(simdisk_vfs(life->disk), "simdisk", &life->options,
			 &life->db));
	CHECK_OK(aedb_create(life->db, (struct aedb_place){ "p", NULL }));
	CHECK_OK(aedb_create(life->db, (struct aedb_place){ "p", "s" }));
	CHECK_OK(aedb_scope_open(life->db, "p", "s", &life->scope));
	return life;
}

static void life_free(struct life *life)
{
	simdisk_free(life->disk);
	free(life);
}

static void slot_check(const struct life *life, unsigned int i)
{
	struct aedb_entry entry;
	char key[KEY_BYTES_MAX];

	CHECK_OK(aedb_get(life->scope, NULL, key, key_make(i, key), &entry));
	CHECK_EQ(entry.value_bytes, life->slots[i].bytes);
	value_make(life->slots[i].put, life->slots[i].bytes);
	CHECK(!entry.value_bytes ||
	      memcmp(entry.value, value, entry.value_bytes) == 0);
	aedb_unpin(&entry);
}

static void life_check(const struct life *life)
{
	const struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	unsigned int n = 0, found = 0;

	for (unsigned int i = 0; i < life->keys; i++) {
		if (!life->slots[i].put)
			continue;
		slot_check(life, i);
		n++;
	}
	CHECK_OK(aedb_scan_open(life->scope, NULL, &all, &scan));
	while (aedb_scan_next(scan, &entry) == 0)
		found++;
	aedb_scan_close(scan);
	CHECK_EQ(found, n);
}

/* Another process goes on with what this one left, closed or killed. */
static void life_reopen(struct life *life)
{
	struct simdisk *killed = NULL;

	if (draw(2)) {
		killed = simdisk_clone(life->disk);
		simdisk_crash(killed, check_random(), SIMDISK_KILL);
	}
	life_close(life);
	if (killed) {
		simdisk_free(life->disk);
		life->disk = killed;
	}
	life_open(life);
	life_check(life);
}

static void upkeep(struct life *life)
{
	aedb_seq_t seq;
	int rc = aedb_checkpoint(life->db, &seq);

	CHECK(rc == 0 || rc == AEDB_NO_SPACE);
	rc = aedb_compact(life->db);
	CHECK(rc == 0 || rc == AEDB_NO_SPACE);
}

static bool put(struct life *life, unsigned int i, uint32_t bytes)
{
	char key[KEY_BYTES_MAX];
	int rc;

	value_make(life->puts + 1, bytes);
	rc = aedb_put(life->scope, key, key_make(i, key), value, bytes);
	CHECK(rc == 0 || rc == AEDB_NO_SPACE);
	if (rc < 0)
		return false;
	life->slots[i].put = ++life->puts;
	life->slots[i].bytes = bytes;
	return true;
}

/* Where a deletion does not fit at once, upkeep makes room for it. */
static void delete(struct life *life, unsigned int i)
{
	char key[KEY_BYTES_MAX];
	size_t n = key_make(i, key);
	int rc = aedb_delete(life->scope, key, n);

	for (int k = 0; k < UPKEEP_MAX && rc == AEDB_NO_SPACE; k++) {
		upkeep(life);
		rc = aedb_delete(life->scope, key, n);
	}
	CHECK_OK(rc);
	life->slots[i].put = 0;
}

static void fill(struct life *life)
{
	int refused = 0;

	for (int step = 0; step < STEPS_MAX && refused < REFUSED_MAX; step++) {
		unsigned int i = draw(life->keys);

		if (life->slots[i].put && draw(10) == 0)
			delete(life, i);
		else if (put(life, i, bytes_draw(life)))
			refused = 0;
		else if (++refused == REFUSED_MAX / 2)
			upkeep(life);
	}
}

static void most_delete(struct life *life)
{
	unsigned int percent = 50 + draw(41);

	for (unsigned int i = 0; i < life->keys; i++)
		if (life->slots[i].put && draw(100) < percent)
			delete(life, i);
}

static void again(struct life *life)
{
	int n = 0;

	for (int round = 0; round <= UPKEEP_MAX && n < AGAIN; round++) {
		if (round)
			upkeep(life);
		for (n = 0; n < AGAIN; n++)
			if (!put(life, draw(life->keys), draw(SMALL_BYTES)))
				break;
	}
	CHECK_EQ(n, AGAIN);
}

TEST(lives, "on a small disk that was full things go on once most is deleted")
{
	for (unsigned int i = 0; i < check_times(LIVES); i++) {
		struct life *life = life_new();

		for (int cycle = 0; cycle < CYCLES; cycle++) {
			fill(life);
			life_reopen(life);
			most_delete(life);
			life_reopen(life);
			again(life);
			life_reopen(life);
		}
		life_close(life);
		life_free(life);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
