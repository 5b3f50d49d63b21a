#!/usr/bin/env bats
# Large directories, and many readers of one.

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress

setup() {
	mount_prepare
	mount_start
	mkdir -p "$MNT/p/s"
}

teardown() {
	cd /
	mount_cleanup
}

# Of the daemon, in KiB, without what is mapped from files.
daemon_kib() {
	awk '/^RssAnon/ { print $2 }' "/proc/$(mount_pid)/status"
}

@test "three readers that seek see what stays once, beside two writers" {
	"$STRESS/listing" "$MNT/p/s/d" 3 2 12
}

@test "find -delete and rm -r beside readers leave nothing" {
	mount_stop
	"$STRESS/fill" "$DB" p s 20000
	mount_start
	cd "$MNT/p/s"
	find . -type f >/dev/null 3>&- & a=$!
	ls -R . >/dev/null 3>&- 2>&1 & b=$!
	find d00? -delete
	rm -r d01?
	wait $a || true
	wait $b || true
	[ -z "$(ls -A)" ]
}

@test "100,000 keys the kernel holds cost at most 96 bytes each, and nothing once it forgets them" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	mount_stop
	"$STRESS/fill" "$DB" p s 100000
	mount_start
	# What is read of the database stays in its cache: not counted.
	[ "$(find "$MNT/p/s" -type f -printf '%s\n' | wc -l)" = 100000 ]
	# A remount makes the kernel forget all that nobody uses.
	mount -i -o remount,rw "$MNT" || skip "cannot make the kernel forget"
	steady() { local was=$kib; kib=$(daemon_kib); [ "$kib" = "$was" ]; }
	kib=0
	sleep 1
	wait_for 20 steady
	before=$(daemon_kib)
	[ "$(find "$MNT/p/s" -type f -printf '%s\n' | wc -l)" = 100000 ]
	after=$(daemon_kib)
	echo "$before KiB, then $after KiB"
	[ $((after - before)) -le $((100100 * 96 / 1024)) ]
	mount -i -o remount,rw "$MNT"
	forgot() { [ $(($(daemon_kib) - before)) -le 1024 ]; }
	wait_for 20 forgot
}

@test "beyond half of the memory budget the kernel is made to forget files nobody uses" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	mount_stop
	"$STRESS/fill" "$DB" p s 100000
	mount_start -o memory=1M
	exec 5<"$MNT/p/s/d050/user:0050500"
	cd "$MNT/p/s/d077"
	before=$(daemon_kib)
	[ "$(find "$MNT/p/s" -type f -printf '%s\n' | wc -l)" = 100000 ]
	few() { [ $(($(daemon_kib) - before)) -le 3072 ]; }
	wait_for 20 few
	[ "$(cat <&5)" = value ]
	[ "$(find . -type f | wc -l)" = 1000 ]
	[ "$(cat user:0077077)" = value ]
	exec 5<&-
}
