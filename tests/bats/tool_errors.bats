#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
# What the tools say to bad input, and that it costs nothing.
load mount
bats_require_minimum_version 1.5.0

setup() {
	DB=$BATS_TEST_TMPDIR/db
	cd "$BATS_TEST_TMPDIR" || return 1
	aedb init "$DB"
	aedb put -p "$DB" p/s k v
}

teardown() {
	! mountpoint -q "$BATS_TEST_TMPDIR/small" || umount "$BATS_TEST_TMPDIR/small"
}

# One line, which begins so; and the database is as it was.
says() {
	[ "${#lines[@]}" = 1 ]
	[[ $output == "$1"* ]]
	[ "$(aedb scan --values "$DB" p/s)" = $'k\tv' ]
}

@test "wrong commands, options and numbers of arguments have status 2" {
	run -2 aedb
	says 'aedb: aedb: which command?'
	run -2 aedb frobnicate
	says 'aedb: aedb: there is no command "frobnicate"'
	run -2 aedb --frobnicate get
	says 'aedb: aedb: unknown option --frobnicate'
	run -2 aedb get --frobnicate "$DB" p/s k
	says 'aedb: get: wrong option --frobnicate'
	run -2 aedb get -lx "$DB" p/s k
	says 'aedb: get: unknown option -l'
	run -2 aedb scan "$DB" p/s --limit
	says 'aedb: scan: option --limit needs an argument'
	run -2 aedb ls --long=3 "$DB"
	says 'aedb: ls: wrong option --long=3'
	run -2 aedb get
	says 'aedb: get: too few arguments'
	run -2 aedb get "$DB" p/s k more
	says 'aedb: get: too many arguments'
	run -2 aedb get "$DB"
	says "aedb: get: $DB is not in a mounted database"
	run -2 aedb put -f file "$DB" p/s k value
	says 'aedb: put: a VALUE and --file'
	run -2 aedb help frobnicate
	says 'aedb: help: there is no command "frobnicate"'
}

@test "wrong names of projects, scopes and keys have status 2" {
	for name in '' a.b 'a b' a/b/c p/ /s p/a.b "$(printf '%0129d' 0)"; do
		run -2 aedb put "$DB" "$name"
		says 'aedb: put: '
	done
	run -2 aedb get "$DB" p k
	says 'aedb: get: "p" names a project; PROJECT/SCOPE is needed'
	run -2 aedb put "$DB" p/s "$(printf '%05000d' 0)" v
	says "aedb: $DB: p/s: key \"000"
	aedb put "$DB" "$(printf '%0128d' 0)"
}

@test "a missing database is status 3, and nothing is made" {
	for command in 'get nodb p/s k' 'put -p nodb p/s k v' 'ls nodb' \
		'del nodb p' 'mv nodb p q' 'scan nodb p/s'; do
		# shellcheck disable=SC2086 # words
		run -3 aedb $command
		says 'aedb: nodb: '
		[ ! -e nodb ]
	done
	run -3 aedb init nodir/db
	says 'aedb: nodir/db: '
	[ ! -e nodir ]
}

@test "what is no database is named and left alone" {
	mkdir foreign
	echo mine >foreign/file
	echo text >plain
	for path in foreign plain plain/db; do
		run aedb put -p $path p/s k v
		[[ $status == [35] ]]
		says "aedb: $path: "
		run aedb ls $path
		[[ $status == [35] ]]
		says "aedb: $path: "
		run aedb init $path
		[[ $status == [135] ]]
		says "aedb: $path: "
	done
	[ "$(ls -A foreign)" = file ]
	[ "$(cat foreign/file plain)" = $'mine\ntext' ]
}

@test "init makes a database once, also in an empty directory" {
	run -1 aedb init "$DB"
	says "aedb: $DB: "
	mkdir empty
	[ "$(aedb init --json empty | jq -r .database)" = "$PWD/empty" ]
	[ -z "$(aedb ls empty)" ]
	run -1 aedb init empty
}

@test "no access is said for the path, with status 3" {
	[ "$(id -u)" = 0 ] || skip "needs root to give up root"
	chmod 711 "$BATS_TEST_TMPDIR"
	run setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$AEDB_BUILD/aedb" get "$DB" p/s k
	[ "$status" = 3 ]
	says "aedb: $DB: "
}

@test "a file of a newer format and a damaged one are named, with status 5" {
	cp -r "$DB" newer
	local manifest
	manifest=$(ls newer/MANIFEST-*)
	printf '\xff\xff' | dd of="$manifest" bs=1 seek=8 conv=notrunc status=none
	run -5 aedb get newer p/s k
	says 'aedb: newer: '
	[[ $output == *MANIFEST-* ]]
	: >"$manifest"
	run -5 aedb put newer p/s k new
	says 'aedb: newer: '
}

@test "a database in use is status 4 and names the process" {
	mkfifo pipe
	aedb put "$DB" p/s other <pipe 3>&- &
	exec 9>pipe
	# it opens the database, and leaves its process id there, before it reads
	wait_for 20 grep -qx $! "$DB/LOCK"
	run -4 aedb put "$DB" p/s k new
	[ "${#lines[@]}" = 1 ]
	[[ $output == "aedb: $DB: "*"$!"* ]]
	echo late >&9
	exec 9>&-
	wait $!
	[ "$(aedb scan --values "$DB" p/s)" = $'k\tv\nother\t"late\\n"' ]
}

