#!/usr/bin/env bats
# The manual pages of the system calls, call by call and error by error: what
# tests/conformance checks, on a mount. The same program checks any other file
# system (build/tests/conformance/conform DIRECTORY); ext4 mounted noatime passes.

bats_require_minimum_version 1.5.0
load mount

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root, to become others"
	mount_prepare
}

teardown() {
	cd /
	mount_cleanup
}

# Shows what failed and why; every check has run.
conforms() {
	mount_start -o "allow_other$1"
	mkdir -p "$MNT/p/s"
	"$AEDB_BUILD/tests/conformance/conform" --mount "$MNT" >"$DIR/checks" ||
		grep -v -e '^ok ' -e '^# begin' "$DIR/checks"
	[ "$(grep -c '^ok ' "$DIR/checks")" = "$(sed -n 's/^1\.\.//p' "$DIR/checks")" ]
	[ -z "$(ls "$MNT/p/s")" ]
}

@test "the system calls do on a mount what their manual pages say" {
	conforms ""
}

@test "the system calls do the same when every commit waits for the disk" {
	conforms ",durability=full"
}

@test "random calls of several users do on a mount what they do on the disk beside it" {
	mount_start -o allow_other
	mkdir -p "$MNT/p/s/tree" "$DIR/control"
	"$AEDB_BUILD/tests/stress/differ" "$DIR/control" "$MNT/p/s/tree" 1500
}
