#!/usr/bin/env bats
# aedb batch: a command whose changes are committed at once or not at all.

bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	cd "$DIR" || return 1
	aedb put -p db p/s n 0
	mount_start
}
teardown() {
	cd /
	mount_cleanup
	[ -z "${top-}" ] || { mount_cleanup "$top/dir"; rm -rf --one-file-system "$top"; }
}

no_batch_is_left() { [ -z "$(ls -A mnt/.batch)" ]; }

@test "a command's changes are seen by nobody before it ends, and then by all" {
	aedb batch mnt -- sh -c '
		echo 1 >p/s/n
		mkdir -p q/t/dir
		echo new >q/t/dir/k
		[ "$(cat '"$MNT"'/p/s/n)" = 0 ] && [ ! -e '"$MNT"'/q ]
		[ "$AEDB_BATCH" = "$PWD" ] && [ "${PWD%/*}" = '"$MNT"'/.batch ]
		echo "from $(cat)"' <<<in >out
	[ "$(cat mnt/p/s/n mnt/q/t/dir/k)" = $'1\nnew' ]
	[ "$(cat out)" = 'from in' ]
	no_batch_is_left
	# Any path in the mount will do, and arguments are the command's own.
	(cd mnt/p && aedb batch s/n -- sh -c 'echo "$0 $1" >p/s/n' -x --help)
	[ "$(cat mnt/p/s/n)" = '-x --help' ]
	aedb batch mnt true
	no_batch_is_left
}

@test "a command that fails or is killed changes nothing, and its status is told" {
	run -3 aedb batch mnt -- sh -c 'echo 1 >p/s/n; rm -r q; exit 3'
	[ "${lines[-1]}" = 'aedb: mnt: the command ended with status 3; nothing was changed' ]
	run -255 aedb batch mnt -- sh -c 'echo 1 >p/s/n; exit 255'
	run -137 aedb batch mnt -- sh -c 'echo 1 >p/s/n; kill -KILL $$'
	run -143 aedb batch mnt -- sh -c 'echo 1 >p/s/n; kill -TERM $$'
	[ "$(cat mnt/p/s/n)" = 0 ]
	no_batch_is_left
	run -3 --separate-stderr aedb --json batch mnt -- sh -c 'echo out; exit 3'
	[ "$output" = out ]
	[ "$(jq -r '.status, .what' <<<"$stderr" | xargs)" = '3 mnt' ]
}

@test "a command that cannot be run is told as shells do" {
	run -127 aedb batch mnt -- no-such-command
	[ "$output" = 'aedb: no-such-command: No such file or directory' ]
	run -126 aedb batch mnt -- /etc/passwd
	no_batch_is_left
}

@test "what was changed meanwhile is a conflict: nothing is applied, the paths are told" {
	run -7 --separate-stderr aedb batch mnt -- sh -c "
		echo mine >p/s/n
		echo mine >p/s/other
		echo theirs >'$MNT/p/s/n'"
	[ "$(cat mnt/p/s/n)" = theirs ]
	[ ! -e mnt/p/s/other ]
	[[ $stderr == $'aedb: conflict: p/s/n\naedb: mnt: batch '* ]]
	[ -z "$output" ]
	no_batch_is_left
	local name=$'p/s/tab\t"'
	run -7 --separate-stderr aedb --json batch mnt -- sh -c "
		echo mine | tee '$name'
		echo others >'$MNT/$name'"
	[ "$output" = mine ]
	[ "$(jq -r .conflict <<<"$stderr" | head -n 1)" = "$name" ]
	[ "$(jq -c .status <<<"$stderr" | xargs)" = 'null 7' ]
	rm "mnt/$name"
	# What both made in one directory is no conflict.
	aedb batch mnt -- sh -c "echo 1 >p/s/mine; echo 1 >'$MNT/p/s/theirs'; ls p/s"
	[ "$(echo mnt/p/s/*)" = 'mnt/p/s/mine mnt/p/s/n mnt/p/s/theirs' ]
}

