/*
 * What one caller may in one place, gathered from the records of grants.
 *
 * Calling sequence: rights_make; rights_hold…; rights_free.
 * Threads: what was made is constant.
 * Errors: AEDB_NO_MEMORY, and those of reading segments.
 */
#ifndef ACCESS_RIGHTS_H
#define ACCESS_RIGHTS_H

#include "access_key.h"
#include "space.h"

/* Prefixes of keys: ascending, none begins with another. */
struct access_prefixes {
	struct op_bytes *at;	/* owned; the bytes, too, in one allocation */
	size_t n;
};

struct rights {
	unsigned int all;	/* bits of rights on everything there */
	/* AEDB_KV_READ's, AEDB_KV_WRITE's, and of the three rights on tables the
	 * numbers of tables */
	struct access_prefixes some[AEDB_RIGHTS];
	seq_t as_of, stamp;	/* access.c's */
	uint64_t left_at;	/* access.c's */
	struct rights *next;	/* access.c's */
};

#define RIGHT_BIT(right) (1u << (right))

/* AEDB_ACCESS: "permission denied", and nothing else. A call is refused, which counts
 * among the denials; or somebody asked. */
int access_denied(struct aedb *db);
int access_not_held(void);

/* Where: 0 for a project: the database; for a scope: the project itself. */
struct access_where {
	uint64_t project, scope;
};

/* As of a number at which a snapshot is held, or as executed, for the writer.
 * Inside the epoch. Owned; rights_free. */
int rights_make(struct space *names, seq_t limit, struct op_bytes caller,
		const struct access_where *where, struct rights **ret);
/* Takes NULL. */
void rights_free(struct rights *rights);

/* For a key, or (of the rights on tables) a table. */
static inline bool rights_hold_all(const struct rights *rights,
				   enum aedb_right right)
{
	return rights->all & RIGHT_BIT(right);
}

bool rights_hold(const struct rights *rights, enum aedb_right right,
		 const void *key, size_t n);
/* For some key that begins so. */
bool rights_hold_beneath(const struct rights *rights, enum aedb_right right,
			 const void *prefix, size_t n);
/* For all that lies in a directory, by the key of its record: its path. */
bool rights_hold_directory(const struct rights *rights, enum aedb_right right,
			   const void *record, size_t n);
/* For something that lies in it. */
bool rights_hold_in_directory(const struct rights *rights,
			      enum aedb_right right, const void *record,
			      size_t n);
/* For every key of [from, to); to NULL: no bound. */
bool rights_hold_range(const struct rights *rights, enum aedb_right right,
		       struct op_bytes from, const struct op_bytes *to);
/* For anything at all, this right, or any. */
bool rights_hold_some(const struct rights *rights, enum aedb_right right);
bool rights_are_some(const struct rights *rights);

/* Whether the key begins with one of them. */
bool access_prefixes_hold(const struct access_prefixes *prefixes,
			  const void *key, size_t n);
/* The first of the prefixes that does not lie, with all that begins with it,
 * below the key; n: there is none. */
size_t access_prefixes_find(const struct access_prefixes *prefixes,
			    const void *key, size_t n);

#endif
