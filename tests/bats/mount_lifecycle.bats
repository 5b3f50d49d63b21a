#!/usr/bin/env bats
# The life of a mount: how a start ends, what refuses it, how a mount ends.
# timeout: 200 s

bats_require_minimum_version 1.5.0
load mount

setup() { mount_prepare; }
teardown() { mount_cleanup; }

# refused STATUS TEXT OPTION...: aedbfs fails with that status and one line of
# text that has TEXT, and leaves nothing mounted at MNT.
refused() {
	local status_wanted=$1 text=$2
	shift 2
	run -"$status_wanted" --separate-stderr aedbfs "$@" 3>&- 4>&-
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "aedbfs: "*"$text"* ]]
	[ "${#stderr_lines[@]}" = 1 ] || [ "$status_wanted" = 2 ]
	run ! mountpoint -q "$MNT"
}

# The field of MNT's last line in the table of mounts: source, type, options.
mount_field() {
	findmnt --noheadings --output "$1" --mountpoint "$MNT" | tail -1
}

scope_make() { mkdir -p "$MNT/p/s"; }

@test "help and version are printed and exit with 0" {
	run -0 aedbfs --help
	[[ $output == "Usage: aedbfs"*durability=*sync_interval=* ]]
	run -0 aedbfs --version
	[[ $output =~ ^aedbfs\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "help that cannot be written is no success" {
	[ -c /dev/full ] || skip "no /dev/full"
	run -3 sh -c 'aedbfs --help >/dev/full'
}

@test "a wrong option is named, with status 2" {
	refused 2 "unknown option: frob" -o ro,frob "$DB" "$MNT"
	refused 2 "unknown option: -z" -z "$DB" "$MNT"
	refused 2 "umask=9" -o umask=9 "$DB" "$MNT"
	refused 2 "want a directory" "$DB"
}

@test "a configuration file is found from where one is, and the command line overrides it" {
	mkdir "$DIR/etc"
	printf '%s\n' '# a comment' 'ro' 'memory=16M' "uid = 1234" >"$DIR/etc/notes"
	cd "$DIR/etc"
	mount_start --config notes
	[[ ",$(mount_field OPTIONS)," == *,ro,* ]]
	[ "$(stat -c %u "$MNT")" = 1234 ]
	mount_stop
	mount_start -o rw,uid=77,config=notes
	[[ ",$(mount_field OPTIONS)," == *,rw,* ]]
	[ "$(stat -c %u "$MNT")" = 77 ]
	grep -qx 'options rw,memory=16M,uid=77' "$MNT/.status"
	[ "$(aedb --json status "$MNT" | jq -r .options)" = rw,memory=16M,uid=77 ]
}

@test "what is wrong with a configuration file is named with file and line, with status 2" {
	printf 'ro\n\nfrob=1\n' >"$DIR/c"
	refused 2 "$DIR/c:3: unknown option: frob=1" --config "$DIR/c" "$DB" "$MNT"
	refused 2 "$DIR/d: No such file or directory" -o config="$DIR/d" "$DB" "$MNT"
	echo create >"$DIR/c"
	refused 2 "want a directory" --config "$DIR/c" "$DIR/new"
	[ ! -e "$DIR/new" ]
}

@test "the profile production serves a signed database only, with its key" {
	head -c 32 /dev/zero | tr '\0' k >"$DIR/key"
	refused 2 "option profile=production wants a key_file=" -o profile=production "$DB" "$MNT"
	refused 3 "not signed" -o profile=production,key_file="$DIR/key" "$DB" "$MNT"
	DB=$DIR/signed
	printf '%s\n' profile=production key_file="$DIR/key" create >"$DIR/c"
	mount_start --config "$DIR/c"
	grep -qx 'durability full' "$MNT/.status"
	scope_make
	echo v >"$MNT/p/s/k"
	mount_stop
	refused 3 "signed" "$DIR/signed" "$MNT"
}

@test "the profile development mounts a damaged database, and says what was lost" {
	mount_start
	scope_make
	for i in 1 2 3 4; do
		head -c 5000 /dev/zero | tr '\0' "$i" >"$MNT/p/s/k$i"
		sync -f "$MNT/p/s/k$i"
	done
	kill -9 "$(mount_pid)"
	fusermount3 -uz "$MNT"
	log=$(grep -l 2222 "$DB"/wal/* | head -1)
	at=$(grep -obaF 2222 "$log" | head -1)
	printf X | dd of="$log" bs=1 seek="${at%%:*}" conv=notrunc status=none
	refused 5 "wal/" "$DB" "$MNT"
	aedbfs -f -o profile=development "$DB" "$MNT" 2>"$DIR/said" 3>&- 4>&- &
	wait_for 20 grep -q "is mounted" "$DIR/said"
	grep -q "wal/" "$DIR/said"
	mount_stop
	wait
}

@test "a missing database is named, with status 1, and nothing is made" {
	refused 1 "$DIR/none" "$DIR/none" "$MNT"
	[ ! -e "$DIR/none" ]
}

@test "a directory that holds something else is left as it is" {
	mkdir "$DIR/foreign"
	echo mine >"$DIR/foreign/file"
	refused 1 "$DIR/foreign" "$DIR/foreign" "$MNT"
	run aedbfs -o create "$DIR/foreign" "$MNT" 3>&- 4>&-
	[ "$status" != 0 ]
	[ "$(ls -A "$DIR/foreign")" = file ]
	[ "$(cat "$DIR/foreign/file")" = mine ]
}

@test "with create a database is made where there is none, and kept" {
	DB=$DIR/new
	mount_start -o create
	scope_make
	echo value >"$MNT/p/s/k"
	mount_stop
	mount_start -o create
	[ "$(cat "$MNT/p/s/k")" = value ]
}

@test "a mount point that is missing or no directory is refused" {
	refused 1 "$DIR/nowhere" "$DB" "$DIR/nowhere"
	touch "$DIR/file"
	refused 1 "not a directory" "$DB" "$DIR/file"
	refused 1 "$DIR/nowhere" -o create "$DIR/new" "$DIR/nowhere"
	[ ! -e "$DIR/new" ]
}

@test "a mount that would hide its database is refused" {
	refused 2 "hidden beneath the mount" "$DB" "$DIR"
	mkdir "$DB/inside"
	refused 2 "inside the directory of the database" "$DB" "$DB/inside"
	rmdir "$DB/inside"
}

@test "when aedbfs returns the mount answers" {
	for _ in 1 2 3 4 5; do
		mount_start
		stat "$MNT" >/dev/null
		mkdir -p "$MNT/p"
		mount_stop
	done
}

@test "a second daemon for a database is refused, naming the holder" {
	mount_start
	pid=$(mount_pid)
	mkdir "$DIR/other"
	run -4 aedbfs "$DB" "$DIR/other" 3>&- 4>&-
	[[ $output == *"$DB"*"$pid"* ]]
	run ! mountpoint -q "$DIR/other"
	mountpoint -q "$MNT"
}

@test "a second mount on the same directory is refused, naming the first" {
	mount_start
	aedb init "$DIR/db2"
	run -4 aedbfs "$DIR/db2" "$MNT" 3>&- 4>&-
	[[ $output == *"$MNT"*"$DB"* ]]
	[ "$(mount_field SOURCE)" = "$DB" ]
}

@test "a start over its own dead mount detaches it first" {
	mount_start
	scope_make
	echo value >"$MNT/p/s/k"
	pid=$(mount_pid)
	kill -KILL "$pid"
	wait_for 20 process_is_gone "$pid"
	run ls "$MNT"
	[ "$status" != 0 ]
	mount_start
	[ "$(cat "$MNT/p/s/k")" = value ]
	[ "$(grep -cF " $MNT fuse" /proc/self/mounts)" = 1 ]
}

@test "a start that asks a mount just while its daemon is killed succeeds" {
	mount_start
	scope_make
	echo value >"$MNT/p/s/k"
	pid=$(mount_pid)
	kill -STOP "$pid"
	aedbfs -f "$DB" "$MNT" 3>&- 4>&- &
	wait_for 20 grep -q request_wait_answer "/proc/$!/wchan"
	kill -KILL "$pid"
	wait_for 20 test -e "$MNT/p/s/k"
	[ "$(cat "$MNT/p/s/k")" = value ]
	[ "$(grep -cF " $MNT fuse" /proc/self/mounts)" = 1 ]
}

@test "each option that mount(8) may hand on is accepted" {
	for option in rw exec noexec suid nosuid dev nodev async sync dirsync atime \
		noatime diratime nodiratime relatime strictatime defaults nofail \
		_netdev auto noauto user users x-systemd.automount; do
		mount_start -o "$option"
		mount_stop
	done
}

@test "a dead mount of another database is not touched" {
	mount_start
	pid=$(mount_pid)
	kill -KILL "$pid"
	wait_for 20 process_is_gone "$pid"
	aedb init "$DIR/db2"
	run -3 aedbfs "$DIR/db2" "$MNT" 3>&- 4>&-
	[[ $output == *"$MNT"* ]]
	[ "$(mount_field SOURCE)" = "$DB" ]
}

@test "umount ends the daemon and frees the database" {
	mount_start
	pid=$(mount_pid)
	umount "$MNT"
	wait_for 20 process_is_gone "$pid"
	mount_start
}

@test "SIGTERM detaches, and what was committed is there again" {
	mount_start
	scope_make
	echo value >"$MNT/p/s/k"
	pid=$(mount_pid)
	kill -TERM "$pid"
	wait_for 20 process_is_gone "$pid"
	run ! mountpoint -q "$MNT"
	mount_start
	[ "$(cat "$MNT/p/s/k")" = value ]
}

# Opens p/s/k and writes to it; writes more and closes it at a line to $go.
# A shell would not do: its redirections close copies, which commits.
writer_start() {
	mkfifo "$DIR/go"
	exec {go}<>"$DIR/go"
	python3 - "$MNT/p/s/k" "$DIR/go" >"$DIR/said" 2>&1 3>&- 4>&- <<'END' &
import sys
key = open(sys.argv[1], "wb", 0)
key.write(b"staged")
print("written", flush=True)
open(sys.argv[2]).readline()
key.write(b" and more")
key.close()
print("closed", flush=True)
END
	writer=$!
	wait_for 20 grep -q written "$DIR/said"
}

mount_is_detached() { ! mountpoint -q "$MNT"; }

@test "SIGTERM waits for data that is staged, and its close commits it" {
	mount_start
	scope_make
	pid=$(mount_pid)
	writer_start
	kill -TERM "$pid"
	wait_for 20 mount_is_detached
	run ! process_is_gone "$pid"
	echo >&"$go"
	wait "$writer"
	grep -q closed "$DIR/said"
	wait_for 20 process_is_gone "$pid"
	mount_start
	[ "$(cat "$MNT/p/s/k")" = "staged and more" ]
}

@test "a handle that keeps staged data does not keep the daemon for ever" {
	mount_start
	scope_make
	echo old >"$MNT/p/s/k"
	pid=$(mount_pid)
	writer_start
	kill -TERM "$pid"
	wait_for 40 process_is_gone "$pid"
	echo >&"$go"
	status=0
	wait "$writer" || status=$?
	[ "$status" != 0 ]
	grep -q "Transport endpoint is not connected" "$DIR/said"
	mount_start
	[ "$(cat "$MNT/p/s/k")" = old ]
}

@test "a second SIGTERM ends the daemon although data is staged" {
	mount_start
	scope_make
	pid=$(mount_pid)
	writer_start
	kill -TERM "$pid"
	wait_for 20 mount_is_detached
	run ! process_is_gone "$pid"
	kill -TERM "$pid"
	wait_for 5 process_is_gone "$pid"
	echo >&"$go"
	status=0
	wait "$writer" || status=$?
	[ "$status" != 0 ]
	mount_start
	[ ! -e "$MNT/p/s/k" ]
}

@test "SIGTERM while the daemon asks its mount for the first time ends it" {
	case $AEDB_BUILD in */tsan) skip "this sanitizer wants to be loaded first" ;; esac
	# Its stat is told to end, and asks until nobody answers.
	gcc -shared -fPIC -D_GNU_SOURCE -o "$DIR/asks.so" -x c - <<'END'
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
int stat64(const char *path, struct stat64 *st)
{
	struct statfs in;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (strcmp(path, getenv("ASKED")) == 0 && fstatfs(fd, &in) == 0 &&
	    in.f_type == 0x65735546) {
		kill(getpid(), SIGTERM);
		while (fstatfs(fd, &in) == 0)
			continue;
		return -1;
	}
	close(fd);
	return fstatat64(AT_FDCWD, path, st, 0);
}
END
	ASKED=$MNT LD_PRELOAD=$DIR/asks.so aedbfs -f "$DB" "$MNT" 2>"$DIR/said" 3>&- 4>&- &
	wait_for 20 process_is_gone $!
	wait $!
	grep -q "does not answer: Transport endpoint is not connected" "$DIR/said"
	run ! mountpoint -q "$MNT"
	mount_start
}

@test "a daemon that ends leaves alone what is mounted meanwhile where its mount was" {
	case $AEDB_BUILD in */tsan) skip "this sanitizer wants to be loaded first" ;; esac
	# Its looks at the table of mounts wait as long as the file is there.
	gcc -shared -fPIC -D_GNU_SOURCE -o "$DIR/held.so" -x c - <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
FILE *fopen64(const char *path, const char *mode)
{
	FILE *(*next)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen64");

	while (strstr(path, "mountinfo") && access(getenv("HOLD"), F_OK) == 0)
		usleep(1000);
	return next(path, mode);
}
END
	aedb init "$DIR/other"
	HOLD=$DIR/hold LD_PRELOAD=$DIR/held.so aedbfs -f "$DB" "$MNT" 3>&- 4>&- &
	wait_for 20 mountpoint -q "$MNT"
	touch "$DIR/hold"
	device=$(mountpoint -d "$MNT")
	umount "$MNT"
	aedbfs "$DIR/other" "$MNT" 3>&- 4>&-
	is_same=$([ "$(mountpoint -d "$MNT")" = "$device" ] && echo yes || true)
	rm "$DIR/hold"
	wait $!
	[ "$is_same" ] || skip "the mount got another number"
	[ "$(mount_field SOURCE)" = "$DIR/other" ]
	mkdir "$MNT/p"
}

@test "a start that can have no further thread fails, and leaves nothing mounted" {
	case $AEDB_BUILD in */?san) skip "this sanitizer makes threads its own way" ;; esac
	gcc -shared -fPIC -D_GNU_SOURCE -o "$DIR/few.so" -x c - <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
int pthread_create(pthread_t *ret, const pthread_attr_t *attr,
		   void *(*run)(void *), void *arg)
{
	static int made;
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		    void *) = dlsym(RTLD_NEXT, "pthread_create");

	return made++ < atoi(getenv("FEW")) ? next(ret, attr, run, arg) : EAGAIN;
}
END
	for few in $(seq 0 20); do
		status=0
		FEW=$few LD_PRELOAD=$DIR/few.so aedbfs "$DB" "$MNT" 2>"$DIR/said" 3>&- 4>&- ||
			status=$?
		[ $status != 0 ] || break
		[ $status = 3 ]
		[[ $(cat "$DIR/said") == "aedbfs: "* ]]
		# It says so before it has closed the database.
		wait_for 20 aedb verify "$DB"
		run ! findmnt "$MNT"
	done
	[ $status = 0 ]
	[ "$few" -gt 5 ]
	mount_stop
}

