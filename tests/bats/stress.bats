#!/usr/bin/env bats
# Long random work, and clients that are stuck, interrupted or killed; the
# programs are in tests/stress.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress

setup() {
	mount_prepare
	mount_start
	mkdir -p "$MNT/p/s" "$DIR/plain"
	cd "$DIR" || return 1
}

teardown() {
	cd /
	mount_cleanup
}

@test "random calls on names and files give what they give in a plain directory" {
	for seed in 1 2 3; do
		"$STRESS/twin" run "$MNT/p/s" plain $seed 4000
		rm -rf "$MNT/p/s"/* plain/*
	done
}

@test "after a kill of the daemon the tree is the plain directory's, without what was not committed" {
	for seed in 4 5; do
		coproc { "$STRESS/twin" hold "$MNT/p/s" plain $seed 3000 3>&-; }
		read -r line <&"${COPROC[0]}"
		[ "$line" = held ]
		mount_kill
		mount_start
		"$STRESS/twin" check "$MNT/p/s" plain
		kill "$COPROC_PID"
		wait "$COPROC_PID" || true
		rm -rf "$MNT/p/s"/* plain/*
	done
}

@test "twelve processes make random calls in one tree: all come back, and the tree is whole" {
	"$STRESS/twin" crowd "$MNT/p/s" 6 3000 12
	find "$MNT/p/s" -printf '%p %y %s %T@\n' | sort >before
	find "$MNT/p/s" -type f -exec cat {} + >content
	mount_stop
	mount_start
	find "$MNT/p/s" -printf '%p %y %s %T@\n' | sort | cmp - before
	find "$MNT/p/s" -type f -exec cat {} + | cmp - content
	rm -r "$MNT/p/s"/*
	[ -z "$(ls -A "$MNT/p/s")" ]
	rmdir "$MNT/p/s" "$MNT/p"
}

@test "rounds of mixed work leave the daemon with no more memory, threads and descriptors" {
	mount_stop
	# What was freed and is kept to be recognised is no growth.
	ASAN_OPTIONS=${ASAN_OPTIONS-}:quarantine_size_mb=1 mount_start
	"$STRESS/steady" "$MNT/p/s" "$(mount_pid)" 45
}

@test "a client stopped amid a value, a new key, a lock, a large read delays nobody" {
	cd "$MNT/p/s"
	head -c 20M /dev/urandom >large
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC); os.write(f, b'half of')")
a("n = os.open('new', os.O_WRONLY | os.O_CREAT | os.O_EXCL); os.write(n, b'new')")
a("i = os.open('in-place', os.O_RDWR | os.O_CREAT); fcntl.flock(i, fcntl.LOCK_EX); os.write(i, b'!')")
a("r = os.open('large', os.O_RDONLY); os.read(r, 1 << 20); d = os.scandir('.'); next(d)")
os.kill(a.pid, signal.SIGSTOP)
same(b("get('k')"), b"old")
same(b("os.open('new', os.O_WRONLY | os.O_CREAT | os.O_EXCL)"), "EEXIST")
same(b("sorted(os.listdir('.'))"), ["in-place", "k", "large", "new"])
same(b("len(get('large'))"), 20 << 20)
b("put('large', b'small'); os.rename('large', 'small'); os.unlink('small')")
b("i = os.open('in-place', os.O_RDWR); os.pwrite(i, b'?', 1); os.fsync(i)")
same(b("fcntl.flock(i, fcntl.LOCK_EX | fcntl.LOCK_NB)"), "EAGAIN")
b("os.mkdir('d'); put('d/x', b'x'); os.rename('d', 'e'); os.unlink('e/x'); os.rmdir('e')")
b("put('k', b'other'); os.unlink('new')")
os.kill(a.pid, signal.SIGCONT)
a("os.write(f, b' it'); os.close(f); os.close(n)")
same(b("(get('k'), get('in-place'))"), (b"half of it", b"!?"))
same(len(a("os.read(r, 1 << 20)")), 1 << 20)
same(b("sorted(os.listdir('.'))"), ["in-place", "k"])
END
}

# Makes $DIR/held.so, whose syncs wait as long as the file $HOLD is there.
held_syncs_make() {
	case $AEDB_BUILD in */tsan) skip "this sanitizer wants to be loaded first" ;; esac
	gcc -shared -fPIC -D_GNU_SOURCE -o "$DIR/held.so" -x c - <<'END'
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int fdatasync(int fd)
{
	while (access(getenv("HOLD"), F_OK) == 0)
		usleep(1000);
	return syscall(SYS_fdatasync, fd);
}
int fsync(int fd)
{
	return fdatasync(fd);
}
END
}

# The daemon's syncs wait as long as the file $DIR/hold is there.
mount_with_held_syncs() {
	mount_stop
	held_syncs_make
	HOLD=$DIR/hold LD_PRELOAD=$DIR/held.so mount_start "$@"
}

