#!/usr/bin/env bats
# Backups that somebody made to deceive, as far as is possible without the key:
# each change of a backup.json has the SHA-256 that it has to end with.
# timeout: 240 s
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

@test "a copy of a backup is told from it, and a child goes on from the one that is meant" {
	cp -r set/b set/twin
	aedb backup list set >out
	grep -q 'twin  (broken: it is a copy of b' out
	[ "$(aedb backup list --json set | jq -r 'select(.state == "finished").backup' | xargs)" = 'a b c' ]
	fails 5 'twin: it is a copy of b' aedb backup verify set
	fails 5 'backup twin was made under another name' aedb restore set/twin --to=r
	nothing_made
	aedb restore set/c --to=r
	[ "$(keys r)" = 'k2 k3 k4 large' ]
	aedb backup prune --keep-last=1 set >out
	grep -q 'twin  broken' out
	[ -d set/twin ]
}

@test "where it is not known which of two backups with one id is meant none is taken" {
	mv set/b set/twin1
	cp -r set/twin1 set/twin2
	fails 5 'which is the copy is not known' aedb backup verify set
	[ "$(aedb backup list --json set | jq -r 'select(.state == "finished").backup')" = a ]
	fails 5 'which is meant is not known' aedb restore set/c --to=r
	nothing_made
	aedb backup prune --keep-last=1 set
	[ "$(find set -mindepth 1 -maxdepth 1 -type d | wc -l)" = 4 ]
	fails 2 'are the same backup' aedb restore set/twin1 set/twin2 --to=r
	# who says which gets it
	aedb restore set/c set/twin1 --to=r
	[ "$(keys r)" = 'k2 k3 k4 large' ]
}

@test "backups that changed places, and an older one in the place of a newer, are refused" {
	mv set/b set/x
	mv set/c set/b
	mv set/x set/c
	fails 5 'it was made as' aedb backup verify set
	fails 5 'made under another name' aedb restore set/c --to=r
	fails 5 'made under another name' aedb restore set/b --to=r
	again
	rm -r set/c
	cp -r set/b set/c
	fails 5 'c: it is a copy of b' aedb backup verify set
	fails 5 'made under another name' aedb restore set/c --to=r
	again
	# its files are those of another one of the chain
	rm -r set/c/wal
	cp -r set/b/wal set/c/wal
	fails 5 c aedb backup verify set
	fails 5 c aedb restore set/c --to=r
	nothing_made
}

@test "a backup that was renamed says how it was made, and is used" {
	mv set/c set/friday
	mv set/a set/monday
	[ "$(aedb backup list set | grep -cE '\(made as [ac]\)')" = 2 ]
	[ "$(aedb backup list --json set | jq -r 'select(.backup == "friday").reason')" = 'made as c' ]
	aedb backup verify set
	aedb restore set/friday --to=r
	[ "$(keys r)" = 'k2 k3 k4 large' ]
}

@test "parents that go round in a circle, or are of another database, end in no loop" {
	id_a=$(member a .id) id_b=$(member b .id) id_c=$(member c .id)
	head_c=$(member c .head_seq)
	forge b "\"parent\":\"$id_a\"" "\"parent\":\"$id_c\"" \
		'"from_seq":[0-9]*,\n"head_seq":[0-9]*' \
		"\"from_seq\":$head_c,\n\"head_seq\":$head_c"
	fails 5 circle aedb restore set/c --to=r
	fails 5 circle aedb restore set/b --to=r
	fails 5 b aedb backup verify set c
	again
	forge b "\"parent\":\"$id_a\"" "\"parent\":\"$id_b\""
	fails 5 'its own parent' aedb restore set/b --to=r
	again
	aedb init other
	aedb put -p other p/s
	aedb backup full --to=set other o
	id_o=$(member o .id)
	forge b "\"parent\":\"$id_a\"" "\"parent\":\"$id_o\"" \
		'"from_seq":[0-9]*' "\"from_seq\":$(member o .head_seq)"
	fails 5 'different databases' aedb restore set/c --to=r
	fails 5 'another database' aedb backup verify set b
	again
	# another full one of the same database, which is not where b goes on from
	aedb backup full --to=set db later
	forge b "\"parent\":\"$id_a\"" "\"parent\":\"$(member later .id)\""
	fails 5 later aedb restore set/b --to=r
	nothing_made
}