@test "what a program has open when the mount ends under it is closed, and the daemon ends with 0" {
	for way in 'umount -f "$MNT"' 'umount -l "$MNT"; kill "$DAEMON"' \
		'kill "$DAEMON"'; do
		aedbfs -f "$DB" "$MNT" 3>&- 4>&- &
		export DAEMON=$!
		wait_for 20 mountpoint -q "$MNT"
		scope_make
		echo value >"$MNT/p/s/k"
		echo "backup full" >"$MNT/.control"
		cd "$MNT"
		WAY=$way act <<'END'
import select
a = actor()
a("import os")
for name in ("p/s/k", ".status", ".metrics", ".changes", ".snap", ".batch"):
    a(f"os.open('{name}', os.O_RDONLY)")
a("lists = [os.scandir(d) for d in ('.', 'p/s', '.backup')]")
same(a("[bool(next(d).name) for d in lists]"), [True] * 3)
a("feed = os.open('.control', os.O_RDWR)")
a("os.write(feed, b'changes')")
same(a("len(os.read(feed, 10))"), 10)
ended = os.pidfd_open(int(os.environ["DAEMON"]))
os.chdir("/")
os.system(os.environ["WAY"])
same(select.select([ended], [], [], 20)[0], [ended])
END
		cd /
		wait "$DAEMON"
		mount_detach "$MNT" || true
	done
	aedb verify "$DB"
}

