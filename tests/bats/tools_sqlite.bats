#!/usr/bin/env bats
# SQLite on a mount: each journal mode under kills of the writer and of the
# daemon, transactions over several files, backup, VACUUM, WAL. Several writers
# at once are in concurrency.bats.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

setup_file() { scope_setup_file; }

teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() { cd "$SCOPE" || return 1; }
teardown() { cd /; }

# writer FILE JOURNAL SYNCHRONOUS: transactions without an end, each of many
# pages; prints the number of each that is committed. Goes on where it was.
writer() {
	exec python3 - "$@" <<'PYTHON'
import sqlite3, sys
path, journal, synchronous = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None, timeout=60)
db.execute(f"PRAGMA journal_mode={journal}").fetchall()
db.execute(f"PRAGMA synchronous={synchronous}")
db.execute("PRAGMA cache_size=10")
db.execute("CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY, n, filler)")
n = db.execute("SELECT coalesce(max(n), 0) FROM t").fetchone()[0]
while True:
    n += 1
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT OR REPLACE INTO t VALUES (?, ?, zeroblob(1500))",
                   [(i, n) for i in range(60)])
    db.execute("COMMIT")
    print(n, flush=True)
PYTHON
}

has_lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}

# is_whole FILE LOG: sound, of one transaction, the last one logged or the next.
is_whole() {
	local last n
	last=$(grep -x '[0-9]*' "$2" | tail -n 1)
	[ "$(sqlite3 "$1" 'PRAGMA integrity_check')" = ok ]
	n=$(sqlite3 "$1" 'SELECT DISTINCT n FROM t')
	echo "$1: has $n, logged $last"
	[ "$n" = "$last" ] || [ "$n" = $((last + 1)) ]
}

# kill_writer FILE JOURNAL SYNCHRONOUS [COMMAND]: the command, or kill -9 of the
# writer, once it has committed some.
kill_writer() {
	: >"$DIR/log"
	writer "$1" "$2" "$3" >"$DIR/log" 2>"$DIR/errors" 3>&- & writing=$!
	wait_for 60 has_lines 8 "$DIR/log"
	if [ -n "${4-}" ]; then "$4"; else kill -KILL $writing; fi
	wait $writing || true
}

@test "a writer killed in its transaction loses that one at most" {
	for journal in DELETE TRUNCATE PERSIST; do
		for synchronous in OFF NORMAL FULL EXTRA; do
			kill_writer $journal.db $journal $synchronous
			is_whole $journal.db "$DIR/log"
		done
	done
}

restart() {
	cd /
	mount_kill
}

@test "the daemon killed under a writer: what was committed is there, whole" {
	for journal in DELETE TRUNCATE PERSIST; do
		for synchronous in FULL EXTRA; do
			kill_writer $journal.db $journal $synchronous restart
			mount_start
			cd "$SCOPE"
			is_whole $journal.db "$DIR/log"
		done
	done
}

@test "a hot journal is rolled back after the daemon was killed" {
	sqlite3 hot.db 'CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(200000))'
	python3 - "$DIR/ready" 3>&- <<'PYTHON' &
import os, sqlite3, sys, signal
db = sqlite3.connect("hot.db", isolation_level=None)
db.execute("PRAGMA cache_size=2")
db.execute("BEGIN")
db.execute("UPDATE t SET x = randomblob(200000)")
db.execute("INSERT INTO t VALUES (zeroblob(500000))")
open(sys.argv[1], "w").close()
signal.pause()
PYTHON
	writing=$!
	wait_for 60 test -e "$DIR/ready"
	restart
	kill -KILL $writing
	wait $writing || true
	mount_start
	cd "$SCOPE"
	[ -s hot.db-journal ]
	[ "$(sqlite3 hot.db 'PRAGMA integrity_check; SELECT sum(length(x)) FROM t')" = $'ok\n200000' ]
	[ ! -e hot.db-journal ]
	[ "$(sqlite3 hot.db "SELECT x = zeroblob(200000) FROM t")" = 1 ]
}

@test "journals in memory or off work as long as nobody is killed" {
	for journal in MEMORY OFF; do
		quietly sqlite3 $journal.db "PRAGMA journal_mode=$journal; CREATE TABLE t (x);
			INSERT INTO t SELECT value FROM generate_series(1, 10000);
			UPDATE t SET x = x + 1; DELETE FROM t WHERE x % 2"
		[ "$(sqlite3 $journal.db 'PRAGMA integrity_check; SELECT count(*) FROM t')" = $'ok\n5000' ]
	done
}