@test "numbers at every boundary are restored exactly, or refused" {
	first=$(member a .head_seq) middle=$(member b .head_seq) last=$(member c .head_seq)
	for seq in "$first" "$middle" $((middle - 1)) $((middle + 1)) "$last" $((last - 1)); do
		rm -rf r
		[ "$(aedb restore --json set/c --to=r --at-seq="$seq" | jq .seq)" = "$seq" ]
	done
	[ "$(keys r)" = 'k2 k3 large' ]
	rm -r r
	fails 2 'is no number above 0' aedb restore set/c --to=r --at-seq=0
	for seq in 1 $((first - 1)) $((last + 1)) 9007199254740993; do
		fails 3 "from $first to $last can be restored" \
			aedb restore set/c --to=r --at-seq="$seq"
	done
	fails 3 "from $first to $middle can be restored" \
		aedb restore set/b --to=r --at-seq=$((middle + 1))
	fails 3 "$first can be restored" aedb restore set/a --to=r --at-seq=$((first + 1))
	nothing_made
}

@test "without the key, or with another one, nothing signed is believed or made" {
	head -c 32 /dev/urandom >key
	head -c 32 /dev/urandom >other
	aedb init --key-file=key signed
	aedb put --key-file=key -p signed p/s
	aedb put --key-file=key signed p/s k v
	aedb backup full --key-file=key --to=set signed x
	aedb put --key-file=key signed p/s k2 v
	aedb backup incremental --key-file=key --to=set signed y
	fails 3 'signed with another key' aedb restore --key-file=other set/y --to=r
	fails 3 'signed with another key' aedb restore --key-file=other set/x --to=r
	fails 3 '' aedb restore set/y --to=r
	fails 3 'not signed' aedb restore --key-file=key set/a --to=r
	# who changes one and has no key can only take the signature away
	forge x '"engine":"[^"]*"' '"engine":"9"'
	fails 3 'not signed' aedb restore --key-file=key set/x --to=r
	fails 3 'not signed' aedb restore --key-file=key set/y --to=r
	nothing_made
}

# grow BACKUP WHAT [STORED]: its backup.json, to the size that one may have.
grow() {
	python3 "$BATS_TEST_DIRNAME/backup_grow.py" "set/$1/backup.json" "${@:2}"
}

# bounded COMMAND...: with no more memory than aedb-backup(7) says.
bounded() (
	ulimit -v $((256 << 10))
	exec "$@"
)

@test "a backup.json of 64 MiB is refused in bounded memory, whatever it is full of" {
	case ${MODE-} in asan | tsan) skip "the sanitizer needs memory" ;; esac
	export -f bounded
	for what in members element; do
		again
		grow a $what
		fails 0 'a/backup.json: line' bash -c 'bounded aedb backup list set'
		fails 5 'a/backup.json: line' bash -c 'bounded aedb restore set/a --to=r'
	done
	[[ $output$stderr == *"longer than can be"* ]]
	again
	grow c snapshots
	fails 0 'names more snapshots than can be' \
		bash -c 'bounded aedb backup list set'
	nothing_made
}

@test "lists of files of 64 MiB each, one in the other, are looked at in bounded memory" {
	case ${MODE-} in asan | tsan) skip "the sanitizer needs memory" ;; esac
	export -f bounded
	rm -r set/b set/c
	id=$(member a .id) seq=$(member a .head_seq)
	cp -r set/a set/b
	forge b "\"id\":\"$id\",\n\"parent\":null" \
		"\"id\":\"${ZEROS:32}\",\n\"parent\":\"$id\"" \
		'"name":"a"' '"name":"b"' '"kind":"full"' '"kind":"incremental"' \
		'"from_seq":0' "\"from_seq\":$seq"
	grow a files
	grow b files "$id"
	run -0 bounded aedb backup list set
	echo "$output"
	[[ $output != *broken* ]]
	run -5 bounded aedb backup verify set
	[[ $output == *"seg/1000.seg is missing"*"a: more is found, which is only counted"* ]]
	fails 5 'seg/1000.seg: is missing' bash -c 'bounded aedb restore set/b --to=r'
	nothing_made
}