@test "150 clients stuck in fsync, some of them killed there, delay nobody" {
	mount_with_held_syncs
	cd "$MNT/p/s"
	head -c 3M /dev/urandom >large
	touch "$DIR/hold"
	for i in $(seq 150); do
		dd if=/dev/zero of="stuck-$i" bs=100 count=1 conv=fsync status=none 3>&- &
		echo $! >>"$DIR/pids"
	done
	# fsync commits, then waits for the disk.
	everyone_is_stuck() {
		[ "$(find . -name 'stuck-*' -size 100c | wc -l)" = 150 ]
	}
	wait_for 30 everyone_is_stuck
	head -n 20 "$DIR/pids" | xargs kill -KILL
	for i in $(seq 100); do
		echo "$i" >"x-$i"
		[ "$(cat "x-$i")" = "$i" ]
		mv "x-$i" y
		stat y >/dev/null
		rm y
	done
	mkdir d
	head -c 3000000 large >/dev/null
	cp large d/copy
	rm -r d
	[ "$(find . -name 'stuck-*' | wc -l)" = 150 ]
	rm "$DIR/hold"
	wait
	[ "$(cat stuck-* | wc -c)" = 15000 ]
}

is_new() { [ "$(cat "$1")" = new ]; }

@test "with durability=full a client whose close waits for the disk delays no other's reads and names elsewhere" {
	mount_with_held_syncs -o durability=full
	cd "$MNT/p/s"
	mkdir elsewhere
	echo old >k
	cp k elsewhere/kept
	touch "$DIR/hold"
	echo new >k 3>&- &
	wait_for 20 is_new k
	kill -KILL $!
	[ "$(cat elsewhere/kept)" = old ]
	[ "$(ls elsewhere)" = kept ]
	[ "$(stat -c %s k)" = 4 ]
	rm "$DIR/hold"
	wait
	mv elsewhere/kept moved
	[ "$(cat k moved)" = $'new\nold' ]
}

@test "a mount that is aborted under a close that waits for the disk ends cleanly" {
	mount_stop
	held_syncs_make
	# What is freed does not go on looking as it did.
	HOLD=$DIR/hold LD_PRELOAD=$DIR/held.so MALLOC_PERTURB_=165 \
		aedbfs -f -o durability=full "$DB" "$MNT" 3>&- 4>&- &
	daemon=$!
	wait_for 20 mountpoint -q "$MNT"
	echo old >"$MNT/p/s/k"
	touch "$DIR/hold"
	echo new 2>/dev/null >"$MNT/p/s/k" 3>&- &
	wait_for 20 is_new "$MNT/p/s/k"
	umount -f "$MNT" || true # it is busy, but aborted
	rm "$DIR/hold"
	wait "$daemon"
	mount_start
	is_new "$MNT/p/s/k"
}

@test "while a mount ends under an fsync that waits for the disk, who is still in it is refused at once" {
	mount_stop
	held_syncs_make
	HOLD=$DIR/hold LD_PRELOAD=$DIR/held.so \
		aedbfs -f "$DB" "$MNT" 3>&- 4>&- &
	daemon=$!
	wait_for 20 mountpoint -q "$MNT"
	touch "$DIR/hold"
	dd if=/dev/zero of="$MNT/p/s/k" bs=4 count=1 conv=fsync status=none 3>&- &
	wait_for 20 test -s "$MNT/p/s/k"
	# Each of them holds the directory's lock until it is answered.
	cat >"$DIR/inside.py" <<'END'
import errno, os
print("inside", flush=True)
try:
    while True:
        os.mkdir("d")
        os.rmdir("d")
except OSError as e:
    print(errno.errorcode[e.errno], flush=True)
END
	coproc { cd "$MNT/p/s" && exec python3 "$DIR/inside.py" 3>&-; }
	read -r line <&"${COPROC[0]}"
	[ "$line" = inside ]
	kill "$daemon"
	read -r -t 20 line <&"${COPROC[0]}"
	[ "$line" = ENOTCONN ]
	kill -0 "$daemon"
	rm "$DIR/hold"
	wait "$daemon"
	mount_start
	[ "$(stat -c %s "$MNT/p/s/k")" = 4 ]
}

@test "an interrupted or killed copy of a large value leaves nothing, and others go on" {
	cd "$MNT/p/s"
	head -c 50M /dev/urandom >large
	sum=$(cksum <large)
	for signal in INT KILL TERM; do
		mkfifo "$DIR/slow.$signal"
		exec 5<>"$DIR/slow.$signal"
		# A shell's background commands ignore SIGINT.
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' cp "$DIR/slow.$signal" copy 3>&- 5>&- &
		copier=$!
		head -c 3M large >&5
		has_begun() { [ -e copy ]; }
		wait_for 20 has_begun
		kill -$signal $copier
		echo $signal >other
		[ "$(cat other)" = $signal ]
		wait $copier || true
		exec 5>&-
		wait_for 20 test ! -e copy
	done
	timeout --signal=KILL 0.05 cat large large large large >/dev/null || true
	[ "$(cksum <large)" = "$sum" ]
	[ "$(ls)" = $'large\nother' ]
}
