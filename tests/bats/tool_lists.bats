#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
# aedb ls and scan on a database that is not mounted; JSON.
load mount
bats_require_minimum_version 1.5.0

setup_file() {
	export DB=$BATS_FILE_TMPDIR/db
	local key
	aedb init "$DB"
	for key in a a-b a/b a/b/c a/d b/x/y c; do
		aedb put -p "$DB" p/s "$key" "value of $key"
	done
	aedb put "$DB" p/empty
	aedb put -p "$DB" q/odd $'tab\t' $'\xff\n'
	aedb put "$DB" q/odd 'quo"te' ''
	aedb put "$DB" q/odd $'\xc3\xa9' $'\xe2\x82\xac'
	aedb put -x "$DB" q/odd ff00 x
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	! mountpoint -q "$BATS_TEST_TMPDIR/ro" || umount "$BATS_TEST_TMPDIR/ro"
}

@test "ls lists projects, scopes, then one level of keys" {
	[ "$(aedb ls "$DB")" = $'p/\nq/' ]
	[ "$(aedb ls "$DB" p)" = $'empty/\ns/' ]
	[ "$(aedb ls "$DB" p/s)" = $'a\na-b\na/\nb/\nc' ]
	[ "$(aedb ls "$DB" p/s a)" = $'b\nb/\nd' ]
	[ "$(aedb ls "$DB" p/s a/b/)" = c ]
	[ -z "$(aedb ls "$DB" p/empty)" ]
}

@test "ls of what is not there names it, with status 1" {
	run -1 aedb ls "$DB" nope
	[ "$output" = "aedb: $DB: project nope: not found" ]
	run -1 aedb ls "$DB" p/nope
	[ "$output" = "aedb: $DB: scope p/nope: not found" ]
	run -1 aedb ls "$DB" p/s nope
	[ "$output" = "aedb: $DB: p/s: key \"nope\": not found" ]
}

@test "ls -l has size, version and time" {
	aedb ls -l "$DB" p/s | grep -qE \
		'^ +10 +[0-9]+ 20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:]{8}\.[0-9]{9}Z a$'
	aedb ls -l "$DB" p/s | grep -qE '^ +- +- - +b/$'
}

@test "scan lists keys in byte order, forward and in reverse" {
	[ "$(aedb scan "$DB" p/s)" = $'a\na-b\na/b\na/b/c\na/d\nb/x/y\nc' ]
	[ "$(aedb scan -r "$DB" p/s)" = "$(aedb scan "$DB" p/s | tac)" ]
	[ -z "$(aedb scan "$DB" p/empty)" ]
}

@test "scan keeps to prefix, range and limit, in both directions" {
	[ "$(aedb scan --prefix=a/ "$DB" p/s)" = $'a/b\na/b/c\na/d' ]
	[ "$(aedb scan --prefix=a/ -r --limit=2 "$DB" p/s)" = $'a/d\na/b/c' ]
	[ "$(aedb scan --from=a/b --to=b/x/y "$DB" p/s)" = $'a/b\na/b/c\na/d' ]
	[ "$(aedb scan --from=a/d "$DB" p/s)" = $'a/d\nb/x/y\nc' ]
	[ "$(aedb scan --to=a-b "$DB" p/s)" = a ]
	[ "$(aedb scan --limit=1 "$DB" p/s)" = a ]
	[ "$(aedb scan --from=a/b --to=b -r --limit 1 "$DB" p/s)" = a/d ]
	run -2 aedb scan --limit=0 "$DB" p/s
	run -2 aedb scan --limit=1x "$DB" p/s
	[ "$output" = 'aedb: scan: --limit: "1x" is no number above 0' ]
}

@test "text quotes what cannot stand in a line, as git does" {
	run -0 aedb scan --values "$DB" q/odd
	[ "${lines[0]}" = $'"quo\\"te"\t' ]
	[ "${lines[1]}" = $'"tab\\t"\t"\\377\\n"' ]
	[ "${lines[2]}" = $'\xc3\xa9\t\xe2\x82\xac' ]
	[ "${lines[3]}" = $'"\\377\\000"\tx' ]
}