@test "SIGTERM detaches a mount that was moved, and one bound to a second place" {
	mount_start
	mkdir "$DIR/bound" "$DIR/parent" "$DIR/parent/moved"
	mount --bind "$MNT" "$DIR/bound"
	mount --move "$MNT" "$DIR/parent/moved" || {
		# a mount in a shared tree cannot be moved
		umount "$MNT" && mount --bind "$DIR/bound" "$DIR/parent/moved"
	}
	pid=$(mount_pid)
	kill -TERM "$pid"
	wait_for 20 process_is_gone "$pid"
	run ! grep -F " $DIR/" /proc/self/mounts
}

# Enters a mount namespace of its own, which keeps what is mounted now, until a
# line comes to $go.
namespace_start() {
	needs_namespaces
	mkfifo "$DIR/go"
	exec {go}<>"$DIR/go"
	unshare -m --propagation private sh -c 'echo in >"$1"; read -r _ <"$2"' sh \
		"$DIR/said" "$DIR/go" 3>&- 4>&- {go}>&- &
	namespace=$!
	wait_for 20 grep -q in "$DIR/said"
}

@test "aedb umount and SIGTERM end a daemon whose mount another namespace keeps" {
	mount_start
	namespace_start
	pid=$(mount_pid)
	aedb umount --timeout=30 "$MNT"
	process_is_gone "$pid"
	echo >&"$go"
	wait "$namespace"
	rm "$DIR/go" "$DIR/said"
	mount_start
	namespace_start
	pid=$(mount_pid)
	kill -TERM "$pid"
	wait_for 20 process_is_gone "$pid"
	echo >&"$go"
	wait "$namespace"
}

