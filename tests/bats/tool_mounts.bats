#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
# The tools on a mounted database, and mount and umount.
load mount
bats_require_minimum_version 1.5.0

setup() {
	mount_prepare
	mount_start
	cd "$DIR" || return 1
	mkdir -p "$MNT/p/s"
}

teardown() {
	cd / && mount_cleanup
}

@test "get and put work on paths in a mount" {
	printf 'a\0b' | aedb put "$MNT/p/s/k"
	printf 'a\0b' | cmp - "$MNT/p/s/k"
	aedb get "$MNT/p/s/k" | cmp - "$MNT/p/s/k"
	aedb put mnt/p/s/k argument
	[ "$(cat mnt/p/s/k)" = argument ]
	[ "$(cd mnt/p && aedb get s/k)" = argument ]
	[ "$(aedb get --json mnt/p/s/k)" = \
		'{"value_bytes":8,"path":"mnt/p/s/k","value":"argument"}' ]
	[ "$(aedb put --json mnt/p/s/k 123)" = '{"value_bytes":3}' ]
}

@test "put in a mount makes a key's directories, but a scope only with --parents" {
	aedb put mnt/p/s/a/b/c v
	[ "$(cat mnt/p/s/a/b/c)" = v ]
	run -1 aedb put mnt/q/t/a/k v
	[ "$output" = 'aedb: mnt/q/t/a/k: its project or scope is not there; --parents makes it' ]
	run -1 aedb put mnt/p/t/k v
	[ "$output" = 'aedb: mnt/p/t/k: its project or scope is not there; --parents makes it' ]
	[ ! -e mnt/q ]
	[ ! -e mnt/p/t ]
	aedb put -p mnt/q/t/a/k v
	[ "$(cat mnt/q/t/a/k)" = v ]
	run -2 aedb put -p mnt/a.b/t/k v
	[ "${#lines[@]}" = 1 ]
}

@test "put --new in a mount refuses a key that is there" {
	aedb put --new mnt/p/s/k old
	run -1 aedb put --new mnt/p/s/k new
	[ "$output" = 'aedb: mnt/p/s/k: File exists' ]
	[ "$(cat mnt/p/s/k)" = old ]
}

@test "a put into a mount that fails half-way keeps the old value" {
	printf old >mnt/p/s/k
	# its input ends with an error: a directory cannot be read
	run -3 aedb put -f . mnt/p/s/k
	[ "$output" = 'aedb: .: Is a directory' ]
	[ "$(cat mnt/p/s/k)" = old ]
	run -3 aedb put -f . mnt/p/s/new
	[ ! -e mnt/p/s/new ]
	# killed between two writes
	mkfifo pipe
	aedb put mnt/p/s/k <pipe 3>&- &
	exec 9>pipe
	head -c 3000000 /dev/zero >&9
	pkill -KILL -P $!
	exec 9>&-
	status=0
	wait $! || status=$?
	[ "$status" != 0 ]
	[ "$(cat mnt/p/s/k)" = old ]
}

@test "del removes keys and empty scopes, and trees only with -r" {
	mkdir -p mnt/p/s/dir/sub
	touch mnt/p/s/dir/sub/k mnt/p/s/k1 mnt/p/s/k2
	aedb del mnt/p/s/k1 mnt/p/s/k2
	[ "$(ls mnt/p/s)" = dir ]
	run -1 aedb del mnt/p/s/dir
	[ "$output" = 'aedb: mnt/p/s/dir: Directory not empty' ]
	run -1 aedb del mnt/p/s/none
	aedb del -r mnt/p/s/dir
	[ -z "$(ls mnt/p/s)" ]
	aedb del mnt/p/s
	[ -z "$(ls mnt/p)" ]
	run -2 aedb del -r mnt
	[ "$output" = 'aedb: del: mnt is the mount itself' ]
	[ -d mnt/p ]
}

@test "mv renames keys, scopes and projects in a mount" {
	echo v >mnt/p/s/k
	aedb mv mnt/p/s/k mnt/p/s/l
	aedb mv mnt/p/s mnt/p/t
	aedb mv mnt/p mnt/q
	[ "$(cat mnt/q/t/l)" = v ]
	run -1 aedb mv mnt/q/none mnt/q/u
	[ "$output" = 'aedb: mnt/q/none to mnt/q/u: not found' ]
	run -3 aedb mv mnt/q/t/l outside
	[ "$(cat mnt/q/t/l)" = v ]
	[ ! -e outside ]
}

