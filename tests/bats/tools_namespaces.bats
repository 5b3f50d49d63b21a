#!/usr/bin/env bats
# A mount in other mount namespaces, as containers have it: bound, as the root of
# programs, beneath overlayfs.
# timeout: 120 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	needs_namespaces
	mount_prepare
	mount_start
	mkdir -p "$MNT/p/s/root/bin" "$DIR/at"
	cp /bin/busybox "$MNT/p/s/root/bin/busybox"
	echo lower >"$MNT/p/s/root/key"
}

teardown() { mount_cleanup; }

@test "programs run in a root bound from the mount, and what they write is seen outside" {
	quietly unshare -m sh -ec 'mount --bind "$0/p/s/root" "$1"
		chroot "$1" /bin/busybox sh -c "echo changed >/key; echo new >/bin/new"' "$MNT" "$DIR/at"
	[ "$(cat "$MNT/p/s/root/key" "$MNT/p/s/root/bin/new")" = $'changed\nnew' ]
	[ -z "$(ls -A "$DIR/at")" ]
}

@test "overlayfs takes the mount as its lower directory" {
	mkdir "$DIR/tmpfs"
	quietly unshare -m sh -ec 'mount -t tmpfs none "$1/tmpfs"
		mkdir "$1/tmpfs/upper" "$1/tmpfs/work"
		mount -t overlay none -o "lowerdir=$0/p/s/root,upperdir=$1/tmpfs/upper,workdir=$1/tmpfs/work" "$1/at"
		[ "$(cat "$1/at/key")" = lower ]
		echo upper >"$1/at/key"
		[ "$(cat "$1/at/key")" = upper ]
		"$1/at/bin/busybox" true' "$MNT" "$DIR"
	[ "$(cat "$MNT/p/s/root/key")" = lower ]
}

@test "overlayfs refuses the mount as its upper directory" {
	mkdir "$MNT/p/s/upper" "$MNT/p/s/work" "$DIR/lower"
	run unshare -m mount -t overlay none \
		-o "lowerdir=$DIR/lower,upperdir=$MNT/p/s/upper,workdir=$MNT/p/s/work" "$DIR/at"
	[ "$status" != 0 ]
}