@test "a full disk fails with status 3 and loses nothing" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir small
	mount -t tmpfs -o size=32M none small
	aedb init small/db
	aedb put -p small/db p/s k v
	head -c 64M /dev/urandom >large
	run aedb put small/db p/s large -f large
	local got="$status ${#lines[@]} $output"
	run aedb scan --values small/db p/s
	umount small
	[[ $got == "3 1 aedb: small/db: "*[Nn]o*space* ]]
	[ "$output" = $'k\tv' ]
}

@test "output that cannot be written is an error with status 3" {
	head -c 100000 /dev/zero | tr '\0' x | aedb put "$DB" p/s long
	for command in 'get p/s k' 'get p/s long' 'ls' 'scan p/s' '--json scan p/s'; do
		# shellcheck disable=SC2086 # words
		set -- $command
		[ "$1" = --json ] && { local json=$1; shift; } || local json=
		run -3 bash -c 'aedb $0 "$@" >/dev/full' "$json" "$1" "$DB" "${@:2}"
		[[ $output == *'standard output'*'No space left on device'* ]]
		run -3 bash -c 'aedb $0 "$@" >&-' "$json" "$1" "$DB" "${@:2}"
		[[ $output == *'standard output'*'Bad file descriptor'* ]]
	done
	run -3 bash -c 'aedb --help >/dev/full'
	[[ $output == 'aedb: standard output: No space left on device' ]]
	run -3 bash -c 'aedb --version >/dev/full'
	run -3 bash -c 'aedb get --help >/dev/full'
}

@test "a closed pipe is reported, and does not kill silently" {
	head -c 1000000 /dev/zero | tr '\0' x | aedb put "$DB" p/s long
	run bash -c 'aedb get "$1" p/s long | true; echo "${PIPESTATUS[0]}"' sh "$DB"
	[ "$output" = $'aedb: standard output: Broken pipe\n3' ]
}

@test "a closed standard output is never the database" {
	aedb put "$DB" p/s k new >&- 2>&- <&- || true
	aedb put "$DB" p/s k v
	aedb get "$DB" p/s k >&- 2>&- <&- || true
	[ "$(aedb scan --values "$DB" p/s)" = $'k\tv' ]
}

@test "with --json a failure is one object on standard error" {
	run -1 --separate-stderr aedb --json get "$DB" p/s $'no"\xffkey'
	[ -z "$output" ]
	jq -e --arg db "$DB" '.status == 1 and .reason == "not found" and
		(.what | startswith($db + ": p/s: key"))' <<<"$stderr"
	run -2 --separate-stderr aedb get --json
	jq -e '.status == 2 and .what == "get"' <<<"$stderr"
}

@test "a message is one line whatever the name holds" {
	run -3 aedb get $'no\ndb\033[1m' p/s k
	[ "${#lines[@]}" = 1 ]
	[[ $output == 'aedb: no?db?[1m: '* ]]
}

@test "help, version and the manual agree on commands and options" {
	local page=$BATS_TEST_DIRNAME/../../docs/man/aedb.1 command option
	[[ $(aedb --version) == "aedb "[0-9]*.[0-9]*.[0-9]* ]]
	[ "$(aedb help)" = "$(aedb --help)" ]
	for command in $(aedb help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		[ "$(aedb help "$command")" = "$(aedb "$command" --help)" ]
		grep -qE "(aedb $command|BR get .*\b$command\b|B $command)" "$page"
		for option in $(aedb help "$command" | grep -oE -- '--[a-z]+' | sort -u); do
			grep -qF -- "\\-\\-${option#--}" "$page" || {
				echo "$command $option is not in the manual"
				return 1
			}
		done
	done
	[ "$(aedb help | sed -n 's/^  \([a-z]*\) .*/\1/p' | wc -l)" -ge 10 ]
}

@test "show prints any file of a database, and refuses what is none" {
	local file
	while read -r file; do
		aedb show "$file" >shown
		grep -q '^format version: 2$' shown || [ "${file##*/}" = CURRENT ]
		[ -s shown ]
	done < <(find "$DB" -type f ! -name LOCK ! -name RESERVE -size +0)
	run -1 aedb show nofile
	echo 'some text' >text
	run -5 aedb show text
	[[ $output == 'aedb: text: '* ]]
}

@test "a damaged database is refused, and --permissive reads what is left of it" {
	aedb put "$DB" p/s later v2
	aedb put "$DB" p/s last v3
	local newest number
	newest=$(find "$DB/wal" -name '*.wal' -printf '%f\n' | sort -n | tail -1)
	number=$((${newest%.wal} - 1))
	# one byte of the payload of the first frame of the file before the last
	printf '\xa5' | dd of="$DB/wal/$number.wal" bs=1 seek=4140 conv=notrunc status=none
	run -5 aedb get "$DB" p/s k
	[ "${#lines[@]}" = 1 ]
	[[ $output == "aedb: $DB: "*"$number.wal"*4096* ]]
	run -5 aedb put "$DB" p/s k new
	run -0 --separate-stderr aedb scan --permissive "$DB" p/s
	[ "$output" = k ]
	[[ $stderr == "aedb: $DB: "*"$number.wal"* ]]
	run -1 aedb get --permissive "$DB" p/s last
	run -5 aedb ls "$DB"
	aedb ls --permissive "$DB" | grep -qx p/
	# what aedb show prints of it says where the damage is
	aedb show "$DB/wal/$number.wal" >shown || true
	grep -q '^byte 4096: .*checksum' shown
}
