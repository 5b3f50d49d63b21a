# shellcheck disable=SC2119,SC2120 # test files pass the arguments
# shellcheck shell=bash
# Mounts for BATS files: load mount, then
#
#	setup() { mount_prepare; mount_start; }
#	teardown() { mount_cleanup; }
#
# mount_prepare sets DIR (a fresh directory), DB and MNT in it. Everything that
# is mounted or serving below DIR is gone after mount_cleanup, also when the
# test failed. Needs AEDB_BUILD or a built build/.

: "${AEDB_BUILD:=$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}"
PATH=$AEDB_BUILD:$PATH

# mount_prepare [DIRECTORY]: an initialised database DB and a directory MNT.
# Without an argument they belong to the test; give $BATS_FILE_TMPDIR in
# setup_file (and to mount_cleanup in teardown_file).
mount_prepare() {
	DIR=${1:-$BATS_TEST_TMPDIR}
	DB=$DIR/db MNT=$DIR/mnt
	export DIR DB MNT
	mkdir -p "$MNT"
	aedb init "$DB"
}

# mount_start [OPTION...]: serves DB at MNT; returns when the mount answers.
# Descriptor 3 is BATS's own: a daemon that kept it would keep BATS waiting.
mount_start() {
	[ -c /dev/fuse ] || skip "no /dev/fuse on this machine"
	aedbfs "$@" "$DB" "$MNT" 3>&- 4>&-
	mountpoint -q "$MNT"
}

# Skips where no mount namespace can be made: without the right to, or in a
# chroot whose root is not a mount point.
needs_namespaces() {
	unshare -m true || skip "no mount namespaces here"
}

# The process that serves MNT.
mount_pid() {
	local proc
	for proc in /proc/[0-9]*; do
		[ "$proc/exe" -ef "$AEDB_BUILD/aedbfs" ] || continue
		if tr '\0' '\n' <"$proc/cmdline" | grep -qxF -- "$MNT"; then
			echo "${proc#/proc/}"
			return 0
		fi
	done
	return 1
}

# wait_for SECONDS COMMAND...: until it succeeds; for what has no event.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# quietly COMMAND...: fails also if the command warns.
quietly() {
	local status=0
	"$@" 2>"$DIR/warnings" || status=$?
	cat "$DIR/warnings" >&2
	[ $status = 0 ] && [ ! -s "$DIR/warnings" ]
}

# fails STATUS TEXT COMMAND...: it ends so within a minute, and says that.
fails() {
	local want=$1 text=$2
	shift 2
	run --separate-stderr timeout 60 "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output$stderr"; return 1; }
	[[ $output$stderr == *"$text"* ]] || { echo "$output$stderr"; return 1; }
}

# within_memory COMMAND...: it succeeds, and has 128 MiB resident at most.
within_memory() {
	python3 - "$@" <<'END'
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(kib, "KiB", file=sys.stderr)
sys.exit(status or kib > 128 << 10)
END
}

# process_is_gone PID: ended; a zombie nobody has collected has ended too, once
# its other threads, which keep its files open, have.
process_is_gone() {
	local stat threads
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	threads=("/proc/$1/task"/*)
	case ${stat##*) } in Z*) [ ${#threads[@]} -le 1 ] && return 0 ;; esac
	return 1
}

# Unmounts as a user does; the daemon has ended when it returns.
mount_stop() {
	local pid
	pid=$(mount_pid)
	aedb umount "$MNT"
	wait_for 20 process_is_gone "$pid"
}

# kill -9 of the daemon, and the dead mount detached; mount_start goes on.
mount_kill() {
	local pid
	pid=$(mount_pid)
	kill -KILL "$pid"
	wait_for 20 process_is_gone "$pid"
	mount_detach "$MNT"
}

mount_detach() {
	fusermount3 -u -z "$1" 2>/dev/null || umount -l "$1"
}

mount_cleanup() {
	local dir=${1:-$BATS_TEST_TMPDIR} target proc
	while read -r _ target _; do
		target=$(printf '%b' "$target")
		case $target in "$dir"/*) mount_detach "$target" || true ;; esac
	done < <(tac /proc/self/mounts)
	for proc in /proc/[0-9]*; do
		[ "$proc/exe" -ef "$AEDB_BUILD/aedbfs" ] || continue
		if tr '\0' '\n' <"$proc/cmdline" | grep -qF -- "$dir/"; then
			kill -KILL "${proc#/proc/}" 2>/dev/null || true
			wait_for 20 process_is_gone "${proc#/proc/}" || true
		fi
	done
}

# The Python text on stdin, with processes that act step by step: actors.py.
act() { python3 "$BATS_TEST_DIRNAME/actors.py"; }

# A mount for each test, which runs in an empty scope of it.
scope_setup() {
	mount_prepare
	mount_start
	mkdir -p "$MNT/p/s"
	cd "$MNT/p/s" || return 1
}
scope_teardown() {
	cd /
	mount_cleanup
}

# One mount for all tests of a file, with the scope $SCOPE in it.
scope_setup_file() {
	mount_prepare "$BATS_FILE_TMPDIR"
	mount_start
	mkdir -p "$MNT/p/s"
	export SCOPE=$MNT/p/s
}