@test "with --retry the command is run again on the newest state" {
	cat >raise <<-'END'
		n=$(cat p/s/n)
		echo $((n + 1)) >p/s/n
		# Somebody else is faster, the first times.
		[ "$n" -ge "$2" ] || echo $((n + 10)) >"$1/p/s/n"
	END
	[ "$(aedb batch --json --retry 3 mnt -- sh "$DIR/raise" "$MNT" 20)" = '{"runs":3}' ]
	[ "$(cat mnt/p/s/n)" = 21 ]
	run -7 aedb batch --retry=2 mnt -- sh "$DIR/raise" "$MNT" 100
	[ "$(cat mnt/p/s/n)" = 51 ]
	no_batch_is_left
	# A failure ends it at once.
	run -5 aedb batch --retry 3 mnt -- sh -c "echo run >>'$DIR/runs'; exit 5"
	[ "$(wc -l <runs)" = 1 ]
}

# add WRITER: raises the number twenty times.
add() {
	for _ in $(seq 20); do
		aedb batch --retry 10000 mnt -- sh -c "
			n=\$(cat p/s/n)
			echo \$((n + 1)) >p/s/n
			echo \$n >>p/s/log-$1" 3>&- || echo "$1 failed" >>failures
	done
}

@test "two writers with --retry and one beside them lose nothing" {
	add one &
	add two &
	for i in $(seq 50); do
		echo "$i" >mnt/p/s/beside
	done
	wait
	[ ! -e failures ]
	[ "$(cat mnt/p/s/n)" = 40 ]
	[ "$(sort -n mnt/p/s/log-*)" = "$(seq 0 39)" ]
	[ "$(cat mnt/p/s/beside)" = 50 ]
	no_batch_is_left
}

# start_waiting COMMAND: in the background; when it returns, the command waits.
start_waiting() {
	# A shell's background commands ignore SIGINT.
	perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec @ARGV' \
		aedb batch mnt -- sh -c "$1" 3>&- 2>err &
	batch=$!
	wait_for 20 test -e started
	rm started
}

# ends_with STATUS PROCESS: of the background.
ends_with() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

@test "a signal is passed on, and nothing is changed" {
	for signal in 1 2 3 15; do
		start_waiting "echo 1 >p/s/n; echo \$\$ >'$DIR/pid'; >'$DIR/started'
			exec perl -e 'sleep'"
		kill -s $signal $batch
		ends_with $((128 + signal)) $batch
		process_is_gone "$(cat pid)"
		[ "$(cat mnt/p/s/n)" = 0 ]
		no_batch_is_left
		grep -q 'nothing was changed' err
	done
	# Also if the command takes it for a reason to end well.
	start_waiting "trap 'echo 1 >p/s/n; exit 0' TERM; >'$DIR/started'
		while :; do sleep 0.01; done"
	kill -TERM $batch
	ends_with 143 $batch
	[ "$(cat mnt/p/s/n)" = 0 ]
	no_batch_is_left
}

@test "signals that its starter ignores do not end it" {
	(
		trap '' HUP
		exec aedb batch mnt -- sh -c "echo 1 >p/s/n; >'$DIR/started'
			until [ -e '$DIR/go' ]; do sleep 0.01; done" 3>&-
	) &
	wait_for 20 test -e started
	kill -HUP $!
	touch go
	wait $!
	[ "$(cat mnt/p/s/n)" = 1 ]
}

@test "a process left behind that has a file half written is told, and nothing is changed" {
	run -4 aedb batch mnt -- sh -c "
		echo 1 >p/s/other
		(echo half; touch '$DIR/started'; exec sleep 1000) >p/s/n 2>&1 3>&- &
		echo \$! >'$DIR/pid'
		until [ -e '$DIR/started' ]; do sleep 0.01; done"
	[[ $output == *p/s/n* ]]
	[[ $output != *other* ]]
	kill "$(cat pid)"
	[ "$(cat mnt/p/s/n)" = 0 ]
	[ ! -e mnt/p/s/other ]
	no_batch_is_left
}

@test "a batch that somebody else ended is told" {
	run -1 aedb batch mnt -- sh -c 'echo 1 >p/s/n; rmdir "$AEDB_BATCH"'
	[[ $output == *'it was aborted meanwhile'* ]]
	[ "$(cat mnt/p/s/n)" = 0 ]
}

