#!/usr/bin/env bats
# Backups that somebody made to deceive, as far as is possible without the key:
# each change of a backup.json has the SHA-256 that it has to end with.
bats_require_minimum_version 1.5.0
load mount

setup() {
	DIR=$BATS_TEST_TMPDIR
	cd "$DIR" || return 1
	aedb init db
	aedb put -p db p/s
	head -c 100000 /dev/urandom | aedb put db p/s large
	aedb backup full db a
	aedb put db p/s k2 two
	aedb backup incremental db b
	aedb put db p/s k3 three
	aedb put db p/s k4 four
	aedb backup incremental db c
	cp -r db.backups set
}

# fails STATUS TEXT COMMAND...: it ends so, and says that.
fails() {
	local want=$1 text=$2
	shift 2
	run --separate-stderr timeout 60 "$@"
	# shellcheck disable=SC2154 # run sets it
	[ "$status" = "$want" ] || { echo "status $status: $output$stderr"; return 1; }
	[[ $output$stderr == *"$text"* ]] || { echo "$output$stderr"; return 1; }
}

# forge BACKUP PATTERN REPLACEMENT...
forge() {
	local file=set/$1/backup.json
	shift
	python3 "$BATS_TEST_DIRNAME/backup_forge.py" "$file" "$@"
}

# member BACKUP PATH: of its backup.json.
member() {
	jq -r "$2" "set/$1/backup.json"
}

again() {
	rm -rf set
	cp -r db.backups set
}

nothing_made() {
	[ ! -e r ]
	[ -z "$(find . -name '.r.*')" ]
}

keys() {
	aedb ls "$1" p/s | xargs
}

ZEROS=0000000000000000000000000000000000000000000000000000000000000000

@test "a log that ends elsewhere than its backup says is refused" {
	aedb restore set/c --to=good
	[ "$(keys good)" = 'k2 k3 k4 large' ]
	forge c '"end_digest":"[0-9a-f]*"' "\"end_digest\":\"$ZEROS\""
	fails 5 'backup c: the log has another digest' aedb restore set/c --to=r
	again
	forge c '"end_lsn":[0-9]*' "\"end_lsn\":$(($(member c .log.end_lsn) + 64))"
	fails 5 'backup c: the log ends at' aedb restore set/c --to=r
	again
	forge c '"head_seq":[0-9]*' "\"head_seq\":$(($(member c .head_seq) + 1))"
	fails 5 'the log of backup c ends with number' aedb restore set/c --to=r
	nothing_made
}

@test "a log that does not go on where its parent's ends is refused, wherever in the chain" {
	forge b '"end_digest":"[0-9a-f]*"' "\"end_digest\":\"$ZEROS\""
	fails 5 'the log of backup c does not go on where that of its parent b ends' \
		aedb restore set/c --to=r
	again
	forge a '"end_digest":"[0-9a-f]*"' "\"end_digest\":\"$ZEROS\""
	fails 5 'backup a: MANIFEST-1 is of another state' aedb restore set/a --to=r
	fails 5 'backup a: MANIFEST-1 is of another state' aedb restore set/c --to=r
	again
	seq=$(($(member a .head_seq) - 1))
	forge a '"head_seq":[0-9]*' "\"head_seq\":$seq"
	forge b '"from_seq":[0-9]*' "\"from_seq\":$seq"
	fails 5 'backup a: MANIFEST-1 is of another state' aedb restore set/b --to=r
	nothing_made
}
