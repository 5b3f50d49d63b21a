/*
 * Processes write to one SQLite database, each on a connection that it keeps:
 *
 *	sqlite_writers FILE PROCESSES TRANSACTIONS JOURNAL SYNCHRONOUS
 *
 * A transaction adds a row and raises a counter by what it read; every fourth
 * is rolled back and made again. Ends with 0 if no row and no increment is
 * lost and integrity_check is content.
 */
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <time.h>

#include "crowd.h"

#define BUSY_TRIES_MAX 100000
#define ROW_BYTES_MAX 3000

struct job {
	const char *path, *journal, *synchronous;
	int transactions;
};

static _Noreturn void die(sqlite3 *db, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
	exit(2);
}

/* SQLite's own handler waits up to 100 ms, longer than a transaction takes. */
static int wait_a_little(void *arg, int tries)
{
	const struct timespec pause = { .tv_nsec = 500000 };

	(void)arg;
	nanosleep(&pause, NULL);
	return tries < BUSY_TRIES_MAX;
}

__attribute__((format(printf, 2, 3)))
static void run(sqlite3 *db, const char *format, ...)
{
	va_list args;
	char *sql;

	va_start(args, format);
	sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(db, sql);
	sqlite3_free(sql);
}

/* The first column of the first row. Copied; free. */
static char *ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	char *answer;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		die(db, sql);
	answer = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return answer;
}

static long ask_number(sqlite3 *db, const char *sql)
{
	char *answer = ask(db, sql);
	long number = atol(answer);

	free(answer);
	return number;
}

static sqlite3 *connect_to(const struct job *job)
{
	sqlite3 *db;

	if (sqlite3_open(job->path, &db) != SQLITE_OK)
		die(db, job->path);
	sqlite3_busy_handler(db, wait_a_little, NULL);
	run(db, "PRAGMA journal_mode = %s", job->journal);
	run(db, "PRAGMA synchronous = %s", job->synchronous);
	return db;
}

static void transact(sqlite3 *db, int process, int number, bool is_kept)
{
	long counter;

	run(db, "BEGIN IMMEDIATE");
	counter = ask_number(db, "SELECT value FROM counter");
	run(db, "INSERT INTO rows VALUES (%d, %d, zeroblob(%d))", process, number,
	    (process * 131 + number * 977) % ROW_BYTES_MAX);
	run(db, "UPDATE counter SET value = %ld", counter + 1);
	run(db, is_kept ? "COMMIT" : "ROLLBACK");
}

static int work(int process, void *arg)
{
	const struct job *job = arg;
	sqlite3 *db = connect_to(job);

	for (int i = 0; i < job->transactions; i++) {
		if (i % 4 == 3)
			transact(db, process, i, false);
		transact(db, process, i, true);
	}
	if (sqlite3_close(db) != SQLITE_OK)
		die(db, "close");
	return 0;
}

int main(int argc, char **argv)
{
	struct job job;
	struct crowd crowd;
	long rows, counter, want;
	char *integrity;
	sqlite3 *db;
	int failed;
	bool is_whole;

	if (argc != 6)
		crowd_die("sqlite_writers FILE PROCESSES TRANSACTIONS JOURNAL "
			  "SYNCHRONOUS:", "");
	job = (struct job){ argv[1], argv[4], argv[5], atoi(argv[3]) };
	db = connect_to(&job);
	run(db, "CREATE TABLE rows (process, number, filler, "
	    "PRIMARY KEY (process, number))");
	run(db, "CREATE TABLE counter (value)");
	run(db, "INSERT INTO counter VALUES (0)");
	sqlite3_close(db);
	crowd_start(&crowd, atoi(argv[2]), work, &job);
	failed = crowd_wait(&crowd);
	want = (long)crowd.n * job.transactions;
	db = connect_to(&job);
	rows = ask_number(db, "SELECT count(*) FROM rows");
	counter = ask_number(db, "SELECT value FROM counter");
	integrity = ask(db, "PRAGMA integrity_check");
	printf("%d processes, %s, %s: %ld transactions, rows %ld, counter %ld, "
	       "integrity %s, failed processes %d\n", crowd.n, job.journal,
	       job.synchronous, want, rows, counter, integrity, failed);
	is_whole = !strcmp(integrity, "ok");
	free(integrity);
	sqlite3_close(db);
	return failed || rows != want || counter != want || !is_whole;
}
