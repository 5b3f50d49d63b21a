#!/usr/bin/env bats
# aedb backup full and incremental of a closed database, and aedb restore.
load mount
bats_require_minimum_version 1.5.0

setup() {
	DIR=$BATS_TEST_TMPDIR
	cd "$DIR" || return 1
	aedb init db
	aedb put db p
	aedb put db p/s
	head -c 200000 /dev/urandom >large
	aedb put db p/s k1 <large
}

keys() {
	aedb ls "$1" p/s | xargs
}

three_backups() {
	aedb backup full db first
	aedb put db p/s k2 two
	aedb put db p/s k3 three
	aedb backup incremental db second
	aedb del db p/s k1
	aedb put db p/s k4 four
	aedb backup incremental db third
}

@test "a backup is restored as of its head, of any commit of its log, and of a time" {
	three_backups
	[ "$(aedb backup list --json db | jq -r .form | xargs)" = 'files log log' ]
	aedb backup verify db
	aedb restore db.backups/third --to=head
	[ "$(keys head)" = 'k2 k3 k4' ]
	aedb verify head
	aedb restore db.backups/second --to=middle
	[ "$(keys middle)" = 'k1 k2 k3' ]
	aedb get middle p/s k1 | cmp - large
	seq=$(aedb backup list --json db | jq 'select(.backup == "second").head_seq')
	aedb restore db.backups/third --to=before --at-seq=$((seq - 1))
	[ "$(keys before)" = 'k1 k2' ]
	aedb restore --json db.backups/third --to=behind --at-seq=$((seq + 1)) >out
	[ "$(keys behind)" = 'k2 k3' ]
	[ "$(jq .seq out)" = $((seq + 1)) ]
	time=$(aedb backup list --json db | jq -r 'select(.backup == "second").head_time')
	aedb restore db.backups/third --to=past --at-time="$time"
	[ "$(keys past)" = 'k1 k2 k3' ]
	# what was restored is a database like any other
	aedb put before p/s k9 nine
	aedb backup full before
	[ "$(keys before)" = 'k1 k2 k9' ]
}

@test "a scope that was dropped, and of which a compaction left nothing, is so again" {
	aedb put db p/x
	aedb put db p/x a b
	aedb backup full db first
	aedb put db p/x k v
	aedb checkpoint db
	aedb del -r db p/x
	aedb checkpoint db
	aedb compact db
	aedb put db p/s k2 two
	aedb backup incremental db second
	aedb restore db.backups/second --to=r
	diff <(aedb ls db p) <(aedb ls r p)
	[ "$(keys r)" = 'k1 k2' ]
	aedb verify r
	aedb compact r
	aedb verify r
	aedb put r p/x
	[ -z "$(aedb ls r p/x)" ]
}

@test "a target that the backups do not have is refused with what they have" {
	three_backups
	fails 3 'from 6 to 10 can be restored' aedb restore db.backups/third --to=r --at-seq=3
	fails 3 'from 6 to 10 can be restored' aedb restore db.backups/third --to=r --at-seq=11
	fails 3 'can be restored' aedb restore db.backups/third --to=r --at-time=2001-01-01T00:00:00Z
	fails 3 'can be restored' aedb restore db.backups/third --to=r --at-time=2999-01-01T00:00:00Z
	fails 3 'can be restored' aedb restore db.backups/third --to=r --at-time=1500-01-01T00:00:00Z
	fails 2 'is no time' aedb restore db.backups/third --to=r --at-time=yesterday
	fails 2 'only one' aedb restore db.backups/third --to=r --at-seq=5 --at-time=2001-01-01T00:00:00Z
	[ ! -e r ]
	[ -z "$(find . -name '*.restoring')" ]
}

@test "damage, and files and parents that are missing, are found before anything is made" {
	three_backups
	cp -r db.backups copy
	printf x | dd of=copy/first/val/1.val bs=1 seek=50000 conv=notrunc status=none
	fails 5 'backup first: val/1.val: has another content' aedb restore copy/third --to=r
	fails 5 'has another content' aedb restore --dry-run copy/third --to=r
	rm copy/first/val/1.val
	fails 5 'backup first: val/1.val: is missing' aedb restore copy/third --to=r
	rm -r copy/first
	fails 1 'parent' aedb restore copy/third --to=r
	# it may lie anywhere
	aedb restore copy/third db.backups/first --to=r
	[ "$(keys r)" = 'k2 k3 k4' ]
	[ -z "$(find . -name '*.restoring')" ]
}

