#!/usr/bin/env bats
# Mounts of users other than root, through fusermount3.

bats_require_minimum_version 1.5.0
load mount

# A user with a name, which fusermount3 asks for.
USER_ID=$(id -u nobody)

# A directory that a user without rights reaches, with programs of its own, and a
# mount namespace in which /dev/fuse is everybody's, as it is outside containers.
setup() {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	needs_namespaces
	[ -c /dev/fuse ] || skip "no /dev/fuse on this machine"
	[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not set-user-id"
	top=$(mktemp -d /tmp/aedbfs-user.XXXXXX)
	chmod 755 "$top"
	mkdir "$top/bin"
	cp "$AEDB_BUILD/aedb" "$AEDB_BUILD/aedbfs" "$top/bin"
	AEDB_BUILD=$top/bin PATH=$top/bin:$PATH
	mount_prepare "$top/dir"
	chown -R "$USER_ID:$USER_ID" "$top/dir"
	mkfifo "$top/end"
	mkdir "$top/dev"
	unshare -m --propagation private sh -c '
		mount -t tmpfs none "$1/dev" && mknod -m 666 "$1/dev/fuse" c 10 229 &&
		mount --bind "$1/dev/fuse" /dev/fuse && echo ready >"$1/state"
		read -r _ <"$1/end"' sh "$top" 3>&- 4>&- &
	namespace=$!
	wait_for 20 test -s "$top/state"
}

teardown() {
	[ -n "${top-}" ] || return 0
	inside aedb umount "$MNT" 2>/dev/null || inside umount -l "$MNT" 2>/dev/null || true
	echo >"$top/end"
	wait "$namespace"
	mount_cleanup "$top/dir"
	rm -rf --one-file-system "$top"
}

# Runs a command in that namespace; as USER-ID: as that user.
inside() {
	nsenter --mount --root --wd --target "$namespace" "$@" 3>&- 4>&-
}

as() {
	local id=$1
	shift
	inside setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
}

@test "a user mounts, uses and unmounts a database" {
	as "$USER_ID" aedb mount "$DB" "$MNT"
	as "$USER_ID" mountpoint -q "$MNT"
	as "$USER_ID" sh -c 'mkdir -p "$MNT/p/s"; echo v >"$MNT/p/s/k"'
	[ "$(as "$USER_ID" stat -c %u:%g "$MNT" "$MNT/p" "$MNT/p/s/k" | sort -u)" = \
		"$USER_ID:$USER_ID" ]
	run as "$USER_ID" chown 1 "$MNT/p/s/k"
	[ "$status" != 0 ]
	[[ $output == *"Operation not permitted"* ]]
	# nobody else, not even root
	run inside cat "$MNT/p/s/k"
	[[ $output == *"Permission denied"* ]]
	run as 4712 ls "$MNT"
	[[ $output == *"Permission denied"* ]]
	pid=$(cat "$DB/LOCK")
	as "$USER_ID" aedb umount "$MNT"
	process_is_gone "$pid"
	as "$USER_ID" aedbfs "$DB" "$MNT"
	pid=$(cat "$DB/LOCK")
	as "$USER_ID" fusermount3 -u "$MNT"
	wait_for 20 process_is_gone "$pid"
	[ "$(as "$USER_ID" aedb get "$DB" p/s k)" = v ]
}

@test "SIGTERM unmounts for a user, and a start takes its own dead mount away" {
	as "$USER_ID" aedbfs "$DB" "$MNT"
	pid=$(cat "$DB/LOCK")
	kill -TERM "$pid"
	wait_for 20 process_is_gone "$pid"
	run ! inside mountpoint -q "$MNT"
	as "$USER_ID" aedbfs "$DB" "$MNT"
	pid=$(cat "$DB/LOCK")
	kill -KILL "$pid"
	wait_for 20 process_is_gone "$pid"
	as "$USER_ID" aedbfs "$DB" "$MNT"
	as "$USER_ID" mkdir "$MNT/p"
	[ "$(inside grep -cF " $MNT fuse" /proc/self/mounts)" = 1 ]
}

@test "allow_other is refused to users unless fuse.conf allows it, in fusermount3's words" {
	! grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null || skip "it is allowed here"
	run -3 as "$USER_ID" aedbfs -o allow_other "$DB" "$MNT"
	[[ $output == "aedbfs: mounting on $MNT: "*user_allow_other* ]]
	[ "${#lines[@]}" = 1 ]
	run ! inside mountpoint -q "$MNT"
}

@test "with allow_other modes decide, and with allow_root root and nobody else" {
	inside aedbfs -o allow_other "$DB" "$MNT"
	inside sh -c 'mkdir -p "$MNT/p/s"; echo v >"$MNT/p/s/k"
		umask 077; echo v >"$MNT/p/s/mine"'
	[ "$(as "$USER_ID" cat "$MNT/p/s/k")" = v ]
	run as "$USER_ID" cat "$MNT/p/s/mine"
	[[ $output == *"Permission denied"* ]]
	inside aedb umount "$MNT"
	inside aedbfs -o allow_root "$DB" "$MNT"
	[ "$(inside cat "$MNT/p/s/k")" = v ]
	run as "$USER_ID" cat "$MNT/p/s/k"
	[[ $output == *"Permission denied"* ]]
	run as "$USER_ID" ls "$MNT"
	[[ $output == *"Permission denied"* ]]
}

@test "a database or directory of somebody else is refused, naming it" {
	chown -R 0:0 "$DB"
	run -3 as "$USER_ID" aedbfs "$DB" "$MNT"
	[[ $output == "aedbfs: $DB"*"ermission denied" ]]
	[ "${#lines[@]}" = 1 ]
	chown -R "$USER_ID" "$DB"
	chown 0:0 "$MNT"
	run -3 as "$USER_ID" aedbfs "$DB" "$MNT"
	[[ $output == "aedbfs: mounting on $MNT: "* ]]
	[ "${#lines[@]}" = 1 ]
	run ! inside mountpoint -q "$MNT"
	flock --nonblock "$DB/LOCK" true
}

@test "without fusermount3 the message names it" {
	inside mount --bind /dev/null "$(command -v fusermount3)"
	run as "$USER_ID" aedbfs "$DB" "$MNT"
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == "aedbfs: mounting on $MNT: "*fusermount3* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a database on a read-only file system is mounted with ro, and only so" {
	inside mount --bind "$DB" "$DB"
	inside mount -o remount,bind,ro "$DB"
	run inside sh -c 'aedbfs "$DB" "$MNT" && exit 1
		aedbfs -o ro "$DB" "$MNT" && ls "$MNT" && aedb umount "$MNT"'
	echo "$output"
	[ "$status" = 0 ]
	[[ ${lines[0]} == "aedbfs: $DB"*"ead-only file system" ]]
}

@test "root of a user namespace mounts there" {
	as "$USER_ID" unshare -Urm true || skip "no user namespaces here"
	as "$USER_ID" unshare -Urm sh -c '
		aedbfs "$DB" "$MNT" && mkdir -p "$MNT/p/s" && echo v >"$MNT/p/s/k" &&
		[ "$(cat "$MNT/p/s/k")" = v ] && aedb umount "$MNT"'
	[ "$(aedb get "$DB" p/s k)" = v ]
}
