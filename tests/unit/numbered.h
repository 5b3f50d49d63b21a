/*
 * A database whose commits are numbered: commit i makes key i. So what a power cut,
 * a kill or a restart left can be told: the first n, and no other.
 *
 *	struct numbered life;
 *	numbered_open(&life, AEDB_FULL);	or _init, options, _start
 *	numbered_put(&life, 100);
 *	numbered_cut(&life, SIMDISK_DROP_ALL);
 *	CHECK_EQ(numbered_count(&life), 100);
 *	numbered_close(&life);
 */
#ifndef NUMBERED_H
#define NUMBERED_H

#include "db_fixture.h"

#define NUMBERED_VALUE_MAX (256u << 10)

struct numbered {
	struct fixture f;
	unsigned int n;		/* commits */
	size_t value_bytes;	/* of each */
	uint64_t cuts;
};

static inline void numbered_init(struct numbered *life)
{
	*life = (struct numbered){ .value_bytes = 200 };
	fixture_init(&life->f);
	life->f.options.maintenance = AEDB_ON_CALL;
	life->f.options.wal_file_bytes = 64 << 10;
}

static inline void numbered_start(struct numbered *life)
{
	fixture_start(&life->f);
}

static inline void numbered_open(struct numbered *life,
				 enum aedb_durability durability)
{
	numbered_init(life);
	life->f.options.durability = durability;
	numbered_start(life);
}

static inline void numbered_close(struct numbered *life)
{
	fixture_close(&life->f);
}

static inline size_t numbered_key(unsigned int i, char ret[16])
{
	return (size_t)snprintf(ret, 16, "key-%06u", i);
}

static inline const uint8_t *numbered_value(unsigned int i, size_t n)
{
	static uint8_t bytes[NUMBERED_VALUE_MAX];

	CHECK(n <= sizeof(bytes));
	bytes_fill(bytes, n, i + 1);
	return bytes;
}

/* The next commit. */
static inline int numbered_try(struct numbered *life)
{
	char key[16];
	size_t n = numbered_key(life->n, key);
	int rc = aedb_put(life->f.scope, key, n,
			  numbered_value(life->n, life->value_bytes),
			  life->value_bytes);

	life->n += rc == 0;
	return rc;
}

static inline void numbered_put(struct numbered *life, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		CHECK_OK(numbered_try(life));
}

static inline bool numbered_is_there(struct numbered *life, unsigned int i)
{
	struct aedb_entry entry;
	char key[16];
	int rc = aedb_get(life->f.scope, NULL, key, numbered_key(i, key), &entry);

	if (rc == AEDB_NOT_FOUND)
		return false;
	CHECK_OK(rc);
	CHECK_EQ(entry.value_bytes, life->value_bytes);
	CHECK_MEM(entry.value, numbered_value(i, life->value_bytes),
		  life->value_bytes);
	aedb_unpin(&entry);
	return true;
}

/* How many there are from the first on; there is no other key. */
static inline unsigned int numbered_count(struct numbered *life)
{
	const struct aedb_range all = { 0 };
	unsigned int n = 0, keys = 0;
	struct aedb_entry entry;
	struct aedb_scan *scan;

	while (numbered_is_there(life, n))
		n++;
	CHECK_OK(aedb_scan_open(life->f.scope, NULL, &all, &scan));
	while (aedb_scan_next(scan, &entry) == 0)
		keys++;
	aedb_scan_close(scan);
	CHECK_EQ(keys, n);
	return n;
}

static inline void numbered_drop(struct numbered *life)
{
	aedb_scope_close(life->f.scope);
	aedb_close(life->f.db);
	life->f.scope = NULL;
	life->f.db = NULL;
}

static inline int numbered_reopen(struct numbered *life)
{
	int rc = fixture_try(&life->f);

	return rc < 0 ? rc : aedb_scope_open(life->f.db, "p", "s",
					     &life->f.scope);
}

/* The power goes, or the process is killed, and it is opened again. */
static inline int numbered_try_cut(struct numbered *life,
				   enum simdisk_crash_mode mode)
{
	struct simdisk *left = simdisk_clone(life->f.disk);

	simdisk_crash(left, ++life->cuts, mode);
	numbered_drop(life);
	simdisk_free(life->f.disk);
	life->f.disk = left;
	return numbered_reopen(life);
}

static inline void numbered_cut(struct numbered *life,
				enum simdisk_crash_mode mode)
{
	CHECK_OK(numbered_try_cut(life, mode));
}

static inline void numbered_restart(struct numbered *life)
{
	fixture_reopen(&life->f);
}

static inline void numbered_checkpoint(struct numbered *life)
{
	aedb_seq_t seq;

	CHECK_OK(aedb_checkpoint(life->f.db, &seq));
}

static inline struct aedb_stats numbered_stats(const struct numbered *life)
{
	struct aedb_stats stats;

	aedb_stats(life->f.db, &stats);
	return stats;
}

#endif
