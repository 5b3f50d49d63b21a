#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
# aedb get, put, del, mv on a database that is not mounted.
load mount
bats_require_minimum_version 1.5.0

setup() {
	DB=$BATS_TEST_TMPDIR/db
	aedb init "$DB"
	aedb put -p "$DB" p/s
	cd "$BATS_TEST_TMPDIR" || return 1
}

# Every key with its value, to compare states.
state() {
	aedb scan --values "$DB" "${1:-p/s}"
}

@test "what was put is what get prints, byte for byte" {
	head -c 100000 /dev/urandom >random
	printf '\0\xff\n' >odd
	: >empty
	for file in random odd empty; do
		aedb put "$DB" p/s "key of $file" <$file
		aedb get "$DB" p/s "key of $file" >got
		cmp $file got
	done
}

@test "a value can be an argument, a file or standard input" {
	printf 'from a file' >file
	aedb put "$DB" p/s argument 'from an argument'
	aedb put -f file "$DB" p/s file
	printf 'from a pipe' | aedb put "$DB" p/s pipe
	printf 'from -' | aedb put --file=- "$DB" p/s dash
	[ "$(aedb get "$DB" p/s argument)" = 'from an argument' ]
	[ "$(aedb get "$DB" p/s file)" = 'from a file' ]
	[ "$(aedb get "$DB" p/s pipe)" = 'from a pipe' ]
	[ "$(aedb get "$DB" p/s dash)" = 'from -' ]
}

@test "put replaces a value and leaves the other keys alone" {
	aedb put "$DB" p/s a 1
	aedb put "$DB" p/s b 2
	aedb put "$DB" p/s a 'a longer value'
	[ "$(state)" = $'a\ta longer value\nb\t2' ]
}

@test "keys are any bytes: slashes, dashes, newlines, and NUL through --hex" {
	aedb put "$DB" p/s -- -x 'begins with a dash'
	aedb put "$DB" p/s a//b/../c/ 'not a path'
	aedb put "$DB" p/s $'two\nlines' newline
	aedb put -x "$DB" p/s 6100ff 'holds NUL'
	[ "$(aedb get "$DB" p/s -- -x)" = 'begins with a dash' ]
	[ "$(aedb get "$DB" p/s a//b/../c/)" = 'not a path' ]
	[ "$(aedb get "$DB" p/s $'two\nlines')" = newline ]
	[ "$(aedb get --hex "$DB" p/s 6100FF)" = 'holds NUL' ]
	aedb scan -x "$DB" p/s | grep -qx 6100ff
	run -2 aedb get -x "$DB" p/s 6g
	[[ $output == *'"6g" is not made of pairs of hexadecimal digits'* ]]
	run -2 aedb get -x "$DB" p/s 616
}

# Runs a command and fails if it needed more memory than so many MiB.
within() {
	python3 -c '
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print("used", used, "MiB", file=sys.stderr)
sys.exit(status or used > int(sys.argv[1]))' "$@"
}

@test "a value of 300 MiB passes through without being held in memory" {
	set -o pipefail
	case ${MODE-} in asan | tsan) skip "the sanitizer needs memory" ;; esac
	head -c 300M /dev/zero | tr '\0' 'z' >large
	within 100 aedb put "$DB" p/s big <large
	within 100 aedb get "$DB" p/s big | cmp - large
	[ "$(aedb ls --json "$DB" p/s | jq .value_bytes)" = 314572800 ]
	within 100 aedb get --json "$DB" p/s big | tail -c 4 | grep -qx 'z"}'
	within 100 aedb scan --values "$DB" p/s | cut -f2 | cmp - <(cat large; echo)
}

@test "put makes a project and a scope only with --parents, and in one commit" {
	run -1 aedb put "$DB" new/scope k v
	[ "$output" = "aedb: $DB: project new: not found" ]
	run -1 aedb put "$DB" p/new k v
	[ "$output" = "aedb: $DB: scope p/new: not found" ]
	[ "$(aedb ls "$DB")" = p/ ]
	aedb put --parents "$DB" new/scope k v
	[ "$(aedb get "$DB" new/scope k)" = v ]
	aedb put --parents "$DB" new/scope k2 v2
	[ "$(aedb scan "$DB" new/scope)" = $'k\nk2' ]
}

@test "a failed put with --parents leaves neither project nor scope behind" {
	run -3 aedb put -p -f . "$DB" new/scope k
	[[ $output == "aedb: .: "* ]]
	[ "$(aedb ls "$DB")" = p/ ]
}

@test "put without a key makes a project or scope, once" {
	aedb put "$DB" q
	aedb put "$DB" q/t
	[ "$(aedb ls "$DB")" = $'p/\nq/' ]
	[ "$(aedb ls "$DB" q)" = t/ ]
	run -1 aedb put "$DB" q/t
	run -1 aedb put "$DB" q
	run -1 aedb put "$DB" r/t
	[[ $output == *"project r: not found" ]]
	aedb put -p "$DB" q/t
	aedb put -p "$DB" r/t
	[ "$(aedb ls "$DB" r)" = t/ ]
}

