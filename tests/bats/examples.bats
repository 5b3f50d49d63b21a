#!/usr/bin/env bats
# The examples of aedb-batches(7) and those of batches in the README do what is
# said of them.

bats_require_minimum_version 1.5.0
load mount

TOP=$BATS_TEST_DIRNAME/../..
PAGE=$TOP/docs/man/aedb-batches.7

setup() {
	mount_prepare
	mount_start
	export HOME=$DIR
	cd "$MNT" || return 1
	mkdir -p shop/web
	echo db1.example >shop/web/host
	echo 5432 >shop/web/port
	echo on >shop/web/debug
	echo 0 >shop/web/visits
}
teardown() {
	cd /
	mount_cleanup
}

# example HEADING N: the text of the N-th example beneath a heading.
example() {
	awk -v heading=".SS $1" -v wanted="$2" '
		/^\.S[HS]/ { here = $0 == heading }
		/^\.EE/ { printing = 0 }
		printing { print }
		/^\.EX/ && here { printing = ++n == wanted }' "$PAGE" |
		sed 's/\\-/-/g; s/\\(aq/'\''/g; s/\\e/\\/g'
}

# try HEADING N: runs it.
try() {
	local text
	text=$(example "$@")
	[ -n "$text" ] && bash -eu -c "$text"
}

# settings: name and value of each, in one line.
settings() { (cd "${1:-shop/web}" && grep -r '' . | sed 's,^\./,,' | sort | xargs); }

no_batch_is_left() { [ -z "$(ls -A .batch)" ]; }

@test "settings are deployed together: by steps, by a command, from a directory" {
	try 'Deploy settings together' 1
	[ "$(settings)" = 'host:db2.example port:5433 visits:0' ]
	try 'Deploy settings together' 2
	[ "$(settings)" = 'host:db3.example port:5434 visits:0' ]
	mkdir "$HOME/release"
	echo db4.example >"$HOME/release/host"
	echo 5434 >"$HOME/release/port"
	try 'Deploy settings together' 3
	[ "$(settings)" = 'host:db4.example port:5434' ]
	no_batch_is_left
}

@test "a number is raised, also by several at a time" {
	for _ in $(seq 5); do
		try 'Raise a number' 1 3>&- &
		try 'Raise a number' 1 3>&-
		wait
	done
	[ "$(cat shop/web/visits)" = 10 ]
}

@test "a batch is looked at before it is committed" {
	run try 'Look before committing' 1
	[ "$status" = 0 ]
	[ "$(grep '^[-+~] ' <<<"$output")" = "$(example 'Look before committing' 2)" ]
	[ "$(settings)" = 'debug:on host:db1.example.org tcp-port:5432 visits:0' ]
	no_batch_is_left
}

@test "a conflict is resolved by a second batch" {
	run --separate-stderr try 'Resolve a conflict' 1
	[ "$output" = "$(example 'Resolve a conflict' 2)" ]
	[[ $stderr == *'Stale file handle' ]]
	[ "$(settings)" = 'debug:on host:db1.example port:7000 visits:0' ]
	[ "$(try 'Resolve a conflict' 3)" = '+ shop/web/mode' ]
	[ "$(settings)" = 'debug:on host:db1.example mode:slow port:7000 visits:0' ]
	no_batch_is_left
}

@test "a snapshot's state comes back at once" {
	echo fast >shop/web/mode
	local before
	before=$(settings)
	[ "$(try 'Go back to a snapshot' 1 | sort)" = $'- shop/web/mode\n~ shop/web/host' ]
	[ "$(settings)" = "$before" ]
	# What did not differ was not written.
	[ "$(aedb changes --json . | tail -n 2 | jq -r .key | sort | xargs)" = 'host mode' ]
	no_batch_is_left
}

@test "what is committed is followed, a batch as one commit" {
	setsid bash -eu -c "$(example 'Follow what is committed' 1)" >"$DIR/followed" 3>&- &
	try 'Deploy settings together' 1
	has_followed() { grep -q 'delete debug' "$DIR/followed"; }
	wait_for 20 has_followed
	[ "$(tail -n 3 "$DIR/followed" | cut -d' ' -f1 | sort -u | wc -l)" = 1 ]
	[ "$(tail -n 3 "$DIR/followed" | cut -d' ' -f2- | sort | xargs)" = \
		'delete debug put host put port' ]
	kill -- -$!
	wait || true
}

@test "a snapshot is copied, and the next night only what changed" {
	try 'Copy a snapshot every night' 1
	[ "$(settings "$HOME/backup/shop/web")" = "$(settings)" ]
	echo new >shop/web/host
	touch -d 2020-01-01 "$HOME/backup/marked"
	try 'Copy a snapshot every night' 1
	[ "$(settings "$HOME/backup/shop/web")" = "$(settings)" ]
	[ -z "$(ls .snap)" ]
	mkdir .snap/now
	[ "$(rsync -ain .snap/now/ "$HOME/backup/" | grep -c '^>f')" = 0 ]
}

@test "the README's batch shows what it changes, and commits; so does its command" {
	mkdir -p home/notes/include
	echo 'int x;' >home/notes/include/x.h
	echo 'buy milk' >home/notes/todo
	local tour
	tour=$(sed -n '/^    mkdir \.batch/,/aedb batch/p' "$TOP/README.md" |
		sed "s,build/aedb,aedb,; s,/mnt/notes,$MNT,")
	[ "$(bash -eu -c "$(sed '/aedb batch/d' <<<"$tour")" | sort)" = \
		$'+ home/notes/headers/\n+ home/notes/headers/x.h\n- home/notes/include/\n- home/notes/include/x.h\n~ home/notes/todo' ]
	[ "$(settings home)" = 'notes/headers/x.h:int x; notes/todo:buy bread' ]
	bash -eu -c "$(grep 'aedb batch' <<<"$tour")"
	[ ! -e home/notes/headers ]
	grep -q 20 home/notes/todo
	no_batch_is_left
}

@test "every example of the page is one of these" {
	[ "$(sed -n '/^.SH EXAMPLES/,$p' "$PAGE" | grep -c '^\.EX')" = \
		"$(grep -oE "(try|example) '[A-Z][a-z ]+' [0-9]" "$BATS_TEST_FILENAME" |
			cut -d"'" -f2- | sort -u | wc -l)" ]
}
