#!/usr/bin/env bats
# aedb backup list, verify and prune.
load mount
bats_require_minimum_version 1.5.0

STRESS=$AEDB_BUILD/tests/stress

setup() {
	DIR=$BATS_TEST_TMPDIR
	cd "$DIR" || return 1
	"$STRESS/make_backups" set 10
}

names() {
	find set -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -V | xargs
}

@test "list prints every backup of a directory, oldest first" {
	aedb backup list set >out
	[ "$(awk '{ print $NF }' out | xargs)" = \
		'day-1 day-2 day-3 day-4 day-5 day-6 day-7 day-8 day-9 day-10' ]
	[ "$(head -n 1 out | cut -c1-36)" = '2025-01-01T12:00:00Z  full          ' ]
	[ "$(grep -c incremental out)" = 8 ]
	aedb backup list --json set >out
	[ "$(jq -s length out)" = 10 ]
	[ "$(jq -r 'select(.backup == "day-8") | .kind, .parent, .state' out | xargs)" = \
		'full null finished' ]
	[ "$(jq -s '.[1].parent == .[0].id and .[1].from_seq == .[0].head_seq' out)" = true ]
	[ "$(jq -sr '.[1] | .form, .began' out | xargs)" = 'log 2025-01-02T12:00:00.000000000Z' ]
}

@test "the backups of a database are those beside it" {
	aedb init db
	fails 1 db.backups aedb backup list db
	mv set db.backups
	[ "$(aedb backup list db/ | wc -l)" = 10 ]
	[ "$(aedb backup verify db | tail -n 1)" = 'no damage found' ]
	fails 1 'backup day-11: not found' aedb backup verify db day-11
}

@test "list and verify tell broken and unfinished backups from whole ones" {
	mkdir set/.new.partial
	truncate -s 100 set/day-4/backup.json
	aedb backup list set >out
	[ "$(grep -c '(broken: ' out)" = 4 ]
	grep -q 'new  (unfinished)$' out
	[ "$(aedb backup list --json set | jq -sr 'map(select(.state == "broken") | .backup) |
		sort | join(" ")')" = 'day-4 day-5 day-6 day-7' ]
	fails 5 'day-4: ' aedb backup verify set
	aedb backup verify set day-3 day-9
	fails 5 'day-7: its parent day-6 cannot be used' aedb backup verify set day-7
}

@test "verify reads a backup with all it needs, and finds what was changed" {
	[ "$(aedb backup verify --json set day-10 | jq .backups)" = 3 ]
	[ "$(aedb backup verify --json set | jq .backups)" = 10 ]
	file=$(find set/day-8/seg -name '*.seg' -size +0 | head -n 1)
	cp -a "$file" kept
	printf x >>"$file"
	fails 5 "day-8: seg/${file##*/} has " aedb backup verify set day-10
	[ "$(aedb backup verify --json set day-10 2>err | jq -r 'select(.what).backup')" = day-8 ]
	[ "$(jq -r .status err)" = 5 ] || grep -q damaged err
	cp -a kept "$file"
	aedb backup verify set day-10
	rm "$file"
	fails 5 "day-8: seg/${file##*/} is missing" aedb backup verify set day-10
	ln -s ../../../kept "$file"
	fails 5 "day-8: seg/${file##*/} is no file" aedb backup verify set day-10
	aedb backup verify set day-3
}

@test "prune keeps what a rule says and what that needs, after a dry run that says so" {
	fails 2 'no rule' aedb backup prune set
	fails 2 'removes nothing' aedb backup list --keep-last=1 set
	fails 2 'neither a number nor all' aedb backup prune --keep-daily=-1 set
	fails 2 'no duration' aedb backup prune --keep-within=3w set
	aedb backup prune --dry-run --keep-last=2 --keep-weekly=2 set >dry
	[ "$(aedb backup list set | wc -l)" = 10 ]
	[ ! -e set/LOCK ]
	aedb backup prune --keep-last=2 --keep-weekly=2 set >out
	diff <(sed '$d' dry) <(sed '$d' out)
	# Wednesday the 1st begins; the 5th is the Sunday of its week
	[ "$(names)" = 'day-1 day-2 day-3 day-4 day-5 day-8 day-9 day-10' ]
	[[ $(tail -n 1 dry) == '8 kept, 2 would be removed, '* ]]
	[[ $(tail -n 1 out) == '8 kept, 2 removed, '* ]]
	aedb backup verify set
	[ "$(aedb backup prune --json --keep-within=1d set |
		jq -sr '.[-1] | .kept, .removed' | xargs)" = '3 5' ]
	[ "$(names)" = 'day-8 day-9 day-10' ]
	aedb backup verify set
}

@test "prune removes what killed ones left, and waits for nobody" {
	mkdir -p set/.a.partial/seg && touch set/.a.partial/seg/1.seg
	mv set/day-10 set/.day-10.removing
	aedb backup prune --keep-last=all set
	[ "$(names)" = 'day-1 day-2 day-3 day-4 day-5 day-6 day-7 day-8 day-9' ]
	exec {lock}<>set/LOCK
	flock $lock
	fails 4 LOCK aedb backup prune --keep-last=1 set
	fails 4 LOCK aedb backup prune --dry-run --keep-last=1 set
	exec {lock}>&-
	[ "$(aedb backup list set | wc -l)" = 9 ]
}

@test "a key is required of signed backups when it is given, from a file or a descriptor" {
	printf 0123456789abcdef >key
	printf 0123456789abcdeF >other
	"$STRESS/make_backups" signed 3 "$(cat key)"
	aedb backup verify signed
	aedb backup verify --key-file=key signed
	aedb backup verify --key-fd=5 signed 5<key
	[ "$(aedb backup list --json signed | jq -s 'map(.signed) | all')" = true ]
	fails 5 'signed with another key' aedb backup verify --key-file=other signed
	fails 5 'not signed' aedb backup verify --key-file=key set
	fails 3 'signed with another key' aedb backup prune --keep-last=1 --key-fd=5 signed 5<other
	fails 2 'no descriptor' aedb backup list --key-fd=x signed
	fails 2 '16 to 64' aedb backup list --key-fd=5 signed 5</dev/null
	fails 3 'descriptor 77' aedb backup list --key-fd=77 signed
	[ "$(find signed -mindepth 1 -maxdepth 1 -type d | wc -l)" = 3 ]
}