@test "ls and scan list a mount as they list its database" {
	local key
	for key in a/b a-b a0 a/c/d b; do aedb put "mnt/p/s/$key" "value of $key"; done
	ln -s a0 mnt/p/s/link
	[ "$(aedb ls mnt)" = p/ ]
	[ "$(aedb ls mnt/p)" = s/ ]
	[ "$(aedb ls mnt/p/s)" = $'a/\na-b\na0\nb\nlink' ]
	[ "$(aedb ls --json mnt/p/s | jq -r .type | sort | uniq -c | xargs)" = \
		'1 directory 3 key 1 symlink' ]
	[ "$(aedb ls --json mnt | jq -r .type)" = project ]
	[ "$(aedb ls --json mnt/p | jq -r .type)" = scope ]
	aedb ls -l mnt/p/s | grep -qE '^ +10 +- 20[^ ]*Z +b$'
	aedb scan --values mnt/p/s >mounted
	aedb scan -r mnt/p/s >mounted-reverse
	aedb scan --prefix=a/ --limit=1 mnt/p/s >mounted-prefix
	[ "$(cat mounted-prefix)" = a/b ]
	rm mnt/p/s/link
	aedb umount mnt
	aedb scan --values "$DB" p/s | cmp - mounted
	aedb scan -r "$DB" p/s | cmp - mounted-reverse
}

@test "a mounted database named by its directory is refused, naming the mount" {
	for command in "get $DB p/s k" "put $DB p/s k v" "del $DB p" "ls $DB"; do
		# shellcheck disable=SC2086 # words
		run -4 aedb $command
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedb: $DB: "*"it is mounted: use paths in $MNT instead" ]]
	done
	aedb put mnt/p/s/k v
}

@test "a link from outside leads into the mount" {
	ln -s mnt/p link
	aedb put link/s/k v
	[ "$(aedb get link/s/k)" = v ]
	[ "$(aedb ls link)" = s/ ]
	run -2 aedb put link/s/k v w
	[[ $output == 'aedb: put: link/s/k is in a mount: '* ]]
}

@test "umount returns when the daemon has ended and the database is free" {
	local pid i
	for i in 1 2 3 4 5; do
		pid=$(mount_pid)
		echo "$i" >mnt/p/s/k
		aedb umount mnt
		process_is_gone "$pid"
		[ "$(aedb get "$DB" p/s k)" = $i ]
		mount_start
	done
	[ "$(aedb umount --json "$DB" | jq -r .mount)" = "$MNT" ]
	aedb get "$DB" p/s k
}

@test "umount refuses while files are open, and --lazy does not" {
	exec 9<mnt/p/s
	run aedb umount mnt
	[[ $status == [34] ]]
	[[ $output == "aedb: $MNT: "* ]]
	mountpoint -q mnt
	echo v >mnt/p/s/k
	aedb umount --lazy --timeout=1 mnt 9<&- || [ $? = 4 ]
	run ! mountpoint -q mnt
	exec 9<&-
}

@test "umount of what is no mount of a database has status 1" {
	mkdir plain
	run -1 aedb umount plain
	[ "$output" = 'aedb: plain: no database is mounted here' ]
	run -1 aedb umount /proc
	mountpoint -q /proc
	run -1 aedb umount nowhere
	run -2 aedb umount --timeout=soon mnt
	mountpoint -q mnt
}

@test "a mount whose daemon was killed is named, and umount takes it away" {
	aedb put mnt/p/s/k v
	local pid
	pid=$(mount_pid)
	kill -KILL "$pid"
	wait_for 20 process_is_gone "$pid"
	run -3 aedb get mnt/p/s/k
	[ "$output" = "aedb: mnt/p/s/k: the daemon of this mount is gone; 'aedb umount' takes the mount away" ]
	aedb umount mnt
	run ! mountpoint -q mnt
	[ "$(aedb get "$DB" p/s k)" = v ]
}

@test "aedb mount is aedbfs, with its options and its failures" {
	aedb umount mnt
	aedb mount -o durability=full "$DB" mnt 3>&- 4>&-
	mountpoint -q mnt
	aedb umount mnt
	mkdir empty
	run aedb mount empty mnt 3>&- 4>&-
	[ "$status" != 0 ]
	[[ $output == *empty* ]]
	[ -z "$(ls -A empty)" ]
	run ! mountpoint -q mnt
	aedb mount --help | grep -q 'Usage: aedb mount'
}

@test "umount waits for the daemon of a read-only mount too" {
	aedb umount mnt
	mount_start -o ro
	pid=$(mount_pid)
	kill -STOP "$pid"
	run -4 aedb umount --timeout=1 mnt
	kill -CONT "$pid"
	wait_for 20 process_is_gone "$pid"
}
