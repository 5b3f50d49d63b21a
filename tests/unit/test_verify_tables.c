/*
 * Verifying tables: entries of indexes that rows do not want, and that they lack.
 */
#include "../users.h"
#include "commit.h"
#include "db_fixture.h"
#include "table.h"
#include "txn.h"
#include "verify.h"

/* What verifying says; "" for nothing, borrowed until the next call. */
static const char *found(struct simdisk *disk, struct aedb_options options)
{
	static char text[4096];
	struct verify_findings findings = { .out = fmemopen(text, sizeof(text),
							    "w") };

	CHECK_OK(verify_database(simdisk_vfs(disk), simdisk_vfs(disk), "simdisk",
				 &options, &findings));
	fputc(0, findings.out);
	fclose(findings.out);
	if (!findings.report.findings)
		text[0] = 0;
	return text;
}

/* The first entry of the indexes. */
static void first_entry(struct aedb_table *table, struct aedb_put *ret,
			uint8_t *key)
{
	struct aedb_range range = { .from = "\0", .from_bytes = 1 };
	struct aedb_entry entry;
	struct aedb_scan *scan;

	CHECK_OK(aedb_scan_open(table_entries(table), NULL, &range, &scan));
	CHECK_OK(aedb_scan_next(scan, &entry));
	memcpy(key, entry.key, entry.key_bytes);
	*ret = (struct aedb_put){ .key = key, .key_bytes = entry.key_bytes };
	aedb_scan_close(scan);
}

enum damage {
	NO_DAMAGE,
	ENTRY_MISSING,
	ENTRY_STRAY,
	ENTRY_OF_ANOTHER,
	ENTRY_OF_NO_INDEX,
};

static void damage_do(struct aedb_table *table, enum damage damage)
{
	uint8_t key[MEM_KEY_BYTES_MAX];
	struct aedb_put put;
	struct aedb_txn txn;
	seq_t seq;

	if (damage == NO_DAMAGE)
		return;
	first_entry(table, &put, key);
	put.value = "other";
	put.value_bytes = 5;
	if (damage == ENTRY_STRAY)
		key[put.key_bytes++] = 7;
	if (damage == ENTRY_OF_NO_INDEX)
		key[0] = 0x77;
	txn_init(&txn, table->db);
	CHECK_OK(damage == ENTRY_MISSING ?
			 txn_delete_of_table(&txn, table_entries(table), key,
					     put.key_bytes) :
			 txn_put_of_table(&txn, table_entries(table), &put));
	CHECK_OK(commit_run(&txn, &seq));
	txn_release(&txn);
}

static const char *damaged(enum damage damage)
{
	struct aedb_table *table;
	const char *text;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(users_create(f.scope, "users"));
	CHECK_OK(aedb_table_open(f.scope, "users", &table));
	for (uint64_t id = 0; id < 10; id++) {
		char mail[8];

		snprintf(mail, sizeof(mail), "m%d", (int)id);
		CHECK_OK(users_write(NULL, table, USERS_INSERT, &(struct user){
			id, mail, 5, NULL }));
	}
	damage_do(table, damage);
	aedb_table_close(table);
	fixture_stop(&f);
	text = found(f.disk, f.options);
	simdisk_free(f.disk);
	return text;
}

TEST(agree, "a table whose rows and indexes agree has no findings")
{
	CHECK_STR(damaged(NO_DAMAGE), "");
}

TEST(disagree, "an entry that is missing, of no row or of another one is found, by table and index")
{
	static const enum damage damages[] = { ENTRY_MISSING, ENTRY_STRAY,
					       ENTRY_OF_ANOTHER };

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const char *text = damaged(damages[i]);

		CHECK_THAT(strstr(text, "p/s.tables/users"), "%s", text);
		CHECK_THAT(strstr(text, "by_mail"), "%s", text);
	}
	CHECK(strstr(damaged(ENTRY_OF_NO_INDEX), "of no index"));
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