@test "a pipe behind the start ends when the mount answers" {
	aedbfs "$DB" "$MNT" 3>&- 4>&- | cat
	mountpoint -q "$MNT"
	pid=$(mount_pid)
	[ "$(awk '/^Umask/ { print $2 }' "/proc/$pid/status")" = 0000 ]
	[ "$(cat "/proc/$pid/oom_score_adj")" = "$(cat /proc/self/oom_score_adj)" ]
}

@test "a symbolic link to the directory, and one relative path to each, are mounted on" {
	ln -s mnt "$DIR/link"
	(cd "$DIR" && aedbfs ./db link 3>&- 4>&-)
	mountpoint -q "$MNT"
	aedb umount "$DIR/link"
	(cd "$MNT/.." && aedbfs db/ ../"${DIR##*/}"/mnt/ 3>&- 4>&-)
	mountpoint -q "$MNT"
}

@test "a directory that is not empty is mounted on, and is as it was afterwards" {
	echo below >"$MNT/file"
	mount_start
	[ ! -e "$MNT/file" ]
	mount_stop
	[ "$(cat "$MNT/file")" = below ]
}

@test "the mount's source is the database, and LOCK names the daemon" {
	cd "$DIR"
	mkdir "sub dir, with \\ things"
	aedb init "sub dir, with \\ things/db"
	DB="sub dir, with \\ things/db"
	mount_start
	[ "$(mount_field FSTYPE)" = fuse.aedbfs ]
	[ "$(mount_field SOURCE)" = "$(realpath "$DB")" ]
	[ "$(cat "$DB/LOCK")" = "$(mount_pid)" ]
	[ "$(readlink "/proc/$(mount_pid)/cwd")" = / ]
	run flock --nonblock "$DB/LOCK" true
	[ "$status" != 0 ]
	pid=$(mount_pid)
	umount "$MNT"
	wait_for 20 process_is_gone "$pid"
	flock --nonblock "$DB/LOCK" true
}

