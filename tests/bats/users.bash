# shellcheck shell=bash
# shellcheck disable=SC2120 # test files pass the arguments
# A mount with -o secure for each test: load users, then
#
#	setup() { users_setup; }
#	teardown() { users_teardown; }
#
# What root puts there: p/s/inbox/a, p/s/private/b, p/other/c and the scope q/s.

load mount

# users_setup [OPTION]: a further one of -o.
users_setup() {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	top=$(mktemp -d /tmp/aedbfs-perm.XXXXXX)
	chmod 755 "$top"
	mkdir "$top/dir"
	mount_prepare "$top/dir"
	mount_start -o secure,allow_other,umask=000 ${1+-o "$1"}
	mkdir -p "$MNT/p/s/inbox" "$MNT/p/s/private" "$MNT/p/other" "$MNT/q/s"
	echo one >"$MNT/p/s/inbox/a"
	echo two >"$MNT/p/s/private/b"
	echo three >"$MNT/p/other/c"
}

users_teardown() {
	[ -n "${top-}" ] || return 0
	mount_cleanup "$top/dir"
	rm -rf --one-file-system "$top"
}

# as ID COMMAND...
as() {
	local id=$1
	shift
	setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
}

# denied ID COMMAND...
denied() {
	run as "$@"
	[ "$status" -ne 0 ]
	[[ $output == *"Permission denied"* ]]
}

# not_found ID COMMAND...
not_found() {
	run as "$@"
	[ "$status" -ne 0 ]
	[[ $output == *"No such file or directory"* ]]
}
