#!/usr/bin/env bats
# aedb snapshot, of a database and of a mount.

bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	cd "$DIR" || return 1
	aedb put -p db p/s kept v
	aedb put db p/s changed 1
	aedb put db p/s dir/gone v
}
teardown() {
	cd /
	mount_cleanup
}

# Changes of every kind behind snapshot A, and then snapshot B. With TARGET db or
# a path in the mount.
make_snapshots() {
	aedb snapshot create "$1" A
	if [ "$1" = db ]; then
		aedb put db p/s changed 2
		aedb del db p/s dir/gone
		aedb put db p/s $'new\tkey' v
		aedb put -p db q/t
	else
		echo 2 >mnt/p/s/changed
		rm mnt/p/s/dir/gone
		echo v >$'mnt/p/s/new\tkey'
		mkdir -p mnt/q/t
	fi
	aedb snapshot create "$1" B
}

DIFF='- p/s/dir/gone
+ "p/s/new\tkey"
+ q/
+ q/t/
~ p/s/changed'

# The lines of a diff without directories that rm emptied, in an order of their own.
diff_of() { aedb snapshot diff "$@" | grep -v 'p/s/dir/$' | sort; }

@test "snapshots of a database are taken, listed, renamed and deleted" {
	[ -z "$(aedb snapshot list db)" ]
	make_snapshots db
	[ "$(aedb snapshot list db)" = "$(printf 'A\nB')" ]
	[[ $(aedb snapshot list -l db | head -1) =~ ^20[0-9-]+T[0-9:.]+Z\ A$ ]]
	[ "$(aedb snapshot list --json db | jq -r .snapshot | xargs)" = 'A B' ]
	[ "$(aedb snapshot list --json db | jq -s '.[0].seq < .[1].seq')" = true ]
	aedb snapshot rename db A C
	[ "$(aedb snapshot list db | xargs)" = 'B C' ]
	[ "$(aedb snapshot delete --json db B C)" = '{}' ]
	[ -z "$(aedb snapshot list db)" ]
	[ "$(aedb get db p/s changed)" = 2 ]
}

@test "what changed between snapshots of a database is told, and since one" {
	make_snapshots db
	[ "$(diff_of db A B)" = "$(sort <<<"$DIFF")" ]
	[ "$(diff_of db A)" = "$(sort <<<"$DIFF")" ]
	[ -z "$(diff_of db B)" ]
	[ "$(diff_of db B A | tr '+-' '-+' | sort)" = "$(sort <<<"$DIFF")" ]
	[ "$(aedb snapshot diff --json db A B | jq -r 'select(.change == "changed").path')" = p/s/changed ]
	[ "$(aedb snapshot diff --json db A B | jq -r 'select(.change == "added").path' | head -1)" = $'p/s/new\tkey' ]
	# What was dropped is told key by key.
	aedb del -r db p
	diff_of db B | grep -qx -e '- p/s/kept'
	[ "$(diff_of db B | cut -c1 | sort -u)" = - ]
}

@test "of a mounted database the same is said and done through any path in it" {
	mount_start
	make_snapshots mnt
	[ "$(diff_of mnt A B)" = "$(sort <<<"$DIFF")" ]
	[ "$(diff_of mnt/p/s A)" = "$(sort <<<"$DIFF")" ]
	[ "$(aedb snapshot list mnt/p | xargs)" = "$(find mnt/.snap/* -prune -printf "%f\n" | sort | xargs)" ]
	[[ $(aedb snapshot list -l mnt | head -1) =~ ^20[0-9-]+T[0-9:.]+Z\ A$ ]]
	[ "$(aedb snapshot list --json mnt | jq -r .snapshot | xargs)" = 'A B' ]
	local listed
	listed=$(aedb snapshot list -l mnt)
	aedb snapshot rename mnt A C
	aedb snapshot delete mnt B
	[ "$(ls mnt/.snap)" = C ]
	aedb snapshot rename mnt C A
	mount_stop
	[ "$(aedb snapshot list -l db)" = "$(head -1 <<<"$listed")" ]
	[ "$(diff_of db A)" = "$(sort <<<"$DIFF")" ]
}

@test "get, ls and scan read in a snapshot, and put and del are refused" {
	mount_start
	make_snapshots mnt
	local old=mnt/.snap/A
	[ "$(aedb get $old/p/s/changed)" = 1 ]
	[ "$(aedb scan $old/p/s | xargs)" = 'changed dir/gone kept' ]
	[ "$(aedb ls $old/p/s | xargs)" = 'changed dir/ kept' ]
	types() { aedb ls --json "$1" | jq -r .type | sort -u | xargs; }
	[ "$(types mnt/.snap)" = snapshot ] && [ "$(types mnt/p/.snap)" = snapshot ]
	[ "$(types $old)" = project ] && [ "$(types mnt)" = project ]
	[ "$(types $old/p)" = scope ] && [ "$(types mnt/p/.snap/A)" = scope ]
	[ "$(types $old/p/s)" = 'directory key' ]
	[ "$(types mnt/p/.snap/A/s)" = 'directory key' ]
	run -3 aedb put $old/p/s/changed 3
	run -3 aedb del $old/p/s/changed
	run -3 aedb del -r $old
	[ "$(ls mnt/.snap/A)" = p ]
}

@test "wrong names, missing snapshots and wrong commands are told apart" {
	for target in db mnt; do
		[ $target = db ] || mount_start
		aedb snapshot create $target A
		run -1 aedb snapshot create $target A
		[[ $output == "aedb: $target: snapshot A: "*exists* ]]
		run -1 aedb snapshot delete $target B
		[[ $output == "aedb: $target: snapshot B: not found" ]]
		run -1 aedb snapshot diff $target B
		run -1 aedb snapshot rename $target B C
		for name in .x '' a/b '@1' "$(printf 'x%.0s' {1..129})"; do
			run -2 aedb snapshot create $target "$name"
		done
		aedb snapshot delete $target A
	done
	run -4 aedb snapshot create db A
	[[ $output == *"it is mounted"*"$MNT"* ]]
	run -2 aedb snapshot list
	run -2 aedb snapshot create mnt
	run -2 aedb snapshot rename mnt A
	run -2 aedb snapshot take mnt A
	run -3 aedb snapshot list "$DIR/none"
}