@test "a database is restored into nothing else than an empty directory" {
	three_backups
	mkdir empty full
	touch full/file
	aedb restore db.backups/third --to=empty
	[ "$(keys empty)" = 'k2 k3 k4' ]
	fails 1 'not an empty directory' aedb restore db.backups/third --to=full
	fails 1 'not an empty directory' aedb restore db.backups/third --to=db
	[ "$(ls full)" = file ]
}

@test "a dry run verifies and makes nothing" {
	three_backups
	aedb restore -n --json db.backups/third --to=r >out
	[ "$(jq .dry_run out)" = true ]
	[ ! -e r ]
}

@test "a dry run of a backup tells its size, and makes nothing" {
	aedb backup full -n --json db >out
	[ "$(jq -r '.dry_run, .kind, .form, .from_seq' out | xargs)" = 'true full files 0' ]
	dry=$(jq .stored_bytes out)
	[ ! -e db.backups ]
	aedb backup full --json db a >out
	made=$(jq .stored_bytes out)
	[ "$dry" -gt 200000 ]
	# without CURRENT and MANIFEST-1
	own=$(jq '[.files[] | select(.path | test("^[CM]")).bytes] | add' db.backups/a/backup.json)
	[ "$dry" = $((made - own)) ]
	aedb put db p/s k2 two
	aedb backup incremental --dry-run db b >out
	grep -q '^b would be made up to number' out
	[ ! -e db.backups/b ]
	aedb backup incremental -n --json db >out
	[ "$(jq -r .form out)" = log ]
	dry=$(jq .stored_bytes out)
	made=$(aedb backup incremental --json db b | jq .stored_bytes)
	# opening it once more has begun another file of the log, which is empty
	[ "$made" -ge "$dry" ]
	[ "$made" -le $((dry + 8192)) ]
	fails 1 'backup a exists' aedb backup full -n db a
	fails 1 'make a full one' aedb backup incremental -n --to=none db
	fails 2 'changes nothing' aedb backup list -n db
	[ ! -e none ]
}

@test "backups of a signed database need its key" {
	printf '0123456789abcdef0123456789abcdef' >key
	aedb init --key-file=key signed
	aedb put --key-file=key signed p
	aedb put --key-file=key signed p/s
	aedb put --key-file=key signed p/s k one
	aedb backup full --key-file=key signed a
	aedb put --key-file=key signed p/s k2 two
	aedb backup incremental --key-fd=7 signed b 7<key
	fails 3 '' aedb restore signed.backups/b --to=r
	aedb restore --key-file=key signed.backups/b --to=r
	[ "$(aedb ls --key-file=key r p/s | xargs)" = 'k k2' ]
	[ "$(aedb backup list --json --key-file=key signed | jq .signed | xargs)" = 'true true' ]
}

@test "a backup is made elsewhere, under the time, and refused where it cannot be" {
	mkdir elsewhere
	aedb backup full --to=elsewhere/backups db
	[ "$(find elsewhere/backups -mindepth 1 -maxdepth 1 -type d -name '20*Z' | wc -l)" = 1 ]
	aedb backup full db a
	fails 1 'backup a exists' aedb backup full db a
	fails 2 'backup name' aedb backup full db 'a/b'
	fails 1 'make a full one first' aedb backup incremental --to=none db
	fails 3 'no database here' aedb backup full nothing
	fails 2 'makes none' aedb backup list --to=elsewhere db
}

@test "backups without a name of their own have one each, also within a second" {
	for _ in 1 2 3 4 5; do aedb backup full db; done
	[ "$(find db.backups -name 'backup.json' | wc -l)" = 5 ]
	aedb backup verify db
	[ "$(aedb backup list --json db | jq -r .backup |
		grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z(-[2-5])?$')" = 5 ]
}

@test "a full backup is a database that can be read" {
	aedb backup full db a
	[ "$(keys db.backups/a)" = k1 ]
	aedb get db.backups/a p/s k1 | cmp - large
	aedb backup verify db a
}
