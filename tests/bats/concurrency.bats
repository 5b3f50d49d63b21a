#!/usr/bin/env bats
# Many processes at once on one mount; the programs are in tests/stress.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress

setup() { scope_setup; }
teardown() { scope_teardown; }

@test "20,000 reads beside writers: none torn, none stale, no wrong size by path or handle" {
	"$STRESS/torn" . 20000
}

# Two and four processes, each journal mode.
sqlite() {
	local journal processes
	for journal in DELETE TRUNCATE PERSIST; do
		for processes in 2 4; do
			"$STRESS/sqlite_writers" $journal-$processes.db $processes 100 $journal "$1"
			[ "$(sqlite3 $journal-$processes.db 'PRAGMA integrity_check; SELECT count(*) FROM rows')" = $'ok\n'$((processes * 100)) ]
		done
	done
}

@test "SQLite loses no transaction of two and four processes, synchronous full" {
	sqlite FULL
}

@test "SQLite loses no transaction of two and four processes, synchronous normal" {
	sqlite NORMAL
}

@test "SQLite loses no transaction of two and four processes, synchronous off" {
	sqlite OFF
}

@test "no increment of a counter under flock is lost" {
	"$STRESS/counter" kept flock kept 4 1000
	"$STRESS/counter" reopened flock reopened 4 1000
	[ "$(cat kept reopened)" = $'000000004000\n000000004000' ]
}

@test "no increment of a counter under an fcntl lock is lost" {
	"$STRESS/counter" kept fcntl kept 4 1000
	"$STRESS/counter" reopened fcntl reopened 4 1000
	[ "$(cat kept reopened)" = $'000000004000\n000000004000' ]
}

@test "no increment of a shell's counter under flock(1) is lost" {
	echo 0 >counter
	: >lock
	raise() {
		for _ in $(seq 50); do
			(
				flock 9
				read -r n <counter
				echo $((n + 1)) >counter
			) 9<lock
		done
	}
	raise 3>&- & raise 3>&- & raise 3>&- & raise 3>&- &
	wait
	[ "$(cat counter)" = 200 ]
}

@test "sixteen processes append lines: none lost, none broken, and a reader follows" {
	"$STRESS/append" log 16 250
	[ "$(wc -l <log)" = 4000 ]
}

@test "sixteen shells append lines: none lost, none broken" {
	for i in $(seq 16); do
		for j in $(seq 20); do
			echo "shell $i line $j of twenty" >>log
		done 3>&- &
	done
	wait
	[ "$(sort -u log | grep -cxE 'shell [0-9]+ line [0-9]+ of twenty')" = 320 ]
	[ "$(wc -l <log)" = 320 ]
}

@test "killed writers commit nothing of a whole value and leave no new key" {
	"$STRESS/killed" . 300
}

shadow_has_steps() {
	[ "$(cat "$DIR"/shadow.* 2>/dev/null | grep -c '^done')" -ge "$1" ]
}

# shadow_round OPTION...: kills the daemon under busy writers; all that their
# log calls done is there, whole.
shadow_round() {
	cd /
	mount_cleanup
	rm -rf "$DIR/db" "$DIR"/shadow.*
	mount_prepare
	mount_start "$@"
	mkdir -p "$MNT/p/s"
	"$STRESS/shadow" write "$MNT/p/s" "$DIR/shadow" 4 3>&- &
	writers=$!
	wait_for 30 shadow_has_steps 2000
	mount_kill
	wait $writers
	mount_start
	"$STRESS/shadow" check "$MNT/p/s" "$DIR/shadow" 4
}

@test "the daemon is killed under writers, batch mode: what was closed is there, whole" {
	for _ in 1 2 3; do
		shadow_round -o durability=batch
	done
}

@test "the daemon is killed under writers, os and full mode: what was closed is there, whole" {
	shadow_round -o durability=os
	shadow_round -o durability=full
}

@test "readers and writers of one directory agree while it is filled and emptied" {
	mkdir d
	fill() {
		for _ in $(seq 30); do
			for i in $(seq 20); do echo "$1" >"d/$1-$i"; done
			[ "$(find d -name "$1-*" | wc -l)" = 20 ] || return 1
			rm d/"$1"-*
			[ "$(find d -name "$1-*" | wc -l)" = 0 ] || return 1
		done
	}
	fill a 3>&- & a=$!
	fill b 3>&- & b=$!
	fill c 3>&- & c=$!
	wait $a
	wait $b
	wait $c
	[ -z "$(ls -A d)" ]
}

@test "what one process changes, others' next stat shows, whoever had asked before" {
	act <<'END'
import random
seed = random.randrange(1 << 32)
print("# seed", seed)
random.seed(seed)
people = [actor() for _ in range(3)]
def stats(name):
    text = f"(lambda s: (s.st_size, s.st_mtime_ns, s.st_ctime_ns))(os.stat('{name}'))"
    return [p(text) for p in random.sample(people, len(people))]
people[0]("os.mkdir('d')")
put = lambda p, n: p(f"put('d/k', b'x' * {n})")
put(people[0], 1)
for i in range(2, 250):
    if random.randrange(3):
        random.choice(people)("os.stat('d'), os.stat('d/k')")
    old = stats("d") + stats("d/k")
    p = random.choice(people)
    act = random.randrange(8)
    if act == 0:
        put(p, i)
    elif act == 1:
        p(f"put('d/new{i}', b'')")
    elif act == 2:
        p(f"os.mkdir('d/dir{i}')")
        p(f"os.rmdir('d/dir{i}')")
    elif act == 3:
        p(f"put('d/k', b'y' * {i}, os.O_WRONLY)")
    elif act == 4:
        p(f"(put('d/tmp', b'z' * {i}), os.rename('d/tmp', 'd/k'))")
    elif act == 5:
        q = random.choice(people)
        p(f"f = os.open('d/k', os.O_RDWR | os.O_TRUNC)")
        q("os.stat('d/k')")
        p(f"os.write(f, b'w' * {i})")
        q("os.stat('d/k')")
        p("os.close(f)")
    elif act == 6:
        p("os.truncate('d/k', 7)")
    else:
        q = random.choice(people)
        p(f"f = os.open('d/late{i}', os.O_WRONLY | os.O_CREAT)")
        q("os.stat('d')")
        p("os.write(f, b'v')")
        p("os.close(f)")
    new = stats("d") + stats("d/k")
    for name, before, after in (("d", old[:3], new[:3]), ("d/k", old[3:], new[3:])):
        assert len(set(after)) == 1, (seed, i, act, name, after)
        changed = act in ((1, 2, 4, 7) if name == "d" else (0, 3, 4, 5, 6))
        assert (after[0][2] > before[0][2]) == changed, (seed, i, act, name, before, after)
    size = {0: i, 4: i, 5: i, 6: 7}.get(act)
    assert size is None or new[3][0] == size, (seed, i, act, new)
END
}