@test "ro: everything can be read, nothing written, the database untouched" {
	mount_start
	scope_make
	echo value >"$MNT/p/s/k"
	mount_stop
	before=$(cd "$DB" && find . -type f ! -name LOCK -exec sha256sum {} + | sort)
	mount_start -o ro
	[[ ,$(mount_field OPTIONS), == *,ro,* ]]
	[ "$(cat "$MNT/p/s/k")" = value ]
	run sh -c 'echo x >"$1"' sh "$MNT/p/s/k"
	[ "$status" != 0 ]
	[[ $output == *"Read-only file system"* ]]
	run mkdir "$MNT/q"
	[[ $output == *"Read-only file system"* ]]
	mkdir "$DIR/second"
	aedbfs -o ro "$DB" "$DIR/second" 3>&- 4>&-
	[ "$(cat "$DIR/second/p/s/k")" = value ]
	umount "$DIR/second"
	mount_stop
	after=$(cd "$DB" && find . -type f ! -name LOCK -exec sha256sum {} + | sort)
	[ "$before" = "$after" ]
}

@test "options of mount(8) and fstab are accepted" {
	mount_start -o rw,nofail,_netdev,noauto,user,x-systemd.automount,exec,noatime,noexec
	[[ ,$(mount_field OPTIONS), == *,noexec,* ]]
	[[ ,$(mount_field OPTIONS), == *,nosuid,nodev,* ]]
	[[ ,$(mount_field OPTIONS), != *,allow_other,* ]]
	mount_stop
	mount_start -o allow_other
	[[ ,$(mount_field OPTIONS), == *,allow_other,* ]]
}