@test "scan -0 ends raw keys with NUL bytes, scan -x prints digits" {
	aedb scan -0 "$DB" q/odd | xxd -p | tr -d '\n' |
		grep -qx '71756f227465''00''74616209''00''c3a9''00''ff00''00'
	[ "$(aedb scan -x "$DB" q/odd | tail -1)" = ff00 ]
	run -2 aedb scan -0 --values "$DB" q/odd
}

@test "JSON is one object a line, and base64 where it is not UTF-8" {
	[ "$(aedb scan --json "$DB" p/s | jq -r .key)" = "$(aedb scan "$DB" p/s)" ]
	run -0 bash -c 'aedb scan --json --values "$1" q/odd |
		jq -c "{key,key_base64,value,value_base64}"' sh "$DB"
	[ "${lines[0]}" = '{"key":"quo\"te","key_base64":null,"value":"","value_base64":null}' ]
	[ "${lines[1]}" = '{"key":"tab\t","key_base64":null,"value":null,"value_base64":"/wo="}' ]
	[ "${lines[2]}" = '{"key":"é","key_base64":null,"value":"€","value_base64":null}' ]
	[ "${lines[3]}" = '{"key":null,"key_base64":"/wA=","value":"x","value_base64":null}' ]
}

@test "JSON of get and ls has size, version, id and times" {
	aedb get --json "$DB" p/s a | jq -e '.key == "a" and
		.value == "value of a" and .value_bytes == 10 and .version > 0 and
		.id > 0 and (.time | test("^20.*Z$")) and .time == .mtime'
	[ "$(aedb ls --json "$DB" | jq -r '.type + " " + .name')" = $'project p\nproject q' ]
	[ "$(aedb ls --json "$DB" p | jq -r '.type + " " + .name')" = $'scope empty\nscope s' ]
	[ "$(aedb ls --json "$DB" p/s a | jq -r '.type + " " + .name')" = \
		$'key b\ndirectory b\nkey d' ]
}

@test "JSON and quoting of large values agree with the bytes, at every boundary" {
	local db=$BATS_TEST_TMPDIR/db n
	aedb init "$db"
	aedb put -p "$db" p/s
	# characters of 3 bytes lie across the parts in which values are read
	for n in 0 1 2; do
		{ printf '%*s' $n ''; yes '€' | head -n 200000 | tr -d '\n'; } >utf8
		aedb put "$db" p/s utf8 -f utf8
		aedb get --json "$db" p/s utf8 | jq -j .value | cmp - utf8
		aedb scan --values "$db" p/s | cut -f2 | tr -d '\n' | cmp - utf8
	done
	head -c 700001 /dev/urandom >binary
	aedb put "$db" p/s utf8 -f binary
	aedb get --json "$db" p/s utf8 | jq -r .value_base64 | base64 -d | cmp - binary
	aedb scan --values "$db" p/s | cut -f2 | python3 -c '
import sys, ast
sys.stdout.buffer.write(ast.literal_eval("b" + "".join(
	c if ord(c) < 128 else "".join("\\x%02x" % b for b in c.encode())
	for c in sys.stdin.read().strip())))' | cmp - binary
}

@test "reading works while the database's directory is read-only" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir "$BATS_TEST_TMPDIR/ro"
	mount --bind "$DB" "$BATS_TEST_TMPDIR/ro"
	mount -o remount,bind,ro "$BATS_TEST_TMPDIR/ro"
	run aedb get "$BATS_TEST_TMPDIR/ro" p/s c
	local got=$status:$output
	run aedb put "$BATS_TEST_TMPDIR/ro" p/s c new
	umount "$BATS_TEST_TMPDIR/ro"
	[ "$got" = '0:value of c' ]
	[ "$status" = 3 ]
	[[ $output == "aedb: $BATS_TEST_TMPDIR/ro: "*[Rr]ead-only* ]]
	[ "$(aedb get "$DB" p/s c)" = 'value of c' ]
}
