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
	"$STRESS/steady" "$MNT/p/s" "$(mount_pid)" 45
}
