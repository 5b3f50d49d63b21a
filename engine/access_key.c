/*
 * Keys of the records of grants.
 */
#include "access_key.h"

#include <string.h>

#include "catalog.h"
#include "err.h"

static void put_byte(struct access_key *key, size_t byte)
{
	key->bytes[key->n++] = (uint8_t)byte;
}

static void put_bytes(struct access_key *key, struct op_bytes bytes)
{
	if (bytes.n)
		memcpy(key->bytes + key->n, bytes.at, bytes.n);
	key->n += bytes.n;
}

static void put_caller(struct access_key *key, struct op_bytes caller)
{
	put_byte(key, caller.n);
	put_bytes(key, caller);
}

static void put_number(struct access_key *key, uint64_t number)
{
	catalog_number_key(number, key->bytes + key->n);
	key->n += 8;
}

void access_key_of_caller(struct op_bytes caller, uint64_t object,
			  struct access_key *ret)
{
	ret->n = 0;
	put_byte(ret, 'G');
	put_caller(ret, caller);
	if (object)
		put_number(ret, object);
}

void access_key_of_object(uint64_t object, struct access_key *ret)
{
	ret->n = 0;
	put_byte(ret, 'H');
	put_number(ret, object);
}

void access_key_by_caller(const struct access_record *record,
			  struct access_key *ret)
{
	access_key_of_caller(record->caller, record->object, ret);
	put_byte(ret, record->right);
	put_bytes(ret, record->rest);
}

static void key_by_object(const struct access_record *record,
			  struct access_key *ret)
{
	access_key_of_object(record->object, ret);
	put_byte(ret, record->right);
	put_caller(ret, record->caller);
	put_bytes(ret, record->rest);
}

static void ops_make(const struct access_record *record, enum op_kind kind,
		     struct access_key keys[2], struct op ret[2])
{
	access_key_by_caller(record, &keys[0]);
	key_by_object(record, &keys[1]);
	for (int i = 0; i < 2; i++)
		ret[i] = (struct op){
			.kind = (uint8_t)kind,
			.key = { CATALOG_NAMES, keys[i].bytes, keys[i].n },
		};
}

void access_key_puts(const struct access_record *record, struct op_bytes by,
		     struct access_key keys[2], struct op ret[2])
{
	ops_make(record, OP_PUT, keys, ret);
	ret[0].flags = OP_HAS_ATTR;
	ret[0].attr = by;
}

void access_key_deletes(const struct access_record *record,
			struct access_key keys[2], struct op ret[2])
{
	ops_make(record, OP_DELETE, keys, ret);
}

/* What is left of a key that is being taken apart. */
static struct op_bytes take(struct op_bytes *left, size_t n)
{
	struct op_bytes taken = { left->at, n < left->n ? n : left->n };

	left->at = (const uint8_t *)left->at + taken.n;
	left->n -= taken.n;
	return taken;
}

static size_t take_byte(struct op_bytes *left)
{
	struct op_bytes byte = take(left, 1);

	return byte.n ? *(const uint8_t *)byte.at : 0;
}

int access_key_decode(struct op_bytes key, struct access_record *ret)
{
	struct op_bytes left = key, object;
	size_t kind = take_byte(&left);

	if (kind == 'G')
		ret->caller = take(&left, take_byte(&left));
	object = take(&left, 8);
	ret->right = (uint8_t)take_byte(&left);
	if (kind == 'H')
		ret->caller = take(&left, take_byte(&left));
	ret->rest = left;
	if (object.n < 8 || !ret->caller.n || ret->right >= AEDB_RIGHTS)
		return err_set(AEDB_CORRUPT, "the record of a grant has a key of "
			       "another form");
	ret->object = catalog_key_number(object.at);
	return 0;
}
