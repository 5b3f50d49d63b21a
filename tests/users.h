/*
 * A table with a unique index and a plain one, and the check that rows and entries of
 * indexes agree.
 *
 *	users_create(scope, "users");
 *	aedb_table_open(scope, "users", &table);
 *	users_write(NULL, table, USERS_UPSERT, &(struct user){ 7, "a@b", 40 });
 *	users_agree(table, NULL);
 */
#ifndef USERS_H
#define USERS_H

#include "aedb_table.h"

#define USERS_NO_AGE INT64_MIN

/* Columns: id U64, the key; mail TEXT, unique; age I64, indexed; note TEXT. */
enum users_column {
	USERS_ID,
	USERS_MAIL,
	USERS_AGE,
	USERS_NOTE,
	USERS_COLUMNS,
};

struct user {
	uint64_t id;
	const char *mail;	/* NULL: none */
	int64_t age;		/* USERS_NO_AGE: none */
	const char *note;	/* NULL: none */
};

/* With which of the two indexes. */
enum users_indexes {
	USERS_PLAIN,
	USERS_WITH_INDEXES,
};

/* The table's schema, static. */
const struct aedb_schema *users_schema(enum users_indexes indexes);
int users_create(struct aedb_scope *scope, const char *name);

enum users_how {
	USERS_INSERT,
	USERS_UPSERT,
	USERS_UPDATE,	/* all but the key */
	USERS_DELETE,
};

int users_write(struct aedb_txn *txn, struct aedb_table *table,
		enum users_how how, const struct user *user);

/* 0 if every row has its entries in each index, and each entry its row; else -1, and
 * says what is wrong on stderr. *ret_rows (may be NULL): how many rows there are. */
int users_agree(struct aedb_table *table, const struct aedb_snapshot *snapshot,
		size_t *ret_rows);

#endif
