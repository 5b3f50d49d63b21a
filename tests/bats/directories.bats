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

is_at_most() { [ "$(daemon_kib)" -le "$1" ]; }

is_steady() {
	local was=${kib-}
	kib=$(daemon_kib)
	[ "$kib" = "$was" ]
}

# Every file's size is asked for, so the kernel knows them all.
list_all() {
	[ "$(find "$MNT/p/s" -type f -printf '%s\n' | wc -l)" = 100000 ]
}

# A remount makes the kernel forget all that nobody uses.
forget() { mount -i -o remount,rw "$MNT"; }

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
	none=$(daemon_kib)
	# What is read of the database stays in its cache: not counted.
	list_all
	forget || skip "cannot make the kernel forget"
	# Far less than the files: these are gone, the cache is what is left. What
	# frees memory takes its time on a busy machine.
	wait_for 60 is_at_most $((none + 4096))
	wait_for 60 is_steady
	before=$(daemon_kib)
	list_all
	echo "$none KiB, $before KiB, then $(daemon_kib) KiB"
	wait_for 60 is_at_most $((before + 100100 * 96 / 1024))
	forget
	wait_for 60 is_at_most $((before + 1024))
}

@test "beyond its share of the memory budget the kernel is made to forget files nobody uses" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	mount_stop
	"$STRESS/fill" "$DB" p s 100000
	mount_start -o memory=1M
	exec 5<"$MNT/p/s/d050/user:0050500"
	cd "$MNT/p/s/d077"
	before=$(daemon_kib)
	list_all
	wait_for 60 is_at_most $((before + 3072))
	[ "$(cat <&5)" = value ]
	[ "$(find . -type f | wc -l)" = 1000 ]
	[ "$(cat user:0077077)" = value ]
	exec 5<&-
}