@test "other users have batches of their own, where they may write" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cd /
	mount_stop
	# A directory that they reach, with the program.
	top=$(mktemp -d /tmp/aedbfs-batch.XXXXXX)
	chmod 755 "$top"
	cp "$AEDB_BUILD/aedb" "$top"
	mount_prepare "$top/dir"
	mount_start -o allow_other
	cd "$MNT"
	mkdir -p p/s p/closed
	chmod 777 p/s
	other() { setpriv --reuid=1234 --regid=5678 --clear-groups "$@"; }
	other "$top/aedb" batch . -- sh -c 'echo 1 >p/s/k; mkdir p/s/dir'
	[ "$(stat -c %u:%g p/s/k p/s/dir | xargs)" = '1234:5678 1234:5678' ]
	run -1 other "$top/aedb" batch . -- mkdir p/closed/dir
	[ ! -e p/closed/dir ]
	# Root may look at others' batches, and they at their own alone.
	other mkdir .batch/other
	other sh -c 'echo 1 >.batch/other/p/s/k2'
	mkdir .batch/root
	echo 2 >.batch/root/p/s/k
	[ "$(aedb batch --list . | awk '{ print $1, ($3 > 0), $4 }' | xargs)" = '1234 1 other root 1 root' ]
	[ "$(other "$top/aedb" batch --list . | awk '{ print $1, $3, $4 }' | xargs)" = \
		'1234 2 other root - root' ]
	[ "$(other cat .batch/other/.status)" = "$(grep '^batch other ' .status)" ]
	run -1 other cat .batch/root/.status
	run ! other sh -c 'echo commit >.batch/root/.control'
	run ! other rmdir .batch/root
	rmdir .batch/other
	cd /
}

@test "where there can be no batch the command is not run" {
	run -2 aedb batch mnt
	run -2 aedb batch
	run -2 aedb batch mnt --retry 0 -- touch "$DIR/ran"
	run -2 aedb batch mnt --retry x -- touch "$DIR/ran"
	run -2 aedb batch mnt --try 1 -- touch "$DIR/ran"
	run -2 aedb batch mnt --list -- touch "$DIR/ran"
	run -2 aedb batch db -- touch "$DIR/ran"
	[[ $output == *'is not in a mounted database' ]]
	run -2 aedb batch none -- touch "$DIR/ran"
	mount_stop
	mount_start -o ro
	run -3 aedb batch mnt -- touch "$DIR/ran"
	[ ! -e ran ]
}

@test "when the daemon is gone that is the reason" {
	run -3 aedb batch mnt -- kill -KILL "$(mount_pid)"
	[[ $output == *'the daemon of this mount is gone'* ]]
	mount_detach "$MNT"
	mount_start
	[ "$(cat mnt/p/s/n)" = 0 ]
	no_batch_is_left
}

@test "open batches are listed with owner, age and number of changes" {
	[ -z "$(aedb batch --list mnt)" ]
	mkdir mnt/.batch/one mnt/.batch/two
	echo 1 >mnt/.batch/two/p/s/n
	aedb batch mnt --list >list
	[[ $(sed -n 1p list) =~ ^$(id -un)\ +00:[0-9]{2}\ +0\ one$ ]]
	[[ $(sed -n 2p list) =~ ^$(id -un)\ +00:[0-9]{2}\ +[1-9]\ two$ ]]
	[ "$(aedb --json batch --list mnt/p | jq -c '[.batch, .owner, .changes > 0]' | xargs)" = \
		"[one,$(id -un),false] [two,$(id -un),true]" ]
	[ "$(aedb --json batch --list mnt | jq .changes | xargs)" = \
		"$(aedb --json status mnt | jq '.batches[].changes' | xargs)" ]
	[ "$(aedb --json status mnt | jq -c '.batches[] | [.batch, .uid, .bytes > 0]' | xargs)" = \
		"[one,$(id -u),false] [two,$(id -u),true]" ]
	[ "$(aedb --json batch --list mnt | jq -s 'all(.age_seconds < 100)')" = true ]
	[[ $(aedb --json batch --list mnt | jq -r .time | head -1) =~ ^20[0-9-]+T[0-9:.]+Z$ ]]
	rmdir mnt/.batch/*
	[ -z "$(aedb batch --list mnt)" ]
}
