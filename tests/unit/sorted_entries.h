/*
 * Random versions in the order of segments, in an array to compare with.
 *
 *	sorted_new(&s, 1000);		about so many, of keys of all shapes
 *	at = sorted_seek(&s, key, n, limit);
 *	entry_check(&entry, &s.at[at]);
 *	sorted_free(&s);
 */
#ifndef SORTED_ENTRIES_H
#define SORTED_ENTRIES_H

#include "entry_check.h"

#define SORTED_KEY_MAX 4008
#define SORTED_VALUE_MAX 65536

enum sorted_shape {
	SORTED_NUMBERS,		/* k000000000000017 */
	SORTED_BYTES,		/* short, of few different bytes, empty too */
	SORTED_PATHS,
	SORTED_LONG,		/* to 4,008 bytes, alike for long */
	SORTED_ONE,		/* many versions of few keys */
	SORTED_SHAPES,
};

struct sorted {
	struct entry *at;	/* owned, with what they point to */
	size_t n;
};

static void *sorted_bytes(size_t n, unsigned int different)
{
	uint8_t *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(check_random() % different);
	return bytes;
}

static void sorted_key(struct entry *e, enum sorted_shape shape)
{
	char *text = malloc(SORTED_KEY_MAX + 1);
	size_t n = 0;

	switch (shape) {
	case SORTED_NUMBERS:
		n = (size_t)sprintf(text, "k%015u",
				    (unsigned int)(check_random() % 3000));
		break;
	case SORTED_BYTES:
		n = check_random() % 6;
		for (size_t i = 0; i < n; i++)
			text[i] = (char)("\0\001a\377"[check_random() % 4]);
		break;
	case SORTED_PATHS:
		n = (size_t)sprintf(text, "src/a rather long directory %u/%x.c",
				    (unsigned int)(check_random() % 20),
				    (unsigned int)(check_random() % 256));
		break;
	case SORTED_LONG:
		n = check_random() % 3 ? SORTED_KEY_MAX - check_random() % 300 :
					 check_random() % (SORTED_KEY_MAX + 1);
		memset(text, 'a', n);
		if (n)
			text[check_random() % n] = (char)check_random();
		if (n)
			text[n - 1] = (char)check_random();
		break;
	default:
		n = (size_t)sprintf(text, "only%u",
				    (unsigned int)(check_random() % 3));
	}
	e->key = text;
	e->key_bytes = (uint32_t)n;
}

static size_t sorted_value_bytes(void)
{
	switch (check_random() % 40) {
	case 0:
		return check_random() % (SORTED_VALUE_MAX + 1);
	case 1:
		return 0;
	default:
		return check_random() % 60;
	}
}

/* Unusual ones are more likely in some runs than in others. */
static struct entry sorted_entry(enum sorted_shape shape, unsigned int unusual)
{
	struct entry e = { .seq = 1 + check_random() % 100000,
			   .mtime_ns = AEDB_MTIME_NONE };

	sorted_key(&e, shape);
	e.id = check_random() % 100 < unusual ? check_random() & SEQ_MAX : e.seq;
	e.time_us = 1700000000000000u + e.seq * 7 + check_random() % 5;
	if (check_random() % 100 < unusual)
		e.time_us = check_random() & SEQ_MAX;
	if (check_random() % 100 < unusual)
		e.mtime_ns = (int64_t)check_random();
	if (check_random() % 100 < unusual) {
		e.attr_bytes = check_random() % 30 ? 1 + check_random() % 20 :
						     1 + check_random() % 65535;
		e.attr = sorted_bytes(e.attr_bytes, 5);
	}
	e.is_tombstone = check_random() % 100 < unusual;
	if (e.is_tombstone)
		return e;
	e.is_ref = check_random() % 100 < unusual;
	e.value_bytes = e.is_ref ? (check_random() % 2 ? 16 : 40) :
				   (uint32_t)sorted_value_bytes();
	e.value = sorted_bytes(e.value_bytes, 16);
	return e;
}

static void sorted_entry_free(struct entry *e)
{
	free((void *)e->key);
	free((void *)e->value);
	free((void *)e->attr);
}

static int sorted_compare_key(const struct entry *e, const void *key, size_t n)
{
	size_t both = e->key_bytes < n ? e->key_bytes : n;
	int order = both ? memcmp(e->key, key, both) : 0;

	return order ? order : (e->key_bytes > n) - (e->key_bytes < n);
}

static int sorted_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = sorted_compare_key(x, y->key, y->key_bytes);

	return order ? order : (x->seq < y->seq) - (x->seq > y->seq);
}

/* About n: those that are there twice go. */
static inline void sorted_new_of(struct sorted *s, size_t n,
				 enum sorted_shape shape)
{
	unsigned int unusual = (unsigned int)(check_random() % 4) * 20;
	size_t kept = 0;

	s->at = malloc((n + 1) * sizeof(*s->at));
	for (size_t i = 0; i < n; i++)
		s->at[i] = sorted_entry(shape, unusual);
	qsort(s->at, n, sizeof(*s->at), sorted_compare);
	for (size_t i = 0; i < n; i++) {
		if (kept && sorted_compare(&s->at[kept - 1], &s->at[i]) == 0)
			sorted_entry_free(&s->at[i]);
		else
			s->at[kept++] = s->at[i];
	}
	s->n = kept;
}

static inline void sorted_new(struct sorted *s, size_t n)
{
	sorted_new_of(s, n, check_random() % SORTED_SHAPES);
}

static inline void sorted_free(struct sorted *s)
{
	for (size_t i = 0; i < s->n; i++)
		sorted_entry_free(&s->at[i]);
	free(s->at);
}

/* The first version that is of a later key than the given one, or of this key
 * and not above limit. */
static inline size_t sorted_seek(const struct sorted *s, const void *key,
				 size_t n, seq_t limit)
{
	size_t i = 0;

	while (i < s->n) {
		int order = sorted_compare_key(&s->at[i], key, n);

		if (order > 0 || (order == 0 && s->at[i].seq <= limit))
			break;
		i++;
	}
	return i;
}

/* A key to seek: of an entry, or near one. Caller frees. */
static inline void *sorted_some_key(const struct sorted *s, size_t *ret_n)
{
	uint8_t *key = malloc(SORTED_KEY_MAX + 1);
	const struct entry *e = &s->at[check_random() % s->n];
	size_t n = e->key_bytes;

	memcpy(key, e->key, n);
	switch (check_random() % 6) {
	case 0:
		n = check_random() % (n + 1);
		break;
	case 1:
		if (n < SORTED_KEY_MAX)
			key[n++] = (uint8_t)check_random();
		break;
	case 2:
		if (n)
			key[check_random() % n] += (uint8_t)(1 + check_random() % 255);
		break;
	default:
		break;
	}
	*ret_n = n;
	return key;
}

static inline seq_t sorted_some_limit(const struct sorted *s)
{
	switch (check_random() % 4) {
	case 0:
		return SEQ_MAX;
	case 1:
		return s->at[check_random() % s->n].seq;
	case 2:
		return s->at[check_random() % s->n].seq - 1;
	default:
		return check_random() % 100001;
	}
}

#endif
