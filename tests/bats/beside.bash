# shellcheck shell=bash
# The same commands on the mount and in a plain directory: load beside, then
#
#	setup_file() { beside_prepare; }
#	teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }
#
# One mount serves a file's tests, each in a directory of its own. Nothing that
# a test starts may write to standard error.

load mount

beside_prepare() {
	mount_prepare "$BATS_FILE_TMPDIR"
	mount_start
	mkdir -p "$MNT/p/s" "$MNT/p/other" "$MNT/q/s" "$DIR/plain/p/s" \
		"$DIR/plain/p/other" "$DIR/plain/q/s"
}

# What tools can tell of the objects beneath a directory, but not when they were
# changed: only old times have been set by somebody.
objects() {
	(
		cd "$1" || return 1
		find . -type d -printf '%P/ %m %U %G\n' -o \
			-printf '%P %y %m %U %G %s %l\n' | sort
		find . ! -newermt 2020-01-01 -printf '%P %T@\n' | sort
		find . -type f -print0 | sort -z | xargs -0r cksum
	)
}

# alike [COMMAND...]: runs the script on standard input in both places, with
# `bash -eu` or the command. Output and everything that is left are the same,
# and nobody complained.
alike() {
	local place name=t$BATS_TEST_NUMBER
	[ $# -gt 0 ] || set -- bash -eu
	cat >"$DIR/$name"
	for place in "$DIR/plain" "$MNT"; do
		mkdir -p "$place/p/s/$name"
		(cd "$place/p/s/$name" && "$@" "$DIR/$name" \
			>"$place.out" 2>"$place.err" 3>&- 4>&-) || {
			echo "$1 ended with $? in $place:"
			tail -n 20 "$place.out" "$place.err"
			return 1
		}
		diff /dev/null "$place.err"
		objects "$place/p/s/$name" >"$place.objects"
	done
	diff "$DIR/plain.out" "$DIR/mnt.out"
	diff "$DIR/plain.objects" "$DIR/mnt.objects"
}