@test "mount(8) mounts it, passing its options on" {
	[ -x /sbin/mount.fuse ] || skip "no mount.fuse"
	mount -t fuse -o nofail,x-note=1,durability=full "$AEDB_BUILD/aedbfs#$DB" "$MNT" 3>&- 4>&-
	mountpoint -q "$MNT"
	[ "$(mount_field SOURCE)" = "$DB" ]
}

@test "the daemon keeps nothing open that its starter had open" {
	exec {lock}>"$DIR/lock"
	flock "$lock"
	mount_start
	exec {lock}>&-
	flock --nonblock "$DIR/lock" true
}

@test "a start with closed standard descriptors keeps the database's files off them" {
	aedbfs -f "$DB" "$MNT" <&- >&- 2>&- 3>&- 4>&- &
	pid=$!
	wait_for 20 mountpoint -q "$MNT"
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
	mount_stop
	mount_start <&- >&- 2>&-
	pid=$(mount_pid)
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
}

@test "in the foreground it logs to standard error and ends with 0 at SIGTERM" {
	aedbfs -f "$DB" "$MNT" 2>"$DIR/log" 3>&- 4>&- &
	pid=$!
	wait_for 20 grep -q "is mounted on $MNT" "$DIR/log"
	stat "$MNT" >/dev/null
	kill -TERM "$pid"
	wait "$pid"
	grep -q "is unmounted" "$DIR/log"
	run ! mountpoint -q "$MNT"
}

@test "systemd is told when the mount answers and when it ends" {
	python3 - "$DIR/notify" >"$DIR/told" 3>&- 4>&- <<'END' &
import socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(sys.argv[1])
while True:
    print(notify.recv(4096).decode(), flush=True)
END
	listener=$!
	wait_for 20 test -S "$DIR/notify"
	NOTIFY_SOCKET=$DIR/notify mount_start
	wait_for 20 grep -q READY=1 "$DIR/told"
	grep -q "MAINPID=$(mount_pid)" "$DIR/told"
	kill -TERM "$(mount_pid)"
	wait_for 20 grep -q STOPPING=1 "$DIR/told"
	kill "$listener"
}