@test "put --new refuses a key that is there and keeps its value" {
	aedb put --new "$DB" p/s k old
	run -1 aedb put --new "$DB" p/s k new
	[[ $output == "aedb: $DB: p/s: key \"k\": "* ]]
	[ "$(aedb get "$DB" p/s k)" = old ]
}

@test "a put whose input fails keeps the old value" {
	aedb put "$DB" p/s k old
	run -3 aedb put -f "$BATS_TEST_TMPDIR" "$DB" p/s k
	[ "$output" = "aedb: $BATS_TEST_TMPDIR: Is a directory" ]
	run -3 aedb put -f nowhere "$DB" p/s k
	[ "$output" = "aedb: nowhere: No such file or directory" ]
	[ "$(aedb get "$DB" p/s k)" = old ]
}

@test "get says which key, scope or project is not there, with status 1" {
	run -1 aedb get "$DB" p/s $'no\tkey'
	[ "$output" = "aedb: $DB: p/s: key \"no\\tkey\": not found" ]
	run -1 aedb get "$DB" p/t k
	[ "$output" = "aedb: $DB: scope p/t: not found" ]
	run -1 aedb get "$DB" q/s k
	[ "$output" = "aedb: $DB: project q: not found" ]
}

@test "del deletes all keys named, or none if one is not there" {
	for key in a b c; do aedb put "$DB" p/s $key v; done
	run -1 aedb del "$DB" p/s a nokey b
	[ "$output" = "aedb: $DB: p/s: key \"nokey\": not found" ]
	[ "$(aedb scan "$DB" p/s)" = $'a\nb\nc' ]
	aedb del "$DB" p/s a c
	[ "$(aedb scan "$DB" p/s)" = b ]
}

@test "del --prefix deletes what begins with it and nothing else" {
	for key in a a/ a/1 a/2/3 a0 b; do aedb put "$DB" p/s $key v; done
	[ "$(aedb --json del --prefix=a/ "$DB" p/s)" = '{"deleted":3}' ]
	[ "$(aedb scan "$DB" p/s)" = $'a\na0\nb' ]
	run -1 aedb del --prefix=a/ "$DB" p/s
	run -2 aedb del --prefix= "$DB" p/s
	[ "$(aedb scan "$DB" p/s)" = $'a\na0\nb' ]
}

@test "del drops an empty scope or project, and a full one only with -r" {
	aedb put "$DB" p/s k v
	run -1 aedb del "$DB" p
	run -1 aedb del "$DB" p/s
	[[ $output == "aedb: $DB: p/s: "* ]]
	[ "$(aedb get "$DB" p/s k)" = v ]
	aedb del -r "$DB" p/s
	[ -z "$(aedb ls "$DB" p)" ]
	aedb put -p "$DB" p/one k v
	aedb put -p "$DB" p/two k v
	aedb put "$DB" q
	aedb del -r "$DB" p
	[ "$(aedb ls "$DB")" = q/ ]
	aedb del "$DB" q
	[ -z "$(aedb ls "$DB")" ]
	run -1 aedb del "$DB" q
	run -1 aedb del -r "$DB" q
}

@test "mv renames a key, replacing what is there, also to another scope" {
	aedb put -p "$DB" q/t other 1
	aedb put "$DB" p/s a A
	aedb put "$DB" p/s b B
	id=$(aedb ls --json "$DB" p/s | jq 'select(.name == "a").id')
	aedb mv "$DB" p/s a b
	[ "$(state)" = $'b\tA' ]
	[ "$(aedb ls --json "$DB" p/s | jq .id)" = "$id" ]
	aedb mv "$DB" p/s b q/t c/d
	[ -z "$(state)" ]
	[ "$(state q/t)" = $'c/d\tA\nother\t1' ]
	run -1 aedb mv "$DB" p/s nokey b
	[ "$output" = "aedb: $DB: p/s: key \"nokey\": not found" ]
}

@test "mv renames scopes and projects with all they hold" {
	aedb put "$DB" p/s k v
	aedb put "$DB" p/taken
	aedb mv "$DB" p/s p/t
	[ "$(aedb get "$DB" p/t k)" = v ]
	run -1 aedb mv "$DB" p/t p/taken
	run -1 aedb mv "$DB" p/nothing p/x
	[[ $output == *"p/nothing to p/x: not found" ]]
	aedb mv "$DB" p q
	[ "$(aedb get "$DB" q/t k)" = v ]
	aedb put "$DB" r
	aedb mv "$DB" q/t r/t
	[ "$(aedb get "$DB" r/t k)" = v ]
	run -2 aedb mv "$DB" r/t r
	[[ $output == *"a scope cannot become a project" ]]
	[ "$(aedb get "$DB" r/t k)" = v ]
}

@test "progress is shown on a terminal only" {
	head -c 1000 /dev/zero >small
	aedb put "$DB" p/s small -f small 2>said
	[ ! -s said ]
	# its input ends when the progress has been seen
	: >terminal
	timeout 60 script -qfec "bash -c '
		until grep -aq MiB terminal; do head -c 100K /dev/zero; done |
			aedb put $DB p/s k >/dev/null'" terminal >/dev/null
	tr '\r' '\n' <terminal | grep -aqE '^[0-9]+\.[0-9] MiB'
	[ "$(aedb get "$DB" p/s k | tr -d '\0' | wc -c)" = 0 ]
}
