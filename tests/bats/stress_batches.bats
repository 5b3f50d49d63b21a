#!/usr/bin/env bats
# Batches that overlap, and batches whose daemon is killed; the programs are in
# tests/stress.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress

setup() {
	mount_prepare
	mount_start
	cd "$DIR" || return 1
}

teardown() {
	cd /
	mount_cleanup
}

@test "ten keys changed together by two writers are read together by ten readers, and nothing is lost" {
	"$STRESS/batches" run "$MNT" 400
	[ -z "$(find "$MNT/.batch" "$MNT/.snap" -mindepth 1)" ]
}

@test "after a kill of the daemon amid commits every batch is there whole or not at all" {
	for _ in 1 2 3 4; do
		coproc { "$STRESS/batches" hold "$MNT" 3>&-; }
		pid=$COPROC_PID
		exec 4<&"${COPROC[0]}"
		read -r line <&4
		[ "$line" = held ]
		mount_kill
		read -r _ least _ most <&4
		exec 4<&-
		wait "$pid"
		mount_start
		"$STRESS/batches" check "$MNT" "$least" "$most"
		[ -z "$(ls -A "$MNT/.batch")" ]
	done
}

@test "of batches that overlap those are refused that the model says, and trees are the model's" {
	for seed in 1 2 3; do
		"$STRESS/conflicts" "$MNT" $seed 1500
	done
	mount_stop
	aedb verify "$DB"
}