@test "one transaction changes two databases or none" {
	sqlite3 one.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	sqlite3 two.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	for i in $(seq 20); do
		quietly sqlite3 one.db "ATTACH 'two.db' AS two; BEGIN; UPDATE main.t SET x = x + 1;
			UPDATE two.t SET x = x + 1; $([ $((i % 2)) = 0 ] && echo COMMIT || echo ROLLBACK)"
	done
	[ "$(sqlite3 one.db 'SELECT x FROM t')" = 11 ]
	[ "$(sqlite3 two.db 'SELECT x FROM t')" = 11 ]
	[ -z "$(ls -d one.db-* two.db-* 2>/dev/null)" ]
}

@test "backup, VACUUM and temporary files beside the database" {
	quietly sqlite3 big.db 'CREATE TABLE t (x, y); CREATE INDEX i ON t (y);
		INSERT INTO t SELECT randomblob(900), value FROM generate_series(1, 20000)'
	bytes=$(stat -c %s big.db)
	quietly sqlite3 big.db ".backup copy.db"
	quietly sqlite3 big.db "VACUUM INTO 'into.db'"
	SQLITE_TMPDIR=$PWD quietly sqlite3 big.db 'PRAGMA temp_store=1; PRAGMA cache_size=50;
		CREATE TABLE sorted AS SELECT x FROM t ORDER BY x; DROP TABLE sorted;
		DELETE FROM t WHERE y % 2; VACUUM'
	[ "$(stat -c %s big.db)" -lt $((bytes * 6 / 10)) ]
	for copy in copy into; do
		[ "$(sqlite3 $copy.db 'PRAGMA integrity_check; SELECT count(*), sum(y) FROM t')" = \
			$'ok\n20000|200010000' ]
	done
	[ "$(sqlite3 big.db 'PRAGMA integrity_check; SELECT count(*) FROM t')" = $'ok\n10000' ]
	[ -z "$(ls -d etilqs* 2>/dev/null)" ]
}

# A page costs its chunk of 32 KiB, a map and a root, twice: database and journal.
@test "an update of one page of a large database writes little" {
	bytes_of() { du -sB1 --apparent-size "$DB/val" | cut -f 1; }
	rm into.db copy.db
	sqlite3 large.db 'CREATE TABLE t (i INTEGER PRIMARY KEY, x);
		INSERT INTO t SELECT value, randomblob(3900) FROM generate_series(1, 8000)'
	before=$(bytes_of)
	sqlite3 large.db "$(for i in $(seq 200); do
		echo "UPDATE t SET x = randomblob(3900) WHERE i = $((i * 37));"
	done)"
	[ "$(sqlite3 large.db 'PRAGMA integrity_check')" = ok ]
	[ $(($(bytes_of) - before)) -lt $((200 * 4 * 65536)) ]
}

@test "WAL is an I/O error, works for one exclusive connection, and can be left by it" {
	run ! sqlite3 wal.db 'PRAGMA journal_mode=WAL; CREATE TABLE t (x)'
	[[ $output == *"disk I/O error"* ]]
	quietly sqlite3 wal.db 'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;
		CREATE TABLE t (x); INSERT INTO t SELECT value FROM generate_series(1, 1000)' >"$DIR/modes"
	grep -qx wal "$DIR/modes"
	quietly sqlite3 wal.db 'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE' >"$DIR/modes"
	[ "$(quietly sqlite3 wal.db 'SELECT count(*) FROM t')" = 1000 ]
}

@test "python's dbm keeps its keys" {
	quietly python3 - <<'PYTHON'
import dbm.dumb, shelve
with dbm.dumb.open("dumb") as db:
    for i in range(500):
        db[str(i)] = str(i * i)
with dbm.dumb.open("dumb", "r") as db:
    assert all(db[str(i)] == str(i * i).encode() for i in range(500))
PYTHON
}

@test "after kill -9 and a new mount every database is sound" {
	sums() { for db in *.db; do echo "$db $(sqlite3 "$db" .sha3sum 2>/dev/null || cksum <"$db")"; done; }
	sums >"$DIR/before"
	restart
	mount_start
	cd "$SCOPE"
	sums | diff "$DIR/before" -
	for db in big DELETE TRUNCATE PERSIST one two hot MEMORY OFF; do
		[ "$(sqlite3 $db.db 'PRAGMA integrity_check')" = ok ]
	done
}
